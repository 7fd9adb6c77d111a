"""The rules of LaunchPlans, and of the Backfills that go through their schedules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from windlass_api import cron
from windlass_api.findings import (
    INVALID_INPUT,
    INVALID_PARTITION,
    INVALID_REFERENCE,
    INVALID_SCHEDULE,
    MISSING_INPUT,
    NOT_FOUND,
    TYPE_MISMATCH,
    UNKNOWN_INPUT,
    Finding,
    did_you_mean,
    field_path,
)
from windlass_api.types import DATETIME, assignable, check_value, is_datetime, is_too_deep, show
from windlass_api.validation.interfaces import SHIFTS, shift_findings, too_deep, unknown_inputs
from windlass_api.wiring import (
    Find,
    Interface,
    Spec,
    is_required,
    mapping,
    not_found,
    parameters,
    plan_interface,
    type_of,
)

_TIME_OF_TRIGGER = "artifact.timePartition"
_OF_TRIGGER = re.compile(r"artifact(\.timePartition|\.partitions\.[A-Za-z_][A-Za-z0-9_]*)?\Z")


def validate_launch_plan(spec: Spec, find: Find) -> list[Finding]:
    """What is wrong with a LaunchPlan's spec, given the Workflow that it runs."""
    if is_too_deep(spec):
        return [too_deep("spec")]
    findings = [*_schedule_findings(mapping(spec, "schedule")), *_trigger_findings(mapping(spec, "trigger"))]
    reference = mapping(spec, "workflow")
    name = reference.get("name")
    workflow = find("Workflow", name, reference.get("version")) if isinstance(name, str) else None
    if workflow is None:
        return [*findings, Finding("spec.workflow", NOT_FOUND["Workflow"], not_found("Workflow", reference))]
    inputs = parameters(workflow, "inputs")
    findings += _given_input_findings(spec, inputs)
    findings += _kickoff_findings(spec, inputs)
    findings += _alone_findings(spec, plan_interface(spec, workflow))
    return findings


def _schedule_findings(schedule: Spec) -> Iterator[Finding]:
    if isinstance(schedule.get("cron"), str):
        try:
            cron.parse(schedule["cron"])
        except ValueError as error:
            yield Finding("spec.schedule.cron", INVALID_SCHEDULE, str(error))


def _trigger_findings(trigger: Spec) -> Iterator[Finding]:
    query = mapping(trigger, "artifact")
    path = "spec.trigger.artifact"
    for key, value in mapping(query, "partitions").items():
        if not isinstance(value, str):
            where = field_path(path, "partitions", str(key))
            yield Finding(where, INVALID_PARTITION, f"expected a text, got {show(value)}: a trigger depends on nothing")
    time = query.get("timePartition")
    if time is not None and not is_datetime(time):
        message = f"expected a time such as 2024-01-02T03:04:05Z, got {show(time)}"
        yield Finding(field_path(path, "timePartition"), INVALID_PARTITION, message)


def _trigger_input_findings(value: Any, path: str) -> Iterator[Finding]:
    """What arrived, what it is labelled with, or a query that may refer to these. Fixed values have their own field."""
    spelled = mapping({"": value}, "")
    reference = spelled.get("$ref")
    shifted = [key for key in SHIFTS if key in spelled]
    allowed = {"$ref", *(SHIFTS if reference == _TIME_OF_TRIGGER else ())}
    if isinstance(reference, str) and _OF_TRIGGER.match(reference) and set(spelled) <= allowed and len(shifted) < 2:
        yield from shift_findings(spelled, path)
    elif set(spelled) == {"$query"} and isinstance(mapping(spelled, "$query").get("name"), str):
        query = mapping(spelled, "$query")
        for key, part in [*mapping(query, "partitions").items(), ("timePartition", query.get("timePartition"))]:
            if part is not None and not isinstance(part, str):
                yield from _trigger_input_findings(part, field_path(path, "$query", str(key)))
    else:
        message = f"expected {{$ref: artifact}}, a part of it, or {{$query: {{name: …}}}}, got {show(value)}"
        yield Finding(path, INVALID_REFERENCE, message)


