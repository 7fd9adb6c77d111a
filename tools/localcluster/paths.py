"""Where everything lives: one cache for all clusters, one state folder for each cluster.

The cache holds what is expensive and the same for everyone (programs, Debian, image layers); it may be
deleted at any time. A state folder holds one cluster and vanishes with it.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from localcluster.errors import LocalClusterError

SOURCES = Path(__file__).resolve().parent
REPOSITORY = SOURCES.parent.parent

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def cache_home() -> Path:
    """The folder for what can be made again."""
    return _home("XDG_CACHE_HOME", ".cache") / "windlass"


def clusters_home() -> Path:
    """The folder that holds one state folder per cluster."""
    override = os.environ.get("WINDLASS_CLUSTER_HOME")
    if override:
        return Path(override).absolute()
    return _home("XDG_STATE_HOME", ".local/state") / "windlass" / "clusters"


def cluster_names() -> list[str]:
    """Every cluster that has a state folder, running or not."""
    home = clusters_home()
    return sorted(entry.name for entry in home.iterdir() if entry.is_dir()) if home.is_dir() else []


def _home(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    return Path(value) if value and Path(value).is_absolute() else Path.home() / default


@dataclass(frozen=True)
class Layout:
    """The state folder of one cluster, seen from this machine."""

    home: Path

    @classmethod
    def of(cls, name: str) -> Layout:
        """The layout of the named cluster; the name becomes part of paths, so it is checked."""
        if not _NAME.fullmatch(name):
            raise LocalClusterError(f"{name!r} is no name for a cluster: 1 to 40 of a-z, 0-9 and -, no - at an end")
        return cls(clusters_home() / name)

    @property
    def identity(self) -> str:
        """A short name no other cluster of this machine has: for its link and its cgroups."""
        return "wl" + hashlib.sha256(str(self.home).encode()).hexdigest()[:8]

    @property
    def lock(self) -> Path:
        """Held while the cluster is changed. Beside the folder, since the folder may go away."""
        return self.home.with_name(self.home.name + ".lock")

    @property
    def bin(self) -> Path:
        """One symlink per program. Its path in a command line says whose process that is."""
        return self.home / "bin"

    @property
    def logs(self) -> Path:
        """One file per component."""
        return self.home / "logs"

    @property
    def pki(self) -> Path:
        """Keys, certificates and tokens."""
        return self.home / "pki"

    @property
    def etcd(self) -> Path:
        """The database of the cluster."""
        return self.home / "etcd"

    @property
    def node(self) -> Path:
        """What the node keeps on disk; the node itself sees it at a short path."""
        return self.home / "node"

    @property
    def store(self) -> Path:
        """What the object store keeps, where the cluster has one."""
        return self.home / "store"

    @property
    def state(self) -> Path:
        """The choices made for this cluster when it was made: its kind, addresses and ports."""
        return self.home / "cluster.json"

    @property
    def kubeconfig(self) -> Path:
        """How an administrator reaches the cluster."""
        return self.home / "kubeconfig"
