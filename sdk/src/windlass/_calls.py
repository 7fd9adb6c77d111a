"""A call: arguments in, promises or plain values out.

Compiling and running locally differ in one thing only, what it means to run an entity; that is the `Scope`. Matching
arguments, binding them, going into sub-workflows, and wrapping results is written once, here:

    call ── match ──┬─ in a scope: bind ──┬─ stands alone ──── scope.run ────────┬── promises
                    │                     └─ a workflow ────── trace its body ───┘
                    └─ elsewhere: to JSON ── entity.run ── to Python values

A scope also knows which branches of a `conditional` are open, since calls made there are that branch's.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from windlass import _exceptions, _types
from windlass._bindings import bind, holds_promise, kind_of
from windlass._context import current_scope, entered
from windlass._interface import Parameter, is_lookup
from windlass._modules import caller
from windlass._promise import Binding, Promise, Several, Step, Void

if TYPE_CHECKING:
    from windlass._comparison import Condition
    from windlass._compile import Node
    from windlass._conditional import Section
    from windlass._entity import Entity
    from windlass._workflow import Workflow

Fill = Callable[[Binding], Binding]


class Scope(ABC):
    """A workflow in the making, or in a local run."""

    def __init__(self) -> None:
        self.workflows: list[Workflow] = []
        """Those whose bodies are being run, the innermost last."""
        self.sections: list[Section] = []
        """The conditionals of the innermost body."""

    @abstractmethod
    def run(self, entity: Entity, inputs: dict[str, Binding]) -> tuple[dict[str, Binding], Step]:
        """The outputs of the entity for these inputs: references to a new node, or values."""

    @abstractmethod
    def again(self, node: Node, fill: Fill, made: dict[Node, Node]) -> dict[str, Binding]:
        """The same for a node of a graph that is there already. `fill` puts in what its references stand for here,
        `made` knows the nodes made so far for those of that graph.
        """

    @abstractmethod
    def mark(self) -> int:
        """The place after the nodes that have been made."""

    @abstractmethod
    def between(self, *marks: tuple[int, int]) -> Step:
        """The step of the nodes made from one place to another."""

    @property
    @abstractmethod
    def depth(self) -> int:
        """How many branches are open, one in the other."""

    @abstractmethod
    def enter_branch(self, section: Section, earlier: list[Condition], condition: Condition | None) -> None:
        """Opens a branch: where none of the earlier conditions is true, and this one is."""

    @abstractmethod
    def leave_branch(self) -> None:
        """Closes it."""

    @abstractmethod
    def choose(self, section: Section, names: Sequence[str]) -> dict[str, Binding]:
        """The outputs of those names, of the branch that is taken."""

    @abstractmethod
    def fail(self, message: str) -> None:
        """The open branch fails, if it is taken."""


def call(entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """An entity is called, wherever that is."""
    given = match(entity, args, kwargs)
    scope = current_scope()
    if scope is None:
        return _alone(entity, given)
    inputs = bind_arguments(entity, given)
    if not entity.stands_alone:
        _refuse_lookups(entity, inputs)
        return _inline(scope, entity, with_defaults(entity, inputs))  # type: ignore[arg-type]  # only workflows join in
    refuse_mutable_defaults(entity, inputs)
    return wrap(entity, *scope.run(entity, inputs))


def _inline(scope: Scope, workflow: Workflow, inputs: dict[str, Binding]) -> Any:
    """A workflow is called in another one's body: its calls become part of the same graph."""
    mark = scope.mark()
    outputs = trace(scope, workflow, inputs)
    return wrap(workflow, outputs, scope.between((mark, scope.mark())))


def _alone(entity: Entity, given: dict[str, Any]) -> Any:
    """Called outside of any workflow: plain values in, plain values out.

    Where an event loop runs, an `async def` gives something to await, and anything else runs in a thread, so that what
    it awaits inside has a loop of its own.
    """
    if not _loop_runs():
        return to_python(entity, entity.run(_plain_inputs(entity, given), entity.overrides_here))
    if entity.is_async:
        return awaitable(entity, given)
    from windlass import _threads  # noqa: PLC0415  only asynchronous code gets here

    inputs = _plain_inputs(entity, given)
    return _threads.result_of(lambda: to_python(entity, entity.run(inputs, entity.overrides_here)))


