"""Maps: what of them runs when, what they come to, and that nothing that is written runs again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.properties.model_cluster import Model
from tests.unit.operator.things import Body, closure, flow, inputs_of, task
from windlass_api import names
from windlass_operator.core.actions import (
    Action,
    CreatePod,
    DeletePod,
    Held,
    Outcome,
    Rejected,
    Unavailable,
    WriteSegment,
)
from windlass_operator.core.mapping import MAX_STARTS
from windlass_operator.core.observed import ALONE, Children, ChildView, Elements, ExecutionState, NodeState, Place
from windlass_operator.core.plan_execution import plan_execution
from windlass_operator.core.record import HELD_AGAIN
from windlass_operator.core.segments import FLUSH
from windlass_operator.core.states import ExecutionPhase, NodePhase
from windlass_operator.kinds.evidence import Failure, FailureKind, Running, Succeeded
from windlass_operator.settings import Settings

ANY = {"type": "any"}
SQUARES = task({"x": {"type": "int"}, "by": {"type": "any", "default": 1}}, {"o0": ANY}, retries=1)
LATER: Body = {"id": "z", "task": {"name": "sum"}, "inputs": {"x": {"$ref": "nodes.m.outputs.o0"}}}
SUM = task({"x": ANY})
BROKEN = Failure(FailureKind.USER, "USER:RuntimeError", "it broke", "RuntimeError")
RECOVERABLE = Failure(FailureKind.USER, "USER:Flaky", "once more", recoverable=True)
SYSTEM = Failure(FailureKind.SYSTEM, "Evicted", "no room")
WIDE = Settings(system_retries=1, max_parallel_pods=10_000)


def mapping(
    xs: Any, *more: Body, settings: Settings = WIDE, by: Any = 1, spec: Body | None = None, **mapped: Any
) -> Model:
    """A run of a map over a list, and of a node that takes its results; before its first pass."""
    node = {"id": "m", "map": {"over": ["x"], **mapped}, "inputs": {"x": {"$ref": "inputs.xs"}, "by": by}}
    of = closure(node, LATER, *more, inputs={"xs": ANY}, t={**SQUARES, **(spec or {})}, sum=SUM)
    return Model(of, settings=settings, spec={"inputs": {"xs": xs}})


def run(xs: Any, *more: Body, **how: Any) -> Model:
    """The same, after its first pass."""
    model = mapping(xs, *more, **how)
    model.run_pass()
    return model


def at_work(model: Model) -> list[int]:
    return [place.element for place in model.unfinished() if place.node == "m"]


def end(model: Model, index: int, failure: Failure | None = None, attempt: int = 0) -> None:
    """An element's pod ends."""
    if failure is None:
        model.succeed("m", attempt, index, o0=index * index)
    else:
        model.fail("m", failure, attempt, index)


def written(model: Model) -> list[WriteSegment]:
    return [action for action in model.done if isinstance(action, WriteSegment)]


def later(model: Model, seconds: float = FLUSH) -> None:
    model.now += seconds
    model.run_pass()


def test_a_map_runs_once_for_each_element_and_gives_their_results_in_order() -> None:
    model = run([3, 1, 2], by="k")
    assert at_work(model) == [0, 1, 2]
    assert [inputs_of(model.manifests[place]) for place in model.started] == [{"x": x, "by": "k"} for x in (3, 1, 2)]
    labels = [model.manifests[place]["metadata"]["labels"][names.LABEL_ELEMENT] for place in model.started]
    assert labels == ["0", "1", "2"]
    for index in (2, 0, 1):
        end(model, index)
    model.run_pass()
    assert model.node("m").phase.value == "Succeeded"
    assert inputs_of(model.manifests[model.started[-1]]) == {"x": [0, 1, 4]}
    assert model.status["nodes"]["m"]["elements"] == {
        "total": 3, "pending": 0, "running": 0, "succeeded": 3, "failed": 0, "segments": 1, "phases": "S3",
    }  # fmt: skip


