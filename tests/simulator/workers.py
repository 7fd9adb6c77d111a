"""Warm workers: the program in the pod of an ActorEnvironment's worker, and the streams between it and the replicas.

::

    pod runs ──► dials a replica ──► and its peers ──► calls: taken, begun, ended, held ──► idle ──► leaves
                     ▲                                        │
                     └── a stream breaks, stalls, is ended ◄──┘      or the pod dies, with all that it held

What it knows of calls is the real worker's ``Ledger``; the streams are the dispatcher's ``Link``, with nothing but time
(and faults) in between. What a call comes to is its fate, as that of a pod; only that nothing can be wrong with its
image. A fate that takes the pod away takes the worker.

Who runs a call that nobody wants any more never ends by itself: whoever forgets to cancel it waits for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.api_server import Body
from tests.simulator.fates import Fate, as_call, is_recoverable
from tests.simulator.kubelet import inputs_of, task_spec
from tests.simulator.scenarios import Trouble
from tests.simulator.timeline import EPOCH
from tests.simulator.world import World
from windlass.runtime.warm.ledger import Ledger
from windlass_api.protocol import dispatcher_pb2 as pb
from windlass_operator.core.clock import rfc3339_seconds
from windlass_operator.dispatch.messages import (
    Acknowledge,
    Ask,
    Cancel,
    Drain,
    FromWorker,
    Hello,
    Inventory,
    Leaving,
    Result,
    Run,
    Started,
    State,
    ToWorker,
    Welcome,
)
from windlass_operator.dispatch.server import read, read_result

if TYPE_CHECKING:
    from tests.simulator.calls import Calls
    from tests.simulator.faults import Life
    from tests.simulator.replicas import Replicas

LATENCY = 0.5
"""Seconds that a message takes at most, however slow the network is."""
REDIAL = (0.05, 1.0)
UNHEARD_BEATS = 3.5
"""Beats without a word after which a worker gives a stream up."""
LOOK_AGAIN = 5.0


class Workers:
    """All workers. The kubelet starts and ends them."""

    def __init__(self, world: World, calls: Calls, replicas: Replicas) -> None:
        self.world, self.calls, self.replicas = world, calls, replicas
        self.dice = world.scenario.fates.draw("workers")
        self._alive: dict[str, Worker] = {}

    @property
    def trouble(self) -> Trouble:
        """How much goes wrong with streams."""
        return self.replicas.operators[0].trouble

    def begin(self, path: str, item: Body, started: str) -> None:
        """The container of a worker's pod runs."""
        worker = self._alive[item["metadata"]["uid"]] = Worker(self, path, item, started)
        worker.begin()

    def told_to_end(self, uid: str) -> None:
        """A pod is deleted: for a moment its worker lives."""
        if uid in self._alive:
            self._alive[uid].leave("its pod was told to end")

    def gone(self, uid: str) -> None:
        """A pod is gone."""
        worker = self._alive.pop(uid, None)
        if worker is not None:
            worker.die()

    def life_ended(self, life: Life) -> None:
        """A replica is gone: what it said last may have arrived or not."""
        for worker in list(self._alive.values()):
            for stream in worker.to(life.address):
                stream.cut()


