"""The connection to a cluster, and the only door to the `kubernetes` package.

That package is taken for what is hard: kubeconfig files, contexts, certificates, credential plugins, service accounts.
Requests are plain JSON over its connection pool: models would change nothing but the time they take.

Whatever goes wrong becomes a `RemoteError`, a sentence for the person at the terminal: which server by which
kubeconfig, which object, which field, and what to do. Its subclasses are the exceptions of the API as well, for who
catches those: `FlyteEntityNotExistException` where there is no such object, and so on.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from windlass import _exceptions
from windlass_api.names import API_VERSION, plural

Object = dict[str, Any]

INSTALL_CLIENT = (
    "talking to a cluster needs the Kubernetes client, which is not installed: pip install 'windlass[remote]'"
)
INSTALL_WINDLASS = (
    "Windlass is not installed in the cluster: install its chart (helm install windlass charts/windlass),"
    " or for a first look only its kinds (kubectl apply --server-side -f crds/)"
)
_ACCOUNT_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
_OTHERS = {
    ("v1", "ConfigMap"): "/api/v1/namespaces/{namespace}/configmaps",
    ("apps/v1", "ControllerRevision"): "/apis/apps/v1/namespaces/{namespace}/controllerrevisions",
}
_TIMEOUT = 30.0
_ATTEMPTS = 5  # 8 seconds in all
_TYPED_PATCH = re.compile(r"^failed to create typed patch object \(.*?\): \.?")
_CONNECTION = re.compile(r"^<?[\w.]+(\(.*?\)| object at \w+)>?: ")
_PASSING = (429, 502, 503, 504)  # the server says: later; 500 it also says of an unknown field in an apply


class RemoteError(Exception):
    """What could not be done in the cluster, in words. `status` is the HTTP status, 0 where there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    def __str__(self) -> str:
        return self.message


class NotThereError(RemoteError, _exceptions.FlyteEntityNotExistException):
    """There is no such object."""


class AlreadyThereError(RemoteError, _exceptions.FlyteEntityAlreadyExistsException):
    """There is such an object already, or somebody else has changed it."""


class NotAllowedError(RemoteError, _exceptions.FlyteAuthenticationException):
    """The cluster does not accept the credentials, or not for this."""


class RefusedError(RemoteError, _exceptions.FlyteInvalidInputException):
    """The cluster refuses the object; `request` says which."""


class NotReachableError(RemoteError, _exceptions.FlyteSystemUnavailableException):
    """The cluster does not answer, or only that it can't now."""


_ERRORS: dict[int, type[RemoteError]] = {
    0: NotReachableError,
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotThereError,
    409: AlreadyThereError,
    400: RefusedError,
    413: RefusedError,
    422: RefusedError,
    **dict.fromkeys((429, 502, 503, 504), NotReachableError),
}


def remote_error(message: str, status: int = 0) -> RemoteError:
    """The exception for an HTTP status; 0 where there was no answer."""
    return _ERRORS.get(status, RemoteError)(message, status)


