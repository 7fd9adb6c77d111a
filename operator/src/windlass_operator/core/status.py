"""The Execution's state ⇄ its ``status``: what people read with kubectl, and what a restarted operator starts from.

``render`` writes, ``parse`` reads; ``parse(render(state))`` loses nothing that planning needs. ``patch`` is the JSON
Patch from the status that was last written to the one wanted: a transition of one node writes that node only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_api import conditions, names
from windlass_operator.core.clock import duration, parse as parse_time, rfc3339, rfc3339_seconds
from windlass_operator.core.closure import Closure
from windlass_operator.core.observed import ExecutionError, ExecutionState, NodeState
from windlass_operator.core.states import FINISHED, ExecutionPhase, NodePhase
from windlass_operator.kinds.evidence import Failure, FailureKind

MESSAGE_LIMIT = 1024
"""Characters of a message in the status. The full text of an error is in ``status.error`` and in the pod's log."""

Status = dict[str, Any]


def render(
    previous: Mapping[str, Any],
    state: ExecutionState,
    closure: Closure,
    stuck: tuple[str, str, str] | None,
    generation: int,
    now: float,
) -> Status:
    """The status of an admitted Execution. Parts that didn't change are the previous objects, so that diffs are
    cheap.
    """
    old_nodes = previous.get("nodes") or {}
    nodes = {name: _node(old_nodes.get(name), node, closure, name) for name, node in state.nodes.items()}
    status: Status = {
        "observedGeneration": generation,
        "phase": state.phase.value,
        "closure": closure.hash,
        "progress": f"{sum(node.phase is NodePhase.SUCCEEDED for node in state.nodes.values())}/{len(state.nodes)}",
        "nodes": nodes,
        "conditions": _conditions(list(previous.get("conditions") or ()), state, stuck, generation, now),
    }
    if state.started_at is not None:
        status["startedAt"] = rfc3339(state.started_at)
    if state.finished_at is not None:
        status["finishedAt"] = rfc3339(state.finished_at)
    if state.started_at is not None and state.finished_at is not None:
        status["duration"] = duration(state.finished_at - state.started_at)
    if state.outputs is not None:
        status["outputs"] = dict(state.outputs)
    if state.error is not None:
        status["error"] = _error(state.error)
    return status


def waiting(previous: Mapping[str, Any], reason: str, message: str, generation: int, now: float) -> Status:
    """The status of an Execution that can't be admitted yet."""
    listed = _set(list(previous.get("conditions") or ()), conditions.ACCEPTED, False, reason, message, generation, now)
    listed = _set(listed, conditions.STALLED, True, reason, message, generation, now)
    return {**previous, "observedGeneration": generation, "phase": ExecutionPhase.PENDING.value, "conditions": listed}


def over_before_start(
    previous: Mapping[str, Any], phase: ExecutionPhase, reason: str, message: str, generation: int, now: float
) -> Status:
    """The status of an Execution that was refused, or cancelled before it could be admitted."""
    message = shorten(message)
    listed = list(previous.get("conditions") or ())
    refused = phase is ExecutionPhase.FAILED
    listed = _set(listed, conditions.ACCEPTED, False, reason, message, generation, now)
    for under_way in (conditions.RECONCILING, conditions.STALLED):
        if conditions.get(listed, under_way):
            listed = _set(listed, under_way, False, reason, "", generation, now)
    listed = _set(listed, conditions.FAILED, True, reason, message, generation, now)
    listed = _set(listed, conditions.FINISHED, True, reason, "", generation, now)
    status: Status = {
        **previous,
        "observedGeneration": generation,
        "phase": phase.value,
        "finishedAt": rfc3339(now),
        "conditions": listed,
    }
    if refused:
        status["error"] = {"code": reason, "kind": FailureKind.USER.value, "message": message}
    return status


Operation = dict[str, Any]


def patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Operation]:
    """The JSON Patch from one status to the other; empty when nothing changed.

    Not a merge patch: that takes a None among a user's values for a removal.
    """
    if not old:
        return [{"op": "add", "path": "/status", "value": dict(new)}] if new else []
    operations = [{"op": "remove", "path": f"/status/{key}"} for key in old if key not in new]
    for key, value in new.items():
        before = old.get(key)
        if key in old and (before is value or before == value):
            continue
        if key == "nodes" and before and before.keys() <= value.keys():
            operations += [
                {"op": "add", "path": f"/status/nodes/{name}", "value": node}
                for name, node in value.items()
                if (seen := before.get(name)) is not node and seen != node
            ]
        else:
            operations.append({"op": "add", "path": f"/status/{key}", "value": value})
    return operations


def is_urgent(operations: list[Operation]) -> bool:
    """Whether a patch says more than that nodes are under way. What isn't urgent may wait a moment, and is often
    outdated by then.
    """
    return any(
        not operation["path"].startswith("/status/nodes/") or _urgent_node(operation["value"])
        for operation in operations
    )


def _urgent_node(node: Status) -> bool:
    return node["phase"] not in ("Queued", "Running") or "message" in node


