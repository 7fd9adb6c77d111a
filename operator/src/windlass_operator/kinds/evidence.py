"""What a child (a pod, an Execution) says about the attempt it runs: waiting, running, succeeded, failed.

Raw pods are read exactly once, when their event arrives, and only this is kept: small, comparable, and free of
Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class FailureKind(str, Enum):
    """Whose failure it is, and so whose budget pays for another attempt."""

    USER = "user"
    SYSTEM = "system"
    OOM = "oom"
    """It needed more memory than it had. Without a way to get more, that is the user's."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed."""

    kind: FailureKind
    code: str
    message: str
    type: str = ""
    """The class of the Python exception, where there was one."""
    traceback: str = ""
    recoverable: bool = False
    """Whether the user's retries apply. System failures have a budget of their own."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """It has not started: not scheduled yet, pulling its image, or stuck."""

    reason: str = ""
    message: str = ""
    stuck: bool = False
    """Whether somebody should look: the reason won't go away by waiting a moment."""
    times_out: bool = True
    """Whether the attempt fails when it stays stuck."""


@dataclass(frozen=True, slots=True)
class Running:
    """The user's container runs."""

    since: str


@dataclass(frozen=True, slots=True)
class Succeeded:
    """It ended well, and this is what it returned."""

    outputs: Mapping[str, Any]
    at: str
    timings: Mapping[str, float] = field(default_factory=dict)
    workflow: Mapping[str, Any] | None = None
    """The workflow that is to run in its place and give its outputs, if it returned one."""
    deck: str = ""
    """Where its report is."""
    reused: bool = False
    """Whether it found that the cached result which it was told to look for is there."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It ended badly."""

    failure: Failure
    at: str
    deck: str = ""
    """Where its report is."""


Evidence = Waiting | Running | Succeeded | Failed
"""The absence of a pod is told by there being no evidence at all."""
