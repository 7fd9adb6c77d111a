"""Bugs that are planted into the operator, to see that the simulator finds bugs.

Most stand between the operator and its cluster, or in what it is told, so that they stay what they are while its core
changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tests.api_server import refusal
from windlass_operator.clients.cluster import Answer, Cluster
from windlass_operator.core.actions import Done, Unavailable
from windlass_operator.core.record import record
from windlass_operator.dispatch.dispatcher import Dispatcher
from windlass_operator.dispatch.messages import Acknowledge, Result
from windlass_operator.dispatch.switchboard import Send, Switchboard
from windlass_operator.reconcile import loop
from windlass_operator.reconcile.loop import Reconciler
from windlass_operator.settings import Settings

Ask = Callable[..., Any]


def _believes(
    change: Callable[[Settings], Settings], cluster: Callable[[Cluster], Any] = lambda real: real
) -> AbstractContextManager[Any]:
    """The operator gets other settings, or another cluster, than it ought to."""
    made = Reconciler.__init__

    def make(self: Reconciler, real: Cluster, settings: Settings, telemetry: Any) -> None:
        made(self, cluster(real), change(settings), telemetry)

    return patch.object(Reconciler, "__init__", make)


class _Deceived:
    """A cluster that isn't asked as the operator should ask it."""

    def __init__(self, real: Cluster, deceive: Ask) -> None:
        self._real, self._deceive = real, deceive

    async def request(self, method: str, path: str, body: Any = None, **rest: Any) -> Answer:
        """One request."""
        answer: Answer = await self._deceive(self._real, method, path, body, **rest)
        return answer


def _deceived(deceive: Ask) -> AbstractContextManager[Any]:
    return _believes(lambda settings: settings, lambda real: _Deceived(real, deceive))


async def _keeps_pods(real: Cluster, method: str, path: str, body: Any, **rest: Any) -> Answer:
    if method == "DELETE" and "/pods/" in path:
        return Answer(200, {})
    return await real.request(method, path, body, **rest)


async def _fears_what_exists(real: Cluster, method: str, path: str, body: Any, **rest: Any) -> Answer:
    answer = await real.request(method, path, body, **rest)
    exists = answer.reason == "AlreadyExists" and path.endswith("/pods")
    return refusal(422, "Invalid", "it exists") if exists else answer


async def _adopts_what_exists(real: Cluster, method: str, path: str, body: Any, **rest: Any) -> Answer:
    """A pod of an earlier Execution of the same name is taken for one's own."""
    answer = await real.request(method, path, body, **rest)
    return Answer(201, {"metadata": body["metadata"]}) if answer.reason == "AlreadyExists" else answer


async def _writes_only_ends(real: Cluster, method: str, path: str, body: Any, **rest: Any) -> Answer:
    """Nothing is written down until it is over."""
    if method == "PATCH" and path.endswith("/status") and "/executions/" in path:
        phases = [operation["value"] for operation in body if operation["path"] == "/status/phase"]
        if not any(phase in ("Succeeded", "Failed", "Cancelled") for phase in phases):
            return Answer(200, {"metadata": {}})
    return await real.request(method, path, body, **rest)


def _trusts_its_luck() -> AbstractContextManager[Any]:
    """What is not known to have happened is taken for done."""

    def fold(plan: Any, outcomes: Mapping[Any, Any], now: float) -> Any:
        lucky = {action: Done() if isinstance(each, Unavailable) else each for action, each in outcomes.items()}
        return record(plan, lucky, now)

    return patch.object(loop, "record", fold)


def _acknowledges_what_it_hears() -> AbstractContextManager[Any]:
    """A result is acknowledged when it is heard, and not when it is written."""
    hears = Switchboard.received

    def received(self: Switchboard, link: int, message: Any, now: float) -> None:
        hears(self, link, message, now)
        if isinstance(message, Result):
            self._effects.append(Send(link, Acknowledge((message.call,))))

    return patch.object(Switchboard, "received", received)


def _asks_nobody() -> AbstractContextManager[Any]:
    """Calls of which nothing is known are taken for not begun, or for lost, before workers have said what they have."""
    stack = ExitStack()
    stack.enter_context(patch.object(Dispatcher, "unsure", lambda *_: frozenset()))
    stack.enter_context(patch.object(Switchboard, "taken_over", lambda *_: 0))
    return stack


def _lets_calls_go_on() -> AbstractContextManager[Any]:
    """Nobody ends the calls of an Execution that is over or gone."""
    return patch.object(Dispatcher, "close", lambda *_, **__: None)


def _forgets_to_acknowledge() -> AbstractContextManager[Any]:
    """Workers hold their results for ever, and so never leave."""
    return patch.object(Dispatcher, "acknowledge", lambda *_: None)


def _mourns_the_living() -> AbstractContextManager[Any]:
    """A worker whose stream ends is taken for gone."""
    loses = Switchboard.lost

    def lost(self: Switchboard, link: int, now: float) -> None:
        worker = self._links.get(link)
        loses(self, link, now)
        if worker is not None and worker.uid in self.workers:
            self._lose(worker, now)

    return patch.object(Switchboard, "lost", lost)


MUTANTS: Mapping[str, Callable[[], AbstractContextManager[Any]]] = {
    "one system retry too many": lambda: _believes(lambda s: replace(s, system_retries=s.system_retries + 1)),
    "one system retry too few": lambda: _believes(lambda s: replace(s, system_retries=max(0, s.system_retries - 1))),
    "pods are never stopped": lambda: _deceived(_keeps_pods),
    "a pod that exists is a failure": lambda: _deceived(_fears_what_exists),
    "a pod of whomever is one's own": lambda: _deceived(_adopts_what_exists),
    "nothing is written before the end": lambda: _deceived(_writes_only_ends),
    "an unknown outcome is taken for done": _trusts_its_luck,
    "a result is acknowledged when it is heard": _acknowledges_what_it_hears,
    "nobody asks workers what they have": _asks_nobody,
    "calls go on when nobody wants them": _lets_calls_go_on,
    "results are never acknowledged": _forgets_to_acknowledge,
    "a worker whose stream ends is taken for gone": _mourns_the_living,
}
"""By what they do."""
