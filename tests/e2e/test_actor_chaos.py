"""Thousands of calls of actors, while their workers and the operator are killed.

::

    every call says to a register that it begins, and is told to go on; now and then one is told to block
    so its worker is busy for certain, and it is killed
    between these the operator is killed, while the dice say so

So it is known how often each call may begin: those that were told to block twice, all others once, whatever the
operator was doing when it died. One worker is never told to block, so that what is lost begins elsewhere at once.

A worker is killed only when the operator knows what all workers have, and the operator not before what it heard of one
that was killed is written: for that, all that begin wait a moment. Two deaths at the same moment, of the two that know
of a result, are more than the promise is about: then the call runs again.
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
from tests.serving import answering
from windlass_api import names

CALLS = int(os.environ.get("WINDLASS_CHAOS_CALLS") or 500)
"""How many are made: more by `make soak`."""
BETWEEN = 100
"""Calls that go on from one that is told to block to the next."""
LIMIT = 120.0 + 0.2 * CALLS
"""Seconds after which something is taken to be stuck."""

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(4 * LIMIT + 900)]

WORKERS = 3
MODULE = f"""
import os
import time
import urllib.error
import urllib.request
from functools import partial

from windlass import ActorEnvironment, map_task, workflow

pool = ActorEnvironment(name="doom", replica_count={WORKERS}, ttl_seconds=600)


@pool.task
def square(n: int, register: str) -> int:
    if asked(f"{{register}}/{{os.uname().nodename}}/{{n}}") == b"block":
        time.sleep(3600)
    return n * n


def asked(address: str) -> bytes:
    for wait in (1, 5, 10, None):
        try:
            with urllib.request.urlopen(address, timeout=600) as answer:
                return answer.read()
        except urllib.error.URLError:  # nobody has taken the question
            if wait is None:
                raise
            time.sleep(wait)


@workflow
def squares(ns: list[int], register: str) -> list[int]:
    return map_task(partial(square, register=register))(n=ns)
"""
METRICS = f"/api/v1/namespaces/{SYSTEM}/services/windlass-operator:http/proxy/metrics"
LOST = re.compile(r'^windlass_actor_calls_total\{.*outcome="lost".*\} (\S+)$', re.MULTILINE)
HELD = re.compile(r"^windlass_actor_results_held (\S+)$", re.MULTILINE)
RUNNING = re.compile(r"^windlass_actor_calls_running\{.*\} (\S+)$", re.MULTILINE)
STARTED = re.compile(r"^process_start_time_seconds (\S+)$", re.MULTILINE)
FIRST = re.compile(r"^NSpid:.*\t1$", re.MULTILINE)
"""What /proc says of a process that is the first one of its container."""
WORKING = re.compile(r'^windlass_actor_workers\{.*state="(?:busy|idle)".*\} (\S+)$', re.MULTILINE)


class Register:
    """Where calls say that they begin: an HTTP server that pods reach."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._may_go_on = threading.Event()
        self._may_go_on.set()
        self._went_on = 0
        self.waiting = 0
        """Calls that wait to go on."""
        self.begun: Counter[int] = Counter()
        self.blocked: dict[int, str] = {}
        """The calls that were told to block, and their workers, which live."""

    def begins(self, worker: str, call: int) -> str:
        """What it is to do."""
        with self._lock:
            self.begun[call] += 1
            if self.begun[call] == 1 and self._went_on >= BETWEEN and len(self.blocked) < WORKERS - 1:
                self._went_on = 0
                self.blocked[call] = worker
                return "block"
            self._went_on += 1
            self.waiting += 1
        self._may_go_on.wait(LIMIT)
        with self._lock:
            self.waiting -= 1
        return "go on"

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Whatever begins now waits until this is over."""
        self._may_go_on.clear()
        try:
            yield
        finally:
            self._may_go_on.set()

    @contextmanager
    def listening(self, address: str) -> Iterator[str]:
        """Where it is to be asked."""
        register = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, worker, call = self.path.split("/")
                said = register.begins(worker, int(call)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: object) -> None:
                """Thousands of lines would say nothing."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

        with answering(Server((address, 0), Handler)) as port:
            yield f"http://{address}:{port}"


