"""The kind ``container``: a container of any image, between the helpers that carry its inputs and outputs.

How it went is said by two containers, which are read together::

    main            outputs' record      →
    killed by the cluster, out of memory   what pods of all kinds say
    any exit        the file ``error``     the user's failure, for good: the container has said why
    exit ≠ 0        anything else          by the exit code, with the end of main's log; mostly for the user's retries
    exit 0          outputs                succeeded
    exit 0          an error               the failure in the record: an output that is missing, wrong, too large
    exit 0          none                   the system's failure: the helper was killed, or could not run

Without outputs there is no such helper, and the exit code decides alone. Where inputs could not be written, main has
never run, and the helper ``inputs`` has left a record; also where it has found that a cached result is still there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_api import records, types
from windlass_operator.kinds.evidence import Evidence, Failed, Failure, FailureKind, Succeeded
from windlass_operator.kinds.pods import (
    KILLED,
    OUT_OF_MEMORY,
    TOLD_TO_STOP,
    UNKNOWN,
    Exit,
    by_exit,
    by_the_cluster,
    container_of,
    ended_of,
    recorded,
    under_way,
)
from windlass_operator.manifests.container import INPUTS, OUTPUTS, build, problem_of
from windlass_operator.manifests.objects import Manifest
from windlass_operator.manifests.pod import PodAsk

Body = Mapping[str, Any]

SAID = "FlyteUserRuntimeException"
"""The type of the error in the record where the container has left a file ``error``."""


class ContainerKind:
    """See the module."""

    field = "container"

    def desired(self, ask: PodAsk) -> Manifest | Failure:
        """The pod of one attempt."""
        problem = problem_of(ask)
        if problem is None:
            return build(ask)
        return Failure(FailureKind.USER, problem.code, f"nodes.{ask.node}: {problem.message}")

    def evidence(self, child: Body) -> Evidence:
        """What the pod says about its attempt."""
        status = child.get("status") or {}
        return _ended(status) if status.get("phase") in ("Succeeded", "Failed") else under_way(status)


CONTAINER = ContainerKind()


def _ended(status: Body) -> Evidence:
    main, reader = ended_of(container_of(status)), container_of(status, OUTPUTS, "initContainerStatuses")
    left = ended_of(reader)
    at = max(main.get("finishedAt") or "", left.get("finishedAt") or "")
    record = records.decode(left.get("message"))
    written = ended_of(container_of(status, INPUTS, "initContainerStatuses"))
    found = records.decode(written.get("message")) or {}
    if found.get("reused") is True and "outputs" in found:
        return Succeeded(found["outputs"], written.get("finishedAt") or "", reused=True)
    if status.get("phase") == "Succeeded" and not main.get("exitCode"):
        return _gave(record, left, at) if reader else Succeeded({}, at)
    return Failed(_failure(status, main, record, found), at)


def _gave(record: dict[str, Any] | None, left: Body, at: str) -> Evidence:
    """What came of a container that ended well."""
    if record is None:
        return Failed(by_exit(left, OF_THE_READER), at)
    if "error" in record:
        return Failed(recorded(record["error"]), at)
    outputs = record.get("outputs") or {}
    if types.is_too_deep(outputs):
        return Failed(Failure(FailureKind.USER, "OutputTooDeep", "the outputs are nested too deeply"), at)
    return Succeeded(outputs, at, record.get("timings") or {})


def _failure(status: Body, main: Body, record: dict[str, Any] | None, unwritten: dict[str, Any]) -> Failure:
    if "error" in unwritten and not main:
        return recorded(unwritten["error"])
    by_others = by_the_cluster(status)
    if by_others is not None:
        return by_others
    said = (record or {}).get("error") or {}
    if said.get("type") == SAID and main.get("reason") != "OOMKilled":
        return recorded(said)
    return by_exit(main, OF_MAIN)


OF_MAIN: tuple[Exit, ...] = (
    OUT_OF_MEMORY,
    UNKNOWN,
    Exit(
        lambda code, reason: reason in ("StartError", "ContainerCannotRun"),
        FailureKind.USER,
        "CannotStart",
        "the container could not start (exit code {code}); is its command in the image, for this machine's processor?",
        False,
    ),
    KILLED,
    TOLD_TO_STOP,
    Exit(lambda code, reason: True, FailureKind.USER, "ExitCode", "the container exited with {code}", True),
)
"""What an exit of the author's container means, where it has not said why. The first row that matches counts."""

OF_THE_READER: tuple[Exit, ...] = (
    Exit(
        lambda code, reason: True,
        FailureKind.SYSTEM,
        "OutputsLost",
        "the container ended well, but its outputs could not be read: the helper that reads them ended with exit code"
        " {code} ({reason}) and left no result",
        False,
    ),
)
"""What the exit of the sidecar means, where it has left no record."""
