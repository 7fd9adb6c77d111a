"""Promises: what a call returns inside a workflow.

A promise stands for a value which some task will produce. While a workflow is compiled its *binding* is a
reference; while it runs locally its binding is the value itself, as JSON. Everything else is the same in both, so
that a body which compiles is a body that runs.

    a promise may                              and may not
      be passed on, alone or inside literals     be tested (`if p:`, `and`, `or`, `not`), iterated, counted
      be taken apart: p.name  p["key"]  p[0]     be sliced, indexed by another promise
      be compared, for `conditional`: p == 1     be joined: `p & q` (but `(p == 1) & (q == 2)`)
                                                 be computed with: p + 1, f"{p}" (which warns)
      be ordered:     p >> q  p.runs_before(q)
      be overridden:  p.with_overrides(retries=2)

A binding is plain JSON in which a `Reference` may stand anywhere. What a call gives back also knows its *step*: the
node or nodes that the call made, which is what `>>` and `with_overrides` act on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from windlass import _exceptions
from windlass._modules import caller
from windlass_api import refs, types

if TYPE_CHECKING:
    from windlass._comparison import Condition

Binding = Any
Path = tuple[str | int, ...]


class Producer(Protocol):
    """Whoever makes a value: a node. Its id is settled only when the workflow is complete."""

    id: str


class Step(Protocol):
    """The nodes behind a call."""

    def before(self, later: Step) -> None:
        """Orders all of this before all of `later`."""

    def override(self, options: dict[str, Any]) -> None:
        """Applies the options of `with_overrides`."""


class Reference:
    """A leaf of a binding: a workflow's input (`producer` is None), or an output of a node, or a part of either."""

    __slots__ = ("name", "path", "producer")

    def __init__(self, producer: Producer | None, name: str, path: Path = ()) -> None:
        self.producer = producer
        self.name = name
        self.path = path

    def ref(self) -> refs.Ref:
        """The contract's form of it."""
        return refs.Ref(None if self.producer is None else self.producer.id, self.name, self.path)

    def spelled(self) -> str:
        """What a manifest says."""
        return str(self.ref())

    def __repr__(self) -> str:
        return self.spelled()


class Kind:
    """What is known of a promise's value: a type expression of the contract and, where that says struct, its schema."""

    __slots__ = ("schema", "type")

    def __init__(self, type: types.Type, schema: types.Schema | None) -> None:  # noqa: A002  it is what it is
        self.type = type
        self.schema = schema

    def part(self, key: str | int) -> Kind:
        """Of an attribute, a key or an index. Raises PathError where the type has no such part."""
        return Kind(*types.descend(self.type, self.schema, (key,)))


class _Ordered:
    """What `>>` works on: everything that a call gives back."""

    __slots__ = ()
    _step: Step | None

    def __rshift__(self, other: Any) -> Any:
        _order(self, other)
        return other

    def runs_before(self, other: Any) -> None:
        """The same edge as `>>`."""
        _order(self, other)

    def with_overrides(self, **options: Any) -> Any:
        """Changes how this one call runs: its id or display name, retries, image, resources, environment."""
        if self._step is None:
            raise _exceptions.FlyteAssertion(
                f"{caller()}: {self!r} is an input of the workflow; only a task's call has overrides"
            )
        if any(isinstance(value, Promise) for value in options.values()):
            raise AssertionError(
                f"{caller()}: Cannot use a promise in the overrides of a call: they are settled before it runs"
            )
        self._step.override(options)
        return self


