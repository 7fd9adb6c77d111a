"""`windlass reject EXECUTION GATE`: says no to a run that waits for approval; the gate fails."""

from __future__ import annotations

import argparse

from windlass._cli import _gates

NAME = "reject"
HELP = "fail a run's gate that asks for approval"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = "Rejects what a run waits for at a gate: its node fails, and with it what needs it."
    _gates.configure(parser)
    _gates.add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Rejects."""
    return _gates.approve_or_reject(arguments, approved=False)
