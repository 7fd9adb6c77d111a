"""The switchboard with a clock: what the loop, pools and streams have to do with.

The loop hands in calls and reads their views; pools ask how many wait, and tell of pods; a stream is a ``Link``, which
takes in what a worker says and gives out what is to be said. All of it happens in one event loop, and nothing waits
but for code bundles.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol, assert_never

from windlass_operator.core.observed import Children
from windlass_operator.core.plan_actor import Demand, WorkerView
from windlass_operator.dispatch.calls import Call, Order, PoolKey
from windlass_operator.dispatch.messages import (
    FromWorker,
    Heartbeat,
    Hello,
    Part,
    ToWorker,
    Wanted,
    Welcome,
)
from windlass_operator.dispatch.switchboard import (
    Close,
    Ended,
    HandedOut,
    News,
    Owns,
    PodView,
    PoolNews,
    Send,
    Switchboard,
)
from windlass_operator.kinds.evidence import Waiting

BEAT = 5.0
"""Seconds between two signs of life."""
PART = 512 * 1024
"""Bytes of a piece of a code bundle."""
BUNDLES = 16
"""Code bundles that are remembered: new workers want the same ones at the same time."""

FindBundle = Callable[[str, str], Awaitable[bytes | str]]
"""(namespace, digest) → the code bundle, or why there is none. It does not raise."""


class Link:
    """The stream of one worker."""

    def __init__(self, number: int) -> None:
        self.peers: tuple[str, ...] = ()
        """The replicas that it has been told of."""
        self.number = number
        self.namespace = ""
        self._outgoing: asyncio.Queue[ToWorker | None] = asyncio.Queue()
        self.over = ""
        """Why it has been ended by us; empty while it hasn't."""

    def push(self, message: ToWorker) -> None:
        """Say something, after all that is being said."""
        self._outgoing.put_nowait(message)

    def end(self, reason: str) -> None:
        """Say no more than what is on its way."""
        self.over = reason
        self._outgoing.put_nowait(None)

    async def next(self) -> ToWorker | None:
        """What is to be said next; None at the end."""
        return await self._outgoing.get()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be said."""
        return self._outgoing.empty()


class Meter(Protocol):
    """Who counts and times calls."""

    def waited(self, namespace: str, environment: str, seconds: float) -> None:
        """A worker got a call."""

    def ran(self, namespace: str, environment: str, outcome: str, seconds: float | None) -> None:
        """A call ended: ``succeeded``, ``failed`` or ``lost``."""


class NoMeter:
    """Nobody does."""

    def waited(self, namespace: str, environment: str, seconds: float) -> None:
        """A worker got a call."""

    def ran(self, namespace: str, environment: str, outcome: str, seconds: float | None) -> None:
        """A call ended."""


class Dispatcher:
    """See the module."""

    def __init__(
        self,
        now: Callable[[], float],
        wake: Callable[[str, str, float], None],
        owns: Owns = lambda *_: True,
        find_bundle: FindBundle | None = None,
        beat: float = BEAT,
    ) -> None:
        """``wake(namespace, Execution, delay)`` asks for a pass over an Execution. ``beat`` is the seconds between two
        signs of life.
        """
        self.beat = beat
        self._now, self._wake, self._find_bundle = now, wake, find_bundle
        self.board = Switchboard(now(), owns)
        self.pool_news: Callable[[str, str], None] = lambda *_: None
        """Told of each environment whose calls or workers have changed."""
        self.peers: Callable[[], Sequence[str]] = tuple
        """Where all replicas can be reached, this one included."""
        self.meter: Meter = NoMeter()
        self.replica = ""
        """Which of them this is."""
        self._links: dict[int, Link] = {}
        self._numbers = itertools.count(1)
        self._bundles: OrderedDict[tuple[str, str], asyncio.Task[bytes | str]] = OrderedDict()
        self._sending: set[asyncio.Task[None]] = set()

    # ---- the loop ----

    def views(self, namespace: str, execution: str, uid: str) -> Children:
        """The calls of an Execution."""
        return self.board.views(namespace, execution, uid)

    def taken_over(self) -> int:
        """Executions have become this replica's: workers say what they have. Gives the number of this takeover."""
        era = self.board.taken_over()
        self._do()
        return era

    def unsure(
        self, namespace: str, execution: str, pools: Iterable[tuple[str, str]], since: float, era: int = 0
    ) -> frozenset[str]:
        """Of these environments and revisions, the environments whose workers may have calls of an Execution of which
        nobody here knows. The Execution is woken when they have said so. ``since`` and ``era`` are the time and the
        number of the takeover by which it became this replica's.
        """
        found = frozenset(
            environment
            for environment, revision in pools
            if self.board.unsure((namespace, execution), PoolKey(namespace, environment, revision), since, era)
        )
        self._do()
        return found

    def dispatch(self, order: Order) -> str:
        """Have a call made. Gives why it can't be taken at the moment."""
        problem = self.board.dispatch(order, self._now())
        self._do()
        return problem

    def recall(self, call_id: str, reason: str) -> None:
        """A call is not wanted any more."""
        self.board.recall(call_id, reason)
        self._do()

    def has(self, namespace: str, execution: str) -> bool:
        """Whether an Execution of this name has calls."""
        return self.board.has(namespace, execution)

    def ended(self, namespace: str, execution: str, uid: str) -> list[Call]:
        """The calls of an Execution whose end is known, and not acknowledged."""
        return self.board.ended(namespace, execution, uid)

    def acknowledge(self, call_ids: Iterable[str]) -> None:
        """What these calls came to is written down."""
        self.board.acknowledge(call_ids)
        self._do()

    def close(self, namespace: str, execution: str, but: str = "") -> None:
        """Nobody wants the calls of an Execution any more: all but those of a uid."""
        self.board.close(namespace, execution, but)
        self._do()

    def held(self) -> int:
        """How many results are not acknowledged yet."""
        return self.board.held()

    # ---- pools ----

    def demands(self, namespace: str, environment: str) -> list[Demand]:
        """The calls for an environment, by revision."""
        return self.board.demands(namespace, environment)

    def workers(self, namespace: str, environment: str) -> list[WorkerView]:
        """The workers of an environment that are connected."""
        return self.board.connected(namespace, environment)

    def drain(self, pod_uid: str, reason: str) -> None:
        """Tell a worker to take nothing more, and to leave once it is done."""
        self.board.drain(pod_uid, reason)
        self._do()

    def pods(self, namespace: str, environment: str, pods: Mapping[str, PodView]) -> None:
        """The workers' pods of an environment that have not ended."""
        self.board.pods(namespace, environment, pods, self._now())
        self._do()

    def all_pods_known(self) -> None:
        """Whoever has not been told of has no pods."""
        self.board.all_pods_known()
        self._do()

    def why(self, pool: PoolKey, why: Waiting) -> None:
        """Why calls wait for a pool."""
        self.board.why(pool, why)
        self._do()

    # ---- streams ----

    def connect(self, hello: Hello) -> Link:
        """A worker has dialled, and is who it says it is."""
        link = Link(next(self._numbers))
        link.namespace = hello.namespace
        self._links[link.number] = link
        self._welcome(link)
        self.board.dialled(link.number, hello, self._now())
        self._do()
        return link

    def received(self, link: Link, message: FromWorker) -> None:
        """A worker says something."""
        if isinstance(message, Wanted):
            task = asyncio.get_running_loop().create_task(self._send_bundle(link, message.code))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        self.board.received(link.number, message, self._now())
        self._do()

    def disconnected(self, link: Link) -> None:
        """A stream has ended."""
        if self._links.pop(link.number, None) is not None:
            self.board.lost(link.number, self._now())
            self._do()

    async def keep_alive(self) -> None:
        """Give signs of life and look for those of workers, for ever."""
        while True:
            await asyncio.sleep(self.beat)
            self.board.silent(self._now(), self.beat)
            self._do()
            peers = tuple(self.peers())
            for link in self._links.values():
                if link.peers != peers:  # a replica has come or gone: workers dial it, or give it up
                    self._welcome(link)
                elif link.idle:
                    link.push(Heartbeat())

    def _welcome(self, link: Link) -> None:
        link.peers = tuple(self.peers())
        link.push(Welcome(link.peers, self.beat, self.replica))

    def hang_up(self, reason: str) -> None:
        """End all streams: this replica leaves."""
        for link in self._links.values():
            link.end(reason)

    # ---- code ----

    async def _send_bundle(self, link: Link, code: str) -> None:
        found = await self._bundle(link.namespace, code)
        if isinstance(found, str):
            link.push(Part(code, last=True, problem=found))
            return
        for start in range(0, max(1, len(found)), PART):
            link.push(Part(code, found[start : start + PART], last=start + PART >= len(found)))

    async def _bundle(self, namespace: str, code: str) -> bytes | str:
        """A code bundle, fetched once for all who want it at the same time, and kept for a while."""
        if self._find_bundle is None:
            return "this operator has no code bundles"
        key = (namespace, code)
        task = self._bundles.get(key)
        if task is None:
            task = self._bundles[key] = asyncio.ensure_future(self._find_bundle(namespace, code))
            while len(self._bundles) > BUNDLES:
                self._bundles.popitem(last=False)
        found = await asyncio.shield(task)
        if isinstance(found, str):
            self._bundles.pop(key, None)  # the next one asks anew
        return found

    # ---- what follows ----

    def _do(self) -> None:
        """Do what the switchboard asks for."""
        for effect in self.board.effects():
            match effect:
                case Send(number, message):
                    if number in self._links:
                        self._links[number].push(message)
                case Close(number, reason):
                    link = self._links.pop(number, None)
                    if link is not None:
                        link.end(reason)
                case News(namespace, execution, delay):
                    self._wake(namespace, execution, delay)
                case PoolNews(namespace, environment):
                    self.pool_news(namespace, environment)
                case HandedOut(pool, since):
                    self.meter.waited(pool.namespace, pool.environment, self._now() - since)
                case Ended(pool, outcome, seconds):
                    self.meter.ran(pool.namespace, pool.environment, outcome, seconds)
                case _:
                    assert_never(effect)
