"""The record of an attempt, as the runtime writes it and the operator reads it: JSON in a termination message.

    {"v": 1, "outputs": {…}, …}     what the task returned
    {"v": 1, "workflow": {…}, …}    the calls that a dynamic task made: the spec of a Workflow
    {"v": 1, "error": {…}, …}       why it failed
    {"v": 1, "z": "…"}              one of these, compressed: base85 of zlib of its JSON

Kubernetes keeps 4096 bytes of a message, and a record that is longer is compressed; most outputs become several times
shorter by it. Anything in a pod may write such a message, so reading one trusts nothing: what is no record, or becomes
larger than `MAX_SIZE`, is None.

Pure, and light enough for a pod.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

VERSION = 1
MAX_SIZE = 1 << 20
"""Bytes of a record's JSON; no compressed one may become larger."""

_BODIES = ("outputs", "workflow", "error")


def compressed(record: bytes) -> bytes:
    """A record that says the same in fewer bytes, as a rule.

    >>> record = b'{"v":1,"outputs":{"o0":"' + b"ab" * 5000 + b'"}}'
    >>> len(compressed(record)) < 100, decode(compressed(record).decode()) == json.loads(record)
    (True, True)
    """
    text = base64.b85encode(zlib.compress(record, 9)).decode()  # its alphabet needs no escapes in JSON
    return json.dumps({"v": VERSION, "z": text}, separators=(",", ":")).encode()


def decode(text: str | None) -> dict[str, Any] | None:
    """The record in a message, or None where the message is something else: a log's tail, a kubelet's complaint, half
    a record, or what no status can hold.
    """
    record = _read(text or "")
    if record is not None and "z" in record:
        record = _read(_expanded(record["z"]))
    if record is None or not any(body in record for body in _BODIES):
        return None
    return record if all(isinstance(record.get(part, {}), dict) for part in (*_BODIES, "timings")) else None


def _read(text: str) -> dict[str, Any] | None:
    try:
        record = json.loads(text, parse_int=_number)
        json.dumps(record, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and record.get("v") == VERSION else None


def _expanded(text: Any) -> str:
    """What was compressed; nothing where that can't be read, goes on beyond its end, or is too large."""
    if not isinstance(text, str):
        return ""
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(base64.b85decode(text), MAX_SIZE + 1)
        return content.decode() if stream.eof and len(content) <= MAX_SIZE and not stream.unused_data else ""
    except (ValueError, zlib.error):
        return ""


def _number(digits: str) -> int | float:
    """A whole number, as Kubernetes keeps it: beyond 64 bits it is rounded to a float."""
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else float(digits)
