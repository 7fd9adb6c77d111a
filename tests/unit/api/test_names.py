"""Names, by example; for what holds for all of them see tests/properties/test_api_names.py."""

from __future__ import annotations

import pytest

from windlass_api import names


@pytest.mark.parametrize(
    ("python_name", "name"),
    [
        ("wordcount.count_words", "wordcount.count-words"),
        ("a.b.c", "a.b.c"),
        ("a__b", "a--b"),
        ("v2.step_3", "v2.step-3"),
    ],
)
def test_plain_python_names_stay_readable(python_name: str, name: str) -> None:
    assert names.kubernetes_name(python_name) == name


@pytest.mark.parametrize(
    ("python_name", "starts"),
    [
        ("pkg._private", "pkg.private-"),
        ("pkg.CamelCase", "pkg.camelcase-"),
        ("a-b", "a-b-"),
        ("größe", "gr-e-"),
        ("___", "x-"),
        ("looks_3f2a1b", "looks-3f2a1b-"),
        ("x" * 300, "x" * 193 + "-"),
    ],
)
def test_a_name_that_loses_something_carries_a_hash(python_name: str, starts: str) -> None:
    name = names.kubernetes_name(python_name)
    assert name.startswith(starts)
    assert len(name) == len(starts) + 6


def test_hashes_and_derived_names_are_pinned_for_they_live_in_clusters() -> None:
    assert names.content_hash({"b": 1, "a": [None, "é"]}) == names.content_hash(b'{"a":[null,"\\u00e9"],"b":1}')
    assert names.content_hash({}) == "44136fa355b3678a"
    assert names.kubernetes_name("Foo") == "foo-1cbec7"
    assert names.pod_name("wc-x1", "n0", 0) == "wc-x1-n0-0"
    assert names.revision_name("Task", "wordcount.count-words", "ab12") == "task-wordcount.count-words-ab12"
    assert names.closure_name("ab12") == "closure-ab12"
    assert names.code_name("ab12") == "code-ab12"
    assert names.pinned_code_name("code-ab12") == "pinned-code-ab12"
    assert names.value_name("wc-x1", "ab12") == "wc-x1-value-ab12"
    assert names.pod_name("wc-x1", "n0", 0, 17) == "wc-x1-n0-17-0-c968c37b80"
    assert names.child_name("wc-x1", "n2", 0) == "wc-x1-n2-0"
    assert names.child_name("wc-x1", "n2.n0", 0) == "wc-x1-n2-n0-0-41471dddb2"
    assert names.segment_name("wc-x1", "n2.n0", 3) == "wc-x1-n2.n0-elements-3"
    assert names.segment_name("wc-x1", "n-2", 3) == "wc-x1-n-2-elements-3-c557417e6d"
    assert names.cache_name("ab12") == "cache-ab12"
    assert names.dynamic_version("ab12") == "dyn-ab12"


@pytest.mark.parametrize(
    ("gate", "name"),
    [
        ("rate", "wc-x1.rate"),
        ("approve-model", "wc-x1.approve-model"),
        ("approve_model", "wc-x1.approve-model-324059e162"),
        ("Is this right?", "wc-x1.is-this-right-22cb98f42c"),
        ("model-0123456789", "wc-x1.model-0123456789-4b051c938e"),
        ("…", "wc-x1.x-0dd1797a03"),
    ],
)
def test_a_signal_is_called_as_its_gate_where_that_can_be(gate: str, name: str) -> None:
    assert names.signal_name("wc-x1", gate) == name


def test_what_is_not_json_has_no_hash() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        names.canonical_json(float("nan"))


@pytest.mark.parametrize(("execution", "node"), [("e" * 63, "n0"), ("a", "b-c"), ("a.b", "n0"), ("e" * 63, "n" * 63)])
def test_a_pod_name_that_is_long_or_ambiguous_carries_a_hash(execution: str, node: str) -> None:
    name = names.pod_name(execution, node, 12)
    assert names.is_dns_label(name)
    assert name.split("-")[-2] == "12"


def test_long_names_of_objects_are_cut_and_hashed() -> None:
    name = names.revision_name("Workflow", "w" * 253, "ab12")
    assert names.is_dns_subdomain(name)
    assert len(name) == names.MAX_NAME


def test_a_label_value_stays_as_it_is_where_it_may() -> None:
    assert names.label_value("wordcount.count-words") == "wordcount.count-words"
    assert names.label_value("w" * 64).startswith("w" * 52 + "-")
    assert names.label_value("_a b_").startswith("a-b-")


def test_every_kind_has_a_plural() -> None:
    assert {kind: names.plural(kind) for kind in names.PLURALS} == names.PLURALS
