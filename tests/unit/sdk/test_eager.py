"""`@eager`: an `async def` that awaits tasks; here only, for now."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import windlass
from windlass import _emit, task, workflow
from windlass._eager import eager


@task
def add(a: int, b: int = 1) -> int:
    return a + b


@task
async def double(n: int) -> int:
    await asyncio.sleep(0)
    return 2 * n


@task
async def broken(n: int) -> int:
    raise KeyError(n)
    return n


@workflow
def twice(n: int) -> int:
    return add(a=n, b=n)


@eager
async def countdown(n: int) -> list[int]:
    """Counts."""
    return [n, *await countdown(n=n - 1)] if n else []


def test_it_gives_something_to_await() -> None:
    @eager
    async def simple(n: int) -> int:
        return await double(n=n)

    assert asyncio.run(simple(n=3)) == 6
    assert asyncio.run(simple(4)) == 8


def test_values_are_plain_python() -> None:
    @eager
    async def searching(n: int) -> int:
        found = await double(n=n)
        while found < 20:
            found = await double(n=found)
        try:
            return await broken(n=found)
        except KeyError:
            return found

    assert asyncio.run(searching(n=3)) == 24


def test_calls_that_are_not_asynchronous_give_their_values_at_once() -> None:
    @eager
    async def mixed(n: int) -> int:
        return add(a=twice(n=n)) + await double(n=n)

    assert asyncio.run(mixed(n=5)) == 21


def test_calls_can_be_gathered_and_run_at_once() -> None:
    meeting = threading.Barrier(2, timeout=10)

    @task
    async def meet(n: int) -> int:
        await asyncio.to_thread(meeting.wait)
        return n

    @eager
    async def gathering(n: int) -> list[int]:
        return list(await asyncio.gather(meet(n=n), meet(n=n + 1)))

    assert asyncio.run(gathering(n=1)) == [1, 2]


def test_it_may_await_itself() -> None:
    assert asyncio.run(countdown(n=3)) == [3, 2, 1]


def test_a_task_that_runs_a_loop_of_its_own_can_be_called() -> None:
    @task
    def looping(n: int) -> int:
        return asyncio.run(_quadrupled(n))

    @eager
    async def calling(n: int) -> int:
        return looping(n=n)

    assert asyncio.run(calling(n=2)) == 8


async def _quadrupled(n: int) -> int:
    return 4 * n


def test_an_exception_keeps_its_class_and_says_which_task_raised_it() -> None:
    @eager
    async def failing(n: int) -> int:
        return await broken(n=n)

    with pytest.raises(KeyError) as caught:
        asyncio.run(failing(n=1))
    assert broken.name in str(caught.value)


def test_arguments_are_checked_when_it_is_called() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'n'"):
        countdown()  # type: ignore[call-arg,unused-coroutine]  # that is the mistake
    with pytest.raises(AssertionError, match="Received unexpected keyword argument 'm'"):
        countdown(m=1)  # type: ignore[call-arg,unused-coroutine]  # that is the mistake
    with pytest.raises(windlass.TypeTransformerFailedError, match="'n'"):
        countdown(n="x")  # type: ignore[arg-type,unused-coroutine]  # that is the mistake


def test_in_a_workflow_it_is_a_node_that_runs_here() -> None:
    @workflow
    def counting(n: int) -> list[int]:
        return countdown(n=n)  # type: ignore[return-value]  # promises, in a workflow

    assert len(counting.nodes) == 1
    assert counting(n=2) == [2, 1]


def test_an_async_task_can_be_awaited_in_any_coroutine() -> None:
    async def main() -> Any:
        return await double(n=2), add(a=1)

    assert asyncio.run(main()) == (4, 2)
    assert double(n=2) == 4  # type: ignore[comparison-overlap]  # where no loop runs, the value comes back


def test_rendering_it_says_why_it_can_not_run_in_a_cluster() -> None:
    with pytest.raises(windlass.FlyteAssertion, match=r"test_eager\.py:\d+: .*countdown runs locally"):
        _emit.manifest(countdown)


def test_it_is_an_async_def() -> None:
    with pytest.raises(ValueError, match=r"test_eager\.py:\d+: an eager workflow is an `async def`"):

        @eager  # type: ignore[arg-type]  # that is the mistake
        def slow(n: int) -> int:
            return n


def test_it_takes_the_options_of_a_task() -> None:
    attempts: list[int] = []

    @eager(retries=1)
    async def flaky(n: int) -> int:
        attempts.append(n)
        if len(attempts) < 2:
            raise windlass.FlyteRecoverableException("not yet")
        return n

    assert asyncio.run(flaky(n=1)) == 1
    with pytest.raises(ValueError, match="Unrecognized argument"):
        eager(retry=1)
