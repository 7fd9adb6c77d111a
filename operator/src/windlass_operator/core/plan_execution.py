"""One pass over one Execution: a pure function from what is observed to what should be done.

::

    for each node that is under way:   evidence, answers, time ──settle──► state
    for each node, upstreams first:    gates ──► hold │ end │ start (inputs → earlier result, cache, child)
    then, over all of them:            finished? which children must go? ──► the Execution's own state

A node that fails while others are being started may mean that these must not start: then starting is planned once more,
with that failure known from the beginning. So nothing is started in vain, whatever the order of the nodes.

``plan_execution`` neither knows nor cares whether it runs in the operator, in ``windlass-operator plan``, or in a
simulation. Planning again after applying yields nothing new, so it may be called as often as one likes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from windlass_api import durations
from windlass_operator.core import attempts, mapping, waiting, workflows
from windlass_operator.core.actions import Action, CreateValue, DeleteExecution, DeletePod, Recall, TellExecution
from windlass_operator.core.closure import ROOT, Node, NodeKind
from windlass_operator.core.delivery import deliver
from windlass_operator.core.gates import (
    NAMESPACE,
    PARALLELISM,
    SUSPENDED,
    UPSTREAM,
    End,
    Hold,
    ask,
    parallelism_full,
)
from windlass_operator.core.observed import (
    ALONE,
    Children,
    ChildView,
    ExecutionError,
    ExecutionState,
    NodeState,
    Observed,
    Place,
    Question,
)
from windlass_operator.core.settling import RETRYING, look_again, settle
from windlass_operator.core.states import FINISHED, ExecutionPhase, NodePhase
from windlass_operator.core.values import InvalidInputsError, NotKnownError
from windlass_operator.core.work import Work
from windlass_operator.kinds.evidence import Failure, Waiting
from windlass_operator.settings import Settings


@dataclass(frozen=True, slots=True)
class Transition:
    """A node moved. Telemetry turns these into metrics, events and log lines; planning never mentions any of that."""

    node: str
    before: NodePhase
    after: NodePhase
    reason: str
    message: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, what is then the case, what changed, and when to look again if nothing happens before."""

    state: ExecutionState
    before: tuple[CreateValue, ...] = ()
    actions: tuple[Action, ...] = ()
    transitions: tuple[Transition, ...] = ()
    wake_at: float | None = None
    again: bool = False
    """Whether there is more to plan at once."""
    learned: Mapping[Question, Any] = field(default_factory=dict)
    """Answers that nobody has to look up."""
    previous: ExecutionState = field(default_factory=ExecutionState)
    """What was the case before."""
    waiting: int = 0
    """How many pods more it would start if the namespaces' shares let it."""

    def without(self, *kinds: type) -> Plan:
        """The plan without some actions, which are for later."""
        if not any(isinstance(action, kinds) for action in self.actions):
            return self
        return replace(self, actions=tuple(action for action in self.actions if not isinstance(action, kinds)))


def plan_execution(observed: Observed) -> Plan:
    """Plan the next step of an Execution."""
    if observed.state.phase in FINISHED:
        return _afterwards(observed)
    return _Pass(observed).run()


def _afterwards(observed: Observed) -> Plan:
    """What is left to do for an Execution that has ended: its children go, and it goes itself when its time is up."""
    actions: list[Action] = list(leftovers(observed, observed.state.nodes, lambda _: True))
    goes_at = expires_at(observed, observed.state)
    if goes_at is not None and goes_at <= observed.now:
        return Plan(observed.state, actions=(*actions, DeleteExecution(observed.name)))
    return Plan(observed.state, actions=tuple(actions), wake_at=goes_at)


def expires_at(observed: Observed, state: ExecutionState) -> float | None:
    """When an Execution that has ended is to be deleted. Children go with their parents."""
    return None if observed.depth else gone_at(observed.setting("ttlAfterFinished"), state, observed.settings)


def gone_at(ttl: str | None, state: ExecutionState, settings: Settings) -> float | None:
    """When an Execution is to go that is no child, by its own ``ttlAfterFinished`` or its plan's, if there is one."""
    seconds = durations.seconds(ttl) if ttl else settings.ttl_after_finished or None
    return None if seconds is None or state.finished_at is None else state.finished_at + seconds


