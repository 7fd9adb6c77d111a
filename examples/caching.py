"""Caching: a task whose code and inputs are the same gives what it gave.

    windlass run examples/caching.py twice --n 3
    windlass local-cache clear

The version of a cached task is a digest of its function's code, unless you give one. `ignored_inputs` do not count, and
`serialize=True` lets one of several equal runs do the work while the others wait for it.
"""

import os

from windlass import Cache, task, workflow


@task(cache=True)
def slow_square(n: int) -> int:
    print(f"computing {n} * {n}")
    return n * n


@task(cache=Cache(version="1.0", serialize=True, ignored_inputs=("asked_by",)))
def report(n: int, asked_by: str) -> str:
    print(f"reporting on {n}")
    return f"{n} in process {os.getpid()}"


@workflow
def twice(n: int = 4) -> tuple[int, bool]:
    """Each task computes once: the second call of both is answered from the cache."""
    first = report(n=slow_square(n=n), asked_by="Ada")
    second = report(n=slow_square(n=n), asked_by="Grace")
    return slow_square(n=n), same(a=first, b=second)


@task
def same(a: str, b: str) -> bool:
    return a == b
