"""Ways to fail, and what is tried again."""

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from windlass import FlyteFile, FlyteRecoverableException, Resources, current_context, task, workflow


def refuse(error: Exception) -> Any:
    """A task that returns nothing anywhere would be refused where it is written."""
    raise error


def first_time() -> bool:
    """Whether this is the first attempt."""
    return current_context().attempt == 0


@task(retries=3)
def ordinary(n: int) -> int:
    return refuse(ValueError(f"no {n}"))


@task(retries=2)
def recoverable(until: int) -> int:
    if current_context().attempt < until:
        raise FlyteRecoverableException(f"not at {current_context().attempt}")
    return until


@task(retries=1, retry_on=[OSError])
def on_class(n: int) -> int:
    if first_time():
        raise TimeoutError("a kind of OSError")
    return n


@task(retries=1, retry_on=[OSError])
def not_on_class(n: int) -> int:
    return refuse(LookupError("no kind of OSError"))


@task(retries=1, retry_on="any")
def on_any(n: int) -> int:
    if first_time():
        raise LookupError("whatever")
    return n


@task(retries=1, timeout=30)
def slow_at_first(n: int) -> int:
    end = time.monotonic() + (300 if first_time() else 0)
    while time.monotonic() < end:
        time.sleep(0.02)
    return n


@task(retries=1)
def exit_code(n: int) -> int:
    if first_time():
        os._exit(n)
    return n


@task
def exits(n: int) -> int:
    os._exit(n)
    return n


@task(retries=1)
def sys_exit(n: int) -> int:
    sys.exit(n)
    return n


@task
def killed(n: int) -> int:
    """137 is how a container ends that somebody has killed (from inside, the first process can't be)."""
    if first_time():
        os._exit(137)
    return n


@task(limits=Resources(mem="48Mi"), requests=Resources(mem="16Mi"), max_memory="192Mi")
def hungry(mebibytes: int) -> str:
    """Needs more memory than it has at first."""
    held = bytearray(mebibytes * 1024 * 1024)
    for place in range(0, len(held), 4096):
        held[place] = 1
    time.sleep(0.2)
    return f"{len(held) // 1024 // 1024} at {current_context().attempt}"


@task(limits=Resources(mem="48Mi"), requests=Resources(mem="16Mi"))
def hungry_without_more(mebibytes: int) -> str:
    held = bytearray(mebibytes * 1024 * 1024)
    for place in range(0, len(held), 4096):
        held[place] = 1
    time.sleep(0.2)
    return "enough"


@task
def wrong_type(n: int) -> int:
    return str(n)  # type: ignore[return-value]


@task
def too_large(n: int) -> str:
    """A result that needs a store: nothing makes it smaller."""
    return "".join(hashlib.sha256(str(i).encode()).hexdigest() for i in range(n // 64))


@task
def a_file(n: int) -> FlyteFile:
    place = Path(current_context().working_directory) / "made.txt"
    place.write_text(str(n))
    return FlyteFile(str(place))


@workflow
def sys_exits(n: int) -> int:
    return sys_exit(n=n)
