"""The cache in the cluster: results are found, kept and swept; turns are taken; nobody's work is undone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from tests.unit.operator.fake_cluster import FakeCluster, refusal
from tests.unit.operator.things import NOW, Body, task
from windlass_api import names
from windlass_operator.clients.cluster import Answer
from windlass_operator.core import caching
from windlass_operator.core.actions import Done, Held, Rejected
from windlass_operator.core.caching import CacheSettings, Entry, Hit, Holder, Mine, Miss, judge, key_of
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.caching import CacheKeeper, CacheRefusedError
from windlass_operator.reconcile.definitions import NotReachableError
from windlass_operator.settings import Settings

T = TypeVar("T")

TASK = task({"n": {"type": "int"}}, {"o0": {"type": "any"}}, cache={"version": "1"})
ENTRIES = paths.all_of_ours("CacheEntry", "ns")
MAPS = paths.config_maps("ns")
LEASES = paths.leases("ns")
LARGE = "x" * caching.INLINE_OUTPUTS
ME, OTHER = Holder("e", "u1", "a"), Holder("f", "u2", "b", 3)

AWAY = (Answer(0, {"message": "no answer"}), refusal(503, "ServiceUnavailable"), refusal(429, "TooManyRequests"))
away = pytest.mark.parametrize("answer", AWAY, ids=lambda answer: str(answer.status))


def run(asked: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asked)


def made(value: Any, n: int = 1, expires_after: float | None = None, now: float = NOW) -> Entry:
    key = key_of("t", TASK, {"n": n})
    cache = CacheSettings("1", expires_after=expires_after)
    found = caching.entry(
        key, {"o0": value}, execution="e", node="a", namespace="ns", now=now, cache=cache, settings=Settings()
    )
    assert isinstance(found, Entry)
    return found


class World:
    """A keeper of a fake cluster."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.keeper = CacheKeeper(self.cluster)

    def store(self, entry: Entry, *, replace: bool = False) -> Any:
        return run(self.keeper.store(entry.manifest, entry.values, replace=replace))

    def found(self, n: int = 1) -> Hit | Miss:
        """What a node with this input gets."""
        key = key_of("t", TASK, {"n": n})
        spec = run(self.keeper.look_up("ns", names.cache_name(key.digest)))
        return judge(spec, key, TASK, NOW)

    def outputs(self, n: int = 1) -> Any:
        found = self.found(n)
        assert isinstance(found, Hit), found
        return found.outputs["o0"]


@pytest.fixture
def world() -> World:
    return World()


def path_of(manifest: Body) -> str:
    collection = {"CacheEntry": ENTRIES, "ConfigMap": MAPS, "Lease": LEASES}[manifest["kind"]]
    return f"{collection}/{manifest['metadata']['name']}"


@pytest.mark.parametrize(
    "value", [1, None, "text", LARGE, {"$value": "0" * 16}, {"a": [LARGE, {"$ref": "inputs.n"}]}],
    ids=["a number", "null", "a text", "a large text", "data that looks like a mark", "a large one with marks in it"],
)  # fmt: skip
def test_what_was_kept_is_found_as_it_was(world: World, value: Any) -> None:
    assert world.found() == Miss("there is no result for these inputs yet")
    assert world.store(made(value)) == Done()
    assert world.outputs() == value


def test_a_large_value_goes_with_its_entry(world: World) -> None:
    entry = made(LARGE)
    world.store(entry)
    (value,) = entry.values
    kept, owner = world.cluster.get(path_of(value)), world.cluster.get(path_of(entry.manifest))
    assert kept is not None and owner is not None
    assert [one["uid"] for one in kept["metadata"]["ownerReferences"]] == [owner["metadata"]["uid"]]
    assert "ownerReferences" not in owner["metadata"]


def _gone(world: World, path: str) -> None:
    world.cluster.drop(path)


def _other_content(world: World, path: str) -> None:
    other = made(f"{LARGE}y").values[0]
    world.cluster.put(MAPS, {**other, "metadata": {"name": path.rpartition("/")[2]}})


def _nonsense(world: World, path: str) -> None:
    world.cluster.put(MAPS, {"metadata": {"name": path.rpartition("/")[2]}, "binaryData": {"value.json.gz": "AA=="}})


