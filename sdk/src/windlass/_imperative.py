"""Workflows made step by step, for programs that write workflows.

    wf = Workflow(name="my.workflow")
    wf.add_workflow_input("text", str)
    counted = wf.add_entity(count, text=wf.inputs["text"])
    wf.add_workflow_output("counts", counted.outputs["o0"])

Each step is checked when it is made. A workflow is ready once it has a node and each of its inputs is used.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from windlass import _exceptions
from windlass._bindings import bind, kind_of
from windlass._compile import Graph, Node, Recorder, checked, in_order
from windlass._create_node import CreatedNode, create_node
from windlass._current import entered
from windlass._entity import Entity
from windlass._interface import Interface, Parameter
from windlass._modules import caller, calling_module
from windlass._promise import Binding, Promise, Reference, Void, references
from windlass._workflow import Workflow as BaseWorkflow, WorkflowFailurePolicy, handler_of

if TYPE_CHECKING:
    from windlass._calls import Scope


class ImperativeWorkflow(BaseWorkflow):
    """A workflow made step by step.

    Args:
        name: its name, such as "team.workflow".
        failure_policy: what a failed call means for the others. Default: FAIL_IMMEDIATELY.
        interruptible: whether its tasks may run on nodes that can go away, where they don't say it themselves.

    >>> from windlass import task
    >>> @task
    ... def double(n: int) -> int:
    ...     return 2 * n
    >>> wf = ImperativeWorkflow("doubling")
    >>> node = wf.add_entity(double, n=wf.add_workflow_input("n", int))
    >>> wf.add_workflow_output("doubled", node.o0)
    >>> wf(n=4)
    8
    """

    keyword_only: ClassVar[bool] = True
    failure_node_id: ClassVar[str] = "efn"

    def __init__(
        self, name: str, failure_policy: WorkflowFailurePolicy | None = None, interruptible: bool = False
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError(f"{caller()}: a workflow needs a name, not {name!r}")
        self.name = name
        self.short_name = name.rpartition(".")[2]
        self.home = calling_module()
        self.set_behavior(failure_policy, interruptible)
        self._line = caller()
        self._recorder = Recorder()
        self._recorder.workflows.append(self)
        self._inputs: dict[str, Promise] = {}
        self._outputs: dict[str, Binding] = {}
        self._interface = Interface({}, {}, None)

    @property
    def interface(self) -> Interface:
        """Inputs and outputs so far."""
        return self._interface

    @property
    def line(self) -> str:
        """`file:line` where it was begun."""
        return self._line

    @property
    def inputs(self) -> Mapping[str, Promise]:
        """Its inputs, to be given to what is added."""
        return dict(self._inputs)

    @property
    def output_bindings(self) -> Mapping[str, Binding]:
        """What its outputs are made of."""
        return dict(self._outputs)

    def add_workflow_input(self, input_name: str, python_type: Any) -> Promise:
        """Declares an input; what comes back, and what `inputs[name]` has, stands for its value."""
        if not isinstance(input_name, str) or not input_name.isidentifier():
            raise _exceptions.FlyteValueException(
                input_name, f"{caller()}: Input name must be a valid Python identifier"
            )
        if input_name in self._inputs:
            raise _exceptions.FlyteValidationException(
                f"{caller()}: Input {input_name} has already been specified for wf {self.name}"
            )
        promise = Promise(Reference(None, input_name), kind_of(python_type), None)
        self._inputs[input_name] = promise
        self._declare({**self._interface.inputs, input_name: Parameter(input_name, python_type)}, None)
        return promise

    def add_entity(self, entity: Entity, **kwargs: Any) -> CreatedNode:
        """Adds a call of a task, a launch plan or another workflow, and gives its node.

        Arguments are values, inputs of this workflow, and outputs of nodes that have been added.
        """
        self._change()
        with entered(self._recorder):
            return create_node(entity, **kwargs)

    def add_task(self, task: Entity, **kwargs: Any) -> CreatedNode:
        """`add_entity`, of a task."""
        return self.add_entity(task, **kwargs)

    def add_launch_plan(self, launch_plan: Entity, **kwargs: Any) -> CreatedNode:
        """`add_entity`, of a launch plan."""
        return self.add_entity(launch_plan, **kwargs)

    def add_subwf(self, sub_wf: Entity, **kwargs: Any) -> CreatedNode:
        """`add_entity`, of a workflow."""
        return self.add_entity(sub_wf, **kwargs)

    def add_workflow_output(self, output_name: str, p: Any, python_type: Any = None) -> None:
        """Declares an output and what it is made of.

        Args:
            output_name: its name.
            p: the output of a node, an input, or a list or dict with such in it.
            python_type: its type. It is needed where `p` does not tell it: for lists, dicts, parts of outputs, and
                constants.
        """
        if output_name in self._outputs:
            raise _exceptions.FlyteValidationException(
                f"{caller()}: Output {output_name} already exists in workflow {self.name}"
            )
        if isinstance(p, Void | CreatedNode):
            raise AssertionError(f"{caller()}: {p!r} is no output: take one of a node's outputs")
        declared = self._type_of(p) if python_type is None else python_type
        if declared is None:
            raise _exceptions.FlyteAssertion(
                f"{caller()}: the output {output_name} needs a python_type: {p!r} does not tell it"
            )
        failed = f"{caller()}: Failed to bind output {output_name} of {self.name}"
        self._outputs[output_name] = bind(p, declared, failed)
        self._declare(None, {**self._interface.outputs, output_name: declared})

    def add_on_failure_handler(self, entity: Entity) -> None:
        """What runs when the workflow has failed. It takes all inputs, which have been declared before."""
        self._change()
        self.on_failure = handler_of(entity)
        self.failure_node()

    def ready(self) -> bool:
        """Whether it has a node, and each of its inputs is used."""
        return bool(self._recorder.nodes) and not self._unused()

    def compile(self) -> Graph:
        """Its graph. Raises FlyteValidationException where it is not ready."""
        if self._graph is None:
            if not self.ready():
                unused = self._unused()
                problem = f"nothing uses the input {', '.join(unused)}" if unused else "it has no nodes"
                raise _exceptions.FlyteValidationException(f"{self.line}: Workflow not ready, {self.name}: {problem}")
            graph = checked(Graph(list(self._recorder.nodes), dict(self._outputs), self.failure_node()))
            graph.nodes = in_order(graph.nodes)
            self._graph = graph
        return self._graph

    def expand(self, scope: Scope, promises: dict[str, Promise]) -> dict[str, Binding]:
        """Its nodes once more."""
        from windlass._replay import replay  # noqa: PLC0415  only what runs or is called needs it

        return replay(self.compile(), scope, {name: promise._binding for name, promise in promises.items()})

    def __repr__(self) -> str:
        return (
            f"<workflow {self.name}: inputs {', '.join(self._inputs) or 'none'}, {len(self._recorder.nodes)} nodes,"
            f" outputs {', '.join(self._outputs) or 'none'}>"
        )

    def _declare(self, inputs: dict[str, Parameter] | None, outputs: dict[str, Any] | None) -> None:
        self._change()
        inputs = self._interface.inputs if inputs is None else inputs
        outputs = self._interface.outputs if outputs is None else outputs
        several = collections.namedtuple("DefaultNamedTupleOutput", outputs) if len(outputs) > 1 else None
        self._interface = Interface(inputs, outputs, several)

    def _change(self) -> None:
        self._graph = None

    def _unused(self) -> list[str]:
        used = {ref.name for node in self._recorder.nodes for ref in node.references() if ref.producer is None}
        used |= {ref.name for ref in references(self._outputs) if ref.producer is None}
        return [name for name in self._inputs if name not in used]

    def _type_of(self, value: Any) -> Any:
        """The Python type of what a promise stands for, where it is a whole input or output; else None."""
        binding = value._binding if isinstance(value, Promise) else None
        if not isinstance(binding, Reference) or binding.path:
            return None
        if binding.producer is None:
            return self._interface.inputs[binding.name].python_type
        assert isinstance(binding.producer, Node)
        return None if binding.producer.cases else binding.producer.entity.interface.outputs[binding.name]


Workflow = ImperativeWorkflow
"""What users call it."""

__all__ = ["ImperativeWorkflow", "Workflow"]
