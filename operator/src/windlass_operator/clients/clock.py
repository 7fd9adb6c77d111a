"""The only reader of the clock."""

from __future__ import annotations

import time


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


def monotonic() -> float:
    """Seconds since some moment; for ages and durations."""
    return time.monotonic()
