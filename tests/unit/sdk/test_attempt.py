"""A local run of a task: what a pod would have given it, and what becomes of a failure."""

from __future__ import annotations

import asyncio
import datetime
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import windlass
from windlass import Deck, current_context, task, workflow
from windlass._deadline import TimeoutExpired, deadline

RUNS: list[Any] = []
FOREVER = 30.0


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    RUNS.clear()


# ---- attempts -------------------------------------------------------------------------------------------------------


@task(retries=2)
def mutating(items: list[int]) -> int:
    items.append(len(items))
    RUNS.append(list(items))
    if len(RUNS) < 3:
        raise windlass.FlyteRecoverableException("again")
    return len(items)


def test_each_attempt_gets_inputs_that_no_earlier_one_has_touched() -> None:
    assert mutating(items=[]) == 1
    assert RUNS == [[0], [0], [0]]


def test_a_result_that_does_not_fit_is_tried_again_only_if_the_task_says_so() -> None:
    @task(retries=1)
    def lying() -> int:
        RUNS.append(1)
        return "x"  # type: ignore[return-value]  # that is the mistake

    with pytest.raises(windlass.TypeTransformerFailedError, match=r"^Failed to convert outputs of task"):
        lying()
    assert RUNS == [1]

    @task(retries=1, retry_on="any")
    def lying_often() -> int:
        RUNS.append(1)
        return "x"  # type: ignore[return-value]  # that is the mistake

    with pytest.raises(windlass.TypeTransformerFailedError):
        lying_often()
    assert RUNS == [1, 1, 1]


def test_the_outputs_of_a_worker_are_ignored_where_it_has_none_and_missed_where_it_has() -> None:
    @task(retries=3, retry_on="any")
    def silent() -> None:
        RUNS.append(1)
        raise windlass.IgnoreOutputs("not the first worker")

    @task
    def awaited(n: int) -> int:
        if n:
            raise windlass.IgnoreOutputs("not the first worker")
        return n

    assert silent() is None
    assert RUNS == [1]
    with pytest.raises(windlass.IgnoreOutputs):
        awaited(n=1)


# ---- environment ----------------------------------------------------------------------------------------------------


@task(environment={"WINDLASS_TEST_A": "task", "WINDLASS_TEST_B": "task"})
def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("WINDLASS_TEST_")}


def test_a_tasks_variables_are_there_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_TEST_A", "mine")
    assert environment() == {"WINDLASS_TEST_A": "task", "WINDLASS_TEST_B": "task"}
    assert os.environ["WINDLASS_TEST_A"] == "mine"
    assert "WINDLASS_TEST_B" not in os.environ


def test_a_node_may_add_to_them() -> None:
    @workflow
    def one() -> dict[str, str]:
        promise: Any = environment()
        found: dict[str, str] = promise.with_overrides(environment={"WINDLASS_TEST_B": "node", "WINDLASS_TEST_C": "c"})
        return found

    assert one() == {"WINDLASS_TEST_A": "task", "WINDLASS_TEST_B": "node", "WINDLASS_TEST_C": "c"}


def test_tasks_at_the_same_time_put_back_what_was_there_before_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_TEST_A", "mine")
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    @task(environment={"WINDLASS_TEST_A": "first"})
    def first() -> int:
        first_is_in.set()
        assert second_is_in.wait(FOREVER)
        return 1

    @task(environment={"WINDLASS_TEST_A": "second"})
    def second() -> str:
        second_is_in.set()
        assert first_is_out.wait(FOREVER)
        return os.environ["WINDLASS_TEST_A"]

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        assert first_is_in.wait(FOREVER)
        other = pool.submit(second)
        one.result(FOREVER)
        first_is_out.set()
        assert other.result(FOREVER) == "second"
    assert os.environ["WINDLASS_TEST_A"] == "mine"


# ---- time -----------------------------------------------------------------------------------------------------------


def wait_for_ever() -> None:
    threading.Event().wait(FOREVER)


@task(timeout=datetime.timedelta(milliseconds=50), retries=1)
def hanging() -> int:
    RUNS.append(current_context().attempt)
    try:
        wait_for_ever()
    except Exception:  # noqa: BLE001  as careless code does
        RUNS.append("swallowed")
    finally:
        RUNS.append("cleaned up")
    return 1


@task(timeout=3600)
def quick() -> int:
    return 1


def test_an_attempt_that_takes_too_long_is_interrupted_and_tried_again() -> None:
    with pytest.raises(windlass.FlyteTimeout, match=r"executing '.*hanging':\n  TimeoutExpired: .* 0\.05 s") as told:
        hanging()
    assert RUNS == [0, "cleaned up", 1, "cleaned up"]
    assert isinstance(told.value, AssertionError)
    assert signal.getitimer(signal.ITIMER_REAL)[0] < 3600, "no timer of ours is left"


