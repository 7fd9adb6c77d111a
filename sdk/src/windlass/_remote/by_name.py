"""Values by name that are costly to get: what names there are is told without getting any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class ByName(Mapping[str, Any]):
    """What mappings over `_values` have in common; `__getitem__` is their own."""

    _values: Mapping[str, Any]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values
