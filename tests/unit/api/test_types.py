"""Type expressions, by example; for what holds for all of them see tests/properties/test_api_types.py."""

from __future__ import annotations

from typing import Any

import pytest

from windlass_api.types import (
    ANY,
    STRUCT,
    PathError,
    TypeSyntaxError,
    assignable,
    check_value,
    descend,
    list_of,
    parse_type,
    type_of_schema,
)

POINT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "x": {"type": "integer"},
        "label": {"type": ["string", "null"]},
        "next": {"anyOf": [{"$ref": "#/$defs/Next"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
        "sizes": {"type": "object", "additionalProperties": {"type": "number"}},
    },
    "required": ["x"],
    "additionalProperties": False,
    "$defs": {"Next": {"type": "object", "properties": {"y": {"type": "number"}}, "required": ["y"]}},
}


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("int", "int"),
        ("list", "list[any]"),
        ("dict", "dict[str, any]"),
        (" dict[ str,list[ optional[int] ] ] ", "dict[str, list[optional[int]]]"),
        ("union[int,str]", "union[int, str]"),
    ],
)
def test_a_type_has_one_spelling(text: str, canonical: str) -> None:
    assert str(parse_type(text)) == canonical


@pytest.mark.parametrize(
    ("text", "says", "position"),
    [
        ("", "a type is expected", 0),
        ("lst[int]", "did you mean `list`?", 0),
        ("list[int", "`,` or `]` is expected", 8),
        ("list[int]]", "it should end where `]` stands", 9),
        ("int[str]", "`int` takes nothing in brackets", 3),
        ("optional", "needs a type in brackets", 8),
        ("dict[int, str]", "a dict has texts as keys", 14),
        ("union[int]", "two members or more", 10),
        ("list[int, str]", "takes one type", 14),
        ("list[int; str]", "`;` has no place", 8),
        ("list[" * 40 + "int" + "]" * 40, "32 levels deep", 160),
    ],
)
def test_what_is_no_type_is_explained_with_its_place(text: str, says: str, position: int) -> None:
    with pytest.raises(TypeSyntaxError) as error:
        parse_type(text)
    assert says in error.value.message
    assert error.value.position == position


@pytest.mark.parametrize(
    ("value", "expected", "finding"),
    [
        (True, "int", "x: expected int, got true"),
        (1, "bool", "x: expected bool, got 1"),
        (1.0, "int", "x: expected int, got 1.0"),
        (float("nan"), "float", "x: expected float, got NaN"),
        ("nan", "float", 'x: expected float, got "nan"'),
        (float("inf"), "any", "x: inf is not JSON; write one of the texts NaN, Infinity, -Infinity"),
        ({1: 2}, "dict[str, int]", "x: the key 1 is not a text; JSON has no other keys"),
        ({"a": {"b": "c"}}, "dict[str, dict[str, int]]", 'x.a.b: expected int, got "c"'),
        ([1, [2, None]], "list[union[int, list[int]]]", "x[1][1]: expected int, got null"),
        ([1], "optional[str]", "x: expected optional[str], got [1]"),
        (object, "any", "x: expected a JSON value, got a type, which is not JSON"),
        ("y" * 99, "int", f'x: expected int, got "{"y" * 39} … (101 characters)'),
    ],
)
def test_what_does_not_fit_is_found_where_it_is(value: Any, expected: str, finding: str) -> None:
    assert [str(found) for found in check_value(value, parse_type(expected), None, "x")] == [finding]


@pytest.mark.parametrize("value", [1, 1.5, "NaN", "Infinity", "-Infinity"])
def test_floats_may_be_written_as_ints_and_what_is_not_finite_as_text(value: Any) -> None:
    assert check_value(value, parse_type("float")) == []


@pytest.mark.parametrize(
    ("value", "findings"),
    [
        ({"x": 1, "label": None, "next": {"y": 1}, "tags": ["a"], "sizes": {"s": 0.5}}, []),
        ({"x": 1.0}, []),
        ({}, ["p.x: it is required"]),
        ({"x": True}, ["p.x: expected integer, got true"]),
        ({"x": 1, "lable": "l"}, ["p.lable: it is unknown; did you mean `label`?"]),
        ({"x": 1, "next": {"y": "far"}}, ['p.next.y: expected number, got "far"']),
        ({"x": 1, "tags": ["a", "c"]}, ['p.tags[1]: expected one of "a", "b", got "c"']),
        ({"x": 1, "sizes": {"s": []}}, ["p.sizes.s: expected number, got []"]),
        ([], ["p: expected a map (struct), got []"]),
    ],
)
def test_a_struct_is_checked_against_its_schema(value: Any, findings: list[str]) -> None:
    assert [str(finding) for finding in check_value(value, STRUCT, POINT, "p")] == findings


