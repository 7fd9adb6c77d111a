"""Which processes belong to a cluster, told from their command lines.

Every program of a cluster is started by a path inside the cluster's own ``bin`` folder, so its first
argument names both the cluster and the component::

    …/clusters/demo/bin/kubelet --config=…

No pid is ever written down. So there is no stale pid file, no reused pid, and nothing to repair when this
program was killed between starting a component and noting that.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcluster.errors import LocalClusterError

LAUNCHERS = frozenset({"setsid", "nsenter", "unshare", "sh"})


@dataclass(frozen=True)
class Process:
    """A running process and the words that it was started with."""

    pid: int
    arguments: tuple[str, ...]

    def runs(self, program: Path) -> bool:
        """Whether it is this program of this cluster, and not one that only mentions it."""
        return self.arguments[0] == str(program)

    def is_about_to_run(self, program: Path) -> bool:
        """Whether it is a launcher that will become this program, or waits for it to end."""
        launcher = Path(self.arguments[0]).name in LAUNCHERS
        return launcher and str(program) in self.arguments[1:]

    def belongs_to(self, folder: Path) -> bool:
        """Whether it is any program of this ``bin`` folder, or a launcher of one."""
        first, *others = self.arguments
        if Path(first).name in LAUNCHERS:
            return any(argument.startswith(f"{folder}/") for argument in others)
        return Path(first).parent == folder


def parse_command_line(pid: int, raw: bytes) -> Process | None:
    """A process from the kernel's record; kernel threads and zombies have no command line."""
    words = raw.rstrip(b"\0").split(b"\0")
    if not words[0]:
        return None
    return Process(pid, tuple(os.fsdecode(word) for word in words))


def running() -> list[Process]:
    """Every process of this machine but ourselves."""
    found = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - paths of every process would cost more than this
        if entry.isdigit() and int(entry) != os.getpid():
            process = _read(int(entry))
            if process:
                found.append(process)
    return found


def _read(pid: int) -> Process | None:
    try:
        return parse_command_line(pid, Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return None  # it ended while we looked


def alive(folder: Path) -> set[str]:
    """The names of the programs of a ``bin`` folder that run now."""
    return {Path(process.arguments[0]).name for process in running() if Path(process.arguments[0]).parent == folder}


def alive_or_starting(folder: Path) -> set[str]:
    """The same, with those whose launcher has not yet become them."""
    return {
        Path(argument).name
        for process in running()
        if process.belongs_to(folder)
        for argument in process.arguments
        if Path(argument).parent == folder
    }


def find(program: Path) -> list[Process]:
    """The processes that run this program; more than one only while it forks."""
    return [process for process in running() if process.runs(program)]


def start(
    command: Sequence[str],
    log: Path,
    *,
    enter: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> None:
    """Start a program that outlives us, in its own session, its output added to a file.

    ``enter`` is a command line that goes somewhere else first. When this returns the program runs, or its
    launcher does and will become it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        subprocess.run(
            [*enter, "setsid", "--fork", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment,
            check=True,
        )


def kill(select: Callable[[Process], bool], what: str, timeout: float = 30.0) -> None:
    """SIGKILL all selected processes until none is left; what is killed here has nothing to save."""

    def all_gone() -> bool:  # twice, since a process has no name while it becomes another program
        return not _kill_once(select) and not _kill_once(select)

    wait_until(all_gone, f"the end of {what}", timeout)


def _kill_once(select: Callable[[Process], bool]) -> int:
    victims = [process for process in running() if select(process)]
    for process in victims:
        _signal(process.pid)
    return len(victims)


def _signal(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended by itself, which is what was wanted


def wait_until(
    condition: Callable[[], bool],
    what: str,
    timeout: float,
    *,
    explain: Callable[[], str] = str,
    interval: float = 0.02,
) -> None:
    """Poll until the condition holds; slower the longer it takes. ``explain`` is added to the error."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise LocalClusterError("\n".join(filter(None, (f"waited {timeout:.0f} s for {what}", explain()))))
        time.sleep(interval)
        interval = min(interval * 1.2, 0.25)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a component's log, for a message."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def names(items: Iterable[str]) -> str:
    """Names for a message, in a stable order."""
    return ", ".join(sorted(items))
