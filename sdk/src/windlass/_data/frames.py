"""Tables on the wire: `{"uri": …, "format": …, "columns": {…}}`.

A StructuredDataset is read when its author opens it; a frame of pandas, polars or pyarrow is read when the task begins.
Which columns: those that the reader's annotation names, else those that the writer's did, else all.
"""

# ruff: noqa: PTH100, PTH110, PTH112  addresses are strings, and so are paths

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from windlass import _store
from windlass._data.columns import Declared, declared_by
from windlass._data.datasets import StructuredDataset, as_columns
from windlass._data.handlers import CONTEXT, PARQUET, StructuredDatasetTransformerEngine, StructuredDatasetType
from windlass._data.transformers import must_move
from windlass._exceptions import TypeTransformerFailedError
from windlass._types.transformer import TypeTransformer


class FrameTransformer(TypeTransformer[Any]):
    """Frames of one class; as values also StructuredDatasets and other frames."""

    def __init__(self, t: type) -> None:
        super().__init__(t.__qualname__, t)

    def type_expression(self, python_type: Any) -> tuple[str, dict[str, Any] | None]:
        """`dataframe`, or `dataframe[csv]` where a format is named."""
        fmt = declared_by(python_type).format
        return (f"dataframe[{fmt}]" if fmt else "dataframe"), None

    def to_wire(self, value: Any, python_type: Any) -> dict[str, Any]:
        """The reference, with the frame stored."""
        declared = declared_by(python_type)
        if not isinstance(value, StructuredDataset):
            if value is None or isinstance(value, str | os.PathLike):
                raise TypeTransformerFailedError(
                    f"expected a frame ({self.name}) or a StructuredDataset, got {value!r};"
                    " what lies at an address is StructuredDataset(uri=…)"
                )
            value = StructuredDataset(dataframe=value)
        if value.dataframe is None and value.literal is not None:
            return dict(value.literal)  # passed through
        return reference_of(value, declared)

    def from_wire(self, value: Any, python_type: Any) -> Any:
        """The frame, read."""
        dataset = _dataset(StructuredDataset, value, declared_by(python_type))
        base = declared_by(python_type).base
        return dataset.open(base if isinstance(base, type) else self.python_type).all()


class StructuredDatasetTransformer(FrameTransformer):
    """StructuredDataset, and FlyteSchema."""

    def __init__(self) -> None:
        super().__init__(StructuredDataset)

    def from_wire(self, value: Any, python_type: Any) -> StructuredDataset:
        """The dataset, with nothing read."""
        declared = declared_by(python_type)
        dataset: StructuredDataset = _dataset(declared.base or StructuredDataset, value, declared)
        return dataset


class PandasTransformer(FrameTransformer):
    """pandas.DataFrame."""

    def __init__(self) -> None:
        import pandas  # noqa: PLC0415  whoever annotates its frames has it

        super().__init__(pandas.DataFrame)


class PolarsTransformer(FrameTransformer):
    """polars.DataFrame, and polars.LazyFrame."""

    def __init__(self) -> None:
        import polars  # noqa: PLC0415  as above

        super().__init__(polars.DataFrame)


class ArrowTransformer(FrameTransformer):
    """pyarrow.Table."""

    def __init__(self) -> None:
        import pyarrow  # noqa: PLC0415  as above

        super().__init__(pyarrow.Table)


def _dataset(cls: Any, value: Any, declared: Declared) -> Any:
    if isinstance(value, str):
        value = {"uri": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("uri"), str):
        raise TypeTransformerFailedError(f"expected an object with the address of a table under 'uri', got {value!r}")
    return cls.from_reference(value, declared)


def reference_of(dataset: StructuredDataset, declared: Declared) -> dict[str, Any]:
    """The reference of a dataset, whose frame is stored if it has one."""
    engine = StructuredDatasetTransformerEngine
    fmt = dataset.file_format or declared.format
    columns = dict(declared.columns) or dataset.columns()
    if dataset.dataframe is None:
        if not dataset.uri:
            raise ValueError("If dataframe is not specified, then the uri should be specified.")
        return _wire(_reachable(dataset.uri), fmt or PARQUET, columns)
    frame_class = type(dataset.dataframe)
    protocol = _protocol_of(dataset.uri, engine.DEFAULT_PROTOCOLS.get(frame_class))
    fmt = fmt or engine.default_format(frame_class)
    encoder = engine.get_encoder(frame_class, protocol, fmt)
    stored = encoder.encode(CONTEXT, dataset, StructuredDatasetType(as_columns(columns), fmt))
    kind = stored.metadata.structured_dataset_type
    recorded = {column.name: column.literal_type for column in kind.columns}
    return _wire(stored.uri, kind.format or fmt, recorded or columns)


def _protocol_of(uri: str | None, default: str | None) -> str:
    """The protocol of an address; of a new one the type's default, else that of the raw output prefix."""
    if uri is None and default is not None:
        return default
    return _store.scheme_of(uri or _store.current_prefix()) or "file"


def _wire(uri: str, fmt: str, columns: Mapping[str, str]) -> dict[str, Any]:
    return {"uri": uri, **({"format": fmt} if fmt else {}), **({"columns": dict(columns)} if columns else {})}


def _reachable(uri: str) -> str:
    """The address of a dataset that somebody else wrote; a local one is copied to where outputs go, if that is said."""
    if _store.is_remote(uri):
        return uri
    local = _store.local_path(uri)
    if not os.path.exists(local):
        raise TypeTransformerFailedError(f"expected a table at {uri!r}, but nothing lies there")
    if not must_move(local):
        return os.path.abspath(local)
    return (_store.put_tree if os.path.isdir(local) else _store.put_file)(local)


__all__ = [
    "ArrowTransformer",
    "FrameTransformer",
    "PandasTransformer",
    "PolarsTransformer",
    "StructuredDatasetTransformer",
    "reference_of",
]
