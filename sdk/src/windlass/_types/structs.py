"""Dataclasses and TypedDicts: an object with a key for each field.

Fields are those of the constructor; their annotations are read when the first value travels, or the declaration is
written to a manifest, since a class may name itself or what is defined further down. Generic dataclasses may be given
their parameters (`Box[int]`); one that is not given is `Any`.

A dict is taken in place of a dataclass when its keys are the fields. A value of a subclass is not a value of its base:
what the subclass adds would be lost.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

from windlass._exceptions import RestrictedTypeError, UnsupportedTypeError
from windlass._types.misfit import Misfit, Wrong, key_step, name_of
from windlass._types.pickles import AnyShape
from windlass._types.plain import plain
from windlass._types.shape import Shape

Resolve = Callable[[Any], Shape]


class Field:
    """A field, as the wire sees it."""

    __slots__ = ("default", "has_default", "name", "required", "shape")

    def __init__(
        self, name: str, shape: Shape, *, required: bool, has_default: bool = False, default: Any = None
    ) -> None:
        self.name = name
        self.shape = shape
        self.required = required
        self.has_default = has_default
        self.default = default


class StructShape(Shape):
    """A dataclass; `python_type` is the class, or a generic one with its parameters."""

    __slots__ = ("_fields", "_pure", "_resolve", "label", "python_class", "python_type")
    expression = "struct"
    described = True

    def __init__(self, python_type: Any, resolve: Resolve) -> None:
        self.python_type = python_type
        self.python_class: type = getattr(python_type, "__origin__", python_type)
        self.label = name_of(python_type)
        self._resolve = resolve
        self._fields: dict[str, Field] | None = None
        self._pure: bool | None = None

    @property
    def fields(self) -> dict[str, Field]:
        """The fields by name."""
        if self._fields is None:
            self._fields = self._read_fields()
        return self._fields

    @property
    def pure(self) -> bool:
        if self._pure is None:
            self._pure = True  # for those who ask while it is found out: a class inside itself
            self._pure = all(field.shape.pure for field in self.fields.values())
        return self._pure

    def claims(self, value: Any) -> bool:
        return type(value) is self.python_class

    # ---- values ----

    def encode(self, value: Any) -> dict[str, Any]:
        if type(value) is self.python_class:
            return self._encode_fields(value)
        if type(value) is dict:
            self._check_names(value)
            return self._converted(value, lambda field: field.shape.encode)
        raise Wrong(self.label, value)

    def _encode_fields(self, value: Any) -> dict[str, Any]:
        wire: dict[str, Any] = {}
        name = ""
        try:
            for name, field in self.fields.items():
                wire[name] = field.shape.encode(getattr(value, name))
        except Misfit as misfit:
            raise misfit.under(f".{name}") from misfit.__cause__
        except AttributeError as error:
            raise Misfit(f"{self.label} has lost its field {name!r}: {error}") from error
        return wire

    def decode(self, wire: Any) -> Any:
        if type(wire) is not dict:
            raise Wrong(self.label, wire)
        self._check_names(wire)
        arguments = self._converted(wire, lambda field: field.shape.decode)
        try:
            return self.python_class(**arguments)
        except Exception as error:
            raise Misfit(f"{self.label} refused its values: {type(error).__name__}: {error}") from error

    def check(self, wire: Any) -> None:
        if self.pure:
            self.decode(wire)  # the constructor may refuse the values
            return
        if type(wire) is not dict:
            raise Wrong(self.label, wire)
        self._check_names(wire)
        self._converted(wire, lambda field: field.shape.check)

    def _converted(self, values: dict[str, Any], converter: Callable[[Field], Callable[[Any], Any]]) -> dict[str, Any]:
        fields = self.fields
        converted: dict[str, Any] = {}
        name = ""
        try:
            for name, value in values.items():
                converted[name] = converter(fields[name])(value)
        except Misfit as misfit:
            raise misfit.under(key_step(name)) from misfit.__cause__
        return converted

    def _check_names(self, value: dict[Any, Any]) -> None:
        fields = self.fields
        for key in value:
            if key not in fields:
                raise Misfit(f"{self.label} has no field {key!r}; its fields are {', '.join(fields) or 'none'}")
        if len(value) < len(fields):
            for name, field in fields.items():
                if field.required and name not in value:
                    raise Misfit(f"{self.label} needs the field {name!r}, which is missing")

    # ---- the declaration ----

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object", "title": self._title()}
        if self in above:  # a class inside itself: the manifest stays open here, the conversion does not
            return schema
        schema["properties"] = {name: self._field_schema(field, above) for name, field in self.fields.items()}
        required = [name for name, field in self.fields.items() if field.required]
        if required:
            schema["required"] = required
        schema["additionalProperties"] = False
        return schema

    def _title(self) -> str:
        return self.python_class.__name__

    def _field_schema(self, field: Field, above: tuple[Shape, ...]) -> dict[str, Any]:
        schema = field.shape.schema((*above, self))
        if not field.has_default or not (field.shape.pure or isinstance(field.shape, AnyShape)):
            return schema
        try:
            schema["default"] = field.shape.encode(field.default) if field.shape.pure else plain(field.default)
        except Misfit as misfit:
            if not field.shape.pure:
                return schema  # it would be a pickle, which is made when a value travels
            raise UnsupportedTypeError(
                f"the default of field '{field.name}' of {self.label} does not fit its annotation: {misfit}"
            ) from misfit
        return schema

    def _read_fields(self) -> dict[str, Field]:
        import dataclasses  # noqa: PLC0415  heavy, and not needed where nobody has made a dataclass

        hints = self._hints()
        found = {}
        for field in dataclasses.fields(self.python_class):
            if field.init:
                has_default = field.default is not dataclasses.MISSING
                required = not has_default and field.default_factory is dataclasses.MISSING
                found[field.name] = Field(
                    field.name,
                    self._field_shape(field.name, hints[field.name]),
                    required=required,
                    has_default=has_default,
                    default=field.default,
                )
        self._refuse_init_only()
        return found

    def _refuse_init_only(self) -> None:
        known: dict[str, Any] = getattr(self.python_class, "__dataclass_fields__")  # noqa: B009  a type has no such attribute
        for name, field in known.items():
            if field._field_type.name == "_FIELD_INITVAR" and field.default is field.default_factory:  # both missing
                raise UnsupportedTypeError(
                    f"{self.label} can't come back from JSON: its constructor needs {name!r}, an InitVar without a"
                    " default, which a value does not keep"
                )

    def _hints(self) -> dict[str, Any]:
        try:
            hints = typing.get_type_hints(self.python_class, include_extras=True)
        except NameError as error:
            raise UnsupportedTypeError(
                f"an annotation in the dataclass {name_of(self.python_class)} could not be resolved: {error}."
                " Define the class at module level, after or beside the types it names"
            ) from error
        scopes = _scopes(self.python_type)
        homes = _homes(self.python_class) if len(scopes) > 1 or hasattr(self.python_class, "__parameters__") else {}
        return {name: _substituted(hint, scopes.get(homes.get(name, object), {})) for name, hint in hints.items()}

    def _field_shape(self, name: str, hint: Any) -> Shape:
        try:
            return self._resolve(hint)
        except (UnsupportedTypeError, RestrictedTypeError) as error:
            raise type(error)(f"field '{name}' of {name_of(self.python_class)}: {error}") from error


class TypedDictShape(StructShape):
    """A TypedDict: a dict at run time, with keys that have types."""

    __slots__ = ()

    def claims(self, value: Any) -> bool:
        return type(value) is dict

    def encode(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise Wrong(self.label, value)
        self._check_names(value)
        return self._converted(value, lambda field: field.shape.encode)

    def decode(self, wire: Any) -> Any:
        if type(wire) is not dict:
            raise Wrong(self.label, wire)
        self._check_names(wire)
        return self._converted(wire, lambda field: field.shape.decode)

    def _read_fields(self) -> dict[str, Field]:
        hints = self._hints()
        needed: frozenset[str] = getattr(self.python_class, "__required_keys__", frozenset(hints))
        found = {}
        for name, qualified in hints.items():
            hint, qualifiers = _qualifiers(qualified)
            required = name in needed if "Required" not in qualifiers else True
            found[name] = Field(
                name, self._field_shape(name, hint), required=required and "NotRequired" not in qualifiers
            )
        return found


def _qualifiers(hint: Any) -> tuple[Any, list[str]]:
    """The hint without Required, NotRequired and ReadOnly, and which of them it had."""
    found: list[str] = []
    while (name := getattr(getattr(hint, "__origin__", None), "_name", None)) in (
        "Required",
        "NotRequired",
        "ReadOnly",
    ):
        found.append(str(name))
        hint = hint.__args__[0]
    return hint, found


def _scopes(python_type: Any) -> dict[type, dict[Any, Any]]:
    """For a class and each generic base: what its type variables stand for; in a base a variable may mean another."""
    origin = getattr(python_type, "__origin__", python_type)
    known = dict(zip(getattr(origin, "__parameters__", ()), getattr(python_type, "__args__", ()), strict=False))
    scopes = {origin: known}
    for base in getattr(origin, "__orig_bases__", ()):
        if isinstance(getattr(base, "__origin__", None), type) and base.__origin__ is not typing.Generic:
            scopes |= _scopes(_substituted(base, known))
    return scopes


def _homes(python_class: type) -> dict[str, type]:
    """For each field the class that annotates it: whose type variables its annotation means."""
    import inspect  # noqa: PLC0415  dataclasses have loaded it

    return {name: base for base in reversed(python_class.__mro__) for name in inspect.get_annotations(base)}


def _substituted(hint: Any, parameters: dict[Any, Any]) -> Any:
    """The hint with its type variables replaced; by Any where they are not given."""
    if isinstance(hint, typing.TypeVar):
        return parameters.get(hint, Any)
    variables = getattr(hint, "__parameters__", ())
    if not variables or isinstance(hint, type):
        return hint
    return hint[tuple(parameters.get(variable, Any) for variable in variables)]
