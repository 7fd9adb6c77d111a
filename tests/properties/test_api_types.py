"""Promises of type expressions."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, strategies as st

from tests.properties.api_strategies import json_values, scalar_types, types, values_of
from windlass_api.types import (
    ANY,
    BOOL,
    ENUM,
    FLOAT,
    INT,
    NONE,
    STR,
    PathError,
    Type,
    TypeSyntaxError,
    assignable,
    check_value,
    descend,
    dict_of,
    list_of,
    optional_of,
    parse_type,
    type_of_schema,
    union_of,
)

MISFITS: dict[Type, Any] = {NONE: 0, BOOL: 1, INT: True, FLOAT: "1.0", STR: 1}  # a list fits no other scalar


@given(types)
def test_what_a_type_spells_parses_to_the_same_type(expected: Type) -> None:
    assert parse_type(str(expected)) == expected


@given(st.text(alphabet="intlsdcro[], any{}1", max_size=30) | st.text(max_size=10))
def test_any_text_is_a_type_or_a_type_syntax_error(text: str) -> None:
    try:
        parsed = parse_type(text)
    except TypeSyntaxError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert parse_type(str(parsed)) == parsed


@given(st.data())
def test_a_value_drawn_from_a_type_is_accepted_by_it(data: st.DataObject) -> None:
    expected = data.draw(types)
    assert check_value(data.draw(values_of(expected)), expected) == []


@given(st.data())
def test_a_misfit_is_found_where_it_is_however_deep(data: st.DataObject) -> None:
    leaf = data.draw(scalar_types.filter(lambda one: one != ANY))
    expected, value, path = leaf, MISFITS.get(leaf, []), "spec.x"
    for wrap in data.draw(st.lists(st.sampled_from(["list", "dict"]), max_size=4)):
        if wrap == "list":
            expected, value = list_of(expected), [value]
        else:
            expected, value = dict_of(expected), {"k": value}
    for container in _outside_in(expected):
        path += "[0]" if container.name == "list" else ".k"
    assert [finding.path for finding in check_value(value, expected, None, "spec.x")] == [path]


def _outside_in(expected: Type) -> list[Type]:
    return [] if not expected.args else [expected, *_outside_in(expected.args[-1])]


@given(st.data())
def test_what_is_assignable_fits(data: st.DataObject) -> None:
    source, target = data.draw(types), data.draw(types)
    if assignable(source, target) and not _is_open(source) and not _is_open(target, ENUM):
        assert check_value(data.draw(values_of(source)), target) == []


def _is_open(expected: Type, *leaves: Type) -> bool:
    """Whether the type holds one whose values are looked at when they are there."""
    return expected in (leaves or (ANY, ENUM)) or any(_is_open(part, *leaves) for part in expected.args)


@given(types)
def test_every_type_is_assignable_to_itself_to_any_and_to_its_optional(expected: Type) -> None:
    assert assignable(expected, expected)
    assert assignable(expected, ANY)
    assert assignable(expected, optional_of(expected))
    assert assignable(expected, union_of([expected, INT]))


@given(st.lists(types, min_size=1, max_size=4))
def test_a_union_is_the_same_however_its_members_are_grouped(members: list[Type]) -> None:
    assert union_of([union_of(members), members[0]]) == union_of(members)


@given(st.data())
def test_a_part_of_a_value_has_the_type_of_that_part(data: st.DataObject) -> None:
    inner = data.draw(types)
    value = data.draw(values_of(inner))
    assert check_value([value][0], descend(list_of(inner), None, (0,))[0]) == []
    assert check_value({"k": value}["k"], descend(optional_of(dict_of(inner)), None, ("k",))[0]) == []


@given(json_values, types)
def test_checking_any_json_value_against_any_type_never_fails(value: Any, expected: Type) -> None:
    for finding in check_value(value, expected, None, "spec.x"):
        assert finding.path.startswith("spec.x")
        assert finding.reason == "TypeMismatch"


SCHEMA_WORDS = st.sampled_from(
    [
        "type",
        "properties",
        "required",
        "items",
        "anyOf",
        "allOf",
        "enum",
        "const",
        "additionalProperties",
        "$ref",
        "$defs",
    ]
)
SCHEMAS = st.recursive(
    json_values | st.sampled_from(["object", "array", "string", "#", "#/$defs/x", ["object", "null"]]),
    lambda inner: st.dictionaries(SCHEMA_WORDS | st.just("x"), inner | st.lists(inner, max_size=3), max_size=5),
    max_leaves=20,
).filter(lambda schema: isinstance(schema, dict))


@given(types, SCHEMAS, json_values, st.lists(st.sampled_from(["x", 0]), max_size=3))
def test_no_schema_however_odd_breaks_a_check(expected: Type, schema: Any, value: Any, path: list[str | int]) -> None:
    check_value(value, expected, schema)
    type_of_schema(schema)
    with contextlib.suppress(PathError):
        descend(expected, schema, path)
