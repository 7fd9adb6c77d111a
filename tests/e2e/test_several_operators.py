"""Two replicas of the operator that share a pool of warm workers on a real node, and one of them is killed.

::

    three calls run until they are released · chains and a map of each replica wait behind them
    the replica that keeps the pool is killed ──► the other has all shards ──► the calls are released

Each call writes that it ran to its worker's log, and no worker dies: so each is to be found there once.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import SYSTEM, Installed
from tests.harness import wait_until
from tests.matrix.playing import apply, reference
from windlass_api import names
from windlass_operator.core.sharding import shard_of
from windlass_operator.settings import Settings

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]  # the first test of a machine builds Kubernetes

CROWD = """
import pathlib
import time

from windlass import ActorEnvironment, map_task, workflow

crowd = ActorEnvironment(name="crowd", replica_count=3, ttl_seconds=600)


@crowd.task
def held(n: int) -> int:
    print("ran it")
    while not pathlib.Path("/tmp/released").exists():
        time.sleep(0.05)
    return n


@crowd.task
def inc(n: int) -> int:
    print("ran it")
    return n + 1


@workflow
def chain(n: int) -> int:
    return inc(n=inc(n=inc(n=n)))


@workflow
def fan(ns: list[int]) -> list[int]:
    return map_task(inc)(n=ns)
"""
WIDTH = 20


class Crowd:
    """The module in a namespace, and who does what."""

    def __init__(self, windlass: Installed, folder: Path) -> None:
        self.windlass, self.api = windlass, windlass.api
        self._file = folder / "crowd.py"
        self._file.write_text(CROWD)
        self.wanted: dict[str, Any] = {}
        """What each Execution gives."""
        apply(self.api, self._file)

    def holders(self) -> dict[int, str]:
        """Which replica holds each shard."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
        found = {}
        for lease in self.api.call("GET", path)["items"]:
            head, _, number = lease["metadata"]["name"].rpartition("-")
            holder = lease["spec"].get("holderIdentity")
            if head == "windlass-shard" and holder:
                found[int(number)] = holder
        return found

    def replicas(self) -> list[str]:
        """The pods of the operator that are to stay."""
        pods = self.api.call("GET", f"/api/v1/namespaces/{SYSTEM}/pods")["items"]
        return sorted(pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"])

    def shares(self) -> dict[str, int]:
        """How many shards each replica has, once all are held."""
        found = Counter(self.holders().values())
        return dict(found) if found.total() == Settings().shards else {}

    def owner(self, name: str) -> str:
        """Whose an object of this name is."""
        return self.holders()[shard_of(self.windlass.namespace, name, Settings().shards)]

    def start(self, owner: str, entity: str, wanted: Any, **inputs: Any) -> str:
        """An Execution that is this replica's."""
        name = next(
            name
            for count in range(1000)
            if self.owner(name := f"{entity}-{count}") == owner and name not in self.wanted
        )
        body = {"apiVersion": names.API_VERSION, "kind": "Execution", "metadata": {"name": name}}
        self.api.create("executions", {**body, "spec": {**reference(self._file, entity), "inputs": inputs}})
        self.wanted[name] = wanted
        return name

    def workers(self) -> list[str]:
        """The pods of the pool."""
        return sorted(pod["metadata"]["name"] for pod in self.api.list("pods"))

    def ran(self) -> Counter[str]:
        """How often each call ran, by what its line of output says of it."""
        lines = [line for worker in self.workers() for line in self.windlass.kubectl("logs", worker).splitlines()]
        return Counter(found[1] for line in lines if (found := re.match(r"\[(\S+)\] ran it", line)))


@pytest.fixture
def crowd(windlass: Installed, tmp_path: Path) -> Iterator[Crowd]:
    """Two replicas, with half the work each. The first one has made the dispatcher's keys before the second comes."""
    found = Crowd(windlass, tmp_path)
    wait_until(
        lambda: (
            "windlass-operator-dispatcher" in windlass.cluster.kubectl("-n", SYSTEM, "get", "secrets", "-o", "name")
        ),
        "the dispatcher's keys",
    )
    half = Settings().shards // 2
    scale = ("-n", SYSTEM, "scale", "deployment/windlass-operator")
    windlass.cluster.kubectl(*scale, "--replicas=2")
    wait_until(lambda: found.shares() == dict.fromkeys(found.replicas(), half), "two replicas with half of it each")
    yield found
    windlass.cluster.kubectl(*scale, "--replicas=1")
    wait_until(lambda: len(found.shares()) == len(found.replicas()) == 1, "the other to leave")


def test_when_one_of_two_replicas_is_killed_all_calls_end_and_none_runs_twice(crowd: Crowd) -> None:
    victim = crowd.owner("crowd")
    (survivor,) = set(crowd.replicas()) - {victim}
    for number, owner in enumerate((victim, victim, survivor)):
        name = crowd.start(owner, "held", number, n=number)
        crowd.api.execution(name, _runs, f"{name} to run", 60)
    for owner in (victim, survivor):
        crowd.start(owner, "chain", 13, n=10)
        crowd.start(owner, "fan", [n + 1 for n in range(WIDTH)], ns=[*range(WIDTH)])
    waiting = 2 * (1 + WIDTH)
    wait_until(
        lambda: crowd.api.get("actorenvironments", "crowd")["status"].get("queuedCalls") == waiting,
        "the status to count the calls that wait with either",
    )
    crowd.windlass.cluster.kubectl("-n", SYSTEM, "delete", "pod", victim, "--grace-period=0", "--force")
    wait_until(lambda: victim not in crowd.holders().values() and crowd.shares(), "the other to take over")
    for worker in crowd.workers():
        crowd.windlass.kubectl("exec", worker, "-c", "main", "--", "touch", "/tmp/released")
    for name, wanted in crowd.wanted.items():
        status = crowd.api.finished(name, 60)
        assert status.get("outputs") == {"o0": wanted}, f"{name}: {json.dumps(status, indent=1)}"
        assert [node for node in status["nodes"].values() if node.get("failures")] == [], status
    ran = crowd.ran()
    assert ran == Counter(dict.fromkeys(ran, 1)), "none ran twice"
    assert ran.total() == 3 + 2 * (3 + WIDTH)
    assert len(crowd.workers()) == 3


def _runs(status: dict[str, Any]) -> bool:
    return bool(status.get("nodes", {}).get("n0", {}).get("phase") == "Running")
