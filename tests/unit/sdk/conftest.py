"""Real servers for the tests of data: one for http, with ranges, and one that speaks S3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from localcluster import object_store
from localcluster.object_store import ObjectStore
from tests.serving import answering


@dataclass
class HttpServer:
    """A folder, served over http on the loopback address."""

    folder: Path
    url: str = ""
    ranges: bool = True
    failures: int = 0
    """How many of the next requests are answered with 503."""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    """(method, path, the Range header) of all that came."""

    def uri(self, name: str) -> str:
        """The address of a file."""
        return f"{self.url}/{name}"


def _handler(served: HttpServer) -> type[SimpleHTTPRequestHandler]:
    class Handler(SimpleHTTPRequestHandler):
        """The standard library's, and ranges."""

        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(served.folder))

        def log_message(self, *args: object) -> None:
            """Nothing is printed."""

        def do_HEAD(self) -> None:
            self._noted("HEAD", super().do_HEAD)

        def do_GET(self) -> None:
            self._noted("GET", self._get)

        def _noted(self, method: str, answer: Any) -> None:
            served.requests.append((method, self.path, self.headers.get("Range")))
            if served.failures > 0:
                served.failures -= 1
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            else:
                answer()

        def _get(self) -> None:
            span = re.fullmatch(r"bytes=([0-9]+)-([0-9]+)", self.headers.get("Range") or "")
            file = Path(self.translate_path(self.path))
            if span is None or not served.ranges or not file.is_file():
                super().do_GET()
                return
            data = file.read_bytes()
            start, stop = int(span[1]), min(int(span[2]) + 1, len(data))
            if start >= len(data):
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(HTTPStatus.PARTIAL_CONTENT)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
            self.send_header("Content-Length", str(stop - start))
            self.send_header("ETag", f'"{file.stat().st_mtime_ns}"')
            self.end_headers()
            self.wfile.write(data[start:stop])

    return Handler


@pytest.fixture
def http_server(tmp_path: Path) -> Iterator[HttpServer]:
    """A folder that is served over http, with ranges."""
    folder = tmp_path / "served"
    folder.mkdir()
    served = HttpServer(folder)
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))) as port:
        served.url = f"http://127.0.0.1:{port}"
        yield served


@pytest.fixture(scope="session")
def s3_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A store that speaks S3."""
    with object_store.running(tmp_path_factory.mktemp("s3")) as store:
        yield store


@dataclass(frozen=True)
class S3Server:
    """A bucket of the test's own, and a client that looks at it past our own code."""

    store: ObjectStore
    bucket: str
    client: Any

    def uri(self, key: str) -> str:
        """The address of an object."""
        return f"s3://{self.bucket}/{key}"

    def keys(self) -> list[str]:
        """The keys of all objects."""
        return [item["Key"] for item in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())]

    def read(self, key: str) -> bytes:
        """An object."""
        data: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return data

    def put(self, key: str, data: bytes) -> str:
        """Makes an object; its address."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data)
        return self.uri(key)


@pytest.fixture
def s3_server(
    s3_process: ObjectStore, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[S3Server]:
    """A bucket in a store that the environment speaks of."""
    boto3 = pytest.importorskip("boto3")
    for name, value in s3_process.environment().items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "FLYTE_AWS_ENDPOINT", "WINDLASS_RAW_OUTPUT_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    client = boto3.client("s3")
    bucket = f"t-{abs(hash(request.node.nodeid)) % 10**12}"
    client.create_bucket(Bucket=bucket)
    yield S3Server(s3_process, bucket, client)
    client.close()
