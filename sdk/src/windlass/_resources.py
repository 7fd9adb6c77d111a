"""Resources: how much of the machine a task asks for.

    Resources(cpu="500m", mem="1Gi")                  request and limit alike, as `resources=`
    Resources(cpu=("500m", 2), mem=("1Gi", "2Gi"))    (request, limit)
    @task(requests=Resources(cpu=1), limits=Resources(cpu=2))

Amounts are Kubernetes quantities. A mistyped one ("512MB") is refused here, where its author sees it, rather than when
the pod is made.
"""

from __future__ import annotations

import re
from typing import Any

Amount = str | int | float
Range = tuple[Amount, Amount]

_QUANTITY = re.compile(r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?\Z")
_KUBERNETES_NAMES = {"cpu": "cpu", "mem": "memory", "gpu": "nvidia.com/gpu", "ephemeral_storage": "ephemeral-storage"}


class Resources:
    """CPU, memory, GPUs and scratch disk: each an amount or, for `resources=`, a pair (request, limit)."""

    __slots__ = ("cpu", "ephemeral_storage", "gpu", "mem")

    def __init__(
        self,
        cpu: Amount | Range | list[Amount] | None = None,
        mem: str | int | Range | list[Amount] | None = None,
        gpu: str | int | Range | list[Amount] | None = None,
        ephemeral_storage: str | int | Range | list[Amount] | None = None,
    ) -> None:
        self.cpu = _checked("cpu", cpu)
        self.mem = _checked("mem", mem)
        self.gpu = _checked("gpu", gpu)
        self.ephemeral_storage = _checked("ephemeral_storage", ephemeral_storage)

    def __repr__(self) -> str:
        given = ((name, getattr(self, name)) for name in _KUBERNETES_NAMES)
        return f"Resources({', '.join(f'{name}={value!r}' for name, value in given if value is not None)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resources) and all(getattr(self, n) == getattr(other, n) for n in _KUBERNETES_NAMES)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in _KUBERNETES_NAMES))


def merged_resources(
    requests: Resources | None, limits: Resources | None, resources: Resources | None
) -> dict[str, dict[str, str]]:
    """The three options of `@task` as the contract's `resources`; empty where nothing is asked for."""
    if resources is not None and (requests is not None or limits is not None):
        raise ValueError("`resources` can't be used together with `requests` or `limits`: it sets both")
    if resources is not None:
        found = {"requests": _side(resources, 0), "limits": _side(resources, 1)}
    else:
        found = {"requests": _single("requests", requests), "limits": _single("limits", limits)}
    return {side: amounts for side, amounts in found.items() if amounts}


def _side(resources: Resources, side: int) -> dict[str, str]:
    found = {}
    for name, kubernetes_name in _KUBERNETES_NAMES.items():
        value = getattr(resources, name)
        if value is not None:
            found[kubernetes_name] = _quantity(value[side] if isinstance(value, tuple) else value)
    return found


def _single(option: str, resources: Resources | None) -> dict[str, str]:
    if resources is None:
        return {}
    if not isinstance(resources, Resources):
        raise AssertionError(f"`{option}` takes a Resources, not {resources!r}")
    for name in _KUBERNETES_NAMES:
        if isinstance(getattr(resources, name), tuple):
            raise ValueError(f"`{option}` takes one amount for {name}; a pair (request, limit) belongs in `resources`")
    return _side(resources, 0)


def _checked(name: str, value: Any) -> Any:
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise ValueError(f"{name} must be of length 2, a pair (request, limit), not {value!r}")
        return tuple(_checked_amount(name, amount) for amount in value)
    return None if value is None else _checked_amount(name, value)


def _checked_amount(name: str, value: Any) -> Any:
    allowed = (str, int, float) if name == "cpu" else (str, int)
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise AssertionError(f"{name} takes {' or '.join(kind.__name__ for kind in allowed)}, not {value!r}")
    if not _QUANTITY.match(_quantity(value)):
        raise ValueError(f"{name}={value!r} is no Kubernetes quantity: write e.g. 2, '500m', '1.5' or '512Mi'")
    return value


def _quantity(value: Amount) -> str:
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else f"{round(value * 1000)}m"
    return str(value)
