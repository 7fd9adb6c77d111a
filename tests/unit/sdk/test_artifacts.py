"""Artifacts: declared, bound to outputs, made by runs, queried for, triggering, and as objects of a cluster."""

# ruff: noqa: DTZ001  times without a zone are what people write; they are in UTC

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

import pytest

from windlass import task, workflow
from windlass._artifacts import (
    Artifact,
    ArtifactQuery,
    DataCard,
    Granularity,
    Inputs,
    ModelCard,
    OnArtifact,
    Op,
    Partitions,
    TimePartition,
    created,
    objects,
    registry,
    resolve,
    specification_of,
)
from windlass._artifacts.values import python_value
from windlass._current import entered_task
from windlass._exceptions import FlyteAssertion, FlyteEntityAlreadyExistsException, TypeTransformerFailedError
from windlass._launch_plan import LaunchPlan
from windlass_api import artifacts

UTC = timezone.utc
Rides = Artifact(name="rides", partition_keys=["region"], time_partitioned=True)
Plain = Artifact(name="plain")
Hourly = Artifact(name="hourly", time_partitioned=True, time_partition_granularity=Granularity.HOUR)


@task
def load(region: str, day: datetime) -> Annotated[int, Rides(region=Inputs.region, time_partition=Inputs.day)]:
    return 7


@task
def plain() -> Annotated[int, Plain]:
    return 1


class Running:
    """Stands for the parameters of a task that runs."""


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """What a process keeps is forgotten after each test."""
    yield
    registry.forget()


def keep(name: str, value: Any, kind: str = "int", time: str | None = None, **partitions: str) -> registry.Kept:
    return registry.keep(created.Made(name, partitions, time, []), value, kind)


# ---- declaring ----


def test_an_artifact_has_a_name() -> None:
    with pytest.raises(ValueError, match="Can't instantiate an Artifact without a name"):
        Artifact(partition_keys=["region"])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"partition_keys": [f"k{number}" for number in range(11)]}, "hard limit of 10"),
        ({"partition_keys": ["time_partition"]}, "cannot use 'time_partition' as a partition name"),
        ({"partition_keys": ["a", "a"]}, "there twice"),
        ({"partition_keys": ["a b"]}, "a name such as region"),
        ({"partition_keys": ["a"], "partitions": {"b": "x"}}, "differ"),
        ({"colour": "red"}, "not colour"),
    ],
)
def test_partitions_that_cannot_be_are_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=rf"test_artifacts\.py:\d+: .*{why}"):
        Artifact(name="a", **given)
    with pytest.raises(ValueError, match="by name; not 'a'"):
        Artifact("a")


def test_times_are_as_exact_as_their_granularity() -> None:
    moment = datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=timezone(timedelta(hours=2)))
    assert [one.truncate(moment).isoformat()[:16] for one in Granularity] == [
        "2024-05-06T05:08",
        "2024-05-06T05:00",
        "2024-05-06T00:00",
        "2024-05-01T00:00",
    ]


def test_one_that_there_is_has_an_id() -> None:
    found = Artifact(name="a", version="v1", partitions={"region": "x"}, time_partition=datetime(2024, 5, 6, 7))
    identity = found.concrete_artifact_id
    assert identity.version == "v1"
    assert identity.partitions == {"region": "x"}
    assert identity.time_partition == "2024-05-06T00:00:00Z"
    assert identity.uri == "flyte://av0.1/-/-/a@v1"
    assert found.time_partition.moment == datetime(2024, 5, 6, tzinfo=UTC)
    with pytest.raises(ValueError, match="has no version"):
        _ = Plain.concrete_artifact_id
    assert Plain.to_id_idl().version == ""


def test_partitions_are_there_by_name_and_as_attributes() -> None:
    assert Rides.partitions.region is Rides.partitions["region"]
    assert repr(Rides.partitions.region) == "rides.partitions.region"
    with pytest.raises(AttributeError, match="no partition 'colour'; there is region"):
        _ = Rides.partitions.colour
    with pytest.raises(ValueError, match="has no time partition"):
        _ = Plain.time_partition
    assert list(Partitions({"a": "x", "b": None}).values_by_name()) == ["a"]


