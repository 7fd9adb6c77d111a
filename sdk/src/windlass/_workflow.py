"""`@workflow`: a function whose body says which tasks run on what.

    @workflow
    def wordcount(text: str, top: int = 10) -> str:
        return report(counts=count(text=text, top=top))

The body is ordinary Python that runs once on promises (`_promise`) to give the graph; not at decoration, but when
the graph is first needed, so that a module with a broken workflow can still be imported. A local call compiles,
then runs the body again on promises that hold values.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar, overload

from windlass import _exceptions
from windlass._entity import Entity, PythonFunction
from windlass._interface import line_of
from windlass._modules import caller

if TYPE_CHECKING:
    from windlass._calls import Scope
    from windlass._compile import Graph, Node
    from windlass._documentation import Documentation
    from windlass._plan_options import Options
    from windlass._promise import Binding

P = ParamSpec("P")
R = TypeVar("R")


class WorkflowFailurePolicy(Enum):
    """What a failed node means for the others."""

    FAIL_IMMEDIATELY = 0
    """Those that run are stopped, and nothing new starts."""

    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE = 1
    """All that don't need what has failed still run; then the workflow fails."""


POLICIES = {
    WorkflowFailurePolicy.FAIL_IMMEDIATELY: "FailImmediately",
    WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE: "FailAfterExecutableNodesComplete",
}
"""The policies as the contract says them."""


class Workflow(Entity):
    """A graph of calls. What the two ways to write one (a function's body, step by step) have in common."""

    kind: ClassVar[str | None] = "Workflow"
    what: ClassVar[str] = "workflow"
    takes_overrides: ClassVar[bool] = False
    failure_policy: WorkflowFailurePolicy = WorkflowFailurePolicy.FAIL_IMMEDIATELY
    interruptible: bool = False
    on_failure: Entity | None = None
    default_options: Options | None = None
    failure_node_id: ClassVar[str] = "fn0"
    _graph: Graph | None = None

    def set_behavior(self, failure_policy: Any, interruptible: Any) -> None:
        """Checks and keeps what both ways to write one take."""
        if failure_policy is not None and not isinstance(failure_policy, WorkflowFailurePolicy):
            raise _exceptions.FlyteValidationException(
                f"{caller()}: failure_policy takes a WorkflowFailurePolicy, such as"
                f" WorkflowFailurePolicy.FAIL_IMMEDIATELY, not {failure_policy!r}"
            )
        if not isinstance(interruptible, bool):
            raise _exceptions.FlyteValidationException(
                f"{caller()}: interruptible takes True or False, not {interruptible!r}"
            )
        self.failure_policy = failure_policy or WorkflowFailurePolicy.FAIL_IMMEDIATELY
        self.interruptible = interruptible
        self.overrides = {"interruptible": True} if interruptible else {}

    @property
    @abstractmethod
    def line(self) -> str:
        """`file:line` of its definition."""

    @abstractmethod
    def expand(self, scope: Scope, promises: dict[str, Any]) -> dict[str, Binding]:
        """Makes its calls in the scope, which is the current one; the bindings of its outputs."""

    def compile(self) -> Graph:
        """Its graph, made once. Raises, with file and line of the call, at what does not fit."""
        from windlass._compile import compile_workflow  # noqa: PLC0415  a pod never compiles, but loads this module

        if self._graph is None:
            self._graph = compile_workflow(self)
        return self._graph

    def failure_node(self) -> Node | None:
        """The node of its `on_failure`. Raises FlyteFailureNodeInputMismatchException where that does not fit."""
        if self.on_failure is None:
            return None
        from windlass import _failure_node  # noqa: PLC0415  as above

        return _failure_node.failure_node(self, self.on_failure, self.failure_node_id)

    @property
    def nodes(self) -> list[Node]:
        """The calls in its body, in order."""
        return self.compile().nodes

    @property
    def keeps_going(self) -> bool:
        """Whether a failure leaves the calls alone that don't need what has failed."""
        return self.failure_policy is WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE

    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """Runs its body here and now: JSON in, JSON out."""
        from windlass import _local  # noqa: PLC0415  for local runs

        return _local.run_workflow(self, inputs)

    def handle_failure(self, inputs: dict[str, Any], error: BaseException) -> None:
        """What follows on a failed local run: its handler, if it has one."""
        if self.on_failure is not None:
            from windlass import _failure_node  # noqa: PLC0415  as above

            _failure_node.run_handler(self.on_failure, inputs, error, self.failure_node_id)

    def target(self) -> dict[str, Any]:
        """A node that runs it whole names it."""
        return {"workflow": {"name": self.object_name}}

    def definitions(self) -> Iterable[Entity]:
        """What its nodes need, then itself."""
        for node in self.nodes:
            yield from node.entity.definitions()
        if self.on_failure is not None:
            yield from self.on_failure.definitions()
        yield self

    @property
    def stands_alone(self) -> bool:
        """Its calls join the caller's graph, unless something holds for them together: it is one node then."""
        return self.on_failure is not None or self.keeps_going or self.interruptible


