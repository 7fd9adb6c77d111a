"""The operator with warm workers, all in memory: an API server, a reconciler, its dispatcher, and workers played here.

::

    Reconciler ◄──► Dispatcher ◄── Link ──► Worker (the protocol, and a Python function in place of user code)
        │
    ApiServer (tests.api_server)

A ``Worker`` keeps to the protocol as a real one does, over whatever carries its messages: a ``Link`` here, gRPC in
tests/contract/test_dispatcher.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tests.api_server import ApiServer, Body, wire
from windlass_api import names
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import JSON, Answer
from windlass_operator.core.clock import rfc3339_seconds
from windlass_operator.core.plan_definition import DEFINITIONS
from windlass_operator.dispatch.dispatcher import Dispatcher, Link
from windlass_operator.dispatch.messages import (
    Acknowledge,
    Ask,
    Cancel,
    Drain,
    FromWorker,
    Heartbeat,
    Hello,
    Inventory,
    Leaving,
    Part,
    Refused,
    Result,
    Run,
    Started,
    State,
    ToWorker,
    Wanted,
    Welcome,
)
from windlass_operator.reconcile.loop import Reconciler
from windlass_operator.reconcile.pools import Contact
from windlass_operator.settings import Settings
from windlass_operator.telemetry import Telemetry

NAMESPACE = "ns"
Function = Callable[[Mapping[str, Any]], Any]
"""A call's order → the record that it leaves; an awaitable of it where it takes its time."""


class World(ApiServer):
    """The API server, and the operator that looks after what is there."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__()
        self.writes = 0
        self.settings = settings or Settings()
        self.reconciler = self._reconciler()
        self._jobs: list[asyncio.Task[None]] = []

    def _reconciler(self) -> Reconciler:
        return Reconciler(self, self.settings, Telemetry(lambda *_: None, clock.now, clock.monotonic))

    @property
    def dispatcher(self) -> Dispatcher:
        """That of the operator."""
        return self.reconciler.dispatcher

    async def __aenter__(self) -> World:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.crash()

    def start(self, workers: Mapping[str, Worker] | None = None) -> None:
        """The operator begins to work; these pods of workers are there already."""
        self.reconciler.pods_listed([], 0)
        for path, item in self._objects.items():
            self._tell("ADDED", path, item)
        self.tell_pods(workers or {})
        self.reconciler.pools.all_listed()
        self.reconciler.pools.opened(Contact("nowhere:1", "", 0.0))
        self._jobs = [asyncio.create_task(self.reconciler.work()) for _ in range(4)]

    def tell_pods(self, workers: Mapping[str, Worker]) -> None:
        """The watch says that these pods of workers are there, and no others."""
        self._versions += 1
        raws: list[Mapping[str, Any]] = [self._pod(worker) for worker in workers.values()]
        self.reconciler.pools.pods_listed(raws, self._versions)

    def _pod(self, worker: Worker) -> Body:
        path = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/actorenvironments/{worker.environment}"
        owner = self.get(path)
        assert owner is not None
        reference = {"kind": "ActorEnvironment", "name": worker.environment, "uid": owner["metadata"]["uid"]}
        running = {"running": {"startedAt": "2020-01-01T00:00:00Z"}}
        return {
            "metadata": {
                "name": worker.pod,
                "namespace": NAMESPACE,
                "uid": worker.pod,
                "resourceVersion": str(self._versions),
                "labels": {names.LABEL_POOL: worker.environment, names.LABEL_POOL_REVISION: worker.revision},
                "ownerReferences": [reference],
                "creationTimestamp": "2020-01-01T00:00:00Z",
            },
            "status": {"phase": "Running", "containerStatuses": [{"name": "main", "state": running}]},
        }

    def crash(self) -> None:
        """The operator is gone at once."""
        for job in self._jobs:
            job.cancel()
        self.reconciler = self._reconciler()

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
        """One request of the operator's."""
        self.writes += method != "GET"
        reconciler = self.reconciler
        await asyncio.sleep(0)
        if reconciler is not self.reconciler:
            await asyncio.Event().wait()  # of a life that is over
        answer = self.answer(method, path, wire(body), content_type, accept, query)
        return Answer(answer.status, wire(answer.body))

    def created_at(self) -> str:
        """Now."""
        return rfc3339_seconds(clock.now())

    def changed(self, change: str, path: str, item: Body, before: Body | None) -> None:
        """The operator hears of it."""
        self._tell(change, path, item)

    def _tell(self, change: str, path: str, item: Body) -> None:
        kind, reconciler, soon = item.get("kind") or "", self.reconciler, asyncio.get_running_loop().call_soon
        if path.rpartition("/")[0].endswith("/pods"):
            soon(reconciler.pod_event, change, wire(item))
        elif kind == "Execution":
            soon(reconciler.execution_event, change, wire(item))
        elif kind in DEFINITIONS:
            soon(reconciler.definition_event, kind, change, wire(item))

    def create(self, body: Body) -> Body:
        """Somebody creates an object."""
        collection = f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/{names.plural(body['kind'])}"
        answer = self.answer("POST", collection, wire(body))
        assert answer.ok, answer.message
        return dict(answer.body)

    def status(self, execution: str) -> Body:
        """The status of an Execution."""
        item = self.get(f"/apis/{names.API_VERSION}/namespaces/{NAMESPACE}/executions/{execution}")
        return {} if item is None else item.get("status") or {}

    async def until(self, what: Callable[[], Any], describe: str, patience: float = 20.0) -> Any:
        """Wait for something."""
        deadline = clock.monotonic() + patience
        while not (found := what()):
            assert clock.monotonic() < deadline, f"waited in vain for {describe}"
            await asyncio.sleep(0.001)
        return found

    async def finished(self, execution: str) -> Body:
        """The status of an Execution that has ended."""

        def over() -> Body | None:
            status = self.status(execution)
            return status if status.get("finishedAt") else None

        found: Body = await self.until(over, f"the end of {execution}: {self.status(execution)}")
        return found


