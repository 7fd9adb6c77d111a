"""Posts Kubernetes Events beside the passes, so that none waits for it. When there are too many, the newest are
dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from windlass_operator.clients.cluster import Cluster
from windlass_operator.reconcile import paths

BACKLOG = 1000
log = logging.getLogger("windlass.events")


class EventPoster:
    """An ``EventSink``."""

    def __init__(self) -> None:
        self._backlog: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(BACKLOG)
        self.dropped = 0

    def __call__(self, namespace: str, manifest: dict[str, Any]) -> None:
        """Post an Event when there is time for it."""
        try:
            self._backlog.put_nowait((namespace, manifest))
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self, cluster: Cluster) -> None:
        """Post, for ever. An Event that exists already has been told."""
        while True:
            namespace, manifest = await self._backlog.get()
            answer = await cluster.request("POST", paths.events(namespace), manifest)
            if not answer.ok and answer.reason != "AlreadyExists":
                log.debug("an Event was not taken: %s", answer.message)
