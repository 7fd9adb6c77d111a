"""What workers and a dispatcher say to each other, as plain values: see proto/windlass/v1alpha1/dispatcher.proto.

Generated messages stay in ``server``; so an operator without actors never loads them, and a simulation needs none.
"""

from __future__ import annotations

from typing import NamedTuple


class Result(NamedTuple):
    """How a call ended."""

    call: str
    record: bytes = b""
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    reason: str = ""
    log_tail: bytes = b""


class Hello(NamedTuple):
    """Who a worker is."""

    namespace: str
    pool: str
    revision: str
    pod: str
    pod_uid: str
    slots: int = 1


class Inventory(NamedTuple):
    """All that a worker has, as it was asked for by this number."""

    number: int
    running: tuple[str, ...] = ()
    results: tuple[Result, ...] = ()
    code: tuple[str, ...] = ()


class State(NamedTuple):
    """How many slots take a call now, and what code is warm."""

    free: int
    code: tuple[str, ...] = ()


class Wanted(NamedTuple):
    """It does not have this code."""

    code: str


class Started(NamedTuple):
    """A call has begun."""

    call: str
    at: float


class Refused(NamedTuple):
    """A call was not begun."""

    call: str
    reason: str = ""


class Leaving(NamedTuple):
    """It takes nothing more."""

    reason: str = ""


class Heartbeat(NamedTuple):
    """It is there."""


FromWorker = Inventory | State | Wanted | Started | Result | Refused | Leaving
"""After the Hello, which opens a stream."""


class Ask(NamedTuple):
    """It is to say what it has."""

    number: int


class Run(NamedTuple):
    """A call to run."""

    call: str
    order: bytes
    code: str
    timeout: float


class Cancel(NamedTuple):
    """A call to end."""

    call: str
    reason: str


class Acknowledge(NamedTuple):
    """Results that are durable."""

    calls: tuple[str, ...]


class Drain(NamedTuple):
    """Take nothing more, and leave."""

    reason: str


class Part(NamedTuple):
    """A piece of a code bundle; or why there is none."""

    code: str
    part: bytes = b""
    last: bool = False
    problem: str = ""


class Welcome(NamedTuple):
    """The answer to a Hello."""

    peers: tuple[str, ...]
    heartbeat: float
    replica: str


ToWorker = Ask | Run | Cancel | Acknowledge | Drain | Part | Heartbeat | Welcome
