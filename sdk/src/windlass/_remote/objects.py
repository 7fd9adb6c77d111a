"""What is written to the cluster: definitions by server-side apply, executions by create, cancellation by patch.

Server-side apply with a field manager of our own means that fields somebody else manages are not overwritten but named
in the error, and that applying the same thing twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from windlass._remote.client import AlreadyThereError, Cluster, NotThereError, Object, connect, resource_path
from windlass_api.names import API_VERSION, LABEL_ROLE, ROLE_CODE, SDK_FIELD_MANAGER

_ORDER = ("ConfigMap", "Task", "Workflow", "LaunchPlan")  # what is referred to comes before what refers to it
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_JSON_PATCH = "application/json-patch+json"
_PAGE = 500
_STRICT = {"fieldManager": SDK_FIELD_MANAGER, "fieldValidation": "Strict"}


def apply(cluster: Cluster, objects: Iterable[Object], *, dry_run: bool = False) -> list[Object]:
    """Applies the objects and returns them as the cluster has them now, or would have them after a dry run."""
    return [_apply_one(cluster, obj, dry_run=dry_run) for obj in sorted(objects, key=_rank)]


def create_execution(cluster: Cluster, execution: Object) -> Object:
    """Creates an Execution; where its name is generated and by chance taken, once more."""
    obj = in_namespace(execution, cluster.namespace)
    try:
        return create(cluster, obj)
    except AlreadyThereError:
        if "name" in obj["metadata"]:
            raise
    return create(cluster, obj)


def cancel(
    name: str, *, namespace: str | None = None, context: str | None = None, kubeconfig: str | None = None
) -> Object:
    """Asks for an Execution to be stopped. It ends by itself soon after; asking twice is harmless."""
    cluster = connect(kubeconfig=kubeconfig, context=context, namespace=namespace)
    return cancel_in(cluster, name)


def cancel_in(cluster: Cluster, name: str) -> Object:
    """The same, over a connection that is there."""
    return patch(cluster, "Execution", name, cluster.namespace, {"spec": {"cancel": True}})


def get(cluster: Cluster, kind: str, name: str, namespace: str) -> Object:
    """An object. Raises NotThereError where there is none."""
    obj = reference(kind, name, namespace)
    return cluster.request("GET", resource_path(obj, namespace, name), what=label(obj))


def find(cluster: Cluster, kind: str, name: str, namespace: str) -> Object | None:
    """An object, or None."""
    try:
        return get(cluster, kind, name, namespace)
    except NotThereError:
        return None


def list_all(
    cluster: Cluster, kind: str, namespace: str, *, selector: str = "", at_most: int | None = None
) -> list[Object]:
    """All objects of a kind that the label selector fits, the newest first."""
    path = resource_path(reference(kind, "", namespace), namespace)
    query = {"limit": str(_PAGE), **({"labelSelector": selector} if selector else {})}
    found: list[Object] = []
    while True:
        answer = cluster.request("GET", path, query=query, what=f"{plural_of(kind)} in namespace {namespace}")
        found += [{"apiVersion": answer["apiVersion"], "kind": kind, **item} for item in answer["items"]]
        token = answer["metadata"].get("continue")
        if not token:
            break
        query["continue"] = token
    found.sort(key=_age, reverse=True)
    return found if at_most is None else found[:at_most]


def patch(cluster: Cluster, kind: str, name: str, namespace: str, changes: Mapping[str, Any]) -> Object:
    """Merges changes into an object, as a person with kubectl would."""
    obj = reference(kind, name, namespace)
    path = resource_path(obj, namespace, name)
    return cluster.request("PATCH", path, body=dict(changes), query=_STRICT, content_type=_MERGE, what=label(obj))


def put(cluster: Cluster, kind: str, name: str, namespace: str, field: str, value: Any) -> Object:
    """Sets one field of an object, `/spec/answer`, to a value as it is: merging would drop what is null in it."""
    obj = reference(kind, name, namespace)
    path = resource_path(obj, namespace, name)
    change = [{"op": "add", "path": field, "value": value}]
    return cluster.request("PATCH", path, body=change, query=_STRICT, content_type=_JSON_PATCH, what=label(obj))


def replace(cluster: Cluster, obj: Object) -> Object:
    """Puts the object in the place of the one it was read from. Raises AlreadyThereError if that has changed."""
    meta = obj["metadata"]
    path = resource_path(obj, meta["namespace"], meta["name"])
    return cluster.request("PUT", path, body=obj, query=_STRICT, what=label(obj))


def create(cluster: Cluster, obj: Object) -> Object:
    """Creates an object. Raises AlreadyThereError where there is one of its name."""
    whole = in_namespace(obj, cluster.namespace)
    path = resource_path(whole, whole["metadata"]["namespace"])
    return cluster.request("POST", path, body=whole, query=_STRICT, what=label(whole))


def _age(obj: Object) -> tuple[str, int]:
    """What sorts objects by age: of those of one second, the one that was written first is the older."""
    meta = obj["metadata"]
    written = str(meta.get("resourceVersion", ""))
    return meta.get("creationTimestamp") or "", int(written) if written.isdigit() else 0


def reference(kind: str, name: str, namespace: str) -> Object:
    """As much of an object as names it."""
    version = {"ConfigMap": "v1", "ControllerRevision": "apps/v1"}.get(kind, API_VERSION)
    return {"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace, "name": name}}


def plural_of(kind: str) -> str:
    """Several objects of a kind, in a message."""
    return f"{kind}s" if not kind.endswith("y") else f"{kind[:-1]}ies"


def execution_reference(namespace: str, name: str) -> Object:
    """As much of an Execution as names it."""
    return reference("Execution", name, namespace)


def in_namespace(obj: Object, namespace: str) -> Object:
    """The object, with that namespace unless it names one."""
    return {**obj, "metadata": {"namespace": namespace, **obj.get("metadata", {})}}


def label(obj: Object) -> str:
    """An object in a message."""
    meta: dict[str, Any] = obj["metadata"]
    return f"{obj['kind']} {meta.get('name') or meta.get('generateName', '')} in namespace {meta['namespace']}"


def _apply_one(cluster: Cluster, definition: Object, *, dry_run: bool) -> Object:
    obj = _marked(in_namespace(definition, cluster.namespace))
    meta = obj["metadata"]
    path = resource_path(obj, meta["namespace"], meta["name"])
    query = {**_STRICT, "dryRun": "All"} if dry_run else _STRICT
    return cluster.request("PATCH", path, body=obj, query=query, content_type=_APPLY, what=label(obj))


def _marked(obj: Object) -> Object:
    """A bundle that we bring, rather than somebody's GitOps, goes with the revisions of Tasks that refer to it."""
    if obj["kind"] != "ConfigMap":
        return obj
    meta = obj["metadata"]
    return {**obj, "metadata": {**meta, "labels": {**meta.get("labels", {}), LABEL_ROLE: ROLE_CODE}}}


def _rank(obj: Object) -> int:
    return _ORDER.index(obj["kind"]) if obj["kind"] in _ORDER else len(_ORDER)
