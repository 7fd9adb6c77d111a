"""Comparisons of promises: what `conditional(...)` decides by.

    a == 1      a < b      (a == 1) & (b != 2)      flag.is_true() | (a > 3)      ~(a == 1)

A comparison is a small tree whose leaves are bindings. In a manifest it is CEL (`text`); in a local run, where the
leaves are values, the evaluator that the operator uses gives its truth (`holds`), so that both decide alike. Whether
the types can be compared at all is known when the workflow is compiled, and said there.
"""

from __future__ import annotations

import datetime
import enum
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from windlass import _exceptions
from windlass._modules import caller
from windlass._promise import Binding, Kind, Promise, Reference, Undecided

if TYPE_CHECKING:
    from windlass_api import cel

MAX_INT = (1 << 63) - 1

_OR, _AND, _NOT, _ATOM = range(4)  # how strongly an operator binds


class Condition(Undecided, ABC):
    """What is true or false once the values are there."""

    __slots__ = ("location",)
    location: str
    binds: int

    @abstractmethod
    def text(self) -> str:
        """The condition in CEL."""

    @abstractmethod
    def tree(self) -> cel.Node:
        """The condition as the contract's evaluator takes it."""

    @abstractmethod
    def operands(self) -> Iterator[Binding]:
        """What is compared."""

    @abstractmethod
    def filled(self, fill: Callable[[Binding], Binding]) -> Condition:
        """The same about other values."""

    def holds(self) -> bool:
        """Its truth; all operands are values. Raises FlyteAssertion where they can't be compared."""
        from windlass_api import cel  # noqa: PLC0415  only workflows with conditions need it

        try:
            return bool(cel.Expression("", self.tree()).evaluate(_no_lookup))
        except cel.CelError as error:
            raise _exceptions.FlyteAssertion(f"{self.location}: the condition {self} has no truth: {error}") from None

    def __repr__(self) -> str:
        text = self.text()
        return text if len(text) <= 200 else f"{text[:200]}…"

    def __and__(self, other: Any) -> Condition:
        return _joined("&&", self, other)

    def __or__(self, other: Any) -> Condition:
        return _joined("||", self, other)

    def __rand__(self, other: Any) -> Condition:
        return _joined("&&", other, self)

    def __ror__(self, other: Any) -> Condition:
        return _joined("||", other, self)

    def __invert__(self) -> Condition:
        return Negation(self)

    def __bool__(self) -> bool:
        raise ValueError(
            f"{caller()}: Cannot perform truth value testing of {self}: its values are not there while the workflow is"
            " put together. Write `&` and `|` (with each comparison in parentheses) instead of `and`, `or` and"
            " `1 < p < 3`, and `~` instead of `not`; `conditional(...)` branches on it"
        )


class Comparison(Condition):
    """Two values and an operator."""

    __slots__ = ("left", "op", "right")
    binds = _ATOM

    def __init__(self, op: str, left: Binding, right: Binding, location: str) -> None:
        self.op = op
        self.left = left
        self.right = right
        self.location = location

    def text(self) -> str:
        """`inputs.a == 1`"""
        return f"{_spelled(self.left)} {self.op} {_spelled(self.right)}"

    def tree(self) -> cel.Node:
        """A binary operation."""
        from windlass_api import cel  # noqa: PLC0415  as above

        return cel.Binary(self.op, _leaf(self.left), _leaf(self.right))

    def operands(self) -> Iterator[Binding]:
        """Both sides."""
        yield self.left
        yield self.right

    def filled(self, fill: Callable[[Binding], Binding]) -> Condition:
        """The same about other values."""
        return Comparison(self.op, fill(self.left), fill(self.right), self.location)


class Joined(Condition):
    """`&` and `|`."""

    __slots__ = ("binds", "left", "op", "right")

    def __init__(self, op: str, left: Condition, right: Condition) -> None:
        self.op = op
        self.left = left
        self.right = right
        self.binds = _AND if op == "&&" else _OR
        self.location = left.location

    def text(self) -> str:
        """`inputs.a == 1 && (inputs.b > 2 || inputs.c)`"""
        return f"{grouped(self.left, self.binds)} {self.op} {grouped(self.right, self.binds + 1)}"

    def tree(self) -> cel.Node:
        """A binary operation."""
        from windlass_api import cel  # noqa: PLC0415  as above

        return cel.Binary(self.op, self.left.tree(), self.right.tree())

    def operands(self) -> Iterator[Binding]:
        """Those of both sides."""
        yield from self.left.operands()
        yield from self.right.operands()

    def filled(self, fill: Callable[[Binding], Binding]) -> Condition:
        """The same about other values."""
        return Joined(self.op, self.left.filled(fill), self.right.filled(fill))


class Negation(Condition):
    """`~`, and what an `elif_` or `else_` says about the branches before it."""

    __slots__ = ("inner",)
    binds = _NOT

    def __init__(self, inner: Condition) -> None:
        self.inner = inner
        self.location = inner.location

    def text(self) -> str:
        """`!(inputs.a > 1)`, or the opposite operator where there is one that means just that."""
        opposite = {"==": "!=", "!=": "=="}.get(self.inner.op) if isinstance(self.inner, Comparison) else None
        if opposite is not None:
            assert isinstance(self.inner, Comparison)
            return f"{_spelled(self.inner.left)} {opposite} {_spelled(self.inner.right)}"
        return f"!({self.inner.text()})"

    def tree(self) -> cel.Node:
        """A unary operation."""
        from windlass_api import cel  # noqa: PLC0415  as above

        return cel.Unary("!", self.inner.tree())

    def operands(self) -> Iterator[Binding]:
        """Those of what is negated."""
        return self.inner.operands()

    def filled(self, fill: Callable[[Binding], Binding]) -> Condition:
        """The same about other values."""
        return Negation(self.inner.filled(fill))


