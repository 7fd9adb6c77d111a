"""What the watch streams have told us: definitions, Executions, and pods reduced to evidence.

Plain dictionaries, changed by events and by our own writes' answers, read by passes. Everything here can be rebuilt
from the API server; nothing is kept that planning doesn't need (a raw pod is read once, when its event arrives, and
dropped).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from windlass_api import names
from windlass_api.wiring import references
from windlass_operator.core.clock import parse as parse_time
from windlass_operator.core.closure import Closure
from windlass_operator.core.history import Run
from windlass_operator.core.observed import (
    ALONE,
    AskCache,
    Children,
    ChildView,
    ExecutionState,
    NodeState,
    Place,
    Question,
    Reservation,
    SignalView,
    Stored,
)
from windlass_operator.core.record import Recorded
from windlass_operator.core.states import FINISHED
from windlass_operator.core.status import parse
from windlass_operator.kinds import executions, kind_of_pod
from windlass_operator.kinds.evidence import Evidence, Waiting
from windlass_operator.kinds.pods import is_mounted, of_mounts
from windlass_operator.manifests.objects import place_of
from windlass_operator.reconcile.capacity import Capacity

Key = tuple[str, str, str]
"""(kind, namespace, name): what the queue hands to workers."""

Raw = Mapping[str, Any]


LAZY_WRITE, LONGEST_PAUSE = 1.0, 10.0
"""Seconds that a status which only says *under way* may wait to be written: short nodes then never cost that write."""
WRITES_SHARE = 10.0
"""Such writes wait so many times longer than one takes: nothing else happens to an Execution meanwhile."""


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
    version: str = ""
    """The resourceVersion with which ``written`` was written or found."""
    depth: int = 0
    """How many Executions it is inside of."""
    pinned: str = ""
    """The closure that ``state`` is about, which the status may not say yet."""
    sent: Mapping[str, Any] | None = None
    """The status that was last asked to be written: it may be there although nobody answered."""
    news: tuple[str, Raw] | None = None
    """The newest resourceVersion and status that the watch has told of, where they aren't the answer to our own write.
    """
    deleting: bool = False
    looked: bool = False
    """Whether children that ``state`` tells of, and no watch, have been looked for."""
    known: dict[Question, Any] = field(default_factory=dict)
    """Answers to what was looked up for it."""
    reservations: dict[tuple[str, str], Reservation] = field(default_factory=dict)
    lazy_since: float | None = None
    """Since when a change that isn't urgent waits to be written."""
    pause: float = LAZY_WRITE
    """Seconds that it may."""
    shown: Mapping[str, NodeState] = field(default_factory=dict)
    """The nodes that ``written`` was made of, where we made it."""
    touched: float | None = None
    """When (monotonic) the newest end of a pod arrived that hasn't been acted on."""

    def took(self, seconds: float) -> None:
        """Writing the status took that long: of a thousand nodes, or where the API server has much to do."""
        self.pause = min(LONGEST_PAUSE, max(LAZY_WRITE, WRITES_SHARE * seconds))

    def take_over(self, version: str, status: Raw) -> bool:
        """The Execution as it was found. True when its status is somebody else's: then all starts from there."""
        self.news = None
        if int(version) <= int(self.version):
            return False
        self.version = version
        if status == self.written:
            return False
        self.written, self.shown = dict(status), {}
        if status == self.sent:
            return False
        self.state, self.pinned, self.looked = parse(status), "", False
        self.known.clear()
        self.reservations.clear()
        return True

    def remember(self, recorded: Recorded) -> None:
        """What came of a pass."""
        self.state = recorded.state
        for question in recorded.outdated:
            self.known.pop(question, None)
        self.known.update(recorded.known)
        self.reservations.update(recorded.reservations)

    def forget_cache(self) -> None:
        """What the cache had counts for one pass only: others may have computed since."""
        self.known = {question: answer for question, answer in self.known.items() if not isinstance(question, AskCache)}

    @property
    def latest(self) -> Raw:
        """Its status, as far as anybody has told us."""
        return self.written if self.news is None else self.news[1]