def test_a_map_over_nothing_gives_nothing_and_starts_nothing() -> None:
    model = run([])
    assert model.node("m").phase.value == "Succeeded"
    assert [place.node for place in model.started] == ["z"]
    assert inputs_of(model.manifests[model.started[0]]) == {"x": []}
    assert written(model) == []


@pytest.mark.parametrize(
    ("xs", "mapped", "code", "says"),
    [
        (3, {}, "InvalidInputs", "nodes.m.inputs.x: a list is needed to map over"),
        ({"a": 1}, {}, "InvalidInputs", "nodes.m.inputs.x: a list is needed to map over"),
        ([1, 2], {"minSuccesses": 3}, "TooFewElements", "nodes.m: it needs 3 successes, but the lists have 2 elements"),
        ([1] * 11, {}, "TooManyElements", "nodes.m: the lists have 11 elements; a map may have 10"),
    ],
)
def test_what_cannot_be_mapped_over_fails_before_anything_starts(xs: Any, mapped: Body, code: str, says: str) -> None:
    model = run(xs, settings=Settings(max_elements=10), **mapped)
    assert (model.status["error"]["code"], model.status["error"]["message"]) == (code, says)
    assert model.started == []


def test_lists_of_different_lengths_fail() -> None:
    node = {"id": "m", "map": {"over": ["x", "by"]}, "inputs": {"x": [1, 2], "by": [1]}}
    model = Model(closure(node, t=SQUARES))
    model.run_pass()
    assert model.status["error"]["code"] == "InvalidArrayLength"
    assert model.status["error"]["message"] == "nodes.m: the lists have different lengths: x has 2, by has 1"


def test_lists_of_one_length_are_gone_through_together() -> None:
    node = {"id": "m", "map": {"over": ["x", "by"]}, "inputs": {"x": [1, 2], "by": ["a", "b"]}}
    model = Model(closure(node, t=SQUARES))
    model.run_pass()
    assert [inputs_of(model.manifests[place]) for place in model.started] == [{"x": 1, "by": "a"}, {"x": 2, "by": "b"}]


def test_an_element_of_another_type_fails_by_itself() -> None:
    model = run([1, "two", 3], minSuccesses=2)
    assert at_work(model) == [0, 2]
    for index in (0, 2):
        end(model, index)
    model.run_pass()
    assert inputs_of(model.manifests[model.started[-1]]) == {"x": [0, None, 4]}
    strict = run([1, "two"])
    assert strict.status["error"]["message"] == (
        "1 of 2 elements failed (1), 2 have to succeed; "
        'element 1: nodes.m: element 1: inputs.x: expected int, got "two"'
    )


# How many at a time.


@pytest.mark.parametrize(
    ("concurrency", "limit", "first"),
    [(2, 100, 2), (0, 100, 5), (None, 100, 5), (None, 3, 3), (4, 3, 3)],
    ids=["its own", "0 is without limit", "none", "the run's", "the lower of both"],
)
def test_only_so_many_elements_are_at_work_at_a_time(concurrency: int | None, limit: int, first: int) -> None:
    mapped = {} if concurrency is None else {"concurrency": concurrency}
    model = run(list(range(5)), settings=Settings(max_parallel_pods=limit), **mapped)
    assert at_work(model) == list(range(first))
    end(model, 1)
    model.run_pass()
    assert at_work(model) == [0, *range(2, min(first + 1, 5))]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_all_elements_get_their_turn_however_little_room_there_is(limit: int) -> None:
    model = run(list(range(20)), concurrency=limit)
    for _ in range(20):
        assert len(at_work(model)) <= limit
        for index in at_work(model):
            end(model, index)
        later(model)
    assert inputs_of(model.manifests[Place("z", 0)]) == {"x": [n * n for n in range(20)]}


def test_more_elements_than_a_pass_starts_are_started_all_the_same() -> None:
    model = run(list(range(3 * MAX_STARTS + 1)))
    assert at_work(model) == list(range(3 * MAX_STARTS + 1))


