"""The inputs of an attempt: what goes into the pod's environment, what beside it, and what is refused."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from tests.properties.api_strategies import json_values
from tests.unit.operator.things import Body, closure, task
from windlass_api import names, refs
from windlass_operator.core.inputs import NodeInputs, set_apart
from windlass_operator.core.observed import NodeState
from windlass_operator.core.states import NodePhase
from windlass_operator.core.values import InvalidInputsError, Values
from windlass_operator.kinds.evidence import Failure
from windlass_operator.settings import Settings

ANY = {"x": {"type": "any"}, "y": {"type": "any", "default": None}}
NOISE = "".join(random.Random(3).choices("0123456789abcdef", k=4000))  # compresses to about a half


def prepared(inputs: Body, interface: Body | None = None, settings: Settings | None = None, **found: Any) -> Any:
    """The inputs of a node that reads outputs of the node `up`."""
    up = {"id": "up", "task": {"name": "u"}}
    of = closure(up, {"id": "a", "inputs": inputs}, t=task(interface or ANY), u=task())
    nodes = {"up": NodeState(NodePhase.SUCCEEDED, outputs=found)}
    try:
        complete = Values("e", of, nodes, {}, {}, lambda _: None).complete(of.nodes["a"])
    except InvalidInputsError as wrong:
        return wrong.failure
    return set_apart("a", complete, settings or Settings())


def bindings(name: str) -> Body:
    return {"x": {"$ref": f"nodes.up.outputs.{name}"}}


def test_references_are_resolved_and_defaults_filled_in() -> None:
    interface = {
        "x": {"type": "list[int]"},
        "y": {"type": "int", "default": 7},
        "z": {"type": "optional[str]", "default": None},
    }
    made = prepared({"x": [{"$ref": "nodes.up.outputs.n"}, 2]}, interface, n=1)
    assert (made.document, made.large) == ({"x": [1, 2], "y": 7, "z": None}, {})


@given(json_values)
def test_any_value_arrives_as_it_was(value: Any) -> None:
    made = prepared(bindings("v"), v=value)
    assert isinstance(made, NodeInputs)
    assert refs.decode(made.document["x"], {}) == value


@pytest.mark.parametrize(
    ("value", "document"),
    [
        ({"$ref": "inputs.text"}, {"$literal": {"$ref": "inputs.text"}}),
        ({"$value": "0" * 16}, {"$literal": {"$value": "0" * 16}}),
        ({"a": [{"$x": 1}]}, {"a": [{"$literal": {"$x": 1}}]}),
        ({"a": "$ref"}, {"a": "$ref"}),
    ],
    ids=["a reference that is data", "a value that is data", "deep inside", "a text"],
)
def test_data_that_looks_like_a_mark_is_escaped(value: Any, document: Any) -> None:
    assert prepared(bindings("v"), v=value).document["x"] == document
    assert prepared({"x": {"$literal": value}} if isinstance(value, dict) else {"x": value}).document["x"] == document


def test_a_large_value_stands_beside_and_is_named_by_its_content() -> None:
    small, large = Settings(inline_value_limit=100), "x" * 99
    made = prepared({**bindings("v"), "y": 1}, settings=small, v=large)
    data = b'"' + large.encode() + b'"'
    digest = names.content_hash(data)
    assert made == NodeInputs({"x": {"$value": digest}, "y": 1}, {digest: data}, size=len("1"))
    fits = prepared(bindings("v"), settings=small, v="x" * 98)
    assert fits == NodeInputs({"x": "x" * 98, "y": None}, {}, size=100 + len("null"))


def test_a_large_value_is_not_escaped_since_it_is_read_as_it_is() -> None:
    value = {"$ref": "y" * 200}
    made = prepared(bindings("v"), settings=Settings(inline_value_limit=100), v=value)
    assert list(made.large.values()) == [names.canonical_json(value)]


def test_one_value_for_two_inputs_travels_once() -> None:
    ref = {"$ref": "nodes.up.outputs.v"}
    made = prepared({"x": ref, "y": ref}, settings=Settings(inline_value_limit=10), v="z" * 50)
    assert len(made.large) == 1
    assert made.document["x"] == made.document["y"]


@pytest.mark.parametrize(
    ("inputs", "settings", "found", "code", "says"),
    [
        (bindings("v.deep"), Settings(), {"v": {}}, "UnresolvableReference", "nodes.a.inputs: "),
        (bindings("v"), Settings(inline_value_limit=10, value_limit=1000), {"v": NOISE}, "InputsTooLarge",
         "nodes.a.inputs.x: 4002 bytes; a value may have 1000 bytes after compression;"),
        ({**bindings("v"), "y": "z" * 40}, Settings(inline_inputs_limit=100), {"v": "z" * 60}, "InputsTooLarge",
         "nodes.a.inputs: 104 bytes; the small inputs of one node may have 100 bytes together"),
    ],
    ids=["a part that isn't there", "one value too large", "many small ones"],
)  # fmt: skip
def test_what_cannot_be_handed_over_is_refused(
    inputs: Body, settings: Settings, found: Body, code: str, says: str
) -> None:
    failure = prepared(inputs, settings=settings, **found)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.recoverable) == (code, False)
    assert failure.message.startswith(says)


def test_values_are_held_against_their_types_with_their_place() -> None:
    failure = prepared(bindings("v"), {"x": {"type": "list[int]"}}, v=[1, "two"])
    assert isinstance(failure, Failure)
    assert failure.code == "InvalidInputs"
    assert failure.message == 'nodes.a.inputs.x[1]: expected int, got "two"'


@example(98, 48)
@example(98, 49)
@example(99, 98)
@given(st.integers(0, 200), st.integers(0, 200))
def test_inputs_are_inline_within_both_limits_and_never_beyond(x: int, y: int) -> None:
    limits = Settings(inline_value_limit=100, inline_inputs_limit=150)
    made = prepared({**bindings("x"), "y": "b" * y}, settings=limits, x="a" * x)
    inline = [size + 2 for size in (x, y) if size + 2 <= 100]
    assert isinstance(made, NodeInputs) == (sum(inline) <= 150)
    if isinstance(made, NodeInputs):
        assert len(made.large) == len([size for size in (x, y) if size + 2 > 100])


def test_what_elements_of_a_map_share_is_set_apart_once_and_counts_for_each() -> None:
    limits = Settings(inline_value_limit=100, inline_inputs_limit=150)
    shared = set_apart("a", {"s": "s" * 90, "big": "b" * 200}, limits)
    assert isinstance(shared, NodeInputs)
    whole = set_apart("a", {"x": 1}, limits, shared)
    assert isinstance(whole, NodeInputs)
    assert whole.document == {**shared.document, "x": 1}
    assert whole.large == shared.large
    assert isinstance(set_apart("a", {"x": "x" * 90}, limits, shared), Failure)
    assert "x" not in shared.document