def _given_input_findings(spec: Spec, inputs: Mapping[str, Spec]) -> Iterator[Finding]:
    fixed = mapping(spec, "fixedInputs")
    for field in ("fixedInputs", "defaultInputs"):
        given = mapping(spec, field)
        yield from unknown_inputs(inputs, given, f"spec.{field}")
        for name, value in given.items():
            where = field_path("spec", field, name)
            if name in inputs:
                yield from check_value(value, *type_of(inputs[name]), where)
            if field == "defaultInputs" and name in fixed:
                yield Finding(where, INVALID_INPUT, f"`{name}` is fixed, so its default would never count")
    for name, value in mapping(mapping(spec, "trigger"), "inputs").items():
        where = field_path("spec.trigger.inputs", name)
        yield from _trigger_input_findings(value, where)
        yield from unknown_inputs(inputs, {name: None}, "spec.trigger.inputs")
        if name in fixed:
            yield Finding(where, INVALID_INPUT, f"`{name}` is fixed, so what the trigger brings would never count")


def _kickoff_findings(spec: Spec, inputs: Mapping[str, Spec]) -> Iterator[Finding]:
    name = mapping(spec, "schedule").get("kickoffTimeInput")
    path = "spec.schedule.kickoffTimeInput"
    if not isinstance(name, str):
        return
    if name not in inputs:
        hint = did_you_mean(name, inputs) or "; there are no inputs"
        yield Finding(path, UNKNOWN_INPUT, f"there is no input `{name}`{hint}")
        return
    wanted = type_of(inputs[name])[0]
    if not assignable(DATETIME, wanted):
        yield Finding(path, TYPE_MISMATCH, f"`{name}` is {wanted}, the time of a run is a datetime")
    if name in mapping(spec, "fixedInputs"):
        yield Finding(path, INVALID_INPUT, f"`{name}` is fixed, so the time of a run would never count")


def _alone_findings(spec: Spec, interface: Interface) -> Iterator[Finding]:
    """Whoever starts by itself needs a value for every input."""
    schedule, trigger = mapping(spec, "schedule"), mapping(spec, "trigger")
    for field, given in (
        ("schedule", {str(schedule.get("kickoffTimeInput"))}),
        ("trigger", set(mapping(trigger, "inputs"))),
    ):
        if not mapping(spec, field):
            continue
        for name, parameter in interface.inputs.items():
            if name not in given and is_required(parameter):
                message = (
                    f"`{name}` ({parameter.get('type')}) has no value when a run starts by itself: give it in "
                    "defaultInputs or fixedInputs"
                )
                yield Finding(f"spec.{field}", MISSING_INPUT, message)


def validate_backfill(spec: Spec, find: Find) -> list[Finding]:
    """What is wrong with a Backfill's spec, given the LaunchPlan that it goes through."""
    if is_too_deep(spec):
        return [too_deep("spec")]
    reference = mapping(spec, "launchPlan")
    name = reference.get("name")
    plan = find("LaunchPlan", name, reference.get("version")) if isinstance(name, str) else None
    if plan is None:
        return [Finding("spec.launchPlan", NOT_FOUND["LaunchPlan"], not_found("LaunchPlan", reference))]
    if not mapping(plan, "schedule"):
        message = f"the LaunchPlan `{name}` has no schedule, so there is nothing to go through"
        return [Finding("spec.launchPlan", INVALID_SCHEDULE, message)]
    workflow = find("Workflow", str(mapping(plan, "workflow").get("name")), mapping(plan, "workflow").get("version"))
    if workflow is None:
        return []
    interface, given = plan_interface(plan, workflow), mapping(spec, "inputs")
    findings = list(unknown_inputs(interface.inputs, given, "spec.inputs"))
    for key, value in given.items():
        if key in interface.inputs:
            findings += check_value(value, *type_of(interface.inputs[key]), field_path("spec.inputs", key))
    return findings
