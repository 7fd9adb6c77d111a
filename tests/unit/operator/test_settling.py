"""Evidence → state, case by case; what holds for all histories is in tests/properties/test_plan.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.unit.operator.things import NOW, closure, flow, observed, task
from windlass_operator.core.closure import Actor
from windlass_operator.core.observed import ChildView, NodeState
from windlass_operator.core.settling import Target, backoff, look_again, settle
from windlass_operator.core.states import NodePhase
from windlass_operator.kinds.evidence import Evidence, Failed, Failure, FailureKind, Running, Succeeded, Waiting
from windlass_operator.kinds.stuck import NO_SUCH_IMAGE, STUCK, Patience, Row, meaning
from windlass_operator.settings import Settings

P = NodePhase
SYSTEM = Failure(FailureKind.SYSTEM, "Evicted", "no room")
USER = Failure(FailureKind.USER, "USER:RuntimeError", "it broke")
RECOVERABLE = replace(USER, recoverable=True)
PULL = Waiting("ImagePullBackOff", "no such image", stuck=True)


def settled(
    state: NodeState, *evidence: Evidence | None, retries: int = 0, stopping: bool = False, gone: bool = False
) -> NodeState:
    """The state of a node after its attempts, from its current one on, have left this evidence."""
    of = closure({"id": "a"}, t=task(retries=retries))
    pods = tuple(
        ChildView(f"e-a-{attempt}", "a", attempt, seen, gone=gone)
        for attempt, seen in enumerate(evidence, state.attempt)
        if seen is not None
    )
    seen = observed(of, pods=pods, settings=Settings(system_retries=1))
    return settle(Target(of.nodes["a"], of.nodes["a"].spec), state, seen, stopping=stopping)


@pytest.mark.parametrize(
    ("before", "evidence", "phase", "reason"),
    [
        (P.PENDING, None, P.PENDING, ""),
        (P.QUEUED, Waiting(), P.QUEUED, ""),
        (P.QUEUED, PULL, P.QUEUED, "ImagePullBackOff"),
        (P.QUEUED, Waiting("InvalidImageName", "m", stuck=True), P.FAILED, "InvalidImageName"),
        (P.QUEUED, Waiting("ErrImageNeverPull", "m", stuck=True), P.FAILED, "ErrImageNeverPull"),
        (P.QUEUED, Running(""), P.RUNNING, ""),
        (P.PENDING, Running(""), P.RUNNING, ""),
        (P.RUNNING, Succeeded({"o0": 1}, ""), P.SUCCEEDED, ""),
        (P.QUEUED, Succeeded({"o0": None}, ""), P.SUCCEEDED, ""),
        (P.RUNNING, Succeeded({"o1": 1}, ""), P.FAILED, "MissingOutput"),
        (P.RUNNING, Failed(USER, ""), P.FAILED, "USER:RuntimeError"),
        (P.RUNNING, Failed(RECOVERABLE, ""), P.FAILED, "USER:RuntimeError"),
        (P.RUNNING, Failed(SYSTEM, ""), P.PENDING, "Retrying"),
        (P.QUEUED, None, P.PENDING, "Retrying"),
        (P.RUNNING, None, P.PENDING, "Retrying"),
        (P.SUCCEEDED, Failed(USER, ""), P.SUCCEEDED, ""),
        (P.CANCELLED, Succeeded({"o0": 1}, ""), P.CANCELLED, ""),
    ],
)
def test_evidence_moves_a_node(before: P, evidence: Evidence | None, phase: P, reason: str) -> None:
    state = settled(NodeState(before), evidence)
    assert (state.phase, state.reason) == (phase, reason)


def test_a_missing_output_is_named() -> None:
    assert settled(NodeState(P.RUNNING), Succeeded({}, "")).message == (
        "the task declares the output 'o0', but gave nothing"
    )
    assert "['x', 'y']" in settled(NodeState(P.RUNNING), Succeeded({"y": 1, "x": 2}, "")).message


@pytest.mark.parametrize(
    ("since", "reason", "phase"),
    [
        (None, "ImagePullBackOff", P.QUEUED),
        (NOW - 119, "ImagePullBackOff", P.QUEUED),
        (NOW - 120, "ImagePullBackOff", P.FAILED),
        (0.0, "ImagePullBackOff", P.FAILED),
        (0.0, "Unschedulable", P.QUEUED),
    ],
    ids=["at first", "within the grace", "after the grace", "since 1970", "however long: a node may be added"],
)
def test_a_stuck_pod_has_its_grace(since: float | None, reason: str, phase: P) -> None:
    state = settled(NodeState(P.QUEUED, stuck_since=since), Waiting(reason, "not found", stuck=True))
    assert state.phase is phase
    if phase is P.QUEUED:
        assert state.stuck_since == (NOW if since is None else since)
        assert (state.reason, state.message) == (reason, "not found")
    else:
        assert state.message == "image 'python:3.12-slim': not found"


def test_a_container_that_cannot_be_made_is_no_matter_of_its_image() -> None:
    waits = Waiting("CreateContainerConfigError", "no such ConfigMap", stuck=True)
    assert settled(NodeState(P.QUEUED, stuck_since=0.0), waits).message == "the container: no such ConfigMap"


def test_a_call_whose_workers_get_no_image_fails_with_the_words_about_the_worker() -> None:
    of = closure({"id": "a"}, t=task())
    target = Target(replace(of.nodes["a"], actor=Actor("models", "r1")), of.nodes["a"].spec)
    waits = Waiting("ImagePullBackOff", "worker models-1-0: Back-off pulling image", stuck=True)
    call = ChildView("e-a-0", "a", 0, waits)
    seen = replace(observed(of, settings=Settings()), calls={call.place: call})
    state = settle(target, NodeState(P.QUEUED, stuck_since=0.0), seen, stopping=False)
    assert (state.phase, state.message) == (P.PENDING, f"attempt 0 failed: {waits.reason}: {waits.message}")


def test_a_pod_that_gets_unstuck_starts_its_grace_anew() -> None:
    assert settled(NodeState(P.QUEUED, stuck_since=0.0, reason="ImagePullBackOff"), Waiting()).stuck_since is None
    running = settled(NodeState(P.QUEUED, stuck_since=0.0, reason="ImagePullBackOff", message="m"), Running(""))
    assert (running.stuck_since, running.reason, running.message) == (None, "", "")


@pytest.mark.parametrize("evidence", [Waiting(), PULL, Running(""), Succeeded({"o0": 1}, ""), Failed(USER, "")])
def test_an_attempt_that_is_there_no_longer_waits_for_its_time(evidence: Evidence) -> None:
    assert settled(NodeState(P.PENDING, attempt=1, retry_at=NOW + 60), evidence).retry_at is None


@pytest.mark.parametrize(
    "evidence", [Waiting(), PULL, Running(""), Succeeded({"o0": 1}, ""), Failed(USER, "")], ids=str
)
def test_the_start_is_that_of_the_first_attempt(evidence: Evidence) -> None:
    assert settled(NodeState(P.QUEUED), evidence).started_at == NOW
    assert settled(NodeState(P.QUEUED, started_at=0.0), evidence).started_at == 0.0


@pytest.mark.parametrize(
    ("failures", "retries", "user", "system", "phase"),
    [
        ([RECOVERABLE], 0, 1, 0, P.FAILED),
        ([RECOVERABLE], 1, 1, 0, P.PENDING),
        ([RECOVERABLE, RECOVERABLE], 1, 2, 0, P.FAILED),
        ([USER], 5, 1, 0, P.FAILED),
        ([SYSTEM], 0, 0, 1, P.PENDING),
        ([SYSTEM, SYSTEM], 5, 0, 2, P.FAILED),
        ([SYSTEM, RECOVERABLE], 1, 1, 1, P.PENDING),
        ([RECOVERABLE, SYSTEM, RECOVERABLE], 1, 2, 1, P.FAILED),
    ],
    ids=[
        "no retries", "one retry", "used up", "not recoverable", "the system's", "the system's, used up",
        "each has its own budget", "and uses it up alone",
    ],
)  # fmt: skip
def test_failures_are_charged_to_the_budget_of_who_is_to_blame(
    failures: list[Failure], retries: int, user: int, system: int, phase: P
) -> None:
    state = settled(NodeState(P.RUNNING), *(Failed(failure, "") for failure in failures), retries=retries)
    assert (state.user_failures, state.system_failures, state.phase) == (user, system, phase)
    assert state.failure == (failures[-1] if phase is P.FAILED else None)
    if phase is P.PENDING:
        assert state.attempt == len(failures)
        assert f"attempt {len(failures) - 1} failed: {failures[-1].code}" in state.message
        assert state.retry_at is not None
        assert state.retry_at > NOW


def test_a_later_attempt_that_was_started_before_a_crash_is_found() -> None:
    state = settled(NodeState(P.RUNNING), Failed(SYSTEM, ""), Succeeded({"o0": 7}, ""))
    assert (state.phase, state.attempt, state.outputs) == (P.SUCCEEDED, 1, {"o0": 7})


def test_a_later_attempt_counts_though_nothing_is_left_of_the_one_before_it() -> None:
    """Nobody has written that it began; it isn't begun again."""
    state = settled(NodeState(), None, Succeeded({"o0": 7}, ""))
    assert (state.phase, state.attempt, state.outputs) == (P.SUCCEEDED, 1, {"o0": 7})
    assert state.system_failures == 1
    assert settled(NodeState(), None, Running("")).phase is P.RUNNING
    assert settled(NodeState(), None, Failed(SYSTEM, "")).phase is P.FAILED, "it is paid for like any other"


