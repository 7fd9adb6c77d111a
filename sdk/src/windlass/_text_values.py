"""Values as people type them, on the command line and at a gate, by the type that is wanted.

str, enum of texts     the text itself
int, float             a number
bool                   true or false
datetime               2024-01-02T03:04:05, with Z or an offset (else UTC); a date alone is its midnight; now, today;
                       any of them with a duration: now - 1d, today + 90m
date                   2024-01-02; today
timedelta              1h30m, 90s, 2d, 1 day 2 hours
bytes                  the text, as UTF-8
file, directory, dataframe          a path or URI, also as an element of JSON; a frame's ends in .csv where it is one
list, dict, struct     JSON
optional, union        the first variant that fits; `null` is None
"""

from __future__ import annotations

import base64
import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from windlass import _exceptions, _types
from windlass._bindings import kind_of
from windlass_api.types import Schema, Type, check_value

_INT = re.compile(r"[+-]?[0-9][0-9_]*\Z")
_DAYS = re.compile(r"([+-]?)([0-9]+)d(.*)\Z")
_SHIFTED = re.compile(r"(.*\S)\s+([+-])\s+(\S.*)\Z")
_UNIT = re.compile(r"\s*(days?|hours?|hrs?|minutes?|mins?|seconds?|secs?)\b\s*|(?<=[a-z])\s+(?=[0-9])")
_PLACES = ("file", "directory", "dataframe")


class TextError(Exception):
    """The text is no value of the type."""


def parse_text(text: str, python_type: Any, what: str) -> Any:
    """The JSON that a text stands for; `what` opens the message of what does not fit."""
    kind = kind_of(python_type)
    try:
        value = _parse(text, kind.type, kind.schema)
    except ValueError as error:
        raise TextError(f"{what}: expected {kind.type}, got {_shown(text)}: {error}") from None
    return checked(value, python_type, what)


def checked(value: Any, python_type: Any, what: str) -> Any:
    """JSON, as the type writes it."""
    kind = kind_of(python_type)
    value = _placed(value, kind.type)
    problems = check_value(value, kind.type, kind.schema, what)
    if problems:
        raise TextError("\n".join(map(str, problems)))
    if kind.type.name == "dataframe":
        return _there(value, what)
    try:
        return _types.to_wire(_types.from_wire(value, python_type, f"{what}:"), python_type, f"{what}:")
    except _exceptions.TypeTransformerFailedError as error:
        raise TextError(str(error)) from None


def _parse(text: str, type: Type, schema: Schema | None = None) -> Any:  # noqa: A002  it is what it is
    if type.name in ("optional", "union"):
        return _parse_variant(text, type, schema)
    if type.name == "enum":
        return _parse_choice(text, schema)
    if type.name in _PLACES:
        return _parse_place(text, type)
    return _PARSERS.get(type.name, _parse_json)(text)


def _parse_variant(text: str, type: Type, schema: Schema | None) -> Any:  # noqa: A002  it is what it is
    """The first variant that fits, texts last since everything is one."""
    if text == "null":
        return None
    problems = []
    for variant in sorted(type.args, key=lambda variant: variant.name == "str"):
        try:
            value = _parse(text, variant, schema)
        except ValueError as error:
            problems.append(str(error))
            continue
        if not check_value(value, variant):
            return value
    raise ValueError("; ".join(problems) or "it fits no variant")


def _parse_choice(text: str, schema: Schema | None) -> Any:
    choices = (schema or {}).get("enum")
    if choices is None:
        return text
    for choice in choices:
        if text == (choice if isinstance(choice, str) else json.dumps(choice)):
            return choice
    raise ValueError(f"choose one of {', '.join(str(choice) for choice in choices)}")


