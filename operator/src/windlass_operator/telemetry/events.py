"""Kubernetes Events: few, for what a person should look at. ``kubectl describe execution`` shows them under the
conditions.

One Event per (node, attempt, reason), by its name; so a repeated pass adds nothing.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

from windlass_api import names
from windlass_operator.core.attempts import CONNECTING
from windlass_operator.core.clock import rfc3339_seconds
from windlass_operator.core.closure import NodeKind
from windlass_operator.core.gates import PARALLELISM, SUSPENDED, UPSTREAM
from windlass_operator.core.plan_execution import Transition
from windlass_operator.core.settling import RETRYING
from windlass_operator.core.states import NodePhase
from windlass_operator.core.status import shorten
from windlass_operator.core.waiting import WAITS_FOR

ASKS = frozenset({WAITS_FOR[NodeKind.APPROVE], WAITS_FOR[NodeKind.INPUT]})
"""Reasons of nodes that wait for a person."""
QUIET = frozenset({UPSTREAM, PARALLELISM, SUSPENDED, CONNECTING})
"""Reasons that the status tells, and that are nothing to look at."""


class EventSink(Protocol):
    """Where Events go; it returns at once and never raises."""

    def __call__(self, namespace: str, manifest: dict[str, Any]) -> None:
        """Send an Event when there is time for it."""


def noteworthy(transition: Transition) -> tuple[str, str] | None:
    """The reason and text of the Event that a transition is worth, if it is."""
    if transition.after is NodePhase.FAILED:
        return "NodeFailed", f"node {transition.node}: {transition.reason}: {transition.message}"
    if transition.reason == RETRYING:
        return "NodeRetrying", f"node {transition.node}: {transition.message}"
    if transition.after is NodePhase.RUNNING and transition.reason in ASKS:
        return f"WaitingFor{transition.reason}", f"node {transition.node}: {transition.message}"
    waits = transition.after in (NodePhase.QUEUED, NodePhase.PENDING)
    if waits and transition.reason and transition.reason not in QUIET:
        return transition.reason, f"node {transition.node}: {transition.message}"
    return None


def event(
    namespace: str, execution: str, uid: str, transition: Transition, reason: str, text: str, now: float
) -> dict[str, Any]:
    """The Event about a transition."""
    digest = hashlib.sha256(f"{uid}/{transition.node}/{transition.attempt}/{reason}".encode()).hexdigest()[:12]
    when = rfc3339_seconds(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{execution}.{digest}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": "Execution",
            "name": execution,
            "namespace": namespace,
            "uid": uid,
        },
        "type": "Normal" if reason.startswith("WaitingFor") else "Warning",
        "reason": reason[:128],
        "message": shorten(text),
        "source": {"component": names.FIELD_MANAGER},
        "reportingComponent": names.FIELD_MANAGER,
        "firstTimestamp": when,
        "lastTimestamp": when,
        "count": 1,
    }
