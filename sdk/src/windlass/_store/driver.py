"""What a driver does for its scheme, and what drivers of object stores share."""

# ruff: noqa: PTH103, PTH112, PTH114, PTH118, PTH120, PTH206  addresses are strings, and so are paths

from __future__ import annotations

import io
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from windlass._exceptions import FlyteDataNotFoundException
from windlass._store.places import Content, Entry, join

_AT_ONCE = 8  # files of a folder that are copied at the same time


class Driver(ABC):
    """One scheme: files by address."""

    @abstractmethod
    def open(self, uri: str, kind: str, cache_type: str | None, cache_options: Mapping[str, Any]) -> IO[bytes]:
        """A binary stream; `kind` is r, w, x or a, maybe with +."""

    @abstractmethod
    def stat(self, uri: str) -> Entry | None:
        """What is there; None where there is nothing."""

    @abstractmethod
    def listdir(self, uri: str) -> list[Entry]:
        """What is directly below; raises `FlyteDataNotFoundException` where there is nothing."""

    @abstractmethod
    def get_file(self, uri: str, path: str) -> None:
        """Copies an object into a local file."""

    @abstractmethod
    def put_file(self, path: str, uri: str) -> None:
        """Copies a local file to the address."""

    def contents(self, uri: str) -> Iterator[Content]:
        """All objects below a folder."""
        raise ValueError(f"{uri}: what lies below an address of this kind can't be told with its age")

    def remove_tree(self, uri: str) -> None:
        """Removes a folder with all that is below it."""
        raise ValueError(f"{uri}: nothing is removed from an address of this kind")

    def remove_file(self, uri: str) -> None:
        """Removes one object."""
        raise ValueError(f"{uri}: nothing is removed from an address of this kind")

    def put_tree(self, folder: str, uri: str) -> None:
        """Copies the files below a local folder; symlinks are left out."""
        copies = [(os.path.join(folder, *parts), join(uri, *parts)) for parts in local_files(folder)]
        at_once(self.put_file, copies)

    def get_tree(self, uri: str, folder: str) -> None:
        """Copies everything below the address into a local folder."""
        copies = [(file, os.path.join(folder, *parts)) for file, parts in self._files_below(uri, ())]
        os.makedirs(folder, exist_ok=True)
        for _, path in copies:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        at_once(self.get_file, copies)

    def _files_below(self, uri: str, above: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        for entry in self.listdir(uri):
            parts = (*above, safe_name(entry.name, uri))
            if entry.is_dir:
                yield from self._files_below(entry.uri, parts)
            else:
                yield entry.uri, parts


class Sink(io.BufferedWriter):
    """A stream that becomes an object when it is closed; left by an exception, it becomes none (`raw.abandoned`)."""

    def __exit__(self, kind: Any, *rest: Any) -> None:
        if kind is not None:
            self.abandon()
        super().__exit__(kind, *rest)

    def abandon(self) -> None:
        """Makes closing it leave nothing behind."""
        raw: Any = self.raw
        raw.abandoned = True


class Text(io.TextIOWrapper):
    """A stream of text that tells a sink below it how it was left."""

    def __exit__(self, kind: Any, *rest: Any) -> None:
        if kind is not None and isinstance(self.buffer, Sink):
            self.buffer.abandon()
        super().__exit__(kind, *rest)


def local_files(folder: str) -> list[tuple[str, ...]]:
    """The files below a folder, as the parts of their relative paths; symlinks, to files or folders, are left out."""
    if not os.path.isdir(folder):
        raise FlyteDataNotFoundException(folder)
    found = []
    for here, folders, files in os.walk(folder):
        folders.sort()
        relative = os.path.relpath(here, folder)
        above = () if relative == "." else tuple(relative.split(os.sep))
        found += [(*above, file) for file in sorted(files) if not os.path.islink(os.path.join(here, file))]
    return found


def safe_name(name: str, uri: str) -> str:
    """A name that stays in its folder: what a store calls `..` or `a/b` must not be written elsewhere."""
    if name in ("", ".", "..") or "/" in name or os.sep in name or "\0" in name:
        raise FlyteDataNotFoundException(f"{uri}: an object named {name!r} can't be a local file")
    return name


def at_once(copy: Callable[[str, str], None], copies: list[tuple[str, str]]) -> None:
    """Runs the copies, a few at the same time; the first failure is raised once those under way have ended."""
    if len(copies) < 2:
        for source, target in copies:
            copy(source, target)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  only where there is more than one file

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running = [pool.submit(copy, source, target) for source, target in copies]
        try:
            for copied in running:
                copied.result()
        finally:
            pool.shutdown(cancel_futures=True)
