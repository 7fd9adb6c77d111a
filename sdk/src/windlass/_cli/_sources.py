"""Where manifests come from on the command line: YAML and JSON files, folders of them, and Python files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from windlass import _project
from windlass._cli import _checked, _yaml

PYTHON = ".py"
_SUFFIXES = (".yaml", ".yml", ".json")


def files(path: Path) -> list[Path]:
    """The files that are meant: the file itself, or all manifests below a folder."""
    if not path.exists():
        raise _project.ProjectError(f"{path}: there is no such file or folder")
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
        if not found:
            raise _project.ProjectError(f"{path} has no manifests: no file below it ends in {', '.join(_SUFFIXES)}")
        return found
    if path.suffix not in (*_SUFFIXES, PYTHON):
        raise _project.ProjectError(f"{path} is neither a manifest ({', '.join(_SUFFIXES)}) nor a Python file")
    return [path]


def objects(file: Path) -> Iterator[dict[str, Any]]:
    """The objects in a manifest file, or those that a Python file would render. Raises ValueError for other things."""
    if file.suffix == PYTHON:
        module = _project.load(file)
        definitions = _project.definitions(module)
        bundle = _checked.bundle_of(module, definitions, "auto", _checked.store_of())
        yield from _checked.rendered(module, definitions, bundle, namespace=None)
        return
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} can't be read: {getattr(error, 'strerror', None) or error}") from error
    for position, document in enumerate(_yaml.load_all(text, str(file))):
        if not isinstance(document, dict) or "kind" not in document:
            raise ValueError(f"{file}: document {position + 1} is no Kubernetes object: it has no `kind`")
        yield from document.get("items") or [] if document["kind"] == "List" else [document]
