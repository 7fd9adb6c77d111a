"""Pools of warm workers: what the watch tells of their pods, the pass over each, and why calls wait.

The other side is the dispatcher (``Dispatching``): it knows the calls and the workers that are connected, and tells
here when either changes. Passes are run for every ActorEnvironment by each replica; what only one may do is for its
keeper (see ``core.plan_actor``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from windlass_api import conditions
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import JSON_PATCH, METADATA_ONLY, Cluster
from windlass_operator.core.actions import Done, Held, Rejected
from windlass_operator.core.plan_actor import (
    LOOK_FOR_TEMPLATE,
    CreateWorker,
    DeleteWorker,
    Demand,
    DrainWorker,
    ObservedPool,
    PoolPlan,
    Refusal,
    WorkerView,
    plan_pool,
    state_of,
)
from windlass_operator.core.status import patch, unchanged
from windlass_operator.core.workers import WorkerPod, environment_of, read
from windlass_operator.dispatch.calls import PoolKey
from windlass_operator.dispatch.switchboard import PodView
from windlass_operator.kinds.evidence import Waiting
from windlass_operator.kinds.pods import of_mounts
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.answers import outcome_of
from windlass_operator.reconcile.definitions import Definitions, NotReachableError
from windlass_operator.reconcile.store import Store
from windlass_operator.settings import Settings
from windlass_operator.telemetry.actors import PoolCounts

Raw = Mapping[str, Any]
Key = tuple[str, str]
"""(namespace, ActorEnvironment)"""

SOON = 0.1
"""Seconds until news of calls are acted on: they come by the hundred, and a pod takes longer to start."""


class Dispatching(Protocol):
    """The dispatcher, as pools see it."""

    def demands(self, namespace: str, environment: str) -> Iterable[Demand]:
        """The calls of this replica for an environment, by revision."""

    def workers(self, namespace: str, environment: str) -> Iterable[WorkerView]:
        """The workers of an environment that are connected with this replica."""

    def drain(self, pod_uid: str, reason: str) -> None:
        """Tell a worker to take nothing more, and to leave once it is done."""

    def pods(self, namespace: str, environment: str, pods: Mapping[str, PodView]) -> None:
        """The workers' pods of an environment that have not ended, by uid."""

    def all_pods_known(self) -> None:
        """Whoever has not been told of has no pods."""

    def taken_over(self) -> int:
        """Executions have become this replica's: workers say what they have. Gives the number of this takeover."""

    def why(self, pool: PoolKey, why: Waiting) -> None:
        """Why calls wait for workers."""


@dataclass(slots=True)
class _Pool:
    """What is remembered of one environment's workers."""

    pods: dict[str, WorkerPod] = field(default_factory=dict)
    """By uid."""
    versions: dict[str, int] = field(default_factory=dict)
    """The resourceVersion of what is known of each."""
    troubles: dict[str, Waiting] = field(default_factory=dict)
    """What kubelets said of the volumes of some."""
    refusals: dict[str, Refusal] = field(default_factory=dict)
    counts_written_at: float = 0.0
    named: str = ""
    """The PodTemplate object that its environment names."""
    template: Raw | None = None
    """What is in that, if it is there."""
    template_read_at: float = 0.0


@dataclass(slots=True)
class Contact:
    """How workers find the dispatcher. Filled once it listens."""

    address: str = ""
    authority: str = ""
    since: float = 0.0


