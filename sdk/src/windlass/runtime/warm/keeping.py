"""Logs of calls, brought to the store behind their results: by a process of its own, so that neither the store's client
nor its memory is the supervisor's.

    pump ── Place, content ──► Keeper: a queue with a bound ── frames ──► `worker.py keeper FD` ──► the store

It starts with the first log: a worker whose calls print nothing has none. Nothing waits for it, no result and no call,
but the end of the worker does for a while. So the queue has a bound, and a store that is slower than what is printed
costs logs, which the pod's own log says, and never calls.

A later copy of a log must not be overtaken by an earlier one: all of one address go down the same lane.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import zlib

from windlass.runtime import capture, worker
from windlass.runtime.warm import logs, wire

ROOM = 32 * 1024 * 1024
"""Bytes of logs that wait at most."""
LANES = 8
"""Uploads at a time."""
_EACH = 512
"""Bytes that a log takes beside what is in it."""

_Lane = queue.Queue[tuple[str, bytes] | None]


class Keeper:
    """The supervisor's side of it. `keep` may be called by any thread."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._waiting = 0
        self._lost = 0
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[logs.Place, bytes] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None

    @property
    def pid(self) -> int:
        """The process's; 0 while there is none."""
        return 0 if self._process is None else self._process.pid

    def keep(self, place: logs.Place, content: bytes) -> None:
        """Has this be at that place, soon."""
        size = len(content) + _EACH
        with self._lock:
            if self._waiting + size > self._room:
                self._lost += 1
            else:
                self._waiting += size
                self._queue.put((place, content))
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="keeper of logs", daemon=True)
                    self._thread.start()
                return
            first = self._lost == 1
        if first:
            logs.tell(f"logs are not kept for now, as at {place.uri}: the store is slower than what calls print")

    def close(self, seconds: float) -> None:
        """Waits, for a while, until all logs are in the store."""
        thread = self._thread
        if thread is None:
            return
        self._queue.put(None)
        thread.join(seconds)
        if thread.is_alive():
            logs.tell("the last logs are not kept: the store took too long")
            if self._process is not None:
                self._process.kill()
        if self._lost:
            logs.tell(f"{self._lost} logs are not kept: the store was slower than what calls printed")

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            place, content = item
            for _ in range(2):  # a process that has ended is replaced, once
                try:
                    self._started().sendall(wire.frame(["keep", place.uri], content))
                    break
                except OSError as error:
                    why = error
                    self._end()
            else:
                logs.tell(f"a log can't be kept at {place.uri}: {why}")
            with self._lock:
                self._waiting -= len(content) + _EACH
        self._end()

    def _end(self) -> None:
        """Nothing more comes: the process brings away what it has, and goes."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        if self._process is not None:
            self._process.wait()

    def _started(self) -> socket.socket:
        if self._sock is not None:
            return self._sock
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, os.path.abspath(worker.__file__), "keeper", str(theirs.fileno())]  # noqa: PTH100  a text
            self._process = subprocess.Popen(  # noqa: S603  our own program
                command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._sock = ours
        return ours


# ---- the process ----------------------------------------------------------------------------------------------------


def main(connection: int) -> int:
    """Brings to the store what comes, until no more does; the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # the supervisor says when it is over
    os.nice(10)  # calls go first
    lanes: list[_Lane] = [queue.Queue(maxsize=2) for _ in range(LANES)]
    threads = [threading.Thread(target=_carry, args=(lane,), daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    sock = socket.socket(fileno=connection)
    while (frame := wire.receive(sock)) is not None:
        (_, uri), content = frame
        lanes[zlib.crc32(uri.encode()) % LANES].put((uri, content))
    for lane in lanes:
        lane.put(None)
    for thread in threads:
        thread.join()
    return 0


def _carry(lane: _Lane) -> None:
    while (item := lane.get()) is not None:
        capture.keep(*item)
