"""Promises of the wire for all types and values: what goes out is JSON that the contract accepts, and it comes back."""

from __future__ import annotations

import dataclasses
import decimal
import enum
import json
import math
import warnings
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, Union

import numpy as np
import pydantic
import pytest
from hypothesis import example, given, settings, strategies as st
from hypothesis.extra import numpy as npst

from windlass._exceptions import TypeTransformerFailedError
from windlass._types import argument_of, from_wire, to_wire, type_expression
from windlass._types.annotated import BatchSize, kwtypes
from windlass_api.types import check_value, is_bytes, is_date, is_datetime, is_timedelta, parse_type

HERE = argument_of("m.f", "a")
NAMES = st.sampled_from(["a", "b", "size", "name", "of_it", "x1"])
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
INTS = st.integers(-(2**63), 2**63 - 1)
Typed = tuple[Any, st.SearchStrategy[Any]]  # an annotation and its values


class Colour(enum.Enum):
    RED = "red"
    GREEN = "a"
    BLUE = 1
    WHITE = "2024-01-01"


class Level(enum.IntEnum):
    LOW = 0
    HIGH = 1


UTC_TIMES = st.datetimes(timezones=st.just(timezone.utc))
KEYS: list[Typed] = [
    (int, INTS),
    (float, st.floats(allow_nan=False)),  # not-a-number is not even equal to itself
    (str, TEXT),
    (bool, st.booleans()),
    (bytes, st.binary(max_size=6)),
    (datetime, UTC_TIMES),
    (date, st.dates()),
    (timedelta, st.timedeltas()),
    (Colour, st.sampled_from(Colour)),
    (Level, st.sampled_from(Level)),
    (Literal["a", 2, True], st.sampled_from(["a", 2, True])),
]
SCALARS: list[Typed] = [*KEYS, (float, st.floats()), (type(None), st.none())]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | INTS | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ANYTHING: list[Typed] = [(Any, JSON_VALUES), (dict, st.dictionaries(TEXT, JSON_VALUES, max_size=3))]


def _list(inner: Typed) -> Typed:
    return list[inner[0]], st.lists(inner[1], max_size=3)  # type: ignore[valid-type]  # made at run time


def _dict(inner: Typed, key: Typed) -> Typed:
    return dict[key[0], inner[0]], st.dictionaries(key[1], inner[1], max_size=3)  # type: ignore[valid-type]  # as above


def _optional(inner: Typed) -> Typed:
    return inner[0] | None, st.none() | inner[1]


def _union(first: Typed, second: Typed) -> Typed:
    return Union[first[0], second[0]], first[1] | second[1]  # noqa: UP007  made at run time


def _dataclass(fields: dict[str, Typed]) -> Typed:
    made = dataclasses.make_dataclass("Made", [(name, typed[0]) for name, typed in fields.items()])
    return made, st.builds(made, **{name: typed[1] for name, typed in fields.items()})


def _typed_dict(fields: dict[str, Typed]) -> Typed:
    made = TypedDict("Made", {name: typed[0] for name, typed in fields.items()})  # type: ignore[misc]  # as above
    return made, st.fixed_dictionaries({name: typed[1] for name, typed in fields.items()})


def _annotated(inner: Typed) -> Typed:
    return Annotated[inner[0], kwtypes(note=int)], inner[1]


def _larger(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        inner.map(_list),
        st.builds(_dict, inner, st.sampled_from(KEYS)),
        inner.map(_annotated),
        inner.filter(lambda typed: typed[0] is not Any).map(_optional),
        st.builds(_union, inner, inner),
        st.dictionaries(NAMES, inner, max_size=3).map(_dataclass),
        st.dictionaries(NAMES, inner, max_size=3).map(_typed_dict),
    )


TYPED = st.recursive(st.sampled_from(SCALARS + ANYTHING), _larger, max_leaves=5)
TYPED_VALUES = TYPED.flatmap(lambda typed: st.tuples(st.just(typed[0]), typed[1]))


