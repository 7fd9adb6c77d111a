"""Between Python and the wire: which annotations a task may use, and how their values travel as JSON.

Three functions are the whole of it:

* `type_expression(int | None)` → `("optional[int]", None)`: what a manifest says of a parameter; a type that contains a
  dataclass also gets the JSON schema of the value.
* `to_wire(value, python_type, where)` → JSON; `from_wire` is its inverse. `where` opens every error, and the two places
  where users meet one have their wording here (`argument_of`, `output_of`).

| annotation | expression | on the wire |
|---|---|---|
| `Any` | `any` | the JSON value itself |
| `None`, `bool`, `int`, `str` | the same | null, true/false, number, string |
| `float` | `float` | number; not-a-number and the infinities are the strings `NaN`, `Infinity`, `-Infinity` |
| `list[T]` | `list[T]` | array |
| `dict[str, T]`, `dict` | `dict[str, T]`, `dict[str, any]` | object |
| `Optional[T]`, `Union[A, B]`, `A \\| B` | `optional[T]`, `union[A, B]` | that of the variant, without a tag |
| a dataclass | `struct` + schema | object, a key for each field |

Values must be of exactly the annotated class: an int is not a float, a bool is not an int, a subclass is not its base.
The one way back that is lenient: a JSON integer is accepted for a float, since Kubernetes writes 1.0 as 1.
What can't come back as it was is refused on its way out, never changed: a tuple under `Any`, keys that are no strings,
integers beyond 64 bits (Kubernetes would round them), and a value of a union which two variants would read differently.

This module is imported in every pod, before the user's code: it stays away from `dataclasses` (which loads `inspect`)
until a dataclass is at hand, whose author has then loaded it already.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from types import GenericAlias, UnionType
from typing import Any

from windlass._exceptions import RestrictedTypeError, TypeTransformerFailedError, UnsupportedTypeError

_SUPPORTED = (
    "Windlass carries int, float, str, bool, None, list[T], dict[str, T], dict, dataclasses, typing.Any,"
    " and Optional or Union of these"
)
_INFINITY = float("inf")
_SPECIAL_FLOATS = {"NaN": float("nan"), "Infinity": _INFINITY, "-Infinity": -_INFINITY}
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_PLAIN_FLOATS = 1e21  # from here on Kubernetes writes floats with an exponent
_SHOWN = 80  # characters of a value's repr in an error


# ---- the three functions --------------------------------------------------------------------------------------------


def type_expression(python_type: Any) -> tuple[str, dict[str, Any] | None]:
    """The contract's name of a type, and the JSON schema of its values where it contains a dataclass.

    Raises `UnsupportedTypeError` (a ValueError, TypeError and AssertionError) naming the part that can't be carried.
    """
    shape = _shape_of(python_type)
    return _expression(shape), (_schema(shape, ()) if _has_struct(shape) else None)


def to_wire(value: Any, python_type: Any, where: str) -> Any:
    """The JSON of a value of that type, or an error that opens with `where` and shows the path inside the value."""
    return _converted(_encode, value, python_type, where)


def from_wire(value: Any, python_type: Any, where: str) -> Any:
    """The value that this JSON stands for; the inverse of `to_wire`."""
    return _converted(_decode, value, python_type, where)


def argument_of(task: str, argument: str) -> str:
    """The place of an input in an error."""
    return f"Failed to convert inputs of task '{task}':\n  Failed argument '{argument}':"


def output_of(task: str, position: int) -> str:
    """The place of an output in an error."""
    return f"Failed to convert outputs of task '{task}' at position {position}."


def name_of(python_type: Any) -> str:
    """A type as its author would write it."""
    if python_type is None or python_type is type(None):
        return "None"
    if isinstance(python_type, type) and not isinstance(python_type, GenericAlias):
        module = "" if python_type.__module__ in ("builtins", "__main__") else f"{python_type.__module__}."
        return f"{module}{python_type.__qualname__}"
    return str(python_type)


def _converted(convert: Callable[[Any, _Shape], Any], value: Any, python_type: Any, where: str) -> Any:
    try:
        return convert(value, _shape_of(python_type))
    except _Misfit as misfit:
        text = _message(where, value, python_type, str(misfit))
        raise misfit.error_class(text) from misfit.__cause__
    except RecursionError:
        finding = "it is nested too deeply to travel as JSON, or it contains itself"
        raise TypeTransformerFailedError(_message(where, value, python_type, finding)) from None


def _message(where: str, value: Any, python_type: Any, finding: str) -> str:
    """A place that ends in a colon is followed by the finding at once, any other one by what was to become what."""
    if where.endswith(":"):
        return f"{where} {finding}"
    conversion = f"Failed to convert type {name_of(type(value))} to type {name_of(python_type)}."
    return f"{where}\n{conversion}\nError Message: {finding}"


class _Misfit(Exception):  # noqa: N818  it never leaves this module
    """A value does not fit its shape. Gathers the path while it passes the levels on its way out."""

    def __init__(self, finding: str, error_class: type[Exception] = TypeTransformerFailedError) -> None:
        super().__init__(finding)
        self.finding = finding
        self.error_class = error_class
        self.path = ""

    def under(self, step: str) -> _Misfit:
        self.path = step + self.path
        return self

    def __str__(self) -> str:
        return f"{self.finding} (at {self.path.lstrip('.')})" if self.path else self.finding


def _wrong(expected: str, value: Any) -> _Misfit:
    return _Misfit(f"expected {expected}, got {_shown(value)}")


def _shown(value: Any) -> str:
    if value is None:
        return "None"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  a user's __repr__ may raise anything, and must not hide the error being told
        text = "<a value whose repr fails>"
    short = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return f"{short} of type {name_of(type(value))}"


# ---- shapes: annotations brought into one form ----------------------------------------------------------------------


class _Shape:
    """An annotation without its spelling: a kind, the shapes inside, and the class of a dataclass."""

    __slots__ = ("args", "cls", "kind")

    def __init__(self, kind: str, args: tuple[_Shape, ...] = (), cls: type | None = None) -> None:
        self.kind = kind
        self.args = args
        self.cls = cls


class _Field:
    """A field of a dataclass, as the wire sees it."""

    __slots__ = ("default", "has_default", "name", "required", "shape")

    def __init__(self, name: str, shape: _Shape, field: Any, missing: object) -> None:
        self.name = name
        self.shape = shape
        self.has_default = field.default is not missing
        self.default = field.default
        self.required = not self.has_default and field.default_factory is missing


_SCALARS: dict[type, _Shape] = {
    bool: _Shape("bool"),
    int: _Shape("int"),
    float: _Shape("float"),
    str: _Shape("str"),
    type(None): _Shape("none"),
}
_ANY = _Shape("any")
_FIELDS: dict[type, tuple[_Field, ...]] = {}


def _shape_of(python_type: Any) -> _Shape:
    python_type = _bare(python_type)
    if python_type is None:
        return _SCALARS[type(None)]
    if python_type is Any:
        return _ANY
    origin = getattr(python_type, "__origin__", python_type)
    if origin is list or origin is dict:
        return _container_shape(origin, python_type)
    if isinstance(python_type, type) and not isinstance(python_type, GenericAlias):
        return _class_shape(python_type)
    if isinstance(python_type, UnionType) or origin is typing.Union:
        return _Shape("union", tuple(_shape_of(variant) for variant in python_type.__args__))
    raise _unsupported(python_type)


def _bare(python_type: Any) -> Any:
    """Without Annotated, NewType and type aliases."""
    while True:
        if hasattr(python_type, "__metadata__"):
            python_type = python_type.__origin__
        elif hasattr(python_type, "__supertype__"):
            python_type = python_type.__supertype__
        elif type(python_type).__name__ == "TypeAliasType":
            python_type = python_type.__value__
        else:
            return python_type


def _class_shape(python_class: type) -> _Shape:
    scalar = _SCALARS.get(python_class)
    if scalar is not None:
        return scalar
    if hasattr(python_class, "__dataclass_fields__"):
        return _Shape("struct", cls=python_class)
    raise _unsupported(python_class)


def _container_shape(origin: type, python_type: Any) -> _Shape:
    args = getattr(python_type, "__args__", ())
    if origin is list:
        if not args or _is_type_variable(args[0]):
            raise UnsupportedTypeError(
                "a bare list does not say what it holds; write list[int], list[str], … or list[typing.Any]"
            )
        return _Shape("list", (_shape_of(args[0]),))
    if not args or _is_type_variable(args[0]):
        return _Shape("dict", (_ANY,))
    if _bare(args[0]) is not str:
        raise UnsupportedTypeError(
            f"{name_of(python_type)}: the keys of a JSON object are strings; use dict[str, …] and convert the keys in"
            " the task, or a list of dataclasses that hold key and value"
        )
    return _Shape("dict", (_shape_of(args[1]),))


def _is_type_variable(argument: Any) -> bool:
    return isinstance(argument, typing.TypeVar)


def _unsupported(python_type: Any) -> Exception:
    origin = getattr(python_type, "__origin__", python_type)
    if origin is tuple or (isinstance(origin, type) and issubclass(origin, tuple)):
        return RestrictedTypeError(
            f"{name_of(python_type)} can't be the type of a value: a tuple is how several outputs are written."
            " Use list[T], or a dataclass where the parts differ"
        )
    name = name_of(python_type)
    if isinstance(python_type, str | typing.ForwardRef):
        return UnsupportedTypeError(f"the annotation {name!r} is a name that could not be resolved to a type")
    if hasattr(origin, "__dataclass_fields__"):
        return UnsupportedTypeError(f"{name} is a generic dataclass with its parameters; use a dataclass without them")
    hint = "; use list[T] instead" if origin in (set, frozenset) else ""
    return UnsupportedTypeError(f"values of type {name} can't travel between tasks{hint}. {_SUPPORTED}")


def _fields_of(python_class: type) -> tuple[_Field, ...]:
    """The fields that make up the value: those of the constructor."""
    known = _FIELDS.get(python_class)
    if known is None:
        import dataclasses  # noqa: PLC0415  heavy, and not needed where nobody has made a dataclass

        try:
            hints = typing.get_type_hints(python_class, include_extras=True)
        except NameError as error:
            raise UnsupportedTypeError(
                f"an annotation in the dataclass {name_of(python_class)} could not be resolved: {error}."
                " Define the class at module level, after or beside the types it names"
            ) from error
        known = tuple(
            _Field(field.name, _field_shape(python_class, field.name, hints[field.name]), field, dataclasses.MISSING)
            for field in dataclasses.fields(python_class)
            if field.init
        )
        _FIELDS[python_class] = known
    return known


def _field_shape(python_class: type, name: str, hint: Any) -> _Shape:
    try:
        return _shape_of(hint)
    except (UnsupportedTypeError, RestrictedTypeError) as error:
        raise type(error)(f"field '{name}' of {name_of(python_class)}: {error}") from error


# ---- what a manifest says -------------------------------------------------------------------------------------------


def _expression(shape: _Shape) -> str:
    if shape.kind == "list":
        return f"list[{_expression(shape.args[0])}]"
    if shape.kind == "dict":
        return f"dict[str, {_expression(shape.args[0])}]"
    if shape.kind == "struct":
        _fields_of(shape.cls or object)  # an unsupported field is an error of the declaration
        return "struct"
    if shape.kind != "union":
        return shape.kind
    variants = [_expression(variant) for variant in shape.args if variant.kind != "none"]
    inner = variants[0] if len(variants) == 1 else f"union[{', '.join(variants)}]"
    return inner if len(variants) == len(shape.args) else f"optional[{inner}]"


def _has_struct(shape: _Shape) -> bool:
    return shape.kind == "struct" or any(_has_struct(inner) for inner in shape.args)


_SCALAR_SCHEMAS: dict[str, dict[str, Any]] = {
    "any": {},
    "none": {"type": "null"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
}


def _schema(shape: _Shape, above: tuple[type, ...]) -> dict[str, Any]:
    if shape.kind == "struct" and shape.cls is not None:
        return _struct_schema(shape.cls, above)
    if shape.kind == "list":
        return {"type": "array", "items": _schema(shape.args[0], above)}
    if shape.kind == "dict":
        return {"type": "object", "additionalProperties": _schema(shape.args[0], above)}
    if shape.kind == "union":
        return {"anyOf": [_schema(variant, above) for variant in shape.args]}
    return dict(_SCALAR_SCHEMAS[shape.kind])


def _struct_schema(python_class: type, above: tuple[type, ...]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "title": python_class.__name__}
    if python_class in above:  # a dataclass inside itself: the manifest stays open here, the conversion does not
        return schema
    fields = _fields_of(python_class)
    schema["properties"] = {field.name: _field_schema(python_class, field, above) for field in fields}
    required = [field.name for field in fields if field.required]
    if required:
        schema["required"] = required
    schema["additionalProperties"] = False
    return schema


def _field_schema(python_class: type, field: _Field, above: tuple[type, ...]) -> dict[str, Any]:
    schema = _schema(field.shape, (*above, python_class))
    if field.has_default:
        try:
            schema["default"] = _encode(field.default, field.shape)
        except _Misfit as misfit:
            raise UnsupportedTypeError(
                f"the default of field '{field.name}' of {name_of(python_class)} does not fit its annotation: {misfit}"
            ) from misfit
    return schema


# ---- value → wire ---------------------------------------------------------------------------------------------------


def _encode(value: Any, shape: _Shape) -> Any:
    return _ENCODERS[shape.kind](value, shape)


def _encode_none(value: Any, _: _Shape) -> None:
    if value is not None:
        raise _wrong("None", value)


def _encode_bool(value: Any, _: _Shape) -> Any:
    if type(value) is not bool:
        raise _wrong("bool", value)
    return value


def _encode_int(value: Any, _: _Shape) -> Any:
    if type(value) is not int:
        raise _wrong("int", value)
    if not _INT_MIN <= value <= _INT_MAX:
        raise _Misfit("the integer is beyond 64 bits, where Kubernetes would round it; pass it as a str")
    return value


def _encode_float(value: Any, _: _Shape) -> Any:
    if type(value) is not float:
        raise _wrong("float", value)
    if value != value:  # noqa: PLR0124  the definition of not-a-number
        return "NaN"
    if value in (_INFINITY, -_INFINITY):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _encode_str(value: Any, _: _Shape) -> Any:
    if type(value) is not str:
        raise _wrong("str", value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _Misfit(
                f"the text is not valid Unicode: a lone surrogate at position {error.start}"
                " (read the text with the right encoding, or pass the bytes base64-encoded)"
            ) from None
    return value


def _encode_list(value: Any, shape: _Shape) -> list[Any]:
    if type(value) is not list:
        raise _wrong(_label(shape), value)
    return _each_item(_encode, value, shape.args[0])


def _encode_dict(value: Any, shape: _Shape) -> dict[str, Any]:
    if type(value) is not dict:
        raise _wrong(_label(shape), value)
    for key in value:
        if type(key) is not str:
            raise _Misfit(f"the keys of a dict must be str, got the key {_shown(key)}")
        _encode_str(key, _SCALARS[str])
    return _each_key(_encode, value, ((key, shape.args[0]) for key in value))


def _encode_any(value: Any, shape: _Shape) -> Any:
    kind = type(value)
    if kind is list:
        return _encode_list(value, _Shape("list", (shape,)))
    if kind is dict:
        return _encode_dict(value, _Shape("dict", (shape,)))
    if kind is float:
        if isinstance(_encode_float(value, shape), str):
            raise _Misfit(f"{value} would come back as text from a value of type any; annotate it as float")
        return value
    scalar = _SCALARS.get(kind)
    if scalar is None:
        raise _wrong("a JSON value (None, bool, int, float, str, list, dict)", value)
    return _encode(value, scalar)


def _encode_struct(value: Any, shape: _Shape) -> dict[str, Any]:
    """A dict is taken in place of the dataclass, when its keys are the fields."""
    fields = _fields_of(shape.cls or object)
    if type(value) is shape.cls:
        present = {field.name: getattr(value, field.name) for field in fields}
    elif type(value) is dict:
        present = value
        _check_names(value, shape)
    else:
        raise _wrong(_label(shape), value)
    return _each_key(_encode, present, ((field.name, field.shape) for field in fields if field.name in present))


def _encode_union(value: Any, shape: _Shape) -> Any:
    """The wire of the first variant that takes the value, unless a reader could take it for another one."""
    attempts = [_attempt(_encode, value, variant) for variant in shape.args]
    wires = [attempt.result for attempt in attempts if attempt.misfit is None]
    if not wires:
        raise _no_variant(value, shape, attempts)
    if _could_be_mistaken(shape):
        here, there = _decode_union(wires[0], shape), _decode_union(_after_kubernetes(wires[0]), shape)
        if not _alike(here, there):
            raise _ambiguous(shape, value, "its whole floats arrive as integers")
    return wires[0]


def _could_be_mistaken(shape: _Shape) -> bool:
    """Whether two variants may look alike in JSON; an Optional's can't, and that is nearly every union."""
    return sum(variant.kind != "none" for variant in shape.args) > 1


def _after_kubernetes(wire: Any) -> Any:
    """The wire as the API server writes it: whole floats as their shortest digits and zeros, with no point."""
    if type(wire) is float and wire.is_integer() and abs(wire) < _PLAIN_FLOATS:
        digits, _, exponent = repr(wire).partition("e+")
        whole, _, fraction = digits.partition(".")
        return int(f"{whole}{fraction.rstrip('0')}") * 10 ** (int(exponent or 0) - len(fraction.rstrip("0")))
    if type(wire) is list:
        return [_after_kubernetes(item) for item in wire]
    if type(wire) is dict:
        return {key: _after_kubernetes(item) for key, item in wire.items()}
    return wire


# ---- wire → value ---------------------------------------------------------------------------------------------------


def _decode(value: Any, shape: _Shape) -> Any:
    return _DECODERS[shape.kind](value, shape)


def _decode_any(value: Any, shape: _Shape) -> Any:
    """The JSON itself; but an integer beyond 64 bits can only have been a float."""
    if type(value) is int and not _INT_MIN <= value <= _INT_MAX:
        return _decode_float(value, shape)
    if type(value) is list:
        return [_decode_any(item, shape) for item in value]
    if type(value) is dict:
        return {key: _decode_any(item, shape) for key, item in value.items()}
    return value


def _decode_float(value: Any, shape: _Shape) -> float:
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise _Misfit("the number is too large for a float") from None
    return _decode_exact_float(value, shape)


def _decode_exact_float(value: Any, _: _Shape) -> float:
    if type(value) is float:
        return value
    if type(value) is str and value in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[value]
    raise _wrong("float", value)


def _decode_int(value: Any, _: _Shape) -> int:
    if type(value) is not int:
        raise _wrong("int", value)
    return value


def _decode_list(value: Any, shape: _Shape) -> list[Any]:
    if type(value) is not list:
        raise _wrong(_label(shape), value)
    return _each_item(_decode, value, shape.args[0])


def _decode_dict(value: Any, shape: _Shape) -> dict[str, Any]:
    if type(value) is not dict:
        raise _wrong(_label(shape), value)
    return _each_key(_decode, value, ((key, shape.args[0]) for key in value))


def _decode_struct(value: Any, shape: _Shape) -> Any:
    if type(value) is not dict:
        raise _wrong(_label(shape), value)
    _check_names(value, shape)
    python_class = shape.cls or object
    fields = _fields_of(python_class)
    arguments = _each_key(_decode, value, ((field.name, field.shape) for field in fields if field.name in value))
    try:
        return python_class(**arguments)
    except Exception as error:
        raise _Misfit(f"{name_of(python_class)} refused its values: {type(error).__name__}: {error}") from error


def _decode_union(value: Any, shape: _Shape) -> Any:
    """What the fitting variants read in it, which must be the same; an integer is a float only if no other wants it."""
    attempts = [_attempt(_decode, value, variant) for variant in shape.args]
    fitting = [attempt for attempt in attempts if attempt.misfit is None]
    exact = [attempt for attempt in fitting if not _reads_integer_as_float(value, attempt.variant)]
    if not fitting:
        raise _no_variant(value, shape, attempts)
    first, *others = exact or fitting
    for other in others:
        if type(other.result) is not type(first.result) or other.result != first.result:
            raise _ambiguous(shape, value, f"it could be {_label(first.variant)} as well as {_label(other.variant)}")
    return first.result


def _alike(one: Any, other: Any) -> bool:
    """The same, where a whole number may be int or float."""
    numbers = type(one) in (int, float) and type(other) in (int, float)
    return one is other or ((numbers or type(one) is type(other)) and bool(one == other))


def _ambiguous(shape: _Shape, value: Any, why: str) -> _Misfit:
    finding = f"Ambiguous choice of variant for union type {_label(shape)}: {_shown(value)}: {why}"
    return _Misfit(finding, TypeError)


def _reads_integer_as_float(value: Any, shape: _Shape) -> bool:
    """Whether the shape, which fits, makes a float of some integer in the value."""
    if shape.kind == "float":
        return type(value) is int
    if shape.kind == "list":
        return any(_reads_integer_as_float(item, shape.args[0]) for item in value)
    if shape.kind == "dict":
        return any(_reads_integer_as_float(item, shape.args[0]) for item in value.values())
    if shape.kind == "union":
        fitting = [variant for variant in shape.args if _attempt(_decode, value, variant).misfit is None]
        return all(_reads_integer_as_float(value, variant) for variant in fitting)
    return False


# ---- shared by both ways --------------------------------------------------------------------------------------------


class _Attempt:
    """What came of reading or writing a value as one variant of a union."""

    __slots__ = ("misfit", "result", "variant")

    def __init__(self, variant: _Shape, result: Any, misfit: _Misfit | None) -> None:
        self.variant = variant
        self.result = result
        self.misfit = misfit


def _attempt(convert: Callable[[Any, _Shape], Any], value: Any, variant: _Shape) -> _Attempt:
    try:
        return _Attempt(variant, convert(value, variant), None)
    except _Misfit as misfit:
        return _Attempt(variant, None, misfit)


def _each_item(convert: Callable[[Any, _Shape], Any], items: list[Any], shape: _Shape) -> list[Any]:
    converted: list[Any] = []
    try:
        for item in items:
            converted.append(convert(item, shape))  # noqa: PERF401  its length says where the misfit is
    except _Misfit as misfit:
        raise misfit.under(f"[{len(converted)}]") from misfit.__cause__
    return converted


def _each_key(
    convert: Callable[[Any, _Shape], Any], items: dict[str, Any], shapes: Iterable[tuple[str, _Shape]]
) -> dict[str, Any]:
    converted: dict[str, Any] = {}
    key = ""
    try:
        for key, shape in shapes:
            converted[key] = convert(items[key], shape)
    except _Misfit as misfit:
        step = f".{key}" if key.isidentifier() else f"[{key!r}]"
        raise misfit.under(step) from misfit.__cause__
    return converted


def _check_names(value: dict[Any, Any], shape: _Shape) -> None:
    fields = _fields_of(shape.cls or object)
    names = {field.name for field in fields}
    unknown = [key for key in value if key not in names]
    if unknown:
        known = ", ".join(field.name for field in fields) or "none"
        raise _Misfit(f"{_label(shape)} has no field {unknown[0]!r}; its fields are {known}")
    missing = [field.name for field in fields if field.required and field.name not in value]
    if missing:
        raise _Misfit(f"{_label(shape)} needs the field {missing[0]!r}, which is missing")


def _no_variant(value: Any, shape: _Shape, attempts: list[_Attempt]) -> _Misfit:
    """The one variant's misfit that tells more than its name; with several of them, each one's reason."""
    misfits = [(attempt.variant, attempt.misfit) for attempt in attempts if attempt.misfit is not None]
    ambiguous = [misfit for _, misfit in misfits if misfit.error_class is TypeError]
    telling = [(variant, misfit) for variant, misfit in misfits if _tells_more(variant, value, misfit)]
    if ambiguous or len(telling) == 1:
        return (ambiguous or [telling[0][1]])[0]
    overall = _wrong(_label(shape), value)
    if telling:
        overall.finding += f" ({'; '.join(f'as {_label(variant)}: {misfit}' for variant, misfit in telling)})"
    return overall


def _tells_more(variant: _Shape, value: Any, misfit: _Misfit) -> bool:
    return misfit.finding != _wrong(_label(variant), value).finding


def _label(shape: _Shape) -> str:
    """A shape in Python's words, for errors."""
    if shape.kind == "struct" and shape.cls is not None:
        return name_of(shape.cls)
    if shape.kind == "union":
        return " | ".join(_label(variant) for variant in shape.args)
    if shape.kind == "list":
        return f"list[{_label(shape.args[0])}]"
    if shape.kind == "dict":
        return f"dict[str, {_label(shape.args[0])}]"
    return {"none": "None", "any": "Any"}.get(shape.kind, shape.kind)


_ENCODERS: dict[str, Callable[[Any, _Shape], Any]] = {
    "any": _encode_any,
    "none": _encode_none,
    "bool": _encode_bool,
    "int": _encode_int,
    "float": _encode_float,
    "str": _encode_str,
    "list": _encode_list,
    "dict": _encode_dict,
    "struct": _encode_struct,
    "union": _encode_union,
}
_DECODERS: dict[str, Callable[[Any, _Shape], Any]] = {
    "any": _decode_any,
    "none": _encode_none,
    "bool": _encode_bool,
    "int": _decode_int,
    "float": _decode_float,
    "str": _encode_str,
    "list": _decode_list,
    "dict": _decode_dict,
    "struct": _decode_struct,
    "union": _decode_union,
}