class _Pass:
    """One pass; lives for the call of ``plan_execution`` only."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.closure = observed.closure
        self.work = Work(observed, observed.state.nodes, observed.state.size)
        self._stopping: dict[str, bool] = {}
        """Of what was under way at the beginning, whether it was to stop."""

    def run(self) -> Plan:
        """Settle everything first, so that a failure anywhere is known before anything starts; then start."""
        self._settle_all()
        settled, done, size = dict(self.work.facts.nodes), tuple(self.work.actions), self.work.size
        learned, wake_at = self.work.learned, self.work.wake_at
        doomed: dict[str, NodeState] = {}
        while True:
            self._count_leaving()
            self._start_all()
            failed = self._ended_as(NodePhase.FAILED, settled)
            if failed.keys() <= doomed.keys():
                break
            doomed |= failed | self._ended_as(NodePhase.SKIPPED, settled)  # a branch not taken stays that
            self.work = Work(self.observed, {**settled, **doomed}, size)
            self.work.actions.extend(done)
            self.work.learned |= learned
            self.work.wake(wake_at)
        return self._plan()

    def _ended_as(self, phase: NodePhase, before: Mapping[str, NodeState]) -> dict[str, NodeState]:
        """The nodes that are in this phase now, and were not."""
        nodes = self.work.facts.nodes
        return {
            name: state
            for name, state in nodes.items()
            if state.phase is phase and (old := before[name]) is not state and old.phase is not phase
        }

    def _plan(self) -> Plan:
        work, nodes = self.work, self.work.facts.nodes
        if not work.facts.calm:
            stopped = (node for name, node in self._under_way() if not self._stopping.get(name, True))
            work.again = work.again or any(work.facts.stopping(node) for node in stopped)
        work.actions.extend(leftovers(self.observed, nodes, work.facts.stopping))
        state = self._conclude()
        return Plan(
            state=state,
            before=tuple(work.before.values()),
            actions=tuple(work.actions),
            transitions=tuple(transitions(self.observed.state.nodes, nodes)),
            wake_at=expires_at(self.observed, state) if state.phase in FINISHED else work.wake_at,
            again=work.again,
            learned=work.learned,
            previous=self.observed.state,
            waiting=work.short_of_room,
        )

    # -- what is the case

    def _settle_all(self) -> None:
        """Fold in what happened. Whether a node is stopping is asked before: two that failed at once both failed."""
        children = (self.observed.pods, self.observed.executions, self.observed.calls)
        with_child = {node for views in children for node in _nodes_of(views)}
        facts = self.work.facts
        self._stopping = {
            name: facts.stopping(self.closure.nodes[name])
            for name, state in facts.nodes.items()
            if (name in with_child if state.phase is NodePhase.PENDING else not state.terminal)
            and self.closure.nodes[name].kind not in (NodeKind.WORKFLOW, NodeKind.SELECT)
        }
        for name, stops in self._stopping.items():
            node = self.closure.nodes[name]
            try:
                self.work.put(node, self._settled(node, stops))
            except NotKnownError as unknown:
                self.work.look_up(unknown.question)
            except InvalidInputsError as wrong:
                self.work.fail(node, wrong.failure)

    def _under_way(self) -> Iterable[tuple[str, Node]]:
        for name, node in self.closure.nodes.items():
            state = self.work.facts.nodes[name]
            if not state.terminal and node.kind not in (NodeKind.WORKFLOW, NodeKind.SELECT):
                yield name, node

    def _settled(self, node: Node, stops: bool) -> NodeState:
        state = self.work.state(node)
        if node.mapped is not None:
            return state if state.elements is None else mapping.settle(self.work, node, stopping=stops)
        if node.kind in waiting.KINDS:
            return state if state.phase is NodePhase.PENDING else waiting.settle(self.work, node, stopping=stops)
        return self._settled_attempt(node, state, stops)

    def _settled_attempt(self, node: Node, before: NodeState, stops: bool) -> NodeState:
        work, target = self.work, self.work.target(node)
        state = settle(target, before, self.observed, stopping=stops)
        if state is before and state.phase is NodePhase.PENDING:
            return state
        state = attempts.expand(work, target, state)
        if not state.terminal:
            work.wake(look_again(target, state, self.observed))
            return state
        if state.phase is NodePhase.SUCCEEDED and state.outputs is not None:
            state = self._kept(node, state)
        return attempts.after(work, target, state, lambda: work.values.complete(node))

    def _kept(self, node: Node, state: NodeState) -> NodeState:
        """A node that succeeded just now, with its outputs where they are kept; or failed, if they are too large."""
        kept = self.work.kept(node.id, state.outputs or {})
        return _failed(state, kept, self.work.now) if isinstance(kept, Failure) else replace(state, outputs=kept)

    # -- what to begin

    def _count_leaving(self) -> None:
        """Pods that are about to be deleted are at work until they are: what takes their place waits as long. (Calls
        are left out: there are thousands, and they end as soon as they are told.)
        """
        facts, pods = self.work.facts, unfinished(self.observed.pods)
        facts.active += sum(_is_left_over(self.observed, facts.nodes, facts.stopping, view) for view in pods)

    def _start_all(self) -> None:
        nodes, states = self.closure.nodes, self.work.facts.nodes
        for visit in self.closure.order:
            state = states[visit.node]
            if state.terminal:
                continue
            node = nodes[visit.node]
            if state.reason == UPSTREAM and self._waits_still(node, state):
                continue
            try:
                if visit.leaving:
                    workflows.leave_scope(self.work, node)
                elif state.phase is NodePhase.PENDING:
                    self._advance(node)
                elif state.elements is not None:
                    mapping.go_on(self.work, node)
            except NotKnownError as unknown:
                self.work.look_up(unknown.question)
            except InvalidInputsError as wrong:
                self.work.fail(node, wrong.failure)

    def _waits_still(self, node: Node, state: NodeState) -> bool:
        """Whether all that there is to say of a node has been said: it waits for the one node before it. In a long
        chain that is nearly every node.
        """
        if len(node.upstreams) != 1 or state.phase is not NodePhase.PENDING or node.handler:
            return False
        facts = self.work.facts
        return facts.calm and not facts.nodes[node.upstreams[0]].terminal and not node.scope

    def _advance(self, node: Node) -> None:
        work = self.work
        match ask(node, work.state(node), work.facts):
            case Hold() as hold:
                work.hold(node, hold)
            case End() as end:
                self._end(node, end)
            case None:
                self._start(node)

    def _end(self, node: Node, end: End) -> None:
        """It ends without a child. A retry that is called off may hold a place in the cache."""
        self.work.end(node, end)
        state = self.work.state(node)
        if state.cache is not None and node.kind is NodeKind.TASK:
            target, inputs = self.work.target(node), lambda: self.work.values.complete(node)
            self.work.put(node, attempts.after(self.work, target, state, inputs))

    def _start(self, node: Node) -> None:
        work = self.work
        if node.mapped is not None:
            mapping.start(work, node)
            mapping.go_on(work, node)
            work.again = True  # an empty one is over, and one that was reused may be
        elif node.kind is NodeKind.WORKFLOW:
            workflows.open_scope(work, node)
        elif node.kind is NodeKind.SELECT:
            workflows.choose(work, node)
        elif node.kind in waiting.KINDS:
            waiting.start(work, node)
        else:
            self._start_attempt(node)

    def _start_attempt(self, node: Node) -> None:
        work, state = self.work, self.work.state(node)
        inputs = work.values.complete(node)
        full = parallelism_full(node, state, work.facts)
        if isinstance(full, Hold):
            work.queue(node, full)
            return
        if work.gave_up(node, state.message):
            return
        begun = attempts.begin(work, work.target(node), work.state(node), inputs)
        if isinstance(begun, Failure):
            work.fail(node, begun)
            return
        state = begun.state
        if state.phase is NodePhase.SUCCEEDED:
            state = self._kept(node, state)
        work.put(node, state)
        if begun.hold is not None:
            work.queue(node, begun.hold)

    # -- the Execution itself

    def _conclude(self) -> ExecutionState:
        observed, work = self.observed, self.work
        root = self.closure.scopes[ROOT]
        error = work.facts.error_of(ROOT)
        state = replace(observed.state, nodes=work.facts.nodes, error=error, size=work.size)
        if state.started_at is None:
            state = replace(state, started_at=observed.now)
        if not workflows.is_over(work, root) or work.again:
            phase = ExecutionPhase.SUSPENDED if observed.suspended else ExecutionPhase.RUNNING
            return replace(state, phase=phase)
        if error is not None:
            return replace(state, phase=ExecutionPhase.FAILED, finished_at=observed.now)
        if observed.cancelled and any(node.phase is NodePhase.CANCELLED for node in state.nodes.values()):
            return replace(state, phase=ExecutionPhase.CANCELLED, finished_at=observed.now)
        return self._deliver(state)

    def _deliver(self, state: ExecutionState) -> ExecutionState:
        """All nodes are over and none failed: the outputs, or why they can't be made. They are written first."""
        work = self.work
        try:
            outputs = deliver(work.facts.nodes, work.values, self.closure.scopes[ROOT])
            kept = outputs if isinstance(outputs, Failure) else work.kept(ROOT, outputs)
        except NotKnownError as unknown:
            work.look_up(unknown.question)
            return replace(state, phase=ExecutionPhase.RUNNING)
        except InvalidInputsError as wrong:
            kept = wrong.failure
        if isinstance(kept, Failure):
            error = ExecutionError(kept)
            return replace(state, phase=ExecutionPhase.FAILED, finished_at=self.observed.now, error=error)
        return replace(state, phase=ExecutionPhase.SUCCEEDED, finished_at=self.observed.now, outputs=kept)


