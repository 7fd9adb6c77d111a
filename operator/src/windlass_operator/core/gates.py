"""May this node start now? Each gate is one rule, true by itself; ``GATES`` is the order in which they are asked.

A gate answers with a verdict, or with None: *nothing of mine stands in the way*. A node that passes every gate starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from windlass_api import cel, refs
from windlass_operator.core.closure import Node
from windlass_operator.core.observed import NodeState, Observed
from windlass_operator.core.states import NodePhase
from windlass_operator.kinds.evidence import Failure, FailureKind


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now; ``until`` (seconds since the epoch) says when asking again is worth it, if only time is in the way."""

    until: float | None = None


@dataclass(frozen=True, slots=True)
class End:
    """Never: the node ends here, without a pod."""

    phase: NodePhase
    reason: str
    message: str = ""
    failure: Failure | None = None


Verdict = Hold | End


@dataclass(slots=True)
class Facts:
    """What gates may look at: the observation, the nodes settled so far in this pass, and how many pods are
    unfinished.
    """

    observed: Observed
    nodes: Mapping[str, NodeState]
    stopping: bool
    active: int


def execution_stopping(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """The Execution was cancelled, or a node of it failed: nothing new starts."""
    return End(NodePhase.CANCELLED, "Cancelled") if facts.stopping else None


def upstream_unfinished(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """Everything it depends on is over first."""
    return None if all(facts.nodes[upstream].terminal for upstream in node.upstreams) else Hold()


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
    try:
        wanted = node.when.evaluate(lookup(facts))
    except (cel.CelError, refs.RefValueError) as problem:
        return _wrong_condition(node, str(problem))
    if wanted is True:
        return None
    if wanted is False:
        return End(NodePhase.SKIPPED, "ConditionFalse", f"when: {node.when}")
    return _wrong_condition(node, f"it gave {wanted!r}, not true or false")


def parallelism_full(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """Only so many pods of one Execution are unfinished at a time."""
    return Hold() if facts.active >= facts.observed.settings.max_parallel_pods else None


GATES: tuple[Callable[[Node, NodeState, Facts], Verdict | None], ...] = (
    execution_stopping,
    upstream_unfinished,
    upstream_failed,
    source_skipped,
    backing_off,
    condition_false,
    parallelism_full,
)


def ask(node: Node, state: NodeState, facts: Facts) -> Verdict | None:
    """The first verdict, or None when the node may start."""
    for gate in GATES:
        verdict = gate(node, state, facts)
        if verdict is not None:
            return verdict
    return None


def lookup(facts: Facts) -> Callable[[refs.Ref], Any]:
    """What a reference of a node means: the value of an input of the Execution, or of an output of a node that is
    over.
    """
    closure, given = facts.observed.closure, facts.observed.spec.get("inputs") or {}

    def find(ref: refs.Ref) -> Any:
        if ref.node is None:
            value = given[ref.name] if ref.name in given else closure.inputs[ref.name].get("default")
        else:
            value = (facts.nodes[ref.node].outputs or {})[ref.name]
        return refs.walk(value, ref.path) if ref.path else value

    return find


def _wrong_condition(node: Node, why: str) -> End:
    message = f"when: {node.when}: {why}"
    return End(NodePhase.FAILED, "InvalidCondition", message, Failure(FailureKind.USER, "InvalidCondition", message))
