"""What came of a plan's actions, folded into the state: the third phase of a pass, pure like the second.

A child that the API server refuses for good fails its node (or its element); one that it won't take at the moment keeps
it waiting, with the reason shown; one of which nobody knows is simply looked at again. What has to be written before
the status may say so (a large output, a map's outcomes) and isn't, leaves its node as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from windlass_operator.core.actions import (
    Action,
    Answered,
    Conflict,
    CreateExecution,
    CreatePod,
    CreateSignal,
    Dispatch,
    Done,
    Held,
    LookUp,
    Outcome,
    Rejected,
    Reserve,
    Reserved,
    SaveValue,
    Start,
    StoreEntry,
    Unavailable,
    Version,
    WriteSegment,
)
from windlass_operator.core.closure import ROOT
from windlass_operator.core.observed import (
    ALONE,
    FAILED,
    QUEUED,
    WAITS,
    AskCache,
    CacheNote,
    Elements,
    ExecutionError,
    ExecutionState,
    Lost,
    NodeState,
    Question,
    Reservation,
)
from windlass_operator.core.plan_execution import Plan
from windlass_operator.core.segments import written
from windlass_operator.core.states import FINISHED, ExecutionPhase, NodePhase
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
    """Whether the pass should be planned again at once: an answer came, or a node failed, which has consequences."""
    known: Mapping[Question, Any] = field(default_factory=dict)
    """Answers that came."""
    outdated: frozenset[Question] = frozenset()
    """Questions whose earlier answers count no more."""
    reservations: Mapping[tuple[str, str], Reservation] = field(default_factory=dict)


def record(plan: Plan, outcomes: Mapping[Action, Outcome], now: float) -> Recorded:
    """Fold the outcomes in. An action without one was not tried (an earlier one failed): its node waits again."""
    return _Recording(plan, now).of(outcomes)


class _Recording:
    """Lives for the call of ``record`` only."""

    def __init__(self, plan: Plan, now: float) -> None:
        self.plan, self.now = plan, now
        self.state = plan.state
        self.nodes = dict(plan.state.nodes)
        self.wake_at, self.again = plan.wake_at, plan.again
        self.known: dict[Question, Any] = dict(plan.learned)
        self.outdated: set[Question] = set()
        self.reservations: dict[tuple[str, str], Reservation] = {}

    def of(self, outcomes: Mapping[Action, Outcome]) -> Recorded:
        for action in self.plan.actions:
            outcome = outcomes.get(action, Unavailable("not tried"))
            if isinstance(outcome, Held | Unavailable | Conflict):
                self._wake(self.now + (HELD_AGAIN if isinstance(outcome, Held) else LOOK_AGAIN))
            self._one(action, outcome)
        if self.again and self.state.phase in FINISHED:
            self.state = replace(self.state, phase=ExecutionPhase.RUNNING, finished_at=None, outputs=None)
        state = replace(self.state, nodes=self.nodes)
        return Recorded(state, self.wake_at, self.again, self.known, frozenset(self.outdated), self.reservations)

    def _one(self, action: Action, outcome: Outcome) -> None:
        match action:
            case CreatePod() | CreateExecution() | Dispatch():
                self._child(action, outcome)
            case SaveValue():
                self._value(action, outcome)
            case WriteSegment():
                self._segment(action, outcome)
            case LookUp(question):
                self._answer(question, outcome)
            case Reserve(name, me):
                self._reservation((name, me.identity), outcome)
            case StoreEntry():
                self._entry(action, outcome)
            case CreateSignal(node) if isinstance(outcome, Rejected):
                self._fail(node, Failure(FailureKind.USER, outcome.reason, outcome.message))
            case _:
                pass

    def _answer(self, question: Question, outcome: Outcome) -> None:
        if isinstance(outcome, Answered):
            self.known[question] = outcome.answer
        elif isinstance(outcome, Held | Rejected) and isinstance(question, AskCache):
            self.known[question] = Lost(outcome.message)  # who may not read the cache computes
        else:
            return
        self.again = True

    def _reservation(self, turn: tuple[str, str], outcome: Outcome) -> None:
        if isinstance(outcome, Reserved):
            self.reservations[turn] = outcome.reservation
        elif isinstance(outcome, Held | Rejected):
            self.reservations[turn] = Reservation(False, f"it can't be reserved: {outcome.message}", self.now)
        else:
            return
        self.again = True

    def _child(self, action: Start, outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            return
        node = self.nodes[action.node]
        if action.element != ALONE:
            if node.elements is not None and not (_continues(action) and not isinstance(outcome, Rejected)):
                unsure = self._was_unsure(action)
                elements = self._element(node.elements, action.element, outcome, unsure=unsure)
                self.nodes[action.node] = replace(node, elements=elements)
            return
        if isinstance(outcome, Rejected):
            self._fail(action.node, Failure(FailureKind.USER, outcome.reason, outcome.message))
        elif _continues(action):
            return  # the attempt goes on, and its child is made in another pass
        elif isinstance(outcome, Held):
            waits = _waits(node, outcome.reason, outcome.message)
            self.nodes[action.node] = replace(waits, unsure=self._was_unsure(action))
        else:
            self.nodes[action.node] = replace(_waits(node, node.reason, node.message), unsure=True)

    def _was_unsure(self, action: Start) -> bool:
        """Whether it was made before and nobody answered: that it is not taken now doesn't say that it isn't there."""
        before = self.plan.previous.nodes.get(action.node, NodeState())
        if action.element == ALONE or before.elements is None:
            return before.unsure
        return before.elements.states.get(action.element, before).unsure

    def _element(self, elements: Elements, index: int, outcome: Outcome, *, unsure: bool) -> Elements:
        after = elements.copy()
        state = after.states.get(index, NodeState())
        if isinstance(outcome, Rejected):
            after.states.pop(index, None)
            after.phases[index] = FAILED
            after.failures[index] = Failure(FailureKind.USER, outcome.reason, outcome.message)
            after.unwritten.add(index)
            self.again = True
            return after
        reason, message = (outcome.reason, outcome.message) if isinstance(outcome, Held) else (state.reason, "")
        wait = self.now + (HELD_AGAIN if isinstance(outcome, Held) else LOOK_AGAIN)
        unsure = unsure or not isinstance(outcome, Held)
        after.states[index] = replace(_waits(state, reason, message), retry_at=wait, unsure=unsure)
        after.phases[index] = QUEUED if unsure else WAITS
        return after

    def _value(self, action: SaveValue, outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            return
        if isinstance(outcome, Rejected):
            failure = Failure(FailureKind.USER, "OutputTooLarge", outcome.message)
            if action.node != ROOT:
                for name in _lineage(action.node)[1:]:
                    self.nodes[name] = self.plan.previous.nodes.get(name, NodeState())
                self._fail(action.node, failure)
            else:
                self.state = replace(
                    self.state, phase=ExecutionPhase.FAILED, outputs=None, error=ExecutionError(failure)
                )
            return
        for name in _lineage(action.node):
            self.nodes[name] = self.plan.previous.nodes.get(name, NodeState())
        if self.state.phase in FINISHED:
            self.state = replace(self.state, phase=ExecutionPhase.RUNNING, finished_at=None, outputs=None)

    def _segment(self, action: WriteSegment, outcome: Outcome) -> None:
        node = self.nodes[action.node]
        if node.elements is None:
            return
        if isinstance(outcome, Version):
            after = written(node.elements, action.number, action.content, outcome.version)
            after.written_at = self.now
            self.nodes[action.node] = replace(node, elements=after)
            self.again = True
        elif isinstance(outcome, Conflict):
            fresh = replace(node, elements=Elements(bytearray(b"P") * node.elements.total, loaded=False))
            self.nodes[action.node] = fresh
            self.outdated.add(action.question)
        elif isinstance(outcome, Rejected):
            self._fail(action.node, Failure(FailureKind.USER, "ResultsTooLarge", outcome.message))

    def _entry(self, action: StoreEntry, outcome: Outcome) -> None:
        task = action.manifest["spec"]["key"]["task"]
        self.outdated |= {AskCache(action.name, task, near) for near in (True, False)}
        if isinstance(outcome, Done) or action.element != ALONE:
            return
        node = self.nodes[action.node]
        message = getattr(outcome, "message", "")
        self.nodes[action.node] = replace(node, cache=CacheNote("Failed", f"it was not kept: {message}", action.name))

    def _fail(self, name: str, failure: Failure) -> None:
        self.nodes[name] = replace(
            self.nodes[name],
            phase=NodePhase.FAILED,
            reason=failure.code,
            message=failure.message,
            failure=failure,
            outputs=None,
            finished_at=self.now,
        )
        self.again = True

    def _wake(self, when: float) -> None:
        self.wake_at = when if self.wake_at is None else min(self.wake_at, when)


def _continues(action: Start) -> bool:
    """Whether it goes on with an attempt that had a pod, and so is made sooner or later."""
    return isinstance(action, CreateExecution) and action.revision is not None


def _lineage(node: str) -> list[str]:
    """A node, and the workflows that it is in: they are not over before it is."""
    parts = node.split(".") if node else []
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _waits(state: NodeState, reason: str, message: str) -> NodeState:
    return replace(state, phase=NodePhase.PENDING, reason=reason, message=message, execution="")
