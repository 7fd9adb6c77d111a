"""How long a pod's process takes from its start to the user's function, beside bare Python.

    python benchmarks/startup.py [--runs 40] [--python /usr/bin/python3] [--check]

Four rows, each the median over N runs, taken in turns so that a busy machine hurts them alike:

    bare python                     process start → first line of `-c`
    import windlass                 process start → after the import
    task                            process start → first line of the user's function, through boot.py: the mounted
                                    runtime, a code bundle, inputs, compiled files beside the sources
    task, runtime not compiled      the same where the runtime's image has no compiled files for this Python

The clock is the system's monotonic one, read by the parent before it starts the child and by the child itself. The
interpreter runs without `site` and without PYTHON* variables, as what a developer's machine loads there would flatter
the difference. With `--check` the exit code is 1 if the task row is over the budget.
"""

from __future__ import annotations

import argparse
import compileall
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BUDGET_MS = 120
GOAL_MS = 40
SOURCES = Path(__file__).parents[1] / "sdk" / "src"
PACKAGES = ("windlass", "windlass_api")
NOW = "import time; print(time.monotonic())"
MODULE = """
import time
from windlass import task

@task
def now(text: str, sizes: list[int]) -> float:
    return time.monotonic()
"""
ORDER = {"task": "job.now", "entrypoint": "job:now", "inputs": {"text": "some text", "sizes": [1, 2, 3]}}
Measure = Callable[[], float]


def main() -> int:
    """Measures and prints; the exit code."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        rows = _rows(options.python, Path(folder))
        samples = _measure(rows, options.runs)
    medians = {name: statistics.median(times) for name, times in samples.items()}
    _print(medians, options)
    over = medians["task"] - medians["bare python"]
    if options.check and over > BUDGET_MS:
        print(f"over the budget of {BUDGET_MS} ms over bare Python: {over:.1f} ms")
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=40, help="runs per row")
    parser.add_argument(
        "--python", default=getattr(sys, "_base_executable", sys.executable), help="the interpreter to measure"
    )
    parser.add_argument(
        "--check", action="store_true", help=f"fail if a task starts over {BUDGET_MS} ms after bare Python"
    )
    return parser.parse_args()


def _rows(python: str, folder: Path) -> dict[str, Measure]:
    compiled, plain = folder / "compiled", folder / "plain"
    for runtime in (compiled, plain):
        for package in PACKAGES:
            shutil.copytree(SOURCES / package, runtime / package, ignore=shutil.ignore_patterns("__pycache__"))
    _compile(python, compiled)
    bundle = folder / "bundle.tar.gz"
    bundle.write_bytes(_bundle())
    (folder / "work").mkdir()
    return {
        "bare python": lambda: _printed([python, "-S", "-c", NOW], {}),
        "import windlass": lambda: _printed(
            [python, "-S", "-c", f"import windlass; {NOW}"], {"PYTHONPATH": str(compiled)}
        ),
        "task": lambda: _task(python, compiled, bundle, folder),
        "task, runtime not compiled": lambda: _task(python, plain, bundle, folder),
    }


def _compile(python: str, folder: Path) -> None:
    """By the interpreter that will run it, as compiled files are of one version."""
    if Path(python).resolve() == Path(sys.executable).resolve():
        compileall.compile_dir(folder, quiet=1)
    else:
        subprocess.run([python, "-m", "compileall", "-q", str(folder)], check=True)


def _bundle() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("job.py")
        entry.size = len(MODULE)
        archive.addfile(entry, io.BytesIO(MODULE.encode()))
    return packed.getvalue()


def _printed(command: list[str], env: dict[str, str]) -> float:
    """Milliseconds until the child printed its clock."""
    started = time.monotonic()
    ended = subprocess.run(command, env=_environment(env), capture_output=True, text=True, check=True)
    return (float(ended.stdout) - started) * 1000


def _task(python: str, runtime: Path, bundle: Path, folder: Path) -> float:
    """Milliseconds until the user's function was running; it returns its clock as the output."""
    result = folder / "result"
    env = {"WINDLASS_TASK": json.dumps({**ORDER, "bundle": str(bundle)}), "WINDLASS_RESULT": str(result)}
    boot = runtime / "windlass" / "runtime" / "boot.py"
    started = time.monotonic()
    subprocess.run([python, "-S", "-B", str(boot)], env=_environment(env), cwd=folder / "work", check=True)
    reached = json.loads(result.read_bytes())["outputs"]["o0"]
    return float(reached - started) * 1000


def _environment(more: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, **more}


def _measure(rows: dict[str, Measure], runs: int) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(runs):
        for name, measure in rows.items():
            samples[name].append(measure())
    return samples


def _print(medians: dict[str, float], options: argparse.Namespace) -> None:
    bare = medians["bare python"]
    version = subprocess.run([options.python, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{version}, medians of {options.runs} runs; budget {BUDGET_MS} ms over bare Python, goal {GOAL_MS} ms")
    print(f"{'':28}{'ms':>8}{'over bare':>11}{'ratio':>8}")
    for name, median in medians.items():
        print(f"{name:28}{median:8.1f}{median - bare:11.1f}{median / bare:8.1f}")


if __name__ == "__main__":
    sys.exit(main())
