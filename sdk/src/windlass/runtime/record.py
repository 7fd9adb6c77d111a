"""The record: the one thing that leaves the pod, as the container's termination message.

    {"v": 1, "outputs": {"o0": …}, "timings": {…}, "deck": "s3://…"}
    {"v": 1, "workflow": {"nodes": […], …}, "timings": {…}}           of a dynamic task: the calls that it made
    {"v": 1, "error": {"kind", "code", "type", "message", "traceback", "recoverable"}, "timings": {…}, "deck": …}

`timings` are milliseconds: boot (process start until the code is unpacked), import, inputs, user, outputs; a phase that
was not reached has none. `deck` is the address of the report, if the task has one and it could be written.

Kubernetes keeps 4096 bytes of it, so it is fitted: outputs that are longer are compressed (`windlass_api.records`), and
are an error of their own where they still don't fit; an error's long texts lose their middle. The kubelet reads the
file when the process has ended, so it is written once, as a whole.
"""

from __future__ import annotations

import json
from typing import Any

VERSION = 1
_SHORT = 100  # bytes of a name in a record
_MESSAGE_SHARE = 0.4  # of the room that the texts of an error have
_HEAD_SHARE = 0.35  # of what is kept of a text; its end tells more


def encode(record: dict[str, Any]) -> bytes:
    """A record as bytes."""
    return json.dumps({"v": VERSION, **record}, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def shortened(content: bytes, limit: int) -> bytes | None:
    """A record within the limit: as it is, else compressed; None where it is too large for that, too."""
    if len(content) <= limit:
        return content
    from windlass_api import records  # noqa: PLC0415  most records are short; it loads zlib

    if len(content) > records.MAX_SIZE:
        return None
    short = records.compressed(content)
    return short if len(short) <= limit else None


def too_large(content: bytes, limit: int) -> str:
    """How much too large such a record is, in words."""
    from windlass_api import records  # noqa: PLC0415  as above

    if len(content) > records.MAX_SIZE:
        return f"the record takes {len(content):,} bytes of at most {records.MAX_SIZE:,}"
    size = len(records.compressed(content))
    return f"the record takes {len(content):,} bytes, and compressed {size:,} of at most {limit:,}"


def fit_error(error: dict[str, Any], about: dict[str, Any], limit: int) -> bytes:
    """The record of an error within the limit: names are cut, then the message; the traceback takes what is left.
    `about` is what else is in it.
    """
    error = {key: clean(value) if isinstance(value, str) else value for key, value in error.items()}
    for key in ("code", "type"):
        error[key] = cut(error[key], _SHORT)
    room = limit - len(encode({"error": {**error, "message": "", "traceback": ""}, **about}))
    traceback_size = _size(error["traceback"])
    error["message"] = cut(error["message"], max(int(room * _MESSAGE_SHARE), room - traceback_size))
    error["traceback"] = cut(error["traceback"], room - _size(error["message"]))
    return encode({"error": error, **about})


def clean(text: str) -> str:
    """The text without lone surrogates, which no UTF-8 can hold."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def cut(text: str, room: int) -> str:
    """The text, less as much of its middle as makes its JSON fit into that many bytes."""
    if _size(text) <= room:
        return text
    keep = min(len(text), max(room, 0))
    while keep > 0:
        head = int(keep * _HEAD_SHARE)
        short = f"{text[:head]}\n… {len(text) - keep} characters left out …\n{text[len(text) - (keep - head) :]}"
        excess = _size(short) - room
        if excess <= 0:
            return short
        keep -= max(1, excess // 4)  # a character may take several bytes: careful steps, for at most a few thousand
    return ""


def write(path: str, content: bytes) -> None:
    """Writes the record. The file is a mount of the container's, so it can't be replaced by a rename."""
    with open(path, "wb") as file:  # noqa: PTH123  pathlib would be loaded for this alone
        file.write(content)


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2
