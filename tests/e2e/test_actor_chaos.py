"""Thousands of calls of actors, while their workers and the operator are killed.

::

    every call says to a register that it begins, and how often it has begun is the answer
    some are doomed: when they begin for the first time they block, so their worker is busy for certain
    workers that block are killed, the operator is killed, in an order that the dice choose

So it is known how often each call may begin: the doomed ones twice, all others once, whatever the operator was doing
when it died.

A worker is killed only while the operator has written all that it has heard, and hears of all workers; and the operator
not before the call has begun elsewhere, and that is written. Two deaths at the same moment, of the two that know of a
result, are more than the promise is about: then the call runs again.
"""

from __future__ import annotations

import os
import random
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from localcluster import processes
from tests.e2e.conftest import SYSTEM, Installed
from tests.harness import Body, plain, wait_until
from tests.matrix.playing import apply, reference
from windlass_api import names

CALLS = int(os.environ.get("WINDLASS_CHAOS_CALLS") or 0)
"""How many are made: `make soak` says so. One of 150 is doomed."""
LIMIT = 120.0 + 0.2 * CALLS
"""Seconds after which something is taken to be stuck."""

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(4 * LIMIT + 900),
    pytest.mark.skipif(not CALLS, reason="takes many minutes of a node: make soak"),
]

WORKERS = 3
MODULE = f"""
import os
import time
import urllib.request
from functools import partial

from windlass import ActorEnvironment, map_task, workflow

pool = ActorEnvironment(name="doom", replica_count={WORKERS}, ttl_seconds=600)


@pool.task
def square(n: int, doomed: list[int], register: str) -> int:
    with urllib.request.urlopen(f"{{register}}/{{os.uname().nodename}}/{{n}}", timeout=60) as answer:
        begun = int(answer.read())
    if n in doomed and begun == 1:
        time.sleep(3600)
    return n * n


@workflow
def squares(ns: list[int], doomed: list[int], register: str) -> list[int]:
    return map_task(partial(square, doomed=doomed, register=register))(n=ns)
"""
METRICS = f"/api/v1/namespaces/{SYSTEM}/services/windlass-operator:http/proxy/metrics"
HELD = re.compile(r"^windlass_actor_results_held (\S+)$", re.MULTILINE)
STARTED = re.compile(r"^process_start_time_seconds (\S+)$", re.MULTILINE)
FIRST = re.compile(r"^NSpid:.*\t1$", re.MULTILINE)
"""What /proc says of a process that is the first one of its container."""
WORKING = re.compile(r'^windlass_actor_workers\{.*state="(?:busy|idle)".*\} (\S+)$', re.MULTILINE)


