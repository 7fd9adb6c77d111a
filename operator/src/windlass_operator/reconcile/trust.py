"""Who may call the dispatcher: a worker's pod, for the pool that it belongs to, proven by its own token.

The kubelet gives each worker's pod a ServiceAccount token whose audience is the dispatcher. The API server says whose
it is (a TokenReview): the pod's name and uid are in it. What that pod is for is known from our own watch of pods, not
from what the worker says. So a token from another pod, from a deleted one, or for another audience opens nothing, and
one that leaks opens nothing but this pool.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from windlass_api.protocol import AUDIENCE
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import Cluster
from windlass_operator.core.workers import WorkerPod

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
POD_NAME, POD_UID = "authentication.kubernetes.io/pod-name", "authentication.kubernetes.io/pod-uid"
REMEMBERED = 60.0
"""Seconds for which the API server is not asked again about a token that it has vouched for."""
REMEMBERED_TOKENS = 4096
PATIENCE = 5.0
"""Seconds that a pod of which no watch has told us yet is waited for."""
PAUSE = 0.1

FindPod = Callable[[str, str, str], WorkerPod | None]
"""(namespace, ActorEnvironment, uid of the pod) → the worker's pod that our watch knows."""


class Claim(NamedTuple):
    """Who a worker says it is."""

    namespace: str
    pool: str
    revision: str
    pod: str
    pod_uid: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a worker is not let in."""

    message: str
    for_good: bool = True
    """Whether asking again is in vain."""


class Holder(NamedTuple):
    """Whose token it is."""

    namespace: str
    pod: str
    pod_uid: str


class Trust:
    """See the module."""

    def __init__(self, cluster: Cluster, find_pod: FindPod) -> None:
        self._cluster, self._find_pod = cluster, find_pod
        self._known: dict[bytes, tuple[Holder, float]] = {}

    async def admit(self, token: str, claim: Claim) -> Refused | None:
        """None where the worker is who it says it is, and its pod is there to work for that pool."""
        if not token:
            return Refused("no token: the metadata of the stream lacks `authorization: Bearer …`")
        holder = await self._holder(token)
        if isinstance(holder, Refused):
            return holder
        if holder != Holder(claim.namespace, claim.pod, claim.pod_uid):
            return Refused(f"the token is that of pod {holder.namespace}/{holder.pod}, not of {claim.pod}")
        return _is_of_the_pool(await self._pod(claim), claim)

    async def _pod(self, claim: Claim) -> WorkerPod | None:
        """What our watch knows of the pod; it may be a moment behind."""
        deadline = clock.monotonic() + PATIENCE
        while True:
            pod = self._find_pod(claim.namespace, claim.pool, claim.pod_uid)
            if pod is not None or clock.monotonic() >= deadline:
                return pod
            await asyncio.sleep(PAUSE)

    async def _holder(self, token: str) -> Holder | Refused:
        now, key = clock.monotonic(), hashlib.sha256(token.encode()).digest()
        known = self._known.get(key)
        if known is not None and now < known[1]:
            return known[0]
        answer = await self._cluster.request(
            "POST",
            REVIEWS,
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "spec": {"token": token, "audiences": [AUDIENCE]},
            },
        )
        if not answer.ok:
            return Refused(f"the API server did not say whose token it is: {answer.message}", for_good=False)
        found = holder_of(answer.body.get("status") or {})
        if isinstance(found, Holder):
            if len(self._known) >= REMEMBERED_TOKENS:
                self._known.clear()
            self._known[key] = (found, now + REMEMBERED)
        return found


def _is_of_the_pool(pod: WorkerPod | None, claim: Claim) -> Refused | None:
    if pod is None:
        return Refused(f"no pod {claim.pod} with this uid works for {claim.namespace}/{claim.pool}", for_good=False)
    if pod.revision != claim.revision or pod.name != claim.pod:
        return Refused(f"pod {claim.pod} is of revision {pod.revision}, not {claim.revision}")
    if not pod.alive:
        return Refused(f"pod {claim.pod} has ended, or is being deleted")
    return None


def holder_of(status: Any) -> Holder | Refused:
    """Whose token it is, by the status of its TokenReview."""
    if not status.get("authenticated") or AUDIENCE not in (status.get("audiences") or ()):
        return Refused(f"the token is not valid for {AUDIENCE}: {status.get('error') or 'not authenticated'}")
    user = status.get("user") or {}
    kind, _, account = str(user.get("username", "")).partition("system:serviceaccount:")
    extra = user.get("extra") or {}
    pod, uid = extra.get(POD_NAME) or [], extra.get(POD_UID) or []
    if kind or ":" not in account or len(pod) != 1 or len(uid) != 1:
        return Refused("the token is not that of a pod")
    return Holder(account.split(":")[0], pod[0], uid[0])
