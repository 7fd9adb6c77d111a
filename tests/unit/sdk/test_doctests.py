"""Every example in a docstring of the SDK and the contract does what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import windlass

SOURCES = Path(__file__).parents[3] / "sdk" / "src"
MODULES = sorted(
    ".".join(file.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__")
    for file in SOURCES.rglob("*.py")
    if ">>> " in file.read_text()
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_of_a_module_are_true(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    known = {"FlyteFile": windlass.FlyteFile, "FlyteDirectory": windlass.FlyteDirectory}  # which blobs.py can't import
    found = doctest.testmod(importlib.import_module(name), extraglobs=known, optionflags=doctest.ELLIPSIS)
    assert found.attempted and not found.failed
