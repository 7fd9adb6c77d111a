"""One attempt of one task: from the order in the environment to the record of its end.

    order ─ unpack code ─ import module ─ decode inputs ─ call ─ encode outputs ─┐
                  └──────────── any exception, SIGTERM, sys.exit ────────────────┴─ record ─ exit code

The order is the environment variable WINDLASS_TASK. Every way out that Python can see leaves a record, and the exit
code agrees with it: 0 with outputs, 1 with an error, 143 when the pod was told to end. What the user's code prints goes
where it always goes; only the error's traceback is added to stderr.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from windlass import _types
from windlass._interface import Interface, read_interface
from windlass._task import PythonTask
from windlass.runtime import Terminated, bundle, record

RESULT = "/dev/termination-log"
VALUES = "/var/run/windlass/values"
DEFAULT_LIMIT = 4096
TERMINATED = 143  # 128 + SIGTERM


class Stopwatch:
    """Milliseconds per phase; the phase that is running has no time yet."""

    def __init__(self, started: float) -> None:
        self.times: dict[str, float] = {}
        self.phase = ""
        self._since = started

    def enter(self, phase: str) -> None:
        """Ends the phase that ran, if any, and begins another."""
        now = time.monotonic()
        if self.phase:
            self.times[self.phase] = round((now - self._since) * 1000, 1)
            self._since = now
        self.phase = phase


class Order:
    """What the operator wants done."""

    def __init__(self, text: str) -> None:
        content = json.loads(text)
        self.task: str = content["task"]
        self.entrypoint: str = content["entrypoint"]
        self.bundle: str | None = content.get("bundle")
        self.inputs: dict[str, Any] = content.get("inputs") or {}
        self.has_marks = "$" in text or "\\u0024" in text
        self.retry_on: list[str] = content.get("retryOn") or []
        self.limit: int = content.get("limit") or DEFAULT_LIMIT


def main(started: float, code_root: str) -> int:
    """Runs the task and leaves the record; the exit code."""
    watch = Stopwatch(started)
    watch.enter("boot")
    process = os.getpid()
    limit, retry_on = DEFAULT_LIMIT, []
    signal.signal(signal.SIGTERM, _terminate)
    try:
        order = _order()
        limit, retry_on = order.limit, order.retry_on
        outputs = _run(order, code_root, watch)
        watch.enter("")
        content, code = _success(outputs, watch.times, limit), 0
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except BaseException as error:  # noqa: BLE001  whatever it is, even an exit, it ends in the record
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        in_user_code = watch.phase in ("import", "user")
        watch.enter("")
        content, code = _error_record(error, in_user_code, retry_on, watch.times, limit)
    if os.getpid() == process:  # a process that the user's code forked, and that came all the way out, is not the task
        _leave(content, code)
    return code


def _order() -> Order:
    text = os.environ.get("WINDLASS_TASK")
    if text is None:
        raise _task_error("system", "BadOrder", "WINDLASS_TASK is not set: this program is started by the operator")
    try:
        return Order(text)
    except (ValueError, KeyError, TypeError) as error:
        raise _task_error("system", "BadOrder", f"WINDLASS_TASK can't be understood: {error!r}") from error


def _run(order: Order, code_root: str, watch: Stopwatch) -> dict[str, Any]:
    """The outputs as JSON."""
    _print_lines_at_once()
    if order.bundle is not None:
        _unpack(order.bundle, code_root)
    watch.enter("import")
    sys.path.insert(0, code_root)
    function, interface = _load(order)
    watch.enter("inputs")
    positional, keywords = _arguments(order, interface)
    watch.enter("user")
    result = _call(function, positional, keywords, interface)
    watch.enter("outputs")
    values = interface.unpack(result, order.task)
    return {
        name: _types.to_wire(value, interface.outputs[name], _types.output_of(order.task, position))
        for position, (name, value) in enumerate(values.items())
    }


def _print_lines_at_once() -> None:
    """Into a pipe, Python prints by the kilobyte; whoever follows a pod's log wants each line when it is printed."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)


# ---- the user's function --------------------------------------------------------------------------------------------


def _unpack(path: str, folder: str) -> None:
    try:
        bundle.unpack(path, folder)
    except bundle.BundleError as error:
        kind, code = ("user", "USER:BadBundle") if error.by_user else ("system", "BundleUnreadable")
        raise _task_error(kind, code, str(error)) from error


def _load(order: Order) -> tuple[Callable[..., Any], Interface]:
    """The plain function behind the entry point, with the task's interface or, undecorated, its own."""
    module_name, _, name = order.entrypoint.partition(":")
    module = _import(module_name)
    entity = getattr(module, name, None)
    if isinstance(entity, PythonTask):
        return entity.function, entity.interface
    if callable(entity):
        return entity, read_interface(entity, order.entrypoint)
    from windlass_api.findings import did_you_mean  # noqa: PLC0415  a task that is found does not need it

    names = [known for known, value in vars(module).items() if callable(value) and not known.startswith("_")]
    problem = f"has no function '{name}'" if entity is None else f"has a '{name}' which is no function"
    message = f"the module {module_name} ({getattr(module, '__file__', None)}) {problem}{did_you_mean(name, names)}"
    raise _task_error("user", "USER:EntrypointNotFound", message, "AttributeError")


