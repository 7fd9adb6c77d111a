"""A row as ``windlass run`` plays it, in this process: what is printed as JSON, or the exception and its words."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.matrix.row import Body, Run
from windlass import _cli, _gates


def outcome(path: Path, entity: str, run: Run) -> tuple[int, Body, str]:
    """The exit code, the outputs, and what was said."""
    printed, said = io.StringIO(), io.StringIO()
    with ExitStack() as stack:
        stack.enter_context(patch.object(sys, "path", list(sys.path)))
        stack.enter_context(patch.object(_gates, "_ask", _asked(run)))
        stack.enter_context(redirect_stdout(printed))
        stack.enter_context(redirect_stderr(said))
        words = [part for name, value in run.inputs.items() for part in _option(name, value)]
        code = _cli.main(["run", str(path), entity, *words, "-o", "json"])
    text = printed.getvalue()
    return code, _last_object(text) if code == 0 else {}, text + said.getvalue()


def differences(run: Run, code: int, outputs: Body, said: str, before: list[Body]) -> Iterator[str]:
    """What did not come out as the row says."""
    phase = "Failed" if code else "Succeeded"
    if phase != run.phase:
        yield f"phase: {run.phase} was expected, not {phase}: {said}"
    if run.outputs is not None and run.outputs != outputs:
        yield f"outputs: {run.outputs} was expected, not {outputs}"
    for part in ("type", "message"):
        if run.error.get(part, "") not in said:
            yield f"{part}: {run.error[part]!r} is not in what was said: {said}"
    for index in run.same:
        if before[index] != outputs:
            yield f"outputs: {before[index]} (as in run {index}) was expected, not {outputs}"
    for index in run.other:
        if before[index] == outputs:
            yield f"it has the outputs of run {index}"


def _option(name: str, value: Any) -> Iterable[str]:
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [option if value else f"--no-{option[2:]}"]
    return [f"{option}={value if isinstance(value, str) else json.dumps(value)}"]


def _last_object(printed: str) -> Body:
    """What the command prints at last; tasks print before."""
    decoder, start = json.JSONDecoder(), 0 if printed.startswith("{") else printed.rindex("\n{") + 1
    found: Body = decoder.raw_decode(printed[start:])[0]
    return found


def _asked(run: Run) -> Any:
    """Somebody at the terminal who gives the row's answers."""
    left = {gate: list(answers) for gate, answers in run.answers.items()}

    def ask(name: str, question: str, timeout: object) -> str:
        answer = left[name].pop(0)
        if "approved" in answer:
            return "y" if answer["approved"] else "n"
        value = answer["value"]
        return value if isinstance(value, str) else json.dumps(value)

    return ask
