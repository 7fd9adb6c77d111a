"""Pods for these tests, and what to ask of them."""

from __future__ import annotations

import json
from typing import Any

from localcluster import catalog
from localcluster.cluster import Cluster
from localcluster.processes import wait_until


def pod(name: str, program: str, **spec: Any) -> dict[str, Any]:
    """A pod that runs a Python program once, under the restricted Pod Security Standard."""
    container = {
        "name": "main",
        "image": catalog.USER,
        "command": ["python3", "-c", program],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        **spec.pop("container", {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "dnsPolicy": "Default",
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            **spec,
        },
    }


def apply(cluster: Cluster, *objects: dict[str, Any]) -> None:
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def phase(cluster: Cluster, name: str) -> str:
    return cluster.kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}")


def wait_for(cluster: Cluster, name: str, wanted: str) -> None:
    def reached() -> bool:
        now = phase(cluster, name)
        assert now == wanted or now not in ("Succeeded", "Failed"), cluster.kubectl("logs", name)
        return now == wanted

    def explain() -> str:
        return cluster.kubectl("describe", "pod", name)

    wait_until(reached, f"pod {name} to be {wanted}", 45, explain=explain, interval=0.1)


def run(cluster: Cluster, described: dict[str, Any]) -> str:
    """What the pod's program printed."""
    name = described["metadata"]["name"]
    apply(cluster, described)
    wait_for(cluster, name, "Succeeded")
    return cluster.kubectl("logs", name)
