"""`current_context().stats`: counters, gauges and times that a task reports about itself.

    context.stats.incr("rows", 120)
    with context.stats.timer("query"):
        ...

They go to a StatsD server where one is named by `WINDLASS_STATSD_HOST` and `WINDLASS_STATSD_PORT` (8125; each also with
`FLYTE_` for `WINDLASS_`), as datagrams, so that a task neither waits nor fails for them. Without a server they are only
kept, in `recorded`, and told to the log at the level DEBUG.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

PORT = 8125
KEPT = 1000
"""How many values are kept in `recorded`."""


class Stats:
    """Reports values under the prefix, with the tags.

    >>> stats = Stats("jobs.train")
    >>> stats.incr("rows", 3)
    >>> stats.recorded
    [('jobs.train.rows', 3, 'c', {})]
    """

    def __init__(self, prefix: str = "", tags: Mapping[str, str] | None = None) -> None:
        self.prefix = prefix
        self.tags = dict(tags or {})
        self.recorded: list[tuple[str, float | str, str, dict[str, str]]] = []
        """(name, value, kind, tags) of what was reported last; kinds as StatsD's: c, g, ms, s."""

    def get_stats(self, prefix: str) -> Stats:
        """Stats whose names begin with this one's prefix and another one."""
        return Stats(self._name(prefix), self.tags)

    def extend_tags(self, tags: Mapping[str, str]) -> None:
        """Adds tags to all that is reported from now on."""
        self.tags.update(tags)

    def incr(self, metric: str, count: float = 1, rate: float = 1, tags: Mapping[str, str] | None = None) -> None:
        """Adds to a counter. `rate` is the share of such calls that are made, from 0 to 1."""
        self._report(metric, count, "c", rate, tags)

    def decr(self, metric: str, count: float = 1, rate: float = 1, tags: Mapping[str, str] | None = None) -> None:
        """Takes off a counter."""
        self._report(metric, -count, "c", rate, tags)

    def gauge(self, metric: str, value: float, rate: float = 1, tags: Mapping[str, str] | None = None) -> None:
        """Sets a value."""
        self._report(metric, value, "g", rate, tags)

    def set(self, metric: str, value: str, rate: float = 1, tags: Mapping[str, str] | None = None) -> None:
        """Adds to a set, of which the size is counted."""
        self._report(metric, value, "s", rate, tags)

    def timing(
        self, metric: str, delta: float | timedelta, rate: float = 1, tags: Mapping[str, str] | None = None
    ) -> None:
        """Reports a time: a timedelta, or milliseconds."""
        milliseconds = delta.total_seconds() * 1000 if isinstance(delta, timedelta) else delta
        self._report(metric, milliseconds, "ms", rate, tags)

    @contextmanager
    def timer(self, metric: str, rate: float = 1, tags: Mapping[str, str] | None = None) -> Iterator[None]:
        """Reports how long the `with` block took."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.timing(metric, (time.monotonic() - started) * 1000, rate, tags)

    def _name(self, metric: str) -> str:
        return f"{self.prefix}.{metric}" if self.prefix else metric

    def _report(self, metric: str, value: Any, kind: str, rate: float, tags: Mapping[str, str] | None) -> None:
        name, all_tags = self._name(metric), {**self.tags, **(tags or {})}
        self.recorded.append((name, value, kind, all_tags))
        del self.recorded[:-KEPT]
        line = f"{name}:{value}|{kind}"
        line += f"|@{rate}" if rate != 1 else ""
        line += f"|#{','.join(f'{key}:{text}' for key, text in all_tags.items())}" if all_tags else ""
        _send(line)


def _send(line: str) -> None:
    host = os.environ.get("WINDLASS_STATSD_HOST") or os.environ.get("FLYTE_STATSD_HOST")
    port = os.environ.get("WINDLASS_STATSD_PORT") or os.environ.get("FLYTE_STATSD_PORT") or PORT
    if not host:
        import logging  # noqa: PLC0415  few tasks report anything

        logging.getLogger("windlass.stats").debug("%s", line)
        return
    import socket  # noqa: PLC0415  as above

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as channel:
            channel.sendto(line.encode(), address)
    except (OSError, ValueError):
        return  # a task does not fail for its statistics
