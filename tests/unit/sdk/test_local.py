"""Local runs: the same conversions, retries and messages as on a cluster."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest

import windlass
from windlass import task, workflow


@dataclass
class Box:
    content: list[int]


class PickyError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)


class Attempts:
    """Counts how often a task's body ran."""

    count = 0

    @classmethod
    def fail(cls, error: Exception) -> NoReturn:
        cls.count += 1
        raise error


@pytest.fixture(autouse=True)
def _no_attempts_yet() -> None:
    Attempts.count = 0


@task
def fill(box: Box) -> Box:
    box.content.append(1)
    return box


@task(retries=2)
def flaky(succeed_at: int) -> int:
    Attempts.count += 1
    if Attempts.count < succeed_at:
        raise windlass.FlyteRecoverableException("not yet")
    return Attempts.count


@task(retries=2)
def broken() -> int:
    return Attempts.fail(RuntimeError("no way"))


@task(retries=2, retry_on=[OSError])
def unreachable() -> int:
    return Attempts.fail(ConnectionError("gone"))


@task(retries=1, retry_on="any")
def stubborn() -> int:
    return Attempts.fail(KeyError("whatever"))


def test_a_value_is_converted_at_every_edge_so_that_tasks_share_nothing() -> None:
    mine = Box([0])
    assert fill(box=mine) == Box([0, 1])
    assert mine == Box([0])


def test_a_value_of_the_wrong_type_is_refused_by_a_direct_call_in_the_words_of_the_cluster() -> None:
    with pytest.raises(
        windlass.TypeTransformerFailedError,
        match=r"^Failed to convert inputs of task '.*fill':\n  Failed argument 'box':",
    ):
        fill(box=3)  # type: ignore[arg-type]  # that is the mistake


def test_a_result_of_the_wrong_type_is_refused() -> None:
    @task
    def lying() -> int:
        return "x"  # type: ignore[return-value]  # that is the mistake

    with pytest.raises(
        windlass.TypeTransformerFailedError, match=r"^Failed to convert outputs of task '.*lying' at position 0\."
    ):
        lying()


def test_defaults_are_converted_like_arguments() -> None:
    @task
    def defaulted(box: Box = Box([5])) -> int:  # noqa: B008  that is the case
        box.content.append(6)
        return len(box.content)

    assert (defaulted(), defaulted()) == (2, 2)


def test_a_missing_argument_of_a_direct_call_is_pythons_type_error() -> None:
    with pytest.raises(TypeError, match=r"fill\(\) missing 1 required positional argument: 'box'"):
        fill()  # type: ignore[call-arg]  # that is the mistake


def test_too_many_and_unknown_arguments_of_a_direct_call_are_refused() -> None:
    with pytest.raises(AssertionError, match="Received more arguments than expected"):
        fill(Box([]), 2)  # type: ignore[call-arg]  # that is the mistake
    with pytest.raises(AssertionError, match="Received unexpected keyword argument 'bax'"):
        fill(bax=Box([]))  # type: ignore[call-arg]  # that is the mistake


def test_a_promise_outside_of_its_workflow_is_refused() -> None:
    kept: list[Any] = []

    @workflow
    def leaking() -> int:
        kept.append(flaky(succeed_at=1))
        return kept[0]  # type: ignore[no-any-return]

    leaking.compile()
    with pytest.raises(AssertionError, match="is a promise, but this call is not inside a workflow"):
        flaky(succeed_at=kept[0])


def test_recoverable_failures_are_tried_again_as_often_as_retries_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert flaky(succeed_at=3) == 3
    assert "attempt 2 of 3 failed: FlyteRecoverableException" in capsys.readouterr().err


def test_when_the_retries_are_used_up_the_failure_is_raised() -> None:
    with pytest.raises(windlass.FlyteRecoverableException, match=r"Error encountered while executing '.*flaky'"):
        flaky(succeed_at=9)
    assert Attempts.count == 3


def test_other_failures_are_not_tried_again() -> None:
    with pytest.raises(RuntimeError):
        broken()
    assert Attempts.count == 1


def test_retry_on_covers_subclasses() -> None:
    with pytest.raises(ConnectionError):
        unreachable()
    assert Attempts.count == 3


def test_retry_on_any_covers_everything() -> None:
    with pytest.raises(KeyError):
        stubborn()
    assert Attempts.count == 2


def test_the_overrides_of_a_call_count_in_a_local_run() -> None:
    @workflow
    def patient() -> int:
        result: Any = flaky(succeed_at=5)
        return result.with_overrides(retries=5)  # type: ignore[no-any-return]

    assert patient() == 5


def test_an_exception_keeps_its_class_and_says_which_task_raised_it() -> None:
    @workflow
    def failing() -> int:
        return broken()

    with pytest.raises(RuntimeError) as caught:
        failing()
    assert str(caught.value) == f"Error encountered while executing '{broken.name}':\n  no way"


def test_an_exception_with_arguments_of_its_own_survives() -> None:
    @task
    def picky() -> int:
        return Attempts.fail(PickyError(3, "text"))

    with pytest.raises(PickyError) as caught:
        picky()
    assert "Error encountered while executing" in str(caught.value)
    assert caught.value.args[1] == "text"


def test_an_exception_that_does_not_print_its_arguments_gets_a_note() -> None:
    @task
    def missing() -> str:
        with open("/no/such/file") as file:  # noqa: PTH123  the shortest way to such an error
            return file.read()

    with pytest.raises(FileNotFoundError) as caught:
        missing()
    assert caught.value.errno == 2
    assert caught.value.__notes__ == [f"Error encountered while executing '{missing.name}':"]


def test_a_task_may_call_another_task_as_a_function() -> None:
    @task
    def outer(n: int) -> int:
        return flaky(succeed_at=1) + n

    @workflow
    def nesting() -> int:
        return outer(n=1)

    assert nesting() == 2
    assert len(nesting.nodes) == 1


def test_a_task_may_run_a_workflow() -> None:
    @workflow
    def inner() -> int:
        return flaky(succeed_at=1)

    @task
    def outer() -> int:
        return inner()

    @workflow
    def nesting() -> int:
        return outer()

    assert nesting() == 1


def test_an_async_task_is_awaited() -> None:
    @task
    async def slow(n: int) -> int:
        await asyncio.sleep(0)
        return n

    assert slow(n=3) == 3  # type: ignore[comparison-overlap]  # locally and in a pod the value comes back, not a coroutine


def test_a_run_that_differs_from_its_compilation_ignores_foreign_overrides() -> None:
    @workflow
    def moody() -> int:
        Attempts.count += 1
        if Attempts.count == 1:
            result: Any = flaky(succeed_at=1)
            return result.with_overrides(retries=50)  # type: ignore[no-any-return]
        return broken()

    moody.compile()
    with pytest.raises(RuntimeError):
        moody()