def same(one: Any, other: Any) -> bool:
    """Equal and of one class all the way down; not-a-number equals itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes())
    if dataclasses.is_dataclass(one):
        return same(vars(one), vars(other))
    return _same_parts(one, other) if isinstance(one, list | dict) else bool(one == other)


def _same_parts(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    alike = list(one) == list(other) and list(map(type, one)) == list(map(type, other))
    return alike and all(same(one[key], other[key]) for key in one)


def through_kubernetes(wire: Any) -> Any:
    """JSON as the API server gives it back: whole floats are their shortest digits and zeros."""
    if isinstance(wire, float) and wire.is_integer() and abs(wire) < 1e21:
        return int(decimal.Decimal(repr(wire)))
    if isinstance(wire, list):
        return [through_kubernetes(item) for item in wire]
    if isinstance(wire, dict):
        return {key: through_kubernetes(item) for key, item in wire.items()}
    return wire


def sent(value: Any, python_type: Any) -> tuple[bool, Any]:
    """The JSON that travels, unless the value is one that two variants of a union would read differently."""
    try:
        wire = to_wire(value, python_type, HERE)
    except TypeError as error:
        assert "Ambiguous choice of variant" in str(error), error
        return False, None
    return True, json.loads(json.dumps(wire, allow_nan=False))


@settings(deadline=None)
@given(TYPED_VALUES)
def test_what_goes_out_comes_back(typed_value: tuple[Any, Any]) -> None:
    python_type, value = typed_value
    travelled, wire = sent(value, python_type)
    if travelled:
        assert same(from_wire(wire, python_type, HERE), value)


@settings(deadline=None)
@given(TYPED_VALUES)
def test_what_went_through_kubernetes_can_be_sent_on_and_is_the_same(typed_value: tuple[Any, Any]) -> None:
    python_type, value = typed_value
    travelled, wire = sent(value, python_type)
    if travelled:
        seen = through_kubernetes(wire)
        back = from_wire(seen, python_type, HERE)
        assert through_kubernetes(to_wire(back, python_type, HERE)) == seen


@settings(deadline=None)
@given(TYPED_VALUES)
def test_the_contract_accepts_every_value_that_is_sent(typed_value: tuple[Any, Any]) -> None:
    python_type, value = typed_value
    expression, schema = type_expression(python_type)
    travelled, wire = sent(value, python_type)
    if travelled:
        for arriving in (wire, through_kubernetes(wire)):
            assert check_value(arriving, parse_type(expression), schema) == []


@settings(deadline=None)
@given(TYPED)
def test_every_expression_is_one_of_the_contract(typed: Typed) -> None:
    expression, _ = type_expression(typed[0])
    assert type_expression(typed[0]) == type_expression(typed[0])
    assert str(parse_type(expression)) == expression


@settings(deadline=None)
@given(TYPED_VALUES, TYPED)
def test_a_value_of_another_type_is_refused_or_read_as_that_type(typed_value: tuple[Any, Any], other: Typed) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is no JSON is pickled under Any
            wire = to_wire(typed_value[1], other[0], HERE)
    except (TypeError, ValueError) as error:
        assert str(error).startswith("Failed to convert inputs of task 'm.f':\n  Failed argument 'a': ")
    else:
        if "$pickle" not in json.dumps(wire):  # not every class that is made at run time can be pickled
            from_wire(wire, other[0], HERE)


# ---- values in the store --------------------------------------------------------------------------------------------


class Unknown:
    """What can only be pickled."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and same(self.content, other.content)

    __hash__ = None  # type: ignore[assignment]  # it has none


ARRAYS = npst.arrays(st.sampled_from(["int64", "float32", "bool", "U3"]), npst.array_shapes(max_dims=2, max_side=3))
UNKNOWN = st.builds(Unknown, JSON_VALUES)
STORED: list[Typed] = [
    (np.ndarray, ARRAYS),
    (Unknown, UNKNOWN),
    (set[int], st.sets(st.integers(), max_size=3)),
    (Annotated[list[Unknown], BatchSize(2)], st.lists(UNKNOWN, max_size=4)),
    (Any, UNKNOWN | st.tuples(JSON_VALUES) | JSON_VALUES),
]
STORED_TYPED = st.recursive(st.sampled_from(STORED + SCALARS[:3]), _larger, max_leaves=4)


@pytest.fixture(scope="module", autouse=True)
def _store_in_a_folder_of_the_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        folder = tmp_path_factory.mktemp("raw")
        patch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", str(folder))
        warnings.filterwarnings("ignore", message="values of type", category=UserWarning)
        yield folder


@settings(deadline=None, max_examples=50)
@given(STORED_TYPED.flatmap(lambda typed: st.tuples(st.just(typed[0]), typed[1])))
def test_values_in_the_store_come_back_wherever_they_stand(typed_value: tuple[Any, Any]) -> None:
    python_type, value = typed_value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expression, schema = type_expression(python_type)
        travelled, wire = sent(value, python_type)
        if travelled:
            assert check_value(through_kubernetes(wire), parse_type(expression), schema) == []
            assert same(from_wire(wire, python_type, HERE), value)


