"""dicts whose keys are no texts: in JSON each key is the text of its own JSON, `{3: …}` is `{"3": …}`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from windlass._exceptions import UnsupportedTypeError
from windlass._types.containers import DictShape, each_value
from windlass._types.misfit import Misfit, Wrong
from windlass._types.scalars import SPECIAL_FLOATS
from windlass._types.shape import Shape

_INT_TEXT = re.compile(r"-?(0|[1-9][0-9]{0,18})\Z")
_FLOAT_TEXT = re.compile(r"-?(0|[1-9][0-9]{0,400})(\.[0-9]{1,400})?([eE][-+]?[0-9]{1,4})?\Z")


class KeyedDictShape(DictShape):
    """A dict whose keys are other scalars: each is written as the text of its JSON."""

    __slots__ = ("key",)

    def __init__(self, key: Shape, item: Shape) -> None:
        super().__init__(item)
        self.key = key
        self.label = f"dict[{key.label}, {item.label}]"

    @property
    def described(self) -> bool:
        return self.item.described or self.key.described

    @property
    def expression(self) -> str:
        return f"dict[{self.key.expression}, {self.item.expression}]"

    def encode(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise Wrong(self.label, value)
        keyed = {self._write(key): item for key, item in value.items()}
        if len(keyed) < len(value):
            raise Misfit("two of its keys are written alike in JSON")
        return each_value(self.item.encode, keyed)

    def decode(self, wire: Any) -> dict[Any, Any]:
        values = super().decode(wire)
        decoded = {self._read(text): item for text, item in values.items()}
        if len(decoded) < len(values):
            raise Misfit("two of its keys stand for the same value")
        return decoded

    def check(self, wire: Any) -> None:
        super().check(wire)
        for text in wire:
            self._read(text)

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        schema = super().schema(above)
        schema["x-windlass-type"] = self.expression
        keys = self.key.schema(above).get("enum")
        return schema if keys is None else {**schema, "propertyNames": {"enum": [_text(key) for key in keys]}}

    def _write(self, key: Any) -> str:
        try:
            return _text(self.key.encode(key))
        except Misfit as misfit:
            raise Misfit(f"a key does not fit: {misfit}") from misfit.__cause__

    def _read(self, text: str) -> Any:
        try:
            return self.key.decode(_KEY_READERS.get(self.key.expression, _same)(text))
        except Misfit as misfit:
            raise Misfit(f"a key does not fit: {misfit}") from misfit.__cause__


class EnumKeyedDictShape(KeyedDictShape):
    """A dict whose keys are of an enum or Literal, in which texts and numbers may stand side by side."""

    __slots__ = ("_wires",)

    def __init__(self, key: Shape, item: Shape) -> None:
        super().__init__(key, item)
        wires = key.schema(())["enum"]
        self._wires = {_text(wire): wire for wire in wires}
        if len(self._wires) < len(wires):
            raise UnsupportedTypeError(
                f"{self.label}: two of the keys that {key.label} allows are written alike in JSON"
            )

    def _read(self, text: str) -> Any:
        return super()._read(self._wires.get(text, text))


def _text(wire: Any) -> str:
    """A scalar's JSON as text; a text is itself."""
    if type(wire) is str:
        return wire
    if wire is None:
        return "null"
    return str(wire).lower() if type(wire) is bool else repr(wire)


def _same(text: str) -> Any:
    return text


def _read_bool(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text)


def _read_int(text: str) -> Any:
    return int(text) if _INT_TEXT.match(text) else text


def _read_float(text: str) -> Any:
    if text in SPECIAL_FLOATS or not _FLOAT_TEXT.match(text):
        return text
    return float(text)


_KEY_READERS: dict[str, Callable[[str], Any]] = {"bool": _read_bool, "int": _read_int, "float": _read_float}
