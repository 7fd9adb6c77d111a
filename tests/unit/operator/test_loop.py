"""The loop, with a cluster in memory: what a pass writes, when it may wait with that, and what it does in trouble.

Whole runs against a real API server are in tests/integration.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.unit.operator.fake_cluster import FakeCluster, refusal
from tests.unit.operator.things import (
    BEGIN,
    NOW,
    Body,
    container,
    definition,
    ended,
    execution,
    flow,
    result,
    task,
    waits,
)
from windlass_api import conditions
from windlass_operator.clients import clock
from windlass_operator.handlers import _index_handler
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.loop import Reconciler
from windlass_operator.reconcile.store import LAZY_WRITE
from windlass_operator.settings import Settings
from windlass_operator.telemetry import Telemetry

OURS = paths.ours("Execution", "ns", "e")
STATUS = f"{OURS}/status"
RUNNING = {"phase": "Running", "containerStatuses": [container({"running": {"startedAt": BEGIN}})]}
DONE = {"phase": "Succeeded", "containerStatuses": [container(ended(0, "Completed", result(o0=1)))]}
BROKEN = {"phase": "Failed", "containerStatuses": [container(ended(1))]}
STUCK = {"phase": "Pending", "containerStatuses": [container(waits("ImagePullBackOff", "no such image"))]}


class World:
    """A reconciler, a cluster in memory, and a clock that goes on when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loop = asyncio.new_event_loop()
        self.time = NOW
        monkeypatch.setattr(clock, "now", lambda: self.time)
        monkeypatch.setattr(clock, "monotonic", lambda: self.time)
        self.cluster = FakeCluster()
        self.events: list[str] = []
        self.telemetry = Telemetry(lambda _, event: self.events.append(event["reason"]), clock.now, clock.monotonic)
        self.restart()

    def restart(self) -> None:
        """An operator that has heard nothing yet."""
        self.reconciler = Reconciler(self.cluster, Settings(), self.telemetry)

    def define(self, *nodes: Body, **spec: Any) -> None:
        """A Workflow `wf` of nodes which run the Task `t`."""
        self.know(("Task", "t", task(**spec)), ("Workflow", "wf", flow(*nodes)))

    def know(self, *definitions: tuple[str, str, Body]) -> None:
        """Definitions are made: kind, name and spec."""
        for kind, name, body in definitions:
            made = self.cluster.put(paths.ours(kind, "ns", name).rpartition("/")[0], definition(kind, name, body))
            self.reconciler.definition_event(kind, "ADDED", made)
        self.settle()

    def run(self, **spec: Any) -> Body:
        """The Execution `e` is made. Gives its status."""
        body = execution()
        self.cluster.put(OURS.rpartition("/")[0], {**body, "spec": {**body["spec"], **spec}})
        return self.hear()

    def hear(self) -> Body:
        """The watch tells of the Execution as it is."""
        self.reconciler.execution_event("MODIFIED", self.get(OURS))
        return self.settle()

    def pod(self, name: str, status: Body) -> Body:
        """A pod gets this status, and the watch tells so."""
        path = paths.pods("ns", name)
        made = self.cluster.put(path.rpartition("/")[0], {**self.get(path), "status": status})
        self.reconciler.pod_event("MODIFIED", made)
        return self.settle()

    def settle(self) -> Body:
        """Workers do what there is to do now. Gives the status of `e`."""

        async def work() -> None:
            workers = [asyncio.create_task(self.reconciler.work()) for _ in range(2)]
            for _ in range(300):
                await asyncio.sleep(0)
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

        self.loop.run_until_complete(work())
        found = self.cluster.get(OURS)
        status: Body = found.get("status") or {} if found else {}
        return status

    def get(self, path: str) -> Body:
        """An object."""
        found = self.cluster.get(path)
        assert found is not None, path
        return found

    def count(self, name: str, **labels: str) -> float:
        """A number of the metrics."""
        return self.telemetry.registry.get_sample_value(name, labels) or 0.0

    def writes(self) -> int:
        """How many status writes of `e` there were."""
        return self.cluster.requests.count(("PATCH", STATUS))

    def close(self) -> None:
        """Nothing rings any more."""
        for kind, name in (("Execution", "e"), ("Task", "t"), ("Workflow", "wf")):
            self.reconciler.queue.forget((kind, "ns", name))
        self.loop.close()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    made = World(monkeypatch)
    caplog.set_level(logging.CRITICAL, "windlass.execution")
    yield made
    made.close()