def _nodes_of(children: Mapping[Place, ChildView]) -> Iterable[str]:
    """The nodes that have children."""
    return children.nodes if isinstance(children, Children) else {place.node for place in children}


def _failed(state: NodeState, failure: Failure, now: float) -> NodeState:
    return replace(
        state,
        phase=NodePhase.FAILED,
        finished_at=now,
        reason=failure.code,
        message=failure.message,
        failure=failure,
        outputs=None,
        retry_at=None,
    )


def leftovers(
    observed: Observed, nodes: Mapping[str, NodeState], stopping: Callable[[Node], bool]
) -> Iterable[DeletePod | TellExecution | Recall]:
    """Children that have to go: of nodes that are over, of earlier attempts, and of all that is stopping. Executions
    are told, and end by themselves; they are suspended, and go on, with their parent.
    """
    for view in unfinished(observed.pods):
        if _is_left_over(observed, nodes, stopping, view):
            yield DeletePod(view.node, view.name)
    for view in unfinished(observed.calls):
        if _is_left_over(observed, nodes, stopping, view):
            yield Recall(*view.place)
    for view in unfinished(observed.executions):
        if view.cancelled:
            continue
        if _is_left_over(observed, nodes, stopping, view):
            yield TellExecution(view.node, view.name, "cancel", True)
        elif view.suspended != observed.suspended:
            yield TellExecution(view.node, view.name, "suspend", observed.suspended)


