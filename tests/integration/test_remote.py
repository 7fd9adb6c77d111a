"""The SDK's remote side against a real API server: applying, conflicts, creating, following, and every way it ends.

There is no operator here; a thread plays it by patching the status.
"""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from localcluster.cluster import Cluster as LocalCluster
from windlass import _remote
from windlass._remote import following, objects, run
from windlass._remote.client import Cluster, Object, RemoteError, connect
from windlass_api.names import API_VERSION, SDK_FIELD_MANAGER

pytestmark = pytest.mark.control_plane

TASK: Object = {
    "apiVersion": API_VERSION,
    "kind": "Task",
    "metadata": {"name": "job.double"},
    "spec": {
        "inputs": {"x": {"type": "int"}},
        "outputs": {"o0": {"type": "int"}},
        "python": {"entrypoint": "job:double"},
        "image": "python:3.12-slim",
    },
}
CODE: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "code-1234"},
    "binaryData": {"bundle.tar.gz": "YWJj"},
}
EXECUTION: Object = {
    "apiVersion": API_VERSION,
    "kind": "Execution",
    "metadata": {"generateName": "double-"},
    "spec": {"task": {"name": "job.double"}, "inputs": {"x": 2**53 + 1}},
}
SUCCEEDED: list[dict[str, Any]] = [
    {"phase": "Pending"},
    {"phase": "Running", "progress": "0/1", "nodes": {"n0": {"phase": "Running", "name": "double"}}},
    {"phase": "Succeeded", "progress": "1/1", "nodes": {"n0": {"phase": "Succeeded"}}, "outputs": {"o0": "42 ☃"}},
]
FAILED: list[dict[str, Any]] = [
    {
        "phase": "Failed",
        "nodes": {"n0": {"phase": "Failed"}},
        "error": {"node": "n0", "type": "ValueError", "message": "no", "traceback": "Traceback …"},
    }
]


@pytest.fixture
def cluster(control_plane: LocalCluster, new_namespace: Callable[[LocalCluster], str]) -> Cluster:
    return connect(kubeconfig=str(control_plane.kubeconfig), namespace=new_namespace(control_plane))


@pytest.fixture
def place(control_plane: LocalCluster, cluster: Cluster) -> dict[str, Any]:
    """How `run_remote` gets to the same place."""
    return {"kubeconfig": str(control_plane.kubeconfig), "namespace": cluster.namespace}


def patch_status(cluster: Cluster, name: str, status: Mapping[str, Any]) -> None:
    path = f"/apis/{API_VERSION}/namespaces/{cluster.namespace}/executions/{name}/status"
    body = {"status": dict(status)}
    cluster.request("PATCH", path, body=body, content_type="application/merge-patch+json", what="the test's operator")


class Operator(threading.Thread):
    """Waits for an Execution to appear, and lets it go through these states. `then` runs when it is through."""

    def __init__(
        self, cluster: Cluster, states: list[dict[str, Any]], then: Callable[[str], None] = lambda _: None
    ) -> None:
        super().__init__(daemon=True)
        self.cluster = cluster
        self.states = states
        self.then = then
        self.start()

    def run(self) -> None:
        path = f"/apis/{API_VERSION}/namespaces/{self.cluster.namespace}/executions"
        deadline = time.monotonic() + 30
        found: list[Object] = []
        while not found and time.monotonic() < deadline:
            found = self.cluster.request("GET", path, what="the test's operator")["items"]
        name = found[0]["metadata"]["name"]
        for state in self.states:
            patch_status(self.cluster, name, state)
        self.then(name)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# ---- applying -------------------------------------------------------------------------------------------------------


def test_definitions_are_applied_in_order_and_again_without_a_change(cluster: Cluster) -> None:
    first = _remote.apply(cluster, [TASK, CODE])
    assert [obj["kind"] for obj in first] == ["ConfigMap", "Task"]
    assert {entry["manager"] for obj in first for entry in obj["metadata"]["managedFields"]} == {SDK_FIELD_MANAGER}
    second = _remote.apply(cluster, [CODE, TASK])
    assert [obj["metadata"]["resourceVersion"] for obj in first] == [
        obj["metadata"]["resourceVersion"] for obj in second
    ]


def test_fields_that_others_manage_are_named_and_left_alone(cluster: Cluster) -> None:
    _remote.apply(cluster, [TASK])
    path = f"/apis/{API_VERSION}/namespaces/{cluster.namespace}/tasks/job.double"
    changed = {"spec": {"image": "mine:1"}}
    query = {"fieldManager": "argocd"}
    cluster.request(
        "PATCH", path, body=changed, query=query, content_type="application/merge-patch+json", what="argocd"
    )
    with pytest.raises(
        RemoteError, match=r"Task job.double in namespace .*: .*\.spec\.image: conflict with \"argocd\""
    ) as error:
        _remote.apply(cluster, [TASK])
    assert "--force-conflicts" in str(error.value)


