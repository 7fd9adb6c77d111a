"""What the contract can say and this version of the operator can't do: refused by name, never ignored.

Whoever applies such a thing reads at once where it stands and what to do instead, rather than wonder why it has no
effect. One row per ability, in ``ROWS``; the engineer who builds one deletes its row. A test goes through all fields
of the models: each is acted on, or in a row here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from windlass_api.findings import Finding, field_path

REASON = "NotSupported"

Spec = Mapping[str, Any]
FindTask = Callable[[str, str | None], Spec | None]


class Row(NamedTuple):
    """A field that has no effect yet."""

    where: str
    """What has the field: ``task``, ``parameter`` (an input or output of a definition), ``overrides`` (those of a task,
    of a node, of an Execution, or a workflow's defaults) or ``plan`` (a LaunchPlan; runs by hand go without); or
    ``kind``, where the field is a kind of its own."""
    field: str
    instead: str
    """What to do today."""
    harmless: tuple[Any, ...] = ()
    """Values that ask for nothing, and are taken."""


ROWS: tuple[Row, ...] = (
    Row("kind", "Backfill", "start an Execution for each time of the range"),
    Row("kind", "App", "use a Deployment and a Service"),
    Row("plan", "schedule", "start its runs by hand"),
    Row("plan", "trigger", "start its runs by hand"),
    Row("plan", "notifications", "watch its Executions", ([],)),
    Row("plan", "concurrency", "start its runs one after the other"),
    Row("parameter", "artifact", "pass the value as an input"),
)


def in_definition(kind: str, spec: Spec, find_task: FindTask) -> list[Finding]:
    """What a definition asks for in vain; the whole of it, where nothing acts on its kind."""
    row = next((row for row in ROWS if (row.where, row.field) == ("kind", kind)), None)
    if row is not None:
        return [finding("", row.instead)]
    if kind == "LaunchPlan":
        return list(_asked("plan", spec, "spec"))
    return in_task(spec) if kind == "Task" else in_workflow(spec, find_task)


def in_execution(spec: Spec) -> list[Finding]:
    """What an Execution itself asks for in vain."""
    return list(_asked("overrides", spec.get("overrides") or {}, "spec.overrides"))


def in_task(spec: Spec, owner: str = "") -> list[Finding]:
    """What a Task asks for in vain. `owner` goes before the paths."""
    return [
        *_asked("task", spec, f"{owner}spec"),
        *_in_interface(spec, f"{owner}spec"),
        *_asked("overrides", spec, f"{owner}spec"),
    ]


def in_workflow(spec: Spec, find_task: FindTask) -> list[Finding]:
    """What a Workflow asks for in vain, and what each of its tasks does where they run. Tasks that are not there say
    nothing.
    """
    findings = [*_in_interface(spec, "spec")]
    findings += _asked("overrides", spec.get("defaults") or {}, "spec.defaults")
    tasks: dict[tuple[str, str | None], Spec] = {}
    places = [(field_path("spec", "nodes", index), node) for index, node in enumerate(spec.get("nodes") or ())]
    if spec.get("onFailure"):
        places.append(("spec.onFailure", spec["onFailure"]))
    for path, node in places:
        findings += _asked("overrides", node.get("overrides") or {}, field_path(path, "overrides"))
        if node.get("task"):
            key = node["task"]["name"], node["task"].get("version")
            tasks[key] = tasks.get(key) or find_task(*key) or {}
    for (name, _), task in tasks.items():
        findings += in_task(task, f"Task {name}: ")
    return findings


def finding(path: str, instead: str) -> Finding:
    """The refusal of what stands at a path."""
    return Finding(path, REASON, f"this version of the operator can't do that yet; {instead}")


def _in_interface(spec: Spec, path: str) -> Iterator[Finding]:
    for section in ("inputs", "outputs"):
        for name, parameter in (spec.get(section) or {}).items():
            yield from _asked("parameter", parameter, field_path(path, section, name))


def _asked(where: str, spec: Spec, path: str) -> Iterator[Finding]:
    for row in ROWS:
        value = _value(spec, row.field) if row.where == where else None
        if value is not None and not _is_harmless(value, row):
            yield finding(f"{path}.{row.field}", row.instead)


def _value(spec: Spec, field: str) -> Any:
    value: Any = spec
    for step in field.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _is_harmless(value: Any, row: Row) -> bool:
    return value in row.harmless or (isinstance(value, Mapping) and value.get("enabled") is False)
