"""Definitions: decisions that look things up, revisions, and the status of Tasks and Workflows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.operator.fake_cluster import FakeCluster, refusal
from tests.unit.operator.things import Body, definition, task
from windlass_api import names
from windlass_operator.core.plan_definition import REVISION_HISTORY
from windlass_operator.manifests.objects import code_digest
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.definitions import Definitions, Lookup, NotReachableError
from windlass_operator.reconcile.store import Store

REVISIONS = paths.revisions("ns")
CODE = paths.config_maps("ns", "code-1")


class World:
    """Definitions of a fake cluster, all in one namespace."""

    def __init__(self) -> None:
        self.cluster, self.store = FakeCluster(), Store()
        self.definitions = Definitions(self.cluster, self.store)

    def add(self, kind: str, name: str, spec: Body, **meta: Any) -> Body:
        """A definition that the cluster has and the operator knows."""
        body = definition(kind, name, spec, **meta)
        collection = paths.ours(kind, "ns", name).rpartition("/")[0]
        self.store.remember_definition(kind, self.cluster.put(collection, body))
        return body

    def revision(self, number: int, spec: Body, name: str = "t", kind: str = "Task", **labels: str) -> None:
        """A revision that was kept of a definition."""
        marks = {names.LABEL_DEFINITION: f"{kind.lower()}-{name}", **labels}
        data = {"kind": kind, "name": name, "spec": spec}
        meta = {"name": f"r{number}", "labels": marks}
        self.cluster.put(REVISIONS, {"metadata": meta, "data": data, "revision": number})

    def resolving(self, decide: Callable[[Lookup], Any]) -> Any:
        """A decision, with its look-ups."""
        return asyncio.run(self.definitions.resolving("ns", decide))

    def reconcile(self, kind: str = "Task", name: str = "t") -> Body:
        """A pass; gives the status afterwards, as the watch would tell of it."""
        asyncio.run(self.definitions.reconcile(kind, "ns", name))
        body = self.cluster.get(paths.ours(kind, "ns", name))
        assert body is not None
        self.store.remember_definition(kind, body)
        status: Body = body.get("status") or {}
        return status

    def revisions(self) -> list[str]:
        """The names of all revisions."""
        listed = asyncio.run(self.cluster.request("GET", REVISIONS)).body["items"]
        return sorted(item["metadata"]["name"] for item in listed)


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_known_is_not_asked_for(world: World) -> None:
    spec = task(version="v2")
    world.add("Task", "t", spec)
    assert world.resolving(lambda lookup: lookup.find("Task", "t", None)) == spec
    assert world.resolving(lambda lookup: lookup.find("Task", "t", "v2")) == spec
    assert world.resolving(lambda lookup: lookup.find("Task", "none", None)) is None
    assert world.resolving(lambda lookup: lookup.find("Workflow", "t", None)) is None
    assert world.cluster.requests == []


def test_a_version_is_fetched_once_and_then_it_is_decided(world: World) -> None:
    old = task(version="v1", image="old")
    world.add("Task", "t", task(version="v2"))
    world.revision(1, old, **{names.LABEL_VERSION: "v1"})
    seen: list[Any] = []

    def decide(lookup: Lookup) -> Any:
        seen.append(lookup.find("Task", "t", "v1"))
        return lookup.find("Task", "t", "v1")

    assert world.resolving(decide) == old
    assert seen == [None, old]
    assert world.cluster.requests == [("GET", REVISIONS)]


def test_a_version_that_never_was_is_asked_for_once(world: World) -> None:
    assert world.resolving(lambda lookup: lookup.find("Workflow", "wf", "v9")) is None
    assert world.cluster.requests == [("GET", REVISIONS)]


def test_of_revisions_with_one_version_the_newest_counts(world: World) -> None:
    version = {names.LABEL_VERSION: "v1"}
    for number in (9, 10, 2):
        world.revision(number, task(version="v1", image=f"i{number}"), **version)
    found = world.resolving(lambda lookup: lookup.find("Task", "t", "v1"))
    assert found["image"] == "i10"


@pytest.mark.parametrize(
    ("kind", "name", "version"),
    [("Workflow", "t", "v1"), ("Task", "other", "v1"), ("Task", "t", "v2")],
    ids=["another kind", "another name", "another version, of the same label"],
)
def test_a_revision_of_something_else_does_not_count(world: World, kind: str, name: str, version: str) -> None:
    data = {"kind": kind, "name": name, "spec": task(version=version)}
    labels = {names.LABEL_DEFINITION: "task-t", names.LABEL_VERSION: "v1"}
    world.cluster.put(REVISIONS, {"metadata": {"name": "r1", "labels": labels}, "data": data, "revision": 1})
    assert world.resolving(lambda lookup: lookup.find("Task", "t", "v1")) is None


def test_what_one_answer_asks_for_is_fetched_too(world: World) -> None:
    """A version of a workflow leads to a version of a task, and that to its code."""
    world.revision(1, {"version": "v1", "uses": "t"}, "wf", "Workflow", **{names.LABEL_VERSION: "v1"})
    world.revision(2, task(version="v7", image="code-1"), **{names.LABEL_VERSION: "v7"})
    world.cluster.put(
        paths.config_maps("ns"), {"metadata": {"name": "code-1"}, "binaryData": {"bundle.tar.gz": "AA=="}}
    )

    def decide(lookup: Lookup) -> str | None:
        workflow = lookup.find("Workflow", "wf", "v1")
        found = lookup.find("Task", workflow["uses"], "v7") if workflow else None
        return lookup.code(found["image"]) if found else None

    assert world.resolving(decide) == code_digest({"binaryData": {"bundle.tar.gz": "AA=="}})


def code(world: World) -> Any:
    return world.resolving(lambda lookup: lookup.code("code-1"))


def bundle(world: World, data: str) -> None:
    world.cluster.put(paths.config_maps("ns"), {"metadata": {"name": "code-1", "uid": "c"}, "data": {"k": data}})


def test_code_is_read_whole_only_when_it_has_changed(world: World) -> None:
    bundle(world, "one")
    first = code(world)
    assert world.cluster.requests == [("GET", CODE), ("GET", CODE)]
    assert code(world) == first
    assert len(world.cluster.requests) == 3, "its metadata only"
    bundle(world, "two")
    assert code(world) not in (first, None)
    assert len(world.cluster.requests) == 5


def test_code_that_is_not_there_has_no_hash(world: World) -> None:
    assert code(world) is None
    assert world.cluster.requests == [("GET", CODE)]


@pytest.mark.parametrize(
    ("path", "ask"),
    [(REVISIONS, lambda lookup: lookup.find("Task", "t", "v1")), (CODE, lambda lookup: lookup.code("code-1"))],
    ids=["revisions", "code"],
)
def test_what_cannot_be_fetched_is_no_decision(world: World, path: str, ask: Any) -> None:
    world.cluster.say("GET", path, *[refusal(0, message="no answer")] * 2)
    with pytest.raises(NotReachableError, match="no answer"):
        world.resolving(ask)


def test_a_definition_gets_a_revision_and_a_verdict(world: World) -> None:
    body = world.add("Task", "t", task(version="v1"), generation=4)
    status = world.reconcile()
    ready = status["conditions"][0]
    assert (ready["type"], ready["status"], ready["reason"], status["observedGeneration"]) == (
        "Ready",
        "True",
        "Valid",
        4,
    )
    revision = world.cluster.get(paths.revisions("ns", status["revision"]))
    assert revision is not None
    assert revision["data"] == {"kind": "Task", "name": "t", "spec": body["spec"]}
    assert revision["revision"] == 4
    assert revision["metadata"]["labels"][names.LABEL_VERSION] == "v1"
    assert revision["metadata"]["ownerReferences"][0]["uid"] == body["metadata"]["uid"]


def test_a_second_pass_writes_nothing(world: World) -> None:
    world.add("Task", "t", task())
    world.reconcile()
    before = len(world.cluster.requests)
    world.reconcile()
    assert len(world.cluster.requests) == before


def test_what_is_wrong_with_a_workflow_is_told_and_heals(world: World) -> None:
    world.add("Workflow", "wf", {"inputs": {}, "nodes": [{"id": "a", "task": {"name": "t"}}], "outputs": {}})
    ready = world.reconcile("Workflow", "wf")["conditions"][0]
    assert (ready["status"], ready["reason"]) == ("False", "TaskNotFound")
    assert ready["message"].startswith("spec.nodes[0].task")
    world.add("Task", "t", task())
    assert world.reconcile("Workflow", "wf")["conditions"][0]["status"] == "True"


def test_of_many_problems_the_first_five_are_told(world: World) -> None:
    world.add("Task", "t", task({f"i{n}": {"type": "nonsense"} for n in range(7)}))
    ready = world.reconcile()["conditions"][0]
    assert ready["message"].count("spec.inputs") == 5
    assert ready["message"].endswith("; and 2 more")


def test_only_so_many_revisions_without_a_version_are_kept(world: World) -> None:
    for number in range(REVISION_HISTORY + 3):
        world.revision(number, task(image=f"i{number}"))
    world.revision(99, task(version="v1"), **{names.LABEL_VERSION: "v1"})
    world.add("Task", "t", task(image="new"), generation=50)
    status = world.reconcile()
    kept = {f"r{number}" for number in range(4, REVISION_HISTORY + 3)} | {"r99", status["revision"]}
    assert set(world.revisions()) == kept


def test_a_revision_that_is_there_already_is_as_good_as_written(world: World) -> None:
    world.add("Task", "t", task())
    name = world.reconcile()["revision"]
    world.add("Task", "t", task())
    assert world.reconcile()["revision"] == name
    assert world.revisions() == [name]


@pytest.mark.parametrize("deleting", [True, False])
def test_a_definition_that_is_gone_or_going_gets_nothing(world: World, deleting: bool) -> None:
    if deleting:
        body = definition("Task", "t", task())
        body["metadata"]["deletionTimestamp"] = "2026-11-22T19:00:00Z"
        world.store.remember_definition("Task", body)
    asyncio.run(world.definitions.reconcile("Task", "ns", "t"))
    assert world.cluster.requests == []


def test_the_status_of_another_object_of_that_name_is_left_alone(world: World) -> None:
    world.add("Task", "t", task())
    world.cluster.put("/apis/windlass.dev/v1alpha1/namespaces/ns/tasks", definition("Task", "t", task(), uid="d2"))
    asyncio.run(world.definitions.reconcile("Task", "ns", "t"))
    body = world.cluster.get(paths.ours("Task", "ns", "t"))
    assert body is not None
    assert "status" not in body


@pytest.mark.parametrize("status", [0, 409, 500])
def test_a_status_that_was_not_taken_is_written_again_later(world: World, status: int) -> None:
    world.add("Task", "t", task())
    world.cluster.say("PATCH", f"{paths.ours('Task', 'ns', 't')}/status", refusal(status, message="try again"))
    with pytest.raises(NotReachableError, match="try again"):
        world.reconcile()
    assert world.reconcile()["conditions"][0]["status"] == "True"


# PodTemplates


def test_a_pod_template_is_what_it_says_about_pods_and_nothing_else(world: World) -> None:
    assert world.resolving(lambda lookup: lookup.pod_template("base")) is None
    meta = {"creationTimestamp": None, "labels": {"team": "data"}, "name": "x"}
    body = {"metadata": {"name": "base"}, "template": {"metadata": meta, "spec": {"hostname": "h"}}}
    world.cluster.put("/api/v1/namespaces/ns/podtemplates", body)
    found = world.resolving(lambda lookup: lookup.pod_template("base"))
    assert found == {"metadata": {"labels": {"team": "data"}}, "spec": {"hostname": "h"}}
