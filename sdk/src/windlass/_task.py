"""`@task`: a typed Python function as a unit of work with its own pod.

    @task(retries=2, resources=Resources(cpu="500m", mem="256Mi"))
    def count(text: str, top: int = 10) -> dict[str, int]: ...

The decorated function keeps its signature, for people, `inspect` and type checkers. Called inside a workflow it makes a
node, anywhere else it runs. Tasks that aren't functions (containers, shell scripts) are `Task`s as well.

Loaded in every pod; what a pod never does (compiling, running locally) is loaded by the first call that needs it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, ParamSpec, TypeVar, overload

from windlass._entity import Entity, PythonFunction
from windlass._options import ExecutionBehavior, Later, RetryOn, TaskSettings, settle
from windlass._resources import Resources

if TYPE_CHECKING:
    import datetime

    from windlass._cache import Cache
    from windlass._documentation import Documentation
    from windlass._image import ImageSpec
    from windlass._metadata import TaskMetadata
    from windlass._pod_template import PodTemplate
    from windlass._secrets import Secret
    from windlass.accelerators import BaseAccelerator

P = ParamSpec("P")
R = TypeVar("R")


class Task(Entity):
    """A unit of work: what it runs, and how."""

    kind: ClassVar[str | None] = "Task"
    settings: TaskSettings
    """What only the SDK uses of its options."""

    _fields: dict[str, Any]
    _later: dict[str, Later]

    def set_options(self, fields: dict[str, Any], settings: TaskSettings) -> None:
        """What `settle` made of its options."""
        self.settings = settings
        self._fields, self._later = dict(fields), dict(settings.later)

    @property
    def overrides(self) -> dict[str, Any]:
        """How it runs, as fields of the contract. What takes work (an image's tag) is found out by the first look."""
        self._find(self._later)
        return self._fields

    @overrides.setter
    def overrides(self, fields: dict[str, Any]) -> None:
        self._fields, self._later = fields, {}

    @property
    def overrides_here(self) -> dict[str, Any]:
        """The same for a run on this machine. It needs no image, whose tag may take reading many files."""
        self._find(field for field in self._later if field != "image")
        return self._fields

    def _find(self, fields: Iterable[str]) -> None:
        for field in list(fields):
            self._fields[field] = self._later[field].find(self)
            self._later.pop(field, None)

    @property
    def docs(self) -> str | None:
        """What people shall read about it, where that is not the docstring."""
        return self.settings.docs

    @property
    def metadata(self) -> TaskMetadata:
        """Its cache, retries, timeout and the like."""
        from windlass._metadata import metadata_of  # noqa: PLC0415  a pod never asks

        return metadata_of(self.settings.options, self.overrides_here.get("cache", {}))

    @property
    def task_config(self) -> Any:
        """What was given as `task_config`."""
        return self.settings.config

    def called(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What calling it means here; a deprecated task warns first."""
        self.settings.warn_of_use(self.name)
        return super().called(args, kwargs)

    def definitions(self) -> Iterable[Entity]:
        """What its author says that it may call when it runs, then itself."""
        for entity in self.settings.node_dependency_hints:
            yield from entity.definitions()
        yield self

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

    ExecutionBehavior = ExecutionBehavior

    def __init__(self, function: Callable[P, R], fields: dict[str, Any], settings: TaskSettings | None = None) -> None:
        settings = settings or TaskSettings()
        super().__init__(function, pickle_untyped=settings.pickle_untyped)
        self.set_options(fields, settings)

    @property
    def description(self) -> str:
        """The function's docstring, or the `docs` of its options."""
        return self.settings.docs or super().description

    @property
    def task_function(self) -> Callable[P, R]:
        """The decorated function: called like this, it is neither a node nor a run of the task."""
        return self.function

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
def task(_task_function: Callable[P, R]) -> PythonTask[P, R]: ...


@overload
def task(
    _task_function: None = None,
    *,
    task_config: Any = None,
    cache: bool | Cache = False,
    retries: int = 0,
    interruptible: bool | None = None,
    deprecated: str = "",
    timeout: datetime.timedelta | int = 0,
    container_image: str | ImageSpec | None = None,
    environment: Mapping[str, str] | None = None,
    requests: Resources | None = None,
    limits: Resources | None = None,
    secret_requests: Iterable[Secret] | None = None,
    execution_mode: ExecutionBehavior = ExecutionBehavior.DEFAULT,
    node_dependency_hints: Iterable[Entity] | None = None,
    task_resolver: None = None,
    docs: Documentation | str | None = None,
    disable_deck: bool | None = None,
    enable_deck: bool | None = None,
    deck_fields: Iterable[Any] | None = None,
    pod_template: PodTemplate | None = None,
    pod_template_name: str | None = None,
    accelerator: BaseAccelerator | None = None,
    pickle_untyped: bool = False,
    shared_memory: Literal[True] | str | None = None,
    resources: Resources | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    retry_on: RetryOn | None = None,
    queue_timeout: datetime.timedelta | int = 0,
    pending_timeout: datetime.timedelta | int = 0,
    max_memory: str | int | None = None,
    cache_version: str | None = None,
    cache_serialize: bool | None = None,
    cache_ignore_input_vars: tuple[str, ...] | None = None,
) -> Callable[[Callable[P, R]], PythonTask[P, R]]: ...


def task(
    _task_function: Callable[..., Any] | None = None,
    *,
    task_config: Any = None,
    cache: bool | Cache = False,
    retries: int = 0,
    interruptible: bool | None = None,
    deprecated: str = "",
    timeout: datetime.timedelta | int = 0,
    container_image: str | ImageSpec | None = None,
    environment: Mapping[str, str] | None = None,
    requests: Resources | None = None,
    limits: Resources | None = None,
    secret_requests: Iterable[Secret] | None = None,
    execution_mode: ExecutionBehavior = ExecutionBehavior.DEFAULT,
    node_dependency_hints: Iterable[Entity] | None = None,
    task_resolver: None = None,
    docs: Documentation | str | None = None,
    disable_deck: bool | None = None,
    enable_deck: bool | None = None,
    deck_fields: Iterable[Any] | None = None,
    pod_template: PodTemplate | None = None,
    pod_template_name: str | None = None,
    accelerator: BaseAccelerator | None = None,
    pickle_untyped: bool = False,
    shared_memory: Literal[True] | str | None = None,
    resources: Resources | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    retry_on: RetryOn | None = None,
    queue_timeout: datetime.timedelta | int = 0,
    pending_timeout: datetime.timedelta | int = 0,
    max_memory: str | int | None = None,
    **kwargs: Any,
) -> Any:
    """Makes a task of a function. With or without parentheses.

        @task(retries=2, resources=Resources(cpu="500m", mem="256Mi"))
        def count(text: str, top: int = 10) -> dict[str, int]: ...

    Args:
        task_config: what a plugin needs to know. Windlass has none of the plugins; taken are a plugin's pod (an object
            with a `pod_spec`) and any object whose method `to_overrides()` returns fields of the contract's Overrides.
        cache: whether an earlier result for equal inputs is taken. True: until the function's body changes (or
            `cache_version`, where that is given). A `Cache` says more.
        retries: further attempts after a failure that may be tried again.
        interruptible: whether it may run on nodes that can go away at any time.
        deprecated: why not to use it any more; each call of it warns with this text.
        timeout: how long one attempt may run, as a timedelta or in seconds. 0: no limit.
        container_image: the image its pod runs, by name or as an ImageSpec; any image with Python 3.10 or later.
            None: the operator's default.
        environment: environment variables of the pod.
        requests: what the scheduler sets aside for it.
        limits: what it may use at most.
        secret_requests: the Secrets it may read.
        execution_mode: DEFAULT, or DYNAMIC and EAGER for what `@dynamic` and `@eager` make.
        node_dependency_hints: what a dynamic task may call besides what can be seen before it runs.
        task_resolver: refused (ValueError): a Task names module:function, and that is how every pod finds it.
        docs: what people shall read about it in place of the docstring.
        disable_deck: deprecated: the opposite of `enable_deck`.
        enable_deck: whether it leaves a report behind.
        deck_fields: what the report has besides what the code adds; of DeckField. None: all of it.
        pod_template: what its pod is like beyond these options.
        pod_template_name: a PodTemplate object in the cluster to start from.
        accelerator: which GPU or TPU it needs; see windlass.accelerators.
        pickle_untyped: whether a parameter without annotation takes anything, pickled.
        shared_memory: memory that the processes of its pod share, at /dev/shm: True, or a size such as "2Gi".
        resources: requests and limits at once; an amount is both, a pair is (request, limit).
        labels: labels of its pod.
        annotations: annotations of its pod.
        retry_on: which exceptions may be tried again besides FlyteRecoverableException: classes, names, or "any".
        queue_timeout: how long an attempt may wait for its pod to be made. 0: no limit.
        pending_timeout: how long its pod may wait until it runs, for a node, an image or a volume. 0: no limit.
        max_memory: an attempt that ran out of memory is followed by one with twice as much, up to this ("8Gi").
        kwargs: the older spelling of `cache`: cache_version, cache_serialize, cache_ignore_input_vars.

    Raises:
        ValueError: an option that there is not, options that exclude each other, or a value that can't be.
        TypeError, AssertionError: a value of the wrong kind.
    """
    options = dict(locals())
    function, more = options.pop("_task_function"), options.pop("kwargs")
    fields, settings = settle({**options, **more})
    if settings.execution_mode is not ExecutionBehavior.DEFAULT:
        return _of_mode(settings.execution_mode)(function, **{**settings.options, "execution_mode": None})

    def make(function: Callable[..., Any]) -> PythonTask[..., Any]:
        return PythonTask(function, fields, settings)

    return make if function is None else make(function)


def _of_mode(mode: ExecutionBehavior) -> Callable[..., Any]:
    """The decorator for tasks of that mode."""
    if mode is ExecutionBehavior.DYNAMIC:
        from windlass._dynamic import dynamic  # noqa: PLC0415  it is made of this module

        return dynamic
    from windlass._eager import eager  # noqa: PLC0415  as above

    return eager


__all__ = ["PythonTask", "Task", "task"]
