"""What an annotation says of a table: `Annotated[pd.DataFrame, kwtypes(name=str, age=int), "csv"]`.

| in the Annotated | means |
|---|---|
| `kwtypes(a=int, b=str)`, a dict | the columns: of an input those to read, of an output those to record |
| `kwtypes(info={"phone": str})`, a dataclass as a type | nested columns, flattened with dots: `info.phone` |
| a text | the format |
| a `pyarrow.Schema` | the columns, where nothing else says them |

Anything else there is somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Declared(NamedTuple):
    """Columns (name → the contract's type), format, and the annotation without them."""

    columns: Mapping[str, str]
    format: str
    base: Any = None


def declared_by(python_type: Any) -> Declared:
    """What an annotation says. Raises ValueError where it says something twice."""
    columns: dict[str, str] = {}
    by_arrow: dict[str, str] = {}
    fmt = ""
    for mark in getattr(python_type, "__metadata__", ()):
        if isinstance(mark, str):
            if fmt:
                raise ValueError(f"A format was already specified: {fmt!r}, and now {mark!r}, in {python_type}")
            fmt = mark
        elif isinstance(mark, Mapping):
            if columns:
                raise ValueError(f"Column information was already found in {python_type}: say it once")
            columns = flattened(mark)
        elif type(mark).__module__.partition(".")[0] == "pyarrow" and type(mark).__name__ == "Schema":
            if by_arrow:
                raise ValueError(f"Arrow schema was already found in {python_type}: there can be but one")
            by_arrow = {field.name: arrow_name(field.type) for field in mark}
    base = python_type
    while hasattr(base, "__metadata__"):
        base = base.__origin__
    return Declared(columns or by_arrow, fmt, base)


def flattened(columns: Mapping[Any, Any], above: str = "") -> dict[str, str]:
    """Names, with dots for what is nested, and types.

    >>> flattened({"name": str, "address": {"town": str, "zip": int}})
    {'name': 'str', 'address.town': 'str', 'address.zip': 'int'}
    """
    flat: dict[str, str] = {}
    for name, kind in columns.items():
        if not isinstance(name, str):
            raise ValueError(f"the columns of a dataset have texts for names, not {name!r}")
        inner = _inside(kind)
        if inner is None:
            flat[f"{above}{name}"] = _type_name(kind)
        else:
            flat.update(flattened(inner, f"{above}{name}."))
    return flat


def _inside(kind: Any) -> Mapping[Any, Any] | None:
    if isinstance(kind, Mapping):
        return kind
    if isinstance(kind, type) and hasattr(kind, "__dataclass_fields__"):
        from typing import get_type_hints  # noqa: PLC0415  few columns are nested

        return get_type_hints(kind)
    return None


def _type_name(kind: Any) -> str:
    """The contract's name of a column's type; `any` for what only frames have, such as numpy's scalars."""
    from windlass import _types  # noqa: PLC0415  only where columns are declared

    if not _is_plain(kind):
        return "any"
    return _types.type_expression(kind)[0]


def _is_plain(kind: Any) -> bool:
    args = getattr(kind, "__args__", ())
    if args:
        return all(_is_plain(arg) for arg in args)
    return kind is None or getattr(kind, "__module__", "") in ("builtins", "datetime", "typing", "types")


def arrow_name(kind: Any) -> str:
    """The contract's name of an arrow type."""
    text = str(kind)
    for beginning, name in _ARROW_NAMES:
        if text.startswith(beginning):
            return name
    return "any"


_ARROW_NAMES = (
    ("bool", "bool"),
    ("int", "int"),
    ("uint", "int"),
    ("halffloat", "float"),
    ("float", "float"),
    ("double", "float"),
    ("string", "str"),
    ("large_string", "str"),
    ("timestamp", "datetime"),
    ("date", "date"),
    ("duration", "timedelta"),
    ("binary", "bytes"),
    ("large_binary", "bytes"),
)
