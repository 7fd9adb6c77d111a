"""What has to hold of calls of actors, whatever becomes of workers, streams and replicas.

a call begins     only once while the worker that began it lives, never after its result was acknowledged,
                  and no later attempt while an earlier one runs or has a result
a result is       acknowledged only once it is written down, or nobody wants it
calls end         where nobody waits for them: they are cancelled (``workers`` keeps those that aren't running)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from tests.api_server import Body
from tests.simulator.features import NAMESPACE
from tests.simulator.world import COLLECTIONS, World
from windlass_api import names
from windlass_operator.core.observed import ALONE
from windlass_operator.core.segments import content_of
from windlass_operator.core.status import letter_of
from windlass_operator.dispatch.calls import CallKey, parse
from windlass_operator.dispatch.switchboard import HAND_OUTS
from windlass_operator.reconcile import paths

if TYPE_CHECKING:
    from tests.simulator.promises import Run

ENDED = frozenset({"Succeeded", "Failed", "Skipped", "Cancelled"})
FINISHED = frozenset({"Succeeded", "Failed", "Cancelled"})


class Calls:
    """All calls of a history."""

    def __init__(
        self,
        world: World,
        runs: dict[str, Run],
        results: dict[tuple[str, str, Any], Body],
        budget: Callable[[], int],
        require: Callable[[bool, str], None],
    ) -> None:
        self._world, self._runs, self._results, self._budget, self._require = world, runs, results, budget, require
        self._holders: dict[str, str] = {}
        """The uid of the worker that each call runs or is held in."""
        self._running: set[str] = set()
        self._acknowledged: set[str] = set()
        self._undelivered: Counter[str] = Counter()
        self.struck = False
        """Whether a call may have been lost by chance: budgets are spent that no fate tells of."""

    def began(self, uid: str, worker: str, call: str) -> None:
        """A worker begins a call."""
        holder = self._holders.get(call)
        self._require(holder is None, f"the call {call} begins in {worker}, and {holder} has it, which lives")
        self._require(call not in self._acknowledged, f"the call {call} begins again, and its result was acknowledged")
        key = _key(call)
        self._require(key.attempt <= self._budget(), f"the call {call} is beyond all budgets")
        if not self._world.scenario.trouble.jumps:
            for attempt in range(key.attempt):
                earlier = key._replace(attempt=attempt).text()
                self._require(earlier not in self._running, f"the call {call} begins, and {earlier} runs still")
        place = (key.uid, key.node, None if key.element == ALONE else key.element)
        lives = place in self._results and any(
            key._replace(attempt=attempt).text() in self._holders for attempt in range(key.attempt)
        )
        self._require(not lives, f"the call {call} begins, and an earlier attempt has a result")
        self._holders[call] = uid
        self._running.add(call)

    def ended(self, call: str, outputs: Body | None) -> None:
        """A call has come to its end. One that gave nothing doesn't stand in the way of the next attempt."""
        self._running.discard(call)
        if outputs is not None:
            key = _key(call)
            self._results[key.uid, key.node, None if key.element == ALONE else key.element] = outputs

    def undelivered(self, call: str) -> None:
        """A call was lost on its way. After some of that, if its worker goes as well, it counts as begun and lost."""
        self._undelivered[call] += 1
        self.struck = self.struck or self._undelivered[call] >= HAND_OUTS - 1

    def died(self, uid: str, running: Iterable[str], *, foreseen: bool) -> None:
        """A worker is gone, and what it had with it. That a call's own fate ends its worker is foreseen."""
        self.struck = self.struck or not foreseen
        self._running.difference_update(running)
        self._holders = {call: holder for call, holder in self._holders.items() if holder != uid}

    def acknowledged(self, worker: str, calls: Iterable[str]) -> None:
        """A worker hears that these results are written down."""
        for call in calls:
            self._require(self._written(_key(call)), f"{worker} lets go of {call}, which nobody has written")
            self._acknowledged.add(call)
            self._holders.pop(call, None)

    def unwanted(self, call: str) -> bool:
        """Whether its Execution is over or gone."""
        run = self._runs[_key(call).uid]
        return run.gone or run.over

    def _written(self, key: CallKey) -> bool:
        """Whether the API server has what a call came to; or nobody wants that."""
        item = self._world.get(f"{COLLECTIONS['executions']}/{key.execution}")
        if item is None or item["metadata"]["uid"] != key.uid:
            return True
        status = item.get("status") or {}
        node = (status.get("nodes") or {}).get(key.node)
        if status.get("phase") in FINISHED or (node is not None and node["phase"] in ENDED):
            return True
        if key.element == ALONE:
            return node is not None and node.get("attempt", 0) > key.attempt
        if node is not None and letter_of(node.get("elements", {}).get("phases", ""), key.element) == "C":
            return True  # it was to be tried again, and isn't any more
        entry = self._segments(key).get(str(key.element))
        return entry is not None and ("attempts" not in entry or entry["attempts"][0] > key.attempt)

    def _segments(self, key: CallKey) -> Body:
        told: Body = {}
        number = 0
        while True:
            name = names.segment_name(key.execution, key.node, number)
            item = self._world.get(paths.config_maps(NAMESPACE, name))
            if item is None:
                return told
            told |= content_of(item)
            number += 1


def _key(call: str) -> CallKey:
    found = parse(call)
    assert found is not None, f"{call} is no call"
    return found
