"""Promises of names."""

from __future__ import annotations

from hypothesis import given, strategies as st

from tests.properties.api_strategies import dns_labels, json_values, python_names
from windlass_api.names import (
    canonical_json,
    child_name,
    content_hash,
    is_dns_label,
    is_dns_subdomain,
    kubernetes_name,
    label_value,
    pod_name,
    revision_name,
    segment_name,
    signal_name,
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


paths = st.lists(dns_labels, min_size=1, max_size=3).map(".".join)
attempts = st.tuples(execution_names, paths, st.integers(0, 200), st.none() | st.integers(0, 10**6))
small_attempts = st.tuples(
    st.sampled_from(["a", "a-n0", "a-n0-1"]),
    st.sampled_from(["n0", "0", "1", "n0-1", "n0.1"]),
    st.integers(0, 2),
    st.none() | st.integers(0, 2),
)


@given(attempts | small_attempts, attempts | small_attempts)
def test_different_attempts_and_elements_never_share_a_name(
    one: tuple[str, str, int, int | None], other: tuple[str, str, int, int | None]
) -> None:
    for name_of in (pod_name, child_name):
        assert is_dns_label(name_of(*one))
        assert (name_of(*one) == name_of(*other)) == (one == other)


@given(execution_names, paths, st.integers(0, 10**6))
def test_a_child_of_a_child_has_a_name_of_its_own(execution: str, node: str, element: int) -> None:
    child = child_name(execution, node, 0, element)
    grandchild = child_name(child, node, 0, element)
    assert is_dns_label(grandchild)
    assert len({child, grandchild, child_name(grandchild, node, 0, element)}) == 3


gates = (
    st.text(min_size=1, max_size=253) | dns_labels | st.sampled_from(["a", "A", "a-", "-a", "a_b", "a-b", "a b", "."])
)


@given(execution_names, gates, execution_names, gates)
def test_different_gates_have_different_signals(execution: str, gate: str, execution2: str, gate2: str) -> None:
    one, other = signal_name(execution, gate), signal_name(execution2, gate2)
    assert is_dns_subdomain(one)
    assert (one == other) == ((execution, gate) == (execution2, gate2))


@given(execution_names, gates)
def test_the_signal_of_a_gate_is_never_that_of_a_gate_which_is_called_like_it(execution: str, gate: str) -> None:
    name = signal_name(execution, gate).removeprefix(f"{execution}.")
    assert name == gate or signal_name(execution, name) != signal_name(execution, gate)


@given(execution_names, paths, st.integers(0, 10**4), execution_names, paths, st.integers(0, 10**4))
def test_different_segments_have_different_names(
    execution: str, node: str, number: int, execution2: str, node2: str, number2: int
) -> None:
    one, other = segment_name(execution, node, number), segment_name(execution2, node2, number2)
    assert is_dns_subdomain(one)
    assert (one == other) == ((execution, node, number) == (execution2, node2, number2))


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
