"""Child Executions: how they are made, and what they say about the attempt that they run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.operator.things import END, Body
from windlass_api import names
from windlass_api.v1alpha1.execution import Execution
from windlass_operator.core.observed import Stored
from windlass_operator.kinds.evidence import Evidence, Failed, Failure, FailureKind, Running, Succeeded, Waiting
from windlass_operator.kinds.executions import evidence
from windlass_operator.manifests.execution import child_execution, definition_label, dynamic_revision
from windlass_operator.manifests.objects import owner_reference, place_of

OWNER = owner_reference("Execution", "e", "u1")
LONG = ".".join(["workflow"] * 20)


def child(node: str = "p", attempt: int = 0, element: int | None = None, **more: Any) -> Body:
    ask: Body = {
        "name": "e-p-0", "namespace": "ns", "parent": "e", "owner": OWNER, "depth": 3, "closure": "c1",
        "place": (node, attempt, element),
        "spec": {"launchPlan": {"name": "plan"}, "inputs": {"n": 1}}, "labels_of_plan": {}, "annotations_of_plan": {},
    }  # fmt: skip
    return child_execution(**{**ask, **more})


@pytest.mark.parametrize("place", [("p", 0, None), ("w.p", 2, None), ("p", 1, 7), ("p", 0, 0), (LONG, 3, 4)])
def test_a_child_is_found_again_by_its_labels(place: tuple[str, int, int | None]) -> None:
    meta = child(*place)["metadata"]
    assert place_of(meta) == place
    assert all(names.label_value(value) == value for value in meta["labels"].values())
    assert (meta["labels"][names.LABEL_PARENT], meta["annotations"][names.ANNOTATION_DEPTH]) == ("e", "3")


def test_a_child_is_one_that_the_contract_has() -> None:
    assert Execution.model_validate(child()).spec.inputs == {"n": 1}


def test_a_child_goes_with_its_parent_and_holds_nobody_up() -> None:
    assert child()["metadata"]["ownerReferences"] == [{**OWNER, "controller": True}]
    assert "blockOwnerDeletion" not in child()["metadata"]["ownerReferences"][0]


def test_marks_of_the_launch_plan_are_on_its_runs_but_ours_are_ours() -> None:
    meta = child(
        labels_of_plan={"team": "data", names.LABEL_PARENT: "forged"},
        annotations_of_plan={"note": "x", names.ANNOTATION_DEPTH: "0"},
    )["metadata"]
    assert (meta["labels"]["team"], meta["labels"][names.LABEL_PARENT]) == ("data", "e")
    assert (meta["annotations"]["note"], meta["annotations"][names.ANNOTATION_DEPTH]) == ("x", "3")


def test_a_workflow_that_a_dynamic_task_gave_is_a_revision_with_a_version_of_its_content() -> None:
    gave = {"nodes": [{"id": "dn0", "task": {"name": "t"}}]}
    manifest, reference = dynamic_revision("my.task", gave, "ns", OWNER)
    again, same = dynamic_revision("my.task", dict(gave), "ns", OWNER)
    other, different = dynamic_revision("my.task", {"nodes": []}, "ns", OWNER)
    assert (again, same) == (manifest, reference)
    assert other["metadata"]["name"] != manifest["metadata"]["name"]
    assert different != reference
    assert reference["name"] == "my.task"
    assert manifest["data"]["spec"]["version"] == reference["version"]
    labels = manifest["metadata"]["labels"]
    assert labels[names.LABEL_DEFINITION] == definition_label("Workflow", "my.task")
    assert labels[names.LABEL_VERSION] == names.label_value(reference["version"])


def reading(conditions: list[Body] | None = None, **status: Any) -> Evidence:
    body = {"metadata": {"name": "e-p-0"}, "status": {**status, "conditions": conditions or []}}
    return evidence(body, lambda execution, digest: Stored(digest, execution))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({}, Waiting()),
        ({"phase": "Pending"}, Waiting()),
        ({"phase": "Running", "startedAt": END}, Running(END)),
        ({"phase": "Suspended", "startedAt": END}, Running(END)),
        ({"phase": "Succeeded", "finishedAt": END}, Succeeded({}, END)),
        ({"phase": "Succeeded", "finishedAt": END, "outputs": {"o0": 1}}, Succeeded({"o0": 1}, END)),
        (
            {"phase": "Succeeded", "outputs": {"o0": {"$value": "0" * 16}}},
            Succeeded({"o0": Stored("0" * 16, "e-p-0")}, ""),
        ),
        (
            {
                "phase": "Failed",
                "finishedAt": END,
                "error": {"code": "C", "kind": "system", "message": "m", "type": "T"},
            },
            Failed(Failure(FailureKind.USER, "C", "m", "T"), END),
        ),
        ({"phase": "Failed"}, Failed(Failure(FailureKind.USER, "Failed", "the child execution failed"), "")),
        (
            {"phase": "Cancelled", "finishedAt": END},
            Failed(Failure(FailureKind.USER, "Cancelled", "the child execution was cancelled"), END),
        ),
    ],
)
def test_an_execution_says_how_far_it_is(status: Body, says: Evidence) -> None:
    assert reading(**status) == says


@pytest.mark.parametrize(
    ("phase", "status", "stuck"),
    [("Pending", "True", True), ("Running", "True", True), ("Running", "False", False), ("Succeeded", "True", False)],
)
def test_an_execution_that_stalls_is_stuck_but_has_all_the_time(phase: str, status: str, stuck: bool) -> None:
    stalled = {"type": "Stalled", "status": status, "reason": "TaskNotFound", "message": "no t"}
    found = reading([stalled], phase=phase)
    assert (found == Waiting("TaskNotFound", "no t", stuck=True, times_out=False)) is stuck
