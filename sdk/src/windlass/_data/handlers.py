"""Who writes a frame of some type to some kind of address in some format, and who reads it.

A handler is an encoder or a decoder for (Python type, protocol, format). Ours (`builtin`) write and read pandas, polars
and pyarrow as parquet and csv wherever `_store` reaches. Users add theirs:

    class ToAvro(StructuredDatasetEncoder):
        def __init__(self) -> None:
            super().__init__(pd.DataFrame, None, "avro")

        def encode(self, ctx, structured_dataset, structured_dataset_type):
            uri = structured_dataset.uri or ctx.file_access.get_random_remote_directory()
            ...
            return LiteralStructuredDataset(uri, StructuredDatasetMetadata(structured_dataset_type))

    StructuredDatasetTransformerEngine.register(ToAvro())

The search goes from the particular to the general: protocol and format, protocol and any format, then the same with any
protocol. A format that nobody named is the type's default one.
"""

# ruff: noqa: A002  `format` is the name that the API has for it

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from windlass import _store
from windlass._exceptions import DuplicateHandlerError

if TYPE_CHECKING:
    from windlass._data.datasets import StructuredDataset

T = TypeVar("T")
GENERIC_FORMAT = ""
GENERIC_PROTOCOL = "fsspec"
PARQUET = "parquet"
CSV = "csv"


# ---- what handlers are told -----------------------------------------------------------------------------------------


class DatasetColumn:
    """A column: its name, with dots inside nested ones, and its type as the contract writes it (`int`, `str` …)."""

    def __init__(self, name: str, literal_type: str = "any") -> None:
        self.name = name
        self.literal_type = literal_type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatasetColumn) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.name, self.literal_type))

    def __repr__(self) -> str:
        return f"DatasetColumn({self.name!r}, {self.literal_type!r})"


class StructuredDatasetType:
    """Columns and format of a dataset. No columns means all of them; no format, the default one.

    >>> StructuredDatasetType([DatasetColumn("a", "int")], "csv").column_names
    ['a']
    """

    def __init__(self, columns: list[DatasetColumn] | None = None, format: str = GENERIC_FORMAT) -> None:
        self.columns = list(columns or ())
        self.format = format

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StructuredDatasetType) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((tuple(self.columns), self.format))

    def __repr__(self) -> str:
        return f"StructuredDatasetType({self.columns!r}, {self.format!r})"


class StructuredDatasetMetadata:
    """What is known of a dataset besides where it is."""

    def __init__(self, structured_dataset_type: StructuredDatasetType | None = None) -> None:
        self.structured_dataset_type = structured_dataset_type or StructuredDatasetType()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StructuredDatasetMetadata) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.structured_dataset_type)

    def __repr__(self) -> str:
        return f"StructuredDatasetMetadata({self.structured_dataset_type!r})"


class LiteralStructuredDataset:
    """A stored dataset, as encoders give it and decoders get it: where it is, and what is known of it."""

    def __init__(self, uri: str, metadata: StructuredDatasetMetadata | None = None) -> None:
        self.uri = uri
        self.metadata = metadata or StructuredDatasetMetadata()

    def __repr__(self) -> str:
        return f"LiteralStructuredDataset({self.uri!r}, {self.metadata!r})"


class FileAccess:
    """What handlers may do with the store."""

    @property
    def raw_output_prefix(self) -> str:
        """Where new data goes."""
        return _store.current_prefix()

    def get_random_remote_path(self, file_path_or_file_name: str | None = None) -> str:
        """A new address, with the name of that file."""
        return _store.new_uri(_store.name_of(file_path_or_file_name) if file_path_or_file_name else "")

    def get_random_remote_directory(self) -> str:
        """A new address for a folder."""
        return _store.new_uri()

    def get_random_local_path(self, file_path_or_file_name: str | None = None) -> str:
        """A local path at which nothing lies; the folder it is in is there."""
        from windlass._data.blobs import new_local_path  # noqa: PLC0415  few handlers ask

        path = new_local_path(file_path_or_file_name or "")
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120  paths are strings here
        return path

    def get_random_local_directory(self) -> str:
        """A new, empty local folder."""
        path = self.get_random_local_path()
        os.makedirs(path)  # noqa: PTH103  paths are strings here
        return path

    def get_random_string(self) -> str:
        """32 hex digits."""
        return os.urandom(16).hex()

    def join(self, *args: str) -> str:
        """The parts of an address, put together."""
        return _store.join(*args)

    def is_remote(self, path: str) -> bool:
        """Whether the address is anywhere but on this machine."""
        return _store.is_remote(path)

    def exists(self, path: str) -> bool:
        """Whether something is there."""
        return _store.exists(path)

    def put_data(self, local_path: str, remote_path: str, is_multipart: bool = False) -> str:
        """Stores a local file, or with `is_multipart` a folder; says where."""
        return (_store.put_tree if is_multipart else _store.put_file)(local_path, remote_path)

    def get_data(self, remote_path: str, local_path: str, is_multipart: bool = False) -> str:
        """Copies a file, or with `is_multipart` a folder, to a local path; says where."""
        return (_store.get_tree if is_multipart else _store.get_file)(remote_path, local_path)


