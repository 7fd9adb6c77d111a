"""`windlass run FILE NAME --input value …`: runs a task or workflow, here by default, in a cluster with `--remote`.

What stands before NAME are options of `run`; behind it come the inputs, and options of `run` again where no input
has that name.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from types import ModuleType
from typing import Any, NoReturn

from windlass import _emit, _project, _remote, _store, _types
from windlass._cli import _checked, _inputs
from windlass._cli.build import build_all
from windlass._docstrings import read_docstring
from windlass._entity import Entity
from windlass._image.names import specs_of
from windlass._modules import shown
from windlass._remote import tree
from windlass._task import awaited

NAME = "run"
HELP = "run a task or workflow of a Python file, here or in a cluster"

FAILED, MISUSED = 1, 2


class _Parser(argparse.ArgumentParser):
    """Raises what is wrong, so that the inputs can be listed beside it."""

    def error(self, message: str) -> NoReturn:
        raise _inputs.InputError(message)


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Runs the task or workflow NAME of FILE and prints its outputs: on this machine, or with --remote in a"
        " cluster, where it is followed until it ends. `windlass run FILE NAME --help` lists its inputs, `windlass run"
        " FILE` what there is."
    )
    parser.usage = "windlass run [options] FILE NAME [--input value …]"
    parser.epilog = (
        "Values: text, numbers, true/false, JSON for lists, dicts and dataclasses; @path and @- read one from a file or"
        " stdin."
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help="the Python file")
    parser.add_argument("name", metavar="NAME", nargs="?", help="the task or workflow")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    _add_options(parser, None)
    parser.set_defaults(parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs."""
    if arguments.file is None:
        arguments.parser.print_help(sys.stdout if arguments.help else sys.stderr)
        return 0 if arguments.help else MISUSED
    module = _project.load(arguments.file)
    if arguments.name is None:
        print(_offered(module), file=sys.stdout if arguments.help else sys.stderr)
        return 0 if arguments.help else MISUSED
    entity = _project.find(module, arguments.name)
    try:
        texts, others = _inputs.split(entity, arguments.rest)
        options = _options(entity, others, arguments)
        if options.help:
            print(_help(entity, arguments.file))
            return 0
        inputs = _inputs.parse(entity, texts)
    except _inputs.InputError as error:
        print(f"windlass: {error}\n\n{_inputs.listing(entity)}", file=sys.stderr)
        return MISUSED
    return _run_remote(module, entity, inputs, options) if options.remote else _run_here(entity, inputs, options)


def _add_options(parser: argparse.ArgumentParser, defaults: argparse.Namespace | None) -> None:
    def default(name: str, otherwise: Any) -> Any:
        return otherwise if defaults is None else getattr(defaults, name)

    parser.add_argument(
        "-h", "--help", action="store_true", default=default("help", False), help="show this, or the inputs of NAME"
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=("text", "json"),
        default=default("output", "text"),
        help="how to print the outputs (default: text)",
    )
    parser.add_argument(
        "--full-traceback",
        action="store_true",
        default=default("full_traceback", False),
        help="with the frames of Windlass itself, when a local run fails",
    )
    remote = parser.add_argument_group("in a cluster")
    remote.add_argument(
        "--remote", action="store_true", default=default("remote", False), help="run in the cluster of the kubeconfig"
    )
    remote.add_argument(
        "-n", "--namespace", default=default("namespace", None), help="(default: that of the kubeconfig's context)"
    )
    remote.add_argument(
        "--context", default=default("context", None), help="the kubeconfig's context (default: the current one)"
    )
    remote.add_argument(
        "--kubeconfig",
        metavar="PATH",
        default=default("kubeconfig", None),
        help="(default: $KUBECONFIG, ~/.kube/config)",
    )
    remote.add_argument(
        "--image",
        metavar="IMG",
        default=default("image", None),
        help="for tasks that name no image (default: the operator decides)",
    )
    remote.add_argument("--copy", choices=_checked.COPY, default=default("copy", "auto"), help=_checked.COPY_HELP)
    remote.add_argument(
        "--store",
        metavar="URI",
        default=default("store", None),
        help=f"{_checked.STORE_HELP}; files of this machine among the inputs go there, too",
    )
    remote.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=default("timeout", None),
        help="stop waiting after this long",
    )
    remote.add_argument(
        "--no-wait",
        action="store_true",
        default=default("no_wait", False),
        help="only start it, and print the execution's name",
    )