@pytest.mark.parametrize(
    "schema", [{"type": "array", "items": POINT}, POINT], ids=["of the list", "of the struct in it"]
)
def test_the_schema_beside_a_list_of_structs_may_be_that_of_either(schema: dict[str, Any]) -> None:
    points = list_of(STRUCT)
    assert check_value([{"x": 1}], points, schema, "p") == []
    assert [finding.path for finding in check_value([{"x": 1}, {"x": "1"}], points, schema, "p")] == ["p[1].x"]
    assert str(descend(points, schema, (0, "x"))[0]) == "int"


def test_a_schema_that_contains_itself_is_no_trap() -> None:
    tree = {"allOf": [{"$ref": "#"}], "type": "object", "properties": {"left": {"$ref": "#"}}}
    assert [str(found) for found in check_value({"left": {"left": 1}}, STRUCT, tree, "t")] == [
        "t.left.left: expected object, got 1"
    ]
    assert str(type_of_schema({"type": "array", "items": {"$ref": "#"}})) == "list[any]"


@pytest.mark.parametrize(
    ("source", "target", "fits"),
    [
        ("int", "int", True),
        ("int", "float", False),
        ("bool", "int", False),
        ("any", "int", True),
        ("int", "any", True),
        ("int", "optional[int]", True),
        ("optional[int]", "int", False),
        ("none", "optional[int]", True),
        ("union[int, none]", "optional[int]", True),
        ("optional[int]", "union[str, int, none]", True),
        ("list[int]", "list[any]", True),
        ("list[int]", "list[str]", False),
        ("dict[str, list[int]]", "dict[str, list[optional[int]]]", True),
        ("list[int]", "union[list[str], list[int]]", True),
        ("struct", "dict[str, any]", True),
        ("struct", "dict[str, int]", False),
        ("dict[str, int]", "struct", True),
        ("list[int]", "struct", False),
    ],
)
def test_types_fit_along_a_reference(source: str, target: str, fits: bool) -> None:
    assert assignable(parse_type(source), parse_type(target)) is fits


@pytest.mark.parametrize(
    ("expected", "path", "part"),
    [
        ("list[int]", (0,), "int"),
        ("list[int]", (-1,), "int"),
        ("dict[str, list[int]]", ("a", 3), "int"),
        ("optional[list[int]]", (0,), "int"),
        ("union[list[int], dict[str, str], list[none]]", (0,), "optional[int]"),
        ("any", ("a", 0, "b"), "any"),
        ("struct", ("x",), "int"),
        ("struct", ("label",), "optional[str]"),
        ("struct", ("next", "y"), "float"),
        ("struct", ("tags", 0), "any"),
        ("struct", ("sizes",), "dict[str, float]"),
        ("struct", ("sizes", "any key"), "float"),
    ],
)
def test_a_part_of_a_type_is_a_type(expected: str, path: tuple[str | int, ...], part: str) -> None:
    assert str(descend(parse_type(expected), POINT if expected == "struct" else None, path)[0]) == part


@pytest.mark.parametrize(
    ("expected", "path", "says"),
    [
        ("int", ("a",), "`int` has no `.a`"),
        ("none", ("a",), "`none` has no `.a`"),
        ("list[int]", ("a",), "`list[int]` has no `.a`"),
        ("dict[str, int]", (0,), "`dict[str, int]` has no `[0]`"),
        ("union[int, list[int]]", ("a",), "`union[int, list[int]]` has no `.a`"),
        ("struct", ("nexd",), "the struct has no `nexd`; did you mean `next`?"),
    ],
)
def test_a_part_that_no_value_can_have_is_an_error(expected: str, path: tuple[str | int, ...], says: str) -> None:
    with pytest.raises(PathError, match="has no") as error:
        descend(parse_type(expected), POINT, path)
    assert error.value.message == says


def test_a_struct_without_a_schema_may_have_anything() -> None:
    assert descend(STRUCT, None, ("a", 0)) == (ANY, None)
