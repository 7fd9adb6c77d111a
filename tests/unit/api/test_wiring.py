"""What nodes take and give, whatever they are, and which types references have; what is wrong is in broken/."""

from __future__ import annotations

from typing import Any

import pytest

from windlass_api import graph
from windlass_api.refs import parse_ref
from windlass_api.types import PathError
from windlass_api.validation import validate_workflow
from windlass_api.wiring import FailureScope, Interface, Scope, interface_of, mapped_interface, references

Spec = dict[str, Any]

INT, STR = {"type": "int"}, {"type": "str"}
POINT: Spec = {
    "type": "struct",
    "schema": {
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/number"}},
        "$defs": {"number": {"type": "integer"}},
    },
}
WORLD: dict[tuple[str, str], Spec] = {
    ("Task", "double"): {"inputs": {"x": INT, "by": {"type": "int", "default": 2}}, "outputs": {"o0": INT}},
    ("Task", "locate"): {"inputs": {"name": STR}, "outputs": {"o0": POINT}},
    ("Task", "maybe"): {"outputs": {"o0": {"type": "optional[int]"}}},
    ("Task", "void"): {},
    ("Workflow", "flow"): {
        "version": "v1",
        "inputs": {"n": INT, "name": STR, "day": {"type": "datetime", "artifact": {"name": "days"}}},
        "outputs": {"total": {"type": "int", "from": 1}},
    },
    ("LaunchPlan", "plan"): {
        "workflow": {"name": "flow", "version": "v1"},
        "fixedInputs": {"n": 1},
        "defaultInputs": {"day": "2024-01-02T00:00:00Z"},
    },
    ("LaunchPlan", "lost"): {"workflow": {"name": "gone"}},
}


def find(kind: str, name: str, version: str | None) -> Spec | None:
    spec = WORLD.get((kind, name))
    return spec if spec is not None and version in (None, spec.get("version")) else None


def ref(text: str) -> Spec:
    return {"$ref": text}


def types(members: Any) -> dict[str, Any]:
    return {name: spec["type"] for name, spec in members.items()}


@pytest.mark.parametrize(
    ("node", "inputs", "outputs"),
    [
        ({"task": {"name": "double"}}, {"x": "int", "by": "int"}, {"o0": "int"}),
        ({"task": {"name": "void"}}, {}, {}),
        ({"workflow": {"name": "flow"}}, {"n": "int", "name": "str", "day": "datetime"}, {"total": "int"}),
        ({"launchPlan": {"name": "plan"}}, {"name": "str", "day": "datetime"}, {"total": "int"}),
        ({"task": {"name": "double"}, "map": {"over": ["x"]}}, {"x": "list[int]", "by": "int"}, {"o0": "list[int]"}),
        (
            {"task": {"name": "double"}, "map": {"over": ["x", "by"], "minSuccesses": 0}},
            {"x": "list[int]", "by": "list[int]"},
            {"o0": "list[optional[int]]"},
        ),
        (
            {"task": {"name": "double"}, "map": {"over": ["x"], "minSuccessRatio": 1.0}},
            {"x": "list[int]", "by": "int"},
            {"o0": "list[int]"},
        ),
        (
            {"task": {"name": "maybe"}, "map": {"over": [], "minSuccessRatio": 0.5}},
            {},
            {"o0": "list[optional[int]]"},
        ),
        (
            {"launchPlan": {"name": "plan"}, "map": {"over": ["name"]}},
            {"name": "list[str]", "day": "datetime"},
            {"total": "list[int]"},
        ),
        ({"approve": {"name": "go"}}, {"value": "any"}, {"o0": "any"}),
        ({"waitForInput": {"name": "n", "type": "optional[float]"}}, {}, {"o0": "optional[float]"}),
        ({"sleep": {"duration": "1s"}}, {}, {}),
    ],
)
def test_a_node_has_the_interface_of_what_it_is(node: Spec, inputs: Spec, outputs: Spec) -> None:
    interface = interface_of(node, find)
    assert interface is not None
    assert (types(interface.inputs), types(interface.outputs)) == (inputs, outputs)


@pytest.mark.parametrize(
    "node",
    [
        {},
        {"task": {"name": "gone"}},
        {"task": {"name": "double", "version": "v9"}},
        {"launchPlan": {"name": "lost"}},
        {"task": {"name": "double"}, "sleep": {"duration": "1s"}},
    ],
    ids=["nothing", "no task", "no such version", "a plan of nothing", "two things"],
)
def test_what_is_not_there_has_no_interface(node: Spec) -> None:
    assert interface_of(node, find) is None


def test_a_plan_fills_in_inputs_and_no_artifact_stands_beside_its_own_default() -> None:
    interface = interface_of({"launchPlan": {"name": "plan"}}, find)
    assert interface is not None
    assert interface.inputs["day"] == {"type": "datetime", "default": "2024-01-02T00:00:00Z"}


def test_the_schema_of_a_list_is_one_of_a_list_and_still_knows_its_definitions() -> None:
    mapped = mapped_interface(Interface({}, {"o0": POINT}), {"over": [], "minSuccesses": 1})
    node = {"id": "a", "task": {"name": "locate"}, "map": {"over": ["name"], "minSuccesses": 1}}
    scope = Scope({"nodes": [node]}, find)
    assert mapped.outputs["o0"]["type"] == "list[optional[struct]]"
    assert str(scope.type_of(parse_ref("nodes.a.outputs.o0[3].x"))[0]) == "int"
    with pytest.raises(PathError, match="the struct has no `y`; there is `x`"):
        scope.type_of(parse_ref("nodes.a.outputs.o0[3].y"))


