"""The part of a remote that runs things: starts executions, follows them, and ends them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from windlass._artifacts.artifact import Artifact
from windlass._artifacts.query import ArtifactQuery
from windlass._entity import Entity
from windlass._exceptions import FlyteAssertion, FlyteEntityNotExistException, FlyteTimeout
from windlass._interface import Interface
from windlass._launch_plan import LaunchPlan
from windlass._modules import caller
from windlass._plan_options import Options
from windlass._reference import ReferenceEntity, ReferenceLaunchPlan, ReferenceTask, ReferenceWorkflow
from windlass._remote import artifacts, executing, metrics, objects, registering
from windlass._remote.client import AlreadyThereError, NotThereError, Object
from windlass._remote.entities import (
    FetchedEntity,
    FlyteLaunchPlan,
    FlyteTask,
    FlyteWorkflow,
    Identifier,
    LazyEntity,
)
from windlass._remote.executing import RunSettings
from windlass._remote.executions import (
    ExecutionID,
    FlyteNodeExecution,
    FlyteTaskExecution,
    FlyteWorkflowExecution,
)
from windlass._remote.fetching import selector_of
from windlass._remote.following import Follower
from windlass._remote.publishing import Publishing
from windlass._remote.settings import ImageConfig, SerializationSettings
from windlass._remote.values import inputs_of
from windlass._task import Task
from windlass._workflow import Workflow
from windlass_api import names

if TYPE_CHECKING:
    from windlass._remote.remote import UnionRemote

_LOOK = 30.0  # seconds; the watch tells earlier


class Running(Publishing):
    """Runs things."""

    def execute(
        self,
        entity: Entity | LazyEntity[Any],
        inputs: Mapping[str, Any] | None = None,
        project: str | None = None,
        domain: str | None = None,
        name: str | None = None,
        version: str | None = None,
        execution_name: str | None = None,
        execution_name_prefix: str | None = None,
        image_config: ImageConfig | None = None,
        options: Options | None = None,
        wait: bool = False,
        type_hints: Mapping[str, Any] | None = None,
        overwrite_cache: bool | None = None,
        interruptible: bool | None = None,
        envs: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        cluster_pool: str | None = None,
        execution_cluster_label: str | None = None,
        serialization_settings: SerializationSettings | None = None,
    ) -> FlyteWorkflowExecution:
        """Runs a task, workflow or launch plan in the cluster.

        What is defined here is looked for by its name and `version`, and registered if it is not there; without a
        version it is applied as it is now, with its code, and run.

        Args:
            entity: a task, workflow or launch plan, defined here, fetched, or a reference.
            inputs: inputs by name, as Python values.
            project: with `domain`, the namespace.
            domain: see project.
            name: the name it is looked for by, if not its own; then it has to be there.
            version: the version it is looked for by, and registered in.
            execution_name: the run's name. Where there is such a run, that is what you get, with a warning.
            execution_name_prefix: what the run's name begins with; the rest is made up.
            image_config: the image of tasks that name none, where it is registered.
            options: labels, annotations and other settings of this run.
            wait: whether to wait for its end.
            type_hints: Python types of inputs, where the contract alone does not say enough.
            overwrite_cache: whether it computes everything anew and replaces what is cached.
            interruptible: whether its pods may run on nodes that can go away at any time.
            envs: environment variables of its pods.
            tags: words to find it by; labels `tag.windlass.dev/WORD`.
            cluster_pool: refused: a remote is one cluster.
            execution_cluster_label: refused: a remote is one cluster.
            serialization_settings: where it is registered: image, environment, version, namespace, code.

        Raises:
            ValueError: both a name and a prefix are given; or a name or version of what is in the cluster already.
            FlyteAssertion: what is in the cluster already was to run in another namespace.
            FlyteNotImplementedException: an Execution has no field for a setting; the message says where to set it.
            FlyteValueException: an input is unknown, or a required one is missing.
            TypeTransformerFailedError: an input is of another type.
        """
        run = RunSettings(
            execution_name,
            execution_name_prefix,
            options,
            wait,
            type_hints,
            overwrite_cache,
            interruptible,
            envs,
            tags,
            cluster_pool,
            execution_cluster_label,
        )
        settings = _settings(serialization_settings, image_config)
        return self._execute(entity, inputs, project, domain, name, version, settings, run)

    def execute_local_launch_plan(
        self,
        entity: LaunchPlan,
        inputs: Mapping[str, Any] | None = None,
        version: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        name: str | None = None,
        execution_name: str | None = None,
        execution_name_prefix: str | None = None,
        options: Options | None = None,
        wait: bool = False,
        overwrite_cache: bool | None = None,
        interruptible: bool | None = None,
        envs: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        cluster_pool: str | None = None,
        execution_cluster_label: str | None = None,
        serialization_settings: SerializationSettings | None = None,
    ) -> FlyteWorkflowExecution:
        """Runs a launch plan that is defined here. Arguments as of `execute`."""
        run = RunSettings(
            execution_name,
            execution_name_prefix,
            options,
            wait,
            None,
            overwrite_cache,
            interruptible,
            envs,
            tags,
            cluster_pool,
            execution_cluster_label,
        )
        settings = serialization_settings
        return self._execute(entity, inputs, project, domain, name, version, settings, run)

    def execute_local_task(
        self,
        entity: Task,
        inputs: Mapping[str, Any] | None = None,
        project: str | None = None,
        domain: str | None = None,
        name: str | None = None,
        version: str | None = None,
        execution_name: str | None = None,
        execution_name_prefix: str | None = None,
        image_config: ImageConfig | None = None,
        wait: bool = False,
        overwrite_cache: bool | None = None,
        interruptible: bool | None = None,
        envs: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        cluster_pool: str | None = None,
        execution_cluster_label: str | None = None,
        options: Options | None = None,
        serialization_settings: SerializationSettings | None = None,
    ) -> FlyteWorkflowExecution:
        """Runs a task that is defined here. Arguments as of `execute`."""
        run = RunSettings(
            execution_name,
            execution_name_prefix,
            options,
            wait,
            None,
            overwrite_cache,
            interruptible,
            envs,
            tags,
            cluster_pool,
            execution_cluster_label,
        )
        settings = _settings(serialization_settings, image_config)
        return self._execute(entity, inputs, project, domain, name, version, settings, run)

    def execute_local_workflow(
        self,
        entity: Workflow,
        inputs: Mapping[str, Any] | None = None,
        project: str | None = None,
        domain: str | None = None,
        name: str | None = None,
        version: str | None = None,
        execution_name: str | None = None,
        execution_name_prefix: str | None = None,
        image_config: ImageConfig | None = None,
        options: Options | None = None,
        wait: bool = False,
        overwrite_cache: bool | None = None,
        interruptible: bool | None = None,
        envs: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        cluster_pool: str | None = None,
        execution_cluster_label: str | None = None,
        serialization_settings: SerializationSettings | None = None,
    ) -> FlyteWorkflowExecution:
        """Runs a workflow that is defined here. Arguments as of `execute`."""
        run = RunSettings(
            execution_name,
            execution_name_prefix,
            options,
            wait,
            None,
            overwrite_cache,
            interruptible,
            envs,
            tags,
            cluster_pool,
            execution_cluster_label,
        )
        settings = _settings(serialization_settings, image_config)
        return self._execute(entity, inputs, project, domain, name, version, settings, run)

    def execute_reference_launch_plan(
        self,
        entity: ReferenceLaunchPlan[..., Any],
        inputs: Mapping[str, Any] | None = None,
        execution_name: str | None = None,
        execution_name_prefix: str | None = None,
        options: Options | None = None,
        wait: bool = False,
        type_hints: Mapping[str, Any] | None = None,
        overwrite_cache: bool | None = None,
        interruptible: bool | None = None,
        envs: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        cluster_pool: str | None = None,
        execution_cluster_label: str | None = None,
    ) -> FlyteWorkflowExecution:
        """Runs a launch plan that a reference names. Arguments as of `execute`."""
        run = RunSettings(
            execution_name,
            execution_name_prefix,
            options,
            wait,
            type_hints,
            overwrite_cache,
            interruptible,
            envs,
            tags,
            cluster_pool,
            execution_cluster_label,
        )
        return self._execute(entity, inputs, None, None, None, None, None, run)

    def execute_reference_task(
        self,
        entity: ReferenceTask[..., Any],
        inputs: Mapping[str, Any] | None = None,
        execution_name: str | None = None,
        execution_name_prefix: str | None = None,
        options: Options | None = None,
        wait: bool = False,
        type_hints: Mapping[str, Any] | None = None,
        overwrite_cache: bool | None = None,
        interruptible: bool | None = None,
        envs: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        cluster_pool: str | None = None,
        execution_cluster_label: str | None = None,
    ) -> FlyteWorkflowExecution:
        """Runs a task that a reference names. Arguments as of `execute`."""
        run = RunSettings(
            execution_name,
            execution_name_prefix,
            options,
            wait,
            type_hints,
            overwrite_cache,
            interruptible,
            envs,
            tags,
            cluster_pool,
            execution_cluster_label,
        )
        return self._execute(entity, inputs, None, None, None, None, None, run)

    def execute_reference_workflow(
        self,
        entity: ReferenceWorkflow[..., Any],
        inputs: Mapping[str, Any] | None = None,
        execution_name: str | None = None,
        execution_name_prefix: str | None = None,
        options: Options | None = None,
        wait: bool = False,
        type_hints: Mapping[str, Any] | None = None,
        overwrite_cache: bool | None = None,
        interruptible: bool | None = None,
        envs: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        cluster_pool: str | None = None,
        execution_cluster_label: str | None = None,
    ) -> FlyteWorkflowExecution:
        """Runs a workflow that a reference names. Arguments as of `execute`."""
        run = RunSettings(
            execution_name,
            execution_name_prefix,
            options,
            wait,
            type_hints,
            overwrite_cache,
            interruptible,
            envs,
            tags,
            cluster_pool,
            execution_cluster_label,
        )
        return self._execute(entity, inputs, None, None, None, None, None, run)

    def execute_remote_task_lp(
        self,
        entity: FlyteTask | FlyteLaunchPlan,
        inputs: Mapping[str, Any] | None = None,
        project: str | None = None,
        domain: str | None = None,
        execution_name: str | None = None,
        execution_name_prefix: str | None = None,
        options: Options | None = None,
        wait: bool = False,
        type_hints: Mapping[str, Any] | None = None,
        overwrite_cache: bool | None = None,
        interruptible: bool | None = None,
        envs: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        cluster_pool: str | None = None,
        execution_cluster_label: str | None = None,
    ) -> FlyteWorkflowExecution:
        """Runs a task or launch plan that was fetched. Arguments as of `execute`."""
        run = RunSettings(
            execution_name,
            execution_name_prefix,
            options,
            wait,
            type_hints,
            overwrite_cache,
            interruptible,
            envs,
            tags,
            cluster_pool,
            execution_cluster_label,
        )
        return self._execute(entity, inputs, project, domain, None, None, None, run)

    def execute_remote_wf(
        self,
        entity: FlyteWorkflow,
        inputs: Mapping[str, Any] | None = None,
        project: str | None = None,
        domain: str | None = None,
        execution_name: str | None = None,
        execution_name_prefix: str | None = None,
        options: Options | None = None,
        wait: bool = False,
        type_hints: Mapping[str, Any] | None = None,
        overwrite_cache: bool | None = None,
        interruptible: bool | None = None,
        envs: Mapping[str, str] | None = None,
        tags: Iterable[str] | None = None,
        cluster_pool: str | None = None,
        execution_cluster_label: str | None = None,
    ) -> FlyteWorkflowExecution:
        """Runs a workflow that was fetched. Arguments as of `execute`."""
        run = RunSettings(
            execution_name,
            execution_name_prefix,
            options,
            wait,
            type_hints,
            overwrite_cache,
            interruptible,
            envs,
            tags,
            cluster_pool,
            execution_cluster_label,
        )
        return self._execute(entity, inputs, project, domain, None, None, None, run)

    # ---- looking ----

    def fetch_execution(
        self, project: str | None = None, domain: str | None = None, name: str = ""
    ) -> FlyteWorkflowExecution:
        """A run, by its name. Raises FlyteEntityNotExistException where there is none."""
        if not name:
            raise ValueError(f"{caller()}: which execution? Give its name")
        obj = objects.get(self.cluster, "Execution", name, self.namespace(project, domain))
        return self._handle(obj, project, domain)

    def recent_executions(
        self, project: str | None = None, domain: str | None = None, limit: int | None = 100, filters: Any = None
    ) -> list[FlyteWorkflowExecution]:
        """The runs of a namespace, the newest first.

        Args:
            project: with `domain`, the namespace.
            domain: see project.
            limit: so many at most.
            filters: a label selector, such as `tag.windlass.dev/nightly=true`.
        """
        found = objects.list_all(
            self.cluster,
            "Execution",
            self.namespace(project, domain),
            selector=selector_of(filters),
            at_most=limit,
        )
        return [self._handle(obj, project, domain) for obj in found]

    def wait(
        self,
        execution: FlyteWorkflowExecution,
        timeout: timedelta | float | None = None,
        poll_interval: timedelta | float | None = None,
        sync_nodes: bool = True,
    ) -> FlyteWorkflowExecution:
        """Waits until a run has ended, and gives it back as it is then.

        Args:
            execution: the run.
            timeout: how long to wait at most: a timedelta, or seconds. The run goes on.
            poll_interval: a watch tells of every change; so often it is asked for as well, should that fall silent.
            sync_nodes: see `sync`.

        Raises:
            FlyteTimeout: it has not ended in time.
        """
        limit, look = _seconds(timeout), _seconds(poll_interval) or _LOOK
        deadline = None if limit is None else time.monotonic() + limit
        follower = Follower(self.cluster, execution.namespace, execution.id.name)
        try:
            while not execution.is_done:
                left = look if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    raise FlyteTimeout(
                        f"{caller()}: {execution.id.name} has not ended after {timeout}: it is"
                        f" {execution.status.get('phase') or 'not taken up yet'}, and goes on"
                    )
                state = follower.next(min(left, look))
                execution.update(state or self._read(execution))
        finally:
            follower.stop()
        return self.sync(execution, sync_nodes=sync_nodes)

    def sync(
        self,
        execution: FlyteWorkflowExecution,
        entity_definition: Entity | None = None,
        sync_nodes: bool = False,
    ) -> FlyteWorkflowExecution:
        """Looks at a run again.

        Args:
            execution: the run; it is changed, and given back.
            entity_definition: what it runs, if it is at hand: its types are those of the values.
            sync_nodes: whether to look for runs that its nodes have started, too.
        """
        if entity_definition is not None:
            execution.entity = entity_definition
        execution.update(self._read(execution))
        if sync_nodes:
            self._find_children(execution)
        return execution

    def sync_execution(
        self,
        execution: FlyteWorkflowExecution,
        entity_definition: Entity | None = None,
        sync_nodes: bool = False,
    ) -> FlyteWorkflowExecution:
        """As `sync`."""
        return self.sync(execution, entity_definition, sync_nodes)

    def sync_node_execution(
        self, execution: FlyteNodeExecution, node_mapping: Mapping[str, Any] | None = None
    ) -> FlyteNodeExecution:
        """Looks at a node of a run again.

        Args:
            execution: the node.
            node_mapping: entities by the id of the node that calls them, where they are at hand: values have their
                Python types. Not needed else: the run knows its nodes.
        """
        self.sync(execution.execution)
        found = execution.execution.node_executions.get(execution.id.node_id, execution)
        entity = (node_mapping or {}).get(execution.id.node_id)
        if entity is not None and not isinstance(entity, Entity):
            raise TypeError(
                f"{caller()}: node_mapping takes tasks, workflows and launch plans by node id, not {entity!r}"
            )
        found.interface = execution.interface if entity is None else entity.interface
        return found

    def sync_task_execution(self, execution: FlyteTaskExecution, entity_interface: Any = None) -> FlyteTaskExecution:
        """Looks at an attempt of a node again.

        Args:
            execution: the attempt.
            entity_interface: `interface` of the task, where it is at hand: values have its Python types. Not needed
                else: the run knows what the contract says of them.
        """
        if entity_interface is not None and not isinstance(entity_interface, Interface):
            raise TypeError(
                f"{caller()}: entity_interface takes the interface of a task, task.interface, not {entity_interface!r}"
            )
        node = self.sync_node_execution(execution.node)
        node.interface = entity_interface or node.interface
        attempts = node.task_executions
        return next((one for one in attempts if one.id.retry_attempt == execution.id.retry_attempt), execution)

    def terminate(self, execution: FlyteWorkflowExecution | str, cause: str = "") -> None:
        """Stops a run; it ends soon after. The cause stands in an annotation of it."""
        if isinstance(execution, str):
            execution = self.fetch_execution(name=execution)
        changes: dict[str, Any] = {"spec": {"cancel": True}}
        if cause:
            changes["metadata"] = {"annotations": {f"{names.GROUP}/cancel-cause": cause}}
        obj = objects.patch(self.cluster, "Execution", execution.id.name, execution.namespace, changes)
        execution.update(obj)

    def get_execution_metrics(
        self,
        id: ExecutionID | FlyteWorkflowExecution | str,  # noqa: A002  the API's name
        depth: int = 10,
    ) -> metrics.FlyteExecutionSpan:
        """Where the time of a run went; its nodes as well where `depth` is more than one."""
        if isinstance(id, FlyteWorkflowExecution):
            return metrics.spans_of(self.sync(id), depth)
        identity = ExecutionID("", "", id) if isinstance(id, str) else id
        return metrics.spans_of(self.fetch_execution(identity.project, identity.domain, identity.name), depth)

    def definition_of(self, execution: FlyteWorkflowExecution) -> Mapping[str, Any]:
        """What a run runs, pinned: the document of its closure, or made of the definition as it is now."""
        closure = execution.status.get("closure")
        try:
            if closure:
                found: Mapping[str, Any] = objects.get(
                    self.cluster, "ControllerRevision", closure, execution.namespace
                )["data"]
                return found
            return self._document(execution.spec, execution.namespace)
        except NotThereError:
            return {}

    # ---- underneath ----

    def _execute(
        self,
        entity: Entity | LazyEntity[Any],
        inputs: Mapping[str, Any] | None,
        project: str | None,
        domain: str | None,
        name: str | None,
        version: str | None,
        settings: SerializationSettings | None,
        run: RunSettings,
    ) -> FlyteWorkflowExecution:
        """Finds or registers the entity, and makes an Execution of it."""
        wanted: Entity = entity.entity if isinstance(entity, LazyEntity) else entity
        executing.refuse_unsayable(executing.execution(wanted.target(), wanted.short_name, {}, run))
        settings = settings or SerializationSettings()
        project, domain = project or settings.project, domain or settings.domain
        if isinstance(wanted, ReferenceEntity):
            _refuse_to_rename(wanted, name, version)
            _warn_of_settings(wanted, settings)
            target = self._fetched(wanted, project, domain)
        else:
            target = self._registered(wanted, project, domain, name, version or settings.version, settings)
        namespace = target.namespace or self.namespace(project, domain)
        self._refuse_elsewhere(wanted, namespace, project, domain)
        given = {key: self._answered(value, namespace) for key, value in (inputs or {}).items()}
        with self.remote_context():
            as_json = inputs_of(wanted, given, run.type_hints)
        executing.refuse_local_files(as_json)
        obj = executing.execution(target.target(), target.short_name, as_json, run)
        executing.refuse_unsayable(obj)
        obj["metadata"]["namespace"] = namespace
        local = None if isinstance(wanted, FetchedEntity) else wanted
        execution = self._handle(self._created(obj), project, domain, local)
        return self.wait(execution) if run.wait else execution

    def _created(self, obj: Object) -> Object:
        """The Execution, made; or the one of that name that there is."""
        try:
            return objects.create_execution(self.cluster, obj)
        except AlreadyThereError:
            name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
            warnings.warn(
                f"{caller()}: there is an execution {name} in {namespace} already: that is what you get; nothing new"
                " was started",
                stacklevel=2,
            )
            return objects.get(self.cluster, "Execution", name, namespace)

    def _fetched(self, entity: ReferenceEntity[..., Any], project: str | None, domain: str | None) -> FetchedEntity:
        """What a reference names, in the cluster."""
        if isinstance(entity, FetchedEntity):
            return entity
        kind = {"task": "Task", "workflow": "Workflow", "launchPlan": "LaunchPlan"}[entity.field]
        where = (entity.project or project or "", entity.domain or domain or "")
        return self.fetch(Identifier(kind, *where, entity.name, entity.version))

    def _registered(
        self,
        entity: Entity,
        project: str | None,
        domain: str | None,
        name: str | None,
        version: str | None,
        settings: SerializationSettings,
    ) -> FetchedEntity:
        """The entity in the cluster: found by name and version, or registered."""
        if entity.kind not in registering.VERSIONED:
            raise FlyteAssertion(f"{caller()}: {entity!r} can't run by itself; put it into a workflow")
        renamed = name not in (None, entity.name)
        if version is not None or renamed:
            wanted = Identifier(entity.kind, project or "", domain or "", name or entity.name, version or "")
            try:
                return self.fetch(wanted)
            except FlyteEntityNotExistException:
                if renamed:  # it can't be registered by another name than its own
                    raise
        found: FetchedEntity = self._register(entity, version, settings, project=project, domain=domain, derive=True)
        return found

    def _refuse_elsewhere(self, entity: Entity, namespace: str, project: str | None, domain: str | None) -> None:
        """An Execution is in the namespace of what it runs."""
        if not project and not domain:
            return
        mine = (getattr(entity, "project", None), getattr(entity, "domain", None))
        asked = self.namespace(project or mine[0], domain or mine[1])
        if asked != namespace:
            raise FlyteAssertion(
                f"{caller()}: {entity.name} is in the namespace {namespace} and can't run in {asked}: an Execution is"
                f" in the namespace of what it runs. Register it there, too: UnionRemote(default_project={project!r},"
                f" default_domain={domain!r})"
            )

    def _answered(self, value: Any, namespace: str) -> Any:
        """An artifact or a query as an input: the artifact that the cluster has."""
        if isinstance(value, Artifact) and (value.literal is not None or value.python_val is not None):
            return value
        if not isinstance(value, Artifact | ArtifactQuery):
            return value
        query = value.query() if isinstance(value, Artifact) else value
        asked = artifacts.query_of(None, None, query, None, None)
        if query.project or query.domain:
            namespace = self.namespace(query.project, query.domain)
        found = artifacts.search(self.cluster, namespace, asked, 1)
        if not found:
            raise FlyteAssertion(f"{caller()}: no artifact in {namespace} matches {query!r}")
        return found[0]

    def _handle(
        self, obj: Object, project: str | None, domain: str | None, entity: Entity | None = None
    ) -> FlyteWorkflowExecution:
        remote = cast("UnionRemote", self)  # nobody makes one that is only this much
        return FlyteWorkflowExecution(obj, remote, project=project, domain=domain, entity=entity)

    def _read(self, execution: FlyteWorkflowExecution) -> Object:
        return objects.get(self.cluster, "Execution", execution.id.name, execution.namespace)

    def _find_children(self, execution: FlyteWorkflowExecution) -> None:
        """The runs that nodes of a run have started."""
        uid = execution.object["metadata"].get("uid")
        for obj in objects.list_all(self.cluster, "Execution", execution.namespace):
            owners = obj["metadata"].get("ownerReferences") or ()
            node = execution.node_executions.get(_node_of(obj))
            if node is not None and any(owner.get("uid") == uid for owner in owners):
                node.workflow_executions.append(self._handle(obj, execution.id.project, execution.id.domain))

    def _document(self, spec: Mapping[str, Any], namespace: str) -> dict[str, Any]:
        """The document of a run that has no closure yet, as far as its types go."""
        if spec.get("task") is not None:
            task = self._object("Task", namespace, spec["task"]["name"], spec["task"].get("version"))["spec"]
            node = {"id": "n0", "task": dict(spec["task"])}
            node["inputs"] = {name: {"$ref": f"inputs.{name}"} for name in task.get("inputs") or {}}
            reference = spec["task"]
            key = f"{reference['name']}@{reference['version']}" if reference.get("version") else reference["name"]
            workflow = {"inputs": task.get("inputs"), "outputs": task.get("outputs"), "nodes": [node]}
            return {"workflow": workflow, "tasks": {key: task}}
        if spec.get("launchPlan") is not None:
            reference = spec["launchPlan"]
            plan = self._object("LaunchPlan", namespace, reference["name"], reference.get("version"))
            spec = plan["spec"]
        reference = spec["workflow"]
        found = self._object("Workflow", namespace, reference["name"], reference.get("version"))["spec"]
        return {"workflow": found, "tasks": {}}


def _node_of(obj: Object) -> str:
    """The node that a run was started by; a long id stands in an annotation, for a label has no room for it."""
    metadata = obj["metadata"]
    found: str | None = (metadata.get("annotations") or {}).get(names.ANNOTATION_NODE)
    return found or (metadata.get("labels") or {}).get(names.LABEL_NODE, "")


def _refuse_to_rename(entity: ReferenceEntity[..., Any], name: str | None, version: str | None) -> None:
    """What is in the cluster already has its name and version."""
    other = [
        f"{what}={value!r}"
        for what, value, own in (("name", name, entity.name), ("version", version, entity.version))
        if value is not None and value != own
    ]
    if other:
        raise ValueError(
            f"{caller()}: {entity.name} {entity.version} is in the cluster already, so it can't be run with"
            f" {', '.join(other)}: fetch that one"
        )


def _warn_of_settings(entity: ReferenceEntity[..., Any], settings: SerializationSettings) -> None:
    if settings.image_config is not None or settings.env:
        warnings.warn(
            f"{caller()}: image_config and serialization_settings say how something is registered, but {entity.name}"
            " is in the cluster already: it runs with the image and environment that it has",
            stacklevel=2,
        )


def _settings(given: SerializationSettings | None, image_config: ImageConfig | None) -> SerializationSettings | None:
    """The settings with that image configuration."""
    if image_config is None:
        return given
    found = given or SerializationSettings()
    return SerializationSettings(
        image_config,
        found.project,
        found.domain,
        found.version,
        found.env,
        found.fast_serialization_settings,
        found.source_root,
    )


def _seconds(duration: timedelta | float | None) -> float | None:
    return duration.total_seconds() if isinstance(duration, timedelta) else duration
