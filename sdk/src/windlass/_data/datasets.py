"""StructuredDataset: a table as the input or output of a task, whatever library holds it.

    @task
    def load() -> StructuredDataset:
        return StructuredDataset(dataframe=pd.read_csv(...))

    @task
    def adults(people: Annotated[StructuredDataset, kwtypes(name=str, age=int)]) -> int:
        frame = people.open(pl.DataFrame).all()          # only now read, and only these columns of it
        return len(frame.filter(pl.col("age") > 17))

What travels is a reference: `{"uri": …, "format": "parquet", "columns": {"name": "str"}}`. One that is passed on
without a new frame keeps it, and nothing is copied.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from windlass import _store
from windlass._data.columns import Declared, declared_by
from windlass._data.handlers import (
    CONTEXT,
    GENERIC_FORMAT,
    LiteralStructuredDataset,
    StructuredDatasetDecoder,
    StructuredDatasetMetadata,
    StructuredDatasetTransformerEngine,
    StructuredDatasetType,
)
from windlass._exceptions import TypeTransformerFailedError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from typing_extensions import Self

T = TypeVar("T")


class _OnBoth(Generic[T]):
    """A method that can be called on the class as well, where it gets None in place of an object."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, instance: Any, owner: type) -> Callable[[], T]:
        def method() -> T:
            return self._function(instance)

        method.__doc__ = self.__doc__
        return method