class Carrier(Protocol):
    """What carries the messages of one stream."""

    async def say(self, message: FromWorker) -> None:
        """From the worker."""

    async def hear(self) -> ToWorker | None:
        """To the worker; None at the end."""


class InMemory:
    """A stream without a network: the stand-in of the gRPC server."""

    def __init__(self, dispatcher: Dispatcher, link: Link) -> None:
        self._dispatcher, self._link = dispatcher, link

    @classmethod
    async def dial(cls, dispatcher: Dispatcher, hello: Hello) -> InMemory:
        """A stream begins."""
        return cls(dispatcher, dispatcher.connect(hello))

    async def say(self, message: FromWorker) -> None:
        """From the worker."""
        self._dispatcher.received(self._link, message)

    async def hear(self) -> ToWorker | None:
        """To the worker."""
        return await self._link.next()

    async def end(self) -> None:
        """It breaks."""
        self._dispatcher.disconnected(self._link)


class Worker:
    """A warm worker with one slot, as far as the protocol goes."""

    def __init__(self, pod: str, function: Function, environment: str = "models", revision: str = "") -> None:
        self.pod, self.function = pod, function
        self.environment, self.revision = environment, revision
        self.ran: list[str] = []
        """Every call that it began."""
        self.results: dict[str, Result] = {}
        """What nobody has acknowledged."""
        self.running: dict[str, asyncio.Task[None]] = {}
        self.code: dict[str, bytes] = {}
        self.problems: dict[str, str] = {}
        self.leaving = False
        self.replicas: list[str] = []
        self._arriving: dict[str, bytes] = {}
        self._carrier: Carrier | None = None

    def hello(self) -> Hello:
        """Who it is."""
        return Hello(NAMESPACE, self.environment, self.revision, self.pod, self.pod)

    def inventory(self, number: int) -> Inventory:
        """All that it has."""
        return Inventory(number, tuple(self.running), tuple(self.results.values()), tuple(self.code))

    async def serve(self, carrier: Carrier) -> None:
        """Until the stream ends. What runs goes on."""
        self._carrier = carrier
        while (message := await carrier.hear()) is not None:
            await self._heard(message)
        self._carrier = None

    def die(self) -> None:
        """Everything that it had is gone."""
        for task in self.running.values():
            task.cancel()
        self.running.clear()
        self.results.clear()
        self._carrier = None

    async def _heard(self, message: ToWorker) -> None:
        match message:
            case Ask(number):
                await self._say(self.inventory(number))
                await self._say(self._state())
            case Run(call):
                await self._take(message)
            case Cancel(call, _):
                task = self.running.pop(call, None)
                if task is not None:
                    task.cancel()
                    await self._end(Result(call, reason="Cancelled", started_at=clock.now(), finished_at=clock.now()))
            case Acknowledge(calls):
                for call in calls:
                    self.results.pop(call, None)
            case Drain(reason):
                self.leaving = True
                await self._say(Leaving(reason))
            case Part(code, part, last, problem):
                self._arriving[code] = self._arriving.get(code, b"") + part
                if last:
                    self.code[code] = self._arriving.pop(code)
                    self.problems[code] = problem
            case Welcome(peers):
                self.replicas = list(peers)
            case Heartbeat():
                await self._say(self._state())

    async def _take(self, run: Run) -> None:
        if run.call in self.running or run.call in self.results:
            return
        if self.running or self.leaving:
            await self._say(Refused(run.call, "busy"))
            return
        self.running[run.call] = asyncio.create_task(self._perform(run))
        await self._say(Started(run.call, clock.now()))
        await self._say(self._state())

    async def _perform(self, run: Run) -> None:
        self.ran.append(run.call)
        if run.code and run.code not in self.code:
            await self._say(Wanted(run.code))
            while run.code not in self.code:
                await asyncio.sleep(0.001)
        began = clock.now()
        record = self.function(json.loads(run.order))
        if asyncio.iscoroutine(record):
            record = await record
        result = record if isinstance(record, Result) else Result(run.call, json.dumps({"v": 1, **record}).encode())
        self.running.pop(run.call, None)
        await self._end(result._replace(call=run.call, started_at=began, finished_at=clock.now()))

    async def _end(self, result: Result) -> None:
        self.results[result.call] = result
        await self._say(result)
        await self._say(self._state())

    def _state(self) -> State:
        return State(0 if self.running or self.leaving else 1, tuple(self.code))

    async def _say(self, message: FromWorker) -> None:
        if self._carrier is not None:
            await self._carrier.say(message)


