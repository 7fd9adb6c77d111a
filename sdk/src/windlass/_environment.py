"""Environment variables for as long as a task runs here; in a cluster its pod has them from the start."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_lock = threading.Lock()
_layers: list[Mapping[str, str]] = []
_before: dict[str, str | None] = {}


@contextmanager
def variables(changes: Mapping[str, str]) -> Iterator[None]:
    """Sets the variables, and puts back what was there. Tasks that run at the same time see each other's, as there is
    one environment for the process; what was there before all of them comes back when the last has ended.

    >>> with variables({"WINDLASS_EXAMPLE": "1"}):
    ...     os.environ["WINDLASS_EXAMPLE"]
    '1'
    >>> "WINDLASS_EXAMPLE" in os.environ
    False
    """
    layer = dict(changes)
    with _lock:
        for name in layer:
            _before.setdefault(name, os.environ.get(name))
        _layers.append(layer)
        os.environ.update(layer)
    try:
        yield
    finally:
        with _lock:
            _layers[:] = [one for one in _layers if one is not layer]
            for name in layer:
                _put_back(name)


def _put_back(name: str) -> None:
    above = [layer[name] for layer in _layers if name in layer]
    value = above[-1] if above else _before.pop(name)
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
