"""The typed face of a function: its inputs with types and defaults, and its outputs.

Read once from the function's signature, at decoration, so that what can't be a task fails where it is written:

- a parameter without an annotation, `*args`, `**kwargs`
- a tuple where one value is meant: tuples are how several outputs are written
- an annotated return value with no `return` in the source

Outputs are `o0, o1, …`, or the fields of a NamedTuple; `-> None` and no annotation mean none. Annotations may be
strings (PEP 563); one that names what is defined further down is read at first use.

Loaded in every pod, hence neither `inspect` nor `dataclasses`: a function carries all there is to know.
"""

from __future__ import annotations

import collections
import types
import typing
from collections.abc import Callable
from typing import Any, Final

from windlass import _exceptions
from windlass._modules import shown

_STAR_ARGS, _STAR_KWARGS, _GENERATOR = 0x04, 0x08, 0x20  # co_flags


class Missing:
    """The default of a parameter that has none."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()


class Parameter:
    """One input."""

    __slots__ = ("default", "name", "positional_only", "python_type")

    def __init__(self, name: str, python_type: Any, default: Any = MISSING, positional_only: bool = False) -> None:
        self.name = name
        self.python_type = python_type
        self.default = default
        self.positional_only = positional_only

    @property
    def required(self) -> bool:
        """Whether a call must name it. A default of None counts only where the type allows None."""
        return self.default is MISSING or (self.default is None and not accepts_none(self.python_type))


class Interface:
    """Inputs and outputs by name. `result` is the tuple class that carries several outputs (or one named output)."""

    __slots__ = ("inputs", "makes_artifacts", "outputs", "result")

    def __init__(self, inputs: dict[str, Parameter], outputs: dict[str, Any], result: type | None) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.result = result
        self.makes_artifacts = any(is_artifact(python_type) for python_type in outputs.values())

    def pack(self, values: dict[str, Any]) -> Any:
        """Outputs by name → what the function's caller gets: None, the value, or the named tuple."""
        if self.result is not None:
            return self.result(*values.values())
        return next(iter(values.values()), None)

    def unpack(self, result: Any, what: str) -> dict[str, Any]:
        """What the function returned → outputs by name. The inverse of `pack`."""
        if self.result is None:
            return dict.fromkeys(self.outputs, result)
        if not isinstance(result, tuple) or len(result) != len(self.outputs):
            found = f"a tuple of {len(result)}" if isinstance(result, tuple) else type(result).__name__
            raise _exceptions.FlyteValidationException(
                f"{what} has the {len(self.outputs)} outputs {', '.join(self.outputs)}, but returned {found}"
            )
        return dict(zip(self.outputs, result, strict=True))


def is_artifact(python_type: Any) -> bool:
    """Whether the annotation names an artifact that the value becomes."""
    return any(getattr(note, "makes_artifact", False) for note in getattr(python_type, "__metadata__", ()))


def is_lookup(default: Any) -> bool:
    """Whether a default or argument is looked up when an execution begins: an artifact, or a query for one."""
    return getattr(type(default), "is_lookup", False)


def innermost(function: Callable[..., Any]) -> types.FunctionType:
    """The function under decorators that used functools.wraps."""
    found: Any = function
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    if not isinstance(found, types.FunctionType):
        raise TypeError(f"a task or workflow is made from a function, not from {function!r}")
    return found


def line_of(function: Callable[..., Any]) -> str:
    """`file:line` of a function's definition."""
    code = innermost(function).__code__
    return f"{shown(code.co_filename)}:{code.co_firstlineno}"


def read_interface(
    function: Callable[..., Any], name: str, *, pickle_untyped: bool = False, needs_return: bool = True
) -> Interface:
    """The interface of a function; with `pickle_untyped`, a parameter without a type takes anything.

    `needs_return` is False for a function that is a mere signature, whose body nobody runs.
    Raises NameError where an annotation names what is not defined yet.
    """
    inner = innermost(function)
    try:
        hints = typing.get_type_hints(inner, include_extras=True)
    except NameError as error:
        raise NameError(
            f"an annotation of {name} ({line_of(function)}) can't be read: {error}. It is read when the code runs, so"
            " what it names is defined or imported in the module, and not below `if TYPE_CHECKING:` alone"
        ) from error
    except TypeError as error:
        raise TypeError(
            f"the annotations of {name} ({line_of(function)}) are not all types: {error} Several outputs are written as"
            " tuple[A, B]"
        ) from error
    inputs = _parameters(inner, hints, pickle_untyped=pickle_untyped)
    returned = hints.get("return", type(None))
    outputs, result = _outputs(returned, name)
    if needs_return and outputs and not accepts_none(returned) and not _has_return(inner):
        raise _exceptions.FlyteMissingReturnValueException(fn=function)
    return Interface(inputs, outputs, result)


