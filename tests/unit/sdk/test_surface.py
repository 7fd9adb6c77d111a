"""Parameters that no other test says: what each changes in the object that is sent, or why it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

import pytest

import windlass
from windlass import _emit, _store, task, workflow
from windlass._artifacts import Artifact, ArtifactQuery, Inputs, OnArtifact
from windlass._artifacts.partitions import Op, TimePartition
from windlass._bundle import files_below
from windlass._exceptions import FlyteAssertion, FlyteNotImplementedException
from windlass._launch_plan import LaunchPlan
from windlass._notifications import Email
from windlass._plan_options import AuthRole, Identity, Options, SecurityContext
from windlass._reference import reference_task
from windlass._remote import executing, registering
from windlass._remote.executing import RunSettings
from windlass._remote.remote import UnionRemote
from windlass_api.v1alpha1.execution import Execution

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: far
clusters:
- {name: far, cluster: {server: "https://api.example.com"}}
- {name: near, cluster: {server: "https://127.0.0.1:6443"}}
contexts:
- {name: far, context: {cluster: far, user: me, namespace: of-the-context}}
- {name: near, context: {cluster: near, user: me}}
users:
- {name: me, user: {token: secret}}
"""

Rides = Artifact(name="rides", partition_keys=["region"], time_partitioned=True)


@task
def square(n: int) -> int:
    if n < 0:
        raise ValueError(n)
    return n * n


@workflow
def squared(n: int) -> int:
    return square(n=n)


