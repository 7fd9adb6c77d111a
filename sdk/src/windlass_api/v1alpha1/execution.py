"""Execution: one run of a workflow, a task or a launch plan.

Its spec says what to run and how, and never changes, but for `cancel`, `suspend` and `ttlAfterFinished`. Conditions are
the truth about its state, `phase` is a summary to print. Nodes are a map by id, so that a patch touches just the node
that changed; those of a workflow inside the run have paths for ids: `n2.n0` is the node `n0` of what `n2` runs.

Outputs that are too large for the object are `{$value: HASH}` there, and lie in a ConfigMap of the run
(`names.value_name`).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.v1alpha1.meta import (
    AGE,
    ATOMIC,
    MAX_NODES,
    WHOLE,
    Column,
    Conditions,
    Count,
    Duration,
    Generation,
    KindModel,
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
from windlass_api.v1alpha1.overrides import Overrides

ExecutionPhase = Literal["Pending", "Running", "Suspended", "Succeeded", "Failed", "Cancelled"]
NodePhase = Literal["Pending", "Queued", "Running", "Succeeded", "Failed", "Skipped", "Cancelled"]

ShortText = Annotated[str, Field(max_length=1024)]


TARGETS = ("workflow", "task", "launchPlan")
FIXED = (
    *TARGETS,
    "inputs",
    "resumeFrom",
    "maxParallelism",
    "overwriteCache",
    "serviceAccountName",
    "rawOutputPrefix",
    "overrides",
)
"""What stays as it was when the run was made."""

_ANOTHER = "make another Execution"


class ResumeFrom(Model):
    """An earlier run."""

    execution: ObjectName = Field(description="Name of an Execution in the same namespace.")


class ExecutionSpec(Model):
    """What to run, and how."""

    RULES = (
        exactly_one("target", *TARGETS),
        *(never_changes(field, _ANOTHER) for field in FIXED),
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
    suspend: bool | None = Field(
        None, description="True starts nothing new until it is taken back. What runs already goes on to its end."
    )
    resume_from: ResumeFrom | None = Field(
        None, description="The run whose results are taken where they still count, rather than computed again."
    )
    ttl_after_finished: Duration | None = Field(
        None,
        description="How long the Execution is kept after its end, such as 168h; then it is deleted with all that is "
        "its own. Without it, until somebody deletes it.",
    )
    max_parallelism: Count | None = Field(
        None, description="How many nodes may be at work at a time; 0 is without limit. Without it, the plan's."
    )
    overwrite_cache: bool | None = Field(
        None, description="Whether it computes everything anew and replaces what is cached."
    )
    service_account_name: ObjectName | None = Field(None, description="The ServiceAccount of its pods.")
    raw_output_prefix: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        None,
        description="Where its files, tables and large values go: a URI such as s3://bucket/folder; {namespace}, "
        "{project} and {domain} are filled in. Without it, the plan's, else the operator's.",
    )
    overrides: Overrides | None = Field(
        None, description="What runs differently in this run than Tasks, nodes and the plan say."
    )


class Failures(Model):
    """How often a node failed so far, by whose error it was; each has a budget of its own."""

    user: Count | None = Field(None, description="Errors of the user's code.")
    system: Count | None = Field(None, description="Errors of the cluster: image, node lost, eviction, ….")
    oom: Count | None = Field(None, description="Attempts that ran out of memory, where more could be given.")


class NodeCache(Model):
    """What the cache had to do with a node."""

    state: Literal["Hit", "Miss", "Checking", "Stored", "Waiting", "Failed"] = Field(
        description="Hit: the result was taken from it. Miss: there was none. Stored: the result was put into it. "
        "Checking: its pod looks whether all of it is still in the store. "
        "Waiting: another run computes it. Failed: it could not be used."
    )
    message: ShortText | None = Field(None, description="Why, for people.")
    entry: ObjectName | None = Field(None, description="The CacheEntry.")


class Elements(Model):
    """How far the elements of a map are."""

    total: Count | None = Field(None, description="How many there are.")
    pending: Count | None = Field(None, description="Those that wait.")
    running: Count | None = Field(None, description="Those that are at work.")
    succeeded: Count | None = Field(None, description="Those that succeeded.")
    failed: Count | None = Field(None, description="Those that failed for good.")
    phases: Annotated[str, Field(max_length=4096, pattern=r"^([A-Z][0-9]+)*$")] | None = Field(
        None,
        description="How far each is, in order: S120R5P30 is 120 that succeeded, then 5 that run, then 30 that wait; F "
        "failed. It is left out where it would be too long.",
    )
    segments: Count | None = Field(None, description="How many ConfigMaps hold their results.")


class NodeStatus(Model):
    """How far a node is."""

    phase: NodePhase = Field(description="How far it is.")
    name: Annotated[str, Field(max_length=253)] | None = Field(None, description="The name to show.")
    task: ObjectName | None = Field(None, description="The Task it runs.")
    workflow: ObjectName | None = Field(None, description="The Workflow it runs.")
    launch_plan: ObjectName | None = Field(None, description="The LaunchPlan it runs.")
    execution: ObjectName | None = Field(None, description="The Execution that it started and waits for.")
    signal: ObjectName | None = Field(None, description="The Signal that it waits for.")
    until: Time | None = Field(None, description="When it stops waiting: the end of its pause, or of its patience.")
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
    cache: NodeCache | None = Field(None, description="What the cache had to do with it.")
    resume: ShortText | None = Field(
        None, description="Whether its result was taken from the run that `resumeFrom` names, and why or why not."
    )
    deck: ShortText | None = Field(None, description="Where the report is that its last attempt left.")
    elements: Elements | None = Field(None, description="How far its elements are, where it is a map.")


class ExecutionError(Model):
    """Why an execution failed."""

    node: ObjectName | None = Field(None, description="The node that failed: its id, or a path such as n2.n0.")
    code: ShortText | None = Field(None, description="The error's code, such as USER:RuntimeError.")
    kind: Literal["user", "system"] | None = Field(None, description="Whose error it is: the code's or the cluster's.")
    type: ShortText | None = Field(None, description="The exception's class.")
    message: Text | None = Field(None, description="What happened.")
    traceback: Text | None = Field(None, description="The traceback of the user's code.")


class LogLink(Model):
    """A link to logs, wherever the cluster sends them."""

    name: ShortText = Field(description="What to call it.")
    url: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="The URL; what differs between attempts is left in braces: {node}, {pod}, {attempt}, {start}, …."
    )


class Logs(Model):
    """Where the logs of the run's pods are, besides in the pods. `windlass logs` and `windlass explain` read it."""

    folder: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        None, description="Where they are kept in the store: NODE/ATTEMPT.log below it, and NODE/ELEMENT/ATTEMPT.log."
    )
    links: Annotated[list[LogLink], Field(max_length=8, json_schema_extra=ATOMIC)] | None = Field(
        None, description="Links to them, as the operator's settings have it."
    )


