"""Findings: what is wrong, where, and why, in one shape for every check.

A finding says where (`spec.nodes[2].inputs.x`), gives a reason for machines (`TypeMismatch`) and a sentence for people
which names what was found, what was expected, and where it can, what to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

INVALID_TYPE = "InvalidType"
INVALID_DEFAULT = "InvalidDefault"
INVALID_RUNNER = "InvalidRunner"
INVALID_NAME = "InvalidName"
INVALID_NODE = "InvalidNode"
INVALID_NODE_ID = "InvalidNodeId"
INVALID_MAP = "InvalidMap"
INVALID_GATE = "InvalidGate"
INVALID_INPUT = "InvalidInput"
INVALID_OUTPUT = "InvalidOutput"
INVALID_OVERRIDE = "InvalidOverride"
INVALID_PARTITION = "InvalidPartition"
INVALID_SCHEDULE = "InvalidSchedule"
INVALID_TEMPLATE = "InvalidTemplate"
INVALID_EXPRESSION = "InvalidExpression"
INVALID_REFERENCE = "InvalidReference"
UNKNOWN_REFERENCE = "UnknownReference"
TYPE_MISMATCH = "TypeMismatch"
CASES_DISAGREE = "CasesDisagree"
MISSING_INPUT = "MissingInput"
UNKNOWN_INPUT = "UnknownInput"
CYCLE = "Cycle"
UNREACHABLE = "Unreachable"
DUPLICATE_NODE = "DuplicateNode"
ACTOR_NOT_FOUND = "ActorEnvironmentNotFound"
NOT_FOUND = {
    "Task": "TaskNotFound",
    "Workflow": "WorkflowNotFound",
    "LaunchPlan": "LaunchPlanNotFound",
    "ActorEnvironment": ACTOR_NOT_FOUND,
}
"""By kind, the reason of what heals by itself once an object arrives."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_$][-A-Za-z0-9_$]*\Z")


class Finding(NamedTuple):
    """One thing that is wrong."""

    path: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def field_path(*parts: str | int) -> str:
    """A path from its parts: ``field_path("spec", "nodes", 2, "inputs", "x")`` → ``spec.nodes[2].inputs.x``.

    The first part may be a path already and stays as it is. Keys which would not read well after a dot stand in
    brackets: ``spec.env["a.b"]``.
    """
    if not parts:
        return ""
    text = str(parts[0])
    for part in parts[1:]:
        text += _step(part, first=not text)
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint to append to a message: ``; did you mean `text`?``, else the words there are, else nothing."""
    words = sorted(set(known))
    if not words:
        return ""
    import difflib  # noqa: PLC0415  needed only once something is wrong; pods shall not load it

    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    shown = ", ".join(f"`{item}`" for item in words[:10])
    return f"; there is {shown}" + (f" and {len(words) - 10} more" if len(words) > 10 else "")


def _step(part: str | int, first: bool) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    if _PLAIN_KEY.match(part):
        return part if first else f".{part}"
    return f"[{json.dumps(part, ensure_ascii=False)}]"
