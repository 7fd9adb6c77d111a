"""An exception as a record: who has to act, what it says, and where in the user's code it came from.

Loaded only once something has failed: `traceback` is slow to load, and a task that succeeds does not pay for it.
Frames of Windlass itself and of Python's import machinery are left out at every level: of the exception, of its causes,
and of the members of exception groups.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable, Iterator
from typing import Any

from windlass._exceptions import (
    BaseRecoverableException,
    FlyteException,
    FlyteSystemException,
    Terminated,
    TypeTransformerFailedError,
    UnsupportedTypeError,
)

ANY = "any"
USER_CODE = "USER:RuntimeError"
SYSTEM_CODE = "SYSTEM:Unknown"

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100, PTH120  as all paths here
_IMPORT_MACHINERY = "<frozen importlib"
_DEEPEST = 50  # causes of causes that are looked at


class TaskError(Exception):
    """A failure that the runtime itself found, with all that its record says. Trying again would not help."""

    def __init__(self, kind: str, code: str, message: str, type_name: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.type_name = type_name


def describe(error: BaseException, in_user_code: bool, retry_on: Iterable[str]) -> dict[str, Any]:
    """The record's `error`, not yet fitted."""
    kind, code = _classify(error, in_user_code)
    return {
        "kind": kind,
        "code": code,
        "type": error.type_name if isinstance(error, TaskError) else type(error).__name__,
        "message": message_of(error),
        "traceback": user_traceback(error),
        "recoverable": kind == "user" and _is_recoverable(error, frozenset(retry_on)),
    }


def message_of(error: BaseException) -> str:
    """What the exception says of itself, if it can be asked."""
    try:
        return str(error)
    except BaseException as failure:  # noqa: BLE001  a user's __str__ may raise anything; it must not hide the error
        return f"<its message is not available: {type(failure).__name__} in {type(error).__name__}.__str__>"


def user_traceback(error: BaseException) -> str:
    """The traceback with causes and group members, without frames of Windlass; empty where no frame is left."""
    try:
        told = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
        frames = sum(_keep_users_frames(level) for level in _levels(told, _DEEPEST))
        return "".join(told.format()).rstrip("\n") if frames else ""
    except Exception as failure:  # noqa: BLE001  exceptions may be built in any way; the record matters more
        return f"<the traceback is not available: {type(failure).__name__} while it was formatted>"


def _classify(error: BaseException, in_user_code: bool) -> tuple[str, str]:
    if isinstance(error, TaskError):
        return error.kind, error.code
    if isinstance(error, Terminated):
        return "system", "Terminated"
    own_code = _own_code(error)
    if isinstance(error, FlyteSystemException):
        return "system", own_code or SYSTEM_CODE
    if in_user_code or isinstance(error, FlyteException | TypeTransformerFailedError | UnsupportedTypeError):
        return "user", own_code or USER_CODE
    return "system", SYSTEM_CODE


def _own_code(error: BaseException) -> str:
    code = getattr(error, "error_code", None)
    return code if isinstance(code, str) else ""


def _is_recoverable(error: BaseException, retry_on: frozenset[str]) -> bool:
    if isinstance(error, TaskError):
        return False
    if isinstance(error, BaseRecoverableException) or ANY in retry_on:
        return True
    return any(name in retry_on for base in type(error).__mro__ for name in _names(base))


def _names(exception_class: type) -> tuple[str, str]:
    return exception_class.__name__, f"{exception_class.__module__}.{exception_class.__qualname__}"


def _levels(told: traceback.TracebackException, depth: int) -> Iterator[traceback.TracebackException]:
    if depth == 0:
        return
    yield told
    for below in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
        if below is not None:
            yield from _levels(below, depth - 1)


def _keep_users_frames(level: traceback.TracebackException) -> int:
    level.stack[:] = [frame for frame in level.stack if _is_users(frame.filename)]
    return len(level.stack)


def _is_users(filename: str) -> bool:
    return not filename.startswith((_OURS, _IMPORT_MACHINERY))
