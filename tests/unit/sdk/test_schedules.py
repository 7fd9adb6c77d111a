"""Schedules: what is one, and what a manifest says of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from windlass._schedules import CronSchedule, FixedRate, OnSchedule


def test_a_cron_schedule_says_its_times_in_five_fields() -> None:
    assert CronSchedule(schedule="*/5 * * * *").manifest() == {"cron": "*/5 * * * *"}
    assert CronSchedule(schedule="@hourly", kickoff_time_input_arg="at").manifest() == {
        "cron": "0 * * * *",
        "kickoffTimeInput": "at",
    }


def test_a_cron_schedule_may_be_in_a_time_zone_and_late() -> None:
    found = CronSchedule(schedule="0 6 * * *", timezone="Europe/Zurich", offset="P1DT2H30M")
    assert found.manifest() == {"cron": "0 6 * * *", "timezone": "Europe/Zurich", "offset": "26h30m"}
    assert found.offset == "P1DT2H30M"


@pytest.mark.parametrize("text", ["* * *", "0 0 * * * *", "61 * * * *", "yesterday", ""])
def test_an_expression_that_is_none_is_refused_with_the_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"test_schedules\.py:\d+: Schedule is invalid\."):
        CronSchedule(schedule=text)


@pytest.mark.parametrize("offset", ["10m", "P", "PT", "P1Y", "P1DT", "-PT1H"])
def test_an_offset_that_is_none_is_refused(offset: str) -> None:
    with pytest.raises(ValueError, match=r"Offset is invalid\."):
        CronSchedule(schedule="@daily", offset=offset)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_a_time_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        CronSchedule(schedule="@daily", timezone=zone)


def test_the_older_parameter_and_none_at_all_are_assertions() -> None:
    with pytest.raises(AssertionError, match="use schedule"):
        CronSchedule(cron_expression="* * ? * * *")
    with pytest.raises(AssertionError, match="`schedule` should be specified"):
        CronSchedule(kickoff_time_input_arg="at")


@pytest.mark.parametrize(
    ("duration", "every"),
    [
        (timedelta(days=2), "48h"),
        (timedelta(hours=12), "12h"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(seconds=120), "2m"),
    ],
)
def test_a_rate_is_whole_minutes(duration: timedelta, every: str) -> None:
    assert FixedRate(duration, kickoff_time_input_arg="at").manifest() == {"every": every, "kickoffTimeInput": "at"}


@pytest.mark.parametrize(
    "duration", [timedelta(0), timedelta(seconds=30), timedelta(seconds=90), timedelta(minutes=-5)]
)
def test_a_rate_that_is_shorter_or_broken_is_refused(duration: timedelta) -> None:
    with pytest.raises(AssertionError, match="whole minutes, at least one"):
        FixedRate(duration)


@pytest.mark.parametrize(
    "make",
    [lambda: FixedRate(5), lambda: CronSchedule(5), lambda: CronSchedule("@daily", None, 5)],  # type: ignore[arg-type]
)
def test_arguments_of_another_type_are_refused(make: Any) -> None:
    with pytest.raises(TypeError, match=r"test_schedules\.py"):
        make()


def test_schedules_are_equal_where_they_say_the_same() -> None:
    assert CronSchedule(schedule="@daily") == CronSchedule(schedule="0 0 * * *")
    assert CronSchedule(schedule="@daily") != CronSchedule(schedule="@daily", kickoff_time_input_arg="at")
    assert CronSchedule(schedule="@daily") != FixedRate(timedelta(days=1))
    assert len({FixedRate(timedelta(days=1)), FixedRate(timedelta(hours=24))}) == 1
    assert repr(FixedRate(timedelta(days=1))) == "FixedRate(every='24h')"


def test_a_schedule_as_a_trigger_is_refused_with_what_to_do() -> None:
    with pytest.raises(NotImplementedError, match="schedule=CronSchedule"):
        OnSchedule(CronSchedule(schedule="@daily"))
