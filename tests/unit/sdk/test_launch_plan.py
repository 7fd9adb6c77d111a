"""Launch plans: made once by name, called with what is left open, run as their workflow, and written down."""

# ruff: noqa: DTZ001  times without a zone are what people write; they are in UTC

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from windlass import _emit, task, workflow
from windlass._exceptions import FlyteAssertion, TypeTransformerFailedError
from windlass._launch_plan import LaunchPlan
from windlass._notifications import Email, Slack
from windlass._plan_options import (
    Annotations,
    AuthRole,
    ConcurrencyPolicy,
    Identity,
    Labels,
    Options,
    RawOutputDataConfig,
    SecurityContext,
)
from windlass._schedules import CronSchedule, FixedRate


@pytest.fixture(autouse=True)
def no_other_plans(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plans of a process are one table; each test has its own."""
    monkeypatch.setattr(LaunchPlan, "CACHE", {})
    yield


@task
def joined(a: int, c: str) -> str:
    return f"{a}{c}"


@workflow
def wf(a: int, c: str = "x") -> str:
    """Joins.

    Args:
        a: first
        c: second
    """
    return joined(a=a, c=c)


@workflow
def planned(at: datetime, a: int = 1) -> str:
    return joined(a=a, c="planned")


def anyhow(value: Any) -> Any:
    """The value, for calls that its type forbids."""
    return value


# ---- calling ----


def test_a_default_plan_runs_its_workflow() -> None:
    plan = LaunchPlan.get_or_create(workflow=wf)
    assert plan.name == wf.name
    assert plan(a=3) == "3x"
    assert plan(a=3, c="y") == "3y"


def test_default_inputs_stand_in_and_may_be_given_all_the_same() -> None:
    plan = LaunchPlan.create("with-defaults", wf, default_inputs={"a": 5})
    assert plan() == "5x"
    assert plan(a=6, c="z") == "6z"
    assert {name: one.required for name, one in plan.parameters.items()} == {"a": False, "c": False}


def test_fixed_inputs_are_filled_in_and_refused_in_a_call() -> None:
    plan = LaunchPlan.create("fixed", wf, fixed_inputs={"c": "f"})
    assert plan(a=1) == "1f"
    assert list(plan.interface.inputs) == ["a"]
    assert list(plan.python_interface.inputs) == ["a", "c"]
    with pytest.raises(FlyteAssertion, match=r"Fixed inputs cannot be specified: fixed \(.*:\d+\) fixes c"):
        plan(a=1, c="g")


def test_an_input_that_is_both_is_fixed() -> None:
    plan = LaunchPlan.create("both", wf, default_inputs={"a": 1, "c": "default"}, fixed_inputs={"c": "fixed"})
    assert plan() == "1fixed"
    assert plan.saved_inputs == {"a": 1, "c": "fixed"}
    assert plan.fixed_inputs == {"c": "fixed"}
    assert plan.manifest_spec() == {
        "workflow": {"name": wf.object_name},
        "defaultInputs": {"a": 1},
        "fixedInputs": {"c": "fixed"},
    }


def test_a_plan_takes_keywords_only() -> None:
    plan = LaunchPlan.create("keywords", wf)
    with pytest.raises(AssertionError, match="Only Keyword Arguments are supported for launch plan executions"):
        plan(3)
    with pytest.raises(AssertionError, match="unexpected keyword argument 'd'"):
        plan(a=3, d=4)
    with pytest.raises(AssertionError, match="Input a of type int was not specified for function keywords"):
        plan()


def test_in_a_workflow_a_plan_is_one_node() -> None:
    plan = LaunchPlan.create("a-node", wf, default_inputs={"a": 2}, fixed_inputs={"c": "n"})

    @workflow
    def outer(a: int) -> str:
        plan()
        return anyhow(plan(a=a))  # type: ignore[no-any-return]  # a promise

    assert outer(a=9) == "9n"
    spec = _emit.workflow_spec(outer, None)
    assert [node["launchPlan"] for node in spec["nodes"]] == [{"name": plan.object_name}] * 2
    assert [node.get("inputs") for node in spec["nodes"]] == [None, {"a": {"$ref": "inputs.a"}}]
    assert spec["nodes"][0]["name"] == "a-node"
    assert plan.construct_node_metadata() == {"name": "a-node"}


def test_a_failure_in_a_plan_is_that_of_its_task() -> None:
    @task
    def breaks(a: int) -> int:
        return {1: 1}[a + 1]

    @workflow
    def broken(a: int) -> int:
        return breaks(a=a)

    with pytest.raises(KeyError, match="Error encountered while executing"):
        LaunchPlan.create("broken", broken)(a=1)


# ---- making ----


def test_a_name_is_taken_once() -> None:
    LaunchPlan.create("once", wf)
    with pytest.raises(AssertionError, match=r"there is a launch plan once already \(.*test_launch_plan\.py:\d+\)"):
        LaunchPlan.create("once", wf)


def test_getting_one_twice_gives_the_same() -> None:
    made = LaunchPlan.get_or_create(wf, "twice", default_inputs={"a": 1}, schedule=FixedRate(timedelta(hours=1)))
    again = LaunchPlan.get_or_create(wf, "twice", default_inputs={"a": 1}, schedule=FixedRate(timedelta(hours=1)))
    assert made is again
    assert LaunchPlan.get_or_create(wf) is LaunchPlan.get_default_launch_plan(None, wf)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("default_inputs", {"a": 2}),
        ("fixed_inputs", {"a": 1}),
        ("schedule", FixedRate(timedelta(hours=2))),
        ("notifications", [Email(["failed"], "a@b.c")]),
        ("labels", {"team": "b"}),
        ("annotations", {"team": "b"}),
        ("raw_output_data_config", "s3://b"),
        ("max_parallelism", 2),
        ("security_context", "robot"),
        ("overwrite_cache", True),
        ("auto_activate", True),
        ("concurrency", ConcurrencyPolicy(2)),
    ],
)
def test_getting_one_that_differs_names_the_part(part: str, value: Any) -> None:
    LaunchPlan.get_or_create(wf, "differs", default_inputs={"a": 1}, labels={"team": "a"})
    given: dict[str, Any] = {"default_inputs": {"a": 1}, "labels": {"team": "a"}, part: value}
    with pytest.raises(AssertionError, match=f"with another {part}: "):
        LaunchPlan.get_or_create(wf, "differs", **given)


def test_getting_one_of_another_workflow_is_refused() -> None:
    LaunchPlan.get_or_create(wf, "whose")
    with pytest.raises(AssertionError, match="with another workflow"):
        LaunchPlan.get_or_create(planned, "whose")


def test_values_that_have_no_truth_are_compared_all_the_same() -> None:
    class Odd:
        def __eq__(self, other: object) -> Any:
            raise ValueError("cell by cell")

        __hash__ = None  # type: ignore[assignment]  # as of a table

    odd = Odd()
    LaunchPlan.get_or_create(wf, "odd", default_inputs={"a": odd})
    with pytest.raises(AssertionError, match="with another default_inputs"):
        LaunchPlan.get_or_create(wf, "odd", default_inputs={"a": Odd()})


def test_only_a_plan_with_a_name_has_settings() -> None:
    with pytest.raises(ValueError, match=r"Only named launchplans can be created .* leave out labels"):
        LaunchPlan.get_or_create(wf, labels={"a": "b"})


def test_a_plan_is_made_of_a_workflow() -> None:
    with pytest.raises(TypeError, match=r"made of a workflow, not of <task .*joined>"):
        LaunchPlan.create("of-a-task", anyhow(joined))
    with pytest.raises(ValueError, match="needs a name"):
        LaunchPlan.create("", wf)


@pytest.mark.parametrize("what", ["default_inputs", "fixed_inputs"])
def test_inputs_that_are_not_there_are_refused_where_they_are_written(what: str) -> None:
    given: dict[str, Any] = {what: {"b": 1}}
    with pytest.raises(FlyteAssertion, match=rf"test_launch_plan\.py:\d+: {what} of .* name b, but .* inputs a, c"):
        LaunchPlan.create("unknown", wf, **given)


def test_a_value_that_does_not_fit_is_told_with_the_plans_line() -> None:
    plan = LaunchPlan.create("misfit", wf, fixed_inputs={"a": "three"})
    for use in (plan.manifest_spec, plan):
        with pytest.raises(TypeTransformerFailedError, match=r"test_launch_plan\.py:\d+: fixed_inputs of misfit: a:"):
            use()


def test_a_clone_changes_what_is_named() -> None:
    plan = LaunchPlan.create(
        "original",
        wf,
        default_inputs={"a": 1},
        fixed_inputs={"c": "f"},
        labels={"team": "a"},
        auth_role=AuthRole(kubernetes_service_account="robot"),
        auto_activate=True,
    )
    same = plan.clone_with("same")
    assert same() == "1f"
    assert same.manifest_spec() == plan.manifest_spec()
    assert same.should_auto_activate
    other = plan.clone_with(
        "other",
        parameters={"a": 2},
        fixed_inputs={},
        labels={"team": "b"},
        annotations={"note": "x"},
        raw_output_data_config="s3://b",
        max_parallelism=3,
        security_context="person",
        notifications=[Slack(["failed"], "a@b.c")],
        schedule=FixedRate(timedelta(hours=1)),
        overwrite_cache=True,
        auto_activate=False,
    )
    assert other() == "2x"
    assert other.labels == Labels({"team": "b"})
    assert other.security_context == "person"
    assert not other.should_auto_activate
    assert "other" not in LaunchPlan.CACHE
    assert plan.clone_with("parameters", parameters=plan.parameters)() == "1f"


# ---- what it says ----


def test_a_plan_with_everything_is_written_down() -> None:
    plan = LaunchPlan(
        "everything",
        planned,
        parameters={"a": 7},
        schedule=CronSchedule(schedule="@daily", kickoff_time_input_arg="at"),
        notifications=[Email(["failed"], ["a@b.c"])],
        labels=Labels({"team": "a"}),
        annotations=Annotations({"why": "so"}),
        raw_output_data_config=RawOutputDataConfig("s3://bucket/raw"),
        max_parallelism=4,
        security_context=SecurityContext(run_as=Identity(k8s_service_account="robot")),
        overwrite_cache=True,
        concurrency=ConcurrencyPolicy(max_concurrency=1),
    )
    spec = plan.manifest_spec()
    assert spec == {
        "workflow": {"name": planned.object_name},
        "defaultInputs": {"a": 7},
        "schedule": {"cron": "0 0 * * *", "kickoffTimeInput": "at"},
        "notifications": [{"phases": ["Failed"], "email": {"recipients": ["a@b.c"]}}],
        "suspend": True,
        "concurrency": {"max": 1, "behavior": "Skip"},
        "labels": {"team": "a"},
        "annotations": {"why": "so"},
        "rawOutputPrefix": "s3://bucket/raw",
        "maxParallelism": 4,
        "serviceAccountName": "robot",
        "overwriteCache": True,
    }
    assert plan.schedule == CronSchedule(schedule="@daily", kickoff_time_input_arg="at")
    assert plan.notifications == [Email(["failed"], ["a@b.c"])]
    assert plan.labels.values == {"team": "a"}
    assert plan.annotations.values == {"why": "so"}
    assert plan.raw_output_data_config == RawOutputDataConfig("s3://bucket/raw")
    assert plan.max_parallelism == 4
    assert plan.security_context == SecurityContext(run_as=Identity(k8s_service_account="robot"))
    assert plan.overwrite_cache is True
    assert plan.concurrency == ConcurrencyPolicy(1)
    assert plan.trigger is None
    assert plan.workflow is planned
    assert LaunchPlan.create("described", wf).description == wf.description
    assert not plan.should_auto_activate


def test_the_contract_accepts_what_a_plan_says() -> None:
    from windlass_api.manifests_check import validate_manifests

    plan = LaunchPlan.create(
        "checked",
        planned,
        fixed_inputs={"a": 1},
        schedule=CronSchedule(
            schedule="0 6 * * MON", offset="PT5M", timezone="Asia/Tokyo", kickoff_time_input_arg="at"
        ),
        notifications=[Slack(["succeeded", "aborted"], ["a@b.c"])],
        concurrency=ConcurrencyPolicy(2),
        labels={"team": "a"},
    )
    objects = [
        {"apiVersion": "windlass.dev/v1alpha1", "kind": "LaunchPlan", "metadata": {"name": plan.object_name}}
        | {"spec": plan.manifest_spec()}
    ]
    assert [finding for _, finding in validate_manifests(objects) if finding.path != "spec.workflow"] == []


def test_a_plan_runs_by_itself_only_if_it_is_activated() -> None:
    rate = FixedRate(timedelta(hours=1))
    every = {"a": 1}
    assert LaunchPlan.create("off", wf, every, schedule=rate).manifest_spec()["suspend"] is True
    assert "suspend" not in LaunchPlan.create("on", wf, every, schedule=rate, auto_activate=True).manifest_spec()
    assert "suspend" not in LaunchPlan.create("by-hand", wf).manifest_spec()


def test_a_plan_that_runs_by_itself_needs_every_input() -> None:
    plan = LaunchPlan.create("lacking", wf, schedule=FixedRate(timedelta(hours=1)))
    with pytest.raises(FlyteAssertion, match="nothing gives its input a: name them in default_inputs or fixed_inputs"):
        plan.manifest_spec()


@pytest.mark.parametrize(
    ("kickoff", "fixed", "why"),
    [
        ("when", {}, "there is at, a"),
        ("at", {"at": datetime(2024, 1, 1)}, "it is fixed"),
        ("a", {}, "so it is a datetime"),
    ],
)
def test_the_kickoff_time_goes_into_an_open_input_that_is_a_time(kickoff: str, fixed: dict[str, Any], why: str) -> None:
    with pytest.raises(FlyteAssertion, match=why):
        LaunchPlan.create(
            "kickoff", planned, None, fixed, schedule=CronSchedule(schedule="@daily", kickoff_time_input_arg=kickoff)
        )


def test_a_plan_brings_its_workflow_and_its_tasks_along() -> None:
    plan = LaunchPlan.create("complete", wf)
    assert list(plan.definitions()) == [joined, wf, plan]
    assert plan.home == __name__
    assert plan.kind == "LaunchPlan"
    assert plan.target() == {"launchPlan": {"name": "complete"}}


# ---- the small nouns ----


def test_options_of_a_workflow_are_those_of_its_default_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options(labels={"team": "a"}, max_parallelism=2, notifications=[Email(["failed"], "a@b.c")])
    monkeypatch.setattr(wf, "default_options", options, raising=False)
    plan = LaunchPlan.get_or_create(wf)
    assert plan.labels == Labels({"team": "a"})
    assert plan.max_parallelism == 2
    assert plan.notifications == [Email(["failed"], "a@b.c")]


def test_options_may_turn_notifications_off() -> None:
    off = Options(notifications=[Email(["failed"], "a@b.c")], disable_notifications=True)
    assert off.settings() == {"notifications": []}
    assert Options.default_from("robot", "s3://b").settings() == {
        "raw_output_data_config": "s3://b",
        "security_context": "robot",
    }


@pytest.mark.parametrize(
    ("given", "error", "why"),
    [
        ({"labels": {"a": 1}}, TypeError, "dict of texts"),
        ({"annotations": 5}, TypeError, "dict of texts"),
        ({"raw_output_data_config": 5}, TypeError, "a URI"),
        ({"max_parallelism": -1}, ValueError, "0 \\(no limit\\) or more"),
        ({"max_parallelism": True}, ValueError, "0 \\(no limit\\) or more"),
        ({"security_context": 5}, TypeError, "service account"),
        ({"security_context": SecurityContext(run_as=Identity(iam_role="arn"))}, ValueError, "bound to that account"),
        ({"security_context": SecurityContext(secrets=["s"])}, ValueError, "secret_requests"),
        ({"auth_role": AuthRole(assumable_iam_role="arn")}, ValueError, "bound to that account"),
        ({"auth_role": 5}, TypeError, "service account"),
        ({"auth_role": "a", "security_context": "b"}, ValueError, "say the same"),
    ],
)
def test_settings_that_mean_nothing_here_are_refused(given: dict[str, Any], error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=rf"test_launch_plan\.py:\d+: .*{why}"):
        LaunchPlan.create("refused", wf, **given)


@pytest.mark.parametrize("given", [{"max_concurrency": 0}, {"max_concurrency": True}, {"behavior": "Replace"}])
def test_a_concurrency_policy_is_a_number_and_skip(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="takes"):
        ConcurrencyPolicy(**given)


def test_nouns_are_equal_where_their_parts_are() -> None:
    assert Labels({"a": "b"}) != Annotations({"a": "b"})
    assert repr(Labels({"a": "b"})) == "Labels(values={'a': 'b'})"
    assert SecurityContext(Identity(k8s_service_account="x")) == SecurityContext(Identity(k8s_service_account="x"))
