"""The kind ``python``: a function of the user's, run by the mounted runtime in a pod of its own.

A pod that ended is read in this order: the result record in its termination message is the truth (it carries outputs
or the error). Without one, the condition ``DisruptionTarget`` says that the cluster ended it; then its own reason may,
by the table ``OF_THE_POD``; then the container's reason and exit code decide, by the table ``WITHOUT_RECORD``. A pod
whose container never ran is the cluster's failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from windlass_api import records, types
from windlass_operator.kinds.evidence import Evidence, Failed, Failure, FailureKind, Running, Succeeded, Waiting
from windlass_operator.manifests.objects import Manifest
from windlass_operator.manifests.pod import CONTAINER, PodAsk, build

STUCK = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "RegistryUnavailable",
        "SignatureValidationFailed",
        "ImageInspectError",
        "CreateContainerConfigError",
        "PreCreateHookError",
        "CreateContainerError",
        "PreStartHookError",
        "PostStartHookError",
        "RunContainerError",
        "Unschedulable",
    }
)
"""Reasons for which a pod waits that won't go away by themselves within a moment."""

DISRUPTIONS = frozenset(
    {"Evicted", "NodeLost", "NodeShutdown", "Shutdown", "Terminated", "Preempting", "UnexpectedAdmissionError"}
)
"""``status.reason`` of pods that the cluster ended, not their code."""

NOT_ADMITTED = frozenset(
    {
        "AppArmor",
        "InvalidNodeInfo",
        "NodeAffinity",
        "NodeName",
        "NodePorts",
        "PodFeatureUnsupported",
        "PodOSNotSupported",
        "PodOSSelectorNodeLabelDoesNotMatch",
        "SysctlForbidden",
        "TaintToleration",
        "TopologyAffinityError",
        "UnexpectedPredicateFailureType",
    }
)
"""``status.reason`` of pods that their node's kubelet did not take. Beside these there is one for each resource that
there is too little of, such as ``OutOfcpu``. A kubelet that starts anew ends running pods with them, too.
"""


class PythonKind:
    """See the module."""

    field = "python"

    def desired(self, ask: PodAsk) -> Manifest:
        """The pod of one attempt."""
        return build(ask)

    def evidence(self, child: Mapping[str, Any]) -> Evidence:
        """What the pod says about its attempt."""
        status = child.get("status") or {}
        phase = status.get("phase")
        if phase in ("Succeeded", "Failed"):
            return _ended(child, status)
        container = _container(status)
        running = (container.get("state") or {}).get("running")
        if running:
            return Running(since=running.get("startedAt") or "")
        if (container.get("state") or {}).get("terminated"):
            return Running(since=container["state"]["terminated"].get("startedAt") or "")
        return _waiting(status)


PYTHON = PythonKind()


def _container(status: Mapping[str, Any]) -> Mapping[str, Any]:
    for entry in status.get("containerStatuses") or ():
        if entry.get("name") == CONTAINER:
            found: Mapping[str, Any] = entry
            return found
    return {}


