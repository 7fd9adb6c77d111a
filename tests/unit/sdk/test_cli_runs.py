"""The commands on runs, as their users type them, without a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.unit.sdk.fake_api import FakeApi, execution, thing
from windlass import _remote
from windlass._cli import main
from windlass._cli.retry import again


class Result(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Cli = Callable[..., Result]


def signal(name: str, ask: str, phase: str = "Waiting", run: str = "run-1", **spec: Any) -> dict[str, Any]:
    asked = {"execution": run, "name": name, "ask": ask, "node": f"n-{name}", **spec}
    return thing("Signal", f"{run}.{name}", asked, status={"phase": phase})


@pytest.fixture
def api() -> FakeApi:
    return FakeApi(
        execution("run-1", "Running"),
        execution("held", "Suspended", spec={"suspend": True}),
        execution(
            "over", "Failed", metadata={"generateName": "flow-", "labels": {"tag.windlass.dev/x": "true", "a": "b"}}
        ),
        execution("new"),
        signal("ready", "Approval"),
        signal("done", "Approval", "Answered", answer={"approved": False}),
        signal("late", "Input", "Expired", type="int"),
        signal("limit", "Input", type="float"),
        signal("words", "Input", type="list[str]"),
        signal("wrong", "Input", "Invalid", type="dict[str, optional[int]]", answer={"value": {"a": "b"}}),
        signal("elsewhere", "Approval", run="run-2"),
    )


@pytest.fixture
def cli(api: FakeApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    asked: list[dict[str, Any]] = []

    def connect(**place: Any) -> FakeApi:
        asked.append(place)
        return api

    monkeypatch.setattr(_remote, "connect", connect)

    def run(*words: str) -> Result:
        try:
            code = main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Result(code, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("command", "name", "spec", "told"),
    [
        ("cancel", "run-1", {"cancel": True}, "run-1: is being cancelled"),
        ("cancel", "new", {"cancel": True}, "new: is being cancelled"),
        ("suspend", "run-1", {"suspend": True}, "run-1: is suspended; it goes on with `windlass resume`"),
        ("suspend", "held", None, "held: is suspended already"),
        ("resume", "held", {"suspend": False}, "held: goes on"),
        ("resume", "run-1", None, "run-1: is not suspended"),
    ],
)
def test_a_run_is_stopped_held_and_let_go_on(
    cli: Cli, api: FakeApi, command: str, name: str, spec: dict[str, bool] | None, told: str
) -> None:
    assert cli(command, name) == (0, f"{told}\n", "")
    assert api.changes == ([(name, {"spec": spec})] if spec else [])


@pytest.mark.parametrize("command", ["cancel", "suspend", "resume"])
def test_what_has_ended_and_what_is_not_there_is_told_and_the_others_are_done(
    cli: Cli, api: FakeApi, command: str
) -> None:
    result = cli(command, "over", "nobody", "held", "run-1", "-n", "team")
    assert result.code == 1
    assert result.err.splitlines() == [
        "windlass: Execution over in namespace team has ended already: it is Failed",
        "windlass: Execution nobody in namespace team: not found",
    ]
    assert [line.partition(":")[0] for line in result.out.splitlines()] == ["held", "run-1"]


def test_a_run_is_tried_again_and_takes_over_what_was_done(cli: Cli, api: FakeApi) -> None:
    result = cli("retry", "over")
    assert (result.code, result.out) == (0, "flow-new\n")
    assert "kubectl get execution flow-new -n team --watch" in result.err
    ((_, made),) = api.changes
    assert made["spec"] == {"workflow": {"name": "flow"}, "inputs": {"n": 3}, "resumeFrom": {"execution": "over"}}
    assert made["metadata"] == {"generateName": "flow-", "namespace": "team", "labels": {"tag.windlass.dev/x": "true"}}


def test_a_run_is_tried_again_from_the_start(cli: Cli, api: FakeApi) -> None:
    assert cli("retry", "over", "--no-reuse").code == 0
    assert "resumeFrom" not in api.changes[0][1]["spec"]


def test_another_try_keeps_the_settings_of_the_run_but_not_what_was_done_to_it() -> None:
    spec = {"cancel": True, "suspend": False, "resumeFrom": {"execution": "older"}, "maxParallelism": 3}
    made = again(execution("a" * 50, "Cancelled", spec=spec))
    assert made["metadata"] == {"generateName": f"{'a' * 40}-", "namespace": "team"}
    assert made["spec"] == {
        "workflow": {"name": "flow"},
        "inputs": {"n": 3},
        "maxParallelism": 3,
        "resumeFrom": {"execution": "a" * 50},
    }


def test_another_try_may_be_followed_to_its_end(cli: Cli, api: FakeApi) -> None:
    def operate(obj: dict[str, Any]) -> None:
        obj["status"] = {"phase": "Succeeded", "outputs": {"o0": [1, 2]}}

    api.on_create = operate
    assert json.loads(cli("retry", "over", "--wait", "-o", "json").out) == {"o0": [1, 2]}


def test_only_what_has_ended_is_tried_again(cli: Cli, api: FakeApi) -> None:
    result = cli("retry", "held")
    assert result.code == 1
    assert "Execution held in namespace team has not ended: it is Suspended; `windlass cancel` ends it" in result.err
    assert api.changes == []


@pytest.mark.parametrize(
    ("words", "answer", "told"),
    [
        (["approve", "run-1", "ready"], {"approved": True}, "ready of run-1: approved"),
        (["approve", "run-1", "n-ready"], {"approved": True}, "ready of run-1: approved"),
        (["approve", "run-1", "run-1.ready"], {"approved": True}, "ready of run-1: approved"),
        (["reject", "run-1", "ready", "-m", "no"], {"approved": False, "message": "no"}, "ready of run-1: rejected"),
        (["answer", "run-1", "limit", "3"], {"value": 3.0}, "limit of run-1: 3.0"),
        (["answer", "run-1", "limit", "--", "-1.5"], {"value": -1.5}, "limit of run-1: -1.5"),
        (["answer", "run-1", "words", '["a", "b"]'], {"value": ["a", "b"]}, "words of run-1: ['a', 'b']"),
        (["answer", "run-1", "wrong", '{"a": null}'], {"value": {"a": None}}, "wrong of run-1: {'a': None}"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_a_gate_is_answered(cli: Cli, api: FakeApi, words: list[str], answer: dict[str, Any], told: str) -> None:
    assert cli(*words) == (0, f"{told}\n", "")
    ((name, change),) = api.changes
    assert name.startswith("run-1.")
    assert change == [{"op": "add", "path": "/spec/answer", "value": answer}]


def test_an_answer_may_come_from_a_file(cli: Cli, api: FakeApi, tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text('["x"]')
    assert cli("answer", "run-1", "words", f"@{tmp_path}/words.json").code == 0
    assert api.changes[0][1][0]["value"] == {"value": ["x"]}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["approve", "nobody", "ready"], 1, "Execution nobody in namespace team: not found"),
        (
            ["approve", "run-1", "redy"],
            1,
            "Execution run-1 in namespace team does not wait at a gate redy; it has reached ready, done, late, limit,"
            " words, wrong, and waits at ready, limit, words, wrong",
        ),
        (["approve", "over", "ready"], 1, "does not wait at a gate ready; it has reached none yet"),
        (["approve", "run-1", "limit"], 1, "limit of run-1 asks for a value: windlass answer"),
        (
            ["answer", "run-1", "ready", "true"],
            1,
            "ready of run-1 asks for approval: windlass approve, windlass reject",
        ),
        (
            ["approve", "run-1", "done"],
            1,
            "done of run-1 does not wait any more, it is Answered: it was answered with rejected",
        ),
        (["answer", "run-1", "late", "1"], 1, "late of run-1 does not wait any more, it is Expired"),
        (["answer", "run-1", "limit", "much"], 2, "limit: expected float, got 'much'"),
        (["answer", "run-1", "words", "[1]"], 2, "expected str, got 1"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_what_can_not_be_answered_is_told(cli: Cli, api: FakeApi, words: list[str], code: int, told: str) -> None:
    result = cli(*words)
    assert result.code == code
    assert told in result.err
    assert api.changes == []


def test_a_run_is_explained(cli: Cli) -> None:
    result = cli("explain", "run-1")
    assert (result.code, result.out.splitlines()[0]) == (0, "run-1  Running")
    assert "run-1 has no node n7; it has none yet" in cli("explain", "run-1", "n7").err
