"""The rules of Workflows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windlass_api import graph
from windlass_api.findings import (
    CASES_DISAGREE,
    CYCLE,
    DUPLICATE_NODE,
    INVALID_GATE,
    INVALID_MAP,
    INVALID_NODE,
    INVALID_NODE_ID,
    INVALID_OVERRIDE,
    INVALID_REFERENCE,
    NOT_FOUND,
    TYPE_MISMATCH,
    UNKNOWN_INPUT,
    UNKNOWN_REFERENCE,
    UNREACHABLE,
    Finding,
    did_you_mean,
    field_path,
)
from windlass_api.names import is_dns_label
from windlass_api.overrides import POD_FIELDS, effective
from windlass_api.types import is_too_deep
from windlass_api.validation.conditions import when_findings
from windlass_api.validation.interfaces import (
    interface_findings,
    missing_input,
    parameter_findings,
    too_deep,
    unknown_inputs,
)
from windlass_api.validation.tasks import ignored_input_findings, override_findings
from windlass_api.wiring import (
    KIND_OF,
    NODE_KINDS,
    UNKNOWN,
    FailureScope,
    Find,
    Interface,
    Scope,
    Spec,
    binding_findings,
    cases_of,
    interface_of,
    is_required,
    items,
    kind_of_node,
    mapping,
    nodes,
    not_found,
    parameters,
    ref_findings,
    type_of,
)


def validate_workflow(spec: Spec, find: Find) -> list[Finding]:
    """What is wrong with a Workflow's spec, given the definitions that it names."""
    if is_too_deep(spec):
        return [too_deep("spec")]
    scope, defaults = Scope(spec, find), mapping(spec, "defaults")
    findings = [*interface_findings(spec, "spec"), *_id_findings(spec), *override_findings(defaults, "spec.defaults")]
    for index, node in enumerate(nodes(spec)):
        findings += _node_findings(node, scope, defaults, find, field_path("spec", "nodes", index))
    findings += _gate_findings(spec)
    findings += _failure_findings(spec, find)
    findings += _output_findings(spec, scope)
    findings += _cycle_findings(spec)
    findings += _recursion_findings(spec, find)
    return findings


def _id_findings(spec: Spec) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    places = [(field_path("spec", "nodes", index), node) for index, node in enumerate(nodes(spec))]
    if isinstance(spec.get("onFailure"), Mapping):
        places.append(("spec.onFailure", spec["onFailure"]))
    for path, node in places:
        name = str(node.get("id", ""))
        if not is_dns_label(name):
            message = f"`{name}` is no node id: at most 63 small letters, digits and `-`, no `-` at an end"
            yield Finding(field_path(path, "id"), INVALID_NODE_ID, message)
        if name in seen:
            yield Finding(field_path(path, "id"), DUPLICATE_NODE, f"`{name}` is the id of {seen[name]} already")
        seen.setdefault(name, path)


def _node_findings(node: Spec, scope: Scope, defaults: Spec, find: Find, path: str) -> Iterator[Finding]:
    """What is wrong with a node: first what its references say, then what it is."""
    inputs = mapping(node, "inputs")
    for name, value in inputs.items():
        yield from ref_findings(value, scope, field_path(path, "inputs", name))
    yield from when_findings(node, scope, field_path(path, "when"), "the node never runs")
    yield from _depends_on_findings(node, scope, path)
    kind = kind_of_node(node)
    if kind is None:
        options = ", ".join(f"`{name}`" for name in NODE_KINDS)
        yield Finding(path, INVALID_NODE, f"exactly one kind of node is required: {options}")
        return
    if kind == "select":
        yield from _select_findings(node, scope, path)
    if kind == "waitForInput":
        yield from parameter_findings(mapping(node, kind), field_path(path, kind))
    interface = scope.interface_of(node)
    if interface is None:
        yield _definition_not_found(kind, mapping(node, kind), find, path)
        return
    yield from _map_findings(node, interface, path)
    yield from _interface_input_findings(interface, inputs, scope, path)
    yield from _override_findings(node, interface, defaults, find, path)


