"""What is going on right now: which workflow is being looked at, and which task runs.

Two things that everybody may ask and few set, kept where even the lowest rooms reach them; `_context` is their face.

Calling a task means three things: inside a workflow that is being compiled it makes a node, inside one that runs
locally it runs the task and gives promises that hold values, anywhere else it runs the task and gives plain values.
The first two are scopes (`_calls.Scope`); the innermost one is kept here, per thread.

The task that runs is kept per thread as well. A thread that the task's own code has started knows of none; for it, it
is the one that was entered last in this process. (In a pod there is only that one.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from windlass._calls import Scope
    from windlass._parameters import ExecutionParameters

_scope: ContextVar[Scope | None] = ContextVar("windlass_scope", default=None)
_task: ContextVar[ExecutionParameters | None] = ContextVar("windlass_task", default=None)
_running: list[ExecutionParameters] = []
outside_decks: list[Any] = []
"""Decks that no task made, which nobody writes."""


def current_scope() -> Scope | None:
    """The scope in which a call made now takes part; None outside of workflows."""
    return _scope.get()


@contextmanager
def entered(scope: Scope | None) -> Iterator[None]:
    """Makes a scope the current one; None stands for plain Python, as in a task's own body."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)


def current_task() -> ExecutionParameters | None:
    """What the running task may ask of its surroundings; None where no task runs."""
    parameters = _task.get()
    return parameters if parameters is not None or not _running else _running[-1]


@contextmanager
def entered_task(parameters: ExecutionParameters) -> Iterator[None]:
    """Makes these the parameters of the running task."""
    token = _task.set(parameters)
    _running.append(parameters)
    try:
        yield
    finally:
        _running.remove(parameters)
        _task.reset(token)


def current_decks() -> list[Any]:
    """The decks of the running task; outside of tasks `outside_decks`."""
    running = current_task()
    return outside_decks if running is None else running.decks


def current_folder() -> str:
    """The working folder of the running task; outside of tasks one of this process. It goes when the process ends."""
    running = current_task()
    if running is not None:
        return running.working_directory
    from windlass import _store  # noqa: PLC0415  few tasks ask

    return _store.scratch_folder("outside")
