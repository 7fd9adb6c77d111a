"""The keyed wake-up queue: a key is handled by one worker at a time, and waking it often costs one pass.

::

    wake(key) ──► waiting ──get()──► running ──done()──► (woken meanwhile? waiting again : forgotten)
    wake_at(key, when): the earliest time asked for counts
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")


class WakeQueue(Generic[K]):
    """See the module. Times are those of the event loop's clock, given as delays."""

    def __init__(self) -> None:
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()
        self._running: set[K] = set()
        self._again: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._getters: deque[asyncio.Future[None]] = deque()
        self._quiet: list[tuple[Callable[[K], bool], asyncio.Future[None]]] = []

    def __len__(self) -> int:
        """How many keys wait."""
        return len(self._ready)

    def wake(self, key: K) -> None:
        """Have the key handled soon, once."""
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._notify()

    def wake_after(self, key: K, delay: float) -> None:
        """Have the key handled after so many seconds, or earlier if that was asked for too."""
        loop = asyncio.get_running_loop()
        when = loop.time() + max(0.0, delay)
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(when, self._ring, key)

    async def get(self) -> K:
        """The next key, as soon as there is one. ``done`` must follow."""
        while not self._ready:
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if not getter.cancelled():  # it had been called already: somebody else has to come
                    self._notify()
                raise
            finally:
                if getter in self._getters:
                    self._getters.remove(getter)
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._running.add(key)
        return key

    def done(self, key: K) -> None:
        """The key's pass is over."""
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.wake(key)
        for concerns, waiter in self._quiet:
            if not waiter.done() and not any(concerns(other) for other in self._running):
                waiter.set_result(None)

    async def quiet(self, concerns: Callable[[K], bool]) -> None:
        """Wait until no key that this concerns is being handled."""
        if any(concerns(key) for key in self._running):
            waiter = (concerns, asyncio.get_running_loop().create_future())
            self._quiet.append(waiter)
            try:
                await waiter[1]
            finally:
                self._quiet.remove(waiter)

    def forget(self, key: K) -> None:
        """The key's object is gone: no timer of it shall ring."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _ring(self, key: K) -> None:
        del self._timers[key]
        self.wake(key)

    def _notify(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
