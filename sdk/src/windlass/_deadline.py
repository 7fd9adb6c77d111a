"""How long an attempt may take, for local runs.

In a cluster the pod is ended. Here the task's code is interrupted by an exception, which `except Exception` does not
catch; it can't be in a thread other than the main one, nor in the middle of a call into C. Whatever ends too late has
failed all the same: its result would not have existed in a cluster.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from windlass._exceptions import FlyteTimeout

_SOON = 1e-6


class TimeoutExpired(FlyteTimeout):
    """An attempt took longer than its `timeout`. It may be tried again."""


class _Interruption(BaseException):
    """Raised in the task's code when the time is up, of this task or of one around it."""

    def __init__(self, alarm: _Alarm) -> None:
        super().__init__()
        self.alarm = alarm


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises TimeoutExpired if the block takes longer; 0 is without limit."""
    if not seconds:
        yield
        return
    alarm = _Alarm(seconds)
    try:
        with alarm.set():
            yield
    except _Interruption as interruption:
        if interruption.alarm is not alarm:
            raise
        raise alarm.expired() from None
    except Exception as error:
        if alarm.is_late:  # on its way out, the interruption was turned into something else
            raise alarm.expired() from error
        raise
    if alarm.is_late:
        raise alarm.expired()


class _Alarm:
    """A time that is up, sooner or later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._started = time.monotonic()
        self._handler: Any = None
        self._other = 0.0
        """Seconds, from the start, until the timer that was set before rings; 0 for none."""

    @property
    def is_late(self) -> bool:
        """Whether the time is up."""
        return self._left(self._seconds) <= 0

    def expired(self) -> TimeoutExpired:
        """What to tell."""
        return TimeoutExpired(
            f"TimeoutExpired: an attempt may take {self._seconds:g} s, and this one did not end in time"
        )

    @contextmanager
    def set(self) -> Iterator[None]:
        """Interrupts the block in time, where that can be. A timer which is set already goes on."""
        if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
            yield
            return
        self._other = signal.getitimer(signal.ITIMER_REAL)[0]
        self._handler = signal.signal(signal.SIGALRM, self._ring)
        self._wind()
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._handler)
            if self._other:
                signal.setitimer(signal.ITIMER_REAL, max(self._left(self._other), _SOON))

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self.is_late:
            raise _Interruption(self)
        if self._other and self._left(self._other) <= 0:
            self._other = 0.0
            if callable(self._handler):
                self._handler(number, frame)
        self._wind()

    def _wind(self) -> None:
        until = min(self._seconds, self._other or self._seconds)
        signal.setitimer(signal.ITIMER_REAL, max(self._left(until), _SOON))

    def _left(self, seconds: float) -> float:
        return self._started + seconds - time.monotonic()