def test_what_holds_the_others_back_is_said() -> None:
    assert run([1, 2, 3], concurrency=2).status["nodes"]["m"]["message"] == "its concurrency is 2"
    full = run([1, 2, 3], settings=Settings(max_parallel_pods=2))
    assert full.status["nodes"]["m"]["message"] == "2 of this run are at work already"


def test_a_namespace_has_only_so_many_pods_and_is_told_how_many_more_are_wanted() -> None:
    model = mapping(list(range(5)))
    model.room = 2
    plan = model.run_pass()
    assert at_work(model) == [0, 1]
    assert plan.waiting == 3


def test_pods_that_a_restart_has_left_are_kept_though_the_namespace_has_no_room_for_more() -> None:
    model = mapping([1, 2, 3])
    model.run_pass(killed=True)
    model.restart()
    model.room = 0
    model.run_pass()
    assert not [action for action in model.done if isinstance(action, DeletePod)]
    assert model.status["nodes"]["m"]["elements"]["running"] == 3


def test_nodes_and_elements_share_the_limit_of_the_run() -> None:
    model = run(
        list(range(5)), {"id": "a", "task": {"name": "sum"}, "inputs": {"x": 1}}, settings=Settings(max_parallel_pods=3)
    )
    assert len(model.unfinished()) == 3


def test_a_suspended_run_starts_no_more_elements() -> None:
    model = run(list(range(3)), concurrency=1)
    model.spec = {**model.spec, "suspend": True}
    end(model, 0)
    model.run_pass()
    assert at_work(model) == []
    model.spec = {**model.spec, "suspend": False}
    model.run_pass()
    assert at_work(model) == [1]


# How much has to succeed.


@pytest.mark.parametrize(
    ("mapped", "failing", "phase"),
    [
        ({}, 0, "Succeeded"),
        ({}, 1, "Failed"),
        ({"minSuccesses": 2}, 2, "Succeeded"),
        ({"minSuccesses": 2}, 3, "Failed"),
        ({"minSuccesses": 0}, 4, "Succeeded"),
        ({"minSuccessRatio": 0.5}, 2, "Succeeded"),
        ({"minSuccessRatio": 0.6}, 2, "Failed"),
        ({"minSuccessRatio": 1.0}, 1, "Failed"),
    ],
)
def test_a_map_succeeds_with_as_many_elements_as_it_needs(mapped: Body, failing: int, phase: str) -> None:
    model = run(list(range(4)), **mapped)
    for index in range(4):
        end(model, index, BROKEN if index < failing else None)
    model.run_pass()
    assert model.node("m").phase.value == phase
    if phase == "Succeeded":
        assert inputs_of(model.manifests[model.started[-1]]) == {
            "x": [None] * failing + [n * n for n in range(failing, 4)]
        }
    else:
        assert model.status["error"]["message"].endswith("element 0: it broke")
        assert (model.status["error"]["code"], model.status["error"]["type"]) == ("USER:RuntimeError", "RuntimeError")


def test_a_map_that_cannot_succeed_any_more_starts_nothing_more_and_stops_what_runs() -> None:
    model = run(list(range(6)), concurrency=2)
    end(model, 0, BROKEN)
    model.run_pass()
    assert sorted(model.started) == [Place("m", 0, 0), Place("m", 0, 1)]
    assert model.pods[Place("m", 0, 1)].deleting
    assert model.node("m").message == "1 of 6 elements failed (0), 6 have to succeed; element 0: it broke"


def test_a_map_that_has_what_it_needs_waits_for_those_that_run() -> None:
    model = run(list(range(3)), minSuccesses=1)
    end(model, 0)
    later(model)
    assert model.node("m").phase.value == "Running"


# Attempts.


@pytest.mark.parametrize(("failure", "attempts"), [(RECOVERABLE, 2), (SYSTEM, 2), (BROKEN, 1)])
def test_each_element_has_attempts_of_its_own(failure: Failure, attempts: int) -> None:
    model = run([1, 2])
    end(model, 1)
    for _ in range(2):
        for place in model.unfinished():
            end(model, 0, failure, place.attempt)
        for _ in range(2):
            later(model, 400)
    assert sorted(place for place in model.started if place.node == "m") == sorted(
        [Place("m", 0, 1), *(Place("m", attempt, 0) for attempt in range(attempts))]
    )
    assert model.node("m").phase.value == "Failed"


