"""Our own handlers: frames of pandas, polars and pyarrow as parquet and csv, wherever the store reaches.

A dataset is a folder with one file, `<uri>/00000` or `<uri>/00000.csv`. Read is every file that lies in the folder (so
what Spark or another engine wrote in parts can be read, too), or the file that the address itself names. Of parquet
only the wanted columns are fetched.

Each library is a few functions on open streams; the two handlers do everything else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from windlass import _store
from windlass._data.handlers import (
    CSV,
    PARQUET,
    HandlerContext,
    LiteralStructuredDataset,
    StructuredDatasetDecoder,
    StructuredDatasetEncoder,
    StructuredDatasetMetadata,
    StructuredDatasetTransformerEngine,
    StructuredDatasetType,
)
from windlass._exceptions import FlyteException

if TYPE_CHECKING:
    from windlass._data.datasets import StructuredDataset

_FILES = {PARQUET: "00000", CSV: "00000.csv"}
_ROWS = 1 << 16  # of a part, where a frame is read in parts
Columns = Sequence[str] | None


class _Library(ABC):
    """Frames of one class: to a stream, and from one."""

    def __init__(self, frame_class: type) -> None:
        self.frame_class = frame_class

    @abstractmethod
    def write(self, frame: Any, stream: IO[bytes], fmt: str) -> None:
        """Writes a frame."""

    @abstractmethod
    def read(self, stream: IO[bytes], fmt: str, columns: Columns) -> Any:
        """Reads a frame."""

    @abstractmethod
    def parts(self, stream: IO[bytes], fmt: str, columns: Columns) -> Iterator[Any]:
        """Reads a frame as several smaller ones."""

    @abstractmethod
    def joined(self, frames: list[Any]) -> Any:
        """One frame below the other."""

    @abstractmethod
    def names(self, frame: Any) -> list[str]:
        """The columns of a frame."""


class _Pandas(_Library):
    def write(self, frame: Any, stream: IO[bytes], fmt: str) -> None:
        if fmt == CSV:
            frame.to_csv(stream, index=False)
        else:
            frame.to_parquet(stream)

    def read(self, stream: IO[bytes], fmt: str, columns: Columns) -> Any:
        import pandas  # noqa: PLC0415  whoever asks for its frames has it

        if fmt == CSV:
            return pandas.read_csv(stream, usecols=columns)[list(columns)] if columns else pandas.read_csv(stream)
        if any("." in name for name in columns or ()):  # pandas would put the inner names where the outer ones belong
            import pyarrow.parquet  # noqa: PLC0415  what pandas reads parquet with

            return (
                pyarrow.parquet.ParquetFile(_native(stream))
                .read(list(columns or ()), use_pandas_metadata=True)
                .to_pandas()
            )
        return pandas.read_parquet(_native(stream), columns=columns and list(columns))

    def parts(self, stream: IO[bytes], fmt: str, columns: Columns) -> Iterator[Any]:
        import pandas  # noqa: PLC0415  as above

        if fmt == CSV:
            for part in pandas.read_csv(stream, usecols=columns, chunksize=_ROWS):
                yield part[list(columns)] if columns else part
            return
        for table in _parquet_parts(stream, columns):
            yield table.to_pandas()

    def joined(self, frames: list[Any]) -> Any:
        import pandas  # noqa: PLC0415  as above

        return pandas.concat(frames)

    def names(self, frame: Any) -> list[str]:
        return [str(name) for name in frame.columns]


class _Arrow(_Library):
    def write(self, frame: Any, stream: IO[bytes], fmt: str) -> None:
        if fmt == CSV:
            import pyarrow.csv  # noqa: PLC0415  whoever asks for its frames has it

            pyarrow.csv.write_csv(frame, stream)
        else:
            import pyarrow.parquet  # noqa: PLC0415  as above

            pyarrow.parquet.write_table(frame, stream)

    def read(self, stream: IO[bytes], fmt: str, columns: Columns) -> Any:
        if fmt == CSV:
            import pyarrow.csv  # noqa: PLC0415  as above

            options = pyarrow.csv.ConvertOptions(include_columns=columns and list(columns))
            return pyarrow.csv.read_csv(stream, convert_options=options)
        import pyarrow.parquet  # noqa: PLC0415  as above

        return pyarrow.parquet.ParquetFile(_native(stream)).read(columns=columns and list(columns))

    def parts(self, stream: IO[bytes], fmt: str, columns: Columns) -> Iterator[Any]:
        if fmt == CSV:
            yield self.read(stream, fmt, columns)
        else:
            yield from _parquet_parts(stream, columns)

    def joined(self, frames: list[Any]) -> Any:
        import pyarrow  # noqa: PLC0415  as above

        return pyarrow.concat_tables(frames)

    def names(self, frame: Any) -> list[str]:
        return list(frame.column_names)


class _Polars(_Library):
    def write(self, frame: Any, stream: IO[bytes], fmt: str) -> None:
        if fmt == CSV:
            frame.write_csv(stream)
        else:
            frame.write_parquet(stream)

    def read(self, stream: IO[bytes], fmt: str, columns: Columns) -> Any:
        import polars  # noqa: PLC0415  whoever asks for its frames has it

        read = polars.read_csv if fmt == CSV else polars.read_parquet
        if columns is None:
            return read(stream)
        nested = any("." in name for name in columns)
        return _with_fields(read(stream), columns) if nested else read(stream, columns=list(columns)).select(columns)

    def parts(self, stream: IO[bytes], fmt: str, columns: Columns) -> Iterator[Any]:
        yield from self.read(stream, fmt, columns).iter_slices(_ROWS)

    def joined(self, frames: list[Any]) -> Any:
        import polars  # noqa: PLC0415  as above

        return polars.concat(frames)

    def names(self, frame: Any) -> list[str]:
        return list(frame.columns)


class _LazyPolars(_Polars):
    def write(self, frame: Any, stream: IO[bytes], fmt: str) -> None:
        super().write(frame.collect(), stream, fmt)

    def read(self, stream: IO[bytes], fmt: str, columns: Columns) -> Any:
        return super().read(stream, fmt, columns).lazy()

    def parts(self, stream: IO[bytes], fmt: str, columns: Columns) -> Iterator[Any]:
        for part in super().read(stream, fmt, columns).iter_slices(_ROWS):
            yield part.lazy()

    def names(self, frame: Any) -> list[str]:
        return list(frame.collect_schema().names())


def _native(stream: IO[bytes]) -> str | IO[bytes]:
    """The path of a file on this machine, which pyarrow reads without Python: a thread of its own that still lets go of
    a Python object when the process ends would abort it. Other streams are read as they are.
    """
    name = getattr(stream, "name", None)
    return name if isinstance(name, str) and Path(name).is_file() else stream


def _parquet_parts(stream: IO[bytes], columns: Columns) -> Iterator[Any]:
    import pyarrow.parquet  # noqa: PLC0415  what pandas reads parquet with, too

    file = pyarrow.parquet.ParquetFile(_native(stream))
    for batch in file.iter_batches(_ROWS, columns=columns and list(columns)):
        yield pyarrow.Table.from_batches([batch])


def _with_fields(frame: Any, columns: Sequence[str]) -> Any:
    """Of a polars frame the columns, and of nested ones only the fields that are named, like parquet's readers."""
    import polars  # noqa: PLC0415  as above

    wanted: dict[str, Any] = {}
    for name in columns:
        steps = [name] if name in frame.columns else name.split(".")
        level = wanted
        for step in steps[:-1]:
            level = level.setdefault(step, {})
        level.setdefault(steps[-1], {})

    def picked(name: str, column: Any, fields: dict[str, Any]) -> Any:
        inner = [picked(field, column.struct.field(field), below) for field, below in fields.items()]
        return (polars.struct(inner) if inner else column).alias(name)

    return frame.select([picked(name, polars.col(name), fields) for name, fields in wanted.items()])


