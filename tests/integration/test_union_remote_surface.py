"""UnionRemote, parameter by parameter, against a real API server: what each of them changes in what is sent.

Two namespaces are two domains of one project; everything is registered in `production`, and a remote looks at
`development` where it is told nothing else. There is no operator; the tests write the statuses that it would write.
"""

from __future__ import annotations

import base64
import io
import secrets
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from localcluster.cluster import Cluster as LocalCluster
from windlass import Resources, WorkflowExecutionPhase, task, workflow
from windlass._app import App
from windlass._artifacts import Artifact
from windlass._exceptions import (
    FlyteAssertion,
    FlyteEntityNotExistException,
    FlyteNotImplementedException,
    TypeTransformerFailedError,
)
from windlass._launch_plan import LaunchPlan
from windlass._notifications import Email
from windlass._plan_options import Options
from windlass._reference import reference_launch_plan, reference_task, reference_workflow
from windlass._remote import objects
from windlass._remote.client import Object
from windlass._remote.entities import FlyteLaunchPlan, FlyteTask, FlyteWorkflow, Identifier
from windlass._remote.executions import FlyteWorkflowExecution
from windlass._remote.remote import UnionRemote
from windlass._remote.settings import (
    CopyFileDetection,
    FastPackageOptions,
    FastSerializationSettings,
    ImageConfig,
    SerializationSettings,
)
from windlass._schedules import CronSchedule
from windlass_api import names

pytestmark = pytest.mark.control_plane

UTC = timezone.utc
PROJECT = f"surface{secrets.token_hex(3)}"
DEVELOPMENT, PRODUCTION = f"{PROJECT}-development", f"{PROJECT}-production"


@dataclass
class Point:
    x: int


@task
def double(a: int, note: Any = None) -> int:
    return 2 * a


@task
def moved(to: Point) -> Point:
    return to


@workflow
def twice(a: int, note: Any = None) -> int:
    return double(a=double(a=a, note=note))


@workflow
def moving(to: Point) -> Point:
    return moved(to=to)


PLAN = LaunchPlan("surface-plan", twice, {"a": 4}, schedule=CronSchedule(schedule="0 3 * * *"), auto_activate=True)


@workflow
def planned(a: int) -> int:
    return PLAN(a=a)  # type: ignore[no-any-return]  # a promise


@reference_task(project=PROJECT, domain="production", name=double.name, version="v1")
def double_there(a: int, note: Any = None) -> int:  # type: ignore[empty-body]  # as users write them
    ...


@reference_workflow(project=PROJECT, domain="production", name=twice.name, version="v1")
def twice_there(a: int, note: Any = None) -> int:  # type: ignore[empty-body]  # as users write them
    ...


@reference_launch_plan(project=PROJECT, domain="production", name=PLAN.name, version="v1")
def plan_there(a: int, note: Any = None) -> int:  # type: ignore[empty-body]  # as users write them
    ...


@pytest.fixture(scope="module")
def remote(control_plane: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnionRemote]:
    """A remote that looks at `development`; all is in `production` as v1."""
    for namespace in (DEVELOPMENT, PRODUCTION):
        control_plane.kubectl("create", "namespace", namespace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LaunchPlan, "CACHE", {})
        store = str(tmp_path_factory.mktemp("store"))
        kubeconfig = str(control_plane.kubeconfig)
        made = UnionRemote(kubeconfig, PROJECT, "development", data_upload_location=store)
        made.register_launch_plan(PLAN, version="v1", project=PROJECT, domain="production")
        yield made
    for namespace in (DEVELOPMENT, PRODUCTION):
        control_plane.kubectl("delete", "namespace", namespace, "--wait=false")


class Fetched(NamedTuple):
    """What is in `production`."""

    task: FlyteTask
    workflow: FlyteWorkflow
    plan: FlyteLaunchPlan


@pytest.fixture(scope="module")
def fetched(remote: UnionRemote) -> Fetched:
    return Fetched(
        remote.fetch_task(project=PROJECT, domain="production", name=double.name, version="v1"),
        remote.fetch_workflow(project=PROJECT, domain="production", name=twice.name, version="v1"),
        remote.fetch_launch_plan(project=PROJECT, domain="production", name=PLAN.name, version="v1"),
    )


def write_status(remote: UnionRemote, namespace: str, name: str, status: Mapping[str, Any]) -> None:
    """What the operator would say of a run."""
    path = f"/apis/{names.API_VERSION}/namespaces/{namespace}/executions/{name}/status"
    merge = "application/merge-patch+json"
    remote.cluster.request("PATCH", path, body={"status": dict(status)}, content_type=merge, what="the test's operator")


@contextmanager
def ending(remote: UnionRemote, namespace: str, name: str) -> Iterator[None]:
    """An operator that ends a run as soon as it is there."""
    stop = threading.Event()

    def operate() -> None:
        while not stop.wait(0.02):
            if objects.find(remote.cluster, "Execution", name, namespace) is not None:
                write_status(remote, namespace, name, {"phase": "Succeeded", "outputs": {"o0": 12}})
                stop.set()

    thread = threading.Thread(target=operate)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def code_of(remote: UnionRemote, obj: Object) -> list[str]:
    """The files that travel with a Task, or are in a package."""
    spec, namespace = obj["spec"], obj["metadata"]["namespace"]
    return files_of(remote, namespace, spec["python"]["code"]["configMap"])