NODES: list[Spec] = [
    {"id": "a", "task": {"name": "double"}, "inputs": {"x": 1}},
    {"id": "p", "task": {"name": "locate"}, "inputs": {"name": "x"}},
    {"id": "m", "task": {"name": "maybe"}},
]


def type_of(node: Spec, path: str = "nodes.s.outputs.o0") -> str:
    """The type of an output of a node `s` that stands after the others."""
    scope = Scope({"inputs": {"go": {"type": "bool"}, "n": INT}, "nodes": [*NODES, {"id": "s", **node}]}, find)
    return str(scope.type_of(parse_ref(path))[0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([ref("nodes.a.outputs.o0"), 3], "int"),
        ([3, ref("nodes.a.outputs.o0")], "int"),
        ([None, ref("nodes.a.outputs.o0")], "optional[int]"),
        ([ref("nodes.a.outputs.o0"), ref("nodes.m.outputs.o0")], "optional[int]"),
        ([1, 0.5], "float"),
        (["few", "many"], "str"),
        ([[ref("inputs.n")], [1]], "list[any]"),
        ([{"$literal": {"$x": 1}}, {}], "struct"),
        ([ref("nodes.gone.outputs.o0"), "x"], "any"),
    ],
)
def test_the_cases_of_a_choice_have_one_type(values: list[Any], expected: str) -> None:
    whens = [*(["inputs.go"] * (len(values) - 1)), None]
    cases = [
        {"outputs": {"o0": value}, **({"when": when} if when else {})}
        for value, when in zip(values, whens, strict=True)
    ]
    assert type_of({"select": [*cases, {"fail": "never"}]}) == expected


def test_what_is_approved_keeps_its_type_and_parts() -> None:
    node = {"approve": {"name": "go"}, "inputs": {"value": ref("nodes.p.outputs.o0")}}
    assert type_of(node) == "struct"
    assert type_of(node, "nodes.s.outputs.o0.x") == "int"


def test_types_pass_through_chains_of_gates_and_choices_and_through_circles_without_end() -> None:
    chain = [
        {"id": "b", "approve": {"name": "b"}, "inputs": {"value": ref("nodes.s.outputs.o0")}},
        {"id": "c", "select": [{"outputs": {"o0": ref("nodes.b.outputs.o0")}}]},
    ]
    spec = {"nodes": [*NODES, {"id": "s", "select": [{"outputs": {"o0": ref("nodes.a.outputs.o0")}}]}, *chain]}
    assert str(Scope(spec, find).type_of(parse_ref("nodes.c.outputs.o0"))[0]) == "int"
    circle = {"nodes": [{"id": "s", "select": [{"outputs": {"o0": ref("nodes.c.outputs.o0")}}]}, *chain]}
    assert str(Scope(circle, find).type_of(parse_ref("nodes.c.outputs.o0"))[0]) == "any"
    assert [finding.reason for finding in validate_workflow(circle, find)] == ["Cycle"]


def test_an_error_is_there_when_a_workflow_has_failed_and_only_then() -> None:
    spec: Spec = {"inputs": {"n": INT}, "nodes": NODES}
    failed, going = FailureScope(spec, find), Scope(spec, find)
    assert [str(failed.type_of(parse_ref(text))[0]) for text in ("error", "error.message", "inputs.n")] == [
        "struct",
        "str",
        "int",
    ]
    for scope, text in [(going, "error"), (failed, "nodes.a.outputs.o0"), (failed, "error.code")]:
        with pytest.raises(PathError):
            scope.type_of(parse_ref(text))


@pytest.mark.parametrize("text", ["error", "error.message", 'error["a b"][0]'])
def test_a_reference_to_the_error_is_spelled_as_it_is_read(text: str) -> None:
    assert str(parse_ref(text)) == text
    assert parse_ref(text).node is None


def test_a_choice_waits_for_all_that_its_cases_refer_to() -> None:
    cases = [
        {"when": "nodes.a.outputs.o0 > 1 && inputs.go", "outputs": {"o0": [ref("nodes.b.outputs.o0")]}},
        {"outputs": {"o0": {"$literal": ref("nodes.d.outputs.o0")}}},
    ]
    nodes = [{"id": name} for name in "abd"] + [{"id": "s", "select": cases, "dependsOn": ["gone"]}]
    assert graph.upstreams({"nodes": nodes}) == {"a": (), "b": (), "d": (), "s": ("a", "b")}


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        ("Task", {"actor": {"name": "pool"}}, {("ActorEnvironment", "pool")}),
        ("Task", {}, set()),
        (
            "Workflow",
            {
                "nodes": [{"task": {"name": "t"}}, {"launchPlan": {"name": "p"}}, {"sleep": {}}, "nonsense"],
                "onFailure": {"workflow": {"name": "w"}},
            },
            {("Task", "t"), ("LaunchPlan", "p"), ("Workflow", "w")},
        ),
        ("LaunchPlan", {"workflow": {"name": "w"}}, {("Workflow", "w")}),
        ("Backfill", {"launchPlan": {"name": "p"}}, {("LaunchPlan", "p")}),
        ("App", {}, set()),
    ],
)
def test_a_definition_names_what_it_refers_to(kind: str, spec: Spec, expected: set[tuple[str, str]]) -> None:
    assert references(kind, spec) == expected
