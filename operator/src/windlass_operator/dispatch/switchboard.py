"""Who gets which call, and what is known of each: a state machine without clock and I/O.

::

    dispatch ──► QUEUED ──(a slot is free)──► SENT ──Started──► RUNNING ──Result──► DONE ──acknowledge──► (forgotten)
                   ▲                           │  Refused, or never came            ▲
                   └───────────────────────────┘                                    │
               an Inventory that has it: RUNNING or DONE;  its worker is gone: DONE (WorkerLost), or QUEUED if unbegun

Every operation gets the time, changes the state, and leaves *effects* behind: messages to send, streams to end, and
news for whoever reconciles an Execution or a pool. Nothing here is written down anywhere: what is lost with this
process the workers say again (docs/decisions/0041).

A worker is known by its pod. Its stream, a *link*, comes and goes; what it has stays its own until its pod is gone, or
it says in an Inventory that it doesn't have it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from windlass_api import names
from windlass_api.protocol import SILENT_BEATS
from windlass_operator.core.clock import rfc3339
from windlass_operator.core.observed import ALONE, Children, ChildView, Place
from windlass_operator.core.plan_actor import Demand, WorkerView
from windlass_operator.dispatch.calls import Call, CallKey, Order, Phase, PoolKey, parse
from windlass_operator.dispatch.messages import (
    Acknowledge,
    Ask,
    Cancel,
    Drain,
    FromWorker,
    Hello,
    Inventory,
    Leaving,
    Refused,
    Result,
    Run,
    Started,
    State,
    ToWorker,
    Wanted,
)
from windlass_operator.kinds.calls import WORKER_LOST, evidence
from windlass_operator.kinds.evidence import Evidence, Failed, Running, Waiting

MAX_QUEUED = 20_000
"""Calls that wait in one replica; the next ones wait in their Executions."""
MAX_QUEUED_BYTES = 128 * 1024 * 1024
HAND_OUTS = 3
"""How often a call is handed out whose worker disappears before it says that it began. Then it counts as begun."""
SKEW = 5.0
"""Seconds that clocks of nodes may differ from ours, where a pod's start is compared with our own."""
SOON, TOGETHER = 0.25, 0.02
"""Seconds until news are acted on: that a call has begun, which somebody may want to read; and that an element of a map
has ended, of which there are many: together with those that end meanwhile.
"""
SHORTEST = 0.001
"""Seconds that a call takes at least, from a worker's hand back into it. As long as calls wait, no worker does, and
nobody is kept waiting if their ends are told late.
"""
CANCELLED = "Cancelled"
UNHEARD = "nothing was heard for too long"
UNANSWERED = "it was asked what it has, and didn't say: the windlass of its image may be older than this operator"
BEFORE_ALL = -1
"""In place of the number of a takeover: before this replica knew of all pods."""

Owns = Callable[[str, str], bool]
"""(namespace, Execution) → whether it is this replica's, at this very moment."""


class Send(NamedTuple):
    """Say something to a worker."""

    link: int
    message: ToWorker


class Close(NamedTuple):
    """End a stream."""

    link: int
    reason: str


class News(NamedTuple):
    """An Execution has something to look at, within so many seconds."""

    namespace: str
    execution: str
    delay: float = 0.0


class PoolNews(NamedTuple):
    """The calls or the workers of an environment have changed."""

    namespace: str
    environment: str


class HandedOut(NamedTuple):
    """A worker gets a call that has waited since then. For the metrics."""

    pool: PoolKey
    since: float


class Ended(NamedTuple):
    """A call has ended: ``succeeded``, ``failed``, or ``lost`` with its worker. For the metrics."""

    pool: PoolKey
    outcome: str
    seconds: float | None = None
    """How long it ran, where that is known."""


Effect = Send | Close | News | PoolNews | HandedOut | Ended


class PodView(NamedTuple):
    """A worker's pod that has not ended."""

    revision: str
    started_at: float | None
    """When its container began to run; None where it hasn't, and so can have no call."""


class Caller(NamedTuple):
    """Who has dialled, and when. What it has, it has still to say."""

    hello: Hello
    since: float


