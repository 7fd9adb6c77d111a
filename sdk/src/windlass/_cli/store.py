"""`windlass store collect PREFIX`: removes from the store what is left of runs that are gone, and code of nobody."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from windlass._cli import _runs
from windlass._exceptions import FlyteSystemException
from windlass._remote import collecting
from windlass._remote.client import remote_error
from windlass_api import durations

NAME = "store"
HELP = "remove from the store what is left of runs that are gone, and code that nothing refers to"
TTL = "720h"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Files, tables, reports and large values of runs lie in the store, in a folder for each run, and code that is"
        " too large for a ConfigMap in archives. It is found by the variables that S3 clients read."
    )
    actions = parser.add_subparsers(
        title="actions", metavar="ACTION", dest="action", required=True, help="collect: remove what nothing refers to"
    )
    collect = actions.add_parser(
        "collect",
        help="remove the folders of runs that are gone, and archives of code, to which nothing in the cluster refers",
        allow_abbrev=False,
    )
    collect.add_argument("prefix", metavar="PREFIX", help="the operator's, such as s3://bucket/windlass/{namespace}")
    collect.add_argument(
        "--older-than",
        type=_seconds,
        default=TTL,
        metavar="DURATION",
        help="leave what has something younger in it (default: %(default)s); code of the last two days always stays",
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
    cluster, counts, size = _runs.connected(arguments), Counter[str](), 0
    try:
        for one in collecting.collect(
            cluster,
            arguments.prefix,
            arguments.older_than,
            time.time(),
            namespaces=arguments.only,
            dry_run=arguments.dry_run,
        ):
            print(f"{one.uri}: {_several(one.objects, 'object')}, {one.size:,} bytes")
            counts[one.kind] += 1
            size += one.size
    except (FlyteSystemException, ModuleNotFoundError, ValueError) as error:
        raise remote_error(str(error)) from error
    done = "would be removed" if arguments.dry_run else "removed"
    each = ", ".join(_several(counts[kind], kind) for kind in (collecting.RUN, collecting.CODE))
    print(f"{each}, {size:,} bytes {done}", file=sys.stderr)
    return 0


def _several(count: int, kind: str) -> str:
    return f"{count} {kind}{'s' * (count != 1)}"


def _seconds(text: str) -> float:
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 720h") from error