def condition(status: Body, kind: str) -> tuple[str, str] | None:
    found = conditions.get(status["conditions"], kind)
    return (found["status"], found["reason"]) if found else None


def test_a_run_costs_one_status_write_per_piece_of_news(world: World) -> None:
    world.define({"id": "a"}, {"id": "b", "dependsOn": ["a"]})
    assert world.run()["phase"] == "Running"
    assert world.writes() == 1
    world.pod("e-a-0", RUNNING)
    assert world.writes() == 1, "that it runs may wait"
    assert world.pod("e-a-0", DONE)["progress"] == "1/2"
    assert world.pod("e-b-0", DONE)["phase"] == "Succeeded"
    assert world.writes() == 3
    assert world.count("windlass_executions_finished_total", phase="Succeeded") == 1
    assert world.count("windlass_handover_seconds_count") == 1
    assert world.hear()["phase"] == "Succeeded"
    assert world.writes() == 3


def test_news_that_may_wait_is_written_after_a_moment(world: World) -> None:
    world.define({"id": "a"})
    world.run()
    assert world.pod("e-a-0", RUNNING)["nodes"]["a"]["phase"] == "Queued"
    world.time += LAZY_WRITE
    world.reconciler.queue.wake(("Execution", "ns", "e"))
    assert world.settle()["nodes"]["a"]["phase"] == "Running"


def test_a_used_up_quota_stalls_the_execution_until_there_is_room(world: World) -> None:
    world.define({"id": "a"})
    full = refusal(403, "Forbidden", 'pods "e-a-0" is forbidden: exceeded quota: few')
    world.cluster.say("POST", paths.pods("ns"), full)
    stalled = world.run()
    assert condition(stalled, "Stalled") == ("True", "QuotaExceeded")
    assert stalled["nodes"]["a"]["phase"] == "Pending"
    assert "exceeded quota" in stalled["nodes"]["a"]["message"]
    world.reconciler.queue.wake(("Execution", "ns", "e"))
    freed = world.settle()
    assert condition(freed, "Stalled") == ("False", "Progressing")
    assert freed["nodes"]["a"]["phase"] == "Queued"


def test_a_refused_pod_fails_the_execution_in_the_same_pass(world: World) -> None:
    world.define({"id": "a"}, {"id": "b"}, {"id": "c", "dependsOn": ["a"]})
    world.cluster.say("POST", paths.pods("ns"), refusal(422, "Invalid", "spec.containers[0].image: wrong"))
    status = world.run()
    assert status["error"]["message"] == "spec.containers[0].image: wrong"
    assert {name: node["phase"] for name, node in status["nodes"].items()} == {
        "a": "Failed",
        "b": "Queued",
        "c": "Cancelled",
    }
    assert world.cluster.get(paths.pods("ns", "e-b-0")) is None


def test_a_pod_that_is_stuck_stalls_the_execution_at_once(world: World) -> None:
    world.define({"id": "a"})
    world.run()
    assert condition(world.pod("e-a-0", STUCK), "Stalled") == ("True", "ImagePullBackOff")
    assert world.events == ["ImagePullBackOff"]


def test_after_a_restart_it_goes_on_from_the_status(world: World) -> None:
    world.define({"id": "a"}, {"id": "b", "dependsOn": ["a"]})
    world.run()
    before = world.pod("e-a-0", DONE)
    world.restart()
    listed: list[Mapping[str, Any]] = [world.get(paths.pods("ns", name)) for name in ("e-a-0", "e-b-0")]
    world.reconciler.pods_listed(listed, 1000)
    assert world.hear() == before
    assert world.pod("e-b-0", DONE)["phase"] == "Succeeded"


