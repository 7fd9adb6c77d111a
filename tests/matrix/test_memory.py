"""Every row of the matrix by the operator, in a world in memory with the real runtime."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.matrix.memory import Memory
from tests.matrix.playing import EXAMPLES, MODULES, Play, apply
from tests.matrix.row import MEMORY, Row, differences
from tests.matrix.rows import ROWS

pytestmark = pytest.mark.timeout(300)

PATIENCE = 90.0
"""Seconds after which a row that hasn't ended is taken to be stuck."""

HERE = [row for row in ROWS if row.runs_in(MEMORY)]
PATHS = {**MODULES, **EXAMPLES}

Played = Callable[[str], dict[str, Play]]


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Plays all rows of a module at once, when the first is asked for."""

    @functools.cache
    def play(module: str) -> dict[str, Play]:
        folder = tmp_path_factory.mktemp("pods")
        return asyncio.run(_story(folder, [row for row in HERE if row.module == module], PATHS[module]))

    return play


async def _story(folder: Path, rows: list[Row], path: Path) -> dict[str, Play]:
    world = Memory(folder)
    apply(world, path)
    plays = {str(row): Play(row, row.runs_in(MEMORY), path, world, number) for number, row in enumerate(rows)}
    await world.play(plays.values(), PATIENCE)
    return plays


@pytest.mark.parametrize("row", HERE, ids=str)
def test_a_row_comes_out_in_memory_as_it_must(row: Row, played: Played) -> None:
    play = played(row.module)[str(row)]
    wrong = [
        f"run {index}: {text}"
        for index, ended in enumerate(play.ended)
        for text in differences(play.runs[index], ended, play.ended)
    ]
    assert not wrong, "\n".join(wrong)
    assert play.over, f"it did not end: {play.told()}"
