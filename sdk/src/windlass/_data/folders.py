"""FlyteDirectory: a folder as the input or output of a task.

    @task
    def names(photos: FlyteDirectory["jpeg"]) -> list[str]:
        return [os.path.basename(photo.path) for photo in FlyteDirectory.listdir(photos)]     # fetches nothing

    @task
    def split(rows: FlyteFile) -> FlyteDirectory:
        parts = FlyteDirectory.new("parts")
        ...
        return parts

What is returned goes where a FlyteFile would (`windlass._data.files`). Symlinks in a folder are left out.
"""

# ruff: noqa: PTH118  addresses are strings, and so are paths

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from windlass import _store
from windlass._data.blobs import Blob, Destination, Format, new_address, relative_name, working_folder
from windlass._data.files import FlyteFile

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import Self


class FlyteDirectory(Blob[Format]):
    """A folder, here or at an address.

    Args:
        path: a local path or an address.
        downloader: called once, before the folder is first used, to put it at `path`.
        remote_directory: where to store it when it is returned; False leaves it at `path`. Default: a new address.

    >>> folder = FlyteDirectory.new_remote("reports")
    >>> with folder.new_file("monday.txt").open("w") as stream:
    ...     _ = stream.write("quiet")
    >>> [os.path.basename(file.path) for file in FlyteDirectory.listdir(folder)]
    ['monday.txt']
    """

    __windlass_transformer__ = "windlass._data.transformers:FlyteDirectoryTransformer"
    _destination_name = "remote_directory"
    _kind = "directory"

    def __init__(
        self,
        path: str | os.PathLike[str],
        downloader: Callable[[], Any] | None = None,
        remote_directory: Destination | bool = None,
    ) -> None:
        super().__init__(path, downloader, remote_directory)

    @property
    def remote_directory(self) -> Destination | bool:
        """Where it is stored when it is returned: an address, False for nowhere, None for a new address."""
        return self._destination

    @property
    def sep(self) -> str:
        """What stands between the parts of its paths."""
        return "/" if _store.is_remote(self.address) else os.sep

    # ---- making them ------------------------------------------------------------------------------------------------

    @classmethod
    def new(cls, dirname: str | os.PathLike[str]) -> Self:
        """A new folder of that name in the working folder of the task; ValueError unless the name is relative."""
        path = os.path.join(working_folder(), relative_name(dirname, "dirname"))
        os.makedirs(path, exist_ok=True)  # noqa: PTH103  paths are strings here
        return cls(path)

    @classmethod
    def new_remote(cls, stem: str | None = None, alt: str | None = None) -> Self:
        """A folder at a new address below the raw output prefix, to be filled with `new_file`.

        Args:
            stem: the folder's name there; a random one by default.
            alt: a bucket to use in place of the prefix's own; where the prefix is a local folder, a folder in it.
        """
        return cls(new_address(stem, alt))

    def new_file(self, name: str | None = None) -> FlyteFile:
        """A file in this folder, to be written with `open`; named at random by default. Collisions are not checked."""
        return FlyteFile(self._below(name))

    def new_dir(self, name: str | None = None) -> FlyteDirectory:
        """A folder in this folder; its name is random by default. Collisions are not checked.

        It is there as soon as there is a file in it.
        """
        return FlyteDirectory(self._below(name))

    def _below(self, name: str | None) -> str:
        return _store.join(self.address, name or os.urandom(16).hex())

    # ---- looking into them ------------------------------------------------------------------------------------------

    @classmethod
    def listdir(cls, directory: FlyteDirectory) -> list[FlyteDirectory | FlyteFile]:
        """The files and folders in a folder, by name; nothing is fetched until one of them is opened."""
        if directory.downloaded or directory._downloader is not None:
            path = directory.download()
            return [_child(entry, None) for entry in _store.listdir(path)]
        local = directory._local_path() if directory.remote_source is not None else None
        return [_child(entry, local) for entry in _store.listdir(directory.address)]

    def crawl(self, maxdepth: int | None = None, topdown: bool = True, **kwargs: Any) -> Iterator[tuple[str, Any]]:
        """All files in the folder and in those below it: (the folder's address, the file's path from there).

        Args:
            maxdepth: how many levels to look at; 1 is the folder itself. Default: all.
            topdown: files of a folder before those of the folders in it; False for after.
            detail: in place of the path `{path: {"name", "size", "type"}}`, with more for local files
                (created, mtime, islink, mode, uid, gid, ino, nlink).

        >>> folder = FlyteDirectory.new_remote()
        >>> for name in ("a.txt", "sub/b.txt"):
        ...     with folder.new_file(name).open("w") as stream:
        ...         _ = stream.write(name)
        >>> [path for _, path in folder.crawl()]
        ['a.txt', 'sub/b.txt']
        """
        detail = bool(kwargs.pop("detail", False))
        if kwargs:
            raise TypeError(f"crawl() takes maxdepth, topdown and detail, not {', '.join(sorted(kwargs))}")
        if maxdepth is not None and maxdepth < 1:
            raise ValueError(f"maxdepth is {maxdepth}; it is at least 1")
        address = self.download() if self._downloader is not None else self.address
        for parts, entry in _files(address, (), maxdepth, topdown):
            path = "/".join(parts)
            yield address, {path: _details(entry)} if detail else path

    def _fetch(self, address: str, path: str) -> None:
        _store.get_tree(address, path)

    # ---- JSON -------------------------------------------------------------------------------------------------------

    def to_dict(self, encode_json: bool = False) -> dict[str, Any]:
        """The folder as an object, `{"path": address}`. Stores nothing.

        `encode_json` asks for values that JSON can say, which the address always is.
        """
        return self._json_object()

    @classmethod
    def from_dict(cls, kvs: Any, *, infer_missing: bool = False) -> Self:
        """The folder that such an object stands for.

        `infer_missing` asks for None in place of what is missing: a folder without a path is none, so it changes
        nothing but the message.
        """
        if infer_missing and isinstance(kvs, dict) and "path" not in kvs and "uri" not in kvs:
            raise ValueError(f"{cls.__name__} has nothing but its path, which can't be inferred: got {kvs!r}")
        return cls._from_json_object(kvs)

    def to_json(
        self,
        *,
        skipkeys: bool = False,
        ensure_ascii: bool = True,
        check_circular: bool = True,
        allow_nan: bool = True,
        indent: int | str | None = None,
        separators: tuple[str, str] | None = None,
        default: Callable[[Any], Any] | None = None,
        sort_keys: bool = False,
        **kw: Any,
    ) -> str:
        """`to_dict()` as a JSON text; the parameters are those of `json.dumps`.

        >>> FlyteDirectory("s3://bucket/a").to_json(separators=(",", ":"))
        '{"path":"s3://bucket/a"}'
        """
        return json.dumps(
            self.to_dict(encode_json=False),
            skipkeys=skipkeys,
            ensure_ascii=ensure_ascii,
            check_circular=check_circular,
            allow_nan=allow_nan,
            indent=indent,
            separators=separators,
            default=default,
            sort_keys=sort_keys,
            **kw,
        )

    @classmethod
    def from_json(
        cls,
        s: str | bytes | bytearray,
        *,
        parse_float: Callable[[str], Any] | None = None,
        parse_int: Callable[[str], Any] | None = None,
        parse_constant: Callable[[str], Any] | None = None,
        infer_missing: bool = False,
        **kw: Any,
    ) -> Self:
        """The folder of a JSON text; the parameters are those of `json.loads` and of `from_dict`."""
        loaded = json.loads(s, parse_float=parse_float, parse_int=parse_int, parse_constant=parse_constant, **kw)
        return cls.from_dict(loaded, infer_missing=infer_missing)

    @classmethod
    def schema(
        cls,
        *,
        infer_missing: bool = False,
        only: Any = None,
        exclude: Any = (),
        many: bool = False,
        context: Any = None,
        load_only: Any = (),
        dump_only: Any = (),
        partial: bool = False,
        unknown: Any = None,
    ) -> Any:
        """A marshmallow schema that loads and dumps folders; marshmallow has to be installed.

        Args:
            infer_missing: accept objects without a path when loading, and give None for them.
            only, exclude, many, load_only, dump_only, partial, unknown: as of `marshmallow.Schema`.
            context: must be None: marshmallow has given it up in its version 4.
        """
        from windlass._data.marshmallows import folder_schema  # noqa: PLC0415  needs an optional library

        options = {"only": only, "exclude": exclude, "many": many, "load_only": load_only, "dump_only": dump_only}
        return folder_schema(cls, infer_missing, context, {**options, "partial": partial, "unknown": unknown})

    def serialize_flyte_dir(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What stands for the folder in a pydantic model's JSON: like `to_dict`, but a local folder is stored first.

        Further arguments are what pydantic passes to serializers; none of them changes the result.
        """
        return self.stored()

    def deserialize_flyte_dir(self, *args: Any, **kwargs: Any) -> Self:
        """The folder as a task receives it. Further arguments are what pydantic passes to validators."""
        return self.as_received()


def _child(entry: _store.Entry, local: str | None) -> FlyteDirectory | FlyteFile:
    """A file or folder of a folder; fetched into the place that it has in the folder's local copy."""
    made = (FlyteDirectory if entry.is_dir else FlyteFile).from_source(entry.uri)
    if local is not None:
        made._local = os.path.join(local, entry.name)
        made.path = made._local
    return made


def _files(
    folder: str, above: tuple[str, ...], depth: int | None, topdown: bool
) -> Iterator[tuple[tuple[str, ...], _store.Entry]]:
    entries = _store.listdir(folder)
    here = [((*above, entry.name), entry) for entry in entries if not entry.is_dir]
    if topdown:
        yield from here
    if depth is None or depth > 1:
        for entry in entries:
            if entry.is_dir:
                yield from _files(entry.uri, (*above, entry.name), None if depth is None else depth - 1, topdown)
    if not topdown:
        yield from here


def _details(entry: _store.Entry) -> dict[str, Any]:
    details = {"name": entry.uri, "size": entry.size, "type": "file"}
    if _store.is_remote(entry.uri):
        return details
    path = _store.local_path(entry.uri)
    found = os.lstat(path)
    return {
        **details,
        "created": found.st_ctime,
        "islink": os.path.islink(path),  # noqa: PTH114  paths are strings here
        "mode": found.st_mode,
        "uid": found.st_uid,
        "gid": found.st_gid,
        "mtime": found.st_mtime,
        "ino": found.st_ino,
        "nlink": found.st_nlink,
    }


if TYPE_CHECKING:
    TensorboardLogs: TypeAlias = FlyteDirectory
    TFRecordsDirectory: TypeAlias = FlyteDirectory
else:
    TensorboardLogs = FlyteDirectory["tensorboard"]
    TFRecordsDirectory = FlyteDirectory["tfrecords_dir"]

__all__ = ["FlyteDirectory", "TFRecordsDirectory", "TensorboardLogs"]
