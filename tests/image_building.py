"""What tests that build images share: a real buildah with a storage of its own, and things to put into images.

What buildah mounts and keeps is gone at the end, also after a build that failed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dev.console import ROOT
from localcluster import images, prerequisites, rootfs
from localcluster.locks import file_lock
from localcluster.paths import cache_home
from tests.serving import answering

SECONDS = 120


def skip_unless_possible() -> None:
    """Skip where images can't be built, and say what it would take."""
    if os.geteuid() != 0:
        pytest.skip("buildah needs root here")
    lacking = prerequisites.missing((*prerequisites.BUILDERS, *prerequisites.IMAGES))
    if lacking:
        pytest.skip(prerequisites.message(lacking))


@dataclass(frozen=True)
class Buildah:
    """The program, with a storage of its own."""

    folder: Path

    def __call__(self, *words: str) -> str:
        """Run it; what it prints."""
        done = subprocess.run(["buildah", *words], capture_output=True, text=True, check=False, timeout=SECONDS)
        assert done.returncode == 0, f"buildah {' '.join(words)}\n{done.stderr[-3000:]}"
        return done.stdout.strip()

    def run(self, image: str, *words: str, user: str | None = None) -> str:
        """What a program prints in a container of the image, as the image's user or another one."""
        container = self("from", "--pull-never", image)
        try:
            return self("run", *(["--user", user] if user else []), container, "--", *words)
        finally:
            self("rm", container)

    def config(self, image: str) -> dict[str, object]:
        """The image's configuration."""
        found: dict[str, object] = json.loads(self("inspect", "--type", "image", image))["OCIv1"]["config"]
        return found

    def containers(self) -> str:
        """The containers that are there: none, unless a build left one."""
        return self("containers", "--quiet")

    def clean(self) -> None:
        """Remove every container, and what a program that was killed may have left mounted."""
        subprocess.run(["buildah", "rm", "--all"], capture_output=True, check=False, timeout=SECONDS)
        for mounted in reversed(_mounts_below(self.folder)):
            subprocess.run(["umount", "--lazy", mounted], check=True, timeout=SECONDS)


def _mounts_below(folder: Path) -> list[str]:
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [point for point in points if Path(point).is_relative_to(folder)]


@contextmanager
def own_buildah(folder: Path) -> Iterator[Buildah]:
    """Buildah with a storage in the folder, for this process and those it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUILDAH_ISOLATION", "chroot")
        patch.setenv("CONTAINERS_STORAGE_CONF", str(folder / "storage.conf"))
        patch.setenv("REGISTRY_AUTH_FILE", str(folder / "auth.json"))
        patch.setenv("DOCKER_CONFIG", str(folder / "docker"))
        (folder / "auth.json").write_text("{}")
        _choose_driver(folder)
        found = Buildah(folder)
        yield found
        found.clean()
        shutil.rmtree(folder)


def _choose_driver(folder: Path) -> None:
    """Overlay where the file system under it allows that, which is not so inside of a container."""
    for driver in ("overlay", "vfs"):
        text = f'[storage]\ndriver = "{driver}"\ngraphroot = "{folder}/{driver}"\nrunroot = "{folder}/run-{driver}"\n'
        (folder / "storage.conf").write_text(text)
        if subprocess.run(["buildah", "info"], capture_output=True, check=False, timeout=SECONDS).returncode == 0:
            return
    pytest.fail("buildah can keep nothing here")


def write_wheel(folder: Path, name: str, version: str, source: str) -> Path:
    """The smallest thing that pip installs."""
    info = f"{name}-{version}.dist-info"
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", source)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@contextmanager
def index_of(*requirements: str) -> Iterator[str]:
    """The address of a page with the wheels of packages and of what they need, at the versions that are locked.

    They are fetched once on a machine, so that every build has them at once.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(_wheels(requirements))))
    with answering(server) as port:
        yield f"http://127.0.0.1:{port}/"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


def _wheels(requirements: tuple[str, ...]) -> Path:
    constraints = ROOT / "constraints.txt"
    asked = json.dumps([requirements, rootfs.PYTHON, constraints.read_text()])
    folder = cache_home() / "wheels" / hashlib.sha256(asked.encode()).hexdigest()[:16]
    with file_lock(folder.with_name(f"{folder.name}.lock"), f"another download of {', '.join(requirements)}"):
        if not folder.is_dir():
            draft = folder.with_name(f"{folder.name}.part")
            shutil.rmtree(draft, ignore_errors=True)
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(draft), "-c", str(constraints)]
            command += ["--python-version", rootfs.PYTHON, "--only-binary=:all:"]
            for generation in ("manylinux2014", "manylinux_2_17", "manylinux_2_28"):
                command += ["--platform", f"{generation}_{images.machine()}"]
            subprocess.run([*command, *requirements], check=True, timeout=600)
            draft.rename(folder)
    return folder
