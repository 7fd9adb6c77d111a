"""The text of an Execution's status: what a terminal shows, what a log gets, outputs and errors."""

from __future__ import annotations

from typing import Any

import pytest

from windlass._remote import tree

NOW = tree.timestamp("2026-11-22T19:00:12Z")


def node(phase: str, started: str = "", finished: str = "", **more: Any) -> dict[str, Any]:
    times = {"startedAt": started and f"2026-11-22T{started}Z", "finishedAt": finished and f"2026-11-22T{finished}Z"}
    return {"phase": phase, **{key: value for key, value in times.items() if value}, **more}


RUNNING = {
    "phase": "Running",
    "progress": "2/7",
    "startedAt": "2026-11-22T19:00:00.000000Z",
    "nodes": {
        "n0": node("Succeeded", "19:00:00.100000", "19:00:00.900000", name="split"),
        "n1": node("Running", "19:00:01", name="count_words", attempt=1),
        "n10": node("Pending", name="merge"),
        "n2": node("Failed", "19:00:01", "19:00:02.5", task="job.count", reason="ValueError", message="no\nsuch word"),
        "n3": node("Queued", name="pull", reason="ImagePullBackOff", message="manifest unknown"),
        "n4": node("Skipped", name="rest"),
        "n5": node("Cancelled", name="late"),
    },
}


def test_a_run_is_a_tree_in_the_order_of_its_node_ids() -> None:
    assert "\n".join(tree.lines("wc-x1", RUNNING, NOW)) == (
        """\
wc-x1  Running 2/7  12s
├ ✔ n0 split  0.8s
├ ◐ n1 count_words  11s  attempt 1
├ ✖ n2 job.count  1.5s  ValueError: no
├ ◌ n3 pull  ImagePullBackOff: manifest unknown
├ ↷ n4 rest
├ ⊘ n5 late
└ ○ n10 merge"""
    )


def test_what_runs_is_seen_to_move() -> None:
    frames = {tree.lines("x", RUNNING, NOW + tenth / 10)[2][2] for tenth in range(10)}
    assert frames == set("◐◓◑◒")


def test_a_run_nobody_has_taken_up_says_so_after_a_while() -> None:
    assert tree.lines("x", {}, NOW, created=NOW - 3) == ["x  Pending"]
    assert tree.lines("x", {}, NOW, created=NOW - 30) == [
        "x  Pending",
        "! no operator has taken it up yet; is it running? kubectl get pods -A -l app.kubernetes.io/name=windlass",
    ]


@pytest.mark.parametrize(
    ("condition", "line"),
    [
        (
            {"type": "Accepted", "status": "False", "reason": "TaskNotFound", "message": "there is no Task a.b"},
            "! not accepted: TaskNotFound: there is no Task a.b",
        ),
        (
            {"type": "Stalled", "status": "True", "reason": "Quota", "message": "no room"},
            "! stalled: Quota: no room",
        ),
    ],
)
def test_what_holds_it_up_is_told_live(condition: dict[str, str], line: str) -> None:
    status = {"phase": "Pending", "conditions": [condition]}
    assert tree.lines("x", status, NOW)[1] == line
    assert line in tree.changes({}, status)
    assert line not in tree.changes(status, status)


def test_a_wide_run_shows_what_is_going_on_and_counts_the_rest() -> None:
    phases = ["Succeeded"] * 50 + ["Running"] * 3 + ["Pending"] * 40 + ["Failed"]
    status = {"phase": "Running", "nodes": {f"n{i}": node(phase) for i, phase in enumerate(phases)}}
    lines = tree.lines("x", status, 0.0, height=7)
    assert lines == [
        "x  Running",
        "├ ✔ n0",
        "├ ◐ n50",
        "├ ◐ n51",
        "├ ◐ n52",
        "├ ✖ n93",
        "└ … 89 more: 49 succeeded, 40 pending",
    ]


def test_no_line_is_wider_than_the_terminal() -> None:
    lines = tree.lines("x" * 40, RUNNING, NOW, width=20)
    assert max(map(len, lines)) == 20
    assert lines[0].endswith("…")


def test_a_log_gets_a_line_for_each_change() -> None:
    before = {
        "phase": "Running",
        "nodes": {"n0": node("Running", "19:00:00.100000", name="split"), "n1": node("Pending")},
    }
    after = {
        "phase": "Succeeded",
        "progress": "2/2",
        "nodes": {"n0": RUNNING["nodes"]["n0"], "n1": node("Queued", reason="Unschedulable", message="no node")},  # type: ignore[index]  # a literal above
    }
    assert tree.changes({}, before) == ["◐ n0 split: Running", "Running"]
    assert tree.changes(before, after) == [
        "✔ n0 split: Succeeded  0.8s",
        "◌ n1: Queued  Unschedulable: no node",
        "Succeeded 2/2",
    ]
    assert tree.changes(after, after) == []