@dataclass(slots=True)
class PodEntry:
    """A pod of an Execution."""

    view: ChildView
    uid: str
    owner: str
    version: int
    closure: str = ""
    """What its Execution was pinned to when it was started."""
    stop_grace: int | None = None
    """Seconds that it has when it is stopped, if it says so."""
    mounted: bool = False
    """Of a pod: whether its node has given it its volumes and its network."""
    trouble: Waiting | None = None
    """Of a pod: why its node hasn't, as the kubelet says in an Event. The pod itself says nothing."""

    def troubled(self, trouble: Waiting | None) -> None:
        """There was trouble with its volumes: it counts as long as the pod waits for them and says nothing else."""
        evidence = self.view.evidence
        quiet = isinstance(evidence, Waiting) and (not evidence.stuck or evidence == self.trouble)
        if trouble is not None and quiet and not self.mounted:
            self.trouble = trouble
            self.view = replace(self.view, evidence=trouble)


@dataclass(slots=True)
class Family:
    """The children of an Execution, pods or Executions: what planning sees, and who they are."""

    entries: dict[Place, PodEntry] = field(default_factory=dict)
    views: Children = field(default_factory=Children)

    def put(self, entry: PodEntry) -> None:
        """A child as it is now."""
        self.entries[entry.view.place] = entry
        self.views.put(entry.view)

    def of(self, owner: str) -> Children:
        """The children of this very Execution, not those of a deleted one that had its name."""
        if all(entry.owner == owner for entry in self.entries.values()):
            return self.views
        found = Children()
        for entry in self.entries.values():
            if entry.owner == owner:
                found.put(entry.view)
        return found


@dataclass(slots=True)
class ClosureRecord:
    """A closure in use, and which Executions own its object (see docs/decisions/0003)."""

    closure: Closure
    uid: str
    owners: set[str] = field(default_factory=set)


class Acquired(NamedTuple):
    """When a shard became this replica's."""

    at: float
    era: int
    """Which takeover that was, as the dispatcher counts them."""


FROM_THE_BEGINNING = Acquired(0.0, 0)


