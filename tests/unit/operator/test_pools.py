"""Passes over pools of workers, against an API server in memory and a dispatcher played by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tests.unit.operator.fake_cluster import FakeCluster, refusal
from tests.unit.operator.things import Body, definition
from windlass_api import conditions, names
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import Answer
from windlass_operator.core import unsupported
from windlass_operator.core.plan_actor import LOOK_FOR_TEMPLATE, Demand, WorkerView
from windlass_operator.dispatch.calls import PoolKey
from windlass_operator.dispatch.switchboard import PodView
from windlass_operator.kinds.evidence import Waiting
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.definitions import Definitions, NotReachableError
from windlass_operator.reconcile.pools import Contact, Pools
from windlass_operator.reconcile.store import Store
from windlass_operator.settings import Settings

PODS = paths.pods("ns")
ENVIRONMENT = paths.ours("ActorEnvironment", "ns", "models")


@pytest.fixture(autouse=True)
def _actors_are_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple(row for row in unsupported.ROWS if row.field != "ActorEnvironment")
    monkeypatch.setattr(unsupported, "ROWS", rows)


class Dispatcher:
    """Calls and workers, as a test says."""

    def __init__(self) -> None:
        self.waiting, self.spec = 0, {"replicas": 2}
        self.connected: dict[str, WorkerView] = {}
        self.drained: list[str] = []
        self.known: Mapping[str, PodView] = {}
        self.whys: dict[str, Waiting] = {}

    def demands(self, namespace: str, environment: str) -> Iterable[Demand]:
        if self.waiting:
            yield Demand(revision=names.pool_revision(self.spec), spec=self.spec, waiting=self.waiting)

    def workers(self, namespace: str, environment: str) -> Iterable[WorkerView]:
        return self.connected.values()

    def drain(self, pod_uid: str, reason: str) -> None:
        self.drained.append(pod_uid)

    def pods(self, namespace: str, environment: str, pods: Mapping[str, PodView]) -> None:
        self.known = pods

    def all_pods_known(self) -> None:
        pass

    def taken_over(self) -> int:
        return 1

    def why(self, pool: PoolKey, why: Waiting) -> None:
        self.whys[pool.revision] = why


class World:
    """One pool."""

    def __init__(self, *, keeper: bool = True) -> None:
        self.cluster, self.store, self.dispatcher = FakeCluster(), Store(), Dispatcher()
        self.woken: list[float] = []
        definitions = Definitions(self.cluster, self.store)
        self.pools = Pools(
            self.cluster,
            self.store,
            definitions,
            self.dispatcher,
            Settings(),
            lambda _namespace, _name, delay: self.woken.append(delay),
            lambda *_: keeper,
        )
        self.pools.contact = Contact("10.0.0.1:7433", "PEM", 0.0)

    def environment(self, **spec: Any) -> None:
        body = definition("ActorEnvironment", "models", {"replicas": 2, **spec})
        put = self.cluster.put(ENVIRONMENT.rpartition("/")[0], body)
        self.store.remember_definition("ActorEnvironment", put)

    def reconcile(self) -> Body:
        """A pass; gives the status afterwards."""
        asyncio.run(self.pools.reconcile("ns", "models"))
        found = self.cluster.get(ENVIRONMENT)
        return {} if found is None else dict(found.get("status") or {})

    def pods(self) -> list[str]:
        return sorted(one["metadata"]["name"] for one in asyncio.run(self.cluster.request("GET", PODS)).body["items"])

    def say(self, name: str, **status: Any) -> None:
        """A pod has this status now, and the watch tells."""
        body = self.cluster.put(PODS, {**(self.cluster.get(f"{PODS}/{name}") or {}), "status": status})
        self.pools.pod_event("MODIFIED", body)


@pytest.fixture
def world() -> World:
    found = World()
    found.environment()
    return found


def test_a_pass_starts_workers_for_calls_and_says_so(world: World) -> None:
    world.dispatcher.waiting = 1
    status = world.reconcile()
    (name,) = world.pods()
    assert world.dispatcher.whys[names.pool_revision({"replicas": 2})].reason == "WorkerStarting"
    assert (status["queuedCalls"], status["replicas"]) == (1, 0), "of what was known before"
    assert world.reconcile()["replicas"] == 1
    assert world.pods() == [name], "it is on its way"


def test_a_pass_that_finds_nothing_new_writes_nothing(world: World) -> None:
    world.reconcile()
    before = len(world.cluster.requests)
    world.reconcile()
    assert world.cluster.requests[before:] == []


def test_a_pod_that_another_replica_made_is_as_good_as_ours(world: World) -> None:
    world.dispatcher.waiting = 1
    world.reconcile()
    (name,) = world.pods()
    other = World()
    other.environment()
    other.cluster.put(PODS, world.cluster.get(f"{PODS}/{name}") or {})
    other.dispatcher.waiting = 1
    other.reconcile()
    other.reconcile()
    assert (len(other.dispatcher.known), other.pods()) == (1, [name])


def test_what_the_api_server_refuses_stands_in_the_status(world: World) -> None:
    world.dispatcher.waiting = 1
    world.cluster.say("POST", PODS, refusal(403, "Forbidden", "pods is forbidden: exceeded quota: small"))
    world.reconcile()
    status = world.reconcile()
    ready = conditions.get(status["conditions"], conditions.READY)
    assert ready is not None and (ready["status"], ready["reason"]) == ("False", "QuotaExceeded")
    assert world.pods() == []


def test_a_worker_whose_volumes_can_not_be_mounted_is_stuck_with_what_the_kubelet_says(world: World) -> None:
    world.dispatcher.waiting = 1
    world.reconcile()
    (name,) = world.pods()
    uid = world.cluster.get(f"{PODS}/{name}")["metadata"]["uid"]  # type: ignore[index]
    about = {"kind": "Pod", "namespace": "ns", "name": name, "uid": uid}
    world.pools.mount_event({"involvedObject": about, "reason": "FailedMount", "message": 'secret "db" not found'})
    for _ in range(2):
        status = world.reconcile()
        ready = conditions.get(status["conditions"], conditions.READY)
        assert ready is not None and (ready["reason"], ready["message"]) == (
            "FailedMount",
            f'worker {name}: secret "db" not found',
        )
        world.say(name, phase="Pending")  # it says nothing of it
    assert next(iter(world.dispatcher.whys.values())).stuck
    world.pools.mount_event({"involvedObject": about, "reason": "FailedMount", "message": 'secret "tls" not found'})
    world.reconcile()
    assert "tls" in next(iter(world.dispatcher.whys.values())).message
    world.say(name, phase="Pending", conditions=[{"type": "PodReadyToStartContainers", "status": "True"}])
    world.reconcile()
    assert next(iter(world.dispatcher.whys.values())).reason == "WorkerStarting"


def test_trouble_with_the_volumes_of_others_is_left_alone(world: World) -> None:
    world.dispatcher.waiting = 1
    world.reconcile()
    world.pools.mount_event({"involvedObject": {"namespace": "ns", "uid": "p9"}, "reason": "FailedMount"})
    world.pools.mount_event({})
    world.reconcile()
    assert next(iter(world.dispatcher.whys.values())).reason == "WorkerStarting"


def test_without_an_answer_the_pass_is_repeated(world: World) -> None:
    world.dispatcher.waiting = 1
    world.cluster.say("POST", PODS, Answer(0, {"message": "no connection"}))
    with pytest.raises(NotReachableError):
        world.reconcile()
    world.reconcile()
    assert len(world.pods()) == 1


def test_a_worker_that_left_is_cleaned_up_and_its_name_is_free_again(world: World) -> None:
    world.dispatcher.waiting = 1
    world.reconcile()
    (name,) = world.pods()
    world.dispatcher.waiting = 0
    world.say(name, phase="Succeeded")
    world.reconcile()
    assert world.pods() == []
    world.pools.pods_listed([], 10**9)
    world.dispatcher.waiting = 1
    world.reconcile()
    assert world.pods() == [name]


def test_too_many_workers_are_drained_through_the_dispatcher(world: World) -> None:
    world.dispatcher.waiting = 2
    world.reconcile()
    world.dispatcher.waiting = 0
    for name in world.pods():
        running = {"name": "main", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
        world.say(name, phase="Running", containerStatuses=[running])
    pods = world.dispatcher.known.items()
    views = (WorkerView(pod_uid=uid, revision=one.revision, free=1) for uid, one in pods)
    world.dispatcher.connected = {view.pod_uid: view for view in views}
    world.environment(replicas=1)
    world.reconcile()
    assert len(world.dispatcher.drained) == 1 and len(world.pods()) == 2


def test_who_has_not_the_shard_starts_workers_and_leaves_the_status_alone() -> None:
    world = World(keeper=False)
    world.environment()
    world.dispatcher.waiting = 2
    assert world.reconcile() == {}
    assert len(world.pods()) == 2


def test_a_list_of_pods_forgets_those_that_it_lacks_in_its_namespace_only(world: World) -> None:
    world.dispatcher.waiting = 1
    world.reconcile()
    world.pools.pods_listed([], 10**9, "elsewhere")
    assert len(world.dispatcher.known) == 1
    world.pools.pods_listed([], 10**9, "ns")
    assert world.dispatcher.known == {}


def test_older_news_of_a_pod_change_nothing(world: World) -> None:
    world.dispatcher.waiting = 1
    world.reconcile()
    (name,) = world.pods()
    old = world.cluster.get(f"{PODS}/{name}") or {}
    world.say(name, phase="Succeeded")
    world.pools.pod_event("MODIFIED", old)
    assert world.dispatcher.known == {}, "it has ended, and stays so"


def test_calls_for_an_environment_that_is_gone_are_told_so() -> None:
    world = World()
    world.dispatcher.waiting = 1
    world.reconcile()
    why = world.dispatcher.whys[names.pool_revision({"replicas": 2})]
    assert (why.reason, world.pods()) == ("ActorEnvironmentNotFound", [])


TEMPLATE_PATH = paths.pod_template("ns", "base")


def put_template(world: World, hostname: str) -> None:
    body = {"metadata": {"name": "base", "namespace": "ns"}, "template": {"spec": {"hostname": hostname}}}
    world.cluster.put(TEMPLATE_PATH.rpartition("/")[0], body)


def reads(world: World) -> int:
    return sum(path == TEMPLATE_PATH for _, path in world.cluster.requests)


def test_a_named_pod_template_is_read_now_and_then_and_its_absence_stands_in_the_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.environment(podTemplateName="base")
    monkeypatch.setattr(clock, "now", lambda: 1000.0)
    ready = conditions.get(world.reconcile()["conditions"], conditions.READY)
    assert ready is not None and (ready["status"], ready["reason"]) == ("False", "PodTemplateNotFound")
    assert LOOK_FOR_TEMPLATE in world.woken
    put_template(world, "a")
    world.reconcile()
    assert reads(world) == 1, "it was looked at a moment ago"
    monkeypatch.setattr(clock, "now", lambda: 1000.0 + LOOK_FOR_TEMPLATE)
    ready = conditions.get(world.reconcile()["conditions"], conditions.READY)
    assert ready is not None and ready["status"] == "True"
    assert reads(world) == 2


def test_an_environment_that_names_another_pod_template_has_that_one_read_at_once() -> None:
    world = World()
    world.environment()
    world.reconcile()
    assert reads(world) == 0
    put_template(world, "a")
    world.environment(podTemplateName="base")
    status = world.reconcile()
    assert (reads(world), [one["status"] for one in status["conditions"]]) == (1, ["True"])


def test_the_calls_that_wait_are_those_of_all_replicas(world: World) -> None:
    world.dispatcher.waiting = 3
    world.reconcile()
    assert world.pools.waiting() == {"ns/models": 3}
    world.woken.clear()
    world.pools.waiting_elsewhere({"ns/models": 4, "other/models": 9})
    assert len(world.woken) == 2
    assert world.reconcile()["queuedCalls"] == 7
    world.woken.clear()
    world.pools.waiting_elsewhere({"other/models": 9})
    assert len(world.woken) == 1, "of one it is news"
    world.dispatcher.waiting = 0
    assert world.pools.waiting() == {}
