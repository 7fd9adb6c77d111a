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
from collections.abc import Iterable
from typing import Any

from windlass_operator.clients import clock
from windlass_operator.clients.cluster import JSON_PATCH, METADATA_ONLY, Cluster
from windlass_operator.core.actions import Done, Held, Outcome, Rejected, Unavailable
from windlass_operator.core.admission import Admitted, NotYet, Refused, admit
from windlass_operator.core.closure import Closure
from windlass_operator.core.observed import ExecutionState, Observed
from windlass_operator.core.plan_execution import Plan, Transition, leftovers, plan_execution, stuck, transitions
from windlass_operator.core.record import record
from windlass_operator.core.states import FINISHED, ExecutionPhase, NodePhase
from windlass_operator.core.status import is_urgent, over_before_start, patch, render, waiting
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.apply import Applier
from windlass_operator.reconcile.closures import ClosureKeeper
from windlass_operator.reconcile.definitions import Definitions, NotReachableError
from windlass_operator.reconcile.queue import WakeQueue
from windlass_operator.reconcile.store import Key, Raw, Store, Tracked
from windlass_operator.settings import Settings
from windlass_operator.telemetry import Telemetry

WORKERS = 32
LAZY_WRITE = 1.0
"""Seconds that a status which only says *under way* may wait to be written: short nodes then never cost that write."""

PAUSE_CAP = 30.0
LOOK_FOR_CODE = 5.0
"""Seconds between two looks for a ConfigMap with code that an Execution waits for."""

ROUNDS = 10
"""Plans per pass. More than one is needed only when the API server refuses a pod, which has consequences at once."""

log = logging.getLogger("windlass.reconcile")


