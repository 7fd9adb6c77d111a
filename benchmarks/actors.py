"""What a call of an actor pays, beside a pod per task, on a real node.

    python benchmarks/actors.py [--calls 1000] [--pods 20] [--workers 2] [--check]

A cluster with a node (``localcluster``), Windlass installed from its chart, and one namespace. The tasks do nothing but
tell when they began and ended, by the clock of the node, so all of it is seen from where users are: inside functions.

    chain   calls that each need what the one before returned. A hop is the time from the end of a function to the
            beginning of the next one: result, operator, worker, process, arguments.
    map     one node with that many elements. A hop is the time that a worker spends between two functions; calls per
            second are all calls by the time from the first beginning to the last end.

The same as plain pods, fewer of them, where hops are seconds. Writes are the operator's own count of POST, PUT, PATCH
and DELETE, from before the Execution was made to after its end was written, scaled to 1,000 calls.

With ``--check`` the exit code is 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from localcluster import catalog  # noqa: E402  the path comes first
from localcluster.cluster import Cluster  # noqa: E402
from tests.e2e.conftest import SYSTEM, install  # noqa: E402
from tests.harness import Api, Body, plain, wait_until  # noqa: E402
from tests.matrix.playing import apply, reference  # noqa: E402
from windlass_api import names  # noqa: E402

PATIENCE = 300.0
NAMESPACE = "bench"
WRITES = re.compile(
    r'^windlass_api_requests_total\{code="\d+",method="(?:POST|PUT|PATCH|DELETE)",resource="(.*)"\} (\S+)$'
)
GOALS = {"chain p50": 10.0, "chain p99": 50.0, "map p50": 10.0, "map p99": 50.0, "writes": 20.0, "rate": 500.0}
"""Milliseconds, writes per 1,000 calls, calls per second."""

SOURCE = """
import os
import time
import zlib

from windlass import ActorEnvironment, map_task, task, workflow

pool = ActorEnvironment(name="bench", replica_count={workers}, ttl_seconds=900)


def look(before: list[float]) -> list[float]:
    began = time.time()
    return [began, time.time(), float(zlib.crc32(os.uname().nodename.encode()))]


@pool.task
def call(before: list[float]) -> list[float]:
    return look(before)


@task
def pod(before: list[float]) -> list[float]:
    return look(before)


@pool.task
def element(n: int) -> list[float]:
    return look([])


@task
def pod_element(n: int) -> list[float]:
    return look([])


@workflow
def calls() -> list[float]:
    last = call(before=[])
    for _ in range({chain} - 1):
        last = call(before=last)
    return last


@workflow
def pods() -> list[float]:
    last = pod(before=[])
    for _ in range({pods} - 1):
        last = pod(before=last)
    return last


@workflow
def mapped(ns: list[int]) -> list[list[float]]:
    return map_task(element)(n=ns)


@workflow
def pods_mapped(ns: list[int]) -> list[list[float]]:
    return map_task(pod_element)(n=ns)
