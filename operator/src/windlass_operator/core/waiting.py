"""Nodes that wait for a person or for time to pass: ``approve``, ``waitForInput``, ``sleep``.

A question is a Signal object, one for each name of a gate in an Execution; whoever may patch Signals answers it. An
answer of the wrong type doesn't count, and says so in the Signal's status; another may be given. When time is up, or
the run stops, the Signal is marked, so that nobody answers in vain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from windlass_api import conditions, durations, names, validation
from windlass_operator.core.actions import CreateSignal, MarkSignal
from windlass_operator.core.clock import rfc3339, rfc3339_seconds
from windlass_operator.core.closure import Node, NodeKind
from windlass_operator.core.gates import End
from windlass_operator.core.observed import NodeState, SignalView
from windlass_operator.core.states import NodePhase
from windlass_operator.core.values import json_size
from windlass_operator.core.work import Work, ended, succeeded
from windlass_operator.kinds.evidence import Failure, FailureKind
from windlass_operator.manifests.objects import Manifest, labels

KINDS = frozenset({NodeKind.APPROVE, NodeKind.INPUT, NodeKind.SLEEP})
SHOWN = 32 * 1024
"""Bytes of a value that a Signal shows; a longer one is approved by its name."""
WAITS_FOR = {NodeKind.APPROVE: "Approval", NodeKind.INPUT: "Input", NodeKind.SLEEP: "Sleeping"}
OPEN = ("", "Waiting", "Invalid")
"""Phases of a Signal that still takes an answer."""


def start(work: Work, node: Node) -> None:
    """The node waits from now on."""
    state = replace(work.state(node), phase=NodePhase.RUNNING, started_at=work.now, reason=WAITS_FOR[node.kind])
    if node.kind is NodeKind.SLEEP:
        until = work.now + durations.seconds(node.spec["duration"])
        work.put(node, replace(state, until=until, message=f"sleeps until {rfc3339_seconds(until)}"))
        _wake(work, until)
        return
    if node.kind is NodeKind.APPROVE:
        work.values.bound(node)  # the value is there
    timeout = node.spec.get("timeout")
    signal = names.signal_name(work.observed.name, node.spec["name"])
    state = replace(
        state,
        signal=signal,
        until=None if timeout is None else work.now + durations.seconds(timeout),
        message=f"waits for an answer to the Signal {signal}",
    )
    work.put(node, state)
    _wake(work, state.until)
    if node.spec["name"] not in work.observed.signals:
        work.actions.append(CreateSignal(node.id, signal, _manifest(work, node, state)))
    else:
        work.again = True  # it may have its answer already: another gate asks the same, or we crashed after asking


def _wake(work: Work, until: float | None) -> None:
    """Look again when the time is up; it may be up already."""
    work.wake(until)
    work.again = work.again or (until is not None and until <= work.now)


def settle(work: Work, node: Node, *, stopping: bool) -> NodeState:
    """The state, with the time and the answer folded in."""
    state = work.state(node)
    view = work.observed.signals.get(node.spec["name"]) if node.kind is not NodeKind.SLEEP else None
    if stopping:
        if view is not None and view.phase in OPEN:
            _mark(work, view, "Expired", conditions.FALSE, "RunStopped", "the run has stopped")
        return ended(state, End(NodePhase.CANCELLED, "Cancelled"), work.now)
    if node.kind is NodeKind.SLEEP:
        over = state.until is None or work.now >= state.until
        work.wake(state.until)
        return succeeded(state, {}, work.now) if over else state
    if view is None:
        work.actions.append(CreateSignal(node.id, state.signal, _manifest(work, node, state)))
    elif "answer" in view.spec:
        answered = _answered(work, node, state, view)
        if answered is not None:
            return answered
    elif view.phase == "":
        _mark(work, view, "Waiting", conditions.FALSE, "NoAnswer", "nobody has answered yet")
    if state.until is not None and work.now >= state.until:
        if view is not None:
            _mark(work, view, "Expired", conditions.FALSE, "TimeoutExpired", "nobody answered in time")
        text = f"nobody answered the Signal {state.signal} within {node.spec['timeout']}"
        failure = Failure(FailureKind.USER, "TimeoutExpired", text)
        return ended(state, End(NodePhase.FAILED, failure.code, text, failure), work.now)
    work.wake(state.until)
    return state


def _answered(work: Work, node: Node, state: NodeState, view: SignalView) -> NodeState | None:
    """The end of a node that has an answer; None where the answer doesn't fit."""
    answer = view.spec.get("answer") or {}
    problems = validation.validate_answer(view.spec)
    if problems:
        if view.phase != "Invalid":
            text = f"the answer does not fit: {problems[0]}; give another"
            _mark(work, view, "Invalid", conditions.FALSE, "InvalidAnswer", text)
        return None
    if node.kind is NodeKind.APPROVE and not answer.get("approved"):
        why = f": {answer['message']}" if answer.get("message") else ""
        text = f"{node.spec['name']} was rejected{why}"
        failure = Failure(FailureKind.USER, "ReceivedRejectSignal", text, "FlyteDisapprovalException")
        after = ended(state, End(NodePhase.FAILED, failure.code, text, failure), work.now)
    else:
        value = work.values.bound(node)["value"] if node.kind is NodeKind.APPROVE else answer.get("value")
        kept = work.kept(node.id, {"o0": value})
        if isinstance(kept, Failure):
            after = ended(state, End(NodePhase.FAILED, kept.code, kept.message, kept), work.now)
        else:
            after = succeeded(state, kept, work.now)
    if view.phase != "Answered":
        _mark(work, view, "Answered", conditions.TRUE, "Answered", "")
    return after


def _mark(work: Work, view: SignalView, phase: str, answered: str, reason: str, message: str) -> None:
    when = rfc3339_seconds(work.now)
    condition = conditions.condition("Answered", answered, reason, message, when, view.generation)
    action = MarkSignal(view.name, view.uid, {"phase": phase, "conditions": [condition]})
    if not any(isinstance(one, MarkSignal) and one.name == view.name for one in work.actions):
        work.actions.append(action)


def _manifest(work: Work, node: Node, state: NodeState) -> Manifest:
    observed = work.observed
    spec: dict[str, Any] = {
        "execution": observed.name,
        "node": node.id,
        "name": node.spec["name"],
        "ask": "Approval" if node.kind is NodeKind.APPROVE else "Input",
    }
    if node.kind is NodeKind.APPROVE:
        value = work.values.bound(node)["value"]
        if json_size(value) <= SHOWN:
            spec["value"] = value
    else:
        spec |= {key: node.spec[key] for key in ("type", "schema") if key in node.spec}
    if state.until is not None:
        spec["expiresAt"] = rfc3339(state.until)
    return {
        "apiVersion": names.API_VERSION,
        "kind": "Signal",
        "metadata": {
            "name": state.signal,
            "namespace": observed.namespace,
            "labels": labels(**{names.LABEL_EXECUTION: observed.name, names.LABEL_NODE: names.label_value(node.id)}),
            "ownerReferences": [work.owner],
        },
        "spec": spec,
    }
