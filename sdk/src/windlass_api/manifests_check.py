"""Manifests against the contract: what the API server would refuse, and what only shows when they are seen together.

Takes parsed documents, as a folder of YAML gives them, and returns findings with the field paths people know from
kubectl (`spec.nodes[2].task.name: field is required`). First each object's shape and size, by the models and their
rules; then, for objects in good shape, the rules of `validation` across all that were given: a Workflow's tasks and an
Execution's workflow are looked up among them, in the same namespace. Objects of other API groups are left alone.

Called by the renderer and by `windlass validate`. Loads pydantic: nothing for a pod.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from windlass_api import validation
from windlass_api.findings import NOT_FOUND, Finding, did_you_mean, field_path
from windlass_api.names import API_VERSION, GROUP, canonical_json
from windlass_api.types import show
from windlass_api.v1alpha1.execution import TARGETS
from windlass_api.v1alpha1.kinds import KINDS
from windlass_api.v1alpha1.launch_plan import CRON
from windlass_api.v1alpha1.meta import DNS_LABEL, DNS_SUBDOMAIN, DURATION, KindModel, Model
from windlass_api.wiring import KIND_OF, definition_interface, not_found

Manifest = Mapping[str, Any]

REQUIRED = "FieldRequired"
FORBIDDEN = "FieldForbidden"
UNKNOWN_FIELD = "UnknownField"
INVALID_VALUE = "InvalidValue"
UNKNOWN_KIND = "UnknownKind"
DUPLICATE_OBJECT = "DuplicateObject"
TOO_LARGE = "TooLarge"

MAX_SIZE = 1024 * 1024
"""Bytes of an object as JSON. The API server's store takes 1.5 MiB, and the status and its bookkeeping need room."""

_REASONS = {
    "FieldValueRequired": REQUIRED,
    "FieldValueInvalid": INVALID_VALUE,
    "FieldValueForbidden": FORBIDDEN,
    "": INVALID_VALUE,
}

_MODELS: dict[str, type[KindModel]] = {model.__name__: model for model in KINDS}


def validate_manifests(objects: Sequence[Manifest], earlier: Sequence[Manifest] = ()) -> list[tuple[int, Finding]]:
    """What is wrong with the objects, each finding with the index of its object, in the objects' order.

    `earlier` are definitions that objects have replaced. Whoever refers to their version still finds them, as in a
    cluster, which keeps the versions of a definition as long as the definition.
    """
    found = [list(_shape_findings(item)) for item in objects]
    world = _World([item if _is_ours(item) else {} for item in objects], [item for item in earlier if _is_ours(item)])
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
    yield from _name_findings(item)
    try:
        parsed = model.model_validate(item)
    except ValidationError as error:
        yield from (_finding(details, model) for details in error.errors(include_url=False))
        return
    yield from _rule_findings(parsed, "")
    yield from _size_findings(item)


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


def _name_findings(item: Manifest) -> Iterator[Finding]:
    metadata = item.get("metadata")
    if isinstance(metadata, Mapping) and metadata.get("name") is None and metadata.get("generateName") is None:
        yield Finding("metadata.name", REQUIRED, "field is required, or `generateName` in its place")


def _rule_findings(value: Any, path: str) -> Iterator[Finding]:
    """The rules which the CRDs state in CEL, of the object and of all in it."""
    if isinstance(value, Model):
        for rule in value.RULES:
            if rule.holds is not None and not rule.holds(value):
                where = path + rule.field_path if path else rule.field_path.lstrip(".")
                yield Finding(where, _REASONS[rule.reason], rule.message)
        for name, field in type(value).model_fields.items():
            yield from _rule_findings(getattr(value, name), field_path(path, field.alias or name))
    elif isinstance(value, list | dict):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _rule_findings(item, field_path(path, key))


def _size_findings(item: Manifest) -> Iterator[Finding]:
    try:
        size = len(canonical_json(item))
    except (TypeError, ValueError, RecursionError):  # what is no JSON is found by other rules
        return
    if size > MAX_SIZE:
        message = f"the object has {size} bytes, at most {MAX_SIZE} are allowed; divide it, or pass data by reference"
        yield Finding("", TOO_LARGE, message)


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


