"""Gates: asked on a terminal here (a real one, of a pty), nodes of their own in a graph."""

from __future__ import annotations

import enum
import os
import pty
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import windlass
from windlass import _emit, task, workflow
from windlass._conditional import conditional
from windlass._gates import approve, sleep, wait_for_input
from windlass_api.manifests_check import validate_manifests


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@task
def add(a: int, b: int = 1) -> int:
    return a + b


@task
def note(text: str) -> None:
    print(text)


@task
def pair() -> tuple[int, int]:
    return 1, 2


@workflow
def approved(n: int) -> int:
    return add(a=approve(add(a=n), "is it good?", timeout=timedelta(hours=2)), b=10)


@workflow
def asked() -> int:
    return add(a=wait_for_input("how many", timeout=timedelta(minutes=5), expected_type=int))


class Terminal:
    """A terminal at which somebody types."""

    def __init__(self, keyboard: int) -> None:
        self._keyboard = keyboard

    def type(self, *lines: str) -> None:
        """Types the lines, before they are asked for."""
        os.write(self._keyboard, "".join(f"{line}\n" for line in lines).encode())

    def hang_up(self) -> None:
        """Types the end of the input."""
        os.write(self._keyboard, b"\x04")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    keyboard, line = pty.openpty()
    with os.fdopen(line, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield Terminal(keyboard)
    os.close(keyboard)


def nodes_of(entity: Any) -> list[dict[str, Any]]:
    """The nodes of a workflow's manifest, which is valid."""
    assert validate_manifests(_emit.manifests(_emit.complete([entity]))) == []
    return _emit.manifest(entity)["spec"]["nodes"]  # type: ignore[no-any-return]


# ---- approve ----


def test_an_approved_value_passes(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.type("y")
    assert approved(n=1) == 12
    output = capsys.readouterr()
    assert "is it good?: the value is\n2\nIs it approved? [y/n]" in output.err
    assert output.out == ""


def test_a_no_is_an_exception(terminal: Terminal) -> None:
    terminal.type("No")
    with pytest.raises(windlass.FlyteDisapprovalException, match=r"is it good\? was not approved"):
        approved(n=1)


def test_it_asks_until_it_is_answered(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.type("maybe", "", "yes")
    assert approved(n=1) == 12
    assert capsys.readouterr().err.count("y or n: ") == 2


def test_only_what_a_call_gives_can_be_approved() -> None:
    @workflow
    def of_input(n: int) -> int:
        return approve(n, "x")  # type: ignore[no-any-return]

    @workflow
    def of_nothing() -> None:
        approve(note(text="x"), "x")

    @workflow
    def of_several() -> None:
        approve(pair(), "x")

    for entity, message in ((of_input, "no output"), (of_nothing, "returns nothing"), (of_several, "no output")):
        with pytest.raises(ValueError, match=rf"test_gates\.py:\d+: .*{message}"):
            entity.compile()


def test_its_type_is_that_of_the_value() -> None:
    @workflow
    def wrong() -> str:
        return approve(add(a=1), "x")  # type: ignore[no-any-return]

    with pytest.raises(windlass.FlyteValidationException, match="expected str, got int"):
        wrong.compile()


# ---- wait_for_input ----


def test_what_is_typed_is_the_value(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.type("41")
    assert asked() == 42
    assert "how many: please enter a value of type int: " in capsys.readouterr().err


def test_what_does_not_fit_is_asked_for_again(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.type("many", "4.5", "4")
    assert asked() == 5
    assert "how many: expected int, got 'many': a whole number is needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("expected_type", "typed", "value"),
    [
        (str, "some text", "some text"),
        (bool, "true", True),
        (float, "1.5", 1.5),
        (list[int], "[1, 2]", [1, 2]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (int | None, "null", None),
        (timedelta, "1d2h30m", timedelta(days=1, hours=2, minutes=30)),
        (Color, "blue", Color.BLUE),
    ],
)
def test_values_are_typed_as_on_the_command_line(
    terminal: Terminal, expected_type: Any, typed: str, value: Any
) -> None:
    @task
    def show(given: Any) -> str:
        return repr(given)

    def body() -> Any:
        return wait_for_input("value", expected_type=expected_type)

    body.__annotations__["return"] = expected_type
    terminal.type(typed)
    assert workflow(body)() == value


def test_it_needs_a_type() -> None:
    with pytest.raises(ValueError, match="needs the expected_type"):
        wait_for_input("x", timedelta(hours=1))


# ---- sleep ----


def test_a_local_run_does_not_sleep(capsys: pytest.CaptureFixture[str]) -> None:
    @workflow
    def slow() -> None:
        sleep(timedelta(hours=10)) >> note(text="awake")

    slow()
    output = capsys.readouterr()
    assert output.out == "awake\n"
    assert "a cluster would sleep for 10h here" in output.err
    assert nodes_of(slow) == [
        {"id": "n0", "name": "sleep-gate", "sleep": {"duration": "10h"}},
        {
            "id": "n1",
            "name": "note",
            "task": {"name": note.object_name},
            "inputs": {"text": "awake"},
            "dependsOn": ["n0"],
        },
    ]


@pytest.mark.parametrize("duration", [timedelta(seconds=-1), 10, None])
def test_a_duration_is_a_timedelta(duration: Any) -> None:
    with pytest.raises(ValueError, match="sleep takes a timedelta"):
        sleep(duration)


# ---- all of them ----


def test_without_a_terminal_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, encoding="utf-8") as nothing:  # noqa: PTH123  the shortest way to such a file
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(windlass.FlyteAssertion, match="there is no terminal to ask on"):
            approved(n=1)
        with pytest.raises(windlass.FlyteAssertion, match="there is no terminal to ask on"):
            asked()


def test_an_answer_that_does_not_come_in_time_is_a_timeout(terminal: Terminal) -> None:
    @workflow
    def hurried() -> int:
        return wait_for_input("now!", timedelta(milliseconds=10), int)  # type: ignore[no-any-return]

    with pytest.raises(windlass.FlyteTimeout, match=r"'now!' got no answer within 0\.01s"):
        hurried()


def test_the_end_of_the_input_is_no_answer(terminal: Terminal) -> None:
    terminal.hang_up()
    with pytest.raises(windlass.FlyteAssertion, match="got no answer: the input has ended"):
        asked()


def test_a_gate_in_a_branch_that_is_not_taken_asks_nobody() -> None:
    @workflow
    def rarely(n: int) -> int:
        return (  # type: ignore[no-any-return]
            conditional("c").if_(n > 0).then(approve(add(a=n), "ok?")).else_().then(wait_for_input("n", 60, int))
        )

    @workflow
    def never(n: int) -> int:
        return conditional("c").if_(n > 0).then(add(a=n)).else_().then(wait_for_input("n", 60, int))  # type: ignore

    assert never(n=1) == 2
    assert [node.get("when") for node in nodes_of(rarely)] == ["inputs.n > 0", "inputs.n > 0", "!(inputs.n > 0)", None]


def test_gates_are_nodes_of_their_own() -> None:
    approval = nodes_of(approved)[1]
    assert approval == {
        "id": "n1",
        "name": "is it good?",
        "approve": {"name": "is it good?", "timeout": "2h"},
        "inputs": {"value": {"$ref": "nodes.n0.outputs.o0"}},
    }
    assert nodes_of(asked)[0] == {
        "id": "n0",
        "name": "how many",
        "waitForInput": {"name": "how many", "type": "int", "timeout": "5m"},
    }

    @workflow
    def colorful() -> Color:
        chosen = wait_for_input("color", expected_type=Color)
        return chosen.with_overrides(node_name="color")  # type: ignore[no-any-return]

    (node,) = nodes_of(colorful)
    assert (node["id"], node["waitForInput"]["schema"]["enum"]) == ("color", ["red", "blue"])
    assert node["waitForInput"]["timeout"] == "1h"


def test_gates_take_no_other_overrides() -> None:
    @workflow
    def wrong() -> None:
        wait_for_input("color", expected_type=int).with_overrides(retries=1)

    with pytest.raises(windlass.FlyteAssertion, match="this calls a gate"):
        wrong.compile()


def test_gates_stand_in_workflows_and_have_names_and_sensible_timeouts() -> None:
    with pytest.raises(AssertionError, match="stands in the body of a workflow"):
        wait_for_input("x", expected_type=int)
    with pytest.raises(AssertionError, match="stands in the body of a workflow"):
        sleep(timedelta(seconds=1))
    for name, timeout in (("", None), (None, None), ("x", 0), ("x", "1h"), ("x", True)):
        with pytest.raises(ValueError, match=r"needs a name|datetime.timedelta or int seconds"):
            wait_for_input(name, timeout, int)  # type: ignore[arg-type]  # that is the mistake
