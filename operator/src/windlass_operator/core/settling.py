"""Evidence → state: what an attempt's child says is folded into the state of its node, and failures are charged to a
budget.

``settle`` is applied until nothing changes, so a child of a *later* attempt that exists already (we crashed after
creating it, before writing the status) is found and folded in as well: no attempt is ever started twice. It serves
nodes and elements of maps alike: both are a ``Target``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from windlass_api import durations, names
from windlass_api.protocol import SILENT_BEATS
from windlass_operator.core.clock import parse as parse_time
from windlass_operator.core.closure import RUNS, Node, NodeKind
from windlass_operator.core.observed import ALONE, CacheNote, ChildView, NodeState, Observed, Place
from windlass_operator.core.states import ACTIVE, NodePhase
from windlass_operator.kinds.calls import CALL_TIMED_OUT, WORKER_LOST
from windlass_operator.kinds.evidence import Failed, Failure, FailureKind, Running, Succeeded, Waiting
from windlass_operator.kinds.stuck import Patience, Row, about_the_image, meaning
from windlass_operator.manifests.memory import can_grow

CACHED = "Cached"
LOOKS = "; its pod looks whether all of it is still in the store"

LOST_DATA = frozenset({"ValueLost"})
"""Codes of failures that are the cluster's, and that no other attempt can cure."""

RETRYING = "Retrying"
"""The reason of a node that waits for its next attempt."""

LOST = Failure(
    FailureKind.SYSTEM, "PodLost", "the pod disappeared before it delivered a result (deleted, or its node was lost)"
)
CHILD_LOST = Failure(FailureKind.SYSTEM, "ExecutionLost", "the child execution was deleted before it ended")
TIMED_OUT, PENDING_TOO_LONG, QUEUED_TOO_LONG = "TimeoutExpired", "PendingTimeout", "QueueTimeout"
CALL_GRACE = 10.0
HEARD_AGAIN = SILENT_BEATS + 1
"""Seconds, and heartbeats, beyond its timeout that a call has to end in. Its worker sees to that; where a stream went
dead it misses some beats, dials again, and says that the call ended in time. Then it is taken for failed.
"""


@dataclass(frozen=True, slots=True)
class Target:
    """What has attempts: a node, or an element of a map."""

    node: Node
    spec: Mapping[str, Any]
    """The effective spec, this run's overrides included."""
    element: int = ALONE

    def place(self, attempt: int) -> Place:
        """One of its attempts."""
        return Place(self.node.id, attempt, self.element)

    @property
    def label(self) -> int | None:
        """The element, as names take it."""
        return None if self.element == ALONE else self.element


def settle(target: Target, state: NodeState, observed: Observed, *, stopping: bool) -> NodeState:
    """The state, with everything folded in that its children say."""
    while not state.terminal:
        before, state = state, _step(target, state, observed, stopping=stopping)
        if state.attempt == before.attempt:
            break
    return state


def waits_still(target: Target, state: NodeState, observed: Observed, element: int) -> bool:
    """Whether the call of an element waits for a worker as it did, without a limit: of a wide map, nearly all do."""
    if target.node.actor is None or state.phase is not NodePhase.QUEUED or target.spec.get("queueTimeout"):
        return False
    view = observed.calls.get(Place(target.node.id, state.attempt, element))
    return (
        view is not None
        and isinstance(view.evidence, Waiting)
        and not (view.evidence.stuck or view.gone)
        and (view.evidence.reason, view.evidence.message) == (state.reason, state.message)
        and state.stuck_since is None
    )


def look_again(target: Target, state: NodeState, observed: Observed) -> float | None:
    """When an attempt that is under way runs out of time, if nothing happens before."""
    if state.phase not in ACTIVE:
        return None
    view = child_of(target, state.attempt, observed)
    times = [None if state.stuck_since is None else state.stuck_since + observed.settings.image_pull_grace]
    if view is not None:
        times += [_run_deadline(target, view, observed), _pending_deadline(target, view)]
    return min((time for time in times if time is not None), default=None)


