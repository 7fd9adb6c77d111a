"""References: nodes of what is in the cluster already; not run here, unless a test puts a mock in their place."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import pytest

from windlass import _emit, task, workflow
from windlass._exceptions import FlyteAssertion, TypeTransformerFailedError
from windlass._launch_plan import LaunchPlan
from windlass._reference import (
    ReferenceLaunchPlan,
    ReferenceTask,
    ReferenceWorkflow,
    reference_launch_plan,
    reference_task,
    reference_workflow,
)
from windlass.testing import patch, task_mock


class Both(NamedTuple):
    number: int
    text: str


@reference_task(project="shop", domain="production", name="shop.prices.load", version="v3")
def load(region: str, top: int = 3) -> int:  # type: ignore[empty-body]  # as users write them
    """Loads prices."""
    ...


@reference_workflow(project="shop", domain="production", name="shop.prices.daily", version="v4")
def daily(region: str) -> Both:  # type: ignore[empty-body]  # as users write them
    ...


@reference_launch_plan(project="", domain="", name="nightly", version="")
def nightly(region: str) -> None: ...


@task
def double(a: int) -> int:
    return 2 * a


@workflow
def wf(region: str) -> int:
    return double(a=load(region=region))


@workflow
def all_of_them(region: str) -> str:
    load(region=region)
    both = daily(region=region)
    nightly(region=region)
    return both.text


def anyhow(value: Any) -> Any:
    """The value, for calls that its type forbids."""
    return value


def test_references_are_nodes_by_name_and_version() -> None:
    spec = _emit.workflow_spec(all_of_them, None)
    assert [
        {key: node[key] for key in node if key in ("task", "workflow", "launchPlan")} for node in spec["nodes"]
    ] == [
        {"task": {"name": "shop.prices.load", "version": "v3"}},
        {"workflow": {"name": "shop.prices.daily", "version": "v4"}},
        {"launchPlan": {"name": "nightly"}},
    ]
    assert spec["outputs"]["o0"]["from"] == {"$ref": "nodes.n1.outputs.text"}
    assert list(all_of_them.definitions()) == [all_of_them]


def test_a_references_namespace_is_that_of_its_project(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load.namespace == "shop-production"
    assert nightly.namespace is None
    monkeypatch.setenv("WINDLASS_NAMESPACE_TEMPLATE", "{domain}")
    assert load.namespace == "production"


def test_a_reference_keeps_its_signature_and_words() -> None:
    assert load.description == "Loads prices."
    assert load.__name__ == "load"
    assert list(load.interface.inputs) == ["region", "top"]
    assert load.home == __name__
    assert repr(load) == "<task shop.prices.load>"
    assert load.short_name == "load"


def test_a_reference_does_not_run_here() -> None:
    for error in (NotImplementedError, AssertionError):
        with pytest.raises(
            error, match=r"shop\.prices\.load is a reference to a task in shop-production.*mock this out"
        ):
            load(region="dubai")
    with pytest.raises(FlyteAssertion, match="reference"):
        wf(region="dubai")


def test_a_mock_takes_its_place_while_it_lasts() -> None:
    with task_mock(load) as mock:
        mock.return_value = 21
        assert wf(region="dubai") == 42
        assert load(region="oslo", top=1) == 21
        mock.assert_any_call(region="dubai", top=3)
        mock.assert_called_with(region="oslo", top=1)
    with pytest.raises(FlyteAssertion):
        wf(region="dubai")


def test_a_mock_may_be_put_over_a_mock() -> None:
    with task_mock(load) as outer:
        outer.return_value = 1
        with task_mock(load) as inner:
            inner.return_value = 2
            assert load(region="x") == 2
        assert load(region="x") == 1


def test_what_a_mock_gives_is_held_to_the_type() -> None:
    with task_mock(load) as mock:
        mock.return_value = "many"
        with pytest.raises(TypeTransformerFailedError, match=r"shop\.prices\.load"):
            load(region="dubai")
        mock.side_effect = OSError("no network")
        with pytest.raises(OSError, match="no network"):
            wf(region="dubai")


def test_workflows_plans_and_plain_tasks_can_be_mocked_too() -> None:
    with task_mock(daily) as whole, task_mock(nightly) as plan, task_mock(load) as one:
        whole.return_value = Both(1, "both")
        plan.return_value = None
        one.return_value = 1
        assert all_of_them(region="dubai") == "both"
        plan.assert_called_once_with(region="dubai")
    with task_mock(double) as mock:
        mock.return_value = 5
        assert double(a=1) == 5
    assert double(a=1) == 2
    with task_mock(wf) as mock:
        mock.return_value = 6
        assert wf(region="x") == 6


@patch(load)
def decorated(first: int, mock: Any) -> int:
    mock.return_value = first
    return wf(region="dubai")


def test_patch_gives_the_mock_to_the_test_as_its_last_argument() -> None:
    assert decorated(4) == 8
    assert decorated.__name__ == "decorated"


def test_mocking_what_is_no_entity_is_refused() -> None:
    with pytest.raises(TypeError, match="task_mock takes"), task_mock(anyhow(print)):
        pass
    with pytest.raises(TypeError, match="patch takes"):
        patch(anyhow(print))


def test_a_plan_may_be_made_of_a_reference() -> None:
    plan = LaunchPlan("of-a-reference", anyhow(daily), fixed_inputs={"region": "dubai"})
    assert plan.manifest_spec() == {
        "workflow": {"name": "shop.prices.daily", "version": "v4"},
        "fixedInputs": {"region": "dubai"},
    }
    assert list(plan.definitions()) == [plan]
    with task_mock(daily) as mock:
        mock.return_value = Both(1, "x")
        assert plan().text == "x"


def test_references_may_be_made_from_types() -> None:
    made: ReferenceTask[Any, Any] = ReferenceTask("p", "d", "a.b", "v1", inputs={"x": int}, outputs={"o0": str})
    with task_mock(made) as mock:
        mock.return_value = "one"
        assert made(x=1) == "one"
    whole: ReferenceWorkflow[Any, Any] = ReferenceWorkflow(
        "p", "d", "a.w", "v1", inputs={"x": int}, outputs={"first": int, "second": str}
    )
    with task_mock(whole) as mock:
        mock.return_value = (1, "two")
        assert anyhow(whole)(x=1).second == "two"
    plan: ReferenceLaunchPlan[Any, Any] = ReferenceLaunchPlan("p", "d", "a.p", "v1", inputs={"x": int})
    with pytest.raises(AssertionError, match="Only Keyword Arguments are supported for launch plan"):
        plan(1)
    with pytest.raises(ValueError, match="needs a name"):
        ReferenceTask("p", "d", "", "v1")


def test_nothing_of_mocks_is_loaded_before_a_test_asks() -> None:
    import subprocess

    code = "import windlass._reference, windlass._launch_plan, windlass._artifacts, sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"asyncio", "unittest", "inspect", "dataclasses", "pathlib", "json", "zoneinfo", "pydantic", "kubernetes"}
    assert heavy.isdisjoint(found)
