"""The record of an attempt: what is one, and what only looks like it."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest

from windlass_api import records

OUTPUTS = {"v": 1, "outputs": {"o0": [1, 2.5, "ü", None]}, "timings": {"user": 1.5}}


def packed(content: bytes, **more: Any) -> str:
    return json.dumps({"v": 1, "z": base64.b85encode(zlib.compress(content)).decode(), **more})


@pytest.mark.parametrize(
    "record",
    [OUTPUTS, {"v": 1, "outputs": {}}, {"v": 1, "error": {"kind": "user"}}, {"v": 1, "workflow": {"nodes": []}}],
    ids=["outputs", "no outputs", "error", "workflow"],
)
def test_a_record_is_read_as_it_is_and_compressed(record: dict[str, Any]) -> None:
    assert records.decode(json.dumps(record)) == record
    assert records.decode(records.compressed(json.dumps(record).encode()).decode()) == record


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "Traceback (most recent call last):",
        json.dumps(OUTPUTS)[:-5],
        "[1]",
        '"text"',
        "null",
        '{"v": 2, "outputs": {}}',
        '{"v": 1}',
        '{"v": 1, "outputs": []}',
        '{"v": 1, "outputs": null}',
        '{"v": 1, "outputs": {}, "error": "no"}',
        '{"v": 1, "outputs": {}, "timings": [1]}',
        '{"v": 1, "workflow": "n0"}',
        '{"v": 1, "outputs": {"o0": NaN}}',
        '{"v": 1, "outputs": {"o0": 1e999}}',
        '{"v": 1, "outputs": {"o0": "\\ud800"}}',
        '{"v": 1, "outputs": {"o0": ' + "[" * 50_000 + "]" * 50_000 + "}}",
        '{"v": 1, "outputs": {"o0": ' + "9" * 5000 + "}}",
    ],
    ids=lambda text: str(text)[:30],
)
def test_what_is_no_record_is_none(text: str | None) -> None:
    assert records.decode(text) is None
    assert records.decode(packed((text or "").encode())) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"v": 1, "z": 3}',
        '{"v": 1, "z": ""}',
        '{"v": 1, "z": "no base85 \\""}',
        '{"v": 1, "z": "ü"}',
        '{"v": 1, "z": "~~~~~"}',
        json.dumps({"v": 1, "z": base64.b85encode(b"not compressed").decode()}),
        json.dumps({"v": 1, "z": base64.b85encode(zlib.compress(json.dumps(OUTPUTS).encode())[:-6]).decode()}),
        json.dumps({"v": 1, "z": base64.b85encode(zlib.compress(json.dumps(OUTPUTS).encode()) + b"x").decode()}),
        packed(b"\xff\xfe"),
        packed(packed(json.dumps(OUTPUTS).encode()).encode()),
    ],
    ids=["number", "empty", "no base85", "no ASCII", "overflow", "no zlib", "half", "more", "no UTF-8", "twice"],
)
def test_what_can_not_be_expanded_is_none(text: str) -> None:
    assert records.decode(text) is None


def test_a_bomb_is_not_expanded() -> None:
    bomb = packed(b'{"v":1,"outputs":{"o0":"' + b" " * (200 << 20) + b'"}}')
    assert len(bomb) < 300_000
    assert records.decode(bomb) is None


def test_a_record_may_be_as_large_as_the_limit_and_no_larger() -> None:
    room = records.MAX_SIZE - len('{"v":1,"outputs":{"o0":""}}')
    whole = '{"v":1,"outputs":{"o0":"%s"}}'
    assert records.decode(packed((whole % ("x" * room)).encode())) is not None
    assert records.decode(packed((whole % ("x" * (room + 1))).encode())) is None


def test_numbers_beyond_64_bits_are_rounded_as_kubernetes_does() -> None:
    found = records.decode('{"v": 1, "outputs": {"a": 9223372036854775807, "b": 9223372036854775808}}')
    assert found is not None
    assert repr(found["outputs"]) == "{'a': 9223372036854775807, 'b': 9.223372036854776e+18}"
