"""Which calls of actors are written down: their workers need not hold the results any longer.

A call stands in a status, or in a segment of a map, once its attempt is over there. Until then its worker is the only
witness.
"""

from __future__ import annotations

from windlass_operator.core.observed import ALONE, CANCELLED, FAILED, SUCCEEDED, ExecutionState, NodeState, Place
from windlass_operator.core.states import NodePhase

ENDED = (SUCCEEDED, FAILED, CANCELLED)


def is_durable(state: ExecutionState, place: Place) -> bool:
    """Whether a state that has been written says what a call came to."""
    node = state.nodes.get(place.node)
    if node is None or node.terminal:
        return True
    if place.element == ALONE:
        return node.attempt > place.attempt or _goes_on_in_child(node)
    elements = node.elements
    if elements is None or not elements.loaded or place.element in elements.unwritten:
        return False
    if elements.phases[place.element] in ENDED:
        return True
    element = elements.states.get(place.element)
    return element is not None and element.attempt > place.attempt


def _goes_on_in_child(node: NodeState) -> bool:
    """Whether the workflow that a dynamic task gave runs already."""
    return node.phase is NodePhase.RUNNING and bool(node.execution)