def test_a_deleted_pod_counts_for_what_it_said_last() -> None:
    lost = settled(NodeState(P.RUNNING), Running(""), gone=True)
    assert (lost.phase, lost.reason, lost.system_failures) == (P.PENDING, "Retrying", 1)
    assert "PodLost" in lost.message
    assert settled(NodeState(P.RUNNING), Succeeded({"o0": 1}, ""), gone=True).phase is P.SUCCEEDED
    assert settled(NodeState(P.RUNNING), Failed(USER, ""), gone=True).reason == "USER:RuntimeError"


@pytest.mark.parametrize("evidence", [None, Failed(USER, ""), Failed(SYSTEM, "")])
def test_what_fails_while_all_is_stopping_is_cancelled_and_not_charged(evidence: Evidence | None) -> None:
    state = settled(NodeState(P.RUNNING), evidence, retries=5, stopping=True)
    assert (state.phase, state.attempt, state.user_failures, state.system_failures) == (P.CANCELLED, 0, 0, 0)


def test_what_succeeds_while_all_is_stopping_has_succeeded() -> None:
    assert settled(NodeState(P.RUNNING), Succeeded({"o0": 1}, ""), stopping=True).phase is P.SUCCEEDED


@given(
    failures=st.integers(1, 2000),
    seed=st.text(max_size=20),
    base=st.floats(0.01, 10),
    cap=st.floats(10, 1000),
)
def test_pauses_stay_within_their_bounds_and_depend_on_nothing_else(
    failures: int, seed: str, base: float, cap: float
) -> None:
    pause = backoff(failures, seed, base, cap)
    middle = min(cap, base * 2.0 ** min(failures - 1, 30))
    assert 0.8 * middle <= pause <= 1.2 * middle * 1.000001
    assert backoff(failures, seed, base, cap) == pause


