"""Carries out a plan's actions, and says what came of each. No decisions: what an answer means is a table below."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from windlass_operator.clients.cluster import JSON, JSON_PATCH, MERGE_PATCH, METADATA_ONLY, Answer, Cluster
from windlass_operator.core.actions import (
    Action,
    Answered,
    Conflict,
    CreateExecution,
    CreatePod,
    CreateSignal,
    CreateValue,
    DeleteExecution,
    DeletePod,
    Dispatch,
    Done,
    Held,
    LookUp,
    MarkSignal,
    Outcome,
    Recall,
    Release,
    Reserve,
    SaveValue,
    StoreEntry,
    TellExecution,
    Unavailable,
    Version,
    WriteSegment,
)
from windlass_operator.core.plan_execution import Plan
from windlass_operator.dispatch.calls import CallKey, Order, PoolKey
from windlass_operator.dispatch.dispatcher import Dispatcher
from windlass_operator.manifests.objects import Manifest
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.answers import outcome_of
from windlass_operator.reconcile.caching import CacheRefusedError
from windlass_operator.reconcile.definitions import NotReachableError
from windlass_operator.reconcile.lookups import Lookups
from windlass_operator.reconcile.revisions import create_or_own
from windlass_operator.reconcile.store import Key, Store

AT_ONCE = 16
"""How many requests for one Execution are under way at a time, so that a wide one doesn't starve the others."""

LAST: tuple[tuple[type, ...], ...] = ((Release,), (DeleteExecution,))
"""What has to wait for all the rest, in this order: a result is kept before others may look for it."""


T = TypeVar("T")


