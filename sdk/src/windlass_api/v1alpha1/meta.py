"""What all kinds share: the base of the models, small field types, object metadata, conditions, parameters.

A model is the one place where a field is described: the CRD, the reference pages and the messages of
`manifests_check` derive from it. What JSON Schema has no word for (rules, list keys, columns) stands beside the field
or class that it is about, in Kubernetes' own vocabulary. A rule is said twice in one place: in CEL for the API server
and in Python for `manifests_check`, so that both refuse the same things with the same words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from windlass_api.names import GROUP, is_label_key

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LABEL_VALUE = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
DURATION = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$"
TIME = r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[-+]\d{2}:\d{2})"
QUANTITY = r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"

MAX_PARAMETERS = 128
MAX_NODES = 1000

SCHEMA = "JSON Schema of the value, beside a type in which `struct` or `enum` occurs."

ATOMIC: dict[str, JsonValue] = {"x-kubernetes-list-type": "atomic"}
"""A list that is one value: whoever applies it sets it whole."""

WHOLE: dict[str, JsonValue] = {"x-kubernetes-map-type": "atomic"}
"""A map that is one value: the API server keeps no account of who owns which of its fields. For a thousand nodes that
account would be as long as what they say, and most of what writing it takes.
"""

SET: dict[str, JsonValue] = {"x-kubernetes-list-type": "set"}
"""A list whose items are merged, each once."""


class Rule(NamedTuple):
    """What must hold of an object or a part of it, and the message people get when it does not."""

    expression: str
    """In CEL: what the API server asks."""
    message: str
    field_path: str = ""
    reason: str = ""
    holds: Callable[[Any], bool] | None = None
    """The same asked of a model; None for what only shows when an object changes."""

    def manifest(self) -> dict[str, str]:
        """The rule as it stands in a CRD."""
        found = {"rule": self.expression, "message": self.message}
        found |= {"fieldPath": self.field_path} if self.field_path else {}
        return found | ({"reason": self.reason} if self.reason else {})


def _with_rules(schema: dict[str, Any], model: type[Model]) -> None:
    if model.RULES:
        schema["x-kubernetes-validations"] = [rule.manifest() for rule in model.RULES]


class Model(BaseModel):
    """Base of all models: fields in camel case, nothing unknown, nothing converted."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, json_schema_extra=_with_rules)

    RULES: ClassVar[tuple[Rule, ...]] = ()

    def has(self, field: str) -> bool:
        """Whether a field, by its name in manifests, is given: `has(self.field)` of CEL."""
        fields = type(self).model_fields.items()
        name, info = next((name, info) for name, info in fields if (info.alias or name) == field)
        return getattr(self, name) is not None or (info.annotation is Any and name in self.model_fields_set)


_FREE = frozenset(["default", "inputs", "outputs", "value"])
"""Fields in which anything may stand."""


def _has(field: str) -> str:
    """Whether a field is there, in CEL, which sees free-form values through `dyn` only."""
    return f"has(dyn(self).{field})" if field in _FREE else f"has(self.{field})"


def exactly_one(what: str, *fields: str) -> Rule:
    """The rule that one of some fields is given and no other."""
    given = [_has(field) for field in fields]
    return Rule(
        " != ".join(given) if len(given) == 2 else f"[{', '.join(given)}].exists_one(given, given)",
        f"exactly one {what} is required: {', '.join(fields)}",
        f".{fields[0]}",
        "FieldValueRequired",
        lambda model: sum(map(model.has, fields)) == 1,
    )


def not_both(one: str, other: str) -> Rule:
    """The rule that two fields exclude each other."""
    return Rule(
        f"!{_has(one)} || !{_has(other)}",
        f"{one} and {other} exclude each other",
        f".{other}",
        "FieldValueForbidden",
        lambda model: not (model.has(one) and model.has(other)),
    )


def only_beside(field: str, *hosts: str) -> Rule:
    """The rule that a field has a meaning beside some others only."""
    return Rule(
        " || ".join([f"!{_has(field)}", *map(_has, hosts)]),
        f"{field} stands beside {' or '.join(filter(None, (', '.join(hosts[:-1]), hosts[-1])))} only",
        f".{field}",
        "FieldValueForbidden",
        lambda model: not model.has(field) or any(map(model.has, hosts)),
    )