def test_pauses_double_and_are_spread() -> None:
    first, second = backoff(1, "e-a-1", 1.0, 300.0), backoff(2, "e-a-1", 1.0, 300.0)
    assert second == pytest.approx(2 * first)
    pauses = [backoff(1, f"e-n{i}-1", 1.0, 300.0) for i in range(200)]
    assert min(pauses) < 0.85
    assert max(pauses) > 1.15


# Limits of time.

SINCE = "2027-01-15T08:00:00Z"
"""NOW, as pods write it."""


def timed(
    evidence: Evidence, now: float = NOW, *, state: P = P.RUNNING, stopping: bool = False, **spec: Any
) -> NodeState:
    """The state of a node whose pod was made at NOW and says this at another time."""
    of = closure({"id": "a"}, t=task(**spec))
    view = ChildView("e-a-0", "a", 0, evidence, created=NOW)
    seen = observed(of, pods=(view,), settings=Settings(system_retries=1), now=now)
    return settle(Target(of.nodes["a"], of.nodes["a"].spec), NodeState(state), seen, stopping=stopping)


@pytest.mark.parametrize(
    ("after", "retries", "phase", "reason"),
    [
        (89, 0, P.RUNNING, ""),
        (90, 0, P.FAILED, "TimeoutExpired"),
        (90, 1, P.PENDING, "Retrying"),
    ],
    ids=["within", "expired", "expired, with a retry left"],
)
def test_an_attempt_has_its_timeout_from_when_it_runs(after: float, retries: int, phase: P, reason: str) -> None:
    state = timed(Running(SINCE), NOW + after, timeout="90s", retries=retries)
    assert (state.phase, state.reason) == (phase, reason)
    assert state.user_failures == (phase is not P.RUNNING)
    if phase is P.FAILED:
        assert state.message == "the attempt ran longer than its timeout of 90s"


