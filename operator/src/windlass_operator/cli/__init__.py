"""The command line of the operator. One file per command; ``COMMANDS`` lists them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from windlass_operator import __version__
from windlass_operator.cli import plan, run

COMMANDS = (run, plan)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and run the command. Gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="windlass-operator", description="Reconciles the kinds of windlass.dev into pods."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.register(commands)
    arguments = parser.parse_args(argv)
    code: int = arguments.function(arguments)
    return code
