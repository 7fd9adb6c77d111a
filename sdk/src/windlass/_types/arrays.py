"""numpy arrays: `.npy` files in the store.

Annotated[np.ndarray, kwtypes(allow_pickle=True)]     arrays of Python objects, which are pickled
Annotated[np.ndarray, kwtypes(mmap_mode="r")]         the consumer maps the file instead of loading it
"""

from __future__ import annotations

import io
import os
import typing
from typing import Any

from windlass._exceptions import TypeTransformerFailedError
from windlass._types.annotated import hint
from windlass._types.misfit import shown
from windlass._types.transformer import TypeTransformer

FORMAT = "npy"


class ArrayTransformer(TypeTransformer[Any]):
    """Arrays of any shape and kind of number; of objects, where the annotation allows pickles."""

    def __init__(self) -> None:
        super().__init__("numpy array", _numpy().ndarray)

    def type_expression(self, python_type: Any) -> tuple[str, dict[str, Any] | None]:
        return f"file[{FORMAT}]", None

    def to_wire(self, value: Any, python_type: Any) -> Any:
        from windlass import _store  # noqa: PLC0415  the store is above this module's first import

        numpy = _numpy()
        if not isinstance(value, numpy.ndarray):
            raise TypeTransformerFailedError(f"expected numpy.ndarray, got {shown(value)}")
        allow_pickle = bool(_hint(python_type, "allow_pickle"))
        if value.dtype.hasobject and not allow_pickle:
            raise TypeTransformerFailedError(
                f"an array of Python objects (dtype {value.dtype}) has to be pickled; say so:"
                " Annotated[np.ndarray, kwtypes(allow_pickle=True)]"
            )
        stream = io.BytesIO()
        numpy.save(stream, value, allow_pickle=allow_pickle)
        return {"uri": _store.put_bytes(stream.getvalue(), "array.npy"), "format": FORMAT}

    def from_wire(self, value: Any, python_type: Any) -> Any:
        from windlass import _store  # noqa: PLC0415  as above

        if type(value) is not dict or type(value.get("uri")) is not str:
            raise TypeTransformerFailedError(f"expected the file of a numpy array, got {shown(value)}")
        allow_pickle = bool(_hint(python_type, "allow_pickle"))
        mmap_mode = _hint(python_type, "mmap_mode")
        if mmap_mode is None:
            return _numpy().load(io.BytesIO(_store.read_bytes(value["uri"])), allow_pickle=allow_pickle)
        path = os.path.join(_store.scratch_folder("arrays"), f"{os.urandom(8).hex()}.npy")  # noqa: PTH118  pathlib is not loaded in pods
        return _numpy().load(_store.get_file(value["uri"], path), mmap_mode=mmap_mode, allow_pickle=allow_pickle)


def _hint(python_type: Any, name: str) -> Any:
    metadata = typing.get_args(python_type)[1:] if typing.get_origin(python_type) is typing.Annotated else ()
    return hint(metadata, name)


def _numpy() -> Any:
    return __import__("numpy")