@pytest.mark.parametrize(
    ("evidence", "spec"),
    [
        (Running(SINCE), {}),
        (Running(SINCE), {"timeout": "0s"}),
        (Running(""), {"timeout": "90s"}),
        (Waiting(), {"timeout": "90s"}),
        (Waiting(), {"pendingTimeout": "0s"}),
    ],
    ids=["no timeout", "a lifted one", "nobody knows since when", "it waits", "a lifted pendingTimeout"],
)
def test_without_a_limit_there_is_time_for_ever(evidence: Evidence, spec: dict[str, Any]) -> None:
    assert timed(evidence, NOW + 1e6, **spec).phase in (P.RUNNING, P.QUEUED)


def test_what_ended_in_time_has_ended_however_late_it_is_heard() -> None:
    assert timed(Succeeded({"o0": 1}, ""), NOW + 1e6, timeout="90s").phase is P.SUCCEEDED


@pytest.mark.parametrize(
    ("evidence", "says"),
    [
        (Waiting(), "the pod did not start within its pendingTimeout of 60s"),
        (Waiting("Unschedulable", "0/3 nodes", stuck=True), "of 60s: Unschedulable: 0/3 nodes"),
    ],
)
def test_a_pod_that_does_not_start_in_time_is_the_systems_failure(evidence: Evidence, says: str) -> None:
    assert timed(evidence, NOW + 59, state=P.QUEUED, pendingTimeout="60s").phase is P.QUEUED
    state = timed(evidence, NOW + 60, state=P.QUEUED, pendingTimeout="60s")
    assert (state.phase, state.system_failures) == (P.PENDING, 1)
    assert says in state.message


def test_while_all_is_stopping_nothing_times_out() -> None:
    assert timed(Running(SINCE), NOW + 100, timeout="90s", stopping=True).phase is P.RUNNING
    late = timed(Waiting(), NOW + 100, state=P.QUEUED, pendingTimeout="60s", stopping=True)
    assert (late.phase, late.system_failures) == (P.CANCELLED, 0)


