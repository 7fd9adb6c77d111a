"""Several replicas, their Leases, and all that can go wrong between them: no shard ever has two owners.

The replicas are real keepers of shards. Their time is a model: each has a clock of its own, wrong by an offset and a
little fast or slow; requests take a while, and are lost before or after they were carried out; a replica stops for
any time and goes on as if nothing had happened, is cut off, or is killed. Where there is trouble at all, nobody looks
at regular times either.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Mapping, Set as AbstractSet
from dataclasses import dataclass, field, replace
from types import coroutine
from typing import Any

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from windlass_operator.core.sharding import (
    MEMBER,
    SHARD,
    Holding,
    Lease,
    Terms,
    assign,
    look,
    plan_leases,
    shard_of,
    waiting_elsewhere,
)
from windlass_operator.reconcile.shards import ShardKeeper

SHARDS = 8
TERMS = Terms(6.0)
LATENCY = 0.5
"""A request and its answer take at most this long each."""


@dataclass(frozen=True)
class Wait:
    """A coroutine goes on after so long."""

    seconds: float


@dataclass(frozen=True)
class Ask:
    """A coroutine goes on with the answer of the server."""

    serve: Callable[[], Any]
    refused: Any
    """What it is told when no answer comes."""


@coroutine
def ask(what: Ask) -> Generator[Ask, Any, Any]:
    return (yield what)


@coroutine
def wait(seconds: float) -> Generator[Wait, None, None]:
    yield Wait(seconds)


class Server:
    """The Leases of all, with versions that only rise."""

    def __init__(self) -> None:
        self.leases: dict[str, Lease] = {}
        self._versions = itertools.count(1)

    def write(self, name: str, holder: str, version: str | None, shards: int = 0) -> str | None:
        """Write a Lease whose version is this (None: any; empty: it must not be there)."""
        found = self.leases.get(name)
        if version is not None and version != (found.version if found is not None else ""):
            return None
        lease = Lease(name, holder, str(next(self._versions)), float(TERMS.seconds), shards)
        self.leases[name] = lease
        return lease.version

    def delete(self, name: str, version: str | None) -> None:
        """Delete a Lease, if its version is this."""
        found = self.leases.get(name)
        if found is not None and version in (None, found.version):
            del self.leases[name]


@dataclass
class Replica:
    """A replica of the operator: its Leases, what it thinks it may do, and its troubles."""

    name: str
    server: Server
    now: Callable[[], float]
    offset: float
    rate: float
    shards: int = SHARDS
    alive: bool = True
    paused_until: float = 0.0
    cut_off_until: float = 0.0
    acquired_at: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keeper = ShardKeeper(self, self.name, self.shards, TERMS, self.clock, wait)

    def clock(self) -> float:
        """Its own clock."""
        return self.offset + self.now() * self.rate

    def owned(self) -> set[int]:
        """The shards on which it would act now."""
        if not self.alive:
            return set()
        holding = self.keeper._holding
        return {shard for shard in holding.held if holding.owns(shard, self.clock())}

    # What a keeper asks of Leases

    async def renew(self, waiting: Mapping[str, int]) -> bool:
        """As ``Leases``."""
        write = self.server.write
        answer = await ask(Ask(lambda: write(MEMBER + self.name, self.name, None, self.shards), None))
        return answer is not None

    async def list(self) -> list[Lease] | None:
        """As ``Leases``."""
        answer: list[Lease] | None = await ask(Ask(lambda: list(self.server.leases.values()), None))
        return answer

    async def take(self, shard: int, version: str) -> str | None:
        """As ``Leases``."""
        answer: str | None = await ask(Ask(lambda: self.server.write(f"{SHARD}{shard}", self.name, version), None))
        return answer

    async def release(self, shard: int, version: str) -> None:
        """As ``Leases``."""
        await ask(Ask(lambda: self.server.write(f"{SHARD}{shard}", "", version), None))

    async def forget(self, name: str, version: str) -> None:
        """As ``Leases``."""
        await ask(Ask(lambda: self.server.delete(name, version), None))

    async def leave(self) -> None:
        """As ``Leases``."""
        await ask(Ask(lambda: self.server.delete(MEMBER + self.name, None), None))

    # What a keeper tells its owner

    def acquired(self, shard: int) -> None:
        """As ``Owner``."""
        self.acquired_at[shard] = self.now()

    def lost(self, shard: int) -> None:
        """As ``Owner``."""

    async def quiet(self, shards: AbstractSet[int]) -> None:
        """As ``Owner``: a pass ends after a moment."""
        await wait(LATENCY)

    def waiting(self) -> Mapping[str, int]:
        """As ``Owner``."""
        return {}

    def waiting_elsewhere(self, waiting: Mapping[str, int]) -> None:
        """As ``Owner``."""


Coro = Coroutine[Any, Any, Any]


class World:
    """Time, and what happens in it."""

    def __init__(self, seed: int, loss: float = 0.0, drift: float = 0.0) -> None:
        self.time = 0.0
        self.random = random.Random(seed)
        self.loss, self.drift = loss, drift
        self.latency = self.random.choice([LATENCY / 50, LATENCY])
        self.server = Server()
        self.replicas: list[Replica] = []
        self._events: list[tuple[float, int, Replica | None, Callable[[], None]]] = []
        self._order = itertools.count()

    def start(self, name: str, shards: int = SHARDS) -> Replica:
        """A replica comes."""
        rate = 1 + self.random.uniform(-self.drift, self.drift)
        replica = Replica(name, self.server, lambda: self.time, self.random.uniform(-1e6, 1e6), rate, shards)
        self.replicas.append(replica)
        self.run(replica, replica.keeper.renewing)
        self.run(replica, replica.keeper.balancing)
        return replica

    def run(self, replica: Replica, job: Callable[[Replica], Coro]) -> None:
        """A coroutine of a replica runs, from now on."""
        self._at(0.0, replica, lambda: self._step(replica, job(replica), None))

    def go(self, seconds: float) -> None:
        """Time goes on. After all that happens, no shard has two owners."""
        end = self.time + seconds
        while self._events and self._events[0][0] <= end:
            when, _, replica, what = heapq.heappop(self._events)
            self.time = max(self.time, when)
            if replica is not None and not replica.alive:
                continue
            if replica is not None and replica.paused_until > self.time:
                self._at(replica.paused_until - self.time, replica, what)
                continue
            what()
            self.check()
        self.time = end
        self.check()

    def check(self) -> None:
        """Nobody acts where another acts."""
        owners = Counter(shard for replica in self.replicas for shard in replica.owned())
        assert all(count == 1 for count in owners.values()), {
            replica.name: sorted(replica.owned()) for replica in self.replicas
        }

    def _at(self, delay: float, replica: Replica | None, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.time + delay, next(self._order), replica, what))

    def _step(self, replica: Replica, job: Coro, told: Any) -> None:
        try:
            wanted = job.send(told)
        except StopIteration:
            return
        if isinstance(wanted, Wait):
            seconds = wanted.seconds * (self.random.uniform(0, 1.5) if self.loss else 1.0)
            self._at(seconds / replica.rate, replica, lambda: self._step(replica, job, None))
        else:
            self._request(replica, job, wanted)

    def _request(self, replica: Replica, job: Coro, wanted: Ask) -> None:
        """A request: carried out or lost, answered or not. It is carried out though its sender is paused or dead."""
        cut_off = replica.cut_off_until > self.time
        there, back = self._on_the_way(), self._on_the_way()
        answered = not cut_off and self.random.random() >= self.loss and there + back < TERMS.renew_every

        def serve() -> None:
            answer = wanted.serve()
            if answered:
                self._at(back, replica, lambda: self._step(replica, job, answer))

        if not cut_off and self.random.random() >= self.loss:
            self._at(there, None, serve)
        else:
            answered = False
        if not answered:
            self._at(TERMS.renew_every, replica, lambda: self._step(replica, job, wanted.refused))

    def _on_the_way(self) -> float:
        """How long a request or an answer takes. Some take so long that nobody waits for them any more."""
        if self.random.random() >= 2 * self.loss:
            return self.random.uniform(0, self.latency)
        return self.random.uniform(0, self.random.choice([TERMS.renew_every, 4 * TERMS.duration]))


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.05, 0.2]), st.integers(10, 60))
def test_no_shard_ever_has_two_owners(seed: int, loss: float, troubles: int) -> None:
    """``go`` looks after every single thing that happens."""
    world = World(seed, loss, drift=0.02)
    for name in "abc":
        world.start(name)
    world.go(10)
    for number in range(troubles):
        living = [one for one in world.replicas if one.alive]
        chosen = world.random.choice(living) if living else world.start(f"r{number}")
        match world.random.choice(["pause", "pause", "cut off", "cut off", "kill", "leave", "start"]):
            case "pause":
                chosen.paused_until = world.time + world.random.uniform(1, 12)
            case "cut off":
                chosen.cut_off_until = world.time + world.random.uniform(1, 12)
            case "kill" if len(living) > 1:
                chosen.alive = False
            case "leave" if len(living) > 2:
                world.run(chosen, leaving)
            case "start" if len(living) < 4:
                world.start(f"r{number}")
        world.go(world.random.uniform(0, 8))


async def leaving(replica: Replica) -> None:
    """What ``leave`` does, without asyncio's own waiting."""
    keeper = replica.keeper
    keeper._stopping = True
    await replica.quiet(keeper._holding.held)
    given_back = {shard: keeper._versions[shard] for shard in keeper._holding.held}
    keeper._lapse(replica)
    await replica.leave()
    for shard, version in given_back.items():
        await replica.release(shard, version)