@pytest.mark.parametrize("is_there", [True, False])
def test_a_pod_of_which_the_status_tells_and_no_watch_does_is_looked_for_before_it_is_lost(
    world: World, is_there: bool
) -> None:
    """Another replica made it a moment ago, and its watch of pods is behind that of runs."""
    world.define({"id": "a"})
    world.run()
    if not is_there:
        world.cluster.drop(paths.pods("ns", "e-a-0"))
    world.restart()
    world.reconciler.pods_listed([], 1000)
    node = world.hear()["nodes"]["a"]
    assert (node.get("attempt", 0), world.cluster.requests.count(("GET", paths.pods("ns", "e-a-0")))) == (
        not is_there,
        1,
    )
    if is_there:
        assert world.pod("e-a-0", DONE)["phase"] == "Succeeded"


@pytest.mark.parametrize("status", [0, 500])
def test_a_status_that_was_not_taken_is_written_again_without_starting_anything_twice(
    world: World, status: int
) -> None:
    world.define({"id": "a"})
    world.cluster.say("PATCH", STATUS, refusal(status, message="away"))
    assert world.run() == {}
    world.reconciler.queue.wake(("Execution", "ns", "e"))
    assert world.settle()["phase"] == "Running"
    assert world.cluster.requests.count(("POST", paths.pods("ns"))) == 1
    assert world.count("windlass_reconcile_errors_total", kind="Execution") == 0


def test_a_status_that_somebody_else_changed_is_read_again(world: World) -> None:
    world.define({"id": "a"})
    world.run()
    body = world.get(OURS)
    world.cluster.put(OURS.rpartition("/")[0], {key: body[key] for key in ("kind", "metadata", "spec")})
    world.pod("e-a-0", DONE)
    world.reconciler.queue.wake(("Execution", "ns", "e"))
    status = world.settle()
    assert (status["phase"], status["progress"]) == ("Succeeded", "1/1")


class Shards:
    """What is this replica's, as a test says."""

    def __init__(self) -> None:
        self.mine, self.lost_after = True, 1_000_000

    def starts(self, namespace: str, name: str) -> bool:
        """As ``Ownership``."""
        return self.mine

    def owns(self, namespace: str, name: str) -> bool:
        """As ``Ownership``; true for so many more questions."""
        self.lost_after -= 1
        return self.mine and self.lost_after >= 0


def share(world: World) -> Shards:
    """Have the world's operator be one of several."""
    shards = Shards()
    world.reconciler = Reconciler(world.cluster, Settings(), world.telemetry, shards)
    return shards


def rewrite(world: World, **changes: Any) -> Body:
    """Somebody else writes the Execution."""
    return world.cluster.put(OURS.rpartition("/")[0], {**world.get(OURS), **changes})


def test_what_is_not_ours_is_not_worked_on_until_it_is(world: World) -> None:
    shards = share(world)
    shards.mine = False
    world.define({"id": "a"})
    assert world.run() == {}
    assert world.cluster.requests == []
    assert world.reconciler.live() == 0
    shards.mine = True
    for kind, name in (("Task", "t"), ("Workflow", "wf"), ("Execution", "e")):
        world.reconciler.queue.wake((kind, "ns", name))
    assert world.settle()["phase"] == "Running"
    assert world.reconciler.live() == 1


@pytest.mark.parametrize("questions", [0, 1, 2])
def test_a_pass_that_loses_its_shard_writes_nothing_more(world: World, questions: int) -> None:
    shards = share(world)
    world.define({"id": "a"})
    shards.lost_after = questions
    assert world.run() == {}
    assert world.writes() == 0
    assert world.cluster.requests.count(("POST", paths.pods("ns"))) == (1 if questions == 2 else 0)
    assert world.count("windlass_reconcile_errors_total", kind="Execution") == 0
    shards.lost_after = 100
    world.reconciler.queue.wake(("Execution", "ns", "e"))
    assert world.settle()["phase"] == "Running"
    assert world.cluster.requests.count(("POST", paths.pods("ns"))) == 1


def test_what_another_replica_wrote_meanwhile_is_where_it_goes_on(world: World) -> None:
    shards = share(world)
    world.define({"id": "a"}, {"id": "b", "dependsOn": ["a"]})
    status = world.run()
    shards.mine = False
    ended = {**status["nodes"], "a": {**status["nodes"]["a"], "phase": "Succeeded", "outputs": {"o0": 1}}}
    rewrite(world, status={**status, "nodes": ended})
    world.hear()
    shards.mine = True
    world.reconciler.queue.wake(("Execution", "ns", "e"))
    assert world.settle()["progress"] == "1/2"
    assert world.cluster.get(paths.pods("ns", "e-b-0")) is not None


