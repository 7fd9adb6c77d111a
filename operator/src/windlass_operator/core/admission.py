"""May this Execution start? A missing definition means *not yet* (sync order never matters); a wrong one means *never*.

The verdict names the earliest problem with its field path, in the words of ``windlass_api.validation``, which
``windlass validate`` uses too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass_api import validation
from windlass_api.findings import NOT_FOUND, Finding
from windlass_api.validation import Find
from windlass_api.wiring import KIND_OF, plan_interface
from windlass_operator.core import unsupported
from windlass_operator.core.closure import (
    Closure,
    FindCode,
    FindTemplate,
    MissingCodeError,
    MissingEnvironmentError,
    MissingTemplateError,
    TooManyNodesError,
    compile_closure,
    load,
    with_templates,
    workflow_of_task,
)
from windlass_operator.manifests.store import problem_of
from windlass_operator.settings import StoreSettings

NO_STORE = StoreSettings()

CODE_NOT_FOUND, TEMPLATE_NOT_FOUND, RUN_NOT_FOUND = "CodeNotFound", "PodTemplateNotFound", "ExecutionNotFound"
UNTOLD = frozenset({CODE_NOT_FOUND, TEMPLATE_NOT_FOUND, RUN_NOT_FOUND})
"""Reasons of which nobody tells the operator that they have healed: it has to look again."""

MISSING = frozenset(NOT_FOUND.values())
"""Reasons that heal by themselves once an object arrives."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """It may start, with this closure."""

    closure: Closure


@dataclass(frozen=True, slots=True)
class NotYet:
    """Something it refers to isn't there; it is looked at again when that arrives."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It can never run as it stands: its spec is immutable, and so is the problem."""

    reason: str
    message: str


Verdict = Admitted | NotYet | Refused


