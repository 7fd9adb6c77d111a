"""`with_overrides`, the workflow's defaults and the run's own overrides: which of them counts."""

import os

from windlass import Cache, FlyteRecoverableException, Resources, current_context, task, workflow


@task(retries=1)
def ready_at(attempt: int) -> int:
    """Works from some attempt on."""
    if current_context().attempt < attempt:
        raise FlyteRecoverableException("not yet")
    return attempt


@task(environment={"LEVEL": "task"})
def level(note: str) -> str:
    return f"{os.environ.get('LEVEL')} {note}"


@task
def wait(n: int) -> int:
    """Longer than its overridden timeout, where nobody stops it."""
    import time

    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.02)
    return n


@workflow
def more_retries(attempt: int = 2) -> int:
    return ready_at(attempt=attempt).with_overrides(retries=2, node_name="patient", name="waits for it")


@workflow
def resources() -> str:
    """Overrides that are merged: what is not said stays."""
    said = level(note="x")
    said.with_overrides(requests=Resources(cpu="10m", mem="32Mi"))
    said.with_overrides(interruptible=True)
    return said


@workflow
def shorter_timeout() -> int:
    return wait(n=1).with_overrides(timeout=1)


@workflow
def cached_here(n: int = 3) -> str:
    return level(note="kept").with_overrides(cache=Cache(version="1"))


@workflow(interruptible=True)
def plain(note: str = "x") -> str:
    return level(note=note)
