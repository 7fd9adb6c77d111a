"""``make generate``: everything that is checked in and derived from something else, each by one function.

The order is that of derivation: what reads the CRDs comes after what writes them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable

from dev import conformance, reference, snippets
from dev.console import ROOT, StepError, run, say

CRDS = ROOT / "crds"
CHART_CRDS = ROOT / "charts" / "windlass" / "files" / "crds"
PROTO = ROOT / "proto" / "windlass" / "v1alpha1"
PROTOCOL = ROOT / "sdk" / "src" / "windlass_api" / "protocol"

# All that `generate` may change: folders in which everything is generated, and documents with generated parts.
GENERATED = ("sdk/src/windlass_api/protocol", "crds", "charts/windlass/files/crds", "docs", "tests/golden", "README.md")


def crds() -> None:
    """The models of ``windlass_api`` → crds/."""
    run(["python", "-m", "windlass_api.schema", str(CRDS)])


def chart_crds() -> None:
    """crds/ → the chart, which can only read what lies in its own folder."""
    shutil.rmtree(CHART_CRDS, ignore_errors=True)
    shutil.copytree(CRDS, CHART_CRDS)


def kind_pages() -> None:
    """The models of ``windlass_api`` → docs/reference, a page for each kind."""
    run(["python", "-m", "windlass_api.reference", str(reference.REFERENCE)])


def protocol() -> None:
    """proto/ → the messages, as Python."""
    files = sorted(str(file.relative_to(PROTO)) for file in PROTO.glob("*.proto"))
    places = [f"-I{PROTO}", f"--python_out={PROTOCOL}", f"--pyi_out={PROTOCOL}"]
    run(["python", "-m", "grpc_tools.protoc", *places, *files])


def goldens() -> None:
    """The answers that the golden tests compare with."""
    run(["python", "-m", "pytest", "-q", "--rewrite", "tests/golden"])


STEPS: tuple[Callable[[], None], ...] = (
    crds,
    chart_crds,
    kind_pages,
    protocol,
    goldens,
    reference.write,
    conformance.write,
    snippets.write,
)


def generate() -> None:
    """All of it."""
    for step in STEPS:
        step()


def main() -> int:
    """Generate, or say what stands in the way."""
    try:
        generate()
    except StepError as problem:
        say(str(problem))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
