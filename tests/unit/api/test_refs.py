"""References, by example; for what holds for all of them see tests/properties/test_api_refs.py."""

from __future__ import annotations

from typing import Any

import pytest

from windlass_api.refs import (
    Ref,
    RefSyntaxError,
    RefValueError,
    decode,
    escape,
    iter_refs,
    lookup_in,
    parse_ref,
    resolve,
    walk,
)


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("inputs.text", Ref(None, "text")),
        ("inputs['a b'][0]", Ref(None, "a b", (0,))),
        ("nodes.a.outputs.o0", Ref("a", "o0")),
        ("nodes.my-node.outputs.o0", Ref("my-node", "o0")),
        ("nodes['my-node'].outputs.o0", Ref("my-node", "o0")),
        ('nodes.a.outputs.o0[2].name[-1]["a key"]', Ref("a", "o0", (2, "name", -1, "a key"))),
        (r"""inputs.x['it\'s "so"']""", Ref(None, "x", ('it\'s "so"',))),
        ("nodes.outputs.outputs.outputs", Ref("outputs", "outputs")),
    ],
)
def test_references_are_read_as_people_write_them(text: str, ref: Ref) -> None:
    assert parse_ref(text) == ref


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it starts with `inputs.NAME` or `nodes.ID.outputs.NAME`"),
        ("text", "it starts with `inputs.NAME`"),
        ("inputs", "an input's name is missing"),
        ("inputsx", "at character 7 stands `x`"),
        ("inputs[0]", "an input's name is missing"),
        ("nodes.a", "after `nodes` come an id and `outputs`"),
        ("nodes.a.o0", "after `nodes` come an id and `outputs`"),
        ("nodes.a.outputs", "an output's name is missing"),
        ("inputs.x[1:2]", "at character 9 stands `[1:2]`"),
        ("inputs.x ", "at character 9"),
        (r'inputs.x["\q"]', "is no string"),
    ],
)
def test_what_is_no_reference_is_explained(text: str, says: str) -> None:
    with pytest.raises(RefSyntaxError) as error:
        parse_ref(text)
    assert says in error.value.message


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"$ref": "inputs.x", "default": 1}, "`$ref` stands alone in its mapping, here it has `default` beside it"),
        ({"$ref": 3}, "`$ref` takes a text"),
        ({"$rf": "inputs.x"}, "data with such keys is written {$literal: {$rf: …}}"),
        ([{"$ref": "nodes"}], "after `nodes` come an id"),
    ],
)
def test_a_mapping_with_a_dollar_is_a_reference_a_literal_or_an_error(value: Any, says: str) -> None:
    with pytest.raises(RefSyntaxError) as error:
        list(iter_refs(value))
    assert says in error.value.message
    with pytest.raises(RefSyntaxError):
        resolve(value, lambda ref: None)


def test_a_literal_is_taken_as_it_stands() -> None:
    value = {"a": {"$literal": {"$ref": "inputs.x", "$literal": 1}}}
    assert resolve(value, lambda ref: pytest.fail("nothing to look up")) == {"a": {"$ref": "inputs.x", "$literal": 1}}


def test_only_mappings_with_a_dollar_are_escaped() -> None:
    assert escape({"a": [{"$x": 1}, {"b": ("c",)}]}) == {"a": [{"$literal": {"$x": 1}}, {"b": ["c"]}]}


def test_references_are_found_with_their_field_paths() -> None:
    value = {"a": [1, {"$ref": "inputs.x"}], "b c": {"$ref": "nodes.n.outputs.o0[1]"}}
    assert [(path, str(ref)) for path, ref in iter_refs(value, "spec.inputs")] == [
        ("spec.inputs.a[1]", "inputs.x"),
        ('spec.inputs["b c"]', "nodes.n.outputs.o0[1]"),
    ]


def test_other_markers_are_decoded_by_the_same_rules() -> None:
    value = {"big": [{"$value": "abc"}], "data": {"$literal": {"$value": "no"}}}
    assert decode(value, {"$value": str.upper}) == {"big": ["ABC"], "data": {"$value": "no"}}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (("b",), "there is no `b` in the map; it has `a`"),
        (("a", 3), ".a: index 3 is out of range, the list has 2 items"),
        (("a", -3), ".a: index -3 is out of range"),
        (("a", "x"), ".a: `.x` can't be taken of a list"),
        (("a", 0, "x"), ".a[0]: `.x` can't be taken of an int"),
        (("a", 1, 0), ".a[1]: `[0]` can't be taken of null"),
    ],
)
def test_a_path_that_leads_nowhere_says_how_far_it_came(path: tuple[str | int, ...], says: str) -> None:
    with pytest.raises(RefValueError) as error:
        walk({"a": [1, None]}, path)
    assert says in str(error.value)


def test_a_lookup_finds_inputs_and_outputs_and_says_what_is_missing() -> None:
    lookup = lookup_in({"x": [1, 2]}, {"a": {"o0": {"k": 3}}})
    assert resolve([{"$ref": "inputs.x[-1]"}, {"$ref": "nodes.a.outputs.o0.k"}], lookup) == [2, 3]
    with pytest.raises(RefValueError, match="node `b` has no outputs"):
        lookup(Ref("b", "o0"))
    with pytest.raises(RefValueError, match=r"there is no `nodes\.a\.outputs\.o1`"):
        lookup(Ref("a", "o1"))
