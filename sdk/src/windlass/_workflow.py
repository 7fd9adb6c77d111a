"""`@workflow`: a function whose body says which tasks run on what.

    @workflow
    def wordcount(text: str, top: int = 10) -> str:
        return report(counts=count(text=text, top=top))

The body is ordinary Python that runs once on promises (`_promise`) to give the graph; not at decoration, but when
the graph is first needed, so that a module with a broken workflow can still be imported. A local call compiles,
then runs the body again on promises that hold values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from windlass._context import current_scope
from windlass._task import PythonFunction

if TYPE_CHECKING:
    from windlass._compile import Graph, Node

P = ParamSpec("P")
R = TypeVar("R")


class PythonWorkflow(PythonFunction[P, R]):
    """A workflow."""

    def __init__(self, function: Callable[P, R]) -> None:
        super().__init__(function, "workflow")
        self._graph: Graph | None = None

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"

    def compile(self) -> Graph:
        """Its graph, made once."""
        from windlass._compile import compile_workflow  # noqa: PLC0415  a pod never compiles, but loads this module

        if self._graph is None:
            self._graph = compile_workflow(self)
        return self._graph

    @property
    def nodes(self) -> list[Node]:
        """The calls in its body, in order."""
        return self.compile().nodes

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Becomes part of the workflow being compiled, or runs here and now."""
        from windlass import _calls, _local  # noqa: PLC0415  as above

        scope = current_scope()
        if scope is not None:
            return _calls.call_workflow(scope, self, args, kwargs)  # type: ignore[no-any-return]  # a promise of R
        return _local.run_workflow(self, self.compile(), args, kwargs)  # type: ignore[no-any-return]  # as declared


@overload
def workflow(_workflow_function: Callable[P, R], /) -> PythonWorkflow[P, R]: ...


@overload
def workflow(_workflow_function: None = None, /) -> Callable[[Callable[P, R]], PythonWorkflow[P, R]]: ...


def workflow(_workflow_function: Callable[..., Any] | None = None, /) -> Any:
    """Makes a workflow of a function. With or without parentheses."""
    return PythonWorkflow if _workflow_function is None else PythonWorkflow(_workflow_function)
