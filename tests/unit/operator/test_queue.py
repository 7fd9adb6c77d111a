"""The keyed wake-up queue: for all sequences of wakes, timers and passes; and where several workers wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from windlass_operator.reconcile.queue import WakeQueue

KEYS = st.sampled_from(["a", "b", "c"])


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time goes on when it is told to."""

    now = 0.0

    def time(self) -> float:
        """Seconds since it was made."""
        return self.now

    def do(self, what: Callable[[], Any]) -> Any:
        """Call something inside the loop, and let everything happen that is due."""

        async def inside() -> Any:
            found = what()
            if isinstance(found, Awaitable):
                found = await found
            for _ in range(3):
                await asyncio.sleep(0)
            return found

        return self.run_until_complete(inside())


class QueueMachine(RuleBasedStateMachine):
    """A queue beside a model of it: who waits, who runs, who has to run again, and whose timer rings when."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        self.queue: WakeQueue[str] = WakeQueue()
        self.waiting: list[str] = []
        self.running: set[str] = set()
        self.again: set[str] = set()
        self.timers: dict[str, float] = {}

    def teardown(self) -> None:
        """The loop is ours."""
        for key in list(self.timers):
            self.queue.forget(key)
        self.loop.close()

    def woken(self, key: str) -> None:
        """What waking a key means."""
        if key in self.running:
            self.again.add(key)
        elif key not in self.waiting:
            self.waiting.append(key)

    @rule(key=KEYS)
    def wake(self, key: str) -> None:
        self.loop.do(lambda: self.queue.wake(key))
        self.woken(key)

    @rule(key=KEYS, delay=st.sampled_from([-1.0, 1.0, 2.0, 5.0]))
    def wake_after(self, key: str, delay: float) -> None:
        self.loop.do(lambda: self.queue.wake_after(key, delay))
        when = self.loop.now + max(0.0, delay)
        self.timers[key] = min(when, self.timers.get(key, when))
        self.ring()

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.now += seconds
        self.ring()

    def ring(self) -> None:
        """Timers that are due ring in the order of their times."""
        for key in sorted(self.timers, key=lambda one: self.timers[one]):
            if self.timers[key] <= self.loop.now:
                del self.timers[key]
                self.woken(key)
        self.loop.do(lambda: None)

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.loop.do(lambda: self.queue.forget(key))
        self.timers.pop(key, None)

    @precondition(lambda self: self.waiting)
    @rule()
    def a_worker_takes_a_key(self) -> None:
        taken = self.loop.do(self.queue.get)
        assert taken in self.waiting
        assert taken not in self.running, "two workers have one key"
        self.waiting.remove(taken)
        self.running.add(taken)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def a_pass_is_over(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.loop.do(lambda: self.queue.done(key))
        self.running.remove(key)
        if key in self.again:
            self.again.remove(key)
            self.waiting.append(key)

    @invariant()
    def as_many_wait_as_should(self) -> None:
        assert len(self.queue) == len(self.waiting)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_keys_are_taken_in_the_order_in_which_they_were_woken() -> None:
    async def scenario() -> list[str]:
        queue: WakeQueue[str] = WakeQueue()
        for key in "cabca":
            queue.wake(key)
        return [await queue.get() for _ in range(3)]

    assert asyncio.run(scenario()) == ["c", "a", "b"]


def test_a_key_woken_while_it_runs_gets_exactly_one_more_pass() -> None:
    async def scenario() -> tuple[int, int]:
        queue: WakeQueue[str] = WakeQueue()
        queue.wake("a")
        key = await queue.get()
        for _ in range(5):
            queue.wake(key)
        while_running = len(queue)
        queue.done(key)
        queue.done(await queue.get())
        return while_running, len(queue)

    assert asyncio.run(scenario()) == (0, 0)


def test_waiting_workers_each_get_a_key() -> None:
    async def scenario() -> list[str]:
        queue: WakeQueue[str] = WakeQueue()
        workers = [asyncio.create_task(queue.get()) for _ in range(3)]
        await asyncio.sleep(0)
        for key in "abc":
            queue.wake(key)
        return sorted(await asyncio.wait_for(asyncio.gather(*workers), 5))

    assert asyncio.run(scenario()) == ["a", "b", "c"]


def test_a_worker_that_gave_up_waiting_takes_no_key_with_it() -> None:
    async def scenario() -> str:
        queue: WakeQueue[str] = WakeQueue()
        first, second = (asyncio.create_task(queue.get()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        queue.wake("a")
        return await asyncio.wait_for(second, 5)

    assert asyncio.run(scenario()) == "a"


def test_a_worker_stopped_just_as_it_was_called_passes_the_call_on() -> None:
    async def scenario() -> str:
        queue: WakeQueue[str] = WakeQueue()
        first, second = (asyncio.create_task(queue.get()) for _ in range(2))
        await asyncio.sleep(0)
        queue.wake("a")
        first.cancel()
        return await asyncio.wait_for(second, 5)

    assert asyncio.run(scenario()) == "a"


def test_it_is_quiet_when_no_key_that_matters_is_being_handled() -> None:
    loop, queue = Loop(), WakeQueue[str]()
    loop.do(lambda: queue.quiet(lambda key: True))
    for key in ("a", "b"):
        queue.wake(key)
        loop.do(queue.get)
    quiet = loop.create_task(queue.quiet(lambda key: key == "a"))
    impatient = loop.create_task(queue.quiet(lambda key: True))
    loop.do(lambda: queue.done("b"))
    assert not quiet.done()
    impatient.cancel()
    loop.do(lambda: None)
    loop.do(lambda: queue.done("a"))
    assert quiet.done() and impatient.cancelled()
    loop.close()
