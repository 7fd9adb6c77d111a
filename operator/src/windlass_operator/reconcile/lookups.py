"""Finds the answers to what plans ask: values that lie in ConfigMaps, segments of maps, results in the cache, earlier
Executions. Nothing is kept here; the loop keeps answers as long as their Execution is under way.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from windlass_api import names
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import Answer, Cluster
from windlass_operator.core.actions import Held, Outcome, Reserve, Reserved, Unavailable
from windlass_operator.core.caching import Holder, Mine, Stale, Theirs, reserved
from windlass_operator.core.closure import Closure
from windlass_operator.core.durable import ENDED
from windlass_operator.core.observed import (
    AskCache,
    AskPrevious,
    AskSegments,
    AskValue,
    Lost,
    Previous,
    Question,
    Reservation,
)
from windlass_operator.core.states import FINISHED, TERMINAL
from windlass_operator.core.status import letter_of, parse
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.caching import CacheKeeper
from windlass_operator.reconcile.closures import ClosureKeeper
from windlass_operator.reconcile.definitions import NotReachableError
from windlass_operator.reconcile.store import Store, Tracked

VALUE_KEY = "value.json.gz"
OVER = frozenset(phase.value for phase in FINISHED)
NODE_OVER = frozenset(phase.value for phase in TERMINAL)
ENDED_LETTERS = frozenset(map(chr, ENDED))


class Lookups:
    """The answers of one operator."""

    def __init__(self, cluster: Cluster, store: Store, closures: ClosureKeeper, cache: CacheKeeper) -> None:
        self._cluster, self._store, self._closures = cluster, store, closures
        self.cache = cache

    async def answer(self, namespace: str, question: Question) -> Any:
        """The answer to a question.

        Raises:
            NotReachableError: the API server didn't answer.
        """
        match question:
            case AskValue(execution, digest):
                return await self._value(namespace, names.value_name(execution, digest))
            case AskSegments(node, execution):
                return await self._segments(namespace, execution, node)
            case AskCache(entry, task, near):
                found = await self.cache.look_up(namespace, entry)
                others = await self.cache.nearest(namespace, task) if found is None and near else []
                return found, others
            case AskPrevious(execution):
                return await self._previous(namespace, execution)

    async def reserve(self, action: Reserve) -> Outcome:
        """Whose turn it is to compute a result."""
        outcome, there = await self.cache.reserve(action.manifest)
        if there is None:
            return outcome
        verdict = reserved(there, action.me, self._alive(action.manifest["metadata"]["namespace"]))
        if isinstance(verdict, Stale):
            outcome, there = await self.cache.take_over(there, action.manifest)
            if there is None:
                return outcome if isinstance(outcome, Held) else Held("CacheContended", "others take it as well")
            verdict = reserved(there, action.me, self._alive(action.manifest["metadata"]["namespace"]))
        match verdict:
            case Mine():
                return Reserved(Reservation(True, "", clock.now()))
            case Theirs(message):
                return Reserved(Reservation(False, message, clock.now()))
            case _:
                return Reserved(Reservation(False, "waits for others to let go of this result", clock.now()))

    def _alive(self, namespace: str) -> Callable[[Holder], bool]:
        """Whether whoever holds a reservation is still at it: neither its Execution nor its node is over, nor its
        element of a map. That it gave the reservation back may have come to nothing.
        """

        def alive(holder: Holder) -> bool:
            tracked = self._store.executions.get((namespace, holder.execution))
            if tracked is None or tracked.uid != holder.uid or tracked.latest.get("phase") in OVER:
                return False
            node = (tracked.latest.get("nodes") or {}).get(holder.node) or {}
            return node.get("phase") not in NODE_OVER and not _has_ended(tracked, holder, node)

        return alive

    async def _value(self, namespace: str, name: str) -> Any:
        answer = await self._cluster.request("GET", paths.config_maps(namespace, name))
        if answer.status == 404:
            return Lost(f"the ConfigMap {name} with a value of this run is gone")
        try:
            return json.loads(gzip.decompress(base64.b64decode(_heard(answer)["binaryData"][VALUE_KEY])))
        except (KeyError, TypeError, ValueError, EOFError, OSError, zlib.error) as trouble:
            return Lost(f"the ConfigMap {name} with a value of this run can't be read: {trouble!r}")

    async def _segments(self, namespace: str, execution: str, node: str) -> list[Mapping[str, Any]]:
        """The segments of a map, in order: there are as many as are found."""
        found: list[Mapping[str, Any]] = []
        while True:
            name = names.segment_name(execution, node, len(found))
            answer = await self._cluster.request("GET", paths.config_maps(namespace, name))
            if answer.status == 404:
                return found
            found.append(_heard(answer))

    async def _previous(self, namespace: str, execution: str) -> Previous | None:
        answer = await self._cluster.request("GET", paths.ours("Execution", namespace, execution))
        if answer.status == 404:
            return None
        body = _heard(answer)
        status = body.get("status") or {}
        digest = status.get("closure")
        closure = await self._closures.find(namespace, digest) if digest else None
        if isinstance(closure, Unavailable):
            raise NotReachableError(closure.message)
        if not isinstance(closure, Closure):
            return None
        return Previous(execution, closure, parse(status), body.get("spec") or {})


def _has_ended(tracked: Tracked, holder: Holder, told: Mapping[str, Any]) -> bool:
    """Whether the element that holds a reservation has ended: as we know it, or as the status tells of its map."""
    if holder.element is None:
        return False
    ours = tracked.state.nodes.get(holder.node)
    if ours is not None and ours.elements is not None and ours.elements.loaded and holder.element < ours.elements.total:
        return ours.elements.phases[holder.element] in ENDED
    lengths = (told.get("elements") or {}).get("phases") or ""
    return letter_of(lengths, holder.element) in ENDED_LETTERS


def _heard(answer: Answer) -> Mapping[str, Any]:
    if not answer.ok:
        raise NotReachableError(answer.message)
    return answer.body
