"""Gates: `approve`, `wait_for_input` and `sleep`, at which a workflow waits for a person or for time to pass.

    @workflow
    def release(version: str) -> str:
        report = approve(check(version=version), "release?", timeout=timedelta(hours=8))
        note = wait_for_input("note", timeout=timedelta(hours=1), expected_type=str)
        pause = sleep(timedelta(minutes=10))
        published = publish(report=report, note=note)
        pause >> published
        return published

In a cluster somebody answers with `kubectl` or the remote. In a local run the terminal asks; where there is none, that
is an error, since nobody could answer. Gates of one name in one run are one question.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from windlass import _exceptions
from windlass._bindings import kind_of
from windlass._current import current_scope
from windlass._durations import duration_text
from windlass._entity import Entity
from windlass._interface import Interface, Parameter
from windlass._modules import caller
from windlass._promise import Promise, Void

if TYPE_CHECKING:
    from windlass._calls import Scope
    from windlass._promise import Binding, Step

DEFAULT_TIMEOUT = timedelta(hours=1)


class Gate(Entity):
    """A pause in a workflow."""

    what = "gate"
    takes_overrides = False

    def __init__(self, name: str, inputs: dict[str, Parameter], outputs: dict[str, Any]) -> None:
        self.name = self.short_name = name
        self.home = ""
        self.overrides = {}
        self._interface = Interface(inputs, outputs, None)

    @property
    def interface(self) -> Interface:
        """What passes through it."""
        return self._interface

    def definitions(self) -> Iterable[Entity]:
        """It is no object."""
        return ()

    def node(self, inputs: dict[str, Binding]) -> tuple[dict[str, Binding], Step]:
        """Its node, or its run, in the workflow whose body is being run."""
        return _scope(self.name).run(self, inputs)


class Approval(Gate):
    """Waits until somebody approves a value."""

    def __init__(self, name: str, timeout: timedelta) -> None:
        super().__init__(name, {"value": Parameter("value", Any)}, {"o0": Any})
        self.timeout = timeout

    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """Asks on the terminal."""
        shown = json.dumps(inputs["value"], ensure_ascii=False, indent=2)
        question = f"{self.name}: the value is\n{shown}\nIs it approved? [y/n] "
        answer = ""
        while answer not in ("y", "yes", "n", "no"):
            answer = _ask(self.name, question, self.timeout).lower()
            question = "y or n: "
        if answer.startswith("n"):
            raise _exceptions.FlyteDisapprovalException(f"{self.name} was not approved")
        return {"o0": inputs["value"]}

    def target(self) -> dict[str, Any]:
        """Its name and how long it waits."""
        return {"approve": {"name": self.name, "timeout": duration_text(self.timeout)}}


class Question(Gate):
    """Waits until somebody gives a value."""

    def __init__(self, name: str, timeout: timedelta, expected_type: Any) -> None:
        super().__init__(name, {}, {"o0": expected_type})
        self.timeout = timeout

    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """Asks on the terminal, until the answer fits."""
        from windlass._text_values import TextError, parse_text  # noqa: PLC0415  only a local run asks

        expected = self.interface.outputs["o0"]
        question = f"{self.name}: please enter a value of type {kind_of(expected).type}: "
        while True:
            text = _ask(self.name, question, self.timeout)
            try:
                return {"o0": parse_text(text, expected, self.name)}
            except TextError as error:
                question = f"{error}\n{self.name}: "

    def target(self) -> dict[str, Any]:
        """Its name, what it waits for, and how long."""
        kind = kind_of(self.interface.outputs["o0"])
        asked: dict[str, Any] = {"name": self.name, "type": str(kind.type)}
        if kind.schema is not None:
            asked["schema"] = kind.schema
        return {"waitForInput": {**asked, "timeout": duration_text(self.timeout)}}


class Sleep(Gate):
    """Waits for a while."""

    def __init__(self, duration: timedelta) -> None:
        super().__init__("sleep-gate", {}, {})
        self.duration = duration

    def run(self, inputs: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
        """Says so, and does not wait: nothing that runs here is worth waiting for."""
        sys.stderr.write(f"windlass: a cluster would sleep for {duration_text(self.duration)} here\n")
        return {}

    def target(self) -> dict[str, Any]:
        """How long."""
        return {"sleep": {"duration": duration_text(self.duration)}}


def approve(upstream_item: Any, name: str, timeout: timedelta | int | None = None) -> Any:
    """Lets a value pass once somebody has approved it.

    Args:
        upstream_item: what a call gives.
        name: what people see, and answer to.
        timeout: how long to wait for the answer, as a timedelta or in seconds; then the node fails. Default: one hour.

    Raises:
        ValueError: what is to be approved is no promise of a call (an input, a constant, nothing, several outputs).
        FlyteDisapprovalException: locally, the answer was no.
        FlyteTimeout: locally, there was no answer in time.
    """
    if not isinstance(upstream_item, Promise) or upstream_item._step is None:
        what = "returns nothing" if isinstance(upstream_item, Void) else "is no output of a call"
        raise ValueError(f"{caller()}: approve({name!r}) lets the output of one call pass: {upstream_item!r} {what}")
    outputs, step = Approval(_name(name), _timeout(timeout)).node({"value": upstream_item._binding})
    return Promise(outputs["o0"], upstream_item._kind, step)


def wait_for_input(name: str, timeout: timedelta | int | None = None, expected_type: Any = None) -> Any:
    """A value that somebody gives while the workflow runs.

    Args:
        name: what people see, and answer to.
        timeout: how long to wait for the answer, as a timedelta or in seconds; then the node fails. Default: one hour.
        expected_type: the type of the value, as in an annotation.

    Raises:
        FlyteTimeout: locally, there was no answer in time.
    """
    if expected_type is None:
        raise ValueError(f"{caller()}: wait_for_input({name!r}) needs the expected_type of the value")
    outputs, step = Question(_name(name), _timeout(timeout), expected_type).node({})
    return Promise(outputs["o0"], kind_of(expected_type), step)


def sleep(duration: timedelta) -> Any:
    """A pause. It holds up what is ordered behind it: `sleep(timedelta(minutes=5)) >> call`.

    A local run goes on at once.
    """
    if not isinstance(duration, timedelta) or duration < timedelta():
        raise ValueError(f"{caller()}: sleep takes a timedelta of 0 or more, not {duration!r}")
    _outputs, step = Sleep(duration).node({})
    return Void("sleep-gate", step)


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise ValueError(f"{caller()}: a gate needs a name, not {name!r}")
    return name


def _timeout(timeout: Any) -> timedelta:
    if timeout is None:
        return DEFAULT_TIMEOUT
    found = timedelta(seconds=timeout) if isinstance(timeout, int) and not isinstance(timeout, bool) else timeout
    if not isinstance(found, timedelta) or found <= timedelta():
        raise ValueError(
            f"{caller()}: timeout should be duration represented as either a datetime.timedelta or int seconds, and"
            f" more than 0, not {timeout!r}"
        )
    return found


def _scope(name: str) -> Scope:
    scope = current_scope()
    if scope is None:
        raise AssertionError(f"{caller()}: the gate {name!r} stands in the body of a workflow; here nobody waits")
    return scope


def _ask(name: str, question: str, timeout: timedelta) -> str:
    """One line that somebody types."""
    import select  # noqa: PLC0415  only a local run asks

    if sys.stdin is None or not sys.stdin.isatty():
        raise _exceptions.FlyteAssertion(
            f"the gate {name!r} needs an answer, and there is no terminal to ask on: run it from one, or run it in a"
            " cluster, where the answer can come at any time"
        )
    sys.stderr.write(question)
    sys.stderr.flush()
    if not select.select([sys.stdin], [], [], timeout.total_seconds())[0]:
        raise _exceptions.FlyteTimeout(f"the gate {name!r} got no answer within {duration_text(timeout)}")
    line = sys.stdin.readline()
    if not line:
        raise _exceptions.FlyteAssertion(f"the gate {name!r} got no answer: the input has ended")
    return line.strip()
