"""`@task`: what it accepts, what it refuses where it is written, and what it keeps of the function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, Optional, Tuple  # noqa: UP035  old spellings must work too

import pytest

import windlass
from windlass import Resources, task


class Ends(NamedTuple):
    first: str
    last: str


class Alone(NamedTuple):
    only: int


@task
def plain(a: int, b: str = "x") -> str:
    """Repeats."""
    return b * a


@task(retries=3, container_image="python:3.12", environment={"A": "1"}, retry_on=[OSError, "KeyError"])
def with_options(a: int) -> int:
    return a


@task
def later(point: Later) -> int:
    return len(point.items)


class Later:
    items: list[int]


def test_a_task_is_called_like_its_function() -> None:
    assert plain(2) == "xx"
    assert plain(2, b="y") == "yy"


def test_a_task_keeps_the_names_the_docstring_and_the_signature_of_its_function() -> None:
    assert plain.__name__ == "plain"
    assert plain.__doc__ == "Repeats."
    assert list(inspect.signature(plain).parameters) == ["a", "b"]
    assert inspect.signature(plain).return_annotation == "str"


def test_options_become_fields_of_the_contract() -> None:
    assert with_options.overrides == {
        "image": "python:3.12",
        "env": {"A": "1"},
        "retries": 3,
        "retryOn": ["OSError", "KeyError"],
    }


def test_without_options_nothing_is_overridden() -> None:
    assert plain.overrides == {}


def test_an_unknown_option_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^Unrecognized argument\(s\) for task: retrys\. It takes .*retries"):
        task(retrys=3)  # type: ignore[call-overload]  # that is the mistake


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retries": -1}, "0 or more"),
        ({"retries": True}, "0 or more"),
        ({"environment": {"A": 1}}, "write 'A': '1'"),
        ({"environment": ["A=1"]}, "a dict of texts"),
        ({"container_image": " "}, "an image's name"),
        ({"retry_on": [3]}, "exception classes"),
        ({"requests": "1"}, "takes a Resources"),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused_at_decoration(options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError, AssertionError), match=message):
        task(**options)(plain.function)


def test_retry_on_takes_a_single_class_or_any() -> None:
    assert task(retry_on=OSError)(plain.function).overrides["retryOn"] == ["OSError"]
    assert task(retry_on="any")(plain.function).overrides["retryOn"] == ["any"]


def test_a_parameter_without_annotation_is_refused() -> None:
    def untyped(a, b: int) -> int:  # type: ignore[no-untyped-def]  # that is the mistake
        return b

    with pytest.raises(windlass.FlyteMissingTypeException, match=r"'a' has no type\. Please add a type annotation"):
        task(untyped)


def test_star_arguments_are_refused() -> None:
    def starred(*args: int) -> int:
        return 1

    with pytest.raises(windlass.FlyteValidationException, match=r"\*args or \*\*kwargs .*test_task\.py:\d+"):
        task(starred)


def test_a_declared_value_without_a_return_is_refused_even_if_the_function_always_raises() -> None:
    def forgetful(a: int) -> int:
        """Returns nothing, though its docstring says return."""
        raise RuntimeError

    with pytest.raises(windlass.FlyteMissingReturnValueException, match="must return a value"):
        task(forgetful)


def test_a_return_behind_a_raise_counts() -> None:
    def odd(a: int) -> int:
        raise RuntimeError
        return 1

    assert list(task(odd).interface.outputs) == ["o0"]


def test_an_optional_result_needs_no_return() -> None:
    def maybe(a: int) -> Optional[int]:  # type: ignore[return]  # noqa: UP045  the old spelling must work too
        print(a)

    assert task(maybe)(1) is None


def test_a_function_without_readable_source_gets_the_benefit_of_the_doubt() -> None:
    namespace: dict[str, Any] = {"__name__": "test_made_up"}
    exec("def made_up(a: int) -> int:\n    return a", namespace)
    assert task(namespace["made_up"])(3) == 3


def test_a_tuple_as_an_input_is_refused() -> None:
    def taking(a: tuple[int, int]) -> int:
        return 1

    with pytest.raises(windlass.RestrictedTypeError, match=r"the input a of .*taking"):
        task(taking)


def test_a_tuple_of_one_or_of_any_length_is_refused_as_a_result() -> None:
    def one() -> Tuple[int]:  # noqa: UP006  the old spelling must work too
        return (1,)

    def many() -> tuple[int, ...]:
        return (1,)

    def bare() -> tuple:  # type: ignore[type-arg]  # that is the mistake
        return (1,)

    for function in (one, many, bare):
        with pytest.raises(
            windlass.FlyteValidationException, match="Tuples should be used to indicate multiple return"
        ):
            task(function)


def test_outputs_are_numbered_or_named_by_a_named_tuple() -> None:
    def numbered() -> Tuple[int, str]:  # noqa: UP006  the old spelling must work too
        return 1, "a"

    def named(text: str) -> Ends:
        return Ends(text[0], text[-1])

    def alone() -> Alone:
        return Alone(3)

    assert list(task(numbered).interface.outputs) == ["o0", "o1"]
    assert task(numbered)().o1 == "a"  # type: ignore[attr-defined]  # the names of a plain tuple's outputs
    assert task(named)("abc") == Ends("a", "c")
    assert task(alone)().only == 3


def test_a_task_says_what_it_is() -> None:
    def twice(a: int, b: str = "x") -> int:
        return 2 * a

    made = task(cache=True, cache_version="7", cache_ignore_input_vars=("b",), retries=3, timeout=60)(twice)
    assert made.task_function is twice
    assert list(made.python_interface.inputs) == ["a", "b"]
    assert made.metadata == windlass.TaskMetadata(
        cache=True, cache_version="7", cache_ignore_input_vars=("b",), retries=3, timeout=60
    )
    assert task(cache=True)(twice).metadata.cache_version == task(cache=True)(twice).overrides["cache"]["version"]
    assert not task(twice).metadata.cache
    assert task(docs="Doubles.")(twice).docs == "Doubles." and task(twice).docs is None


def test_several_outputs_may_be_written_as_a_tuple_of_types() -> None:
    def both(a: int):  # type: ignore[no-untyped-def]  # annotated below, as `-> (int, str)` would be
        return a, "a"

    both.__annotations__["return"] = (int, str)
    assert task(both).interface.outputs == {"o0": int, "o1": str}
    assert task(both)(1).o1 == "a"


def test_an_annotation_that_is_no_type_is_named_with_its_function() -> None:
    def both(a: int):  # type: ignore[no-untyped-def]  # annotated below, as `-> "(int, str)"` would be
        return 1

    both.__annotations__["return"] = "(int, str)"
    with pytest.raises(TypeError, match=r"annotations of .*both \(.*test_task.py:\d+\) are not all types"):
        task(both)


def test_an_annotation_that_names_nothing_is_told_with_its_function() -> None:
    def reading(frame: pd.DataFrame) -> int:  # type: ignore[name-defined]  # noqa: F821  that is the mistake
        return 1

    made = task(reading)  # what it names may be defined further down
    with pytest.raises(NameError, match=r"reading \(.*test_task.py:\d+\) can't be read: name 'pd'.*TYPE_CHECKING"):
        made(frame=1)


def test_a_generator_gives_itself() -> None:
    @task
    def lines(n: int) -> Iterator[windlass.JSON]:
        for number in range(n):
            yield {"n": number}

    @task
    def total(rows: Iterator[windlass.JSON]) -> int:
        return sum(row["n"] for row in rows)  # type: ignore[index,misc,call-overload]  # JSON may be anything

    @windlass.workflow
    def flow(n: int) -> int:
        return total(rows=lines(n=n))

    assert flow(n=4) == 6


def test_a_function_without_annotated_result_gives_none() -> None:
    def silent(a: int):  # type: ignore[no-untyped-def]  # that is the case
        return a

    assert task(silent).interface.outputs == {}
    assert task(silent)(1) is None


def test_annotations_that_name_what_comes_later_are_read_at_first_use() -> None:
    assert later.interface.inputs["point"].python_type is Later


def test_annotated_types_are_what_they_annotate() -> None:
    def double(a: Annotated[int, "a note"]) -> Annotated[int, "another"]:
        return 2 * a

    assert task(double)(a=4) == 8


def test_keyword_only_and_positional_only_parameters_work() -> None:
    def picky(a: int, /, b: int, *, c: int = 3) -> int:
        return a * 100 + b * 10 + c

    assert task(picky)(1, 2) == 123
    assert task(picky)(1, b=2, c=4) == 124


def test_a_decorator_with_wraps_between_task_and_function_is_called() -> None:
    def doubling(function: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> int:
            return 2 * function(*args, **kwargs)

        return wrapper

    @task
    @doubling
    def wrapped(a: int) -> int:
        return a

    assert list(wrapped.interface.inputs) == ["a"]
    assert wrapped(a=4) == 8
    assert wrapped.short_name == "wrapped"


def test_a_nested_function_is_refused_outside_of_tests() -> None:
    def nested(a: int) -> int:
        return a

    nested.__module__ = "flows"
    with pytest.raises(ValueError, match="must be importable: define it at the top level"):
        task(nested)


def test_a_function_may_make_workflows_for_no_pod_imports_them() -> None:
    @task
    def twice(a: int) -> int:
        return 2 * a

    def nested(a: int) -> int:
        return twice(a=a)

    nested.__module__ = "flows"
    assert windlass.workflow(nested)(a=2) == 4


def test_a_method_is_refused() -> None:
    class Holder:
        def method(self: Any) -> int:
            return 1

    Holder.method.__module__ = "flows"
    Holder.method.__qualname__ = "Holder.method"
    with pytest.raises(ValueError, match="is defined in a class"):
        task(Holder.method)


def test_a_lambda_is_refused() -> None:
    nameless = lambda: 1  # noqa: E731  that is the mistake
    nameless.__module__, nameless.__qualname__ = "flows", "<lambda>"
    with pytest.raises(ValueError, match="is defined without a name"):
        task(nameless)


def test_only_functions_become_tasks() -> None:
    with pytest.raises(TypeError, match="made from a function"):
        task(functools.partial(print))


def test_resources_with_both_sides_and_either_side_are_refused_together() -> None:
    with pytest.raises(ValueError, match="can't be used together"):
        task(resources=Resources(cpu=1), limits=Resources(cpu=2))
