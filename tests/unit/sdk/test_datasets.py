"""StructuredDataset and frames: what is stored, which columns are read, and by whom."""

# ruff: noqa: PTH123  paths are strings for handlers

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from tests.unit.sdk.conftest import S3Server
from windlass import DuplicateHandlerError, TypeTransformerFailedError, _store, _types, task, workflow
from windlass._data import handlers
from windlass._data.columns import arrow_name, declared_by
from windlass._data.datasets import FlyteSchema, StructuredDataset
from windlass._data.handlers import (
    DatasetColumn,
    LiteralStructuredDataset,
    StructuredDatasetDecoder,
    StructuredDatasetEncoder,
    StructuredDatasetMetadata,
    StructuredDatasetTransformerEngine,
    StructuredDatasetType,
)
from windlass._types.annotated import kwtypes

ROWS = {"name": ["Tom", "Ann"], "age": [20, 22], "height": [1.6, 1.78]}
LIBRARIES = ["pandas", "polars", "pyarrow"]
FRAMES: dict[str, Any] = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.Table, "lazy": pl.LazyFrame}


def frame(library: str, rows: dict[str, list[Any]] | None = None) -> Any:
    """The rows as a frame of a library."""
    return pa.table(rows or ROWS) if library == "pyarrow" else FRAMES[library](rows or ROWS)


def rows(of: Any) -> dict[str, list[Any]]:
    """A frame of any library as lists."""
    if isinstance(of, pl.LazyFrame):
        of = of.collect()
    if isinstance(of, pl.DataFrame):
        return dict(of.to_dict(as_series=False))
    return dict(of.to_pydict()) if isinstance(of, pa.Table) else dict(of.to_dict("list"))


def returned(value: Any, kind: Any = StructuredDataset) -> Any:
    """What travels when a task returns the value."""
    return _types.to_wire(value, kind, "here:")


def received(wire: Any, kind: Any = StructuredDataset) -> Any:
    """What a task gets."""
    return _types.from_wire(wire, kind, "here:")


