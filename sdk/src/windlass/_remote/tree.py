"""An Execution's status as text: a tree for terminals, a line per change for logs, outputs and errors for both.

Pure: a status (and, for what is still running, the time) goes in, lines come out. Nodes are told in the order of their
ids with numbers counted as numbers, for the API server sorts n10 before n2.

    wordcount-x1  Running 3/7  2.1s
    ├ ✔ n0 split   0.8s
    ├ ◐ n1 count_words   1.2s  3 of 8, 5 running
    ├ ◐ n2 report   0.2s
    ├   ◐ n2.n0 publish   0.2s  attempt 1
    └ ◐ n3 ready   0.1s  waits for an answer, at most 59m12s
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

Status = Mapping[str, Any]

MARKS = {
    "Pending": "○",
    "Queued": "◌",
    "Running": "◐",
    "Succeeded": "✔",
    "Failed": "✖",
    "Skipped": "↷",
    "Cancelled": "⊘",
}
_SPIN = "◐◓◑◒"
_COLOURS = {
    **dict.fromkeys("◐◓◑◒", 36),
    **{"✔": 32, "✖": 31, "↷": 90, "⊘": 33, "○": 90, "◌": 34, "!": 33},
}
_ASCII = str.maketrans({
    **{"○": ".", "◌": "~", "✔": "+", "✖": "x", "↷": ">", "⊘": "-", "…": "~"},
    **dict(zip("◐◓◑◒", "|/-\\", strict=True)),
    **{"├": "|", "└": "`"},
})  # fmt: skip
_HOLDING = (("Accepted", "False", "not accepted"), ("Stalled", "True", "stalled"), ("Suspended", "True", "suspended"))
_OPEN = ("Failed", "Running", "Queued")  # shown first where not every node has room
_WIDE_VALUE = 100
_REUSED = "Reused"  # what an earlier run had done
_PATIENCE = 10  # seconds after which the operator is missed


def lines(
    name: str, status: Status, now: float, *, created: float = 0, width: int = 200, height: int = 10_000
) -> list[str]:
    """The tree, no wider and no higher than that. `now` and `created` are seconds since the epoch."""
    top = head(name, status, now, created)
    nodes = _nodes(status)
    shown, rest = _room(nodes, max(height - len(top), 1))
    tails = [_node(node_id, node, now) for node_id, node in shown]
    if rest:
        counts = Counter(node["phase"] for _, node in rest)
        told = ", ".join(f"{count} {phase.lower()}" for phase, count in counts.most_common())
        tails.append(f"… {len(rest)} more: {told}")
    branches = [f"{'└' if index == len(tails) - 1 else '├'} {tail}" for index, tail in enumerate(tails)]
    return [_cut(line, width) for line in (*top, *branches)]


def changes(before: Status, after: Status) -> list[str]:
    """What happened between two states, a line each: conditions that hold things up, then nodes, then the whole."""
    told = [line for line in _waiting(after, 0, 0) if line not in _waiting(before, 0, 0)]
    known = before.get("nodes") or {}
    for node_id, node in _nodes(after):
        was = known.get(node_id) or {"phase": "Pending"}
        if any(was.get(key) != node.get(key) for key in ("phase", "attempt", "reason", "signal")) and _news(was, node):
            told.append(_node(node_id, node, None))
    phase = after.get("phase")
    if phase and phase != before.get("phase"):
        told.append(" ".join(part for part in (phase, after.get("progress", "")) if part))
    return told


def outputs(values: Mapping[str, Any]) -> str:
    """Outputs to read: a single unnamed one by itself, others with their names; texts as they are."""
    if list(values) == ["o0"]:
        return readable(values["o0"])
    told = []
    for name, value in values.items():
        text = readable(value)
        told.append(f"{name}:\n{text}" if "\n" in text else f"{name}: {text}")
    return "\n".join(told)


def readable(value: Any) -> str:
    """A value on one line where it is short, indented where it is not."""
    if isinstance(value, str):
        return value
    flat = json.dumps(value, ensure_ascii=False)
    return flat if len(flat) <= _WIDE_VALUE else json.dumps(value, ensure_ascii=False, indent=2)


def error(name: str, status: Status) -> str:
    """Why it failed: the node, the message, the user's traceback; without an error, what the conditions say."""
    found = status.get("error") or {}
    node_id = found.get("node")
    node = (status.get("nodes") or {}).get(node_id) or {}
    where = f" in node {node_id}" + (f" ({display(node)})" if display(node) else "") if node_id else ""
    message = found.get("message") or _condition_message(status)
    kind = found.get("type") or found.get("code") or ""
    what = f"{name} failed{where}: " + (
        f"{kind}: {message}" if kind and message else kind or message or "no reason given"
    )
    trace = (found.get("traceback") or "").rstrip()
    return f"{what}\n\n{trace}" if trace else what


def paint(line: str) -> str:
    """The line with its mark in colour."""
    return re.sub(f"[{''.join(_COLOURS)}]", lambda mark: f"\x1b[{_COLOURS[mark[0]]}m{mark[0]}\x1b[0m", line, count=1)


def plain(line: str) -> str:
    """The line for terminals that know ASCII only."""
    return line.translate(_ASCII)


def duration(seconds: float) -> str:
    """0.8s, 12s, 3m05s, 1h02m."""
    seconds = max(seconds, 0)
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"


