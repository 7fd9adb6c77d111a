"""What authors wait for: compiling, rendering and running locally, beside flytekit and hera.

    python benchmarks/authoring.py [--runs 5] [--only windlass] [--check]

Each library gets a Python environment of its own, made once in the cache folder, and the same user code:

    compile     a workflow of 1,000 calls in a chain → its graph
    render      the graph → what is submitted (YAML; flytekit: its protobuf messages)
    chain       the same workflow, run here
    map         a task over 10,000 whole numbers, run here        (hera runs nothing here)

Every figure is the best of N fresh processes, taken in turns so that a busy machine hurts them alike; imports are not
part of it. The last column is how often Windlass fits into the faster of the others. With `--check` the exit code is 1
where that is less than twice.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "sdk" / "src"
REQUIREMENTS = {
    "windlass": ["pydantic==2.14.3", "pyyaml==6.0.3"],
    "flytekit": ["flytekit==1.16.31", "setuptools==80.9.0"],
    "hera": ["hera[yaml]==7.1.0"],
}
GOAL = 2.0
ROWS = ("compile", "render", "chain", "map")

TASKS = """
import json, sys, time
clock = time.perf_counter
times = {}

def timed(name, function):
    started = clock()
    result = function()
    times[name] = clock() - started
    return result
"""

PYTHONIC = """
@task
def step(n: int) -> int:
    return n + 1

@workflow
def chain(n: int = 0) -> int:
    for _ in range(1000):
        n = step(n=n)
    return n

@workflow
def fan(numbers: list[int]) -> list[int]:
    return map_task(step)(n=numbers)
"""

PROGRAMS = {
    "windlass": f"""
{TASKS}
from windlass import _emit, map_task, task, workflow
from windlass._cli import _yaml
import yaml
{PYTHONIC}
timed("compile", chain.compile)
timed("render", lambda: _yaml.dump(_emit.manifests(_emit.complete([chain]))))
assert timed("chain", chain) == 1000
fan.compile()
assert timed("map", lambda: fan(numbers=list(range(10_000))))[-1] == 10_000
print(json.dumps(times))
""",
    "flytekit": f"""
{TASKS}
import logging; logging.disable(logging.CRITICAL)
from collections import OrderedDict
from flytekit import map_task, task, workflow
from flytekit.configuration import Image, ImageConfig, SerializationSettings
from flytekit.tools.translator import get_serializable
{PYTHONIC}
settings = SerializationSettings(ImageConfig(Image("default", "image", "tag")), "p", "d", "v")
timed("compile", chain.compile)
timed("render", lambda: get_serializable(OrderedDict(), settings, chain).to_flyte_idl().SerializeToString())
assert timed("chain", chain) == 1000
fan.compile()
assert timed("map", lambda: fan(numbers=list(range(10_000))))[-1] == 10_000
print(json.dumps(times))
""",
    "hera": f"""
{TASKS}
from hera.workflows import DAG, Parameter, Workflow, script

@script(image="python:3")
def step(n: int):
    print(n + 1)

def make():
    with Workflow(generate_name="chain-", entrypoint="chain") as workflow:
        with DAG(name="chain"):
            last = step(name="n0", arguments={{"n": 0}})
            for position in range(1, 1000):
                then = step(name=f"n{{position}}", arguments={{"n": last.result}})
                last >> then
                last = then
    return workflow

workflow = timed("compile", lambda: (lambda w: (w.build(), w)[1])(make()))
timed("render", workflow.to_yaml)
print(json.dumps(times))
""",
}


def main() -> int:
    """Measures and prints; the exit code."""
    options = _options()
    libraries = [name for name in PROGRAMS if options.only in (None, name)]
    pythons = {name: _environment(name, options.cache) for name in libraries}
    best: dict[str, dict[str, float]] = {name: {} for name in libraries}
    for _ in range(options.runs):
        for name in libraries:
            for row, seconds in _run(pythons[name], PROGRAMS[name]).items():
                best[name][row] = min(seconds, best[name].get(row, seconds))
    slow = _print(best)
    return 1 if options.check and slow else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    home = os.environ.get("WINDLASS_CACHE_HOME") or Path.home() / ".cache" / "windlass"
    parser.add_argument("--runs", type=int, default=5, help="processes per library (default: 5)")
    parser.add_argument("--only", choices=PROGRAMS, help="just this library")
    parser.add_argument("--cache", type=Path, default=Path(home) / "benchmarks", help="where environments are kept")
    parser.add_argument("--check", action="store_true", help=f"fail where Windlass is less than {GOAL:g} times as fast")
    return parser.parse_args()


def _environment(name: str, cache: Path) -> Path:
    """The Python of an environment that has the library."""
    label = "-".join(requirement.replace("==", "-") for requirement in REQUIREMENTS[name])
    folder = cache / f"{name}-{sys.version_info[0]}.{sys.version_info[1]}-{label}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"installing {', '.join(REQUIREMENTS[name])} …", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS[name]], check=True)
        (folder / "complete").touch()
    return python


def _run(python: Path, program: str) -> dict[str, float]:
    file = python.parent / "chain_of_steps.py"
    file.write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([python, file], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{program}\n{done.stdout}{done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _print(best: dict[str, dict[str, float]]) -> list[str]:
    """The table; the rows where Windlass is not fast enough."""
    others = [name for name in best if name != "windlass"]
    print(f"{'seconds':<10}" + "".join(f"{name:>12}" for name in best) + f"{'times':>9}")
    slow = []
    for row in ROWS:
        ours = best.get("windlass", {}).get(row)
        theirs = min((best[name][row] for name in others if row in best[name]), default=None)
        ratio = theirs / ours if ours and theirs else None
        figures = "".join(f"{best[name][row]:>12.3f}" if row in best[name] else f"{'-':>12}" for name in best)
        print(f"{row:<10}{figures}{f'{ratio:.1f}' if ratio else '-':>9}")
        slow += [row] if ratio is not None and ratio < GOAL else []
    return slow


if __name__ == "__main__":
    sys.exit(main())
