"""Classes of other people that Windlass carries: who has the transformer. Nothing is loaded until one is annotated."""

from __future__ import annotations

# class name → (package, transformer); several libraries have a DataFrame
TRANSFORMERS: dict[str, tuple[tuple[str, str], ...]] = {
    "DataFrame": (
        ("pandas", "windlass._data.frames:PandasTransformer"),
        ("polars", "windlass._data.frames:PolarsTransformer"),
    ),
    "LazyFrame": (("polars", "windlass._data.frames:PolarsTransformer"),),
    "Table": (("pyarrow", "windlass._data.frames:ArrowTransformer"),),
    "ndarray": (("numpy", "windlass._types.arrays:ArrayTransformer"),),
    "PathLike": (("os", "windlass._data.transformers:FlyteFileTransformer"),),  # a FlyteFile is one, and is given
    "BaseModel": (("pydantic", "windlass._types.models:ModelTransformer"),),
    "Message": (("google.protobuf", "windlass._types.messages:MessageTransformer"),),
}


def find(python_class: type) -> str | None:
    """`module:class` of the transformer for exactly this class; None where there is none."""
    for package, transformer in TRANSFORMERS.get(python_class.__qualname__, ()):
        if f"{python_class.__module__}.".startswith(f"{package}."):
            return transformer
    return None
