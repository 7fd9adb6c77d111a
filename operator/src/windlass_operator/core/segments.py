"""The outcomes of a map's elements, as they are kept: ConfigMaps that are only added to.

::

    e-n1-segment-0   {"0": {"ok": 12}, "3": {"failed": {"code": …, "message": …}}, "1": {"attempts": [1, 0, 1, 0]}, …}
    e-n1-segment-1   …                                       (the last one is rewritten until it is full, then never)

A status has no room for ten thousand results, so it has counters, and this is the truth: an element whose outcome
stands in a segment never runs again, whatever becomes of its pod. What is said later about an element counts. An
element that has not run says so: ``"from": "cache"``, or ``"earlier"`` for an earlier run.

``unwritten`` outcomes go into the next segment at most ``FLUSH`` seconds after they came, many at a time: writes per
element stay far below one.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from typing import Any

from windlass_api import names
from windlass_operator.core.observed import CACHE, CANCELLED, EARLIER, FAILED, SUCCEEDED, Elements, NodeState
from windlass_operator.kinds.evidence import Failure, FailureKind
from windlass_operator.manifests.objects import Manifest, compress, labels

FLUSH = 1.0
FULL = 128 * 1024
"""Bytes of JSON from which on a segment is added to no more."""

ROLE = "segment"
KEY = "segment.json.gz"
MESSAGE = 512
"""Characters of an element's message that are kept."""


def outcome(elements: Elements, index: int) -> dict[str, Any]:
    """What is written about an element."""
    letter = elements.phases[index]
    if letter == SUCCEEDED:
        origin = elements.origins.get(index)
        return {"ok": elements.results[index], **({"from": origin} if origin else {})}
    if letter == FAILED:
        failure = elements.failures[index]
        return {"failed": {"kind": failure.kind.value, "code": failure.code, "message": failure.message[:MESSAGE]}}
    if letter == CANCELLED:
        return {"cancelled": True}
    state = elements.states[index]
    return {"attempts": [state.attempt, state.user_failures, state.system_failures, state.oom_failures]}


def next_segments(elements: Elements) -> list[tuple[int, dict[str, Any]]]:
    """The segments that say what none says yet: number and content. The first may be the last one there is, with
    more in it.
    """
    number, content, size = max(elements.segments - 1, 0), dict(elements.tail), elements.tail_size
    made: list[tuple[int, dict[str, Any]]] = []
    for index in sorted(elements.unwritten):
        entry = outcome(elements, index)
        length = len(names.canonical_json(entry))
        if content and size + length > FULL:
            if made or content != elements.tail:
                made.append((number, content))
            number, content, size = number + 1, {}, 0
        content[str(index)] = entry
        size += length
    made.append((number, content))
    return made


def written(elements: Elements, number: int, content: Mapping[str, Any], version: str) -> Elements:
    """The elements, once a segment has been written."""
    after = elements.copy()
    after.segments, after.tail, after.tail_version = max(after.segments, number + 1), dict(content), version
    after.tail_size = sum(len(names.canonical_json(entry)) for entry in content.values())
    after.unwritten -= {int(index) for index in content}
    after.origins = {index: origin for index, origin in after.origins.items() if index in after.unwritten}
    return after


def manifest(
    name: str, namespace: str, execution: str, node: str, content: Mapping[str, Any], owner: Manifest
) -> Manifest:
    """The ConfigMap of a segment."""
    extra = {
        names.LABEL_EXECUTION: execution,
        names.LABEL_NODE: names.label_value(node),
        names.LABEL_ROLE: ROLE,
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels(**extra),
            "annotations": {names.ANNOTATION_NODE: node},
            "ownerReferences": [owner],
        },
        "binaryData": {KEY: base64.b64encode(compress(names.canonical_json(content))).decode("ascii")},
    }


def content_of(config_map: Mapping[str, Any]) -> dict[str, Any]:
    """What a segment says."""
    data = (config_map.get("binaryData") or {}).get(KEY)
    found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(data))) if data else {}
    return found


def read_segments(elements: Elements, config_maps: Iterable[Mapping[str, Any]]) -> Elements:
    """The elements with all that is written about them. The segments come in their order."""
    full = elements.copy()
    full.loaded, full.fresh, full.next = True, True, 0
    for number, config_map in enumerate(config_maps):
        content = content_of(config_map)
        for index, entry in content.items():
            _read(full, int(index), entry)
        full.segments, full.tail = number + 1, content
        full.tail_size = sum(len(names.canonical_json(entry)) for entry in content.values())
        full.tail_version = config_map["metadata"].get("resourceVersion", "")
    return full


def _read(elements: Elements, index: int, entry: Mapping[str, Any]) -> None:
    if index >= elements.total:
        return
    elements.states.pop(index, None)
    if "ok" in entry:
        elements.phases[index], elements.results[index] = SUCCEEDED, entry["ok"]
        elements.hits += entry.get("from") == CACHE
        elements.reused += entry.get("from") == EARLIER
    elif "failed" in entry:
        failed = entry["failed"]
        elements.phases[index] = FAILED
        elements.failures[index] = Failure(FailureKind(failed["kind"]), failed["code"], failed["message"])
    elif "cancelled" in entry:
        elements.phases[index] = CANCELLED
    else:
        attempt, user, system, oom = entry["attempts"]
        elements.states[index] = NodeState(
            attempt=attempt, user_failures=user, system_failures=system, oom_failures=oom
        )