# ---- pydantic -------------------------------------------------------------------------------------------------------

FIELDS: list[Typed] = [
    (int, INTS),
    (float, st.floats(allow_nan=False)),
    (str, TEXT),
    (bool, st.booleans()),
    (datetime, UTC_TIMES),
    (date, st.dates()),
    (Colour, st.sampled_from(Colour)),
    (set[int], st.sets(INTS, max_size=3)),
    (tuple[int, str], st.tuples(INTS, TEXT)),
    (list[float | None], st.lists(st.none() | st.floats(allow_nan=False), max_size=3)),
]


def _model(fields: dict[str, Typed]) -> Typed:
    made = pydantic.create_model("Made", **{name: (typed[0], ...) for name, typed in fields.items()})  # type: ignore[call-overload]
    return made, st.builds(made, **{name: typed[1] for name, typed in fields.items()})


MODELS = st.recursive(
    st.dictionaries(NAMES, st.sampled_from(FIELDS), max_size=3).map(_model),
    lambda inner: st.dictionaries(NAMES, st.sampled_from(FIELDS) | inner, max_size=3).map(_model),
    max_leaves=3,
)


@settings(deadline=None, max_examples=50)
@given(MODELS.flatmap(lambda typed: st.tuples(st.just(typed[0]), typed[1])))
def test_pydantic_models_come_back(typed_value: tuple[Any, Any]) -> None:
    model, value = typed_value
    many, some = list[model], dict[str, model | None]  # type: ignore[valid-type]  # made at run time
    for python_type, whole in ((model, value), (many, [value]), (some, {"a": value})):
        expression, schema = type_expression(python_type)
        _, wire = sent(whole, python_type)
        assert check_value(wire, parse_type(expression), schema) == []
        assert from_wire(wire, python_type, HERE) == whole


# ---- the contract and the SDK read the same texts -------------------------------------------------------------------

TIME_TEXTS = (
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,10})?(Z|[-+][0-9]{2}:[0-9]{2})?)?")
    | st.datetimes().map(datetime.isoformat)
    | st.dates().map(date.isoformat)
    | st.from_regex(r"[-+]?([0-9]{1,12}(\.[0-9]{1,10})?(h|m|s|ms|us|µs|ns|d)?){0,3}")
    | st.text(alphabet="0123456789abcABC+/=-", max_size=9)
    | st.text(max_size=5)
)


@settings(deadline=None, max_examples=500)
@given(TIME_TEXTS)
@example("0001-01-01T00:00:00+00:01")
@example("-23999999976h")
@example("-23999999976h0.000001s")
@example("-23999999976h999ns")
@example("23999999999h59m59.999999999s")
@example("24000000000h")
@example("2024-01-01T00:00:00Z\n")
@example("0s\n")
@example("YQ==\n")
@example("YR==")
@example("\uff12024-01-01")
def test_the_contract_takes_a_text_exactly_if_the_sdk_reads_it(text: str) -> None:
    readers = ((datetime, is_datetime), (date, is_date), (timedelta, is_timedelta), (bytes, is_bytes))
    for python_type, accepted in readers:
        assert accepted(text) is _is_read(text, python_type)


def _is_read(text: str, python_type: Any) -> bool:
    try:
        value = from_wire(text, python_type, HERE)
    except TypeTransformerFailedError:
        return False
    assert from_wire(to_wire(value, python_type, HERE), python_type, HERE) == value
    return True


@settings(deadline=None)
@given(st.sampled_from(KEYS), TIME_TEXTS | st.from_regex(r"-?[0-9]{1,3}(\.[0-9]{1,2})?(e-?[0-9])?") | st.just("true"))
def test_the_contract_takes_a_key_exactly_if_the_sdk_reads_it(key: Typed, text: str) -> None:
    python_type = dict[key[0], int]  # type: ignore[valid-type]  # made at run time
    expression, schema = type_expression(python_type)
    try:
        from_wire({text: 1}, python_type, HERE)
        read = True
    except TypeTransformerFailedError:
        read = False
    assert (check_value({text: 1}, parse_type(expression), schema) == []) is read


@settings(deadline=None)
@given(st.datetimes(timezones=st.timezones(), min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_a_datetime_comes_back_as_the_same_moment(moment: datetime) -> None:
    back = from_wire(to_wire(moment, datetime, HERE), datetime, HERE)
    assert back - moment.astimezone(timezone.utc) == timedelta(0)
    assert back.tzinfo is timezone.utc