def test_a_write_that_builds_on_an_old_status_fails_and_starts_again_from_the_new_one(world: World) -> None:
    world.define({"id": "a"}, {"id": "b"})
    status = world.run()
    ended = {**status["nodes"]["b"], "phase": "Succeeded", "outputs": {"o0": 9}}
    rewrite(world, status={**status, "nodes": {**status["nodes"], "b": ended}})
    told = world.pod("e-a-0", DONE)
    assert told["nodes"]["b"] == ended, "what somebody else wrote is not undone"
    assert told["phase"] == "Succeeded"


def test_a_changed_spec_costs_a_look_and_no_progress(world: World) -> None:
    world.define({"id": "a"})
    world.run()
    rewrite(world, spec={**world.get(OURS)["spec"], "ttlAfterFinished": "1h"})
    assert world.pod("e-a-0", DONE)["phase"] == "Succeeded"
    assert world.cluster.requests.count(("GET", OURS)) == 1
    assert world.writes() == 3


def test_a_status_that_arrived_although_nobody_answered_is_our_own(world: World) -> None:
    world.define({"id": "a"}, {"id": "b", "dependsOn": ["a"]})
    world.run()

    def lost() -> Any:
        tracked = world.reconciler.store.executions["ns", "e"]
        assert tracked.sent is not None
        rewrite(world, status=dict(tracked.sent))
        return refusal(0)

    world.cluster.say("PATCH", STATUS, lost)
    world.pod("e-a-0", DONE)
    world.hear()
    tracked = world.reconciler.store.executions["ns", "e"]
    before = tracked.state.nodes["b"]
    world.reconciler.queue.wake(("Execution", "ns", "e"))
    world.settle()
    assert tracked.state.nodes["b"] == before
    assert world.pod("e-b-0", DONE)["phase"] == "Succeeded"


def test_an_execution_that_is_gone_is_left_alone(world: World) -> None:
    world.define({"id": "a"})
    world.run()
    world.cluster.drop(OURS)
    world.pod("e-a-0", DONE)
    asked = len(world.cluster.requests)
    world.reconciler.queue.wake(("Execution", "ns", "e"))
    world.settle()
    assert len(world.cluster.requests) == asked


def lose_the_closure(world: World) -> None:
    """Somebody deleted the ControllerRevision; the operator starts again, and hears of everything."""
    digest = world.get(OURS)["status"]["closure"]
    world.cluster.drop(paths.revisions("ns", f"closure-{digest}"))
    world.restart()
    world.reconciler.pods_listed([world.get(paths.pods("ns", "e-a-0"))], 1000)


def test_a_run_stays_with_the_closure_that_it_was_pinned_to_though_no_status_says_so_yet(world: World) -> None:
    rest = {"sleep": {"duration": "1h"}}
    world.know(("Workflow", "wf", flow({"id": "before", **rest})))
    world.cluster.say("PATCH", STATUS, refusal(500, message="away"))
    assert "closure" not in world.run()
    world.know(("Workflow", "wf", flow({"id": "after", **rest})))
    world.time += 60
    assert list(world.hear()["nodes"]) == ["before"]


def test_a_lost_closure_is_made_again_from_definitions_that_are_still_the_same(world: World) -> None:
    world.define({"id": "a"})
    world.run()
    lose_the_closure(world)
    world.define({"id": "a"})
    world.hear()
    assert world.pod("e-a-0", DONE)["phase"] == "Succeeded"


def test_a_lost_closure_ends_the_execution_once_when_the_definitions_have_changed(world: World) -> None:
    world.define({"id": "a"})
    world.run()
    pod = world.get(paths.pods("ns", "e-a-0"))
    lose_the_closure(world)
    world.define({"id": "a"}, image="another")
    status = world.hear()
    assert world.cluster.get(paths.pods("ns", "e-a-0")) is None
    assert (status["phase"], status["error"]["code"]) == ("Failed", "ClosureLost")
    assert condition(status, "Reconciling") == ("False", "ClosureLost")
    writes = world.writes()
    world.time += 5
    world.reconciler.pod_event("DELETED", {**pod, "status": DONE})
    assert world.settle() == status
    assert world.writes() == writes
    assert world.count("windlass_executions_finished_total", phase="Failed") == 1


