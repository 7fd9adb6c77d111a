"""The driver of http and https, on the standard library: reads only, by ranges where the server can.

A server without ranges sends the whole object; it then lies in a temporary file while it is read. A folder can be
listed where its address gives a page with links (what most servers and package indexes make of a folder).
"""

# ruff: noqa: PTH123  addresses are strings, and so are paths

from __future__ import annotations

import http.client
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from http import HTTPStatus
from typing import IO, Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import Request, urlopen

from windlass._exceptions import FlyteDataNotFoundException, FlyteDownloadDataException, FlyteUploadDataException
from windlass._store import ranges
from windlass._store.driver import Driver
from windlass._store.places import Entry, name_of

T = TypeVar("T")
_TIMEOUT = 60.0  # seconds without a byte
_TRIES = 4
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_GONE = (404, 410)
_LINKS_READ = 8 << 20  # bytes of a page in which links are looked for


class Web(Driver):
    """Reading over http(s)."""

    def open(self, uri: str, kind: str, cache_type: str | None, cache_options: Mapping[str, Any]) -> IO[bytes]:
        """A stream that asks for ranges; a first request for one byte tells the size, and whether ranges are known."""
        if kind != "r":
            raise _read_only(uri)
        with _first_byte(uri) as response:
            total = _total(response)
            if total is None:
                return _spooled(response)
            tag = response.headers.get("ETag")
        return ranges.reader(_fetcher(uri, tag), total, cache_type, cache_options, uri)

    def stat(self, uri: str) -> Entry | None:
        try:
            with _request(uri, method="HEAD") as response:
                length = response.headers.get("Content-Length")
                size = int(length) if length and length.isdigit() else None
                folder = urlsplit(response.url).path.endswith("/")  # a folder's server sends us to the slash
        except FlyteDataNotFoundException:
            return None
        return Entry(name_of(uri), uri, folder, None if folder else size)

    def listdir(self, uri: str) -> list[Entry]:
        here = uri if urlsplit(uri).path.endswith("/") else f"{uri}/"
        with _request(here) as response:
            if "html" not in response.headers.get("Content-Type", ""):
                raise FlyteDownloadDataException(
                    f"{uri}: its server gives no list of what it holds (a page with links); name the files one by one,"
                    " or keep the folder in a store that can list it (s3://…)"
                )
            page = response.read(_LINKS_READ).decode("utf-8", "replace")
        return _children(here, page)

    def get_file(self, uri: str, path: str) -> None:
        def copy() -> None:
            with _request(uri) as response, open(path, "wb") as target:
                shutil.copyfileobj(response, target, 1 << 20)
                length = response.headers.get("Content-Length")
                if length is not None and target.tell() != int(length):
                    raise http.client.IncompleteRead(b"", int(length) - target.tell())

        _persistent(copy, uri)

    def put_file(self, path: str, uri: str) -> None:
        raise _read_only(uri)

    def put_tree(self, folder: str, uri: str) -> None:
        raise _read_only(uri)


def _read_only(uri: str) -> Exception:
    return FlyteUploadDataException(
        f"{uri}: http addresses are read only, since what a server does with an upload differs from one to the next;"
        " write to a path, to s3://…, or to a scheme that fsspec knows"
    )


def _request(uri: str, start: int | None = None, stop: int | None = None, method: str = "GET") -> Any:
    """An open response; of the bytes from `start` up to `stop` where these are given and the server can."""
    headers = {"User-Agent": "windlass", "Accept-Encoding": "identity"}
    if start is not None and stop is not None:
        headers["Range"] = f"bytes={start}-{stop - 1}"

    def ask() -> Any:
        return urlopen(Request(uri, headers=headers, method=method), timeout=_TIMEOUT)  # noqa: S310  our driver is http's

    return _persistent(ask, uri)


def _persistent(ask: Callable[[], T], uri: str) -> T:
    """Asks again where a failure may pass (a busy server, a broken connection), waiting longer each time."""
    for attempt in range(1, _TRIES + 1):
        try:
            return ask()
        except HTTPError as error:
            error.close()
            if error.code in _GONE:
                raise FlyteDataNotFoundException(uri) from error
            failure: Exception = error
            passing = error.code in _PASSING
        except (URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            failure = error
            passing = not _is_hopeless(error)
        if attempt == _TRIES or not passing:
            break
        time.sleep(0.1 * 4**attempt)
    raise FlyteDownloadDataException(f"{uri}: {failure}") from failure


def _is_hopeless(error: Exception) -> bool:
    """A name that does not resolve or a certificate that is wrong stays so."""
    import socket  # noqa: PLC0415  loaded by urllib anyway; only errors ask for it
    import ssl  # noqa: PLC0415  as above

    return isinstance(getattr(error, "reason", None), socket.gaierror | ssl.SSLCertVerificationError)


def _first_byte(uri: str) -> Any:
    """The answer to a request for one byte, or for everything where there is not even one."""
    try:
        return _request(uri, 0, 1)
    except FlyteDownloadDataException as error:
        if getattr(error.__cause__, "code", None) != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return _request(uri)


def _total(response: Any) -> int | None:
    """The size that an answer with a range speaks of; None where the server sent the whole object instead."""
    size = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(size) if response.status == 206 and size.isdigit() else None


def _spooled(response: Any) -> IO[bytes]:
    target: IO[bytes] = tempfile.TemporaryFile(prefix="windlass-")  # noqa: SIM115  the caller closes it
    shutil.copyfileobj(response, target, 1 << 20)
    target.seek(0)
    return target


def _fetcher(uri: str, tag: str | None) -> ranges.Fetch:
    def fetch(start: int, stop: int) -> bytes:
        def ask() -> bytes:
            with _request(uri, start, stop) as response:
                if response.headers.get("ETag") != tag:
                    raise FlyteDownloadDataException(f"{uri}: it changed while it was being read")
                data: bytes = response.read()
            if len(data) != stop - start:
                raise http.client.IncompleteRead(data, stop - start - len(data))
            return data

        return _persistent(ask, uri)

    return fetch


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def _children(here: str, page: str) -> list[Entry]:
    """The links of a page that lead to what is directly below it; those to sort its columns or to go up do not."""
    links = _Links()
    links.feed(page)
    entries = {}
    base = urlsplit(here)
    for link in links.found:
        target = urlsplit(urljoin(here, link))
        if (target.netloc, target.query) != (base.netloc, "") or not target.path.startswith(base.path):
            continue
        relative = target.path[len(base.path) :]
        name = unquote(relative.removesuffix("/"))
        if name and "/" not in name:
            entries[name] = Entry(name, target._replace(fragment="").geturl(), relative.endswith("/"))
    return list(entries.values())
