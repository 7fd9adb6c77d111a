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


def test_resources_survive_the_way_through_a_dict_and_through_json() -> None:
    resources = Resources(cpu=("500m", 2), mem="1Gi", ephemeral_storage=1024)
    assert resources.to_dict() == {"cpu": ["500m", 2], "mem": "1Gi", "gpu": None, "ephemeral_storage": 1024}
    assert Resources.from_dict(resources.to_dict()) == resources
    assert Resources.from_json(resources.to_json()) == resources
    assert Resources.from_json(resources.to_json(indent=2)) == resources


def test_json_may_be_written_and_read_by_another_library() -> None:
    resources = Resources(cpu=1)
    assert resources.to_json(encoder=lambda value, suffix: f"{value['cpu']}{suffix}", suffix="!") == "1!"
    assert Resources.from_json(data="1", decoder=lambda text: {"cpu": int(text)}) == resources
    assert Resources.from_dict(d={"cpu": 1}, dialect=None) == resources


def test_a_dict_with_something_else_in_it_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no 'memory'; it has cpu, mem"):
        Resources.from_dict({"memory": "1Gi"})
    with pytest.raises(TypeError, match="takes no dialect"):
        Resources.from_json("{}", dialect="yaml")


@pytest.mark.parametrize(
    ("request_", "limit"), [("2", "1"), ("1Gi", "1G"), ("1100m", 1), (1025, "1Ki"), ("1e3", "999"), ("2", "1999m")]
)
def test_a_request_above_the_limit_is_refused_where_it_is_written(request_: Any, limit: Any) -> None:
    with pytest.raises(ValueError, match=r"memory can't have a request of .* and a limit of"):
        merged_resources(Resources(mem=str(request_)), Resources(mem=str(limit)), None)
    with pytest.raises(ValueError, match="no pod may ask for that"):
        merged_resources(None, None, Resources(cpu=(str(request_), str(limit))))


@pytest.mark.parametrize(
    ("request_", "limit"),
    [("1G", "1Gi"), ("700m", "0.7"), ("1024", "1Ki"), ("1E", "1e18"), (".5", "500m"), ("1", "1k")],
)
def test_a_request_up_to_the_limit_is_fine_in_whatever_units(request_: str, limit: str) -> None:
    merged = merged_resources(Resources(mem=request_), Resources(mem=limit), None)
    assert merged == {"requests": {"memory": request_}, "limits": {"memory": limit}}


@pytest.mark.parametrize("option", ["requests", "limits", "resources"])
def test_what_is_no_resources_is_refused_by_the_option_s_name(option: str) -> None:
    given: dict[str, Any] = {"requests": None, "limits": None, "resources": None, option: "1Gi"}
    with pytest.raises(AssertionError, match=f"`{option}` takes a Resources"):
        merged_resources(**given)
