"""UnionRemote against a real API server: definitions, runs, gates, artifacts, backfills, apps, events.

There is no operator here; the tests write the statuses that it would write, and the objects that it would make.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from localcluster.cluster import Cluster as LocalCluster
from windlass import _emit, task, workflow
from windlass._app import App
from windlass._artifacts import Artifact, DataCard
from windlass._exceptions import (
    FlyteAssertion,
    FlyteEntityAlreadyExistsException,
    FlyteEntityNotExistException,
    FlyteInvalidInputException,
    FlyteTimeout,
)
from windlass._launch_plan import LaunchPlan
from windlass._plan_options import Options
from windlass._reference import reference_task
from windlass._remote import objects
from windlass._remote.client import Object
from windlass._remote.remote import UnionRemote
from windlass._schedules import CronSchedule, FixedRate
from windlass._workflow import WorkflowFailurePolicy
from windlass_api import names

pytestmark = pytest.mark.control_plane

UTC = timezone.utc


@task
def double(a: int) -> int:
    return 2 * a


@workflow
def twice(a: int, at: datetime = datetime(2024, 1, 1, tzinfo=UTC)) -> int:
    return double(a=double(a=a))


@pytest.fixture(autouse=True)
def plans(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if "LaunchPlan" not in _emit.KINDS:
        monkeypatch.setitem(_emit.KINDS, "LaunchPlan", lambda plan, _: plan.manifest_spec())
    monkeypatch.setattr(LaunchPlan, "CACHE", {})
    yield


@pytest.fixture
def remote(control_plane: LocalCluster, new_namespace: Callable[[LocalCluster], str], tmp_path: Path) -> UnionRemote:
    return UnionRemote(
        str(control_plane.kubeconfig),
        namespace=new_namespace(control_plane),
        data_upload_location=str(tmp_path / "store"),
    )


def write_status(remote: UnionRemote, kind: str, name: str, status: dict[str, Any]) -> None:
    """What the operator would say of an object."""
    path = f"/apis/{names.API_VERSION}/namespaces/{remote.namespace()}/{names.plural(kind)}/{name}/status"
    remote.cluster.request(
        "PATCH", path, body={"status": status}, content_type="application/merge-patch+json", what="the test's operator"
    )


def keep_revision(remote: UnionRemote, obj: Object) -> None:
    """What the operator keeps of a definition."""
    kind, name, spec = obj["kind"], obj["metadata"]["name"], obj["spec"]
    labels = {names.LABEL_DEFINITION: names.label_value(f"{kind.lower()}-{name}")}
    labels[names.LABEL_VERSION] = names.label_value(spec["version"])
    revision = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": names.revision_name(kind, name, names.content_hash(spec)), "labels": labels},
        "data": {"kind": kind, "name": name, "spec": spec},
        "revision": 1,
    }
    path = f"/apis/apps/v1/namespaces/{remote.namespace()}/controllerrevisions"
    remote.cluster.request("POST", path, body=revision, what="the test's operator")


# ---- definitions ----


def test_a_task_is_registered_and_fetched_in_its_versions(remote: UnionRemote) -> None:
    first = remote.register_task(double, version="v1")
    assert (first.id.name, first.version, first.object_name) == (double.name, "v1", double.object_name)
    keep_revision(remote, first.object)
    remote.register_task(double, version="v2")
    assert remote.fetch_task(name=double.name).version == "v2"
    assert remote.fetch_task(name=double.name, version="v1").version == "v1"
    assert remote.fetch_task(name=double.object_name, version="v2").version == "v2"
    lazy = remote.fetch_task_lazy(name=double.name)
    assert lazy.version == "v2"
    assert [found.version for found in remote.list_tasks_by_version("v1")] == ["v1"]
    assert remote.list_tasks_by_version("v9") == []
    code = first.spec["python"]["code"]["configMap"]
    assert objects.get(remote.cluster, "ConfigMap", code, remote.namespace())["binaryData"]
    with pytest.raises(FlyteEntityNotExistException, match=r"of version v9 in namespace .*; it is v2 now"):
        remote.fetch_task(name=double.name, version="v9")
    with pytest.raises(FlyteEntityNotExistException, match="not found"):
        remote.fetch_workflow(name="no.such")
    with pytest.raises(ValueError, match="which Task"):
        remote.fetch_task()


def test_a_version_is_required_but_in_a_script(remote: UnionRemote) -> None:
    with pytest.raises(ValueError, match="version is required"):
        remote.register_workflow(twice)
    once = remote.register_script(twice, default_launch_plan=False)
    again = remote.register_script(twice, default_launch_plan=False)
    assert once.version == again.version
    assert len(once.version) == 16
    assert once.object["metadata"]["resourceVersion"] == again.object["metadata"]["resourceVersion"]


def test_a_workflow_brings_its_plan_and_is_called_as_a_node(remote: UnionRemote) -> None:
    found = remote.register_workflow(twice, version="v1", options=Options(labels={"team": "a"}))
    plan = remote.fetch_launch_plan(name=twice.name)
    assert plan.spec["labels"] == {"team": "a"}
    assert plan.is_active
    assert list(plan.interface.inputs) == ["a", "at"]
    assert [node["task"]["version"] for node in found.nodes] == ["v1", "v1"]
    lazy = remote.fetch_workflow_lazy(name=twice.name)

    @workflow
    def outer(a: int) -> int:
        return lazy(a=a)  # type: ignore[no-any-return]  # a promise

    assert _emit.workflow_spec(outer, None)["nodes"][0]["workflow"] == {"name": twice.object_name, "version": "v1"}


def test_a_plan_is_activated_and_stays_so(remote: UnionRemote) -> None:
    plan = LaunchPlan.create("nightly", twice, {"a": 1}, schedule=CronSchedule(schedule="@daily"))
    registered = remote.register_launch_plan(plan, version="v1")
    assert not registered.is_active
    assert remote.fetch_active_launchplan(name="nightly") is None
    assert remote.fetch_active_launchplan(name="no-such") is None
    keep_revision(remote, registered.object)
    assert remote.activate_launchplan(registered.id).is_active
    assert remote.register_launch_plan(plan, version="v2").is_active
    active = remote.fetch_active_launchplan(name="nightly")
    assert active is not None
    assert active.version == "v2"
    assert not remote.deactivate_launchplan("nightly").is_active
    older = remote.activate_launchplan(registered.id)
    assert (older.version, older.is_active) == ("v1", True)
    assert remote.find_launch_plan_for_node({"launchPlan": {"name": "nightly"}}, {})["version"] == "v1"  # type: ignore[index]
    assert remote.find_launch_plan_for_node({"task": {}}, {}) is None


def test_manifests_are_registered_as_they_are(remote: UnionRemote) -> None:
    manifest = _emit.manifest(double)
    identifier = remote.raw_register(manifest, version="v3", og_entity=double)
    assert identifier is not None
    assert remote.fetch_task(name=identifier.name, version="v3").version == "v3"
    assert remote.raw_register([]) is None


def test_a_folder_is_packed_into_the_cluster(remote: UnionRemote, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "a.py").write_text("x = 1\n")
    digest, where = remote.fast_package(tmp_path / "project", output=str(tmp_path / "out"))
    assert len(digest) == 16
    assert where.startswith(f"configmap://{remote.namespace()}/code-")
    assert [path.suffixes for path in (tmp_path / "out").iterdir()] == [[".tar", ".gz"]]


def test_namespaces_are_projects_and_domains(remote: UnionRemote, control_plane: LocalCluster) -> None:
    projects = {project.id: [domain.id for domain in project.domains] for project in remote.list_projects()}
    assert "system" in projects["kube"]
    assert "system" in [domain.id for domain in remote.get_domains()]
    assert remote.list_projects(limit=1, filters="no=such") == []
    with pytest.raises(ValueError, match="sort_by means nothing"):
        remote.list_projects(sort_by="name")


# ---- runs ----


def test_a_workflow_of_this_file_is_registered_and_run(remote: UnionRemote) -> None:
    run = remote.execute(twice, inputs={"a": 3}, execution_name_prefix="mine", tags=["nightly"])
    assert run.id.name.startswith("mine-")
    assert run.spec["inputs"] == {"a": 3}
    assert run.spec["workflow"]["version"]
    with pytest.raises(FlyteTimeout, match=r"has not ended after 0\.1: it is not taken up yet, and goes on"):
        remote.wait(run, timeout=0.1)

    def operate() -> None:
        node = {
            "phase": "Succeeded",
            "task": double.object_name,
            "startedAt": "2024-01-01T00:00:02Z",
            "outputs": {"o0": 6},
        }
        write_status(remote, "Execution", run.id.name, {"phase": "Running", "nodes": {"n0": node}})
        write_status(remote, "Execution", run.id.name, {"phase": "Succeeded", "outputs": {"o0": 12}})

    thread = threading.Thread(target=operate)
    thread.start()
    ended = run.wait(timeout=timedelta(seconds=30), poll_interval=1)
    thread.join()
    assert ended is run
    assert run.outputs["o0"] == 12
    assert run.inputs["a"] == 3
    node = remote.sync_node_execution(run.node_executions["n0"])
    assert node.outputs is not None
    assert remote.sync_task_execution(node.task_executions[0]).is_done
    assert remote.get_execution_metrics(run.id).span.operation_id == run.id.name
    assert remote.get(f"flyte://v1/-/-/{run.id.name}/o/o0") == 12
    (found,) = remote.recent_executions(filters="tag.windlass.dev/nightly=true")
    assert found.id.name == run.id.name
    assert found.outputs["o0"] == 12
    assert found.execution_url.endswith(f"/namespaces/{remote.namespace()}/executions/{run.id.name}")
    assert remote.recent_executions(limit=0) == []


def test_values_have_the_types_of_the_pinned_definition(remote: UnionRemote) -> None:
    run = remote.execute(twice, inputs={"a": 3})
    document = {
        "workflow": {
            "outputs": {"o0": {"type": "timedelta"}},
            "nodes": [{"id": "n0", "task": {"name": "t"}, "inputs": {"x": 1}}],
        },
        "tasks": {"t": {"inputs": {"x": {"type": "int"}}}},
    }
    path = f"/apis/apps/v1/namespaces/{remote.namespace()}/controllerrevisions"
    revision = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "closure-1"},
        "data": document,
        "revision": 1,
    }
    remote.cluster.request("POST", path, body=revision, what="the test's operator")
    status = {
        "phase": "Succeeded",
        "closure": "closure-1",
        "outputs": {"o0": "90s"},
        "nodes": {"n0": {"phase": "Succeeded"}},
    }
    write_status(remote, "Execution", run.id.name, status)
    found = remote.fetch_execution(name=run.id.name)
    assert found.outputs["o0"] == timedelta(seconds=90)
    assert found.node_executions["n0"].inputs["x"] == 1
    assert remote.sync(found, entity_definition=twice, sync_nodes=True).entity is twice


def test_an_execution_of_a_name_that_is_taken_is_given_back_with_a_warning(remote: UnionRemote) -> None:
    first = remote.execute(double, inputs={"a": 1}, execution_name="mine")
    with pytest.warns(UserWarning, match="there is an execution mine in .* already"):
        again = remote.execute(double, inputs={"a": 2}, execution_name="mine")
    assert again.object["metadata"]["uid"] == first.object["metadata"]["uid"]
    assert again.inputs["a"] == 1


def test_what_is_there_in_the_version_is_not_registered_again(remote: UnionRemote) -> None:
    registered = remote.register_task(double, version="v1")
    run = remote.execute(double, inputs={"a": 1}, version="v1")
    assert run.spec["task"] == {"name": double.object_name, "version": "v1"}
    now = remote.fetch_task(name=double.name)
    assert now.object["metadata"]["resourceVersion"] == registered.object["metadata"]["resourceVersion"]
    fetched = remote.execute_remote_task_lp(now, inputs={"a": 5})
    assert fetched.inputs["a"] == 5
    write_status(remote, "Execution", fetched.id.name, {"phase": "Succeeded", "outputs": {"o0": 10}})
    assert remote.sync_execution(fetched).outputs.o0 == 10


def test_references_plans_and_fetched_workflows_run(remote: UnionRemote, monkeypatch: pytest.MonkeyPatch) -> None:
    remote.register_workflow(twice, version="v1")

    @reference_task(project="", domain="", name=double.name, version="v1")
    def elsewhere(a: int) -> int:  # type: ignore[empty-body]  # as users write them
        ...

    assert remote.execute_reference_task(elsewhere, inputs={"a": 1}).spec["task"]["version"] == "v1"
    plan = LaunchPlan.create("by-hand", twice, fixed_inputs={"a": 4})
    run = remote.execute_local_launch_plan(plan, inputs={}, version="v1")
    assert run.spec["launchPlan"] == {"name": plan.object_name, "version": "v1"}
    whole = remote.fetch_workflow(name=twice.name)
    assert remote.execute_remote_wf(whole, inputs={"a": 1}).spec["workflow"]["name"] == twice.object_name
    assert remote.execute_local_task(double, inputs={"a": 1}, version="v1").spec["task"]["name"] == double.object_name
    assert remote.execute_local_workflow(twice, inputs={"a": 1}, version="v1").spec["workflow"]["version"] == "v1"


def test_a_run_is_terminated_with_its_cause(remote: UnionRemote) -> None:
    run = remote.execute(double, inputs={"a": 1})
    remote.terminate(run, "enough")
    assert run.spec["cancel"] is True
    assert run.object["metadata"]["annotations"]["windlass.dev/cancel-cause"] == "enough"
    write_status(remote, "Execution", run.id.name, {"phase": "Cancelled"})
    remote.terminate(run.id.name)
    assert remote.wait(run).is_done


def test_a_field_that_the_cluster_does_not_know_is_refused_by_name(remote: UnionRemote) -> None:
    obj = {"apiVersion": names.API_VERSION, "kind": "Execution", "metadata": {"generateName": "x-"}}
    with pytest.raises(FlyteInvalidInputException, match="nonsense"):
        objects.create_execution(remote.cluster, {**obj, "spec": {"task": {"name": "x"}, "nonsense": 1}})


def test_runs_are_told_of_as_they_change(remote: UnionRemote) -> None:
    run = remote.execute(double, inputs={"a": 1})
    write_status(
        remote,
        "Execution",
        run.id.name,
        {"phase": "Running", "nodes": {"n0": {"phase": "Running", "task": "t", "startedAt": "2024-01-01T00:00:02Z"}}},
    )

    async def listen() -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        stream = remote.stream_execution_events(5, include_node_executions=True, include_task_executions=True)
        async for event in stream:
            if not found:
                await asyncio.to_thread(
                    write_status,
                    remote,
                    "Execution",
                    run.id.name,
                    {"phase": "Failed", "nodes": {"n0": {"phase": "Failed"}}},
                )
            found.append((event.kind, event.phase))
        return found

    events = asyncio.run(asyncio.wait_for(listen(), 30))
    assert events[:3] == [("workflow", "Running"), ("node", "Running"), ("task", "Running")]
    assert events[3:] == [("workflow", "Failed"), ("node", "Failed")]
    with pytest.raises(ValueError, match="include something"):
        remote.stream_execution_events(include_workflow_executions=False)


# ---- gates ----


def signal(remote: UnionRemote, name: str, ask: str, **spec: Any) -> None:
    """A gate that the run `run` has reached."""
    obj = {
        "apiVersion": names.API_VERSION,
        "kind": "Signal",
        "metadata": {"name": f"run-{name}"},
        "spec": {"execution": "run", "node": "n1", "name": name, "ask": ask, **spec},
    }
    objects.create(remote.cluster, obj)


def test_gates_are_answered(remote: UnionRemote) -> None:
    signal(remote, "release", "Approval", type="int", value=5)
    signal(remote, "stop", "Approval", type="int", value=5)
    signal(remote, "rate", "Input", type="list[int]")
    assert {found.id.signal_id for found in remote.list_signals("run")} == {"release", "stop", "rate"}
    assert remote.list_signals("other") == []
    remote.approve("release", "run")
    remote.reject("stop", "run")
    with pytest.raises(TypeError, match="asks for approval"):
        remote.set_signal("release", "run", 5)
    with pytest.raises(AssertionError, match="the answer to rate"):
        remote.set_input("rate", "run", ["many"])
    remote.set_input("rate", "run", [1, 2])
    answers = {found.id.signal_id: found.value for found in remote.list_signals("run")}
    assert answers == {"release": True, "stop": False, "rate": [1, 2]}
    with pytest.raises(FlyteInvalidInputException, match="an answer can't be changed"):
        remote.reject("release", "run")
    with pytest.raises(FlyteEntityNotExistException, match="does not wait at a gate other; it has reached"):
        remote.approve("other", "run")


# ---- artifacts ----


def test_artifacts_are_created_found_and_used(remote: UnionRemote) -> None:
    def ride(region: str, day: int, value: int) -> Artifact:
        return Artifact(
            name="rides",
            partitions={"region": region},
            time_partition=datetime(2024, 1, day, tzinfo=UTC),
            python_val=value,
            python_type=int,
        )

    created = remote.create_artifact(ride("dubai & more", 1, 10))
    assert created.version
    remote.create_artifact(ride("dubai & more", 2, 20))
    remote.create_artifact(ride("oslo", 2, 30))
    other = remote.create_artifact(Artifact.initialize({"a": 1}, dict[str, int], name="other", version="v1"))
    declared = Artifact(name="rides", partition_keys=["region"], time_partitioned=True)
    query = declared.query(region="dubai & more")
    assert sorted(found.get() for found in remote.search_artifacts(query=query)) == [10, 20]
    assert [
        found.get()
        for found in remote.search_artifacts(name="rides", time_partition=datetime(2024, 1, 1, 5, tzinfo=UTC))
    ] == [10]
    assert len(remote.search_artifacts(partitions={"region": "oslo"})) == 1
    assert {found.name for found in remote.search_artifacts(group_by_key=True)} == {"rides", "other"}
    assert len(remote.search_artifacts(limit=2)) == 2
    newest = remote.get_artifact(
        query=declared.query(region="dubai & more", time_partition=datetime(2024, 1, 2, tzinfo=UTC))
    )
    assert newest is not None
    assert newest.get() == 20
    assert remote.get_artifact(artifact_id=created.concrete_artifact_id).get() == 10  # type: ignore[union-attr]
    assert remote.get_artifact(artifact_key=other.key).get() == {"a": 1}  # type: ignore[union-attr]
    assert remote.get(other.concrete_artifact_id.uri) == {"a": 1}
    assert remote.get_artifact(query=declared.query(region="nowhere")) is None
    with pytest.raises(ValueError, match="exactly one of"):
        remote.get_artifact()
    with pytest.raises(FlyteEntityAlreadyExistsException):
        remote.create_artifact(Artifact.initialize({"a": 1}, dict[str, int], name="other", version="v1"))
    assert (
        remote.generate_console_url(other).rpartition("/")[2]
        == objects.list_all(remote.cluster, "Artifact", remote.namespace(), selector="windlass.dev/artifact=other")[0][
            "metadata"
        ]["name"]
    )
    run = remote.execute(double, inputs={"a": declared.query(region="oslo")})
    assert run.spec["inputs"] == {"a": 30}
    assert remote.execute(double, inputs={"a": created}).spec["inputs"] == {"a": 10}
    with pytest.raises(FlyteAssertion, match=r"no artifact in .* matches"):
        remote.execute(double, inputs={"a": declared.query(region="nowhere")})
    with pytest.raises(ValueError, match="from 1 to 500"):
        remote.search_artifacts(limit=501)
    card = remote.create_artifact(
        Artifact(name="card", version="v", python_val=1, python_type=int, card=DataCard("# d"))
    )
    assert card.metadata()["card"]["text"] == "# d"


# ---- backfills and apps ----


def test_a_backfill_is_an_object_or_only_a_list_of_times(remote: UnionRemote) -> None:
    plan = LaunchPlan.create("nightly", twice, {"a": 1}, schedule=CronSchedule(schedule="0 3 * * *"))
    remote.register_launch_plan(plan, version="v1")
    start, end = datetime(2024, 1, 1, 3, tzinfo=UTC), datetime(2024, 1, 4, 3, tzinfo=UTC)
    dry = remote.launch_backfill(from_date=start, to_date=end, launchplan="nightly", dry_run=True)
    assert [slot.day for slot in dry.slots] == [2, 3, 4]
    assert objects.list_all(remote.cluster, "Backfill", remote.namespace()) == []
    made = remote.launch_backfill(
        from_date=start,
        to_date=end,
        launchplan="nightly",
        launchplan_version="v1",
        execution_name="again",
        parallel=True,
        execute=False,
        failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
        overwrite_cache=True,
    )
    assert (made.name, len(made), made.status) == ("again", 3, {})
    assert made.spec == {
        "launchPlan": {"name": "nightly", "version": "v1"},
        "after": "2024-01-01T03:00:00Z",
        "until": "2024-01-04T03:00:00Z",
        "maxParallel": 3,
        "failurePolicy": "FailAfterExecutableNodesComplete",
        "overwriteCache": True,
        "suspend": True,
    }
    assert remote.launch_backfill(from_date=start, to_date=end, launchplan="nightly").name.startswith(
        "nightly-backfill-"
    )
    rate = LaunchPlan.create("rate", twice, {"a": 1}, schedule=FixedRate(timedelta(hours=1)))
    remote.register_launch_plan(rate, version="v1")
    with pytest.raises(ValueError, match="no cron schedule"):
        remote.launch_backfill(from_date=start, to_date=end, launchplan="rate")
    with pytest.raises(ValueError, match="version means nothing"):
        remote.launch_backfill(from_date=start, to_date=end, launchplan="nightly", version="v1")
    with pytest.raises(ValueError, match="needs from_date"):
        remote.launch_backfill(launchplan="nightly")


def test_an_app_is_deployed_stopped_and_started_again(remote: UnionRemote) -> None:
    app = App(name="page", container_image="nginx:1", port=80)
    assert remote.deploy_app(app)["spec"] == {"image": "nginx:1", "port": 80}
    assert remote.stop_app("page")["spec"]["suspend"] is True
    assert "suspend" not in remote.deploy_app(app)["spec"]
    with pytest.raises(FlyteEntityNotExistException):
        remote.stop_app("no-such")
