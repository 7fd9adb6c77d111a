"""Task: a typed unit of work, run in a pod.

The spec is mutable, as GitOps expects; the operator keeps each distinct spec as a ControllerRevision, and an Execution
stays with those it was admitted with.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.v1alpha1.meta import (
    DEFINITION_COLUMNS,
    Column,
    DefinitionStatus,
    Description,
    KindModel,
    Metadata,
    Model,
    ObjectName,
    Outputs,
    Parameters,
    Version,
    rule,
    rules,
)
from windlass_api.v1alpha1.overrides import Overrides


class Code(Model):
    """Where the user's code comes from, when it is not in the image."""

    config_map: ObjectName = Field(description="A ConfigMap with the bundle under `bundle.tar.gz` in its binaryData.")


class Python(Model):
    """A Python function."""

    entrypoint: Annotated[str, Field(min_length=3, max_length=512, pattern=r"^[^\s:]+:[^\s:]+$")] = Field(
        description="What to call, as module:function."
    )
    code: Code | None = Field(None, description="The bundle that holds the module. Without it the image holds it.")


class TaskSpec(Overrides):
    """What the task takes, gives and runs."""

    model_config = rules(
        rule("has(self.python)", "exactly one runner is required: python", ".python", "FieldValueRequired")
    )

    version: Version | None = Field(None, description="The author's label for this revision.")
    description: Description | None = Field(None, description="What the task does, for people.")
    inputs: Parameters | None = Field(None, description="Inputs by name.")
    outputs: Outputs | None = Field(None, description="Outputs by name.")
    python: Python | None = Field(None, description="Runs a Python function. Every task has exactly one runner.")


class Task(KindModel):
    """A typed unit of work: what goes in, what comes out, and what to run for it."""

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wtask",)
    COLUMNS: ClassVar[tuple[Column, ...]] = DEFINITION_COLUMNS

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["Task"] = Field(description="Task")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: TaskSpec = Field(description="What the task takes, gives and runs.")
    status: DefinitionStatus | None = Field(None, description="Written by the operator.")
