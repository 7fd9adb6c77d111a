"""`UnionRemote`: a cluster from Python. Definitions, runs, gates, artifacts, backfills, apps, and data.

    remote = UnionRemote()                                    # the kubeconfig's current context
    run = remote.execute(wordcount, inputs={"text": "a b a"}, wait=True)
    run.outputs["o0"]

The families of methods stand in classes of their own, each upon the one before:

    place       which cluster, which namespace
    fetching    definitions are read
    publishing  definitions are written
    running     executions are started, followed and ended
    remote      everything else
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from windlass import _digests, _store
from windlass._app import App
from windlass._artifacts.artifact import Artifact, ArtifactID, ArtifactKey
from windlass._artifacts.partitions import Partitions, TimePartition
from windlass._artifacts.query import ArtifactQuery
from windlass._exceptions import FlyteAssertion
from windlass._image import builders
from windlass._modules import caller
from windlass._remote import artifacts, backfills, events, objects, signals, uris, values
from windlass._remote.client import Object, resource_path
from windlass._remote.entities import FetchedEntity
from windlass._remote.executions import FlyteNodeExecution, FlyteTaskExecution, FlyteWorkflowExecution
from windlass._remote.fetching import selector_of
from windlass._remote.running import Running
from windlass._remote.settings import Config
from windlass._remote.signals import Signal
from windlass._workflow import WorkflowFailurePolicy
from windlass_api.names import API_VERSION

CONSOLE = "WINDLASS_CONSOLE_URL"
_POLICIES = {
    WorkflowFailurePolicy.FAIL_IMMEDIATELY: "FailImmediately",
    WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE: "FailAfterExecutableNodesComplete",
}


class UnionRemote(Running):
    """A cluster from Python.

    Args:
        config: a Config, the path of a kubeconfig, or the name of one of its contexts; unset: the environment's.
        default_project: the project where none is said. A project and a domain are the namespace `{project}-{domain}`.
        default_domain: the domain where none is said. With neither, things go into the context's own namespace.
        data_upload_location: where files and tables among inputs are written, such as s3://bucket/folder, and code that
            is too large for a ConfigMap; unset: WINDLASS_RAW_OUTPUT_PREFIX.
        interactive_mode_enabled: whether versions are made up where none is given; unset: whether this is a notebook.
        **kwargs: `kubeconfig`, `context`, `namespace`, which come before what `config` says.

    Raises:
        TypeError: there are other arguments, such as those of a gRPC client.
    """

    # ---- making one ----

    @classmethod
    def auto(
        cls,
        config_file: str | os.PathLike[str] | None = None,
        default_project: str | None = None,
        default_domain: str | None = None,
        data_upload_location: str | None = None,
        interactive_mode_enabled: bool | None = None,
        **kwargs: Any,
    ) -> UnionRemote:
        """The cluster of a kubeconfig, by default of the environment. Arguments as of the class."""
        config = Config.auto(config_file)
        return cls(config, default_project, default_domain, data_upload_location, interactive_mode_enabled, **kwargs)

    @classmethod
    def for_endpoint(
        cls,
        endpoint: str,
        insecure: bool = False,
        data_config: Any = None,
        config_file: str | os.PathLike[str] | None = None,
        default_project: str | None = None,
        default_domain: str | None = None,
        data_upload_location: str | None = None,
        interactive_mode_enabled: bool | None = None,
        **kwargs: Any,
    ) -> UnionRemote:
        """The cluster of the kubeconfig whose API server is there, or whose context is called so.

        Args:
            endpoint: `host:port` or a URL of an API server, or the name of a context.
            insecure: means nothing: the kubeconfig says whether certificates are checked.
            data_config: means nothing: the store's credentials come from the environment.
            config_file: a kubeconfig.
            default_project: see the class.
            default_domain: see the class.
            data_upload_location: see the class.
            interactive_mode_enabled: see the class.
            **kwargs: see the class.

        Raises:
            ValueError: the kubeconfig has no such cluster.
        """
        path = None if config_file is None else os.fspath(config_file)
        config = Config.for_endpoint(endpoint, insecure, data_config, path)
        return cls(config, default_project, default_domain, data_upload_location, interactive_mode_enabled, **kwargs)

    @classmethod
    def for_sandbox(
        cls,
        default_project: str | None = None,
        default_domain: str | None = None,
        data_upload_location: str | None = None,
        interactive_mode_enabled: bool | None = None,
        **kwargs: Any,
    ) -> UnionRemote:
        """The one cluster of the kubeconfig that runs on this machine. Arguments as of the class.

        Raises:
            ValueError: there is none, or more than one.
        """
        config = Config.for_sandbox(kwargs.get("kubeconfig"))
        return cls(config, default_project, default_domain, data_upload_location, interactive_mode_enabled, **kwargs)

    @classmethod
    def from_api_key(
        cls,
        api_key: str,
        default_project: str | None = None,
        default_domain: str | None = None,
        data_upload_location: str | None = None,
        **kwargs: Any,
    ) -> UnionRemote:
        """Refused: there is no hosted service that would know the key. A kubeconfig has the credentials."""
        raise FlyteAssertion(
            f"{caller()}: an API key is for a hosted service, and there is none: credentials are in a kubeconfig. Use"
            " UnionRemote(context=…), or, in CI, the token of a service account in a kubeconfig"
        )

    # ---- gates ----

    def list_signals(
        self,
        execution_name: str,
        project: str | None = None,
        domain: str | None = None,
        limit: int = 100,
        filters: Any = None,
    ) -> list[Signal]:
        """The gates that a run has reached, the newest first.

        Args:
            execution_name: the run.
            project: with `domain`, the namespace.
            domain: see project.
            limit: so many at most.
            filters: a label selector.
        """
        return signals.list_signals(
            self.cluster, self.namespace(project, domain), execution_name, limit, selector_of(filters)
        )

    def approve(
        self, signal_id: str, execution_name: str, project: str | None = None, domain: str | None = None
    ) -> None:
        """Says yes at a gate: its name in the workflow, and the run.

        Raises:
            FlyteEntityNotExistException: the run does not wait there.
        """
        self.set_signal(signal_id, execution_name, True, project, domain)

    def reject(
        self, signal_id: str, execution_name: str, project: str | None = None, domain: str | None = None
    ) -> None:
        """Says no at a gate. Arguments as of `approve`."""
        self.set_signal(signal_id, execution_name, False, project, domain)

    def set_input(
        self,
        signal_id: str,
        execution_name: str,
        value: Any,
        project: str | None = None,
        domain: str | None = None,
        python_type: Any = None,
        literal_type: str | None = None,
    ) -> None:
        """Gives the value that a gate asks for. Arguments as of `set_signal`."""
        self.set_signal(signal_id, execution_name, value, project, domain, python_type, literal_type)

    def set_signal(
        self,
        signal_id: str,
        execution_name: str,
        value: Any,
        project: str | None = None,
        domain: str | None = None,
        python_type: Any = None,
        literal_type: str | None = None,
    ) -> None:
        """Answers a gate.

        Args:
            signal_id: the gate's name in the workflow.
            execution_name: the run.
            value: True or False where approval is asked for, else the value.
            project: with `domain`, the namespace.
            domain: see project.
            python_type: the value's type; unset: what the gate asks for.
            literal_type: likewise, as the contract writes it, such as `list[int]`.

        Raises:
            FlyteEntityNotExistException: the run does not wait there.
            TypeTransformerFailedError: the value is of another type.
        """
        with self.remote_context():
            signals.answer(
                self.cluster,
                self.namespace(project, domain),
                execution_name,
                signal_id,
                value,
                python_type=python_type,
                literal_type=literal_type,
            )

    # ---- artifacts ----

    def create_artifact(self, artifact: Artifact) -> Artifact:
        """Makes an artifact; its value is stored, and a version made up where it has none.

        Raises:
            FlyteEntityAlreadyExistsException: that version is there: versions never change.
        """
        with self.remote_context():
            created = artifacts.create(self.cluster, self.namespace(artifact.project, artifact.domain), artifact)
        created.project, created.domain = artifact.project, artifact.domain
        return created

    def get_artifact(
        self,
        uri: str | None = None,
        artifact_key: ArtifactKey | None = None,
        artifact_id: ArtifactID | None = None,
        query: ArtifactQuery | None = None,
        get_details: bool = False,
    ) -> Artifact | None:
        """The newest artifact that matches; None where there is none. Exactly one of the first four says which.

        Args:
            uri: `flyte://av0.1/PROJECT/DOMAIN/NAME@VERSION`.
            artifact_key: project, domain and name.
            artifact_id: the same with version and partitions.
            query: what `Artifact.query` gives; its partitions count.
            get_details: not needed: an artifact always has all its details.
        """
        given = [one for one in (uri, artifact_key, artifact_id, query) if one is not None]
        if len(given) != 1:
            raise ValueError(f"{caller()}: give exactly one of uri, artifact_key, artifact_id and query")
        project, domain = "", ""
        if uri is not None:
            project, domain, asked = artifacts.query_of_uri(uri)
        elif artifact_id is not None:
            project, domain = artifact_id.artifact_key.project or "", artifact_id.artifact_key.domain or ""
            asked = artifacts.query_of_id(artifact_id)
        else:
            place = artifact_key or query
            project, domain = getattr(place, "project", None) or "", getattr(place, "domain", None) or ""
            asked = artifacts.query_of(None, artifact_key, query, None, None)
        found = artifacts.search(self.cluster, self.namespace(project, domain), asked, 1)
        return found[0] if found else None

    def search_artifacts(
        self,
        project: str | None = None,
        domain: str | None = None,
        name: str | None = None,
        artifact_key: ArtifactKey | None = None,
        query: ArtifactQuery | None = None,
        partitions: Partitions | Mapping[str, str] | None = None,
        time_partition: datetime | TimePartition | None = None,
        group_by_key: bool = False,
        limit: int = 100,
    ) -> list[Artifact]:
        """The artifacts that match all that is said, the newest first.

        Args:
            project: with `domain`, the namespace.
            domain: see project.
            name: their name.
            artifact_key: project, domain and name at once.
            query: what `Artifact.query` gives.
            partitions: values of partitions.
            time_partition: the time they are for.
            group_by_key: only the newest of each name.
            limit: so many at most; 500 at most.
        """
        asked = artifacts.query_of(name, artifact_key, query, partitions, time_partition)
        place = artifact_key or query
        project = project or getattr(place, "project", None)
        domain = domain or getattr(place, "domain", None)
        namespace = self.namespace(project, domain)
        if not group_by_key:
            return artifacts.search(self.cluster, namespace, asked, limit)
        found = artifacts.newest_of_each(artifacts.search(self.cluster, namespace, asked, artifacts.MOST))
        return found[:limit]

    # ---- backfills ----

    def launch_backfill(
        self,
        project: str | None = None,
        domain: str | None = None,
        from_date: datetime | None = None,
        to_date: datetime | None = None,
        launchplan: str = "",
        launchplan_version: str | None = None,
        execution_name: str | None = None,
        version: str | None = None,
        dry_run: bool = False,
        execute: bool = True,
        parallel: bool = False,
        failure_policy: WorkflowFailurePolicy | None = None,
        overwrite_cache: bool | None = None,
    ) -> backfills.FlyteBackfill:
        """Runs a plan for each time of its cron schedule in a range that is past.

        Args:
            project: with `domain`, the namespace.
            domain: see project.
            from_date: the range's start, which is not a part of it. Without a time zone it is in UTC.
            to_date: the range's end, which is a part of it.
            launchplan: the plan's name.
            launchplan_version: its version; unset: as it is now.
            execution_name: the name of the Backfill object; unset: made up.
            version: refused: no workflow is registered for it.
            dry_run: only says which times there are: `.slots` of what comes back.
            execute: whether it starts at once; else it waits, suspended.
            parallel: whether all runs may go on at a time; else one after the other.
            failure_policy: whether the others go on after a run has failed.
            overwrite_cache: whether the runs compute everything anew.

        Raises:
            ValueError: the plan has no cron schedule, or no time of it is in the range.
        """
        if from_date is None or to_date is None:
            raise ValueError(f"{caller()}: launch_backfill needs from_date and to_date")
        if version is not None:
            raise ValueError(
                f"{caller()}: version means nothing here: a backfill is an object of its own, no workflow is registered"
            )
        plan = self.fetch_launch_plan(project, domain, launchplan, launchplan_version)
        slots = backfills.slots_of(launchplan, plan.spec.get("schedule"), from_date, to_date)
        manifest = backfills.manifest(
            plan.target()["launchPlan"] if launchplan_version else {"name": plan.object_name},
            from_date,
            to_date,
            name=execution_name,
            parallel=len(slots) if parallel else None,
            failure_policy=None if failure_policy is None else _POLICIES[failure_policy],
            overwrite_cache=overwrite_cache,
            suspend=not execute,
        )
        manifest["metadata"]["namespace"] = plan.namespace
        if not dry_run:
            manifest = objects.create(self.cluster, manifest)
        return backfills.FlyteBackfill(manifest, slots)

    # ---- apps ----

    def deploy_app(self, app: App | Object, project: str | None = None, domain: str | None = None) -> Object:
        """Applies an app: its image is built if it has to be. What is stopped starts again.

        Args:
            app: an App, or its object as a dict.
            project: with `domain`, the namespace.
            domain: see project.

        Returns:
            The object as the cluster has it.
        """
        if isinstance(app, App):
            for spec in app.image_specs:
                builders.build(spec)
            metadata = {"name": app.name}
            app = {"apiVersion": API_VERSION, "kind": "App", "metadata": metadata, "spec": app.manifest_spec()}
        namespace = self.namespace(project, domain)
        placed = {**app, "metadata": {**app["metadata"], "namespace": namespace}}
        there = objects.find(self.cluster, "App", placed["metadata"]["name"], namespace)
        if there is not None and there["spec"].get("suspend"):
            objects.patch(self.cluster, "App", placed["metadata"]["name"], namespace, {"spec": {"suspend": None}})
        return objects.apply(self.cluster, [placed])[0]

    def stop_app(self, name: str, project: str | None = None, domain: str | None = None) -> Object:
        """Stops an app: it has no pods any more, and keeps what it says. The object as the cluster has it."""
        return objects.patch(self.cluster, "App", name, self.namespace(project, domain), {"spec": {"suspend": True}})

    # ---- data ----

    def upload_file(
        self,
        to_upload: str | os.PathLike[str],
        project: str | None = None,
        domain: str | None = None,
        filename_root: str | None = None,
    ) -> tuple[bytes, str]:
        """Stores a file where the cluster finds it.

        Args:
            to_upload: the file.
            project: a part of the address, if given.
            domain: likewise.
            filename_root: the folder that it goes into; unset: one of its own.

        Returns:
            The file's MD5, and its address.

        Raises:
            FlyteAssertion: nobody said where data goes.
        """
        path = Path(to_upload)
        digest = _digests.of_file(path, "md5").digest()
        with self.remote_context():
            if not _store.keeps_outputs():
                raise FlyteAssertion(
                    f"{caller()}: where shall {path} go? UnionRemote(data_upload_location='s3://bucket/folder'), or"
                    " WINDLASS_RAW_OUTPUT_PREFIX"
                )
            folder = [part for part in (project, domain, filename_root or digest.hex()) if part]
            uri = _store.join(_store.current_prefix(), *folder, path.name)
            return digest, _store.put_file(path, uri)

    def download(self, data: Any, download_to: str | os.PathLike[str], recursive: bool = True) -> list[str]:
        """Copies the files, folders and tables that values refer to into a local folder; where they are now.

        Args:
            data: `execution.outputs`, or JSON with references in it.
            download_to: the folder; it is made.
            recursive: also what stands inside lists and dicts.
        """
        return values.download(data, os.fspath(download_to), recursive=recursive)

    def get(self, uri: str | None = None) -> Any:
        """What an address leads to.

        Args:
            uri: of a run's values, `flyte://v1/PROJECT/DOMAIN/EXECUTION[/NODE]/i|o[/NAME]` (`-` for a project or domain
                that is not said): Outputs, or the value of that name; of an artifact, `flyte://av0.1/…`: its value; of
                anything in a store: its bytes.
        """
        if not uri:
            return None
        if uri.startswith("flyte://av"):
            found = self.get_artifact(uri)
            return None if found is None else found.get()
        if not uri.startswith("flyte://"):
            return _store.read_bytes(uri)
        where = uris.parse(uri)
        execution = self.fetch_execution(where.project, where.domain, where.execution)
        return uris.value_of(execution, where)

    # ---- looking from elsewhere ----

    def generate_console_http_domain(self) -> str:
        """Where links lead to: the server of WINDLASS_CONSOLE_URL, else the API server."""
        base = os.environ.get(CONSOLE) or self.cluster.server
        scheme, _, rest = base.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"

    def generate_console_url(
        self, entity: FlyteWorkflowExecution | FlyteNodeExecution | FlyteTaskExecution | FetchedEntity | Artifact
    ) -> str:
        """A link to something in the cluster.

        There is no console; WINDLASS_CONSOLE_URL may name any that shows objects, with `{namespace}`, `{kind}`,
        `{plural}` and `{name}` in it. Else it is the object's address at the API server, whose path
        `kubectl get --raw` opens.
        """
        kind, namespace, name = uris.object_of(entity, self.namespace)
        path = resource_path(objects.reference(kind, name, namespace), namespace, name)
        template = os.environ.get(CONSOLE)
        if not template:
            return f"{self.cluster.server}{path}"
        return template.format(namespace=namespace, kind=kind, plural=path.split("/")[-2], name=name)

    def get_extra_headers_for_protocol(self, native_url: str) -> dict[str, str]:
        """The HTTP headers that an upload to an address needs beyond the store's own: none, whatever the scheme."""
        return {}

    def stream_execution_events(
        self,
        event_count: int | None = None,
        include_workflow_executions: bool = True,
        include_task_executions: bool = False,
        include_node_executions: bool = False,
    ) -> AsyncIterator[events.ExecutionEvent]:
        """What happens to the runs of the default namespace: first where each is, then every change of a phase.

        Args:
            event_count: ends after so many; unset: never.
            include_workflow_executions: of runs.
            include_task_executions: of attempts of nodes.
            include_node_executions: of nodes.
        """
        kinds = {
            "workflow": include_workflow_executions,
            "task": include_task_executions,
            "node": include_node_executions,
        }
        wanted = frozenset(kind for kind, included in kinds.items() if included)
        if not wanted:
            raise ValueError(f"{caller()}: include something: workflow, task or node executions")
        return events.stream(self.cluster, self.namespace(), event_count, wanted)


Remote = UnionRemote
FlyteRemote = UnionRemote
