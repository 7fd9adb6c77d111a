"""Manifests against the contract: what the API server would refuse, and what only shows when they are seen together.

Takes parsed documents, as a folder of YAML gives them, and returns findings with the field paths people know from
kubectl (`spec.nodes[2].task.name: field is required`). First each object's shape, by the models; then, for objects in
good shape, the rules of `validation` across all that were given: a Workflow's tasks and an Execution's workflow are
looked up among them, in the same namespace. Objects of other API groups are left alone.

Called by the renderer and by `windlass validate`. Loads pydantic: nothing for a pod.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from windlass_api import validation
from windlass_api.findings import Finding, did_you_mean, field_path
from windlass_api.names import API_VERSION, GROUP, MAX_LABEL
from windlass_api.types import show
from windlass_api.v1alpha1.kinds import KINDS
from windlass_api.v1alpha1.meta import KindModel

Manifest = Mapping[str, Any]

REQUIRED = "FieldRequired"
UNKNOWN_FIELD = "UnknownField"
INVALID_VALUE = "InvalidValue"
UNKNOWN_KIND = "UnknownKind"
DUPLICATE_OBJECT = "DuplicateObject"
WORKFLOW_NOT_FOUND = "WorkflowNotFound"

_MODELS: dict[str, type[KindModel]] = {model.__name__: model for model in KINDS}


def validate_manifests(objects: Sequence[Manifest]) -> list[tuple[int, Finding]]:
    """What is wrong with the objects, each finding with the index of its object, in the objects' order."""
    found = [list(_shape_findings(item)) for item in objects]
    world = _World([item if _is_ours(item) else {} for item in objects])
    for index, item in enumerate(objects):
        found[index] += world.duplicate_findings(index)
        if _is_ours(item) and not found[index]:
            found[index] += world.findings(item)
    return [(index, finding) for index, findings in enumerate(found) for finding in findings]


def _is_ours(item: Manifest) -> bool:
    return isinstance(item, Mapping) and item.get("apiVersion") == API_VERSION and item.get("kind") in _MODELS


# Shape.


def _shape_findings(item: Manifest) -> Iterator[Finding]:
    if not isinstance(item, Mapping):
        yield Finding("", INVALID_VALUE, f"expected an object with apiVersion and kind, got {show(item)}")
        return
    yield from _kind_findings(item)
    if not _is_ours(item):
        return
    model = _MODELS[item["kind"]]
    try:
        model.model_validate(item)
    except ValidationError as error:
        yield from (_finding(details, model) for details in error.errors(include_url=False))
    yield from _rule_findings(item)


def _kind_findings(item: Manifest) -> Iterator[Finding]:
    version, kind = item.get("apiVersion"), item.get("kind")
    for field in ("apiVersion", "kind"):
        if not isinstance(item.get(field), str):
            yield Finding(field, REQUIRED, "field is required")
    if not isinstance(version, str) or version.split("/")[0] != GROUP or not isinstance(kind, str):
        return
    if version != API_VERSION:
        yield Finding("apiVersion", UNKNOWN_KIND, f"`{version}` is unknown; the version is `{API_VERSION}`")
    if kind not in _MODELS:
        yield Finding("kind", UNKNOWN_KIND, f"`{kind}` is no kind of {GROUP}{did_you_mean(kind, _MODELS)}")


def _rule_findings(item: Manifest) -> Iterator[Finding]:
    """The rules which the CRDs state in CEL, and what the API server asks of any object."""
    metadata, spec = item.get("metadata"), item.get("spec")
    if isinstance(metadata, Mapping):
        yield from _name_findings(item["kind"], metadata)
    if item["kind"] == "Execution" and isinstance(spec, Mapping):
        targets = [field for field in ("workflow", "task") if spec.get(field) is not None]
        if len(targets) != 1:
            yield Finding("spec", REQUIRED, "exactly one of `workflow` and `task` is required")


def _name_findings(kind: str, metadata: Mapping[str, Any]) -> Iterator[Finding]:
    name = metadata.get("name")
    if name is None and metadata.get("generateName") is None:
        yield Finding("metadata.name", REQUIRED, "field is required, or `generateName` in its place")
    if kind == "Execution" and isinstance(name, str) and len(name) > MAX_LABEL:
        message = f"`{name}` has {len(name)} characters, the name of an Execution has at most {MAX_LABEL}"
        yield Finding("metadata.name", INVALID_VALUE, message)


# Pydantic's errors in words that one knows from kubectl.


def _finding(details: ErrorDetails, model: type[BaseModel]) -> Finding:
    location = details["loc"]
    kind = details["type"]
    if kind == "missing":
        return Finding(field_path(*location), REQUIRED, "field is required")
    if kind == "extra_forbidden":
        hint = did_you_mean(str(location[-1]), _fields_at(model, location[:-1]))
        return Finding(field_path(*location), UNKNOWN_FIELD, f"there is no field `{location[-1]}`{hint}")
    if location[-1:] == ("[key]",):
        message = f"expected a text as key, got {show(details['input'])}, put it into quotes"
        return Finding(field_path(*location[:-2]), INVALID_VALUE, message)
    return Finding(field_path(*location), INVALID_VALUE, _say(details))