def test_a_retry_waits_for_its_time_and_others_go_on_meanwhile() -> None:
    model = run([1, 2, 3], concurrency=1)
    end(model, 0, RECOVERABLE)
    model.run_pass()
    assert at_work(model) == [1]
    end(model, 1)
    later(model, 60)
    assert model.started[-1] == Place("m", 1, 0), "its time has come, and it comes before what never was begun"


def test_a_pod_that_nobody_knows_of_is_made_again_and_never_another_attempt() -> None:
    model = mapping([1, 2])
    model.run_pass(create_fails=lambda place: place.element == 0)
    assert at_work(model) == [1]
    later(model)
    assert at_work(model) == [1, 0]
    assert set(model.started) == {Place("m", 0, 0), Place("m", 0, 1)}


def answering(outcome: Outcome) -> Callable[[Action], Outcome | None]:
    return lambda action: outcome if isinstance(action, CreatePod) else None


def test_a_quota_that_is_used_up_is_not_asked_for_each_element() -> None:
    asked: list[Action] = []
    model = mapping(list(range(1000)))

    def full(action: Action) -> Outcome | None:
        if not isinstance(action, CreatePod):
            return None
        asked.append(action)
        return Held("QuotaExceeded", "pods: 10 of 10")

    model.answers = full
    for _ in range(4):
        model.run_pass()
    assert len(asked) <= MAX_STARTS
    assert model.wake_at == model.now + HELD_AGAIN
    assert model.status["conditions"][-1]["type"] == "Stalled"
    assert model.status["conditions"][-1]["message"] == "node m: element 0: pods: 10 of 10"
    model.answers = lambda _: None
    for _ in range(2):
        later(model, HELD_AGAIN)
    assert len(at_work(model)) == 1000


@pytest.mark.parametrize("outcome", [Unavailable("no answer"), Held("QuotaExceeded", "full")])
def test_an_api_server_that_takes_nothing_does_not_keep_the_operator_busy(outcome: Outcome) -> None:
    model = mapping(list(range(1000)))
    model.answers = answering(outcome)
    model.run_pass()
    before = len(model.plans)
    model.run_pass()
    assert len(model.plans) - before == 1
    assert model.wake_at is not None
    assert model.wake_at > model.now


def test_a_pod_that_the_api_server_refuses_for_good_fails_its_element() -> None:
    model = mapping([1, 2], minSuccesses=1)
    model.answers = lambda action: (
        Rejected("InvalidPod", "spec is wrong") if isinstance(action, CreatePod) and action.element == 0 else None
    )
    model.run_pass()
    end(model, 1)
    model.run_pass()
    assert inputs_of(model.manifests[model.started[-1]]) == {"x": [None, 1]}


# What is written.


def test_outcomes_are_written_many_at_a_time_and_counted_only_then() -> None:
    model = run(list(range(10)))
    for index in range(5):
        end(model, index)
        model.run_pass()
    assert written(model) == []
    told = model.status["nodes"]["m"]["elements"]
    assert (told["succeeded"], told["running"]) == (0, 10)
    assert model.wake_at == model.now + FLUSH
    later(model)
    assert len(written(model)) == 1
    assert model.status["nodes"]["m"]["elements"]["succeeded"] == 5


def test_at_the_end_they_are_written_at_once() -> None:
    model = run([1])
    end(model, 0)
    model.run_pass()
    assert len(written(model)) == 1
    assert model.node("m").phase.value == "Succeeded"


@pytest.mark.parametrize("outcome", [Unavailable("no answer"), Held("QuotaExceeded", "full")])
def test_a_map_is_not_over_before_its_results_are_written(outcome: Outcome) -> None:
    model = run([1])
    end(model, 0)
    model.answers = lambda action: outcome if isinstance(action, WriteSegment) else None
    model.run_pass()
    assert model.node("m").phase.value == "Running"
    assert [place.node for place in model.started] == ["m"]
    model.answers = lambda _: None
    model.run_pass()
    assert model.node("m").phase.value == "Succeeded"