@dataclass(slots=True)
class Worker:
    """What is known of a worker."""

    uid: str
    pool: PoolKey
    link: int | None = None
    slots: int = 1
    free: int = 0
    """Slots that are free, as it has said; those that we have filled since are not counted."""
    warm: frozenset[str] = frozenset()
    """Code that it has at hand."""
    calls: dict[str, None] = field(default_factory=dict)
    """What we know it to have, and not to have ended."""
    last: str = ""
    """The task that it ran last."""
    leaving: bool = False
    era: int = 0
    """The takeover after which it has said last what it has."""
    heard_at: float = 0.0
    idle_since: float = 0.0


class Lanes:
    """The calls that wait for one pool: each Execution has a lane, and they take turns. One that doesn't wait any more
    is found to be so when its turn comes.
    """

    def __init__(self) -> None:
        self._lanes: OrderedDict[tuple[str, str], deque[Call]] = OrderedDict()
        self.count = 0

    def push(self, call: Call, *, first: bool = False) -> None:
        """A call waits."""
        self.count += 1
        lane = self._lanes.setdefault(call.key.owner, deque())
        if first:
            lane.appendleft(call)
            self._lanes.move_to_end(call.key.owner, last=False)
        else:
            lane.append(call)

    def next(self) -> Call | None:
        """Whose turn it is. It stays, and its lane is at the end from now on."""
        while self._lanes:
            owner, lane = next(iter(self._lanes.items()))
            while lane and lane[0].phase is not Phase.QUEUED:
                lane.popleft()
            if lane:
                return lane[0]
            del self._lanes[owner]
        return None

    def took(self, call: Call) -> None:
        """The call that ``next`` gave was taken."""
        lane = self._lanes[call.key.owner]
        lane.popleft()
        self._lanes.move_to_end(call.key.owner)

    def oldest(self) -> float | None:
        """Since when the first of them waits."""
        heads = (next((one.since for one in lane if one.phase is Phase.QUEUED), None) for lane in self._lanes.values())
        return min((since for since in heads if since is not None), default=None)

    def waiting(self) -> list[Call]:
        """All of them."""
        return [call for lane in self._lanes.values() for call in lane if call.phase is Phase.QUEUED]


@dataclass(slots=True)
class Family:
    """The calls of one Execution."""

    views: Children = field(default_factory=Children)
    calls: dict[Place, Call] = field(default_factory=dict)
    closed: bool = False
    """Whether nobody wants them any more: what they give is not kept."""