def test_an_attempt_that_ends_in_time_leaves_no_timer() -> None:
    before = signal.getsignal(signal.SIGALRM)
    assert quick() == 1
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_node_may_lift_the_limit_or_set_one() -> None:
    @task
    def free() -> int:
        wait_for_ever()
        return 1

    @workflow
    def limited() -> int:
        promise: Any = free()
        found: int = promise.with_overrides(timeout=datetime.timedelta(milliseconds=50))
        return found

    with pytest.raises(windlass.FlyteTimeout):
        limited()


def test_in_another_thread_it_can_not_be_interrupted_but_has_failed_all_the_same() -> None:
    @task(timeout=datetime.timedelta(milliseconds=1))
    def slow() -> int:
        ends = time.monotonic() + 0.01
        while time.monotonic() < ends:
            pass
        RUNS.append("finished")
        return 1

    with ThreadPoolExecutor(1) as pool, pytest.raises(windlass.FlyteTimeout):
        pool.submit(slow).result()
    assert RUNS == ["finished"]


def test_the_deadline_of_a_task_around_is_not_taken_for_ones_own() -> None:
    @task(timeout=3600, retries=5)
    def patient() -> int:
        RUNS.append("inner")
        wait_for_ever()
        return 1

    @task(timeout=datetime.timedelta(milliseconds=50))
    def impatient() -> int:
        return patient()

    with pytest.raises(windlass.FlyteTimeout, match=r"^[^\n]*impatient':\n  TimeoutExpired"):
        impatient()
    assert RUNS == ["inner"]


def test_the_deadline_of_a_task_inside_ends_only_that() -> None:
    @task(timeout=3600)
    def tolerant() -> int:
        with pytest.raises(windlass.FlyteTimeout):
            hanging()
        return 1

    assert tolerant() == 1


def test_an_async_task_is_interrupted_too() -> None:
    @task(timeout=datetime.timedelta(milliseconds=50))
    async def hanging_loop() -> int:
        await asyncio.sleep(FOREVER)
        return 1

    call: Any = hanging_loop
    with pytest.raises(windlass.FlyteTimeout):
        call()


def test_an_interruption_that_was_turned_into_something_else_is_still_the_timeout() -> None:
    def disguise() -> None:
        try:
            wait_for_ever()
        except BaseException as error:
            raise OSError("disguised") from error

    with pytest.raises(TimeoutExpired) as told, deadline(0.02):
        disguise()
    assert isinstance(told.value.__cause__, OSError)


def test_another_timer_goes_on_and_rings_once() -> None:
    rung: list[float] = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(time.monotonic()))
    timer = signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        with deadline(3600):
            while not rung:
                pass
        assert len(rung) == 1
        signal.setitimer(signal.ITIMER_REAL, 500)
        with deadline(3600):
            pass
        assert 400 < signal.getitimer(signal.ITIMER_REAL)[0] <= 500
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


# ---- decks ----------------------------------------------------------------------------------------------------------


@task(enable_deck=True)
def showing(n: int) -> str:
    """Shows itself."""
    Deck("Mine", "<p>hello from the deck</p>")
    current_context().default_deck.append("<p>by default</p>")
    if n < 0:
        raise ValueError("below zero")
    return f"result {n}"


@task(enable_deck=True, deck_fields=("Input",))
def frugal(n: int) -> int:
    Deck.publish()
    RUNS.append(current_context().report.uri)
    return n


def deck_told(capsys: pytest.CaptureFixture[str]) -> str:
    """The page whose place was told on stderr."""
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "deck in" in line]
    return Path(line.rpartition(" ")[2]).read_text()


def test_a_deck_is_written_with_all_that_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    showing(n=7)
    page = deck_told(capsys)
    for part in ("hello from the deck", "by default", "result 7", "Shows itself", "Timeline", "Dependencies", "Input"):
        assert part in page


def test_a_deck_is_written_after_a_failure_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="below zero"):
        showing(n=-1)
    assert "hello from the deck" in deck_told(capsys)


def test_a_deck_has_the_fields_that_are_asked_for_and_is_published_where_it_ends_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    frugal(n=7)
    page = deck_told(capsys)
    assert ">Input<" in page
    for part in ("Source Code", "Timeline", "Output"):
        assert part not in page
    assert Path(RUNS[0]).read_text() == page


def test_a_task_without_decks_writes_none(capsys: pytest.CaptureFixture[str]) -> None:
    quick()
    assert "deck in" not in capsys.readouterr().err


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __reduce__(self) -> Any:
        return Unshowable, ()


@task(enable_deck=True, deck_fields=("Output",))
def unshowable() -> Unshowable:
    return Unshowable()


def test_what_can_not_be_shown_or_written_is_not_why_a_task_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.warns(UserWarning) as told:
        assert isinstance(unshowable(), Unshowable)
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", "http://127.0.0.1:9/read-only")
    with pytest.warns(UserWarning, match="the deck of .*showing is not complete: it can't be written") as told:
        assert showing(n=1) == "result 1"
    assert len(told) == 1
