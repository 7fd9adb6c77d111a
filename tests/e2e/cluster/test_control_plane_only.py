"""A control plane without a node: what the integration tests run against."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from localcluster import processes
from localcluster.cluster import Cluster
from localcluster.errors import LocalClusterError
from localcluster.processes import wait_until

pytestmark = [
    pytest.mark.control_plane,
    pytest.mark.timeout(900),
]  # the first run builds Kubernetes

SCHEMA: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "knots.example.dev"},
    "spec": {
        "group": "example.dev",
        "scope": "Namespaced",
        "names": {"kind": "Knot", "plural": "knots", "singular": "knot"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}],
    },
}


def test_it_serves_a_custom_resource(control_plane: Cluster) -> None:
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(CRD))
    control_plane.kubectl("wait", "--for=condition=Established", "crd/knots.example.dev", "--timeout=30s")
    knot = {
        "apiVersion": "example.dev/v1",
        "kind": "Knot",
        "metadata": {"name": "bowline"},
        "spec": {"turns": 1},
    }
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(knot))
    assert control_plane.kubectl("get", "knot", "bowline", "-o", "jsonpath={.spec.turns}") == "1"


def test_its_controllers_delete_a_namespace(control_plane: Cluster) -> None:
    control_plane.kubectl("create", "namespace", "passing")
    control_plane.kubectl("delete", "namespace", "passing", "--timeout=30s")
    assert "passing" not in control_plane.kubectl("get", "namespaces")


def test_a_second_up_only_looks(control_plane: Cluster) -> None:
    before = {process.pid for process in processes.running() if process.belongs_to(control_plane.layout.bin)}
    started = time.monotonic()
    Cluster(control_plane.name, control_plane_only=True).up()
    assert time.monotonic() - started < 1
    after = {process.pid for process in processes.running() if process.belongs_to(control_plane.layout.bin)}
    assert after == before


def test_a_restarted_api_server_keeps_its_address_and_its_data(control_plane: Cluster) -> None:
    control_plane.kubectl("create", "configmap", "kept")
    server = control_plane.server
    [before] = processes.find(control_plane.layout.bin / "kube-apiserver")
    control_plane.restart("kube-apiserver")
    [after] = processes.find(control_plane.layout.bin / "kube-apiserver")
    assert after.pid != before.pid
    assert control_plane.server == server
    assert "kept" in control_plane.kubectl("get", "configmap", "kept")


def test_up_starts_again_what_was_killed(control_plane: Cluster) -> None:
    for component in ("etcd", "kube-controller-manager"):
        control_plane.kill(component)
    assert control_plane.missing() == {"etcd", "kube-controller-manager"}
    control_plane.up()
    assert control_plane.healthy()


def test_two_control_planes_have_nothing_in_common(control_plane: Cluster) -> None:
    with Cluster("other", control_plane_only=True) as other:
        other.kubectl("create", "configmap", "mine")
        assert other.server != control_plane.server
        assert "mine" not in control_plane.kubectl("get", "configmaps")


def test_down_leaves_neither_process_nor_file(clusters_home: Path) -> None:
    passing = Cluster("passing", control_plane_only=True).up()
    passing.down()
    assert not [process for process in processes.running() if process.belongs_to(passing.layout.bin)]
    assert not list(clusters_home.glob("passing*"))


def test_a_program_that_cannot_start_is_reported_with_its_log(clusters_home: Path) -> None:
    broken = Cluster("broken", control_plane_only=True).up()
    try:
        broken.kill("etcd")
        wait_until(lambda: "etcd" in broken.missing(), "etcd to be gone", 10)
        (broken.layout.etcd / "member" / "snap" / "db").write_bytes(b"not a database")
        with pytest.raises(LocalClusterError, match="ended by itself: etcd"):
            broken.up()
    finally:
        broken.down()


def test_a_cluster_does_not_change_its_kind(control_plane: Cluster) -> None:
    with pytest.raises(LocalClusterError, match="was made without a node"):
        control_plane.kill("kube-controller-manager")
        Cluster(control_plane.name).up()
    control_plane.up()
