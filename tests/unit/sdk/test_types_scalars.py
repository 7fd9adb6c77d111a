"""Types that JSON has no word for: points in time, bytes, enums, literals, and dicts with keys that are no texts."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime, timedelta, timezone
from enum import Enum, Flag, IntEnum
from typing import Annotated, Any, Literal, Optional, Union

import pytest

from windlass._exceptions import TypeTransformerFailedError, UnsupportedTypeError
from windlass._types import argument_of, from_wire, to_wire, type_expression
from windlass_api.types import check_value, parse_type

HERE = argument_of("m.f", "a")
UTC = timezone.utc
INDIA = timezone(timedelta(hours=5, minutes=30))


class Colour(Enum):
    RED = "red"
    BLUE = "blue"
    CRIMSON = "red"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(str, Enum):
    A = "a"


class Half(Enum):
    HALF = 0.5


class Rights(Flag):
    READ = 1
    WRITE = 2


def there_and_back(value: Any, python_type: Any, wire: Any) -> Any:
    """What a consumer gets; what travels is as given, and the contract accepts it."""
    assert to_wire(value, python_type, HERE) == wire
    expression, schema = type_expression(python_type)
    assert check_value(wire, parse_type(expression), schema) == []
    return from_wire(json.loads(json.dumps(wire)), python_type, HERE)


@pytest.mark.parametrize(
    ("value", "wire", "back"),
    [
        (datetime(2024, 1, 2, 3, 4, 5, 6, UTC), "2024-01-02T03:04:05.000006Z", None),
        (datetime(2024, 1, 2), "2024-01-02T00:00:00Z", datetime(2024, 1, 2, tzinfo=UTC)),  # noqa: DTZ001  that is it
        (datetime(2024, 1, 2, 1, tzinfo=INDIA), "2024-01-01T19:30:00Z", datetime(2024, 1, 1, 19, 30, tzinfo=UTC)),
        (date(2024, 2, 29), "2024-02-29", None),
        (timedelta(0), "0s", None),
        (timedelta(days=400), "9600h", None),
        (timedelta(hours=1, minutes=2, seconds=3.5), "1h2m3.5s", None),
        (timedelta(seconds=-5), "-5s", None),
        (timedelta(microseconds=-1), "-0.000001s", None),
        (timedelta(minutes=1, microseconds=1), "1m0.000001s", None),
        (timedelta.max, "23999999999h59m59.999999s", None),
        (timedelta.min, "-23999999976h", None),
        (b"", "", None),
        (b"\x00\xffabc", "AP9hYmM=", None),
    ],
)
def test_times_and_bytes_are_texts_on_the_wire(value: Any, wire: str, back: Any) -> None:
    got = there_and_back(value, type(value), wire)
    assert got == (value if back is None else back)
    assert type(got) is type(value)


def test_a_datetime_always_comes_back_in_utc() -> None:
    assert from_wire("2024-01-02T00:00:00", datetime, HERE).tzinfo is UTC
    assert from_wire("2024-01-02T00:00:00-01:00", datetime, HERE) == datetime(2024, 1, 2, 1, tzinfo=UTC)
    assert from_wire("2024-01-02T00:00:00.1234567Z", datetime, HERE).microsecond == 123456


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        ("90s", 90.0),
        ("1.5h", 5400.0),
        ("250ms", 0.25),
        ("+3us", 3e-6),
        ("1µs", 1e-6),
        ("999ns", 0.0),
        ("-1m30s", -90.0),
    ],
)
def test_durations_are_read_as_go_writes_them(wire: str, value: float) -> None:
    assert from_wire(wire, timedelta, HERE).total_seconds() == value


@pytest.mark.parametrize(
    ("wire", "python_type", "words"),
    [
        ("yesterday", datetime, "expected a datetime such as '2024-01-02T03:04:05Z', got 'yesterday'"),
        ("2024-02-30T00:00:00Z", datetime, "'2024-02-30T00:00:00Z' is no datetime: day"),
        ("0001-01-01T00:00:00+01:00", datetime, "is no time of the years 1 to 9999 in UTC"),
        (5, datetime, "expected a datetime such as"),
        ("2024-1-1", date, "expected a date such as '2024-01-02', got '2024-1-1'"),
        ("2023-02-29", date, "'2023-02-29' is no date: day"),
        ("1 hour", timedelta, "expected a timedelta such as '1h2m3.5s', got '1 hour'"),
        ("99999999999h", timedelta, "is longer than a timedelta can be"),
        ("a", bytes, "expected bytes as base64 text"),
        ("ä===", bytes, "expected bytes as base64 text"),
        ("A*A=", bytes, "expected bytes as base64 text"),
    ],
)
def test_texts_that_stand_for_none_are_refused(wire: Any, python_type: Any, words: str) -> None:
    with pytest.raises(TypeTransformerFailedError) as error:
        from_wire(wire, python_type, HERE)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("value", "python_type", "words"),
    [
        (date(2024, 1, 1), datetime, "expected datetime.datetime, got datetime.date(2024, 1, 1) of type datetime.date"),
        (datetime(2024, 1, 1, tzinfo=UTC), date, "expected datetime.date, got datetime.datetime("),
        (5, timedelta, "expected datetime.timedelta, got 5 of type int"),
        ("text", bytes, "expected bytes, got 'text' of type str"),
        (bytearray(b"x"), bytes, "expected bytes, got bytearray(b'x')"),
        (datetime.min.replace(tzinfo=INDIA), datetime, "is no time of the years 1 to 9999 in UTC"),
    ],
)
def test_a_class_that_is_near_is_another_class(value: Any, python_type: Any, words: str) -> None:
    with pytest.raises(TypeTransformerFailedError) as error:
        to_wire(value, python_type, HERE)
    assert words in str(error.value)


# ---- enums and literals ---------------------------------------------------------------------------------------------


def test_members_of_an_enum_travel_as_their_values() -> None:
    assert type_expression(Colour) == ("enum", {"title": "Colour", "enum": ["red", "blue"]})
    assert there_and_back(Colour.BLUE, Colour, "blue") is Colour.BLUE
    assert there_and_back(Colour.CRIMSON, Colour, "red") is Colour.RED
    assert there_and_back([Level.HIGH, Level.LOW], list[Level], [2, 1]) == [Level.HIGH, Level.LOW]
    assert there_and_back(Mixed.A, Optional[Mixed], "a") is Mixed.A  # noqa: UP045  users write these
    assert there_and_back(None, Mixed | None, None) is None


def test_the_value_of_a_member_is_taken_in_its_place() -> None:
    assert there_and_back("blue", Colour, "blue") is Colour.BLUE
    assert there_and_back(2, Level, 2) is Level.HIGH


@pytest.mark.parametrize(
    ("value", "python_type", "words"),
    [
        ("green", Colour, "Colour (one of 'red', 'blue'), got 'green' of type str"),
        (Level.LOW, Colour, "Colour (one of 'red', 'blue'), got <Level.LOW: 1>"),
        (True, Level, "Level (one of 1, 2), got True of type bool"),
        (1.0, Level, "Level (one of 1, 2), got 1.0 of type float"),
        ([], Colour, "Colour (one of 'red', 'blue'), got [] of type list"),
        ("z", Literal["a", "b"], "expected Literal['a', 'b'] (one of 'a', 'b'), got 'z' of type str"),
        (True, Literal[1, 2], "Literal[1, 2] (one of 1, 2), got True"),
        ({"x": ["a", "z"]}, dict[str, list[Literal["a"]]], "got 'z' of type str (at x[1])"),
    ],
)
def test_what_is_none_of_the_values_is_refused_on_both_ways(value: Any, python_type: Any, words: str) -> None:
    for convert in (to_wire, from_wire):
        with pytest.raises(TypeTransformerFailedError) as error:
            convert(value, python_type, HERE)
        assert words in str(error.value)


def test_enums_of_other_values_are_refused() -> None:
    with pytest.raises(UnsupportedTypeError, match=r"Only EnumTypes with value of string are supported .*HALF is 0.5"):
        type_expression(Half)


def test_of_a_flag_only_single_members_travel() -> None:
    assert there_and_back(Rights.WRITE, Rights, 2) is Rights.WRITE
    with pytest.raises(TypeTransformerFailedError, match="one of 1, 2"):
        to_wire(Rights.READ | Rights.WRITE, Rights, HERE)


def test_literals_are_enums_of_their_values() -> None:
    choice = Literal["a", 1, True, b"x", Colour.BLUE]
    assert type_expression(choice) == ("enum", {"enum": ["a", 1, True, "eA==", "blue"]})
    for value, wire in (("a", "a"), (1, 1), (True, True), (b"x", "eA=="), (Colour.BLUE, "blue")):
        back = there_and_back(value, choice, wire)
        assert (back, type(back)) == (value, type(value))


def test_none_among_literals_makes_them_optional() -> None:
    assert type_expression(Literal["a", None])[0] == "optional[enum]"
    assert there_and_back(None, Literal["a", None], None) is None
    assert type_expression(Literal[None])[0] == "none"


def test_literals_which_json_could_not_tell_apart_are_refused() -> None:
    with pytest.raises(UnsupportedTypeError, match=r"two of the values .* are the same in JSON"):
        type_expression(Literal["red", Colour.RED])


# ---- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "python_type", "wire"),
    [
        ({1: "a", -2: "b"}, dict[int, str], {"1": "a", "-2": "b"}),
        ({1.5: 1, float("inf"): 2, 3.0: 3}, dict[float, int], {"1.5": 1, "Infinity": 2, "3.0": 3}),
        ({True: 1, False: 2}, dict[bool, int], {"true": 1, "false": 2}),
        ({date(2024, 1, 1): [1]}, dict[date, list[int]], {"2024-01-01": [1]}),
        ({timedelta(seconds=1): None}, dict[timedelta, None], {"1s": None}),
        ({b"x": 1}, dict[bytes, int], {"eA==": 1}),
        ({Colour.RED: Colour.BLUE}, dict[Colour, Colour], {"red": "blue"}),
        ({Level.LOW: 1}, dict[Level, int], {"1": 1}),
        ({"a": 1, 2: 3}, dict[Literal["a", 2], int], {"a": 1, "2": 3}),
        ({1: {2: 3}}, dict[int, dict[int, int]], {"1": {"2": 3}}),
        ({1: 2}, Annotated[dict[int, int], "a note"], {"1": 2}),
        ({}, dict[int, int], {}),
    ],
)
def test_keys_that_are_no_texts_are_written_as_their_json(value: Any, python_type: Any, wire: Any) -> None:
    back = there_and_back(value, python_type, wire)
    assert back == value
    assert list(map(type, back)) == list(map(type, value))


@pytest.mark.parametrize(
    ("value", "python_type", "words"),
    [
        ({"1": 1}, dict[int, int], "a key does not fit: expected int, got '1' of type str"),
        ({1: 1}, dict[float, int], "a key does not fit: expected float, got 1 of type int"),
        ({2**70: 1}, dict[int, int], "a key does not fit: the integer is beyond 64 bits"),
        ({1: "x"}, dict[int, int], "expected int, got 'x' of type str (at ['1'])"),
        (
            {datetime(2024, 1, 1): 1, datetime(2024, 1, 1, tzinfo=UTC): 2},  # noqa: DTZ001  naive is read as UTC
            dict[datetime, int],
            "two of its keys are written alike in JSON",
        ),
        ([], dict[int, int], "expected dict[int, int], got [] of type list"),
    ],
)
def test_keys_that_do_not_fit_are_refused(value: Any, python_type: Any, words: str) -> None:
    with pytest.raises(TypeTransformerFailedError) as error:
        to_wire(value, python_type, HERE)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("wire", "python_type", "words"),
    [
        ({"x": 1}, dict[int, int], "a key does not fit: expected int, got 'x'"),
        ({"01": 1}, dict[int, int], "a key does not fit: expected int, got '01'"),
        ({"True": 1}, dict[bool, int], "a key does not fit: expected bool, got 'True'"),
        ({"nan": 1}, dict[float, int], "a key does not fit: expected float, got 'nan'"),
        ({"green": 1}, dict[Colour, int], "one of 'red', 'blue'"),
        ({"1": 1, "1.0": 2}, dict[float, int], "two of its keys stand for the same value"),
    ],
)
def test_keys_that_spell_none_are_refused(wire: Any, python_type: Any, words: str) -> None:
    with pytest.raises(TypeTransformerFailedError) as error:
        from_wire(wire, python_type, HERE)
    assert words in str(error.value)


def test_literal_keys_that_are_written_alike_are_refused() -> None:
    with pytest.raises(UnsupportedTypeError, match=r"two of the keys .* are written alike"):
        type_expression(dict[Literal[1, "1"], int])


# ---- unions of what is a text in JSON -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "python_type"),
    [
        (datetime(2024, 1, 1, tzinfo=UTC), Union[str, datetime]),  # noqa: UP007  users write these
        ("noon", str | datetime),
        (b"noon", str | bytes),
        ("no base64", str | bytes),
        (Colour.RED, str | Colour),
        ("green", str | Colour),
        (timedelta(1), datetime | timedelta | str | None),
        ([date(2024, 1, 1)], list[str] | list[date]),
        ("a", Literal["a"] | int),
        ({"x": 1}, dict[int, int] | dict[str, int]),
    ],
)
def test_a_text_that_spells_something_is_that_in_a_union(value: Any, python_type: Any) -> None:
    wire = to_wire(value, python_type, HERE)
    back = from_wire(wire, python_type, HERE)
    assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize(
    ("value", "python_type"),
    [
        ("2024-01-01T00:00:00Z", str | datetime),
        ("noon", str | bytes),
        ("red", str | Colour),
        ("red", Literal["red"] | Colour),
        (base64.b64decode("12ms"), bytes | timedelta),
    ],
)
def test_a_text_that_would_be_read_as_something_else_is_ambiguous(value: Any, python_type: Any) -> None:
    with pytest.raises(TypeError, match="Ambiguous choice of variant for union type"):
        to_wire(value, python_type, HERE)
