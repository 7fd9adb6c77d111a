"""Each example beside the manifests that it renders to.

The code bundle stands as the list of its files, and its hash as a placeholder: both change with every word in an
example, and compressors differ between machines. Rendering happens in a process of its own, as users do it, so that
nothing that the tests have loaded gets into a bundle.
"""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RUNS_HERE_ONLY = {"eager"}
EXAMPLES = sorted({path.stem for path in (ROOT / "examples").glob("*.py")} - RUNS_HERE_ONLY)
KEPT = Path(__file__).parent / "manifests"

_CODE = re.compile(r"\bcode-[0-9a-f]{16}\b")


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_renders_to_its_manifests(
    example: str, tmp_path: Path, golden: Callable[[Path, dict[str, str]], None]
) -> None:
    command = [sys.executable, "-m", "windlass._cli", "render", f"{example}.py", "-o", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    golden(KEPT / example, dict(_readable(path) for path in tmp_path.iterdir()))


@pytest.mark.parametrize("example", sorted(RUNS_HERE_ONLY))
def test_an_example_that_no_cluster_can_run_is_not_rendered_and_says_why(example: str) -> None:
    command = [sys.executable, "-m", "windlass._cli", "render", f"{example}.py", "-o", "-"]
    done = subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True)
    assert done.returncode != 0 and not done.stdout
    assert "@dynamic" in done.stderr


def test_every_kept_folder_has_its_example() -> None:
    assert sorted(path.name for path in KEPT.iterdir()) == EXAMPLES


def _readable(path: Path) -> tuple[str, str]:
    text = path.read_text(encoding="utf-8")
    data = yaml.safe_load(text).get("binaryData", {}).get("bundle.tar.gz")
    if data is not None:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(data)), mode="r:gz") as archive:
            text = text.replace(data, f"<{', '.join(archive.getnames())}>")
    return _CODE.sub("code-HASH", path.name), _CODE.sub("code-HASH", text)
