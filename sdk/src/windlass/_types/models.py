"""pydantic models (version 2): objects in pydantic's own JSON form, by the names of the fields.

What a field may hold is pydantic's matter. The JSON is checked all the same: it must come through Kubernetes as it is,
so numbers that are not finite become the texts that the contract has for them, and integers stay within 64 bits.
"""

from __future__ import annotations

from typing import Any

from windlass._exceptions import TypeTransformerFailedError
from windlass._types.misfit import Misfit, name_of, shown
from windlass._types.plain import plain
from windlass._types.scalars import FLOAT
from windlass._types.transformer import TypeTransformer


class ModelTransformer(TypeTransformer[Any]):
    """Models, generic ones with their parameters, and root models (as `{"root": …}`)."""

    def __init__(self) -> None:
        super().__init__("pydantic model", _pydantic().BaseModel)

    def type_expression(self, python_type: Any) -> tuple[str, dict[str, Any] | None]:
        model = _model(python_type)
        try:
            schema = _finite(model.model_json_schema(by_alias=False))[0]
        except _pydantic().PydanticUserError as error:
            raise TypeTransformerFailedError(f"{name_of(model)} has no JSON schema: {error}") from error
        if not _is_root(model):
            return "struct", schema
        definitions = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
        properties = {"root": schema}
        return "struct", {"type": "object", "properties": properties, "required": ["root"], **definitions}

    def to_wire(self, value: Any, python_type: Any) -> Any:
        model = _model(python_type)
        if type(value) is dict:
            value = self.from_wire({"root": value} if _is_root(model) else value, python_type)
        if type(value) is not model:
            raise TypeTransformerFailedError(f"expected {name_of(model)}, got {shown(value)}")
        try:
            dumped = value.model_dump(mode="json", round_trip=True, warnings="error")
        except Exception as error:
            raise TypeTransformerFailedError(f"pydantic can't write {shown(value)} as JSON: {error}") from error
        content, finite = _finite({"root": dumped} if _is_root(model) else dumped)
        try:
            wire = plain(content)
        except Misfit as misfit:
            raise TypeTransformerFailedError(str(misfit)) from None
        if not finite:
            self.from_wire(wire, python_type)  # a strict model may refuse the texts
        return wire

    def from_wire(self, value: Any, python_type: Any) -> Any:
        import json  # noqa: PLC0415  pydantic has loaded it

        model = _model(python_type)
        if type(value) is not dict or (_is_root(model) and "root" not in value):
            raise TypeTransformerFailedError(f"expected {name_of(model)}, got {shown(value)}")
        content = value["root"] if _is_root(model) else value
        try:
            return model.model_validate_json(json.dumps(content), **_by_name())
        except _pydantic().ValidationError as error:
            raise TypeTransformerFailedError(f"{name_of(model)} refused its values: {error}") from error


def _finite(value: Any) -> tuple[Any, bool]:
    """JSON without numbers that are not finite, and whether there were none."""
    if type(value) is float:
        wire = FLOAT.encode(value)
        return wire, type(wire) is float
    if type(value) is list:
        items = [_finite(item) for item in value]
        return [item for item, _ in items], all(finite for _, finite in items)
    if type(value) is dict:
        members = {key: _finite(item) for key, item in value.items()}
        return {key: item for key, (item, _) in members.items()}, all(finite for _, finite in members.values())
    return value, True


def _model(python_type: Any) -> Any:
    return getattr(python_type, "__origin__", python_type)  # without Annotated; a generic model is a class of its own


def _is_root(model: Any) -> bool:
    return bool(issubclass(model, _pydantic().RootModel))


def _by_name() -> dict[str, Any]:
    """Fields go by their names, not by their aliases; before 2.11 pydantic left that to each model."""
    major, minor = _pydantic().VERSION.split(".")[:2]
    return {"by_alias": False, "by_name": True} if (int(major), int(minor)) >= (2, 11) else {}


def _pydantic() -> Any:
    return __import__("pydantic")
