"""Keeps closures: makes the object when an Execution is admitted, finds it again after a restart, and sees to its
owners.

A closure is owned by the first ``OWNERS`` living Executions that use it, so it goes when they go, with the operator
up or down, and the object stays small however many Executions there are. When the last owner goes while others still
run, the operator makes those the owners (docs/decisions/0003).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from windlass_api import names
from windlass_operator.clients.cluster import STRATEGIC_MERGE_PATCH, Answer, Cluster
from windlass_operator.core.actions import Done, Held, Outcome, Unavailable
from windlass_operator.core.closure import Closure, load
from windlass_operator.manifests.objects import (
    Manifest,
    code_digest,
    controller_revision,
    owner_reference,
    pinned_code,
)
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.answers import outcome_of
from windlass_operator.reconcile.revisions import create_or_own, own
from windlass_operator.reconcile.store import ClosureRecord, Store

OWNERS = 16
LABEL = {names.LABEL_ROLE: "closure"}


class ClosureKeeper:
    """The closures of one operator."""

    def __init__(self, cluster: Cluster, store: Store) -> None:
        self._cluster, self._store = cluster, store
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._waiting: dict[tuple[str, str], dict[str, Manifest]] = {}

    async def pin(self, namespace: str, execution: str, uid: str, closure: Closure) -> Outcome:
        """Make sure that the closure exists, holds its code, and has an owner that lives."""
        return await self._own_with(OWNERS, namespace, execution, uid, closure)

    async def keep(self, namespace: str, execution: str, uid: str, closure: Closure) -> Outcome:
        """After an owner went: make sure that there is still one."""
        return await self._own_with(1, namespace, execution, uid, closure)

    async def find(self, namespace: str, digest: str) -> Closure | Outcome:
        """A closure that an Execution was pinned to before this operator started."""
        record = self._store.closures.get((namespace, digest))
        if record is not None:
            return record.closure
        answer = await self._cluster.request("GET", paths.revisions(namespace, names.closure_name(digest)))
        if answer.status == 404:
            return Held("ClosureLost", f"the ControllerRevision {names.closure_name(digest)} is gone")
        if not answer.ok:
            return Unavailable(answer.message)
        closure = load(answer.body["data"])
        self._remember(namespace, closure, answer.body)
        return closure

    async def _own_with(self, enough: int, namespace: str, execution: str, uid: str, closure: Closure) -> Outcome:
        """Own a closure that has too few owners. Of a burst of Executions, one writes for all that wait behind it."""
        key = (namespace, closure.hash)
        if _has_enough(self._store.closures.get(key), uid, enough):  # nearly every pass
            return Done()
        waiting = self._waiting.setdefault(key, {})
        waiting[uid] = owner_reference("Execution", execution, uid)
        try:
            async with self._turns.setdefault(key, asyncio.Lock()):
                if uid not in waiting:  # somebody before us has written for us
                    return Done()
                record = self._store.closures.get(key)
                if record is None:
                    return await self._ensure(namespace, execution, uid, closure)
                if _has_enough(record, uid, enough):
                    return Done()
                together = [uid, *(other for other in waiting if other != uid)][: enough - len(record.owners)]
                answer = await own(self._cluster, namespace, closure.name, [waiting[other] for other in together])
                if not answer.ok or answer.body["metadata"]["uid"] != record.uid:  # it may be gone, or another by now
                    return await self._ensure(namespace, execution, uid, closure)
                self._remember(namespace, closure, answer.body)
                for other in together:
                    waiting.pop(other, None)
                return Done()
        finally:
            waiting.pop(uid, None)
            if not waiting and self._waiting.get(key) is waiting:
                del self._waiting[key]

    async def _ensure(self, namespace: str, execution: str, uid: str, closure: Closure) -> Outcome:
        owner = owner_reference("Execution", execution, uid)
        manifest = controller_revision(closure.name, namespace, closure.document, 1, [owner], LABEL)
        answer = await create_or_own(self._cluster, manifest, owner)
        if not answer.ok:
            return outcome_of(answer)
        for source, copy in closure.code.items():
            outcome = await self._pin_code(namespace, source, copy, answer.body)
            if not isinstance(outcome, Done):
                return outcome
        self._remember(namespace, closure, answer.body)
        return Done()

    async def _pin_code(self, namespace: str, source: str, copy: str, revision: Mapping[str, Any]) -> Outcome:
        meta = revision["metadata"]
        owner = owner_reference("ControllerRevision", meta["name"], meta["uid"], api_version="apps/v1")
        owned = await self._own(paths.config_maps(namespace, copy), owner)
        if owned.ok:
            return Done()
        found = await self._cluster.request("GET", paths.config_maps(namespace, source))
        if found.status == 404:
            return Held("CodeNotFound", f"the ConfigMap {source!r} with the code is gone, and so is our copy {copy!r}")
        if not found.ok:
            return Unavailable(found.message)
        if names.pinned_code_name(code_digest(found.body)) != copy:
            return Unavailable(f"the ConfigMap {source!r} has changed just now")
        manifest = pinned_code(found.body, copy, namespace, [owner])
        answer = await self._cluster.request("POST", paths.config_maps(namespace), manifest)
        if answer.reason == "AlreadyExists":
            answer = await self._own(paths.config_maps(namespace, copy), owner)
        return outcome_of(answer)

    async def _own(self, path: str, owner: Manifest) -> Answer:
        """Owners are merged by uid: adding one needs no reading, and can't conflict."""
        body = {"metadata": {"ownerReferences": [owner]}}
        return await self._cluster.request("PATCH", path, body, content_type=STRATEGIC_MERGE_PATCH)

    def _remember(self, namespace: str, closure: Closure, body: Mapping[str, Any]) -> None:
        meta = body["metadata"]
        owners = {owner["uid"] for owner in meta.get("ownerReferences") or () if owner.get("kind") == "Execution"}
        living = {tracked.uid for tracked in self._store.executions.values()}
        self._store.closures[namespace, closure.hash] = ClosureRecord(closure, meta["uid"], owners & living)


def _has_enough(record: ClosureRecord | None, uid: str, enough: int) -> bool:
    return record is not None and (uid in record.owners or len(record.owners) >= enough)