def test_results_that_the_api_server_refuses_for_good_fail_the_map() -> None:
    model = run([1])
    end(model, 0)
    model.answers = lambda action: Rejected("TooLarge", "too large") if isinstance(action, WriteSegment) else None
    model.run_pass()
    assert (model.status["error"]["node"], model.status["error"]["code"]) == ("m", "ResultsTooLarge")


def test_after_a_restart_nothing_that_is_written_runs_again() -> None:
    model = run(list(range(6)), concurrency=3)
    end(model, 0)
    end(model, 1, RECOVERABLE)
    later(model)
    for index in (2, 3, 4):
        end(model, index)
    later(model)
    model.restart()
    for place in [place for place in model.pods if place not in model.unfinished()]:
        del model.pods[place]  # pods that ended have been cleared away
    later(model, 60)
    assert len(set(model.started)) == len(model.started)
    assert Place("m", 1, 1) in model.started, "the attempts that failed are remembered"


def test_after_a_restart_what_is_not_written_is_read_from_the_pods() -> None:
    model = run(list(range(4)), concurrency=2)
    end(model, 0)
    model.run_pass()
    assert written(model) == []
    model.restart()
    model.run_pass()
    model.run_pass()
    assert len(set(model.started)) == len(model.started)
    assert Place("m", 0, 2) in model.started
    assert model.status["nodes"]["m"]["elements"]["succeeded"] == 1


def test_a_map_that_was_over_is_read_by_those_who_take_its_results() -> None:
    model = run([1, 2], {"id": "q", "dependsOn": ["z"], "inputs": {"x": 1, "by": {"$ref": "nodes.m.outputs.o0"}}})
    for index in (0, 1):
        end(model, index)
    model.run_pass()
    model.restart()
    model.succeed("z", o0=0)
    model.run_pass()
    assert inputs_of(model.manifests[Place("q", 0)]) == {"x": 1, "by": [0, 1]}


def test_an_operator_that_was_killed_before_it_wrote_the_status_finds_its_segments() -> None:
    model = mapping(list(range(3)))
    model.run_pass()
    for index in range(2):
        end(model, index)
    model.now += FLUSH
    model.run_pass(killed=True)
    assert len(written(model)) == 1
    for index in range(2):
        del model.pods[Place("m", 0, index)]
    model.run_pass()
    assert len(model.started) == 3
    end(model, 2)
    later(model)
    assert inputs_of(model.manifests[Place("z", 0)]) == {"x": [0, 1, 4]}


def test_segments_that_another_operator_wrote_are_read_again_as_often_as_it_takes() -> None:
    model = run(list(range(4)))
    name = names.segment_name("ex", "m", 0)
    for index in range(3):
        end(model, index)
        later(model, 2)
        meta = model.config_maps[name]["metadata"]
        model.config_maps[name]["metadata"] = {**meta, "resourceVersion": f"other-{index}"}
    end(model, 3)
    for _ in range(3):
        later(model, 2)
    assert inputs_of(model.manifests[Place("z", 0)]) == {"x": [0, 1, 4, 9]}
    assert len(set(model.started)) == len(model.started)


# Their time in the queue.


def queued(xs: Any, *, most: int = 1, **mapped: Any) -> Model:
    """A map whose elements may wait a minute for room, of which there is some for ``most`` at a time."""
    settings = Settings(system_retries=1, max_parallel_pods=most)
    return run(xs, settings=settings, spec={"queueTimeout": "60s"}, **mapped)


def test_elements_wait_for_room_as_long_as_their_queue_timeout_lets_them() -> None:
    model = queued([1, 2, 3], minSuccesses=1)
    assert model.wake_at == model.now + 60
    later(model, 59)
    assert model.status["nodes"]["m"]["elements"]["failed"] == 0
    model.restart()
    later(model, 1)
    assert model.node("m").elements.failures[2].code == "QueueTimeout"  # type: ignore[union-attr]  # it has begun
    end(model, 0)
    later(model)
    assert inputs_of(model.manifests[Place("z", 0)]) == {"x": [0, None, None]}
    assert [place.element for place in model.started if place.node == "m"] == [0]


