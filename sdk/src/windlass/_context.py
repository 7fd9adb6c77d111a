"""What is going on right now, for those who ask: the scope of calls (`_current`), and the context of the running task.

    @task(secret_requests=[Secret(group="db", key="password")])
    def load() -> int:
        context = current_context()
        context.logging.info("attempt %s of %s", context.attempt, context.execution_id.name)
        password = context.secrets.get("db", "password")

Outside of a task there is a context, too: that of this process, where everything is local.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from windlass._current import current_scope, current_task, entered, entered_task

if TYPE_CHECKING:
    from windlass._parameters import ExecutionParameters

__all__ = ["current_context", "current_scope", "current_task", "entered", "entered_task"]


def current_context() -> ExecutionParameters:
    """What the running task may ask of its surroundings: ids, secrets, checkpoint, decks, a logger, a folder.

    >>> current_context().execution_id.name
    'local'
    """
    running = current_task()
    if running is not None:
        return running
    from windlass import _parameters  # noqa: PLC0415  few tasks ask, and a pod enters its own before

    return _parameters.of_this_process()
