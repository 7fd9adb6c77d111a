"""FlyteFile: where its bytes are, when they are fetched, and where they go when a task returns it."""

# ruff: noqa: PTH123, SIM115  that the builtin opens a FlyteFile is what is tested

from __future__ import annotations

import copy
import json
import os
import pickle
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel

from tests.unit.sdk.conftest import HttpServer, S3Server
from windlass import TypeTransformerFailedError, _store, _types, task, workflow
from windlass._data import files
from windlass._data.blobs import FileExt
from windlass._data.files import CSVFile, FlyteFile
from windlass._data.folders import FlyteDirectory
from windlass._exceptions import FlyteDataNotFoundException


@pytest.fixture
def local_file(tmp_path: Path) -> Path:
    """A file of this machine."""
    path = tmp_path / "a.csv"
    path.write_text("1,2\n")
    return path


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that outputs go to, as they go to a bucket in a cluster."""
    folder = tmp_path / "outputs"
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", str(folder))
    return folder


def returned(value: Any, kind: Any = FlyteFile) -> Any:
    """What travels when a task returns the value."""
    return _types.to_wire(value, kind, "here:")


def received(wire: Any, kind: Any = FlyteFile) -> Any:
    """What a task gets."""
    return _types.from_wire(wire, kind, "here:")


# ---- formats ------------------------------------------------------------------------------------------------------


def test_the_ways_to_write_a_format_come_to_one_class() -> None:
    kind: Any = FlyteFile["csv"]  # type: ignore[name-defined]
    ways: list[Any] = [
        FlyteFile[Literal["csv"]],
        FlyteFile[typing.TypeVar("csv")],  # type: ignore[misc]
        FlyteFile[Annotated[str, FileExt("csv")]],
        FlyteFile[Literal[".csv"]],
        CSVFile,
    ]
    assert all(way is kind for way in ways)
    assert kind.extension() == "csv"
    assert FlyteFile.extension() == ""
    assert issubclass(kind, FlyteFile)
    assert FileExt("csv").extension == "csv"


@pytest.mark.parametrize(
    ("alias", "extension"),
    [
        ("CSVFile", "csv"),
        ("HDF5EncodedFile", "hdf5"),
        ("HTMLPage", "html"),
        ("JoblibSerializedFile", "joblib"),
        ("JPEGImageFile", "jpeg"),
        ("JSONLFile", "jsonl"),
        ("ONNXFile", "onnx"),
        ("PDFFile", "pdf"),
        ("PNGImageFile", "png"),
        ("PythonNotebook", "ipynb"),
        ("PythonPickledFile", "python_pickle"),
        ("SVGImageFile", "svg"),
        ("TFRecordFile", "tfrecord"),
    ],
)
def test_an_alias_is_a_file_of_its_format(alias: str, extension: str) -> None:
    kind = getattr(files, alias)
    assert kind is FlyteFile[extension]  # type: ignore[valid-type]
    assert _types.type_expression(kind) == (f"file[{extension}]", None)


@pytest.mark.parametrize("wrong", [7, "a/b", "csv]", ["csv"]])
def test_what_is_no_format_is_refused(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="format"):
        FlyteFile[wrong]


def test_a_file_without_a_format_is_a_file() -> None:
    assert _types.type_expression(FlyteFile) == ("file", None)
    assert _types.type_expression(list[CSVFile]) == ("list[file[csv]]", None)


# ---- receiving ----------------------------------------------------------------------------------------------------


def test_nothing_is_fetched_before_the_file_is_opened(http_server: HttpServer) -> None:
    (http_server.folder / "a.csv").write_text("1,2\n")
    uri = http_server.uri("a.csv")
    file = received({"uri": uri}, CSVFile)
    assert (file.remote_source, file.downloaded, Path(file.path).name) == (uri, False, "a.csv")
    assert not Path(file.path).exists()
    assert http_server.requests == []
    with open(file) as stream:
        assert stream.read() == "1,2\n"
    assert file.downloaded
    assert Path(file.path).read_text() == "1,2\n"
    assert os.fspath(file) == file.download() == file.path
    assert len(http_server.requests) == 1
    assert file.remote_source == uri
    assert isinstance(file, CSVFile)


def test_a_file_is_streamed_without_being_fetched(s3_server: S3Server) -> None:
    file = received({"uri": s3_server.put("big.bin", b"0123456789" * 300_000)})
    with file.open("rb", cache_type="blockcache", cache_options={"block_size": 1000, "maxblocks": 4}) as stream:
        stream.seek(2_000_005)
        assert stream.read(5) == b"56789"
    assert not file.downloaded
    assert not Path(file.path).exists()


def test_a_fetched_file_is_opened_where_it_lies(http_server: HttpServer) -> None:
    (http_server.folder / "a").write_text("text")
    file = FlyteFile.from_source(http_server.uri("a"))
    file.download()
    before = len(http_server.requests)
    with file.open("r") as stream:
        assert stream.read() == "text"
    assert len(http_server.requests) == before


def test_a_local_file_is_received_as_it_lies(local_file: Path) -> None:
    file = received({"uri": str(local_file)})
    assert (file.path, file.remote_source) == (str(local_file), None)
    assert os.fspath(received({"uri": f"file://{local_file}"})) == str(local_file)
    assert os.fspath(received(str(local_file))) == str(local_file)


def test_a_file_that_is_not_there_is_said_so_when_it_is_opened(s3_server: S3Server) -> None:
    file = received({"uri": s3_server.uri("missing")})
    with pytest.raises(FlyteDataNotFoundException, match="missing"):
        open(file)
    assert not file.downloaded


@pytest.mark.parametrize("wire", [7, None, {"uri": 7}, {"path": None}, []])
def test_what_stands_for_no_file_is_refused(wire: Any) -> None:
    with pytest.raises(TypeTransformerFailedError, match="uri"):
        received(wire)


def test_a_file_may_be_at_an_address_from_the_start(http_server: HttpServer) -> None:
    (http_server.folder / "a").write_text("text")
    file: FlyteFile = FlyteFile(http_server.uri("a"))
    assert file.path == file.remote_source == http_server.uri("a")
    assert Path(file).read_text() == "text"
    assert file.path == http_server.uri("a")


def test_any_scheme_that_fsspec_knows_is_a_source() -> None:
    pytest.importorskip("fsspec")
    _store.put_bytes(b"from memory", "a", "memory://files/a")
    assert Path(FlyteFile.from_source("memory://files/a")).read_bytes() == b"from memory"


def test_a_downloader_is_called_once_before_the_first_use(tmp_path: Path) -> None:
    calls = []

    def downloader() -> None:
        calls.append(1)
        (tmp_path / "made").write_text("made")

    file: FlyteFile = FlyteFile(tmp_path / "made", downloader=downloader)
    assert calls == []
    with open(file) as stream, file.open("r") as again:
        assert stream.read() == again.read() == "made"
    assert calls == [1]
    assert file.downloaded


# ---- returning ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FlyteFile, str, Path])
def test_a_local_run_leaves_a_local_file_where_it_is(
    kind: Any, local_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WINDLASS_RAW_OUTPUT_PREFIX", raising=False)
    assert returned(kind(local_file)) == {"uri": str(local_file)}


@pytest.mark.parametrize("kind", [FlyteFile, str, Path])
def test_where_outputs_go_to_a_store_a_local_file_is_copied_there(kind: Any, local_file: Path, store: Path) -> None:
    wire = returned(kind(local_file), CSVFile)
    assert wire == {"uri": wire["uri"], "format": "csv", "size": 4}
    stored = Path(wire["uri"])
    assert (stored.parent.parent, stored.name, stored.read_text()) == (store, "a.csv", "1,2\n")


def test_what_lies_in_the_store_already_is_not_copied_again(store: Path) -> None:
    file = FlyteFile.new_remote_file("a.txt")
    with file.open("w") as stream:
        stream.write("once")
    assert returned(file) == {"uri": file.path}
    assert len([*store.iterdir()]) == 1


def test_in_a_cluster_a_file_goes_to_s3(s3_server: S3Server, local_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", s3_server.uri("out"))
    wire = returned(FlyteFile(local_file, metadata={"content": "rows"}))
    assert wire == {"uri": wire["uri"], "size": 4, "metadata": {"content": "rows"}}
    assert s3_server.keys() == [wire["uri"].removeprefix(f"s3://{s3_server.bucket}/")]
    again = received(wire)
    assert (Path(again).read_text(), again.metadata) == ("1,2\n", {"content": "rows"})


def test_a_file_goes_to_its_remote_path_also_in_local_runs(
    s3_server: S3Server, local_file: Path, tmp_path: Path
) -> None:
    uri = s3_server.uri("exactly/here.csv")
    assert returned(FlyteFile(local_file, remote_path=uri))["uri"] == uri
    assert s3_server.read("exactly/here.csv") == b"1,2\n"
    target = tmp_path / "there.csv"
    assert returned(FlyteFile(local_file, remote_path=target))["uri"] == str(target)
    assert target.read_text() == "1,2\n"


def test_remote_path_false_leaves_the_file_where_it_is(local_file: Path, store: Path) -> None:
    file: FlyteFile = FlyteFile(local_file, remote_path=False)
    assert file.remote_path is False
    assert returned(file) == {"uri": str(local_file)}
    assert not store.exists()


def test_remote_path_true_says_nothing() -> None:
    with pytest.raises(ValueError, match="remote_path=True says nothing"):
        FlyteFile("a", remote_path=True)


def test_an_address_is_passed_as_it_is(http_server: HttpServer, store: Path) -> None:
    uri = http_server.uri("a.csv")
    assert returned(FlyteFile(uri)) == {"uri": uri}
    assert returned(uri) == {"uri": uri}
    assert http_server.requests == []
    assert not store.exists()


def test_an_address_with_a_remote_path_is_copied_there(s3_server: S3Server, http_server: HttpServer) -> None:
    (http_server.folder / "a").write_text("text")
    uri = s3_server.uri("copy")
    assert returned(FlyteFile(http_server.uri("a"), remote_path=uri)) == {"uri": uri}
    assert s3_server.read("copy") == b"text"


def test_a_file_that_is_passed_on_keeps_all_that_was_known_of_it(http_server: HttpServer, store: Path) -> None:
    (http_server.folder / "a").write_text("text")
    wire = {"uri": http_server.uri("a"), "format": "csv", "size": 4, "hash": "abc", "sha256": "0" * 64}
    file = received(wire)
    assert returned(file) == wire
    file.download()
    assert returned(file) == wire
    assert not store.exists()


def test_a_fetched_file_that_was_changed_is_stored_anew(http_server: HttpServer, store: Path) -> None:
    (http_server.folder / "a").write_text("text")
    file = received({"uri": http_server.uri("a"), "size": 4})
    with open(file, "a") as stream:
        stream.write(" and more")
    wire = returned(file)
    assert (Path(wire["uri"]).read_text(), wire["size"]) == ("text and more", 13)
    assert (http_server.folder / "a").read_text() == "text"


@pytest.mark.parametrize(
    ("name", "says"), [("missing", "nothing lies there"), ("", "a folder lies there: use FlyteDirectory")]
)
def test_a_local_path_must_lead_to_a_file(name: str, says: str, tmp_path: Path) -> None:
    for error_class in (TypeTransformerFailedError, ValueError, AssertionError):
        with pytest.raises(error_class, match=says):
            returned(FlyteFile(tmp_path / name))


@pytest.mark.parametrize("value", [7, None, b"bytes", FlyteDirectory("x")])
def test_what_is_no_file_is_refused(value: Any) -> None:
    with pytest.raises(TypeTransformerFailedError, match="expected a file"):
        returned(value)


def test_a_link_is_stored_as_the_file_that_it_leads_to(local_file: Path, tmp_path: Path, store: Path) -> None:
    link = tmp_path / "latest.csv"
    link.symlink_to(local_file)
    stored = Path(returned(link)["uri"])
    assert (stored.name, stored.is_symlink(), stored.read_text()) == ("latest.csv", False, "1,2\n")


def test_a_file_of_another_format_is_refused_by_how_it_begins(tmp_path: Path) -> None:
    image = tmp_path / "a.jpeg"
    image.write_bytes(b"\xff\xd8\xff\xe0 and so on")
    jpeg, png = files.JPEGImageFile, files.PNGImageFile
    assert returned(image, jpeg)["format"] == "jpeg"
    with pytest.raises(TypeTransformerFailedError, match="Incorrect file type, expected png"):
        returned(image, png)
    assert returned(CSVFile(image), FlyteFile[Literal["tsv"]])["format"] == "tsv"


# ---- making and writing -------------------------------------------------------------------------------------------


def test_a_new_file_is_in_the_working_folder() -> None:
    file = FlyteFile.new("sub/a.txt")
    with file.open("w") as stream:
        stream.write("new")
    assert Path(file).read_text() == "new"
    assert Path(file.path).is_absolute()
    for wrong in ("/abs", "../up", "s3://bucket/x"):
        with pytest.raises(ValueError, match="relative"):
            FlyteFile.new(wrong)


def test_a_new_remote_file_is_streamed_to_its_address(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", s3_server.uri("runs/1"))
    file = FlyteFile.new_remote_file(name="out.txt")
    with file.open("wb") as stream:
        stream.write(b"streamed")
    assert returned(file) == {"uri": file.path}
    assert s3_server.read(s3_server.keys()[0]) == b"streamed"
    assert s3_server.keys()[0].startswith("runs/1/") and s3_server.keys()[0].endswith("/out.txt")
    assert FlyteFile.new_remote_file().path != FlyteFile.new_remote_file().path
    other = FlyteFile.new_remote_file(name="x", alt="other-bucket")
    assert str(other.path).startswith("s3://other-bucket/runs/1/") and str(other.path).endswith("/x")


def test_another_bucket_is_a_folder_where_there_are_no_buckets(store: Path) -> None:
    path = Path(FlyteFile.new_remote_file(name="x", alt="bucket").path)
    assert (path.parent.parent, path.name) == (store / "bucket", "x")


def test_what_is_written_goes_to_the_remote_path(s3_server: S3Server, local_file: Path) -> None:
    file: FlyteFile = FlyteFile(local_file, remote_path=s3_server.uri("w"))
    with file.open("wb") as stream:
        stream.write(b"written")
    assert s3_server.read("w") == b"written"
    assert local_file.read_text() == "1,2\n"
    assert returned(file) == {"uri": s3_server.uri("w")}


def test_a_file_that_is_written_again_is_fetched_again(s3_server: S3Server) -> None:
    file: FlyteFile = FlyteFile(s3_server.put("a", b"one"))
    assert Path(file).read_bytes() == b"one"
    with file.open("wb") as stream:
        stream.write(b"two")
    assert Path(file).read_bytes() == b"two"


# ---- JSON, pydantic, dataclasses ----------------------------------------------------------------------------------


def test_a_file_is_an_object_with_its_path() -> None:
    file: FlyteFile = FlyteFile("s3://bucket/a", metadata={"k": "v"})
    assert file.to_dict() == {"path": "s3://bucket/a", "metadata": {"k": "v"}}
    assert FlyteFile.from_dict(file.to_dict()) == file
    assert FlyteFile.from_dict(d={"path": "s3://bucket/a", "metadata": {"k": "v"}}, dialect=None).metadata == {"k": "v"}
    assert FlyteFile.from_dict({"uri": "s3://bucket/a"}).path == "s3://bucket/a"
    with pytest.raises(ValueError, match="mashumaro"):
        FlyteFile.from_dict({"path": "a"}, dialect=object())  # type: ignore[arg-type]
    with pytest.raises(TypeTransformerFailedError, match="'path'"):
        FlyteFile.from_dict({})


def test_a_file_as_json_is_made_and_read_by_the_coder_that_is_given() -> None:
    file: FlyteFile = FlyteFile("s3://bucket/a")
    assert json.loads(file.to_json()) == {"path": "s3://bucket/a"}
    assert FlyteFile.from_json(file.to_json()) == file
    assert file.to_json(encoder=lambda value: repr(value).encode()) == b"{'path': 's3://bucket/a'}"
    assert FlyteFile.from_json(data=b"x", decoder=lambda data: {"path": data.decode()}).path == "x"
    with pytest.raises(TypeError):
        file.to_json(other=1)
    with pytest.raises(ValueError, match="mashumaro"):
        FlyteFile.from_json(file.to_json(), dialect=object())


def test_serializing_stores_the_file_and_deserializing_receives_it(local_file: Path, store: Path) -> None:
    wire = FlyteFile(local_file).serialize_flyte_file()
    assert Path(wire["path"]).parent.parent == store
    assert FlyteFile("s3://bucket/a").serialize_flyte_file() == {"path": "s3://bucket/a"}
    file = FlyteFile("s3://bucket/a", metadata={"k": "v"}).deserialize_flyte_file()
    assert (file.remote_source, file.path == "s3://bucket/a", file.metadata) == ("s3://bucket/a", False, {"k": "v"})


class Model(BaseModel):
    """A model with a file in it."""

    file: FlyteFile
    more: list[CSVFile] = []


def test_a_file_in_a_pydantic_model_is_stored_and_received(local_file: Path, store: Path) -> None:
    model = Model(file=local_file, more=[CSVFile(local_file)])
    text = model.model_dump_json()
    assert Path(json.loads(text)["file"]["path"]).parent.parent == store
    again = Model.model_validate_json(text)
    assert Path(again.file).read_text() == Path(again.more[0]).read_text() == "1,2\n"
    assert Model.model_validate({"file": {"path": "s3://b/a"}}).file.remote_source == "s3://b/a"
    properties = Model.model_json_schema()["properties"]
    assert properties["file"] == {
        "properties": {"path": {"type": "string"}},
        "required": ["path"],
        "title": "File",
        "type": "object",
    }
    with pytest.raises(ValueError, match="expected a path"):
        Model.model_validate({"file": 7})
    with pytest.raises(ValueError, match="expected a file, got a directory"):
        Model.model_validate({"file": FlyteDirectory("x")})


@dataclass
class Record:
    """A dataclass with files in it."""

    file: FlyteFile
    other: CSVFile | None = None


def test_a_file_travels_inside_a_dataclass_and_a_model(local_file: Path, store: Path) -> None:
    @task
    def make() -> tuple[Record, Model]:
        return Record(FlyteFile(local_file), CSVFile(local_file)), Model(file=FlyteFile(local_file))

    @task
    def read(record: Record, model: Model) -> list[str]:
        assert record.other is not None
        assert str(store) in os.fspath(record.file)
        return [Path(file).read_text() for file in (record.file, record.other, model.file)]

    @workflow
    def both() -> list[str]:
        record, model = make()
        return read(record=record, model=model)

    assert both() == ["1,2\n"] * 3


def test_a_field_of_a_dataclass_is_handed_on_as_a_file(local_file: Path) -> None:
    @task
    def make() -> Record:
        return Record(FlyteFile(local_file))

    @task
    def read(file: FlyteFile) -> str:
        return Path(file).read_text()

    @workflow
    def field() -> str:
        return read(file=make().file)

    assert field() == "1,2\n"


# ---- in tasks -----------------------------------------------------------------------------------------------------


def test_a_file_goes_from_task_to_task(http_server: HttpServer) -> None:
    (http_server.folder / "a.csv").write_text("1,2\n3,4\n")

    @task
    def double(rows: CSVFile) -> FlyteFile["csv"]:  # type: ignore[name-defined]  # noqa: F821, UP037  the format's name
        out = FlyteFile.new("double.csv")
        with open(rows) as source, open(out, "w") as sink:
            sink.write(source.read() * 2)
        return out

    @task
    def count(rows: os.PathLike[str]) -> int:
        return len(Path(rows).read_text().splitlines())

    given: FlyteFile = FlyteFile(http_server.uri("a.csv"))

    @workflow
    def lines(rows: FlyteFile = given) -> int:
        return count(rows=double(rows=rows))

    assert lines() == 4


def test_a_missing_file_names_the_task_and_the_output() -> None:
    @task
    def lost() -> FlyteFile:
        return FlyteFile("/no/such/file")

    with pytest.raises(AssertionError, match=r"Failed to convert outputs of task .*lost.*\n.*\n.*'/no/such/file'"):
        lost()


# ---- what Python wants --------------------------------------------------------------------------------------------


def test_files_are_equal_that_lie_at_one_address_in_one_format() -> None:
    one, two = FlyteFile.from_source("s3://b/a"), FlyteFile.from_source("s3://b/a")
    assert one == two and hash(one) == hash(two) and one.path != two.path
    assert one != FlyteFile("s3://b/c")
    assert one != CSVFile("s3://b/a")
    assert one != FlyteDirectory("s3://b/a")
    assert one != "s3://b/a"


def test_a_file_of_a_format_can_be_pickled_and_copied(local_file: Path) -> None:
    file = CSVFile(local_file, metadata={"k": "v"})
    for again in (pickle.loads(pickle.dumps(file)), copy.deepcopy(file)):
        assert type(again) is CSVFile
        assert (again, again.metadata) == (file, {"k": "v"})


def test_a_file_shows_where_it_is() -> None:
    assert str(FlyteFile("a/b")) == "a/b"
    assert repr(CSVFile("a/b")) == "<FlyteFile['csv'] a/b>"
    assert repr(FlyteFile.from_source("s3://b/a")).endswith("/a from s3://b/a>")


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(TypeError, match="FlyteFile takes a path or an address, not 7 of type int"):
        FlyteFile(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="metadata is a dict of texts"):
        FlyteFile("a", metadata={"k": 1})  # type: ignore[dict-item]
