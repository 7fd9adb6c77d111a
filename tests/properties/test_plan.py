"""Promises of the planner, for all workflows and all histories."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings, strategies as st

from tests.properties.model_cluster import Model, Shape, closure_of
from windlass_operator.core.actions import CreatePod, DeletePod
from windlass_operator.core.plan_execution import plan_execution
from windlass_operator.core.states import TERMINAL, TRANSITIONS, NodePhase
from windlass_operator.core.status import parse, render

ENDS = ("well", "well", "user", "recoverable", "system", "system", "gone")


@st.composite
def graphs(draw: st.DrawFn, *, sound: bool = False) -> dict[str, Shape]:
    """A random acyclic workflow; a sound one has no node that fails by itself."""
    ids = [f"n{i}" for i in range(draw(st.integers(1, 6)))]
    shapes: dict[str, Shape] = {}
    for i, node in enumerate(ids):
        earlier = ids[:i]
        some = st.lists(st.sampled_from(earlier), unique=True, max_size=3) if earlier else st.just([])
        shapes[node] = Shape(
            reads=tuple(draw(some)),
            after=tuple(draw(some))[:1],
            when=draw(st.none() | st.sampled_from(earlier)) if earlier else None,
            retries=draw(st.integers(0, 2)),
            broken=not sound and draw(st.integers(0, 9)) == 0,
        )
    return shapes


def first_attempts(place: tuple[str, int]) -> bool:
    return place[1] == 0


def nothing(_: tuple[str, int]) -> bool:
    return False


def play(model: Model, data: st.DataObject, steps: int) -> None:
    """Let random things happen."""
    for _ in range(steps):
        what = data.draw(
            st.sampled_from(["pass", "pass", "pass", "run", "end", "end", "end", "killed pass", "time", "cancel"])
        )
        alive = model.unfinished()
        if what == "pass":
            model.run_pass(create_fails=first_attempts if data.draw(st.booleans()) else nothing)
        elif what == "killed pass":
            model.run_pass(killed=True)
        elif what == "time":
            model.now += data.draw(st.sampled_from([0.5, 3.0, 400.0]))
        elif what == "cancel" and data.draw(st.integers(0, 9)) == 0:
            model.spec = {**model.spec, "cancel": True}
        elif alive and what == "run":
            model.run_pod(data.draw(st.sampled_from(alive)))
        elif alive and what == "end":
            model.end_pod(data.draw(st.sampled_from(alive)), data.draw(st.sampled_from(ENDS)))


@settings(max_examples=150, deadline=None)
@given(graph=graphs(), data=st.data(), steps=st.integers(0, 40))
def test_every_history_ends_and_keeps_every_promise(graph: dict[str, Shape], data: st.DataObject, steps: int) -> None:
    model = Model(closure_of(graph))
    play(model, data, steps)
    model.drain()
    starts_follow_upstreams(model)
    attempts_stay_within_their_budgets(model)
    no_attempt_starts_twice(model)
    terminal_nodes_never_change_and_moves_are_legal(model)
    no_pod_is_left_behind(model)
    pods_at_a_time_stay_below_the_limit(model)
    nothing_starts_once_something_failed(model)


def starts_follow_upstreams(model: Model) -> None:
    for plan in model.plans:
        for action in plan.actions:
            if isinstance(action, CreatePod):
                node = model.closure.nodes[action.node]
                phases = {upstream: plan.state.nodes[upstream].phase for upstream in node.upstreams}
                assert all(phases[source] is NodePhase.SUCCEEDED for source in node.sources), phases
                assert all(phase in TERMINAL for phase in phases.values()), phases


def attempts_stay_within_their_budgets(model: Model) -> None:
    for name, node in model.closure.nodes.items():
        attempts = [attempt for started, attempt in model.started if started == name]
        assert len(attempts) <= 1 + int(node.spec["retries"]) + model.settings.system_retries
        assert attempts == list(range(len(attempts)))
        for plan in model.plans:
            state = plan.state.nodes[name]
            over = 1 if state.phase is NodePhase.FAILED else 0
            assert state.system_failures <= model.settings.system_retries + over
            assert state.user_failures <= int(node.spec["retries"]) + over


def no_attempt_starts_twice(model: Model) -> None:
    assert len(model.started) == len(set(model.started))


def terminal_nodes_never_change_and_moves_are_legal(model: Model) -> None:
    for plan in model.plans:
        for move in plan.transitions:
            assert move.after is move.before or move.after in TRANSITIONS[move.before], move


def no_pod_is_left_behind(model: Model) -> None:
    assert model.unfinished() == []


def pods_at_a_time_stay_below_the_limit(model: Model) -> None:
    for plan in model.plans:
        active = sum(state.phase in (NodePhase.QUEUED, NodePhase.RUNNING) for state in plan.state.nodes.values())
        assert active <= model.settings.max_parallel_pods


def nothing_starts_once_something_failed(model: Model) -> None:
    for plan in model.plans:
        if plan.state.error is not None:
            assert not any(isinstance(action, CreatePod) for action in plan.actions)


@settings(max_examples=100, deadline=None)
@given(graph=graphs(), data=st.data(), steps=st.integers(0, 25))
def test_planning_again_after_applying_yields_nothing(graph: dict[str, Shape], data: st.DataObject, steps: int) -> None:
    model = Model(closure_of(graph))
    play(model, data, steps)
    model.run_pass()
    again = plan_execution(model.observe())
    assert [action for action in again.actions if isinstance(action, CreatePod | DeletePod)] == []
    assert again.transitions == ()


@settings(max_examples=100, deadline=None)
@given(graph=graphs(), data=st.data(), steps=st.integers(1, 25))
def test_a_status_read_back_says_the_same(graph: dict[str, Shape], data: st.DataObject, steps: int) -> None:
    model = Model(closure_of(graph))
    play(model, data, steps)
    model.run_pass()
    read = parse(model.status)
    assert render(model.status, read, model.closure, None, 1, model.now)["nodes"] == model.status["nodes"]
    assert read.phase is model.state.phase
    for name, state in model.state.nodes.items():
        for fact in ("phase", "attempt", "user_failures", "system_failures", "outputs", "reason"):
            assert getattr(read.nodes[name], fact) == getattr(state, fact), (name, fact)


@settings(max_examples=60, deadline=None)
@given(graph=graphs(sound=True))
def test_when_all_goes_well_every_node_runs_exactly_once(graph: dict[str, Shape]) -> None:
    model = Model(closure_of(graph))
    model.drain()
    assert model.status["phase"] == "Succeeded"
    assert sorted(model.started) == sorted((node, 0) for node in graph)
    assert model.status["outputs"] == {"all": [0] * len(graph)}


@settings(max_examples=40, deadline=None)
@given(graph=graphs(sound=True), room=st.integers(0, 100))
def test_outputs_that_outgrow_the_status_fail_the_execution_with_the_reason(graph: dict[str, Shape], room: int) -> None:
    model = Model(closure_of(graph))
    model.settings = replace(model.settings, status_limit=room)
    model.drain()
    one = len('{"o0":0}')
    assert model.status["phase"] == ("Succeeded" if one * len(graph) <= room else "Failed")
    if one * len(graph) > room:
        assert model.status["error"]["code"] == "StatusTooLarge"
        assert f"room for {room}" in model.status["error"]["message"]
    assert sum(one for node in model.status["nodes"].values() if "outputs" in node) <= room
