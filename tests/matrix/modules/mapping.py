"""Maps."""

import functools
import os

import windlass
from windlass import FlyteRecoverableException, LaunchPlan, current_context, map_task, task, workflow


@task
def scale(n: int, by: int = 10) -> int:
    if n < 0:
        raise ValueError(f"{n} is negative")
    return n * by


@task
def pick(n: int, table: list[str]) -> str:
    return table[n]


@task
def add(a: int, b: int) -> int:
    return a + b


@task(retries=2)
def at_last(n: int) -> str:
    """The odd ones work at the second attempt."""
    if n % 2 and current_context().attempt == 0:
        raise FlyteRecoverableException(f"{n} is not ready")
    return f"{n}:{current_context().attempt}"


@task
def long_text(n: int) -> str:
    return str(n) * 600


@task
def count(texts: list[str]) -> int:
    return sum(len(text) for text in texts)


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@task
def kill(n: int) -> int:
    """The middle one is killed."""
    if n == 1:
        os._exit(3)
    return n


@workflow
def one(n: int) -> int:
    return scale(n=n)


plan = LaunchPlan.get_or_create(one, name="mapping-one")


@workflow
def partial(ns: list[int], by: int = 3) -> list[int]:
    return map_task(functools.partial(scale, by=by))(n=ns)


@workflow
def bound_to_a_result(n: int = 4) -> list[int]:
    """The bound input is a promise, and so is the list."""
    return map_task(functools.partial(scale, by=scale(n=n)))(n=numbers(n=n))


@workflow
def bound_inputs(ns: list[int]) -> list[int]:
    return windlass.map(scale, bound_inputs={"by": 7})(n=ns)


@workflow
def whole_list(ns: list[int]) -> list[str]:
    """A bound list stays whole."""
    return map_task(functools.partial(pick, table=["a", "b", "c"]))(n=ns)


@workflow
def one_at_a_time(ns: list[int]) -> list[int]:
    return map_task(scale, concurrency=1)(n=ns)


@workflow
def pairs(a: list[int], b: list[int]) -> list[int]:
    return map_task(add)(a=a, b=b)


@workflow
def strict(ns: list[int]) -> list[int]:
    return map_task(scale)(n=ns)


@workflow
def most(ns: list[int]) -> list[int | None]:
    return map_task(scale, min_success_ratio=0.6)(n=ns)


@workflow
def two(ns: list[int]) -> list[int | None]:
    return map_task(scale, min_successes=2)(n=ns)


@workflow
def of_plan(ns: list[int]) -> list[int]:
    return windlass.map(plan)(n=ns)


@workflow
def most_of_plan(ns: list[int]) -> list[int | None]:
    return windlass.map(plan, concurrency=1, min_successes=2)(n=ns)


@workflow
def retried(ns: list[int]) -> list[str]:
    return map_task(at_last)(n=ns)


@workflow
def large(ns: list[int]) -> int:
    """The result of the map is larger than a status may keep."""
    return count(texts=map_task(long_text)(n=ns))


@workflow
def killed(ns: list[int]) -> list[int]:
    return map_task(kill)(n=ns)
