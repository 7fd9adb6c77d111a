"""What a run's status says of its nodes, in words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sdk.fake_api import execution
from windlass._remote import explaining, tree
from windlass._remote.client import NotThereError

NOW = tree.timestamp("2026-11-22T19:00:12Z")

NODES: dict[str, Any] = {
    "n0": {"phase": "Succeeded", "name": "split", "cache": {"state": "Hit", "entry": "cache-1", "message": "of run-0"}},
    "n1": {"phase": "Running", "name": "each", "elements": {"total": 8, "succeeded": 3, "running": 4, "failed": 1}},
    "n2": {"phase": "Running", "workflow": "inner", "startedAt": "2026-11-22T19:00:00Z"},
    "n2.n10": {"phase": "Pending", "name": "late"},
    "n2.n9": {
        "phase": "Running",
        "task": "job.count",
        "attempt": 1,
        "failures": {"user": 1, "system": 0},
        "startedAt": "2026-11-22T19:00:10Z",
    },
    "n3": {
        "phase": "Running",
        "name": "ready",
        "signal": "run-1.ready",
        "reason": "Approval",
        "until": "2026-11-22T19:01:12Z",
    },
    "n14": {"phase": "Running", "name": "size", "signal": "run-1.size", "reason": "Input", "message": "waits"},
    "n4": {"phase": "Running", "name": "pause", "until": "2026-11-22T19:00:42Z"},
    "n5": {"phase": "Running", "launchPlan": "nightly", "execution": "run-1-n5-0"},
    "n6": {"phase": "Queued", "task": "a", "reason": "ErrImagePull", "message": "no such image\nat all"},
    "n7": {"phase": "Pending", "task": "b", "attempt": 1, "retryAt": "2026-11-22T19:00:20Z"},
    "n8": {"phase": "Pending", "task": "c", "cache": {"state": "Waiting", "message": "run-9 computes it"}},
    "n9": {"phase": "Failed", "task": "d", "reason": "ValueError", "message": "no", "resume": "it had failed"},
    "n11": {"phase": "Skipped", "task": "e"},
    "n12": {"phase": "Succeeded", "task": "f"},
    "n13": {"phase": "Queued", "task": "g", "cache": {"state": "Miss", "message": "another code"}},
}


def explained(node: str | None = None, **status: Any) -> list[str]:
    obj = execution("run-1", "Running", progress="3/13", nodes=NODES, **status)
    obj["metadata"]["creationTimestamp"] = "2026-11-22T19:00:00Z"
    return explaining.lines(obj, NOW, node)


def test_each_node_says_what_it_waits_for_and_where_its_result_came_from() -> None:
    assert explained() == [
        "run-1  Running 3/13",
        "n0 split: its result was taken from the cache (cache-1): of run-0",
        "n1 each: 3 of 8, 4 running, 1 failed",
        "n2 inner: runs",
        "n2.n9 job.count: runs",
        "n2.n10 late: waits for nodes before it",
        "n3 ready: waits for an answer to the Signal run-1.ready until 2026-11-22T19:01:12Z (1m00s):"
        " windlass approve run-1 ready, windlass reject run-1 ready",
        "n4 pause: waits until 2026-11-22T19:00:42Z (30s)",
        "n5 nightly: run-1-n5-0 runs in its place: windlass explain run-1-n5-0",
        "n6 a: ErrImagePull: no such image",
        "n7 b: its next attempt begins at 2026-11-22T19:00:20Z (8.0s)",
        "n8 c:",
        "  waits for nodes before it",
        "  waits for another run that does the same work: run-9 computes it",
        "n9 d:",
        "  failed: ValueError: no",
        "  resumed: it had failed",
        "n11 e: skipped",
        "n13 g:",
        "  its pod is there, and has not begun",
        "  the cache had no result for it: another code",
        "n14 size: waits for an answer to the Signal run-1.size: windlass answer run-1 size VALUE",
    ]


def test_one_node_says_everything() -> None:
    assert explained("n2.n9") == [
        "n2.n9 job.count:",
        "  Running, 2.0s",
        "  runs",
        "  attempt 1, failures so far: 1 user",
        "  logs: windlass logs run-1 n2.n9, or while it has a pod of its own,"
        " kubectl logs -n team -l windlass.dev/execution=run-1,windlass.dev/node=n2.n9 --tail=-1",
    ]


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ({}, ["  attempt 0", "  logs: windlass logs run-1 n1, {}"]),
        (
            {"elements": {"total": 2, "succeeded": 2}},
            ["  attempt 0", "  logs: windlass logs run-1 n1 --element N, {}"],
        ),
        ({"cache": {"state": "Hit", "entry": "c"}}, ["  its result was taken from the cache (c)"]),
        ({"reason": "Reused", "resume": "taken from run-0"}, ["  resumed: taken from run-0"]),
    ],
)
def test_a_first_attempt_is_told_with_its_log_unless_the_result_was_there_already(
    node: dict[str, Any], told: list[str]
) -> None:
    times = {"startedAt": "2026-11-22T19:00:10Z", "finishedAt": "2026-11-22T19:00:11Z"}
    obj = execution("run-1", "Running", nodes={"n1": {"phase": "Succeeded", "task": "job.f", **times, **node}})
    labels = "windlass.dev/execution=run-1,windlass.dev/node=n1"
    pods = f"or while it has a pod of its own, kubectl logs -n team -l {labels} --tail=-1"
    assert explaining.lines(obj, NOW, "n1")[2:] == [line.format(pods) for line in told]


def test_a_node_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(NotThereError, match=r"run-1 has no node n99.*; it has n0, n1, n2, n2\.n9, n2\.n10, n3"):
        explained("n99")


def test_what_holds_up_the_whole_run_comes_first() -> None:
    conditions = [{"type": "Suspended", "status": "True", "reason": "BySpec", "message": "spec.suspend is true"}]
    assert explained(conditions=conditions)[1] == "! suspended: BySpec: spec.suspend is true"


def test_a_resumed_run_says_of_which_and_a_run_without_stories_that_there_are_none() -> None:
    resumed = execution("run-2", "Succeeded", spec={"resumeFrom": {"execution": "run-1"}})
    resumed["status"]["nodes"] = {"n0": {"phase": "Succeeded", "task": "a", "resume": "same inputs and definition"}}
    assert explaining.lines(resumed, NOW) == [
        "run-2  Succeeded",
        "it takes over what run-1 has done, where that still counts",
        "n0 a: resumed: same inputs and definition",
    ]
    plain = execution("run-3", "Succeeded", nodes={"n0": {"phase": "Succeeded"}})
    assert explaining.lines(plain, NOW)[1:] == ["every node has run to its end, and none was taken from anywhere"]
    assert explaining.lines(execution("run-4", "Failed"), NOW) == ["run-4  Failed"], "it was refused, and has none"
