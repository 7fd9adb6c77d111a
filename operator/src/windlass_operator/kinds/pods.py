"""What a pod says of its attempt, whatever kind of task it runs: that it waits, that it runs, who ended it.

A kind reads what its containers leave behind; this is what all kinds share. Where the cluster ended a pod, the
condition ``DisruptionTarget`` says so; then its own reason may, by the table ``OF_THE_POD``; then the reason and exit
code of the container decide, by a table of the kind's. A pod whose container never ran is the cluster's failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from windlass_operator.kinds.evidence import Failure, FailureKind, Running, Waiting
from windlass_operator.kinds.stuck import REASONS as STUCK_REASONS
from windlass_operator.manifests.look import CONTAINER

Body = Mapping[str, Any]

DISRUPTIONS = frozenset(
    {"Evicted", "NodeLost", "NodeShutdown", "Shutdown", "Terminated", "Preempting", "UnexpectedAdmissionError"}
)
"""``status.reason`` of pods that the cluster ended, not their code."""

NOT_ADMITTED = frozenset(
    {
        "AppArmor",
        "InvalidNodeInfo",
        "NodeAffinity",
        "NodeName",
        "NodePorts",
        "PodFeatureUnsupported",
        "PodOSNotSupported",
        "PodOSSelectorNodeLabelDoesNotMatch",
        "SysctlForbidden",
        "TaintToleration",
        "TopologyAffinityError",
        "UnexpectedPredicateFailureType",
    }
)
"""``status.reason`` of pods that their node's kubelet did not take. Beside these there is one for each resource that
there is too little of, such as ``OutOfcpu``. A kubelet that starts anew ends running pods with them, too.
"""

OF_THE_POD: tuple[tuple[Callable[[str], bool], FailureKind, str, bool], ...] = (
    # the pod's reason → kind, message, whether the user's retries apply
    (lambda reason: reason == "DeadlineExceeded", FailureKind.USER, "the pod had a deadline, and exceeded it", True),
    (lambda reason: reason in DISRUPTIONS, FailureKind.SYSTEM, "the cluster ended the pod", False),
    (
        lambda reason: reason in NOT_ADMITTED or reason.startswith("OutOf"),
        FailureKind.SYSTEM,
        "its node did not take the pod",
        False,
    ),
)
"""What the reason of a pod itself means. The first row that matches counts; where none does, its container decides."""


class Exit(NamedTuple):
    """What an exit means that nobody has explained: one row of a table, of which the first that matches counts."""

    matches: Callable[[Any, str], bool]
    """By the exit code and the reason."""
    kind: FailureKind
    code: str
    text: str
    """``{code}`` and ``{reason}`` may stand in it."""
    recoverable: bool
    """Whether the user's retries apply."""


OUT_OF_MEMORY = Exit(
    lambda code, reason: reason == "OOMKilled",
    FailureKind.OOM,
    "OOMKilled",
    "the container was killed because it used more memory than its limit; raise the task's memory limit",
    True,
)
UNKNOWN = Exit(
    lambda code, reason: reason in ("ContainerStatusUnknown", "Unknown"),
    FailureKind.SYSTEM,
    "ContainerStatusUnknown",
    "nobody knows what became of the container: its node, or what runs containers there, was started anew",
    False,
)
KILLED = Exit(
    lambda code, reason: code in (137, 247),
    FailureKind.SYSTEM,
    "Killed",
    "the container was killed (exit code {code})",
    False,
)
TOLD_TO_STOP = Exit(
    lambda code, reason: code == 143,
    FailureKind.SYSTEM,
    "Terminated",
    "the container was told to stop (exit code {code})",
    False,
)


def container_of(status: Body, name: str = CONTAINER, section: str = "containerStatuses") -> Body:
    """The status of a container; empty where there is none yet."""
    for entry in status.get(section) or ():
        if entry.get("name") == name:
            found: Body = entry
            return found
    return {}


def is_mounted(raw: Body) -> bool:
    """Whether a pod's node has given it its volumes and its network."""
    return any(
        one.get("type") == "PodReadyToStartContainers" and one.get("status") == "True"
        for one in (raw.get("status") or {}).get("conditions") or ()
    )


def of_mounts(event: Body) -> Waiting:
    """What a kubelet says, in an Event, of volumes that it can't give to a pod: the pod itself says nothing of it."""
    return Waiting(event.get("reason") or "", event.get("message") or "", stuck=True)


def ended_of(container: Body) -> Body:
    """How a container ended; empty where it hasn't."""
    found: Body = (container.get("state") or {}).get("terminated") or {}
    return found


def under_way(status: Body) -> Waiting | Running:
    """What a pod says that has not ended."""
    state = container_of(status).get("state") or {}
    begun = state.get("running") or state.get("terminated")
    if begun:
        return Running(since=begun.get("startedAt") or "")
    return _waiting(status)


def _waiting(status: Body) -> Waiting:
    for entry in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (entry.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in STUCK_REASONS:
            return Waiting(waiting["reason"], waiting.get("message") or "", stuck=True)
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason = condition.get("reason") or "Unschedulable"
            return Waiting(reason, condition.get("message") or "", stuck=reason in STUCK_REASONS)
    return Waiting()


def failure_of(status: Body, exits: Iterable[Exit]) -> Failure:
    """Why a pod has failed whose containers have not said so themselves. The last of the ``exits`` matches any."""
    return by_the_cluster(status) or by_exit(ended_of(container_of(status)), exits)


def by_the_cluster(status: Body) -> Failure | None:
    """The failure, where the cluster ended the pod, or never ran its container."""
    disruption = next(
        (
            c
            for c in status.get("conditions") or ()
            if c.get("type") == "DisruptionTarget" and c.get("status") == "True"
        ),
        None,
    )
    if disruption is not None:
        return Failure(
            FailureKind.SYSTEM,
            disruption.get("reason") or "Disrupted",
            disruption.get("message") or "the pod was disrupted",
        )
    reason, message = status.get("reason") or "", status.get("message") or ""
    for concerns, kind, text, recoverable in OF_THE_POD:
        if concerns(reason):
            return Failure(kind, reason, message or text, recoverable=recoverable)
    if not ended_of(container_of(status)):
        text = message or _init_trouble(status) or "the pod ended before its container ran"
        return Failure(FailureKind.SYSTEM, reason or "PodFailed", text)
    return None


def _init_trouble(status: Body) -> str:
    for entry in status.get("initContainerStatuses") or ():
        ended = ended_of(entry)
        if ended.get("exitCode"):
            why = f"{ended['exitCode']}: {ended.get('message') or ''}"
            return f"init container {entry['name']!r} ended with exit code {why}"
    return ""


def by_exit(terminated: Body, exits: Iterable[Exit]) -> Failure:
    """What the end of a container means, with the end of its log where there is one. The last row matches any."""
    code, reason = terminated.get("exitCode"), terminated.get("reason") or ""
    tail = (terminated.get("message") or "").strip()
    for row in exits:
        if row.matches(code, reason):
            message = row.text.format(code=code, reason=reason)
            return Failure(row.kind, row.code, f"{message}: {tail}" if tail else message, recoverable=row.recoverable)
    raise AssertionError("the last row matches everything")


def recorded(error: Body) -> Failure:
    """A failure that a program of Windlass's put down in its record."""
    return Failure(
        kind=FailureKind.SYSTEM if error.get("kind") == "system" else FailureKind.USER,
        code=str(error.get("code") or "USER:Unknown"),
        message=str(error.get("message") or ""),
        type=str(error.get("type") or ""),
        traceback=str(error.get("traceback") or ""),
        recoverable=bool(error.get("recoverable")),
    )
