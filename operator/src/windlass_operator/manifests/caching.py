"""The objects of the cache: results, the large values behind them, and reservations.

A result belongs to nobody: it stays when the run that made it goes, until it expires or somebody deletes it. Its large
values go with it, and a reservation goes with the Execution that holds it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from windlass_api import names
from windlass_operator.manifests.objects import Manifest, compress, labels, owner_reference

VALUE_KEY = "value.json.gz"


def cache_entry(name: str, namespace: str, spec: Mapping[str, Any]) -> Manifest:
    """A result."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": "CacheEntry",
        "metadata": {"name": name, "namespace": namespace, "labels": _labels(spec["key"]["task"])},
        "spec": dict(spec),
    }


def cached_value(entry: str, namespace: str, task: str, digest: str, value_json: bytes) -> Manifest:
    """A large output, compressed. Whoever makes it gives it the entry as its owner, whose uid is known only then."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": names.value_name(entry, digest), "namespace": namespace, "labels": _labels(task)},
        "immutable": True,
        "binaryData": {VALUE_KEY: base64.b64encode(compress(value_json)).decode("ascii")},
    }


def lease(name: str, namespace: str, task: str, holder: str, execution: str, uid: str, since: str) -> Manifest:
    """A reservation. It has no duration: it holds for as long as the holder's Execution runs."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": _labels(task),
            "ownerReferences": [owner_reference("Execution", execution, uid)],
        },
        "spec": {"holderIdentity": holder, "acquireTime": since},
    }


def _labels(task: str) -> dict[str, str]:
    return labels(**{names.LABEL_TASK: names.label_value(task)})
