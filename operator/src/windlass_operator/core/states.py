"""Phases of a node and of an Execution, and which moves are legal.

::

    Pending ──► Queued ──► Running ──► Succeeded
       │  ▲        │          │
       │  └────────┴──────────┤  (a retry: the next attempt waits again)
       │                      └─────► Failed
       ├──► Skipped           (its `when` was false, or an upstream was skipped)
       ├──► Failed            (its inputs could not be made, or the API server refused its pod)
       └──► Cancelled ◄────── (from Queued and Running too: the Execution was cancelled or is failing)

Terminal phases have no way out: whatever evidence arrives later is ignored.
"""

from __future__ import annotations

from enum import Enum


class NodePhase(str, Enum):
    """What a node of an Execution is doing. The values are those of ``status.nodes.<id>.phase``."""

    PENDING = "Pending"
    QUEUED = "Queued"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CANCELLED = "Cancelled"

    __hash__ = str.__hash__  # an enum's own is slow, and is asked for each node of each pass


class ExecutionPhase(str, Enum):
    """The printed summary of an Execution's conditions."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


_P = NodePhase

TERMINAL = frozenset({_P.SUCCEEDED, _P.FAILED, _P.SKIPPED, _P.CANCELLED})
ACTIVE = frozenset({_P.QUEUED, _P.RUNNING})
"""Phases in which the node's current attempt has, or is about to have, a pod."""

TRANSITIONS: dict[NodePhase, frozenset[NodePhase]] = {
    _P.PENDING: frozenset({_P.QUEUED, _P.RUNNING, _P.SUCCEEDED, _P.FAILED, _P.SKIPPED, _P.CANCELLED}),
    _P.QUEUED: frozenset({_P.PENDING, _P.RUNNING, _P.SUCCEEDED, _P.FAILED, _P.CANCELLED}),
    _P.RUNNING: frozenset({_P.PENDING, _P.QUEUED, _P.SUCCEEDED, _P.FAILED, _P.CANCELLED}),
    _P.SUCCEEDED: frozenset(),
    _P.FAILED: frozenset(),
    _P.SKIPPED: frozenset(),
    _P.CANCELLED: frozenset(),
}

FINISHED = frozenset({ExecutionPhase.SUCCEEDED, ExecutionPhase.FAILED, ExecutionPhase.CANCELLED})
