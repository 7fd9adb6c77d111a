"""The CRDs against a real API server: what it takes, what it refuses and with which words, and that nothing drifts.

The same manifests go through `validate_manifests` where it has a say, so that what the renderer promises and what the
server does can't part ways.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcluster.cluster import Cluster
from localcluster.errors import LocalClusterError
from windlass_api import names
from windlass_api.conditions import condition
from windlass_api.manifests_check import validate_manifests
from windlass_api.names import SDK_FIELD_MANAGER

pytestmark = pytest.mark.control_plane

Manifest = dict[str, Any]

CRDS = Path(__file__).parents[2] / "crds"
CORPUS = Path(__file__).parents[1] / "unit" / "api"
NOW = "2026-11-22T19:00:00.123456Z"

FREE = {
    "int": 1,
    "float": 1.5,
    "text": "1",
    "bool": True,
    "null": None,
    "list": [1, None, {"a": None}],
    "map": {"a": {}},
}

TASK: Manifest = {
    "apiVersion": "windlass.dev/v1alpha1",
    "kind": "Task",
    "metadata": {"name": "wordcount.count-words"},
    "spec": {
        "version": "1.2",
        "description": "counts",
        "inputs": {
            "text": {"type": "str", "description": "a text"},
            "free": {"type": "any", "default": FREE},
            "point": {"type": "struct", "default": {"x": 1}, "schema": {"type": "object", "properties": {"x": {}}}},
        },
        "outputs": {"o0": {"type": "dict[str, int]"}},
        "python": {"entrypoint": "wordcount:count_words", "code": {"configMap": "code-3f2a"}},
        "image": "python:3.12-slim",
        "env": {"NAME": "value"},
        "resources": {"requests": {"cpu": "500m", "memory": "64Mi"}, "limits": {"cpu": 1}},
        "retries": 2,
        "retryOn": ["any"],
    },
}
WORKFLOW: Manifest = {
    "apiVersion": "windlass.dev/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "wordcount.wf"},
    "spec": {
        "version": "v1",
        "description": "counts twice",
        "inputs": {"text": {"type": "str"}, "n": {"type": "int", "default": 0}},
        "outputs": {"report": {"type": "dict[str, int]", "from": {"$ref": "nodes.n1.outputs.o0"}}},
        "nodes": [
            {
                "id": "n0",
                "name": "count_words",
                "task": {"name": "wordcount.count-words"},
                "inputs": {
                    "text": {"$ref": "inputs.text"},
                    "free": [{"$ref": "inputs.n"}, {"$literal": {"$x": 1}}, FREE],
                },
            },
            {
                "id": "n1",
                "task": {"name": "wordcount.count-words", "version": "1.2"},
                "inputs": {"text": "x", "free": 0.5},
                "when": "size(nodes.n0.outputs.o0) > 10",
                "dependsOn": ["n0"],
                "overrides": {"retries": 3, "resources": {"limits": {"memory": "1Gi"}}},
            },
        ],
    },
}
EXECUTION: Manifest = {
    "apiVersion": "windlass.dev/v1alpha1",
    "kind": "Execution",
    "metadata": {"name": "wc-1"},
    "spec": {"workflow": {"name": "wordcount.wf"}, "inputs": {"text": "hi", "n": 3}},
}
STATUS: Manifest = {
    "observedGeneration": 1,
    "phase": "Failed",
    "closure": "closure-3f2a",
    "progress": "1/2",
    "startedAt": NOW,
    "finishedAt": NOW,
    "duration": "1m5s",
    "conditions": [
        condition(kind, "True", "Because", "of this", NOW, 1) for kind in ("Accepted", "Failed", "Finished")
    ],
    "nodes": {
        "n0": {
            "phase": "Succeeded",
            "name": "count_words",
            "task": "wordcount.count-words",
            "attempt": 1,
            "failures": {"user": 1, "system": 0},
            "startedAt": NOW,
            "finishedAt": NOW,
            "retryAt": NOW,
            "reason": "Done",
            "message": "",
            "outputs": {"o0": FREE, "o1": None, "o2": {"$value": "3f2a"}},
        },
        "n1": {"phase": "Failed"},
        "n2": {"phase": "Running", "workflow": "inner"},
        "n2.n0": {
            "phase": "Running",
            "launchPlan": "plan",
            "execution": "wc-1-n2-n0-0",
            "signal": "wc-1.go",
            "until": NOW,
            "failures": {"oom": 1},
            "cache": {"state": "Miss", "message": "there is no result of this task yet", "entry": "cache-3f2a"},
            "resume": "its inputs are others",
            "elements": {
                "total": 155,
                "pending": 30,
                "running": 5,
                "succeeded": 119,
                "failed": 1,
                "phases": "S119F1R5P30",
                "segments": 1,
            },
        },
    },
    "outputs": {"report": FREE, "none": None},
    "error": {
        "node": "n2.n0",
        "code": "USER:RuntimeError",
        "kind": "user",
        "type": "ValueError",
        "message": "no",
        "traceback": "Traceback …",
    },
}


class Server:
    """One namespace of the API server, spoken to by kubectl as people and the SDK do."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def apply(self, manifest: Manifest) -> Manifest:
        flags = ("--server-side", f"--field-manager={SDK_FIELD_MANAGER}", "-o", "json")
        answer: Manifest = json.loads(self.kubectl("apply", *flags, "-f", "-", stdin=json.dumps(manifest)))
        return answer

    def refusal(self, manifest: Manifest) -> str:
        with pytest.raises(LocalClusterError) as error:
            self.apply(manifest)
        return str(error.value)

    def patch(self, *arguments: str, **patch: Any) -> Manifest:
        answer: Manifest = json.loads(
            self.kubectl("patch", *arguments, "--type=merge", "-o", "json", "-p", json.dumps(patch))
        )
        return answer