class HandlerContext:
    """The `ctx` of handlers: the way to the store."""

    file_access = FileAccess()


CONTEXT = HandlerContext()


# ---- what users subclass --------------------------------------------------------------------------------------------


class Handler(ABC, Generic[T]):
    """What encoders and decoders have in common: type, protocol and format.

    Args:
        python_type: the frames' class.
        protocol: `s3`, `file`, …; None for every one that the store reaches.
        supported_format: `parquet`, `avro`, …; None for every one.
    """

    kind = "handler"

    def __init__(self, python_type: type[T], protocol: str | None = None, supported_format: str | None = None) -> None:
        self._python_type = python_type
        self._protocol = None if protocol is None else protocol.replace("://", "")
        self._supported_format = supported_format or GENERIC_FORMAT
        if self._protocol == "":
            raise ValueError("a protocol is a text such as 's3' or 'file'; None stands for all of them")

    @property
    def python_type(self) -> type[T]:
        """The frames' class."""
        return self._python_type

    @property
    def protocol(self) -> str | None:
        """The kind of address; None for all."""
        return self._protocol

    @property
    def supported_format(self) -> str:
        """The format; "" for all."""
        return self._supported_format

    def __repr__(self) -> str:
        protocol, fmt = self._protocol or "any protocol", self._supported_format or "any format"
        return f"<{type(self).__name__} of {self._python_type.__qualname__}, {protocol}, {fmt}>"


class StructuredDatasetEncoder(Handler[T]):
    """Stores frames."""

    kind = "encoder"

    @abstractmethod
    def encode(
        self, ctx: HandlerContext, structured_dataset: StructuredDataset, structured_dataset_type: StructuredDatasetType
    ) -> LiteralStructuredDataset:
        """Stores `structured_dataset.dataframe` at `structured_dataset.uri`, or at a new address; says where.

        The type says which columns its author has declared, and the format that was asked for.
        """


class StructuredDatasetDecoder(Handler[T]):
    """Reads frames."""

    kind = "decoder"

    @abstractmethod
    def decode(
        self,
        ctx: HandlerContext,
        flyte_value: LiteralStructuredDataset,
        current_task_metadata: StructuredDatasetMetadata,
    ) -> T | Iterator[T]:
        """The frame at `flyte_value.uri`, or its parts one after the other.

        `current_task_metadata` says which columns are wanted; none means all.
        """


# ---- the registry ---------------------------------------------------------------------------------------------------

Key = tuple[type, str, str]


