"""Promises of the cache's key, for all values."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given, strategies as st

from tests.properties.api_strategies import json_scalars
from windlass_api.cache_key import CacheKey, cache_key, why_missed

NAMES = st.sampled_from(["a", "b", "c", "verbose"])
VALUES = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
INPUTS = st.dictionaries(NAMES, VALUES, max_size=4)


def key(inputs: dict[str, Any], task: str = "m.f", version: str = "1", ignored: tuple[str, ...] = ()) -> CacheKey:
    return cache_key(task, version, inputs, dict.fromkeys(inputs, ("any", None)), {"o0": ("int", None)}, ignored)


def reordered(value: Any) -> Any:
    """The same value, with the keys of each dict the other way round."""
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def spelled(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@given(INPUTS)
def test_the_key_is_a_function_of_the_values_and_not_of_the_order_of_keys(inputs: dict[str, Any]) -> None:
    assert key(inputs).digest == key(reordered(inputs)).digest == key(json.loads(json.dumps(inputs))).digest


@given(INPUTS, INPUTS)
def test_different_values_have_different_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    assume(spelled(one) != spelled(other))
    assert key(one).digest != key(other).digest


@given(INPUTS, st.sampled_from(["m.f", "m.g"]), st.sampled_from(["1", "2"]), st.booleans())
def test_the_key_is_the_same_only_if_every_part_is(inputs: dict[str, Any], task: str, version: str, more: bool) -> None:
    changed = {**inputs, "z": 1} if more else inputs
    same = (task, version, more) == ("m.f", "1", False)
    assert (key(changed, task, version).digest == key(inputs).digest) is same


@given(INPUTS, VALUES, VALUES)
def test_an_ignored_input_makes_no_difference(inputs: dict[str, Any], one: Any, other: Any) -> None:
    first, second = ({**inputs, "verbose": value} for value in (one, other))
    assert key(first, ignored=("verbose",)).digest == key(second, ignored=("verbose",)).digest


@given(INPUTS, INPUTS, st.sampled_from(["1", "2"]))
def test_a_miss_always_has_a_reason(one: dict[str, Any], other: dict[str, Any], version: str) -> None:
    wanted, there = key(one), key(other, version=version)
    reason = why_missed(wanted, [there])
    assert (reason == "it is there") is (wanted.digest == there.digest)


@given(INPUTS)
def test_the_parts_survive_json(inputs: dict[str, Any]) -> None:
    one = key(inputs)
    assert CacheKey.of_parts(json.loads(json.dumps(one.parts()))).digest == one.digest
