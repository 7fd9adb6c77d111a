"""What an administrator says about the pods of tasks, as JSON: the chart's value ``pods``.

::

    template: {metadata: {labels, annotations}, spec: …}     what all pods start from
    namespaces: {team-a: {spec: …}}                          the same, on top of it, for the pods of a namespace
    accelerators: [{devices: ["nvidia-*"], resource: nvidia.com/gpu, label: …, …}]
    defaultSecret: …
    readOnlyRootFilesystem: true

What is left out is as the chart has it. Templates are tried out at once, so that a mistake in one stops the operator
from starting rather than every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from windlass_operator.manifests.templates import InvalidPodError, of_object, stacked
from windlass_operator.settings import ACCELERATORS, AcceleratorSettings, PodSettings

TEMPLATE_FIELDS = frozenset({"metadata", "spec"})
OF_ROW = {
    "devices": "devices",
    "resource": "resource",
    "label": "label",
    "names": "names",
    "partitionLabel": "partition_label",
    "partitionResource": "partition_resource",
    "topologyLabel": "topology_label",
    "tolerations": "tolerations",
    "claimTemplate": "claim_template",
    "claim": "claim",
}
REQUIRED = ("devices", "resource")
LISTS = frozenset({"devices", "tolerations"})


def pod_settings(document: Mapping[str, Any]) -> PodSettings:
    """The settings.

    Raises:
        ValueError: something can't mean anything; the message says what and where.
    """
    known = {"template", "namespaces", "accelerators", "defaultSecret", "readOnlyRootFilesystem"}
    _only(document, known, "")
    rows = document.get("accelerators")
    if rows is not None and not isinstance(rows, list):
        raise ValueError("accelerators: it is a list of rows")
    namespaces = _object(document.get("namespaces") or {}, "namespaces")
    return PodSettings(
        template=_template(document.get("template") or {}, "template"),
        namespaces={name: _template(one or {}, f"namespaces.{name}") for name, one in namespaces.items()},
        accelerators=ACCELERATORS if rows is None else tuple(_row(row, place) for place, row in enumerate(rows)),
        default_secret=_value(document, "defaultSecret", str, ""),
        read_only_root=_value(document, "readOnlyRootFilesystem", bool, True),
    )


def _template(template: Any, where: str) -> Mapping[str, Any]:
    found = _object(template, where)
    _only(found, TEMPLATE_FIELDS, f"{where}.")
    for part in TEMPLATE_FIELDS:
        _object(found.get(part) or {}, f"{where}.{part}")
    try:
        stacked(of_object(found, where))
    except InvalidPodError as wrong:
        raise ValueError(wrong.message) from wrong
    return found


def _row(row: Any, place: int) -> AcceleratorSettings:
    where = f"accelerators[{place}]"
    found = _object(row, where)
    _only(found, set(OF_ROW), f"{where}.")
    for name in REQUIRED:
        if not found.get(name):
            raise ValueError(f"{where}.{name}: it is required")
    if found.get("claim") and found.get("claimTemplate"):
        raise ValueError(f"{where}.claim: a row has a claim or a claimTemplate, not both")
    values: dict[str, Any] = {}
    for field in fields(AcceleratorSettings):
        spelled = next(one for one, name in OF_ROW.items() if name == field.name)
        if spelled not in found:
            continue
        value = found[spelled]
        kind: type = list if spelled in LISTS else dict if spelled == "names" else str
        if not isinstance(value, kind):
            raise ValueError(f"{where}.{spelled}: it is {'a list' if kind is list else 'an object or a text'}")
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return AcceleratorSettings(**values)


def _value(document: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    value = document.get(name, default)
    if not isinstance(value, kind):
        raise ValueError(f"{name}: {value!r} is of another type than {default!r}")
    return value


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: it is an object")
    return value


def _only(found: Mapping[str, Any], known: set[str] | frozenset[str], where: str) -> None:
    unknown = sorted(set(found) - known)
    if unknown:
        raise ValueError(f"{where}{unknown[0]}: there is no such setting; there are {', '.join(sorted(known))}")
