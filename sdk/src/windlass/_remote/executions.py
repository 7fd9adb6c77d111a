"""Handles of runs: what an Execution's status says, in the words of the API.

A handle is a snapshot: `sync` and `wait` of the remote look again. Values are converted when they are asked for, by the
Python types of the entity that was run, or by what the contract says of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from windlass._exceptions import FlyteAssertion
from windlass._modules import caller
from windlass._notifications import WorkflowExecutionPhase
from windlass._remote import large
from windlass._remote.client import Object
from windlass._remote.tree import last_attempt
from windlass._remote.values import Outputs
from windlass_api import refs

if TYPE_CHECKING:
    from windlass._entity import Entity
    from windlass._interface import Interface
    from windlass._remote.remote import UnionRemote

TERMINAL = ("Succeeded", "Failed", "Cancelled")
_EXECUTION_PHASES = {
    "Pending": WorkflowExecutionPhase.QUEUED,
    "Running": WorkflowExecutionPhase.RUNNING,
    "Suspended": WorkflowExecutionPhase.RUNNING,  # the API has no word for it; it has begun, and not ended
    "Succeeded": WorkflowExecutionPhase.SUCCEEDED,
    "Failed": WorkflowExecutionPhase.FAILED,
    "Cancelled": WorkflowExecutionPhase.ABORTED,
}


class NodeExecutionPhase:
    """The phases of a node by the numbers that the API has for them."""

    UNDEFINED, QUEUED, RUNNING, SUCCEEDED, FAILING, FAILED, ABORTED, SKIPPED, TIMED_OUT = range(9)


class TaskExecutionPhase:
    """The phases of a task's run by the numbers that the API has for them."""

    UNDEFINED, RUNNING, SUCCEEDED, FAILED, ABORTED, QUEUED, INITIALIZING, WAITING_FOR_RESOURCES = range(8)


_NODE_PHASES = {
    "Pending": NodeExecutionPhase.UNDEFINED,
    "Queued": NodeExecutionPhase.QUEUED,
    "Running": NodeExecutionPhase.RUNNING,
    "Succeeded": NodeExecutionPhase.SUCCEEDED,
    "Failed": NodeExecutionPhase.FAILED,
    "Skipped": NodeExecutionPhase.SKIPPED,
    "Cancelled": NodeExecutionPhase.ABORTED,
}
_TASK_PHASES = {
    "Queued": TaskExecutionPhase.QUEUED,
    "Running": TaskExecutionPhase.RUNNING,
    "Succeeded": TaskExecutionPhase.SUCCEEDED,
    "Failed": TaskExecutionPhase.FAILED,
    "Cancelled": TaskExecutionPhase.ABORTED,
}
NODE_ENDS = (
    NodeExecutionPhase.SUCCEEDED,
    NodeExecutionPhase.FAILED,
    NodeExecutionPhase.ABORTED,
    NodeExecutionPhase.SKIPPED,
    NodeExecutionPhase.TIMED_OUT,
)


class ExecutionID(NamedTuple):
    """What a run is called."""

    project: str
    domain: str
    name: str


class NodeExecutionID(NamedTuple):
    """What a node of a run is called."""

    node_id: str
    execution_id: ExecutionID


class TaskExecutionID(NamedTuple):
    """What an attempt of a node is called."""

    task_id: str
    node_execution_id: NodeExecutionID
    retry_attempt: int


class ExecutionError:
    """Why a run failed."""

    def __init__(self, status: Mapping[str, Any]) -> None:
        self.code = status.get("code") or status.get("type") or ""
        self.message = status.get("message") or ""
        self.kind = status.get("kind") or ""
        self.type = status.get("type") or ""
        self.node = status.get("node")
        self.traceback = status.get("traceback") or ""

    def __str__(self) -> str:
        return f"{self.type or self.code}: {self.message}" if self.type or self.code else self.message

    def __repr__(self) -> str:
        where = f", node={self.node!r}" if self.node else ""
        return f"ExecutionError({str(self)!r}{where})"


