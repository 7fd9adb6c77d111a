"""Artifact objects: created, and found by label selectors."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from windlass._artifacts.artifact import Artifact, ArtifactID, ArtifactKey
from windlass._artifacts.objects import artifact_of, manifest_of
from windlass._artifacts.partitions import Granularity, Partitions, TimePartition
from windlass._artifacts.query import ArtifactQuery, time_text
from windlass._modules import caller
from windlass._remote import objects
from windlass._remote.client import Cluster
from windlass_api import artifacts

MOST = 500
ANY_TIME = "anyTime"
"""In a query: the time partitions that will do."""


def create(cluster: Cluster, namespace: str, artifact: Artifact) -> Artifact:
    """Makes the object; a version is made up where there is none. Raises FlyteEntityAlreadyExistsException."""
    if artifact.version is None:
        artifact.version = secrets.token_hex(8)
    obj = manifest_of(artifact)
    obj["metadata"]["namespace"] = namespace
    return artifact_of(objects.create(cluster, obj))


def search(cluster: Cluster, namespace: str, query: Mapping[str, Any], limit: int) -> list[Artifact]:
    """The artifacts that match, the newest first."""
    if not 0 < limit <= MOST:
        raise ValueError(f"{caller()}: limit is a number from 1 to {MOST}, not {limit!r}")
    selector = artifacts.selector(query) if query.get("name") else _partial(query)
    found = objects.list_all(cluster, "Artifact", namespace, selector=selector)
    return [artifact_of(obj) for obj in found if _fits(obj["spec"], query)][:limit]


def newest_of_each(found: list[Artifact]) -> list[Artifact]:
    """The first of each name."""
    first: dict[str, Artifact] = {}
    for artifact in found:
        first.setdefault(artifact.name, artifact)
    return list(first.values())


def query_of(
    name: str | None,
    key: ArtifactKey | None,
    query: ArtifactQuery | None,
    partitions: Partitions | Mapping[str, str] | None,
    time_partition: datetime | TimePartition | None,
) -> dict[str, Any]:
    """What is asked for, as the contract says it; `name` is empty where any will do.

    A mere datetime is any time partition that it falls into, as exact as that may be.
    """
    found = {} if query is None else _settled(query)
    found["name"] = name or (key.name if key is not None else found.get("name", ""))
    if partitions is not None:
        values = partitions.values_by_name() if isinstance(partitions, Partitions) else dict(partitions)
        found["partitions"] = {**found.get("partitions", {}), **values}
    if isinstance(time_partition, TimePartition):
        if time_partition.moment is None:
            raise ValueError(f"{caller()}: the time partition has no value")
        found["timePartition"] = time_text(time_partition.moment)
    elif time_partition is not None:
        found[ANY_TIME] = [time_text(granularity.truncate(time_partition)) for granularity in Granularity]
    return found


def query_of_uri(uri: str) -> tuple[str, str, dict[str, Any]]:
    """Project, domain and query of `flyte://av0.1/PROJECT/DOMAIN/NAME@VERSION`; `-` stands for what is not said."""
    rest = uri.partition("flyte://av0.1/")[2]
    parts = rest.split("/", 2)
    if uri[:14] != "flyte://av0.1/" or len(parts) != 3 or not parts[2].partition("@")[0]:
        raise ValueError(
            f"{caller()}: the URI of an artifact is flyte://av0.1/PROJECT/DOMAIN/NAME@VERSION, not {uri!r}"
        )
    project, domain, named = parts
    name, _, version = named.partition("@")
    query: dict[str, Any] = {"name": name, **({"version": version} if version else {})}
    return project.strip("-"), domain.strip("-"), query


def query_of_id(identity: ArtifactID) -> dict[str, Any]:
    """The query that finds exactly that artifact."""
    query: dict[str, Any] = {"name": identity.artifact_key.name, "version": identity.version}
    query["partitions"] = dict(identity.partitions)
    return query if identity.time_partition is None else {**query, "timePartition": identity.time_partition}


def _settled(query: ArtifactQuery) -> dict[str, Any]:
    """A query whose values are there."""
    try:
        query.settled({})
    except ValueError as error:
        raise ValueError(f"{caller()}: {error}") from None
    return query.manifest()


def _partial(query: Mapping[str, Any]) -> str:
    """The selector of a query for any name."""
    labels = artifacts.labels({**query, "name": "any"})
    return ",".join(f"{key}={value}" for key, value in labels.items() if key != artifacts.LABEL_ARTIFACT)


def _fits(spec: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    if ANY_TIME in query and spec.get("timePartition") not in query[ANY_TIME]:
        return False
    return artifacts.matches(spec, {**query, "name": query.get("name") or spec["name"]})
