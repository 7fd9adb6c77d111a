"""Workflow: tasks wired into a graph, short enough that a person can write one by hand.

A node says in one field what it is; whatever it is, references name it in the same way and it waits for the nodes that
it refers to. What a conditional of the SDK makes is flat: nodes with `when`, then a `select` that takes the outputs of
the branch that ran.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.v1alpha1.meta import (
    AGE,
    ATOMIC,
    MAX_NODES,
    MAX_PARAMETERS,
    READY,
    SCHEMA,
    SET,
    VERSION_COLUMN,
    WHY_NOT,
    ArtifactQuery,
    Column,
    Count,
    DefinitionStatus,
    Description,
    Duration,
    FreeObject,
    Identifier,
    KindModel,
    Label,
    LaunchPlanRef,
    Metadata,
    Model,
    Name,
    Output,
    Parameter,
    Rule,
    TaskRef,
    TypeExpression,
    Value,
    Values,
    Version,
    When,
    WorkflowRef,
    exactly_one,
    not_both,
    only_beside,
)
from windlass_api.v1alpha1.overrides import Overrides

NODE_KINDS = ("task", "workflow", "launchPlan", "select", "approve", "waitForInput", "sleep")
MAX_CASES = 64

FailurePolicy = Literal["FailImmediately", "FailAfterExecutableNodesComplete"]


class WorkflowInput(Parameter):
    """An input of the workflow: its type, and what it is when nobody gives it."""

    RULES = (not_both("default", "artifact"),)

    artifact: ArtifactQuery | None = Field(
        None, description="Where its value comes from when none is given: an artifact, looked up as the run starts."
    )


class WorkflowOutput(Output):
    """An output of the workflow and what it is made of."""

    from_: Value = Field(
        alias="from", description="Its value: a `$ref` such as {$ref: nodes.a.outputs.o0}, or data with `$ref`s in it."
    )


class Case(Model):
    """A choice: the outputs if its condition is true."""

    RULES = (not_both("outputs", "fail"),)

    when: When | None = Field(
        None, description="A condition in CEL. The first case with a true one counts; without one, it is always true."
    )
    outputs: Values | None = Field(
        None, description="The node's outputs by name: {$ref: nodes.ID.outputs.NAME}, or data with `$ref`s in it."
    )
    fail: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        None, description="The message to fail with, in place of outputs."
    )


class Approve(Model):
    """A pause until a person has approved a value."""

    name: Name = Field(description="What to approve. Gates of one name in one run are one question.")
    timeout: Duration | None = Field(
        None, description="How long to wait, such as 1h; then the node fails. Without one, as long as it takes."
    )


class WaitForInput(Model):
    """A pause until a person has given a value, which is then the output `o0`."""

    name: Name = Field(description="What to give. Gates of one name in one run are one question.")
    type: TypeExpression = Field(description="The value's type, as for inputs.")
    json_schema: FreeObject | None = Field(None, alias="schema", description=SCHEMA)
    timeout: Duration | None = Field(
        None, description="How long to wait, such as 1h; then the node fails. Without one, as long as it takes."
    )


class Sleep(Model):
    """A pause."""

    duration: Duration = Field(description="How long, such as 90s.")


class Map(Model):
    """One run for each element of lists, and a list of the results."""

    RULES = (not_both("minSuccesses", "minSuccessRatio"),)

    over: Annotated[list[Identifier], Field(min_length=1, max_length=MAX_PARAMETERS)] = Field(
        description="Names of the inputs that are lists here, all of one length: each run gets an element of each. The "
        "other inputs are the same in all runs.",
        json_schema_extra=SET,
    )
    concurrency: Count | None = Field(
        None, description="At most so many run at a time; 0 is without limit. Without it, the Execution's limit holds."
    )
    min_successes: Count | None = Field(
        None, description="So many have to succeed. Those that fail then leave null in the list. Without it, all."
    )
    min_success_ratio: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="The part that has to succeed, such as 0.9; rounded up. Below 1, failures leave null."
    )


class Node(Model):
    """A step in the graph. It waits for the nodes it refers to."""

    RULES = (
        exactly_one("kind of node", *NODE_KINDS),
        Rule(
            "!has(self.dependsOn) || !(self.id in self.dependsOn)",
            "a node can't wait for itself",
            ".dependsOn",
            holds=lambda node: node.id not in (node.depends_on or ()),
        ),
        only_beside("map", "task", "launchPlan"),
        only_beside("overrides", "task"),
        only_beside("inputs", "task", "workflow", "launchPlan", "approve"),
    )

    id: Label = Field(description="Unique in the workflow: a DNS label. References name it.")
    name: Name | None = Field(None, description="A name to show.")
    task: TaskRef | None = Field(
        None,
        description="Runs a task. A node has exactly one of task, workflow, launchPlan, select, approve, waitForInput, "
        "sleep.",
    )
    workflow: WorkflowRef | None = Field(
        None, description="Runs the nodes of another workflow here, under its own failure policy and `onFailure`."
    )
    launch_plan: LaunchPlanRef | None = Field(
        None, description="Runs a launch plan, as an Execution of its own, with its fixed and default inputs."
    )
    select: Annotated[list[Case], Field(min_length=1, max_length=MAX_CASES)] | None = Field(
        None,
        description="Chooses among the outputs of others, such as of the branches of a condition: the first case whose "
        "`when` is true counts. Where none is, the node is skipped.",
        json_schema_extra=ATOMIC,
    )
    approve: Approve | None = Field(
        None, description="Waits until a person approves the input `value`, which is then the output `o0`."
    )
    wait_for_input: WaitForInput | None = Field(
        None, description="Waits until a person gives a value, which is then the output `o0`."
    )
    sleep: Sleep | None = Field(None, description="Waits for a while.")
    map: Map | None = Field(
        None, description="Beside task or launchPlan: runs it once for each element of lists. Its outputs are lists."
    )
    inputs: Values | None = Field(
        None,
        description="Inputs by name: data, in which {$ref: inputs.NAME} and {$ref: nodes.ID.outputs.NAME} may stand "
        'anywhere, with paths ([0], .name, ["key"]). Data with keys that start with `$` is written {$literal: …}.',
    )
    when: When | None = Field(
        None,
        description="A condition in CEL, such as nodes.a.outputs.o0 > 10. Where it is false the node is skipped, "
        "and so are the nodes that need its outputs.",
    )
    depends_on: Annotated[list[Label], Field(max_length=256)] | None = Field(
        None, description="Ids of nodes to wait for without taking data from them.", json_schema_extra=SET
    )
    overrides: Overrides | None = Field(None, description="What runs differently here than the Task says.")


class FailureNode(Model):
    """What runs when the workflow has failed. The run ends as failed all the same."""

    RULES = (exactly_one("handler", "task", "workflow"),)

    id: Label = Field(description="Unique among the workflow's nodes: a DNS label.")
    name: Name | None = Field(None, description="A name to show.")
    task: TaskRef | None = Field(None, description="The task to run. Exactly one of task and workflow.")
    workflow: WorkflowRef | None = Field(None, description="The workflow to run. Exactly one of task and workflow.")
    inputs: Values | None = Field(
        None,
        description="Inputs by name: data, in which {$ref: inputs.NAME} and {$ref: error} may stand anywhere. The "
        "error has the fields message and failed_node_id.",
    )


class WorkflowSpec(Model):
    """What the workflow takes, gives, and runs."""

    version: Version | None = Field(None, description="The author's label for this revision.")
    description: Description | None = Field(None, description="What the workflow does, for people.")
    inputs: Annotated[dict[str, WorkflowInput], Field(max_length=MAX_PARAMETERS)] | None = Field(
        None, description="Inputs by name."
    )
    outputs: Annotated[dict[str, WorkflowOutput], Field(max_length=MAX_PARAMETERS)] | None = Field(
        None, description="Outputs by name."
    )
    nodes: Annotated[list[Node], Field(max_length=MAX_NODES)] | None = Field(
        None,
        description="The graph: nodes, in any order.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]},
    )
    failure_policy: FailurePolicy | None = Field(
        None,
        description="What a failed node means for the others: FailImmediately stops them, as without this "
        "field; FailAfterExecutableNodesComplete lets all finish that don't need it.",
    )
    on_failure: FailureNode | None = Field(None, description="What runs when the workflow has failed.")
    defaults: Overrides | None = Field(
        None, description="How the tasks run where neither they nor their nodes say anything."
    )


class Workflow(KindModel):
    """Tasks wired into a graph: inputs, nodes, outputs, and references between them."""

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wwf",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (READY, VERSION_COLUMN, AGE, WHY_NOT)

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["Workflow"] = Field(description="Workflow")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: WorkflowSpec = Field(description="What the workflow takes, gives, and runs.")
    status: DefinitionStatus | None = Field(None, description="Written by the operator.")
