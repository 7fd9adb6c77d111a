"""Which replica looks after which objects, decided by every replica for itself.

::

    object ──hash──► shard 0 … N-1      Lease windlass-shard-K: who holds the shard
    replica ───────► member             Lease windlass-member-NAME: renewed while the replica lives

A shard is held by the replica that its Lease names, for as long as that replica renews its own Lease: one write keeps
all its shards, however many they are. Three rules make sure that nobody acts on a shard that somebody else acts on:

- A holder counts from the moment at which it *asked* for the renewal, and stops ``margin`` early. It stops by itself,
  by its own clock, whether or not it can reach anybody.
- Others count from the moment at which they *saw* the renewal, and judge by a list that they asked for after the time
  was up. Times that a Lease carries are for people; nobody believes another's clock.
- Shards change hands by writes that fail when the Lease has changed meanwhile. Whoever had to stop takes its shards
  anew, by such writes, before it acts again.

All replicas compute the same division from the same Leases (``assign``), so they agree without talking: who has more
than its share gives the rest back, and who has less takes what is free. Replicas that count another number of shards
would hash differently, so while one of them lives nothing is taken.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping, Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import lru_cache

SHARD = "windlass-shard-"
MEMBER = "windlass-member-"
REMEMBERED = 1 << 16
"""How many keys' shards are remembered."""