class PythonWorkflow(PythonFunction[P, R], Workflow):
    """A function's body as a workflow."""

    def __init__(
        self,
        function: Callable[P, R],
        failure_policy: WorkflowFailurePolicy | None = None,
        interruptible: bool = False,
        on_failure: Entity | None = None,
        docs: Documentation | str | None = None,
        pickle_untyped: bool = False,
        default_options: Options | None = None,
    ) -> None:
        super().__init__(function, pickle_untyped=pickle_untyped)
        self.set_behavior(failure_policy, interruptible)
        self.on_failure = handler_of(on_failure)
        self.default_options = _options(default_options)
        self._docs = None if docs is None else _text_of(docs)

    @property
    def description(self) -> str:
        """The `docs`, else the function's docstring."""
        return super().description if self._docs is None else self._docs

    def expand(self, scope: Scope, promises: dict[str, Any]) -> dict[str, Binding]:
        """Calls the function."""
        from windlass._calls import bind_outputs  # noqa: PLC0415  as above

        parameters = self.interface.inputs
        positional = [promises.pop(name) for name in list(promises) if parameters[name].positional_only]
        return bind_outputs(self, self.line, self.function(*positional, **promises))

    @property
    def line(self) -> str:
        """`file:line` of the function."""
        return line_of(self.function)


def handler_of(entity: Any) -> Entity | None:
    """The entity, if it can be an `on_failure`."""
    if entity is not None and (not isinstance(entity, Entity) or entity.kind not in ("Task", "Workflow")):
        raise _exceptions.FlyteValidationException(f"{caller()}: on_failure takes a task or a workflow, not {entity!r}")
    return entity


def _options(options: Any) -> Options | None:
    if options is None:
        return None
    from windlass._plan_options import Options  # noqa: PLC0415  few workflows have some

    if not isinstance(options, Options):
        raise _exceptions.FlyteValidationException(f"{caller()}: default_options takes Options(...), not {options!r}")
    return options


def _text_of(docs: Any) -> str:
    from windlass._documentation import text_of  # noqa: PLC0415  few workflows have docs of their own

    return text_of(docs)


@overload
def workflow(_workflow_function: Callable[P, R]) -> PythonWorkflow[P, R]: ...


@overload
def workflow(
    _workflow_function: None = None,
    failure_policy: WorkflowFailurePolicy | None = None,
    interruptible: bool = False,
    on_failure: Entity | None = None,
    docs: Documentation | str | None = None,
    pickle_untyped: bool = False,
    default_options: Options | None = None,
) -> Callable[[Callable[P, R]], PythonWorkflow[P, R]]: ...


def workflow(
    _workflow_function: Callable[..., Any] | None = None,
    failure_policy: WorkflowFailurePolicy | None = None,
    interruptible: bool = False,
    on_failure: Entity | None = None,
    docs: Documentation | str | None = None,
    pickle_untyped: bool = False,
    default_options: Options | None = None,
) -> Any:
    """Makes a workflow of a function. With or without parentheses.

    >>> from windlass import task
    >>> @task
    ... def double(n: int) -> int:
    ...     return 2 * n
    >>> @workflow
    ... def quadruple(n: int = 1) -> int:
    ...     return double(n=double(n=n))
    >>> quadruple(n=5), [node.id for node in quadruple.nodes]
    (20, ['n0', 'n1'])

    Args:
        failure_policy: what a failed call means for the others. Default: FAIL_IMMEDIATELY.
        interruptible: whether its tasks may run on nodes that can go away, where they don't say it themselves.
        on_failure: a task or workflow to run once it has failed. It takes all of the workflow's inputs; what it has
            besides them is Optional, and an `Optional[FlyteError]` gets the error.
        docs: text for people, in place of the docstring.
        pickle_untyped: whether parameters without a type are taken, as `Any`.
        default_options: settings of the launch plan that has the workflow's own name.

    A workflow with a policy, a handler or `interruptible` of its own stays one node where another workflow calls it;
    the calls of any other become part of the caller's graph.

    Raises:
        FlyteValidationException: a setting that is none.
        FlyteMissingTypeException: a parameter without a type.
        FlyteMissingReturnValueException: outputs are declared, but nothing is returned.
        ValueError: the function can't be imported, for it is not at the top level of its module.
    """

    def made(function: Callable[..., Any]) -> PythonWorkflow[..., Any]:
        return PythonWorkflow(
            function, failure_policy, interruptible, on_failure, docs, pickle_untyped, default_options
        )

    return made if _workflow_function is None else made(_workflow_function)


__all__ = ["PythonWorkflow", "Workflow", "WorkflowFailurePolicy", "workflow"]
