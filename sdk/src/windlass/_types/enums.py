"""Enum and Literal: one of a few values, each known by what it is in JSON.

A member of an Enum travels as its value, a text or a whole number; that value is taken in place of the member, too.
Literals are checked, on both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from windlass._exceptions import UnsupportedTypeError
from windlass._types.misfit import Wrong, name_of, shown
from windlass._types.shape import Shape

_Key = tuple[type, Any]  # 1, True and 1.0 are equal, so a value is known with its class


class ChoiceShape(Shape):
    """A value of a fixed set. `choices` are the values with their JSON."""

    __slots__ = ("_by_wire", "_wires", "label")
    expression = "enum"
    described = True

    def __init__(self, label: str, choices: list[tuple[Any, Any]]) -> None:
        self.label = label
        self._wires: dict[_Key, Any] = {(type(value), value): wire for value, wire in choices}
        self._by_wire: dict[_Key, Any] = {(type(wire), wire): value for value, wire in choices}
        if len(self._by_wire) < len(self._wires):
            raise UnsupportedTypeError(f"two of the values of {label} are the same in JSON")

    def claims(self, value: Any) -> bool:
        return _key(value) in self._wires

    def encode(self, value: Any) -> Any:
        try:
            return self._wires[type(value), value]
        except (KeyError, TypeError):
            return self._encode_other(value)

    def _encode_other(self, value: Any) -> Any:
        raise self._wrong(value)

    def decode(self, wire: Any) -> Any:
        try:
            return self._by_wire[type(wire), wire]
        except (KeyError, TypeError):
            raise self._wrong(wire) from None

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        return {"enum": [wire for _, wire in self._by_wire]}

    def rank(self, wire: Any) -> int:
        return 2

    def _wrong(self, value: Any) -> Wrong:
        known = ", ".join(repr(wire) for _, wire in self._by_wire)
        return Wrong(f"{self.label} (one of {known})", value)


class EnumShape(ChoiceShape):
    """The members of an Enum."""

    __slots__ = ("_title",)

    def __init__(self, python_class: Any) -> None:
        members = list(python_class)
        for member in members:
            if type(member.value) not in (str, int):
                raise UnsupportedTypeError(
                    f"Only EnumTypes with value of string are supported (and whole numbers): {name_of(python_class)}."
                    f"{member.name} is {shown(member.value)}"
                )
        super().__init__(name_of(python_class), [(member, member.value) for member in members])
        self._title = python_class.__name__

    def _encode_other(self, value: Any) -> Any:
        if _key(value) not in self._by_wire:
            raise self._wrong(value)
        return value

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        return {"title": self._title, **super().schema(above)}


def literal_shape(python_type: Any, resolve: Callable[[Any], Shape]) -> ChoiceShape:
    """The shape of a `Literal[…]`, whose values are texts, numbers, bools, bytes or members of Enums."""
    values = [value for value in python_type.__args__ if value is not None]
    label = str(python_type).removeprefix("typing.")
    return ChoiceShape(label, [(value, resolve(type(value)).encode(value)) for value in values])


def _key(value: Any) -> _Key | None:
    try:
        hash(value)
    except TypeError:
        return None
    return type(value), value