class StructuredDatasetTransformerEngine:
    """All handlers."""

    ENCODERS: ClassVar[dict[Key, StructuredDatasetEncoder[Any]]] = {}
    DECODERS: ClassVar[dict[Key, StructuredDatasetDecoder[Any]]] = {}
    DEFAULT_FORMATS: ClassVar[dict[type, str]] = {}
    DEFAULT_PROTOCOLS: ClassVar[dict[type, str]] = {}
    RENDERERS: ClassVar[dict[type, Any]] = {}

    @classmethod
    def register(
        cls,
        h: Handler[Any],
        default_for_type: bool = False,
        override: bool = False,
        default_format_for_type: bool = False,
        default_storage_for_type: bool = False,
    ) -> None:
        """Adds a handler; from now on its type may be annotated.

        Args:
            h: the encoder or decoder.
            default_for_type: its format and protocol are those of frames of its type for which nobody names others.
            override: take the place of a handler for the same type, protocol and format.
            default_format_for_type: only its format is the default.
            default_storage_for_type: only its protocol is the default.

        Raises:
            DuplicateHandlerError: there is one already (a ValueError).
            TypeError: it is neither an encoder nor a decoder.
            ValueError: a default without a protocol or format to name.
        """
        registry = cls._registry(h)
        if (default_for_type or default_storage_for_type) and h.protocol is None:
            raise ValueError(f"{h!r} is for all protocols, so it can't say which one is the default")
        _load_builtin(h.python_type)
        key = (h.python_type, h.protocol or GENERIC_PROTOCOL, h.supported_format)
        if key in registry and not override:
            raise DuplicateHandlerError(
                f"{h!r} can't be registered: {registry[key]!r} does the same already; pass override=True to replace it"
            )
        cls._make_annotatable(h.python_type)
        registry[key] = h
        if default_for_type or default_format_for_type:
            cls.DEFAULT_FORMATS[h.python_type] = h.supported_format
        if (default_for_type or default_storage_for_type) and h.protocol is not None:
            cls.DEFAULT_PROTOCOLS[h.python_type] = h.protocol

    @classmethod
    def register_renderer(cls, python_type: type, renderer: Any) -> None:
        """Shows frames of a class in decks with `renderer.to_html(frame)`."""
        cls.RENDERERS[python_type] = renderer

    @classmethod
    def get_encoder(cls, df_type: type, protocol: str, format: str) -> StructuredDatasetEncoder[Any]:
        """Who stores such frames; ValueError where nobody does."""
        return cast("StructuredDatasetEncoder[Any]", cls._find(cls.ENCODERS, df_type, protocol, format))

    @classmethod
    def get_decoder(cls, df_type: type, protocol: str, format: str) -> StructuredDatasetDecoder[Any]:
        """Who reads such frames; ValueError where nobody does."""
        return cast("StructuredDatasetDecoder[Any]", cls._find(cls.DECODERS, df_type, protocol, format))

    @classmethod
    def default_format(cls, df_type: type) -> str:
        """The format of frames of a class for which nobody names one; "" where there is none."""
        _load_builtin(df_type)
        return next(
            (cls.DEFAULT_FORMATS[base] for base in df_type.__mro__ if base in cls.DEFAULT_FORMATS), GENERIC_FORMAT
        )

    @classmethod
    def _registry(cls, h: Handler[Any]) -> dict[Key, Any]:
        if isinstance(h, StructuredDatasetEncoder):
            return cls.ENCODERS
        if isinstance(h, StructuredDatasetDecoder):
            return cls.DECODERS
        raise TypeError(f"a handler is a StructuredDatasetEncoder or a StructuredDatasetDecoder, not {h!r}")

    @classmethod
    def _find(cls, registry: dict[Key, Any], df_type: type, protocol: str, fmt: str) -> Handler[Any]:
        _load_builtin(df_type)
        protocol = protocol.replace("://", "") or "file"
        if not fmt:
            fmt = cls.default_format(df_type)
        for base in df_type.__mro__:
            for key in (
                (base, protocol, fmt),
                (base, protocol, GENERIC_FORMAT),
                (base, GENERIC_PROTOCOL, fmt),
                (base, GENERIC_PROTOCOL, GENERIC_FORMAT),
            ):
                if key in registry:
                    return cast("Handler[Any]", registry[key])
        known = [handler for (base, _, _), handler in registry.items() if base is df_type]
        if not fmt and len(known) == 1 and known[0].protocol in (None, protocol):
            return cast("Handler[Any]", known[0])
        name = f"{df_type.__module__}.{df_type.__qualname__}"
        raise ValueError(
            f"Failed to find a handler for {name}, protocol [{protocol}], fmt ['{fmt}']; registered are"
            f" {', '.join(map(repr, known)) or 'none for this type'}. Add one with"
            " StructuredDatasetTransformerEngine.register(…)"
        )

    @classmethod
    def _make_annotatable(cls, python_type: type) -> None:
        """Tells the type engine of a class that nobody carries so far."""
        from windlass._data.datasets import StructuredDataset  # noqa: PLC0415  it needs this module
        from windlass._data.frames import FrameTransformer  # noqa: PLC0415  as above
        from windlass._types import foreign  # noqa: PLC0415  only where handlers are added
        from windlass._types.transformer import TypeEngine  # noqa: PLC0415  as above

        if issubclass(python_type, StructuredDataset) or foreign.find(python_type):
            return
        if not isinstance(TypeEngine.registered.get(python_type), FrameTransformer):
            TypeEngine.register(FrameTransformer(python_type))


def _load_builtin(df_type: type) -> None:
    """Registers our own handlers of a library's frames when the first of them is met."""
    from windlass._data import builtin  # noqa: PLC0415  it needs this module

    builtin.load(df_type)
