"""One pass over one Task or Workflow: is it valid, and which revision is it?

Every distinct spec is kept as an immutable ControllerRevision, so that ``workflowRef.version`` and a later comparison
find it. The condition ``Ready`` tells whether the definition can be executed; it heals when what is missing arrives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from windlass_api import conditions, names, validation
from windlass_api.findings import Finding
from windlass_operator.core.clock import rfc3339_seconds
from windlass_operator.core.closure import FindTask
from windlass_operator.core.status import shorten
from windlass_operator.manifests.objects import Manifest, controller_revision, owner_reference

REVISION_HISTORY = 10
"""How many revisions of a definition are kept, beside those that carry a version."""


@dataclass(frozen=True, slots=True)
class DefinitionPlan:
    """The revision that must exist, and the status that is then true."""

    revision: Manifest
    status: dict[str, Any]


def plan_definition(kind: str, body: Mapping[str, Any], find_task: FindTask, now: float) -> DefinitionPlan:
    """Judge a Task or a Workflow."""
    meta, spec = body["metadata"], body["spec"]
    findings = validation.validate_task(spec) if kind == "Task" else validation.validate_workflow(spec, find_task)
    generation = meta.get("generation", 1)
    revision = _revision(kind, meta, spec, generation)
    old = body.get("status") or {}
    status = {
        "observedGeneration": generation,
        "revision": revision["metadata"]["name"],
        "conditions": conditions.set_condition(list(old.get("conditions") or ()), _ready(findings, generation, now)),
    }
    return DefinitionPlan(revision, status)


def definition_label(kind: str, name: str) -> str:
    """The label value that finds the revisions of a definition; names may be longer than label values."""
    return names.label_value(f"{kind.lower()}-{name}")


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


def _ready(findings: list[Finding], generation: int, now: float) -> dict[str, Any]:
    when = rfc3339_seconds(now)
    if not findings:
        return conditions.condition(conditions.READY, conditions.TRUE, "Valid", "", when, generation)
    shown = "; ".join(str(finding) for finding in findings[:5])
    more = f"; and {len(findings) - 5} more" if len(findings) > 5 else ""
    return conditions.condition(
        conditions.READY, conditions.FALSE, findings[0].reason, shorten(shown + more), when, generation
    )
