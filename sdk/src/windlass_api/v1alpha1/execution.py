"""Execution: one run of a workflow, a task or a launch plan.

Its spec says what to run and never changes, but for `cancel`. Conditions are the truth about its state, `phase` is a
summary to print. Nodes are a map by id, so that a merge patch touches just the node that changed.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.v1alpha1.meta import (
    AGE,
    MAX_NODES,
    Column,
    Conditions,
    Count,
    Generation,
    KindModel,
    Label,
    LaunchPlanRef,
    Metadata,
    Model,
    ObjectName,
    Rule,
    TaskRef,
    Text,
    Time,
    Values,
    WorkflowRef,
    exactly_one,
    never_changes,
    never_taken_back,
)

ExecutionPhase = Literal["Pending", "Running", "Succeeded", "Failed", "Cancelled"]
NodePhase = Literal["Pending", "Queued", "Running", "Succeeded", "Failed", "Skipped", "Cancelled"]

ShortText = Annotated[str, Field(max_length=1024)]


TARGETS = ("workflow", "task", "launchPlan")
_ANOTHER = "make another Execution"


class ExecutionSpec(Model):
    """What to run."""

    RULES = (
        exactly_one("target", *TARGETS),
        *(never_changes(field, _ANOTHER) for field in (*TARGETS, "inputs")),
        never_taken_back("cancel"),
    )

    workflow: WorkflowRef | None = Field(
        None, description="The Workflow to run. Exactly one of workflow, task and launchPlan."
    )
    task: TaskRef | None = Field(None, description="The Task to run. Exactly one of workflow, task and launchPlan.")
    launch_plan: LaunchPlanRef | None = Field(
        None, description="The LaunchPlan to run. Exactly one of workflow, task and launchPlan."
    )
    inputs: Values | None = Field(None, description="Inputs by name, as plain data; `$ref` means nothing here.")
    cancel: bool | None = Field(None, description="Set to true to stop the run. It can't be taken back.")


class Failures(Model):
    """How often a node failed so far, by whose error it was; each has a budget of its own."""

    user: Count | None = Field(None, description="Errors of the user's code.")
    system: Count | None = Field(None, description="Errors of the cluster: image, node lost, eviction, ….")


class NodeStatus(Model):
    """How far a node is."""

    phase: NodePhase = Field(description="How far it is.")
    name: Annotated[str, Field(max_length=253)] | None = Field(None, description="The name to show.")
    task: ObjectName | None = Field(None, description="The Task it runs.")
    attempt: Count | None = Field(None, description="The number of the current or last attempt, from 0.")
    failures: Failures | None = Field(None, description="Failed attempts so far.")
    started_at: Time | None = Field(None, description="When its first attempt began to run.")
    finished_at: Time | None = Field(None, description="When it came to its end.")
    retry_at: Time | None = Field(
        None, description="When the next attempt may start, while it waits after a failed one."
    )
    reason: ShortText | None = Field(None, description="Why it is where it is, in one word for machines.")
    message: Text | None = Field(None, description="Why it is where it is, for people.")
    outputs: Values | None = Field(None, description="Outputs by name, once it succeeded.")


class ExecutionError(Model):
    """Why an execution failed."""

    node: Label | None = Field(None, description="The node that failed.")
    code: ShortText | None = Field(None, description="The error's code, such as USER:RuntimeError.")
    kind: Literal["user", "system"] | None = Field(None, description="Whose error it is: the code's or the cluster's.")
    type: ShortText | None = Field(None, description="The exception's class.")
    message: Text | None = Field(None, description="What happened.")
    traceback: Text | None = Field(None, description="The traceback of the user's code.")


class ExecutionStatus(Model):
    """How far the run is, and what came of it."""

    observed_generation: Generation | None = Field(None, description="The metadata.generation this status is about.")
    phase: ExecutionPhase | None = Field(None, description="The conditions in one word, to print. Wait for conditions.")
    closure: ObjectName | None = Field(None, description="What it runs with: definitions pinned by content.")
    progress: Annotated[str, Field(max_length=32)] | None = Field(None, description="Nodes that ended, of all: 3/7.")
    started_at: Time | None = Field(None, description="When it was admitted.")
    finished_at: Time | None = Field(None, description="When it came to its end.")
    duration: Annotated[str, Field(max_length=32)] | None = Field(
        None, description="How long it took, once it has ended: 1h2m3s."
    )
    conditions: Conditions | None = Field(
        None, description="Accepted, Reconciling, Stalled, Succeeded, Failed, Finished; kubectl wait understands them."
    )
    nodes: Annotated[dict[str, NodeStatus], Field(max_length=MAX_NODES)] | None = Field(
        None, description="Nodes by id."
    )
    outputs: Values | None = Field(None, description="Outputs by name, once it succeeded.")
    error: ExecutionError | None = Field(None, description="Why it failed.")


class Execution(KindModel):
    """One run of a Workflow, a Task or a LaunchPlan."""

    RULES = (
        Rule(
            "self.metadata.name.size() <= 63",
            "metadata.name has at most 63 characters, for the run's pods carry it as a label",
            holds=lambda execution: len(execution.metadata.name or "") <= 63,
        ),
    )

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wexec",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Phase", ".status.phase", description="The conditions in one word."),
        Column("Progress", ".status.progress", description="Nodes that ended, of all."),
        Column("Workflow", ".spec.workflow.name", description="What runs."),
        Column("Duration", ".status.duration", description="How long it took, once it has ended."),
        AGE,
        Column("Task", ".spec.task.name", priority=1, description="What runs."),
        Column("Plan", ".spec.launchPlan.name", priority=1, description="The launch plan that it is a run of."),
        Column("Started", ".status.startedAt", "date", 1),
        Column("Finished", ".status.finishedAt", "date", 1),
        Column("Message", ".status.error.message", priority=1, description="Why it failed."),
    )

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["Execution"] = Field(description="Execution")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: ExecutionSpec = Field(description="What to run.")
    status: ExecutionStatus | None = Field(None, description="Written by the operator.")