_SPELLINGS = {
    DURATION: "a duration such as 90s, 5m or 1h30m",
    CRON: "five fields such as 30 6 * * 1-5, or @daily",
    DNS_LABEL: "small letters, digits and `-`, no `-` at an end",
    DNS_SUBDOMAIN: "small letters, digits, `-` and `.`, such as wordcount.count-words",
}
"""What patterns mean, where they are hard to read."""


def _mismatch(given: Any, context: Mapping[str, Any]) -> str:
    spelling = _SPELLINGS.get(context["pattern"])
    return f"{show(given)} does not match {context['pattern']}" + (f": expected {spelling}" if spelling else "")


def _too_long(given: Any, context: Mapping[str, Any]) -> str:
    return f"{len(given)} characters, at most {context['max_length']} are allowed"


def _too_many(given: Any, context: Mapping[str, Any]) -> str:
    return f"{len(given)} entries, at most {context['max_length']} are allowed"


_SENTENCES: dict[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "string_too_long": _too_long,
    "too_long": _too_many,
    "string_too_short": lambda given, context: "it must not be empty",
    "too_short": lambda given, context: f"{len(given)} entries, at least {context['min_length']} is required",
    "string_pattern_mismatch": _mismatch,
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

    def __init__(self, objects: Sequence[Manifest], earlier: Sequence[Manifest]) -> None:
        self.keys = [_key(item) for item in objects]
        self.first: dict[_Key, int] = {}
        for index, key in enumerate(self.keys):
            if key is not None:
                self.first.setdefault(key, index)
        self.objects = objects
        self.earlier = {(_key(item), _spec(item).get("version")): _spec(item) for item in earlier}

    def duplicate_findings(self, index: int) -> Iterator[Finding]:
        key = self.keys[index]
        if key is not None and self.first[key] != index:
            yield Finding("metadata.name", DUPLICATE_OBJECT, f"there is another {key[0]} `{key[2]}` before this one")

    def findings(self, item: Manifest) -> list[Finding]:
        find = self.finder(_namespace(item))
        rules = _RULES.get(item["kind"])
        return [] if rules is None else rules(item["spec"], find)

    def finder(self, namespace: str) -> validation.Find:
        def find(kind: str, name: str, version: str | None) -> Mapping[str, Any] | None:
            index = self.first.get((kind, namespace, name))
            spec = None if index is None else self.objects[index].get("spec")
            if isinstance(spec, Mapping) and version in (None, spec.get("version")):
                return spec
            return None if version is None else self.earlier.get(((kind, namespace, name), version))

        return find


def _execution_findings(spec: Mapping[str, Any], find: validation.Find) -> list[Finding]:
    field = next(target for target in TARGETS if spec.get(target) is not None)
    kind, reference = KIND_OF[field], spec[field]
    interface = definition_interface(kind, reference["name"], reference.get("version"), find)
    if interface is None:
        return [Finding(f"spec.{field}", NOT_FOUND[kind], not_found(kind, reference))]
    return [
        *validation.complete_inputs(interface.inputs, spec.get("inputs"))[1],
        *validation.override_findings(spec.get("overrides") or {}, "spec.overrides"),
    ]


_RULES: dict[str, Callable[[Mapping[str, Any], validation.Find], list[Finding]]] = {
    "Task": validation.validate_task,
    "Workflow": validation.validate_workflow,
    "LaunchPlan": validation.validate_launch_plan,
    "Execution": _execution_findings,
    "Backfill": validation.validate_backfill,
    "Signal": lambda spec, find: validation.validate_answer(spec),
    "Artifact": lambda spec, find: validation.validate_artifact(spec),
}
"""The rules of each kind that has some beyond its shape."""


def _key(item: Manifest) -> _Key | None:
    metadata = item.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return (item["kind"], _namespace(item), name) if isinstance(name, str) else None


def _spec(item: Manifest) -> Mapping[str, Any]:
    spec = item.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _namespace(item: Manifest) -> str:
    return str(item["metadata"].get("namespace") or "")
