"""What comes of actions → state: one row per outcome."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.operator.things import NOW
from windlass_api import names
from windlass_operator.core.actions import (
    Action,
    Answered,
    Conflict,
    CreateExecution,
    CreatePod,
    CreateSignal,
    DeleteExecution,
    DeletePod,
    Done,
    Held,
    LookUp,
    MarkSignal,
    Outcome,
    Rejected,
    Release,
    Reserve,
    Reserved,
    SaveValue,
    StoreEntry,
    TellExecution,
    Unavailable,
    Version,
    WriteSegment,
)
from windlass_operator.core.caching import Holder
from windlass_operator.core.observed import (
    ALONE,
    AskCache,
    AskSegments,
    AskValue,
    CacheNote,
    Elements,
    ExecutionState,
    Lost,
    NodeState,
    Reservation,
)
from windlass_operator.core.plan_execution import Plan
from windlass_operator.core.record import HELD_AGAIN, LOOK_AGAIN, Recorded, record
from windlass_operator.core.states import ExecutionPhase, NodePhase

P = NodePhase
CREATE = CreatePod("a", 0, "e-a-0", {})
DELETE = DeletePod("b", "e-b-0")
STATE = ExecutionState(nodes={"a": NodeState(P.QUEUED, started_at=NOW - 1), "b": NodeState(P.CANCELLED)})


@pytest.mark.parametrize(
    ("outcome", "phase", "reason", "message", "wake_at", "again"),
    [
        (Done(), P.QUEUED, "", "", None, False),
        (Rejected("InvalidPod", "no"), P.FAILED, "InvalidPod", "no", None, True),
        (Held("QuotaExceeded", "full"), P.PENDING, "QuotaExceeded", "full", NOW + HELD_AGAIN, False),
        (Unavailable("timeout"), P.PENDING, "", "", NOW + LOOK_AGAIN, False),
        (None, P.PENDING, "", "", NOW + LOOK_AGAIN, False),
    ],
    ids=["done", "rejected", "held", "unavailable", "not tried"],
)
def test_what_came_of_a_create_is_folded_into_its_node(
    outcome: Outcome | None, phase: P, reason: str, message: str, wake_at: float | None, again: bool
) -> None:
    outcomes: dict[Action, Outcome] = {} if outcome is None else {CREATE: outcome}
    recorded = record(Plan(STATE, actions=(CREATE,)), outcomes, NOW)
    node = recorded.state.nodes["a"]
    assert (node.phase, node.reason, node.message) == (phase, reason, message)
    assert (recorded.wake_at, recorded.again) == (wake_at, again)
    assert node.started_at == NOW - 1
    assert (node.finished_at, node.failure is not None) == ((NOW, True) if phase is P.FAILED else (None, False))
    assert recorded.state.nodes["b"] is STATE.nodes["b"]


@pytest.mark.parametrize(
    ("outcome", "wake_at"),
    [
        (Done(), None),
        (Held("Forbidden", "no"), NOW + HELD_AGAIN),
        (Unavailable("timeout"), NOW + LOOK_AGAIN),
        (Rejected("InvalidPod", "no"), None),
    ],
    ids=["done", "held", "unavailable", "rejected"],
)
def test_what_came_of_a_delete_changes_no_node(outcome: Outcome, wake_at: float | None) -> None:
    recorded = record(Plan(STATE, actions=(DELETE,)), {DELETE: outcome}, NOW)
    assert recorded.state == STATE
    assert (recorded.wake_at, recorded.again) == (wake_at, False)


@pytest.mark.parametrize(
    ("planned", "expected"),
    [(None, NOW + LOOK_AGAIN), (NOW + 60, NOW + LOOK_AGAIN), (NOW + 0.1, NOW + 0.1)],
    ids=["nothing planned", "planned later", "planned earlier"],
)
def test_the_earliest_wake_up_counts(planned: float | None, expected: float) -> None:
    held, lost = CreatePod("a", 0, "e-a-0", {}), DELETE
    plan = Plan(STATE, actions=(held, lost), wake_at=planned)
    assert record(plan, {held: Held("QuotaExceeded", ""), lost: Unavailable("")}, NOW).wake_at == expected


# What else a plan may ask for: one row per action and outcome.

SAVE = SaveValue("w.a", "e-value-1", {})
SAVE_ROOT = SaveValue("", "e-value-2", {})
LOOK = LookUp(AskCache("cache-1", "t", True))
READ = LookUp(AskValue("e", "0" * 16))
RESERVE = Reserve("cache-1", Holder("e", "u1", "a"), {})
KEEP = StoreEntry("a", ALONE, "cache-1", {"spec": {"key": {"task": "t"}}})
ASK = CreateSignal("a", "e.go", {})
EXPAND = CreateExecution("a", 0, "e-a-0", {}, revision={"kind": "ControllerRevision"})
CALL = CreateExecution("a", 0, "e-a-0", {})
NESTED = {"w": NodeState(P.SUCCEEDED), "w.a": NodeState(P.SUCCEEDED, outputs={"o0": 1}), "b": NodeState(P.PENDING)}
BEFORE = ExecutionState(nodes={"w": NodeState(P.RUNNING), "w.a": NodeState(P.RUNNING, started_at=NOW - 1)})


def one(action: Action, outcome: Outcome | None, state: ExecutionState = STATE, **plan: Any) -> Recorded:
    """What comes of one action."""
    return record(Plan(state, actions=(action,), **plan), {} if outcome is None else {action: outcome}, NOW)


@pytest.mark.parametrize(
    ("outcome", "phases", "reason", "wake_at"),
    [
        (Done(), (P.SUCCEEDED, P.SUCCEEDED), "", None),
        (Held("QuotaExceeded", "full"), (P.RUNNING, P.RUNNING), "", NOW + HELD_AGAIN),
        (Unavailable("timeout"), (P.RUNNING, P.RUNNING), "", NOW + LOOK_AGAIN),
        (None, (P.RUNNING, P.RUNNING), "", NOW + LOOK_AGAIN),
        (Rejected("TooLarge", "no"), (P.RUNNING, P.FAILED), "OutputTooLarge", None),
    ],
)
def test_a_large_output_that_is_not_written_leaves_its_node_and_what_it_is_in_as_they_were(
    outcome: Outcome | None, phases: tuple[P, P], reason: str, wake_at: float | None
) -> None:
    finished = ExecutionState(ExecutionPhase.SUCCEEDED, NESTED, finished_at=NOW, outputs={})
    recorded = one(SAVE, outcome, finished, previous=BEFORE)
    nodes = recorded.state.nodes
    assert ((nodes["w"].phase, nodes["w.a"].phase), nodes["w.a"].reason) == (phases, reason)
    assert recorded.wake_at == wake_at
    done = isinstance(outcome, Done)
    assert (recorded.state.phase is ExecutionPhase.SUCCEEDED) is done
    assert (recorded.state.finished_at is not None) is done
    assert nodes["b"] is NESTED["b"]


@pytest.mark.parametrize(
    ("outcome", "phase", "code"),
    [
        (Done(), ExecutionPhase.SUCCEEDED, None),
        (Unavailable("timeout"), ExecutionPhase.RUNNING, None),
        (Rejected("TooLarge", "no"), ExecutionPhase.FAILED, "OutputTooLarge"),
    ],
)
def test_a_large_output_of_the_run_is_written_before_it_is_over(
    outcome: Outcome, phase: ExecutionPhase, code: str | None
) -> None:
    finished = ExecutionState(ExecutionPhase.SUCCEEDED, NESTED, finished_at=NOW, outputs={"o0": 1})
    state = one(SAVE_ROOT, outcome, finished, previous=BEFORE).state
    assert state.phase is phase
    assert (state.error.failure.code if state.error else None) == code
    assert (state.outputs is not None) == (phase is ExecutionPhase.SUCCEEDED)


@pytest.mark.parametrize(
    ("action", "outcome", "known", "again"),
    [
        (LOOK, Answered((None, [])), {LOOK.question: (None, [])}, True),
        (READ, Answered(3), {READ.question: 3}, True),
        (LOOK, Held("Forbidden", "no right"), {LOOK.question: Lost("no right")}, True),
        (READ, Held("Forbidden", "no right"), {}, False),
        (LOOK, Unavailable("timeout"), {}, False),
        (READ, None, {}, False),
    ],
)
def test_an_answer_is_known_from_then_on(
    action: LookUp, outcome: Outcome | None, known: dict[Any, Any], again: bool
) -> None:
    recorded = one(action, outcome)
    assert (recorded.known, recorded.again) == (known, again)
    assert (recorded.wake_at is None) == isinstance(outcome, Answered)


def test_what_the_pass_knows_without_asking_is_known_as_well() -> None:
    assert one(DELETE, Done(), learned={READ.question: 7}).known == {READ.question: 7}


@pytest.mark.parametrize(
    ("outcome", "reservation"),
    [
        (Reserved(Reservation(True, "", NOW)), Reservation(True, "", NOW)),
        (Held("Forbidden", "no right"), Reservation(False, "it can't be reserved: no right", NOW)),
        (Unavailable("timeout"), None),
    ],
)
def test_whose_turn_it_is_is_known_from_then_on(outcome: Outcome, reservation: Reservation | None) -> None:
    recorded = one(RESERVE, outcome)
    assert recorded.reservations == ({} if reservation is None else {("cache-1", "e/a"): reservation})
    assert recorded.again is (reservation is not None)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Done(), "Stored"), (Held("Forbidden", "no"), "Failed"), (Unavailable("no"), "Failed"), (None, "Failed")],
)
def test_a_result_that_was_not_kept_is_one_all_the_same(outcome: Outcome | None, state: str) -> None:
    succeeded = NodeState(P.SUCCEEDED, cache=CacheNote("Stored", "", "cache-1"))
    recorded = one(KEEP, outcome, ExecutionState(nodes={"a": succeeded}))
    assert recorded.outdated == {AskCache("cache-1", "t", near) for near in (True, False)}, "what it has is another now"
    node = recorded.state.nodes["a"]
    assert node.phase is P.SUCCEEDED
    assert node.cache is not None
    assert node.cache.state == state


@pytest.mark.parametrize(
    ("outcome", "phase"),
    [(Done(), P.QUEUED), (Held("NameTaken", "x"), P.QUEUED), (Rejected("InvalidSignal", "no"), P.FAILED)],
)
def test_a_question_that_can_never_be_asked_fails_its_node(outcome: Outcome, phase: P) -> None:
    assert one(ASK, outcome).state.nodes["a"].phase is phase


@pytest.mark.parametrize(
    ("action", "outcome", "phase"),
    [
        (CALL, Done(), P.QUEUED),
        (CALL, Held("QuotaExceeded", "full"), P.PENDING),
        (CALL, Rejected("InvalidExecution", "no"), P.FAILED),
        (EXPAND, Held("QuotaExceeded", "full"), P.QUEUED),
        (EXPAND, Unavailable("timeout"), P.QUEUED),
        (EXPAND, Rejected("InvalidExecution", "no"), P.FAILED),
    ],
)
def test_a_child_execution_waits_like_a_pod_unless_its_attempt_has_begun(
    action: CreateExecution, outcome: Outcome, phase: P
) -> None:
    assert one(action, outcome).state.nodes["a"].phase is phase


@pytest.mark.parametrize(
    "action",
    [
        TellExecution("a", "e-a-0", "cancel", True),
        MarkSignal("e.go", "u", {}),
        Release("cache-1", Holder("e", "u1", "a")),
        DeleteExecution("e"),
    ],
)
@pytest.mark.parametrize("outcome", [Done(), Held("Forbidden", "no"), Unavailable("x"), Rejected("InvalidPod", "no")])
def test_all_else_changes_nothing_and_is_tried_again(action: Action, outcome: Outcome) -> None:
    recorded = one(action, outcome)
    assert recorded.state == STATE
    assert (recorded.wake_at is not None) == isinstance(outcome, Held | Unavailable)


# Elements of maps, and their segments.


def of_map(**more: Any) -> ExecutionState:
    elements = Elements(bytearray(b"QP"), states={0: NodeState(P.QUEUED)}, **more)
    return ExecutionState(nodes={"m": NodeState(P.RUNNING, elements=elements)})


@pytest.mark.parametrize(
    ("outcome", "letter", "reason", "retry_at", "again"),
    [
        (Done(), "Q", "", None, False),
        (Held("QuotaExceeded", "full"), "P", "QuotaExceeded", NOW + HELD_AGAIN, False),
        (Unavailable("timeout"), "Q", "", NOW + LOOK_AGAIN, False),
        (Rejected("InvalidPod", "no"), "F", "", None, True),
    ],
)
def test_what_came_of_a_create_is_folded_into_its_element(
    outcome: Outcome, letter: str, reason: str, retry_at: float | None, again: bool
) -> None:
    before = of_map()
    recorded = one(CreatePod("m", 0, "e-m-0-0", {}, element=0), outcome, before)
    elements = recorded.state.nodes["m"].elements
    assert elements is not None
    assert elements.phases == letter.encode() + b"P"
    assert recorded.again is again
    if letter == "F":
        assert (elements.failures[0].code, elements.unwritten, elements.states) == ("InvalidPod", {0}, {})
    else:
        assert (elements.states[0].reason, elements.states[0].retry_at) == (reason, retry_at)
    told = before.nodes["m"].elements
    assert told is not None
    assert told.phases == b"QP", "what was planned is not changed"


SEGMENT = WriteSegment(
    "m", 0, "e-m-elements-0", {"1": {"ok": {}}}, {"metadata": {"labels": {names.LABEL_EXECUTION: "e"}}}
)


def test_outcomes_that_are_written_need_no_other_segment() -> None:
    recorded = one(SEGMENT, Version("v7"), of_map(unwritten={1}))
    elements = recorded.state.nodes["m"].elements
    assert elements is not None
    assert (elements.unwritten, elements.segments, elements.tail_version) == (set(), 1, "v7")
    assert (elements.tail, elements.written_at, recorded.again) == ({"1": {"ok": {}}}, NOW, True)


def test_a_conflict_has_the_segments_read_again() -> None:
    recorded = one(SEGMENT, Conflict("somebody else has written it"), of_map(unwritten={1}))
    elements = recorded.state.nodes["m"].elements
    assert elements is not None
    assert (elements.loaded, elements.total) == (False, 2)
    assert recorded.outdated == {AskSegments("m", "e")}


@pytest.mark.parametrize("outcome", [Held("QuotaExceeded", "full"), Unavailable("x"), None])
def test_outcomes_that_are_not_written_stay_to_be_written(outcome: Outcome | None) -> None:
    recorded = one(SEGMENT, outcome, of_map(unwritten={1}))
    elements = recorded.state.nodes["m"].elements
    assert elements is not None
    assert elements.unwritten == {1}
    assert recorded.wake_at is not None


def test_outcomes_that_can_never_be_written_fail_the_map() -> None:
    node = one(SEGMENT, Rejected("TooLarge", "no"), of_map(unwritten={1})).state.nodes["m"]
    assert (node.phase, node.reason) == (P.FAILED, "ResultsTooLarge")


def test_a_run_that_has_to_be_planned_again_is_not_over() -> None:
    finished = ExecutionState(ExecutionPhase.SUCCEEDED, STATE.nodes, finished_at=NOW, outputs={})
    recorded = one(LOOK, Answered(None), finished)
    assert (recorded.state.phase, recorded.state.finished_at) == (ExecutionPhase.RUNNING, None)
