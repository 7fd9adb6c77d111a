"""One process for one bundle of code, as the supervisor sees it. What runs in it is `inside.py`.

    start ──"ready"──► idle ──run──► busy ──"done"──► idle ──► …          recycled after many calls, or for its memory
                         │             │
                         └── it died ◄─┴── SIGTERM, then SIGKILL: cancelled, timed out, told to drain

A call ends in an `Ending`, whatever happens. A process that died, or was told to end, takes all that it has started
along: its group, and whoever carries its mark in the environment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from windlass.runtime import worker
from windlass.runtime.warm import kernel, logs, settings as given, wire

_OUTPUT_WAIT = 1.0
"""Seconds that the last lines of a call, or of a process, have to arrive in."""
_BOOT = 60.0
"""Seconds that a process has to start in: that is before any of the user's code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a call ended: with a record, unless its process died."""

    exit_code: int
    record: bytes = b""
    reason: str = ""
    log_tail: bytes = b""


class ProcessError(Exception):
    """A process did not start."""


class GoneError(Exception):
    """A process had ended before it was given a call."""


class Process:
    """A process, from its start to its end."""

    def __init__(self, code: str, folder: str, grace: float, keep: logs.Keep) -> None:
        self.code = code
        self.folder = folder
        self.calls = 0
        self.used = 0
        """When it was used last, in turns of the supervisor's."""
        self.pid = 0
        self.busy = False
        self.ending = False
        self._begun = 0
        self._grace = grace
        self._keep = keep
        self._pump: logs.Pump | None = None
        self._token = os.urandom(8).hex()
        self._loop = asyncio.get_running_loop()
        self._frames = wire.Frames()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._answer: asyncio.Future[Ending] | None = None
        self._tails: dict[int | None, asyncio.Future[bytes]] = {None: self._loop.create_future()}
        self._oom_kills = kernel.oom_kills()
        self._kill: asyncio.TimerHandle | None = None
        self.ended: asyncio.Task[int] | None = None

    # ---- its life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Starts it, and waits until it can take calls.

        Raises:
            ProcessError: it can't be started, or ended at once.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._sock = ours
        output, into = os.pipe()
        command = [sys.executable, os.path.abspath(worker.__file__), "process", str(theirs.fileno()), self._token]  # noqa: PTH100  a text
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self.folder,
                env=self._environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=into,
                stderr=into,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            os.close(output)
            raise ProcessError(f"{command[0]!r} can't be started: {error}") from error
        finally:
            theirs.close()
            os.close(into)
        self.pid = self._process.pid
        self._pump = logs.Pump(output, self._token, f"process {self.pid}", self._output_ended, self._keep)
        self._loop.add_reader(ours, self._readable)
        self.ended = self._loop.create_task(self._wait(), name=f"end of process {self.pid}")
        either: list[asyncio.Future[Any]] = [self._ready, self.ended]
        await asyncio.wait(either, timeout=_BOOT, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.done():
            self.kill()
            tail = (await self._tail(None)).decode("utf-8", "replace").strip()
            raise ProcessError(f"the process for the user's code did not start. It said: {tail or 'nothing'}")

    def _environment(self) -> dict[str, str]:
        """The pod's, without what is for the supervisor alone."""
        hidden = (given.WORKER, given.POD, given.POD_UID)
        return {**{name: text for name, text in os.environ.items() if name not in hidden}, kernel.MARK: self._token}

    async def _wait(self) -> int:
        """Until it has ended and nothing is left of it; the exit code, as containers give it."""
        status = await self._process.wait()
        self.ending = True
        self._readable()
        kernel.kill_all(self.pid, self._token)
        if self._kill is not None:
            self._kill.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()
        code = status if status >= 0 else 128 - status
        if self._answer is not None and not self._answer.done():
            if self._begun < self.calls:
                self._answer.set_exception(GoneError())
            else:
                tail = await self._tail(None)
                self._answer.set_result(Ending(exit_code=code, reason=self._why(status), log_tail=tail))
        return code

    def _why(self, status: int) -> str:
        killed = status == -signal.SIGKILL and kernel.oom_kills() > self._oom_kills
        return "OOMKilled" if killed else "Error"

    @property
    def alive(self) -> bool:
        """Whether it may take another call."""
        return not self.ending

    def when_ended(self, call: Callable[[], None]) -> None:
        """Calls that when it has ended, or never started."""
        if self.ended is None:
            call()
        else:
            self.ended.add_done_callback(lambda _: call())

    def end(self) -> None:
        """Tells it to end: what runs is interrupted, and has some seconds to clean up."""
        if self._kill is None and self._runs():
            self.ending = True
            self._signal(signal.SIGTERM)
            self._kill = self._loop.call_later(self._grace, self.kill)

    def kill(self) -> None:
        """Ends it now, with all that it has started."""
        self.ending = True
        if self._runs():
            kernel.kill_all(self.pid, self._token)

    async def killed(self) -> None:
        """The same, and waits until nothing is left of it, nor of what it has printed."""
        self.kill()
        if self.ended is not None:
            await self.ended
            await self._tail(None)

    def _runs(self) -> bool:
        return self.ended is not None and not self.ended.done()

    def _signal(self, number: int) -> None:
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return  # it has ended, and `_wait` is about to know

    # ---- its calls --------------------------------------------------------------------------------------------------

    async def begin(self, order: bytes) -> int:
        """Gives it a call; its number.

        Raises:
            GoneError: it has ended, and the call has not begun.
        """
        if not self.alive:
            raise GoneError
        self.calls += 1
        self._answer = self._loop.create_future()
        self._tails[self.calls] = self._loop.create_future()
        try:
            await self._loop.sock_sendall(self._sock, wire.frame(["run", self.calls], order))
        except OSError:
            self.kill()
            raise GoneError from None
        return self.calls

    async def ending_of(self, number: int) -> Ending:
        """How that call, its last, ended.

        Raises:
            GoneError: it has ended, and the call has not begun.
        """
        assert self._answer is not None
        ending = await self._answer
        if ending.record and ending.exit_code:
            ending = replace(ending, log_tail=await self._tail(number))
        self._tails.pop(number, None)
        return ending

    def _readable(self) -> None:
        """Takes all that the process has said by now."""
        try:
            while data := self._sock.recv(1 << 18):
                for head, body in self._frames.feed(data):
                    self._said(head, body)
            if self._sock.fileno() >= 0:
                self._loop.remove_reader(self._sock)  # its end is closed; whether it has ended, `_wait` knows
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._loop.remove_reader(self._sock)

    def _said(self, head: list[object], body: bytes) -> None:
        if head[0] == "ready" and not self._ready.done():
            self._ready.set_result(None)
        elif head[0] == "begun":
            self._begun = int(str(head[1]))
        elif head[0] == "done" and self._answer is not None and not self._answer.done() and head[1] == self.calls:
            self._answer.set_result(Ending(exit_code=int(str(head[2])), record=body))

    # ---- what it prints ---------------------------------------------------------------------------------------------

    def copy_log(self) -> None:
        """What the call under way has printed goes to the store, where logs are kept."""
        if self._pump is not None:
            self._pump.copy()

    def _output_ended(self, number: int | None, tail: bytes) -> None:
        """In the pump's thread."""

        def tell() -> None:
            future = self._tails.get(number)
            if future is not None and not future.done():
                future.set_result(tail)

        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:
            return  # the loop is closed: the worker ends

    async def _tail(self, number: int | None) -> bytes:
        """The last that a call printed; what there is of it where the rest doesn't come."""
        future = self._tails[number]
        either = [future, self._tails[None]]
        await asyncio.wait(either, timeout=_OUTPUT_WAIT, return_when=asyncio.FIRST_COMPLETED)
        return future.result() if future.done() else b""


class Shelf:
    """The processes that are kept warm: at most so many, and of those that are idle the ones used least recently go.
    Which ones, `surplus` says; it is pure.
    """

    def __init__(self) -> None:
        self.processes: list[Process] = []
        self._turn = 0

    def idle(self, code: str) -> Process | None:
        """One that can take a call of this code."""
        self.processes = [one for one in self.processes if one.alive]
        return next((one for one in self.processes if one.code == code and not one.busy), None)

    def use(self, process: Process) -> None:
        """A call begins in it."""
        self._turn += 1
        process.used, process.busy = self._turn, True
        if process not in self.processes:
            self.processes.append(process)

    @property
    def code(self) -> set[str]:
        """Which bundles are warm."""
        return {one.code for one in self.processes if one.alive and one.code}


@dataclass(frozen=True, slots=True)
class Use:
    """What is known of a process when it has nothing to do, or something."""

    calls: int
    memory: int
    used: int
    busy: bool


@dataclass(frozen=True, slots=True)
class Bounds:
    """What processes may use: 0 or None where there is no bound."""

    processes: int
    calls: int
    memory: int | None
    """Bytes, of all of them together."""


def surplus(uses: dict[int, Use], bounds: Bounds) -> dict[int, str]:
    """Which processes have to go, of those that are idle, and why."""
    going: dict[int, str] = {}
    for key, use in uses.items():
        if not use.busy and bounds.calls and use.calls >= bounds.calls:
            going[key] = f"it has run {use.calls} calls of at most {bounds.calls}"
    oldest_first = sorted((key for key, use in uses.items() if not use.busy), key=lambda key: uses[key].used)
    for key in oldest_first:
        staying = [use for other, use in uses.items() if other not in going]
        memory = sum(use.memory for use in staying)
        if key in going:
            continue
        if len(staying) > bounds.processes:
            going[key] = f"only {bounds.processes} are kept warm"
        elif bounds.memory is not None and memory > bounds.memory:
            going[key] = f"{memory >> 20} MiB of memory are in use, of {bounds.memory >> 20} MiB that may be"
    return going
