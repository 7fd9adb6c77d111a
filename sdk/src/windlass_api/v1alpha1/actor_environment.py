"""ActorEnvironment: a pool of warm workers, in which small tasks start at once."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.v1alpha1.meta import (
    AGE,
    READY,
    VERSION_COLUMN,
    WHY_NOT,
    Column,
    Count,
    Description,
    KindModel,
    Metadata,
    PoolStatus,
    Version,
)
from windlass_api.v1alpha1.overrides import PodSettings


class ActorEnvironmentSpec(PodSettings):
    """How many workers, and what they are like."""

    version: Version | None = Field(None, description="The author's label for this revision.")
    description: Description | None = Field(None, description="What it is for, for people.")
    replicas: Annotated[Count, Field(le=10_000)] | None = Field(
        None, description="Workers at most; they start when there is work. Without it, one."
    )
    ttl_seconds: Annotated[Count, Field(le=86_400)] | None = Field(
        None, description="Seconds that a worker waits for more work before it goes. Without it, 90."
    )


class ActorEnvironmentStatus(PoolStatus):
    """How many workers there are, and what they do. Counts of calls lag behind by some seconds."""

    busy_replicas: Count | None = Field(None, description="Workers that run a call.")
    queued_calls: Count | None = Field(None, description="Calls that wait for a worker, with whichever replica.")


class ActorEnvironment(KindModel):
    """A pool of warm workers, in which small tasks start at once."""

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wactor",)
    SCALES: ClassVar[bool] = True
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        READY,
        Column("Replicas", ".status.replicas", "integer", description="Workers that there are."),
        Column("Wanted", ".spec.replicas", "integer", description="Workers at most."),
        Column("Busy", ".status.busyReplicas", "integer", description="Workers that run a call."),
        Column("Queued", ".status.queuedCalls", "integer", description="Calls that wait for a worker."),
        VERSION_COLUMN,
        AGE,
        WHY_NOT,
    )

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["ActorEnvironment"] = Field(description="ActorEnvironment")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: ActorEnvironmentSpec = Field(description="How many workers, and what they are like.")
    status: ActorEnvironmentStatus | None = Field(None, description="Written by the operator.")
