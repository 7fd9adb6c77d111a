"""Which runs of a launch plan have to go: it keeps so many that succeeded and so many that did not, the newest of each.

A limit that is not set keeps all. Runs that are under way, and children of other runs, are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from windlass_operator.core.states import ExecutionPhase


class Run(NamedTuple):
    """An Execution of the plan that has ended."""

    finished_at: str
    """RFC 3339."""
    name: str
    uid: str
    phase: str


def surplus(plan: Mapping[str, Any], runs: Iterable[Run]) -> list[Run]:
    """The runs beyond the plan's limits, oldest first."""
    kept = {True: plan.get("successfulRunsHistoryLimit"), False: plan.get("failedRunsHistoryLimit")}
    found: list[Run] = []
    listed = sorted(runs)
    for succeeded, limit in kept.items():
        alike = [run for run in listed if (run.phase == ExecutionPhase.SUCCEEDED.value) is succeeded]
        if limit is not None and len(alike) > limit:
            found += alike[: len(alike) - limit]
    return sorted(found)


def limits_any(plan: Mapping[str, Any]) -> bool:
    """Whether the plan limits anything."""
    return plan.get("successfulRunsHistoryLimit") is not None or plan.get("failedRunsHistoryLimit") is not None
