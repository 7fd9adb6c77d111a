"""A workflow's body → its graph: nodes with bindings, in order of calls.

The body runs once, on promises whose bindings are references. Each call of an entity makes a node `n0`, `n1`, …; a
sub-workflow's calls stand in the same graph. Edges are the references, and what `>>` adds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from windlass import _exceptions
from windlass._calls import Scope, trace
from windlass._modules import caller
from windlass._options import RUN_OPTIONS, overrides
from windlass._promise import Binding, Reference, references
from windlass_api import graph, names
from windlass_api.overrides import effective

if TYPE_CHECKING:
    from windlass._entity import Entity
    from windlass._workflow import Workflow

NODE_OPTIONS = ("name", "node_name", *RUN_OPTIONS)


class Node:
    """A call of an entity."""

    __slots__ = ("after", "entity", "id", "inputs", "location", "name", "overrides")

    def __init__(self, node_id: str, entity: Entity, inputs: dict[str, Binding], location: str) -> None:
        self.id = node_id
        self.entity = entity
        self.name = entity.short_name
        self.inputs = inputs
        self.location = location
        self.after: dict[Node, None] = {}
        self.overrides: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"{self.id} ({self.entity.name}, {self.location})"

    def producers(self) -> set[Node]:
        """The nodes whose outputs it takes."""
        return {ref.producer for ref in references(self.inputs) if isinstance(ref.producer, Node)}

    def upstreams(self) -> set[Node]:
        """All nodes that come before it, by data or by `>>`."""
        return self.producers() | set(self.after)


class Graph:
    """A compiled workflow."""

    __slots__ = ("nodes", "outputs")

    def __init__(self, nodes: list[Node], outputs: dict[str, Binding]) -> None:
        self.nodes = nodes
        self.outputs = outputs


class NodeStep:
    """The nodes behind one call: one for a task, any number for a sub-workflow."""

    def __init__(self, nodes: list[Node], entity: Entity | None) -> None:
        self.nodes = nodes
        self._entity = entity  # None: a sub-workflow, whose calls stand in the caller's graph

    def before(self, later: Any) -> None:
        """Every last node of this comes before every first node of `later`."""
        mine, theirs = set(self.nodes), set(later.nodes)
        fed = {upstream for node in mine for upstream in node.upstreams() if upstream in mine}
        for node in later.nodes:
            if not node.upstreams() & theirs:
                node.after.update((last, None) for last in self.nodes if last not in fed)

    def override(self, options: dict[str, Any]) -> None:
        """Changes how the one node of this runs."""
        check_override_names(options)
        if self._entity is None or not self._entity.takes_overrides:
            what = "workflow" if self._entity is None else self._entity.what
            raise _exceptions.FlyteAssertion(f"{caller()}: this calls a {what}; overrides go on the calls inside it")
        node = self.nodes[0]
        run_options = {name: value for name, value in options.items() if name in RUN_OPTIONS}
        node.overrides = effective(node.overrides, overrides(**run_options))
        node.name = options.get("name", node.name)
        if options.get("node_name") is not None:
            node.id = dns_label(options["node_name"])


class Recorder(Scope):
    """The scope of a compilation."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []

    def run(self, entity: Entity, inputs: dict[str, Binding]) -> tuple[dict[str, Binding], NodeStep]:
        """A call of an entity is a node; its outputs are references to it."""
        node = Node(f"n{len(self.nodes)}", entity, inputs, caller())
        self.nodes.append(node)
        return {name: Reference(node, name) for name in entity.interface.outputs}, NodeStep([node], entity)

    @contextmanager
    def group(self) -> Iterator[NodeStep]:
        """The nodes of a sub-workflow."""
        first = len(self.nodes)
        step = NodeStep([], None)
        yield step
        step.nodes = self.nodes[first:]


def compile_workflow(workflow: Workflow) -> Graph:
    """The graph of a workflow. Raises, with file and line of the call, at what does not fit."""
    recorder = Recorder()
    outputs = trace(recorder, workflow, {name: Reference(None, name) for name in workflow.interface.inputs})
    _check_ids(recorder.nodes)
    _check_order(recorder.nodes)
    return Graph(recorder.nodes, outputs)


def check_override_names(options: dict[str, Any]) -> None:
    """Refuses what `with_overrides` does not know."""
    unknown = [name for name in options if name not in NODE_OPTIONS]
    if unknown:
        raise TypeError(f"{caller()}: with_overrides takes no {', '.join(unknown)}; it takes {', '.join(NODE_OPTIONS)}")


def dns_label(name: str) -> str:
    """A node's id from what the author calls it: `_`, `.` and blanks become `-`, a capital `-` and its small letter."""
    spelled = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
    label = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in spelled).strip("-")
    if len(label) > names.MAX_LABEL:
        label = f"{names.content_hash(label)[:8]}-{label[-(names.MAX_LABEL - 9) :].strip('-')}"
    if not label:
        raise ValueError(f"{caller()}: node_name={name!r} has no letter or digit in it")
    return label


def _check_ids(nodes: list[Node]) -> None:
    seen: dict[str, Node] = {}
    for node in nodes:
        if node.id in seen:
            raise _exceptions.FlyteAssertion(
                f"two nodes have the id {node.id}: {seen[node.id]} and {node}; give one another node_name"
            )
        seen[node.id] = node


def _check_order(nodes: list[Node]) -> None:
    try:
        graph.topological_order({node.id: tuple(upstream.id for upstream in node.upstreams()) for node in nodes})
    except graph.CycleError as error:
        by_id = {node.id: node for node in nodes}
        raise _exceptions.FlyteAssertion(
            f"{error}:\n  " + "\n  ".join(f"{by_id[id]}" for id in error.cycle)  # noqa: A001  the contract's word
        ) from None
