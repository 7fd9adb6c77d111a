"""list, dict, and iterators: what is made of values of one shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from windlass._types.misfit import Misfit, Wrong, key_step
from windlass._types.plain import check_keys, plain, read_plain
from windlass._types.shape import Shape


class _OfItems(Shape):
    """What holds values of one shape. What is asked only for a manifest is found out when it is asked."""

    __slots__ = ("item", "label")

    def __init__(self, item: Shape, label: str) -> None:
        self.item = item
        self.label = label

    @property
    def described(self) -> bool:
        return self.item.described

    @property
    def pure(self) -> bool:
        return self.item.pure


class ListShape(_OfItems):
    """A list, which is an array."""

    __slots__ = ()

    def __init__(self, item: Shape) -> None:
        super().__init__(item, f"list[{item.label}]")

    @property
    def expression(self) -> str:
        return f"list[{self.item.expression}]"

    def claims(self, value: Any) -> bool:
        return type(value) is list

    def encode(self, value: Any) -> list[Any]:
        if type(value) is not list:
            raise Wrong(self.label, value)
        return each(self.item.encode, value)

    def decode(self, wire: Any) -> list[Any]:
        if type(wire) is not list:
            raise Wrong(self.label, wire)
        return each(self.item.decode, wire)

    def check(self, wire: Any) -> None:
        if type(wire) is not list:
            raise Wrong(self.label, wire)
        each(self.item.check, wire)

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema(above)}

    def rank(self, wire: Any) -> int:
        return max((self.item.rank(item) for item in wire), default=0)

    def makes_floats_of_integers(self, wire: Any) -> bool:
        return any(map(self.item.makes_floats_of_integers, wire))


class IteratorShape(ListShape):
    """An iterator: all it yields is taken before the task ends, and the consumer gets an iterator over that."""

    __slots__ = ()

    def __init__(self, item: Shape) -> None:
        super().__init__(item)
        self.label = f"Iterator[{item.label}]"

    def claims(self, value: Any) -> bool:
        return hasattr(value, "__next__")

    def encode(self, value: Any) -> list[Any]:
        if not hasattr(value, "__next__") and type(value) is not list:
            raise Wrong(self.label, value)
        return each(self.item.encode, list(value))

    def decode(self, wire: Any) -> Any:
        return iter(super().decode(wire))


class DictShape(_OfItems):
    """A dict with keys that are texts."""

    __slots__ = ()

    def __init__(self, item: Shape) -> None:
        super().__init__(item, f"dict[str, {item.label}]")

    @property
    def expression(self) -> str:
        return f"dict[str, {self.item.expression}]"

    def claims(self, value: Any) -> bool:
        return type(value) is dict

    def encode(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise Wrong(self.label, value)
        check_keys(value)
        return each_value(self.item.encode, value)

    def decode(self, wire: Any) -> dict[Any, Any]:
        if type(wire) is not dict:
            raise Wrong(self.label, wire)
        return each_value(self.item.decode, wire)

    def check(self, wire: Any) -> None:
        if type(wire) is not dict:
            raise Wrong(self.label, wire)
        each_value(self.item.check, wire)

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.item.schema(above)}

    def rank(self, wire: Any) -> int:
        return max((self.item.rank(item) for item in wire.values()), default=0)

    def makes_floats_of_integers(self, wire: Any) -> bool:
        return any(map(self.item.makes_floats_of_integers, wire.values()))


class BareDictShape(DictShape):
    """A `dict` that says nothing of its content: JSON, or where pickles are allowed, anything."""

    __slots__ = ("_strict",)

    def __init__(self, anything: Shape, *, strict: bool) -> None:
        super().__init__(anything)
        self.label = "dict"
        self._strict = strict

    @property
    def pure(self) -> bool:
        return self._strict

    def encode(self, value: Any) -> Any:
        if type(value) is not dict:
            raise Wrong(self.label, value)
        return plain(value) if self._strict else self.item.encode(value)

    def decode(self, wire: Any) -> Any:
        if type(wire) is not dict:
            raise Wrong(self.label, wire)
        return read_plain(wire) if self._strict else self.item.decode(wire)

    def check(self, wire: Any) -> None:
        if type(wire) is not dict:
            raise Wrong(self.label, wire)


def each(convert: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """Every item converted; a misfit says which it was."""
    converted: list[Any] = []
    try:
        for item in items:
            converted.append(convert(item))  # noqa: PERF401  its length says where the misfit is
    except Misfit as misfit:
        raise misfit.under(f"[{len(converted)}]") from misfit.__cause__
    return converted


def each_value(convert: Callable[[Any], Any], items: dict[str, Any]) -> dict[str, Any]:
    """Every value converted; a misfit says under which key it was."""
    converted: dict[str, Any] = {}
    key = ""
    try:
        for key, item in items.items():
            converted[key] = convert(item)
    except Misfit as misfit:
        raise misfit.under(key_step(key)) from misfit.__cause__
    return converted