def files_of(remote: UnionRemote, namespace: str, name: str) -> list[str]:
    data = objects.get(remote.cluster, "ConfigMap", name, namespace)["binaryData"]["bundle.tar.gz"]
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(data))) as archive:
        return archive.getnames()


# ---- running: every way takes the same wishes ----


class Wish(NamedTuple):
    """What may be said of one run."""

    inputs: Mapping[str, Any] = {"a": 3}
    project: str | None = PROJECT
    domain: str | None = "production"
    name: str | None = None
    version: str | None = "v1"
    execution_name: str | None = None
    execution_name_prefix: str | None = None
    image_config: ImageConfig | None = None
    options: Options | None = None
    wait: bool = False
    type_hints: Mapping[str, Any] | None = None
    overwrite_cache: bool | None = None
    interruptible: bool | None = None
    envs: Mapping[str, str] | None = None
    tags: list[str] | None = None
    cluster_pool: str | None = None
    execution_cluster_label: str | None = None
    serialization_settings: SerializationSettings | None = None


Way = Callable[[UnionRemote, Fetched, Wish], FlyteWorkflowExecution]


def anything(remote: UnionRemote, fetched: Fetched, wish: Wish) -> FlyteWorkflowExecution:
    return remote.execute(
        entity=twice,
        inputs=wish.inputs,
        project=wish.project,
        domain=wish.domain,
        name=wish.name,
        version=wish.version,
        execution_name=wish.execution_name,
        execution_name_prefix=wish.execution_name_prefix,
        image_config=wish.image_config,
        options=wish.options,
        wait=wish.wait,
        type_hints=wish.type_hints,
        overwrite_cache=wish.overwrite_cache,
        interruptible=wish.interruptible,
        envs=wish.envs,
        tags=wish.tags,
        cluster_pool=wish.cluster_pool,
        execution_cluster_label=wish.execution_cluster_label,
        serialization_settings=wish.serialization_settings,
    )


def local_plan(remote: UnionRemote, fetched: Fetched, wish: Wish) -> FlyteWorkflowExecution:
    return remote.execute_local_launch_plan(
        entity=PLAN,
        inputs=wish.inputs,
        version=wish.version,
        project=wish.project,
        domain=wish.domain,
        name=wish.name,
        execution_name=wish.execution_name,
        execution_name_prefix=wish.execution_name_prefix,
        options=wish.options,
        wait=wish.wait,
        overwrite_cache=wish.overwrite_cache,
        interruptible=wish.interruptible,
        envs=wish.envs,
        tags=wish.tags,
        cluster_pool=wish.cluster_pool,
        execution_cluster_label=wish.execution_cluster_label,
        serialization_settings=wish.serialization_settings,
    )


def local_task(remote: UnionRemote, fetched: Fetched, wish: Wish) -> FlyteWorkflowExecution:
    return remote.execute_local_task(
        entity=double,
        inputs=wish.inputs,
        project=wish.project,
        domain=wish.domain,
        name=wish.name,
        version=wish.version,
        execution_name=wish.execution_name,
        execution_name_prefix=wish.execution_name_prefix,
        image_config=wish.image_config,
        wait=wish.wait,
        overwrite_cache=wish.overwrite_cache,
        interruptible=wish.interruptible,
        envs=wish.envs,
        tags=wish.tags,
        cluster_pool=wish.cluster_pool,
        execution_cluster_label=wish.execution_cluster_label,
        options=wish.options,
        serialization_settings=wish.serialization_settings,
    )


def local_workflow(remote: UnionRemote, fetched: Fetched, wish: Wish) -> FlyteWorkflowExecution:
    return remote.execute_local_workflow(
        entity=twice,
        inputs=wish.inputs,
        project=wish.project,
        domain=wish.domain,
        name=wish.name,
        version=wish.version,
        execution_name=wish.execution_name,
        execution_name_prefix=wish.execution_name_prefix,
        image_config=wish.image_config,
        options=wish.options,
        wait=wish.wait,
        overwrite_cache=wish.overwrite_cache,
        interruptible=wish.interruptible,
        envs=wish.envs,
        tags=wish.tags,
        cluster_pool=wish.cluster_pool,
        execution_cluster_label=wish.execution_cluster_label,
        serialization_settings=wish.serialization_settings,
    )


def reference_to_plan(remote: UnionRemote, fetched: Fetched, wish: Wish) -> FlyteWorkflowExecution:
    return remote.execute_reference_launch_plan(
        entity=plan_there,
        inputs=wish.inputs,
        execution_name=wish.execution_name,
        execution_name_prefix=wish.execution_name_prefix,
        options=wish.options,
        wait=wish.wait,
        type_hints=wish.type_hints,
        overwrite_cache=wish.overwrite_cache,
        interruptible=wish.interruptible,
        envs=wish.envs,
        tags=wish.tags,
        cluster_pool=wish.cluster_pool,
        execution_cluster_label=wish.execution_cluster_label,
    )


