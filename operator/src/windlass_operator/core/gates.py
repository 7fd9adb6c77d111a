"""May this node start now? Each gate is one rule, true by itself; ``GATES`` is the order in which they are asked.

A gate answers with a verdict, or with None: *nothing of mine stands in the way*. A node that passes every gate starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from windlass_api import cel, refs
from windlass_operator.core.closure import ROOT, RUNS, Node
from windlass_operator.core.facts import Facts
from windlass_operator.core.observed import NodeState
from windlass_operator.core.states import NodePhase
from windlass_operator.kinds.evidence import Failure, FailureKind


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now; ``until`` (seconds since the epoch) says when asking again is worth it, if only time is in the way."""

    until: float | None = None
    reason: str = ""
    """What it waits for, in a word; without one, what was said before still holds."""
    message: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """Never: the node ends here, without a child."""

    phase: NodePhase
    reason: str
    message: str = ""
    failure: Failure | None = None


Verdict = Hold | End

UPSTREAM, PARALLELISM, NAMESPACE, SUSPENDED = "Upstream", "ParallelismLimit", "NamespaceLimit", "Suspended"
"""Reasons of nodes that wait for others, for this run's pods, for those of the namespace, or for a person."""
NO_FAILURE = "NoFailure"
"""The reason of a handler that there was nothing to do for."""
NO_ROOM = "all pods that this namespace may have at the moment are at work"


def scope_not_open(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """The workflow that it is in has not begun, or is over already."""
    if node.scope == ROOT:
        return None
    around = facts.nodes[node.scope]
    if node.handler and around.phase is NodePhase.SUCCEEDED:  # a restart: no status tells of it
        return End(NodePhase.SKIPPED, NO_FAILURE)
    if around.terminal:
        phase = NodePhase.SKIPPED if around.phase is NodePhase.SKIPPED else NodePhase.CANCELLED
        return End(phase, "WorkflowOver", f"{node.scope} ended before it could start")
    if around.phase is NodePhase.PENDING:
        return Hold()
    return None


def execution_stopping(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """The Execution was cancelled, or what it is a part of has failed: nothing new starts."""
    return End(NodePhase.CANCELLED, "Cancelled") if facts.stopping(node) else None


def failure_not_here(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """What handles a failure waits until everything else is over, and there is one."""
    if not node.handler:
        return None
    if not facts.all_over(node.scope):
        return Hold()
    return None if facts.broken(node.scope) else End(NodePhase.SKIPPED, NO_FAILURE)


def upstream_unfinished(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """Everything it depends on is over first."""
    unfinished = [upstream for upstream in node.upstreams if not facts.nodes[upstream].terminal]
    if not unfinished:
        return None
    more = " and others" if len(unfinished) > 1 else ""
    return Hold(reason=UPSTREAM, message=f"waits for {unfinished[0]}{more}")


def upstream_failed(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """Nothing comes after a node that failed or was cancelled (one may have failed in this very pass)."""
    if any(facts.nodes[upstream].phase in (NodePhase.FAILED, NodePhase.CANCELLED) for upstream in node.upstreams):
        return End(NodePhase.CANCELLED, "UpstreamFailed")
    return None


def source_skipped(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """A node whose input would come from a skipped node is skipped as well."""
    for source in node.upstreams:
        if source in node.sources and facts.nodes[source].phase is NodePhase.SKIPPED:
            return End(NodePhase.SKIPPED, "UpstreamSkipped", f"it reads from {source}, which was skipped")
    return None


def backing_off(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """A retry waits for its time."""
    if state.retry_at is not None and state.retry_at > facts.observed.now:
        return Hold(until=state.retry_at)
    return None


def condition_false(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """Its ``when`` says no. Asked once: a retry of a node that has started doesn't ask again."""
    if node.when is None or state.attempt > 0:
        return None
    wanted = holds(node.when, node, facts)
    if isinstance(wanted, End):
        return wanted
    return None if wanted else End(NodePhase.SKIPPED, "ConditionFalse", f"when: {node.when}")


def suspended(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """Somebody asked that nothing new starts for the time being."""
    return Hold(reason=SUSPENDED, message="the execution is suspended") if facts.observed.suspended else None


def parallelism_full(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """Only so many nodes and elements of one Execution are at work at a time, and so many pods of a namespace."""
    if node.kind not in RUNS or node.mapped is not None:
        return None
    if facts.uncounted:
        return Hold()
    if state.unsure:  # it has its place already
        return None
    if facts.active >= facts.limit(node):
        return Hold(reason=PARALLELISM, message=f"{facts.active} of {facts.limit(node)} are at work already")
    if not facts.has_room(node):
        return Hold(reason=NAMESPACE, message=NO_ROOM)
    return None


GATES: tuple[Callable[[Node, NodeState, Facts], Verdict | None], ...] = (
    scope_not_open,
    execution_stopping,
    failure_not_here,
    upstream_unfinished,
    upstream_failed,
    source_skipped,
    backing_off,
    condition_false,
    suspended,
)
"""What comes before a node's own business. ``parallelism_full`` is asked at last, of those that need a child."""


def ask(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """The first verdict, or None when the node may start."""
    for gate in GATES:
        verdict = gate(node, state, facts)
        if verdict is not None:
            return verdict
    return None


def holds(when: cel.Expression, node: Node, facts: Facts) -> bool | End:
    """Whether a condition is true; or the end of its node, where that can't be told."""
    try:
        wanted = when.evaluate(facts.values.readable(node.scope))
    except (cel.CelError, refs.RefValueError) as problem:
        return _wrong_condition(when, str(problem))
    if wanted is True or wanted is False:
        return bool(wanted)
    return _wrong_condition(when, f"it gave {wanted!r}, not true or false")


def _wrong_condition(when: cel.Expression, why: str) -> End:
    message = f"when: {when}: {why}"
    return End(NodePhase.FAILED, "InvalidCondition", message, Failure(FailureKind.USER, "InvalidCondition", message))
