"""The world around the operator: an API server, garbage collection, a kubelet, and people.

Everything that happens is a line in ``journal``, said by whoever did it, and is told to the ``listeners``: first the
promises, then the kubelet, the people, and the operator's watches, which hear of it when their fate has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.api_server import MERGE_PATCH, ApiServer, Body, Place, collections_of, wire
from tests.simulator.features import NAMESPACE, Act
from tests.simulator.scenarios import Scenario
from tests.simulator.timeline import EPOCH, Timeline
from windlass_api import names
from windlass_operator.clients.cluster import JSON_PATCH, Answer
from windlass_operator.core.clock import rfc3339_seconds

Listener = Callable[[str, str, Body, Body | None], None]


class World(ApiServer):
    """See the module."""

    def __init__(self, timeline: Timeline, scenario: Scenario) -> None:
        super().__init__()
        self.timeline, self.scenario = timeline, scenario
        self.dice = scenario.fates.draw("world")
        self.journal: list[tuple[float, str, str, str, str]] = []
        """(when, who, what, which, how)."""
        self.listeners: list[Listener] = []
        self.actor = "person"
        """Who is at work at the moment."""
        self.beginning = 0
        """The version of all that was there before the history began."""
        self.unheard: set[str] = set()
        """The names of objects that the operator made without hearing so."""
        self.life_ended: Callable[[Any], None] = lambda _: None
        """Told of replicas of the operator that are gone."""
        self.alive: set[str] = set()
        """The uids of all objects."""

    @contextmanager
    def acting(self, who: str) -> Iterator[None]:
        """Somebody is at work."""
        before, self.actor = self.actor, who
        try:
            yield
        finally:
            self.actor = before

    def say(self, what: str, which: str = "", how: str = "") -> None:
        """Keep what happened."""
        self.journal.append((self.timeline.time(), self.actor, what, which, how))

    def trace(self) -> list[str]:
        """The journal, to read."""
        return [
            f"{when:10.3f}  {who:8}  {what:9} {which:50} {how}".rstrip() for when, who, what, which, how in self.journal
        ]

    def created_at(self) -> str:
        """Nodes and API server have a clock that doesn't jump."""
        return rfc3339_seconds(EPOCH + self.timeline.time())

    def changed(self, change: str, path: str, item: Body, before: Body | None) -> None:
        """Tell everybody."""
        uid = item["metadata"]["uid"]
        if change == "DELETED":
            self.alive.discard(uid)
        else:
            self.alive.add(uid)
            for owner in item["metadata"].get("ownerReferences") or ():
                if owner["uid"] not in self.alive:
                    self._collect_later(owner["uid"])
        self.say(change, short(path), summary(item))
        for listener in self.listeners:
            listener(change, path, item, before)

    def remove(self, path: str, item: Body) -> None:
        """Delete an object. The garbage collector comes a while later."""
        self.drop(path)
        self._collect_later(item["metadata"]["uid"])

    def let_go(self, place: Place, item: Body) -> None:
        """A pod goes when its node says so; everything else at once."""
        if not place.collection.endswith("/pods"):
            self.remove(place.path, item)
        elif "deletionTimestamp" not in item["metadata"]:
            meta = {**item["metadata"], "deletionTimestamp": self.created_at()}
            self._store(place.path, {**item, "metadata": meta}, item)

    def set_pod_status(self, path: str, uid: str, status: Body) -> bool:
        """What the kubelet says of a pod, if it is still that one."""
        item = self.get(path)
        if item is None or item["metadata"]["uid"] != uid:
            return False
        with self.acting("kubelet"):
            self._store(path, {**item, "status": status}, item)
        return True

    def objects(self, plural: str) -> list[Body]:
        """All objects of a kind, in the order of their names."""
        return self.listed(COLLECTIONS[plural])

    def everything(self) -> dict[str, Body]:
        """All objects by path."""
        return self._objects

    def act(self, act: Act) -> None:
        """A person does something. What can't be done any more (the object is gone) is left."""
        with self.acting("person"):
            collection = COLLECTIONS[_plural(act.kind)]
            path = f"{collection}/{act.name}"
            if act.verb == "apply":
                self._applied(collection, path, wire(act.body))
            elif act.verb == "remove":
                self.answer("DELETE", path, {})
            else:
                switch = {"cancel": {"cancel": True}, "suspend": {"suspend": True}, "resume": {"suspend": False}}
                self.answer("PATCH", path, {"spec": switch[act.verb]}, MERGE_PATCH)

    def _applied(self, collection: str, path: str, body: Body) -> Answer:
        if path not in self._objects:
            return self.answer("POST", collection, body)
        return self.answer("PATCH", path, [{"op": "replace", "path": "/spec", "value": body["spec"]}], JSON_PATCH)

    def _collect_later(self, uid: str) -> None:
        self.timeline.call_later(self.dice.uniform(0, 2), self._collect, uid)

    def _collect(self, uid: str) -> None:
        with self.acting("gc"):
            self.collect(uid)


def _plural(kind: str) -> str:
    return "configmaps" if kind == "ConfigMap" else names.plural(kind)


COLLECTIONS = collections_of(NAMESPACE)


def short(path: str) -> str:
    """The path without what all have in common."""
    return path.partition(f"/namespaces/{NAMESPACE}/")[2]


def summary(item: Body) -> str:
    """What an object says, in a few words."""
    status = item.get("status") or {}
    told = [str(status.get("phase") or "")]
    if "nodes" in status:
        told += [f"{name}:{node['phase']}/{node.get('attempt', 0)}" for name, node in sorted(status["nodes"].items())]
    for container in status.get("containerStatuses") or ():
        for state, detail in container["state"].items():
            told.append(f"{state} {detail.get('reason', '')} {detail.get('exitCode', '')}".strip())
    if item["metadata"].get("deletionTimestamp"):
        told.append("deleting")
    if item.get("kind") == "Execution":
        told += [f"{key}={value}" for key, value in item["spec"].items() if key in ("cancel", "suspend")]
    if "answer" in (item.get("spec") or {}):
        told.append(f"answer={item['spec']['answer']}")
    return " ".join(told)
