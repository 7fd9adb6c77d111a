"""Definitions: their revisions and their ``Ready`` condition; and how a reference with a version finds its spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from windlass_api import names
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import JSON_PATCH, METADATA_ONLY, STRATEGIC_MERGE_PATCH, Cluster
from windlass_operator.core.closure import code_of
from windlass_operator.core.plan_definition import REVISION_HISTORY, DefinitionPlan, plan_definition
from windlass_operator.core.status import patch, unchanged
from windlass_operator.manifests.execution import definition_label
from windlass_operator.manifests.objects import Manifest, code_digest, owner_reference
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.revisions import create_or_own
from windlass_operator.reconcile.store import Store

Spec = Mapping[str, Any]
T = TypeVar("T")
Wanted = tuple[str, str, str]
"""(kind, name, version)."""


CREATED, NOT_FOUND = 201, 404
CODE_CACHE = 4096
"""How many hashes of code are remembered."""


def template_of(pod_template: Mapping[str, Any]) -> dict[str, Any]:
    """What a PodTemplate object says about pods, as closures keep it."""
    template = pod_template.get("template") or {}
    meta = template.get("metadata") or {}
    marks = {part: meta[part] for part in ("labels", "annotations") if meta.get(part)}
    return {"metadata": marks, "spec": template.get("spec") or {}}


class NotReachableError(Exception):
    """The API server didn't answer: the pass has to be repeated."""


class Lookup:
    """What a pure decision may look up, and what it asked for that nobody knows without asking the API server."""

    def __init__(self, store: Store, namespace: str) -> None:
        self._store, self._namespace = store, namespace
        self.specs: dict[Wanted, Spec | None] = {}
        self.digests: dict[str, str | None] = {}
        self.templates: dict[str, Spec | None] = {}
        self.runs: dict[str, bool] = {}
        self._asked: set[Wanted] = set()
        self._asked_code: set[str] = set()
        self._asked_templates: set[str] = set()
        self._asked_runs: set[str] = set()

    def find(self, kind: str, name: str, version: str | None) -> Spec | None:
        """The spec of a definition, as it is now or as it was in a version."""
        body = self._store.definition(kind, self._namespace, name)
        spec: Spec | None = body["spec"] if body is not None else None
        if version is None or (spec is not None and spec.get("version") == version):
            return spec
        self._asked.add((kind, name, version))
        return self.specs.get((kind, name, version))

    def code(self, name: str) -> str | None:
        """A hash of the code in a ConfigMap."""
        self._asked_code.add(name)
        return self.digests.get(name)

    def pod_template(self, name: str) -> Spec | None:
        """The template of a PodTemplate object."""
        self._asked_templates.add(name)
        return self.templates.get(name)

    def is_run(self, name: str) -> bool:
        """Whether there is an Execution of this name."""
        if (self._namespace, name) in self._store.executions:
            return True
        self._asked_runs.add(name)  # our watch may not have told of it yet
        return self.runs.get(name, False)

    @property
    def missing(self) -> bool:
        """Whether something was asked for that has to be fetched."""
        return bool(self.missing_specs or self.missing_code or self.missing_templates or self.missing_runs)

    @property
    def missing_specs(self) -> set[Wanted]:
        """Revisions to fetch."""
        return self._asked - self.specs.keys()

    @property
    def missing_code(self) -> set[str]:
        """ConfigMaps to look at."""
        return self._asked_code - self.digests.keys()

    @property
    def missing_templates(self) -> set[str]:
        """PodTemplates to fetch."""
        return self._asked_templates - self.templates.keys()

    @property
    def missing_runs(self) -> set[str]:
        """Executions to look for."""
        return self._asked_runs - self.runs.keys()


