"""Workflow: tasks wired into a graph, short enough that a person can write one by hand."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.v1alpha1.meta import (
    DEFINITION_COLUMNS,
    MAX_NODES,
    MAX_PARAMETERS,
    Column,
    DefinitionStatus,
    Description,
    KindModel,
    Label,
    Metadata,
    Model,
    Output,
    Parameters,
    TaskRef,
    Value,
    Values,
    Version,
    rule,
    rules,
)
from windlass_api.v1alpha1.overrides import Overrides


class WorkflowOutput(Output):
    """An output of the workflow and what it is made of."""

    from_: Value = Field(
        alias="from", description="Its value: a `$ref` such as {$ref: nodes.a.outputs.o0}, or data with `$ref`s in it."
    )


class Node(Model):
    """A task in the graph. It waits for the nodes it refers to."""

    model_config = rules(
        rule(
            "!has(self.dependsOn) || !(self.id in self.dependsOn)",
            "a node can't wait for itself",
            ".dependsOn",
        )
    )

    id: Label = Field(description="Unique in the workflow: a DNS label. References name it.")
    name: Annotated[str, Field(min_length=1, max_length=253)] | None = Field(None, description="A name to show.")
    task: TaskRef = Field(description="The task to run.")
    inputs: Values | None = Field(
        None,
        description="Inputs by name: data, in which {$ref: inputs.NAME} and {$ref: nodes.ID.outputs.NAME} may stand "
        'anywhere, with paths ([0], .name, ["key"]). Data with keys that start with `$` is written {$literal: …}.',
    )
    when: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        None,
        description="A condition in CEL, such as nodes.a.outputs.o0 > 10. Where it is false the node is skipped, "
        "and so are the nodes that need its outputs.",
    )
    depends_on: Annotated[list[Label], Field(max_length=256)] | None = Field(
        None,
        description="Ids of nodes to wait for without taking data from them.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    overrides: Overrides | None = Field(None, description="What runs differently here than the Task says.")


class WorkflowSpec(Model):
    """What the workflow takes, gives, and runs."""

    version: Version | None = Field(None, description="The author's label for this revision.")
    description: Description | None = Field(None, description="What the workflow does, for people.")
    inputs: Parameters | None = Field(None, description="Inputs by name.")
    outputs: Annotated[dict[str, WorkflowOutput], Field(max_length=MAX_PARAMETERS)] | None = Field(
        None, description="Outputs by name."
    )
    nodes: Annotated[list[Node], Field(max_length=MAX_NODES)] | None = Field(
        None,
        description="The graph: nodes, in any order.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]},
    )


class Workflow(KindModel):
    """Tasks wired into a graph: inputs, nodes, outputs, and references between them."""

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wwf",)
    COLUMNS: ClassVar[tuple[Column, ...]] = DEFINITION_COLUMNS

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["Workflow"] = Field(description="Workflow")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: WorkflowSpec = Field(description="What the workflow takes, gives, and runs.")
    status: DefinitionStatus | None = Field(None, description="Written by the operator.")