class Closure:
    """Where something is: its phase as a number, and since when.

    `created_at` is when it was asked for, `started_at` when it began, `duration` how long it took.
    """

    def __init__(
        self,
        phase: int,
        status: Mapping[str, Any],
        created: str | None,
        error: ExecutionError | None,
        execution: FlyteWorkflowExecution,
    ) -> None:
        self.phase = phase
        self.error = error
        self.created_at = moment(created)
        self.started_at = moment(status.get("startedAt"))
        self.updated_at = moment(status.get("finishedAt")) or self.started_at
        self.outputs = None if status.get("outputs") is None else execution.values_in(status["outputs"])

    @property
    def duration(self) -> timedelta | None:
        """How long it took; None before it has ended."""
        if self.started_at is None or self.updated_at is None or self.updated_at == self.started_at:
            return None
        return self.updated_at - self.started_at


class FlyteTaskExecution:
    """An attempt of a node that runs a task."""

    def __init__(self, node: FlyteNodeExecution, attempt: int, last: bool) -> None:
        status = node.status if last else {}
        phase = _TASK_PHASES.get(str(status.get("phase")), TaskExecutionPhase.UNDEFINED)
        error = ExecutionError({**status, "node": node.id.node_id}) if phase == TaskExecutionPhase.FAILED else None
        self.id = TaskExecutionID(str(node.status.get("task") or ""), node.id, attempt)
        phase = phase if last else TaskExecutionPhase.FAILED
        self.closure = Closure(phase, status, None, error, node.execution)
        self.node = node

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        ends = (TaskExecutionPhase.SUCCEEDED, TaskExecutionPhase.FAILED, TaskExecutionPhase.ABORTED)
        return self.closure.phase in ends

    @property
    def error(self) -> ExecutionError | None:
        """Why it failed."""
        return self.closure.error

    @property
    def inputs(self) -> Outputs:
        """The node's inputs."""
        return self.node.inputs

    @property
    def outputs(self) -> Outputs | None:
        """The node's outputs, of the attempt that succeeded."""
        return self.node.outputs if self.closure.phase == TaskExecutionPhase.SUCCEEDED else None

    def __repr__(self) -> str:
        return f"<attempt {self.id.retry_attempt} of {self.node.id.node_id}>"


class FlyteNodeExecution:
    """A node of a run. `interface` is that of what it calls, where it was said: its Python types are the values'."""

    def __init__(self, execution: FlyteWorkflowExecution, node_id: str, status: Mapping[str, Any]) -> None:
        self.id = NodeExecutionID(node_id, execution.id)
        self.status = status
        phase = _NODE_PHASES.get(str(status.get("phase")), NodeExecutionPhase.UNDEFINED)
        error = ExecutionError({**status, "node": node_id}) if phase == NodeExecutionPhase.FAILED else None
        self.closure = Closure(phase, status, None, error, execution)
        self.workflow_executions: list[FlyteWorkflowExecution] = []
        self.execution = execution
        self.interface: Interface | None = None

    @property
    def metadata(self) -> dict[str, Any]:
        """The name to show, and what it runs."""
        return {key: self.status[key] for key in ("name", "task", "workflow", "launchPlan") if key in self.status}

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self.closure.phase in NODE_ENDS

    @property
    def error(self) -> ExecutionError | None:
        """Why it failed."""
        return self.closure.error

    @property
    def deck_uri(self) -> str | None:
        """Where the report of its last attempt that left one is."""
        found = self.status.get("deck")
        return None if found is None else str(found)

    @property
    def executions(self) -> list[FlyteTaskExecution]:
        """Its attempts, the last one last."""
        return self.task_executions

    @property
    def task_executions(self) -> list[FlyteTaskExecution]:
        """Its attempts, the last one last. A node that runs no task has `workflow_executions` instead."""
        last = last_attempt(self.status)
        if last is None or "workflow" in self.status or "launchPlan" in self.status:
            return []
        return [FlyteTaskExecution(self, attempt, attempt == last) for attempt in range(last + 1)]

    @property
    def inputs(self) -> Outputs:
        """Its inputs: what its bindings come to, as far as they are there."""
        found = self.execution.inputs_of_node(self.id.node_id)
        if self.interface is not None:
            found.update_type_hints({name: one.python_type for name, one in self.interface.inputs.items()})
        return found

    @property
    def outputs(self) -> Outputs | None:
        """Its outputs, once it succeeded."""
        if self.closure.phase != NodeExecutionPhase.SUCCEEDED:
            return None
        types = self.execution.types_of_node(self.id.node_id).get("outputs")
        hints = None if self.interface is None else self.interface.outputs
        values = self.execution.values_in(self.status.get("outputs") or {})
        return Outputs(values, types, hints, f"the outputs of {self.id.node_id}")

    def __repr__(self) -> str:
        return f"<node {self.id.node_id} of {self.execution.id.name}: {self.status.get('phase')}>"