def shares(world: World) -> list[int]:
    return sorted(len(replica.owned()) for replica in world.replicas if replica.alive)


@hypothesis_settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 5))
def test_replicas_come_to_a_fair_share_quickly(seed: int, number: int) -> None:
    world = World(seed)
    for index in range(number):
        world.start(f"r{index}")
    world.go(2 * TERMS.renew_every + 2 * SHARDS * LATENCY)
    assert sum(shares(world)) == SHARDS
    world.start("late")
    world.go(4 * TERMS.renew_every + 6 * SHARDS * LATENCY)
    least, extra = divmod(SHARDS, number + 1)
    assert shares(world) == [least] * (number + 1 - extra) + [least + 1] * extra


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(2, 4))
def test_the_shards_of_a_replica_that_dies_are_held_by_others_in_time(seed: int, number: int) -> None:
    world = World(seed)
    for index in range(number):
        world.start(f"r{index}")
    world.go(30)
    dead = world.random.choice(world.replicas)
    dead.alive = False
    world.go(TERMS.duration + 2 * TERMS.renew_every + 2 * (SHARDS + 4) * LATENCY)
    assert sum(shares(world)) == SHARDS


@pytest.mark.parametrize("stopped", [1.0, 5.5, 6.5, 30.0])
def test_a_replica_that_stops_and_goes_on_finds_its_place_again(stopped: float) -> None:
    world = World(7)
    for name in "abc":
        world.start(name)
    world.go(30)
    world.replicas[0].paused_until = world.time + stopped
    world.go(stopped + 30)
    assert shares(world) == [2, 3, 3]


