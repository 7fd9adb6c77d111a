"""The operator under test, one life after the other, and all that goes wrong between it and the API server.

::

    world ──► Feed ──(lost, late, twice)──► Reconciler ──► Connection ──(refused, unheard, twice, crash)──► world

A ``Life`` begins as the real process does (``cli.run`` and ``handlers``): it lists the pods, fills kopf's index of
definitions, and then hears of every object. It ends in a crash at any request, before or after that did something; the
next one knows nothing but what the API server has.

News of one object never overtakes older news of it. News that is lost stays so until the stream is listed anew, and
then nobody ever says that an object is gone which isn't in the list: so it is with kopf. Pods are listed by the
operator itself, which finds out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from tests.api_server import Body, refusal, wire
from tests.simulator.scenarios import Trouble
from tests.simulator.world import COLLECTIONS, World, short
from windlass_api import names
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import JSON, Answer
from windlass_operator.core.plan_definition import DEFINITIONS
from windlass_operator.dispatch.dispatcher import Link
from windlass_operator.dispatch.messages import FromWorker
from windlass_operator.handlers import KINDS
from windlass_operator.reconcile.loop import Reconciler
from windlass_operator.reconcile.pools import Contact
from windlass_operator.reconcile.shards import EVERYTHING
from windlass_operator.telemetry import Telemetry

if TYPE_CHECKING:
    from tests.simulator.replicas import Replicas

WORKERS = 4
LATENCY = 0.002
REFUSALS = ((409, "Conflict"), (429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable"), (0, ""))
KIND_OF = {COLLECTIONS[names.plural(kind)]: kind for kind in KINDS} | {COLLECTIONS["pods"]: "Pod"}


class Operator:
    """Whoever keeps the process alive: after a crash it starts anew."""

    def __init__(self, world: World, telemetry: Telemetry, number: int, replicas: Replicas) -> None:
        self.world, self.telemetry, self.number, self.replicas = world, telemetry, number, replicas
        self.trouble = world.scenario.trouble
        self.dice = world.scenario.fates.draw("operator", *([number] if number else []))
        self.lives = 0
        self.requests = 0
        self.life: Life | None = None
        world.listeners.append(self._hear)

    def start(self) -> None:
        """A life begins."""
        with self.world.acting("operator"):
            self.world.say("START")
        self.lives += 1
        self.life = Life(self)

    def crash(self, when: str) -> None:
        """The life ends at once; another begins a while later."""
        assert self.life is not None
        with self.world.acting("operator"):
            self.world.say("CRASH", how=when)
        life, self.life = self.life, None
        life.end()
        self.replicas.ended(life)
        self.world.life_ended(life)
        self.world.timeline.call_later(self.dice.choice((0.01, 1.0, 30.0)), self.start)

    def calm_down(self) -> None:
        """From now on nothing goes wrong, and everything is listed once more."""
        late, self.trouble = self.trouble.delay + 1, Trouble()
        self.world.timeline.call_later(late, self.relist)

    def relist(self) -> None:
        """All streams begin anew."""
        if self.life is not None:
            for kind in (*KIND_OF.values(), "Worker"):
                self.life.feed.relist(kind)

    def _hear(self, change: str, path: str, item: Body, before: Body | None) -> None:
        if self.life is not None:
            self.life.feed.hear(change, path, item)


class Life:
    """One life of the operator."""

    def __init__(self, operator: Operator) -> None:
        self.operator, world = operator, operator.world
        self.over = False
        self.address = f"replica-{operator.number}-{operator.lives}:9443"
        share = operator.replicas.share_of(self) if world.scenario.replicas > 1 else EVERYTHING
        self.reconciler = Reconciler(Connection(self), world.scenario.settings, operator.telemetry, share)
        self.feed = Feed(self)
        self.feed.relist("Pod")
        self.feed.relist("Worker")
        for kind in DEFINITIONS:
            for item in world.objects(names.plural(kind)):
                self.reconciler.store.remember_definition(kind, item)
        for item in world.objects("executions"):  # as kopf's indexes, which come before all events
            self.reconciler.store.remember_child(item)
        for item in world.objects("signals"):
            self.reconciler.store.remember_signal(item)
        for kind in KINDS:
            self.feed.relist(kind)
        self._workers = [world.timeline.create_task(self.reconciler.work()) for _ in range(WORKERS)]
        if world.scenario.has_actors:
            self._serve_workers()

    def _serve_workers(self) -> None:
        """As ``cli.dispatching`` does."""
        dispatcher, replicas = self.reconciler.dispatcher, self.operator.replicas
        dispatcher.peers = lambda: tuple(life.address for life in replicas.lives)
        dispatcher.replica = self.address
        self.reconciler.pools.all_listed()
        self.reconciler.pools.opened(Contact("dispatcher:9443", "", clock.now()))
        self._workers.append(self.operator.world.timeline.create_task(dispatcher.keep_alive()))

    def hears_worker(self, link: Link, message: FromWorker) -> None:
        """A worker says something. That may be the last that is heard."""
        crashes = self.operator.trouble.crashes
        if crashes and self.operator.dice.random() < crashes / 2:
            self.operator.crash("before a worker's word")
            return
        self.reconciler.dispatcher.received(link, message)
        if crashes and self.operator.dice.random() < crashes / 2:
            self.operator.crash("after a worker's word")

    def end(self) -> None:
        """Nothing more is done or heard, nor is anything tidied up."""
        self.over = True
        self.feed.stop()
        for worker in self._workers:
            worker.cancel()


class Connection:
    """The ``Cluster`` of one life."""

    def __init__(self, life: Life) -> None:
        self._life, self._operator = life, life.operator
        self._world, self._dice = life.operator.world, life.operator.dice

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, and its fate."""
        self._live()
        sent = wire(body)
        self._operator.requests += 1
        await self._travel()
        trouble, dice = self._operator.trouble, self._dice
        if not trouble.calm:
            if dice.random() < trouble.crashes:
                await self._die(f"before {method} {short(path)}")
            refused = self._refused(method, path, query or {}, trouble)
            if refused is not None:
                self._say(method, path, f"→ {refused.status} {refused.reason}, and nothing is done")
                return refused
        answer = self._done(method, path, sent, content_type, accept, query)
        if not trouble.calm:
            if dice.random() < trouble.crashes:
                await self._die(f"after {method} {short(path)}")
            if dice.random() < trouble.repeated:
                self._say("UNHEARD", path, "and so repeated by the client")
                answer = self._done(method, path, sent, content_type, accept, query)
            if dice.random() < trouble.lost:
                self._say("UNHEARD", path)
                if method == "POST":
                    self._world.unheard.add(sent["metadata"]["name"])
                answer = Answer(0, {"message": "no answer from the API server"})
        await self._travel()
        return Answer(answer.status, wire(answer.body))

    def _done(self, method: str, path: str, body: Any, content_type: str, accept: str, query: Any) -> Answer:
        with self._world.acting("operator"):
            answer = self._world.answer(method, path, body, content_type, accept, query)
            if method != "GET" and not answer.ok:
                self._world.say(method, short(path), f"→ {answer.status} {answer.reason}")
            return answer

    def _refused(self, method: str, path: str, query: Mapping[str, str], trouble: Trouble) -> Answer | None:
        if self._dice.random() < trouble.refused:
            expired = "continue" in query
            return refusal(410, "Expired") if expired else refusal(*self._dice.choice(REFUSALS), message="not now")
        if method == "POST" and path == COLLECTIONS["pods"] and self._dice.random() < trouble.quota:
            return refusal(403, "Forbidden", "pods is forbidden: exceeded quota: few")
        return None

    def _say(self, what: str, path: str, how: str = "") -> None:
        with self._world.acting("network"):
            self._world.say(what, short(path), how)

    async def _travel(self) -> None:
        await asyncio.sleep(LATENCY)
        self._live()

    def _live(self) -> None:
        if self._life.over:
            raise asyncio.CancelledError

    async def _die(self, when: str) -> None:
        self._operator.crash(when)
        raise asyncio.CancelledError