"""


class Span(NamedTuple):
    """A function that ran."""

    began: float
    ended: float
    worker: float


@dataclass(frozen=True)
class Outcome:
    """What a load came to."""

    calls: int
    hops: list[float]
    """Seconds."""
    seconds: float
    """From the first beginning to the last end."""
    writes: dict[str, float]

    def line(self, name: str) -> str:
        """For people."""
        p50, p99 = self.percentile(50), self.percentile(99)
        writes = 1000 * sum(self.writes.values()) / self.calls
        rate = self.calls / self.seconds
        return f"{name:<12} {self.calls:>6} {p50:>10.2f} {p99:>10.2f} {rate:>10.1f} {writes:>12.1f}"

    def percentile(self, which: int) -> float:
        """Of the hops, in milliseconds."""
        return 1000 * (statistics.quantiles(self.hops, n=100, method="inclusive")[which - 1] if self.hops else 0.0)


class Bench:
    """A namespace of a cluster in which Windlass is installed."""

    def __init__(self, cluster: Cluster, source: Path) -> None:
        self._cluster, self._source = cluster, source
        self._api = Api(cluster, NAMESPACE)
        self._runs = 0

    def run(self, entity: str, **inputs: object) -> Body:
        """Run a workflow to its end; gives its status, and what it wrote under ``writes``."""
        self._runs += 1
        name, before = f"{entity.replace('_', '-')}-{self._runs}", self.writes()
        body = {"apiVersion": names.API_VERSION, "kind": "Execution", "metadata": {"name": name}}
        self._api.create("executions", {**body, "spec": {**reference(self._source, entity), "inputs": inputs}})
        status = self._api.finished(name, PATIENCE)
        assert status["phase"] == "Succeeded", json.dumps(status.get("error"), indent=1)
        after = self.writes()
        return {**status, "name": name, "writes": {key: after[key] - before.get(key, 0.0) for key in after}}

    def writes(self) -> dict[str, float]:
        """The operator's writes so far, by resource."""
        path = f"/api/v1/namespaces/{SYSTEM}/services/windlass-operator:http/proxy/metrics"
        found: dict[str, float] = {}
        for line in self._cluster.kubectl("get", "--raw", path).splitlines():
            match = WRITES.match(line)
            if match:
                found[match[1]] = found.get(match[1], 0.0) + float(match[2])
        return found

    def chain(self, entity: str) -> Outcome:
        """A chain: its nodes' outputs tell when each ran."""
        status = self.run(entity)
        spans = sorted(self._spans(status))
        hops = [after.began - before.ended for before, after in itertools.pairwise(spans)]
        return Outcome(len(spans), hops, spans[-1].ended - spans[0].began, status["writes"])

    def mapped(self, entity: str, count: int) -> Outcome:
        """A map: its output tells when each element ran."""
        status = self.run(entity, ns=list(range(count)))
        spans = sorted(Span(*one) for one in plain(self._api, status["name"], status["outputs"]["o0"]))
        hops = []
        for worker in {span.worker for span in spans}:
            mine = [span for span in spans if span.worker == worker]
            hops += [after.began - before.ended for before, after in itertools.pairwise(mine)]
        first, last = min(span.began for span in spans), max(span.ended for span in spans)
        return Outcome(count, hops, last - first, status["writes"])

    def _spans(self, status: Body) -> list[Span]:
        return [
            Span(*plain(self._api, status["name"], node["outputs"]["o0"]))
            for node in status["nodes"].values()
            if "outputs" in node
        ]

    def warm(self, workers: int) -> None:
        """Have all workers started, with the code loaded."""
        self.run("mapped", ns=list(range(workers * 20)))

        def ready() -> bool:
            status = self._api.get("actorenvironments", "bench").get("status") or {}
            return bool(status.get("readyReplicas") == workers)

        wait_until(ready, f"{workers} workers", 60)


def missed(found: dict[str, float]) -> list[str]:
    """The goals that were not reached."""
    worse = {name: found[name] < goal if name == "rate" else found[name] > goal for name, goal in GOALS.items()}
    return [f"{name}: {found[name]:.1f}, goal {GOALS[name]:.0f}" for name in GOALS if worse[name]]


def figures(chain: Outcome, mapped: Outcome) -> dict[str, float]:
    """What the goals are about."""
    of = {"chain": chain, "map": mapped}
    found = {f"{name} p{which}": one.percentile(which) for name, one in of.items() for which in (50, 99)}
    found["writes"] = max(1000 * sum(one.writes.values()) / one.calls for one in of.values())
    return {**found, "rate": mapped.calls / mapped.seconds}


def measure(cluster: Cluster, calls: int, pods: int, workers: int) -> dict[str, Outcome]:
    """All four loads."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "bench.py"
        source.write_text(SOURCE.format(workers=workers, chain=calls, pods=pods))
        apply(Api(cluster, NAMESPACE), source)
        bench = Bench(cluster, source)
        bench.warm(workers)
        return {
            "chain": bench.chain("calls"),
            "map": bench.mapped("mapped", calls),
            "pods, chain": bench.chain("pods"),
            "pods, map": bench.mapped("pods_mapped", pods),
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000, help="in the chain and in the map (default: %(default)s)")
    parser.add_argument("--pods", type=int, default=20, help="the same of plain pods (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="of the pool (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="fail where a goal is missed")
    parser.add_argument("--keep", action="store_true", help="leave the cluster as it is, to look at it")
    chosen = parser.parse_args(arguments)
    cluster = Cluster(f"bench-{int(time.time()) % 100_000}").up()
    try:
        cluster.load_images(catalog.all_images())
        install(cluster)
        found = measure(cluster, chosen.calls, chosen.pods, chosen.workers)
    finally:
        if not chosen.keep:
            cluster.down()
    print(f"{'':<12} {'calls':>6} {'p50 ms':>10} {'p99 ms':>10} {'calls/s':>10} {'writes/1000':>12}")
    for name, outcome in found.items():
        print(outcome.line(name))
    for name in ("chain", "map"):
        told = {key: round(count) for key, count in found[name].writes.items() if count}
        print(f"writes of the {name}: {told}")
    problems = missed(figures(found["chain"], found["map"]))
    for problem in problems:
        print(f"missed: {problem}")
    return 1 if problems and chosen.check else 0


if __name__ == "__main__":
    sys.exit(main())
