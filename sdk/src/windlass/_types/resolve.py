"""From annotations to shapes: who carries what. The order in which it is looked for:

1. a transformer in the annotation itself (`Annotated[T, transformer]`)
2. None, Any, the scalars, list, dict, Iterator, Union, Literal
3. the class: registered by the user, Windlass's own (`__windlass_transformer__`), or in the table of foreign ones
4. an Enum
5. the bases of the class, nearest first, registered or foreign
6. a dataclass, a TypedDict
7. a pickle, with a warning

Shapes are kept by the annotation object, so that a task's parameter is looked at once, however many values it gets.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable
from contextvars import ContextVar
from types import UnionType
from typing import Any

from windlass._exceptions import RestrictedTypeError, UnsupportedTypeError
from windlass._types import foreign, scalars
from windlass._types.annotated import BatchSize, HashMethod, hint
from windlass._types.containers import BareDictShape, DictShape, IteratorShape, ListShape
from windlass._types.misfit import name_of
from windlass._types.pickles import AnyShape, BatchedShape, PickleShape, PicklesShape, warn_once
from windlass._types.scalars import NONE
from windlass._types.shape import Shape
from windlass._types.unions import UnionShape

ANY = AnyShape()
_KEYS = ("str", "int", "float", "bool", "datetime", "date", "timedelta", "bytes", "enum")
_ENOUGH = 4096  # annotations that are remembered; those made for each call anew must not fill the memory

# By the identity of the annotation, which is held here so that it can't be anything else's: `int | str` and `str | int`
# are equal, and what stands in Annotated may have no hash.
_known: dict[int, tuple[Any, Shape]] = {}
_known_in_fields: dict[int, tuple[Any, Shape]] = {}
_structs: dict[Any, Shape] = {}
_in_field: ContextVar[bool] = ContextVar("in_field", default=False)


def shape_of(python_type: Any) -> Shape:
    """The shape of an annotation. Raises UnsupportedTypeError or RestrictedTypeError, naming what can't be carried."""
    shapes = _known_in_fields if _in_field.get() else _known
    known = shapes.get(id(python_type))
    if known is not None:
        return known[1]
    shape = _resolve(python_type)
    if len(shapes) >= _ENOUGH:
        shapes.clear()
    shapes[id(python_type)] = (python_type, shape)
    return shape


def shape_of_field(python_type: Any) -> Shape:
    """That of a field of a dataclass or TypedDict: tuples and bare lists are fine there, and ints where floats are."""
    token = _in_field.set(True)
    try:
        return shape_of(python_type)
    finally:
        _in_field.reset(token)


def forget() -> None:
    """Looks at every annotation anew: a transformer has been registered."""
    _known.clear()
    _known_in_fields.clear()
    _structs.clear()


def handler_of(python_class: Any) -> str | None:
    """Who carries exactly this class; None where nobody does, and a transformer may be registered for it."""
    if python_class in scalars.SHAPES or python_class in (list, dict, tuple, Any) or _text_shape(python_class):
        return "Windlass itself"
    transformer = _transformer_of(python_class)
    return None if transformer is None else repr(transformer)


