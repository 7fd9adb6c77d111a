"""Gates, each by itself: every rule is true alone, whatever was asked before it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.operator.things import NOW, Body, closure, observed, task
from windlass_operator.core import gates
from windlass_operator.core.gates import End, Facts, Hold
from windlass_operator.core.observed import NodeState
from windlass_operator.core.states import NodePhase
from windlass_operator.settings import Settings

P = NodePhase

READS = closure(
    {"id": "a"},
    {"id": "b"},
    {"id": "reader", "inputs": {"x": {"$ref": "nodes.a.outputs.o0"}}, "dependsOn": ["b"]},
    t=task({"x": {"type": "int", "default": 0}}),
)


def facts(of: Any = READS, stopping: bool = False, active: int = 0, inputs: Body | None = None, **nodes: P) -> Facts:
    known = {name: NodeState(nodes.get(name, P.PENDING), outputs={"o0": 3}) for name in of.nodes}
    seen = observed(of, inputs=inputs, settings=Settings(max_parallel_pods=2))
    return Facts(seen, known, stopping=stopping, active=active)


READER = READS.nodes["reader"]


@pytest.mark.parametrize("stopping", [True, False])
def test_nothing_starts_once_the_execution_is_stopping(stopping: bool) -> None:
    verdict = gates.execution_stopping(READER, NodeState(), facts(stopping=stopping))
    assert verdict == (End(P.CANCELLED, "Cancelled") if stopping else None)


@pytest.mark.parametrize(
    ("a", "b", "waits"),
    [
        (P.PENDING, P.PENDING, True),
        (P.SUCCEEDED, P.RUNNING, True),
        (P.QUEUED, P.SUCCEEDED, True),
        (P.SUCCEEDED, P.SUCCEEDED, False),
        (P.SKIPPED, P.FAILED, False),
        (P.CANCELLED, P.SKIPPED, False),
    ],
)
def test_all_upstreams_are_over_first(a: P, b: P, waits: bool) -> None:
    assert gates.upstream_unfinished(READER, NodeState(), facts(a=a, b=b)) == (Hold() if waits else None)


@pytest.mark.parametrize(
    ("a", "b", "ends"),
    [
        (P.SUCCEEDED, P.SUCCEEDED, False),
        (P.SKIPPED, P.SKIPPED, False),
        (P.FAILED, P.SUCCEEDED, True),
        (P.SUCCEEDED, P.FAILED, True),
        (P.CANCELLED, P.SUCCEEDED, True),
    ],
)
def test_nothing_comes_after_a_failed_or_cancelled_node(a: P, b: P, ends: bool) -> None:
    verdict = gates.upstream_failed(READER, NodeState(), facts(a=a, b=b))
    assert verdict == (End(P.CANCELLED, "UpstreamFailed") if ends else None)


def test_who_reads_from_a_skipped_node_is_skipped() -> None:
    verdict = gates.source_skipped(READER, NodeState(), facts(a=P.SKIPPED, b=P.SUCCEEDED))
    assert verdict == End(P.SKIPPED, "UpstreamSkipped", "it reads from a, which was skipped")


def test_who_only_comes_after_a_skipped_node_is_not() -> None:
    assert gates.source_skipped(READER, NodeState(), facts(a=P.SUCCEEDED, b=P.SKIPPED)) is None


@pytest.mark.parametrize(
    ("retry_at", "verdict"),
    [(None, None), (NOW - 1, None), (NOW, None), (NOW + 0.5, Hold(until=NOW + 0.5))],
    ids=["no retry", "its time has passed", "its time is now", "its time is to come"],
)
def test_a_retry_waits_for_its_time(retry_at: float | None, verdict: Hold | None) -> None:
    assert gates.backing_off(READER, NodeState(retry_at=retry_at), facts()) == verdict


def conditional(when: str) -> Any:
    return closure(
        {"id": "a"}, {"id": "c", "when": when}, inputs={"n": {"type": "int", "default": 3}, "x": {"type": "any"}}
    )


@pytest.mark.parametrize(
    ("when", "phase", "reason", "says"),
    [
        ("true", None, "", ""),
        ("inputs.n == 3", None, "", ""),
        ("nodes.a.outputs.o0 > 2", None, "", ""),
        ("inputs.n > 3", P.SKIPPED, "ConditionFalse", "when: inputs.n > 3"),
        ("inputs.n", P.FAILED, "InvalidCondition", "when: inputs.n: it gave 3, not true or false"),
        ("inputs.x.y == 1", P.FAILED, "InvalidCondition", "when: inputs.x.y == 1: "),
        ("1 / 0 == 1", P.FAILED, "InvalidCondition", "when: 1 / 0 == 1: "),
    ],
)
def test_a_condition_lets_in_skips_or_fails(when: str, phase: P | None, reason: str, says: str) -> None:
    of = conditional(when)
    verdict = gates.condition_false(of.nodes["c"], NodeState(), facts(of, inputs={"x": {}}, a=P.SUCCEEDED))
    if phase is None:
        assert verdict is None
        return
    assert isinstance(verdict, End)
    assert (verdict.phase, verdict.reason) == (phase, reason)
    assert verdict.message.startswith(says)
    assert (verdict.failure is not None) == (phase is P.FAILED)


def test_a_condition_is_not_asked_of_a_retry() -> None:
    of = conditional("false")
    assert gates.condition_false(of.nodes["c"], NodeState(attempt=1), facts(of)) is None


@pytest.mark.parametrize(("active", "verdict"), [(0, None), (1, None), (2, Hold()), (3, Hold())])
def test_only_so_many_pods_are_unfinished_at_a_time(active: int, verdict: Hold | None) -> None:
    assert gates.parallelism_full(READER, NodeState(), facts(active=active)) == verdict


def test_the_first_verdict_counts() -> None:
    of = conditional("false")
    stopping = facts(of, stopping=True, a=P.SUCCEEDED)
    assert gates.ask(of.nodes["c"], NodeState(), stopping) == End(P.CANCELLED, "Cancelled")
    skipped = gates.ask(of.nodes["c"], NodeState(), facts(of, active=9, a=P.SUCCEEDED))
    assert isinstance(skipped, End), "a node that is skipped needs no room"
    assert gates.ask(READER, NodeState(), facts(a=P.SUCCEEDED, b=P.SUCCEEDED)) is None


@pytest.mark.parametrize(
    ("given", "expected"), [({}, 3), ({"n": 4}, 4), ({"n": None}, None)], ids=["default", "given", "null is given"]
)
def test_an_input_is_what_was_given_or_its_default(given: Body, expected: Any) -> None:
    of = conditional("true")
    find = gates.lookup(facts(of, inputs=given))
    read = closure({"id": "z", "when": "inputs.n == 0"}, inputs={"n": {"type": "any"}}).nodes["z"].when
    assert read is not None
    assert find(read.refs[0]) == expected