def child_of(target: Target, attempt: int, observed: Observed) -> ChildView | None:
    """The child that decides about an attempt: its pod; or the Execution that runs a plan, or in place of the pod."""
    place = target.place(attempt)
    if target.node.kind is NodeKind.PLAN:
        return observed.executions.get(place)
    if target.node.actor is not None:
        pod = observed.calls.get(place) or observed.executions.get(place)
    else:
        pod = observed.pods.get(place)
    if pod is not None and gave_workflow(pod):
        return observed.executions.get(place, pod)
    return pod


def unseen(observed: Observed) -> Iterator[tuple[Node, str]]:
    """Nodes under way of which no child is there, and what that is called: a launch plan's is an Execution, others are
    pods. It is lost, or has not been heard of yet. (Which elements of a map are under way is not written, and workers
    are asked for calls.)
    """
    for node_id, state in observed.state.nodes.items():
        node = observed.closure.nodes.get(node_id)
        if node is None or node.kind not in RUNS or state.phase not in ACTIVE or node.mapped or node.actor:
            continue
        if child_of(Target(node, node.spec), state.attempt, observed) is None:
            yield node, names.pod_name(observed.name, node_id, state.attempt)


def gave_workflow(view: ChildView | None) -> bool:
    """Whether what it returned is a workflow, to run in its place."""
    return view is not None and isinstance(view.evidence, Succeeded) and view.evidence.workflow is not None


def _step(target: Target, state: NodeState, observed: Observed, *, stopping: bool) -> NodeState:  # noqa: PLR0911  one per kind of evidence
    view = child_of(target, state.attempt, observed)
    lost = _lost(target)
    if view is None and target.node.actor is not None and state.phase in ACTIVE:
        return _without_call(target, state, observed, stopping)
    if view is None and state.phase in ACTIVE:
        return _fail(target, state, lost, observed, stopping)
    if view is None:
        return _without_trace(target, state, lost, observed)
    if gave_workflow(view):
        if stopping:
            return _cancelled(state, observed)
        return _running(state, observed, "Expanding", "the workflow that it gave is about to run")
    if view.gone and not view.ended:
        failure = CHILD_LOST if view.place in observed.executions else lost
        return _fail(target, state, failure, observed, stopping)
    match view.evidence:
        case Waiting():
            return _waiting(target, state, view, view.evidence, observed, stopping)
        case Running():
            deadline = _run_deadline(target, view, observed)
            if deadline is not None and observed.now >= deadline and not stopping:
                return _fail(target, state, _timed_out(target), observed, stopping)
            return _running(state, observed)
        case Succeeded(deck=deck):
            return _succeeded(target, _with_deck(state, deck), view.evidence, observed, stopping)
        case Failed(failure, deck=deck):
            if failure is CALL_TIMED_OUT and target.spec.get("timeout"):
                failure = _timed_out(target)
            return _fail(target, _with_deck(state, deck), failure, observed, stopping)


def _with_deck(state: NodeState, deck: str) -> NodeState:
    return replace(state, deck=deck) if deck else state


def _lost(target: Target) -> Failure:
    """What it means that a child is not there any more."""
    if target.node.kind is NodeKind.PLAN:
        return CHILD_LOST
    return LOST if target.node.actor is None else WORKER_LOST


def _without_trace(target: Target, state: NodeState, lost: Failure, observed: Observed) -> NodeState:
    """An attempt of which nothing is there, and which nobody has written of. If there is a later one it was begun all
    the same, and failed: what of died with the operator that knew.
    """
    if child_of(target, state.attempt + 1, observed) is None:
        return state
    return _another(target, charge(target, state, lost, observed), lost, observed)


