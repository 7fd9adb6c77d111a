"""The cache in the cluster: looks up, keeps, takes turns, and sweeps. What is decided is in ``core.caching``.

An entry is made before the ConfigMaps of its large values, since they belong to it; one that can't get them is taken
back. Whoever reads an entry in between finds outputs missing, which is a miss like any other.

Nothing is overwritten: what has to go is deleted, by its uid, and made anew. So two operators, or the garbage
collector and we, never undo each other's work.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from windlass_api import names, refs
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import RETRIABLE, STRATEGIC_MERGE_PATCH, Answer, Cluster
from windlass_operator.core.actions import Done, Held, Outcome, Rejected
from windlass_operator.core.caching import Expired, Holder, expired, holder_of, is_useless
from windlass_operator.manifests.caching import VALUE_KEY
from windlass_operator.manifests.objects import Manifest, owner_reference
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.answers import outcome_of
from windlass_operator.reconcile.definitions import NotReachableError

NEAREST = 20
"""How many of a task's results are looked at to say why none of them was the one."""

PAGE = 100
SWEEP_EVERY = 3600.0
"""Seconds between two sweeps."""

TRIES = 3
"""How often something is made whose place was taken in the meantime."""

MAX_VALUE = 64 * 2**20
"""Bytes of a value that is read, so that a few bytes in a ConfigMap can't fill the memory."""

log = logging.getLogger("windlass.cache")

Raw = Mapping[str, Any]
Pause = Callable[[float], Awaitable[Any]]


class CacheRefusedError(Exception):
    """The API server refused to let the cache be read: the operator lacks a right, or the kind isn't installed."""