def never_changes(field: str, instead: str) -> Rule:
    """The rule for a field that stays as it was made, whatever may stand in it."""
    now, before = f"dyn(self).{field}", f"dyn(oldSelf).{field}"
    return Rule(
        f"has({now}) == has({before}) && (!has({now}) || {now} == {before})",
        f"{field} can't be changed: {instead}",
        f".{field}",
        "FieldValueForbidden",
    )


def never_taken_back(field: str) -> Rule:
    """The rule for a switch that stays on once it is on."""
    return Rule(
        f"!has(oldSelf.{field}) || !oldSelf.{field} || (has(self.{field}) && self.{field})",
        f"{field} can't be taken back",
        f".{field}",
        "FieldValueForbidden",
    )


def none_of_ours(field: str) -> Rule:
    """The rule that labels or annotations leave the keys alone that Windlass itself writes."""
    return Rule(
        f"!has(self.{field}) || self.{field}.all(key, !key.startsWith('{GROUP}/'))",
        f"keys that start with {GROUP}/ are Windlass' own",
        f".{field}",
        "FieldValueForbidden",
        lambda model: not any(key.startswith(f"{GROUP}/") for key in getattr(model, field) or ()),
    )


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
    SCALES: ClassVar[bool] = False
    """Whether `kubectl scale` and autoscalers work on it: `spec.replicas`, `status.replicas`, `status.selector`."""


def _quantity(value: Any) -> Any:
    fits = isinstance(value, str) and re.match(QUANTITY, value)
    if not fits and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        message = 'expected a quantity such as "500m", "1.5", 2 or "64Mi", got {value}'
        raise PydanticCustomError("quantity", message, {"value": repr(value)})
    return value


def _label_keys(value: dict[str, str]) -> dict[str, str]:
    for key in value:
        if not is_label_key(key):
            message = "the key {key} is none of Kubernetes': a name such as team, or example.com/team"
            raise PydanticCustomError("label_key", message, {"key": repr(key)})
    return value


def _time(value: str) -> str:
    found = re.fullmatch(TIME, value)
    if found is None or not parsed_time(value):
        message = 'expected a time such as "2026-01-31T12:00:00Z", got {value}'
        raise PydanticCustomError("time", message, {"value": repr(value)})
    return value