def _interface_input_findings(
    interface: Interface, given: Mapping[str, Any], scope: Scope, path: str
) -> Iterator[Finding]:
    yield from unknown_inputs(interface.inputs, given, field_path(path, "inputs"))
    for name, parameter in interface.inputs.items():
        where = field_path(path, "inputs", name)
        if name in given:
            yield from binding_findings(given[name], *type_of(parameter), scope, where)
        elif is_required(parameter):
            yield missing_input(name, parameter, where)


def _definition_not_found(field: str, reference: Spec, find: Find, path: str) -> Finding:
    kind, name, version = KIND_OF[field], reference.get("name"), reference.get("version")
    plan = find(kind, name, version) if isinstance(name, str) else None
    if plan is not None:  # it is there; what is missing is the workflow that it runs
        workflow = mapping(plan, "workflow")
        message = f"{not_found('Workflow', workflow)}, which the LaunchPlan `{name}` runs"
        return Finding(field_path(path, field), NOT_FOUND["Workflow"], message)
    return Finding(field_path(path, field), NOT_FOUND[kind], not_found(kind, reference))


def _depends_on_findings(node: Spec, scope: Scope, path: str) -> Iterator[Finding]:
    for index, name in enumerate(items(node, "dependsOn")):
        if str(name) not in scope.nodes:
            hint = did_you_mean(str(name), scope.nodes)
            yield Finding(field_path(path, "dependsOn", index), UNKNOWN_REFERENCE, f"there is no node `{name}`{hint}")


def _map_findings(node: Spec, interface: Interface, path: str) -> Iterator[Finding]:
    inputs = mapping(node, "inputs")
    for index, name in enumerate(map(str, items(mapping(node, "map"), "over"))):
        where = field_path(path, "map", "over", index)
        if name not in interface.inputs:
            hint = did_you_mean(name, interface.inputs) or "; there are no inputs"
            yield Finding(where, UNKNOWN_INPUT, f"there is no input `{name}`{hint}")
        elif name not in inputs and not is_required(interface.inputs[name]):
            yield Finding(where, INVALID_MAP, f"the list to map over is not given: `{name}` is missing in inputs")


def _override_findings(node: Spec, interface: Interface, defaults: Spec, find: Find, path: str) -> Iterator[Finding]:
    overrides = mapping(node, "overrides")
    reference = mapping(node, "task")
    name = reference.get("name")
    task = find("Task", name, reference.get("version")) if isinstance(name, str) else None
    if task is not None and task.get("actor") is not None:
        for field in POD_FIELDS:
            if overrides.get(field) is not None:
                message = f"`{name}` runs in a pool of workers; what these are like says their ActorEnvironment"
                yield Finding(field_path(path, "overrides", field), INVALID_OVERRIDE, message)
    if any(overrides.get(field) is not None for field in ("maxMemory", "resources")):
        yield from override_findings(effective(task or {}, overrides, defaults=defaults), field_path(path, "overrides"))
    cache = mapping(overrides, "cache")
    yield from ignored_input_findings(cache, interface.inputs, field_path(path, "overrides", "cache"))


def _select_findings(node: Spec, scope: Scope, path: str) -> Iterator[Finding]:
    cases = cases_of(node)
    certain: int | None = None
    for index, case in enumerate(cases):
        where = field_path(path, "select", index)
        for name, value in mapping(case, "outputs").items():
            yield from ref_findings(value, scope, field_path(where, "outputs", str(name)))
        yield from when_findings(case, scope, field_path(where, "when"), "the case never counts")
        if certain is not None:
            yield Finding(where, UNREACHABLE, f"it never counts: case {certain} before it is always true")
        elif case.get("when") is None:
            certain = index
    yield from _disagreement_findings(cases, scope, path)


def _disagreement_findings(cases: list[Spec], scope: Scope, path: str) -> Iterator[Finding]:
    """Cases that don't fail give the same outputs, each of one type."""
    live = [(index, mapping(case, "outputs")) for index, case in enumerate(cases) if case.get("fail") is None]
    names = tuple(dict.fromkeys(str(name) for _, outputs in live for name in outputs))
    for name in names:
        lacking = [index for index, outputs in live if name not in outputs]
        for index in lacking:
            where = field_path(path, "select", index, "outputs")
            yield Finding(where, CASES_DISAGREE, f"`{name}` is missing, which another case gives")
        values = [outputs[name] for _, outputs in live if name in outputs]
        if not lacking and scope.joined(values) is None:
            types = [str((scope.joined([value]) or UNKNOWN)[0]) for value in values]
            where = field_path(path, "select", live[-1][0], "outputs", name)
            yield Finding(where, TYPE_MISMATCH, f"the cases give different types: {', '.join(dict.fromkeys(types))}")