def test_what_is_told_of_it_besides_its_value() -> None:
    found = Artifact(name="a", short_description="words", card=ModelCard("# M"))
    found.set_source({"execution": "x"})
    assert found.metadata() == {
        "description": "words",
        "card": {"type": "model", "text": "# M"},
        "source": {"execution": "x"},
    }
    assert DataCard("d").serialize_to_string(None, "name") == ("data", "d")
    assert DataCard("d") != ModelCard("d")
    with pytest.raises(TypeError, match="a card takes a text"):
        ModelCard(5)  # type: ignore[arg-type]  # that is the case


# ---- outputs ----


def test_an_annotation_says_what_an_output_becomes() -> None:
    assert created.output_form(load, "o0") == {
        "name": "rides",
        "partitions": {"region": {"$ref": "inputs.region"}},
        "timePartition": {"$ref": "inputs.day"},
    }
    assert created.output_form(plain, "o0") == {"name": "plain"}

    @task
    def constant() -> Annotated[int, Rides(region="dubai", time_partition=datetime(2024, 5, 6, 7))]:
        return 1

    assert created.output_form(constant, "o0") == {
        "name": "rides",
        "partitions": {"region": "dubai"},
        "timePartition": "2024-05-06T00:00:00Z",
    }
    assert specification_of(int) is None
    assert specification_of(Annotated[int, "a note"]) is None


def test_a_binding_to_an_input_that_is_not_there_is_refused() -> None:
    @task
    def wrong(a: int) -> Annotated[int, Rides(region=Inputs.regino)]:
        return a

    with pytest.raises(FlyteAssertion, match=r"takes Inputs\.regino, but there is no such input; there is a"):
        created.output_form(wrong, "o0")


def test_the_output_of_a_workflow_has_everything_bound() -> None:
    @workflow
    def opened() -> Annotated[int, Rides(region="x")]:
        return plain()

    with pytest.raises(
        FlyteAssertion, match=r"its annotation has to bind time_partition: rides\(time_partition=Inputs"
    ):
        created.output_form(opened, "o0")


@pytest.mark.parametrize(
    ("args", "kwargs", "why"),
    [
        (("dubai",), {}, "Cannot set partition values by position"),
        ((), {"colour": "red"}, "has no partition colour; there is region, time_partition"),
        ((), {"region": 5}, "takes a text or Inputs.name"),
        ((), {"time_partition": "2024"}, "takes a datetime or Inputs.name"),
    ],
)
def test_a_binding_that_cannot_be_is_refused(args: Any, kwargs: Any, why: str) -> None:
    with pytest.raises(ValueError, match=rf"test_artifacts\.py:\d+: .*{why}"):
        Rides(*args, **kwargs)
    with pytest.raises(ValueError, match="Cannot bind time partition to non-time partitioned artifact plain"):
        Plain(time_partition=datetime(2024, 1, 1))


def made(annotation: Any, value: Any, **inputs: Any) -> created.Made:
    return created.made("t", {"o0": annotation}, inputs, {"o0": value})["o0"]


def test_partitions_come_from_the_annotation_and_from_the_body() -> None:
    with entered_task(Running()):  # type: ignore[arg-type]  # enough of them
        value = Rides.create_from(object(), DataCard("d"), time_partition=datetime(2024, 5, 6, 7))
        found = made(Annotated[int, Rides(region=Inputs.region)], value, region="oslo")
    assert found.manifest() == {
        "name": "rides",
        "partitions": {"region": "oslo"},
        "timePartition": "2024-05-06T00:00:00Z",
        "cards": [{"type": "data", "text": "d"}],
    }


def test_the_same_value_may_become_two_artifacts() -> None:
    both = {"o1": Annotated[int, Rides(time_partition=Inputs.day)], "o0": Annotated[int, Plain]}
    inputs = {"day": "2024-05-06T07:00:00Z"}
    with entered_task(Running()):  # type: ignore[arg-type]  # enough of them
        same = Rides.create_from(Plain.create_from(5), region="x")
        found = created.made("t", both, inputs, {"o0": same, "o1": same})
        twice = {"o0": both["o1"], "o1": both["o1"]}
        Rides.create_from(same, region="first")
        Rides.create_from(same, region="second")
        again = created.made("t", twice, inputs, {"o0": same, "o1": same})
    assert found["o0"].manifest() == {"name": "plain"}
    assert found["o1"].partitions == {"region": "x"}
    assert [one.partitions["region"] for one in again.values()] == ["first", "second"]


