"""Artifact: one version of a named thing that runs make and use, found by its partitions.

Partitions are labels of the object, too, so that queries are label selectors. Nothing of it ever changes: what is new
is a new version.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.v1alpha1.meta import (
    AGE,
    SCHEMA,
    Column,
    Description,
    FreeObject,
    KindModel,
    Metadata,
    Model,
    Name,
    OutputRef,
    Time,
    TypeExpression,
    Value,
    never_changes,
)

CardText = Annotated[str, Field(max_length=65536)]
_FIELDS = (
    "name",
    "version",
    "type",
    "schema",
    "value",
    "partitions",
    "timePartition",
    "source",
    "description",
    "cards",
)


class Card(Model):
    """Something to read about an artifact."""

    type: Annotated[str, Field(min_length=1, max_length=63)] = Field(description="What it is about: model, data, ….")
    text: CardText = Field(description="What it says, in Markdown.")


class ArtifactSpec(Model):
    """The name, the version, and the value."""

    RULES = tuple(never_changes(field, "make another version") for field in _FIELDS)

    name: Name = Field(description="What it is a version of.")
    version: Name = Field(description="Unique for the name and its partitions.")
    type: TypeExpression = Field(description="The value's type, as for inputs.")
    json_schema: FreeObject | None = Field(None, alias="schema", description=SCHEMA)
    value: Value = Field(description="The value: for files and tables, the place where the data is.")
    partitions: Annotated[dict[str, Annotated[str, Field(max_length=1024)]], Field(max_length=10)] | None = Field(
        None, description="Values by partition key."
    )
    time_partition: Time | None = Field(None, description="The time it stands for.")
    source: OutputRef | None = Field(None, description="What made it; nothing where a person did.")
    description: Description | None = Field(None, description="What it is, for people.")
    cards: Annotated[list[Card], Field(max_length=16)] | None = Field(
        None, description="More to read about it.", json_schema_extra={"x-kubernetes-list-type": "atomic"}
    )


class Artifact(KindModel):
    """One version of a named thing that runs make and use, found by its partitions."""

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wart",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Artifact", ".spec.name", description="What it is a version of."),
        Column("Version", ".spec.version", description="Which version."),
        Column("Time", ".spec.timePartition", description="The time it stands for."),
        AGE,
        Column("Type", ".spec.type", priority=1, description="The value's type."),
        Column("Execution", ".spec.source.execution", priority=1, description="What made it."),
    )

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["Artifact"] = Field(description="Artifact")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: ArtifactSpec = Field(description="The name, the version, and the value.")