def timestamp(text: str) -> float:
    """RFC 3339, as Kubernetes writes it, as seconds since the epoch."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def head(name: str, status: Status, now: float, created: float) -> list[str]:
    """The run as a whole, and what holds it up."""
    words = " ".join(part for part in (status.get("phase") or "Pending", status.get("progress", "")) if part)
    whole = "  ".join(part for part in (name, words, took(status, now)) if part)
    return [whole, *_waiting(status, now, created)]


def _waiting(status: Status, now: float, created: float) -> list[str]:
    """Why nothing goes on, as far as anybody said."""
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    told = []
    for kind, holding, word in _HOLDING:
        found = conditions.get(kind)
        if found is not None and found["status"] == holding:
            told.append(": ".join(part for part in (f"! {word}", found.get("reason"), found.get("message")) if part))
    if not status and created and now - created > _PATIENCE:
        told.append(
            "! no operator has taken it up yet; is it running? kubectl get pods -A -l app.kubernetes.io/name=windlass"
        )
    return told


def _nodes(status: Status) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted((status.get("nodes") or {}).items(), key=lambda item: in_order(item[0]))


def in_order(node_id: str) -> list[list[tuple[int, int, str]]]:
    """What ids of nodes are sorted by: those of a sub-workflow behind its own, numbers as numbers."""
    return [_natural(part) for part in node_id.split(".")]


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]


def _room(nodes: list[tuple[str, Any]], height: int) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """The nodes that are shown and those that are only counted; the latter take a line themselves."""
    if len(nodes) <= height:
        return nodes, []
    by_interest = sorted(nodes, key=lambda item: item[1]["phase"] not in _OPEN)
    chosen = {node_id for node_id, _ in by_interest[: height - 1]}
    return [item for item in nodes if item[0] in chosen], [item for item in nodes if item[0] not in chosen]


def _node(node_id: str, node: Mapping[str, Any], now: float | None) -> str:
    phase = node["phase"]
    mark = MARKS.get(phase, "?")
    if phase == "Running" and now is not None:
        mark = _SPIN[int(now * 5) % len(_SPIN)]
    who = " ".join(part for part in (node_id, display(node)) if part)
    if now is None:
        who += f": {phase}"
    indent = "  " * node_id.count(".") if now is not None else ""
    facts = (took(node, now), _attempt(node), elements(node), child(node), _from_cache(node), _why(node, now))
    return indent + "  ".join(part for part in (f"{mark} {who}", *facts) if part)


def display(node: Mapping[str, Any]) -> str:
    """What a node is called, else what it runs."""
    return str(next((node[key] for key in ("name", "task", "workflow", "launchPlan") if node.get(key)), ""))


def took(item: Mapping[str, Any], now: float | None) -> str:
    """How long a run or node took, or has taken so far."""
    if not item.get("startedAt"):
        return ""
    if item.get("finishedAt"):
        return duration(timestamp(item["finishedAt"]) - timestamp(item["startedAt"]))
    return duration(now - timestamp(item["startedAt"])) if now is not None else ""


def _attempt(node: Mapping[str, Any]) -> str:
    """Counted from 0, as in the names of pods and logs; the first one isn't worth a word."""
    return f"attempt {node['attempt']}" if node.get("attempt") else ""


def last_attempt(node: Mapping[str, Any]) -> int | None:
    """The number of the current or last attempt, from 0; None where there was none, as when a result was there already.

    The operator leaves out a 0.
    """
    was_there = (node.get("cache") or {}).get("state") == "Hit" or node.get("reason") == _REUSED
    began = node.get("task") and node.get("startedAt") and not was_there
    return node.get("attempt") or (0 if began else None)


def elements(node: Mapping[str, Any]) -> str:
    """How far the elements of a map are: `3 of 8, 5 running`."""
    counts = node.get("elements")
    if not counts:
        return ""
    others = [f"{counts[word]} {word}" for word in ("running", "failed") if counts.get(word)]
    return ", ".join([f"{counts.get('succeeded', 0)} of {counts.get('total', 0)}", *others])


def child(node: Mapping[str, Any]) -> str:
    """The Execution that runs in the node's place."""
    return f"→ {node['execution']}" if node.get("execution") else ""


def _from_cache(node: Mapping[str, Any]) -> str:
    state = str((node.get("cache") or {}).get("state"))
    return {"Hit": "cached", "Waiting": "waits for the same work elsewhere"}.get(state, "")


def reason(node: Mapping[str, Any]) -> str:
    """Why a node is where it is, in the operator's words."""
    return ": ".join(part for part in (node.get("reason", ""), str(node.get("message", "")).partition("\n")[0]) if part)


def _why(node: Mapping[str, Any], now: float | None) -> str:
    """The reason of a node that is not simply on its way or done, and how long it waits at most."""
    if node["phase"] == "Succeeded":
        return ""
    told = reason(node) or ("waits for an answer" if node.get("signal") else "")
    if now is None or not node.get("until") or node.get("finishedAt"):
        return told
    left = f"at most {duration(timestamp(node['until']) - now)}"
    return f"{told}, {left}" if told else left


def _news(was: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Not every difference is: a node that waits, as before, for nothing in particular is none."""
    return (
        was["phase"] != node["phase"]
        or bool(node.get("reason") or node.get("signal"))
        or was.get("attempt", 0) != node.get("attempt", 0)
    )


def _condition_message(status: Status) -> str:
    conditions: Iterable[Mapping[str, Any]] = status.get("conditions") or ()
    for kind, holding in (("Failed", "True"), ("Accepted", "False"), ("Stalled", "True")):
        for condition in conditions:
            if condition["type"] == kind and condition["status"] == holding:
                return str(condition.get("message") or condition.get("reason") or "")
    return ""


def _cut(line: str, width: int) -> str:
    line = line.replace("\n", " ")
    return line if len(line) <= width else f"{line[: max(width - 1, 0)]}…"
