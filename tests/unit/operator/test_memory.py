"""Memory that grows: how much an attempt gets after earlier ones ran out of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from windlass_api.quantities import amount
from windlass_operator.manifests.memory import can_grow, grown

GI = 2**30


def spec(limit: str | None = None, request: str | None = None, cap: str | None = "8Gi") -> dict[str, Any]:
    """A task's."""
    resources = {
        "limits": {"cpu": "1", **({"memory": limit} if limit else {})},
        "requests": {"memory": request} if request else {},
    }
    return {"resources": resources, **({"maxMemory": cap} if cap else {})}


@pytest.mark.parametrize(
    ("given", "failures", "can"),
    [
        (spec("1Gi"), 0, True),
        (spec("1Gi"), 2, True),
        (spec("1Gi"), 3, False),
        (spec("3Gi"), 1, True),
        (spec("3Gi"), 2, False),
        (spec(request="1Gi"), 0, True),
        (spec("4Gi", "1Gi"), 1, False),
        (spec("8Gi"), 0, False),
        (spec("9Gi"), 0, False),
        (spec("1Gi", cap=None), 0, False),
        (spec(), 0, False),
        ({"maxMemory": "8Gi"}, 0, False),
    ],
    ids=[
        "twice", "eight times is the cap", "not beyond it", "three, six, eight", "and no more", "by what is reserved",
        "by the limit where there is one", "at the cap", "above the cap", "no cap", "no size", "no resources",
    ],
)  # fmt: skip
def test_it_grows_as_long_as_the_next_attempt_has_more(given: dict[str, Any], failures: int, can: bool) -> None:
    assert can_grow(given, failures, 2.0) is can


@pytest.mark.parametrize(
    ("given", "failures", "limit", "reserved"),
    [
        (spec("1Gi", "512Mi"), 0, "1Gi", "512Mi"),
        (spec("1Gi", "512Mi"), 1, str(2 * GI), str(GI)),
        (spec("1Gi", "512Mi"), 9, str(8 * GI), str(8 * GI)),
        (spec("3Gi"), 2, str(8 * GI), None),
        (spec(request="1Gi"), 1, None, str(2 * GI)),
        (spec("1Gi", cap=None), 3, "1Gi", None),
    ],
    ids=[
        "nothing yet",
        "both double",
        "up to the cap",
        "exactly the cap",
        "what is reserved",
        "without a cap it stays",
    ],
)
def test_limits_and_requests_grow_together(
    given: dict[str, Any], failures: int, limit: str | None, reserved: str | None
) -> None:
    found = grown(given, failures, 2.0)
    assert found["limits"].get("memory") == limit
    assert found["limits"]["cpu"] == "1"
    assert found.get("requests", {}).get("memory") == reserved


@given(start=st.integers(1, 2**36), cap=st.integers(1, 2**36), factor=st.floats(1.1, 4), failures=st.integers(0, 40))
def test_what_grows_stays_at_most_the_cap_and_never_shrinks(start: int, cap: int, factor: float, failures: int) -> None:
    given = {"resources": {"limits": {"memory": str(start)}}, "maxMemory": str(cap)}
    sizes = [amount(grown(given, count, factor)["limits"]["memory"]) for count in range(failures + 1)]
    if cap >= start:
        assert sizes == sorted(sizes)
        assert max(sizes) <= cap
    if can_grow(given, failures, factor):
        assert amount(grown(given, failures + 1, factor)["limits"]["memory"]) > sizes[-1] - 1
