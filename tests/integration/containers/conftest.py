"""Podman with a place of its own for what it keeps, and an image: the Debian with Python that clusters use too.

Podman is told by two configuration files rather than by arguments, so that what the tests run is what users run. The
limits on files and processes are ones which a container in a container may set; the network is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcluster import prerequisites, rootfs

IMAGE = "localhost/windlass-container-test:1"

CONTAINERS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
"""
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/images"
runroot = "{folder}/running"
"""


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The engine; its image is `IMAGE`."""
    if os.geteuid() != 0:
        pytest.skip("podman in a container needs root")
    lacking = prerequisites.missing((*prerequisites.ENGINES, *prerequisites.IMAGES))
    if lacking:
        pytest.skip(prerequisites.message(lacking))
    folder = tmp_path_factory.mktemp("podman")
    (folder / "containers.conf").write_text(CONTAINERS)
    (folder / "storage.conf").write_text(STORAGE.format(folder=folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", str(folder / "containers.conf"))
        patch.setenv("CONTAINERS_STORAGE_CONF", str(folder / "storage.conf"))
        patch.setenv("WINDLASS_CONTAINER_ENGINE", "podman")
        layer = rootfs.base_layer().source
        assert isinstance(layer, Path)
        subprocess.run(["podman", "import", "--quiet", str(layer), IMAGE], check=True, capture_output=True)
        yield "podman"
        subprocess.run(["podman", "rmi", "--all", "--force"], check=True, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def nothing_left(podman: str) -> Iterator[None]:
    """After the test, no container is left."""
    yield
    listed = subprocess.run([podman, "ps", "--all", "--quiet"], capture_output=True, text=True, check=True)
    assert listed.stdout == ""
