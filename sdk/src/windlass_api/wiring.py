"""Wiring: what a node takes and gives, whatever it is, and what types references have.

    node ──interface_of──► inputs and outputs          of a Task, a Workflow, a LaunchPlan; lists where it is mapped
    Ref  ──Scope.type_of──► type and schema             also of what passes through `select` and `approve`
    value ──binding_findings──► what does not fit       a value with references in it, against an expected type

`validation` states the rules with these. All functions take plain specs, and stay calm when their shape is wrong: what
they can't read they leave to the models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from windlass_api.findings import INVALID_REFERENCE, TYPE_MISMATCH, UNKNOWN_REFERENCE, Finding, did_you_mean, field_path
from windlass_api.refs import ERROR, Literal, Ref, RefSyntaxError, marker
from windlass_api.types import (
    ANY,
    NONE,
    STRUCT,
    PathError,
    Schema,
    Type,
    TypeSyntaxError,
    admits_null,
    alternatives,
    assignable,
    check_value,
    descend,
    list_of,
    optional_of,
    parse_type,
)

Spec = Mapping[str, Any]
Find = Callable[[str, str, str | None], Spec | None]
"""Kind, name, version → the spec of that definition, or None where there is none (yet)."""

T = TypeVar("T")
Typed = tuple[Type, Schema | None]

NODE_KINDS = ("task", "workflow", "launchPlan", "select", "approve", "waitForInput", "sleep")
KIND_OF = {"task": "Task", "workflow": "Workflow", "launchPlan": "LaunchPlan"}
"""What the fields of a node refer to which run something else."""

UNKNOWN: Typed = (ANY, None)

_ERROR: Spec = {
    "type": "struct",
    "schema": {
        "type": "object",
        "properties": {"message": {"type": "string"}, "failed_node_id": {"type": "string"}},
    },
}


class Interface(NamedTuple):
    """What something takes and gives: parameters by name."""

    inputs: Mapping[str, Spec]
    outputs: Mapping[str, Spec]

    @classmethod
    def of(cls, spec: Spec) -> Interface:
        """That of a Task or a Workflow."""
        return cls(parameters(spec, "inputs"), parameters(spec, "outputs"))


def kind_of_node(node: Spec) -> str | None:
    """The field that says what a node is; None where none or several do."""
    given = [kind for kind in NODE_KINDS if node.get(kind) is not None]
    return given[0] if len(given) == 1 else None


def interface_of(node: Spec, find: Find) -> Interface | None:
    """What a node takes and gives, as far as it says itself: not what passes through it. None where that is unknown."""
    kind = kind_of_node(node)
    if kind in KIND_OF:
        name, version = mapping(node, kind).get("name"), mapping(node, kind).get("version")
        found = definition_interface(KIND_OF[kind], name, version, find) if isinstance(name, str) else None
        mapped = node.get("map")
        return mapped_interface(found, mapped) if found is not None and isinstance(mapped, Mapping) else found
    if kind == "approve":
        return Interface({"value": {"type": "any"}}, {"o0": {"type": "any"}})
    if kind == "waitForInput":
        return Interface({}, {"o0": mapping(node, kind)})
    return Interface({}, {}) if kind is not None else None


def references(kind: str, spec: Spec) -> set[tuple[str, str]]:
    """The kinds and names of the definitions that a definition refers to."""
    found: list[tuple[str, Any]] = []
    if kind == "Workflow":
        failure = spec.get("onFailure")
        for node in [*nodes(spec), *([failure] if isinstance(failure, Mapping) else [])]:
            found += [(target, mapping(node, field).get("name")) for field, target in KIND_OF.items()]
    elif kind == "Task":
        found.append(("ActorEnvironment", mapping(spec, "actor").get("name")))
    elif kind == "LaunchPlan":
        found.append(("Workflow", mapping(spec, "workflow").get("name")))
    elif kind == "Backfill":
        found.append(("LaunchPlan", mapping(spec, "launchPlan").get("name")))
    return {(target, name) for target, name in found if isinstance(name, str)}


def definition_interface(kind: str, name: str, version: str | None, find: Find) -> Interface | None:
    """What a Task, a Workflow or a LaunchPlan takes and gives; None where it, or its workflow, is not there."""
    spec = find(kind, name, version)
    if spec is None or kind != "LaunchPlan":
        return None if spec is None else Interface.of(spec)
    reference = mapping(spec, "workflow")
    target = reference.get("name")
    workflow = find("Workflow", target, reference.get("version")) if isinstance(target, str) else None
    return None if workflow is None else plan_interface(spec, workflow)


def plan_interface(plan: Spec, workflow: Spec) -> Interface:
    """What a launch plan takes: the workflow's inputs without those that it fixes, with its own defaults."""
    fixed, defaults = mapping(plan, "fixedInputs"), mapping(plan, "defaultInputs")
    interface = Interface.of(workflow)
    inputs: dict[str, Spec] = {}
    for name, parameter in interface.inputs.items():
        if name in defaults and name not in fixed:
            rest = {key: value for key, value in parameter.items() if key != "artifact"}
            inputs[name] = {**rest, "default": defaults[name]}
        elif name not in fixed:
            inputs[name] = parameter
    return Interface(inputs, interface.outputs)


def mapped_interface(interface: Interface, mapped: Spec) -> Interface:
    """The interface of one run for each element of lists: lists go in and come out."""
    over = items(mapped, "over")
    inputs = {name: _listed(spec) if name in over else spec for name, spec in interface.inputs.items()}
    null = admits_failures(mapped)
    return Interface(inputs, {name: _listed(spec, null=null) for name, spec in interface.outputs.items()})


def admits_failures(mapped: Spec) -> bool:
    """Whether a map succeeds though elements fail, which then are null."""
    ratio = mapped.get("minSuccessRatio")
    return mapped.get("minSuccesses") is not None or (isinstance(ratio, int | float) and ratio < 1)


def not_found(kind: str, reference: Spec) -> str:
    """The sentence that a definition is not there."""
    version = f" in version `{reference['version']}`" if reference.get("version") else ""
    return f"there is no {kind} `{reference.get('name')}`{version}"


def _listed(parameter: Spec, *, null: bool = False) -> Spec:
    """The parameter of a list of such values. A default is for one of them, not for the list."""
    one, schema = type_of(parameter)
    spec: dict[str, Any] = {"type": str(list_of(optional_of(one) if null and not admits_null(one) else one))}
    if schema is not None:
        roots = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
        item = {key: value for key, value in schema.items() if key not in roots}
        spec["schema"] = {"type": "array", "items": {"anyOf": [item, {"type": "null"}]} if null else item, **roots}
    return spec


def type_of(parameter: Spec) -> Typed:
    """A parameter's type and schema; a type that does not parse is reported elsewhere and is `any` here."""
    try:
        return parse_type(str(parameter.get("type", ""))), mapping(parameter, "schema") or None
    except TypeSyntaxError:
        return UNKNOWN


def is_required(parameter: Spec) -> bool:
    """Whether a value must be given. Not so where null is a value of the type: it is the default then, said or not,
    for a client-side `kubectl apply` loses what is null, and must not change what a manifest means.
    """
    given = "default" in parameter or parameter.get("artifact") is not None
    return not given and not admits_null(type_of(parameter)[0])


class Scope:
    """What a reference may point at: the workflow's inputs, and each node's outputs."""

    def __init__(self, spec: Spec, find: Find) -> None:
        self.inputs = parameters(spec, "inputs")
        self.nodes = {str(node.get("id")): node for node in reversed(nodes(spec))}
        self._find = find
        self._interfaces = {name: interface_of(node, find) for name, node in self.nodes.items()}
        self._through: dict[str, Mapping[str, Typed] | None] = {}

    def type_of(self, ref: Ref) -> Typed:
        """The type and schema of what is referred to. Raises PathError where there is no such thing."""
        if ref.node is None and ref.name == ERROR:
            raise PathError("there is an error in `onFailure` only")
        if ref.node is None:
            parameter = _member(self.inputs, ref.name, "the workflow", "input")
            return descend(*type_of(parameter), ref.path)
        if ref.node not in self.nodes:
            raise PathError(f"there is no node `{ref.node}`{did_you_mean(ref.node, self.nodes)}")
        outputs = self.outputs(ref.node)
        if outputs is None:
            return UNKNOWN
        found, schema = _member(outputs, ref.name, f"node `{ref.node}`", "output")
        return descend(found, schema, ref.path)

    def known_type(self, ref: Ref) -> Typed:
        """As `type_of`; what leads nowhere fits everything, for it is reported once, where it stands."""
        try:
            return self.type_of(ref)
        except PathError:
            return UNKNOWN

    def interface_of(self, node: Spec) -> Interface | None:
        """What a node takes and gives; known already, but for one that has another's id."""
        name = str(node.get("id"))
        return self._interfaces[name] if self.nodes.get(name) is node else interface_of(node, self._find)

    def outputs(self, node: str) -> Mapping[str, Typed] | None:
        """A node's outputs with their types; None where they are unknown."""
        if node not in self._through:
            self._through[node] = None  # what is asked for meanwhile is a cycle, which is reported as such
            self._through[node] = self._outputs(self.nodes[node], self._interfaces[node])
        return self._through[node]

    def _outputs(self, node: Spec, interface: Interface | None) -> Mapping[str, Typed] | None:
        kind = kind_of_node(node)
        if kind == "select":
            cases = [mapping(case, "outputs") for case in cases_of(node) if case.get("fail") is None]
            return {name: self.joined([case.get(name) for case in cases]) or UNKNOWN for name in _names(cases)}
        if kind == "approve":
            return {"o0": self.joined([mapping(node, "inputs").get("value")]) or UNKNOWN}
        return None if interface is None else {name: type_of(spec) for name, spec in interface.outputs.items()}

    def joined(self, values: Sequence[Any]) -> Typed | None:
        """The type that all of the values have, references followed: one of theirs, or that and null. None if none."""
        found = [self._type_of_value(value) for value in values]
        options = [*found, *((optional_of(one), schema) for one, schema in found if not admits_null(one))]
        for option in options:
            if all(not binding_findings(value, *option, self, "") for value in values):
                return option
        return None

    def _type_of_value(self, value: Any) -> Typed:
        try:
            found = marker(value)
        except RefSyntaxError:
            return UNKNOWN
        if isinstance(found, Ref):
            return self.known_type(found)
        return _type_of_json(found.value if isinstance(found, Literal) else value), None


class FailureScope(Scope):
    """What `onFailure` may refer to: the workflow's inputs, and the error. Which nodes ran, nobody knows there."""

    def type_of(self, ref: Ref) -> Typed:
        """The type and schema of what is referred to. Raises PathError where there is no such thing."""
        if ref.node is not None:
            raise PathError("`onFailure` can refer to inputs and to `error` only: it is not sure that a node has run")
        return descend(*type_of(_ERROR), ref.path) if ref.name == ERROR else super().type_of(ref)


def _member(members: Mapping[str, T], name: str, owner: str, what: str) -> T:
    if name not in members:
        raise PathError(f"{owner} has no {what} `{name}`{did_you_mean(name, members) or f'; it has no {what}s'}")
    return members[name]


def _names(cases: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(name) for case in cases for name in case))


_JSON_TYPES = ((bool, "bool"), (int, "int"), (float, "float"), (str, "str"), (list, "list"), (tuple, "list"))


def _type_of_json(value: Any) -> Type:
    if value is None:
        return NONE
    if isinstance(value, Mapping):
        return STRUCT
    name = next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "any")
    return list_of(ANY) if name == "list" else Type(name)