@pytest.fixture
def server(control_plane: Cluster) -> Iterator[Server]:
    namespace = yaml.safe_dump({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "crds-"}})
    name = control_plane.kubectl("create", "-f", "-", "-o", "jsonpath={.metadata.name}", stdin=namespace)
    yield Server(control_plane, name)
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


def test_the_server_takes_the_crds_and_a_second_apply_changes_nothing(control_plane: Cluster) -> None:
    def state() -> list[tuple[str, int]]:
        listed = json.loads(
            control_plane.kubectl("get", "crd", "-l", "app.kubernetes.io/part-of=windlass", "-o", "json")
        )
        return [(item["metadata"]["name"], item["metadata"]["generation"]) for item in listed["items"]]

    before = state()
    control_plane.kubectl("apply", "--server-side", "-f", str(CRDS))
    control_plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))
    assert state() == before
    assert len(before) == len(names.PLURALS)


@pytest.mark.parametrize("manifest", [TASK, WORKFLOW, EXECUTION], ids=lambda manifest: manifest["kind"])
def test_what_is_applied_is_read_back_as_it_was_and_applying_again_changes_nothing(
    server: Server, manifest: Manifest
) -> None:
    first = server.apply(manifest)
    assert first["spec"] == manifest["spec"]
    again = server.apply(manifest)
    assert again["metadata"]["generation"] == first["metadata"]["generation"] == 1
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_the_same_objects_please_the_renderer() -> None:
    assert validate_manifests([TASK, WORKFLOW, EXECUTION]) == []


def changed(manifest: Manifest, path: str, value: Any) -> Manifest:
    result = copy.deepcopy(manifest)
    here: Any = result
    *parents, last = path.split("/")
    for step in parents:
        here = here[int(step)] if step.isdigit() else here.setdefault(step, {})
    if value is ...:
        del here[last]
    else:
        here[last] = value
    return result


