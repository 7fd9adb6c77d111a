"""JSON as it is: what `Any`, a bare `dict` and JSON columns carry, checked and copied, never changed.

What would come back as something else is refused: a tuple (a list), keys that are no texts, not-a-number (a text),
integers beyond 64 bits (Kubernetes rounds them), and data that looks like the reference to a pickle.
"""

from __future__ import annotations

from typing import Any

from windlass._types.misfit import Misfit, Wrong, key_step, shown
from windlass._types.scalars import BOOL, FLOAT, INT, INT_MAX, INT_MIN, NONE, STR
from windlass._types.shape import Shape

PICKLE_KEY = "$pickle"
PICKLE_FORMAT = "pickle"
_SCALARS: dict[type, Shape] = {type(None): NONE, bool: BOOL, int: INT, str: STR}


def plain(value: Any) -> Any:
    """A copy of the JSON value; raises `Misfit` for what is none."""
    kind = type(value)
    scalar = _SCALARS.get(kind)
    if scalar is not None:
        return scalar.encode(value)
    if kind is float:
        if isinstance(FLOAT.encode(value), str):
            raise Misfit(f"{value} would come back as text from a value of type any; annotate it as float")
        return value
    if kind is list:
        return _plain_list(value)
    if kind is dict:
        return _plain_dict(value)
    raise Wrong("a JSON value (None, bool, int, float, str, list, dict)", value)


def _plain_list(value: list[Any]) -> list[Any]:
    copy: list[Any] = []
    try:
        for item in value:
            copy.append(plain(item))  # noqa: PERF401  its length says where the misfit is
    except Misfit as misfit:
        raise misfit.under(f"[{len(copy)}]") from misfit.__cause__
    return copy


def _plain_dict(value: dict[Any, Any]) -> dict[str, Any]:
    check_keys(value)
    if is_pickle(value):
        raise Misfit(f"the dict {shown(value)} looks like Windlass's own reference to a pickle")
    copy: dict[str, Any] = {}
    key = ""
    try:
        for key, item in value.items():
            copy[key] = plain(item)
    except Misfit as misfit:
        raise misfit.under(key_step(key)) from misfit.__cause__
    return copy


def check_keys(value: dict[Any, Any]) -> None:
    """Keys of JSON objects are texts."""
    for key in value:
        if type(key) is not str:
            raise Misfit(
                f"the keys of a dict must be str, got the key {shown(key)}; annotate it as"
                f" dict[{type(key).__name__}, …] if all its keys are of one type"
            )
        STR.encode(key)


def is_pickle(value: dict[Any, Any]) -> bool:
    """Whether an object is, or would be taken for, a reference to a pickle."""
    content = value[PICKLE_KEY] if len(value) == 1 and PICKLE_KEY in value else value
    if type(content) is not dict or type(content.get("uri")) is not str:
        return False
    return content is not value or value.get("format") == PICKLE_FORMAT


def read_plain(wire: Any) -> Any:
    """The JSON itself; but an integer beyond 64 bits can only have been a float."""
    kind = type(wire)
    if kind is int:
        return wire if INT_MIN <= wire <= INT_MAX else FLOAT.decode(wire)
    if kind is list:
        return [read_plain(item) for item in wire]
    if kind is dict:
        return {key: read_plain(item) for key, item in wire.items()}
    return wire
