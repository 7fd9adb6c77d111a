"""Asking registries: what they answer, and what is told to whom. Real ones are asked in tests/integration/images."""

from __future__ import annotations

import base64
import http.server
import json
import os
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.serving import answering
from windlass._image import registry
from windlass._image.registry import Credentials, Reference, find_credentials, is_loopback, look_up, parse


class Seen(NamedTuple):
    method: str
    path: str
    authorization: str | None
    body: str


class Server:
    """An HTTP server that answers as a test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answer: Callable[[Seen], tuple[int, dict[str, str], bytes]] = lambda _: (200, {}, b"")
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                seen = Seen(self.command, self.path, self.headers.get("Authorization"), body)
                server.seen.append(seen)
                status, headers, content = server.answer(seen)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def servers() -> Iterator[Callable[[], Server]]:
    with ExitStack() as started:

        def start() -> Server:
            server = Server()
            started.enter_context(answering(server.http))
            return server

        yield start


@pytest.fixture
def server(servers: Callable[[], Server]) -> Server:
    return servers()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without credentials."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY"):  # must not be asked about what is on this machine
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def keep(file: Path, auths: dict[str, object], **more: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"auths": auths, **more}))
    return file


def basic(user: str = "ada", password: str = "pw") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


BEARER = 'Bearer realm="http://{}/token?account=1",service="tests",scope="repository:team/app:pull"'


# Names


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("python", Reference("docker.io", "library/python", "latest")),
        ("python:3.12", Reference("docker.io", "library/python", "3.12")),
        ("team/app:v1", Reference("docker.io", "team/app", "v1")),
        ("docker.io/team/app", Reference("docker.io", "team/app", "latest")),
        ("localhost/app:v1", Reference("localhost", "app", "v1")),
        ("registry.example/a/b/c:v1", Reference("registry.example", "a/b/c", "v1")),
        ("host:5000/app", Reference("host:5000", "app", "latest")),
        ("registry.example/app:v1@sha256:ab", Reference("registry.example", "app", "sha256:ab")),
        ("[::1]:5000/app:v1", Reference("[::1]:5000", "app", "v1")),
    ],
)
def test_a_name_is_taken_apart_as_docker_does(image: str, reference: Reference) -> None:
    assert parse(image) == reference


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000", "r.localhost:1"]
)
def test_registries_of_this_machine_may_speak_plain_http(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["registry.example", "localhost.example:5000", "10.0.0.1:5000", "[fe80::1]:5000", "docker.io"]
)
def test_others_may_not(host: str) -> None:
    assert not is_loopback(host)


# Answers


@pytest.mark.parametrize(("status", "exists"), [(200, True), (404, False), (403, None), (429, None), (500, None)])
def test_what_a_registry_answers(server: Server, status: int, exists: bool | None) -> None:
    server.answer = lambda _: (status, {}, b"")
    answer = look_up(f"{server.host}/team/app:v1")
    assert answer.exists is exists
    assert server.seen == [Seen("HEAD", "/v2/team/app/manifests/v1", None, "")]
    assert (f"answered {status}" in answer.reason) == (exists is None)


def test_nobody_can_tell_where_no_registry_answers(server: Server) -> None:
    host = server.host
    server.http.server_close()
    answer = look_up(f"{host}/app:v1")
    assert answer.exists is None
    assert answer.reason.startswith(f"{host} does not answer as a registry: ")


def test_a_password_is_told_to_who_asks_for_one(server: Server, home: Path) -> None:
    keep(home / ".docker/config.json", {server.host: basic()})
    server.answer = lambda seen: (200, {}, b"") if seen.authorization else (401, {"WWW-Authenticate": "Basic"}, b"")
    assert look_up(f"{server.host}/app:v1").exists is True
    assert [seen.authorization for seen in server.seen] == [None, f"Basic {basic()['auth']}"]


def test_a_token_is_fetched_where_the_registry_says_and_shown_to_it(servers: Callable[[], Server], home: Path) -> None:
    server, tokens = servers(), servers()
    keep(home / ".docker/config.json", {server.host: basic()})
    challenge = {"WWW-Authenticate": BEARER.format(tokens.host)}
    server.answer = lambda seen: (200, {}, b"") if seen.authorization == "Bearer t0" else (401, challenge, b"")
    tokens.answer = lambda _: (200, {}, b'{"access_token": "t0"}')
    assert look_up(f"{server.host}/team/app:v1").exists is True
    [asked] = tokens.seen
    assert asked.authorization == f"Basic {basic()['auth']}"
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(asked.path).query)
    assert query == {"account": ["1"], "service": ["tests"], "scope": ["repository:team/app:pull"]}


def test_without_credentials_the_token_is_anonymous(servers: Callable[[], Server]) -> None:
    server, tokens = servers(), servers()
    server.answer = lambda seen: (
        404 if seen.authorization else 401,
        {"WWW-Authenticate": BEARER.format(tokens.host)},
        b"",
    )
    tokens.answer = lambda _: (200, {}, b'{"token": "t0"}')
    assert look_up(f"{server.host}/team/app:v1").exists is False
    assert tokens.seen[0].authorization is None


def test_a_refresh_token_is_exchanged_for_another(server: Server, home: Path) -> None:
    keep(home / ".docker/config.json", {server.host: {"identitytoken": "refresh me"}})

    def answer(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        if seen.method == "POST":
            return 200, {}, b'{"access_token": "t1"}'
        allowed = seen.authorization == "Bearer t1"
        return (200 if allowed else 401), {"WWW-Authenticate": BEARER.format(server.host)}, b""

    server.answer = answer
    assert look_up(f"{server.host}/team/app:v1").exists is True
    form = dict(urllib.parse.parse_qsl(server.seen[1].body))
    assert form["grant_type"] == "refresh_token" and form["refresh_token"] == "refresh me"


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [
        ((401, {}, b""), "it wants credentials, and there are none"),
        ((200, {}, b"no json"), "does not answer as a registry"),
        ((200, {}, b"[]"), "it wants credentials"),
    ],
)
def test_a_token_that_is_refused_leaves_it_open(
    server: Server, tokens: tuple[int, dict[str, str], bytes], reason: str
) -> None:
    challenge = {"WWW-Authenticate": BEARER.format(server.host)}
    server.answer = lambda seen: tokens if seen.path.startswith("/token") else (401, challenge, b"")
    answer = look_up(f"{server.host}/team/app:v1")
    assert answer.exists is None and reason in answer.reason


@pytest.mark.parametrize("challenge", ["", "Negotiate", "Bearer", 'Bearer service="x"'])
def test_a_challenge_that_is_not_understood_leaves_it_open(server: Server, challenge: str) -> None:
    server.answer = lambda _: (401, {"WWW-Authenticate": challenge}, b"")
    assert look_up(f"{server.host}/app:v1").exists is None


# Who is told the password


def test_a_password_does_not_follow_a_redirect_to_another_host(servers: Callable[[], Server], home: Path) -> None:
    server, other = servers(), servers()
    keep(home / ".docker/config.json", {server.host: basic()})

    def answer(seen: Seen) -> tuple[int, dict[str, str], bytes]:
        if seen.authorization is None:
            return 401, {"WWW-Authenticate": "Basic"}, b""
        return 307, {"Location": f"http://{other.host}{seen.path}"}, b""

    server.answer = answer
    assert look_up(f"{server.host}/app:v1").exists is True
    assert [(seen.method, seen.authorization) for seen in other.seen] == [("HEAD", None)]


def test_a_password_goes_over_no_plain_line(server: Server, home: Path) -> None:
    keep(home / ".docker/config.json", {server.host: basic()})
    server.answer = lambda _: (401, {"WWW-Authenticate": BEARER.format("tokens.example")}, b"")
    answer = look_up(f"{server.host}/app:v1")
    assert answer.exists is None and "no https address" in answer.reason


# Where credentials are kept


HOST = Reference("registry.example", "team/app", "v1")


@pytest.mark.parametrize(
    "auths",
    [
        {"registry.example": basic()},
        {"https://registry.example/v2/": basic()},
        {"registry.example/team": basic(), "registry.example": basic("other")},
        {"registry.example/team/app": basic(), "registry.example/team": basic("other")},
        {"registry.example": {"username": "ada", "password": "pw"}},
    ],
    ids=["the host", "as an address", "a path before the host", "the repository", "in plain"],
)
def test_the_closest_entry_is_taken(auths: dict[str, object], tmp_path: Path) -> None:
    assert find_credentials(HOST, keep(tmp_path / "c.json", auths)) == Credentials("ada", "pw")


@pytest.mark.parametrize(
    "auths",
    [
        {},
        {"other.example": basic()},
        {"registry.example": {}},
        {"registry.example": {"auth": "?"}},
        {"registry.example": None},
    ],
    ids=str,
)
def test_where_there_are_none_there_are_none(auths: dict[str, object], tmp_path: Path) -> None:
    assert find_credentials(HOST, keep(tmp_path / "c.json", auths)) is None


def test_dockers_hub_goes_by_its_old_address(tmp_path: Path) -> None:
    file = keep(tmp_path / "c.json", {"https://index.docker.io/v1/": basic()})
    assert find_credentials(parse("python"), file) == Credentials("ada", "pw")


def test_the_files_of_podman_and_docker_are_looked_into_in_their_order(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {
        "docker": home / ".docker/config.json",
        "config": home / ".config/containers/auth.json",
        "run": home / "run/containers/auth.json",
        "named": home / "named.json",
    }
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(places["named"]))
    for name, file in places.items():  # each of these comes before the ones before it
        keep(file, {"registry.example": basic(name)})
        assert find_credentials(HOST) == Credentials(name, "pw")


def test_a_helper_program_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "bin" / "docker-credential-tests"
    helper.parent.mkdir()
    helper.write_text('#!/bin/sh\nread server\necho "{\\"Username\\": \\"$server\\", \\"Secret\\": \\"s\\"}"\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:{os.environ['PATH']}")
    for kept in ({"credHelpers": {"registry.example": "tests"}}, {"credsStore": "tests"}):
        assert find_credentials(HOST, keep(tmp_path / "c.json", {}, **kept)) == Credentials("registry.example", "s")
    assert find_credentials(HOST, keep(tmp_path / "c.json", {}, credsStore="not-there")) is None


def test_a_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(ValueError, match=r"c\.json is no JSON file with credentials"):
        find_credentials(HOST, tmp_path / "c.json")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        find_credentials(HOST, tmp_path / "nowhere.json")


def test_waiting_for_an_answer_has_an_end() -> None:
    assert registry.SECONDS <= 30
