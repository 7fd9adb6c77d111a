"""`windlass render FILE -o DIR`: Python → manifests for `kubectl apply`, Argo CD or Flux."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from windlass import _project
from windlass._cli import _render_folder, _yaml
from windlass._cli._checked import COPY, COPY_HELP, manifests_of

NAME = "render"
HELP = "write the manifests of a Python file"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Writes one YAML file per task and workflow of FILE, the code they need, and a kustomization.yaml."
        " Rendering again"
        " updates the folder: files that this command wrote earlier and that no longer belong are removed, others"
        " never touched."
    )
    parser.add_argument("file", metavar="FILE", help="the Python file")
    parser.add_argument(
        "-o", "--output", metavar="DIR", required=True, help="the folder to write to; `-` prints one stream"
    )
    parser.add_argument("--copy", choices=COPY, default="auto", help=COPY_HELP)
    parser.add_argument(
        "-n", "--namespace", help="the namespace to put in every object (default: none, kubectl's decides)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Renders."""
    module = _project.load(arguments.file)
    objects = manifests_of(module, _project.definitions(module), copy=arguments.copy, namespace=arguments.namespace)
    if arguments.output == "-":
        sys.stdout.write(_yaml.dump(objects))
        return 0
    written = _render_folder.write(Path(arguments.output), module.__name__, objects)
    print(f"rendered {len(written)} objects of {arguments.file} into {arguments.output}")
    print(f"apply them with: kubectl apply --server-side -k {arguments.output}", file=sys.stderr)
    return 0
