"""Which workflow is being looked at right now, if any.

Calling a task means three things: inside a workflow that is being compiled it makes a node, inside one that runs
locally it runs the task and gives promises that hold values, anywhere else it runs the task and gives plain values.
The first two are scopes (`_calls.Scope`); the innermost one is kept here, per thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from windlass._calls import Scope

_scope: ContextVar[Scope | None] = ContextVar("windlass_scope", default=None)


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
