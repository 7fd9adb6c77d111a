"""One pass over one definition: is it valid, can this operator act on it, and which revision is it?

Every distinct spec is kept as an immutable ControllerRevision, so that ``workflowRef.version`` and a later comparison
find it. The condition ``Ready`` tells whether the definition can be executed; it heals when what is missing arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from windlass_api import conditions, names, validation
from windlass_api.findings import Finding
from windlass_api.validation import Find
from windlass_operator.core import unsupported
from windlass_operator.core.clock import rfc3339_seconds
from windlass_operator.core.status import shorten
from windlass_operator.manifests.execution import definition_label
from windlass_operator.manifests.objects import Manifest, controller_revision, owner_reference

REVISION_HISTORY = 10
"""How many revisions of a definition are kept, beside those that carry a version."""


DEFINITIONS = ("Task", "Workflow", "LaunchPlan", "ActorEnvironment", "Backfill", "App")
"""The kinds that people write, apart from Executions."""

VERSIONED = ("Task", "Workflow", "LaunchPlan")
"""Kinds whose specs are kept, so that a version can be referred to."""

_RULES: Mapping[str, Callable[[Mapping[str, Any], Find], list[Finding]]] = {
    "Task": validation.validate_task,
    "Workflow": validation.validate_workflow,
    "LaunchPlan": validation.validate_launch_plan,
    "Backfill": validation.validate_backfill,
}
_CONDITIONS = {"Backfill": conditions.ACCEPTED}
"""The condition that tells whether a definition is acted on, where it isn't ``Ready``."""


@dataclass(frozen=True, slots=True)
class DefinitionPlan:
    """The revision that must exist, if any, and the status that is then true."""

    revision: Manifest | None
    status: dict[str, Any]


def plan_definition(kind: str, body: Mapping[str, Any], find: Find, now: float) -> DefinitionPlan:
    """Judge a definition."""
    meta, spec = body["metadata"], body["spec"]
    rules = _RULES.get(kind)
    findings = rules(spec, find) if rules is not None else []
    findings = findings or unsupported.in_definition(kind, spec, lambda name, version: find("Task", name, version))
    generation = meta.get("generation", 1)
    revision = _revision(kind, meta, spec, generation) if kind in VERSIONED else None
    old = body.get("status") or {}
    verdict = _verdict(_CONDITIONS.get(kind, conditions.READY), findings, generation, now)
    status = {
        "observedGeneration": generation,
        **({"revision": revision["metadata"]["name"]} if revision is not None else {}),
        "conditions": conditions.set_condition(list(old.get("conditions") or ()), verdict),
    }
    return DefinitionPlan(revision, status)


def _revision(kind: str, meta: Mapping[str, Any], spec: Mapping[str, Any], generation: int) -> Manifest:
    labels = {names.LABEL_DEFINITION: definition_label(kind, meta["name"])}
    if spec.get("version"):
        labels[names.LABEL_VERSION] = names.label_value(spec["version"])
    return controller_revision(
        names.revision_name(kind, meta["name"], names.content_hash(spec)),
        meta["namespace"],
        {"kind": kind, "name": meta["name"], "spec": spec},
        generation,
        [owner_reference(kind, meta["name"], meta["uid"], controller=True)],
        labels,
    )


def _verdict(condition: str, findings: list[Finding], generation: int, now: float) -> dict[str, Any]:
    when = rfc3339_seconds(now)
    if not findings:
        return conditions.condition(condition, conditions.TRUE, "Valid", "", when, generation)
    shown = "; ".join(str(finding) for finding in findings[:5])
    more = f"; and {len(findings) - 5} more" if len(findings) > 5 else ""
    return conditions.condition(
        condition, conditions.FALSE, findings[0].reason, shorten(shown + more), when, generation
    )
