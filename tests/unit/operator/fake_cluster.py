"""An API server in memory, as far as the operator's use of one goes.

It keeps objects by path and answers as a real one does: tests/contract/test_fake_cluster.py runs the same scenarios
against both. Beside that a test may script answers (``say``) and look at what was asked (``requests``).
"""

from __future__ import annotations

import asyncio
import copy
import re
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import jsonpatch

from windlass_operator.clients.cluster import (
    JSON,
    JSON_PATCH,
    METADATA_ONLY,
    STRATEGIC_MERGE_PATCH,
    Answer,
)

Body = dict[str, Any]

_ITEM = re.compile(r"(?P<collection>.*/namespaces/(?P<namespace>[^/]+)/[a-z]+)/(?P<name>[^/]+)(?P<status>/status)?$")
_COLLECTION = re.compile(r".*/namespaces/(?P<namespace>[^/]+)/[a-z]+$")


class FakeCluster:
    """See the module."""

    def __init__(self) -> None:
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
        self._objects: dict[str, Body] = {}
        self._said: defaultdict[tuple[str, str], deque[Answer | Callable[[], Answer | None]]] = defaultdict(deque)
        self._versions = 0

    def say(self, method: str, path: str, *answers: Answer | Callable[[], Answer | None]) -> None:
        """The next requests to a path get these answers. A function is called instead; where it gives None, the
        request goes on as usual.
        """
        self._said[method, path].extend(answers)

    def put(self, collection: str, body: Mapping[str, Any]) -> Body:
        """An object is there, with its own uid if it has one."""
        item = copy.deepcopy(dict(body))
        namespace = _match(_COLLECTION, collection)["namespace"]
        self._versions += 1
        meta = {"namespace": namespace, "uid": f"uid-{self._versions}", **item["metadata"]}
        owners = meta.get("ownerReferences") or []
        if owners:
            meta["ownerReferences"] = [owner for index, owner in enumerate(owners) if owner not in owners[:index]]
        item["metadata"] = {**meta, "resourceVersion": str(self._versions)}
        self._objects[f"{collection}/{meta['name']}"] = item
        return item

    def get(self, path: str) -> Body | None:
        """An object as it is now."""
        return self._objects.get(path)

    def drop(self, path: str) -> None:
        """An object is gone."""
        del self._objects[path]

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
        if method == "POST":
            answer = self._create(path, body)
        elif _COLLECTION.match(path):
            return self._list(path, query or {})
        else:
            answer = self._one(method, path, body, content_type)
        return (
            Answer(answer.status, {"metadata": answer.body["metadata"]})
            if answer.ok and accept == METADATA_ONLY and method != "DELETE"
            else answer
        )

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

    def _create(self, collection: str, body: Body) -> Answer:
        path = f"{collection}/{body['metadata']['name']}"
        if path in self._objects:
            return refusal(409, "AlreadyExists", f"{_named(path)} already exists")
        fresh = {**body, "metadata": {key: value for key, value in body["metadata"].items() if key != "uid"}}
        return Answer(201, copy.deepcopy(self.put(collection, fresh)))

    def _list(self, collection: str, query: Mapping[str, str]) -> Answer:
        selector = query.get("labelSelector", "")
        found = [
            copy.deepcopy(item)
            for path, item in self._objects.items()
            if path.rpartition("/")[0] == collection and _selected(item["metadata"].get("labels") or {}, selector)
        ]
        return Answer(200, {"items": found, "metadata": {"resourceVersion": str(self._versions)}})

    def _one(self, method: str, path: str, body: Any, content_type: str) -> Answer:
        found = _match(_ITEM, path)
        place = f"{found['collection']}/{found['name']}"
        item = self._objects.get(place)
        if item is None:
            return refusal(404, "NotFound", f"{_named(place)} not found")
        if method == "GET":
            return Answer(200, copy.deepcopy(item))
        if method == "DELETE":
            return self._delete(place, item, body or {})
        return self._patch(place, item, body, content_type)

    def _delete(self, place: str, item: Body, body: Body) -> Answer:
        wanted = (body.get("preconditions") or {}).get("uid")
        if wanted is not None and wanted != item["metadata"]["uid"]:
            text = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {item['metadata']['uid']}"
            return refusal(409, "Conflict", f"Operation cannot be fulfilled on {_named(place)}: {text}")
        del self._objects[place]
        return Answer(200, {"status": "Success"})

    def _patch(self, place: str, item: Body, body: Any, content_type: str) -> Answer:
        if content_type == STRATEGIC_MERGE_PATCH:
            changed = _with_owners(item, body["metadata"]["ownerReferences"])
        elif content_type == JSON_PATCH:
            try:
                changed = jsonpatch.apply_patch(item, body)
            except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as problem:
                return refusal(422, "Invalid", f"the server rejected our request: {problem}")
        else:
            return refusal(415, "UnsupportedMediaType", f"the fake knows no {content_type}")
        return Answer(200, copy.deepcopy(self.put(place.rpartition("/")[0], changed)))


def refusal(status: int, reason: str = "", message: str = "") -> Answer:
    """An answer that isn't the wanted one."""
    return Answer(status, {"kind": "Status", "reason": reason, "message": message, "code": status})


async def _lines(script: list[Any]) -> AsyncIterator[bytes]:
    for line in script:
        await asyncio.sleep(0)
        if isinstance(line, Exception):
            raise line
        yield line


def _with_owners(item: Body, owners: list[Body]) -> Body:
    """Owners are merged by uid."""
    changed = copy.deepcopy(item)
    merged = {owner["uid"]: owner for owner in changed["metadata"].get("ownerReferences") or ()}
    for owner in owners:
        merged[owner["uid"]] = {**merged.get(owner["uid"], {}), **owner}
    changed["metadata"]["ownerReferences"] = list(merged.values())
    return changed


def _selected(labels: Mapping[str, str], selector: str) -> bool:
    return all(_holds(labels, rule) for rule in selector.split(",") if rule)


def _holds(labels: Mapping[str, str], rule: str) -> bool:
    if rule.startswith("!"):
        return rule[1:] not in labels
    key, equals, value = rule.partition("=")
    return labels.get(key) == value if equals else key in labels


def _named(path: str) -> str:
    *_, plural, name = path.split("/")
    return f'{plural} "{name}"'


def _match(pattern: re.Pattern[str], path: str) -> re.Match[str]:
    found = pattern.match(path)
    assert found is not None, f"the fake knows no such path: {path}"
    return found
