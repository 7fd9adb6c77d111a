"""Code, fetched once from the operator, or from the store, and unpacked into a folder of its own.

    Wanted ──► Bundle, Bundle, … last ──► checked by its digest ──► <folder>/<digest>/
    an order's bundle {uri, sha256}: the store ──► checked by its hash ──► <folder>/<hash>/

What arrives damaged is asked for once more, and is then the failure of the calls that wait for it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable

from windlass.runtime import bundle
from windlass_api import names

BUNDLE_KEY = "bundle.tar.gz"
_SHORTEST = 16
"""Hex digits of a digest that say enough."""
_SHA256 = re.compile("[0-9a-f]{64}")


class CodeError(Exception):
    """The code of a call can't be had; `by_user` tells whether its content is to blame, or the way it came here, and
    `gone` that there is none any more.
    """

    def __init__(self, message: str, by_user: bool = False, gone: bool = False) -> None:
        super().__init__(message)
        self.by_user = by_user
        self.gone = gone

    @property
    def code(self) -> str:
        """The failure of a call without it, as of a pod."""
        if self.gone:
            return "USER:CodeNotFound"
        return "USER:BadBundle" if self.by_user else "BundleUnreadable"


def fits(digest: str, content: bytes) -> bool:
    """Whether the digest is of this bundle: of its bytes, or of the ConfigMap that holds nothing else."""
    wanted = digest.rpartition(":")[2]
    if len(wanted) < _SHORTEST:
        return False
    if hashlib.sha256(content).hexdigest().startswith(wanted):
        return True
    packed = base64.b64encode(content).decode()
    return names.content_hash({"data": {}, "binaryData": {BUNDLE_KEY: packed}}) == wanted


def unpack(digest: str, content: bytes, root: str) -> str:
    """Checks and unpacks a bundle; its folder, which appears whole or not at all.

    Raises:
        CodeError: it is not what was asked for, or can't be unpacked.
    """
    if not fits(digest, content):
        found = hashlib.sha256(content).hexdigest()
        raise CodeError(f"the code bundle arrived damaged: its digest is {found}, and {digest} was asked for")
    return _placed(digest, root, lambda into: bundle.extract(content, "the code bundle", into))


def archive_of(order: bytes) -> dict[str, str] | None:
    """The archive of the store that an order names, `{"uri": …, "sha256": …}`. None: its code is somewhere else.

    >>> archive_of(b'{"bundle": {"uri": "s3://b/code", "sha256": "not one"}}'), archive_of(b"no JSON")
    (None, None)
    """
    if b'"sha256"' not in order:  # an order may be long, and few have one
        return None
    try:
        content = json.loads(order)
    except ValueError:
        return None  # the process that reads it says so
    found = content.get("bundle") if isinstance(content, dict) else None
    if not isinstance(found, dict) or not _SHA256.fullmatch(str(found.get("sha256"))):
        return None
    return found


def fetch(archive: dict[str, str], root: str) -> str:
    """Fetches an archive of the store, checks and unpacks it; its folder, which appears whole or not at all.

    Raises:
        CodeError: it is gone, can't be read, is not what was asked for, or can't be unpacked.
    """
    return _placed(archive["sha256"], root, lambda into: bundle.unpack(archive, into))


def _placed(digest: str, root: str, write: Callable[[str], None]) -> str:
    folder = os.path.join(root, digest.rpartition(":")[2])  # noqa: PTH118  paths are texts here
    unfinished = f"{folder}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        os.makedirs(unfinished)  # noqa: PTH103  as above
        write(unfinished)
        os.rename(unfinished, folder)  # noqa: PTH104  as above
    except bundle.BundleError as error:
        raise CodeError(str(error), error.by_user, error.gone) from error
    except OSError as error:
        raise CodeError(f"the code bundle can't be unpacked: {error}") from error
    return folder


class Arriving:
    """The parts of bundles that are on their way, by digest."""

    def __init__(self) -> None:
        self._parts: dict[str, list[bytes]] = {}

    def begin(self, digest: str) -> None:
        """Parts that came before are of an answer that broke off."""
        self._parts[digest] = []

    def add(self, digest: str, part: bytes, *, last: bool) -> bytes | None:
        """One more part; all of them together with the last."""
        parts = self._parts.setdefault(digest, [])
        parts.append(part)
        return b"".join(self._parts.pop(digest)) if last else None
