"""Where things are in the API: the paths of the resources that the operator reads and writes."""

from __future__ import annotations

from urllib.parse import quote

from windlass_api import names

OURS = f"/apis/{names.API_VERSION}"


def ours(kind: str, namespace: str, name: str) -> str:
    """A Task, Workflow or Execution."""
    return f"{OURS}/namespaces/{namespace}/{names.plural(kind)}/{quote(name)}"


def all_of_ours(kind: str, namespace: str = "") -> str:
    """The objects of one of our kinds: in a namespace, or in all of them."""
    return f"{OURS}{f'/namespaces/{namespace}' if namespace else ''}/{names.plural(kind)}"


def leases(namespace: str, name: str = "") -> str:
    """The Leases of a namespace, or one of them."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases" + (f"/{quote(name)}" if name else "")


def pods(namespace: str, name: str = "") -> str:
    """The pods of a namespace, or one of them."""
    return _core(namespace, "pods", name)


def config_maps(namespace: str, name: str = "") -> str:
    """The ConfigMaps of a namespace, or one of them."""
    return _core(namespace, "configmaps", name)


def pod_template(namespace: str, name: str) -> str:
    """A PodTemplate."""
    return _core(namespace, "podtemplates", name)


def events(namespace: str) -> str:
    """The Events of a namespace."""
    return _core(namespace, "events", "")


def secrets(namespace: str) -> str:
    """The Secrets of a namespace, to create one."""
    return _core(namespace, "secrets", "")


def service(namespace: str, name: str) -> str:
    """A Service."""
    return _core(namespace, "services", name)


def endpoint_slices(namespace: str) -> str:
    """Who is behind the Services of a namespace."""
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"


def revisions(namespace: str, name: str = "") -> str:
    """The ControllerRevisions of a namespace, or one of them."""
    return f"/apis/apps/v1/namespaces/{namespace}/controllerrevisions" + (f"/{quote(name)}" if name else "")


def _core(namespace: str, plural: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/{plural}" + (f"/{quote(name)}" if name else "")
