"""The pods of warm workers, reduced to what planning a pool needs. Raw pods are read once, when their event arrives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from windlass_api import names
from windlass_operator.core.clock import parse
from windlass_operator.kinds.evidence import Evidence, Failed, Running, Succeeded, Waiting
from windlass_operator.kinds.pods import is_mounted
from windlass_operator.kinds.python import PYTHON

BRIEF = 30.0
"""A worker that fails within so many seconds of its start has never worked: starting the next one has to wait."""
ENDED_BY_OTHERS = frozenset({"Killed", "Terminated", "ContainerStatusUnknown", "OOMKilled"})
"""Ends that say nothing about whether the next worker will start. A pod whose container never ran is another matter."""


class Stage(Enum):
    """How far a worker's pod has come."""

    STARTING = "starting"
    STUCK = "stuck"
    RUNNING = "running"
    GOING = "going"
    """It is being deleted."""
    LEFT = "left"
    """It ended by itself."""
    FAILED = "failed"
    """It ended, and should not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPod:
    """A worker's pod, as the watch tells of it."""

    name: str
    uid: str
    revision: str
    stage: Stage
    created: float
    since: float = 0.0
    """When its container began to run, or ended."""
    started_at: float | None = None
    """When its container began to run, if it has; it may be that it is being deleted since."""
    brief: bool = False
    """Of one that failed: whether it had hardly begun."""
    reason: str = ""
    message: str = ""
    owner: str = ""
    """The uid of its ActorEnvironment."""
    authority: str = ""
    """A hash of the certificate authority that it trusts."""
    mounted: bool = False
    """Whether its node has given it its volumes and its network."""
    seen: float = 0.0
    """When this replica heard of it first, by its own clock."""

    @property
    def known_since(self) -> float:
        """Since when it has been there, by a clock that may be compared with ours: the API server's may be another."""
        return max(self.created, self.seen)

    @property
    def ended(self) -> bool:
        """Whether nothing runs in it any more."""
        return self.stage in (Stage.LEFT, Stage.FAILED)

    @property
    def alive(self) -> bool:
        """Whether it works, or will."""
        return self.stage in (Stage.STARTING, Stage.STUCK, Stage.RUNNING)

    def troubled(self, trouble: Waiting | None) -> WorkerPod:
        """With what its kubelet said, in an Event, about volumes that it can't give it: a Secret that is missing, say.
        It counts as long as the pod waits for them and says nothing else.
        """
        if trouble is None or self.mounted:
            return self
        if self.stage is not Stage.STARTING and (self.stage, self.reason) != (Stage.STUCK, trouble.reason):
            return self
        return replace(self, stage=Stage.STUCK, reason=trouble.reason, message=trouble.message)


def read(raw: Mapping[str, Any]) -> WorkerPod | None:
    """A worker's pod; None where its labels or owner don't say whose it is."""
    meta = raw["metadata"]
    owner = environment_of(meta)
    revision = (meta.get("labels") or {}).get(names.LABEL_POOL_REVISION)
    if owner is None or revision is None:
        return None
    created = parse(meta["creationTimestamp"]) if meta.get("creationTimestamp") else 0.0
    stage, at, reason, message = _stage(raw, PYTHON.evidence(raw))
    began = _began(raw)
    since = parse(at) if at else created
    return WorkerPod(
        name=meta["name"],
        uid=meta["uid"],
        revision=revision,
        stage=Stage.GOING if meta.get("deletionTimestamp") else stage,
        created=created,
        since=since,
        started_at=since if stage is Stage.RUNNING else began,
        brief=stage is Stage.FAILED and _was_brief(began, since, reason),
        reason=reason,
        message=message,
        owner=owner["uid"],
        authority=(meta.get("annotations") or {}).get(names.ANNOTATION_AUTHORITY, ""),
        mounted=is_mounted(raw),
    )


def environment_of(meta: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The reference to the ActorEnvironment that a pod belongs to."""
    return next((one for one in meta.get("ownerReferences") or () if one.get("kind") == "ActorEnvironment"), None)


def _stage(raw: Mapping[str, Any], evidence: Evidence) -> tuple[Stage, str, str, str]:
    """Its stage, since when, and why."""
    if (raw.get("status") or {}).get("phase") == "Succeeded":
        return Stage.LEFT, "", "", ""
    match evidence:
        case Waiting(reason, message, stuck):
            return (Stage.STUCK if stuck else Stage.STARTING), "", reason, message
        case Running(since):
            return Stage.RUNNING, since, "", ""
        case Succeeded(_, at):
            return Stage.LEFT, at, "", ""
        case Failed(failure, at):
            return Stage.FAILED, at, failure.code, failure.message


def _began(raw: Mapping[str, Any]) -> float | None:
    """When its container began to run, of one that has ended."""
    for entry in (raw.get("status") or {}).get("containerStatuses") or ():
        started = ((entry.get("state") or {}).get("terminated") or {}).get("startedAt")
        if started:
            return parse(started)
    return None


def _was_brief(began: float | None, ended: float, reason: str) -> bool:
    """Whether it had hardly begun, or not at all."""
    return began is None or (ended - began < BRIEF and reason not in ENDED_BY_OTHERS)
