"""Workflows inside the workflow, and choices among what others gave: nodes without a child."""

from __future__ import annotations

from typing import Any

import pytest

from tests.properties.model_cluster import Model
from tests.unit.operator.things import Body, closure, flow, inputs_of, task
from windlass_operator.kinds.evidence import Failure, FailureKind

ANY = {"type": "any"}
OUT = {"o0": {**ANY, "from": {"$ref": "nodes.n0.outputs.o0"}}}
BROKEN = Failure(FailureKind.USER, "USER:RuntimeError", "it broke", "RuntimeError")
COUNTS = task({"x": {"type": "any", "default": 0}}, {"o0": ANY})


def run(*nodes: Body, inputs: Body | None = None, given: Body | None = None, **more: Any) -> Model:
    """A run of a workflow with these nodes, after its first pass."""
    of = closure(*nodes, inputs=inputs, **{"t": COUNTS, **more})
    model = Model(of, spec={"inputs": given or {}})
    model.run_pass()
    return model


def phases(model: Model) -> dict[str, str]:
    return {name: state.phase.value for name, state in model.state.nodes.items()}


W: Body = {"id": "w", "workflow": {"name": "inner"}}


def test_a_workflow_inside_runs_with_its_inputs_and_gives_its_outputs() -> None:
    inner = flow({"id": "n0", "inputs": {"x": {"$ref": "inputs.n"}}}, inputs={"n": {"type": "int"}}, outputs=OUT)
    model = run(
        {**W, "inputs": {"n": 4}},
        {"id": "z", "inputs": {"x": {"$ref": "nodes.w.outputs.o0"}}},
        flows={"inner": inner},
        outputs={"all": {**ANY, "from": {"$ref": "nodes.z.outputs.o0"}}},
    )
    assert phases(model) == {"w": "Running", "w.n0": "Queued", "z": "Pending"}
    assert inputs_of(model.manifests[model.started[0]]) == {"x": 4}
    model.succeed("w.n0", o0=5)
    model.run_pass()
    assert phases(model) == {"w": "Succeeded", "w.n0": "Succeeded", "z": "Queued"}
    assert model.node("w").outputs == {"o0": 5}
    model.succeed("z", o0=6)
    model.run_pass()
    assert model.status["outputs"] == {"all": 6}


def test_its_own_defaults_fill_in_what_is_not_given() -> None:
    inner = flow(
        {"id": "n0", "inputs": {"x": {"$ref": "inputs.n"}}}, inputs={"n": {"type": "int", "default": 7}}, outputs=OUT
    )
    model = run(W, flows={"inner": inner})
    assert inputs_of(model.manifests[model.started[0]]) == {"x": 7}


def test_inputs_of_another_type_fail_it_before_anything_in_it_starts() -> None:
    inner = flow({"id": "n0"}, inputs={"n": {"type": "int"}})
    model = run(
        {**W, "inputs": {"n": {"$ref": "inputs.v"}}}, inputs={"v": ANY}, given={"v": "x"}, flows={"inner": inner}
    )
    assert (model.status["phase"], model.status["error"]["code"]) == ("Failed", "InvalidInputs")
    assert model.status["error"]["message"] == 'nodes.w.inputs.n: expected int, got "x"'
    assert model.started == []


@pytest.mark.parametrize("keeps_going", [False, True])
def test_a_failure_inside_is_dealt_with_by_its_own_policy_and_then_by_the_outer_one(keeps_going: bool) -> None:
    inner = flow({"id": "n0"}, {"id": "n1"}, {"id": "n2", "dependsOn": ["n1"]}, keeps_going=True, handler={"id": "fn0"})
    model = run(W, {"id": "z"}, flows={"inner": inner}, keeps_going=keeps_going)
    model.fail("w.n0", BROKEN)
    model.run_pass()
    assert phases(model) == {
        "w": "Running", "w.n0": "Failed", "w.n1": "Queued", "w.n2": "Pending", "w.fn0": "Pending", "z": "Queued",
    }  # fmt: skip
    model.succeed("w.n1", o0=0)
    model.run_pass()
    model.succeed("w.n2", o0=0)
    model.run_pass()
    assert phases(model)["w.fn0"] == "Queued"
    assert phases(model)["w"] == "Running", "its handler belongs to it"
    model.succeed("w.fn0", o0=0)
    model.run_pass()
    assert phases(model)["w"] == "Failed"
    assert (model.node("w").reason, model.node("w").message) == ("USER:RuntimeError", "it broke")
    deleting = [view.name for view in model.pods.values() if view.deleting]
    assert deleting == ([] if keeps_going else ["ex-z-0"])


