"""The files that an image is built from, and the digest of their content.

    Containerfile            made by `containerfile`, not listed here
    requirements/0.txt       the requirements file, and those that it includes: 1.txt, 2.txt, …
    copy/…                   what `copy` names, at the same places
    source/…                 the source files that `source_copy_mode` chooses, where `import` finds them

`gather` reads, and decides nothing about the image. The digest says what was read, so that a changed file means another
image; times, owners and the order of a folder's entries have no part in it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from windlass import _digests
from windlass._bundle import files_below, loaded_modules
from windlass._image.spec import CopyFileDetection, ImageSpec, digest

RECIPE = 1
"""Raised when the same spec and files mean another image than before, so that images are built anew."""

REQUIREMENTS = "requirements/0.txt"
COPIES = "copy"
SOURCES = "source"

_INCLUDE = re.compile(
    r"^(?P<option>\s*(?:-r|-c|--requirement|--constraint)(?:\s+|\s*=\s*))(?P<file>[^\s#]+)(?P<rest>.*)$"
)
_NOT_COPIED = ("__pycache__",)


class File(NamedTuple):
    """A file of the context: its content, or where it is."""

    content: bytes | Path
    executable: bool = False

    def read(self) -> bytes:
        """The content."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


Files = Mapping[str, File]
"""Place in the context → file."""


def gather(spec: ImageSpec) -> dict[str, File]:
    """Every file that the spec names, by its place in the context, in the places' order.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: what is there can't be used.
    """
    found = {**_requirements(spec), **_copies(spec), **_sources(spec)}
    return dict(sorted(found.items()))


def content_hash(spec: ImageSpec) -> str:
    """What the tag holds: a digest of the spec's id and of the files."""
    base = content_hash(spec.base_image) if isinstance(spec.base_image, ImageSpec) else None
    files = {place: (_sha256(file), file.executable) for place, file in gather(spec).items()}
    return digest({"recipe": RECIPE, "id": spec.id, "base": base, "files": files})


def write(files: Files, folder: Path) -> None:
    """Puts the files into a folder: readable for everyone, whatever the umask, and without times of their own."""
    for place, file in files.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(file.content, bytes):
            target.write_bytes(file.content)
        else:
            shutil.copyfile(file.content, target)
        target.chmod(0o755 if file.executable else 0o644)
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (0, 0))


def _sha256(file: File) -> str:
    if isinstance(file.content, bytes):
        return hashlib.sha256(file.content).hexdigest()
    return _digests.of_file(file.content).hexdigest()


# -- requirements ------------------------------------------------------------------------------------------------------


def _requirements(spec: ImageSpec) -> dict[str, File]:
    if spec.requirements is None:
        return {}
    numbers: dict[Path, int] = {}
    found: dict[str, File] = {}
    _add_requirements(_existing("requirements", spec.requirements), numbers, found)
    return found


def _add_requirements(path: Path, numbers: dict[Path, int], found: dict[str, File]) -> str:
    """Adds a requirements file and those that it includes; the name under which it is there."""
    path = path.resolve()
    if path in numbers:
        return f"{numbers[path]}.txt"
    name = f"{numbers.setdefault(path, len(numbers))}.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "".join(f"{_with_included_files(line, path, numbers, found)}\n" for line in lines)
    found[f"requirements/{name}"] = File(text.encode())
    return name


def _with_included_files(line: str, path: Path, numbers: dict[Path, int], found: dict[str, File]) -> str:
    """A line of a requirements file. One that includes a file names it as it is called in the context."""
    include = _INCLUDE.match(line)
    if include is None or "://" in include["file"]:
        return line
    included = path.parent / shlex.split(include["file"])[0]
    if not included.is_file():
        raise FileNotFoundError(f"{path} includes {include['file']}, and there is no file {included}")
    return f"{include['option']}{_add_requirements(included, numbers, found)}{include['rest']}"


# -- copies ------------------------------------------------------------------------------------------------------------


def _copies(spec: ImageSpec) -> dict[str, File]:
    found: dict[str, File] = {}
    for name in spec.copy or ():
        path = _existing("copy", name)
        for file in _files_of(path):
            place = PurePosixPath(COPIES, Path(name).as_posix(), file.relative_to(path).as_posix())
            found[str(place)] = _file(file)
    return found


def _files_of(path: Path) -> Iterator[Path]:
    """The file, or every file of the folder; links are followed, since what they lead to is not in the image."""
    if path.is_file():
        yield path
        return
    for folder, folders, files in os.walk(path, followlinks=True):
        _refuse_loop(Path(folder))
        folders[:] = sorted(name for name in folders if name not in _NOT_COPIED)
        yield from (Path(folder, name) for name in sorted(files) if not name.endswith(".pyc"))


def _refuse_loop(folder: Path) -> None:
    if folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{folder} is a link to a folder that it is in: it can't be copied into an image")


# -- source files ------------------------------------------------------------------------------------------------------


def _sources(spec: ImageSpec) -> dict[str, File]:
    mode = spec.source_copy_mode
    if mode is None or mode is CopyFileDetection.NO_COPY:
        return {}
    root = _existing("source_root", spec.source_root or ".").resolve()
    if not root.is_dir():
        raise ValueError(f"ImageSpec(source_root={spec.source_root!r}): {root} is no folder")
    if mode is CopyFileDetection.ALL:
        files = files_below(root)
    else:
        files = {place: path for place, path in loaded_modules().items() if path.resolve().is_relative_to(root)}
    return {f"{SOURCES}/{place}": _file(path) for place, path in files.items()}


def _existing(field: str, name: str) -> Path:
    path = Path(name)
    if not path.exists():
        raise FileNotFoundError(
            f"ImageSpec({field}=…): there is no {name}" + ("" if path.is_absolute() else f" in {Path.cwd()}")
        )
    return path


def _file(path: Path) -> File:
    if not path.is_file():
        raise FileNotFoundError(f"{path} can't be put into an image: it is no file, or a link to nowhere")
    return File(path, os.access(path, os.X_OK))
