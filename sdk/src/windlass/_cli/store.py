"""`windlass store`: what is done to the store as a whole, by the chart's own processes or by hand.

`collect PREFIX` removes what is left of runs that are gone, and code of nobody; `keep-logs PREFIX` brings the logs of
container tasks there, for as long as it runs.
"""

from __future__ import annotations

import argparse
import queue
import re
import signal
import sys
import threading
import time
from collections import Counter
from functools import partial

from windlass import _store
from windlass._cli import _runs
from windlass._exceptions import FlyteSystemException
from windlass._remote import collecting, keeping
from windlass._remote.client import remote_error
from windlass_api import durations

NAME = "store"
HELP = "remove from the store what nothing refers to, or bring logs of container tasks there"
TTL = "720h"
LIMIT = 1 << 20
PLACEHOLDERS = ("{namespace}", "{project}", "{domain}")


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Files, tables, reports and large values of runs lie in the store, in a folder for each run, and code that is"
        " too large for a ConfigMap in archives. It is found by the variables that S3 clients read."
    )
    actions = parser.add_subparsers(
        title="actions",
        metavar="ACTION",
        dest="action",
        required=True,
        help="collect: remove what nothing refers to; keep-logs: keep the logs of container tasks",
    )
    _configure_collect(actions)
    _configure_keep_logs(actions)


def _configure_collect(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    collect = actions.add_parser(
        "collect",
        help="remove the folders of runs that are gone, and archives of code, to which nothing in the cluster refers",
        allow_abbrev=False,
    )
    collect.add_argument(
        "--older-than",
        type=_seconds,
        default=TTL,
        metavar="DURATION",
        help="leave what has something younger in it (default: %(default)s); code of the last two days always stays",
    )
    collect.add_argument("--dry-run", action="store_true", help="remove nothing, say what would be")
    _add_scope(collect, "a namespace that uses the store, where not all may be read")


def _configure_keep_logs(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    keep = actions.add_parser(
        "keep-logs",
        help="bring what container tasks have printed to the store when they end, until it is stopped; needs an"
        " operator that keeps logs (the chart's logs.capture)",
        allow_abbrev=False,
    )
    keep.add_argument(
        "--limit",
        type=int,
        default=LIMIT,
        metavar="BYTES",
        help="of a log: half of it its beginning, half its end (default: %(default)s)",
    )
    _add_scope(keep, "a namespace to look at, where not all may be seen")


def _add_scope(action: argparse.ArgumentParser, only: str) -> None:
    """Which store, and whose: of which cluster and namespaces."""
    action.add_argument(
        "prefix",
        metavar="PREFIX",
        type=_prefix,
        help="the operator's (the chart's store.prefix), such as s3://bucket/windlass/{namespace}",
    )
    action.add_argument(
        "--only", action="append", default=[], metavar="NAMESPACE", help=f"{only} (may be given several times)"
    )
    _runs.add_place(action)


def run(arguments: argparse.Namespace) -> int:
    """What is done is told, one line each."""
    return (_keep_logs if arguments.action == "keep-logs" else _collect)(arguments)


def _keep_logs(arguments: argparse.Namespace) -> int:
    """Until SIGTERM, or until a namespace may not be seen."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the first process of a container has no handler of its own
    cluster = _runs.connected(arguments)
    keeper = keeping.Keeper(cluster, arguments.prefix, arguments.limit, partial(print, flush=True))
    ended: queue.SimpleQueue[Exception] = queue.SimpleQueue()

    def follow(namespace: str) -> None:
        try:
            keeper.follow(namespace)
        except Exception as error:  # noqa: BLE001  raised by the command's own thread
            ended.put(error)

    for namespace in arguments.only or [""]:
        threading.Thread(target=follow, args=(namespace,), daemon=True).start()
    raise ended.get()


def _collect(arguments: argparse.Namespace) -> int:
    cluster, counts, size = _runs.connected(arguments), Counter[str](), 0
    try:
        _tell_of_missing(arguments)
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


def _tell_of_missing(arguments: argparse.Namespace) -> None:
    """A store in which nobody has written yet looks like a prefix that is mistyped."""
    for root in collecting.roots(arguments.prefix, arguments.only):
        top = collecting.beginning(root)
        if not _store.exists(top):
            told = f"windlass: there is nothing at {top}; is it the operator's prefix (the chart's store.prefix)?"
            print(told, file=sys.stderr)


def _prefix(text: str) -> str:
    """An address with placeholders. Raises ArgumentTypeError where nothing can lie there."""
    unknown = [found for found in re.findall(r"\{[^/}]*\}?", text) if found not in PLACEHOLDERS]
    if unknown:
        known = ", ".join(PLACEHOLDERS)
        raise argparse.ArgumentTypeError(f"{unknown[0]} in {text!r} stands for nothing; there are {known}")
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]+://.*[^/]", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no store: give the operator's prefix (the chart's store.prefix), an address such as"
            " s3://bucket/windlass/{namespace} or file:///var/run/windlass/store/{namespace}"
        )
    try:
        _store.check(text)
    except (ModuleNotFoundError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _several(count: int, kind: str) -> str:
    return f"{count} {kind}{'s' * (count != 1)}"


def _seconds(text: str) -> float:
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 720h") from error
