"""The cache. Each result has a number of its own, so that one that was kept can be told."""

import time
import uuid
from typing import Any

from windlass import Cache, FlyteRecoverableException, current_context, map_task, task, workflow


def refuse(error: Exception) -> Any:
    """A task that returns nothing anywhere would be refused where it is written."""
    raise error


@task(cache=Cache(version="1"))
def unique(n: int) -> str:
    return f"{n} {uuid.uuid4()}"


@task(cache=Cache(version="1", ignored_inputs=("asked_by",)))
def ignoring(n: int, asked_by: str) -> str:
    return f"{n} {uuid.uuid4()}"


@task(cache=Cache(version="2"))
def changing(n: int) -> str:
    return f"{n} {uuid.uuid4()}"


@task(cache=Cache(version="1", serialize=True))
def slow(n: int) -> str:
    time.sleep(1.0)
    return f"{n} {uuid.uuid4()}"


@task(cache=Cache(version="1"), retries=1)
def at_last(n: int) -> str:
    if current_context().attempt == 0:
        raise FlyteRecoverableException("not yet")
    return f"{n} {uuid.uuid4()}"


@task(cache=Cache(version="1"))
def failing(n: int) -> str:
    return refuse(ValueError(f"{n} at {uuid.uuid4()}"))


@workflow
def cached(n: int) -> str:
    return unique(n=n)


@workflow
def twice(n: int, first: str = "Ada", second: str = "Grace") -> tuple[str, str]:
    one = ignoring(n=n, asked_by=first)
    two = ignoring(n=n, asked_by=second)
    one >> two
    return one, two


@workflow
def change(n: int) -> str:
    return changing(n=n)


@workflow
def serialized(n: int) -> str:
    return slow(n=n)


@workflow
def serialized_twice(n: int) -> tuple[str, str]:
    """Two equal calls that are ready at once."""
    return slow(n=n), slow(n=n)


@workflow
def elements(ns: list[int]) -> list[str]:
    return map_task(unique)(n=ns)


@workflow
def retried(n: int) -> str:
    return at_last(n=n)


@workflow
def fails(n: int) -> str:
    return failing(n=n)
