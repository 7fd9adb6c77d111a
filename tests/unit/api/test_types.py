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
        ("file", "file"),
        ("file[ csv ]", "file[csv]"),
        ("list[directory[tar.gz]]", "list[directory[tar.gz]]"),
        ("optional[dataframe[parquet]]", "optional[dataframe[parquet]]"),
        ("dict[int,datetime]", "dict[int, datetime]"),
        ("dict[enum, union[bytes, date, timedelta, pickle]]", "dict[enum, union[bytes, date, timedelta, pickle]]"),
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
        ("dict[list[int], str]", "a dict has a key and a value: `dict[str, T]`, where the key is str, int, float", 20),
        ("dict[any, str]", "a dict has a key and a value", 14),
        ("dict[str]", "a dict has a key and a value", 9),
        ("file[]", "`file` takes a format in brackets, such as `file[csv]`", 5),
        ("file[csv, png]", "`]` is expected where `,` stands", 8),
        ("pickle[int]", "`pickle` takes nothing in brackets", 6),
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
        ("2024-02-30T00:00:00Z", "datetime", 'x: expected datetime (2024-01-02T03:04:05Z), got "2024-02-30T00:00:00Z"'),
        ("2024-01-02 03:04:05", "datetime", 'x: expected datetime (2024-01-02T03:04:05Z), got "2024-01-02 03:04:05"'),
        ("0001-01-01T00:00:00+05:00", "datetime", "x: expected datetime (2024-01-02T03:04:05Z)"),
        ("2024-1-2", "date", 'x: expected date (2024-01-02), got "2024-1-2"'),
        ("2023-02-29", "date", 'x: expected date (2024-01-02), got "2023-02-29"'),
        ("1 h", "timedelta", 'x: expected timedelta (1h2m3.5s), got "1 h"'),
        ("24000000000h", "timedelta", "x: expected timedelta (1h2m3.5s)"),
        ("-24000000000h", "timedelta", "x: expected timedelta (1h2m3.5s)"),
        (5, "timedelta", "x: expected timedelta (1h2m3.5s), got 5"),
        ("a*==", "bytes", 'x: expected bytes (base64 text), got "a*=="'),
        ("YQ", "bytes", 'x: expected bytes (base64 text), got "YQ"'),
        (None, "enum", "x: expected enum, got null"),
        ("s3://a", "file", 'x: expected a map with a `uri` (file), got "s3://a"'),
        ({"uri": ""}, "directory[png]", "x: expected a map with a `uri` (directory[png])"),
        ({"uri": "a", "format": 1}, "dataframe", "x.format: expected a text, got 1"),
        ({"uri": "a", "hash": None}, "pickle", "x.hash: expected a text, got null"),
        ({"uri": "a", "columns": {"a": float("nan")}}, "dataframe", "x.columns.a: nan is not JSON"),
        ({"1": 1, "01": 2}, "dict[int, int]", 'x: the key "01" does not spell an int'),
        ({"1.5": 1, "NaN": 2, "x": 3}, "dict[float, int]", 'x: the key "x" does not spell a float'),
        ({"true": 1, "True": 2}, "dict[bool, int]", 'x: the key "True" does not spell a bool'),
        ({"2024-01-01": 1, "today": 2}, "dict[date, int]", 'x: the key "today" does not spell a date'),
        (object, "any", "x: expected a JSON value, got a type, which is not JSON"),
        ("y" * 99, "int", f'x: expected int, got "{"y" * 39} … (101 characters)'),
    ],
)
def test_what_does_not_fit_is_found_where_it_is(value: Any, expected: str, finding: str) -> None:
    found = [str(found) for found in check_value(value, parse_type(expected), None, "x")]
    assert len(found) == 1
    assert found[0].startswith(finding)


@pytest.mark.parametrize("value", [1, 1.5, "NaN", "Infinity", "-Infinity"])
def test_floats_may_be_written_as_ints_and_what_is_not_finite_as_text(value: Any) -> None:
    assert check_value(value, parse_type("float")) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-01-02T03:04:05Z", "datetime"),
        ("2024-01-02T03:04:05.123456789+05:30", "datetime"),
        ("2024-01-02T03:04:05", "datetime"),
        ("2024-02-29", "date"),
        ("1h2m3.5s", "timedelta"),
        ("-250ms", "timedelta"),
        ("0", "timedelta"),
        ("1µs1ns", "timedelta"),
        ("", "bytes"),
        ("AGFiYw==", "bytes"),
        ("red", "enum"),
        (True, "enum"),
        ({"uri": "s3://b/a.csv", "format": "csv", "size": 3, "hash": "x"}, "file[csv]"),
        ({"uri": "/tmp/f", "columns": {"a": "int"}}, "dataframe"),
        ({"-3": 1, "0": 2}, "dict[int, int]"),
        ({"1e5": 1, "-Infinity": 2, "3": 3}, "dict[float, int]"),
        ({"a": 1}, "dict[enum, int]"),
    ],
)
def test_what_json_has_no_word_for_has_a_spelling(value: Any, expected: str) -> None:
    assert check_value(value, parse_type(expected)) == []


