"""What a plan may ask for, as data. ``reconcile.apply`` carries it out; nothing else does.

Actions of ``before`` come first, all of them: pods need what they mount. Each one may be repeated without harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass_api import names
from windlass_operator.core.caching import Holder
from windlass_operator.core.observed import ALONE, AskSegments, Place, Question, Reservation
from windlass_operator.manifests.objects import Manifest


@dataclass(frozen=True, slots=True)
class CreateValue:
    """Make the ConfigMap of a large input value."""

    name: str
    manifest: Manifest = field(hash=False)


@dataclass(frozen=True, slots=True)
class SaveValue:
    """Make the ConfigMap of a large output. Its node (or the run, where ``node`` is empty) is not over before."""

    node: str
    name: str
    manifest: Manifest = field(hash=False)


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Start an attempt."""

    node: str
    attempt: int
    name: str
    manifest: Manifest = field(hash=False)
    element: int = ALONE
    values: tuple[str, ...] = ()
    """The ConfigMaps of values that it mounts."""

    @property
    def place(self) -> Place:
        """What it is for."""
        return Place(self.node, self.attempt, self.element)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Have a warm worker run an attempt."""

    node: str
    attempt: int
    name: str
    """What a pod of it would be called."""
    environment: str
    revision: str
    spec: Mapping[str, Any] = field(hash=False)
    """The ActorEnvironment's."""
    document: str = field(hash=False)
    task: str = ""
    code: str = ""
    """The digest of the code bundle."""
    timeout: float = 0.0
    element: int = ALONE
    archive: str = ""
    """The hash of the code, where the store has it: workers fetch that themselves."""

    @property
    def place(self) -> Place:
        """What it is for."""
        return Place(self.node, self.attempt, self.element)


@dataclass(frozen=True, slots=True)
class Recall:
    """A call is not wanted any more."""

    node: str
    attempt: int
    element: int = ALONE


@dataclass(frozen=True, slots=True)
class CreateExecution:
    """Start a child Execution that runs an attempt."""

    node: str
    attempt: int
    name: str
    manifest: Manifest = field(hash=False)
    element: int = ALONE
    revision: Manifest | None = field(default=None, hash=False)
    """The ControllerRevision of a workflow that a dynamic task gave: the child runs it."""

    @property
    def place(self) -> Place:
        """What it is for."""
        return Place(self.node, self.attempt, self.element)


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Stop an attempt."""

    node: str
    name: str


@dataclass(frozen=True, slots=True)
class TellExecution:
    """Have a child Execution stop (``cancel``), start nothing more (``suspend``), or go on."""

    node: str
    name: str
    field: str
    value: bool


@dataclass(frozen=True, slots=True)
class CreateSignal:
    """Ask a person."""

    node: str
    name: str
    manifest: Manifest = field(hash=False)


@dataclass(frozen=True, slots=True)
class MarkSignal:
    """Say in a Signal's status what became of the question."""

    name: str
    uid: str
    status: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class WriteSegment:
    """Keep the outcomes of some elements of a map (see ``core.segments``)."""

    node: str
    number: int
    name: str
    content: Mapping[str, Any] = field(hash=False)
    manifest: Manifest = field(hash=False)
    version: str = ""
    """The resourceVersion of the segment that this one replaces; none where it is a new one."""

    @property
    def question(self) -> AskSegments:
        """What is asked when somebody else has written it."""
        return AskSegments(self.node, self.manifest["metadata"]["labels"][names.LABEL_EXECUTION])


@dataclass(frozen=True, slots=True)
class LookUp:
    """Find the answer to a question."""

    question: Question


@dataclass(frozen=True, slots=True)
class Reserve:
    """Be the one who computes a result that others wait for."""

    name: str
    me: Holder
    manifest: Manifest = field(hash=False)


@dataclass(frozen=True, slots=True)
class Release:
    """Let others compute it."""

    name: str
    me: Holder


@dataclass(frozen=True, slots=True)
class StoreEntry:
    """Keep a result in the cache. It is a matter of speed: when it can't be done, the node succeeded all the same."""

    node: str
    element: int
    name: str
    manifest: Manifest = field(hash=False)
    values: tuple[Manifest, ...] = field(default=(), hash=False)
    """The ConfigMaps of its large outputs."""
    replace: bool = False
    """Whether one that is there has to go first: it is outdated, broken, or not wanted."""


@dataclass(frozen=True, slots=True)
class DeleteExecution:
    """The Execution itself has outlived its ``ttlAfterFinished``."""

    name: str


Start = CreatePod | CreateExecution | Dispatch
Action = (
    SaveValue
    | CreatePod
    | CreateExecution
    | Dispatch
    | Recall
    | DeletePod
    | TellExecution
    | CreateSignal
    | MarkSignal
    | WriteSegment
    | LookUp
    | Reserve
    | Release
    | StoreEntry
    | DeleteExecution
)


@dataclass(frozen=True, slots=True)
class Done:
    """It is so now (because of us just now, or because it already was)."""


@dataclass(frozen=True, slots=True)
class Version:
    """It is so now, and this is the version of what was written."""

    version: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What was looked up."""

    answer: Any = field(hash=False)


@dataclass(frozen=True, slots=True)
class Reserved:
    """Whose turn it is to compute a result."""

    reservation: Reservation


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else has written it: what we believe is outdated."""

    message: str


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


Outcome = Done | Version | Answered | Reserved | Conflict | Rejected | Held | Unavailable