def awaitable(entity: Entity, given: dict[str, Any]) -> Any:
    """A call outside of any workflow whose result is to be awaited. What can't be called fails at once."""
    from windlass import _threads  # noqa: PLC0415  as above

    inputs = _plain_inputs(entity, given)
    return _threads.awaitable(lambda: to_python(entity, entity.run(inputs, entity.overrides_here)))


def _plain_inputs(entity: Entity, given: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a call outside of any workflow as JSON, defaults filled in."""
    parameters = entity.interface.inputs
    _require(entity, given)
    for name, value in given.items():
        if holds_promise(value):
            raise AssertionError(
                f"{caller()}: '{name}' of {entity.name} is a promise, but this call is not inside a workflow: {value!r}"
            )
    inputs = {
        name: _to_wire(value, parameters[name].python_type, _types.argument_of(entity.name, name))
        for name, value in given.items()
    }
    return with_defaults(entity, inputs)


def _to_wire(value: Any, python_type: Any, where: str) -> Any:
    """An argument as JSON; an artifact, or a query for one, gives its value."""
    if not is_lookup(value):
        return _types.to_wire(value, python_type, where)
    from windlass._artifacts import resolve  # noqa: PLC0415  as above

    return resolve.as_json(value, python_type, where)


def _refuse_lookups(workflow: Entity, inputs: dict[str, Binding]) -> None:
    for name, parameter in workflow.interface.inputs.items():
        if name not in inputs and is_lookup(parameter.default):
            raise _exceptions.FlyteAssertion(
                f"{caller()}: the default of '{name}' of {workflow.name} is {parameter.default!r}, which is looked up"
                " when an execution begins: give it here, such as from an input of this workflow with the same"
                " default, or call a launch plan of it"
            )


def _loop_runs() -> bool:
    """Whether the caller runs in an event loop."""
    running = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)  # who has not loaded asyncio has no loop
    return running is not None and running() is not None


def _require(entity: Entity, given: dict[str, Any]) -> None:
    missing = [name for name, parameter in entity.interface.inputs.items() if name not in given and parameter.required]
    if missing and entity.what != "task":
        raise _missing_input(entity, missing[0])
    if missing:
        raise TypeError(
            f"{entity.short_name}() missing {len(missing)} required positional argument{'s' * (len(missing) > 1)}:"
            f" {' and '.join(map(repr, missing))}"
        )


def to_python(entity: Entity, outputs: dict[str, Binding]) -> Any:
    """JSON outputs as the caller of the entity gets them: None, the value, or the named tuple."""
    types = entity.interface.outputs
    return entity.interface.pack(
        {
            name: _types.from_wire(value, types[name], f"the output {name} of {entity.name}:")
            for name, value in outputs.items()
        }
    )


def match(
    entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any], names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Positional and keyword arguments by input name: of all inputs, or of those of these names. Missing ones are left
    to the caller.
    """
    names = list(entity.interface.inputs) if names is None else names
    if args and entity.keyword_only:
        raise AssertionError(
            f"{caller()}: Only Keyword Arguments are supported for {entity.what} executions: {entity.name} takes"
            f" {_inputs(names)}, by name"
        )
    if len(args) > len(names):
        raise AssertionError(
            f"{caller()}: Received more arguments than expected in function '{entity.name}': {len(args)} for the"
            f" {_inputs(names)}"
        )
    given = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name in given:
            raise AssertionError(f"{caller()}: Got multiple values for argument '{name}' in function '{entity.name}'")
        if name not in names:
            raise AssertionError(
                f"{caller()}: Received unexpected keyword argument '{name}' in function '{entity.name}': it has the"
                f" {_inputs(names)}"
            )
        given[name] = value
    return {name: given[name] for name in names if name in given}


def bind_arguments(entity: Entity, given: dict[str, Any]) -> dict[str, Binding]:
    """The bindings of matched arguments; every required input must be there."""
    here, parameters = caller(), entity.interface.inputs
    for name, parameter in parameters.items():
        if name not in given and parameter.required:
            raise _missing_input(entity, name)
    place = f"{here}: Failed to Bind variable '%s' for function '{entity.name}'"
    return {name: bind(value, parameters[name].python_type, place % name) for name, value in given.items()}


def with_defaults(entity: Entity, inputs: dict[str, Binding]) -> dict[str, Binding]:
    """The bindings, completed by the defaults of the function, in the order of its parameters. Those that are looked
    up come last, for they may ask by the other inputs.
    """
    parameters = entity.interface.inputs
    if len(inputs) == len(parameters):
        return inputs
    completed = {
        name: inputs[name] if name in inputs else default_of(entity, parameter)
        for name, parameter in parameters.items()
        if name in inputs or not is_lookup(parameter.default)
    }
    if len(completed) == len(parameters):
        return completed
    from windlass._artifacts import resolve  # noqa: PLC0415  few defaults are queries

    return resolve.filled(entity, completed)


def _missing_input(entity: Entity, name: str) -> _exceptions.FlyteAssertion:
    type_name = _types.name_of(entity.interface.inputs[name].python_type)
    return _exceptions.FlyteAssertion(
        f"{caller()}: Input {name} of type {type_name} was not specified for function {entity.name}"
    )


def default_of(entity: Entity, parameter: Parameter) -> Any:
    """The default of a parameter as JSON."""
    return _types.to_wire(
        parameter.default, parameter.python_type, f"the default of '{parameter.name}' of {entity.name}:"
    )


def trace(scope: Scope, workflow: Workflow, inputs: dict[str, Binding]) -> dict[str, Binding]:
    """Runs a workflow's body on promises; the bindings of its outputs."""
    with body_in(scope), _no_recursion(scope.workflows, workflow):
        parameters = workflow.interface.inputs
        promises = {
            name: Promise(binding, kind_of(parameters[name].python_type), None) for name, binding in inputs.items()
        }
        return workflow.expand(scope, promises)


@contextmanager
def body_in(scope: Scope) -> Iterator[None]:
    """Runs a body in the scope. Its conditionals end with it at the latest."""
    outer, scope.sections = scope.sections, []
    try:
        with entered(scope):
            yield
        for section in scope.sections:
            section.finish()
    finally:
        scope.sections = outer


def bind_outputs(workflow: Entity, here: str, result: Any) -> dict[str, Binding]:
    """The bindings of what a body has returned; `here` is the place of its definition."""
    outputs = {}
    if not workflow.interface.outputs and not (result is None or isinstance(result, Void)):
        raise _exceptions.FlyteValueException(
            result,
            f"{here}: {workflow.name} returns it, but its signature has no outputs: annotate the function with"
            " what it returns",
        )
    for name, value in workflow.interface.unpack(result, f"{here}: {workflow.name}").items():
        failed = f"{here}: Failed to bind output {name} for function {workflow.name}"
        try:
            outputs[name] = bind(value, workflow.interface.outputs[name], failed)
        except (AssertionError, TypeError, ValueError) as error:
            message = str(error) if str(error).startswith(failed) else f"{failed}: {error}"
            raise _exceptions.FlyteValidationException(message) from error
    return outputs


def wrap(entity: Entity, outputs: dict[str, Binding], step: Step | None) -> Any:
    """What a call inside a workflow gives: the promise, several as a tuple, or the void promise."""
    interface = entity.interface
    promises = {name: Promise(binding, kind_of(interface.outputs[name]), step) for name, binding in outputs.items()}
    if not promises:
        return Void(entity.name, step)
    if interface.result is not None:
        return Several.of(promises, step)
    return next(iter(promises.values()))


def refuse_mutable_defaults(entity: Entity, inputs: Mapping[str, Binding]) -> None:
    """A list, dict or set as a default would be shared by all calls that leave it out; tasks are refused for it."""
    for name, parameter in entity.interface.inputs.items():
        if name not in inputs and isinstance(parameter.default, list | dict | set):
            raise _exceptions.FlyteAssertion(
                f"{caller()}: '{name}' of {entity.name} has a mutable default argument, {parameter.default!r}, which is"
                " not supported: use None (with an Optional type) and make it inside, or pass it here"
            )


@contextmanager
def _no_recursion(active: list[Workflow], workflow: Workflow) -> Iterator[None]:
    if workflow in active:
        chain = " → ".join(entity.name for entity in (*active[active.index(workflow) :], workflow))
        raise _exceptions.FlyteAssertion(f"{caller()}: a workflow can't contain itself: {chain}")
    active.append(workflow)
    try:
        yield
    finally:
        active.pop()


def _inputs(names: Sequence[str]) -> str:
    return f"{len(names)} input{'' if len(names) == 1 else 's'}" + (f" {', '.join(names)}" if names else "")
