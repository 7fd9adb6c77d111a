"""`windlass retry NAME`: runs the same again, in a new Execution that takes over what succeeded the last time."""

from __future__ import annotations

import argparse
import sys

from windlass import _remote
from windlass._cli import _runs
from windlass._remote import executing, objects, run as following
from windlass._remote.client import Object
from windlass._remote.following import TERMINAL
from windlass_api.names import API_VERSION

NAME = "retry"
HELP = "run the same again, and take over what was done"

_OF_THE_OLD_RUN = ("cancel", "suspend", "resumeFrom")


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Starts a new Execution with the target, inputs and settings of one that has ended, and prints its name. Nodes"
        " that succeeded then, and have the same definition and inputs now, are not run again: their results are taken"
        " over. `windlass explain` says of each node whether it was, and why."
    )
    parser.add_argument("name", metavar="NAME", help="the Execution that has ended")
    parser.add_argument("--no-reuse", action="store_true", help="run everything again")
    parser.add_argument("--wait", action="store_true", help="follow it until it ends, as `windlass run --remote` does")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, help="stop waiting after this long")
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="how to print the outputs (default: text)"
    )
    _runs.add_place(parser)


def run(arguments: argparse.Namespace) -> int:
    """Starts it, and follows it if asked to."""
    cluster = _runs.connected(arguments)
    old = _runs.execution(cluster, arguments.name)
    if _runs.phase(old) not in TERMINAL:
        raise _remote.RemoteError(
            f"{objects.label(old)} has not ended: it is {_runs.phase(old)}; `windlass cancel` ends it, `windlass"
            " resume` lets a suspended one go on"
        )
    created = objects.create_execution(cluster, again(old, reuse=not arguments.no_reuse))
    name, namespace = created["metadata"]["name"], created["metadata"]["namespace"]
    if not arguments.wait:
        print(name)
        print(f"follow it with: kubectl get execution {name} -n {namespace} --watch", file=sys.stderr)
        return 0
    print(f"{name} created in namespace {namespace}", file=sys.stderr)
    return following.follow(cluster, created, timeout=arguments.timeout, output=arguments.output)


def again(old: Object, *, reuse: bool = True) -> Object:
    """The Execution that runs the same as another one. Its tags stay, other marks were that one's own."""
    meta = old["metadata"]
    spec = {key: value for key, value in old["spec"].items() if key not in _OF_THE_OLD_RUN}
    if reuse:
        spec["resumeFrom"] = {"execution": meta["name"]}
    metadata = {
        "generateName": meta.get("generateName") or f"{meta['name'][:40].rstrip('-.')}-",
        "namespace": meta["namespace"],
    }
    tags = {name: text for name, text in (meta.get("labels") or {}).items() if name.startswith(executing.TAG_PREFIX)}
    if tags:
        metadata["labels"] = tags
    return {"apiVersion": API_VERSION, "kind": "Execution", "metadata": metadata, "spec": spec}
