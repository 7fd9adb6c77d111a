"""LaunchPlan: a workflow made ready to run: inputs filled in, a schedule or trigger, and who is told.

`spec.suspend` is what is elsewhere called deactivated: no schedule and no trigger starts anything then. Runs by hand
work all the same.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.durations import seconds
from windlass_api.v1alpha1.meta import (
    AGE,
    ATOMIC,
    READY,
    WHY_NOT,
    Annotations,
    ArtifactFilter,
    Column,
    Count,
    DefinitionStatus,
    Description,
    Duration,
    Identifier,
    KindModel,
    Labels,
    Metadata,
    Model,
    ObjectName,
    Rule,
    Time,
    Values,
    Version,
    WorkflowRef,
    exactly_one,
    none_of_ours,
    only_beside,
)

CRON = (
    r"^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)"
    r"|[-0-9A-Za-z*/,?]+( +[-0-9A-Za-z*/,?]+){4})$"
)


class Schedule(Model):
    """When runs start by themselves."""

    RULES = (
        exactly_one("way to say when", "cron", "every"),
        only_beside("timezone", "cron"),
        only_beside("offset", "cron"),
        Rule(
            "!has(self.every) || duration(self.every) >= duration('1m')",
            "every is one minute or more",
            ".every",
            "FieldValueInvalid",
            lambda schedule: not schedule.every or seconds(schedule.every) >= 60,
        ),
    )

    cron: Annotated[str, Field(min_length=6, max_length=256, pattern=CRON)] | None = Field(
        None,
        description="Five fields, minute, hour, day of the month, month, day of the week, such as 30 6 * * 1-5; or "
        "@hourly, @daily, @weekly, @monthly, @yearly.",
    )
    every: Duration | None = Field(None, description="A fixed rate, such as 10m: one minute or more.")
    timezone: (
        Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$")] | None
    ) = Field(None, description="The time zone of `cron`, such as Europe/Zurich. Without one, UTC.")
    offset: Duration | None = Field(None, description="How long after the time that `cron` names, such as 30s.")
    kickoff_time_input: Identifier | None = Field(
        None, description="The input, a datetime, that gets the time for which the run was planned."
    )


class Trigger(Model):
    """What arrives when a run starts by itself."""

    artifact: ArtifactFilter = Field(description="A new artifact that matches.")
    inputs: Values | None = Field(
        None,
        description="Inputs by name: {$ref: artifact} for what arrived, {$ref: artifact.timePartition} and {$ref: "
        "artifact.partitions.KEY} for what it is labelled with, {$query: {name: …}} for the newest of another.",
    )


class Recipients(Model):
    """Who is told."""

    recipients: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=320)]], Field(min_length=1, max_length=64)
    ] = Field(description="Addresses, such as team@example.com.", json_schema_extra=ATOMIC)


class Notification(Model):
    """Who is told when a run has come to an end."""

    RULES = (exactly_one("way to tell", "email", "slack", "pagerDuty"),)

    phases: Annotated[
        list[Literal["Succeeded", "Failed", "Cancelled", "TimedOut"]], Field(min_length=1, max_length=4)
    ] = Field(description="The ends to tell of. TimedOut: failed for want of time.", json_schema_extra=ATOMIC)
    email: Recipients | None = Field(None, description="Tells by e-mail.")
    slack: Recipients | None = Field(None, description="Tells by e-mail to Slack.")
    pager_duty: Recipients | None = Field(None, description="Tells by e-mail to PagerDuty.")


class Concurrency(Model):
    """How many runs there may be at a time."""

    max: Annotated[Count, Field(ge=1)] = Field(description="So many.")
    behavior: Literal["Skip"] = Field(description="What becomes of a run that would be one too many: it is left out.")


class LaunchPlanSpec(Model):
    """The workflow, its inputs, and when and how it runs."""

    RULES = (none_of_ours("labels"), none_of_ours("annotations"))

    workflow: WorkflowRef = Field(description="The Workflow to run.")
    version: Version | None = Field(None, description="The author's label for this revision.")
    description: Description | None = Field(None, description="What it is for, for people.")
    default_inputs: Values | None = Field(
        None, description="Inputs by name, for when a run gives none: plain data. They come before the workflow's own."
    )
    fixed_inputs: Values | None = Field(None, description="Inputs by name that no run can change: plain data.")
    schedule: Schedule | None = Field(None, description="When runs start by themselves.")
    trigger: Trigger | None = Field(None, description="What arrives when a run starts by itself.")
    notifications: Annotated[list[Notification], Field(max_length=16)] | None = Field(
        None, description="Who is told when a run has come to an end.", json_schema_extra=ATOMIC
    )
    suspend: bool | None = Field(None, description="True stops the schedule and the trigger. Runs by hand still work.")
    concurrency: Concurrency | None = Field(None, description="How many runs there may be at a time.")
    labels: Labels | None = Field(None, description="Labels of its Executions.")
    annotations: Annotations | None = Field(None, description="Annotations of its Executions.")
    raw_output_prefix: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        None, description="Where its runs put data, such as s3://bucket/folder."
    )
    max_parallelism: Count | None = Field(None, description="How many nodes of one run may be at work at a time.")
    service_account_name: ObjectName | None = Field(None, description="The ServiceAccount of its runs' pods.")
    overwrite_cache: bool | None = Field(
        None, description="Whether its runs compute everything anew and replace what is cached."
    )
    ttl_after_finished: Duration | None = Field(
        None, description="How long a run is kept after its end, such as 168h. Without it, until somebody deletes it."
    )
    successful_runs_history_limit: Count | None = Field(
        None, description="How many runs that succeeded are kept: the newest. Without it, all."
    )
    failed_runs_history_limit: Count | None = Field(
        None, description="How many runs that failed or were cancelled are kept: the newest. Without it, all."
    )


class LaunchPlanStatus(DefinitionStatus):
    """What the operator found out about a launch plan, and what it did for it."""

    last_run: Time | None = Field(None, description="The time for which a run was planned last.")
    next_run: Time | None = Field(None, description="The time for which the next run is planned.")
    active: Count | None = Field(None, description="Runs that have not ended.")


class LaunchPlan(KindModel):
    """A workflow made ready to run: inputs filled in, a schedule or trigger, and who is told."""

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wlp",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        READY,
        Column("Workflow", ".spec.workflow.name", description="What runs."),
        Column("Schedule", ".spec.schedule.cron", description="When, as cron says it."),
        Column("Every", ".spec.schedule.every", description="How often, at a fixed rate."),
        Column("Suspended", ".spec.suspend", "boolean", description="Whether schedule and trigger are off."),
        Column("Last", ".status.lastRun", "date", description="The run that was planned last."),
        AGE,
        Column("Next", ".status.nextRun", "string", 1, description="When the next run is planned."),
        Column("Active", ".status.active", "integer", 1, description="Runs that have not ended."),
        WHY_NOT,
    )

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["LaunchPlan"] = Field(description="LaunchPlan")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: LaunchPlanSpec = Field(description="The workflow, its inputs, and when and how it runs.")
    status: LaunchPlanStatus | None = Field(None, description="Written by the operator.")
