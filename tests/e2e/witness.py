"""Sees every change of pods and Executions in a namespace, in the order in which the API server made them.

It goes on when the API server goes away for a while: then it lists again, and what it finds counts as changed.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType

import urllib3

from tests.harness import Api, ApiError, Body


@dataclass(frozen=True)
class Change:
    """A version of an object."""

    kind: str
    change: str
    version: int
    """Versions of all kinds come from one clock: a lower one was earlier."""
    body: Body

    @property
    def name(self) -> str:
        """The object's."""
        found: str = self.body["metadata"]["name"]
        return found

    @property
    def uid(self) -> str:
        """The object's."""
        found: str = self.body["metadata"]["uid"]
        return found


class Witness:
    """See the module. Use it as a context manager."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._changes: list[Change] = []
        self._newest: dict[str, int] = {}
        self._threads = [threading.Thread(target=self._watch, args=(one,)) for one in ("pods", "executions")]

    def __enter__(self) -> Witness:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def changes(self, kind: str = "") -> list[Change]:
        """What was seen so far, by version."""
        with self._lock:
            found = [one for one in self._changes if kind in ("", one.kind)]
        return sorted(found, key=lambda one: one.version)

    def count(self) -> int:
        """How many changes were seen."""
        with self._lock:
            return len(self._changes)

    def _watch(self, kind: str) -> None:
        while not self._over.is_set():
            try:
                listed = self._api.call("GET", self._api.path(kind))
                for item in listed["items"]:
                    self._saw(kind, "LISTED", item)
                self._follow(kind, listed["metadata"]["resourceVersion"])
            except (ApiError, urllib3.exceptions.HTTPError, ValueError):  # noqa: PERF203  it is away for a while
                time.sleep(0.2)

    def _follow(self, kind: str, version: str) -> None:
        for event in self._api.watch(kind, version, seconds=3):
            if event["type"] == "ERROR":
                return
            self._saw(kind, event["type"], event["object"])

    def _saw(self, kind: str, change: str, body: Body) -> None:
        seen = Change(kind, change, int(body["metadata"]["resourceVersion"]), body)
        with self._lock:
            if change != "LISTED" or self._newest.get(seen.uid, 0) < seen.version:
                self._newest[seen.uid] = seen.version
                self._changes.append(seen)
