"""From JSON to a Python value where no annotation says which: by the contract's type expression.

`int` gives an int, `list[datetime]` a list of datetimes, `file[csv]` a FlyteFile, `dataframe` a StructuredDataset,
`struct` a dict. A caller who knows better names the type.
"""

from __future__ import annotations

import typing
from datetime import date, datetime, timedelta
from typing import Any

from windlass import _types
from windlass_api import types

_SIMPLE: dict[str, Any] = {
    "any": Any,
    "none": type(None),
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "datetime": datetime,
    "date": date,
    "timedelta": timedelta,
    "bytes": bytes,
    "struct": Any,
    "enum": Any,
}


def python_value(value: Any, as_type: Any, expression: str | None, where: str) -> Any:
    """The JSON value as that type; without a type, as the expression says."""
    found = as_type if as_type is not None else python_type(types.parse_type(expression or "any"))
    return _types.from_wire(value, found, where)


def python_type(parsed: Any) -> Any:
    """The Python type for a type of the contract."""
    name = parsed.name
    arguments = tuple(python_type(argument) for argument in parsed.args if not isinstance(argument, str))
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name == "list":
        return list[arguments[0]]  # type: ignore[valid-type]  # built at run time
    if name == "dict":
        return dict[arguments[0], arguments[1]]  # type: ignore[valid-type]  # built at run time
    if name == "optional":
        return typing.Optional[arguments[0]]  # noqa: UP045  built at run time
    if name == "union":
        return typing.Union[arguments]  # noqa: UP007  built at run time
    return _foreign(name)


def _foreign(name: str) -> Any:
    import windlass  # noqa: PLC0415  its table of names knows where they are

    classes = {"file": "FlyteFile", "directory": "FlyteDirectory", "dataframe": "StructuredDataset"}
    return getattr(windlass, classes[name]) if name in classes else Any
