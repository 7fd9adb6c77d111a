"""The import contracts hold, and each of them notices what it is there for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


@dataclass(frozen=True)
class Violation:
    """A line that somebody might add to a file, and the contract that must object."""

    file: str
    line: str
    contract: str


VIOLATIONS = (
    Violation(
        "sdk/src/windlass/_compile.py",
        "import windlass_operator",
        "The SDK and the operator share the contract, and nothing else",
    ),
    Violation(
        "operator/src/windlass_operator/core/gates.py",
        "import windlass_operator.reconcile.loop",
        "The rooms of the operator",
    ),
    Violation("operator/src/windlass_operator/utils.py", "", "The rooms of the operator"),
    Violation("sdk/src/windlass_api/refs.py", "import windlass_api.validation", "The rooms of the contract"),
    Violation("sdk/src/windlass/_types/resolve.py", "import windlass._emit", "The rooms of the SDK"),
    Violation("sdk/src/windlass/runtime/main.py", "import yaml", "What a pod loads is light"),
    Violation(
        "operator/src/windlass_operator/core/states.py",
        "import time",
        "What decides is pure: no clock, no I/O, no logging, no randomness",
    ),
    Violation(
        "operator/src/windlass_operator/reconcile/loop.py",
        "import kopf",
        "One door to kopf: the operator's handlers, and the command line that starts it",
    ),
    Violation(
        "operator/src/windlass_operator/reconcile/apply.py",
        "import aiohttp",
        "One door to the API server: the operator's clients",
    ),
    Violation(
        "operator/src/windlass_operator/reconcile/queue.py",
        "import prometheus_client",
        "One door to Prometheus: the operator's telemetry",
    ),
    Violation(
        "operator/src/windlass_operator/reconcile/pools.py",
        "import grpc",
        "One door to gRPC in the operator: the dispatcher's server",
    ),
    Violation(
        "sdk/src/windlass/runtime/warm/inside.py",
        "import grpc",
        "One door to gRPC from the SDK: the supervisor of warm workers",
    ),
    Violation("sdk/src/windlass/_emit.py", "import kubernetes", "One door to a cluster from the SDK: its remote room"),
    Violation(
        "sdk/src/windlass_api/names.py",
        "import pydantic",
        "One door to pydantic: the models of the contract and what reads them",
    ),
)


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """import-linter's word on the sources below a folder."""
    program = Path(sys.executable).with_name("lint-imports")
    variables = {
        "PYTHONPATH": f"{root / 'sdk/src'}:{root / 'operator/src'}",
        "COLUMNS": "400",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [str(program), "--no-cache", "--config", str(root / "pyproject.toml")]
    return subprocess.run(command, cwd=root, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def report_on_violations(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("violated")
    shutil.copy(ROOT / "pyproject.toml", root)
    for sources in ("sdk/src", "operator/src"):
        shutil.copytree(ROOT / sources, root / sources, ignore=shutil.ignore_patterns("__pycache__"))
    for violation in VIOLATIONS:
        with (root / violation.file).open("a") as file:
            file.write(f"\n{violation.line}\n")
    result = lint_imports(root)
    assert result.returncode == 1, result.stdout + result.stderr
    return result.stdout


def test_the_sources_keep_every_contract() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("violation", VIOLATIONS, ids=lambda one: f"{one.file}: {one.line or 'a new module'}")
def test_a_violation_is_noticed_by_its_contract(violation: Violation, report_on_violations: str) -> None:
    assert f"{violation.contract} BROKEN" in report_on_violations
    about = report_on_violations.partition("Broken contracts\n")[2].partition(f"\n{violation.contract}\n")[2]
    module = violation.file.partition("src/")[2].removesuffix(".py").replace("/", ".")
    assert module in about


def test_every_contract_is_tried_by_a_violation() -> None:
    assert {violation.contract for violation in VIOLATIONS} == {contract["name"] for contract in CONTRACTS}


def test_the_rooms_stand_in_the_architecture_in_the_order_of_the_contracts() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    titles = {
        "The rooms of the operator": "## Rooms of the operator",
        "The rooms of the SDK": "## Rooms of the SDK",
        "The rooms of the contract": "## Rooms of the contract",
    }
    for contract in CONTRACTS:
        if contract["name"] not in titles:
            continue
        section = text.partition(titles[contract["name"]])[2].partition("\n## ")[0]
        layers = [layer.replace(" ", "").replace(":", "|").split("|") for layer in contract["layers"]]
        rooms = [[f"**`{room}`**" for room in layer if room != "__main__"] for layer in layers]
        assert not [room for layer in rooms for room in layer if room not in section], contract["name"]
        places = [[section.index(room) for room in layer] for layer in rooms if layer]
        assert all(max(upper) < min(lower) for upper, lower in pairwise(places)), contract["name"]
