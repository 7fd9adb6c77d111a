"""A workflow's body → its graph: nodes with bindings, in order of calls.

The body runs once, on promises whose bindings are references. Each call of an entity makes a node `n0`, `n1`, …; a
sub-workflow's calls stand in the same graph. Edges are the references, and what `>>` adds. A node made in a branch of a
`conditional` carries the branch as a guard, and the conditional's end is a node with cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from windlass import _exceptions
from windlass._calls import Fill, Scope, trace
from windlass._modules import caller
from windlass._options import check_override_names, override
from windlass._promise import Binding, Reference, references
from windlass_api import graph as order, names
from windlass_api.overrides import effective

if TYPE_CHECKING:
    from windlass._comparison import Condition
    from windlass._conditional import Section
    from windlass._entity import Entity
    from windlass._workflow import Workflow


_LABELS = frozenset({"name", "node_name"})  # what can be said of any node


class Guard:
    """A branch of a conditional, on the nodes that are made in it: all of the conditions are true there."""

    __slots__ = ("conditions", "section")

    def __init__(self, section: Any, conditions: tuple[Condition, ...]) -> None:
        self.section = section
        self.conditions = conditions

    def filled(self, fill: Fill) -> Guard:
        """The same about other values."""
        return Guard(self.section, tuple(condition.filled(fill) for condition in self.conditions))


class Case:
    """What a conditional's node gives where the condition is true: outputs, or a failure."""

    __slots__ = ("condition", "failure", "outputs")

    def __init__(self, condition: Condition | None, outputs: dict[str, Binding], failure: str | None) -> None:
        self.condition = condition
        self.outputs = outputs
        self.failure = failure

    def filled(self, fill: Fill) -> Case:
        """The same about other values."""
        condition = None if self.condition is None else self.condition.filled(fill)
        return Case(condition, fill(self.outputs), self.failure)


class Node:
    """A call of an entity. With `cases`, it chooses among the outputs of others instead."""

    __slots__ = ("after", "cases", "entity", "guards", "id", "image_specs", "inputs", "location", "name", "overrides")

    def __init__(
        self, node_id: str, entity: Entity, inputs: dict[str, Binding], location: str, guards: tuple[Guard, ...] = ()
    ) -> None:
        self.id = node_id
        self.entity = entity
        self.name = entity.short_name
        self.inputs = inputs
        self.location = location
        self.guards = guards
        self.cases: tuple[Case, ...] = ()
        self.after: dict[Node, None] = {}
        self.overrides: dict[str, Any] = {}
        self.image_specs: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"{self.id} ({self.entity.name}, {self.location})"

    def when(self) -> str | None:
        """Its condition in CEL."""
        conditions = [condition for guard in self.guards for condition in guard.conditions]
        if not conditions:
            return None
        from windlass._comparison import conjunction  # noqa: PLC0415  only workflows with conditions need it

        return conjunction(conditions)

    def references(self) -> Iterator[Reference]:
        """All references in it."""
        yield from references(self.inputs)
        for guard in self.guards:
            yield from compared(guard.conditions)
        for case in self.cases:
            yield from references(case.outputs)
            if case.condition is not None:
                yield from compared((case.condition,))

    def producers(self) -> set[Node]:
        """The nodes whose outputs it takes."""
        return {ref.producer for ref in self.references() if isinstance(ref.producer, Node)}

    def upstreams(self) -> set[Node]:
        """All nodes that come before it, by data or by `>>`."""
        return self.producers() | set(self.after)


class Graph:
    """A compiled workflow. `failure` is the node that runs when it has failed."""

    __slots__ = ("failure", "nodes", "outputs")

    def __init__(self, nodes: list[Node], outputs: dict[str, Binding], failure: Node | None = None) -> None:
        self.nodes = nodes
        self.outputs = outputs
        self.failure = failure


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
        if self._entity is None or not (self._entity.takes_overrides or _LABELS.issuperset(options)):
            what = "workflow" if self._entity is None else self._entity.what
            raise _exceptions.FlyteAssertion(f"{caller()}: this calls a {what}; overrides go on the calls inside it")
        node = self.nodes[0]
        current = effective(self._entity.overrides, node.overrides)
        fields, said = override(options, current, getattr(self._entity, "settings", None))
        node.overrides = effective(node.overrides, fields)
        node.name = said.name or node.name
        node.image_specs = said.image_specs or node.image_specs
        if said.node_id is not None:
            node.id = dns_label(said.node_id)


