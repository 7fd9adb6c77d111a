"""The store: bytes by address, over local paths, http, S3 and whatever fsspec knows."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sdk.conftest import HttpServer, S3Server
from windlass import _store
from windlass._exceptions import FlyteDataNotFoundException, FlyteDownloadDataException, FlyteUploadDataException
from windlass._store import Entry, ranges, s3

CONTENT = bytes(range(256)) * 40


@pytest.fixture(params=["path", "file", "s3", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address of each kind that can be written, at which nothing is."""
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3_server")
        return server.uri("place")
    if request.param == "memory":
        pytest.importorskip("fsspec")
        return f"memory://{request.node.name}"
    return f"{'file://' if request.param == 'file' else ''}{tmp_path / 'place'}"


# ---- all that can be written --------------------------------------------------------------------------------------


def test_bytes_come_back_as_they_were_put(place: str) -> None:
    uri = _store.join(place, "a", "b.bin")
    assert _store.put_bytes(CONTENT, "b.bin", uri) == uri
    assert _store.read_bytes(uri) == CONTENT


def test_a_file_comes_back_as_it_was_put(place: str, tmp_path: Path) -> None:
    source = tmp_path / "source.bin"
    source.write_bytes(CONTENT)
    uri = _store.put_file(source, _store.join(place, "x.bin"))
    target = tmp_path / "deep" / "er" / "target.bin"
    assert _store.get_file(uri, target) == str(target)
    assert target.read_bytes() == CONTENT


