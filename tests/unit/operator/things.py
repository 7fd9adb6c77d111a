"""Small things that tests of the operator are made of: pods as the API server has them, closures, observations."""

from __future__ import annotations

import json
from typing import Any

from windlass_api import names
from windlass_operator.core.closure import Closure, compile_closure, load
from windlass_operator.core.observed import ExecutionState, NodeState, Observed, PodView
from windlass_operator.core.states import ExecutionPhase
from windlass_operator.settings import Settings

Body = dict[str, Any]

NOW = 1_800_000_000.0
BEGIN, END = "2026-11-22T19:00:00Z", "2026-11-22T19:00:05Z"


def result(**outputs: Any) -> str:
    """The record of a task that returned."""
    return json.dumps({"v": 1, "outputs": outputs})


def ended(code: int, reason: str = "Error", message: str = "") -> Body:
    """The state of a container that ended."""
    told = {"message": message} if message else {}
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": BEGIN, "finishedAt": END, **told}}


def waits(reason: str, message: str = "") -> Body:
    """The state of a container that has not started."""
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def container(state: Body, name: str = "main") -> Body:
    """The status of a container."""
    return {"name": name, "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": state}


def pod(
    execution: str = "e",
    node: str = "a",
    attempt: int = 0,
    *,
    uid: str = "p1",
    owner: str = "u1",
    version: int = 1,
    status: Body | None = None,
    deleting: bool = False,
) -> Body:
    """A pod of an Execution."""
    meta = {
        "name": names.pod_name(execution, node, attempt),
        "namespace": "ns",
        "uid": uid,
        "resourceVersion": str(version),
        "labels": {
            names.LABEL_EXECUTION: execution,
            names.LABEL_NODE: node,
            names.LABEL_ATTEMPT: str(attempt),
        },
        "ownerReferences": [{"kind": "Execution", "name": execution, "uid": owner}],
    }
    if deleting:
        meta["deletionTimestamp"] = END
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status or {"phase": "Pending"}}


def execution(name: str = "e", *, uid: str = "u1", generation: int = 1, **rest: Any) -> Body:
    """An Execution of the Workflow ``wf``, as a watch tells of it."""
    meta = {"name": name, "namespace": "ns", "uid": uid, "generation": generation, "resourceVersion": "1"}
    return {"kind": "Execution", "metadata": meta, "spec": {"workflow": {"name": "wf"}}, **rest}


def definition(kind: str, name: str, spec: Body, *, uid: str = "d1", generation: int = 1) -> Body:
    """A Task or a Workflow, as a watch tells of it."""
    meta = {"name": name, "namespace": "ns", "uid": uid, "generation": generation, "resourceVersion": "1"}
    return {"apiVersion": names.API_VERSION, "kind": kind, "metadata": meta, "spec": spec}


def task(inputs: Body | None = None, outputs: Body | None = None, **spec: Any) -> Body:
    """The spec of a Task that gives an int."""
    given = {"o0": {"type": "int"}} if outputs is None else outputs
    return {"inputs": inputs or {}, "outputs": given, "python": {"entrypoint": "m:f"}, **spec}


def closure(*nodes: Body, inputs: Body | None = None, outputs: Body | None = None, **tasks: Body) -> Closure:
    """The closure of a workflow with these nodes. Each runs the task ``t``, unless it says otherwise."""
    known = {"t": task(), **tasks}
    listed = [{"task": {"name": "t"}, **node} for node in nodes]
    workflow = {"inputs": inputs or {}, "nodes": listed, "outputs": outputs or {}}
    return load(compile_closure(workflow, lambda name, _: known[name], lambda name: f"{name}-hash"))


def observed(
    of: Closure,
    nodes: dict[str, NodeState] | None = None,
    pods: tuple[PodView, ...] = (),
    *,
    inputs: Body | None = None,
    cancel: bool = False,
    settings: Settings | None = None,
    now: float = NOW,
) -> Observed:
    """The Execution ``e``, under way."""
    return Observed(
        name="e",
        namespace="ns",
        uid="u1",
        spec={"inputs": inputs or {}, "cancel": cancel},
        state=ExecutionState(ExecutionPhase.RUNNING, nodes or {}, started_at=now - 10),
        closure=of,
        pods={(view.node, view.attempt): view for view in pods},
        settings=settings or Settings(),
        now=now,
    )