@pytest.mark.parametrize(
    ("manifest", "path", "value", "says"),
    [
        (TASK, "spec/python", ..., "spec.python: Required value: exactly one runner is required: python, container"),
        (TASK, "spec/python/entrypoint", "nope", "spec.python.entrypoint"),
        (TASK, "spec/python/code", {}, "spec.python.code.configMap: Required value"),
        (TASK, "spec/retries", 101, "spec.retries: Invalid value: 101"),
        (TASK, "spec/retries", -1, "spec.retries: Invalid value: -1"),
        (TASK, "spec/version", "a b", "spec.version: Invalid value"),
        (TASK, "spec/image", "", "spec.image: Invalid value"),
        (TASK, "spec/resources/limits/memory", "lots", "spec.resources.limits.memory: Invalid value"),
        (TASK, "spec/resources/limits/cpu", 0.5, "spec.resources.limits.cpu: Invalid value"),
        (TASK, "spec/inputs/text", {}, "spec.inputs.text.type: Required value"),
        (TASK, "spec/env/NAME", 1, "spec.env.NAME: expected string"),
        (TASK, "spec/retryOn", ["x"] * 65, "spec.retryOn: Too many: 65"),
        (TASK, "spec", ..., "spec: Required value"),
        (WORKFLOW, "spec/nodes/1/id", "n0", "duplicate entries for key [id=\"n0\"]"),
        (WORKFLOW, "spec/nodes/0/id", "A_b", "spec.nodes[0].id: Invalid value"),
        (WORKFLOW, "spec/nodes/0/task", {}, "spec.nodes[0].task.name: Required value"),
        (WORKFLOW, "spec/nodes/1/dependsOn", ["n1"], "spec.nodes[1].dependsOn: Invalid value: a node can't wait"),
        (WORKFLOW, "spec/nodes/0/when", "", "spec.nodes[0].when: Invalid value"),
        (WORKFLOW, "spec/outputs/report/from", ..., "spec.outputs.report.from: Required value"),
        (WORKFLOW, "spec/nodes/0/inputs", [1], 'spec.nodes[id="n0"].inputs: expected map'),
        (WORKFLOW, "spec/nodez", [], "field not declared in schema"),
        (EXECUTION, "spec/task", {"name": "t"}, "spec.workflow: Required value: exactly one target is required"),
        (EXECUTION, "spec/workflow", ..., "spec.workflow: Required value: exactly one target is required"),
        (EXECUTION, "spec/cancel", "yes", "spec.cancel: expected boolean"),
        (EXECUTION, "metadata/name", "e" * 64, "metadata.name has at most 63 characters"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_the_field_and_the_renderer_agrees(
    server: Server, manifest: Manifest, path: str, value: Any, says: str
) -> None:
    broken = changed(manifest, path, value)
    assert says in server.refusal(broken)
    assert validate_manifests([broken]) != []


def test_an_execution_never_changes(server: Server) -> None:
    server.apply(EXECUTION)
    for path, value in [
        ("spec/inputs/text", "ho"),
        ("spec/inputs/more", 1),
        ("spec/inputs", ...),
        ("spec/workflow/name", "other"),
        ("spec/workflow/version", "v1"),
    ]:
        field = path.split("/")[1]
        expected = f"spec.{field}: Forbidden: {field} can't be changed: make another Execution"
        assert expected in server.refusal(changed(EXECUTION, path, value))
    assert "spec.task: Forbidden" in server.refusal(
        changed(changed(EXECUTION, "spec/workflow", ...), "spec/task", {"name": "t"})
    )


def test_an_execution_can_be_cancelled_and_not_revived(server: Server) -> None:
    server.apply(EXECUTION)
    server.apply(changed(EXECUTION, "spec/cancel", False))
    cancelled = server.apply(changed(EXECUTION, "spec/cancel", True))
    assert cancelled["spec"]["cancel"] is True
    for revived in (changed(EXECUTION, "spec/cancel", False), EXECUTION):
        assert "spec.cancel: Forbidden: cancel can't be taken back" in server.refusal(revived)


def test_a_status_is_kept_whole_and_does_not_touch_the_generation(server: Server) -> None:
    server.apply(EXECUTION)
    whole = json.dumps([{"op": "add", "path": "/status", "value": STATUS}])
    flags = ("execution", "wc-1", "--subresource=status", "--type=json", "-o", "json")
    written = json.loads(server.kubectl("patch", *flags, "-p", whole))
    assert written["status"] == STATUS
    assert written["metadata"]["generation"] == 1
    server.kubectl("wait", "--for=condition=Finished", "--timeout=10s", "execution/wc-1")


def test_a_merge_patch_touches_one_node_of_a_status(server: Server) -> None:
    server.apply(EXECUTION)
    target = ("execution", "wc-1", "--subresource=status")
    server.patch(*target, status={"nodes": {"n0": {"phase": "Running"}, "n1": {"phase": "Pending"}}})
    written = server.patch(*target, status={"nodes": {"n1": {"phase": "Queued", "attempt": 0}}})
    assert written["status"]["nodes"] == {"n0": {"phase": "Running"}, "n1": {"phase": "Queued", "attempt": 0}}


def test_the_status_of_a_definition_is_kept_whole(server: Server) -> None:
    status = {
        "observedGeneration": 1,
        "conditions": [condition("Ready", "False", "TaskNotFound", "no such task", NOW, 1)],
        "revision": "task-wordcount.count-words-3f2a",
    }
    for manifest in (TASK, WORKFLOW):
        server.apply(manifest)
        target = (manifest["kind"].lower(), manifest["metadata"]["name"], "--subresource=status")
        assert server.patch(*target, status=status)["status"] == status


def test_kubectl_tells_the_story_in_columns(server: Server) -> None:
    server.apply(EXECUTION)
    server.patch("execution", "wc-1", "--subresource=status", status=STATUS)
    head, line = server.kubectl("get", "wexec").splitlines()
    assert head.split() == ["NAME", "PHASE", "PROGRESS", "RUNS", "DURATION", "AGE"]
    assert line.split()[:5] == ["wc-1", "Failed", "1/2", "wordcount.wf", "1m5s"]
    assert server.kubectl("get", "wexec", "-o", "wide").splitlines()[1].split()[-1] == "no"
    assert server.kubectl("get", "windlass", "-o", "name").split() == ["execution.windlass.dev/wc-1"]


@pytest.mark.parametrize("target", ["workflow", "task", "launchPlan"])
def test_whatever_an_execution_runs_kubectl_names_it(server: Server, target: str) -> None:
    server.apply({**EXECUTION, "spec": {target: {"name": f"of.{target.lower()}"}}})
    server.patch("execution", "wc-1", "--subresource=status", status=STATUS)
    assert server.kubectl("get", "wexec").splitlines()[1].split()[3] == f"of.{target.lower()}"


@pytest.mark.parametrize(("short", "kind"), [("wtask", TASK), ("wwf", WORKFLOW)])
def test_definitions_show_whether_they_are_ready(server: Server, short: str, kind: Manifest) -> None:
    server.apply(kind)
    head, line = server.kubectl("get", short).splitlines()
    assert head.split() == ["NAME", "READY", "VERSION", "AGE"]
    assert line.split()[:2] == [kind["metadata"]["name"], kind["spec"]["version"]]


def test_the_largest_workflow_that_the_schema_allows_is_taken(server: Server) -> None:
    nodes = [{"id": f"n{i}", "task": {"name": "t"}, "dependsOn": [f"n{i - 1}"] if i else []} for i in range(1000)]
    large = {**WORKFLOW, "spec": {"nodes": nodes}}
    assert len(server.apply(large)["spec"]["nodes"]) == 1000
    too_large = {**WORKFLOW, "spec": {"nodes": [*nodes, {"id": "one-more", "task": {"name": "t"}}]}}
    assert "spec.nodes: Too many: 1001: must have at most 1000 items" in server.refusal(too_large)


def documents(folder: str) -> dict[str, list[Any]]:
    """The files of a folder of manifests by name. Through JSON, as kubectl sends them."""
    return {
        file.stem: [json.loads(json.dumps(one)) for one in yaml.safe_load_all(file.read_text(encoding="utf-8"))]
        for file in sorted((CORPUS / folder).glob("*.yaml"))
    }


def test_what_is_broken_is_refused_by_the_server_where_it_can_know(server: Server) -> None:
    """The others it takes: `validate` finds them, and the operator says so in a condition."""
    for name, (head, broken, *_) in documents("broken").items():
        said = "taken"
        try:
            server.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=json.dumps(broken))
        except LocalClusterError as refusal:
            said = str(refusal)
        assert head.get("server", "taken") in said, f"{name}: {said}"


def test_every_field_of_every_kind_is_read_back_as_it_was_and_a_second_apply_changes_nothing(server: Server) -> None:
    for manifest in (one for listed in documents("complete").values() for one in listed):
        first = server.apply(manifest)
        again = server.apply(manifest)
        assert first["spec"] == manifest["spec"]
        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"], manifest["metadata"]


def test_runs_artifacts_and_results_never_change(server: Server) -> None:
    of_kind = {one["kind"]: one for one in documents("complete")["others"]}
    for kind, path, value in [
        ("Artifact", "spec/value", 3),
        ("Artifact", "spec/partitions/region", "paris"),
        ("CacheEntry", "spec/outputs/o1", 3),
        ("Backfill", "spec/until", "2024-03-01T00:00:00Z"),
        ("Execution", "spec/launchPlan/version", "v8"),
        ("Execution", "spec/resumeFrom", {"execution": "other"}),
        ("Execution", "spec/maxParallelism", 3),
        ("Execution", "spec/overwriteCache", True),
        ("Execution", "spec/serviceAccountName", "other"),
        ("Execution", "spec/overrides", {"env": {"A": "b"}}),
    ]:
        server.apply(of_kind[kind])
        field = path.split("/")[1]
        assert f"spec.{field}: Forbidden: {field} can't be changed" in server.refusal(
            changed(of_kind[kind], path, value)
        )
    run = of_kind["Execution"]
    for path, value in (("spec/suspend", True), ("spec/suspend", False), ("spec/ttlAfterFinished", "1h")):
        field = path.split("/")[1]
        assert server.apply(changed(run, path, value))["spec"][field] == value
    going_on = changed(of_kind["Backfill"], "spec/maxParallel", 1)
    assert server.apply(changed(going_on, "spec/suspend", True))["spec"]["suspend"] is True


def test_a_signal_is_answered_once_and_nothing_else_of_it_changes(server: Server) -> None:
    question = {"execution": "run-1", "name": "rate", "ask": "Input", "type": "optional[float]"}
    server.apply({**EXECUTION, "kind": "Signal", "metadata": {"name": "run-1-rate"}, "spec": question})

    def patch(**spec: Any) -> Manifest:
        return server.patch("signal", "run-1-rate", spec=spec)

    attempts: list[tuple[Manifest, str]] = [
        ({"ask": "Approval"}, "spec.ask: Forbidden: ask can't be changed: a question stays as it was asked"),
        ({"answer": {"approved": True}}, "spec.answer: Invalid value: answer an Approval with approved, an Input"),
        ({"answer": {"approved": True, "value": 1}}, "spec.answer.value: Forbidden: approved and value exclude each"),
    ]
    for spec, says in attempts:
        with pytest.raises(LocalClusterError, match=re.escape(says)):
            patch(**spec)
    assert patch(answer={"value": 0.5})["spec"]["answer"] == {"value": 0.5}
    with pytest.raises(LocalClusterError, match=r"spec\.answer: Forbidden: an answer can't be changed"):
        patch(answer={"value": 0.6})
    server.patch("signal", "run-1-rate", "--subresource=status", status={"phase": "Invalid"})
    assert patch(answer={"value": 0.6})["spec"]["answer"] == {"value": 0.6}, "until there is one of the type"
    server.patch("signal", "run-1-rate", "--subresource=status", status={"phase": "Answered"})
    with pytest.raises(LocalClusterError, match=r"spec\.answer: Forbidden: an answer can't be changed"):
        patch(answer=None)


def test_a_pool_and_an_app_are_scaled_as_deployments_are(server: Server) -> None:
    for manifest in documents("complete")["others"]:
        if manifest["kind"] in ("ActorEnvironment", "App"):
            target = f"{manifest['kind'].lower()}.windlass.dev/{manifest['metadata']['name']}"
            server.apply(manifest)
            server.kubectl("scale", target, "--replicas=5")
            assert server.kubectl("get", target, "-o", "jsonpath={.spec.replicas}") == "5"
            status = {"replicas": 3, "readyReplicas": 2, "selector": "windlass.dev/role=worker"}
            server.patch(target, "--subresource=status", status=status)
            scale = json.loads(server.kubectl("get", target, "--subresource=scale", "-o", "json"))
            assert scale["status"] == {"replicas": 3, "selector": "windlass.dev/role=worker"}


def test_each_kind_tells_its_story_in_columns(server: Server) -> None:
    for manifest in (one for listed in documents("complete").values() for one in listed):
        server.apply(manifest)
    heads = {
        short: server.kubectl("get", short).splitlines()[0].split()
        for short in ("wtask", "wwf", "wlp", "wactor", "wexec", "wsig", "wart", "wcache", "wbf", "wapp")
    }
    assert heads == {
        "wtask": ["NAME", "READY", "VERSION", "AGE"],
        "wwf": ["NAME", "READY", "VERSION", "AGE"],
        "wlp": ["NAME", "READY", "WORKFLOW", "SCHEDULE", "EVERY", "SUSPENDED", "LAST", "AGE"],
        "wactor": ["NAME", "READY", "REPLICAS", "WANTED", "BUSY", "QUEUED", "VERSION", "AGE"],
        "wexec": ["NAME", "PHASE", "PROGRESS", "RUNS", "DURATION", "AGE"],
        "wsig": ["NAME", "ASK", "ABOUT", "EXECUTION", "PHASE", "AGE"],
        "wart": ["NAME", "ARTIFACT", "VERSION", "TIME", "AGE"],
        "wcache": ["NAME", "TASK", "VERSION", "EXPIRES", "AGE"],
        "wbf": ["NAME", "PHASE", "PROGRESS", "PLAN", "AFTER", "UNTIL", "AGE"],
        "wapp": ["NAME", "READY", "REPLICAS", "SUSPENDED", "VERSION", "AGE"],
    }
    listed = server.kubectl("get", "windlass", "-o", "name").split()
    assert {line.split(".")[0] for line in listed} == {kind.lower() for kind in names.PLURALS}


def test_kubectl_explains_fields_in_whole_sentences(server: Server) -> None:
    told = server.kubectl("explain", "workflow.spec.nodes.map")
    assert "One run for each element" in told or "runs it once for each element of lists" in told
    assert "minSuccessRatio" in told and "rounded up" in told


def test_the_server_takes_the_example_of_an_autoscaler_as_it_stands(server: Server) -> None:
    path = Path(__file__).parents[2] / "examples" / "autoscaling" / "hpa.yaml"
    answer = server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=path.read_text())
    assert "created (server dry run)" in answer
