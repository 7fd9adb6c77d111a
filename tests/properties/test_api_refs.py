"""Promises of references."""

from __future__ import annotations

import functools
from typing import Any

from hypothesis import given, strategies as st

from tests.properties.api_strategies import json_values, refs
from windlass_api.cel import parse
from windlass_api.refs import Ref, RefSyntaxError, RefValueError, escape, iter_refs, parse_ref, resolve, walk


def no_lookup(ref: Ref) -> Any:
    raise AssertionError(f"there is no reference in it, yet {ref} was asked for")


@given(refs)
def test_what_a_reference_spells_parses_to_the_same_reference(ref: Ref) -> None:
    assert parse_ref(str(ref)) == ref


@given(refs)
def test_a_reference_means_the_same_in_an_expression(ref: Ref) -> None:
    assert parse(str(ref)).refs == (ref,)


@given(st.text(alphabet="inputsode.[]'\"\\01-a ", max_size=24) | st.text(max_size=12))
def test_any_text_is_a_reference_or_a_ref_syntax_error(text: str) -> None:
    try:
        ref = parse_ref(text)
    except RefSyntaxError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert parse_ref(str(ref)) == ref


@given(json_values)
def test_data_that_is_escaped_comes_back_as_it_was(value: Any) -> None:
    assert resolve(escape(value), no_lookup) == value
    assert list(iter_refs(escape(value))) == []


@given(st.lists(st.tuples(refs, json_values), max_size=4))
def test_every_reference_is_found_at_its_path_and_resolved(pairs: list[tuple[Ref, Any]]) -> None:
    answers = dict(pairs)
    value = {"list": [{"$ref": str(ref)} for ref in answers], "data": 1}
    assert list(iter_refs(value, "spec.x")) == [(f"spec.x.list[{i}]", ref) for i, ref in enumerate(answers)]
    assert resolve(value, answers.__getitem__) == {"list": list(answers.values()), "data": 1}


def part(value: Any, step: Any) -> Any:
    assert type(value) is (dict if isinstance(step, str) else list)
    return value[step]


@given(json_values, st.lists(st.text(max_size=4) | st.integers(-5, 5), max_size=3))
def test_walking_gives_the_part_or_says_that_there_is_none(value: Any, path: list[str | int]) -> None:
    try:
        expected = functools.reduce(part, path, value)
    except (AssertionError, LookupError):
        expected = RefValueError
    try:
        found = walk(value, path)
    except RefValueError:
        found = RefValueError
    assert found == expected