@pytest.fixture(params=["here", "s3"])
def prefix(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Where outputs go."""
    place = str(tmp_path / "out")
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3_server")
        place = server.uri("out")
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", place)
    return place


# ---- frames of all libraries, in all formats ------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", ["parquet", "csv"])
@pytest.mark.parametrize("reader", [*LIBRARIES, "lazy"])
@pytest.mark.parametrize("writer", [*LIBRARIES, "lazy"])
def test_each_library_reads_what_each_one_writes(writer: str, reader: str, fmt: str) -> None:
    wire = returned(frame(writer), Annotated[FRAMES[writer], fmt])
    assert wire == {"uri": wire["uri"], "format": fmt}
    name = "00000" if fmt == "parquet" else "00000.csv"
    assert [entry.name for entry in _store.listdir(wire["uri"])] == [name]
    read = received(wire, FRAMES[reader])
    assert isinstance(read, FRAMES[reader])
    assert rows(read) == ROWS
    subset = received(wire, Annotated[FRAMES[reader], kwtypes(height=float, name=str)])
    assert rows(subset) == {"height": ROWS["height"], "name": ROWS["name"]}


@pytest.mark.parametrize("fmt", ["parquet", "csv"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_goes_to_the_store_and_back(library: str, fmt: str, prefix: str) -> None:
    wire = returned(frame(library), Annotated[FRAMES[library], fmt])
    assert wire["uri"].startswith(f"{prefix}/")
    assert rows(received(wire, FRAMES[library])) == ROWS


def test_of_parquet_only_the_wanted_columns_are_fetched(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = {f"c{number}": [number] * 200_000 for number in range(10)}
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", s3_server.uri("out"))
    table = pa.table({name: pa.array([(i * 7919) % 1_000_003 for i in range(200_000)]) for name in wide})
    wire = returned(table, pa.Table)
    fetched = []
    from windlass._store import ranges

    real = ranges.reader

    def counted(fetch: Any, size: int, *rest: Any) -> Any:
        def noted(start: int, stop: int) -> bytes:
            data: bytes = fetch(start, stop)
            fetched.append(len(data))
            return data

        fetched.append(-size)
        return real(noted, size, *rest)

    monkeypatch.setattr(ranges, "reader", counted)
    received(wire, Annotated[pa.Table, kwtypes(c3=int)])
    size = -fetched[0]
    assert size > 5_000_000
    assert sum(fetched[1:]) < size / 2


def test_types_index_and_times_of_a_pandas_frame_come_back() -> None:
    times = pd.to_datetime(["2024-01-02T03:04:05.123456789", "2024-01-03"], format="ISO8601").as_unit("ns")
    given = pd.DataFrame({"t": times, "n": pd.array([1, None], dtype="Int64")}, index=["x", "y"])
    pd.testing.assert_frame_equal(received(returned(given, pd.DataFrame), pd.DataFrame), given)


def test_a_frame_that_is_none_is_refused() -> None:
    for wrong in (None, "s3://bucket/x", 7, [1]):
        with pytest.raises(TypeTransformerFailedError, match=r"frame|handler"):
            returned(wrong, pd.DataFrame)
    for wire in (7, {"uri": None}, {}):
        with pytest.raises(TypeTransformerFailedError, match="uri"):
            received(wire, pd.DataFrame)


def test_a_subclass_of_a_frame_is_one() -> None:
    class Mine(pd.DataFrame):  # type: ignore[misc]
        """A frame of the user's own."""

    assert rows(received(returned(Mine(ROWS), pd.DataFrame), pd.DataFrame)) == ROWS


# ---- StructuredDataset ----------------------------------------------------------------------------------------------


def test_a_dataset_is_read_when_it_is_opened_and_not_before(tmp_path: Path) -> None:
    dataset = received({"uri": str(tmp_path / "not there yet"), "format": "parquet"})
    assert (dataset.uri, dataset.file_format) == (str(tmp_path / "not there yet"), "parquet")
    assert dataset.dataframe is None
    _store.put_file(Path(returned(frame("pandas"))["uri"]) / "00000", f"{dataset.uri}/00000")
    assert rows(dataset.open(pl.DataFrame).all()) == ROWS
    assert rows(dataset.open(dataframe_type=pd.DataFrame).all()) == ROWS


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_dataset_is_read_in_parts(library: str) -> None:
    rows_of_it = {"n": list(range(150_000))}
    wire = returned(frame("pyarrow", rows_of_it))
    parts = [*received(wire).open(FRAMES[library]).iter()]
    assert len(parts) == 3
    assert [n for part in parts for n in rows(part)["n"]] == rows_of_it["n"]
    (only,) = received(returned(frame(library), Annotated[StructuredDataset, "csv"])).open(FRAMES[library]).iter()
    assert rows(only) == ROWS


def test_a_dataset_needs_to_know_as_what_it_is_read() -> None:
    dataset = StructuredDataset(dataframe=frame("pandas"))
    for read in (dataset.all, dataset.iter):
        with pytest.raises(ValueError, match="No dataframe type set"):
            read()
    with pytest.raises(TypeError, match="opened as a class"):
        dataset.open("pandas").all()


def test_a_dataset_that_was_not_stored_yet_is_read_as_any_frame() -> None:
    given = frame("pandas")
    dataset = StructuredDataset(dataframe=given)
    assert dataset.open(pd.DataFrame).all() is given
    assert [*dataset.iter()] == [given] or next(dataset.iter()) is given
    assert dataset.literal is None
    assert rows(dataset.open(pa.Table).all()) == ROWS
    assert dataset.literal is not None


def test_a_dataset_that_is_passed_on_keeps_its_reference() -> None:
    wire = {**returned(frame("pandas")), "columns": {"name": "str"}, "hash": "abc"}
    dataset = received(wire)
    assert returned(dataset) == dataset.literal == wire
    dataset.open(pd.DataFrame).all()
    assert returned(dataset) == wire


def test_a_frame_goes_to_the_address_that_is_named(tmp_path: Path, s3_server: S3Server) -> None:
    for uri in (str(tmp_path / "here"), s3_server.uri("there")):
        wire = returned(StructuredDataset(dataframe=frame("polars"), uri=uri, file_format="csv"))
        assert wire == {"uri": uri, "format": "csv"}
        assert rows(received(wire, pd.DataFrame)) == ROWS


def test_what_others_wrote_is_a_dataset(tmp_path: Path) -> None:
    pq.write_table(frame("pyarrow"), tmp_path / "one.parquet")
    wire = returned(StructuredDataset(uri=str(tmp_path / "one.parquet"), file_format="parquet"))
    assert wire == {"uri": str(tmp_path / "one.parquet"), "format": "parquet"}
    assert rows(received(wire, pd.DataFrame)) == ROWS
    parts = tmp_path / "parts"
    parts.mkdir()
    for number in range(2):
        pq.write_table(frame("pyarrow"), parts / f"part-{number}.parquet")
    (parts / "_SUCCESS").touch()
    for library in LIBRARIES:
        assert rows(received({"uri": str(parts), "format": "parquet"}, FRAMES[library]))["age"] == [20, 22, 20, 22]
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / ".csv").write_text("a\n1\n")  # where flytekit puts it
    assert rows(received({"uri": str(tmp_path / "old"), "format": "csv"}, pd.DataFrame)) == {"a": [1]}
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no file"):
        received({"uri": str(tmp_path / "empty"), "format": "csv"}, pd.DataFrame)


