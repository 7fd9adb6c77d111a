"""What is known of one Execution at one moment: all that planning may look at, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from windlass_operator.core.closure import Closure
from windlass_operator.core.inputs import NodeInputs
from windlass_operator.core.states import ACTIVE, TERMINAL, ExecutionPhase, NodePhase
from windlass_operator.kinds.evidence import Evidence, Failed, Failure, Succeeded
from windlass_operator.settings import Settings

ALONE = -1
"""The element of a node that is no map."""


class Place(NamedTuple):
    """An attempt of a node, or of an element of a map: what a child is for."""

    node: str
    attempt: int
    element: int = ALONE


class Stored(NamedTuple):
    """Stands for a value that is too large for a status: it is in a ConfigMap, named by the hash of its JSON."""

    digest: str
    execution: str = ""
    """Whose ConfigMap it is, where it is another Execution's."""


@dataclass(frozen=True, slots=True)
class CacheNote:
    """What the cache meant for a node."""

    state: str
    """``Hit``, ``Miss``, ``Checking``, ``Stored``, ``Waiting`` or ``Failed``."""
    message: str = ""
    entry: str = ""
    """The name of the CacheEntry."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """How far a node, or an element of a map, has come. Times are seconds since the epoch."""

    phase: NodePhase = NodePhase.PENDING
    attempt: int = 0
    """The number of the current attempt; the first is 0."""
    user_failures: int = 0
    system_failures: int = 0
    oom_failures: int = 0
    unsure: bool = False
    """Whether its child may be there, though nobody answered when it was made: it takes room like one that is."""
    started_at: float | None = None
    finished_at: float | None = None
    reason: str = ""
    message: str = ""
    outputs: Mapping[str, Any] | None = None
    """Values by name; a large one is ``Stored``."""
    retry_at: float | None = None
    until: float | None = None
    """When it stops waiting: a sleep ends, a person's time is up, or the time in the queue is."""
    stuck_since: float | None = None
    failure: Failure | None = None
    """Why it failed. Kept only for planning; people read ``reason``, ``message`` and the Execution's ``error``."""
    signal: str = ""
    """The Signal that it waits for."""
    execution: str = ""
    """The child Execution that runs its current attempt."""
    cache: CacheNote | None = None
    deck: str = ""
    """Where the report of its last attempt that left one is."""
    resume: str = ""
    """Why its result was taken from an earlier run, or not."""
    elements: Elements | None = None
    """Of a map, once it has begun."""

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.phase in TERMINAL

    @property
    def failures(self) -> int:
        """How many attempts have failed."""
        return self.user_failures + self.system_failures + self.oom_failures


WAITS, QUEUED, RUNS, SUCCEEDED, FAILED, CANCELLED = b"PQRSFC"
"""The letters of ``Elements.phases``, as numbers: what bytes are made of."""
CACHE, EARLIER = "cache", "earlier"
"""Where the result of an element is from that has not run: the cache, or an earlier run."""
LETTER_OF = {
    NodePhase.PENDING: WAITS,
    NodePhase.QUEUED: QUEUED,
    NodePhase.RUNNING: RUNS,
    NodePhase.SUCCEEDED: SUCCEEDED,
    NodePhase.FAILED: FAILED,
    NodePhase.CANCELLED: CANCELLED,
}


@dataclass(slots=True)
class Elements:
    """How far a map has come. Only the pass that copied it changes it.

    What an element came to is *written* once it stands in a segment (see ``core.segments``): until then the pod that
    says so is the only witness, and the status doesn't count it.
    """

    phases: bytearray
    """One letter per element."""
    results: dict[int, Any] = field(default_factory=dict)
    """Of those that succeeded."""
    failures: dict[int, Failure] = field(default_factory=dict)
    """Of those that failed."""
    states: dict[int, NodeState] = field(default_factory=dict)
    """Of those that are under way, or wait for another attempt."""
    unwritten: set[int] = field(default_factory=set)
    """Those that ended, or failed an attempt, since the last segment."""
    segments: int = 0
    """How many segments there are."""
    tail: dict[str, Any] = field(default_factory=dict)
    """What stands in the last of them, which is still added to."""
    tail_size: int = 0
    tail_version: str = ""
    """The resourceVersion of the last segment: nobody else has written it."""
    written_at: float = 0.0
    next: int = 0
    """No element before this one waits for its first attempt."""
    hits: int = 0
    """How many were answered by the cache."""
    reused: int = 0
    """How many were taken from an earlier run."""
    fresh: bool = True
    """Whether pods may be there that nobody has looked at yet: a restart."""
    inputs: Mapping[str, Any] | None = None
    """The node's inputs, resolved. Not kept across restarts."""
    bound: Mapping[str, Any] = field(default_factory=dict)
    """Those of them that all elements share, complete."""
    shared: NodeInputs | None = None
    """The same, as pods get them."""
    loaded: bool = True
    """Whether the segments have been read; after a restart they have to be."""
    origins: dict[int, str] = field(default_factory=dict)
    """Of those that succeeded without having run, and are not written yet: where their results are from."""
    turn_at: float | None = None
    """Since when those that have not begun could have, had there been room; None while its own concurrency keeps
    them waiting."""

    def waits(self, index: int) -> bool:
        """Whether there is such an element, and it has not begun, as far as is known."""
        return 0 <= index < self.total and self.phases[index] == WAITS

    def copy(self) -> Elements:
        """One that may be changed."""
        return Elements(
            bytearray(self.phases),
            dict(self.results),
            dict(self.failures),
            dict(self.states),
            set(self.unwritten),
            self.segments,
            dict(self.tail),
            self.tail_size,
            self.tail_version,
            self.written_at,
            self.next,
            self.hits,
            self.reused,
            self.fresh,
            self.inputs,
            self.bound,
            self.shared,
            self.loaded,
            dict(self.origins),
            self.turn_at,
        )

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.phases)

    def count(self, letter: int) -> int:
        """How many are in a phase."""
        return self.phases.count(letter)

    @property
    def active(self) -> int:
        """How many have, or are about to have, a child."""
        return self.phases.count(QUEUED) + self.phases.count(RUNS)


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
    """The bytes of all nodes' outputs that stand in the status, as JSON."""


