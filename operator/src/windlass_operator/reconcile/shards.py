"""Keeps this replica's Leases, and tells the loop what is its to do (see ``core.sharding`` for how and why).

Two loops that never wait for each other: one renews, one looks at everybody's Leases and takes or gives back shards. A
shard that is given back isn't started upon any more, and its Lease is released when the passes that are under way in it
have ended.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Set as AbstractSet
from typing import Any, Protocol

from windlass_api import names
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import JSON_PATCH, Answer, Cluster
from windlass_operator.core.clock import rfc3339
from windlass_operator.core.sharding import (
    MEMBER,
    SHARD,
    Holding,
    Lease,
    Sighting,
    Terms,
    look,
    plan_leases,
    shard_of,
    waiting_elsewhere,
)
from windlass_operator.core.status import unchanged
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.pools import Pools
from windlass_operator.reconcile.queue import WakeQueue
from windlass_operator.reconcile.store import Acquired, Key, Store

ROLE = "sharding"
"""The role that these Leases carry as a label."""

ANNOTATION_SHARDS = f"{names.GROUP}/shards"
"""How many shards a member counts."""
ANNOTATION_WAITING = f"{names.GROUP}/waiting"
"""How many calls of actors wait with a member, as JSON: ``{"namespace/ActorEnvironment": 3}``."""
MOST = 200
"""Pools of which a member tells how many calls wait: a Lease is written every other second."""

log = logging.getLogger("windlass.shards")


class ShardLostError(Exception):
    """What this pass is about is for another replica to do now."""


class Ownership(Protocol):
    """What is this replica's to do."""

    def starts(self, namespace: str, name: str) -> bool:
        """Whether a pass over an object may start."""

    def owns(self, namespace: str, name: str) -> bool:
        """Whether a pass that is under way may still write, at this very moment."""


class Everything:
    """The only replica there is: all is its own."""

    def starts(self, namespace: str, name: str) -> bool:
        """Always."""
        return True

    def owns(self, namespace: str, name: str) -> bool:
        """Always."""
        return True


EVERYTHING = Everything()


class Owner(Protocol):
    """Who works on shards."""

    def acquired(self, shard: int) -> None:
        """A shard is ours from now on."""

    def lost(self, shard: int) -> None:
        """Nothing in a shard may be started any more."""

    async def quiet(self, shards: AbstractSet[int]) -> None:
        """Wait until nothing is under way in these shards."""

    def waiting(self) -> Mapping[str, int]:
        """Calls of actors that wait with this replica, by ``namespace/ActorEnvironment``."""

    def waiting_elsewhere(self, waiting: Mapping[str, int]) -> None:
        """Those that wait with all others."""


class Handover:
    """Hands shards to a store and its queue, and to pools what others say of theirs."""

    def __init__(self, store: Store, queue: WakeQueue[Key], shards: int, pools: Pools) -> None:
        self._store, self._queue, self._shards, self._pools = store, queue, shards, pools

    def acquired(self, shard: int) -> None:
        """Everything in it is looked at."""
        self._store.acquired[shard] = Acquired(clock.now(), self._pools.dispatcher.taken_over())
        for key in self._keys(shard):
            self._queue.wake(key)

    def lost(self, shard: int) -> None:
        """No timer rings, and nothing waits for room."""
        for key in self._keys(shard):
            self._queue.forget(key)
            self._store.capacity.forget((key[1], key[2]))

    async def quiet(self, shards: AbstractSet[int]) -> None:
        """Wait until no worker has a key of these shards."""
        await self._queue.quiet(lambda key: shard_of(key[1], key[2], self._shards) in shards)

    def waiting(self) -> Mapping[str, int]:
        """Calls of actors that wait with this replica."""
        return self._pools.waiting()

    def waiting_elsewhere(self, waiting: Mapping[str, int]) -> None:
        """Those that wait with all others."""
        self._pools.waiting_elsewhere(waiting)

    def _keys(self, shard: int) -> Iterator[Key]:
        executions = (("Execution", *key) for key in self._store.executions)
        for key in (*self._store.definitions, *executions):
            if shard_of(key[1], key[2], self._shards) == shard:
                yield key


class Leases(Protocol):
    """The Leases of all replicas. Nothing is raised; what isn't known to have happened has not."""

    async def renew(self, waiting: Mapping[str, int]) -> bool:
        """Show that this replica lives, and how many calls wait with it. True when it is known to all."""

    async def list(self) -> list[Lease] | None:
        """All Leases as they are now."""

    async def take(self, shard: int, version: str) -> str | None:
        """Hold a shard whose Lease has this version (none: it is made). Its new version when that worked."""

    async def release(self, shard: int, version: str) -> None:
        """Hold a shard no more, if its Lease has this version."""

    async def forget(self, name: str, version: str) -> None:
        """Delete a Lease, if it has this version."""

    async def leave(self) -> None:
        """Show that this replica is going."""


