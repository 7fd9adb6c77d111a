"""Artifacts: outputs with a name, versions and partitions, which other workflows ask for.

    windlass run examples/artifacts.py build_then_use

A workflow's input may default to a query: the newest artifact that matches when the execution starts. A launch plan may
be triggered by every new one.
"""

from datetime import datetime, timezone
from typing import Annotated

from windlass import Artifact, Inputs, LaunchPlan, OnArtifact, task, workflow

Model = Artifact(name="model", partition_keys=["region"], time_partitioned=True)
DAY = datetime(2024, 1, 1, tzinfo=timezone.utc)


@task
def train(region: str, day: datetime) -> Annotated[str, Model(region=Inputs.region, time_partition=Inputs.day)]:
    return f"model of {region} at {day:%Y-%m-%d}"


@task
def predict(model: str, n: int) -> str:
    return f"{n} by the {model}"


@workflow
def build(region: str = "eu", day: datetime = DAY) -> str:
    return train(region=region, day=day)


@workflow
def use(model: str = Model.query(region="eu", time_partition=DAY), n: int = 3) -> str:  # type: ignore[assignment]
    return predict(model=model, n=n)


on_new_model = LaunchPlan.create(
    "predict-on-new-model",
    use,
    trigger=OnArtifact(trigger_on=Model, inputs={"model": Model}),
)


@workflow
def build_then_use(n: int = 2) -> str:
    return predict(model=train(region="eu", day=DAY), n=n)
