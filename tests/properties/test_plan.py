"""Promises of the planner, for all workflows and all histories."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings, strategies as st

from tests.properties.model_cluster import Graph, Model, Shape, closure_of
from windlass_operator.core.actions import CreateExecution, CreatePod, DeletePod, TellExecution
from windlass_operator.core.closure import RUNS
from windlass_operator.core.observed import ALONE, NodeState, Place
from windlass_operator.core.plan_execution import Plan, plan_execution
from windlass_operator.core.states import TERMINAL, TRANSITIONS, NodePhase
from windlass_operator.core.status import parse
from windlass_operator.settings import Settings

ENDS = ("well", "well", "user", "recoverable", "system", "system", "gone")
KINDS = ("task", "task", "task", "task", "map", "flow", "plan", "select", "approve")


@st.composite
def graphs(draw: st.DrawFn, *, sound: bool = False, depth: int = 1) -> Graph:
    """A random acyclic workflow; a sound one has no node that fails by itself."""
    ids = [f"n{i}" for i in range(draw(st.integers(1, 6 if depth else 3)))]
    shapes: dict[str, Shape] = {}
    for i, node in enumerate(ids):
        earlier = ids[:i]
        numbers = [one for one in earlier if shapes[one].kind == "task"]
        some = st.lists(st.sampled_from(earlier), unique=True, max_size=3) if earlier else st.just([])
        kind = draw(st.sampled_from(KINDS))
        kind = "task" if kind == "flow" and not depth else kind
        inner = draw(graphs(sound=sound, depth=depth - 1)) if kind == "flow" else Graph({})
        size = draw(st.integers(0, 4)) if kind == "map" else 0
        shapes[node] = Shape(
            reads=tuple(draw(some)),
            after=tuple(draw(some))[:1],
            when=draw(st.none() | st.sampled_from(numbers)) if numbers else None,
            retries=draw(st.integers(0, 2)) if kind in ("task", "map") else 0,
            broken=not sound and draw(st.integers(0, 9)) == 0,
            kind=kind,
            size=size,
            least=draw(st.none() | st.integers(0, size)) if kind == "map" else None,
            inner=tuple(inner.shapes.items()),
            handled=inner.handled,
            keeps_going=inner.keeps_going,
        )
    return Graph(shapes, draw(st.booleans()), draw(st.booleans()))


def first_attempts(place: Place) -> bool:
    return place.attempt == 0


def nothing(_: Place) -> bool:
    return False


def play(model: Model, data: st.DataObject, steps: int) -> None:
    """Let random things happen."""
    for _ in range(steps):
        what = data.draw(
            st.sampled_from(
                [
                    "pass",
                    "pass",
                    "pass",
                    "run",
                    "end",
                    "end",
                    "end",
                    "killed pass",
                    "time",
                    "cancel",
                    "suspend",
                    "answer",
                ]
            )
        )
        alive = model.unfinished()
        asked = [gate for gate, view in model.signals.items() if view.phase in ("", "Waiting", "Invalid")]
        if what == "pass":
            model.run_pass(create_fails=first_attempts if data.draw(st.booleans()) else nothing)
        elif what == "killed pass":
            model.run_pass(killed=True)
        elif what == "time":
            model.now += data.draw(st.sampled_from([0.5, 3.0, 400.0]))
        elif what == "cancel" and data.draw(st.integers(0, 9)) == 0:
            model.spec = {**model.spec, "cancel": True}
        elif what == "suspend":
            model.spec = {**model.spec, "suspend": data.draw(st.booleans())}
        elif asked and what == "answer":
            model.answer(data.draw(st.sampled_from(asked)), **data.draw(st.sampled_from(ANSWERS)))
        elif alive and what == "run":
            model.run_pod(data.draw(st.sampled_from(alive)))
        elif alive and what == "end":
            model.end_pod(data.draw(st.sampled_from(alive)), data.draw(st.sampled_from(ENDS)))


ANSWERS: tuple[dict[str, object], ...] = ({"approved": True}, {"approved": False}, {"value": 3})
"""Yes, no, and something that was not asked for."""


@settings(max_examples=150, deadline=None)
@given(graph=graphs(), data=st.data(), steps=st.integers(0, 40))
def test_every_history_ends_and_keeps_every_promise(graph: Graph, data: st.DataObject, steps: int) -> None:
    model = Model(closure_of(graph))
    play(model, data, steps)
    model.spec = {**model.spec, "suspend": False}
    model.drain()
    starts_follow_upstreams(model)
    attempts_stay_within_their_budgets(model)
    no_attempt_starts_twice(model)
    terminal_nodes_never_change_and_moves_are_legal(model)
    no_child_is_left_behind(model)
    children_at_a_time_stay_below_the_limit(model)
    nothing_starts_in_what_is_stopping(model)
    handlers_run_when_their_workflow_has_failed_and_only_then(model)


def starts(plan: Plan) -> list[CreatePod | CreateExecution]:
    return [action for action in plan.actions if isinstance(action, CreatePod | CreateExecution)]


def starts_follow_upstreams(model: Model) -> None:
    for plan in model.plans:
        for action in starts(plan):
            node = model.closure.nodes[action.node]
            phases = {upstream: plan.state.nodes[upstream].phase for upstream in node.upstreams}
            assert all(phases[source] is NodePhase.SUCCEEDED for source in node.sources), phases
            assert all(phase in TERMINAL for phase in phases.values()), phases
            assert not node.scope or plan.state.nodes[node.scope].phase is NodePhase.RUNNING


def attempts_stay_within_their_budgets(model: Model) -> None:
    started: dict[tuple[str, int], list[int]] = {}
    for place in model.started:
        started.setdefault((place.node, place.element), []).append(place.attempt)
    for (name, _), attempts in started.items():
        node = model.closure.nodes[name]
        assert len(attempts) <= 1 + int(node.spec.get("retries") or 0) + model.settings.system_retries
        assert attempts == list(range(len(attempts)))
    for plan in model.plans:
        for name, state in plan.state.nodes.items():
            over = 1 if state.phase is NodePhase.FAILED else 0
            assert state.system_failures <= model.settings.system_retries + over
            assert state.user_failures <= int(model.closure.nodes[name].spec.get("retries") or 0) + over


def no_attempt_starts_twice(model: Model) -> None:
    assert len(model.started) == len(set(model.started))


def terminal_nodes_never_change_and_moves_are_legal(model: Model) -> None:
    for plan in model.plans:
        for move in plan.transitions:
            assert move.after is move.before or move.after in TRANSITIONS[move.before], move


def no_child_is_left_behind(model: Model) -> None:
    assert model.unfinished() == []


def children_at_a_time_stay_below_the_limit(model: Model) -> None:
    for plan in model.plans:
        active = 0
        for name, state in plan.state.nodes.items():
            if state.elements is not None and not state.terminal:
                active += state.elements.active
            elif model.closure.nodes[name].kind in RUNS and model.closure.nodes[name].mapped is None:
                active += state.phase in (NodePhase.QUEUED, NodePhase.RUNNING)
        assert active <= model.settings.max_parallel_pods


def nothing_starts_in_what_is_stopping(model: Model) -> None:
    for plan in model.plans:
        for action in starts(plan):
            node = action.node
            while node:
                of = model.closure.nodes[node]
                scope = model.closure.scopes[of.scope]
                failed = [one for one in scope.members if plan.state.nodes[one].phase is NodePhase.FAILED]
                assert not failed or scope.keeps_going or of.handler, (action.node, failed)
                node = of.scope


def handlers_run_when_their_workflow_has_failed_and_only_then(model: Model) -> None:
    phases = {name: model.state.nodes.get(name, NodeState()).phase for name in model.closure.nodes}
    for scope in model.closure.scopes.values():
        if scope.handler is None or model.spec.get("cancel"):
            continue
        failed = any(phases[one] is NodePhase.FAILED for one in scope.members)
        handled = phases[scope.handler]
        if failed and not scope.id:
            assert handled in (NodePhase.SUCCEEDED, NodePhase.FAILED)
        if not failed:  # one that never had to do anything is not shown, and so is not known after a restart
            assert handled in (NodePhase.SKIPPED, NodePhase.CANCELLED, NodePhase.PENDING)


@settings(max_examples=100, deadline=None)
@given(graph=graphs(), data=st.data(), steps=st.integers(0, 25))
def test_planning_again_after_applying_yields_nothing(graph: Graph, data: st.DataObject, steps: int) -> None:
    model = Model(closure_of(graph))
    play(model, data, steps)
    model.run_pass()
    again = plan_execution(model.observe())
    calls = (CreatePod, CreateExecution, DeletePod, TellExecution)
    assert [action for action in again.actions if isinstance(action, calls)] == []
    assert again.transitions == ()


@settings(max_examples=100, deadline=None)
@given(graph=graphs(), data=st.data(), steps=st.integers(1, 25))
def test_a_status_read_back_says_the_same(graph: Graph, data: st.DataObject, steps: int) -> None:
    model = Model(closure_of(graph))
    play(model, data, steps)
    model.run_pass()
    read = parse(model.status)
    assert read.phase is model.state.phase
    for name, shown in read.nodes.items():
        state = model.state.nodes[name]
        for fact in (
            "phase",
            "attempt",
            "user_failures",
            "system_failures",
            "outputs",
            "reason",
            "signal",
            "execution",
        ):
            assert getattr(shown, fact) == getattr(state, fact), (name, fact)
        assert (shown.elements is None) == (state.elements is None)
    for name, node in model.closure.nodes.items():
        hidden = node.handler or (node.scope and model.state.nodes[node.scope].started_at is None)
        assert name in read.nodes or hidden, name


@settings(max_examples=60, deadline=None)
@given(graph=graphs(), data=st.data(), steps=st.integers(1, 25))
def test_after_a_restart_the_same_is_started(graph: Graph, data: st.DataObject, steps: int) -> None:
    model = Model(closure_of(graph), settings=Settings(system_retries=1, max_parallel_pods=1000))
    play(model, data, steps)
    model.run_pass()
    other = model.fork()
    other.restart()
    for one in (model, other):
        for _ in range(2):
            one.run_pass()
            one.now += 400.0  # whatever waits for its time
        one.run_pass()
    assert Counter(other.started) == Counter(model.started)
    for name, shown in other.status["nodes"].items():
        assert shown["phase"] == model.status["nodes"][name]["phase"], name


@settings(max_examples=60, deadline=None)
@given(graph=graphs(sound=True))
def test_when_all_goes_well_every_node_runs_exactly_once(graph: Graph) -> None:
    model = Model(closure_of(graph))
    model.drain()
    assert model.status["phase"] == "Succeeded"
    wanted = Counter(
        Place(name, 0, element)
        for name, node in model.closure.nodes.items()
        if node.kind in RUNS and not node.handler
        for element in (range(_shape(graph, name).size) if node.mapped is not None else (ALONE,))
    )
    assert Counter(model.started) == wanted
    assert model.status["outputs"] == {"o0": [_gives(graph, shape) for shape in graph.shapes.values()]}


def _shape(graph: Graph, name: str) -> Shape:
    head, _, rest = name.partition(".")
    shape = graph.shapes[head]
    return _shape(Graph(dict(shape.inner)), rest) if rest else shape


def _gives(graph: Graph, shape: Shape) -> object:
    """What a node gives when all goes well: 0 is the number of its attempt."""
    if shape.kind == "map":
        return [0] * shape.size
    if shape.kind == "flow":
        inner = Graph(dict(shape.inner))
        return [_gives(inner, one) for one in inner.shapes.values()]
    if shape.kind in ("select", "approve"):
        return [_gives(graph, graph.shapes[one]) for one in shape.reads]
    return 0


@settings(max_examples=40, deadline=None)
@given(graph=graphs(sound=True), room=st.integers(0, 100))
def test_outputs_that_outgrow_the_status_are_kept_beside_it(graph: Graph, room: int) -> None:
    model = Model(closure_of(graph))
    model.settings = replace(model.settings, status_limit=room, inline_output_limit=room)
    model.drain()
    whole = Model(closure_of(graph))
    whole.drain()
    assert model.status["phase"] == "Succeeded"
    assert model.started == whole.started
