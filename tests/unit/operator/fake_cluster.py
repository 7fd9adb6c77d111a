"""The API server in memory (``tests.api_server``), as a unit test wants it.

A test may script answers (``say``) and watches (``streams``), and look at what was asked (``requests``). It gives
copies, as a connection would, so that nobody changes what is stored.
"""

from __future__ import annotations

import asyncio
import copy
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.api_server import ApiServer, Body, refusal
from windlass_operator.clients.cluster import JSON, Answer

__all__ = ["FakeCluster", "refusal"]


class FakeCluster(ApiServer):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[str, str]] = []
        """(method, path) of every request, in order."""
        self.bodies: list[Any] = []
        """What was sent with each of them."""
        self.streams: deque[Any] = deque()
        """What the next watches bring, one entry each: a list of lines, in which an exception is raised; or an
        exception, which refuses the watch.
        """
        self.watched: list[Mapping[str, str]] = []
        """The query of every watch."""
        self._said: defaultdict[tuple[str, str], deque[Answer | Callable[[], Answer | None]]] = defaultdict(deque)

    def say(self, method: str, path: str, *answers: Answer | Callable[[], Answer | None]) -> None:
        """The next requests to a path get these answers. A function is called instead; where it gives None, the
        request goes on as usual.
        """
        self._said[method, path].extend(answers)

    def put(self, collection: str, body: Mapping[str, Any]) -> Body:
        """An object is there, exactly so, with its own uid if it has one."""
        return super().put(collection, copy.deepcopy(dict(body)))

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request."""
        self.requests.append((method, path))
        self.bodies.append(copy.deepcopy(body))
        await asyncio.sleep(0)
        said = self._said[method, path]
        if said:
            answer = said.popleft()
            given = answer if isinstance(answer, Answer) else answer()
            if given is not None:
                return given
        answered = self.answer(method, path, copy.deepcopy(body), content_type, accept, query)
        return Answer(answered.status, copy.deepcopy(answered.body))

    @asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """A watch, as it was scripted; for ever silent when the script is over."""
        self.watched.append(dict(query))
        if not self.streams:
            await asyncio.Event().wait()
        script = self.streams.popleft()
        if isinstance(script, Exception):
            raise script
        yield _lines(script)


async def _lines(script: list[Any]) -> AsyncIterator[bytes]:
    for line in script:
        await asyncio.sleep(0)
        if isinstance(line, Exception):
            raise line
        yield line
