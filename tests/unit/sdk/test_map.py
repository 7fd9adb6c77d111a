"""`map` and `map_task`: lists, what is bound, failures, refusals, and what becomes of them in a graph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Optional

import pytest

import windlass
from windlass import _emit, task, workflow
from windlass._dynamic import dynamic
from windlass._eager import eager
from windlass._map import MapTask, map as map_over, map_task
from windlass_api.manifests_check import validate_manifests
from windlass_api.maps import required_successes


class Both(NamedTuple):
    first: int
    second: int


class Lonely(NamedTuple):
    only: int


runs: list[int] = []


@pytest.fixture(autouse=True)
def _no_runs_yet() -> Iterator[None]:
    runs.clear()
    yield
    runs.clear()


@task
def square(n: int) -> int:
    runs.append(n)
    if n < 0:
        raise ValueError(f"{n} is negative")
    return n * n


@task
def scale(n: int, by: int, offset: int = 0) -> int:
    return n * by + offset


@task
def total(values: list[int], n: int) -> int:
    return sum(values) + n


@task
def shared(n: int, values: list[int] = []) -> int:  # noqa: B006  that is the case
    return n + len(values)


@task
def one() -> int:
    return 1


@task
def both(n: int) -> Both:
    return Both(n, n)


@task
def lonely(n: int) -> Lonely:
    return Lonely(n)


@task
def nothing(n: int) -> None:
    print(n)


@dynamic
def moving(n: int) -> int:
    return square(n=n)


@eager
async def hasty(n: int) -> int:
    return n


@workflow
def flow(n: int) -> int:
    return square(n=n)


def node_of(entity: Any, position: int = -1) -> dict[str, Any]:
    """A node of a workflow's manifest, which is valid."""
    assert validate_manifests(_emit.manifests(_emit.complete([entity]))) == []
    return _emit.manifest(entity)["spec"]["nodes"][position]  # type: ignore[no-any-return]


# ---- running ----


@pytest.mark.parametrize("make", [map_over, map_task])
def test_each_element_is_a_run(make: Callable[..., Any]) -> None:
    assert make(square)(n=[3, 1, 2]) == [9, 1, 4]
    assert runs == [3, 1, 2]


def test_in_a_workflow_it_is_a_call_like_any_other() -> None:
    @workflow
    def squares(numbers: list[int]) -> list[int]:
        return map_task(square)(n=map_task(square)(n=numbers))  # type: ignore[no-any-return]

    assert squares(numbers=[2, 3]) == [16, 81]
    assert node_of(squares) == {
        "id": "n1",
        "name": "map_square",
        "task": {"name": square.object_name},
        "map": {"over": ["n"]},
        "inputs": {"n": {"$ref": "nodes.n0.outputs.o0"}},
    }


def test_an_empty_list_gives_an_empty_list() -> None:
    assert map_task(square)(n=[]) == []


def test_elements_pair_up_by_position() -> None:
    assert map_task(scale)(n=[1, 2], by=[10, 100]) == [10, 200]


def test_arguments_may_be_positional_among_those_that_are_not_bound() -> None:
    assert map_task(scale)([1, 2], [3, 4]) == [3, 8]
    assert map_task(functools.partial(scale, n=5))([1, 2]) == [5, 10]


def test_lists_of_different_lengths_are_named() -> None:
    with pytest.raises(
        windlass.FlyteValueException, match=r"map_scale have different lengths: n has 3, by has 2"
    ) as caught:
        map_task(scale)(n=[1, 2, 3], by=[1, 2])
    assert isinstance(caught.value, ValueError)


def test_the_single_output_may_have_a_name() -> None:
    assert map_task(lonely)(n=[1, 2]) == [1, 2]