def reference_to_task(remote: UnionRemote, fetched: Fetched, wish: Wish) -> FlyteWorkflowExecution:
    return remote.execute_reference_task(
        entity=double_there,
        inputs=wish.inputs,
        execution_name=wish.execution_name,
        execution_name_prefix=wish.execution_name_prefix,
        options=wish.options,
        wait=wish.wait,
        type_hints=wish.type_hints,
        overwrite_cache=wish.overwrite_cache,
        interruptible=wish.interruptible,
        envs=wish.envs,
        tags=wish.tags,
        cluster_pool=wish.cluster_pool,
        execution_cluster_label=wish.execution_cluster_label,
    )


def reference_to_workflow(remote: UnionRemote, fetched: Fetched, wish: Wish) -> FlyteWorkflowExecution:
    return remote.execute_reference_workflow(
        entity=twice_there,
        inputs=wish.inputs,
        execution_name=wish.execution_name,
        execution_name_prefix=wish.execution_name_prefix,
        options=wish.options,
        wait=wish.wait,
        type_hints=wish.type_hints,
        overwrite_cache=wish.overwrite_cache,
        interruptible=wish.interruptible,
        envs=wish.envs,
        tags=wish.tags,
        cluster_pool=wish.cluster_pool,
        execution_cluster_label=wish.execution_cluster_label,
    )


def fetched_plan(remote: UnionRemote, fetched: Fetched, wish: Wish) -> FlyteWorkflowExecution:
    return remote.execute_remote_task_lp(
        entity=fetched.plan,
        inputs=wish.inputs,
        project=wish.project,
        domain=wish.domain,
        execution_name=wish.execution_name,
        execution_name_prefix=wish.execution_name_prefix,
        options=wish.options,
        wait=wish.wait,
        type_hints=wish.type_hints,
        overwrite_cache=wish.overwrite_cache,
        interruptible=wish.interruptible,
        envs=wish.envs,
        tags=wish.tags,
        cluster_pool=wish.cluster_pool,
        execution_cluster_label=wish.execution_cluster_label,
    )


def fetched_workflow(remote: UnionRemote, fetched: Fetched, wish: Wish) -> FlyteWorkflowExecution:
    return remote.execute_remote_wf(
        entity=fetched.workflow,
        inputs=wish.inputs,
        project=wish.project,
        domain=wish.domain,
        execution_name=wish.execution_name,
        execution_name_prefix=wish.execution_name_prefix,
        options=wish.options,
        wait=wish.wait,
        type_hints=wish.type_hints,
        overwrite_cache=wish.overwrite_cache,
        interruptible=wish.interruptible,
        envs=wish.envs,
        tags=wish.tags,
        cluster_pool=wish.cluster_pool,
        execution_cluster_label=wish.execution_cluster_label,
    )


LOCAL: list[Way] = [anything, local_plan, local_task, local_workflow]
REFERENCES: list[Way] = [reference_to_plan, reference_to_task, reference_to_workflow]
FETCHED: list[Way] = [fetched_plan, fetched_workflow]
WAYS: list[Way] = [*LOCAL, *REFERENCES, *FETCHED]
HINTED: list[Way] = [anything, *REFERENCES, *FETCHED]


def target_of(way: Way) -> dict[str, Any]:
    """What a run that was started so runs."""
    if way in (local_plan, reference_to_plan, fetched_plan):
        return {"launchPlan": {"name": PLAN.object_name, "version": "v1"}}
    if way in (local_task, reference_to_task):
        return {"task": {"name": double.object_name, "version": "v1"}}
    return {"workflow": {"name": twice.object_name, "version": "v1"}}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_has_the_name_labels_and_namespace_that_are_said(remote: UnionRemote, fetched: Fetched, way: Way) -> None:
    options = Options(labels={"team": "a"}, annotations={"why": "b"})
    named = way.__name__.replace("_", "-")
    run = way(remote, fetched, Wish(execution_name=named, options=options, tags=["nightly"]))
    assert run.namespace == PRODUCTION
    assert run.id.name == named
    assert run.spec == {**target_of(way), "inputs": {"a": 3}}
    assert run.object["metadata"]["labels"] == {"team": "a", "tag.windlass.dev/nightly": "true"}
    assert run.object["metadata"]["annotations"] == {"why": "b"}
    prefixed = way(remote, fetched, Wish(execution_name_prefix="mine"))
    assert prefixed.id.name.startswith("mine-")
    assert "labels" not in prefixed.object["metadata"]
    assert not prefixed.is_done
    with pytest.raises(ValueError, match="Only one of execution_name and execution_name_prefix can be set"):
        way(remote, fetched, Wish(execution_name="a", execution_name_prefix="b"))


@pytest.mark.parametrize("way", WAYS)
def test_a_run_is_waited_for_where_that_is_asked(remote: UnionRemote, fetched: Fetched, way: Way) -> None:
    named = f"waited-{way.__name__.replace('_', '-')}"
    with ending(remote, PRODUCTION, named):
        run = way(remote, fetched, Wish(execution_name=named, wait=True))
    assert run.is_successful
    assert run.outputs["o0"] == 12


