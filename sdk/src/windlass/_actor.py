"""Actors: a pool of warm workers in which small tasks start at once, and a cache that lives as long as a worker.

    pool = ActorEnvironment(name="models", container_image="…", replica_count=3, ttl_seconds=300)

    @actor_cache
    def model(name: str) -> Model: ...          # loaded once in each worker

    @pool.task
    def answer(question: str) -> str:
        return model("large").answer(question)

What a worker is like (image, resources, secrets, …) is the environment's to say; what an attempt is like (retries,
timeout, cache, …) is the task's. A worker runs one task at a time and goes when it has had nothing to do for
`ttl_seconds`. On one's own machine the tasks run in this process, and `actor_cache` lives as long as that.
"""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar, cast, overload

from windlass._options import POD_OPTIONS, TASK_OPTIONS, RetryOn, settle
from windlass._task import PythonTask
from windlass_api.overrides import effective

if TYPE_CHECKING:
    import datetime
    from concurrent.futures import Future

    from windlass._cache import Cache
    from windlass._documentation import Documentation
    from windlass._entity import Entity
    from windlass._image import ImageSpec
    from windlass._options import TaskSettings
    from windlass._pod_template import PodTemplate
    from windlass._resources import Resources
    from windlass._secrets import Secret
    from windlass.accelerators import BaseAccelerator

P = ParamSpec("P")
R = TypeVar("R")

MIN_TTL, MAX_TTL = 30, 900
OWNED = (*POD_OPTIONS, "task_config")
"""The options of a task that an environment has in its place."""

_NOT_FOR_ACTORS = ("execution_mode", "node_dependency_hints", "pending_timeout", "max_memory")
_TASK_OPTIONS = tuple(option for option in TASK_OPTIONS if option not in (*OWNED, *_NOT_FOR_ACTORS))
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")


class ActorEnvironment:
    """A pool of warm workers.

    Args:
        name: small letters, digits and `-`. Environments of one name and the same settings are one pool.
        container_image: the image of the workers, by name or as an ImageSpec.
        replica_count: workers at most.
        ttl_seconds: seconds that a worker waits for more work before it goes: 30 to 900. None: the operator's default.
        environment: environment variables of the workers.
        requests: what the scheduler sets aside for each.
        limits: what each may use at most.
        accelerator: which GPU or TPU each needs.
        secret_requests: the Secrets they may read.
        pod_template: what their pods are like beyond these options.
        interruptible: whether they may run on nodes that can go away at any time.
        pod_template_name: a PodTemplate object in the cluster to start from.

    Raises:
        ValueError: the name, `replica_count` or `ttl_seconds` can't be.

    >>> ActorEnvironment(name="models", replica_count=2).spec()["replicas"]
    2
    """

    kind: ClassVar[str | None] = "ActorEnvironment"

    def __init__(
        self,
        name: str,
        container_image: str | ImageSpec | None = None,
        replica_count: int = 1,
        ttl_seconds: int | None = None,
        environment: Mapping[str, str] | None = None,
        requests: Resources | None = None,
        limits: Resources | None = None,
        accelerator: BaseAccelerator | None = None,
        secret_requests: Iterable[Secret] | None = None,
        pod_template: PodTemplate | None = None,
        interruptible: bool = False,
        pod_template_name: str | None = None,
    ) -> None:
        options = dict(locals())
        fields = {option: options[option] for option in OWNED if option in options}
        self.name = _name(name)
        self.replica_count = _replicas(replica_count)
        self.ttl_seconds = _ttl(ttl_seconds)
        self._fields, self._settings = settle(
            {**fields, "interruptible": interruptible or None}, OWNED, "ActorEnvironment"
        )

    @property
    def object_name(self) -> str:
        """The name of its object in a cluster."""
        return self.name

    @property
    def version(self) -> str:
        """Fifteen hex digits that change with any setting: a pool of another version has other workers."""
        from windlass_api.names import content_hash  # noqa: PLC0415  it hashes, which a pod rarely needs

        return content_hash({"name": self.name, **self._without_version()})[:15]

    @property
    def overrides(self) -> dict[str, Any]:
        """What its workers are like, as fields of the contract."""
        while self._settings.later:
            field, value = self._settings.later.popitem()
            self._fields[field] = value.find(None)
        return self._fields

    @property
    def image_specs(self) -> tuple[Any, ...]:
        """The images that have to be built before its workers can start."""
        return self._settings.image_specs

    def spec(self) -> dict[str, Any]:
        """What its object says."""
        return {"version": self.version, **self._without_version()}

    def _without_version(self) -> dict[str, Any]:
        size: dict[str, Any] = {"replicas": self.replica_count}
        if self.ttl_seconds is not None:
            size["ttlSeconds"] = self.ttl_seconds
        return {**size, **self.overrides}

    def definitions(self) -> Iterable[ActorEnvironment]:
        """Itself: nothing else must be in the cluster for it."""
        return (self,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorEnvironment) and self.name == other.name and self.spec() == other.spec()

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<actor environment {self.name}>"

    @overload
    def task(self, _task_function: Callable[P, R]) -> ActorTask[P, R]: ...

    @overload
    def task(
        self,
        _task_function: None = None,
        *,
        cache: bool | Cache = False,
        retries: int = 0,
        retry_on: RetryOn | None = None,
        timeout: datetime.timedelta | int = 0,
        queue_timeout: datetime.timedelta | int = 0,
        deprecated: str = "",
        docs: Documentation | str | None = None,
        enable_deck: bool | None = None,
        disable_deck: bool | None = None,
        deck_fields: Iterable[Any] | None = None,
        pickle_untyped: bool = False,
        cache_version: str | None = None,
        cache_serialize: bool | None = None,
        cache_ignore_input_vars: tuple[str, ...] | None = None,
    ) -> Callable[[Callable[P, R]], ActorTask[P, R]]: ...

    def task(self, _task_function: Callable[..., Any] | None = None, **options: Any) -> Any:
        """Makes a task of a function that runs in this pool. With or without parentheses.

        It takes the options of `@task` that are about an attempt: cache, retries, retry_on, timeout, queue_timeout,
        deprecated, docs, enable_deck, deck_fields, pickle_untyped.

        Raises:
            TypeError: an option is about the worker, which the environment describes.
            ValueError: an option that there is not, or a value that can't be.
        """
        owned = [option for option in options if option in OWNED]
        if owned:
            raise TypeError(
                f"{owned[0]} can't be given to a task of the ActorEnvironment {self.name!r}: its workers are there"
                f" already. Give it to the environment, which says {', '.join(OWNED[:-1])} for all of its tasks"
            )
        fields, settings = settle(options, _TASK_OPTIONS, f"a task of the ActorEnvironment {self.name!r}")
        settings.owned = OWNED

        def make(function: Callable[..., Any]) -> ActorTask[..., Any]:
            return ActorTask(self, function, fields, settings)

        return make if _task_function is None else make(_task_function)


