"""The folder of results: entries and the data they refer to, written so that many processes may use it at once.

    ~/.cache/windlass/results/          or $WINDLASS_CACHE_HOME/results
      entries/<key>.json                the outputs, and the parts of the key
      data/<key>-<random>/<n>/<name>    files and folders that the outputs refer to
      locks/<key>                       held while a serialized task runs
      unfinished/                       what is being written

Whatever is written appears whole or not at all. Data is never changed or removed but by `clear`, for somebody may be
reading it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from windlass import _digests

FORMAT = 1


class UnusableError(Exception):
    """An entry is of no use; says why."""


def home() -> Path:
    """The folder of all results."""
    chosen = os.environ.get("WINDLASS_CACHE_HOME")
    if chosen:
        return Path(chosen) / "results"
    try:
        return Path.home() / ".cache" / "windlass" / "results"
    except RuntimeError:  # a user without a home, as containers have
        return Path(tempfile.gettempdir()) / f"windlass-{os.getuid()}" / "results"


# ---- entries --------------------------------------------------------------------------------------------------------


def read(key: str) -> dict[str, Any] | None:
    """The entry of a key; None where there is none. Raises UnusableError for one that can't be read."""
    return read_file(_entry(key))


def read_file(path: Path) -> dict[str, Any] | None:
    """The entry in a file, likewise."""
    try:
        entry = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UnusableError(f"it can't be read ({error})") from error
    if not isinstance(entry, dict) or entry.get("v") != FORMAT or not isinstance(entry.get("outputs"), dict):
        raise UnusableError("it is damaged, or of another version of Windlass")
    return entry


def write(key: str, entry: dict[str, Any], *, replace: bool) -> bool:
    """Writes an entry. Without `replace` one that is there stays, and False is returned."""
    path = _entry(key)
    with _unfinished() as folder:
        written = folder / "entry.json"
        written.write_text(json.dumps({"v": FORMAT, **entry}))
        path.parent.mkdir(parents=True, exist_ok=True)
        if not replace:
            try:
                path.hardlink_to(written)
                return True
            except FileExistsError:
                return False
            except OSError:  # a file system without links: the later one wins
                pass
        written.replace(path)
        return True


def files() -> Iterator[Path]:
    """The files of all entries."""
    yield from sorted((home() / "entries").glob("*.json"))


def remove(path: Path) -> None:
    """Removes an entry and its data."""
    with suppress(UnusableError, AttributeError):
        for place in (read_file(path) or {}).get("kept", {}).values():
            shutil.rmtree(home() / "data" / place.split("/")[0], ignore_errors=True)
    path.unlink(missing_ok=True)


def remove_all() -> None:
    """Removes everything; nobody sees the half of it."""
    folder = home()
    if folder.exists():
        leaving = folder.with_name(f"{folder.name}.{os.urandom(4).hex()}.gone")
        folder.rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)


def _entry(key: str) -> Path:
    return home() / "entries" / f"{key}.json"


def lock_file(key: str) -> Path:
    """The file that stands for a key among those who take turns."""
    path = home() / "locks" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


# ---- data -----------------------------------------------------------------------------------------------------------


class Data:
    """The data of an entry to be."""

    def __init__(self, key: str) -> None:
        self._folder = f"{key[:16]}-{os.urandom(4).hex()}"
        self._count = 0

    def add(self, path: Path) -> str:
        """Copies a file or folder; the place of the copy."""
        place = f"{self._folder}/{self._count}/{path.name}"
        self._count += 1
        target = data_path(place)
        with _unfinished() as folder:
            copied = folder / "copy"
            if path.is_dir():
                shutil.copytree(path, copied)
            else:
                shutil.copyfile(path, copied)
            target.parent.mkdir(parents=True, exist_ok=True)
            copied.rename(target)
        return place

    def discard(self) -> None:
        """Nobody will ask for it."""
        shutil.rmtree(home() / "data" / self._folder, ignore_errors=True)


def data_path(place: str) -> Path:
    """Where a copy lies."""
    return home() / "data" / place


def is_temporary(path: Path) -> bool:
    """Whether the data goes with this process, or with the machine's next start."""
    real = path.resolve()
    return real.is_relative_to(Path(tempfile.gettempdir()).resolve()) and not real.is_relative_to(home().resolve())


def mark(path: Path) -> list[int]:
    """Of a file, or of what is below a folder: enough to see that it was changed. (count, bytes, latest change)"""
    found = [file.stat() for file in _files(path)] if path.is_dir() else [path.stat()]
    return [len(found), sum(file.st_size for file in found), max((file.st_mtime_ns for file in found), default=0)]


def content_of(path: Path) -> str:
    """The SHA-256 of a file, or of the names and contents of what is below a folder."""
    if not path.is_dir():
        return _digests.of_file(path).hexdigest()
    told = hashlib.sha256()
    for file in _files(path):
        name = file.relative_to(path).as_posix().encode("utf-8", "surrogateescape")
        told.update(b"%s\0%s\n" % (name, _digests.of_file(file).hexdigest().encode()))
    return told.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def _unfinished() -> Iterator[Path]:
    """A folder on the same disk, for what is to appear as a whole."""
    above = home() / "unfinished"
    above.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=above))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
