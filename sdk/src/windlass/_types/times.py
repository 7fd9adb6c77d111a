"""datetime, date and timedelta, which JSON knows only as texts.

Loaded when such an annotation is met: its author has loaded `datetime` by then.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

from windlass._types.misfit import Misfit, Wrong
from windlass._types.scalars import TextShape
from windlass._types.shape import Shape

_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DATE_TEXT = re.compile(rf"{_DATE}\Z")
_DATETIME_TEXT = re.compile(
    rf"({_DATE}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}})(?:\.([0-9]{{1,9}}))?(?:Z|([-+][0-9]{{2}}:[0-9]{{2}}))?\Z"
)
_PART = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?(ns|us|µs|μs|ms|s|m|h)")
_DURATION_TEXT = re.compile(rf"[-+]?(?:0|(?:{_PART.pattern})+)\Z")
_SECOND = 10**9  # nanoseconds
_UNITS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 10**6,
    "s": _SECOND,
    "m": 60 * _SECOND,
    "h": 3600 * _SECOND,
}


class DatetimeShape(TextShape):
    """A point in time: what has no time zone is in UTC, and what has another one is brought there."""

    __slots__ = ()
    label, expression, python_class = "datetime.datetime", "datetime", datetime

    def encode(self, value: Any) -> str:
        if type(value) is not datetime:
            raise Wrong(self.label, value)
        if value.utcoffset():
            value = _in_utc(value)
        return f"{value.replace(tzinfo=None).isoformat()}Z"

    def decode(self, wire: Any) -> datetime:
        found = _DATETIME_TEXT.match(wire) if type(wire) is str else None
        if found is None:
            raise Wrong("a datetime such as '2024-01-02T03:04:05Z'", wire)
        whole, fraction, offset = found.groups()
        try:
            value = datetime.fromisoformat(whole + (offset or "+00:00"))
        except ValueError as error:
            raise Misfit(f"{wire!r} is no datetime: {error}") from None
        value = _in_utc(value) if offset else value
        return value.replace(microsecond=int(fraction[:6].ljust(6, "0"))) if fraction else value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(timezone.utc)
    except OverflowError:
        raise Misfit(f"{value.isoformat()} is no time of the years 1 to 9999 in UTC") from None


class DateShape(TextShape):
    """A day."""

    __slots__ = ()
    label, expression, python_class = "datetime.date", "date", date

    def encode(self, value: Any) -> str:
        if type(value) is not date:
            raise Wrong(self.label, value)
        return value.isoformat()

    def decode(self, wire: Any) -> date:
        if type(wire) is not str or _DATE_TEXT.match(wire) is None:
            raise Wrong("a date such as '2024-01-02'", wire)
        try:
            return date.fromisoformat(wire)
        except ValueError as error:
            raise Misfit(f"{wire!r} is no date: {error}") from None


class TimedeltaShape(TextShape):
    """A duration, as Go writes it; to the microsecond, like Python's."""

    __slots__ = ()
    label, expression, python_class = "datetime.timedelta", "timedelta", timedelta

    def encode(self, value: Any) -> str:
        if type(value) is not timedelta:
            raise Wrong(self.label, value)
        seconds, micros = divmod(abs(_microseconds(value)), 10**6)
        hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
        text = f"{hours}h" if hours else ""
        text += f"{minutes}m" if minutes else ""
        fraction = f".{micros:06d}".rstrip("0") if micros else ""
        text += f"{seconds}{fraction}s" if seconds or micros or not text else ""
        return f"-{text}" if value.days < 0 else text

    def decode(self, wire: Any) -> timedelta:
        if type(wire) is not str or _DURATION_TEXT.match(wire) is None:
            raise Wrong("a timedelta such as '1h2m3.5s'", wire)
        total = 0
        for number, fraction, unit in _PART.findall(wire):
            size = _UNITS[unit]
            total += int(number) * size + int(fraction or 0) * size // 10 ** len(fraction)
        micros = total // 1000
        try:
            return timedelta(microseconds=-micros if wire.startswith("-") else micros)
        except OverflowError:
            raise Misfit(f"{wire!r} is longer than a timedelta can be") from None


def _microseconds(value: timedelta) -> int:
    return (value.days * 86400 + value.seconds) * 10**6 + value.microseconds


SHAPES: dict[type, Shape] = {shape.python_class: shape for shape in (DatetimeShape(), DateShape(), TimedeltaShape())}
