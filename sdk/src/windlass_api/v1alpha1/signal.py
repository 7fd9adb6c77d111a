"""Signal: a question that a run waits for a person to answer.

The operator makes one for each gate that is reached; a person answers by patching `spec.answer`, for which the right to
patch signals is enough:

    kubectl patch signal NAME --type merge -p '{"spec": {"answer": {"approved": true}}}'
    kubectl patch signal NAME --type merge -p '{"spec": {"answer": {"value": 0.5}}}'

Nothing else of it ever changes, and an answer stays as it was given, unless it is not of the type that is asked for
(phase Invalid): then another may be given.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from windlass_api.v1alpha1.meta import (
    AGE,
    SCHEMA,
    Column,
    Conditions,
    Description,
    FreeObject,
    Generation,
    KindModel,
    Metadata,
    Model,
    Name,
    ObjectName,
    Rule,
    Time,
    TypeExpression,
    Value,
    never_changes,
    not_both,
)

_QUESTION = ("execution", "node", "name", "ask", "type", "schema", "value", "expiresAt")


class Answer(Model):
    """What a person says."""

    RULES = (not_both("approved", "value"),)

    approved: bool | None = Field(None, description="To a question for approval: yes or no. No fails the node.")
    value: Value = Field(
        None, description="To a question for a value: the value, of the Signal's type. Without it, null."
    )
    message: Description | None = Field(None, description="Why, for people.")


class SignalSpec(Model):
    """The question, and a place for the answer."""

    RULES = (
        *(never_changes(field, "a question stays as it was asked") for field in _QUESTION),
        Rule(
            "!has(self.answer) || has(self.answer.approved) == (self.ask == 'Approval')",
            "answer an Approval with approved, an Input with value",
            ".answer",
            "FieldValueInvalid",
            lambda signal: not signal.answer or signal.answer.has("approved") == (signal.ask == "Approval"),
        ),
    )

    execution: ObjectName = Field(description="The Execution that waits.")
    node: ObjectName | None = Field(
        None, description="The node that waits, the first where several do: its id, or a path such as n2.n0."
    )
    name: Name = Field(description="What it is about, as the workflow says it.")
    ask: Literal["Approval", "Input"] = Field(description="What kind of answer it takes: a yes or no, or a value.")
    type: TypeExpression | None = Field(None, description="The type of the value that is approved, or asked for.")
    json_schema: FreeObject | None = Field(None, alias="schema", description=SCHEMA)
    value: Value = Field(None, description="The value to approve.")
    expires_at: Time | None = Field(None, description="When the run stops waiting, and the node fails.")
    answer: Answer | None = Field(
        None, description="The answer; for a person to set, once. Another can be given while the phase is Invalid."
    )


class SignalStatus(Model):
    """What became of the question."""

    observed_generation: Generation | None = Field(None, description="The metadata.generation this status is about.")
    phase: Literal["Waiting", "Answered", "Invalid", "Expired"] | None = Field(
        None, description="Whether it still waits; Invalid is an answer that does not fit the type."
    )
    conditions: Conditions | None = Field(None, description="`Answered`: whether it has an answer that fits.")


class Signal(KindModel):
    """A question that a run waits for a person to answer: set spec.answer."""

    RULES = (
        Rule(
            "!has(oldSelf.spec.answer)"
            " || (has(self.spec.answer) && dyn(self.spec).answer == dyn(oldSelf.spec).answer)"
            " || (has(oldSelf.status) && has(oldSelf.status.phase) && oldSelf.status.phase == 'Invalid')",
            "an answer can't be changed, unless it is Invalid",
            ".spec.answer",
            "FieldValueForbidden",
        ),
    )

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("wsig",)
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Ask", ".spec.ask", description="What kind of answer it takes."),
        Column("About", ".spec.name", description="What it is about."),
        Column("Execution", ".spec.execution", description="Who waits."),
        Column("Phase", ".status.phase", description="Whether it still waits."),
        AGE,
        Column("Expires", ".spec.expiresAt", priority=1, description="When the run stops waiting."),
    )

    api_version: Literal["windlass.dev/v1alpha1"] = Field(description="windlass.dev/v1alpha1")
    kind: Literal["Signal"] = Field(description="Signal")
    metadata: Metadata = Field(description="Standard object metadata.")
    spec: SignalSpec = Field(description="The question, and a place for the answer.")
    status: SignalStatus | None = Field(None, description="Written by the operator.")
