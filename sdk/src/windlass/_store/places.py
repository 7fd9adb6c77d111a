"""Addresses: taking them apart, putting them together, and making up new ones."""

# ruff: noqa: PTH103, PTH110, PTH118  addresses are strings, and so are paths

from __future__ import annotations

import atexit
import os
import posixpath
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)://")  # at least two letters: C:\ is a path
_prefix: ContextVar[str | None] = ContextVar("windlass_raw_output_prefix", default=None)
_scratch: dict[int, str] = {}  # of each process its own, so that a forked child does not remove its parent's
_kept: set[int] = set()


class Entry(NamedTuple):
    """A file or folder at an address; None is what the store does not say."""

    name: str
    uri: str
    is_dir: bool
    size: int | None = None
    """Bytes."""
    modified: float | None = None
    """When a file was written last (seconds since the epoch); only `stat` tells, of s3:// and of files."""


class Content(NamedTuple):
    """An object, however deep below an address, and when it was written last (seconds since the epoch)."""

    uri: str
    size: int
    modified: float


def scheme_of(uri: str) -> str:
    """The scheme in lower case; empty for a plain path.

    >>> scheme_of("s3://bucket/key"), scheme_of("/tmp/x")
    ('s3', '')
    """
    match = _SCHEME.match(uri)
    return match.group(1).lower() if match else ""


def is_remote(uri: str) -> bool:
    """Whether the address is anywhere but in this machine's file system."""
    return scheme_of(uri) not in ("", "file")


def local_path(uri: str) -> str:
    """The path of a local address.

    `file://` is followed by the path as it is, which is what people write; only if nothing is there is it read as the
    standard has it, with %20 for a space.
    """
    if scheme_of(uri) != "file":
        return uri
    path = uri[len("file://") :].removeprefix("localhost")
    return path if os.path.exists(path) or "%" not in path else unquote(path)


def join(uri: str, *parts: str) -> str:
    """The address of something below another.

    >>> join("s3://bucket/a/", "b", "c.txt"), join("/tmp", "x")
    ('s3://bucket/a/b/c.txt', '/tmp/x')
    """
    relative = posixpath.join(*parts) if parts else ""
    return f"{uri.rstrip('/')}/{relative}" if relative else uri


def name_of(uri: str) -> str:
    """The last part of an address, without a query.

    >>> name_of("https://example.org/data/a.csv?version=2"), name_of("/tmp/folder/")
    ('a.csv', 'folder')
    """
    if scheme_of(uri) in ("http", "https"):
        uri = unquote(urlsplit(uri).path)
    return uri.rstrip("/").rpartition("/")[2]


def new_uri(name: str = "") -> str:
    """An address that nothing is stored at: below the raw output prefix, in a folder of its own."""
    return join(current_prefix(), os.urandom(16).hex(), *([name] if name else []))


def current_prefix() -> str:
    """Where new data goes: what the execution says, else the environment, else this process's temporary folder."""
    return _prefix.get() or os.environ.get("WINDLASS_RAW_OUTPUT_PREFIX") or scratch_folder("raw")


def keeps_outputs() -> bool:
    """Whether somebody said where outputs go, so that they must be copied there to be found by others."""
    return bool(_prefix.get() or os.environ.get("WINDLASS_RAW_OUTPUT_PREFIX"))


@contextmanager
def raw_output_prefix(prefix: str | None) -> Iterator[None]:
    """Sends new data below `prefix` while it is entered; None changes nothing."""
    token = _prefix.set(prefix or _prefix.get())
    try:
        yield
    finally:
        _prefix.reset(token)


def scratch_folder(name: str) -> str:
    """A folder of that name in this process's temporary folder, which is removed when the process ends."""
    process = os.getpid()
    if process not in _scratch:
        _scratch[process] = tempfile.mkdtemp(prefix="windlass-")
        atexit.register(_remove, process)
    folder = os.path.join(_scratch[process], name)
    os.makedirs(folder, exist_ok=True)
    return folder


def scratch_root() -> str | None:
    """This process's temporary folder, if somebody has asked for it."""
    return _scratch.get(os.getpid())


def keep_scratch() -> None:
    """This process's temporary folder stays when the process ends: somebody has been told of a file in it."""
    _kept.add(os.getpid())


def keep_what_is_named_in(text: str) -> None:
    """The temporary folder stays where the text, which somebody is about to read, names a file in it."""
    folder = _scratch.get(os.getpid())
    if folder is not None and folder in text:
        keep_scratch()


def _remove(process: int) -> None:
    if process == os.getpid() and process not in _kept:
        shutil.rmtree(_scratch.pop(process, ""), ignore_errors=True)
