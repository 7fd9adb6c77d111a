"""Frames between the supervisor and a process: a small JSON list, and bytes that nobody has to look into.

    4 bytes: length of the list │ 4 bytes: length of the bytes │ the list │ the bytes

    supervisor → process    ["run", number]                bytes: the order
    process → supervisor    ["ready"]
                            ["begun", number]
                            ["done", number, exit code]    bytes: the record

They go over a pair of sockets of their own, since stdin, stdout and stderr are the user's.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

_HEAD = struct.Struct(">II")


def frame(head: list[Any], body: bytes = b"") -> bytes:
    """One frame."""
    packed = json.dumps(head).encode()
    return _HEAD.pack(len(packed), len(body)) + packed + body


class Frames:
    """Frames out of bytes that arrive in pieces.

    >>> frames = Frames()
    >>> list(frames.feed(frame(["run", 1], b"order")[:9])), list(frames.feed(frame(["run", 1], b"order")[9:]))
    ([], [(['run', 1], b'order')])
    """

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[list[Any], bytes]]:
        """The frames that are complete with this."""
        self._rest += data
        while len(self._rest) >= _HEAD.size:
            head, body = _HEAD.unpack_from(self._rest)
            end = _HEAD.size + head + body
            if len(self._rest) < end:
                return
            middle = _HEAD.size + head
            told = json.loads(self._rest[_HEAD.size : middle])
            content = bytes(self._rest[middle:end])
            del self._rest[:end]
            yield told, content


def receive(connection: socket.socket) -> tuple[list[Any], bytes] | None:
    """The next frame, waited for; None where the other side is gone."""
    start = _exactly(connection, _HEAD.size)
    if start is None:
        return None
    head, body = _HEAD.unpack(start)
    content = _exactly(connection, head + body)
    return None if content is None else (json.loads(content[:head]), content[head:])


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