def test_a_map_fails_of_the_first_element_that_waited_too_long() -> None:
    model = queued([1] * 1000)
    later(model, 60)
    error = model.status["error"]
    assert (error["node"], error["code"]) == ("m", "QueueTimeout")
    assert error["message"].endswith("queueTimeout of 60s: 1 of this run are at work already")


def test_the_concurrency_of_a_map_is_no_queue() -> None:
    model = queued([1, 2, 3], concurrency=1, most=10)
    for index in range(3):
        later(model, 1000)
        end(model, index)
    later(model)
    assert inputs_of(model.manifests[Place("z", 0)]) == {"x": [0, 1, 4]}


def test_a_retry_of_an_element_waits_in_the_queue_from_the_end_of_its_pause() -> None:
    model = queued([1, 2], minSuccesses=1)
    end(model, 0, RECOVERABLE)  # its place goes to the other
    for _ in range(2):
        later(model, 30)
    began = model.now
    later(model, 59)
    assert model.status["nodes"]["m"]["elements"]["pending"] == 1
    model.now = began + 60
    model.run_pass()
    assert model.node("m").elements.failures[0].code == "QueueTimeout"  # type: ignore[union-attr]  # it has begun


def test_an_element_that_the_api_server_does_not_take_waits_no_longer_than_that() -> None:
    model = mapping([1, 2], spec={"queueTimeout": "60s"})
    model.answers = lambda action: Held("QuotaExceeded", "pods: 10 of 10") if isinstance(action, CreatePod) else None
    model.run_pass()
    for _ in range(14):
        later(model, HELD_AGAIN)
    assert model.status["error"]["code"] == "QueueTimeout"
    assert model.status["error"]["message"].endswith("queueTimeout of 60s: pods: 10 of 10")


# Stopping.


def test_a_cancelled_map_stops_what_runs_and_starts_nothing_more() -> None:
    model = run(list(range(100)), concurrency=2)
    end(model, 0)
    model.spec = {**model.spec, "cancel": True}
    model.run_pass()
    assert at_work(model) == [1]
    assert model.pods[Place("m", 0, 1)].deleting
    assert model.node("m").phase.value == "Running", "not over before its pods are"
    model.end_pod(Place("m", 0, 1), "gone")
    model.run_pass()
    assert (model.node("m").phase.value, model.status["phase"]) == ("Cancelled", "Cancelled")
    told = model.status["nodes"]["m"]["elements"]
    assert (told["succeeded"], told["phases"]) == (1, "S1C99")


def test_a_map_with_nothing_at_work_stops_at_once() -> None:
    model = run([1], {"id": "a", "task": {"name": "sum"}, "inputs": {"x": 1}})
    end(model, 0, RECOVERABLE)
    model.run_pass()
    model.fail("a", BROKEN)
    model.run_pass()
    assert model.status["phase"] == "Failed"
    assert model.node("m").phase.value == "Cancelled"


def test_a_map_that_was_complete_when_the_run_was_cancelled_has_succeeded() -> None:
    model = run([1, 2])
    for index in (0, 1):
        end(model, index)
    model.spec = {**model.spec, "cancel": True}
    model.run_pass()
    assert model.node("m").phase.value == "Succeeded"


# Maps over what is no plain task.


