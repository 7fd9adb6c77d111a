"""A timedelta as the contract spells durations: `90s`, `1h30m`, `0.5s`."""

from __future__ import annotations

from datetime import timedelta

_UNITS = (("h", timedelta(hours=1)), ("m", timedelta(minutes=1)), ("s", timedelta(seconds=1)))


def duration_text(duration: timedelta) -> str:
    """The duration in hours, minutes and seconds, without those that are zero. Raises ValueError below zero.

    >>> duration_text(timedelta(days=1, minutes=30)), duration_text(timedelta(seconds=1.5)), duration_text(timedelta())
    ('24h30m', '1.5s', '0s')
    """
    if duration < timedelta():
        raise ValueError(f"a duration is not below zero: {duration}")
    parts = []
    for unit, length in _UNITS:
        count, duration = divmod(duration, length)
        fraction = f".{duration.microseconds:06}".rstrip("0") if unit == "s" and duration else ""
        if count or fraction:
            parts.append(f"{count}{fraction}{unit}")
    return "".join(parts) or "0s"
