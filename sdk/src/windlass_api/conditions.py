"""Conditions: metav1 conditions, written only when something changes.

A condition which says the same as before is not written again: status updates that change nothing wake every watcher
for nothing. `lastTransitionTime` moves only when `status` moves, as Kubernetes' tools expect.

Time arrives as `now`, a text in RFC 3339.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Condition = dict[str, Any]

READY = "Ready"

ACCEPTED = "Accepted"
RECONCILING = "Reconciling"
STALLED = "Stalled"
SUCCEEDED = "Succeeded"
FAILED = "Failed"
FINISHED = "Finished"
SUSPENDED = "Suspended"

TRUE = "True"
FALSE = "False"

MAX_MESSAGE = 32768


def condition(
    type: str,  # noqa: A002  the field's name
    status: str,
    reason: str,
    message: str,
    now: str,
    generation: int,
) -> Condition:
    """A condition that became what it says `now`."""
    return {
        "type": type,
        "status": status,
        "reason": reason,
        "message": message[:MAX_MESSAGE],
        "lastTransitionTime": now,
        "observedGeneration": generation,
    }


def set_condition(conditions: list[Condition], new: Condition) -> list[Condition]:
    """The conditions with `new` in them: the very same list where it says nothing new, else a new list.

    A condition keeps its place; a type not seen before goes to the end.
    """
    old = get(conditions, new["type"])
    if old is None:
        return [*conditions, new]
    if old["status"] == new["status"]:
        new = {**new, "lastTransitionTime": old["lastTransitionTime"]}
    if old == new:
        return conditions
    return [new if item is old else item for item in conditions]


def get(conditions: Sequence[Condition], type: str) -> Condition | None:  # noqa: A002  the field's name
    """The condition of a type, if there is one."""
    return next((item for item in conditions if item["type"] == type), None)
