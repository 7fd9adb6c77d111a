"""What people do to a run that goes on: suspend, resume, cancel, resume from; and when it goes."""

import time
import uuid

from windlass import LaunchPlan, map_task, task, workflow


@task
def quick(n: int) -> int:
    return n + 1


@task
def forever(n: int) -> int:
    while n:
        time.sleep(0.02)
    return n


@task
def moment(n: int) -> int:
    time.sleep(3.0)
    return n


@task
def unique(n: int) -> str:
    return f"{n} {uuid.uuid4()}"


@task
def stumble(n: int, text: str) -> str:
    return f"{text} at {n}"


@task
def after(text: str) -> str:
    return text.upper()


@workflow
def endless(n: int = 1) -> int:
    return quick(n=forever(n=quick(n=n)))


plan = LaunchPlan.get_or_create(endless, name="controlling-endless")


@workflow
def family(n: int = 1) -> int:
    """A child, a map, and a pod, none of which ends."""
    child = plan(n=n)
    mapped = map_task(forever)(n=[1, 2, 3])
    mapped >> quick(n=child)
    return child


@workflow
def steps(n: int = 1) -> int:
    return quick(n=moment(n=quick(n=n)))


@workflow
def resumable(n: int = 1) -> str:
    return after(text=stumble(n=n, text=unique(n=n)))
