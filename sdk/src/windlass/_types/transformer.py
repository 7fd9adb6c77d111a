"""How a class of your own travels: a `TypeTransformer` for it, registered with the `TypeEngine`.

>>> from fractions import Fraction
>>> class FractionTransformer(TypeTransformer[Fraction]):
...     def __init__(self):
...         super().__init__("fraction", Fraction)
...
...     def type_expression(self, python_type):
...         return "str", None
...
...     def to_wire(self, value, python_type):
...         if not isinstance(value, Fraction):
...             raise TypeTransformerFailedError(f"expected a fraction, got {value!r}")
...         return str(value)
...
...     def from_wire(self, value, python_type):
...         return Fraction(value)
>>> TypeEngine.register(FractionTransformer())

From here on a task may take and return fractions, lists of them, dataclasses with them. What travels is JSON; a value
that is too big for that goes into a file, and a reference to it travels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

from windlass._exceptions import DuplicateHandlerError, FlyteException, TypeTransformerFailedError
from windlass._types.misfit import Misfit, Wrong, name_of
from windlass._types.plain import plain
from windlass._types.shape import Shape

T = TypeVar("T")

_BY_REFERENCE = ("file", "directory", "dataframe", "pickle")


class TypeTransformer(ABC, Generic[T]):
    """Values of one class on their way to JSON and back.

    `name` is for people, `t` the class. `python_type`, which the methods get, is the annotation: the class, a subclass
    of it, the class with parameters, and with its `Annotated` where it has one.

    The methods raise `TypeTransformerFailedError` (or any TypeError, ValueError or AssertionError) where a value does
    not fit; the message should say what was expected. Windlass adds the task, the argument and the place in the value.
    """

    def __init__(self, name: str, t: type[T]) -> None:
        self._name = name
        self._python_type = t

    @property
    def name(self) -> str:
        """What people call it."""
        return self._name

    @property
    def python_type(self) -> type[T]:
        """The class it is for."""
        return self._python_type

    @abstractmethod
    def type_expression(self, python_type: Any) -> tuple[str, dict[str, Any] | None]:
        """The contract's type of the JSON (`str`, `struct`, `file[csv]`, `list[int]` …) and, if wanted, its schema."""

    @abstractmethod
    def to_wire(self, value: T, python_type: Any) -> Any:
        """The JSON of a value."""

    @abstractmethod
    def from_wire(self, value: Any, python_type: Any) -> T:
        """The value of a JSON."""

    def __repr__(self) -> str:
        return f"<transformer {self._name} of {name_of(self._python_type)}>"


class TypeEngine:
    """Where transformers are registered. One for a class, and none for the classes that Windlass carries itself."""

    registered: ClassVar[dict[Any, TypeTransformer[Any]]] = {}

    @classmethod
    def register(cls, transformer: TypeTransformer[Any], additional_types: list[type] | None = None) -> None:
        """Uses the transformer for its class and for the additional ones, wherever they are annotated from now on.

        Subclasses use it, too, unless they have their own. Raises `DuplicateHandlerError` (a ValueError) where a class
        has a transformer already, and then registers it for none.
        """
        from windlass._types import resolve  # noqa: PLC0415  it needs this module

        classes = [transformer.python_type, *(additional_types or ())]
        for python_class in classes:
            taken = resolve.handler_of(python_class)
            if taken is not None:
                raise DuplicateHandlerError(
                    f"{transformer!r} can't be registered for {name_of(python_class)}, which {taken} carries already;"
                    " to use it for one value, put it into the annotation: Annotated[…, transformer]"
                )
        cls.registered.update(dict.fromkeys(classes, transformer))
        resolve.forget()


class TransformerShape(Shape):
    """What a transformer carries."""

    __slots__ = ("_described", "_transformer", "_trusted", "label", "python_type")
    pure = False

    def __init__(self, transformer: TypeTransformer[Any], python_type: Any, label: str) -> None:
        self._transformer = transformer
        self._trusted = type(transformer).__module__.startswith("windlass.")
        self._described: tuple[str, dict[str, Any] | None] | None = None
        self.python_type = python_type
        self.label = label

    def _declared(self) -> tuple[str, dict[str, Any] | None]:
        if self._described is None:
            self._described = self._transformer.type_expression(self.python_type)
        return self._described

    @property
    def expression(self) -> str:
        return self._declared()[0]

    @property
    def described(self) -> bool:
        return self._declared()[1] is not None

    @property
    def by_reference(self) -> bool:
        return self.expression.partition("[")[0] in _BY_REFERENCE

    def claims(self, value: Any) -> bool:
        return isinstance(value, self._transformer.python_type)

    def encode(self, value: Any) -> Any:
        try:
            wire = self._transformer.to_wire(value, self.python_type)
        except (TypeError, ValueError, AssertionError) as error:
            raise _misfit(error) from error
        return wire if self._trusted else self._checked(wire)

    def _checked(self, wire: Any) -> Any:
        try:
            return plain(wire)
        except Misfit as misfit:
            raise Misfit(f"{self._transformer!r} wrote what is no JSON: {misfit}") from None

    def decode(self, wire: Any) -> Any:
        try:
            return self._transformer.from_wire(wire, self.python_type)
        except (TypeError, ValueError, AssertionError) as error:
            raise _misfit(error) from error

    def check(self, wire: Any) -> None:
        if not self.by_reference:
            self.decode(wire)
        elif type(wire) is not dict or type(wire.get("uri")) is not str:
            raise Wrong(f"{self.label} as an object with a uri", wire)

    def rank(self, wire: Any) -> int:
        return 1 if self.by_reference else 0

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        expression, schema = self._declared()
        return {"x-windlass-type": expression} if schema is None else dict(schema)


def _misfit(error: Exception) -> Misfit:
    """What a transformer does not like; failures of the store and the like stay what they are."""
    if isinstance(error, FlyteException):
        raise error
    message = str(error) if isinstance(error, TypeTransformerFailedError) else f"{type(error).__name__}: {error}"
    return Misfit(message)
