"""What can be said of the connection without one."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from windlass._remote import run
from windlass._remote.client import RemoteError, connect, explain, resource_path


def test_without_the_kubernetes_client_the_command_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes.client", None)
    told = io.StringIO()
    assert run.run_remote([], {}, progress=told) == 1
    assert "pip install 'windlass[remote]'" in told.getvalue()


def test_without_a_kubeconfig_the_places_that_were_looked_at_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(RemoteError, match=r"no kubeconfig at .*none; pass --kubeconfig, set KUBECONFIG"):
        connect()


def test_a_kubeconfig_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("{}")
    with pytest.raises(RemoteError, match="can't be used"):
        connect(kubeconfig=str(path))


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (
            403,
            {"message": 'tasks is forbidden: User "a" cannot patch'},
            "not allowed; ask for the right, .*cannot patch",
        ),
        (401, {"message": "Unauthorized"}, "log in again"),
        (413, {"message": "too large"}, "make the code bundle smaller"),
        (500, {}, "HTTP status 500"),
        (
            422,
            {"details": {"causes": [{"field": "spec.a", "message": "bad"}, {"field": "spec.b", "message": "worse"}]}},
            "refused: spec.a: bad; spec.b: worse",
        ),
    ],
)
def test_a_refusal_says_what_and_what_to_do(status: int, answer: dict[str, Any], words: str) -> None:
    with pytest.raises(RemoteError, match=words):
        raise RemoteError(explain(status, answer))


def test_only_known_kinds_have_a_place() -> None:
    assert resource_path({"apiVersion": "v1", "kind": "ConfigMap"}, "ns", "a") == "/api/v1/namespaces/ns/configmaps/a"
    with pytest.raises(RemoteError, match="Secret of v1"):
        resource_path({"apiVersion": "v1", "kind": "Secret"}, "ns")
