"""Counts, times and tells."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from windlass_operator.core.plan_execution import Transition
from windlass_operator.telemetry.actors import ActorMetrics
from windlass_operator.telemetry.events import EventSink, event, noteworthy

log = logging.getLogger("windlass.execution")

FAST = (0.001, 0.002, 0.004, 0.008, 0.016, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
LONG = (0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)
_RESOURCE = re.compile(r"/(?:namespaces/[^/]+/)?([a-z]+)(?:/[^/]+(?:/(status))?)?$")


class Telemetry:
    """The metrics of one operator process, and where its Events go."""

    def __init__(self, send: EventSink, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._send, self._now, self._monotonic = send, now, monotonic
        self.registry = registry = CollectorRegistry()
        self._transitions = Counter(
            "windlass_node_transitions", "Moves of nodes, by the phase they moved to.", ["phase"], registry=registry
        )
        self._executions = Counter(
            "windlass_executions_finished", "Executions that ended, by how.", ["phase"], registry=registry
        )
        self._duration = Histogram(
            "windlass_execution_seconds", "From the start to the end of an Execution.", buckets=LONG, registry=registry
        )
        self._passes = Histogram(
            "windlass_reconcile_seconds", "One pass over one object.", ["kind"], buckets=FAST, registry=registry
        )
        self._failed = Counter(
            "windlass_reconcile_errors", "Passes that raised an unexpected error.", ["kind"], registry=registry
        )
        self._handover = Histogram(
            "windlass_handover_seconds",
            "From the news that a pod ended to its successors' pods being created.",
            buckets=FAST,
            registry=registry,
        )
        self._requests = Counter(
            "windlass_api_requests",
            "Requests to the API server; code 0 is no answer.",
            ["method", "resource", "code"],
            registry=registry,
        )
        self._depth = Gauge("windlass_queue_depth", "Objects that wait for a pass.", registry=registry)
        self._watch_age = Gauge(
            "windlass_watch_age_seconds", "Time since anything came over a watch.", ["stream"], registry=registry
        )
        self._live = Gauge("windlass_executions_live", "Executions that have not ended.", registry=registry)
        self._shards = Gauge(
            "windlass_shards_held", "Shards that this replica holds; 0 without Leases.", registry=registry
        )
        self._capacity = Gauge(
            "windlass_capacity_waiting", "Pods that wait for a limit on the number of pods.", registry=registry
        )
        self.actors = ActorMetrics(registry)
        ProcessCollector(registry=registry)

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def gauges(self, depth: Callable[[], float], live: Callable[[], float], pod_watch_age: Callable[[], float]) -> None:
        """Where the gauges read their values when they are scraped."""
        self._depth.set_function(depth)
        self._live.set_function(live)
        self._watch_age.labels("pods").set_function(pod_watch_age)

    def gauges_of_sharing(self, shards_held: Callable[[], float], capacity_waiting: Callable[[], float]) -> None:
        """Where the gauges about replicas and limits read their values when they are scraped."""
        self._shards.set_function(shards_held)
        self._capacity.set_function(capacity_waiting)

    def api_answered(self, method: str, path: str, status: int) -> None:
        """A request to the API server was answered."""
        found = _RESOURCE.search(path)
        resource = "/".join(part for part in found.groups() if part) if found else "other"
        self._requests.labels(method, resource, str(status)).inc()

    @contextmanager
    def timed_pass(self, kind: str) -> Iterator[None]:
        """Time a pass."""
        start = self._monotonic()
        try:
            yield
        finally:
            self._passes.labels(kind).observe(self._monotonic() - start)

    def pass_failed(self, kind: str) -> None:
        """A pass raised an unexpected error."""
        self._failed.labels(kind).inc()

    def handed_over(self, seconds: float) -> None:
        """Successors were started so long after the news that made it possible."""
        self._handover.observe(seconds)

    def node_transitions(self, namespace: str, execution: str, uid: str, transitions: Iterable[Transition]) -> None:
        """Nodes of an Execution moved."""
        for transition in transitions:
            if transition.before is not transition.after:
                self._transitions.labels(transition.after.value).inc()
            log.debug(
                "%s/%s: node %s: %s → %s %s",
                namespace,
                execution,
                transition.node,
                transition.before.value,
                transition.after.value,
                transition.reason,
            )
            told = noteworthy(transition)
            if told is not None:
                log.warning("%s/%s: %s: %s", namespace, execution, *told)
                self._send(namespace, event(namespace, execution, uid, transition, *told, self._now()))

    def execution_over(self, namespace: str, execution: str, phase: str, seconds: float | None) -> None:
        """An Execution ended, and its status says so."""
        self._executions.labels(phase).inc()
        if seconds is not None:
            self._duration.observe(seconds)
        log.info("%s/%s: %s", namespace, execution, phase)