class Recorder(Scope):
    """The scope of a compilation. Its nodes are called n0, n1, …, or with another prefix."""

    def __init__(self, prefix: str = "n") -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self._prefix = prefix
        self._guards: tuple[Guard, ...] = ()
        self._branched = False

    def run(self, entity: Entity, inputs: dict[str, Binding]) -> tuple[dict[str, Binding], NodeStep]:
        """A call of an entity is a node; its outputs are references to it."""
        node = self._add(entity, inputs, caller())
        return {name: Reference(node, name) for name in entity.interface.outputs}, NodeStep([node], entity)

    def again(self, node: Node, fill: Fill, made: dict[Node, Node]) -> dict[str, Binding]:
        """A node of another graph becomes one of this."""
        copy = self._add(node.entity, fill(node.inputs), node.location)
        copy.guards += tuple(guard.filled(fill) for guard in node.guards)
        copy.cases = tuple(case.filled(fill) for case in node.cases)
        copy.name = node.name
        copy.overrides = node.overrides
        copy.image_specs = node.image_specs
        copy.after = {made[upstream]: None for upstream in node.after}
        made[node] = copy
        return {name: Reference(copy, name) for name in node.entity.interface.outputs}

    def mark(self) -> int:
        """How many nodes there are."""
        return len(self.nodes)

    def between(self, *marks: tuple[int, int]) -> NodeStep:
        """The nodes made meanwhile."""
        return NodeStep([node for start, end in marks for node in self.nodes[start:end]], None)

    @property
    def depth(self) -> int:
        """How many branches are open."""
        return len(self._guards)

    def enter_branch(self, section: Section, earlier: list[Condition], condition: Condition | None) -> None:
        """The nodes that follow are in the branch."""
        self._branched = True
        conditions = tuple(~one for one in earlier) + (() if condition is None else (condition,))
        self._check_reach(compared(conditions), f"{caller()}: {section.name}")
        self._guards = (*self._guards, Guard(section, conditions))

    def leave_branch(self) -> None:
        """The nodes that follow are not."""
        self._guards = self._guards[:-1]

    def choose(self, section: Section, names: Sequence[str]) -> dict[str, Binding]:
        """One more node."""
        node = self._add(section.entity(names), {}, section.location)
        node.cases = tuple(
            Case(branch.condition, {} if branch.failure else branch.bindings(names), branch.failure)
            for branch in section.branches
        )
        return {name: Reference(node, name) for name in names}

    def fail(self, message: str) -> None:
        """That is up to the run."""

    def check_outputs(self, outputs: dict[str, Binding], here: str) -> None:
        """Refuses what only a branch has."""
        if self._branched:
            self._check_reach(references(outputs), here)

    def _add(self, entity: Entity, inputs: dict[str, Binding], location: str) -> Node:
        if self._branched:
            self._check_reach(references(inputs), location)
        node = Node(f"{self._prefix}{len(self.nodes)}", entity, inputs, location, self._guards)
        self.nodes.append(node)
        return node

    def _check_reach(self, found: Iterable[Reference], here: str) -> None:
        """What is made in a branch can be used there only; outside, the conditional's result stands for it."""
        for reference in found:
            guards = reference.producer.guards if isinstance(reference.producer, Node) else ()
            if guards != self._guards[: len(guards)]:
                raise _exceptions.FlyteAssertion(
                    f"{here}: {reference} comes from {reference.producer}, which runs only in a branch of"
                    f" {guards[-1].section}: use what the conditional gives in its place"
                )


def compared(conditions: Iterable[Condition]) -> Iterator[Reference]:
    """The references in conditions."""
    for condition in conditions:
        for operand in condition.operands():
            yield from references(operand)


def compile_workflow(workflow: Workflow) -> Graph:
    """The graph of a workflow. Raises, with file and line of the call, at what does not fit."""
    recorder = Recorder()
    outputs = trace(recorder, workflow, {name: Reference(None, name) for name in workflow.interface.inputs})
    recorder.check_outputs(outputs, workflow.line)
    return checked(Graph(recorder.nodes, outputs, workflow.failure_node()))


def checked(graph: Graph) -> Graph:
    """The graph itself. Raises FlyteAssertion: ids clash, calls wait for each other, or a condition is too long."""
    _check_ids(graph.nodes if graph.failure is None else [*graph.nodes, graph.failure])
    in_order(graph.nodes)
    _check_conditions(graph.nodes)
    return graph


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


def in_order(nodes: list[Node]) -> list[Node]:
    """The nodes, each after those it waits for. Raises FlyteAssertion where some wait for each other."""
    by_id = {node.id: node for node in nodes}
    ups = {node.id: tuple(upstream.id for upstream in node.upstreams()) for node in nodes}
    try:
        return [by_id[name] for name in order.topological_order(ups)]
    except order.CycleError as error:
        raise _exceptions.FlyteAssertion(
            f"{error}:\n  " + "\n  ".join(f"{by_id[id]}" for id in error.cycle)  # noqa: A001  the contract's word
        ) from None


def _check_conditions(nodes: list[Node]) -> None:
    """Conditions are parsed as the cluster will, each text once."""
    seen = set()
    for node in nodes:
        text = node.when() if node.guards else None
        if text is None or text in seen:
            continue
        from windlass_api import cel  # noqa: PLC0415  only workflows with conditions need it

        seen.add(text)
        try:
            cel.parse(text)
        except cel.CelSyntaxError as error:
            raise _exceptions.FlyteAssertion(
                f"{node.location}: the condition of this call is too much for the cluster: {error}. It says this"
                " branch's condition, that no earlier branch is taken, and the same of the branches around it: write"
                " fewer branches, or decide in a task"
            ) from None
