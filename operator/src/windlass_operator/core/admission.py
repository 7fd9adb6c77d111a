"""May this Execution start? A missing definition means *not yet* (sync order never matters); a wrong one means *never*.

The verdict names the earliest problem with its field path, in the words of ``windlass_api.validation``, which
``windlass validate`` uses too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from windlass_api import validation
from windlass_api.findings import Finding
from windlass_operator.core.closure import (
    Closure,
    FindCode,
    FindTask,
    MissingCodeError,
    compile_closure,
    load,
    workflow_of_task,
)

FindWorkflow = Callable[[str, str | None], Mapping[str, Any] | None]
MISSING = "TaskNotFound"


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


def admit(spec: Mapping[str, Any], find_workflow: FindWorkflow, find_task: FindTask, find_code: FindCode) -> Verdict:
    """Resolve what the Execution runs, validate it, check the given inputs, and compile the closure."""
    found = _workflow(spec, find_workflow, find_task)
    if isinstance(found, NotYet):
        return found
    label, workflow = found
    problems = validation.validate_workflow(workflow, find_task)
    missing = [problem for problem in problems if problem.reason == MISSING]
    if missing:
        return NotYet(MISSING, f"{label}: {_sentence(missing)}")
    if problems:
        return Refused("InvalidWorkflow", f"{label}: {_sentence(problems)}")
    _, wrong = validation.complete_inputs(workflow.get("inputs") or {}, spec.get("inputs") or {})
    if wrong:
        return Refused("InvalidInputs", _sentence(wrong))
    try:
        return Admitted(load(compile_closure(workflow, find_task, find_code)))
    except MissingCodeError as missing_code:
        return NotYet("CodeNotFound", str(missing_code))


def _workflow(
    spec: Mapping[str, Any], find_workflow: FindWorkflow, find_task: FindTask
) -> tuple[str, Mapping[str, Any]] | NotYet:
    if spec.get("task"):
        name, version = spec["task"]["name"], spec["task"].get("version")
        task = find_task(name, version)
        if task is None:
            return NotYet(
                MISSING, f"spec.task: there is no {_described('Task', name, version)} in this namespace (yet)"
            )
        return f"Task {name}", workflow_of_task(name, version, task)
    name, version = spec["workflow"]["name"], spec["workflow"].get("version")
    workflow = find_workflow(name, version)
    if workflow is None:
        return NotYet(
            "WorkflowNotFound",
            f"spec.workflow: there is no {_described('Workflow', name, version)} in this namespace (yet)",
        )
    return f"Workflow {name}", workflow


def _described(kind: str, name: str, version: str | None) -> str:
    return f"{kind} {name!r} with version {version!r}" if version else f"{kind} {name!r}"


def _sentence(findings: list[Finding], limit: int = 5) -> str:
    shown = "; ".join(str(finding) for finding in findings[:limit])
    return shown if len(findings) <= limit else f"{shown}; and {len(findings) - limit} more"
