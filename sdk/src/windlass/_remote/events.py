"""What happens to all runs of a namespace, as it happens: changes of phases, read from a watch."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

from windlass._remote import objects
from windlass._remote.client import Cluster, Object, RemoteError, resource_path
from windlass._remote.tree import last_attempt

_SILENCE = 45.0  # seconds; as of `following`
_LOOK = 0.2


class ExecutionEvent(NamedTuple):
    """A change: `kind` is workflow, node or task; `phase` what it is in now."""

    kind: str
    execution: str
    node: str | None
    attempt: int | None
    phase: str
    object: Object


class Changes:
    """Turns states of runs into events: what differs from the state before."""

    def __init__(self, kinds: frozenset[str]) -> None:
        self._kinds = kinds
        self._seen: dict[tuple[str, str | None, int | None], str] = {}

    def of(self, obj: Object) -> Iterator[ExecutionEvent]:
        """The events between the last state of this run and this one."""
        name, status = obj["metadata"]["name"], obj.get("status") or {}
        found: list[tuple[str, str | None, int | None, str]] = [
            ("workflow", None, None, status.get("phase") or "Pending")
        ]
        for node_id, node in (status.get("nodes") or {}).items():
            found.append(("node", node_id, None, node["phase"]))
            attempt = last_attempt(node)
            if attempt is not None:
                found.append(("task", node_id, attempt, node["phase"]))
        for kind, node_id, attempt, phase in found:
            if kind in self._kinds and self._seen.get((name, node_id, attempt)) != phase:
                self._seen[name, node_id, attempt] = phase
                yield ExecutionEvent(kind, name, node_id, attempt, phase, obj)


async def stream(
    cluster: Cluster, namespace: str, count: int | None, kinds: frozenset[str]
) -> AsyncIterator[ExecutionEvent]:
    """The events from now on, at least once each; at most `count`, or without end."""
    states: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stopped = threading.Event()
    threading.Thread(target=_watch, args=(cluster, namespace, states, stopped), daemon=True).start()
    changes, sent = Changes(kinds), 0
    try:
        while count is None or sent < count:
            state = await asyncio.to_thread(_next, states)
            if isinstance(state, RemoteError):
                raise state
            for event in changes.of(state) if state is not None else ():
                yield event
                sent += 1
                if sent == count:
                    return
    finally:
        stopped.set()


def _next(states: queue.SimpleQueue[Any]) -> Any:
    try:
        return states.get(timeout=_LOOK)
    except queue.Empty:
        return None


def _watch(cluster: Cluster, namespace: str, states: queue.SimpleQueue[Any], stopped: threading.Event) -> None:
    """Puts each state of each run into the queue; a watch that ends is begun again from where it ended."""
    path = resource_path(objects.reference("Execution", "", namespace), namespace)
    what = f"Executions in namespace {namespace}"
    version = ""
    while not stopped.is_set():
        try:
            if not version:
                answer = cluster.request("GET", path, what=what)
                version = answer["metadata"]["resourceVersion"]
                for item in answer["items"]:
                    states.put(item)
            query = {"resourceVersion": version, "allowWatchBookmarks": "true"}
            for event in cluster.watch(path, query, what=what, seconds=_SILENCE):
                if event["type"] == "ERROR":
                    version = ""
                    break
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] in ("ADDED", "MODIFIED"):
                    states.put(event["object"])
                if stopped.is_set():
                    return
        except RemoteError as error:
            version = ""
            if error.status and error.status < 500 and error.status not in (410, 429):
                states.put(error)
                return
            stopped.wait(1.0)
