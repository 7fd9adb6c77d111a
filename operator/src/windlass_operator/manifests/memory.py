"""How much memory an attempt gets after earlier ones ran out of it: more each time, up to the task's ``maxMemory``.

The first attempt has what the task asks for. Each that was killed for want of memory has the next one start with
``factor`` times as much, requests and limits alike, and never more than ``maxMemory``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from windlass_api.quantities import amount as size

Spec = Mapping[str, Any]


def can_grow(spec: Spec, failures: int, factor: float) -> bool:
    """Whether an attempt after so many that ran out of memory could have more than the last one had."""
    cap, start = spec.get("maxMemory"), _start(spec)
    return cap is not None and start is not None and start * factor**failures < size(cap)


def grown(spec: Spec, failures: int, factor: float) -> dict[str, Any]:
    """The resources of an attempt after so many that ran out of memory."""
    resources = {part: dict(values) for part, values in (spec.get("resources") or {}).items() if values}
    if failures and spec.get("maxMemory") is not None:
        for values in resources.values():
            if "memory" in values:
                more = min(size(values["memory"]) * factor**failures, size(spec["maxMemory"]))
                values["memory"] = str(math.floor(more))
    return resources


def _start(spec: Spec) -> float | None:
    """What the first attempt may use: its limit, or else what is reserved for it."""
    resources = spec.get("resources") or {}
    for part in ("limits", "requests"):
        memory = (resources.get(part) or {}).get("memory")
        if memory is not None:
            return size(memory)
    return None