_EXPECTED = {
    "string_type": "a text",
    "int_type": "an int",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
}


def _too_long(given: Any, context: Mapping[str, Any]) -> str:
    return f"{len(given)} characters, at most {context['max_length']} are allowed"


def _too_many(given: Any, context: Mapping[str, Any]) -> str:
    return f"{len(given)} entries, at most {context['max_length']} are allowed"


_SENTENCES: dict[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "string_too_long": _too_long,
    "too_long": _too_many,
    "string_too_short": lambda given, context: "it must not be empty",
    "string_pattern_mismatch": lambda given, context: f"{show(given)} does not match {context['pattern']}",
    "literal_error": lambda given, context: f"expected {context['expected']}, got {show(given)}",
    "greater_than_equal": lambda given, context: f"expected at least {context['ge']}, got {show(given)}",
    "less_than_equal": lambda given, context: f"expected at most {context['le']}, got {show(given)}",
}


def _say(details: ErrorDetails) -> str:
    kind, given = details["type"], details.get("input")
    if kind in _EXPECTED:
        quotes = ", put it into quotes" if kind == "string_type" and isinstance(given, int | float) else ""
        return f"expected {_EXPECTED[kind]}, got {show(given)}{quotes}"
    if kind in _SENTENCES:
        return _SENTENCES[kind](given, details.get("ctx", {}))
    return details["msg"]


def _fields_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The fields that there are at a place, read from the model's own schema."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    here: Any = schema
    for step in location:
        here = _member(_resolved(here, definitions), step)
    return list(_resolved(here, definitions).get("properties", {}))


def _resolved(schema: Any, definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    options = [schema, *(schema.get("anyOf", ()) if isinstance(schema, Mapping) else ())]
    for option in options:
        if isinstance(option, Mapping) and "$ref" in option:
            found: Mapping[str, Any] = definitions[option["$ref"].rsplit("/", 1)[-1]]
            return found
    return next((option for option in reversed(options) if isinstance(option, Mapping) and _has_members(option)), {})


def _has_members(schema: Mapping[str, Any]) -> bool:
    return any(key in schema for key in ("properties", "items", "additionalProperties"))


def _member(schema: Mapping[str, Any], step: str | int) -> Any:
    if isinstance(step, int):
        return schema.get("items", {})
    return schema.get("properties", {}).get(step, schema.get("additionalProperties", {}))


# What the objects say about each other.

_Key = tuple[str, str, str]  # kind, namespace, name


class _World:
    """The objects by kind, namespace and name. The first of a name counts."""

    def __init__(self, objects: Sequence[Manifest]) -> None:
        self.keys = [_key(item) for item in objects]
        self.first: dict[_Key, int] = {}
        for index, key in enumerate(self.keys):
            if key is not None:
                self.first.setdefault(key, index)
        self.objects = objects

    def duplicate_findings(self, index: int) -> Iterator[Finding]:
        key = self.keys[index]
        if key is not None and self.first[key] != index:
            yield Finding("metadata.name", DUPLICATE_OBJECT, f"there is another {key[0]} `{key[2]}` before this one")

    def findings(self, item: Manifest) -> list[Finding]:
        namespace = _namespace(item)
        spec = item["spec"]
        if item["kind"] == "Task":
            return validation.validate_task(spec)
        if item["kind"] == "Workflow":
            return validation.validate_workflow(spec, self.finder("Task", namespace))
        return self.execution_findings(spec, namespace)

    def finder(self, kind: str, namespace: str) -> validation.FindTask:
        def find(name: str, version: str | None) -> Mapping[str, Any] | None:
            index = self.first.get((kind, namespace, name))
            spec = None if index is None else self.objects[index].get("spec")
            if not isinstance(spec, Mapping) or version not in (None, spec.get("version")):
                return None
            return spec

        return find

    def execution_findings(self, spec: Mapping[str, Any], namespace: str) -> list[Finding]:
        kind, field = ("Workflow", "workflow") if spec.get("workflow") is not None else ("Task", "task")
        name, version = spec[field]["name"], spec[field].get("version")
        target = self.finder(kind, namespace)(name, version)
        if target is None:
            reason = WORKFLOW_NOT_FOUND if kind == "Workflow" else validation.TASK_NOT_FOUND
            of_version = f" in version `{version}`" if version else ""
            return [Finding(f"spec.{field}", reason, f"there is no {kind} `{name}`{of_version}")]
        return validation.complete_inputs(target.get("inputs"), spec.get("inputs"))[1]


def _key(item: Manifest) -> _Key | None:
    metadata = item.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return (item["kind"], _namespace(item), name) if isinstance(name, str) else None


def _namespace(item: Manifest) -> str:
    return str(item["metadata"].get("namespace") or "")
