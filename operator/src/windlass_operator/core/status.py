"""The Execution's state ⇄ its ``status``: what people read with kubectl, and what a restarted operator starts from.

``render`` writes, ``parse`` reads; ``parse(render(state))`` loses nothing that planning needs. ``patch`` is the JSON
Patch from the status that was last written to the one wanted: a transition of one node writes that node only.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from windlass_api import conditions, names
from windlass_operator.core.clock import duration, parse as parse_time, rfc3339, rfc3339_seconds
from windlass_operator.core.closure import Closure
from windlass_operator.core.gates import NO_FAILURE
from windlass_operator.core.observed import (
    FAILED,
    RUNS,
    SUCCEEDED,
    CacheNote,
    Elements,
    ExecutionError,
    ExecutionState,
    NodeState,
    Stored,
)
from windlass_operator.core.states import FINISHED, ExecutionPhase, NodePhase
from windlass_operator.kinds.evidence import Failure, FailureKind

MESSAGE_LIMIT = 1024
"""Characters of a message in the status. The full text of an error is in ``status.error`` and in the pod's log."""
ERROR_LIMIT = 32 * 1024
"""Characters of the message and of the traceback in ``status.error``."""
NODES_TEXT = 128 * 1024
"""Characters that all nodes have for a text together: where there are many, each has less than ``MESSAGE_LIMIT``. What
etcd takes is no more than 1.5 MiB, and a status that it doesn't take would never be written.
"""

PHASES_LIMIT = 4096
"""Characters of a map's phases in the status."""
MAPS_PHASES = 16 * 1024
"""Characters of the phases of all maps together."""
VALUE = "$value"
"""The key of an output that stands for one kept in a ConfigMap, by its hash."""

Status = dict[str, Any]


