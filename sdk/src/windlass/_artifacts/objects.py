"""Artifact objects of a cluster ↔ `Artifact`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass import _types
from windlass._artifacts.artifact import Artifact
from windlass._artifacts.cards import Card
from windlass._artifacts.query import moment_of
from windlass._bindings import kind_of
from windlass._modules import caller
from windlass_api import artifacts
from windlass_api.names import API_VERSION


def artifact_of(obj: Mapping[str, Any]) -> Artifact:
    """The artifact that an object stands for; its value is read when it is asked for."""
    if obj.get("kind") != "Artifact" or not isinstance(obj.get("spec"), Mapping):
        raise ValueError(f"{caller()}: from_flyte_idl takes an Artifact object of a cluster, as a dict, not {obj!r}")
    spec = obj["spec"]
    time = spec.get("timePartition")
    cards = [Card(card["text"], card.get("type")) for card in spec.get("cards") or ()]
    return Artifact(
        name=spec["name"],
        version=spec["version"],
        partitions=spec.get("partitions"),
        time_partition=None if time is None else moment_of(time),
        literal=spec.get("value"),
        literal_type=spec["type"],
        short_description=spec.get("description"),
        source=spec.get("source"),
        card=cards[0] if cards else None,
    )


def manifest_of(artifact: Artifact) -> dict[str, Any]:
    """The object that stands for an artifact.

    Raises:
        ValueError: it has no version, a partition has no value, or there is no value to keep.
    """
    identity = artifact.concrete_artifact_id
    lacking = [key for key in artifact.partition_keys if key not in identity.partitions]
    lacking += ["time_partition"] if artifact.time_partitioned and identity.time_partition is None else []
    if lacking:
        raise ValueError(f"{caller()}: {artifact!r} says nothing of its {', '.join(lacking)}")
    spec: dict[str, Any] = {"name": artifact.name, "version": identity.version, **_value(artifact)}
    spec["partitions"] = identity.partitions
    spec["timePartition"] = identity.time_partition
    spec["source"] = artifact.source
    spec["description"] = artifact.short_description
    spec["cards"] = [] if artifact.card is None else [artifact.card.manifest()]
    spec = {key: value for key, value in spec.items() if value or key == "value"}
    metadata = {"name": artifacts.object_name(spec), "labels": artifacts.labels(spec)}
    return {"apiVersion": API_VERSION, "kind": "Artifact", "metadata": metadata, "spec": spec}


def _value(artifact: Artifact) -> dict[str, Any]:
    if artifact.literal is not None:
        return {"type": artifact.literal_type or "any", "value": artifact.literal}
    if artifact.python_val is None:
        raise ValueError(f"{caller()}: {artifact!r} has no value; make it with Artifact.initialize(value, type, name)")
    python_type = artifact.python_type or type(artifact.python_val)
    kind = kind_of(python_type)
    value = _types.to_wire(artifact.python_val, python_type, f"the value of {artifact!r}:")
    return {
        "type": artifact.literal_type or str(kind.type),
        "schema": dict(kind.schema) if kind.schema else None,
        "value": value,
    }
