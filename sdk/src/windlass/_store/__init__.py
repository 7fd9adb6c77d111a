"""Bytes by address: the one place that reads and writes what is too big to travel as JSON (files, frames, pickles).

An address is a path (`/data/a.csv`, `file:///data/a.csv`) or a URI whose scheme has a driver:

| scheme | driver | reads | writes |
|---|---|---|---|
| none, `file` | `files` | yes | yes |
| `http`, `https` | `web`, on the standard library | by ranges where the server can | no |
| `s3`, `s3a` | `s3`, on boto3 (`pip install "windlass[s3]"`) | by ranges | streamed, in parts |
| any other | `foreign`, through fsspec and the library it wants for that scheme | as fsspec does | as fsspec does |

New data goes below the raw output prefix: a folder of its own for each object, so that nothing is ever overwritten.

    <prefix>/<32 hex digits>/<name>

The prefix is what an execution says (`raw_output_prefix`), else the environment variable `WINDLASS_RAW_OUTPUT_PREFIX`
(the operator sets it in pods), else a temporary folder of this process, which is removed when the process ends.

Nothing here knows of types or tasks. Failures speak in three exceptions: `FlyteDataNotFoundException` (nothing is
there), `FlyteDownloadDataException` and `FlyteUploadDataException` (it could not be read or written; may be retried).
"""

# ruff: noqa: PTH103, PTH105, PTH108, PTH110, PTH120  addresses are strings, and so are paths

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

from windlass._exceptions import FlyteDataNotFoundException
from windlass._store.driver import Text, local_files
from windlass._store.places import (
    Content,
    Entry,
    current_prefix,
    is_remote,
    join,
    keep_scratch,
    keep_what_is_named_in,
    keeps_outputs,
    local_path,
    name_of,
    new_uri,
    raw_output_prefix,
    scheme_of,
    scratch_folder,
)

if TYPE_CHECKING:
    from windlass._store.driver import Driver

__all__ = [
    "Content",
    "Entry",
    "check",
    "contents",
    "current_prefix",
    "exists",
    "get_file",
    "get_tree",
    "is_remote",
    "join",
    "keeps_outputs",
    "listdir",
    "local_files",
    "local_path",
    "name_of",
    "new_uri",
    "open",
    "put_bytes",
    "put_file",
    "put_tree",
    "raw_output_prefix",
    "read_bytes",
    "remove_file",
    "remove_tree",
    "scheme_of",
    "signed_link",
    "keep_scratch",
    "keep_what_is_named_in",
    "scratch_folder",
    "stat",
    "walk",
]


def put_bytes(data: bytes, name: str, uri: str | None = None) -> str:
    """Stores bytes at `uri`, or as a new object with that file name; says where."""
    uri = uri or new_uri(name)
    with open(uri, "wb") as stream:
        stream.write(data)
    return uri


def read_bytes(uri: str) -> bytes:
    """All bytes of an object."""
    with open(uri, "rb") as stream:
        data: bytes = stream.read()
    return data


def put_file(path: str | os.PathLike[str], uri: str | None = None) -> str:
    """Stores a local file at `uri`, or as a new object with the file's name; says where."""
    source = os.fspath(path)
    uri = uri or new_uri(name_of(source))
    _driver(uri).put_file(source, uri)
    return uri


def get_file(uri: str, path: str | os.PathLike[str]) -> str:
    """Copies an object into a local file, which appears whole or not at all; says where."""
    target = os.fspath(path)
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    unfinished = f"{target}.{os.urandom(4).hex()}.part"
    try:
        _driver(uri).get_file(uri, unfinished)
        os.replace(unfinished, target)
    finally:
        if os.path.exists(unfinished):
            os.unlink(unfinished)
    return target


def put_tree(folder: str | os.PathLike[str], uri: str | None = None) -> str:
    """Stores the files below a local folder at `uri`, or as a new object with the folder's name.

    Says where. Symlinks are left out.
    """
    source = os.fspath(folder)
    uri = uri or new_uri(name_of(source))
    _driver(uri).put_tree(source, uri)
    return uri


