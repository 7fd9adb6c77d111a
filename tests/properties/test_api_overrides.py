"""Promises of overrides and conditions."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, strategies as st

from tests.properties.api_strategies import override_layers, texts
from windlass_api.conditions import condition, get, set_condition
from windlass_api.overrides import OVERRIDE_FIELDS, effective

Layer = dict[str, Any]


@given(override_layers)
def test_empty_layers_change_nothing(base: Layer) -> None:
    base = {**base, "version": "1", "inputs": {"x": {"type": "int"}}}
    assert effective(base) == effective(base, None, {}) == base


@given(override_layers, override_layers, override_layers)
def test_layers_may_be_merged_one_after_the_other_or_all_at_once(base: Layer, one: Layer, other: Layer) -> None:
    assert effective(effective(base, one), other) == effective(base, one, other)
    assert effective(base, effective(one, other)) == effective(base, one, other)


@given(override_layers, override_layers)
def test_the_later_layer_wins_and_nothing_is_lost(base: Layer, layer: Layer) -> None:
    merged = effective(base, layer)
    merged_by_key = ("env", "labels", "annotations")
    for field in set(OVERRIDE_FIELDS) - {*merged_by_key, "resources"}:
        assert merged.get(field) == layer.get(field, base.get(field)), "what is one value is replaced whole"
    for field in merged_by_key:
        assert merged.get(field, {}) == base.get(field, {}) | layer.get(field, {})
    for part in ("requests", "limits"):
        expected = base.get("resources", {}).get(part, {}) | layer.get("resources", {}).get(part, {})
        assert merged.get("resources", {}).get(part, {}) == expected


@given(override_layers, override_layers, override_layers)
def test_defaults_are_the_weakest_layer(defaults: Layer, base: Layer, layer: Layer) -> None:
    assert effective(base, layer, defaults=defaults) == effective(defaults, base, layer)
    assert effective({**base, "version": "1"}, defaults=defaults)["version"] == "1"
    assert effective(base, layer, defaults=None) == effective(base, layer, defaults={}) == effective(base, layer)


@given(override_layers, override_layers)
def test_merging_leaves_the_layers_as_they_were(base: Layer, layer: Layer) -> None:
    before = copy.deepcopy((base, layer))
    effective(base, layer)
    assert (base, layer) == before


conditions = st.builds(
    condition,
    type=st.sampled_from(["Accepted", "Failed", "Finished"]),
    status=st.sampled_from(["True", "False", "Unknown"]),
    reason=st.sampled_from(["A", "B"]),
    message=texts,
    now=st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]),
    generation=st.integers(1, 3),
)


@given(st.lists(conditions, max_size=8))
def test_each_type_is_there_once_and_says_what_was_said_last(history: list[dict[str, Any]]) -> None:
    current: list[dict[str, Any]] = []
    for new in history:
        current = set_condition(current, new)
    assert [item["type"] for item in current] == list(dict.fromkeys(new["type"] for new in history))
    for item in current:
        last = [new for new in history if new["type"] == item["type"]][-1]
        assert {**item, "lastTransitionTime": ""} == {**last, "lastTransitionTime": ""}


@given(st.lists(conditions, max_size=4), conditions, st.text(max_size=3))
def test_saying_the_same_again_changes_nothing(history: list[dict[str, Any]], new: dict[str, Any], later: str) -> None:
    current: list[dict[str, Any]] = []
    for item in (*history, new):
        current = set_condition(current, item)
    assert set_condition(current, {**new, "lastTransitionTime": later}) is current
    assert get(current, new["type"]) is not None
