"""A registry, a place where buildah keeps its things, a base image, and a package index: all real, all on this machine.

Nothing comes from the internet, so the base is the Debian with Python that clusters use too, with pip added.
"""

from __future__ import annotations

import base64
import functools
import http.server
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from localcluster import catalog, image_registry, images
from localcluster.image_registry import Registry
from tests.image_building import Buildah, own_buildah, skip_unless_possible, write_wheel
from tests.serving import answering

INDEX_USER, INDEX_PASSWORD = "reader", "open-sesame"

STAND_IN_FOR_MICROMAMBA = """#!/bin/sh
# Makes what the real one would: an environment with a Python. Notes how it was called.
for word; do [ "$previous" = --prefix ] && prefix=$word; previous=$word; done
mkdir -p "$prefix/bin" && ln -sf /usr/bin/python3 "$prefix/bin/python3" && echo "$*" >> "$prefix/calls"
"""


@pytest.fixture(scope="session", autouse=True)
def possible() -> None:
    """Skip where images can't be built, and say what it would take."""
    skip_unless_possible()


@pytest.fixture(scope="session")
def registry(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks nobody who they are."""
    with image_registry.running(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def buildah(possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    """Buildah, as the tests and what they test see it."""
    with own_buildah(tmp_path_factory.mktemp("buildah")) as found:
        yield found


@pytest.fixture(scope="session")
def base(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with Python and pip, in the registry."""
    plain = catalog.building_image()
    folder = tmp_path_factory.mktemp("base")
    programs = folder / "root/usr/bin"
    programs.mkdir(parents=True)
    (programs / "micromamba").write_text(STAND_IN_FOR_MICROMAMBA)
    (programs / "micromamba").chmod(0o755)
    layers = (*plain.layers, images.pack_layer(folder / "root", folder / "layer.tar"))
    image = images.Image(plain.names, layers, plain.configuration)
    return image_registry.push(registry.host, "tests/python:3", image)


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
    with answering(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port:
        netrc = folder / "netrc"
        netrc.write_text(f"machine 127.0.0.1 login {INDEX_USER} password {INDEX_PASSWORD}\n")
        yield Index(f"http://127.0.0.1:{port}/simple/", netrc)


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
