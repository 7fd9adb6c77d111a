"""A call of a task or workflow inside a workflow: arguments in, promises out.

Compiling and running locally differ in one thing only, what it means to run a task; that is the `Scope`. Matching
arguments, binding them, going into sub-workflows, and wrapping results is written once, here:

    call ── match ── bind ──┬─ task ──────── scope.run_task ──┬── promises
                            └─ workflow ──── trace its body ──┘
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from windlass import _exceptions, _types
from windlass._bindings import bind, kind_of
from windlass._context import entered
from windlass._interface import Interface, Parameter, line_of
from windlass._modules import caller
from windlass._promise import Binding, Promise, Several, Step, Void

if TYPE_CHECKING:
    from windlass._task import PythonTask


class Entity(Protocol):
    """What can be called: a task or a workflow."""

    @property
    def name(self) -> str: ...
    @property
    def short_name(self) -> str: ...
    @property
    def interface(self) -> Interface: ...
    @property
    def function(self) -> Callable[..., Any]: ...


class Scope(ABC):
    """A workflow in the making, or in a local run. `workflows` are those whose bodies are being run, the"
    " innermost last."""

    def __init__(self) -> None:
        self.workflows: list[Entity] = []

    @abstractmethod
    def run_task(self, task: PythonTask[..., Any], inputs: dict[str, Binding]) -> tuple[dict[str, Binding], Step]:
        """The outputs of the task for these inputs: references to a new node, or values."""

    @abstractmethod
    def group(self) -> AbstractContextManager[Step]:
        """A step which will comprise every node made inside the `with`."""


def call_task(scope: Scope, task: PythonTask[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A task is called in a workflow's body."""
    inputs = bind_arguments(task, match(task, args, kwargs))
    _refuse_mutable_defaults(task, inputs)
    outputs, step = scope.run_task(task, inputs)
    return _wrap(task, outputs, step)


def call_workflow(scope: Scope, workflow: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A workflow is called in another one's body: its calls become part of the same graph."""
    inputs = with_defaults(workflow, bind_arguments(workflow, match(workflow, args, kwargs)))
    with scope.group() as step:
        outputs = trace(scope, workflow, inputs)
    return _wrap(workflow, outputs, step)


def match(entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Positional and keyword arguments by input name. Missing ones are left to the caller."""
    names = list(entity.interface.inputs)
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
            type_name = _types.name_of(parameter.python_type)
            raise _exceptions.FlyteAssertion(
                f"{here}: Input {name} of type {type_name} was not specified for function {entity.name}"
            )
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


def default_of(entity: Entity, parameter: Parameter) -> Any:
    """The default of a parameter as JSON."""
    return _types.to_wire(
        parameter.default, parameter.python_type, f"the default of '{parameter.name}' of {entity.name}:"
    )


def trace(scope: Scope, workflow: Entity, inputs: dict[str, Binding]) -> dict[str, Binding]:
    """Runs a workflow's body on promises; the bindings of its outputs."""
    with entered(scope), _no_recursion(scope.workflows, workflow):
        parameters = workflow.interface.inputs
        promises = {
            name: Promise(binding, kind_of(parameters[name].python_type), None) for name, binding in inputs.items()
        }
        positional = [promises.pop(name) for name in list(promises) if parameters[name].positional_only]
        result = workflow.function(*positional, **promises)
    return _bind_outputs(workflow, result)


def _bind_outputs(workflow: Entity, result: Any) -> dict[str, Binding]:
    outputs = {}
    here = line_of(workflow.function)
    for name, value in workflow.interface.unpack(result, f"{here}: {workflow.name}").items():
        failed = f"{here}: Failed to bind output {name} for function {workflow.name}"
        try:
            outputs[name] = bind(value, workflow.interface.outputs[name], failed)
        except (AssertionError, TypeError, ValueError) as error:
            message = str(error) if str(error).startswith(failed) else f"{failed}: {error}"
            raise _exceptions.FlyteValidationException(message) from error
    return outputs


def _wrap(entity: Entity, outputs: dict[str, Binding], step: Step) -> Any:
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
def _no_recursion(active: list[Entity], workflow: Entity) -> Iterator[None]:
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
