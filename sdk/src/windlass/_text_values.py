"""Values as people type them, on the command line and at a gate, by the type that is wanted.

str, enum of texts     the text itself
int, float             a number
bool                   true or false
datetime               2024-01-02T03:04:05, with Z or an offset (else UTC); a date alone is its midnight; now, today
date                   2024-01-02; today
timedelta              1h30m, 90s, 2d
bytes                  the text, as UTF-8
file, directory, dataframe          a path or URI
list, dict, struct     JSON
optional, union        the first variant that fits; `null` is None
"""

from __future__ import annotations

import base64
import datetime
import json
import re
from collections.abc import Callable
from typing import Any

from windlass import _exceptions, _types
from windlass._bindings import kind_of
from windlass_api.types import Schema, Type, check_value

_INT = re.compile(r"[+-]?[0-9][0-9_]*\Z")
_DAYS = re.compile(r"([+-]?)([0-9]+)d(.*)\Z")


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
    problems = check_value(value, kind.type, kind.schema, what)
    if problems:
        raise TextError("\n".join(map(str, problems)))
    try:
        return _types.to_wire(_types.from_wire(value, python_type, f"{what}:"), python_type, f"{what}:")
    except _exceptions.TypeTransformerFailedError as error:
        raise TextError(str(error)) from None


def _parse(text: str, type: Type, schema: Schema | None = None) -> Any:  # noqa: A002  it is what it is
    if type.name in ("optional", "union"):
        return _parse_variant(text, type, schema)
    if type.name == "enum":
        return _parse_choice(text, schema)
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
    if text == "now":
        value = _now()
    elif text == "today":
        value = _now().replace(hour=0, minute=0, second=0, microsecond=0)
    else:
        spelled = f"{text[:-1]}+00:00" if text[-1:] in ("Z", "z") else text  # Python 3.10 does not know Z
        try:
            value = datetime.datetime.fromisoformat(spelled)
        except ValueError:
            raise ValueError("a time such as 2024-01-02T03:04:05Z is needed, or now, or today") from None
    return _types.to_wire(value, datetime.datetime, "the time:")


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
    """The contract's spelling of durations, where people may also write days, of 24 hours."""
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


def _parse_place(text: str) -> Any:
    """A path or URI of a file or folder; JSON says more of it."""
    if text.startswith("{"):
        return _parse_json(text)
    if not text:
        raise ValueError("a path or URI is needed")
    return {"uri": text}


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
    "file": _parse_place,
    "directory": _parse_place,
    "dataframe": _parse_place,
}