def test_a_conditional_may_skip_a_map() -> None:
    from windlass._conditional import conditional

    @workflow
    def chosen(n: int) -> list[int]:
        return (  # type: ignore[no-any-return]
            conditional("c").if_(n > 0).then(map_task(square)(n=[1, 2])).else_().then(map_task(square)(n=[n]))
        )

    assert chosen(n=1) == [1, 4]
    assert runs == [1, 2]


# ---- what is bound ----


def test_a_partial_binds_by_name() -> None:
    assert map_task(functools.partial(scale, by=5))(n=[1, 2]) == [5, 10]
    assert map_task(functools.partial(functools.partial(scale, by=5), offset=1))(n=[1, 2]) == [6, 11]


def test_bound_inputs_bind_too() -> None:
    assert map_over(scale, bound_inputs={"by": 5, "offset": 1})(n=[1, 2]) == [6, 11]


def test_promises_may_be_bound() -> None:
    @workflow
    def scaled(numbers: list[int], by: int) -> list[int]:
        return map_task(functools.partial(scale, by=square(n=by)))(n=numbers)  # type: ignore[no-any-return]

    assert scaled(numbers=[1, 2], by=3) == [9, 18]
    assert node_of(scaled)["inputs"] == {"n": {"$ref": "inputs.numbers"}, "by": {"$ref": "nodes.n0.outputs.o0"}}
    assert node_of(scaled)["map"] == {"over": ["n"]}


def test_a_bound_list_stays_whole() -> None:
    assert map_task(functools.partial(total, values=[1, 2, 3]))(n=[0, 10]) == [6, 16]


def test_what_has_a_default_may_be_left_out() -> None:
    @workflow
    def scaled(numbers: list[int]) -> list[int]:
        return map_task(scale)(n=numbers, by=numbers)  # type: ignore[no-any-return]

    assert scaled(numbers=[1, 2]) == [1, 4]
    assert node_of(scaled)["map"] == {"over": ["n", "by"]}
    assert map_task(scale)(n=[1], by=[2], offset=[3]) == [5]


def test_a_mutable_default_is_not_left_out() -> None:
    with pytest.raises(windlass.FlyteAssertion, match="mutable default argument"):
        map_task(shared)(n=[1, 2])
    assert map_task(shared)(n=[1, 2], values=[[0], []]) == [2, 2]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: map_task(functools.partial(scale, 5)), ValueError, r"bind inputs by name: .*partial\(task, 5\)"),
        (lambda: map_over(scale, bound_inputs={"b": 5}), ValueError, "no input b to bind.*should have the same keys"),
        (
            lambda: map_over(functools.partial(scale, by=1), bound_inputs={"by": 2}),
            ValueError,
            "by is bound twice",
        ),
        (lambda: map_task(functools.partial(square, n=1)), ValueError, "no input left to map over"),
        (
            lambda: map_task(functools.partial(scale, by=1))(n=[1], by=[2]),
            AssertionError,
            "Got multiple values for argument 'by'",
        ),
        (lambda: map_task(scale)(n=[1]), windlass.FlyteAssertion, "Input by of type"),
        (map_task(square), windlass.FlyteAssertion, "Input n of type"),
        (lambda: map_task(square)(m=[1]), AssertionError, "Received unexpected keyword argument 'm'"),
        (lambda: map_task(square)([1], [2]), AssertionError, "Received more arguments than expected"),
    ],
)
def test_what_can_not_be_bound_or_passed_is_refused(
    make: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=rf"test_map\.py:\d+: .*{message}"):
        make()


def test_a_value_that_is_no_list_of_the_type_is_refused() -> None:
    with pytest.raises(windlass.TypeTransformerFailedError, match="'n'"):
        map_task(square)(n=3)
    with pytest.raises(windlass.TypeTransformerFailedError, match="'n'"):
        map_task(square)(n=[1, "x"])


# ---- failures ----


def test_the_first_failure_ends_it_and_says_which_element_it_was() -> None:
    with pytest.raises(ValueError, match="is negative") as caught:
        map_task(square)(n=[1, -2, 3])
    assert str(caught.value) == (
        f"Error encountered while executing '{square.name.removesuffix('square')}map_square' (element 1):\n"
        f"  Error encountered while executing '{square.name}':\n  -2 is negative"
    )
    assert runs == [1, -2]


