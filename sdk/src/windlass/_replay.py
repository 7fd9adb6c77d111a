"""A compiled graph once more, in another scope: run here, or put into the graph of a caller.

A workflow that was built step by step has no body to run again; its nodes are taken instead, in an order that respects
what waits for what, with the caller's values in place of its inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from windlass import _exceptions
from windlass._compile import Graph, Node, in_order
from windlass._promise import Binding, Reference, part_of
from windlass_api import refs

if TYPE_CHECKING:
    from windlass._calls import Scope


def replay(graph: Graph, scope: Scope, inputs: Mapping[str, Binding]) -> dict[str, Binding]:
    """The bindings of the graph's outputs."""
    outputs: dict[Node, dict[str, Binding]] = {}

    def fill(binding: Binding) -> Binding:
        if isinstance(binding, Reference):
            producer = binding.producer
            found = outputs[producer][binding.name] if isinstance(producer, Node) else inputs[binding.name]
            return _part(found, binding)
        if isinstance(binding, Mapping):
            return {name: fill(item) for name, item in binding.items()}
        if isinstance(binding, list):
            return [fill(item) for item in binding]
        return binding

    made: dict[Node, Node] = {}
    for node in in_order(graph.nodes):
        outputs[node] = scope.again(node, fill, made)
    return {name: fill(binding) for name, binding in graph.outputs.items()}


def _part(value: Binding, reference: Reference) -> Binding:
    try:
        for key in reference.path:
            value = part_of(value, key)
    except refs.RefValueError as error:
        raise _exceptions.FlytePromiseAttributeResolveException(f"{reference}: {error}") from None
    return value
