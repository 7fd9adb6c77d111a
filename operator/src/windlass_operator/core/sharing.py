"""Who may start how many pods when not all may: weighted max-min fair shares between namespaces, and turns within one.

The next slot always goes to the namespace that has the least for its weight, so one with much to do can't crowd out
one with little; what a namespace doesn't want, the others get. Within a namespace its Executions take turns. Equals are
served in the order in which they wait: whoever moves those that were served to the end of it is fair over time, too.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

Key = tuple[str, str]
"""(namespace, execution)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many unfinished pods there may be. 0 is without limit."""

    total: int = 0
    per_namespace: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)
    """A namespace of weight 2 gets twice what one of weight 1 gets, which is everybody's without an entry."""

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return bool(self.total or self.per_namespace)

    def weight(self, namespace: str) -> float:
        """What a namespace counts."""
        return self.weights.get(namespace, 1.0)


def grant(active: Mapping[str, int], waiting: Mapping[Key, int], limits: Limits) -> dict[Key, int]:
    """How many pods each Execution that waits may start now. ``waiting`` is in the order of waiting; the answer is in
    the order in which they should wait for more.
    """
    free = max(0, limits.total - sum(active.values())) if limits.total else sum(waiting.values())
    if not free:
        return {}
    turns: dict[str, deque[Key]] = {}
    for key, wanted in waiting.items():
        if wanted > 0:
            turns.setdefault(key[0], deque()).append(key)
    has = {namespace: active.get(namespace, 0) for namespace in turns}
    rank = {namespace: place for place, namespace in enumerate(turns)}
    line = [(has[one] / limits.weight(one), rank[one], one) for one in turns]
    heapq.heapify(line)
    granted: dict[Key, int] = {}
    while line and free > 0:
        _, _, namespace = heapq.heappop(line)
        if limits.per_namespace and has[namespace] >= limits.per_namespace:
            continue
        key = turns[namespace].popleft()
        granted[key] = granted.pop(key, 0) + 1
        has[namespace] += 1
        free -= 1
        if granted[key] < waiting[key]:
            turns[namespace].append(key)
        if turns[namespace]:
            heapq.heappush(line, (has[namespace] / limits.weight(namespace), rank[namespace], namespace))
    return granted
