"""Promises of the wire for all types and values: what goes out is JSON that the contract accepts, and it comes back."""

from __future__ import annotations

import dataclasses
import decimal
import json
import math
from typing import Any, Union

from hypothesis import given, settings
from hypothesis import strategies as st

from windlass._types import argument_of, from_wire, to_wire, type_expression
from windlass_api.types import check_value, parse_type

HERE = argument_of("m.f", "a")
NAMES = st.sampled_from(["a", "b", "size", "name", "of_it", "x1"])
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
INTS = st.integers(-(2**63), 2**63 - 1)
Typed = tuple[Any, st.SearchStrategy[Any]]  # an annotation and its values

SCALARS: list[Typed] = [
    (int, INTS),
    (float, st.floats()),
    (str, TEXT),
    (bool, st.booleans()),
    (type(None), st.none()),
]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | INTS | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ANYTHING: list[Typed] = [(Any, JSON_VALUES), (dict, st.dictionaries(TEXT, JSON_VALUES, max_size=3))]


def _list(inner: Typed) -> Typed:
    return list[inner[0]], st.lists(inner[1], max_size=3)  # type: ignore[valid-type]  # made at run time


def _dict(inner: Typed) -> Typed:
    return dict[str, inner[0]], st.dictionaries(TEXT, inner[1], max_size=3)  # type: ignore[valid-type]  # as above


def _optional(inner: Typed) -> Typed:
    return inner[0] | None, st.none() | inner[1]


def _union(first: Typed, second: Typed) -> Typed:
    return Union[first[0], second[0]], first[1] | second[1]  # noqa: UP007  made at run time


def _dataclass(fields: dict[str, Typed]) -> Typed:
    made = dataclasses.make_dataclass("Made", [(name, typed[0]) for name, typed in fields.items()])
    return made, st.builds(made, **{name: typed[1] for name, typed in fields.items()})


def _larger(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        inner.map(_list),
        inner.map(_dict),
        inner.filter(lambda typed: typed[0] is not Any).map(_optional),
        st.builds(_union, inner, inner),
        st.dictionaries(NAMES, inner, max_size=3).map(_dataclass),
    )


TYPED = st.recursive(st.sampled_from(SCALARS + ANYTHING), _larger, max_leaves=5)
TYPED_VALUES = TYPED.flatmap(lambda typed: st.tuples(st.just(typed[0]), typed[1]))


def same(one: Any, other: Any) -> bool:
    """Equal and of one class all the way down; not-a-number equals itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if dataclasses.is_dataclass(one):
        return same(vars(one), vars(other))
    return bool(one == other)


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
        wire = to_wire(typed_value[1], other[0], HERE)
    except (TypeError, ValueError) as error:
        assert str(error).startswith("Failed to convert inputs of task 'm.f':\n  Failed argument 'a': ")
    else:
        from_wire(wire, other[0], HERE)
