"""The dispatcher's streams and a worker's program, both real: what workers played in memory take for granted holds.

The stories are those of tests/unit/operator/test_calls.py; here gRPC carries the messages, and processes run the code.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.warm import (
    NAMESPACE,
    Fleet,
    Function,
    Worker,
    World,
    chain,
    environment,
    increments,
    revision_of,
    run,
    task,
    wide,
)
from windlass_operator.dispatch.dispatcher import Link
from windlass_operator.dispatch.messages import Hello
from windlass_operator.dispatch.server import NotAdmitted, Server
from windlass_operator.settings import Settings

MODULE = """
import os, time
from windlass import task


@task
def inc(x: int) -> int:
    return x + 1


@task
def dies(x: int) -> int:
    if not os.path.exists("{mark}"):
        open("{mark}", "w").close()
        while not os.path.exists("{mark}.begun"):
            time.sleep(0.01)
        os.kill(os.getppid(), 9)
        time.sleep(30)
    return x + 1
"""
READY = 60.0


class Real:
    """Workers that are processes, and a server for them."""

    def __init__(self, world: World, pool: dict[str, Any], folder: Path, port: int) -> None:
        self._world, self._pool, self._folder, self.port = world, pool, folder, port
        self.pods: dict[str, Worker] = {}
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    async def add(self, pod: str) -> None:
        """A worker starts, and says hello."""
        name, revision = self._pool["metadata"]["name"], revision_of(self._pool)
        self.pods[pod] = Worker(pod, increments, name, revision)
        self._world.tell_pods(self.pods)
        told = {
            "namespace": NAMESPACE,
            "pool": name,
            "revision": revision,
            "dispatcher": f"127.0.0.1:{self.port}",
            "slots": 1,
        }
        mine = {"WINDLASS_WORKER": json.dumps(told), "WINDLASS_POD": pod, "WINDLASS_POD_UID": pod}
        self.processes[pod] = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "windlass.runtime.worker",
            env={**os.environ, **mine, "PYTHONPATH": str(self._folder)},
            cwd=self._folder,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await self._world.until(lambda: pod in self._connected(), f"{pod} to say hello", READY)

    def _connected(self) -> list[str]:
        return [one.pod_uid for one in self._world.dispatcher.workers(NAMESPACE, self._pool["metadata"]["name"])]

    async def gone(self, pod: str) -> None:
        """The process of a pod has ended: so has the pod."""
        await self.processes.pop(pod).wait()
        del self.pods[pod]
        self._world.tell_pods(self.pods)

    async def end(self) -> None:
        """All of them end."""
        for process in self.processes.values():
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            await process.wait()


@asynccontextmanager
async def real(folder: Path, *definitions: dict[str, Any]) -> AsyncIterator[tuple[World, Real]]:
    (folder / "m.py").write_text(MODULE.replace("{mark}", str(folder / "mark")))
    pool = environment()
    world = World(Settings(backoff_base=0.01))
    async with world:
        server = Server(world.dispatcher, _everybody)
        port = await server.start("127.0.0.1:0", None)
        for body in (pool, *definitions):
            world.create(body)
        workers = Real(world, pool, folder, port)
        try:
            yield world, workers
        finally:
            await workers.end()
            await server.stop()


async def _everybody(token: str, hello: Hello) -> NotAdmitted | None:
    return None


@pytest.mark.parametrize("shape", [chain(5), wide(5)], ids=["a chain", "a map"])
def test_calls_run_in_real_workers_as_in_played_ones(tmp_path: Path, shape: dict[str, Any]) -> None:
    async def in_memory() -> Any:
        pool = environment()
        async with World() as world:
            for body in (pool, task(), shape):
                world.create(body)
            fleet = Fleet(world, pool)
            functions: list[Function] = [increments, increments]
            for number, function in enumerate(functions):
                await fleet.add(f"w{number}", function)
            world.create(run())
            return await world.finished("e")

    async def in_processes() -> Any:
        async with real(tmp_path, task(), shape) as (world, workers):
            for number in range(2):
                await workers.add(f"w{number}")
            world.create(run())
            status = await world.until(lambda: world.status("e").get("finishedAt") and world.status("e"), "end", READY)
            await world.until(lambda: not world.dispatcher.board.calls, "all results to be acknowledged")
            return status

    played, ran = asyncio.run(in_memory()), asyncio.run(in_processes())
    assert played["phase"] == ran["phase"] == "Succeeded"
    assert played["outputs"] == ran["outputs"]


def test_a_real_worker_that_is_killed_costs_one_attempt(tmp_path: Path) -> None:
    async def story() -> None:
        async with real(tmp_path, task("dies", python={"entrypoint": "m:dies"}), chain(1, task="dies")) as found:
            world, workers = found
            await workers.add("w0")
            world.create(run())

            def begun() -> bool:
                return bool((world.status("e").get("nodes") or {}).get("n0", {}).get("phase") == "Running")

            await world.until(begun, "the operator to know that it has begun", READY)
            (tmp_path / "mark.begun").touch()
            await workers.gone("w0")
            await workers.add("w1")
            status = await world.until(lambda: world.status("e").get("finishedAt") and world.status("e"), "end", READY)
            assert status["phase"] == "Succeeded", status
            assert status["outputs"] == {"o0": 1}
            assert status["nodes"]["n0"]["failures"] == {"user": 0, "system": 1}

    asyncio.run(story())


def test_a_real_worker_that_finds_a_replica_by_two_ways_loses_nothing(tmp_path: Path) -> None:
    """As after a restart, when it comes by the Service and directly: what is on its way by one isn't lost."""
    length = 40

    async def story() -> None:
        async with real(tmp_path, task(), chain(length)) as (world, workers):
            dialled: list[int] = []
            connect = world.dispatcher.connect

            def counted(hello: Hello) -> Link:
                dialled.append(1)
                return connect(hello)

            world.dispatcher.connect = counted  # type: ignore[method-assign]
            here = f"127.0.0.1:{workers.port}"
            world.dispatcher.replica, world.dispatcher.peers = here, lambda: (here, f"localhost:{workers.port}")
            await workers.add("w0")
            world.create(run())
            status = await world.until(lambda: world.status("e").get("finishedAt") and world.status("e"), "end", READY)
            assert status["outputs"] == {"o0": length}
            assert not any(any(node["failures"].values()) for node in status["nodes"].values() if "failures" in node)
            await world.until(lambda: len(dialled) > 1, "it to dial again", READY)

    asyncio.run(story())
