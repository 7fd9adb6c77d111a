"""References: tasks, workflows and launch plans that are in the cluster already, by name and version.

    @reference_task(project="shop", domain="production", name="shop.prices.load", version="v3")
    def load(region: str) -> int: ...

The function gives the signature, its body is never run. In a workflow's graph a reference stands like what it refers
to; here it can't run, since its code is elsewhere, unless a test puts something in its place: `task_mock`, `patch`.

The project and domain are the namespace `{project}-{domain}`, which has to be the one that the caller runs in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, TypeVar, cast

from windlass._entity import Entity
from windlass._exceptions import FlyteAssertion
from windlass._interface import Interface, Parameter, read_interface
from windlass._modules import caller, calling_module

if TYPE_CHECKING:
    from unittest.mock import MagicMock

    from typing_extensions import Self

P = ParamSpec("P")
R = TypeVar("R")


class ReferenceNotRunnableError(FlyteAssertion, NotImplementedError):
    """A reference was to run here, where its code is not."""


class ReferenceEntity(Entity, Generic[P, R]):
    """What is in the cluster already.

    Args:
        project: with `domain`, the namespace it is in.
        domain: see project.
        name: its name there, a dotted Python name such as "shop.prices.load".
        version: its version; empty: as it is when it runs.
        inputs: types by name.
        outputs: types by name.
    """

    field: ClassVar[str]
    """What a node that calls it has it in."""

    __name__: str

    def __init__(
        self,
        project: str,
        domain: str,
        name: str,
        version: str,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        if not name:
            raise ValueError(f"{caller()}: a reference needs a name")
        self.project = project
        self.domain = domain
        self.name = name
        self.version = version
        self.short_name = name.rpartition(".")[2]
        self.home = calling_module()
        self.overrides = {}
        parameters = {key: Parameter(key, python_type) for key, python_type in (inputs or {}).items()}
        self._interface = Interface(parameters, dict(outputs or {}), tuple_of(outputs or {}))
        self._function: Callable[..., Any] | None = None

    @classmethod
    def of(cls, function: Callable[P, R], project: str, domain: str, name: str, version: str) -> Self:
        """The reference with a function's signature."""
        found = cls(project, domain, name, version)
        functools.update_wrapper(cast("Callable[P, R]", found), function)
        found.home = function.__module__
        found._interface = read_interface(function, name, needs_return=False)
        found._function = function
        return found

    @property
    def interface(self) -> Interface:
        """Inputs and outputs."""
        return self._interface

    @property
    def description(self) -> str:
        """The docstring of the function that gives the signature."""
        return (self._function and self._function.__doc__) or ""

    @property
    def namespace(self) -> str | None:
        """The namespace it is in; None where neither project nor domain is said."""
        from windlass._namespaces import namespace_of  # noqa: PLC0415  for the remote

        return namespace_of(self.project, self.domain) if self.project or self.domain else None

    def execute(self, **inputs: Any) -> Any:
        """Raises, unless a test has put something in its place."""
        raise ReferenceNotRunnableError(
            f"{caller()}: {self.name} is a reference to a {self.what} in {self.namespace or 'the cluster'}, so its code"
            " can't run here. You must mock this out: with windlass.testing.task_mock(it) as mock: …"
        )

    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """Runs what a test has put in its place: JSON in, JSON out."""
        return _run(self, self.execute, inputs)

    def target(self) -> dict[str, Any]:
        """A node that calls it names it and its version."""
        return {self.field: {"name": self.object_name, **({"version": self.version} if self.version else {})}}

    def definitions(self) -> Iterable[Entity]:
        """Nothing: it is in the cluster already."""
        return ()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """In a workflow a node of it, elsewhere a run."""
        return cast("R", self.called(args, kwargs))


class ReferenceTask(ReferenceEntity[P, R]):
    """A Task that is in the cluster already."""

    field = "task"


class ReferenceWorkflow(ReferenceEntity[P, R]):
    """A Workflow that is in the cluster already. In a graph it runs whole."""

    field = "workflow"
    kind: ClassVar[str | None] = "Workflow"
    what: ClassVar[str] = "workflow"
    takes_overrides: ClassVar[bool] = False


class ReferenceLaunchPlan(ReferenceEntity[P, R]):
    """A LaunchPlan that is in the cluster already. It takes keywords only."""

    field = "launchPlan"
    what: ClassVar[str] = "launch plan"
    keyword_only: ClassVar[bool] = True
    takes_overrides: ClassVar[bool] = False


