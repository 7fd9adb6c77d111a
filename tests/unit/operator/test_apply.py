"""Actions → requests → outcomes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.operator.fake_cluster import FakeCluster, refusal
from tests.unit.operator.things import Body, execution, pod
from windlass_api import names
from windlass_operator.clients.cluster import Answer
from windlass_operator.core.actions import (
    Action,
    Conflict,
    CreateExecution,
    CreatePod,
    CreateSignal,
    CreateValue,
    DeleteExecution,
    DeletePod,
    Done,
    Held,
    LookUp,
    MarkSignal,
    Outcome,
    Rejected,
    Release,
    SaveValue,
    StoreEntry,
    TellExecution,
    Unavailable,
    Version,
    WriteSegment,
)
from windlass_operator.core.caching import Holder
from windlass_operator.core.observed import ALONE, AskCache, AskValue, ExecutionState, Place
from windlass_operator.core.plan_execution import Plan
from windlass_operator.core.segments import manifest as segment_manifest
from windlass_operator.dispatch.dispatcher import Dispatcher
from windlass_operator.manifests.caching import cache_entry, lease as lease_manifest
from windlass_operator.manifests.execution import child_execution, dynamic_revision
from windlass_operator.manifests.objects import owner_reference
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.answers import outcome_of
from windlass_operator.reconcile.apply import Applier
from windlass_operator.reconcile.caching import CacheKeeper
from windlass_operator.reconcile.closures import ClosureKeeper
from windlass_operator.reconcile.lookups import Lookups
from windlass_operator.reconcile.store import Key, Store

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
    meta = {"name": name, "namespace": "ns", "ownerReferences": [{"kind": "Execution", "name": "e", "uid": owner}]}
    return {"metadata": {**meta, "labels": labels}}


def create(attempt: int = 0, *values: str) -> CreatePod:
    body = pod(attempt=attempt)
    return CreatePod("a", attempt, body["metadata"]["name"], body, values=values)


CREATE, DELETE = create(), DeletePod("a", "e-a-0")
MAKE = CreateValue("e-value-1", manifest("e-value-1"))


def applied(
    cluster: FakeCluster,
    *actions: Action,
    before: tuple[CreateValue, ...] = (),
    store: Store | None = None,
    news: list[Key | None] | None = None,
) -> Any:
    kept, news = store or Store(), [] if news is None else news
    plan = Plan(ExecutionState(), before=before, actions=actions)
    lookups = Lookups(cluster, kept, ClosureKeeper(cluster, kept), CacheKeeper(cluster))
    return asyncio.run(
        Applier(cluster, kept, lookups, Dispatcher(lambda: 0.0, lambda *_: None), news.append).apply(
            "ns", "e", "u1", plan
        )
    )


def test_a_pod_that_was_made_is_known_at_once() -> None:
    cluster, store = FakeCluster(), Store()
    store.remember_execution(execution())
    assert applied(cluster, CREATE, store=store) == {CREATE: Done()}
    assert cluster.get(POD) is not None
    assert list(store.views("ns", "e", "u1")) == [Place("a", 0)]


def test_a_pod_of_ours_that_is_there_already_is_as_good_as_made() -> None:
    cluster, store = FakeCluster(), Store()
    cluster.put(paths.pods("ns"), pod())
    assert applied(cluster, CREATE, store=store) == {CREATE: Done()}
    assert list(store.views("ns", "e", "u1")) == [Place("a", 0)]


@pytest.mark.parametrize("owner", ["u0", None])
def test_a_pod_of_somebody_else_is_waited_for_to_go(owner: str | None) -> None:
    cluster, store = FakeCluster(), Store()
    other = pod(owner=owner or "")
    if owner is None:
        del other["metadata"]["ownerReferences"]
    cluster.put(paths.pods("ns"), other)
    outcome = applied(cluster, CREATE, store=store)[CREATE]
    assert isinstance(outcome, Held)
    assert (outcome.reason, "Pod e-a-0 exists and belongs to something else" in outcome.message) == ("NameTaken", True)
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
def test_without_its_value_no_pod_is_made_but_all_else_is_done(prepare: Any, expected: type) -> None:
    cluster = FakeCluster()
    other = cluster.put(paths.pods("ns"), pod(node="b"))
    prepare(cluster)
    delete, needs_it, needs_none = DeletePod("b", other["metadata"]["name"]), create(0, "e-value-1"), create(1)
    large: list[Body] = [manifest("cache-1-value")]
    keep = StoreEntry("c", ALONE, "cache-1", {"metadata": {"name": "cache-1", "namespace": "ns"}}, tuple(large))
    outcomes = applied(cluster, needs_it, delete, needs_none, keep, before=(MAKE,))
    assert isinstance(outcomes[needs_it], expected)
    assert [outcomes[one] for one in (delete, needs_none)] == [Done(), Done()]
    assert keep in outcomes
    assert cluster.get(POD) is None
    assert cluster.get(paths.pods("ns", "e-b-0")) is None


def test_only_the_pod_that_was_seen_is_deleted() -> None:
    cluster, store = FakeCluster(), Store()
    store.remember_pod(pod(uid="seen"))
    cluster.put(paths.pods("ns"), pod(uid="another"))
    assert applied(cluster, DELETE, store=store) == {DELETE: Done()}
    assert cluster.get(POD) is not None
    assert cluster.bodies == [{"preconditions": {"uid": "seen"}}]
    assert store.views("ns", "e", "u1")[Place("a", 0)].deleting


def test_a_pod_that_may_take_long_to_end_by_itself_is_stopped_as_soon_as_it_says() -> None:
    cluster, store, body = FakeCluster(), Store(), pod(uid="seen")
    body["metadata"]["annotations"] = {names.ANNOTATION_STOP_GRACE: "30"}
    store.remember_pod(body)
    cluster.put(paths.pods("ns"), body)
    assert applied(cluster, DELETE, store=store) == {DELETE: Done()}
    assert cluster.bodies == [{"preconditions": {"uid": "seen"}, "gracePeriodSeconds": 30}]


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
    assert store.views("ns", "e", "u1")[Place("a", 0)].deleting is marked


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


# Child Executions and questions.

CHILD = paths.ours("Execution", "ns", "e-p-0")


def call(name: str, **more: Any) -> CreateExecution:
    made = child_execution(
        name=name,
        namespace="ns",
        parent="e",
        owner=owner_reference("Execution", "e", "u1"),
        place=("p", 0, None),
        depth=1,
        closure="c1",
        spec={"launchPlan": {"name": "plan"}},
        labels_of_plan={},
        annotations_of_plan={},
    )
    return CreateExecution("p", 0, name, made, **more)


CALL = call("e-p-0")


def test_a_child_execution_that_was_made_is_known_at_once() -> None:
    cluster, store = FakeCluster(), Store()
    assert applied(cluster, CALL, store=store) == {CALL: Done()}
    assert list(store.child_views("ns", "e", "u1")) == [Place("p", 0)]
    assert applied(cluster, CALL, store=store) == {CALL: Done()}, "once more is harmless"


def test_one_that_was_there_already_may_have_told_something_that_nobody_heard() -> None:
    cluster, store = FakeCluster(), Store()
    news: list[Key | None] = []
    applied(cluster, CALL, store=store)
    body = cluster.get(CHILD)
    assert body is not None
    cluster.put(CHILD.rpartition("/")[0], {**body, "status": {"phase": "Running"}})
    applied(cluster, CALL, store=store, news=news)
    assert news == [("Execution", "ns", "e")]


def test_a_child_of_somebody_else_is_waited_for_to_go() -> None:
    cluster = FakeCluster()
    meta = {**CALL.manifest["metadata"], "ownerReferences": [{"kind": "Execution", "name": "e", "uid": "u0"}]}
    cluster.put(CHILD.rpartition("/")[0], {**CALL.manifest, "metadata": meta})
    outcome = applied(cluster, CALL)[CALL]
    assert isinstance(outcome, Held)
    assert outcome.message.startswith("Execution e-p-0 exists and belongs to something else")


def test_the_workflow_of_a_dynamic_task_comes_before_the_child_that_runs_it() -> None:
    revision, reference = dynamic_revision("t", {"nodes": []}, "ns", owner_reference("Execution", "e", "u1"))
    action = call("e-p-0", revision=revision)
    cluster = FakeCluster()
    assert applied(cluster, action) == {action: Done()}
    assert [path for method, path in cluster.requests if method == "POST"] == [
        paths.revisions("ns"),
        paths.all_of_ours("Execution", "ns"),
    ]
    other = call("e-q-0", revision=revision)
    assert applied(cluster, other)[other] == Done(), "a revision of that content serves another, too"
    cluster.say("POST", paths.revisions("ns"), refusal(403, message="exceeded quota"))
    late = call("e-r-0", revision={**revision, "metadata": {**revision["metadata"], "name": "another"}})
    assert isinstance(applied(cluster, late)[late], Held)
    assert cluster.get(paths.ours("Execution", "ns", "e-r-0")) is None
    assert reference["name"] == "t"


@pytest.mark.parametrize(("field", "value"), [("cancel", True), ("suspend", True), ("suspend", False)])
def test_a_child_is_told_and_not_told_twice(field: str, value: bool) -> None:
    cluster, store = FakeCluster(), Store()
    applied(cluster, CALL, store=store)
    tell = TellExecution("p", "e-p-0", field, value)
    assert applied(cluster, tell, store=store) == {tell: Done()}
    body = cluster.get(CHILD)
    assert body is not None
    assert body["spec"][field] is value
    view = store.child_views("ns", "e", "u1")[Place("p", 0)]
    assert (view.cancelled if field == "cancel" else view.suspended) is value


def test_a_child_that_is_gone_needs_not_be_told() -> None:
    tell = TellExecution("p", "e-p-0", "cancel", True)
    assert applied(FakeCluster(), tell) == {tell: Done()}


QUESTION = CreateSignal(
    "g",
    "e.go",
    {
        "kind": "Signal",
        "metadata": {
            "name": "e.go",
            "namespace": "ns",
            "ownerReferences": [owner_reference("Execution", "e", "u1")],
        },
        "spec": {"execution": "e", "node": "g", "name": "go", "ask": "Approval"},
    },
)
SIGNAL = paths.ours("Signal", "ns", "e.go")


def test_a_question_that_was_asked_is_known_at_once_and_asked_once() -> None:
    cluster, store = FakeCluster(), Store()
    assert applied(cluster, QUESTION, store=store) == {QUESTION: Done()}
    assert applied(cluster, QUESTION, store=store) == {QUESTION: Done()}
    assert store.questions("ns", "e", "u1")["go"].spec["ask"] == "Approval"
    assert store.questions("ns", "e", "another") == {}


def test_what_became_of_a_question_is_told_in_its_status() -> None:
    cluster, store = FakeCluster(), Store()
    applied(cluster, QUESTION, store=store)
    mark = MarkSignal("e.go", store.questions("ns", "e", "u1")["go"].uid, {"phase": "Waiting"})
    assert applied(cluster, mark, store=store) == {mark: Done()}
    body = cluster.get(SIGNAL)
    assert body is not None
    assert body["status"] == {"phase": "Waiting"}
    assert store.questions("ns", "e", "u1")["go"].phase == "Waiting"


def test_another_question_of_that_name_is_left_alone() -> None:
    cluster = FakeCluster()
    applied(cluster, QUESTION)
    mark = MarkSignal("e.go", "an older one", {"phase": "Expired"})
    assert applied(cluster, mark) == {mark: Done()}
    body = cluster.get(SIGNAL)
    assert body is not None
    assert "status" not in body


# Segments.


def segment(number: int, version: str = "", node: str = "m", gave: Any = None) -> WriteSegment:
    name = names.segment_name("e", node, number)
    content = {str(number): {"ok": {"o0": gave}}}
    body = segment_manifest(name, "ns", "e", node, content, owner_reference("Execution", "e", "u1"))
    return WriteSegment(node, number, name, content, body, version)


def test_a_segment_is_made_and_then_written_again_if_nobody_else_did() -> None:
    cluster = FakeCluster()
    first = applied(cluster, segment(0))[segment(0)]
    assert isinstance(first, Version)
    again = segment(0, first.version, gave=1)
    second = applied(cluster, again)[again]
    assert isinstance(second, Version)
    assert second.version != first.version
    assert isinstance(applied(cluster, again)[again], Conflict), "somebody has written it since"
    assert isinstance(applied(cluster, segment(0))[segment(0)], Conflict), "it is there already"


def test_a_segment_that_is_gone_is_a_conflict() -> None:
    lost = segment(0, "7")
    assert isinstance(applied(FakeCluster(), lost)[lost], Conflict)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(refusal(0), Unavailable), (refusal(403, message="exceeded quota"), Held), (refusal(413), Rejected)],
)
def test_there_are_never_gaps_between_segments(answer: Answer, expected: type) -> None:
    cluster = FakeCluster()
    cluster.say("POST", paths.config_maps("ns"), answer)
    outcomes = applied(cluster, segment(0), segment(1), segment(0, node="other"))
    assert isinstance(outcomes[segment(0)], expected)
    assert segment(1) not in outcomes
    assert isinstance(outcomes[segment(0, node="other")], Version), "another map has its own"


# The order in which things are done.


def test_a_result_is_kept_before_others_may_look_for_it_and_the_execution_itself_goes_last() -> None:
    cluster = FakeCluster()
    me = Holder("e", "u1", "a")
    lease = lease_manifest("cache-1", "ns", "t", me.identity, "e", "u1", "2026-11-22T19:00:00Z")
    cluster.put(paths.leases("ns"), lease)
    cluster.put(paths.all_of_ours("Execution", "ns"), execution())
    entry = cache_entry("cache-1", "ns", {"key": {"task": "t"}, "outputs": {}})
    actions: list[Action] = [
        DeleteExecution("e"),
        Release("cache-1", me),
        StoreEntry("a", ALONE, "cache-1", entry),
        CREATE,
    ]
    assert set(applied(cluster, *actions).values()) == {Done()}
    asked = [(method, path.rpartition("/")[2]) for method, path in cluster.requests]
    assert asked.index(("POST", "cacheentries")) < asked.index(("DELETE", "cache-1")) < asked.index(("DELETE", "e"))


def test_only_this_very_execution_is_deleted_when_its_time_is_up() -> None:
    cluster = FakeCluster()
    cluster.put(paths.all_of_ours("Execution", "ns"), execution(uid="another"))
    gone = DeleteExecution("e")
    assert isinstance(applied(cluster, gone)[gone], Unavailable), (
        "a conflict may be of another kind: it is looked at again"
    )
    assert cluster.get(paths.ours("Execution", "ns", "e")) is not None


def test_a_large_output_of_ours_that_is_there_already_is_as_good_as_written() -> None:
    cluster = FakeCluster()
    save = SaveValue("a", "e-value-1", manifest("e-value-1"))
    for _ in range(2):
        assert applied(cluster, save) == {save: Done()}
    other = SaveValue("a", "e-value-1", manifest("e-value-1"))
    cluster.put(paths.config_maps("ns"), manifest("e-value-1", owner="u0"))
    assert isinstance(applied(cluster, other)[other], Held)


def test_a_lookup_that_nobody_answers_is_of_unknown_outcome_and_one_that_is_refused_is_held() -> None:
    cluster = FakeCluster()
    read, look = LookUp(AskValue("e", "1")), LookUp(AskCache("cache-1", "t", near=False))
    entry = paths.ours("CacheEntry", "ns", "cache-1")
    cluster.say("GET", paths.config_maps("ns", names.value_name("e", "1")), refusal(0, message="no answer"))
    cluster.say("GET", entry, refusal(403, message="no right"))
    outcomes = applied(cluster, read, look)
    assert outcomes == {read: Unavailable("no answer"), look: Held("Forbidden", "no right")}
