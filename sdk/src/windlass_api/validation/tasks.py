"""The rules of Tasks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeGuard

from windlass_api.findings import (
    ACTOR_NOT_FOUND,
    INVALID_OUTPUT,
    INVALID_OVERRIDE,
    INVALID_RUNNER,
    INVALID_TEMPLATE,
    UNKNOWN_INPUT,
    Finding,
    did_you_mean,
    field_path,
)
from windlass_api.names import is_label_key
from windlass_api.quantities import amount, exceeds
from windlass_api.templates import ERROR_FILE, input_name, template_words
from windlass_api.types import REFERENCES, TypeSyntaxError, alternatives, is_too_deep, parse_type
from windlass_api.validation.interfaces import interface_findings, too_deep
from windlass_api.wiring import Find, Spec, items, mapping, parameters

RUNNERS = ("python", "container")


def validate_task(spec: Spec, find: Find | None = None) -> list[Finding]:
    """What is wrong with a Task's spec: its runner, the types and defaults of its interface. With `find`, also whether
    there is the pool that it names.
    """
    if is_too_deep(spec):
        return [too_deep("spec")]
    findings = list(_runner_findings(spec))
    findings += interface_findings(spec, "spec")
    if spec.get("container") is not None:
        findings += _template_findings(spec)
        findings += _container_output_findings(spec)
    findings += ignored_input_findings(mapping(spec, "cache"), parameters(spec, "inputs"), "spec.cache")
    findings += override_findings(spec, "spec")
    if find is not None:
        findings += _actor_findings(spec, find)
    return findings


def _runner_findings(spec: Spec) -> Iterator[Finding]:
    if sum(spec.get(name) is not None for name in RUNNERS) != 1:
        options = ", ".join(f"`{name}`" for name in RUNNERS)
        yield Finding("spec", INVALID_RUNNER, f"exactly one runner is required: {options}")


def _template_findings(spec: Spec) -> Iterator[Finding]:
    """Inputs that the command of a container names, and that are not there, or have no text that helps it."""
    inputs = parameters(spec, "inputs")
    container = mapping(spec, "container")
    moves = mapping(container, "ioStrategy").get("download") != "None"
    for field in ("command", "args"):
        for index, text in enumerate(items(container, field)):
            words = template_words(text) if isinstance(text, str) else ()
            for name in filter(None, map(input_name, words)):
                path = field_path("spec.container", field, index)
                if name not in inputs:
                    hint = did_you_mean(name, inputs) or "; there are no inputs"
                    yield Finding(path, UNKNOWN_INPUT, f"there is no input `{name}`{hint}")
                elif moves and _has_type(inputs[name], REFERENCES):
                    message = (
                        f"the input `{name}` is a file, a folder or a table: write its path, which is its name in"
                        " inputDir (for its address: ioStrategy.download None)"
                    )
                    yield Finding(path, INVALID_TEMPLATE, message)


def _container_output_findings(spec: Spec) -> Iterator[Finding]:
    """Outputs that no container can leave behind."""
    for name, output in parameters(spec, "outputs").items():
        path = field_path("spec", "outputs", name)
        if name == ERROR_FILE:
            yield Finding(path, INVALID_OUTPUT, "an output can't be called `error`: a file of that name fails the task")
        if _has_type(output, ("pickle",)):
            yield Finding(path, INVALID_OUTPUT, "only Python writes pickles: take a file")


def _has_type(parameter: Spec, names: Collection[str]) -> bool:
    try:
        return any(option.name in names for option in alternatives(parse_type(str(parameter.get("type")))))
    except TypeSyntaxError:  # told where the interface is looked at
        return False


def ignored_input_findings(cache: Spec, inputs: Mapping[str, Spec], path: str) -> Iterator[Finding]:
    """Inputs that make no difference to a result, and that are not there."""
    for index, name in enumerate(items(cache, "ignoredInputs")):
        if str(name) not in inputs:
            hint = did_you_mean(str(name), inputs) or "; there are no inputs"
            yield Finding(field_path(path, "ignoredInputs", index), UNKNOWN_INPUT, f"there is no input `{name}`{hint}")


def override_findings(overrides: Spec, path: str) -> Iterator[Finding]:
    """What no pod can be made of: memory that can't grow, more requested than allowed, keys that are none."""
    yield from _memory_findings(overrides, path)
    requests, limits = (mapping(mapping(overrides, "resources"), side) for side in ("requests", "limits"))
    for name, least in requests.items():
        most = limits.get(name)
        if _is_amount(least) and _is_amount(most) and exceeds(least, most):
            message = f"`{least}` of {name} is more than its limit, `{most}`"
            yield Finding(field_path(path, "resources", "requests", name), INVALID_OVERRIDE, message)
    for part in ("labels", "annotations"):
        for key in mapping(overrides, part):
            if not is_label_key(key):
                message = f"the key {key!r} is none of Kubernetes': a name such as team, or example.com/team"
                yield Finding(field_path(path, part), INVALID_OVERRIDE, message)


def _memory_findings(overrides: Spec, path: str) -> Iterator[Finding]:
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
