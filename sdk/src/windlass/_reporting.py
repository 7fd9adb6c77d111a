"""The report (deck) of an attempt: what both a local run and a pod do about it.

    reporting = Reporting(parameters, {"enabled": True, "fields": [...]}, task)
    try:
        with reporting.part("inputs"): ...
        reporting.show_inputs(values)
        ...
    finally:
        uri = reporting.write()          # also after a failure

A report is never why a task fails: what can't be shown or written is told as a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from windlass._data.deck import DeckField, Report
from windlass._modules import warn

if TYPE_CHECKING:
    from windlass._interface import Interface
    from windlass._parameters import ExecutionParameters

T = TypeVar("T")
_FIELDS = {field.value.replace(" ", ""): field.value for field in DeckField}


class Reporting:
    """The report of one attempt; `settings` are the contract's `deck`."""

    def __init__(
        self,
        parameters: ExecutionParameters,
        settings: Mapping[str, Any],
        interface: Interface,
        function: Callable[..., Any] | None,
    ) -> None:
        fields = settings.get("fields")
        names = list(_FIELDS.values()) if fields is None else [_FIELDS.get(field, field) for field in fields]
        source = _source_of(function) if DeckField.SOURCE_CODE.value in names else None
        self._report = parameters.report = Report(names, source=source)
        self._parameters = parameters
        self._interface = interface

    def part(self, name: str) -> AbstractContextManager[None]:
        """Measures a part of the attempt."""
        return self._report.timed(name)

    def show_inputs(self, values: Mapping[str, Any]) -> None:
        """Puts the arguments into it."""
        types = {name: parameter.python_type for name, parameter in self._interface.inputs.items()}
        self._carefully("the inputs can't be shown", lambda: self._report.inputs(values, types))

    def show_outputs(self, values: Mapping[str, Any]) -> None:
        """Puts the outputs into it."""
        self._carefully("the outputs can't be shown", lambda: self._report.outputs(values, self._interface.outputs))

    def write(self) -> str | None:
        """Writes it; says where, None where that failed."""
        return self._carefully("it can't be written", lambda: self._report.write(self._parameters.decks))

    def _carefully(self, what: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except Exception as error:  # noqa: BLE001  whatever a renderer or a store raises, the task goes on
            name = self._parameters.task_id.name
            warn(f"the deck of {name} is not complete: {what} ({type(error).__name__}: {error})")
            return None


def _source_of(function: Callable[..., Any] | None) -> str | None:
    """The source of a task's function, if it can be had."""
    if function is None:
        return None
    import inspect  # noqa: PLC0415  heavy, and few tasks have a deck

    try:
        return inspect.getsource(inspect.unwrap(function))
    except (OSError, TypeError):
        return None
