"""Bugs that the simulator has found and that are still there, each with a seed that shows it.

A history that breaks a promise in one of these ways doesn't fail a run; it is counted apart. Who mends a bug deletes
its row: a test holds that every row is still needed.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Known(NamedTuple):
    """A bug."""

    promise: str
    """How the broken promise reads, as a regular expression."""
    seed: int
    why: str


KNOWN: tuple[Known, ...] = (
    Known(
        r"the node \S+ vanished",
        1300,
        "The first status is written and its answer lost; before it is written again somebody cancels. The operator "
        "takes the Execution for one that never started, writes Cancelled over its nodes, and leaves their pods.",
    ),
    Known(
        r"had ended, and its finishedAt changed",
        1020,
        "The end before a start (cancelled, or refused) is written and its answer lost. It is written again with "
        "another time.",
    ),
    Known(
        r"it doesn't end: .*the pods of that are \[.*'(Pending|Succeeded|Failed)'",
        3015,
        "A pod is created and the answer lost. When it is created again it is found to be there, and has ended "
        "(or can't have its image) already. That is remembered, but nobody looks at it: the watch tells nothing new.",
    ),
    Known(
        r"it doesn't end: .*the pods of that are \[None\]",
        5339,
        "A closure has gone with its last owner. It is made again, and the answer is lost; the next time it is found, "
        "owned, and taken for the one that was known before: its copy of the code isn't made, and pods wait for it.",
    ),
    Known(
        r"didn't end as it has to: it is Failed, and its node \S+ is Failed, and should be",
        4096,
        "A node fails, the pods of the others are deleted, and the operator dies before it writes that. The next one "
        "finds them gone and says that they failed (PodLost), rather than that they were cancelled; the Execution's "
        "error may then name the wrong node.",
    ),
    Known(
        r"didn't end as with any of \d+ definitions",
        2959,
        "Pods are started before a status says which closure they belong to. After a crash in between the Execution is "
        "admitted anew; where somebody changed the definition meanwhile, it takes the old one's pods for those of the "
        "new one.",
    ),
    Known(
        r"of those at work; there may be \d+, and no status tells of any",
        1097,
        "As before: a pod of the old definition runs beside those of the new one.",
    ),
)


def known(promise: str) -> Known | None:
    """The bug that breaks a promise in this way."""
    return next((bug for bug in KNOWN if re.search(bug.promise, promise)), None)
