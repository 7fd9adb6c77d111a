"""`@dynamic`: a task whose body says, once its inputs are there, which calls to make.

    @dynamic
    def all_reports(regions: list[str]) -> list[str]:
        return [report(region=region) for region in regions]

The inputs are plain values, so that loops and `if` work on them; what calls give are promises, as in a workflow. In a
cluster the body runs in a pod of its own, and its calls become nodes that run in the task's place. Here each call runs
at once, and its promise holds the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from windlass._interface import line_of
from windlass._options import ExecutionBehavior, settle
from windlass._task import PythonTask

if TYPE_CHECKING:
    from windlass._compile import Graph
    from windlass._entity import Entity

P = ParamSpec("P")
R = TypeVar("R")

NODE_PREFIX = "dn"


class DynamicTask(PythonTask[P, R]):
    """A function whose calls are made when it runs."""

    def execute(self, **inputs: Any) -> Any:
        """Runs the body here, and each call in it at once; plain values in, plain values out."""
        from windlass import _calls, _local  # noqa: PLC0415  for local runs

        with _calls.body_in(_local.LocalRun()):
            result = self._result(inputs)
        if not self.interface.outputs:
            return None
        return _calls.to_python(self, _calls.bind_outputs(self, line_of(self.function), result))

    def compile_for(self, inputs: dict[str, Any]) -> Graph:
        """The graph of the calls that it makes for these values. Raises, with file and line, at what does not fit."""
        from windlass import _calls, _compile  # noqa: PLC0415  only the pod of a dynamic task compiles

        recorder, line = _compile.Recorder(NODE_PREFIX), line_of(self.function)
        with _calls.body_in(recorder):
            result = self._result(inputs)
        outputs = _calls.bind_outputs(self, line, result) if self.interface.outputs else {}
        recorder.check_outputs(outputs, line)
        return _compile.checked(_compile.Graph(recorder.nodes, outputs))

    def runner(self) -> dict[str, Any]:
        """The function's place, and that it makes calls."""
        runner = super().runner()
        return {**runner, "python": {**runner["python"], "dynamic": True}}

    def _result(self, inputs: dict[str, Any]) -> Any:
        parameters, given = self.interface.inputs, dict(inputs)
        positional = [given.pop(name) for name in inputs if parameters[name].positional_only]
        return self.function(*positional, **given)


@overload
def dynamic(_task_function: Callable[P, R], **options: Any) -> DynamicTask[P, R]: ...


@overload
def dynamic(
    _task_function: None = None, *, node_dependency_hints: Iterable[Entity] | None = None, **options: Any
) -> Callable[[Callable[P, R]], DynamicTask[P, R]]: ...


def dynamic(
    _task_function: Callable[..., Any] | None = None,
    *,
    node_dependency_hints: Iterable[Entity] | None = None,
    **options: Any,
) -> Any:
    """Makes a dynamic task of a function. With or without parentheses.

    >>> from windlass import task
    >>> @task
    ... def square(n: int) -> int:
    ...     return n * n
    >>> @dynamic
    ... def squares(count: int) -> list[int]:
    ...     return [square(n=n) for n in range(count)]
    >>> squares(count=4)
    [0, 1, 4, 9]

    Args:
        node_dependency_hints: what it may call that cannot be seen in its module: tasks, workflows, launch plans; they
            are emitted together with it.
        options: those of `@task`.

    In a local run, `with_overrides` on a call in its body is checked, and has no effect: the call has run by then.
    """
    fields, settings = settle(
        {**options, "node_dependency_hints": node_dependency_hints, "execution_mode": ExecutionBehavior.DYNAMIC}
    )

    def make(function: Callable[..., Any]) -> DynamicTask[..., Any]:
        return DynamicTask(function, fields, settings)

    return make if _task_function is None else make(_task_function)