def test_a_handler_gets_the_error_of_its_own_workflow_with_the_node_as_it_is_called_there() -> None:
    gets = task({"err": {"type": "struct"}})
    inner = flow({"id": "n0"}, handler={"id": "fn0", "task": {"name": "h"}, "inputs": {"err": {"$ref": "error"}}})
    outer = {"id": "fn0", "task": {"name": "h"}, "inputs": {"err": {"$ref": "error"}}}
    model = run(W, handler=outer, flows={"inner": inner}, h=gets)
    model.fail("w.n0", BROKEN)
    model.run_pass()
    told = {"message": "RuntimeError: it broke", "failed_node_id": "n0"}
    assert inputs_of(model.manifests[model.started[-1]]) == {"err": told}
    model.succeed("w.fn0", o0=0)
    model.run_pass()
    assert inputs_of(model.manifests[model.started[-1]]) == {"err": {**told, "failed_node_id": "w.n0"}}
    model.succeed("fn0", o0=0)
    model.run_pass()
    assert (model.status["phase"], model.status["error"]["node"]) == ("Failed", "w.n0")


@pytest.mark.parametrize("restarts", [False, True], ids=["", "and the operator starts anew"])
def test_a_handler_runs_when_outputs_can_not_be_made_too(restarts: bool) -> None:
    gets = task({"err": {"type": "struct"}})
    needs: Body = {"o0": {"type": "int", "from": {"$ref": "nodes.n0.outputs.o0"}}}
    handler: Body = {"id": "fn0", "task": {"name": "h"}, "inputs": {"err": {"$ref": "error"}}}
    inner = flow({"id": "n0", "when": "false"}, handler=handler, outputs=needs)
    model = run(W, handler=handler, flows={"inner": inner}, h=gets)
    why = "nodes.w: outputs.o0: node n0 was skipped, and int can't be null; use optional[int]"
    assert phases(model)["w"] == "Running"
    assert inputs_of(model.manifests[model.started[-1]]) == {"err": {"message": why, "failed_node_id": ""}}
    if restarts:
        model.restart()
        model.run_pass()
    model.succeed("w.fn0", o0=0)
    model.run_pass()
    assert phases(model)["w"] == "Failed"
    assert inputs_of(model.manifests[model.started[-1]]) == {"err": {"message": why, "failed_node_id": "w"}}
    model.succeed("fn0", o0=0)
    model.run_pass()
    assert model.status["phase"] == "Failed"
    assert (model.status["error"]["node"], model.status["error"]["code"]) == ("w", "OutputSkipped")
    assert [place.node for place in model.started] == ["w.fn0", "fn0"]


@pytest.mark.parametrize("restarts", [False, True], ids=["", "and the operator starts anew"])
def test_the_runs_own_handler_runs_when_its_outputs_can_not_be_made(restarts: bool) -> None:
    needs: Body = {"o0": {"type": "int", "from": {"$ref": "nodes.n0.outputs.o0[3]"}}}
    handler: Body = {"id": "fn0", "task": {"name": "h"}, "inputs": {"err": {"$ref": "error"}}}
    model = run({"id": "n0"}, handler=handler, outputs=needs, h=task({"err": {"type": "struct"}}))
    model.succeed("n0", o0=[1])
    model.run_pass()
    assert model.status["phase"] == "Running"
    told = inputs_of(model.manifests[model.started[-1]])["err"]
    assert told["message"].startswith("outputs.o0: ")
    if restarts:
        model.restart()
        model.run_pass()
    model.succeed("fn0", o0=0)
    model.run_pass()
    assert (model.status["phase"], model.status["error"]["code"]) == ("Failed", "UnresolvableReference")
    assert [place.node for place in model.started] == ["n0", "fn0"]


def test_a_workflow_whose_condition_is_false_is_skipped_with_all_that_is_in_it() -> None:
    inner = flow({"id": "n0"}, handler={"id": "fn0"}, outputs=OUT)
    model = run(
        {**W, "when": "inputs.n > 3"}, inputs={"n": {"type": "int", "default": 3}}, flows={"inner": inner}, given={}
    )
    assert phases(model) == {"w": "Skipped", "w.n0": "Skipped", "w.fn0": "Skipped"}
    assert model.status["nodes"].keys() == {"w"}, "what never began is not shown"
    assert model.status["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [("optional[int]", None, None), ("int", None, "OutputSkipped")],
)
def test_an_output_of_a_skipped_node_is_null_where_the_type_lets_it(kind: str, value: Any, error: str | None) -> None:
    of: Body = {"o0": {"type": kind, "from": {"$ref": "nodes.n0.outputs.o0"}}}
    inner = flow({"id": "n0", "when": "false"}, outputs=of)
    model = run(W, flows={"inner": inner}, outputs={"all": {**ANY, "from": {"$ref": "nodes.w.outputs.o0"}}})
    if error is None:
        assert model.status["outputs"] == {"all": value}
    else:
        assert model.status["error"]["code"] == error
        assert model.status["error"]["message"] == (
            "nodes.w: outputs.o0: node n0 was skipped, and int can't be null; use optional[int]"
        )


