"""The few questions that starting a cluster asks its API server, without a client library."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from localcluster.pki import NODE_NAME

# What a server does that is not there, not up, or on its way down.
_UNREACHABLE = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


@dataclass(frozen=True)
class ApiServer:
    """The API server that a kubeconfig of ours leads to."""

    kubeconfig: Path

    def ready(self) -> bool:
        """Whether it serves, with all of its start-up work done."""
        return self._get("/readyz") == b"ok"

    def has_default_service_account(self) -> bool:
        """Whether pods can be made: the controller manager works, too."""
        return self._get("/api/v1/namespaces/default/serviceaccounts/default") is not None

    def node_ready(self, since: str = "") -> bool:
        """Whether the node says, not before ``since``, that it takes pods."""
        answer = self._get(f"/api/v1/nodes/{NODE_NAME}")
        return answer is not None and is_ready(json.loads(answer), since)

    def _get(self, path: str) -> bytes | None:
        """The body of a successful answer; None when there is no such thing, or no server."""
        server, token = self._server
        request = urllib.request.Request(server + path, headers={"Authorization": f"Bearer {token}"})
        try:
            with self._opener.open(request, timeout=5) as response:
                body: bytes = response.read()
                return body
        except _UNREACHABLE:
            return None

    @cached_property
    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self.kubeconfig.read_text())
        return config

    @cached_property
    def _server(self) -> tuple[str, str]:
        server: str = self._config["clusters"][0]["cluster"]["server"]
        token: str = self._config["users"][0]["user"]["token"]
        return server, token

    @cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        """Past any proxy: the server is on this machine."""
        authority = self.kubeconfig.with_name("pki") / "ca.crt"
        context = ssl.create_default_context(cafile=str(authority))
        return urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )


def is_ready(node: dict[str, Any], since: str = "") -> bool:
    """Whether a Node object is Ready, said so no earlier than ``since``, and has no taint against pods.

    Times are compared as the server writes them, in which order is that of their letters. What a node said
    before it was last started is still in the database.
    """
    conditions = node.get("status", {}).get("conditions", [])
    taints = node.get("spec", {}).get("taints", [])
    ready = any(
        one["type"] == "Ready" and one["status"] == "True" and one["lastHeartbeatTime"] >= since for one in conditions
    )
    return ready and not any(taint["effect"] != "PreferNoSchedule" for taint in taints)