def test_what_an_attempt_noted_ends_with_it() -> None:
    annotation = Annotated[int, Rides(time_partition=datetime(2024, 1, 1))]
    with entered_task(Running()):  # type: ignore[arg-type]  # enough of them
        Rides.create_from(5, region="of the attempt that failed")
    with entered_task(Running()), pytest.raises(FlyteAssertion, match="nothing says its region"):  # type: ignore[arg-type]
        made(annotation, 5)
    assert Rides.create_from(5, region="outside of a task") == 5


@pytest.mark.parametrize(
    ("annotation", "given", "why"),
    [
        (Annotated[int, Rides(region="x")], {}, r"nothing says its time_partition: bind it .* rides\.create_from"),
        (Annotated[int, Rides], {"region": "x"}, "nothing says its time_partition"),
        (
            Annotated[int, Rides(region="x", time_partition=datetime(2024, 1, 1))],
            {"region": "y", "time_partition": datetime(2024, 1, 1)},
            "region, time_partition is bound in the annotation and by create_from as well",
        ),
    ],
)
def test_a_partition_has_one_value(annotation: Any, given: dict[str, Any], why: str) -> None:
    with entered_task(Running()), pytest.raises(FlyteAssertion, match=why):  # type: ignore[arg-type]  # enough of them
        made(annotation, Rides.create_from(5, **given))


@pytest.mark.parametrize(
    ("args", "kwargs", "why"),
    [
        ((5, "dubai"), {}, "partitions by name, and cards"),
        ((5,), {"region": 5}, "takes a text"),
        ((5,), {"time_partition": "2024"}, "takes a datetime"),
        ((5,), {"colour": "red"}, "has no partition colour"),
    ],
)
def test_create_from_takes_texts_for_partitions_it_has(args: Any, kwargs: Any, why: str) -> None:
    with pytest.raises(ValueError, match=rf"test_artifacts\.py:\d+: .*{why}"):
        Rides.create_from(*args, **kwargs)


def test_inputs_that_are_no_texts_are_written_out_in_partitions() -> None:
    found = made(Annotated[int, Rides(region=Inputs.n, time_partition=datetime(2024, 1, 1))], 1, n=5)
    assert found.partitions == {"region": "5"}


# ---- queries ----


def test_a_query_says_what_it_asks_for() -> None:
    assert Rides.query().manifest() == {"name": "rides"}
    assert Rides.query(region="dubai", time_partition=datetime(2024, 5, 6, 7)).manifest() == {
        "name": "rides",
        "partitions": {"region": "dubai"},
        "timePartition": "2024-05-06T00:00:00Z",
    }
    assert Rides.query(partitions={"region": Inputs.where}, time_partition=Inputs.day).manifest() == {
        "name": "rides",
        "partitions": {"region": {"$ref": "inputs.where"}},
        "timePartition": {"$ref": "inputs.day"},
    }
    shifted = Rides.query(time_partition=TimePartition(Inputs.day) + timedelta(hours=36))
    assert shifted.manifest()["timePartition"] == {"$ref": "inputs.day", "plus": "36h"}
    assert Artifact(name="a", version="v1").query().manifest() == {"name": "a", "version": "v1"}
    assert "region=Inputs.where" in repr(Rides.query(region=Inputs.where))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"colour": "red"}, "has no partition colour"),
        ({"region": 5}, "takes a text, Inputs.name or a partition"),
        ({"tag": "latest"}, "no tags"),
        ({"region": "a", "partitions": {"region": "b"}}, "not both"),
        ({"time_partition": "2024"}, "a datetime or an input"),
    ],
)
def test_a_query_that_cannot_be_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=rf"test_artifacts\.py:\d+: .*{why}"):
        Rides.query(**given)
    with pytest.raises(ValueError, match="has no time partition"):
        Plain.query(time_partition=datetime(2024, 1, 1))


def test_the_newest_match_is_what_a_query_finds() -> None:
    keep("rides", 1, region="dubai")
    keep("rides", 2, region="oslo", time="2024-05-06T00:00:00Z")
    keep("rides", 3, region="dubai", time="2024-05-06T00:00:00Z")
    keep("rides", 4, region="dubai", time="2024-05-07T00:00:00Z")
    keep("other", 5, region="dubai")
    assert resolve.resolved(Rides.query(), int, "x:") == 4
    assert resolve.resolved(Rides.query(region="oslo"), int, "x:") == 2
    assert resolve.resolved(Rides.query(region="dubai", time_partition=datetime(2024, 5, 6, 13)), int, "x:") == 3
    by_input = Rides.query(region=Inputs.where, time_partition=TimePartition(Inputs.day) - timedelta(days=1))
    assert resolve.resolved(by_input, int, "x:", {"where": "dubai", "day": "2024-05-08T01:00:00Z"}) == 4