def render(
    previous: Mapping[str, Any],
    state: ExecutionState,
    closure: Closure,
    stuck: tuple[str, str, str] | None,
    generation: int,
    now: float,
    shown_before: Mapping[str, NodeState] = MappingProxyType({}),
    logs: Mapping[str, Any] | None = None,
) -> Status:
    """The status of an admitted Execution. Parts that didn't change are the previous objects, so that diffs are
    cheap. ``shown_before`` are the nodes that ``previous`` was made of, where that is known.
    """
    old_nodes = previous.get("nodes") or {}
    shown = {
        name: node for name, node in state.nodes.items() if name in old_nodes or _is_shown(closure, state.nodes, name)
    }
    nodes = {
        name: old_nodes[name]
        if name in old_nodes and shown_before.get(name) is node
        else _node(old_nodes.get(name), node, closure, name)
        for name, node in shown.items()
    }
    status: Status = {
        "observedGeneration": generation,
        "phase": state.phase.value,
        "closure": closure.hash,
        "progress": f"{sum(node.phase is NodePhase.SUCCEEDED for node in shown.values())}/{len(shown)}",
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
        status["outputs"] = _outputs(state.outputs)
    if state.error is not None:
        status["error"] = _error(state.error)
    if found := previous.get("logs") or logs:
        status["logs"] = found
    return status


def _is_shown(closure: Closure, nodes: Mapping[str, NodeState], name: str) -> bool:
    """Nodes of a workflow that has not begun are not shown, nor is what handles failures before there is one."""
    node, state = closure.nodes[name], nodes[name]
    if node.scope and nodes[node.scope].started_at is None:
        return False
    return not (node.handler and (state.phase is NodePhase.PENDING or state.reason == NO_FAILURE))


def _outputs(outputs: Mapping[str, Any]) -> Status:
    """Values; one that is kept elsewhere is a reference."""
    return {name: {VALUE: value.digest} if isinstance(value, Stored) else value for name, value in outputs.items()}


def _parse_outputs(outputs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if outputs is None:
        return None
    return {
        name: Stored(value[VALUE]) if isinstance(value, Mapping) and set(value) == {VALUE} else value
        for name, value in outputs.items()
    }


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


def unchanged(uid: str, version: str) -> list[Operation]:
    """What a patch begins with, so that it fails on another object of the name, and after another's write."""
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
    ]


def is_urgent(operations: list[Operation], calls: Container[str] = frozenset()) -> bool:
    """Whether a patch says more than that nodes are under way, or that some of those succeeded whose attempts are
    ``calls`` of actors: workers hold the results until they are written. What isn't urgent may wait a moment, and is
    often outdated by then.
    """
    return any(_urgent(operation, calls) for operation in operations)


def may_wait(
    written: Mapping[str, Any],
    state: ExecutionState,
    generation: int,
    moved: Iterable[tuple[str, NodePhase]],
    calls: Container[str],
) -> bool:
    """Whether a pass that moved these nodes has nothing to write at once: see ``is_urgent``. It is asked before a
    status is made.
    """
    same = (written.get("phase"), written.get("observedGeneration")) == (state.phase.value, generation)
    return same and state.phase not in FINISHED and all(name in calls and phase in UNHURRIED for name, phase in moved)


UNHURRIED = frozenset({NodePhase.QUEUED, NodePhase.RUNNING, NodePhase.SUCCEEDED})


def _urgent(operation: Operation, calls: Container[str]) -> bool:
    path: str = operation["path"]
    if path == "/status/progress" and calls:  # it changes with some node
        return False
    if not path.startswith(NODES):
        return True
    if path.removeprefix(NODES) in calls:
        return operation["value"]["phase"] not in UNHURRIED
    return _urgent_node(operation["value"])


NODES = "/status/nodes/"


def _urgent_node(node: Status) -> bool:
    if "elements" in node and node["phase"] == "Running":
        return False
    return node["phase"] not in ("Queued", "Running") or "message" in node


def parse(status: Mapping[str, Any]) -> ExecutionState:
    """The state that a status tells of: where a restarted operator goes on."""
    error, nodes = status.get("error"), status.get("nodes") or {}
    return ExecutionState(
        phase=ExecutionPhase(status.get("phase") or "Pending"),
        nodes={name: _parse_node(node) for name, node in nodes.items()},
        started_at=_time(status.get("startedAt")),
        finished_at=_time(status.get("finishedAt")),
        outputs=_parse_outputs(status.get("outputs")),
        error=ExecutionError(_parse_failure(error), error.get("node")) if error else None,
        size=sum(len(names.canonical_json(node["outputs"])) for node in nodes.values() if "outputs" in node),
    )


def _node(old: Status | None, node: NodeState, closure: Closure, name: str) -> Status:
    if old is not None and node.terminal and old.get("phase") == node.phase.value:
        return old  # nothing happens to it any more
    defined, limit = closure.nodes[name], _text_limit(closure)
    rendered: Status = {"phase": node.phase.value}
    if defined.target:
        rendered[defined.kind.value] = defined.target
    if defined.name != name:
        rendered["name"] = defined.name
    if node.attempt:
        rendered["attempt"] = node.attempt
    if node.failures:
        rendered["failures"] = {"user": node.user_failures, "system": node.system_failures}
        if node.oom_failures:
            rendered["failures"]["oom"] = node.oom_failures
    times = {
        "startedAt": node.started_at,
        "finishedAt": node.finished_at,
        "retryAt": node.retry_at,
        "until": node.until,
    }
    rendered |= {key: rfc3339(value) for key, value in times.items() if value is not None}
    rendered |= {
        key: value
        for key, value in (
            ("execution", node.execution),
            ("signal", node.signal),
            ("resume", shorten(node.resume, limit)),
            ("deck", node.deck),
        )
        if value
    }
    if node.cache is not None:
        about = {"state": node.cache.state, "message": shorten(node.cache.message, limit), "entry": node.cache.entry}
        rendered["cache"] = {key: value for key, value in about.items() if value}
    if node.elements is not None:
        rendered["elements"] = _elements(node.elements, min(PHASES_LIMIT, MAPS_PHASES // max(1, len(closure.maps))))
    if node.reason:
        rendered["reason"] = shorten(node.reason, limit)
    if node.message:
        rendered["message"] = shorten(node.message, limit)
    if node.outputs is not None:
        rendered["outputs"] = _outputs(node.outputs)
    return old if old == rendered and old is not None else rendered


def _text_limit(closure: Closure) -> int:
    """Characters of one text of one node."""
    return min(MESSAGE_LIMIT, NODES_TEXT // max(1, len(closure.nodes)))


def _elements(elements: Elements, limit: int) -> Status:
    """Counters, and run lengths where they are short. What is not written for good yet counts as running."""
    phases = bytearray(elements.phases)
    for index in elements.unwritten:
        if phases[index] in (SUCCEEDED, FAILED):
            phases[index] = RUNS
    text = bytes(phases).decode("ascii")
    rendered: Status = {
        "total": len(text),
        "pending": text.count("P"),
        "running": text.count("Q") + text.count("R"),
        "succeeded": text.count("S"),
        "failed": text.count("F"),
        "segments": elements.segments,
    }
    lengths = "".join(f"{found[1]}{len(found[0])}" for found in _RUN.finditer(text))
    return rendered if len(lengths) > limit else {**rendered, "phases": lengths}


_RUN = re.compile(r"(.)\1*")
_LENGTH = re.compile(r"([A-Z])(\d+)")


def letter_of(lengths: str, element: int) -> str:
    """The letter of one element in a map's run lengths; empty where they don't reach so far.

    >>> letter_of("S2R1P30", 2)
    'R'
    """
    for letter, length in _LENGTH.findall(lengths):
        element -= int(length)
        if element < 0:
            return str(letter)
    return ""


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
        outputs=_parse_outputs(node.get("outputs")),
        retry_at=_time(node.get("retryAt")),
        oom_failures=int(failures.get("oom") or 0),
        until=_time(node.get("until")),
        signal=node.get("signal") or "",
        execution=node.get("execution") or "",
        resume=node.get("resume") or "",
        deck=node.get("deck") or "",
        cache=_parse_cache(node.get("cache")),
        elements=_parse_elements(node.get("elements")),
    )


def _parse_cache(cache: Mapping[str, Any] | None) -> CacheNote | None:
    return CacheNote(cache["state"], cache.get("message") or "", cache.get("entry") or "") if cache else None


def _parse_elements(elements: Mapping[str, Any] | None) -> Elements | None:
    """That there are so many. What they came to is in the segments, and with their children."""
    if elements is None:
        return None
    return Elements(bytearray(b"P") * int(elements["total"]), segments=int(elements["segments"]), loaded=False)


def _parse_failure(error: Mapping[str, Any]) -> Failure:
    kind = FailureKind(error.get("kind") or "user")
    return Failure(
        kind, error.get("code") or "", error.get("message") or "", error.get("type") or "", error.get("traceback") or ""
    )


def _error(error: ExecutionError) -> Status:
    failure = error.failure
    kind = FailureKind.USER if failure.kind is FailureKind.OOM else failure.kind
    rendered = {"node": error.node, "code": shorten(failure.code), "kind": kind.value, "type": shorten(failure.type)}
    rendered |= {key: shorten(getattr(failure, key), ERROR_LIMIT) for key in ("message", "traceback")}
    return {key: value for key, value in rendered.items() if value}


def _time(text: str | None) -> float | None:
    return parse_time(text) if text else None


def _conditions(
    listed: list[dict[str, Any]], state: ExecutionState, stuck: tuple[str, str, str] | None, generation: int, now: float
) -> list[dict[str, Any]]:
    finished = state.phase in FINISHED
    suspended = state.phase is ExecutionPhase.SUSPENDED
    listed = _set(listed, conditions.ACCEPTED, True, "Accepted", "", generation, now)
    doing = "Finished" if finished else state.phase.value
    listed = _set(listed, conditions.RECONCILING, not finished and not suspended, doing, "", generation, now)
    if suspended or conditions.get(listed, conditions.SUSPENDED) is not None:
        reason = "Requested" if suspended else doing
        listed = _set(listed, conditions.SUSPENDED, suspended, reason, "", generation, now)
    if stuck is not None and not finished:
        listed = _set(
            listed, conditions.STALLED, True, stuck[1], shorten(f"node {stuck[0]}: {stuck[2]}"), generation, now
        )
    elif conditions.get(listed, conditions.STALLED) is not None:
        listed = _set(listed, conditions.STALLED, False, "Finished" if finished else "Progressing", "", generation, now)
    if not finished:
        return listed
    if state.phase is ExecutionPhase.SUCCEEDED:
        listed = _set(listed, conditions.SUCCEEDED, True, "Succeeded", _all_over(len(state.nodes)), generation, now)
    else:
        listed = _set(listed, conditions.FAILED, True, _reason(state), shorten(_story(state)), generation, now)
    return _set(listed, conditions.FINISHED, True, state.phase.value, "", generation, now)


def _all_over(count: int) -> str:
    return {0: "it has no nodes", 1: "its one node is over"}.get(count, f"all {count} nodes are over")


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