def test_a_bug_is_logged_counted_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.define({"id": "a"})

    def bug(_: Any) -> Any:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "windlass.reconcile"):
        patch.setattr("windlass_operator.reconcile.loop.plan_execution", bug)
        world.run()
    assert world.count("windlass_reconcile_errors_total", kind="Execution") == 1
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["a pass failed", "Execution ns/e will be looked at again in 0.5 s: RuntimeError('a bug')"]
    world.reconciler.queue.wake(("Execution", "ns", "e"))
    assert world.settle()["phase"] == "Running"


def test_what_is_refused_or_cancelled_before_it_starts_ends_without_a_pod(world: World) -> None:
    world.define({"id": "a"})
    world.cluster.put(OURS.rpartition("/")[0], execution(spec={"workflow": {"name": "wf"}, "inputs": {"q": 1}}))
    assert world.hear()["error"]["code"] == "InvalidInputs"
    world.cluster.put(OURS.rpartition("/")[0], execution(uid="u2", spec={"workflow": {"name": "no"}, "cancel": True}))
    assert world.hear()["phase"] == "Cancelled"
    assert not any(path == paths.pods("ns") for _, path in world.cluster.requests)


def test_what_is_missing_is_waited_for_and_wakes_its_execution(world: World) -> None:
    status = world.run()
    assert condition(status, "Accepted") == ("False", "WorkflowNotFound")
    world.define({"id": "a"})
    assert condition(world.settle(), "Accepted") == ("True", "Accepted")


FIRST = paths.ours("Execution", "ns", "first")
GOES_ON = {"resumeFrom": {"execution": "first"}}


def test_a_run_that_goes_on_from_one_that_is_not_there_waits_and_says_so(world: World) -> None:
    world.define({"id": "a"})
    status = world.run(**GOES_ON)
    assert condition(status, "Accepted") == condition_of_missing("False")
    assert condition(status, "Stalled") == condition_of_missing("True")
    told = conditions.get(status["conditions"], "Stalled")
    assert told is not None
    assert told["message"].startswith("spec.resumeFrom.execution: there is no Execution 'first' in this namespace")
    assert not any(path == paths.pods("ns") for _, path in world.cluster.requests)
    world.cluster.put(FIRST.rpartition("/")[0], execution("first", uid="u0"))
    world.reconciler.queue.wake(("Execution", "ns", "e"))  # which it does by itself after a while
    status = world.settle()
    assert condition(status, "Stalled") == ("False", "Progressing")
    assert status["nodes"]["a"]["resume"] == "the execution first is gone, or has never begun"


def condition_of_missing(status: str) -> tuple[str, str]:
    return status, "ExecutionNotFound"


def test_the_run_that_it_goes_on_from_may_go_once_it_has_begun(world: World) -> None:
    world.define({"id": "a"})
    world.cluster.put(FIRST.rpartition("/")[0], execution("first", uid="u0"))
    world.run(**GOES_ON)
    world.cluster.drop(FIRST)
    lose_the_closure(world)
    world.define({"id": "a"})
    world.hear()
    assert world.pod("e-a-0", DONE)["phase"] == "Succeeded"


# People and children have news, too.

SIGNAL = paths.ours("Signal", "ns", "e.go")


def answered(world: World, **answer: Any) -> Body:
    """Somebody answers the question of `e`. Gives the Signal."""
    body = world.get(SIGNAL)
    spec = {**body["spec"], "answer": answer}
    return world.cluster.put(SIGNAL.rpartition("/")[0], {**body, "spec": spec})