def test_a_map_over_a_launch_plan_has_an_execution_for_each_element() -> None:
    inner = flow({"id": "n0"}, inputs={"x": {"type": "int"}}, outputs={"o0": {**ANY, "from": {"$ref": "inputs.x"}}})
    node = {"id": "m", "launchPlan": {"name": "plan"}, "map": {"over": ["x"]}, "inputs": {"x": [5, 6]}}
    of = closure(
        node, LATER, plans={"plan": {"workflow": {"name": "inner"}}}, flows={"inner": inner}, sum=SUM, t=task()
    )
    model = Model(of)
    model.run_pass()
    assert [model.manifests[place]["spec"] for place in model.started] == [
        {"launchPlan": {"name": "plan"}, "inputs": {"x": x}} for x in (5, 6)
    ]
    for index in (0, 1):
        model.succeed("m", 0, index, o0=index)
    model.run_pass()
    assert inputs_of(model.manifests[Place("z", 0)]) == {"x": [0, 1]}


def test_a_map_over_a_launch_plan_goes_by_its_concurrency_and_by_the_successes_that_it_needs() -> None:
    inner = flow({"id": "n0"}, inputs={"x": {"type": "int"}}, outputs={"o0": {**ANY, "from": {"$ref": "inputs.x"}}})
    over = {"over": ["x"], "concurrency": 2, "minSuccessRatio": 0.5}
    node = {"id": "m", "launchPlan": {"name": "plan"}, "map": over, "inputs": {"x": [5, 6, 7, 8]}}
    of = closure(
        node, LATER, plans={"plan": {"workflow": {"name": "inner"}}}, flows={"inner": inner}, sum=SUM, t=task()
    )
    model = Model(of)
    model.run_pass()
    assert [place.element for place in model.started] == [0, 1]
    model.fail("m", BROKEN, 0, 0)
    model.run_pass()
    assert [place.element for place in model.started] == [0, 1, 2]
    model.succeed("m", 0, 1, o0=6)
    model.fail("m", BROKEN, 0, 2)
    model.run_pass()
    assert [place.element for place in model.started] == [0, 1, 2, 3]
    model.succeed("m", 0, 3, o0=8)
    model.run_pass()
    assert inputs_of(model.manifests[Place("z", 0)]) == {"x": [None, 6, None, 8]}


def test_a_map_over_a_dynamic_task_runs_the_workflow_that_each_element_gives() -> None:
    model = run([1, 2], spec={"python": {"entrypoint": "m:f", "dynamic": True}})
    model.say("m", Succeeded({}, "", workflow={"nodes": []}), 0, 0)
    model.succeed("m", 0, 1, o0=7)
    model.run_pass()
    assert list(model.executions) == [Place("m", 0, 0)]
    model.run_pass()
    assert len(model.executions) == 1
    model.succeed("m", 0, 0, o0=6)
    model.run_pass()
    assert inputs_of(model.manifests[Place("z", 0)]) == {"x": [6, 7]}


# Size and cost.


def test_a_map_of_two_hundred_thousand_elements_has_a_small_status_from_beginning_to_end() -> None:
    model = run([1] * 200_000, concurrency=10)
    assert len(json.dumps(model.status)) < 8 * 1024
    assert len(at_work(model)) == 10


class Sealed(Children):
    """Children that must not be gone through."""

    def values(self) -> Any:
        raise AssertionError("all children were gone through")

    __iter__ = items = keys = values


def test_a_pass_with_nothing_new_does_not_look_at_every_pod() -> None:
    model = mapping([1] * 10_000)
    elements = Elements(bytearray(b"S" * 9_999 + b"R"), states={9_999: NodeState(NodePhase.RUNNING)}, fresh=False)
    model.state = ExecutionState(ExecutionPhase.RUNNING, {"m": NodeState(NodePhase.RUNNING, elements=elements)})
    pods = Sealed()
    for index in range(10_000):
        evidence = Succeeded({"o0": 1}, "") if index < 9_999 else Running("")
        pods.put(ChildView(f"ex-m-{index}", "m", 0, evidence, element=index))
    plan = plan_execution(replace(model.observe(), pods=pods))
    assert plan.actions == ()
    assert [move.node for move in plan.transitions] == ["z"], "which says for the first time what it waits for"


def test_the_elements_of_a_node_are_told_apart_from_the_node_itself() -> None:
    assert Place("m", 0) == Place("m", 0, ALONE)
    assert names.pod_name("ex", "m", 0, 0) != names.pod_name("ex", "m", 0)
