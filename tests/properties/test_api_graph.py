"""Promises of graphs, and of the validation of workflows that are drawn from them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.properties.api_strategies import ECHO, dags, json_values, workflows
from windlass_api.graph import CycleError, downstreams, topological_order, upstreams
from windlass_api.validation import (
    complete_inputs,
    validate_answer,
    validate_artifact,
    validate_backfill,
    validate_launch_plan,
    validate_task,
    validate_workflow,
)


def find_echo(kind: str, name: str, version: str | None) -> dict[str, Any] | None:
    return ECHO if name == "echo" else None


@given(dags())
def test_a_topological_order_has_every_node_once_and_after_its_upstreams(dag: dict[str, tuple[str, ...]]) -> None:
    order = topological_order(dag)
    assert sorted(order) == sorted(dag)
    assert all(order.index(up) < order.index(name) for name, ups in dag.items() for up in ups)


@given(dags())
def test_nodes_that_stand_in_order_stay_in_order(dag: dict[str, tuple[str, ...]]) -> None:
    sorted_dag = {name: dag[name] for name in topological_order(dag)}
    assert topological_order(sorted_dag) == tuple(sorted_dag)


@given(dags())
def test_downstreams_are_upstreams_turned_round(dag: dict[str, tuple[str, ...]]) -> None:
    edges = {(up, name) for name, ups in dag.items() for up in ups}
    assert {(name, down) for name, downs in downstreams(dag).items() for down in downs} == edges


@given(st.data())
def test_edges_are_found_wherever_they_stand(data: st.DataObject) -> None:
    dag = data.draw(dags())
    found = upstreams(data.draw(workflows(dag)))
    assert list(found) == list(dag)
    assert {name: set(ups) for name, ups in found.items()} == {name: set(ups) for name, ups in dag.items()}


@given(st.data())
def test_every_acyclic_workflow_is_valid(data: st.DataObject) -> None:
    assert validate_workflow(data.draw(workflows(data.draw(dags()))), find_echo) == []


@given(st.data())
def test_an_edge_back_is_a_cycle_which_names_its_nodes(data: st.DataObject) -> None:
    dag = data.draw(dags())
    order = topological_order(dag)
    first = data.draw(st.sampled_from(order))
    after = {first}
    for name in order:
        if after & set(dag[name]):
            after.add(name)
    last = data.draw(st.sampled_from(sorted(after)))
    dag[first] = (*dag[first], last)
    workflow = data.draw(workflows(dag))
    findings = validate_workflow(workflow, find_echo)
    assert [finding.reason for finding in findings] == ["Cycle"]
    with pytest.raises(CycleError) as error:
        topological_order(upstreams(workflow))
    cycle = error.value.cycle
    assert {first, last} <= set(cycle) <= after
    assert all(before in dag[name] for before, name in zip((cycle[-1], *cycle), cycle, strict=False))
    assert all(name in findings[0].message for name in cycle)


SHAPES = st.recursive(
    json_values,
    lambda inner: st.dictionaries(
        st.sampled_from(["inputs", "outputs", "nodes", "type", "default", "from", "id", "task", "name", "when", "x"])
        | st.sampled_from(["dependsOn", "python", "schema", "$ref", "container", "command", "cache", "ignoredInputs"])
        | st.sampled_from(["select", "approve", "waitForInput", "map", "over", "workflow", "launchPlan", "onFailure"])
        | st.sampled_from(["artifact", "partitions", "timePartition", "schedule", "cron", "trigger", "fixedInputs"]),
        inner | st.lists(inner, max_size=3) | st.sampled_from(["int", "list[str]", "inputs.x", "echo"]),
        max_size=6,
    ),
    max_leaves=20,
).filter(lambda value: isinstance(value, dict))


@given(SHAPES)
def test_validation_stays_calm_whatever_the_shape(spec: dict[str, Any]) -> None:
    validate_task(spec)
    for validate in (validate_workflow, validate_launch_plan, validate_backfill):
        validate(spec, find_echo)
        validate(spec, lambda *_: spec)
    for validate_value in (validate_answer, validate_artifact):
        validate_value(spec)
    complete_inputs(spec.get("inputs"), spec)
    with contextlib.suppress(CycleError):
        topological_order(upstreams(spec))