def test_a_replica_that_leaves_is_followed_within_a_look() -> None:
    world = World(3)
    first, second = world.start("a"), world.start("b")
    world.go(30)
    world.run(first, leaving)
    world.go(TERMS.renew_every + 2 * (SHARDS + 4) * LATENCY)
    assert len(second.owned()) == SHARDS
    assert MEMBER + "a" not in world.server.leases


def test_replicas_that_count_other_shards_wait_until_the_last_of_the_others_is_gone() -> None:
    world = World(5)
    old = world.start("old", shards=4)
    world.go(10)
    new = world.start("new", shards=8)
    world.go(30)
    assert (len(old.owned()), len(new.owned())) == (4, 0)
    world.run(old, leaving)
    world.go(10)
    assert len(new.owned()) == 8


def test_what_a_dead_replica_leaves_behind_is_cleared_away() -> None:
    world = World(11)
    dead, _ = world.start("dead"), world.start("b")
    world.go(10)
    dead.alive = False
    world.go(30)
    assert MEMBER + "dead" not in world.server.leases


@given(
    st.dictionaries(st.integers(0, SHARDS - 1), st.sampled_from(["a", "b", "c", "x", ""])),
    st.sets(st.sampled_from(["a", "b", "c"]), min_size=1),
)
def test_everybody_is_assigned_the_same_number_or_one_more_and_keeps_what_it_has(
    holders: dict[int, str], members: set[str]
) -> None:
    assigned = assign(holders, members, SHARDS)
    counts = Counter(assigned.values())
    assert assigned.keys() == set(range(SHARDS))
    assert max(counts.values()) - min(counts[member] for member in members) <= 1
    have = Counter(holder for holder in holders.values() if holder in members)
    for member in members:
        kept = sum(assigned[shard] == member for shard, holder in holders.items() if holder == member)
        assert kept == min(have[member], counts[member])