class Switchboard:
    """See the module."""

    def __init__(self, began: float, owns: Owns = lambda *_: True) -> None:
        """``began`` is when this replica began: workers say what they have after that, or have still to."""
        self._began, self._owns = began, owns
        self._effects: list[Effect] = []
        self.calls: dict[str, Call] = {}
        self.workers: dict[str, Worker] = {}
        """By the uid of their pod."""
        self._callers: dict[int, Caller] = {}
        self._links: dict[int, Worker] = {}
        self._members: dict[PoolKey, dict[str, Worker]] = {}
        self._lanes: dict[PoolKey, Lanes] = {}
        self._specs: dict[PoolKey, Mapping[str, Any]] = {}
        self._busy: dict[PoolKey, int] = {}
        """Calls that are sent or run."""
        self._why: dict[PoolKey, Waiting] = {}
        self._families: dict[tuple[str, str], dict[str, Family]] = {}
        """By Execution, then by its uid."""
        self._pods: dict[tuple[str, str], dict[str, PodView]] = {}
        self._seen: dict[str, int] = {}
        """The takeover after which each of these pods was first told of."""
        self._pods_known = False
        self._era = 0
        """Takeovers are counted: which clock is right, nobody knows."""
        self._curious: dict[PoolKey, set[tuple[str, str]]] = {}
        """Executions that wait until it is known what workers have."""
        self._queued, self._queued_bytes = 0, 0

    def effects(self) -> list[Effect]:
        """What is to be done since this was asked last."""
        effects, self._effects = self._effects, []
        return effects

    # ---- what Executions ask ----------------------------------------------------------------------------------------

    def views(self, namespace: str, execution: str, uid: str) -> Children:
        """The calls of an Execution."""
        family = self._families.get((namespace, execution), {}).get(uid)
        return family.views if family is not None else Children()

    def taken_over(self) -> int:
        """Executions have become this replica's. Every worker is asked what it has, so that no call and no result of
        theirs stays unknown, whether or not they are over. Gives the number of this takeover.
        """
        unasked = [link for link, worker in self._links.items() if worker.era == self._era]
        self._era += 1
        for link in unasked:
            self._ask(link)
        return self._era

    def unsure(self, execution: tuple[str, str], pool: PoolKey, since: float, era: int = 0) -> bool:
        """Whether workers may have calls of an Execution that nobody here knows of. Whoever reconciles it is told when
        that is over. ``since`` and ``era`` are the time and the number of the takeover by which it became this
        replica's.
        """
        since = max(since, self._began)
        found = not self._pods_known or any(
            self._may_have_calls(uid, pod, since, era) for uid, pod in self._pods_of(pool).items()
        )
        if found:
            self._curious.setdefault(pool, set()).add(execution)
        return found

    def _may_have_calls(self, uid: str, pod: PodView, since: float, era: int) -> bool:
        """Whether a worker may have calls that were handed out before a takeover, and has not said so since."""
        worker = self.workers.get(uid)
        if worker is not None:
            return worker.era < era
        if pod.started_at is None:
            return False
        return pod.started_at <= since + SKEW or self._seen[uid] < era

    def dispatch(self, order: Order, now: float) -> str:
        """Have a call made. Gives why it can't be taken at the moment; once is enough, and twice does no harm."""
        call_id = order.key.text()
        if call_id in self.calls:
            return ""
        if self._queued >= MAX_QUEUED or self._queued_bytes + len(order.document) > MAX_QUEUED_BYTES:
            return f"{self._queued} calls wait for workers already"
        self._specs[order.pool] = order.spec
        call = Call(order.key, call_id, order.pool, Phase.QUEUED, order.name, order, now)
        self.calls[call_id] = call
        self._enqueue(call)
        self._serve(order.pool)
        return ""

    def recall(self, call_id: str, reason: str) -> None:
        """A call is not wanted any more."""
        call = self.calls.get(call_id)
        if call is None or call.phase is Phase.DONE:
            return
        if call.phase is Phase.QUEUED:
            self._unqueue(call)
            self._drop(call)
            return
        call.recalled = reason
        self._tell(call.holder, Cancel(call_id, reason))
        self._show(call)

    def acknowledge(self, call_ids: Iterable[str]) -> None:
        """What these calls came to is written down: forget them, and let their workers do so."""
        told: dict[str, list[str]] = {}
        for call_id in call_ids:
            call = self.calls.get(call_id)
            if call is not None and call.phase is Phase.DONE:
                told.setdefault(call.holder, []).append(call_id)
                self._drop(call)
        for holder, ids in told.items():
            self._tell(holder, Acknowledge(tuple(ids)))

    def held(self) -> int:
        """How many calls have ended of which nobody has written so."""
        return sum(call.phase is Phase.DONE for call in self.calls.values())

    def has(self, namespace: str, execution: str) -> bool:
        """Whether an Execution of this name has calls."""
        return (namespace, execution) in self._families

    def ended(self, namespace: str, execution: str, uid: str) -> list[Call]:
        """The calls of an Execution whose end is known, and not acknowledged."""
        family = self._families.get((namespace, execution), {}).get(uid)
        if family is None:
            return []
        return [call for call in family.calls.values() if call.phase is Phase.DONE]

    def close(self, namespace: str, execution: str, but: str = "") -> None:
        """Nobody wants the calls of an Execution any more, or of earlier ones of its name: all but those of a uid."""
        for uid, family in list(self._families.get((namespace, execution), {}).items()):
            if uid == but:
                continue
            family.closed = True
            calls = list(family.calls.values())
            for call in calls:
                if not call.recalled:
                    self.recall(call.id, CANCELLED)
            self.acknowledge([call.id for call in calls if call.phase is Phase.DONE])

    # ---- what pools ask ---------------------------------------------------------------------------------------------

    def demands(self, namespace: str, environment: str) -> list[Demand]:
        """The calls for an environment, by revision."""
        found = []
        for pool in dict.fromkeys((*self._specs, *self._busy)):
            if (pool.namespace, pool.environment) == (namespace, environment):
                spec = self._specs.get(pool, {})  # of calls that another operator sent nobody here knows it
                lanes = self._lanes.get(pool)
                waiting = lanes.count if lanes is not None else 0
                since = lanes.oldest() if lanes is not None else None
                running = self._busy.get(pool, 0)
                if waiting or running:
                    found.append(
                        Demand(revision=pool.revision, spec=spec, waiting=waiting, running=running, since=since)
                    )
        return found

    def connected(self, namespace: str, environment: str) -> list[WorkerView]:
        """The workers of an environment that have a stream."""
        return [
            WorkerView(
                pod_uid=worker.uid,
                revision=pool.revision,
                slots=worker.slots,
                free=self._room(worker),
                running=len(worker.calls),
                idle_since=None if worker.calls or worker.free < worker.slots else worker.idle_since,
                leaving=worker.leaving,
            )
            for pool, members in self._members.items()
            if (pool.namespace, pool.environment) == (namespace, environment)
            for worker in members.values()
            if worker.link is not None
        ]

    def drain(self, uid: str, reason: str) -> None:
        """A worker is to leave."""
        worker = self.workers.get(uid)
        if worker is not None and not worker.leaving:
            worker.leaving = True
            self._tell(uid, Drain(reason))

    def pods(self, namespace: str, environment: str, pods: Mapping[str, PodView], now: float) -> None:
        """The workers' pods of an environment that have not ended, by uid."""
        before = self._pods.pop((namespace, environment), {})
        if pods:
            self._pods[namespace, environment] = dict(pods)
        for uid in before.keys() - pods.keys():
            del self._seen[uid]
        for uid in pods:
            self._seen.setdefault(uid, self._era if self._pods_known else BEFORE_ALL)
        for pool, members in list(self._members.items()):
            if (pool.namespace, pool.environment) == (namespace, environment):
                for worker in list(members.values()):
                    if worker.uid not in pods and worker.link is None:
                        self._lose(worker, now)
        self._satisfy(namespace, environment)

    def all_pods_known(self) -> None:
        """Environments of which nobody has told have no pods."""
        self._pods_known = True
        for pool in list(self._curious):
            self._satisfy(pool.namespace, pool.environment)

    def why(self, pool: PoolKey, why: Waiting) -> None:
        """Why calls wait for a pool, as it is known there."""
        if self._why.get(pool, NO_REASON) == why:
            return
        self._why[pool] = why
        lanes = self._lanes.get(pool)
        for call in lanes.waiting() if lanes is not None else ():
            self._show(call)
            self._news(call, SOON)

    # ---- what workers say -------------------------------------------------------------------------------------------

    def dialled(self, link: int, hello: Hello, now: float) -> None:
        """A worker has dialled. It is asked what it has, and until it has said so an earlier stream of its goes on."""
        self._callers[link] = Caller(hello, now)
        self._ask(link)

    def _ask(self, link: int) -> None:
        self._effects.append(Send(link, Ask(self._era)))

    def received(self, link: int, message: FromWorker, now: float) -> None:
        """A worker says something."""
        if link in self._callers and isinstance(message, Inventory):
            self._let_in(link, self._callers.pop(link).hello, now)
        worker = self._links.get(link)
        if worker is None:
            return  # of a stream that was ended, or what an Inventory will say
        worker.heard_at = now
        match message:
            case Inventory() if message.number < self._era:
                self._ask(link)  # there was a takeover meanwhile
            case Inventory():
                self._inventory(worker, message, now)
            case State(free, code):
                if free != worker.free:  # another replica has it do something, or had
                    worker.idle_since = now
                    self._pool_news(worker.pool)
                worker.free, worker.warm = min(free, worker.slots), frozenset(code)
            case Started(call_id, at):
                call = self.calls.get(call_id)
                if call is not None and call.phase is Phase.SENT and call.holder == worker.uid:
                    worker.free = max(0, worker.free - 1)
                self._started(worker, call_id, at)
            case Result():
                self._result(worker, message, now)
            case Refused(call_id):
                self._refused(worker, call_id)
            case Leaving():
                worker.leaving = True
                self._pool_news(worker.pool)
            case Wanted():
                return
        self._serve(worker.pool)

    def lost(self, link: int, now: float) -> None:
        """A stream has ended."""
        self._callers.pop(link, None)
        worker = self._links.pop(link, None)
        if worker is None:
            return
        worker.link = None
        self._pool_news(worker.pool)
        self._unless_it_is_there(worker, now)

    def silent(self, now: float, beat: float) -> None:
        """End streams of which nothing was heard for too long."""
        for worker in list(self._links.values()):
            if now - worker.heard_at > SILENT_BEATS * beat:
                self._close(worker, UNHEARD)
                self._unless_it_is_there(worker, now)
        for link, caller in list(self._callers.items()):
            if now - caller.since > SILENT_BEATS * beat:
                del self._callers[link]
                self._effects.append(Close(link, UNANSWERED))

    def _let_in(self, link: int, hello: Hello, now: float) -> None:
        """A worker has a stream: its only one."""
        worker = self.workers.get(hello.pod_uid)
        if worker is None:
            pool = PoolKey(hello.namespace, hello.pool, hello.revision)
            worker = self.workers[hello.pod_uid] = Worker(hello.pod_uid, pool, idle_since=now)
            self._members.setdefault(pool, {})[worker.uid] = worker
        elif worker.link is not None:
            self._close(worker, "the worker has dialled again")
        worker.link, worker.slots, worker.leaving = link, max(1, hello.slots), False
        self._links[link] = worker

    def _inventory(self, worker: Worker, has: Inventory, now: float) -> None:
        """This is all that a worker has: what it was sent before it was asked has arrived, and nothing was since."""
        worker.era, worker.warm = has.number, frozenset(has.code)
        worker.free = worker.slots - len(has.running)
        said = {*has.running, *(result.call for result in has.results)}
        for call_id in [one for one in worker.calls if one not in said]:
            call = self.calls[call_id]
            call.sent -= call.phase is Phase.SENT  # it was lost on its way: it has ended nobody
            self._never_came(call, now)
        for call_id in has.running:
            self._started(worker, call_id, now)
        for result in has.results:
            self._result(worker, result, now)
        self._satisfy(worker.pool.namespace, worker.pool.environment)
        self._pool_news(worker.pool)

    # ---- calls on their way -----------------------------------------------------------------------------------------

    def _started(self, worker: Worker, call_id: str, at: float) -> None:
        call = self._known(worker, call_id)
        if call is None or call.phase is Phase.DONE:
            return
        if call.phase in HELD and call.holder != worker.uid:
            if call.phase is Phase.RUNNING:
                self._tell(worker.uid, Cancel(call_id, "another worker runs it"))
                return
            self._tell(call.holder, Cancel(call_id, "another worker runs it"))
        self._move(call, Phase.RUNNING, worker)
        if call.recalled:
            self._tell(worker.uid, Cancel(call_id, call.recalled))
        self._show(call, Running(rfc3339(at)))
        self._news(call, SOON)

    def _result(self, worker: Worker, result: Result, now: float) -> None:
        call = self._known(worker, result.call)
        if call is None:
            return
        if call.phase is Phase.DONE:
            if call.holder != worker.uid:  # another one's counts
                self._tell(worker.uid, Acknowledge((result.call,)))
            return
        if call.phase in HELD and call.holder != worker.uid:
            self._tell(call.holder, Cancel(call.id, "another worker has run it"))
        if call.id in worker.calls:
            worker.free = min(worker.slots, worker.free + (call.phase is Phase.RUNNING))
        at = rfc3339(result.finished_at or now)
        said = evidence(result.record, result.exit_code, result.reason, result.log_tail, at)
        outcome = "failed" if isinstance(said, Failed) else "succeeded"
        took = result.finished_at - result.started_at if result.started_at and result.finished_at else None
        self._effects.append(Ended(call.pool, outcome, took))
        self._finish(call, worker.uid, said)
        worker.idle_since = now

    def _refused(self, worker: Worker, call_id: str) -> None:
        call = self.calls.get(call_id)
        if call is None or call.phase is not Phase.SENT or call.holder != worker.uid:
            return
        worker.free = 0
        call.sent -= 1
        self._again(call)

    def _never_came(self, call: Call, now: float) -> None:
        """The worker that should have a call doesn't."""
        if call.phase is Phase.RUNNING or call.order is None or call.sent >= HAND_OUTS:
            self._effects.append(Ended(call.pool, "lost"))
            self._finish(call, call.holder, Failed(WORKER_LOST, rfc3339(now)))
        else:
            self._again(call)

    def _again(self, call: Call) -> None:
        """A call that was not begun is handed out anew; unless it isn't wanted."""
        self._leave(call)
        if call.recalled:
            call.phase = Phase.DONE
            self._drop(call)
            self._news(call, 0.0)
            return
        call.phase, call.holder = Phase.QUEUED, ""
        self._enqueue(call, first=True)
        self._serve(call.pool)

    def _unless_it_is_there(self, worker: Worker, now: float) -> None:
        """A worker has no stream any more: it is gone, if its pod was gone before."""
        if self._pods_known and worker.uid not in self._pods_of(worker.pool):
            self._lose(worker, now)

    def _lose(self, worker: Worker, now: float) -> None:
        """A worker is gone for good."""
        del self.workers[worker.uid]
        members = self._members[worker.pool]
        del members[worker.uid]
        if not members:
            del self._members[worker.pool]
        for call_id in list(worker.calls):
            self._never_came(self.calls[call_id], now)
        self._pool_news(worker.pool)

    def _finish(self, call: Call, holder: str, said: Evidence) -> None:
        """A call has ended."""
        if call.phase is Phase.QUEUED:
            self._unqueue(call)
        self._leave(call)
        call.phase, call.holder, call.order = Phase.DONE, holder, None
        self._show(call, said)
        if self._families[call.key.namespace, call.key.execution][call.key.uid].closed:
            self.acknowledge([call.id])
        else:
            self._news(call, self._in_time(call))
        self._serve(call.pool)
        self._pool_news(call.pool)

    def _in_time(self, call: Call) -> float:
        """Seconds in which the end of a call has to be acted on, so that no worker runs out of calls."""
        if call.key.element == ALONE:
            return 0.0
        lanes = self._lanes.get(call.pool)
        slots = sum(worker.slots for worker in self._members.get(call.pool, {}).values())
        waiting = lanes.count if lanes is not None else 0
        return min(SOON, max(TOGETHER, SHORTEST * waiting / max(1, slots)))

    def _known(self, worker: Worker, call_id: str) -> Call | None:
        """A call by its id; one that nobody here has heard of is taken in, if its Execution is ours."""
        call = self.calls.get(call_id)
        if call is not None:
            return call
        key = parse(call_id)
        if key is None or key.namespace != worker.pool.namespace or not self._owns(key.namespace, key.execution):
            return None
        name = names.pod_name(key.execution, key.node, key.attempt, None if key.element == ALONE else key.element)
        call = self.calls[call_id] = Call(key, call_id, worker.pool, Phase.SENT, name, holder=worker.uid)
        self._join(call, worker)
        return call

    def _serve(self, pool: PoolKey) -> None:
        """Hand out what waits, as long as there are free slots."""
        lanes = self._lanes.get(pool)
        while lanes is not None and lanes.count:
            call, worker = lanes.next(), None
            if call is not None:
                worker = self._choose(call)
            if call is None or worker is None:
                return
            lanes.took(call)
            self._unqueue(call)
            if not self._owns(call.key.namespace, call.key.execution):
                self._drop(call)
                continue
            self._send(call, worker)

    def _choose(self, call: Call) -> Worker | None:
        """The least loaded worker; of those one that has the code at hand, and ran this task last."""
        assert call.order is not None
        order, known = call.order, call.order.known_by
        able = [worker for worker in self._members.get(call.pool, {}).values() if self._room(worker) > 0]
        if len(able) < 2:  # nearly always
            return able[0] if able else None
        return min(
            able,
            key=lambda one: (len(one.calls), bool(known) and known not in one.warm, one.last != order.task),
        )

    def _room(self, worker: Worker) -> int:
        """Calls that it takes now."""
        if worker.link is None or worker.leaving or worker.era < self._era:  # it is asked what it has
            return 0
        on_their_way = sum(self.calls[one].phase is Phase.SENT for one in worker.calls)
        return max(0, min(worker.free - on_their_way, worker.slots - len(worker.calls)))

    def _send(self, call: Call, worker: Worker) -> None:
        assert call.order is not None
        order = call.order
        call.sent += 1
        worker.last = order.task
        self._effects.append(HandedOut(call.pool, call.since))
        self._move(call, Phase.SENT, worker)
        self._tell(worker.uid, Run(call.id, order.document, order.code, order.timeout))
        self._show(call, Waiting())

    # ---- where calls are --------------------------------------------------------------------------------------------

    def _move(self, call: Call, phase: Phase, worker: Worker) -> None:
        """A worker has the call now."""
        if call.phase is Phase.QUEUED and phase is not Phase.SENT:
            self._unqueue(call)
        if call.holder != worker.uid:
            self._leave(call)
            self._join(call, worker)
        call.phase = phase

    def _join(self, call: Call, worker: Worker) -> None:
        call.holder = worker.uid
        worker.calls[call.id] = None
        self._busy[call.pool] = self._busy.get(call.pool, 0) + 1

    def _leave(self, call: Call) -> None:
        """Its worker has it no more."""
        if call.phase in HELD:
            self._busy[call.pool] -= 1
            if not self._busy[call.pool]:
                del self._busy[call.pool]
            worker = self.workers.get(call.holder)
            if worker is not None:
                worker.calls.pop(call.id, None)
        call.holder = ""

    def _enqueue(self, call: Call, *, first: bool = False) -> None:
        assert call.order is not None
        self._lanes.setdefault(call.pool, Lanes()).push(call, first=first)
        self._queued += 1
        self._queued_bytes += len(call.order.document)
        self._show(call)
        self._pool_news(call.pool)

    def _unqueue(self, call: Call) -> None:
        """It waits no more."""
        assert call.order is not None
        self._lanes[call.pool].count -= 1
        self._queued -= 1
        self._queued_bytes -= len(call.order.document)
        call.phase = Phase.DONE

    def _drop(self, call: Call) -> None:
        """Forget a call."""
        del self.calls[call.id]
        where = (call.key.namespace, call.key.execution)
        families = self._families[where]
        family = families[call.key.uid]
        family.views.drop(_place(call.key))
        del family.calls[_place(call.key)]
        if not family.calls:
            del families[call.key.uid]
            if not families:
                del self._families[where]
        lanes = self._lanes.get(call.pool)
        if not (lanes is not None and lanes.count) and not self._busy.get(call.pool):
            self._specs.pop(call.pool, None)
            self._lanes.pop(call.pool, None)

    # ---- what is told -----------------------------------------------------------------------------------------------

    def _show(self, call: Call, said: Evidence | None = None) -> None:
        """The view of a call; without a word about it, that it waits, or what was said before."""
        key, place = call.key, _place(call.key)
        family = self._families.setdefault((key.namespace, key.execution), {}).setdefault(key.uid, Family())
        before = family.views.get(place)
        if said is None:
            waits = self._why.get(call.pool, NO_REASON)
            said = waits if call.phase is Phase.QUEUED or before is None else before.evidence
        view = ChildView(
            name=call.name,
            node=key.node,
            attempt=key.attempt,
            evidence=said,
            deleting=bool(call.recalled),
            element=key.element,
            created=call.since,
        )
        if before != view:
            family.views.put(view)
        family.calls[place] = call

    def _news(self, call: Call, delay: float) -> None:
        self._effects.append(News(call.key.namespace, call.key.execution, delay))

    def _pool_news(self, pool: PoolKey) -> None:
        self._effects.append(PoolNews(pool.namespace, pool.environment))

    def _tell(self, uid: str, message: ToWorker) -> None:
        worker = self.workers.get(uid)
        if worker is not None and worker.link is not None:
            self._effects.append(Send(worker.link, message))

    def _close(self, worker: Worker, reason: str) -> None:
        assert worker.link is not None
        self._effects.append(Close(worker.link, reason))
        del self._links[worker.link]
        worker.link = None
        self._pool_news(worker.pool)

    def _pods_of(self, pool: PoolKey) -> dict[str, PodView]:
        pods = self._pods.get((pool.namespace, pool.environment), {})
        return {uid: pod for uid, pod in pods.items() if pod.revision == pool.revision}

    def _satisfy(self, namespace: str, environment: str) -> None:
        """Whoever waited to know what workers have may ask again."""
        for pool in [one for one in self._curious if (one.namespace, one.environment) == (namespace, environment)]:
            for execution in self._curious.pop(pool):
                self._effects.append(News(*execution))


HELD = (Phase.SENT, Phase.RUNNING)
NO_REASON = Waiting()


def _place(key: CallKey) -> Place:
    return Place(key.node, key.attempt, key.element)
