"""`windlass render FILE -o DIR`: Python → manifests for `kubectl apply`, Argo CD or Flux."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from windlass import _project
from windlass._cli import _render_folder, _yaml
from windlass._cli._checked import COPY, COPY_HELP, STORE_HELP, manifests_of, store_of

NAME = "render"
HELP = "write the manifests of a Python file"

_LONGEST = 63
_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?)?")


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
    parser.add_argument("--store", metavar="URI", help=STORE_HELP)
    parser.add_argument(
        "-n", "--namespace", help="the namespace to put in every object (default: none, kubectl's decides)"
    )

    parser.add_argument(
        "--label",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        type=_pair("a label"),
        help="a label to put on every object; may be given several times",
    )
    parser.add_argument(
        "--annotation",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        type=_pair("an annotation"),
        help="an annotation to put on every object; may be given several times",
    )


def run(arguments: argparse.Namespace) -> int:
    """Renders."""
    module = _project.load(arguments.file)
    objects = manifests_of(
        module,
        _project.definitions(module),
        copy=arguments.copy,
        namespace=arguments.namespace,
        store=store_of(arguments.store),
    )
    for manifest in objects:
        for field, pairs in (("labels", arguments.label), ("annotations", arguments.annotation)):
            if pairs:
                manifest["metadata"][field] = dict(sorted(pairs))
    if arguments.output == "-":
        sys.stdout.write(_yaml.dump(objects))
        return 0
    written = _render_folder.write(Path(arguments.output), module.__name__, objects)
    print(f"rendered {len(written)} objects of {arguments.file} into {arguments.output}")
    print(f"apply them with: kubectl apply --server-side -k {arguments.output}", file=sys.stderr)
    return 0


def _pair(what: str) -> Callable[[str], tuple[str, str]]:
    """Reads KEY=VALUE, by the rules that the API server would refuse it by."""

    def read(text: str) -> tuple[str, str]:
        key, equals, value = text.partition("=")
        if not equals:
            raise argparse.ArgumentTypeError(f"{what} is KEY=VALUE, not {text!r}")
        if not _KEY.fullmatch(key) or len(key.rpartition("/")[2]) > _LONGEST:
            raise argparse.ArgumentTypeError(
                f"{key!r} is no key of {what}: a name of at most {_LONGEST} characters such as team, or"
                " example.com/team"
            )
        if what == "a label" and (len(value) > _LONGEST or not _LABEL_VALUE.fullmatch(value)):
            raise argparse.ArgumentTypeError(
                f"{value!r} is no value of a label: at most {_LONGEST} letters, digits, `-`, `_` and `.`, a letter or"
                " digit at both ends; an annotation takes any text"
            )
        return key, value

    return read
