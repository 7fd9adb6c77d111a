"""Digests of files of any size, with the memory of a part of one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

_PART = 1 << 20


def of_file(path: Path, kind: str = "sha256") -> _Hash:
    """What `hashlib` says of a file's content, by the name of an algorithm of its. Raises OSError of the file."""
    found = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(_PART):
            found.update(part)
    return found
