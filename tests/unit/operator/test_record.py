"""What comes of actions → state: one row per outcome."""

from __future__ import annotations

import pytest

from tests.unit.operator.things import NOW
from windlass_operator.core.actions import (
    Action,
    CreatePod,
    DeletePod,
    Done,
    Held,
    Outcome,
    Rejected,
    Unavailable,
)
from windlass_operator.core.observed import ExecutionState, NodeState
from windlass_operator.core.plan_execution import Plan
from windlass_operator.core.record import HELD_AGAIN, LOOK_AGAIN, record
from windlass_operator.core.states import NodePhase

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
