"""Shapes: what an annotation comes down to. Each knows its name in the contract, and the way to JSON and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Shape(ABC):
    """How values of one annotation travel. Immutable; made once for each annotation and kept (`resolve`)."""

    __slots__ = ()

    label: str
    """The type in Python's words, for errors."""

    @property
    @abstractmethod
    def expression(self) -> str:
        """The type in the contract's words."""

    @property
    def described(self) -> bool:
        """Whether the contract needs a schema beside the expression."""
        return False

    @property
    def by_reference(self) -> bool:
        """Whether the value itself lies in the store, and what travels is an object with its `uri`."""
        return False

    @property
    def pure(self) -> bool:
        """Whether the JSON of a value can be had without writing anything to the store."""
        return True

    @abstractmethod
    def encode(self, value: Any, /) -> Any:
        """The JSON of a value; raises `Misfit`."""

    @abstractmethod
    def decode(self, wire: Any, /) -> Any:
        """The value of a JSON; raises `Misfit`."""

    @abstractmethod
    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        """The JSON schema of the values; `above` are the structs around it."""

    def claims(self, value: Any) -> bool:
        """Whether the value's class is the one of this shape. Among the variants of a union such are tried first."""
        return False

    def check(self, wire: Any) -> None:
        """Raises `Misfit` if `decode` would, loading nothing from the store."""
        if not self.by_reference:
            self.decode(wire)

    def rank(self, wire: Any) -> int:
        """How much speaks for this shape where several read the same JSON: a text that spells a date is a date."""
        return 0

    def makes_floats_of_integers(self, wire: Any) -> bool:
        """Whether the shape, which reads this JSON, makes a float of some integer in it."""
        return False