@pytest.mark.parametrize(
    ("evidence", "spec", "state", "when"),
    [
        (Running(SINCE), {"timeout": "90s"}, P.RUNNING, NOW + 90),
        (Waiting(), {"pendingTimeout": "60s", "timeout": "90s"}, P.QUEUED, NOW + 60),
        (PULL, {}, P.QUEUED, NOW + 120),
        (PULL, {"pendingTimeout": "60s"}, P.QUEUED, NOW + 60),
        (Running(SINCE), {}, P.RUNNING, None),
        (Waiting(), {}, P.PENDING, None),
    ],
    ids=["its timeout", "its pendingTimeout", "the grace of a stuck pod", "the earlier of two", "never", "no attempt"],
)
def test_it_is_looked_at_again_when_its_time_is_up(
    evidence: Evidence, spec: dict[str, Any], state: P, when: float | None
) -> None:
    of = closure({"id": "a"}, t=task(**spec))
    view = ChildView("e-a-0", "a", 0, evidence, created=NOW)
    target = Target(of.nodes["a"], of.nodes["a"].spec)
    stuck = NOW if evidence is PULL else None
    assert look_again(target, NodeState(state, stuck_since=stuck), observed(of, pods=(view,))) == when


# Memory.

OOM = Failure(FailureKind.OOM, "OOMKilled", "too little", recoverable=True)
GROWS: dict[str, Any] = {"resources": {"limits": {"memory": "1Gi"}}, "maxMemory": "3Gi"}


def out_of_memory(times: int, **spec: Any) -> NodeState:
    of = closure({"id": "a"}, t=task(**spec))
    pods = tuple(ChildView(f"e-a-{n}", "a", n, Failed(OOM, "")) for n in range(times))
    return settle(
        Target(of.nodes["a"], of.nodes["a"].spec), NodeState(P.RUNNING), observed(of, pods=pods), stopping=False
    )


@pytest.mark.parametrize(
    ("times", "spec", "oom", "user", "phase"),
    [
        (1, GROWS, 1, 0, P.PENDING),
        (2, GROWS, 2, 0, P.PENDING),
        (3, GROWS, 2, 1, P.FAILED),
        (3, {**GROWS, "retries": 1}, 2, 1, P.PENDING),
        (4, {**GROWS, "retries": 1}, 2, 2, P.FAILED),
        (1, {"resources": GROWS["resources"]}, 0, 1, P.FAILED),
        (1, {"resources": GROWS["resources"], "retries": 1}, 0, 1, P.PENDING),
        (1, {"maxMemory": "3Gi"}, 0, 1, P.FAILED),
        (1, {**GROWS, "maxMemory": "1Gi"}, 0, 1, P.FAILED),
    ],
    ids=[
        "it grows", "and grows up to the cap", "at the cap it is the user's failure", "which has its own retries",
        "and no more", "without a cap: the user's", "with a retry", "without a size nothing grows", "no room below it",
    ],
)  # fmt: skip
def test_running_out_of_memory_is_paid_by_growing_then_by_the_users_retries(
    times: int, spec: dict[str, Any], oom: int, user: int, phase: P
) -> None:
    state = out_of_memory(times, **spec)
    assert (state.oom_failures, state.user_failures, state.system_failures, state.phase) == (oom, user, 0, phase)


# Child Executions.

INNER = {"inner": flow({"id": "n0"}, outputs={"o0": {"type": "int", "from": {"$ref": "nodes.n0.outputs.o0"}}})}
CALLS = closure(
    {"id": "p", "launchPlan": {"name": "plan"}}, plans={"plan": {"workflow": {"name": "inner"}}}, flows=INNER
)


def child(evidence: Evidence | None, before: P = P.RUNNING, *, stopping: bool = False, gone: bool = False) -> NodeState:
    views = () if evidence is None else (ChildView("e-p-0", "p", 0, evidence, gone=gone),)
    seen = observed(CALLS, executions=views, settings=Settings(system_retries=1))
    target = Target(CALLS.nodes["p"], CALLS.nodes["p"].spec)
    return settle(target, NodeState(before, execution="e-p-0"), seen, stopping=stopping)