def unfinished(children: Mapping[Any, ChildView]) -> list[ChildView]:
    """Children to which something can still happen."""
    candidates = children.open if isinstance(children, Children) else children
    return [view for view in candidates.values() if not (view.gone or view.deleting or view.ended)]


def _is_left_over(
    observed: Observed, nodes: Mapping[str, NodeState], stopping: Callable[[Node], bool], view: ChildView
) -> bool:
    node, state = observed.closure.nodes.get(view.node), nodes.get(view.node)
    if node is None or state is None or state.terminal or stopping(node):
        return True
    if view.element == ALONE:
        return view.attempt < state.attempt
    if state.elements is None or not state.elements.loaded:
        return False
    mine = state.elements.states.get(view.element)
    if mine is None:
        return not state.elements.waits(view.element)  # one that waits may have been begun before a restart
    return view.attempt < mine.attempt


def transitions(before: Mapping[str, NodeState], after: Mapping[str, NodeState]) -> Iterable[Transition]:
    """The moves of nodes between two states."""
    fresh = NodeState()
    for name, state in after.items():
        old = before.get(name, fresh)
        if old is state or (old.phase, old.attempt, old.reason) == (state.phase, state.attempt, state.reason):
            continue
        yield Transition(name, old.phase, state.phase, state.reason, state.message, state.attempt)


PATIENTLY = frozenset({RETRYING, UPSTREAM, PARALLELISM, NAMESPACE, SUSPENDED, attempts.RESERVED, attempts.CONNECTING})
"""Reasons for which a node waits, and nobody has to look."""


def stuck(observed: Observed, state: ExecutionState) -> tuple[str, str, str] | None:
    """The first node that waits for something that somebody should look at: node, reason, message."""
    for name, node in state.nodes.items():
        if node.reason and (_held(node) or _child_stuck(observed, name, node)):
            return name, node.reason, node.message
        if node.elements is not None and not node.terminal:
            found = _element_stuck(observed, name, node)
            if found is not None:
                return found
    return None


def _held(node: NodeState) -> bool:
    """The API server doesn't take its child at the moment, as ``record`` has it."""
    return node.phase is NodePhase.PENDING and node.reason not in PATIENTLY


def _child_stuck(observed: Observed, name: str, node: NodeState) -> bool:
    if node.phase is not NodePhase.QUEUED:
        return False
    place = (name, node.attempt, ALONE)
    view = observed.pods.get(place) or observed.executions.get(place) or observed.calls.get(place)  # type: ignore[call-overload]
    return view is not None and isinstance(view.evidence, Waiting) and view.evidence.stuck


def _element_stuck(observed: Observed, name: str, node: NodeState) -> tuple[str, str, str] | None:
    assert node.elements is not None
    for index, state in node.elements.states.items():
        child_stuck = state.stuck_since is not None and state.phase is NodePhase.QUEUED
        if child_stuck or (state.reason and _held(state)):
            return name, state.reason, f"element {index}: {state.message}"
    return None