def test_nodes_of_a_workflow_in_the_run_stand_below_it() -> None:
    nodes = {
        "n2": node("Running", "19:00:11", workflow="inner"),
        "n10": node("Pending"),
        "n2.n10": node("Pending", name="b"),
        "n2.n9": node("Running", "19:00:11", name="a"),
        "n2.n9.n0": node("Succeeded", name="c", cache={"state": "Hit"}),
    }
    assert [
        line.translate(dict.fromkeys(map(ord, "◓◑◒"), "◐")) for line in tree.lines("x", {"nodes": nodes}, NOW)[1:]
    ] == [
        "├ ◐ n2 inner  1.0s",
        "├   ◐ n2.n9 a  1.0s",
        "├     ✔ n2.n9.n0 c  cached",
        "├   ○ n2.n10 b",
        "└ ○ n10",
    ]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"elements": {"total": 9, "succeeded": 4, "running": 3, "pending": 2}}, "4 of 9, 3 running"),
        ({"elements": {"total": 9, "failed": 1}}, "0 of 9, 1 failed"),
        ({"launchPlan": "nightly", "execution": "x-n0-0"}, "→ x-n0-0"),
        ({"signal": "x.ready", "until": "2026-11-22T19:01:00Z"}, "waits for an answer, at most 48s"),
        ({"until": "2026-11-22T19:00:20Z"}, "at most 8.0s"),
        ({"cache": {"state": "Waiting"}}, "waits for the same work elsewhere"),
        ({"reason": "Suspended", "message": "the run is suspended"}, "Suspended: the run is suspended"),
    ],
)
def test_a_node_says_what_it_is_at(more: dict[str, Any], told: str) -> None:
    (line,) = tree.lines("x", {"nodes": {"n0": node("Running", **more)}}, NOW)[1:]
    assert line.endswith(f"  {told}")


def test_a_log_is_told_of_a_gate_and_where_a_suspended_run_stands() -> None:
    waiting = {"nodes": {"n0": node("Running", signal="x.ready", until="2026-11-22T19:01:00Z")}}
    assert tree.changes({"nodes": {"n0": node("Running")}}, waiting) == ["◐ n0: Running  waits for an answer"]
    assert tree.changes(waiting, waiting) == []
    suspended = {
        "phase": "Suspended",
        "conditions": [{"type": "Suspended", "status": "True", "reason": "BySpec", "message": "by spec.suspend"}],
    }
    assert tree.changes({"phase": "Running"}, suspended) == ["! suspended: BySpec: by spec.suspend", "Suspended"]
    condition = {"type": "Suspended", "status": "True", "reason": "Requested", "message": ""}  # as the operator has it
    suspended["conditions"] = [condition]
    assert tree.changes({"phase": "Running"}, suspended) == ["! suspended: Requested", "Suspended"]


def test_another_attempt_is_a_change() -> None:
    first = {"nodes": {"n0": node("Running")}}
    second = {"nodes": {"n0": node("Running", attempt=1)}}
    assert tree.changes(first, second) == ["◐ n0: Running  attempt 1"]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"o0": "plain text\nof two lines"}, "plain text\nof two lines"),
        ({"o0": {"a": 1, "b": [True, None]}}, '{"a": 1, "b": [true, null]}'),
        ({"total": 3, "text": "a\nb"}, "total: 3\ntext:\na\nb"),
        ({"o0": list(range(40))}, "[\n  0,\n" + "".join(f"  {i},\n" for i in range(1, 39)) + "  39\n]"),
        ({}, ""),
    ],
)
def test_outputs_are_told_to_be_read(values: dict[str, Any], text: str) -> None:
    assert tree.outputs(values) == text


def test_a_failure_names_the_node_and_ends_with_the_traceback() -> None:
    status = {
        "phase": "Failed",
        "nodes": {"n3": node("Failed", name="report")},
        "error": {"node": "n3", "type": "ValueError", "message": "no", "traceback": "Traceback …\nValueError: no\n"},
    }
    assert tree.error("wc-x1", status) == (
        "wc-x1 failed in node n3 (report): ValueError: no\n\nTraceback …\nValueError: no"
    )


def test_a_failure_without_an_error_tells_what_the_conditions_say() -> None:
    condition = {"type": "Failed", "status": "True", "reason": "Cycle", "message": "n0 waits for itself"}
    assert tree.error("x", {"conditions": [condition]}) == "x failed: n0 waits for itself"
    assert tree.error("x", {}) == "x failed: no reason given"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0.0s"), (0.84, "0.8s"), (12.4, "12s"), (185, "3m05s"), (3600 + 125, "1h02m")],
)
def test_durations_are_as_fine_as_they_need_to_be(seconds: float, text: str) -> None:
    assert tree.duration(seconds) == text


def test_colour_and_ascii_change_the_marks_only() -> None:
    assert tree.paint("├ ✔ n0 a ✖ b") == "├ \x1b[32m✔\x1b[0m n0 a ✖ b"
    assert tree.paint("├ no mark") == "├ no mark"
    assert tree.plain("└ ✔ n0 …") == "` + n0 ~"
