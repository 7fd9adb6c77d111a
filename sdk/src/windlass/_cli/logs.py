"""`windlass logs EXECUTION [NODE]`: what the tasks of a run have printed, also when their pods are gone."""

from __future__ import annotations

import argparse
import sys

from windlass._cli import _runs
from windlass._remote import logs
from windlass._remote.client import Cluster, RemoteError

NAME = "logs"
HELP = "print what the tasks of a run have printed"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Prints the log of a node of a run, or of all of them one after the other: from its pod while there is one,"
        " else from the store, where the operator had it kept (the chart's logs.capture), with this machine's"
        " credentials."
    )
    parser.add_argument("execution", metavar="EXECUTION", help="the run")
    parser.add_argument("node", metavar="NODE", nargs="?", help="the id of one node, such as n2.n0 (default: all)")
    parser.add_argument("--attempt", metavar="N", type=int, help="which attempt, from 0 (default: the last)")
    parser.add_argument("--element", metavar="N", type=int, help="of a map: which element, from 0")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the task ends")
    parser.add_argument("--links", action="store_true", help="print links to the logs instead, as the cluster has it")
    _runs.add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints."""
    cluster = _runs.connected(arguments)
    execution = _runs.execution(cluster, arguments.execution)
    if arguments.follow and arguments.node:
        execution = logs.begun(cluster, execution, arguments.node)
    found = logs.attempts(cluster, execution, arguments.node, arguments.attempt, arguments.element)
    if arguments.follow and len(found) > 1:
        nodes = ", ".join(one.node for one in found)
        raise RemoteError(f"--follow goes on with one node: say which of {nodes}")
    code = 0
    for position, one in enumerate(found):
        if len(found) > 1:
            print(f"{chr(10) if position else ''}==> {one.title} <==", flush=True)
        try:
            _print(cluster, one, arguments)
        except RemoteError as error:
            if len(found) == 1:
                raise
            print(f"windlass: {error}", file=sys.stderr)
            code = 1
    return code


def _print(cluster: Cluster, one: logs.Attempt, arguments: argparse.Namespace) -> None:
    if arguments.links:
        for name, url in logs.links(one):
            print(f"{name}: {url}")
        return
    for chunk in logs.read(cluster, one, follow=arguments.follow):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
