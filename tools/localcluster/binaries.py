"""Programs from Go sources: built once, kept under a hash of what went in, shared by all clusters.

Separate modules, because containerd needs newer Kubernetes libraries than our Kubernetes is made of, and others need
neither::

    kubernetes/   one program for etcd, all of Kubernetes, kubectl and helm; and pause
    containerd/   containerd, its shim and ctr
    registry/     a registry of images; a part of clusters that have one
    versitygw/    a store that speaks S3; no part of a cluster

All compiler work hides behind ``ensure_binaries`` the first time (five to seven minutes on two cores);
afterwards it is a look at a folder. Several processes may call it at once: one builds, the others wait.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localcluster import toolchain
from localcluster.errors import LocalClusterError
from localcluster.locks import file_lock
from localcluster.paths import SOURCES, cache_home

KUBERNETES_PROGRAMS = (
    "etcd",
    "helm",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)


@dataclass(frozen=True)
class Target:
    """One ``go build``: the packages to build, and what the programs are to say of themselves."""

    output: str
    packages: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Module:
    """A folder with a go.mod, and what is built from it."""

    name: str
    targets: tuple[Target, ...]

    @property
    def folder(self) -> Path:
        """Where the sources are."""
        return SOURCES / self.name

    def required(self, package: str) -> str:
        """The version of a Go module that go.mod names, which is the version we get."""
        text = (self.folder / "go.mod").read_text()
        match = re.search(rf"^\s*{re.escape(package)} (v\S+)", text, re.MULTILINE)
        if not match:
            raise LocalClusterError(f"{self.folder / 'go.mod'} does not require {package}")
        return match.group(1)


@dataclass(frozen=True)
class Binaries:
    """Where each program is; several names may lead to the same file."""

    programs: dict[str, Path]

    def __getitem__(self, name: str) -> Path:
        return self.programs[name]


def ensure_binaries(*, node: bool = True, registry: bool = False, store: bool = False) -> Binaries:
    """All programs of a cluster, built if need be; without ``node`` not those that run containers."""
    kubernetes = build(_kubernetes())
    programs = dict.fromkeys(KUBERNETES_PROGRAMS, kubernetes / "kubernetes")
    programs["pause"] = programs["node"] = kubernetes / "pause"  # pid 1 of a pod, and of a node
    if node:
        containerd = build(_containerd())
        programs |= {target.name: target for target in sorted(containerd.iterdir())}
    if registry:
        programs["registry"] = programs["registry-here"] = ensure_registry()
    if store:
        programs["object-store"] = ensure_object_store()
    return Binaries(programs)


def ensure_registry() -> Path:
    """The program of a registry of images, built if need be."""
    return build(Module("registry", (Target("registry", (".",)),))) / "registry"


def ensure_object_store() -> Path:
    """The program of a store that speaks S3, built if need be (under a minute)."""
    package = "github.com/versity/versitygw/cmd/versitygw"
    return build(Module("versitygw", (Target("versitygw", (package,)),))) / "versitygw"


def _kubernetes() -> Module:
    bare = Module("kubernetes", ())
    version = bare.required("k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = {
        "k8s.io/component-base/version.gitVersion": version,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/component-base/version.gitCommit": "unknown",
        "k8s.io/component-base/version.gitTreeState": "clean",
        "helm.sh/helm/v4/internal/version.version": bare.required("helm.sh/helm/v4"),
    }
    return Module(
        bare.name,
        (
            Target("pause", ("./pause",)),
            Target("kubernetes", (".",), tuple(stamps.items())),
        ),
    )


def _containerd() -> Module:
    bare = Module("containerd", ())
    package = "github.com/containerd/containerd/v2"
    stamps = ((f"{package}/version.Version", bare.required(package)),)
    commands = ("containerd", "containerd-shim-runc-v2", "ctr")
    return Module(bare.name, (Target(".", tuple(f"{package}/cmd/{name}" for name in commands), stamps),))


def build(module: Module) -> Path:
    """The folder with the module's programs."""
    go = toolchain.find_go()
    folder = cache_home() / "programs" / f"{module.name}-{_key(module, go)}"
    if folder.is_dir():
        return folder
    with file_lock(folder.with_name(folder.name + ".lock"), f"another build of {module.name}"):
        if not folder.is_dir():
            _build_into(module, go, folder)
    return folder


def _key(module: Module, go: Path) -> str:
    """A name for everything that decides what comes out."""
    digest = hashlib.sha256(repr((toolchain.version(go), module.targets)).encode())
    for path in sorted(module.folder.rglob("*")):
        if path.name in ("go.mod", "go.sum") or path.suffix == ".go":
            content = path.read_bytes()
            digest.update(f"{path.relative_to(module.folder)} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()[:16]


def _build_into(module: Module, go: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as draft:
        programs = Path(draft) / "programs"
        programs.mkdir()
        for target in module.targets:
            _run(_command(go, target, programs), module)
        programs.rename(folder)


def _command(go: Path, target: Target, folder: Path) -> list[str]:
    stamps = " ".join(f"-X {name}={value}" for name, value in target.variables)
    command = [str(go), "build", "-v", "-trimpath", "-mod=readonly", "-buildvcs=false"]
    command += ["-ldflags", f"-s -w {stamps}".strip()]
    return [*command, "-o", f"{folder}/{target.output}", *target.packages]


def _run(command: Sequence[str], module: Module) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    with subprocess.Popen(command, cwd=module.folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        progress = _Progress(process, module.name)
        status = progress.follow()
    if status:
        raise LocalClusterError(f"building {module.name} failed:\n" + "\n".join(progress.notes))


class _Progress:
    """Says what a build does: it counts the packages that ``go build -v`` names as it finishes them."""

    def __init__(self, process: subprocess.Popen[str], what: str) -> None:
        self._process = process
        self._what = what
        self._started = time.monotonic()
        self._tty = sys.stderr.isatty()
        self._packages = 0
        self.notes: list[str] = []

    def follow(self) -> int:
        """Report until the build ends; its exit status."""
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        while True:
            try:
                status = self._process.wait(timeout=1 if self._tty else 15)
                break
            except subprocess.TimeoutExpired:
                self._say(end="" if self._tty else "\n")
        reader.join()
        if time.monotonic() - self._started > 1:
            self._say(end="\n", verb="built" if status == 0 else "failed to build")
        return status

    def _read(self) -> None:
        for line in self._process.stderr or ():
            if re.fullmatch(r"[\w.~/+-]+\n?", line):
                self._packages += 1
            else:
                self.notes = [*self.notes[-40:], line.rstrip()]

    def _say(self, end: str, verb: str = "building") -> None:
        seconds = time.monotonic() - self._started
        text = f"windlass: {verb} {self._what}, {self._packages} packages, {seconds:.0f} s"
        start = "\r" if self._tty else ""
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)


def link(binaries: Binaries, folder: Path) -> None:
    """Make a ``bin`` folder with one symlink per program, replacing those that lead elsewhere."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in binaries.programs.items():
        place = folder / name
        if not (place.is_symlink() and place.readlink() == target):
            draft = folder / f".{name}"
            draft.unlink(missing_ok=True)
            draft.symlink_to(target)
            draft.replace(place)
