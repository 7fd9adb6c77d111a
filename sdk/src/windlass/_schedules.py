"""When a launch plan runs by itself: at the times of a cron expression, or every so often.

    CronSchedule(schedule="0 6 * * MON-FRI", timezone="Europe/Berlin", kickoff_time_input_arg="day")
    FixedRate(duration=timedelta(hours=12))

The input named by `kickoff_time_input_arg` gets the time for which the run was planned, not the one at which it began.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Any

from windlass._durations import duration_text
from windlass._modules import caller
from windlass_api import cron

_OFFSET = re.compile(
    r"P(?!$)(?:(?P<weeks>\d+)W|(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?)\Z"
)


class Schedule(ABC):
    """What CronSchedule and FixedRate have in common."""

    kickoff_time_input_arg: str | None

    @abstractmethod
    def timing(self) -> dict[str, str]:
        """What the manifest says of the times."""

    def manifest(self) -> dict[str, str]:
        """The schedule as the contract says it."""
        kickoff = {} if self.kickoff_time_input_arg is None else {"kickoffTimeInput": self.kickoff_time_input_arg}
        return {**self.timing(), **kickoff}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.manifest() == other.manifest()

    def __hash__(self) -> int:
        return hash(tuple(self.manifest().items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.manifest().items())})"


class CronSchedule(Schedule):
    """Runs at the times of a cron expression.

    Args:
        schedule: five fields (minute, hour, day of the month, month, day of the week), or `@hourly`, `@daily`,
            `@weekly`, `@monthly`, `@yearly`.
        offset: an ISO 8601 duration such as `PT10M`, by which the run begins later than the time it is for.
        kickoff_time_input_arg: the input, a datetime, that gets the time it is for.
        timezone: the time zone in which the expression is read, such as "Europe/Berlin"; else UTC.

    Raises:
        ValueError: the expression, the offset or the time zone is none.
        AssertionError: there is no expression.

    >>> CronSchedule(schedule="@daily", timezone="Asia/Tokyo").manifest()
    {'cron': '0 0 * * *', 'timezone': 'Asia/Tokyo'}
    """

    def __init__(
        self,
        schedule: str | None = None,
        offset: str | None = None,
        kickoff_time_input_arg: str | None = None,
        *,
        timezone: str | None = None,
        cron_expression: str | None = None,
    ) -> None:
        if cron_expression is not None:
            raise AssertionError(
                f"{caller()}: cron_expression, with six fields as AWS writes them, is no more: use schedule, with the"
                " five fields of cron"
            )
        if schedule is None:
            raise AssertionError(f"{caller()}: `schedule` should be specified, such as schedule='*/5 * * * *'")
        self.schedule = _checked_cron(schedule)
        self.offset = _checked_offset(offset)
        self.timezone = _checked_timezone(timezone)
        self.kickoff_time_input_arg = _checked_name(kickoff_time_input_arg)

    def timing(self) -> dict[str, str]:
        """What the manifest says of the times."""
        offset = None if self.offset is None else duration_text(_offset(self.offset))
        given = {"cron": self.schedule, "timezone": self.timezone, "offset": offset}
        return {name: value for name, value in given.items() if value is not None}


class FixedRate(Schedule):
    """Runs every so often.

    Args:
        duration: how often; whole minutes, at least one.
        kickoff_time_input_arg: the input, a datetime, that gets the time for which the run was planned.

    Raises:
        AssertionError: the duration is shorter than a minute, or no whole minutes.

    >>> FixedRate(timedelta(days=1)).manifest()
    {'every': '24h'}
    """

    def __init__(self, duration: timedelta, kickoff_time_input_arg: str | None = None) -> None:
        if not isinstance(duration, timedelta):
            raise TypeError(f"{caller()}: FixedRate takes a timedelta, not {duration!r}")
        if duration < timedelta(minutes=1) or duration % timedelta(minutes=1):
            raise AssertionError(
                f"{caller()}: FixedRate takes whole minutes, at least one, not {duration}: Granularity of less than a"
                " minute is not supported for FixedRate schedules"
            )
        self.duration = duration
        self.kickoff_time_input_arg = _checked_name(kickoff_time_input_arg)

    def timing(self) -> dict[str, str]:
        """How often."""
        return {"every": duration_text(self.duration)}


class OnSchedule:
    """A schedule as a trigger: a name of the API that never did anything, and is refused."""

    def __init__(self, schedule: object = None) -> None:
        raise NotImplementedError(
            f"{caller()}: OnSchedule is not supported as a trigger; give the plan its schedule: LaunchPlan.create(...,"
            " schedule=CronSchedule(...))"
        )


def _checked_cron(schedule: Any) -> str:
    if not isinstance(schedule, str):
        raise TypeError(f"{caller()}: schedule takes a cron expression, not {schedule!r}")
    try:
        return cron.parse(schedule).text
    except ValueError as error:
        raise ValueError(f"{caller()}: Schedule is invalid. {error}") from None


def _checked_offset(offset: str | None) -> str | None:
    if offset is not None and not (isinstance(offset, str) and _OFFSET.match(offset)):
        raise ValueError(
            f"{caller()}: Offset is invalid. {offset!r} is no ISO 8601 duration in weeks, or in days, hours, minutes"
            " and seconds, such as 'PT10M'"
        )
    return offset


def _offset(text: str) -> timedelta:
    found = _OFFSET.match(text)
    assert found is not None
    return timedelta(**{unit: int(count) for unit, count in found.groupdict(default="0").items()})


def _checked_timezone(name: str | None) -> str | None:
    if name is None:
        return None
    import zoneinfo  # noqa: PLC0415  it loads half of importlib, and few schedules name a zone

    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, TypeError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError(
            f"{caller()}: timezone takes a name of the IANA database such as 'Europe/Berlin', not {name!r}"
        ) from None
    return name


def _checked_name(kickoff_time_input_arg: str | None) -> str | None:
    if kickoff_time_input_arg is not None and not isinstance(kickoff_time_input_arg, str):
        raise TypeError(
            f"{caller()}: kickoff_time_input_arg takes the name of an input, not {kickoff_time_input_arg!r}"
        )
    return kickoff_time_input_arg or None