def _gate_findings(spec: Spec) -> Iterator[Finding]:
    """Gates of one name are one question, so they have to ask the same."""
    asked: dict[str, tuple[int, str, Any]] = {}
    for index, node in enumerate(nodes(spec)):
        kind = kind_of_node(node)
        if kind not in ("approve", "waitForInput"):
            continue
        gate = mapping(node, kind)
        name, wanted = str(gate.get("name")), gate.get("type")
        first, *question = asked.setdefault(name, (index, kind, wanted))
        if question != [kind, wanted]:
            message = f"spec.nodes[{first}] asks something else as `{name}`; gates of one name are one question"
            yield Finding(field_path("spec", "nodes", index, kind, "name"), INVALID_GATE, message)


def _failure_findings(spec: Spec, find: Find) -> Iterator[Finding]:
    node = spec.get("onFailure")
    if not isinstance(node, Mapping):
        return
    scope, path, inputs = FailureScope(spec, find), "spec.onFailure", mapping(node, "inputs")
    for name, value in inputs.items():
        yield from ref_findings(value, scope, field_path(path, "inputs", name))
    kind = kind_of_node(node)
    if kind not in ("task", "workflow"):
        yield Finding(path, INVALID_NODE, "exactly one handler is required: `task`, `workflow`")
        return
    interface = interface_of(node, find)
    if interface is None:
        yield _definition_not_found(kind, mapping(node, kind), find, path)
        return
    yield from _interface_input_findings(interface, inputs, scope, path)


def _output_findings(spec: Spec, scope: Scope) -> Iterator[Finding]:
    for name, output in parameters(spec, "outputs").items():
        path = field_path("spec", "outputs", name, "from")
        if "from" not in output:
            yield Finding(path, INVALID_REFERENCE, "it is required: what the output is made of, such as a `$ref`")
            continue
        yield from ref_findings(output["from"], scope, path)
        yield from binding_findings(output["from"], *type_of(output), scope, path)


def _cycle_findings(spec: Spec) -> Iterator[Finding]:
    try:
        graph.topological_order(graph.upstreams(spec))
    except graph.CycleError as error:
        index = next(i for i, node in enumerate(nodes(spec)) if node.get("id") == error.cycle[0])
        yield Finding(field_path("spec", "nodes", index), CYCLE, str(error))


def _recursion_findings(spec: Spec, find: Find) -> Iterator[Finding]:
    """Workflows whose nodes run here are never a part of themselves. (A launch plan's runs are their own matter.)"""
    places = [(field_path("spec", "nodes", index), node) for index, node in enumerate(nodes(spec))]
    if isinstance(spec.get("onFailure"), Mapping):
        places.append(("spec.onFailure", spec["onFailure"]))
    sound: set[tuple[str, str | None]] = set()
    for path, node in places:
        loop = _loop(node, find, (), sound)
        if loop is not None:
            message = "the workflow would be a part of itself: " + " → ".join(loop)
            yield Finding(field_path(path, "workflow"), CYCLE, message)


def _loop(
    node: Spec, find: Find, chain: tuple[tuple[str, str | None], ...], sound: set[tuple[str, str | None]]
) -> tuple[str, ...] | None:
    """The names of workflows that contain each other, as found from a node on. `sound` are known not to."""
    reference = mapping(node, "workflow")
    name, version = reference.get("name"), reference.get("version")
    key = (name, version) if isinstance(name, str) and isinstance(version, str | None) else None
    if key is None or key in sound:
        return None
    if key in chain:
        return (*(one for one, _ in chain[chain.index(key) :]), key[0])
    spec = find("Workflow", *key) or {}
    failure = spec.get("onFailure")
    for inner in [*nodes(spec), *([failure] if isinstance(failure, Mapping) else [])]:
        found = _loop(inner, find, (*chain, key), sound)
        if found is not None:
            return found
    sound.add(key)
    return None
