"""Types: everything that may travel between tasks, in one workflow.

    windlass run examples/types_of_values.py tour

Values travel as plain JSON, or as a reference to where their bytes are. What comes out is what went in: an int stays an
int, a time keeps its microseconds, an enum is the enum again.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from typing import Any, Literal

from windlass import task, workflow


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Reading:
    at: datetime
    value: float
    colour: Colour = Colour.RED


@task
def measure(day: date, lasting: timedelta, unit: Literal["C", "F"] = "C") -> list[Reading]:
    start = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
    return [
        Reading(start, 20.5 if unit == "C" else 68.9),
        Reading(start + lasting, 21.0 if unit == "C" else 69.8, Colour.BLUE),
    ]


@task
def by_colour(readings: list[Reading]) -> dict[Colour, float]:
    return {reading.colour: reading.value for reading in readings}


@task
def pack(values: dict[Colour, float], note: str | int | None) -> bytes:
    return f"{len(values)}:{note}".encode()


@task
def show(readings: list[Reading], values: dict[Colour, float], packed: bytes, anything: Any) -> str:
    span = readings[-1].at - readings[0].at
    return f"{span} {values[Colour.BLUE]:g} {packed.decode()} {anything}"


@workflow
def tour(day: date = date(2024, 2, 29), lasting: timedelta = timedelta(hours=1, microseconds=5)) -> str:
    readings = measure(day=day, lasting=lasting)
    values = by_colour(readings=readings)
    packed = pack(values=values, note=7)
    return show(readings=readings, values=values, packed=packed, anything={"n": [1, 2.5, None, True]})