def reference_task(
    project: str, domain: str, name: str, version: str
) -> Callable[[Callable[P, R]], ReferenceTask[P, R]]:
    """A task that is in the cluster already, with the signature of the decorated function.

    Args:
        project: with `domain`, the namespace it is in.
        domain: see project.
        name: its name there, such as "shop.prices.load".
        version: its version; empty: as it is when it runs.

    >>> @reference_task(project="shop", domain="production", name="shop.prices.load", version="v3")
    ... def load(region: str) -> int: ...
    >>> load.target()
    {'task': {'name': 'shop.prices.load', 'version': 'v3'}}
    """

    def refer(function: Callable[P, R]) -> ReferenceTask[P, R]:
        return ReferenceTask[P, R].of(function, project, domain, name, version)

    return refer


def reference_workflow(
    project: str, domain: str, name: str, version: str
) -> Callable[[Callable[P, R]], ReferenceWorkflow[P, R]]:
    """A workflow that is in the cluster already. Arguments as of `reference_task`."""

    def refer(function: Callable[P, R]) -> ReferenceWorkflow[P, R]:
        return ReferenceWorkflow[P, R].of(function, project, domain, name, version)

    return refer


def reference_launch_plan(
    project: str, domain: str, name: str, version: str
) -> Callable[[Callable[P, R]], ReferenceLaunchPlan[P, R]]:
    """A launch plan that is in the cluster already. Arguments as of `reference_task`."""

    def refer(function: Callable[P, R]) -> ReferenceLaunchPlan[P, R]:
        return ReferenceLaunchPlan[P, R].of(function, project, domain, name, version)

    return refer


@contextmanager
def task_mock(t: Entity) -> Iterator[MagicMock]:
    """Puts a mock in the place of a task, workflow, launch plan or reference while a `with` lasts.

    The mock is called with the inputs as Python values, by name; what it returns goes the way of any output.

    >>> @reference_task(project="shop", domain="production", name="shop.prices.load", version="v3")
    ... def load(region: str) -> int: ...
    >>> with task_mock(load) as mock:
    ...     mock.return_value = 7
    ...     load(region="dubai")
    7
    """
    from unittest.mock import MagicMock  # noqa: PLC0415  it loads asyncio, and only tests need it

    if not isinstance(t, Entity):
        raise TypeError(f"{caller()}: task_mock takes a task, workflow, launch plan or reference, not {t!r}")
    mock = MagicMock(name=t.short_name)
    replaced: dict[str, Any] = {"execute": mock}
    if not hasattr(t, "execute"):
        replaced = {"run": lambda inputs, overrides: _run(t, mock, inputs)}
    before = {name: vars(t).get(name) for name in replaced}
    vars(t).update(replaced)
    try:
        yield mock
    finally:
        for name, value in before.items():
            if value is None:
                del vars(t)[name]
            else:
                vars(t)[name] = value


def patch(target: Entity) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """A decorator of tests: a mock stands in the place of the target, and is the test's last positional argument."""
    if not isinstance(target, Entity):
        raise TypeError(f"{caller()}: patch takes a task, workflow, launch plan or reference, not {target!r}")

    def decorate(test: Callable[..., R]) -> Callable[..., R]:
        def run(*args: Any, **kwargs: Any) -> R:
            with task_mock(target) as mock:
                return test(*args, mock, **kwargs)

        run.__name__, run.__qualname__, run.__module__ = test.__name__, test.__qualname__, test.__module__
        run.__doc__ = test.__doc__
        return run

    return decorate


def _run(entity: Entity, execute: Callable[..., Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """JSON → Python values → the stand-in → JSON."""
    from windlass import _types  # noqa: PLC0415  for local runs

    interface = entity.interface
    values = {
        name: _types.from_wire(value, interface.inputs[name].python_type, _types.argument_of(entity.name, name))
        for name, value in inputs.items()
    }
    results = interface.unpack(execute(**values), entity.name)
    return {
        name: _types.to_wire(value, interface.outputs[name], _types.output_of(entity.name, position))
        for position, (name, value) in enumerate(results.items())
    }


def tuple_of(outputs: Mapping[str, Any]) -> type | None:
    """The tuple class of several outputs, or of one that has a name of its own."""
    if not outputs or list(outputs) == ["o0"]:
        return None
    import collections  # noqa: PLC0415  loaded anyway

    return collections.namedtuple("DefaultNamedTupleOutput", outputs)
