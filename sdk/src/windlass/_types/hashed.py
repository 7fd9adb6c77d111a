"""`Annotated[T, HashMethod(f)]`: the reference to a value in the store carries a digest, by which caches know it."""

from __future__ import annotations

from typing import Any

from windlass._types.annotated import HashMethod
from windlass._types.misfit import Misfit, shown
from windlass._types.plain import PICKLE_KEY
from windlass._types.shape import Shape


class HashedShape(Shape):
    """Another shape, whose references get a `hash`. A value that travels inline is its own key: that is told once."""

    __slots__ = ("_inner", "_method", "_warned")

    def __init__(self, inner: Shape, method: HashMethod[Any]) -> None:
        self._inner = inner
        self._method = method
        self._warned = False

    @property
    def label(self) -> str:  # type: ignore[override]  # it is that of the inner shape
        return self._inner.label

    @property
    def expression(self) -> str:
        return self._inner.expression

    @property
    def described(self) -> bool:
        return self._inner.described

    @property
    def by_reference(self) -> bool:
        return self._inner.by_reference

    @property
    def pure(self) -> bool:
        return self._inner.pure

    def encode(self, value: Any) -> Any:
        wire = self._inner.encode(value)
        reference = wire.get(PICKLE_KEY, wire) if type(wire) is dict else wire
        if type(reference) is dict and "uri" in reference:
            reference["hash"] = self._digest(value)
        elif wire is not None:
            self._say_unused(value)
        return wire

    def _digest(self, value: Any) -> str:
        try:
            digest = self._method.calculate(value)
        except Exception as error:
            raise Misfit(f"its HashMethod failed: {type(error).__name__}: {error}") from error
        if not isinstance(digest, str):
            raise Misfit(f"its HashMethod should return a text, it returned {shown(digest)}")
        return digest

    def _say_unused(self, value: Any) -> None:
        if self._warned:
            return
        self._warned = True
        import warnings  # noqa: PLC0415  rarely needed

        warnings.warn(
            f"the HashMethod beside {self.label} is not used: {shown(value)} travels by itself, not as a reference to"
            " the store, so caches know it by the value. Take the HashMethod out of the annotation",
            UserWarning,
            stacklevel=2,
        )

    def decode(self, wire: Any) -> Any:
        return self._inner.decode(wire)

    def check(self, wire: Any) -> None:
        self._inner.check(wire)

    def rank(self, wire: Any) -> int:
        return self._inner.rank(wire)

    def claims(self, value: Any) -> bool:
        return self._inner.claims(value)

    def makes_floats_of_integers(self, wire: Any) -> bool:
        return self._inner.makes_floats_of_integers(wire)

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        return self._inner.schema(above)
