"""What Artifact objects are called, and by which labels queries find them.

A query is a label selector: the artifact's name, the partitions that it names, and the time. Values that are no label
values stand there hashed, so who asks compares the specs of what it finds. Who makes artifacts and who looks for them
(the SDK and the operator) both call these functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_api.names import GROUP, content_hash, kubernetes_name, label_value

LABEL_ARTIFACT = f"{GROUP}/artifact"
LABEL_ARTIFACT_VERSION = f"{GROUP}/artifact-version"
LABEL_TIME = f"{GROUP}/time-partition"
PARTITION_PREFIX = f"partition.{GROUP}/"


def object_name(spec: Mapping[str, Any]) -> str:
    """The name of the object: one for each name, version, partitions and time, so that none is there twice."""
    identity = [spec["name"], spec["version"], spec.get("partitions") or {}, spec.get("timePartition")]
    return f"{kubernetes_name(spec['name'])[:200].strip('-.')}-{content_hash(identity)}"


def labels(spec: Mapping[str, Any]) -> dict[str, str]:
    """The labels of an Artifact, or, of a query, those that it selects by."""
    found = {LABEL_ARTIFACT: label_value(spec["name"])}
    if spec.get("version"):
        found[LABEL_ARTIFACT_VERSION] = label_value(spec["version"])
    for key, value in (spec.get("partitions") or {}).items():
        found[partition_label(key)] = label_value(value)
    if spec.get("timePartition"):
        found[LABEL_TIME] = label_value(spec["timePartition"])
    return found


def partition_label(key: str) -> str:
    """The label of a partition."""
    return PARTITION_PREFIX + label_value(key)


def selector(query: Mapping[str, Any]) -> str:
    """The label selector of a query whose values are there."""
    return ",".join(f"{key}={value}" for key, value in labels(query).items())


def matches(spec: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    """Whether an Artifact's spec is what the query asks for: the labels, compared in full."""
    partitions = spec.get("partitions") or {}
    return (
        spec["name"] == query["name"]
        and query.get("version") in (None, spec["version"])
        and query.get("timePartition") in (None, spec.get("timePartition"))
        and all(partitions.get(key) == value for key, value in (query.get("partitions") or {}).items())
    )
