"""A registry, a place where buildah keeps its things, a base image, and a package index: all real, all on this machine.

Nothing comes from the internet, so the base is the Debian with Python that clusters use too, with pip added. What
buildah mounts and keeps is gone at the end, also after a build that failed.
"""

from __future__ import annotations

import base64
import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pip
import pytest

from localcluster import catalog, image_registry, images, prerequisites
from localcluster.image_registry import Registry

SECONDS = 120
INDEX_USER, INDEX_PASSWORD = "reader", "open-sesame"

STAND_IN_FOR_MICROMAMBA = """#!/bin/sh
# Makes what the real one would: an environment with a Python. Notes how it was called.
for word; do [ "$previous" = --prefix ] && prefix=$word; previous=$word; done
mkdir -p "$prefix/bin" && ln -sf /usr/bin/python3 "$prefix/bin/python3" && echo "$*" >> "$prefix/calls"
"""


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


@pytest.fixture(scope="session", autouse=True)
def possible() -> None:
    """Skip where images can't be built, and say what it would take."""
    if os.geteuid() != 0:
        pytest.skip("buildah needs root here")
    lacking = prerequisites.missing((*prerequisites.BUILDERS, *prerequisites.IMAGES))
    if lacking:
        pytest.skip(prerequisites.message(lacking))


@pytest.fixture(scope="session")
def registry(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks nobody who they are."""
    with image_registry.running(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def buildah(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    """Buildah, as the tests and what they test see it."""
    folder = tmp_path_factory.mktemp("buildah")
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


@pytest.fixture(scope="session")
def base(registry: Registry, buildah: Buildah, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with Python and pip, in the registry."""
    plain = catalog.base_image()
    folder = tmp_path_factory.mktemp("base")
    root = folder / "root"
    packages, programs = root / "usr/lib/python3/dist-packages", root / "usr/bin"
    programs.mkdir(parents=True)
    shutil.copytree(Path(pip.__file__).parent, packages / "pip", ignore=shutil.ignore_patterns("__pycache__"))
    (programs / "micromamba").write_text(STAND_IN_FOR_MICROMAMBA)
    (programs / "micromamba").chmod(0o755)
    layers = (*plain.layers, images.pack_layer(root, folder / "layer.tar"))
    name = f"{registry.host}/tests/python:3"
    archive = folder / "image.tar"
    images.save_archive([images.Image((name,), layers, plain.configuration)], archive)
    found = buildah("pull", "--quiet", f"oci-archive:{archive}")
    buildah("push", "--quiet", "--tls-verify=false", found, f"docker://{name}")
    buildah("rmi", "--force", found)
    return name


@dataclass(frozen=True)
class Index:
    """A package index that wants a password."""

    url: str
    netrc: Path


@pytest.fixture(scope="session")
def index(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """A package index with one package, `greeting`, in one version."""
    folder = tmp_path_factory.mktemp("index")
    package = folder / "simple" / "greeting"
    package.mkdir(parents=True)
    write_wheel(package, "greeting", "1.0", "TEXT = 'hello from a wheel'\n")
    handler = functools.partial(_IndexHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        netrc = folder / "netrc"
        netrc.write_text(f"machine 127.0.0.1 login {INDEX_USER} password {INDEX_PASSWORD}\n")
        yield Index(f"http://127.0.0.1:{server.server_address[1]}/simple/", netrc)
        server.shutdown()
        thread.join()


class _IndexHandler(http.server.SimpleHTTPRequestHandler):
    """Files for those who say the password. A folder's listing is what pip wants to see of an index."""

    def do_GET(self) -> None:
        wanted = base64.b64encode(f"{INDEX_USER}:{INDEX_PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") == f"Basic {wanted}":
            super().do_GET()
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


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


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that builds leaves no container behind."""
    yield
    if "buildah" in request.fixturenames:
        assert request.getfixturevalue("buildah").containers() == ""
