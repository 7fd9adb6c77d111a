"""A graph → what a Workflow object says of it: nodes, bindings, conditions.

Emission uses it for workflows, the pod of a dynamic task for the calls that its body made; so it is light, and stands
below both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from windlass import _exceptions
from windlass._bindings import kind_of
from windlass._promise import Binding, Reference, references
from windlass_api import refs

if TYPE_CHECKING:
    from windlass._compile import Case, Graph, Node
    from windlass._entity import Entity

Spec = dict[str, Any]


def graph_spec(graph: Graph) -> Spec:
    """What a Workflow says of its graph, but for the outputs."""
    spec: Spec = {}
    if graph.nodes:
        place = {node: position for position, node in enumerate(graph.nodes)}
        spec["nodes"] = [_node(node, place) for node in graph.nodes]
    if graph.failure is not None:
        spec["onFailure"] = _node(graph.failure, {})
    return spec


def made_by(entity: Entity, graph: Graph) -> Spec:
    """The Workflow of a graph that was made while a dynamic task ran: its values are in it, it has no inputs."""
    outputs = {output: typed(python_type) for output, python_type in entity.interface.outputs.items()}
    for output, binding in graph.outputs.items():
        outputs[output]["from"] = encode(binding)
    return ({"outputs": outputs} if outputs else {}) | graph_spec(graph)


def typed(python_type: Any) -> Spec:
    """An input or output of a Python type, as far as the type goes."""
    kind = kind_of(python_type)
    declared: Spec = {"type": str(kind.type)}
    if kind.schema is not None:
        declared["schema"] = kind.schema
    return declared


def encode(binding: Binding) -> Any:
    """A binding as it stands in a manifest: references as `$ref`, literal mappings with `$` keys under `$literal`."""
    if isinstance(binding, Reference):
        return {refs.REF: binding.spelled()}
    if isinstance(binding, list):
        return [encode(item) for item in binding]
    if not isinstance(binding, Mapping):
        return binding
    dollar = next((key for key in binding if key.startswith("$")), None)
    if dollar is None:
        return {key: encode(item) for key, item in binding.items()}
    if any(references(binding)):
        raise _exceptions.FlyteAssertion(
            f"a dict with the key {dollar!r} can't hold promises: keys with $ are the manifest's own"
        )
    return refs.escape(binding)


def _node(node: Node, place: dict[Node, int]) -> Spec:
    spec: Spec = {"id": node.id, "name": node.name}
    if node.cases:
        spec["select"] = [_case(case) for case in node.cases]
    else:
        spec.update(node.entity.target())
    if node.inputs:
        spec["inputs"] = {name: encode(binding) for name, binding in node.inputs.items()}
    when = node.when() if node.guards else None
    if when is not None:
        spec["when"] = when
    if node.after:
        after = sorted(set(node.after) - node.producers(), key=place.__getitem__)
        if after:
            spec["dependsOn"] = [upstream.id for upstream in after]
    if node.overrides:
        spec["overrides"] = node.overrides
    return spec


def _case(case: Case) -> Spec:
    spec: Spec = {}
    if case.condition is not None:
        spec["when"] = case.condition.text()
    if case.failure is not None:
        spec["fail"] = case.failure
    else:
        spec["outputs"] = {name: encode(binding) for name, binding in case.outputs.items()}
    return spec