@dataclass(slots=True)
class Store:
    """Everything that is known."""

    definitions: dict[Key, Raw] = field(default_factory=dict)
    references: dict[Key, set[tuple[str, str]]] = field(default_factory=dict)
    """What each definition refers to: kinds and names."""
    executions: dict[tuple[str, str], Tracked] = field(default_factory=dict)
    pods: dict[tuple[str, str], Family] = field(default_factory=dict)
    children: dict[tuple[str, str], Family] = field(default_factory=dict)
    """Child Executions, by their parent."""
    signals: dict[tuple[str, str], dict[str, SignalView]] = field(default_factory=dict)
    """By Execution and the name of the gate."""
    closures: dict[tuple[str, str], ClosureRecord] = field(default_factory=dict)
    capacity: Capacity = field(default_factory=Capacity)
    acquired: dict[int, Acquired] = field(default_factory=dict)
    """When each shard became this replica's, where there are several."""

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
                version=meta["resourceVersion"],
                depth=_depth(meta),
                deleting=bool(meta.get("deletionTimestamp")),
            )
            return True
        if int(meta["resourceVersion"]) > int(tracked.version):
            tracked.news = (meta["resourceVersion"], body.get("status") or {})
        if meta.get("deletionTimestamp"):
            tracked.deleting = True
        if meta.get("generation", 1) <= tracked.generation:
            return False
        tracked.spec, tracked.generation = body.get("spec") or {}, meta["generation"]
        return True

    def refresh(self, namespace: str, name: str) -> None:
        """Before a pass: where the watch has told of a status that we didn't write, go on from there."""
        tracked = self.executions.get((namespace, name))
        if tracked is not None and tracked.news is not None:
            version, status = tracked.news
            tracked.take_over(version, status)

    def forget_execution(self, body: Raw) -> list[Key]:
        """An Execution is gone. Gives the keys of those that now have to look after a closure it owned."""
        namespace, _ = key = _id(body)
        tracked = self.executions.get(key)
        if tracked is None or tracked.uid != body["metadata"]["uid"]:
            return []
        del self.executions[key]
        self.capacity.forget(key)
        for families in (self.pods, self.children, self.signals):
            families.pop(key, None)
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

    def runs_of(self, namespace: str, plan: str) -> Iterator[Run]:
        """The runs of a launch plan that have ended, without those that are a part of others."""
        for (space, name), tracked in self.executions.items():
            target, phase = tracked.spec.get("launchPlan"), tracked.latest.get("phase")
            if space != namespace or tracked.depth or not target or target["name"] != plan or tracked.deleting:
                continue
            if phase in {one.value for one in FINISHED}:
                yield Run(tracked.latest.get("finishedAt") or "", name, tracked.uid, phase)

    def remember_pod(self, raw: Raw) -> Key | None:
        """A pod as it is now. Gives the key of its Execution when what it says is news."""
        found = _read(raw)
        return None if found is None else self._remember(self.pods, *found)

    def remember_child(self, body: Raw) -> Key | None:
        """An Execution as it is now, as the child of another: gives the key of that one when what it says is news."""
        found = _read_child(body)
        return None if found is None else self._remember(self.children, *found)

    def _remember(self, families: dict[tuple[str, str], Family], key: tuple[str, str], entry: PodEntry) -> Key | None:
        family = families.setdefault(key, Family())
        known = family.entries.get(entry.view.place)
        if known is not None and known.version > entry.version:
            return None  # we know more: of this child, or of the one that has its name now
        if known is not None and known.uid == entry.uid:
            entry.troubled(known.trouble)
        family.put(entry)
        if families is self.pods:
            self.capacity.observe(key, entry.view.name, not (entry.view.gone or entry.view.ended))
        if known is not None and known.uid == entry.uid and known.view == entry.view:
            return None
        return ("Execution", *key)

    def remember_trouble(self, event: Raw) -> Key | None:
        """An Event about the volumes of a pod. Gives the key of its Execution when that is news."""
        about = event.get("involvedObject") or {}
        for key, family in self.pods.items():
            if key[0] != about.get("namespace"):
                continue
            for view in family.views.open.values():
                entry = family.entries[view.place]
                if entry.uid != about.get("uid"):
                    continue
                before = entry.view
                entry.troubled(of_mounts(event))
                family.put(entry)
                return None if entry.view == before else ("Execution", *key)
        return None

    def forget_pod(self, raw: Raw) -> Key | None:
        """A pod is gone; what it last said stays (a result counts even if its pod doesn't last)."""
        found = _read(raw)
        return None if found is None else self._forget(self.pods, *found)

    def forget_child(self, body: Raw) -> Key | None:
        """A child Execution is gone."""
        found = _read_child(body)
        return None if found is None else self._forget(self.children, *found)

    def _forget(self, families: dict[tuple[str, str], Family], key: tuple[str, str], entry: PodEntry) -> Key | None:
        family, place = families.get(key), entry.view.place
        known = family.entries.get(place) if family is not None else None
        if families is self.pods and (known is None or known.uid == entry.uid):
            self.capacity.observe(key, entry.view.name, False)
        if family is None or known is None or known.uid != entry.uid:
            return None
        if key not in self.executions:  # it went with its Execution, and nobody will ask for it again
            del family.entries[place]
            family.views.drop(place)
            if not family.entries:
                del families[key]
            return None
        known.view = replace(entry.view, gone=True)
        family.put(known)
        return ("Execution", *key)

    def replace_pods(self, raws: list[Raw], version: int, namespace: str = "") -> list[Key]:
        """A complete list of pods (of a namespace): those that it lacks are gone, unless they are newer than it."""
        keys = {woken for raw in raws if (woken := self.remember_pod(raw)) is not None}
        present = {raw["metadata"]["uid"] for raw in raws}
        for key, family in self.pods.items():
            if namespace and key[0] != namespace:
                continue
            for entry in family.entries.values():
                if entry.uid not in present and entry.version <= version and not entry.view.gone:
                    entry.view = replace(entry.view, gone=True)
                    family.put(entry)
                    self.capacity.observe(key, entry.view.name, False)
                    keys.add(("Execution", *key))
        return sorted(keys)

    def mark_deleting(self, namespace: str, execution: str, name: str) -> None:
        """We asked for a pod to go: don't ask again."""
        family = self.pods.get((namespace, execution))
        entry = self.pod(namespace, execution, name)
        if family is not None and entry is not None:
            entry.view = replace(entry.view, deleting=True)
            family.put(entry)

    def views(self, namespace: str, execution: str, uid: str) -> Children:
        """The pods of one Execution."""
        family = self.pods.get((namespace, execution))
        return Children() if family is None else family.of(uid)

    def child_views(self, namespace: str, execution: str, uid: str) -> Children:
        """The child Executions of one Execution."""
        family = self.children.get((namespace, execution))
        return Children() if family is None else family.of(uid)

    def closure_of(self, namespace: str, execution: str, uid: str) -> str:
        """What an Execution was pinned to when its children were started; empty where there are none."""
        for families in (self.pods, self.children):
            family = families.get((namespace, execution))
            for entry in family.entries.values() if family is not None else ():
                if entry.owner == uid and entry.closure:
                    return entry.closure
        return ""

    def pod(self, namespace: str, execution: str, name: str) -> PodEntry | None:
        """One pod by name."""
        family = self.pods.get((namespace, execution))
        if family is None:
            return None
        return next((entry for entry in family.entries.values() if entry.view.name == name), None)

    def remember_signal(self, body: Raw) -> Key | None:
        """A Signal as it is now. Gives the key of its Execution when what it says is news."""
        meta, spec = body["metadata"], body.get("spec") or {}
        key = (meta["namespace"], spec.get("execution", ""))
        view = SignalView(
            name=meta["name"],
            uid=meta["uid"],
            spec=spec,
            phase=(body.get("status") or {}).get("phase") or "",
            generation=meta.get("generation", 1),
            owner=next((one["uid"] for one in meta.get("ownerReferences") or () if one["kind"] == "Execution"), ""),
        )
        known = self.signals.setdefault(key, {})
        if known.get(spec["name"]) == view:
            return None
        known[spec["name"]] = view
        return ("Execution", *key)

    def questions(self, namespace: str, execution: str, uid: str) -> dict[str, SignalView]:
        """The questions of this very Execution, not those of a deleted one that had its name."""
        found = self.signals.get((namespace, execution)) or {}
        return {name: view for name, view in found.items() if view.owner == uid}

    def forget_signal(self, body: Raw) -> Key | None:
        """A Signal is gone: its question is asked again, while somebody waits for an answer."""
        spec = body.get("spec") or {}
        key = (body["metadata"]["namespace"], spec.get("execution", ""))
        known = self.signals.get(key, {})
        view = known.get(spec.get("name", ""))
        if view is None or view.uid != body["metadata"]["uid"]:
            return None
        del known[spec["name"]]
        if not known:
            del self.signals[key]
        return ("Execution", *key)

    def _users(self, kind: str, namespace: str, name: str) -> Iterator[Key]:
        for key, wanted in self.references.items():
            if key[1] == namespace and (kind, name) in wanted:
                yield key