class Applier:
    """Applies plans for one operator."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        lookups: Lookups,
        calls: Dispatcher,
        news: Callable[[Key | None], None],
    ) -> None:
        """``news`` is told of whom something is known now that no watch will tell."""
        self._cluster, self._store, self._lookups, self._calls, self._news = cluster, store, lookups, calls, news

    async def apply(self, namespace: str, execution: str, uid: str, plan: Plan) -> dict[Action, Outcome]:
        """Do what the plan asks for: ``before`` first and completely, then the rest."""
        outcomes: dict[Action, Outcome] = {}
        if len(plan.actions) == 1 and isinstance(plan.actions[0], Dispatch):  # a hop of a chain
            return {plan.actions[0]: self._dispatch(namespace, execution, uid, plan.actions[0])}
        actions = list(plan.actions)
        if plan.before:
            made = await _all(functools.partial(self._create_value, namespace, uid), plan.before)
            failed = {value.name: made[value] for value in plan.before if not isinstance(made[value], Done)}
            for action in actions:
                lacking = [name for name in action.values if name in failed] if isinstance(action, CreatePod) else []
                if lacking:
                    outcomes[action] = failed[lacking[0]]
            actions = [action for action in actions if action not in outcomes]
        late = [[action for action in actions if isinstance(action, kinds)] for kinds in LAST]
        first = [action for action in actions if not any(isinstance(action, kinds) for kinds in LAST)]
        segments = [action for action in first if isinstance(action, WriteSegment)]
        rest = [action for action in first if not isinstance(action, WriteSegment)]
        do = functools.partial(self._do, namespace, execution, uid)
        outcomes |= await _all(do, rest)
        outcomes |= await self._segments(namespace, segments)
        for actions_of_stage in late:
            outcomes |= await _all(do, actions_of_stage)
        return outcomes

    async def _do(self, namespace: str, execution: str, uid: str, action: Action) -> Outcome:
        try:
            return await self._tried(namespace, execution, uid, action)
        except NotReachableError as trouble:
            return Unavailable(str(trouble))
        except CacheRefusedError as refusal:
            return Held("Forbidden", str(refusal))

    async def _tried(  # noqa: PLR0911, PLR0912  one per kind of action
        self, namespace: str, execution: str, uid: str, action: Action
    ) -> Outcome:
        match action:
            case SaveValue():
                return await self._create_value(namespace, uid, action)
            case CreatePod():
                return await self._create_pod(namespace, uid, action)
            case CreateExecution():
                return await self._create_execution(namespace, uid, action)
            case Dispatch():
                return self._dispatch(namespace, execution, uid, action)
            case Recall(node, attempt, element):
                self._calls.recall(CallKey(namespace, execution, uid, node, attempt, element).text(), "not wanted")
                return Done()
            case DeletePod():
                return await self._delete_pod(namespace, execution, action)
            case TellExecution():
                return await self._tell(namespace, action)
            case CreateSignal():
                return await self._create_signal(namespace, uid, action)
            case MarkSignal():
                return await self._mark_signal(namespace, action)
            case LookUp(question):
                return Answered(await self._lookups.answer(namespace, question))
            case Reserve():
                return await self._lookups.reserve(action)
            case Release(name, me):
                return await self._lookups.cache.release(namespace, name, me)
            case StoreEntry():
                return await self._lookups.cache.store(action.manifest, action.values, replace=action.replace)
            case DeleteExecution(name):
                return await self._delete_execution(namespace, name, uid)
            case WriteSegment():
                return await self._segment(namespace, action)

    async def _create_value(self, namespace: str, uid: str, action: CreateValue | SaveValue) -> Outcome:
        answer = await self._cluster.request("POST", paths.config_maps(namespace), action.manifest)
        if answer.reason == "AlreadyExists":
            answer = await self._cluster.request("GET", paths.config_maps(namespace, action.name))
            return _ownership(answer, uid, f"ConfigMap {action.name}")
        return outcome_of(answer)

    async def _create_pod(self, namespace: str, uid: str, action: CreatePod) -> Outcome:
        return await self._create(
            paths.pods(namespace), paths.pods(namespace, action.name), uid, action.manifest, self._store.remember_pod
        )

    async def _create_execution(self, namespace: str, uid: str, action: CreateExecution) -> Outcome:
        if action.revision is not None:
            (owner,) = action.revision["metadata"]["ownerReferences"]
            outcome = outcome_of(await create_or_own(self._cluster, action.revision, owner))
            if not isinstance(outcome, Done):
                return outcome
        return await self._create(
            paths.all_of_ours("Execution", namespace),
            paths.ours("Execution", namespace, action.name),
            uid,
            action.manifest,
            self._store.remember_child,
        )

    def _dispatch(self, namespace: str, execution: str, uid: str, action: Dispatch) -> Outcome:
        order = Order(
            key=CallKey(namespace, execution, uid, *action.place),
            pool=PoolKey(namespace, action.environment, action.revision),
            name=action.name,
            document=action.document.encode(),
            spec=action.spec,
            task=action.task,
            code=action.code,
            archive=action.archive,
            timeout=action.timeout,
        )
        problem = self._calls.dispatch(order)
        return Held("ActorBusy", problem) if problem else Done()

    async def _create_signal(self, namespace: str, uid: str, action: CreateSignal) -> Outcome:
        return await self._create(
            paths.all_of_ours("Signal", namespace),
            paths.ours("Signal", namespace, action.name),
            uid,
            action.manifest,
            self._store.remember_signal,
            accept=JSON,
        )

    async def _create(
        self,
        collection: str,
        path: str,
        uid: str,
        manifest: Manifest,
        remember: Callable[[Any], Key | None],
        accept: str = METADATA_ONLY,
    ) -> Outcome:
        """Make a child. One that exists already is fine when it is ours, and in the way when it isn't."""
        answer = await self._cluster.request("POST", collection, manifest, accept=accept)
        if answer.ok:
            remember({**manifest, **answer.body})
            return Done()
        if answer.reason != "AlreadyExists":
            return outcome_of(answer)
        answer = await self._cluster.request("GET", path)
        outcome = _ownership(answer, uid, f"{manifest['kind']} {manifest['metadata']['name']}")
        if isinstance(outcome, Done):
            self._news(remember(answer.body))
        return outcome

    async def _delete_pod(self, namespace: str, execution: str, action: DeletePod) -> Outcome:
        entry = self._store.pod(namespace, execution, action.name)
        body: dict[str, Any] = {"preconditions": {"uid": entry.uid}} if entry is not None else {}
        if entry is not None and entry.stop_grace is not None:
            body["gracePeriodSeconds"] = entry.stop_grace
        answer = await self._cluster.request("DELETE", paths.pods(namespace, action.name), body)
        if answer.ok or answer.status in (404, 409):
            self._store.mark_deleting(namespace, execution, action.name)
            return Done()
        return outcome_of(answer)

    async def _tell(self, namespace: str, action: TellExecution) -> Outcome:
        operation = {"op": "add", "path": f"/spec/{action.field}", "value": action.value}
        path = paths.ours("Execution", namespace, action.name)
        answer = await self._cluster.request("PATCH", path, [operation], content_type=JSON_PATCH)
        if answer.ok:
            self._news(self._store.remember_child(answer.body))
        return Done() if answer.status == 404 else outcome_of(answer)

    async def _mark_signal(self, namespace: str, action: MarkSignal) -> Outcome:
        operations = [
            {"op": "test", "path": "/metadata/uid", "value": action.uid},
            {"op": "add", "path": "/status", "value": dict(action.status)},
        ]
        path = f"{paths.ours('Signal', namespace, action.name)}/status"
        answer = await self._cluster.request("PATCH", path, operations, content_type=JSON_PATCH)
        if answer.ok:  # it may have got an answer of which no watch has told
            self._news(self._store.remember_signal(answer.body))
        return Done() if answer.status in (404, 422) else outcome_of(answer)

    async def _delete_execution(self, namespace: str, name: str, uid: str) -> Outcome:
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        answer = await self._cluster.request("DELETE", paths.ours("Execution", namespace, name), body)
        return Done() if answer.status == 404 else outcome_of(answer)

    async def _segments(self, namespace: str, actions: Iterable[WriteSegment]) -> dict[Action, Outcome]:
        """One after the other, each only if those before it are there: so there are never gaps."""
        outcomes: dict[Action, Outcome] = {}
        broken: set[str] = set()
        for action in actions:
            if action.node in broken:
                continue
            outcomes[action] = outcome = await self._segment(namespace, action)
            if not isinstance(outcome, Version):
                broken.add(action.node)
        return outcomes

    async def _segment(self, namespace: str, action: WriteSegment) -> Outcome:
        """Write a segment, if it still is as we know it: another operator may have written it meanwhile."""
        if action.version:
            body = {
                "metadata": {"resourceVersion": action.version},
                "binaryData": action.manifest["binaryData"],
            }
            path = paths.config_maps(namespace, action.name)
            answer = await self._cluster.request("PATCH", path, body, content_type=MERGE_PATCH, accept=METADATA_ONLY)
            if answer.status in (404, 409):
                return Conflict(answer.message)
        else:
            answer = await self._cluster.request(
                "POST", paths.config_maps(namespace), action.manifest, accept=METADATA_ONLY
            )
            if answer.reason == "AlreadyExists":
                return Conflict(answer.message)
        return Version(answer.body["metadata"]["resourceVersion"]) if answer.ok else outcome_of(answer)


async def _all(do: Callable[[T], Awaitable[Outcome]], things: Sequence[T]) -> dict[T, Outcome]:
    """Do the same with each of them, not too many at a time."""
    if len(things) == 1:
        return {things[0]: await do(things[0])}
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(thing: T) -> Outcome:
        async with limit:
            return await do(thing)

    found = await asyncio.gather(*map(one, things))
    return dict(zip(things, found, strict=True))


def _ownership(answer: Answer, uid: str, what: str) -> Outcome:
    """A thing that exists already is fine when it is ours, and in the way when it isn't."""
    if not answer.ok:
        return Unavailable(answer.message)
    owners = answer.body["metadata"].get("ownerReferences") or ()
    if any(owner.get("uid") == uid for owner in owners):
        return Done()
    return Held(
        "NameTaken",
        f"{what} exists and belongs to something else (an earlier execution of this name?); waiting for it to go",
    )