# ---- what is run ----------------------------------------------------------------------------------------------------


def environment(name: str = "models", **spec: Any) -> Body:
    """An ActorEnvironment."""
    spec = {"replicas": 8, **spec}
    return {"apiVersion": names.API_VERSION, "kind": "ActorEnvironment", "metadata": {"name": name}, "spec": spec}


def revision_of(body: Body) -> str:
    """Its workers' revision."""
    return names.pool_revision(body["spec"])


def task(name: str = "inc", environment: str = "models", **spec: Any) -> Body:
    """A task that runs there: an int from an int."""
    body = {
        "python": {"entrypoint": f"m:{name}"},
        "actor": {"name": environment},
        "inputs": {"x": {"type": "int", "default": 0}},
        "outputs": {"o0": {"type": "int"}},
        **spec,
    }
    return {"apiVersion": names.API_VERSION, "kind": "Task", "metadata": {"name": name}, "spec": body}


def chain(length: int, name: str = "wf", task: str = "inc") -> Body:
    """A workflow of so many calls, each of which needs the one before."""
    nodes = [
        {
            "id": f"n{index}",
            "task": {"name": task},
            "inputs": {"x": {"$ref": f"nodes.n{index - 1}.outputs.o0"} if index else 0},
        }
        for index in range(length)
    ]
    outputs = {"o0": {"type": "int", "from": {"$ref": f"nodes.n{length - 1}.outputs.o0"}}}
    spec = {"nodes": nodes, "outputs": outputs}
    return {"apiVersion": names.API_VERSION, "kind": "Workflow", "metadata": {"name": name}, "spec": spec}


def wide(count: int, name: str = "wf", task: str = "inc", **over: Any) -> Body:
    """A workflow of one map over so many numbers."""
    node = {
        "id": "map",
        "task": {"name": task},
        "map": {"over": ["x"], **over},
        "inputs": {"x": list(range(count))},
    }
    outputs = {"o0": {"type": "list[int]", "from": {"$ref": "nodes.map.outputs.o0"}}}
    spec = {"nodes": [node], "outputs": outputs}
    return {"apiVersion": names.API_VERSION, "kind": "Workflow", "metadata": {"name": name}, "spec": spec}


def run(name: str = "e", workflow: str = "wf", **spec: Any) -> Body:
    """An Execution."""
    spec = {"workflow": {"name": workflow}, **spec}
    return {
        "apiVersion": names.API_VERSION,
        "kind": "Execution",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


def increments(order: Mapping[str, Any]) -> Body:
    """One more than it gets."""
    return {"outputs": {"o0": order["inputs"]["x"] + 1}}


class Fleet:
    """Workers of one environment, connected in memory."""

    def __init__(self, world: World, body: Body) -> None:
        self.world, self.body = world, body
        self.workers: dict[str, Worker] = {}
        self._streams: dict[str, tuple[InMemory, asyncio.Task[None]]] = {}

    async def add(self, pod: str, function: Function = increments) -> Worker:
        """A worker comes."""
        worker = self.workers[pod] = Worker(pod, function, self.body["metadata"]["name"], revision_of(self.body))
        self.world.tell_pods(self.workers)
        await self.connect(worker)
        return worker

    async def connect(self, worker: Worker) -> None:
        """It dials."""
        carrier = await InMemory.dial(self.world.dispatcher, worker.hello())
        self._streams[worker.pod] = carrier, asyncio.create_task(self._keep(worker, carrier))

    async def _keep(self, worker: Worker, carrier: InMemory) -> None:
        """Dial again when the dispatcher ends the stream."""
        await worker.serve(carrier)
        if worker.pod in self.workers and self._streams.get(worker.pod, (None,))[0] is carrier:
            await self.connect(worker)

    async def disconnect(self, pod: str) -> None:
        """The stream breaks; nobody dials again by itself."""
        carrier, task = self._streams.pop(pod)
        task.cancel()
        self.workers[pod]._carrier = None
        await carrier.end()

    async def kill(self, pod: str) -> None:
        """The pod is gone."""
        worker = self.workers.pop(pod)
        carrier, task = self._streams.pop(pod)
        worker.die()
        task.cancel()
        await carrier.end()
        self.world.tell_pods(self.workers)
