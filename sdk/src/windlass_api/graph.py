"""The graph: who waits for whom.

A node waits for every node that it refers to, in its inputs, in `when` or in the cases of its `select`, and for those
in `dependsOn`. Nothing else is an edge, and nobody but this module says what one is.

Works on a workflow's spec as it is, also on one with mistakes: what can't be understood is no edge here and a finding
in `validation`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from windlass_api import cel
from windlass_api.refs import Ref, RefSyntaxError, marker

Upstreams = Mapping[str, tuple[str, ...]]


class CycleError(ValueError):
    """Nodes wait for each other. `cycle` names them, each waiting for the one before it and the first for the last."""

    def __init__(self, cycle: tuple[str, ...]) -> None:
        super().__init__("these nodes wait for each other: " + " → ".join((*cycle, cycle[0])))
        self.cycle = cycle


def upstreams(workflow_spec: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """For each node the nodes it waits for, both in the workflow's order."""
    nodes: dict[str, Mapping[str, Any]] = {}
    for node in _readable_nodes(workflow_spec):
        nodes.setdefault(node["id"], node)
    place = {name: index for index, name in enumerate(nodes)}
    wanted = {name: {other for other in _named(node) if other in place} for name, node in nodes.items()}
    return {name: tuple(sorted(others, key=place.__getitem__)) for name, others in wanted.items()}


def topological_order(ups: Upstreams) -> tuple[str, ...]:
    """The nodes, each after all that it waits for; among the possible orders the one closest to that of `ups`."""
    place = {name: index for index, name in enumerate(ups)}
    names = tuple(ups)
    waiting = {name: len(set(ups[name])) for name in names}
    downs = downstreams(ups)
    ready = [place[name] for name in names if not waiting[name]]
    order: list[str] = []
    while ready:
        name = names[heapq.heappop(ready)]
        order.append(name)
        for down in downs[name]:
            waiting[down] -= 1
            if not waiting[down]:
                heapq.heappush(ready, place[down])
    if len(order) < len(names):
        raise CycleError(_cycle(ups, [name for name in names if waiting[name]]))
    return tuple(order)


def downstreams(ups: Upstreams) -> dict[str, tuple[str, ...]]:
    """For each node the nodes which wait for it, in the order of `ups`."""
    downs: dict[str, list[str]] = {name: [] for name in ups}
    for name, before in ups.items():
        for up in dict.fromkeys(before):
            downs[up].append(name)
    return {name: tuple(after) for name, after in downs.items()}


def refs_of(node: Mapping[str, Any]) -> tuple[Ref, ...]:
    """All references of a node that can be understood: those of its inputs, of `when`, and of its cases."""
    found = [*_refs_of_values(node.get("inputs")), *_refs_of_when(node.get("when"))]
    cases = node.get("select")
    for case in cases if isinstance(cases, list | tuple) else ():
        if isinstance(case, Mapping):
            found += [*_refs_of_when(case.get("when")), *_refs_of_values(case.get("outputs"))]
    return tuple(found)


def _readable_nodes(workflow_spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    nodes = workflow_spec.get("nodes")
    for node in nodes if isinstance(nodes, list | tuple) else ():
        if isinstance(node, Mapping) and isinstance(node.get("id"), str):
            yield node


def _named(node: Mapping[str, Any]) -> Iterator[str]:
    yield from (ref.node for ref in refs_of(node) if ref.node is not None)
    after = node.get("dependsOn")
    yield from (name for name in (after if isinstance(after, list | tuple) else ()) if isinstance(name, str))


def _refs_of_values(values: Any) -> Iterator[Ref]:
    """The keys are names, whatever they start with; only the values may be references."""
    for value in values.values() if isinstance(values, Mapping) else ():
        yield from _refs(value)


def _refs(value: Any) -> Iterator[Ref]:
    try:
        found = marker(value)
    except RefSyntaxError:
        return
    if isinstance(found, Ref):
        yield found
    elif found is None:
        for item in _parts(value):
            yield from _refs(item)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _refs_of_when(when: Any) -> tuple[Ref, ...]:
    if not isinstance(when, str):
        return ()
    try:
        return cel.parse(when).refs
    except cel.CelSyntaxError:
        return ()


def _cycle(ups: Upstreams, stuck: list[str]) -> tuple[str, ...]:
    """One cycle among the nodes that never get ready: whoever goes upstream from there comes around."""
    seen: dict[str, int] = {}
    trail: list[str] = []
    name = stuck[0]
    remaining = set(stuck)
    while name not in seen:
        seen[name] = len(trail)
        trail.append(name)
        name = next(up for up in ups[name] if up in remaining)
    return tuple(reversed(trail[seen[name] :]))