@pytest.mark.parametrize(
    "indexed", [True, False], ids=["as kopf tells it, the index handler first", "by the event alone"]
)
def test_an_answer_wakes_the_run_that_waits_for_it(world: World, indexed: bool) -> None:
    world.define({"id": "g", "waitForInput": {"name": "go", "type": "int"}}, {"id": "b", "dependsOn": ["g"]})
    status = world.run()
    assert status["nodes"]["g"]["reason"] == "Input"
    body = answered(world, value=3)
    if indexed:
        world.loop.run_until_complete(_index_handler(world.reconciler, "Signal")(body=body))
    world.reconciler.signal_event("MODIFIED", body)
    status = world.settle()
    assert status["nodes"]["g"]["outputs"] == {"o0": 3}
    assert status["nodes"]["b"]["phase"] == "Queued"
    assert world.get(SIGNAL)["status"]["phase"] == "Answered"


def test_a_question_that_somebody_deleted_is_asked_again(world: World) -> None:
    world.define({"id": "g", "waitForInput": {"name": "go", "type": "int"}})
    world.run()
    body = world.get(SIGNAL)
    world.cluster.drop(SIGNAL)
    world.reconciler.signal_event("DELETED", body)
    world.settle()
    assert world.get(SIGNAL)["metadata"]["uid"] != body["metadata"]["uid"]


def test_an_answer_to_an_execution_that_had_the_name_before_counts_for_nothing(world: World) -> None:
    world.define({"id": "g", "waitForInput": {"name": "go", "type": "int"}})
    world.run()
    world.reconciler.signal_event("MODIFIED", answered(world, value=3))
    world.cluster.put(OURS.rpartition("/")[0], execution(uid="u2"))
    status = world.hear()
    assert status["phase"] == "Running"
    assert "outputs" not in status["nodes"]["g"]


CHILD = paths.ours("Execution", "ns", "e-p-0")


@pytest.fixture
def parent(world: World) -> World:
    """The run `e`, which runs a launch plan."""
    inner = flow({"id": "n0"}, outputs={"o0": {"type": "int", "from": {"$ref": "nodes.n0.outputs.o0"}}})
    world.know(
        ("Task", "t", task()),
        ("Workflow", "inner", inner),
        ("LaunchPlan", "plan", {"workflow": {"name": "inner"}}),
        ("Workflow", "wf", flow({"id": "p", "launchPlan": {"name": "plan"}}, {"id": "z", "dependsOn": ["p"]})),
    )
    world.run()
    return world


def heard(world: World, *, indexed: bool = False) -> Body:
    """The watch tells of the child as it is. Gives the status of the parent."""
    body = world.get(CHILD)
    if indexed:
        world.loop.run_until_complete(_index_handler(world.reconciler, "Execution")(body=body))
    world.reconciler.execution_event("MODIFIED", body)
    return world.settle()


@pytest.mark.parametrize(
    "indexed", [True, False], ids=["as kopf tells it, the index handler first", "by the event alone"]
)
def test_a_child_execution_runs_and_its_end_wakes_its_parent(parent: World, indexed: bool) -> None:
    heard(parent)
    pod = paths.pods("ns", "e-p-0-n0-0")
    assert parent.get(pod)["metadata"]["labels"]["windlass.dev/execution"] == "e-p-0"
    parent.pod("e-p-0-n0-0", DONE)
    assert parent.get(CHILD)["status"]["outputs"] == {"o0": 1}
    status = heard(parent, indexed=indexed)
    assert (status["nodes"]["p"]["phase"], status["nodes"]["z"]["phase"]) == ("Succeeded", "Queued")
    parent.reconciler.queue.forget(("Execution", "ns", "e-p-0"))


def test_a_child_that_was_deleted_is_made_again(parent: World) -> None:
    body = parent.get(CHILD)
    parent.cluster.drop(CHILD)
    parent.reconciler.execution_event("DELETED", body)
    status = parent.settle()
    assert (status["nodes"]["p"]["attempt"], status["nodes"]["p"]["failures"]) == (1, {"user": 0, "system": 1})


def test_a_child_of_which_the_status_tells_and_no_watch_does_is_looked_for_before_it_is_lost(parent: World) -> None:
    parent.restart()
    parent.reconciler.pods_listed([], 1000)
    assert parent.hear()["nodes"]["p"].get("attempt", 0) == 0
    assert ("GET", CHILD) in parent.cluster.requests


