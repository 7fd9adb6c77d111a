"""What the watch streams have told us: definitions, Executions, and pods reduced to evidence.

Plain dictionaries, changed by events and by our own writes' answers, read by passes. Everything here can be rebuilt
from the API server; nothing is kept that planning doesn't need (a raw pod is read once, when its event arrives, and
dropped).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from windlass_api import names
from windlass_api.wiring import references
from windlass_operator.core.closure import Closure
from windlass_operator.core.observed import ExecutionState, PodView
from windlass_operator.core.status import parse
from windlass_operator.kinds import KINDS

Key = tuple[str, str, str]
"""(kind, namespace, name): what the queue hands to workers."""

Raw = Mapping[str, Any]


@dataclass(slots=True)
class Tracked:
    """One Execution that we look after. Only the worker of its key changes it, but for ``spec`` and ``generation``."""

    uid: str
    spec: Mapping[str, Any]
    generation: int
    written: dict[str, Any]
    """Its status, as we last wrote it (or found it)."""
    state: ExecutionState
    created: str = ""
    deleting: bool = False
    lazy_since: float | None = None
    """Since when a change that isn't urgent waits to be written."""
    touched: float | None = None
    """When (monotonic) the newest end of a pod arrived that hasn't been acted on."""


@dataclass(slots=True)
class PodEntry:
    """A pod of an Execution."""

    view: PodView
    uid: str
    owner: str
    version: int


