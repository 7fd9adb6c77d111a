"""A watch of our own: list in pages, then follow, and never lose an event without knowing.

kopf's streams can't select by label nor list in pages; pods need both. This follows the API's rules: bookmarks keep the
position fresh, 410 or a refused position means *list again*, and a dropped connection means *go on from there*.
``age`` is the time since anything came, bookmarks included: the operator's liveness looks at it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from windlass_operator.clients import clock
from windlass_operator.clients.cluster import ConnectionLostError, Watchable, WatchRefusedError

PAGE = 500
PAUSE = 0.2
PAUSE_CAP = 10.0

Raw = Mapping[str, Any]


class Watch:
    """One stream of objects of one resource in one namespace or all."""

    def __init__(
        self,
        cluster: Watchable,
        path: str,
        selector: str,
        on_event: Callable[[str, Raw], None],
        on_list: Callable[[list[Raw], int], None],
        fields: str = "",
    ) -> None:
        """``on_event(type, object)`` for each change; ``on_list(objects, resource version)`` for each complete list.
        ``selector`` is of labels, ``fields`` of fields.
        """
        self._cluster, self._path = cluster, path
        given = {"labelSelector": selector, "fieldSelector": fields}
        self._selectors = {name: value for name, value in given.items() if value}
        self._on_event, self._on_list = on_event, on_list
        self._position = ""
        self._heard = clock.monotonic()
        self.relists = 0

    def age(self, now: float) -> float:
        """Seconds (of the monotonic clock) since anything came."""
        return now - self._heard

    async def list(self) -> None:
        """Read everything, page by page, as often as it takes."""
        pause = PAUSE
        while not await self._list_once():
            await asyncio.sleep(pause)
            pause = min(PAUSE_CAP, pause * 2)

    async def _list_once(self) -> bool:
        items: list[Raw] = []
        token = ""
        while True:
            query = {**self._selectors, "limit": str(PAGE), **({"continue": token} if token else {})}
            answer = await self._cluster.request("GET", self._path, query=query)
            if not answer.ok:
                return False
            items += answer.body["items"]
            meta = answer.body["metadata"]
            token = meta.get("continue") or ""
            if not token:
                break
        self._position = meta["resourceVersion"]
        self._heard = clock.monotonic()
        self.relists += 1
        self._on_list(items, int(self._position))
        return True

    async def follow(self) -> None:
        """Follow the changes, for ever. ``list`` comes first."""
        pause = PAUSE
        while True:
            try:
                fine = await self._follow_once()
            except ConnectionLostError:
                fine = False
            except WatchRefusedError as refusal:
                fine = False
                if refusal.status == 410:
                    await self.list()
            pause = PAUSE if fine else min(PAUSE_CAP, pause * 2)
            await asyncio.sleep(0 if fine else pause)

    async def _follow_once(self) -> bool:
        """Until the API server ends the stream (it does every few minutes) or says that the position is too old. False
        when it brought nothing: asking again at once would be asking without end.
        """
        fine = False
        query = {
            **self._selectors,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._position,
        }
        async with self._cluster.stream(self._path, query) as lines:
            async for line in lines:
                event = orjson.loads(line)
                self._heard = clock.monotonic()
                if event["type"] == "ERROR":
                    await self.list()
                    return fine
                fine = True
                self._position = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._on_event(event["type"], event["object"])
        return fine
