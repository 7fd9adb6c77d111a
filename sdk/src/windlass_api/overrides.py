"""Overrides: what a later layer may change about how a task runs, and the one merge.

Layers are, from the first to the last: the Task, the workflow's node. A field which a layer does not set (or sets to
null) is inherited. Maps are merged: `env` key by key, `resources` per resource name. Everything else is replaced.

Local runs, the renderer and the operator all call `effective`, so that they can't differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OVERRIDE_FIELDS = ("image", "env", "resources", "retries", "retryOn")


def effective(base: Mapping[str, Any], *layers: Mapping[str, Any] | None) -> dict[str, Any]:
    """The spec with the layers' overrides in place, later layers winning. Nothing that is passed in is changed."""
    spec = dict(base)
    for layer in layers:
        for field in OVERRIDE_FIELDS:
            value = None if layer is None else layer.get(field)
            if value is not None:
                spec[field] = _merge(spec.get(field), value)
    return spec


def _merge(old: Any, new: Any) -> Any:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    merged = dict(old)
    for key, value in new.items():
        if value is not None:
            merged[key] = _merge(old.get(key), value)
    return merged
