"""The rules, each with a manifest that breaks it; that right ones pass is in tests/properties/test_api_graph.py."""

from __future__ import annotations

from typing import Any

import pytest

from windlass_api.findings import Finding, did_you_mean, field_path
from windlass_api.validation import complete_inputs, validate_task, validate_workflow

Spec = dict[str, Any]

RUN: Spec = {"python": {"entrypoint": "examples:run"}}
TASKS: dict[str, Spec] = {
    "double": {"inputs": {"x": {"type": "int"}}, "outputs": {"o0": {"type": "int"}}, **RUN},
    "shout": {
        "inputs": {"text": {"type": "str"}, "times": {"type": "int", "default": 1}, "note": {"type": "optional[str]"}},
        "outputs": {"o0": {"type": "str"}},
        **RUN,
    },
    "join": {
        "inputs": {"parts": {"type": "list[union[str, none]]"}, "config": {"type": "struct", "default": {}}},
        "outputs": {"o0": {"type": "str"}},
        **RUN,
    },
    "locate": {
        "inputs": {"point": {"type": "struct", "schema": {"type": "object", "properties": {"x": {"type": "integer"}}}}},
        "outputs": {"o0": {"type": "struct", "schema": {"type": "object", "properties": {"x": {"type": "integer"}}}}},
        **RUN,
    },
}


def find_task(kind: str, name: str, version: str | None) -> Spec | None:
    return TASKS.get(name) if kind == "Task" and version is None else None


def node(name: str, task: str, **fields: Any) -> Spec:
    inputs = fields.pop("inputs", {})
    return {"id": name, "task": {"name": task}, "inputs": inputs, **fields}


def ref(text: str) -> Spec:
    return {"$ref": text}


def check(*nodes: Spec, **spec: Any) -> list[tuple[str, str]]:
    return [(f.reason, str(f)) for f in validate_workflow({"nodes": list(nodes), **spec}, find_task)]


DOUBLE = node("a", "double", inputs={"x": 1})


@pytest.mark.parametrize(
    ("spec", "findings"),
    [
        (RUN, []),
        ({}, ["spec: exactly one runner is required: `python`"]),
        (
            {**RUN, "inputs": {"x": {"type": "integer"}}},
            ["spec.inputs.x.type: `integer` is no type: `integer` is unknown; did you mean `int`?, at character 1"],
        ),
        (
            {**RUN, "outputs": {"o0": {"type": "list[]"}}},
            ["spec.outputs.o0.type: `list[]` is no type: a type is expected"],
        ),
        ({**RUN, "inputs": {"x": {"type": "int", "default": "1"}}}, ['spec.inputs.x.default: expected int, got "1"']),
        ({**RUN, "inputs": {"a-b": {"type": "int"}}}, ["spec.inputs.a-b: `a-b` is no name"]),
        ({**RUN, "inputs": {"x": {"type": "any", "default": [[[0]]]}}}, []),
    ],
)
def test_a_task_is_told_what_is_wrong_with_it(spec: Spec, findings: list[str]) -> None:
    found = [str(finding) for finding in validate_task(spec)]
    assert len(found) == len(findings)
    assert all(one.startswith(start) for one, start in zip(found, findings, strict=True))


def test_values_that_nest_without_end_are_refused_rather_than_followed() -> None:
    deep: Any = 0
    for _ in range(10_000):
        deep = [deep]
    assert [f.path for f in validate_task({**RUN, "inputs": {"x": {"type": "any", "default": deep}}})] == ["spec"]
    assert [f.path for f in validate_workflow({"nodes": [node("a", "double", inputs={"x": deep})]}, find_task)] == [
        "spec"
    ]
    assert [f.path for f in complete_inputs({"x": {"type": "any"}}, {"x": deep})[1]] == ["spec.inputs.x"]


