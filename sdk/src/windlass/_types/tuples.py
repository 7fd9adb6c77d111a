"""Tuples and NamedTuples as fields of dataclasses and TypedDicts: an array.

As inputs and outputs they are refused: there a tuple is how several outputs are written.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator
from typing import Any

from windlass._types.misfit import Misfit, Wrong, name_of
from windlass._types.shape import Shape


class TupleShape(Shape):
    """A tuple; a list is taken in its place. `items` has one shape for each part, or one for all of them."""

    __slots__ = ("_class", "_items", "_same", "label")
    expression = "list[any]"

    def __init__(self, python_type: Any, items: list[Shape], *, same: bool) -> None:
        self.label = name_of(python_type)
        self._class: Any = getattr(python_type, "__origin__", python_type)
        self._items = items
        self._same = same

    @property
    def pure(self) -> bool:
        return all(item.pure for item in self._items)

    def claims(self, value: Any) -> bool:
        return type(value) is self._class

    def encode(self, value: Any) -> list[Any]:
        if type(value) is not self._class and type(value) is not list:
            raise Wrong(self.label, value)
        return self._each(lambda item: item.encode, list(value))

    def decode(self, wire: Any) -> Any:
        parts = self._each(lambda item: item.decode, self._array(wire))
        return self._class(*parts) if hasattr(self._class, "_fields") else tuple(parts)

    def check(self, wire: Any) -> None:
        self._each(lambda item: item.check, self._array(wire))

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        if self._same:
            return {"type": "array", "items": self._items[0].schema(above)}
        parts = [item.schema(above) for item in self._items]
        return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}

    def rank(self, wire: Any) -> int:
        return max((item.rank(part) for item, part in self._pairs(wire)), default=0)

    def makes_floats_of_integers(self, wire: Any) -> bool:
        return any(item.makes_floats_of_integers(part) for item, part in self._pairs(wire))

    def _array(self, wire: Any) -> list[Any]:
        if type(wire) is not list:
            raise Wrong(self.label, wire)
        return wire

    def _each(self, converter: Callable[[Shape], Callable[[Any], Any]], values: list[Any]) -> list[Any]:
        if not self._same and len(values) != len(self._items):
            raise Misfit(f"{self.label} has {len(self._items)} parts, got {len(values)}")
        converted: list[Any] = []
        try:
            for shape, value in self._pairs(values):
                converted.append(converter(shape)(value))
        except Misfit as misfit:
            raise misfit.under(f"[{len(converted)}]") from misfit.__cause__
        return converted

    def _pairs(self, values: list[Any]) -> Iterator[tuple[Shape, Any]]:
        shapes = self._items * len(values) if self._same else self._items
        return zip(shapes, values, strict=True)


def tuple_shape(plain: Any, resolve: Callable[[Any], Shape]) -> TupleShape:
    """The shape of an annotation that is a tuple; a bare one may hold anything."""
    origin = getattr(plain, "__origin__", plain)
    if hasattr(origin, "_fields"):
        hints = typing.get_type_hints(origin, include_extras=True)
        return TupleShape(plain, [resolve(hints.get(name, Any)) for name in origin._fields], same=False)
    members = getattr(plain, "__args__", None)
    if members is None or plain is typing.Tuple:  # noqa: UP006  users write it
        members = (Any, ...)
    same = len(members) == 2 and members[1] is ...
    return TupleShape(plain, [resolve(member) for member in (members[:1] if same else members)], same=same)
