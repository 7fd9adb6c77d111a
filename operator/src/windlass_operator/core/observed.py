"""What is known of one Execution at one moment: all that planning may look at, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass_operator.core.closure import Closure
from windlass_operator.core.states import TERMINAL, ExecutionPhase, NodePhase
from windlass_operator.kinds.evidence import Evidence, Failure
from windlass_operator.settings import Settings


@dataclass(frozen=True, slots=True)
class NodeState:
    """How far a node has come. Times are seconds since the epoch."""

    phase: NodePhase = NodePhase.PENDING
    attempt: int = 0
    """The number of the current attempt; the first is 0."""
    user_failures: int = 0
    system_failures: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    reason: str = ""
    message: str = ""
    outputs: Mapping[str, Any] | None = None
    retry_at: float | None = None
    stuck_since: float | None = None
    failure: Failure | None = None
    """Why it failed. Kept only for planning; people read ``reason``, ``message`` and the Execution's ``error``."""

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.phase in TERMINAL


@dataclass(frozen=True, slots=True)
class ExecutionError:
    """Why the Execution failed: its first failed node, or what is wrong with itself."""

    failure: Failure
    node: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutionState:
    """How far an Execution has come. The next pass starts from the last one's, or from ``status`` after a restart."""

    phase: ExecutionPhase = ExecutionPhase.PENDING
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    started_at: float | None = None
    finished_at: float | None = None
    outputs: Mapping[str, Any] | None = None
    error: ExecutionError | None = None
    size: int = 0
    """The bytes of all nodes' outputs, as JSON."""


@dataclass(frozen=True, slots=True)
class PodView:
    """A pod, as far as planning cares."""

    name: str
    node: str
    attempt: int
    evidence: Evidence
    deleting: bool = False
    gone: bool = False
    """It has been deleted; ``evidence`` is the last that was seen of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One Execution, its closure, its pods, and the time."""

    name: str
    namespace: str
    uid: str
    spec: Mapping[str, Any]
    state: ExecutionState
    closure: Closure
    pods: Mapping[tuple[str, int], PodView]
    """By node and attempt."""
    settings: Settings
    now: float

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked for it to stop."""
        return bool(self.spec.get("cancel"))
