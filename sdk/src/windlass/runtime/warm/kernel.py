"""What the kernel tells of processes and memory, from /proc and the cgroup. Where it tells nothing, nothing is known:
then no process is replaced for its memory, and one that is killed for want of it is one that was killed.
"""

# ruff: noqa: PTH118, PTH123  paths are texts here

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

CGROUP = "/sys/fs/cgroup"
MARK = "WINDLASS_PROCESS"
"""The environment variable by which the processes are known that the user's code has started."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_UNLIMITED = 1 << 60  # what cgroups of version 1 say where there is no limit


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where that isn't known."""
    text = _read(f"/proc/{pid}/statm")
    return int(text.split()[1]) * _PAGE if text else 0


def memory_limit(cgroup: str = CGROUP) -> int | None:
    """Bytes that this container may use; None: no limit, or none that is known."""
    for place in ("memory.max", "memory/memory.limit_in_bytes"):
        text = _read(os.path.join(cgroup, place)).strip()
        if text.isdigit():
            return int(text) if int(text) < _UNLIMITED else None
    return None


def oom_kills(cgroup: str = CGROUP) -> int:
    """How many processes of this container the kernel has killed for want of memory, so far."""
    for place in ("memory.events", "memory/memory.oom_control"):
        for line in _read(os.path.join(cgroup, place)).splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def offer_to_be_killed() -> None:
    """If memory runs out, the kernel shall take this process, and not the supervisor."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        return  # no /proc of our own: then the kernel chooses by size, which is this one's as a rule


def kill_all(pid: int, token: str) -> None:
    """Kills a process with all that it has started, whatever sessions and groups they made for themselves."""
    _try(os.killpg, pid)
    for stray in strays(token):
        _try(os.kill, stray)


def _try(kill: Callable[[int, int], None], target: int) -> None:
    try:
        kill(target, signal.SIGKILL)
    except OSError:
        return  # it is gone already


def strays(token: str) -> Iterator[int]:
    """The processes whose environment has the mark with this token, but for this one."""
    mark = f"{MARK}={token}".encode()
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else ():  # noqa: PTH112, PTH208
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                found = mark in file.read().split(b"\0")
        except OSError:
            continue  # it is gone, or somebody else's
        if found:
            yield int(entry)


def reap(known: set[int]) -> None:
    """Takes leave of processes that have become ours because their parents ended: the first process of a container gets
    them all. Those in `known` are waited for elsewhere.
    """
    for pid in _children():
        if pid in known:
            continue
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue


def _children() -> Iterator[int]:
    for part in _read(f"/proc/self/task/{os.getpid()}/children").split():
        yield int(part)


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
