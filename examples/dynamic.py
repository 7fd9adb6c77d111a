"""Dynamic workflows: graphs that depend on values, made while the workflow runs.

    windlass run examples/dynamic.py sums --text "3 4 5"
    windlass run examples/dynamic.py countdown --n 4

The body of a `@dynamic` task sees real values. The calls in it make nodes, as in a workflow: they can be looped over,
chosen among, and recursed into. It runs in a pod of its own, and what it gives back runs as a child execution.
"""

from windlass import dynamic, task, workflow


@task
def numbers_in(text: str) -> list[int]:
    return [int(word) for word in text.split()]


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def describe(n: int) -> str:
    return f"{n}!"


@dynamic
def sum_of(numbers: list[int]) -> int:
    """One call of `add` for each number: how many there are is known here, and not before."""
    last = 0
    for number in numbers:
        last = add(a=last, b=number)
    return last


@dynamic
def down(n: int) -> str:
    """Calls itself until there is nothing left."""
    return describe(n=0) if n == 0 else down(n=n - 1)


@workflow
def sums(text: str = "1 2 3") -> int:
    return sum_of(numbers=numbers_in(text=text))


@workflow
def countdown(n: int = 3) -> str:
    return down(n=n)
