"""The pass over an Execution, and the workers that run passes.

::

    event ──► Store ──► WakeQueue ──► worker: gather → plan → apply → record → status → telemetry
                            ▲                                   │
                            └────────── wake_after ◄────────────┘

Errors never reach kopf: a pass that raises is logged, counted, and repeated with a growing pause (at most
``PAUSE_CAP``).
"""

from __future__ import annotations

import logging
from typing import Any

from windlass_api import names
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import JSON_PATCH, METADATA_ONLY, Cluster
from windlass_operator.core.actions import (
    Action,
    DeleteExecution,
    DeletePod,
    Done,
    Held,
    Outcome,
    Recall,
    Rejected,
    TellExecution,
    Unavailable,
)
from windlass_operator.core.admission import UNTOLD, Admitted, NotYet, Refused, admit, any_run
from windlass_operator.core.closure import Closure, NodeKind
from windlass_operator.core.durable import is_durable
from windlass_operator.core.history import limits_any, surplus
from windlass_operator.core.observed import ExecutionState, Observed, Place
from windlass_operator.core.plan_execution import (
    Plan,
    Transition,
    gone_at,
    plan_execution,
    stuck,
    transitions,
    unfinished,
)
from windlass_operator.core.record import record
from windlass_operator.core.settling import unseen
from windlass_operator.core.sharding import shard_of
from windlass_operator.core.sharing import Limits
from windlass_operator.core.states import FINISHED, ExecutionPhase, NodePhase
from windlass_operator.core.status import (
    is_urgent,
    may_wait,
    over_before_start,
    parse,
    patch,
    render,
    unchanged,
    waiting,
)
from windlass_operator.dispatch.dispatcher import Dispatcher
from windlass_operator.manifests.logs import in_status
from windlass_operator.manifests.store import Run
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.apply import Applier
from windlass_operator.reconcile.bundles import bundles
from windlass_operator.reconcile.caching import CacheKeeper
from windlass_operator.reconcile.capacity import Capacity
from windlass_operator.reconcile.closures import ClosureKeeper
from windlass_operator.reconcile.definitions import Definitions, NotReachableError
from windlass_operator.reconcile.lookups import Lookups
from windlass_operator.reconcile.pools import Pools
from windlass_operator.reconcile.queue import WakeQueue
from windlass_operator.reconcile.shards import EVERYTHING, Ownership, ShardLostError
from windlass_operator.reconcile.store import FROM_THE_BEGINNING, Acquired, Key, Raw, Store, Tracked
from windlass_operator.settings import Settings
from windlass_operator.telemetry import Telemetry

WORKERS = 32
PAUSE_CAP = 30.0
LOOK_FOR_OTHERS = 5.0
"""Seconds between two looks for an object that an Execution waits for and that is not watched: code, a PodTemplate."""

ROUNDS = 12
"""Plans per pass. More than one is needed where something was looked up, or refused, which has consequences at once.
What is not done then is done in the next pass.
"""

POOL = "ActorEnvironment"
"""The kind of which each replica does its part: it starts the workers that its own calls need."""

CALLS_OFF = (DeletePod, TellExecution, Recall)
"""Actions that stop what runs."""

log = logging.getLogger("windlass.reconcile")