def _empty(world: World, path: str) -> None:
    world.cluster.put(MAPS, {"metadata": {"name": path.rpartition("/")[2]}})


@pytest.mark.parametrize("damage", [_gone, _other_content, _nonsense, _empty])
def test_an_entry_whose_value_is_lost_is_a_miss_and_heals(world: World, damage: Any) -> None:
    entry = made(LARGE)
    world.store(entry)
    damage(world, path_of(entry.values[0]))
    assert world.found() == Miss("there is a result, but its output o0 is gone", replace=True)
    assert world.store(entry) == Done()
    assert world.outputs() == LARGE


def test_an_entry_with_a_mark_that_nobody_knows_is_a_miss(world: World) -> None:
    entry = made(1)
    world.cluster.put(ENTRIES, {**entry.manifest, "spec": {**entry.manifest["spec"], "outputs": {"o0": {"$x": 1}}}})
    assert world.found() == Miss("there is a result, but its output o0 is gone", replace=True)


def test_a_result_that_is_there_stays(world: World) -> None:
    world.store(made("first"))
    assert world.store(made("second")) == Done()
    assert world.outputs() == "first"


def test_a_result_that_shall_be_replaced_is(world: World) -> None:
    world.store(made("first"))
    assert world.store(made("second"), replace=True) == Done()
    assert world.outputs() == "second"


def test_an_expired_one_is_replaced_without_being_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windlass_operator.clients.clock.now", lambda: NOW)
    world.store(made("first", expires_after=10, now=NOW - 10))
    assert world.found() == Miss("there is a result, but it expired at 2027-01-15T08:00:00.000000Z", replace=True)
    assert world.store(made("second", expires_after=10)) == Done()
    assert world.outputs() == "second"


def test_a_value_that_an_entry_on_its_way_out_owns_is_owned_by_the_new_one_too(world: World) -> None:
    entry = made(LARGE)
    before = {"apiVersion": "v1", "kind": "CacheEntry", "name": "another", "uid": "on-its-way-out"}
    value = entry.values[0]
    owned = {**value, "metadata": {**value["metadata"], "ownerReferences": [before]}}
    world.cluster.put(path_of(value).rpartition("/")[0], owned)
    assert world.store(entry) == Done()
    kept, now_there = world.cluster.get(path_of(entry.values[0])), world.cluster.get(path_of(entry.manifest))
    assert kept is not None and now_there is not None
    owners = [one["uid"] for one in kept["metadata"]["ownerReferences"]]
    assert len(owners) == 2 and now_there["metadata"]["uid"] in owners


def test_a_value_that_goes_just_now_is_made_anew(world: World) -> None:
    entry = made(LARGE)
    world.cluster.say("POST", MAPS, refusal(409, "AlreadyExists", "it exists"))
    assert world.store(entry) == Done()
    assert world.outputs() == LARGE


def test_a_wrong_value_that_may_not_be_deleted_is_told(world: World) -> None:
    entry = made(LARGE)
    path = path_of(entry.values[0])
    _empty(world, path)
    world.cluster.say("DELETE", path, refusal(403, "Forbidden", "no right"))
    assert world.store(entry) == Held("Forbidden", "no right")


def test_an_entry_that_cannot_get_its_values_is_taken_back(world: World) -> None:
    world.cluster.say("POST", MAPS, refusal(403, "Forbidden", "exceeded quota: maps"))
    outcome = world.store(made(LARGE))
    assert outcome == Held("QuotaExceeded", "exceeded quota: maps")
    assert isinstance(world.found(), Miss) and world.cluster.get(path_of(made(LARGE).manifest)) is None


def test_an_entry_that_goes_while_it_is_looked_at_is_made_again(world: World) -> None:
    world.cluster.say("POST", ENTRIES, refusal(409, "AlreadyExists", "it exists"))
    assert world.store(made(1)) == Done()
    assert world.outputs() == 1


