"""Nodes that wait for a person or for time: questions, answers, and what becomes of both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.properties.model_cluster import Model
from tests.unit.operator.things import NOW, Body, closure, flow, inputs_of, task
from windlass_api.v1alpha1.signal import Signal
from windlass_operator.core.actions import CreateSignal, MarkSignal
from windlass_operator.core.clock import rfc3339
from windlass_operator.core.waiting import SHOWN
from windlass_operator.kinds.evidence import Failure, FailureKind

ANY = {"type": "any"}
BEFORE: Body = {"id": "a"}
APPROVE: Body = {
    "id": "g",
    "approve": {"name": "go", "timeout": "1h"},
    "inputs": {"value": {"$ref": "nodes.a.outputs.o0"}},
}
INPUT: Body = {"id": "g", "waitForInput": {"name": "how many", "type": "int"}}
AFTER: Body = {"id": "z", "inputs": {"x": {"$ref": "nodes.g.outputs.o0"}}}
FAILURE = Failure(FailureKind.USER, "USER:RuntimeError", "it broke")
COUNTS = task({"x": {"type": "any", "default": 0}}, {"o0": ANY})


def run(*nodes: Body, **more: Any) -> Model:
    """A run of a workflow with these nodes, after its first pass."""
    model = Model(closure(*nodes, **{"t": COUNTS, **more}), now=NOW)
    model.run_pass()
    return model


def approving(value: Any = 3) -> Model:
    """A run whose node g asks for approval of a value."""
    model = run(BEFORE, APPROVE, AFTER)
    model.succeed("a", o0=value)
    model.run_pass()
    return model


def marks(model: Model) -> list[tuple[str, str]]:
    """What Signals were told, in order: phase and reason."""
    told = [action.status for action in model.done if isinstance(action, MarkSignal)]
    return [(status["phase"], status["conditions"][0]["reason"]) for status in told]


def test_a_question_is_an_object_that_says_all() -> None:
    model = approving()
    (made,) = (action for action in model.done if isinstance(action, CreateSignal))
    Signal.model_validate({**made.manifest, "metadata": {**made.manifest["metadata"]}})
    assert made.manifest["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert made.manifest["spec"] == {
        "execution": "ex", "node": "g", "name": "go", "ask": "Approval", "value": 3,
        "expiresAt": rfc3339(NOW + 3600),
    }  # fmt: skip
    state = model.node("g")
    assert (state.phase.value, state.reason, state.signal, state.until) == ("Running", "Approval", "ex.go", NOW + 3600)
    assert model.status["nodes"]["g"]["message"] == "waits for an answer to the Signal ex.go"
    assert marks(model) == []
    model.run_pass()
    assert marks(model) == [("Waiting", "NoAnswer")]
    assert model.wake_at == NOW + 3600
    model.run_pass()
    assert len(marks(model)) == 1, "it is told once"


def test_a_question_for_a_value_tells_its_type() -> None:
    model = run({**INPUT, "waitForInput": {**INPUT["waitForInput"], "type": "struct", "schema": {"type": "object"}}})
    (made,) = (action for action in model.done if isinstance(action, CreateSignal))
    assert made.manifest["spec"] == {
        "execution": "ex", "node": "g", "name": "how many", "ask": "Input", "type": "struct",
        "schema": {"type": "object"},
    }  # fmt: skip
    assert model.wake_at is None, "it has all the time"


def test_a_value_that_is_too_long_to_show_is_approved_by_its_name() -> None:
    model = approving("x" * SHOWN)
    assert "value" not in model.signals["go"].spec
    model.answer("go", approved=True)
    model.run_pass()
    assert model.node("g").phase.value == "Succeeded"


def test_an_approved_value_goes_on() -> None:
    model = approving()
    model.answer("go", approved=True)
    model.run_pass()
    assert model.node("g").outputs == {"o0": 3}
    assert inputs_of(model.manifests[model.started[-1]]) == {"x": 3}
    assert marks(model)[-1] == ("Answered", "Answered")
    model.run_pass()
    assert marks(model).count(("Answered", "Answered")) == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"approved": False}, "go was rejected"),
        ({"approved": False, "message": "too dear"}, "go was rejected: too dear"),
    ],
)
def test_a_rejection_fails_the_node(answer: Body, says: str) -> None:
    model = approving()
    model.answer("go", **answer)
    model.run_pass()
    error = model.status["error"]
    assert (error["code"], error["type"], error["message"]) == (
        "ReceivedRejectSignal",
        "FlyteDisapprovalException",
        says,
    )
    assert marks(model)[-1] == ("Answered", "Answered")


def test_a_value_that_was_given_is_the_output() -> None:
    model = run(INPUT, AFTER)
    model.answer("how many", value=4)
    model.run_pass()
    assert model.node("g").outputs == {"o0": 4}


@pytest.mark.parametrize("answer", [{"value": "four"}, {"approved": True}, {}])
def test_an_answer_that_does_not_fit_is_told_so_and_another_may_be_given(answer: Body) -> None:
    model = run(INPUT, AFTER)
    model.answer("how many", **answer)
    model.run_pass()
    assert marks(model)[-1] == ("Invalid", "InvalidAnswer")
    told = [action.status for action in model.done if isinstance(action, MarkSignal)][-1]
    assert told["conditions"][0]["message"].startswith("the answer does not fit: ")
    assert told["conditions"][0]["message"].endswith("; give another")
    model.run_pass()
    assert len(marks(model)) == 1, "it is told once"
    assert model.node("g").phase.value == "Running"
    model.answer("how many", value=4)
    model.run_pass()
    assert model.node("g").outputs == {"o0": 4}


def test_when_time_is_up_the_node_fails_and_nobody_answers_in_vain() -> None:
    model = approving()
    model.run_pass()
    model.now = NOW + 3599
    model.run_pass()
    assert model.node("g").phase.value == "Running"
    model.now = NOW + 3600
    model.run_pass()
    assert marks(model)[-1] == ("Expired", "TimeoutExpired")
    assert model.status["error"]["message"] == "nobody answered the Signal ex.go within 1h"


def test_an_answer_that_came_in_time_counts_also_when_it_is_seen_late() -> None:
    model = approving()
    model.now = NOW + 9999
    model.answer("go", approved=True)
    model.run_pass()
    assert model.node("g").phase.value == "Succeeded"


def test_gates_of_one_name_are_one_question() -> None:
    again = {**APPROVE, "id": "h", "dependsOn": ["g"]}
    model = run(BEFORE, APPROVE, {**APPROVE, "id": "k"}, again, t=COUNTS)
    model.succeed("a", o0=3)
    model.run_pass()
    assert [action.name for action in model.done if isinstance(action, CreateSignal)] == ["ex.go", "ex.go"]
    model.answer("go", approved=True)
    model.run_pass()
    model.run_pass()
    assert {name: model.node(name).phase.value for name in ("g", "k", "h")} == dict.fromkeys("gkh", "Succeeded")
    assert marks(model).count(("Answered", "Answered")) == 1


def test_a_question_that_somebody_deleted_is_asked_again() -> None:
    model = approving()
    model.signals.clear()
    model.run_pass()
    assert list(model.signals) == ["go"]
    assert model.signals["go"].spec["expiresAt"] == rfc3339(NOW + 3600), "its time doesn't start anew"


@pytest.mark.parametrize("cancel", [True, False], ids=["cancelled", "a node failed"])
def test_a_run_that_stops_takes_its_questions_back_at_once(cancel: bool) -> None:
    model = run(INPUT, {"id": "b"}, {"id": "s", "sleep": {"duration": "1h"}})
    if cancel:
        model.spec = {"cancel": True}
    else:
        model.fail("b", FAILURE)
    model.run_pass()
    assert marks(model)[-1] == ("Expired", "RunStopped")
    assert (model.node("g").phase.value, model.node("s").phase.value) == ("Cancelled", "Cancelled")


def test_a_sleep_ends_when_its_time_has_come_and_not_before() -> None:
    model = run({"id": "s", "sleep": {"duration": "90s"}}, {"id": "z", "dependsOn": ["s"]})
    assert (model.node("s").reason, model.node("s").message[:13]) == ("Sleeping", "sleeps until ")
    assert model.wake_at == NOW + 90
    model.now = NOW + 89.9
    model.run_pass()
    assert model.started == []
    model.now = NOW + 90
    model.run_pass()
    assert [place.node for place in model.started] == ["z"]


def test_a_sleep_goes_on_after_a_restart_where_it_was() -> None:
    model = run({"id": "s", "sleep": {"duration": "90s"}})
    model.now = NOW + 60
    model.restart()
    model.run_pass()
    assert model.node("s").until == NOW + 90
    model.now = NOW + 90
    model.run_pass()
    assert model.status["phase"] == "Succeeded"


def test_a_restart_asks_nothing_twice() -> None:
    model = approving()
    model.run_pass()
    model.restart()
    before = len(model.done)
    model.run_pass()
    assert [action for action in model.done[before:] if isinstance(action, CreateSignal | MarkSignal)] == []


def test_waiting_needs_no_room() -> None:
    model = Model(closure(INPUT, {"id": "s", "sleep": {"duration": "1s"}}), now=NOW, room=0)
    model.run_pass()
    assert {state.phase.value for state in model.state.nodes.values()} == {"Running"}


def test_a_gate_in_a_workflow_inside_is_a_question_of_the_run() -> None:
    model = run({"id": "w", "workflow": {"name": "inner"}}, flows={"inner": flow(INPUT)})
    assert model.signals["how many"].spec["node"] == "w.g"
    assert model.signals["how many"].name.startswith("ex.how-many-")


def test_an_answer_of_a_signal_that_has_no_phase_yet_counts_as_well() -> None:
    model = run(INPUT)
    model.signals["how many"] = replace(model.signals["how many"], phase="")
    model.answer("how many", value=1)
    model.run_pass()
    assert model.node("g").outputs == {"o0": 1}