@pytest.mark.parametrize("way", WAYS)
def test_what_one_run_cannot_have_of_its_own_is_refused_before_it_is_made(
    remote: UnionRemote, fetched: Fetched, way: Way
) -> None:
    def runs() -> int:
        return len(objects.list_all(remote.cluster, "Execution", PRODUCTION))

    before = runs()
    for what in ("gpu", "cpu"):
        with pytest.raises(ValueError, match=rf"cluster_pool chooses among clusters.*context='{what}'"):
            way(remote, fetched, Wish(cluster_pool=what))
        with pytest.raises(ValueError, match=rf"execution_cluster_label chooses among clusters.*context='{what}'"):
            way(remote, fetched, Wish(execution_cluster_label=what))
    told = [Email([WorkflowExecutionPhase.FAILED], ["a@example.com"])]
    with pytest.raises(FlyteNotImplementedException, match=r"one run can't set notifications: .*launch"):
        way(remote, fetched, Wish(options=Options(notifications=told, max_parallelism=2)))
    assert runs() == before


@pytest.mark.parametrize("way", WAYS)
def test_what_one_run_has_of_its_own_stands_in_its_execution(remote: UnionRemote, fetched: Fetched, way: Way) -> None:
    options = Options(max_parallelism=2, security_context="runner", raw_output_data_config="s3://bucket")
    wish = Wish(envs={"A": "b"}, interruptible=True, overwrite_cache=True, options=options)
    assert way(remote, fetched, wish).spec == {
        **target_of(way),
        "inputs": {"a": 3},
        "overrides": {"env": {"A": "b"}, "interruptible": True},
        "overwriteCache": True,
        "maxParallelism": 2,
        "serviceAccountName": "runner",
        "rawOutputPrefix": "s3://bucket",
    }
    if "launchPlan" not in target_of(way):
        assert "overwriteCache" not in way(remote, fetched, Wish(overwrite_cache=False)).spec


@pytest.mark.parametrize("way", HINTED)
def test_type_hints_say_what_an_input_is_where_its_type_does_not(
    remote: UnionRemote, fetched: Fetched, way: Way
) -> None:
    inputs = {"a": 1, "note": timedelta(seconds=90)}
    assert way(remote, fetched, Wish(inputs, type_hints={"note": timedelta})).spec["inputs"] == {
        "a": 1,
        "note": "1m30s",
    }
    with pytest.raises(TypeTransformerFailedError, match="note"):
        way(remote, fetched, Wish(inputs, type_hints={"note": int}))


@pytest.mark.parametrize("way", LOCAL)
def test_what_is_defined_here_is_looked_for_and_else_registered_as_the_settings_say(
    remote: UnionRemote, fetched: Fetched, way: Way
) -> None:
    with pytest.raises(FlyteEntityNotExistException, match=r"no\.such"):
        way(remote, fetched, Wish(name="no.such"))
    by_object_name = way(remote, fetched, Wish(name=next(iter(target_of(way).values()))["name"]))
    assert by_object_name.spec == {**target_of(way), "inputs": {"a": 3}}
    version = f"v-{way.__name__.replace('_', '-')}"
    settings = SerializationSettings(ImageConfig.auto(img_name="weak:1"), env={"A": "b"}, version=version)
    image = ImageConfig.auto(img_name="strong:1")
    run = way(remote, fetched, Wish(domain=None, version=None, image_config=image, serialization_settings=settings))
    assert run.namespace == DEVELOPMENT
    assert next(iter(run.spec[one] for one in target_of(way)))["version"] == version
    spec = remote.fetch_task(name=double.name).spec
    assert (spec["version"], spec["env"]) == (version, {"A": "b"})
    assert spec["image"] == ("weak:1" if way is local_plan else "strong:1")


@pytest.mark.parametrize("way", FETCHED)
def test_what_is_in_a_namespace_runs_there_only(remote: UnionRemote, fetched: Fetched, way: Way) -> None:
    with pytest.raises(FlyteAssertion, match=f"is in the namespace {PRODUCTION} and can't run in {DEVELOPMENT}"):
        way(remote, fetched, Wish(domain="development"))
    assert way(remote, fetched, Wish(project=None, domain=None)).namespace == PRODUCTION


def test_what_is_there_already_keeps_its_name_version_and_image(remote: UnionRemote, fetched: Fetched) -> None:
    with pytest.raises(ValueError, match="can't be run with name='other', version='v2': fetch that one"):
        remote.execute(fetched.workflow, inputs={"a": 1}, name="other", version="v2")
    with pytest.raises(FlyteAssertion, match="can't run in"):
        remote.execute(double_there, inputs={"a": 1}, project=PROJECT, domain="development")
    with pytest.warns(UserWarning, match="say how something is registered, but .* is in the cluster already"):
        remote.execute(fetched.task, inputs={"a": 1}, version="v1", image_config=ImageConfig.auto(img_name="mine:1"))


# ---- looking at runs ----


def test_runs_are_found_in_the_namespace_that_is_said(remote: UnionRemote, fetched: Fetched) -> None:
    run = remote.execute(fetched.workflow, inputs={"a": 1}, tags=["found"])
    assert remote.fetch_execution(project=PROJECT, domain="production", name=run.id.name).spec == run.spec
    with pytest.raises(FlyteEntityNotExistException):
        remote.fetch_execution(name=run.id.name)
    (newest,) = remote.recent_executions(project=PROJECT, domain="production", limit=1)
    assert newest.id == (PROJECT, "production", run.id.name)
    assert remote.recent_executions(project=PROJECT, domain="staging") == []


