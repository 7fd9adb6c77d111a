"""`Artifact`: a named, versioned, partitioned output; as a declaration, and as one that there is.

    Rides = Artifact(name="rides", partition_keys=["region"])

    @task
    def load(region: str) -> Annotated[DataFrame, Rides(region=Inputs.region)]: ...

    @workflow
    def report(rides: DataFrame = Rides.query(region="dubai")) -> str: ...

A declaration has no version; what a run, a query or the remote gives has one, and `get()` is its value.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple, TypeVar

from windlass._artifacts.cards import Card
from windlass._artifacts.partitions import (
    MAX_PARTITIONS,
    TIME_PARTITION,
    Granularity,
    InputBinding,
    Op,
    Partition,
    Partitions,
    TimePartition,
)
from windlass._artifacts.query import ArtifactQuery, time_text
from windlass._modules import caller

T = TypeVar("T")


class ArtifactKey(NamedTuple):
    """What the versions of an artifact have in common."""

    project: str | None
    domain: str | None
    name: str


class ArtifactID(NamedTuple):
    """One artifact: key, version, partitions as texts, and the time it is for as RFC 3339."""

    artifact_key: ArtifactKey
    version: str
    partitions: dict[str, str]
    time_partition: str | None

    @property
    def uri(self) -> str:
        """`flyte://av0…`, which `get_artifact` takes."""
        where = "/".join(part or "-" for part in self.artifact_key)
        return f"flyte://av0.1/{where}@{self.version}"


class ArtifactSpecification:
    """`A(region=Inputs.region)`: in the annotation of an output, which artifact it becomes."""

    makes_artifact: ClassVar[bool] = True

    def __init__(
        self, artifact: Artifact, partitions: dict[str, str | InputBinding], time: datetime | InputBinding | None
    ) -> None:
        self.artifact = artifact
        self.partitions = partitions
        self.time = time

    def __repr__(self) -> str:
        shown = [*(f"{name}={value!r}" for name, value in self.partitions.items())]
        shown += [] if self.time is None else [f"{TIME_PARTITION}={self.time!r}"]
        return f"{self.artifact!r}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArtifactSpecification) and (self.artifact.key, self.partitions, self.time) == (
            other.artifact.key,
            other.partitions,
            other.time,
        )

    def __hash__(self) -> int:
        return hash((self.artifact.key, *self.partitions))


class Artifact:
    """A named, versioned, partitioned output.

    Args:
        project: with `domain`, the namespace it is in; else that of the run.
        domain: see project.
        name: its name; required.
        version: of one that there is.
        time_partitioned: whether its versions are for certain times.
        time_partition: the time of one that there is; a datetime or a TimePartition.
        time_partition_granularity: how exact these times are; DAY.
        partition_keys: the names of its partitions, ten at most.
        partitions: values of its partitions, of one that there is.
        python_val: the value of one that there is, or is to be created.
        python_type: the type of the value.
        literal: the value as JSON.
        literal_type: its type as the contract writes it, such as `dataframe[parquet]`.
        short_description: a sentence for people.
        source: where it came from: execution, node, output.
        card: a ModelCard or DataCard.

    Raises:
        ValueError: there is no name, or the partitions don't fit.

    >>> Artifact(name="rides", partition_keys=["region"]).query(region="dubai").manifest()
    {'name': 'rides', 'partitions': {'region': 'dubai'}}
    """

    makes_artifact: ClassVar[bool] = True
    """In an annotation: the output becomes an artifact. For those who don't load this module to ask."""

    is_lookup: ClassVar[bool] = True
    """As a default or argument: what is meant is what it finds."""

    def __init__(
        self,
        *args: Any,
        project: str | None = None,
        domain: str | None = None,
        name: str | None = None,
        version: str | None = None,
        time_partitioned: bool = False,
        time_partition: TimePartition | datetime | None = None,
        time_partition_granularity: Granularity | None = None,
        partition_keys: list[str] | None = None,
        partitions: Partitions | Mapping[str, str] | None = None,
        python_val: Any = None,
        python_type: Any = None,
        literal: Any = None,
        literal_type: str | None = None,
        short_description: str | None = None,
        source: Any = None,
        card: Card | None = None,
        **kwargs: Any,
    ) -> None:
        if args or kwargs:
            given = ", ".join([*map(repr, args), *kwargs])
            raise ValueError(f"{caller()}: Artifact takes the parameters it lists, by name; not {given}")
        if not name or not isinstance(name, str):
            raise ValueError(f"{caller()}: Can't instantiate an Artifact without a name.")
        self.project = project
        self.domain = domain
        self.name = name
        self.version = version
        self.granularity = time_partition_granularity or Granularity.DAY
        self.partition_keys = _checked_keys(partition_keys, partitions)
        self._partitions = Partitions(
            dict.fromkeys(self.partition_keys) | dict(partitions or {}), reference_artifact=self
        )
        self.time_partitioned = time_partitioned or time_partition is not None
        self._time = TimePartition(time_partition, granularity=self.granularity)
        self._time.reference_artifact = self
        self.python_val = python_val
        self.python_type = python_type
        self.literal = literal
        self.literal_type = literal_type
        self.short_description = short_description
        self.source = source
        self.card = card
        self.resolver: Any = None
        self.tags: list[str] = []

    # ---- what it is ----

    @property
    def key(self) -> ArtifactKey:
        """What its versions have in common."""
        return ArtifactKey(self.project, self.domain, self.name)

    @property
    def concrete_artifact_id(self) -> ArtifactID:
        """The ID of one that there is. Raises ValueError for a mere declaration."""
        if self.version is None:
            raise ValueError(f"{caller()}: {self!r} has no version, so it is no artifact that there is: query for one")
        moment = self._time.moment
        return ArtifactID(
            self.key, self.version, self._partitions.values_by_name(), None if moment is None else time_text(moment)
        )

    @property
    def partitions(self) -> Partitions:
        """Its partitions, as `A.partitions.region`."""
        return self._partitions

    @property
    def time_partition(self) -> TimePartition:
        """The time it is for; in a query, moved by timedeltas. Raises ValueError where it is for no time."""
        if not self.time_partitioned:
            raise ValueError(f"{caller()}: {self!r} has no time partition; declare it with time_partitioned=True")
        return self._time

    def metadata(self) -> dict[str, Any]:
        """What is told of it besides its value: description, card, source, tags. Only what there is."""
        found = {
            "description": self.short_description,
            "card": None if self.card is None else self.card.manifest(),
            "source": self.source,
            "tags": self.tags,
        }
        return {name: value for name, value in found.items() if value}

    def __repr__(self) -> str:
        version = f", version={self.version!r}" if self.version else ""
        return f"Artifact(name={self.name!r}{version})"

    # ---- in annotations, defaults and triggers ----

    def __call__(self, *args: Any, **kwargs: Any) -> ArtifactSpecification:
        """In the annotation of an output: the values of its partitions, texts or inputs.

        Raises:
            ValueError: a partition is unknown, or its value neither a text nor `Inputs.name`.
        """
        self._refuse_unknown(args, kwargs)
        values = dict(kwargs)
        moment = values.pop(TIME_PARTITION, None)
        if not isinstance(moment, datetime | InputBinding | None):
            raise ValueError(f"{caller()}: {TIME_PARTITION} takes a datetime or Inputs.name, not {moment!r}")
        for key, value in values.items():
            if not isinstance(value, str | InputBinding):
                raise ValueError(f"{caller()}: the partition {key} takes a text or Inputs.name, not {value!r}")
        return ArtifactSpecification(self, values, moment)

    def query(
        self,
        project: str | None = None,
        domain: str | None = None,
        time_partition: datetime | TimePartition | InputBinding | None = None,
        partitions: Mapping[str, str | InputBinding | Partition] | Partitions | None = None,
        **kwargs: Any,
    ) -> ArtifactQuery:
        """The newest version with these partitions; those that are not named may have any value.

        Args:
            project: with `domain`, the namespace to look in.
            domain: see project.
            time_partition: a datetime, `Inputs.name`, or the time partition of the artifact that triggers.
            partitions: values by partition; or give them as keywords.
            **kwargs: values by partition: texts, `Inputs.name`, or partitions of the artifact that triggers.

        Raises:
            ValueError: a partition is unknown, or there is no value for it.
        """
        if partitions and kwargs:
            raise ValueError(f"{caller()}: give the partitions as a dict or as keywords, not both")
        if "tag" in kwargs and "tag" not in self.partition_keys:
            raise ValueError(f"{caller()}: artifacts have no tags to query for; use a partition")
        values = dict(partitions) if partitions else kwargs
        self._refuse_unknown((), values)
        if time_partition is not None and not self.time_partitioned:
            raise ValueError(f"{caller()}: {self!r} has no time partition; declare it with time_partitioned=True")
        return ArtifactQuery(
            self.name,
            project=project or self.project,
            domain=domain or self.domain,
            version=self.version,
            partitions=values or self._partitions.values_by_name(),
            time_partition=self._queried_time(time_partition),
            granularity=self.granularity,
        )

    def embed_as_query(
        self,
        partition: str | None = None,
        bind_to_time_partition: bool | None = None,
        expr: str | None = None,
        op: Op | None = None,
    ) -> ArtifactQuery | Partition | TimePartition:
        """The artifact that triggers, or a part of it, as the value of an input of the plan.

        Args:
            partition: the partition whose value is meant.
            bind_to_time_partition: the time partition is meant.
            expr: by how much the time is moved, such as "1h30m".
            op: Op.PLUS or Op.MINUS, with `expr`.
        """
        if partition is not None:
            self._refuse_unknown((), {partition: None})
            return self._partitions[partition]
        if bind_to_time_partition:
            shift = _duration(expr) if expr else timedelta()
            return self.time_partition - shift if op is Op.MINUS else self.time_partition + shift
        return self.query()

    # ---- values ----

    def create_from(self, o: T, card: Card | None = None, *args: Any, **kwargs: Any) -> T:
        """In a task: the value that is returned as this artifact, with partitions that are only known now.

        The output is still annotated with the artifact. What the annotation binds can't be set again.

        Args:
            o: the value; it comes back unchanged.
            card: a ModelCard or DataCard that is kept with it.
            *args: more cards.
            **kwargs: values of partitions, texts; `time_partition` is a datetime.

        Raises:
            ValueError: a partition is unknown, or its value no text.
        """
        from windlass._artifacts import created  # noqa: PLC0415  for tasks that make artifacts

        cards = [one for one in (card, *args) if one is not None]
        if not all(hasattr(one, "serialize_to_string") for one in cards):
            raise ValueError(f"{caller()}: create_from takes partitions by name, and cards; not {cards!r}")
        self._refuse_unknown((), kwargs)
        values = dict(kwargs)
        moment = values.pop(TIME_PARTITION, None)
        if moment is not None and not isinstance(moment, datetime):
            raise ValueError(f"{caller()}: {TIME_PARTITION} takes a datetime, not {moment!r}")
        for key, value in values.items():
            if not isinstance(value, str):
                raise ValueError(f"{caller()}: the partition {key} takes a text, not {value!r}")
        created.note(self, o, values, moment, cards)
        return o

    def get(self, as_type: type[T] | None = None) -> Any:
        """Its value, as that type or as the type it was made with. None where it has no value."""
        if self.resolver is not None and self.literal is None:
            return self.resolver.get(self.name, as_type)
        if self.literal is None:
            return self.python_val
        from windlass._artifacts.values import python_value  # noqa: PLC0415  for values from elsewhere

        return python_value(self.literal, as_type or self.python_type, self.literal_type, f"the artifact {self.name}:")

    @classmethod
    def initialize(
        cls,
        python_val: Any,
        python_type: Any,
        name: str | None = None,
        literal_type: str | None = None,
        version: str | None = None,
        tags: list[str] | None = None,
    ) -> Artifact:
        """An artifact to be created by `UnionRemote.create_artifact`: nothing is stored yet.

        Args:
            python_val: its value.
            python_type: the type of the value.
            name: its name; if unset a name is made up.
            literal_type: the type as the contract writes it; if unset that of python_type.
            version: if unset a version is made up.
            tags: ignored by the API that Windlass follows, and refused here.
        """
        if tags:
            raise ValueError(f"{caller()}: artifacts have no tags; a partition can be queried for")
        return cls(
            name=name or _made_up("artifact"),
            python_val=python_val,
            python_type=python_type or type(python_val),
            literal_type=literal_type,
            version=version,
        )

    def set_resolver(self, resolver: Any) -> None:
        """Where its value comes from when it is asked for: something with `get(name, as_type)`."""
        self.resolver = resolver

    def set_source(self, source: Any) -> None:
        """Notes where it came from."""
        self.source = source

    # ---- in the contract ----

    @classmethod
    def from_flyte_idl(cls, pb2: Mapping[str, Any]) -> Artifact:
        """From an Artifact object of the cluster: the contract takes the place of the wire format."""
        from windlass._artifacts.objects import artifact_of  # noqa: PLC0415  for the remote

        return artifact_of(pb2)

    @staticmethod
    def to_create_request(a: Artifact) -> dict[str, Any]:
        """The Artifact object that stands for it in a cluster: the contract takes the place of the wire format."""
        from windlass._artifacts.objects import manifest_of  # noqa: PLC0415  for the remote

        return manifest_of(a)

    def to_id_idl(self) -> ArtifactID:
        """Its ID; the version may be missing, and is "" then."""
        moment = self._time.moment
        time = None if moment is None else time_text(moment)
        return ArtifactID(self.key, self.version or "", self._partitions.values_by_name(), time)

    def _queried_time(self, given: datetime | TimePartition | InputBinding | None) -> TimePartition | None:
        if given is None:
            return self._time if self._time.value is not None else None
        found = TimePartition(given, granularity=self.granularity)
        if isinstance(given, TimePartition) and found.value is None and found.reference_artifact is None:
            raise ValueError(f"{caller()}: the time partition has no value")
        return found

    def _refuse_unknown(self, args: tuple[Any, ...], values: Mapping[str, Any]) -> None:
        if args:
            raise ValueError(f"{caller()}: Cannot set partition values by position; name them: {self._known()}")
        for key in values:
            if key == TIME_PARTITION and not self.time_partitioned:
                raise ValueError(
                    f"{caller()}: Cannot bind time partition to non-time partitioned artifact {self.name}; declare it"
                    " with time_partitioned=True"
                )
            if key != TIME_PARTITION and key not in self._partitions:
                raise ValueError(f"{caller()}: {self!r} has no partition {key}; there is {self._known()}")

    def _known(self) -> str:
        known = [*self._partitions, *([TIME_PARTITION] if self.time_partitioned else [])]
        return ", ".join(known) or "none"


