"""The people: they do what the scenario has them do, and answer what they are asked.

An answer is a function of the question's name and the seed. Some are wrong at first, and right once the Signal says so.
"""

from __future__ import annotations

from tests.api_server import MERGE_PATCH, Body
from tests.simulator.world import COLLECTIONS, World

SIGNALS = COLLECTIONS["signals"]


class People:
    """See the module."""

    def __init__(self, world: World) -> None:
        self._world, self._fates = world, world.scenario.fates
        self._dice = self._fates.draw("people")
        for act in world.scenario.acts:
            if act.at == 0 and act.kind != "Execution":  # it was there before
                world.act(act)
            else:
                world.timeline.call_at(act.at, world.act, act)
        world.beginning = world.version
        for when, by in world.scenario.trouble.jumps:
            world.timeline.call_at(when, self._jump, by)
        world.listeners.append(self._hear)

    def _jump(self, by: float) -> None:
        self._world.say("JUMP", how=f"{by:+.0f} s")
        self._world.timeline.offset += by

    def _hear(self, change: str, path: str, item: Body, before: Body | None) -> None:
        if not path.startswith(SIGNALS) or change == "DELETED":
            return
        wrong = (item.get("status") or {}).get("phase") == "Invalid"
        was_wrong = ((before or {}).get("status") or {}).get("phase") == "Invalid"
        if change == "ADDED" or (wrong and not was_wrong):
            self._world.timeline.call_later(self._dice.uniform(0, 30), self._answer, path, item, wrong)

    def _answer(self, path: str, item: Body, again: bool) -> None:
        now = self._world.get(path)
        if now is None or now["metadata"]["uid"] != item["metadata"]["uid"]:
            return
        yes, value, wrong = self._fates.answer(item["spec"]["name"])
        answer: Body = {"approved": yes} if item["spec"]["ask"] == "Approval" else {"value": value}
        if wrong and not again and "value" in answer:
            answer = {"value": "no int"}
        with self._world.acting("person"):
            self._world.answer("PATCH", path, {"spec": {"answer": answer}}, MERGE_PATCH)
