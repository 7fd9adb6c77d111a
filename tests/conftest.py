"""Real clusters for the tests that ask for them: brought up once per session, in a state folder of its own.

``control_plane`` is etcd, an API server and the controllers, without a kubelet (3 s); ``cluster`` is a node with pods
(5 s). Both are taken down at the end. Both have Windlass's CRDs. ``namespace`` is one of the test's own.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from localcluster import catalog, prerequisites
from localcluster.cluster import Cluster, down_all

ROOT = Path(__file__).parent.parent

# CI tries the same examples every time, so that what it says depends on the change only; people search at random.
# How long an example takes depends on what else the machine does: nothing fails for that.
settings.register_profile(
    "windlass",
    derandomize=bool(os.environ.get("CI")),
    deadline=None,
    suppress_health_check=(HealthCheck.too_slow,),
)
settings.load_profile("windlass")


@pytest.fixture(scope="session", autouse=True)
def _cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Results of cached tasks stay in the session that made them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WINDLASS_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def clusters_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the clusters of this session keep their state."""
    home = tmp_path_factory.mktemp("clusters")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WINDLASS_CLUSTER_HOME", str(home))
        yield home
        down_all()
        assert list(home.iterdir()) == []


@pytest.fixture(scope="session")
def node_possible(clusters_home: Path) -> None:
    """Skip where a node can't be had, and say what it would take."""
    if os.geteuid() != 0:
        pytest.skip("a node needs root")
    lacking = prerequisites.missing(prerequisites.ALL)
    if lacking:
        pytest.skip(prerequisites.message(lacking))


@pytest.fixture(scope="session")
def control_plane(clusters_home: Path) -> Cluster:
    """A real API server that knows Windlass's kinds."""
    return _with_kinds(Cluster("control-plane", control_plane_only=True).up())


@pytest.fixture(scope="session")
def cluster(node_possible: None) -> Cluster:
    """A cluster with a node, the images that pods of these tests use, and Windlass's kinds."""
    started = Cluster("shared").up()
    started.load_images(catalog.all_images())
    return _with_kinds(started)


@pytest.fixture
def new_namespace(request: pytest.FixtureRequest) -> Callable[[Cluster], str]:
    """Makes a namespace for this test, and deletes it afterwards without waiting."""

    def make(where: Cluster) -> str:
        name = where.kubectl("create", "namespace", _namespace_name(request), "-o", "jsonpath={.metadata.name}")
        request.addfinalizer(lambda: where.kubectl("delete", "namespace", name, "--wait=false"))
        return name

    return make


def _namespace_name(request: pytest.FixtureRequest) -> str:
    words = request.node.name.removeprefix("test_").lower()
    readable = "".join(letter if letter.isalnum() else "-" for letter in words)[:50].strip("-")
    return f"t-{readable}-{secrets.token_hex(3)}"


def _with_kinds(started: Cluster) -> Cluster:
    started.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    started.kubectl(
        "wait", "--for=condition=Established", "crd", "-l", "app.kubernetes.io/part-of=windlass", "--timeout=30s"
    )
    return started
