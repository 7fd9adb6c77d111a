"""What a process prints, on its way to the pod's own stdout: line by line, each with the name of the call.

    [wordcount-x1/count#3] 217 words

stdout and stderr of a process are one pipe, so their order is kept. Whose a line is, the pipe itself tells: the
process writes a mark into it before a call and after it, so that nothing depends on which of two channels is read
first. What is printed between calls, by a thread that stayed, say, has the name of the process.

A thread reads, so that a log that is slow to be taken holds up the process that prints, and nobody else. Memory has a
bound: a line that doesn't end goes out in parts, and of each call the last is kept, for the message of its failure.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

LINE = 16 * 1024
"""Bytes of a line that go out together at most, as container runtimes cut them too."""
TAIL = 4096
"""Bytes of a call's output that are kept."""
_MARK = b"\0windlass "


def mark(token: str, number: int, name: str = "") -> bytes:
    """What a process writes before a call (with its name) and after it (without)."""
    return _MARK + f"{token} {number} {name}\n".encode("utf-8", "backslashreplace")


class Lines:
    """Bytes that arrive in pieces → lines and marks, in order. Pure.

    >>> lines = Lines("t")
    >>> [*lines.feed(b"one" + mark("t", 1, "x/n0")), *lines.feed(b"tw"), *lines.feed(b"o" + mark("t", 1))]
    [b'one', (1, 'x/n0'), b'two', (1, '')]
    """

    def __init__(self, token: str) -> None:
        self._mark = _MARK + token.encode() + b" "
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes | tuple[int, str]]:
        """The lines, without their ends, and marks that are complete with this."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            yield from self._line(line)
        while len(self._rest) > LINE + len(self._mark):  # the end may be the beginning of a mark
            yield self._rest[:LINE]
            self._rest = self._rest[LINE:]

    def finish(self) -> Iterator[bytes | tuple[int, str]]:
        """What is left when no more will come."""
        rest, self._rest = self._rest, b""
        if rest:
            yield from self._line(rest)

    def _line(self, line: bytes) -> Iterator[bytes | tuple[int, str]]:
        text, found, about = line.partition(self._mark)
        if text or not found:
            yield from (text[at : at + LINE] for at in range(0, len(text) or 1, LINE))
        if found:
            number, _, name = about.decode("utf-8", "replace").partition(" ")
            yield int(number), name


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


class Pump:
    """Reads the pipe of one process until its end. `ended(number, tail)` is called, in the pump's thread, when a call's
    output is complete, and with the number None when all of it is.
    """

    def __init__(self, source: int, token: str, name: str, ended: Callable[[int | None, bytes], None]) -> None:
        self._source = source
        self._lines = Lines(token)
        self._own_name = self._name = name
        self._ended = ended
        self._tail = Tail()
        self._thread = threading.Thread(target=self._run, name=f"output of {name}", daemon=True)
        self._thread.start()

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
        self._ended(None, self._tail.bytes())

    def _pass_on(self, found: Iterator[bytes | tuple[int, str]]) -> None:
        out: list[bytes] = []
        ended: list[tuple[int, bytes]] = []
        for one in found:
            if isinstance(one, bytes):
                self._tail.add(one)
                out.append(f"[{self._name}] ".encode() + one + b"\n")
                continue
            number, name = one
            if not name:
                ended.append((number, self._tail.bytes()))
            self._name, self._tail = name or self._own_name, Tail()
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
