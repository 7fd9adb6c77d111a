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
from windlass_api.v1alpha1.launch_plan import LaunchPlanSpec
from windlass_api.v1alpha1.meta import Model, Output, Parameter
from windlass_api.v1alpha1.task import Container, Python, TaskSpec
from windlass_api.v1alpha1.workflow import Node, WorkflowInput, WorkflowOutput, WorkflowSpec
from windlass_operator.core import unsupported
from windlass_operator.core.admission import NO_STORE, Admitted, NotYet, Refused, Verdict, admit
from windlass_operator.core.plan_definition import DEFINITIONS, plan_definition
from windlass_operator.core.unsupported import ROWS, Row
from windlass_operator.manifests.look import PodLook
from windlass_operator.manifests.pod import PodAsk, build
from windlass_operator.settings import StoreSettings

MADE = {"o0": {"type": "int", "artifact": {"name": "data"}}}
VALUES: dict[str, Any] = {
    "schedule": {"cron": "0 7 * * *"},
    "trigger": {"artifact": {"name": "data"}},
    "notifications": [{"phases": ["Failed"], "email": {"recipients": ["a@example.com"]}}],
    "concurrency": {"max": 1, "behavior": "Skip"},
    "artifact": {"name": "data"},
}
"""A value for each field of the table that asks for something."""

DOUBLE = task({"x": {"type": "int"}})
ONE_TASK: Body = {"task": {"name": "t"}, "inputs": {"x": 1}}
BY_PLAN: Body = {"launchPlan": {"name": "p"}}
INSIDE: Body = {"id": "w", "workflow": {"name": "inner"}}
PLAN: Body = {"workflow": {"name": "wf"}}
NODE: Body = {"id": "a", "task": {"name": "t"}, "inputs": {"x": 1}}


def put(spec: Body, field: str, value: Any) -> Body:
    """The spec with a field, whose name may be a path."""
    head, _, rest = field.partition(".")
    return {**spec, head: put(spec.get(head, {}), rest, value) if rest else value}


def tried(
    tasks: Mapping[str, Body] | None = None,
    spec: Body | None = None,
    plan: Body | None = None,
    store: StoreSettings = NO_STORE,
    **workflow: Any,
) -> Verdict:
    """What becomes of an Execution of a workflow of one node, unless something else is asked for."""
    known = {
        "Task": {"t": DOUBLE, **(tasks or {})},
        "Workflow": {"wf": {"nodes": [NODE], **workflow}},
        "LaunchPlan": {"p": {"workflow": {"name": "wf"}, **(plan or {})}},
    }

    def find(kind: str, name: str, version: str | None) -> Body | None:
        return known.get(kind, {}).get(name) if version is None else None

    return admit(spec or {"workflow": {"name": "wf"}}, find, lambda _: "d1", store)


WAYS: dict[str, list[tuple[str, Callable[[Row, Any], Verdict]]]] = {
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
        (
            "spec.overrides.{}",
            lambda row, value: tried(spec={"workflow": {"name": "wf"}, "overrides": {row.field: value}}),
        ),
    ],
}
"""Per place of the table: the path that is told, and an Execution that needs the field there."""

CASES = [(row, path, attempt) for row in ROWS if row.where not in ("kind", "plan") for path, attempt in WAYS[row.where]]


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
        for _, attempt in WAYS.get(row.where, ()):
            assert isinstance(attempt(row, value), Admitted)
        if row.where == "plan":
            assert condition_of("LaunchPlan", {**PLAN, row.field: value})["status"] == "True"


@pytest.mark.parametrize("row", [row for row in ROWS if row.where == "plan"], ids=lambda row: row.field)
def test_a_launch_plan_that_does_not_start_by_itself_says_so_but_can_be_run_by_hand(row: Row) -> None:
    condition = condition_of("LaunchPlan", {**PLAN, row.field: VALUES[row.field]})
    assert (condition["type"], condition["status"], condition["reason"]) == ("Ready", "False", "NotSupported")
    assert condition["message"] == (f"spec.{row.field}: this version of the operator can't do that yet; {row.instead}")
    assert isinstance(tried(spec=BY_PLAN, plan={row.field: VALUES[row.field]}), Admitted)


@pytest.mark.parametrize("field", ["cache", "deck"])
def test_what_is_turned_off_is_taken(field: str) -> None:
    assert isinstance(tried(nodes=[{**NODE, "overrides": {field: {"enabled": False}}}]), Admitted)


def test_everything_that_is_asked_for_in_vain_is_told_at_once() -> None:
    wanted = {"type": "int", "artifact": {"name": "data"}}
    verdict = tried(
        inputs={"n": wanted}, outputs={"n": {**wanted, "from": 1}}, tasks={"t": {**DOUBLE, "outputs": MADE}}
    )
    assert isinstance(verdict, Refused)
    assert [
        part.split(":")[0]
        for part in verdict.message.removeprefix("Workflow wf: ").partition("; Task")[0].split("; spec")
    ] == [
        "spec.inputs.n.artifact",
        ".outputs.n.artifact",
    ]
    assert "; Task t: spec.outputs.o0.artifact: " in verdict.message


