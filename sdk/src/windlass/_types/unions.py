"""Optional and Union. No tag tells the variants apart on the wire: their JSON must.

    out   the variants of the value's own class come first, then the others, `Any` last; the first that takes it, writes
    in    of those that can read the JSON: none that makes a float of an integer where another one does not; then those
          with the highest rank (a text that spells a date is one, an object with a `uri` is a reference to a file); and
          where several are left they must read the same

What would be read differently from what was written is refused when it is written: an ambiguous choice of variant.
Variants that lie in the store all look alike, so in a union of several such their objects get a `kind`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from windlass._types.misfit import Misfit, Wrong, shown
from windlass._types.scalars import NONE
from windlass._types.shape import Shape

_PLAIN_FLOATS = 1e21  # from here on Kubernetes writes floats with an exponent
KIND = "kind"


class UnionShape(Shape):
    """A choice of shapes."""

    __slots__ = ("_kinds", "_only", "_options", "label", "variants")

    def __init__(self, variants: tuple[Shape, ...]) -> None:
        self.variants = variants
        self.label = " | ".join(variant.label for variant in variants)
        self._options = tuple(variant for variant in variants if variant is not NONE)
        self._only = self._options[0] if len(variants) == 2 and len(self._options) == 1 else None
        self._kinds: bool | None = None

    @property
    def expression(self) -> str:
        names = list(dict.fromkeys(option.expression for option in self._options))
        inner = names[0] if len(names) == 1 else f"union[{', '.join(names)}]"
        return inner if len(self._options) == len(self.variants) else f"optional[{inner}]"

    @property
    def described(self) -> bool:
        return any(variant.described for variant in self.variants)

    @property
    def pure(self) -> bool:
        return all(variant.pure for variant in self.variants)

    @property
    def _has_kinds(self) -> bool:
        if self._kinds is None:
            self._kinds = sum(variant.by_reference for variant in self.variants) > 1
        return self._kinds

    def claims(self, value: Any) -> bool:
        return any(variant.claims(value) for variant in self.variants)

    def schema(self, above: tuple[Shape, ...]) -> dict[str, Any]:
        return {"anyOf": [variant.schema(above) for variant in self.variants]}

    # ---- out ----

    def encode(self, value: Any) -> Any:
        if self._only is not None:  # an Optional, as nearly every union is: nothing can be mistaken
            return None if value is None else self._as_only(self._only.encode, value)
        wire, writer = self._write(value)
        self._refuse_ambiguous(value, wire, writer)
        return wire

    def _as_only(self, convert: Callable[[Any], Any], value: Any) -> Any:
        try:
            return convert(value)
        except Misfit as misfit:
            raise self._no_variant(value, [(self._options[0], misfit)]) from misfit.__cause__

    def _write(self, value: Any) -> tuple[Any, Shape]:
        misfits = []
        for variant in sorted(self.variants, key=lambda variant: _order(variant, value)):
            try:
                wire = variant.encode(value)
            except Misfit as misfit:
                misfits.append((variant, misfit))
                continue
            if self._has_kinds and variant.by_reference:
                wire = {**wire, KIND: variant.expression}
            return wire, variant
        raise self._no_variant(value, misfits)

    def _refuse_ambiguous(self, value: Any, wire: Any, writer: Shape) -> None:
        for arriving in (wire, after_kubernetes(wire)):
            reader = self._reader(arriving)
            if reader is writer:
                continue
            if writer.by_reference or reader.by_reference or not _alike(reader.decode(arriving), writer.decode(wire)):
                raise self._ambiguous(value, f"written as {writer.label}, it would be read as {reader.label}")

    # ---- in ----

    def decode(self, wire: Any) -> Any:
        if self._only is not None:
            return None if wire is None else self._as_only(self._only.decode, wire)
        reader = self._reader(wire)
        return reader.decode(_without_kind(wire) if self._has_kinds and reader.by_reference else wire)

    def check(self, wire: Any) -> None:
        self._reader(wire)

    def rank(self, wire: Any) -> int:
        return max((variant.rank(wire) for variant in self._fitting(wire)), default=0)

    def makes_floats_of_integers(self, wire: Any) -> bool:
        return all(variant.makes_floats_of_integers(wire) for variant in self._fitting(wire))

    def _fitting(self, wire: Any) -> list[Shape]:
        return [variant for variant in self.variants if _misfit(variant, wire) is None]

    def _reader(self, wire: Any) -> Shape:
        """The variant that reads this JSON."""
        fitting = self._fitting(wire)
        if not fitting:
            misfits = [(variant, _misfit(variant, wire)) for variant in self.variants]
            raise self._no_variant(wire, [(variant, misfit) for variant, misfit in misfits if misfit is not None])
        fitting = [variant for variant in fitting if not variant.makes_floats_of_integers(wire)] or fitting
        if len(fitting) > 1:
            ranks = [_rank(variant, wire) for variant in fitting]
            fitting = [variant for variant, rank in zip(fitting, ranks, strict=True) if rank == max(ranks)]
        first, *others = fitting
        for other in others:
            if first.by_reference or other.by_reference or not _same(first.decode(wire), other.decode(wire)):
                raise self._ambiguous(wire, f"it could be {first.label} as well as {other.label}")
        return first

    # ---- what is wrong ----

    def _ambiguous(self, value: Any, why: str) -> Misfit:
        finding = f"Ambiguous choice of variant for union type {self.label}: {shown(value)}: {why}"
        return Misfit(finding, error_class=TypeError)

    def _no_variant(self, value: Any, misfits: list[tuple[Shape, Misfit]]) -> Misfit:
        """The one variant's misfit that tells more than its name; with several of them, each one's reason."""
        ambiguous = [misfit for _, misfit in misfits if misfit.error_class is TypeError]
        telling = [(variant, misfit) for variant, misfit in misfits if _tells_more(variant, misfit, value)]
        if ambiguous or len(telling) == 1:
            return (ambiguous or [telling[0][1]])[0]
        if not telling:
            return Wrong(self.label, value)
        reasons = "; ".join(f"as {variant.label}: {misfit}" for variant, misfit in telling)
        return Misfit(f"{Wrong(self.label, value)} ({reasons})")


def _order(variant: Shape, value: Any) -> int:
    if variant.claims(value):
        return 0
    return 2 if variant.expression == "any" else 1


def _rank(variant: Shape, wire: Any) -> tuple[bool, int]:
    """Its kind, where the wire has one, decides; then what the shape itself says."""
    is_kind = variant.by_reference and type(wire) is dict and wire.get(KIND) == variant.expression
    return is_kind, variant.rank(wire)


def _misfit(variant: Shape, wire: Any) -> Misfit | None:
    try:
        variant.check(wire)
    except Misfit as misfit:
        return misfit
    return None


def _tells_more(variant: Shape, misfit: Misfit, value: Any) -> bool:
    return misfit.path != "" or misfit.finding != Wrong(variant.label, value).finding


def _without_kind(wire: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in wire.items() if key != KIND}


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _alike(one: Any, other: Any) -> bool:
    """The same, where a whole number may be int or float."""
    numbers = type(one) in (int, float) and type(other) in (int, float)
    return one is other or ((numbers or type(one) is type(other)) and bool(one == other))


def after_kubernetes(wire: Any) -> Any:
    """The wire as the API server writes it: whole floats as their shortest digits and zeros, with no point."""
    if type(wire) is float and wire.is_integer() and abs(wire) < _PLAIN_FLOATS:
        digits, _, exponent = repr(wire).partition("e+")
        whole, _, fraction = digits.partition(".")
        return int(f"{whole}{fraction.rstrip('0')}") * 10 ** (int(exponent or 0) - len(fraction.rstrip("0")))
    if type(wire) is list:
        return [after_kubernetes(item) for item in wire]
    if type(wire) is dict:
        return {key: after_kubernetes(item) for key, item in wire.items()}
    return wire