@dataclass(frozen=True, slots=True)
class ChildView:
    """A child that runs an attempt, a pod, an Execution or a call, as far as planning cares."""

    name: str
    node: str
    attempt: int
    evidence: Evidence
    deleting: bool = False
    gone: bool = False
    """It has been deleted; ``evidence`` is the last that was seen of it."""
    element: int = ALONE
    created: float = 0.0
    """Seconds since the epoch."""
    cancelled: bool = False
    """Of an Execution: whether it has been told to stop."""
    suspended: bool = False
    """Of an Execution: whether it has been told to start nothing more."""

    @property
    def place(self) -> Place:
        """What it is for."""
        return Place(self.node, self.attempt, self.element)

    @property
    def ended(self) -> bool:
        """Whether its attempt is over, as far as it can tell."""
        return isinstance(self.evidence, Succeeded | Failed)


class Children(dict[Place, ChildView]):
    """The children of an Execution; those to which something can still happen are at hand without going through all."""

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[Place, ChildView] = {}
        self.nodes: dict[str, int] = {}
        """How many children each node has."""

    def put(self, view: ChildView) -> None:
        """A child as it is now."""
        place = view.place
        if place not in self:
            self.nodes[place.node] = self.nodes.get(place.node, 0) + 1
        self[place] = view
        if view.gone or view.ended:
            self.open.pop(place, None)
        else:
            self.open[place] = view

    def drop(self, place: Place) -> None:
        """A child that nobody will ask for again."""
        if self.pop(place, None) is not None:
            self.nodes[place.node] -= 1
            if not self.nodes[place.node]:
                del self.nodes[place.node]
        self.open.pop(place, None)


@dataclass(frozen=True, slots=True)
class SignalView:
    """A question to a person."""

    name: str
    uid: str
    spec: Mapping[str, Any]
    phase: str
    """As its status has it: ``Waiting``, ``Answered``, ``Invalid``, ``Expired``, or nothing yet."""
    generation: int = 1
    owner: str = ""
    """The uid of the Execution that asks."""


class Lost(NamedTuple):
    """The answer to a question about something that is gone for good."""

    message: str


class AskValue(NamedTuple):
    """What is the value behind a ``Stored`` of some Execution?"""

    execution: str
    digest: str


class AskSegments(NamedTuple):
    """What stands in the segments of a map?"""

    node: str
    execution: str


class AskCache(NamedTuple):
    """Is there a CacheEntry of this name; and if not, what do the others of its task look like?"""

    entry: str
    task: str
    near: bool
    """Whether the others are wanted too."""


class AskPrevious(NamedTuple):
    """How did another Execution go?"""

    execution: str


Question = AskValue | AskSegments | AskCache | AskPrevious


@dataclass(frozen=True, slots=True)
class Previous:
    """An earlier Execution, whose results may be taken over."""

    name: str
    closure: Closure
    state: ExecutionState
    spec: Mapping[str, Any]


class Reservation(NamedTuple):
    """Who computes a result, as the last look at it said."""

    mine: bool
    message: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One Execution, its closure, its children, and the time."""

    name: str
    namespace: str
    uid: str
    spec: Mapping[str, Any]
    state: ExecutionState
    closure: Closure
    pods: Mapping[Place, ChildView]
    executions: Mapping[Place, ChildView] = field(default_factory=dict)
    """Child Executions."""
    calls: Mapping[Place, ChildView] = field(default_factory=dict)
    """Calls of actors' tasks."""
    unsure: frozenset[str] = frozenset()
    """ActorEnvironments whose workers may have calls that are not among these."""
    pinned: bool = True
    """Whether it is written what it is pinned to. No call goes out before: unlike pods, calls don't say so."""
    signals: Mapping[str, SignalView] = field(default_factory=dict)
    """By the name of the gate."""
    known: Mapping[Question, Any] = field(default_factory=dict)
    """Answers to what was looked up."""
    reservations: Mapping[tuple[str, str], Reservation] = field(default_factory=dict)
    """By the name of the CacheEntry to be, and who wants to compute it: several nodes may want the same."""
    room: int | None = None
    """How many pods more it may have at the moment, as the namespaces share them. None is without limit."""
    depth: int = 0
    """How many Executions it is inside of."""
    settings: Settings
    now: float

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked for it to stop."""
        return bool(self.spec.get("cancel"))

    @property
    def suspended(self) -> bool:
        """Whether somebody asked that nothing new starts."""
        return bool(self.spec.get("suspend"))

    def setting(self, field_name: str) -> Any:
        """What the Execution says, or else the launch plan that it is a run of."""
        value = self.spec.get(field_name)
        return self.closure.plan.get(field_name) if value is None else value


def is_active(state: NodeState) -> bool:
    """Whether its current attempt has, or is about to have, a child."""
    return state.phase in ACTIVE
