"""Outputs that become artifacts: what a manifest says of them, and what a run makes of them.

A partition is bound in the annotation (a text, or an input of the task) or by `create_from` in the task's body; one
that is bound by neither makes the run fail. Called by emission, by local runs, and by the runtime in a pod.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from windlass._artifacts.artifact import Artifact, ArtifactSpecification, specification_of
from windlass._artifacts.cards import Card
from windlass._artifacts.partitions import TIME_PARTITION, InputBinding
from windlass._artifacts.query import moment_of, partition_form, text_of, time_form, time_text
from windlass._current import current_task
from windlass._exceptions import FlyteAssertion

if TYPE_CHECKING:
    from windlass._entity import Entity


class Made(NamedTuple):
    """An artifact that a run made: everything but its value."""

    name: str
    partitions: dict[str, str]
    time_partition: str | None
    cards: list[dict[str, str]]

    def manifest(self) -> dict[str, Any]:
        """What a record says of it; only what there is."""
        found = {
            "name": self.name,
            "partitions": self.partitions,
            "timePartition": self.time_partition,
            "cards": self.cards,
        }
        return {name: value for name, value in found.items() if value}


class _Note(NamedTuple):
    artifact: Artifact
    value: Any
    partitions: dict[str, str]
    time: datetime | None
    cards: list[Card]


_notes: WeakKeyDictionary[Any, list[_Note]] = WeakKeyDictionary()
"""Of each task that runs; an attempt that fails takes its notes with it."""


def note(artifact: Artifact, value: Any, partitions: dict[str, str], time: datetime | None, cards: list[Card]) -> None:
    """Remembers what `create_from` said of a value, until the task has returned it. Outside of a task nobody asks."""
    running = current_task()
    if running is not None:
        _notes.setdefault(running, []).append(_Note(artifact, value, partitions, time, cards))


def output_form(entity: Entity, output: str) -> dict[str, Any] | None:
    """What the manifest of a task or workflow says of an output that becomes an artifact; None of one that does not.

    Raises:
        FlyteAssertion: it takes a partition from an input that is not there, or is a workflow's and leaves one open.
    """
    interface = entity.interface
    spec = specification_of(interface.outputs[output])
    if spec is None:
        return None
    where = f"the output {output} of {entity.name}"
    if entity.kind == "Workflow":
        _refuse_open(where, spec)
    bound = [*spec.partitions.values(), spec.time]
    for value in bound:
        if isinstance(value, InputBinding) and value.key not in interface.inputs:
            raise FlyteAssertion(
                f"{where} is the artifact {spec.artifact.name}, which takes {value!r}, but there is no such input;"
                f" there is {', '.join(interface.inputs) or 'none'}"
            )
    found: dict[str, Any] = {"name": spec.artifact.name}
    if spec.partitions:
        found["partitions"] = {key: partition_form(value) for key, value in spec.partitions.items()}
    if spec.time is not None:
        found["timePartition"] = time_form(_truncated(spec.artifact, spec.time))
    return found


def made(
    name: str, python_types: Mapping[str, Any], inputs: Mapping[str, Any], results: Mapping[str, Any]
) -> dict[str, Made]:
    """The artifacts among the outputs of a run, by output.

    Args:
        name: the task's name, for messages.
        python_types: the outputs' types.
        inputs: the inputs, as JSON.
        results: the outputs, as Python values: the very objects that the task returned.

    Raises:
        FlyteAssertion: a partition has no value, or two.
    """
    found = {}
    for output, python_type in python_types.items():
        spec = specification_of(python_type)
        if spec is not None:
            found[output] = _made(
                f"the output {output} of {name}", spec, inputs, _taken(spec.artifact, results[output])
            )
    return found


def _refuse_open(where: str, spec: ArtifactSpecification) -> None:
    """No code runs at the end of a workflow which could say more."""
    lacking = _unbound(spec.artifact, spec.partitions, spec.time)
    if lacking:
        raise FlyteAssertion(
            f"{where} is the artifact {spec.artifact.name}, so its annotation has to bind {', '.join(lacking)}:"
            f" {spec.artifact.name}({lacking[0]}=Inputs.…)"
        )


def _unbound(artifact: Artifact, partitions: Mapping[str, Any], time: Any) -> list[str]:
    lacking = [key for key in artifact.partition_keys if key not in partitions]
    return lacking + ([TIME_PARTITION] if artifact.time_partitioned and time is None else [])


def _made(where: str, spec: ArtifactSpecification, inputs: Mapping[str, Any], noted: _Note | None) -> Made:
    artifact = spec.artifact
    partitions = {
        key: text_of(inputs[value.key]) if isinstance(value, InputBinding) else value
        for key, value in spec.partitions.items()
    }
    moment = moment_of(inputs[spec.time.key]) if isinstance(spec.time, InputBinding) else spec.time
    if noted is not None:
        twice = [key for key in noted.partitions if key in partitions]
        twice += [TIME_PARTITION] if noted.time is not None and moment is not None else []
        if twice:
            raise FlyteAssertion(f"{where}: {', '.join(twice)} is bound in the annotation and by create_from as well")
        partitions |= noted.partitions
        moment = moment or noted.time
    lacking = _unbound(artifact, partitions, moment)
    if lacking:
        raise FlyteAssertion(
            f"{where} is the artifact {artifact.name}, but nothing says its {', '.join(lacking)}: bind it in the"
            f" annotation, {artifact.name}({lacking[0]}=Inputs.…), or return {artifact.name}.create_from(value,"
            f" {lacking[0]}=…)"
        )
    time = None if moment is None else time_text(artifact.granularity.truncate(moment))
    cards = [*([artifact.card] if artifact.card else []), *(noted.cards if noted else [])]
    return Made(artifact.name, partitions, time, [_card_form(card) for card in cards])


def _taken(artifact: Artifact, value: Any) -> _Note | None:
    """The oldest note on the value, taken out: the same value may be returned twice."""
    running = current_task()
    notes = [] if running is None else _notes.get(running, [])
    place = next((at for at, one in enumerate(notes) if one.value is value and one.artifact.key == artifact.key), None)
    return None if place is None else notes.pop(place)


def _truncated(artifact: Artifact, time: datetime | InputBinding) -> datetime | InputBinding:
    return artifact.granularity.truncate(time) if isinstance(time, datetime) else time


def _card_form(card: Any) -> dict[str, str]:
    """A card of ours, or anything else that turns into a kind and a text."""
    if isinstance(card, Card):
        return card.manifest()
    kind, text = card.serialize_to_string()
    return {"type": kind, "text": text}
