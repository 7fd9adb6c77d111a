"""What a child Execution says about the attempt that it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_operator.kinds.evidence import Evidence, Failed, Failure, FailureKind, Running, Succeeded, Waiting

STALLED = "Stalled"


def evidence(body: Mapping[str, Any], stored: Any) -> Evidence:
    """What an Execution says. ``stored(its name, digest)`` stands for an output that it keeps in a ConfigMap."""
    status = body.get("status") or {}
    phase, at = status.get("phase"), status.get("finishedAt") or ""
    if phase == "Succeeded":
        name = body["metadata"]["name"]
        return Succeeded({key: _value(name, value, stored) for key, value in (status.get("outputs") or {}).items()}, at)
    if phase == "Failed":
        return Failed(_failure(status.get("error") or {}), at)
    if phase == "Cancelled":
        return Failed(Failure(FailureKind.USER, "Cancelled", "the child execution was cancelled"), at)
    stalled = next(
        (one for one in status.get("conditions") or () if one["type"] == STALLED and one["status"] == "True"), None
    )
    if stalled is not None:
        return Waiting(stalled.get("reason") or "", stalled.get("message") or "", stuck=True, times_out=False)
    return Running(status.get("startedAt") or "") if phase in ("Running", "Suspended") else Waiting()


def _value(execution: str, value: Any, stored: Any) -> Any:
    is_reference = isinstance(value, Mapping) and set(value) == {"$value"}
    return stored(execution, value["$value"]) if is_reference else value


def _failure(error: Mapping[str, Any]) -> Failure:
    """Its own attempts have been made: the parent makes no further ones."""
    return Failure(
        FailureKind.USER,
        str(error.get("code") or "Failed"),
        str(error.get("message") or "the child execution failed"),
        str(error.get("type") or ""),
        str(error.get("traceback") or ""),
    )
