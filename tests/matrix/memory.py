"""The operator in a world in memory, where pods are processes that run the real runtime.

::

    Reconciler ──requests──► ApiServer (tests.api_server) ──changes──► Reconciler
                                  │        ▲
                                pods     their status
                                  ▼        │
                               Kubelet: boot.py in a process of its own per pod, as many as there are processors;
                                        worker.py where it is a worker's, which dials the dispatcher

Time is the machine's. A container has what the runtime asks for: the order, the code, large values, and a limit of
memory beyond which it is killed. Workers are let in without a token.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import windlass
from tests.api_server import MERGE_PATCH, ApiServer, Place, collections_of, wire
from tests.matrix.playing import Picture, Play
from tests.matrix.row import Body
from windlass_api import names
from windlass_api.quantities import amount
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import JSON
from windlass_operator.core.clock import rfc3339_seconds
from windlass_operator.core.plan_definition import DEFINITIONS
from windlass_operator.dispatch.messages import Hello
from windlass_operator.dispatch.server import Server
from windlass_operator.reconcile.loop import Reconciler
from windlass_operator.reconcile.pools import Contact
from windlass_operator.settings import Settings
from windlass_operator.telemetry import Telemetry

NAMESPACE = "memory"
PYTHON = getattr(sys, "_base_executable", sys.executable)
RUNTIME = Path(windlass.__file__).parent / "runtime"
BOOT = (PYTHON, str(RUNTIME / "boot.py"))
WORK = (sys.executable, str(RUNTIME / "worker.py"))
"""It needs gRPC, which pods have from the operator's image."""
COLLECTIONS = collections_of(NAMESPACE)
KIND_OF = {COLLECTIONS[names.plural(kind)]: kind for kind in (*DEFINITIONS, "Execution", "Signal")}
SETTINGS = Settings(backoff_base=0.05)
LOOK = 0.02
"""Seconds between two looks at what goes on."""


