"""Which workers a pool starts, drains and cleans up, and what it says of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from windlass_api import conditions, names
from windlass_operator.core.plan_actor import (
    BACKOFF,
    BACKOFF_FACTOR,
    DRAIN_IDLE,
    FAILURES_KEPT,
    LOOK_AT_TEMPLATE,
    LOOK_FOR_TEMPLATE,
    SILENT,
    STATUS_PAUSE,
    STUCK_IN_VAIN,
    CreateWorker,
    DeleteWorker,
    Demand,
    DrainWorker,
    ObservedPool,
    PoolPlan,
    Refusal,
    WorkerView,
    plan_pool,
)
from windlass_operator.core.workers import Stage, WorkerPod
from windlass_operator.manifests.worker_pod import resolved

NOW = 1_000_000.0
PEM = "the authority"
VALID = conditions.condition(conditions.READY, conditions.TRUE, "Valid", "", "2026-01-01T00:00:00Z", 1)


def environment(replicas: int | None = 2, **spec: Any) -> dict[str, Any]:
    body = {**spec, **({} if replicas is None else {"replicas": replicas})}
    return {"metadata": {"name": "models", "namespace": "ns", "uid": "u1", "generation": 1}, "spec": body}


REVISION = names.pool_revision(environment()["spec"])


def pod(index: int, stage: Stage = Stage.RUNNING, revision: str = REVISION, **more: Any) -> WorkerPod:
    name = names.worker_name("models", revision, index)
    known = {"created": NOW - 100, "since": NOW - 90, "owner": "u1", "authority": names.content_hash(PEM), **more}
    return WorkerPod(name=name, uid=f"uid-{name}", revision=revision, stage=stage, **known)


def worker(of: WorkerPod, running: int = 0, **more: Any) -> WorkerView:
    idle_since = None if running else NOW - 5
    known = {"free": 1 - running, "running": running, "idle_since": idle_since, **more}
    return WorkerView(pod_uid=of.uid, revision=of.revision, **known)


def wants(waiting: int = 0, running: int = 0, revision: str = REVISION, **spec: Any) -> Demand:
    return Demand(revision=revision, spec=environment(**spec)["spec"], waiting=waiting, running=running)


def plan(*pods: WorkerPod, workers: tuple[WorkerView, ...] = (), **observed: Any) -> PoolPlan:
    known = {"environment": environment(), "ready": VALID, "now": NOW, "listening_since": NOW - 50, **observed}
    by_uid = {one.pod_uid: one for one in workers}
    return plan_pool(
        ObservedPool(
            namespace="ns", name="models", pods=pods, workers=by_uid, address="10.0.0.1:7433", authority=PEM, **known
        )
    )


def started(plan: PoolPlan) -> list[str]:
    return [one.name for one in plan.actions if isinstance(one, CreateWorker)]


def deleted(plan: PoolPlan) -> list[str]:
    return [one.name for one in plan.actions if isinstance(one, DeleteWorker)]


def drained(plan: PoolPlan) -> list[str]:
    return [one.pod_uid for one in plan.actions if isinstance(one, DrainWorker)]


def ready(plan: PoolPlan) -> tuple[str, str]:
    assert plan.status is not None
    found = conditions.get(plan.status["conditions"], conditions.READY)
    assert found is not None
    return found["status"], found["reason"]


# ---- starting -------------------------------------------------------------------------------------------------------


def test_without_calls_there_are_no_workers() -> None:
    assert plan().actions == ()


def test_as_many_workers_start_as_calls_wait_but_no_more_than_the_replicas() -> None:
    assert started(plan(demands=(wants(1),))) == [names.worker_name("models", REVISION, 0)]
    assert len(started(plan(demands=(wants(7),)))) == 2


def test_without_a_number_there_is_one_worker() -> None:
    one = environment(replicas=None)
    assert len(started(plan(environment=one, demands=(wants(7, replicas=None),)))) == 1


def test_workers_that_are_free_or_on_their_way_are_counted_on() -> None:
    assert started(plan(pod(0, Stage.STARTING), demands=(wants(1),))) == []
    busy, free = pod(0), pod(1)
    assert started(plan(busy, free, workers=(worker(busy, 1), worker(free)), demands=(wants(1),))) == []


def test_a_worker_that_other_replicas_keep_busy_is_not_counted_on() -> None:
    busy = pod(0)
    assert len(started(plan(busy, workers=(worker(busy, 0, free=0, idle_since=None),), demands=(wants(1),)))) == 1


def test_a_name_that_a_pod_has_which_is_still_there_is_not_taken_again() -> None:
    left = pod(0, Stage.LEFT)
    assert started(plan(left, demands=(wants(1),), keeper=False)) == [names.worker_name("models", REVISION, 1)]


def test_a_leaving_worker_is_replaced_while_calls_wait() -> None:
    leaving, busy = pod(0), pod(1)
    found = plan(leaving, busy, workers=(worker(leaving, leaving=True), worker(busy, 1)), demands=(wants(2),))
    assert started(found) == [names.worker_name("models", REVISION, 2)]


def test_nothing_starts_before_the_dispatcher_can_be_called() -> None:
    found = plan_pool(
        ObservedPool(
            namespace="ns", name="models", environment=environment(), demands=(wants(1),), now=NOW, ready=VALID
        )
    )
    assert (found.actions, found.waits[REVISION].reason) == ((), "DispatcherNotReady")


def test_scaled_to_zero_nothing_starts_and_everything_drains() -> None:
    running, starting = pod(0), pod(1, Stage.STARTING)
    scaled = environment(replicas=0)
    found = plan(running, starting, workers=(worker(running, 1),), environment=scaled, demands=(wants(3),))
    assert (started(found), drained(found), deleted(found)) == ([], [running.uid], [starting.name])
    assert found.waits[REVISION].reason == "ScaledToZero"


def test_scaling_down_lets_the_idle_go_before_the_busy() -> None:
    busy, idle = pod(0), pod(1)
    found = plan(busy, idle, workers=(worker(busy, 1), worker(idle)), environment=environment(replicas=1))
    assert drained(found) == [idle.uid]


def test_scaling_makes_no_new_revision_and_everything_else_does() -> None:
    assert names.pool_revision(environment(5)["spec"]) == REVISION
    assert names.pool_revision(environment(image="other")["spec"]) != REVISION
    assert names.pool_revision(environment(ttlSeconds=30)["spec"]) != REVISION


# ---- revisions ------------------------------------------------------------------------------------------------------


def test_an_earlier_revision_starts_workers_for_the_runs_that_are_pinned_to_it() -> None:
    changed = environment(image="new")
    found = plan(environment=changed, demands=(wants(1, image="old", revision="r-old"),))
    (action,) = found.actions
    assert isinstance(action, CreateWorker)
    assert action.manifest["spec"]["containers"][0]["image"] == "old"
    assert action.manifest["metadata"]["labels"][names.LABEL_POOL_REVISION] == "r-old"


def test_workers_of_an_earlier_revision_stay_while_they_are_used_and_drain_when_they_are_not() -> None:
    old = pod(0, revision="r-old")
    assert drained(plan(old, workers=(worker(old, 1),))) == []
    fresh = plan(old, workers=(worker(old),))
    assert (drained(fresh), fresh.wake_at) == ([], NOW - 5 + DRAIN_IDLE)
    assert drained(plan(old, workers=(worker(old, idle_since=NOW - DRAIN_IDLE),))) == [old.uid]
    needed = (wants(1, revision="r-old"),)
    assert drained(plan(old, workers=(worker(old, idle_since=NOW - 99),), demands=needed)) == []


def test_an_earlier_revision_has_as_many_workers_as_another_replica_has_started_for_it() -> None:
    several = [pod(index, revision="r-old") for index in range(3)]
    busy = [worker(one, 0, free=0, idle_since=None) for one in several]
    assert drained(plan(*several, workers=tuple(busy), environment=environment(replicas=1))) == []
    none = plan(*several, workers=tuple(busy), environment=environment(replicas=0))
    assert drained(none) == [one.uid for one in several], "scaling to 0 is for all of them"


@pytest.mark.parametrize("stage", [Stage.STARTING, Stage.STUCK])
def test_a_worker_that_has_not_called_yet_stays_while_calls_wait_with_another_replica(stage: Stage) -> None:
    """The keeper doesn't have the calls that it was started for; a large image may take minutes."""
    old = pod(0, stage, revision="r-old")
    assert deleted(plan(old, waiting_elsewhere=1)) == []
    assert set(deleted(plan(old))) == {old.name}


