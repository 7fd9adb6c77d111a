"""From what stands in a call to what the contract holds: a Python value, maybe with promises in it → a binding.

    t(a=3)                   → 3                          checked and converted by the parameter's type
    t(a=p)                   → a Reference                p's type must be assignable to the parameter's
    t(a=[p, 1, {"k": q}])    → [Reference, 1, {"k": Reference}]     element by element

Compiling and running locally call the same functions; in a local run a promise's binding holds the value, and the very
checks that a compilation makes happen again on it.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from typing import Any

from windlass import _exceptions, _types
from windlass._interface import bare, is_union
from windlass._promise import Binding, Kind, Promise, Several, Undecided, Void
from windlass_api.types import Schema, assignable, parse_type

_PLAIN = frozenset((bool, int, float, str, bytes, type(None)))
_FIELDS = ("__dataclass_fields__", "__pydantic_fields__")


def kind_of(python_type: Any) -> Kind:
    """What the contract calls the type."""
    try:
        return _cached_kind(python_type, repr(python_type))
    except TypeError as error:
        if isinstance(error, _exceptions.TypeTransformerFailedError):
            raise
        return _kind(python_type)  # an annotation with something unhashable in it can't be remembered


def bind(value: Any, python_type: Any, where: str) -> Binding:
    """The binding of a value for a parameter or output of the type; `where`, the place, opens the message of what"
    " does not fit."""
    if isinstance(value, Promise):
        return _bind_promise(value, python_type, where)
    if isinstance(value, Void | Undecided):
        raise value.refusal()
    if isinstance(value, Several):
        raise AssertionError(
            f"{where}: cannot receive a multi-valued tuple: a call with several outputs was given; take one of"
            f" {', '.join(value._names)}"
        )
    if not holds_promise(value):
        return _types.to_wire(value, python_type, f"{where}:")
    return _bind_literal(value, bare(python_type), where)


def holds_promise(value: Any) -> bool:
    """Whether a promise stands in the value, at any depth."""
    if type(value) in _PLAIN:
        return False
    if isinstance(value, Promise | Void | Several | Undecided):
        return True
    if isinstance(value, Mapping):
        return any(holds_promise(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(holds_promise(item) for item in value)
    return any(holds_promise(item) for item in _fields_of(value).values())


@functools.lru_cache(maxsize=1024)
def _cached_kind(python_type: Any, _spelled: str) -> Kind:
    """The spelling is part of the key, since `int | str` equals `str | int` but is tried in another order."""
    return _kind(python_type)


def _kind(python_type: Any) -> Kind:
    expression, schema = _types.type_expression(python_type)
    return Kind(parse_type(expression), schema)


def _bind_promise(promise: Promise, python_type: Any, where: str) -> Binding:
    target = kind_of(python_type)
    source = promise._kind
    if not assignable(source.type, target.type):
        raise _exceptions.TypeTransformerFailedError(
            f"{where}: expected {target.type}, got {source.type} ({promise._binding!r})"
        )
    if not assignable(source.type, target.type, source.schema, target.schema):
        raise _exceptions.TypeTransformerFailedError(
            f"{where}: expected {_types.name_of(python_type)}, got another enum ({promise._binding!r}), which has"
            " values that this one lacks"
        )
    difference = _difference(promise._kind.schema or {}, target.schema or {})
    if difference:
        raise _exceptions.TypeTransformerFailedError(
            f"{where}: expected {_types.name_of(python_type)}, got another struct ({promise._binding!r}): {difference}"
        )
    return promise._binding


def _difference(source: Schema, target: Schema) -> str:
    """Why values of one dataclass are none of another, as far as fields tell; empty where nothing speaks against it."""
    have, want = source.get("properties"), target.get("properties")
    if have is None or want is None:
        return ""
    lacking = [name for name in target.get("required", ()) if name not in have]
    unknown = [name for name in have if name not in want] if target.get("additionalProperties") is False else []
    return "; ".join(
        [f"it has no field {name}" for name in lacking] + [f"there is no room for its field {name}" for name in unknown]
    )


def _bind_literal(value: Any, python_type: Any, where: str) -> Binding:
    """A list, dict or dataclass with promises in it, part by part."""
    if is_union(python_type):
        return _bind_variant(value, typing.get_args(python_type), where)
    origin = typing.get_origin(python_type) or python_type
    arguments = typing.get_args(python_type)
    if isinstance(value, list | tuple) and origin in (list, Any):
        item_type = arguments[0] if arguments else Any
        return [bind(item, item_type, f"{where}[{position}]") for position, item in enumerate(value)]
    if isinstance(value, Mapping) and origin in (dict, Any):
        key_type, value_type = arguments or (str, Any)
        return {_key(key, key_type, where): bind(item, value_type, f"{where}[{key!r}]") for key, item in value.items()}
    if _has_fields(origin) and isinstance(value, Mapping | origin):
        return _bind_fields(value, origin, where)
    raise _exceptions.TypeTransformerFailedError(
        f"{where}: expected {kind_of(python_type).type}, got a {type(value).__name__} with promises in it"
    )


def _bind_variant(value: Any, variants: tuple[Any, ...], where: str) -> Binding:
    problems = []
    for variant in variants:
        try:
            return bind(value, variant, where)
        except _exceptions.TypeTransformerFailedError as problem:  # noqa: PERF203  each variant fails on its own
            problems.append(str(problem))
    raise _exceptions.TypeTransformerFailedError(f"{where}: fits no variant of the union:\n  " + "\n  ".join(problems))


def _bind_fields(value: Any, python_type: Any, where: str) -> Binding:
    hints = typing.get_type_hints(python_type, include_extras=True)
    given = value if isinstance(value, Mapping) else _fields_of(value)
    unknown = [name for name in given if name not in hints]
    if unknown:
        raise _exceptions.TypeTransformerFailedError(
            f"{where}: {python_type.__name__} has no field {', '.join(map(repr, unknown))}"
        )
    return {name: bind(item, hints[name], f"{where}.{name}") for name, item in given.items()}


def _key(key: Any, key_type: Any, where: str) -> str:
    """The key as JSON has it: a text."""
    if key_type is Any and not isinstance(key, str):
        raise _exceptions.TypeTransformerFailedError(f"{where}: the keys of JSON are texts, not {key!r}")
    kept: dict[str, None] = _types.to_wire({key: None}, dict[key_type, None], f"{where}:")
    return next(iter(kept))


def _has_fields(python_type: Any) -> bool:
    """Whether it is a dataclass or a model of pydantic."""
    return isinstance(python_type, type) and any(hasattr(python_type, name) for name in _FIELDS)


def _fields_of(value: Any) -> dict[str, Any]:
    """The fields of an instance of such; nothing of anything else."""
    if isinstance(value, type):
        return {}
    names = next((getattr(type(value), name) for name in _FIELDS if hasattr(type(value), name)), ())
    return {name: getattr(value, name) for name in names}
