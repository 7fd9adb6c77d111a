"""The code bundle: the project's own Python files, as one small archive that travels with the manifests.

What is in it is a function of the files alone (sorted, no times, no owners), and so is its name: the hash is that
of the uncompressed archive, since compressors differ between machines.

Files stand where `import` finds them: a module `app.flows` is `app/flows.py`, wherever it was loaded from. `auto`
takes the modules that are loaded and belong to nobody else (no standard library, nothing installed, not Windlass);
`all` adds every file below the root, so that data files come along.

A bundle is a ConfigMap, and these end at 1 MiB. One that is larger is an archive in the store, if there is a store:

    ConfigMap code-<hash>                  its name has the same hash everywhere, so the same code is there once
    <store>/code/<SHA-256>.tar.gz          brought by `upload`; pods hold it against the hash that the Task says

Archives that nothing refers to are collected by their age (`windlass._remote.collecting`), so one that is brought again
has to be young again, until a Task says its address. Only writing it anew does that in every store (a copy onto itself
isn't a change to all that speak S3), and it costs the time of an upload: it is done once a day at most.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from windlass._exceptions import FlyteAssertion, FlyteDataNotFoundException
from windlass._modules import PACKAGE, locate
from windlass_api import names

LIMIT = 900 * 1024
MOST_TO_PACK = 64 * 1024 * 1024
RENEWED_AFTER = 24 * 3600.0
"""The age (seconds) from which on an archive in the store is written again by whoever brings the same code. It is left
in the store for twice as long at least."""
KEY = "bundle.tar.gz"
RENDERED_MARK = "# Rendered by `windlass render`"

_NO_STORE = "Name the store that pods read, `--store s3://bucket/windlass`, and it travels through that. Or:\n"
_NOT_THE_PROJECTS = ("windlass", "windlass_api", "windlass_operator", "sitecustomize", "usercustomize")
_INSTALLED = ("site-packages", "dist-packages")
_LEFT_OUT_FOLDERS = ("__pycache__", "node_modules", "venv")  # besides everything hidden: .git, .venv, .env…
_LEFT_OUT_SUFFIXES = (".pyc", ".pyo", ".egg-info", ".dist-info")


class Bundle(NamedTuple):
    """The archive, and what is in it."""

    name: str
    data: bytes
    files: tuple[str, ...]
    archive: dict[str, str] | None = None
    """Where it is in the store, and its hash; None for what a ConfigMap holds."""

    @property
    def reference(self) -> dict[str, Any]:
        """What a Task says of its code."""
        return {"configMap": self.name} if self.archive is None else {"archive": self.archive}


class BundleError(FlyteAssertion):
    """The code can't be packed: too large, or a file can't be read."""

    def __str__(self) -> str:
        return str(self.args[0])


def loaded_modules() -> dict[str, Path]:
    """The project's own modules that are loaded: where each belongs in the bundle → its file."""
    found = {}
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and file.endswith(".py") and name.partition(".")[0] not in _NOT_THE_PROJECTS and _is_own(Path(file)):
            found[_place(name, file)] = Path(file)
    return found


def files_below(root: Path, *, follow: bool = False) -> dict[str, Path]:
    """Every file of a project, but for what is hidden, generated or installed.

    With `follow`, links to folders are followed, but for those that lead back to a folder they are in.
    """
    return {path.relative_to(root).as_posix(): path for path in _walk(root, (root.resolve(),) if follow else ())}


def make_bundle(files: dict[str, Path], store: str | None = None) -> Bundle:
    """Packs the files. What is too large for a ConfigMap is for the store below that prefix, where `upload` brings it.

    Raises BundleError which names the file that can't be read, or the largest ones if it is too large.
    """
    _refuse_huge(files)
    contents = {place: _read(path) for place, path in files.items()}
    archive = _archive(contents, {place: os.access(path, os.X_OK) for place, path in files.items()})
    data = gzip.compress(archive, compresslevel=9, mtime=0)
    name, listed = names.code_name(names.content_hash(archive)), tuple(sorted(contents))
    if len(data) <= LIMIT:
        return Bundle(name, data, listed)
    if store:
        digest = hashlib.sha256(archive).hexdigest()
        return Bundle(name, data, listed, {"uri": names.code_archive(checked_store(store), digest), "sha256": digest})
    sizes = {place: len(content) for place, content in contents.items()}
    raise BundleError(_too_large(f"{_human(len(data))} compressed", f"{_human(LIMIT)} compressed", sizes, _NO_STORE))


