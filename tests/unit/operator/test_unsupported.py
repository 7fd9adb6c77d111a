"""What this operator can't do: each row of the table is refused by name, and nothing slips between the table and the
code that acts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.unit.operator.things import NOW, Body, definition, task
from windlass_api.manifests_check import validate_manifests
from windlass_api.names import API_VERSION
from windlass_api.overrides import OVERRIDE_FIELDS
from windlass_api.v1alpha1.execution import ExecutionSpec
from windlass_api.v1alpha1.kinds import KINDS
from windlass_api.v1alpha1.meta import Model, Output, Parameter
from windlass_api.v1alpha1.task import Python, TaskSpec
from windlass_api.v1alpha1.workflow import Node, WorkflowInput, WorkflowOutput, WorkflowSpec
from windlass_operator.core import unsupported
from windlass_operator.core.admission import Admitted, NotYet, Refused, Verdict, admit
from windlass_operator.core.plan_definition import DEFINITIONS, plan_definition
from windlass_operator.core.unsupported import ROWS, Row
from windlass_operator.manifests.pod import PodAsk, build

SECRETS = [{"group": "db", "key": "password"}]
VALUES: dict[str, Any] = {
    "launchPlan": {"name": "plan"},
    "failurePolicy": "FailAfterExecutableNodesComplete",
    "onFailure": {"id": "fn0", "task": {"name": "t"}},
    "workflow": {"name": "inner"},
    "select": [{"outputs": {"o0": 1}}],
    "approve": {"name": "go"},
    "waitForInput": {"name": "n", "type": "int"},
    "sleep": {"duration": "1s"},
    "map": {"over": ["x"]},
    "container": {"command": ["true"]},
    "actor": {"name": "pool"},
    "python.dynamic": True,
    "artifact": {"name": "data"},
    "accelerator": {"device": "nvidia-tesla-t4"},
    "sharedMemory": {},
    "secrets": SECRETS,
    "interruptible": True,
    "podTemplate": {"spec": {"hostname": "x"}},
    "podTemplateName": "base",
    "labels": {"team": "data"},
    "annotations": {"note": "x"},
    "timeout": "90s",
    "cache": {"version": "1"},
    "deck": {"enabled": True},
}
"""A value for each field of the table that asks for something."""

DOUBLE = task({"x": {"type": "int"}})
ONE_TASK: Body = {"task": {"name": "t"}, "inputs": {"x": 1}}
NODE: Body = {"id": "a", "task": {"name": "t"}, "inputs": {"x": 1}}


def put(spec: Body, field: str, value: Any) -> Body:
    """The spec with a field, whose name may be a path."""
    head, _, rest = field.partition(".")
    return {**spec, head: put(spec.get(head, {}), rest, value) if rest else value}


def tried(tasks: Mapping[str, Body] | None = None, spec: Body | None = None, **workflow: Any) -> Verdict:
    """What becomes of an Execution of a workflow of one node, unless something else is asked for."""
    known = {"Task": {"t": DOUBLE, **(tasks or {})}, "Workflow": {"wf": {"nodes": [NODE], **workflow}}}

    def find(kind: str, name: str, version: str | None) -> Body | None:
        return known.get(kind, {}).get(name) if version is None else None

    return admit(spec or {"workflow": {"name": "wf"}}, find, lambda _: "d1")


WAYS: dict[str, list[tuple[str, Callable[[Row, Any], Verdict]]]] = {
    "execution": [("spec.{}", lambda row, value: tried(spec={row.field: value}))],
    "workflow": [("Workflow wf: spec.{}", lambda row, value: tried(**{row.field: value}))],
    "node": [
        (
            "Workflow wf: spec.nodes[0].{}",
            lambda row, value: tried(nodes=[{**(NODE if row.field == "map" else {"id": "a"}), row.field: value}]),
        )
    ],
    "task": [
        ("Workflow wf: Task t: spec.{}", lambda row, value: tried({"t": put(DOUBLE, row.field, value)})),
        (
            "Task t: spec.{}",
            lambda row, value: tried({"t": put(DOUBLE, row.field, value)}, ONE_TASK),
        ),
    ],
    "parameter": [
        (
            "Workflow wf: spec.inputs.n.{}",
            lambda row, value: tried(inputs={"n": {"type": "int", row.field: value}}),
        ),
        (
            "Workflow wf: spec.outputs.n.{}",
            lambda row, value: tried(outputs={"n": {"type": "int", "from": 1, row.field: value}}),
        ),
        (
            "Workflow wf: Task t: spec.outputs.o0.{}",
            lambda row, value: tried({"t": put(DOUBLE, f"outputs.o0.{row.field}", value)}),
        ),
    ],
    "overrides": [
        ("Workflow wf: spec.defaults.{}", lambda row, value: tried(defaults={row.field: value})),
        (
            "Workflow wf: spec.nodes[0].overrides.{}",
            lambda row, value: tried(nodes=[{**NODE, "overrides": {row.field: value}}]),
        ),
        ("Workflow wf: Task t: spec.{}", lambda row, value: tried({"t": {**DOUBLE, row.field: value}})),
    ],
}
"""Per place of the table: the path that is told, and an Execution that needs the field there."""

CASES = [(row, path, attempt) for row in ROWS if row.where != "kind" for path, attempt in WAYS[row.where]]


@pytest.mark.parametrize(("row", "path", "attempt"), CASES, ids=[f"{path.format(row.field)}" for row, path, _ in CASES])
def test_what_nobody_acts_on_is_refused_with_its_path_and_what_to_do(
    row: Row, path: str, attempt: Callable[[Row, Any], Verdict]
) -> None:
    verdict = attempt(row, VALUES[row.field])
    assert isinstance(verdict, Refused)
    assert verdict.reason == "NotSupported"
    assert verdict.message == (
        f"{path.format(row.field)}: this version of the operator can't do that yet; {row.instead}"
    )


@pytest.mark.parametrize("row", [row for row in ROWS if row.harmless], ids=lambda row: f"{row.where}.{row.field}")
def test_what_asks_for_nothing_is_taken(row: Row) -> None:
    for value in row.harmless:
        for _, attempt in WAYS[row.where]:
            assert isinstance(attempt(row, value), Admitted)


@pytest.mark.parametrize("field", ["cache", "deck"])
def test_what_is_turned_off_is_taken(field: str) -> None:
    assert isinstance(tried(nodes=[{**NODE, "overrides": {field: {"enabled": False}}}]), Admitted)


def test_everything_that_is_asked_for_in_vain_is_told_at_once() -> None:
    nodes = [{**NODE, "overrides": {"secrets": SECRETS}}, {"id": "b", "sleep": {"duration": "1s"}}]
    verdict = tried(nodes=nodes, failurePolicy="FailAfterExecutableNodesComplete")
    assert isinstance(verdict, Refused)
    assert [part.split(":")[0] for part in verdict.message.removeprefix("Workflow wf: ").split("; spec")] == [
        "spec.failurePolicy",
        ".nodes[0].overrides.secrets",
        ".nodes[1].sleep",
    ]


def test_a_task_that_is_not_there_yet_is_waited_for_and_then_judged() -> None:
    nodes = [{"id": "a", "task": {"name": "late"}}]
    assert isinstance(tried(nodes=nodes), NotYet)
    assert isinstance(tried({"late": {**DOUBLE, "timeout": "1s"}}, nodes=nodes), Refused)


# Definitions say so themselves, in the condition that people look at.


def condition_of(kind: str, spec: Body) -> Body:
    plan = plan_definition(kind, definition(kind, "d", spec), lambda *_: None, NOW)
    (condition,) = plan.status["conditions"]
    found: Body = condition
    return found


@pytest.mark.parametrize(
    ("kind", "spec", "says"),
    [
        ("Task", {**DOUBLE, "timeout": "1s"}, "spec.timeout: this version of the operator can't do that yet"),
        ("Workflow", {"nodes": [{"id": "a", "sleep": {"duration": "1s"}}]}, "spec.nodes[0].sleep: this version"),
        ("ActorEnvironment", {"replicas": 1}, "this version of the operator can't do that yet; leave it out"),
        ("App", {"image": "a", "port": 80}, "this version of the operator can't do that yet; use a Deployment"),
    ],
)
def test_a_definition_that_can_not_run_is_not_ready(kind: str, spec: Body, says: str) -> None:
    condition = condition_of(kind, spec)
    assert (condition["type"], condition["status"], condition["reason"]) == ("Ready", "False", "NotSupported")
    assert condition["message"].startswith(says)


def test_what_is_wrong_is_told_before_what_is_not_supported() -> None:
    assert condition_of("LaunchPlan", {"workflow": {"name": "no"}})["reason"] == "WorkflowNotFound"
    backfill = condition_of("Backfill", {"launchPlan": {"name": "no"}})
    assert (backfill["type"], backfill["reason"]) == ("Accepted", "LaunchPlanNotFound")


def test_a_launch_plan_in_order_is_not_supported_either() -> None:
    body = definition("LaunchPlan", "d", {"workflow": {"name": "wf"}})
    plan = plan_definition("LaunchPlan", body, lambda *_: {}, NOW)
    assert plan.status["conditions"][0]["reason"] == "NotSupported"
    assert plan.revision is not None, "its versions are kept all the same"


# Between the table and the code that acts there is no gap: every field of the models is in one of the two.

ACTED_ON: dict[type[Model], set[str]] = {
    ExecutionSpec: {"workflow", "task", "inputs", "cancel"},
    WorkflowSpec: {"version", "description", "inputs", "outputs", "nodes", "defaults"},
    Node: {"id", "name", "task", "inputs", "when", "dependsOn", "overrides"},
    TaskSpec: {"version", "description", "inputs", "outputs", "python"},
    Python: {"entrypoint", "code"},
    Parameter: {"type", "description", "default", "schema"},
    WorkflowInput: {"type", "description", "default", "schema"},
    Output: {"type", "description", "schema"},
    WorkflowOutput: {"type", "description", "schema", "from"},
}
"""What admission, planning and pods read, apart from overrides, which are tried below."""

PLACES: dict[type[Model], tuple[str, str]] = {
    ExecutionSpec: ("execution", ""),
    WorkflowSpec: ("workflow", ""),
    Node: ("node", ""),
    TaskSpec: ("task", ""),
    Python: ("task", "python."),
    Parameter: ("parameter", ""),
    WorkflowInput: ("parameter", ""),
    Output: ("parameter", ""),
    WorkflowOutput: ("parameter", ""),
}


@pytest.mark.parametrize("model", ACTED_ON, ids=lambda model: model.__name__)
def test_every_field_is_acted_on_or_refused(model: type[Model]) -> None:
    where, prefix = PLACES[model]
    fields = {info.alias or name for name, info in model.model_fields.items()} - set(OVERRIDE_FIELDS)
    refused = {row.field for row in ROWS if row.where == where}
    assert {f"{prefix}{field}" for field in fields - ACTED_ON[model]} <= refused
    assert not {f"{prefix}{field}" for field in ACTED_ON[model]} & refused


ACTING: dict[str, Any] = {
    "image": "other:1",
    "env": {"A": "b"},
    "resources": {"limits": {"cpu": 1}},
    "retryOn": ["any"],
}


@pytest.mark.parametrize("field", OVERRIDE_FIELDS)
def test_every_override_changes_the_pod_or_is_refused(field: str) -> None:
    refused = field in {row.field for row in ROWS if row.where == "overrides"}
    if field == "retries":  # not the pod's: the planner counts attempts
        assert not refused
        return

    def pod(spec: Body) -> Body:
        ask = PodAsk(execution="e", namespace="ns", uid="u", node="a", attempt=0, task="t", spec=spec, inputs={})
        return build(ask)

    value = VALUES[field] if refused else ACTING[field]
    assert (pod(DOUBLE) == pod({**DOUBLE, field: value})) is refused


def test_every_kind_is_acted_on_or_refused_or_never_written_by_people() -> None:
    refused = {row.field for row in ROWS if row.where == "kind"}
    assert refused < set(DEFINITIONS)
    written_by_the_operator_or_read_by_the_sdk = {"Signal", "Artifact", "CacheEntry"}
    acted_on = {"Task", "Workflow", "Execution"}
    assert {kind.__name__ for kind in KINDS} == refused | acted_on | written_by_the_operator_or_read_by_the_sdk


def test_the_values_of_these_tests_are_ones_that_the_contract_has() -> None:
    for row in ROWS:
        if row.where == "overrides":
            spec = {"python": {"entrypoint": "m:f"}, row.field: VALUES[row.field]}
            manifest = {"apiVersion": API_VERSION, "kind": "Task", "metadata": {"name": "t"}, "spec": spec}
            assert validate_manifests([manifest]) == []
    assert unsupported.in_task({"python": {"entrypoint": "m:f"}}) == []