class Memory(ApiServer):
    """The world; also what is asked of an API server by people (``playing.Api``), and by the operator (``Cluster``)."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.reconciler = Reconciler(self, SETTINGS, Telemetry(lambda *_: None, clock.now, clock.monotonic))
        self._kubelet = Kubelet(self, folder)

    async def play(self, plays: Iterable[Play], patience: float) -> None:
        """Play until all have ended."""
        self.reconciler.pods_listed([], 0)
        self.reconciler.pools.all_listed()
        server = Server(self.reconciler.dispatcher, _everybody)
        port = await server.start("127.0.0.1:0", None)
        self.reconciler.pools.opened(Contact(f"127.0.0.1:{port}", "", clock.now()))
        jobs = [asyncio.create_task(self.reconciler.work()) for _ in range(8)]
        left, deadline = list(plays), clock.monotonic() + patience
        try:
            while left and clock.monotonic() < deadline:
                picture = Picture.of(self)
                for one in left:
                    one.step(picture)
                left = [one for one in left if not one.over]
                await asyncio.sleep(LOOK)
        finally:
            for job in jobs:
                job.cancel()
            await self._kubelet.stop()
            await server.stop()

    # -- for people

    def create(self, plural: str, body: Body) -> Body:
        """Create an object."""
        return self._done("POST", COLLECTIONS[plural], body)

    def find(self, plural: str, name: str) -> Body | None:
        """Read an object, if there is one."""
        return self.get(f"{COLLECTIONS[plural]}/{name}")

    def list(self, plural: str) -> list[Body]:
        """Read all objects of a kind."""
        return self.listed(COLLECTIONS[plural])

    def merge(self, plural: str, name: str, changes: Body) -> Body:
        """Merge changes into an object."""
        return self._done("PATCH", f"{COLLECTIONS[plural]}/{name}", changes, MERGE_PATCH)

    def _done(self, method: str, path: str, body: Body, content_type: str = JSON) -> Body:
        answer = self.answer(method, path, wire(body), content_type)
        assert answer.ok, answer.message
        return dict(answer.body)

    # -- what follows from a change

    def created_at(self) -> str:
        """Now."""
        return rfc3339_seconds(clock.now())

    def changed(self, change: str, path: str, item: Body, before: Body | None) -> None:
        """The operator hears of it, and the kubelet of pods."""
        collection = path.rpartition("/")[0]
        soon = asyncio.get_running_loop().call_soon
        if collection == COLLECTIONS["pods"]:
            soon(self.reconciler.pod_event, change, wire(item))
            if change == "ADDED":
                self._kubelet.start(path, item)
        elif collection in KIND_OF:
            soon(self._tell(KIND_OF[collection]), change, wire(item))

    def _tell(self, kind: str) -> Callable[[str, Body], None]:
        if kind == "Execution":
            return self.reconciler.execution_event
        if kind == "Signal":
            return self.reconciler.signal_event
        return lambda change, item: self.reconciler.definition_event(kind, change, item)

    def let_go(self, place: Place, item: Body) -> None:
        """A pod goes when its process has ended."""
        if place.collection != COLLECTIONS["pods"]:
            self.remove(place.path, item)
        elif "deletionTimestamp" not in item["metadata"]:
            meta = {**item["metadata"], "deletionTimestamp": self.created_at()}
            self._store(place.path, {**item, "metadata": meta}, item)
            self._kubelet.end(place.path, item["metadata"]["uid"])

    def say(self, path: str, uid: str, status: Body) -> None:
        """What the kubelet says of a pod, if it is still that one."""
        item = self.get(path)
        if item is not None and item["metadata"]["uid"] == uid:
            self._store(path, {**item, "status": status}, item)

    def left(self, path: str, uid: str) -> None:
        """The process of a pod has ended: if it was to go, it goes."""
        item = self.get(path)
        if item is not None and item["metadata"]["uid"] == uid and "deletionTimestamp" in item["metadata"]:
            self.remove(path, item)


class Kubelet:
    """Runs pods."""

    def __init__(self, world: Memory, folder: Path) -> None:
        self._world, self._folder = world, folder
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(max(2, os.cpu_count() or 1) * 4)

    def start(self, path: str, item: Body) -> None:
        """A pod has come."""
        uid = item["metadata"]["uid"]
        self._jobs[uid] = asyncio.create_task(self._run(path, item))

    def end(self, path: str, uid: str) -> None:
        """A pod is to go, as soon as its process has ended."""
        self._jobs[uid].cancel()
        self._jobs[uid].add_done_callback(lambda _: self._world.left(path, uid))

    async def stop(self) -> None:
        """All processes end."""
        for job in self._jobs.values():
            job.cancel()
        for trouble in await asyncio.gather(*self._jobs.values(), return_exceptions=True):
            if isinstance(trouble, Exception):
                raise trouble

    async def _run(self, path: str, item: Body) -> None:
        async with self._room:
            await self._run_container(path, item)

    async def _run_container(self, path: str, item: Body) -> None:
        uid, (container,) = item["metadata"]["uid"], item["spec"]["containers"]
        folder = self._folder / uid
        folder.mkdir()
        program, variables = self._program(container, item, folder)
        process = await asyncio.create_subprocess_exec(
            *program,
            cwd=folder,
            env={"PATH": os.environ["PATH"], **variables, "HOME": str(folder)},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        started = rfc3339_seconds(clock.now())
        self._world.say(path, uid, {"phase": "Running", **_container({"running": {"startedAt": started}})})
        limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
        try:
            reason = await _watch(process, amount(limit) if limit else None)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        code = _exit_code(process.returncode or 0)
        ended = {"exitCode": code, "startedAt": started, "finishedAt": rfc3339_seconds(clock.now())}
        ended["reason"] = reason or ("Error" if code else "Completed")
        result = folder / "result"
        if result.exists():
            ended["message"] = result.read_text()
        phase = "Failed" if code else "Succeeded"
        self._world.say(path, uid, {"phase": phase, **_container({"terminated": ended})})
        shutil.rmtree(folder)

    def _program(self, container: Body, item: Body, folder: Path) -> tuple[tuple[str, ...], dict[str, str]]:
        """What the container runs, and what it finds."""
        given = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
        if "WINDLASS_WORKER" not in given:
            return BOOT, {**given, **self._of_a_task(json.loads(given["WINDLASS_TASK"]), item["spec"], folder)}
        told = {**json.loads(given["WINDLASS_WORKER"]), "serverName": "", "token": ""}
        own = {"WINDLASS_POD": item["metadata"]["name"], "WINDLASS_POD_UID": item["metadata"]["uid"]}
        return WORK, {**given, **own, "WINDLASS_WORKER": json.dumps(told)}

    def _of_a_task(self, order: Body, spec: Body, folder: Path) -> dict[str, str]:
        """Its order, and where what it needs is; its ConfigMaps are written out."""
        values = folder / "values"
        values.mkdir()
        for volume in spec["volumes"]:
            if "configMap" not in volume:
                continue
            found = self._world.find("configmaps", volume["configMap"]["name"])
            assert found is not None, f"{volume} isn't there"
            place = folder / "code" if volume["name"] == "code" else values / volume["name"].removeprefix("value-")
            _write(place, found)
        if order["bundle"]:
            order["bundle"] = str(folder / "code" / Path(order["bundle"]).name)
        result = str(folder / "result")
        return {"WINDLASS_TASK": json.dumps(order), "WINDLASS_RESULT": result, "WINDLASS_VALUES": str(values)}


async def _everybody(token: str, hello: Hello) -> None:
    """Let in: there is nobody else."""


def _exit_code(returned: int) -> int:
    """As a container has it: 128 and more after a signal."""
    return returned if returned >= 0 else 128 - returned


async def _watch(process: asyncio.subprocess.Process, limit: float | None) -> str:
    """Wait for the end; a process that uses too much memory is killed, and that is the reason."""
    waiting = asyncio.ensure_future(process.wait())
    try:
        while limit is not None and not waiting.done():
            await asyncio.wait([waiting], timeout=0.01)
            with suppress(OSError, IndexError):  # it has just ended
                pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
                if pages * os.sysconf("SC_PAGE_SIZE") > limit and process.returncode is None:
                    process.send_signal(signal.SIGKILL)
                    await waiting
                    return "OOMKilled"
        await waiting
    finally:
        waiting.cancel()
    return ""


def _write(place: Path, config_map: Body) -> None:
    place.mkdir()
    for name, content in (config_map.get("binaryData") or {}).items():
        (place / name).write_bytes(base64.b64decode(content))
    for name, text in (config_map.get("data") or {}).items():
        (place / name).write_text(text)


def _container(state: Body) -> Body:
    return {"containerStatuses": [{"name": "main", "state": state}]}
