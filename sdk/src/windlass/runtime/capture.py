"""The log of an attempt, kept in the store: what the task and all that it starts print, without a shell in the image.

    task, its children ──fd 1, 2──► two pipes ──► a process of our own ──► the container's stdout and stderr, as before
                                                        └─ head and tail ──► <run>/logs/<node>/<attempt>.log

A process rather than a thread: code that holds Python's lock while it prints would wait for a reader that waits for the
lock. It is forked before there are threads, and keeps at most `limit` bytes: the beginning and the end, with a line
between them that says what is missing. It brings them to the store every minute that something was printed, so that a
pod that is killed leaves what it had said by then, and once more at the end. Nothing of it can fail the task.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from typing import NamedTuple

PERIOD = 60.0
"""Seconds between two copies of a log that goes on."""

PATIENCE = 20.0
"""Seconds that the end of the pod waits for the last copy."""

_CHUNK = 1 << 16


class Spool:
    """The beginning and the end of what is written, within a limit."""

    def __init__(self, limit: int) -> None:
        self._room = max(limit // 2, 1)
        self._head, self._tail = bytearray(), bytearray()
        self._gone = 0
        self.written = 0

    def add(self, data: bytes) -> None:
        """Takes more."""
        self.written += len(data)
        fits = self._room - len(self._head)
        if fits > 0:
            self._head += data[:fits]
            data = data[fits:]
        self._tail += data
        excess = len(self._tail) - self._room
        if excess > self._room // 4 or len(data) > self._room:  # now and then, since what is behind it moves
            del self._tail[:excess]
            self._gone += excess

    def content(self) -> bytes:
        """What is kept, in whole lines where something is missing."""
        excess = max(len(self._tail) - self._room, 0)
        gone, tail = self._gone + excess, bytes(self._tail[excess:])
        if not gone:
            return bytes(self._head) + tail
        head = bytes(self._head)
        short_head, short_tail = head[: head.rfind(b"\n") + 1] or head, tail[tail.find(b"\n") + 1 :] or tail
        gone += len(head) - len(short_head) + len(tail) - len(short_tail)
        return short_head + f"… {gone:,} bytes of the log are not kept …\n".encode() + short_tail


class _Running(NamedTuple):
    """The process that copies, as the task's own sees it."""

    process: int
    control: int
    own: dict[int, int]
    """The container's streams, by the descriptors that lead to the pipes now."""


_running: _Running | None = None


def start(uri: str, limit: int) -> None:
    """From now on what is printed is kept, too."""
    global _running  # noqa: PLW0603  there is one log of a process
    own = {stream: os.dup(stream) for stream in (1, 2)}
    pipes = {stream: os.pipe() for stream in own}
    stop, control = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        try:
            for _, writing in pipes.values():
                os.close(writing)
            os.close(control)
            _copy({pipes[stream][0]: own[stream] for stream in own}, stop, uri, limit)
        finally:
            os._exit(0)
    os.close(stop)
    for stream, (reading, writing) in pipes.items():
        os.close(reading)
        os.dup2(writing, stream)
        os.close(writing)
    _running = _Running(process, control, own)


def finish() -> None:
    """What is printed goes where it went before. Waits, for a while, until the log is in the store."""
    global _running
    if _running is None:
        return
    running, _running = _running, None
    _flush()
    for stream, before in running.own.items():
        os.dup2(before, stream)
        os.close(before)
    try:
        os.write(running.control, b".")
        deadline = time.monotonic() + PATIENCE
        while os.waitpid(running.process, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(running.process, signal.SIGKILL)
                os.write(2, b"windlass: the end of the log is not kept: the store took too long\n")
                return
            time.sleep(0.01)
    except OSError:
        return  # it has ended already, or the user's code has waited for it
    finally:
        os.close(running.control)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # noqa: PERF203  closed or replaced by the user's code
            continue


# ---- in the process that copies -------------------------------------------------------------------------------------


def _copy(streams: dict[int, int], stop: int, uri: str, limit: int) -> None:
    """Until it is told to stop, or nobody can print any more."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the task's process says when it is over
    spool, kept, waiting = Spool(limit), 0, select.poll()
    for source in (*streams, stop):
        os.set_blocking(source, False)
        waiting.register(source, select.POLLIN)
    due, left, stopping = time.monotonic() + PERIOD, set(streams), False
    while left and not stopping:
        ready = [found for found, _ in waiting.poll(max(due - time.monotonic(), 0) * 1000)]
        stopping = stop in ready  # what was printed before that is in the pipes
        for source in [*left] if stopping else [one for one in ready if one in left]:
            if not _drained(source, streams[source], spool):
                waiting.unregister(source)
                left.discard(source)
        if time.monotonic() >= due:
            due = time.monotonic() + PERIOD
            if spool.written > kept:
                kept = spool.written
                _in_the_background(uri, spool.content())
    keep(uri, spool.content())


def _drained(source: int, target: int, spool: Spool) -> bool:
    """Copies what is there. Whether more may come."""
    while True:
        try:
            data = os.read(source, _CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        spool.add(data)
        while data:
            data = data[os.write(target, data) :]


def _in_the_background(uri: str, content: bytes) -> None:
    """A store that takes its time holds up nobody who prints."""
    import threading  # noqa: PLC0415  for tasks that take minutes

    threading.Thread(target=keep, args=(uri, content), daemon=True).start()


def keep(uri: str, content: bytes) -> None:
    """Brings a log to the store. Where that can't be, the pod's own log says why."""
    from windlass import _store  # noqa: PLC0415  the task's own process may never need it

    try:
        _store.put_bytes(content, "", uri)
    except Exception as error:  # noqa: BLE001  whatever the driver of the scheme raises; a log is no reason to fail
        os.write(2, f"windlass: the log can't be kept at {uri}: {type(error).__name__}: {error}\n".encode())
