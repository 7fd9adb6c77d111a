"""Carries out a plan's actions, and says what came of each. No decisions: what an answer means is a table below."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from windlass_operator.clients.cluster import METADATA_ONLY, Answer, Cluster
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
from windlass_operator.core.plan_execution import Plan
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.store import Store

AT_ONCE = 16
"""How many requests for one Execution are under way at a time, so that a wide one doesn't starve the others."""


class Applier:
    """Applies plans for one operator."""

    def __init__(self, cluster: Cluster, store: Store) -> None:
        self._cluster, self._store = cluster, store

    async def apply(self, namespace: str, execution: str, uid: str, plan: Plan) -> dict[Action, Outcome]:
        """Do what the plan asks for: ``before`` first and completely, then the rest."""
        for value in plan.before:
            outcome = await self._create_value(namespace, uid, value)
            if not isinstance(outcome, Done):
                stops = {action: outcome for action in plan.actions if isinstance(action, CreatePod)}
                rest = [action for action in plan.actions if not isinstance(action, CreatePod)]
                return stops | await self._all(namespace, execution, uid, rest)
        return await self._all(namespace, execution, uid, plan.actions)

    async def _all(self, namespace: str, execution: str, uid: str, actions: Iterable[Action]) -> dict[Action, Outcome]:
        limit = asyncio.Semaphore(AT_ONCE)
        outcomes: dict[Action, Outcome] = {}

        async def one(action: Action) -> None:
            async with limit:
                outcomes[action] = await self._do(namespace, execution, uid, action)

        listed = list(actions)
        if len(listed) == 1:
            await one(listed[0])
        else:
            await asyncio.gather(*(one(action) for action in listed))
        return outcomes

    async def _do(self, namespace: str, execution: str, uid: str, action: Action) -> Outcome:
        match action:
            case CreateValue():
                return await self._create_value(namespace, uid, action)
            case CreatePod():
                return await self._create_pod(namespace, uid, action)
            case DeletePod():
                return await self._delete_pod(namespace, execution, action)

    async def _create_value(self, namespace: str, uid: str, action: CreateValue) -> Outcome:
        answer = await self._cluster.request("POST", paths.config_maps(namespace), action.manifest)
        if answer.reason == "AlreadyExists":
            answer = await self._cluster.request("GET", paths.config_maps(namespace, action.name))
            return _ownership(answer, uid, f"ConfigMap {action.name}")
        return outcome_of(answer)

    async def _create_pod(self, namespace: str, uid: str, action: CreatePod) -> Outcome:
        answer = await self._cluster.request("POST", paths.pods(namespace), action.manifest, accept=METADATA_ONLY)
        if answer.ok:
            self._store.remember_pod(answer.body)
            return Done()
        if answer.reason != "AlreadyExists":
            return outcome_of(answer)
        answer = await self._cluster.request("GET", paths.pods(namespace, action.name))
        outcome = _ownership(answer, uid, f"pod {action.name}")
        if isinstance(outcome, Done):
            self._store.remember_pod(answer.body)
        return outcome

    async def _delete_pod(self, namespace: str, execution: str, action: DeletePod) -> Outcome:
        entry = self._store.pod(namespace, execution, action.name)
        body = {"preconditions": {"uid": entry.uid}} if entry is not None else {}
        answer = await self._cluster.request("DELETE", paths.pods(namespace, action.name), body)
        if answer.ok or answer.status in (404, 409):
            self._store.mark_deleting(namespace, execution, action.name)
            return Done()
        return outcome_of(answer)


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


def outcome_of(answer: Answer) -> Outcome:
    """What the API server's answer to a create or delete means. The first row that matches counts."""
    if answer.ok:
        return Done()
    text = answer.message
    for matches, make in ANSWERS:
        if matches(answer.status, text):
            return make(text)
    return Unavailable(text)


ANSWERS: tuple[tuple[Callable[[int, str], bool], Callable[[str], Outcome]], ...] = (
    (lambda status, text: status == 403 and "exceeded quota" in text, lambda text: Held("QuotaExceeded", text)),
    (lambda status, text: status == 403 and "violates PodSecurity" in text, lambda text: Rejected("PodSecurity", text)),
    (lambda status, text: status == 403 and "being terminated" in text, Unavailable),
    (lambda status, text: status == 403, lambda text: Held("Forbidden", text)),
    (lambda status, text: status in (400, 413, 422), lambda text: Rejected("InvalidPod", text)),
)
"""(HTTP status, message) → outcome. Whatever matches no row is of unknown outcome, and looked at again."""
