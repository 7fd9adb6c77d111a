"""Promises of names."""

from __future__ import annotations

from hypothesis import given, strategies as st

from tests.properties.api_strategies import dns_labels, json_values, python_names
from windlass_api.names import (
    canonical_json,
    content_hash,
    is_dns_label,
    is_dns_subdomain,
    kubernetes_name,
    label_value,
    pod_name,
    revision_name,
)

execution_names = st.builds("{}{}".format, dns_labels, st.sampled_from(["", "-n0", ".b", "-" + "x" * 40]))


@given(python_names | st.text(min_size=1, max_size=300))
def test_every_python_name_gives_the_name_of_an_object(name: str) -> None:
    assert is_dns_subdomain(kubernetes_name(name))
    assert len(kubernetes_name(name)) <= 200


@given(python_names, python_names)
def test_different_python_names_give_different_names(one: str, other: str) -> None:
    assert (kubernetes_name(one) == kubernetes_name(other)) == (one == other)


@given(python_names)
def test_a_name_never_meets_the_hashed_name_of_another(name: str) -> None:
    hashed = kubernetes_name(name)
    assert hashed in (name.replace("_", "-"), kubernetes_name(name))
    assert kubernetes_name(hashed.replace("-", "_")) != hashed or name == hashed.replace("-", "_")


@given(execution_names, dns_labels, st.integers(0, 10**6), execution_names, dns_labels, st.integers(0, 10**6))
def test_pods_of_different_attempts_have_different_names(
    execution: str, node: str, attempt: int, execution2: str, node2: str, attempt2: int
) -> None:
    one, other = pod_name(execution, node, attempt), pod_name(execution2, node2, attempt2)
    assert is_dns_label(one)
    assert (one == other) == ((execution, node, attempt) == (execution2, node2, attempt2))


def test_a_dash_in_a_node_id_does_not_make_two_pods_one() -> None:
    assert pod_name("a", "b-c", 0) != pod_name("a-b", "c", 0)


@given(st.text(max_size=100))
def test_every_text_gives_a_label_value(text: str) -> None:
    value = label_value(text)
    assert len(value) <= 63
    assert label_value(value) == value


@given(st.from_regex(r"[a-z][a-z0-9]{0,251}[a-z]", fullmatch=True), json_values)
def test_a_revision_has_the_name_of_an_object(name: str, spec: object) -> None:
    assert is_dns_subdomain(revision_name("Workflow", name, content_hash(spec)))


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=5))
def test_the_order_of_keys_does_not_change_a_hash(value: dict[str, object]) -> None:
    backwards = dict(reversed(value.items()))
    assert canonical_json(value) == canonical_json(backwards)
    assert content_hash(value) == content_hash(canonical_json(backwards))
