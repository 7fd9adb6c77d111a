"""The adapter to the API server, against a small server of our own: what it repeats, and what it makes of answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from kubernetes_asyncio import client

from windlass_operator.clients.cluster import (
    JSON_PATCH,
    METADATA_ONLY,
    RETRIES,
    ConnectionLostError,
    KubernetesCluster,
    WatchRefusedError,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PATH = "/api/v1/namespaces/ns/pods"


class Server:
    """Answers as it is told, the last answer again and again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[Any] = []
        self.requests: list[tuple[str, str, dict[str, str], str]] = []
        self.observed: list[tuple[str, str, int]] = []
        self.pauses: list[float] = []
        self.token = ""
        self._sleep = asyncio.sleep
        monkeypatch.setattr("windlass_operator.clients.cluster.asyncio.sleep", self._pause)

    async def _pause(self, seconds: float) -> None:
        if isinstance(seconds, float):  # aiohttp's own are the int 0
            self.pauses.append(seconds)
        await self._sleep(0)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode()
        self.requests.append((request.method, request.path_qs, dict(request.headers), body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            found: web.StreamResponse = await answer(request)
            return found
        status, headers, text = answer
        return web.Response(status=status, headers=headers, text=text)

    def run(self, what: Callable[[KubernetesCluster], Awaitable[Any]], *answers: Any) -> Any:
        """Do something with the adapter, while the server gives these answers."""
        self.answers = list(answers)

        async def inside() -> Any:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            configuration = client.Configuration(host=f"http://{host}:{port}")
            if self.token:
                configuration.api_key = {"BearerToken": self.token}
                configuration.api_key_prefix = {"BearerToken": "Bearer"}
            cluster = KubernetesCluster(configuration, lambda *seen: self.observed.append(seen))
            try:
                return await asyncio.wait_for(what(cluster), 20)
            finally:
                await cluster.close()
                await runner.cleanup()

        return asyncio.run(inside())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def reply(status: int, text: str = "{}", **headers: str) -> tuple[int, dict[str, str], str]:
    return status, {key.replace("_", "-"): value for key, value in headers.items()}, text


async def get(cluster: KubernetesCluster) -> Any:
    return await cluster.request("GET", PATH)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_an_overloaded_server_refuses_is_asked_again(server: Server, status: int) -> None:
    answer = server.run(get, reply(status, "not now"), reply(status), reply(200, '{"a": 1}'))
    assert (answer.status, answer.body) == (200, {"a": 1})
    assert server.pauses == [0.1, 0.4]
    assert server.observed == [("GET", PATH, status), ("GET", PATH, status), ("GET", PATH, 200)]


@pytest.mark.parametrize("status", [200, 201, 400, 403, 404, 409, 410, 413, 422, 501])
def test_any_other_answer_is_the_answer(server: Server, status: int) -> None:
    answer = server.run(get, reply(status, '{"reason": "Why", "message": "so"}'))
    assert (answer.status, answer.reason, answer.message) == (status, "Why", "so")
    assert answer.ok is (status < 300)
    assert len(server.requests) == 1
    assert server.pauses == []


def test_after_a_while_the_refusal_is_the_answer(server: Server) -> None:
    answer = server.run(get, reply(503, '{"message": "no"}'))
    assert (answer.status, answer.message) == (503, "no")
    assert len(server.requests) == RETRIES
    assert server.pauses == [0.1, 0.4, pytest.approx(1.6)]


@pytest.mark.parametrize(
    ("header", "pause"),
    [("3", 3.0), ("0", 0.0), ("600", 10.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.1), ("", 0.1)],
)
def test_the_server_may_say_how_long_to_wait(server: Server, header: str, pause: float) -> None:
    server.run(get, reply(429, Retry_After=header), reply(200))
    assert server.pauses == [pause]


async def drop(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


def test_no_answer_is_an_answer_too(server: Server) -> None:
    answer = server.run(get, drop)
    assert (answer.status, answer.ok) == (0, False)
    assert answer.message.startswith("no answer from the API server: ")
    assert server.observed == [("GET", PATH, 0)] * RETRIES
    assert server.pauses == [0.1, 0.4, pytest.approx(1.6)]


def test_a_connection_that_drops_once_is_no_matter(server: Server) -> None:
    assert server.run(get, drop, reply(200, '{"a": 1}')).body == {"a": 1}


def test_a_server_that_is_not_there_gives_no_answer(server: Server) -> None:
    async def nobody(cluster: KubernetesCluster) -> Any:
        cluster._base = "http://127.0.0.1:1"
        return await get(cluster)

    assert server.run(nobody, reply(200)).status == 0


@pytest.mark.parametrize(
    ("text", "body", "message"),
    [
        ("", {}, "HTTP status 403"),
        ("<html>proxy</html>", {"message": "<html>proxy</html>"}, "<html>proxy</html>"),
        ("[1]", {"items": [1]}, "HTTP status 403"),
        ("é" * 600, {"message": "é" * 250}, "é" * 250),
    ],
    ids=["nothing", "no JSON", "a list", "a long text"],
)
def test_whatever_comes_is_a_body(server: Server, text: str, body: Any, message: str) -> None:
    answer = server.run(get, reply(403, text))
    assert answer.body == body
    assert answer.message == message
    assert answer.reason == ""


def test_a_request_carries_body_kind_query_and_credentials(server: Server) -> None:
    server.token = "secret"

    async def ask(cluster: KubernetesCluster) -> Any:
        body = [{"op": "test", "path": "/x", "value": None}]
        query = {"labelSelector": "a=b,!c"}
        return await cluster.request("PATCH", PATH, body, content_type=JSON_PATCH, accept=METADATA_ONLY, query=query)

    server.run(ask, reply(200))
    method, path, headers, body = server.requests[0]
    assert (method, path) == ("PATCH", f"{PATH}?labelSelector=a%3Db,!c")
    assert body == '[{"op":"test","path":"/x","value":null}]'
    assert headers["Content-Type"] == JSON_PATCH
    assert headers["Accept"] == METADATA_ONLY
    assert headers["Authorization"] == "Bearer secret"


async def read(cluster: KubernetesCluster, lines: list[bytes] | None = None) -> list[bytes]:
    found: list[bytes] = [] if lines is None else lines
    async with cluster.stream(PATH, {"watch": "1"}) as stream:
        async for line in stream:
            found.append(line)  # noqa: PERF401 - a comprehension would lose what came before the connection broke
    return found


def chunks(*parts: bytes, broken: bool = False) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        if broken:
            return await drop(request)
        return response

    return handler


def test_lines_of_a_watch_come_whole_however_they_are_cut(server: Server) -> None:
    answer = chunks(b'{"a"', b':1}\n{"b":2}\n\n{"c"', b":3}\n", b'{"half"')
    assert server.run(read, answer) == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
    assert server.requests[0][1] == f"{PATH}?watch=1"


def test_a_watch_that_breaks_says_so_after_what_it_had_brought(server: Server) -> None:
    lines: list[bytes] = []

    async def scenario(cluster: KubernetesCluster) -> None:
        with pytest.raises(ConnectionLostError):
            await read(cluster, lines)

    server.run(scenario, chunks(b'{"a":1}\n', broken=True))
    assert lines == [b'{"a":1}']


@pytest.mark.parametrize("status", [410, 403, 500])
def test_a_refused_watch_tells_its_status(server: Server, status: int) -> None:
    async def scenario(cluster: KubernetesCluster) -> int:
        with pytest.raises(WatchRefusedError) as refused:
            await read(cluster)
        return refused.value.status

    assert server.run(scenario, reply(status)) == status


def test_a_watch_of_nobody_is_a_lost_connection(server: Server) -> None:
    async def scenario(cluster: KubernetesCluster) -> None:
        cluster._base = "http://127.0.0.1:1"
        with pytest.raises(ConnectionLostError):
            await read(cluster)

    server.run(scenario, reply(200))