def parsed_time(value: str) -> datetime | None:
    """The moment that an RFC 3339 text names; None where it names none."""
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value.upper().replace("Z", "+00:00")))
    except ValueError:
        return None


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
Name = Annotated[str, Field(min_length=1, max_length=253)]
Identifier = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Image = Annotated[str, Field(min_length=1, max_length=512)]
TypeExpression = Annotated[str, Field(min_length=1, max_length=1024)]
When = Annotated[str, Field(min_length=1, max_length=4096)]
Duration = Annotated[str, Field(min_length=2, max_length=64, pattern=DURATION)]
Description = Annotated[str, Field(max_length=4096)]
Text = Annotated[str, Field(max_length=32768)]
Time = Annotated[
    str,
    Field(max_length=64),
    AfterValidator(_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Labels = Annotated[
    dict[str, Annotated[str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")]],
    Field(max_length=64),
    AfterValidator(_label_keys),
]
Annotations = Annotated[
    dict[str, Annotated[str, Field(max_length=32768)]], Field(max_length=64), AfterValidator(_label_keys)
]
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


class ArtifactFilter(Model):
    """Artifacts of a name that match."""

    name: Name = Field(description="The artifact's name.")
    partitions: Values | None = Field(
        None,
        description="Values by partition key: a text, or a reference such as {$ref: inputs.region}. Keys that are not "
        "named may have any value.",
    )
    time_partition: Value = Field(
        None,
        description="The time it stands for: an RFC 3339 time, or a reference such as {$ref: inputs.day}, beside which "
        "`plus: 24h` or `minus: 24h` may stand.",
    )


class ArtifactQuery(ArtifactFilter):
    """The newest artifact of a name that matches."""

    version: Name | None = Field(None, description="Exactly this version, rather than the newest.")


class ArtifactBinding(Model):
    """An artifact that an output becomes."""

    name: Name = Field(description="The artifact's name. Each run adds a version to it.")
    partitions: Values | None = Field(
        None,
        description="Values by partition key: a text, or a reference to an input such as {$ref: inputs.region}. Keys "
        "that are not named are set by the code at run time.",
    )
    time_partition: Value = Field(
        None,
        description="The time it stands for: an RFC 3339 time, or a reference to an input such as {$ref: inputs.day}, "
        "beside which `plus: 24h` or `minus: 24h` may stand.",
    )


class Parameter(Model):
    """An input: its type, and what it is when nobody gives it."""

    type: TypeExpression = Field(
        description="Type expression: any, none, bool, int, float, str, datetime, date, timedelta, bytes, enum, "
        "struct, file, file[csv], directory, dataframe, dataframe[parquet], pickle, list[T], dict[str, T], "
        "optional[T], union[A, B]."
    )
    description: Description | None = Field(None, description="What it means, for people.")
    default: Value = Field(
        None,
        description="Its value when none is given. Without a default the input is required, unless it may be null.",
    )
    json_schema: FreeObject | None = Field(None, alias="schema", description=SCHEMA)


class Output(Model):
    """An output: its type."""

    type: TypeExpression = Field(description="Type expression, as for inputs.")
    description: Description | None = Field(None, description="What it means, for people.")
    json_schema: FreeObject | None = Field(None, alias="schema", description=SCHEMA)
    artifact: ArtifactBinding | None = Field(None, description="The artifact that it becomes a new version of.")


Parameters = Annotated[dict[str, Parameter], Field(max_length=MAX_PARAMETERS)]
Outputs = Annotated[dict[str, Output], Field(max_length=MAX_PARAMETERS)]


class CodeArchive(Model):
    """A code bundle in a store. Whoever gets it holds it against its hash, so it is the same for ever."""

    uri: Annotated[str, Field(min_length=5, max_length=1024, pattern=r"^[a-z][a-z0-9+.-]*://\S+$")] = Field(
        description="Its address, such as s3://bucket/windlass/code/SHA256.tar.gz; the pod reads it as other data."
    )
    sha256: Annotated[str, Field(min_length=64, max_length=64, pattern=r"^[0-9a-f]+$")] = Field(
        description="The SHA-256 of the tar archive, before it was compressed."
    )


class Code(Model):
    """Where the user's code comes from, when it is not in the image."""

    RULES: ClassVar[tuple[Rule, ...]] = (exactly_one("place of the code", "configMap", "archive"),)

    config_map: ObjectName | None = Field(
        None, description="A ConfigMap with the bundle under `bundle.tar.gz` in its binaryData."
    )
    archive: CodeArchive | None = Field(None, description="A bundle in the store, for code that no ConfigMap can hold.")


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


class PoolStatus(Model):
    """How many pods there are of those that are wanted."""

    observed_generation: Generation | None = Field(None, description="The metadata.generation this status is about.")
    conditions: Conditions | None = Field(None, description="`Ready`: whether it does its work, or why not.")
    replicas: Count | None = Field(None, description="Pods that there are.")
    ready_replicas: Count | None = Field(None, description="Pods that take work.")
    selector: Annotated[str, Field(max_length=1024)] | None = Field(
        None, description="The labels of its pods, for autoscalers."
    )


class TaskRef(Model):
    """A Task by name."""

    name: ObjectName = Field(description="Name of a Task in the same namespace.")
    version: Version | None = Field(None, description="Its `spec.version`; without one, the Task as it is now.")


class WorkflowRef(Model):
    """A Workflow by name."""

    name: ObjectName = Field(description="Name of a Workflow in the same namespace.")
    version: Version | None = Field(None, description="Its `spec.version`; without one, the Workflow as it is now.")


class LaunchPlanRef(Model):
    """A LaunchPlan by name."""

    name: ObjectName = Field(description="Name of a LaunchPlan in the same namespace.")
    version: Version | None = Field(None, description="Its `spec.version`; without one, the LaunchPlan as it is now.")


class NodeRef(Model):
    """A node of a run."""

    execution: ObjectName | None = Field(None, description="The Execution.")
    node: ObjectName | None = Field(None, description="The node of it: its id, or a path such as n2.n0.")


class OutputRef(NodeRef):
    """An output of a node of a run."""

    output: Identifier | None = Field(None, description="The output of the node.")


AGE = Column("Age", ".metadata.creationTimestamp", "date", description="Since when it is there.")
READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status', description="Whether it can be used.")
WHY_NOT = Column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1, description="Why not ready.")
VERSION_COLUMN = Column("Version", ".spec.version", description="The author's label.")
