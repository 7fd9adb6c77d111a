"""What references mean in one run: inputs of its scopes, outputs of its nodes, the error of a failed workflow.

A value may not be at hand: it lies in a ConfigMap, or in the segments of a map, and after a restart nobody has read
it yet. Then a lookup raises ``NotKnownError``, whose question the pass puts to the shell; the answer is in
``Observed.known`` when the pass is planned again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from windlass_api import names, refs, validation
from windlass_api.stored import any_in
from windlass_operator.core.closure import ROOT, Closure, Node, path
from windlass_operator.core.observed import (
    AskSegments,
    AskValue,
    Elements,
    ExecutionError,
    Lost,
    NodeState,
    Question,
    Stored,
)
from windlass_operator.core.segments import read_segments
from windlass_operator.core.states import NodePhase
from windlass_operator.kinds.evidence import Failure, FailureKind


class NotKnownError(Exception):
    """The answer to a question is needed first."""

    def __init__(self, question: Question) -> None:
        super().__init__(str(question))
        self.question = question


class InvalidInputsError(Exception):
    """The inputs of a node can't be made."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Values:
    """The values of one Execution."""

    def __init__(
        self,
        execution: str,
        closure: Closure,
        nodes: Mapping[str, NodeState],
        given: Mapping[str, Any],
        known: Mapping[Question, Any],
        error_of: Callable[[str], ExecutionError | None],
    ) -> None:
        """``error_of(scope)`` is what a workflow failed of."""
        self._execution, self._closure, self._nodes = execution, closure, nodes
        self._given, self._known, self._error_of = given, known, error_of
        self._inputs: dict[str, Mapping[str, Any]] = {}
        self._bound: dict[str, Mapping[str, Any]] = {}
        self._elements: dict[str, Elements] = {}

    def lookup(self, scope: str) -> Callable[[refs.Ref], Any]:
        """What a reference of a node in a scope means."""

        def find(ref: refs.Ref) -> Any:
            if ref.node is not None:
                value = self.output(path(scope, ref.node), ref.name)
            elif ref.name == refs.ERROR:
                value = self._error(scope)
            else:
                value = self.inputs(scope)[ref.name]
            return refs.walk(value, ref.path) if ref.path else value

        return find

    def readable(self, scope: str) -> Callable[[refs.Ref], Any]:
        """The same, for whoever decides by the value: what lies in the store is no such thing."""
        find = self.lookup(scope)

        def found(ref: refs.Ref) -> Any:
            value = find(ref)
            lies = any_in(value)
            if lies is not None:
                raise refs.RefValueError(
                    f"`{ref}` lies in the store ({lies.size:,} bytes), which the operator can't read: return what is"
                    " decided by as an output of its own"
                )
            return value

        return found

    def inputs(self, scope: str) -> Mapping[str, Any]:
        """The inputs of a workflow, complete."""
        found = self._inputs.get(scope)
        if found is None:
            given = self._given if scope == ROOT else self.bound(self._closure.nodes[scope])
            found, _ = validation.complete_inputs(self._closure.scopes[scope].inputs, given)
            self._inputs[scope] = found
        return found

    def bound(self, node: Node) -> Mapping[str, Any]:
        """What a node's bindings give, without defaults. It stays so: what they refer to is over.

        Raises:
            InvalidInputsError: a reference leads to nothing.
        """
        if node.id in self._bound:
            return self._bound[node.id]
        try:
            resolved: Mapping[str, Any] = refs.resolve(node.inputs, self.lookup(node.scope))
        except refs.RefValueError as problem:
            message = f"nodes.{node.id}.inputs: {problem}"
            raise InvalidInputsError(Failure(FailureKind.USER, "UnresolvableReference", message)) from problem
        self._bound[node.id] = resolved
        return resolved

    def complete(self, node: Node) -> Mapping[str, Any]:
        """The inputs of a node, with defaults, all of their types.

        Raises:
            InvalidInputsError: they aren't.
        """
        complete, wrong = validation.complete_inputs(node.spec.get("inputs") or {}, self.bound(node))
        if wrong:
            text = "; ".join(f"{finding.path.removeprefix('spec.')}: {finding.message}" for finding in wrong[:3])
            raise InvalidInputsError(Failure(FailureKind.USER, "InvalidInputs", f"nodes.{node.id}.{text}"))
        return complete

    def output(self, node: str, name: str) -> Any:
        """An output of a node that is over."""
        state = self._nodes[node]
        if state.phase is not NodePhase.SUCCEEDED:
            raise refs.RefValueError(f"node {node} has no outputs: it is {state.phase.value}")
        if state.elements is not None:
            return self._listed(node, name, state.elements)
        outputs = state.outputs or {}
        if name not in outputs:
            raise refs.RefValueError(f"node {node} has no output `{name}`")
        return self.read(outputs[name])

    def read(self, value: Any) -> Any:
        """A value, wherever it is."""
        if not isinstance(value, Stored):
            return value
        return self.answer(AskValue(value.execution or self._execution, value.digest))

    def answer(self, question: Question) -> Any:
        """The answer to a question.

        Raises:
            NotKnownError: it has to be asked first.
            InvalidInputsError: what it asks about is gone.
        """
        if question not in self._known:
            raise NotKnownError(question)
        answer = self._known[question]
        if isinstance(answer, Lost):
            raise InvalidInputsError(Failure(FailureKind.SYSTEM, "ValueLost", answer.message))
        return answer

    def elements(self, node: str, elements: Elements) -> Elements:
        """The elements of a map with all that is written about them."""
        if elements.loaded:
            return elements
        if node not in self._elements:
            self._elements[node] = read_segments(elements, self.answer(AskSegments(node, self._execution)))
        return self._elements[node]

    def _listed(self, node: str, name: str, elements: Elements) -> list[Any]:
        results = self.elements(node, elements).results
        return [results[index][name] if index in results else None for index in range(elements.total)]

    def _error(self, scope: str) -> dict[str, Any]:
        error = self._error_of(scope)
        if error is None:
            return {"message": "", "failed_node_id": ""}
        failure = error.failure
        message = f"{failure.type}: {failure.message}" if failure.type else failure.message
        return {"message": message, "failed_node_id": (error.node or "").removeprefix(f"{scope}." if scope else "")}


def json_size(value: Any) -> int:
    """The bytes of a value, as JSON."""
    return len(names.canonical_json(value))