def test_a_worker_that_cannot_start_is_not_in_vain_while_calls_wait_with_another_replica() -> None:
    stuck = pod(0, Stage.STUCK, reason="Unschedulable")
    assert deleted(plan(stuck, waiting_elsewhere=1)) == []
    assert deleted(plan(stuck)) == [stuck.name]


def test_how_long_a_worker_was_not_needed_is_measured_by_one_clock() -> None:
    """Ours may be minutes ahead of the API server's: then each worker would go as soon as it is made."""
    old, stuck = pod(0, Stage.STARTING, revision="r-old", seen=NOW), pod(1, Stage.STUCK, seen=NOW)
    found = plan(old, stuck)
    assert (deleted(found), found.wake_at) == ([], NOW + DRAIN_IDLE)


# ---- PodTemplates that are named ------------------------------------------------------------------------------------

NAMED = environment(podTemplateName="base")


def template(value: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "primary", "image": "x", "env": [{"name": "FLAVOUR", "value": value}]}]}}


def named(value: str, waiting: int = 0) -> Demand:
    spec = resolved(NAMED["spec"], template(value))
    return Demand(revision=names.pool_revision(spec), spec=spec, waiting=waiting)


def test_workers_start_from_the_pod_template_that_their_environment_names() -> None:
    (action,) = plan(environment=NAMED, template=template("a"), demands=(named("a", 1),)).actions
    assert isinstance(action, CreateWorker)
    assert {"name": "FLAVOUR", "value": "a"} in action.manifest["spec"]["containers"][0]["env"]


