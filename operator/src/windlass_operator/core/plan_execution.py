"""One pass over one Execution: a pure function from what is observed to what should be done.

::

    for each node, upstreams first:   evidence ──settle──► state ──gates──► hold │ end │ start (inputs → pod)
    then, over all of them:           finished? failing? which pods must go? ──► the Execution's own state

``plan_execution`` neither knows nor cares whether it runs in the operator, in ``windlass-operator plan``, or in a
simulation. Planning again after applying yields nothing new, so it may be called as often as one likes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from windlass_api import names, refs, types
from windlass_operator.core.actions import Action, CreatePod, CreateValue, DeletePod
from windlass_operator.core.closure import Node
from windlass_operator.core.gates import End, Facts, Hold, ask, lookup
from windlass_operator.core.inputs import prepare
from windlass_operator.core.observed import ExecutionError, ExecutionState, NodeState, Observed, PodView
from windlass_operator.core.settling import RETRYING, settle
from windlass_operator.core.states import ACTIVE, FINISHED, ExecutionPhase, NodePhase
from windlass_operator.kinds import kind_of
from windlass_operator.kinds.evidence import Failed, Failure, FailureKind, Succeeded, Waiting
from windlass_operator.manifests.objects import owner_reference, value_config_map
from windlass_operator.manifests.pod import PodAsk


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


def plan_execution(observed: Observed) -> Plan:
    """Plan the next step of an Execution."""
    if observed.state.phase in FINISHED:
        return Plan(observed.state, actions=tuple(leftovers(observed.pods, observed.state.nodes)))
    return _Pass(observed).run()


class _Pass:
    """The working state of one pass. It lives for the call of ``plan_execution`` only."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.nodes: dict[str, NodeState] = {
            name: observed.state.nodes.get(name, NodeState()) for name in observed.closure.nodes
        }
        self.error = observed.state.error
        self.size = observed.state.size
        self.facts = Facts(observed, self.nodes, stopping=observed.cancelled or self.error is not None, active=0)
        self.before: dict[str, CreateValue] = {}
        self.actions: list[Action] = []
        self.wake_at: float | None = None

    def run(self) -> Plan:
        """Settle everything first, so that a failure anywhere is known before anything starts; then ask the gates."""
        for node in self.observed.closure.nodes.values():
            self._settle(node)
        self._notice_failure()
        self.facts.active = sum(state.phase in ACTIVE for state in self.nodes.values())
        for node in self.observed.closure.nodes.values():
            if self.nodes[node.id].phase is NodePhase.PENDING:
                self._advance(node)
        if self._notice_failure():
            self._call_off()
        self.actions.extend(leftovers(self.observed.pods, self.nodes, stopping=self.facts.stopping))
        state = self._conclude()
        return Plan(
            state=state,
            before=tuple(self.before.values()),
            actions=tuple(self.actions),
            transitions=tuple(transitions(self.observed.state.nodes, self.nodes)),
            wake_at=None if state.phase in FINISHED else self.wake_at,
        )

    def _settle(self, node: Node) -> None:
        before = self.nodes[node.id]
        state = settle(node, before, self.observed, stopping=self.facts.stopping)
        if state.outputs is not None and before.outputs is None:
            state = self._stored(state)
        self.nodes[node.id] = state
        if state.stuck_since is not None:
            self._wake(state.stuck_since + self.observed.settings.image_pull_grace)

    def _stored(self, state: NodeState) -> NodeState:
        """A node that succeeded just now, if its outputs still fit into the status."""
        size, limit = self.size + len(names.canonical_json(state.outputs)), self.observed.settings.status_limit
        if size > limit:
            message = f"the outputs of all nodes together have {size} bytes; a status has room for {limit}; return less"
            failure = Failure(FailureKind.USER, "StatusTooLarge", message)
            return replace(self._ended(state, End(NodePhase.FAILED, failure.code, message, failure)), outputs=None)
        self.size = size
        return state

    def _notice_failure(self) -> bool:
        """Remember the first failed node; from then on nothing starts. True when it is new."""
        if self.error is not None:
            return False
        failed = [
            (state.finished_at or 0.0, name) for name, state in self.nodes.items() if state.phase is NodePhase.FAILED
        ]
        if not failed:
            return False
        name = min(failed)[1]
        self.error = ExecutionError(_failure_of(self.nodes[name]), name)
        self.facts.stopping = True
        return True

    def _call_off(self) -> None:
        """A node ended badly while others were being started in this very pass: start none of them."""
        self.before.clear()
        started = {action.node for action in self.actions if isinstance(action, CreatePod)}
        for name, state in self.nodes.items():
            if name in started or state.phase is NodePhase.PENDING:
                self.nodes[name] = self._ended(state, End(NodePhase.CANCELLED, "Cancelled"))
        self.actions.clear()

    def _advance(self, node: Node) -> None:
        verdict = ask(node, self.nodes[node.id], self.facts)
        match verdict:
            case Hold():
                if verdict.until is not None:
                    self._wake(verdict.until)
            case End():
                self.nodes[node.id] = self._ended(self.nodes[node.id], verdict)
            case None:
                self._start(node)

    def _start(self, node: Node) -> None:
        state, observed = self.nodes[node.id], self.observed
        inputs = prepare(node, lookup(self.facts), observed.settings)
        if isinstance(inputs, Failure):
            self.nodes[node.id] = self._ended(state, End(NodePhase.FAILED, inputs.code, inputs.message, inputs))
            return
        owner = owner_reference("Execution", observed.name, observed.uid)
        for digest, data in inputs.large.items():
            name = names.value_name(observed.name, digest)
            self.before[name] = CreateValue(
                name, value_config_map(name, observed.namespace, data, observed.name, owner)
            )
        pod = _pod_ask(node, state.attempt, inputs.document, tuple(inputs.large), observed)
        self.actions.append(CreatePod(node.id, state.attempt, pod.name, kind_of(node.spec).desired(pod)))
        self.facts.active += 1
        self.nodes[node.id] = replace(
            state,
            phase=NodePhase.QUEUED,
            started_at=state.started_at if state.started_at is not None else observed.now,
            reason="",
            message="",
            retry_at=None,
        )

    def _ended(self, state: NodeState, end: End) -> NodeState:
        return replace(
            state,
            phase=end.phase,
            reason=end.reason,
            message=end.message,
            failure=end.failure,
            finished_at=self.observed.now,
            retry_at=None,
        )

    def _wake(self, when: float) -> None:
        if when > self.observed.now:
            self.wake_at = when if self.wake_at is None else min(self.wake_at, when)

    def _conclude(self) -> ExecutionState:
        observed = self.observed
        state = replace(observed.state, nodes=self.nodes, error=self.error, size=self.size)
        if state.started_at is None:
            state = replace(state, started_at=observed.now)
        if not all(node.terminal for node in self.nodes.values()):
            return replace(state, phase=ExecutionPhase.RUNNING)
        if self.error is not None:
            return replace(state, phase=ExecutionPhase.FAILED, finished_at=observed.now)
        if observed.cancelled and any(node.phase is NodePhase.CANCELLED for node in self.nodes.values()):
            return replace(state, phase=ExecutionPhase.CANCELLED, finished_at=observed.now)
        return self._deliver(state)

    def _deliver(self, state: ExecutionState) -> ExecutionState:
        """All nodes are over and none failed: the outputs, or why they can't be made."""
        outputs: dict[str, Any] = {}
        for name, output in self.observed.closure.outputs.items():
            value = self._output(name, output)
            if isinstance(value, Failure):
                error = ExecutionError(value)
                return replace(state, phase=ExecutionPhase.FAILED, finished_at=self.observed.now, error=error)
            outputs[name] = value
        return replace(state, phase=ExecutionPhase.SUCCEEDED, finished_at=self.observed.now, outputs=outputs)

    def _output(self, name: str, output: Mapping[str, Any]) -> Any | Failure:
        for _, ref in refs.iter_refs(output["from"]):
            if ref.node is not None and self.nodes[ref.node].phase is NodePhase.SKIPPED:
                if types.check_value(None, types.parse_type(output["type"])):
                    kind = output["type"]
                    message = (
                        f"outputs.{name}: node {ref.node} was skipped, and {kind} can't be null; use optional[{kind}]"
                    )
                    return Failure(FailureKind.USER, "OutputSkipped", message)
                return None
        try:
            return refs.resolve(output["from"], lookup(self.facts))
        except refs.RefValueError as problem:
            return Failure(FailureKind.USER, "UnresolvableReference", f"outputs.{name}: {problem}")


