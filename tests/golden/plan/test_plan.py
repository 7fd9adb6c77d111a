"""Worlds beside what the operator would do in them: a folder per case, `world.yaml` and `plan.yaml`.

This is how a bug report becomes a test: save the objects as `world.yaml` in a folder of their own, fix, run with
`--rewrite`, read the plan. It is always ten past seven in the evening.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from windlass_operator.cli import main

CASES = Path(__file__).parent / "worlds"
NOW = "2026-11-22T19:10:00Z"


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_a_world_has_its_plan(
    case: str, golden: Callable[[Path, dict[str, str]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    world = CASES / case / "world.yaml"
    assert main(["plan", "-f", str(world), "--now", NOW]) == 0
    golden(CASES / case, {"world.yaml": world.read_text(encoding="utf-8"), "plan.yaml": capsys.readouterr().out})
