"""The fake cluster of the unit tests answers as a real API server does: the same scenarios, against both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from kubernetes_asyncio import client, config

from localcluster.cluster import Cluster as LocalCluster
from tests.api_server import MERGE_PATCH
from tests.unit.operator.fake_cluster import FakeCluster
from windlass_api import names
from windlass_operator.clients.cluster import (
    JSON_PATCH,
    METADATA_ONLY,
    STRATEGIC_MERGE_PATCH,
    Answer,
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


async def a_patch_or_a_delete_that_builds_on_an_old_version_fails(cluster: Cluster, space: str) -> None:
    made = await cluster.request("POST", paths.config_maps(space), config_map())
    path, version = paths.config_maps(space, "one"), made.body["metadata"]["resourceVersion"]
    patch = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "add", "path": "/data/k", "value": "w"},
    ]
    first = await cluster.request("PATCH", path, patch, content_type=JSON_PATCH)
    assert first.ok and first.body["metadata"]["resourceVersion"] != version
    again = await cluster.request("PATCH", path, patch, content_type=JSON_PATCH)
    assert (again.status, again.reason) == (422, "Invalid")
    gone = await cluster.request("DELETE", path, {"preconditions": {"resourceVersion": version}})
    assert (gone.status, gone.reason) == (409, "Conflict")
    version = first.body["metadata"]["resourceVersion"]
    assert (await cluster.request("DELETE", path, {"preconditions": {"resourceVersion": version}})).ok


async def a_merge_patch_that_builds_on_an_old_version_fails(cluster: Cluster, space: str) -> None:
    made = await cluster.request("POST", paths.config_maps(space), config_map())
    path = paths.config_maps(space, "one")

    async def patched(version: str, value: str) -> Answer:
        body = {"metadata": {"resourceVersion": version}, "data": {"k": value}}
        return await cluster.request("PATCH", path, body, content_type=MERGE_PATCH)

    first = await patched(made.body["metadata"]["resourceVersion"], "w")
    assert (first.status, first.body["data"]) == (200, {"k": "w"})
    for value in ("w", "x"):
        again = await patched(made.body["metadata"]["resourceVersion"], value)
        assert (again.status, again.reason) == (409, "Conflict")
    assert (await patched(first.body["metadata"]["resourceVersion"], "x")).ok


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


async def a_list_comes_in_pages_where_a_limit_is_given(cluster: Cluster, space: str) -> None:
    for name in ("a", "b", "c"):
        await cluster.request("POST", paths.config_maps(space), config_map(name, role="x"))
    pages: list[list[str]] = []
    token = ""
    while token or not pages:
        query = {"labelSelector": "role=x", "limit": "2", **({"continue": token} if token else {})}
        answer = await cluster.request("GET", paths.config_maps(space), query=query)
        pages.append([item["metadata"]["name"] for item in answer.body["items"]])
        token = answer.body["metadata"].get("continue") or ""
    assert pages == [["a", "b"], ["c"]]


async def what_has_changed_since_it_was_seen_is_not_deleted(cluster: Cluster, space: str) -> None:
    made = await cluster.request("POST", paths.leases(space), lease())
    path = paths.leases(space, "turn")
    change = [{"op": "replace", "path": "/spec/holderIdentity", "value": "e/other"}]
    changed = await cluster.request("PATCH", path, change, content_type=JSON_PATCH)
    assert changed.status == 200
    for seen, status in ((made, 409), (changed, 200)):
        wanted = {part: seen.body["metadata"][part] for part in ("uid", "resourceVersion")}
        assert (await cluster.request("DELETE", path, {"preconditions": wanted})).status == status
    assert (await cluster.request("GET", path)).status == 404


async def a_lease_keeps_its_holder_and_since_when(cluster: Cluster, space: str) -> None:
    made = await cluster.request("POST", paths.leases(space), lease())
    assert (made.status, made.body["spec"]) == (201, lease()["spec"])
    again = await cluster.request("POST", paths.leases(space), lease())
    assert (again.status, again.reason) == (409, "AlreadyExists")


def lease() -> Body:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "turn"},
        "spec": {"holderIdentity": "e/a", "acquireTime": "2026-11-22T19:00:00.000000Z"},
    }


async def all_namespaces_are_listed_together(cluster: Cluster, space: str) -> None:
    await cluster.request("POST", paths.config_maps(space), config_map(space=space))
    found = await cluster.request("GET", "/api/v1/configmaps", query={"labelSelector": f"space={space}"})
    assert [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in found.body["items"]] == [
        (space, "one")
    ]


async def lists_come_in_pages_of_one_moment(cluster: Cluster, space: str) -> None:
    for name in ("c", "a", "b"):
        await cluster.request("POST", paths.config_maps(space), config_map(name, role="x"))
    query = {"labelSelector": "role=x", "limit": "2"}
    first = await cluster.request("GET", paths.config_maps(space), query=query)
    assert [item["metadata"]["name"] for item in first.body["items"]] == ["a", "b"]
    await cluster.request("POST", paths.config_maps(space), config_map("d", role="x"))
    token = first.body["metadata"]["continue"]
    rest = await cluster.request("GET", paths.config_maps(space), query={**query, "continue": token})
    assert [item["metadata"]["name"] for item in rest.body["items"]] == ["c"]
    assert not rest.body["metadata"].get("continue")
    assert rest.body["metadata"]["resourceVersion"] == first.body["metadata"]["resourceVersion"]


async def what_was_made_of_an_older_version_is_refused(cluster: Cluster, space: str) -> None:
    made = (await cluster.request("POST", paths.config_maps(space), config_map())).body
    path = paths.config_maps(space, "one")
    changed = await cluster.request("PUT", path, {**made, "data": {"k": "w"}})
    assert (changed.status, changed.body["data"]) == (200, {"k": "w"})
    late = await cluster.request("PUT", path, {**made, "data": {"k": "x"}})
    assert (late.status, late.reason) == (409, "Conflict")
    assert late.message == (
        'Operation cannot be fulfilled on configmaps "one": the object has been modified; please apply your changes to '
        "the latest version and try again"
    )
    same = await cluster.request("PUT", path, changed.body)
    assert same.body["metadata"]["resourceVersion"] == changed.body["metadata"]["resourceVersion"]
    missing = await cluster.request("PUT", paths.config_maps(space, "none"), config_map("none"))
    assert (missing.status, missing.reason) == (404, "NotFound")


async def what_changes_nothing_makes_no_new_version(cluster: Cluster, space: str) -> None:
    made = await cluster.request("POST", paths.config_maps(space), config_map())
    path = paths.config_maps(space, "one")
    for body, kind in (
        ([{"op": "replace", "path": "/data/k", "value": "v"}], JSON_PATCH),
        ({"data": {"k": "v"}}, MERGE_PATCH),
        ({"data": {"gone": None}}, MERGE_PATCH),
    ):
        answer = await cluster.request("PATCH", path, body, content_type=kind)
        assert (answer.status, answer.body) == (200, made.body)


async def null_in_a_merge_patch_removes(cluster: Cluster, space: str) -> None:
    await cluster.request("POST", paths.config_maps(space), config_map("one", role="x"))
    path, patch = (
        paths.config_maps(space, "one"),
        {"metadata": {"labels": {"role": None, "a": "b"}}, "data": {"n": "m"}},
    )
    merged = await cluster.request("PATCH", path, patch, content_type=MERGE_PATCH)
    assert (merged.body["metadata"]["labels"], merged.body["data"]) == ({"a": "b"}, {"k": "v", "n": "m"})


async def a_status_has_a_door_of_its_own(cluster: Cluster, space: str) -> None:
    path = paths.ours("Execution", space, "e")
    body = {
        "apiVersion": names.API_VERSION,
        "kind": "Execution",
        "metadata": {"name": "e"},
        "spec": {"workflow": {"name": "wf"}},
        "status": {"phase": "Running"},
    }
    made = await cluster.request("POST", path.rpartition("/")[0], body)
    assert (made.status, made.body["metadata"]["generation"], "status" in made.body) == (201, 1, False)
    told = [{"op": "add", "path": "/status", "value": {"phase": "Running"}}]
    lost = await cluster.request("PATCH", path, told, content_type=JSON_PATCH)
    assert (lost.status, "status" in lost.body) == (200, False)
    spec = {"op": "add", "path": "/spec/cancel", "value": True}
    written = await cluster.request("PATCH", f"{path}/status", [spec, *told], content_type=JSON_PATCH)
    assert (written.body["spec"], written.body["status"]) == (body["spec"], body["status"])
    assert written.body["metadata"]["generation"] == 1
    changed = await cluster.request("PATCH", path, {"spec": {"cancel": True}}, content_type=MERGE_PATCH)
    assert (changed.body["metadata"]["generation"], changed.body["status"]) == (2, body["status"])
    labelled = await cluster.request("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, content_type=MERGE_PATCH)
    assert labelled.body["metadata"]["generation"] == 2
    merged = await cluster.request("PATCH", path, {"metadata": {}}, content_type=STRATEGIC_MERGE_PATCH)
    assert merged.status == 415
    replaced = await cluster.request("PUT", path, {**body, "metadata": {"name": "e"}})
    assert (replaced.status, replaced.reason) == (422, "Invalid")
    refused = await cluster.request("PATCH", f"{path}/status", [GUARD, *told], content_type=JSON_PATCH)
    assert (refused.status, refused.reason) == (422, "Invalid")


GUARD = {"op": "test", "path": "/metadata/uid", "value": "another"}


async def only_the_version_that_is_meant_is_deleted(cluster: Cluster, space: str) -> None:
    made = await cluster.request("POST", paths.config_maps(space), config_map())
    path = paths.config_maps(space, "one")
    changed = await cluster.request("PATCH", path, {"data": {"k": "w"}}, content_type=MERGE_PATCH)
    versions = [answer.body["metadata"]["resourceVersion"] for answer in (made, changed)]
    kept = await cluster.request("DELETE", path, {"preconditions": {"resourceVersion": versions[0]}})
    assert (kept.status, kept.reason) == (409, "Conflict")
    assert (await cluster.request("DELETE", path, {"preconditions": {"resourceVersion": versions[1]}})).ok


async def what_has_no_owner_left_goes_and_the_rest_forgets_who_went(cluster: Cluster, space: str) -> None:
    one, other = await make_owner(cluster, space, "a"), await make_owner(cluster, space, "b")
    for name, owners in (("lonely", [one]), ("shared", [one, other])):
        owned = {**config_map(name), "metadata": {"name": name, "ownerReferences": owners}}
        await cluster.request("POST", paths.config_maps(space), owned)
    lonely = (await cluster.request("GET", paths.config_maps(space, "lonely"))).body["metadata"]
    below = {**one, "name": "lonely", "uid": lonely["uid"]}
    owned = {**config_map("below"), "metadata": {"name": "below", "ownerReferences": [below]}}
    await cluster.request("POST", paths.config_maps(space), owned)
    await cluster.request("DELETE", paths.config_maps(space, "a"), {"propagationPolicy": "Background"})
    for name in ("lonely", "below"):
        while (await cluster.request("GET", paths.config_maps(space, name))).status != 404:
            await asyncio.sleep(0.1)  # the garbage collector comes when it comes
    while True:
        shared = await cluster.request("GET", paths.config_maps(space, "shared"))
        if [owner["name"] for owner in shared.body["metadata"]["ownerReferences"]] == ["b"]:
            break
        await asyncio.sleep(0.1)


SCENARIOS: tuple[Scenario, ...] = (
    what_is_created_is_there_once,
    a_patch_or_a_delete_that_builds_on_an_old_version_fails,
    a_merge_patch_that_builds_on_an_old_version_fails,
    what_is_not_there_is_not_found,
    owners_are_merged_by_uid,
    an_owner_is_appended_to_a_revision_and_the_same_one_not_twice,
    a_failed_test_patches_nothing,
    only_the_object_that_is_meant_is_deleted,
    lists_are_selected_by_labels,
    metadata_comes_alone_where_that_is_all_that_is_asked_for,
    a_list_comes_in_pages_where_a_limit_is_given,
    what_has_changed_since_it_was_seen_is_not_deleted,
    a_lease_keeps_its_holder_and_since_when,
    all_namespaces_are_listed_together,
    lists_come_in_pages_of_one_moment,
    what_was_made_of_an_older_version_is_refused,
    what_changes_nothing_makes_no_new_version,
    null_in_a_merge_patch_removes,
    a_status_has_a_door_of_its_own,
    only_the_version_that_is_meant_is_deleted,
    what_has_no_owner_left_goes_and_the_rest_forgets_who_went,
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
