"""One local run of a task: JSON inputs → Python values → the work → JSON outputs, with the retries it has.

What the work raises is raised again, of the same class, saying which task it was.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from windlass import _failure, _types
from windlass._context import entered

if TYPE_CHECKING:
    from windlass._task import Task


def execute(task: Task, inputs: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Runs the task; `options` are fields of the contract's Overrides, `inputs` and what comes back are JSON."""
    values = _arguments(task, inputs)
    attempts = options.get("retries", 0) + 1
    for attempt in range(1, attempts + 1):
        try:
            with entered(None):
                result = task.execute(**values)
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


def _arguments(task: Task, inputs: dict[str, Any]) -> dict[str, Any]:
    parameters = task.interface.inputs
    return {
        name: _types.from_wire(value, parameters[name].python_type, _types.argument_of(task.name, name))
        for name, value in inputs.items()
    }


def _outputs(task: Task, result: Any) -> dict[str, Any]:
    values = task.interface.unpack(result, task.name)
    return {
        name: _types.to_wire(value, task.interface.outputs[name], _types.output_of(task.name, position))
        for position, (name, value) in enumerate(values.items())
    }


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
