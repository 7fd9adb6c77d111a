"""Workflows made step by step, and `create_node`."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import pytest

import windlass
from windlass import _emit, task, workflow
from windlass._conditional import conditional
from windlass._create_node import create_node
from windlass._imperative import ImperativeWorkflow as Workflow
from windlass._types.error import FlyteError
from windlass._workflow import WorkflowFailurePolicy
from windlass_api.manifests_check import validate_manifests


class Both(NamedTuple):
    first: int
    second: str


class Clashing(NamedTuple):
    outputs: int


@task
def add(a: int, b: int = 1) -> int:
    return a + b


@task
def both(n: int) -> Both:
    return Both(n, str(n))


@task
def clashing(n: int) -> Clashing:
    return Clashing(n)


@task
def note(text: str) -> None:
    print(text)


@task
def total(values: list[int]) -> int:
    return sum(values)


@task
def clean_up(n: int, err: Optional[FlyteError] = None) -> None:  # noqa: UP045  as in the API
    print("cleaning up after", n, err)


@task
def break_down(n: int) -> int:
    if n:
        raise ValueError("broken")
    return n


@workflow
def sized(n: int) -> int:
    return conditional("c").if_(n > 3).then(add(a=n, b=100)).else_().then(add(a=n))  # type: ignore[no-any-return]


def doubling() -> Workflow:
    """A workflow with an input, two nodes and two outputs."""
    made = Workflow("tests.doubling")
    number = made.add_workflow_input("n", int)
    first = made.add_entity(add, a=number, b=number)
    second = made.add_task(both, n=first.o0)
    made.add_workflow_output("doubled", first.outputs["o0"])
    made.add_workflow_output("text", second.second)
    return made


# ---- steps ----


def test_it_runs_and_gives_its_outputs_by_name() -> None:
    result = doubling()(n=4)
    assert (result.doubled, result.text) == (8, "8")
    assert tuple(result) == (8, "8")


def test_its_manifest_is_that_of_any_workflow() -> None:
    made = doubling()
    assert validate_manifests(_emit.manifests(_emit.complete([made]))) == []
    manifest = _emit.manifest(made)
    assert manifest["metadata"] == {"name": "tests.doubling"}
    assert manifest["spec"] == {
        "inputs": {"n": {"type": "int"}},
        "outputs": {
            "doubled": {"type": "int", "from": {"$ref": "nodes.n0.outputs.o0"}},
            "text": {"type": "str", "from": {"$ref": "nodes.n1.outputs.second"}},
        },
        "nodes": [
            {
                "id": "n0",
                "name": "add",
                "task": {"name": add.object_name},
                "inputs": {"a": {"$ref": "inputs.n"}, "b": {"$ref": "inputs.n"}},
            },
            {
                "id": "n1",
                "name": "both",
                "task": {"name": both.object_name},
                "inputs": {"n": {"$ref": "nodes.n0.outputs.o0"}},
            },
        ],
    }


def test_lists_of_outputs_are_arguments_and_outputs_with_a_type() -> None:
    made = Workflow("w")
    first, second = made.add_entity(add, a=1), made.add_entity(add, a=2)
    summed = made.add_entity(total, values=[first.o0, second.o0, 3])
    made.add_workflow_output("all", [first.o0, summed.o0], python_type=list[int])
    assert made() == [2, 8]


def test_inputs_are_at_hand_by_name_and_may_be_outputs() -> None:
    made = Workflow("w")
    made.add_workflow_input("n", int)
    made.add_entity(note, text="x")
    made.add_workflow_output("same", made.inputs["n"])
    assert made(n=3) == 3
    assert list(made.output_bindings) == ["same"]
    assert list(made.interface.outputs.values()) == [int]


def test_nodes_can_be_ordered_and_overridden(capsys: pytest.CaptureFixture[str]) -> None:
    made = Workflow("w")
    last, middle, first = (made.add_entity(note, text=text) for text in ("last", "middle", "first"))
    assert (middle >> last) is last
    first.runs_before(middle)
    middle.with_overrides(retries=2, node_name="middle")
    made()
    assert capsys.readouterr().out == "first\nmiddle\nlast\n"
    nodes = _emit.manifest(made)["spec"]["nodes"]
    assert [(node["id"], node.get("dependsOn"), node.get("overrides")) for node in nodes] == [
        ("n2", None, None),
        ("middle", ["n2"], {"retries": 2}),
        ("n0", ["middle"], None),
    ]


def test_a_sub_workflow_joins_it_with_its_conditionals() -> None:
    made = Workflow("w")
    node = made.add_subwf(sized, n=made.add_workflow_input("n", int))
    made.add_workflow_output("size", node.o0, python_type=int)
    assert (made(n=4), made(n=1)) == (104, 2)


def test_it_can_be_called_in_another_workflow_with_keywords() -> None:
    inner = Workflow("inner")
    ordered = [inner.add_entity(note, text="later")]
    node = inner.add_subwf(sized, n=inner.add_workflow_input("n", int))
    ordered.insert(0, inner.add_entity(note, text="earlier"))
    ordered[0] >> ordered[1]
    node_with_overrides = inner.add_entity(add, a=node.o0).with_overrides(retries=4)
    inner.add_workflow_output("result", node_with_overrides.o0)

    @workflow
    def outer(n: int) -> int:
        return add(a=inner(n=n), b=1000)

    assert (outer(n=4), outer(n=1)) == (1105, 1003)
    nodes = _emit.manifest(outer)["spec"]["nodes"]
    assert [node["name"] for node in nodes] == ["add", "add", "c", "note", "note", "add", "add"]
    assert nodes[4]["dependsOn"] == [nodes[3]["id"]]
    assert nodes[5]["overrides"] == {"retries": 4}
    assert nodes[0]["when"] == "inputs.n > 3"

    @workflow
    def by_position(n: int) -> int:
        return inner(n)  # type: ignore[no-any-return]

    with pytest.raises(AssertionError, match="Only Keyword Arguments are supported for workflow executions"):
        by_position.compile()


def test_one_of_its_own_may_be_called_in_it() -> None:
    made = Workflow("outer")
    node = made.add_entity(doubling(), n=made.add_workflow_input("n", int))
    made.add_workflow_output("text", node.outputs["text"], python_type=str)
    assert made(n=2) == "4"


def test_it_can_be_changed_after_it_has_run() -> None:
    made = doubling()
    made(n=1)
    made.add_entity(note, text="more")
    assert len(made.nodes) == 3


def test_its_repr_says_what_it_has() -> None:
    assert repr(doubling()) == "<workflow tests.doubling: inputs n, 2 nodes, outputs doubled, text>"


# ---- failures ----


def test_its_handler_runs_after_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    made = Workflow("w", failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
    number = made.add_workflow_input("n", int)
    broken = made.add_entity(break_down, n=number)
    made.add_entity(note, text="still runs")
    made.add_entity(add, a=broken.o0)
    made.add_on_failure_handler(clean_up)
    with pytest.raises(ValueError, match="broken"):
        made(n=7)
    out = capsys.readouterr().out
    assert out.startswith("still runs\ncleaning up after 7 FlyteError(")
    assert "failed_node_id='efn'" in out
    spec = _emit.manifest(made)["spec"]
    assert spec["failurePolicy"] == "FailAfterExecutableNodesComplete"
    assert spec["onFailure"] == {
        "id": "efn",
        "name": "clean_up",
        "task": {"name": clean_up.object_name},
        "inputs": {"n": {"$ref": "inputs.n"}, "err": {"$ref": "error"}},
    }


def test_a_handler_that_does_not_fit_is_refused_when_it_is_added() -> None:
    made = Workflow("w")
    made.add_workflow_input("name", str)
    with pytest.raises(windlass.FlyteFailureNodeInputMismatchException, match="Mismatched Inputs Detected"):
        made.add_on_failure_handler(clean_up)


# ---- mistakes ----


def test_it_is_ready_once_it_has_a_node_and_its_inputs_are_used() -> None:
    made = Workflow("w")
    assert not made.ready()
    with pytest.raises(windlass.FlyteValidationException, match=r"Workflow not ready, w: it has no nodes"):
        made()
    number = made.add_workflow_input("n", int)
    with pytest.raises(windlass.FlyteValidationException, match=r"Workflow not ready, w: nothing uses the input n"):
        made.compile()
    made.add_entity(add, a=number)
    assert made.ready()


def test_each_step_is_checked_when_it_is_made() -> None:
    made = Workflow("w")
    made.add_workflow_input("n", int)
    node = made.add_entity(add, a=made.inputs["n"])
    with pytest.raises(windlass.FlyteValidationException, match="Input n has already been specified"):
        made.add_workflow_input("n", str)
    with pytest.raises(ValueError, match="Input name must be a valid Python identifier"):
        made.add_workflow_input("not a name", int)
    with pytest.raises(windlass.TypeTransformerFailedError, match=r"test_imperative\.py:\d+: .*expected str, got int"):
        made.add_entity(note, text=node.o0)
    with pytest.raises(windlass.FlyteAssertion, match="Input text of type"):
        made.add_entity(note)
    with pytest.raises(windlass.FlyteAssertion, match="needs a python_type"):
        made.add_workflow_output("x", [node.o0])
    with pytest.raises(windlass.TypeTransformerFailedError, match="Failed to bind output x"):
        made.add_workflow_output("x", node.o0, python_type=str)
    with pytest.raises(AssertionError, match="is no output: take one of a node's outputs"):
        made.add_workflow_output("x", node)
    made.add_workflow_output("x", node.o0)
    with pytest.raises(windlass.FlyteValidationException, match="Output x already exists in workflow w"):
        made.add_workflow_output("x", node.o0)
    with pytest.raises(windlass.FlyteAssertion, match="create_node takes a task, workflow or launch plan"):
        made.add_entity(len)  # type: ignore[arg-type]  # that is the mistake


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"name": ""}, ValueError),
        ({"name": "x", "failure_policy": 0}, windlass.FlyteValidationException),
        ({"name": "x", "interruptible": 3}, windlass.FlyteValidationException),
    ],
)
def test_settings_are_checked(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Workflow(**options)


# ---- create_node ----


def test_nodes_can_be_made_and_ordered_in_a_body() -> None:
    @workflow
    def by_nodes(n: int) -> Both:
        first = create_node(note, text="first")
        second = create_node(both, n=n)
        first >> second
        assert second.id == "n1" or second.id == "local"  # noqa: PLR1714  when it runs
        return second.outputs["first"], second.second  # type: ignore[return-value]  # promises, in a workflow

    assert by_nodes(n=3) == Both(3, "3")
    assert _emit.manifest(by_nodes)["spec"]["nodes"][1]["dependsOn"] == ["n0"]


def test_what_a_node_does_not_have_is_refused() -> None:
    def nothing(name: str) -> Any:
        node = create_node(note, text="x")
        return node.outputs if name == "outputs" else getattr(node, name)

    for name in ("outputs", "o0"):
        with pytest.raises(AssertionError, match="Outputs of a non-output producing task n0 cannot be passed"):
            workflow(_body(lambda name=name: nothing(name))).compile()
    with pytest.raises(AttributeError, match="has no output 'third'; it has first, second"):
        workflow(_body(lambda: create_node(both, n=1).third)).compile()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: create_node(add, 1), "Only Keyword Arguments are supported by create_node"),
        (lambda: create_node(clashing, n=1), "the output outputs of .* is called like an attribute of nodes"),
        (lambda: create_node(add), "Input a of type int was not specified"),
    ],
)
def test_calls_that_can_not_be_nodes_are_refused(make: Any, message: str) -> None:
    with pytest.raises(windlass.FlyteAssertion, match=message):
        workflow(_body(make)).compile()


def test_nodes_are_made_in_workflows() -> None:
    with pytest.raises(windlass.FlyteAssertion, match="Cannot create node when not compiling"):
        create_node(add, a=1)


def _body(make: Any) -> Any:
    def body() -> None:
        make()

    return body
