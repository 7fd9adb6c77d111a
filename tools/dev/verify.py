"""``make lint``, ``make check``, ``make verify``: does what is checked in hold together?

::

    lint     formatting, ruff, mypy --strict, import contracts
    drift    generate everything again: nothing may change
    fast     the tests that need no cluster

All checks of a part run, also after one has failed: a person wants to see everything that is wrong at once.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dev import generate
from dev.console import ROOT, StepError, output, run, say, timed

TYPED = ("sdk/src", "operator/src", "tools", "tests", "examples", "benchmarks")
FAST = ("tests/conformance", "tests/unit", "tests/golden", "tests/properties", "tests/matrix")
DIFF_LINES = 40

LINTERS: tuple[tuple[str, ...], ...] = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "--output-format", "concise", "."),
    ("mypy", *TYPED),
    ("lint-imports", "--no-cache"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named parts; 0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m dev.verify", description=__doc__)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    problems = [problem for part in parser.parse_args(arguments).parts for problem in _part(part)]
    for problem in problems:
        say(f"wrong: {problem}")
    return 1 if problems else 0


def lint() -> list[str]:
    """What the linters found; silent where they found nothing."""
    return [problem for command in LINTERS for problem in _attempt(output, command)]


def drift() -> list[str]:
    """What generating again has changed. It stays changed: that is the right content."""
    before = snapshot()
    try:
        generate.generate()
    except StepError as problem:
        return [str(problem)]
    after = snapshot()
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return [_difference(name, before.get(name, b""), after.get(name, b"")) for name in changed]


def fast() -> list[str]:
    """What the tests found that need no cluster."""
    return _attempt(run, ("python", "-m", "pytest", "-q", "-m", "not cluster and not control_plane", *FAST))


PARTS: dict[str, Callable[[], list[str]]] = {"lint": lint, "drift": drift, "fast": fast}


def snapshot() -> dict[str, bytes]:
    """Every file that is generated, or has generated parts, with its content."""
    files = (file for place in generate.GENERATED for file in _files(ROOT / place))
    return {str(file.relative_to(ROOT)): file.read_bytes() for file in files}


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(file for file in place.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def _difference(name: str, before: bytes, after: bytes) -> str:
    old, new = (content.decode(errors="replace").splitlines() for content in (before, after))
    lines = list(difflib.unified_diff(old, new, "checked in", "generated", lineterm=""))
    left_out = [f"… {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else []
    advice = f"{name} was not up to date; it is now. Look at it and commit it:"
    return "\n".join([advice, *lines[:DIFF_LINES], *left_out])


def _part(name: str) -> list[str]:
    with timed(name):
        return PARTS[name]()


def _attempt(start: Callable[[Sequence[str]], object], command: Sequence[str]) -> list[str]:
    try:
        start(command)
    except StepError as problem:
        return [str(problem)]
    return []


if __name__ == "__main__":
    sys.exit(main())
