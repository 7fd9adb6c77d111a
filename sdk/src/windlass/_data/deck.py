"""Deck: pages that a task writes about its run, next to its outputs.

    @task(enable_deck=True)
    def train() -> float:
        Deck("Curves", BoxRenderer("loss").to_html(frame))
        current_context().default_deck.append(MarkdownRenderer().to_html("# It went *well*"))
        ...

All decks of a task become one HTML file (`page`), with a tab for each. It is written when the task has ended, however
it ended; `Deck.publish()` writes it in the middle. Who runs a task does this with a `Report`:

    report = Report(fields, uri)
    with report.timed("run"):
        ...                                    # the decks collect in current_context().decks
    report.write(current_context().decks)      # also after a failure

Besides the decks that the code makes, a report has those that `deck_fields` asks for: the source code, the
dependencies, what took how long, the inputs and the outputs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any

from windlass import _store
from windlass._current import current_decks, current_task
from windlass._data import page, renderers

_USUAL = ("Source Code", "Dependencies", "Timeline", "Input", "Output")


class DeckField(str, Enum):
    """The decks that a report has of itself; `deck_fields` of a task takes some of them."""

    INPUT = "Input"
    OUTPUT = "Output"
    SOURCE_CODE = "Source Code"
    TIMELINE = "Timeline"
    DEPENDENCIES = "Dependencies"


class Deck:
    """A page of HTML with a name, which is the tab's title. Of two with one name the later is shown.

    Args:
        name: the title.
        html: what is on it at first.
        auto_add_to_deck: whether it is one of the running task's decks; False for one that only your code shows.

    >>> Deck("Notes", "<p>one</p>", auto_add_to_deck=False).append("<p>two</p>").html
    '<p>one</p>\\n<p>two</p>'
    """

    def __init__(self, name: str, html: str | None = None, auto_add_to_deck: bool = True) -> None:
        if not isinstance(name, str):
            raise TypeError(f"the name of a deck is a text, not {name!r}")
        self._name = name
        self._html = "" if html is None else _checked(html)
        if auto_add_to_deck:
            current_decks().append(self)

    @property
    def name(self) -> str:
        """The title."""
        return self._name

    @property
    def html(self) -> str:
        """All that is on it."""
        return self._html

    def append(self, html: str) -> Deck:
        """Adds HTML below what is there; gives the deck itself."""
        self._html = f"{self._html}\n{_checked(html)}" if self._html else _checked(html)
        return self

    @staticmethod
    def publish() -> None:
        """Writes the decks that the running task has so far, so that they can be looked at before it ends.

        A task without `enable_deck=True` has no report: then it warns, and writes nothing.
        """
        context = current_task()
        report = None if context is None else report_of(context)
        if context is None or report is None:
            import warnings  # noqa: PLC0415  only here

            warnings.warn(
                "Deck.publish() writes nothing here: the task was not declared with enable_deck=True",
                UserWarning,
                stacklevel=2,
            )
            return
        report.write(context.decks)

    def _repr_html_(self) -> str:
        return page.page([(self.name, self.html)])

    def __repr__(self) -> str:
        return f"Deck({self._name!r}, {len(self._html)} characters)"


class TimeLineDeck(Deck):
    """What took how long: a bar for each part of a run.

    Parts are added with `append_time_info(name, start, end)`, in seconds since 1970, and with the processor time they
    took, if that is known.
    """

    def __init__(self, name: str = "Timeline", html: str | None = None, auto_add_to_deck: bool = True) -> None:
        super().__init__(name, html, auto_add_to_deck)
        self.time_info: list[dict[str, Any]] = []

    def append_time_info(self, name: str, start: float, end: float, process_time: float | None = None) -> None:
        """Adds a part of the run."""
        self.time_info.append({"name": name, "start": start, "end": end, "process_time": process_time})

    @property
    def notes(self) -> str:
        """What was appended."""
        return super().html

    @property
    def html(self) -> str:
        """What was appended, and below it the bars."""
        bars = page.bars([(part["name"], part["start"], part["end"], part["process_time"]) for part in self.time_info])
        return "\n".join(part for part in (self.notes, bars) if part)


# ---- what runs a task ------------------------------------------------------------------------------------------------


class Report:
    """The decks of one attempt of a task, and the file they become.

    Args:
        fields: which of `DeckField` it has; None for all.
        uri: where the file goes; None for a new address below the raw output prefix.
        source: the task's source code, if it has some.
    """

    def __init__(self, fields: Sequence[str] | None = None, uri: str | None = None, source: str | None = None) -> None:
        self._fields = [*_USUAL] if fields is None else [getattr(field, "value", field) for field in fields]
        self._source = source
        self._own: dict[str, Deck] = {}
        self._timeline = TimeLineDeck(auto_add_to_deck=False)
        self.uri = uri or _store.new_uri("deck.html")

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Measures a part of the run."""
        start, process = time.time(), time.process_time()
        try:
            yield
        finally:
            self._timeline.append_time_info(name, start, time.time(), time.process_time() - process)

    def inputs(self, values: Mapping[str, Any], types: Mapping[str, Any]) -> None:
        """Shows the arguments of the task."""
        self._show("Input", values, types)

    def outputs(self, values: Mapping[str, Any], types: Mapping[str, Any]) -> None:
        """Shows what the task gave."""
        self._show("Output", values, types)

    def write(self, decks: Sequence[Deck]) -> str:
        """Writes the file; says where. Its own decks come after those of the code, an empty one not at all."""
        everything: dict[str, str] = {}
        for deck in (*decks, *self._usual(decks)):
            everything.pop(deck.name, None)
            if deck.html:
                everything[deck.name] = deck.html
        _store.put_bytes(page.page(list(everything.items())).encode(), "deck.html", self.uri)
        return self.uri

    def _usual(self, decks: Sequence[Deck]) -> Iterator[Deck]:
        taken = {deck.name for deck in decks if deck.html and not isinstance(deck, TimeLineDeck)}
        for field in self._fields:
            if field in taken:
                continue
            if field == "Timeline":
                yield self._whole_timeline(decks)
            elif field == "Source Code" and self._source:
                yield Deck(field, renderers.SourceCodeRenderer().to_html(self._source), auto_add_to_deck=False)
            elif field == "Dependencies":
                yield Deck(field, renderers.PythonDependencyRenderer().to_html(), auto_add_to_deck=False)
            elif field in self._own:
                yield self._own[field]

    def _whole_timeline(self, decks: Sequence[Deck]) -> Deck:
        """The parts that were measured for the task, and those that its code has added."""
        whole = TimeLineDeck(auto_add_to_deck=False)
        for deck in (self._timeline, *decks):
            if isinstance(deck, TimeLineDeck) and deck.name == whole.name:
                whole.time_info += deck.time_info
                if deck.notes:
                    whole.append(deck.notes)
        return whole

    def _show(self, field: str, values: Mapping[str, Any], types: Mapping[str, Any]) -> None:
        if field not in self._fields:
            return
        deck = self._own[field] = Deck(field, auto_add_to_deck=False)
        for name, value in values.items():
            deck.append(page.titled(name, renderers.html_of(value, types.get(name))))


def report_of(context: Any) -> Report | None:
    """The report of the task whose context this is; None where it has none."""
    report: Report | None = context.report
    if report is None and context.enable_deck:
        report = context.report = Report([])
    return report


def announce(uri: str, task: str) -> None:
    """Says where the decks of a local run are; in a notebook, shows them."""
    sys.stderr.write(f"windlass: {task}: deck in {uri}\n")
    display = sys.modules.get("IPython.display")
    shell = sys.modules.get("IPython")
    if display is not None and shell is not None and shell.get_ipython() is not None:
        display.display(display.HTML(page.framed(_store.read_bytes(uri).decode())))


def _checked(html: Any) -> str:
    if not isinstance(html, str):
        raise TypeError(f"a deck holds HTML, which is a text; got {html!r}. A renderer makes one of other values")
    return html