class CacheKeeper:
    """The cache of one operator."""

    def __init__(self, cluster: Cluster, pause: Pause = asyncio.sleep) -> None:
        self._cluster, self._pause = cluster, pause

    # ---- results ----

    async def look_up(self, namespace: str, name: str) -> Raw | None:
        """The spec of an entry, its outputs as plain JSON; those whose ConfigMaps are gone are left out. None where
        there is no entry.

        Raises:
            NotReachableError: the API server didn't answer.
            CacheRefusedError: it refused.
        """
        body = await self._read(_entries(namespace, name))
        return None if body is None else await self._loaded(namespace, body)

    async def nearest(self, namespace: str, task: str) -> list[Raw]:
        """The specs of some results of a task, whatever their keys.

        Raises:
            NotReachableError: the API server didn't answer.
            CacheRefusedError: it refused.
        """
        selector = f"{names.LABEL_TASK}={names.label_value(task)}"
        query = {"labelSelector": selector, "limit": str(NEAREST)}
        answer = _heard(await self._cluster.request("GET", _entries(namespace), query=query))
        if not answer.ok:
            raise CacheRefusedError(answer.message)
        return [item["spec"] for item in answer.body["items"]]

    async def store(self, manifest: Manifest, values: Sequence[Manifest], *, replace: bool) -> Outcome:
        """Keep a result. One that is there stays, unless it is of no use or shall be replaced.

        Raises:
            NotReachableError: the API server didn't answer: do it again.
        """
        try:
            return await self._stored(manifest, values, replace)
        except CacheRefusedError as refusal:
            return Held("Forbidden", str(refusal))

    async def _stored(self, manifest: Manifest, values: Sequence[Manifest], replace: bool) -> Outcome:
        meta = manifest["metadata"]
        namespace, name = meta["namespace"], meta["name"]
        for _ in range(TRIES):
            made = _heard(await self._cluster.request("POST", _entries(namespace), manifest))
            if made.ok:
                return await self._with_values(made.body, values)
            if made.reason != "AlreadyExists":
                return _made(made, "CacheEntry")
            body = await self._read(_entries(namespace, name))
            if body is None:
                continue
            there = await self._loaded(namespace, body)
            if not replace and not is_useless(there, manifest["spec"], clock.now()):
                return Done()
            outcome = await self._delete(_entries(namespace, name), body)
            if not isinstance(outcome, Done):
                return outcome
        return Held("CacheContended", f"the CacheEntry {name} is made and deleted by others all the time")

    async def _with_values(self, made: Raw, values: Sequence[Manifest]) -> Outcome:
        meta = made["metadata"]
        owner = owner_reference("CacheEntry", meta["name"], meta["uid"])
        for value in values:
            outcome = await self._keep_value(value, owner)
            if not isinstance(outcome, Done):
                await self._delete(_entries(meta["namespace"], meta["name"]), made)
                return outcome
        return Done()

    async def _keep_value(self, value: Manifest, owner: Manifest) -> Outcome:
        """Make a value's ConfigMap. An entry that is gone may own one that is there, and takes it along unless we own
        it, too. One with other content was made by hand, and has to go.
        """
        meta = value["metadata"]
        owned = {**value, "metadata": {**meta, "ownerReferences": [owner]}}
        path = paths.config_maps(meta["namespace"], meta["name"])
        for _ in range(TRIES):
            answer = _heard(await self._cluster.request("POST", paths.config_maps(meta["namespace"]), owned))
            if answer.reason != "AlreadyExists":
                return _made(answer, "ConfigMap")
            there = await self._read(path)
            if there is None:
                continue
            if there.get("binaryData") != value["binaryData"]:
                outcome = await self._delete(path, there)
                if not isinstance(outcome, Done):
                    return outcome
                continue
            patch = {"metadata": {"ownerReferences": [owner]}}
            answer = _heard(await self._cluster.request("PATCH", path, patch, content_type=STRATEGIC_MERGE_PATCH))
            if answer.status != 404:
                return _made(answer, "ConfigMap")
        return Held("CacheContended", f"the ConfigMap {meta['name']} is made and deleted by others all the time")

    async def _loaded(self, namespace: str, body: Raw) -> Raw:
        """An entry's spec with plain outputs, without those that can't be had."""
        spec: Raw = body["spec"]
        outputs: dict[str, Any] = {}
        for name, value in (spec.get("outputs") or {}).items():
            await self._load(outputs, name, value, namespace, body["metadata"]["name"])
        return {**spec, "outputs": outputs}

    async def _load(self, outputs: dict[str, Any], name: str, value: Any, namespace: str, entry: str) -> None:
        """Add an output, if it can be had."""
        try:
            if refs.marker_key(value) == "$value":
                outputs[name] = await self._value(namespace, entry, value["$value"])
            else:
                outputs[name] = refs.decode(value, {})
        except (LostError, refs.RefSyntaxError) as trouble:
            log.warning("%s/%s lacks its output %s: %s", namespace, entry, name, trouble)

    async def _value(self, namespace: str, entry: str, digest: str) -> Any:
        name = names.value_name(entry, digest)
        body = await self._read(paths.config_maps(namespace, name))
        if body is None:
            raise LostError(f"the ConfigMap {name} is gone")
        try:
            packed = base64.b64decode(body["binaryData"][VALUE_KEY], validate=True)
            unpacking = zlib.decompressobj(wbits=31)  # gzip
            data = unpacking.decompress(packed, MAX_VALUE)
            if not unpacking.eof or names.content_hash(data) != digest:
                raise LostError(f"the ConfigMap {name} holds something else")
            return json.loads(data)
        except (KeyError, TypeError, ValueError, zlib.error, binascii.Error) as trouble:
            raise LostError(f"the ConfigMap {name} can't be read: {trouble}") from trouble

    # ---- taking turns ----

    async def reserve(self, lease: Manifest) -> tuple[Outcome, Raw | None]:
        """Take a reservation unless somebody has it: what came of it, and the Lease that is there now.

        Raises:
            NotReachableError: the API server didn't answer: do it again.
        """
        meta = lease["metadata"]
        for _ in range(TRIES):
            made = _heard(await self._cluster.request("POST", paths.leases(meta["namespace"]), lease))
            if made.ok:
                return Done(), made.body
            if made.reason != "AlreadyExists":
                return _made(made, "Lease"), None
            found = _heard(await self._cluster.request("GET", paths.leases(meta["namespace"], meta["name"])))
            if found.ok:
                return Done(), found.body
            if found.status != 404:
                return outcome_of(found), None
        return Held("CacheContended", f"the Lease {meta['name']} is made and deleted by others all the time"), None

    async def take_over(self, stale: Raw, mine: Manifest) -> tuple[Outcome, Raw | None]:
        """Take a reservation whose holder is over, as it was seen: if somebody was faster, theirs is given.

        Raises:
            NotReachableError: the API server didn't answer: do it again.
        """
        meta = mine["metadata"]
        outcome = await self._delete(paths.leases(meta["namespace"], meta["name"]), stale)
        return await self.reserve(mine) if isinstance(outcome, Done) else (outcome, None)

    async def release(self, namespace: str, name: str, me: Holder) -> Outcome:
        """Give a reservation back, if it is ours.

        Raises:
            NotReachableError: the API server didn't answer: do it again.
        """
        path = paths.leases(namespace, name)
        found = _heard(await self._cluster.request("GET", path))
        if found.status == 404 or (found.ok and holder_of(found.body) != me):
            return Done()
        if not found.ok:
            return outcome_of(found)
        return await self._delete(path, found.body)

    # ---- expiry ----

    async def sweep(self, namespaces: Iterable[str], now: float) -> int:
        """Delete the entries that have expired: in these namespaces, where ``""`` means all. Gives how many.

        Raises:
            NotReachableError: the API server didn't answer.
            CacheRefusedError: it refused.
        """
        count = 0
        for namespace in namespaces:
            token = ""
            while True:
                query = {"limit": str(PAGE), **({"continue": token} if token else {})}
                page = _heard(await self._cluster.request("GET", _entries(namespace), query=query))
                if page.status == 410:  # it took too long; the next sweep finds the rest
                    break
                if not page.ok:
                    raise CacheRefusedError(page.message)
                for gone in expired(page.body["items"], now):
                    await self._drop(gone)
                    count += 1
                token = page.body["metadata"].get("continue") or ""
                if not token:
                    break
        return count

    async def keep_swept(self, namespaces: Sequence[str]) -> None:
        """Sweep now and then, for ever."""
        while True:
            try:
                count = await self.sweep(namespaces, clock.now())
            except (NotReachableError, CacheRefusedError) as trouble:
                log.warning("expired results could not be deleted: %s", trouble)
            else:
                if count:
                    log.info("%d expired results were deleted", count)
            await self._pause(SWEEP_EVERY)

    async def _drop(self, gone: Expired) -> None:
        body = {"preconditions": {"uid": gone.uid}}
        answer = _heard(await self._cluster.request("DELETE", _entries(gone.namespace, gone.name), body))
        if not answer.ok and answer.status not in (404, 409):
            raise CacheRefusedError(answer.message)

    # ---- requests ----

    async def _read(self, path: str) -> Raw | None:
        answer = _heard(await self._cluster.request("GET", path))
        if answer.status == 404:
            return None
        if not answer.ok:
            raise CacheRefusedError(answer.message)
        return answer.body

    async def _delete(self, path: str, seen: Raw) -> Outcome:
        """Delete an object if it is still the one that was seen, unchanged. What is gone or has changed is no
        concern of ours.
        """
        meta = seen["metadata"]
        body = {"preconditions": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}}
        answer = _heard(await self._cluster.request("DELETE", path, body))
        return Done() if answer.status in (404, 409) else outcome_of(answer)


class LostError(Exception):
    """The value of an output can't be had any more; says why."""


def _entries(namespace: str, name: str = "") -> str:
    return paths.ours("CacheEntry", namespace, name) if name else paths.all_of_ours("CacheEntry", namespace)


def _made(answer: Answer, kind: str) -> Outcome:
    outcome = outcome_of(answer)
    return Rejected(f"Invalid{kind}", outcome.message) if isinstance(outcome, Rejected) else outcome


def _heard(answer: Answer) -> Answer:
    """An answer, if there is one."""
    if answer.status == 0 or answer.status in RETRIABLE:
        raise NotReachableError(answer.message)
    return answer