class Reconciler:
    """Makes the Executions of one cluster (or namespace) happen."""

    def __init__(self, cluster: Cluster, settings: Settings, telemetry: Telemetry) -> None:
        self.store = Store()
        self.queue: WakeQueue[Key] = WakeQueue()
        self._cluster, self._settings, self._telemetry = cluster, settings, telemetry
        self._applier = Applier(cluster, self.store)
        self._closures = ClosureKeeper(cluster, self.store)
        self._definitions = Definitions(cluster, self.store)
        self._failures: dict[Key, int] = {}

    def definition_event(self, kind: str, change: str | None, body: Raw) -> None:
        """A definition came, changed or went: look at it, and at who may have waited for it."""
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        if change == "DELETED":
            self.store.forget_definition(kind, body)
        else:
            self.store.remember_definition(kind, body)
            self.queue.wake((kind, namespace, name))
        for key in self.store.dependents(kind, namespace, name):
            self.queue.wake(key)

    def execution_event(self, change: str | None, body: Raw) -> None:
        """An Execution came, changed or went."""
        if change == "DELETED":
            for key in self.store.forget_execution(body):
                self.queue.wake(key)
        elif self.store.remember_execution(body):
            self.queue.wake(("Execution", body["metadata"]["namespace"], body["metadata"]["name"]))

    def pod_event(self, change: str, raw: Raw) -> None:
        """A pod of ours came, changed or went."""
        key = self.store.forget_pod(raw) if change == "DELETED" else self.store.remember_pod(raw)
        if key is not None:
            self._pod_news(key)

    def pods_listed(self, raws: list[Raw], version: int) -> None:
        """All pods of ours, at one moment."""
        for key in self.store.replace_pods(raws, version):
            self._pod_news(key)

    def _pod_news(self, key: Key) -> None:
        tracked = self.store.executions.get((key[1], key[2]))
        if tracked is not None:
            if tracked.touched is None:
                tracked.touched = clock.monotonic()
            self.queue.wake(key)

    def live(self) -> int:
        """How many Executions have not ended."""
        return sum(not _is_over(tracked) for tracked in self.store.executions.values())

    async def work(self) -> None:
        """One worker, for ever."""
        while True:
            key = await self.queue.get()
            try:
                await self._handle(key)
                self._failures.pop(key, None)
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
        with self._telemetry.timed_pass(kind):
            if kind == "Execution":
                await self._execution(namespace, name)
            else:
                await self._definitions.reconcile(kind, namespace, name)

    async def _execution(self, namespace: str, name: str) -> None:
        tracked = self.store.executions.get((namespace, name))
        if tracked is None or tracked.deleting:
            self.queue.forget(("Execution", namespace, name))
            return
        if _is_over(tracked) and not self._has_leftovers(namespace, name, tracked):
            return
        closure = await self._closure(namespace, name, tracked)
        if closure is not None:
            await self._advance(namespace, name, tracked, closure)

    def _has_leftovers(self, namespace: str, name: str, tracked: Tracked) -> bool:
        views = self.store.views(namespace, name, tracked.uid).values()
        return any(not view.gone and not view.deleting for view in views) and bool(tracked.written.get("closure"))

    async def _closure(self, namespace: str, name: str, tracked: Tracked) -> Closure | None:
        """The closure that the Execution is pinned to, or is pinned to now; None when there is none (yet, or ever)."""
        digest = tracked.written.get("closure")
        if not digest:
            return await self._admit(namespace, name, tracked)
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

    async def _admit(self, namespace: str, name: str, tracked: Tracked, pinned: str | None = None) -> Closure | None:
        """Admit the Execution; or, when ``pinned`` is given, rebuild the closure that it lost."""
        if tracked.spec.get("cancel") and not pinned:
            await self._end_early(
                namespace, name, tracked, ExecutionPhase.CANCELLED, "Cancelled", "cancelled before it started"
            )
            return None
        verdict = await self._definitions.resolving(
            namespace,
            lambda lookup: admit(tracked.spec, lookup.find, lookup.code),
        )
        if pinned and not (isinstance(verdict, Admitted) and verdict.closure.hash == pinned):
            await self._give_up(namespace, name, tracked, pinned)
            return None
        match verdict:
            case Refused(reason, message):
                await self._end_early(namespace, name, tracked, ExecutionPhase.FAILED, reason, message)
            case NotYet(reason, message):
                await self._wait(namespace, name, tracked, reason, message)
                if reason == "CodeNotFound":  # nobody tells us when a ConfigMap arrives
                    self.queue.wake_after(("Execution", namespace, name), LOOK_FOR_CODE)
            case Admitted(closure):
                return await self._pin(namespace, name, tracked, closure)
        return None

    async def _give_up(self, namespace: str, name: str, tracked: Tracked, pinned: str) -> None:
        """The closure is lost for good: without it nobody knows what the pods that run are for."""
        pods = self.store.views(namespace, name, tracked.uid)
        actions = tuple(leftovers(pods, {}, stopping=True))
        await self._applier.apply(namespace, name, tracked.uid, Plan(tracked.state, actions=actions))
        text = f"the closure {pinned} of this execution is gone, and the definitions have changed since; run it again"
        await self._end_early(namespace, name, tracked, ExecutionPhase.FAILED, "ClosureLost", text)

    async def _pin(self, namespace: str, name: str, tracked: Tracked, closure: Closure) -> Closure | None:
        outcome: Outcome = await self._closures.pin(namespace, name, tracked.uid, closure)
        match outcome:
            case Done():
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

    async def _advance(self, namespace: str, name: str, tracked: Tracked, closure: Closure) -> None:
        was_over = _is_over(tracked)
        touched, tracked.touched = tracked.touched, None
        observed = self._gather(namespace, name, tracked, closure)
        wake_at: float | None = None
        for _ in range(ROUNDS):
            plan = plan_execution(observed)
            outcomes = await self._applier.apply(namespace, name, tracked.uid, plan)
            recorded = record(plan, outcomes, clock.now())
            tracked.state, wake_at = recorded.state, recorded.wake_at
            self._observe(namespace, name, tracked, transitions(observed.state.nodes, tracked.state.nodes), touched)
            if not recorded.again:
                break
            observed = self._gather(namespace, name, tracked, closure)
        now = clock.now()
        status = render(
            tracked.written, tracked.state, closure, stuck(observed, tracked.state), tracked.generation, now
        )
        written = await self._write(namespace, name, tracked, status)
        if written and _is_over(tracked) and not was_over:
            duration = now - tracked.state.started_at if tracked.state.started_at is not None else None
            self._telemetry.execution_over(namespace, name, tracked.state.phase.value, duration)
        if wake_at is not None:
            self.queue.wake_after(("Execution", namespace, name), wake_at - now)

    def _gather(self, namespace: str, name: str, tracked: Tracked, closure: Closure) -> Observed:
        return Observed(
            name=name,
            namespace=namespace,
            uid=tracked.uid,
            spec=tracked.spec,
            state=tracked.state,
            closure=closure,
            pods=self.store.views(namespace, name, tracked.uid),
            settings=self._settings,
            now=clock.now(),
        )

    def _observe(
        self, namespace: str, name: str, tracked: Tracked, moves: Iterable[Transition], touched: float | None
    ) -> None:
        told = tuple(moves)
        if touched is not None and any(move.after is NodePhase.QUEUED for move in told):
            self._telemetry.handed_over(clock.monotonic() - touched)
        self._telemetry.node_transitions(namespace, name, tracked.uid, told)

    async def _write(self, namespace: str, name: str, tracked: Tracked, status: dict[str, Any]) -> bool:
        """The pass's one status write. True when the API server has it; a write that may wait is put off and False."""
        operations = patch(tracked.written, status)
        if not operations:
            return True
        if not is_urgent(operations) and not self._due(tracked):
            self.queue.wake_after(("Execution", namespace, name), LAZY_WRITE)
            return False
        guard = {"op": "test", "path": "/metadata/uid", "value": tracked.uid}
        path = f"{paths.ours('Execution', namespace, name)}/status"
        answer = await self._cluster.request(
            "PATCH", path, [guard, *operations], content_type=JSON_PATCH, accept=METADATA_ONLY
        )
        if answer.ok:
            tracked.written, tracked.lazy_since = status, None
            return True
        if answer.status == 404:
            tracked.deleting = True
            return False
        if answer.status in (400, 413, 422):
            await self._resync(namespace, name, tracked, answer.message)
            return False
        raise NotReachableError(answer.message)

    def _due(self, tracked: Tracked) -> bool:
        now = clock.monotonic()
        if tracked.lazy_since is None:
            tracked.lazy_since = now
        return now - tracked.lazy_since >= LAZY_WRITE

    async def _resync(self, namespace: str, name: str, tracked: Tracked, why: str) -> None:
        """The API server doesn't have the status that we think it has (or another object has this name): read it
        again.
        """
        answer = await self._cluster.request("GET", paths.ours("Execution", namespace, name))
        if answer.status == 404 or (answer.ok and answer.body["metadata"]["uid"] != tracked.uid):
            tracked.deleting = True
            return
        if answer.ok:
            tracked.written = dict(answer.body.get("status") or {})
        raise NotReachableError(f"the status was refused: {why}")


def _is_over(tracked: Tracked) -> bool:
    """Whether its end has been written: until then it isn't over for anybody but us."""
    return tracked.written.get("phase") in {phase.value for phase in FINISHED}
