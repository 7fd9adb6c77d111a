"""App: a service that keeps running, such as a page or an endpoint for a model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.v1alpha1.meta import (
    AGE,
    ATOMIC,
    READY,
    VERSION_COLUMN,
    WHY_NOT,
    Code,
    Column,
    Count,
    Description,
    KindModel,
    Metadata,
    PoolStatus,
    Rule,
    Version,
)
from windlass_api.v1alpha1.overrides import PodSettings
from windlass_api.v1alpha1.task import Argument


class AppSpec(PodSettings):
    """What runs, and how many of it."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        *PodSettings.RULES,
        Rule(
            "has(self.image) || has(self.command)",
            "an image or a command is required: what runs",
            ".image",
            "FieldValueRequired",
            lambda app: app.has("image") or app.has("command"),
        ),
    )

    version: Version | None = Field(None, description="The author's label for this revision.")
    description: Description | None = Field(None, description="What it is, for people.")
    command: Annotated[list[Argument], Field(max_length=256)] | None = Field(
        None, description="What to run in place of the image's entrypoint.", json_schema_extra=ATOMIC
    )
    args: Annotated[list[Argument], Field(max_length=256)] | None = Field(
        None, description="Arguments in place of the image's own.", json_schema_extra=ATOMIC
    )
    code: Code | None = Field(None, description="A bundle that is unpacked into its working directory.")
    port: Annotated[int, Field(ge=1, le=65535, json_schema_extra={"format": "int32"})] = Field(
        description="The port that it listens on; its Service has the same one."
    )
    replicas: Annotated[Count, Field(le=1000)] | None = Field(None, description="Pods of it. Without it, one.")
    suspend: bool | None = Field(None, description="True stops it; all else stays as it is.")


class AppStatus(PoolStatus):
    """Whether it serves, and where."""

    url: Annotated[str, Field(max_length=2048)] | None = Field(None, description="Where it is reached in the cluster.")


class App(KindModel):
    """A service that keeps running, such as a page or an endpoint for a model."""

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wapp",)
    SCALES: ClassVar[bool] = True
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        READY,
        Column("Replicas", ".status.readyReplicas", "integer", description="Pods that serve."),
        Column("Suspended", ".spec.suspend", "boolean", description="Whether it is stopped."),
        VERSION_COLUMN,
        AGE,
        Column("Url", ".status.url", priority=1, description="Where it is reached in the cluster."),
        WHY_NOT,
    )

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["App"] = Field(description="App")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: AppSpec = Field(description="What runs, and how many of it.")
    status: AppStatus | None = Field(None, description="Written by the operator.")