@given(st.text(min_size=1), st.text(min_size=1), st.integers(1, 64))
def test_an_object_is_always_in_the_same_shard(namespace: str, name: str, shards: int) -> None:
    assert 0 <= shard_of(namespace, name, shards) < shards
    assert shard_of.__wrapped__(namespace, name, shards) == shard_of(namespace, name, shards)


def test_the_shards_of_objects_do_not_change_between_versions() -> None:
    assert [shard_of("ns", name, 16) for name in ("e", "e-1", "e-2", "nightly")] == [8, 6, 11, 12]
    many = Counter(shard_of("ns", f"e-{number}", 16) for number in range(16_000))
    assert max(many.values()) < 1.2 * min(many.values())


def test_a_holder_that_could_not_renew_stops_before_anybody_may_follow() -> None:
    holding = Holding().renewed(0.0, 0.1, TERMS).taken(1, 1, 0.2)
    assert holding.owns(1, 4.9)
    assert not holding.owns(1, 5.0)
    again = holding.renewed(4.0, 4.5, TERMS)
    assert again.owns(1, 8.9)
    assert not again.owns(1, 9.0), "it counts from when it asked, not from the answer"
    late = holding.renewed(4.0, 5.0, TERMS)
    assert not late.owns(1, 5.0), "time was up before the answer came: it has to be taken anew"
    assert late.taken(1, holding.term, 5.1) == late, "what was asked for before doesn't count"


def test_a_lease_expires_by_the_clock_of_who_looks() -> None:
    member, shard = Lease(MEMBER + "b", "b", "1", 6.0, 2), Lease(f"{SHARD}0", "b", "2", 6.0)
    seen = look({}, [member, shard], 100.0)
    assert plan_leases([member, shard], seen, "a", 2, set(), 105.9).acquire == ((1, ""),)
    renewed = replace(member, version="3")
    again = look(seen, [renewed, shard], 105.0)
    assert (0, "2") not in plan_leases([renewed, shard], again, "a", 2, set(), 110.9).acquire
    silent = plan_leases([renewed, shard], again, "a", 2, set(), 111.0)
    assert silent.acquire == ((0, "2"), (1, ""))
    assert look(again, [shard], 120.0)[MEMBER + "b"].since == 105.0, "its last sign of life counts on"
    assert plan_leases([renewed], look(again, [renewed], 112.0), "a", 2, set(), 112.0).forget == ((MEMBER + "b", "3"),)


def test_calls_that_wait_are_those_of_all_others_that_live() -> None:
    leases = [
        Lease(MEMBER + name, name, "1", 6.0, 2, {"ns/models": count, f"ns/{name}": 1})
        for name, count in (("a", 1), ("b", 2), ("c", 4), ("gone", 8))
    ]
    seen = look(look({}, leases, 100.0), [replace(one, version="2") for one in leases[:3]], 107.0)
    assert waiting_elsewhere(leases[:3], seen, "a", 107.0) == {"ns/models": 6, "ns/b": 1, "ns/c": 1}
    still = look(look({}, leases, 100.0), [*(replace(one, version="2") for one in leases[:3]), leases[3]], 107.0)
    assert waiting_elsewhere(leases, still, "c", 107.0)["ns/models"] == 3, "one that is silent has none"