class ActorTask(PythonTask[P, R]):
    """A Python function as a task that runs in a pool of warm workers."""

    def __init__(
        self, environment: ActorEnvironment, function: Callable[P, R], fields: dict[str, Any], settings: TaskSettings
    ) -> None:
        super().__init__(function, fields, settings)
        self.environment = environment

    def runner(self) -> dict[str, Any]:
        """The function's place, and the pool's name."""
        return {**super().runner(), "actor": {"name": self.environment.object_name}}

    def definitions(self) -> Iterable[Entity]:
        """Its pool, then itself."""
        yield self.environment  # type: ignore[misc]  # like an Entity, it says what it needs and has a manifest
        yield from super().definitions()

    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """Runs it here and now, with the pool's environment variables and secrets: JSON in, JSON out."""
        return super().run(inputs, effective(self.environment.overrides, overrides))


def _name(name: Any) -> str:
    if not isinstance(name, str) or len(name) > 63 or not _NAME.match(name):
        raise ValueError(
            f"an ActorEnvironment's name has small letters, digits and '-', begins and ends with one of the former two"
            f" and has 63 at most, unlike {name!r}"
        )
    return name


def _replicas(count: Any) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"replica_count takes a number of workers, 1 or more, not {count!r}")
    return count


def _ttl(seconds: Any) -> int | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not MIN_TTL <= seconds <= MAX_TTL:
        raise ValueError(f"Actor TTL must be between {MIN_TTL}s and 15m ({MAX_TTL}s), not {seconds!r}")
    return seconds


# ---- what a worker keeps --------------------------------------------------------------------------------------------


