"""What a process prints, on its way to the pod's own stdout: line by line, each with the name of the call.

    [wordcount-x1/count#3] 217 words

Where the run's logs are kept, the same lines without the name go to a `Log` of the call's own, and with that to the
store (`keeping.py`).

stdout and stderr of a process are one pipe, so their order is kept. Whose a line is, the pipe itself tells: the
process writes a mark into it before a call and after it, so that nothing depends on which of two channels is read
first. What is printed between calls, by a thread that stayed, say, has the name of the process.

A thread reads, so that a log that is slow to be taken holds up the process that prints, and nobody else. Memory has a
bound: a line that doesn't end goes out in parts, and of each call the last is kept, for the message of its failure.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from windlass.runtime.capture import Spool

LINE = 16 * 1024
"""Bytes of a line that go out together at most, as container runtimes cut them too."""
TAIL = 4096
"""Bytes of a call's output that are kept."""
_MARK = b"\0windlass "


class Place(NamedTuple):
    """Where the log of a call is kept, and how much of it: bytes."""

    uri: str
    limit: int


class Mark(NamedTuple):
    """The line between what two calls print."""

    number: int
    name: str = ""
    """The call's. Empty: it has ended."""
    place: Place | None = None


def mark(token: str, number: int, name: str = "", place: Place | None = None) -> bytes:
    """What a process writes before a call (with its name) and after it (without)."""
    kept = "" if place is None else f"\0{json.dumps(place)}"
    return _MARK + f"{token} {number} {name}{kept}\n".encode("utf-8", "backslashreplace")


class Lines:
    """Bytes that arrive in pieces → lines and marks, in order. Pure.

    >>> lines = Lines("t")
    >>> [*lines.feed(b"one" + mark("t", 1, "x/n0")), *lines.feed(b"tw"), *lines.feed(b"o" + mark("t", 1))]
    [b'one', Mark(number=1, name='x/n0', place=None), b'two', Mark(number=1, name='', place=None)]
    """

    def __init__(self, token: str) -> None:
        self._mark = _MARK + token.encode() + b" "
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes | Mark]:
        """The lines, without their ends, and marks that are complete with this."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            yield from self._line(line)
        begun = self._rest.find(self._mark)
        text = begun if begun >= 0 else len(self._rest) - len(self._mark)  # the end may be the beginning of a mark
        while text > LINE:
            yield self._rest[:LINE]
            self._rest = self._rest[LINE:]
            text -= LINE

    def finish(self) -> Iterator[bytes | Mark]:
        """What is left when no more will come."""
        rest, self._rest = self._rest, b""
        if rest:
            yield from self._line(rest)

    def _line(self, line: bytes) -> Iterator[bytes | Mark]:
        text, found, about = line.partition(self._mark)
        if text or not found:
            yield from (text[at : at + LINE] for at in range(0, len(text) or 1, LINE))
        if found:
            number, _, rest = about.decode("utf-8", "replace").partition(" ")
            name, _, place = rest.partition("\0")
            yield Mark(int(number), name, Place(*json.loads(place)) if place else None)


class Tail:
    """The last bytes of what one call printed."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, line: bytes) -> None:
        """One more line."""
        self._parts.append(line[-TAIL:] + b"\n")
        self._size += len(self._parts[-1])
        while self._size - len(self._parts[0]) >= TAIL:
            self._size -= len(self._parts.pop(0))

    def bytes(self) -> bytes:
        """All of it."""
        return b"".join(self._parts)[-TAIL:]


Keep = Callable[[Place, bytes], None]
"""Takes what is to be in the store, and returns at once; in any thread."""


class Log:
    """What one call prints, for the store: nothing of it costs anything before the first line."""

    def __init__(self, place: Place, keep: Keep) -> None:
        self._place = place
        self._keep = keep
        self._lock = threading.Lock()  # the pump adds, the supervisor's loop wants copies
        self._spool: Spool | None = None
        self._kept = 0

    def add(self, line: bytes) -> None:
        """One more line."""
        with self._lock:
            if self._spool is None:
                self._spool = Spool(self._place.limit)
            self._spool.add(line + b"\n")

    def copy(self) -> None:
        """What was printed by now goes to the store, if that is more than last time."""
        with self._lock:
            if self._spool is not None and self._spool.written > self._kept:
                self._kept = self._spool.written
                self._keep(self._place, self._spool.content())


class Pump:
    """Reads the pipe of one process until its end. `ended(number, tail)` is called, in the pump's thread, when a call's
    output is complete, and with the number None when all of it is.
    """

    def __init__(
        self, source: int, token: str, name: str, ended: Callable[[int | None, bytes], None], keep: Keep
    ) -> None:
        self._keep = keep
        self._log: Log | None = None
        self._source = source
        self._lines = Lines(token)
        self._own_name = self._name = name
        self._ended = ended
        self._tail = Tail()
        self._thread = threading.Thread(target=self._run, name=f"output of {name}", daemon=True)
        self._thread.start()

    def copy(self) -> None:
        """What the call under way has printed goes to the store."""
        log = self._log
        if log is not None:
            log.copy()

    def _run(self) -> None:
        while True:
            try:
                data = os.read(self._source, 1 << 16)
            except OSError:
                data = b""
            if not data:
                break
            self._pass_on(self._lines.feed(data))
        self._pass_on(self._lines.finish())
        os.close(self._source)
        self.copy()
        self._ended(None, self._tail.bytes())

    def _pass_on(self, found: Iterator[bytes | Mark]) -> None:
        out: list[bytes] = []
        ended: list[tuple[int, bytes]] = []
        for one in found:
            if isinstance(one, bytes):
                self._tail.add(one)
                if self._log is not None:
                    self._log.add(one)
                out.append(f"[{self._name}] ".encode() + one + b"\n")
                continue
            if not one.name:
                ended.append((one.number, self._tail.bytes()))
            self.copy()
            self._log = None if one.place is None else Log(one.place, self._keep)
            self._name, self._tail = one.name or self._own_name, Tail()
        if out:
            write(b"".join(out))
        for number, tail in ended:
            self._ended(number, tail)


_stdout = threading.Lock()


def write(data: bytes) -> None:
    """Writes whole lines to the pod's stdout. Where nobody takes them any more they are gone: that stops no call."""
    with _stdout:
        try:
            while data:
                data = data[os.write(1, data) :]
        except OSError:
            return


def tell(text: str) -> None:
    """A line of the worker's own, to stderr: it shall not have to wait behind what users' code prints."""
    try:
        os.write(2, f"windlass: {text}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        return  # as above
