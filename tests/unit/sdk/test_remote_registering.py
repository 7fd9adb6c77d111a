"""What a registration applies: objects in one version that refer to each other, with what the settings say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from windlass import Resources, _emit, task, workflow
from windlass._artifacts import Artifact, ArtifactKey, Granularity, Inputs, TimePartition
from windlass._exceptions import FlyteAssertion
from windlass._launch_plan import LaunchPlan
from windlass._plan_options import Options
from windlass._reference import reference_task
from windlass._remote import artifacts, backfills, registering
from windlass._remote.entities import FlyteLaunchPlan, FlyteTask, FlyteWorkflow, Identifier, LazyEntity
from windlass._remote.fetching import selector_of
from windlass._remote.settings import (
    CopyFileDetection,
    FastPackageOptions,
    FastSerializationSettings,
    ImageConfig,
    SerializationSettings,
)

UTC = timezone.utc


@task
def first(a: int) -> int:
    return a


@task(container_image="mine:1", environment={"A": "task"}, resources=Resources(cpu="1"))
def second(a: int) -> int:
    return a


@reference_task(project="shop", domain="production", name="shop.elsewhere", version="v7")
def elsewhere(a: int) -> int:  # type: ignore[empty-body]  # as users write them
    ...


@workflow
def wf(a: int) -> int:
    return second(a=first(a=a))


@workflow
def referring(a: int) -> int:
    return elsewhere(a=first(a=a))


@pytest.fixture(autouse=True)
def plans(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if "LaunchPlan" not in _emit.KINDS:
        monkeypatch.setitem(_emit.KINDS, "LaunchPlan", lambda plan, _: plan.manifest_spec())
    monkeypatch.setattr(LaunchPlan, "CACHE", {})
    yield


def objects_of(*entities: Any, **kwargs: Any) -> list[dict[str, Any]]:
    return registering.objects_of(_emit.complete(entities), None, **{"namespace": "ns", **kwargs})


def test_everything_gets_the_version_and_refers_to_it() -> None:
    plan = LaunchPlan.create("plan", wf, default_inputs={"a": 1})

    @workflow
    def outer(a: int) -> int:
        return plan(a=a)  # type: ignore[no-any-return]  # a promise

    made = registering.in_version(objects_of(outer), "v1")
    assert {(obj["kind"], obj["spec"]["version"]) for obj in made} == {
        ("Task", "v1"),
        ("Workflow", "v1"),
        ("LaunchPlan", "v1"),
    }
    by_name = {obj["metadata"]["name"]: obj["spec"] for obj in made}
    assert [node["task"]["version"] for node in by_name[wf.object_name]["nodes"]] == ["v1", "v1"]
    assert by_name[outer.object_name]["nodes"][0]["launchPlan"] == {"name": "plan", "version": "v1"}
    assert by_name["plan"]["workflow"] == {"name": wf.object_name, "version": "v1"}


def test_what_is_in_the_cluster_already_keeps_its_version() -> None:
    made = registering.in_version(objects_of(referring, namespace="shop-production"), "v1")
    (spec,) = [obj["spec"] for obj in made if obj["kind"] == "Workflow"]
    assert [node["task"].get("version") for node in spec["nodes"]] == ["v1", "v7"]


def test_a_reference_to_another_namespace_is_refused_with_the_line() -> None:
    with pytest.raises(
        FlyteAssertion,
        match=r"test_remote_registering\.py:\d+: .*referring refers to shop\.elsewhere in the namespace shop-production"
        r", but is registered in ns",
    ):
        objects_of(referring)


def test_settings_are_weaker_than_what_a_task_says() -> None:
    settings = SerializationSettings(ImageConfig.auto(img_name="default:1"), env={"A": "all", "B": "all"})
    specs = {obj["metadata"]["name"]: obj["spec"] for obj in objects_of(wf, settings=settings) if obj["kind"] == "Task"}
    assert specs[first.object_name]["image"] == "default:1"
    assert specs[first.object_name]["env"] == {"A": "all", "B": "all"}
    assert specs[second.object_name]["image"] == "mine:1"
    assert specs[second.object_name]["env"] == {"A": "task", "B": "all"}
    for spec in specs.values():
        registering.add_resources(spec, Resources(mem="1Gi"))
    assert "memory" in str(specs[first.object_name]["resources"])
    assert "memory" not in str(specs[second.object_name]["resources"])


def test_options_are_those_of_the_default_plan() -> None:
    definitions = registering.entities_of(wf, default_plan=True)
    options = Options(labels={"team": "a"}, notifications=[])
    plan = registering.plan_of(wf, default_plan=True)
    made = registering.objects_of(definitions, None, namespace="ns", options=options, plan=plan)
    (kept,) = [obj for obj in made if obj["kind"] == "LaunchPlan"]
    assert kept["metadata"] == {"name": wf.object_name, "namespace": "ns"}
    assert kept["spec"] == {"workflow": {"name": wf.object_name}, "labels": {"team": "a"}, "notifications": []}
    assert [entity.kind for entity in registering.entities_of(first, default_plan=True)] == ["Task"]


def test_a_version_is_made_of_what_is_registered() -> None:
    once, again = (registering.derived_version(objects_of(wf)) for _ in range(2))
    other = registering.derived_version(objects_of(wf, settings=SerializationSettings(env={"A": "b"})))
    assert once == again != other
    assert len(once) == 16


def test_what_breaks_a_rule_is_told_before_anything_is_applied() -> None:
    settings = SerializationSettings(env={"A": 5})  # type: ignore[dict-item]  # that is the case
    with pytest.raises(FlyteAssertion, match=r"Task .*: spec\.env\.A: expected a text"):
        objects_of(first, settings=settings)


def test_code_travels_unless_it_is_in_the_image(capsys: pytest.CaptureFixture[str]) -> None:
    in_image = SerializationSettings(fast_serialization_settings=FastSerializationSettings(enabled=False))
    assert registering.bundle_for(first, in_image) is None
    assert registering.bundle_for(first, options=FastPackageOptions(copy_style=CopyFileDetection.NO_COPY)) is None
    bundle = registering.bundle_for(first, options=FastPackageOptions(show_files=True))
    assert bundle is not None
    assert any(file.endswith("test_remote_registering.py") for file in bundle.files)
    assert "test_remote_registering.py" in capsys.readouterr().err


def test_what_is_in_no_file_cannot_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first, "home", "a_notebook")
    with pytest.raises(FlyteAssertion, match="which is no file"):
        registering.bundle_for(first)


# ---- definitions of the cluster ----


def test_a_fetched_task_is_a_node_by_name_and_version() -> None:
    obj = {
        "metadata": {"name": "shop.load-1a2b3c", "namespace": "ns"},
        "spec": {
            "version": "v1",
            "description": "Loads.",
            "inputs": {
                "a": {"type": "int"},
                "b": {"type": "struct", "schema": {"type": "object"}, "default": {"x": 1}},
            },
            "outputs": {"o0": {"type": "list[int]"}},
        },
    }
    load: FlyteTask = FlyteTask.from_object(obj, "p", "d", "shop.lo_ad")

    @workflow
    def calls(a: int) -> list[int]:
        return load(a=a)  # type: ignore[no-any-return]  # a promise

    spec = _emit.workflow_spec(calls, None)
    assert spec["nodes"][0]["task"] == {"name": "shop.load-1a2b3c", "version": "v1"}
    assert spec["outputs"]["o0"]["type"] == "list[int]"
    assert load.id == Identifier("Task", "p", "d", "shop.lo_ad", "v1")
    assert (load.description, load.namespace, load.spec["version"]) == ("Loads.", "ns", "v1")
    with pytest.raises(FlyteAssertion, match="is a reference to a task"):
        load(a=1)
    with pytest.raises(AssertionError, match="unexpected keyword argument 'c'"):
        load(c=1)


def test_a_fetched_plan_has_what_its_workflow_leaves_open() -> None:
    obj = {
        "metadata": {"name": "plan", "namespace": "ns"},
        "spec": {
            "workflow": {"name": "wf", "version": "v2"},
            "defaultInputs": {"b": 2},
            "fixedInputs": {"c": 3},
            "suspend": True,
        },
    }
    whole = {"inputs": {name: {"type": "int"} for name in "abc"}, "outputs": {"o0": {"type": "int"}}}
    plan = FlyteLaunchPlan.of_workflow(obj, whole, None, None, None)
    assert {name: one.required for name, one in plan.interface.inputs.items()} == {"a": True, "b": False}
    assert not plan.is_active
    assert plan.workflow_id == Identifier("Workflow", "", "", "wf", "v2")
    assert (plan.default_inputs, plan.fixed_inputs) == ({"b": 2}, {"c": 3})
    nodes: FlyteWorkflow = FlyteWorkflow.from_object({"metadata": obj["metadata"], "spec": {"nodes": [{"id": "n0"}]}})
    assert nodes.nodes == [{"id": "n0"}]


def test_a_lazy_definition_is_fetched_once_when_it_is_used() -> None:
    fetched: list[int] = []

    def fetch() -> Any:
        fetched.append(1)
        return lambda a: a + len(fetched)

    lazy: LazyEntity[Any] = LazyEntity("load", fetch)
    assert (lazy.name, lazy.entity_fetched(), repr(lazy)) == ("load", False, "LazyEntity(load)")
    assert (lazy(a=1), lazy(a=2)) == (2, 3)
    assert lazy.entity_fetched()
    assert lazy.__name__ is not None if hasattr(lazy, "__name__") else True


@pytest.mark.parametrize(("given", "selector"), [(None, ""), ("a=b", "a=b"), (["a=b", "c!=d"], "a=b,c!=d")])
def test_filters_are_label_selectors(given: Any, selector: str) -> None:
    assert selector_of(given) == selector
    with pytest.raises(TypeError, match="label selectors"):
        selector_of([5])


# ---- queries for artifacts ----


def test_what_is_asked_for_comes_from_anywhere() -> None:
    rides = Artifact(name="rides", partition_keys=["region"], time_partitioned=True, project="p", domain="d")
    day = datetime(2024, 5, 6, 7, tzinfo=UTC)
    assert artifacts.query_of(None, rides.key, None, None, None) == {"name": "rides"}
    assert artifacts.query_of("other", ArtifactKey(None, None, "rides"), None, {"region": "x"}, day) == {
        "name": "other",
        "partitions": {"region": "x"},
        "anyTime": [f"2024-05-{when}:00:00Z" for when in ("06T07", "06T07", "06T00", "01T00")],
    }
    hourly = TimePartition(day, granularity=Granularity.HOUR)
    assert (
        artifacts.query_of(None, None, rides.query(region="x"), None, hourly)["timePartition"] == "2024-05-06T07:00:00Z"
    )
    assert artifacts.query_of_uri("flyte://av0.1/p/-/a/b@v1") == ("p", "", {"name": "a/b", "version": "v1"})
    assert artifacts.query_of_uri("flyte://av0.1/-/-/a") == ("", "", {"name": "a"})
    for uri in ("flyte://av0.1/p", "s3://x", "flyte://av0.1/p/d/@v"):
        with pytest.raises(ValueError, match="the URI of an artifact"):
            artifacts.query_of_uri(uri)
    with pytest.raises(ValueError, match="needs the input where"):
        artifacts.query_of(None, None, rides.query(region=Inputs.where), None, None)
    with pytest.raises(ValueError, match="has no value"):
        artifacts.query_of("a", None, None, None, TimePartition())


def test_the_newest_of_each_name_is_the_first() -> None:
    found = [Artifact(name=name, version=str(at)) for at, name in enumerate(["a", "b", "a", "c", "b"])]
    assert [(one.name, one.version) for one in artifacts.newest_of_each(found)] == [("a", "0"), ("b", "1"), ("c", "3")]


# ---- backfills ----


def test_the_slots_of_a_backfill_have_the_end_and_not_the_start() -> None:
    start, end = datetime(2024, 1, 1), datetime(2024, 1, 3, tzinfo=UTC)  # noqa: DTZ001  in UTC, as it stands
    slots = backfills.slots_of("plan", {"cron": "0 0 * * *"}, start, end)
    assert [slot.isoformat() for slot in slots] == ["2024-01-02T00:00:00+00:00", "2024-01-03T00:00:00+00:00"]
    zoned = backfills.slots_of("plan", {"cron": "0 0 * * *", "timezone": "Asia/Tokyo"}, start, end)
    assert [slot.hour for slot in zoned] == [15, 15]


@pytest.mark.parametrize(
    ("schedule", "hours", "why"),
    [
        (None, 1, "has no cron schedule"),
        ({"every": "1h"}, 1, "has no cron schedule"),
        ({"cron": "0 0 * * *"}, 1, "has no time between"),
        ({"cron": "0 0 * * *"}, -1, "is not before"),
        ({"cron": "* * * * *"}, 24 * 10, "more than 10000 times"),
    ],
)
def test_a_range_without_slots_is_refused(schedule: Any, hours: int, why: str) -> None:
    start = datetime(2024, 1, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match=why):
        backfills.slots_of("plan", schedule, start, start + timedelta(hours=hours))
