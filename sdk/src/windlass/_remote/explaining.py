"""Why the nodes of a run are where they are, in words: what they wait for, why they failed, where results came from.

Pure: an Execution and the time go in, lines come out.

    wc-x1  Running 3/5  12s
    n1 count_words: 3 of 8, 5 running
    n3 ready: waits for an answer to the Signal wc-x1.ready until 2026-11-22T20:00:00Z (59m48s): windlass approve …
    n4 report: waits for nodes before it
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windlass._remote import logs, tree
from windlass._remote.client import NotThereError, Object
from windlass_api.findings import did_you_mean
from windlass_api.names import LABEL_EXECUTION, LABEL_NODE, label_value

Node = Mapping[str, Any]

_ENDED = ("Succeeded", "Failed", "Skipped", "Cancelled")
_PLAINLY = {
    "Pending": "waits for nodes before it",
    "Queued": "its pod is there, and has not begun",
    "Running": "runs",
}
_CACHE = {
    "Checking": "its pod looks whether a cached result is still in the store",
    "Hit": "its result was taken from the cache",
    "Miss": "the cache had no result for it",
    "Stored": "its result was put into the cache",
    "Waiting": "waits for another run that does the same work",
    "Failed": "the cache could not be used",
}


def lines(execution: Object, now: float, node_id: str | None = None) -> list[str]:
    """What there is to say of a run, or all about one of its nodes. Raises NotThereError where it has no such node."""
    name, status = execution["metadata"]["name"], execution.get("status") or {}
    nodes: dict[str, Node] = dict(sorted((status.get("nodes") or {}).items(), key=lambda item: tree.in_order(item[0])))
    if node_id is not None:
        if node_id not in nodes:
            known = ", ".join(nodes) or "none yet"
            raise NotThereError(f"{name} has no node {node_id}{did_you_mean(node_id, nodes)}; it has {known}", 404)
        return _everything(execution, node_id, nodes[node_id], now)
    told = [
        line
        for one, node in nodes.items()
        for line in _said(_title(one, node), [*_state(name, node, now), *_origin(node)])
    ]
    created = tree.timestamp(execution["metadata"]["creationTimestamp"])
    head = tree.head(name, status, now, created)
    if nodes and not told and status.get("phase") in _ENDED:
        told = ["every node has run to its end, and none was taken from anywhere"]
    return [*head, *_resumed(execution), *told]


def _resumed(execution: Object) -> list[str]:
    earlier = (execution["spec"].get("resumeFrom") or {}).get("execution")
    return [f"it takes over what {earlier} has done, where that still counts"] if earlier else []


def _said(title: str, facts: list[str]) -> list[str]:
    """Facts about a node: one on the line of its title, several below it."""
    if len(facts) < 2:
        return [f"{title}: {fact}" for fact in facts]
    return [f"{title}:", *(f"  {fact}" for fact in facts)]


def _title(node_id: str, node: Node) -> str:
    return " ".join(part for part in (node_id, tree.display(node)) if part)


def _everything(execution: Object, node_id: str, node: Node, now: float) -> list[str]:
    name, namespace = execution["metadata"]["name"], execution["metadata"]["namespace"]
    took = tree.took(node, now)
    facts = [f"{node['phase']}{f', {took}' if took else ''}", *_state(name, node, now), *_origin(node)]
    failures = ", ".join(f"{count} {kind}" for kind, count in (node.get("failures") or {}).items() if count)
    attempt = tree.last_attempt(node)
    if attempt is not None:
        facts.append(f"attempt {attempt}{f', failures so far: {failures}' if failures else ''}")
    if node.get("task") and attempt is not None:
        selector = f"{LABEL_EXECUTION}={name},{LABEL_NODE}={label_value(node_id)}"
        facts.append(
            f"logs: {_logs(name, node_id, node)}, or while it has a pod of its own,"
            f" kubectl logs -n {namespace} -l {selector} --tail=-1"
        )
        facts += [f"{of}: {url}" for of, url in _links(execution, node_id, node, attempt)]
    return _said(_title(node_id, node), facts)


def _logs(name: str, node_id: str, node: Node) -> str:
    return f"windlass logs {name} {node_id}{' --element N' if 'elements' in node else ''}"


def _links(execution: Object, node_id: str, node: Node, attempt: int) -> list[tuple[str, str]]:
    """Those to the log of the last attempt; of a map, which has many, none."""
    return [] if "elements" in node else logs.links(logs.Attempt(execution, node_id, attempt))


def _state(name: str, node: Node, now: float) -> Iterator[str]:
    """What a node waits for or is at, or why it did not succeed."""
    phase = node["phase"]
    if phase == "Succeeded":
        return
    if phase in _ENDED:
        yield ": ".join(part for part in (phase.lower(), tree.reason(node)) if part)
        return
    why = "" if node.get("signal") else tree.reason(node)
    facts = [fact for fact in (why, *_waits(name, node, now)) if fact]
    yield from facts or [_PLAINLY[phase]]


def _waits(name: str, node: Node, now: float) -> Iterator[str]:
    if node.get("signal"):
        gate = str(node["signal"]).removeprefix(f"{name}.")
        how = _how_to_answer(node, f"{name} {gate}")
        yield f"waits for an answer to the Signal {node['signal']}{_until(node, now)}: {how}"
    elif node.get("until"):
        yield f"waits{_until(node, now)}"
    if node.get("retryAt"):
        left = tree.duration(tree.timestamp(node["retryAt"]) - now)
        yield f"its next attempt begins at {node['retryAt']} ({left})"
    if node.get("execution"):
        yield f"{node['execution']} runs in its place: windlass explain {node['execution']}"
    if node.get("elements"):
        yield tree.elements(node)


def _how_to_answer(node: Node, gate: str) -> str:
    approve, answer = f"windlass approve {gate}, windlass reject {gate}", f"windlass answer {gate} VALUE"
    match node.get("reason"):
        case "Approval":
            return approve
        case "Input":
            return answer
        case _:  # of an operator that doesn't say
            return f"{approve}, or where it asks for a value: {answer}"


def _until(node: Node, now: float) -> str:
    if not node.get("until"):
        return ""
    return f" until {node['until']} ({tree.duration(tree.timestamp(node['until']) - now)})"


def _origin(node: Node) -> Iterator[str]:
    """What the cache and an earlier run had to do with it."""
    cache = node.get("cache") or {}
    if cache.get("state"):
        entry = f" ({cache['entry']})" if cache.get("entry") else ""
        why = f": {cache['message']}" if cache.get("message") else ""
        yield f"{_CACHE.get(cache['state'], cache['state'])}{entry}{why}"
    if node.get("deck"):
        yield f"its report is at {node['deck']}"
    if node.get("resume"):
        yield f"resumed: {node['resume']}"
