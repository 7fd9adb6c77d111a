"""The users' module of the chaos test: a little of everything, short."""

import time

from windlass import (
    Cache,
    FlyteRecoverableException,
    LaunchPlan,
    approve,
    current_context,
    dynamic,
    map_task,
    task,
    wait_for_input,
    workflow,
)


@task
def add(a: int, b: int) -> int:
    time.sleep(0.2)
    return a + b


@task(retries=1)
def at_last(n: int) -> int:
    if current_context().attempt == 0:
        raise FlyteRecoverableException("not yet")
    return n


@task(cache=Cache(version="1", serialize=True))
def costly(n: int) -> int:
    time.sleep(0.5)
    return n * n


@task
def square(n: int) -> int:
    return n * n


@task
def total(ns: list[int]) -> int:
    return sum(ns)


@task
def forever(n: int) -> int:
    while n:
        time.sleep(0.05)
    return n


@dynamic
def sums(n: int) -> int:
    last = n
    for i in range(3):
        last = add(a=last, b=i)
    return last


@workflow
def chain(n: int) -> int:
    return add(a=add(a=add(a=add(a=n, b=1), b=2), b=3), b=4)


@workflow
def mapped(ns: list[int]) -> int:
    return total(ns=map_task(square, concurrency=8)(n=ns))


@workflow
def expanded(n: int) -> int:
    return add(a=sums(n=n), b=100)


plan = LaunchPlan.get_or_create(chain, name="mixture-chain")


@workflow
def nested(n: int) -> int:
    return add(a=chain(n=n), b=plan(n=n))


@workflow
def asked(n: int) -> int:
    approved = approve(add(a=n, b=1), "fine?")
    return add(a=approved, b=wait_for_input("more", expected_type=int))


@workflow
def cached(n: int) -> int:
    return add(a=costly(n=n), b=0)


@workflow
def retried(n: int) -> int:
    return add(a=at_last(n=n), b=1)


@workflow
def endless(n: int) -> int:
    return add(a=forever(n=add(a=n, b=1)), b=map_task(forever)(n=[1, 2])[0])
