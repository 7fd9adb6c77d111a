"""What does not fit: the one exception that conversions raise, and the words in which they show values and types."""

from __future__ import annotations

from types import GenericAlias
from typing import Any

from windlass._exceptions import TypeTransformerFailedError

_SHOWN = 80  # characters of a value's repr in an error


class Misfit(Exception):  # noqa: N818  it never leaves `_types`
    """A value does not fit its shape. Gathers the path while it passes the levels on its way out.

    The words are put together when they are asked for: a union tries its variants and drops what does not fit.
    """

    def __init__(
        self, finding: str, value: Any = None, error_class: type[Exception] = TypeTransformerFailedError
    ) -> None:
        super().__init__(finding)
        self._finding = finding
        self._value = value
        self.error_class = error_class
        self.path = ""

    @property
    def finding(self) -> str:
        """What is wrong, without the place."""
        return self._finding

    def under(self, step: str) -> Misfit:
        """The same, seen from one level further out."""
        self.path = step + self.path
        return self

    def __str__(self) -> str:
        return f"{self.finding} (at {self.path.lstrip('.')})" if self.path else self.finding


class Wrong(Misfit):
    """Something else was expected."""

    @property
    def finding(self) -> str:
        return f"expected {self._finding}, got {shown(self._value)}"


def key_step(key: str) -> str:
    """The step of a path that leads to a key or a field."""
    return f".{key}" if key.isidentifier() else f"[{key!r}]"


def shown(value: Any) -> str:
    """A value in an error: its repr, shortened, and its type."""
    if value is None:
        return "None"
    try:
        text = repr(_beginning(value))
    except Exception:  # noqa: BLE001  a user's __repr__ may raise anything, and must not hide the error being told
        text = "<a value whose repr fails>"
    short = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return f"{short} of type {name_of(type(value))}"


def _beginning(value: Any) -> Any:
    """As much of a value as is shown: the repr of all of it may take a while."""
    kind = type(value)
    if kind in (str, bytes):
        return value[:_SHOWN]
    if kind is list and len(value) > _SHOWN:
        return value[:_SHOWN]
    if kind is dict and len(value) > _SHOWN:
        return dict(item for item, _ in zip(value.items(), range(_SHOWN), strict=False))
    return value


def name_of(python_type: Any) -> str:
    """A type as its author would write it."""
    if python_type is None or python_type is type(None):
        return "None"
    if isinstance(python_type, type) and not isinstance(python_type, GenericAlias):
        module = "" if python_type.__module__ in ("builtins", "__main__") else f"{python_type.__module__}."
        return f"{module}{python_type.__qualname__}"
    return str(python_type)
