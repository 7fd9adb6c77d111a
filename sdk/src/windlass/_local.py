"""Running tasks and workflows right here, with the meaning they have on a cluster.

Values go through the same conversion to JSON and back between tasks, so that what would change on its way through a
cluster changes here too. Recoverable failures use the task's retries, with the overrides of the very call: the
workflow has been compiled before it runs, and its nodes are met again in the same order.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from windlass import _failure, _types
from windlass._bindings import holds_promise
from windlass._calls import Entity, Scope, bind_arguments, match, trace, with_defaults
from windlass._compile import Graph, Node, check_override_names
from windlass._context import entered
from windlass._promise import Binding
from windlass_api.overrides import effective

if TYPE_CHECKING:
    from windlass._task import PythonTask


class ValueStep:
    """The step behind a value that is there already: order has nothing left to decide, and neither have overrides."""

    def before(self, later: Any) -> None:
        """It was."""

    def override(self, options: dict[str, Any]) -> None:
        """What is to be overridden was taken from the compiled node when the task ran; only the names are checked."""
        check_override_names(options)


class LocalRun(Scope):
    """The scope of a local run."""

    def __init__(self, nodes: list[Node]) -> None:
        super().__init__()
        self._nodes = iter(nodes)

    def run_task(self, task: PythonTask[..., Any], inputs: dict[str, Binding]) -> tuple[dict[str, Binding], ValueStep]:
        """A call of a task runs it."""
        node = next(self._nodes, None)
        layer = node.overrides if node is not None and node.task is task else None
        return execute(task, inputs, effective(task.overrides, layer)), ValueStep()

    @contextmanager
    def group(self) -> Iterator[ValueStep]:
        """A sub-workflow's body just runs."""
        yield ValueStep()


def run_task(task: PythonTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A task is called outside of any workflow: plain values in, plain values out."""
    given = match(task, args, kwargs)
    missing = [name for name, parameter in task.interface.inputs.items() if name not in given and parameter.required]
    if missing:
        names = " and ".join(repr(name) for name in missing)
        raise TypeError(
            f"{task.short_name}() missing {len(missing)} required positional argument{'s' * (len(missing) > 1)}:"
            f" {names}"
        )
    outputs = execute(task, _to_wire(task, given), task.overrides)
    return _to_python(task, outputs)


def run_workflow(workflow: Entity, graph: Graph, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A workflow is called outside of any other: its body runs, and each task in it at once."""
    inputs = with_defaults(workflow, bind_arguments(workflow, match(workflow, args, kwargs)))
    outputs = trace(LocalRun(graph.nodes), workflow, inputs)
    return _to_python(workflow, outputs)


def execute(task: PythonTask[..., Any], inputs: dict[str, Binding], options: dict[str, Any]) -> dict[str, Binding]:
    """One task on JSON inputs, with its retries; JSON outputs. What the function raises is raised again, saying"
    " where."""
    positional, keywords = _arguments(task, inputs)
    attempts = options.get("retries", 0) + 1
    for attempt in range(1, attempts + 1):
        try:
            with entered(None):
                result = _awaited(task.function(*positional, **keywords))
        except Exception as error:
            if attempt < attempts and _is_recoverable(error, options.get("retryOn", ())):
                sys.stderr.write(f"windlass: {task.name}: attempt {attempt} of {attempts} failed: {_summary(error)}\n")
                continue
            _say_where(error, f"Error encountered while executing '{task.name}':\n  ")
            raise
        break
    return _outputs(task, result)


def _is_recoverable(error: BaseException, retry_on: Iterable[str]) -> bool:
    """Whether a failure may use a retry: what the runtime would put into the pod's record."""
    return bool(_failure.describe(error, in_user_code=True, retry_on=retry_on)["recoverable"])


def _awaited(result: Any) -> Any:
    """The result; that of an `async def` task is awaited, as in a pod."""
    if not hasattr(result, "__await__"):
        return result
    import asyncio  # noqa: PLC0415  heavy, and only `async def` tasks need it

    async def finish() -> Any:
        return await result

    return asyncio.run(finish())


def _arguments(task: PythonTask[..., Any], inputs: dict[str, Binding]) -> tuple[list[Any], dict[str, Any]]:
    parameters = task.interface.inputs
    values = {
        name: _types.from_wire(value, parameters[name].python_type, _types.argument_of(task.name, name))
        for name, value in with_defaults(task, inputs).items()
    }
    return [values.pop(name) for name in list(values) if parameters[name].positional_only], values


def _outputs(task: PythonTask[..., Any], result: Any) -> dict[str, Binding]:
    values = task.interface.unpack(result, task.name)
    return {
        name: _types.to_wire(value, task.interface.outputs[name], _types.output_of(task.name, position))
        for position, (name, value) in enumerate(values.items())
    }


def _to_wire(task: PythonTask[..., Any], given: dict[str, Any]) -> dict[str, Binding]:
    for name, value in given.items():
        if holds_promise(value):
            raise AssertionError(
                f"'{name}' of {task.name} is a promise, but this call is not inside a workflow: {value!r}"
            )
    return {
        name: _types.to_wire(value, task.interface.inputs[name].python_type, _types.argument_of(task.name, name))
        for name, value in given.items()
    }


def _to_python(entity: Entity, outputs: dict[str, Binding]) -> Any:
    types = entity.interface.outputs
    return entity.interface.pack(
        {
            name: _types.from_wire(value, types[name], f"the output {name} of {entity.name}:")
            for name, value in outputs.items()
        }
    )


def _say_where(error: BaseException, prefix: str) -> None:
    """Puts the task's name before the message, keeping the exception's class."""
    before, message = error.args, str(error)
    error.args = (prefix + (message if not before or not isinstance(before[0], str) else before[0]), *before[1:])
    if "Error encountered" in str(error):
        return
    error.args = before  # it does not print its arguments (OSError, for one): leave it whole, and note the place
    add_note: Callable[[str], None] | None = getattr(error, "add_note", None)
    if add_note is not None:
        add_note(prefix.rstrip())


def _summary(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
