"""CacheEntry: a result that is taken again rather than computed again. Deleting it is how one makes it be computed.

It is named by the hash of its key and carries the parts of the key, so that one can say which part differs when a run
does not find it. Nothing of it ever changes.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.v1alpha1.meta import (
    AGE,
    MAX_PARAMETERS,
    Column,
    KindModel,
    Metadata,
    Model,
    Name,
    NodeRef,
    ObjectName,
    Time,
    Values,
    never_changes,
)

Hash = Annotated[str, Field(min_length=1, max_length=128)]
TypeText = Annotated[str, Field(min_length=1, max_length=1152)]
Types = Annotated[dict[str, TypeText], Field(max_length=MAX_PARAMETERS)]


class Interface(Model):
    """The names and types of a task, as its result's key has them."""

    inputs: Types | None = Field(None, description="The type of each input by name, with a hash of its schema.")
    outputs: Types | None = Field(None, description="The type of each output by name, with a hash of its schema.")


class CacheKey(Model):
    """What a run must have in common with the one that made the result."""

    task: ObjectName = Field(description="The Task's name.")
    version: Name = Field(description="Its `cache.version`.")
    interface: Interface = Field(description="The names and types of its inputs and outputs.")
    inputs: Annotated[dict[str, Hash], Field(max_length=MAX_PARAMETERS)] | None = Field(
        None, description="A hash of each input's value by name, without those in `cache.ignoredInputs`."
    )


class CacheEntrySpec(Model):
    """The key and the result."""

    RULES = tuple(
        never_changes(field, "delete it, and it is computed anew")
        for field in ("key", "outputs", "source", "expiresAt")
    )

    key: CacheKey = Field(description="What a run must have in common with the one that made the result.")
    outputs: Values | None = Field(
        None, description="Outputs by name; {$value: HASH} is in a ConfigMap that belongs to the entry."
    )
    source: NodeRef | None = Field(None, description="The run that made it.")
    expires_at: Time | None = Field(None, description="When it counts no more. Without it, never.")


class CacheEntry(KindModel):
    """A result that is taken again rather than computed again. Delete it to have it computed."""

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wcache",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Task", ".spec.key.task", description="Whose result it is."),
        Column("Version", ".spec.key.version", description="Its cache version."),
        Column("Expires", ".spec.expiresAt", description="When it counts no more."),
        AGE,
        Column("Execution", ".spec.source.execution", priority=1, description="The run that made it."),
        Column("Node", ".spec.source.node", priority=1, description="The node that made it."),
    )

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["CacheEntry"] = Field(description="CacheEntry")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: CacheEntrySpec = Field(description="The key and the result.")