def test_what_a_workflow_inside_asks_for_in_vain_is_told_with_its_name() -> None:
    inner = {"nodes": [NODE], "outputs": {"n": {"from": 1, **MADE["o0"]}}}
    known: dict[str, Body] = {"Task": {"t": DOUBLE}, "Workflow": {"wf": {"nodes": [INSIDE]}, "inner": inner}}
    verdict = admit({"workflow": {"name": "wf"}}, lambda kind, name, _: known.get(kind, {}).get(name), lambda _: "d1")
    assert isinstance(verdict, Refused)
    assert verdict.message.startswith("Workflow wf: Workflow inner: spec.outputs.n.artifact: this version")


def test_a_task_that_is_not_there_yet_is_waited_for_and_then_judged() -> None:
    nodes = [{"id": "a", "task": {"name": "late"}}]
    assert isinstance(tried(nodes=nodes), NotYet)
    assert isinstance(tried({"late": {**DOUBLE, "inputs": {}, "outputs": MADE}}, nodes=nodes), Refused)


# Definitions say so themselves, in the condition that people look at.


def condition_of(kind: str, spec: Body) -> Body:
    known = {"Workflow": {"wf": {"nodes": [NODE]}}, "Task": {"t": DOUBLE}}
    plan = plan_definition(kind, definition(kind, "d", spec), lambda kind, name, _: known.get(kind, {}).get(name), NOW)
    (condition,) = plan.status["conditions"]
    found: Body = condition
    return found


