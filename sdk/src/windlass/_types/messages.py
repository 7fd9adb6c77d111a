"""protobuf messages: objects in protobuf's JSON form, with the names of the .proto file.

That form writes integers of 64 bits as texts, which is undone here, so that an int stays an int for whoever takes a
part of the message; the few that no JSON of Kubernetes holds (beyond 2⁶³) stay texts.
"""

from __future__ import annotations

from typing import Any

from windlass._exceptions import TypeTransformerFailedError
from windlass._types.misfit import Misfit, name_of, shown
from windlass._types.plain import plain
from windlass._types.scalars import INT_MAX, INT_MIN
from windlass._types.transformer import TypeTransformer

_WRAPPERS = ("google.protobuf.Int64Value", "google.protobuf.UInt64Value")
_FREE = ("google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue", "google.protobuf.Any")


class MessageTransformer(TypeTransformer[Any]):
    """Messages of any generated class; those whose JSON is no object (`Timestamp`, `Int64Value`) as `{"value": …}`."""

    def __init__(self) -> None:
        super().__init__("protobuf message", _module("google.protobuf.message").Message)

    def type_expression(self, python_type: Any) -> tuple[str, dict[str, Any] | None]:
        return "struct", {"type": "object", "title": _message(python_type).DESCRIPTOR.full_name}

    def to_wire(self, value: Any, python_type: Any) -> Any:
        message = _message(python_type)
        if not isinstance(value, message):
            raise TypeTransformerFailedError(f"expected {name_of(message)}, got {shown(value)}")
        json_format = _module("google.protobuf.json_format")
        try:
            content = json_format.MessageToDict(value, preserving_proto_field_name=True, **_with_defaults(json_format))
        except json_format.Error as error:
            raise TypeTransformerFailedError(f"protobuf can't write it as JSON: {error}") from error
        content = _with_integers(content, value.DESCRIPTOR)
        try:
            return plain(content if _is_object(value.DESCRIPTOR) else {"value": content})
        except Misfit as misfit:
            raise TypeTransformerFailedError(str(misfit)) from None

    def from_wire(self, value: Any, python_type: Any) -> Any:
        message = _message(python_type)()
        if type(value) is not dict:
            raise TypeTransformerFailedError(f"expected {name_of(type(message))}, got {shown(value)}")
        json_format = _module("google.protobuf.json_format")
        try:
            return json_format.ParseDict(value if _is_object(message.DESCRIPTOR) else value.get("value"), message)
        except json_format.ParseError as error:
            raise TypeTransformerFailedError(f"protobuf refused the JSON: {error}") from error


def _with_defaults(json_format: Any) -> dict[str, bool]:
    """Fields that hold their default are written too, so that they can be taken as a part. (Renamed in protobuf 26.)"""
    known = json_format.MessageToDict.__code__.co_varnames
    new = "always_print_fields_with_no_presence"
    return {new if new in known else "including_default_value_fields": True}


def _is_object(descriptor: Any) -> bool:
    """Whether the JSON of such a message is an object; for some of Google's own it is a text, a number or a list."""
    package, _, name = descriptor.full_name.rpartition(".")
    return package != "google.protobuf" or not (
        name.endswith("Value") or name in ("Timestamp", "Duration", "FieldMask")
    )


def _with_integers(content: Any, descriptor: Any) -> Any:
    """The JSON of a message with texts that stand for integers turned into such."""
    if descriptor.full_name in _WRAPPERS:
        return _integer(content)
    if descriptor.full_name in _FREE or type(content) is not dict:
        return content
    fields = descriptor.fields_by_name
    return {name: _field(item, fields[name]) if name in fields else item for name, item in content.items()}


def _field(content: Any, field: Any) -> Any:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        values = inner.fields_by_name["value"]
        return {key: _field(item, values) for key, item in content.items()}
    if type(content) is list and (inner is None or inner.full_name not in _FREE):
        return [_one(item, field) for item in content]
    return _one(content, field)


def _one(content: Any, field: Any) -> Any:
    if field.message_type is not None:
        return _with_integers(content, field.message_type)
    return _integer(content) if field.cpp_type in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64) else content


def _integer(content: Any) -> Any:
    if type(content) is not str:
        return content
    return int(content) if INT_MIN <= int(content) <= INT_MAX else content


def _message(python_type: Any) -> Any:
    return getattr(python_type, "__origin__", python_type)


def _module(name: str) -> Any:
    return __import__(name, fromlist=["Message"])
