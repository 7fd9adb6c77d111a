"""TaskMetadata: the options of a task that is no function, as one object.

    ContainerTask(name="area", …, metadata=TaskMetadata(retries=3, cache=True, cache_version="1"))

`@task` takes the same as keywords; so does ContainerTask, which is shorter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class TaskMetadata:
    """How a task runs and what is known of it.

    Args:
        cache: whether an earlier result for equal inputs is taken.
        cache_serialize: whether of several runs with equal inputs one computes and the others wait for its result.
        cache_version: what to change when the task gives other results than before.
        cache_ignore_input_vars: names of inputs that make no difference to the result.
        interruptible: whether it may run on nodes that can go away at any time.
        deprecated: why not to use it any more.
        retries: further attempts after a failure that may be tried again.
        timeout: how long one attempt may run: a timedelta, or seconds.
        pod_template_name: a PodTemplate object in the cluster to start from.
        generates_deck: whether it leaves a report behind.
        is_eager: whether it starts executions of its own.

    Raises:
        ValueError: there is a cache without a version, something of a cache without one, or a timeout that is none.

    >>> TaskMetadata(retries=2).options()
    {'retries': 2}
    """

    __slots__ = (
        "cache",
        "cache_ignore_input_vars",
        "cache_serialize",
        "cache_version",
        "deprecated",
        "generates_deck",
        "interruptible",
        "is_eager",
        "pod_template_name",
        "retries",
        "timeout",
    )

    def __init__(
        self,
        cache: bool = False,
        cache_serialize: bool = False,
        cache_version: str = "",
        cache_ignore_input_vars: tuple[str, ...] = (),
        interruptible: bool | None = None,
        deprecated: str = "",
        retries: int = 0,
        timeout: Any = None,
        pod_template_name: str | None = None,
        generates_deck: bool = False,
        is_eager: bool = False,
    ) -> None:
        if timeout is not None and not isinstance(timeout, int) and not hasattr(timeout, "total_seconds"):
            raise ValueError("timeout should be duration represented as either a datetime.timedelta or int seconds")
        if cache and not cache_version:
            raise ValueError("Caching is enabled (cache=True), but cache_version is not set: give one")
        if not cache and (cache_serialize or cache_ignore_input_vars):
            option = "cache_serialize" if cache_serialize else "cache_ignore_input_vars"
            raise ValueError(f"{option} needs a cache: add cache=True and cache_version")
        self.cache = cache
        self.cache_serialize = cache_serialize
        self.cache_version = cache_version
        self.cache_ignore_input_vars = cache_ignore_input_vars
        self.interruptible = interruptible
        self.deprecated = deprecated
        self.retries = retries
        self.timeout = timeout
        self.pod_template_name = pod_template_name
        self.generates_deck = generates_deck
        self.is_eager = is_eager

    def options(self) -> dict[str, Any]:
        """What of it is set, as options of `@task`."""
        found = {
            "cache": self.cache or None,
            "cache_serialize": self.cache_serialize or None,
            "cache_version": self.cache_version or None,
            "cache_ignore_input_vars": self.cache_ignore_input_vars or None,
            "interruptible": self.interruptible,
            "deprecated": self.deprecated or None,
            "retries": self.retries or None,
            "timeout": self.timeout or None,
            "pod_template_name": self.pod_template_name,
            "enable_deck": self.generates_deck or None,
            "execution_mode": self._mode(),
        }
        return {option: value for option, value in found.items() if value is not None}

    def _mode(self) -> Any:
        from windlass._options import ExecutionBehavior  # noqa: PLC0415  nothing else of it is needed here

        return ExecutionBehavior.EAGER if self.is_eager else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskMetadata) and self.options() == other.options()

    def __hash__(self) -> int:
        return hash(tuple(self.options().items()))

    def __repr__(self) -> str:
        return f"TaskMetadata({', '.join(f'{option}={value!r}' for option, value in self.options().items())})"


def metadata_of(options: dict[str, Any], cache: Mapping[str, Any]) -> TaskMetadata:
    """The metadata that a task's options amount to; `cache` is what its manifest says of it."""
    known: dict[str, Any] = {
        name: options[name] for name in ("interruptible", "deprecated", "retries", "timeout") if name in options
    }
    if cache:
        known["cache"], known["cache_version"] = True, cache["version"]
        known["cache_serialize"] = bool(cache.get("serialize"))
        known["cache_ignore_input_vars"] = tuple(cache.get("ignoredInputs", ()))
    deck = bool(options.get("enable_deck"))
    return TaskMetadata(**known, pod_template_name=options.get("pod_template_name"), generates_deck=deck)