def test_whoever_is_always_too_late_gives_up(world: World) -> None:
    world.cluster.say("POST", ENTRIES, *[refusal(409, "AlreadyExists", "it exists")] * 3)
    outcome = world.store(made(1))
    assert isinstance(outcome, Held) and outcome.reason == "CacheContended"
    world.cluster.say("POST", MAPS, *[refusal(409, "AlreadyExists", "it exists")] * 3)
    assert world.store(made(LARGE)).reason == "CacheContended"
    world.cluster.say("POST", LEASES, *[refusal(409, "AlreadyExists", "it exists")] * 3)
    outcome, lease = run(world.keeper.reserve(reservation(ME)))
    assert (outcome.reason, lease) == ("CacheContended", None)  # type: ignore[union-attr]


def test_what_the_api_server_refuses_is_told(world: World) -> None:
    world.cluster.say("POST", ENTRIES, refusal(422, "Invalid", "spec.outputs: too long"))
    assert world.store(made(1)) == Rejected("InvalidCacheEntry", "spec.outputs: too long")
    world.store(made(1))
    world.cluster.say("GET", path_of(made(1).manifest), *[refusal(403, "Forbidden", "no right")] * 2)
    assert world.store(made(1)) == Held("Forbidden", "no right")
    with pytest.raises(CacheRefusedError, match="no right"):
        world.found()
    world.cluster.say("GET", ENTRIES, *[refusal(403, "Forbidden", "no right")] * 2)
    with pytest.raises(CacheRefusedError, match="no right"):
        run(world.keeper.nearest("ns", "t"))
    with pytest.raises(CacheRefusedError, match="no right"):
        run(world.keeper.sweep(["ns"], NOW))
    world.cluster.say("DELETE", path_of(made(1).manifest), refusal(403, "Forbidden", "no right"))
    assert world.store(made(1), replace=True) == Held("Forbidden", "no right")


@away
def test_no_answer_is_never_taken_for_one(world: World, answer: Answer) -> None:
    entry, lease = made(1), reservation(ME)
    asked: list[tuple[str, str, Coroutine[Any, Any, Any]]] = [
        ("GET", path_of(entry.manifest), world.keeper.look_up("ns", entry.manifest["metadata"]["name"])),
        ("GET", ENTRIES, world.keeper.nearest("ns", "t")),
        ("GET", ENTRIES, world.keeper.sweep(["ns"], NOW)),
        ("POST", ENTRIES, world.keeper.store(entry.manifest, entry.values, replace=False)),
        ("POST", LEASES, world.keeper.reserve(lease)),
        ("GET", path_of(lease), world.keeper.release("ns", lease["metadata"]["name"], ME)),
        ("DELETE", path_of(lease), world.keeper.take_over(world.cluster.put(LEASES, lease), lease)),
    ]
    for method, path, question in asked:
        world.cluster.say(method, path, answer)
        with pytest.raises(NotReachableError):
            run(question)


def test_the_results_of_a_task_say_why_there_was_none(world: World) -> None:
    world.store(made("first", n=1))
    other = made("first").manifest
    label = {"metadata": {"name": "other", "labels": {names.LABEL_TASK: "other"}}}
    world.cluster.put(ENTRIES, {**other, **label})
    key = key_of("t", {**TASK, "cache": {"version": "2"}}, {"n": 1})
    nearest = run(world.keeper.nearest("ns", "t"))
    assert len(nearest) == 1
    assert caching.why(key, nearest) == "the version is 2, was 1"


# Turns


def reservation(of: Holder) -> Body:
    return caching.reservation(key_of("t", TASK, {"n": 1}), of, "ns", NOW)


def reserved(lease: Any, me: Holder, *live: str) -> Any:
    assert lease is not None
    return caching.reserved(lease, me, lambda holder: holder.uid in live)


def test_the_first_has_the_turn_and_keeps_it(world: World) -> None:
    for holder in (ME, OTHER, ME):
        outcome, lease = run(world.keeper.reserve(reservation(holder)))
        assert outcome == Done()
        assert isinstance(reserved(lease, holder, "u1", "u2"), Mine) is (holder == ME)


def test_the_turn_of_one_that_is_over_is_taken_over_by_one_of_those_who_saw_it(world: World) -> None:
    _, stale = run(world.keeper.reserve(reservation(Holder("old", "u0", "a"))))
    assert isinstance(reserved(stale, ME, "u1", "u2"), caching.Stale)
    assert stale is not None
    for holder in (ME, OTHER):
        outcome, lease = run(world.keeper.take_over(stale, reservation(holder)))
        assert (outcome, caching.holder_of(lease or {})) == (Done(), ME)


