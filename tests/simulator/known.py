"""Bugs that the simulator has found and that are still there, each with a seed that shows it.

A history that breaks a promise in one of these ways doesn't fail a run; it is counted apart. Who mends a bug deletes
its row: a test holds that every row is still needed.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Known(NamedTuple):
    """A bug."""

    promise: str
    """How the broken promise reads, as a regular expression."""
    seed: int
    why: str


KNOWN: tuple[Known, ...] = ()


def known(promise: str) -> Known | None:
    """The bug that breaks a promise in this way."""
    return next((bug for bug in KNOWN if re.search(bug.promise, promise)), None)
