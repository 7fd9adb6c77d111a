"""Handles of runs, made of what a status says: phases, errors, values, nodes, attempts, spans, addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from windlass import workflow
from windlass._exceptions import FlyteAssertion, FlyteValueException
from windlass._notifications import Email, WorkflowExecutionPhase
from windlass._plan_options import Options
from windlass._remote import executing, metrics, uris
from windlass._remote.events import Changes
from windlass._remote.executing import RunSettings
from windlass._remote.executions import FlyteWorkflowExecution, NodeExecutionPhase, TaskExecutionPhase

DEFINITION: dict[str, Any] = {
    "workflow": {
        "inputs": {"a": {"type": "int"}, "b": {"type": "int", "default": 10}},
        "outputs": {"o0": {"type": "datetime"}},
        "nodes": [
            {
                "id": "n0",
                "task": {"name": "t", "version": "v1"},
                "inputs": {"x": {"$ref": "inputs.a"}, "y": {"$ref": "inputs.b"}},
            },
            {
                "id": "n1",
                "task": {"name": "t", "version": "v1"},
                "inputs": {"x": {"$ref": "nodes.n0.outputs.o0"}, "z": {"$ref": "nodes.n9.outputs.o0"}},
            },
        ],
    },
    "tasks": {"t@v1": {"inputs": {"x": {"type": "int"}}, "outputs": {"o0": {"type": "timedelta"}}}},
}


def execution(status: dict[str, Any] | None = None, **kwargs: Any) -> FlyteWorkflowExecution:
    obj: dict[str, Any] = {
        "metadata": {"name": "run", "namespace": "ns", "creationTimestamp": "2024-01-01T00:00:00Z", "uid": "u"},
        "spec": {"workflow": {"name": "wf"}, "inputs": {"a": 1}},
    }
    if status is not None:
        obj["status"] = status
    return FlyteWorkflowExecution(obj, definition=DEFINITION, **kwargs)


RUNNING: dict[str, Any] = {
    "phase": "Running",
    "startedAt": "2024-01-01T00:00:01Z",
    "nodes": {
        "n0": {
            "phase": "Succeeded",
            "name": "first",
            "task": "t",
            "attempt": 1,
            "startedAt": "2024-01-01T00:00:02Z",
            "finishedAt": "2024-01-01T00:00:04Z",
            "outputs": {"o0": "90s"},
        },
        "n1": {"phase": "Running", "task": "t", "startedAt": "2024-01-01T00:00:04Z"},
        "n2": {"phase": "Skipped"},
    },
}


def anyhow(value: Any) -> Any:
    """The value, for calls that its type forbids."""
    return value


def test_a_run_that_nobody_took_up_is_undefined() -> None:
    found = execution()
    assert found.closure.phase == WorkflowExecutionPhase.UNDEFINED
    assert not found.is_done
    assert repr(found) == "<execution run in ns: not taken up yet>"
    assert found.closure.duration is None


@pytest.mark.parametrize(
    ("phase", "number", "done", "successful"),
    [
        ("Pending", WorkflowExecutionPhase.QUEUED, False, False),
        ("Running", WorkflowExecutionPhase.RUNNING, False, False),
        ("Suspended", WorkflowExecutionPhase.RUNNING, False, False),
        ("Succeeded", WorkflowExecutionPhase.SUCCEEDED, True, True),
        ("Failed", WorkflowExecutionPhase.FAILED, True, False),
        ("Cancelled", WorkflowExecutionPhase.ABORTED, True, False),
    ],
)
def test_phases_have_the_numbers_of_the_api(phase: str, number: int, done: bool, successful: bool) -> None:
    found = execution({"phase": phase})
    assert (found.closure.phase, found.is_done, found.is_successful) == (number, done, successful)


def test_values_are_there_once_it_has_ended_well() -> None:
    found = execution({"phase": "Succeeded", "outputs": {"o0": "2024-01-02T00:00:00Z"}})
    assert found.outputs["o0"].year == 2024
    assert found.inputs["a"] == 1
    assert found.error is None
    with pytest.raises(FlyteAssertion, match=r"Please wait until the execution has completed .*run is Running"):
        _ = execution(RUNNING).outputs
    with pytest.raises(FlyteAssertion, match="Please wait until a workflow has completed"):
        _ = execution(RUNNING).error
    with pytest.raises(FlyteAssertion, match=r"ended in failure\. It was cancelled"):
        _ = execution({"phase": "Cancelled"}).outputs


def test_the_types_of_the_entity_come_before_those_of_the_contract() -> None:
    @workflow
    def wf(a: int) -> str:
        return ""

    found = execution({"phase": "Succeeded", "outputs": {"o0": "2024-01-02T00:00:00Z"}}, entity=wf)
    assert found.outputs["o0"] == "2024-01-02T00:00:00Z"
    assert found.inputs.a == 1


def test_a_failure_tells_why() -> None:
    error = {
        "node": "n0",
        "code": "USER:ValueError",
        "type": "ValueError",
        "message": "no",
        "kind": "user",
        "traceback": "T",
    }
    found = execution({"phase": "Failed", "error": error})
    assert found.error is not None
    assert (found.error.node, found.error.kind, found.error.traceback) == ("n0", "user", "T")
    assert str(found.error) == "ValueError: no"
    assert repr(found.error) == "ExecutionError('ValueError: no', node='n0')"
    with pytest.raises(FlyteAssertion, match=r"Outputs could not be found .* Error message: ValueError: no"):
        _ = found.outputs
    conditions = [{"type": "Accepted", "status": "False", "reason": "TaskNotFound", "message": "there is no t"}]
    refused = execution({"phase": "Failed", "conditions": conditions})
    assert str(refused.error) == "TaskNotFound: there is no t"
    assert str(execution({"phase": "Failed"}).error) == ""


def test_nodes_have_phases_values_and_attempts() -> None:
    nodes = execution(RUNNING).node_executions
    first, second, third = nodes["n0"], nodes["n1"], nodes["n2"]
    assert [node.closure.phase for node in nodes.values()] == [
        NodeExecutionPhase.SUCCEEDED,
        NodeExecutionPhase.RUNNING,
        NodeExecutionPhase.SKIPPED,
    ]
    assert [node.is_done for node in nodes.values()] == [True, False, True]
    assert first.closure.duration == timedelta(seconds=2)
    assert first.metadata == {"name": "first", "task": "t"}
    assert first.outputs is not None
    assert first.outputs["o0"] == timedelta(seconds=90)
    assert first.inputs.literals == {"x": 1, "y": 10}
    assert second.inputs.literals == {"x": "90s"}
    assert second.outputs is None
    assert [one.id.retry_attempt for one in first.task_executions] == [0, 1]
    assert [one.closure.phase for one in first.executions] == [TaskExecutionPhase.FAILED, TaskExecutionPhase.SUCCEEDED]
    assert [one.is_done for one in second.task_executions] == [False]
    last = first.task_executions[-1]
    assert last.outputs is not None
    assert (last.outputs["o0"], last.inputs["x"], last.error) == (timedelta(seconds=90), 1, None)
    assert first.task_executions[0].outputs is None
    assert third.task_executions == []
    assert "attempt 1 of n0" in repr(last)
    assert repr(first) == "<node n0 of run: Succeeded>"


def test_a_node_that_failed_tells_why() -> None:
    found = execution(
        {
            "phase": "Failed",
            "nodes": {
                "n0": {
                    "phase": "Failed",
                    "task": "t",
                    "startedAt": "2024-01-01T00:00:02Z",
                    "reason": "Oops",
                    "message": "no",
                }
            },
        }
    )
    node = found.node_executions["n0"]
    assert node.error is not None
    assert (node.error.message, node.error.node) == ("no", "n0")
    assert node.task_executions[0].error is not None


def test_a_handle_without_a_remote_says_so() -> None:
    found = execution(RUNNING)
    for use in (found.sync, found.wait, lambda: found.execution_url):
        with pytest.raises(FlyteAssertion, match="was made without a remote"):
            use()
    bare = FlyteWorkflowExecution(found.object)
    assert bare.definition == {}
    assert bare.node_executions["n0"].inputs.literals == {}


# ---- the Execution object ----


def test_a_run_says_what_the_caller_wants() -> None:
    run = RunSettings(
        execution_name="mine",
        options=Options(
            labels={"team": "a"},
            annotations={"why": "so"},
            raw_output_data_config="s3://b",
            max_parallelism=2,
            security_context="robot",
            notifications=[Email(["failed"], "a@b.c")],
        ),
        overwrite_cache=True,
        interruptible=False,
        envs={"A": "b"},
        tags=["nightly", "A tag"],
    )
    obj = executing.execution({"task": {"name": "t"}}, "t", {"x": 1}, run)
    tags = [key for key in obj["metadata"]["labels"] if key.startswith("tag.windlass.dev/")]
    assert tags[0] == "tag.windlass.dev/nightly"
    assert len(tags) == 2
    assert obj["metadata"]["name"] == "mine"
    assert obj["metadata"]["labels"]["team"] == "a"
    assert obj["metadata"]["annotations"] == {"why": "so"}
    assert obj["spec"] == {
        "task": {"name": "t"},
        "inputs": {"x": 1},
        "rawOutputPrefix": "s3://b",
        "maxParallelism": 2,
        "serviceAccountName": "robot",
        "notifications": [{"phases": ["Failed"], "email": {"recipients": ["a@b.c"]}}],
        "overrides": {"env": {"A": "b"}, "interruptible": False},
        "overwriteCache": True,
    }


def test_names_are_given_begun_or_made_up() -> None:
    def metadata(**kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = executing.execution({}, "my_task", {}, RunSettings(**kwargs))["metadata"]
        return found

    assert metadata(execution_name_prefix="nightly-") == {"generateName": "nightly-"}
    assert metadata()["generateName"].startswith("my-task")
    with pytest.raises(ValueError, match="Only one of execution_name and execution_name_prefix can be set"):
        metadata(execution_name="a", execution_name_prefix="b")
    with pytest.raises(ValueError, match="small letters"):
        metadata(execution_name="My Run")


@pytest.mark.parametrize("what", ["cluster_pool", "execution_cluster_label"])
def test_choosing_among_clusters_is_refused(what: str) -> None:
    with pytest.raises(ValueError, match=rf"{what} chooses among clusters.*UnionRemote\(context='gpu'\)"):
        executing.execution({}, "t", {}, anyhow(RunSettings)(**{what: "gpu"}))


# ---- addresses, spans, events ----


def test_values_have_addresses() -> None:
    found = execution(RUNNING)
    assert uris.value_of(found, uris.parse("flyte://v1/-/-/run/i/a")) == 1
    assert uris.value_of(found, uris.parse("flyte://v1/p/d/run/n0/o/o0")) == timedelta(seconds=90)
    assert uris.value_of(found, uris.parse("flyte://v1/p/d/run/n0/i")).literals == {"x": 1, "y": 10}
    assert uris.parse("flyte://v1/p/d/run/n0/1/o")[:4] == ("p", "d", "run", "n0")
    with pytest.raises(FlyteValueException, match="has no such node; there is n0, n1, n2"):
        uris.value_of(found, uris.parse("flyte://v1/-/-/run/n7/o"))
    with pytest.raises(FlyteValueException, match="has no outputs"):
        uris.value_of(found, uris.parse("flyte://v1/-/-/run/n1/o"))


@pytest.mark.parametrize(
    "uri",
    ["flyte://v1/p/d/run", "flyte://v2/p/d/run/o", "flyte://v1/p/d/run/n0/o/a/b", "x", "flyte://v1/p/d/run/n0/0/d"],
)
def test_an_address_that_leads_nowhere_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="flyte://v1/"):
        uris.parse(uri)


def test_a_link_leads_to_the_object() -> None:
    found = execution(RUNNING)
    node = found.node_executions["n0"]
    for entity in (found, node, node.task_executions[0]):
        assert uris.object_of(entity, lambda project, domain: "") == ("Execution", "ns", "run")
    with pytest.raises(ValueError, match="there is no link to 5"):
        uris.object_of(5, lambda project, domain: "")


def test_spans_say_where_the_time_went(capsys: pytest.CaptureFixture[str]) -> None:
    found = metrics.spans_of(execution({**RUNNING, "phase": "Succeeded", "finishedAt": "2024-01-01T00:00:10Z"}), 10)
    assert found.span.duration == timedelta(seconds=10)
    assert [span.operation_id for span in found.span.spans] == ["n0", "n1"]
    assert found.dump()["id"] == "run"
    found.explain()
    assert "2.000s" in capsys.readouterr().out
    assert metrics.spans_of(execution(RUNNING), 1).span.spans == ()
    assert metrics.spans_of(execution(RUNNING), 1).span.duration is None


def test_events_are_the_changes_of_phases() -> None:
    changes = Changes(frozenset({"workflow", "node", "task"}))
    first = list(changes.of(execution(RUNNING).object))
    assert [(event.kind, event.node, event.attempt, event.phase) for event in first] == [
        ("workflow", None, None, "Running"),
        ("node", "n0", None, "Succeeded"),
        ("task", "n0", 1, "Succeeded"),
        ("node", "n1", None, "Running"),
        ("task", "n1", 0, "Running"),
        ("node", "n2", None, "Skipped"),
    ]
    assert list(changes.of(execution(RUNNING).object)) == []
    again = list(changes.of(execution({**RUNNING, "phase": "Failed"}).object))
    assert [(event.execution, event.kind, event.phase) for event in again] == [("run", "workflow", "Failed")]
    assert list(Changes(frozenset({"node"})).of(execution({"phase": "Running"}).object)) == []
