"""Templates of pods → the layers that a pod starts from, and what becomes of the containers in them.

From the first to the last: the administrator's for all namespaces, the administrator's for this one, the PodTemplate
object that ``podTemplateName`` names, the task's own ``podTemplate``. What they call their *primary* container is the
one that does the work, ``main`` in the pod. A container ``default`` (``default-init``) is none: it says what all others
(all init containers) are like, as far as they don't say it.

Containers beside the main one become sidecars (init containers that are restarted and end after it): a pod is over when
its main container is, whatever runs beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_api import names
from windlass_operator.manifests.layers import LayerError, merged
from windlass_operator.manifests.objects import Manifest

CONTAINER = "main"
PRIMARY = "primary"
DEFAULTS = {"containers": "default", "initContainers": "default-init"}
"""What stands for all containers of a list."""

OURS = ("command", "args", "workingDir", "terminationMessagePath", "terminationMessagePolicy", "restartPolicy")
"""What is Windlass' own of the main container: templates have no say in it."""

FILLED_IN: Mapping[str, Any] = {
    "dnsPolicy": "ClusterFirst",
    "enableServiceLinks": True,
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}
"""What the API server writes into each PodTemplate that doesn't say it. Nobody has asked for it."""


TAKEN = frozenset({CONTAINER, "runtime", "inputs", "outputs"})
"""What Windlass' own containers are called."""


class InvalidPodError(Exception):
    """No pod can be made of what was asked for; whose code it is has to change that."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


def of_object(template: Mapping[str, Any], where: str) -> Manifest:
    """The layer of a template as PodTemplate objects have it: ``metadata`` and ``spec``.

    Raises:
        InvalidPodError: it is no template.
    """
    meta, spec = template.get("metadata") or {}, dict(template.get("spec") or {})
    for field, value in FILLED_IN.items():
        if spec.get(field) == value:
            del spec[field]
    return _layer(spec, meta, PRIMARY, where)


def of_task(template: Mapping[str, Any]) -> Manifest:
    """The layer of a task's ``podTemplate``.

    Raises:
        InvalidPodError: it is no template.
    """
    primary = template.get("primaryContainer") or PRIMARY
    return _layer(template.get("spec") or {}, template, primary, "podTemplate")


def stacked(*layers: Manifest) -> Manifest:
    """A pod of these layers, with a main container, and with nothing in place of others.

    Raises:
        InvalidPodError: they don't go together.
    """
    try:
        pod = merged({"spec": {"containers": [{"name": CONTAINER}]}}, *layers)
        spec = pod["spec"]
        for section, name in DEFAULTS.items():
            spec[section] = _with_defaults(spec.get(section) or [], name)
    except LayerError as wrong:
        raise InvalidPodError("InvalidPodTemplate", str(wrong)) from wrong
    beside = [{**one, "restartPolicy": "Always"} for one in spec["containers"] if one["name"] != CONTAINER]
    spec["containers"] = [one for one in spec["containers"] if one["name"] == CONTAINER]
    spec["initContainers"] = [*spec["initContainers"], *beside]
    if not spec["initContainers"]:
        del spec["initContainers"]
    return pod


def _layer(spec: Mapping[str, Any], meta: Mapping[str, Any], primary: str, where: str) -> Manifest:
    try:
        found = merged({"spec": spec})["spec"]  # a fresh one, and looked through
    except LayerError as wrong:
        raise InvalidPodError("InvalidPodTemplate", f"{where}: {wrong}") from wrong
    found.pop("restartPolicy", None)
    for section in DEFAULTS:
        if section in found:
            found[section] = [_container(one, section, primary, where) for one in found[section]]
    layer: Manifest = {"spec": found}
    marks = {field: _allowed(meta.get(field) or {}) for field in ("labels", "annotations")}
    return {"metadata": marks, **layer} if any(marks.values()) else layer


def _container(one: Manifest, section: str, primary: str, where: str) -> Manifest:
    if section == "containers" and one["name"] == primary:
        return {**{field: value for field, value in one.items() if field not in OURS}, "name": CONTAINER}
    if one["name"] in TAKEN:
        text = f"{where}: a container can't be called {one['name']!r}, that is Windlass' own; the task's is {primary!r}"
        raise InvalidPodError("InvalidPodTemplate", text)
    return one


def _with_defaults(containers: list[Manifest], name: str) -> list[Manifest]:
    default = next((one for one in containers if one["name"] == name), None)
    if default is None:
        return containers
    return [merged(default, one) for one in containers if one is not default]


def _allowed(marks: Mapping[str, str]) -> dict[str, str]:
    """Without the keys that Windlass itself writes."""
    return {
        key: value for key, value in marks.items() if not key.startswith(f"{names.GROUP}/") and key != names.MANAGED_BY
    }
