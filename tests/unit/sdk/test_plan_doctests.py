"""The examples in the docstrings of plans, schedules, references, artifacts and the remote are true."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = [
    "windlass._app",
    "windlass._artifacts.artifact",
    "windlass._artifacts.cards",
    "windlass._artifacts.partitions",
    "windlass._durations",
    "windlass._namespaces",
    "windlass._notifications",
    "windlass._plan_options",
    "windlass._reference",
    "windlass._remote.settings",
    "windlass._remote.uris",
    "windlass._schedules",
    "windlass_api.cron",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
