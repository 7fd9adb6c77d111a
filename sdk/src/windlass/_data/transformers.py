"""Files and folders on the wire: `{"uri": …}`, with `format`, `size` and `metadata` where they are known.

Reading one gives the reference and fetches nothing. Writing one decides whether bytes have to be moved; the table in
`windlass._data.files` says when.
"""

# ruff: noqa: PTH100, PTH110, PTH112, PTH113, PTH114, PTH118, PTH202  addresses are strings, and so are paths

from __future__ import annotations

import os
import shutil
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from windlass import _store
from windlass._data.blobs import Blob
from windlass._data.files import FlyteFile
from windlass._data.folders import FlyteDirectory
from windlass._exceptions import TypeTransformerFailedError
from windlass._types.transformer import TypeTransformer

B = TypeVar("B", bound=Blob[Any])


class _BlobTransformer(TypeTransformer[B]):
    """What the transformers of files and folders share."""

    def type_expression(self, python_type: Any) -> tuple[str, dict[str, Any] | None]:
        """`file`, `file[csv]`, `directory`, `directory[jpeg]`."""
        blob_class = self._class_of(python_type)
        extension = blob_class.extension()
        return (f"{blob_class._kind}[{extension}]" if extension else blob_class._kind), None

    def to_wire(self, value: Any, python_type: Any) -> dict[str, Any]:
        """The reference, with the bytes where those can read them who get it."""
        expected = self._class_of(python_type)
        blob = self._as_blob(value, expected)
        self.check(blob, expected)
        if blob._wire is not None and blob._destination is None and not blob.is_changed:
            return dict(blob._wire)
        return self.reference(blob, expected)

    def reference(self, blob: B, expected: type[Blob[Any]]) -> dict[str, Any]:
        """The reference of a blob that does not have one yet."""
        uri = stored_address(blob)
        extension = expected.extension() or blob.extension()
        return {"uri": uri, **({"format": extension} if extension else {})}

    def from_wire(self, value: Any, python_type: Any) -> B:
        """A blob at that address, with nothing fetched."""
        expected = self._class_of(python_type)
        if isinstance(value, str):
            value = {"uri": value}
        elif isinstance(value, Mapping) and "uri" not in value and "path" in value:
            value = {"uri": value["path"], **{name: text for name, text in value.items() if name != "path"}}
        if not isinstance(value, Mapping) or not isinstance(value.get("uri"), str):
            raise TypeTransformerFailedError(
                f"expected an object with the address of a {expected._kind} under 'uri', got {value!r}"
            )
        return cast(B, expected.from_reference(value))

    @abstractmethod
    def check(self, blob: B, expected: type[Blob[Any]]) -> None:
        """Raises where what lies here is not of the right kind."""

    def _class_of(self, python_type: Any) -> type[Blob[Any]]:
        while hasattr(python_type, "__metadata__"):
            python_type = python_type.__origin__
        if isinstance(python_type, type) and issubclass(python_type, self.python_type):
            return python_type
        return self.python_type

    def _as_blob(self, value: Any, expected: type[Blob[Any]]) -> B:
        if isinstance(value, self.python_type):
            return value
        if isinstance(value, Blob) or not isinstance(value, str | os.PathLike):
            raise TypeTransformerFailedError(
                f"expected a {expected._kind} ({expected.__name__}, a path or an address), got {value!r} of type"
                f" {type(value).__name__}"
            )
        return cast(B, expected(value))


class FlyteFileTransformer(_BlobTransformer[FlyteFile[Any]]):
    """FlyteFile, FlyteFile["csv"] and the aliases; as values also paths and addresses."""

    def __init__(self) -> None:
        super().__init__("FlyteFile", FlyteFile)

    def reference(self, blob: FlyteFile[Any], expected: type[Blob[Any]]) -> dict[str, Any]:
        """With the file's size and metadata, where they are known."""
        wire = super().reference(blob, expected)
        local = _local_bytes(blob)
        if local is not None and wire["uri"] != local:
            wire["size"] = os.path.getsize(local)
        if blob.metadata:
            wire["metadata"] = dict(blob.metadata)
        return wire

    def check(self, blob: FlyteFile[Any], expected: type[Blob[Any]]) -> None:
        """A local path must lead to a file, and one with the beginning that files of its format have."""
        local = _local_bytes(blob)
        if local is None:
            return
        if not os.path.isfile(local):
            what = "a folder lies there: use FlyteDirectory" if os.path.isdir(local) else "nothing lies there"
            raise TypeTransformerFailedError(f"expected a file at {local!r}, but {what}")
        check_beginning(local, expected.extension())


