"""Layers of a pod, for all layers: an empty one changes nothing, later ones win, what is asked of nodes adds up."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from windlass_operator.manifests.layers import LayerError, both, merged
from windlass_operator.manifests.templates import CONTAINER, of_object, of_task, stacked

Layer = dict[str, Any]

words = st.sampled_from(["a", "b", "c"])
tolerations = st.lists(
    st.fixed_dictionaries({"key": words, "operator": st.just("Exists")}), max_size=2, unique_by=lambda one: one["key"]
)
terms = st.lists(
    st.fixed_dictionaries(
        {"matchExpressions": st.lists(st.fixed_dictionaries({"key": words}), min_size=1, max_size=1)}
    ),
    max_size=2,
)


def named(entries: st.SearchStrategy[Layer]) -> st.SearchStrategy[list[Layer]]:
    return st.lists(entries, max_size=3, unique_by=lambda one: one["name"])


variables = named(st.fixed_dictionaries({"name": words, "value": words}))
containers = named(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["primary", "proxy", "default"])},
        optional={
            "image": words,
            "env": variables,
            "securityContext": st.dictionaries(words, st.booleans(), max_size=2),
        },
    )
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "containers": containers,
        "volumes": named(st.fixed_dictionaries({"name": words}, optional={"emptyDir": st.just({})})),
        "tolerations": tolerations,
        "nodeSelector": st.dictionaries(words, words, max_size=2),
        "hostname": words,
        "affinity": st.fixed_dictionaries(
            {"nodeAffinity": st.fixed_dictionaries({"required": st.fixed_dictionaries({"nodeSelectorTerms": terms})})}
        ),
    },
)


@settings(max_examples=150, deadline=None)
@given(specs)
def test_an_empty_layer_changes_nothing_wherever_it_is(spec: Layer) -> None:
    assert merged(spec) == spec
    assert merged({}, spec) == merged(spec, {}) == spec


@settings(max_examples=150, deadline=None)
@given(specs, specs, specs)
def test_it_makes_no_difference_which_layers_are_put_together_first(one: Layer, two: Layer, three: Layer) -> None:
    assert merged(merged(one, two), three) == merged(one, merged(two, three)) == merged(one, two, three)


@settings(max_examples=150, deadline=None)
@given(specs, specs)
def test_the_later_layer_wins_and_what_only_the_earlier_says_stays(earlier: Layer, later: Layer) -> None:
    found = merged(earlier, later)
    assert set(found) == set(earlier) | set(later)
    assert found.get("hostname") == later.get("hostname", earlier.get("hostname"))
    assert found.get("nodeSelector", {}) == {**earlier.get("nodeSelector", {}), **later.get("nodeSelector", {})}
    for section in ("containers", "volumes"):
        by_name = {one["name"]: one for one in found.get(section, ())}
        assert set(by_name) == {one["name"] for layer in (earlier, later) for one in layer.get(section, ())}
        for one in later.get(section, ()):
            assert {**by_name[one["name"]], **one}.keys() == by_name[one["name"]].keys()
            if "image" in one:
                assert by_name[one["name"]]["image"] == one["image"]
    values = {
        (one["name"], var["name"]): var["value"] for one in found.get("containers", ()) for var in one.get("env", ())
    }
    for one in later.get("containers", ()):
        for variable in one.get("env", ()):
            assert values[one["name"], variable["name"]] == variable["value"]
    for layer in (earlier, later):
        assert all(one in found["tolerations"] for one in layer.get("tolerations", ()))


@settings(max_examples=150, deadline=None)
@given(specs, specs)
def test_nothing_that_is_passed_in_is_changed_or_shared(one: Layer, other: Layer) -> None:
    before = copy.deepcopy((one, other))
    found = merged(one, other)
    for value in found.values():
        if isinstance(value, list):
            value.append("changed")
    for container in found.get("containers", [])[:-1]:
        container["env"] = [*container.get("env", []), "changed"]
    assert (one, other) == before


@settings(max_examples=100, deadline=None)
@given(terms, terms, st.sets(words))
def test_terms_of_two_layers_hold_where_one_of_each_holds(one: list[Layer], other: list[Layer], true: set[str]) -> None:
    def holds(listed: list[Layer]) -> bool:
        return not listed or any(all(part["key"] in true for part in term["matchExpressions"]) for term in listed)

    assert holds(both(one, other)) == (holds(one) and holds(other))


@settings(max_examples=100, deadline=None)
@given(specs, specs)
def test_a_stack_has_one_main_container_and_all_others_end_with_it(cluster: Layer, own: Layer) -> None:
    pod = stacked(of_object({"spec": cluster}, "pods.template"), of_task({"spec": own}))
    assert [one["name"] for one in pod["spec"]["containers"]] == [CONTAINER]
    assert all(one["restartPolicy"] == "Always" for one in pod["spec"].get("initContainers", ()))
    empty: Layer = {"spec": {}}
    again = stacked(
        of_object(empty, ""), of_object({"spec": cluster}, ""), of_object(empty, ""), of_task({"spec": own})
    )
    assert again == pod


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ({"containers": [{"image": "a"}]}, "containers[0] has no name"),
        ({"volumes": ["a"]}, "volumes[0] is no object"),
        ({"containers": [{"name": "x", "ports": [{"name": "http"}]}]}, "containers[x].ports[0] has no containerPort"),
        (
            {"containers": [{"name": "x", "$patch": "delete"}]},
            "containers[x].$patch: directives of patches can't stand in",
        ),
    ],
)
def test_what_is_no_part_of_a_pod_is_told_with_its_place(layer: Layer, says: str) -> None:
    with pytest.raises(LayerError) as wrong:
        merged({}, layer)
    assert says in str(wrong.value)


def test_null_takes_away_what_an_earlier_layer_says() -> None:
    assert merged({"hostname": "a", "securityContext": {"fsGroup": 1}}, {"hostname": None}) == {
        "securityContext": {"fsGroup": 1}
    }
