"""What the machine must have before a cluster can start, and the command that brings it.

A control plane alone needs next to nothing. A node needs root and the few programs that work closely with
the kernel, which every distribution has and nobody should have to compile.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from localcluster.errors import LocalClusterError

_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
_CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))


@dataclass(frozen=True)
class Prerequisite:
    """A program, the Debian package that has it, and what it is for."""

    program: str
    package: str
    purpose: str
    folders: tuple[Path, ...] = ()

    def present(self) -> bool:
        """Whether it is here, on PATH or in the folders where its like is kept."""
        if self.folders:
            return any(os.access(folder / self.program, os.X_OK) for folder in self.folders)
        path = os.environ.get("PATH", os.defpath)
        return shutil.which(self.program, path=f"{path}:{_SYSTEM_PATH}") is not None


CONTROL_PLANE = (
    Prerequisite("openssl", "openssl", "makes the certificates"),
    Prerequisite("setsid", "util-linux", "starts programs that outlive their starter"),
)
NODE = (
    Prerequisite("unshare", "util-linux", "makes the node's namespaces"),
    Prerequisite("ip", "iproute2", "makes the node's network"),
    Prerequisite("iptables", "iptables", "leads from services to pods"),
    Prerequisite("conntrack", "conntrack", "forgets connections to pods that are gone"),
    Prerequisite("runc", "runc", "runs containers"),
    Prerequisite("bridge", "containernetworking-plugins", "connects pods", _CNI_FOLDERS),
)
IMAGES = (Prerequisite("debootstrap", "debootstrap", "makes the base image"),)
ALL = (*CONTROL_PLANE, *NODE, *IMAGES)
BUILDERS = (Prerequisite("buildah", "buildah", "builds the images of tests"),)
ENGINES = (Prerequisite("podman", "podman", "runs the container tasks of tests"),)
EVERYTHING = (*ALL, *BUILDERS, *ENGINES)


def missing(wanted: Iterable[Prerequisite]) -> list[Prerequisite]:
    """Those that are not here."""
    return [one for one in wanted if not one.present()]


def check(*, node: bool) -> None:
    """Refuse to start a cluster that cannot work, naming everything it lacks at once."""
    require((*CONTROL_PLANE, *NODE) if node else CONTROL_PLANE)
    if node and os.geteuid() != 0:
        raise LocalClusterError("a node needs root: run this as root, or take --control-plane-only, which runs no pods")


def require(wanted: Iterable[Prerequisite]) -> None:
    """Refuse to go on without these."""
    lacking = missing(wanted)
    if lacking:
        raise LocalClusterError(message(lacking))


def message(lacking: Iterable[Prerequisite]) -> str:
    """What is missing, what it is for, and what to type."""
    lacking = list(lacking)
    lines = [f"  {one.program:12} {one.purpose}" for one in lacking]
    return "\n".join(("missing on this machine:", *lines, f"install with: {install_command(lacking)}"))


def install_command(lacking: Iterable[Prerequisite]) -> str:
    """The command for Debian and its like."""
    return f"apt-get update && apt-get install -y --no-install-recommends {_packages(lacking)}"


def install_prerequisites(wanted: Iterable[Prerequisite] = EVERYTHING) -> list[str]:
    """Install what is missing; the packages that were installed. For root on Debian and its like."""
    lacking = missing(wanted)
    if not lacking:
        return []
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LocalClusterError(
            f"{message(lacking)}\n(this needs root and apt-get; elsewhere install the like yourself)"
        )
    packages = _packages(lacking).split()
    _apt_get("update")
    _apt_get("install", "-y", "--no-install-recommends", *packages)
    still = missing(lacking)
    if still:
        raise LocalClusterError(f"apt-get installed {', '.join(packages)}, and yet:\n{message(still)}")
    return packages


def _packages(lacking: Iterable[Prerequisite]) -> str:
    return " ".join(dict.fromkeys(one.package for one in lacking))


def _apt_get(*arguments: str) -> None:
    command = ["apt-get", "-q", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode:
        output = "\n".join((result.stdout + result.stderr).strip().splitlines()[-15:])
        raise LocalClusterError(f"{' '.join(command)} failed:\n{output}")