# ---- the handlers ---------------------------------------------------------------------------------------------------


class FrameEncoder(StructuredDatasetEncoder[Any]):
    """Writes frames of one library in one format."""

    def __init__(self, library: _Library, fmt: str) -> None:
        super().__init__(library.frame_class, None, fmt)
        self._library = library

    def encode(
        self,
        ctx: HandlerContext,
        structured_dataset: StructuredDataset,
        structured_dataset_type: StructuredDatasetType,
    ) -> LiteralStructuredDataset:
        """Into the one file of the dataset's folder."""
        uri = structured_dataset.uri or ctx.file_access.get_random_remote_directory()
        fmt = self.supported_format
        with _store.open(_store.join(uri, _FILES[fmt]), "wb") as stream:
            self._library.write(structured_dataset.dataframe, stream, fmt)
        stored = StructuredDatasetType(structured_dataset_type.columns, fmt)
        return LiteralStructuredDataset(uri, StructuredDatasetMetadata(stored))


class FrameDecoder(StructuredDatasetDecoder[Any]):
    """Reads frames of one library in one format."""

    def __init__(self, library: _Library, fmt: str) -> None:
        super().__init__(library.frame_class, None, fmt)
        self._library = library

    def decode(
        self,
        ctx: HandlerContext,
        flyte_value: LiteralStructuredDataset,
        current_task_metadata: StructuredDatasetMetadata,
    ) -> Any:
        """All files of the dataset, one below the other."""
        columns = current_task_metadata.structured_dataset_type.column_names or None
        frames = []
        for uri in files_of(flyte_value.uri):
            with _store.open(uri, "rb") as stream:
                frames.append(self._read(stream, columns, uri))
        return frames[0] if len(frames) == 1 else self._library.joined(frames)

    def decode_parts(
        self,
        ctx: HandlerContext,
        flyte_value: LiteralStructuredDataset,
        current_task_metadata: StructuredDatasetMetadata,
    ) -> Iterator[Any]:
        """The same in parts, none of which is held once the next one is asked for."""
        columns = current_task_metadata.structured_dataset_type.column_names or None
        for uri in files_of(flyte_value.uri):
            with _store.open(uri, "rb") as stream:
                for part in self._library.parts(stream, self.supported_format, columns):
                    yield self._checked(part, columns, uri)

    def _read(self, stream: IO[bytes], columns: Columns, uri: str) -> Any:
        try:
            frame = self._library.read(stream, self.supported_format, columns)
        except FlyteException:
            raise
        except Exception as error:
            of = f" with the columns {', '.join(columns)}" if columns else ""
            raise ValueError(f"{uri} can't be read as {self.supported_format}{of}: {error}") from error
        return self._checked(frame, columns, uri)

    def _checked(self, frame: Any, columns: Columns, uri: str) -> Any:
        """Readers of parquet leave out columns that are not there: here that is an error."""
        there = self._library.names(frame)
        lacking = [name for name in columns or () if name not in there and name.partition(".")[0] not in there]
        if lacking:
            raise ValueError(f"{uri} has no column {', '.join(map(repr, lacking))} (of {', '.join(columns or ())})")
        return frame


