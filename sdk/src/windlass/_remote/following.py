"""One Execution, followed until it ends.

A thread watches and puts each state into a queue, so that the terminal can go on drawing and Ctrl-C is heard at once:

    get ──► watch from there ──► events ──┬─ dropped, silent: watch on from the last version
     ▲                                    ├─ 410, the version is forgotten ─────────────┐
     └────────────────────────────────────┴─ watching is not allowed: get again, slowly ┘

States may be skipped and may repeat: whoever draws compares with what was drawn.
"""

from __future__ import annotations

import queue
import threading
from typing import Any

from windlass._remote.client import Cluster, Object, RemoteError, explain, resource_path
from windlass._remote.objects import execution_reference, label

TERMINAL = ("Succeeded", "Failed", "Cancelled")
_SILENCE = 45.0  # seconds; the API server sends a bookmark every minute or so, and an idle connection may be dead
_GONE = 410
_POLL = 2.0  # where a watch is not allowed
_PAUSE, _RETRY_LAST = 0.1, 10.0  # between two watches; at most, while there is trouble


class Follower:
    """A watch in the background. `next` gives its states; after a terminal state or an error there are no more.

    `trouble` says why nothing is heard at the moment, if so.
    """

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self._cluster = cluster
        self._reference = execution_reference(namespace, name)
        self._name = name
        self._one = resource_path(self._reference, namespace, name)
        self._all = resource_path(self._reference, namespace)
        self._states: queue.SimpleQueue[Object | RemoteError] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._may_watch = True
        self.trouble = ""
        threading.Thread(target=self._follow, name=f"follow {name}", daemon=True).start()

    def next(self, timeout: float) -> Object | None:
        """The next state, or None if there is none in time. Raises what ended the following."""
        try:
            state = self._states.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(state, RemoteError):
            raise state
        return state

    def stop(self) -> None:
        """Lets the thread end with its next event."""
        self._stopped.set()

    def _follow(self) -> None:
        wait, version = _PAUSE, ""
        while not self._stopped.is_set():
            version = self._guarded_pass(version)
            wait = min(wait * 2, _RETRY_LAST) if self.trouble else _PAUSE
            self._stopped.wait(wait)

    def _guarded_pass(self, version: str) -> str:
        """As `_pass`; a refusal ends the following, any other trouble passes and is told meanwhile."""
        try:
            version, self.trouble = self._pass(version), ""
        except RemoteError as error:
            if error.status and error.status < 500 and error.status != 429:
                self._states.put(error)
                self._stopped.set()
            version, self.trouble = "", str(error)
        return version

    def _pass(self, version: str) -> str:
        """One get, or one watch; the version to go on from."""
        if not version:
            state = self._cluster.request("GET", self._one, what=label(self._reference))
            self._publish(state)
            self.trouble = ""
            version = state["metadata"]["resourceVersion"]
        if self._stopped.is_set():
            return version
        if not self._may_watch:
            self._stopped.wait(_POLL)
            return ""
        return self._watch(version)

    def _watch(self, version: str) -> str:
        query = {
            "fieldSelector": f"metadata.name={self._name}",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
        }
        try:
            for event in self._cluster.watch(self._all, query, what=label(self._reference), seconds=_SILENCE):
                version = self._handle(event)
                if not version or self._stopped.is_set():
                    break
        except RemoteError as error:
            if error.status == 403:
                self._may_watch = False
                return ""
            if error.status != _GONE:
                raise
            return ""
        return version

    def _handle(self, event: Object) -> str:
        """Publishes what an event tells; the version to go on from, nothing when it has to be read anew."""
        obj: dict[str, Any] = event["object"]
        if event["type"] == "ERROR":
            if obj.get("code") != _GONE:
                raise RemoteError(explain(500, obj), 500)
            return ""
        if event["type"] == "DELETED":
            self._states.put(RemoteError(f"{label(self._reference)} was deleted", 404))
            self._stopped.set()
        elif event["type"] != "BOOKMARK":
            self._publish(obj)
        version: str = obj["metadata"]["resourceVersion"]
        return version

    def _publish(self, state: Object) -> None:
        self._states.put(state)
        if (state.get("status") or {}).get("phase") in TERMINAL:
            self._stopped.set()
