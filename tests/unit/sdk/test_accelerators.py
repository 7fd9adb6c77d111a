"""Accelerators: what each constant, partition and slice says in a manifest."""

from __future__ import annotations

import re
from typing import Any

import pytest

from windlass import accelerators
from windlass.accelerators import (
    A100,
    A100_80GB,
    H100,
    H200,
    T4,
    V5E,
    V5P,
    V6E,
    BaseAccelerator,
    GPUAccelerator,
    MultiInstanceGPUAccelerator,
    TPUAccelerator,
)

DEVICES = {
    "K80": "nvidia-tesla-k80",
    "M60": "nvidia-tesla-m60",
    "P4": "nvidia-tesla-p4",
    "P100": "nvidia-tesla-p100",
    "V100": "nvidia-tesla-v100",
    "T4": "nvidia-tesla-t4",
    "A100": "nvidia-tesla-a100",
    "A10G": "nvidia-a10g",
    "H100": "nvidia-h100",
    "H200": "nvidia-h200",
    "L4": "nvidia-l4",
    "L40S": "nvidia-l40s",
    "A100_80GB": "nvidia-a100-80gb",
    "L4_VWS": "nvidia-l4-vws",
    "RTX_PRO_6000": "nvidia-rtx-pro-6000",
    "V5E": "tpu-v5-lite-podslice",
    "V5P": "tpu-v5p-slice",
    "V6E": "tpu-v6e-slice",
}


@pytest.mark.parametrize(("name", "device"), DEVICES.items())
def test_every_constant_is_called_what_nodes_call_the_device(name: str, device: str) -> None:
    assert getattr(accelerators, name).to_contract() == {"device": device}


def test_there_is_no_constant_without_a_device_in_this_test() -> None:
    assert {name for name in accelerators.__all__ if name.isupper() or name in DEVICES} == set(DEVICES)


@pytest.mark.parametrize("device", [A100, A100_80GB, H100, H200])
def test_every_partition_is_named_by_its_size(device: MultiInstanceGPUAccelerator) -> None:
    names = [name for name in dir(device) if name.startswith("partition_")]
    assert len(names) >= 5
    for name in names:
        size = name.removeprefix("partition_").replace("_", ".")
        assert getattr(device, name).to_contract() == {**device.to_contract(), "partition": size}


@pytest.mark.parametrize("device", [V5E, V5P, V6E])
def test_every_slice_is_named_by_its_topology(device: TPUAccelerator) -> None:
    names = [name for name in dir(device) if name.startswith("slice_")]
    assert len(names) >= 8
    for name in names:
        topology = name.removeprefix("slice_")
        assert re.fullmatch(r"\d+(x\d+)+", topology)
        assert getattr(device, name).to_contract() == {**device.to_contract(), "topology": topology}


def test_a_whole_device_can_be_insisted_on() -> None:
    assert A100.unpartitioned.to_contract() == {"device": "nvidia-tesla-a100", "unpartitioned": True}
    assert A100.to_contract() == {"device": "nvidia-tesla-a100"}
    assert A100.partition_1g_5gb.unpartitioned == A100.unpartitioned


def test_a_partition_may_be_any() -> None:
    assert A100.partitioned("1g.5gb") == A100.partition_1g_5gb
    assert V6E.partitioned("32x32").to_contract()["topology"] == "32x32"


@pytest.mark.parametrize("wrong", ["", " ", None, 5])
def test_a_device_or_partition_without_a_name_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="the device's name"):
        GPUAccelerator(wrong)
    with pytest.raises(ValueError, match="a part's name"):
        A100.partitioned(wrong)


def test_a_device_of_one_s_own_needs_its_name_and_nothing_else() -> None:
    class Own(MultiInstanceGPUAccelerator):
        device = "acme-9000"

    class Nameless(MultiInstanceGPUAccelerator):
        pass

    assert Own.partitioned("half").to_contract() == {"device": "acme-9000", "partition": "half"}
    with pytest.raises(TypeError, match="needs a class attribute `device`"):
        Nameless().to_contract()


def test_accelerators_are_values() -> None:
    assert GPUAccelerator("nvidia-tesla-t4") == T4 != A100
    assert len({T4, GPUAccelerator("nvidia-tesla-t4"), A100.partition_1g_5gb, A100.partitioned("1g.5gb")}) == 2
    assert repr(A100.partition_1g_5gb) == "_A100Parts(device='nvidia-tesla-a100', partition='1g.5gb')"
    assert isinstance(V5E.slice_2x4, MultiInstanceGPUAccelerator)
    assert isinstance(T4, BaseAccelerator)
