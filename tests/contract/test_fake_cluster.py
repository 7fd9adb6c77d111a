"""The fake cluster of the unit tests answers as a real API server does: the same scenarios, against both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from kubernetes_asyncio import client, config

from localcluster.cluster import Cluster as LocalCluster
from tests.unit.operator.fake_cluster import FakeCluster
from windlass_operator.clients.cluster import (
    JSON_PATCH,
    METADATA_ONLY,
    STRATEGIC_MERGE_PATCH,
    Cluster,
    KubernetesCluster,
)
from windlass_operator.reconcile import paths

pytestmark = pytest.mark.control_plane

Body = dict[str, Any]
Scenario = Callable[[Cluster, str], Coroutine[Any, Any, None]]


def config_map(name: str = "one", **labels: str) -> Body:
    meta = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"k": "v"}}


async def make_owner(cluster: Cluster, space: str, name: str) -> Body:
    """A reference to an owner that exists: what only others own is collected."""
    made = await cluster.request("POST", paths.config_maps(space), config_map(name))
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": made.body["metadata"]["uid"]}


async def what_is_created_is_there_once(cluster: Cluster, space: str) -> None:
    made = await cluster.request("POST", paths.config_maps(space), config_map())
    assert (made.status, made.ok, made.body["metadata"]["namespace"]) == (201, True, space)
    assert made.body["metadata"]["uid"]
    again = await cluster.request("POST", paths.config_maps(space), config_map())
    assert (again.status, again.ok, again.reason) == (409, False, "AlreadyExists")
    assert again.message == 'configmaps "one" already exists'
    read = await cluster.request("GET", paths.config_maps(space, "one"))
    assert (read.status, read.body["data"], read.body["metadata"]) == (200, {"k": "v"}, made.body["metadata"])


async def what_is_not_there_is_not_found(cluster: Cluster, space: str) -> None:
    path = paths.config_maps(space, "none")
    for answer in (
        await cluster.request("GET", path),
        await cluster.request("GET", path, accept=METADATA_ONLY),
        await cluster.request("DELETE", path, {}),
        await cluster.request("DELETE", path, {"preconditions": {"uid": "u"}}),
        await cluster.request("PATCH", path, [{"op": "add", "path": "/data", "value": {}}], content_type=JSON_PATCH),
        await cluster.request("PATCH", path, {"metadata": {"ownerReferences": []}}, content_type=STRATEGIC_MERGE_PATCH),
    ):
        assert (answer.status, answer.reason, answer.message) == (404, "NotFound", 'configmaps "none" not found')


async def owners_are_merged_by_uid(cluster: Cluster, space: str) -> None:
    one, other = await make_owner(cluster, space, "a"), await make_owner(cluster, space, "b")
    owned = {**config_map(), "metadata": {"name": "one", "ownerReferences": [one]}}
    made = await cluster.request("POST", paths.config_maps(space), owned)
    for added in (other, one, {**other, "controller": True}):
        patched = await cluster.request(
            "PATCH",
            paths.config_maps(space, "one"),
            {"metadata": {"ownerReferences": [added]}},
            content_type=STRATEGIC_MERGE_PATCH,
        )
        assert patched.status == 200
    owners = {owner["name"]: owner.get("controller", False) for owner in patched.body["metadata"]["ownerReferences"]}
    assert owners == {"a": False, "b": True}
    assert patched.body["data"] == {"k": "v"}
    assert int(patched.body["metadata"]["resourceVersion"]) > int(made.body["metadata"]["resourceVersion"])


async def an_owner_is_appended_to_a_revision_and_the_same_one_not_twice(cluster: Cluster, space: str) -> None:
    one, other = await make_owner(cluster, space, "a"), await make_owner(cluster, space, "b")
    revision = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "r", "ownerReferences": [one]},
        "data": {"z": 1, "a": {"c": None, "b": [2]}},
        "revision": 1,
    }
    await cluster.request("POST", paths.revisions(space), revision)
    for added in (other, other, one):
        body = [{"op": "add", "path": "/metadata/ownerReferences/-", "value": added}]
        answer = await cluster.request("PATCH", paths.revisions(space, "r"), body, content_type=JSON_PATCH)
        assert answer.status == 200, answer.message
    assert [owner["name"] for owner in answer.body["metadata"]["ownerReferences"]] == ["a", "b"]
    assert answer.body["data"] == revision["data"]


async def a_failed_test_patches_nothing(cluster: Cluster, space: str) -> None:
    made = await cluster.request("POST", paths.config_maps(space), config_map())
    guard = {"op": "test", "path": "/metadata/uid", "value": "another"}
    change = {"op": "add", "path": "/data/new", "value": "x"}
    path = paths.config_maps(space, "one")
    refused = await cluster.request("PATCH", path, [guard, change], content_type=JSON_PATCH)
    assert (refused.status, refused.reason) == (422, "Invalid")
    nowhere = {"op": "add", "path": "/nothing/here", "value": "x"}
    assert (await cluster.request("PATCH", path, [nowhere], content_type=JSON_PATCH)).status == 422
    assert (await cluster.request("GET", path)).body["data"] == {"k": "v"}
    guard["value"] = made.body["metadata"]["uid"]
    taken = await cluster.request("PATCH", path, [guard, change], content_type=JSON_PATCH)
    assert (taken.status, taken.body["data"]) == (200, {"k": "v", "new": "x"})


async def only_the_object_that_is_meant_is_deleted(cluster: Cluster, space: str) -> None:
    made = await cluster.request("POST", paths.config_maps(space), config_map())
    path = paths.config_maps(space, "one")
    kept = await cluster.request("DELETE", path, {"preconditions": {"uid": "another"}})
    assert (kept.status, kept.reason) == (409, "Conflict")
    gone = await cluster.request("DELETE", path, {"preconditions": {"uid": made.body["metadata"]["uid"]}})
    assert gone.ok
    assert (await cluster.request("GET", path)).status == 404


async def lists_are_selected_by_labels(cluster: Cluster, space: str) -> None:
    for one in (config_map("a", role="x"), config_map("b", role="x", version="1"), config_map("c", role="y")):
        await cluster.request("POST", paths.config_maps(space), one)

    async def found(selector: str) -> list[str]:
        answer = await cluster.request("GET", paths.config_maps(space), query={"labelSelector": selector})
        assert int(answer.body["metadata"]["resourceVersion"]) > 0
        return sorted(item["metadata"]["name"] for item in answer.body["items"])

    assert await found("role=x") == ["a", "b"]
    assert await found("role=x,!version") == ["a"]
    assert await found("role,version=1") == ["b"]
    assert await found("role=z") == []


async def metadata_comes_alone_where_that_is_all_that_is_asked_for(cluster: Cluster, space: str) -> None:
    made = await cluster.request("POST", paths.config_maps(space), config_map())
    path = paths.config_maps(space, "one")
    read = await cluster.request("GET", path, accept=METADATA_ONLY)
    assert read.body["metadata"]["resourceVersion"] == made.body["metadata"]["resourceVersion"]
    change = [{"op": "add", "path": "/data/new", "value": "x"}]
    changed = await cluster.request("PATCH", path, change, content_type=JSON_PATCH, accept=METADATA_ONLY)
    other = await cluster.request("POST", paths.config_maps(space), config_map("two"), accept=METADATA_ONLY)
    assert (other.status, other.body["metadata"]["name"]) == (201, "two")
    assert changed.body["metadata"]["uid"] == read.body["metadata"]["uid"] == made.body["metadata"]["uid"]
    assert not any("data" in answer.body for answer in (read, changed, other))
    taken = await cluster.request("POST", paths.config_maps(space), config_map("two"), accept=METADATA_ONLY)
    assert (taken.status, taken.reason) == (409, "AlreadyExists")


SCENARIOS: tuple[Scenario, ...] = (
    what_is_created_is_there_once,
    what_is_not_there_is_not_found,
    owners_are_merged_by_uid,
    an_owner_is_appended_to_a_revision_and_the_same_one_not_twice,
    a_failed_test_patches_nothing,
    only_the_object_that_is_meant_is_deleted,
    lists_are_selected_by_labels,
    metadata_comes_alone_where_that_is_all_that_is_asked_for,
)
sentences = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.__name__.replace("_", " "))


@sentences
def test_in_memory(scenario: Scenario) -> None:
    asyncio.run(scenario(FakeCluster(), "ns"))


@sentences
def test_on_a_real_api_server(
    scenario: Scenario, control_plane: LocalCluster, new_namespace: Callable[[LocalCluster], str]
) -> None:
    space = new_namespace(control_plane)
    asked: list[tuple[str, str, int]] = []

    async def play() -> None:
        configuration = client.Configuration()
        await config.load_kube_config(str(control_plane.kubeconfig), client_configuration=configuration)
        cluster = KubernetesCluster(configuration, lambda method, path, status: asked.append((method, path, status)))
        try:
            await scenario(cluster, space)
        finally:
            await cluster.close()

    asyncio.run(play())
    assert all(status > 0 for _, _, status in asked)
    assert asked
