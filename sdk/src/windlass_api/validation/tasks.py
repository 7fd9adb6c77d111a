"""The rules of Tasks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from windlass_api.findings import (
    ACTOR_NOT_FOUND,
    INVALID_OVERRIDE,
    INVALID_RUNNER,
    UNKNOWN_INPUT,
    Finding,
    did_you_mean,
    field_path,
)
from windlass_api.quantities import amount, exceeds
from windlass_api.types import is_too_deep
from windlass_api.validation.interfaces import interface_findings, too_deep
from windlass_api.wiring import Find, Spec, items, mapping, parameters

RUNNERS = ("python", "container")

_TEMPLATE = re.compile(r"\{\{\s*\.inputs\.([^\s{}]+)\s*\}\}", re.IGNORECASE)


def validate_task(spec: Spec, find: Find | None = None) -> list[Finding]:
    """What is wrong with a Task's spec: its runner, the types and defaults of its interface. With `find`, also whether
    there is the pool that it names.
    """
    if is_too_deep(spec):
        return [too_deep("spec")]
    findings = list(_runner_findings(spec))
    findings += interface_findings(spec, "spec")
    findings += _template_findings(spec)
    findings += ignored_input_findings(mapping(spec, "cache"), parameters(spec, "inputs"), "spec.cache")
    findings += memory_findings(spec, "spec")
    if find is not None:
        findings += _actor_findings(spec, find)
    return findings


def _runner_findings(spec: Spec) -> Iterator[Finding]:
    if sum(spec.get(name) is not None for name in RUNNERS) != 1:
        options = ", ".join(f"`{name}`" for name in RUNNERS)
        yield Finding("spec", INVALID_RUNNER, f"exactly one runner is required: {options}")


def _template_findings(spec: Spec) -> Iterator[Finding]:
    """Inputs that the command of a container names, and that are not there."""
    inputs = parameters(spec, "inputs")
    for field in ("command", "args"):
        for index, text in enumerate(items(mapping(spec, "container"), field)):
            for name in _TEMPLATE.findall(text) if isinstance(text, str) else ():
                if name not in inputs:
                    path = field_path("spec.container", field, index)
                    hint = did_you_mean(name, inputs) or "; there are no inputs"
                    yield Finding(path, UNKNOWN_INPUT, f"there is no input `{name}`{hint}")


def ignored_input_findings(cache: Spec, inputs: Mapping[str, Spec], path: str) -> Iterator[Finding]:
    """Inputs that make no difference to a result, and that are not there."""
    for index, name in enumerate(items(cache, "ignoredInputs")):
        if str(name) not in inputs:
            hint = did_you_mean(str(name), inputs) or "; there are no inputs"
            yield Finding(field_path(path, "ignoredInputs", index), UNKNOWN_INPUT, f"there is no input `{name}`{hint}")


def memory_findings(overrides: Spec, path: str) -> Iterator[Finding]:
    """A `maxMemory` that is less than what the first attempt gets."""
    most = overrides.get("maxMemory")
    for side in ("limits", "requests"):
        first = mapping(mapping(overrides, "resources"), side).get("memory")
        if _is_amount(most) and _is_amount(first) and exceeds(first, most):
            message = f"`{most}` is less than the first attempt gets: {side} has `{first}` of memory"
            yield Finding(field_path(path, "maxMemory"), INVALID_OVERRIDE, message)
            return


def _is_amount(value: Any) -> TypeGuard[str | int]:
    try:
        amount(value)
    except ValueError:  # what it should be is the models' matter
        return False
    return True


def _actor_findings(spec: Spec, find: Find) -> Iterator[Finding]:
    name = mapping(spec, "actor").get("name")
    if isinstance(name, str) and find("ActorEnvironment", name, None) is None:
        yield Finding("spec.actor", ACTOR_NOT_FOUND, f"there is no ActorEnvironment `{name}`")
