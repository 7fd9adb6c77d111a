"""`windlass deck EXECUTION [NODE]`: where the reports of a run are, a copy of one, or a link to it."""

from __future__ import annotations

import argparse

from windlass import _store
from windlass._cli import _runs
from windlass._exceptions import FlyteDataNotFoundException, FlyteSystemException
from windlass._remote.client import Object, remote_error
from windlass._store import signed_link

NAME = "deck"
HELP = "say where the reports of a run are, or fetch one"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Says where the report (deck) of each node of a run is. With a NODE, --save copies its report to this machine,"
        " and --link gives a link to it that works in a browser for an hour: both need access to the store, by the"
        " variables that S3 clients read."
    )
    parser.add_argument("execution", metavar="EXECUTION", help="the run")
    parser.add_argument("node", metavar="NODE", nargs="?", help="the id of one node, such as n2 or n2.n0")
    parser.add_argument("--save", metavar="FILE", help="copy the report of NODE there; it is HTML of the task's making")
    parser.add_argument("--link", action="store_true", help="print a link to the report of NODE, for s3://")
    _runs.add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Looks, or fetches."""
    found = decks(_runs.execution(_runs.connected(arguments), arguments.execution))
    if arguments.node is None:
        if arguments.save or arguments.link:
            raise remote_error("--save and --link want to know whose report: name a NODE")
        print("\n".join(f"{node}: {uri}" for node, uri in found.items()) or "no node of this run has left a report yet")
        return 0
    if arguments.node not in found:
        known = ", ".join(found) or "none"
        raise remote_error(f"{arguments.execution} has no report of a node {arguments.node}; there is {known}", 404)
    uri = found[arguments.node]
    try:
        if arguments.save:
            print(_store.get_file(uri, arguments.save))
        else:
            print(signed_link(uri) if arguments.link else uri)
    except (FlyteDataNotFoundException, FlyteSystemException, ModuleNotFoundError, ValueError) as error:
        raise remote_error(f"the report at {uri} can't be had: {error}") from error
    return 0


def decks(execution: Object) -> dict[str, str]:
    """The addresses of the reports, by node."""
    nodes = (execution.get("status") or {}).get("nodes") or {}
    return {name: node["deck"] for name, node in nodes.items() if node.get("deck")}