@pytest.mark.parametrize(
    ("evidence", "phase", "reason"),
    [
        (Waiting(), P.QUEUED, ""),
        (Waiting("TaskNotFound", "no t", stuck=True, times_out=False), P.QUEUED, "TaskNotFound"),
        (Running(SINCE), P.RUNNING, ""),
        (Succeeded({"o0": 1}, ""), P.SUCCEEDED, ""),
        (Succeeded({}, ""), P.FAILED, "MissingOutput"),
        (Failed(USER, ""), P.FAILED, "USER:RuntimeError"),
        (None, P.PENDING, "Retrying"),
    ],
)
def test_a_child_execution_is_read_like_a_pod(evidence: Evidence | None, phase: P, reason: str) -> None:
    state = child(evidence)
    assert (state.phase, state.reason) == (phase, reason)


def test_a_child_execution_that_waits_for_what_is_missing_has_all_the_time() -> None:
    waits = Waiting("TaskNotFound", "no t", stuck=True, times_out=False)
    seen = observed(CALLS, executions=(ChildView("e-p-0", "p", 0, waits),))
    target = Target(CALLS.nodes["p"], CALLS.nodes["p"].spec)
    assert settle(target, NodeState(P.QUEUED, stuck_since=0.0), seen, stopping=False).phase is P.QUEUED


def test_a_child_execution_that_was_deleted_is_lost_and_made_again_as_another_attempt() -> None:
    state = child(Running(SINCE), gone=True)
    assert (state.phase, state.attempt, state.system_failures, state.execution) == (P.PENDING, 1, 1, "")
    assert "ExecutionLost" in state.message
    assert child(Succeeded({"o0": 1}, ""), gone=True).phase is P.SUCCEEDED


def test_a_child_execution_that_was_told_to_stop_is_cancelled_when_it_has() -> None:
    stopped = Failed(Failure(FailureKind.USER, "Cancelled", "the child execution was cancelled"), "")
    assert child(Running(SINCE), stopping=True).phase is P.RUNNING
    assert child(stopped, stopping=True).phase is P.CANCELLED


# Dynamic tasks: first a pod, then the workflow that it gave.

GAVE = Succeeded({}, "", workflow={"nodes": []})


def dynamic(*, execution: Evidence | None, stopping: bool = False, gone: bool = False) -> NodeState:
    of = closure({"id": "a"}, t=task(python={"entrypoint": "m:f", "dynamic": True}))
    views = () if execution is None else (ChildView("e-a-0", "a", 0, execution, gone=gone),)
    seen = observed(of, pods=(ChildView("e-a-0", "a", 0, GAVE),), executions=views)
    return settle(Target(of.nodes["a"], of.nodes["a"].spec), NodeState(P.RUNNING), seen, stopping=stopping)


@pytest.mark.parametrize(
    ("execution", "phase", "reason"),
    [
        (None, P.RUNNING, "Expanding"),
        (Running(SINCE), P.RUNNING, ""),
        (Succeeded({"o0": 4}, ""), P.SUCCEEDED, ""),
        (Failed(USER, ""), P.FAILED, "USER:RuntimeError"),
    ],
)
def test_what_a_dynamic_task_gave_decides_in_its_place(execution: Evidence | None, phase: P, reason: str) -> None:
    state = dynamic(execution=execution)
    assert (state.phase, state.reason) == (phase, reason)


def test_a_workflow_that_a_dynamic_task_gave_is_not_begun_while_all_is_stopping() -> None:
    assert dynamic(execution=None, stopping=True).phase is P.CANCELLED


def test_a_child_of_a_dynamic_task_that_was_deleted_is_told_as_such() -> None:
    assert "ExecutionLost" in dynamic(execution=Running(SINCE), gone=True).message


def test_a_dynamic_task_may_give_plain_outputs_as_well() -> None:
    of = closure({"id": "a"}, t=task(python={"entrypoint": "m:f", "dynamic": True}))
    seen = observed(of, pods=(ChildView("e-a-0", "a", 0, Succeeded({"o0": 1}, "")),))
    assert settle(Target(of.nodes["a"], of.nodes["a"].spec), NodeState(P.RUNNING), seen, stopping=False).outputs == {
        "o0": 1
    }


