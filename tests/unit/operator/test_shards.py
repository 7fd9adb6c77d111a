"""A replica's Leases in a cluster, and what the loop does when shards come and go."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.unit.operator.fake_cluster import FakeCluster, refusal
from tests.unit.operator.things import NOW, definition, execution, task
from windlass_operator.core.sharding import Terms, shard_of
from windlass_operator.core.sharing import Limits
from windlass_operator.dispatch.calls import CallKey, Order, PoolKey
from windlass_operator.dispatch.dispatcher import Dispatcher
from windlass_operator.dispatch.messages import Ask, Hello, Inventory
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.capacity import Capacity
from windlass_operator.reconcile.definitions import Definitions
from windlass_operator.reconcile.pools import Pools
from windlass_operator.reconcile.queue import WakeQueue
from windlass_operator.reconcile.shards import EVERYTHING, ClusterLeases, Handover, ShardKeeper
from windlass_operator.reconcile.store import Key, Store
from windlass_operator.settings import Settings

SHARDS = 4
TERMS = Terms(6.0)
OURS = ("Execution", "ns", "e")
SHARD = shard_of("ns", "e", SHARDS)


class Time:
    """A clock, and a sleep that makes it go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """The others go on first."""
        self.now += seconds
        for _ in range(50):
            await asyncio.sleep(0)