def _without_call(target: Target, state: NodeState, observed: Observed, stopping: bool) -> NodeState:
    """An attempt of which no worker that has been heard knows. One that had not begun is handed out anew."""
    assert target.node.actor is not None
    if target.node.actor.environment in observed.unsure:
        return state
    if state.phase is NodePhase.QUEUED and not stopping:
        return replace(state, phase=NodePhase.PENDING, reason="", message="", stuck_since=None)
    return _fail(target, state, WORKER_LOST, observed, stopping)


def _running(state: NodeState, observed: Observed, reason: str = "", message: str = "") -> NodeState:
    return replace(
        state,
        phase=NodePhase.RUNNING,
        reason=reason,
        message=message,
        stuck_since=None,
        started_at=_started(state, observed),
        retry_at=None,
        until=None,
    )


def _started(state: NodeState, observed: Observed) -> float:
    return state.started_at if state.started_at is not None else observed.now


def _run_deadline(target: Target, view: ChildView, observed: Observed) -> float | None:
    limit = _seconds(target, "timeout")
    if limit is None or not isinstance(view.evidence, Running) or not view.evidence.since:
        return None
    grace = CALL_GRACE + HEARD_AGAIN * observed.settings.dispatcher_heartbeat
    return parse_time(view.evidence.since) + limit + (grace if target.node.actor is not None else 0.0)


def _pending_deadline(target: Target, view: ChildView) -> float | None:
    limit = _seconds(target, "pendingTimeout" if target.node.actor is None else "queueTimeout")
    return None if limit is None or not view.created or not isinstance(view.evidence, Waiting) else view.created + limit


def _seconds(target: Target, field: str) -> float | None:
    """A time limit of the task; none where it is lifted."""
    text = target.spec.get(field)
    return (durations.seconds(text) or None) if isinstance(text, str) else None


def _timed_out(target: Target) -> Failure:
    text = f"the attempt ran longer than its timeout of {target.spec['timeout']}"
    return Failure(FailureKind.USER, TIMED_OUT, text, recoverable=True)


def _waiting(
    target: Target, state: NodeState, view: ChildView, evidence: Waiting, observed: Observed, stopping: bool
) -> NodeState:
    deadline = _pending_deadline(target, view)
    if deadline is not None and observed.now >= deadline:
        why = f": {evidence.reason}: {evidence.message}" if evidence.reason else ""
        if target.node.actor is not None:
            text = f"no worker took the call within its queueTimeout of {target.spec['queueTimeout']}{why}"
            return _fail(target, state, Failure(FailureKind.USER, QUEUED_TOO_LONG, text), observed, stopping)
        text = f"the pod did not start within its pendingTimeout of {target.spec['pendingTimeout']}{why}"
        return _fail(target, state, Failure(FailureKind.SYSTEM, PENDING_TOO_LONG, text), observed, stopping)
    since = None
    if evidence.stuck:
        since = state.stuck_since if state.stuck_since is not None else observed.now
        means = meaning(evidence.reason, evidence.message)
        if evidence.times_out and _impatient(means, observed.now - since, observed):
            text = f"{_subject(target, evidence, observed)}{evidence.message or evidence.reason}"
            return _fail(target, state, Failure(means.kind, evidence.reason, text), observed, stopping)
    return replace(
        state,
        phase=NodePhase.QUEUED,
        reason=evidence.reason,
        message=evidence.message,
        stuck_since=since,
        started_at=_started(state, observed),
        retry_at=None,
        until=None,
    )


def _impatient(means: Row, waited: float, observed: Observed) -> bool:
    if means.patience is Patience.GRACE:
        return waited >= observed.settings.image_pull_grace
    return means.patience is Patience.NONE


def _subject(target: Target, evidence: Waiting, observed: Observed) -> str:
    if target.node.actor is not None:
        return ""  # the pool's message begins with its worker
    image = target.spec.get("image") or observed.settings.default_image
    return f"image {image!r}: " if about_the_image(evidence.reason) else "the container: "


