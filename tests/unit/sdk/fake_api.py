"""An API server as far as the SDK's commands ask it: objects in memory; get, list, create, merge and JSON patches."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from windlass._remote.client import Object, remote_error, resource_path

NAMESPACE = "team"
LISTS = ("/executions", "/signals")


class FakeApi:
    """Stands in the place of `client.Cluster`. `changes` are what was written, in order; `on_create` may finish what is
    created, as an operator would.
    """

    namespace = NAMESPACE
    where = "a test"

    def __init__(self, *there: Object) -> None:
        self.objects = {_path(obj): copy.deepcopy(obj) for obj in there}
        self.changes: list[tuple[str, Any]] = []
        self.on_create: Callable[[Object], None] = lambda obj: None

    def request(self, method: str, path: str, *, what: str, body: Any = None, **_: Any) -> Object:
        """Answers a request."""
        if method == "POST":
            return copy.deepcopy(self._create(path, body))
        if method == "GET" and path.endswith(LISTS):
            items = [obj for place, obj in self.objects.items() if place.rpartition("/")[0] == path]
            return {"apiVersion": "windlass.dev/v1alpha1", "items": copy.deepcopy(items), "metadata": {}}
        if path not in self.objects:
            raise remote_error(f"{what}: not found", 404)
        if method == "PATCH":
            self.changes.append((path.rpartition("/")[2], body))
            if isinstance(body, list):
                for change in body:
                    *way, last = change["path"].strip("/").split("/")
                    holder: Any = self.objects[path]
                    for step in way:
                        holder = holder[step]
                    holder[last] = change["value"]
            else:
                _merge(self.objects[path], body)
        return copy.deepcopy(self.objects[path])

    def _create(self, path: str, body: Mapping[str, Any]) -> Object:
        made = copy.deepcopy(dict(body))
        made["metadata"].setdefault("name", f"{made['metadata'].get('generateName')}new")
        made["metadata"] |= {"creationTimestamp": "2026-11-22T19:00:00Z", "resourceVersion": "1"}
        self.changes.append((made["metadata"]["name"], body))
        self.on_create(made)
        return self.objects.setdefault(f"{path}/{made['metadata']['name']}", made)


def thing(kind: str, name: str, spec: Mapping[str, Any], **more: Any) -> Object:
    """An object in the namespace."""
    written = {"creationTimestamp": "2026-11-22T19:00:00Z", "resourceVersion": "1", "uid": f"u-{name}"}
    metadata = {"name": name, "namespace": NAMESPACE, **written}
    return {
        "apiVersion": "v1" if kind == "ConfigMap" else "windlass.dev/v1alpha1",
        "kind": kind,
        "metadata": metadata | more.pop("metadata", {}),
        "spec": dict(spec),
        **more,
    }


def execution(name: str, phase: str = "", **more: Any) -> Object:
    """An Execution of a workflow; `more` is its status, but for what goes into `spec` or `metadata`."""
    spec = {"workflow": {"name": "flow"}, "inputs": {"n": 3}, **more.pop("spec", {})}
    metadata = more.pop("metadata", {})
    status = {**({"phase": phase} if phase else {}), **more}
    return thing("Execution", name, spec, metadata=metadata, status=status)


def _path(obj: Object) -> str:
    return resource_path(obj, obj["metadata"]["namespace"], obj["metadata"]["name"])


def _merge(into: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, Mapping):
            _merge(into.setdefault(key, {}), value)
        elif value is None:
            into.pop(key, None)
        else:
            into[key] = value
