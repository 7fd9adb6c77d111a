"""ControllerRevisions: made once, and owned by all who need them. Their data is immutable to the byte."""

from __future__ import annotations

from collections.abc import Iterable

from windlass_operator.clients.cluster import JSON_PATCH, Answer, Cluster
from windlass_operator.manifests.objects import Manifest
from windlass_operator.reconcile import paths


async def create_or_own(cluster: Cluster, manifest: Manifest, owner: Manifest) -> Answer:
    """Make a revision, or be one more owner of it where it exists: its first owner may be on the way out."""
    meta = manifest["metadata"]
    answer = await cluster.request("POST", paths.revisions(meta["namespace"]), manifest)
    if answer.reason == "AlreadyExists":
        answer = await own(cluster, meta["namespace"], meta["name"], [owner])
    return answer


async def own(cluster: Cluster, namespace: str, name: str, owners: Iterable[Manifest]) -> Answer:
    """Give a revision more owners.

    A strategic merge patch, which would know an owner twice, writes the data anew with its keys sorted; the API server
    takes that for a change, and refuses it.
    """
    body = [{"op": "add", "path": "/metadata/ownerReferences/-", "value": owner} for owner in owners]
    return await cluster.request("PATCH", paths.revisions(namespace, name), body, content_type=JSON_PATCH)
