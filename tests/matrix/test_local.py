"""Every row of the matrix by a local run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.matrix import local
from tests.matrix.playing import EXAMPLES, MODULES
from tests.matrix.row import CLUSTER, LOCAL, Body, Row
from tests.matrix.rows import REFUSED, ROWS
from windlass_operator.core import unsupported

PATHS = {**MODULES, **EXAMPLES}
HERE = [row for row in ROWS if row.runs_in(LOCAL)]


@pytest.mark.parametrize("row", HERE, ids=str)
def test_a_row_comes_out_locally_as_it_must(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_CACHE_HOME", str(tmp_path))
    wrong, before = list[str](), list[Body]()
    for index, run in enumerate(row.runs_in(LOCAL)):
        code, outputs, said = local.outcome(PATHS[row.module], row.entity, run)
        wrong += [f"run {index}: {text}" for text in local.differences(run, code, outputs, said, before)]
        before.append(outputs)
    assert not wrong, "\n".join(wrong)


def test_every_example_is_played_by_a_cluster_too_but_for_those_that_none_here_can_run() -> None:
    assert {row.module for row in ROWS if row.module.startswith("examples/")} == set(EXAMPLES)
    played = {row.module for row in ROWS if row.runs_in(CLUSTER)}
    assert set(EXAMPLES) - played == {"examples/eager", "examples/pods"}


def test_what_rows_say_that_a_cluster_refuses_is_what_the_operator_refuses() -> None:
    refused = {run.error["message"] for row in ROWS for run in row.runs if run.error.get("code") == REFUSED}
    assert refused <= {row.field for row in unsupported.ROWS}


def test_a_row_that_is_different_somewhere_says_why() -> None:
    assert all(one.why for row in ROWS for one in row.differs)


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({str(row) for row in ROWS}) == len(ROWS)