def accepts_none(python_type: Any) -> bool:
    """Whether None is a value of the type."""
    python_type = bare(python_type)
    if python_type in (None, type(None), Any):
        return True
    return is_union(python_type) and any(accepts_none(variant) for variant in typing.get_args(python_type))


def is_union(python_type: Any) -> bool:
    """Whether the type is a Union, an Optional or `A | B`."""
    return typing.get_origin(python_type) in (typing.Union, types.UnionType)


def bare(python_type: Any) -> Any:
    """The type without its Annotated."""
    while typing.get_origin(python_type) is typing.Annotated:
        python_type = typing.get_args(python_type)[0]
    return python_type


def _parameters(function: types.FunctionType, hints: dict[str, Any], *, pickle_untyped: bool) -> dict[str, Parameter]:
    code = function.__code__
    if code.co_flags & (_STAR_ARGS | _STAR_KWARGS):
        raise _exceptions.FlyteValidationException(
            f"{function.__qualname__} takes *args or **kwargs ({line_of(function)}), but every input needs a name and"
            " a type: write them out, or take a list or dict. Where a decorator has made this function, it needs"
            " functools.wraps"
        )
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    optional = function.__defaults__ or ()
    defaults = dict(zip(names[code.co_argcount - len(optional) : code.co_argcount], optional, strict=True))
    defaults |= function.__kwdefaults__ or {}
    found = {}
    for position, name in enumerate(names):
        if name not in hints and pickle_untyped:
            hints[name] = Any
        if name not in hints:
            raise _exceptions.FlyteMissingTypeException(fn=function, param_name=name)
        _refuse_tuple(hints[name], f"the input {name} of {function.__qualname__} ({line_of(function)})")
        found[name] = Parameter(name, hints[name], defaults.get(name, MISSING), position < code.co_posonlyargcount)
    return found


def _refuse_tuple(python_type: Any, what: str) -> None:
    plain = bare(python_type)
    origin = typing.get_origin(plain) or plain
    if isinstance(origin, type) and issubclass(origin, tuple):
        raise _exceptions.RestrictedTypeError(
            f"{what} is a tuple, which is how several outputs are written, not a value: take a list or a dataclass"
        )


def _outputs(returned: Any, name: str) -> tuple[dict[str, Any], type | None]:
    plain = bare(returned)
    if plain in (None, type(None)):
        return {}, None
    if isinstance(plain, type) and issubclass(plain, tuple) and hasattr(plain, "_fields"):
        fields = typing.get_type_hints(plain, include_extras=True)
        return {field: fields.get(field, Any) for field in plain._fields}, plain
    if isinstance(plain, tuple):  # `-> (A, B)`, which is no type, but written by many
        return _tuple_outputs(plain, name)
    if plain is tuple or typing.get_origin(plain) is tuple:
        return _tuple_outputs(typing.get_args(plain), name)
    return {"o0": returned}, None


def _tuple_outputs(members: tuple[Any, ...], name: str) -> tuple[dict[str, Any], type]:
    if len(members) < 2 or ... in members:
        raise _exceptions.FlyteValidationException(
            "Tuples should be used to indicate multiple return values, found"
            f" {f'only {members[0]}' if len(members) == 1 else 'none with a fixed number of types'} in the outputs"
            f" of {name}:"
            " write Tuple[A, B] or a NamedTuple for several, or the type itself for one"
        )
    outputs = {f"o{position}": member for position, member in enumerate(members)}
    return outputs, collections.namedtuple("DefaultNamedTupleOutput", outputs)


def _has_return(function: types.FunctionType) -> bool:
    """Whether a `return` with a value is in the source. Functions without readable source get the benefit of the doubt.

    What a generator gives is itself.

    The quick look takes lines that carry bytecode, so that docstrings don't count; the exact one parses, and happens
    only where the quick one found nothing (a `return` after a `raise` leaves no bytecode).
    """
    code = function.__code__
    if code.co_flags & _GENERATOR:
        return True
    try:
        with open(code.co_filename, encoding="utf-8") as file:  # noqa: PTH123  pathlib is not loaded in pods
            source = file.read()
    except (OSError, UnicodeDecodeError):
        return True
    lines = source.splitlines()
    mine = {line for _, _, line in code.co_lines() if line is not None and 0 < line <= len(lines)}
    return any("return" in lines[line - 1] for line in mine) or _parsed_return(source, code.co_firstlineno)


def _parsed_return(source: str, first_line: int) -> bool:
    import ast  # noqa: PLC0415  only functions that look wrong get here; pods shall not load it

    try:
        tree = ast.parse(source)
    except SyntaxError:
        return True
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and first_line in (
            node.lineno,
            *(decorator.lineno for decorator in node.decorator_list),
        ):
            return any(isinstance(part, ast.Return) for part in ast.walk(node))
    return True
