"""The pass as a whole: who starts when something fails meanwhile, suspension, cancel, time to live, large outputs.

What holds for all histories is in tests/properties/test_plan.py.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.properties.model_cluster import Model
from tests.unit.operator.things import NOW, Body, closure, flow, inputs_of, observed, task
from windlass_api import names
from windlass_operator.core.actions import (
    Action,
    CreateExecution,
    CreatePod,
    DeleteExecution,
    DeletePod,
    Held,
    Outcome,
    Rejected,
    SaveValue,
    TellExecution,
    Unavailable,
)
from windlass_operator.core.clock import rfc3339
from windlass_operator.core.observed import ChildView, NodeState, Place
from windlass_operator.core.plan_execution import plan_execution, stuck
from windlass_operator.kinds.evidence import Failure, FailureKind, Waiting
from windlass_operator.settings import Settings
from windlass_operator.telemetry.events import noteworthy

ANY = {"type": "any"}
TAKES = task({"x": {**ANY, "default": 0}}, {"o0": ANY})
BROKEN = Failure(FailureKind.USER, "USER:RuntimeError", "it broke")
WIDE = Settings(system_retries=1, max_parallel_pods=100)


def run(*nodes: Body, settings: Settings = WIDE, spec: Body | None = None, depth: int = 0, **more: Any) -> Model:
    """A run of a workflow with these nodes, after its first pass."""
    model = Model(closure(*nodes, **{"t": TAKES, **more}), now=NOW, settings=settings, spec=spec or {}, depth=depth)
    model.run_pass()
    return model


def done(model: Model, *kinds: type[Action]) -> list[Any]:
    return [action for action in model.done if isinstance(action, kinds)]


def phases(model: Model) -> dict[str, str]:
    return {name: state.phase.value for name, state in model.state.nodes.items()}


# A failure while others are being started.

WRONG: Body = {"id": "x", "inputs": {"x": {"$ref": "inputs.n.nothing"}}}


@pytest.mark.parametrize("order", [["a", "x", "b"], ["x", "a", "b"], ["a", "b", "x"]])
def test_nothing_is_started_beside_a_node_that_fails_in_the_same_pass_whatever_the_order(order: list[str]) -> None:
    nodes = [WRONG if name == "x" else {"id": name} for name in order]
    model = run(*nodes, inputs={"n": ANY}, spec={"inputs": {"n": {}}})
    assert model.started == []
    assert phases(model) == {name: "Failed" if name == "x" else "Cancelled" for name in order}
    assert (model.status["phase"], model.status["error"]["code"]) == ("Failed", "UnresolvableReference")


def test_where_the_policy_lets_it_the_others_start_all_the_same() -> None:
    after = {"id": "c", "inputs": {"x": {"$ref": "nodes.x.outputs.o0"}}}
    model = run({"id": "a"}, WRONG, after, inputs={"n": ANY}, spec={"inputs": {"n": {}}}, keeps_going=True)
    assert [place.node for place in model.started] == ["a"]
    assert phases(model) == {"a": "Queued", "x": "Failed", "c": "Cancelled"}
    model.succeed("a", o0=1)
    model.run_pass()
    assert model.status["phase"] == "Failed"


def test_a_failure_inside_a_workflow_stops_what_was_to_start_outside_it() -> None:
    inner = flow({**WRONG, "inputs": {"x": {"$ref": "inputs.n.nothing"}}}, inputs={"n": ANY})
    wf: Body = {"id": "w", "workflow": {"name": "inner"}, "inputs": {"n": {}}}
    model = run({"id": "a"}, wf, {"id": "b"}, flows={"inner": inner})
    assert model.started == []
    assert (phases(model)["w"], phases(model)["a"], phases(model)["b"]) == ("Failed", "Cancelled", "Cancelled")


def test_two_that_fail_at_once_both_failed() -> None:
    model = run({"id": "a"}, {"id": "b"})
    for name in ("a", "b"):
        model.fail(name, BROKEN)
    model.run_pass()
    assert phases(model) == {"a": "Failed", "b": "Failed"}


def test_what_runs_is_stopped_when_a_node_fails_and_ends_cancelled() -> None:
    model = run({"id": "a"}, {"id": "b"}, {"id": "c", "dependsOn": ["b"]})
    model.fail("a", BROKEN)
    model.run_pass()
    assert [action.name for action in done(model, DeletePod)] == ["ex-b-0"]
    assert (model.status["phase"], model.status["error"]["node"]) == ("Running", "a")
    model.end_pod(Place("b", 0), "gone")
    model.run_pass()
    assert phases(model) == {"a": "Failed", "b": "Cancelled", "c": "Cancelled"}
    assert model.status["phase"] == "Failed"


def test_a_node_that_the_api_server_refuses_stops_the_others_in_the_same_pass() -> None:
    model = Model(closure({"id": "a"}, {"id": "b"}, t=TAKES), now=NOW)
    model.answers = lambda action: (
        Rejected("InvalidPod", "no") if isinstance(action, CreatePod) and action.node == "a" else None
    )
    model.run_pass()
    assert phases(model)["a"] == "Failed"
    assert model.pods[Place("b", 0)].deleting


# Handlers.


def test_a_handler_runs_last_and_the_run_fails_all_the_same() -> None:
    model = run({"id": "a"}, {"id": "b"}, handler={"id": "fn0"})
    assert "fn0" not in model.status["nodes"], "nobody has to see it before"
    model.fail("a", BROKEN)
    model.run_pass()
    assert phases(model)["fn0"] == "Pending"
    model.end_pod(Place("b", 0), "gone")
    model.run_pass()
    assert (phases(model)["fn0"], model.status["phase"]) == ("Queued", "Running")
    assert model.status["nodes"]["fn0"]["phase"] == "Queued"
    model.succeed("fn0", o0=0)
    model.run_pass()
    assert (model.status["phase"], model.status["error"]["node"]) == ("Failed", "a")


def test_a_handler_that_fails_changes_nothing_about_the_error() -> None:
    model = run({"id": "a"}, handler={"id": "fn0"})
    model.fail("a", BROKEN)
    model.run_pass()
    model.fail("fn0", Failure(FailureKind.USER, "USER:ValueError", "the handler broke"))
    model.run_pass()
    assert (model.status["phase"], model.status["error"]["message"]) == ("Failed", "it broke")


def test_a_handler_that_started_after_a_restart_is_told_of_the_same_error() -> None:
    gets = task({"err": ANY})
    handler: Body = {"id": "fn0", "task": {"name": "h"}, "inputs": {"err": {"$ref": "error"}}}
    model = run({"id": "a"}, {"id": "b"}, handler=handler, h=gets)
    model.fail("a", Failure(FailureKind.USER, "USER:KeyError", "it broke", "KeyError"))
    model.run_pass()
    model.restart()
    model.end_pod(Place("b", 0), "gone")
    model.run_pass()
    assert inputs_of(model.manifests[Place("fn0", 0)]) == {
        "err": {"message": "KeyError: it broke", "failed_node_id": "a"}
    }


# Suspension.


def test_a_suspended_run_lets_what_runs_end_and_starts_nothing() -> None:
    model = run({"id": "a"}, {"id": "b", "inputs": {"x": {"$ref": "nodes.a.outputs.o0"}}})
    model.spec = {"suspend": True}
    model.run_pass()
    assert model.status["phase"] == "Suspended"
    assert not model.pods[Place("a", 0)].deleting
    model.succeed("a", o0=1)
    model.run_pass()
    assert [place.node for place in model.started] == ["a"]
    assert model.status["nodes"]["b"]["reason"] == "Suspended"
    told = {one["type"]: one["status"] for one in model.status["conditions"]}
    assert (told["Suspended"], told["Reconciling"]) == ("True", "False")
    model.spec = {"suspend": False}
    model.run_pass()
    assert [place.node for place in model.started] == ["a", "b"]
    told = {one["type"]: one["status"] for one in model.status["conditions"]}
    assert (model.status["phase"], told["Suspended"], told["Reconciling"]) == ("Running", "False", "True")


def test_a_suspended_run_can_end() -> None:
    model = run({"id": "a"})
    model.spec = {"suspend": True}
    model.succeed("a", o0=1)
    model.run_pass()
    assert model.status["phase"] == "Succeeded"


# Children that are Executions.

INNER = flow({"id": "n0"}, outputs={"o0": {**ANY, "from": {"$ref": "nodes.n0.outputs.o0"}}})
CALL: Body = {"id": "p", "launchPlan": {"name": "plan"}}
PLANS: Body = {"plans": {"plan": {"workflow": {"name": "inner"}}}, "flows": {"inner": INNER}}


def test_children_are_suspended_and_go_on_with_their_parent() -> None:
    model = run(CALL, **PLANS)
    for suspend in (True, False):
        model.spec = {"suspend": suspend}
        model.run_pass()
        model.run_pass()
        assert model.executions[Place("p", 0)].suspended is suspend
    assert [(action.field, action.value) for action in done(model, TellExecution)] == [
        ("suspend", True),
        ("suspend", False),
    ]


@pytest.mark.parametrize("cancel", [True, False], ids=["cancelled", "a node failed"])
def test_children_are_told_to_stop_once_and_waited_for(cancel: bool) -> None:
    model = run(CALL, {"id": "b"}, **PLANS)
    if cancel:
        model.spec = {"cancel": True}
        model.end_pod(Place("b", 0), "gone")
    else:
        model.fail("b", BROKEN)
    for _ in range(3):
        model.run_pass()
    assert [(action.field, action.value) for action in done(model, TellExecution)] == [("cancel", True)]
    assert model.status["phase"] == "Running"
    model.fail("p", Failure(FailureKind.USER, "Cancelled", "the child execution was cancelled"))
    model.run_pass()
    assert phases(model)["p"] == "Cancelled"
    assert model.status["phase"] == ("Cancelled" if cancel else "Failed")


def test_a_child_that_failed_fails_its_node_with_its_error_and_is_not_made_again() -> None:
    model = run(CALL, **PLANS)
    model.fail("p", BROKEN)
    model.run_pass()
    assert (model.status["error"]["node"], model.status["error"]["message"]) == ("p", "it broke")
    assert len(done(model, CreateExecution)) == 1


def test_a_child_that_waits_for_something_makes_its_parent_stall() -> None:
    model = run(CALL, **PLANS)
    model.say("p", Waiting("TaskNotFound", "there is no Task t", stuck=True, times_out=False))
    model.run_pass()
    stalled = next(one for one in model.status["conditions"] if one["type"] == "Stalled")
    assert (stalled["status"], stalled["reason"], stalled["message"]) == (
        "True", "TaskNotFound", "node p: there is no Task t",
    )  # fmt: skip


# Cancel.


def test_a_cancelled_run_stops_everything_in_one_pass_and_ends_when_it_has_stopped() -> None:
    model = run(
        {"id": "a"}, {"id": "b", "dependsOn": ["a"]}, {"id": "s", "sleep": {"duration": "1h"}}, handler={"id": "f"}
    )
    model.spec = {"cancel": True}
    model.run_pass()
    assert model.pods[Place("a", 0)].deleting
    assert phases(model) == {"a": "Queued", "b": "Cancelled", "s": "Cancelled", "f": "Cancelled"}
    model.end_pod(Place("a", 0), "gone")
    model.run_pass()
    assert model.status["phase"] == "Cancelled"


def test_a_run_that_was_done_before_it_heard_of_the_cancel_has_succeeded() -> None:
    model = run({"id": "a"})
    model.succeed("a", o0=1)
    model.spec = {"cancel": True}
    model.run_pass()
    assert model.status["phase"] == "Succeeded"


# Time to live.


def ended(spec: Body | None = None, settings: Settings = WIDE, **more: Any) -> Model:
    model = run({"id": "a"}, spec=spec, settings=settings, **more)
    model.succeed("a", o0=1)
    model.run_pass()
    assert model.over
    return model


@pytest.mark.parametrize(
    ("spec", "plan", "settings", "after"),
    [
        ({"ttlAfterFinished": "1h"}, None, Settings(), 3600),
        ({}, {"ttlAfterFinished": "2h"}, Settings(), 7200),
        ({"ttlAfterFinished": "1h"}, {"ttlAfterFinished": "2h"}, Settings(ttl_after_finished=60), 3600),
        ({}, None, Settings(ttl_after_finished=60), 60),
        ({}, None, Settings(), None),
    ],
    ids=["its own", "its plan's", "its own before all others", "the operator's", "for ever"],
)
def test_an_execution_goes_when_its_time_is_up(
    spec: Body, plan: Body | None, settings: Settings, after: float | None
) -> None:
    model = ended(spec, settings, plan=plan)
    assert model.wake_at == (None if after is None else NOW + after), "whoever ended it comes again by itself"
    if after is None:
        return
    model.now = NOW + after - 1
    model.run_pass()
    assert not model.deleted
    assert model.wake_at == NOW + after
    model.now = NOW + after
    model.run_pass()
    assert model.deleted


def test_an_execution_without_time_to_live_goes_at_once() -> None:
    model = ended({"ttlAfterFinished": "0s"})
    model.run_pass()
    assert model.deleted


def test_a_child_stays_as_long_as_its_parent() -> None:
    model = ended({"ttlAfterFinished": "1s"}, depth=1)
    model.now += 1000
    model.run_pass()
    assert done(model, DeleteExecution) == []


def test_children_of_an_execution_that_is_over_go() -> None:
    model = ended()
    model.pods[Place("b", 0)] = ChildView("ex-b-0", "b", 0, Waiting())
    model.run_pass()
    assert [action.name for action in done(model, DeletePod)] == ["ex-b-0"]


# Large outputs.

LARGE = "x" * 5000
NOISE = "".join(random.Random(3).choices("0123456789abcdef", k=20_000))
READS: Body = {"id": "b", "inputs": {"x": {"$ref": "nodes.a.outputs.o0"}}}
GIVES: Body = {"all": {**ANY, "from": {"$ref": "nodes.a.outputs.o0"}}}


def test_a_large_output_is_kept_in_a_config_map_and_referred_to() -> None:
    model = run({"id": "a"}, READS, outputs=GIVES)
    model.succeed("a", o0=LARGE)
    model.run_pass()
    digest = names.content_hash(names.canonical_json(LARGE))
    assert model.status["nodes"]["a"]["outputs"] == {"o0": {"$value": digest}}
    assert list(model.config_maps) == [names.value_name("ex", digest)]
    assert inputs_of(model.manifests[Place("b", 0)]) == {"x": LARGE}
    model.succeed("b", o0=0)
    model.run_pass()
    assert model.status["outputs"] == {"all": {"$value": digest}}


def test_what_is_small_stands_in_the_status_until_that_is_full() -> None:
    settings = Settings(status_limit=1000, inline_output_limit=800)
    model = run({"id": "a"}, {"id": "b"}, {"id": "c"}, settings=settings)
    for name, size in (("a", 700), ("b", 700), ("c", 100)):
        model.succeed(name, o0="x" * size)
        model.run_pass()
    shown = {name: "$value" in node["outputs"]["o0"] for name, node in model.status["nodes"].items()}
    assert shown == {"a": False, "b": True, "c": False}


@pytest.mark.parametrize("value", [{"$value": "0" * 16}, {"$ref": "inputs.x"}, {"$anything": 1}])
def test_data_that_looks_like_a_reference_is_kept_apart_and_arrives_as_it_was(value: Body) -> None:
    model = run({"id": "a"}, READS)
    model.succeed("a", o0=value)
    model.run_pass()
    model.restart()
    model.now += 10
    model.run_pass()
    assert inputs_of(model.manifests[Place("b", 0)]) == {"x": {"$literal": value}}
    assert model.status["nodes"]["a"]["outputs"]["o0"] == {"$value": names.content_hash(names.canonical_json(value))}


def test_after_a_restart_a_large_output_is_read_from_its_config_map() -> None:
    model = run({"id": "a"}, {**READS, "dependsOn": ["c"]}, {"id": "c"})
    model.succeed("a", o0=LARGE)
    model.run_pass()
    model.restart()
    model.succeed("c", o0=0)
    model.run_pass()
    assert inputs_of(model.manifests[Place("b", 0)]) == {"x": LARGE}


def test_a_large_output_that_is_lost_fails_who_needs_it_and_says_so() -> None:
    model = run({"id": "a"}, {**READS, "dependsOn": ["c"]}, {"id": "c"})
    model.succeed("a", o0=LARGE)
    model.run_pass()
    model.restart()
    model.config_maps.clear()
    model.succeed("c", o0=0)
    model.run_pass()
    assert (model.status["error"]["node"], model.status["error"]["code"]) == ("b", "ValueLost")


def test_an_output_for_which_there_is_no_store_fails_its_node_with_the_sizes() -> None:
    model = run({"id": "a"}, settings=Settings(value_limit=5_000))
    model.succeed("a", o0=NOISE)
    model.run_pass()
    assert model.status["error"]["code"] == "OutputTooLarge"
    assert model.status["error"]["message"].startswith("the output o0 has 20002 bytes, ")
    assert "the operator keeps no more than 5000 of a value. Return less" in model.status["error"]["message"]


def saving(outcome: Outcome) -> Any:
    return lambda action: outcome if isinstance(action, SaveValue) else None


@pytest.mark.parametrize("outcome", [Unavailable("no answer"), Held("QuotaExceeded", "full")])
def test_a_node_is_not_over_before_its_large_output_is_written(outcome: Outcome) -> None:
    model = run({"id": "a"}, outputs=GIVES)
    model.succeed("a", o0=LARGE)
    model.answers = saving(outcome)
    model.run_pass()
    assert (phases(model)["a"], model.status["phase"], "outputs" in model.status) == ("Queued", "Running", False)
    assert model.wake_at is not None
    model.answers = lambda _: None
    model.run_pass()
    assert (phases(model)["a"], model.status["phase"]) == ("Succeeded", "Succeeded")


@pytest.mark.parametrize("outcome", [Unavailable("no answer"), Rejected("TooLarge", "no")])
def test_nor_is_the_workflow_that_it_is_in(outcome: Outcome) -> None:
    model = run({"id": "w", "workflow": {"name": "inner"}}, flows={"inner": INNER})
    model.succeed("w.n0", o0=LARGE)
    model.answers = saving(outcome)
    model.run_pass()
    if isinstance(outcome, Rejected):
        assert (phases(model), model.status["phase"]) == ({"w": "Failed", "w.n0": "Failed"}, "Failed")
        assert model.status["error"]["code"] == "OutputTooLarge"
    else:
        assert phases(model) == {"w": "Running", "w.n0": "Queued"}
        model.answers = lambda _: None
        model.run_pass()
        assert model.status["phase"] == "Succeeded"


def test_an_output_of_the_run_itself_is_written_before_it_is_over() -> None:
    both = {"all": {**ANY, "from": [{"$ref": "nodes.a.outputs.o0"}, LARGE]}}
    model = run({"id": "a"}, outputs=both)
    model.succeed("a", o0=1)
    model.answers = saving(Unavailable("no answer"))
    model.run_pass()
    assert model.status["phase"] == "Running"
    model.answers = saving(Rejected("TooLarge", "no"))
    model.run_pass()
    assert (model.status["phase"], model.status["error"]["code"]) == ("Failed", "OutputTooLarge")


# Queues.


def test_who_is_ready_waits_in_the_queue_as_long_as_it_may() -> None:
    spec = {**TAKES, "queueTimeout": "60s"}
    model = run({"id": "a"}, {"id": "b"}, settings=Settings(max_parallel_pods=1), t=spec)
    assert (model.node("b").reason, model.node("b").until, model.wake_at) == ("ParallelismLimit", NOW + 60, NOW + 60)
    model.restart()
    model.now = NOW + 59
    model.run_pass()
    assert phases(model)["b"] == "Pending"
    model.now = NOW + 60
    model.run_pass()
    assert (model.status["error"]["node"], model.status["error"]["code"]) == ("b", "QueueTimeout")
    assert "60s" in model.status["error"]["message"]


def test_who_gets_its_turn_in_time_waits_no_more() -> None:
    model = run({"id": "a"}, {"id": "b"}, settings=Settings(max_parallel_pods=1), t={**TAKES, "queueTimeout": "60s"})
    model.succeed("a", o0=1)
    for _ in range(2):
        model.run_pass()
    model.now = NOW + 1000
    model.run_pass()
    assert (phases(model)["b"], model.node("b").until) == ("Queued", None)


def test_a_quota_that_stays_used_up_is_waited_for_no_longer_than_that() -> None:
    model = Model(closure({"id": "a"}, t={**TAKES, "queueTimeout": "60s"}), now=NOW)
    model.answers = lambda action: Held("QuotaExceeded", "pods: 10 of 10") if isinstance(action, CreatePod) else None
    model.run_pass()
    assert (phases(model)["a"], model.node("a").reason, model.node("a").until) == ("Pending", "QuotaExceeded", NOW + 60)
    model.now = NOW + 60
    model.run_pass()
    assert model.status["error"]["code"] == "QueueTimeout"
    assert model.status["error"]["message"].endswith("queueTimeout of 60s: pods: 10 of 10")


def test_a_pod_that_is_about_to_be_deleted_keeps_its_place_until_it_is() -> None:
    spec, narrow = {**TAKES, "timeout": "60s"}, Settings(max_parallel_pods=1)
    model = run({"id": "a"}, {"id": "b"}, settings=narrow, keeps_going=True, t=spec)
    model.run_pod("a", since=rfc3339(NOW))
    model.now = NOW + 60
    plan = model.run_pass()
    assert (model.node("a").reason, [type(action) for action in plan.actions]) == ("TimeoutExpired", [DeletePod])
    assert model.node("b").reason == "ParallelismLimit"
    model.run_pass()
    assert phases(model)["b"] == "Queued"


def test_planning_a_run_that_is_over_does_nothing() -> None:
    model = ended()
    plan = plan_execution(model.observe())
    assert (plan.actions, plan.transitions, plan.state) == ((), (), model.state)


@pytest.mark.parametrize("node", [{"id": "a"}, {"id": "a", "map": {"over": ["x"]}, "inputs": {"x": [1]}}])
def test_workers_that_are_about_to_connect_stall_nothing_and_those_that_stay_silent_do(node: Body) -> None:
    of = closure(node, t=task({"x": {"type": "int", "default": 0}}, actor={"name": "pool"}), pools={"pool": {}})
    silence = 3 * Settings().dispatcher_heartbeat
    nodes: dict[str, NodeState] = {}
    told = []
    for after in (0.0, 1.0, silence - 0.1, silence, silence + 60):
        seen = observed(of, nodes, unsure=frozenset({"pool"}), pinned=True, now=NOW + after)
        plan = plan_execution(seen)
        assert plan.actions == ()
        nodes = dict(plan.state.nodes)
        told.append((stuck(seen, plan.state) or ("", "", ""))[1])
        assert any(noteworthy(move) for move in plan.transitions) is (after == silence and "map" not in node)
        assert plan.wake_at == (NOW + silence if after < silence else None)
    assert told == ["", "", "", "ActorRecovering", "ActorRecovering"]
    heard = observed(of, nodes, pinned=True, now=NOW + silence + 61)
    plan = plan_execution(heard)
    assert [type(action).__name__ for action in plan.actions] == ["Dispatch"]
    assert stuck(heard, plan.state) is None
