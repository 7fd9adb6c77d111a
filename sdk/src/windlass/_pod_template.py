"""PodTemplate: what a task's pod is like beyond what the options of `@task` say.

    PodTemplate(
        pod_spec={"containers": [{"name": "primary", "securityContext": {"runAsUser": 1000}}], "tolerations": […]},
        labels={"team": "data"},
    )

The spec is a dict in the spelling of manifests, or the object of the `kubernetes` client (V1PodSpec) where the user's
code has that library anyway; it is never imported here. In a spec, an image may also be an ImageSpec.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from windlass._exceptions import FlyteValidationException

PRIMARY = "primary"

# Maps whose keys are the author's own: labels, names of resources, options of drivers.
_FREE = (
    "annotations",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "options",
    "overhead",
    "requests",
    "userAnnotations",
    "volumeAttributes",
)
# Where the client's Python spelling says less than Kubernetes' own.
_SPELLINGS = {
    "dataset_uuid": "datasetUUID",
    "disk_uri": "diskURI",
    "downward_api": "downwardAPI",
    "host_ip": "hostIP",
    "host_ipc": "hostIPC",
    "host_pid": "hostPID",
    "pd_id": "pdID",
    "scale_io": "scaleIO",
    "set_hostname_as_fqdn": "setHostnameAsFQDN",
    "storage_policy_id": "storagePolicyID",
    "target_wwns": "targetWWNs",
    "volume_id": "volumeID",
}


class PodTemplate:
    """A pod to start from. The task's container is merged into the one called `primary_container_name`.

    Args:
        pod_spec: a dict as in a manifest, or a V1PodSpec of the `kubernetes` client. None: an empty one.
        primary_container_name: the container that runs the task; it is added where the spec has none of that name.
        labels: labels of the pod.
        annotations: annotations of the pod.

    Raises:
        FlyteValidationException: there is no name of a primary container.

    >>> PodTemplate({"service_account_name": "reader"}, labels={"team": "data"}).to_contract()
    {'spec': {'serviceAccountName': 'reader'}, 'primaryContainer': 'primary', 'labels': {'team': 'data'}}
    """

    def __init__(
        self,
        pod_spec: Any = None,
        primary_container_name: str = PRIMARY,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        if not primary_container_name:
            raise FlyteValidationException("A primary container name cannot be undefined: name the task's container")
        if isinstance(pod_spec, Mapping) and "spec" in pod_spec:
            raise ValueError(
                "pod_spec takes the spec of a pod, and this is a whole pod: pass its `spec`, and its labels"
            )
        self.pod_spec = pod_spec
        self.primary_container_name = primary_container_name
        self.labels = labels
        self.annotations = annotations

    def __repr__(self) -> str:
        return f"PodTemplate({self.to_contract()!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PodTemplate) and self.to_contract() == other.to_contract()

    def __hash__(self) -> int:
        return hash(self.version_hash())

    def to_contract(self) -> dict[str, Any]:
        """As the contract says it; only what is set. Raises TypeError where the spec is neither dict nor V1PodSpec."""
        spec = _plain(self.pod_spec, "pod_spec")
        if spec is not None and not isinstance(spec, dict):
            raise TypeError(f"pod_spec takes a dict as in a manifest, or a V1PodSpec, not {self.pod_spec!r}")
        found = {
            "spec": spec,
            "primaryContainer": self.primary_container_name,
            "labels": None if self.labels is None else dict(self.labels),
            "annotations": None if self.annotations is None else dict(self.annotations),
        }
        return {field: value for field, value in found.items() if value}

    def image_specs(self) -> list[Any]:
        """The ImageSpecs in it, which have to be built before a pod can start."""
        return list(_image_specs(self.pod_spec))

    def version_hash(self) -> str:
        """Sixteen hex digits that change with anything in it: the same for a dict and a V1PodSpec that say the same."""
        from windlass_api.names import content_hash  # noqa: PLC0415  it hashes, which a pod rarely needs

        return content_hash(self.to_contract())


def _image_specs(value: Any) -> Iterator[Any]:
    attributes = getattr(type(value), "attribute_map", None)
    if isinstance(attributes, Mapping):
        value = {name: getattr(value, name) for name in attributes}
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for part in value:
            yield from _image_specs(part)
    elif callable(getattr(value, "image_name", None)):
        yield value


def _plain(value: Any, where: str) -> Any:
    """The value as JSON in Kubernetes' spelling; unset fields are left out."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    attributes = getattr(type(value), "attribute_map", None)
    if isinstance(attributes, Mapping):
        parts = {spelled: (name, getattr(value, name)) for name, spelled in attributes.items()}
        return {
            spelled: _entries(part, spelled, f"{where}.{name}")
            for spelled, (name, part) in parts.items()
            if part is not None
        }
    if isinstance(value, Mapping):
        return {
            _spelled(key): _entries(part, _spelled(key), f"{where}.{key}")
            for key, part in value.items()
            if part is not None
        }
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(item, f"{where}[{place}]") for place, item in enumerate(value)]
    if callable(getattr(value, "image_name", None)):
        return value.image_name()
    raise TypeError(f"{where} is {value!r}, which can't stand in a manifest: use texts, numbers, lists and dicts")


def _entries(value: Any, key: str, where: str) -> Any:
    """A map whose keys are the author's stays as it is."""
    if key in _FREE and isinstance(value, Mapping):
        return {str(name): _plain(entry, f"{where}.{name}") for name, entry in value.items()}
    return _plain(value, where)


def _spelled(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a pod's spec has texts as keys, not {key!r}")
    if "_" not in key:
        return key
    if key in _SPELLINGS:
        return _SPELLINGS[key]
    first, *others = key.strip("_").split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)
