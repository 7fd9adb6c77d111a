"""Annotations as the contract's types, and values on their way to JSON and back."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Dict, Generic, Iterator, List, NamedTuple, NewType, Optional, Tuple, TypeVar, Union  # noqa: UP035  users write these

import pytest

from windlass._exceptions import RestrictedTypeError, TypeTransformerFailedError, UnsupportedTypeError
from windlass._types import argument_of, from_wire, name_of, output_of, resolve, to_wire, type_expression
from windlass._types.resolve import shape_of
from windlass_api.types import parse_type

HERE = argument_of("m.f", "a")
UserId = NewType("UserId", int)
T = TypeVar("T")


@dataclass
class Point:
    x: int
    y: float = 2.0


@dataclass
class Tree:
    name: str
    left: Optional[Tree] = None  # noqa: UP045  users write these
    tags: list[str] = field(default_factory=list)


@dataclass
class Checked:
    n: int
    doubled: int = field(init=False)

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError("n is negative")
        self.doubled = 2 * self.n


@dataclass
class Box(Generic[T]):
    content: T


class Colour(NamedTuple):
    red: int


@dataclass
class Odd:
    when: Iterator  # type: ignore[type-arg]  # that is the mistake


@dataclass
class Lost:
    what: Nowhere  # type: ignore[name-defined]  # noqa: F821  that is what it is about


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("shy")


# ---- expressions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("python_type", "expression"),
    [
        (int, "int"),
        (float, "float"),
        (str, "str"),
        (bool, "bool"),
        (None, "none"),
        (type(None), "none"),
        (Any, "any"),
        (dict, "dict[str, any]"),
        (Dict, "dict[str, any]"),  # noqa: UP006  users write these
        (list[int], "list[int]"),
        (List[List[str]], "list[list[str]]"),  # noqa: UP006
        (dict[str, list[bool]], "dict[str, list[bool]]"),
        (Dict[str, Any], "dict[str, any]"),  # noqa: UP006
        (Optional[int], "optional[int]"),  # noqa: UP045
        (int | None, "optional[int]"),
        (Union[int, str], "union[int, str]"),  # noqa: UP007
        (int | str | None, "optional[union[int, str]]"),
        (UserId, "int"),
        (list[UserId], "list[int]"),
        (Annotated[int, "a note"], "int"),
        (dict[Annotated[str, 1], int], "dict[str, int]"),
        (dict[Any, int], "dict[str, int]"),
        (dict[int, str], "dict[int, str]"),
        (bytes, "bytes"),
        (Iterator[int], "list[int]"),
        (Box[int], "struct"),
        (Point, "struct"),
        (list[Point], "list[struct]"),
    ],
)
def test_annotations_have_an_expression_in_the_contract(python_type: Any, expression: str) -> None:
    found = type_expression(python_type)[0]
    assert found == expression
    assert str(parse_type(found)) == found


def test_a_dataclass_has_a_schema_of_the_whole_value() -> None:
    assert type_expression(int)[1] is None
    assert type_expression(list[Point])[1] == {
        "type": "array",
        "items": {
            "type": "object",
            "title": "Point",
            "properties": {"x": {"type": "integer"}, "y": {"type": "number", "default": 2.0}},
            "required": ["x"],
            "additionalProperties": False,
        },
    }


def test_a_dataclass_inside_itself_leaves_the_schema_open_there() -> None:
    schema = type_expression(Tree)[1]
    assert schema is not None
    assert schema["properties"]["left"] == {
        "anyOf": [{"type": "object", "title": "Tree"}, {"type": "null"}],
        "default": None,
    }
    assert schema["required"] == ["name"]


@pytest.mark.parametrize(
    ("python_type", "error", "words"),
    [
        (list, ValueError, r"write list\[int\]"),
        (List, ValueError, r"a bare list"),  # noqa: UP006
        (
            dict[Point, str],
            UnsupportedTypeError,
            r"the keys of a JSON object are texts, and .*Point is nothing that can be written as one; use str, int",
        ),
        (dict[int | str, str], UnsupportedTypeError, r"int \| str is nothing that can be written as one"),
        (Iterator, UnsupportedTypeError, r"a bare Iterator does not say what it yields; write Iterator\[int\]"),
        (T, UnsupportedTypeError, "~T is a type variable"),
        (list[T], ValueError, "a bare list"),  # type: ignore[valid-type]  # that is it
        (tuple, RestrictedTypeError, "a tuple is how several outputs are written"),
        (Tuple[int, str], RestrictedTypeError, "tuple"),  # noqa: UP006
        (Colour, RestrictedTypeError, "Colour"),
        ("Nowhere", UnsupportedTypeError, "'Nowhere' is a name that could not be resolved"),
        (Odd, UnsupportedTypeError, r"field 'when' of .*Odd: a bare Iterator"),
        (Lost, UnsupportedTypeError, "in the dataclass .*Lost could not be resolved: name 'Nowhere'"),
    ],
)
def test_what_can_not_be_carried_is_refused_by_name(python_type: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        type_expression(python_type)


def test_a_default_that_does_not_fit_its_field_is_refused_with_the_declaration() -> None:
    @dataclass
    class Wrong:
        size: float = "1"  # type: ignore[assignment]  # that is the mistake

    with pytest.raises(
        UnsupportedTypeError, match=r"default of field 'size' of .*Wrong does not fit .*: expected float"
    ):
        type_expression(Wrong)


def test_the_same_annotation_is_looked_at_once_and_equal_ones_keep_their_order() -> None:
    assert shape_of(int | str) is not shape_of(str | int)
    assert type_expression(int | str)[0] == "union[int, str]"
    assert type_expression(str | int)[0] == "union[str, int]"
    annotation = list[int]
    assert shape_of(annotation) is shape_of(annotation)


def test_annotations_made_anew_for_each_call_do_not_fill_the_memory() -> None:
    for _ in range(5000):
        to_wire([1], list[int], HERE)
    assert len(resolve._known) <= 4096


# ---- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "python_type", "wire"),
    [
        (None, None, None),
        (3, int, 3),
        (2**53 + 1, int, 2**53 + 1),
        (-(2**63), int, -(2**63)),
        (1.5, float, 1.5),
        (math.inf, float, "Infinity"),
        (-math.inf, float, "-Infinity"),
        ("é☃", str, "é☃"),
        ([1, None], list[Optional[int]], [1, None]),  # noqa: UP045
        ({"a": {"b": [1, "x", True, None, 1.5]}}, dict, {"a": {"b": [1, "x", True, None, 1.5]}}),
        (Point(1), Point, {"x": 1, "y": 2.0}),
        (
            Tree("a", Tree("b"), ["t"]),
            Tree,
            {"name": "a", "left": {"name": "b", "left": None, "tags": []}, "tags": ["t"]},
        ),
        (Checked(2), Checked, {"n": 2}),
        ("x", int | str, "x"),
        (Point(1), Point | int, {"x": 1, "y": 2.0}),
        ([], list[int] | list[str], []),
    ],
)
def test_values_come_back_as_they_were(value: Any, python_type: Any, wire: Any) -> None:
    assert to_wire(value, python_type, HERE) == wire
    back = from_wire(json.loads(json.dumps(wire)), python_type, HERE)
    assert (back, type(back)) == (value, type(value))


def test_not_a_number_comes_back() -> None:
    assert to_wire(math.nan, float, HERE) == "NaN"
    assert math.isnan(from_wire("NaN", float, HERE))


def test_a_whole_number_in_json_is_a_float_where_one_is_expected() -> None:
    assert repr(from_wire([3, 1.5], list[float], HERE)) == "[3.0, 1.5]"
    assert repr(from_wire(3, int | float, HERE)) == "3"


def test_a_dict_is_taken_in_place_of_a_dataclass() -> None:
    assert to_wire({"x": 1}, Point, HERE) == {"x": 1}
    assert from_wire({"x": 1}, Point, HERE) == Point(1, 2.0)


@pytest.mark.parametrize(
    ("value", "python_type", "words"),
    [
        (1, float, "expected float, got 1 of type int"),
        (True, int, "expected int, got True of type bool"),
        (1, bool, "expected bool, got 1 of type int"),
        (None, int, "expected int, got None"),
        (2**63, int, "the integer is beyond 64 bits, where Kubernetes would round it; pass it as a str"),
        pytest.param(10**5000, int, "the integer is beyond 64 bits", id="more digits than Python prints"),
        ([1, 2, "x"], list[int], "expected int, got 'x' of type str (at [2])"),
        ((1, 2), list[int], "expected list[int], got (1, 2) of type tuple"),
        (
            {"a": {"b c": [1.0]}},
            dict[str, dict[str, list[int]]],
            "expected int, got 1.0 of type float (at a['b c'][0])",
        ),
        ({1: 2}, dict, "the keys of a dict must be str, got the key 1 of type int"),
        ({"x": 1, "z": 2}, Point, "Point has no field 'z'; its fields are x, y"),
        ({"y": 1.0}, Point, "Point needs the field 'x', which is missing"),
        (Tree("a", Tree("b", tags=[1])), Tree, "expected str, got 1 of type int (at left.tags[0])"),  # type: ignore[list-item]
        (
            {"a": [(1,)]},
            dict,
            "expected a JSON value (None, bool, int, float, str, list, dict), got (1,) of type tuple (at a[0])",
        ),
        ({"a": math.nan}, dict, "nan would come back as text from a value of type any; annotate it as float (at a)"),
        ({"$pickle": {"uri": "x"}}, dict, "looks like Windlass's own reference to a pickle"),
        ({"a": {"uri": "x", "format": "pickle"}}, dict, "looks like Windlass's own reference to a pickle (at a)"),
        ("a\ud800", str, "the text is not valid Unicode: a lone surrogate at position 1"),
        (1.5, int | str, "expected int | str, got 1.5 of type float"),
        ([1], list[str] | dict[str, int], "expected str, got 1 of type int (at [0])"),
        ("x" * 500, int, "…"),
        (Unprintable(), int, "<a value whose repr fails> of type"),
    ],
)
def test_values_that_do_not_fit_say_what_and_where(value: Any, python_type: Any, words: str) -> None:
    with pytest.raises(TypeTransformerFailedError) as error:
        to_wire(value, python_type, HERE)
    assert str(error.value).startswith("Failed to convert inputs of task 'm.f':\n  Failed argument 'a': ")
    assert words in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("wire", "python_type", "words"),
    [
        ("3", int, "expected int, got '3' of type str"),
        (3.5, int, "expected int, got 3.5"),
        ("nan", float, "expected float, got 'nan'"),
        (10**400, float, "the number is too large for a float"),
        ({"n": -1}, Checked, "Checked refused its values: ValueError: n is negative"),
        ([{"n": 1}, {"m": 1}], list[Checked], "Checked has no field 'm'; its fields are n (at [1])"),
    ],
)
def test_json_that_does_not_fit_says_what_and_where(wire: Any, python_type: Any, words: str) -> None:
    with pytest.raises(TypeTransformerFailedError) as error:
        from_wire(wire, python_type, HERE)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("value", "python_type"),
    [
        (Point(1), Point | dict[str, Any]),
        ({"x": 1.0, "y": 3.0}, Union[Point, Tree, dict[str, float]]),  # noqa: UP007
        ("NaN", float | str),
        (math.nan, float | str),
    ],
)
def test_a_union_whose_reader_could_not_tell_is_ambiguous(value: Any, python_type: Any) -> None:
    with pytest.raises(TypeError, match="Ambiguous choice of variant for union type"):
        to_wire(value, python_type, HERE)


def test_dataclasses_that_differ_in_int_and_float_are_ambiguous_as_kubernetes_drops_the_point() -> None:
    @dataclass
    class Whole:
        v: int

    @dataclass
    class Real:
        v: float

    assert to_wire(Real(1.5), Whole | Real, HERE) == {"v": 1.5}
    with pytest.raises(TypeError, match="Ambiguous choice of variant"):
        to_wire(Real(1.0), Whole | Real, HERE)


def test_a_list_that_contains_itself_is_told() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    with pytest.raises(TypeTransformerFailedError, match="nested too deeply to travel as JSON, or it contains itself"):
        to_wire(endless, dict, HERE)


def test_outputs_are_told_by_their_position() -> None:
    with pytest.raises(TypeTransformerFailedError) as error:
        to_wire("x", list[int], output_of("m.f", 1))
    assert str(error.value) == (
        "Failed to convert outputs of task 'm.f' at position 1.\n"
        "Failed to convert type str to type list[int].\n"
        "Error Message: expected list[int], got 'x' of type str"
    )


def test_types_are_named_as_their_author_writes_them() -> None:
    assert [name_of(kind) for kind in (int, None, list[int], dict[str, Any], int | None)] == [
        "int",
        "None",
        "list[int]",
        "dict[str, typing.Any]",
        "int | None",
    ]