@pytest.mark.parametrize(
    ("nodes", "reason", "text"),
    [
        ([node("a", "dubble")], "TaskNotFound", "spec.nodes[0].task: there is no Task `dubble`"),
        (
            [{"id": "a", "task": {"name": "double", "version": "9"}, "inputs": {"x": 1}}],
            "TaskNotFound",
            "spec.nodes[0].task: there is no Task `double` in version `9`",
        ),
        ([node("a", "double")], "MissingInput", "spec.nodes[0].inputs.x: `x` (int) is required, it has no default"),
        (
            [node("a", "shout", inputs={"text": "hi", "time": 2})],
            "UnknownInput",
            "spec.nodes[0].inputs.time: there is no input `time`; did you mean `times`?",
        ),
        (
            [node("a", "shout", inputs={"text": "hi", "false": 2})],
            "UnknownInput",
            "spec.nodes[0].inputs.false: there is no input `false`; if the manifest says `n`, `no` or `off`, "
            "put it into quotes: YAML reads it as a bool",
        ),
        (
            [node("a", "double", inputs={"x": "1"})],
            "TypeMismatch",
            'spec.nodes[0].inputs.x: expected int, got "1"',
        ),
        (
            [DOUBLE, node("b", "shout", inputs={"text": ref("nodes.a.outputs.o0")})],
            "TypeMismatch",
            "spec.nodes[1].inputs.text: expected str, got int from `nodes.a.outputs.o0`",
        ),
        (
            [DOUBLE, node("b", "join", inputs={"parts": ["x", ref("nodes.a.outputs.o0"), None]})],
            "TypeMismatch",
            "spec.nodes[1].inputs.parts[1]: expected union[str, none], got int from `nodes.a.outputs.o0`",
        ),
        (
            [DOUBLE, node("b", "join", inputs={"parts": {"p": ref("nodes.a.outputs.o0")}})],
            "TypeMismatch",
            "spec.nodes[1].inputs.parts: expected list[union[str, none]], got a map",
        ),
        (
            [node("a", "locate", inputs={"point": {"x": ref("inputs.name")}})],
            "TypeMismatch",
            "spec.nodes[0].inputs.point.x: expected int, got str from `inputs.name`",
        ),
        (
            [DOUBLE, node("b", "double", inputs={"x": ref("nodes.c.outputs.o0")})],
            "UnknownReference",
            "spec.nodes[1].inputs.x: `nodes.c.outputs.o0`: there is no node `c`",
        ),
        (
            [DOUBLE, node("b", "double", inputs={"x": ref("nodes.a.outputs.o1")})],
            "UnknownReference",
            "spec.nodes[1].inputs.x: `nodes.a.outputs.o1`: node `a` has no output `o1`; there is `o0`",
        ),
        (
            [node("a", "double", inputs={"x": ref("inputs.nam")})],
            "UnknownReference",
            "spec.nodes[0].inputs.x: `inputs.nam`: the workflow has no input `nam`; did you mean `name`?",
        ),
        (
            [DOUBLE, node("b", "double", inputs={"x": ref("nodes.a.outputs.o0.part")})],
            "UnknownReference",
            "spec.nodes[1].inputs.x: `nodes.a.outputs.o0.part`: `int` has no `.part`",
        ),
        (
            [node("a", "locate", inputs={"point": {}}), node("b", "double", inputs={"x": ref("nodes.a.outputs.o0.y")})],
            "UnknownReference",
            "spec.nodes[1].inputs.x: `nodes.a.outputs.o0.y`: the struct has no `y`; there is `x`",
        ),
        (
            [node("a", "double", inputs={"x": {"$ref": "inputs"}})],
            "InvalidReference",
            "spec.nodes[0].inputs.x: `inputs` is no reference: an input's name is missing",
        ),
        (
            [node("a", "join", inputs={"parts": [], "config": {"c": {"$get": 1}}})],
            "InvalidReference",
            "spec.nodes[0].inputs.config.c: `$get` has no meaning here",
        ),
        ([DOUBLE, DOUBLE], "DuplicateNode", "spec.nodes[1].id: `a` is the id of spec.nodes[0] already"),
        ([node("A_1", "double", inputs={"x": 1})], "InvalidNodeId", "spec.nodes[0].id: `A_1` is no node id"),
        (
            [{**DOUBLE, "dependsOn": ["aa"]}],
            "UnknownReference",
            "spec.nodes[0].dependsOn[0]: there is no node `aa`; did you mean `a`?",
        ),
        ([{**DOUBLE, "dependsOn": ["a"]}], "Cycle", "spec.nodes[0]: these nodes wait for each other: a → a"),
        (
            [
                node("a", "double", inputs={"x": ref("nodes.c.outputs.o0")}),
                node("b", "double", inputs={"x": ref("nodes.a.outputs.o0")}),
                node("c", "double", inputs={"x": 1}, when="nodes.b.outputs.o0 > 1"),
            ],
            "Cycle",
            "spec.nodes[1]: these nodes wait for each other: b → c → a → b",
        ),
        (
            [{**DOUBLE, "when": "inputs.name = 'x'"}],
            "InvalidExpression",
            "spec.nodes[0].when: `=` compares nothing; write `==`, at character 13",
        ),
        (
            [{**DOUBLE, "when": "inputs.name > 1"}],
            "InvalidExpression",
            "spec.nodes[0].when: `>` does not fit string and int",
        ),
        (
            [{**DOUBLE, "when": "inputs.name"}],
            "InvalidExpression",
            "spec.nodes[0].when: `inputs.name` is string, a condition is a bool; compare it with something",
        ),
        (
            [{**DOUBLE, "when": "inputs.nam == 'x'"}],
            "UnknownReference",
            "spec.nodes[0].when: `inputs.nam`: the workflow has no input `nam`",
        ),
    ],
)
def test_a_workflow_is_told_what_is_wrong_and_where(nodes: list[Spec], reason: str, text: str) -> None:
    found = check(*nodes, inputs={"name": {"type": "str"}})
    assert [one for one, _ in found] == [reason]
    assert found[0][1].startswith(text)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("a", "shout", inputs={"text": ref("inputs.name")})],
        [node("a", "join", inputs={"parts": [ref("inputs.name"), None, "x"], "config": {"$literal": {"$x": 1}}})],
        [
            node("a", "locate", inputs={"point": {"x": 1}}),
            node("b", "double", inputs={"x": ref("nodes.a.outputs.o0.x")}),
        ],
        [{**DOUBLE, "when": "inputs.name == 'x' || inputs.name == null"}],
        [],
    ],
    ids=[
        "defaults and nullable inputs may be left out",
        "constants beside references",
        "a part of a struct",
        "when",
        "none",
    ],
)
def test_a_workflow_in_order_has_no_findings(nodes: list[Spec]) -> None:
    assert check(*nodes, inputs={"name": {"type": "str"}}) == []


