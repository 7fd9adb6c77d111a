"""Answers to what plans ask: values, segments, results in the cache, earlier runs; and whose turn it is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.operator.fake_cluster import FakeCluster, refusal
from tests.unit.operator.things import Body, closure, execution
from windlass_api import names
from windlass_api.cache_key import CacheKey
from windlass_operator.clients.cluster import Answer
from windlass_operator.core.actions import Held, Outcome, Reserve, Reserved
from windlass_operator.core.caching import Holder, reservation
from windlass_operator.core.observed import (
    AskCache,
    AskPrevious,
    AskSegments,
    AskValue,
    Elements,
    ExecutionState,
    Lost,
    NodeState,
    Previous,
)
from windlass_operator.core.segments import content_of, manifest as segment
from windlass_operator.core.states import NodePhase
from windlass_operator.manifests.objects import controller_revision, owner_reference, value_config_map
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.caching import CacheKeeper
from windlass_operator.reconcile.closures import ClosureKeeper
from windlass_operator.reconcile.definitions import NotReachableError
from windlass_operator.reconcile.lookups import Lookups
from windlass_operator.reconcile.store import Store

OWNER = owner_reference("Execution", "e", "u1")
MAPS = paths.config_maps("ns")


class World:
    """Lookups of a fake cluster."""

    def __init__(self) -> None:
        self.cluster, self.store = FakeCluster(), Store()
        self.lookups = Lookups(
            self.cluster, self.store, ClosureKeeper(self.cluster, self.store), CacheKeeper(self.cluster)
        )

    def ask(self, question: Any) -> Any:
        """The answer to a question."""
        return asyncio.run(self.lookups.answer("ns", question))

    def reserve(self, me: Holder) -> Outcome:
        """Whose turn it is."""
        return asyncio.run(self.lookups.reserve(Reserve(ENTRY, me, reservation(KEY, me, "ns", 0.0))))

    def track(self, name: str, uid: str, phase: str = "Running") -> None:
        """An Execution that is known."""
        self.store.remember_execution(execution(name, uid=uid, status={"phase": phase}))


@pytest.fixture
def world() -> World:
    return World()


VALUE = {"a": [1, None, "ü"]}
DIGEST = names.content_hash(names.canonical_json(VALUE))
VALUE_NAME = names.value_name("e", DIGEST)


def test_a_large_value_is_read_as_it_was_written(world: World) -> None:
    world.cluster.put(MAPS, value_config_map(VALUE_NAME, "ns", names.canonical_json(VALUE), "e", OWNER))
    assert world.ask(AskValue("e", DIGEST)) == VALUE


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (None, f"the ConfigMap {VALUE_NAME} with a value of this run is gone"),
        ({}, "can't be read: KeyError"),
        ({"binaryData": {}}, "can't be read: KeyError"),
        ({"binaryData": {"value.json.gz": "AAAA"}}, "can't be read: BadGzipFile"),
        ({"binaryData": {"value.json.gz": "H4sIAAAAAAAA"}}, "can't be read: EOFError"),
    ],
    ids=["it is gone", "nothing in it", "nothing of ours", "no gzip", "half of one"],
)
def test_a_value_that_cannot_be_had_is_lost_and_says_why(world: World, there: Body | None, says: str) -> None:
    if there is not None:
        world.cluster.put(MAPS, {"metadata": {"name": VALUE_NAME}, **there})
    found = world.ask(AskValue("e", DIGEST))
    assert isinstance(found, Lost)
    assert says in found.message


def test_segments_come_in_order_as_many_as_there_are(world: World) -> None:
    for number in range(12):
        name = names.segment_name("e", "w.m", number)
        world.cluster.put(MAPS, segment(name, "ns", "e", "w.m", {str(number): {"ok": {}}}, OWNER))
    found = world.ask(AskSegments("w.m", "e"))
    assert [list(content_of(one)) for one in found] == [[str(number)] for number in range(12)]
    assert all(one["metadata"]["resourceVersion"] for one in found)
    assert world.ask(AskSegments("m", "e")) == []


# The cache.

KEY = CacheKey.of_parts(
    {"task": "t", "version": "1", "interface": {"inputs": {}, "outputs": {"o0": "int"}}, "inputs": {}}
)
ENTRY = names.cache_name(KEY.digest)
ENTRIES = paths.all_of_ours("CacheEntry", "ns")


def entry(name: str = ENTRY, **outputs: Any) -> Body:
    spec = {"key": KEY.parts(), "outputs": outputs, "source": {"execution": "x", "node": "n"}}
    return {"metadata": {"name": name, "labels": {names.LABEL_TASK: "t"}}, "spec": spec}


def test_an_entry_that_is_there_is_all_that_is_looked_at(world: World) -> None:
    world.cluster.put(ENTRIES, entry(o0=3))
    spec, others = world.ask(AskCache(ENTRY, "t", near=True))
    assert (spec["outputs"], others) == ({"o0": 3}, [])
    assert len(world.cluster.requests) == 1


@pytest.mark.parametrize(("near", "count"), [(True, 1), (False, 0)])
def test_where_there_is_none_the_tasks_others_are_looked_at_if_wanted(world: World, near: bool, count: int) -> None:
    world.cluster.put(ENTRIES, entry("cache-other", o0=3))
    spec, others = world.ask(AskCache(ENTRY, "t", near=near))
    assert (spec, len(others)) == (None, count)


# An earlier run.


def earlier(world: World, status: Body | None = None, *, closure_there: bool = True) -> str:
    of = closure({"id": "a"})
    if closure_there:
        world.cluster.put(paths.revisions("ns"), controller_revision(of.name, "ns", of.document, 1, [OWNER], {}))
    told = {"phase": "Failed", "closure": of.hash, "nodes": {"a": {"phase": "Succeeded", "outputs": {"o0": 1}}}}
    spec = {"workflow": {"name": "wf"}, "inputs": {"n": 1}}
    body = execution(status=told if status is None else status, spec=spec)
    world.cluster.put(paths.all_of_ours("Execution", "ns"), body)
    return of.name


def test_an_earlier_run_is_known_by_its_closure_its_status_and_its_spec(world: World) -> None:
    earlier(world)
    found = world.ask(AskPrevious("e"))
    assert isinstance(found, Previous)
    assert (found.name, list(found.closure.nodes), found.spec["inputs"]) == ("e", ["a"], {"n": 1})
    assert found.state.nodes["a"].outputs == {"o0": 1}


@pytest.mark.parametrize(
    "prepare",
    [
        lambda world: None,
        lambda world: earlier(world, {"phase": "Failed"}),
        lambda world: earlier(world, closure_there=False),
    ],
    ids=["it is gone", "it never started", "its closure is gone"],
)
def test_there_is_nothing_to_go_on_from(world: World, prepare: Any) -> None:
    prepare(world)
    assert world.ask(AskPrevious("e")) is None


# No answer is no answer.


@pytest.mark.parametrize(
    ("path", "question"),
    [
        (paths.config_maps("ns", VALUE_NAME), AskValue("e", DIGEST)),
        (paths.config_maps("ns", names.segment_name("e", "m", 0)), AskSegments("m", "e")),
        (paths.ours("CacheEntry", "ns", ENTRY), AskCache(ENTRY, "t", near=True)),
        (paths.ours("Execution", "ns", "e"), AskPrevious("e")),
    ],
)
@pytest.mark.parametrize("answer", [refusal(0, message="no answer"), refusal(503, message="no answer")])
def test_what_is_not_answered_is_asked_again(world: World, path: str, question: Any, answer: Answer) -> None:
    world.cluster.say("GET", path, answer)
    with pytest.raises(NotReachableError, match="no answer"):
        world.ask(question)


def test_nor_is_an_earlier_run_gone_because_its_closure_could_not_be_read(world: World) -> None:
    name = earlier(world)
    world.cluster.say("GET", paths.revisions("ns", name), refusal(0, message="no answer"))
    with pytest.raises(NotReachableError, match="no answer"):
        world.ask(AskPrevious("e"))


# Whose turn it is.

ME, OTHER = Holder("e", "u1", "a"), Holder("f", "u2", "b", 3)


def mine(outcome: Outcome) -> tuple[bool, str]:
    assert isinstance(outcome, Reserved)
    return outcome.reservation.mine, outcome.reservation.message


def test_the_first_has_the_turn_and_keeps_it(world: World) -> None:
    world.track("e", "u1")
    assert mine(world.reserve(ME)) == (True, "")
    assert mine(world.reserve(ME)) == (True, "")


def test_the_second_waits_and_is_told_for_whom(world: World) -> None:
    world.track("f", "u2")
    world.reserve(OTHER)
    assert mine(world.reserve(ME)) == (
        False,
        "waits for execution f, node b, element 3, which computes this result",
    )


@pytest.mark.parametrize(
    ("uid", "phase"),
    [(None, ""), ("u9", "Running"), ("u2", "Failed"), ("u2", "Succeeded"), ("u2", "Cancelled")],
    ids=["gone", "another of that name", "failed", "succeeded", "cancelled"],
)
def test_a_turn_of_somebody_who_is_over_is_taken(world: World, uid: str | None, phase: str) -> None:
    world.reserve(OTHER)
    if uid is not None:
        world.track("f", uid, phase)
    assert mine(world.reserve(ME)) == (True, "")


@pytest.mark.parametrize(("phases", "is_over"), [("S3R1P9", False), ("S4P9", True), ("P3F1", True), ("S2", False)])
def test_a_turn_of_an_element_that_is_over_is_taken_although_its_map_goes_on(
    world: World, phases: str, is_over: bool
) -> None:
    """It gave its turn back, and nobody answered: elements with the same inputs would wait for it for ever."""
    world.reserve(OTHER)
    node = {"phase": "Running", "elements": {"total": 13, "segments": 0, "phases": phases}}
    world.store.remember_execution(execution("f", uid="u2", status={"phase": "Running", "nodes": {"b": node}}))
    assert mine(world.reserve(ME))[0] is is_over


def test_what_we_know_of_our_own_elements_counts_before_the_status_says_so(world: World) -> None:
    world.reserve(OTHER)
    told = {"phase": "Running", "elements": {"total": 4, "segments": 0, "phases": "R4"}}
    world.store.remember_execution(execution("f", uid="u2", status={"phase": "Running", "nodes": {"b": told}}))
    tracked = world.store.executions["ns", "f"]
    for phases, is_over in ((b"RRRR", False), (b"RRRS", True)):
        node = NodeState(phase=NodePhase.RUNNING, elements=Elements(bytearray(phases)))
        tracked.state = ExecutionState(nodes={"b": node})
        assert mine(world.reserve(ME))[0] is is_over


def test_a_turn_that_cannot_be_taken_is_held_back_with_the_reason(world: World) -> None:
    world.cluster.say("POST", paths.leases("ns"), refusal(403, message="no right"))
    outcome = world.reserve(ME)
    assert isinstance(outcome, Held)
    assert outcome.message == "no right"
