"""What passes return → metrics, Events and log lines; and the server that tells of them."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

import aiohttp
import pytest
from hypothesis import given, strategies as st

from tests.unit.operator.things import NOW
from windlass_api.names import plural
from windlass_operator.core.plan_execution import Transition
from windlass_operator.core.states import NodePhase
from windlass_operator.handlers import KINDS
from windlass_operator.reconcile import paths
from windlass_operator.telemetry import Telemetry
from windlass_operator.telemetry.actors import MOST, PoolCounts
from windlass_operator.telemetry.logs import JsonFormatter
from windlass_operator.telemetry.server import serve

P = NodePhase


class Told:
    """Telemetry, and the Events that it sent."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.ticks = iter([10.0, 10.5, 11.0, 99.0])
        self.telemetry = Telemetry(lambda *event: self.events.append(event), lambda: NOW, lambda: next(self.ticks))

    def value(self, name: str, **labels: str) -> float | None:
        """A number of the metrics."""
        return self.telemetry.registry.get_sample_value(name, labels)


@pytest.fixture
def told() -> Told:
    return Told()


def move(before: P, after: P, reason: str = "", message: str = "", attempt: int = 0) -> Transition:
    return Transition("a", before, after, reason, message, attempt)


@pytest.mark.parametrize(
    ("transition", "counted", "event"),
    [
        (move(P.PENDING, P.QUEUED), "Queued", None),
        (move(P.QUEUED, P.RUNNING), "Running", None),
        (move(P.RUNNING, P.SUCCEEDED), "Succeeded", None),
        (move(P.PENDING, P.SKIPPED, "ConditionFalse", "when: x"), "Skipped", None),
        (move(P.PENDING, P.CANCELLED, "Cancelled"), "Cancelled", None),
        (move(P.RUNNING, P.FAILED, "USER:RuntimeError", "it broke"), "Failed",
         ("NodeFailed", "node a: USER:RuntimeError: it broke")),
        (move(P.RUNNING, P.PENDING, "Retrying", "attempt 0 failed", 1), "Pending",
         ("NodeRetrying", "node a: attempt 0 failed")),
        (move(P.PENDING, P.PENDING, "Retrying", "attempt 0 failed", 1), None,
         ("NodeRetrying", "node a: attempt 0 failed")),
        (move(P.QUEUED, P.QUEUED, "ImagePullBackOff", "no such image"), None,
         ("ImagePullBackOff", "node a: no such image")),
    ],
    ids=["queued", "running", "succeeded", "skipped", "cancelled", "failed", "retrying", "retrying at once", "stuck"],
)  # fmt: skip
def test_a_move_is_counted_and_told_where_somebody_should_look(
    told: Told, transition: Transition, counted: str | None, event: tuple[str, str] | None
) -> None:
    told.telemetry.node_transitions("ns", "e", "u1", [transition])
    counts = {phase.value: told.value("windlass_node_transitions_total", phase=phase.value) for phase in P}
    assert {phase: count for phase, count in counts.items() if count} == ({counted: 1.0} if counted else {})
    assert [(one["reason"], one["message"]) for _, one in told.events] == ([event] if event else [])


def test_an_event_is_about_the_execution_and_has_its_time(told: Told) -> None:
    told.telemetry.node_transitions("ns", "e", "u1", [move(P.RUNNING, P.FAILED, "X" * 200, "m" * 5000)])
    ((namespace, event),) = told.events
    assert namespace == event["metadata"]["namespace"] == "ns"
    assert event["metadata"]["name"].startswith("e.")
    assert event["involvedObject"] == {
        "apiVersion": "windlass.dev/v1alpha1",
        "kind": "Execution",
        "name": "e",
        "namespace": "ns",
        "uid": "u1",
    }
    assert (event["type"], event["count"], event["firstTimestamp"]) == ("Warning", 1, "2027-01-15T08:00:00Z")
    assert len(event["message"]) <= 1024
    assert len(event["reason"]) <= 128


def test_events_are_named_by_what_they_tell_so_that_each_is_there_once(told: Told) -> None:
    def name(uid: str = "u1", **change: Any) -> str:
        transition = Transition(
            **{
                "node": "a",
                "before": P.RUNNING,
                "after": P.PENDING,
                "reason": "Retrying",
                "message": "m",
                "attempt": 1,
                **change,
            }
        )
        told.telemetry.node_transitions("ns", "e", uid, [transition])
        found: str = told.events[-1][1]["metadata"]["name"]
        return found

    assert name() == name(message="in other words")
    assert len({name(), name(attempt=2), name(node="b"), name("u2"), name(after=P.FAILED)}) == 5


