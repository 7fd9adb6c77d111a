"""bytes, which travel as base64 text."""

from __future__ import annotations

import binascii
from typing import Any

from windlass._types.misfit import Wrong
from windlass._types.scalars import TextShape


class BytesShape(TextShape):
    """Bytes."""

    __slots__ = ()
    label, expression, python_class = "bytes", "bytes", bytes

    def encode(self, value: Any) -> str:
        if type(value) is not bytes:
            raise Wrong("bytes", value)
        return binascii.b2a_base64(value, newline=False).decode("ascii")

    def decode(self, wire: Any) -> bytes:
        if type(wire) is str and wire.isascii():
            try:
                value = binascii.a2b_base64(wire)
            except ValueError:
                raise Wrong("bytes as base64 text", wire) from None
            if binascii.b2a_base64(value, newline=False) == wire.encode():  # it passes over what is no base64
                return value
        raise Wrong("bytes as base64 text", wire)
