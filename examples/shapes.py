"""Types: what may travel between tasks, and how parts of it are picked.

    windlass run examples/shapes.py shapes --sides 8
    windlass run examples/shapes.py scaled --shape '{"name": "dot", "corners": [{"x": 1, "y": 2}]}' --factors '[1.5, 2]'

What it shows:

- dataclasses, nested, with defaults: `Shape` holds a list of `Point`s and a dict
- parts of a promise: `square.corners[0]` and `measured.area` are resolved when their consumer runs
- promises inside literals: `{"square": a.area, …}` becomes a dict input of the task
- several outputs: by name (`Measures`) and by position (`tuple`)
- order without data: `announce(...) >> square`, and `with_overrides` for one call (to a type checker a call returns
  what the function does, not a promise, hence the two `type: ignore`)
- a workflow inside a workflow: `scaled` is used by `shapes`
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from windlass import task, workflow


@dataclass
class Point:
    x: float
    y: float


@dataclass
class Shape:
    name: str
    corners: list[Point]
    tags: dict[str, str] = field(default_factory=dict)


class Measures(NamedTuple):
    area: float
    perimeter: float


@task
def announce(text: str) -> None:
    print(text)


@task
def regular(sides: int, radius: float = 1.0, name: str | None = None) -> Shape:
    """A regular polygon around the origin."""
    turns = [2 * math.pi * corner / sides for corner in range(sides)]
    corners = [Point(radius * math.cos(turn), radius * math.sin(turn)) for turn in turns]
    return Shape(name or f"{sides} sides", corners, {"regular": "yes"})


@task
def scale(shape: Shape, factor: float) -> Shape:
    corners = [Point(corner.x * factor, corner.y * factor) for corner in shape.corners]
    return Shape(f"{shape.name} x {factor:g}", corners, shape.tags)


@task
def measure(shape: Shape) -> Measures:
    pairs = list(zip(shape.corners, shape.corners[1:] + shape.corners[:1], strict=True))
    twice_the_area = sum(a.x * b.y - b.x * a.y for a, b in pairs)
    return Measures(abs(twice_the_area) / 2, sum(math.hypot(b.x - a.x, b.y - a.y) for a, b in pairs))


@task
def compare(areas: dict[str, float], corner: Point) -> list[str]:
    lines = [f"{name}: {area:.2f}" for name, area in sorted(areas.items())]
    return [*lines, f"first corner at ({corner.x:.1f}, {corner.y:.1f})"]


@workflow
def scaled(shape: Shape, factors: list[float]) -> tuple[Shape, float]:
    """Scales a shape by the first two of the factors, one after the other; the shape and its area."""
    last = scale(shape=scale(shape=shape, factor=factors[0]), factor=factors[1])
    return last, measure(shape=last).area


@workflow
def shapes(sides: int = 6, radius: float = 1.0) -> tuple[list[str], float]:
    """Compares a square, a polygon and the polygon scaled."""
    square = regular(sides=4, radius=radius, name="square")
    polygon = regular(sides=sides, radius=radius)
    polygon.with_overrides(node_name="polygon", retries=2)  # type: ignore[attr-defined]  # a promise of a Shape
    announce(text="measuring") >> square  # type: ignore[operator]  # order without data

    measured = measure(shape=square)
    _, large = scaled(shape=polygon, factors=[2.0, 1.5])
    areas = {"square": measured.area, "polygon": measure(shape=polygon).area, "scaled polygon": large}
    return compare(areas=areas, corner=square.corners[0]), measured.perimeter