def test_an_empty_workflow_is_over_at_once() -> None:
    model = run(W, flows={"inner": flow(outputs={"o0": {**ANY, "from": 3}})})
    assert model.node("w").outputs == {"o0": 3}
    assert model.status["phase"] == "Succeeded"


def test_an_outer_failure_stops_a_workflow_and_its_handler() -> None:
    model = run(
        W, {"id": "z"}, flows={"inner": flow({"id": "n0"}, {"id": "n1", "dependsOn": ["n0"]}, handler={"id": "f"})}
    )
    model.fail("z", BROKEN)
    model.run_pass()
    assert [view.node for view in model.pods.values() if view.deleting] == ["w.n0"]
    model.end_pod(model.started[0], "gone")
    model.run_pass()
    assert phases(model) == {
        "w": "Cancelled",
        "w.n0": "Cancelled",
        "w.n1": "Cancelled",
        "w.f": "Cancelled",
        "z": "Failed",
    }
    assert model.status["phase"] == "Failed"


# Choices.


def choice(*cases: Body, **given: Any) -> Model:
    """A choice after the branches yes and no, of which one ran by the input n."""
    return run(
        {"id": "yes", "when": "inputs.n > 0"},
        {"id": "no", "when": "inputs.n <= 0"},
        {"id": "s", "select": list(cases), "dependsOn": ["yes", "no"]},
        {"id": "after", "inputs": {"x": {"$ref": "nodes.s.outputs.o0"}}},
        inputs={"n": {"type": "int"}},
        given=given,
    )


YES: Body = {"when": "inputs.n > 0", "outputs": {"o0": {"$ref": "nodes.yes.outputs.o0"}}}
NO: Body = {"outputs": {"o0": {"$ref": "nodes.no.outputs.o0"}}}


@pytest.mark.parametrize(("n", "branch"), [(1, "yes"), (0, "no")])
def test_a_select_gives_what_the_branch_that_ran_gave(n: int, branch: str) -> None:
    model = choice(YES, NO, n=n)
    assert phases(model)["s"] == "Pending"
    model.succeed(branch, o0=f"from {branch}")
    model.run_pass()
    assert model.node("s").outputs == {"o0": f"from {branch}"}
    assert phases(model)["after"] == "Queued"


@pytest.mark.parametrize(
    ("cases", "phase", "reason"),
    [
        ([{"when": "inputs.n > 9", "outputs": {"o0": 1}}], "Skipped", "NoCase"),
        ([{"when": "inputs.n > 0", "outputs": {"o0": 1}}, {"outputs": {"o0": 2}}], "Succeeded", ""),
        ([{"fail": "n is too large"}], "Failed", "USER:ValueError"),
        ([{"when": "inputs.n > 9", "fail": "no"}, {"outputs": {"o0": 2}}], "Succeeded", ""),
        ([{"when": "inputs.n", "outputs": {"o0": 1}}], "Failed", "InvalidCondition"),
        ([{"outputs": {"o0": {"$ref": "nodes.no.outputs.o0"}}}], "Failed", "UnresolvableReference"),
    ],
    ids=["no case", "the first that is true", "one that fails", "one that doesn't", "no condition", "a skipped branch"],
)  # fmt: skip
def test_the_first_case_that_is_true_counts(cases: list[Body], phase: str, reason: str) -> None:
    model = choice(*cases, n=1)
    model.succeed("yes", o0=1)
    model.run_pass()
    assert (phases(model)["s"], model.node("s").reason) == (phase, reason)
    if phase == "Skipped":
        assert phases(model)["after"] == "Skipped"


def test_a_case_that_fails_tells_its_message() -> None:
    model = choice({"fail": "n is too large"}, n=1)
    model.succeed("yes", o0=1)
    model.run_pass()
    assert model.status["error"] == {
        "node": "s", "code": "USER:ValueError", "kind": "user", "type": "ValueError", "message": "n is too large",
    }  # fmt: skip


def test_a_handler_that_nobody_needed_is_not_shown_after_a_restart_either() -> None:
    inner = flow({"id": "n0"}, handler={"id": "fn0"})
    model = run(W, {"id": "z", "dependsOn": ["w"]}, flows={"inner": inner})
    model.succeed("w.n0", o0=1)
    model.run_pass()
    model.restart()
    model.run_pass()
    model.succeed("z", o0=2)
    model.run_pass()
    shown = {name: node["phase"] for name, node in model.status["nodes"].items()}
    assert shown == {"w": "Succeeded", "w.n0": "Succeeded", "z": "Succeeded"}
    assert phases(model)["w.fn0"] == "Skipped"
