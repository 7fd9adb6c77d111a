"""What one pass knows while it goes on: the nodes as they are so far, and what follows from them.

A workflow inside the run is a scope. One of its nodes has failed, or what they gave is no result: it is *broken*.
Then, unless its failure policy lets it go on, it is *stopping*: nothing in it starts, and what runs is called off; its
handler is the exception. A scope stops as well when its own node is stopped from outside, and everything stops when the
Execution is cancelled.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from windlass_operator.core.closure import ROOT, RUNS, Node, NodeKind
from windlass_operator.core.delivery import deliver
from windlass_operator.core.observed import ExecutionError, NodeState, Observed, Question
from windlass_operator.core.states import ACTIVE, NodePhase
from windlass_operator.core.values import InvalidInputsError, NotKnownError, Values
from windlass_operator.kinds.evidence import Failure, FailureKind

UNLIMITED = 1 << 30


class Facts:
    """See the module. Lives for one pass."""

    def __init__(self, observed: Observed, nodes: Mapping[str, NodeState], learned: dict[Question, Any]) -> None:
        """``learned`` are answers that this pass knows without asking."""
        self.observed = observed
        self.closure = observed.closure
        self.nodes: dict[str, NodeState] = {}
        self.active = 0
        """Children that there are, or are about to be."""
        self.calls = 0
        """Those of them that are calls of actors' tasks."""
        self.room = observed.room
        self._asked: int = observed.setting("maxParallelism") or UNLIMITED
        self._failed: dict[str, list[str]] = {}
        self._open = {scope: len(one.members) for scope, one in self.closure.scopes.items()}
        self.nodes.update(dict.fromkeys(self.closure.nodes, _FRESH))
        self.nodes.update(nodes)
        for name, state in nodes.items():
            phase = state.phase
            if phase is NodePhase.PENDING and not state.unsure:
                continue  # it changes no number
            node = self.closure.nodes[name]
            if phase is NodePhase.SUCCEEDED and not node.handler:
                self._open[node.scope] -= 1
            else:
                self._account(node, _FRESH, state)
        given = observed.spec.get("inputs") or {}
        known: ChainMap[Question, Any] = ChainMap(learned, observed.known)  # type: ignore[arg-type]  # it is only read
        self.values = Values(observed.name, self.closure, self.nodes, given, known, self.error_of)

    def put(self, node: Node, state: NodeState) -> None:
        """A node is in this state now."""
        before = self.nodes[node.id]
        if before is not state:
            self.nodes[node.id] = state
            self._account(node, before, state)

    @property
    def uncounted(self) -> bool:
        """Whether nobody knows yet how many elements of a map are at work: a restart."""
        return any(_is_unread(self.nodes[name]) for name in self.closure.maps)

    def limit(self, node: Node) -> int:
        """How many children there may be at a time, as far as a node is concerned: what the Execution or its plan
        says, within the operator's limit of pods, or of calls.
        """
        settings = self.observed.settings
        if node.actor is None:
            return min(settings.max_parallel_pods + self.calls, self._asked)
        return min(settings.max_parallel_calls + self.active - self.calls, self._asked)

    def has_room(self, node: Node) -> bool:
        """Whether the namespaces' shares of pods let a child of a node start. Calls take none of them."""
        return node.actor is not None or self.room is None or self.room > 0

    def took_room(self, node: Node) -> None:
        """A child is about to be started: one of the namespace's pods is gone."""
        if self.room is not None and node.actor is None:
            self.room -= 1

    def all_over(self, scope: str) -> bool:
        """Whether nothing more happens to the nodes of a scope, its handler aside."""
        return self._open[scope] == 0

    def broken(self, scope: str) -> bool:
        """Whether a node of the scope has failed, or its outputs can't be made of what they gave.

        Raises:
            NotKnownError: what they gave has to be read first.
        """
        return scope in self._failed or self._undelivered(scope) is not None

    def _undelivered(self, scope: str) -> Failure | None:
        """Why a workflow whose nodes are all over and went well has failed all the same. It is asked of those with a
        handler, which is to run then; others find out when they deliver.
        """
        of = self.closure.scopes[scope]
        if of.handler is None or self.observed.cancelled or not self.all_over(scope):
            return None
        if any(self.nodes[member].phase is NodePhase.CANCELLED for member in of.members):
            return None
        try:
            outputs = deliver(self.nodes, self.values, of)
        except InvalidInputsError as lost:
            return lost.failure
        return outputs if isinstance(outputs, Failure) else None

    @property
    def calm(self) -> bool:
        """Whether nothing has failed and nothing is called off, so that nothing is to stop."""
        return not self._failed and not self.observed.cancelled

    def stopping(self, node: Node) -> bool:
        """Whether a node is to stop, or not to start."""
        if self.calm:
            return False
        if self.observed.cancelled:
            return True
        return self._outside_stops(node.scope) if node.handler else self._stops(node.scope)

    def _stops(self, scope: str) -> bool:
        if scope in self._failed and not self.closure.scopes[scope].keeps_going:
            return True
        return self._outside_stops(scope)

    def _outside_stops(self, scope: str) -> bool:
        return scope != ROOT and self.stopping(self.closure.nodes[scope])

    def error_of(self, scope: str) -> ExecutionError | None:
        """What a scope failed of: the first of its failed nodes; of a workflow, what that failed of. Of the run itself,
        it is told once and stays.
        """
        if scope == ROOT and self.observed.state.error is not None:
            return self.observed.state.error
        failed = self._failed.get(scope)
        if not failed:
            return self._error_of_outputs(scope)
        name = min(failed, key=lambda one: (self.nodes[one].finished_at or 0.0, one))
        if self.closure.nodes[name].kind is NodeKind.WORKFLOW:
            inner = self.error_of(name)
            if inner is not None and inner.node is not None:
                return inner
        return ExecutionError(failure_of(self.nodes[name]), name)

    def _error_of_outputs(self, scope: str) -> ExecutionError | None:
        try:
            wrong = self._undelivered(scope)
        except NotKnownError:
            return None  # its handler has not begun either
        return None if wrong is None else ExecutionError(wrong)

    def _account(self, node: Node, before: NodeState, after: NodeState) -> None:
        if node.mapped is None:
            more = _has_child(node, after) - _has_child(node, before)
        else:
            more = _elements(after) - _elements(before)
        self.active += more
        if node.actor is not None:
            self.calls += more
        if node.handler:
            return
        self._open[node.scope] -= after.terminal - before.terminal
        if after.phase is NodePhase.FAILED and before.phase is not NodePhase.FAILED:
            self._failed.setdefault(node.scope, []).append(node.id)


_FRESH = NodeState()


def failure_of(state: NodeState) -> Failure:
    """Why a node failed, as far as it is still known."""
    return state.failure or Failure(FailureKind.USER, state.reason or "Failed", state.message)


def _has_child(node: Node, state: NodeState) -> bool:
    return node.kind in RUNS and (state.phase in ACTIVE or (state.unsure and state.phase is NodePhase.PENDING))


def _is_unread(state: NodeState) -> bool:
    return state.elements is not None and not state.elements.loaded and not state.terminal


def _elements(state: NodeState) -> int:
    return state.elements.active if state.elements is not None and not state.terminal else 0