@dataclass(frozen=True, slots=True)
class _Target:
    """What an Execution runs, as a workflow."""

    label: str
    workflow: Mapping[str, Any]
    interface: Mapping[str, Any]
    """The inputs that may be given."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """What a launch plan says about its runs."""


OF_RUNS = ("maxParallelism", "overwriteCache", "rawOutputPrefix", "serviceAccountName", "ttlAfterFinished")
"""Fields of a launch plan that its runs go by, unless they say so themselves."""


def no_templates(name: str) -> None:
    """There are no PodTemplates."""


def any_run(name: str) -> bool:
    """Whatever run is named, it is there."""
    return True


def admit(  # noqa: PLR0911  one per verdict
    spec: Mapping[str, Any],
    find: Find,
    find_code: FindCode,
    store: StoreSettings = NO_STORE,
    find_template: FindTemplate = no_templates,
    is_run: Callable[[str], bool] = any_run,
) -> Verdict:
    """Resolve what the Execution runs, validate it, check the given inputs, and compile the closure. ``is_run`` says
    whether there is an Execution of a name, for it to go on from.
    """
    found = _target(spec, find)
    if not isinstance(found, _Target):
        return found
    label, workflow = found.label, found.workflow
    problems = _problems(workflow, find)
    missing = [problem for problem in problems if problem.reason in MISSING]
    if missing:
        return NotYet(missing[0].reason, f"{label}: {_sentence(missing)}")
    if problems:
        return Refused("InvalidWorkflow", f"{label}: {_sentence(problems)}")
    _, wrong = validation.complete_inputs(found.interface, spec.get("inputs") or {})
    if wrong:
        return Refused("InvalidInputs", _sentence(wrong))
    prefix = spec.get("rawOutputPrefix") or found.plan.get("rawOutputPrefix")
    unreachable = problem_of(prefix, store) if prefix else ""
    if unreachable:
        return Refused("InvalidStore", f"rawOutputPrefix: {unreachable}")
    source = (spec.get("resumeFrom") or {}).get("execution")
    if source and not is_run(source):
        text = (
            f"spec.resumeFrom.execution: there is no Execution {source!r} in this namespace (yet), to take results from"
        )
        return NotYet(RUN_NOT_FOUND, text)
    try:
        closure = load(compile_closure(workflow, find, find_code, found.plan))
        return Admitted(with_templates(closure, (spec.get("overrides") or {}).get("podTemplateName"), find_template))
    except MissingCodeError as missing_code:
        return NotYet(CODE_NOT_FOUND, str(missing_code))
    except MissingTemplateError as missing_template:
        return NotYet(TEMPLATE_NOT_FOUND, str(missing_template))
    except MissingEnvironmentError as missing_environment:
        return NotYet(NOT_FOUND["ActorEnvironment"], str(missing_environment))
    except TooManyNodesError as too_many:
        return Refused("TooManyNodes", f"{label}: {too_many}")


def _problems(workflow: Mapping[str, Any], find: Find) -> list[Finding]:
    """What is wrong with a workflow, and with those inside it."""
    problems = [*validation.validate_workflow(workflow, find), *_asked_in_vain("Workflow", workflow, find)]
    for name, version in _inner(workflow, find):
        inner = find("Workflow", name, version)
        if inner is not None:
            found = [*validation.validate_workflow(inner, find), *_asked_in_vain("Workflow", inner, find)]
            problems += [Finding(f"Workflow {name}: {one.path}", one.reason, one.message) for one in found]
    return problems


def _inner(workflow: Mapping[str, Any], find: Find) -> list[tuple[str, str | None]]:
    """The workflows inside a workflow, however deep, each once."""
    found: dict[tuple[str, str | None], None] = {}

    def look(spec: Mapping[str, Any]) -> None:
        failure = spec.get("onFailure")
        for node in [*(spec.get("nodes") or ()), *([failure] if failure else [])]:
            reference = node.get("workflow")
            key = (reference["name"], reference.get("version")) if reference else None
            if key is None or key in found:
                continue
            found[key] = None
            look(find("Workflow", *key) or {})

    look(workflow)
    return list(found)


def _asked_in_vain(kind: str, spec: Mapping[str, Any], find: Find) -> list[Finding]:
    return unsupported.in_definition(kind, spec, lambda name, version: find("Task", name, version))


def _target(spec: Mapping[str, Any], find: Find) -> _Target | NotYet | Refused:
    """What is to run. What this operator can't do is refused before anything is looked up for it."""
    asked = unsupported.in_execution(spec)
    if asked:
        return Refused(unsupported.REASON, _sentence(asked))
    field_name = next(one for one in ("task", "launchPlan", "workflow") if spec.get(one))
    kind = KIND_OF[field_name]
    name, version = spec[field_name]["name"], spec[field_name].get("version")
    definition = find(kind, name, version)
    if definition is None:
        described = _described(kind, name, version)
        return NotYet(NOT_FOUND[kind], f"spec.{field_name}: there is no {described} in this namespace (yet)")
    asked = [] if kind == "LaunchPlan" else _asked_in_vain(kind, definition, find)
    if asked:
        return Refused(unsupported.REASON, f"{kind} {name}: {_sentence(asked)}")
    if kind == "Task":
        workflow = workflow_of_task(name, version, definition)
        return _Target(f"{kind} {name}", workflow, workflow["inputs"])
    if kind == "LaunchPlan":
        return _plan_target(name, definition, find)
    return _Target(f"{kind} {name}", definition, definition.get("inputs") or {})


def _plan_target(name: str, plan: Mapping[str, Any], find: Find) -> _Target | NotYet | Refused:
    """The plan's workflow, with what the plan says of its inputs."""
    label, reference = f"LaunchPlan {name}", plan["workflow"]
    workflow = find("Workflow", reference["name"], reference.get("version"))
    if workflow is None:
        described = _described("Workflow", reference["name"], reference.get("version"))
        return NotYet(NOT_FOUND["Workflow"], f"{label}: there is no {described} in this namespace (yet)")
    problems = validation.validate_launch_plan(plan, find)
    if problems:
        return Refused("InvalidLaunchPlan", f"{label}: {_sentence(problems)}")
    given = {**(plan.get("defaultInputs") or {}), **(plan.get("fixedInputs") or {})}
    inputs = {
        key: {**_without_lookup(parameter), "default": given[key]} if key in given else parameter
        for key, parameter in (workflow.get("inputs") or {}).items()
    }
    return _Target(
        label,
        {**workflow, "inputs": inputs},
        plan_interface(plan, workflow).inputs,
        {key: plan[key] for key in OF_RUNS if plan.get(key) is not None},
    )


def _without_lookup(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in parameter.items() if key != "artifact"}


def _described(kind: str, name: str, version: str | None) -> str:
    return f"{kind} {name!r} with version {version!r}" if version else f"{kind} {name!r}"


def _sentence(findings: list[Finding], limit: int = 5) -> str:
    shown = "; ".join(str(finding) for finding in findings[:limit])
    return shown if len(findings) <= limit else f"{shown}; and {len(findings) - limit} more"