def _pod_ask(node: Node, attempt: int, inputs: Mapping[str, Any], large: tuple[str, ...], observed: Observed) -> PodAsk:
    return PodAsk(
        execution=observed.name,
        namespace=observed.namespace,
        uid=observed.uid,
        node=node.id,
        attempt=attempt,
        task=node.task,
        spec=node.spec,
        inputs=inputs,
        code=node.code,
        values=large,
        settings=observed.settings,
    )


def leftovers(
    pods: Mapping[tuple[str, int], PodView], nodes: Mapping[str, NodeState], *, stopping: bool = False
) -> Iterable[DeletePod]:
    """Pods that have to go: of nodes that are over, of earlier attempts, and all of them when the Execution is
    stopping.
    """
    for (node, attempt), view in pods.items():
        if view.gone or view.deleting or isinstance(view.evidence, Succeeded | Failed):
            continue
        state = nodes.get(node)
        if stopping or state is None or state.terminal or attempt < state.attempt:
            yield DeletePod(node, view.name)


def _failure_of(state: NodeState) -> Failure:
    return state.failure or Failure(FailureKind.USER, state.reason or "Failed", state.message)


def transitions(before: Mapping[str, NodeState], after: Mapping[str, NodeState]) -> Iterable[Transition]:
    """The moves of nodes between two states."""
    fresh = NodeState()
    for name, state in after.items():
        old = before.get(name, fresh)
        if old is state or (old.phase, old.attempt, old.reason) == (state.phase, state.attempt, state.reason):
            continue
        yield Transition(name, old.phase, state.phase, state.reason, state.message, state.attempt)


def stuck(observed: Observed, state: ExecutionState) -> tuple[str, str, str] | None:
    """The first node that waits for something that somebody should look at: node, reason, message."""
    for name, node in state.nodes.items():
        if node.reason and (_held(node) or _pod_stuck(observed.pods.get((name, node.attempt)), node)):
            return name, node.reason, node.message
    return None


def _held(node: NodeState) -> bool:
    """The API server doesn't take its pod at the moment, as ``record`` has it."""
    return node.phase is NodePhase.PENDING and node.reason != RETRYING


def _pod_stuck(view: PodView | None, node: NodeState) -> bool:
    if node.phase is not NodePhase.QUEUED or view is None:
        return False
    return isinstance(view.evidence, Waiting) and view.evidence.stuck
