"""Cron expressions: what is one, and when it happens; daylight saving included."""

# ruff: noqa: DTZ001  times without a zone are what people write; they are in UTC

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from windlass_api import cron

UTC = timezone.utc
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("days", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@annually", "0 0 1 1 *"),
        ("  5  4 * *  MON-FRI ", "5 4 * * MON-FRI"),
        ("0 0 ? * 1", "0 0 * * 1"),
    ],
)
def test_words_stand_for_expressions(text: str, fields: str) -> None:
    assert cron.parse(text).text == fields


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("* * * *", "has 4 fields, a cron expression has five"),
        ("0 * * * * *", "has 6 fields"),
        ("0 0 1 1 ? 2024 *", "has 7 fields"),
        ("", "has 0 fields"),
        ("@fortnightly", "has 1 field"),
        ("60 * * * *", "the minute '60': 60 is not between 0 and 59"),
        ("* 24 * * *", "the hour '24'"),
        ("* * 0 * *", "the day of the month '0'"),
        ("* * * 13 *", "the month '13'"),
        ("* * * * 8", "the day of the week '8'"),
        ("* * * FOO *", "'FOO' is no number from 1 to 12, or JAN and the like"),
        ("*/0 * * * *", "a step is 1 or more"),
        ("30-10 * * * *", "runs backwards"),
        ("1,,2 * * * *", "'' is no number"),
        ("* * L * *", "'L' is no number"),
        ("-1 * * * *", "'' is no number"),
        ("0 0 30 2 *", "never happens"),
        ("0 0 31 4,6,9,11 *", "never happens"),
    ],
)
def test_what_is_none_is_refused_with_the_field(text: str, why: str) -> None:
    with pytest.raises(ValueError) as error:
        cron.parse(text)
    assert why in str(error.value)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("*/15 * * * *", ["01T00:15", "01T00:30"]),
        ("10-50/20 6 * * *", ["01T06:10", "01T06:30"]),
        ("0 9 * * MON,WED", ["01T09:00", "03T09:00"]),  # the first of January 2024 is a Monday
        ("0 0 * * 7", ["07T00:00", "14T00:00"]),
        ("0 0 13 * FRI", ["05T00:00", "12T00:00"]),  # both days restricted: either will do
        ("0 0 13 * *", ["13T00:00"]),
        ("5/20 0 * * *", ["01T00:05", "01T00:25"]),
    ],
)
def test_the_times_of_an_expression(text: str, first: list[str]) -> None:
    times = islice(cron.times_after(cron.parse(text), datetime(2024, 1, 1, tzinfo=UTC)), len(first))
    assert [time.strftime("%dT%H:%M") for time in times] == first


def test_a_leap_day_is_waited_for_across_a_century_without_one() -> None:
    times = cron.times_after(cron.parse("0 0 29 2 *"), datetime(2096, 3, 1, tzinfo=UTC))
    assert next(times).year == 2104


def test_a_time_that_the_clock_jumps_over_happens_after_the_jump() -> None:
    times = cron.times_after(cron.parse("30 2 * * *"), datetime(2024, 3, 30, 12, tzinfo=UTC), BERLIN)
    assert [time.isoformat() for time in islice(times, 2)] == ["2024-03-31T01:30:00+00:00", "2024-04-01T00:30:00+00:00"]


def test_a_time_that_comes_twice_happens_once_unless_every_hour_is_meant() -> None:
    before = datetime(2024, 10, 26, 23, 59, tzinfo=UTC)
    once = cron.times_after(cron.parse("30 2 * * *"), before, BERLIN)
    assert [time.strftime("%dT%H:%M") for time in islice(once, 2)] == ["27T00:30", "28T01:30"]
    each = cron.times_after(cron.parse("30 * * * *"), before, BERLIN)
    assert [time.strftime("%dT%H:%M") for time in islice(each, 3)] == ["27T00:30", "27T01:30", "27T02:30"]


def test_both_ends_of_a_range_belong_to_it() -> None:
    hourly = cron.parse("@hourly")
    assert len(cron.times_between(hourly, datetime(2024, 1, 1, 0), datetime(2024, 1, 1, 3))) == 4
    assert cron.times_between(hourly, datetime(2024, 1, 1, 0, 1), datetime(2024, 1, 1, 0, 59)) == []


FIELD = st.one_of(
    st.just("*"),
    st.integers(0, 23).map(str),
    st.tuples(st.integers(1, 9), st.integers(10, 23)).map(lambda ends: f"{ends[0]}-{ends[1]}"),
    st.integers(1, 12).map(lambda step: f"*/{step}"),
)


@given(
    minute=FIELD, hour=FIELD, weekday=st.one_of(st.just("*"), st.integers(0, 7).map(str)), start=st.integers(0, 10**6)
)
def test_the_times_are_those_minutes_whose_fields_fit(minute: str, hour: str, weekday: str, start: int) -> None:
    found = cron.parse(f"{minute} {hour} * * {weekday}")
    first = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    minutes = (first + timedelta(minutes=passed) for passed in range(2 * 24 * 60))
    expected = [
        moment
        for moment in minutes
        if moment.minute in found.minutes and moment.hour in found.hours and moment.isoweekday() % 7 in found.weekdays
    ]
    assert cron.times_between(found, first, first + timedelta(minutes=2 * 24 * 60 - 1)) == expected
