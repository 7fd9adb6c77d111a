"""What tells the artifacts of one name apart: partitions, which are texts, and the time they are for.

A partition's value may be there (`"dubai"`, a datetime), come from an input of the task or workflow
(`Inputs.region`), or be that of another artifact, when that one is met: of the artifact that triggered a plan
(`A.partitions.region`, `A.time_partition - timedelta(days=1)`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any

from windlass._modules import caller

if TYPE_CHECKING:
    from windlass._artifacts.artifact import Artifact

TIME_PARTITION = "time_partition"
MAX_PARTITIONS = 10


class Granularity(Enum):
    """How exact a time partition is: times within one minute, hour, day or month are the same."""

    MINUTE = "Minute"
    HOUR = "Hour"
    DAY = "Day"
    MONTH = "Month"

    def truncate(self, moment: datetime) -> datetime:
        """The beginning of the minute, hour, day or month, in UTC. A time without a zone is in UTC.

        >>> Granularity.DAY.truncate(datetime(2024, 5, 6, 7, 8)).isoformat()
        '2024-05-06T00:00:00+00:00'
        """
        moment = moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        moment = moment.replace(second=0, microsecond=0)
        if self in (Granularity.HOUR, Granularity.DAY, Granularity.MONTH):
            moment = moment.replace(minute=0)
        if self in (Granularity.DAY, Granularity.MONTH):
            moment = moment.replace(hour=0)
        return moment.replace(day=1) if self is Granularity.MONTH else moment


class Op(Enum):
    """What is done to a time partition before it is looked for."""

    PLUS = "PLUS"
    MINUS = "MINUS"


class InputBinding:
    """`Inputs.region`: the value that the input of that name has."""

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key

    def __repr__(self) -> str:
        return f"Inputs.{self.key}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InputBinding) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


class _Inputs:
    """The inputs of the task or workflow in whose signature it stands."""

    def __getattr__(self, name: str) -> InputBinding:
        if name.startswith("__"):
            raise AttributeError(name)
        return InputBinding(name)

    def __repr__(self) -> str:
        return "Inputs"


Inputs = _Inputs()


class TimePartition:
    """The time that an artifact is for, with its granularity; moved by timedeltas.

    >>> moved = TimePartition(datetime(2024, 5, 6)) - timedelta(days=1)
    >>> moved.moment.isoformat()
    '2024-05-05T00:00:00+00:00'
    """

    def __init__(
        self,
        value: datetime | InputBinding | TimePartition | None = None,
        op: Op | None = None,
        other: timedelta | None = None,
        granularity: Granularity = Granularity.DAY,
    ) -> None:
        self.value: datetime | InputBinding | None = value.value if isinstance(value, TimePartition) else value
        self.shift: timedelta = value.shift if isinstance(value, TimePartition) else timedelta()
        self.reference_artifact: Artifact | None = None
        self.granularity = granularity
        if isinstance(value, TimePartition):
            self.reference_artifact = value.reference_artifact
        if not isinstance(self.value, datetime | InputBinding | None):
            raise ValueError(f"{caller()}: a time partition is a datetime or an input, not {value!r}")
        if op is not None and other is not None:
            self.shift += other if op is Op.PLUS else -other

    @property
    def op(self) -> Op | None:
        """Which way it is moved, if so."""
        return None if not self.shift else Op.PLUS if self.shift > timedelta() else Op.MINUS

    @property
    def other(self) -> timedelta | None:
        """How far it is moved, if so."""
        return abs(self.shift) if self.shift else None

    @property
    def moment(self) -> datetime | None:
        """The time itself, moved and truncated; None where it is not known yet."""
        return self.granularity.truncate(self.value + self.shift) if isinstance(self.value, datetime) else None

    def __add__(self, delta: timedelta) -> TimePartition:
        return self._moved(_checked_shift(delta))

    def __sub__(self, delta: timedelta) -> TimePartition:
        return self._moved(-_checked_shift(delta))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimePartition) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash((self.value, self.shift, self.granularity))

    def __repr__(self) -> str:
        if isinstance(self.value, datetime):
            return str(self.moment)
        whose = f"{self.reference_artifact.name}.time_partition" if self.reference_artifact else "unset"
        shift = f" {'+' if self.op is Op.PLUS else '-'} {self.other}" if self.shift else ""
        return f"{self.value or whose}{shift}"

    def _parts(self) -> tuple[Any, ...]:
        whose = self.reference_artifact and self.reference_artifact.key
        return (self.moment or (self.value, self.shift), self.granularity, whose)

    def _moved(self, shift: timedelta) -> TimePartition:
        found = TimePartition(self, granularity=self.granularity)
        found.shift += shift
        return found


class Partition:
    """One partition: its name, and its value as far as that is known."""

    def __init__(self, value: str | InputBinding | None, name: str, reference_artifact: Artifact | None = None) -> None:
        self.value = value
        self.name = name
        self.reference_artifact = reference_artifact

    def __repr__(self) -> str:
        whose = f"{self.reference_artifact.name}.partitions." if self.reference_artifact else ""
        return f"{whose}{self.name}" if self.value is None else f"{whose}{self.name}={self.value!r}"


class Partitions(Mapping[str, Partition]):
    """The partitions of an artifact, by name and as attributes: `A.partitions.region`, `A.partitions["region"]`."""

    def __init__(
        self,
        partitions: Mapping[str, str | InputBinding | Partition | None],
        reference_artifact: Artifact | None = None,
    ) -> None:
        self.reference_artifact = reference_artifact
        self._partitions = {
            name: Partition(value.value if isinstance(value, Partition) else value, name, reference_artifact)
            for name, value in partitions.items()
        }

    def values_by_name(self) -> dict[str, str]:
        """The values that are there."""
        return {name: one.value for name, one in self._partitions.items() if isinstance(one.value, str)}

    def __getitem__(self, name: str) -> Partition:
        return self._partitions[name]

    def __getattr__(self, name: str) -> Partition:
        if name.startswith("_") or name not in self._partitions:
            there = ", ".join(self.__dict__.get("_partitions", {})) or "none"
            raise AttributeError(f"there is no partition {name!r}; there is {there}")
        return self._partitions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._partitions)

    def __len__(self) -> int:
        return len(self._partitions)

    def __repr__(self) -> str:
        return f"Partitions({', '.join(map(repr, self._partitions.values()))})"


def _checked_shift(delta: Any) -> timedelta:
    if not isinstance(delta, timedelta):
        raise TypeError(f"{caller()}: a time partition is moved by a timedelta, not by {delta!r}")
    return delta
