"""Windlass as users have it: installed from the chart into a cluster with a node, used through kubectl and the CLI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from localcluster import catalog, image_registry
from localcluster.cluster import Cluster
from tests.harness import Api
from tests.image_building import Buildah, own_buildah, skip_unless_possible

ROOT = Path(__file__).parent.parent.parent
SYSTEM = "windlass-system"


@dataclass(frozen=True)
class Installed:
    """A cluster with Windlass in it, and a namespace of the test's own where only restricted pods may run."""

    cluster: Cluster
    namespace: str

    @property
    def api(self) -> Api:
        """Plain JSON to and from the namespace."""
        return Api(self.cluster, self.namespace)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl in the namespace."""
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin)

    def windlass(self, *arguments: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """The CLI, told to use the namespace."""
        return subprocess.run(
            [sys.executable, "-m", "windlass._cli", *arguments, "--remote", "--namespace", self.namespace],
            env={**os.environ, "KUBECONFIG": str(self.cluster.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def install(cluster: Cluster, *values: str) -> None:
    """Install the chart, or change its values; returns when the operator is ready. Its pods are restricted, too."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM, "labels": labels}}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(namespace))
    chart, local = ROOT / "charts" / "windlass", ROOT / "charts" / "windlass" / "values-local.yaml"
    settings = [part for value in values for part in ("--set", value)]
    cluster.helm(
        *("upgrade", "--install", "windlass", str(chart), "--namespace", SYSTEM, "--create-namespace"),
        *("--values", str(local), "--take-ownership", "--force-conflicts", *settings),
    )
    cluster.kubectl("--namespace", SYSTEM, "rollout", "status", "deployment/windlass-operator", "--timeout=90s")


@pytest.fixture(scope="session")
def with_windlass(cluster: Cluster) -> Cluster:
    """The cluster with Windlass installed from the chart."""
    install(cluster)
    return cluster


@pytest.fixture
def no_operator(cluster: Cluster) -> Iterator[None]:
    """For a while no operator is in the cluster, installed as it may be."""
    there = "windlass-operator" in cluster.kubectl("-n", SYSTEM, "get", "deployments", "-o", "name")
    if there:
        cluster.kubectl("-n", SYSTEM, "scale", "deployment/windlass-operator", "--replicas=0")
        cluster.kubectl("-n", SYSTEM, "wait", "--for=delete", "pod", "--all", "--timeout=60s")
    yield
    if there:
        cluster.kubectl("-n", SYSTEM, "scale", "deployment/windlass-operator", "--replicas=1")
        cluster.kubectl("-n", SYSTEM, "rollout", "status", "deployment/windlass-operator", "--timeout=60s")


@pytest.fixture
def windlass(with_windlass: Cluster, new_namespace: Callable[[Cluster], str]) -> Installed:
    """Windlass, in a namespace that enforces the restricted Pod Security Standard."""
    namespace = new_namespace(with_windlass)
    with_windlass.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    return Installed(with_windlass, namespace)


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    """Buildah, as the CLI finds it."""
    skip_unless_possible()
    with own_buildah(tmp_path_factory.mktemp("buildah")) as found:
        yield found


@pytest.fixture
def host(with_windlass: Cluster) -> str:
    """The cluster's registry, with an image to start from in it."""
    host = with_windlass.keep_registry()
    image_registry.push(host, catalog.BUILDING, catalog.building_image())
    return host
