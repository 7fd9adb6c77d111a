"""What a plan may ask for, as data. ``reconcile.apply`` carries it out; nothing else does.

Actions of ``before`` come first, all of them: pods need what they mount. Each one may be repeated without harm.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from windlass_operator.manifests.objects import Manifest


@dataclass(frozen=True, slots=True)
class CreateValue:
    """Make the ConfigMap of a large input value."""

    name: str
    manifest: Manifest = field(hash=False)


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Start an attempt of a node."""

    node: str
    attempt: int
    name: str
    manifest: Manifest = field(hash=False)


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Stop an attempt."""

    node: str
    name: str


Action = CreateValue | CreatePod | DeletePod


@dataclass(frozen=True, slots=True)
class Done:
    """It is so now (because of us just now, or because it already was)."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The API server will never accept this (it is invalid, or forbidden by policy): the author has to act."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Held:
    """The API server won't accept it at the moment (a quota is used up): try again, and tell people."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """It isn't known whether it happened (a timeout, a 5xx, a dropped connection): look again soon."""

    message: str


Outcome = Done | Rejected | Held | Unavailable
