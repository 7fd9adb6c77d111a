"""Conditionals."""

from typing import Any

from windlass import conditional, task, workflow


def refuse(error: Exception) -> Any:
    """A task that returns nothing anywhere would be refused where it is written."""
    raise error


@task
def double(n: int) -> int:
    return 2 * n


@task
def negate(n: int) -> int:
    return -n


@task
def flip(yes: bool) -> bool:
    return not yes


@task
def both(n: int) -> tuple[int, str]:
    return n, f"<{n}>"


@task
def say(n: int) -> None:
    print(n)


@task
def fail(n: int) -> int:
    return refuse(ValueError(f"no branch for {n}"))


@workflow
def three(n: int) -> int:
    """if, elif and else, each with a task of its own; what comes of it is used by another task."""
    chosen = (
        conditional("three")
        .if_(n > 100)
        .then(double(n=n))
        .elif_((n < 0) | (n == 7))
        .then(negate(n=n))
        .else_()
        .then(fail(n=n))
    )
    return double(n=chosen)


@workflow
def or_fail(n: int) -> int:
    return conditional("positive").if_(n > 0).then(double(n=n)).else_().fail("n must be positive")


@workflow
def nested(n: int, deep: bool = True) -> int:
    """A choice inside a branch, and a condition on what a task gave."""
    return (
        conditional("outer")
        .if_(flip(yes=deep).is_false())
        .then(conditional("inner").if_(n >= 10).then(double(n=n)).else_().then(negate(n=n)))
        .else_()
        .then(double(n=double(n=n)))
    )


@workflow
def two_outputs(n: int) -> tuple[int, str]:
    return conditional("two").if_(n == 1).then(both(n=n)).else_().then(both(n=100))


@workflow
def void(n: int) -> int:
    """Branches without outputs: the choice only orders."""
    chosen = conditional("void").if_(n == 1).then(say(n=n)).else_().then(say(n=0))
    after = double(n=n)
    chosen >> after
    return after


@workflow
def on_results(n: int) -> int:
    """Two promises compared, and a conjunction."""
    a, b = double(n=n), negate(n=n)
    return conditional("compared").if_((a > b) & (a != 4)).then(double(n=a)).else_().then(negate(n=b))
