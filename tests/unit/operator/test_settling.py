"""Evidence → state, case by case; what holds for all histories is in tests/properties/test_plan.py."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from tests.unit.operator.things import NOW, closure, observed, task
from windlass_operator.core.observed import NodeState, PodView
from windlass_operator.core.settling import backoff, settle
from windlass_operator.core.states import NodePhase
from windlass_operator.kinds.evidence import Evidence, Failed, Failure, FailureKind, Running, Succeeded, Waiting
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
        PodView(f"e-a-{attempt}", "a", attempt, seen, gone=gone)
        for attempt, seen in enumerate(evidence, state.attempt)
        if seen is not None
    )
    seen = observed(of, pods=pods, settings=Settings(system_retries=1))
    return settle(of.nodes["a"], state, seen, stopping=stopping)


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
    state = settled(NodeState(P.QUEUED, stuck_since=since), Waiting(reason, "m", stuck=True))
    assert state.phase is phase
    if phase is P.QUEUED:
        assert state.stuck_since == (NOW if since is None else since)
        assert (state.reason, state.message) == (reason, "m")
    else:
        assert state.message == "image 'python:3.12-slim': m"


def test_a_container_that_cannot_be_made_is_no_matter_of_its_image() -> None:
    waits = Waiting("CreateContainerConfigError", "no such ConfigMap", stuck=True)
    assert settled(NodeState(P.QUEUED, stuck_since=0.0), waits).message == "the container: no such ConfigMap"


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
