"""How a pod of the kind ``python`` is read: what it says about its attempt, and whose fault an end is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.operator.things import BEGIN, END, Body, container, ended, result, waits
from windlass_api.types import MAX_VALUE_DEPTH
from windlass_operator.kinds import kind_of
from windlass_operator.kinds.evidence import Evidence, Failed, Failure, FailureKind, Running, Succeeded, Waiting
from windlass_operator.kinds.pods import DISRUPTIONS, NOT_ADMITTED, OF_THE_POD
from windlass_operator.kinds.python import PYTHON, WITHOUT_RECORD
from windlass_operator.kinds.stuck import REASONS

USER, SYSTEM, OOM = FailureKind.USER, FailureKind.SYSTEM, FailureKind.OOM


def read(**status: Any) -> Evidence:
    return PYTHON.evidence({"status": status})


def over(state: Body, phase: str = "Failed", **status: Any) -> Evidence:
    return read(phase=phase, containerStatuses=[container(state)], **status)


def failure(state: Body, **status: Any) -> tuple[FailureKind, str, str, bool]:
    evidence = over(state, **status)
    assert isinstance(evidence, Failed), evidence
    return evidence.failure.kind, evidence.failure.code, evidence.failure.message, evidence.failure.recoverable


@pytest.mark.parametrize(
    ("code", "reason", "kind", "name", "recoverable", "says"),
    [
        (137, "OOMKilled", OOM, "OOMKilled", True, "raise the task's memory limit"),
        (0, "OOMKilled", OOM, "OOMKilled", True, "raise the task's memory limit"),
        (137, "ContainerStatusUnknown", SYSTEM, "ContainerStatusUnknown", False, "nobody knows what became"),
        (255, "Unknown", SYSTEM, "ContainerStatusUnknown", False, "nobody knows what became of the container"),
        (1, "StartError", USER, "CannotStart", False, "could not start (exit code 1)"),
        (1, "ContainerCannotRun", USER, "CannotStart", False, "a python3 (≥ 3.10) on its PATH?"),
        (126, "Error", USER, "CannotStart", False, "(exit code 126)"),
        (127, "Error", USER, "CannotStart", False, "(exit code 127)"),
        (128, "Error", USER, "CannotStart", False, "(exit code 128)"),
        (0, "Completed", USER, "NoResult", False, "without a result"),
        (137, "Error", SYSTEM, "Killed", False, "was killed (exit code 137)"),
        (247, "Error", SYSTEM, "Killed", False, "was killed (exit code 247)"),
        (143, "Error", SYSTEM, "Terminated", False, "was told to stop (exit code 143)"),
        (1, "Error", USER, "ExitCode", True, "died with exit code 1 and left no result"),
        (134, "Error", USER, "ExitCode", True, "died with exit code 134"),
        (139, "Error", USER, "ExitCode", True, "died with exit code 139"),
        (255, "Error", USER, "ExitCode", True, "died with exit code 255"),
        (129, "", USER, "ExitCode", True, "died with exit code 129"),
    ],
)
def test_without_a_record_the_exit_decides(
    code: int, reason: str, kind: FailureKind, name: str, recoverable: bool, says: str
) -> None:
    found = failure(ended(code, reason))
    assert (found[0], found[1], found[3]) == (kind, name, recoverable)
    assert says in found[2]


def test_the_tail_of_a_log_is_told_as_well() -> None:
    assert failure(ended(1, message="  Fatal Python error\n"))[2].endswith("left no result: Fatal Python error")


@pytest.mark.parametrize("reason", sorted(DISRUPTIONS))
def test_a_pod_that_the_cluster_ended_is_a_system_failure(reason: str) -> None:
    assert failure(ended(137), reason=reason, message="no room") == (SYSTEM, reason, "no room", False)
    assert failure(ended(0, "Completed"), reason=reason)[:3] == (SYSTEM, reason, "the cluster ended the pod")


TOO_LITTLE = ["OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage", "OutOfnvidia.com/gpu"]


@pytest.mark.parametrize("reason", [*sorted(NOT_ADMITTED), *TOO_LITTLE])
def test_a_pod_that_its_node_did_not_take_is_a_system_failure(reason: str) -> None:
    evidence = read(phase="Failed", reason=reason, message="Pod was rejected")
    assert evidence == Failed(Failure(SYSTEM, reason, "Pod was rejected"), "")
    restarted = failure(ended(1), reason=reason)
    assert restarted == (SYSTEM, reason, "its node did not take the pod", False)


@pytest.mark.parametrize("code", [1, 137, 143])
def test_a_pod_that_exceeded_a_deadline_timed_out(code: int) -> None:
    assert failure(ended(code), reason="DeadlineExceeded", message="Pod was active on the node longer than…") == (
        USER, "DeadlineExceeded", "Pod was active on the node longer than…", True,
    )  # fmt: skip


def test_a_reason_that_nobody_knows_leaves_the_verdict_to_the_container() -> None:
    assert failure(ended(1), reason="Curious")[:2] == (USER, "ExitCode")
    assert failure(ended(137), reason="Curious")[:2] == (SYSTEM, "Killed")


def test_every_reason_with_which_the_cluster_ends_pods_is_known() -> None:
    assert sorted(DISRUPTIONS) == [
        "Evicted", "NodeLost", "NodeShutdown", "Preempting", "Shutdown", "Terminated", "UnexpectedAdmissionError",
    ]  # fmt: skip


BY_WHOM = [
    "DeletionByPodGC", "DeletionByTaintManager", "EvictionByEvictionAPI", "PreemptionByScheduler",
    "TerminationByKubelet",
]  # fmt: skip


@pytest.mark.parametrize("reason", BY_WHOM)
@pytest.mark.parametrize("code", [0, 1, 137, 143])
def test_whoever_disrupted_a_pod_its_code_is_not_to_blame(reason: str, code: int) -> None:
    target = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "by x"}
    assert failure(ended(code), conditions=[target]) == (SYSTEM, reason, "by x", False)
    gone = read(phase="Failed", conditions=[target])
    assert gone == Failed(Failure(SYSTEM, reason, "by x"), "")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"status": "True", "reason": "PreemptionByScheduler", "message": "by x"},
         (SYSTEM, "PreemptionByScheduler", "by x", False)),
        ({"status": "True"}, (SYSTEM, "Disrupted", "the pod was disrupted", False)),
        ({"status": "False", "reason": "PreemptionByScheduler"},
         (USER, "ExitCode", "the process died with exit code 1 and left no result", True)),
    ],
    ids=["named", "bare", "not true"],
)  # fmt: skip
def test_a_disruption_target_is_a_system_failure(condition: Body, expected: tuple[Any, ...]) -> None:
    ready = {"type": "Ready", "status": "True", "reason": "Other"}
    assert failure(ended(1), conditions=[ready, {"type": "DisruptionTarget", **condition}]) == expected


def test_a_disruption_explains_more_than_the_pods_own_reason() -> None:
    target = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}
    assert failure(ended(137), reason="Evicted", conditions=[target])[1] == "TerminationByKubelet"


def test_a_record_counts_more_than_a_disruption() -> None:
    target = {"type": "DisruptionTarget", "status": "True"}
    error = {"kind": "user", "code": "USER:RuntimeError", "message": "it broke"}
    assert failure(ended(1, message=json.dumps({"v": 1, "error": error})), conditions=[target])[2] == "it broke"
    evidence = over(ended(0, "Completed", result(o0=1)), "Succeeded", conditions=[target], reason="Evicted")
    assert isinstance(evidence, Succeeded)


def test_a_pod_that_never_ran_its_container_tells_its_own_reason() -> None:
    evidence = read(phase="Failed", reason="OutOfcpu", message="Node didn't have enough resource")
    assert isinstance(evidence, Failed)
    assert (evidence.failure.kind, evidence.failure.code) == (SYSTEM, "OutOfcpu")
    assert evidence.failure.message == "Node didn't have enough resource"


def test_a_failed_init_container_is_a_system_failure() -> None:
    evidence = read(
        phase="Failed",
        initContainerStatuses=[container(ended(1, message="disk full"), "runtime")],
        containerStatuses=[container(waits("PodInitializing"))],
    )
    assert isinstance(evidence, Failed)
    assert (evidence.failure.kind, evidence.failure.code) == (SYSTEM, "PodFailed")
    assert "init container 'runtime' ended with exit code 1" in evidence.failure.message
    assert "disk full" in evidence.failure.message


def test_a_pod_that_tells_nothing_is_a_system_failure_all_the_same() -> None:
    evidence = read(phase="Failed")
    assert isinstance(evidence, Failed)
    assert (evidence.failure.kind, evidence.failure.code) == (SYSTEM, "PodFailed")
    assert evidence.failure.message == "the pod ended before its container ran"


def test_outputs_are_read_with_their_time_and_timings() -> None:
    record = json.dumps({"v": 1, "outputs": {"o0": {"a": [1, None]}}, "timings": {"user": 2.5}})
    assert over(ended(0, "Completed", record), "Succeeded") == Succeeded({"o0": {"a": [1, None]}}, END, {"user": 2.5})


def test_an_error_is_read_with_all_it_tells() -> None:
    error = {"kind": "system", "code": "Terminated", "type": "T", "message": "m", "traceback": "tb", "recoverable": 1}
    evidence = over(ended(143, message=json.dumps({"v": 1, "error": error})))
    assert isinstance(evidence, Failed)
    told = evidence.failure
    assert (told.kind, told.code, told.type, told.message) == (SYSTEM, "Terminated", "T", "m")
    assert (told.traceback, told.recoverable, evidence.at) == ("tb", True, END)


def test_an_error_that_tells_nothing_is_the_users() -> None:
    assert failure(ended(1, message='{"v": 1, "error": {}}')) == (USER, "USER:Unknown", "", False)


@pytest.mark.parametrize(
    "message",
    [
        '{"v":1,"outputs":{"o0":',
        '{"v":2,"outputs":{}}',
        '{"v":1}',
        '{"v":1,"outputs":[]}',
        '{"v":1,"error":"text"}',
        "[1]",
        "null",
        "Traceback (most recent call last):",
        "[" * 100_000,
        '{"v":1,"outputs":{"o0":NaN}}',
        '{"v":1,"outputs":{"o0":1e999}}',
        '{"v":1,"outputs":{"o0":"\\ud800"}}',
        '{"v":1,"error":{"message":"\\udfff"}}',
        f'{{"v":1,"outputs":{{"o0":{"9" * 5000}}}}}',
    ],
    ids=[
        "half a record", "another version", "no result", "outputs are no mapping", "the error is no mapping", "a list",
        "null", "a log", "brackets", "not a number", "infinite", "a lone surrogate",
        "a lone surrogate in an error", "a number of 5000 digits",
    ],
)  # fmt: skip
def test_what_is_no_record_counts_as_none(message: str) -> None:
    assert failure(ended(0, "Completed", message), phase="Succeeded")[1] == "NoResult"


@pytest.mark.parametrize(
    ("number", "kept"), [(2**63 - 1, 2**63 - 1), (-(2**63), -(2**63)), (2**63, 2.0**63), (-(2**63) - 1, -(2.0**63))]
)
def test_integers_of_64_bits_are_kept_and_larger_ones_are_what_kubernetes_makes_of_them(
    number: int, kept: int | float
) -> None:
    evidence = over(ended(0, "Completed", result(o0=number)), "Succeeded")
    assert isinstance(evidence, Succeeded)
    assert evidence.outputs == {"o0": kept}
    assert type(evidence.outputs["o0"]) is type(kept)


def test_outputs_count_only_when_the_process_ended_well() -> None:
    assert failure(ended(3, message=result(o0=1)))[1] == "ExitCode"
    assert failure(ended(137, message=result(o0=1)))[:2] == (SYSTEM, "Killed")


def test_outputs_too_deep_to_be_handled_are_refused() -> None:
    def nested(levels: int) -> Any:
        return [nested(levels - 1)] if levels else 0

    deepest = over(ended(0, "Completed", result(o0=nested(MAX_VALUE_DEPTH - 1))), "Succeeded")
    assert isinstance(deepest, Succeeded)
    assert failure(ended(0, "Completed", result(o0=nested(MAX_VALUE_DEPTH + 1))), phase="Succeeded") == (
        USER, "OutputTooDeep", "the outputs are nested too deeply", False,
    )  # fmt: skip


@pytest.mark.parametrize("reason", sorted(REASONS - {"Unschedulable"}))
@pytest.mark.parametrize("where", ["containerStatuses", "initContainerStatuses"])
def test_a_container_that_cannot_start_is_stuck(reason: str, where: str) -> None:
    status = {where: [container(waits(reason, "no such image"))]}
    assert read(phase="Pending", **status) == Waiting(reason, "no such image", stuck=True)


def test_every_reason_for_being_stuck_is_known() -> None:
    assert sorted(REASONS) == [
        "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "ErrImageNeverPull", "ErrImagePull",
        "ImageInspectError", "ImagePullBackOff", "InvalidImageName", "PostStartHookError", "PreCreateHookError",
        "PreStartHookError", "RegistryUnavailable", "RunContainerError", "SignatureValidationFailed", "Unschedulable",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"status": "False", "reason": "Unschedulable", "message": "0/1 nodes"},
         Waiting("Unschedulable", "0/1 nodes", stuck=True)),
        ({"status": "False"}, Waiting("Unschedulable", "", stuck=True)),
        ({"status": "False", "reason": "SchedulingGated"}, Waiting("SchedulingGated", "", stuck=False)),
        ({"status": "True", "reason": "Unschedulable"}, Waiting()),
    ],
    ids=["no room", "no reason", "gated", "scheduled"],
)  # fmt: skip
def test_a_pod_without_a_node_says_why(condition: Body, expected: Waiting) -> None:
    ready = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
    assert read(phase="Pending", conditions=[ready, {"type": "PodScheduled", **condition}]) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, Waiting()),
        ({"phase": "Pending"}, Waiting()),
        ({"phase": "Pending", "containerStatuses": [container(waits("ContainerCreating"))]}, Waiting()),
        ({"phase": "Running", "containerStatuses": [container({"running": {"startedAt": BEGIN}})]}, Running(BEGIN)),
        ({"phase": "Running", "containerStatuses": [container(ended(0, "Completed", result(o0=1)))]}, Running(BEGIN)),
        ({"phase": "Pending", "initContainerStatuses": [container({"running": {"startedAt": BEGIN}})]}, Waiting()),
    ],
    ids=["no status", "just made", "starting", "running", "ended, but its pod hasn't", "initialising"],
)
def test_a_pod_under_way_waits_or_runs(status: Body, expected: Evidence) -> None:
    assert read(**status) == expected


def test_other_containers_say_nothing_about_the_attempt() -> None:
    side, main = container(ended(1, "OOMKilled"), "sidecar"), container(ended(0, "Completed", result(o0=1)))
    assert read(phase="Succeeded", containerStatuses=[side, main]) == Succeeded({"o0": 1}, END)
    assert read(phase="Running", containerStatuses=[container({"running": {"startedAt": BEGIN}}, "proxy")]) == Waiting()


def test_a_task_with_an_unknown_runner_is_not_guessed_at() -> None:
    assert kind_of({"python": {}}) is PYTHON
    with pytest.raises(LookupError, match="it knows: python"):
        kind_of({"wasm": {}})


# The tables themselves: each row can be reached, and says something.


def test_every_row_about_a_pods_own_reason_is_reached() -> None:
    reached = [
        next(row for row in OF_THE_POD if row[0](reason)) for reason in ("DeadlineExceeded", "Evicted", "OutOfx")
    ]
    assert reached == list(OF_THE_POD)
    assert all(text for _, _, text, _ in OF_THE_POD)


def test_every_row_about_an_exit_is_reached() -> None:
    ends = [
        (137, "OOMKilled"),
        (255, "Unknown"),
        (127, "Error"),
        (0, "Completed"),
        (137, "Error"),
        (143, "Error"),
        (1, ""),
    ]
    assert [next(row for row in WITHOUT_RECORD if row[0](*end)) for end in ends] == list(WITHOUT_RECORD)


@pytest.mark.parametrize("code", range(256))
def test_every_exit_code_means_something(code: int) -> None:
    assert failure(ended(code))[0] in (USER, SYSTEM)
