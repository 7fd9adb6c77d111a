"""Emission: definitions become the contract's objects, deterministically."""

from __future__ import annotations

import datetime
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import windlass
from windlass import Resources, _emit, task, workflow
from windlass._bundle import make_bundle
from windlass_api.manifests_check import validate_manifests


@dataclass
class Point:
    x: int


@task(retries=2, requests=Resources(cpu=1))
def move(point: Point, by: int = 1) -> Point:
    """Moves a point.

    Args:
        point: where it is

    Returns:
        where it went
    """
    return Point(point.x + by)


@task
def keep(value: Any) -> Any:
    return value


@workflow
def travel(start: Point, steps: list[int]) -> Point:
    """Moves twice."""
    return move(point=move(point=start, by=steps[0]), by=steps[1])


POINT = {
    "type": "object",
    "title": "Point",
    "properties": {"x": {"type": "integer"}},
    "required": ["x"],
    "additionalProperties": False,
}


def test_a_task_becomes_a_task() -> None:
    assert _emit.manifest(move) == {
        "apiVersion": "windlass.dev/v1alpha1",
        "kind": "Task",
        "metadata": {"name": windlass_name(move)},
        "spec": {
            "description": "Moves a point.",
            "inputs": {
                "point": {"type": "struct", "schema": POINT, "description": "where it is"},
                "by": {"type": "int", "default": 1},
            },
            "outputs": {"o0": {"type": "struct", "schema": POINT, "description": "where it went"}},
            "python": {"entrypoint": f"{__name__}:move"},
            "resources": {"requests": {"cpu": "1"}},
            "retries": 2,
        },
    }


def test_a_workflow_becomes_a_workflow() -> None:
    spec = _emit.manifest(travel)["spec"]
    assert list(spec) == ["description", "inputs", "outputs", "nodes"]
    assert spec["outputs"]["o0"]["from"] == {"$ref": "nodes.n1.outputs.o0"}
    assert spec["nodes"] == [
        {
            "id": "n0",
            "name": "move",
            "task": {"name": windlass_name(move)},
            "inputs": {"point": {"$ref": "inputs.start"}, "by": {"$ref": "inputs.steps[0]"}},
        },
        {
            "id": "n1",
            "name": "move",
            "task": {"name": windlass_name(move)},
            "inputs": {"point": {"$ref": "nodes.n0.outputs.o0"}, "by": {"$ref": "inputs.steps[1]"}},
        },
    ]


def test_order_without_data_is_depends_on_and_data_alone_is_not() -> None:
    @workflow
    def ordered() -> None:
        first: Any = keep(value=1)
        second, third = keep(value=2), keep(value=first)
        first >> third
        second >> third

    nodes = _emit.manifest(ordered)["spec"]["nodes"]
    assert [node.get("dependsOn") for node in nodes] == [None, None, ["n1"]]


def test_overrides_stand_with_the_node() -> None:
    @workflow
    def overridden() -> None:
        call: Any = keep(value=1)
        call.with_overrides(retries=3, name="shown", node_name="other")

    node = _emit.manifest(overridden)["spec"]["nodes"][0]
    assert (node["id"], node["name"], node["overrides"]) == ("other", "shown", {"retries": 3})


def test_literal_mappings_with_dollar_keys_are_escaped() -> None:
    @workflow
    def literal() -> None:
        keep(value={"a": [{"$ref": "just data"}]})

    node = _emit.manifest(literal)["spec"]["nodes"][0]
    assert node["inputs"] == {"value": {"a": [{"$literal": {"$ref": "just data"}}]}}


def test_a_mapping_with_dollar_keys_can_not_hold_promises() -> None:
    @workflow
    def mixed() -> None:
        keep(value={"$x": keep(value=1)})

    with pytest.raises(windlass.FlyteAssertion, match=r"a dict with the key '\$x' can't hold promises"):
        _emit.manifest(mixed)


def test_a_default_of_none_is_kept_apart_from_no_default() -> None:
    @task
    def optional(a: int | None = None, b: int | None = 3, *, c: int) -> int:
        return c

    inputs = _emit.manifest(optional)["spec"]["inputs"]
    assert inputs == {
        "a": {"type": "optional[int]", "default": None},
        "b": {"type": "optional[int]", "default": 3},
        "c": {"type": "int"},
    }


def test_a_default_of_the_wrong_type_names_the_parameter() -> None:
    @task
    def wrong(a: int = "x") -> int:  # type: ignore[assignment]  # that is the mistake
        return a

    with pytest.raises(windlass.TypeTransformerFailedError, match=r"the default of 'a' of .*wrong"):
        _emit.manifest(wrong)


def test_a_long_docstring_is_shortened() -> None:
    @task
    def wordy() -> None:
        pass

    wordy.function.__doc__ = "word " * 1000
    assert len(_emit.manifest(wordy)["spec"]["description"]) <= _emit.MAX_DESCRIPTION


