"""The marshmallow schema of a folder, for code that has been given one by dataclasses_json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from windlass._data.folders import FlyteDirectory


def folder_schema(cls: type[FlyteDirectory], infer_missing: bool, context: Any, options: dict[str, Any]) -> Any:
    """A schema with one field, `path`, that loads folders of class `cls`."""
    if context is not None:
        raise ValueError("context is no option of marshmallow's schemas any more; keep what it held in your own code")
    try:
        import marshmallow  # noqa: PLC0415  optional, needed by this method alone
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "FlyteDirectory.schema() gives a marshmallow schema, and marshmallow is not installed (pip install"
            " marshmallow); to_dict() and from_dict() do without",
            name=error.name,
        ) from error

    def make(self: Any, data: Mapping[str, Any], **kwargs: Any) -> FlyteDirectory | None:
        return cls.from_dict(data) if data.get("path") is not None else None

    def take(self: Any, folder: FlyteDirectory, **kwargs: Any) -> dict[str, Any]:
        return folder.to_dict()

    path = marshmallow.fields.String(required=not infer_missing, allow_none=infer_missing)
    members = {"path": path, "make": marshmallow.post_load(make), "take": marshmallow.pre_dump(take)}
    schema: Any = type(f"{cls.__name__}Schema", (marshmallow.Schema,), members)
    return schema(**options)
