"""`windlass validate FILE|DIR…`: holds manifests, written by hand or by a Python file, against every rule of the
contract.

The same checks that the operator makes, without a cluster: shapes, types along every edge, references, cycles,
defaults.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from windlass import _project
from windlass._cli import _checked, _yaml

NAME = "validate"
HELP = "check manifests, or what a Python file would render"

_SUFFIXES = (".yaml", ".yml", ".json")


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Checks manifests as the operator would: shapes, types along every edge, references, cycles. What one file"
        " refers to"
        " is looked for in all that are given; a Python file's references (reference_task, …) are taken to be in the"
        " cluster. A folder means every YAML file below it; a Python file what it would render."
    )
    parser.add_argument("paths", metavar="FILE|DIR", nargs="+", help="manifests, folders of manifests, or Python files")


def run(arguments: argparse.Namespace) -> int:
    """Validates."""
    sources: list[str] = []
    objects: list[dict[str, Any]] = []
    problems: list[str] = []
    files = [file for path in arguments.paths for file in _files(Path(path))]
    for file in files:
        try:
            found = list(_objects(file))
        except ValueError as error:
            problems.append(str(error))
            continue
        objects += found
        sources += [str(file)] * len(found)
    problems += _findings(objects, sources)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    print(f"{len(objects)} object{'s' * (len(objects) != 1)} in {len(files)} file{'s' * (len(files) != 1)}: all valid")
    return 0


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise _project.ProjectError(f"{path}: there is no such file or folder")
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
        if not found:
            raise _project.ProjectError(f"{path} has no manifests: no file below it ends in {', '.join(_SUFFIXES)}")
        return found
    if path.suffix not in (*_SUFFIXES, ".py"):
        raise _project.ProjectError(f"{path} is neither a manifest ({', '.join(_SUFFIXES)}) nor a Python file")
    return [path]


def _objects(file: Path) -> Iterator[dict[str, Any]]:
    if file.suffix == ".py":
        module = _project.load(file)
        yield from _checked.rendered(module, _project.definitions(module), copy="auto", namespace=None)
        return
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} can't be read: {getattr(error, 'strerror', None) or error}") from error
    for position, document in enumerate(_yaml.load_all(text, str(file))):
        if not isinstance(document, dict) or "kind" not in document:
            raise ValueError(f"{file}: document {position + 1} is no Kubernetes object: it has no `kind`")
        yield from document.get("items") or [] if document["kind"] == "List" else [document]


def _findings(objects: list[dict[str, Any]], sources: list[str]) -> list[str]:
    from_python = {position for position, source in enumerate(sources) if source.endswith(".py")}
    return [f"{sources[position]}: {finding}" for position, finding in _checked.findings(objects, from_python)]
