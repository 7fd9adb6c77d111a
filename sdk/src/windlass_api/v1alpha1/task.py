"""Task: a typed unit of work, run in a pod.

The spec is mutable, as GitOps expects; the operator keeps each distinct spec as a ControllerRevision, and an Execution
stays with those it was admitted with.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.overrides import POD_FIELDS
from windlass_api.v1alpha1.meta import (
    AGE,
    ATOMIC,
    READY,
    VERSION_COLUMN,
    WHY_NOT,
    Code,
    Column,
    DefinitionStatus,
    Description,
    KindModel,
    Metadata,
    Model,
    ObjectName,
    Outputs,
    Parameters,
    Rule,
    Version,
    exactly_one,
    only_beside,
)
from windlass_api.v1alpha1.overrides import Overrides


class Python(Model):
    """A Python function."""

    entrypoint: Annotated[str, Field(min_length=3, max_length=512, pattern=r"^[^\s:]+:[^\s:]+$")] = Field(
        description="What to call, as module:function."
    )
    code: Code | None = Field(None, description="The bundle that holds the module. Without it the image holds it.")
    dynamic: bool | None = Field(
        None, description="Whether it gives a workflow, which then runs in its place and gives its outputs."
    )


Argument = Annotated[str, Field(max_length=32768)]
Folder = Annotated[str, Field(min_length=2, max_length=1024, pattern=r"^/.+$")]


class IoStrategy(Model):
    """When the data of files, folders and tables is moved."""

    download: Literal["Eager", "Stream", "None"] | None = Field(
        None,
        description="Inputs: before the container starts (Eager), while it runs at the latest (Stream, which is Eager "
        "for now), or never: then the input's file holds the address. Without it, Eager.",
    )
    upload: Literal["Eager", "Stream", "None"] | None = Field(
        None,
        description="Outputs: once the container has ended (Eager), from while it runs (Stream, which is Eager for "
        "now), or never: then the output's file holds the address. Without it, Eager.",
    )


class Container(Model):
    """A container of any image and language: inputs as arguments and files, outputs as files."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.inputDir) || !has(self.outputDir) || self.inputDir != self.outputDir",
            "inputs and outputs can't be in the same folder",
            ".outputDir",
            "FieldValueInvalid",
            lambda container: container.input_dir is None or container.input_dir != container.output_dir,
        ),
    )

    command: Annotated[list[Argument], Field(max_length=256)] | None = Field(
        None,
        description="What to run in place of the image's entrypoint. {{.inputs.NAME}} stands for an input.",
        json_schema_extra=ATOMIC,
    )
    args: Annotated[list[Argument], Field(max_length=256)] | None = Field(
        None,
        description="Arguments in place of the image's own. {{.inputs.NAME}} stands for an input.",
        json_schema_extra=ATOMIC,
    )
    input_dir: Folder | None = Field(
        None, description="Where a file per input is found, named as the input. Without it there are no such files."
    )
    output_dir: Folder | None = Field(
        None,
        description="Where a file per output is expected, named as the output; `error` in it fails the task for good. "
        "Without it, /var/outputs, if there are outputs.",
    )
    metadata_format: Literal["JSON", "YAML"] | None = Field(
        None, description="The format of the file `inputs.*` with all inputs together. Without it, JSON."
    )
    io_strategy: IoStrategy | None = Field(None, description="When the data of inputs and outputs is moved.")


class Actor(Model):
    """A pool of warm workers that runs the function."""

    name: ObjectName = Field(description="Name of an ActorEnvironment in the same namespace.")


class TaskSpec(Overrides):
    """What the task takes, gives and runs."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        *Overrides.RULES,
        exactly_one("runner", "python", "container"),
        only_beside("actor", "python"),
        Rule(
            "!has(self.container) || has(self.image)",
            "a container task needs an image",
            ".image",
            "FieldValueRequired",
            lambda task: not task.has("container") or task.has("image"),
        ),
        Rule(
            f"!has(self.actor) || ![{', '.join(f'has(self.{name})' for name in POD_FIELDS)}].exists(given, given)",
            f"an ActorEnvironment says itself what its workers are like, not the task: {', '.join(POD_FIELDS)}",
            ".actor",
            "FieldValueForbidden",
            lambda task: not task.has("actor") or not any(map(task.has, POD_FIELDS)),
        ),
    )

    version: Version | None = Field(None, description="The author's label for this revision.")
    description: Description | None = Field(None, description="What the task does, for people.")
    inputs: Parameters | None = Field(None, description="Inputs by name.")
    outputs: Outputs | None = Field(None, description="Outputs by name.")
    python: Python | None = Field(None, description="Runs a Python function. Every task has exactly one runner.")
    container: Container | None = Field(None, description="Runs a container. Every task has exactly one runner.")
    actor: Actor | None = Field(
        None, description="The pool whose warm workers run the function, in place of a pod for each attempt."
    )


class Task(KindModel):
    """A typed unit of work: what goes in, what comes out, and what to run for it."""

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wtask",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (READY, VERSION_COLUMN, AGE, WHY_NOT)

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["Task"] = Field(description="Task")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: TaskSpec = Field(description="What the task takes, gives and runs.")
    status: DefinitionStatus | None = Field(None, description="Written by the operator.")