@dataclass(slots=True)
class ClosureRecord:
    """A closure in use, and which Executions own its object (see docs/decisions/0003)."""

    closure: Closure
    uid: str
    owners: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Store:
    """Everything that is known."""

    definitions: dict[Key, Raw] = field(default_factory=dict)
    references: dict[Key, set[tuple[str, str]]] = field(default_factory=dict)
    """What each definition refers to: kinds and names."""
    executions: dict[tuple[str, str], Tracked] = field(default_factory=dict)
    pods: dict[tuple[str, str], dict[tuple[str, int], PodEntry]] = field(default_factory=dict)
    closures: dict[tuple[str, str], ClosureRecord] = field(default_factory=dict)

    def remember_definition(self, kind: str, body: Raw) -> None:
        """A definition as it is now."""
        key = (kind, *_id(body))
        self.definitions[key], self.references[key] = body, references(kind, body["spec"])

    def forget_definition(self, kind: str, body: Raw) -> None:
        """A definition is gone."""
        key = (kind, *_id(body))
        self.definitions.pop(key, None)
        self.references.pop(key, None)

    def definition(self, kind: str, namespace: str, name: str) -> Raw | None:
        """A definition, if there is one."""
        return self.definitions.get((kind, namespace, name))

    def dependents(self, kind: str, namespace: str, name: str) -> Iterator[Key]:
        """Who may have been waiting for a definition: definitions that name it (by a launch plan, too), and Executions
        that aren't admitted.
        """
        for key in self._users(kind, namespace, name):
            yield key
            if key[0] == "LaunchPlan":
                yield from self._users(*key)
        for (space, execution), tracked in self.executions.items():
            if space == namespace and not tracked.written.get("closure") and not tracked.state.finished_at:
                yield "Execution", space, execution

    def remember_execution(self, body: Raw) -> bool:
        """An Execution as it is now. True when something is new that a pass should look at."""
        meta = body["metadata"]
        tracked = self.executions.get(_id(body))
        if tracked is None or tracked.uid != meta["uid"]:
            status = body.get("status") or {}
            self.executions[_id(body)] = Tracked(
                uid=meta["uid"],
                spec=body.get("spec") or {},
                generation=meta.get("generation", 1),
                written=status,
                state=parse(status),
                created=meta.get("creationTimestamp", ""),
                deleting=bool(meta.get("deletionTimestamp")),
            )
            return True
        if meta.get("deletionTimestamp"):
            tracked.deleting = True
        if meta.get("generation", 1) <= tracked.generation:
            return False
        tracked.spec, tracked.generation = body.get("spec") or {}, meta["generation"]
        return True

    def forget_execution(self, body: Raw) -> list[Key]:
        """An Execution is gone. Gives the keys of those that now have to look after a closure it owned."""
        namespace, _ = key = _id(body)
        tracked = self.executions.get(key)
        if tracked is None or tracked.uid != body["metadata"]["uid"]:
            return []
        del self.executions[key]
        self.pods.pop(key, None)
        digest = tracked.written.get("closure")
        record = self.closures.get((namespace, digest)) if digest else None
        if record is None:
            return []
        record.owners.discard(tracked.uid)
        users = [
            ("Execution", *other)
            for other, one in self.executions.items()
            if other[0] == namespace and one.written.get("closure") == digest
        ]
        if not users:
            del self.closures[namespace, record.closure.hash]
        return users if not record.owners else []

    def remember_pod(self, raw: Raw) -> Key | None:
        """A pod as it is now. Gives the key of its Execution when what it says is news."""
        found = _read(raw)
        if found is None:
            return None
        key, place, entry = found
        pods = self.pods.setdefault(key, {})
        known = pods.get(place)
        if known is not None and known.version > entry.version:
            return None  # we know more: of this pod, or of the one that has its name now
        pods[place] = entry
        if known is not None and known.uid == entry.uid and known.view == entry.view:
            return None
        return ("Execution", *key)

    def forget_pod(self, raw: Raw) -> Key | None:
        """A pod is gone; what it last said stays (a result counts even if its pod doesn't last)."""
        found = _read(raw)
        if found is None:
            return None
        key, place, entry = found
        known = self.pods.get(key, {}).get(place)
        if known is None or known.uid != entry.uid:
            return None
        if key not in self.executions:  # it went with its Execution, and nobody will ask for it again
            self._drop_pod(key, place)
            return None
        known.view = replace(entry.view, gone=True)
        return ("Execution", *key)

    def replace_pods(self, raws: list[Raw], version: int) -> list[Key]:
        """A complete list of pods: those that it lacks are gone, unless they are newer than the list."""
        keys = {woken for raw in raws if (woken := self.remember_pod(raw)) is not None}
        present = {raw["metadata"]["uid"] for raw in raws}
        for key, pods in self.pods.items():
            for entry in pods.values():
                if entry.uid not in present and entry.version <= version and not entry.view.gone:
                    entry.view = replace(entry.view, gone=True)
                    keys.add(("Execution", *key))
        return sorted(keys)

    def mark_deleting(self, namespace: str, execution: str, name: str) -> None:
        """We asked for a pod to go: don't ask again."""
        for entry in self.pods.get((namespace, execution), {}).values():
            if entry.view.name == name:
                entry.view = replace(entry.view, deleting=True)

    def views(self, namespace: str, execution: str, uid: str) -> dict[tuple[str, int], PodView]:
        """The pods of one Execution, not those of a deleted one that had its name."""
        return {
            place: entry.view
            for place, entry in self.pods.get((namespace, execution), {}).items()
            if entry.owner == uid
        }

    def pod(self, namespace: str, execution: str, name: str) -> PodEntry | None:
        """One pod by name."""
        return next((entry for entry in self._entries(namespace, execution) if entry.view.name == name), None)

    def _users(self, kind: str, namespace: str, name: str) -> Iterator[Key]:
        for key, wanted in self.references.items():
            if key[1] == namespace and (kind, name) in wanted:
                yield key

    def _drop_pod(self, key: tuple[str, str], place: tuple[str, int]) -> None:
        del self.pods[key][place]
        if not self.pods[key]:
            del self.pods[key]

    def _entries(self, namespace: str, execution: str) -> Iterable[PodEntry]:
        return self.pods.get((namespace, execution), {}).values()


def _id(body: Raw) -> tuple[str, str]:
    return body["metadata"]["namespace"], body["metadata"]["name"]


def _read(raw: Raw) -> tuple[tuple[str, str], tuple[str, int], PodEntry] | None:
    meta = raw["metadata"]
    labels = meta.get("labels") or {}
    owner = next((owner for owner in meta.get("ownerReferences") or () if owner.get("kind") == "Execution"), None)
    if owner is None or not str(labels.get(names.LABEL_ATTEMPT, "")).isdigit() or names.LABEL_NODE not in labels:
        return None
    node, attempt = labels[names.LABEL_NODE], int(labels[names.LABEL_ATTEMPT])
    view = PodView(
        name=meta["name"],
        node=node,
        attempt=attempt,
        evidence=KINDS[0].evidence(raw),
        deleting=bool(meta.get("deletionTimestamp")),
    )
    entry = PodEntry(view, meta["uid"], owner["uid"], int(meta["resourceVersion"]))
    return (meta["namespace"], owner["name"]), (node, attempt), entry