def _import(name: str) -> Any:
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (f"{name}.").startswith(f"{error.name}."):
            raise
        here = ", ".join(sorted(entry for entry in os.listdir() if not entry.startswith((".", "__"))))  # noqa: PTH208
        message = (
            f"there is no module '{name}', neither in the code bundle ({here or 'which is empty'}) nor in the image;"
            " it is found by its path from the first folder above it that has no __init__.py"
        )
        raise _task_error("user", "USER:ImportError", message, "ModuleNotFoundError") from None
    return sys.modules[name]


def _arguments(order: Order, interface: Interface) -> tuple[list[Any], dict[str, Any]]:
    given = _with_values(order)
    unknown = [name for name in given if name not in interface.inputs]
    missing = [name for name, parameter in interface.inputs.items() if parameter.required and name not in given]
    if unknown or missing:
        problem = f"takes no input '{unknown[0]}'" if unknown else f"needs the input '{missing[0]}', which is not given"
        names = ", ".join(interface.inputs) or "none"
        message = f"{order.entrypoint} {problem}; its inputs are {names}. The Task and its code don't belong together"
        raise _task_error("user", "USER:InputMismatch", message, "TypeError")
    values = {
        name: _types.from_wire(value, interface.inputs[name].python_type, _types.argument_of(order.task, name))
        for name, value in given.items()
    }
    positional = [values.pop(name) for name in list(values) if interface.inputs[name].positional_only]
    return positional, values


def _call(function: Callable[..., Any], positional: list[Any], keywords: dict[str, Any], interface: Interface) -> Any:
    try:
        result = function(*positional, **keywords)
        if hasattr(result, "__await__"):
            import asyncio  # noqa: PLC0415  heavy, and only `async def` tasks need it

            return asyncio.run(_awaited(result))
        return result
    except SystemExit as ended:
        if ended.code in (None, 0) and not interface.outputs:
            return None
        raise


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


# ---- large values ---------------------------------------------------------------------------------------------------


def _with_values(order: Order) -> dict[str, Any]:
    """The inputs, with large values read from their files and escaped data as it was."""
    if not order.has_marks:
        return order.inputs
    from windlass_api.refs import decode  # noqa: PLC0415  few tasks get such inputs

    return {name: decode(value, {"$value": _large_value}) for name, value in order.inputs.items()}


def _large_value(digest: str) -> Any:
    path = f"{os.environ.get('WINDLASS_VALUES', VALUES)}/{digest}/value.json.gz"
    try:
        with open(path, "rb") as file:  # noqa: PTH123  pathlib would be loaded for this alone
            return json.loads(bundle.gunzip(file.read(), path))
    except (OSError, ValueError, bundle.BundleError) as error:
        raise _task_error("system", "ValueUnreadable", f"a large input can't be read: {error}") from error


# ---- the end --------------------------------------------------------------------------------------------------------


def _success(outputs: dict[str, Any], times: dict[str, float], limit: int) -> bytes:
    content = record.encode({"outputs": outputs, "timings": times})
    if len(content) <= limit:
        return content
    sizes = ", ".join(f"{name}: {len(record.encode({name: value})):,} bytes" for name, value in outputs.items())
    message = (
        f"the outputs are too large to leave the pod: their record takes {len(content):,} bytes of at most {limit:,}"
        f" ({sizes}). Return a summary, or write the data where the next task can read it and return the place"
    )
    raise _task_error("user", "OutputTooLarge", message, "OutputTooLarge")


def _error_record(
    error: BaseException, in_user_code: bool, retry_on: list[str], times: dict[str, float], limit: int
) -> tuple[bytes, int]:
    from windlass import _failure  # noqa: PLC0415  loads `traceback`, which success does without

    told = _failure.describe(error, in_user_code, retry_on)
    _tell(told["traceback"] or f"{told['type']}: {told['message']}")
    return record.fit_error(told, times, limit), TERMINATED if isinstance(error, Terminated) else 1


def _tell(text: str) -> None:
    """The log has the whole story; the record only what fits."""
    try:
        sys.stdout.flush()
        sys.stderr.write(record.clean(text).rstrip() + "\n")
    except (OSError, ValueError, AttributeError):
        return  # the user's code has closed or replaced the streams; the record still tells


def _leave(content: bytes, code: int) -> None:
    path = os.environ.get("WINDLASS_RESULT", RESULT)
    try:
        record.write(path, content)
    except OSError as error:
        _tell(f"windlass: the record can't be written to {path}: {error}\n{content.decode()}")
        raise SystemExit(code or 1) from None
    signal.signal(signal.SIGTERM, lambda *_: os._exit(code))  # threads that still run shall not hold up the end


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # asked once is enough: `finally` blocks are left in peace
    raise Terminated("the pod was told to end (SIGTERM)")


def _task_error(kind: str, code: str, message: str, type_name: str = "") -> BaseException:
    from windlass._failure import TaskError  # noqa: PLC0415  only when something has failed, as above

    return TaskError(kind, code, message, type_name or code)
