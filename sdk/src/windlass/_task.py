"""`@task`: a typed Python function as a unit of work with its own pod.

    @task(retries=2, resources=Resources(cpu="500m", mem="256Mi"))
    def count(text: str, top: int = 10) -> dict[str, int]: ...

The decorated function keeps its signature, for people, `inspect` and type checkers. Called inside a workflow it makes a
node, anywhere else it runs. Tasks that aren't functions (containers, shell scripts) are `Task`s as well.

Loaded in every pod; what a pod never does (compiling, running locally) is loaded by the first call that needs it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, ParamSpec, TypeVar, overload

from windlass._entity import Entity, PythonFunction
from windlass._options import RUN_OPTIONS, RetryOn, overrides
from windlass._resources import Resources

P = ParamSpec("P")
R = TypeVar("R")


class Task(Entity):
    """A unit of work: what it runs, and how."""

    kind: ClassVar[str | None] = "Task"

    @abstractmethod
    def execute(self, **inputs: Any) -> Any:
        """Does the work, on Python values."""

    @abstractmethod
    def runner(self) -> dict[str, Any]:
        """What its pod runs, as the contract says it: {"python": {"entrypoint": "module:function"}}."""

    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """Runs it here and now, with retries: JSON in, JSON out."""
        from windlass import _attempt  # noqa: PLC0415  for local runs

        return _attempt.execute(self, inputs, overrides)

    def target(self) -> dict[str, Any]:
        """A node that calls it names it."""
        return {"task": {"name": self.object_name}}


class PythonTask(PythonFunction[P, R], Task):
    """A Python function as a task."""

    def __init__(self, function: Callable[P, R], overrides: dict[str, Any]) -> None:
        super().__init__(function)
        self.overrides = overrides

    def execute(self, **inputs: Any) -> Any:
        """Calls the function; the result of an `async def` is awaited."""
        parameters = self.interface.inputs
        positional = [inputs.pop(name) for name in list(inputs) if parameters[name].positional_only]
        return awaited(self.function(*positional, **inputs))

    def runner(self) -> dict[str, Any]:
        """The function's place."""
        return {"python": {"entrypoint": f"{self.module}:{self.short_name}"}}


def awaited(result: Any) -> Any:
    """The result; that of an `async def` is awaited."""
    if not hasattr(result, "__await__"):
        return result
    import asyncio  # noqa: PLC0415  heavy, and only `async def` tasks need it

    async def finish() -> Any:
        return await result

    return asyncio.run(finish())


@overload
def task(_task_function: Callable[P, R], /) -> PythonTask[P, R]: ...


@overload
def task(
    _task_function: None = None,
    /,
    *,
    container_image: str | None = None,
    environment: Mapping[str, str] | None = None,
    requests: Resources | None = None,
    limits: Resources | None = None,
    resources: Resources | None = None,
    retries: int = 0,
    retry_on: RetryOn | None = None,
) -> Callable[[Callable[P, R]], PythonTask[P, R]]: ...


def task(_task_function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Makes a task of a function. With or without parentheses.

    Args:
        container_image: the image its pod runs; any image with Python 3.10 or later. Unset: the operator's default.
        environment: environment variables of the pod.
        requests: what the scheduler sets aside for it.
        limits: what it may use at most.
        resources: requests and limits at once; an amount is both, a pair is (request, limit).
        retries: further attempts after a failure that may be tried again.
        retry_on: which exceptions may be tried again besides FlyteRecoverableException: classes, names, or "any".
    """
    unknown = [name for name in options if name not in RUN_OPTIONS]
    if unknown:
        raise ValueError(f"Unrecognized argument(s) for task: {', '.join(unknown)}. It takes {', '.join(RUN_OPTIONS)}")
    settled = overrides(**options)
    if _task_function is not None:
        return PythonTask(_task_function, settled)
    return lambda function: PythonTask(function, settled)


__all__ = ["PythonTask", "Task", "task"]
