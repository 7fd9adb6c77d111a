"""Nodes without a child: workflows inside the workflow, and choices among what others gave.

A workflow's node is Running while the nodes of its scope are at work; it is left after the last of them was visited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from windlass_api import refs
from windlass_operator.core.closure import Node, Scope
from windlass_operator.core.delivery import deliver
from windlass_operator.core.gates import End, holds
from windlass_operator.core.states import NodePhase
from windlass_operator.core.work import Work, succeeded
from windlass_operator.kinds.evidence import Failure, FailureKind


def open_scope(work: Work, node: Node) -> None:
    """The workflow begins: its inputs are there, and of their types."""
    work.values.complete(node)
    work.put(node, replace(work.state(node), phase=NodePhase.RUNNING, started_at=work.now, reason="", message=""))


def leave_scope(work: Work, node: Node) -> None:
    """The workflow ends, if all of it is over."""
    state, scope = work.state(node), work.observed.closure.scopes[node.id]
    if state.phase is not NodePhase.RUNNING or not is_over(work, scope):
        return
    error = work.facts.error_of(node.id)
    if error is not None:
        work.fail(node, error.failure)
    elif any(work.facts.nodes[member].phase is NodePhase.CANCELLED for member in scope.members):
        work.end(node, End(NodePhase.CANCELLED, "Cancelled"))
    else:
        outputs = deliver(work.facts.nodes, work.values, scope)
        kept = outputs if isinstance(outputs, Failure) else work.kept(node.id, outputs)
        if isinstance(kept, Failure):
            work.fail(node, kept)
        else:
            work.put(node, succeeded(state, kept, work.now))


def is_over(work: Work, scope: Scope) -> bool:
    """Whether nothing of a scope goes on, its handler included."""
    handled = scope.handler is None or work.facts.nodes[scope.handler].terminal
    return work.facts.all_over(scope.id) and handled


def choose(work: Work, node: Node) -> None:
    """A ``select``: the first case whose condition is true counts."""
    for case in node.cases:
        wanted = True if case.when is None else holds(case.when, node, work.facts)
        if isinstance(wanted, End):
            work.end(node, wanted)
            return
        if not wanted:
            continue
        if case.fail is not None:
            work.fail(node, Failure(FailureKind.USER, "USER:ValueError", case.fail, "ValueError"))
            return
        _take(work, node, case.outputs)
        return
    work.end(node, End(NodePhase.SKIPPED, "NoCase", "no case of the select is true"))


def _take(work: Work, node: Node, outputs: Mapping[str, Any]) -> None:
    try:
        chosen = refs.resolve(outputs, work.values.lookup(node.scope))
    except refs.RefValueError as problem:
        message = f"nodes.{node.id}.select: {problem}"
        work.fail(node, Failure(FailureKind.USER, "UnresolvableReference", message))
        return
    kept = work.kept(node.id, chosen)
    if isinstance(kept, Failure):
        work.fail(node, kept)
    else:
        work.put(node, succeeded(work.state(node), kept, work.now))
