"""None, bool, int, float, str: JSON has them all, with less of float and with fewer texts."""

from __future__ import annotations

from typing import Any

from windlass._types.misfit import Misfit, Wrong
from windlass._types.shape import Shape

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
_INFINITY = float("inf")
SPECIAL_FLOATS = {"NaN": float("nan"), "Infinity": _INFINITY, "-Infinity": -_INFINITY}


class _Scalar(Shape):
    """What has a class, one word for a name, and a one-word schema."""

    __slots__ = ()
    python_class: type
    json_type: str

    def claims(self, value: Any) -> bool:
        return type(value) is self.python_class

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        return {"type": self.json_type}


class NoneShape(_Scalar):
    """None, which is null."""

    __slots__ = ()
    label, expression, python_class, json_type = "None", "none", type(None), "null"

    def encode(self, value: Any) -> None:
        if value is not None:
            raise Wrong("None", value)

    decode = encode


class BoolShape(_Scalar):
    """A bool, and nothing that is merely true or false."""

    __slots__ = ()
    label, expression, python_class, json_type = "bool", "bool", bool, "boolean"

    def encode(self, value: Any) -> Any:
        if type(value) is not bool:
            raise Wrong("bool", value)
        return value

    decode = encode


class IntShape(_Scalar):
    """An int of 64 bits, and no bool."""

    __slots__ = ()
    label, expression, python_class, json_type = "int", "int", int, "integer"

    def encode(self, value: Any) -> Any:
        if type(value) is not int:
            raise Wrong("int", value)
        if not INT_MIN <= value <= INT_MAX:
            raise Misfit("the integer is beyond 64 bits, where Kubernetes would round it; pass it as a str")
        return value

    def decode(self, wire: Any) -> Any:
        if type(wire) is not int:
            raise Wrong("int", wire)
        return wire


class FloatShape(_Scalar):
    """A float; a JSON integer is taken for one, since Kubernetes writes 1.0 as 1."""

    __slots__ = ()
    label, expression, python_class, json_type = "float", "float", float, "number"

    def encode(self, value: Any) -> Any:
        if type(value) is not float:
            raise Wrong("float", value)
        if value - value == 0.0:  # so it is finite
            return value
        if value != value:  # noqa: PLR0124  the definition of not-a-number
            return "NaN"
        return "Infinity" if value > 0 else "-Infinity"

    def decode(self, wire: Any) -> float:
        if type(wire) is float:
            return wire
        if type(wire) is int:
            try:
                return float(wire)
            except OverflowError:
                raise Misfit("the number is too large for a float") from None
        if type(wire) is str and wire in SPECIAL_FLOATS:
            return SPECIAL_FLOATS[wire]
        raise Wrong("float", wire)

    def makes_floats_of_integers(self, wire: Any) -> bool:
        return type(wire) is int


class FieldFloatShape(FloatShape):
    """A float as a field of a dataclass, where people write 1 and mean 1.0."""

    __slots__ = ()

    def encode(self, value: Any) -> Any:
        return self.decode(value) if type(value) is int else super().encode(value)


class StrShape(_Scalar):
    """A text, of valid Unicode."""

    __slots__ = ()
    label, expression, python_class, json_type = "str", "str", str, "string"

    def encode(self, value: Any) -> Any:
        if type(value) is not str:
            raise Wrong("str", value)
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise Misfit(
                    f"the text is not valid Unicode: a lone surrogate at position {error.start}"
                    " (read the text with the right encoding, or pass it as bytes)"
                ) from None
        return value

    decode = encode


class TextShape(Shape):
    """What travels as a text that only some texts are; where `str` is another variant, such a text is none of it."""

    __slots__ = ()
    python_class: type

    def claims(self, value: Any) -> bool:
        return type(value) is self.python_class

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        return {"type": "string", "x-windlass-type": self.expression}

    def rank(self, wire: Any) -> int:
        return 1


NONE, BOOL, INT, FLOAT, STR = NoneShape(), BoolShape(), IntShape(), FloatShape(), StrShape()
FIELD_FLOAT = FieldFloatShape()
SHAPES: dict[type, Shape] = {type(None): NONE, bool: BOOL, int: INT, float: FLOAT, str: STR}
