"""Gates."""

from datetime import timedelta

from windlass import approve, sleep, task, wait_for_input, workflow


@task
def make(n: int) -> int:
    return n + 1


@task
def use(n: int, note: str = "-", factor: float = 1.0, names: list[str] | None = None) -> str:
    return f"{n} {note} {factor:g} {names}"


@workflow
def approval(n: int = 1) -> str:
    return use(n=approve(make(n=n), "fine?"))


@workflow
def inputs() -> str:
    """Of several types."""
    note = wait_for_input("note", timeout=timedelta(hours=1), expected_type=str)
    factor = wait_for_input("factor", timeout=timedelta(hours=1), expected_type=float)
    names = wait_for_input("names", timeout=timedelta(hours=1), expected_type=list[str])
    return use(n=1, note=note, factor=factor, names=names)


@workflow
def number() -> int:
    return make(n=wait_for_input("number", timeout=timedelta(hours=1), expected_type=int))


@workflow
def same_name(n: int) -> str:
    """Two gates of one name are one question."""
    first = approve(make(n=n), "once")
    return use(n=approve(make(n=first), "once"))


@workflow
def impatient(n: int) -> str:
    return use(n=approve(make(n=n), "soon", timeout=timedelta(seconds=1)))


@workflow
def pause(n: int = 1) -> int:
    first = make(n=n)
    nap = sleep(timedelta(seconds=1))
    second = make(n=n)
    first >> nap
    nap >> second
    return second
