"""May this Execution start? A missing definition means *not yet* (sync order never matters); a wrong one means *never*.

The verdict names the earliest problem with its field path, in the words of ``windlass_api.validation``, which
``windlass validate`` uses too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from windlass_api import validation
from windlass_api.findings import NOT_FOUND, Finding
from windlass_api.validation import Find
from windlass_operator.core import unsupported
from windlass_operator.core.closure import (
    Closure,
    FindCode,
    MissingCodeError,
    compile_closure,
    load,
    workflow_of_task,
)

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


def admit(spec: Mapping[str, Any], find: Find, find_code: FindCode) -> Verdict:
    """Resolve what the Execution runs, validate it, check the given inputs, and compile the closure."""
    found = _target(spec, find)
    if not isinstance(found, _Target):
        return found
    label, workflow = found.label, found.workflow
    problems = validation.validate_workflow(workflow, find)
    missing = [problem for problem in problems if problem.reason in MISSING]
    if missing:
        return NotYet(missing[0].reason, f"{label}: {_sentence(missing)}")
    if problems:
        return Refused("InvalidWorkflow", f"{label}: {_sentence(problems)}")
    _, wrong = validation.complete_inputs(workflow.get("inputs") or {}, spec.get("inputs") or {})
    if wrong:
        return Refused("InvalidInputs", _sentence(wrong))
    try:
        return Admitted(load(compile_closure(workflow, _tasks(find), find_code)))
    except MissingCodeError as missing_code:
        return NotYet("CodeNotFound", str(missing_code))


def _target(spec: Mapping[str, Any], find: Find) -> _Target | NotYet | Refused:
    """What is to run. What this operator can't do is refused before anything is looked up for it."""
    asked = unsupported.in_execution(spec)
    if asked:
        return Refused(unsupported.REASON, _sentence(asked))
    kind, field = ("Task", "task") if spec.get("task") else ("Workflow", "workflow")
    name, version = spec[field]["name"], spec[field].get("version")
    definition = find(kind, name, version)
    if definition is None:
        return NotYet(
            NOT_FOUND[kind], f"spec.{field}: there is no {_described(kind, name, version)} in this namespace (yet)"
        )
    asked = unsupported.in_definition(kind, definition, _tasks(find))
    if asked:
        return Refused(unsupported.REASON, f"{kind} {name}: {_sentence(asked)}")
    return _Target(f"{kind} {name}", workflow_of_task(name, version, definition) if kind == "Task" else definition)


def _tasks(find: Find) -> Callable[[str, str | None], Mapping[str, Any] | None]:
    return lambda name, version: find("Task", name, version)


def _described(kind: str, name: str, version: str | None) -> str:
    return f"{kind} {name!r} with version {version!r}" if version else f"{kind} {name!r}"


def _sentence(findings: list[Finding], limit: int = 5) -> str:
    shown = "; ".join(str(finding) for finding in findings[:limit])
    return shown if len(findings) <= limit else f"{shown}; and {len(findings) - limit} more"
