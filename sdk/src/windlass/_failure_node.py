"""What runs when a workflow has failed: the `on_failure` of `@workflow`, a task or a workflow.

    @task
    def clean_up(name: str, err: FlyteError | None = None) -> None: ...

    @workflow(on_failure=clean_up)
    def use_cluster(name: str) -> None: ...

It takes all inputs of the workflow, of the same types. What it has besides them must be optional; of these, one whose
type is a FlyteError gets the error. The run fails all the same once the handler has ended.
"""

from __future__ import annotations

import sys
import typing
from typing import TYPE_CHECKING, Any

from windlass import _exceptions, _types
from windlass._bindings import kind_of
from windlass._calls import default_of
from windlass._compile import Node
from windlass._interface import accepts_none, bare, is_union
from windlass._promise import Binding, Reference
from windlass_api import refs

if TYPE_CHECKING:
    from windlass._entity import Entity
    from windlass._interface import Parameter
    from windlass._workflow import Workflow

FUNCTION_NODE = "fn0"
"""The id of the node in workflows made from functions."""

STEPWISE_NODE = "efn"
"""The id of the node in workflows made step by step."""


class ErrorReference(Reference):
    """A leaf of a binding: what the workflow failed of."""

    def __init__(self) -> None:
        super().__init__(None, "error")

    def ref(self) -> refs.Ref:
        """It is none of the references that nodes can have."""
        raise AssertionError("the error of a workflow is there for its failure node only")

    def spelled(self) -> str:
        """What a manifest says."""
        return "error"


def failure_node(workflow: Workflow, handler: Entity, node_id: str) -> Node:
    """The node of the handler, whose signature is checked."""
    check_handler(workflow, handler)
    inputs: dict[str, Binding] = {name: Reference(None, name) for name in workflow.interface.inputs}
    for name, parameter in handler.interface.inputs.items():
        if name not in inputs and takes_error(parameter.python_type):
            inputs[name] = ErrorReference()
    return Node(node_id, handler, inputs, workflow.line)


def check_handler(workflow: Workflow, handler: Entity) -> None:
    """Raises FlyteFailureNodeInputMismatchException where the handler can't be called with what there will be."""
    offered, taken = workflow.interface.inputs, handler.interface.inputs
    problems = [
        f"it has no input {name} ({_types.name_of(parameter.python_type)})"
        for name, parameter in offered.items()
        if name not in taken
    ]
    problems += [
        f"its input {name} is {kind_of(taken[name].python_type).type}, the workflow's is"
        f" {kind_of(parameter.python_type).type}"
        for name, parameter in offered.items()
        if name in taken and not _same(parameter, taken[name])
    ]
    problems += [
        f"its input {name} is none of the workflow's, and not Optional"
        for name, parameter in taken.items()
        if name not in offered and not accepts_none(parameter.python_type)
    ]
    if problems:
        raise _exceptions.FlyteFailureNodeInputMismatchException(
            f"{workflow.line}: Mismatched Inputs Detected: {handler.name} can't be the on_failure of {workflow.name}:"
            f" {'; '.join(problems)}. It takes all inputs of the workflow, with the same types, and may have more that"
            " are Optional"
        )


def run_handler(handler: Entity, inputs: dict[str, Any], error: BaseException, node_id: str) -> None:
    """Runs the handler here. What it raises itself is told, and then the workflow's own failure goes on."""
    given = dict(inputs)
    for name, parameter in handler.interface.inputs.items():
        if name not in inputs and takes_error(parameter.python_type):
            given[name] = {"message": str(error), "failed_node_id": node_id}
        elif name not in inputs:
            given[name] = None if parameter.required else default_of(handler, parameter)
    try:
        handler.run(given, handler.overrides)
    except Exception as another:  # noqa: BLE001  the failure that it was to handle is what the caller must see
        sys.stderr.write(f"windlass: the failure handler {handler.name} failed, too: {another}\n")


def takes_error(python_type: Any) -> bool:
    """Whether a FlyteError is a value of the type."""
    plain = bare(python_type)
    if is_union(plain):
        return any(takes_error(variant) for variant in typing.get_args(plain))
    from windlass._types.error import FlyteError  # noqa: PLC0415  only workflows with a handler need it

    return plain is FlyteError


def _same(one: Parameter, other: Parameter) -> bool:
    first, second = kind_of(one.python_type), kind_of(other.python_type)
    return (first.type, first.schema) == (second.type, second.schema)