def test_a_local_dataset_is_copied_to_where_outputs_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(frame("pyarrow"), tmp_path / "one.parquet")
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", str(tmp_path / "out"))
    wire = returned(StructuredDataset(uri=str(tmp_path / "one.parquet")))
    assert wire["uri"].startswith(str(tmp_path / "out"))
    assert rows(received(wire, pd.DataFrame)) == ROWS
    assert returned(StructuredDataset(uri="s3://bucket/x")) == {"uri": "s3://bucket/x", "format": "parquet"}
    with pytest.raises(TypeTransformerFailedError, match="nothing lies there"):
        returned(StructuredDataset(uri=str(tmp_path / "missing")))


def test_a_dataset_without_a_frame_needs_an_address() -> None:
    with pytest.raises(ValueError, match="If dataframe is not specified, then the uri should be specified"):
        returned(StructuredDataset())
    with pytest.raises(TypeError, match="not format"):
        StructuredDataset(format="csv")
    with pytest.raises(TypeError, match="uri of a StructuredDataset is a text"):
        StructuredDataset(uri=Path("x"))  # type: ignore[arg-type]


# ---- columns and formats --------------------------------------------------------------------------------------------


def test_the_readers_columns_come_before_the_writers() -> None:
    declared = Annotated[pd.DataFrame, kwtypes(name=str, age=int)]
    wire = returned(frame("pandas"), declared)
    assert wire["columns"] == {"name": "str", "age": "int"}
    assert rows(pd.read_parquet(wire["uri"])) == ROWS  # all of it is stored
    assert [*rows(received(wire, pd.DataFrame))] == ["name", "age"]
    assert [*rows(received(wire, Annotated[pd.DataFrame, kwtypes(height=float)]))] == ["height"]
    dataset = received(wire, Annotated[StructuredDataset, kwtypes(age=int)])
    assert [*rows(dataset.open(pd.DataFrame).all())] == ["age"]
    assert (dataset.column_names(), dataset.columns()) == (["age"], {"age": "int"})
    assert received(wire).columns() == {"name": "str", "age": "int"}
    assert [*rows(received(wire).open(Annotated[pd.DataFrame, kwtypes(age=int)]).all())] == ["age"]
    assert (StructuredDataset.columns(), StructuredDataset.column_names()) == ({}, [])


