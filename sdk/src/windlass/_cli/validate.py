"""`windlass validate FILE|DIR…`: holds manifests, written by hand or by a Python file, against every rule of the
contract.

The same checks that the operator makes, without a cluster: shapes, types along every edge, references, cycles,
defaults.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from windlass._cli import _checked, _sources

NAME = "validate"
HELP = "check manifests, or what a Python file would render"


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
    files = [file for path in arguments.paths for file in _sources.files(Path(path))]
    for file in files:
        try:
            found = list(_sources.objects(file))
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


def _findings(objects: list[dict[str, Any]], sources: list[str]) -> list[str]:
    from_python = {position for position, source in enumerate(sources) if source.endswith(_sources.PYTHON)}
    return [f"{sources[position]}: {finding}" for position, finding in _checked.findings(objects, from_python)]
