"""What files and folders have in common: bytes that lie somewhere, and are fetched when somebody wants them here.

    FlyteFile("/data/a.csv")            lies here: nothing is ever fetched
    FlyteFile("s3://bucket/a.csv")      lies there: fetched by open(file), os.fspath(file) or file.download()
    FlyteFile.from_source("s3://…")     the same, as a task receives it: .path says where it will be once it is fetched

`remote_source` is the address it came from, None for what lies here.
"""

# ruff: noqa: PTH112, PTH116, PTH117, PTH118  addresses are strings, and so are paths

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, get_args, get_origin

from windlass import _store
from windlass._exceptions import TypeTransformerFailedError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from typing_extensions import Self, TypeVar

    Format = TypeVar("Format", default=Any)
else:
    from typing import TypeVar

    Format = TypeVar("Format")

Destination = str | os.PathLike[str] | Literal[False] | None
_formats: dict[tuple[type, str], type] = {}


class FileExt:
    """A format inside Annotated: `FlyteFile[Annotated[str, FileExt("csv")]]` is `FlyteFile["csv"]`."""

    def __init__(self, ext: str) -> None:
        self.ext = ext

    @property
    def extension(self) -> str:
        """The format's name."""
        return self.ext


class Blob(os.PathLike[str], Generic[Format]):
    """A file or folder: where it lies, and where it goes."""

    _extension = ""
    _formatless: type | None = None
    _destination_name = "remote_path"
    _kind = "file"

    def __init__(
        self,
        path: str | os.PathLike[str],
        downloader: Callable[[], Any] | None = None,
        destination: Destination | bool = None,
    ) -> None:
        if not isinstance(path, str | os.PathLike):
            kind = type(path).__name__
            raise TypeError(f"{type(self).__name__} takes a path or an address, not {path!r} of type {kind}")
        if destination is True:
            raise ValueError(
                f"{self._destination_name}=True says nothing: give the address to store it at, False to leave it where"
                " it is, or nothing for a new address of its own"
            )
        self.path: str | os.PathLike[str] = path
        self._downloader = downloader
        self._downloaded = False
        self._destination = destination
        text = os.fspath(path)
        self._remote_source: str | None = text if _store.is_remote(text) else None
        self._local = text if self._remote_source is None else None
        self._wire: dict[str, Any] | None = None
        self._fetched: object = None

    # ---- formats --------------------------------------------------------------------------------------------------

    def __class_getitem__(cls, item: Any) -> Any:
        """The class for one format: `FlyteFile["csv"]`, one and the same however often it is written."""
        extension = _extension_of(item)
        if not extension:
            return cls
        known = _formats.get((cls, extension))
        if known is None:
            name = f"{cls.__name__}[{extension!r}]"
            parts = {"_extension": extension, "_formatless": cls, "__module__": cls.__module__}
            make: Any = type(cls)
            known = make(name, (cls,), parts)
            _formats[cls, extension] = known
        return known

    @classmethod
    def extension(cls) -> str:
        """The format's name, "" where the class has none.

        >>> FlyteFile["csv"].extension()
        'csv'
        """
        return cls._extension

    # ---- where it is ----------------------------------------------------------------------------------------------

    @property
    def remote_source(self) -> str | None:
        """The address it came from; None for what lies here."""
        return self._remote_source

    @property
    def downloaded(self) -> bool:
        """Whether its bytes were asked for, and so lie at the local path."""
        return self._downloaded

    @property
    def address(self) -> str:
        """Where the bytes are to be found: the address it came from, else the path."""
        return self._remote_source or os.fspath(self.path)

    def __fspath__(self) -> str:
        """The local path, with the bytes there: the first call fetches them."""
        local = self._local_path()
        if not self._downloaded:
            if self._downloader is not None:
                self._downloader()
            elif self._remote_source is not None:
                self._fetch(self._remote_source, local)
                self._fetched = state_of(local)
            self._downloaded = True
        return local

    @property
    def is_changed(self) -> bool:
        """Whether what was fetched was changed here since, so that its address no longer has it."""
        return self._fetched is not None and self._local is not None and state_of(self._local) != self._fetched

    def download(self) -> str:
        """Fetches the bytes unless they are here already; the local path."""
        return self.__fspath__()

    def _local_path(self) -> str:
        if self._downloader is not None:
            return os.fspath(self.path)  # where the downloader puts it
        if self._local is None:
            self._local = new_local_path(self.address)
        return _store.local_path(self._local)

    @abstractmethod
    def _fetch(self, address: str, path: str) -> None:
        """Brings what lies at the address to the path."""

    @classmethod
    def from_source(cls, source: str | os.PathLike[str]) -> Self:
        """One that lies at `source`, as a task receives it: a local path that is filled when it is first needed.

        >>> file = FlyteFile.from_source("https://example.org/data/a.csv")
        >>> file.remote_source, os.path.basename(file.path), file.downloaded
        ('https://example.org/data/a.csv', 'a.csv', False)
        """
        address = os.fspath(source)
        made = cls(address)
        if made._remote_source is not None:
            made._local = new_local_path(address)
            made.path = made._local
        return made

    @classmethod
    def from_reference(cls, wire: Mapping[str, Any]) -> Self:
        """One from the object that stands for it between tasks, which is handed on if it is returned as it is."""
        made = cls.from_source(wire["uri"])
        made._wire = dict(wire)
        return made

    # ---- what Python wants ------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        return os.fspath(self.path) if isinstance(self.path, str) else str(self.path)

    def __repr__(self) -> str:
        source = f" from {self._remote_source}" if self._remote_source not in (None, str(self)) else ""
        return f"<{type(self).__name__} {self}{source}>"

    def __eq__(self, other: object) -> bool:
        """Two are equal that lie at the same address, and in the same format."""
        if isinstance(other, Blob):
            mine, theirs = (self.address, self.extension()), (other.address, other.extension())
            return self._kind == other._kind and mine == theirs
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self._kind, self.address))

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle and copy: the classes of formats are made, so they are found by their format."""
        cls = type(self)
        return _restored, (cls._formatless or cls, cls._extension if cls._formatless else "", self.__dict__.copy())

    # ---- inside pydantic models -------------------------------------------------------------------------------------

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """As a field of a model: `{"path": address}` in JSON; a path, an address or such an object on the way in."""
        from pydantic_core import core_schema  # noqa: PLC0415  only pydantic asks, and then it is loaded

        return core_schema.no_info_plain_validator_function(
            cls._from_field,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value.stored()),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        """What a model's JSON schema says of such a field."""
        return {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}

    @classmethod
    def _from_field(cls, value: Any) -> Any:
        if isinstance(value, Blob):
            if value._kind != cls._kind:
                raise ValueError(f"expected a {cls._kind}, got a {value._kind}")
            return value
        return cls._from_json_object(value).as_received()

    def as_received(self) -> Self:
        """The same as a task receives it."""
        if self._remote_source is None or self.path != self._remote_source:
            return self
        return type(self).from_source(self._remote_source)

    def stored(self) -> dict[str, Any]:
        """The object that stands for it in a model's JSON, with the bytes where everybody can read them."""
        from windlass._data.transformers import stored_address  # noqa: PLC0415  it knows both kinds, and they it

        return {**self._json_object(), "path": stored_address(self)}

    def _json_object(self) -> dict[str, Any]:
        return {"path": self.address}

    @classmethod
    def _from_json_object(cls, value: Any) -> Self:
        """One from a path, or from an object that has it under `path` (or under `uri`, as values between tasks do)."""
        if isinstance(value, Mapping):
            path = value.get("path", value.get("uri"))
            if isinstance(path, str | os.PathLike):
                return cls(path)
        elif isinstance(value, str | os.PathLike):
            return cls(value)
        raise TypeTransformerFailedError(
            f"expected a path, or an object with a text under 'path', for {cls.__name__}; got {value!r}"
        )