def test_a_changed_pod_template_makes_another_revision_and_the_earlier_one_leaves_when_it_is_idle() -> None:
    old, busy = pod(0, revision=named("a").revision), pod(1, revision=named("a").revision)
    workers = worker(old, idle_since=NOW - DRAIN_IDLE), worker(busy, 1)
    assert drained(plan(old, busy, workers=workers, environment=NAMED, template=template("a"))) == []
    found = plan(old, busy, workers=workers, environment=NAMED, template=template("b"), demands=(named("b", 1),))
    assert drained(found) == [old.uid]
    assert started(found) == [names.worker_name("models", named("b").revision, 0)]


def test_runs_that_are_pinned_to_an_earlier_pod_template_get_workers_of_that_one() -> None:
    for now in (template("b"), None):
        (action,) = plan(environment=NAMED, template=now, demands=(named("a", 1),)).actions
        assert isinstance(action, CreateWorker)
        assert {"name": "FLAVOUR", "value": "a"} in action.manifest["spec"]["containers"][0]["env"]


def test_a_pod_template_that_is_missing_is_told_of_and_looked_for_again() -> None:
    found = plan(environment=NAMED, template_read_at=NOW)
    assert ready(found) == ("False", "PodTemplateNotFound")
    assert "there is no PodTemplate 'base' in this namespace (yet)" in str(found.status)
    assert found.wake_at == NOW + LOOK_FOR_TEMPLATE
    assert ready(plan(environment=NAMED, template=template("a"))) == ("True", "Valid")


def test_a_pod_template_is_looked_at_again_while_there_are_workers_of_it() -> None:
    known: dict[str, Any] = {"environment": NAMED, "template": template("a"), "template_read_at": NOW}
    assert plan(**known).wake_at is None
    warm = pod(0, revision=named("a").revision)
    assert plan(warm, workers=(worker(warm),), **known).wake_at == NOW + LOOK_AT_TEMPLATE


# ---- trouble --------------------------------------------------------------------------------------------------------


def test_a_stuck_worker_is_why_calls_wait_and_why_the_environment_is_not_ready() -> None:
    stuck = pod(0, Stage.STUCK, reason="ImagePullBackOff", message="no such image")
    found = plan(stuck, demands=(wants(1),))
    assert (found.waits[REVISION].reason, found.waits[REVISION].stuck) == ("ImagePullBackOff", True)
    assert ready(found) == ("False", "ImagePullBackOff")
    working = pod(1)
    assert ready(plan(stuck, working, workers=(worker(working),))) == ("True", "Valid")