def get_tree(uri: str, folder: str | os.PathLike[str]) -> str:
    """Copies everything below `uri` into a local folder; says where."""
    target = os.fspath(folder)
    _driver(uri).get_tree(uri, target)
    return target


def open(  # noqa: A001  the name says what it does, and it is used as `_store.open`
    uri: str,
    mode: str = "rb",
    *,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    cache_type: str | None = None,
    cache_options: Mapping[str, Any] | None = None,
) -> IO[Any]:
    """A stream over the object: seekable for reading, in one go for writing; nothing is downloaded as a whole.

    `mode` is one of r, w, x, a with b or t, as in the builtin (text by default there, and here). Objects of a store
    can't be appended to or changed, so `a` and `+` are for local files only. `cache_type` and `cache_options` say what
    a reader of a remote object keeps (`_store.ranges.CACHES`).
    """
    kind = mode.replace("b", "").replace("t", "")
    binary = _driver(uri).open(uri, kind, cache_type, cache_options or {})
    if "b" in mode:
        return binary
    return Text(binary, encoding=encoding or "utf-8", errors=errors, newline=newline)


def listdir(uri: str) -> list[Entry]:
    """What lies directly in a folder, by name."""
    return sorted(_driver(uri).listdir(uri), key=lambda entry: entry.name)


def walk(uri: str) -> Iterator[tuple[str, list[Entry], list[Entry]]]:
    """(folder, its folders, its files) for a folder and all below it, from the top down; removing folders prunes."""
    entries = listdir(uri)
    folders, files = [e for e in entries if e.is_dir], [e for e in entries if not e.is_dir]
    yield uri, folders, files
    for folder in folders:
        yield from walk(folder.uri)


def stat(uri: str) -> Entry:
    """What is there: a file with its size, or a folder. Raises `FlyteDataNotFoundException` where there is nothing."""
    found = _driver(uri).stat(uri)
    if found is None:
        raise FlyteDataNotFoundException(uri)
    return found


def contents(uri: str) -> Iterator[Content]:
    """All objects below a folder; none where there is no such folder."""
    return _driver(uri).contents(uri)


def remove_file(uri: str) -> None:
    """Removes one object. One that is not there is removed already."""
    _driver(uri).remove_file(uri)


def remove_tree(uri: str) -> None:
    """Removes a folder with all that is below it. One that is not there is removed already."""
    _driver(uri).remove_tree(uri)


def signed_link(uri: str, seconds: int = 3600) -> str:
    """A link by which anybody can read the object for a while, without credentials: of s3:// only.

    Raises ValueError for other addresses.
    """
    if scheme_of(uri) not in ("s3", "s3a"):
        raise ValueError(f"{uri}: only an object in S3 has links; read it where it is")
    from windlass._store.s3 import signed_link as of_s3  # noqa: PLC0415  drivers are loaded by the addresses that need them

    return of_s3(uri, seconds)


def exists(uri: str) -> bool:
    """Whether a file or folder is there."""
    return _driver(uri).stat(uri) is not None


def check(uri: str) -> None:
    """Raises ValueError or ModuleNotFoundError where nothing here writes to such an address; asks no store."""
    if scheme_of(uri) in ("http", "https"):
        raise ValueError(f"{uri}: what is at such an address can only be read")
    _driver(uri)


def _driver(uri: str) -> Driver:
    """The driver of a scheme, loaded when the first address of that scheme is met."""
    scheme = scheme_of(uri)
    if scheme in ("", "file"):
        from windlass._store.files import Files  # noqa: PLC0415  drivers are loaded by the addresses that need them

        return Files()
    if scheme in ("http", "https"):
        from windlass._store.web import Web  # noqa: PLC0415  as above

        return Web()
    if scheme in ("s3", "s3a"):
        from windlass._store.s3 import S3  # noqa: PLC0415  as above

        return S3()
    from windlass._store.foreign import Foreign  # noqa: PLC0415  as above

    return Foreign(scheme)
