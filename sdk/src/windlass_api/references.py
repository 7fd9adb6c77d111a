"""The references in a value: files, folders, tables and pickles, which lie elsewhere and are named by a `uri`.

They may stand anywhere: under a list or dict, in a field of a dataclass, under `any`. A type expression and the JSON
schema beside it say where; a text in a dict of texts which only looks like one isn't touched.

Pure: it knows values, and nothing of where the data is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from windlass_api.types import (
    ANY,
    NONE,
    PICKLE,
    REFERENCES,
    PathError,
    Schema,
    Type,
    alternatives,
    check_value,
    descend,
)

PICKLE_MARK = "$pickle"
"""Under `any`, an object with this one key stands for a pickled value."""

Change = Callable[[Any, Type], Any]


def changed(value: Any, of: Type, schema: Schema | None, change: Change) -> Any:
    """The value with each of its references, and each of its floats, as `change(part, type)` gives it.

    >>> from windlass_api.types import parse_type
    >>> value = {"a": {"uri": "/tmp/a"}, "b": None}
    >>> changed(value, parse_type("dict[str, optional[file]]"), None, lambda part, _: part["uri"])
    {'a': '/tmp/a', 'b': None}
    """
    if of.name in ("optional", "union"):
        return changed(value, _variant(value, of, schema), schema, change)
    if of.name in REFERENCES or of.name == "float":
        return change(value, of) if of.name == "float" or _is_reference(value) else value
    if isinstance(value, list) and of.name in ("list", "any"):
        return [changed(item, *_part(of, schema, position), change) for position, item in enumerate(value)]
    if isinstance(value, Mapping) and of.name in ("dict", "struct", "any"):
        if of == ANY and set(value) == {PICKLE_MARK} and _is_reference(value[PICKLE_MARK]):
            return {PICKLE_MARK: change(value[PICKLE_MARK], PICKLE)}
        return {key: changed(item, *_part(of, schema, key), change) for key, item in value.items()}
    return value


def _is_reference(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("uri"), str)


def _part(of: Type, schema: Schema | None, step: str | int) -> tuple[Type, Schema | None]:
    if schema is None and of.name in ("list", "dict"):
        return of.args[-1], None
    try:
        return descend(of, schema, [step])
    except PathError:
        return ANY, None


def _variant(value: Any, of: Type, schema: Schema | None) -> Type:
    """The member of a union that the value is of; a reference is one before it is anything else."""
    if value is None:
        return NONE
    members = [member for member in alternatives(of) if member != NONE]
    if len(members) == 1:
        return members[0]
    members.sort(key=lambda member: member.name not in REFERENCES)
    return next((member for member in members if not check_value(value, member, schema)), ANY)