@lru_cache(REMEMBERED)
def shard_of(namespace: str, name: str, shards: int) -> int:
    """The shard of an object: the same in every replica and every version of the operator."""
    digest = hashlib.sha256(f"{namespace}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % shards


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a Lease counts, in seconds."""

    duration: float

    @property
    def seconds(self) -> int:
        """As a Lease says it: whole seconds, and never fewer than its holder counts."""
        return math.ceil(self.duration)

    @property
    def renew_every(self) -> float:
        """Time for three renewals."""
        return self.duration / 3

    @property
    def margin(self) -> float:
        """How much earlier than others a holder takes its Lease for expired: for clocks that run at different speeds,
        and for what is on its way.
        """
        return self.duration / 6


# What one replica may do: its own judgement


@dataclass(frozen=True, slots=True)
class Holding:
    """The shards that one replica holds, and until when (on its own monotonic clock)."""

    held: frozenset[int] = frozenset()
    until: float = -math.inf
    term: int = 0
    """Counts the stretches of time without a gap. What was asked for in one doesn't count in the next."""

    def owns(self, shard: int, now: float) -> bool:
        """Whether the replica may act on a shard at this moment."""
        return now < self.until and shard in self.held

    def renewed(self, asked: float, now: float, terms: Terms) -> Holding:
        """The renewal that was asked for then has been answered now."""
        lasting = self if now < self.until else self.lapsed()
        return replace(lasting, until=max(lasting.until, asked + terms.duration - terms.margin))

    def lapsed(self) -> Holding:
        """Time is up: nothing is held any more."""
        return Holding(term=self.term + 1)

    def taken(self, shard: int, term: int, now: float) -> Holding:
        """A shard that was asked for in a term is ours, if that term still lasts."""
        return replace(self, held=self.held | {shard}) if term == self.term and now < self.until else self

    def dropped(self, shard: int) -> Holding:
        """A shard is ours no more."""
        return replace(self, held=self.held - {shard})


# What one replica sees of all


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as it was read."""

    name: str
    holder: str
    version: str
    duration: float
    shards: int = 0
    """How many shards a member counts."""
    waiting: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Calls of actors that wait with a member: how many, by ``namespace/ActorEnvironment``."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Since when (on our monotonic clock) a Lease has been seen as it is."""

    version: str
    since: float


Sightings = Mapping[str, Sighting]


def look(before: Sightings, leases: Collection[Lease], now: float) -> dict[str, Sighting]:
    """What has been seen, after another look. A member's last sign of life counts on while a shard still names it."""
    seen = {
        lease.name: known
        if (known := before.get(lease.name)) is not None and known.version == lease.version
        else Sighting(lease.version, now)
        for lease in leases
    }
    for lease in leases:
        member = MEMBER + lease.holder
        if member in before:
            seen.setdefault(member, before[member])
    return seen


def assign(holders: Mapping[int, str], members: Collection[str], shards: int) -> dict[int, str]:
    """Who should hold each shard: everybody the same number, or one more, and as many as possible where they are."""
    have = {member: [shard for shard in range(shards) if holders.get(shard) == member] for member in members}
    ranked = sorted(have, key=lambda member: (-len(have[member]), member))
    least, extra = divmod(shards, len(ranked))
    share = {member: least + (rank < extra) for rank, member in enumerate(ranked)}
    assigned = {shard: member for member in ranked for shard in have[member][: share[member]]}
    free = iter([shard for shard in range(shards) if shard not in assigned])
    for member in ranked:
        for _ in range(share[member] - len(have[member])):
            assigned[next(free)] = member
    return assigned


@dataclass(frozen=True, slots=True)
class LeasePlan:
    """What a replica should do about Leases. Versions are those that the writes have to find."""

    acquire: tuple[tuple[int, str], ...] = ()
    """Shards to take. The version is empty where there is no Lease yet."""
    release: tuple[tuple[int, str], ...] = ()
    """Shards to give back, once nothing is under way in them."""
    lost: tuple[int, ...] = ()
    """Shards that somebody else holds, whatever we thought."""
    forget: tuple[tuple[str, str], ...] = ()
    """Leases (by name) of members that are gone and hold nothing any more."""


def plan_leases(
    leases: Collection[Lease],
    seen: Sightings,
    me: str,
    shards: int,
    held: AbstractSet[int],
    asked: float,
) -> LeasePlan:
    """Plan one replica's next step. ``asked`` is when it asked for these Leases, on the clock of ``seen``."""
    members = _members(leases)
    places = {shard: lease for lease in leases if (shard := _number(lease.name)) is not None}
    alive = _alive(members, seen, asked) | {me}
    alike = {name for name in alive if name == me or members[name].shards == shards}
    holders = {shard: lease.holder for shard, lease in places.items()}
    wanted = assign(holders, alike, shards)
    mine = [shard for shard, member in sorted(wanted.items()) if member == me]

    def takeable(shard: int) -> bool:
        lease = places.get(shard)
        if lease is None or lease.holder in ("", me):
            return True
        member = members.get(lease.holder)
        return _silent((lease,) if member is None else (lease, member), seen, asked)

    return LeasePlan(
        acquire=tuple(
            (shard, places[shard].version if shard in places else "")
            for shard in mine
            if shard not in held and takeable(shard)
        )
        if alike == alive
        else (),
        release=tuple(
            (shard, lease.version)
            for shard, lease in sorted(places.items())
            if lease.holder == me and wanted.get(shard) != me
        ),
        lost=tuple(shard for shard in sorted(held) if holders.get(shard) != me),
        forget=tuple(_gone(members, alive, holders.values())),
    )


def waiting_elsewhere(leases: Collection[Lease], seen: Sightings, me: str, asked: float) -> dict[str, int]:
    """The calls that wait with other replicas that live, by ``namespace/ActorEnvironment``."""
    members, found = _members(leases), dict[str, int]()
    for name in _alive(members, seen, asked) - {me}:
        for pool, count in members[name].waiting.items():
            found[pool] = found.get(pool, 0) + count
    return found


def _members(leases: Collection[Lease]) -> dict[str, Lease]:
    return {lease.holder: lease for lease in leases if lease.name.startswith(MEMBER)}


def _alive(members: Mapping[str, Lease], seen: Sightings, asked: float) -> set[str]:
    return {name for name, lease in members.items() if not _silent((lease,), seen, asked)}


def _number(name: str) -> int | None:
    digits = name.removeprefix(SHARD)
    return int(digits) if digits != name and digits.isdigit() else None


def _silent(leases: Iterable[Lease], seen: Sightings, asked: float) -> bool:
    """Whether none of the Leases by which a holder shows itself has changed for as long as they last."""
    signs = list(leases)
    names = {*(lease.name for lease in signs), *(MEMBER + lease.holder for lease in signs)}
    last = max(seen[name].since for name in names if name in seen)
    return asked >= last + max(lease.duration for lease in signs)


def _gone(members: Mapping[str, Lease], alive: AbstractSet[str], holders: Iterable[str]) -> Iterable[tuple[str, str]]:
    holding = set(holders)
    for name, lease in sorted(members.items()):
        if name not in alive and name not in holding:
            yield lease.name, lease.version