def test_what_the_schema_refuses_is_told_with_its_field(cluster: Cluster) -> None:
    wrong = {**TASK, "spec": {**TASK["spec"], "retries": -1}}
    with pytest.raises(RemoteError, match=r"Task job\.double in namespace .*: refused: spec\.retries: Invalid value"):
        _remote.apply(cluster, [wrong])
    unknown = {**TASK, "spec": {**TASK["spec"], "imagee": "x"}}
    with pytest.raises(RemoteError, match=r"refused: spec\.imagee: field not declared"):
        _remote.apply(cluster, [unknown])


def test_a_missing_namespace_is_told_with_the_command_that_makes_it(cluster: Cluster) -> None:
    cluster.namespace = "nowhere"
    with pytest.raises(RemoteError, match="kubectl create namespace nowhere"):
        _remote.apply(cluster, [TASK])


def test_a_cluster_without_windlass_is_told_how_to_get_it(cluster: Cluster) -> None:
    with pytest.raises(RemoteError, match=r"Task x: .* does not know the kind\. Windlass is not installed"):
        cluster.request("GET", "/apis/windlass.dev/v9/namespaces/default/tasks/x", what="Task x")


def test_a_server_that_is_not_there_is_named_with_the_kubeconfig(control_plane: LocalCluster, tmp_path: Path) -> None:
    config = json.loads(control_plane.kubectl("config", "view", "--raw", "-o", "json"))
    for entry in config["clusters"]:
        entry["cluster"]["server"] = "https://127.0.0.1:1"
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    told = io.StringIO()
    assert run.run_remote([TASK], EXECUTION, kubeconfig=str(path), progress=told) == 1
    assert f"no connection to the cluster at https://127.0.0.1:1 (kubeconfig {path}, context" in told.getvalue()
    assert told.getvalue().rstrip().endswith("Connection refused")


def test_a_kubeconfig_or_context_that_is_not_there_is_named(control_plane: LocalCluster) -> None:
    with pytest.raises(RemoteError, match="there is no kubeconfig /no/such"):
        connect(kubeconfig="/no/such")
    with pytest.raises(RemoteError, match=r"can't be used: .*nothere"):
        connect(kubeconfig=str(control_plane.kubeconfig), context="nothere")


# ---- running --------------------------------------------------------------------------------------------------------


def test_a_run_that_succeeds_prints_its_outputs_and_each_change(cluster: Cluster, place: dict[str, Any]) -> None:
    Operator(cluster, SUCCEEDED)
    out, log = io.StringIO(), io.StringIO()
    assert run.run_remote([TASK, CODE], EXECUTION, **place, stream=out, progress=log, timeout=30) == 0
    assert out.getvalue() == "42 ☃\n"
    assert "created in namespace" in log.getvalue()
    assert "with 1 code bundle, 1 task" in log.getvalue()
    assert log.getvalue().endswith("Succeeded 1/1\n")


def test_outputs_may_be_printed_as_json(cluster: Cluster, place: dict[str, Any]) -> None:
    Operator(cluster, SUCCEEDED)
    out = io.StringIO()
    assert run.run_remote([], EXECUTION, **place, stream=out, progress=io.StringIO(), output="json", timeout=30) == 0
    assert json.loads(out.getvalue()) == {"o0": "42 ☃"}


def test_on_a_terminal_the_tree_is_redrawn_in_place(cluster: Cluster, place: dict[str, Any]) -> None:
    Operator(cluster, SUCCEEDED)
    screen = Terminal()
    assert run.run_remote([TASK], EXECUTION, **place, stream=io.StringIO(), progress=screen, timeout=30) == 0
    assert "\x1b[1F\x1b[J" in screen.getvalue()
    assert screen.getvalue().endswith("└ \x1b[32m✔\x1b[0m n0 double\n")


def test_a_run_that_fails_prints_why(cluster: Cluster, place: dict[str, Any]) -> None:
    Operator(cluster, FAILED)
    out, log = io.StringIO(), io.StringIO()
    assert run.run_remote([], EXECUTION, **place, stream=out, progress=log, timeout=30) == 1
    assert out.getvalue() == ""
    assert "failed in node n0: ValueError: no\n\nTraceback …\n" in log.getvalue()


def test_a_run_that_is_cancelled_has_a_code_of_its_own(cluster: Cluster, place: dict[str, Any]) -> None:
    def cancel(name: str) -> None:
        cancelled = _remote.cancel(name, **place)
        assert cancelled["spec"]["cancel"] is True
        assert objects.cancel_in(cluster, name)["spec"]["cancel"] is True
        patch_status(cluster, name, {"phase": "Cancelled"})

    Operator(cluster, [], cancel)
    assert run.run_remote([], EXECUTION, **place, stream=io.StringIO(), progress=io.StringIO(), timeout=30) == 3