class FlyteWorkflowExecution:
    """A run. See the module's page."""

    def __init__(
        self,
        obj: Object,
        remote: UnionRemote | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
        entity: Entity | None = None,
        definition: Mapping[str, Any] | None = None,
    ) -> None:
        self.id = ExecutionID(project or "", domain or "", obj["metadata"]["name"])
        self.entity = entity
        self._remote = remote
        self._definition = definition
        self.children: list[FlyteWorkflowExecution] = []
        self.update(obj)

    def update(self, obj: Object) -> None:
        """Takes what the cluster has now."""
        self.object = obj
        status = self.status
        phase = _EXECUTION_PHASES.get(str(status.get("phase")), WorkflowExecutionPhase.UNDEFINED)
        error = ExecutionError(status.get("error") or _rejection(status)) if status.get("phase") == "Failed" else None
        self.closure = Closure(phase, status, obj["metadata"].get("creationTimestamp"), error, self)
        self.node_executions = {
            node_id: FlyteNodeExecution(self, node_id, node) for node_id, node in (status.get("nodes") or {}).items()
        }

    # ---- where it is ----

    @property
    def status(self) -> dict[str, Any]:
        """The object's status."""
        return self.object.get("status") or {}

    @property
    def spec(self) -> dict[str, Any]:
        """The object's spec."""
        spec: dict[str, Any] = self.object["spec"]
        return spec

    @property
    def namespace(self) -> str:
        """The namespace it is in."""
        namespace: str = self.object["metadata"]["namespace"]
        return namespace

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self.status.get("phase") in TERMINAL

    @property
    def is_successful(self) -> bool:
        """Whether it has ended well."""
        return self.status.get("phase") == "Succeeded"

    @property
    def error(self) -> ExecutionError | None:
        """Why it failed; None where it did not. Raises FlyteAssertion before it has ended."""
        if not self.is_done:
            raise FlyteAssertion(
                f"{caller()}: Please wait until a workflow has completed before checking for an error."
            )
        return self.closure.error

    @property
    def execution_url(self) -> str:
        """Where it can be looked at."""
        return self._needs_remote().generate_console_url(self)

    # ---- values ----

    @property
    def inputs(self) -> Outputs:
        """Its inputs, as they were given."""
        return Outputs(
            self.spec.get("inputs") or {},
            self._interface("inputs"),
            self._annotations("inputs"),
            f"the inputs of {self.id.name}",
        )

    @property
    def outputs(self) -> Outputs:
        """Its outputs. Raises FlyteAssertion before it has ended, and where it did not end well."""
        if not self.is_done:
            raise FlyteAssertion(
                f"{caller()}: Please wait until the execution has completed before requesting the outputs:"
                f" {self.id.name} is {self.status.get('phase') or 'not taken up yet'}; remote.wait(execution) waits"
            )
        if not self.is_successful:
            why = f"Error message: {self.closure.error}" if self.closure.error else "It was cancelled."
            raise FlyteAssertion(
                f"{caller()}: Outputs could not be found because the execution ended in failure. {why}"
            )
        return Outputs(
            self.values_in(self.status.get("outputs") or {}),
            self._interface("outputs"),
            self._annotations("outputs"),
            f"the outputs of {self.id.name}",
        )

    @property
    def definition(self) -> Mapping[str, Any]:
        """What it runs, pinned: the document `{workflow, tasks}`; empty where nobody has it any more."""
        if self._definition is None:
            self._definition = {} if self._remote is None else self._remote.definition_of(self)
        return self._definition

    def types_of_node(self, node_id: str) -> Mapping[str, Any]:
        """What the task of a node takes and gives, as the contract says it; empty where it is not known."""
        node = self._nodes().get(node_id)
        reference = (node or {}).get("task")
        if reference is None:
            return {}
        key = f"{reference['name']}@{reference['version']}" if reference.get("version") else reference["name"]
        found: Mapping[str, Any] = (self.definition.get("tasks") or {}).get(key, {})
        return found

    def inputs_of_node(self, node_id: str) -> Outputs:
        """What the bindings of a node come to, as far as it is there."""
        declared = (self.definition.get("workflow") or {}).get("inputs") or {}
        given = {name: one["default"] for name, one in declared.items() if "default" in one}
        given |= self.spec.get("inputs") or {}
        nodes = (self.status.get("nodes") or {}).items()
        outputs = {name: self.values_in(one["outputs"]) for name, one in nodes if "outputs" in one}
        found = {}
        for name, binding in (self._nodes().get(node_id, {}).get("inputs") or {}).items():
            try:
                found[name] = refs.resolve(binding, refs.lookup_in(given, outputs))
            except refs.RefValueError:  # noqa: PERF203  what it comes from is not there yet, or was skipped
                continue
        return Outputs(found, self.types_of_node(node_id).get("inputs"), what=f"the inputs of {node_id}")

    def values_in(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Values of its status by name; those that the status has no room for are read when they are asked for."""
        return large.Values(values, self._large_value)

    # ---- looking again ----

    def sync(self, sync_nodes: bool = False) -> FlyteWorkflowExecution:
        """Looks again; see UnionRemote.sync."""
        return self._needs_remote().sync(self, sync_nodes=sync_nodes)

    def wait(
        self,
        timeout: timedelta | float | None = None,
        poll_interval: timedelta | float | None = None,
        sync_nodes: bool = True,
    ) -> FlyteWorkflowExecution:
        """Waits for its end; see UnionRemote.wait."""
        return self._needs_remote().wait(self, timeout, poll_interval, sync_nodes=sync_nodes)

    def __repr__(self) -> str:
        return f"<execution {self.id.name} in {self.namespace}: {self.status.get('phase') or 'not taken up yet'}>"

    def _needs_remote(self) -> UnionRemote:
        if self._remote is None:
            raise FlyteAssertion(
                f"{caller()}: {self!r} was made without a remote; ask one: remote.fetch_execution(name=…)"
            )
        return self._remote

    def _large_value(self, digest: str) -> Any:
        return large.reader(self._needs_remote().cluster, self.namespace, self.id.name)(digest)

    def _nodes(self) -> dict[str, Any]:
        workflow = self.definition.get("workflow") or {}
        return {node["id"]: node for node in workflow.get("nodes") or ()}

    def _interface(self, side: str) -> Mapping[str, Any] | None:
        if self.entity is not None:
            return None  # its Python types say more
        found: Mapping[str, Any] | None = (self.definition.get("workflow") or {}).get(side)
        return found

    def _annotations(self, side: str) -> dict[str, Any]:
        if self.entity is None:
            return {}
        interface = self.entity.interface
        if side == "inputs":
            return {name: one.python_type for name, one in interface.inputs.items()}
        return dict(interface.outputs)


def moment(text: str | None) -> datetime | None:
    """RFC 3339, as Kubernetes writes it."""
    return None if not text else datetime.fromisoformat(text.replace("Z", "+00:00"))


def _rejection(status: Mapping[str, Any]) -> dict[str, Any]:
    """Why it failed, where only a condition says so."""
    for condition in status.get("conditions") or ():
        if (condition["type"], condition["status"]) in (("Accepted", "False"), ("Failed", "True")):
            return {"code": condition.get("reason"), "message": condition.get("message")}
    return {}
