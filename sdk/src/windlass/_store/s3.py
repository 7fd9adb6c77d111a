"""The driver of S3 and whatever speaks its API, on boto3 (the extra `s3`).

Where and as whom is what boto3 finds (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, a role of the pod's service account…);
`FLYTE_AWS_ENDPOINT`, `FLYTE_AWS_ACCESS_KEY_ID` and `FLYTE_AWS_SECRET_ACCESS_KEY` come before these where they are set.
Reading what anybody may read works without credentials: a request that was refused is asked again unsigned.

A folder is what all keys with a common beginning share; an empty one is kept by an object whose key ends in a slash.
"""

# ruff: noqa: PTH110, PTH202  addresses are strings, and so are paths

from __future__ import annotations

import base64
import hashlib
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from operator import methodcaller
from typing import IO, Any

from windlass._exceptions import (
    FlyteDataNotFoundException,
    FlyteDownloadDataException,
    FlyteException,
    FlyteUploadDataException,
)
from windlass._store import ranges
from windlass._store.driver import Driver, Sink, local_files
from windlass._store.places import Content, Entry, join, name_of

_PART = 8 << 20  # bytes of one part of a streamed upload; S3 wants at least 5 MiB
_MOST_PARTS = 10_000
_GONE = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")
_REFUSED = ("401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken")
PACKAGES = "windlass_s3"
"""The folder, beside the packages of a mounted runtime, that has boto3."""
_STYLE = "WINDLASS_S3_PATH_STYLE"
_CONNECT, _READ = 10, 60  # seconds without an answer after which a try has failed
_ASSEMBLING, _LOOK = 600.0, 1.0  # seconds: how long a store may take to put parts together, how often it is asked
_clients: dict[tuple[int, bool, tuple[str | None, ...]], Any] = {}
_lock = threading.Lock()


class S3(Driver):
    """Objects in buckets: `s3://bucket/key`."""

    def open(self, uri: str, kind: str, cache_type: str | None, cache_options: Mapping[str, Any]) -> IO[bytes]:
        """A reader by ranges, or a writer that sends parts as they fill up."""
        if kind == "w":
            return Sink(_Upload(uri), 1 << 20)
        if kind == "x":
            if self.stat(uri) is not None:
                raise FileExistsError(f"{uri} exists already")
            return Sink(_Upload(uri), 1 << 20)
        if kind != "r":
            raise ValueError(
                f"{uri}: an object in S3 is read (r) or written as a whole (w, x), so not with mode {kind!r}"
            )
        bucket, key = _parts(uri)

        def fetch(start: int, stop: int) -> bytes:
            def ask(client: Any) -> Any:
                span = f"bytes={start}-{stop - 1}"
                answer = client.get_object(Bucket=bucket, Key=key, Range=span, IfMatch=head["ETag"])
                return answer["Body"].read()

            part: bytes = _reading(ask, uri)
            return part

        head = _reading(lambda client: client.head_object(Bucket=bucket, Key=key), uri)
        return ranges.reader(fetch, head["ContentLength"], cache_type, cache_options, uri)

    def stat(self, uri: str) -> Entry | None:
        bucket, key = _parts(uri)
        if key and not key.endswith("/"):
            try:
                head = _reading(lambda client: client.head_object(Bucket=bucket, Key=key), uri)
            except FlyteDataNotFoundException:
                pass
            else:
                return Entry(name_of(uri), uri, False, head["ContentLength"], head["LastModified"].timestamp())
        try:
            found = _reading(lambda client: client.list_objects_v2(Bucket=bucket, Prefix=_folder(key), MaxKeys=1), uri)
        except FlyteDataNotFoundException:
            return None
        return Entry(name_of(uri), uri, True) if found.get("KeyCount") or not key else None

    def listdir(self, uri: str) -> list[Entry]:
        bucket, key = _parts(uri)
        above = _folder(key)
        entries, seen = [], not key
        for page in _pages(uri, bucket, above):
            seen = seen or bool(page.get("KeyCount"))
            entries += [_entry(uri, above, item["Prefix"], None) for item in page.get("CommonPrefixes", ())]
            objects = [item for item in page.get("Contents", ()) if item["Key"] != above]
            entries += [_entry(uri, above, item["Key"], item["Size"]) for item in objects]
        if not seen:
            raise FlyteDataNotFoundException(uri)
        return entries

    def contents(self, uri: str) -> Iterator[Content]:
        bucket, key = _parts(uri)
        for page in _pages(uri, bucket, _folder(key), delimiter=""):
            for item in page.get("Contents", ()):
                yield Content(f"s3://{bucket}/{item['Key']}", item["Size"], item["LastModified"].timestamp())

    def remove_tree(self, uri: str) -> None:
        bucket, key = _parts(uri)
        if not key:
            raise ValueError(f"{uri}: a whole bucket is not removed")
        for page in _pages(uri, bucket, _folder(key), delimiter=""):
            keys = [{"Key": item["Key"]} for item in page.get("Contents", ())]
            if not keys:
                continue
            asked = {"Bucket": bucket, "Delete": {"Objects": keys, "Quiet": True}}
            refused = _writing(methodcaller("delete_objects", **asked), uri).get("Errors")
            if refused:
                raise FlyteUploadDataException(f"{uri} can't be removed: {refused[0].get('Message') or refused[0]}")

    def remove_file(self, uri: str) -> None:
        bucket, key = _parts(uri)
        _writing(lambda client: client.delete_object(Bucket=bucket, Key=key), uri)

    def get_file(self, uri: str, path: str) -> None:
        bucket, key = _parts(uri)
        _reading(lambda client: client.download_file(bucket, key, path), uri)

    def put_file(self, path: str, uri: str) -> None:
        bucket, key = _parts(uri)
        if not os.path.exists(path):
            raise FlyteDataNotFoundException(path)
        extra = {"ContentEncoding": "gzip"} if path.endswith(".gz") else {}
        _writing(lambda client: client.upload_file(path, bucket, key, ExtraArgs=extra), uri)
        _await(uri, os.path.getsize(path))

    def put_tree(self, folder: str, uri: str) -> None:
        bucket, key = _parts(uri)
        if not local_files(folder):
            _writing(lambda client: client.put_object(Bucket=bucket, Key=_folder(key), Body=b""), uri)
            return
        super().put_tree(folder, uri)


