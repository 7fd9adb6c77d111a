"""FlyteFile: a file as the input or output of a task.

    @task
    def count(rows: FlyteFile["csv"]) -> int:
        with open(rows) as stream:              # fetches it, if it lies elsewhere
            return sum(1 for _ in stream)

    @task
    def head(rows: FlyteFile) -> bytes:
        with rows.open("rb") as stream:         # reads the part that is wanted, and fetches no more
            return stream.read(1000)

A task returns a FlyteFile, a path or an address:

| returned | becomes |
|---|---|
| an address (`s3://…`), or an input as it came | the same address; nothing is copied |
| a local path | a new object, where outputs go to a store; else the path as it is |
| `FlyteFile(path, remote_path="s3://…")` | the object at that address, also in local runs |
| `FlyteFile(path, remote_path=False)` | the path as it is, always |
"""

# ruff: noqa: PTH118  addresses are strings, and so are paths

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any

from windlass import _store
from windlass._data.blobs import Blob, Destination, FileExt, Format, new_address, relative_name, working_folder

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import Self


class FlyteFile(Blob[Format]):
    """A file, here or at an address.

    Args:
        path: a local path or an address (`s3://…`, `https://…`, `file://…`, or what fsspec knows).
        downloader: called once, before the file is first used, to put it at `path`; for files that come from
            somewhere no driver reaches.
        remote_path: where to store it when it is returned; False leaves it at `path`. Default: a new address.
        metadata: texts that travel with it, `{"content": "invoices"}`.

    >>> file = FlyteFile.new("greeting.txt")
    >>> with open(file, "w") as stream:
    ...     _ = stream.write("hello")
    >>> with file.open("r") as stream:
    ...     stream.read()
    'hello'
    """

    __windlass_transformer__ = "windlass._data.transformers:FlyteFileTransformer"

    def __init__(
        self,
        path: str | os.PathLike[str],
        downloader: Callable[[], Any] | None = None,
        remote_path: Destination | bool = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        super().__init__(path, downloader, remote_path)
        self.metadata = _checked_metadata(metadata)

    @property
    def remote_path(self) -> Destination | bool:
        """Where it is stored when it is returned: an address, False for nowhere, None for a new address."""
        return self._destination

    # ---- making them ------------------------------------------------------------------------------------------------

    @classmethod
    def new(cls, filename: str | os.PathLike[str]) -> Self:
        """A file, to be written, in the working folder of the task; ValueError unless its name is relative."""
        return cls(os.path.join(working_folder(), relative_name(filename, "filename")))

    @classmethod
    def new_remote_file(cls, name: str | None = None, alt: str | None = None) -> Self:
        """A file at a new address below the raw output prefix, to be written with `open`.

        Args:
            name: the file's name there; a random one by default.
            alt: a bucket to use in place of the prefix's own; where the prefix is a local folder, a folder in it.
        """
        return cls(new_address(name, alt))

    # ---- reading and writing ----------------------------------------------------------------------------------------

    def open(
        self, mode: str = "r", cache_type: str | None = None, cache_options: dict[str, Any] | None = None
    ) -> IO[Any]:
        """A stream on the file where it lies; nothing is fetched as a whole.

        Args:
            mode: as in the builtin: r, w or x, with b for bytes. A file that is read from its address can't be appended
                to or changed.
            cache_type: what a reader keeps of what it has read: readahead (default), none, first, blockcache,
                background, mmap, all, bytes. It concerns what lies elsewhere.
            cache_options: `{"block_size": bytes, "maxblocks": number}`.

        A file that was fetched before is read from its local path. What is written goes to the address: that of
        `remote_path` if the file has one.
        """
        writes = not mode.startswith("r") or "+" in mode
        if self._downloader is not None or (self._downloaded and not writes):
            return _store.open(self.__fspath__(), mode, cache_type=cache_type, cache_options=cache_options)
        address = self.address
        if writes and isinstance(self._destination, str | os.PathLike):
            address = os.fspath(self._destination)
            self.path, self._remote_source, self._local = address, address, None
            self._destination = False
        if writes:
            self._wire, self._downloaded = None, False
        return _store.open(address, mode, cache_type=cache_type, cache_options=cache_options)

    def _fetch(self, address: str, path: str) -> None:
        _store.get_file(address, path)

    # ---- JSON -------------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The file as an object, `{"path": address}`, with `metadata` where it has some. Stores nothing.

        >>> FlyteFile("s3://bucket/a.csv").to_dict()
        {'path': 's3://bucket/a.csv'}
        """
        return self._json_object()

    @classmethod
    def from_dict(cls, d: Any, *, dialect: None = None) -> Self:
        """The file that such an object stands for.

        Args:
            d: what `to_dict` gives.
            dialect: must be None: it is an option of mashumaro, on which nothing here is built.
        """
        if dialect is not None:
            raise ValueError("dialect is an option of mashumaro, which Windlass does not use; leave it out")
        return cls._from_json_object(d)

    def to_json(self, encoder: Callable[[Any], Any] = json.dumps, **to_dict_kwargs: Any) -> Any:
        """What `encoder` (default: `json.dumps`) makes of `to_dict(**to_dict_kwargs)`.

        >>> FlyteFile("s3://bucket/a.csv").to_json()
        '{"path": "s3://bucket/a.csv"}'
        """
        return encoder(self.to_dict(**to_dict_kwargs))

    @classmethod
    def from_json(
        cls, data: str | bytes | bytearray, decoder: Callable[[Any], Any] = json.loads, **from_dict_kwargs: Any
    ) -> Self:
        """The file of a JSON text: `from_dict(decoder(data), **from_dict_kwargs)`."""
        return cls.from_dict(decoder(data), **from_dict_kwargs)

    def serialize_flyte_file(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What stands for the file in a pydantic model's JSON: like `to_dict`, but a local file is stored first.

        Further arguments are what pydantic passes to serializers; none of them changes the result.
        """
        return self.stored()

    def deserialize_flyte_file(self, *args: Any, **kwargs: Any) -> Self:
        """The file as a task receives it. Further arguments are what pydantic passes to validators."""
        return self.as_received()

    def _json_object(self) -> dict[str, Any]:
        return {"path": self.address, **({"metadata": self.metadata} if self.metadata else {})}

    @classmethod
    def _from_json_object(cls, value: Any) -> Self:
        made = super()._from_json_object(value)
        if isinstance(value, Mapping):
            made.metadata = _checked_metadata(value.get("metadata"))
        return made

    @classmethod
    def from_reference(cls, wire: Mapping[str, Any]) -> Self:
        """One from the object that stands for it in JSON between tasks."""
        made = super().from_reference(wire)
        made.metadata = _checked_metadata(wire.get("metadata"))
        return made

    def as_received(self) -> Self:
        """The same as a task receives it."""
        made = super().as_received()
        made.metadata = self.metadata
        return made


def _checked_metadata(metadata: Any) -> dict[str, str] | None:
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for item in metadata.items() for text in item):
        raise ValueError(f"metadata is a dict of texts to texts, not {metadata!r}")
    return dict(metadata)


