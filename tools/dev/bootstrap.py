"""``make setup``: system packages, then ``.venv`` with the locked packages and both distributions, editable.

A digest of everything that decides what ``.venv`` holds is kept inside it, so that a second call is a comparison and
an interrupted one is done again. The lock is complete, so pip never resolves anything.

This runs under the machine's own Python, before anything is installed: standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dev.console import PYTHON, ROOT, VENV, StepError, environment, output, run, say, timed

NEEDED_PYTHON = (3, 11)
LOCK = ROOT / "constraints.txt"
DISTRIBUTIONS = ("sdk", "operator")
STAMP = VENV / "windlass-setup"

_CA_FILES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian and its like
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Fedora and its like
    Path("/etc/ssl/cert.pem"),  # Alpine, macOS
)

# Debian packages, each with the question whether what it brings is here already.
SYSTEM_PACKAGES: tuple[tuple[str, str, Callable[[], bool]], ...] = (
    ("python3-venv", "makes .venv", lambda: importlib.util.find_spec("ensurepip") is not None),
    ("ca-certificates", "lets programs trust the servers they download from", lambda: any(map(Path.exists, _CA_FILES))),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up, or say what stands in the way."""
    parser = argparse.ArgumentParser(prog="make setup", description=__doc__)
    parser.add_argument("--without-cluster", action="store_true", help="leave out what only a local cluster needs")
    chosen = parser.parse_args(arguments)
    try:
        setup(cluster=not chosen.without_cluster)
    except StepError as problem:
        say(str(problem))
        return 1
    return 0


def setup(*, cluster: bool = True) -> None:
    """Everything ``make setup`` does."""
    check_python(sys.version_info[:2])
    ensure_system_packages()
    if cluster:
        ensure_cluster_prerequisites()
    ensure_venv()


def check_python(version: tuple[int, int]) -> None:
    """Refuse a Python that is too old, naming the way out."""
    if version < NEEDED_PYTHON:
        needed, found = (".".join(map(str, one)) for one in (NEEDED_PYTHON, version))
        raise StepError(
            f"Python {needed} or newer is needed to work on Windlass, and {sys.executable} is {found}.\n"
            f"Name a newer one: make setup PYTHON=python{needed}"
        )


def ensure_system_packages() -> None:
    """Install the few Debian packages that setting up needs, or name them."""
    missing = [(package, purpose) for package, purpose, present in SYSTEM_PACKAGES if not present()]
    if missing:
        install_packages(missing)


def install_packages(missing: Sequence[tuple[str, str]]) -> None:
    """By apt-get as root; elsewhere a `StepError` says what to type."""
    names = [package for package, _ in missing]
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *names]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        wanted = "\n".join(f"  {package:16} {purpose}" for package, purpose in missing)
        raise StepError(
            f"missing on this machine:\n{wanted}\n"
            f"On Debian and its like: sudo apt-get update && sudo {' '.join(install)}\n"
            "Elsewhere: what is called like that there."
        )
    say(f"installing {', '.join(names)}")
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    output(["apt-get", "update", "-q"], variables=variables)
    output(install, variables=variables)


def ensure_cluster_prerequisites() -> None:
    """What a local cluster needs. Without it everything but clusters works, so a lack of it is named and no more."""
    command = [sys.executable, "-m", "localcluster", "prerequisites", "--install"]
    result = subprocess.run(command, cwd=ROOT, env=environment(), check=False, capture_output=True, text=True)
    if result.returncode:
        say("no local cluster (make demo, make test) can start yet; everything else works.")
        print(result.stderr.strip(), file=sys.stderr)


def ensure_venv() -> None:
    """``.venv`` as the lock and the two distributions want it."""
    wanted = fingerprint()
    if STAMP.is_file() and STAMP.read_text() == wanted and works(PYTHON):
        return
    with timed("setting up .venv"):
        say(f"installing {len(locked(LOCK.read_text()))} packages into .venv")
        if not works(PYTHON):
            run([sys.executable, "-m", "venv", "--clear", str(VENV)])
        STAMP.unlink(missing_ok=True)
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        run([*pip, "--requirement", str(LOCK)])
        editable = [word for name in DISTRIBUTIONS for word in ("--editable", f"./{name}")]
        run([*pip, "--no-build-isolation", *editable])
        STAMP.write_text(wanted)


def fingerprint() -> str:
    """A digest of what decides what ``.venv`` holds: this file, the lock, the distributions, the Python."""
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for path in (Path(__file__), LOCK, *(ROOT / name / "pyproject.toml" for name in DISTRIBUTIONS)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def locked(text: str) -> dict[str, str]:
    """Package → version, of a lock: one ``name==version`` per line, comments allowed."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return {name: version for name, _, version in (line.partition("==") for line in lines if line)}


def works(python: Path) -> bool:
    """Whether there is a Python at this path that starts and can install packages."""
    if not python.exists():
        return False
    return subprocess.run([str(python), "-c", "import pip"], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
