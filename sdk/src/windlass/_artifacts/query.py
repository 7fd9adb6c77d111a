"""Queries: the newest artifact of a name whose partitions match.

As the default of a workflow's input a query is part of the manifest, and is answered when an execution begins. In a
local run it is answered from what this machine has recorded (`registry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar

from windlass._artifacts.partitions import Granularity, InputBinding, Op, Partition, Partitions, TimePartition
from windlass._durations import duration_text
from windlass._modules import caller

TRIGGER = "artifact"
"""What references say for the artifact that triggers."""


class ArtifactQuery:
    """The newest artifact of a name whose partitions match."""

    is_lookup: ClassVar[bool] = True
    """As a default or argument: what is meant is what it finds."""

    def __init__(
        self,
        name: str,
        *,
        project: str | None = None,
        domain: str | None = None,
        version: str | None = None,
        partitions: Mapping[str, str | InputBinding | Partition] | Partitions | None = None,
        time_partition: TimePartition | None = None,
        granularity: Granularity = Granularity.DAY,
    ) -> None:
        self.name = name
        self.project = project
        self.domain = domain
        self.version = version
        self.partitions = {key: _checked(key, value) for key, value in (partitions or {}).items()}
        self.time_partition = time_partition
        self.granularity = granularity

    def manifest(self) -> dict[str, Any]:
        """The query as the contract says it."""
        found: dict[str, Any] = {"name": self.name}
        if self.version is not None:
            found["version"] = self.version
        if self.partitions:
            found["partitions"] = {key: partition_form(value) for key, value in self.partitions.items()}
        if self.time_partition is not None:
            found["timePartition"] = time_form(self.time_partition)
        return found

    def inputs(self) -> set[str]:
        """The inputs whose values it needs."""
        given = [*self.partitions.values(), self.time_partition and self.time_partition.value]
        return {value.key for value in given if isinstance(value, InputBinding)}

    def settled(self, inputs: Mapping[str, Any]) -> tuple[dict[str, str], datetime | None]:
        """The partitions and the time that are looked for, given the inputs as JSON.

        Raises:
            ValueError: it refers to an input that is not there, or to the artifact of a trigger.
        """
        lacking = sorted(self.inputs() - set(inputs))
        if lacking:
            raise ValueError(f"{self!r} needs the input {', '.join(lacking)}, which is not there")
        partitions = {}
        for key, value in self.partitions.items():
            if isinstance(value, Partition):
                raise ValueError(f"{self!r} needs the artifact that triggers, which only a launch plan's trigger has")
            partitions[key] = text_of(inputs[value.key]) if isinstance(value, InputBinding) else value
        return partitions, None if self.time_partition is None else self._settled_time(inputs)

    def _settled_time(self, inputs: Mapping[str, Any]) -> datetime:
        time = self.time_partition
        assert time is not None
        moment = time.moment
        if moment is not None:
            return moment
        if not isinstance(time.value, InputBinding):
            raise ValueError(f"{self!r} needs the artifact that triggers, which only a launch plan's trigger has")
        return self.granularity.truncate(moment_of(inputs[time.value.key]) + time.shift)

    def __repr__(self) -> str:
        shown = [repr(self.name), *(f"{key}={value!r}" for key, value in self.partitions.items())]
        shown += [] if self.version is None else [f"version={self.version!r}"]
        shown += [] if self.time_partition is None else [f"time_partition={self.time_partition!r}"]
        return f"ArtifactQuery({', '.join(shown)})"


def partition_form(value: str | InputBinding | Partition) -> Any:
    """The value of a partition as the contract says it."""
    if isinstance(value, InputBinding):
        return {"$ref": f"inputs.{value.key}"}
    if isinstance(value, Partition):
        return {"$ref": f"{TRIGGER}.partitions.{value.name}"}
    return value


def time_form(time: TimePartition | datetime | InputBinding) -> Any:
    """A time partition as the contract says it."""
    if not isinstance(time, TimePartition):
        time = TimePartition(time)
    if time.moment is not None:
        return time_text(time.moment)
    where = f"inputs.{time.value.key}" if isinstance(time.value, InputBinding) else f"{TRIGGER}.timePartition"
    if time.op is None:
        return {"$ref": where}
    return {"$ref": where, "plus": f"{'-' if time.op is Op.MINUS else ''}{duration_text(abs(time.shift))}"}


def time_text(moment: datetime) -> str:
    """A time as it is written everywhere: RFC 3339, in UTC."""
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def moment_of(text: Any) -> datetime:
    """The time that a text names; one without a zone is in UTC."""
    found = text if isinstance(text, datetime) else datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def text_of(value: Any) -> str:
    """An input's value, JSON, as the value of a partition: a text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    import json  # noqa: PLC0415  most partitions are texts

    return json.dumps(value)


def _checked(key: str, value: Any) -> str | InputBinding | Partition:
    if not isinstance(value, str | InputBinding | Partition):
        raise ValueError(f"{caller()}: the partition {key} takes a text, Inputs.name or a partition, not {value!r}")
    if isinstance(value, Partition) and value.value is not None:
        return value.value
    return value