def specification_of(python_type: Any) -> ArtifactSpecification | None:
    """The artifact that an output of the annotated type becomes, if any."""
    if typing.get_origin(python_type) is not typing.Annotated:
        return None
    for note in typing.get_args(python_type)[1:]:
        if isinstance(note, Artifact):
            return note()
        if isinstance(note, ArtifactSpecification):
            return note
    return None


def _checked_keys(keys: list[str] | None, partitions: Mapping[str, Any] | None) -> list[str]:
    found = list(keys) if keys is not None else list(partitions or ())
    if keys is not None and partitions is not None and set(keys) != set(partitions):
        raise ValueError(
            f"{caller()}: the partition keys {', '.join(keys)} and the partitions {', '.join(partitions)} differ"
        )
    if len(found) > MAX_PARTITIONS:
        raise ValueError(
            f"{caller()}: There is a hard limit of {MAX_PARTITIONS} partition keys per artifact, not {len(found)}"
        )
    for key in found:
        if key == TIME_PARTITION:
            raise ValueError(f"{caller()}: cannot use '{TIME_PARTITION}' as a partition name: it is the time's")
        if not isinstance(key, str) or not key.isidentifier():
            raise ValueError(f"{caller()}: a partition key is a name such as region, not {key!r}")
    if len(set(found)) < len(found):
        raise ValueError(f"{caller()}: a partition key is there twice: {', '.join(found)}")
    return found


def _duration(text: str) -> timedelta:
    from windlass import _types  # noqa: PLC0415  for triggers that are written out

    found: timedelta = _types.from_wire(text, timedelta, "expr:")
    return found


def _made_up(prefix: str) -> str:
    import secrets  # noqa: PLC0415  for artifacts that are made by hand

    return f"{prefix}-{secrets.token_hex(8)}"