def test_looking_again_takes_python_types_and_finds_the_runs_that_nodes_started(remote: UnionRemote) -> None:
    run = remote.execute(moving, inputs={"to": Point(1)})
    child = remote.execute(double, inputs={"a": 1})
    meta = child.object["metadata"]
    owner = {"apiVersion": names.API_VERSION, "kind": "Execution", "name": run.id.name}
    owner["uid"] = run.object["metadata"]["uid"]
    changes = {"metadata": {"labels": {names.LABEL_NODE: "n0"}, "ownerReferences": [owner]}}
    objects.patch(remote.cluster, "Execution", meta["name"], DEVELOPMENT, changes)
    node = {
        "phase": "Succeeded",
        "task": moved.object_name,
        "startedAt": "2024-01-01T00:00:02Z",
        "outputs": {"o0": {"x": 2}},
    }
    node |= {"startedAt": "2024-01-01T00:00:00Z", "finishedAt": "2024-01-01T00:00:02Z"}
    status = {"phase": "Succeeded", "nodes": {"n0": node}, "outputs": {"o0": {"x": 2}}}
    write_status(remote, DEVELOPMENT, run.id.name, status)

    found = remote.fetch_execution(name=run.id.name)
    assert found.outputs["o0"] == {"x": 2}
    remote.sync_execution(found, entity_definition=moving, sync_nodes=False)
    assert found.outputs["o0"] == Point(2)
    assert found.node_executions["n0"].workflow_executions == []
    remote.sync_execution(found, sync_nodes=True)
    (started,) = found.node_executions["n0"].workflow_executions
    assert started.id.name == child.id.name
    assert remote.wait(found, sync_nodes=False).node_executions["n0"].workflow_executions == []
    assert len(remote.wait(found, sync_nodes=True).node_executions["n0"].workflow_executions) == 1

    plain = remote.sync_node_execution(found.node_executions["n0"])
    assert plain.outputs is not None
    assert plain.outputs["o0"] == {"x": 2}
    typed = remote.sync_node_execution(plain, node_mapping={"n0": moved})
    assert typed.outputs is not None
    assert (typed.inputs["to"], typed.outputs["o0"]) == (Point(1), Point(2))
    assert remote.sync_node_execution(typed).outputs["o0"] == Point(2)  # type: ignore[index]  # it succeeded
    attempt = remote.sync_task_execution(plain.task_executions[0], entity_interface=moved.interface)
    assert attempt.outputs is not None
    assert (attempt.inputs["to"], attempt.outputs["o0"]) == (Point(1), Point(2))
    with pytest.raises(TypeError, match="takes the interface of a task"):
        remote.sync_task_execution(attempt, entity_interface=moved)
    with pytest.raises(TypeError, match="node_mapping takes tasks, workflows and launch plans"):
        remote.sync_node_execution(typed, node_mapping={"n0": "moved"})

    assert remote.get_execution_metrics(run.id.name, depth=1).span.spans == ()
    (span,) = remote.get_execution_metrics(found, depth=2).span.spans
    assert (span.operation_id, span.duration) == ("n0", timedelta(seconds=2))


# ---- definitions ----


def test_definitions_are_found_in_the_namespace_and_version_that_are_said(
    remote: UnionRemote, fetched: Fetched
) -> None:
    assert {one.namespace for one in fetched} == {PRODUCTION}
    assert {one.version for one in fetched} == {"v1"}
    assert fetched.plan.id == Identifier("LaunchPlan", PROJECT, "production", PLAN.name, "v1")
    active = remote.fetch_active_launchplan(project=PROJECT, domain="production", name=PLAN.name)
    assert active is not None
    assert active.version == "v1"
    assert remote.fetch_active_launchplan(project=PROJECT, domain="staging", name=PLAN.name) is None
    lazy = remote.fetch_task_lazy(project=PROJECT, domain="production", name=double.name, version="v1")
    assert not lazy.entity_fetched()
    assert lazy.entity.namespace == PRODUCTION
    missing = remote.fetch_task_lazy(project=PROJECT, domain="production", name=double.name, version="v9")
    with pytest.raises(FlyteEntityNotExistException, match="of version v9"):
        _ = missing.entity
    whole = remote.fetch_workflow_lazy(project=PROJECT, domain="production", name=twice.name, version="v1")
    assert whole.entity.id == fetched.workflow.id
    late = remote.fetch_workflow_lazy(project=PROJECT, domain="production", name=twice.name, version="v9")
    with pytest.raises(FlyteEntityNotExistException, match="of version v9"):
        _ = late.entity
    for find in (remote.fetch_workflow, remote.fetch_launch_plan):
        with pytest.raises(FlyteEntityNotExistException, match=f"of version v9 in namespace {PRODUCTION}; it is v1"):
            find(PROJECT, "production", twice.name if find == remote.fetch_workflow else PLAN.name, "v9")


def test_a_plan_that_was_found_once_is_kept(remote: UnionRemote, fetched: Fetched) -> None:
    known: dict[Any, dict[str, Any]] = {}
    spec = remote.find_launch_plan(lp_ref=fetched.plan.id, node_launch_plans=known)
    assert spec["workflow"] == {"name": twice.object_name, "version": "v1"}
    assert list(known) == [fetched.plan.id]
    known[fetched.plan.id] = {"kept": True}
    assert remote.find_launch_plan(lp_ref=fetched.plan.id, node_launch_plans=known) == {"kept": True}
    with pytest.raises(FlyteEntityNotExistException):
        remote.find_launch_plan(lp_ref={"name": "no-such"}, node_launch_plans=known)


