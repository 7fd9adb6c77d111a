"""Backfill: a launch plan's schedule over a range of time that is past, each time of it exactly once."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.v1alpha1.meta import (
    AGE,
    Column,
    Conditions,
    Count,
    Generation,
    KindModel,
    LaunchPlanRef,
    Metadata,
    Model,
    Rule,
    Time,
    Values,
    never_changes,
    never_taken_back,
    parsed_time,
)
from windlass_api.v1alpha1.workflow import FailurePolicy

_FIXED = ("launchPlan", "after", "until", "order", "inputs", "overwriteCache")


def _in_order(backfill: BackfillSpec) -> bool:
    first, last = parsed_time(backfill.after), parsed_time(backfill.until)
    return first is None or last is None or first < last


class BackfillSpec(Model):
    """Which runs, and how many at a time."""

    RULES = (
        Rule("self.after < self.until", "after has to be before until", ".until", "FieldValueInvalid", _in_order),
        *(never_changes(field, "make another Backfill") for field in _FIXED),
        never_taken_back("cancel"),
    )

    launch_plan: LaunchPlanRef = Field(description="The LaunchPlan whose schedule is gone through.")
    after: Time = Field(description="The range's start, which is not a part of it.")
    until: Time = Field(description="The range's end, which is a part of it.")
    order: Literal["OldestFirst", "NewestFirst"] | None = Field(
        None, description="Which runs come first. Without it, the oldest."
    )
    max_parallel: Annotated[Count, Field(ge=1)] | None = Field(
        None, description="So many runs at a time. Without it, one after the other."
    )
    failure_policy: FailurePolicy | None = Field(
        None,
        description="What a failed run means for the others: FailImmediately starts no more, as without this "
        "field; FailAfterExecutableNodesComplete goes on.",
    )
    inputs: Values | None = Field(None, description="Inputs by name, the same for all runs: plain data.")
    overwrite_cache: bool | None = Field(
        None, description="Whether the runs compute everything anew and replace what is cached."
    )
    suspend: bool | None = Field(None, description="True starts no more runs until it is taken back.")
    cancel: bool | None = Field(None, description="Set to true to stop, with all runs. It can't be taken back.")


class BackfillStatus(Model):
    """How far it is."""

    observed_generation: Generation | None = Field(None, description="The metadata.generation this status is about.")
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Cancelled"] | None = Field(
        None, description="The conditions in one word, to print. Wait for conditions."
    )
    progress: Annotated[str, Field(max_length=32)] | None = Field(None, description="Runs that ended, of all: 3/7.")
    total: Count | None = Field(None, description="Runs that there are in the range.")
    active: Count | None = Field(None, description="Runs that have not ended.")
    succeeded: Count | None = Field(None, description="Runs that succeeded.")
    failed: Count | None = Field(None, description="Runs that failed.")
    slots: Annotated[str, Field(max_length=65536)] | None = Field(
        None,
        description="What became of each time in the range, from the oldest, in a letter: runs of equal ones as 12S.",
    )
    conditions: Conditions | None = Field(None, description="Accepted, Succeeded, Failed, Finished.")


class Backfill(KindModel):
    """A launch plan's schedule over a range of time that is past, each time of it exactly once."""

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wbf",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Phase", ".status.phase", description="The conditions in one word."),
        Column("Progress", ".status.progress", description="Runs that ended, of all."),
        Column("Plan", ".spec.launchPlan.name", description="What runs."),
        Column("After", ".spec.after", description="The range's start."),
        Column("Until", ".spec.until", description="The range's end."),
        AGE,
        Column("Failed", ".status.failed", "integer", 1, description="Runs that failed."),
    )

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["Backfill"] = Field(description="Backfill")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: BackfillSpec = Field(description="Which runs, and how many at a time.")
    status: BackfillStatus | None = Field(None, description="Written by the operator.")