class ExecutionStatus(Model):
    """How far the run is, and what came of it."""

    observed_generation: Generation | None = Field(None, description="The metadata.generation this status is about.")
    phase: ExecutionPhase | None = Field(None, description="The conditions in one word, to print. Wait for conditions.")
    closure: ObjectName | None = Field(None, description="What it runs with: definitions pinned by content.")
    progress: Annotated[str, Field(max_length=32)] | None = Field(None, description="Nodes that succeeded, of all: 3/7")
    started_at: Time | None = Field(None, description="When it was admitted.")
    finished_at: Time | None = Field(None, description="When it came to its end.")
    duration: Annotated[str, Field(max_length=32)] | None = Field(
        None, description="How long it took, once it has ended: 1h2m3s."
    )
    conditions: Conditions | None = Field(
        None,
        description="Accepted, Reconciling, Stalled, Suspended, Succeeded, Failed, Finished; kubectl wait understands "
        "them.",
    )
    nodes: Annotated[dict[str, NodeStatus], Field(max_length=MAX_NODES)] | None = Field(
        None,
        description="Nodes by id; those of a workflow inside the run by path, such as n2.n0.",
        json_schema_extra=WHOLE,
    )
    outputs: Values | None = Field(None, description="Outputs by name, once it succeeded.")
    error: ExecutionError | None = Field(None, description="Why it failed.")
    logs: Logs | None = Field(None, description="Where logs are, besides in the pods.")


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
        Column("Progress", ".status.progress", description="Nodes that succeeded, of all."),
        Column("Runs", f".spec[{','.join(map(repr, TARGETS))}].name", description="The Workflow, Task or LaunchPlan."),
        Column("Duration", ".status.duration", description="How long it took, once it has ended."),
        AGE,
        Column("Task", ".spec.task.name", priority=1, description="The Task, where it runs one by itself."),
        Column("Plan", ".spec.launchPlan.name", priority=1, description="The LaunchPlan that it is a run of."),
        Column("Started", ".status.startedAt", "date", 1),
        Column("Finished", ".status.finishedAt", "date", 1),
        Column("Message", ".status.error.message", priority=1, description="Why it failed."),
    )

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["Execution"] = Field(description="Execution")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: ExecutionSpec = Field(description="What to run.")
    status: ExecutionStatus | None = Field(None, description="Written by the operator.")
