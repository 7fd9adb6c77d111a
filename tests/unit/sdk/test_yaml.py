"""Manifests are read by kubectl, which knows other words for bools and numbers than PyYAML."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from windlass._cli._yaml import WIDTH, by_library, dump, load_all


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


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abn$._-0", max_size=8), inner),
    )
)
def test_what_is_written_is_read_again_also_without_the_fast_writer(document: object) -> None:
    assert load_all(dump([{"a": document}]), "x") == [{"a": document}]
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "CSafeDumper")
        assert load_all(dump([{"a": document}]), "x") == [{"a": document}]


WORDS = ("yes", "No", "NULL", "nan", "NaN", "Infinity", "yEs", "oN")
texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8),
    st.text("ab1 .:-#[]{}\"'=>&|!$/", max_size=10),
    st.sampled_from(
        [
            "word " * 40,
            "two\nlines",
            " a\n\n  b\n",
            "x" * 200,
            "yes",
            "No",
            "NULL",
            "nan",
            "NaN",
            "Infinity",
            "yEs",
            "1e3",
            "2024-01-02",
            "a: b",
        ]
    ),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.text("abn$._-0", max_size=8), values))
def test_what_is_written_line_by_line_looks_as_the_library_writes_it(document: dict[str, object]) -> None:
    assert dump([document]) == by_library(document, WIDTH)
    assert load_all(dump([{"a": document}]), "x") == [{"a": document}]
