"""Types of the contract as annotations, for definitions whose code is not here.

The expression and schema stay exactly as the cluster has them, so that wiring is checked as strictly as in the module
that defined them; values are what one would expect (`int` an int, `dataframe` a StructuredDataset, `struct` a dict),
and who has a dataclass or a DataFrame at hand may give that.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, NamedTuple

from windlass import _types
from windlass._artifacts.values import python_type
from windlass._bindings import kind_of
from windlass._exceptions import TypeTransformerFailedError
from windlass._interface import MISSING, Interface, Parameter
from windlass._reference import tuple_of
from windlass._types.transformer import TypeTransformer
from windlass_api import types


class ContractTransformer(TypeTransformer[Any]):
    """Carries values of one type of the contract."""

    def __init__(self, expression: str, schema: dict[str, Any] | None) -> None:
        super().__init__(expression, object)
        self._expression = expression
        self._schema = schema
        self._guess = python_type(types.parse_type(expression))

    def type_expression(self, python_type: Any) -> tuple[str, dict[str, Any] | None]:
        """As the cluster has it."""
        return self._expression, self._schema

    def to_wire(self, value: Any, python_type: Any) -> Any:
        """The JSON of a value of the guessed type, or of its own class where that gives this type of the contract."""
        if isinstance(value, ClusterDefault):
            value = value.value
        own = type(value)
        if self._guess is Any or not isinstance(value, _class_of(self._guess)):
            fitting = self._own_wire(value, own)
            if fitting is not MISSING:
                return fitting
        return _types.to_wire(value, self._guess, f"{self._expression}:")

    def from_wire(self, value: Any, python_type: Any) -> Any:
        """The value of the guessed type."""
        return _types.from_wire(value, self._guess, f"{self._expression}:")

    def _own_wire(self, value: Any, own: type) -> Any:
        """A value's JSON by its own class, if that is what the contract calls this type."""
        if own in (dict, list, type(None), str, int, float, bool):
            return MISSING
        try:
            kind = kind_of(own)
        except TypeTransformerFailedError:
            return MISSING
        if not types.assignable(kind.type, types.parse_type(self._expression)):
            return MISSING
        return _types.to_wire(value, own, f"{self._expression}:")


class ClusterDefault(NamedTuple):
    """A default that can be changed, kept apart so that it is not: calls leave it to the cluster."""

    value: Any


def annotation_of(declared: Mapping[str, Any]) -> Any:
    """The annotation of an input or output of the contract. What an artifact may fill need not be given."""
    expression, schema = declared.get("type", "any"), declared.get("schema")
    plain = schema is None and "artifact" not in declared
    if plain and expression in ("any", "none", "bool", "int", "float", "str", "datetime", "date", "timedelta"):
        return python_type(types.parse_type(expression))
    return typing.Annotated[Any, ContractTransformer(expression, schema)]


def interface_of(spec: Mapping[str, Any]) -> Interface:
    """The inputs and outputs of a definition."""
    inputs = {}
    for name, declared in (spec.get("inputs") or {}).items():
        annotation = annotation_of(declared)
        inputs[name] = Parameter(name, annotation, _default(declared, annotation, name))
    outputs = {name: annotation_of(declared) for name, declared in (spec.get("outputs") or {}).items()}
    return Interface(inputs, outputs, tuple_of(outputs))


def _default(declared: Mapping[str, Any], annotation: Any, name: str) -> Any:
    if "default" in declared:
        value = _types.from_wire(declared["default"], annotation, f"the default of {name}:")
        return ClusterDefault(value) if isinstance(value, list | dict | set) else value
    nothing = types.assignable(types.NONE, types.parse_type(declared.get("type", "any")))
    return None if nothing or "artifact" in declared else MISSING


def _class_of(annotation: Any) -> type:
    """The class that values of an annotation have; object where there are several."""
    origin = typing.get_origin(annotation) or annotation
    return origin if isinstance(origin, type) else object
