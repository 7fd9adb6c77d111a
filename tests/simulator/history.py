"""One history, from its seed to its end.

::

    trouble                        calm                                   rest
    ├──────────────────────────────┼──────────────────────────────────────┼──────────────┤
    everything may go wrong        all is listed anew; everything ends    nothing happens, and nothing is written

A promise that is broken in a callback or in a task of the operator ends the history all the same: it is kept, and
raised here.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from tests.simulator.kubelet import Kubelet
from tests.simulator.people import People
from tests.simulator.promises import Broken, Promises, require
from tests.simulator.replicas import Replicas
from tests.simulator.scenarios import Maker
from tests.simulator.timeline import Stalled, Timeline
from tests.simulator.workers import Workers
from tests.simulator.world import World
from windlass_api import validation
from windlass_operator.telemetry import Telemetry

PATIENCE = 6 * 3600.0
"""Seconds within which everything has to end once nothing goes wrong any more."""

REST = 120.0
"""Seconds for which nothing may happen after the end."""

REQUESTS = 20_000
"""More than any history needs: beyond it something goes round in circles."""


class Listening(Telemetry):
    """Telemetry that tells of passes which fail. It is shared by all histories: nobody reads its numbers."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(lambda *_: None, timeline.now, timeline.time)
        self.world: World | None = None
        self.trouble: BaseException | None = None

    def pass_failed(self, kind: str) -> None:
        """A bug in the operator, or a promise that was broken by what it did."""
        self.trouble = self.trouble or sys.exc_info()[1]


class Simulator:
    """Plays histories one after the other, on one timeline."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._telemetry = Listening(timeline)
        self._trouble: BaseException | None = None
        timeline.set_exception_handler(self._caught)

    @classmethod
    @contextmanager
    def ready(cls) -> Iterator[Simulator]:
        """A simulator; the operator's clock is its own, and its log is silent."""
        log = logging.getLogger("windlass")
        level = log.level
        log.setLevel(logging.CRITICAL + 1)
        try:
            with quick(), Timeline.governs() as timeline:
                yield cls(timeline)
        finally:
            log.setLevel(level)

    def play(self, seed: int) -> World:
        """The history of a seed. Gives the world at its end.

        Raises:
            Failure: a promise was broken.
        """
        self._timeline.restart()
        self._trouble = self._telemetry.trouble = None
        world = World(self._timeline, Maker(seed).scenario())
        try:
            self._timeline.run_until_complete(self._story(world))
        except (Exception, Stalled) as trouble:
            raise Failure(seed, trouble, world) from trouble
        return world

    async def _story(self, world: World) -> None:
        promises = Promises(world)
        kubelet = Kubelet(world)
        People(world)
        operator = Replicas(world, self._telemetry)
        kubelet.workers = Workers(world, promises.calls, operator)
        world.life_ended = kubelet.workers.life_ended
        operator.start()
        last_act = max((act.at for act in world.scenario.acts), default=0.0) + 0.01
        await self._until(last_act)
        pause = 1.0
        while promises.busy and self._timeline.time() < world.scenario.trouble.until:
            await self._until(self._timeline.time() + pause, operator)
        operator.calm_down()
        limit = self._timeline.time() + PATIENCE
        while promises.busy or len(operator.lives) < world.scenario.replicas:
            if self._timeline.time() >= limit:
                raise Broken(f"it doesn't end: {promises.waiting()}")
            await self._until(self._timeline.time() + pause, operator)
            pause = min(60.0, pause * 1.5)
        await self._until(self._timeline.time() + REST, operator)
        promises.at_rest()
        version = world.version
        operator.relist()
        await self._until(self._timeline.time() + REST, operator)
        require(version == world.version, "something was done although all is over")

    async def _until(self, when: float, operator: Replicas | None = None) -> None:
        await asyncio.sleep(when - self._timeline.time())
        trouble = self._trouble or self._telemetry.trouble
        if trouble is not None:
            raise trouble
        if operator is not None:
            require(operator.requests < REQUESTS, "the operator goes round in circles")

    def _caught(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._trouble = self._trouble or context.get("exception") or Broken(context["message"])


@contextmanager
def quick() -> Iterator[None]:
    """For a while the judgement of a workflow is given at once where it was given before, whoever has imported the
    function under whatever name.
    """
    judge = validation.validate_workflow
    faster = Judgements(judge)
    with ExitStack() as stack:
        for module in [module for name, module in sys.modules.items() if name.startswith("windlass")]:
            for name, value in list(vars(module).items()):
                if value is judge:
                    stack.enter_context(patch.object(module, name, faster))
        yield


class Judgements:
    """What is wrong with workflows: a function of a spec and of the definitions that it looks up. It is asked again
    only where one of these is another object than before.
    """

    def __init__(self, judge: Callable[[Any, Any], Any]) -> None:
        self._judge = judge
        self._known: deque[tuple[Any, list[tuple[Any, Any]], Any]] = deque(maxlen=16)

    def __call__(self, spec: Any, find: Callable[..., Any]) -> Any:
        for known, found, findings in self._known:
            if known is spec and all(find(*what) is value for what, value in found):
                return findings
        asked: list[tuple[Any, Any]] = []

        def look(*what: Any) -> Any:
            asked.append((what, find(*what)))
            return asked[-1][1]

        findings = self._judge(spec, look)
        self._known.appendleft((spec, asked, findings))
        return findings


class Failure(Exception):  # noqa: N818  the failure of a history
    """A promise was broken in the history of a seed."""

    def __init__(self, seed: int, trouble: BaseException, world: World) -> None:
        super().__init__(f"seed {seed}: {type(trouble).__name__}: {trouble}")
        self.seed, self.trouble, self.world = seed, trouble, world

    def report(self, lines: int | None) -> str:
        """What to read (the last lines, or all), and what to type."""
        told = "\n".join(self.world.trace()[-lines if lines else 0 :])
        return f"{told}\n\n{self}\nagain: python -m tests.simulator --replay {self.seed} --trace"
