"""`@dynamic`: values in the body, promises from calls; run here, and compiled for given values."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

import windlass
from windlass import _emit, _graph_spec, task, workflow
from windlass._conditional import conditional
from windlass._dynamic import DynamicTask, dynamic
from windlass._map import map_task
from windlass_api.manifests_check import validate_manifests
from windlass_api.names import API_VERSION


class Both(NamedTuple):
    count: int  # type: ignore[assignment]  # a field wins over the method
    values: list[int]


@task
def square(n: int) -> int:
    return n * n


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def note(text: str) -> None:
    print(text)


@dynamic
def squares(count: int, offset: int = 0) -> list[int]:
    """Squares of the first numbers."""
    return [square(n=n + offset) for n in range(count)]


@dynamic
def fibonacci(n: int) -> int:
    return n if n < 2 else add(a=fibonacci(n=n - 1), b=fibonacci(n=n - 2))


@dynamic
def several(values: list[int]) -> Both:
    return Both(len(values), [square(n=n) for n in values])


def test_its_inputs_are_plain_values_and_loops_work_on_them() -> None:
    assert squares(count=3) == [0, 1, 4]
    assert squares(2, offset=5) == [25, 36]


def test_in_a_workflow_it_is_one_node_and_its_result_a_promise() -> None:
    @workflow
    def sum_of_first(count: int) -> int:
        found = squares(count=count)
        return add(a=found[0], b=found[-1])

    assert len(sum_of_first.nodes) == 2
    assert sum_of_first(count=4) == 9


def test_what_a_call_gives_is_a_promise_that_can_be_passed_on_and_not_tested() -> None:
    @dynamic
    def inspecting(n: int) -> int:
        made = square(n=n)
        if made:
            return made
        return 0

    @dynamic
    def passing(n: int) -> int:
        return add(a=square(n=n), b=square(n=square(n=n)))

    assert passing(n=2) == 20
    with pytest.raises(ValueError, match="truth value testing"):
        inspecting(n=1)


def test_it_may_call_itself() -> None:
    assert fibonacci(n=10) == 55


def test_several_outputs_some_of_them_plain() -> None:
    assert several(values=[1, 2]) == Both(2, [1, 4])


def test_without_outputs_it_gives_nothing_whatever_it_returns() -> None:
    @dynamic
    def talk(times: int) -> None:
        for _ in range(times):
            note(text="x")

    assert talk(times=2) is None


def test_conditionals_maps_sub_workflows_and_order_work_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    @workflow
    def twice(n: int) -> int:
        return add(a=n, b=n)

    @dynamic
    def mixed(n: int) -> list[int]:
        made = square(n=n)
        chosen = conditional("c").if_(made > 10).then(twice(n=made)).else_().then(square(n=twice(n=made)))
        first, last = note(text="first"), note(text="last")
        first >> last  # type: ignore[operator]  # promises, in its body
        return [made, chosen, map_task(square)(n=[chosen, 1])[0]]

    assert mixed(n=4) == [16, 32, 1024]
    assert mixed(n=2) == [4, 64, 4096]
    assert capsys.readouterr().out == "first\nlast\n" * 2
    graph = mixed.compile_for({"n": 2})
    assert [node.id for node in graph.nodes] == [f"dn{i}" for i in range(8)]
    assert graph.nodes[-2].after == {graph.nodes[-3]: None}


def test_what_a_branch_that_is_not_taken_makes_is_no_value() -> None:
    @dynamic
    def leaking(n: int) -> int:
        chain = conditional("c").if_(square(n=n) == 1)
        kept = square(n=2)
        chain.then(kept).else_().then(square(n=3))
        return square(n=kept)

    assert leaking(n=1) == 16
    with pytest.raises(windlass.FlyteAssertion, match="is given what a call in a branch gives that is not taken"):
        leaking(n=2)


def test_what_it_returns_is_checked() -> None:
    @dynamic
    def wrong(n: int) -> list[int]:
        return [square(n=n), "x"]  # type: ignore[list-item]  # that is the mistake

    with pytest.raises(windlass.FlyteValidationException, match=r"test_dynamic\.py:\d+: Failed to bind output o0"):
        wrong(n=1)


def test_it_is_tried_again_as_a_task_is() -> None:
    attempts: list[int] = []

    @dynamic(retries=1)
    def flaky(n: int) -> int:
        attempts.append(n)
        if len(attempts) < 2:
            raise windlass.FlyteRecoverableException("not yet")
        return square(n=n)

    assert flaky(n=3) == 9
    assert attempts == [3, 3]


# ---- compiled for values ----


def test_compiled_for_values_its_calls_are_nodes() -> None:
    graph = squares.compile_for({"count": 2, "offset": 7})
    assert [(node.id, node.inputs) for node in graph.nodes] == [("dn0", {"n": 7}), ("dn1", {"n": 8})]
    assert repr(graph.outputs) == "{'o0': [nodes.dn0.outputs.o0, nodes.dn1.outputs.o0]}"


def test_compiled_without_calls_its_outputs_are_plain() -> None:
    graph = fibonacci.compile_for({"n": 1})
    assert (graph.nodes, graph.outputs) == ([], {"o0": 1})


def test_a_graph_becomes_a_workflow_without_inputs() -> None:
    spec = _graph_spec.made_by(several, several.compile_for({"values": [3]}))
    assert spec == {
        "outputs": {
            "count": {"type": "int", "from": 1},
            "values": {"type": "list[int]", "from": [{"$ref": "nodes.dn0.outputs.o0"}]},
        },
        "nodes": [{"id": "dn0", "name": "square", "task": {"name": square.object_name}, "inputs": {"n": 3}}],
    }
    manifest = {"apiVersion": API_VERSION, "kind": "Workflow", "metadata": {"name": "run-1-n0"}, "spec": spec}
    assert validate_manifests([*_emit.manifests([square]), manifest]) == []


def test_overrides_are_kept_where_it_is_compiled() -> None:
    @dynamic
    def overriding(n: int) -> int:
        made: Any = square(n=n)
        return made.with_overrides(retries=3, node_name="mine")  # type: ignore[no-any-return]

    assert overriding(n=2) == 4
    (node,) = overriding.compile_for({"n": 2}).nodes
    assert (node.id, node.overrides) == ("mine", {"retries": 3})


# ---- emission and options ----


def test_it_is_emitted_as_a_task_that_is_dynamic() -> None:
    spec = _emit.manifest(squares)["spec"]
    assert spec["python"] == {"entrypoint": f"{__name__}:squares", "dynamic": True}
    assert (spec["description"], list(spec["inputs"])) == ("Squares of the first numbers.", ["count", "offset"])


def test_hints_are_emitted_with_it() -> None:
    @dynamic(node_dependency_hints=[add, square])
    def hinting(n: int) -> int:
        return n

    assert isinstance(hinting, DynamicTask)
    assert list(_emit.complete([hinting])) == [add, square, hinting]
    with pytest.raises(ValueError, match="node_dependency_hints should only be used on dynamic tasks"):
        task(node_dependency_hints=[add])


def test_it_takes_the_options_of_a_task() -> None:
    with pytest.raises(ValueError, match=r"Unrecognized argument\(s\) for task: retry"):
        dynamic(retry=3)
    assert _emit.manifest(dynamic(retries=3)(several.function))["spec"]["retries"] == 3