def _succeeded(target: Target, state: NodeState, evidence: Succeeded, observed: Observed, stopping: bool) -> NodeState:
    missing = [name for name in target.spec.get("outputs") or {} if name not in evidence.outputs]
    if missing:
        failure = Failure(
            FailureKind.USER,
            "MissingOutput",
            f"the task declares the output {missing[0]!r}, but gave {sorted(evidence.outputs) or 'nothing'}",
        )
        return _fail(target, state, failure, observed, stopping)
    return replace(
        state,
        phase=NodePhase.SUCCEEDED,
        outputs=dict(evidence.outputs),
        finished_at=observed.now,
        started_at=_started(state, observed),
        reason=CACHED if evidence.reused else "",
        message="",
        cache=_looked_for(state.cache, evidence),
        retry_at=None,
        stuck_since=None,
        until=None,
    )


def _looked_for(note: CacheNote | None, evidence: Succeeded) -> CacheNote | None:
    """What the cache meant, once the pod has looked whether all of a cached result is there."""
    if note is None or not evidence.reused:
        return note
    return replace(note, state="Hit", message=note.message.partition(LOOKS)[0])


def _cancelled(state: NodeState, observed: Observed) -> NodeState:
    return replace(
        state,
        phase=NodePhase.CANCELLED,
        finished_at=observed.now,
        reason="Cancelled",
        message="",
        retry_at=None,
        stuck_since=None,
        until=None,
    )


def _fail(target: Target, state: NodeState, failure: Failure, observed: Observed, stopping: bool) -> NodeState:
    if stopping:
        return _cancelled(state, observed)
    charged = replace(charge(target, state, failure, observed), stuck_since=None, until=None)
    if may_retry(target, state, charged, failure, observed):
        return _another(target, charged, failure, observed)
    return replace(
        charged,
        phase=NodePhase.FAILED,
        finished_at=observed.now,
        started_at=_started(charged, observed),
        reason=failure.code,
        message=failure.message,
        failure=failure,
        retry_at=None,
    )


def charge(target: Target, state: NodeState, failure: Failure, observed: Observed) -> NodeState:
    """The state with a failure on the account of who is to blame."""
    if failure.kind is FailureKind.SYSTEM:
        return replace(state, system_failures=state.system_failures + 1)
    if failure.kind is FailureKind.OOM and can_grow(target.spec, state.oom_failures, observed.settings.oom_factor):
        return replace(state, oom_failures=state.oom_failures + 1)
    return replace(state, user_failures=state.user_failures + 1)


def may_retry(target: Target, before: NodeState, charged: NodeState, failure: Failure, observed: Observed) -> bool:
    """Whether the budget that paid for a failure has an attempt left. That of memory ends where it can't grow."""
    if failure.code in LOST_DATA:
        return False
    if failure.kind is FailureKind.SYSTEM:
        return charged.system_failures <= observed.settings.system_retries
    if charged.oom_failures > before.oom_failures:
        return True
    return failure.recoverable and charged.user_failures <= int(target.spec.get("retries") or 0)


def _another(target: Target, charged: NodeState, failure: Failure, observed: Observed) -> NodeState:
    """It is tried again, after a pause."""
    seed = names.pod_name(observed.name, target.node.id, charged.attempt + 1, target.label)
    return replace(
        charged,
        phase=NodePhase.PENDING,
        attempt=charged.attempt + 1,
        reason=RETRYING,
        message=f"attempt {charged.attempt} failed: {failure.code}: {failure.message}",
        execution="",
        unsure=False,
        retry_at=observed.now
        + backoff(charged.failures, seed, observed.settings.backoff_base, observed.settings.backoff_cap),
    )


def backoff(failures: int, seed: str, base: float, cap: float) -> float:
    """Seconds to wait after so many failures: doubling from ``base`` up to ``cap``, ±20 % by a hash of ``seed``."""
    spread = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") / 2**32
    return float(min(cap, base * 2 ** min(failures - 1, 30))) * (0.8 + 0.4 * spread)
