"""Values that lie in the store: passed on, taken apart, mapped over, cached; and what can't be decided by them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.properties.model_cluster import Model
from tests.unit.operator.things import NOW, Body, closure, flow, inputs_of, task
from windlass_api import names
from windlass_api.stored import Stored
from windlass_operator.core.actions import StoreEntry
from windlass_operator.core.observed import Place
from windlass_operator.kinds.evidence import Failure, FailureKind, Succeeded
from windlass_operator.settings import Settings, StoreSettings

ANY = {"type": "any"}
TAKES = task({"x": {**ANY, "default": 0}}, {"o0": ANY})
STORE = Settings(system_retries=2, store=StoreSettings(prefix="s3://b"))
TEXT = Stored("s3://b/e.u/1/o0.json", 70_000, "a" * 64)
LIST = Stored("s3://b/e.u/2/o0.json", 70_000, "b" * 64, 3)
FROM_A = {"x": {"$ref": "nodes.a.outputs.o0"}}


def run(*nodes: Body, spec: Body | None = None, **more: Any) -> Model:
    """A run of a workflow with these nodes, after its first pass."""
    model = Model(closure(*nodes, **{"t": TAKES, **more}), now=NOW, settings=STORE, spec=spec or {})
    model.run_pass()
    return model


def after(given: Any, *nodes: Body, **more: Any) -> Model:
    """A run whose node ``a`` has given something."""
    model = run({"id": "a"}, *nodes, **more)
    model.succeed("a", o0=given)
    model.run_pass()
    return model


def inputs(model: Model, node: str, element: int | None = None) -> Any:
    """What the pod of a node gets."""
    place = Place(node, 0) if element is None else Place(node, 0, element)
    return inputs_of(model.manifests[place])["x"]


def test_a_value_in_the_store_is_passed_on_and_stands_in_the_status() -> None:
    out = {"o0": {**ANY, "from": {"$ref": "nodes.a.outputs.o0"}}}
    model = after(TEXT.mark, {"id": "b", "inputs": FROM_A}, outputs=out)
    assert inputs(model, "b") == TEXT.mark
    assert model.status["nodes"]["a"]["outputs"] == {"o0": TEXT.mark}
    model.restart()
    model.succeed("b", o0=1)
    model.run_pass()
    assert model.status["outputs"] == {"o0": TEXT.mark}
    assert model.config_maps == {}


def test_a_value_in_the_store_is_of_every_type_until_it_is_read() -> None:
    model = after(TEXT.mark, {"id": "b", "task": {"name": "s"}, "inputs": FROM_A}, s=task({"x": {"type": "str"}}))
    assert inputs(model, "b") == TEXT.mark


def test_a_part_of_it_is_taken_by_who_reads_it() -> None:
    node = {"id": "b", "inputs": {"x": [{"$ref": 'nodes.a.outputs.o0.rows[1]["my key"]'}, {"$literal": {"$x": 1}}]}}
    model = after(TEXT.mark, node)
    part = TEXT._replace(path=("rows", 1, "my key")).mark
    assert inputs(model, "b") == [part, {"$literal": {"$x": 1}}]


def test_data_that_only_looks_like_it_stays_data() -> None:
    model = after({"$stored": {"uri": "s3://b/x"}}, {"id": "b", "inputs": FROM_A})
    assert inputs(model, "b") == {"$literal": {"$stored": {"uri": "s3://b/x"}}}


def test_a_map_goes_over_a_list_in_the_store_and_each_element_reads_its_own() -> None:
    model = after(LIST.mark, {"id": "m", "map": {"over": ["x"]}, "inputs": FROM_A})
    model.run_pass()
    wanted = [LIST._replace(length=None, path=(index,)).mark for index in range(3)]
    assert [inputs(model, "m", index) for index in range(3)] == wanted
    for index in range(3):
        model.succeed("m", element=index, o0=TEXT.mark)
    model.run_pass()
    model.run_pass()
    assert model.status["nodes"]["m"]["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("given", "ref", "code"),
    [(TEXT, "nodes.a.outputs.o0", "InvalidInputs"), (LIST, "nodes.a.outputs.o0.rows", "ValueInStore")],
)
def test_a_map_over_what_has_no_known_length_fails_with_advice(given: Stored, ref: str, code: str) -> None:
    model = after(given.mark, {"id": "m", "map": {"over": ["x"]}, "inputs": {"x": {"$ref": ref}}})
    assert model.status["error"]["code"] == code
    if code == "ValueInStore":
        assert "return the list as an output of its own" in model.status["error"]["message"]


@pytest.mark.parametrize("when", ["nodes.a.outputs.o0 == 1", "nodes.a.outputs.o0.x == 1", "nodes.a.outputs.o0[0] == 1"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_condition_on_it_fails_with_advice(when: str, deep: bool) -> None:
    given: Any = [{"x": TEXT.mark}] if deep and "[0]" in when else TEXT.mark
    model = after(given, {"id": "b", "when": when, "inputs": FROM_A})
    assert model.status["error"]["code"] == "InvalidCondition"
    assert "lies in the store (70,000 bytes), which the operator can't read" in model.status["error"]["message"]
    assert "as an output of its own" in model.status["error"]["message"]


def test_it_goes_into_and_out_of_workflows_and_plans() -> None:
    inner = flow({"id": "i", "inputs": {"x": {"$ref": "inputs.x"}}}, inputs={"x": ANY},
                 outputs={"o0": {**ANY, "from": {"$ref": "nodes.i.outputs.o0"}}})  # fmt: skip
    model = after(
        TEXT.mark,
        {"id": "w", "workflow": {"name": "inner"}, "inputs": FROM_A},
        {"id": "p", "launchPlan": {"name": "plan"}, "inputs": FROM_A},
        flows={"inner": inner},
        plans={"plan": {"workflow": {"name": "inner"}}},
    )
    assert inputs(model, "w.i") == TEXT.mark
    assert model.manifests[Place("p", 0)]["spec"]["inputs"] == {"x": TEXT.mark}
    model.succeed("w.i", o0=LIST.mark)
    model.succeed("p", o0=LIST.mark)
    model.run_pass()
    assert model.status["phase"] == "Succeeded"
    assert model.status["nodes"]["w"]["outputs"] == model.status["nodes"]["p"]["outputs"] == {"o0": LIST.mark}


def test_an_execution_may_be_given_one() -> None:
    model = run(
        {"id": "b", "inputs": {"x": {"$ref": "inputs.n"}}}, inputs={"n": ANY}, spec={"inputs": {"n": TEXT.mark}}
    )
    assert inputs(model, "b") == TEXT.mark


def test_a_choice_passes_it_on() -> None:
    model = after(TEXT.mark, {"id": "s", "select": [{"outputs": {"o0": {"$ref": "nodes.a.outputs.o0"}}}]})
    assert model.status["nodes"]["s"]["outputs"] == {"o0": TEXT.mark}


def test_what_is_lost_is_not_tried_again_though_it_is_the_clusters_failure() -> None:
    model = after(TEXT.mark, {"id": "b", "inputs": FROM_A})
    model.fail("b", Failure(FailureKind.SYSTEM, "ValueLost", "gone"))
    model.run_pass()
    assert (model.status["phase"], model.status["error"]["kind"]) == ("Failed", "system")
    assert "attempt" not in model.status["nodes"]["b"]
    model = after(TEXT.mark, {"id": "b", "inputs": FROM_A})
    model.fail("b", Failure(FailureKind.SYSTEM, "StoreUnreadable", "no answer"))
    model.run_pass()
    assert model.status["nodes"]["b"]["reason"] == "Retrying"


# The cache.

CACHED = task({"x": ANY}, {"o0": {"type": "any"}, "o1": {"type": "optional[file]"}}, cache={"version": "1"})
FILE = {"uri": "s3://b/some.csv"}


def cached(given: Any, cache: dict[str, Body] | None = None, settings: Settings = STORE) -> Model:
    """A run of one cached task that gets something."""
    of = closure({"id": "a", "inputs": {"x": {"$ref": "inputs.n"}}}, inputs={"n": ANY}, t=CACHED)
    model = Model(of, now=NOW, settings=settings, spec={"inputs": {"n": given}}, cache=cache or {})
    model.run_pass()
    return model


def finished(given: Any, **outputs: Any) -> dict[str, Body]:
    """The cache after a run."""
    model = cached(given)
    model.succeed("a", **outputs)
    model.run_pass()
    return model.cache


def told(model: Model) -> Body:
    """What its pod is told of the cached result."""
    env = model.manifests[Place("a", 0)]["spec"]["containers"][0]["env"]
    document = next(one for one in env if one["name"] == "WINDLASS_TASK")["value"]
    found: Body = json.loads(document)["cached"]
    return found


@pytest.mark.parametrize(
    ("outputs", "uris"), [({"o0": TEXT.mark, "o1": None}, []), ({"o0": 1, "o1": FILE}, [FILE["uri"]])]
)
def test_a_cached_result_in_the_store_is_looked_for_by_its_pod(outputs: Body, uris: list[str]) -> None:
    model = cached(3, finished(3, **outputs))
    assert told(model) == {"outputs": outputs, "uris": uris}
    assert model.status["nodes"]["a"]["cache"]["state"] == "Checking"
    model.restart()
    model.say("a", Succeeded(outputs, "", reused=True))
    model.run_pass()
    node = model.status["nodes"]["a"]
    assert (node["phase"], node["reason"], node["outputs"]) == ("Succeeded", "Cached", outputs)
    assert (node["cache"]["state"], node["cache"]["message"]) == ("Hit", "taken from execution ex, node a")
    assert not any(isinstance(action, StoreEntry) for action in model.done)


def test_one_of_which_something_is_gone_is_computed_again_and_replaced() -> None:
    there = finished(3, o0=TEXT.mark, o1=None)
    model = cached(3, there)
    model.succeed("a", o0=LIST.mark, o1=None)
    model.run_pass()
    (kept,) = model.cache.values()
    assert kept["outputs"]["o0"] == LIST.mark
    assert model.status["nodes"]["a"]["cache"]["state"] == "Stored"
    assert "gone from the store" in model.status["nodes"]["a"]["cache"]["message"]


def test_where_nothing_of_it_is_in_a_store_no_pod_is_needed() -> None:
    model = cached(3, finished(3, o0=1, o1=None))
    assert model.started == []
    model = cached(3, finished(3, o0=1, o1=FILE), settings=Settings())
    assert model.started == [], "without a store of its own, the operator takes the entry's word"


def test_the_key_of_an_input_in_the_store_is_its_content() -> None:
    there = finished(TEXT.mark, o0=1, o1=None)
    assert cached(TEXT._replace(uri="s3://b/another/place").mark, there).started == []
    assert cached(TEXT._replace(sha256="c" * 64).mark, there).started != []
    assert cached(TEXT._replace(path=("x",)).mark, there).started != []


def test_a_deck_stands_in_the_status_also_of_a_failure_and_is_kept_over_a_retry() -> None:
    model = run({"id": "a"}, {"id": "b"}, t={**TAKES, "deck": {"enabled": True}})
    model.say("a", Succeeded({"o0": 1}, "", deck="s3://b/deck.html"))
    model.run_pass()
    model.restart()
    model.run_pass()
    assert model.status["nodes"]["a"]["deck"] == "s3://b/deck.html"
    env = model.manifests[Place("b", 0)]["spec"]["containers"][0]["env"]
    document = json.loads(next(one for one in env if one["name"] == "WINDLASS_TASK")["value"])
    assert document["deck"] == {"enabled": True}
    assert names.canonical_json(document)