def test_what_a_person_should_look_at_is_logged(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "windlass.execution"):
        told.telemetry.node_transitions(
            "ns", "e", "u1", [move(P.RUNNING, P.FAILED, "X", "m"), move(P.PENDING, P.QUEUED)]
        )
        told.telemetry.execution_over("ns", "e", "Failed", 3.0)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "ns/e: NodeFailed: node a: X: m"),
        ("INFO", "ns/e: Failed"),
    ]


def test_ends_passes_and_handovers_are_counted_and_timed(told: Told) -> None:
    telemetry = told.telemetry
    telemetry.execution_over("ns", "e", "Succeeded", 2.0)
    telemetry.execution_over("ns", "f", "Cancelled", None)
    telemetry.handed_over(0.003)
    telemetry.pass_failed("Task")
    with telemetry.timed_pass("Execution"):
        pass
    with pytest.raises(ValueError), telemetry.timed_pass("Execution"):
        raise ValueError
    assert told.value("windlass_executions_finished_total", phase="Succeeded") == 1
    assert told.value("windlass_executions_finished_total", phase="Cancelled") == 1
    assert (told.value("windlass_execution_seconds_count"), told.value("windlass_execution_seconds_sum")) == (1, 2.0)
    assert told.value("windlass_handover_seconds_sum") == 0.003
    assert told.value("windlass_reconcile_errors_total", kind="Task") == 1
    assert told.value("windlass_reconcile_seconds_count", kind="Execution") == 2
    assert told.value("windlass_reconcile_seconds_sum", kind="Execution") == 88.5


def test_gauges_are_read_when_they_are_scraped(told: Told) -> None:
    depth = 1.0
    told.telemetry.gauges(lambda: depth, lambda: 2.0, lambda: 3.0)
    told.telemetry.gauges_of_sharing(lambda: 4.0, lambda: 5.0)
    depth = 7.0
    text = told.telemetry.exposition().decode()
    assert "windlass_queue_depth 7.0" in text
    assert "windlass_executions_live 2.0" in text
    assert "windlass_shards_held 4.0" in text
    assert "windlass_capacity_waiting 5.0" in text
    assert 'windlass_watch_age_seconds{stream="pods"} 3.0' in text


def test_the_process_tells_of_itself_by_the_names_that_dashboards_know(told: Told) -> None:
    assert (told.value("process_resident_memory_bytes") or 0) > 0
    assert (told.value("process_start_time_seconds") or 0) > 0


names = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,12}[a-z0-9])?", fullmatch=True)
RESOURCES = {"pods", "leases", "configmaps", "events", "controllerrevisions", *map(plural, KINDS)}
KNOWN = RESOURCES | {f"{one}/status" for one in RESOURCES}


@given(names, names)
def test_a_resource_is_never_the_name_of_an_object(namespace: str, name: str) -> None:
    made = [paths.ours(kind, namespace, name) for kind in KINDS]
    asked = [
        *made,
        *(f"{path}/status" for path in made),
        paths.pods(namespace), paths.pods(namespace, name),
        paths.config_maps(namespace), paths.config_maps(namespace, name),
        paths.revisions(namespace), paths.revisions(namespace, name),
        paths.events(namespace), "/api/v1/pods",
        paths.leases(namespace), paths.leases(namespace, name),
    ]  # fmt: skip
    told = Told()
    for path in asked:
        told.telemetry.api_answered("GET", path, 200)
    assert resources(told) <= KNOWN
    assert sum(1 for _ in asked) == counted(told)


def resources(told: Told) -> set[str]:
    return {sample.labels["resource"] for sample in samples(told)}


def counted(told: Told) -> float:
    return sum(float(sample.value) for sample in samples(told))


def samples(told: Told) -> list[Any]:
    (metric,) = (one for one in told.telemetry.registry.collect() if one.name == "windlass_api_requests")
    return [sample for sample in metric.samples if sample.name.endswith("_total")]


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/api/v1/namespaces/ns/pods", "pods"),
        ("/api/v1/namespaces/ns/pods/e-a-0", "pods"),
        ("/api/v1/namespaces/pods/pods/pods", "pods"),
        ("/apis/windlass.dev/v1alpha1/namespaces/ns/executions/e/status", "executions/status"),
        ("/apis/windlass.dev/v1alpha1/namespaces/ns/executions/status", "executions"),
        ("/version", "version"),
        ("/apis/windlass.dev/v1alpha1", "other"),
    ],
)
def test_requests_are_counted_by_resource(told: Told, path: str, resource: str) -> None:
    told.telemetry.api_answered("GET", path, 0)
    assert told.value("windlass_api_requests_total", method="GET", resource=resource, code="0") == 1


