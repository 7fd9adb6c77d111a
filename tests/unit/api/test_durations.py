"""Durations: what Go and Kubernetes write, and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from windlass_api.durations import seconds
from windlass_api.v1alpha1.meta import DURATION


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("250ms", 0.25), ("0s", 0), ("1m1us1ns", 60.000001001)],
)
def test_a_duration_is_so_many_seconds(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@given(st.one_of(st.from_regex(DURATION, fullmatch=True), st.text("0123456789.smhnu-PTd ", max_size=8)))
def test_what_the_models_take_is_what_can_be_read(text: str) -> None:
    if re.fullmatch(DURATION[1:-1], text):
        assert seconds(text) >= 0
    else:
        with pytest.raises(ValueError, match="is no duration"):
            seconds(text)
