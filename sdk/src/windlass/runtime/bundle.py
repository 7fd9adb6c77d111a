"""The user's code: a gzipped tar archive, unpacked into the work folder.

Python's own `tarfile` would take a seventh of the whole start to load, and before 3.12 it follows whatever an archive
says. A bundle holds files and folders and nothing else, so reading it is a page: 512-byte headers, each followed by its
content in blocks of 512. Links, devices, and names that lead out of the folder are refused.

Names longer than a header holds come in two dialects (GNU `L` entries and pax `path` records); both are understood, so
that an archive made by hand with `tar czf` works as well as one that `windlass render` wrote.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator

from windlass._exceptions import FlyteDataNotFoundException

_BLOCK = 512
_GZIP = 31  # zlib: the largest window, with a gzip header
_FILE, _FOLDER = b"0\0", b"5"
_GNU_NAME, _PAX, _PAX_GLOBAL = b"L", b"x", b"g"


class BundleError(Exception):
    """The archive can't be used; `by_user` tells whether its content is to blame, or the way it came here, and `gone`
    that there is none.
    """

    def __init__(self, message: str, by_user: bool = False, gone: bool = False) -> None:
        super().__init__(message)
        self.by_user = by_user
        self.gone = gone


def unpack(place: str | dict[str, str], folder: str) -> None:
    """Writes a bundle's files below the folder. It is a file of the pod, or `{"uri": …, "sha256": …}` in the store."""
    archive = gunzip(_read(place), place) if isinstance(place, str) else _fetched(place["uri"], place["sha256"])
    for name, mode, content in entries(archive):
        _write(folder, name, mode, content)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  pathlib would be loaded for this alone
            return file.read()
    except OSError as error:
        raise BundleError(f"the code bundle can't be read: {error}") from error


def _fetched(uri: str, sha256: str) -> bytes:
    """An archive of the store, held against its hash."""
    import hashlib  # noqa: PLC0415  most code is in a ConfigMap, which nobody can change; so as to the store

    from windlass import _store  # noqa: PLC0415

    try:
        packed = _store.read_bytes(uri)
    except FlyteDataNotFoundException as error:
        raise BundleError(
            f"the code bundle {uri} is gone; bring it again: render or register the task, which uploads it", gone=True
        ) from error
    except Exception as error:  # whatever the driver of the scheme raises
        raise BundleError(f"the code bundle {uri} can't be read: {type(error).__name__}: {error}") from error
    archive = gunzip(packed, uri)
    found = hashlib.sha256(archive).hexdigest()
    if found != sha256:
        raise BundleError(f"{uri} is not the code that the task was made with: its SHA-256 is {found}, not {sha256}")
    return archive


def extract(packed: bytes, path: str, folder: str) -> None:
    """The same of a bundle that is in memory; `path` says where it came from."""
    for name, mode, content in entries(gunzip(packed, path)):
        _write(folder, name, mode, content)


def gunzip(packed: bytes, path: str) -> bytes:
    """The content of gzip data, which may have several parts."""
    parts = []
    while packed:
        stream = zlib.decompressobj(_GZIP)
        try:
            parts.append(stream.decompress(packed))
        except zlib.error as error:
            raise BundleError(f"{path} is not gzip data ({error})") from error
        if not stream.eof:
            raise BundleError(f"{path} ends in the middle of its gzip data")
        packed = stream.unused_data.lstrip(b"\0")
    return b"".join(parts)


def entries(archive: bytes) -> Iterator[tuple[str, int, bytes | None]]:
    """The entries of a tar archive: name, mode, and the content of a file or None for a folder."""
    position, long_name = 0, ""
    while archive[position : position + _BLOCK].strip(b"\0"):
        header = archive[position : position + _BLOCK]
        _check(header)
        kind, size = header[156:157], _number(header[124:136])
        content = archive[position + _BLOCK : position + _BLOCK + size]
        if len(content) < size:
            raise BundleError("the code bundle ends in the middle of a file")
        position += _BLOCK + -(-size // _BLOCK) * _BLOCK
        if kind == _GNU_NAME:
            long_name = content.rstrip(b"\0").decode()
        elif kind == _PAX:
            long_name = _pax_path(content) or long_name
        elif kind != _PAX_GLOBAL:
            name, long_name = long_name or _name(header), ""
            _refuse_special(kind, name)
            folder = kind == _FOLDER or name.endswith("/")
            yield name, _number(header[100:108]), None if folder else content


def _check(header: bytes) -> None:
    """Every header carries the sum of its bytes, its own field counted as blanks."""
    if len(header) < _BLOCK or _number(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * 32:
        raise BundleError("the code bundle is not a tar archive, or is damaged")


def _number(field: bytes) -> int:
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError as error:
        raise BundleError("the code bundle is not a tar archive, or is damaged") from error


def _name(header: bytes) -> str:
    name = header[:100].rstrip(b"\0").decode()
    prefix = header[345:500].rstrip(b"\0").decode() if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _pax_path(content: bytes) -> str:
    """The `path` among records of the form `27 path=some/long/name\\n`, where 27 is the record's length."""
    while content:
        length, _, _ = content.partition(b" ")
        record = content[len(length) + 1 : int(length) - 1]
        key, _, value = record.partition(b"=")
        if key == b"path":
            return value.decode()
        content = content[int(length) :]
    return ""


def _refuse_special(kind: bytes, name: str) -> None:
    if kind not in _FILE and kind != _FOLDER:
        what = {b"1": "a hard link", b"2": "a symbolic link"}.get(kind, "neither a file nor a folder")
        raise BundleError(f"{name} in the code bundle is {what}; a bundle holds files and folders", by_user=True)


def _write(folder: str, name: str, mode: int, content: bytes | None) -> None:
    if name.startswith("/") or "\0" in name or ".." in name.split("/"):
        raise BundleError(f"{name!r} in the code bundle leads out of the work folder", by_user=True)
    path = f"{folder}/{name}"
    try:
        if content is None:
            os.makedirs(path, exist_ok=True)  # noqa: PTH103  as above
            return
        os.makedirs(path.rpartition("/")[0], exist_ok=True)  # noqa: PTH103  as above
        with open(path, "wb") as file:  # noqa: PTH123  as above
            file.write(content)
        if mode & 0o111:
            os.chmod(path, 0o755)  # noqa: PTH101, S103  a script of the user's, in the user's own container
    except OSError as error:
        raise BundleError(f"{name} of the code bundle can't be written into {folder}: {error}") from error
