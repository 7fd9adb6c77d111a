"""What the API page shows of workflows, as tests: the cases of its example in our own words, with its outcomes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Dict, List, NamedTuple, Optional, Tuple, Union  # noqa: UP035  as users write it

import pandas
import pytest

import windlass
from windlass import _emit, task, workflow
from windlass._conditional import conditional
from windlass._data.datasets import StructuredDataset
from windlass._types.error import FlyteError
from windlass._workflow import WorkflowFailurePolicy

lines: list[str] = []


class OneNumber(NamedTuple):
    named1: int


class TwoNumbers(NamedTuple):
    named1: int
    named2: int


class NumberAndText(NamedTuple):
    number: int
    text: str


@pytest.fixture(autouse=True)
def _nothing_said_yet() -> Iterator[None]:
    lines.clear()
    yield
    lines.clear()


@task
def plus_five(a: int) -> int:
    return a + 5


@task
def one() -> int:
    return 1


@workflow
def simple() -> int:
    return plus_five(a=1)


@workflow
def example(a: int) -> Tuple[int, int]:  # noqa: UP006  as users write it
    """Shows what a workflow can be made of.

    Args:
        a: input a

    Returns:
        outputs
    """
    first = plus_five(a=a)
    second = plus_five(a=first)
    other = simple()
    chosen = conditional("bool").if_(a == 5).then(plus_five(a=other)).else_().then(plus_five(a=second))
    return first, chosen


# ---- settings ----


@pytest.mark.parametrize("options", [{"failure_policy": 0}, {"interruptible": 3}])
def test_a_setting_of_the_wrong_kind_is_a_validation_exception(options: dict[str, Any]) -> None:
    with pytest.raises(windlass.FlyteValidationException):
        workflow(**options)(lambda: None)


def test_settings_of_the_right_kind_are_kept_and_emitted() -> None:
    @task
    def numbers(a: int) -> NumberAndText:
        return NumberAndText(a + 2, f"world-{a + 2}")

    @workflow(interruptible=True, failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
    def settled(a: int) -> Tuple[str, str]:  # noqa: UP006  as users write it
        x, y = numbers(a=a)
        _, v = numbers(a=x)
        return y, v

    assert settled.interruptible is True
    assert settled.failure_policy is WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
    spec = _emit.manifest(settled)["spec"]
    assert (spec["defaults"], spec["failurePolicy"]) == ({"interruptible": True}, "FailAfterExecutableNodesComplete")
    assert settled(a=1) == ("world-3", "world-5")


# ---- bodies ----


def test_a_default_decides_a_conditional() -> None:
    @task
    def yes() -> bool:
        return True

    @task
    def no() -> bool:
        return False

    @workflow
    def choosing(a: bool = True) -> bool:
        return conditional("bool").if_(a.is_true()).then(yes()).else_().then(no())  # type: ignore

    assert choosing() is True
    assert choosing(a=False) is False


def test_a_list_of_promises_is_an_output() -> None:
    @workflow
    def listing() -> List[int]:  # noqa: UP006  as users write it
        return [plus_five(a=number) for number in range(2)]

    assert listing() == [5, 6]


@pytest.mark.parametrize("result", [OneNumber, TwoNumbers])
def test_named_tuples_pass_through_sub_workflows(result: type[Any]) -> None:
    def plus_two(a: int) -> Any:
        return result(*[a + 2] * len(result._fields))

    def passing(a: int) -> Any:
        return named(a=a)

    def outer_body(b: int) -> Any:
        return named(a=sub(a=b).named1)

    for function in (plus_two, passing, outer_body):
        function.__annotations__["return"] = result
    named, sub, outer = task(plus_two), workflow(passing), workflow(outer_body)
    assert outer(b=3) == (7,) * len(result._fields)


Deep = List[Dict[str, List[int]]]  # noqa: UP006  as users write it
Flat = Dict[str, List[int]]  # noqa: UP006  as above


@task
def spell(a: Deep, b: Flat, c: Union[Deep, Flat, int], d: int) -> str:  # noqa: UP007  as above
    return f"{a} {b} {c} {d}"


@workflow
def spelling(a: Deep, b: Flat, c: Union[Deep, Flat], d: int) -> str:  # noqa: UP007  as above
    return spell(a=a, b=b, c=c, d=d)


@pytest.mark.parametrize("third", ["deep", "flat"])
def test_promises_deep_in_literals_reach_a_sub_workflow(third: str) -> None:
    @workflow
    def outer() -> str:
        deep: Deep = [{"one": [42], "two": [one(), 2]}, {"three": [33], "four": [9, 99]}]
        flat: Flat = {"ones": [one(), one(), one()], "more": [4, 5, 6]}
        return spelling(a=deep, b=flat, c=deep if third == "deep" else flat, d=one())

    outer.compile()
    deep = [{"one": [42], "two": [1, 2]}, {"three": [33], "four": [9, 99]}]
    flat = {"ones": [1, 1, 1], "more": [4, 5, 6]}
    assert outer() == f"{deep} {flat} {deep if third == 'deep' else flat} 1"
    assert {node.id for node in outer.nodes[-1].upstreams()} == {"n0", "n1", "n2", "n3", "n4"}


def test_what_is_returned_without_a_declared_output_is_a_value_exception() -> None:
    @workflow
    def undeclared():  # type: ignore[no-untyped-def]  # that is the mistake
        return plus_five(a=3)

    with pytest.raises(windlass.FlyteValueException):
        undeclared()


def test_a_declared_output_that_is_never_returned_is_refused_at_once() -> None:
    with pytest.raises(windlass.FlyteMissingReturnValueException):

        @workflow
        def forgetful() -> int:  # type: ignore[return]  # that is the mistake
            plus_five(a=3)


def test_task_can_be_wrapped_by_a_decorator_of_ones_own() -> None:
    def our_task(function: Optional[Callable[..., Any]] = None, **_ours: Any) -> Any:  # noqa: UP045  as users write it
        def wrapped(inner: Callable[..., Any]) -> Any:
            return task(_task_function=inner)

        return wrapped(function) if function else wrapped

    @our_task(ours={"any": print})  # type: ignore[untyped-decorator]  # that is the case
    def greeting() -> str:
        return "foo"

    assert greeting() == "foo"


def test_without_outputs_a_call_gives_none() -> None:
    @workflow
    def silent():  # type: ignore[no-untyped-def]  # as users write it
        plus_five(a=3)

    assert silent() is None


def test_a_workflow_may_be_defined_in_another_ones_body() -> None:
    @workflow
    def outer() -> Tuple[int, int]:  # noqa: UP006  as users write it
        @workflow
        def inner() -> int:
            return plus_five(a=5)

        return plus_five(a=3), inner()

    assert outer() == (8, 10)
    spec = _emit.manifest(outer)["spec"]
    assert list(spec["outputs"]) == ["o0", "o1"]
    assert [node["task"]["name"] for node in spec["nodes"]] == [
        plus_five.object_name
    ] * 2  # the inner one has joined in


def test_all_kinds_of_nodes_in_one_workflow() -> None:
    assert example(a=1) == (6, 16)
    assert example(a=5) == (10, 11)
    nodes = _emit.manifest(example)["spec"]["nodes"]
    assert [("select" in node, node.get("when")) for node in nodes] == [
        (False, None),
        (False, None),
        (False, None),  # the sub-workflow's
        (False, "inputs.a == 5"),
        (False, "inputs.a != 5"),
        (True, None),
    ]


def test_docstrings_describe_inputs_and_outputs() -> None:
    spec = _emit.manifest(example)["spec"]
    assert spec["inputs"]["a"]["description"] == "input a"
    assert [output["description"] for output in spec["outputs"].values()] == ["outputs", "outputs"]


Names = Annotated[pandas.DataFrame, OrderedDict(Name=str)]


@task
def make_table() -> Annotated[pandas.DataFrame, OrderedDict(Name=str, Age=int, Height=int)]:
    return pandas.DataFrame({"Name": ["Tom", "Joseph"], "Age": [20, 22], "Height": [160, 178]})


@task
def cut_table(df: Names) -> Names:
    return df


@task
def open_table(sd: Annotated[StructuredDataset, OrderedDict(Name=str)]) -> Names:
    return sd.open(pandas.DataFrame).all()


def test_tables_with_declared_columns_pass_between_tasks() -> None:
    @workflow
    def tables() -> Tuple[pandas.DataFrame, pandas.DataFrame]:  # noqa: UP006  as users write it
        table: Any = make_table()
        return cut_table(df=table), open_table(sd=table)

    for result in tables():
        pandas.testing.assert_frame_equal(result, pandas.DataFrame({"Name": ["Tom", "Joseph"]}))


def test_a_workflow_made_while_a_task_runs_is_not_compiled() -> None:
    @task
    def defining() -> bool:
        @workflow
        def inside() -> None:
            raise AssertionError("it is compiled")

        return inside._graph is None

    assert defining() is True


# ---- failures ----


@task
def create(name: str) -> None:
    lines.append(f"creating {name}")


@task
def delete(name: str, err: Optional[FlyteError] = None) -> None:  # noqa: UP045  as users write it
    lines.append(f"deleting {name}")


@task
def clean_up(name: str, err: Optional[FlyteError] = None) -> None:  # noqa: UP045  as users write it
    lines.append(f"cleaning up {name}: {err}")


@pytest.mark.parametrize("message", ["Fail!", None, "", ("big", "boom!")])
def test_the_handler_of_failures_is_told_what_happened(message: Any) -> None:
    @task
    def fail(a: int, b: str) -> None:
        lines.append(f"{a} {b}")
        raise ValueError(message)

    @workflow(on_failure=clean_up)
    def using_a_cluster(name: str = "windlass") -> None:
        created, failed, deleted = create(name=name), fail(a=1, b="2"), delete(name=name)
        created >> failed >> deleted  # type: ignore[operator]  # promises, in a workflow

    with pytest.raises(ValueError):
        using_a_cluster()
    error = FlyteError(f"Error encountered while executing '{fail.name}':\n  {message}", failed_node_id="fn0")
    assert lines == ["creating windlass", "1 2", f"cleaning up windlass: {error}"]
