"""The small objects beside pods: closures, pinned code, large values. Names are functions of content, so making one
twice is harmless.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Mapping
from typing import Any

from windlass_api import names

Manifest = dict[str, Any]


def owner_reference(
    kind: str, name: str, uid: str, *, api_version: str = names.API_VERSION, controller: bool = False
) -> Manifest:
    """An owner that never blocks its own deletion: garbage collection does the cleaning, with the operator up or
    down.
    """
    owner: Manifest = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid}
    if controller:
        owner["controller"] = True
    return owner


def labels(**extra: str) -> dict[str, str]:
    """The labels of everything the operator makes, and those given (keys with ``_`` for what ``names`` calls
    LABEL_…).
    """
    return {names.MANAGED_BY: "windlass", **extra}


def place_labels(node: str, attempt: int, element: int | None = None) -> dict[str, str]:
    """Which attempt of which node (and element) a child is for. A long path of a node is a hash here."""
    found = {names.LABEL_NODE: names.label_value(node), names.LABEL_ATTEMPT: str(attempt)}
    return found if element is None else {**found, names.LABEL_ELEMENT: str(element)}


def place_annotations(node: str, closure: str) -> dict[str, str]:
    """What the Execution is pinned to; and the node in full, where its label is a hash."""
    pinned = {names.ANNOTATION_CLOSURE: closure} if closure else {}
    return pinned if names.label_value(node) == node else {**pinned, names.ANNOTATION_NODE: node}


def place_of(metadata: Mapping[str, Any]) -> tuple[str, int, int | None] | None:
    """The node, attempt and element that a child is for; None where its labels don't say."""
    found = metadata.get("labels") or {}
    attempt, node = str(found.get(names.LABEL_ATTEMPT, "")), found.get(names.LABEL_NODE)
    element = found.get(names.LABEL_ELEMENT)
    if node is None or not attempt.isdigit() or not (element is None or str(element).isdigit()):
        return None
    node = (metadata.get("annotations") or {}).get(names.ANNOTATION_NODE, node)
    return node, int(attempt), None if element is None else int(element)


def value_config_map(name: str, namespace: str, value_json: bytes, execution: str, owner: Manifest) -> Manifest:
    """A large input value, compressed. Immutable: its name holds the hash of its content."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels(**{names.LABEL_EXECUTION: execution}),
            "ownerReferences": [owner],
        },
        "immutable": True,
        "binaryData": {"value.json.gz": base64.b64encode(compress(value_json)).decode("ascii")},
    }


def compress(data: bytes) -> bytes:
    """gzip without a time stamp: equal data, equal bytes."""
    return gzip.compress(data, compresslevel=6, mtime=0)


def code_digest(config_map: Mapping[str, Any]) -> str:
    """A hash of what is in a ConfigMap, whatever it is called."""
    return names.content_hash({part: config_map.get(part) or {} for part in ("data", "binaryData")})


def pinned_code(source: Mapping[str, Any], name: str, namespace: str, owners: Iterable[Manifest]) -> Manifest:
    """The closure's own copy of a code bundle, so that pruning the author's ConfigMap never hurts a run."""
    copy: Manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": labels(), "ownerReferences": list(owners)},
        "immutable": True,
    }
    for part in ("data", "binaryData"):
        if source.get(part):
            copy[part] = source[part]
    return copy


def controller_revision(
    name: str,
    namespace: str,
    data: Mapping[str, Any],
    revision: int,
    owners: Iterable[Manifest],
    extra_labels: Mapping[str, str],
) -> Manifest:
    """An immutable, content-addressed copy of a spec (a definition's revision, or an Execution's closure)."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels(**extra_labels),
            "ownerReferences": list(owners),
        },
        "data": data,
        "revision": revision,
    }