class Worker:
    """One worker."""

    def __init__(self, workers: Workers, path: str, item: Body, started: str) -> None:
        self._workers, self._world, self._path, self._started = workers, workers.world, path, started
        self._dice, meta = workers.dice, item["metadata"]
        self.name, self.uid = meta["name"], meta["uid"]
        (container,) = item["spec"]["containers"]
        env = {entry["name"]: entry.get("value") for entry in container["env"]}
        self._orders = json.loads(env["WINDLASS_WORKER"])
        self.ledger = Ledger(self._orders["slots"])
        self.streams: list[Stream] = []
        self._performing: dict[str, Performance] = {}
        self._over = False
        self._idle_since = 0.0
        self._beat = 0.0

    def begin(self) -> None:
        """It works from now on."""
        self._idle_since = self._world.timeline.time()
        self.later(0.0, self._dial_any)
        self.later(self._orders["ttlSeconds"], self._may_leave)
        deaths = self._workers.trouble.deaths
        if deaths and self._dice.random() < deaths:
            self.later(self._dice.uniform(0, 30), self.killed, "lost")

    def later(self, seconds: float, what: Callable[..., None], *about: Any) -> None:
        """Something happens, if it lives then."""
        self._world.timeline.call_later(seconds, lambda: None if self._over else what(*about))

    # ---- its end ----

    def leave(self, reason: str) -> None:
        """It takes nothing more."""
        if not self.ledger.leaving:
            self.ledger.leaving = reason
            self._broadcast(Leaving(reason))
            self._tell_state()
        self._may_end()

    def killed(self, how: str) -> None:
        """Its pod goes, or fails."""
        self._world.say("KILLED", self.name, how)
        if how == "lost":
            item = self._world.get(self._path)
            assert item is not None
            with self._world.acting("kubelet"):
                self._world.remove(self._path, item)
        else:
            self._ended(137, "Error")

    def die(self) -> None:
        """All that it had is gone."""
        if self._over:
            return
        self._over = True
        foreseen = not self.ledger.held and all(one.over for one in self._performing.values())
        self._workers.calls.died(self.uid, self.ledger.running, foreseen=foreseen)
        for stream in list(self.streams):
            stream.cut()

    def _ended(self, code: int, reason: str) -> None:
        self.die()
        ended = {
            "exitCode": code,
            "reason": reason,
            "startedAt": self._started,
            "finishedAt": rfc3339_seconds(EPOCH + self._world.timeline.time()),
        }
        status = {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{"name": "main", "state": {"terminated": ended}}],
        }
        self._world.set_pod_status(self._path, self.uid, status)

    def _may_leave(self) -> None:
        """It has perhaps had nothing to do for long enough."""
        if self.ledger.leaving:
            return
        idle, ttl = self._world.timeline.time() - self._idle_since, self._orders["ttlSeconds"]
        if not self.ledger.running and idle >= ttl - 1e-6:
            self.leave("it has had nothing to do")
        else:
            self.later(max(0.1, ttl - (0.0 if self.ledger.running else idle)), self._may_leave)

    def _may_end(self) -> None:
        if self.ledger.finished and not self._over:
            self._ended(0, "Completed")

    # ---- streams ----

    def to(self, address: str) -> list[Stream]:
        """Its streams to a replica: two, when it has come by the Service as well."""
        return [stream for stream in self.streams if stream.address == address]

    def _dial_any(self) -> None:
        """Through the Service: whichever replica it finds. It is asked for as long as nobody answers directly."""
        lives = self._workers.replicas.lives
        if any(stream.welcomed for stream in self.streams):
            return
        if lives:
            self._open(self._dice.choice(lives))
        else:
            self.later(1.0, self._dial_any)

    def dial(self, address: str) -> None:
        """Directly to a replica, unless there is a stream."""
        life = next((one for one in self._workers.replicas.lives if one.address == address), None)
        if life is None or self.to(address):
            self.later(1.0, self._dial_any)
        else:
            self._open(life)

    def _open(self, life: Life) -> None:
        stream = Stream(self._workers, self, life)
        self.streams.append(stream)
        orders = self._orders
        stream.open(
            Hello(orders["namespace"], orders["pool"], orders["revision"], self.name, self.uid, orders["slots"])
        )

    def stream_ended(self, stream: Stream) -> None:
        """It dials again, a while later; and asks for any, meanwhile."""
        self.streams.remove(stream)
        self.later(self._dice.uniform(*REDIAL), self.dial, stream.address)
        self.later(self._dice.uniform(*REDIAL), self._dial_any)

    def _welcomed(self, stream: Stream, welcome: Welcome) -> None:
        """Of two streams to one replica the first stays."""
        if any(one.welcomed for one in self.to(stream.address) if one is not stream):
            stream.cut()
            return
        stream.welcomed = True
        if not self._beat:
            self._beat = welcome.heartbeat
            self.later(self._beat, self._tick)
        for peer in welcome.peers:
            if not self.to(peer):
                self.dial(peer)

    def _say_what_it_has(self, stream: Stream, ask: Ask) -> None:
        held = tuple(read_result(one) for one in self.ledger.held)
        stream.say(Inventory(ask.number, self.ledger.running, held))
        stream.say(State(self.ledger.free))
        if self.ledger.leaving:
            stream.say(Leaving(self.ledger.leaving))

    def _tick(self) -> None:
        """Signs of life, and whether there are any of the replicas."""
        self.later(self._beat, self._tick)
        for stream in list(self.streams):
            if self._world.timeline.time() - stream.heard > UNHEARD_BEATS * self._beat:
                stream.cut()
            else:
                stream.say(State(self.ledger.free))

    def _broadcast(self, message: FromWorker) -> None:
        for stream in list(self.streams):
            stream.say(message)

    def _tell_state(self) -> None:
        self._broadcast(State(self.ledger.free))

    # ---- calls ----

    def received(self, stream: Stream, message: ToWorker) -> None:
        """A replica has said something."""
        match message:
            case Run():
                self._run(stream, message)
            case Cancel(call, reason):
                if call in self._performing:
                    self._performing[call].stop("Cancelled")
            case Acknowledge(calls):
                held = {one.call for one in self.ledger.held}
                self._workers.calls.acknowledged(self.name, [call for call in calls if call in held])
                self.ledger.acknowledge(calls)
                self._may_end()
            case Drain(reason):
                self.leave(reason)
            case Welcome():
                self._welcomed(stream, message)
            case Ask():
                self._say_what_it_has(stream, message)

    def _run(self, stream: Stream, run: Run) -> None:
        answers = self.ledger.take(run.call)
        if answers is None:
            self._performing[run.call] = Performance(self, self._world, run)
            self._tell_state()
            return
        for answer in answers:
            said = read(answer)
            assert said is not None, f"the ledger answers with {answer}"
            stream.say(said)

    def began(self, call: str) -> None:
        """A call runs."""
        now = EPOCH + self._world.timeline.time()
        self._world.say("BEGUN", call, self.name)
        self._workers.calls.began(self.uid, self.name, call)
        self.ledger.started(call, now)
        self._broadcast(Started(call, now))

    def unwanted(self, call: str) -> bool:
        """Whether nobody waits for a call any more."""
        return self._workers.calls.unwanted(call)

    def ended(self, result: Result, outputs: Body | None) -> None:
        """A call is over: its result is held."""
        del self._performing[result.call]
        self._world.say("ENDED", result.call, f"{self.name} {result.reason} {result.exit_code} {outputs or ''}")
        self._workers.calls.ended(result.call, outputs)
        self._idle_since = self._world.timeline.time()
        self.ledger.ended(pb.Result(**result._asdict()))
        self._broadcast(result)
        if self._dice.random() < self._workers.trouble.doubled:
            self._broadcast(result)
        self._tell_state()


