"""FlyteDirectory: what is in it, when that is fetched, and where it goes when a task returns it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from tests.unit.sdk.conftest import HttpServer, S3Server
from windlass import TypeTransformerFailedError, _store, _types, task, workflow
from windlass._data import folders
from windlass._data.files import FlyteFile
from windlass._data.folders import FlyteDirectory

NAMES = ("one.txt", "sub/two.txt", "sub/deep/three.txt")


def filled(folder: Path) -> Path:
    """A folder with files in it, each of which has its path for content."""
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def local_folder(tmp_path: Path) -> Path:
    """A folder of this machine."""
    return filled(tmp_path / "data")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that outputs go to, as they go to a bucket in a cluster."""
    folder = tmp_path / "outputs"
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", str(folder))
    return folder


@pytest.fixture
def in_s3(s3_server: S3Server) -> str:
    """The same folder in S3."""
    for name in NAMES:
        s3_server.put(f"data/{name}", name.encode())
    return s3_server.uri("data")


def returned(value: Any, kind: Any = FlyteDirectory) -> Any:
    """What travels when a task returns the value."""
    return _types.to_wire(value, kind, "here:")


def received(wire: Any, kind: Any = FlyteDirectory) -> Any:
    """What a task gets."""
    return _types.from_wire(wire, kind, "here:")


