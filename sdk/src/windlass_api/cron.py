"""Cron expressions: five fields, checked when they are written, and the moments they name.

    ┌ minute 0-59
    │ ┌ hour 0-23
    │ │ ┌ day of the month 1-31
    │ │ │ ┌ month 1-12 or JAN-DEC
    │ │ │ │ ┌ day of the week 0-7 or SUN-SAT; 0 and 7 are Sunday
    * * * * *

A field is a list of values, ranges and steps (`*/15`, `1-5`, `MON,WED`, `10-50/20`); `?` means `*`. Where both days
are restricted, either of them will do, as in Kubernetes' CronJobs. `@hourly`, `@daily`, `@weekly`, `@monthly` and
`@yearly` stand for the expressions one expects.

A time that daylight saving takes away happens when the clock has jumped; one that it gives twice happens once, or,
where every hour is meant, both times. Nothing here knows what time it is, nor where time zones come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import NamedTuple

ALIASES = {
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "weekly": "0 0 * * 0",
    "monthly": "0 0 1 * *",
    "yearly": "0 0 1 1 *",
}
_OTHER_WORDS = {"hours": "hourly", "days": "daily", "midnight": "daily", "weeks": "weekly", "months": "monthly"}
_OTHER_WORDS |= {"annually": "yearly", "years": "yearly"}
_MONTH_WORDS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAY_WORDS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = dict(zip(_MONTH_WORDS, range(1, 13), strict=True))
_WEEKDAYS = dict(zip(_WEEKDAY_WORDS, range(7), strict=True))
_LONGEST_MONTH = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_LONGEST_WAIT = 9 * 366  # days from one 29 February to the next, at most


class _Field(NamedTuple):
    name: str
    first: int
    last: int
    words: dict[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _WEEKDAYS),
)


class Cron(NamedTuple):
    """A cron expression, read. `text` is its five fields."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """Whether both days are restricted, so that one of them is enough."""

    def on(self, year: int, month: int, day: int) -> bool:
        """Whether it has a time on that day."""
        if month not in self.months:
            return False
        in_month = day in self.days
        in_week = datetime(year, month, day).isoweekday() % 7 in self.weekdays  # noqa: DTZ001  a calendar day
        return in_month or in_week if self.either_day else in_month and in_week


def parse(text: str) -> Cron:
    """Reads an expression.

    Raises:
        ValueError: it is none; the message says which field and why.

    >>> parse("@daily").text
    '0 0 * * *'
    >>> sorted(parse("*/20 9-17 * * MON-FRI").minutes)
    [0, 20, 40]
    """
    fields = _expanded(text).split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"{text!r} has {len(fields)} field{'s' * (len(fields) != 1)}, a cron expression has five (minute, hour, day"
            " of the month, month, day of the week) or is one of @hourly, @daily, @weekly, @monthly, @yearly"
        )
    minutes, hours, days, months, weekdays = map(_values, fields, _FIELDS)
    free = {position for position, field in enumerate(fields) if field in ("*", "?")}
    found = Cron(
        " ".join("*" if field == "?" else field for field in fields),
        minutes,
        hours,
        days,
        months,
        frozenset(day % 7 for day in weekdays),
        not free & {2, 4},
    )
    if not found.either_day and not any(day <= _LONGEST_MONTH[month] for month in months for day in days):
        raise ValueError(f"{text!r} never happens: none of its months has that day")
    return found


def times_after(cron: Cron, moment: datetime, zone: tzinfo = timezone.utc) -> Iterator[datetime]:
    """The moments after that one, in UTC, without end. The expression is read in the time zone.

    >>> next(times_after(parse("30 6 * * *"), datetime(2024, 1, 1, 7, tzinfo=timezone.utc))).isoformat()
    '2024-01-02T06:30:00+00:00'
    """
    last = moment.astimezone(timezone.utc)
    day = (last.astimezone(zone) - timedelta(days=1)).date()  # a clock that was set back may have repeated yesterday
    idle = 0
    while idle <= _LONGEST_WAIT:
        idle += 1
        if cron.on(day.year, day.month, day.day):
            for found in _times_of_day(cron, datetime.combine(day, time(), zone)):
                if found > last:
                    yield found
                    last, idle = found, 0
        day += timedelta(days=1)


def times_between(cron: Cron, first: datetime, last: datetime, zone: tzinfo = timezone.utc) -> list[datetime]:
    """The moments from `first` to `last`, both included.

    >>> noon = parse("0 12 * * *")
    >>> [found.day for found in times_between(noon, datetime(2024, 1, 1, 12), datetime(2024, 1, 3, 12))]
    [1, 2, 3]
    """
    start, end = (_in_utc(moment) for moment in (first, last))
    found = []
    for moment in times_after(cron, start - timedelta(microseconds=1), zone):
        if moment > end:
            break
        found.append(moment)
    return found


def _times_of_day(cron: Cron, midnight: datetime) -> list[datetime]:
    folds = (0, 1) if len(cron.hours) == 24 else (0,)
    found = {
        midnight.replace(hour=hour, minute=minute, fold=fold).astimezone(timezone.utc)
        for hour in cron.hours
        for minute in cron.minutes
        for fold in folds
    }
    return sorted(found)


def _in_utc(moment: datetime) -> datetime:
    """A moment without a time zone is in UTC."""
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)


def _expanded(text: str) -> str:
    word = text.strip().lower().removeprefix("@")
    return ALIASES.get(_OTHER_WORDS.get(word, word), text.strip())


def _values(text: str, field: _Field) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, field, text) if slash else 1
        if step < 1:
            raise ValueError(f"the {field.name} {text!r}: a step is 1 or more")
        first, last = _span(span, field, text, open_end=bool(slash))
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _span(span: str, field: _Field, text: str, *, open_end: bool) -> tuple[int, int]:
    if span in ("*", "?"):
        return field.first, field.last
    low, dash, high = span.partition("-")
    first = _number(low, field, text)
    last = _number(high, field, text) if dash else field.last if open_end else first
    for value in (first, last):
        if not field.first <= value <= field.last:
            raise ValueError(f"the {field.name} {text!r}: {value} is not between {field.first} and {field.last}")
    if last < first:
        raise ValueError(f"the {field.name} {text!r}: the range {span} runs backwards")
    return first, last


def _number(text: str, field: _Field, whole: str) -> int:
    named = field.words.get(text.upper())
    if named is not None:
        return named
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        words = f", or {next(iter(field.words))} and the like" if field.words else ""
        raise ValueError(f"the {field.name} {whole!r}: {text!r} is no number from {field.first} to {field.last}{words}")
    return int(text)