class Promise(_Ordered):
    """A value to be. See the module's page for what can be done with it."""

    __slots__ = ("_binding", "_kind", "_step")

    def __init__(self, binding: Binding, kind: Kind, step: Step | None) -> None:
        self._binding = binding
        self._kind = kind
        self._step = step

    def __repr__(self) -> str:
        return f"Promise({self._binding!r}: {self._kind.type})"

    # ---- parts ----

    def __getattr__(self, name: str) -> Promise:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._part(name)

    def __getitem__(self, key: Any) -> Promise:
        if isinstance(key, slice):
            raise AttributeError(f"{caller()}: a promise can't be sliced; take one index, or slice inside a task")
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise TypeError(f"{caller()}: a promise is indexed by a text or a whole number, not by {key!r}")
        return self._part(key)

    def _part(self, key: str | int) -> Promise:
        try:
            return Promise(part_of(self._binding, key), self._kind.part(key), self._step)
        except (types.PathError, refs.RefValueError) as error:
            raise _exceptions.FlytePromiseAttributeResolveException(f"{caller()}: {self!r}: {error}") from None

    # ---- what needs the value, which is not there yet ----

    def __bool__(self) -> bool:
        raise ValueError(
            f"{caller()}: truth value testing (if, while, and, or, not, unary expressions) needs the value of"
            f" {self!r}, which is not there while the workflow is put together; test it inside a task, or branch with"
            " conditional(...).if_(p.is_true())"
        )

    def __iter__(self) -> Iterator[Any]:
        raise ValueError(
            f"{caller()}: {self!r} is not iterable: its items are not there while the workflow is put together"
        )

    def __len__(self) -> int:
        raise ValueError(
            f"{caller()}: {self!r} has no length while the workflow is put together; take it inside a task"
        )

    __index__ = __iter__  # range(p), and [..][p]: refused in the same words

    def __add__(self, other: object) -> NoReturn:
        raise TypeError(
            f"{caller()}: {self!r} can't be computed with: its value is not there while the workflow is put together;"
            " do it inside a task"
        )

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __add__

    def __neg__(self) -> NoReturn:
        self.__add__(None)

    __pos__ = __abs__ = __int__ = __float__ = __neg__

    def __format__(self, spec: str) -> str:
        import warnings  # noqa: PLC0415  only a mistake gets here, or a print in a workflow's body

        warnings.warn(
            f"{self!r} in a text is no more than this: its value is not there while the workflow is put together; make"
            " the text inside a task",
            stacklevel=2,
        )
        return format(repr(self), spec)

    # ---- comparisons, which `conditional` takes ----

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # it is not known yet whether they are
        return self._compared("==", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # as above
        return self._compared("!=", other)

    def __lt__(self, other: object) -> Condition:
        return self._compared("<", other)

    def __le__(self, other: object) -> Condition:
        return self._compared("<=", other)

    def __gt__(self, other: object) -> Condition:
        return self._compared(">", other)

    def __ge__(self, other: object) -> Condition:
        return self._compared(">=", other)

    def is_(self, value: Any) -> Condition:
        """The comparison with a bool or None: the same as `==`, for linters that dislike `== True`."""
        return self._compared("==", value)

    def is_true(self) -> Condition:
        """Whether it is True."""
        return self._compared("==", True)

    def is_false(self) -> Condition:
        """Whether it is False."""
        return self._compared("==", False)

    def is_none(self) -> Condition:
        """Whether it is None."""
        return self._compared("==", None)

    __hash__ = object.__hash__

    def _compared(self, op: str, other: Any) -> Condition:
        from windlass._comparison import compare  # noqa: PLC0415  only workflows with conditions need it

        return compare(self, op, other)

    def __and__(self, other: Any) -> NoReturn:
        self._refuse_logic("&&")

    def __or__(self, other: Any) -> NoReturn:
        self._refuse_logic("||")

    __rand__ = __and__
    __ror__ = __or__

    def _refuse_logic(self, op: str) -> NoReturn:
        from windlass._comparison import refuse_promise  # noqa: PLC0415  as above

        refuse_promise(op, self)


class Undecided:
    """What is decided when the workflow runs, and is no value: the base of comparisons."""

    __slots__ = ()

    def refusal(self) -> AssertionError:
        """Why it can't be used as a value."""
        return AssertionError(
            f"{caller()}: the comparison {self!r} is no value: conditional(...) branches on it; for a bool as a value,"
            " compare in a task"
        )


class Void(_Ordered):
    """What a call of a task without outputs gives: only `>>`, `runs_before` and `with_overrides` work on it."""

    __slots__ = ("_entity", "_step")

    def __init__(self, entity: str, step: Step | None) -> None:
        self._entity = entity
        self._step = step

    def __repr__(self) -> str:
        return f"Void({self._entity})"

    def refusal(self) -> AssertionError:
        """Why it can't be used as a value."""
        return AssertionError(
            f"{caller()}: {self._entity} returns nothing, so there is no value to use; order it with `>>`"
        )

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self.refusal()

    def __getitem__(self, key: Any) -> NoReturn:
        raise self.refusal()

    def __iter__(self) -> Iterator[Any]:
        raise self.refusal()

    def __bool__(self) -> bool:
        raise self.refusal()

    def __eq__(self, other: object) -> bool:
        raise self.refusal()

    __hash__ = object.__hash__


class Several(tuple[Any, ...]):
    """What a call with several outputs gives: the promises as a tuple, and by name."""

    _names: tuple[str, ...]
    _step: Step | None

    @classmethod
    def of(cls, promises: Mapping[str, Promise], step: Step | None) -> Several:
        """The promises by output name."""
        found = cls(promises.values())
        found.__dict__.update(promises, _names=tuple(promises), _step=step)  # wins over tuple's `count` and `index`
        return found

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no output {name!r}; there are {', '.join(self.__dict__.get('_names', ()))}")

    __rshift__ = _Ordered.__rshift__
    runs_before = _Ordered.runs_before
    with_overrides = _Ordered.with_overrides


def part_of(binding: Binding, key: str | int) -> Binding:
    """The binding of a part. Raises RefValueError where a value that is there has no such part."""
    if isinstance(binding, Reference):
        return Reference(binding.producer, binding.name, (*binding.path, key))
    return refs.walk(binding, (key,))


def references(binding: Binding) -> Iterator[Reference]:
    """All references in a binding."""
    if isinstance(binding, Reference):
        yield binding
    elif isinstance(binding, Mapping):
        for item in binding.values():
            yield from references(item)
    elif isinstance(binding, list):
        for item in binding:
            yield from references(item)


def _order(first: Any, then: Any) -> None:
    for side in (first, then):
        if not isinstance(side, _Ordered | Several):
            raise TypeError(f"{caller()}: `>>` orders calls of tasks and workflows, but {side!r} is none")
        if side._step is None:
            raise _exceptions.FlyteAssertion(f"{caller()}: {side!r} is an input of the workflow; `>>` orders calls")
    first._step.before(then._step)
