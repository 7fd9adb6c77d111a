"""`conditional`: branches in a workflow, chosen when it runs, by values that tasks have made.

    @workflow
    def report(total: int) -> str:
        return (
            conditional("size")
            .if_(total > 100).then(long_report(total=total))
            .elif_(total > 0).then(short_report(total=total))
            .else_().fail("nothing to report")
        )

The calls inside `then(...)` belong to the branch: only those of the chosen one run. The result has the outputs that all
branches have which do not fail.

How it becomes a graph. A branch is open from its `if_`, `elif_` or `else_` to its `then` or `fail`, which is when
Python makes the calls in it; the scope puts the branch's condition, and the opposite of the earlier ones, on each node
made meanwhile. At the end stands one more node which takes the outputs of the branch that ran:

    if_(c).then(f()).else_().then(g())    n0 = f   when: c
                                          n1 = g   when: !c
                                          n2       select: [{when: c, outputs: n0's}, {outputs: n1's}]

A local run goes through the same steps. It evaluates the conditions; in a branch that is not taken nothing runs, and
calls give references there, as when compiling, so that whatever stands in a branch can be written in all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from windlass import _exceptions
from windlass._bindings import bind, kind_of
from windlass._comparison import Condition
from windlass._context import current_scope
from windlass._entity import Entity
from windlass._interface import Interface
from windlass._modules import caller
from windlass._promise import Kind, Promise, Several, Void
from windlass_api.types import assignable

if TYPE_CHECKING:
    from windlass._calls import Scope
    from windlass._promise import Binding, Step

MAX_BRANCHES = 64  # what the contract's select takes


def conditional(name: str) -> ConditionalSection:
    """Starts a conditional: `conditional("name").if_(p == 1).then(f()).else_().then(g())`.

    Args:
        name: what people see of it; it need not be unique.

    Conditions compare promises with values or with each other (`== != < <= > >=`, `p.is_true()`, `p.is_none()`, …),
    and are joined by `&` and `|`. What `then` takes is what the branch results in: what a call gives, or any other
    promise, or a plain bool, int, float or str. Without an `else_` there is no result, and if no condition is true,
    nothing happens.
    """
    scope = current_scope()
    if scope is None:
        raise AssertionError(
            f"{caller()}: Branches can only be invoked within a workflow context! conditional({name!r}) stands outside"
            " of a workflow's body; in a task or in plain Python, write `if`"
        )
    if not isinstance(name, str):
        raise TypeError(f"{caller()}: conditional() takes a name, not {name!r}")
    return ConditionalSection(Section(name, scope))


class Branch:
    """One way that it may go."""

    __slots__ = ("condition", "failure", "named", "outputs")

    def __init__(self, condition: Condition | None) -> None:
        self.condition = condition
        self.outputs: dict[str, Promise] = {}
        self.named = False  # whether several outputs were given, rather than a single value
        self.failure: str | None = None

    def bindings(self, names: Iterable[str]) -> dict[str, Binding]:
        """What its outputs of those names are."""
        return {name: self.outputs[name]._binding for name in names}


class Select(Entity):
    """What the node at the end of a conditional calls, which is nothing: the node says it all."""

    what = "conditional"
    takes_overrides = False

    def __init__(self, name: str, outputs: Iterable[str]) -> None:
        self.name = self.short_name = name
        self.home = ""
        self.overrides = {}
        self._interface = Interface({}, dict.fromkeys(outputs, Any), None)

    @property
    def interface(self) -> Interface:
        """The outputs that the branches have in common."""
        return self._interface

    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """A local run chooses by itself."""
        raise NotImplementedError(f"{self!r} chooses among branches, and runs nothing")

    def target(self) -> dict[str, Any]:
        """The cases stand on the node."""
        return {}

    def definitions(self) -> Iterable[Entity]:
        """It is no object."""
        return ()


class Section:
    """A conditional and its branches so far."""

    def __init__(self, name: str, scope: Scope) -> None:
        self.name = name
        self.location = caller()
        self.branches: list[Branch] = []
        self._scope = scope
        self._depth = scope.depth
        self._start = self._end = scope.mark()
        self._open = False
        self._step: Step | None = None
        scope.sections.append(self)

    def __repr__(self) -> str:
        return f"conditional({self.name!r}) ({self.location})"

    def entity(self, outputs: Iterable[str]) -> Entity:
        """What its node calls."""
        return Select(self.name, outputs)

    @property
    def complete(self) -> bool:
        """Whether an else_ has been reached."""
        return bool(self.branches) and self.branches[-1].condition is None

    @property
    def failing(self) -> bool:
        """Whether one of its branches fails."""
        return any(branch.failure is not None for branch in self.branches)

    def begin(self, condition: Condition | None) -> None:
        """Opens a branch: the calls that follow are in it."""
        if self._open or self.complete or self._step is not None or self._scope.depth != self._depth:
            raise AssertionError(
                f"{caller()}: {self} is written in one go: each if_ and elif_ is followed by then or fail, and an else_"
                " by nothing more"
            )
        if len(self.branches) == MAX_BRANCHES:
            raise _exceptions.FlyteAssertion(f"{caller()}: {self} has more than {MAX_BRANCHES} branches")
        earlier = [branch.condition for branch in self.branches if branch.condition is not None]
        self._scope.enter_branch(self, earlier, condition)
        self.branches.append(Branch(condition))
        self._open = True

    def end(self) -> None:
        """Closes the branch."""
        if not self._open:
            raise AssertionError(f"{caller()}: {self}: this branch has its then or fail already")
        self._scope.leave_branch()
        self._end = self._scope.mark()
        self._open = False

    def fail(self, message: str) -> None:
        """The open branch fails, which a local run does at once."""
        self.branches[-1].failure = message
        self._scope.fail(message)
        self.end()

    def step(self) -> Step:
        """The nodes of all branches."""
        self.finish()
        assert self._step is not None
        return self._step

    def finish(self) -> None:
        """No branch will follow."""
        if self._step is None:
            if self._open or not self.branches:
                raise AssertionError(
                    f"{self.location}: conditional({self.name!r}): its last branch has no then or fail"
                )
            before = self._scope.mark()
            if self.failing:
                self._scope.choose(self, [])
            self._step = self._scope.between((self._start, self._end), (before, self._scope.mark()))

    def result(self) -> Any:
        """What the whole conditional gives, once its else_ is there."""
        common = self._common()
        kinds = {name: self._kind(name) for name in common}
        outputs = self._scope.choose(self, common) if common or self.failing else {}
        self._step = self._scope.between((self._start, self._scope.mark()))
        promises = {name: Promise(outputs[name], kinds[name], self._step) for name in common}
        if not promises:
            return Void(repr(self), self._step)
        if len(promises) > 1 or all(branch.named and len(branch.outputs) == 1 for branch in self._live()):
            return Several.of(promises, self._step)
        return next(iter(promises.values()))

    def _live(self) -> list[Branch]:
        return [branch for branch in self.branches if branch.failure is None]

    def _common(self) -> list[str]:
        """The outputs that every branch has which does not fail, in the order of the first."""
        live = self._live()
        return [name for name in live[0].outputs if all(name in branch.outputs for branch in live)] if live else []

    def _kind(self, name: str) -> Kind:
        """The type that takes the output of every branch."""
        kinds = [branch.outputs[name]._kind for branch in self._live()]
        for kind in kinds:
            if all(assignable(other.type, kind.type) for other in kinds):
                return kind
        found = ", ".join(dict.fromkeys(str(kind.type) for kind in kinds))
        raise _exceptions.FlyteAssertion(
            f"{self.location}: the branches of conditional({self.name!r}) give different types for {name}: {found}"
        )


class ConditionalSection:
    """What `conditional(...)` gives: it starts with `if_`."""

    def __init__(self, section: Section) -> None:
        self._section = section

    def __repr__(self) -> str:
        return repr(self._section)

    def if_(self, condition: Any) -> Case:
        """The first branch, for where the condition is true."""
        checked = _condition(condition, self._section)
        self._section.begin(checked)
        return Case(self._section)


class Case:
    """A branch that waits for its `then` or `fail`."""

    def __init__(self, section: Section) -> None:
        self._section = section

    def __repr__(self) -> str:
        return repr(self._section)

    def then(self, value: Any) -> Any:
        """What the branch results in: what a call gives, a promise, or a plain bool, int, float or str."""
        branch = self._section.branches[-1]
        branch.outputs, branch.named = _outputs(value, self._section)
        self._section.end()
        return self._next()

    def fail(self, message: str) -> Any:
        """The branch ends the run as failed, with this message; in a local run by a ValueError."""
        if not isinstance(message, str) or not message:
            raise ValueError(f"{caller()}: fail() takes the message to fail with, not {message!r}")
        self._section.fail(message)
        return self._next()

    def _next(self) -> Any:
        return self._section.result() if self._section.complete else Chain(self._section)


class Chain(Void):
    """What `then` and `fail` give: it goes on with `elif_` or `else_`. Without an `else_` there is no value."""

    __slots__ = ("_section",)

    def __init__(self, section: Section) -> None:
        self._section = section

    def __repr__(self) -> str:
        return repr(self._section)

    @property
    def _step(self) -> Step:  # type: ignore[override]  # made when it is asked for
        return self._section.step()

    def elif_(self, condition: Any) -> Case:
        """Another branch, for where no condition so far is true and this one is."""
        checked = _condition(condition, self._section)
        self._section.begin(checked)
        return Case(self._section)

    def else_(self) -> Case:
        """The last branch, for where no condition is true."""
        self._section.begin(None)
        return Case(self._section)

    def refusal(self) -> AssertionError:
        """Why it can't be used as a value."""
        return AssertionError(
            f"{caller()}: At least an if/else is required. Dangling If is not allowed where the result is used:"
            f" {self!r} should always end with an `else_()` clause, .else_().then(...) or .else_().fail(...)"
        )


