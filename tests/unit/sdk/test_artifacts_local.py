"""Artifacts in local runs and in manifests: outputs are kept, defaults and arguments are looked up."""

# ruff: noqa: DTZ001  times without a zone are what people write; they are in UTC

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import pytest

from windlass import _emit, task, workflow
from windlass._artifacts import Artifact, Inputs, ModelCard, registry
from windlass._exceptions import FlyteAssertion, TypeTransformerFailedError
from windlass._launch_plan import LaunchPlan

Rides = Artifact(name="rides", partition_keys=["region"], time_partitioned=True)
Report = Artifact(name="report", partition_keys=["region"])


@task
def load(region: str, day: datetime) -> Annotated[int, Rides(region=Inputs.region, time_partition=Inputs.day)]:
    return len(region)


@task(retries=1)
def load_late(region: str) -> Annotated[int, Rides(region=Inputs.region)]:
    return Rides.create_from(1000, ModelCard("# M"), time_partition=datetime(2024, 1, 2, 3))


@task
def forgetful(region: str) -> Annotated[int, Rides(region=Inputs.region)]:
    return 1


@task
def doubled(a: int) -> int:
    return 2 * a


@workflow
def report(region: str = "dubai", rides: int = Rides.query(region=Inputs.region)) -> int:  # type: ignore[assignment]
    return doubled(a=rides)


@workflow
def reported(region: str) -> Annotated[int, Report(region=Inputs.region)]:
    return doubled(a=1)


def anyhow(value: Any) -> Any:
    """The value, for calls that its type forbids."""
    return value


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    yield
    registry.forget()


def test_what_a_task_makes_is_found_by_a_workflow() -> None:
    with pytest.raises(FlyteAssertion, match=r"the default of 'rides' of .*report: no artifact matches"):
        report()
    load(region="dubai", day=datetime(2024, 1, 1))
    assert report() == 10
    load_late(region="dubai")
    assert report() == 2000
    with pytest.raises(FlyteAssertion, match=r"there is \(region=dubai, 2024-01-01T00:00:00Z\)"):
        report(region="oslo")
    assert report(region="oslo", rides=1) == 2


def test_an_output_without_its_partitions_fails_the_run() -> None:
    with pytest.raises(FlyteAssertion, match="nothing says its time_partition"):
        forgetful(region="dubai")


def test_the_output_of_a_workflow_is_kept_too() -> None:
    assert reported(region="dubai") == 2
    assert doubled(a=anyhow(Report.query(region="dubai"))) == 4


def test_artifacts_are_arguments() -> None:
    load(region="dubai", day=datetime(2024, 1, 1))
    assert doubled(a=anyhow(Rides.query(time_partition=datetime(2024, 1, 1)))) == 10
    assert doubled(a=anyhow(Artifact(name="x", python_val=3))) == 6
    with pytest.raises(TypeTransformerFailedError, match="expected str, got int"):
        load(region=anyhow(Rides.query()), day=datetime(2024, 1, 1))


def test_a_workflow_in_a_workflow_is_given_what_it_would_look_up() -> None:
    @workflow
    def outer() -> int:
        return report()

    with pytest.raises(FlyteAssertion, match=r"test_artifacts_local\.py:\d+: the default of 'rides' of .*report is"):
        outer.compile()

    @workflow
    def given(rides: int = Rides.query(region="dubai")) -> int:  # type: ignore[assignment]  # a lookup
        return report(rides=rides)

    load(region="dubai", day=datetime(2024, 1, 1))
    assert given() == 10


def test_a_plan_in_a_workflow_looks_up_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = LaunchPlan("looks-up", report)

    @workflow
    def outer() -> int:
        return plan()  # type: ignore[no-any-return]  # a promise

    load(region="dubai", day=datetime(2024, 1, 1))
    assert outer() == 10


def test_manifests_say_what_is_looked_up_and_what_outputs_become() -> None:
    spec = _emit.workflow_spec(report, None)
    assert spec["inputs"]["rides"] == {
        "type": "int",
        "artifact": {"name": "rides", "partitions": {"region": {"$ref": "inputs.region"}}},
    }
    assert _emit.task_spec(load, None)["outputs"]["o0"] == {
        "type": "int",
        "artifact": {
            "name": "rides",
            "partitions": {"region": {"$ref": "inputs.region"}},
            "timePartition": {"$ref": "inputs.day"},
        },
    }
    assert _emit.workflow_spec(reported, None)["outputs"]["o0"]["artifact"] == {
        "name": "report",
        "partitions": {"region": {"$ref": "inputs.region"}},
    }
