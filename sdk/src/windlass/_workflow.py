"""`@workflow`: a function whose body says which tasks run on what.

    @workflow
    def wordcount(text: str, top: int = 10) -> str:
        return report(counts=count(text=text, top=top))

The body is ordinary Python that runs once on promises (`_promise`) to give the graph; not at decoration, but when
the graph is first needed, so that a module with a broken workflow can still be imported. A local call compiles,
then runs the body again on promises that hold values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar, overload

from windlass._entity import Entity, PythonFunction
from windlass._interface import line_of

if TYPE_CHECKING:
    from windlass._compile import Graph, Node

P = ParamSpec("P")
R = TypeVar("R")


class Workflow(Entity):
    """A graph of calls. What the two ways to write one (a function's body, step by step) have in common."""

    kind: ClassVar[str | None] = "Workflow"
    what: ClassVar[str] = "workflow"
    takes_overrides: ClassVar[bool] = False
    _graph: Graph | None = None

    def body(self, inputs: dict[str, Any]) -> Any:
        """Makes its calls on promises, in the scope that is current; what it returns."""
        raise NotImplementedError

    @property
    def line(self) -> str:
        """`file:line` of its definition."""
        raise NotImplementedError

    def compile(self) -> Graph:
        """Its graph, made once. Raises, with file and line of the call, at what does not fit."""
        from windlass._compile import compile_workflow  # noqa: PLC0415  a pod never compiles, but loads this module

        if self._graph is None:
            self._graph = compile_workflow(self)
        return self._graph

    @property
    def nodes(self) -> list[Node]:
        """The calls in its body, in order."""
        return self.compile().nodes

    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """Runs its body here and now: JSON in, JSON out."""
        from windlass import _local  # noqa: PLC0415  for local runs

        return _local.run_workflow(self, inputs)

    def target(self) -> dict[str, Any]:
        """A node that runs it whole names it."""
        return {"workflow": {"name": self.object_name}}

    def definitions(self) -> Iterable[Entity]:
        """What its nodes need, then itself."""
        for node in self.nodes:
            yield from node.entity.definitions()
        yield self

    @property
    def stands_alone(self) -> bool:
        """Its calls join the caller's graph."""
        return False


class PythonWorkflow(PythonFunction[P, R], Workflow):
    """A function's body as a workflow."""

    def body(self, inputs: dict[str, Any]) -> Any:
        """Calls the function."""
        parameters = self.interface.inputs
        positional = [inputs.pop(name) for name in list(inputs) if parameters[name].positional_only]
        return self.function(*positional, **inputs)

    @property
    def line(self) -> str:
        """`file:line` of the function."""
        return line_of(self.function)


@overload
def workflow(_workflow_function: Callable[P, R], /) -> PythonWorkflow[P, R]: ...


@overload
def workflow(_workflow_function: None = None, /) -> Callable[[Callable[P, R]], PythonWorkflow[P, R]]: ...


def workflow(_workflow_function: Callable[..., Any] | None = None, /) -> Any:
    """Makes a workflow of a function. With or without parentheses."""
    return PythonWorkflow if _workflow_function is None else PythonWorkflow(_workflow_function)