class Register:
    """Where calls say that they begin: an HTTP server that pods reach."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begun: Counter[int] = Counter()
        self.last: dict[int, str] = {}
        """In which worker each call began last."""

    def begins(self, worker: str, call: int) -> int:
        """How often it has begun, this time included."""
        with self._lock:
            self.begun[call] += 1
            self.last[call] = worker
            return self.begun[call]

    @contextmanager
    def listening(self, address: str) -> Iterator[str]:
        """Where it is to be asked."""
        register = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, worker, call = self.path.split("/")
                said = str(register.begins(worker, int(call))).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                """Thousands of lines would say nothing."""

        with ThreadingHTTPServer((address, 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://{address}:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()


class Trouble:
    """What is done to those who carry the load."""

    def __init__(self, windlass: Installed, register: Register, doomed: frozenset[int]) -> None:
        self._windlass, self._register = windlass, register
        self._doomed = set(doomed)
        self.workers = self.operators = 0

    def kill_operator(self) -> None:
        """At once, whatever it is doing."""
        before = wait_until(lambda: STARTED.findall(self._metrics()), "the operator to answer", LIMIT)
        (pod,) = self._windlass.cluster.kubectl("-n", SYSTEM, "get", "pods", "-o", "name").split()
        _kill_pod(pod.removeprefix("pod/"))
        self._windlass.cluster.kubectl("-n", SYSTEM, "delete", pod, "--grace-period=0", "--force")
        self.operators += 1
        wait_until(lambda: STARTED.findall(self._metrics()) not in ([], before), "another operator to answer", LIMIT)

    def kill_worker(self) -> None:
        """One that blocks in a call, once nobody but the operator's objects has to know anything."""
        call = wait_until(self._blocked, f"one of {sorted(self._doomed)} to begin", LIMIT)
        wait_until(self._all_is_written, "the operator to have heard of all workers, and to have written that", LIMIT)
        _kill_pod(self._register.last[call])
        self.workers += 1
        self._doomed.remove(call)
        wait_until(lambda: self._register.begun[call] > 1, f"the call {call} to begin again", LIMIT)
        wait_until(self._all_is_written, "that to be written", LIMIT)

    def _blocked(self) -> int | None:
        return next((call for call in sorted(self._doomed) if self._register.begun[call]), None)

    def _metrics(self) -> str:
        return self._windlass.cluster.kubectl("get", "--raw", METRICS, check=False)

    def _all_is_written(self) -> bool:
        text = self._metrics()
        held = HELD.search(text)
        there = [pod for pod in self._windlass.api.list("pods") if pod["status"].get("phase") == "Running"]
        return held is not None and not float(held[1]) and sum(map(float, WORKING.findall(text))) >= len(there)


def _kill_pod(name: str) -> None:
    """The first process of a pod of ours, and so all of them: deleting the pod would let it finish what it does."""
    for process in processes.running():
        with suppress(OSError):  # it has ended meanwhile
            folder = Path(f"/proc/{process.pid}")
            is_first = FIRST.search((folder / "status").read_text())
            is_of_the_pod = f"HOSTNAME={name}".encode() in (folder / "environ").read_bytes().split(b"\0")
            if is_first and is_of_the_pod and "windlass" in " ".join(process.arguments):
                os.kill(process.pid, signal.SIGKILL)
                return
    raise AssertionError(f"no process of the pod {name} runs here")


def test_every_result_is_right_and_only_calls_of_killed_workers_begin_again(
    windlass: Installed, tmp_path: Path
) -> None:
    seed = int(os.environ.get("WINDLASS_CHAOS_SEED") or random.SystemRandom().randrange(2**32))
    print(f"chaos: again with WINDLASS_CHAOS_SEED={seed}")
    dice = random.Random(seed)
    doomed = frozenset(dice.sample(range(CALLS), CALLS // 150))
    kills = ["worker"] * len(doomed) + ["operator"] * max(2, len(doomed) // 3)
    dice.shuffle(kills)
    module, register = tmp_path / "doom.py", Register()
    module.write_text(MODULE)
    apply(windlass.api, module)
    with register.listening(windlass.cluster.machine_address) as address:
        inputs = {"ns": list(range(CALLS)), "doomed": sorted(doomed), "register": address}
        body: Body = {"apiVersion": names.API_VERSION, "kind": "Execution", "metadata": {"name": "doom"}}
        windlass.api.create("executions", {**body, "spec": {**reference(module, "squares"), "inputs": inputs}})
        trouble = Trouble(windlass, register, doomed)
        for kill in kills:
            (trouble.kill_worker if kill == "worker" else trouble.kill_operator)()
        status = windlass.api.finished("doom", LIMIT)
    assert status["phase"] == "Succeeded", status.get("error")
    assert plain(windlass.api, "doom", status["outputs"]["o0"]) == [n * n for n in range(CALLS)]
    again = {call: times for call, times in register.begun.items() if times != 1}
    assert again == dict.fromkeys(doomed, 2)
    assert len(again) == trouble.workers
    print(f"chaos: {CALLS} calls, {trouble.workers} busy workers and {trouble.operators} operators killed")
