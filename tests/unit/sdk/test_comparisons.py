"""Comparisons of promises: which there are, what they become in a manifest, what is refused and in which words."""

from __future__ import annotations

import datetime
import enum
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union

import pytest

import windlass
from windlass import task, workflow
from windlass._comparison import Comparison, Condition
from windlass._conditional import conditional


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int


@task
def number() -> int:
    return 1


@task
def flag() -> bool:
    return True


@task
def nothing() -> None:
    pass


def condition(compare: Callable[..., Any], *types: Any) -> Condition:
    """What the comparison of a workflow's inputs, of these types, gives."""
    found: list[Any] = []

    def body(**inputs: Any) -> None:
        found.append(compare(*inputs.values()))

    names = "abcdef"[: len(types)]
    namespace: dict[str, Any] = {"body": body, "types": types}
    exec(
        f"def made({', '.join(f'{name}: types[{i}]' for i, name in enumerate(names))}) -> None:\n"
        f"    body({', '.join(f'{name}={name}' for name in names)})\n",
        namespace,
    )
    namespace["made"].__module__ = __name__
    workflow(namespace["made"]).compile()
    return found[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("compare", "types", "text"),
    [
        (lambda a: a == 1, [int], "inputs.a == 1"),
        (lambda a: a != 1, [int], "inputs.a != 1"),
        (lambda a: a < 1, [int], "inputs.a < 1"),
        (lambda a: a <= 1, [int], "inputs.a <= 1"),
        (lambda a: a > 1, [int], "inputs.a > 1"),
        (lambda a: a >= -1, [int], "inputs.a >= -1"),
        (lambda a: 1 < a, [int], "inputs.a > 1"),  # noqa: SIM300  that is the case
        (lambda a, b: a < b, [int, float], "inputs.a < inputs.b"),
        (lambda a: a == 'x"\n', [str], 'inputs.a == "x\\"\\n"'),
        (lambda a: a >= 2.5, [float], "inputs.a >= 2.5"),
        (lambda a: a == datetime.date(2024, 1, 2), [datetime.date], 'inputs.a == "2024-01-02"'),
        (lambda a: a == Color.RED, [Color], 'inputs.a == "red"'),
        (lambda a: a != "fast", [Literal["fast", "slow"]], 'inputs.a != "fast"'),
        (lambda a: a.is_true(), [bool], "inputs.a == true"),
        (lambda a: a.is_false(), [bool], "inputs.a == false"),
        (lambda a: a.is_(True), [bool], "inputs.a == true"),
        (lambda a: a.is_none(), [Optional[int]], "inputs.a == null"),  # noqa: UP045  the old spelling must work too
        (lambda a: a == "x", [Union[int, str]], 'inputs.a == "x"'),  # noqa: UP007  as above
        (lambda a: a == 1, [Any], "inputs.a == 1"),
        (lambda a: a.x > 1, [Point], "inputs.a.x > 1"),
        (lambda a: a["k e y"] > 1, [dict[str, int]], 'inputs.a["k e y"] > 1'),
        (lambda a: a[-1] > 1, [list[int]], "inputs.a[-1] > 1"),
        (lambda a, b: (a == 1) & (b == 2), [int, int], "inputs.a == 1 && inputs.b == 2"),
        (lambda a, b: (a == 1) | (b == 2), [int, int], "inputs.a == 1 || inputs.b == 2"),
        (
            lambda a, b: (a == 1) & ((b == 2) | (b == 3)),
            [int, int],
            "inputs.a == 1 && (inputs.b == 2 || inputs.b == 3)",
        ),
        (lambda a, b: (a == 1) | (b == 2) & (b == 3), [int, int], "inputs.a == 1 || inputs.b == 2 && inputs.b == 3"),
        (lambda a: ~(a > 1), [int], "!(inputs.a > 1)"),
        (lambda a: ~(a == 1), [int], "inputs.a != 1"),
        (lambda a: ~((a > 1) | (a == -5)), [int], "!(inputs.a > 1 || inputs.a == -5)"),
    ],
)
def test_a_comparison_becomes_an_expression(compare: Callable[..., Any], types: list[Any], text: str) -> None:
    assert condition(compare, *types).text() == text


