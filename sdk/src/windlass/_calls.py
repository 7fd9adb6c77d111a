"""A call: arguments in, promises or plain values out.

Compiling and running locally differ in one thing only, what it means to run an entity; that is the `Scope`. Matching
arguments, binding them, going into sub-workflows, and wrapping results is written once, here:

    call ── match ──┬─ in a scope: bind ──┬─ stands alone ──── scope.run ────────┬── promises
                    │                     └─ a workflow ────── trace its body ───┘
                    └─ elsewhere: to JSON ── entity.run ── to Python values
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from windlass import _exceptions, _types
from windlass._bindings import bind, holds_promise, kind_of
from windlass._context import current_scope, entered
from windlass._interface import Parameter
from windlass._modules import caller
from windlass._promise import Binding, Promise, Several, Step, Void

if TYPE_CHECKING:
    from windlass._entity import Entity
    from windlass._workflow import Workflow


class Scope(ABC):
    """A workflow in the making, or in a local run. `workflows` are those whose bodies are being run, the innermost
    last.
    """

    def __init__(self) -> None:
        self.workflows: list[Workflow] = []

    @abstractmethod
    def run(self, entity: Entity, inputs: dict[str, Binding]) -> tuple[dict[str, Binding], Step]:
        """The outputs of the entity for these inputs: references to a new node, or values."""

    @abstractmethod
    def group(self) -> AbstractContextManager[Step]:
        """A step which will comprise every node made inside the `with`."""


def call(entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """An entity is called, wherever that is."""
    given = match(entity, args, kwargs)
    scope = current_scope()
    if scope is None:
        return _alone(entity, given)
    inputs = bind_arguments(entity, given)
    if not entity.stands_alone:
        return _inline(scope, entity, with_defaults(entity, inputs))  # type: ignore[arg-type]  # only workflows join in
    _refuse_mutable_defaults(entity, inputs)
    return wrap(entity, *scope.run(entity, inputs))


def _inline(scope: Scope, workflow: Workflow, inputs: dict[str, Binding]) -> Any:
    """A workflow is called in another one's body: its calls become part of the same graph."""
    with scope.group() as step:
        outputs = trace(scope, workflow, inputs)
    return wrap(workflow, outputs, step)


def _alone(entity: Entity, given: dict[str, Any]) -> Any:
    """Called outside of any workflow: plain values in, plain values out."""
    parameters = entity.interface.inputs
    _require(entity, given)
    for name, value in given.items():
        if holds_promise(value):
            raise AssertionError(
                f"'{name}' of {entity.name} is a promise, but this call is not inside a workflow: {value!r}"
            )
    inputs = {
        name: _types.to_wire(value, parameters[name].python_type, _types.argument_of(entity.name, name))
        for name, value in given.items()
    }
    return to_python(entity, entity.run(with_defaults(entity, inputs), entity.overrides))


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


def match(entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Positional and keyword arguments by input name. Missing ones are left to the caller."""
    names = list(entity.interface.inputs)
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
        if name not in entity.interface.inputs:
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
    """The bindings, completed by the defaults of the function, in the order of its parameters."""
    completed = {}
    for name, parameter in entity.interface.inputs.items():
        if name in inputs:
            completed[name] = inputs[name]
        else:
            completed[name] = default_of(entity, parameter)
    return completed


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
    with entered(scope), _no_recursion(scope.workflows, workflow):
        parameters = workflow.interface.inputs
        promises = {
            name: Promise(binding, kind_of(parameters[name].python_type), None) for name, binding in inputs.items()
        }
        result = workflow.body(promises)
    return _bind_outputs(workflow, result)


def _bind_outputs(workflow: Workflow, result: Any) -> dict[str, Binding]:
    outputs = {}
    here = workflow.line
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


def _refuse_mutable_defaults(entity: Entity, inputs: dict[str, Binding]) -> None:
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


def _inputs(names: list[str]) -> str:
    return f"{len(names)} input{'' if len(names) == 1 else 's'}" + (f" {', '.join(names)}" if names else "")
