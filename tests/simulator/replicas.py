"""The replicas of the operator: one, or two that share the Executions out among themselves.

Here shards go from one to another as ``reconcile.shards`` has them go, without the Leases (tests/properties/
test_sharding.py has these): given back once nothing is under way in them, left to others a while after a crash, or
lost at once where a Lease could not be renewed. Nobody has a shard in between.
"""

from __future__ import annotations

from collections import Counter

from tests.simulator.faults import Life, Operator
from tests.simulator.world import World
from windlass_operator.core.sharding import shard_of
from windlass_operator.reconcile.shards import Handover
from windlass_operator.telemetry import Telemetry

GAP = (0.6, 3.0)
"""Seconds for which nobody has a shard that moves: longer than any message to a worker takes (see ``faults``)."""
PAUSE = (1.0, 20.0)
"""Seconds between two moves for no reason at all, while there is trouble."""
TOLD_EVERY = 2.0
"""Seconds between two Leases, which tell how many calls wait with a replica."""


class Share:
    """What one life may do."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self.held: set[int] = set()
        self.leaving: set[int] = set()

    def starts(self, namespace: str, name: str) -> bool:
        """Whether a pass over an object may start."""
        return shard_of(namespace, name, self._shards) in self.held - self.leaving

    def owns(self, namespace: str, name: str) -> bool:
        """Whether a pass that is under way may still write, at this very moment."""
        return shard_of(namespace, name, self._shards) in self.held


class Replicas:
    """All of them."""

    def __init__(self, world: World, telemetry: Telemetry) -> None:
        self._world, self._timeline = world, world.timeline
        self._dice = world.scenario.fates.draw("replicas")
        self._shards = world.scenario.settings.shards
        self._calm = False
        count = world.scenario.replicas
        self.operators = [Operator(world, telemetry, number, self) for number in range(count)]
        self._shares: dict[Life, Share] = {}
        self._free: set[int] = set(range(self._shards)) if count > 1 else set()

    def start(self) -> None:
        """All of them begin."""
        for operator in self.operators:
            operator.start()
        if len(self.operators) > 1:
            self._later(GAP, self._hand_out)
            self._later(PAUSE, self._move_some)
            if self._world.scenario.has_actors:
                self._timeline.call_later(TOLD_EVERY, self._tell_what_waits)

    @property
    def lives(self) -> list[Life]:
        """Those that are alive."""
        return [operator.life for operator in self.operators if operator.life is not None]

    @property
    def requests(self) -> int:
        """How many requests they have made."""
        return sum(operator.requests for operator in self.operators)

    def calm_down(self) -> None:
        """From now on nothing goes wrong."""
        self._calm = True
        for operator in self.operators:
            operator.calm_down()

    def relist(self) -> None:
        """All streams begin anew."""
        for operator in self.operators:
            operator.relist()

    def _tell_what_waits(self) -> None:
        """How many calls wait with the others, each hears of all."""
        self._timeline.call_later(TOLD_EVERY, self._tell_what_waits)
        waiting = {life: Counter(life.reconciler.pools.waiting()) for life in self.lives}
        for life in self.lives:
            others = (counts for other, counts in waiting.items() if other is not life)
            life.reconciler.pools.waiting_elsewhere(sum(others, Counter()))

    # ---- shards ----

    def share_of(self, life: Life) -> Share:
        """What a new life may do: nothing yet."""
        self._shares[life] = Share(self._shards)
        self._later(GAP, self._hand_out)
        return self._shares[life]

    def ended(self, life: Life) -> None:
        """A life is over: a while later its shards are there to be taken."""
        share = self._shares.pop(life, None)
        if share is not None and share.held:
            self._later((1.0, 8.0), self._released, frozenset(share.held))

    def _hand_out(self) -> None:
        """Whoever has least takes what nobody has."""
        for shard in sorted(self._free if self._shares else ()):
            life = min(self._shares, key=lambda one: (len(self._shares[one].held), one.address))
            self._free.discard(shard)
            self._say("TAKEN", shard, life)
            self._shares[life].held.add(shard)
            self._handover(life).acquired(shard)

    def _move_some(self) -> None:
        if self._calm:
            return
        self._later(PAUSE, self._move_some)
        if len(self._shares) < 2:
            return
        life = self._dice.choice(list(self._shares))
        share = self._shares[life]
        if self._dice.random() < 0.3:
            self._lapse(life, share)
        elif share.held - share.leaving:
            shard = self._dice.choice(sorted(share.held - share.leaving))
            share.leaving.add(shard)
            self._handover(life).lost(shard)
            self._timeline.create_task(self._give_back(life, share, shard))

    def _lapse(self, life: Life, share: Share) -> None:
        """Its Leases could not be renewed in time."""
        held = frozenset(share.held)
        share.held.clear()
        share.leaving.clear()
        for shard in sorted(held):
            self._say("LAPSED", shard, life)
            self._handover(life).lost(shard)
        self._later(GAP, self._released, held)

    async def _give_back(self, life: Life, share: Share, shard: int) -> None:
        await self._handover(life).quiet({shard})
        if life.over or shard not in share.leaving:
            return
        share.held.discard(shard)
        share.leaving.discard(shard)
        self._say("RELEASED", shard, life)
        self._later(GAP, self._released, frozenset({shard}))

    def _released(self, shards: frozenset[int]) -> None:
        self._free |= shards
        self._hand_out()

    def _handover(self, life: Life) -> Handover:
        told = life.reconciler
        return Handover(told.store, told.queue, self._shards, told.pools)

    def _say(self, what: str, shard: int, life: Life) -> None:
        with self._world.acting("shards"):
            self._world.say(what, f"shard {shard}", life.address)

    def _later(self, pause: tuple[float, float], what: object, *about: object) -> None:
        self._timeline.call_later(self._dice.uniform(*pause), what, *about)  # type: ignore[arg-type]  # it is called
