"""A folder of rendered manifests: one file per object, and a kustomization that lists them.

Every file opens with a mark which says from which module it was rendered. That mark is the whole memory: files of a
module that it no longer has are removed, a file without the mark is never touched, and several modules may share a
folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from windlass._bundle import RENDERED_MARK
from windlass._cli import _yaml

KUSTOMIZATION = "kustomization.yaml"
_MARK = re.compile(re.escape(RENDERED_MARK) + r" from (?P<module>\S+):")


class FolderError(Exception):
    """The folder holds something of the user's where a manifest should go."""


def write(folder: Path, module: str, objects: Iterable[dict[str, Any]]) -> list[Path]:
    """Makes the folder hold exactly these objects of the module; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {_file_name(manifest): mark(module) + _yaml.dump([manifest]) for manifest in objects}
    for name in contents:
        _check_ours(folder / name)
    _check_ours(folder / KUSTOMIZATION)
    for path in rendered_files(folder, module):
        if path.name not in contents:
            path.unlink()
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")
    listed = sorted(path.name for path in rendered_files(folder))
    (folder / KUSTOMIZATION).write_text(_kustomization(listed), encoding="utf-8")
    return [folder / name for name in contents]


def mark(module: str) -> str:
    """The first line of a rendered file."""
    return f"{RENDERED_MARK} from {module}: change the Python and render again.\n"


def rendered_files(folder: Path, module: str | None = None) -> list[Path]:
    """The files in the folder that carry the mark (of one module)."""
    found = []
    for path in sorted(folder.glob("*.yaml")):
        with path.open(encoding="utf-8", errors="replace") as file:
            marked = _MARK.match(file.readline())
        if marked and module in (None, marked["module"]):
            found.append(path)
    return found


def _file_name(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"


def _kustomization(files: list[str]) -> str:
    header = f"{RENDERED_MARK}: it lists every rendered file beside it.\n"
    document = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": files}
    return header + _yaml.dump([document])


def _check_ours(path: Path) -> None:
    if path.is_dir():
        raise FolderError(f"{path} is a folder, but a manifest should go there")
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(RENDERED_MARK):
        raise FolderError(
            f"{path} was not written by `windlass render` and stays as it is; move it, or render into another folder"
        )
