"""``resumeFrom``: results of an earlier run that are taken over rather than computed again.

A node takes over what the node of the same id gave there if that succeeded, both run the same task (or plan, or gave
way to the same workflow), it takes and gives the same, and its inputs are equal: then the earlier result is what it
would be. The code is not compared: it is mostly changed to mend what failed, and whoever wants a node computed anew
changes its ``cache.version`` or runs without ``resumeFrom``. Every node says why it was taken over, or why not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from windlass_api import names, refs, validation
from windlass_api.stored import identity
from windlass_operator.core.closure import Node
from windlass_operator.core.observed import ALONE, FAILED, SUCCEEDED, AskPrevious, NodeState, Previous, Stored
from windlass_operator.core.settling import Target
from windlass_operator.core.states import NodePhase
from windlass_operator.core.values import InvalidInputsError, Values
from windlass_operator.core.work import Work, succeeded

REUSED = "Reused"
TAKEN = "taken from "
"""How ``resume`` begins where a result was taken over."""


def reuse(work: Work, target: Target, state: NodeState, inputs: Mapping[str, Any]) -> NodeState:
    """The state, with the earlier result if it may be taken over.

    Raises:
        NotKnownError: something has to be looked up first.
    """
    source = work.observed.spec.get("resumeFrom")
    if not source or state.resume:
        return state
    previous: Previous | None = work.values.answer(AskPrevious(source["execution"]))
    if previous is None:
        return replace(state, resume=f"the execution {source['execution']} is gone, or has never begun")
    found = _result(work, target, inputs, previous)
    if isinstance(found, str):
        return replace(state, resume=found)
    after = succeeded(state, found, work.now)
    return replace(after, reason=REUSED, resume=f"{TAKEN}{previous.name}: the same task and inputs")


def _result(work: Work, target: Target, inputs: Mapping[str, Any], previous: Previous) -> Mapping[str, Any] | str:
    """The outputs in the earlier run; or why they don't count."""
    node = target.node
    before, old = previous.closure.nodes.get(node.id), previous.state.nodes.get(node.id)
    if before is None or old is None:
        return f"{previous.name} had no node {node.id}"
    different = _difference(node, before, target)
    if different:
        return different
    values = work.values_of(previous)
    outputs = _outputs(values, target, node, old, previous.name)
    if isinstance(outputs, str):
        return outputs
    try:
        then = _inputs_then(values, before, target)
    except (InvalidInputsError, LookupError) as problem:
        return f"its inputs in {previous.name} are not known any more: {problem}"
    changed = sorted(
        name
        for name in {*inputs, *then}
        if names.canonical_json(identity(inputs.get(name))) != names.canonical_json(identity(then.get(name)))
    )
    if changed:
        return f"its input{'s' * (len(changed) > 1)} {', '.join(changed[:5])} differ{'s' * (len(changed) == 1)}"
    return outputs


def _difference(node: Node, before: Node, target: Target) -> str:
    """What keeps two nodes from being the same."""
    if (node.kind, node.target) != (before.kind, before.target):
        return f"it ran {before.target or before.kind.value} there"
    if (node.mapped is None) != (before.mapped is None):
        return "one of them is a map"
    for part in ("inputs", "outputs"):
        if _types(target.spec, part) != _types(before.spec, part):
            return f"the {part} of {node.target} have changed"
    now, then = (((one.get("cache") or {}).get("version")) for one in (target.spec, before.spec))
    return f"its cache version is {now}, was {then}" if now != then else ""


def _types(spec: Mapping[str, Any], part: str) -> dict[str, Any]:
    return {name: (one.get("type"), one.get("schema")) for name, one in (spec.get(part) or {}).items()}


def _outputs(values: Values, target: Target, node: Node, old: NodeState, source: str) -> Mapping[str, Any] | str:
    try:
        return _kept(values, target, node, old)
    except InvalidInputsError as lost:
        return f"its result in {source} is lost: {lost}"


def _kept(values: Values, target: Target, node: Node, old: NodeState) -> Mapping[str, Any] | str:
    if target.element != ALONE:
        if old.elements is None:
            return "the map had not begun there"
        elements = values.elements(node.id, old.elements)
        if target.element >= elements.total:
            return "there were fewer elements there"
        letter = elements.phases[target.element]
        if letter != SUCCEEDED:
            return f"the element {'failed' if letter == FAILED else 'did not end'} there"
        found: Mapping[str, Any] = elements.results[target.element]
        return found
    if old.phase is not NodePhase.SUCCEEDED or old.outputs is None:
        return f"it was {old.phase.value} there"
    return {name: values.read(value) if isinstance(value, Stored) else value for name, value in old.outputs.items()}


def _inputs_then(values: Values, before: Node, target: Target) -> Mapping[str, Any]:
    if target.element == ALONE or before.mapped is None:
        return values.complete(before)
    bound = values.bound(before)
    over = before.mapped.over
    one = {name: refs.walk(value, [target.element]) if name in over else value for name, value in bound.items()}
    complete, _ = validation.complete_inputs(before.spec.get("inputs") or {}, one)
    return complete
