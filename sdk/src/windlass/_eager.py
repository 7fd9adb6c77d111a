"""`@eager`: an `async def` that awaits tasks and workflows as Python awaits anything.

    @eager
    async def search(start: int) -> int:
        left, right = await asyncio.gather(look(at=start), look(at=start + 1))
        return left if left > right else await look(at=right)

Its values are plain Python values, so that `if`, loops and `try` work on them. Called outside of a workflow it gives
something to await: `asyncio.run(search(start=1))`. In its body a call of an `async def` task or of another eager one is
awaited, and may be gathered with others; any other call runs at once and gives its value.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, overload

from windlass import _exceptions
from windlass._current import current_scope
from windlass._interface import line_of
from windlass._options import ExecutionBehavior, settle
from windlass._task import PythonTask

P = ParamSpec("P")
R = TypeVar("R")


class EagerTask(PythonTask[P, R]):
    """An `async def` that makes its calls while it runs."""

    def called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """In a workflow a node of it, elsewhere something to await."""
        if current_scope() is not None:
            return super().called(args, kwargs)
        from windlass import _calls  # noqa: PLC0415  a pod calls the function itself

        self.settings.warn_of_use(self.name)
        return _calls.awaitable(self, _calls.match(self, args, kwargs))

    def runner(self) -> dict[str, Any]:
        """Nothing that a cluster could run yet."""
        raise _exceptions.FlyteAssertion(
            f"{line_of(self.function)}: the eager workflow {self.name} runs locally, and not in a cluster yet: each of"
            " its calls would be an execution of its own, started from its pod. Use @dynamic where the calls depend on"
            " inputs only, and conditional(...) where they depend on results"
        )


@overload
def eager(_fn: Callable[P, Coroutine[Any, Any, R]], **options: Any) -> EagerTask[P, Coroutine[Any, Any, R]]: ...


@overload
def eager(
    _fn: None = None, **options: Any
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], EagerTask[P, Coroutine[Any, Any, R]]]: ...


def eager(_fn: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Makes an eager workflow of an `async def`. With or without parentheses; it takes the options of `@task`.

    >>> import asyncio
    >>> from windlass import task
    >>> @task
    ... async def double(n: int) -> int:
    ...     return 2 * n
    >>> @eager
    ... async def sum_of_doubles(numbers: list[int]) -> int:
    ...     return sum(await asyncio.gather(*(double(n=n) for n in numbers)))
    >>> asyncio.run(sum_of_doubles(numbers=[1, 2, 3]))
    12

    Raises:
        ValueError: the function is no `async def`, or an option is unknown.
    """
    fields, settings = settle({**options, "execution_mode": ExecutionBehavior.EAGER})

    def make(function: Callable[..., Any]) -> EagerTask[..., Any]:
        made: EagerTask[..., Any] = EagerTask(function, fields, settings)
        if not made.is_async:
            raise ValueError(f"{line_of(function)}: an eager workflow is an `async def`, {made.name} is none")
        return made

    return make if _fn is None else make(_fn)
