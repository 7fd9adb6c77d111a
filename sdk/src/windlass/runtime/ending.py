"""How a program in a pod ends: its record, what it tells the log, and the inputs that it has to read first.

Both programs of the runtime use it, the one that runs a Python function (`main`) and the one that carries values into a
container and out of it (`carrier`): what is too large, what would be lost with the pod, and how an exception is told
is the same for both.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from windlass.runtime import Terminated, bundle, record

if TYPE_CHECKING:
    from windlass_api.types import Schema, Type

RESULT = "/dev/termination-log"
VALUES = "/var/run/windlass/values"
STORE = "WINDLASS_RAW_OUTPUT_PREFIX"
DEFAULT_LIMIT = 4096
TERMINATED = 143  # 128 + SIGTERM


# ---- inputs ---------------------------------------------------------------------------------------------------------


def with_values(inputs: dict[str, Any], *, has_marks: bool) -> dict[str, Any]:
    """The inputs, with large values read from their files and escaped data as it was, if there are such."""
    if not has_marks:
        return inputs
    from windlass.runtime import values  # noqa: PLC0415  few tasks get such inputs
    from windlass_api.refs import decode  # noqa: PLC0415  as above
    from windlass_api.stored import STORED  # noqa: PLC0415  as above

    reader = values.Reader()
    meanings = {"$value": lambda digest: reader.inlined(_large_value(digest)), STORED: reader.part}
    return {name: decode(value, meanings) for name, value in inputs.items()}


def _large_value(digest: str) -> Any:
    path = f"{os.environ.get('WINDLASS_VALUES', VALUES)}/{digest}/value.json.gz"
    try:
        with open(path, "rb") as file:  # noqa: PTH123  pathlib would be loaded for this alone
            return json.loads(bundle.gunzip(file.read(), path))
    except (OSError, ValueError, bundle.BundleError) as error:
        raise task_error("system", "ValueUnreadable", f"a large input can't be read: {error}") from error


# ---- the store ------------------------------------------------------------------------------------------------------


def store() -> str:
    """Where the data of what is running goes; nothing where there is no store."""
    known = sys.modules.get("windlass._store")  # it costs its loading, and may be told of another place than the pod's
    return (known.current_prefix() if known.keeps_outputs() else "") if known else os.environ.get(STORE) or ""


def writing_below(prefix: str | None) -> AbstractContextManager[None]:
    """Sends the data of one attempt to a place of its own, in a process that makes many."""
    if prefix is None:
        return nullcontext()
    from windlass import _store  # noqa: PLC0415  few processes make many attempts

    return _store.raw_output_prefix(prefix)


# ---- the end --------------------------------------------------------------------------------------------------------


def refuse_what_is_lost(values: dict[str, Any], types: Callable[[str], tuple[Type, Schema | None]]) -> None:
    """Files, tables and pickles that lie in this pod would go with it, and fail their reader. `types` gives an output's
    type and schema.
    """
    if store() or '"uri"' not in json.dumps(values):
        return
    from windlass_api.references import changed  # noqa: PLC0415  few tasks give references

    def refused(part: Any, of: Type) -> Any:
        place = part["uri"] if isinstance(part, dict) else ""
        if place.startswith(("/", "file:")):
            message = (
                f"a {of.name} at {place} would be lost with this pod: there is no store to keep it in. Return the data"
                f" itself where it is small, or have the operator told of a store (the chart's `store.prefix`). For one"
                f" task, its environment may set {STORE} to an address that every pod can reach, such as s3://…"
            )
            raise task_error("user", "USER:NoStore", message, "NoStore")
        return part

    for name, value in values.items():
        changed(value, *types(name), refused)


def success(result: dict[str, Any], about: dict[str, Any], limit: int) -> bytes:
    """The record of what a task gave, within the limit. What is too large goes to the store; where there is none, it is
    an error.
    """
    content = _encoded(result, about)
    shortest = record.shortened(content, limit)
    if shortest is None and store():
        from windlass.runtime import values  # noqa: PLC0415  few records are too long

        result = values.fitted(result, lambda body: record.shortened(_encoded(body, about), limit) is not None)
        content = _encoded(result, about)
        shortest = record.shortened(content, limit)
    if shortest is not None:
        return shortest
    if "workflow" in result:
        nodes = len(result["workflow"]["nodes"])
        message = (
            f"the {nodes:,} calls are too many to leave the pod: {record.too_large(content, limit)}. Make one call for"
            " many values, map_task(task)(values), or put groups of them into workflows or dynamic tasks of their own"
        )
        raise task_error("user", "OutputTooLarge", message, "OutputTooLarge")
    outputs = result["outputs"].items()
    sizes = ", ".join(f"{name}: {len(record.encode({name: value})):,} bytes" for name, value in outputs)
    message = (
        f"the outputs are too large to leave the pod: {record.too_large(content, limit)} ({sizes}). Return a summary,"
        " or write the data where the next task can read it and return the place"
        + ("" if store() else "; with a store (the chart's `store.prefix`) they would go there by themselves")
    )
    raise task_error("user", "OutputTooLarge", message, "OutputTooLarge")


def _encoded(result: Mapping[str, Any], about: dict[str, Any]) -> bytes:
    return record.encode({**result, **about})


def error_record(
    error: BaseException, in_user_code: bool, retry_on: list[str], about: dict[str, Any], limit: int
) -> tuple[bytes, int]:
    """The record of a failure, and the exit code that agrees with it."""
    from windlass import _failure  # noqa: PLC0415  loads `traceback`, which success does without

    told = _failure.describe(error, in_user_code, retry_on)
    tell(told["traceback"] or f"{told['type']}: {told['message']}")
    return record.fit_error(told, about, limit), TERMINATED if isinstance(error, Terminated) else 1


def tell(text: str) -> None:
    """The log has the whole story; the record only what fits."""
    try:
        sys.stdout.flush()
        sys.stderr.write(record.clean(text).rstrip() + "\n")
    except (OSError, ValueError, AttributeError):
        return  # the user's code has closed or replaced the streams; the record still tells


def leave(content: bytes, code: int) -> None:
    """Puts the record where the kubelet finds it."""
    path = os.environ.get("WINDLASS_RESULT", RESULT)
    try:
        record.write(path, content)
    except OSError as error:
        tell(f"windlass: the record can't be written to {path}: {error}\n{content.decode()}")
        raise SystemExit(code or 1) from None
    signal.signal(signal.SIGTERM, lambda *_: os._exit(code))  # threads that still run shall not hold up the end


def task_error(kind: str, code: str, message: str, type_name: str = "") -> BaseException:
    """A failure that the runtime itself found."""
    from windlass._failure import TaskError  # noqa: PLC0415  only when something has failed, as above

    return TaskError(kind, code, message, type_name or code)
