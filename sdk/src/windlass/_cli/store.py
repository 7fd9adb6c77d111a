"""`windlass store collect PREFIX`: removes from the store what is left of runs that are gone."""

from __future__ import annotations

import argparse
import sys
import time

from windlass._cli import _runs
from windlass._exceptions import FlyteSystemException
from windlass._remote import collecting
from windlass._remote.client import remote_error
from windlass_api import durations

NAME = "store"
HELP = "remove what is left in the store of runs that are gone"
TTL = "720h"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Files, tables, reports and large values of runs lie in the store, in a folder for each run. It is found by the"
        " variables that S3 clients read."
    )
    actions = parser.add_subparsers(
        title="actions", metavar="ACTION", dest="action", required=True, help="collect: remove what nothing refers to"
    )
    collect = actions.add_parser(
        "collect",
        help="remove the folders of runs that are gone and to which nothing in the cluster refers",
        allow_abbrev=False,
    )
    collect.add_argument("prefix", metavar="PREFIX", help="the operator's, such as s3://bucket/windlass/{namespace}")
    collect.add_argument(
        "--older-than",
        type=_seconds,
        default=TTL,
        metavar="DURATION",
        help="leave what has something younger in it (default: %(default)s)",
    )
    collect.add_argument("--dry-run", action="store_true", help="remove nothing, say what would be")
    collect.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAMESPACE",
        help="a namespace that uses the store, where not all may be read (may be given several times)",
    )
    _runs.add_place(collect)


def run(arguments: argparse.Namespace) -> int:
    """Removes, one line each."""
    cluster, count, size = _runs.connected(arguments), 0, 0
    try:
        for one in collecting.collect(
            cluster,
            arguments.prefix,
            arguments.older_than,
            time.time(),
            namespaces=arguments.only,
            dry_run=arguments.dry_run,
        ):
            print(f"{one.uri}: {one.objects} object{'s' * (one.objects != 1)}, {one.size:,} bytes")
            count, size = count + 1, size + one.size
    except (FlyteSystemException, ModuleNotFoundError, ValueError) as error:
        raise remote_error(str(error)) from error
    done = "would be removed" if arguments.dry_run else "removed"
    print(f"{count} run{'s' * (count != 1)}, {size:,} bytes {done}", file=sys.stderr)
    return 0


def _seconds(text: str) -> float:
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 720h") from error