class _Upload(io.RawIOBase):
    """A stream that becomes an object when it is closed: small ones at once, others in parts as they fill up.

    Leaving `with` by an exception leaves nothing behind: the upload is given up, and no object appears.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._bucket, self._key = _parts(uri)
        self._pending = bytearray()
        self._upload: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._at = 0
        self.abandoned = False

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        size = len(data)
        if self.abandoned:
            return size
        self._pending += data
        self._at += size
        while len(self._pending) >= self._part_size():
            self._send(self._part_size())
        return size

    def close(self) -> None:
        if self.closed:
            return
        try:
            if not self.abandoned:
                self._finish()
        except BaseException:
            self.abandoned = True
            raise
        finally:
            if self.abandoned:
                self._give_up()
            super().close()

    def _part_size(self) -> int:
        """Grows with the number of parts, of which there are at most 10,000: enough for 5 TB."""
        return _PART * (1 + len(self._parts) // 1000) ** 2

    def _send(self, size: int) -> None:
        if self._upload is None:
            started = _writing(lambda c: c.create_multipart_upload(Bucket=self._bucket, Key=self._key), self._uri)
            self._upload = started["UploadId"]
        part, self._pending = bytes(self._pending[:size]), self._pending[size:]
        number = len(self._parts) + 1
        if number > _MOST_PARTS:
            raise FlyteUploadDataException(f"{self._uri}: an object in S3 has at most {_MOST_PARTS} parts")
        asked = {"Body": part, "PartNumber": number, "ContentMD5": _md5(part), **self._named()}
        sent = _writing(methodcaller("upload_part", **asked), self._uri)
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})

    def _finish(self) -> None:
        if self._upload is None:
            body = bytes(self._pending)
            asked = {"Bucket": self._bucket, "Key": self._key, "Body": body, "ContentMD5": _md5(body)}
            _writing(methodcaller("put_object", **asked), self._uri)
            return
        if self._pending:
            self._send(len(self._pending))
        done = {"Parts": self._parts}
        _writing(lambda client: client.complete_multipart_upload(MultipartUpload=done, **self._named()), self._uri)
        _await(self._uri, self._at)

    def _give_up(self) -> None:
        if self._upload is not None:
            with suppress(Exception):  # what was sent costs room until the store tidies up, and no object appears
                _client(signed=True).abort_multipart_upload(**self._named())

    def _named(self) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": self._key, "UploadId": self._upload}


def signed_link(uri: str, seconds: int) -> str:
    """A link to an object that works for so long."""
    bucket, key = _parts(uri)
    if S3().stat(uri) is None:
        raise FlyteDataNotFoundException(uri)
    asked = {"Params": {"Bucket": bucket, "Key": key}, "ExpiresIn": seconds}
    link: str = _reading(lambda client: client.generate_presigned_url("get_object", **asked), uri)
    return link


def _await(uri: str, size: int) -> None:
    """Waits until an object that was sent in parts is whole.

    A store may take longer to put gigabytes together than a request lasts. Asked a second time, some say at once that
    it is done, while they are still at it.
    """
    deadline = time.monotonic() + _ASSEMBLING
    while size >= _PART:
        try:
            found = S3().stat(uri)
        except FlyteDownloadDataException:
            return  # who may only write can't look
        if found is not None and found.size == size:
            return
        if time.monotonic() > deadline:
            raise FlyteUploadDataException(
                f"{uri}: the store took {size} bytes in parts, and has not put them together within"
                f" {_ASSEMBLING / 60:.0f} minutes"
            )
        time.sleep(_LOOK)


def _md5(data: bytes) -> str:
    """What every store that speaks S3 compares with what it has received."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


