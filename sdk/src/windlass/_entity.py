"""Entities: what can be called in a workflow. Tasks, workflows, launch plans, maps, gates, and references to such.

Calling one means three things: inside a workflow that is being compiled it makes a node, inside one that runs locally
it runs and gives promises that hold values, anywhere else it runs and gives plain values. `_calls` decides which; an
entity only knows how to run here and now (`run`), and what a node that calls it says in a manifest (`target`).

Loaded in every pod; what a pod never does (compiling, running locally) is loaded by the first call that needs it.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar, cast

from windlass._interface import Interface, innermost, read_interface
from windlass._modules import import_name, module_name

P = ParamSpec("P")
R = TypeVar("R")

_COROUTINE = 0x80  # co_flags


class Entity(ABC):
    """What can be called. `overrides` are the fields of the contract's Overrides that it sets itself."""

    name: str
    short_name: str
    overrides: dict[str, Any]
    home: str
    """The module that defines it."""

    kind: ClassVar[str | None] = None
    """What object it is in a cluster; None for what is a part of others, such as a map or a gate."""

    what: ClassVar[str] = "task"
    """What people call it, in errors."""

    keyword_only: ClassVar[bool] = False
    """Whether its arguments need their names."""

    is_async: bool = False
    """Whether it is an `async def`: called where an event loop runs, it gives something to await."""

    takes_overrides: ClassVar[bool] = True
    """Whether a call of it can be changed by `with_overrides`."""

    @property
    @abstractmethod
    def interface(self) -> Interface:
        """Inputs and outputs."""

    @property
    def python_interface(self) -> Interface:
        """The same as `interface`: there is one description of it here."""
        return self.interface

    def __repr__(self) -> str:
        return f"<{self.what} {self.name}>"

    @property
    def object_name(self) -> str:
        """The name of its object in a cluster."""
        from windlass_api.names import kubernetes_name  # noqa: PLC0415  it hashes, which pods don't need

        return kubernetes_name(self.name)

    @property
    def description(self) -> str:
        """A docstring about it, its inputs and its outputs; empty where there is none."""
        return ""

    @abstractmethod
    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """Runs it here and now: inputs and outputs by name, as JSON. Every input is there, defaults included."""

    @abstractmethod
    def target(self) -> dict[str, Any]:
        """What a node that calls it says in a manifest, such as {"task": {"name": "examples.hello.greet"}}."""

    def definitions(self) -> Iterable[Entity]:
        """What must be in the cluster for a node that calls it, itself included; what it needs comes first."""
        return (self,)

    @property
    def overrides_here(self) -> dict[str, Any]:
        """The overrides that a run on this machine may need."""
        return self.overrides

    @property
    def stands_alone(self) -> bool:
        """Whether a call of it is one node. Else, as for most workflows, its own calls join the caller's graph."""
        return True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """In a workflow a node of it, elsewhere a run."""
        return self.called(args, kwargs)

    def called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What calling it means here: see the module's page."""
        from windlass import _calls  # noqa: PLC0415  a pod calls the function itself and needs no such thing

        return _calls.call(self, args, kwargs)


class PythonFunction(Entity, Generic[P, R]):
    """What is made from a function at module level: it has the function's names and signature."""

    __name__: str

    def __init__(self, function: Callable[P, R], *, pickle_untyped: bool = False) -> None:
        inner = innermost(function)
        functools.update_wrapper(cast("Callable[P, R]", self), function)
        self.function = function
        self.home = function.__module__
        self.module = import_name(inner)
        self.short_name = inner.__name__
        self.name = f"{module_name(inner)}.{self.short_name}"
        self.overrides = {}
        self.is_async = bool(inner.__code__.co_flags & _COROUTINE)
        self._pickle_untyped = pickle_untyped
        _refuse_unimportable(inner.__qualname__, self.module, self.what)
        self._interface: Interface | None = None
        with suppress(NameError):  # an annotation names what is defined further down: it is read at first use
            self._interface = self._read_interface()

    @property
    def interface(self) -> Interface:
        """Inputs and outputs."""
        if self._interface is None:
            self._interface = self._read_interface()
        return self._interface

    def _read_interface(self) -> Interface:
        return read_interface(self.function, self.name, pickle_untyped=self._pickle_untyped)

    @property
    def description(self) -> str:
        """The function's docstring."""
        return self.function.__doc__ or ""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """In a workflow a node of it, elsewhere a run."""
        return cast("R", self.called(args, kwargs))


def _refuse_unimportable(qualname: str, module: str, word: str) -> None:
    if word == "workflow" and qualname != "<lambda>":
        return  # no pod imports it: a function may make workflows
    if not qualname.isidentifier() and not module.rpartition(".")[2].startswith("test_"):
        where = "inside another function" if "<locals>" in qualname else "in a class"
        where = "without a name" if qualname == "<lambda>" else where
        raise ValueError(
            f"{module}.{qualname} is defined {where}, but a {word} must be importable: define it at the top level of"
            " its module (decorators of its own need functools.wraps)"
        )
