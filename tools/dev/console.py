"""How the programs of this folder run others, find their way, and talk: one line per step, on standard error."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"


class StepError(Exception):
    """Something the person in front of the screen can act upon; its text says how."""


def say(text: str) -> None:
    """One line about what happens now."""
    print(f"windlass: {text}", file=sys.stderr, flush=True)


def environment(**extra: str) -> dict[str, str]:
    """The variables for programs of this repository: its tools and its virtual environment come first."""
    path = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "tools"), **extra}


def run(command: Sequence[str], *, variables: Mapping[str, str] | None = None) -> None:
    """Run a program from the root of the repository; what it prints goes to the screen. A failure is a `StepError`."""
    result = subprocess.run(list(command), cwd=ROOT, env=variables or environment(), check=False)
    if result.returncode:
        raise StepError(f"`{' '.join(command)}` ended with {result.returncode}")


def output(command: Sequence[str], *, variables: Mapping[str, str] | None = None) -> str:
    """What a program prints. A failure is a `StepError` that holds what it complained of."""
    result = subprocess.run(
        list(command), cwd=ROOT, env=variables or environment(), check=False, capture_output=True, text=True
    )
    if result.returncode:
        raise StepError(
            f"`{' '.join(command)}` ended with {result.returncode}:\n{(result.stdout + result.stderr).strip()}"
        )
    return result.stdout


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say how long something took, when it took long enough for someone to wonder."""
    started = time.monotonic()
    yield
    seconds = time.monotonic() - started
    if seconds >= 1:
        say(f"{what}: {seconds:.0f} s")
