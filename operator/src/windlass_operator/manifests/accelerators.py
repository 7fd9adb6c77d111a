"""An accelerator → what a pod asks for: a resource, nodes that have it, and the taints of these that it bears.

Which words a cluster has for these is a table (``Settings.pods.accelerators``, the chart's ``pods.accelerators``), and
the first row that knows the device counts. As the API has it, an accelerator counts only for a pod that asks for
devices: ``resources`` say how many, under any of the ``GENERIC`` names or the row's own.

::

    device      → required node affinity   label In [device]                  + toleration label=device:NoSchedule
    partition   → required node affinity   partitionLabel In [partition]      + toleration partitionLabel=partition
                  or a resource of its own, such as nvidia.com/mig-1g.5gb
    unpartitioned → required node affinity partitionLabel DoesNotExist
    topology    → required node affinity   topologyLabel In [topology]        + toleration topologyLabel=topology
    the resource → the tolerations of its row, for every pod that asks for it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from windlass_api.quantities import amount
from windlass_operator.manifests.layers import both, merged
from windlass_operator.manifests.objects import Manifest
from windlass_operator.manifests.templates import InvalidPodError
from windlass_operator.settings import AcceleratorSettings

GENERIC = ("nvidia.com/gpu", "google.com/tpu")
"""Resources that `gpu` stands for in the API, whatever the accelerator is."""

CLAIM = "accelerator"
REASON = "UnknownAccelerator"


def accelerate(
    pod: Manifest, container: Manifest, wanted: Mapping[str, Any] | None, table: Iterable[AcceleratorSettings]
) -> None:
    """Ask for the accelerator, and bear the taints of the nodes that have what the pod asks for.

    Raises:
        InvalidPodError: no row of the table knows the accelerator, or its row knows no such part of it.
    """
    rows = tuple(table)
    if wanted is not None and _count(container, (*GENERIC, *(row.resource for row in rows))):
        row = _row(wanted, rows)
        _resource(pod, container, wanted, row)
        for expression in _expressions(wanted, row):
            require(pod["spec"], expression)
            if expression["operator"] == "In":
                _tolerate(pod["spec"], _equal(expression["key"], expression["values"][0]))
        for one in row.tolerations:
            _tolerate(pod["spec"], one)
    for row in rows:
        if _count(container, (row.resource,)):
            for one in row.tolerations:
                _tolerate(pod["spec"], one)


def require(spec: Manifest, expression: Manifest) -> None:
    """Let a pod only onto nodes for which the expression holds, besides all that it requires already."""
    affinity = spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})
    required = affinity.setdefault("requiredDuringSchedulingIgnoredDuringExecution", {})
    required["nodeSelectorTerms"] = both(
        required.get("nodeSelectorTerms") or [], [{"matchExpressions": [dict(expression)]}]
    )


def _row(wanted: Mapping[str, Any], rows: tuple[AcceleratorSettings, ...]) -> AcceleratorSettings:
    device = str(wanted["device"])
    row = next((row for row in rows if any(fnmatchcase(device, pattern) for pattern in row.devices)), None)
    if row is None:
        known = ", ".join(pattern for row in rows for pattern in row.devices) or "none"
        raise InvalidPodError(REASON, f"accelerator: this cluster has no {device!r}; it knows {known}")
    for part, label in (
        ("partition", row.partition_label or row.partition_resource or row.claimed),
        ("topology", row.topology_label or row.claimed),
    ):
        if wanted.get(part) and not label:
            text = f"accelerator: {device!r} has no {part} in this cluster, so there is no {wanted[part]!r}"
            raise InvalidPodError(REASON, text)
    return row


def _resource(pod: Manifest, container: Manifest, wanted: Mapping[str, Any], row: AcceleratorSettings) -> None:
    """Devices under the name that this cluster has for them; or a claim in their place."""
    partition = wanted.get("partition")
    name = row.resource
    if partition and row.partition_resource:
        name = row.partition_resource.replace("{partition}", partition)
    for values in (container.get("resources") or {}).values():
        if not isinstance(values, dict):
            continue
        for generic in (*GENERIC, row.resource):
            if generic in values and (generic != name or row.claimed):
                count = values.pop(generic)
                if not row.claimed:
                    values[name] = count
    if row.claimed:
        source = "resourceClaimTemplateName" if row.claim_template else "resourceClaimName"
        named = row.claimed.replace("{device}", str(wanted["device"])).replace("{partition}", partition or "")
        claims = {"resourceClaims": [{"name": CLAIM, source: named.rstrip("-.")}]}
        pod["spec"]["resourceClaims"] = merged({"resourceClaims": pod["spec"].get("resourceClaims") or []}, claims)[
            "resourceClaims"
        ]
        container.setdefault("resources", {}).setdefault("claims", []).append({"name": CLAIM})


def _expressions(wanted: Mapping[str, Any], row: AcceleratorSettings) -> list[Manifest]:
    found: list[Manifest] = []
    if row.label:
        device = row.names.get(str(wanted["device"]), str(wanted["device"]))
        found.append({"key": row.label, "operator": "In", "values": [device]})
    if wanted.get("partition") and row.partition_label and not row.partition_resource:
        found.append({"key": row.partition_label, "operator": "In", "values": [wanted["partition"]]})
    if wanted.get("unpartitioned") and row.partition_label:
        found.append({"key": row.partition_label, "operator": "DoesNotExist"})
    if wanted.get("topology") and row.topology_label:
        found.append({"key": row.topology_label, "operator": "In", "values": [wanted["topology"]]})
    return found


def _count(container: Manifest, resources: Iterable[str]) -> float:
    """How many devices of these a container asks for."""
    asked = container.get("resources") or {}
    found = [
        amount(values[name])
        for part in ("limits", "requests")
        for values in [asked.get(part) or {}]
        for name in resources
        if name in values
    ]
    return max(found, default=0.0)


def _equal(key: str, value: str) -> Manifest:
    return {"key": key, "operator": "Equal", "value": value, "effect": "NoSchedule"}


def _tolerate(spec: Manifest, toleration: Mapping[str, Any]) -> None:
    tolerations = spec.setdefault("tolerations", [])
    if toleration not in tolerations:
        tolerations.append(dict(toleration))
