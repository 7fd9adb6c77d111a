"""Resources: amounts, pairs, and the contract's form of both."""

from typing import Any

import pytest

from windlass import Resources
from windlass._resources import merged_resources


def test_an_amount_in_resources_is_request_and_limit() -> None:
    assert merged_resources(None, None, Resources(cpu="500m", mem="1Gi")) == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"cpu": "500m", "memory": "1Gi"},
    }


def test_a_pair_is_request_then_limit() -> None:
    assert merged_resources(None, None, Resources(cpu=(1, 2), mem=["1Gi", "2Gi"])) == {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"cpu": "2", "memory": "2Gi"},
    }


def test_requests_and_limits_are_kept_apart() -> None:
    assert merged_resources(Resources(cpu=1), Resources(mem="2Gi"), None) == {
        "requests": {"cpu": "1"},
        "limits": {"memory": "2Gi"},
    }


def test_gpu_and_scratch_disk_have_their_kubernetes_names() -> None:
    assert merged_resources(Resources(gpu=1, ephemeral_storage="10Gi"), None, None) == {
        "requests": {"nvidia.com/gpu": "1", "ephemeral-storage": "10Gi"}
    }


def test_nothing_asked_for_is_nothing() -> None:
    assert merged_resources(None, None, None) == {}
    assert merged_resources(None, None, Resources()) == {}


@pytest.mark.parametrize(("cpu", "quantity"), [(1.5, "1500m"), (2.0, "2"), (0.25, "250m"), ("0.5", "0.5")])
def test_fractions_of_a_cpu_are_written_in_thousandths(cpu: Any, quantity: str) -> None:
    assert merged_resources(Resources(cpu=cpu), None, None) == {"requests": {"cpu": quantity}}


def test_a_pair_has_two_items() -> None:
    with pytest.raises(ValueError, match="must be of length 2"):
        Resources(cpu=("1", "2", "3"))  # type: ignore[arg-type]  # that is the mistake


@pytest.mark.parametrize("side", ["requests", "limits"])
def test_a_pair_is_refused_where_there_is_one_side_only(side: str) -> None:
    given = {"requests": None, "limits": None, side: Resources(mem=("1Gi", "2Gi"))}
    with pytest.raises(ValueError, match="one amount for mem"):
        merged_resources(given["requests"], given["limits"], None)


@pytest.mark.parametrize("wrong", [{"mem": 1.5}, {"cpu": True}, {"gpu": object()}])
def test_an_amount_of_the_wrong_type_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="takes str or int"):
        Resources(**wrong)


@pytest.mark.parametrize("wrong", [{"mem": "512MB"}, {"cpu": "one"}, {"mem": "1 Gi"}, {"mem": -1}, {"cpu": -0.5}])
def test_what_is_no_quantity_is_refused_where_it_is_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is no Kubernetes quantity"):
        Resources(**wrong)


def test_resources_are_values() -> None:
    assert Resources(cpu=1, mem="1Gi") == Resources(cpu=1, mem="1Gi") != Resources(cpu=2)
    assert len({Resources(cpu=1), Resources(cpu=1)}) == 1
    assert repr(Resources(cpu=1, mem="1Gi")) == "Resources(cpu=1, mem='1Gi')"