class Performance:
    """One call under way."""

    def __init__(self, worker: Worker, world: World, run: Run) -> None:
        self._worker, self._world, self._run = worker, world, run
        self._order = json.loads(run.order)
        self._inputs = inputs_of(world, self._order)
        fates = world.scenario.fates
        self._fate: Fate = as_call(fates.of(self._order["task"], self._inputs, self._order["attempt"]))
        self._began = 0.0
        self.over = False
        """Whether it has ended; or ends its worker, as its fate has it."""
        worker.later(min(self._fate.starts, 0.3), self._begin)

    def stop(self, reason: str) -> None:
        """It is ended from outside."""
        if not self.over:
            self._end(137, reason)

    def _begin(self) -> None:
        if self.over:
            return
        self._began = EPOCH + self._world.timeline.time()
        self._worker.began(self._run.call)
        if self._run.timeout and self._run.timeout < self._fate.runs:
            self._worker.later(self._run.timeout, self.stop, "TimedOut")
        else:
            self._worker.later(self._fate.runs, self._ends_by_itself)

    def _ends_by_itself(self) -> None:
        """As its fate has it; unless nobody wants it: then never."""
        if self.over or self._worker.unwanted(self._run.call):
            return
        name = self._fate.end.name
        if name in ("evicted", "lost"):
            self.over = True
            self._worker.killed(name)
        elif name in ("dies", "killed", "silent", "out-of-memory"):
            code, reason = {"dies": (1, "Error"), "silent": (0, "Completed"), "out-of-memory": (137, "OOMKilled")}.get(
                name, (137, "Error")
            )
            self._end(code, reason)
        elif name == "system-error":
            self._end(1, "", {"error": {"kind": "system", "code": "SYSTEM:Store", "message": "no store"}})
        elif name in ("raises", "recoverable"):
            self._end(1, "", {"error": self._error()})
        else:
            spec, fates = task_spec(self._world, self._order["task"]), self._world.scenario.fates
            outputs = {
                key: fates.value(self._order["task"], self._inputs, each["type"])
                for key, each in spec["outputs"].items()
            }
            self._end(0, "", {"outputs": outputs})

    def _error(self) -> Body:
        kind = self._fate.exception if self._fate.end.name == "raises" else "FlyteRecoverableException"
        return {
            "kind": "user",
            "code": f"USER:{kind}",
            "type": kind,
            "message": "it failed",
            "recoverable": is_recoverable(self._fate, self._order),
        }

    def _end(self, code: int, reason: str, record: Body | None = None) -> None:
        self.over = True
        text = b"" if record is None else json.dumps({"v": 1, **record}).encode()
        now = EPOCH + self._world.timeline.time()
        result = Result(self._run.call, text, self._began or now, now, code, reason)
        self._worker.ended(result, (record or {}).get("outputs"))


