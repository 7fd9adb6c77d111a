"""A registry that wants to know who asks: a password, or a token from where it sends."""

from __future__ import annotations

import base64
import http.server
import json
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcluster import image_registry
from tests.image_building import Buildah
from tests.serving import answering
from windlass._image import registry
from windlass._image.builders import ImageBuildError, build
from windlass._image.spec import ImageSpec

pytestmark = pytest.mark.timeout(240)  # several builds in a test, on a machine that may have more to do

USER, PASSWORD = "ada", "let me in"
HTPASSWD = "ada:$2b$04$IqXuik/uj2JmoLOCkN5fpOKUPAXzte548ZDtyLEyeI7wM7../L.pW\n"  # of these two


def kept(folder: Path, host: str, password: str = PASSWORD) -> str:
    """A file with credentials, as Docker keeps them."""
    file = folder / f"credentials-{password.replace(' ', '-')}.json"
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    file.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return str(file)


@pytest.fixture
def with_password(tmp_path: Path) -> Iterator[str]:
    """A registry that wants a password; its host."""
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    auth = {"htpasswd": {"realm": "tests", "path": str(tmp_path / "htpasswd")}}
    with image_registry.running(tmp_path / "registry", auth=auth) as running:
        yield running.host


@dataclass
class Tokens:
    """Where a registry sends those who ask: signs what they may do."""

    url: str
    asked: list[dict[str, str]]


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[Tokens]:
    """Gives tokens to Ada, and to nobody ones that allow nothing."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tests", "-keyout", key, "-out", certificate)
    asked: list[dict[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
            who = self.headers.get("Authorization", "")
            asked.append({**query, "who": who})
            known = who == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            body = json.dumps({"token": signed(key, certificate, claims(query, allowed=known))}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    with answering(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield Tokens(f"http://127.0.0.1:{port}/token", asked)


def claims(query: dict[str, str], *, allowed: bool) -> dict[str, Any]:
    """What a token says."""
    now = int(time.time())
    access = []
    if allowed and "scope" in query:
        kind, name, actions = query["scope"].split(":")
        access = [{"type": kind, "name": name, "actions": actions.split(",")}]
    times = {"nbf": now - 60, "iat": now - 60, "exp": now + 600}
    return {"iss": "tests", "sub": USER, "aud": query["service"], "jti": "1", "access": access, **times}


def signed(key: Path, certificate: Path, what: dict[str, Any]) -> str:
    """A JSON web token with its certificate."""
    lines = certificate.read_text().splitlines()
    header = {"typ": "JWT", "alg": "RS256", "x5c": ["".join(line for line in lines if not line.startswith("-"))]}
    text = ".".join(encoded(json.dumps(part).encode()) for part in (header, what))
    command = ["openssl", "dgst", "-sha256", "-sign", str(key)]
    signature = subprocess.run(command, input=text.encode(), capture_output=True, check=True, timeout=30).stdout
    return f"{text}.{encoded(signature)}"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], capture_output=True, check=True, timeout=30)


@pytest.fixture
def with_tokens(tmp_path: Path, tokens: Tokens) -> Iterator[str]:
    """A registry that wants a token; its host."""
    auth = {
        "token": {
            "realm": tokens.url,
            "service": "tests",
            "issuer": "tests",
            "rootcertbundle": str(tmp_path / "certificate.pem"),
        }
    }
    with image_registry.running(tmp_path / "registry", auth=auth) as running:
        yield running.host


def spec_for(host: str, base: str, config: str | None) -> ImageSpec:
    return ImageSpec(
        name="guarded", base_image=base, registry=f"{host}/team", builder="buildah", registry_config=config
    )


def test_a_registry_with_a_password_tells_whom_it_knows_and_nobody_else(
    with_password: str, buildah: Buildah, base: str, tmp_path: Path
) -> None:
    config = kept(tmp_path, with_password)
    spec = spec_for(with_password, base, config)
    assert spec.exist() is False
    build(spec)
    assert spec.exist() is True
    assert spec_for(with_password, base, None).exist() is None
    assert spec_for(with_password, base, kept(tmp_path, with_password, "wrong")).exist() is None
    assert "credentials" in registry.look_up(spec.image_name()).reason
    assert "'ada' may not" in registry.look_up(spec.image_name(), kept(tmp_path, with_password, "wrong")).reason


def test_a_registry_with_tokens_gets_one_for_what_is_asked(
    with_tokens: str, tokens: Tokens, buildah: Buildah, base: str, tmp_path: Path
) -> None:
    spec = spec_for(with_tokens, base, kept(tmp_path, with_tokens))
    assert spec.exist() is False
    [asked] = tokens.asked
    assert asked["service"] == "tests" and asked["scope"] == "repository:team/guarded:pull"
    build(spec)
    assert spec.exist() is True
    assert spec_for(with_tokens, base, None).exist() is None  # a token that allows nothing


def test_pushing_without_the_password_fails_and_says_what_did(
    with_password: str, buildah: Buildah, base: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ImageBuildError, match="buildah push"):
        build(spec_for(with_password, base, None).force_push())
    assert "authentication required" in capfd.readouterr().err


def test_a_file_of_credentials_that_is_not_there_is_named(with_password: str, base: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"registry_config=…\): there is no file nowhere\.json"):
        spec_for(with_password, base, "nowhere.json").exist()