def upload(bundle: Bundle) -> bool:
    """Brings a bundle to the store, unless it is there already, and young, or is none of the store's; whether it did.

    Raises:
        BundleError: it can't be brought there.
    """
    if bundle.archive is None:
        return False
    from windlass import _store  # noqa: PLC0415  most code is small

    uri = bundle.archive["uri"]
    try:
        if _has(uri, len(bundle.data), time.time()):
            return False
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, KEY)
            file.write_bytes(bundle.data)
            _store.put_file(file, uri)
    except Exception as error:  # whatever the driver of the scheme raises
        raise BundleError(
            f"the code bundle ({_human(len(bundle.data))}, too large for a ConfigMap) can't be brought to {uri}:"
            f" {type(error).__name__}: {error}"
        ) from error
    return True


def _has(uri: str, size: int, now: float) -> bool:
    """Whether what is in the store will do. One of another size was cut short, or came from another compressor."""
    from windlass import _store  # noqa: PLC0415  as above

    try:
        there = _store.stat(uri)
    except FlyteDataNotFoundException:
        return False
    is_young = there.modified is None or now - there.modified < RENEWED_AFTER  # of other stores nothing is collected
    return is_young and there.size == size


def _is_own(file: Path) -> bool:
    if any(part in _INSTALLED for part in file.parts) or not file.is_absolute():
        return False
    return not any(file.is_relative_to(folder) for folder in _foreign_folders())


def _foreign_folders() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    return Path(paths["stdlib"]), Path(paths["platstdlib"]), Path(os.__file__).parent, Path(PACKAGE)


def _place(module: str, file: str) -> str:
    """Where a module's file is looked for by `import`."""
    name = locate(file)[1] if module == "__main__" else module
    path = PurePosixPath(*name.split("."))
    is_package = Path(file).name == "__init__.py"
    return f"{path}/__init__.py" if is_package else f"{path}.py"


def _walk(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """The files below; `above` are the folders it is in, where links to folders are followed."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name in _LEFT_OUT_FOLDERS or entry.suffix in _LEFT_OUT_SUFFIXES:
            continue
        if entry.is_dir():
            if not entry.is_symlink() or (above and entry.resolve() not in above):
                yield from _walk(entry, (*above, entry.resolve()) if above else ())
        elif not _is_rendered(entry):
            yield entry


def _is_rendered(path: Path) -> bool:
    """Whether the file is a manifest of ours: a bundle in a bundle would never be the same twice."""
    if path.suffix != ".yaml":
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(RENDERED_MARK)) == RENDERED_MARK.encode()
    except OSError:
        return False  # reading it for the bundle will say why


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} can't be read for the code bundle: {error.strerror or error}") from error


def _archive(contents: dict[str, bytes], executable: dict[str, bool]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for place in sorted(contents):
            member = tarfile.TarInfo(place)
            member.size = len(contents[place])
            member.mode = 0o755 if executable[place] else 0o644
            archive.addfile(member, io.BytesIO(contents[place]))
    return buffer.getvalue()


def _refuse_huge(files: dict[str, Path]) -> None:
    """Before anything is read: a whole home folder would fill the memory first."""
    sizes = {place: path.stat().st_size for place, path in files.items() if path.exists()}
    if sum(sizes.values()) > MOST_TO_PACK:
        size = f"{_human(sum(sizes.values()))} in {len(sizes)} files"
        raise BundleError(_too_large(size, _human(MOST_TO_PACK), sizes, ""))


def checked_store(store: str) -> str:
    """The address of a store. Raises BundleError where it is none."""
    if "://" not in store or "{" in store:
        raise BundleError(
            f"the store {store!r} is no address of a folder, such as s3://bucket/windlass"
            " (with the namespace written out where the operator's setting has {namespace})"
        )
    return store


def _too_large(size: str, limit: str, sizes: dict[str, int], way_out: str) -> str:
    largest = sorted(sizes, key=lambda place: -sizes[place])[:5]
    listed = "\n".join(f"  {_human(sizes[place]):>10}  {place}" for place in largest)
    return (
        f"the code bundle has {size}, the limit is {limit}. Its largest files:\n{listed}\n{way_out}"
        "Move data out of the project's folder, use `--copy auto` (only the modules that are loaded), or build the code"
        " into the image and use `--copy none`."
    )


def _human(size: int) -> str:
    return f"{size / 1024:.0f} KiB" if size < 10 * 1024 * 1024 else f"{size / 1024 / 1024:.0f} MiB"
