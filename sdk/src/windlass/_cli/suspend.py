"""`windlass suspend NAME…`: what runs goes on, nothing new starts until `windlass resume`."""

from __future__ import annotations

import argparse

from windlass._cli import _runs
from windlass._remote.client import Cluster, Object

NAME = "suspend"
HELP = "let runs start nothing new for now"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Holds Executions: attempts that run go on to their end, nothing new starts. `windlass resume` lets them go on."
    )
    _runs.add_names(parser)


def run(arguments: argparse.Namespace) -> int:
    """Suspends."""
    return _runs.for_each(arguments, _suspend)


def _suspend(cluster: Cluster, obj: Object) -> str:
    if obj["spec"].get("suspend"):
        return "is suspended already"
    return _runs.changed(cluster, obj, {"suspend": True}, "is suspended; it goes on with `windlass resume`")
