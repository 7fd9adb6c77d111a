"""Where the time of a run went: spans, one in the other, made from its status."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from windlass._remote.executions import FlyteWorkflowExecution


class Span(NamedTuple):
    """A piece of time: whose, from when to when; `end` is None for what still runs."""

    operation_id: str
    start: datetime | None
    end: datetime | None
    spans: tuple[Span, ...] = ()

    @property
    def duration(self) -> timedelta | None:
        """How long it was."""
        return None if self.start is None or self.end is None else self.end - self.start


class FlyteExecutionSpan:
    """The spans of a run."""

    def __init__(self, span: Span) -> None:
        self.span = span

    def explain(self) -> str:
        """Prints the spans as an indented table, and gives it back."""
        text = "\n".join(self._lines(self.span, 0))
        print(text)  # noqa: T201  that is what it is asked for
        return text

    def dump(self) -> dict[str, object]:
        """The spans as plain data."""
        return self._plain(self.span)

    def _lines(self, span: Span, depth: int) -> list[str]:
        took = "running" if span.end is None else f"{(span.duration or timedelta()).total_seconds():.3f}s"
        start = span.start.isoformat() if span.start else "-"
        lines = [f"{'  ' * depth}{span.operation_id:<{max(40 - 2 * depth, 1)}} {start}  {took}"]
        return lines + [line for inner in span.spans for line in self._lines(inner, depth + 1)]

    def _plain(self, span: Span) -> dict[str, object]:
        return {
            "id": span.operation_id,
            "start": None if span.start is None else span.start.isoformat(),
            "end": None if span.end is None else span.end.isoformat(),
            "spans": [self._plain(inner) for inner in span.spans],
        }


def spans_of(execution: FlyteWorkflowExecution, depth: int) -> FlyteExecutionSpan:
    """The spans of a run, its nodes below it where `depth` is more than one."""
    nodes: tuple[Span, ...] = ()
    if depth > 1:
        nodes = tuple(
            Span(node_id, node.closure.started_at, node.closure.updated_at if node.is_done else None)
            for node_id, node in execution.node_executions.items()
            if node.closure.started_at is not None
        )
    closure = execution.closure
    end = closure.updated_at if execution.is_done else None
    ordered = tuple(sorted(nodes, key=lambda span: (span.start or datetime.max, span.operation_id)))  # noqa: DTZ901
    return FlyteExecutionSpan(Span(execution.id.name, closure.created_at or closure.started_at, end, ordered))