def test_a_turn_that_may_not_be_taken_over_stays(world: World) -> None:
    _, stale = run(world.keeper.reserve(reservation(OTHER)))
    assert stale is not None
    world.cluster.say("DELETE", path_of(reservation(ME)), refusal(403, "Forbidden", "no right"))
    assert run(world.keeper.take_over(stale, reservation(ME))) == (Held("Forbidden", "no right"), None)


def test_a_turn_is_given_back_by_its_holder_only(world: World) -> None:
    lease = reservation(ME)
    name = lease["metadata"]["name"]
    assert run(world.keeper.release("ns", name, ME)) == Done()
    run(world.keeper.reserve(lease))
    for holder in (OTHER, ME._replace(uid="u9"), ME._replace(node="b")):
        assert run(world.keeper.release("ns", name, holder)) == Done()
        assert world.cluster.get(path_of(lease)) is not None
    assert run(world.keeper.release("ns", name, ME)) == Done()
    assert world.cluster.get(path_of(lease)) is None
    world.cluster.say("GET", path_of(lease), refusal(403, "Forbidden", "no right"))
    assert run(world.keeper.release("ns", name, ME)) == Held("Forbidden", "no right")


def test_a_refused_reservation_is_told(world: World) -> None:
    world.cluster.say("POST", LEASES, refusal(403, "Forbidden", "no right"))
    assert run(world.keeper.reserve(reservation(ME))) == (Held("Forbidden", "no right"), None)
    run(world.keeper.reserve(reservation(ME)))
    world.cluster.say("GET", path_of(reservation(ME)), refusal(403, "Forbidden", "no right"))
    assert run(world.keeper.reserve(reservation(ME))) == (Held("Forbidden", "no right"), None)


# Expiry


def test_a_sweep_deletes_what_has_expired_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windlass_operator.reconcile.caching.PAGE", 2)
    for n in range(7):
        world.store(made(n, n=n, expires_after=[None, 10.0, 1000.0][n % 3]))
    assert run(world.keeper.sweep(["ns"], NOW + 10)) == 2
    assert [n for n in range(7) if isinstance(world.found(n), Miss)] == [1, 4]
    assert run(world.keeper.sweep([""], NOW + 1000)) == 2
    assert run(world.keeper.sweep(["ns"], NOW + 1000)) == 0


def test_a_sweep_leaves_what_was_made_anew_meanwhile(world: World) -> None:
    world.store(made(1, expires_after=1.0))
    entries = run(world.cluster.request("GET", ENTRIES)).body
    world.cluster.drop(path_of(made(1).manifest))
    world.cluster.put(ENTRIES, made(2).manifest)
    world.cluster.say("GET", ENTRIES, Answer(200, entries))
    run(world.keeper.sweep(["ns"], NOW + 10))
    assert world.outputs() == 2


def test_a_sweep_that_took_too_long_leaves_the_rest_to_the_next(world: World) -> None:
    world.store(made(1, expires_after=1.0))
    world.cluster.say("GET", ENTRIES, refusal(410, "Expired", "the token is too old"))
    assert run(world.keeper.sweep(["ns"], NOW + 10)) == 0
    assert run(world.keeper.sweep(["ns"], NOW + 10)) == 1


def test_a_sweep_without_the_right_to_delete_says_so(world: World) -> None:
    world.store(made(1, expires_after=1.0))
    world.cluster.say("DELETE", path_of(made(1).manifest), refusal(403, "Forbidden", "no right"))
    with pytest.raises(CacheRefusedError, match="no right"):
        run(world.keeper.sweep(["ns"], NOW + 10))


def test_sweeping_goes_on_after_trouble(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr("windlass_operator.clients.clock.now", lambda: NOW + 10)
    world.store(made(1, expires_after=1.0))
    world.cluster.say("GET", ENTRIES, AWAY[0], refusal(403, "Forbidden", "no right"))
    keeper = CacheKeeper(world.cluster, pause=pause)
    with pytest.raises(asyncio.CancelledError):
        run(keeper.keep_swept(["ns"]))
    assert pauses == [3600.0] * 3
    assert world.cluster.get(path_of(made(1).manifest)) is None