def _condition(condition: Any, section: Section) -> Condition:
    where = f"{caller()}: {section.name}"
    if isinstance(condition, Condition):
        return condition
    if isinstance(condition, bool):
        raise AssertionError(
            f"{where}: Logical (and/or/is/not) operations are not supported. Expressions Comparison (<,<=,>,>=,==,!=)"
            f" or Logical (&/|) are supported. Received an evaluated expression with value {condition}: Python has"
            " evaluated it while the workflow was put together"
        )
    if isinstance(condition, Promise):
        raise AssertionError(
            f"{where}: unary expressions of the form `if_(x)`, where x is a promise, are not supported: write"
            f" if_(x.is_true()). Received {condition!r}"
        )
    raise AssertionError(
        f"{where}: a condition is made of Comparison (<,<=,>,>=,==,!=) or Logical (&/|) expressions of promises."
        f" Received {condition!r}"
    )


def _outputs(value: Any, section: Section) -> tuple[dict[str, Promise], bool]:
    """What a branch results in, by name, and whether the names were given."""
    if isinstance(value, Promise):
        return {"o0": value}, False
    if isinstance(value, Several):
        return dict(zip(value._names, value, strict=True)), True
    if isinstance(value, Void):
        if isinstance(value, Chain):
            raise value.refusal()
        return {}, False
    if isinstance(value, tuple) and value:
        return {f"o{position}": _promised(item, section) for position, item in enumerate(value)}, True
    return {"o0": _promised(value, section)}, False


def _promised(value: Any, section: Section) -> Promise:
    if isinstance(value, Promise):
        return value
    if isinstance(value, bool | int | float | str):
        binding: Binding = bind(value, type(value), f"{caller()}: {section.name}")
        return Promise(binding, kind_of(type(value)), None)
    raise AssertionError(
        f"{caller()}: {section.name}: then() takes what a call gives, a promise, or a plain bool, int, float or str,"
        f" not {value!r}"
    )