def test_the_values_and_keys_of_an_enum_are_in_its_schema() -> None:
    colour = {"enum": ["red", 2]}
    assert check_value(2, parse_type("enum"), colour) == []
    assert [str(found) for found in check_value("blue", parse_type("enum"), colour, "x")] == [
        'x: expected one of "red", 2, got "blue"'
    ]
    keyed = {"type": "object", "additionalProperties": {"type": "integer"}, "propertyNames": {"enum": ["red", "2"]}}
    assert check_value({"red": 1, "2": 2}, parse_type("dict[enum, int]"), keyed) == []
    assert [str(found) for found in check_value({"blue": 1}, parse_type("dict[enum, int]"), keyed, "x")] == [
        'x: the key "blue" does not spell an enum'
    ]
    inside = {"type": "object", "properties": {"tally": keyed}}
    assert [str(found) for found in check_value({"tally": {"blue": 1}}, STRUCT, inside, "x")] == [
        'x.tally: the key "blue" is none of "red", "2"'
    ]


def test_a_schema_may_name_a_type_that_json_schema_has_no_word_for() -> None:
    schema = {
        "type": "object",
        "properties": {
            "took": {"type": "string", "x-windlass-type": "timedelta"},
            "report": {"x-windlass-type": "file[pdf]"},
            "odd": {"x-windlass-type": "no such type"},
        },
    }
    assert check_value({"took": "5s", "report": {"uri": "a"}, "odd": 1}, STRUCT, schema) == []
    assert [found.path for found in check_value({"took": "five", "report": "a"}, STRUCT, schema, "x")] == [
        "x.took",
        "x.report",
    ]
    assert str(descend(STRUCT, schema, ("report",))[0]) == "file[pdf]"
    assert str(descend(STRUCT, schema, ("odd",))[0]) == "any"


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
        ("struct", "dict[int, any]", False),
        ("dict[int, any]", "struct", True),
        ("dict[int, int]", "dict[str, int]", False),
        ("dict[int, int]", "dict[int, any]", True),
        ("file[csv]", "file", True),
        ("file", "file[csv]", True),
        ("file[csv]", "file[png]", True),
        ("list[dataframe[csv]]", "list[dataframe]", True),
        ("file", "directory", False),
        ("file", "str", False),
        ("pickle", "any", True),
        ("pickle", "file", False),
        ("enum", "str", True),
        ("int", "enum", True),
        ("enum", "float", False),
        ("date", "datetime", False),
        ("datetime", "str", False),
        ("datetime", "union[str, datetime]", True),
    ],
)
def test_types_fit_along_a_reference(source: str, target: str, fits: bool) -> None:
    assert assignable(parse_type(source), parse_type(target)) is fits


@pytest.mark.parametrize(
    ("have", "want", "fits"),
    [
        (["a"], ["a", "b"], True),
        (["a", "c"], ["a", "b"], False),
        ([1], [True], False),
    ],
)
def test_of_two_known_enums_the_target_has_every_value_of_the_source(
    have: list[Any], want: list[Any], fits: bool
) -> None:
    enum, optional = parse_type("enum"), parse_type("optional[enum]")
    known = {"anyOf": [{"enum": want}, {"type": "null"}]}
    assert assignable(enum, enum, {"enum": have}, {"enum": want}) is fits
    assert assignable(enum, optional, {"enum": have}, known) is fits
    assert assignable(enum, enum, {"enum": have}, None)
    assert assignable(enum, enum, {"$ref": "#/$defs/C", "$defs": {"C": {"enum": have}}}, {"enum": want}) is fits


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
        ("struct", ("tags", 0), "enum"),
        ("dict[int, str]", ("3",), "str"),
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
        ("file[csv]", ("uri",), "`file[csv]` has no `.uri`"),
        ("dict[int, str]", (3,), '`dict[int, str]` has no `[3]`; the keys are texts in JSON: ["3"]'),
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


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "format": "date-time"}, "datetime"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "string", "format": "email"}, "str"),
        ({"enum": ["a", None]}, "optional[enum]"),
        ({"type": "string", "enum": ["a"]}, "enum"),
        ({"type": "array", "items": {"x-windlass-type": "directory"}}, "list[directory]"),
        ({"type": "object", "additionalProperties": {}, "x-windlass-type": "dict[int, any]"}, "dict[int, any]"),
    ],
)
def test_a_schema_has_a_type(schema: dict[str, Any], expected: str) -> None:
    assert str(type_of_schema(schema)) == expected


def test_a_struct_without_a_schema_may_have_anything() -> None:
    assert descend(STRUCT, None, ("a", 0)) == (ANY, None)
