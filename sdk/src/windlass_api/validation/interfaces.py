"""Interfaces: names, types, defaults and artifacts of inputs and outputs; and the inputs of a run held against one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from windlass_api.findings import (
    INVALID_DEFAULT,
    INVALID_NAME,
    INVALID_PARTITION,
    INVALID_REFERENCE,
    INVALID_TYPE,
    MISSING_INPUT,
    TYPE_MISMATCH,
    UNKNOWN_INPUT,
    UNKNOWN_REFERENCE,
    Finding,
    did_you_mean,
    field_path,
)
from windlass_api.refs import Ref, RefSyntaxError, marker
from windlass_api.types import (
    DATE,
    DATETIME,
    MAX_VALUE_DEPTH,
    TypeSyntaxError,
    assignable,
    check_value,
    is_datetime,
    is_timedelta,
    is_too_deep,
    parse_type,
    show,
)
from windlass_api.wiring import Spec, is_required, mapping, parameters, type_of

SHIFTS = ("plus", "minus")
"""Beside a reference to a time: how much later or earlier is meant."""

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def complete_inputs(
    interface_inputs: Mapping[str, Spec] | None, given: Mapping[str, Any] | None
) -> tuple[dict[str, Any], list[Finding]]:
    """The inputs of a run in the interface's order, defaults filled in, and what is wrong with those given.

    Values are data here: nothing in them is a reference, and `$` means nothing. An input that comes from an artifact
    and is not given is left out.
    """
    interface = parameters({"inputs": interface_inputs}, "inputs")
    given = given or {}
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, parameter in interface.items():
        path = field_path("spec", "inputs", name)
        if name in given and is_too_deep(given[name]):
            findings.append(too_deep(path))
        elif name in given:
            values[name] = given[name]
            findings += check_value(given[name], *type_of(parameter), path)
        elif is_required(parameter):
            findings.append(missing_input(name, parameter, path))
        elif parameter.get("artifact") is None:
            values[name] = parameter.get("default")
    findings += unknown_inputs(interface, given, "spec.inputs")
    return values, findings


def interface_findings(spec: Spec, path: str) -> Iterator[Finding]:
    """What is wrong with the inputs and outputs of a definition."""
    inputs = parameters(spec, "inputs")
    for section in ("inputs", "outputs"):
        for name, parameter in parameters(spec, section).items():
            where = field_path(path, section, name)
            if not IDENTIFIER.match(name):
                yield Finding(where, INVALID_NAME, f"`{name}` is no name: letters, digits and `_`, no digit first")
            yield from parameter_findings(parameter, where)
            others = {other: spec for other, spec in inputs.items() if section == "outputs" or other != name}
            yield from _partition_findings(mapping(parameter, "artifact"), others, field_path(where, "artifact"))


def parameter_findings(parameter: Spec, path: str) -> Iterator[Finding]:
    """What is wrong with a type, and with the default beside it."""
    try:
        parsed = parse_type(str(parameter.get("type", "")))
    except TypeSyntaxError as error:
        yield Finding(field_path(path, "type"), INVALID_TYPE, error.message)
        return
    if "default" in parameter:
        where = field_path(path, "default")
        for finding in check_value(parameter["default"], parsed, mapping(parameter, "schema") or None, where):
            yield finding._replace(reason=INVALID_DEFAULT)


def _partition_findings(artifact: Spec, inputs: Mapping[str, Spec], path: str) -> Iterator[Finding]:
    """Partitions are texts, or are taken from inputs."""
    for key, value in mapping(artifact, "partitions").items():
        where = field_path(path, "partitions", str(key))
        if isinstance(value, Mapping):
            yield from _input_ref_findings(value, inputs, where)
        elif not isinstance(value, str):
            message = f"expected a text or a reference such as {{$ref: inputs.region}}, got {show(value)}"
            yield Finding(where, INVALID_PARTITION, message)
    time = artifact.get("timePartition")
    where = field_path(path, "timePartition")
    if isinstance(time, Mapping):
        yield from _time_ref_findings(time, inputs, where)
    elif time is not None and not is_datetime(time):
        message = f"expected a time such as 2024-01-02T03:04:05Z, or {{$ref: inputs.day}}, got {show(time)}"
        yield Finding(where, INVALID_PARTITION, message)


def _time_ref_findings(time: Spec, inputs: Mapping[str, Spec], path: str) -> Iterator[Finding]:
    yield from shift_findings(time, path)
    reference = {key: value for key, value in time.items() if key not in SHIFTS}
    findings = list(_input_ref_findings(reference, inputs, path))
    yield from findings
    if not findings:
        name = str(reference["$ref"]).removeprefix("inputs.")
        given = type_of(inputs[name])[0] if name in inputs else DATETIME
        if not any(assignable(given, kind) for kind in (DATETIME, DATE)):
            yield Finding(path, TYPE_MISMATCH, f"expected datetime, got {given} from `inputs.{name}`")


def shift_findings(time: Spec, path: str) -> Iterator[Finding]:
    """What is wrong with the duration by which a time is moved."""
    for key in SHIFTS:
        if key in time and not is_timedelta(time[key]):
            message = f"expected a duration such as 24h, got {show(time[key])}"
            yield Finding(field_path(path, key), INVALID_PARTITION, message)


def _input_ref_findings(value: Spec, inputs: Mapping[str, Spec], path: str) -> Iterator[Finding]:
    """A reference to one whole input, and nothing else."""
    try:
        found = marker(value)
    except RefSyntaxError as error:
        yield Finding(path, INVALID_REFERENCE, error.message)
        return
    if not isinstance(found, Ref) or found.node is not None or found.path:
        message = f"expected a text or a reference to an input, {{$ref: inputs.NAME}}, got {show(value)}"
        yield Finding(path, INVALID_PARTITION, message)
    elif found.name not in inputs:
        hint = did_you_mean(found.name, inputs) or "; there are no inputs"
        yield Finding(path, UNKNOWN_REFERENCE, f"there is no input `{found.name}`{hint}")


def too_deep(path: str) -> Finding:
    """That something nests without end."""
    return Finding(path, TYPE_MISMATCH, f"it nests more than {MAX_VALUE_DEPTH} levels deep")


def missing_input(name: str, parameter: Spec, path: str) -> Finding:
    """That an input has no value."""
    return Finding(path, MISSING_INPUT, f"`{name}` ({parameter.get('type')}) is required, it has no default")


_YAML_BOOLS = {
    "true": "; if the manifest says `y`, `yes` or `on`, put it into quotes: YAML reads it as a bool",
    "false": "; if the manifest says `n`, `no` or `off`, put it into quotes: YAML reads it as a bool",
}


def unknown_inputs(interface: Mapping[str, Spec], given: Mapping[str, Any], path: str) -> Iterator[Finding]:
    """What is given and not taken."""
    for name in given:
        if name not in interface:
            hint = _YAML_BOOLS.get(name) or did_you_mean(name, interface) or "; there are no inputs"
            yield Finding(field_path(path, name), UNKNOWN_INPUT, f"there is no input `{name}`{hint}")