@pytest.mark.parametrize(
    ("compare", "types", "message"),
    [
        (lambda a: a == "x", [int], "does not fit int and string"),
        (lambda a, b: a == b, [int, str], "does not fit int and string"),
        (lambda a: a < None, [int | None], "does not fit"),
        (lambda a: a.is_true() & (a < True), [int], "does not fit int and bool"),
        (lambda a: a == Point(1), [Point], "Only primitive values can be used in comparison"),
        (lambda a: a == [1], [list[int]], "Only primitive values can be used in comparison"),
        (lambda a: a == 1, [list[int]], "Only primitive values can be used in comparison"),
        (lambda a: a == 1, [int | list[int]], "Only primitive values can be used in comparison"),
        (lambda a, b: a == b, [datetime.datetime, datetime.datetime], "Only primitive values"),
        (lambda a, b: a < b, [datetime.timedelta, datetime.timedelta], "Only primitive values"),
        (lambda a: a == "pink", [Color], "'pink' is no value of .*'red', 'blue'"),
        (lambda a: a > float("inf"), [float], "can't be compared with inf"),
        (lambda a: a > 1 << 63, [int], "is too large"),
    ],
)
def test_what_can_not_be_compared_is_refused_with_the_line(
    compare: Callable[..., Any], types: list[Any], message: str
) -> None:
    with pytest.raises(ValueError, match=rf"test_comparisons\.py:\d+: .*{message}"):
        condition(compare, *types)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (bool, "Cannot perform truth value testing"),
        (lambda c: c and True, "Write `&` and `|`"),
        (lambda c: c or True, "Write `&` and `|`"),
        (lambda c: not c, "`~` instead of `not`"),
        (lambda c: c & flag(), r"`&` joins comparisons, .* is none; for a bool write p\.is_true\(\)"),
        (lambda c: flag() & c, r"Cannot perform Logical AND of Promise with other"),
        (lambda c: c | True, r"`\|` joins comparisons, and True is none"),
        (lambda c: True & c, "`&` joins comparisons, and True is none"),
        (lambda c: flag() & flag(), "Cannot perform Logical AND of Promise with other"),
        (lambda c: flag() | flag(), "Cannot perform Logical OR of Promise with other"),
        (lambda c: True | flag(), "Cannot perform Logical OR of Promise with other"),
        (lambda c: number() == c, "is compared with a value or a promise, not with a comparison"),
        (lambda c: 0 < number() < 3, "Cannot perform truth value testing"),
        (lambda c: number() in [1, 2], "Cannot perform truth value testing"),
    ],
)
def test_pythons_own_logic_is_refused(use: Callable[[Any], Any], message: str) -> None:
    def body() -> None:
        use(number() == 1)

    with pytest.raises(ValueError, match=rf"test_comparisons\.py:\d+: .*{message}"):
        workflow(body).compile()


def test_a_comparison_is_no_value() -> None:
    @task
    def either(value: Any) -> bool:
        return bool(value)

    @workflow
    def returned() -> bool:
        return number() == 1

    @workflow
    def passed() -> bool:
        return either(value=[number() == 1])

    with pytest.raises(windlass.FlyteValidationException, match=r"Failed to bind output o0 for function .*returned"):
        returned.compile()
    with pytest.raises(AssertionError, match=r"is no value: conditional\(\.\.\.\) branches on it"):
        passed.compile()


def test_what_returns_nothing_can_not_be_compared() -> None:
    with pytest.raises(AssertionError, match="returns nothing"):
        workflow(_compares_nothing).compile()


def _compares_nothing() -> None:
    conditional("x").if_(nothing() == 1).then(number()).else_().then(number())


def test_a_comparison_that_fits_no_value_says_so_when_it_runs() -> None:
    with pytest.raises(windlass.FlyteAssertion, match=r"here: the condition .* has no truth: `<` does not fit null"):
        Comparison("<", None, 1, "here").holds()
    with pytest.raises(windlass.FlyteAssertion, match="has no truth"):
        (Comparison("<", "x", 1, "here") & Comparison("==", 1, 1, "here")).holds()
    assert (Comparison("<", "x", 1, "here") | Comparison("==", 1, 1, "here")).holds()


@pytest.mark.parametrize("op", ["==", "!=", "<", "<=", ">", ">="])
def test_a_comparison_of_values_is_pythons(op: str) -> None:
    by_name = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt}
    for left in (1, 2, 2.0, 2.5):
        assert Comparison(op, left, 2, "here").holds() is by_name.get(op, operator.ge)(left, 2)
