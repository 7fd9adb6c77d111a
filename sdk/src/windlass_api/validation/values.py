"""The rules of what comes of runs: values and their types."""

from __future__ import annotations

from windlass_api.findings import Finding
from windlass_api.types import check_value, is_too_deep
from windlass_api.validation.interfaces import parameter_findings, too_deep
from windlass_api.wiring import Spec, mapping, type_of


def validate_answer(spec: Spec) -> list[Finding]:
    """What is wrong with a Signal's spec: whether the answer, if there is one, is of the type that is asked for."""
    answer = mapping(spec, "answer")
    findings = list(parameter_findings(spec, "spec")) if spec.get("type") is not None else []
    if findings or spec.get("ask") != "Input" or spec.get("answer") is None or is_too_deep(answer):
        return findings
    return check_value(answer.get("value"), *type_of(spec), "spec.answer.value")


def validate_artifact(spec: Spec) -> list[Finding]:
    """What is wrong with an Artifact's spec: whether its value is of its type."""
    if is_too_deep(spec):
        return [too_deep("spec")]
    findings = list(parameter_findings(spec, "spec"))
    return findings or check_value(spec.get("value"), *type_of(spec), "spec.value")
