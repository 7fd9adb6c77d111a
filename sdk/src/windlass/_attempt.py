"""One local run of a task, with what a cluster would give it: JSON inputs → Python values → the work → JSON outputs.

    cache ──┬─ there ───────────────────────────────────────────────────────────┐
            └─ attempts: context, variables, secrets, deadline ─ the work ─ keep ┴─ outputs

A failure is tried again if it would be in a cluster: it calls itself recoverable, the task says so (`retry_on`), or its
time was up. What the work raises is raised again, of the same class, saying which task it was.

In a pod a task which calls another one runs it by the same path, in the context of the pod and without a cache.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from windlass import _failure, _types
from windlass._current import current_task, entered, entered_task
from windlass._exceptions import IgnoreOutputs
from windlass._parameters import ExecutionParameters, TaskIdentifier

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from windlass._reporting import Reporting
    from windlass._task import Task

Wire = dict[str, Any]


def execute(task: Task, inputs: Wire, options: Wire) -> Wire:
    """Runs the task; `options` are fields of the contract's Overrides, `inputs` and what comes back are JSON."""
    cache = options.get("cache")
    try:
        if cache and cache.get("enabled") is not False and _is_local():
            return _remembered(task, inputs, cache, lambda: _tried(task, inputs, options))
        return _tried(task, inputs, options)
    except IgnoreOutputs:
        if task.interface.outputs:
            raise
        return {}


def _is_local() -> bool:
    running = current_task()
    return running is None or running.is_local


def _remembered(task: Task, inputs: Wire, cache: Mapping[str, Any], work: Callable[[], Wire]) -> Wire:
    from windlass._cache import local  # noqa: PLC0415  only tasks with a cache need it

    takes = {name: _types.type_expression(parameter.python_type) for name, parameter in task.interface.inputs.items()}
    gives = {name: _types.type_expression(python_type) for name, python_type in task.interface.outputs.items()}
    return local.remembered(local.Job(task.name, cache, inputs, takes, gives), work)


# ---- attempts -------------------------------------------------------------------------------------------------------


def _tried(task: Task, inputs: Wire, options: Wire) -> Wire:
    """The outputs of the first attempt that has some."""
    attempts = options.get("retries", 0) + 1
    parameters = None
    for attempt in range(attempts):
        parameters = _parameters(task, options, attempt, parameters)
        run = _Attempt(task, options, parameters)
        try:
            return run.outputs(inputs)
        except IgnoreOutputs:
            raise
        except Exception as error:
            if attempt + 1 < attempts and run.may_be_repeated(error):
                told = f"{type(error).__name__}: {error}"
                sys.stderr.write(f"windlass: {task.name}: attempt {attempt + 1} of {attempts} failed: {told}\n")
                continue
            if run.in_user_code:
                _say_where(error, f"Error encountered while executing '{task.name}':\n  ")
            raise
    raise AssertionError("an attempt returns or raises")


class _Attempt:
    """One attempt, and how far it came."""

    def __init__(self, task: Task, options: Wire, parameters: ExecutionParameters) -> None:
        self.task = task
        self.options = options
        self.parameters = parameters
        self.in_user_code = False

    def outputs(self, inputs: Wire) -> Wire:
        """Runs it, from JSON to JSON."""
        with entered_task(self.parameters), entered(None):
            if not self.parameters.enable_deck:
                return self._run(inputs, None)
            from windlass._reporting import Reporting  # noqa: PLC0415  few tasks have a deck

            function = getattr(self.task, "function", None)
            reporting = Reporting(self.parameters, self.options["deck"], self.task.interface, function)
            try:
                return self._run(inputs, reporting)
            finally:
                self._tell_of_deck(reporting.write())

    def _run(self, inputs: Wire, reporting: Reporting | None) -> Wire:
        part = reporting.part if reporting else _unmeasured
        with _surroundings(self.options):
            with part("inputs"):
                values = self._arguments(inputs)
            if reporting:
                reporting.show_inputs(values)
            with part("run"):
                self.in_user_code = True
                result = self.task.execute(**values)
                self.in_user_code = False
            with part("outputs"):
                given = self.task.interface.unpack(result, self.task.name)
                outputs = self._outputs(given)
                if self.task.interface.makes_artifacts and self.parameters.is_local:
                    from windlass._artifacts import registry  # noqa: PLC0415  few tasks make artifacts

                    registry.record(self.task, inputs, given, outputs)
            if reporting:
                reporting.show_outputs(given)
        return outputs

    def _tell_of_deck(self, uri: str | None) -> None:
        from windlass import _store  # noqa: PLC0415  few tasks have a deck
        from windlass._data.deck import announce  # noqa: PLC0415  as above

        if uri is not None and _is_local():
            _store.keep_scratch()
            announce(uri, self.task.name)

    def may_be_repeated(self, error: BaseException) -> bool:
        """Whether a failure may use a retry: what the runtime would put into the pod's record."""
        if self.options.get("timeout"):
            from windlass._deadline import TimeoutExpired  # noqa: PLC0415  few tasks have a deadline

            if isinstance(error, TimeoutExpired):
                return True
        told = _failure.describe(error, self.in_user_code, self.options.get("retryOn", ()))
        return bool(told["recoverable"])

    def _arguments(self, inputs: Wire) -> dict[str, Any]:
        parameters = self.task.interface.inputs
        return {
            name: _types.from_wire(value, parameters[name].python_type, _types.argument_of(self.task.name, name))
            for name, value in inputs.items()
        }

    def _outputs(self, values: dict[str, Any]) -> Wire:
        outputs = self.task.interface.outputs
        return {
            name: _types.to_wire(value, outputs[name], _types.output_of(self.task.name, position))
            for position, (name, value) in enumerate(values.items())
        }


def _unmeasured(_name: str) -> AbstractContextManager[None]:
    return nullcontext()


def _parameters(task: Task, options: Wire, attempt: int, before: ExecutionParameters | None) -> ExecutionParameters:
    """The context of an attempt: that of the task which calls this one, if any, with another task in it."""
    deck = options.get("deck")
    around = current_task()
    parameters = ExecutionParameters(
        task_id=TaskIdentifier(name=task.name),
        attempt=attempt,
        checkpoint_folder=None if before is None else before.checkpoint_folder,
        enable_deck=bool(deck and deck.get("enabled")),
        secret_requests=options.get("secrets", ()),
    )
    return parameters if around is None else parameters.inside(around)


@contextmanager
def _surroundings(options: Wire) -> Iterator[None]:
    """What a pod has from the start: variables, secrets; and a time by which it has to end."""
    with ExitStack() as stack:
        if options.get("env"):
            from windlass._environment import variables  # noqa: PLC0415  few tasks have any

            stack.enter_context(variables(options["env"]))
        if options.get("secrets") and _is_local():
            from windlass._secrets import exported  # noqa: PLC0415  as above

            stack.enter_context(exported(options["secrets"]))
        if options.get("timeout"):
            from windlass._deadline import deadline  # noqa: PLC0415  as above
            from windlass_api.durations import seconds  # noqa: PLC0415  as above

            stack.enter_context(deadline(seconds(options["timeout"])))
        yield


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
