"""What tasks do in this world: a pure function of (seed, task, inputs, attempt), asked by the kubelet and the oracle.

Results depend on the seed, the task and its inputs only, so that an attempt more or less makes no difference to them.
How an attempt ends is one row of ``ENDS``, drawn by the scenario's ``trouble``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple

from windlass_api import names

Body = Mapping[str, Any]


class End(NamedTuple):
    """A way in which an attempt may end."""

    name: str
    budget: str
    """Whose budget pays for another attempt: ``user``, ``system``; or ``none``: it ended well."""
    recoverable: bool
    weight: int


WELL = End("well", "none", False, 0)
ENDS = (
    End("raises", "user", False, 6),  # by `retryOn` it may be recoverable all the same
    End("recoverable", "user", True, 8),
    End("dies", "user", True, 4),
    End("out-of-memory", "user", True, 3),
    End("silent", "user", False, 1),
    End("cannot-start", "user", False, 1),
    End("bad-image", "user", False, 1),
    End("system-error", "system", False, 3),
    End("killed", "system", False, 2),
    End("evicted", "system", False, 4),
    End("lost", "system", False, 4),
    End("rejected", "system", False, 2),
)
NOT_OF_CALLS = frozenset({"cannot-start", "bad-image", "rejected"})
"""What can only go wrong with a pod of one's own."""
EXCEPTIONS = ("ValueError", "KeyError", "OSError")


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an attempt, and when."""

    end: End
    exception: str
    unschedulable: float
    pulling: float
    """Seconds for which it can't be scheduled, and for which its image can't be had."""
    starts: float
    runs: float


@dataclass(frozen=True, slots=True)
class Fates:
    """The fates of one history."""

    seed: int
    trouble: float
    """The part of attempts that end badly."""
    slow: float = 1.0
    """How much longer everything takes."""

    def of(self, task: str, inputs: Body, attempt: int) -> Fate:
        """What becomes of an attempt."""
        draw = self._draw("fate", task, inputs, attempt)
        bad = draw.random() < self.trouble
        end = draw.choices(ENDS, [each.weight for each in ENDS])[0] if bad else WELL
        stuck = draw.random() < self.trouble
        return Fate(
            end,
            draw.choice(EXCEPTIONS),
            unschedulable=draw.uniform(1, 40) if stuck and draw.random() < 0.5 else 0.0,
            pulling=draw.uniform(1, 40) if stuck and draw.random() < 0.5 else 0.0,
            starts=draw.uniform(0.05, 2) * self.slow,
            runs=draw.uniform(0.05, 10) * self.slow,
        )

    def value(self, task: str, inputs: Body, kind: str) -> Any:
        """What a task gives as an output of a type."""
        draw = self._draw("value", task, inputs, kind)
        if kind == "list[int]":
            return [draw.randrange(100) for _ in range(draw.choice((0, 1, 2, 3, 3, 4, 5, 12)))]
        return draw.randrange(100)

    def memory(self, task: str, inputs: Body, least: int, most: int) -> int:
        """How much memory (MiB) a task needs that may be given more."""
        need = least
        draw = self._draw("memory", task, inputs, 0)
        while need * 2 <= most and draw.random() < 0.4 + self.trouble:
            need *= 2
        return need

    def answer(self, gate: str) -> tuple[bool, int, bool]:
        """What the person says to a question: yes or no; a value; and whether they get it wrong at first."""
        draw = self._draw("answer", gate, {}, 0)
        return draw.random() < 0.8, draw.randrange(100), draw.random() < 0.3

    def draw(self, what: str, *about: Any) -> Random:
        """Dice of its own for whatever else depends on the seed."""
        return self._draw(what, "", {}, list(about))

    def _draw(self, what: str, task: str, inputs: Body, rest: Any) -> Random:
        key = names.canonical_json([self.seed, what, task, inputs, rest])
        return Random(key)


def as_call(fate: Fate) -> Fate:
    """The fate of an attempt that a warm worker runs."""
    return replace(fate, end=WELL) if fate.end.name in NOT_OF_CALLS else fate


def is_recoverable(fate: Fate, spec: Body) -> bool:
    """Whether the user's retries apply."""
    retry_on = spec.get("retryOn") or ()
    return fate.end.recoverable or (fate.end.name == "raises" and ("any" in retry_on or fate.exception in retry_on))
