"""What stands beside a type in `Annotated`: hints that change how a value travels, or by what it is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class HashMethod(Generic[T]):
    """Gives values that lie in the store a digest of your own, by which caches know them.

    Put it on the output that produces the value. Without it, a cached consumer knows a file or frame by its address,
    and one that was made again is new to it.

        def digest(frame: pd.DataFrame) -> str: ...

        @task
        def load() -> Annotated[pd.DataFrame, HashMethod(digest)]: ...

    `function` takes the value and returns a text.

    >>> HashMethod(lambda numbers: str(sum(numbers))).calculate([1, 2])
    '3'
    """

    def __init__(self, function: Callable[[T], str]) -> None:
        self._function = function

    def calculate(self, obj: T) -> str:
        """The digest of a value."""
        return self._function(obj)


class BatchSize:
    """How many items of a list share one pickle: `Annotated[list[Model], BatchSize(100)]`.

    Without it a list of things that can only be pickled has a pickle for each.

    >>> BatchSize(100).val
    100
    """

    def __init__(self, val: int) -> None:
        if type(val) is not int or val < 1:
            raise ValueError(f"BatchSize takes a whole number of items, at least 1, not {val!r}")
        self._val = val

    @property
    def val(self) -> int:
        """Items per pickle."""
        return self._val

    def __repr__(self) -> str:
        return f"BatchSize({self._val})"


class _Names(dict[str, Any]):
    """Named types. Unlike a dict it can be hashed, which `Optional[Annotated[…]]` asks for."""

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has none, this one isn't changed
        return hash(tuple((name, str(kind)) for name, kind in self.items()))


def kwtypes(**kwargs: Any) -> dict[str, Any]:
    """Names with their types: the columns of a dataset, the inputs of a task that is no function, hints in `Annotated`.

    >>> kwtypes(name=str, age=int)
    {'name': <class 'str'>, 'age': <class 'int'>}
    """
    return _Names(kwargs)


def hint(metadata: tuple[Any, ...], name: str) -> Any:
    """What a `kwtypes(name=…)` among the metadata says; None where none does."""
    for mark in metadata:
        if isinstance(mark, dict) and name in mark:
            return mark[name]
    return None
