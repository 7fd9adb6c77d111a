"""The driver of local paths: copies, streams and folders of this machine's file system."""

# ruff: noqa: PTH103, PTH110, PTH112, PTH116, PTH120, PTH121, PTH123  addresses are strings, and so are paths

from __future__ import annotations

import builtins
import os
import shutil
from collections.abc import Mapping
from typing import IO, Any

from windlass._exceptions import FlyteDataNotFoundException, FlyteDownloadDataException, FlyteUploadDataException
from windlass._store.driver import Driver
from windlass._store.places import Entry, join, local_path, name_of


class Files(Driver):
    """Local paths, with or without `file://`."""

    def open(self, uri: str, kind: str, cache_type: str | None, cache_options: Mapping[str, Any]) -> IO[bytes]:
        """The builtin's stream; the folders above a new file are made."""
        path = local_path(uri)
        if kind not in ("r", "r+"):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        try:
            return builtins.open(path, f"{kind}b")  # the caller closes it
        except FileNotFoundError as error:
            raise FlyteDataNotFoundException(uri) from error

    def stat(self, uri: str) -> Entry | None:
        path = local_path(uri)
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        folder = os.path.isdir(path)
        return Entry(name_of(path), uri, folder, None if folder else found.st_size)

    def listdir(self, uri: str) -> list[Entry]:
        try:
            with os.scandir(local_path(uri)) as found:
                return [_entry(uri, item) for item in found]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FlyteDataNotFoundException(uri) from error

    def get_file(self, uri: str, path: str) -> None:
        _copy(local_path(uri), path, FlyteDownloadDataException, uri)

    def put_file(self, path: str, uri: str) -> None:
        target = local_path(uri)
        if os.path.exists(target) and os.path.samefile(path, target):
            return
        os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        _copy(path, target, FlyteUploadDataException, uri)

    def put_tree(self, folder: str, uri: str) -> None:
        target = local_path(uri)
        if os.path.exists(target) and os.path.samefile(folder, target):
            return
        os.makedirs(target, exist_ok=True)  # an empty folder is there, too
        super().put_tree(folder, uri)


def _entry(uri: str, item: os.DirEntry[str]) -> Entry:
    folder = item.is_dir()
    size = None if folder or not os.path.exists(item.path) else item.stat().st_size
    return Entry(item.name, join(uri, item.name), folder, size)


def _copy(source: str, target: str, failure: type[Exception], uri: str) -> None:
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise FlyteDataNotFoundException(source) from error
    except OSError as error:
        raise failure(f"{uri}: {error}") from error
