"""Checkpoints: what an attempt leaves for the next one of the same task, should it not get to the end.

    @task(retries=3)
    def train(epochs: int) -> float:
        checkpoint = current_context().checkpoint
        state = pickle.loads(checkpoint.read() or initial)
        for epoch in range(state.epoch, epochs):
            ...
            checkpoint.write(pickle.dumps(state))

Each attempt has a folder of its own, and reads that of the attempt before:

    <raw output prefix>/checkpoints/<execution>/<node>/<attempt>/

An attempt that ended before it had written any leaves the one before it in force, so that what was saved once isn't
lost. On one's own machine the folders lie in this process's temporary folder.

A checkpoint is one file (`write`, `read`), or files and folders (`save`, `restore`). Each of these has happened when
the call returns.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE = "_checkpoint"
"""The file that `write` writes."""


class Checkpoint(ABC):
    """`current_context().checkpoint`."""

    @abstractmethod
    def prev_exists(self) -> bool:
        """Whether an earlier attempt has left a checkpoint."""

    @abstractmethod
    def restore(self, path: Path | str | None = None) -> Path | None:
        """Copies what the attempt before has left into a folder; says where, None where it left nothing.

        Args:
            path: a folder that is there; by default a temporary one.
        """

    @abstractmethod
    def save(self, cp: Path | str | IO[bytes]) -> None:
        """Leaves a file under its name, what is in a folder, or what a stream has to give."""

    @abstractmethod
    def read(self) -> bytes | None:
        """The one file that the attempt before has left; None where it left nothing.

        Raises:
            ValueError: there are several files; `restore` gives them all.
        """

    @abstractmethod
    def write(self, b: bytes) -> None:
        """Leaves these bytes as the one file; what was written before is replaced."""


class SyncCheckpoint(Checkpoint):
    """Checkpoints in folders of the store.

    Args:
        checkpoint_dest: the folder of this attempt, a path or a URI.
        checkpoint_src: the folder of the attempt before, or those of all before, the latest first.
    """

    def __init__(self, checkpoint_dest: str, checkpoint_src: str | Sequence[str] | None = None) -> None:
        self._own = checkpoint_dest
        self._before = (checkpoint_src,) if isinstance(checkpoint_src, str) else tuple(checkpoint_src or ())
        self._restored: Path | None = None

    @property
    def checkpoint_dest(self) -> str:
        """The folder of this attempt."""
        return self._own

    def prev_exists(self) -> bool:
        """Whether an earlier attempt has left a checkpoint."""
        return self._source() is not None

    def restore(self, path: Path | str | None = None) -> Path | None:
        """Copies what the attempt before has left into a folder; says where, None where it left nothing.

        It is copied once; after that the same folder is named again.
        """
        from pathlib import Path  # noqa: PLC0415  pathlib is not loaded in pods that don't ask for it

        from windlass import _store  # noqa: PLC0415  as above

        source = None if self._restored else self._source()
        if source is None:
            return self._restored
        folder = Path(path) if path is not None else Path(_store.scratch_folder("restored")) / os.urandom(8).hex()
        if path is None:
            folder.mkdir()
        if not folder.is_dir():
            raise ValueError(f"Checkpoints can be restored to a directory only, and {folder} is none")
        _store.get_tree(source, folder)
        self._restored = folder
        return folder

    def save(self, cp: Path | str | IO[bytes]) -> None:
        """Leaves a file under its name, what is in a folder, or what a stream has to give."""
        from windlass import _store  # noqa: PLC0415  as above

        if hasattr(cp, "read"):
            self.write(cp.read())
        elif not isinstance(cp, str | os.PathLike):
            raise ValueError(f"a checkpoint is a path or a stream of bytes, not {cp!r}")
        elif os.path.isdir(cp):  # noqa: PTH112  as above
            _store.put_tree(cp, self._own)
        else:
            self._put(os.fspath(cp), _store.name_of(os.fspath(cp)))

    def read(self) -> bytes | None:
        """The one file that the attempt before has left; None where it left nothing."""
        folder = self.restore()
        files = [] if folder is None else list(_files_below(str(folder)))
        if len(files) > 1:
            raise ValueError(f"Expected exactly one checkpoint - found {len(files)}; restore() gives them all")
        if not files:
            return None
        with open(files[0], "rb") as file:  # noqa: PTH123  as above
            return file.read()

    def write(self, b: bytes) -> None:
        """Leaves these bytes as the one file; what was written before is replaced."""
        if not isinstance(b, bytes | bytearray | memoryview):
            raise TypeError(f"a checkpoint is bytes, not {type(b).__name__}; text: write(text.encode())")
        from windlass import _store  # noqa: PLC0415  as above

        unfinished = _store.put_bytes(bytes(b), FILE, _store.join(_store.scratch_folder("saved"), os.urandom(8).hex()))
        try:
            self._put(unfinished, FILE)
        finally:
            os.unlink(unfinished)  # noqa: PTH108  as above

    def _put(self, path: str, name: str) -> None:
        """A file appears whole or not at all, so that an attempt which is killed leaves its last whole checkpoint."""
        from windlass import _store  # noqa: PLC0415  as above

        target = _store.join(self._own, name)
        if _store.is_remote(target):
            _store.put_file(path, target)
            return
        target = _store.local_path(target)
        unfinished = f"{_store.local_path(self._own).rstrip('/')}.{os.urandom(4).hex()}.part"
        _store.put_file(path, unfinished)
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120  as above
        os.replace(unfinished, target)  # noqa: PTH105  as above

    def _source(self) -> str | None:
        """The folder of the latest attempt that left something."""
        from windlass import _store  # noqa: PLC0415  as above

        return next((folder for folder in self._before if _store.exists(folder) and _store.listdir(folder)), None)


def _files_below(folder: str) -> Iterator[str]:
    for here, _, files in os.walk(folder):
        yield from (f"{here}/{name}" for name in files)


def of_attempt(folder: str, attempt: int) -> SyncCheckpoint:
    """That of an attempt; `folder` is that of all attempts, which are counted from 0."""
    earlier = [f"{folder.rstrip('/')}/{number}" for number in range(attempt - 1, -1, -1)]
    return SyncCheckpoint(f"{folder.rstrip('/')}/{attempt}", earlier)


__all__ = ["Checkpoint", "SyncCheckpoint", "of_attempt"]
