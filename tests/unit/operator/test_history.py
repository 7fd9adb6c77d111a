"""Which runs of a launch plan are kept."""

from __future__ import annotations

import pytest

from windlass_operator.core.history import Run, limits_any, surplus


def run(number: int, phase: str) -> Run:
    return Run(f"2026-11-28T12:00:{number:02}Z", f"run-{number}", f"u{number}", phase)


RUNS = [
    run(3, "Failed"),
    run(1, "Succeeded"),
    run(4, "Succeeded"),
    run(2, "Succeeded"),
    run(5, "Cancelled"),
    run(6, "Failed"),
]


@pytest.mark.parametrize(
    ("limits", "gone"),
    [
        ({}, []),
        ({"successfulRunsHistoryLimit": 3, "failedRunsHistoryLimit": 3}, []),
        ({"successfulRunsHistoryLimit": 1}, [1, 2]),
        ({"failedRunsHistoryLimit": 1}, [3, 5]),
        ({"successfulRunsHistoryLimit": 0, "failedRunsHistoryLimit": 0}, [1, 2, 3, 4, 5, 6]),
    ],
    ids=["no limits", "enough room", "successes", "what was cancelled counts as failed", "none is kept"],
)
def test_the_newest_runs_of_each_sort_are_kept(limits: dict[str, int], gone: list[int]) -> None:
    assert [one.name for one in surplus(limits, RUNS)] == [f"run-{number}" for number in gone]
    assert limits_any(limits) is bool(limits)
