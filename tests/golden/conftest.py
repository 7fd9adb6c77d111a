"""Goldens: what a program writes, kept beside the tests, so that a change shows up as a diff that people can read.

`python -m pytest tests/golden --rewrite` writes them anew; look at the diff before you commit it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Compare = Callable[[Path, dict[str, str]], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option is known where this folder is among pytest's arguments."""
    parser.addoption("--rewrite", action="store_true", help="write the goldens anew instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Compare:
    """Compares files, by name, with those of a folder; nothing may be missing or left over."""
    rewrite = bool(request.config.getoption("--rewrite", default=False))

    def compare(folder: Path, files: dict[str, str]) -> None:
        if rewrite:
            _write(folder, files)
        kept = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*"))}
        assert files == kept, f"{folder} differs; `python -m pytest tests/golden --rewrite` writes it anew"

    return compare


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
