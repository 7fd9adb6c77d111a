"""The operator against a real API server; the test plays the kubelet."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from localcluster.cluster import Cluster
from tests.harness import GARBAGE, Api, Body, Hands, Operator, condition, execution, task, wait_until, workflow

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(180)]

INT = {"type": "int"}


@pytest.fixture
def operator(control_plane: Cluster, api: Api) -> Iterator[Operator]:
    with Operator(control_plane, api.namespace, "--image-pull-grace", "1", "--verbose") as running:
        yield running


@pytest.fixture
def hands(api: Api) -> Hands:
    return Hands(api)


def define(api: Api, *bodies: Body) -> None:
    for body in bodies:
        api.create(body["kind"].lower() + "s", body)


def chain(api: Api, **overrides: Any) -> None:
    """Two tasks: a → b."""
    define(
        api,
        task("ta", {"x": INT}),
        task("tb", {"x": INT, "y": {"type": "int", "default": 7}}, **overrides),
        workflow(
            "wf",
            [
                {"id": "a", "task": {"name": "ta"}, "inputs": {"x": {"$ref": "inputs.n"}}},
                {"id": "b", "task": {"name": "tb"}, "inputs": {"x": {"$ref": "nodes.a.outputs.o0"}}},
            ],
            inputs={"n": {"type": "int", "default": 3}},
            outputs={"result": {"type": "int", "from": {"$ref": "nodes.b.outputs.o0"}}},
        ),
    )


def test_a_chain_hands_values_on_and_succeeds(api: Api, operator: Operator, hands: Hands) -> None:
    chain(api)
    api.create("executions", execution("e"))
    assert hands.inputs("e-a-0") == {"x": 3}
    hands.succeed("e-a-0", o0=40)
    assert hands.inputs("e-b-0") == {"x": 40, "y": 7}
    hands.succeed("e-b-0", o0=42)
    status = api.finished("e")
    assert status["phase"] == "Succeeded"
    assert status["outputs"] == {"result": 42}
    assert status["progress"] == "2/2"
    assert condition(status, "Succeeded")
    assert not condition(status, "Reconciling")


def test_fan_out_and_fan_in_with_lists_and_dicts(api: Api, operator: Operator, hands: Hands) -> None:
    define(
        api,
        task("one", {"i": INT}),
        task("all", {"xs": {"type": "list[int]"}, "by": {"type": "dict[str, int]"}}, {"o0": {"type": "any"}}),
        workflow(
            "wf",
            [
                *({"id": f"p{i}", "task": {"name": "one"}, "inputs": {"i": i}} for i in range(3)),
                {
                    "id": "join",
                    "task": {"name": "all"},
                    "inputs": {
                        "xs": [{"$ref": f"nodes.p{i}.outputs.o0"} for i in range(3)],
                        "by": {"first": {"$ref": "nodes.p0.outputs.o0"}, "ten": 10},
                    },
                },
            ],
            outputs={"out": {"type": "any", "from": {"$ref": "nodes.join.outputs.o0.deep[1]"}}},
        ),
    )
    api.create("executions", execution("e"))
    for i in range(3):
        hands.succeed(f"e-p{i}-0", o0=i * i)
    assert hands.inputs("e-join-0") == {"xs": [0, 1, 4], "by": {"first": 0, "ten": 10}}
    hands.succeed("e-join-0", o0={"deep": ["x", None]})
    status = api.finished("e")
    assert status["phase"] == "Succeeded"
    assert status["outputs"] == {"out": None}


def test_a_failed_task_fails_the_execution_with_its_traceback_and_stops_the_others(
    api: Api, operator: Operator, hands: Hands
) -> None:
    define(
        api,
        task("t", {}),
        workflow("wf", [{"id": "bad", "task": {"name": "t"}}, {"id": "long", "task": {"name": "t"}}]),
    )
    api.create("executions", execution("e"))
    hands.pod("e-long-0")
    hands.fail("e-bad-0", "no such thing")
    status = api.finished("e")
    assert status["phase"] == "Failed"
    assert status["error"]["node"] == "bad"
    assert status["error"]["message"] == "no such thing"
    assert "line 1" in status["error"]["traceback"]
    assert status["nodes"]["long"]["phase"] == "Cancelled"
    failed = condition(status, "Failed")
    assert failed and failed["message"] == "node bad: ValueError: no such thing"
    assert api.find("pods", "e-long-0") is None


def test_a_recoverable_failure_is_retried_within_the_tasks_retries(api: Api, operator: Operator, hands: Hands) -> None:
    chain(api, retries=1)
    api.create("executions", execution("e"))
    hands.succeed("e-a-0", o0=1)
    hands.fail("e-b-0", recoverable=True)
    retrying = api.execution("e", lambda status: status["nodes"]["b"].get("attempt") == 1, "a second attempt")
    assert retrying["nodes"]["b"]["failures"] == {"user": 1, "system": 0}
    hands.fail("e-b-1", "again", recoverable=True)
    status = api.finished("e")
    assert status["phase"] == "Failed"
    assert status["error"]["message"] == "again"
    assert status["nodes"]["b"]["attempt"] == 1


def test_an_ordinary_exception_is_not_retried(api: Api, operator: Operator, hands: Hands) -> None:
    chain(api, retries=5)
    api.create("executions", execution("e"))
    hands.succeed("e-a-0", o0=1)
    hands.fail("e-b-0")
    assert api.finished("e")["nodes"]["b"].get("attempt", 0) == 0


def test_a_deleted_pod_is_a_system_failure_and_tried_again(api: Api, operator: Operator, hands: Hands) -> None:
    chain(api)
    api.create("executions", execution("e"))
    hands.pod("e-a-0")
    api.delete("pods", "e-a-0")
    hands.succeed("e-a-1", o0=5)
    hands.succeed("e-b-0", o0=6)
    status = api.finished("e")
    assert status["phase"] == "Succeeded"
    assert status["nodes"]["a"]["failures"] == {"user": 0, "system": 1}


def test_a_false_condition_skips_a_node_and_its_readers(api: Api, operator: Operator, hands: Hands) -> None:
    define(
        api,
        task("t", {"x": {"type": "int", "default": 0}}),
        workflow(
            "wf",
            [
                {"id": "a", "task": {"name": "t"}},
                {"id": "big", "task": {"name": "t"}, "when": "nodes.a.outputs.o0 > 10"},
                {"id": "after", "task": {"name": "t"}, "inputs": {"x": {"$ref": "nodes.big.outputs.o0"}}},
                {"id": "later", "task": {"name": "t"}, "dependsOn": ["after"]},
            ],
            outputs={"big": {"type": "optional[int]", "from": {"$ref": "nodes.big.outputs.o0"}}},
        ),
    )
    api.create("executions", execution("e"))
    hands.succeed("e-a-0", o0=10)
    hands.succeed("e-later-0", o0=1)
    status = api.finished("e")
    phases = {name: node["phase"] for name, node in status["nodes"].items()}
    assert phases == {"a": "Succeeded", "big": "Skipped", "after": "Skipped", "later": "Succeeded"}
    assert status["outputs"] == {"big": None}


def test_cancelling_stops_pods_and_ends_the_execution(api: Api, operator: Operator, hands: Hands) -> None:
    chain(api)
    api.create("executions", execution("e"))
    hands.pod("e-a-0")
    api.merge("executions", "e", {"spec": {"cancel": True}})
    status = api.finished("e")
    assert status["phase"] == "Cancelled"
    assert {node["phase"] for node in status["nodes"].values()} == {"Cancelled"}
    failed = condition(status, "Failed")
    assert failed and failed["reason"] == "Cancelled"
    assert api.list("pods") == []


def test_a_task_is_executed_by_itself(api: Api, operator: Operator, hands: Hands) -> None:
    define(api, task("t", {"x": INT}))
    api.create("executions", execution("e", {"x": 1}, task={"name": "t"}))
    hands.succeed("e-n0-0", o0=2)
    assert api.finished("e")["outputs"] == {"o0": 2}


def test_wrong_inputs_are_refused_with_their_path_before_anything_starts(api: Api, operator: Operator) -> None:
    chain(api)
    api.create("executions", execution("e", {"n": "three", "m": 1}))
    status = api.finished("e")
    assert status["phase"] == "Failed"
    assert status["error"]["code"] == "InvalidInputs"
    assert "spec.inputs.n" in status["error"]["message"]
    assert "spec.inputs.m" in status["error"]["message"]
    assert api.list("pods") == []


def test_a_cyclic_workflow_says_so_and_its_executions_are_refused(api: Api, operator: Operator) -> None:
    ref = {"$ref": "nodes.b.outputs.o0"}, {"$ref": "nodes.a.outputs.o0"}
    nodes = [{"id": name, "task": {"name": "t"}, "inputs": {"x": other}} for name, other in zip("ab", ref, strict=True)]
    define(api, task("t", {"x": INT}), workflow("wf", nodes))
    ready = wait_until(lambda: _ready(api, "workflows", "wf"), "a verdict")
    assert ready["status"] == "False"
    assert ready["reason"] == "Cycle"
    api.create("executions", execution("e"))
    assert api.finished("e")["error"]["code"] == "InvalidWorkflow"


def test_what_this_operator_can_not_do_is_refused_by_name(api: Api, operator: Operator) -> None:
    made = {"o0": {"type": "int", "artifact": {"name": "data"}}}
    define(api, task("t", None, made), workflow("wf", [{"id": "a", "task": {"name": "t"}}]))
    api.create("executions", execution("e"))
    status = api.finished("e")
    assert status["error"]["code"] == "NotSupported"
    says = "Workflow wf: Task t: spec.outputs.o0.artifact: this version of the operator can't"
    assert status["error"]["message"].startswith(says)
    assert wait_until(lambda: _ready(api, "workflows", "wf"), "a verdict")["reason"] == "NotSupported"
    assert api.list("pods") == []


def test_a_launch_plan_and_who_calls_it_heal_when_its_workflow_arrives(api: Api, operator: Operator) -> None:
    plan = {"workflow": {"name": "inner"}, "fixedInputs": {"n": 1}}
    define(
        api,
        {"apiVersion": "windlass.dev/v1alpha1", "kind": "LaunchPlan", "metadata": {"name": "plan"}, "spec": plan},
        workflow("outer", [{"id": "a", "launchPlan": {"name": "plan"}}]),
    )
    _verdicts(api, "WorkflowNotFound", launchplans="plan", workflows="outer")
    define(api, workflow("inner", [], inputs={"n": INT}))
    for plural, name in (("launchplans", "plan"), ("workflows", "outer")):
        wait_until(partial(_is_ready, api, plural, name), f"{plural}/{name} to be ready")


def test_sync_order_does_not_matter(api: Api, operator: Operator, hands: Hands) -> None:
    api.create("executions", execution("e"))
    waiting = api.execution("e", lambda status: bool(status.get("conditions")), "a word")
    assert [one["reason"] for one in waiting["conditions"] if one["type"] == "Accepted"] == ["WorkflowNotFound"]
    define(api, workflow("wf", [{"id": "a", "task": {"name": "late"}}]))
    api.execution("e", lambda status: "TaskNotFound" in str(status["conditions"]), "the next obstacle")
    assert wait_until(lambda: _ready(api, "workflows", "wf"), "a verdict")["reason"] == "TaskNotFound"
    define(api, task("late"))
    hands.succeed("e-a-0", o0=1)
    assert api.finished("e")["phase"] == "Succeeded"
    wait_until(lambda: (_ready(api, "workflows", "wf") or {}).get("status") == "True", "the workflow to heal")


def test_a_changed_definition_changes_no_running_execution(api: Api, operator: Operator, hands: Hands) -> None:
    chain(api)
    api.create("executions", execution("e"))
    hands.pod("e-a-0")
    api.merge("tasks", "tb", {"spec": {"image": "other:1", "inputs": {"y": {"default": 8}}}})
    wait_until(lambda: api.get("tasks", "tb").get("status", {}).get("observedGeneration") == 2, "the change to be seen")
    hands.succeed("e-a-0", o0=1)
    assert hands.inputs("e-b-0") == {"x": 1, "y": 7}
    assert hands.pod("e-b-0")["spec"]["containers"][0]["image"] == "localhost/python:3"
    for name in ("ta", "tb"):
        api.delete("tasks", name)
    api.delete("workflows", "wf")
    hands.succeed("e-b-0", o0=2)
    assert api.finished("e")["phase"] == "Succeeded"


def test_executions_of_one_workflow_share_its_closure_and_all_own_it(
    api: Api, operator: Operator, hands: Hands
) -> None:
    chain(api)
    for name in ("e1", "e2"):
        api.create("executions", execution(name))
        hands.pod(f"{name}-a-0")
    closures = [one for one in api.list("controllerrevisions") if one["metadata"]["name"].startswith("closure-")]
    assert [sorted(owner["name"] for owner in one["metadata"]["ownerReferences"]) for one in closures] == [["e1", "e2"]]
    api.delete("executions", "e1")
    wait_until(lambda: api.find("pods", "e1-a-0") is None, "the first to go", GARBAGE)
    hands.succeed("e2-a-0", o0=1)
    hands.succeed("e2-b-0", o0=1)
    assert api.finished("e2")["phase"] == "Succeeded"


def test_a_definition_that_was_deleted_and_made_anew_keeps_its_versions(
    api: Api, operator: Operator, hands: Hands
) -> None:
    first = task("t", {"x": {"type": "int", "default": 1}}, version="v1")
    define(api, first)
    wait_until(lambda: _ready(api, "tasks", "t"), "the first revision")
    api.delete("tasks", "t")
    wait_until(lambda: api.find("tasks", "t") is None, "the first to go")
    define(api, first)
    wait_until(lambda: _ready(api, "tasks", "t"), "the second revision")
    uid = api.get("tasks", "t")["metadata"]["uid"]

    def owned_anew() -> bool:
        revisions = [one for one in api.list("controllerrevisions") if one["data"].get("name") == "t"]
        return [uid] == [owner["uid"] for one in revisions for owner in one["metadata"]["ownerReferences"]]

    wait_until(owned_anew, "the revision to belong to the second only", GARBAGE)
    api.merge("tasks", "t", {"spec": {"version": "v2", "inputs": {"x": {"default": 2}}}})
    wait_until(lambda: api.get("tasks", "t").get("status", {}).get("observedGeneration") == 2, "the change to be seen")
    api.create("executions", execution("old", task={"name": "t", "version": "v1"}))
    assert hands.inputs("old-n0-0") == {"x": 1}


def test_versions_resolve_to_revisions(api: Api, operator: Operator, hands: Hands) -> None:
    define(api, task("t", {"x": {"type": "int", "default": 1}}, version="v1"))
    wait_until(lambda: _ready(api, "tasks", "t"), "the first revision")
    api.merge("tasks", "t", {"spec": {"version": "v2", "inputs": {"x": {"default": 2}}}})
    wait_until(lambda: api.get("tasks", "t").get("status", {}).get("observedGeneration") == 2, "the second revision")
    api.create("executions", execution("old", task={"name": "t", "version": "v1"}))
    api.create("executions", execution("new", task={"name": "t"}))
    assert hands.inputs("old-n0-0") == {"x": 1}
    assert hands.inputs("new-n0-0") == {"x": 2}
    api.create("executions", execution("none", task={"name": "t", "version": "v9"}))
    waiting = api.execution("none", lambda status: bool(status.get("conditions")), "a word")
    assert "version 'v9'" in str(waiting["conditions"])


def test_an_image_that_cannot_be_pulled_stalls_and_then_fails_with_the_kubelets_words(
    api: Api, operator: Operator, hands: Hands
) -> None:
    chain(api)
    api.create("executions", execution("e"))
    hands.wait_reason("e-a-0", "ImagePullBackOff", "no such image: nowhere/none:1")
    stalled = api.execution("e", lambda status: condition(status, "Stalled") is not None, "the stall to show")
    shown = condition(stalled, "Stalled")
    assert shown and shown["message"] == "node a: no such image: nowhere/none:1"
    status = api.finished("e")
    assert status["error"]["code"] == "ImagePullBackOff"
    assert "no such image" in status["error"]["message"]


def test_a_large_input_travels_as_one_config_map_for_all_its_readers(
    api: Api, operator: Operator, hands: Hands
) -> None:
    define(
        api,
        task("t", {"text": {"type": "str"}}),
        workflow(
            "wf",
            [{"id": f"n{i}", "task": {"name": "t"}, "inputs": {"text": {"$ref": "inputs.text"}}} for i in range(2)],
            inputs={"text": {"type": "str"}},
        ),
    )
    api.create("executions", execution("e", {"text": "windlass " * 20_000}))
    documents = [hands.inputs(f"e-n{i}-0") for i in range(2)]
    assert documents[0] == documents[1]
    digest = documents[0]["text"]["$value"]
    values = [one for one in api.list("configmaps") if one["metadata"]["name"].startswith("e-value-")]
    assert [one["metadata"]["name"] for one in values] == [f"e-value-{digest}"]


def test_an_operator_killed_between_any_two_steps_goes_on_without_running_anything_twice(
    control_plane: Cluster, api: Api, hands: Hands
) -> None:
    chain(api)
    operator = Operator(control_plane, api.namespace)
    with operator:
        api.create("executions", execution("e"))
        first = hands.pod("e-a-0")
        operator.kill()
        hands.succeed("e-a-0", o0=1)
        operator.start()
        second = hands.pod("e-b-0")
        operator.kill()
        operator.start()
        hands.succeed("e-b-0", o0=2)
        assert api.finished("e")["phase"] == "Succeeded"
        assert operator.kill(signal.SIGTERM) == 0
    pods = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in api.list("pods")}
    assert pods == {"e-a-0": first["metadata"]["uid"], "e-b-0": second["metadata"]["uid"]}


def test_an_api_server_that_restarts_in_the_middle_of_a_run_loses_nothing(
    control_plane: Cluster, api: Api, operator: Operator, hands: Hands
) -> None:
    chain(api)
    api.create("executions", execution("e"))
    hands.pod("e-a-0")
    control_plane.restart("kube-apiserver")
    hands.succeed("e-a-0", o0=1)
    hands.succeed("e-b-0", o0=2)
    assert api.finished("e")["phase"] == "Succeeded"
    api.create("executions", execution("another"))
    hands.pod("another-a-0")
    assert {pod["metadata"]["name"] for pod in api.list("pods")} == {"e-a-0", "e-b-0", "another-a-0"}


def test_deleting_with_the_operator_down_leaves_nothing(control_plane: Cluster, api: Api, hands: Hands) -> None:
    with Operator(control_plane, api.namespace):
        define(api, task("t", {"text": {"type": "str"}}, python={"entrypoint": "m:f", "code": {"configMap": "mine"}}))
        code = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "mine"},
            "binaryData": {"bundle.tar.gz": "AA=="},
        }
        api.create("configmaps", code)
        api.create("executions", execution("e", {"text": "x" * 40_000}, task={"name": "t"}))
        hands.pod("e-n0-0")
    api.delete("executions", "e")
    api.delete("tasks", "t")
    api.delete("configmaps", "mine")
    wait_until(lambda: _everything(api) == [], "everything to go", GARBAGE)


def test_health_and_metrics_are_served(api: Api, operator: Operator, hands: Hands) -> None:
    assert operator.fetch("/healthz") == "ok"
    chain(api)
    api.create("executions", execution("e"))
    hands.succeed("e-a-0", o0=1)
    hands.succeed("e-b-0", o0=1)
    api.finished("e")
    wait_until(
        lambda: 'windlass_executions_finished_total{phase="Succeeded"} 1.0' in operator.fetch("/metrics"), "the count"
    )
    metrics = operator.fetch("/metrics")
    assert 'windlass_node_transitions_total{phase="Succeeded"} 2.0' in metrics
    assert 'windlass_api_requests_total{code="201",method="POST",resource="pods"} 2.0' in metrics
    assert "windlass_handover_seconds_count 1.0" in metrics


def _ready(api: Api, plural: str, name: str) -> Body | None:
    listed = (api.get(plural, name).get("status") or {}).get("conditions") or ()
    return next((one for one in listed if one["type"] == "Ready"), None)


def _verdicts(api: Api, reason: str, **definitions: str) -> None:
    """Wait until definitions, a name per resource, aren't ready for that reason."""
    for plural, name in definitions.items():
        wait_until(partial(_is_unready, api, plural, name, reason), f"{plural}/{name} to say {reason}")


def _is_unready(api: Api, plural: str, name: str, reason: str) -> bool:
    ready = _ready(api, plural, name) or {}
    return (ready.get("status"), ready.get("reason")) == ("False", reason)


def _is_ready(api: Api, plural: str, name: str) -> bool:
    return (_ready(api, plural, name) or {}).get("status") == "True"


def _everything(api: Api) -> list[str]:
    ours = [item for plural in ("pods", "controllerrevisions", "tasks", "executions") for item in api.list(plural)]
    maps = [item for item in api.list("configmaps") if item["metadata"]["name"] != "kube-root-ca.crt"]
    return [item["metadata"]["name"] for item in (*ours, *maps)]