class Replica:
    """A keeper over a cluster in memory, with a store and a queue."""

    def __init__(self, cluster: FakeCluster, name: str = "a") -> None:
        self.time = Time()
        leases = ClusterLeases(cluster, "sys", name, SHARDS, TERMS, lambda: NOW)
        self.keeper = ShardKeeper(leases, name, SHARDS, TERMS, self.time.monotonic, self.time.sleep)
        self.store, self.queue = Store(capacity=Capacity(Limits(total=1))), WakeQueue[Key]()
        self.dispatcher = Dispatcher(lambda: NOW, lambda *_: None)
        self.pools = Pools(
            cluster,
            self.store,
            Definitions(cluster, self.store),
            self.dispatcher,
            Settings(),
            lambda *_: None,
            lambda *_: True,
        )
        self.handover = Handover(self.store, self.queue, SHARDS, self.pools)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Run until something is so."""
        running = asyncio.create_task(self.keeper.run(self.handover))
        for _ in range(2000):
            await asyncio.sleep(0)
            if is_so() or running.done():
                break
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert is_so()

    async def all_held(self) -> None:
        """Run until everything is its own."""
        await self.until(lambda: self.keeper.held == SHARDS)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


def run(job: Coroutine[Any, Any, None]) -> None:
    asyncio.run(job)


def lease(cluster: FakeCluster, name: str) -> dict[str, Any]:
    found = cluster.get(paths.leases("sys", name))
    assert found is not None
    return found


def test_the_only_replica_holds_every_shard_and_says_so_in_leases(cluster: FakeCluster) -> None:
    replica = Replica(cluster)
    assert not replica.keeper.starts("ns", "e")
    run(replica.all_held())
    assert replica.keeper.starts("ns", "e") and replica.keeper.owns("ns", "e")
    for shard in range(SHARDS):
        spec = lease(cluster, f"windlass-shard-{shard}")["spec"]
        assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("a", 6)
        assert spec["acquireTime"] == "2027-01-15T08:00:00.000000Z"
    member = lease(cluster, "windlass-member-a")
    assert member["metadata"]["annotations"] == {"windlass.dev/shards": "4"}


def test_workers_are_asked_what_they_have_when_a_shard_is_acquired(cluster: FakeCluster) -> None:
    replica = Replica(cluster)
    link = replica.dispatcher.connect(Hello("ns", "models", "r1", "w0", "uid-w0", 1))
    replica.dispatcher.received(link, Inventory(0))
    run(replica.all_held())
    said = []
    while not link.idle:
        said.append(asyncio.run(link.next()))
    assert [one for one in said if isinstance(one, Ask)] == [Ask(0), Ask(1)], "and again when it has answered"
    eras = [acquired.era for acquired in replica.store.acquired.values()]
    assert sorted(eras) == [1, 2, 3, 4]


def test_without_leases_everything_is_its_own() -> None:
    assert EVERYTHING.starts("ns", "e") and EVERYTHING.owns("ns", "e")


def test_acquiring_a_shard_wakes_all_that_is_in_it(cluster: FakeCluster) -> None:
    replica = Replica(cluster)
    replica.store.remember_execution(execution())
    replica.store.remember_definition("Task", definition("Task", "t", task()))
    run(replica.all_held())
    assert len(replica.queue) == 2


def test_a_replica_stops_by_itself_when_its_time_is_up_and_takes_its_shards_anew(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    replica = Replica(cluster)
    replica.store.remember_execution(execution())
    away = [refusal(500)] * 4
    path = paths.leases("sys", "windlass-member-a")

    async def story() -> None:
        await replica.all_held()
        await replica.queue.get()
        replica.queue.done(OURS)
        replica.queue.wake_after(OURS, 60)
        replica.store.capacity.wants(("ns", "e"), 3)
        cluster.say("PATCH", path, *away)
        await replica.until(lambda: replica.keeper.held == 0)
        await replica.until(lambda: not replica.queue._timers)
        assert replica.store.capacity.waiting == 0
        await replica.all_held()
        assert len(replica.queue) == 1

    with caplog.at_level(logging.WARNING, "windlass.shards"):
        run(story())
    assert "the Lease could not be renewed in time: 4 shards are left to others" in caplog.messages


def test_what_another_has_taken_is_lost_at_once(cluster: FakeCluster, caplog: pytest.LogCaptureFixture) -> None:
    replica = Replica(cluster)

    async def story() -> None:
        await replica.all_held()
        taken = lease(cluster, f"windlass-shard-{SHARD}")
        taken["spec"]["holderIdentity"] = "b"
        cluster.put(paths.leases("sys"), taken)
        await replica.until(lambda: not replica.keeper.owns("ns", "e"))

    run(story())
    assert f"shard {SHARD} has been taken by another replica" in caplog.messages


def test_a_list_that_was_asked_for_before_the_time_was_up_proves_nothing(cluster: FakeCluster) -> None:
    first, second = Replica(cluster), Replica(cluster, "b")

    async def slow_list() -> None:
        """The holder's time is up when the answer comes, and was not when it was asked for."""
        await second.keeper._leases.renew({})
        second.keeper._holding = second.keeper._holding.renewed(second.time.now, second.time.now, TERMS)
        await second.keeper._balance(second.handover)
        listed = second.keeper._leases.list

        async def late() -> Any:
            found = await listed()
            second.time.now += TERMS.duration
            second.keeper._holding = second.keeper._holding.renewed(second.time.now, second.time.now - 2, TERMS)
            return found

        second.time.now += TERMS.renew_every
        second.keeper._leases.list = late  # type: ignore[method-assign]  # an answer that takes its time
        await second.keeper._balance(second.handover)

    async def story() -> None:
        await first.all_held()
        await slow_list()
        assert second.keeper.held == 0
        held = [lease(cluster, f"windlass-shard-{shard}")["spec"]["holderIdentity"] for shard in range(SHARDS)]
        assert held == ["a"] * SHARDS

    run(story())


