"""Time that costs nothing: an asyncio event loop whose clock jumps to the next timer when nothing is left to do.

::

    with Timeline.governs() as timeline:        the operator's clock is this one now
        timeline.restart()                      it is 0 s again; nothing of before is left
        timeline.run_until_complete(history())

Callbacks run in the order in which they were asked for, timers in that of their times, so a history that draws from
nothing but its seed is the same each time. One loop serves many histories, one after the other.

``windlass_operator.clients.clock`` reads it too: ``monotonic`` is the loop's time, ``now`` is that since ``EPOCH`` and
an ``offset`` on top, by which a history makes the wall clock jump.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from windlass_operator.clients import clock

EPOCH = 1_800_000_000.0


class Stalled(Exception):  # noqa: N818  it is the end of a history, and no error of whoever gets it
    """Nothing will ever happen again: no callback is ready, and no timer runs."""


class Timeline(asyncio.BaseEventLoop):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = self
        self._clock_resolution = 1e-9
        self._seconds = 0.0
        self.offset = 0.0
        """How far the wall clock has jumped."""
        self.tasks: list[asyncio.Task[Any]] = []
        self.set_task_factory(self._remembered)

    def time(self) -> float:
        """Seconds since the history began."""
        return self._seconds

    def now(self) -> float:
        """The wall clock: seconds since the epoch."""
        return EPOCH + self._seconds + self.offset

    def restart(self) -> None:
        """Begin again. Whatever is under way ends at once."""
        for task in self.tasks:
            task.cancel()
        self._scheduled.clear()  # type: ignore[attr-defined]  # BaseEventLoop's own
        if any(not task.done() for task in self.tasks):
            self.run_until_complete(asyncio.gather(*self.tasks, return_exceptions=True))
        self.tasks.clear()
        self._scheduled.clear()  # type: ignore[attr-defined]  # BaseEventLoop's own
        self._ready.clear()  # type: ignore[attr-defined]  # BaseEventLoop's own
        self._seconds = self.offset = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        """What the loop calls when it would wait: no time is lost, it only gets later."""
        if timeout is None:
            raise Stalled
        if timeout > 0:
            self._seconds = self._scheduled[0].when()  # type: ignore[attr-defined]  # BaseEventLoop's own
        return []

    def close(self) -> None:
        """End for good."""
        self.restart()
        super().close()

    @classmethod
    @contextmanager
    def governs(cls) -> Iterator[Timeline]:
        """A timeline that is the operator's clock for a while."""
        timeline, before = cls(), (clock.now, clock.monotonic)
        clock.now, clock.monotonic = timeline.now, timeline.time
        try:
            yield timeline
        finally:
            clock.now, clock.monotonic = before
            timeline.close()

    def _remembered(self, loop: asyncio.AbstractEventLoop, work: Any, **rest: Any) -> asyncio.Task[Any]:
        """Every task is kept, so that none outlives its history (nor is collected in mid-run)."""
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **rest)
        self.tasks.append(task)
        return task

    def _process_events(self, events: list[Any]) -> None:
        """There is no I/O."""

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""
