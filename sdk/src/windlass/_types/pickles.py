"""The last resort: values of classes that nothing else knows travel as pickles in the store.

A pickle couples whoever reads it to the Python and the libraries of whoever wrote it, so each class is warned of once.
`cloudpickle` is used where it is installed (it takes functions and classes of scripts along), else `pickle`.
"""

from __future__ import annotations

from typing import Any

from windlass._types.containers import ListShape
from windlass._types.misfit import Misfit, Wrong, name_of
from windlass._types.plain import PICKLE_FORMAT, PICKLE_KEY, is_pickle, plain, read_plain
from windlass._types.shape import Shape

_warned: set[str] = set()


class PickleShape(Shape):
    """Values of a class that is annotated as such, subclasses included."""

    __slots__ = ("label", "python_class")
    expression = "pickle"
    by_reference = True
    pure = False

    def __init__(self, python_type: Any) -> None:
        origin = getattr(python_type, "__origin__", python_type)
        self.python_class = origin if isinstance(origin, type) else object
        self.label = name_of(python_type)

    def claims(self, value: Any) -> bool:
        return value is not None and self._is_mine(value)

    def encode(self, value: Any) -> dict[str, Any]:
        if value is None:
            raise Misfit(f"Cannot pickle None Value: annotate it as Optional[{self.label}] where it may be None")
        if not self._is_mine(value):
            raise Wrong(self.label, value)
        return write(value, name_of(self.python_class))

    def decode(self, wire: Any) -> Any:
        self.check(wire)
        value = read(wire.get(PICKLE_KEY, wire))
        if not self._is_mine(value):
            raise Wrong(self.label, value)
        return value

    def check(self, wire: Any) -> None:
        inside = wire.get(PICKLE_KEY, wire) if type(wire) is dict else None
        if type(inside) is not dict or type(inside.get("uri")) is not str:
            raise Wrong(f"the pickle of a value of type {self.label}", wire)

    def rank(self, wire: Any) -> int:
        inside = wire.get(PICKLE_KEY, wire)
        return 2 if inside.get("type") == name_of(self.python_class) else 1 if is_pickle(wire) else 0

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        return {"x-windlass-type": "pickle"}

    def _is_mine(self, value: Any) -> bool:
        try:
            return isinstance(value, self.python_class)
        except TypeError:  # a protocol, or another class of which nothing is an instance
            return True


class AnyShape(Shape):
    """JSON values as they are; whatever is none, as a whole, as a pickle that says so."""

    __slots__ = ()
    label, expression = "Any", "any"
    pure = False

    def encode(self, value: Any) -> Any:
        try:
            return plain(value)
        except Misfit as misfit:
            why = str(misfit)
        except RecursionError:
            why = "it is nested too deeply to travel as JSON, or it contains itself"
        warn_once(name_of(type(value)), f"as a value of type Any: {why}")
        return {PICKLE_KEY: write(value, name_of(type(value)))}

    def decode(self, wire: Any) -> Any:
        kind = type(wire)
        if kind is list:
            return [self.decode(item) for item in wire]
        if kind is not dict:
            return read_plain(wire)
        if is_pickle(wire):
            return read(wire.get(PICKLE_KEY, wire))
        return {key: self.decode(item) for key, item in wire.items()}

    def check(self, wire: Any) -> None:
        """Everything is a value of any type."""

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        return {}


class PicklesShape(ListShape):
    """A list of what is, or may be, pickled: each item alone, or several in a batch."""

    __slots__ = ()

    def decode(self, wire: Any) -> list[Any]:
        if type(wire) is not list:
            raise Wrong(self.label, wire)
        values: list[Any] = []
        position = 0
        try:
            for position, item in enumerate(wire):  # noqa: B007  it is used where this fails
                if is_batch(item):
                    values += read(item.get(PICKLE_KEY, item))
                else:
                    values.append(self.item.decode(item))
        except Misfit as misfit:
            raise misfit.under(f"[{position}]") from misfit.__cause__
        return values


class BatchedShape(PicklesShape):
    """`Annotated[list[T], BatchSize(n)]`: a pickle holds up to n items. Whoever reads a list takes batches apart."""

    __slots__ = ("batch",)

    def __init__(self, item: Shape, batch: int) -> None:
        super().__init__(item)
        self.batch = batch

    def encode(self, value: Any) -> list[Any]:
        if type(value) is not list:
            raise Wrong(self.label, value)
        if isinstance(self.item, AnyShape):
            try:
                return [plain(item) for item in value]
            except (Misfit, RecursionError):
                return [{PICKLE_KEY: batch} for batch in self._batches(value)]
        for position, item in enumerate(value):
            if not self.item.claims(item):
                raise Wrong(self.item.label, item).under(f"[{position}]")
        return self._batches(value)

    def _batches(self, value: list[Any]) -> list[Any]:
        starts = range(0, len(value), self.batch)
        return [write_batch(value[start : start + self.batch]) for start in starts]


def write(value: Any, type_name: str) -> dict[str, Any]:
    """Pickles a value into the store; the reference to it."""
    from windlass import _store  # noqa: PLC0415  most tasks have no pickles

    try:
        data = _pickler().dumps(value)
    except Exception as error:
        raise Misfit(f"it can't be pickled: {type(error).__name__}: {error}") from error
    name = f"{type(value).__name__}.pickle"
    return {"uri": _store.put_bytes(data, name), "type": type_name, "format": PICKLE_FORMAT}


def write_batch(values: list[Any]) -> dict[str, Any]:
    """Pickles some items of a list together."""
    return {**write(values, "list"), "items": len(values)}


def is_batch(wire: Any) -> bool:
    """Whether the pickle holds several items of a list."""
    return type(wire) is dict and is_pickle(wire) and "items" in wire.get(PICKLE_KEY, wire)


def read(reference: dict[str, Any]) -> Any:
    """The value behind a reference."""
    from windlass import _store  # noqa: PLC0415  as above

    data = _store.read_bytes(reference["uri"])
    try:
        return _pickler().loads(data)
    except Exception as error:
        what = reference.get("type", "a value")
        raise Misfit(
            f"the pickle of {what} in {reference['uri']} can't be read here: {type(error).__name__}: {error}"
            " (it needs the Python and the libraries with which it was written)"
        ) from error


def warn_once(type_name: str, why: str) -> None:
    """Says of a class, once, that its values travel as pickles."""
    if type_name in _warned:
        return
    _warned.add(type_name)
    import warnings  # noqa: PLC0415  as above

    warnings.warn(
        f"values of type {type_name} travel as pickles, {why}. A pickle needs the same Python and libraries at both"
        " ends and shows nothing to people; use a dataclass, a pydantic model or a file, or register a TypeTransformer",
        UserWarning,
        stacklevel=2,
    )


def _pickler() -> Any:
    try:
        return __import__("cloudpickle")
    except ImportError:
        return __import__("pickle")
