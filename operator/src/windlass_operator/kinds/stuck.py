"""Why a pod waits that won't start by itself within a moment: how long that may take, and whose failure it is then.

One table, ``STUCK``, of which the first row that concerns what the kubelet says counts. A registry that answers that
there is no such image, or not for us, is right: another pod hears the same. One that can't be reached, is overloaded or
has an outage may be back when the next attempt asks, perhaps from another node: that is the system's failure.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from windlass_operator.kinds.evidence import FailureKind


class Patience(Enum):
    """How long an attempt stays with a pod that is stuck."""

    NONE = "fails at once"
    GRACE = "fails after the operator's grace"
    ENDLESS = "waits"


class Row(NamedTuple):
    """What some reasons mean."""

    reasons: tuple[str, ...]
    """As the pod has them."""
    patience: Patience
    kind: FailureKind
    """Whose failure it is once patience has ended."""
    says: tuple[str, ...] = ()
    """Words, one of which the message must have; none needed where there are none. Case doesn't count."""

    def concerns(self, reason: str, message: str) -> bool:
        """Whether the row is about this."""
        return reason in self.reasons and (not self.says or any(words in message.lower() for words in self.says))


PULLS = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable")
NO_SUCH_IMAGE = (
    "not found",
    "no such image",
    "manifest unknown",
    "name unknown",
    "no such host",
    "no match for platform",
    "access denied",
    "access to the resource is denied",
    "unauthorized",
    "authorization failed",
    "authentication required",
    "no basic auth credentials",
)
"""What runtimes of containers and registries say where asking again is no use."""

STUCK = (
    Row(("InvalidImageName", "ErrImageNeverPull"), Patience.NONE, FailureKind.USER),
    Row(PULLS, Patience.GRACE, FailureKind.USER, NO_SUCH_IMAGE),
    Row(PULLS, Patience.GRACE, FailureKind.SYSTEM),
    Row(("SignatureValidationFailed",), Patience.GRACE, FailureKind.USER),
    Row(("ImageInspectError", "PreCreateHookError", "PreStartHookError"), Patience.GRACE, FailureKind.SYSTEM),
    Row(
        ("CreateContainerConfigError", "CreateContainerError", "PostStartHookError", "RunContainerError"),
        Patience.GRACE,
        FailureKind.USER,
    ),
    Row(("CrashLoopBackOff",), Patience.GRACE, FailureKind.USER),
    Row(("Unschedulable",), Patience.ENDLESS, FailureKind.SYSTEM),
)

REASONS = frozenset(reason for row in STUCK for reason in row.reasons)

_OTHERWISE = Row((), Patience.GRACE, FailureKind.USER)


def meaning(reason: str, message: str) -> Row:
    """The row that counts; for reasons of others than pods, the user's failure after the grace."""
    return next((row for row in STUCK if row.concerns(reason, message)), _OTHERWISE)


def about_the_image(reason: str) -> bool:
    """Whether it is the image that can't be had."""
    return reason in PULLS or "Image" in reason or reason == "SignatureValidationFailed"
