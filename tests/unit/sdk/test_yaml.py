"""Manifests are read by kubectl, which knows other words for bools and numbers than PyYAML."""

from __future__ import annotations

import pytest

from windlass._cli._yaml import dump, load_all


@pytest.mark.parametrize(
    "text", ["n", "y", "N", "Y", "1e3", "0x1F", "012", "1_000", "inf", ".5", "on", "yes", "null", "~", "3.12"]
)
def test_a_text_that_a_reader_could_take_for_something_else_is_quoted(text: str) -> None:
    written = dump([{text: text}])
    assert written.startswith(f"'{text}': '{text}'")
    assert load_all(written, "x") == [{text: text}]


@pytest.mark.parametrize("text", ["name", "n0", "hello.greet", "str", "3.12-slim", "list[int]", "inputs.n"])
def test_other_texts_stay_plain(text: str) -> None:
    assert dump([{text: text}]) == f"{text}: {text}\n"
