"""What a pod says about the attempt it runs, in five words: waiting, running, succeeded, failed, gone.

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


@dataclass(frozen=True, slots=True)
class Failed:
    """It ended badly."""

    failure: Failure
    at: str


Evidence = Waiting | Running | Succeeded | Failed
"""The absence of a pod is told by there being no evidence at all."""