class Reconciler:
    """Makes the Executions of one cluster (or namespace) happen."""

    def __init__(
        self, cluster: Cluster, settings: Settings, telemetry: Telemetry, shards: Ownership = EVERYTHING
    ) -> None:
        limits = Limits(settings.max_pods, settings.max_pods_per_namespace, settings.namespace_weights)
        self.store = Store(capacity=Capacity(limits))
        self.queue: WakeQueue[Key] = WakeQueue()
        self._cluster, self._settings, self._telemetry = cluster, settings, telemetry
        self._closures = ClosureKeeper(cluster, self.store)
        self.cache = CacheKeeper(cluster)
        lookups = Lookups(cluster, self.store, self._closures, self.cache)
        self._definitions = Definitions(cluster, self.store)
        self.dispatcher = Dispatcher(
            clock.now,
            self._call_news,
            shards.owns,
            bundles(cluster),
            beat=settings.dispatcher_heartbeat,
        )
        self.pools = Pools(
            cluster,
            self.store,
            self._definitions,
            self.dispatcher,
            settings,
            lambda namespace, name, delay: self.queue.wake_after((POOL, namespace, name), delay),
            shards.owns,
        )
        self.dispatcher.pool_news = self.pools.news
        self.dispatcher.meter = telemetry.actors
        self._applier = Applier(cluster, self.store, lookups, self.dispatcher, self.news)
        self._failures: dict[Key, int] = {}
        self._starts, self._owns = shards.starts, shards.owns

    def definition_event(self, kind: str, change: str | None, body: Raw) -> None:
        """A definition came, changed or went: look at it, and at who may have waited for it."""
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        if change == "DELETED":
            self.store.forget_definition(kind, body)
            if kind == POOL:
                self.queue.wake((kind, namespace, name))
        else:
            self.store.remember_definition(kind, body)
            self.queue.wake((kind, namespace, name))
        for key in self.store.dependents(kind, namespace, name):
            self.queue.wake(key)

    def execution_event(self, change: str | None, body: Raw) -> None:
        """An Execution came, changed or went: look at it, and at whose child it is."""
        if change == "DELETED":
            parent = self.store.forget_child(body)
            for key in self.store.forget_execution(body):
                self.queue.wake(key)
            namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
            if self.dispatcher.has(namespace, name):  # its calls have to end
                self.queue.wake(("Execution", namespace, name))
        else:
            parent = self.store.remember_child(body)
            self._wake_plan(body)
            if self.store.remember_execution(body):
                self.queue.wake(("Execution", body["metadata"]["namespace"], body["metadata"]["name"]))
        self.news(parent)

    def _wake_plan(self, body: Raw) -> None:
        """A run of a launch plan has ended: it may be one too many to be kept."""
        plan, phase = (body.get("spec") or {}).get("launchPlan"), (body.get("status") or {}).get("phase")
        if plan and phase in OVER and names.LABEL_PARENT not in (body["metadata"].get("labels") or {}):
            self.queue.wake(("LaunchPlan", body["metadata"]["namespace"], plan["name"]))

    def signal_event(self, change: str | None, body: Raw) -> None:
        """A question came, was answered, or went."""
        self.news(self.store.forget_signal(body) if change == "DELETED" else self.store.remember_signal(body))

    def pod_event(self, change: str, raw: Raw) -> None:
        """A pod of ours came, changed or went."""
        self.news(self.store.forget_pod(raw) if change == "DELETED" else self.store.remember_pod(raw))
        self._wake_freed()

    def pods_listed(self, raws: list[Raw], version: int, namespace: str = "") -> None:
        """All pods of ours (of a namespace), at one moment."""
        for key in self.store.replace_pods(raws, version, namespace):
            self.news(key)
        self._wake_freed()

    def mount_event(self, change: str, raw: Raw) -> None:
        """The kubelet says why it can't give a pod its volumes. That the Event is gone says nothing."""
        if change != "DELETED":
            self._mount_trouble(raw)

    def mounts_listed(self, raws: list[Raw], version: int) -> None:
        """All that kubelets have said of late."""
        for raw in raws:
            self._mount_trouble(raw)

    def _mount_trouble(self, event: Raw) -> None:
        """Of the pod of a task, or of a worker."""
        self.news(self.store.remember_trouble(event))
        self.pools.mount_event(event)

    def _wake_freed(self) -> None:
        """There may be room for those who wait for some."""
        for key in self.store.capacity.freed():
            self.queue.wake(("Execution", *key))

    def news(self, key: Key | None) -> None:
        """Something happened to a child of an Execution, or to a question of it."""
        if key is None:
            return
        tracked = self.store.executions.get((key[1], key[2]))
        if tracked is not None:
            if tracked.touched is None:
                tracked.touched = clock.monotonic()
            self.queue.wake(key)

    def _call_news(self, namespace: str, execution: str, delay: float) -> None:
        """A call of an Execution has moved: act on it within so many seconds."""
        key = ("Execution", namespace, execution)
        if delay:
            self.queue.wake_after(key, delay)
            return
        self.news(key)
        self.queue.wake(key)  # one that isn't known may be gone, and then its calls have to end

    def live(self) -> int:
        """How many Executions of ours have not ended."""
        return sum(self._owns(*key) and not _is_over(tracked) for key, tracked in self.store.executions.items())

    async def work(self) -> None:
        """One worker, for ever."""
        while True:
            key = await self.queue.get()
            try:
                await self._handle(key)
                self._failures.pop(key, None)
            except ShardLostError:
                self.queue.forget(key)
            except NotReachableError as trouble:
                self._again(key, str(trouble))
            except Exception as bug:
                log.exception("a pass failed", extra={"key": "/".join(key)})
                self._telemetry.pass_failed(key[0])
                self._again(key, repr(bug))
            finally:
                self.queue.done(key)

    def _again(self, key: Key, why: str) -> None:
        count = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(PAUSE_CAP, 0.5 * 2 ** min(count - 1, 10))
        log.warning("%s %s/%s will be looked at again in %.1f s: %s", *key, pause, why)
        self.queue.wake_after(key, pause)

    async def _handle(self, key: Key) -> None:
        kind, namespace, name = key
        if kind != POOL and not self._starts(namespace, name):
            self.queue.forget(key)
            return
        with self._telemetry.timed_pass(kind):
            if kind == "Execution":
                await self._execution(namespace, name)
            elif kind == POOL:
                await self.pools.reconcile(namespace, name)
            else:
                await self._definitions.reconcile(kind, namespace, name)
            if kind == "LaunchPlan":
                await self._trim_runs(namespace, name)

    async def _trim_runs(self, namespace: str, plan: str) -> None:
        """Delete the runs of a launch plan that are beyond what it keeps."""
        body = self.store.definition("LaunchPlan", namespace, plan)
        if body is None or not limits_any(body["spec"]):
            return
        for run in surplus(body["spec"], self.store.runs_of(namespace, plan)):
            path = paths.ours("Execution", namespace, run.name)
            options = {"preconditions": {"uid": run.uid}, "propagationPolicy": "Background"}
            answer = await self._cluster.request("DELETE", path, options)
            if not answer.ok and answer.status not in (404, 409):
                raise NotReachableError(answer.message)

    def since(self, namespace: str, name: str) -> Acquired:
        """When an object became this replica's to look after."""
        return self.store.acquired.get(shard_of(namespace, name, self._settings.shards), FROM_THE_BEGINNING)

    def _check(self, namespace: str, name: str) -> None:
        """Before anything is written.

        Raises:
            ShardLostError: it is for another replica to do.
        """
        if not self._owns(namespace, name):
            raise ShardLostError

    async def _execution(self, namespace: str, name: str) -> None:
        self.store.refresh(namespace, name)
        tracked = self.store.executions.get((namespace, name))
        if tracked is None or tracked.deleting:
            self.queue.forget(("Execution", namespace, name))
            await self._gone(namespace, name, tracked)
            return
        self.dispatcher.close(namespace, name, but="" if _is_over(tracked) else tracked.uid)
        if _is_over(tracked) and not self._is_needed(namespace, name, tracked):
            return
        never_began = _is_over(tracked) and not tracked.written.get("closure")
        closure = None if never_began else await self._closure(namespace, name, tracked)
        if closure is not None:
            await self._look_for_unseen(namespace, name, tracked, closure)
            await self._advance(namespace, name, tracked, closure)
        elif _is_over(tracked) and self._may_expire(tracked):
            await self._expire(namespace, name, tracked)

    async def _expire(self, namespace: str, name: str, tracked: Tracked) -> None:
        """One that ended before it began, or whose closure is lost, goes when its time is up, like all others."""
        plan = self.store.definition("LaunchPlan", namespace, (tracked.spec.get("launchPlan") or {}).get("name", ""))
        of_plan = plan["spec"].get("ttlAfterFinished") if plan is not None else None
        state = parse(tracked.written)  # nobody may have answered when it was written
        goes_at = gone_at(tracked.spec.get("ttlAfterFinished") or of_plan, state, self._settings)
        if goes_at is None:
            return
        wait = goes_at - clock.now()
        if wait <= 0:
            self._check(namespace, name)
            last = Plan(state, actions=(DeleteExecution(name),))
            outcomes = await self._applier.apply(namespace, name, tracked.uid, last)
            again = record(last, outcomes, clock.now()).wake_at
            if again is None:
                return
            wait = again - clock.now()
        self.queue.wake_after(("Execution", namespace, name), wait)

    async def _gone(self, namespace: str, name: str, tracked: Tracked | None) -> None:
        """Calls of an Execution that isn't there any more end. One that we don't know may be there all the same."""
        if not self.dispatcher.has(namespace, name):
            return
        if tracked is None:
            answer = await self._cluster.request("GET", paths.ours("Execution", namespace, name), accept=METADATA_ONLY)
            if not answer.ok and answer.status != 404:
                raise NotReachableError(answer.message)
            if answer.ok:
                return  # its watch will tell
        self.dispatcher.close(namespace, name)

    def _is_needed(self, namespace: str, name: str, tracked: Tracked) -> bool:
        """Whether there is something to do for an Execution that is over: children that must go, or its own time."""
        if not tracked.written.get("closure"):
            return self._may_expire(tracked)
        pods = self.store.views(namespace, name, tracked.uid).open
        children = self.store.child_views(namespace, name, tracked.uid).open
        lives_on = any(not view.deleting for view in pods.values()) or any(
            not view.deleting and not view.cancelled for view in children.values()
        )
        return lives_on or self._may_expire(tracked)

    def _may_expire(self, tracked: Tracked) -> bool:
        if tracked.depth:
            return False
        by_plan = tracked.spec.get("launchPlan") is not None
        return bool(tracked.spec.get("ttlAfterFinished") or self._settings.ttl_after_finished or by_plan)

    async def _closure(self, namespace: str, name: str, tracked: Tracked) -> Closure | None:
        """The closure that the Execution is pinned to, or is pinned to now; None when there is none (yet, or ever)."""
        digest = tracked.written.get("closure")
        if not digest:
            started = tracked.pinned or self.store.closure_of(namespace, name, tracked.uid)
            return await (
                self._resume(namespace, name, tracked, started) if started else self._admit(namespace, name, tracked)
            )
        found = await self._closures.find(namespace, digest)
        if isinstance(found, Closure):
            outcome = await self._closures.keep(namespace, name, tracked.uid, found)
            if isinstance(outcome, Unavailable):
                raise NotReachableError(outcome.message)
            if isinstance(outcome, Done):
                return found
        elif not isinstance(found, Held):
            raise NotReachableError(str(found))
        # It is lost. Nobody needs it any more where all is over.
        return None if _is_over(tracked) else await self._admit(namespace, name, tracked, digest)

    async def _resume(self, namespace: str, name: str, tracked: Tracked, digest: str) -> Closure | None:
        """Children were started, and no status says so yet: go on with the closure that they belong to."""
        found = await self._closures.find(namespace, digest)
        if isinstance(found, Closure):
            return await self._pin(namespace, name, tracked, found)
        if not isinstance(found, Held):
            raise NotReachableError(str(found))
        return await self._admit(namespace, name, tracked)

    async def _admit(self, namespace: str, name: str, tracked: Tracked, pinned: str | None = None) -> Closure | None:
        """Admit the Execution; or, when ``pinned`` is given, rebuild the closure that it lost."""
        if tracked.spec.get("cancel") and not pinned:
            await self._end_early(
                namespace, name, tracked, ExecutionPhase.CANCELLED, "Cancelled", "cancelled before it started"
            )
            return None
        store = self._settings.store
        verdict = await self._definitions.resolving(
            namespace,
            lambda lookup: admit(
                tracked.spec,
                lookup.find,
                lookup.code,
                store,
                lookup.pod_template,
                any_run if pinned else lookup.is_run,  # one that was there when it began may be gone
            ),
        )
        if pinned and not (isinstance(verdict, Admitted) and verdict.closure.hash == pinned):
            await self._give_up(namespace, name, tracked, pinned)
            return None
        match verdict:
            case Refused(reason, message):
                await self._end_early(namespace, name, tracked, ExecutionPhase.FAILED, reason, message)
            case NotYet(reason, message):
                await self._wait(namespace, name, tracked, reason, message)
                if reason in UNTOLD:
                    self.queue.wake_after(("Execution", namespace, name), LOOK_FOR_OTHERS)
            case Admitted(closure):
                return await self._pin(namespace, name, tracked, closure)
        return None

    async def _give_up(self, namespace: str, name: str, tracked: Tracked, pinned: str) -> None:
        """The closure is lost for good: without it nobody knows what the pods that run are for."""
        pods = unfinished(self.store.views(namespace, name, tracked.uid))
        actions = tuple(DeletePod(view.node, view.name) for view in pods)
        self._check(namespace, name)
        await self._applier.apply(namespace, name, tracked.uid, Plan(tracked.state, actions=actions))
        text = f"the closure {pinned} of this execution is gone, and the definitions have changed since; run it again"
        await self._end_early(namespace, name, tracked, ExecutionPhase.FAILED, "ClosureLost", text)

    async def _pin(self, namespace: str, name: str, tracked: Tracked, closure: Closure) -> Closure | None:
        self._check(namespace, name)
        outcome: Outcome = await self._closures.pin(namespace, name, tracked.uid, closure)
        match outcome:
            case Done():
                if tracked.pinned not in ("", closure.hash):  # what is known of nodes is of the closure before
                    tracked.state = ExecutionState()
                tracked.pinned = closure.hash
                return closure
            case Held(reason, message):
                await self._wait(namespace, name, tracked, reason, message)
                self.queue.wake_after(("Execution", namespace, name), 5.0)
            case Rejected(_, message):
                await self._end_early(namespace, name, tracked, ExecutionPhase.FAILED, "ClosureRefused", message)
            case Unavailable(message):
                raise NotReachableError(message)
        return None

    async def _wait(self, namespace: str, name: str, tracked: Tracked, reason: str, message: str) -> None:
        status = waiting(tracked.written, reason, message, tracked.generation, clock.now())
        await self._write(namespace, name, tracked, status)

    async def _end_early(
        self, namespace: str, name: str, tracked: Tracked, phase: ExecutionPhase, reason: str, message: str
    ) -> None:
        now = clock.now()
        status = over_before_start(tracked.written, phase, reason, message, tracked.generation, now)
        if await self._write(namespace, name, tracked, status):
            tracked.state = ExecutionState(phase=phase, finished_at=now, nodes=tracked.state.nodes)
            self._telemetry.execution_over(namespace, name, phase.value, None)

    async def _look_for_unseen(self, namespace: str, name: str, tracked: Tracked, closure: Closure) -> None:
        """The status that somebody else has written tells of children that our watches may not have told of yet."""
        if tracked.looked:
            return
        for node, child in unseen(self._gather(namespace, name, tracked, closure)):
            is_run = node.kind is NodeKind.PLAN
            path = paths.ours("Execution", namespace, child) if is_run else paths.pods(namespace, child)
            answer = await self._cluster.request("GET", path)
            if answer.ok:
                (self.store.remember_child if is_run else self.store.remember_pod)(answer.body)
            elif answer.status != 404:
                raise NotReachableError(answer.message)
        tracked.looked = True

    async def _advance(self, namespace: str, name: str, tracked: Tracked, closure: Closure) -> None:
        was_over, was_pinned = _is_over(tracked), bool(tracked.written.get("closure"))
        touched, tracked.touched = tracked.touched, None
        tracked.forget_cache()
        observed = self._gather(namespace, name, tracked, closure)
        wake_at: float | None = None
        short = 0
        calls_off: list[Action] = []
        moved: list[tuple[str, NodePhase]] = []
        try:
            for _ in range(ROUNDS):
                plan = plan_execution(observed)
                short = plan.waiting
                self._check(namespace, name)
                calls_off += [action for action in plan.actions if isinstance(action, CALLS_OFF)]
                outcomes = await self._applier.apply(namespace, name, tracked.uid, plan.without(*CALLS_OFF))
                recorded = record(plan, outcomes, clock.now())
                wake_at = recorded.wake_at
                tracked.remember(recorded)
                moves = tuple(transitions(observed.state.nodes, tracked.state.nodes))
                moved += [(move.node, move.after) for move in moves]
                self._observe(namespace, name, tracked, moves, touched, closure.calls)
                if not recorded.again:
                    break
                observed = self._gather(namespace, name, tracked, closure)
            else:
                wake_at = clock.now()
        finally:
            self.store.capacity.wants((namespace, name), short)
            self._wake_freed()
        if tracked.state.phase in FINISHED:
            tracked.known.clear()
        now = clock.now()
        if (
            moved
            and not calls_off
            and may_wait(tracked.written, tracked.state, tracked.generation, moved, closure.calls)
            and not self._due(tracked)
        ):
            self._later(namespace, name, tracked, wake_at, now)
            return
        status = render(
            tracked.written,
            tracked.state,
            closure,
            stuck(observed, tracked.state),
            tracked.generation,
            now,
            tracked.shown,
            in_status(
                self._settings, Run(namespace, name, tracked.uid, str(observed.setting("rawOutputPrefix") or ""))
            ),
        )
        written = await self._write(namespace, name, tracked, status, closure.calls)
        if written:
            tracked.shown = tracked.state.nodes
        if written and closure.calls:
            self._acknowledge(namespace, name, tracked)
            wake_at = wake_at if was_pinned else now
        if calls_off and (written or tracked.lazy_since is not None):
            wake_at = await self._call_off(namespace, name, tracked, calls_off, wake_at)
        if written and _is_over(tracked) and not was_over:
            duration = now - tracked.state.started_at if tracked.state.started_at is not None else None
            self._telemetry.execution_over(namespace, name, tracked.state.phase.value, duration)
        if wake_at is not None:
            self.queue.wake_after(("Execution", namespace, name), wake_at - now)

    async def _call_off(
        self, namespace: str, name: str, tracked: Tracked, actions: list[Action], wake_at: float | None
    ) -> float | None:
        """Stop children, once it is written why: who finds them gone knows then that it was not their own end."""
        self._check(namespace, name)
        plan = Plan(tracked.state, actions=tuple(dict.fromkeys(actions)))
        outcomes = await self._applier.apply(namespace, name, tracked.uid, plan)
        again = record(plan, outcomes, clock.now()).wake_at
        return again if wake_at is None else min(wake_at, again or wake_at)

    def _later(self, namespace: str, name: str, tracked: Tracked, wake_at: float | None, now: float) -> None:
        """What moved is written with what moves next."""
        key = ("Execution", namespace, name)
        self.queue.wake_after(key, tracked.pause)
        if wake_at is not None:
            self.queue.wake_after(key, wake_at - now)

    def _acknowledge(self, namespace: str, name: str, tracked: Tracked) -> None:
        """What calls came to is written down: their workers need not hold it any longer."""
        ended = self.dispatcher.ended(namespace, name, tracked.uid)
        durable = [call.id for call in ended if is_durable(tracked.state, Place(*call.key[3:]))]
        if durable:
            self.dispatcher.acknowledge(durable)

    def _unsure(self, namespace: str, name: str, tracked: Tracked, closure: Closure) -> frozenset[str]:
        """Environments whose workers may have calls that nobody here knows of."""
        if not closure.calls:
            return frozenset()
        if not tracked.written.get("closure"):  # nobody has handed any out
            return frozenset(actor.environment for actor in closure.actors)
        return self.dispatcher.unsure(namespace, name, closure.actors, *self.since(namespace, name))

    def _gather(self, namespace: str, name: str, tracked: Tracked, closure: Closure) -> Observed:
        return Observed(
            name=name,
            namespace=namespace,
            uid=tracked.uid,
            spec=tracked.spec,
            state=tracked.state,
            closure=closure,
            pods=self.store.views(namespace, name, tracked.uid),
            executions=self.store.child_views(namespace, name, tracked.uid),
            calls=self.dispatcher.views(namespace, name, tracked.uid) if closure.calls else {},
            unsure=self._unsure(namespace, name, tracked, closure),
            pinned=bool(tracked.written.get("closure")),
            signals=self.store.questions(namespace, name, tracked.uid),
            known=tracked.known,
            reservations=tracked.reservations,
            room=self.store.capacity.room((namespace, name)),
            depth=tracked.depth,
            settings=self._settings,
            now=clock.now(),
        )

    def _observe(
        self,
        namespace: str,
        name: str,
        tracked: Tracked,
        moves: tuple[Transition, ...],
        touched: float | None,
        calls: frozenset[str],
    ) -> None:
        started = {move.node for move in moves if move.after is NodePhase.QUEUED}
        if touched is not None and started:
            observe = self._telemetry.actors.hopped if started & calls else self._telemetry.handed_over
            observe(clock.monotonic() - touched)
        self._telemetry.node_transitions(namespace, name, tracked.uid, moves)

    async def _write(
        self, namespace: str, name: str, tracked: Tracked, status: dict[str, Any], calls: frozenset[str] = frozenset()
    ) -> bool:
        """The pass's one status write. True when the API server has it; a write that may wait is put off and False."""
        operations = patch(tracked.written, status)
        if not operations:
            return True
        if not is_urgent(operations, calls) and not self._due(tracked):
            self.queue.wake_after(("Execution", namespace, name), tracked.pause)
            return False
        self._check(namespace, name)
        tracked.sent = status
        body = [*unchanged(tracked.uid, tracked.version), *operations]
        path = f"{paths.ours('Execution', namespace, name)}/status"
        began = clock.monotonic()
        answer = await self._cluster.request("PATCH", path, body, content_type=JSON_PATCH, accept=METADATA_ONLY)
        if answer.ok:
            tracked.took(clock.monotonic() - began)
            tracked.version = answer.body["metadata"]["resourceVersion"]
            tracked.written, tracked.lazy_since = status, None
            tracked.shown = {}
            return True
        if answer.status == 404:
            self._is_gone(namespace, name, tracked)
            return False
        if answer.status in (400, 413, 422):
            again = await self._resync(namespace, name, tracked, answer.message)
            return again and await self._write(namespace, name, tracked, status, calls)
        raise NotReachableError(answer.message)

    def _is_gone(self, namespace: str, name: str, tracked: Tracked) -> None:
        """Nobody has told us that it was deleted, and perhaps nobody will: another pass ends its calls."""
        tracked.deleting = True
        self.queue.wake(("Execution", namespace, name))

    def _due(self, tracked: Tracked) -> bool:
        now = clock.monotonic()
        if tracked.lazy_since is None:
            tracked.lazy_since = now
        return now - tracked.lazy_since >= tracked.pause

    async def _resync(self, namespace: str, name: str, tracked: Tracked, why: str) -> bool:
        """The API server doesn't have the Execution that we think it has: read it again. True when the status may be
        written all the same, because only the rest has changed; when the status has, another pass starts from it.
        """
        answer = await self._cluster.request("GET", paths.ours("Execution", namespace, name))
        if answer.status == 404 or (answer.ok and answer.body["metadata"]["uid"] != tracked.uid):
            self._is_gone(namespace, name, tracked)
            return False
        before, believed = tracked.version, tracked.written
        if answer.ok:
            tracked.take_over(answer.body["metadata"]["resourceVersion"], answer.body.get("status") or {})
        if tracked.written is not believed:
            self.queue.wake(("Execution", namespace, name))
            return False
        if tracked.version != before:
            return True
        raise NotReachableError(f"the status was refused: {why}")


OVER = frozenset(phase.value for phase in FINISHED)


def _is_over(tracked: Tracked) -> bool:
    """Whether its end has been written: until then it isn't over for anybody but us."""
    return tracked.written.get("phase") in OVER
