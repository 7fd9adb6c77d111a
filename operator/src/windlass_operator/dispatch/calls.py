"""What a call is called, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from windlass_operator.core.observed import ALONE


class PoolKey(NamedTuple):
    """Workers that are alike."""

    namespace: str
    environment: str
    revision: str


class CallKey(NamedTuple):
    """The attempt that a call is for. Its text travels: workers say it again to whoever asks."""

    namespace: str
    execution: str
    uid: str
    node: str
    attempt: int
    element: int = ALONE

    @property
    def owner(self) -> tuple[str, str]:
        """Which Execution it belongs to: namespace and uid."""
        return self.namespace, self.uid

    def text(self) -> str:
        """``ns/wc/1f0c…/n0/0``, and ``/17`` of an element of a map."""
        parts = [self.namespace, self.execution, self.uid, self.node, str(self.attempt)]
        return "/".join(parts if self.element == ALONE else [*parts, str(self.element)])


def parse(text: str) -> CallKey | None:
    """The attempt that a call is for; None where the text is nothing that we ever said."""
    parts = text.split("/")
    names, numbers = parts[:4], parts[4:]
    if not all(parts) or len(numbers) not in (1, 2):
        return None
    if not all(number.isascii() and number.isdigit() and len(number) < 10 for number in numbers):
        return None
    namespace, execution, uid, node = names
    return CallKey(namespace, execution, uid, node, int(numbers[0]), int(numbers[1]) if numbers[1:] else ALONE)


class Phase(Enum):
    """How far a call has come."""

    QUEUED = "queued"
    SENT = "sent"
    """A worker was told; whether it has begun isn't known."""
    RUNNING = "running"
    DONE = "done"
    """Its end is known, and a worker may still hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call that is wanted."""

    key: CallKey
    pool: PoolKey
    name: str
    """What a pod of this attempt would be called."""
    document: bytes
    """The JSON of ``WINDLASS_TASK``."""
    spec: Mapping[str, Any]
    """What the workers of the pool are like."""
    task: str
    code: str = ""
    """The digest of the code bundle that workers are sent; empty where the code is in the image, or in the store."""
    archive: str = ""
    """The hash of the code in the store, where it is there."""
    timeout: float = 0.0

    @property
    def known_by(self) -> str:
        """What a worker that has the code at hand calls it; empty where it is in the image."""
        return self.code or self.archive


@dataclass(slots=True)
class Call:
    """A call, and where it is."""

    key: CallKey
    id: str
    pool: PoolKey
    phase: Phase
    name: str
    order: Order | None = None
    """What to send; None where another operator sent it."""
    since: float = 0.0
    """When it was queued."""
    holder: str = ""
    """The uid of the pod that has it."""
    recalled: str = ""
    """Why it is to end, where somebody asked for that."""
    sent: int = 0
    """How often it was handed out."""