@pytest.mark.parametrize(
    ("settings", "numbers", "result"),
    [
        ({"min_success_ratio": 0.5}, [1, -1], [1, None]),
        ({"min_success_ratio": 0.5}, [1, -1, 2], [1, None, 4]),
        ({"min_successes": 1}, [-1, -2, 3], [None, None, 9]),
        ({"min_successes": 0}, [-1], [None]),
        ({"min_successes": 1, "min_success_ratio": 1.0}, [1, -1], [1, None]),
        ({"min_success_ratio": 0.0}, [-1, -2], [None, None]),
    ],
)
def test_elements_may_fail_where_enough_succeed(
    settings: dict[str, Any],
    numbers: list[int],
    result: list[Optional[int]],  # noqa: UP045  as in the API
) -> None:
    assert map_task(square, **settings)(n=numbers) == result


@pytest.mark.parametrize(
    ("settings", "numbers", "tried"),
    [
        ({"min_success_ratio": 0.6}, [-1, 1, -2, 2], 3),
        ({"min_successes": 2}, [-1, -2, 1], 2),
    ],
)
def test_it_ends_once_too_few_can_succeed(settings: dict[str, Any], numbers: list[int], tried: int) -> None:
    with pytest.raises(ValueError, match="is negative"):
        map_task(square, **settings)(n=numbers)
    assert len(runs) == tried


def test_more_successes_than_elements_are_never_reached() -> None:
    with pytest.raises(windlass.FlyteValueException, match="needs 3 successes, but the lists have 2 elements"):
        map_task(square, min_successes=3)(n=[1, 2])


def test_the_required_number_is_rounded_up_without_errors_of_floats() -> None:
    assert [required_successes(count, None, 0.1) for count in (1, 10, 11, 30)] == [1, 1, 2, 3]
    assert required_successes(0, None, 1.0) == 0
    assert required_successes(3, None, None) == 3


def test_where_elements_may_fail_the_result_is_a_list_of_optionals() -> None:
    @workflow
    def lenient(numbers: list[int]) -> list[Optional[int]]:  # noqa: UP045  as in the API
        return map_task(square, min_success_ratio=0.5)(n=numbers)  # type: ignore[no-any-return]

    @workflow
    def wrong(numbers: list[int]) -> list[int]:
        return map_task(square, min_success_ratio=0.5)(n=numbers)  # type: ignore[no-any-return]

    assert lenient(numbers=[1, -1]) == [1, None]
    assert node_of(lenient)["map"] == {"over": ["n"], "minSuccessRatio": 0.5}
    with pytest.raises(windlass.FlyteValidationException, match=r"expected list\[int\], got list\[optional\[int\]\]"):
        wrong.compile()


def test_elements_have_the_retries_of_the_task_or_of_the_call() -> None:
    @task(retries=2)
    def flaky(n: int) -> int:
        runs.append(n)
        if len(runs) % 3:
            raise windlass.FlyteRecoverableException("not yet")
        return n

    @task
    def weak(n: int) -> int:
        runs.append(n)
        if len(runs) % 3:
            raise windlass.FlyteRecoverableException("not yet")
        return n

    @workflow
    def patient(numbers: list[int]) -> list[int]:
        result: Any = map_task(weak)(n=numbers)
        return result.with_overrides(retries=2)  # type: ignore[no-any-return]

    assert map_task(flaky)(n=[7, 8]) == [7, 8]
    assert len(runs) == 6
    runs.clear()
    assert patient(numbers=[7, 8]) == [7, 8]
    assert node_of(patient)["overrides"] == {"retries": 2}


# ---- settings and targets ----