def test_a_workflow_brings_the_tasks_it_uses() -> None:
    assert _emit.complete([travel]) == [move, travel]
    assert _emit.complete([keep, travel, keep]) == [keep, move, travel]


def test_a_modules_definitions_are_its_own_and_what_its_workflows_use(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ModuleType("test_other_module")
    monkeypatch.setitem(sys.modules, other.__name__, other)
    source = (
        "from windlass import workflow\nfrom __main_module__ import keep, move\n"
        "@workflow\ndef own():\n    keep(value=1)\n"
    )
    stand_in = ModuleType("__main_module__")
    vars(stand_in).update(keep=keep, move=move)
    monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    exec(source, vars(other))
    assert [entity.short_name for entity in _emit.definitions_of(other)] == ["keep", "own"]


def test_the_bundle_is_named_by_every_task_and_comes_first(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("x = 1\n")
    bundle = make_bundle({"code.py": tmp_path / "code.py"})
    objects = _emit.manifests([move, travel], bundle, "team-a")
    assert [item["kind"] for item in objects] == ["ConfigMap", "Task", "Workflow"]
    assert objects[1]["spec"]["python"]["code"] == {"configMap": objects[0]["metadata"]["name"]}
    assert {item["metadata"]["namespace"] for item in objects} == {"team-a"}


def test_emission_is_deterministic_and_valid() -> None:
    def emitted() -> list[dict[str, Any]]:
        return _emit.manifests([move, travel])

    assert emitted() == emitted()
    assert validate_manifests(emitted()) == []


def test_two_definitions_of_one_name_are_refused() -> None:
    with pytest.raises(windlass.FlyteAssertion, match="two definitions would be the Task"):
        _emit.manifests([move, move])


def test_an_execution_names_its_workflow_or_task() -> None:
    assert _emit.execution_manifest(travel, {"steps": [1, 2]}) == {
        "apiVersion": "windlass.dev/v1alpha1",
        "kind": "Execution",
        "metadata": {"generateName": "travel-"},
        "spec": {"workflow": {"name": windlass_name(travel)}, "inputs": {"steps": [1, 2]}},
    }
    assert _emit.execution_manifest(keep, {})["spec"] == {"task": {"name": windlass_name(keep)}}


def test_every_kind_of_node_has_its_shape() -> None:
    @workflow(on_failure=keep)
    def strict(value: Any) -> Any:
        return keep(value=value)

    @workflow(interruptible=True, failure_policy=windlass.WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
    def everything(n: int, steps: list[int]) -> list[Any]:
        mapped = windlass.map_task(keep, concurrency=2)(value=steps)
        chosen = windlass.conditional("big?").if_(n > 3).then(mapped).else_().fail("too small")
        windlass.approve(chosen, "fine?", timeout=60).with_overrides(node_name="approval")
        windlass.wait_for_input("why", timeout=60, expected_type=str)
        windlass.sleep(datetime.timedelta(minutes=1.5)) >> strict(value=n)
        return chosen  # type: ignore[no-any-return]

    objects = _emit.manifests(_emit.complete([everything]))
    assert validate_manifests(objects) == []
    spec = objects[-1]["spec"]
    assert list(spec) == ["inputs", "outputs", "failurePolicy", "defaults", "nodes"]
    assert spec["failurePolicy"] == "FailAfterExecutableNodesComplete"
    assert spec["defaults"] == {"interruptible": True}
    kept = {"name": windlass_name(keep)}
    assert spec["nodes"] == [
        {
            "id": "n0",
            "name": "map_keep",
            "task": kept,
            "map": {"over": ["value"], "concurrency": 2},
            "inputs": {"value": {"$ref": "inputs.steps"}},
        },
        {
            "id": "n1",
            "name": "big?",
            "select": [
                {"when": "inputs.n > 3", "outputs": {"o0": {"$ref": "nodes.n0.outputs.o0"}}},
                {"fail": "too small"},
            ],
        },
        {
            "id": "approval",
            "name": "fine?",
            "approve": {"name": "fine?", "timeout": "1m"},
            "inputs": {"value": {"$ref": "nodes.n1.outputs.o0"}},
        },
        {"id": "n3", "name": "why", "waitForInput": {"name": "why", "type": "str", "timeout": "1m"}},
        {"id": "n4", "name": "sleep-gate", "sleep": {"duration": "1m30s"}},
        {
            "id": "n5",
            "name": "strict",
            "workflow": {"name": windlass_name(strict)},
            "inputs": {"value": {"$ref": "inputs.n"}},
            "dependsOn": ["n4"],
        },
    ]
    handled = next(item for item in objects if item["metadata"]["name"] == windlass_name(strict))
    assert handled["spec"]["onFailure"] == {
        "id": "fn0",
        "name": "keep",
        "task": kept,
        "inputs": {"value": {"$ref": "inputs.value"}},
    }


def windlass_name(entity: Any) -> str:
    """The object's name."""
    from windlass_api.names import kubernetes_name

    return kubernetes_name(entity.name)