class Feed:
    """The watch streams of one life."""

    def __init__(self, life: Life) -> None:
        self._life, self._world = life, life.operator.world
        self._dice: Random = life.operator.dice
        self._reconciler = life.reconciler
        self._newest: dict[str, float] = {}
        """When the latest news of each object arrives."""
        self._timers: dict[str, list[asyncio.TimerHandle]] = {kind: [] for kind in (*KIND_OF.values(), "Worker")}
        self._relists: dict[str, asyncio.TimerHandle] = {}

    def hear(self, change: str, path: str, item: Body) -> None:
        """Something changed in the world."""
        kind = KIND_OF.get(path.rpartition("/")[0])
        if kind == "Pod":
            kind = _kind_of_pod(item)
        if kind is None:
            return
        if self.is_settled(kind, item):
            return
        trouble = self._life.operator.trouble
        if trouble.deaf and self._dice.random() < trouble.deaf:
            with self._world.acting("network"):
                self._world.say("UNTOLD", short(path), change)
            if kind not in self._relists:
                pause = self._dice.uniform(1, 40)
                self._relists[kind] = self._world.timeline.call_later(pause, self.relist, kind)
            return
        times = 2 if trouble.doubled and self._dice.random() < trouble.doubled else 1
        for _ in range(times):
            self._deliver(kind, change, path, item)

    def relist(self, kind: str) -> None:
        """A stream begins anew with all there is. What was on its way doesn't arrive any more."""
        for timer in self._timers[kind]:
            timer.cancel()
        self._timers[kind].clear()
        waiting = self._relists.pop(kind, None)
        if waiting is not None:
            waiting.cancel()
        if kind == "Worker":
            self._reconciler.pools.pods_listed(
                list(self._world.listed(COLLECTIONS["pods"], names.LABEL_POOL)), self._world.version
            )
            return
        if kind == "Pod":
            listed: list[Mapping[str, Any]] = list(self._world.listed(COLLECTIONS["pods"], names.LABEL_EXECUTION))
            self._reconciler.pods_listed(listed, self._world.version)
            return
        items = self._world.objects(names.plural(kind))
        self._dice.shuffle(items)
        for item in items:
            if self.is_settled(kind, item):
                continue
            self._deliver(kind, None, f"{COLLECTIONS[names.plural(kind)]}/{item['metadata']['name']}", item)

    def is_settled(self, kind: str, item: Body) -> bool:
        """Whether a definition is as it was in the beginning, and nothing would come of hearing that."""
        known = self._world.scenario.settled and kind in DEFINITIONS
        return known and int(item["metadata"]["resourceVersion"]) <= self._world.beginning

    def stop(self) -> None:
        """Nobody listens any more."""
        for timers in (*self._timers.values(), self._relists.values()):
            for timer in timers:
                timer.cancel()

    def _deliver(self, kind: str, change: str | None, path: str, item: Body) -> None:
        now = self._world.timeline.time()
        when = max(now + self._dice.random() * self._life.operator.trouble.delay, self._newest.get(path, 0.0) + 1e-6)
        self._newest[path] = when
        self._timers[kind].append(self._world.timeline.call_at(when, self._tell(kind), change, item))

    def _tell(self, kind: str) -> Callable[[str | None, Body], None]:
        told = self._reconciler
        if kind == "Worker":
            return told.pools.pod_event  # type: ignore[return-value]  # a pod's change is never None
        if kind == "Pod":
            return told.pod_event  # type: ignore[return-value]  # a pod's change is never None
        if kind == "Execution":
            return told.execution_event
        if kind == "Signal":
            return told.signal_event
        return lambda change, item: told.definition_event(kind, change, item)


def _kind_of_pod(item: Body) -> str | None:
    """Whose stream tells of a pod."""
    labels = item["metadata"].get("labels") or {}
    return "Pod" if names.LABEL_EXECUTION in labels else "Worker" if names.LABEL_POOL in labels else None
