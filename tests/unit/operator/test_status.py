"""The status: the patch that writes it, what is urgent about it, and what it says of each way an Execution can be.

That it is read back as it was written: tests/properties/test_plan.py.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import example, given, strategies as st

from tests.unit.operator.things import NOW, Body, closure, observed, task
from windlass_api import conditions
from windlass_api.v1alpha1.execution import ExecutionStatus
from windlass_operator.core.closure import MAX_NODES
from windlass_operator.core.observed import CacheNote, ChildView, Elements, ExecutionError, ExecutionState, NodeState
from windlass_operator.core.plan_execution import stuck
from windlass_operator.core.states import ExecutionPhase, NodePhase
from windlass_operator.core.status import is_urgent, over_before_start, patch, render, shorten, waiting
from windlass_operator.kinds.evidence import Failure, FailureKind, Running, Waiting

P, E = NodePhase, ExecutionPhase
WHEN = "2027-01-15T08:00:00Z"

values = st.recursive(
    st.none() | st.text(max_size=3) | st.integers(0, 2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "/", "~1"]), inner, max_size=2),
    max_leaves=5,
)
nodes = st.dictionaries(
    st.sampled_from(["a", "b", "n-2"]), st.fixed_dictionaries({"phase": st.just("Pending"), "outputs": values})
)
statuses = st.fixed_dictionaries(
    {}, optional={"phase": st.sampled_from(["Running", "Failed"]), "outputs": values, "nodes": nodes, "error": values}
)


@example(old={"phase": "Running"}, new={"phase": "Running", "outputs": None})
@example(old={"nodes": {"a": {"phase": "Queued"}}}, new={"nodes": {"b": {"phase": "Queued"}}})
@given(old=statuses, new=statuses)
def test_the_patch_leads_from_one_status_to_the_other(old: Body, new: Body) -> None:
    server = {"status": copy.deepcopy(old)} if old else {}
    applied = jsonpatch.apply_patch(server, patch(old, new))
    assert applied.get("status", {}) == new


@given(statuses)
def test_there_is_no_patch_where_nothing_changed(status: Body) -> None:
    assert patch(status, copy.deepcopy(status)) == []


def test_a_node_that_moves_is_written_alone() -> None:
    old = {"phase": "Running", "nodes": {"a": {"phase": "Queued"}, "b": {"phase": "Pending"}}}
    new = {"phase": "Running", "nodes": {"a": {"phase": "Running"}, "b": {"phase": "Pending"}}}
    assert patch(old, new) == [{"op": "add", "path": "/status/nodes/a", "value": {"phase": "Running"}}]


@pytest.mark.parametrize(
    ("operations", "urgent"),
    [
        ([], False),
        ([("nodes/a", {"phase": "Queued"})], False),
        ([("nodes/a", {"phase": "Running"}), ("nodes/b", {"phase": "Queued"})], False),
        ([("nodes/a", {"phase": "Running"}), ("nodes/b", {"phase": "Succeeded"})], True),
        ([("nodes/a", {"phase": "Pending"})], True),
        ([("nodes/a", {"phase": "Queued", "message": "no such image"})], True),
        ([("phase", "Running")], True),
        ([("nodes", {"a": {"phase": "Queued"}})], True),
    ],
    ids=["nothing", "queued", "under way", "one is over", "a retry", "a message", "the phase", "all nodes at once"],
)
def test_only_news_that_nodes_are_under_way_may_wait(operations: list[tuple[str, Any]], urgent: bool) -> None:
    patched = [{"op": "add", "path": f"/status/{path}", "value": value} for path, value in operations]
    assert is_urgent(patched) is urgent


@pytest.mark.parametrize("length", [0, 1, 1023, 1024, 1025, 1026, 5000])
def test_a_shortened_text_keeps_its_beginning_and_its_end(length: int) -> None:
    text = ("b" + "x" * (length - 2) + "e")[:length]
    short = shorten(text)
    assert len(short) <= 1024
    if length <= 1024:
        assert short == text
    else:
        assert short.startswith("bxx")
        assert short.endswith("xxe")
        assert " ... " in short
        assert len(short) >= 1023


THREE = closure({"id": "a"}, {"id": "b", "name": "Bee"}, {"id": "c"})


def rendered(state: ExecutionState, previous: Body | None = None, hung: tuple[str, str, str] | None = None) -> Body:
    return render(previous or {}, state, THREE, hung, 3, NOW)


def told(status: Body) -> dict[str, tuple[str, str]]:
    """Conditions by type: status and reason."""
    return {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}


def message(status: Body, kind: str) -> str:
    found = conditions.get(status["conditions"], kind)
    assert found is not None
    return str(found["message"])


USER = Failure(FailureKind.USER, "USER:RuntimeError", "it broke", "ValueError", "line 1")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (
            ExecutionState(ExecutionPhase.RUNNING),
            {"Accepted": ("True", "Accepted"), "Reconciling": ("True", "Running")},
        ),
        (
            ExecutionState(ExecutionPhase.SUCCEEDED),
            {
                "Accepted": ("True", "Accepted"),
                "Reconciling": ("False", "Finished"),
                "Succeeded": ("True", "Succeeded"),
                "Finished": ("True", "Succeeded"),
            },
        ),
        (
            ExecutionState(ExecutionPhase.FAILED, error=ExecutionError(USER, "a")),
            {
                "Accepted": ("True", "Accepted"),
                "Reconciling": ("False", "Finished"),
                "Failed": ("True", "NodeFailed"),
                "Finished": ("True", "Failed"),
            },
        ),
        (
            ExecutionState(ExecutionPhase.FAILED, error=ExecutionError(USER)),
            {
                "Accepted": ("True", "Accepted"),
                "Reconciling": ("False", "Finished"),
                "Failed": ("True", "USER:RuntimeError"),
                "Finished": ("True", "Failed"),
            },
        ),
        (
            ExecutionState(ExecutionPhase.CANCELLED),
            {
                "Accepted": ("True", "Accepted"),
                "Reconciling": ("False", "Finished"),
                "Failed": ("True", "Cancelled"),
                "Finished": ("True", "Cancelled"),
            },
        ),
    ],
    ids=["running", "succeeded", "a node failed", "failed by itself", "cancelled"],
)
def test_conditions_tell_how_an_execution_is(state: ExecutionState, expected: dict[str, tuple[str, str]]) -> None:
    assert told(rendered(state)) == expected


@pytest.mark.parametrize(
    ("nodes", "words"), [("", "it has no nodes"), ("a", "its one node is over"), ("ab", "all 2 nodes are over")]
)
def test_success_counts_its_nodes_as_people_do(nodes: str, words: str) -> None:
    state = ExecutionState(ExecutionPhase.SUCCEEDED, {name: NodeState(P.SUCCEEDED) for name in nodes})
    assert message(rendered(state), "Succeeded") == words


def test_a_node_is_rendered_with_what_there_is_to_say() -> None:
    state = ExecutionState(
        ExecutionPhase.RUNNING,
        {
            "a": NodeState(P.SUCCEEDED, started_at=NOW, finished_at=NOW + 1.5, outputs={"o0": None}),
            "b": NodeState(
                P.PENDING, attempt=2, user_failures=1, system_failures=1, reason="Retrying", message="m" * 2000,
                retry_at=NOW + 60,
            ),
            "c": NodeState(),
        },
        started_at=NOW,
    )  # fmt: skip
    status = rendered(state)
    assert status["progress"] == "1/3"
    assert status["startedAt"] == "2027-01-15T08:00:00.000000Z"
    assert status["closure"] == THREE.hash
    assert status["nodes"]["a"] == {
        "phase": "Succeeded",
        "task": "t",
        "startedAt": "2027-01-15T08:00:00.000000Z",
        "finishedAt": "2027-01-15T08:00:01.500000Z",
        "outputs": {"o0": None},
    }
    retrying = status["nodes"]["b"]
    assert len(retrying.pop("message")) <= 1024
    assert retrying == {
        "phase": "Pending",
        "task": "t",
        "name": "Bee",
        "attempt": 2,
        "failures": {"user": 1, "system": 1},
        "retryAt": "2027-01-15T08:01:00.000000Z",
        "reason": "Retrying",
    }
    assert status["nodes"]["c"] == {"phase": "Pending", "task": "t"}


def test_an_error_tells_node_type_and_traceback() -> None:
    status = rendered(ExecutionState(ExecutionPhase.FAILED, error=ExecutionError(USER, "a")))
    assert status["error"] == {
        "node": "a",
        "code": "USER:RuntimeError",
        "kind": "user",
        "type": "ValueError",
        "message": "it broke",
        "traceback": "line 1",
    }
    assert message(status, "Failed") == "node a: ValueError: it broke"
    alone = rendered(ExecutionState(ExecutionPhase.FAILED, error=ExecutionError(Failure(FailureKind.SYSTEM, "X", "y"))))
    assert alone["error"] == {"code": "X", "kind": "system", "message": "y"}
    assert message(alone, "Failed") == "y"


def test_nothing_is_written_anew_that_says_the_same() -> None:
    state = ExecutionState(ExecutionPhase.RUNNING, {"a": NodeState(P.RUNNING, started_at=NOW)}, started_at=NOW)
    first = rendered(state)
    again = render(first, state, THREE, None, 3, NOW + 60)
    assert again == first
    assert again["nodes"]["a"] is first["nodes"]["a"]
    assert again["conditions"] == first["conditions"]


def test_a_stall_shows_and_goes_again() -> None:
    state = ExecutionState(ExecutionPhase.RUNNING)
    hung = rendered(state, hung=("a", "ImagePullBackOff", "no such image"))
    assert told(hung)["Stalled"] == ("True", "ImagePullBackOff")
    assert message(hung, "Stalled") == "node a: no such image"
    assert told(rendered(state, hung))["Stalled"] == ("False", "Progressing")
    over = rendered(ExecutionState(ExecutionPhase.SUCCEEDED), hung, ("a", "ImagePullBackOff", ""))
    assert told(over)["Stalled"] == ("False", "Finished")


def test_what_waits_for_its_definitions_is_stalled_and_not_accepted() -> None:
    status = waiting({"phase": "Pending"}, "TaskNotFound", "no Task 't'", 1, NOW)
    assert status["phase"] == "Pending"
    assert told(status) == {"Accepted": ("False", "TaskNotFound"), "Stalled": ("True", "TaskNotFound")}
    assert message(status, "Stalled") == "no Task 't'"
    assert "finishedAt" not in status
    admitted = rendered(ExecutionState(ExecutionPhase.RUNNING), status)
    assert told(admitted)["Accepted"] == ("True", "Accepted")
    assert told(admitted)["Stalled"] == ("False", "Progressing")


@pytest.mark.parametrize("phase", [ExecutionPhase.FAILED, ExecutionPhase.CANCELLED])
@pytest.mark.parametrize("before", ["new", "waiting", "running"])
def test_what_ends_before_it_starts_is_finished_and_nothing_else(phase: ExecutionPhase, before: str) -> None:
    previous = {
        "new": {},
        "waiting": waiting({}, "TaskNotFound", "no Task 't'", 1, NOW - 5),
        "running": rendered(ExecutionState(ExecutionPhase.RUNNING), hung=("a", "QuotaExceeded", "full")),
    }[before]
    status = over_before_start(previous, phase, "Because", "of this", 1, NOW)
    assert status["phase"] == phase.value
    assert status["finishedAt"] == "2027-01-15T08:00:00.000000Z"
    holds = {kind for kind, (truth, _) in told(status).items() if truth == "True"}
    assert holds == {"Failed", "Finished"}
    assert told(status)["Accepted"] == ("False", "Because")
    assert message(status, "Failed") == "of this"
    refused = phase is ExecutionPhase.FAILED
    assert status.get("error") == ({"code": "Because", "kind": "user", "message": "of this"} if refused else None)


STUCK = Waiting("ImagePullBackOff", "no such image", stuck=True)


@pytest.mark.parametrize(
    ("node", "evidence", "expected"),
    [
        (NodeState(P.QUEUED, reason="ImagePullBackOff", message="no"), STUCK, ("a", "ImagePullBackOff", "no")),
        (NodeState(P.QUEUED, reason="SchedulingGated"), Waiting("SchedulingGated"), None),
        (NodeState(P.QUEUED), STUCK, None),
        (NodeState(P.QUEUED, reason="ImagePullBackOff"), Running(since=""), None),
        (NodeState(P.PENDING, reason="QuotaExceeded", message="full"), None, ("a", "QuotaExceeded", "full")),
        (NodeState(P.PENDING, attempt=1, reason="Retrying"), None, None),
        (NodeState(P.PENDING), None, None),
        (NodeState(P.FAILED, reason="ImagePullBackOff"), STUCK, None),
        (NodeState(P.SKIPPED, reason="ConditionFalse"), None, None),
    ],
    ids=[
        "stuck pod", "gated", "not said yet", "running by now", "held by a quota", "backing off", "waiting its turn",
        "failed", "skipped",
    ],
)  # fmt: skip
def test_an_execution_is_stuck_when_somebody_should_look(
    node: NodeState, evidence: Waiting | Running | None, expected: tuple[str, str, str] | None
) -> None:
    pods = (ChildView("e-a-0", "a", 0, evidence),) if evidence is not None else ()
    of = closure({"id": "a"})
    assert stuck(observed(of, pods=pods), ExecutionState(nodes={"a": node})) == expected


ETCD = 1536 * 1024
"""What it takes of one object (bytes)."""


def talkative(length: int, **more: Any) -> NodeState:
    """A node that failed of something with much to say."""
    text = "é" * length
    failure = Failure(FailureKind.USER, text, text, text, text)
    return NodeState(
        phase=P.FAILED,
        attempt=3,
        user_failures=4,
        started_at=NOW,
        finished_at=NOW,
        reason=text,
        message=text,
        failure=failure,
        resume=text,
        cache=CacheNote("Miss", text, "c-0123456789abcdef"),
        **more,
    )


@pytest.mark.parametrize("length", [0, 1, 1024, 1025, 4096, 32769, 1024 * 1024])
def test_a_status_is_valid_however_much_the_code_of_a_user_says(length: int) -> None:
    state = talkative(length)
    assert state.failure is not None
    failed = ExecutionState(E.FAILED, {"a": state}, NOW, NOW, error=ExecutionError(state.failure, "a"))
    status = render({}, failed, closure({"id": "a"}), None, 1, NOW)
    ExecutionStatus.model_validate(status)
    assert len(json.dumps(status, ensure_ascii=False)) < 80 * 1024


def test_as_many_nodes_as_a_run_may_have_fit_an_object_whatever_they_say() -> None:
    many = [f"n{number}" for number in range(MAX_NODES)]
    state = ExecutionState(E.RUNNING, {name: talkative(4096) for name in many}, NOW)
    status = render({}, state, closure(*({"id": name} for name in many)), None, 1, NOW)
    ExecutionStatus.model_validate(status)
    assert len(json.dumps(status, ensure_ascii=False).encode()) < ETCD


@pytest.mark.parametrize("count", [1, 4, 40])
def test_a_run_of_several_maps_stays_small_whatever_their_elements_do(count: int) -> None:
    many = [f"m{number}" for number in range(count)]
    of = closure(
        *({"id": name, "map": {"over": ["x"]}, "inputs": {"x": []}} for name in many), t=task({"x": {"type": "any"}})
    )
    maps = {name: NodeState(P.RUNNING, started_at=NOW, elements=Elements(bytearray(b"SF" * 900))) for name in many}
    status = render({}, ExecutionState(E.RUNNING, maps, NOW), of, None, 1, NOW)
    ExecutionStatus.model_validate(status)
    assert len(json.dumps(status)) < 32 * 1024
    assert ("phases" in status["nodes"]["m0"]["elements"]) is (count <= 4)
