"""What users write about the cache: `Cache`, and the policies which make a version where none is written.

A version says "results from before still count". It is written by hand, or made by policies of what the task is made
of. The default policy is the function's own text, so that `cache=True` never serves the result of other code; what that
code calls is not looked at.

Making a version may read source files, or whatever a user's policy does. It happens when a task is rendered or runs on
one's own machine, never in a pod.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import ast
    from datetime import timedelta


class VersionParameters:
    """What a policy may look at to make a version.

    Args:
        func: the task's function; None for a task that is none.
        container_image: the image the task asks for, as a name or as an ImageSpec.
        pod_template: its PodTemplate.
        pod_template_name: the name of a PodTemplate object in the cluster.
    """

    def __init__(
        self,
        func: Callable[..., Any] | None = None,
        container_image: Any = None,
        pod_template: Any = None,
        pod_template_name: str | None = None,
    ) -> None:
        self.func = func
        self.container_image = container_image
        self.pod_template = pod_template
        self.pod_template_name = pod_template_name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VersionParameters) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        return f"VersionParameters({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


@runtime_checkable
class CachePolicy(Protocol):
    """Makes a version, or a part of one: any class with this method.

    >>> class ByImage:
    ...     def get_version(self, salt: str, params: VersionParameters) -> str:
    ...         return f"{params.container_image}{salt}"
    >>> image = VersionParameters(container_image="python:3.12")
    >>> Cache(policies=ByImage()).get_version(image)[:12]
    'e3efd51c9a35'
    """

    def get_version(self, salt: str, params: VersionParameters) -> str:
        """The same text for as long as old results count."""
        ...


class CacheFunctionBody:
    """The default policy: a digest of the function's text with its decorators.

    Comments, blank lines and formatting make no difference, and neither does the version of Python; what the function
    calls isn't followed.
    """

    def get_version(self, salt: str, params: VersionParameters) -> str:
        """The digest, in hex digits.

        Raises:
            ValueError: there is no function, such as for a container task.
            OSError: its source can't be read.
        """
        import ast  # noqa: PLC0415  a task in a pod needs no version, and shall not load this
        import hashlib  # noqa: PLC0415  as above
        import inspect  # noqa: PLC0415  as above
        import textwrap  # noqa: PLC0415  as above

        if params.func is None:
            raise ValueError("this task is no function, so there is no text of one to make a version of")
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(params.func))))
        return hashlib.sha256((_spelled(tree) + salt).encode()).hexdigest()

    def __repr__(self) -> str:
        return "CacheFunctionBody()"


def _spelled(part: ast.AST | Any) -> str:
    """A syntax tree as text. Empty parts are left out: which there are differs between versions of Python."""
    fields = getattr(part, "_fields", None)
    if isinstance(part, list):
        return f"[{','.join(map(_spelled, part))}]"
    if fields is None:
        return repr(part)
    parts = ((name, getattr(part, name, None)) for name in fields if name != "kind")
    return f"{type(part).__name__}({','.join(f'{n}={_spelled(p)}' for n, p in parts if p not in (None, []))})"


class Cache:
    """How the results of a task are kept, as in `@task(cache=Cache(version="1"))`.

    Args:
        version: what to change when the code gives other results than before. It wins over policies.
        serialize: whether of several runs with equal inputs one computes and the others wait for its result.
        ignored_inputs: names of inputs that make no difference to the result: one, or several.
        salt: a text that goes into the version which policies make.
        policies: what makes the version where none is written; default: the function's text (`CacheFunctionBody`).
            Several make one together.
        expires_after: how long a result counts, from when it was made. None: for ever.

    Raises:
        ValueError: there is neither a version nor a policy, or results would not count for any time.
        TypeError: a part is of another type.

    >>> Cache(version="2", ignored_inputs="verbose").get_ignored_inputs()
    ('verbose',)
    """

    def __init__(
        self,
        version: str | None = None,
        serialize: bool = False,
        ignored_inputs: Sequence[str] | str = (),
        salt: str = "",
        policies: Sequence[CachePolicy] | CachePolicy | None = None,
        *,
        expires_after: timedelta | None = None,
        **deprecated: Any,
    ) -> None:
        _refuse_old_words(deprecated)
        self.version = _version(version)
        self.serialize = _flag(serialize)
        self.ignored_inputs = ignored_inputs
        self.salt = salt
        self.policies = policies
        self.expires_after = _lifetime(expires_after)
        self._ignored = _names(ignored_inputs)
        self._policies = tuple(_policies(policies))
        if not isinstance(salt, str):
            raise TypeError(f"the salt of a Cache is a text, not {salt!r}")
        if self.version is None and not self._policies:
            raise ValueError("If version is not defined then at least one cache policy needs to be set")

    def get_ignored_inputs(self) -> tuple[str, ...]:
        """The names of the inputs that make no difference."""
        return self._ignored

    def get_version(self, params: VersionParameters) -> str:
        """The version: the one that was written, else a digest of what all policies say.

        Raises:
            ValueError: a policy failed; its exception is the cause.
        """
        if self.version is not None:
            return self.version
        import hashlib  # noqa: PLC0415  heavy, and not needed in pods

        parts = [self._ask(policy, params) for policy in self._policies]
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    def _ask(self, policy: CachePolicy, params: VersionParameters) -> str:
        try:
            version = policy.get_version(self.salt, params)
        except Exception as error:
            raise ValueError(
                f"Failed to generate version for cache policy {policy!r}: {error}. Repair the policy, or write the"
                " version: Cache(version=…)"
            ) from error
        if not isinstance(version, str):
            raise ValueError(f"Failed to generate version for cache policy {policy!r}: it gave no text but {version!r}")
        return version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cache) and self._parts() == other._parts()

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        return f"Cache({', '.join(f'{name}={value!r}' for name, value in self._parts().items())})"

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _PARTS}


_PARTS = ("version", "serialize", "ignored_inputs", "salt", "policies", "expires_after")

OLD_WORDS = ("cache_serialize", "cache_version", "cache_ignore_input_vars")
"""Options of `@task` from before there was `Cache`."""


def _refuse_old_words(names: Iterable[str]) -> None:
    """Raises where one of them stands in a Cache."""
    names = list(names)
    if any(name in OLD_WORDS for name in names):
        found = " and ".join(name for name in names if name in OLD_WORDS)
        raise ValueError(
            "cache_serialize, cache_version, and cache_ignore_input_vars are deprecated. Please use Cache object:"
            f" move {found} into Cache(version=…, serialize=…, ignored_inputs=…)"
        )
    if names:
        raise TypeError(f"Cache takes {', '.join(_PARTS[:-1])} and {_PARTS[-1]}, not {names[0]}")


def _version(version: Any) -> str | None:
    if version is not None and (not isinstance(version, str) or not version):
        raise TypeError(f"the version of a Cache is a text such as '1', not {version!r}")
    return version


def _flag(serialize: Any) -> bool:
    if not isinstance(serialize, bool):
        raise TypeError(f"serialize of a Cache is True or False, not {serialize!r}")
    return serialize


def _lifetime(expires_after: Any) -> timedelta | None:
    if expires_after is None:
        return None
    if not callable(getattr(expires_after, "total_seconds", None)):
        raise TypeError(f"expires_after of a Cache is a timedelta such as timedelta(days=1), not {expires_after!r}")
    if expires_after.total_seconds() <= 0:
        raise ValueError(f"expires_after of a Cache is more than nothing, not {expires_after!r}")
    lifetime: timedelta = expires_after
    return lifetime


def _names(ignored_inputs: Any) -> tuple[str, ...]:
    names = (ignored_inputs,) if isinstance(ignored_inputs, str) else tuple(ignored_inputs or ())
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"ignored_inputs of a Cache takes names of inputs, not {name!r}")
    return names


def _policies(policies: Any) -> Iterator[CachePolicy]:
    if policies is None:
        policies = (CacheFunctionBody(),)
    for policy in policies if isinstance(policies, list | tuple) else (policies,):
        if not callable(getattr(policy, "get_version", None)) or isinstance(policy, type):
            raise TypeError(f"a policy has a method get_version(salt, params), which {policy!r} has not")
        yield policy