# ---- asking ----------------------------------------------------------------------------------------------------------


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.partition("://")[2].partition("/")
    if not bucket:
        raise ValueError(f"{uri!r} names no bucket; an address in S3 is s3://bucket/key")
    return bucket, key


def _folder(key: str) -> str:
    return f"{key.rstrip('/')}/" if key else ""


def _entry(uri: str, above: str, key: str, size: int | None) -> Entry:
    name = key[len(above) :].removesuffix("/")
    return Entry(name, join(uri, name), size is None, size)


def _pages(uri: str, bucket: str, above: str, delimiter: str = "/") -> Iterator[dict[str, Any]]:
    question = {"Bucket": bucket, "Prefix": above, **({"Delimiter": delimiter} if delimiter else {})}
    while True:
        page: dict[str, Any] = _reading(methodcaller("list_objects_v2", **question), uri)
        yield page
        if not page.get("IsTruncated"):
            return
        question["ContinuationToken"] = page["NextContinuationToken"]


def _reading(ask: Callable[[Any], Any], uri: str) -> Any:
    """Asks signed, and once more unsigned where there are no credentials or they were refused: it may be public."""
    _find_boto3()
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415  loaded on use

    try:
        try:
            return ask(_client(signed=True))
        except (NoCredentialsError, ClientError) as error:
            if isinstance(error, ClientError) and _code(error) not in _REFUSED:
                raise
            try:
                return ask(_client(signed=False))
            except (BotoCoreError, ClientError):
                raise error from None
    except ClientError as error:
        if _code(error) in _GONE:
            raise FlyteDataNotFoundException(uri) from error
        if _code(error) == "PreconditionFailed":
            raise FlyteDownloadDataException(f"{uri}: it changed while it was being read") from error
        raise FlyteDownloadDataException(f"{uri}: {error}") from error
    except (BotoCoreError, OSError) as error:
        raise FlyteDownloadDataException(f"{uri}: {error}") from error


def _writing(ask: Callable[[Any], Any], uri: str) -> Any:
    _find_boto3()
    from boto3.exceptions import Boto3Error  # noqa: PLC0415  loaded on use
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  as above

    try:
        return ask(_client(signed=True))
    except FlyteException:
        raise
    except (BotoCoreError, ClientError, Boto3Error, OSError) as error:
        raise FlyteUploadDataException(f"{uri}: {error}") from error


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _client(*, signed: bool) -> Any:
    """A client for what the environment says, one per process and setting: they are slow to make and safe to share."""
    names = ("FLYTE_AWS_ENDPOINT", "FLYTE_AWS_ACCESS_KEY_ID", "FLYTE_AWS_SECRET_ACCESS_KEY")
    boto = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_REGION", _STYLE)
    setting = tuple(os.environ.get(name) for name in (*names, *boto))
    key = (os.getpid(), signed, setting)
    with _lock:
        if key not in _clients:
            _clients[key] = _new_client(*setting[:3], signed=signed)
        return _clients[key]


def _new_client(endpoint: str | None, access_key: str | None, secret_key: str | None, *, signed: bool) -> Any:
    import boto3  # noqa: PLC0415  an extra of the SDK, needed by s3:// alone
    from botocore import UNSIGNED  # noqa: PLC0415  as above
    from botocore.config import Config  # noqa: PLC0415  as above

    settings: dict[str, Any] = {
        "connect_timeout": _CONNECT,
        "read_timeout": _READ,
        "retries": {"mode": "standard", "max_attempts": 5},
        "max_pool_connections": 32,
    }
    # Checksums of the newer kinds are asked for only where the API demands one, unless the environment says otherwise:
    # older stores do not know them.
    for name in ("request_checksum_calculation", "response_checksum_validation"):
        settings[name] = os.environ.get(f"AWS_{name.upper()}", "when_required").lower()
    if os.environ.get(_STYLE, "").lower() in ("1", "true"):
        settings["s3"] = {"addressing_style": "path"}
    if not signed:
        settings["signature_version"] = UNSIGNED
    region = None if os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") else "us-east-1"
    session = boto3.session.Session()
    return session.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=session.region_name or region,
        config=Config(**settings),
    )


def _find_boto3() -> None:
    """The image's own boto3; where it has none, the one beside the runtime that is mounted into pods."""
    if sys.modules.get("boto3") is not None:
        return
    try:
        __import__("boto3")
    except ModuleNotFoundError as error:
        beside = os.path.join(os.path.dirname(__file__), "..", "..", PACKAGES)  # noqa: PTH118, PTH120  as above
        if not os.path.isdir(beside):  # noqa: PTH112  as above
            raise ModuleNotFoundError(
                'reading and writing s3:// needs boto3, which is not installed: pip install "windlass[s3]"',
                name=error.name,
            ) from error
        if beside not in sys.path:
            sys.path.append(beside)  # behind everything of the image's: no package of the user's changes by it
