"""What the commands on a run share: which cluster, which Executions, and what is said of several."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from windlass import _remote
from windlass._remote import objects
from windlass._remote.client import Cluster, Object
from windlass._remote.following import TERMINAL

FAILED = 1

Step = Callable[[Cluster, Object], str]
"""Does something to an Execution, and tells what. Raises RemoteError where it can't be done."""


def add_place(parser: argparse.ArgumentParser) -> None:
    """The options that say which cluster and namespace."""
    parser.add_argument("-n", "--namespace", help="(default: that of the kubeconfig's context)")
    parser.add_argument("--context", help="the kubeconfig's context (default: the current one)")
    parser.add_argument("--kubeconfig", metavar="PATH", help="(default: $KUBECONFIG, ~/.kube/config)")


def add_names(parser: argparse.ArgumentParser) -> None:
    """The Executions, and where they are."""
    parser.add_argument("names", metavar="NAME", nargs="+", help="the Execution")
    add_place(parser)


def connected(arguments: argparse.Namespace) -> Cluster:
    """The cluster that the options mean."""
    return _remote.connect(kubeconfig=arguments.kubeconfig, context=arguments.context, namespace=arguments.namespace)


def execution(cluster: Cluster, name: str) -> Object:
    """An Execution. Raises RemoteError where there is none."""
    return objects.get(cluster, "Execution", name, cluster.namespace)


def phase(obj: Object) -> str:
    """Where an Execution is, in one word."""
    return str((obj.get("status") or {}).get("phase") or "Pending")


def for_each(arguments: argparse.Namespace, step: Step) -> int:
    """Takes the step with each Execution; the exit code says whether it could be done to all."""
    cluster, code = connected(arguments), 0
    for name in arguments.names:
        try:
            print(f"{name}: {step(cluster, execution(cluster, name))}")
        except _remote.RemoteError as error:  # noqa: PERF203  one that can't be done does not hold up the others
            print(f"windlass: {error}", file=sys.stderr)
            code = FAILED
    return code


def changed(cluster: Cluster, obj: Object, spec: dict[str, bool], told: str) -> str:
    """Patches the spec of an Execution that has not ended. Raises RemoteError where it has."""
    refuse_ended(obj)
    objects.patch(cluster, "Execution", obj["metadata"]["name"], obj["metadata"]["namespace"], {"spec": spec})
    return told


def refuse_ended(obj: Object) -> None:
    """Nothing can be done any more to what has ended."""
    if phase(obj) in TERMINAL:
        raise _remote.RemoteError(f"{objects.label(obj)} has ended already: it is {phase(obj)}")
