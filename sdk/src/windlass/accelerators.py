"""Accelerators: which GPU or TPU a task needs, and which part of it.

    @task(limits=Resources(gpu=1), accelerator=T4)
    @task(limits=Resources(gpu=1), accelerator=A100.partition_2g_10gb)
    @task(limits=Resources(gpu=1), accelerator=A100.unpartitioned)
    @task(limits=Resources(gpu=8), accelerator=V5E.slice_2x4)
    @task(limits=Resources(gpu=1), accelerator=GPUAccelerator("nvidia-something-new"))

A device is called what the cluster's nodes call it in their label; the constants have the names that the large clouds
use. Which label that is, is the operator's configuration. It counts only for a task that has a GPU limit.

`A100` alone takes any A100, whole or partitioned; `A100.unpartitioned` insists on a whole one. A slice of a TPU says
how its chips are connected, and `gpu` then counts chips.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, ClassVar, TypeVar

M = TypeVar("M", bound="MultiInstanceGPUAccelerator")


class BaseAccelerator(ABC):
    """Any accelerator."""

    @abstractmethod
    def to_contract(self) -> dict[str, Any]:
        """As the contract says it: {"device": …}, with `partition`, `unpartitioned` or `topology`."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BaseAccelerator) and self.to_contract() == other.to_contract()

    def __hash__(self) -> int:
        return hash(tuple(self.to_contract().items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.to_contract().items())})"


class GPUAccelerator(BaseAccelerator):
    """A GPU by the name that the cluster's nodes have for it.

    >>> GPUAccelerator("nvidia-tesla-t4").to_contract()
    {'device': 'nvidia-tesla-t4'}
    """

    def __init__(self, device: str) -> None:
        if not isinstance(device, str) or not device.strip():
            raise ValueError(f"GPUAccelerator takes the device's name, such as 'nvidia-tesla-t4', not {device!r}")
        self.device = device

    def to_contract(self) -> dict[str, Any]:
        """As the contract says it."""
        return {"device": self.device}


class MultiInstanceGPUAccelerator(BaseAccelerator):
    """A device that can be divided. Subclasses say which; a class of one's own needs `device` and nothing else.

    >>> class B300(MultiInstanceGPUAccelerator):
    ...     device = "nvidia-b300"
    >>> B300.partitioned("1g.34gb").to_contract()
    {'device': 'nvidia-b300', 'partition': '1g.34gb'}
    >>> B300().unpartitioned.to_contract()
    {'device': 'nvidia-b300', 'unpartitioned': True}
    """

    device: ClassVar[str]
    part_is: ClassVar[str] = "partition"
    """The contract's word for a part."""

    _part: str | None = None
    _whole: bool = False

    @property
    def unpartitioned(self: M) -> M:
        """The device, but only a whole one."""
        instance = copy.copy(self)
        instance._part, instance._whole = None, True
        return instance

    @classmethod
    def partitioned(cls: type[M], partition_size: str) -> M:
        """A part of the device, by the name that the cluster's nodes have for it."""
        if not isinstance(partition_size, str) or not partition_size.strip():
            raise ValueError(
                f"{cls.__name__}.partitioned takes a part's name, such as '1g.5gb', not {partition_size!r}"
            )
        instance = cls()
        instance._part = partition_size
        return instance

    def to_contract(self) -> dict[str, Any]:
        """As the contract says it."""
        device = getattr(self, "device", None)
        if not isinstance(device, str):
            raise TypeError(f"{type(self).__name__} needs a class attribute `device`, such as 'nvidia-tesla-a100'")
        if self._whole:
            return {"device": device, "unpartitioned": True}
        return {"device": device} if self._part is None else {"device": device, self.part_is: self._part}


class TPUAccelerator(MultiInstanceGPUAccelerator):
    """A TPU, of which one takes slices.

    >>> V5P.slice_2x2x1.to_contract()
    {'device': 'tpu-v5p-slice', 'topology': '2x2x1'}
    """

    part_is = "topology"


K80 = GPUAccelerator("nvidia-tesla-k80")
M60 = GPUAccelerator("nvidia-tesla-m60")
P4 = GPUAccelerator("nvidia-tesla-p4")
P100 = GPUAccelerator("nvidia-tesla-p100")
V100 = GPUAccelerator("nvidia-tesla-v100")
T4 = GPUAccelerator("nvidia-tesla-t4")
A10G = GPUAccelerator("nvidia-a10g")
L4 = GPUAccelerator("nvidia-l4")
L4_VWS = GPUAccelerator("nvidia-l4-vws")
L40S = GPUAccelerator("nvidia-l40s")
RTX_PRO_6000 = GPUAccelerator("nvidia-rtx-pro-6000")


class _A100Parts(MultiInstanceGPUAccelerator):
    device = "nvidia-tesla-a100"