def _options(entity: Entity, words: list[str], before: argparse.Namespace) -> argparse.Namespace:
    """The options of `run` that stand behind NAME, over those before it."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    _add_options(parser, before)
    options, unknown = parser.parse_known_args(words)
    if unknown and not options.help:
        raise _inputs.InputError(_inputs.unknown(entity, unknown[0]))
    return options


def _run_here(entity: Entity, inputs: dict[str, Any], options: argparse.Namespace) -> int:
    values = _inputs.to_python(entity, inputs)
    prints = contextlib.redirect_stdout(sys.stderr) if options.output == "json" else contextlib.nullcontext()
    try:
        with prints:  # what tasks print has no place in JSON
            result = awaited(entity(**values))  # an eager workflow gives something to await
    except Exception as error:  # noqa: BLE001  whatever the user's code raises is shown, and ends the run
        print(_project.told(error, full=options.full_traceback), file=sys.stderr)
        return FAILED
    types = entity.interface.outputs
    outputs = {
        name: _types.to_wire(value, types[name], f"the output {name}:")
        for name, value in entity.interface.unpack(result, entity.name).items()
    }
    _store.keep_what_is_named_in(json.dumps(outputs, ensure_ascii=False))
    _print_outputs(outputs, options.output)
    return 0


def _run_remote(module: ModuleType, entity: Entity, inputs: dict[str, Any], options: argparse.Namespace) -> int:
    with _project.compiling(module):
        definitions = _emit.complete([entity])
        specs = list(specs_of(definitions))
    build_all(specs)  # first, since a builder may say that its image is called otherwise
    store = _checked.store_of(options.store)
    try:
        inputs = _inputs.brought(entity, inputs, store)
    except _inputs.InputError as error:
        print(f"windlass: {error}", file=sys.stderr)
        return MISUSED
    objects = _checked.manifests_of(
        module,
        definitions,
        copy=options.copy,
        namespace=options.namespace,
        image=options.image,
        store=store,
    )
    return _remote.run_remote(
        objects,
        _emit.execution_manifest(entity, inputs),
        namespace=options.namespace,
        context=options.context,
        kubeconfig=options.kubeconfig,
        timeout=options.timeout,
        wait=not options.no_wait,
        output=options.output,
    )


def _print_outputs(outputs: dict[str, Any], form: str) -> None:
    if form == "json":
        print(json.dumps(outputs, indent=2, ensure_ascii=False))
    elif outputs:
        print(tree.outputs(outputs))


def _help(entity: Entity, file: str) -> str:
    text = read_docstring(entity.description).text
    usage = f"usage: windlass run {file} {entity.short_name} [--input value …] [--remote …]"
    return "\n\n".join(
        part for part in (usage, text, _inputs.listing(entity), "`windlass run --help` lists the options.") if part
    )


def _offered(module: ModuleType) -> str:
    found = _project.named_in(module)
    if not found:
        raise _project.ProjectError(f"{shown(str(module.__file__))} has neither tasks nor workflows")
    names, words = max(map(len, found)), max(len(entity.what) for entity in found.values())
    lines = []
    for name, entity in found.items():
        first = read_docstring(entity.description).text.partition("\n")[0]
        lines.append(f"  {name:<{names}}  {entity.what:<{words}}  {first}".rstrip())
    return (
        f"{shown(str(module.__file__))} has:\n"
        + "\n".join(lines)
        + f"\n\nrun one with: windlass run {shown(str(module.__file__))} NAME"
    )