def parse(status: Mapping[str, Any]) -> ExecutionState:
    """The state that a status tells of: where a restarted operator goes on."""
    error, nodes = status.get("error"), status.get("nodes") or {}
    return ExecutionState(
        phase=ExecutionPhase(status.get("phase") or "Pending"),
        nodes={name: _parse_node(node) for name, node in nodes.items()},
        started_at=_time(status.get("startedAt")),
        finished_at=_time(status.get("finishedAt")),
        outputs=status.get("outputs"),
        error=ExecutionError(_parse_failure(error), error.get("node")) if error else None,
        size=sum(len(names.canonical_json(node["outputs"])) for node in nodes.values() if "outputs" in node),
    )


def _node(old: Status | None, node: NodeState, closure: Closure, name: str) -> Status:
    if old is not None and node.terminal and old.get("phase") == node.phase.value:
        return old  # nothing happens to it any more
    defined = closure.nodes[name]
    rendered: Status = {"phase": node.phase.value, "task": defined.task}
    if defined.name != name:
        rendered["name"] = defined.name
    if node.attempt:
        rendered["attempt"] = node.attempt
    if node.user_failures or node.system_failures:
        rendered["failures"] = {"user": node.user_failures, "system": node.system_failures}
    for key, value in (("startedAt", node.started_at), ("finishedAt", node.finished_at), ("retryAt", node.retry_at)):
        if value is not None:
            rendered[key] = rfc3339(value)
    if node.reason:
        rendered["reason"] = node.reason
    if node.message:
        rendered["message"] = shorten(node.message)
    if node.outputs is not None:
        rendered["outputs"] = dict(node.outputs)
    return old if old == rendered and old is not None else rendered


def shorten(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """A text that fits: its beginning and its end."""
    if len(text) <= limit:
        return text
    keep = (limit - 5) // 2
    return f"{text[:keep]} ... {text[-keep:]}"


def _parse_node(node: Mapping[str, Any]) -> NodeState:
    failures = node.get("failures") or {}
    return NodeState(
        phase=NodePhase(node.get("phase") or "Pending"),
        attempt=int(node.get("attempt") or 0),
        user_failures=int(failures.get("user") or 0),
        system_failures=int(failures.get("system") or 0),
        started_at=_time(node.get("startedAt")),
        finished_at=_time(node.get("finishedAt")),
        reason=node.get("reason") or "",
        message=node.get("message") or "",
        outputs=node.get("outputs"),
        retry_at=_time(node.get("retryAt")),
    )


def _parse_failure(error: Mapping[str, Any]) -> Failure:
    kind = FailureKind(error.get("kind") or "user")
    return Failure(
        kind, error.get("code") or "", error.get("message") or "", error.get("type") or "", error.get("traceback") or ""
    )


def _error(error: ExecutionError) -> Status:
    failure = error.failure
    rendered = {"node": error.node, "code": failure.code, "kind": failure.kind.value, "type": failure.type}
    rendered |= {"message": failure.message, "traceback": failure.traceback}
    return {key: value for key, value in rendered.items() if value}


def _time(text: str | None) -> float | None:
    return parse_time(text) if text else None


def _conditions(
    listed: list[dict[str, Any]], state: ExecutionState, stuck: tuple[str, str, str] | None, generation: int, now: float
) -> list[dict[str, Any]]:
    finished = state.phase in FINISHED
    listed = _set(listed, conditions.ACCEPTED, True, "Accepted", "", generation, now)
    listed = _set(
        listed, conditions.RECONCILING, not finished, "Finished" if finished else "Running", "", generation, now
    )
    if stuck is not None and not finished:
        listed = _set(
            listed, conditions.STALLED, True, stuck[1], shorten(f"node {stuck[0]}: {stuck[2]}"), generation, now
        )
    elif conditions.get(listed, conditions.STALLED) is not None:
        listed = _set(listed, conditions.STALLED, False, "Finished" if finished else "Progressing", "", generation, now)
    if not finished:
        return listed
    if state.phase is ExecutionPhase.SUCCEEDED:
        listed = _set(
            listed, conditions.SUCCEEDED, True, "Succeeded", f"all {len(state.nodes)} nodes are over", generation, now
        )
    else:
        listed = _set(listed, conditions.FAILED, True, _reason(state), shorten(_story(state)), generation, now)
    return _set(listed, conditions.FINISHED, True, state.phase.value, "", generation, now)


def _reason(state: ExecutionState) -> str:
    if state.error is None:
        return "Cancelled"
    return "NodeFailed" if state.error.node else state.error.failure.code


def _story(state: ExecutionState) -> str:
    if state.error is None:
        return "cancelled on request"
    failure = state.error.failure
    what = f"{failure.type}: {failure.message}" if failure.type else failure.message
    return f"node {state.error.node}: {what}" if state.error.node else what


def _set(
    listed: list[dict[str, Any]], kind: str, status: bool, reason: str, message: str, generation: int, now: float
) -> list[dict[str, Any]]:
    made = conditions.condition(
        kind, conditions.TRUE if status else conditions.FALSE, reason, message, rfc3339_seconds(now), generation
    )
    return conditions.set_condition(listed, made)