class StructuredDataset:
    """A table: a frame that is to be stored, or an address at which one is.

    Args:
        dataframe: a frame of pandas, polars, pyarrow, or of any class that has a handler.
        uri: where it is; with a frame, where to store it (default: at a new address).
        metadata: columns and format, where they are known.
        file_format: `parquet` (default), `csv`, or what a handler knows.

    >>> StructuredDataset(uri="s3://bucket/people", file_format="csv").to_dict()
    {'uri': 's3://bucket/people', 'file_format': 'csv'}
    """

    __windlass_transformer__ = "windlass._data.frames:StructuredDatasetTransformer"

    def __init__(
        self,
        dataframe: Any = None,
        uri: str | None = None,
        metadata: StructuredDatasetMetadata | None = None,
        **kwargs: Any,
    ) -> None:
        file_format = kwargs.pop("file_format", None)
        if kwargs:
            raise TypeError(
                f"StructuredDataset takes dataframe, uri, metadata and file_format, not {', '.join(sorted(kwargs))}"
            )
        if uri is not None and not isinstance(uri, str):
            raise TypeError(f"the uri of a StructuredDataset is a text, not {uri!r}")
        self._dataframe = dataframe
        self.uri = uri
        self._metadata = metadata
        recorded = metadata.structured_dataset_type.format if metadata else GENERIC_FORMAT
        self.file_format: str = file_format or recorded
        self._literal: dict[str, Any] | None = None
        self._dataframe_type: Any = None
        self._declared = Declared({}, GENERIC_FORMAT)

    # ---- what it is -------------------------------------------------------------------------------------------------

    @property
    def dataframe(self) -> Any:
        """The frame it was made with; None for one that is read with `open`."""
        return self._dataframe

    @property
    def metadata(self) -> StructuredDatasetMetadata | None:
        """Columns and format, where they are known."""
        return self._metadata

    @property
    def literal(self) -> dict[str, Any] | None:
        """The reference that travels; None for one that was not stored yet."""
        return None if self._literal is None else dict(self._literal)

    def _columns(self) -> dict[str, str]:
        if self._declared.columns:
            return dict(self._declared.columns)
        known = self._metadata.structured_dataset_type.columns if self._metadata else []
        return {column.name: column.literal_type for column in known}

    @_OnBoth
    def columns(self: Any) -> dict[str, str]:
        """Its columns and their types, as far as they were declared; on the class, none."""
        return {} if self is None else self._columns()

    @_OnBoth
    def column_names(self: Any) -> list[str]:
        """The names of its columns, as far as they were declared; on the class, none."""
        return [] if self is None else list(self._columns())

    # ---- reading ----------------------------------------------------------------------------------------------------

    def open(self, dataframe_type: Any) -> Self:
        """Says as what it is to be read, `sd.open(pd.DataFrame).all()`; an Annotated with columns says which of them.

        The object itself is given back. Nothing is read before `all` or `iter`.
        """
        declared = declared_by(dataframe_type)
        if declared.columns:
            self._declared = Declared(declared.columns, self._declared.format)
        self._dataframe_type = declared.base if hasattr(dataframe_type, "__metadata__") else dataframe_type
        return self

    def all(self) -> Any:
        """The whole frame. Raises ValueError where `open` was not called before."""
        frame_type = self._opened_as()
        if isinstance(self._dataframe, frame_type):
            return self._dataframe
        decoder, stored, wanted = self._reader(frame_type)
        frame = decoder.decode(CONTEXT, stored, wanted)
        if isinstance(frame, Iterator):
            raise ValueError(f"{decoder!r} reads in parts: use .iter()")
        return frame

    def iter(self) -> Iterator[Any]:
        """The frame in parts, so that it need not fit into memory. ValueError where `open` was not called before."""
        frame_type = self._opened_as()
        if isinstance(self._dataframe, frame_type):
            return iter([self._dataframe])
        decoder, stored, wanted = self._reader(frame_type)
        in_parts = getattr(decoder, "decode_parts", decoder.decode)
        frames = in_parts(CONTEXT, stored, wanted)
        return frames if isinstance(frames, Iterator) else iter([frames])

    def _opened_as(self) -> type:
        if self._dataframe_type is None:
            raise ValueError(
                "No dataframe type set. Use open() to set the local dataframe type you want to use:"
                " sd.open(pd.DataFrame).all()"
            )
        if not isinstance(self._dataframe_type, type):
            raise TypeError(f"a StructuredDataset is opened as a class of frames, not as {self._dataframe_type!r}")
        return self._dataframe_type

    def _reader(
        self, frame_type: type
    ) -> tuple[StructuredDatasetDecoder[Any], LiteralStructuredDataset, StructuredDatasetMetadata]:
        self.set_literal()
        literal = self._literal or {}
        protocol, fmt = _store.scheme_of(literal["uri"]), literal.get("format", GENERIC_FORMAT)
        decoder = StructuredDatasetTransformerEngine.get_decoder(frame_type, protocol, fmt)
        stored = StructuredDatasetMetadata(StructuredDatasetType([], fmt))
        wanted = StructuredDatasetMetadata(StructuredDatasetType(as_columns(self._columns()), fmt))
        return decoder, LiteralStructuredDataset(literal["uri"], stored), wanted

    # ---- storing ----------------------------------------------------------------------------------------------------

    def set_literal(self, ctx: None = None, expected: Any = None) -> None:
        """Stores the frame, if there is one that is not stored yet, so that there is a reference (`literal`).

        Args:
            ctx: must be None: what it carries upstream is known here without it.
            expected: the annotation to store it for, `Annotated[StructuredDataset, kwtypes(…), "csv"]`.
        """
        if ctx is not None:
            raise ValueError("ctx must be None: there is no FlyteContext here, and nothing that it would tell")
        if self._literal is None or expected is not None:
            from windlass._data.frames import reference_of  # noqa: PLC0415  it needs this module

            self._literal = reference_of(self, declared_by(expected) if expected is not None else self._declared)

    @classmethod
    def from_reference(cls, wire: Mapping[str, Any], declared: Declared) -> Self:
        """One from the reference that travels; nothing is read."""
        fmt = wire.get("format", wire.get("file_format")) or GENERIC_FORMAT
        kind = StructuredDatasetType(as_columns(wire.get("columns") or {}), fmt)
        made = cls(uri=wire["uri"], metadata=StructuredDatasetMetadata(kind), file_format=fmt)
        made._declared = declared
        made._literal = {name: part for name, part in wire.items() if name != "file_format"}
        if fmt:
            made._literal["format"] = fmt
        return made

    # ---- JSON -------------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """`{"uri": …, "file_format": …}`. Stores nothing."""
        return {"uri": self.uri, "file_format": self.file_format}

    @classmethod
    def from_dict(cls, d: Any, *, dialect: None = None) -> Self:
        """The dataset that such an object stands for. `dialect`, an option of mashumaro, must be None."""
        if dialect is not None:
            raise ValueError("dialect is an option of mashumaro, which Windlass does not use; leave it out")
        if not isinstance(d, Mapping) or not isinstance(d.get("uri"), str):
            raise TypeTransformerFailedError(f"expected an object with a text under 'uri', got {d!r}")
        return cls(uri=d["uri"], file_format=d.get("file_format", d.get("format")))

    def to_json(self, encoder: Callable[[Any], Any] = json.dumps, **to_dict_kwargs: Any) -> Any:
        """What `encoder` (default: `json.dumps`) makes of `to_dict(**to_dict_kwargs)`."""
        return encoder(self.to_dict(**to_dict_kwargs))

    @classmethod
    def from_json(
        cls, data: str | bytes | bytearray, decoder: Callable[[Any], Any] = json.loads, **from_dict_kwargs: Any
    ) -> Self:
        """The dataset of a JSON text: `from_dict(decoder(data), **from_dict_kwargs)`."""
        return cls.from_dict(decoder(data), **from_dict_kwargs)

    def serialize_structured_dataset(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What stands for it in a pydantic model's JSON: like `to_dict`, but a frame is stored first.

        Further arguments are what pydantic passes to serializers; none of them changes the result.
        """
        self.set_literal()
        literal = self._literal or {}
        return {"uri": literal["uri"], "file_format": literal.get("format", self.file_format)}

    def deserialize_structured_dataset(self, *args: Any, **kwargs: Any) -> Self:
        """The dataset as a task receives it. Further arguments are what pydantic passes to validators."""
        if self.uri is None or self._dataframe is not None:
            return self
        return type(self).from_reference(self._literal or self.to_dict(), self._declared)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """As a field of a model: `{"uri": …, "file_format": …}` in JSON."""
        from pydantic_core import core_schema  # noqa: PLC0415  only pydantic asks, and then it is loaded

        def read(value: Any) -> StructuredDataset:
            return value if isinstance(value, cls) else cls.from_dict(value).deserialize_structured_dataset()

        return core_schema.no_info_plain_validator_function(
            read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value.serialize_structured_dataset()
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        """What a model's JSON schema says of such a field."""
        text = {"type": "string"}
        return {"type": "object", "properties": {"uri": text, "file_format": text}, "required": ["uri"]}

    # ---- what Python wants ------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        """Two are equal that lie at the same address in the same format; one without an address only equals itself."""
        if not isinstance(other, StructuredDataset):
            return NotImplemented
        return self is other or (
            self.uri is not None and (self.uri, self.file_format) == (other.uri, other.file_format)
        )

    def __hash__(self) -> int:
        return hash((self.uri, self.file_format))

    def __repr__(self) -> str:
        inside = f", {type(self._dataframe).__qualname__}" if self._dataframe is not None else ""
        return f"{type(self).__name__}(uri={self.uri!r}, file_format={self.file_format!r}{inside})"


class FlyteSchema(StructuredDataset):
    """The older name of a dataset with columns: `FlyteSchema[kwtypes(name=str)]`, read by `schema.open().all()`.

    It is a StructuredDataset in everything; new code says `Annotated[StructuredDataset, kwtypes(name=str)]`.
    """

    def __class_getitem__(cls, columns: Any) -> Any:
        """The annotation with these columns."""
        from typing import Annotated  # noqa: PLC0415  few still use it

        return Annotated[cls, columns]

    def open(self, dataframe_type: Any = None) -> Self:
        """Says as what it is to be read; a pandas.DataFrame by default."""
        if dataframe_type is None:
            import pandas  # noqa: PLC0415  optional, and the default of this class alone

            dataframe_type = pandas.DataFrame
        return super().open(dataframe_type)


def as_columns(columns: Mapping[str, str]) -> list[Any]:
    """A mapping of names to types as handlers get it."""
    from windlass._data.handlers import DatasetColumn  # noqa: PLC0415  one name less above

    return [DatasetColumn(name, kind) for name, kind in columns.items()]
