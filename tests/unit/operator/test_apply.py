"""Actions → requests → outcomes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.operator.fake_cluster import FakeCluster, refusal
from tests.unit.operator.things import Body, execution, pod
from windlass_operator.clients.cluster import Answer
from windlass_operator.core.actions import (
    Action,
    CreatePod,
    CreateValue,
    DeletePod,
    Done,
    Held,
    Outcome,
    Rejected,
    Unavailable,
)
from windlass_operator.core.observed import ExecutionState
from windlass_operator.core.plan_execution import Plan
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.apply import Applier, outcome_of
from windlass_operator.reconcile.store import Store

POD = paths.pods("ns", "e-a-0")
VALUE = paths.config_maps("ns", "e-value-1")


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (200, "", Done()),
        (201, "", Done()),
        (403, 'pods "e" is forbidden: exceeded quota: compute', Held("QuotaExceeded", "")),
        (403, 'violates PodSecurity "restricted:latest": hostPath', Rejected("PodSecurity", "")),
        (403, "because it is being terminated", Unavailable("")),
        (403, "cannot create resource pods", Held("Forbidden", "")),
        (400, "bad", Rejected("InvalidPod", "")),
        (413, "Request entity too large", Rejected("InvalidPod", "")),
        (422, "spec.containers[0].image: Required value", Rejected("InvalidPod", "")),
        (404, "namespaces not found", Unavailable("")),
        (409, "try again", Unavailable("")),
        (429, "too many requests", Unavailable("")),
        (500, "etcdserver: timeout", Unavailable("")),
        (0, "no answer from the API server", Unavailable("")),
    ],
)
def test_an_answer_means(status: int, message: str, expected: Outcome) -> None:
    outcome = outcome_of(refusal(status, message=message))
    assert type(outcome) is type(expected)
    if isinstance(outcome, Held | Rejected) and isinstance(expected, Held | Rejected):
        assert (outcome.reason, outcome.message) == (expected.reason, message)
    if isinstance(outcome, Unavailable):
        assert outcome.message == message


def manifest(name: str, owner: str = "u1", **labels: str) -> Body:
    meta = {"name": name, "ownerReferences": [{"kind": "Execution", "name": "e", "uid": owner}]}
    return {"metadata": {**meta, "labels": labels}}


def create(attempt: int = 0) -> CreatePod:
    body = pod(attempt=attempt)
    return CreatePod("a", attempt, body["metadata"]["name"], body)


CREATE, DELETE = create(), DeletePod("a", "e-a-0")
MAKE = CreateValue("e-value-1", manifest("e-value-1"))


def applied(
    cluster: FakeCluster, *actions: Action, before: tuple[CreateValue, ...] = (), store: Store | None = None
) -> Any:
    kept = store or Store()
    plan = Plan(ExecutionState(), before=before, actions=actions)
    return asyncio.run(Applier(cluster, kept).apply("ns", "e", "u1", plan))


def test_a_pod_that_was_made_is_known_at_once() -> None:
    cluster, store = FakeCluster(), Store()
    store.remember_execution(execution())
    assert applied(cluster, CREATE, store=store) == {CREATE: Done()}
    assert cluster.get(POD) is not None
    assert list(store.views("ns", "e", "u1")) == [("a", 0)]


def test_a_pod_of_ours_that_is_there_already_is_as_good_as_made() -> None:
    cluster, store = FakeCluster(), Store()
    cluster.put(paths.pods("ns"), pod())
    assert applied(cluster, CREATE, store=store) == {CREATE: Done()}
    assert list(store.views("ns", "e", "u1")) == [("a", 0)]


@pytest.mark.parametrize("owner", ["u0", None])
def test_a_pod_of_somebody_else_is_waited_for_to_go(owner: str | None) -> None:
    cluster, store = FakeCluster(), Store()
    other = pod(owner=owner or "")
    if owner is None:
        del other["metadata"]["ownerReferences"]
    cluster.put(paths.pods("ns"), other)
    outcome = applied(cluster, CREATE, store=store)[CREATE]
    assert isinstance(outcome, Held)
    assert (outcome.reason, "pod e-a-0 exists and belongs to something else" in outcome.message) == ("NameTaken", True)
    assert store.pods == {}


def test_a_pod_that_went_between_two_requests_is_looked_for_again() -> None:
    cluster = FakeCluster()
    cluster.say("POST", paths.pods("ns"), refusal(409, "AlreadyExists", "there"))
    assert isinstance(applied(cluster, CREATE)[CREATE], Unavailable)


def test_a_pod_that_is_refused_is_not_known() -> None:
    cluster, store = FakeCluster(), Store()
    cluster.say("POST", paths.pods("ns"), refusal(422, "Invalid", "spec.containers: wrong"))
    assert applied(cluster, CREATE, store=store) == {CREATE: Rejected("InvalidPod", "spec.containers: wrong")}
    assert store.pods == {}


def test_values_come_before_the_pods_that_mount_them() -> None:
    cluster = FakeCluster()
    assert applied(cluster, CREATE, create(1), before=(MAKE,)) == {CREATE: Done(), create(1): Done()}
    assert cluster.requests[0] == ("POST", paths.config_maps("ns"))
    assert [path for _, path in cluster.requests[1:]] == [paths.pods("ns")] * 2


def test_a_value_of_ours_that_is_there_already_is_as_good_as_made() -> None:
    cluster = FakeCluster()
    cluster.put(paths.config_maps("ns"), manifest("e-value-1"))
    assert applied(cluster, CREATE, before=(MAKE,)) == {CREATE: Done()}


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (lambda cluster: cluster.put(paths.config_maps("ns"), manifest("e-value-1", owner="u0")), Held),
        (lambda cluster: cluster.say("POST", paths.config_maps("ns"), refusal(403, message="exceeded quota")), Held),
        (lambda cluster: cluster.say("POST", paths.config_maps("ns"), refusal(0)), Unavailable),
        (lambda cluster: cluster.say("POST", paths.config_maps("ns"), refusal(413)), Rejected),
    ],
    ids=["another's", "quota", "no answer", "too large"],
)
def test_without_its_value_no_pod_is_made_but_others_are_deleted_all_the_same(prepare: Any, expected: type) -> None:
    cluster = FakeCluster()
    other = cluster.put(paths.pods("ns"), pod(node="b"))
    prepare(cluster)
    delete = DeletePod("b", other["metadata"]["name"])
    outcomes = applied(cluster, CREATE, delete, before=(MAKE,))
    assert isinstance(outcomes[CREATE], expected)
    assert outcomes[delete] == Done()
    assert cluster.get(POD) is None
    assert cluster.get(paths.pods("ns", "e-b-0")) is None


def test_only_the_pod_that_was_seen_is_deleted() -> None:
    cluster, store = FakeCluster(), Store()
    store.remember_pod(pod(uid="seen"))
    cluster.put(paths.pods("ns"), pod(uid="another"))
    assert applied(cluster, DELETE, store=store) == {DELETE: Done()}
    assert cluster.get(POD) is not None
    assert cluster.bodies == [{"preconditions": {"uid": "seen"}}]
    assert store.views("ns", "e", "u1")["a", 0].deleting


@pytest.mark.parametrize(
    ("answer", "expected", "marked"),
    [
        (None, Done, True),
        (refusal(404, "NotFound"), Done, True),
        (refusal(409, "Conflict"), Done, True),
        (refusal(403, message="no"), Held, False),
        (refusal(0), Unavailable, False),
        (refusal(500), Unavailable, False),
    ],
    ids=["deleted", "gone already", "another one by now", "forbidden", "no answer", "an error"],
)
def test_a_pod_is_not_asked_to_go_twice(answer: Answer | None, expected: type, marked: bool) -> None:
    cluster, store = FakeCluster(), Store()
    made = cluster.put(paths.pods("ns"), pod())
    store.remember_pod(made)
    if answer is not None:
        cluster.say("DELETE", POD, answer)
    assert isinstance(applied(cluster, DELETE, store=store)[DELETE], expected)
    assert store.views("ns", "e", "u1")["a", 0].deleting is marked


def test_many_are_made_at_once_but_not_all() -> None:
    cluster = FakeCluster()
    under_way, most = 0, 0

    class Counting(FakeCluster):
        async def request(self, *args: Any, **kwargs: Any) -> Answer:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            answer = await cluster.request(*args, **kwargs)
            under_way -= 1
            return answer

    actions = [create(attempt) for attempt in range(50)]
    outcomes = applied(Counting(), *actions)
    assert len(outcomes) == 50
    assert 1 < most <= 16
