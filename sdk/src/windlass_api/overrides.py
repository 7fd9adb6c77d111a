"""Overrides: what a later layer may change about how a task runs, and the one merge.

Layers are, from the first to the last: the workflow's `defaults`, the Task, the workflow's node, the Execution. A field
which a layer does not set (or sets to null) is inherited. Where the author chooses the keys, values are merged key by
key: `env`, `labels`, `annotations`, and the names in `resources.requests` and `resources.limits`. Everything else is
one value and is replaced whole: `cache: {enabled: false}` leaves nothing of an earlier `cache`, and an `accelerator`
never gets the partition of another.

Local runs, the renderer and the operator all call `effective`, so that they can't differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

POD_FIELDS = (
    "image",
    "env",
    "resources",
    "accelerator",
    "sharedMemory",
    "secrets",
    "interruptible",
    "podTemplate",
    "podTemplateName",
    "labels",
    "annotations",
)
"""The fields about the pod. Where a pool of workers runs a task, they are the pool's."""

OVERRIDE_FIELDS = (
    *POD_FIELDS,
    "retries",
    "retryOn",
    "timeout",
    "queueTimeout",
    "pendingTimeout",
    "maxMemory",
    "cache",
    "deck",
)

_MERGED = {"env": 1, "labels": 1, "annotations": 1, "resources": 2}
"""The fields that are merged key by key, and so many levels deep."""


def effective(
    base: Mapping[str, Any], *layers: Mapping[str, Any] | None, defaults: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The spec with the layers' overrides in place, later layers winning, and `defaults` where no other layer says
    anything. Nothing that is passed in is changed.
    """
    spec = dict(base)
    weakest = {field: spec.pop(field) for field in OVERRIDE_FIELDS if field in spec} if defaults else None
    for layer in (defaults, weakest, *layers):
        for field in OVERRIDE_FIELDS:
            value = None if layer is None else layer.get(field)
            if value is not None:
                spec[field] = _merge(spec.get(field), value, _MERGED.get(field, 0))
    return spec


def _merge(old: Any, new: Any, depth: int) -> Any:
    if not depth or not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    merged = dict(old)
    for key, value in new.items():
        if value is not None:
            merged[key] = _merge(old.get(key), value, depth - 1)
    return merged
