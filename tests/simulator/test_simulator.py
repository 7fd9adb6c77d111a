"""Histories by the thousand, and that they are worth something: the same seed is the same history, what a scenario may
have is valid, and bugs are found.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.simulator import features
from tests.simulator.history import Failure, Simulator
from tests.simulator.known import KNOWN, Known, known
from tests.simulator.mutants import MUTANTS
from tests.simulator.oracle import Oracle
from tests.simulator.run import attempt
from tests.simulator.scenarios import Maker
from windlass_api import validation

Body = dict[str, Any]
Specs = dict[tuple[str, str], Body]

ROOT = Path(__file__).parents[2]
SEEDS = 10_000
CHUNKS = 10


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """``python -m tests.simulator``."""
    command = [sys.executable, "-m", "tests.simulator", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_history_breaks_a_promise(chunk: int) -> None:
    count = SEEDS // CHUNKS
    done = simulate("--from", str(chunk * count), "--seeds", str(count))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_a_seed_is_one_history_byte_for_byte() -> None:
    first, second = (simulate("--replay", "7", "--trace", hash_seed=hashes) for hashes in ("1", "2"))
    assert first.stdout == second.stdout
    assert len(first.stdout.splitlines()) > 20


@pytest.mark.timeout(300)
def test_histories_do_not_depend_on_those_before_them() -> None:
    with Simulator.ready() as simulator:
        alone = {}
        for seed in range(20):
            with Simulator.ready() as fresh:
                alone[seed] = trace(fresh, seed)
        assert {seed: trace(simulator, seed) for seed in range(20)} == alone


def trace(simulator: Simulator, seed: int) -> list[str]:
    try:
        return simulator.play(seed).trace()
    except Failure as failure:
        return failure.world.trace()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", KNOWN, ids=lambda bug: str(bug.seed))
def test_a_known_bug_is_still_there(bug: Known) -> None:
    """Where it isn't, its row has to go."""
    done = simulate("--replay", str(bug.seed))
    assert f"known: {bug.why}" in done.stdout, done.stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_planted_bugs_are_found(mutant: str) -> None:
    with MUTANTS[mutant](), Simulator.ready() as simulator:
        failures = (attempt(simulator, seed) for seed in range(500))
        found = any(failure is not None and known(str(failure.trouble)) is None for failure in failures)
    assert found, "500 seeds have not found it"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("everything", [False, True])
def test_whatever_a_scenario_has_is_valid_and_has_an_end(monkeypatch: pytest.MonkeyPatch, everything: bool) -> None:
    monkeypatch.setattr(features, "everything", everything)
    phases = set()
    for seed in range(500):
        scenario = Maker(seed).scenario()
        specs: Specs = {
            (act.kind, act.name): act.body["spec"] for act in scenario.acts if act.body and "spec" in act.body
        }

        def find(kind: str, name: str, version: str | None = None, specs: Specs = specs) -> Body:
            return specs[kind, name]

        for (kind, name), spec in specs.items():
            if kind == "Execution":
                phases.add(Oracle(scenario, find).execution(spec).phase)
            else:
                rules = {"Task": validation.validate_task, "LaunchPlan": validation.validate_launch_plan}
                problems = rules.get(kind, validation.validate_workflow)(spec, find)
                assert not problems, f"seed {seed}: {kind} {name}: {problems[0]}"
    assert phases == {"Succeeded", "Failed"}
