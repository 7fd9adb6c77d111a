"""`windlass cancel NAME…`: stops runs; their pods are told to end, and nothing new starts."""

from __future__ import annotations

import argparse

from windlass._cli import _runs
from windlass._remote.client import Cluster, Object

NAME = "cancel"
HELP = "stop runs in a cluster"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Stops Executions: their pods get SIGTERM, what they have started is cancelled, nothing new starts. It can't be"
        " taken back; `windlass retry` starts another run that takes over what was done."
    )
    _runs.add_names(parser)


def run(arguments: argparse.Namespace) -> int:
    """Cancels."""
    return _runs.for_each(arguments, _cancel)


def _cancel(cluster: Cluster, obj: Object) -> str:
    return _runs.changed(cluster, obj, {"cancel": True}, "is being cancelled")