@pytest.fixture(autouse=True)
def no_other_plans(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plans of a process are one table; each test has its own."""
    monkeypatch.setattr(LaunchPlan, "CACHE", {})
    yield


# ---- a remote ----


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("UNION_CURRENT_PROJECT", "UNION_CURRENT_DOMAIN", "WINDLASS_RAW_OUTPUT_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


def _auto(store: str) -> UnionRemote:
    return UnionRemote.auto(
        default_project="shop", default_domain="staging", data_upload_location=store, interactive_mode_enabled=True
    )


def _for_endpoint(store: str) -> UnionRemote:
    return UnionRemote.for_endpoint(
        "near",
        default_project="shop",
        default_domain="staging",
        data_upload_location=store,
        interactive_mode_enabled=True,
    )


def _for_sandbox(store: str) -> UnionRemote:
    return UnionRemote.for_sandbox(
        default_project="shop", default_domain="staging", data_upload_location=store, interactive_mode_enabled=True
    )


@pytest.mark.parametrize("make", [_auto, _for_endpoint, _for_sandbox])
def test_however_a_remote_is_made_it_has_the_defaults_that_are_said(
    make: Callable[[str], UnionRemote], kubeconfig: Path, tmp_path: Path
) -> None:
    remote = make(str(tmp_path / "store"))
    assert (remote.default_project, remote.default_domain) == ("shop", "staging")
    assert remote.namespace() == "shop-staging"
    assert remote.interactive_mode_enabled
    with remote.remote_context():
        assert _store.current_prefix() == str(tmp_path / "store")


def test_an_api_key_is_refused_whatever_stands_beside_it() -> None:
    with pytest.raises(FlyteAssertion, match=r"test_surface\.py:\d+: an API key is for a hosted service"):
        UnionRemote.from_api_key(
            "key", default_project="shop", default_domain="staging", data_upload_location="s3://bucket"
        )


SERVICES: dict[str, tuple[Callable[[UnionRemote], Any], str]] = {
    "apps_service_client": (lambda remote: remote.apps_service_client, "deploy_app"),
    "artifacts_client": (lambda remote: remote.artifacts_client, "search_artifacts"),
    "authorizer_service_client": (lambda remote: remote.authorizer_service_client, "kubectl auth can-i"),
    "hooks_async_client": (lambda remote: remote.hooks_async_client, "no such service"),
    "hooks_sync_client": (lambda remote: remote.hooks_sync_client, "no such service"),
    "images_client": (lambda remote: remote.images_client, "ImageSpec"),
    "secret_client": (lambda remote: remote.secret_client, "kubectl create secret"),
    "sync_channel": (lambda remote: remote.sync_channel, "no such service"),
    "user_service_client": (lambda remote: remote.user_service_client, "kubectl auth whoami"),
    "users_client": (lambda remote: remote.users_client, "kubectl auth whoami"),
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_client_of_a_service_says_what_takes_its_place(name: str) -> None:
    ask, instead = SERVICES[name]
    with pytest.raises(FlyteNotImplementedException, match=f"{name}: Windlass has no gRPC services; .*{instead}"):
        ask(UnionRemote())


# ---- what one run can have of its own ----


def refused(**wishes: Any) -> str:
    """Why the settings of a run of a task are refused."""
    with pytest.raises(FlyteNotImplementedException) as caught:
        executing.refuse_unsayable(executing.execution({"task": {"name": "t"}}, "t", {}, RunSettings(**wishes)))
    return str(caught.value)


def test_settings_that_an_execution_has_no_field_for_are_refused_by_their_names() -> None:
    told = [Email([windlass.WorkflowExecutionPhase.FAILED], ["a@example.com"])]
    assert "one run can't set notifications: " in refused(options=Options(notifications=told))


def test_settings_of_one_run_stand_in_its_execution() -> None:
    options = Options(security_context="me", max_parallelism=3, raw_output_data_config="s3://bucket/folder")
    run = RunSettings(envs={"A": "b"}, interruptible=False, overwrite_cache=True, options=options)
    found = executing.execution({"task": {"name": "t"}}, "t", {}, run)
    executing.refuse_unsayable(found)
    assert found["spec"] == {
        "task": {"name": "t"},
        "overrides": {"env": {"A": "b"}, "interruptible": False},
        "overwriteCache": True,
        "maxParallelism": 3,
        "serviceAccountName": "me",
        "rawOutputPrefix": "s3://bucket/folder",
    }
    Execution.model_validate({**found, "metadata": {"name": "t-1"}})


def test_what_asks_for_nothing_is_left_out_but_of_a_launch_plan() -> None:
    nothing = RunSettings(overwrite_cache=False, options=Options(disable_notifications=True))
    found = executing.execution({"task": {"name": "t"}}, "t", {}, nothing)
    executing.refuse_unsayable(found)
    assert found["spec"] == {"task": {"name": "t"}}
    plan = executing.execution({"launchPlan": {"name": "p"}}, "p", {}, nothing)
    with pytest.raises(FlyteNotImplementedException, match="can't set notifications:"):
        executing.refuse_unsayable(plan)


# ---- launch plans ----

WHOLE = {
    "labels": {"team": "a"},
    "annotations": {"why": "b"},
    "rawOutputPrefix": "s3://bucket",
    "maxParallelism": 0,
    "serviceAccountName": "runner",
    "overwriteCache": False,
    "trigger": {"artifact": {"name": "rides"}, "inputs": {"n": {"$ref": "artifact"}}},
    "notifications": [{"phases": ["Failed"], "email": {"recipients": ["a@example.com"]}}],
}


def test_every_setting_of_a_plan_stands_in_its_manifest() -> None:
    told = [Email([windlass.WorkflowExecutionPhase.FAILED], ["a@example.com"])]
    plan = LaunchPlan.create(
        "whole",
        squared,
        notifications=told,
        labels={"team": "a"},
        annotations={"why": "b"},
        raw_output_data_config="s3://bucket",
        max_parallelism=0,
        security_context=SecurityContext(run_as=Identity(k8s_service_account="runner")),
        trigger=OnArtifact(Rides, inputs={"n": Rides}),
        overwrite_cache=False,
        auto_activate=True,
    )
    assert plan.manifest_spec() == {"workflow": {"name": squared.object_name}, **WHOLE}
    same = LaunchPlan.get_or_create(
        squared,
        "again",
        notifications=told,
        labels={"team": "a"},
        annotations={"why": "b"},
        raw_output_data_config="s3://bucket",
        max_parallelism=0,
        auth_role=AuthRole(kubernetes_service_account="runner"),
        trigger=OnArtifact(Rides, inputs={"n": Rides}),
        overwrite_cache=False,
        auto_activate=True,
    )
    assert same.manifest_spec() == plan.manifest_spec()
    with pytest.raises(ValueError, match="security_context and auth_role say the same"):
        LaunchPlan.get_or_create(squared, "both", security_context="a", auth_role="b")


def test_a_plan_that_is_there_is_given_only_for_the_same_settings() -> None:
    LaunchPlan.create("there", squared, annotations={"why": "b"}, raw_output_data_config="s3://a", max_parallelism=2)
    same = LaunchPlan.get_or_create(
        squared, "there", annotations={"why": "b"}, raw_output_data_config="s3://a", max_parallelism=2
    )
    assert same is LaunchPlan.CACHE["there"]
    for part, other in (
        ("annotations", {"annotations": {"why": "c"}}),
        ("raw_output_data_config", {"raw_output_data_config": "s3://b"}),
        ("max_parallelism", {"max_parallelism": 3}),
        ("security_context", {"security_context": "runner"}),
        ("auto_activate", {"auto_activate": True}),
        ("overwrite_cache", {"overwrite_cache": True}),
        ("trigger", {"trigger": OnArtifact(Rides, inputs={"n": Rides})}),
    ):
        settings: dict[str, Any] = {
            "annotations": {"why": "b"},
            "raw_output_data_config": "s3://a",
            "max_parallelism": 2,
        }
        with pytest.raises(AssertionError, match=f"there is a launch plan there .* with another {part}: "):
            LaunchPlan.get_or_create(squared, "there", **{**settings, **other})


def test_a_copy_of_a_plan_may_have_another_trigger() -> None:
    first = LaunchPlan.create("first", squared, trigger=OnArtifact(Rides, inputs={"n": Rides}), auto_activate=True)
    here = OnArtifact(Rides.query(region="dubai"), inputs={"n": Rides})
    other = first.clone_with("other", trigger=here)
    assert other.trigger == here
    assert other.manifest_spec()["trigger"]["artifact"] == {"name": "rides", "partitions": {"region": "dubai"}}
    assert first.clone_with("same").trigger == first.trigger


# ---- artifacts ----


def test_the_time_of_what_triggers_can_be_moved_either_way() -> None:
    later = Rides.embed_as_query(bind_to_time_partition=True, expr="1h30m", op=Op.PLUS)
    sooner = Rides.embed_as_query(bind_to_time_partition=True, expr="1h30m", op=Op.MINUS)
    assert isinstance(later, TimePartition)
    assert isinstance(sooner, TimePartition)
    assert later == Rides.time_partition + timedelta(hours=1, minutes=30)
    assert sooner == Rides.time_partition - timedelta(hours=1, minutes=30)
    trigger = OnArtifact(Rides, inputs={"at": sooner})
    assert trigger.manifest()["inputs"]["at"] == {"$ref": "artifact.timePartition", "plus": "-1h30m"}


def test_an_artifact_is_sent_with_its_source_and_the_type_that_is_said() -> None:
    made = Artifact.initialize(3, int, name="count", literal_type="optional[int]", version="v1")
    assert Artifact.to_create_request(made)["spec"]["type"] == "optional[int]"
    sourced = Artifact(name="count", version="v1", python_val=3, python_type=int, source={"execution": "run"})
    assert Artifact.to_create_request(sourced)["spec"]["source"] == {"execution": "run"}
    assert Artifact.from_flyte_idl(Artifact.to_create_request(sourced)).source == {"execution": "run"}


def test_a_query_says_where_to_look() -> None:
    found = Rides.query(project="shop", domain="staging", region="dubai")
    assert (found.project, found.domain) == ("shop", "staging")
    assert isinstance(found, ArtifactQuery)


There = Artifact(name="rides", project="shop", domain="staging")


@task
def makes() -> Annotated[int, There]:
    return 1


@workflow
def asks(n: int = There.query()) -> int:  # type: ignore[assignment]  # as users write them
    return square(n=n)


def test_an_artifact_of_another_namespace_is_refused_when_a_definition_is_registered() -> None:
    triggered = LaunchPlan("triggered", squared, trigger=OnArtifact(There, inputs={"n": There}))
    for definition in (makes, asks, triggered):
        complete = _emit.complete([definition])
        assert registering.objects_of(complete, None, namespace="shop-staging")
        with pytest.raises(FlyteAssertion, match=r"in the namespace shop-staging, but is registered in ns: "):
            registering.objects_of(complete, None, namespace="ns")


def test_inputs_in_a_query_are_no_other_namespace() -> None:
    @workflow
    def regional(region: str, n: int = Rides.query(region=Inputs.region)) -> int:  # type: ignore[assignment]
        return square(n=n)

    assert registering.objects_of(_emit.complete([regional]), None, namespace="ns")


# ---- maps, references, packages ----


def test_a_map_may_do_with_fewer_successes() -> None:
    assert windlass.map(square, min_successes=1)(n=[1, -1]) == [1, None]
    assert windlass.map(square, min_success_ratio=0.5)(n=[2, -1]) == [4, None]
    assert windlass.map(square, min_successes=1, min_success_ratio=1.0).target()["map"]["minSuccesses"] == 1
    assert windlass.map(square, min_success_ratio=0.5).target()["map"]["minSuccessRatio"] == 0.5
    with pytest.raises(ValueError, match="-1"):
        windlass.map(square, min_successes=2)(n=[2, -1])


def test_the_signature_of_a_reference_needs_no_return() -> None:
    @reference_task(project="shop", domain="staging", name="shop.load", version="v1")
    def load(region: str, at: datetime = datetime(2024, 1, 1, tzinfo=timezone.utc)) -> int:  # type: ignore[empty-body]
        """Loads."""

    assert {name: one.required for name, one in load.interface.inputs.items()} == {"region": True, "at": False}
    assert load.interface.outputs == {"o0": int}


def test_links_to_folders_are_followed_where_that_is_asked_but_not_in_a_circle(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    (root / "sub").mkdir(parents=True)
    other.mkdir()
    (other / "a.txt").write_text("a")
    (other / "back").symlink_to(root)
    (root / "there").symlink_to(other)
    (root / "sub" / "up").symlink_to(root)
    assert list(files_below(root)) == []
    assert list(files_below(root, follow=True)) == ["there/a.txt"]