class Trouble:
    """What is done to those who carry the load."""

    def __init__(self, windlass: Installed, register: Register) -> None:
        self._windlass, self._register = windlass, register
        self.operators = 0
        self.victims: list[int] = []
        """The calls whose workers were killed."""

    def kill_operator(self) -> None:
        """At once, whatever it is doing."""
        before = wait_until(lambda: STARTED.findall(self._metrics()), "the operator to answer", LIMIT)
        (pod,) = self._windlass.cluster.kubectl("-n", SYSTEM, "get", "pods", "-o", "name").split()
        _kill_pod(pod.removeprefix("pod/"))
        self._windlass.cluster.kubectl("-n", SYSTEM, "delete", pod, "--grace-period=0", "--force")
        self.operators += 1
        wait_until(lambda: STARTED.findall(self._metrics()) not in ([], before), "another operator to answer", LIMIT)

    def kill_worker(self) -> None:
        """One that blocks in a call; when this is over, nobody but the operator's objects has to know of it."""
        with self._register.halted():
            wait_until(self._knows_all, "the operator to know what every worker has", LIMIT)
            before = self._lost()
            call, worker = self._register.blocked.popitem()
            _kill_pod(worker)
        self.victims.append(call)
        wait_until(
            lambda: self._lost() > before or self._register.begun[call] > 1, f"somebody to miss the call {call}", LIMIT
        )
        with self._register.halted():
            wait_until(self._all_is_written, "that to be written", LIMIT)

    def _metrics(self) -> str:
        return self._windlass.cluster.kubectl("get", "--raw", METRICS, check=False)

    def _lost(self) -> float:
        """Calls that this operator has seen go with their workers; not those that went while it began."""
        return sum(map(float, LOST.findall(self._metrics())))

    def _knows_all(self) -> bool:
        """All workers have a stream, and what runs in them is known, and with that all results that they hold."""
        there = [pod for pod in self._windlass.api.list("pods") if pod["status"].get("phase") == "Running"]
        text = self._metrics()
        return (
            sum(map(float, WORKING.findall(text))) >= len(there)
            and sum(map(float, RUNNING.findall(text))) >= len(self._register.blocked) + self._register.waiting
        )

    def _all_is_written(self) -> bool:
        held = HELD.search(self._metrics())
        return held is not None and not float(held[1])


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


def _is_over(windlass: Installed) -> bool:
    return "finishedAt" in windlass.api.get("executions", "doom").get("status", {})


def test_every_result_is_right_and_only_calls_of_killed_workers_begin_again(
    windlass: Installed, tmp_path: Path
) -> None:
    seed = int(os.environ.get("WINDLASS_CHAOS_SEED") or random.SystemRandom().randrange(2**32))
    print(f"chaos: again with WINDLASS_CHAOS_SEED={seed}")
    dice, module, register = random.Random(seed), tmp_path / "doom.py", Register()
    module.write_text(MODULE)
    apply(windlass.api, module)
    with register.listening(windlass.cluster.machine_address) as address:
        inputs = {"ns": list(range(CALLS)), "register": address}
        body: Body = {"apiVersion": names.API_VERSION, "kind": "Execution", "metadata": {"name": "doom"}}
        windlass.api.create("executions", {**body, "spec": {**reference(module, "squares"), "inputs": inputs}})
        trouble = Trouble(windlass, register)
        while wait_until(lambda: register.blocked or _is_over(windlass), "a call to block, or all to be over", LIMIT):
            if not register.blocked:
                break
            if not trouble.operators or dice.random() < 1 / 2:
                trouble.kill_operator()
            trouble.kill_worker()
        status = windlass.api.finished("doom", LIMIT)
    assert status["phase"] == "Succeeded", status.get("error")
    assert plain(windlass.api, "doom", status["outputs"]["o0"]) == [n * n for n in range(CALLS)]
    assert {call: times for call, times in register.begun.items() if times != 1} == dict.fromkeys(trouble.victims, 2)
    assert len(trouble.victims) >= max(1, CALLS // (10 * BETWEEN)) and trouble.operators
    print(f"chaos: {CALLS} calls, {len(trouble.victims)} busy workers and {trouble.operators} operators killed")
