"""The driver of every other scheme: fsspec, and the library that fsspec wants for it (gcsfs for gs://, adlfs for abfs://…)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from windlass._exceptions import FlyteDataNotFoundException, FlyteDownloadDataException, FlyteUploadDataException
from windlass._store.driver import Driver
from windlass._store.places import Entry, join, name_of


class Foreign(Driver):
    """Whatever fsspec can reach."""

    def __init__(self, scheme: str) -> None:
        try:
            import fsspec  # noqa: PLC0415  optional, needed by the schemes that are not ours alone
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"addresses that begin with {scheme}:// are read through fsspec, which is not installed:"
                f" pip install fsspec, and the library it wants for {scheme}",
                name=error.name,
            ) from error
        if scheme not in fsspec.available_protocols():
            raise ValueError(
                f"nothing here reads addresses that begin with {scheme}://; known are file, http, https, s3, and by"
                f" fsspec {', '.join(sorted(fsspec.available_protocols()))}"
            )
        self._files: Any = fsspec.filesystem(scheme)  # says itself which library to install where one is missing

    def open(self, uri: str, kind: str, cache_type: str | None, cache_options: Mapping[str, Any]) -> IO[bytes]:
        """fsspec's stream; its own cache types hold here, and `block_size` is its parameter of that name."""
        options: dict[str, Any] = {}
        rest = dict(cache_options)
        if "block_size" in rest:
            options["block_size"] = rest.pop("block_size")
        if cache_type is not None:
            options["cache_type"] = cache_type
        if rest:
            options["cache_options"] = rest
        try:
            stream: IO[bytes] = self._files.open(uri, f"{kind}b", **options)
        except FileNotFoundError as error:
            raise FlyteDataNotFoundException(uri) from error
        return stream

    def stat(self, uri: str) -> Entry | None:
        try:
            found = self._files.info(uri)
        except FileNotFoundError:
            return None
        folder = found["type"] == "directory"
        return Entry(name_of(uri), uri, folder, None if folder else found.get("size"))

    def listdir(self, uri: str) -> list[Entry]:
        try:
            found = self._files.ls(uri, detail=True)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FlyteDataNotFoundException(uri) from error
        here = self._bare(uri)
        return [_entry(uri, item) for item in found if self._bare(item["name"]) != here]  # some list the folder itself

    def _bare(self, uri: str) -> str:
        return str(self._files._strip_protocol(uri)).rstrip("/")

    def get_file(self, uri: str, path: str) -> None:
        try:
            self._files.get_file(uri, path)
        except FileNotFoundError as error:
            raise FlyteDataNotFoundException(uri) from error
        except OSError as error:
            raise FlyteDownloadDataException(f"{uri}: {error}") from error

    def put_file(self, path: str, uri: str) -> None:
        try:
            self._files.makedirs(uri.rpartition("/")[0], exist_ok=True)
            self._files.put_file(path, uri)
        except OSError as error:
            raise FlyteUploadDataException(f"{uri}: {error}") from error


def _entry(uri: str, item: dict[str, Any]) -> Entry:
    name, folder = name_of(item["name"]), item["type"] == "directory"
    return Entry(name, join(uri, name), folder, None if folder else item.get("size"))
