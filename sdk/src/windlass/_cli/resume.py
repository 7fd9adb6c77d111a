"""`windlass resume NAME…`: suspended runs go on."""

from __future__ import annotations

import argparse

from windlass._cli import _runs
from windlass._remote.client import Cluster, Object

NAME = "resume"
HELP = "let suspended runs go on"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Lets Executions go on that `windlass suspend` has held. What has failed or was cancelled is started again by"
        " `windlass retry`."
    )
    _runs.add_names(parser)


def run(arguments: argparse.Namespace) -> int:
    """Resumes."""
    return _runs.for_each(arguments, _resume)


def _resume(cluster: Cluster, obj: Object) -> str:
    _runs.refuse_ended(obj)
    if not obj["spec"].get("suspend"):
        return "is not suspended"
    return _runs.changed(cluster, obj, {"suspend": False}, "goes on")