@pytest.mark.parametrize("fmt", ["parquet", "csv"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_column_that_is_not_there_is_named(library: str, fmt: str) -> None:
    wire = returned(frame("pandas"), Annotated[pd.DataFrame, fmt])
    with pytest.raises(TypeTransformerFailedError, match="weight"):
        received(wire, Annotated[FRAMES[library], kwtypes(name=str, weight=float)])


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_is_no_table_is_said_with_its_address(library: str, tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("no parquet")
    with pytest.raises(TypeTransformerFailedError, match="broken can't be read as parquet"):
        received({"uri": str(tmp_path / "broken"), "format": "parquet"}, FRAMES[library])


@dataclass
class Contact:
    """Something nested."""

    phone: str
    mail: str


@pytest.mark.parametrize("library", LIBRARIES)
def test_nested_columns_are_named_with_dots(library: str) -> None:
    people = pa.table({"name": ["Tom"], "contact": [{"phone": "1", "mail": "t@x", "fax": "none"}]})
    for contact in ({"phone": str, "mail": str}, Contact):
        declared = Annotated[pa.Table, kwtypes(name=str, contact=contact)]
        wire = returned(people, declared)
        assert wire["columns"] == {"name": "str", "contact.phone": "str", "contact.mail": "str"}
    read = rows(received(wire, Annotated[FRAMES[library], kwtypes(contact={"phone": str})]))
    assert read == {"contact": [{"phone": "1"}]}


def test_the_format_is_the_values_else_the_annotations_else_parquet() -> None:
    csv_type = Annotated[StructuredDataset, "csv"]
    assert _types.type_expression(csv_type) == ("dataframe[csv]", None)
    assert _types.type_expression(pd.DataFrame) == ("dataframe", None)
    assert returned(StructuredDataset(dataframe=frame("pandas")), csv_type)["format"] == "csv"
    assert (
        returned(StructuredDataset(dataframe=frame("pandas"), file_format="parquet"), csv_type)["format"] == "parquet"
    )
    assert returned(StructuredDataset(dataframe=frame("pandas")))["format"] == "parquet"


def test_an_arrow_schema_names_the_columns_where_nothing_else_does() -> None:
    schema = pa.schema([("name", pa.string()), ("at", pa.timestamp("us")), ("tags", pa.list_(pa.string()))])
    assert declared_by(Annotated[pd.DataFrame, schema]).columns == {"name": "str", "at": "datetime", "tags": "any"}
    both = declared_by(Annotated[pd.DataFrame, schema, kwtypes(name=str)])
    assert both.columns == {"name": "str"}
    assert [arrow_name(kind) for kind in (pa.uint8(), pa.float16(), pa.bool_(), pa.date32(), pa.binary())] == [
        "int",
        "float",
        "bool",
        "date",
        "bytes",
    ]


@pytest.mark.parametrize(
    ("marks", "says"),
    [
        (("csv", "parquet"), "A format was already specified"),
        ((kwtypes(a=int), kwtypes(b=int)), "Column information was already found"),
        ((pa.schema([("a", pa.int8())]), pa.schema([("b", pa.int8())])), "Arrow schema was already found"),
        (({1: int},), "texts for names"),
    ],
)
def test_an_annotation_says_each_thing_once(marks: tuple[Any, ...], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        declared_by(Annotated[(pd.DataFrame, *marks)])


def test_columns_may_have_types_that_only_frames_have() -> None:
    numpy = pytest.importorskip("numpy")
    assert declared_by(Annotated[pd.DataFrame, kwtypes(a=numpy.int64, b=list[int])]).columns == {
        "a": "any",
        "b": "list[int]",
    }


# ---- in tasks and workflows -----------------------------------------------------------------------------------------


def test_a_frame_goes_from_task_to_task_and_from_library_to_library() -> None:
    @task
    def make() -> pd.DataFrame:
        return frame("pandas")

    @task
    def pick(people: Annotated[StructuredDataset, kwtypes(name=str)]) -> pl.DataFrame:
        picked: pl.DataFrame = people.open(pl.DataFrame).all()
        assert picked.columns == ["name"]
        return picked

    @task
    def names(people: pa.Table) -> list[str]:
        return [*people.to_pydict()["name"]]

    @workflow
    def both() -> list[str]:
        return names(people=pick(people=make()))

    assert both() == ["Tom", "Ann"]


COLUMNS = kwtypes(name=str, age=int)


def test_a_schema_is_the_older_name_of_a_dataset() -> None:
    @task
    def make() -> FlyteSchema[COLUMNS]:  # type: ignore[type-arg,valid-type]
        return frame("pandas")  # type: ignore[no-any-return]

    @task
    def read(people: FlyteSchema[COLUMNS]) -> list[int]:  # type: ignore[type-arg,valid-type]
        assert isinstance(people, FlyteSchema)
        return [*people.open().all()["age"]]

    @workflow
    def both() -> list[int]:
        return read(people=make())

    assert both() == [20, 22]


class Model(BaseModel):
    """A model with a dataset in it."""

    people: StructuredDataset


@dataclass
class Record:
    """A dataclass with a dataset and a frame in it."""

    people: StructuredDataset
    more: pd.DataFrame


def test_a_dataset_travels_inside_a_dataclass_and_a_model(prefix: str) -> None:
    @task
    def make() -> tuple[Record, Model]:
        dataset = StructuredDataset(dataframe=frame("pandas"))
        return Record(dataset, frame("pandas")), Model(people=StructuredDataset(dataframe=frame("polars")))

    @task
    def read(record: Record, model: Model) -> list[list[int]]:
        assert str(record.people.uri).startswith(prefix)
        assert str(model.people.uri).startswith(prefix)
        frames = [record.people.open(pd.DataFrame).all(), record.more, model.people.open(pd.DataFrame).all()]
        return [[*one["age"]] for one in frames]

    @workflow
    def both() -> list[list[int]]:
        record, model = make()
        return read(record=record, model=model)

    assert both() == [[20, 22]] * 3


# ---- JSON -----------------------------------------------------------------------------------------------------------


def test_a_dataset_is_an_object_with_its_address_and_format() -> None:
    dataset = StructuredDataset(uri="s3://bucket/a", file_format="csv")
    assert dataset.to_dict() == {"uri": "s3://bucket/a", "file_format": "csv"}
    assert StructuredDataset.from_dict(d=dataset.to_dict(), dialect=None) == dataset
    assert json.loads(dataset.to_json()) == dataset.to_dict()
    assert dataset.to_json(encoder=repr) == repr(dataset.to_dict())
    assert StructuredDataset.from_json(data=dataset.to_json()) == dataset
    assert StructuredDataset.from_json("x", decoder=lambda data: {"uri": data}).uri == "x"
    with pytest.raises(ValueError, match="mashumaro"):
        StructuredDataset.from_dict({"uri": "x"}, dialect=object())  # type: ignore[arg-type]
    with pytest.raises(TypeTransformerFailedError, match="'uri'"):
        StructuredDataset.from_dict({"path": "x"})


def test_serializing_stores_the_frame_and_deserializing_receives_it(prefix: str) -> None:
    wire = StructuredDataset(dataframe=frame("pandas")).serialize_structured_dataset()
    assert wire == {"uri": wire["uri"], "file_format": "parquet"}
    assert wire["uri"].startswith(prefix)
    dataset = StructuredDataset.from_dict(wire).deserialize_structured_dataset()
    assert rows(dataset.open(pd.DataFrame).all()) == ROWS
    held = StructuredDataset(dataframe=frame("pandas"))
    assert held.deserialize_structured_dataset() is held


def test_set_literal_stores_the_frame() -> None:
    dataset = StructuredDataset(dataframe=frame("pandas"))
    dataset.set_literal(ctx=None, expected=Annotated[StructuredDataset, kwtypes(age=int), "csv"])
    literal = dataset.literal
    assert literal is not None
    assert (literal["format"], literal["columns"]) == ("csv", {"age": "int"})
    with pytest.raises(ValueError, match="ctx must be None"):
        dataset.set_literal(ctx=object())  # type: ignore[arg-type]


def test_the_metadata_says_columns_and_format() -> None:
    kind = StructuredDatasetType([DatasetColumn("a", "int")], "csv")
    dataset = StructuredDataset(uri="x", metadata=StructuredDatasetMetadata(kind))
    assert dataset.metadata == StructuredDatasetMetadata(structured_dataset_type=kind)
    assert (dataset.file_format, dataset.columns()) == ("csv", {"a": "int"})
    again = received({"uri": "x", "format": "csv", "columns": {"a": "int"}})
    assert again.metadata == dataset.metadata
    assert kind.column_names == ["a"]
    assert repr(kind) == "StructuredDatasetType([DatasetColumn('a', 'int')], 'csv')"
    assert len({kind, StructuredDatasetType([DatasetColumn("a", "int")], "csv")}) == 1
    assert StructuredDataset(dataframe=frame("pandas")).metadata is None


def test_datasets_are_equal_that_lie_at_one_address_in_one_format() -> None:
    assert StructuredDataset(uri="x") == StructuredDataset(uri="x")
    assert StructuredDataset(uri="x") != StructuredDataset(uri="x", file_format="csv")
    assert StructuredDataset(dataframe=1) != StructuredDataset(dataframe=1)
    assert StructuredDataset(uri="x") != "x"
    assert len({StructuredDataset(uri="x"), StructuredDataset(uri="x")}) == 1


# ---- handlers of the user's own -------------------------------------------------------------------------------------


class Rows:
    """A table of the user's own."""

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.rows = rows


class ToCsv(StructuredDatasetEncoder[Rows]):
    """Writes Rows."""

    def __init__(self, protocol: str | None = None, fmt: str | None = "rows") -> None:
        super().__init__(Rows, protocol, fmt)

    def encode(
        self, ctx: Any, structured_dataset: StructuredDataset, structured_dataset_type: StructuredDatasetType
    ) -> LiteralStructuredDataset:
        uri = structured_dataset.uri or ctx.file_access.get_random_remote_directory()
        local = ctx.file_access.get_random_local_path("rows.csv")
        table: Rows = structured_dataset.dataframe
        with open(local, "w", newline="") as stream:
            writer = csv.DictWriter(stream, [*table.rows[0]])
            writer.writeheader()
            writer.writerows(table.rows)
        ctx.file_access.put_data(local, ctx.file_access.join(uri, "rows.csv"))
        return LiteralStructuredDataset(uri, StructuredDatasetMetadata(structured_dataset_type))


class FromCsv(StructuredDatasetDecoder[Rows]):
    """Reads Rows, one at a time if so wanted."""

    def __init__(self, one_by_one: bool = False) -> None:
        super().__init__(Rows, None, "rows")
        self._one_by_one = one_by_one

    def decode(
        self, ctx: Any, flyte_value: LiteralStructuredDataset, current_task_metadata: StructuredDatasetMetadata
    ) -> Rows | Iterator[Rows]:
        wanted = current_task_metadata.structured_dataset_type.column_names
        local = ctx.file_access.get_data(f"{flyte_value.uri}/rows.csv", ctx.file_access.get_random_local_path())
        with open(local) as stream:
            found = [{name: row[name] for name in wanted or row} for row in csv.DictReader(stream)]
        return iter([Rows([row]) for row in found]) if self._one_by_one else Rows(found)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> type[StructuredDatasetTransformerEngine]:
    """The registry, as it was before when the test is over."""
    from windlass._types import resolve
    from windlass._types.transformer import TypeEngine

    engine = StructuredDatasetTransformerEngine
    for name in ("ENCODERS", "DECODERS", "DEFAULT_FORMATS", "DEFAULT_PROTOCOLS", "RENDERERS"):
        monkeypatch.setattr(engine, name, dict(getattr(engine, name)))
    monkeypatch.setattr(TypeEngine, "registered", dict(TypeEngine.registered))
    resolve.forget()
    return engine


def test_handlers_of_ones_own_make_a_class_a_type(
    registry: type[StructuredDatasetTransformerEngine], prefix: str
) -> None:
    registry.register(ToCsv())
    registry.register(FromCsv())

    @task
    def make() -> Annotated[Rows, kwtypes(a=str), "rows"]:
        return Rows([{"a": "1", "b": "x"}, {"a": "2", "b": "y"}])

    @task
    def read(table: Annotated[Rows, "rows"]) -> int:
        assert table.rows == [{"a": "1"}, {"a": "2"}]
        return len(table.rows)

    @workflow
    def both() -> int:
        return read(table=make())

    assert both() == 2


def test_a_default_handler_is_used_where_nobody_names_a_format(
    registry: type[StructuredDatasetTransformerEngine],
) -> None:
    registry.register(ToCsv("file"), default_for_type=True)
    registry.register(FromCsv())
    wire = returned(Rows([{"a": "1"}]), Rows)
    assert wire["format"] == "rows"
    assert received(wire, Rows).rows == [{"a": "1"}]
    with pytest.raises(ValueError, match="for all protocols, so it can't say which one is the default"):
        registry.register(ToCsv(), default_for_type=True)


def test_the_default_format_and_the_default_storage_can_be_set_alone(
    registry: type[StructuredDatasetTransformerEngine],
) -> None:
    registry.register(ToCsv("file://"), default_format_for_type=True, default_storage_for_type=True)
    assert (registry.DEFAULT_FORMATS[Rows], registry.DEFAULT_PROTOCOLS[Rows]) == ("rows", "file")


def test_two_handlers_for_one_thing_are_an_error_unless_one_replaces_the_other(
    registry: type[StructuredDatasetTransformerEngine],
) -> None:
    first, second = ToCsv("s3"), ToCsv("s3://")
    registry.register(first)
    with pytest.raises(DuplicateHandlerError, match="override=True"):
        registry.register(second)
    registry.register(h=second, override=True)
    assert registry.get_encoder(Rows, "s3", "rows") is second

    class Better(handlers.StructuredDatasetDecoder[Any]):
        """Reads pandas frames in its own way."""

        def __init__(self) -> None:
            super().__init__(pd.DataFrame, None, "parquet")

        def decode(self, ctx: Any, flyte_value: Any, current_task_metadata: Any) -> Any:
            return pd.DataFrame({"from": [flyte_value.uri]})

    with pytest.raises(DuplicateHandlerError, match="DataFrame"):
        registry.register(Better())
    registry.register(Better(), override=True)
    assert rows(received({"uri": "s3://b/x", "format": "parquet"}, pd.DataFrame)) == {"from": ["s3://b/x"]}


def test_the_most_particular_handler_is_found_first(registry: type[StructuredDatasetTransformerEngine]) -> None:
    handlers_by_key = {(protocol, fmt): ToCsv(protocol, fmt) for protocol in ("s3", None) for fmt in ("rows", None)}
    for handler in handlers_by_key.values():
        registry.register(handler)
    find = registry.get_encoder
    assert find(Rows, "s3", "rows") is handlers_by_key["s3", "rows"]
    assert find(Rows, "s3", "other") is handlers_by_key["s3", None]
    assert find(Rows, "gs", "rows") is handlers_by_key[None, "rows"]
    assert find(Rows, "gs", "other") is handlers_by_key[None, None]


def test_a_missing_handler_says_which_there_are(registry: type[StructuredDatasetTransformerEngine]) -> None:
    with pytest.raises(ValueError, match=r"Failed to find a handler for .*Rows, protocol .s3., fmt .'avro'.*none for"):
        registry.get_encoder(Rows, "s3", "avro")
    with pytest.raises(ValueError, match=r"Failed to find a handler.*FrameDecoder of DataFrame, any protocol, csv"):
        registry.get_decoder(pd.DataFrame, "s3", "avro")
    registry.register(ToCsv("s3", "rows"))
    assert registry.get_encoder(Rows, "s3", "") is registry.get_encoder(Rows, "s3", "rows")
    with pytest.raises(ValueError, match="Failed to find a handler"):
        registry.get_encoder(Rows, "gs", "")


def test_a_reader_that_gives_parts_is_read_in_parts(registry: type[StructuredDatasetTransformerEngine]) -> None:
    registry.register(ToCsv())
    registry.register(FromCsv(one_by_one=True))
    dataset = StructuredDataset(dataframe=Rows([{"a": "1"}, {"a": "2"}]), file_format="rows")
    dataset.set_literal()
    again = received(dataset.literal)
    assert [part.rows for part in again.open(Rows).iter()] == [[{"a": "1"}], [{"a": "2"}]]
    with pytest.raises(ValueError, match=r"use .iter\(\)"):
        again.all()


def test_what_is_no_handler_is_refused(registry: type[StructuredDatasetTransformerEngine]) -> None:
    with pytest.raises(TypeError, match="a handler is a"):
        registry.register(object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="None stands for all"):
        ToCsv("")


def test_handlers_reach_the_store_through_their_context(prefix: str, tmp_path: Path) -> None:
    access = handlers.CONTEXT.file_access
    assert access.raw_output_prefix == prefix
    uri = access.get_random_remote_path("some/where/a.txt")
    assert uri.startswith(prefix) and uri.endswith("/a.txt")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "f").write_text("f")
    access.put_data(str(tmp_path / "tree"), uri, is_multipart=True)
    assert access.exists(uri) and access.is_remote(uri) == prefix.startswith("s3")
    folder = access.get_data(uri, access.get_random_local_directory(), is_multipart=True)
    assert (Path(folder) / "f").read_text() == "f"
    assert len(access.get_random_string()) == 32