def test_a_shard_is_given_back_when_its_passes_have_ended(cluster: FakeCluster) -> None:
    first, second = Replica(cluster), Replica(cluster, "b")

    async def story() -> None:
        await first.all_held()
        running = []
        for number in range(20):
            first.queue.wake(("Execution", "ns", f"e-{number}"))
            running.append(await first.queue.get())
        await second.until(lambda: second.keeper.held == 0 and "windlass-member-b" in str(cluster._objects))
        await first.until(lambda: len(first.keeper._leaving) == SHARDS // 2)
        kept = [key for key in running if first.keeper.starts(key[1], key[2])]
        assert 0 < len(kept) < len(running)
        assert all(first.keeper.owns(key[1], key[2]) for key in running), "what is under way may end"
        for key in running:
            first.queue.done(key)
        await first.until(lambda: first.keeper.held == SHARDS // 2)
        await second.until(lambda: second.keeper.held == SHARDS // 2)

    run(story())


def test_a_replica_that_leaves_lets_passes_end_and_gives_everything_back(cluster: FakeCluster) -> None:
    replica = Replica(cluster)

    async def story() -> None:
        await replica.all_held()
        replica.queue.wake(OURS)
        key = await replica.queue.get()
        leaving = asyncio.create_task(replica.keeper.leave(replica.handover, 60.0))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not leaving.done()
        assert not replica.keeper.starts("ns", "e") and replica.keeper.owns("ns", "e")
        replica.queue.done(key)
        await leaving
        assert not replica.keeper.owns("ns", "e")

    run(story())
    assert cluster.get(paths.leases("sys", "windlass-member-a")) is None
    for shard in range(SHARDS):
        assert "holderIdentity" not in lease(cluster, f"windlass-shard-{shard}")["spec"]


def test_a_pass_that_does_not_end_is_not_waited_for_for_ever(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    replica = Replica(cluster)

    async def story() -> None:
        await replica.all_held()
        replica.queue.wake(OURS)
        await replica.queue.get()
        await replica.keeper.leave(replica.handover, 0.0)

    run(story())
    assert "passes are still under way after 0 s; their shards are given back all the same" in caplog.messages


def test_leases_that_cannot_be_read_or_written_are_told_of(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    leases = ClusterLeases(cluster, "sys", "a", SHARDS, TERMS, lambda: NOW)
    forbidden = refusal(403, "Forbidden", "leases is forbidden")
    cluster.say("GET", paths.leases("sys"), forbidden)
    cluster.say("POST", paths.leases("sys"), forbidden)

    async def story() -> None:
        assert await leases.list() is None
        assert not await leases.renew({})

    run(story())
    assert caplog.messages == [
        "Leases can't be read: leases is forbidden",
        "the Lease windlass-member-a was not renewed: leases is forbidden",
    ]


def test_a_request_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster) -> None:
    async def silent(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(cluster, "request", silent)
    leases = ClusterLeases(cluster, "sys", "a", SHARDS, Terms(0.03), lambda: NOW)

    async def story() -> None:
        assert not await leases.renew({})

    run(story())


def test_a_lease_that_has_changed_is_not_taken_nor_forgotten(cluster: FakeCluster) -> None:
    seconds = itertools.count(NOW)
    leases = ClusterLeases(cluster, "sys", "a", SHARDS, TERMS, lambda: next(seconds))

    async def story() -> None:
        version = await leases.take(0, "")
        assert version is not None
        assert await leases.take(0, "") is None
        assert await leases.take(0, "0") is None
        assert await leases.take(0, version) is not None
        await leases.forget("windlass-shard-0", version)
        assert cluster.get(paths.leases("sys", "windlass-shard-0")) is not None

    run(story())


def test_a_sign_of_life_says_how_many_calls_wait_and_the_others_hear_it(cluster: FakeCluster) -> None:
    one, other = Replica(cluster, "a"), Replica(cluster, "b")

    async def story() -> None:
        for node in ("n0", "n1"):
            key = CallKey("ns", "e", "uid-e", node, 0)
            pool = PoolKey("ns", "models", "r1")
            other.dispatcher.dispatch(Order(key=key, pool=pool, name=node, document=b"{}", spec={}, task="t"))
        await other.pools.reconcile("ns", "models")
        await other.all_held()
        assert lease(cluster, "windlass-member-b")["metadata"]["annotations"]["windlass.dev/waiting"] == (
            '{"ns/models":2}'
        )
        await one.until(lambda: one.pools._elsewhere == {"ns/models": 2})

    run(story())
    assert other.pools._elsewhere == {}, "what waits with itself it knows better"


def test_a_lease_that_says_nothing_sensible_of_calls_says_nothing(cluster: FakeCluster) -> None:
    leases = ClusterLeases(cluster, "sys", "a", SHARDS, TERMS, lambda: NOW)

    async def story(text: str) -> dict[str, int]:
        await leases.renew({"ns/models": 3, "ns/few": 1})
        found = lease(cluster, "windlass-member-a")
        assert found["metadata"]["annotations"]["windlass.dev/waiting"] == '{"ns/models":3,"ns/few":1}'
        found["metadata"]["annotations"]["windlass.dev/waiting"] = text
        cluster.put(paths.leases("sys"), found)
        read = await leases.list()
        assert read is not None
        return dict(read[0].waiting)

    for text in ("", "x", "[1]", '{"ns/models": "many"}'):
        assert asyncio.run(story(text)) == {}
    assert asyncio.run(story('{"ns/models": 4}')) == {"ns/models": 4}