def record(message: str, *args: Any, **rest: Any) -> logging.LogRecord:
    return logging.LogRecord("windlass.execution", logging.WARNING, __file__, 1, message, args, rest.get("exc_info"))


def test_a_log_line_is_one_json_object() -> None:
    text = JsonFormatter().format(record('%s said "ü"\nand more', "e"))
    assert "\n" not in text
    line = json.loads(text)
    assert (line["level"], line["logger"], line["message"]) == ("warning", "windlass.execution", 'e said "ü"\nand more')
    assert line["time"]
    assert "traceback" not in line


def test_a_traceback_is_part_of_its_line() -> None:
    try:
        raise ValueError("it broke")
    except ValueError:
        text = JsonFormatter().format(record("a pass failed", exc_info=sys.exc_info()))
    assert "\n" not in text
    assert "ValueError: it broke" in json.loads(text)["traceback"]


@pytest.mark.parametrize(
    ("path", "deaf", "unready", "status", "text"),
    [
        ("/healthz", None, "not yet", 200, "ok"),
        ("/healthz", "deaf", None, 503, "deaf"),
        ("/readyz", "deaf", None, 200, "ok"),
        ("/readyz", None, "not yet", 503, "not yet"),
        ("/metrics", "deaf", "not yet", 200, "windlass_queue_depth"),
        ("/", None, None, 404, ""),
    ],
)
def test_health_readiness_and_metrics_are_served(
    told: Told, path: str, deaf: str | None, unready: str | None, status: int, text: str
) -> None:
    async def ask() -> tuple[int, str]:
        runner = await serve("127.0.0.1:0", told.telemetry, lambda: deaf, lambda: unready)
        try:
            host, port = runner.addresses[0][:2]
            async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}{path}") as response:
                return response.status, await response.text()
        finally:
            await runner.cleanup()

    found, body = asyncio.run(ask())
    assert found == status
    assert text in body


# ---- actors ---------------------------------------------------------------------------------------------------------


def test_calls_of_actors_are_counted_and_timed_by_pool(told: Told) -> None:
    told.telemetry.actors.waited("team-a", "models", 0.003)
    told.telemetry.actors.ran("team-a", "models", "succeeded", 0.5)
    told.telemetry.actors.ran("team-a", "models", "lost", None)
    told.telemetry.actors.hopped(0.002)
    pool = {"namespace": "team-a", "environment": "models"}
    assert told.value("windlass_actor_wait_seconds_bucket", **pool, le="0.004") == 1
    assert told.value("windlass_actor_run_seconds_sum", **pool) == 0.5
    assert told.value("windlass_actor_calls_total", **pool, outcome="lost") == 1
    assert told.value("windlass_actor_hop_seconds_count") == 1


def test_gauges_of_pools_are_read_when_they_are_scraped(told: Told) -> None:
    found = [PoolCounts("team-a", "models", 3, 2, (("busy", 2), ("idle", 1)))]
    told.telemetry.actors.gauges(lambda: found, lambda: 7)
    pool = {"namespace": "team-a", "environment": "models"}
    assert told.value("windlass_actor_calls_waiting", **pool) == 3
    assert told.value("windlass_actor_workers", **pool, state="busy") == 2
    assert told.value("windlass_actor_results_held") == 7
    found.clear()
    assert told.value("windlass_actor_calls_waiting", **pool) is None


def test_the_number_of_series_of_pools_is_bounded(told: Told) -> None:
    for number in range(MOST + 50):
        told.telemetry.actors.ran("ns", f"e{number}", "succeeded", 1)
    assert told.value("windlass_actor_calls_total", namespace="other", environment="other", outcome="succeeded") == 50
    many = [PoolCounts("ns", f"e{number:04}", 1, 2, (("idle", 1),)) for number in range(MOST + 50)]
    told.telemetry.actors.gauges(lambda: many, lambda: 0)
    rest = {"namespace": "other", "environment": "other"}
    assert told.value("windlass_actor_calls_running", **rest) == 100
    assert told.value("windlass_actor_workers", **rest, state="idle") == 50