def _waiting(status: Mapping[str, Any]) -> Waiting:
    for entry in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (entry.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in STUCK:
            return Waiting(waiting["reason"], waiting.get("message") or "", stuck=True)
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason = condition.get("reason") or "Unschedulable"
            return Waiting(reason, condition.get("message") or "", stuck=reason in STUCK)
    return Waiting()


def _ended(pod: Mapping[str, Any], status: Mapping[str, Any]) -> Evidence:
    terminated = (_container(status).get("state") or {}).get("terminated") or {}
    at = terminated.get("finishedAt") or ""
    record = records.decode(terminated.get("message"))
    if record is not None:
        if "error" in record:
            return Failed(_recorded_failure(record["error"]), at)
        outputs, workflow = record.get("outputs") or {}, record.get("workflow")
        if types.is_too_deep(outputs) or types.is_too_deep(workflow):
            return Failed(Failure(FailureKind.USER, "OutputTooDeep", "the outputs are nested too deeply"), at)
        if status.get("phase") == "Succeeded":
            return Succeeded(outputs, at, record.get("timings") or {}, workflow)
    return Failed(_failure_without_record(status, terminated), at)


def _recorded_failure(error: Mapping[str, Any]) -> Failure:
    return Failure(
        kind=FailureKind.SYSTEM if error.get("kind") == "system" else FailureKind.USER,
        code=str(error.get("code") or "USER:Unknown"),
        message=str(error.get("message") or ""),
        type=str(error.get("type") or ""),
        traceback=str(error.get("traceback") or ""),
        recoverable=bool(error.get("recoverable")),
    )


def _failure_without_record(status: Mapping[str, Any], terminated: Mapping[str, Any]) -> Failure:
    disruption = next(
        (
            c
            for c in status.get("conditions") or ()
            if c.get("type") == "DisruptionTarget" and c.get("status") == "True"
        ),
        None,
    )
    if disruption is not None:
        return Failure(
            FailureKind.SYSTEM,
            disruption.get("reason") or "Disrupted",
            disruption.get("message") or "the pod was disrupted",
        )
    reason, message = status.get("reason") or "", status.get("message") or ""
    for concerns, kind, text, recoverable in OF_THE_POD:
        if concerns(reason):
            return Failure(kind, reason, message or text, recoverable=recoverable)
    if not terminated:
        text = message or _init_trouble(status) or "the pod ended before its container ran"
        return Failure(FailureKind.SYSTEM, reason or "PodFailed", text)
    return _by_exit_code(terminated)


OF_THE_POD: tuple[tuple[Callable[[str], bool], FailureKind, str, bool], ...] = (
    # the pod's reason → kind, message, whether the user's retries apply
    (lambda reason: reason == "DeadlineExceeded", FailureKind.USER, "the pod had a deadline, and exceeded it", True),
    (lambda reason: reason in DISRUPTIONS, FailureKind.SYSTEM, "the cluster ended the pod", False),
    (
        lambda reason: reason in NOT_ADMITTED or reason.startswith("OutOf"),
        FailureKind.SYSTEM,
        "its node did not take the pod",
        False,
    ),
)
"""What the reason of a pod itself means. The first row that matches counts; where none does, its container decides."""


def _init_trouble(status: Mapping[str, Any]) -> str:
    for entry in status.get("initContainerStatuses") or ():
        ended = (entry.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            why = f"{ended['exitCode']}: {ended.get('message') or ''}"
            return f"init container {entry['name']!r} ended with exit code {why}"
    return ""


def _by_exit_code(terminated: Mapping[str, Any]) -> Failure:
    code, reason = terminated.get("exitCode"), terminated.get("reason") or ""
    tail = (terminated.get("message") or "").strip()
    for matches, kind, name, text, recoverable in WITHOUT_RECORD:
        if matches(code, reason):
            message = text.format(code=code, reason=reason)
            return Failure(kind, name, f"{message}: {tail}" if tail else message, recoverable=recoverable)
    raise AssertionError("the last row of WITHOUT_RECORD matches everything")


WITHOUT_RECORD: tuple[tuple[Callable[[Any, str], bool], FailureKind, str, str, bool], ...] = (
    # (exit code, reason) → kind, code, message, whether the user's retries apply
    (
        lambda code, reason: reason == "OOMKilled",
        FailureKind.OOM,
        "OOMKilled",
        "the container was killed because it used more memory than its limit; raise the task's memory limit",
        True,
    ),
    (
        lambda code, reason: reason in ("ContainerStatusUnknown", "Unknown"),
        FailureKind.SYSTEM,
        "ContainerStatusUnknown",
        "nobody knows what became of the container: its node, or what runs containers there, was started anew",
        False,
    ),
    (
        lambda code, reason: reason in ("StartError", "ContainerCannotRun") or code in (126, 127, 128),
        FailureKind.USER,
        "CannotStart",
        "the container could not start (exit code {code}); does the image have a python3 (≥ 3.10) on its PATH?",
        False,
    ),
    (
        lambda code, reason: code == 0,
        FailureKind.USER,
        "NoResult",
        "the process ended with exit code 0 but without a result; the task's code may have called os._exit()",
        False,
    ),
    (
        lambda code, reason: code in (137, 247),
        FailureKind.SYSTEM,
        "Killed",
        "the container was killed (exit code {code})",
        False,
    ),
    (
        lambda code, reason: code == 143,
        FailureKind.SYSTEM,
        "Terminated",
        "the container was told to stop (exit code {code})",
        False,
    ),
    (
        lambda code, reason: True,
        FailureKind.USER,
        "ExitCode",
        "the process died with exit code {code} and left no result",
        True,
    ),
)
"""What an exit means when the runtime could not leave a record. The first row that matches counts."""
