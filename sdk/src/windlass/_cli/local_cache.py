"""`windlass local-cache clear [TASK …]`: forgets what local runs have kept."""

from __future__ import annotations

import argparse

from windlass._cache import disk, local

NAME = "local-cache"
HELP = "forget the results that local runs have kept"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "The results of cached tasks which ran on this machine. They are in the folder that WINDLASS_CACHE_HOME names,"
        " else in ~/.cache/windlass, below `results`."
    )
    actions = parser.add_subparsers(
        title="actions", metavar="ACTION", dest="action", required=True, help="clear: forget results"
    )
    clear = actions.add_parser("clear", help="forget results, so that their tasks run again", allow_abbrev=False)
    clear.add_argument(
        "tasks", metavar="TASK", nargs="*", help="only those of this task: its name, with or without its module"
    )


def run(arguments: argparse.Namespace) -> int:
    """Clears."""
    count = local.clear(arguments.tasks)
    print(f"forgot {count} result{'s' * (count != 1)} in {disk.home()}")
    return 0
