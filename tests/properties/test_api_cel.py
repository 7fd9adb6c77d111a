"""Promises of expressions."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from tests.properties.api_strategies import ERROR, bool_expressions, cel_texts, int_expressions, json_values
from windlass_api.cel import CelError, CelSyntaxError, kind_of_value, parse
from windlass_api.refs import Ref


def value_of(text: str) -> Any:
    try:
        return parse(text).evaluate(no_lookup)
    except CelError:
        return ERROR


def no_lookup(ref: Ref) -> Any:
    raise AssertionError(f"there is no reference in it, yet {ref} was asked for")


@given(cel_texts)
def test_any_text_is_an_expression_or_a_cel_syntax_error(text: str) -> None:
    try:
        parse(text)
    except CelSyntaxError as error:
        assert 0 <= error.position <= len(text)


@given(cel_texts, json_values)
def test_evaluating_gives_a_value_or_a_cel_error_and_keeps_to_the_kind_foretold(text: str, value: Any) -> None:
    try:
        expression = parse(text)
        result = expression.evaluate(lambda ref: value)
    except (CelSyntaxError, CelError):
        return
    kind = expression.kind(lambda ref: kind_of_value(value))
    assert kind in (None, kind_of_value(result))


@given(int_expressions())
def test_integers_compute_as_in_the_reference(expression: tuple[str, Any]) -> None:
    text, expected = expression
    assert value_of(text) == expected


@given(bool_expressions())
def test_conditions_decide_as_in_the_reference(expression: tuple[str, Any]) -> None:
    text, expected = expression
    assert value_of(text) is expected


@given(json_values)
def test_a_value_equals_itself_and_is_never_both_equal_and_unequal(value: Any) -> None:
    assert parse("inputs.x == inputs.x").evaluate(lambda ref: value) is True
    assert parse("inputs.x != inputs.x").evaluate(lambda ref: value) is False
