"""The command line: `windlass COMMAND …`, also installed as `kubectl windlass`. One file per command.

Exit codes: 0 done, 1 it ran and failed (the user's code raised, a manifest is wrong), 2 it was called wrongly.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from windlass._bundle import BundleError
from windlass._cli import (
    answer,
    approve,
    build,
    cancel,
    deck,
    explain,
    local_cache,
    logs,
    plan,
    reject,
    render,
    resume,
    retry,
    run,
    store,
    suspend,
    validate,
)
from windlass._cli._checked import InvalidManifestsError
from windlass._cli._render_folder import FolderError
from windlass._cli.build import ImagesError
from windlass._project import ProjectError
from windlass._remote import RemoteError

COMMANDS = (
    *(run, build, render, validate, plan),
    *(explain, logs, deck, cancel, suspend, resume, retry, approve, reject, answer),
    *(store, local_cache),
)

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; its exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return MISUSED
    try:
        code: int = arguments.command.run(arguments)
        sys.stdout.flush()  # here, where a reader that has gone is dealt with, rather than while Python shuts down
    except ProjectError as error:
        code = _fail(str(error), FAILED if error.imported else MISUSED)
    except BrokenPipeError:
        code = _stop_printing()
    except (ImagesError, InvalidManifestsError, FolderError, BundleError, RemoteError, OSError) as error:
        code = _fail(str(error), FAILED)
    except KeyboardInterrupt:
        code = _fail("interrupted", INTERRUPTED)
    return code


class _Version(argparse.Action):
    """Prints the version of the installed distribution."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version  # noqa: PLC0415  15 ms, for this option alone

        print(f"windlass {version('windlass')}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="windlass",
        description="Typed Python workflows on Kubernetes: run them here or in a cluster, or write their manifests.",
        epilog="`windlass COMMAND --help` tells more about each.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        sub = commands.add_parser(command.NAME, help=command.HELP, allow_abbrev=False, add_help=command is not run)
        command.configure(sub)
        sub.set_defaults(command=command)
    return parser


def _fail(message: str, code: int) -> int:
    print(f"windlass: {message}", file=sys.stderr)
    return code


def _stop_printing() -> int:
    """Whoever read our output has gone: say nothing more, also not while Python shuts down."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED
