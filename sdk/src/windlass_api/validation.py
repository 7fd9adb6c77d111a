"""Validation: the rules which one definition, or a workflow with its tasks, has to keep.

Shape (which fields there are, of which kind, how long) is the models' and the CRD's part. Here is what shape can't say:
whether types parse and defaults fit them, whether references lead somewhere and types fit along them, whether anything
waits for itself. The renderer, the operator and local checks call the same functions and show the same findings.

All functions take plain specs, collect everything that is wrong rather than stop at the first, and stay calm when the
shape is wrong, too: what they can't read they leave to the models.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from windlass_api import cel, graph
from windlass_api.findings import Finding, did_you_mean, field_path
from windlass_api.names import is_dns_label
from windlass_api.refs import Literal, Ref, RefSyntaxError, marker
from windlass_api.types import (
    ANY,
    MAX_VALUE_DEPTH,
    NONE,
    PathError,
    Schema,
    Type,
    TypeSyntaxError,
    admits_null,
    alternatives,
    assignable,
    check_value,
    descend,
    is_too_deep,
    parse_type,
)

Spec = Mapping[str, Any]
FindTask = Callable[[str, str | None], Spec | None]

RUNNERS = ("python",)

INVALID_TYPE = "InvalidType"
INVALID_DEFAULT = "InvalidDefault"
INVALID_RUNNER = "InvalidRunner"
INVALID_NAME = "InvalidName"
TASK_NOT_FOUND = "TaskNotFound"
UNKNOWN_REFERENCE = "UnknownReference"
TYPE_MISMATCH = "TypeMismatch"
MISSING_INPUT = "MissingInput"
UNKNOWN_INPUT = "UnknownInput"
CYCLE = "Cycle"
DUPLICATE_NODE = "DuplicateNode"
INVALID_EXPRESSION = "InvalidExpression"
INVALID_REFERENCE = "InvalidReference"
INVALID_NODE_ID = "InvalidNodeId"

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def validate_task(spec: Spec) -> list[Finding]:
    """What is wrong with a Task's spec: its runner, the types and defaults of its interface."""
    if is_too_deep(spec):
        return [_too_deep("spec")]
    runners = [name for name in RUNNERS if spec.get(name) is not None]
    findings = list(_interface_findings(spec, "spec"))
    if len(runners) != 1:
        options = ", ".join(f"`{name}`" for name in RUNNERS)
        findings.insert(0, Finding("spec", INVALID_RUNNER, f"exactly one runner is required: {options}"))
    return findings


def validate_workflow(spec: Spec, find_task: FindTask) -> list[Finding]:
    """What is wrong with a Workflow's spec. `find_task(name, version)` returns the spec of a Task, or None."""
    if is_too_deep(spec):
        return [_too_deep("spec")]
    tasks = [_task_of(node, find_task) for node in _nodes(spec)]
    scope = _Scope.of(spec, tasks)
    findings = [*_interface_findings(spec, "spec"), *_id_findings(spec)]
    for index, (node, task) in enumerate(zip(_nodes(spec), tasks, strict=True)):
        findings += _node_findings(node, task, scope, field_path("spec", "nodes", index))
    findings += _output_findings(spec, scope)
    findings += _cycle_findings(spec)
    return findings


def complete_inputs(
    interface_inputs: Mapping[str, Spec] | None, given: Mapping[str, Any] | None
) -> tuple[dict[str, Any], list[Finding]]:
    """The inputs of a run in the interface's order, defaults filled in, and what is wrong with those given.

    Values are data here: nothing in them is a reference, and `$` means nothing.
    """
    interface = _parameters({"inputs": interface_inputs}, "inputs")
    given = given or {}
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, parameter in interface.items():
        path = field_path("spec", "inputs", name)
        if name in given and is_too_deep(given[name]):
            findings.append(_too_deep(path))
        elif name in given:
            values[name] = given[name]
            findings += check_value(given[name], *_type_of(parameter), path)
        elif _is_required(parameter):
            findings.append(_missing(name, parameter, path))
        else:
            values[name] = parameter.get("default")
    findings += _unknown_inputs(interface, given, "spec.inputs")
    return values, findings


def _too_deep(path: str) -> Finding:
    return Finding(path, TYPE_MISMATCH, f"it nests more than {MAX_VALUE_DEPTH} levels deep")


# Interfaces.


def _interface_findings(spec: Spec, path: str) -> Iterator[Finding]:
    for section in ("inputs", "outputs"):
        for name, parameter in _parameters(spec, section).items():
            where = field_path(path, section, name)
            if not IDENTIFIER.match(name):
                yield Finding(where, INVALID_NAME, f"`{name}` is no name: letters, digits and `_`, no digit first")
            yield from _parameter_findings(parameter, where)


def _parameter_findings(parameter: Spec, path: str) -> Iterator[Finding]:
    try:
        parsed = parse_type(str(parameter.get("type", "")))
    except TypeSyntaxError as error:
        yield Finding(field_path(path, "type"), INVALID_TYPE, error.message)
        return
    if "default" in parameter:
        where = field_path(path, "default")
        for finding in check_value(parameter["default"], parsed, _mapping(parameter, "schema") or None, where):
            yield finding._replace(reason=INVALID_DEFAULT)


def _type_of(parameter: Spec) -> tuple[Type, Schema | None]:
    """A parameter's type and schema; a type that does not parse is reported elsewhere and is `any` here."""
    try:
        return parse_type(str(parameter.get("type", ""))), _mapping(parameter, "schema") or None
    except TypeSyntaxError:
        return ANY, None


def _is_required(parameter: Spec) -> bool:
    """Whether a value must be given. Not so where null is a value of the type: it is the default then, said or not,
    for a client-side `kubectl apply` loses what is null, and must not change what a manifest means.
    """
    return "default" not in parameter and not admits_null(_type_of(parameter)[0])


def _missing(name: str, parameter: Spec, path: str) -> Finding:
    return Finding(path, MISSING_INPUT, f"`{name}` ({parameter.get('type')}) is required, it has no default")


_YAML_BOOLS = {
    "true": "; if the manifest says `y`, `yes` or `on`, put it into quotes: YAML reads it as a bool",
    "false": "; if the manifest says `n`, `no` or `off`, put it into quotes: YAML reads it as a bool",
}


def _unknown_inputs(interface: Mapping[str, Spec], given: Mapping[str, Any], path: str) -> Iterator[Finding]:
    for name in given:
        if name not in interface:
            hint = _YAML_BOOLS.get(name) or did_you_mean(name, interface) or "; there are no inputs"
            yield Finding(field_path(path, name), UNKNOWN_INPUT, f"there is no input `{name}`{hint}")


# Nodes.


class _Scope(NamedTuple):
    """What a reference may point at: the workflow's inputs, each node's outputs (None where its task is unknown)."""

    inputs: Mapping[str, Spec]
    outputs: Mapping[str, Mapping[str, Spec] | None]

    @classmethod
    def of(cls, spec: Spec, tasks: Sequence[Spec | None]) -> _Scope:
        outputs = {
            str(node.get("id")): None if task is None else _parameters(task, "outputs")
            for node, task in reversed(list(zip(_nodes(spec), tasks, strict=True)))
        }
        return cls(_parameters(spec, "inputs"), outputs)

    def type_of(self, ref: Ref) -> tuple[Type, Schema | None]:
        """The type and schema of what is referred to. Raises PathError where there is no such thing."""
        parameter = self._parameter(ref)
        return (ANY, None) if parameter is None else descend(*_type_of(parameter), ref.path)

    def _parameter(self, ref: Ref) -> Spec | None:
        if ref.node is None:
            return self._member(self.inputs, ref.name, "the workflow", "input")
        if ref.node not in self.outputs:
            raise PathError(f"there is no node `{ref.node}`{did_you_mean(ref.node, self.outputs)}")
        outputs = self.outputs[ref.node]
        return None if outputs is None else self._member(outputs, ref.name, f"node `{ref.node}`", "output")

    @staticmethod
    def _member(members: Mapping[str, Spec], name: str, owner: str, what: str) -> Spec:
        if name not in members:
            raise PathError(f"{owner} has no {what} `{name}`{did_you_mean(name, members) or f'; it has no {what}s'}")
        return members[name]


def _id_findings(spec: Spec) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, node in enumerate(_nodes(spec)):
        name, path = str(node.get("id", "")), field_path("spec", "nodes", index, "id")
        if not is_dns_label(name):
            message = f"`{name}` is no node id: at most 63 small letters, digits and `-`, no `-` at an end"
            yield Finding(path, INVALID_NODE_ID, message)
        if name in seen:
            yield Finding(path, DUPLICATE_NODE, f"`{name}` is the id of spec.nodes[{seen[name]}] already")
        seen.setdefault(name, index)


def _task_of(node: Spec, find_task: FindTask) -> Spec | None:
    task = _mapping(node, "task")
    name = task.get("name")
    return find_task(name, task.get("version")) if isinstance(name, str) else None


def _node_findings(node: Spec, task: Spec | None, scope: _Scope, path: str) -> Iterator[Finding]:
    inputs = _mapping(node, "inputs")
    for name, value in inputs.items():
        yield from _ref_findings(value, scope, field_path(path, "inputs", name))
    yield from _when_findings(node, scope, field_path(path, "when"))
    yield from _depends_on_findings(node, scope, path)
    if task is None:
        yield _task_not_found(_mapping(node, "task"), path)
        return
    interface = _parameters(task, "inputs")
    yield from _unknown_inputs(interface, inputs, field_path(path, "inputs"))
    for name, parameter in interface.items():
        where = field_path(path, "inputs", name)
        if name in inputs:
            yield from _binding_findings(inputs[name], *_type_of(parameter), scope, where)
        elif _is_required(parameter):
            yield _missing(name, parameter, where)


def _task_not_found(task: Spec, path: str) -> Finding:
    version = f" in version `{task['version']}`" if task.get("version") else ""
    return Finding(field_path(path, "task"), TASK_NOT_FOUND, f"there is no Task `{task.get('name')}`{version}")


def _depends_on_findings(node: Spec, scope: _Scope, path: str) -> Iterator[Finding]:
    for index, name in enumerate(_list(node, "dependsOn")):
        if str(name) not in scope.outputs:
            hint = did_you_mean(str(name), scope.outputs)
            yield Finding(field_path(path, "dependsOn", index), UNKNOWN_REFERENCE, f"there is no node `{name}`{hint}")


def _when_findings(node: Spec, scope: _Scope, path: str) -> Iterator[Finding]:
    when = node.get("when")
    if when is None:
        return
    try:
        expression = cel.parse(str(when))
    except cel.CelSyntaxError as error:
        yield Finding(path, INVALID_EXPRESSION, str(error))
        return
    unknown = [_unknown(ref, scope, path) for ref in expression.refs]
    yield from (finding for finding in unknown if finding is not None)
    try:
        kind = expression.kind(lambda ref: _cel_kind(_known_type(ref, scope)))
    except cel.CelError as error:
        yield Finding(path, INVALID_EXPRESSION, str(error))
        return
    if kind not in (None, "bool"):
        yield Finding(path, INVALID_EXPRESSION, f"`{when}` is {kind}, a condition is a bool; compare it with something")


_CEL_KINDS = {
    "none": "null",
    "bool": "bool",
    "int": "int",
    "str": "string",
    "list": "list",
    "dict": "map",
    "struct": "map",
}


def _cel_kind(of: Type) -> str | None:
    """The kind of all values of a type, if it is one: a float may be written as an int, a union may be either."""
    return _CEL_KINDS.get(of.name)


def _output_findings(spec: Spec, scope: _Scope) -> Iterator[Finding]:
    for name, output in _parameters(spec, "outputs").items():
        path = field_path("spec", "outputs", name, "from")
        if "from" not in output:
            yield Finding(path, INVALID_REFERENCE, "it is required: what the output is made of, such as a `$ref`")
            continue
        yield from _ref_findings(output["from"], scope, path)
        yield from _binding_findings(output["from"], *_type_of(output), scope, path)


def _cycle_findings(spec: Spec) -> Iterator[Finding]:
    try:
        graph.topological_order(graph.upstreams(spec))
    except graph.CycleError as error:
        index = next(i for i, node in enumerate(_nodes(spec)) if node.get("id") == error.cycle[0])
        yield Finding(field_path("spec", "nodes", index), CYCLE, str(error))


# Values with references in them. First every reference is followed, each on its own; then types are compared, where a
# reference that leads nowhere fits everything, for it has been reported.


def _ref_findings(value: Any, scope: _Scope, path: str) -> Iterator[Finding]:
    try:
        found = marker(value)
    except RefSyntaxError as error:
        yield Finding(path, INVALID_REFERENCE, error.message)
        return
    if isinstance(found, Ref):
        unknown = _unknown(found, scope, path)
        if unknown is not None:
            yield unknown
    elif found is None:
        for key, item in _items(value):
            yield from _ref_findings(item, scope, field_path(path, key))


def _unknown(ref: Ref, scope: _Scope, path: str) -> Finding | None:
    try:
        scope.type_of(ref)
    except PathError as error:
        return Finding(path, UNKNOWN_REFERENCE, f"`{ref}`: {error.message}")
    return None


def _known_type(ref: Ref, scope: _Scope) -> Type:
    try:
        return scope.type_of(ref)[0]
    except PathError:
        return ANY


def _binding_findings(value: Any, expected: Type, schema: Schema | None, scope: _Scope, path: str) -> list[Finding]:
    """What keeps a value, with references in it, from being of the expected."""
    try:
        found = marker(value)
    except RefSyntaxError:
        return []
    if isinstance(found, Ref):
        return _assign_findings(found, expected, scope, path)
    if isinstance(found, Literal):
        return check_value(found.value, expected, schema, path)
    if not _has_markers(value):
        return check_value(value, expected, schema, path)
    options = [option for option in alternatives(expected) if option != NONE] or [NONE]
    results = [_composite_findings(value, option, schema, scope, path) for option in options]
    return min(results, key=len)


def _assign_findings(ref: Ref, target: Type, scope: _Scope, path: str) -> list[Finding]:
    source = _known_type(ref, scope)
    if assignable(source, target):
        return []
    return [Finding(path, TYPE_MISMATCH, f"expected {target}, got {source} from `{ref}`")]


def _composite_findings(value: Any, expected: Type, schema: Schema | None, scope: _Scope, path: str) -> list[Finding]:
    """The findings inside a list or map; whether it may be one at all is asked with an empty one."""
    empty: Any = {} if isinstance(value, Mapping) else []
    if check_value(empty, expected) or expected == NONE:
        kind = "map" if isinstance(value, Mapping) else "list"
        return [Finding(path, TYPE_MISMATCH, f"expected {expected}, got a {kind}")]
    findings: list[Finding] = []
    for key, item in _items(value):
        where = field_path(path, key)
        try:
            part = descend(expected, schema, (key,))
        except PathError as error:
            findings.append(Finding(where, TYPE_MISMATCH, error.message))
            continue
        findings += _binding_findings(item, *part, scope, where)
    return findings


def _has_markers(value: Any) -> bool:
    if isinstance(value, Mapping) and any(isinstance(key, str) and key.startswith("$") for key in value):
        return True
    return any(_has_markers(item) for _, item in _items(value))


# Reading specs whose shape may be wrong.


def _mapping(spec: Spec, field: str) -> Mapping[str, Any]:
    value = spec.get(field)
    return value if isinstance(value, Mapping) else {}


def _parameters(spec: Spec, field: str) -> dict[str, Spec]:
    """Inputs or outputs by name; the shape of those left out is the models' matter."""
    members = _mapping(spec, field).items()
    return {str(name): parameter for name, parameter in members if isinstance(parameter, Mapping)}


def _nodes(spec: Spec) -> list[Spec]:
    return [node if isinstance(node, Mapping) else {} for node in _list(spec, "nodes")]


def _list(spec: Spec, field: str) -> list[Any]:
    value = spec.get(field)
    return value if isinstance(value, list) else []


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list | tuple):
        yield from enumerate(value)