# Values with references in them. First every reference is followed, each on its own; then types are compared.


def ref_findings(value: Any, scope: Scope, path: str) -> Iterator[Finding]:
    """What is wrong with the references in a value, each taken by itself."""
    try:
        found = marker(value)
    except RefSyntaxError as error:
        yield Finding(path, INVALID_REFERENCE, error.message)
        return
    if isinstance(found, Ref):
        unknown = unknown_finding(found, scope, path)
        if unknown is not None:
            yield unknown
    elif found is None:
        for key, item in parts(value):
            yield from ref_findings(item, scope, field_path(path, key))


def unknown_finding(ref: Ref, scope: Scope, path: str) -> Finding | None:
    """That a reference leads nowhere, if so."""
    try:
        scope.type_of(ref)
    except PathError as error:
        return Finding(path, UNKNOWN_REFERENCE, f"`{ref}`: {error.message}")
    return None


def binding_findings(value: Any, expected: Type, schema: Schema | None, scope: Scope, path: str) -> list[Finding]:
    """What keeps a value, with references in it, from being of the expected."""
    try:
        found = marker(value)
    except RefSyntaxError:
        return []
    if isinstance(found, Ref):
        source, source_schema = scope.known_type(found)
        if assignable(source, expected, source_schema, schema):
            return []
        return [Finding(path, TYPE_MISMATCH, f"expected {expected}, got {source} from `{found}`")]
    if isinstance(found, Literal):
        return check_value(found.value, expected, schema, path)
    if not _has_markers(value):
        return check_value(value, expected, schema, path)
    options = [option for option in alternatives(expected) if option != NONE] or [NONE]
    results = [_composite_findings(value, option, schema, scope, path) for option in options]
    return min(results, key=len)


def _composite_findings(value: Any, expected: Type, schema: Schema | None, scope: Scope, path: str) -> list[Finding]:
    """The findings inside a list or map; whether it may be one at all is asked with an empty one."""
    empty: Any = {} if isinstance(value, Mapping) else []
    if check_value(empty, expected) or expected == NONE:
        kind = "map" if isinstance(value, Mapping) else "list"
        return [Finding(path, TYPE_MISMATCH, f"expected {expected}, got a {kind}")]
    findings: list[Finding] = []
    for key, item in parts(value):
        where = field_path(path, key)
        try:
            part = descend(expected, schema, (key,))
        except PathError as error:
            findings.append(Finding(where, TYPE_MISMATCH, error.message))
            continue
        findings += binding_findings(item, *part, scope, where)
    return findings


def _has_markers(value: Any) -> bool:
    if isinstance(value, Mapping) and any(isinstance(key, str) and key.startswith("$") for key in value):
        return True
    return any(_has_markers(item) for _, item in parts(value))


# Reading specs whose shape may be wrong.


def mapping(spec: Spec, field: str) -> Mapping[str, Any]:
    """A field that is a map; empty where it is none."""
    value = spec.get(field)
    return value if isinstance(value, Mapping) else {}


def items(spec: Spec, field: str) -> list[Any]:
    """A field that is a list; empty where it is none."""
    value = spec.get(field)
    return value if isinstance(value, list) else []


def parameters(spec: Spec, field: str) -> dict[str, Spec]:
    """Inputs or outputs by name; the shape of those left out is the models' matter."""
    members = mapping(spec, field).items()
    return {str(name): parameter for name, parameter in members if isinstance(parameter, Mapping)}


def nodes(spec: Spec) -> list[Spec]:
    """A workflow's nodes."""
    return [node if isinstance(node, Mapping) else {} for node in items(spec, "nodes")]


def cases_of(node: Spec) -> list[Spec]:
    """The cases of a node's `select`."""
    return [case if isinstance(case, Mapping) else {} for case in items(node, "select")]


def parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """What is in a map or a list, with its key or place."""
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)
