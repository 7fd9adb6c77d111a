"""Gates, each by itself: every rule is true alone, whatever was asked before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.operator.things import NOW, Body, closure, flow, observed, task
from windlass_api import refs
from windlass_operator.core import gates
from windlass_operator.core.facts import Facts
from windlass_operator.core.gates import End, Hold
from windlass_operator.core.observed import Elements, ExecutionError, NodeState
from windlass_operator.core.states import NodePhase
from windlass_operator.kinds.evidence import Failure, FailureKind
from windlass_operator.settings import Settings

P = NodePhase

READS = closure(
    {"id": "a"},
    {"id": "b"},
    {"id": "reader", "inputs": {"x": {"$ref": "nodes.a.outputs.o0"}}, "dependsOn": ["b"]},
    t=task({"x": {"type": "int", "default": 0}}),
)


def facts(of: Any = READS, inputs: Body | None = None, cancel: bool = False, **given: Any) -> Facts:
    """What a pass knows. Phases are of nodes, whose paths have `_` for the dots here; all else is observed."""
    phases = {name: given.pop(name.replace(".", "_"), P.PENDING) for name in of.nodes}
    known = {name: NodeState(phase, outputs={"o0": 3}) for name, phase in phases.items()}
    seen = observed(of, inputs=inputs, cancel=cancel, settings=Settings(max_parallel_pods=2), **given)
    return Facts(seen, known, {})


READER = READS.nodes["reader"]


@pytest.mark.parametrize("stopping", [True, False])
def test_nothing_starts_once_the_execution_is_stopping(stopping: bool) -> None:
    verdict = gates.execution_stopping(READER, NodeState(), facts(cancel=stopping))
    assert verdict == (End(P.CANCELLED, "Cancelled") if stopping else None)


@pytest.mark.parametrize(
    ("a", "b", "waits"),
    [
        (P.PENDING, P.PENDING, "a and others"),
        (P.SUCCEEDED, P.RUNNING, "b"),
        (P.QUEUED, P.SUCCEEDED, "a"),
        (P.SUCCEEDED, P.SUCCEEDED, ""),
        (P.SKIPPED, P.FAILED, ""),
        (P.CANCELLED, P.SKIPPED, ""),
    ],
)
def test_all_upstreams_are_over_first(a: P, b: P, waits: str) -> None:
    verdict = gates.upstream_unfinished(READER, NodeState(), facts(a=a, b=b))
    assert verdict == (Hold(reason="Upstream", message=f"waits for {waits}") if waits else None)


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


FULL = Hold(reason="ParallelismLimit", message="2 of 2 are at work already")


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (P.PENDING, P.PENDING, None),
        (P.QUEUED, P.PENDING, None),
        (P.QUEUED, P.RUNNING, FULL),
        (P.RUNNING, P.SUCCEEDED, None),
    ],
)
def test_only_so_many_children_are_unfinished_at_a_time(a: P, b: P, verdict: Hold | None) -> None:
    assert gates.parallelism_full(READER, NodeState(), facts(a=a, b=b)) == verdict


@pytest.mark.parametrize(
    ("asked", "plans", "limit"),
    [(None, None, 2), (1, None, 1), (None, 1, 1), (5, 1, 2), (2, 1, 2)],
    ids=["the operator's", "the run's", "its launch plan's", "never above the operator's", "the run before its plan"],
)
def test_the_limit_is_what_the_run_or_its_plan_says_within_the_operators(
    asked: int | None, plans: int | None, limit: int
) -> None:
    of = closure({"id": "a"}, plan={"maxParallelism": plans} if plans else None)
    assert facts(of, spec={"maxParallelism": asked} if asked else {}).limit(READER) == limit


@pytest.mark.parametrize(
    ("room", "verdict"), [(None, None), (1, None), (0, Hold(reason="NamespaceLimit", message=gates.NO_ROOM))]
)
def test_a_namespace_has_only_so_many_pods(room: int | None, verdict: Hold | None) -> None:
    assert gates.parallelism_full(READER, NodeState(), facts(room=room)) == verdict


def test_who_needs_no_child_needs_no_room() -> None:
    of = closure(
        {"id": "s", "select": [{"outputs": {}}]},
        {"id": "w", "workflow": {"name": "inner"}},
        {"id": "m", "map": {"over": ["x"]}, "inputs": {"x": []}},
        flows={"inner": flow({"id": "n0"})},
        t=task({"x": {"type": "int", "default": 0}}),
    )
    for name in ("s", "w", "m"):
        assert gates.parallelism_full(of.nodes[name], NodeState(), facts(of, room=0)) is None


def test_a_suspended_execution_starts_nothing() -> None:
    held = Hold(reason="Suspended", message="the execution is suspended")
    assert gates.suspended(READER, NodeState(), facts(spec={"suspend": True})) == held
    assert gates.suspended(READER, NodeState(), facts()) is None


# Scopes: workflows inside the run, and what handles their failure.

INNER = {"inner": flow({"id": "n0"}, {"id": "n1"}, handler={"id": "fn0"})}
NESTED = closure({"id": "w", "workflow": {"name": "inner"}}, {"id": "z"}, handler={"id": "fn0"}, flows=INNER)
PATIENT = closure(
    {"id": "w", "workflow": {"name": "inner"}},
    {"id": "z"},
    keeps_going=True,
    flows={"inner": flow({"id": "n0"}, {"id": "n1"}, keeps_going=True, handler={"id": "fn0"})},
)


@pytest.mark.parametrize(
    ("around", "verdict"),
    [
        (P.PENDING, Hold()),
        (P.RUNNING, None),
        (P.SKIPPED, End(P.SKIPPED, "WorkflowOver", "w ended before it could start")),
        (P.FAILED, End(P.CANCELLED, "WorkflowOver", "w ended before it could start")),
        (P.CANCELLED, End(P.CANCELLED, "WorkflowOver", "w ended before it could start")),
    ],
)
def test_nodes_of_a_workflow_wait_for_it_to_begin_and_end_with_it(around: P, verdict: Any) -> None:
    assert gates.scope_not_open(NESTED.nodes["w.n0"], NodeState(), facts(NESTED, w=around)) == verdict


def test_the_run_itself_is_always_open() -> None:
    assert gates.scope_not_open(NESTED.nodes["z"], NodeState(), facts(NESTED)) is None


@pytest.mark.parametrize(
    ("failed", "stops", "goes_on"),
    [
        ("w_n0", {"w.n1"}, {"z", "w.fn0", "fn0", "w"}),
        ("z", {"w", "w.n0", "w.n1", "w.fn0"}, {"fn0"}),
    ],
    ids=["inside: what is inside stops, but not its handler", "outside: the workflow stops, with its handler"],
)
def test_a_failure_stops_what_is_in_its_workflow(failed: str, stops: set[str], goes_on: set[str]) -> None:
    seen = facts(NESTED, w=P.RUNNING if failed != "w" else P.FAILED, **{failed: P.FAILED})  # type: ignore[arg-type]  # it is a node
    assert {name for name in stops | goes_on if seen.stopping(NESTED.nodes[name])} == stops


@pytest.mark.parametrize("failed", ["w_n0", "z"])
def test_where_the_policy_lets_it_a_failure_stops_nothing(failed: str) -> None:
    seen = facts(PATIENT, w=P.RUNNING, **{failed: P.FAILED})  # type: ignore[arg-type]  # it is a node
    assert not any(seen.stopping(node) for node in PATIENT.nodes.values())


def test_a_cancelled_execution_stops_everything_its_handlers_too() -> None:
    assert all(facts(NESTED, cancel=True).stopping(node) for node in NESTED.nodes.values())


def test_a_failed_handler_breaks_nothing_and_stops_nothing() -> None:
    seen = facts(NESTED, w=P.RUNNING, w_fn0=P.FAILED)
    assert not seen.broken("w")
    assert not any(seen.stopping(node) for node in NESTED.nodes.values())


@pytest.mark.parametrize(
    ("n0", "n1", "verdict"),
    [
        (P.FAILED, P.RUNNING, Hold()),
        (P.FAILED, P.PENDING, Hold()),
        (P.SUCCEEDED, P.SUCCEEDED, End(P.SKIPPED, "NoFailure")),
        (P.SKIPPED, P.CANCELLED, End(P.SKIPPED, "NoFailure")),
        (P.FAILED, P.CANCELLED, None),
        (P.SUCCEEDED, P.FAILED, None),
    ],
)
def test_a_handler_waits_until_all_else_is_over_and_runs_if_something_failed(n0: P, n1: P, verdict: Any) -> None:
    seen = facts(NESTED, w=P.RUNNING, w_n0=n0, w_n1=n1)
    assert gates.failure_not_here(NESTED.nodes["w.fn0"], NodeState(), seen) == verdict
    assert gates.failure_not_here(NESTED.nodes["w.n0"], NodeState(), seen) is None


def test_the_error_of_a_workflow_is_that_of_its_first_failed_node_however_deep() -> None:
    early = NodeState(P.FAILED, finished_at=1.0, reason="Early", message="first")
    late = NodeState(P.FAILED, finished_at=2.0, reason="Late", message="second")
    nodes = {"w": late, "w.n0": late, "w.n1": early}
    seen = Facts(observed(NESTED), nodes, {})
    for scope in ("", "w"):
        error = seen.error_of(scope)
        assert error is not None
        assert (error.node, error.failure.code) == ("w.n1", "Early")
    assert Facts(observed(NESTED), {}, {}).error_of("") is None


def test_a_workflow_that_failed_by_itself_is_its_own_error() -> None:
    seen = Facts(observed(NESTED), {"w": NodeState(P.FAILED, reason="OutputSkipped", message="m")}, {})
    error = seen.error_of("")
    assert error is not None
    assert (error.node, error.failure.code, error.failure.message) == ("w", "OutputSkipped", "m")


def test_what_the_run_failed_of_is_told_once_and_stays() -> None:
    of = closure({"id": "a"}, {"id": "b"})
    told = ExecutionError(Failure(FailureKind.USER, "USER:RuntimeError", "it broke", "RuntimeError"), "b")
    seen = observed(of)
    seen = replace(seen, state=replace(seen.state, error=told))
    assert Facts(seen, {"a": NodeState(P.FAILED), "b": NodeState(P.FAILED)}, {}).error_of("") is told


def test_until_the_elements_of_a_map_are_counted_nothing_starts() -> None:
    of = closure({"id": "a"}, {"id": "m", "map": {"over": ["x"]}, "inputs": {"x": [1]}}, t=task({"x": {"type": "any"}}))
    unread = NodeState(P.RUNNING, elements=Elements(bytearray(b"P"), loaded=False))
    assert gates.parallelism_full(of.nodes["a"], NodeState(), Facts(observed(of), {"m": unread}, {})) == Hold()


def test_the_first_verdict_counts() -> None:
    of = conditional("false")
    stopping = facts(of, cancel=True, a=P.SUCCEEDED)
    assert gates.ask(of.nodes["c"], NodeState(), stopping) == End(P.CANCELLED, "Cancelled")
    skipped = gates.ask(of.nodes["c"], NodeState(), facts(of, spec={"suspend": True}, a=P.SUCCEEDED))
    assert isinstance(skipped, End), "a node that is skipped starts nothing"
    assert gates.ask(READER, NodeState(), facts(a=P.SUCCEEDED, b=P.SUCCEEDED)) is None


@pytest.mark.parametrize(
    ("given", "expected"), [({}, 3), ({"n": 4}, 4), ({"n": None}, None)], ids=["default", "given", "null is given"]
)
def test_an_input_is_what_was_given_or_its_default(given: Body, expected: Any) -> None:
    of = conditional("true")
    assert facts(of, inputs=given).values.lookup("")(refs.parse_ref("inputs.n")) == expected