class _A100(_A100Parts):
    partition_1g_5gb = _A100Parts.partitioned("1g.5gb")
    partition_2g_10gb = _A100Parts.partitioned("2g.10gb")
    partition_3g_20gb = _A100Parts.partitioned("3g.20gb")
    partition_4g_20gb = _A100Parts.partitioned("4g.20gb")
    partition_7g_40gb = _A100Parts.partitioned("7g.40gb")


class _A10080GBParts(MultiInstanceGPUAccelerator):
    device = "nvidia-a100-80gb"


class _A10080GB(_A10080GBParts):
    partition_1g_10gb = _A10080GBParts.partitioned("1g.10gb")
    partition_2g_20gb = _A10080GBParts.partitioned("2g.20gb")
    partition_3g_40gb = _A10080GBParts.partitioned("3g.40gb")
    partition_4g_40gb = _A10080GBParts.partitioned("4g.40gb")
    partition_7g_80gb = _A10080GBParts.partitioned("7g.80gb")


class _H100Parts(MultiInstanceGPUAccelerator):
    device = "nvidia-h100"


class _H100(_H100Parts):
    partition_1g_10gb = _H100Parts.partitioned("1g.10gb")
    partition_1g_20gb = _H100Parts.partitioned("1g.20gb")
    partition_2g_20gb = _H100Parts.partitioned("2g.20gb")
    partition_3g_40gb = _H100Parts.partitioned("3g.40gb")
    partition_4g_40gb = _H100Parts.partitioned("4g.40gb")
    partition_7g_80gb = _H100Parts.partitioned("7g.80gb")


class _H200Parts(MultiInstanceGPUAccelerator):
    device = "nvidia-h200"


class _H200(_H200Parts):
    partition_1g_18gb = _H200Parts.partitioned("1g.18gb")
    partition_1g_35gb = _H200Parts.partitioned("1g.35gb")
    partition_2g_35gb = _H200Parts.partitioned("2g.35gb")
    partition_3g_71gb = _H200Parts.partitioned("3g.71gb")
    partition_4g_71gb = _H200Parts.partitioned("4g.71gb")
    partition_7g_141gb = _H200Parts.partitioned("7g.141gb")


class _V5EParts(TPUAccelerator):
    device = "tpu-v5-lite-podslice"


class _V5E(_V5EParts):
    slice_1x1 = _V5EParts.partitioned("1x1")
    slice_2x2 = _V5EParts.partitioned("2x2")
    slice_2x4 = _V5EParts.partitioned("2x4")
    slice_4x4 = _V5EParts.partitioned("4x4")
    slice_4x8 = _V5EParts.partitioned("4x8")
    slice_8x8 = _V5EParts.partitioned("8x8")
    slice_8x16 = _V5EParts.partitioned("8x16")
    slice_16x16 = _V5EParts.partitioned("16x16")


class _V5PParts(TPUAccelerator):
    device = "tpu-v5p-slice"


class _V5P(_V5PParts):
    slice_2x2x1 = _V5PParts.partitioned("2x2x1")
    slice_2x2x2 = _V5PParts.partitioned("2x2x2")
    slice_2x4x4 = _V5PParts.partitioned("2x4x4")
    slice_4x4x4 = _V5PParts.partitioned("4x4x4")
    slice_4x4x8 = _V5PParts.partitioned("4x4x8")
    slice_4x8x8 = _V5PParts.partitioned("4x8x8")
    slice_8x8x8 = _V5PParts.partitioned("8x8x8")
    slice_8x8x16 = _V5PParts.partitioned("8x8x16")
    slice_8x16x16 = _V5PParts.partitioned("8x16x16")
    slice_16x16x16 = _V5PParts.partitioned("16x16x16")
    slice_16x16x24 = _V5PParts.partitioned("16x16x24")


class _V6EParts(TPUAccelerator):
    device = "tpu-v6e-slice"


class _V6E(_V6EParts):
    slice_1x1 = _V6EParts.partitioned("1x1")
    slice_2x2 = _V6EParts.partitioned("2x2")
    slice_2x4 = _V6EParts.partitioned("2x4")
    slice_4x4 = _V6EParts.partitioned("4x4")
    slice_4x8 = _V6EParts.partitioned("4x8")
    slice_8x8 = _V6EParts.partitioned("8x8")
    slice_8x16 = _V6EParts.partitioned("8x16")
    slice_16x16 = _V6EParts.partitioned("16x16")


A100 = _A100()
A100_80GB = _A10080GB()
H100 = _H100()
H200 = _H200()
V5E = _V5E()
V5P = _V5P()
V6E = _V6E()

__all__ = [
    "BaseAccelerator",
    "GPUAccelerator",
    "MultiInstanceGPUAccelerator",
    "TPUAccelerator",
    "K80",
    "M60",
    "P4",
    "P100",
    "V100",
    "T4",
    "A10G",
    "L4",
    "L4_VWS",
    "L40S",
    "RTX_PRO_6000",
    "A100",
    "A100_80GB",
    "H100",
    "H200",
    "V5E",
    "V5P",
    "V6E",
]