class Stream:
    """One stream, in order both ways; what is under way when it breaks is lost."""

    def __init__(self, workers: Workers, worker: Worker, life: Life) -> None:
        self._workers, self._worker, self._life = workers, worker, life
        self.address = life.address
        self._timeline, self._dice = workers.world.timeline, workers.dice
        self._link: Any = None
        self._up = self._down = 0.0
        """When the latest message arrives, of each direction."""
        self._over = self._stalled = False
        self.welcomed = False
        self.heard = self._timeline.time()
        """When the worker heard something last."""

    def open(self, hello: Hello) -> None:
        """It begins with a Hello."""
        self._later_up(self._connect, hello)

    def say(self, message: FromWorker) -> None:
        """From the worker."""
        self._fail()
        self._later_up(self._arrive, message)

    def cut(self) -> None:
        """It breaks. Either side finds out when it does."""
        if self._over:
            return
        self._over = True
        late = self._dice.uniform(0, 2) if self._workers.trouble.broken else 0.0
        self._timeline.call_later(late, self._noticed)
        self._worker.later(self._dice.uniform(0, 2) if late else 0.0, self._worker.stream_ended, self)

    def _noticed(self) -> None:
        """The replica finds out."""
        if self._link is not None and not self._life.over:
            self._life.reconciler.dispatcher.disconnected(self._link)

    def _fail(self) -> None:
        broken = self._workers.trouble.broken
        if broken and not (self._over or self._stalled) and self._dice.random() < broken:
            if self._dice.random() < 0.3:
                self._stalled = True
                self._workers.world.say("STALLED", self._worker.name, self.address)
            else:
                self._workers.world.say("BROKEN", self._worker.name, self.address)
                self.cut()

    def _travel(self) -> float:
        return self._dice.random() * min(self._workers.trouble.delay, LATENCY)

    def _later_up(self, what: Callable[[Any], None], message: Any) -> None:
        if self._over or self._stalled:
            return
        self._up = max(self._timeline.time() + self._travel(), self._up + 1e-6)
        self._timeline.call_at(self._up, self._if_whole, what, message)

    def _if_whole(self, what: Callable[[Any], None], message: Any) -> None:
        if not (self._over or self._stalled or self._life.over):
            what(message)

    def _connect(self, hello: Hello) -> None:
        dispatcher = self._life.reconciler.dispatcher
        self._link = dispatcher.connect(hello)
        self._timeline.create_task(self._pump(self._link))

    def _arrive(self, message: FromWorker) -> None:
        self._life.hears_worker(self._link, message)

    async def _pump(self, link: Any) -> None:
        while (message := await link.next()) is not None:
            self._fail()
            self._down = max(self._timeline.time() + self._travel(), self._down + 1e-6)
            self._timeline.call_at(self._down, self._reach, message)
            if self._over or self._life.over:
                return
        self._timeline.call_at(max(self._timeline.time(), self._down), self.cut)

    def _reach(self, message: ToWorker) -> None:
        """A message is there; or would be, if the stream were."""
        if isinstance(message, Run) and (self._over or self._stalled):
            self._workers.calls.undelivered(message.call)
        self._if_whole(self._hears, message)

    def _hears(self, message: ToWorker) -> None:
        self.heard = self._timeline.time()
        self._worker.received(self, message)
