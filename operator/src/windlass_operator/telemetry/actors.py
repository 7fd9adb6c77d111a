"""The metrics of warm workers: how many there are, how many calls wait, and what a call pays.

An autoscaler reads ``windlass_actor_calls_waiting`` and ``…_running`` (docs/guides/actors.md). Their labels are the
namespace and the ActorEnvironment: that many series, and no more than ``MOST`` of them; what comes after is counted
together as ``other``. Gauges are read when they are scraped, so a pool that is gone has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CALL = (0.001, 0.002, 0.004, 0.008, 0.016, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
HOP = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
POOL = ("namespace", "environment")
MOST = 200
"""Pools that have series of their own."""
OTHER = ("other", "other")


class PoolCounts(NamedTuple):
    """A pool, as this replica sees it."""

    namespace: str
    environment: str
    waiting: int = 0
    running: int = 0
    workers: tuple[tuple[str, int], ...] = ()
    """How many workers there are, by state."""


class ActorMetrics:
    """See the module. One per operator process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._pools: set[tuple[str, str]] = set()
        self._waited = Histogram(
            "windlass_actor_wait_seconds",
            "From when a call could run to when a worker got it.",
            POOL,
            buckets=CALL,
            registry=registry,
        )
        self._ran = Histogram(
            "windlass_actor_run_seconds", "A call in its worker.", POOL, buckets=CALL, registry=registry
        )
        self._hop = Histogram(
            "windlass_actor_hop_seconds",
            "From the news that a call ended to a call that needed it being on its way to a worker.",
            buckets=HOP,
            registry=registry,
        )
        self._calls = Counter(
            "windlass_actor_calls",
            "Calls that ended, by how: succeeded, failed, or lost with their worker.",
            [*POOL, "outcome"],
            registry=registry,
        )
        self._held = Gauge(
            "windlass_actor_results_held",
            "Results of calls that are not written to the cluster yet; their workers keep them until they are.",
            registry=registry,
        )
        self._gauges = _Gauges()
        registry.register(self._gauges)

    def gauges(self, pools: Callable[[], Iterable[PoolCounts]], held: Callable[[], float]) -> None:
        """Where the gauges read their values when they are scraped."""
        self._gauges.read = pools
        self._held.set_function(held)

    def waited(self, namespace: str, environment: str, seconds: float) -> None:
        """A worker got a call."""
        self._waited.labels(*self._bounded(namespace, environment)).observe(max(0.0, seconds))

    def ran(self, namespace: str, environment: str, outcome: str, seconds: float | None) -> None:
        """A call ended: ``succeeded``, ``failed`` or ``lost``. ``seconds`` it took, where that is known."""
        pool = self._bounded(namespace, environment)
        self._calls.labels(*pool, outcome).inc()
        if seconds is not None:
            self._ran.labels(*pool).observe(max(0.0, seconds))

    def hopped(self, seconds: float) -> None:
        """The news of a call's end led to another call so many seconds later."""
        self._hop.observe(max(0.0, seconds))

    def _bounded(self, namespace: str, environment: str) -> tuple[str, str]:
        pool = (namespace, environment)
        if pool in self._pools:
            return pool
        if len(self._pools) >= MOST:
            return OTHER
        self._pools.add(pool)
        return pool


class _Gauges(Collector):
    """Gauges of what there is, and of nothing that there was."""

    def __init__(self) -> None:
        self.read: Callable[[], Iterable[PoolCounts]] = tuple

    def collect(self) -> Iterator[Metric]:
        """The gauges now."""
        waiting = GaugeMetricFamily("windlass_actor_calls_waiting", "Calls that wait for a worker.", labels=POOL)
        running = GaugeMetricFamily("windlass_actor_calls_running", "Calls that a worker has.", labels=POOL)
        text = "Workers, by state: starting, stuck, idle, busy, leaving, left, failed."
        workers = GaugeMetricFamily("windlass_actor_workers", text, labels=[*POOL, "state"])
        for pool in _at_most(self.read(), MOST):
            key = (pool.namespace, pool.environment)
            waiting.add_metric(key, pool.waiting)
            running.add_metric(key, pool.running)
            for state, count in pool.workers:
                workers.add_metric((*key, state), count)
        yield from (waiting, running, workers)


def _at_most(pools: Iterable[PoolCounts], most: int) -> list[PoolCounts]:
    """The pools, those beyond a number as one."""
    found = sorted(pools)
    rest = found[most:]
    if not rest:
        return found
    states: dict[str, int] = {}
    for pool in rest:
        for state, count in pool.workers:
            states[state] = states.get(state, 0) + count
    waiting, running = (sum(getattr(pool, field) for pool in rest) for field in ("waiting", "running"))
    return [*found[:most], PoolCounts(*OTHER, waiting, running, tuple(sorted(states.items())))]
