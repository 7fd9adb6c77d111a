"""Evidence → state: what a node's pod says is folded into the node's state, and failures are charged to a budget.

``settle`` is applied until nothing changes, so a pod of a *later* attempt that exists already (we crashed after
creating it, before writing the status) is found and folded in as well: no attempt is ever started twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from windlass_api import names
from windlass_operator.core.closure import Node
from windlass_operator.core.observed import NodeState, Observed, PodView
from windlass_operator.core.states import ACTIVE, NodePhase
from windlass_operator.kinds.evidence import Failed, Failure, FailureKind, Running, Succeeded, Waiting

PERMANENT = frozenset({"InvalidImageName", "ErrImageNeverPull"})
"""Stuck reasons that no waiting can cure."""

PATIENT = frozenset({"Unschedulable"})
"""Stuck reasons that may end by themselves however long it takes (a node is added, another pod ends)."""

RETRYING = "Retrying"
"""The reason of a node that waits for its next attempt."""

LOST = Failure(
    FailureKind.SYSTEM, "PodLost", "the pod disappeared before it delivered a result (deleted, or its node was lost)"
)


def settle(node: Node, state: NodeState, observed: Observed, *, stopping: bool) -> NodeState:
    """The node's state, with everything folded in that its pods say."""
    while not state.terminal:
        before, state = state, _step(node, state, observed, stopping=stopping)
        if state.attempt == before.attempt:
            break
    return state


def _step(node: Node, state: NodeState, observed: Observed, *, stopping: bool) -> NodeState:
    view = observed.pods.get((node.id, state.attempt))
    if view is None:
        return _fail(node, state, LOST, observed, stopping) if state.phase in ACTIVE else state
    if view.gone and not isinstance(view.evidence, Succeeded | Failed):
        return _fail(node, state, LOST, observed, stopping)
    match view.evidence:
        case Waiting():
            return _waiting(node, state, view, view.evidence, observed, stopping)
        case Running():
            return replace(
                state,
                phase=NodePhase.RUNNING,
                reason="",
                message="",
                stuck_since=None,
                started_at=state.started_at if state.started_at is not None else observed.now,
                retry_at=None,
            )
        case Succeeded():
            return _succeeded(node, state, view.evidence, observed, stopping)
        case Failed():
            return _fail(node, state, view.evidence.failure, observed, stopping)


def _waiting(
    node: Node, state: NodeState, view: PodView, evidence: Waiting, observed: Observed, stopping: bool
) -> NodeState:
    started = state.started_at if state.started_at is not None else observed.now
    if not evidence.stuck:
        return replace(
            state,
            phase=NodePhase.QUEUED,
            reason=evidence.reason,
            message=evidence.message,
            stuck_since=None,
            started_at=started,
            retry_at=None,
        )
    since = state.stuck_since if state.stuck_since is not None else observed.now
    impatient = evidence.reason in PERMANENT or (
        evidence.reason not in PATIENT and observed.now - since >= observed.settings.image_pull_grace
    )
    if impatient:
        failure = Failure(
            FailureKind.USER,
            evidence.reason,
            f"{_subject(node, evidence, observed)}: {evidence.message or evidence.reason}",
        )
        return _fail(node, state, failure, observed, stopping)
    return replace(
        state,
        phase=NodePhase.QUEUED,
        reason=evidence.reason,
        message=evidence.message,
        stuck_since=since,
        started_at=started,
        retry_at=None,
    )


def _subject(node: Node, evidence: Waiting, observed: Observed) -> str:
    image = node.spec.get("image") or observed.settings.default_image
    return f"image {image!r}" if "Image" in evidence.reason else "the container"


def _succeeded(node: Node, state: NodeState, evidence: Succeeded, observed: Observed, stopping: bool) -> NodeState:
    missing = [name for name in node.spec.get("outputs") or {} if name not in evidence.outputs]
    if missing:
        failure = Failure(
            FailureKind.USER,
            "MissingOutput",
            f"the task declares the output {missing[0]!r}, but gave {sorted(evidence.outputs) or 'nothing'}",
        )
        return _fail(node, state, failure, observed, stopping)
    return replace(
        state,
        phase=NodePhase.SUCCEEDED,
        outputs=dict(evidence.outputs),
        finished_at=observed.now,
        started_at=state.started_at if state.started_at is not None else observed.now,
        reason="",
        message="",
        retry_at=None,
        stuck_since=None,
    )


def _fail(node: Node, state: NodeState, failure: Failure, observed: Observed, stopping: bool) -> NodeState:
    if stopping:
        return replace(
            state,
            phase=NodePhase.CANCELLED,
            finished_at=observed.now,
            reason="Cancelled",
            message="",
            retry_at=None,
            stuck_since=None,
        )
    user = failure.kind is FailureKind.USER
    charged = replace(
        state,
        user_failures=state.user_failures + (1 if user else 0),
        system_failures=state.system_failures + (0 if user else 1),
        stuck_since=None,
    )
    if _may_retry(node, charged, failure, observed):
        return _next_attempt(charged, failure, observed, names.pod_name(observed.name, node.id, state.attempt + 1))
    return replace(
        charged,
        phase=NodePhase.FAILED,
        finished_at=observed.now,
        started_at=charged.started_at if charged.started_at is not None else observed.now,
        reason=failure.code,
        message=failure.message,
        failure=failure,
        retry_at=None,
    )


def _may_retry(node: Node, charged: NodeState, failure: Failure, observed: Observed) -> bool:
    if failure.kind is FailureKind.SYSTEM:
        return charged.system_failures <= observed.settings.system_retries
    return failure.recoverable and charged.user_failures <= int(node.spec.get("retries") or 0)


def _next_attempt(charged: NodeState, failure: Failure, observed: Observed, seed: str) -> NodeState:
    failures = charged.user_failures + charged.system_failures
    return replace(
        charged,
        phase=NodePhase.PENDING,
        attempt=charged.attempt + 1,
        reason=RETRYING,
        message=f"attempt {charged.attempt} failed: {failure.code}: {failure.message}",
        retry_at=observed.now + backoff(failures, seed, observed.settings.backoff_base, observed.settings.backoff_cap),
    )


def backoff(failures: int, seed: str, base: float, cap: float) -> float:
    """Seconds to wait after so many failures: doubling from ``base`` up to ``cap``, ±20 % by a hash of ``seed``."""
    spread = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") / 2**32
    return float(min(cap, base * 2 ** min(failures - 1, 30))) * (0.8 + 0.4 * spread)