if TYPE_CHECKING:
    CSVFile: TypeAlias = FlyteFile
    HDF5EncodedFile: TypeAlias = FlyteFile
    HTMLPage: TypeAlias = FlyteFile
    JoblibSerializedFile: TypeAlias = FlyteFile
    JPEGImageFile: TypeAlias = FlyteFile
    JSONLFile: TypeAlias = FlyteFile
    ONNXFile: TypeAlias = FlyteFile
    PDFFile: TypeAlias = FlyteFile
    PNGImageFile: TypeAlias = FlyteFile
    PythonNotebook: TypeAlias = FlyteFile
    PythonPickledFile: TypeAlias = FlyteFile
    SVGImageFile: TypeAlias = FlyteFile
    TFRecordFile: TypeAlias = FlyteFile
else:
    CSVFile = FlyteFile["csv"]
    HDF5EncodedFile = FlyteFile["hdf5"]
    HTMLPage = FlyteFile["html"]
    JoblibSerializedFile = FlyteFile["joblib"]
    JPEGImageFile = FlyteFile["jpeg"]
    JSONLFile = FlyteFile["jsonl"]
    ONNXFile = FlyteFile["onnx"]
    PDFFile = FlyteFile["pdf"]
    PNGImageFile = FlyteFile["png"]
    PythonNotebook = FlyteFile["ipynb"]
    PythonPickledFile = FlyteFile["python_pickle"]
    SVGImageFile = FlyteFile["svg"]
    TFRecordFile = FlyteFile["tfrecord"]

__all__ = [
    "CSVFile",
    "FileExt",
    "FlyteFile",
    "HDF5EncodedFile",
    "HTMLPage",
    "JPEGImageFile",
    "JSONLFile",
    "JoblibSerializedFile",
    "ONNXFile",
    "PDFFile",
    "PNGImageFile",
    "PythonNotebook",
    "PythonPickledFile",
    "SVGImageFile",
    "TFRecordFile",
]
