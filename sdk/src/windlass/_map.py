"""`map` and `map_task`: one run of a task for each element of lists, and a list of the results.

    map_task(square)(n=[1, 2, 3])                            → [1, 4, 9]
    map_task(functools.partial(scale, by=factor))(n=numbers) every element is scaled by the same factor
    map(plan, bound_inputs={"by": 2})(n=numbers)             a launch plan: each element is an execution of its own

Every input that is not bound becomes a list; all lists have one length. The result is `list[T]`, or, where some
elements may fail, `list[Optional[T]]` with None for those that did.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from windlass import _calls, _exceptions
from windlass._entity import Entity
from windlass._interface import Interface, Parameter
from windlass._modules import caller
from windlass._options import ExecutionBehavior

UNLIMITED = 0


class MapTask(Entity):
    """An entity over lists. `bound` are the inputs that all elements share."""

    what = "map task"

    def __init__(
        self,
        target: Entity,
        bound: Mapping[str, Any],
        concurrency: int | None,
        min_successes: int | None,
        min_success_ratio: float,
        omitted: frozenset[str] = frozenset(),
    ) -> None:
        self.entity = target
        self.bound = dict(bound)
        self.concurrency = concurrency
        self.min_successes = min_successes
        self.min_success_ratio = min_success_ratio
        self.short_name = f"map_{target.short_name}"
        self.name = f"{target.name.removesuffix(target.short_name)}{self.short_name}"
        self.home = ""
        self.takes_overrides = target.takes_overrides  # type: ignore[misc]  # of a class elsewhere
        self.keyword_only = target.keyword_only  # type: ignore[misc]  # as above
        self._omitted = omitted
        self._interface: Interface | None = None

    @property
    def overrides(self) -> dict[str, Any]:  # type: ignore[override]  # an attribute of others
        """How an element runs."""
        return self.entity.overrides

    @property
    def interface(self) -> Interface:
        """The target's, with lists for the inputs that are not bound."""
        if self._interface is None:
            inner = self.entity.interface
            inputs = {
                name: Parameter(
                    name,
                    parameter.python_type if name in self.bound else list[parameter.python_type],  # type: ignore[name-defined]
                )
                for name, parameter in inner.inputs.items()
                if name not in self._omitted
            }
            outputs = {name: list[self._element(each)] for name, each in inner.outputs.items()}  # type: ignore[misc]
            self._interface = Interface(inputs, outputs, None)
        return self._interface

    @property
    def over(self) -> list[str]:
        """The inputs that are lists."""
        return [name for name in self.interface.inputs if name not in self.bound]

    @property
    def may_fail(self) -> bool:
        """Whether the whole may succeed though elements fail."""
        return self.min_successes is not None or self.min_success_ratio != 1

    def called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call: lists for the inputs that are not bound. One that has a default may be left out."""
        again = [name for name in kwargs if name in self.bound]
        if again:
            raise AssertionError(
                f"{caller()}: Got multiple values for argument '{again[0]}' in function '{self.name}': it is bound"
                " already, by functools.partial or bound_inputs"
            )
        given = _calls.match(self, args, kwargs, self.over)
        parameters = self.entity.interface.inputs
        left = frozenset(name for name in self.over if name not in given and not parameters[name].required)
        if len(left) == len(self.over):
            raise _exceptions.FlyteAssertion(f"{caller()}: {self.name} needs a list for one of {', '.join(self.over)}")
        _calls.refuse_mutable_defaults(self.entity, dict.fromkeys(name for name in parameters if name not in left))
        return _calls.call(self._without(left), (), {**given, **self.bound})

    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """Runs the elements here, one after the other: JSON in, JSON out."""
        from windlass_api.maps import required_successes  # noqa: PLC0415  a pod never runs a map

        lists = {name: inputs[name] for name in self.over}
        count = self._length(lists)
        needed = required_successes(count, self.min_successes, self.min_success_ratio)
        spare = count - needed
        if spare < 0:
            raise _exceptions.FlyteValueException(
                count, f"{self.name} needs {needed} successes, but the lists have {count} elements"
            )
        (output,) = self.interface.outputs
        shared = _calls.with_defaults(self.entity, {name: inputs[name] for name in self.bound} | lists)
        run = self.entity.run
        results: list[Any] = []
        for index, elements in enumerate(zip(*lists.values(), strict=True)):
            try:
                results.append(run({**shared, **dict(zip(lists, elements, strict=True))}, overrides)[output])
            except Exception as error:  # noqa: PERF203  each element fails on its own
                spare -= 1
                if spare < 0:
                    from windlass._attempt import _say_where  # noqa: PLC0415  only a failure needs it

                    _say_where(error, f"Error encountered while executing '{self.name}' (element {index}):\n  ")
                    raise
                results.append(None)
        return {output: results}

    def target(self) -> dict[str, Any]:
        """A node that calls it names the target, and says what is a list."""
        settings: dict[str, Any] = {"over": self.over}
        if self.concurrency is not None:
            settings["concurrency"] = self.concurrency
        if self.min_successes is not None:
            settings["minSuccesses"] = self.min_successes
        elif self.min_success_ratio != 1:
            settings["minSuccessRatio"] = self.min_success_ratio
        return {**self.entity.target(), "map": settings}

    def definitions(self) -> Iterable[Entity]:
        """What the target needs; a map is no object."""
        return self.entity.definitions()

    def _element(self, python_type: Any) -> Any:
        return Optional[python_type] if self.may_fail else python_type  # noqa: UP045  `|` fails on texts

    def _length(self, lists: Mapping[str, list[Any]]) -> int:
        lengths = {name: len(values) for name, values in lists.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise _exceptions.FlyteValueException(lengths, f"the lists for {self.name} have different lengths: {told}")
        return next(iter(lengths.values()))

    def _without(self, names: frozenset[str]) -> MapTask:
        """The same, where these inputs are left to their defaults."""
        if not names:
            return self
        settings = (self.concurrency, self.min_successes, self.min_success_ratio)
        return MapTask(self.entity, self.bound, *settings, names)


def map(  # noqa: A001  the API's name
    target: Any,
    bound_inputs: Mapping[str, Any] | None = None,
    concurrency: int | None = UNLIMITED,
    min_successes: int | None = None,
    min_success_ratio: float = 1.0,
    **kwargs: Any,
) -> MapTask:
    """Makes a task, an actor's task, a launch plan or a reference to such run over lists.

    >>> from windlass import task
    >>> @task
    ... def power(base: int, exponent: int) -> int:
    ...     return base**exponent
    >>> map(power, bound_inputs={"exponent": 2})(base=[1, 2, 3])
    [1, 4, 9]

    Args:
        target: what runs for each element, or a `functools.partial` of it, whose keywords are bound.
        bound_inputs: inputs that all elements share; they may be promises. A list among them stays whole.
        concurrency: how many elements may run at a time; 0 is without limit, None takes the run's limit. A local run
            takes them one by one.
        min_successes: how many elements have to succeed. Those that fail are None in the result.
        min_success_ratio: the part of them that has to succeed, rounded up; `min_successes` wins over it.

    Raises:
        ValueError: a target that can't be mapped (a workflow, a dynamic or eager one, several outputs), positional
            arguments in the partial, a bound input that there is not, a setting out of its range.
    """
    if kwargs:
        raise TypeError(
            f"{caller()}: map takes no {', '.join(kwargs)}; it takes bound_inputs, concurrency, min_successes and"
            " min_success_ratio. What is overridden by with_overrides holds for each element"
        )
    entity, bound = _taken_apart(target, bound_inputs or {})
    _check_target(entity)
    unknown = [name for name in bound if name not in entity.interface.inputs]
    if unknown:
        raise ValueError(
            f"{caller()}: {entity.name} has no input {', '.join(unknown)} to bind:"
            " bound_inputs and bound_inputs_values should have the same keys"
        )
    if len(bound) == len(entity.interface.inputs):
        raise ValueError(f"{caller()}: {entity.name} has no input left to map over")
    _check_settings(concurrency, min_successes, min_success_ratio)
    return MapTask(entity, bound, concurrency, min_successes, min_success_ratio)


def map_task(
    target: Any,
    concurrency: int | None = None,
    min_successes: int | None = None,
    min_success_ratio: float = 1.0,
    **kwargs: Any,
) -> MapTask:
    """The older name of `map`. Without a `concurrency`, the run's limit holds; what is bound stands in a
    `functools.partial`.

    >>> from windlass import task
    >>> @task
    ... def square(n: int) -> int:
    ...     return n * n
    >>> map_task(square)(n=[1, 2, 3])
    [1, 4, 9]
    """
    bound = kwargs.pop("bound_inputs", None)
    return map(target, bound, concurrency, min_successes, min_success_ratio, **kwargs)


def _taken_apart(target: Any, bound: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What is mapped, and all that is bound."""
    if not isinstance(target, functools.partial):
        return target, dict(bound)
    if target.args:
        raise ValueError(
            f"{caller()}: bind inputs by name: functools.partial(task, {', '.join(_written(target.args))}) binds"
            f" {len(target.args)} by position"
        )
    twice = [name for name in target.keywords if name in bound]
    if twice:
        raise ValueError(f"{caller()}: {', '.join(twice)} is bound twice, by functools.partial and by bound_inputs")
    return _taken_apart(target.func, {**target.keywords, **bound})