def _placed(value: Any, type: Type) -> Any:  # noqa: A002  it is what it is
    """JSON in which a place may be a mere text."""
    if isinstance(value, str) and type.name in _PLACES:
        return _place(value, type)
    if isinstance(value, list) and type.name == "list":
        return [_placed(item, type.args[0]) for item in value]
    if isinstance(value, dict) and type.name == "dict":
        return {key: _placed(item, type.args[1]) for key, item in value.items()}
    return _placed(value, type.args[0]) if type.name == "optional" else value


def _there(frame: dict[str, Any], what: str) -> dict[str, Any]:
    """The reference to a frame. Its rows are read where they are used; but a local path must lead to something."""
    from windlass import _store  # noqa: PLC0415  few inputs are frames

    uri = frame["uri"]
    if not _store.is_remote(uri) and not Path(_store.local_path(uri)).exists():
        raise TextError(f"{what}: expected a dataframe at {uri!r}, but nothing lies there")
    return frame


def _place(uri: str, type: Type) -> dict[str, Any]:  # noqa: A002  it is what it is
    is_csv = type.name == "dataframe" and not type.format and uri.lower().endswith(".csv")
    return {"uri": uri, **({"format": "csv"} if is_csv else {})}


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"this is no JSON ({error}); a file is given as @path") from None


def _parse_any(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _parse_int(text: str) -> int:
    if not _INT.match(text):
        raise ValueError("a whole number is needed")
    return int(text)


def _parse_float(text: str) -> Any:
    try:
        return _types.to_wire(float(text), float, "the number:")
    except _exceptions.TypeTransformerFailedError:
        raise
    except ValueError:
        raise ValueError("a number is needed") from None


def _parse_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false is needed")
    return text.lower() == "true"


def _parse_none(text: str) -> None:
    if text != "null":
        raise ValueError("the only value is null")


def _parse_datetime(text: str) -> Any:
    shifted = _SHIFTED.match(text)
    value = _time(shifted[1] if shifted else text)
    if shifted:
        shift = _types.from_wire(_parse_timedelta(shifted[3]), datetime.timedelta, "the duration:")
        value += shift if shifted[2] == "+" else -shift
    return _types.to_wire(value, datetime.datetime, "the time:")


def _time(text: str) -> datetime.datetime:
    if text == "now":
        return _now()
    if text == "today":
        return _now().replace(hour=0, minute=0, second=0, microsecond=0)
    spelled = f"{text[:-1]}+00:00" if text[-1:] in ("Z", "z") else text  # Python 3.10 does not know Z
    try:
        return datetime.datetime.fromisoformat(spelled)
    except ValueError:
        raise ValueError("a time such as 2024-01-02T03:04:05Z is needed, or now, today, now - 1d") from None


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)  # noqa: TID251  a person types `now`, and means it


def _parse_date(text: str) -> Any:
    if text == "today":
        return _now().date().isoformat()
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("a day such as 2024-01-02 is needed, or today") from None


def _parse_timedelta(text: str) -> str:
    """The contract's spelling of durations, where people may also write days, of 24 hours, and words."""
    text = _UNIT.sub(lambda found: (found[1] or "")[:1], text)
    days = _DAYS.match(text)
    if days is None:
        return text
    sign, count, rest = days.groups()
    hours = int(count) * 24
    found = re.match(r"([0-9]+)h(.*)\Z", rest)
    if found:
        hours, rest = hours + int(found[1]), found[2]
    return f"{sign if sign == '-' else ''}{hours}h{rest}"


def _parse_bytes(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _parse_place(text: str, type: Type) -> Any:  # noqa: A002  it is what it is
    """A path or URI of a file or folder; JSON says more of it."""
    if text.startswith("{"):
        return _parse_json(text)
    if not text:
        raise ValueError("a path or URI is needed")
    return _place(text, type)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")


_PARSERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": _parse_int,
    "float": _parse_float,
    "bool": _parse_bool,
    "none": _parse_none,
    "any": _parse_any,
    "datetime": _parse_datetime,
    "date": _parse_date,
    "timedelta": _parse_timedelta,
    "bytes": _parse_bytes,
}