def _restored(cls: Any, extension: str, state: dict[str, Any]) -> Any:
    made = object.__new__(cls[extension] if extension else cls)
    made.__dict__.update(state)
    return made


def new_local_path(address: str) -> str:
    """A local path at which nothing lies, in this process's temporary folder; with the name of what will be there."""
    return os.path.join(_store.scratch_folder("sandbox"), os.urandom(16).hex(), _store.name_of(address) or "data")


def state_of(path: str) -> object:
    """Something that differs after a change: size and time of a file, of all files in a folder."""
    if os.path.isdir(path):
        return {parts: state_of(os.path.join(path, *parts)) for parts in _store.local_files(path)}
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def working_folder() -> str:
    """The folder in which a task makes files that it does not name in full."""
    from windlass._current import current_folder  # noqa: PLC0415  asked for by `new` alone

    return current_folder()


def relative_name(name: str | os.PathLike[str], what: str) -> str:
    """A name below the working folder; raises ValueError where it leads elsewhere."""
    text = os.fspath(name)
    if os.path.isabs(text) or _store.scheme_of(text) or ".." in text.split("/"):
        raise ValueError(f"{what} must be a relative path below the working folder, not {text!r}")
    return text


def new_address(name: str | None, alt: str | None) -> str:
    """A new address below the raw output prefix; `alt` takes the place of the prefix's bucket.

    Where the prefix is a local folder there is no bucket: `alt` is then a folder in it.
    """
    prefix = _store.current_prefix()
    if alt:
        scheme = _store.scheme_of(prefix)
        if _store.is_remote(prefix):
            below = prefix[len(scheme) + 3 :].partition("/")[2]
            prefix = _store.join(f"{scheme}://{alt}", *([below] if below else []))
        else:
            prefix = _store.join(prefix, alt)
    return _store.join(prefix, os.urandom(16).hex(), *([name] if name else []))


def _extension_of(item: Any) -> str:
    """The text in the brackets, in each of the ways that users write it."""
    if item is None or item is Any:
        return ""
    if isinstance(item, str):
        return _checked_format(item)
    if type(item).__name__ == "TypeVar":
        return "" if item is Format else _checked_format(item.__name__)
    if get_origin(item) is Literal and len(get_args(item)) == 1:
        return _extension_of(get_args(item)[0])
    if hasattr(item, "__metadata__"):
        found = [extra for extra in item.__metadata__ if isinstance(extra, FileExt)]
        if found:
            return _checked_format(found[0].ext)
    raise TypeError(
        f'a format is a short text, as in FlyteFile["csv"] or FlyteDirectory["csv"]; got {item!r} in the brackets'
    )


def _checked_format(text: str) -> str:
    text = text.strip().lstrip(".").strip("'\"")
    if not all(letter.isalnum() or letter in "_-+." for letter in text):
        raise ValueError(f"{text!r} is no format: letters, digits, '_', '-', '+' and '.' make one")
    return text
