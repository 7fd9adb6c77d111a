"""The artifacts of this machine: what local runs made, so that queries in local runs find it.

They are kept for this process; with WINDLASS_LOCAL_ARTIFACTS, the path of a folder, in files there, for the next one as
well. (Files and tables lie where WINDLASS_RAW_OUTPUT_PREFIX says; without it they end with the process.)
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from windlass._artifacts.created import Made, made
from windlass._artifacts.query import ArtifactQuery, time_text
from windlass._bindings import kind_of
from windlass._exceptions import FlyteAssertion, FlyteEntityAlreadyExistsException
from windlass_api import artifacts

if TYPE_CHECKING:
    from windlass._entity import Entity

FOLDER = "WINDLASS_LOCAL_ARTIFACTS"


class Kept(NamedTuple):
    """An artifact with its value, as JSON."""

    name: str
    version: str
    partitions: dict[str, str]
    time_partition: str | None
    value: Any
    type: str
    cards: list[dict[str, str]]


_kept: list[Kept] = []
_lock = threading.Lock()


def keep(one: Made, value: Any, type_expression: str, version: str | None = None) -> Kept:
    """Adds a version. One that is there already is never changed."""
    new = Kept(
        one.name,
        version or secrets.token_hex(8),
        one.partitions,
        one.time_partition,
        value,
        type_expression,
        one.cards,
    )
    with _lock:
        if any(_identity(other) == _identity(new) for other in _all()):
            raise FlyteEntityAlreadyExistsException(
                f"the artifact {new.name} has a version {new.version} already; versions never change, make another"
            )
        _kept.append(new)
        _write(new)
    return new


def record(entity: Entity, inputs: Mapping[str, Any], results: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """Keeps the outputs of a local run that are artifacts.

    Args:
        entity: the task or workflow.
        inputs: its inputs as JSON.
        results: its outputs as Python values, the very objects that it returned; of a workflow, as JSON.
        outputs: its outputs as JSON.
    """
    types = entity.interface.outputs
    for name, one in made(entity.name, types, inputs, results).items():
        keep(one, outputs[name], str(kind_of(types[name]).type))


def latest(query: ArtifactQuery, inputs: Mapping[str, Any], where: str = "") -> Kept:
    """The newest match, given the inputs which the query refers to.

    Raises:
        FlyteAssertion: there is none; the message says what there is.
    """
    try:
        partitions, moment = query.settled(inputs)
    except ValueError as error:
        raise FlyteAssertion(f"{where}{error}") from None
    time = None if moment is None else time_text(moment)
    with _lock:
        named: list[Kept] = [one for one in _all() if one.name == query.name]
    wanted = {"name": query.name, "version": query.version, "partitions": partitions, "timePartition": time}
    for one in named[::-1]:
        if artifacts.matches({**one._asdict(), "timePartition": one.time_partition}, wanted):
            return one
    there = "; there is " + ", ".join(_told(one) for one in named[-5:]) if named else " and no other of that name"
    raise FlyteAssertion(
        f"{where}no artifact matches {query!r}{there}. Run the task that makes it first"
        + (f"; artifacts of other processes are seen with {FOLDER}" if not named else "")
    )


def forget() -> None:
    """Drops what this process keeps; files stay."""
    with _lock:
        _kept.clear()


def _identity(one: Kept) -> tuple[Any, ...]:
    return (one.name, one.version, sorted(one.partitions.items()), one.time_partition)


def _told(one: Kept) -> str:
    parts = [f"{key}={value}" for key, value in one.partitions.items()]
    parts += [one.time_partition] if one.time_partition else []
    return f"({', '.join(parts) or one.version})"


def _all() -> list[Kept]:
    """What this process made and, with a folder, what others did: the newest last."""
    folder = os.environ.get(FOLDER)
    if not folder or not os.path.isdir(folder):  # noqa: PTH112  pathlib is not loaded in pods, and this may be
        return list(_kept)
    found: list[Kept] = []
    for file in sorted(os.listdir(folder)):  # noqa: PTH208  as above
        if file.endswith(".json"):
            with open(os.path.join(folder, file), encoding="utf-8") as content:  # noqa: PTH118, PTH123  as above
                found.append(Kept(**json.load(content)))
    return found + [one for one in _kept if one not in found]


def _write(new: Kept) -> None:
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103  as above
    number = 1 + max((int(file.partition("-")[0]) for file in os.listdir(folder) if file[:1].isdigit()), default=0)  # noqa: PTH208
    path = os.path.join(folder, f"{number:08}-{new.version}.json")  # noqa: PTH118  as above
    with open(f"{path}.part", "w", encoding="utf-8") as content:  # noqa: PTH123  as above
        json.dump(new._asdict(), content)
    os.replace(f"{path}.part", path)  # noqa: PTH105  as above