@pytest.mark.parametrize(
    ("kind", "spec", "says"),
    [
        (
            "Task",
            {**DOUBLE, "outputs": MADE},
            "spec.outputs.o0.artifact: this version of the operator can't do that yet",
        ),
        (
            "Workflow",
            {"nodes": [NODE], "outputs": {"n": {"type": "int", "from": 1, "artifact": {"name": "data"}}}},
            "spec.outputs.n.artifact: this version",
        ),
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


def test_a_launch_plan_that_is_run_by_hand_is_ready_and_its_versions_are_kept() -> None:
    assert condition_of("LaunchPlan", PLAN)["status"] == "True"
    plan = plan_definition("LaunchPlan", definition("LaunchPlan", "d", PLAN), lambda *_: {"nodes": []}, NOW)
    assert plan.revision is not None


# Between the table and the code that acts there is no gap: every field of the models is in one of the two.

ACTED_ON: dict[type[Model], set[str]] = {
    ExecutionSpec: {
        *("workflow", "task", "launchPlan", "inputs", "cancel", "suspend", "resumeFrom", "ttlAfterFinished"),
        *("maxParallelism", "overwriteCache", "serviceAccountName", "rawOutputPrefix", "overrides"),
    },
    LaunchPlanSpec: {
        *("workflow", "version", "description", "defaultInputs", "fixedInputs", "suspend", "labels", "annotations"),
        *("maxParallelism", "serviceAccountName", "overwriteCache", "ttlAfterFinished"),
        *("rawOutputPrefix", "successfulRunsHistoryLimit", "failedRunsHistoryLimit"),
    },
    WorkflowSpec: {
        *("version", "description", "inputs", "outputs", "nodes", "defaults", "failurePolicy", "onFailure"),
    },
    Node: {
        *("id", "name", "task", "workflow", "launchPlan", "select", "approve", "waitForInput", "sleep", "map"),
        *("inputs", "when", "dependsOn", "overrides"),
    },
    TaskSpec: {"version", "description", "inputs", "outputs", "python", "container", "actor"},
    Container: {"command", "args", "inputDir", "outputDir", "metadataFormat", "ioStrategy"},
    Python: {"entrypoint", "code", "dynamic"},
    Parameter: {"type", "description", "default", "schema"},
    WorkflowInput: {"type", "description", "default", "schema"},
    Output: {"type", "description", "schema"},
    WorkflowOutput: {"type", "description", "schema", "from"},
}
"""What admission, planning and pods read, apart from overrides, which are tried below."""

PLACES: dict[type[Model], tuple[str, str]] = {
    ExecutionSpec: ("execution", ""),
    LaunchPlanSpec: ("plan", ""),
    WorkflowSpec: ("workflow", ""),
    Node: ("node", ""),
    TaskSpec: ("task", ""),
    Container: ("task", "container."),
    Python: ("task", "python."),
    Parameter: ("parameter", ""),
    WorkflowInput: ("parameter", ""),
    Output: ("parameter", ""),
    WorkflowOutput: ("parameter", ""),
}


@pytest.mark.parametrize("model", ACTED_ON, ids=lambda model: model.__name__)
def test_every_field_is_acted_on_or_refused(model: type[Model]) -> None:
    where, prefix = PLACES[model]
    fields = {info.alias or name for name, info in model.model_fields.items()}
    fields -= set(OVERRIDE_FIELDS) - ACTED_ON[model]
    refused = {row.field for row in ROWS if row.where == where}
    assert ACTED_ON[model] <= fields
    assert {f"{prefix}{field}" for field in fields - ACTED_ON[model]} <= refused
    assert not {f"{prefix}{field}" for field in ACTED_ON[model]} & refused


ACTING: dict[str, Any] = {
    "image": "other:1",
    "env": {"A": "b"},
    "resources": {"limits": {"cpu": 1}},
    "accelerator": {"device": "nvidia-tesla-t4"},
    "sharedMemory": {},
    "secrets": [{"group": "db", "key": "password"}],
    "podTemplate": {"spec": {"hostname": "x"}},
    "podTemplateName": "base",
    "labels": {"team": "data"},
    "annotations": {"note": "x"},
    "retryOn": ["any"],
    "deck": {"enabled": True},
}


GPU: Body = {"resources": {"limits": {"nvidia.com/gpu": 1}}}
"""An accelerator means something for pods that ask for devices only."""

OF_THE_PLANNER = {"retries", "timeout", "queueTimeout", "pendingTimeout", "cache", "maxMemory", "interruptible"}
"""Not the pod's, or only of some attempts': tests of the rooms that act on them are test_settling, test_caching,
test_attempts.
"""


@pytest.mark.parametrize("field", OVERRIDE_FIELDS)
def test_every_override_changes_the_pod_or_is_refused(field: str) -> None:
    refused = field in {row.field for row in ROWS if row.where == "overrides"}
    if field in OF_THE_PLANNER:
        assert not refused
        return

    def pod(spec: Body) -> Body:
        named = {"spec": {"hostname": "y"}} if "podTemplateName" in spec else None
        look = PodLook(namespace="ns", spec={**GPU, **spec}, template=named)
        return build(PodAsk(look=look, execution="e", uid="u", node="a", attempt=0, task="t", inputs={}))

    value = VALUES[field] if refused else ACTING[field]
    assert (pod(DOUBLE) == pod({**DOUBLE, field: value})) is refused


def test_every_kind_is_acted_on_or_refused_or_never_written_by_people() -> None:
    refused = {row.field for row in ROWS if row.where == "kind"}
    assert refused < set(DEFINITIONS)
    written_by_the_operator_or_read_by_the_sdk = {"Artifact"}
    acted_on = {"Task", "Workflow", "LaunchPlan", "Execution", "Signal", "CacheEntry", "ActorEnvironment"}
    assert {kind.__name__ for kind in KINDS} == refused | acted_on | written_by_the_operator_or_read_by_the_sdk


def test_the_values_of_these_tests_are_ones_that_the_contract_has() -> None:
    for row in ROWS:
        if row.where == "overrides":
            spec = {"python": {"entrypoint": "m:f"}, row.field: VALUES[row.field]}
            manifest = {"apiVersion": API_VERSION, "kind": "Task", "metadata": {"name": "t"}, "spec": spec}
            assert validate_manifests([manifest]) == []
    assert unsupported.in_task({"python": {"entrypoint": "m:f"}}) == []


STORE = StoreSettings(prefix="file:///data/{namespace}", volume={"emptyDir": {}}, mount="/data")
UNREACHABLE = [
    ("bucket/x", StoreSettings(), "no URI"),
    ("s3://bucket/{team}", StoreSettings(), "placeholder that is not known"),
    ("file:///data/x", StoreSettings(), "would be lost with each pod"),
    ("file:///database", STORE, "not on the volume"),
    ("file:///data/../etc", STORE, "not on the volume"),
]


@pytest.mark.parametrize(("prefix", "store", "why"), UNREACHABLE)
@pytest.mark.parametrize("of", ["run", "plan"])
def test_a_run_whose_data_would_go_where_pods_cannot_write_is_refused(
    prefix: str, store: StoreSettings, why: str, of: str
) -> None:
    by_hand: Body = {"workflow": {"name": "wf"}, "rawOutputPrefix": prefix}
    by_plan: Body = {"rawOutputPrefix": prefix}
    verdict = tried(spec=by_hand, store=store) if of == "run" else tried(None, BY_PLAN, by_plan, store)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "InvalidStore"
    assert verdict.message.startswith("rawOutputPrefix: ")
    assert why in verdict.message


@pytest.mark.parametrize("prefix", ["s3://other/{namespace}/x", "gs://b", "file:///data", "file:///data/{project}/x"])
def test_a_run_may_say_where_its_data_goes(prefix: str) -> None:
    assert isinstance(tried(spec={"workflow": {"name": "wf"}, "rawOutputPrefix": prefix}, store=STORE), Admitted)
