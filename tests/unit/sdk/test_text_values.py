"""Values as people type them: what a text means for each type, and what is refused."""

from __future__ import annotations

import datetime
import enum
from pathlib import Path
from typing import Any, Literal, Union

import pytest

from windlass._data.datasets import StructuredDataset
from windlass._data.files import FlyteFile
from windlass._text_values import TextError, parse_text


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


@pytest.mark.parametrize(
    ("text", "python_type", "value"),
    [
        ("true", str, "true"),
        ("+1_000", int, 1000),
        ("1", float, 1.0),
        ("TRUE", bool, True),
        ("null", type(None), None),
        ("[1, 2]", list[int], [1, 2]),
        ('{"a": null}', dict[str, int | None], {"a": None}),
        ("3", Any, 3),
        ("three", Any, "three"),
        ("null", int | None, None),
        ("3", int | None, 3),
        ("3", Union[str, int], 3),  # noqa: UP007  texts come last
        ("three", Union[str, int], "three"),  # noqa: UP007  as above
        ("blue", Color, "blue"),
        ("2", Level, 2),
        ("fast", Literal["fast", 5], "fast"),
        ("5", Literal["fast", 5], 5),
        ("2024-01-02", datetime.date, "2024-01-02"),
        ("2024-01-02", datetime.datetime, "2024-01-02T00:00:00Z"),
        ("2024-01-02T03:04:05Z", datetime.datetime, "2024-01-02T03:04:05Z"),
        ("2024-01-02 03:04:05+01:00", datetime.datetime, "2024-01-02T02:04:05Z"),
        ("90s", datetime.timedelta, "1m30s"),
        ("2d", datetime.timedelta, "48h0m0s"),
        ("-1d12h", datetime.timedelta, "-36h0m0s"),
        ("1 day", datetime.timedelta, "24h0m0s"),
        ("1 day 2 hours 3 minutes", datetime.timedelta, "26h3m0s"),
        ("90 mins", datetime.timedelta, "1h30m0s"),
        ("2024-01-02 - 1d", datetime.datetime, "2024-01-01T00:00:00Z"),
        ("2024-01-02T03:04:05Z + 1h30m", datetime.datetime, "2024-01-02T04:34:05Z"),
        ('["s3://bucket/a.csv", null]', list[FlyteFile | None], [{"uri": "s3://bucket/a.csv"}, None]),
        ('{"k": "s3://bucket/a"}', dict[str, FlyteFile], {"k": {"uri": "s3://bucket/a"}}),
        ("s3://bucket/a", StructuredDataset, {"uri": "s3://bucket/a"}),
        ("s3://bucket/a.csv", StructuredDataset, {"uri": "s3://bucket/a.csv", "format": "csv"}),
        ("héllo", bytes, "aMOpbGxv"),
        ("s3://bucket/a.csv", FlyteFile, {"uri": "s3://bucket/a.csv"}),
        ('{"uri": "s3://bucket/a.csv"}', FlyteFile, {"uri": "s3://bucket/a.csv"}),
    ],
)
def test_a_text_means_what_its_type_says(text: str, python_type: Any, value: Any) -> None:
    found = parse_text(text, python_type, "--x")
    if python_type is datetime.timedelta:
        assert parse_text(value, python_type, "--x") == found
    else:
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "python_type", "problem"),
    [
        ("3.5", int, "a whole number is needed"),
        ("three", float, "a number is needed"),
        ("1", bool, "true or false is needed"),
        ("x", type(None), "the only value is null"),
        ("[1", list[int], "this is no JSON"),
        ('["x"]', list[int], "int"),
        ("x", int | None, "a whole number is needed"),
        ("pink", Color, "choose one of red, blue"),
        ("low", Level, "choose one of 1, 2"),
        ("yesterday", datetime.datetime, "a time such as"),
        ("soon", datetime.date, "a day such as"),
        ("a while", datetime.timedelta, "timedelta"),
        ("now - later", datetime.datetime, "the duration: "),
        ("nowhere", StructuredDataset, "nothing lies there"),
        ("", FlyteFile, "a path or URI is needed"),
        ("x" * 100, int, "…"),
    ],
)
def test_what_is_no_value_of_the_type_is_refused(text: str, python_type: Any, problem: str) -> None:
    with pytest.raises(TextError, match=problem) as caught:
        parse_text(text, python_type, "--x")
    assert str(caught.value).startswith(("--x: ", "--x[0]: "))


def test_a_frame_is_neither_read_nor_copied_before_it_is_used(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    (tmp_path / "broken.parquet").write_text("no parquet")
    uri = str(tmp_path / "broken.parquet")
    assert parse_text(uri, pandas.DataFrame, "--x") == {"uri": uri}
    with pytest.raises(TextError, match="nothing lies there"):
        parse_text(f"{uri}.none", pandas.DataFrame, "--x")


def test_now_and_today_are_when_they_are_typed() -> None:
    before = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)  # noqa: TID251  that is the case
    now = datetime.datetime.fromisoformat(parse_text("now", datetime.datetime, "--x").removesuffix("Z"))
    today = datetime.datetime.fromisoformat(parse_text("today", datetime.datetime, "--x").removesuffix("Z"))
    day = datetime.date.fromisoformat(parse_text("today", datetime.date, "--x"))
    assert before <= now < before + datetime.timedelta(minutes=5)
    assert (today.hour, today.minute, today.second) == (0, 0, 0)
    assert before.date() <= day <= before.date() + datetime.timedelta(days=1)
