"""`windlass explain EXECUTION [NODE]`: what each node waits for, and where results came from."""

from __future__ import annotations

import argparse
import time

from windlass._cli import _runs
from windlass._remote import explaining

NAME = "explain"
HELP = "say why a run's nodes are where they are"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Says of each node of a run that has not ended what it waits for, of each that failed why, of each that was"
        " looked for in the cache what came of it, and of each in a resumed run whether its result was taken over, and"
        " why. With a NODE, everything about that one."
    )
    parser.add_argument("execution", metavar="EXECUTION", help="the run")
    parser.add_argument("node", metavar="NODE", nargs="?", help="the id of one node, such as n2 or n2.n0")
    _runs.add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Explains."""
    found = _runs.execution(_runs.connected(arguments), arguments.execution)
    print("\n".join(explaining.lines(found, time.time(), arguments.node)))
    return 0
