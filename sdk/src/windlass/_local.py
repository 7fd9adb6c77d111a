"""Running workflows right here, with the meaning they have on a cluster.

Values go through the same conversion to JSON and back between tasks, so that what would change on its way through a
cluster changes here too. A call runs with the overrides it was given: the workflow has been compiled before it runs,
and its nodes are met again in the same order.

What does not run gives references, as in a compilation: calls in a branch of a `conditional` that is not taken, and,
where a workflow's policy is to go on after a failure, the call that failed and all that need it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from windlass import _exceptions
from windlass._calls import Fill, Scope, trace, with_defaults
from windlass._compile import Node, compared
from windlass._modules import caller
from windlass._options import check_override_names
from windlass._promise import Binding, Reference, references
from windlass_api.overrides import effective

if TYPE_CHECKING:
    from windlass._comparison import Condition
    from windlass._compile import Case
    from windlass._conditional import Section
    from windlass._entity import Entity
    from windlass._workflow import Workflow


class ValueStep:
    """The step behind a value that is there already: order has nothing left to decide, and neither have overrides."""

    def before(self, later: Any) -> None:
        """It was."""

    def override(self, options: dict[str, Any]) -> None:
        """What is to be overridden was taken from the compiled node when the task ran; only the names are checked."""
        check_override_names(options)


class LocalRun(Scope):
    """The scope of a local run. `nodes` are those of the compiled workflow; a dynamic body has none.

    With `keep_going`, a call that fails does not end the run at once: `failure` is the first that did.
    """

    def __init__(self, nodes: Iterable[Node] = (), *, keep_going: bool = False) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self._nodes = (node for node in nodes if not node.cases)
        self._keep_going = keep_going
        self._skipping: list[bool] = []
        self._some_skipped = False
        self._lost: set[Node] = set()

    def run(self, entity: Entity, inputs: dict[str, Binding]) -> tuple[dict[str, Binding], ValueStep]:
        """A call of an entity runs it."""
        node = next(self._nodes, None)
        if node is not None and (node.entity is not entity and not _alike(node.entity, entity)):
            node = None
        if self._skips():
            return _references(entity.interface.outputs, node or Node("skipped", entity, {}, caller())), ValueStep()
        return self._outputs(entity, inputs, node, None if node is None else node.overrides), ValueStep()

    def again(self, node: Node, fill: Fill, made: dict[Node, Node]) -> dict[str, Binding]:
        """A node of a graph is run, if its conditions are true."""
        compiled = None if node.cases else next(self._nodes, None)
        guards = [guard.filled(fill) for guard in node.guards]
        if self._skips() or not all(self._all_hold(guard.conditions) for guard in guards):
            self._some_skipped = True
            return _references(node.entity.interface.outputs, node)
        if node.cases:
            return self._chosen([case.filled(fill) for case in node.cases], node)
        return self._outputs(node.entity, fill(node.inputs), compiled or node, (compiled or node).overrides)

    def mark(self) -> int:
        """Nobody asks for the nodes of values."""
        return 0

    def between(self, *marks: tuple[int, int]) -> ValueStep:
        """Whatever it was, it has run."""
        return ValueStep()

    @property
    def depth(self) -> int:
        """How many branches are open."""
        return len(self._skipping)

    def enter_branch(self, section: Section, earlier: list[Condition], condition: Condition | None) -> None:
        """Calls are skipped where the branch is not taken. Conditions that come after a true one are not looked at."""
        conditions = [~one for one in earlier] + ([] if condition is None else [condition])
        self._skipping.append(self._skips() or not self._all_hold(conditions))
        self._some_skipped |= self._skipping[-1]

    def leave_branch(self) -> None:
        """Calls run again, unless a branch around this one is skipped."""
        self._skipping.pop()

    def choose(self, section: Section, names: Sequence[str]) -> dict[str, Binding]:
        """The values of the branch that was taken."""
        node = Node("skipped", section.entity(names), {}, section.location)
        if not self._skips():
            for branch in section.branches:
                if branch.condition is None or self._all_hold([branch.condition]):
                    return _references(names, node) if branch.failure else branch.bindings(names)
                if self._is_lost([branch.condition]):
                    break
        return _references(names, node)

    def fail(self, message: str) -> None:
        """The run fails, unless the branch is skipped."""
        if not self._skips():
            self._end(ValueError(message))

    def _skips(self) -> bool:
        return bool(self._skipping) and self._skipping[-1]

    def _all_hold(self, conditions: Iterable[Condition]) -> bool:
        """Whether all are true; what depends on a call that was lost is not."""
        return all(not self._is_lost([condition]) and condition.holds() for condition in conditions)

    def _is_lost(self, conditions: Iterable[Condition]) -> bool:
        return self.failure is not None and any(True for _ in compared(conditions))

    def _end(self, error: Exception) -> None:
        """The run has failed, at once or when all else has run."""
        if not self._keep_going:
            raise error
        self.failure = self.failure or error

    def _chosen(self, cases: list[Case], node: Node) -> dict[str, Binding]:
        for case in cases:
            if case.condition is None or self._all_hold([case.condition]):
                if case.failure is None:
                    return case.outputs
                self._end(ValueError(case.failure))
                break
            if self._is_lost([case.condition]):
                break
        return _references(node.entity.interface.outputs, node)

    def _outputs(
        self, entity: Entity, inputs: dict[str, Binding], node: Node | None, layer: dict[str, Any] | None
    ) -> dict[str, Binding]:
        """What the entity gives for these inputs."""
        overrides = effective(entity.overrides_here, layer) if layer else entity.overrides_here
        if self._some_skipped or self.failure is not None:
            self._check_inputs(entity, inputs)
        if not self._keep_going:
            return entity.run(with_defaults(entity, inputs), overrides)
        node = node or Node("lost", entity, inputs, caller())
        if not any(references(inputs)) and not self._lost.intersection(node.after):
            try:
                return entity.run(with_defaults(entity, inputs), overrides)
            except Exception as error:  # noqa: BLE001  that is the policy: the others go on, and the run fails at its end
                self.failure = self.failure or error
        self._lost.add(node)
        return _references(entity.interface.outputs, node)

    def _check_inputs(self, entity: Entity, inputs: dict[str, Binding]) -> None:
        """A body that is not compiled may give a call what a skipped one would have made."""
        if self.failure is None and any(references(inputs)):
            raise _exceptions.FlyteAssertion(
                f"{caller()}: {entity.name} is given what a call in a branch gives that is not taken: use what the"
                " conditional gives in its place"
            )


def run_workflow(workflow: Workflow, inputs: dict[str, Any]) -> dict[str, Any]:
    """Its body runs, and each task in it at once: JSON in, JSON out. If that fails, the failure handler runs too."""
    scope = LocalRun(workflow.nodes, keep_going=workflow.keeps_going)
    try:
        outputs = trace(scope, workflow, inputs)
        if scope.failure is not None:
            raise scope.failure
    except Exception as error:
        workflow.handle_failure(inputs, scope.failure or error)
        if scope.failure is not None and error is not scope.failure:
            raise scope.failure from None
        raise
    if workflow.interface.makes_artifacts:
        from windlass._artifacts import registry  # noqa: PLC0415  few workflows make artifacts

        registry.record(workflow, inputs, outputs, outputs)
    return outputs


def _references(names: Iterable[str], node: Node) -> dict[str, Binding]:
    return {name: Reference(node, name) for name in names}


def _alike(compiled: Entity, called: Entity) -> bool:
    """Whether they are the same, made anew by each run of a body, as maps and gates are."""
    return type(compiled) is type(called) and compiled.name == called.name
