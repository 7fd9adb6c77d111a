"""Dynamic tasks."""

from typing import Any

from windlass import LaunchPlan, dynamic, map_task, task, workflow


def refuse(error: Exception) -> Any:
    """A task that returns nothing anywhere would be refused where it is written."""
    raise error


@task
def double(n: int) -> int:
    return 2 * n


@task
def fail(n: int) -> int:
    return refuse(KeyError(f"no {n}"))


@task
def words(n: int) -> list[str]:
    return ["word" * 10] * n


@workflow
def inner(n: int) -> int:
    return double(n=double(n=n))


plan = LaunchPlan.get_or_create(inner, name="expanding-inner", default_inputs={"n": 5})


@dynamic
def doubled(ns: list[int]) -> list[int]:
    return [double(n=n) for n in ns]


@dynamic
def chained(n: int) -> int:
    """A loop in which each call needs the one before."""
    last = double(n=1)
    for _ in range(n):
        last = double(n=last)
    return last


@dynamic
def down(n: int) -> int:
    return double(n=100) if n == 0 else down(n=n - 1)


@dynamic
def constant(n: int) -> tuple[int, str]:
    """No call is made: the outputs are plain."""
    return n + 1, "plain"


@dynamic
def stumbling(n: int) -> int:
    return refuse(ValueError(f"the body fails at {n}"))


@dynamic
def with_failing_child(n: int) -> int:
    return fail(n=double(n=n))


@dynamic
def of_everything(n: int) -> list[int]:
    """A sub-workflow, a launch plan and a map."""
    mapped = map_task(double)(n=[1, n])
    return [inner(n=n), plan(n=n), mapped[1]]


@dynamic
def long(n: int) -> list[str]:
    """More than a pod's record holds."""
    return words(n=n)


@task
def count(texts: list[str]) -> int:
    return len(texts)


@workflow
def loop(ns: list[int]) -> list[int]:
    return doubled(ns=ns)


@workflow
def chain(n: int = 3) -> int:
    return double(n=chained(n=n))


@workflow
def recursion(n: int) -> int:
    return down(n=n)


@workflow
def plain(n: int) -> tuple[int, str]:
    return constant(n=n)


@workflow
def failing_body(n: int) -> int:
    return double(n=stumbling(n=n))


@workflow
def failing_child(n: int) -> int:
    return double(n=with_failing_child(n=n))


@workflow
def everything(n: int) -> list[int]:
    return of_everything(n=n)


@workflow
def handed_on(n: int = 30) -> int:
    return count(texts=long(n=n))