def test_a_tree_comes_back_as_it_was_put(place: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("one.txt", "sub/two.txt", "sub/deep/three.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    uri = _store.put_tree(source, place)
    target = Path(_store.get_tree(uri, tmp_path / "target"))
    assert {str(file.relative_to(target)): file.read_text() for file in target.rglob("*") if file.is_file()} == {
        "one.txt": "one.txt",
        "sub/two.txt": "sub/two.txt",
        "sub/deep/three.txt": "sub/deep/three.txt",
    }


def test_a_listing_names_files_with_sizes_and_folders_without(place: str) -> None:
    for name in ("b.txt", "a/inner.txt", "c.txt"):
        _store.put_bytes(name.encode(), name, _store.join(place, name))
    listed = [(entry.name, entry.is_dir, entry.size) for entry in _store.listdir(place)]
    assert listed == [("a", True, None), ("b.txt", False, 5), ("c.txt", False, 5)]
    assert [entry.uri for entry in _store.listdir(place)] == [
        _store.join(place, name) for name in ("a", "b.txt", "c.txt")
    ]


def test_what_is_there_exists_as_a_file_or_a_folder(place: str) -> None:
    uri = _store.put_bytes(b"xyz", "f", _store.join(place, "sub", "f"))
    assert _store.exists(uri) and _store.exists(place)
    assert (_store.stat(uri).is_dir, _store.stat(uri).size) == (False, 3)
    assert _store.stat(_store.join(place, "sub")).is_dir
    assert not _store.exists(_store.join(place, "other"))


def test_what_is_not_there_is_said_to_be_missing(place: str, tmp_path: Path) -> None:
    missing = _store.join(place, "missing")
    for read in (
        lambda: _store.read_bytes(missing),
        lambda: _store.get_file(missing, tmp_path / "x"),
        lambda: _store.get_tree(missing, tmp_path / "y"),
        lambda: _store.listdir(missing),
        lambda: _store.stat(missing),
    ):
        with pytest.raises(FlyteDataNotFoundException, match="missing"):
            read()
    assert not (tmp_path / "x").exists()


def test_a_reader_can_seek(place: str) -> None:
    uri = _store.put_bytes(CONTENT, "b", _store.join(place, "b"))
    with _store.open(uri, "rb") as stream:
        assert stream.seek(1000) == 1000
        assert stream.read(10) == CONTENT[1000:1010]
        stream.seek(-5, io.SEEK_END)
        assert stream.read() == CONTENT[-5:]
        stream.seek(0)
        assert stream.read(3) == CONTENT[:3]


def test_texts_are_written_and_read_in_utf_8(place: str) -> None:
    uri = _store.join(place, "t.txt")
    with _store.open(uri, "w") as stream:
        stream.write("grün\nblau\n")
    assert _store.read_bytes(uri) == "grün\nblau\n".encode()
    with _store.open(uri, "r") as stream:
        assert stream.readlines() == ["grün\n", "blau\n"]


def test_walking_goes_from_the_top_down(place: str) -> None:
    for name in ("b.txt", "a/inner.txt"):
        _store.put_bytes(b"", name, _store.join(place, name))
    seen = [([e.name for e in folders], [e.name for e in files]) for _, folders, files in _store.walk(place)]
    assert seen == [(["a"], ["b.txt"]), ([], ["inner.txt"])]


def test_an_empty_object_is_an_object(place: str) -> None:
    uri = _store.put_bytes(b"", "e", _store.join(place, "e"))
    assert _store.read_bytes(uri) == b""
    assert _store.stat(uri).size == 0


# ---- addresses ----------------------------------------------------------------------------------------------------


def test_new_data_goes_below_the_prefix_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", "s3://bucket/run")
    prefix, folder, name = _store.new_uri("a.csv").rsplit("/", 2)
    assert (prefix, len(folder), name) == ("s3://bucket/run", 32, "a.csv")
    assert _store.keeps_outputs()
    with _store.raw_output_prefix(str(tmp_path)):
        assert _store.new_uri("a.csv").startswith(f"{tmp_path}/")
    assert _store.new_uri("a.csv") != _store.new_uri("a.csv")


def test_without_a_prefix_new_data_goes_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WINDLASS_RAW_OUTPUT_PREFIX", raising=False)
    code = (
        "import os, sys; from windlass import _store; uri = _store.put_bytes(b'x', 'a.txt'); print(uri);"
        "child = os.fork()\nif child == 0: sys.exit()\nos.waitpid(child, 0); assert _store.read_bytes(uri) == b'x';"
        "assert not _store.keeps_outputs()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    path = Path(done.stdout.split()[0])
    assert path.name == "a.txt"
    assert not path.exists()
    assert not path.parent.parent.parent.exists()


def test_a_file_address_is_read_as_written_or_as_the_standard_has_it(tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("spaces")
    (tmp_path / "50%25.txt").write_text("percent")
    assert _store.read_bytes(f"file://{tmp_path}/a b.txt") == b"spaces"
    assert _store.read_bytes((tmp_path / "a b.txt").as_uri()) == b"spaces"
    assert _store.read_bytes(f"file://{tmp_path}/50%25.txt") == b"percent"


def test_an_address_of_a_scheme_that_nobody_reads_says_which_are_read() -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(ValueError, match=r"nothing here reads addresses that begin with gopher://.*http"):
        _store.exists("gopher://host/x")


@pytest.mark.parametrize(("module", "uri"), [("boto3", "s3://bucket/key"), ("fsspec", "gs://bucket/key")])
def test_a_library_that_is_not_installed_is_named(module: str, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from windlass._store import s3

    monkeypatch.setattr(s3, "_clients", {})
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match="pip install"):
        _store.exists(uri)


# ---- local files --------------------------------------------------------------------------------------------------


def test_symlinks_in_a_tree_are_left_out(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "real.txt").write_text("real")
    (source / "link.txt").symlink_to(source / "sub" / "real.txt")
    (source / "linked").symlink_to(source / "sub")
    target = Path(_store.put_tree(source, str(tmp_path / "target")))
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*")) == ["sub", "sub/real.txt"]


def test_putting_a_file_or_a_tree_where_it_is_already_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sub" / "f"
    file.parent.mkdir()
    file.write_text("here")
    assert _store.put_file(file, str(file)) == str(file)
    assert _store.put_tree(tmp_path, str(tmp_path)) == str(tmp_path)
    assert file.read_text() == "here"


def test_an_empty_folder_is_a_tree(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    uri = _store.put_tree(tmp_path / "empty", str(tmp_path / "target"))
    assert _store.listdir(uri) == []


# ---- http ---------------------------------------------------------------------------------------------------------


def test_only_the_parts_that_are_read_come_over_http(http_server: HttpServer) -> None:
    (http_server.folder / "big.bin").write_bytes(CONTENT * 500)  # 5 MB
    with _store.open(http_server.uri("big.bin"), "rb") as stream:
        stream.seek(3_000_000)
        assert stream.read(100) == (CONTENT * 500)[3_000_000:3_000_100]
    assert [asked for method, _, asked in http_server.requests if method == "GET"] == [
        "bytes=0-0",
        f"bytes={2 << 20}-{(3 << 20) - 1}",
    ]


def test_a_server_without_ranges_is_read_all_the_same(http_server: HttpServer) -> None:
    http_server.ranges = False
    (http_server.folder / "f.bin").write_bytes(CONTENT)
    with _store.open(http_server.uri("f.bin"), "rb") as stream:
        stream.seek(5000)
        assert stream.read(10) == CONTENT[5000:5010]
    assert len(http_server.requests) == 1


@pytest.mark.parametrize("ranged", [True, False])
def test_an_empty_file_is_read_over_http(http_server: HttpServer, ranged: bool) -> None:
    http_server.ranges = ranged
    (http_server.folder / "empty").write_bytes(b"")
    assert _store.read_bytes(http_server.uri("empty")) == b""


def test_a_busy_server_is_asked_again(http_server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("windlass._store.web.time.sleep", waited.append)
    (http_server.folder / "f").write_bytes(b"at last")
    http_server.failures = 2
    assert _store.read_bytes(http_server.uri("f")) == b"at last"
    assert len(waited) == 2 and waited[0] < waited[1]


def test_a_server_that_stays_busy_is_a_failure_of_the_download(
    http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("windlass._store.web.time.sleep", lambda seconds: None)
    http_server.failures = 99
    with pytest.raises(FlyteDownloadDataException, match="503"):
        _store.read_bytes(http_server.uri("f"))


def test_a_file_that_changes_while_it_is_read_is_an_error(http_server: HttpServer) -> None:
    file = http_server.folder / "f.bin"
    file.write_bytes(CONTENT)
    with _store.open(http_server.uri("f.bin"), "rb", cache_type="none") as stream:
        assert stream.read(1) == CONTENT[:1]
        file.write_bytes(CONTENT[::-1])
        os.utime(file, (1, 1))
        with pytest.raises(FlyteDownloadDataException, match="changed while it was being read"):
            stream.read(5000)


def test_a_page_with_links_is_a_folder(http_server: HttpServer) -> None:
    (http_server.folder / "data" / "sub").mkdir(parents=True)
    (http_server.folder / "data" / "a b.txt").write_text("one")
    (http_server.folder / "data" / "sub" / "c.txt").write_text("two")
    listed = _store.listdir(http_server.uri("data"))
    assert [(entry.name, entry.is_dir) for entry in listed] == [("a b.txt", False), ("sub", True)]
    assert _store.read_bytes(listed[0].uri) == b"one"
    assert _store.stat(http_server.uri("data")).is_dir
    assert _store.stat(http_server.uri("data/sub/c.txt")).size == 3


def test_links_that_lead_elsewhere_are_no_part_of_a_folder(http_server: HttpServer) -> None:
    page = (
        '<a href="../up.txt">up</a> <a href="?C=M">sort</a> <a href="http://example.org/data/x">far</a>'
        ' <a href="deep/er.txt">deep</a> <a href="here.txt#part">here</a> <a href="%2e%2e%2fevil">evil</a>'
    )
    (http_server.folder / "data").mkdir()
    (http_server.folder / "data" / "index.html").write_text(page)
    assert [entry.name for entry in _store.listdir(http_server.uri("data"))] == ["here.txt"]


def test_a_server_without_a_listing_says_so(http_server: HttpServer) -> None:
    (http_server.folder / "f.json").write_text("{}")
    with pytest.raises(FlyteDataNotFoundException):
        _store.listdir(http_server.uri("f.json"))
    (http_server.folder / "d").mkdir()
    (http_server.folder / "d" / "index.html").write_text("no links at all")
    assert _store.listdir(http_server.uri("d")) == []


def test_http_is_read_only(http_server: HttpServer, tmp_path: Path) -> None:
    for write in (
        lambda: _store.put_bytes(b"x", "x", http_server.uri("x")),
        lambda: _store.put_file(__file__, http_server.uri("x")),
        lambda: _store.put_tree(tmp_path, http_server.uri("x")),
    ):
        with pytest.raises(FlyteUploadDataException, match="read only"):
            write()  # type: ignore[no-untyped-call]  # a lambda
    assert http_server.requests == []


# ---- S3 -----------------------------------------------------------------------------------------------------------


def test_a_big_stream_is_sent_in_parts_and_read_in_ranges(s3_server: S3Server) -> None:
    block = os.urandom(1 << 20)
    uri = s3_server.uri("big.bin")
    with _store.open(uri, "wb") as stream:
        for _ in range(20):
            stream.write(block)
        assert stream.tell() == 20 << 20
    head = s3_server.client.head_object(Bucket=s3_server.bucket, Key="big.bin")
    assert (head["ContentLength"], head["ETag"].strip('"')[-2:]) == (20 << 20, "-3")
    with _store.open(uri, "rb") as stream:
        stream.seek((7 << 20) + 5)
        assert stream.read(10) == block[5:15]


def test_a_stream_that_fails_leaves_no_object(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = _store.open(s3_server.uri("broken.bin"), "wb")
    stream.write(os.urandom(9 << 20))
    monkeypatch.setenv("FLYTE_AWS_ENDPOINT", "http://127.0.0.1:1")  # the store is gone
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(FlyteUploadDataException):
        stream.close()
    monkeypatch.delenv("FLYTE_AWS_ENDPOINT")
    assert s3_server.keys() == []


@pytest.mark.parametrize("mode", ["w", "wb"])
@pytest.mark.parametrize("size", [10, 9 << 20])
def test_a_stream_that_is_left_by_an_exception_becomes_no_object(s3_server: S3Server, mode: str, size: int) -> None:
    with pytest.raises(RuntimeError, match="half"), _store.open(s3_server.uri("half"), mode) as stream:
        stream.write("x" * size if mode == "w" else b"x" * size)
        raise RuntimeError("half of it")
    assert stream.closed
    assert s3_server.keys() == []
    assert "Uploads" not in s3_server.client.list_multipart_uploads(Bucket=s3_server.bucket)


def test_an_object_that_is_there_is_not_overwritten_by_mode_x(s3_server: S3Server) -> None:
    uri = s3_server.put("there", b"first")
    with pytest.raises(FileExistsError, match="exists already"):
        _store.open(uri, "xb")
    with _store.open(s3_server.uri("new"), "xb") as stream:
        stream.write(b"new")
    assert (s3_server.read("there"), s3_server.read("new")) == (b"first", b"new")
    with pytest.raises(ValueError, match="not with mode 'a'"):
        _store.open(uri, "ab")


def test_a_gzipped_file_is_stored_with_its_encoding(s3_server: S3Server, tmp_path: Path) -> None:
    file = tmp_path / "a.csv.gz"
    file.write_bytes(gzip.compress(b"1,2"))
    _store.put_file(file, s3_server.uri("a.csv.gz"))
    head = s3_server.client.head_object(Bucket=s3_server.bucket, Key="a.csv.gz")
    assert head["ContentEncoding"] == "gzip"
    assert _store.read_bytes(s3_server.uri("a.csv.gz")) == file.read_bytes()


def test_more_objects_than_fit_on_a_page_are_listed(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from windlass._store import s3

    for number in range(5):
        s3_server.put(f"many/{number}", b"")
    real = s3._client

    class Pages:
        """The client, with two keys a page."""

        def list_objects_v2(self, **question: Any) -> Any:
            return real(signed=True).list_objects_v2(**question, MaxKeys=2)

    monkeypatch.setattr(s3, "_client", lambda **_: Pages())
    assert [entry.name for entry in _store.listdir(s3_server.uri("many"))] == ["0", "1", "2", "3", "4"]


def test_an_empty_folder_is_kept_in_s3(s3_server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    uri = _store.put_tree(tmp_path / "empty", s3_server.uri("empty"))
    assert _store.stat(uri).is_dir
    assert _store.listdir(uri) == []
    assert [*Path(_store.get_tree(uri, tmp_path / "back")).iterdir()] == []


def test_a_bucket_is_a_folder(s3_server: S3Server) -> None:
    s3_server.put("a/b", b"")
    assert [entry.name for entry in _store.listdir(f"s3://{s3_server.bucket}")] == ["a"]
    assert _store.stat(f"s3://{s3_server.bucket}").is_dir
    assert not _store.exists("s3://no-such-bucket-here/a")
    with pytest.raises(ValueError, match="names no bucket"):
        _store.exists("s3://")


def test_the_names_that_flyte_has_for_the_endpoint_and_the_keys_come_first(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = s3_server.put("k", b"v")
    monkeypatch.setenv("FLYTE_AWS_ENDPOINT", s3_server.store.endpoint)
    monkeypatch.setenv("FLYTE_AWS_ACCESS_KEY_ID", s3_server.store.access_key)
    monkeypatch.setenv("FLYTE_AWS_SECRET_ACCESS_KEY", s3_server.store.secret_key)
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert _store.read_bytes(uri) == b"v"


def test_what_anybody_may_read_is_read_without_credentials(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = s3_server.put("public", b"for all")
    policy = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",'
        f' "Resource": "arn:aws:s3:::{s3_server.bucket}/*"}}]}}'
    )
    s3_server.client.put_bucket_policy(Bucket=s3_server.bucket, Policy=policy)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert _store.read_bytes(uri) == b"for all"
    with pytest.raises(FlyteUploadDataException):
        _store.put_bytes(b"x", "x", s3_server.uri("other"))


def streamed(uri: str, path: Path) -> None:
    """As it is written by a task."""
    with _store.open(uri, "wb") as stream:
        stream.write(path.read_bytes())


@pytest.mark.parametrize("send", [streamed, lambda uri, path: _store.put_file(path, uri)], ids=["streamed", "a file"])
def test_an_upload_in_parts_has_ended_when_the_object_is_whole_whatever_the_store_has_said_before(
    send: Callable[[str, Path], None], s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, looks = tmp_path / "large", []
    path.write_bytes(bytes(9 << 20))
    monkeypatch.setattr(s3, "_LOOK", 0)
    real = s3.S3.stat

    def late(driver: s3.S3, uri: str) -> Entry | None:
        looks.append(uri)
        return real(driver, uri) if len(looks) > 2 else None

    monkeypatch.setattr(s3.S3, "stat", late)
    send(s3_server.uri("large"), path)
    assert len(looks) == 3
    monkeypatch.setattr(s3, "_ASSEMBLING", 0)
    monkeypatch.setattr(s3.S3, "stat", lambda *_: None)
    with pytest.raises(FlyteUploadDataException, match="large: the store took 9437184 bytes in parts, and has not put"):
        send(s3_server.uri("large"), path)

    def refused(*_: object) -> Entry | None:
        raise FlyteDownloadDataException("403")

    monkeypatch.setattr(s3.S3, "stat", refused)
    send(s3_server.uri("large"), path)  # whoever may only write can't look


def test_wrong_credentials_are_a_failure_that_names_the_object(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3_server.put("private/a", b"")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    with pytest.raises(FlyteDownloadDataException, match="private"):
        _store.listdir(s3_server.uri("private"))
    with pytest.raises(FlyteUploadDataException, match="private"):
        _store.put_bytes(b"", "x", s3_server.uri("private"))


# ---- what a reader keeps ------------------------------------------------------------------------------------------


class Source:
    """Bytes that count who asks for them."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def fetch(self, start: int, stop: int) -> bytes:
        self.asked.append((start, stop))
        return CONTENT[start:stop]


@pytest.mark.parametrize(
    ("cache_type", "options", "asked", "reason"),
    [
        ("readahead", {}, [(0, 1000), (5000, 6000), (0, 1000)], "one block"),
        ("bytes", {}, [(0, 1000), (5000, 6000), (0, 1000)], "another name of it"),
        (None, {}, [(0, 1000), (5000, 6000), (0, 1000)], "it is the default"),
        ("first", {}, [(0, 1000), (5000, 6000)], "the first block stays"),
        ("blockcache", {"maxblocks": 2}, [(0, 1000), (5000, 6000)], "two blocks stay"),
        ("blockcache", {"maxblocks": 1}, [(0, 1000), (5000, 6000), (0, 1000)], "one block does not do"),
        ("mmap", {}, [(0, 1000), (5000, 6000)], "all blocks stay"),
        ("all", {}, [(0, len(CONTENT))], "everything at once"),
        ("none", {}, [(0, 10), (5500, 5510), (0, 10)], "nothing but what is asked for"),
    ],
)
def test_each_cache_keeps_what_its_name_says(
    cache_type: str | None, options: dict[str, int], asked: list[tuple[int, int]], reason: str
) -> None:
    source = Source()
    stream = ranges.reader(source.fetch, len(CONTENT), cache_type, {"block_size": 1000, **options}, "it")
    raw: Any = stream.raw  # type: ignore[attr-defined]  # past the buffer of Python's own
    for start in (0, 5500, 0):
        buffer = bytearray(10)
        raw.seek(start)
        raw.readinto(buffer)
        assert bytes(buffer) == CONTENT[start : start + 10], reason
    stream.close()
    assert source.asked == asked, reason


def test_the_background_cache_has_the_next_block_before_it_is_wanted() -> None:
    source = Source()
    with ranges.reader(source.fetch, 3000, "background", {"block_size": 1000}, "it") as stream:
        assert stream.read(10) == CONTENT[:10]
        assert stream.read() == CONTENT[10:3000]
    assert sorted(source.asked) == [(0, 1000), (1000, 2000), (2000, 3000)]


def test_an_unknown_cache_or_option_is_refused() -> None:
    with pytest.raises(ValueError, match="cache_type is 'magic'; it is one of readahead"):
        ranges.reader(Source().fetch, 1, "magic", {}, "it")
    with pytest.raises(ValueError, match="cache_options has blocks"):
        ranges.reader(Source().fetch, 1, "mmap", {"blocks": 1}, "it")
    with pytest.raises(ValueError, match="at least 1"):
        ranges.reader(Source().fetch, 1, "blockcache", {"maxblocks": 0}, "it")


def test_seeking_before_the_start_is_an_error() -> None:
    stream = ranges.reader(Source().fetch, 10, "none", {}, "it")
    with pytest.raises(ValueError, match="before the start"):
        stream.seek(-1)
    assert stream.seek(99) == 99
    assert stream.read() == b""
