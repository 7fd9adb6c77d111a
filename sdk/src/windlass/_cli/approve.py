"""`windlass approve EXECUTION GATE`: says yes to a run that waits for approval."""

from __future__ import annotations

import argparse

from windlass._cli import _gates

NAME = "approve"
HELP = "let a run pass a gate that asks for approval"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = "Approves what a run waits for at a gate: the value passes, the run goes on."
    _gates.configure(parser)
    _gates.add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Approves."""
    return _gates.approve_or_reject(arguments, approved=True)