class Cluster:
    """A connection. `namespace` is where things go that name none, `context` what the kubeconfig calls it."""

    def __init__(self, api_client: Any, where: str, namespace: str, context: str = "") -> None:
        self._pool = api_client.rest_client.pool_manager
        self._configuration = api_client.configuration
        self.server = str(api_client.configuration.host).rstrip("/")
        self.where = where
        self.namespace = namespace
        self.context = context

    def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        body: Object | list[Object] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """The JSON answer. A server that is busy is asked again, unless that could do a thing twice."""
        wait = 0.2
        for attempt in range(_ATTEMPTS):
            response = self._send(method, path, body, query, content_type, _TIMEOUT)
            content = self._read(response)
            if response.status < 300:
                found: Object = json.loads(content)
                return found
            again = response.status == 429 or (response.status in _PASSING and method != "POST")
            if not again or attempt == _ATTEMPTS - 1:
                break
            time.sleep(wait)
            wait *= 3
        raise self._refusal(response.status, content, what)

    def watch(self, path: str, query: Mapping[str, str], *, what: str, seconds: float) -> Iterator[Object]:
        """The events of a watch, until the server or the connection ends it; silence counts as its end."""
        import urllib3  # noqa: PLC0415  comes with the Kubernetes client

        response = self._send("GET", path, None, {**query, "watch": "1"}, "application/json", seconds)
        if response.status >= 300:
            raise self._refusal(response.status, self._read(response), what)
        pending = b""
        try:
            for chunk in response.stream(65536, decode_content=True):
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)
        except (urllib3.exceptions.HTTPError, OSError):
            return
        finally:
            response.close()

    def text(self, path: str, query: Mapping[str, str], *, what: str, seconds: float) -> Iterator[bytes]:
        """What an address gives, as it comes; silence counts as its end."""
        import urllib3  # noqa: PLC0415  comes with the Kubernetes client

        response = self._send("GET", path, None, query, "application/json", seconds)
        if response.status >= 300:
            raise self._refusal(response.status, self._read(response), what)
        try:
            yield from response.stream(65536, decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise remote_error(f"{what}: the connection broke: {_reason(error)}") from error
        finally:
            response.close()

    def _send(
        self,
        method: str,
        path: str,
        body: Object | list[Object] | None,
        query: Mapping[str, str] | None,
        content_type: str,
        timeout: float,
    ) -> Any:
        import urllib3  # noqa: PLC0415  comes with the Kubernetes client

        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            return self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=self._headers(content_type),
                preload_content=False,
                retries=False,
                timeout=urllib3.Timeout(connect=10, read=timeout),
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise remote_error(f"no connection to the cluster at {self.where}: {_reason(error)}") from error

    def _read(self, response: Any) -> bytes:
        import urllib3  # noqa: PLC0415  comes with the Kubernetes client

        try:
            content: bytes = response.read(decode_content=True)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise remote_error(f"the connection to the cluster at {self.where} broke: {_reason(error)}") from error
        return content

    def _headers(self, content_type: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": "windlass"}
        return {**headers, **_credentials(self._configuration)}

    def _refusal(self, status: int, content: bytes, what: str) -> RemoteError:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {}
        if not isinstance(answer, dict) or answer.get("kind") != "Status":
            if status == 404:
                message = f"{what}: the cluster at {self.where} does not know the kind. {INSTALL_WINDLASS}"
                return RemoteError(message, status)
            answer = {"message": content.decode(errors="replace").strip() or "no reason given"}
        return remote_error(f"{what}: {explain(status, answer)}", status)


def connect(*, kubeconfig: str | None = None, context: str | None = None, namespace: str | None = None) -> Cluster:
    """The cluster of the kubeconfig and context; inside a pod without a kubeconfig, the cluster it runs in."""
    try:
        import kubernetes.client  # noqa: PLC0415  an extra, and a quarter of a second
        import kubernetes.config  # noqa: PLC0415
    except ImportError as error:
        raise RemoteError(INSTALL_CLIENT) from error
    config: Any = kubernetes.config  # it has no types
    files = _files(kubeconfig)
    if not _some_exist(files):
        if kubeconfig or context or "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise RemoteError(_no_kubeconfig(files, bool(kubeconfig)))
        configuration = kubernetes.client.Configuration()
        config.load_incluster_config(client_configuration=configuration)
        client = kubernetes.client.ApiClient(configuration)
        return Cluster(client, f"{configuration.host} (this pod's service account)", namespace or _own_namespace())
    try:
        client = config.new_client_from_config(config_file=files, context=context)
        contexts, active = config.list_kube_config_contexts(config_file=files)
    except config.ConfigException as error:
        raise RemoteError(f"the kubeconfig {files} can't be used: {error}") from error
    chosen = next((known for known in contexts if known["name"] == context), active)
    where = f"{client.configuration.host} (kubeconfig {files}, context {chosen['name']})"
    return Cluster(client, where, namespace or chosen["context"].get("namespace") or "default", chosen["name"])


def servers_of_contexts(kubeconfig: str | None = None) -> dict[str, str]:
    """The contexts of the kubeconfig, and the API server of each."""
    try:
        import kubernetes.config  # noqa: PLC0415  an extra, and a quarter of a second
    except ImportError as error:
        raise RemoteError(INSTALL_CLIENT) from error
    config: Any = kubernetes.config  # it has no types
    files = _files(kubeconfig)
    if not _some_exist(files):
        raise RemoteError(_no_kubeconfig(files, bool(kubeconfig)))
    try:
        merged = config.kube_config.KubeConfigMerger(files).config
        clusters = {entry["name"]: entry["cluster"]["server"] for entry in merged["clusters"]}
        return {entry["name"]: clusters.get(entry["context"]["cluster"], "") for entry in merged["contexts"]}
    except config.ConfigException as error:
        raise RemoteError(f"the kubeconfig {files} can't be used: {error}") from error


def resource_path(obj: Mapping[str, Any], namespace: str, name: str = "") -> str:
    """The URL path of an object, or of its collection without a name."""
    kind, version = obj["kind"], obj["apiVersion"]
    if version == API_VERSION:
        path = f"/apis/{version}/namespaces/{namespace}/{plural(kind)}"
    elif (version, kind) in _OTHERS:
        path = _OTHERS[version, kind].format(namespace=namespace)
    else:
        raise RemoteError(f"{kind} of {version} is none of the kinds that Windlass applies")
    return f"{path}/{name}" if name else path


def explain(status: int, answer: Mapping[str, Any]) -> str:
    """A refusal of the API server: its fields if it names any, and what to do about it."""
    message = str(answer.get("message", "")).strip() or f"HTTP status {status}"
    causes = (answer.get("details") or {}).get("causes") or []
    fields = [f"{cause['field']}: {cause.get('message', '')}" for cause in causes if cause.get("field")]
    told = "; ".join(fields) if fields else _TYPED_PATCH.sub("refused: ", message)
    if status == 409 and fields:
        return (
            f"others manage these fields and want them otherwise: {told}."
            " Change them where they come from, or take them over: windlass render FILE -o DIR, and"
            " kubectl apply --server-side --field-manager windlass-sdk --force-conflicts -f DIR"
        )
    if status == 404 and (answer.get("details") or {}).get("kind") == "namespaces":
        return f"{told}; make it with: kubectl create namespace {answer['details'].get('name', '')}"
    advice = {
        401: "the credentials were not accepted; log in again, or choose another --context",
        403: "not allowed; ask for the right, or choose another --namespace or --context",
        413: "the object is too large for the cluster; make the code bundle smaller",
        422: "refused",
        400: "refused",
    }.get(status)
    return f"{advice}: {told}" if advice else told


def _files(kubeconfig: str | None) -> str:
    return kubeconfig or os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())


def _some_exist(files: str) -> bool:
    return any(Path(file).expanduser().exists() for file in files.split(os.pathsep) if file)


def _credentials(configuration: Any) -> dict[str, str]:
    """The bearer token, refreshed where the kubeconfig says how."""
    settings = configuration.auth_settings().get("BearerToken")
    return {settings["key"]: settings["value"]} if settings and settings.get("value") else {}


def _no_kubeconfig(files: str, asked_for: bool) -> str:
    if asked_for:
        return f"there is no kubeconfig {files}"
    return (
        f"no cluster is known here: there is no kubeconfig at {files}; pass --kubeconfig, set KUBECONFIG,"
        " or make one with your cluster's tool (for a local one: make cluster-up)"
    )


def _own_namespace() -> str:
    path = Path(_ACCOUNT_NAMESPACE)
    return path.read_text().strip() if path.exists() else "default"


def _reason(error: Exception) -> str:
    """The words of an error without the connection object that they open with."""
    return _CONNECTION.sub("", str(getattr(error, "reason", None) or error))