def files_of(uri: str) -> list[str]:
    """The files of a dataset, by name: those in its folder without the marks that engines leave there, or itself."""
    if not _store.stat(uri).is_dir:
        return [uri]
    names = [entry for entry in _store.listdir(uri) if not entry.is_dir]
    files = [entry.uri for entry in names if entry.name == ".csv" or entry.name[0] not in "._"]
    if not files:
        raise ValueError(f"the dataset at {uri} has no file")
    return files


_LIBRARIES: dict[tuple[str, str], type[_Library]] = {
    ("pandas", "DataFrame"): _Pandas,
    ("polars", "DataFrame"): _Polars,
    ("polars", "LazyFrame"): _LazyPolars,
    ("pyarrow", "Table"): _Arrow,
}
_loaded: set[type] = set()


def load(df_type: type) -> None:
    """Registers the handlers of a class, or of the one it is made from, if it is of a library that we know."""
    engine = StructuredDatasetTransformerEngine
    for base in df_type.__mro__:
        library_class = _LIBRARIES.get((base.__module__.partition(".")[0], base.__qualname__))
        if library_class is None or base in _loaded:
            continue
        _loaded.add(base)
        library = library_class(base)
        for fmt in (PARQUET, CSV):
            engine.ENCODERS[base, "fsspec", fmt] = FrameEncoder(library, fmt)
            engine.DECODERS[base, "fsspec", fmt] = FrameDecoder(library, fmt)
        engine.DEFAULT_FORMATS.setdefault(base, PARQUET)