def unwrapped(python_type: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type without Annotated, NewType and type aliases, and what stood in Annotated beside it."""
    metadata: tuple[Any, ...] = ()
    while True:
        if hasattr(python_type, "__metadata__"):
            metadata = (*metadata, *python_type.__metadata__)
            python_type = python_type.__origin__
        elif hasattr(python_type, "__supertype__"):
            python_type = python_type.__supertype__
        elif type(python_type).__name__ == "TypeAliasType":
            python_type = python_type.__value__
        else:
            return python_type, metadata


def _resolve(python_type: Any) -> Shape:
    plain, metadata = unwrapped(python_type)
    if not metadata:
        return _plain_shape(plain, (), plain)
    annotation = typing.Annotated[(plain, *metadata)]  # type: ignore[valid-type]  # made at run time
    shape = _given(annotation, plain, metadata) or _plain_shape(plain, metadata, annotation)
    methods = [mark for mark in metadata if isinstance(mark, HashMethod)]
    if methods:
        from windlass._types.hashed import HashedShape  # noqa: PLC0415  few annotations have one

        return HashedShape(shape, methods[0])
    return shape


def _given(annotation: Any, plain: Any, metadata: tuple[Any, ...]) -> Shape | None:
    """The transformer that stands in the annotation."""
    transformers = sys.modules.get("windlass._types.transformer")  # not loaded, so nobody has made one
    for mark in metadata:
        if transformers is not None and isinstance(mark, transformers.TypeTransformer):
            return _transformed(mark, annotation, plain)
    return None


def _plain_shape(plain: Any, metadata: tuple[Any, ...], annotation: Any) -> Shape:
    """The shape of a type that is neither Annotated nor an alias; `annotation` is what transformers get to see."""
    if plain is None or plain is Any:
        return NONE if plain is None else ANY
    origin = UnionType if isinstance(plain, UnionType) else getattr(plain, "__origin__", plain)
    for known, make in _MAKERS:
        if origin is known:
            return make(plain, metadata)
    if isinstance(origin, type):
        return _class_shape(origin, plain, annotation)
    return _nameless_shape(plain)


def _class_shape(origin: type, plain: Any, annotation: Any) -> Shape:
    found = scalars.SHAPES.get(origin) or _text_shape(origin)
    if found is not None:
        return scalars.FIELD_FLOAT if origin is float and _in_field.get() else found
    if issubclass(origin, tuple):
        if _in_field.get():
            from windlass._types.tuples import tuple_shape  # noqa: PLC0415  only where there is one

            return tuple_shape(plain, shape_of)
        raise RestrictedTypeError(
            f"{name_of(plain)} can't be the type of a value: a tuple is how several outputs are written."
            " Use list[T], or a dataclass where the parts differ"
        )
    if origin.__module__ == "collections.abc" and origin.__qualname__ == "Iterator":
        return _iterator_shape(plain)
    return (
        _handled(_transformer_of(origin), annotation, plain)
        or _enum_shape(origin)
        or _handled(_transformer_of_bases(origin), annotation, plain)
        or _struct_shape(origin, plain)
        or _pickle_shape(plain)
    )


# ---- each kind ------------------------------------------------------------------------------------------------------


def _text_shape(python_class: Any) -> Shape | None:
    """That of bytes, or of a class of `datetime`; loaded when such an annotation is met."""
    if python_class is bytes:
        from windlass._types.binary import BytesShape  # noqa: PLC0415  as the docstring says

        return BytesShape()
    if getattr(python_class, "__module__", None) != "datetime":
        return None
    from windlass._types.times import SHAPES  # noqa: PLC0415  as above; its author has loaded `datetime`

    return SHAPES.get(python_class)


def _list_shape(plain: Any, metadata: tuple[Any, ...]) -> Shape:
    args = getattr(plain, "__args__", ())
    if not args and _in_field.get():
        return PicklesShape(ANY)
    if not args or isinstance(args[0], typing.TypeVar):
        raise UnsupportedTypeError(
            "a bare list does not say what it holds; write list[int], list[str], … or list[typing.Any]"
        )
    item = shape_of(args[0])
    batches = [mark for mark in metadata if isinstance(mark, BatchSize)]
    if not isinstance(item, PickleShape | AnyShape):
        if batches:
            _warn(
                f"{batches[0]} means nothing for {name_of(plain)}: its items are not pickled, so each travels by itself"
                " or as JSON. Take it out of the annotation"
            )
        return ListShape(item)
    return BatchedShape(item, batches[0].val) if batches else PicklesShape(item)


def _iterator_shape(plain: Any) -> Shape:
    args = getattr(plain, "__args__", ())
    if not args or isinstance(args[0], typing.TypeVar):
        raise UnsupportedTypeError(
            "a bare Iterator does not say what it yields; write Iterator[int], Iterator[JSON], …"
        )
    item = args[0]
    if getattr(item, "__module__", None) == "windlass._types.json_lines":
        from windlass._types.json_lines import IteratorTransformer  # noqa: PLC0415  only these need files of lines

        return _transformed(IteratorTransformer(), plain, plain)
    return IteratorShape(shape_of(item))


def _dict_shape(plain: Any, metadata: tuple[Any, ...]) -> Shape:
    args = getattr(plain, "__args__", ())
    if not args or isinstance(args[0], typing.TypeVar):
        return BareDictShape(ANY, strict=not hint(metadata, "allow_pickle"))
    value = shape_of(args[1])
    key_type = unwrapped(args[0])[0]
    if key_type is str or key_type is Any:
        return DictShape(value)
    key = shape_of(args[0])
    if key.expression not in _KEYS:
        raise UnsupportedTypeError(
            f"{name_of(plain)}: the keys of a JSON object are texts, and {key.label} is nothing that can be written as"
            " one; use str, int, float, bool, a date or time, bytes or an Enum, or a list of dataclasses that hold key"
            " and value"
        )
    from windlass._types.keyed import EnumKeyedDictShape, KeyedDictShape  # noqa: PLC0415  few dicts have such keys

    return EnumKeyedDictShape(key, value) if key.expression == "enum" else KeyedDictShape(key, value)


def _union_shape(plain: Any, _: tuple[Any, ...]) -> Shape:
    shapes: list[Shape] = []
    for variant in plain.__args__:
        shape = shape_of(variant)
        shapes += shape.variants if isinstance(shape, UnionShape) else (shape,)
    different = tuple(dict.fromkeys(shapes))
    return UnionShape(different) if len(different) > 1 else different[0]


def _literal_shape(plain: Any, _: tuple[Any, ...]) -> Shape:
    from windlass._types.enums import literal_shape  # noqa: PLC0415  only where there is one

    if all(value is None for value in plain.__args__):
        return NONE
    shape = literal_shape(plain, shape_of)
    return UnionShape((shape, NONE)) if None in plain.__args__ else shape


def _enum_shape(python_class: type) -> Shape | None:
    enum = sys.modules.get("enum")  # not loaded, so nobody has made one
    if enum is None or not issubclass(python_class, enum.Enum):
        return None
    from windlass._types.enums import EnumShape  # noqa: PLC0415  as above

    return EnumShape(python_class)


def _struct_shape(origin: type, plain: Any) -> Shape | None:
    is_typed_dict = issubclass(origin, dict) and hasattr(origin, "__total__")
    if not is_typed_dict and not hasattr(origin, "__dataclass_fields__"):
        return None
    from windlass._types.structs import StructShape, TypedDictShape  # noqa: PLC0415  only where there is one

    key = (plain, repr(plain))  # a generic class that holds itself is met as a new annotation at every level
    if key not in _structs:
        _structs[key] = (TypedDictShape if is_typed_dict else StructShape)(plain, shape_of_field)
    return _structs[key]


def _pickle_shape(plain: Any) -> Shape:
    warn_once(name_of(plain), "as nothing else carries them")
    return PickleShape(plain)


def _nameless_shape(plain: Any) -> Shape:
    if isinstance(plain, typing.TypeVar):
        raise UnsupportedTypeError(f"{plain} is a type variable; write the type that the values have")
    if isinstance(plain, str | typing.ForwardRef):
        raise UnsupportedTypeError(f"the annotation {name_of(plain)!r} is a name that could not be resolved to a type")
    return _pickle_shape(plain)


_MAKERS: tuple[tuple[Any, Callable[[Any, tuple[Any, ...]], Shape]], ...] = (
    (list, _list_shape),
    (dict, _dict_shape),
    (typing.Union, _union_shape),
    (UnionType, _union_shape),
    (typing.Literal, _literal_shape),
)


# ---- transformers ---------------------------------------------------------------------------------------------------


def _transformer_of(python_class: Any) -> Any:
    """The transformer of exactly this class: registered, the class's own, or foreign."""
    transformers = sys.modules.get("windlass._types.transformer")
    if transformers is not None and python_class in transformers.TypeEngine.registered:
        return transformers.TypeEngine.registered[python_class]
    if not isinstance(python_class, type):
        return None
    place = getattr(python_class, "__windlass_transformer__", None) or foreign.find(python_class)
    return None if place is None else _loaded(place)


def _transformer_of_bases(python_class: type) -> Any:
    for base in python_class.__mro__[1:-1]:
        transformer = _transformer_of(base)
        if transformer is not None:
            return transformer
    return None


def _loaded(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(__import__(module, fromlist=[name]), name)()


def _handled(transformer: Any, annotation: Any, plain: Any) -> Shape | None:
    return None if transformer is None else _transformed(transformer, annotation, plain)


def _transformed(transformer: Any, annotation: Any, plain: Any) -> Shape:
    from windlass._types.transformer import TransformerShape  # noqa: PLC0415  only where there is one

    return TransformerShape(transformer, annotation, name_of(plain))


def _warn(text: str) -> None:
    import warnings  # noqa: PLC0415  rarely needed

    warnings.warn(text, UserWarning, stacklevel=2)
