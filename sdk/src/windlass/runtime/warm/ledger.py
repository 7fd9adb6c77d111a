"""What a worker knows of calls, and what it answers. Pure: the supervisor does what is said here.

    (unknown) ──Run──► running ──ends──► held ──Acknowledge──► done (its name is remembered for a while)

Whatever comes twice is answered with what is known already: a Run for a call that runs with Started, for one that is
held with its Result. So a call runs once in a worker, however often a stream breaks in the middle of a message.
"""

from __future__ import annotations

from collections.abc import Iterable

from windlass_api.protocol import dispatcher_pb2 as pb

REMEMBERED = 4096
"""Calls that are done and whose names are still known, so that a Run that comes late doesn't run them again."""
HELD_BYTES = 32 * 1024 * 1024
"""While the results that nobody has acknowledged take more than this, no call is taken: an Inventory must hold them."""


class Ledger:
    """The calls of one worker."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.leaving = ""
        """Why it takes nothing more, if it doesn't."""
        self._running: dict[str, float] = {}
        self._held: dict[str, pb.Result] = {}
        self._held_bytes = 0
        self._done: dict[str, None] = {}

    # ---- what there is ----------------------------------------------------------------------------------------------

    @property
    def running(self) -> tuple[str, ...]:
        """The calls under way."""
        return tuple(self._running)

    @property
    def held(self) -> tuple[pb.Result, ...]:
        """The results that nobody has acknowledged."""
        return tuple(self._held.values())

    @property
    def free(self) -> int:
        """Slots that take a call now."""
        if self.leaving or self._held_bytes > HELD_BYTES:
            return 0
        return max(0, self.slots - len(self._running))

    @property
    def finished(self) -> bool:
        """Whether it is leaving and nothing is left that somebody has to know."""
        return bool(self.leaving) and not self._running and not self._held

    # ---- what happens -----------------------------------------------------------------------------------------------

    def take(self, call: str) -> list[pb.FromWorker] | None:
        """Somebody wants it run: what to answer, or None if it is to be begun."""
        if call in self._running:
            at = self._running[call]
            return [pb.FromWorker(started=pb.Started(call=call, at=at))] if at else []
        if call in self._held:
            return [pb.FromWorker(result=self._held[call])]
        if call in self._done:
            return [_refused(call, "its result has been acknowledged")]
        if self.leaving:
            return [_refused(call, f"the worker is leaving: {self.leaving}")]
        if not self.free:
            return [_refused(call, "no slot is free")]
        self._running[call] = 0.0
        return None

    def started(self, call: str, at: float) -> pb.FromWorker:
        """It has begun."""
        self._running[call] = at
        return pb.FromWorker(started=pb.Started(call=call, at=at))

    def ended(self, result: pb.Result) -> pb.FromWorker:
        """It has ended; its result is held from now on."""
        self._running.pop(result.call)
        self._held[result.call] = result
        self._held_bytes += result.ByteSize()
        return pb.FromWorker(result=result)

    def acknowledge(self, calls: Iterable[str]) -> None:
        """The results of these are durable."""
        for call in calls:
            result = self._held.pop(call, None)
            if result is not None:
                self._held_bytes -= result.ByteSize()
                self._done[call] = None
        while len(self._done) > REMEMBERED:
            del self._done[next(iter(self._done))]

    def state(self, code: Iterable[str]) -> pb.State:
        """What every replica has to know of its slots."""
        return pb.State(free=self.free, code=sorted(code))


def _refused(call: str, reason: str) -> pb.FromWorker:
    return pb.FromWorker(refused=pb.Refused(call=call, reason=reason))