def test_settings_stand_with_the_node() -> None:
    @workflow
    def set_up(numbers: list[int]) -> list[Optional[int]]:  # noqa: UP045  as in the API
        map_task(square)(n=numbers)
        map_over(square)(n=numbers)
        map_task(square, concurrency=3)(n=numbers)
        return map_task(square, min_successes=1, min_success_ratio=0.5)(n=numbers)  # type: ignore[no-any-return]

    assert [node_of(set_up, position)["map"] for position in range(4)] == [
        {"over": ["n"]},
        {"over": ["n"], "concurrency": 0},
        {"over": ["n"], "concurrency": 3},
        {"over": ["n"], "minSuccesses": 1},
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"concurrency": -1}, "concurrency takes a number"),
        ({"concurrency": True}, "concurrency takes a number"),
        ({"min_successes": 1.5}, "min_successes takes a number"),
        ({"min_success_ratio": 1.1}, "between 0 and 1"),
        ({"min_success_ratio": "all"}, "between 0 and 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        map_over(square, **settings)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(TypeError, match="map takes no metadata"):
        map_task(square, metadata=1)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (moving, "moving is dynamic: only tasks with default behavior can be mapped"),
        (hasty, "hasty is eager"),
        (flow, "a workflow can't be mapped, .*flow is one; map a launch plan of it"),
        (both, "Only tasks with a single output are supported in map tasks.*first, second"),
        (nothing, "Only tasks with a single output are supported in map tasks.*none"),
        (map_task(square), "a map task can't be mapped"),
        (one, "no input left to map over"),
        (len, "map takes a task, a launch plan or a reference to one"),
    ],
)
def test_what_can_not_be_mapped_is_refused(target: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        map_task(target)


def test_its_name_is_the_tasks() -> None:
    mapped = map_task(square)
    assert isinstance(mapped, MapTask)
    assert mapped.name == square.name.replace("square", "map_square")
    assert repr(mapped) == f"<map task {mapped.name}>"


# ---- other targets ----


@workflow
def scaling(n: int, by: int, offset: int = 0) -> int:
    return scale(n=n, by=by, offset=offset)


def test_a_launch_plan_can_be_mapped_over_what_it_has_not_fixed() -> None:
    plan = windlass.LaunchPlan.get_or_create(scaling, "test-map-tens", fixed_inputs={"by": 10})

    @workflow
    def planned(numbers: list[int]) -> list[int]:
        return map_task(plan)(n=numbers)  # type: ignore[no-any-return]

    @workflow
    def overridden(numbers: list[int]) -> None:
        map_task(plan)(n=numbers).with_overrides(retries=1)

    assert planned(numbers=[1, 2]) == [10, 20]
    node = node_of(planned)
    assert (node["launchPlan"], node["map"]) == (plan.target()["launchPlan"], {"over": ["n"]})
    with pytest.raises(AssertionError, match="Only Keyword Arguments"):
        map_task(plan)([1, 2])
    with pytest.raises(windlass.FlyteAssertion, match="overrides go on the calls inside it"):
        overridden.compile()


def test_an_actors_task_can_be_mapped() -> None:
    environment = windlass.ActorEnvironment(name="test-map", replica_count=1)

    @environment.task
    def acting(n: int) -> int:
        return n + 1

    assert map_task(acting)(n=[1, 2]) == [2, 3]


def test_a_reference_can_be_mapped_in_a_graph() -> None:
    @windlass.reference_task(project="p", domain="d", name="other.double", version="v1")
    def double(n: int) -> int: ...  # type: ignore[empty-body]  # a reference has none

    @workflow
    def referring(numbers: list[int]) -> list[int]:
        return map_task(double)(n=numbers)  # type: ignore[no-any-return]

    (node,) = _emit.manifest(referring)["spec"]["nodes"]
    assert (node["task"], node["map"]) == (double.target()["task"], {"over": ["n"]})
    with pytest.raises(NotImplementedError, match="is a reference to a task"):
        referring(numbers=[1])