def test_a_cancel_reaches_a_child_and_what_it_runs(parent: World) -> None:
    heard(parent)
    body = parent.get(OURS)
    spec, meta = {**body["spec"], "cancel": True}, {**body["metadata"], "generation": 2}
    parent.cluster.put(OURS.rpartition("/")[0], {**body, "metadata": meta, "spec": spec})
    parent.hear()
    assert parent.get(CHILD)["spec"]["cancel"] is True
    heard(parent)
    assert parent.cluster.get(paths.pods("ns", "e-p-0-n0-0")) is None
    parent.reconciler.queue.forget(("Execution", "ns", "e-p-0"))


def test_an_execution_goes_when_its_time_is_up(world: World) -> None:
    world.define({"id": "a"})
    spec = {"workflow": {"name": "wf"}, "ttlAfterFinished": "60s"}
    world.cluster.put(OURS.rpartition("/")[0], execution(spec=spec))
    world.hear()
    assert world.pod("e-a-0", DONE)["phase"] == "Succeeded"
    world.time += 59
    world.reconciler.queue.wake(("Execution", "ns", "e"))
    world.settle()
    assert world.cluster.get(OURS) is not None
    world.time += 1
    world.reconciler.queue.wake(("Execution", "ns", "e"))
    world.settle()
    assert world.cluster.get(OURS) is None


@pytest.mark.parametrize(
    ("spec", "plan_ttl"),
    [
        ({"workflow": {"name": "wf"}, "inputs": {"q": 1}, "ttlAfterFinished": "60s"}, None),
        ({"workflow": {"name": "no"}, "cancel": True, "ttlAfterFinished": "60s"}, None),
        ({"launchPlan": {"name": "daily"}, "inputs": {"q": 1}}, "60s"),
    ],
    ids=["refused", "cancelled before it began", "refused, a plan's"],
)
def test_an_execution_that_ended_before_it_began_goes_when_its_time_is_up_too(
    world: World, spec: Body, plan_ttl: str | None
) -> None:
    world.define({"id": "a"})
    world.know(
        ("LaunchPlan", "daily", {"workflow": {"name": "wf"}, **({"ttlAfterFinished": plan_ttl} if plan_ttl else {})})
    )
    world.cluster.put(OURS.rpartition("/")[0], execution(spec=spec))
    assert world.hear()["phase"] in ("Failed", "Cancelled")
    for after, there in ((59, True), (1, False)):
        world.time += after
        world.reconciler.queue.wake(("Execution", "ns", "e"))
        world.settle()
        assert (world.cluster.get(OURS) is not None) is there


def test_an_execution_whose_closure_is_lost_goes_when_its_time_is_up_too(world: World) -> None:
    world.define({"id": "a"})
    world.cluster.put(OURS.rpartition("/")[0], execution(spec={"workflow": {"name": "wf"}, "ttlAfterFinished": "60s"}))
    world.hear()
    assert world.pod("e-a-0", DONE)["phase"] == "Succeeded"
    lose_the_closure(world)
    world.time += 60
    world.hear()
    assert world.cluster.get(OURS) is None


def test_a_launch_plan_keeps_as_many_of_its_runs_as_it_says_and_the_newest(world: World) -> None:
    world.know(("LaunchPlan", "daily", {"workflow": {"name": "wf"}, "successfulRunsHistoryLimit": 1}))
    of_the_plan = {"spec": {"launchPlan": {"name": "daily"}}}
    for number, phase in enumerate(("Succeeded", "Succeeded", "Failed", "Running")):
        made = execution(f"r{number}")
        status = {"phase": phase, "finishedAt": f"2027-01-0{number + 1}T00:00:00Z"} if phase != "Running" else {}
        world.cluster.put(OURS.rpartition("/")[0], {**made, **of_the_plan, "status": status})
        world.reconciler.execution_event("ADDED", world.get(paths.ours("Execution", "ns", f"r{number}")))
        world.settle()
    there = [world.cluster.get(paths.ours("Execution", "ns", f"r{number}")) is not None for number in range(4)]
    assert there == [False, True, True, True]


def test_no_event_tells_of_a_node_that_waits_for_its_turn(world: World) -> None:
    world.define({"id": "a"}, {"id": "b", "dependsOn": ["a"]}, {"id": "c", "dependsOn": ["b"]})
    status = world.run()
    assert status["nodes"]["c"]["message"] == "waits for b"
    assert world.events == []