def test_a_query_that_finds_nothing_says_what_there_is() -> None:
    with pytest.raises(FlyteAssertion, match=r"x: no artifact matches .*'rides'.* and no other of that name\. Run"):
        resolve.resolved(Rides.query(), int, "x:")
    keep("rides", 1, region="dubai")
    with pytest.raises(FlyteAssertion, match=r"there is \(region=dubai\)\. Run the task that makes it first"):
        resolve.resolved(Rides.query(region="oslo"), int, "x:")


def test_a_query_needs_its_inputs() -> None:
    with pytest.raises(FlyteAssertion, match="needs the input where, which is not there"):
        resolve.resolved(Rides.query(region=Inputs.where), int, "x:")
    for query in (Rides.query(region=Rides.partitions.region), Rides.query(time_partition=Rides.time_partition)):
        with pytest.raises(FlyteAssertion, match="needs the artifact that triggers"):
            resolve.resolved(query, int, "x:")


def test_what_a_query_finds_has_to_be_of_the_type() -> None:
    keep("rides", 1, region="dubai")
    with pytest.raises(TypeTransformerFailedError, match=r"x: expected str, got int \(ArtifactQuery\('rides'\)\)"):
        resolve.resolved(Rides.query(), str, "x:")


def test_versions_never_change() -> None:
    one = created.Made("a", {}, None, [])
    registry.keep(one, 1, "int", version="v1")
    with pytest.raises(FlyteEntityAlreadyExistsException, match="has a version v1 already"):
        registry.keep(one, 2, "int", version="v1")
    assert resolve.resolved(Artifact(name="a", version="v1"), int, "x:") == 1
    with pytest.raises(FlyteAssertion, match="no artifact matches"):
        resolve.resolved(Artifact(name="a", version="v2"), int, "x:")


def test_artifacts_in_a_folder_are_seen_by_the_next_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.FOLDER, str(tmp_path / "made" / "on demand"))
    keep("rides", 1, region="dubai")
    keep("rides", 2, region="dubai")
    registry.forget()
    assert resolve.resolved(Rides.query(region="dubai"), int, "x:") == 2
    monkeypatch.delenv(registry.FOLDER)
    with pytest.raises(FlyteAssertion, match="no artifact matches"):
        resolve.resolved(Rides.query(region="dubai"), int, "x:")


def test_an_artifact_with_a_value_is_the_value() -> None:
    assert resolve.as_json(Artifact(name="a", literal=5, literal_type="int"), int, "x:") == 5
    assert resolve.as_json(Artifact(name="a", python_val=5), int, "x:") == 5
    assert resolve.as_json(5, int, "x:") == 5


# ---- in workflows and plans ----


@workflow
def report(region: str, rides: int = Rides.query(region=Inputs.region)) -> int:  # type: ignore[assignment]  # a lookup
    return doubled(a=rides)


@task
def doubled(a: int) -> int:
    return 2 * a


def test_defaults_that_are_queries_are_answered_with_the_other_inputs() -> None:
    keep("rides", 21, region="dubai")
    assert resolve.filled(report, {"region": "dubai"}) == {"region": "dubai", "rides": 21}
    assert list(resolve.filled(report, {"rides": 1, "region": "dubai"})) == ["region", "rides"]


def test_a_plan_answers_queries_when_it_runs() -> None:
    plan = LaunchPlan("queried", report, fixed_inputs={"rides": Rides.query(region=Inputs.region)})
    keep("rides", 21, region="dubai")
    assert plan(region="dubai") == 42
    with pytest.raises(FlyteAssertion, match=r"fixed_inputs of queried can't hold artifacts or queries .*\(rides\)"):
        plan.manifest_spec()


# ---- triggers ----


