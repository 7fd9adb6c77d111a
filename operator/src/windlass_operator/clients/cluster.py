"""The API server, as the rest of the operator sees it: paths, plain dicts, and answers that are values.

``Cluster`` is the port; ``KubernetesCluster`` is the adapter. Credentials and the connection are
``kubernetes_asyncio``'s (in-cluster token rotation, kubeconfig with exec plugins, proxies); its models are never made:
bodies go through ``orjson`` straight to the connection, since that is most of what an operator's CPU is spent on.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import orjson
from kubernetes_asyncio import client, config

JSON = "application/json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"

CONNECTIONS = 64
REQUEST_TIMEOUT = 30.0
RETRIES = 4
RETRIABLE = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said. ``status`` 0 means that it said nothing: no connection, or no answer in time."""

    status: int
    body: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """Whether it did as asked."""
        return 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """The machine-readable reason of a refusal, e.g. ``AlreadyExists``."""
        return str(self.body.get("reason") or "")

    @property
    def message(self) -> str:
        """The API server's own words."""
        return str(self.body.get("message") or f"HTTP status {self.status}")


class Cluster(Protocol):
    """What passes need of an API server."""

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. Trouble on the way is an answer too: nothing is raised but cancellation."""


class Watchable(Cluster, Protocol):
    """What watches need of it besides."""

    def stream(self, path: str, query: Mapping[str, str]) -> Any:
        """An async context manager that gives an async iterator of the raw lines of a watch."""


class ConnectionLostError(Exception):
    """A watch could not be opened, or broke."""


class WatchRefusedError(Exception):
    """The API server refused a watch."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status


class KubernetesCluster:
    """The adapter to a real API server."""

    def __init__(self, configuration: client.Configuration, observe: Callable[[str, str, int], None]) -> None:
        """``observe(method, path, status)`` is told of every answer."""
        configuration.connection_pool_maxsize = CONNECTIONS
        self._configuration = configuration
        self._observe = observe
        self._api = client.ApiClient(configuration)
        self._session = _session(self._api.rest_client.pool_manager.connector)
        self._base = (configuration.host or "").rstrip("/")
        self._proxy = configuration.proxy or _proxy_of_environment(self._base)

    @classmethod
    async def connect(cls, observe: Callable[[str, str, int], None]) -> KubernetesCluster:
        """With the pod's service account when in a cluster, else with the current kubeconfig.

        Raises:
            config.ConfigException: there is neither.
        """
        configuration = client.Configuration()
        if "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG"):
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # theirs
        else:
            await config.load_kube_config(client_configuration=configuration)
        return cls(configuration, observe)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
        await self._api.close()

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, repeated while the API server is overloaded or away (every request of ours may be repeated)."""
        answer = Answer(0, {})
        for attempt in range(RETRIES):
            answer, pause = await self._once(
                method, path, body, {"Content-Type": content_type, "Accept": accept}, query
            )
            if answer.status != 0 and answer.status not in RETRIABLE:
                return answer
            if attempt + 1 < RETRIES:
                await asyncio.sleep(pause if pause is not None else 0.1 * 4**attempt)
        return answer

    async def _once(
        self, method: str, path: str, body: Any, headers: dict[str, str], query: Mapping[str, str] | None
    ) -> tuple[Answer, float | None]:
        data = None if body is None else _encoded(body)
        headers = {**headers, **await self._authorization()}
        try:
            async with self._session.request(
                method,
                self._base + path,
                data=data,
                headers=headers,
                params=query,
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT),
            ) as response:
                raw = await response.read()
                self._observe(method, path, response.status)
                return Answer(response.status, _decoded(raw)), _retry_after(response)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as trouble:
            self._observe(method, path, 0)
            return Answer(0, {"message": f"no answer from the API server: {trouble or type(trouble).__name__}"}), None

    @asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """The raw lines of a watch, as they come.

        Raises:
            WatchRefusedError: the API server answered with an error.
            ConnectionLostError: there is no connection (any more).
        """
        try:
            async with self._session.get(
                self._base + path,
                params=query,
                headers={"Accept": JSON, **await self._authorization()},
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=WATCH_SILENCE),
            ) as response:
                if response.status != 200:
                    raise WatchRefusedError(response.status)
                yield _lines(response)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as trouble:
            raise ConnectionLostError(str(trouble) or type(trouble).__name__) from trouble

    async def _authorization(self) -> dict[str, str]:
        settings = await self._configuration.auth_settings()
        token = settings.get("BearerToken")
        return {"Authorization": token["value"]} if token and token["value"] else {}


def _session(connector: aiohttp.BaseConnector | None) -> aiohttp.ClientSession:
    """A session over kubernetes_asyncio's connections. Its own session has a thread look for a proxy, and another for
    ``~/.netrc``, before every request.
    """
    return aiohttp.ClientSession(
        connector=connector, connector_owner=False, cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=2**20
    )


def _proxy_of_environment(server: str) -> str | None:
    """The proxy that ``HTTPS_PROXY`` and ``NO_PROXY`` ask for, if they do."""
    address = urlsplit(server)
    return None if proxy_bypass(address.hostname or "") else getproxies().get(address.scheme)


WATCH_SILENCE = 120.0
"""Seconds without a byte after which a watch counts as dead. The API server sends bookmarks about every minute."""


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line


AS_GO_SPELLS = tuple((sign.encode(), rf"\u{ord(sign):04x}".encode()) for sign in "<>&\u2028\u2029")
"""Signs that Go's JSON escapes. The API server stores a ControllerRevision's data as it is sent, but compares it with
its own spelling when the object is patched, and takes a difference for a change of what is immutable.
"""


def _encoded(body: Any) -> bytes:
    try:
        data = orjson.dumps(body)
    except orjson.JSONEncodeError:  # a number beyond 64 bits: the float 1e20, as Kubernetes writes it
        data = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    for sign, escape in AS_GO_SPELLS:  # they stand in strings only
        data = data.replace(sign, escape)
    return data


def _decoded(raw: bytes) -> Mapping[str, Any]:
    try:
        decoded = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError:
        return {"message": raw[:500].decode("utf-8", "replace")}
    return decoded if isinstance(decoded, dict) else {"items": decoded}


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    return min(float(text), 10.0) if text.isdigit() else None