class Pools:
    """The pools of one operator."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        definitions: Definitions,
        dispatcher: Dispatching,
        settings: Settings,
        wake: Callable[[str, str, float], None],
        keeps: Callable[[str, str], bool],
    ) -> None:
        """``wake(namespace, environment, delay)`` asks for a pass; ``keeps(namespace, environment)`` says whether this
        replica has the environment's shard.
        """
        self._cluster, self._store, self._definitions, self._settings = cluster, store, definitions, settings
        self._wake, self._keeps = wake, keeps
        self.dispatcher = dispatcher
        self.contact = Contact()
        self._pools: dict[Key, _Pool] = {}
        self._elsewhere: Mapping[str, int] = {}
        self.needed = asyncio.Event()
        """Whether there are ActorEnvironments: nobody has to serve workers before."""

    # ---- news ----

    def news(self, namespace: str, environment: str) -> None:
        """Calls came or went, or workers did."""
        self._wake(namespace, environment, SOON)

    def pod_event(self, change: str, raw: Raw) -> None:
        """A worker's pod came, changed or went."""
        found = _read(raw)
        if found is None:
            return
        key, pod, version = found
        pool = self._pools.setdefault(key, _Pool())
        if change == "DELETED":
            pool.versions.pop(pod.uid, None)
            pool.troubles.pop(pod.uid, None)
            if pool.pods.pop(pod.uid, None) is not None:
                self._changed(key)
            return
        if pool.versions.get(pod.uid, -1) > version:
            return
        before = pool.pods.get(pod.uid)
        pod = replace(pod, seen=clock.now() if before is None else before.seen).troubled(pool.troubles.get(pod.uid))
        pool.pods[pod.uid], pool.versions[pod.uid] = pod, version
        if before != pod:
            self._changed(key)

    def pods_listed(self, raws: list[Raw], version: int, namespace: str = "") -> None:
        """All pods of workers (of a namespace), at one moment. Those that it lacks are gone, unless they are newer."""
        for raw in raws:
            self.pod_event("MODIFIED", raw)
        present = {raw["metadata"]["uid"] for raw in raws}
        for key, pool in self._pools.items():
            if namespace and key[0] != namespace:
                continue
            gone = [uid for uid in pool.pods if uid not in present and pool.versions[uid] <= version]
            for uid in gone:
                del pool.pods[uid], pool.versions[uid]
                pool.troubles.pop(uid, None)
            self._changed(key)

    def mount_event(self, event: Raw) -> None:
        """A kubelet says why it can't give a pod its volumes, which may be one of a worker."""
        about = event.get("involvedObject") or {}
        for key, pool in self._pools.items():
            before = pool.pods.get(about.get("uid", ""))
            if before is None or key[0] != about.get("namespace"):
                continue
            trouble = of_mounts(event)
            after = before.troubled(trouble)
            if after != before:
                pool.troubles[after.uid], pool.pods[after.uid] = trouble, after
                self._changed(key)
            return

    def opened(self, contact: Contact) -> None:
        """Workers can call from now on."""
        self.contact = contact
        for key in self._pools:
            self._wake(*key, 0.0)

    def all_listed(self) -> None:
        """The pods of all workers have been listed once."""
        self.dispatcher.all_pods_known()

    def _changed(self, key: Key) -> None:
        pods = self._pools[key].pods.values()
        views = {pod.uid: PodView(pod.revision, pod.started_at) for pod in pods if not pod.ended}
        self.dispatcher.pods(*key, views)
        self._wake(*key, 0.0)

    # ---- answers ----

    def find(self, namespace: str, environment: str, uid: str) -> WorkerPod | None:
        """One of them by its uid."""
        pool = self._pools.get((namespace, environment))
        return None if pool is None else pool.pods.get(uid)

    def counts(self) -> Iterable[PoolCounts]:
        """What there is, for the metrics."""
        for (namespace, environment), pool in self._pools.items():
            workers = {worker.pod_uid: worker for worker in self.dispatcher.workers(namespace, environment)}
            states = [state_of(pod, workers.get(pod.uid)) for pod in pool.pods.values()]
            demands = list(self.dispatcher.demands(namespace, environment))
            yield PoolCounts(
                namespace,
                environment,
                sum(demand.waiting for demand in demands),
                sum(demand.running for demand in demands),
                tuple((state, states.count(state)) for state in sorted(set(states))),
            )

    def waiting(self) -> dict[str, int]:
        """How many calls wait with this replica, by ``namespace/ActorEnvironment``: those with which some do."""
        found = {
            f"{namespace}/{environment}": sum(
                demand.waiting for demand in self.dispatcher.demands(namespace, environment)
            )
            for namespace, environment in self._pools
        }
        return {pool: count for pool, count in found.items() if count}

    def waiting_elsewhere(self, waiting: Mapping[str, int]) -> None:
        """How many wait with all other replicas."""
        before, self._elsewhere = self._elsewhere, waiting
        for pool in {*before, *waiting}:
            if before.get(pool) != waiting.get(pool):
                namespace, _, environment = pool.partition("/")
                self._wake(namespace, environment, SOON)

    # ---- the pass ----

    async def reconcile(self, namespace: str, name: str) -> None:
        """One pass over an environment, whether or not there is such an object.

        Raises:
            NotReachableError: the pass has to be repeated.
        """
        body = self._store.definition("ActorEnvironment", namespace, name)
        pool = self._pools.setdefault((namespace, name), _Pool())
        self.needed.set()
        verdict = await self._verdict(namespace, body)
        await self._read_template(namespace, pool, body)
        observed = self._observe(namespace, name, pool, body, verdict)
        plan = plan_pool(observed)
        problem = await self._apply(namespace, name, pool, plan)
        for revision, why in plan.waits.items():
            self.dispatcher.why(PoolKey(namespace, name, revision), why)
        if body is not None and plan.status is not None and self._keeps(namespace, name):
            await self._write(namespace, name, body, pool, plan.status)
        if plan.wake_at is not None:
            self._wake(namespace, name, plan.wake_at - observed.now)
        if body is None and not pool.pods and not observed.demands:
            del self._pools[namespace, name]
        if problem:
            raise NotReachableError(problem)

    async def _verdict(self, namespace: str, body: Raw | None) -> Raw:
        """What the definition's own rules say about it."""
        if body is None:
            return {}
        found = await self._definitions.judge("ActorEnvironment", namespace, body)
        return conditions.get(found.status["conditions"], conditions.READY) or {}

    async def _read_template(self, namespace: str, pool: _Pool, body: Raw | None) -> None:
        """Look at the PodTemplate object that the environment names, unless that was done a moment ago."""
        named = "" if body is None else body["spec"].get("podTemplateName") or ""
        if not named:
            pool.named, pool.template = "", None
        elif named != pool.named or clock.now() >= pool.template_read_at + LOOK_FOR_TEMPLATE:
            pool.template = await self._definitions.pod_template(namespace, named)
            pool.named, pool.template_read_at = named, clock.now()

    def _observe(self, namespace: str, name: str, pool: _Pool, body: Raw | None, verdict: Raw) -> ObservedPool:
        return ObservedPool(
            namespace=namespace,
            name=name,
            environment=body,
            template=pool.template,
            template_read_at=pool.template_read_at,
            ready=verdict,
            pods=tuple(pool.pods.values()),
            workers={worker.pod_uid: worker for worker in self.dispatcher.workers(namespace, name)},
            demands=tuple(self.dispatcher.demands(namespace, name)),
            waiting_elsewhere=self._elsewhere.get(f"{namespace}/{name}", 0),
            refusals=pool.refusals,
            keeper=self._keeps(namespace, name),
            listening_since=self.contact.since,
            address=self.contact.address,
            authority=self.contact.authority,
            counts_written_at=pool.counts_written_at,
            settings=self._settings,
            now=clock.now(),
        )

    async def _apply(self, namespace: str, name: str, pool: _Pool, plan: PoolPlan) -> str:
        """Do what the plan asks for. Gives why something could not be done, and has to be tried again."""
        problem = ""
        for action in plan.actions:
            match action:
                case CreateWorker():
                    problem = await self._create(namespace, name, pool, action) or problem
                case DeleteWorker():
                    problem = await self._delete(namespace, pool, action) or problem
                case DrainWorker(uid, reason):
                    self.dispatcher.drain(uid, reason)
        return problem

    async def _create(self, namespace: str, name: str, pool: _Pool, action: CreateWorker) -> str:
        """Start a worker. One that exists already is what was wanted: another replica was first."""
        answer = await self._cluster.request("POST", paths.pods(namespace), action.manifest, accept=METADATA_ONLY)
        if answer.ok:
            pool.refusals.pop(action.revision, None)
            self.pod_event("MODIFIED", {**action.manifest, **answer.body})
            return ""
        if answer.reason == "AlreadyExists":
            found = await self._cluster.request("GET", paths.pods(namespace, action.name))
            if found.ok:
                self.pod_event("MODIFIED", found.body)
            return "" if found.ok or found.status == 404 else found.message
        match outcome_of(answer):
            case Held(reason, message) | Rejected(reason, message):
                pool.refusals[action.revision] = Refusal(reason, message, clock.now())
                self._wake(namespace, name, 0.0)
                return ""
            case Done():
                return ""
            case _:
                return answer.message

    async def _delete(self, namespace: str, pool: _Pool, action: DeleteWorker) -> str:
        body = {"preconditions": {"uid": action.uid}}
        answer = await self._cluster.request("DELETE", paths.pods(namespace, action.name), body)
        if answer.ok or answer.status in (404, 409):
            return ""
        return answer.message

    async def _write(self, namespace: str, name: str, body: Raw, pool: _Pool, status: Mapping[str, Any]) -> None:
        operations = patch(body.get("status") or {}, status)
        guards = unchanged(body["metadata"]["uid"], body["metadata"]["resourceVersion"])
        path = f"{paths.ours('ActorEnvironment', namespace, name)}/status"
        answer = await self._cluster.request("PATCH", path, [*guards, *operations], content_type=JSON_PATCH)
        if answer.ok:
            self._store.remember_definition("ActorEnvironment", answer.body)
            pool.counts_written_at = clock.now()
        elif answer.status not in (404, 422):  # else it has changed, and the watch tells
            raise NotReachableError(answer.message)


def _read(raw: Raw) -> tuple[Key, WorkerPod, int] | None:
    pod, owner = read(raw), environment_of(raw["metadata"])
    if pod is None or owner is None:
        return None
    return (raw["metadata"]["namespace"], owner["name"]), pod, int(raw["metadata"]["resourceVersion"])
