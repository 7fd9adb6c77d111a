"""``resumeFrom``: what is taken over from an earlier run, and the reason that each node gives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.properties.model_cluster import Model
from tests.unit.operator.things import NOW, Body, closure, flow, inputs_of, task
from windlass_operator.core.closure import Closure
from windlass_operator.core.observed import Place, Previous
from windlass_operator.core.status import parse
from windlass_operator.kinds.evidence import Failure, FailureKind
from windlass_operator.settings import Settings

ANY = {"type": "any"}
FAILURE = Failure(FailureKind.USER, "USER:RuntimeError", "it broke")
RESUME: Body = {"resumeFrom": {"execution": "first"}}


def chain(**spec: Any) -> Closure:
    """a → b, of which b takes what a gave."""
    return closure(
        {"id": "a", "inputs": {"x": {"$ref": "inputs.n"}}},
        {"id": "b", "inputs": {"x": {"$ref": "nodes.a.outputs.o0"}}},
        inputs={"n": ANY},
        t={**task({"x": ANY}, {"o0": ANY}), **spec},
    )


def first(of: Closure, given: Body, *, gives: Any = 5, settings: Settings | None = None) -> Model:
    """The earlier run: a gave something, and b failed."""
    model = Model(of, name="first", now=NOW, spec={"inputs": given}, settings=settings or Settings())
    model.run_pass()
    model.succeed("a", o0=gives)
    model.run_pass()
    model.fail("b", FAILURE)
    model.run_pass()
    return model


def resumed(of: Closure, given: Body, earlier: Model | None) -> Model:
    """A run that goes on from it, after its first pass."""
    model = Model(of, name="second", now=NOW, spec={"inputs": given, **RESUME})
    if earlier is not None:
        state = parse(earlier.status)  # all that is known of it is what it wrote down
        model.earlier["first"] = Previous("first", earlier.closure, state, earlier.spec)
        model.config_maps = dict(earlier.config_maps)
    model.run_pass()
    return model


def told(model: Model, node: str) -> str:
    found: str = model.status["nodes"][node].get("resume", "")
    return found


def test_what_succeeded_with_the_same_inputs_is_taken_over_and_the_rest_runs() -> None:
    model = resumed(chain(), {"n": 1}, first(chain(), {"n": 1}))
    assert (model.node("a").phase.value, model.node("a").reason, model.node("a").outputs) == (
        "Succeeded",
        "Reused",
        {"o0": 5},
    )
    assert told(model, "a") == "taken from first: the same task and inputs"
    assert [place.node for place in model.started] == ["b"]
    assert inputs_of(model.manifests[Place("b", 0)]) == {"x": 5}
    assert told(model, "b") == "it was Failed there"


@pytest.mark.parametrize(
    ("of", "given", "says"),
    [
        (chain(), {"n": 2}, "its input x differs"),
        (chain(cache={"version": "2"}), {"n": 1}, "its cache version is 2, was None"),
        (chain(image="mended:2"), {"n": 1}, "taken from first: the same task and inputs"),
        (chain(inputs={"x": {"type": "int"}}), {"n": 1}, "the inputs of t have changed"),
        (chain(outputs={"o0": {"type": "int"}}), {"n": 1}, "the outputs of t have changed"),
    ],
    ids=["another input", "another cache version", "mended code", "another interface", "other outputs"],
)
def test_each_node_says_why_its_result_counts_or_not(of: Closure, given: Body, says: str) -> None:
    assert told(resumed(of, given, first(chain(), {"n": 1})), "a") == says


def other(node: Body) -> Closure:
    spec = task({"x": ANY}, {"o0": ANY})
    return closure(node, inputs={"n": ANY}, t=spec, u=spec)


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ({"id": "new", "inputs": {"x": 1}}, "first had no node new"),
        ({"id": "a", "task": {"name": "u"}, "inputs": {"x": 1}}, "it ran t there"),
        ({"id": "b", "inputs": {"x": 5}}, "it was Failed there"),
    ],
)
def test_a_node_that_was_another_there_runs(node: Body, says: str) -> None:
    model = resumed(other(node), {"n": 1}, first(chain(), {"n": 1}))
    assert told(model, node["id"]) == says
    assert len(model.started) == 1


def test_a_node_that_became_a_map_runs() -> None:
    of = other({"id": "a", "map": {"over": ["x"]}, "inputs": {"x": [1]}})
    model = resumed(of, {"n": 1}, first(chain(), {"n": 1}))
    assert len(model.started) == 1


def test_a_run_that_is_gone_is_nothing_to_go_on_from() -> None:
    model = resumed(chain(), {"n": 1}, None)
    assert told(model, "a") == "the execution first is gone, or has never begun"
    assert len(model.started) == 1


def test_large_results_are_read_from_where_they_are_and_kept_here() -> None:
    large = "x" * 10_000
    model = resumed(chain(), {"n": 1}, first(chain(), {"n": 1}, gives=large))
    assert told(model, "a").startswith("taken from first")
    assert "$value" in str(model.status["nodes"]["a"]["outputs"])
    assert any(name.startswith("second-") for name in model.config_maps)
    model.succeed("b", o0=1)
    model.run_pass()
    assert model.status["phase"] == "Succeeded"


def test_a_large_result_that_is_lost_is_computed_again() -> None:
    earlier = first(chain(), {"n": 1}, gives="x" * 10_000)
    earlier.config_maps.clear()
    model = resumed(chain(), {"n": 1}, earlier)
    assert told(model, "a") == "its result in first is lost: it is gone"
    assert [place.node for place in model.started] == ["a"]


def test_a_reused_result_asks_no_cache() -> None:
    spec = {"cache": {"version": "1"}}
    earlier = first(chain(**spec), {"n": 1})
    model = resumed(chain(**spec), {"n": 1}, earlier)
    assert "cache" not in model.status["nodes"]["a"]


def test_elements_of_a_map_are_taken_over_one_by_one() -> None:
    node = {"id": "m", "map": {"over": ["x"], "minSuccesses": 0}, "inputs": {"x": {"$ref": "inputs.n"}}}
    of = closure(node, inputs={"n": ANY}, t=task({"x": ANY}, {"o0": ANY}))
    earlier = Model(of, name="first", now=NOW, spec={"inputs": {"n": [1, 2, 3]}})
    earlier.run_pass()
    earlier.succeed("m", 0, 0, o0="a")
    earlier.fail("m", FAILURE, 0, 1)
    earlier.succeed("m", 0, 2, o0="c")
    earlier.run_pass()
    model = resumed(of, {"n": [1, 2, 4, 5]}, earlier)
    assert [place.element for place in model.started] == [1, 2, 3]
    assert model.status["nodes"]["m"]["resume"] == "1 of 4 elements were taken from first"
    for index in (1, 2, 3):
        model.succeed("m", 0, index, o0=index)
    model.run_pass()
    elements = model.node("m").elements
    assert elements is not None
    assert elements.results == {0: {"o0": "a"}, 1: {"o0": 1}, 2: {"o0": 2}, 3: {"o0": 3}}


def test_a_map_of_which_all_is_there_is_over_at_once() -> None:
    node = {"id": "m", "map": {"over": ["x"]}, "inputs": {"x": list(range(100))}}
    of = closure(node, t=task({"x": ANY}, {"o0": ANY}))
    earlier = Model(of, name="first", now=NOW, settings=Settings())
    earlier.run_pass()
    for index in range(100):
        earlier.succeed("m", 0, index, o0=index)
    earlier.run_pass()
    model = resumed(of, {}, earlier)
    assert (model.status["phase"], model.started) == ("Succeeded", [])


def test_workflows_inside_take_over_node_by_node() -> None:
    inner = flow({"id": "a", "inputs": {"x": 1}}, {"id": "b", "inputs": {"x": {"$ref": "nodes.a.outputs.o0"}}})
    of = closure({"id": "w", "workflow": {"name": "inner"}}, flows={"inner": inner}, t=task({"x": ANY}, {"o0": ANY}))
    earlier = Model(of, name="first", now=NOW)
    earlier.run_pass()
    earlier.succeed("w.a", o0=5)
    earlier.run_pass()
    earlier.fail("w.b", FAILURE)
    earlier.run_pass()
    model = resumed(of, {}, earlier)
    assert [place.node for place in model.started] == ["w.b"]
    assert told(model, "w.a").startswith("taken from first")
