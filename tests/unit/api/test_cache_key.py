"""What a result is found by, and why one was not."""

from __future__ import annotations

from typing import Any

import pytest

from windlass_api.cache_key import CacheKey, cache_key, why_missed
from windlass_api.references import changed
from windlass_api.types import parse_type

FILE_SCHEMA = {"type": "object", "properties": {"data": {"x-windlass-type": "file"}, "uri": {"type": "string"}}}


def key(
    value: Any, expression: str = "any", schema: Any = None, content: dict[str, str] | None = None, **more: Any
) -> CacheKey:
    parts: dict[str, Any] = {"task": "m.f", "version": "1", "output_types": {"o0": ("int", None)}, **more}
    return cache_key(inputs={"x": value}, input_types={"x": (expression, schema)}, content=(content or {}).get, **parts)


def same(one: Any, other: Any, expression: str, schema: Any = None, **more: Any) -> bool:
    return key(one, expression, schema, **more).digest == key(other, expression, schema, **more).digest


@pytest.mark.parametrize(
    ("expression", "wrap"),
    [
        ("file", lambda reference: reference),
        ("file[csv]", lambda reference: reference),
        ("directory", lambda reference: reference),
        ("dataframe[parquet]", lambda reference: reference),
        ("pickle", lambda reference: reference),
        ("optional[file]", lambda reference: reference),
        ("union[int, file]", lambda reference: reference),
        ("list[file]", lambda reference: [reference]),
        ("dict[str, list[optional[dataframe]]]", lambda reference: {"a": [None, reference]}),
        ("any", lambda reference: {"deep": [{"$pickle": reference}]}),
    ],
)
def test_a_hash_stands_for_the_data_wherever_the_reference_is(expression: str, wrap: Any) -> None:
    first, again = {"uri": "s3://b/1", "hash": "h"}, {"uri": "s3://b/2", "hash": "h"}
    assert same(wrap(first), wrap(again), expression)
    assert not same(wrap(first), wrap({**again, "hash": "other"}), expression)
    assert not same(wrap({"uri": "s3://b/1"}), wrap({"uri": "s3://b/2"}), expression)


def test_in_a_union_a_reference_is_one_before_it_is_a_dict() -> None:
    first, again = {"uri": "s3://b/1", "hash": "h"}, {"uri": "s3://b/2", "hash": "h"}
    assert same(first, again, "union[dict[str, any], file]")
    assert not same({"a": "s3://b/1"}, {"a": "s3://b/2"}, "union[dict[str, any], file]")


def test_a_hash_in_a_field_of_a_struct_stands_for_the_data() -> None:
    one = {"data": {"uri": "/tmp/1", "hash": "h"}, "uri": "same"}
    other = {"data": {"uri": "/tmp/2", "hash": "h"}, "uri": "same"}
    assert same(one, other, "struct", FILE_SCHEMA)
    assert not same(one, {**other, "uri": "another text"}, "struct", FILE_SCHEMA)


def test_texts_that_look_like_a_reference_are_texts() -> None:
    one, other = {"uri": "a", "hash": "h"}, {"uri": "b", "hash": "h"}
    assert not same(one, other, "dict[str, str]")
    assert not same(one, other, "any")
    assert not same({"data": one}, {"data": other}, "struct", {"type": "object", "properties": {"data": {}}})


def test_data_without_a_hash_is_known_by_its_content_and_else_by_its_place() -> None:
    content = {"/tmp/1": "c", "/tmp/2": "c", "/tmp/3": "d"}
    assert same({"uri": "/tmp/1"}, {"uri": "/tmp/2"}, "file", content=content)
    assert not same({"uri": "/tmp/1"}, {"uri": "/tmp/3"}, "file", content=content)
    assert same({"uri": "s3://b/1", "sha256": "e"}, {"uri": "s3://b/2", "sha256": "e"}, "file")
    assert not same({"uri": "s3://b/1"}, {"uri": "s3://b/2"}, "file")


def test_the_same_bytes_in_another_format_are_another_value() -> None:
    assert not same({"uri": "a", "hash": "h", "format": "csv"}, {"uri": "a", "hash": "h", "format": "tsv"}, "file")


def test_a_whole_float_may_be_written_without_its_point_but_an_int_is_no_float() -> None:
    assert same(1, 1.0, "float")
    assert same([1, 2.5], [1.0, 2.5], "list[float]")
    assert not same(1, 1.0, "any")
    assert not same(1, 1.0, "union[int, float]")
    assert not same(1, True, "any")


def test_the_order_of_keys_makes_no_difference_and_that_of_a_list_does() -> None:
    assert same({"a": 1, "b": 2}, {"b": 2, "a": 1}, "dict[str, int]")
    assert not same([1, 2], [2, 1], "list[int]")


def test_each_part_changes_the_key() -> None:
    base = key(1, "int")
    others = [
        key(2, "int"),
        key(1, "float"),
        key(1, "int", task="m.g"),
        key(1, "int", version="2"),
        key(1, "int", output_types={"o0": ("float", None)}),
        key(1, "int", output_types={"o1": ("int", None)}),
        key(1, "int", ignored=("x",)),
        key(1, "int", output_types={"o0": ("struct", {"type": "object", "title": "A"})}),
        key(1, "int", output_types={"o0": ("struct", {"type": "object", "title": "B"})}),
    ]
    assert len({one.digest for one in (base, *others)}) == len(others) + 1


def test_the_parts_come_back_from_their_json() -> None:
    one = key({"a": [1]})
    assert CacheKey.of_parts(one.parts()) == one
    assert CacheKey.of_parts(one.parts()).digest == one.digest


def test_a_miss_is_explained_by_the_nearest_result() -> None:
    base = key(1, "int")
    assert why_missed(base, []) == "there is no result of this task yet"
    assert why_missed(base, [key(1, "int", task="m.g")]) == "there is no result of this task yet"
    far = key(2, "float", version="0")
    assert why_missed(base, [far, key(1, "int", version="0")]) == "the version is 1, was 0"
    assert why_missed(base, [key(2, "int")]).startswith("the value of x is another one (")
    assert "the input x is int, was float" in why_missed(base, [far])
    assert "the output o0 is int, was str" in why_missed(base, [key(1, "int", output_types={"o0": ("str", None)})])
    assert "was ignored" in why_missed(base, [key(1, "int", ignored=("x",))])


def test_what_is_no_reference_stays_as_it_is() -> None:
    def refuse(part: Any, of: Any) -> Any:
        raise AssertionError(f"{part!r} of {of} was taken for a reference")

    for expression, value in (
        ("file", None),
        ("optional[file]", None),
        ("list[int]", [1]),
        ("dict[str, any]", {"uri": "x"}),
        ("any", {"$pickle": 3}),
        ("union[int, str]", "a"),
    ):
        assert changed(value, parse_type(expression), None, refuse) == value
