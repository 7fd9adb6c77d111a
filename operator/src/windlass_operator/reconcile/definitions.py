"""Tasks and Workflows: their revisions and their ``Ready`` condition; and how a reference with a version finds its
spec.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from windlass_api import names
from windlass_operator.clients import clock
from windlass_operator.clients.cluster import JSON_PATCH, Cluster
from windlass_operator.core.plan_definition import REVISION_HISTORY, definition_label, plan_definition
from windlass_operator.core.status import patch
from windlass_operator.reconcile import paths
from windlass_operator.reconcile.store import Store

Spec = Mapping[str, Any]
T = TypeVar("T")
Wanted = tuple[str, str, str]
"""(kind, name, version)."""


class NotReachableError(Exception):
    """The API server didn't answer: the pass has to be repeated."""


class Definitions:
    """The definitions of one operator."""

    def __init__(self, cluster: Cluster, store: Store) -> None:
        self._cluster, self._store = cluster, store

    async def reconcile(self, kind: str, namespace: str, name: str) -> None:
        """One pass over a Task or Workflow. Writes nothing when nothing changed.

        Raises:
            NotReachableError: the pass has to be repeated.
        """
        body = self._store.definition(kind, namespace, name)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return
        plan = await self.resolving(
            namespace, lambda find: plan_definition(kind, body, lambda n, v: find("Task", n, v), clock.now())
        )
        old = body.get("status") or {}
        if old.get("revision") != plan.status["revision"]:
            await self._write_revision(namespace, kind, name, plan.revision)
        operations = patch(old, plan.status)
        if operations:
            path = f"{paths.ours(kind, namespace, name)}/status"
            guard = {"op": "test", "path": "/metadata/uid", "value": body["metadata"]["uid"]}
            answer = await self._cluster.request("PATCH", path, [guard, *operations], content_type=JSON_PATCH)
            if answer.status not in (200, 404, 422):
                raise NotReachableError(answer.message)

    async def resolving(
        self, namespace: str, decide: Callable[[Callable[[str, str, str | None], Spec | None]], T]
    ) -> T:
        """Run a pure decision that looks definitions up; versions that aren't current are fetched, then it is run
        again.

        Raises:
            NotReachableError: a revision could not be read.
        """
        fetched: dict[Wanted, Spec | None] = {}
        while True:
            missing: set[Wanted] = set()

            def find(kind: str, name: str, version: str | None, missing: set[Wanted] = missing) -> Spec | None:
                body = self._store.definition(kind, namespace, name)
                spec: Spec | None = body["spec"] if body is not None else None
                if version is None or (spec is not None and spec.get("version") == version):
                    return spec
                if (kind, name, version) not in fetched:
                    missing.add((kind, name, version))
                return fetched.get((kind, name, version))

            decision = decide(find)
            if not missing:
                return decision
            for kind, name, version in missing:
                fetched[kind, name, version] = await self._fetch(namespace, kind, name, version)

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

    async def _write_revision(self, namespace: str, kind: str, name: str, manifest: Mapping[str, Any]) -> None:
        answer = await self._cluster.request("POST", paths.revisions(namespace), manifest)
        if not answer.ok and answer.reason != "AlreadyExists":
            raise NotReachableError(answer.message)
        if answer.ok:
            await self._trim(namespace, kind, name)

    async def _trim(self, namespace: str, kind: str, name: str) -> None:
        """Delete the oldest revisions beyond the limit. One with a version is kept: somebody may refer to it."""
        found = await self._revisions(
            namespace, f"{names.LABEL_DEFINITION}={definition_label(kind, name)},!{names.LABEL_VERSION}"
        )
        for item in sorted(found, key=lambda item: -item["revision"])[REVISION_HISTORY:]:
            await self._cluster.request("DELETE", paths.revisions(namespace, item["metadata"]["name"]))