class FlyteDirectoryTransformer(_BlobTransformer[FlyteDirectory[Any]]):
    """FlyteDirectory, FlyteDirectory["jpeg"] and the aliases; as values also paths and addresses."""

    def __init__(self) -> None:
        super().__init__("FlyteDirectory", FlyteDirectory)

    def check(self, blob: FlyteDirectory[Any], expected: type[Blob[Any]]) -> None:
        """A local path must lead to a folder."""
        local = _local_bytes(blob)
        if local is not None and not os.path.isdir(local):
            what = "a file lies there: use FlyteFile" if os.path.exists(local) else "nothing lies there"
            raise TypeTransformerFailedError(f"expected a directory at {local!r}, but {what}")


# ---- moving bytes ---------------------------------------------------------------------------------------------------


def stored_address(blob: Blob[Any]) -> str:
    """The address at which others find the blob, which is put there if it has to be."""
    destination = blob._destination
    local = _local_bytes(blob)
    if destination is False or (destination is None and (local is None or not must_move(local))):
        return blob.address if local is None else os.path.abspath(local)
    target = os.fspath(destination) if isinstance(destination, str | os.PathLike) else None
    if local is None:
        return _copied(blob, target or "")
    if blob._kind == "directory":
        _warn_of_links(local)
        return _store.put_tree(local, target)
    return _store.put_file(local, target)


def _local_bytes(blob: Blob[Any]) -> str | None:
    """The local path at which the blob's bytes lie; None where those at its address are the ones that count."""
    if blob._downloader is not None:
        return blob.download()
    if blob._remote_source is None:
        return _store.local_path(os.fspath(blob.path))
    return blob._local if blob.is_changed else None


def must_move(local: str) -> bool:
    """Whether others would not find what lies there: outputs go to a store, and it is not in it."""
    if not _store.keeps_outputs():
        return False
    prefix = _store.current_prefix()
    if _store.is_remote(prefix):
        return True
    return not os.path.abspath(local).startswith(os.path.join(os.path.abspath(_store.local_path(prefix)), ""))


def _copied(blob: Blob[Any], target: str) -> str:
    """From one address to another, through a stream for a file and through this machine for a folder."""
    if blob._kind == "directory":
        return _store.put_tree(blob.download(), target)
    with _store.open(blob.address, "rb") as source, _store.open(target, "wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    return target


def _warn_of_links(folder: str) -> None:
    links = [
        os.path.relpath(os.path.join(here, name), folder)
        for here, folders, files in os.walk(folder)
        for name in (*folders, *files)
        if os.path.islink(os.path.join(here, name))
    ]
    if links:
        warnings.warn(
            f"{folder}: symlinks are not stored, so {len(links)} of its entries are left out ({', '.join(links[:5])});"
            " put a copy in the place of each that is needed",
            UserWarning,
            stacklevel=2,
        )


# ---- formats that begin in their own way ----------------------------------------------------------------------------

_BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    "gif": (b"GIF8",),
    "gz": (b"\x1f\x8b",),
    "hdf5": (b"\x89HDF\r\n\x1a\n",),
    "jpeg": (b"\xff\xd8\xff",),
    "jpg": (b"\xff\xd8\xff",),
    "parquet": (b"PAR1",),
    "pdf": (b"%PDF-",),
    "png": (b"\x89PNG\r\n\x1a\n",),
    "zip": (b"PK\x03\x04", b"PK\x05\x06"),
}


def check_beginning(path: str, extension: str) -> None:
    """Raises if a file can't be of its format: some formats have a fixed beginning. Others are not looked at."""
    wanted = _BEGINNINGS.get(extension.lower())
    if wanted is None:
        return
    with open(path, "rb") as stream:  # noqa: PTH123  paths are strings here
        beginning = stream.read(16)
    if not beginning.startswith(wanted):
        raise TypeTransformerFailedError(
            f"Incorrect file type, expected {extension}, but {path!r} begins with {beginning!r}"
        )