def test_a_stuck_worker_that_nothing_waits_for_is_given_up() -> None:
    stuck = pod(0, Stage.STUCK, created=NOW - STUCK_IN_VAIN, reason="ImagePullBackOff")
    assert deleted(plan(stuck)) == [stuck.name]
    assert deleted(plan(stuck, demands=(wants(1),))) == []


def test_what_the_api_server_refuses_is_told_and_tried_again_later() -> None:
    refusals = {REVISION: Refusal("QuotaExceeded", "exceeded quota: pods", NOW)}
    found = plan(demands=(wants(1),), refusals=refusals)
    assert (started(found), found.waits[REVISION].message) == ([], "exceeded quota: pods")
    assert ready(found) == ("False", "QuotaExceeded")
    assert found.wake_at is not None and found.wake_at > NOW
    assert len(started(plan(demands=(wants(1),), refusals=refusals, now=found.wake_at))) == 1


@pytest.mark.parametrize(
    ("spec", "template", "reason", "says"),
    [
        (
            {"secrets": [{"group": "DB", "key": "k"}]},
            None,
            "InvalidSecret",
            "secrets[0]: 'DB' can't be the name of a Secret",
        ),
        (
            {"podTemplateName": "base"},
            {"spec": {"containers": [{"name": "runtime"}]}},
            "InvalidPodTemplate",
            "PodTemplate base: a container can't be called 'runtime'",
        ),
    ],
)
def test_workers_that_can_not_be_as_they_are_asked_for_are_told_of(
    spec: dict[str, Any], template: dict[str, Any] | None, reason: str, says: str
) -> None:
    body = environment(**spec)
    wanted = resolved(body["spec"], template)
    revision = names.pool_revision(wanted)
    found = plan(environment=body, template=template, demands=(Demand(revision=revision, spec=wanted, waiting=1),))
    assert started(found) == []
    assert (found.waits[revision].reason, found.waits[revision].stuck) == (reason, True)
    assert says in found.waits[revision].message
    assert ready(found) == ("False", reason)


def test_workers_that_fail_at_their_start_are_replaced_ever_more_slowly() -> None:
    crash: dict[str, Any] = {
        "brief": True,
        "reason": "ExitCode",
        "message": "the process died with exit code 3",
        "since": NOW,
    }
    one = pod(0, Stage.FAILED, **crash)
    found = plan(one, demands=(wants(1),))
    assert (started(found), found.wake_at) == ([], NOW + BACKOFF)
    assert ready(found) == ("False", "WorkersFail")
    two = plan(one, pod(1, Stage.FAILED, **crash), demands=(wants(1),))
    assert two.wake_at == NOW + BACKOFF * BACKOFF_FACTOR
    assert started(plan(one, demands=(wants(1),), now=NOW + BACKOFF)) == [names.worker_name("models", REVISION, 1)]


def test_a_worker_that_was_killed_is_replaced_at_once() -> None:
    killed = pod(0, Stage.FAILED, brief=False, reason="Killed", since=NOW)
    assert len(started(plan(killed, demands=(wants(1),)))) == 1


def test_pods_of_workers_that_left_go_at_once_and_few_of_those_that_failed_stay_for_a_while() -> None:
    left = pod(0, Stage.LEFT)
    failed = [pod(1 + i, Stage.FAILED, since=NOW - 10 * i) for i in range(FAILURES_KEPT + 2)]
    assert deleted(plan(left, *failed)) == [left.name, *(one.name for one in failed[FAILURES_KEPT:])]
    assert plan(left, *failed, keeper=False).actions == ()


def test_a_worker_that_never_calls_is_told_of() -> None:
    silent = pod(0, since=NOW - SILENT - 1)
    found = plan(silent, demands=(wants(1),), listening_since=NOW - SILENT - 2)
    assert ready(found) == ("False", "WorkersSilent")
    assert ready(plan(silent, listening_since=NOW)) == ("True", "Valid")


def test_without_an_environment_calls_wait_and_are_told_why() -> None:
    found = plan(environment=None, demands=(wants(1),))
    assert (found.actions, found.status) == ((), None)
    assert found.waits[REVISION].reason == "ActorEnvironmentNotFound"


