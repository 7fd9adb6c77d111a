"""Calls from asynchronous code: work done in a thread, where it may start an event loop of its own.

A thread sees the context of its caller (`contextvars`). Loaded by the first call that is made where a loop runs.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


def awaitable(work: Callable[[], T]) -> Awaitable[T]:
    """A coroutine that does the work and gives its result; others of the same loop go on meanwhile."""
    return asyncio.to_thread(work)


def result_of(work: Callable[[], T]) -> T:
    """The result of the work, waited for here. What it raises is raised."""
    context = contextvars.copy_context()
    done: dict[str, Any] = {}

    def run() -> None:
        try:
            done["result"] = context.run(work)
        except BaseException as error:  # noqa: BLE001  it is raised again by the caller
            done["error"] = error

    thread = threading.Thread(target=run, name="windlass-call")
    thread.start()
    thread.join()
    if "error" in done:
        raise done["error"]
    result: T = done["result"]
    return result