class ShardKeeper:
    """The shards of one replica."""

    def __init__(
        self,
        leases: Leases,
        identity: str,
        shards: int,
        terms: Terms,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._leases, self._me, self._shards, self._terms = leases, identity, shards, terms
        self._monotonic, self._sleep = monotonic, sleep
        self._holding = Holding()
        self._versions: dict[int, str] = {}
        self._leaving: set[int] = set()
        self._seen: dict[str, Sighting] = {}
        self._stopping = False

    @property
    def held(self) -> int:
        """How many shards are ours at this moment."""
        now = self._monotonic()
        return sum(self._holding.owns(shard, now) for shard in self._holding.held)

    def owns(self, namespace: str, name: str) -> bool:
        """Whether a pass that is under way may still write, at this very moment."""
        return self._holding.owns(shard_of(namespace, name, self._shards), self._monotonic())

    def starts(self, namespace: str, name: str) -> bool:
        """Whether a pass over an object may start."""
        leaving = self._stopping or shard_of(namespace, name, self._shards) in self._leaving
        return not leaving and self.owns(namespace, name)

    async def run(self, owner: Owner) -> None:
        """Keep the Leases until ``leave``."""
        await asyncio.gather(self.renewing(owner), self.balancing(owner))

    async def renewing(self, owner: Owner) -> None:
        """Renew, and stop in time when that doesn't work."""
        while not self._stopping:
            asked = self._monotonic()
            renewed = await self._leases.renew(owner.waiting())
            now = self._monotonic()
            if now >= self._holding.until:
                self._lapse(owner)
            if renewed:
                self._holding = self._holding.renewed(asked, now, self._terms)
            await self._sleep(max(0.0, asked + self._terms.renew_every - self._monotonic()))

    async def balancing(self, owner: Owner) -> None:
        """Hold a fair share of the shards."""
        while not self._stopping:
            if self._monotonic() < self._holding.until:
                await self._balance(owner)
                await self._sleep(self._terms.renew_every)
            else:
                await self._sleep(self._terms.renew_every / 20)

    async def leave(self, owner: Owner, patience: float) -> None:
        """Give everything back, once what is under way has ended (or after so many seconds)."""
        self._stopping = True
        try:
            await asyncio.wait_for(owner.quiet(self._holding.held), patience)
        except TimeoutError:
            log.warning("passes are still under way after %.0f s; their shards are given back all the same", patience)
        given = {shard: self._versions[shard] for shard in self._holding.held}
        self._lapse(owner)
        await self._leases.leave()
        await asyncio.gather(*(self._leases.release(*one) for one in given.items()))

    async def _balance(self, owner: Owner) -> None:
        asked, term = self._monotonic(), self._holding.term
        leases = await self._leases.list()
        if leases is None:
            return
        self._seen = look(self._seen, leases, self._monotonic())
        owner.waiting_elsewhere(waiting_elsewhere(leases, self._seen, self._me, asked))
        plan = plan_leases(leases, self._seen, self._me, self._shards, self._holding.held, asked)
        for shard in plan.lost:
            log.warning("shard %d has been taken by another replica", shard)
            self._drop(shard, owner)
        for shard, _ in plan.release:
            self._leaving.add(shard)
            owner.lost(shard)
        for shard, version in plan.acquire:
            if self._stopping:
                return
            taken = await self._leases.take(shard, version)
            if taken is not None:
                self._take(shard, taken, term, owner)
        await self._give_back(dict(plan.release), owner)
        for name, version in plan.forget:
            await self._leases.forget(name, version)

    async def _give_back(self, shards: dict[int, str], owner: Owner) -> None:
        if not shards:
            return
        await owner.quiet(shards.keys())
        for shard, version in shards.items():
            self._holding = self._holding.dropped(shard)
            self._leaving.discard(shard)
            await self._leases.release(shard, version)

    def _take(self, shard: int, version: str, term: int, owner: Owner) -> None:
        self._holding = self._holding.taken(shard, term, self._monotonic())
        if shard in self._holding.held:
            self._versions[shard] = version
            owner.acquired(shard)

    def _drop(self, shard: int, owner: Owner) -> None:
        self._holding = self._holding.dropped(shard)
        self._leaving.discard(shard)
        owner.lost(shard)

    def _lapse(self, owner: Owner) -> None:
        held, self._holding = self._holding.held, self._holding.lapsed()
        self._leaving.clear()
        if held and not self._stopping:
            log.warning("the Lease could not be renewed in time: %d shards are left to others", len(held))
        for shard in held:
            owner.lost(shard)


class ClusterLeases:
    """The Leases in a namespace of a cluster."""

    def __init__(
        self, cluster: Cluster, namespace: str, identity: str, shards: int, terms: Terms, now: Callable[[], float]
    ) -> None:
        self._cluster, self._namespace, self._me = cluster, namespace, identity
        self._shards, self._terms, self._now = shards, terms, now

    async def renew(self, waiting: Mapping[str, int]) -> bool:
        """Show that this replica lives, and how many calls wait with it. True when it is known to all."""
        name, spec = MEMBER + self._me, self._spec(self._me)
        annotations = {ANNOTATION_SHARDS: str(self._shards)}
        if waiting:
            most = sorted(waiting.items(), key=lambda one: (-one[1], one[0]))[:MOST]
            annotations[ANNOTATION_WAITING] = json.dumps(dict(most), separators=(",", ":"))
        patch = [
            {"op": "add", "path": "/metadata/annotations", "value": annotations},
            {"op": "add", "path": "/spec", "value": spec},
        ]
        answer = await self._ask("PATCH", name, patch, JSON_PATCH)
        if answer.status == 404:
            answer = await self._ask("POST", "", _lease(name, spec, annotations))
        if not answer.ok:
            log.warning("the Lease %s was not renewed: %s", name, answer.message)
        return answer.ok

    async def list(self) -> list[Lease] | None:
        """All Leases as they are now."""
        answer = await self._ask("GET", "", query={"labelSelector": f"{names.LABEL_ROLE}={ROLE}"})
        if not answer.ok:
            log.warning("Leases can't be read: %s", answer.message)
            return None
        return [_read(item) for item in answer.body["items"]]

    async def take(self, shard: int, version: str) -> str | None:
        """Hold a shard whose Lease has this version (none: it is made). Its new version when that worked."""
        name, spec = f"{SHARD}{shard}", {**self._spec(self._me), "acquireTime": rfc3339(self._now())}
        if version:
            answer = await self._change(name, version, spec)
        else:
            answer = await self._ask("POST", "", _lease(name, spec, {}))
        return str(answer.body["metadata"]["resourceVersion"]) if answer.ok else None

    async def release(self, shard: int, version: str) -> None:
        """Hold a shard no more, if its Lease has this version."""
        await self._change(f"{SHARD}{shard}", version, self._spec(""))

    async def forget(self, name: str, version: str) -> None:
        """Delete a Lease, if it has this version."""
        await self._ask("DELETE", name, {"preconditions": {"resourceVersion": version}})

    async def leave(self) -> None:
        """Show that this replica is going."""
        await self._ask("DELETE", MEMBER + self._me, {})

    def _spec(self, holder: str) -> dict[str, Any]:
        """A Lease as its holder leaves it now. The API server takes no empty name for a holder."""
        held = {"holderIdentity": holder} if holder else {}
        return {**held, "leaseDurationSeconds": self._terms.seconds, "renewTime": rfc3339(self._now())}

    async def _change(self, name: str, version: str, spec: dict[str, Any]) -> Answer:
        _, guard = unchanged("", version)
        return await self._ask("PATCH", name, [guard, {"op": "add", "path": "/spec", "value": spec}], JSON_PATCH)

    async def _ask(
        self,
        method: str,
        name: str,
        body: Any = None,
        content_type: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> Answer:
        """One request, given up when it is time for the next."""
        path = paths.leases(self._namespace, name)
        try:
            return await asyncio.wait_for(
                self._cluster.request(method, path, body, content_type=content_type, query=query),
                self._terms.renew_every,
            )
        except TimeoutError:
            return Answer(0, {"message": f"no answer within {self._terms.renew_every:.1f} s"})


def _lease(name: str, spec: dict[str, Any], annotations: dict[str, str]) -> dict[str, Any]:
    meta = {"name": name, "labels": {names.LABEL_ROLE: ROLE}, "annotations": annotations}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}


def _read(body: Any) -> Lease:
    meta, spec = body["metadata"], body.get("spec") or {}
    annotations = meta.get("annotations") or {}
    return Lease(
        name=meta["name"],
        holder=spec.get("holderIdentity") or "",
        version=meta["resourceVersion"],
        duration=float(spec.get("leaseDurationSeconds") or 0),
        shards=int(annotations.get(ANNOTATION_SHARDS) or 0),
        waiting=_counts(annotations.get(ANNOTATION_WAITING) or "{}"),
    )


def _counts(text: str) -> dict[str, int]:
    """What a member says of its calls; nothing where that is nothing that we would say."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return {pool: count for pool, count in said.items() if isinstance(count, int)} if isinstance(said, dict) else {}