def test_workers_of_a_deleted_environment_or_another_authority_are_no_workers_of_this_one() -> None:
    others = pod(0, owner="u0"), pod(1, authority="other")
    found = plan(*others, demands=(wants(2),))
    assert deleted(found) == [one.name for one in others]
    assert started(found) == [names.worker_name("models", REVISION, index) for index in (2, 3)]


def test_a_worker_of_a_newer_authority_than_ours_is_left_alone() -> None:
    assert plan(pod(0, authority="newer", created=NOW), listening_since=NOW - 1).actions == ()


# ---- telling --------------------------------------------------------------------------------------------------------


def test_the_status_counts_workers_and_calls() -> None:
    busy, idle, starting, others = pod(0), pod(1), pod(2, Stage.STARTING), pod(3)
    views = worker(busy, 1), worker(idle), worker(others, free=0)
    pods = busy, idle, starting, others
    found = plan(*pods, workers=views, demands=(wants(3, 1),), environment=environment(replicas=4))
    assert found.status is not None
    counts = {key: value for key, value in found.status.items() if key.endswith(("eplicas", "Calls"))}
    assert counts == {"replicas": 4, "readyReplicas": 3, "busyReplicas": 2, "queuedCalls": 3}
    assert found.status["selector"] == "windlass.dev/pool=models"


def test_counts_of_calls_alone_are_written_only_now_and_then() -> None:
    first = plan(demands=())
    written = {**environment(), "status": first.status}
    assert plan(environment=written).status is None
    found = plan(environment=written, demands=(wants(1),), refusals={}, keeper=True, counts_written_at=NOW)
    assert (found.status, found.wake_at) == (None, NOW + STATUS_PAUSE)
    assert plan(environment=written, demands=(wants(1),), counts_written_at=NOW - STATUS_PAUSE).status is not None


def test_who_is_not_the_keeper_writes_no_status_and_cleans_nothing() -> None:
    found = plan(pod(0, Stage.LEFT), pod(1), pod(2), pod(3), keeper=False, demands=(wants(9),))
    assert (found.status, deleted(found), drained(found)) == (None, [], [])


# ---- promises for all pools -----------------------------------------------------------------------------------------


@st.composite
def pools(draw: st.DrawFn) -> tuple[dict[str, Any], list[WorkerPod], list[WorkerView], list[Demand]]:
    body = environment(draw(st.integers(0, 5)))
    pods = [
        pod(index, draw(st.sampled_from(Stage)), draw(st.sampled_from([REVISION, "r-old"])), brief=draw(st.booleans()))
        for index in draw(st.lists(st.integers(0, 9), unique=True))
    ]
    views = [
        worker(one, draw(st.integers(0, 1)), leaving=draw(st.booleans()))
        for one in pods
        if one.stage is Stage.RUNNING and draw(st.booleans())
    ]
    demands = [wants(draw(st.integers(0, 9)), revision=revision) for revision in (REVISION, "r-old")]
    return body, pods, views, demands


@pytest.mark.parametrize("keeper", [True, False])
@given(found=pools())
def test_there_are_never_more_workers_than_replicas_nor_more_started_than_calls_wait(
    keeper: bool, found: tuple[dict[str, Any], list[WorkerPod], list[WorkerView], list[Demand]]
) -> None:
    body, pods, views, demands = found
    after = plan(*pods, workers=tuple(views), environment=body, demands=tuple(demands), keeper=keeper)
    leaving = {one.pod_uid for one in views if one.leaving}
    for demand in demands:
        new = [one for one in after.actions if isinstance(one, CreateWorker) and one.revision == demand.revision]
        there = [one for one in pods if one.revision == demand.revision and one.alive and one.uid not in leaving]
        assert len(new) <= demand.waiting
        assert not new or len(new) + len(there) <= max(
            body["spec"]["replicas"], 2 if demand.revision != REVISION else 0
        )
        assert not {one.name for one in new} & {one.name for one in pods}


@given(found=pools())
def test_a_worker_that_runs_is_drained_and_never_deleted(
    found: tuple[dict[str, Any], list[WorkerPod], list[WorkerView], list[Demand]],
) -> None:
    body, pods, views, demands = found
    after = plan(*pods, workers=tuple(views), environment=body, demands=tuple(demands))
    running = {one.name for one in pods if one.stage is Stage.RUNNING}
    assert not running & set(deleted(after))