def _written(values: Iterable[Any]) -> list[str]:
    """The values as they are written."""
    return [repr(value) for value in values]


def _check_target(target: Any) -> None:
    if not isinstance(target, Entity):
        raise ValueError(f"{caller()}: map takes a task, a launch plan or a reference to one, not {target!r}")
    mode = getattr(getattr(target, "settings", None), "execution_mode", ExecutionBehavior.DEFAULT)
    if mode is not ExecutionBehavior.DEFAULT:
        word = mode.name.lower()
        raise ValueError(f"{caller()}: {target.name} is {word}: only tasks with default behavior can be mapped")
    if isinstance(target, MapTask) or not {"task", "launchPlan"} & set(target.target()):
        hint = "; map a launch plan of it" if target.kind == "Workflow" else ""
        raise ValueError(f"{caller()}: a {target.what} can't be mapped, {target.name} is one{hint}")
    outputs = target.interface.outputs
    if len(outputs) != 1:
        raise ValueError(
            f"{caller()}: Only tasks with a single output are supported in map tasks. {target.name} has"
            f" {len(outputs) or 'none'}{': ' + ', '.join(outputs) if outputs else ''}"
        )


def _check_settings(concurrency: Any, min_successes: Any, min_success_ratio: Any) -> None:
    for name, value in (("concurrency", concurrency), ("min_successes", min_successes)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise ValueError(f"{caller()}: {name} takes a number, 0 or more, or None, not {value!r}")
    if isinstance(min_success_ratio, bool) or not isinstance(min_success_ratio, int | float):
        raise ValueError(f"{caller()}: min_success_ratio takes a number between 0 and 1, not {min_success_ratio!r}")
    if not 0 <= min_success_ratio <= 1:
        raise ValueError(f"{caller()}: min_success_ratio is between 0 and 1, not {min_success_ratio}")
