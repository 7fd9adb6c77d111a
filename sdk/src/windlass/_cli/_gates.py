"""What the commands that answer a gate share."""

from __future__ import annotations

import argparse
from typing import Any

from windlass import _remote
from windlass._cli import _runs
from windlass._remote import signals
from windlass._remote.client import Cluster
from windlass._remote.signals import Signal

_ASKS = {"Approval": "approval: windlass approve, windlass reject", "Input": "a value: windlass answer"}


def configure(parser: argparse.ArgumentParser) -> None:
    """The gate, and where it is."""
    parser.add_argument("execution", metavar="EXECUTION", help="the run that waits")
    parser.add_argument("gate", metavar="GATE", help="the gate's name in the workflow, or its node")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be said with an answer."""
    parser.add_argument("-m", "--message", metavar="TEXT", help="why, for people")
    _runs.add_place(parser)


def approve_or_reject(arguments: argparse.Namespace, approved: bool) -> int:
    """Answers a gate that asks for approval."""
    cluster = _runs.connected(arguments)
    return give(cluster, waiting(cluster, arguments, "Approval"), {"approved": approved}, arguments.message)


def waiting(cluster: Cluster, arguments: argparse.Namespace, ask: str) -> Signal:
    """The gate, which asks for this and has no answer yet. Raises RemoteError where there is none."""
    name = arguments.execution
    _runs.execution(cluster, name)  # where there is none, that is what is wrong
    there = signals.list_signals(cluster, cluster.namespace, name, None, "")
    found = signals.pick(there, f"Execution {name} in namespace {cluster.namespace}", arguments.gate)
    if found.object["spec"]["ask"] != ask:
        raise _remote.RemoteError(f"{arguments.gate} of {name} asks for {_ASKS[found.ask]}")
    if not found.waits:
        said = f": it was answered with {_words(found.answer)}" if found.answer else ""
        raise _remote.RemoteError(f"{arguments.gate} of {name} does not wait any more, it is {found.phase}{said}")
    return found


def give(cluster: Cluster, signal: Signal, answer: dict[str, Any], message: str | None) -> int:
    """Gives an answer, and says so."""
    signals.give(cluster, signal, {**answer, **({"message": message} if message else {})})
    print(f"{signal.id.signal_id} of {signal.id.execution_id}: {_words(answer)}")
    return 0


def _words(answer: dict[str, Any]) -> str:
    if "approved" in answer:
        return "approved" if answer["approved"] else "rejected"
    return repr(answer.get("value"))
