"""The kind ``python``: a function of the user's, run by the mounted runtime in a pod of its own.

The result record in the termination message of a pod that ended is the truth (it carries outputs or the error).
Without one, whoever ended the pod is to blame (see ``pods``), and then the exit of its container says what happened, by
the table ``WITHOUT_RECORD``.
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
    container_of,
    ended_of,
    failure_of,
    recorded,
    under_way,
)
from windlass_operator.manifests.objects import Manifest
from windlass_operator.manifests.pod import PodAsk, build

DECK = 1024
"""Characters of an address in the status."""


class PythonKind:
    """See the module."""

    field = "python"

    def desired(self, ask: PodAsk) -> Manifest:
        """The pod of one attempt."""
        return build(ask)

    def evidence(self, child: Mapping[str, Any]) -> Evidence:
        """What the pod says about its attempt."""
        status = child.get("status") or {}
        return _ended(status) if status.get("phase") in ("Succeeded", "Failed") else under_way(status)


PYTHON = PythonKind()


def _ended(status: Mapping[str, Any]) -> Evidence:
    terminated = ended_of(container_of(status))
    at = terminated.get("finishedAt") or ""
    record = records.decode(terminated.get("message"))
    said = of_record(record, at) if record is not None else None
    if isinstance(said, Failed) or (said is not None and status.get("phase") == "Succeeded"):
        return said
    return Failed(failure_of(status, WITHOUT_RECORD), at)


def of_record(record: Mapping[str, Any], at: str) -> Succeeded | Failed:
    """What the record of an attempt says; ``at`` is when it ended."""
    deck = record["deck"][:DECK] if isinstance(record.get("deck"), str) else ""
    if "error" in record:
        return Failed(recorded(record["error"]), at, deck)
    outputs, workflow = record.get("outputs") or {}, record.get("workflow")
    if types.is_too_deep(outputs) or types.is_too_deep(workflow):
        return Failed(Failure(FailureKind.USER, "OutputTooDeep", "the outputs are nested too deeply"), at)
    return Succeeded(outputs, at, record.get("timings") or {}, workflow, deck, record.get("reused") is True)


WITHOUT_RECORD: tuple[Exit, ...] = (
    OUT_OF_MEMORY,
    UNKNOWN,
    Exit(
        lambda code, reason: reason in ("StartError", "ContainerCannotRun") or code in (126, 127, 128),
        FailureKind.USER,
        "CannotStart",
        "the container could not start (exit code {code}); does the image have a python3 (≥ 3.10) on its PATH?",
        False,
    ),
    Exit(
        lambda code, reason: code == 0,
        FailureKind.USER,
        "NoResult",
        "the process ended with exit code 0 but without a result; the task's code may have called os._exit()",
        False,
    ),
    KILLED,
    TOLD_TO_STOP,
    Exit(
        lambda code, reason: True,
        FailureKind.USER,
        "ExitCode",
        "the process died with exit code {code} and left no result",
        True,
    ),
)
"""What an exit means when the runtime could not leave a record. The first row that matches counts."""
