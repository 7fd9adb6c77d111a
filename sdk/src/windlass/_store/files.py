"""The driver of local paths: copies, streams and folders of this machine's file system."""

# ruff: noqa: PTH103, PTH105, PTH108, PTH113, PTH118, PTH110, PTH112, PTH116, PTH120, PTH121, PTH123  addresses are strings, and so are paths

from __future__ import annotations

import builtins
import io
import os
import shutil
from collections.abc import Iterator, Mapping
from typing import IO, Any

from windlass._exceptions import FlyteDataNotFoundException, FlyteDownloadDataException, FlyteUploadDataException
from windlass._store.driver import Driver, Sink, local_files
from windlass._store.places import Content, Entry, join, local_path, name_of


class Files(Driver):
    """Local paths, with or without `file://`."""

    def open(self, uri: str, kind: str, cache_type: str | None, cache_options: Mapping[str, Any]) -> IO[bytes]:
        """A stream; the folders above a new file are made. What is written appears as a whole when it is closed, so
        that another pod which shares the volume never reads half of it.
        """
        path = local_path(uri)
        if kind not in ("r", "r+"):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        try:
            if kind == "w" and (os.path.isfile(path) or not os.path.exists(path)):
                return Sink(_Whole(os.path.realpath(path)), 1 << 20)
            return builtins.open(path, f"{kind}b")  # the caller closes it
        except FileNotFoundError as error:
            raise FlyteDataNotFoundException(uri) from error

    def stat(self, uri: str) -> Entry | None:
        path = local_path(uri)
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if os.path.isdir(path):
            return Entry(name_of(path), uri, True)
        return Entry(name_of(path), uri, False, found.st_size, found.st_mtime)

    def listdir(self, uri: str) -> list[Entry]:
        try:
            with os.scandir(local_path(uri)) as found:
                return [_entry(uri, item) for item in found]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FlyteDataNotFoundException(uri) from error

    def contents(self, uri: str) -> Iterator[Content]:
        for parts in local_files(local_path(uri)) if os.path.isdir(local_path(uri)) else ():
            one = join(uri, *parts)
            try:
                found = os.lstat(local_path(one))
            except FileNotFoundError:
                continue
            yield Content(one, found.st_size, found.st_mtime)

    def remove_tree(self, uri: str) -> None:
        try:
            shutil.rmtree(local_path(uri))
        except FileNotFoundError:
            return
        except OSError as error:
            raise FlyteUploadDataException(f"{uri} can't be removed: {error}") from error

    def remove_file(self, uri: str) -> None:
        try:
            os.unlink(local_path(uri))
        except FileNotFoundError:
            return
        except OSError as error:
            raise FlyteUploadDataException(f"{uri} can't be removed: {error}") from error

    def get_file(self, uri: str, path: str) -> None:
        _copy(local_path(uri), path, FlyteDownloadDataException, uri)

    def put_file(self, path: str, uri: str) -> None:
        target = local_path(uri)
        if os.path.exists(target) and os.path.samefile(path, target):
            return
        try:
            os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
        except OSError as error:
            raise FlyteUploadDataException(f"{uri}: {error}") from error
        unfinished = _unfinished(target)
        try:
            _copy(path, unfinished, FlyteUploadDataException, uri)
            os.replace(unfinished, target)
        finally:
            if os.path.exists(unfinished):
                os.unlink(unfinished)

    def put_tree(self, folder: str, uri: str) -> None:
        target = local_path(uri)
        if os.path.exists(target) and os.path.samefile(folder, target):
            return
        os.makedirs(target, exist_ok=True)  # an empty folder is there, too
        super().put_tree(folder, uri)


class _Whole(io.FileIO):
    """A file that takes its place when it is closed; left by an exception, it leaves what was there before."""

    def __init__(self, path: str) -> None:
        self._path, self._unfinished, self.abandoned = path, _unfinished(path), False
        super().__init__(self._unfinished, "w")

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if self.abandoned:
            os.unlink(self._unfinished)
        else:
            os.replace(self._unfinished, self._path)


def _unfinished(path: str) -> str:
    """What a file is called until it is whole: no reader takes it for one of the folder's that is."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:180]}.{os.urandom(4).hex()}.part")


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