def actor_cache(f: Callable[P, R]) -> Callable[P, R]:
    """Makes a function keep its results for as long as the process lives: a worker's, or on one's own machine this one.

    A result is found by the working folder, the function and its arguments, whose types count too (1 is not True) and
    which must be hashable; a FlyteFile or FlyteDirectory is told by its remote address, else by its path. Callers who
    ask for the same at the same time, from threads or coroutines, wait for one computation. What raises is not kept.

    Raises (when called):
        TypeError: an argument can't be hashed.
        RuntimeError: the function needs its own result for the same arguments.

    >>> @actor_cache
    ... def load(name: str) -> list[str]:
    ...     return [name]
    >>> load("model") is load(name="model")
    True
    """
    results: dict[Hashable, Future[Any]] = {}
    lock = threading.Lock()

    def claim(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Hashable, Future[Any], bool]:
        """The key, where its result will be, and whether the caller is to compute it."""
        from concurrent.futures import Future  # noqa: PLC0415  heavy, and only who calls such a function needs it

        key = _key(f, args, kwargs)
        with lock:
            found = results.get(key)
            if found is not None:
                return key, found, False
            found = results[key] = Future()
            found.set_running_or_notify_cancel()  # from here on, a waiter that is cancelled can't cancel it
            _computed.count += 1
            return key, found, True

    def give_up(key: Hashable, error: BaseException, future: Future[Any]) -> None:
        """The next caller computes again; those who wait get the error, unless it was about this caller alone."""
        with lock:
            del results[key]
        future.set_exception(error if isinstance(error, Exception) else _Abandoned())

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        while True:
            key, future, mine = claim(args, kwargs)
            if not mine:
                _refuse_waiting_for_oneself(f, future, threading.get_ident())
                try:
                    return cast("R", future.result())
                except _Abandoned:
                    continue
            future.owner = threading.get_ident()  # type: ignore[attr-defined]  # for who waits for himself
            try:
                result = f(*args, **kwargs)
            except BaseException as error:
                give_up(key, error, future)
                raise
            future.set_result(result)
            return result

    async def acall(*args: Any, **kwargs: Any) -> Any:
        import asyncio  # noqa: PLC0415  whoever calls this has loaded it

        while True:
            key, future, mine = claim(args, kwargs)
            if not mine:
                _refuse_waiting_for_oneself(f, future, asyncio.current_task())
                try:
                    return await asyncio.wrap_future(future)
                except _Abandoned:
                    continue
            future.owner = asyncio.current_task()  # type: ignore[attr-defined]  # as above
            try:
                result = await cast("Any", f(*args, **kwargs))
            except BaseException as error:
                give_up(key, error, future)
                raise
            future.set_result(result)
            return result

    is_async = bool(f.__code__.co_flags & 0x80) if hasattr(f, "__code__") else False  # CO_COROUTINE
    return cast("Callable[P, R]", functools.wraps(f)(acall if is_async else call))


class _Computed:
    count = 0


_computed = _Computed()


def computations() -> int:
    """How often something has been computed for `actor_cache` in this process: a worker keeps the files that were
    fetched meanwhile.
    """
    return _computed.count


class _Abandoned(Exception):  # noqa: N818  it never leaves this module
    """Whoever computed the result was interrupted; somebody else has to."""


def _refuse_waiting_for_oneself(function: Callable[..., Any], future: Future[Any], me: Any) -> None:
    if not future.done() and getattr(future, "owner", None) == me:
        raise RuntimeError(
            f"{function.__qualname__} was called by itself with the same arguments: actor_cache would wait for ever"
        )


def _key(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
    """What a result is found by; however an argument is passed, it is the same argument."""
    named = {**_by_name(function, args), **kwargs}
    parts = []
    for name, value in sorted(named.items()):
        told = _told_by(value)
        try:
            hash(told)
        except TypeError as error:
            raise TypeError(
                f"actor_cache can't tell calls of {function.__qualname__} apart: the argument {name} can't be hashed"
                f" ({error}). Take something that can, such as a text, a tuple or a frozen dataclass"
            ) from None
        parts.append((name, type(value), told))
    return (os.getcwd(), tuple(parts))  # noqa: PTH109  a text, to be compared


def _by_name(function: Callable[..., Any], args: tuple[Any, ...]) -> dict[str, Any]:
    code = getattr(function, "__code__", None)
    names = () if code is None else code.co_varnames[: code.co_argcount]
    rest = {f"*{place}": value for place, value in enumerate(args[len(names) :])}
    defaults = getattr(function, "__defaults__", None) or ()
    given = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    given |= getattr(function, "__kwdefaults__", None) or {}
    return {**given, **dict(zip(names, args, strict=False)), **rest}


def _told_by(value: Any) -> Any:
    """Of a file or directory its address."""
    if hasattr(value, "remote_source") and hasattr(value, "path"):
        return str(value.remote_source or value.path)
    return value


__all__ = ["ActorEnvironment", "ActorTask", "actor_cache"]
