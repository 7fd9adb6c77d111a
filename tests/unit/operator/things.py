"""Small things that tests of the operator are made of: pods as the API server has them, closures, observations."""

from __future__ import annotations

import json
from typing import Any

from windlass_api import names
from windlass_api.wiring import NODE_KINDS
from windlass_operator.core.closure import Closure, compile_closure, load
from windlass_operator.core.observed import ChildView, ExecutionState, NodeState, Observed
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


def inputs_of(manifest: Body) -> Body:
    """The inputs that a pod is told of."""
    document = next(one for one in manifest["spec"]["containers"][0]["env"] if one["name"] == "WINDLASS_TASK")
    found: Body = json.loads(document["value"])["inputs"]
    return found


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


def closure(
    *nodes: Body,
    inputs: Body | None = None,
    outputs: Body | None = None,
    flows: dict[str, Body] | None = None,
    plans: dict[str, Body] | None = None,
    pools: dict[str, Body] | None = None,
    plan: Body | None = None,
    handler: Body | None = None,
    keeps_going: bool = False,
    defaults: Body | None = None,
    **tasks: Body,
) -> Closure:
    """The closure of a workflow with these nodes. Each runs the task ``t``, unless it says otherwise."""
    known: dict[str, dict[str, Body]] = {
        "Task": {"t": task(), **tasks},
        "Workflow": flows or {},
        "LaunchPlan": plans or {},
        "ActorEnvironment": pools or {},
    }
    workflow = flow(*nodes, inputs=inputs, outputs=outputs, handler=handler, keeps_going=keeps_going, defaults=defaults)
    find = lambda kind, name, _version: known[kind].get(name)  # noqa: E731  it is what the parameter is called
    return load(compile_closure(workflow, find, lambda name: f"{name}-hash", plan))


def flow(
    *nodes: Body,
    inputs: Body | None = None,
    outputs: Body | None = None,
    handler: Body | None = None,
    keeps_going: bool = False,
    defaults: Body | None = None,
) -> Body:
    """The spec of a workflow with these nodes. Each runs the task ``t``, unless it says otherwise."""
    spec: Body = {"inputs": inputs or {}, "nodes": [_completed(node) for node in nodes], "outputs": outputs or {}}
    if handler is not None:
        spec["onFailure"] = _completed(handler)
    if keeps_going:
        spec["failurePolicy"] = "FailAfterExecutableNodesComplete"
    return {**spec, "defaults": defaults} if defaults else spec


def _completed(node: Body) -> Body:
    return node if any(kind in node for kind in NODE_KINDS) else {**node, "task": {"name": "t"}}


def observed(
    of: Closure,
    nodes: dict[str, NodeState] | None = None,
    pods: tuple[ChildView, ...] = (),
    *,
    inputs: Body | None = None,
    cancel: bool = False,
    settings: Settings | None = None,
    now: float = NOW,
    **more: Any,
) -> Observed:
    """The Execution ``e``, under way."""
    spec = {"inputs": inputs or {}, "cancel": cancel, **more.pop("spec", {})}
    executions: tuple[ChildView, ...] = more.pop("executions", ())
    return Observed(
        name="e",
        namespace="ns",
        uid="u1",
        spec=spec,
        state=ExecutionState(ExecutionPhase.RUNNING, nodes or {}, started_at=now - 10),
        closure=of,
        pods={view.place: view for view in pods},
        executions={view.place: view for view in executions},
        settings=settings or Settings(),
        now=now,
        **more,
    )