def test_waiting_ends_in_time_and_says_how_to_go_on(cluster: Cluster, place: dict[str, Any]) -> None:
    log = io.StringIO()
    assert run.run_remote([], EXECUTION, **place, stream=io.StringIO(), progress=log, timeout=0.2) == 124
    assert "it has not ended after 0.2s; double-" in log.getvalue()
    assert "cancel it with: windlass cancel double-" in log.getvalue()


def test_without_waiting_the_name_is_all_that_is_printed(cluster: Cluster, place: dict[str, Any]) -> None:
    out = io.StringIO()
    assert run.run_remote([TASK], EXECUTION, **place, stream=out, progress=io.StringIO(), wait=False) == 0
    name = out.getvalue().strip()
    path = f"/apis/{API_VERSION}/namespaces/{cluster.namespace}/executions/{name}"
    assert cluster.request("GET", path, what="x")["spec"]["inputs"] == {"x": 2**53 + 1}


def test_ctrl_c_says_that_it_goes_on_and_how_to_cancel(
    cluster: Cluster, place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: object, timeout: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(following.Follower, "next", interrupted)
    log = io.StringIO()
    assert run.run_remote([], EXECUTION, **place, stream=io.StringIO(), progress=log) == 130
    assert "interrupted; double-" in log.getvalue()
    assert "cancel it with: windlass cancel double-" in log.getvalue()


def test_an_execution_that_is_deleted_ends_the_following(cluster: Cluster, place: dict[str, Any]) -> None:
    def delete(name: str) -> None:
        path = f"/apis/{API_VERSION}/namespaces/{cluster.namespace}/executions/{name}"
        cluster.request("DELETE", path, what=name)

    Operator(cluster, SUCCEEDED[:2], delete)
    log = io.StringIO()
    assert run.run_remote([], EXECUTION, **place, stream=io.StringIO(), progress=log, timeout=30) == 1
    assert "was deleted" in log.getvalue()
    assert "goes on" not in log.getvalue()


# ---- following, whatever the connection does ------------------------------------------------------------------------


class Shaky:
    """A connection to the real server whose watches end as the test says: each is let through for one event first."""

    def __init__(self, cluster: Cluster, ends: list[RemoteError | None]) -> None:
        self.cluster = cluster
        self.ends = ends
        self.watches = 0
        self.gets = 0

    def request(self, *args: Any, **kwargs: Any) -> Object:
        self.gets += 1
        return self.cluster.request(*args, **kwargs)

    def watch(self, *args: Any, **kwargs: Any) -> Iterator[Object]:
        self.watches += 1
        end = self.ends.pop(0) if self.ends else None
        if end is not None:
            raise end
        for event in self.cluster.watch(*args, **kwargs):
            yield event
            return


def follow(
    cluster: Cluster, ends: list[RemoteError | None], monkeypatch: pytest.MonkeyPatch
) -> tuple[Shaky, list[str]]:
    monkeypatch.setattr(following, "_POLL", 0.05)
    shaky = Shaky(cluster, ends)
    name = objects.create_execution(cluster, EXECUTION)["metadata"]["name"]
    follower = following.Follower(shaky, cluster.namespace, name)  # type: ignore[arg-type]  # stands in for a Cluster
    phases = []
    remaining = list(SUCCEEDED)
    while True:
        state = follower.next(timeout=10)
        assert state is not None, "nothing was heard for ten seconds"
        phase = (state.get("status") or {}).get("phase", "")
        if phase not in phases:
            phases.append(phase)
            if remaining:
                patch_status(cluster, name, remaining.pop(0))
        if phase in following.TERMINAL:
            return shaky, phases


@pytest.mark.parametrize(
    ("ends", "more_gets"),
    [
        ([], False),
        ([RemoteError("gone", 410)], True),
        ([RemoteError("busy", 503), RemoteError("cut off", 0)], True),
        ([RemoteError("watching is forbidden", 403)], True),
    ],
    ids=["dropped", "version forgotten", "trouble", "no right to watch"],
)
def test_no_state_that_stays_is_missed(
    cluster: Cluster, ends: list[RemoteError | None], more_gets: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shaky, phases = follow(cluster, ends, monkeypatch)
    assert phases == ["", "Pending", "Running", "Succeeded"]
    assert (shaky.gets > 1) is more_gets


def test_a_refusal_ends_the_following(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RemoteError, match="who are you"):
        follow(cluster, [RemoteError("who are you", 401)], monkeypatch)