class Definitions:
    """The definitions of one operator."""

    def __init__(self, cluster: Cluster, store: Store) -> None:
        self._cluster, self._store = cluster, store
        self._code: dict[tuple[str, str], str] = {}

    async def reconcile(self, kind: str, namespace: str, name: str) -> None:
        """One pass over a definition. Writes nothing when nothing changed.

        Raises:
            NotReachableError: the pass has to be repeated.
        """
        body = self._store.definition(kind, namespace, name)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return
        plan = await self.judge(kind, namespace, body)
        old = body.get("status") or {}
        if plan.revision is not None and old.get("revision") != plan.status["revision"]:
            await self._write_revision(namespace, kind, name, plan.revision)
        operations = patch(old, plan.status)
        if operations:
            path = f"{paths.ours(kind, namespace, name)}/status"
            guards = unchanged(body["metadata"]["uid"], body["metadata"]["resourceVersion"])
            answer = await self._cluster.request("PATCH", path, [*guards, *operations], content_type=JSON_PATCH)
            if answer.status not in (200, 404, 422):
                raise NotReachableError(answer.message)

    async def judge(self, kind: str, namespace: str, body: Mapping[str, Any]) -> DefinitionPlan:
        """What the rules say about a definition.

        Raises:
            NotReachableError: something it refers to could not be fetched.
        """
        return await self.resolving(namespace, lambda lookup: plan_definition(kind, body, lookup.find, clock.now()))

    async def resolving(self, namespace: str, decide: Callable[[Lookup], T]) -> T:
        """Run a pure decision that looks things up. What it asked for in vain is fetched; then it is run again.

        Raises:
            NotReachableError: something could not be fetched.
        """
        lookup = Lookup(self._store, namespace)
        while True:
            decision = decide(lookup)
            if not lookup.missing:
                return decision
            for kind, name, version in lookup.missing_specs:
                lookup.specs[kind, name, version] = await self._fetch(namespace, kind, name, version)
            for name in lookup.missing_code:
                lookup.digests[name] = await self._code_digest(namespace, name)
            for name in lookup.missing_templates:
                lookup.templates[name] = await self.pod_template(namespace, name)
            for name in lookup.missing_runs:
                lookup.runs[name] = await self._is_there(paths.ours("Execution", namespace, name))

    async def _is_there(self, path: str) -> bool:
        answer = await self._cluster.request("GET", path, accept=METADATA_ONLY)
        if not answer.ok and answer.status != NOT_FOUND:
            raise NotReachableError(answer.message)
        return answer.ok

    async def _code_digest(self, namespace: str, name: str) -> str | None:
        """A hash of the code in a ConfigMap; None when there is none. Reads it whole only when it has changed.

        Raises:
            NotReachableError: it could not be read.
        """
        path = paths.config_maps(namespace, name)
        meta = await self._cluster.request("GET", path, accept=METADATA_ONLY)
        if meta.status == 404:
            return None
        if meta.ok:
            key = (meta.body["metadata"]["uid"], meta.body["metadata"]["resourceVersion"])
            if key in self._code:
                return self._code[key]
        whole = await self._cluster.request("GET", path)
        if not whole.ok:
            raise NotReachableError(whole.message)
        digest = code_digest(whole.body)
        if len(self._code) >= CODE_CACHE:
            self._code.clear()
        self._code[whole.body["metadata"]["uid"], whole.body["metadata"]["resourceVersion"]] = digest
        return digest

    async def pod_template(self, namespace: str, name: str) -> Spec | None:
        """The template of a PodTemplate object; None when there is none.

        Raises:
            NotReachableError: it could not be read.
        """
        answer = await self._cluster.request("GET", paths.pod_template(namespace, name))
        if answer.status == 404:
            return None
        if not answer.ok:
            raise NotReachableError(answer.message)
        return template_of(answer.body)

    async def _fetch(self, namespace: str, kind: str, name: str, version: str) -> Spec | None:
        """The newest revision of a definition with this version. An older object of this name doesn't count: its
        revisions went with it.
        """
        label = names.label_value(version)
        found = await self._revisions(
            namespace, f"{names.LABEL_DEFINITION}={definition_label(kind, name)},{names.LABEL_VERSION}={label}"
        )
        wanted = (kind, name, version)
        same = [
            item
            for item in found
            if (item["data"]["kind"], item["data"]["name"], item["data"]["spec"].get("version")) == wanted
        ]
        newest = max(same, key=lambda item: item["revision"], default=None)
        return newest["data"]["spec"] if newest is not None else None

    async def _revisions(self, namespace: str, selector: str) -> list[Mapping[str, Any]]:
        answer = await self._cluster.request("GET", paths.revisions(namespace), query={"labelSelector": selector})
        if not answer.ok:
            raise NotReachableError(answer.message)
        return list(answer.body["items"])

    async def _write_revision(self, namespace: str, kind: str, name: str, manifest: Manifest) -> None:
        (owner,) = manifest["metadata"]["ownerReferences"]
        answer = await create_or_own(self._cluster, manifest, owner)
        if not answer.ok:
            raise NotReachableError(answer.message)
        await self._own_code(namespace, manifest["data"]["spec"], answer.body["metadata"])
        if answer.status == CREATED:
            await self._trim(namespace, kind, name)

    async def _own_code(self, namespace: str, spec: Spec, revision: Mapping[str, Any]) -> None:
        """A code bundle that the SDK brought goes with the last revision that refers to it. One that somebody applied
        from files is theirs.
        """
        source = code_of(spec)
        if source is None:
            return
        path = paths.config_maps(namespace, source)
        found = await self._cluster.request("GET", path, accept=METADATA_ONLY)
        if found.status == NOT_FOUND:
            return  # it may come later; then it came from files
        if not found.ok:
            raise NotReachableError(found.message)
        if (found.body["metadata"].get("labels") or {}).get(names.LABEL_ROLE) != names.ROLE_CODE:
            return
        owner = owner_reference("ControllerRevision", revision["name"], revision["uid"], api_version="apps/v1")
        body = {"metadata": {"ownerReferences": [owner]}}
        answer = await self._cluster.request("PATCH", path, body, content_type=STRATEGIC_MERGE_PATCH)
        if not answer.ok and answer.status != NOT_FOUND:
            raise NotReachableError(answer.message)

    async def _trim(self, namespace: str, kind: str, name: str) -> None:
        """Delete the oldest revisions beyond the limit. One with a version is kept: somebody may refer to it."""
        found = await self._revisions(
            namespace, f"{names.LABEL_DEFINITION}={definition_label(kind, name)},!{names.LABEL_VERSION}"
        )
        for item in sorted(found, key=lambda item: -item["revision"])[REVISION_HISTORY:]:
            await self._cluster.request("DELETE", paths.revisions(namespace, item["metadata"]["name"]))