def compare(promise: Promise, op: str, other: Any) -> Condition:
    """What `promise == other` and its like mean. Raises ValueError where the two can't be compared."""
    if isinstance(other, Condition):
        raise ValueError(f"{caller()}: a promise is compared with a value or a promise, not with a comparison: {other}")
    if isinstance(other, Promise):
        _check(op, promise, _placeholder("right", other._kind))
        return Comparison(op, promise._binding, other._binding, caller())
    constant = _constant(other, promise)
    if constant is None and op not in ("==", "!="):
        raise ValueError(f"{caller()}: `{op}` does not fit None: {promise!r} can only be equal to it or not")
    if op in ("==", "!="):
        _check_choice(promise, constant)
    _check(op, promise, constant)
    return Comparison(op, promise._binding, constant, caller())


def refuse_promise(op: str, promise: Promise) -> NoReturn:
    """`promise & other`."""
    word = "AND" if op == "&&" else "OR"
    raise ValueError(
        f"{caller()}: Cannot perform Logical {word} of Promise with other: {promise!r} is no comparison;"
        " for a bool write p.is_true()"
    )


def grouped(condition: Condition, binds: int) -> str:
    """Its text, in parentheses where an operator that binds that strongly stands beside it."""
    text = condition.text()
    return f"({text})" if condition.binds < binds else text


def conjunction(conditions: list[Condition]) -> str:
    """The text of `all(conditions)`."""
    if len(conditions) == 1:
        return conditions[0].text()
    return " && ".join(grouped(condition, _AND + 1) for condition in conditions)


def _joined(op: str, left: Any, right: Any) -> Condition:
    if isinstance(left, Condition) and isinstance(right, Condition):
        return Joined(op, left, right)
    other = right if isinstance(left, Condition) else left
    sign = "&" if op == "&&" else "|"
    hint = "; for a bool write p.is_true()" if isinstance(other, Promise) else ""
    raise ValueError(f"{caller()}: `{sign}` joins comparisons, and {other!r} is none{hint}")


# ---- leaves ----


def _constant(value: Any, promise: Promise) -> Binding:
    """A value that stands in a comparison, as JSON."""
    if isinstance(value, enum.Enum):
        value = value.value
    elif isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = value.isoformat()
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        if not -MAX_INT - 1 <= value <= MAX_INT:
            raise ValueError(f"{caller()}: {value} is too large to compare {promise!r} with: ints there have 64 bits")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{caller()}: {promise!r} can't be compared with {value}; compare inside a task")
        return float(value)
    raise ValueError(
        f"{caller()}: {_ONLY_PRIMITIVES}: {promise!r} is compared with a {type(value).__name__}, {value!r}"
    )


_ONLY_PRIMITIVES = (
    "Only primitive values can be used in comparison (bool, int, float, str, date, Enum, Literal, None and unions of"
    " such; what else there is to compare, a task compares and returns a bool)"
)

_KINDS = {"none": "null", "bool": "bool", "int": "int", "float": "double", "str": "string", "date": "string"}


def _cel_kind(kind: Kind, what: Any) -> str | None:
    """The kind of value that the evaluator will meet; None where that depends on the value."""
    name = kind.type.name
    if name in _KINDS:
        return _KINDS[name]
    if name == "any":
        return None
    if name == "enum":
        kinds = {type(choice) for choice in (kind.schema or {}).get("enum", ())}
        return {str: "string", int: "int", bool: "bool"}.get(kinds.pop()) if len(kinds) == 1 else None
    if name in ("optional", "union"):
        for variant in kind.type.args:
            _cel_kind(Kind(variant, kind.schema), what)
        return None
    raise ValueError(f"{caller()}: {_ONLY_PRIMITIVES}: {what!r} has the type {kind.type}")


def _check_choice(promise: Promise, constant: Binding) -> None:
    choices = (promise._kind.schema or {}).get("enum")
    if choices is not None and promise._kind.type.name == "enum" and constant is not None and constant not in choices:
        raise ValueError(f"{caller()}: {constant!r} is no value of {promise!r}: {', '.join(map(repr, choices))}")


class _placeholder:  # noqa: N801  an operand that is known by its kind alone
    def __init__(self, name: str, kind: Kind) -> None:
        self.name = name
        self.kind = kind


def _check(op: str, promise: Promise, other: Any) -> None:
    """Refuses what can't be compared whatever the values."""
    from windlass_api import cel, refs  # noqa: PLC0415  only workflows with conditions need them

    kinds = {"left": _cel_kind(promise._kind, promise)}
    if isinstance(other, _placeholder):
        kinds["right"] = _cel_kind(other.kind, promise)
        right: cel.Node = cel.PathTo(refs.Ref(None, "right"))
    else:
        right = cel.Constant(other)
    compared = cel.Expression("", cel.Binary(op, cel.PathTo(refs.Ref(None, "left")), right))
    try:
        compared.kind(lambda ref: kinds[ref.name])
    except cel.CelError as error:
        shown = other.kind.type if isinstance(other, _placeholder) else json.dumps(other, ensure_ascii=False)
        raise ValueError(f"{caller()}: {promise!r} {op} {shown}: {error}") from None


def _spelled(operand: Binding) -> str:
    if isinstance(operand, Reference):
        return operand.spelled()
    return json.dumps(operand, ensure_ascii=False)


def _leaf(operand: Binding) -> cel.Node:
    from windlass_api import cel  # noqa: PLC0415  as above

    return cel.PathTo(operand.ref()) if isinstance(operand, Reference) else cel.Constant(operand)


def _no_lookup(ref: Any) -> NoReturn:
    raise AssertionError(f"a local run compares values, not {ref}")