def test_outputs_are_checked_like_inputs() -> None:
    outputs = {
        "good": {"type": "list[int]", "from": [ref("nodes.a.outputs.o0"), 1]},
        "bad": {"type": "str", "from": ref("nodes.a.outputs.o0")},
        "lost": {"type": "str", "from": ref("nodes.z.outputs.o0")},
        "empty": {"type": "str"},
    }
    assert [text for _, text in check(DOUBLE, outputs=outputs)] == [
        "spec.outputs.bad.from: expected str, got int from `nodes.a.outputs.o0`",
        "spec.outputs.lost.from: `nodes.z.outputs.o0`: there is no node `z`; there is `a`",
        "spec.outputs.empty.from: it is required: what the output is made of, such as a `$ref`",
    ]


def test_everything_wrong_is_found_at_once_and_nothing_twice() -> None:
    found = check(
        node("a", "unknown", inputs={"x": ref("nodes.b.outputs.nope")}),
        node("b", "double", inputs={"x": ref("nodes.a.outputs.whatever"), "y": 1}, when="1 +"),
    )
    assert [reason for reason, _ in found] == [
        "UnknownReference",
        "TaskNotFound",
        "InvalidExpression",
        "UnknownInput",
        "Cycle",
    ]


def test_inputs_are_completed_in_the_order_of_the_interface() -> None:
    interface: dict[str, Spec] = {
        "b": {"type": "int", "default": 2},
        "a": {"type": "str"},
        "c": {"type": "optional[int]"},
    }
    values, findings = complete_inputs(interface, {"a": "x"})
    assert list(values.items()) == [("b", 2), ("a", "x"), ("c", None)]
    assert findings == []


def test_inputs_of_a_run_are_data_even_with_dollars() -> None:
    values, findings = complete_inputs({"x": {"type": "any"}}, {"x": {"$ref": "inputs.x"}})
    assert (values, findings) == ({"x": {"$ref": "inputs.x"}}, [])


def test_inputs_that_do_not_fit_are_found() -> None:
    interface = {"n": {"type": "int"}, "text": {"type": "str"}}
    _, findings = complete_inputs(interface, {"n": "3", "txet": "x"})
    assert findings == [
        Finding("spec.inputs.n", "TypeMismatch", 'expected int, got "3"'),
        Finding("spec.inputs.text", "MissingInput", "`text` (str) is required, it has no default"),
        Finding("spec.inputs.txet", "UnknownInput", "there is no input `txet`; did you mean `text`?"),
    ]
    assert [str(found) for found in complete_inputs(None, {"x": 1})[1]] == [
        "spec.inputs.x: there is no input `x`; there are no inputs"
    ]


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (("spec", "nodes", 2, "inputs", "x"), "spec.nodes[2].inputs.x"),
        (("spec.inputs", "a.b"), 'spec.inputs["a.b"]'),
        (("", "spec"), "spec"),
        (("spec", ""), 'spec[""]'),
        ((), ""),
    ],
)
def test_paths_read_as_in_kubectl(parts: tuple[str | int, ...], path: str) -> None:
    assert field_path(*parts) == path


def test_hints_name_what_is_close_or_what_there_is() -> None:
    assert did_you_mean("txet", ["text", "times"]) == "; did you mean `text`?"
    assert did_you_mean("zzz", ["b", "a"]) == "; there is `a`, `b`"
    assert did_you_mean("zzz", []) == ""
    assert did_you_mean("zzz", map(str, range(12))).endswith("and 2 more")
