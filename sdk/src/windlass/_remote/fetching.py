"""The part of a remote that reads definitions: by name, by version, lazily, and in lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from windlass._exceptions import FlyteEntityNotExistException
from windlass._modules import caller
from windlass._namespaces import parts_of
from windlass._remote import objects
from windlass._remote.client import NotThereError, Object
from windlass._remote.entities import (
    ENTITIES,
    FetchedEntity,
    FlyteLaunchPlan,
    FlyteTask,
    FlyteWorkflow,
    Identifier,
    LazyEntity,
)
from windlass._remote.place import Place
from windlass_api import names


class Domain(NamedTuple):
    """A domain: the second part of a namespace's name."""

    id: str
    name: str


class Project(NamedTuple):
    """A project: the first part of a namespace's name, with the domains that it has."""

    id: str
    name: str
    domains: tuple[Domain, ...]


class Fetching(Place):
    """Reads definitions."""

    def fetch_task(
        self, project: str | None = None, domain: str | None = None, name: str = "", version: str | None = None
    ) -> FlyteTask:
        """A Task of the cluster; without a version, as it is now.

        Args:
            project: with `domain`, the namespace.
            domain: see project.
            name: its Python name, such as `shop.prices.load`, or the name of its object.
            version: its version.

        Raises:
            FlyteEntityNotExistException: there is none.
        """
        found: FlyteTask = FlyteTask.from_object(*self._definition("Task", project, domain, name, version))
        return found

    def fetch_workflow(
        self, project: str | None = None, domain: str | None = None, name: str = "", version: str | None = None
    ) -> FlyteWorkflow:
        """A Workflow of the cluster. Arguments as of `fetch_task`."""
        found: FlyteWorkflow = FlyteWorkflow.from_object(*self._definition("Workflow", project, domain, name, version))
        return found

    def fetch_launch_plan(
        self, project: str | None = None, domain: str | None = None, name: str = "", version: str | None = None
    ) -> FlyteLaunchPlan:
        """A LaunchPlan of the cluster. Arguments as of `fetch_task`."""
        return self._launch_plan(*self._definition("LaunchPlan", project, domain, name, version))

    def fetch_active_launchplan(
        self, project: str | None = None, domain: str | None = None, name: str = ""
    ) -> FlyteLaunchPlan | None:
        """The LaunchPlan of that name, if it is active; None where it is not, or is not there."""
        try:
            found = self.fetch_launch_plan(project, domain, name)
        except FlyteEntityNotExistException:
            return None
        return found if found.is_active else None

    def fetch_task_lazy(
        self, project: str | None = None, domain: str | None = None, name: str = "", version: str | None = None
    ) -> LazyEntity[FlyteTask]:
        """As `fetch_task`, but fetched when it is first used."""
        return LazyEntity(name, lambda: self.fetch_task(project, domain, name, version))

    def fetch_workflow_lazy(
        self, project: str | None = None, domain: str | None = None, name: str = "", version: str | None = None
    ) -> LazyEntity[FlyteWorkflow]:
        """As `fetch_workflow`, but fetched when it is first used."""
        return LazyEntity(name, lambda: self.fetch_workflow(project, domain, name, version))

    def list_tasks_by_version(
        self, version: str, project: str | None = None, domain: str | None = None, limit: int | None = None
    ) -> list[FlyteTask]:
        """The Tasks of a version, the newest first; at most `limit`."""
        namespace = self.namespace(project, domain)
        now = [
            obj for obj in objects.list_all(self.cluster, "Task", namespace) if obj["spec"].get("version") == version
        ]
        found = {obj["metadata"]["name"]: obj for obj in now}
        selector = f"{names.LABEL_VERSION}={names.label_value(version)}"
        for revision in objects.list_all(self.cluster, "ControllerRevision", namespace, selector=selector):
            data = revision["data"]
            if data.get("kind") == "Task" and data["spec"].get("version") == version:
                found.setdefault(data["name"], _of_revision(revision))
        return [FlyteTask.from_object(obj, project, domain) for obj in list(found.values())[:limit]]

    def list_projects(self, limit: int | None = None, filters: Any = None, sort_by: Any = None) -> list[Project]:
        """The projects that the namespaces of the cluster stand for, by name; at most `limit`.

        Args:
            limit: so many at most.
            filters: a label selector of namespaces, such as `team=a`.
            sort_by: not supported: they are sorted by name.
        """
        if sort_by is not None:
            raise ValueError(f"{caller()}: sort_by means nothing here: projects are sorted by name")
        query = {"labelSelector": selector_of(filters)} if filters else None
        answer = self.cluster.request("GET", "/api/v1/namespaces", query=query, what="Namespaces")
        domains: dict[str, list[str]] = {}
        for item in answer["items"]:
            parts = parts_of(item["metadata"]["name"])
            if parts is not None:
                domains.setdefault(parts[0], []).append(parts[1])
        found = [
            Project(project, project, tuple(Domain(domain, domain) for domain in sorted(domains[project])))
            for project in sorted(domains)
        ]
        return found[:limit]

    def get_domains(self) -> list[Domain]:
        """The domains that the namespaces of the cluster stand for, by name."""
        return sorted({domain for project in self.list_projects() for domain in project.domains})

    def find_launch_plan(
        self, lp_ref: Identifier | Mapping[str, Any], node_launch_plans: dict[Any, dict[str, Any]]
    ) -> dict[str, Any]:
        """The spec of a launch plan: from the dict, or from the cluster and then into the dict."""
        key = lp_ref if isinstance(lp_ref, Identifier) else _reference_of(lp_ref)
        if key not in node_launch_plans:
            node_launch_plans[key] = self.fetch_launch_plan(key.project, key.domain, key.name, key.version or None).spec
        return node_launch_plans[key]

    def find_launch_plan_for_node(
        self, node: Mapping[str, Any], node_launch_plans: dict[Any, dict[str, Any]]
    ) -> dict[str, Any] | None:
        """The spec of the launch plan that a node of a Workflow calls; None where it calls none."""
        reference = node.get("launchPlan")
        return None if reference is None else self.find_launch_plan(reference, node_launch_plans)

    # ---- underneath ----

    def fetch(self, identifier: Identifier) -> FetchedEntity:
        """The definition of an identifier."""
        found = self._definition(
            identifier.resource_type, identifier.project, identifier.domain, identifier.name, identifier.version or None
        )
        if identifier.resource_type == "LaunchPlan":
            return self._launch_plan(*found)
        entity: FetchedEntity = ENTITIES[identifier.resource_type].from_object(*found)
        return entity

    def _launch_plan(self, obj: Object, project: str | None, domain: str | None, called: str | None) -> FlyteLaunchPlan:
        target = obj["spec"]["workflow"]
        try:
            workflow = self._object("Workflow", obj["metadata"]["namespace"], target["name"], target.get("version"))
        except NotThereError:
            workflow = {"spec": {}}
        return FlyteLaunchPlan.of_workflow(obj, workflow["spec"], project, domain, called)

    def _definition(
        self, kind: str, project: str | None, domain: str | None, name: str, version: str | None
    ) -> tuple[Object, str | None, str | None, str]:
        """The object of a definition, by its Python name or its own, and what it was asked for by."""
        if not name:
            raise ValueError(f"{caller()}: which {kind}? Give its name")
        namespace = self.namespace(project, domain)
        of_python, itself = names.kubernetes_name(name), names.is_dns_subdomain(name)
        try:
            return self._object(kind, namespace, of_python, version), project, domain, name
        except NotThereError as error:
            found = self._itself(kind, namespace, name, version) if itself and name != of_python else None
            if found is None:
                raise error from None
        return found, project, domain, name

    def _itself(self, kind: str, namespace: str, name: str, version: str | None) -> Object | None:
        """The object of that very name, or None."""
        try:
            return self._object(kind, namespace, name, version)
        except NotThereError:
            return None

    def _object(self, kind: str, namespace: str, name: str, version: str | None = None) -> Object:
        """The object as it is now, or as that version of it was. Raises NotThereError."""
        if version is None:
            return objects.get(self.cluster, kind, name, namespace)
        now = objects.find(self.cluster, kind, name, namespace)
        if now is not None and now["spec"].get("version") == version:
            return now
        label = names.label_value(f"{kind.lower()}-{name}")
        selector = f"{names.LABEL_DEFINITION}={label},{names.LABEL_VERSION}={names.label_value(version)}"
        found = [
            revision
            for revision in objects.list_all(self.cluster, "ControllerRevision", namespace, selector=selector)
            if (revision["data"]["name"], revision["data"]["spec"].get("version")) == (name, version)
        ]
        if not found:
            there = f"; it is {now['spec'].get('version') or 'in no version'} now" if now else ""
            raise NotThereError(f"there is no {kind} {name} of version {version} in namespace {namespace}{there}", 404)
        return _of_revision(max(found, key=lambda revision: revision["revision"]))


def selector_of(filters: Any) -> str:
    """A label selector: a text, or several that all hold."""
    parts = [filters] if isinstance(filters, str) else list(filters or ())
    if not all(isinstance(part, str) for part in parts):
        raise TypeError(f"{caller()}: filters takes label selectors, such as 'team=a', not {filters!r}")
    return ",".join(parts)


def _of_revision(revision: Object) -> Object:
    """The object that a revision keeps the spec of."""
    data = revision["data"]
    metadata = {"name": data["name"], "namespace": revision["metadata"]["namespace"]}
    return {"apiVersion": names.API_VERSION, "kind": data["kind"], "metadata": metadata, "spec": data["spec"]}


def _reference_of(reference: Mapping[str, Any]) -> Identifier:
    return Identifier("LaunchPlan", "", "", reference["name"], reference.get("version") or "")
