"""`windlass plan` against a real API server: what a dry run says would change, and that it changes nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcluster.cluster import Cluster as LocalCluster
from windlass import _remote
from windlass._cli import main
from windlass._remote import objects
from windlass_api.names import API_VERSION, LABEL_DEFINITION, LABEL_VERSION

pytestmark = pytest.mark.control_plane

Manifest = dict[str, Any]
Plan = Callable[..., tuple[int, list[str]]]

TASK: Manifest = {
    "apiVersion": API_VERSION,
    "kind": "Task",
    "metadata": {"name": "job.double"},
    "spec": {
        "version": "2",
        "inputs": {"x": {"type": "int"}},
        "outputs": {"o0": {"type": "int"}},
        "python": {"entrypoint": "job:double"},
    },
}
FLOW: Manifest = {
    "apiVersion": API_VERSION,
    "kind": "Workflow",
    "metadata": {"name": "job.flow"},
    "spec": {
        "inputs": {"x": {"type": "int"}},
        "nodes": [{"id": "n0", "task": {"name": "job.double"}, "inputs": {"x": {"$ref": "inputs.x"}}}],
    },
}
NIGHTLY: Manifest = {
    "apiVersion": API_VERSION,
    "kind": "LaunchPlan",
    "metadata": {"name": "nightly"},
    "spec": {"workflow": {"name": "job.flow"}, "fixedInputs": {"x": 1}},
}


@pytest.fixture
def cluster(control_plane: LocalCluster, new_namespace: Callable[[LocalCluster], str]) -> _remote.Cluster:
    return _remote.connect(kubeconfig=str(control_plane.kubeconfig), namespace=new_namespace(control_plane))


@pytest.fixture
def plan(
    control_plane: LocalCluster, cluster: _remote.Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Plan:
    """The command on these manifests; its exit code and lines, the namespace left out."""

    def run(*manifests: Manifest) -> tuple[int, list[str]]:
        (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(manifests), encoding="utf-8")
        where = ("--kubeconfig", str(control_plane.kubeconfig), "--namespace", cluster.namespace)
        code = main(["plan", str(tmp_path / "all.yaml"), *where])
        captured = capsys.readouterr()
        return code, (captured.out + captured.err).replace(f" in namespace {cluster.namespace}", "").splitlines()

    return run


def changed(manifest: Manifest, **spec: Any) -> Manifest:
    return {**copy.deepcopy(manifest), "spec": {**copy.deepcopy(manifest["spec"]), **spec}}


def test_a_plan_of_new_things_adds_them_and_writes_nothing(plan: Plan, cluster: _remote.Cluster) -> None:
    assert plan(TASK, FLOW, NIGHTLY) == (
        0,
        [
            "+ Task job.double",
            "+ Workflow job.flow",
            "+ LaunchPlan nightly",
            "3 added, 0 changed, 0 removed, 0 unchanged; nothing would break",
        ],
    )
    assert objects.list_all(cluster, "Task", cluster.namespace) == []
    _remote.apply(cluster, [TASK, FLOW, NIGHTLY])
    assert plan(TASK, FLOW, NIGHTLY)[1] == ["0 added, 0 changed, 0 removed, 3 unchanged; nothing would break"]


def test_dependants_that_only_the_cluster_has_are_told_to_break(plan: Plan, cluster: _remote.Cluster) -> None:
    _remote.apply(cluster, [TASK, FLOW, NIGHTLY])
    text = {"x": {"type": "str"}}
    assert plan(changed(TASK, inputs=text)) == (
        1,
        [
            "~ Task job.double",
            '    spec.inputs.x.type: "int" → "str"',
            "! Workflow job.flow: spec.nodes[0].inputs.x: expected str, got int from `inputs.x`",
            "0 added, 1 changed, 0 removed, 0 unchanged; 1 would break",
        ],
    )
    code, lines = plan(changed(TASK, inputs=text), changed(FLOW, inputs=text))
    assert code == 1
    assert [line for line in lines if line.startswith("!")] == [
        "! LaunchPlan nightly: spec.fixedInputs.x: expected str, got 1"
    ]
    kept = objects.get(cluster, "Task", "job.double", cluster.namespace)
    assert kept["spec"] == TASK["spec"] and kept["metadata"]["generation"] == 1


def test_what_others_manage_stays_and_is_no_change(plan: Plan, cluster: _remote.Cluster) -> None:
    _remote.apply(cluster, [TASK, FLOW, NIGHTLY])
    objects.patch(cluster, "LaunchPlan", "nightly", cluster.namespace, {"spec": {"suspend": True}})
    assert plan(NIGHTLY)[1] == ["0 added, 0 changed, 0 removed, 1 unchanged; nothing would break"]


def test_what_the_api_server_refuses_is_told(plan: Plan, cluster: _remote.Cluster) -> None:
    _remote.apply(cluster, [TASK])
    run = {**TASK, "kind": "Execution", "metadata": {"name": "run-1"}, "spec": {"task": {"name": "job.double"}}}
    objects.create(cluster, changed(run, inputs={"x": 1}))
    code, lines = plan(changed(run, inputs={"x": 2}))
    assert code == 1
    (told,) = [line for line in lines if line.startswith("!")]
    assert told.startswith("! Execution run-1: the API server would refuse it:")


def test_misspelled_kinds_are_told_and_foreign_ones_left_to_kubectl(plan: Plan) -> None:
    foreign = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    assert plan(TASK, foreign)[1] == [
        "+ Task job.double",
        "1 added, 0 changed, 0 removed, 0 unchanged; nothing would break",
        "left out, as `kubectl diff` shows them: Deployment web",
    ]
    code, lines = plan({**TASK, "kind": "Tsk"})
    assert code == 1 and "! Tsk job.double: kind: `Tsk` is no kind of windlass.dev; did you mean `Task`?" in lines


def test_a_version_that_the_operator_keeps_is_found(plan: Plan, cluster: _remote.Cluster) -> None:
    _remote.apply(cluster, [TASK])
    pinned = changed(FLOW, nodes=[{**FLOW["spec"]["nodes"][0], "task": {"name": "job.double", "version": "1"}}])
    assert plan(pinned)[0] == 1
    revision = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "task-1", "labels": {LABEL_DEFINITION: "task.job.double", LABEL_VERSION: "1"}},
        "data": {"kind": "Task", "name": "job.double", "spec": {**TASK["spec"], "version": "1"}},
        "revision": 1,
    }
    objects.create(cluster, json.loads(json.dumps(revision)))
    assert plan(pinned)[0] == 0