def test_a_trigger_says_what_it_waits_for_and_what_it_hands_over() -> None:
    trigger = OnArtifact(
        trigger_on=Rides.query(region="dubai"),
        inputs={
            "rides": Rides,
            "day": Rides.time_partition,
            "before": Rides.time_partition - timedelta(days=1),
            "region": Rides.partitions.region,
            "other": Hourly.query(time_partition=Rides.time_partition - timedelta(hours=1)),
            "same": Rides.query(region=Rides.partitions.region),
        },
    )
    assert trigger.manifest() == {
        "artifact": {"name": "rides", "partitions": {"region": "dubai"}},
        "inputs": {
            "rides": {"$ref": "artifact"},
            "day": {"$ref": "artifact.timePartition"},
            "before": {"$ref": "artifact.timePartition", "plus": "-24h"},
            "region": {"$ref": "artifact.partitions.region"},
            "other": {"$query": {"name": "hourly", "timePartition": {"$ref": "artifact.timePartition", "plus": "-1h"}}},
            "same": {"$query": {"name": "rides", "partitions": {"region": {"$ref": "artifact.partitions.region"}}}},
        },
    }
    assert trigger == OnArtifact(Rides.query(region="dubai"), trigger.inputs)
    assert trigger != OnArtifact(Rides)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Plain, r"is not what triggers; query for it: plain\.query\(\)"),
        (Hourly.time_partition, "is a part of .*hourly.*, but rides is what triggers"),
        (Plain.query().partitions, "takes the artifact that triggers"),
        (5, "fixed values go into fixed_inputs"),
        (Rides.query(region=Inputs.region), "only what triggers can be referred to"),
        (Rides.query(time_partition=Inputs.day), "only what triggers can be referred to"),
        (Rides.query(time_partition=Hourly.time_partition), "is a part of .*hourly"),
        (TimePartition(), "is a part of no artifact"),
    ],
)
def test_a_trigger_hands_over_parts_of_what_triggers_only(value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=rf"test_artifacts\.py:\d+: the input x of OnArtifact .*{why}"):
        OnArtifact(Rides, inputs={"x": value})


@pytest.mark.parametrize(
    "what",
    [
        5,
        Rides.query(region=Inputs.region),
        Rides.query(time_partition=Hourly.time_partition),
        Artifact(name="rides", version="v1"),
    ],
)
def test_what_triggers_is_known_beforehand(what: Any) -> None:
    with pytest.raises(ValueError, match=r"test_artifacts\.py:\d+"):
        OnArtifact(what)


def test_a_plan_with_a_trigger_is_accepted_by_the_contract() -> None:
    from windlass_api.manifests_check import validate_manifests

    trigger = OnArtifact(Rides, inputs={"rides": Rides, "region": Rides.partitions.region})
    plan = LaunchPlan("triggered", report, trigger=trigger, auto_activate=True)
    assert plan.trigger is trigger
    obj = {"apiVersion": "windlass.dev/v1alpha1", "kind": "LaunchPlan", "metadata": {"name": "triggered"}}
    found = validate_manifests([obj | {"spec": plan.manifest_spec()}])
    assert [finding for _, finding in found if not finding.path.startswith("spec.workflow")] == []
    with pytest.raises(FlyteAssertion, match="the trigger of twice can't give region: fixed inputs"):
        LaunchPlan("twice", report, fixed_inputs={"region": "x"}, trigger=trigger)
    with pytest.raises(FlyteAssertion, match="the inputs of the trigger of the launch plan wrong name colour"):
        LaunchPlan("wrong", report, trigger=OnArtifact(Rides, inputs={"colour": Rides}))


def test_the_triggering_artifact_can_be_asked_for_by_hand() -> None:
    assert Rides.embed_as_query(partition="region") is Rides.partitions.region
    assert Rides.embed_as_query(bind_to_time_partition=True) == Rides.time_partition
    assert isinstance(Rides.embed_as_query(), ArtifactQuery)
    with pytest.raises(ValueError, match="has no partition colour"):
        Rides.embed_as_query(partition="colour")


def test_a_time_partition_is_moved_by_timedeltas_only() -> None:
    moved = Rides.time_partition - timedelta(days=1) - timedelta(hours=1)
    assert (moved.op, moved.other) == (Op.MINUS, timedelta(hours=25))
    assert repr(moved) == "rides.time_partition - 1 day, 1:00:00"
    assert Rides.time_partition.op is None
    back = TimePartition(datetime(2024, 1, 1), Op.MINUS, timedelta(days=1))
    assert back == TimePartition(datetime(2023, 12, 31)) != TimePartition(datetime(2024, 1, 1))
    with pytest.raises(TypeError, match="by a timedelta"):
        Rides.time_partition + 1  # type: ignore[operator]  # that is the case