def test_tasks_of_a_version_are_listed_up_to_a_limit(remote: UnionRemote) -> None:
    settings = SerializationSettings(project=PROJECT, domain="staged")
    remote.cluster.request(
        "POST", "/api/v1/namespaces", body={"metadata": {"name": f"{PROJECT}-staged"}}, what="the test's namespace"
    )
    for entity in (double, moved):
        remote.register_task(entity, serialization_settings=settings, version="v1")
    found = remote.list_tasks_by_version("v1", project=PROJECT, domain="staged")
    assert {one.object_name for one in found} == {double.object_name, moved.object_name}
    assert len(remote.list_tasks_by_version("v1", project=PROJECT, domain="staged", limit=1)) == 1
    assert remote.list_tasks_by_version("v1", project=PROJECT, domain="development") == []


# ---- registering ----


def test_settings_are_the_version_image_and_environment_of_what_is_registered(remote: UnionRemote) -> None:
    in_image = FastSerializationSettings(enabled=False)
    settings = SerializationSettings(
        ImageConfig.auto(img_name="mine:1"),
        env={"A": "b"},
        version="of-the-settings",
        fast_serialization_settings=in_image,
    )
    found = remote.register_task(double, serialization_settings=settings)
    assert (found.version, found.spec["image"], found.spec["env"]) == ("of-the-settings", "mine:1", {"A": "b"})
    assert "code" not in found.spec["python"]
    assert remote.register_task(double, serialization_settings=settings, version="v2").version == "v2"
    made = remote.register_workflow(moving, serialization_settings=settings, default_launch_plan=False)
    assert made.version == "of-the-settings"
    assert remote.fetch_task(name=moved.name).spec["image"] == "mine:1"
    with pytest.raises(FlyteEntityNotExistException):
        remote.fetch_launch_plan(name=moving.name)
    with pytest.warns(UserWarning, match="options are settings of a launch plan, and none is registered here"):
        remote.register_workflow(moving, version="v2", default_launch_plan=False, options=Options(max_parallelism=1))
    remote.register_workflow(moving, serialization_settings=settings, default_launch_plan=True)
    assert remote.fetch_launch_plan(name=moving.name).version == "of-the-settings"


def test_options_are_settings_of_one_plan_and_not_of_those_that_it_needs(remote: UnionRemote) -> None:
    settings = SerializationSettings(env={"A": "b"})
    outer = LaunchPlan("surface-outer", planned, {"a": 1}, labels={"team": "own"}, max_parallelism=3)
    found = remote.register_launch_plan(
        outer,
        version="v7",
        project=PROJECT,
        domain="production",
        options=Options(labels={"team": "a"}),
        serialization_settings=settings,
    )
    assert (found.namespace, found.version) == (PRODUCTION, "v7")
    assert (found.spec["labels"], found.spec["maxParallelism"]) == ({"team": "a"}, 3)
    inner = remote.fetch_launch_plan(project=PROJECT, domain="production", name=PLAN.name)
    assert (inner.version, inner.is_active) == ("v7", True)
    assert "labels" not in inner.spec
    used = remote.fetch_task(project=PROJECT, domain="production", name=double.name)
    assert used.spec["env"] == {"A": "b"}
    remote.register_launch_plan(PLAN, version="v1", project=PROJECT, domain="production")  # as the other tests want it


