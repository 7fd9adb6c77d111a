"""How a pod of the kind ``container`` is read: what its main container and the record of its helper say together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.operator.things import BEGIN, END, Body, container, ended, pod, result, waits
from windlass_api import names
from windlass_api.types import MAX_VALUE_DEPTH
from windlass_operator.kinds import kind_of, kind_of_pod
from windlass_operator.kinds.container import CONTAINER, OF_MAIN, SAID
from windlass_operator.kinds.evidence import Evidence, Failed, Failure, FailureKind, Running, Succeeded, Waiting
from windlass_operator.kinds.python import PYTHON
from windlass_operator.manifests.container import ARGUMENT_LIMIT, COMMAND_LIMIT
from windlass_operator.manifests.look import PodLook
from windlass_operator.manifests.pod import PodAsk
from windlass_operator.settings import Settings, StoreSettings

USER, SYSTEM, OOM = FailureKind.USER, FailureKind.SYSTEM, FailureKind.OOM
DONE = ended(0, "Completed")


def record(kind: str = "user", code: str = "USER:AssertionError", type_: str = "FlyteAssertion") -> str:
    """The record of an error."""
    error = {"kind": kind, "code": code, "type": type_, "message": "told", "traceback": "", "recoverable": False}
    return json.dumps({"v": 1, "error": error})


def reader(code: int = 0, message: str = "", reason: str = "Completed") -> Body:
    """The sidecar, ended."""
    return container(ended(code, reason, message), "outputs")


def read(main: Body | None, *helpers: Body, phase: str = "", **status: Any) -> Evidence:
    code = ((main or {}).get("terminated") or {}).get("exitCode")
    told = {"containerStatuses": [container(main)]} if main is not None else {}
    phase = phase or ("Succeeded" if code == 0 else "Failed")
    return CONTAINER.evidence({"status": {"phase": phase, "initContainerStatuses": list(helpers), **told, **status}})


def failure(*arguments: Any, **status: Any) -> tuple[FailureKind, str, bool]:
    evidence = read(*arguments, **status)
    assert isinstance(evidence, Failed), evidence
    return evidence.failure.kind, evidence.failure.code, evidence.failure.recoverable


def test_an_exit_with_0_and_outputs_is_a_success_at_the_end_of_the_helper() -> None:
    late = {"terminated": {**reader(0, result(n=1))["state"]["terminated"], "finishedAt": "2026-11-22T19:00:09Z"}}
    evidence = read(DONE, container(late, "outputs"))
    assert evidence == Succeeded({"n": 1}, "2026-11-22T19:00:09Z")


def test_without_a_helper_an_exit_with_0_is_a_success_with_nothing() -> None:
    assert read(DONE) == Succeeded({}, END)


SAID_SO = record(type_=SAID, code="USER:RuntimeError")
MISSING = record()
DISRUPTED = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]}


@pytest.mark.parametrize(
    ("main", "message", "status", "expected"),
    [
        (DONE, MISSING, {}, (USER, "USER:AssertionError", False)),
        (DONE, SAID_SO, {}, (USER, "USER:RuntimeError", False)),
        (DONE, record("system", "SYSTEM:UploadDataError"), {}, (SYSTEM, "SYSTEM:UploadDataError", False)),
        (DONE, "half a rec", {}, (SYSTEM, "OutputsLost", False)),
        (ended(3), MISSING, {}, (USER, "ExitCode", True)),
        (ended(3), result(n=1), {}, (USER, "ExitCode", True)),
        (ended(3), "", {}, (USER, "ExitCode", True)),
        (ended(3), SAID_SO, {}, (USER, "USER:RuntimeError", False)),
        (ended(127), MISSING, {}, (USER, "ExitCode", True)),
        (ended(128, "StartError"), MISSING, {}, (USER, "CannotStart", False)),
        (ended(137, "OOMKilled"), MISSING, {}, (OOM, "OOMKilled", True)),
        (ended(137, "OOMKilled"), SAID_SO, {}, (OOM, "OOMKilled", True)),
        (ended(137), MISSING, {}, (SYSTEM, "Killed", False)),
        (ended(143), MISSING, {}, (SYSTEM, "Terminated", False)),
        (ended(255, "Unknown"), MISSING, {}, (SYSTEM, "ContainerStatusUnknown", False)),
        (ended(143), SAID_SO, DISRUPTED, (SYSTEM, "EvictionByEvictionAPI", False)),
        (DONE, result(n=1), {"phase": "Failed", "reason": "Evicted"}, (SYSTEM, "Evicted", False)),
        (ended(1), MISSING, {"reason": "DeadlineExceeded"}, (USER, "DeadlineExceeded", True)),
    ],
    ids=str,
)
def test_main_and_the_record_are_read_together(
    main: Body, message: str, status: Body, expected: tuple[FailureKind, str, bool]
) -> None:
    assert failure(main, reader(1, message), **status) == expected


def test_a_record_that_main_forges_counts_for_nothing() -> None:
    assert read(ended(0, "Completed", result(n=666))) == Succeeded({}, END)
    assert failure(ended(1, "Error", result(n=666)), reader(1, MISSING)) == (USER, "ExitCode", True)


def test_the_end_of_the_log_is_in_the_message() -> None:
    evidence = read(ended(3, "Error", "no such file: x\n"), reader(1, MISSING))
    assert isinstance(evidence, Failed)
    assert evidence.failure.message == "the container exited with 3: no such file: x"


def test_a_helper_that_was_killed_is_told() -> None:
    evidence = read(DONE, reader(137, "", "OOMKilled"))
    assert isinstance(evidence, Failed)
    assert "exit code 137 (OOMKilled)" in evidence.failure.message


def test_inputs_that_could_not_be_written_are_the_failure_of_a_pod_whose_main_never_ran() -> None:
    helper = container(ended(1, "Error", record("system", "SYSTEM:DownloadDataError")), "inputs")
    assert failure(waits("PodInitializing"), helper, phase="Failed") == (SYSTEM, "SYSTEM:DownloadDataError", False)
    broken = container(ended(1, "Error", "no module"), "inputs")
    evidence = read(None, broken, phase="Failed")
    assert evidence == Failed(
        Failure(SYSTEM, "PodFailed", "init container 'inputs' ended with exit code 1: no module"), ""
    )


def test_a_cached_result_that_is_still_there_is_a_success_of_a_pod_that_failed_on_purpose() -> None:
    told = json.dumps({"v": 1, "outputs": {"y": {"uri": "s3://b/y"}}, "reused": True})
    helper = container(ended(3, "Error", told), "inputs")
    evidence = read(waits("PodInitializing"), helper, phase="Failed")
    assert evidence == Succeeded({"y": {"uri": "s3://b/y"}}, END, reused=True)


def test_outputs_nested_too_deeply_are_refused() -> None:
    deep: Any = 1
    for _ in range(MAX_VALUE_DEPTH + 1):
        deep = [deep]
    assert failure(DONE, reader(0, result(n=deep))) == (USER, "OutputTooDeep", False)


def test_while_helpers_work_it_waits_or_runs() -> None:
    running = {"running": {"startedAt": BEGIN}}
    assert read(waits("PodInitializing"), container(running, "inputs"), phase="Pending") == Waiting()
    assert read(running, container(running, "outputs"), phase="Running") == Running(BEGIN)
    assert read(DONE, container(running, "outputs"), phase="Running") == Running(BEGIN)
    stuck = read(waits("PodInitializing"), container(waits("CrashLoopBackOff", "5m"), "outputs"), phase="Pending")
    assert stuck == Waiting("CrashLoopBackOff", "5m", stuck=True)


def test_each_row_of_the_table_is_reached_and_the_last_takes_anything() -> None:
    ends = [(137, "OOMKilled"), (255, "Unknown"), (128, "StartError"), (137, "Error"), (143, "Error"), (1, "Error")]
    assert [next(row for row in OF_MAIN if row.matches(*end)) for end in ends] == list(OF_MAIN)


def test_the_kind_is_known_by_the_task_and_by_the_pod() -> None:
    assert kind_of({"container": {}}) is CONTAINER
    body = pod()
    assert kind_of_pod(body) is PYTHON
    body["metadata"]["annotations"] = {names.ANNOTATION_RUNNER: "container"}
    assert kind_of_pod(body) is CONTAINER


def ask(
    args: list[str], *, store: str = "", outputs: Body | None = None, env: Body | None = None, **given: Any
) -> PodAsk:
    spec = {
        "image": "i",
        "inputs": {name: {"type": "str"} for name in given},
        "outputs": outputs or {},
        "env": env or {},
        "container": {"args": args, "ioStrategy": {"upload": "Eager"}},
    }
    look = PodLook(namespace="ns", spec=spec, settings=Settings(store=StoreSettings(prefix=store)))
    return PodAsk(look=look, execution="e", uid="u", node="a", attempt=0, task="t", inputs=given, given=given)


FILE = {"y": {"type": "optional[file]"}}
LONG = "x" * ARGUMENT_LIMIT
FAR = {"$stored": {"uri": "s3://b/x", "size": 9_000_000, "sha256": "0" * 64}}


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (ask(["{{.inputs.x}}!"], x=LONG), "InputsTooLarge", "nodes.a: args[0]: 131,072 bytes with the inputs in it"),
        (ask(["{{.inputs.x}}"] * 5, x=LONG), "InputsTooLarge", f"it may have {COMMAND_LIMIT:,}"),
        (ask(["a", "<{{.inputs.x}}>"], x="\0"), "InvalidInputs", "nodes.a: args[1]: no argument of a program"),
        (ask(["{{.inputs.x}}"], x=FAR), "InputsTooLarge", "the input x, which is so large that it lies in the store"),
        (ask([], outputs=FILE), "NoStore", "nodes.a: the output y is a file, a folder or a table"),
    ],
    ids=["long", "many", "nul", "far", "no store"],
)  # fmt: skip
def test_what_no_pod_could_do_fails_before_there_is_one(asked: PodAsk, code: str, message: str) -> None:
    found = CONTAINER.desired(asked)
    assert isinstance(found, Failure)
    assert (found.kind, found.code, found.recoverable) == (USER, code, False)
    assert message in found.message


@pytest.mark.parametrize(
    "asked",
    [
        ask(["{{.inputs.x}}"], x=LONG),
        ask(["{{.inputs.x}}"] * 8, x="x" * (COMMAND_LIMIT // 8)),
        ask([], outputs=FILE, store="s3://b"),
        ask([], outputs=FILE, env={"WINDLASS_RAW_OUTPUT_PREFIX": "s3://b"}),
    ],
    ids=["long", "many", "store", "the author's store"],
)
def test_what_is_just_within_the_limits_has_a_pod(asked: PodAsk) -> None:
    assert not isinstance(CONTAINER.desired(asked), Failure)
