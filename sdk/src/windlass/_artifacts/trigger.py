"""`OnArtifact`: a launch plan that runs for each new artifact.

OnArtifact(
    trigger_on=Rides.query(region="dubai"),
    inputs={
        "rides": Rides,                                                      # the new artifact's value
        "day": Rides.time_partition,                                         # the time it is for
        "before": Rides.query(time_partition=Rides.time_partition - timedelta(days=1)),   # another one, looked up
    },
)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass._artifacts.artifact import Artifact
from windlass._artifacts.partitions import InputBinding, Partition, TimePartition
from windlass._artifacts.query import TRIGGER, ArtifactQuery, partition_form, time_form
from windlass._modules import caller


class OnArtifact:
    """Runs a launch plan for each new artifact that matches.

    Args:
        trigger_on: an artifact, or a query with fixed partitions.
        inputs: inputs of the plan: the artifact itself, its time partition, its partitions, or queries which may
            refer to those. What is not named here is filled by the plan's default and fixed inputs.

    Raises:
        ValueError: an input refers to another artifact than the one that triggers, or is nothing of these.
    """

    def __init__(self, trigger_on: Artifact | ArtifactQuery, inputs: Mapping[str, Any] | None = None) -> None:
        if not isinstance(trigger_on, Artifact | ArtifactQuery):
            raise ValueError(f"{caller()}: OnArtifact takes an artifact or a query for one, not {trigger_on!r}")
        self.query = trigger_on.query() if isinstance(trigger_on, Artifact) else trigger_on
        self.trigger_on = trigger_on
        if self.query.version is not None:
            raise ValueError(
                f"{caller()}: {self.query!r} is one version, which arrives once; trigger on the artifact as declared"
            )
        unsettled = [value for value in self.query.partitions.values() if not isinstance(value, str)]
        if unsettled or (self.query.time_partition is not None and self.query.time_partition.moment is None):
            raise ValueError(
                f"{caller()}: what triggers is known beforehand, so {self.query!r} can't depend on inputs or on another"
                " artifact"
            )
        self.inputs = dict(inputs or {})
        self._forms = {name: self._form(name, value) for name, value in self.inputs.items()}

    def manifest(self) -> dict[str, Any]:
        """The trigger as the contract says it."""
        return {"artifact": self.query.manifest(), **({"inputs": self._forms} if self._forms else {})}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OnArtifact) and self.manifest() == other.manifest()

    def __hash__(self) -> int:
        return hash((self.query.name, *self.inputs))

    def __repr__(self) -> str:
        return f"OnArtifact({self.trigger_on!r}, inputs={self.inputs!r})"

    def _form(self, name: str, value: Any) -> Any:
        place = f"{caller()}: the input {name} of OnArtifact"
        if isinstance(value, Artifact):
            if value.name != self.query.name:
                raise ValueError(
                    f"{place} is {value!r}, which is not what triggers; query for it: {value.name}.query()"
                )
            return {"$ref": TRIGGER}
        if isinstance(value, TimePartition):
            self._refuse_other(place, value)
            return time_form(value)
        if isinstance(value, Partition):
            self._refuse_other(place, value)
            return partition_form(value)
        if isinstance(value, ArtifactQuery):
            for part in (*value.partitions.values(), value.time_partition):
                if isinstance(part, Partition | TimePartition):
                    self._refuse_other(place, part)
                if isinstance(part, InputBinding) or isinstance(getattr(part, "value", None), InputBinding):
                    raise ValueError(f"{place} queries with {part!r}; here only what triggers can be referred to")
            return {"$query": value.manifest()}
        raise ValueError(
            f"{place} takes the artifact that triggers, a part of it, or a query, not {value!r}; fixed values go into"
            " fixed_inputs"
        )

    def _refuse_other(self, place: str, part: Partition | TimePartition) -> None:
        whose = part.reference_artifact
        if part.value is None and (whose is None or whose.name != self.query.name):
            other = "no artifact" if whose is None else repr(whose)
            raise ValueError(f"{place} is a part of {other}, but {self.query.name} is what triggers")
