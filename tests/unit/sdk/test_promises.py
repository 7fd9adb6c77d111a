"""Promises: what can be done with them, what is refused, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional, Union

import pytest

import windlass
from windlass import task, workflow


@dataclass
class Point:
    x: int
    y: int = 0
    tags: dict[str, str] = field(default_factory=dict)


class Pair(NamedTuple):
    left: Point
    right: list[Point]


@task
def number(n: int = 1) -> int:
    return n


@task
def pair(x: int) -> Pair:
    return Pair(Point(x, tags={"k e y": "v"}), [Point(x + 1), Point(x + 2)])


@task
def text(value: str) -> str:
    return value


@task
def total(values: list[int]) -> int:
    return sum(values)


@task
def anything(value: Any) -> str:
    return repr(value)


@task
def nothing(n: int) -> None:
    print(n)


@task
def real(value: float) -> float:
    return value


@dataclass
class Size:
    x: int
    depth: int


@task
def size() -> Size:
    return Size(1, 2)


@task
def place(point: Point) -> int:
    return point.x


@task
def dig(size: Size) -> int:
    return size.depth


class Counted(NamedTuple):
    count: int  # type: ignore[assignment]  # a field wins over the method
    index: int  # type: ignore[assignment]  # as above


@task
def counting() -> Counted:
    return Counted(3, 4)


def compiled(body: Callable[[], Any]) -> Any:
    """The graph of a workflow without inputs and outputs, whatever the body returns."""

    def quietly() -> None:
        body()

    return workflow(quietly).compile()


def test_parts_of_a_promise_are_paths_in_its_reference() -> None:
    @workflow
    def parts() -> tuple[int, str, int]:
        both = pair(x=1)
        return both.left.x, both.left.tags["k e y"], both.right[-1].y

    outputs = parts.compile().outputs
    assert [str(ref) for ref in map(repr, outputs.values())] == [
        "nodes.n0.outputs.left.x",
        'nodes.n0.outputs.left.tags["k e y"]',
        "nodes.n0.outputs.right[-1].y",
    ]
    assert parts() == (1, "v", 0)


@pytest.mark.parametrize(
    "access",
    [lambda p: p.left.z, lambda p: p.left["z"], lambda p: p.right.x, lambda p: p.left[0], lambda p: p.left.x.y],
    ids=["no such field", "no such key", "field of a list", "index of a struct", "field of an int"],
)
def test_a_part_that_the_type_does_not_have_is_refused_when_the_workflow_is_compiled(
    access: Callable[[Any], Any],
) -> None:
    with pytest.raises(windlass.FlytePromiseAttributeResolveException, match=r"test_promises\.py:\d+: .*n0"):
        compiled(lambda: access(pair(x=1)))


def test_a_part_that_the_value_does_not_have_is_refused_when_it_runs() -> None:
    @workflow
    def beyond() -> int:
        return pair(x=1).right[5].x

    assert "right[5].x" in str(beyond.compile().outputs)
    with pytest.raises(windlass.FlytePromiseAttributeResolveException, match="index 5 is out of range"):
        beyond()


def test_slices_are_refused() -> None:
    with pytest.raises(AttributeError, match="can't be sliced"):
        compiled(lambda: pair(x=1).right[1:])


def test_an_index_is_a_text_or_a_whole_number() -> None:
    keys: list[Any] = [1.5, True, None]
    while keys:
        with pytest.raises(TypeError, match="indexed by a text or a whole number"):
            compiled(lambda: pair(x=1).right[keys.pop()])


@pytest.mark.parametrize(
    "use",
    [bool, lambda p: p and 1, lambda p: p or 1, lambda p: not p, lambda p: 1 if p else 2],
    ids=["bool", "and", "or", "not", "if"],
)
def test_the_truth_of_a_promise_is_refused(use: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match=r"truth value testing .*unary expressions"):
        compiled(lambda: use(number()))


@pytest.mark.parametrize(
    "use", [iter, list, range, lambda p: [*p], lambda p: 1 in p], ids=["iter", "list", "range", "*", "in"]
)
def test_iterating_over_a_promise_is_refused(use: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match="not iterable"):
        compiled(lambda: use(number()))


def test_the_length_of_a_promise_is_refused() -> None:
    with pytest.raises(ValueError, match="has no length"):
        compiled(lambda: len(pair(x=1).right))


@pytest.mark.parametrize(
    "use", [lambda p: p + 1, lambda p: 1 - p, lambda p: p * p, lambda p: "text" + p, lambda p: -p, int, float]
)
def test_computing_with_a_promise_is_refused(use: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"test_promises.py:\d+: .*can't be computed with.*inside a task"):
        compiled(lambda: use(number()))


def test_a_promise_in_a_text_warns_that_it_is_not_its_value() -> None:
    texts = []
    with pytest.warns(UserWarning, match=r"nodes.n1.outputs.o0: int\) in a text is no more than this") as caught:
        compiled(lambda: texts.append(f"{number()!s:>3}{number()}"))
    assert texts == ["Promise(nodes.n0.outputs.o0: int)Promise(nodes.n1.outputs.o0: int)"]
    assert {warning.filename for warning in caught} == {__file__}


def test_promises_in_literals_are_bound_part_by_part() -> None:
    @workflow
    def nested() -> str:
        n = number(n=2)
        return anything(value=[n, 1, {"k": n, "list": [n]}])

    node = nested.compile().nodes[1]
    assert (
        repr(node.inputs["value"])
        == "[nodes.n0.outputs.o0, 1, {'k': nodes.n0.outputs.o0, 'list': [nodes.n0.outputs.o0]}]"
    )
    assert nested() == "[2, 1, {'k': 2, 'list': [2]}]"


def test_constants_beside_promises_are_checked_by_the_item_type() -> None:
    with pytest.raises(windlass.TypeTransformerFailedError, match=r"test_promises\.py:\d+: .*'values'.*\[1\].*int"):
        compiled(lambda: total(values=[number(), "x"]))  # type: ignore[list-item]  # that is the mistake


def test_a_dataclass_may_hold_promises() -> None:
    @task
    def sum_of(point: Point) -> int:
        return point.x + point.y

    @workflow
    def built() -> int:
        return sum_of(point=Point(x=number(n=4), y=3))

    assert repr(built.compile().nodes[1].inputs["point"]) == "{'x': nodes.n0.outputs.o0, 'y': 3, 'tags': {}}"
    assert built() == 7


def test_a_union_takes_the_variant_that_fits() -> None:
    @task
    def either(value: Union[str, list[int], None]) -> str:  # noqa: UP007  the old spelling must work too
        return str(value)

    @workflow
    def chosen() -> str:
        return either(value=[number(n=5)])

    assert chosen() == "[5]"
    with pytest.raises(windlass.TypeTransformerFailedError, match="fits no variant of the union"):
        compiled(lambda: either(value={"a": number()}))  # type: ignore[arg-type]  # that is the mistake


def test_types_are_checked_along_edges_with_the_line_of_the_call() -> None:
    with pytest.raises(
        windlass.TypeTransformerFailedError,
        match=r"test_promises\.py:\d+: Failed to Bind variable 'value' for function '.*text': expected str, got int",
    ):
        compiled(lambda: text(value=number()))  # type: ignore[arg-type]  # that is the mistake


def test_a_promise_of_another_dataclass_is_refused() -> None:
    with pytest.raises(
        windlass.TypeTransformerFailedError, match=r"expected .*Point, got another struct .*no room for its field depth"
    ):
        compiled(lambda: place(point=size()))  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(windlass.TypeTransformerFailedError, match="it has no field depth"):
        compiled(lambda: dig(size=pair(x=1).left))  # type: ignore[arg-type]  # that is the mistake


def test_an_int_promise_is_no_float() -> None:
    with pytest.raises(windlass.TypeTransformerFailedError, match="expected float, got int"):
        compiled(lambda: real(value=number()))


def test_an_optional_takes_what_it_is_optional_of() -> None:
    @task
    def maybe(n: Optional[int] = None) -> int:  # noqa: UP045  the old spelling must work too
        return n or 0

    @workflow
    def given() -> int:
        return maybe(n=number(n=3))

    assert given() == 3


def test_any_is_checked_when_it_runs() -> None:
    @task
    def untyped() -> Any:
        return "no number"

    @workflow
    def hopeful() -> int:
        return number(n=untyped())

    hopeful.compile()
    with pytest.raises(windlass.TypeTransformerFailedError, match="Failed argument 'n'"):
        hopeful()


def test_a_result_of_several_outputs_can_not_be_one_input() -> None:
    with pytest.raises(AssertionError, match=r"cannot receive a multi-valued tuple.*left, right"):
        compiled(lambda: anything(value=pair(x=1)))


def test_a_result_of_several_outputs_is_taken_apart_by_position_or_name() -> None:
    @workflow
    def both() -> tuple[int, int]:
        left, right = pair(x=1)
        assert repr(left) == repr(pair(x=1).left).replace("n1", "n0")
        return left.x, right[0].x

    assert both() == (1, 2)
    with pytest.raises(AttributeError, match="no output 'middle'; there are left, right"):
        compiled(lambda: pair(x=1).middle)  # type: ignore[attr-defined]  # that is the mistake


def test_outputs_may_be_called_like_methods_of_a_tuple() -> None:
    @workflow
    def counted() -> int:
        result = counting()
        return result.count

    assert counted() == 3
    assert repr(counted.compile().outputs["o0"]) == "nodes.n0.outputs.count"


@pytest.mark.parametrize(
    "use",
    [
        lambda v: v.o0,
        lambda v: v[0],
        iter,
        bool,
        lambda v: v == 1,
        lambda v: text(value=v),
        lambda v: anything(value=[v]),
    ],
    ids=["attribute", "index", "iteration", "truth", "comparison", "argument", "argument in a list"],
)
def test_what_a_task_without_outputs_returns_is_no_value(use: Callable[[Any], Any]) -> None:
    with pytest.raises(AssertionError, match="returns nothing"):
        compiled(lambda: use(nothing(n=1)))


def test_the_repr_of_a_promise_says_where_it_comes_from() -> None:
    seen: list[str] = []

    def body() -> None:
        seen.append(repr(number()))
        seen.append(repr(nothing(n=1)))

    compiled(body)
    assert seen[0] == "Promise(nodes.n0.outputs.o0: int)"
    assert seen[1].startswith("Void(") and seen[1].endswith("nothing)")
