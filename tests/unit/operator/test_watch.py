"""A watch against scripted streams: what it tells, where it goes on from, and when it lists again."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from tests.unit.operator.fake_cluster import FakeCluster, refusal
from windlass_operator.clients.cluster import Answer, ConnectionLostError, WatchRefusedError
from windlass_operator.clients.watch import PAUSE, PAUSE_CAP, Watch

PATH = "/api/v1/namespaces/ns/pods"


def line(kind: str, version: int, name: str = "p") -> bytes:
    return orjson.dumps({"type": kind, "object": {"metadata": {"name": name, "resourceVersion": str(version)}}})


def page(version: int, *names: str, token: str = "") -> Answer:
    meta = {"resourceVersion": str(version), **({"continue": token} if token else {})}
    return Answer(200, {"items": [{"metadata": {"name": name}} for name in names], "metadata": meta})


GONE = orjson.dumps({"type": "ERROR", "object": {"code": 410, "reason": "Expired"}})


class Heard:
    """A watch, and what it told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cluster = FakeCluster()
        self.events: list[str] = []
        self.lists: list[tuple[list[str], int]] = []
        self.pauses: list[float] = []
        self.watch = Watch(self.cluster, PATH, "mine", self._event, self._list)
        self._sleep = asyncio.sleep
        monkeypatch.setattr("windlass_operator.clients.watch.asyncio.sleep", self._pause)

    def _event(self, kind: str, raw: Any) -> None:
        self.events.append(f"{kind} {raw['metadata']['name']}@{raw['metadata']['resourceVersion']}")

    def _list(self, raws: list[Any], version: int) -> None:
        self.lists.append(([raw["metadata"]["name"] for raw in raws], version))

    async def _pause(self, seconds: float) -> None:
        if seconds:
            self.pauses.append(seconds)
        await self._sleep(0)

    def follow(self, *streams: Any, pages: tuple[Answer, ...] = ()) -> list[str]:
        """List, then follow until the scripted streams are over. Gives the positions watched from."""
        self.cluster.say("GET", PATH, *(pages or (page(10),)))
        self.cluster.streams.extend(streams)

        async def run() -> None:
            await self.watch.list()
            task = asyncio.create_task(self.watch.follow())
            while len(self.cluster.watched) <= len(streams):
                await self._sleep(0)
                assert not task.done(), task.exception()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(asyncio.wait_for(run(), 10))
        return [query["resourceVersion"] for query in self.cluster.watched]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    return Heard(monkeypatch)


def test_a_list_comes_in_pages_and_is_told_as_one(heard: Heard) -> None:
    assert heard.follow(pages=(page(7, "a", "b", token="t"), page(8, "c"))) == ["8"]
    assert heard.lists == [(["a", "b", "c"], 8)]
    assert heard.cluster.watched[0] == {
        "labelSelector": "mine",
        "watch": "1",
        "allowWatchBookmarks": "true",
        "resourceVersion": "8",
    }


@pytest.mark.parametrize("trouble", [refusal(0), refusal(500), refusal(410, "Expired")])
def test_a_list_that_breaks_off_is_begun_again(heard: Heard, trouble: Answer) -> None:
    heard.follow(pages=(page(7, "a", token="t"), trouble, trouble, page(9, "b")))
    assert heard.lists == [(["b"], 9)]
    assert heard.pauses == [PAUSE, 2 * PAUSE]


def test_changes_are_told_and_move_the_position(heard: Heard) -> None:
    stream = [line("ADDED", 11, "a"), line("MODIFIED", 12, "a"), line("DELETED", 13, "a")]
    assert heard.follow(stream) == ["10", "13"]
    assert heard.events == ["ADDED a@11", "MODIFIED a@12", "DELETED a@13"]
    assert heard.pauses == [], "the API server ends streams every few minutes: no reason to wait"


def test_a_bookmark_moves_the_position_and_is_not_told(heard: Heard) -> None:
    assert heard.follow([line("ADDED", 11), line("BOOKMARK", 99)]) == ["10", "99"]
    assert heard.events == ["ADDED p@11"]


@pytest.mark.parametrize("how", ["an event", "a refusal"])
def test_a_position_that_is_too_old_means_listing_again(heard: Heard, how: str) -> None:
    stream: Any = [line("ADDED", 11), GONE] if how == "an event" else WatchRefusedError(410)
    assert heard.follow(stream, pages=(page(10), page(50, "x"))) == ["10", "50"]
    assert heard.lists == [([], 10), (["x"], 50)]
    assert heard.watch.relists == 2


def test_a_dropped_connection_goes_on_from_where_it_was(heard: Heard) -> None:
    stream = [line("ADDED", 11), line("MODIFIED", 12), ConnectionLostError("reset")]
    assert heard.follow(stream, [line("DELETED", 14)]) == ["10", "12", "14"]
    assert heard.events == ["ADDED p@11", "MODIFIED p@12", "DELETED p@14"]
    assert len(heard.lists) == 1


def test_pauses_grow_while_nothing_comes_and_shrink_when_something_does(heard: Heard) -> None:
    refused = [WatchRefusedError(500)] * 7
    heard.follow(*refused, [line("ADDED", 11)], ConnectionLostError("x"))
    assert heard.pauses == [0.4, 0.8, 1.6, 3.2, 6.4, PAUSE_CAP, PAUSE_CAP, 0.4]
    assert len(heard.lists) == 1


def test_streams_that_end_at_once_are_not_asked_for_without_end(heard: Heard) -> None:
    heard.follow([], [], [GONE], pages=(page(10), page(20)))
    assert heard.pauses == [0.4, 0.8, 1.6]


def test_its_age_is_the_time_since_anything_came(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("windlass_operator.clients.watch.clock.monotonic", lambda: now)
    heard.follow()
    assert heard.watch.age(130.0) == 30.0
    now = 120.0
    heard.cluster.watched.clear()
    heard.follow([line("BOOKMARK", 12)])
    assert heard.watch.age(130.0) == 10.0


def test_a_watch_may_select_by_fields_alone(heard: Heard) -> None:
    heard.watch = Watch(heard.cluster, PATH, "", heard._event, heard._list, "reason=FailedMount")
    heard.follow()
    (asked,) = heard.cluster.watched
    assert asked["fieldSelector"] == "reason=FailedMount"
    assert "labelSelector" not in asked
