"""Artifacts: named, versioned, partitioned outputs, and queries for them.

    artifact.py     Artifact, as a declaration and as one that there is
    partitions.py   partitions and time partitions, Inputs
    query.py        the newest that matches, as a default of a workflow
    trigger.py      OnArtifact: a launch plan that runs for each new one
    cards.py        ModelCard, DataCard
    created.py      outputs that become artifacts: in a manifest, and in a run
    registry.py     the artifacts of this machine, for local runs
    resolve.py      queries and artifacts as the values of inputs
    objects.py      Artifact objects of a cluster
    values.py       JSON → Python where no annotation says which type

A pod loads what it needs of this: a declaration in the user's module takes artifact, partitions, query, cards.
"""

from windlass._artifacts.artifact import (
    Artifact,
    ArtifactID,
    ArtifactKey,
    ArtifactSpecification,
    specification_of,
)
from windlass._artifacts.cards import Card, DataCard, ModelCard
from windlass._artifacts.partitions import Granularity, InputBinding, Inputs, Op, Partition, Partitions, TimePartition
from windlass._artifacts.query import ArtifactQuery
from windlass._artifacts.trigger import OnArtifact

__all__ = [
    "Artifact",
    "ArtifactID",
    "ArtifactKey",
    "ArtifactQuery",
    "ArtifactSpecification",
    "Card",
    "DataCard",
    "Granularity",
    "InputBinding",
    "Inputs",
    "ModelCard",
    "OnArtifact",
    "Op",
    "Partition",
    "Partitions",
    "TimePartition",
    "specification_of",
]