# ---- objects ----


def test_an_artifact_becomes_an_object_and_comes_back() -> None:
    first = Artifact(
        name="rides of 2024",
        version="v1",
        partitions={"region": "Dubai & more"},
        time_partition=datetime(2024, 5, 6, 7),
        python_val=[1, 2],
        python_type=list[int],
        short_description="words",
        card=DataCard("d"),
    )
    obj = Artifact.to_create_request(first)
    assert obj["spec"] == {
        "name": "rides of 2024",
        "version": "v1",
        "type": "list[int]",
        "value": [1, 2],
        "partitions": {"region": "Dubai & more"},
        "timePartition": "2024-05-06T00:00:00Z",
        "description": "words",
        "cards": [{"type": "data", "text": "d"}],
    }
    back = Artifact.from_flyte_idl(obj)
    assert back.concrete_artifact_id == first.concrete_artifact_id
    assert back.get() == [1, 2]
    assert back.get(as_type=list[int]) == [1, 2]
    assert back.metadata()["card"] == {"type": "data", "text": "d"}
    assert objects.manifest_of(back)["metadata"] == obj["metadata"]


def test_the_contract_accepts_the_object() -> None:
    from windlass_api.manifests_check import validate_manifests

    first = Artifact.initialize({"a": 1}, dict[str, int], name="Some Thing", version="v 1")
    assert validate_manifests([objects.manifest_of(first)]) == []


def test_labels_of_an_object_are_what_a_query_selects_by() -> None:
    spec = {"name": "rides", "version": "v1", "partitions": {"region": "a b"}, "timePartition": "2024-05-06T00:00:00Z"}
    query = Rides.query(region="a b", time_partition=datetime(2024, 5, 6)).manifest()
    assert set(artifacts.selector(query).split(",")) <= {f"{k}={v}" for k, v in artifacts.labels(spec).items()}
    assert artifacts.matches(spec, query)
    assert not artifacts.matches(spec, {**query, "partitions": {"region": "a-b"}})
    assert not artifacts.matches(spec, {**query, "timePartition": "2024-05-07T00:00:00Z"})
    assert not artifacts.matches(spec, {**query, "version": "v2"})
    assert artifacts.object_name(spec) != artifacts.object_name({**spec, "version": "v2"})


@pytest.mark.parametrize(
    ("artifact", "why"),
    [
        (Plain, "has no version"),
        (Artifact(name="a", version="v1"), "has no value"),
        (Artifact(name="a", version="v1", partition_keys=["region"], python_val=1), "says nothing of its region"),
        (Artifact(name="a", version="v1", time_partitioned=True, python_val=1), "says nothing of its time_partition"),
    ],
)
def test_only_what_is_complete_becomes_an_object(artifact: Artifact, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        objects.manifest_of(artifact)


def test_only_an_artifact_object_is_read_as_one() -> None:
    with pytest.raises(ValueError, match="takes an Artifact object"):
        Artifact.from_flyte_idl({"kind": "Task", "spec": {}})


def test_an_artifact_to_be_created_gets_a_name() -> None:
    made_up = Artifact.initialize(5, int)
    assert made_up.name.startswith("artifact-")
    assert made_up.get() == 5
    with pytest.raises(ValueError, match="no tags"):
        Artifact.initialize(5, int, tags=["latest"])


def test_the_value_may_come_from_whoever_has_it() -> None:
    class Outputs:
        def get(self, name: str, as_type: Any = None) -> Any:
            return (name, as_type)

    lazy = Artifact(name="a")
    lazy.set_resolver(Outputs())
    assert lazy.get(int) == ("a", int)
    assert Plain.get() is None


@pytest.mark.parametrize(
    ("value", "expression", "expected"),
    [
        (5, "int", 5),
        ("x", None, "x"),
        ({"a": 1}, "struct", {"a": 1}),
        ([None, 1], "list[optional[int]]", [None, 1]),
        ({"a": 1.5}, "dict[str, float]", {"a": 1.5}),
        ("x", "union[int, str]", "x"),
        (None, "none", None),
    ],
)
def test_values_without_an_annotation_are_read_as_their_type_says(value: Any, expression: Any, expected: Any) -> None:
    assert python_value(value, None, expression, "x:") == expected
    assert Artifact(name="a", literal=value, literal_type=expression).get() == expected