def content(folder: Path) -> dict[str, str]:
    """The files below a folder."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


# ---- formats ------------------------------------------------------------------------------------------------------


def test_a_folder_has_a_format_too() -> None:
    kinds: list[Any] = [FlyteDirectory[Literal["jpeg"]] for _ in range(2)]
    jpeg = kinds[0]
    assert jpeg is kinds[1]
    assert (jpeg.extension(), FlyteDirectory.extension()) == ("jpeg", "")
    assert _types.type_expression(jpeg) == ("directory[jpeg]", None)
    assert _types.type_expression(FlyteDirectory) == ("directory", None)
    assert folders.TensorboardLogs.extension() == "tensorboard"
    assert folders.TFRecordsDirectory.extension() == "tfrecords_dir"


# ---- receiving ----------------------------------------------------------------------------------------------------


def test_nothing_is_fetched_before_the_folder_is_used(in_s3: str) -> None:
    folder = received({"uri": in_s3})
    assert (folder.remote_source, folder.downloaded, Path(folder.path).name) == (in_s3, False, "data")
    assert not Path(folder.path).exists()
    assert content(Path(folder)) == {name: name for name in NAMES}
    assert folder.downloaded
    assert folder.download() == folder.path == os.fspath(folder)


def test_a_folder_is_received_over_http(http_server: HttpServer) -> None:
    filled(http_server.folder / "data")
    assert content(Path(received({"uri": http_server.uri("data")}))) == {name: name for name in NAMES}


def test_a_local_folder_is_received_as_it_lies(local_folder: Path) -> None:
    folder = received(str(local_folder))
    assert (os.fspath(folder), folder.remote_source) == (str(local_folder), None)
    assert folder.sep == os.sep


def test_a_downloader_fills_the_folder_before_its_first_use(tmp_path: Path) -> None:
    target = tmp_path / "made"
    folder: FlyteDirectory = FlyteDirectory(target, downloader=lambda: filled(target))
    assert not target.exists()
    assert sorted(path for _, path in folder.crawl()) == sorted(NAMES)
    assert [Path(entry.path).name for entry in FlyteDirectory.listdir(folder)] == ["one.txt", "sub"]


# ---- looking into it ----------------------------------------------------------------------------------------------


def test_a_listing_has_files_and_folders_and_fetches_none(in_s3: str) -> None:
    folder = FlyteDirectory.from_source(in_s3)
    listed = FlyteDirectory.listdir(folder)
    assert [(type(entry), entry.remote_source) for entry in listed] == [
        (FlyteFile, f"{in_s3}/one.txt"),
        (FlyteDirectory, f"{in_s3}/sub"),
    ]
    assert not Path(folder.path).exists()
    assert Path(listed[0]).read_text() == "one.txt"
    assert not folder.downloaded
    assert content(Path(listed[1])) == {"two.txt": "sub/two.txt", "deep/three.txt": "sub/deep/three.txt"}
    assert [str(entry.path) for entry in listed] == [f"{folder.path}/one.txt", f"{folder.path}/sub"]


def test_a_listing_of_what_lies_here_has_local_paths(local_folder: Path, in_s3: str) -> None:
    for folder in (FlyteDirectory(local_folder), FlyteDirectory.from_source(in_s3)):
        folder.download()
        listed = FlyteDirectory.listdir(directory=folder)
        assert [entry.remote_source for entry in listed] == [None, None]
        assert Path(listed[0]).read_text() == "one.txt"


def test_crawling_gives_all_files_below(in_s3: str, local_folder: Path) -> None:
    for folder, base in ((FlyteDirectory.from_source(in_s3), in_s3), (FlyteDirectory(local_folder), str(local_folder))):
        assert [*folder.crawl()] == [(base, name) for name in NAMES]
        assert [path for _, path in folder.crawl(topdown=False)] == [*reversed(NAMES)]
        assert [path for _, path in folder.crawl(maxdepth=1)] == ["one.txt"]
        assert [path for _, path in folder.crawl(maxdepth=2, topdown=True)] == ["one.txt", "sub/two.txt"]
        assert not folder.downloaded


def test_crawling_gives_details_where_they_are_asked_for(in_s3: str, local_folder: Path) -> None:
    ((_, remote), *_) = FlyteDirectory(in_s3).crawl(detail=True)
    assert remote == {"one.txt": {"name": f"{in_s3}/one.txt", "size": 7, "type": "file"}}
    ((_, local), *_) = FlyteDirectory(local_folder).crawl(detail=True)
    found = local["one.txt"]
    assert (found["name"], found["size"], found["islink"]) == (str(local_folder / "one.txt"), 7, False)
    assert found["ino"] == (local_folder / "one.txt").stat().st_ino


def test_crawling_refuses_what_it_does_not_know(local_folder: Path) -> None:
    with pytest.raises(TypeError, match="not refresh"):
        list(FlyteDirectory(local_folder).crawl(refresh=True))
    with pytest.raises(ValueError, match="at least 1"):
        list(FlyteDirectory(local_folder).crawl(maxdepth=0))


# ---- returning ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FlyteDirectory, str, Path])
def test_a_local_run_leaves_a_local_folder_where_it_is(
    kind: Any, local_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WINDLASS_RAW_OUTPUT_PREFIX", raising=False)
    assert returned(kind(local_folder)) == {"uri": str(local_folder)}


def test_where_outputs_go_to_a_store_a_folder_is_copied_there(local_folder: Path, store: Path) -> None:
    wire = returned(local_folder, FlyteDirectory["txt"])  # type: ignore[name-defined]
    assert wire == {"uri": wire["uri"], "format": "txt"}
    assert Path(wire["uri"]).parent.parent == store
    assert content(Path(wire["uri"])) == {name: name for name in NAMES}


def test_a_folder_goes_to_its_remote_directory(local_folder: Path, s3_server: S3Server) -> None:
    folder: FlyteDirectory = FlyteDirectory(local_folder, remote_directory=s3_server.uri("there"))
    assert folder.remote_directory == s3_server.uri("there")
    assert returned(folder) == {"uri": s3_server.uri("there")}
    assert sorted(s3_server.keys()) == sorted(f"there/{name}" for name in NAMES)


def test_remote_directory_false_leaves_the_folder_where_it_is(local_folder: Path, store: Path) -> None:
    assert returned(FlyteDirectory(local_folder, remote_directory=False)) == {"uri": str(local_folder)}
    assert not store.exists()
    with pytest.raises(ValueError, match="remote_directory=True says nothing"):
        FlyteDirectory("a", remote_directory=True)


def test_a_folder_at_an_address_is_copied_to_its_remote_directory(in_s3: str, tmp_path: Path) -> None:
    wire = returned(FlyteDirectory(in_s3, remote_directory=tmp_path / "copy"))
    assert wire == {"uri": str(tmp_path / "copy")}
    assert content(tmp_path / "copy") == {name: name for name in NAMES}


def test_a_folder_that_is_passed_on_is_not_copied(in_s3: str, store: Path) -> None:
    folder = received({"uri": in_s3, "format": "txt"})
    assert returned(folder) == {"uri": in_s3, "format": "txt"}
    folder.download()
    assert returned(folder) == {"uri": in_s3, "format": "txt"}
    assert not store.exists()
    (Path(folder) / "one.txt").write_text("changed here")
    assert content(Path(returned(folder)["uri"]))["one.txt"] == "changed here"


def test_links_are_left_out_with_a_warning(local_folder: Path, store: Path) -> None:
    (local_folder / "link.txt").symlink_to(local_folder / "one.txt")
    with pytest.warns(UserWarning, match=r"1 of its entries are left out \(link.txt\)"):
        wire = returned(local_folder)
    assert "link.txt" not in content(Path(wire["uri"]))


@pytest.mark.parametrize(("name", "says"), [("missing", "nothing lies there"), ("one.txt", "use FlyteFile")])
def test_a_local_path_must_lead_to_a_folder(name: str, says: str, local_folder: Path) -> None:
    with pytest.raises(TypeTransformerFailedError, match=says):
        returned(local_folder / name)
    with pytest.raises(TypeTransformerFailedError, match="expected a directory"):
        returned(FlyteFile(local_folder))


# ---- making -------------------------------------------------------------------------------------------------------


def test_a_new_folder_is_in_the_working_folder() -> None:
    folder = FlyteDirectory.new("parts")
    assert Path(folder.path).is_dir()
    (Path(folder) / "a").write_text("a")
    assert content(Path(returned(folder)["uri"])) == {"a": "a"}
    with pytest.raises(ValueError, match="dirname must be a relative path"):
        FlyteDirectory.new(dirname="/abs")


def test_a_new_remote_folder_is_filled_where_it_is(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", s3_server.uri("runs"))
    folder = FlyteDirectory.new_remote(stem="parts")
    assert folder.sep == "/"
    with folder.new_file(name="a.txt").open("w") as stream:
        stream.write("a")
    with folder.new_dir(name="sub").new_file("b.txt").open("w") as stream:
        stream.write("b")
    assert returned(folder) == {"uri": folder.path}
    keys = s3_server.keys()
    assert sorted(key.partition("/parts/")[2] for key in keys) == ["a.txt", "sub/b.txt"]
    assert str(FlyteDirectory.new_remote(alt="other").path).startswith("s3://other/runs/")
    assert str(folder.new_file().path) != str(folder.new_file().path)
    assert str(folder.new_dir().path) != str(folder.new_dir().path)


# ---- JSON, pydantic, marshmallow ----------------------------------------------------------------------------------


def test_a_folder_is_an_object_with_its_path() -> None:
    folder: FlyteDirectory = FlyteDirectory("s3://bucket/a")
    assert folder.to_dict() == folder.to_dict(encode_json=True) == {"path": "s3://bucket/a"}
    assert FlyteDirectory.from_dict(kvs=folder.to_dict()) == folder
    with pytest.raises(TypeTransformerFailedError, match="'path'"):
        FlyteDirectory.from_dict({}, infer_missing=False)
    with pytest.raises(ValueError, match="can't be inferred"):
        FlyteDirectory.from_dict({}, infer_missing=True)


def test_a_folder_as_json_takes_the_parameters_of_json() -> None:
    folder: FlyteDirectory = FlyteDirectory("s3://bucket/ä")
    assert folder.to_json() == '{"path": "s3://bucket/\\u00e4"}'
    text = folder.to_json(
        skipkeys=True,
        ensure_ascii=False,
        check_circular=False,
        allow_nan=False,
        indent=1,
        separators=(",", ":"),
        default=str,
        sort_keys=True,
        cls=json.JSONEncoder,
    )
    assert text == '{\n "path":"s3://bucket/ä"\n}'
    assert FlyteDirectory.from_json(text) == folder
    seen: list[str] = []

    def noted(text: str) -> float:
        seen.append(text)
        return 0.0

    text = '{"path": "a", "x": [1.5, 2, NaN]}'
    made = FlyteDirectory.from_json(
        s=text, parse_float=noted, parse_int=noted, parse_constant=noted, infer_missing=True, object_pairs_hook=dict
    )
    assert (made.path, seen) == ("a", ["1.5", "2", "NaN"])


def test_serializing_stores_the_folder_and_deserializing_receives_it(local_folder: Path, store: Path) -> None:
    wire = FlyteDirectory(local_folder).serialize_flyte_dir()
    assert Path(wire["path"]).parent.parent == store
    folder = FlyteDirectory("s3://bucket/a").deserialize_flyte_dir()
    assert folder.remote_source == "s3://bucket/a" != folder.path


class Model(BaseModel):
    """A model with a folder in it."""

    folder: FlyteDirectory


def test_a_folder_in_a_pydantic_model_is_stored_and_received(local_folder: Path, store: Path) -> None:
    text = Model(folder=FlyteDirectory(local_folder)).model_dump_json()
    assert Path(json.loads(text)["folder"]["path"]).parent.parent == store
    assert content(Path(Model.model_validate_json(text).folder)) == {name: name for name in NAMES}


def test_a_marshmallow_schema_loads_and_dumps_folders() -> None:
    marshmallow = pytest.importorskip("marshmallow")
    schema = FlyteDirectory.schema()
    assert schema.dump(FlyteDirectory("a")) == {"path": "a"}
    assert schema.load({"path": "a"}) == FlyteDirectory("a")
    assert FlyteDirectory.schema(many=True).loads('[{"path": "a"}]') == [FlyteDirectory("a")]
    for wrong in ({}, {"path": "a", "other": 1}):
        with pytest.raises(marshmallow.ValidationError):
            schema.load(wrong)
    lenient = FlyteDirectory.schema(infer_missing=True, unknown=marshmallow.EXCLUDE)
    assert lenient.load({"other": 1}) is None
    assert FlyteDirectory.schema(partial=True).load({}) is None
    assert FlyteDirectory.schema(only=("path",)).dump(FlyteDirectory("a")) == {"path": "a"}
    assert FlyteDirectory.schema(exclude=("path",)).dump(FlyteDirectory("a")) == {}
    assert FlyteDirectory.schema(load_only=("path",)).dump(FlyteDirectory("a")) == {}
    with pytest.raises(marshmallow.ValidationError):
        FlyteDirectory.schema(dump_only=("path",)).load({"path": "a"})
    with pytest.raises(ValueError, match="context"):
        FlyteDirectory.schema(context={})


def test_without_marshmallow_the_schema_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "marshmallow", None)
    with pytest.raises(ModuleNotFoundError, match="to_dict"):
        FlyteDirectory.schema()


# ---- in tasks -----------------------------------------------------------------------------------------------------


def test_a_folder_goes_from_task_to_task() -> None:
    @task
    def split(text: str) -> FlyteDirectory:
        folder = FlyteDirectory.new_remote()
        for word in text.split():
            with folder.new_file(f"{word}.txt").open("w") as stream:
                stream.write(word)
        return folder

    @task
    def longest(words: FlyteDirectory) -> int:
        return max(len(Path(file).read_text()) for file in FlyteDirectory.listdir(words))

    @workflow
    def both(text: str) -> int:
        return longest(words=split(text=text))

    assert both(text="a few words") == 5


def test_what_a_store_calls_its_objects_does_not_lead_out_of_the_folder(
    http_server: HttpServer, tmp_path: Path
) -> None:
    folder = http_server.folder / "data"
    folder.mkdir()
    (folder / "index.html").write_text('<a href="..%2F..%2Fevil">evil</a><a href="ok.txt">ok</a>')
    (folder / "ok.txt").write_text("ok")
    target = tmp_path / "a" / "b"
    _store.get_tree(http_server.uri("data"), target)
    assert content(tmp_path / "a") == {"b/ok.txt": "ok"}
