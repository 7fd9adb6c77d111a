"""What all kinds share: the base of the models, small field types, object metadata, conditions, parameters.

A model is the one place where a field is described: the CRD, the reference pages and the messages of
`manifests_check` derive from it. What JSON Schema has no word for (rules in CEL, list keys, columns) stands beside the
field or class that it is about, in Kubernetes' own vocabulary.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LABEL_VALUE = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
QUANTITY = r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"

MAX_PARAMETERS = 128
MAX_NODES = 1000


Rule = dict[str, JsonValue]


class Model(BaseModel):
    """Base of all models: fields in camel case, nothing unknown, nothing converted."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class Column(NamedTuple):
    """A column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    description: str = ""


class KindModel(Model):
    """Base of the kinds. What kubectl shows of them stands in class variables."""

    SHORT_NAMES: ClassVar[tuple[str, ...]] = ()
    COLUMNS: ClassVar[tuple[Column, ...]] = ()


def rule(expression: str, message: str, field_path: str = "", reason: str = "") -> Rule:
    """A CEL rule of the CRD with the message people get when it does not hold."""
    found: Rule = {"rule": expression, "message": message, "fieldPath": field_path, "reason": reason}
    return {key: value for key, value in found.items() if value}


def rules(*given: Rule) -> ConfigDict:
    """The model's configuration which carries rules into its schema."""
    return ConfigDict(json_schema_extra={"x-kubernetes-validations": list(given)})


def _quantity(value: Any) -> Any:
    fits = isinstance(value, str) and re.match(QUANTITY, value)
    if not fits and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        message = 'expected a quantity such as "500m", "1.5", 2 or "64Mi", got {value}'
        raise PydanticCustomError("quantity", message, {"value": repr(value)})
    return value


Value = Annotated[Any, WithJsonSchema({"x-kubernetes-preserve-unknown-fields": True, "nullable": True})]
FreeObject = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})]
Values = Annotated[dict[str, Value], Field(max_length=MAX_PARAMETERS)]
Quantity = Annotated[
    int | str,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {"anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": QUANTITY, "x-kubernetes-int-or-string": True}
    ),
]

Label = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
Version = Annotated[str, Field(min_length=1, max_length=63, pattern=LABEL_VALUE)]
Description = Annotated[str, Field(max_length=4096)]
Text = Annotated[str, Field(max_length=32768)]
Time = Annotated[str, Field(max_length=64), WithJsonSchema({"type": "string", "format": "date-time"})]
Generation = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})]


class Metadata(Model):
    """An object's metadata, as far as it is checked here; the API server knows the rest."""

    model_config = ConfigDict(extra="allow")

    name: ObjectName | None = Field(None, description="The object's name.")
    generate_name: Annotated[str, Field(max_length=253)] | None = Field(
        None, description="What a made-up name starts with."
    )
    namespace: Label | None = Field(None, description="The object's namespace.")
    labels: dict[str, str] | None = Field(None, description="Labels.")
    annotations: dict[str, str] | None = Field(None, description="Annotations.")


class Parameter(Model):
    """An input: its type, and what it is when nobody gives it."""

    type: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="Type expression: any, none, bool, int, float, str, struct, list[T], dict[str, T], optional[T], "
        "union[A, B]."
    )
    description: Description | None = Field(None, description="What it means, for people.")
    default: Value = Field(
        None,
        description="Its value when none is given. Without a default the input is required, unless it may be null.",
    )
    json_schema: FreeObject | None = Field(
        None, alias="schema", description="JSON Schema of the value, beside a type in which `struct` occurs."
    )


class Output(Model):
    """An output: its type."""

    type: Annotated[str, Field(min_length=1, max_length=1024)] = Field(description="Type expression, as for inputs.")
    description: Description | None = Field(None, description="What it means, for people.")
    json_schema: FreeObject | None = Field(
        None, alias="schema", description="JSON Schema of the value, beside a type in which `struct` occurs."
    )


Parameters = Annotated[dict[str, Parameter], Field(max_length=MAX_PARAMETERS)]
Outputs = Annotated[dict[str, Output], Field(max_length=MAX_PARAMETERS)]


class Condition(Model):
    """One aspect of an object's state, as in all of Kubernetes (metav1.Condition)."""

    type: Annotated[str, Field(min_length=1, max_length=316)] = Field(description="Which aspect.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: Annotated[
        str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    ] = Field(description="Why, in one word for machines.")
    message: Text = Field(description="Why, in a sentence for people.")
    last_transition_time: Time = Field(description="When `status` changed last.")
    observed_generation: Generation | None = Field(None, description="The metadata.generation this was said about.")


Conditions = Annotated[
    list[Condition],
    Field(
        max_length=32,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]


class DefinitionStatus(Model):
    """What the operator found out about a definition."""

    observed_generation: Generation | None = Field(None, description="The metadata.generation this status is about.")
    conditions: Conditions | None = Field(None, description="`Ready`: whether executions of it can start, or why not.")
    revision: ObjectName | None = Field(None, description="The ControllerRevision which keeps the current spec.")


class TaskRef(Model):
    """A Task by name."""

    name: ObjectName = Field(description="Name of a Task in the same namespace.")
    version: Version | None = Field(None, description="Its `spec.version`; without one, the Task as it is now.")


class WorkflowRef(Model):
    """A Workflow by name."""

    name: ObjectName = Field(description="Name of a Workflow in the same namespace.")
    version: Version | None = Field(None, description="Its `spec.version`; without one, the Workflow as it is now.")


DEFINITION_COLUMNS = (
    Column("Ready", '.status.conditions[?(@.type=="Ready")].status', description="Whether executions can start."),
    Column("Version", ".spec.version", description="The author's label."),
    Column("Age", ".metadata.creationTimestamp", "date"),
    Column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1, description="Why not ready."),
)
"""What `kubectl get` shows of a definition."""
