"""Validation: the rules which one definition, or one with those that it refers to, has to keep.

Shape (which fields there are, of which kind, how long) is the models' and the CRD's part. Here is what shape can't say:
whether types parse and defaults fit them, whether references lead somewhere and types fit along them, whether anything
waits for itself or can never run. The renderer, the operator and local checks call the same functions and show the same
findings.

All functions take plain specs, collect everything that is wrong rather than stop at the first, and stay calm when the
shape is wrong, too: what they can't read they leave to the models. Definitions that a spec names are looked up by
`find(kind, name, version)`; one that is not there (yet) is a finding whose reason stands in `findings.NOT_FOUND`.
"""

from __future__ import annotations

from windlass_api.validation.interfaces import complete_inputs
from windlass_api.validation.plans import validate_backfill, validate_launch_plan
from windlass_api.validation.tasks import override_findings, validate_task
from windlass_api.validation.values import validate_answer, validate_artifact
from windlass_api.validation.workflows import validate_workflow
from windlass_api.wiring import Find

__all__ = [
    "Find",
    "complete_inputs",
    "override_findings",
    "validate_answer",
    "validate_artifact",
    "validate_backfill",
    "validate_launch_plan",
    "validate_task",
    "validate_workflow",
]
