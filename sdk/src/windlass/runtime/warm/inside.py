"""A process in which calls run, one after the other, from within: `worker.py process FD TOKEN`.

It is started by the supervisor in the folder of a bundle, for the code of that bundle alone. A call is an attempt like
in a pod of its own, by the same functions (`main.perform`). Entry points are loaded once; what modules hold, and what
`actor_cache` keeps, lives as long as the process.

It ends when the supervisor does, when it is told to (SIGTERM: in the midst of a call `Terminated` is raised, as in a
pod), and when it can't answer any more, since the user's code has closed its files. A process that the user's code
forked, and that comes all the way out of the function, is not this one: it ends without a word.
"""

from __future__ import annotations

import contextlib
import contextvars
import fcntl
import os
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from windlass.runtime import ending, main as attempt
from windlass.runtime.warm import kernel, logs, wire
from windlass.runtime.warm.surroundings import Surroundings

LOST = 70
"""The exit code of a process that can't answer."""
_HIGH = 500
"""Our files have numbers from here on, out of the way of code that closes "all" of them."""


def main(connection: int, token: str) -> int:
    """Runs calls until there are no more; the exit code."""
    os.environ[kernel.MARK] = token
    signal.signal(signal.SIGTERM, lambda *_: os._exit(ending.TERMINATED))
    kernel.offer_to_be_killed()
    sock = socket.socket(fileno=_moved(connection))
    folder = os.getcwd()  # noqa: PTH109  a text
    runner = _Runner(sock, _moved(1, keep=True), token, folder)
    runner.answer(["ready"])
    while (order := wire.receive(sock)) is not None:
        (_, number), content = order
        runner.answer(["begun", number])
        runner.run(number, content.decode())
    os._exit(0)  # threads that still run, and the user's exit handlers, shall not hold up the end


class _Runner:
    def __init__(self, sock: socket.socket, output: int, token: str, folder: str) -> None:
        self._sock = sock
        self._socket_is = _identity(sock.fileno())
        self._output = output
        self._output_is = _identity(output)
        self._token = token
        self._process = os.getpid()
        self._folder = folder
        self._jobs: dict[str, attempt.Job] = {}
        self._surroundings = Surroundings(folder, output)
        self._downloads = _Downloads()
        self._has_path = False

    def run(self, number: int, text: str) -> None:
        """One call, from its order to the answer."""
        self._downloads.begin()
        record, code = contextvars.copy_context().run(self._perform, number, text)
        if os.getpid() != self._process:
            self._surroundings.flush()
            os._exit(code)
        self._surroundings.flush()
        self._check()
        os.write(self._output, logs.mark(self._token, number))
        self.answer(["done", number, code], record)
        self._downloads.end()
        self._surroundings.restore()

    def _perform(self, number: int, text: str) -> tuple[bytes, int]:
        watch = attempt.Stopwatch(time.monotonic())
        watch.enter("boot")

        def read() -> attempt.Order:
            signal.signal(signal.SIGTERM, attempt.terminate)
            order = attempt.read_order(text)
            os.write(self._output, logs.mark(self._token, number, _name(order), _place(order)))
            return order

        return attempt.perform(read, lambda order: self._prepare(order, watch), watch)

    def _prepare(self, order: attempt.Order, watch: attempt.Stopwatch) -> attempt.Job:
        variables = attempt.variables(order)
        self._surroundings.enter(variables)
        job = self._jobs.get(order.entrypoint)
        if job is None:
            watch.enter("import")
            if not self._has_path:
                attempt.set_import_path(self._folder)
                self._has_path = True
            job = self._jobs[order.entrypoint] = attempt.load(order)
            self._surroundings.keep(frozenset(variables))
        return job

    def answer(self, head: list[Any], body: bytes = b"") -> None:
        """Says something to the supervisor."""
        self._check()
        self._sock.sendall(wire.frame(head, body))

    def _check(self) -> None:
        """Another file may have our number by now, and nobody would be told of the result."""
        if (_identity(self._sock.fileno()), _identity(self._output)) == (self._socket_is, self._output_is):
            return
        text = "windlass: the function closed files that it did not open: its result can't be reported\n"
        with contextlib.suppress(OSError):
            os.write(2, text.encode())
        os._exit(LOST)


def _name(order: attempt.Order) -> str:
    """What a call is called in the log."""
    element = "" if order.element is None else f"#{order.element}"
    return f"{order.execution}/{order.node}{element}"


def _place(order: attempt.Order) -> logs.Place | None:
    """Where its log is kept, if it is."""
    return None if order.log is None else logs.Place(order.log["uri"], order.log["limit"])


def _moved(number: int, *, keep: bool = False) -> int:
    """The same file under a high number, which no program that is started inherits."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = _HIGH if most == resource.RLIM_INFINITY or most > _HIGH * 2 else max(3, most // 2)
    moved = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, lowest)
    if not keep:
        os.close(number)
    return moved


def _identity(number: int) -> tuple[int, int] | None:
    try:
        told = os.fstat(number)
    except OSError:
        return None
    return told.st_dev, told.st_ino


class _Downloads:
    """What a call has fetched and written for itself goes with it. What it fetched for a result of `actor_cache` stays
    as long as that: the process's temporary folder keeps what came while something was computed for it.
    """

    def __init__(self) -> None:
        self._before: set[str] = set()
        self._computed = 0

    def begin(self) -> None:
        """A call begins."""
        self._before = set(self._there())
        self._computed = _computed()

    def end(self) -> None:
        """A call has ended."""
        if _computed() == self._computed:
            for path in set(self._there()) - self._before:
                shutil.rmtree(path, ignore_errors=True)

    def _there(self) -> list[str]:
        places = sys.modules.get("windlass._store.places")
        root = None if places is None else places.scratch_root()
        if root is None:
            return []
        folders = [f"{root}/{name}" for name in os.listdir(root)]  # noqa: PTH208  a text
        return [f"{folder}/{name}" for folder in folders for name in os.listdir(folder)]  # noqa: PTH208  as above


def _computed() -> int:
    """How often `actor_cache` has computed something in this process."""
    actor = sys.modules.get("windlass._actor")
    count: Callable[[], int] | None = None if actor is None else actor.computations
    return 0 if count is None else count()
