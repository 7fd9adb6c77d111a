"""`windlass answer EXECUTION GATE VALUE`: gives the value that a run waits for."""

from __future__ import annotations

import argparse
import sys

from windlass._cli import _gates, _inputs, _runs

NAME = "answer"
HELP = "give a run the value that it waits for"

MISUSED = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = "Gives a run the value that it waits for at a gate; it is of the type that the gate asks for."
    parser.epilog = (
        "Values: text, numbers, true/false, JSON for lists, dicts and dataclasses; @path and @- read one from a file or"
        " stdin."
    )
    _gates.configure(parser)
    parser.add_argument("value", metavar="VALUE", help="the value; behind `--` if it starts with a dash")
    _gates.add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Answers."""
    cluster = _runs.connected(arguments)
    signal = _gates.waiting(cluster, arguments, "Input")
    try:
        value = _inputs.value_of(arguments.value, signal.python_type, arguments.gate)
    except _inputs.InputError as error:
        print(f"windlass: {error}", file=sys.stderr)
        return MISUSED
    return _gates.give(cluster, signal, {"value": value}, arguments.message)
