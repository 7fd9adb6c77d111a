"""Closures as objects: made when they are needed, owned by those who use them, found again after a restart."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.operator.fake_cluster import FakeCluster, refusal
from tests.unit.operator.things import Body, execution, task
from windlass_api import names
from windlass_operator.core.actions import Done, Held, Outcome, Rejected, Unavailable
from windlass_operator.core.closure import Closure, compile_closure, load
from windlass_operator.manifests.objects import code_digest
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.closures import ClosureKeeper
from windlass_operator.reconcile.store import Store

BUNDLE = {"binaryData": {"bundle.tar.gz": "AA=="}}
SOURCE = {"metadata": {"name": "code-1"}, **BUNDLE}
MAPS = paths.config_maps("ns")


class World:
    """A keeper of a fake cluster, which has one Task with code, and Executions e0, e1, …"""

    def __init__(self, executions: int = 3) -> None:
        self.cluster = FakeCluster()
        self.cluster.put(MAPS, SOURCE)
        spec = task(python={"entrypoint": "m:f", "code": {"configMap": "code-1"}})
        workflow = {"inputs": {}, "nodes": [{"id": "a", "task": {"name": "t"}}], "outputs": {}}
        document = compile_closure(workflow, lambda *_: spec, lambda _: code_digest(BUNDLE))
        self.closure = load(document)
        self.revision = paths.revisions("ns", self.closure.name)
        self.copy = paths.config_maps("ns", self.closure.code["code-1"])
        self.restart(executions)

    def restart(self, executions: int = 3) -> None:
        """A fresh operator: it knows the Executions, and no closures yet."""
        self.store = Store()
        for number in range(executions):
            body = execution(f"e{number}", uid=f"u{number}", status={"closure": self.closure.hash})
            self.store.remember_execution(body)
        self.keeper = ClosureKeeper(self.cluster, self.store)

    def pin(self, number: int = 0) -> Outcome:
        """An Execution is admitted."""
        return asyncio.run(self.keeper.pin("ns", f"e{number}", f"u{number}", self.closure))

    def keep(self, number: int = 0) -> Outcome:
        """An Execution is looked at again."""
        return asyncio.run(self.keeper.keep("ns", f"e{number}", f"u{number}", self.closure))

    def find(self) -> Closure | Outcome:
        """What an Execution was pinned to before."""
        return asyncio.run(self.keeper.find("ns", self.closure.hash))

    def owners(self, path: str) -> list[str]:
        """The uids of the owners of an object."""
        body = self.cluster.get(path)
        assert body is not None
        return [owner["uid"] for owner in body["metadata"]["ownerReferences"]]

    def asked(self) -> int:
        """How many requests there were since it was last asked."""
        count = len(self.cluster.requests)
        self.cluster.requests.clear()
        return count


@pytest.fixture
def world() -> World:
    return World()


def body_of(world: World, path: str) -> Body:
    found = world.cluster.get(path)
    assert found is not None
    return found


def test_a_closure_is_made_with_a_copy_of_its_code_that_goes_with_it(world: World) -> None:
    assert world.pin() == Done()
    revision, copy = body_of(world, world.revision), body_of(world, world.copy)
    assert revision["data"] == world.closure.document
    assert revision["metadata"]["labels"][names.LABEL_ROLE] == "closure"
    assert world.owners(world.revision) == ["u0"]
    assert (copy["binaryData"], copy["immutable"]) == (BUNDLE["binaryData"], True)
    assert world.owners(world.copy) == [revision["metadata"]["uid"]]


def test_each_execution_that_uses_it_owns_it(world: World) -> None:
    for number in (0, 1, 0, 1):
        assert world.pin(number) == Done()
    assert world.owners(world.revision) == ["u0", "u1"]
    assert len(world.owners(world.copy)) == 1


def test_who_owns_it_already_asks_for_nothing(world: World) -> None:
    world.pin()
    world.asked()
    assert world.pin() == Done()
    assert world.keep() == Done()
    assert world.asked() == 0


def test_it_has_sixteen_owners_at_most(world: World) -> None:
    world.restart(18)
    for number in range(18):
        assert world.pin(number) == Done()
    assert world.owners(world.revision) == [f"u{number}" for number in range(16)]
    world.asked()
    world.pin(17)
    assert world.asked() == 0


def test_when_the_last_owner_went_another_takes_over(world: World) -> None:
    world.pin(0)
    world.keep(1)
    assert world.owners(world.revision) == ["u0"]
    woken = world.store.forget_execution(execution("e0", uid="u0"))
    assert woken == [("Execution", "ns", "e1"), ("Execution", "ns", "e2")]
    assert world.keep(1) == Done()
    assert world.owners(world.revision) == ["u0", "u1"]
    world.asked()
    assert world.keep(2) == Done()
    assert world.asked() == 0


def test_a_closure_that_was_collected_is_made_again(world: World) -> None:
    world.pin(0)
    world.store.forget_execution(execution("e0", uid="u0"))
    world.cluster.drop(world.revision)
    world.cluster.drop(world.copy)
    assert world.keep(1) == Done()
    assert world.owners(world.revision) == ["u1"]
    assert body_of(world, world.copy)["binaryData"] == BUNDLE["binaryData"]


def test_after_a_restart_it_is_found_by_its_hash_and_read_once(world: World) -> None:
    world.pin()
    world.restart()
    world.asked()
    found = world.find()
    assert isinstance(found, Closure)
    assert found.hash == world.closure.hash
    assert world.find() is found
    assert world.asked() == 1
    assert world.store.closures["ns", found.hash].owners == {"u0"}


def test_owners_that_are_gone_do_not_count_after_a_restart(world: World) -> None:
    world.pin(2)
    world.restart(2)
    world.find()
    assert world.store.closures["ns", world.closure.hash].owners == set()
    assert world.keep(0) == Done()
    assert world.owners(world.revision) == ["u2", "u0"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, Held), (0, Unavailable), (403, Unavailable), (500, Unavailable)],
)
def test_a_closure_that_is_not_there_is_lost_but_one_that_cannot_be_read_is_not(
    world: World, status: int, expected: type
) -> None:
    world.cluster.say("GET", world.revision, refusal(status, message="why"))
    found = world.find()
    assert isinstance(found, expected)
    if isinstance(found, Held):
        assert found.reason == "ClosureLost"
        assert world.closure.name in found.message


def test_code_that_changed_between_looking_and_pinning_is_not_taken(world: World) -> None:
    world.cluster.put(MAPS, {**SOURCE, "binaryData": {"bundle.tar.gz": "BB=="}})
    outcome = world.pin()
    assert outcome == Unavailable("the ConfigMap 'code-1' has changed just now")
    assert world.cluster.get(world.copy) is None
    assert world.store.closures == {}


def test_a_copy_that_is_there_already_needs_its_source_no_longer(world: World) -> None:
    world.pin()
    world.restart()
    world.cluster.drop(paths.config_maps("ns", "code-1"))
    assert world.pin(1) == Done()
    assert world.owners(world.revision) == ["u0", "u1"]


@pytest.mark.parametrize(
    ("method", "path", "answer", "expected"),
    [
        ("POST", paths.revisions("ns"), refusal(403, message="exceeded quota"), Held),
        ("POST", paths.revisions("ns"), refusal(413, message="too large"), Rejected),
        ("POST", paths.revisions("ns"), refusal(0, message="no answer"), Unavailable),
        ("POST", MAPS, refusal(403, message="exceeded quota"), Held),
        ("GET", paths.config_maps("ns", "code-1"), refusal(404), Held),
    ],
    ids=["quota", "too large", "no answer", "quota of ConfigMaps", "its code went"],
)
def test_what_stands_in_the_way_is_told_and_it_is_tried_again(
    world: World, method: str, path: str, answer: Any, expected: type
) -> None:
    world.cluster.say(method, path, answer)
    assert isinstance(world.pin(), expected)
    assert world.store.closures == {}, "what isn't whole isn't remembered"
    assert world.pin() == Done()
    assert world.cluster.get(world.copy) is not None


def test_two_that_pin_at_the_same_time_both_own_it(world: World) -> None:
    async def both() -> list[Outcome]:
        keepers = (ClosureKeeper(world.cluster, Store()) for _ in range(2))
        pins = (one.pin("ns", f"e{number}", f"u{number}", world.closure) for number, one in enumerate(keepers))
        return list(await asyncio.gather(*pins))

    assert asyncio.run(both()) == [Done(), Done()]
    assert sorted(world.owners(world.revision)) == ["u0", "u1"]
