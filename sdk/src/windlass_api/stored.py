"""Values that lie in the store, and what stands for them: an object with the one key `$stored`.

    {"$stored": {"uri": "s3://…", "size": 52428800, "sha256": "9f…"}}                       all of a value's JSON
    {"$stored": {"uri": …, "size": …, "sha256": …, "length": 1000}}                        a list, and how long it is
    {"$stored": {"uri": …, "size": …, "sha256": …, "path": ["rows", 0]}}                   a part of what lies there

An output that is too large to leave its pod is written to the store, and this leaves instead. It may stand anywhere in
a value, and means the same wherever it stands: in the outputs of a status, in the inputs of an Execution, in a segment
of a map, in a CacheEntry. Pods and the SDK read what lies there, and compare its digest. The operator has no right to
the store: it passes the mark on, takes parts of it (`part`) and elements of a list, and decides nothing by its content.

Pure, and light enough for a pod.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

STORED = "$stored"
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_KEYS = frozenset({"uri", "size", "sha256", "length", "path"})


class Stored(NamedTuple):
    """Where a value lies."""

    uri: str
    size: int
    """Bytes of its JSON."""
    sha256: str
    """Of these."""
    length: int | None = None
    """How many items what is meant has, where it is a list and that is known."""
    path: tuple[str | int, ...] = ()
    """The part that is meant."""

    @property
    def mark(self) -> dict[str, Any]:
        """What stands for it."""
        content: dict[str, Any] = {"uri": self.uri, "size": self.size, "sha256": self.sha256}
        if self.length is not None:
            content["length"] = self.length
        if self.path:
            content["path"] = list(self.path)
        return {STORED: content}


def stored(value: Any) -> Stored | None:
    """What a mark says; None where the value is something else.

    >>> stored({"$stored": {"uri": "s3://b/k", "size": 9, "sha256": "0" * 64}}).uri
    's3://b/k'
    >>> stored({"$stored": "just data"}), stored([1])
    (None, None)
    """
    if not isinstance(value, Mapping) or len(value) != 1 or STORED not in value:
        return None
    content = value[STORED]
    if not isinstance(content, Mapping) or not content.keys() <= _KEYS:
        return None
    uri, size, sha256 = content.get("uri"), content.get("size"), content.get("sha256")
    length, path = content.get("length"), content.get("path", [])
    if not isinstance(uri, str) or not isinstance(sha256, str) or not _SHA256.match(sha256):
        return None
    if not _is_count(size) or (length is not None and not _is_count(length)) or not isinstance(path, list | tuple):
        return None
    if not all(isinstance(step, str | int) and not isinstance(step, bool) for step in path):
        return None
    return Stored(uri, content["size"], sha256, length, tuple(path))


def part(value: Stored, steps: Sequence[str | int]) -> Stored:
    """A part of a value, which is taken where it is read."""
    return value._replace(path=(*value.path, *steps), length=None) if steps else value


def any_in(value: Any) -> Stored | None:
    """The first value within a value that lies in the store."""
    found = stored(value)
    if found is not None:
        return found
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((one for one in map(any_in, items) if one is not None), None)


def replaced(value: Any, change: Callable[[Stored], Any]) -> Any:
    """The value with each of its marks as `change` gives it."""
    found = stored(value)
    if found is not None:
        return change(found)
    if isinstance(value, Mapping):
        return {key: replaced(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [replaced(item, change) for item in value]
    return value


def identity(value: Any) -> Any:
    """The value with content in the place of places: two are equal if what lies in the store is.

    >>> one = {"$stored": {"uri": "s3://b/1", "size": 9, "sha256": "0" * 64}}
    >>> identity([one]) == identity([{"$stored": {**one["$stored"], "uri": "s3://b/2"}}])
    True
    """
    return replaced(value, lambda found: {STORED: {"sha256": found.sha256, "path": list(found.path)}})


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