# The table of pods that are stuck.

ROWS = [(row, reason) for row in STUCK for reason in row.reasons]
IDS = [f"{reason}-{row.kind.value}" for row, reason in ROWS]


def stuck_for(seconds: float, row: Row, reason: str, *, system_failures: int = 0) -> NodeState:
    """A node whose pod has been stuck for so long, by a row of the table."""
    before = NodeState(P.QUEUED, stuck_since=NOW - seconds, system_failures=system_failures)
    return settled(before, Waiting(reason, f"it says: {(row.says or ('nothing',))[0]}", stuck=True), retries=3)


@pytest.mark.parametrize(("row", "reason"), ROWS, ids=IDS)
def test_a_pod_that_is_stuck_has_as_long_as_its_row_says(row: Row, reason: str) -> None:
    at_first, later = stuck_for(0, row, reason), stuck_for(119, row, reason)
    in_the_end = stuck_for(120, row, reason)
    assert (at_first.phase is P.QUEUED) is (row.patience is not Patience.NONE)
    assert (later.phase is P.QUEUED) is (row.patience is not Patience.NONE)
    assert (in_the_end.phase is P.QUEUED) is (row.patience is Patience.ENDLESS)


@pytest.mark.parametrize(("row", "reason"), ROWS, ids=IDS)
def test_the_budget_that_a_row_names_pays_for_a_pod_that_stays_stuck(row: Row, reason: str) -> None:
    state = stuck_for(10_000, row, reason)
    if row.patience is Patience.ENDLESS:
        assert state.failures == 0
    elif row.kind is FailureKind.USER:
        assert (state.phase, state.reason, state.user_failures, state.system_failures) == (P.FAILED, reason, 1, 0)
    else:
        assert (state.phase, state.user_failures, state.system_failures) == (P.PENDING, 0, 1)
        assert f"{reason}: " in state.message
        last = stuck_for(10_000, row, reason, system_failures=3)
        assert (last.phase, last.reason, last.system_failures) == (P.FAILED, reason, 4)


def test_no_row_of_the_table_is_hidden_by_one_before_it() -> None:
    for row, reason in ROWS:
        assert meaning(reason, (row.says or ("nothing",))[0]) is row


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ('failed to resolve reference "a/b:1": a/b:1: not found', FailureKind.USER),
        ("pull access denied, repository does not exist or may require authorization", FailureKind.USER),
        ("unexpected status from HEAD request to https://r/v2/b/manifests/1: 401 Unauthorized", FailureKind.USER),
        ("reading manifest 1 in r/a/b: manifest unknown", FailureKind.USER),
        ("no match for platform in manifest: not found", FailureKind.USER),
        ("dial tcp: lookup r.example.com: no such host", FailureKind.USER),
        ("dial tcp 10.0.0.1:443: connect: connection refused", FailureKind.SYSTEM),
        ("dial tcp 10.0.0.1:443: i/o timeout", FailureKind.SYSTEM),
        ("unexpected status from HEAD request: 503 Service Unavailable", FailureKind.SYSTEM),
        ("toomanyrequests: You have reached your unauthenticated pull rate limit", FailureKind.SYSTEM),
        ("no space left on device", FailureKind.SYSTEM),
        ('Back-off pulling image "a/b:1"', FailureKind.SYSTEM),
    ],
)
@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"])
def test_an_image_that_is_refused_is_the_users_and_one_that_cannot_be_had_now_the_systems(
    reason: str, message: str, kind: FailureKind
) -> None:
    assert meaning(reason, message).kind is kind


def test_what_the_table_looks_for_is_written_as_it_is_compared() -> None:
    assert [words for words in NO_SUCH_IMAGE if words != words.lower()] == []


def test_what_waits_for_something_else_than_its_pod_does_not_time_out() -> None:
    waits = Waiting("TaskNotFound", "there is no Task t", stuck=True, times_out=False)
    assert settled(NodeState(P.QUEUED, stuck_since=0.0), waits).phase is P.QUEUED
