"""`@task`: a typed Python function as a unit of work with its own pod.

    @task(retries=2, resources=Resources(cpu="500m", mem="256Mi"))
    def count(text: str, top: int = 10) -> dict[str, int]: ...

The decorated function keeps its signature, for people, `inspect` and type checkers. Called inside a workflow it makes a
node, anywhere else it runs.

Loaded in every pod; what a pod never does (compiling, running locally) is loaded by the first call that needs it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from windlass._context import current_scope
from windlass._interface import Interface, innermost, read_interface
from windlass._modules import import_name, module_name
from windlass._options import RUN_OPTIONS, RetryOn, overrides
from windlass._resources import Resources

P = ParamSpec("P")
R = TypeVar("R")


class PythonFunction(Generic[P, R]):
    """What tasks and workflows share: a function at module level, its names and its interface."""

    __name__: str

    def __init__(self, function: Callable[P, R], word: str) -> None:
        inner = innermost(function)
        functools.update_wrapper(cast("Callable[P, R]", self), function)
        self.function = function
        self.module = import_name(inner)
        self.short_name = inner.__name__
        self.name = f"{module_name(inner)}.{self.short_name}"
        _refuse_unimportable(inner.__qualname__, self.module, word)
        self._interface: Interface | None = None
        with suppress(NameError):  # an annotation names what is defined further down: it is read at first use
            self._interface = read_interface(function, self.name)

    @property
    def interface(self) -> Interface:
        """Inputs and outputs."""
        if self._interface is None:
            self._interface = read_interface(self.function, self.name)
        return self._interface


class PythonTask(PythonFunction[P, R]):
    """A task. `overrides` holds how it runs, as fields of the contract."""

    def __init__(self, function: Callable[P, R], overrides: dict[str, Any]) -> None:
        super().__init__(function, "task")
        self.overrides = overrides

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Makes a node of the workflow being compiled, or runs the task."""
        from windlass import _calls, _local  # noqa: PLC0415  a pod calls the function itself and needs neither

        scope = current_scope()
        if scope is not None:
            return _calls.call_task(scope, self, args, kwargs)  # type: ignore[no-any-return]  # a promise of R
        return _local.run_task(self, args, kwargs)  # type: ignore[no-any-return]  # as the function declares


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


def _refuse_unimportable(qualname: str, module: str, word: str) -> None:
    if not qualname.isidentifier() and not module.rpartition(".")[2].startswith("test_"):
        where = "inside another function" if "<locals>" in qualname else "in a class"
        where = "without a name" if qualname == "<lambda>" else where
        raise ValueError(
            f"{module}.{qualname} is defined {where}, but a {word} must be importable: define it at the top level"
            " of its"
            " module (decorators of its own need functools.wraps)"
        )


__all__ = ["PythonFunction", "PythonTask", "task"]
