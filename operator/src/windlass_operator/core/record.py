"""What came of a plan's actions, folded into the state: the third phase of a pass, pure like the second.

A pod that the API server refuses for good fails its node; one that it won't take at the moment keeps its node waiting,
with the reason shown; one of which nobody knows is simply looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from windlass_operator.core.actions import Action, CreatePod, Held, Outcome, Rejected, Unavailable
from windlass_operator.core.observed import ExecutionState, NodeState
from windlass_operator.core.plan_execution import Plan
from windlass_operator.core.states import NodePhase
from windlass_operator.kinds.evidence import Failure, FailureKind

LOOK_AGAIN = 1.0
"""Seconds until an action of which nobody knows what came is planned again."""

HELD_AGAIN = 5.0
"""Seconds until something that the API server won't take at the moment is tried again."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The state after the actions, and when to look again because of them."""

    state: ExecutionState
    wake_at: float | None
    again: bool = False
    """Whether the pass should be planned again at once: a node failed here, and that has consequences."""


def record(plan: Plan, outcomes: Mapping[Action, Outcome], now: float) -> Recorded:
    """Fold the outcomes in. An action without one was not tried (an earlier one failed): its node waits again."""
    nodes = dict(plan.state.nodes)
    wake_at, again = plan.wake_at, False
    for action in plan.actions:
        outcome = outcomes.get(action, Unavailable("not tried"))
        if isinstance(outcome, Held | Unavailable):
            wake_at = _earlier(wake_at, now + (HELD_AGAIN if isinstance(outcome, Held) else LOOK_AGAIN))
        if isinstance(action, CreatePod):
            nodes[action.node] = _after_create(nodes[action.node], outcome, now)
            again = again or isinstance(outcome, Rejected)
    return Recorded(replace(plan.state, nodes=nodes), wake_at, again)


def _after_create(state: NodeState, outcome: Outcome, now: float) -> NodeState:
    match outcome:
        case Rejected(reason, message):
            failure = Failure(FailureKind.USER, reason, message)
            return replace(
                state, phase=NodePhase.FAILED, reason=reason, message=message, failure=failure, finished_at=now
            )
        case Held(reason, message):
            return replace(state, phase=NodePhase.PENDING, reason=reason, message=message)
        case Unavailable():
            return replace(state, phase=NodePhase.PENDING)
        case _:
            return state


def _earlier(one: float | None, other: float) -> float:
    return other if one is None else min(one, other)
