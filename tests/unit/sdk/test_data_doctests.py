"""The examples in the docstrings of data and of the store are true."""

from __future__ import annotations

import doctest
import importlib
import os

import pytest

from windlass._data.datasets import StructuredDataset
from windlass._data.deck import Deck
from windlass._data.files import FlyteFile
from windlass._data.folders import FlyteDirectory

MODULES = ("blobs", "columns", "datasets", "deck", "files", "folders", "handlers")
NAMES = {cls.__name__: cls for cls in (Deck, FlyteDirectory, FlyteFile, StructuredDataset)}


@pytest.mark.parametrize("name", [*(f"_data.{module}" for module in MODULES), "_store.places"])
def test_the_examples_are_true(name: str) -> None:
    module = importlib.import_module(f"windlass.{name}")
    done = doctest.testmod(module, extraglobs={**NAMES, "os": os})
    assert (done.failed, done.attempted > 0) == (0, True)
