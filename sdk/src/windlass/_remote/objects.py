"""What is written to the cluster: definitions by server-side apply, executions by create, cancellation by patch.

Server-side apply with a field manager of our own means that fields somebody else manages are not overwritten but named
in the error, and that applying the same thing twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from windlass._remote.client import Cluster, Object, RemoteError, connect, resource_path
from windlass_api.names import API_VERSION, SDK_FIELD_MANAGER

_ORDER = ("ConfigMap", "Task", "Workflow")  # what is referred to comes before what refers to it
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_STRICT = {"fieldManager": SDK_FIELD_MANAGER, "fieldValidation": "Strict"}


def apply(cluster: Cluster, objects: Iterable[Object]) -> list[Object]:
    """Applies the objects and returns them as the cluster has them now."""
    return [_apply_one(cluster, obj) for obj in sorted(objects, key=_rank)]


def create_execution(cluster: Cluster, execution: Object) -> Object:
    """Creates an Execution; where its name is generated and by chance taken, once more."""
    obj = in_namespace(execution, cluster.namespace)
    path = resource_path(obj, obj["metadata"]["namespace"])
    try:
        return cluster.request("POST", path, body=obj, query=_STRICT, what=label(obj))
    except RemoteError as error:
        if error.status != 409 or "name" in obj["metadata"]:
            raise
    return cluster.request("POST", path, body=obj, query=_STRICT, what=label(obj))


def cancel(
    name: str, *, namespace: str | None = None, context: str | None = None, kubeconfig: str | None = None
) -> Object:
    """Asks for an Execution to be stopped. It ends by itself soon after; asking twice is harmless."""
    cluster = connect(kubeconfig=kubeconfig, context=context, namespace=namespace)
    return cancel_in(cluster, name)


def cancel_in(cluster: Cluster, name: str) -> Object:
    """The same, over a connection that is there."""
    obj = execution_reference(cluster.namespace, name)
    path = resource_path(obj, cluster.namespace, name)
    return cluster.request(
        "PATCH", path, body={"spec": {"cancel": True}}, query=_STRICT, content_type=_MERGE, what=label(obj)
    )


def execution_reference(namespace: str, name: str) -> Object:
    """As much of an Execution as names it."""
    return {"apiVersion": API_VERSION, "kind": "Execution", "metadata": {"namespace": namespace, "name": name}}


def in_namespace(obj: Object, namespace: str) -> Object:
    """The object, with that namespace unless it names one."""
    return {**obj, "metadata": {"namespace": namespace, **obj.get("metadata", {})}}


def label(obj: Object) -> str:
    """An object in a message."""
    meta: dict[str, Any] = obj["metadata"]
    return f"{obj['kind']} {meta.get('name') or meta.get('generateName', '')} in namespace {meta['namespace']}"


def _apply_one(cluster: Cluster, definition: Object) -> Object:
    obj = in_namespace(definition, cluster.namespace)
    meta = obj["metadata"]
    path = resource_path(obj, meta["namespace"], meta["name"])
    return cluster.request("PATCH", path, body=obj, query=_STRICT, content_type=_APPLY, what=label(obj))


def _rank(obj: Object) -> int:
    return _ORDER.index(obj["kind"]) if obj["kind"] in _ORDER else len(_ORDER)
