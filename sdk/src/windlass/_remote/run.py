"""`windlass run --remote`: apply, create, follow, print; the result is an exit code.

    0    it succeeded; its outputs are printed
    1    it failed, or could not be started or followed; why is printed
    3    it was cancelled
    124  it did not end in the time given (as of timeout(1)); it goes on
    130  Ctrl-C; it goes on

Outputs go to `stream`, everything else to `progress` (stderr), so that the command can stand in a pipe. A terminal gets
a tree that is redrawn in place, anything else a line for each change.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterable
from typing import Any, TextIO

from windlass._remote import large, tree
from windlass._remote.client import Cluster, Object, RemoteError, connect
from windlass._remote.following import TERMINAL, Follower
from windlass._remote.objects import apply, create_execution
from windlass_api.stored import any_in

SUCCEEDED, FAILED, CANCELLED, TIMED_OUT, INTERRUPTED = 0, 1, 3, 124, 130
_CODES = {"Succeeded": SUCCEEDED, "Failed": FAILED, "Cancelled": CANCELLED}
GONE = 404
_REDRAW, _LOOK = 0.2, 2.0  # seconds between two looks at what is not a new state: the time, trouble with the connection


def run_remote(
    objects: Iterable[Object],
    execution: Object,
    *,
    namespace: str | None = None,
    context: str | None = None,
    kubeconfig: str | None = None,
    timeout: float | None = None,
    wait: bool = True,
    stream: TextIO | None = None,
    progress: TextIO | None = None,
    output: str = "text",
) -> int:
    """Runs an execution of what the objects define; its exit code. With `wait=False` it is only started."""
    out = stream or sys.stdout
    log = progress or sys.stderr
    created: Object | None = None
    try:
        cluster = connect(kubeconfig=kubeconfig, context=context, namespace=namespace)
        applied = apply(cluster, objects)
        created = create_execution(cluster, execution)
        _say(log, f"{_name(created)} created in namespace {_namespace(created)}, with {_counted(applied)}")
        if not wait:
            print(_name(created), file=out)
            _say(log, f"follow it with: kubectl get execution {_name(created)} -n {_namespace(created)} --watch")
            return SUCCEEDED
    except RemoteError as error:
        _say(log, f"windlass: {error}")
        return FAILED
    except KeyboardInterrupt:
        _say(log, "\ninterrupted" + (f"; {_goes_on(created)}" if created else "; nothing was started"))
        return INTERRUPTED
    return follow(cluster, created, timeout=timeout, stream=out, progress=log, output=output)


def follow(
    cluster: Cluster,
    created: Object,
    *,
    timeout: float | None = None,
    stream: TextIO | None = None,
    progress: TextIO | None = None,
    output: str = "text",
) -> int:
    """Shows an Execution until it ends, and then what came of it; the exit code."""
    out = stream or sys.stdout
    log = progress or sys.stderr
    try:
        ended = _follow(cluster, created, timeout, log)
        if ended is not None:
            return _report(cluster, ended, out, log, output)
    except RemoteError as error:
        _say(log, f"windlass: {error}" + (f"\n{_goes_on(created)}" if error.status != GONE else ""))
        return FAILED
    except KeyboardInterrupt:
        _say(log, f"\ninterrupted; {_goes_on(created)}")
        return INTERRUPTED
    _say(log, f"windlass: it has not ended after {tree.duration(timeout or 0)}; {_goes_on(created)}")
    return TIMED_OUT


def _follow(cluster: Cluster, created: Object, timeout: float | None, log: TextIO) -> Object | None:
    """The Execution as it ended; None if it did not in time."""
    deadline = None if timeout is None else time.monotonic() + timeout
    screen = _Screen(log) if log.isatty() else _Log(log)
    follower = Follower(cluster, _namespace(created), _name(created))
    state = created
    try:
        while True:
            screen.show(state, follower.trouble)
            if (state.get("status") or {}).get("phase") in TERMINAL:
                return state
            left = _LOOK if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return None
            state = follower.next(min(left, screen.patience)) or state
    finally:
        follower.stop()


class _Screen:
    """A terminal: the tree, redrawn in place, also when only time has passed."""

    patience = _REDRAW

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._unicode = _has_unicode(terminal)
        self._drawn = 0

    def show(self, state: Object, trouble: str) -> None:
        size = shutil.get_terminal_size()
        created = tree.timestamp(state["metadata"]["creationTimestamp"])
        lines = tree.lines(
            _name(state), state.get("status") or {}, time.time(),
            created=created, width=size.columns - 1, height=max(size.lines - 3, 3),
        )  # fmt: skip
        lines += [f"! {trouble}; trying again"[: size.columns - 1]] if trouble else []
        text = "".join(f"{tree.paint(line) if self._unicode else tree.plain(line)}\n" for line in lines)
        back = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
        self._terminal.write(back + text)
        self._terminal.flush()
        self._drawn = len(lines)


class _Log:
    """A file or pipe: a line for each change."""

    patience = _LOOK

    def __init__(self, log: TextIO) -> None:
        self._log = log
        self._unicode = _has_unicode(log)
        self._shown: dict[str, Any] = {}
        self._trouble = ""

    def show(self, state: Object, trouble: str) -> None:
        status = state.get("status") or {}
        lines = tree.changes(self._shown, status)
        if trouble and not self._trouble:
            lines.append(f"! {trouble}; trying again")
        for line in lines:
            _say(self._log, line if self._unicode else tree.plain(line))
        self._shown, self._trouble = status, trouble


def _report(cluster: Cluster, ended: Object, out: TextIO, log: TextIO, output: str) -> int:
    status = ended["status"]
    phase = status["phase"]
    if phase == "Succeeded":
        values = _readable(
            large.Values(status.get("outputs") or {}, large.reader(cluster, _namespace(ended), _name(ended))), log
        )
        if output == "json":
            print(json.dumps(values, ensure_ascii=False, indent=2), file=out)
        elif values:
            print(tree.outputs(values), file=out)
    elif phase == "Failed":
        _say(log, f"\n{tree.error(_name(ended), status)}")
    else:
        _say(log, f"{_name(ended)} was cancelled")
    return _CODES[phase]


def _readable(values: large.Values, log: TextIO) -> dict[str, Any]:
    """The outputs; in the place of what this machine can't read in the store, what stands for it."""
    found = {}
    for name in values:
        try:
            found[name] = values[name]
        except RemoteError as error:  # noqa: PERF203  one that can't be read does not hold up the others
            if any_in(values.plain(name)) is None:
                raise
            _say(log, f"windlass: the output {name} is shown by its place: {error}")
            found[name] = values.plain(name)
    return found


def _goes_on(execution: Object) -> str:
    name, namespace = _name(execution), _namespace(execution)
    return (
        f"{name} goes on in the cluster. See it with: kubectl get execution {name} -n {namespace} --watch\n"
        f"cancel it with: windlass cancel {name} -n {namespace}"
    )


def _counted(applied: list[Object]) -> str:
    words = {"ConfigMap": "code bundle", "Task": "task", "Workflow": "workflow"}
    counts = {kind: sum(obj["kind"] == kind for obj in applied) for kind in words}
    return (
        ", ".join(f"{count} {words[kind]}{'s' * (count != 1)}" for kind, count in counts.items() if count)
        or "nothing new"
    )


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _namespace(obj: Object) -> str:
    return str(obj["metadata"]["namespace"])


def _has_unicode(stream: TextIO) -> bool:
    return "utf" in (stream.encoding or "utf-8").lower()


def _say(log: TextIO, text: str) -> None:
    log.write(f"{text}\n")
    log.flush()