def test_a_script_is_registered_as_everything_about_it_says(remote: UnionRemote, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("a,b\n")
    found = remote.register_script(
        moving,
        image_config=ImageConfig.auto(img_name="mine:2"),
        version="v3",
        project=PROJECT,
        domain="production",
        destination_dir=".",
        copy_all=True,
        default_launch_plan=True,
        options=Options(annotations={"why": "b"}),
        source_path=tmp_path,
        module_name=moving.home,
        envs={"B": "c"},
        default_resources=Resources(mem="1Gi"),
        fast_package_options=FastPackageOptions(copy_style=CopyFileDetection.ALL),
    )
    assert (found.namespace, found.version) == (PRODUCTION, "v3")
    plan = remote.fetch_launch_plan(project=PROJECT, domain="production", name=moving.name)
    assert plan.spec["annotations"] == {"why": "b"}
    used = remote.fetch_task(project=PROJECT, domain="production", name=moved.name)
    assert (used.spec["image"], used.spec["env"]) == ("mine:2", {"B": "c"})
    assert "1Gi" in str(used.spec["resources"])
    assert "words.csv" in code_of(remote, used.object)

    bare = remote.register_script(moved, fast_package_options=FastPackageOptions(copy_style=CopyFileDetection.NO_COPY))
    assert "code" not in bare.spec["python"]
    assert len(bare.version) == 16
    with pytest.warns(UserWarning, match="without copy_all only the modules that are loaded do"):
        loaded = remote.register_script(moved, source_path=tmp_path)
    assert "words.csv" not in code_of(remote, loaded.object)
    with pytest.raises(ValueError, match="destination_dir can't be chosen"):
        remote.register_script(moved, destination_dir="/root")
    with pytest.raises(ValueError, match=r"is in the module .*, not in other"):
        remote.register_script(moved, module_name="other")
    style = FastPackageOptions(copy_style=CopyFileDetection.LOADED_MODULES)
    with pytest.raises(ValueError, match="contradict each other"):
        remote.register_script(moved, copy_all=True, fast_package_options=style)


def test_which_code_travels_fast_is_said_by_the_package_options(remote: UnionRemote) -> None:
    settings = SerializationSettings(
        env={"A": "b"}, fast_serialization_settings=FastSerializationSettings(enabled=False)
    )
    found = remote.fast_register_workflow(
        entity=moving,
        serialization_settings=settings,
        version="fast-1",
        default_launch_plan=True,
        options=Options(labels={"team": "a"}),
        fast_package_options=FastPackageOptions(copy_style=CopyFileDetection.LOADED_MODULES),
    )
    assert found.version == "fast-1"
    used = remote.fetch_task(name=moved.name)
    assert used.spec["env"] == {"A": "b"}
    assert any(file.endswith("test_union_remote_surface.py") for file in code_of(remote, used.object))
    assert remote.fetch_launch_plan(name=moving.name).spec["labels"] == {"team": "a"}
    in_image = FastPackageOptions(copy_style=CopyFileDetection.NO_COPY)
    remote.fast_register_workflow(moving, version="fast-2", fast_package_options=in_image, default_launch_plan=False)
    assert "code" not in remote.fetch_task(name=moved.name).spec["python"]
    assert remote.fetch_launch_plan(name=moving.name).version == "fast-1"
    with pytest.raises(ValueError, match="version is required"):
        remote.fast_register_workflow(moving)


def test_manifests_get_settings_and_the_default_plan_of_their_workflow(remote: UnionRemote) -> None:
    done = {"apiVersion": names.API_VERSION, "kind": "Task", "metadata": {"name": "raw.task"}}
    work = {"python": {"entrypoint": "m:f"}, "inputs": {"a": {"type": "int"}}, "outputs": {"o0": {"type": "int"}}}
    node = {"id": "n0", "name": "task", "task": {"name": "raw.task"}, "inputs": {"a": 1}}
    graph = {"nodes": [node], "outputs": {"o0": {"type": "int", "from": {"$ref": "nodes.n0.outputs.o0"}}}}
    whole = {"apiVersion": names.API_VERSION, "kind": "Workflow", "metadata": {"name": "raw.workflow"}, "spec": graph}
    settings = SerializationSettings(
        ImageConfig.auto(img_name="mine:1"), project=PROJECT, domain="production", version="r1", env={"A": "b"}
    )
    identifier = remote.raw_register(
        [{**done, "spec": work}, whole],
        settings=settings,
        create_default_launchplan=True,
        options=Options(labels={"team": "a"}),
    )
    assert identifier == Identifier("Workflow", PROJECT, "production", "raw.workflow", "r1")
    spec = remote.fetch_task(PROJECT, "production", "raw.task", "r1").spec
    assert (spec["image"], spec["env"]) == ("mine:1", {"A": "b"})
    plan = remote.fetch_launch_plan(PROJECT, "production", "raw.workflow")
    assert plan.spec["workflow"] == {"name": "raw.workflow", "version": "r1"}
    assert plan.spec["labels"] == {"team": "a"}
    assert work == {
        "python": {"entrypoint": "m:f"},
        "inputs": {"a": {"type": "int"}},
        "outputs": {"o0": {"type": "int"}},
    }
    with pytest.warns(UserWarning, match="none is registered here"):
        remote.raw_register(
            {**done, "spec": work}, create_default_launchplan=True, options=Options(labels={"team": "a"})
        )
    remote.raw_register([{**done, "spec": work}, whole], create_default_launchplan=False)
    with pytest.raises(FlyteEntityNotExistException):
        remote.fetch_launch_plan(name="raw.workflow")


def test_a_package_has_what_links_point_to(
    remote: UnionRemote, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    root.mkdir()
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep" / "b.txt").write_text("b")
    (root / "linked").symlink_to(elsewhere)
    (root / "a.txt").symlink_to(elsewhere / "deep" / "b.txt")
    (root / "round").symlink_to(root)
    _, where = remote.fast_package(root, deref_symlinks=True, options=FastPackageOptions(show_files=True))
    assert capsys.readouterr().out.split() == ["a.txt", "linked/deep/b.txt"]
    assert files_of(remote, DEVELOPMENT, where.rpartition("/")[2]) == ["a.txt", "linked/deep/b.txt"]
    with pytest.raises(ValueError, match="a package has no symlinks"):
        remote.fast_package(root, deref_symlinks=False)
    with pytest.raises(ValueError, match="fast_package packs all files"):
        remote.fast_package(root, options=FastPackageOptions(copy_style=CopyFileDetection.NO_COPY))


def test_versions_are_made_up_where_somebody_tries_things_out(remote: UnionRemote, control_plane: LocalCluster) -> None:
    trying = UnionRemote.auto(
        control_plane.kubeconfig, default_project=PROJECT, default_domain="development", interactive_mode_enabled=True
    )
    assert len(trying.register_task(moved).version) == 16


# ---- gates ----


def test_gates_are_found_and_answered_in_the_namespace_that_is_said(remote: UnionRemote) -> None:
    def ask(name: str, how: str, **spec: Any) -> None:
        metadata = {"name": f"run-{name}", "namespace": PRODUCTION, "labels": {"gate": name}}
        whole = {"execution": "run", "node": "n1", "name": name, "ask": how, **spec}
        objects.create(
            remote.cluster,
            {"apiVersion": names.API_VERSION, "kind": "Signal", "metadata": metadata, "spec": whole},
        )

    ask("release", "Approval", type="int", value=5)
    ask("stop", "Approval", type="int", value=5)
    ask("since", "Input", type="timedelta")
    ask("many", "Input", type="list[int]")
    ask("what", "Input", type="any")
    assert remote.list_signals("run") == []
    assert len(remote.list_signals("run", project=PROJECT, domain="production", limit=2)) == 2
    (only,) = remote.list_signals("run", project=PROJECT, domain="production", filters="gate=stop")
    assert only.id == ("stop", "run")

    with pytest.raises(FlyteEntityNotExistException, match=f"run in {DEVELOPMENT} does not wait"):
        remote.approve("release", "run")
    remote.approve("release", "run", project=PROJECT, domain="production")
    remote.reject("stop", "run", project=PROJECT, domain="production")
    with pytest.raises(TypeTransformerFailedError, match=r"many asks for list\[int\], but str is said"):
        remote.set_input("many", "run", "x", project=PROJECT, domain="production", python_type=str)
    with pytest.raises(TypeTransformerFailedError, match=r"many asks for list\[int\], but list\[str\] is said"):
        remote.set_signal("many", "run", ["x"], project=PROJECT, domain="production", literal_type="list[str]")
    remote.set_input("many", "run", [1], project=PROJECT, domain="production", literal_type="list[int]")
    remote.set_input("since", "run", timedelta(seconds=1), project=PROJECT, domain="production", python_type=timedelta)
    remote.set_signal("what", "run", Point(1), project=PROJECT, domain="production", python_type=Point)
    answers = {found.id.signal_id: found.value for found in remote.list_signals("run", PROJECT, "production")}
    expected = {"release": True, "stop": False, "many": [1], "since": timedelta(seconds=1), "what": {"x": 1}}
    assert answers == expected


# ---- artifacts, backfills, apps ----


def test_artifacts_are_looked_for_in_the_namespace_that_is_said(remote: UnionRemote, fetched: Fetched) -> None:
    made = Artifact(
        name="rides",
        project=PROJECT,
        domain="production",
        version="v1",
        python_val=5,
        python_type=int,
        short_description="All rides.",
        source={"execution": "run"},
    )
    created = remote.create_artifact(made)
    remote.create_artifact(Artifact(name="walks", project=PROJECT, domain="production", python_val=6, python_type=int))
    uri = created.concrete_artifact_id.uri
    assert uri == f"flyte://av0.1/{PROJECT}/production/rides@v1"
    for detailed in (True, False):
        found = remote.get_artifact(uri=uri, get_details=detailed)
        assert found is not None
        assert found.get() == 5
        assert found.metadata() == {"description": "All rides.", "source": {"execution": "run"}}
    assert remote.get_artifact(uri="flyte://av0.1/-/-/rides") is None
    assert remote.search_artifacts(name="rides") == []
    everything = remote.search_artifacts(project=PROJECT, domain="production")
    assert {one.name for one in everything} == {"rides", "walks"}
    (keyed,) = remote.search_artifacts(project=PROJECT, domain="production", artifact_key=created.key)
    assert keyed.version == "v1"
    (placed,) = remote.search_artifacts(artifact_key=created.key)
    assert placed.version == "v1"

    declared = Artifact(name="rides")
    with pytest.raises(FlyteAssertion, match=f"no artifact in {DEVELOPMENT} matches"):
        remote.execute(double, inputs={"a": declared.query()})
    run = remote.execute(double, inputs={"a": declared.query(project=PROJECT, domain="production")})
    assert (run.namespace, run.spec["inputs"]) == (DEVELOPMENT, {"a": 5})


def test_backfills_and_apps_go_into_the_namespace_that_is_said(remote: UnionRemote, fetched: Fetched) -> None:
    start, end = datetime(2024, 1, 1, 3, tzinfo=UTC), datetime(2024, 1, 3, 3, tzinfo=UTC)
    backfill = remote.launch_backfill(
        project=PROJECT, domain="production", from_date=start, to_date=end, launchplan=PLAN.name, execution_name="again"
    )
    assert len(backfill) == 2
    assert objects.get(remote.cluster, "Backfill", "again", PRODUCTION)["spec"] == backfill.spec
    with pytest.raises(FlyteEntityNotExistException):
        remote.launch_backfill(domain="staging", from_date=start, to_date=end, launchplan=PLAN.name)

    app = App(name="page", container_image="nginx:1")
    assert remote.deploy_app(app, project=PROJECT, domain="production")["metadata"]["namespace"] == PRODUCTION
    assert objects.find(remote.cluster, "App", "page", DEVELOPMENT) is None
    assert remote.stop_app("page", project=PROJECT, domain="production")["spec"]["suspend"] is True
    with pytest.raises(FlyteEntityNotExistException):
        remote.stop_app("page", project=PROJECT, domain="development")
