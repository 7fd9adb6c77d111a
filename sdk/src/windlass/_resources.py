"""Resources: how much of the machine a task asks for.

    Resources(cpu="500m", mem="1Gi")                  request and limit alike, as `resources=`
    Resources(cpu=("500m", 2), mem=("1Gi", "2Gi"))    (request, limit)
    @task(requests=Resources(cpu=1), limits=Resources(cpu=2))

Amounts are Kubernetes quantities. A mistyped one ("512MB") is refused here, where its author sees it, rather than when
the pod is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Amount = str | int | float
Range = tuple[Amount, Amount]

_QUANTITY = re.compile(r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?\Z")
GPU, TPU = "nvidia.com/gpu", "google.com/tpu"
_KUBERNETES_NAMES = {"cpu": "cpu", "mem": "memory", "gpu": GPU, "ephemeral_storage": "ephemeral-storage"}


class Resources:
    """How much of a machine: each an amount or, for `resources=`, a pair (request, limit).

    Args:
        cpu: cores; `1`, `0.5` and "500m" are possible.
        mem: bytes; `1024`, "2048", "512Mi" and "2Gi" are possible.
        gpu: devices of the task's accelerator, or of any kind where it names none.
        ephemeral_storage: bytes of scratch disk, as for `mem`.

    Raises:
        AssertionError: an amount is neither a text nor a number of the kinds above.
        ValueError: it is no Kubernetes quantity, or a pair has not two items.

    >>> Resources(cpu=("500m", 2), mem="1Gi")
    Resources(cpu=('500m', 2), mem='1Gi')
    >>> Resources.from_json(Resources(cpu=1, gpu=2).to_json()) == Resources(cpu=1, gpu=2)
    True
    """

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

    def to_dict(self) -> dict[str, Any]:
        """The four amounts by name; None for those that are not set, a pair as a list."""
        values = {name: getattr(self, name) for name in _KUBERNETES_NAMES}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], *, dialect: None = None) -> Resources:
        """The inverse of `to_dict`. A name that Resources does not have is refused (ValueError).

        `dialect` is refused (TypeError): it would choose between spellings, and amounts have one.
        """
        if dialect is not None:
            raise TypeError(
                "Resources.from_dict takes no dialect: the dict's keys are cpu, mem, gpu, ephemeral_storage"
            )
        unknown = [name for name in d if name not in _KUBERNETES_NAMES]
        if unknown:
            raise ValueError(f"Resources has no {unknown[0]!r}; it has {', '.join(_KUBERNETES_NAMES)}")
        return cls(**d)

    def to_json(self, encoder: Callable[..., Any] | None = None, **to_dict_kwargs: Any) -> Any:
        """`to_dict` as a text, or as whatever `encoder` makes of it. Further arguments are the encoder's."""
        import json  # noqa: PLC0415  nothing else here needs it

        return (encoder or json.dumps)(self.to_dict(), **to_dict_kwargs)

    @classmethod
    def from_json(
        cls, data: str | bytes, decoder: Callable[..., Any] | None = None, **from_dict_kwargs: Any
    ) -> Resources:
        """The inverse of `to_json`; `decoder` makes a dict of the text."""
        import json  # noqa: PLC0415  nothing else here needs it

        return cls.from_dict((decoder or json.loads)(data), **from_dict_kwargs)


def merged_resources(
    requests: Resources | None, limits: Resources | None, resources: Resources | None, gpu_name: str = GPU
) -> dict[str, dict[str, str]]:
    """The three options of `@task` as the contract's `resources`; empty where nothing is asked for.

    `gpu_name` is what Kubernetes calls the accelerators that `gpu` counts.
    """
    if resources is not None and (requests is not None or limits is not None):
        raise ValueError("`resources` can't be used together with `requests` or `limits`: it sets both")
    if resources is not None:
        checked = _checked_resources("resources", resources)
        found = {"requests": _side(checked, 0, gpu_name), "limits": _side(checked, 1, gpu_name)}
    else:
        found = {
            "requests": _single("requests", requests, gpu_name),
            "limits": _single("limits", limits, gpu_name),
        }
    for name, request in found["requests"].items():
        limit = found["limits"].get(name)
        if limit is not None and exceeds(request, limit):
            raise ValueError(
                f"{name} can't have a request of {request} and a limit of {limit}: no pod may ask for that"
            )
    return {side: amounts for side, amounts in found.items() if amounts}


def is_quantity(text: str) -> bool:
    """Whether Kubernetes takes the text as an amount."""
    return _QUANTITY.match(text) is not None


def exceeds(one: str, other: str) -> bool:
    """Whether one quantity is more than another.

    >>> exceeds("1Gi", "1G"), exceeds("500m", "0.5")
    (True, False)
    """
    from windlass_api import quantities  # noqa: PLC0415  who has one amount has nothing to compare

    return quantities.exceeds(one, other)


def _side(resources: Resources, side: int, gpu_name: str) -> dict[str, str]:
    found = {}
    for name, kubernetes_name in _KUBERNETES_NAMES.items():
        value = getattr(resources, name)
        if value is not None:
            amount = value[side] if isinstance(value, tuple) else value
            found[gpu_name if name == "gpu" else kubernetes_name] = _quantity(amount)
    return found


def _single(option: str, resources: Resources | None, gpu_name: str) -> dict[str, str]:
    if resources is None:
        return {}
    for name in _KUBERNETES_NAMES:
        if isinstance(getattr(_checked_resources(option, resources), name), tuple):
            raise ValueError(f"`{option}` takes one amount for {name}; a pair (request, limit) belongs in `resources`")
    return _side(resources, 0, gpu_name)


def _checked_resources(option: str, resources: Any) -> Resources:
    if not isinstance(resources, Resources):
        raise AssertionError(f"`{option}` takes a Resources such as Resources(cpu=1, mem='1Gi'), not {resources!r}")
    return resources


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
    if not is_quantity(_quantity(value)):
        raise ValueError(f"{name}={value!r} is no Kubernetes quantity: write e.g. 2, '500m', '1.5' or '512Mi'")
    return value


def _quantity(value: Amount) -> str:
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else f"{round(value * 1000)}m"
    return str(value)
