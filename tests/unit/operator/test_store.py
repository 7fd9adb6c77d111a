"""What is remembered of what the watch streams tell, in whatever order they tell it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.operator.things import BEGIN, Body, closure, container, definition, ended, execution, pod, result, task
from windlass_api import names
from windlass_operator.core.observed import Place
from windlass_operator.kinds.evidence import Running, Succeeded, Waiting
from windlass_operator.reconcile.store import ClosureRecord, Store

E = ("Execution", "ns", "e")
RUNNING = {"phase": "Running", "containerStatuses": [container({"running": {"startedAt": BEGIN}})]}
DONE = {"phase": "Succeeded", "containerStatuses": [container(ended(0, "Completed", result(o0=1)))]}


def store_with(*pods: Body) -> Store:
    """A store that knows the Execution ``e`` and some pods."""
    store = Store()
    store.remember_execution(execution())
    for one in pods:
        store.remember_pod(one)
    return store


@pytest.mark.parametrize(("seconds", "pause"), [(0.01, 1.0), (0.5, 5.0), (30.0, 10.0)])
def test_the_longer_a_status_takes_to_be_written_the_longer_what_is_not_urgent_waits(
    seconds: float, pause: float
) -> None:
    store = store_with()
    tracked = store.executions["ns", "e"]
    assert tracked.pause == 1.0
    tracked.took(seconds)
    assert tracked.pause == pause


def view(store: Store, attempt: int = 0, owner: str = "u1") -> Any:
    return store.views("ns", "e", owner).get(Place("a", attempt))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"version": 2, "status": RUNNING}, E),
        ({"version": 2}, None),
        ({"version": 1}, None),
        ({"version": 0, "status": DONE}, None),
        ({"version": 2, "deleting": True}, E),
        ({"version": 2, "uid": "p2"}, E),
        ({"version": 2, "attempt": 1}, E),
    ],
    ids=["it runs", "nothing we care for", "the same again", "old news", "it goes", "its successor", "another attempt"],
)
def test_news_of_a_pod_wakes_its_execution(change: Body, key: Any) -> None:
    assert store_with(pod()).remember_pod(pod(**change)) == key


def test_old_news_of_a_pod_changes_nothing() -> None:
    store = store_with(pod(version=5, status=DONE))
    assert store.remember_pod(pod(version=4, status=RUNNING)) is None
    assert isinstance(view(store).evidence, Succeeded)


def test_old_news_of_a_pod_that_had_the_name_before_changes_nothing() -> None:
    store = store_with(pod(uid="old", owner="u0", version=3))
    store.remember_pod(pod(uid="new", version=7, status=RUNNING))
    assert store.remember_pod(pod(uid="old", owner="u0", version=6, deleting=True)) is None
    assert store.forget_pod(pod(uid="old", owner="u0", version=8)) is None
    assert isinstance(view(store).evidence, Running)
    assert not view(store).gone


def test_news_is_new_also_when_it_says_the_same_later() -> None:
    store = store_with(pod(version=1))
    assert store.remember_pod(pod(version=9)) is None
    assert store.remember_pod(pod(version=5, status=RUNNING)) is None, "version 9 had said that it waits"
    assert view(store).evidence == Waiting()


def test_a_pod_that_is_gone_keeps_what_it_said_last() -> None:
    store = store_with(pod(version=1, status=RUNNING))
    assert store.forget_pod(pod(version=3, status=DONE)) == E
    assert view(store).gone
    assert isinstance(view(store).evidence, Succeeded)


def test_a_pod_that_nobody_knows_cannot_be_forgotten() -> None:
    assert store_with().forget_pod(pod()) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body["metadata"].pop("ownerReferences"),
        lambda body: body["metadata"].update(ownerReferences=[{"kind": "Job", "name": "e", "uid": "u1"}]),
        lambda body: body["metadata"].pop("labels"),
        lambda body: body["metadata"]["labels"].pop(names.LABEL_NODE),
        lambda body: body["metadata"]["labels"].update({names.LABEL_ATTEMPT: "first"}),
    ],
    ids=["no owner", "a Job's", "no labels", "no node", "no number"],
)
def test_a_pod_that_is_not_ours_is_left_alone(spoil: Any) -> None:
    stranger = pod()
    spoil(stranger)
    store = store_with()
    assert store.remember_pod(stranger) is None
    assert store.forget_pod(stranger) is None
    assert store.pods == {}


def test_a_list_tells_which_pods_are_gone_but_not_those_that_are_newer_than_it() -> None:
    store = store_with(
        pod(attempt=0, uid="p0", version=10),
        pod(attempt=1, uid="p1", version=11),
        pod(attempt=2, uid="p2", version=20),
        pod("f", uid="p3", version=12),
    )
    woken = store.replace_pods([pod(attempt=1, uid="p1", version=15, status=RUNNING)], 19)
    assert woken == [E, ("Execution", "ns", "f")]
    assert [view(store, attempt).gone for attempt in range(3)] == [True, False, False]
    assert isinstance(view(store, 1).evidence, Running)
    assert store.replace_pods([pod(attempt=1, uid="p1", version=15, status=RUNNING)], 19) == []


def test_a_list_at_the_very_version_of_a_pod_that_it_lacks_tells_that_it_is_gone() -> None:
    store = store_with(pod(version=10))
    assert store.replace_pods([], 10) == [E]


def test_a_list_of_one_namespace_says_nothing_about_the_pods_of_others() -> None:
    store = store_with(pod(version=10))
    assert store.replace_pods([], 20, "elsewhere") == []
    assert not view(store, 0).gone
    assert store.replace_pods([], 20, "ns") == [E]


def test_pods_of_a_deleted_execution_of_the_same_name_are_not_seen() -> None:
    store = store_with(pod(owner="u0", uid="old"))
    assert store.views("ns", "e", "u1") == {}
    assert list(store.views("ns", "e", "u0")) == [Place("a", 0)]


def test_a_pod_on_its_way_out_is_marked_so_that_it_is_not_deleted_twice() -> None:
    store = store_with(pod(), pod(attempt=1, uid="p2"))
    store.mark_deleting("ns", "e", "e-a-0")
    assert [view(store, attempt).deleting for attempt in (0, 1)] == [True, False]
    entry = store.pod("ns", "e", "e-a-1")
    assert entry is not None
    assert entry.uid == "p2"
    assert store.pod("ns", "e", "e-a-2") is None


def test_an_execution_is_news_when_it_is_new_or_its_spec_changed() -> None:
    store = Store()
    assert store.remember_execution(execution())
    assert not store.remember_execution(execution())
    assert not store.remember_execution(execution(status={"phase": "Running"})), "our own writes are no news"
    assert store.remember_execution(execution(generation=2, spec={"cancel": True}))
    tracked = store.executions["ns", "e"]
    assert (tracked.generation, tracked.spec) == (2, {"cancel": True})
    assert not store.remember_execution(execution(generation=1)), "old news"
    assert store.executions["ns", "e"].spec == {"cancel": True}


def test_another_execution_of_the_same_name_starts_from_its_own_status() -> None:
    store = Store()
    store.remember_execution(execution(status={"phase": "Running", "closure": "c1"}))
    assert store.remember_execution(execution(uid="u2"))
    tracked = store.executions["ns", "e"]
    assert (tracked.uid, tracked.written, tracked.state.nodes) == ("u2", {}, {})


def test_an_execution_that_is_being_deleted_is_known_to_be() -> None:
    store = Store()
    store.remember_execution(execution())
    going = execution()
    going["metadata"]["deletionTimestamp"] = BEGIN
    assert not store.remember_execution(going)
    assert store.executions["ns", "e"].deleting
    fresh = Store()
    fresh.remember_execution(going)
    assert fresh.executions["ns", "e"].deleting


def sharing(owners: dict[str, str], pinned: tuple[str, ...] = ("e", "f", "g")) -> Store:
    """Executions e, f and g, of which some are pinned to one closure and some own it."""
    store = Store()
    of = closure({"id": "a"})
    for name in ("e", "f", "g"):
        status = {"closure": of.hash} if name in pinned else {}
        store.remember_execution(execution(name, uid=f"u-{name}", status=status))
    store.closures["ns", of.hash] = ClosureRecord(of, "c1", set(owners.values()))
    return store


@pytest.mark.parametrize(
    ("owners", "pinned", "woken", "kept"),
    [
        ({"e": "u-e"}, ("e", "f", "g"), ["f", "g"], True),
        ({"e": "u-e", "f": "u-f"}, ("e", "f", "g"), [], True),
        ({"f": "u-f"}, ("e", "f", "g"), [], True),
        ({"e": "u-e"}, ("e",), [], False),
        ({"e": "u-e"}, ("f",), [], True),
    ],
    ids=[
        "the last owner goes, and others take over", "one of two owners", "no owner at all", "the last user",
        "it was never pinned",
    ],
)  # fmt: skip
def test_who_is_left_looks_after_the_closure(
    owners: dict[str, str], pinned: tuple[str, ...], woken: list[str], kept: bool
) -> None:
    store = sharing(owners, pinned)
    keys = store.forget_execution(execution("e", uid="u-e"))
    assert keys == [("Execution", "ns", name) for name in woken]
    assert bool(store.closures) is kept
    assert ("ns", "e") not in store.executions


def test_an_execution_is_forgotten_with_its_pods_but_not_for_anothers_sake() -> None:
    store = store_with(pod())
    assert store.forget_execution(execution(uid="u0")) == []
    assert ("ns", "e") in store.executions
    assert store.forget_execution(execution()) == []
    assert store.executions == {}
    assert store.pods == {}
    assert store.forget_execution(execution()) == []


def test_pods_that_go_after_their_execution_leave_nothing_behind() -> None:
    store = store_with(pod(status=RUNNING), pod(attempt=1, uid="p2"))
    store.forget_execution(execution())
    for attempt, uid in enumerate(("p1", "p2")):
        store.remember_pod(pod(attempt=attempt, uid=uid, version=2, deleting=True))
        assert store.forget_pod(pod(attempt=attempt, uid=uid, version=3, deleting=True)) is None
    assert store.pods == {}


def test_dependents_are_who_may_have_waited_for_a_definition() -> None:
    store = Store()
    node = {"id": "a", "task": {"name": "t"}}
    store.remember_definition("Workflow", definition("Workflow", "uses", {"nodes": [node]}))
    store.remember_definition("Workflow", definition("Workflow", "empty", {}))
    store.remember_execution(execution("waits"))
    store.remember_execution(execution("runs", status={"closure": "c1"}))
    over = {"phase": "Failed", "finishedAt": "2026-11-22T19:00:00Z"}
    store.remember_execution(execution("refused", status=over))
    waits = ("Execution", "ns", "waits")
    assert list(store.dependents("Task", "ns", "t")) == [("Workflow", "ns", "uses"), waits]
    assert list(store.dependents("Task", "ns", "other")) == [waits]
    assert list(store.dependents("Workflow", "ns", "uses")) == [waits]
    assert list(store.dependents("Task", "elsewhere", "t")) == []


def test_who_calls_a_launch_plan_waits_for_its_workflow_too() -> None:
    store = Store()
    calls = {"nodes": [{"id": "a", "launchPlan": {"name": "plan"}}, {"id": "b", "sleep": {"duration": "1s"}}]}
    store.remember_definition("Workflow", definition("Workflow", "outer", calls))
    store.remember_definition("LaunchPlan", definition("LaunchPlan", "plan", {"workflow": {"name": "inner"}}))
    store.remember_definition(
        "Workflow", definition("Workflow", "hurt", {"onFailure": {"workflow": {"name": "inner"}}})
    )
    assert list(store.dependents("Workflow", "ns", "inner")) == [
        ("LaunchPlan", "ns", "plan"),
        ("Workflow", "ns", "outer"),
        ("Workflow", "ns", "hurt"),
    ]
    store.forget_definition("LaunchPlan", definition("LaunchPlan", "plan", {}))
    assert list(store.dependents("Workflow", "ns", "inner")) == [("Workflow", "ns", "hurt")]


def test_definitions_come_change_and_go() -> None:
    store = Store()
    body = definition("Task", "t", task())
    store.remember_definition("Task", body)
    assert store.definition("Task", "ns", "t") == body
    assert store.definition("Workflow", "ns", "t") is None
    store.forget_definition("Task", body)
    store.forget_definition("Task", body)
    assert store.definition("Task", "ns", "t") is None


# What only the kubelet says, in Events


def unmounted(message: str = 'secret "db" not found', uid: str = "p1", namespace: str = "ns") -> Body:
    about = {"kind": "Pod", "namespace": namespace, "name": "e-a-0", "uid": uid}
    return {"involvedObject": about, "reason": "FailedMount", "message": message}


MOUNTED = {"phase": "Pending", "conditions": [{"type": "PodReadyToStartContainers", "status": "True"}]}
PULLING = {"phase": "Pending", "containerStatuses": [container({"waiting": {"reason": "ImagePullBackOff"}})]}


def test_a_pod_whose_volumes_can_not_be_mounted_is_stuck_with_what_the_kubelet_says() -> None:
    store = store_with(pod())
    assert store.remember_trouble(unmounted()) == E
    assert view(store).evidence == Waiting("FailedMount", 'secret "db" not found', stuck=True)
    assert store.remember_trouble(unmounted()) is None, "it says so again and again"
    assert store.remember_trouble(unmounted('secret "tls" not found')) == E
    store.remember_pod(pod(version=2))
    assert view(store).evidence.message == 'secret "tls" not found', "the pod itself says nothing of it"


@pytest.mark.parametrize("status", [MOUNTED, PULLING, RUNNING, DONE])
def test_trouble_with_volumes_is_over_once_the_pod_says_more(status: Body) -> None:
    store = store_with(pod())
    store.remember_trouble(unmounted())
    assert store.remember_pod(pod(version=2, status=status)) == E
    assert getattr(view(store).evidence, "reason", "") != "FailedMount"
    assert store.remember_trouble(unmounted()) is None, "an Event that comes late"
    assert getattr(view(store).evidence, "reason", "") != "FailedMount"


@pytest.mark.parametrize("event", [unmounted(uid="p9"), unmounted(namespace="other"), {}])
def test_trouble_of_pods_that_are_not_ours_is_left_alone(event: Body) -> None:
    store = store_with(pod())
    assert store.remember_trouble(event) is None
    assert view(store).evidence == Waiting()


def test_a_new_pod_of_the_name_has_no_trouble_of_the_old_one() -> None:
    store = store_with(pod())
    store.remember_trouble(unmounted())
    store.remember_pod(pod(version=2, uid="p2"))
    assert view(store).evidence == Waiting()
