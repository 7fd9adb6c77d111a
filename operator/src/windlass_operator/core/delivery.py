"""The outputs of a workflow whose nodes are over: what its nodes gave, or why that is no result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_api import refs, types
from windlass_operator.core.closure import Scope
from windlass_operator.core.observed import NodeState
from windlass_operator.core.states import NodePhase
from windlass_operator.core.values import Values
from windlass_operator.kinds.evidence import Failure, FailureKind


def deliver(nodes: Mapping[str, NodeState], values: Values, scope: Scope) -> Mapping[str, Any] | Failure:
    """The outputs of a workflow whose nodes are over, and none failed; or why they can't be made.

    Raises:
        InvalidInputsError: a value is lost.
        NotKnownError: one has to be read first.
    """
    outputs: dict[str, Any] = {}
    for name, output in scope.outputs.items():
        value = _output(nodes, values, scope, name, output)
        if isinstance(value, Failure):
            return value
        outputs[name] = value
    return outputs


def _output(
    nodes: Mapping[str, NodeState], values: Values, scope: Scope, name: str, output: Mapping[str, Any]
) -> Any | Failure:
    where = f"nodes.{scope.id}: outputs.{name}" if scope.id else f"outputs.{name}"
    prefix = f"{scope.id}." if scope.id else ""
    for _, ref in refs.iter_refs(output["from"]):
        if ref.node is not None and nodes[prefix + ref.node].phase is NodePhase.SKIPPED:
            if types.check_value(None, types.parse_type(output["type"])):
                kind = output["type"]
                message = f"{where}: node {ref.node} was skipped, and {kind} can't be null; use optional[{kind}]"
                return Failure(FailureKind.USER, "OutputSkipped", message)
            return None
    try:
        return refs.resolve(output["from"], values.lookup(scope.id))
    except refs.RefValueError as problem:
        return Failure(FailureKind.USER, "UnresolvableReference", f"{where}: {problem}")
