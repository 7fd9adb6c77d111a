"""``windlass-operator plan -f world.yaml``: what would the operator do? Offline, by the very function that it runs.

The world is a stream of objects as ``kubectl get … -o yaml`` gives them (Lists are fine): Executions with their
definitions and pods. For a bug report about a stuck execution, save these and attach them. The output is YAML:
per Execution the actions, the transitions, and the status that would be written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from windlass_api import names
from windlass_api.validation import Find
from windlass_operator.clients import clock
from windlass_operator.core import clock as times
from windlass_operator.core.actions import LookUp
from windlass_operator.core.admission import Admitted, admit
from windlass_operator.core.closure import Closure
from windlass_operator.core.observed import Observed
from windlass_operator.core.plan_definition import DEFINITIONS
from windlass_operator.core.plan_execution import Plan, plan_execution, stuck
from windlass_operator.core.status import render
from windlass_operator.reconcile.definitions import template_of
from windlass_operator.reconcile.store import Store
from windlass_operator.settings import Settings

World = list[Mapping[str, Any]]


def register(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "plan", help="say what the operator would do with the objects in a file", description=__doc__
    )
    parser.add_argument("-f", "--file", required=True, type=Path, help="the objects, as YAML or JSON")
    parser.add_argument(
        "--now", type=times.parse, default=None, metavar="TIME", help="the time to plan at (RFC 3339; default: now)"
    )
    parser.set_defaults(function=_plan)


def _plan(arguments: argparse.Namespace) -> int:
    try:
        world = list(_objects(yaml.safe_load_all(arguments.file.read_text("utf-8"))))
        _check(world)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError) as trouble:
        print(f"windlass-operator plan: {arguments.file}: {trouble}", file=sys.stderr)  # noqa: T201 - a message to the person at the terminal
        return 2
    now = clock.now() if arguments.now is None else arguments.now
    yaml.safe_dump_all(plan_world(world, now), sys.stdout, sort_keys=False, allow_unicode=True)
    return 0


def plan_world(world: World, now: float) -> list[dict[str, Any]]:
    """What would be done with each Execution of a world."""
    store = Store()
    for body in world:
        _place(store, body)
    found = {
        (body["metadata"]["namespace"], body["metadata"]["name"]): template_of(body)
        for body in world
        if body["kind"] == "PodTemplate"
    }
    return [_answer(store, namespace, name, now, found) for namespace, name in store.executions]


def _objects(documents: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    """The objects of a file, those of Lists too.

    Raises:
        ValueError: something isn't one.
    """
    for number, document in enumerate(documents, 1):
        if document is None:
            continue
        if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
            raise ValueError(f"object {number} is no Kubernetes object: it has no kind")
        if document["kind"].endswith("List"):
            yield from _objects(document.get("items") or ())
        else:
            yield _completed(document, number)


def _completed(body: dict[str, Any], number: int) -> dict[str, Any]:
    """A hand-written object may leave out what the API server fills in."""
    given = body.get("metadata")
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise ValueError(f"object {number}, of kind {body['kind']}, has no metadata.name")
    meta = {"namespace": "default", "uid": f"uid-{given['name']}", "generation": 1, "resourceVersion": "1"}
    return {**body, "metadata": {**meta, **given}}


def _check(world: World) -> None:
    """Hold the objects against the shape of their kinds. What refers to nothing is the planner's business.

    Raises:
        ValueError: one has another shape.
    """
    from windlass_api import manifests_check as check  # noqa: PLC0415  it loads pydantic, which the operator itself does without

    wrong = [
        f"{world[index]['kind']} {world[index]['metadata']['name']}: {finding}"
        for index, finding in check.validate_manifests(world)
        if finding.reason in (check.REQUIRED, check.INVALID_VALUE, check.FORBIDDEN)
    ]
    if wrong:
        raise ValueError("\n  ".join(["the API server would not have these objects:", *wrong]))


def _place(store: Store, body: Mapping[str, Any]) -> None:
    match body["kind"]:
        case kind if kind in DEFINITIONS:
            store.remember_definition(kind, body)
        case "Execution":
            store.remember_child(body)
            store.remember_execution(body)
        case "Signal":
            store.remember_signal(body)
        case "Pod":
            store.remember_pod(body)


def _answer(
    store: Store, namespace: str, name: str, now: float, templates: Mapping[tuple[str, str], Mapping[str, Any]]
) -> dict[str, Any]:
    tracked = store.executions[namespace, name]
    title = {"execution": f"{namespace}/{name}"}
    verdict = admit(
        tracked.spec,
        _finder(store, namespace),
        lambda name: names.content_hash(name.encode()),
        find_template=lambda name: templates.get((namespace, name)),
        is_run=lambda name: (namespace, name) in store.executions,
    )
    if not isinstance(verdict, Admitted):
        return {**title, "verdict": type(verdict).__name__, "reason": verdict.reason, "message": verdict.message}
    closure: Closure = verdict.closure
    observed = Observed(
        name=name,
        namespace=namespace,
        uid=tracked.uid,
        spec=tracked.spec,
        state=tracked.state,
        closure=closure,
        pods=store.views(namespace, name, tracked.uid),
        executions=store.child_views(namespace, name, tracked.uid),
        signals=store.questions(namespace, name, tracked.uid),
        depth=tracked.depth,
        settings=Settings(),
        now=now,
    )
    plan = plan_execution(observed)
    return {
        **title,
        **_told(plan),
        "status": render(tracked.written, plan.state, closure, stuck(observed, plan.state), tracked.generation, now),
    }


def _finder(store: Store, namespace: str) -> Find:
    def find(kind: str, name: str, version: str | None) -> Any:
        body = store.definition(kind, namespace, name)
        return body["spec"] if body is not None and version in (None, body["spec"].get("version")) else None

    return find


def _action(action: Any) -> str:
    what = action.question if isinstance(action, LookUp) else action.name
    return f"{type(action).__name__} {what}"


def _told(plan: Plan) -> dict[str, Any]:
    return {
        "actions": [_action(action) for action in (*plan.before, *plan.actions)],
        "transitions": [
            f"{move.node}: {move.before.value} → {move.after.value}" + (f" ({move.reason})" if move.reason else "")
            for move in plan.transitions
        ],
        "wakeAt": None if plan.wake_at is None else times.rfc3339(plan.wake_at),
    }