def _depth(meta: Raw) -> int:
    text = (meta.get("annotations") or {}).get(names.ANNOTATION_DEPTH, "")
    return int(text) if text.isdigit() else 0


def _id(body: Raw) -> tuple[str, str]:
    return body["metadata"]["namespace"], body["metadata"]["name"]


def _read(raw: Raw) -> tuple[tuple[str, str], PodEntry] | None:
    """A pod: whose it is, and what it says."""
    found = _entry(raw, kind_of_pod(raw).evidence(raw))
    if found is not None:
        found[1].mounted = is_mounted(raw)
    return found


def _read_child(body: Raw) -> tuple[tuple[str, str], PodEntry] | None:
    """A child Execution: whose it is, and what it says."""
    if names.LABEL_PARENT not in (body["metadata"].get("labels") or {}):
        return None
    spec = body.get("spec") or {}
    found = _entry(body, executions.evidence(body, lambda execution, digest: Stored(digest, execution)))
    if found is not None:
        _, entry = found
        entry.view = replace(entry.view, cancelled=bool(spec.get("cancel")), suspended=bool(spec.get("suspend")))
    return found


def _entry(raw: Raw, evidence: Evidence) -> tuple[tuple[str, str], PodEntry] | None:
    meta = raw["metadata"]
    owner = next((owner for owner in meta.get("ownerReferences") or () if owner.get("kind") == "Execution"), None)
    place = place_of(meta)
    if owner is None or place is None:
        return None
    node, attempt, element = place
    view = ChildView(
        name=meta["name"],
        node=node,
        attempt=attempt,
        evidence=evidence,
        deleting=bool(meta.get("deletionTimestamp")),
        element=ALONE if element is None else element,
        created=parse_time(meta["creationTimestamp"]) if meta.get("creationTimestamp") else 0.0,
    )
    annotations = meta.get("annotations") or {}
    grace = annotations.get(names.ANNOTATION_STOP_GRACE, "")
    entry = PodEntry(
        view,
        meta["uid"],
        owner["uid"],
        int(meta["resourceVersion"]),
        annotations.get(names.ANNOTATION_CLOSURE, ""),
        int(grace) if grace.isdigit() else None,
    )
    return (meta["namespace"], owner["name"]), entry
