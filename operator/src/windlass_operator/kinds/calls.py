"""A call of an actor's function, run by a warm worker: how it ended, as evidence.

A worker says of each call what a pod would leave behind: the result record, or where the process died without one, its
exit code and the end of its log. The same tables say what that means. What a call was ended by from outside counts
before the record that it may have left while it was being ended.
"""

from __future__ import annotations

from windlass_api import records
from windlass_operator.kinds.evidence import Evidence, Failed, Failure, FailureKind
from windlass_operator.kinds.pods import by_exit
from windlass_operator.kinds.python import WITHOUT_RECORD, of_record

WORKER_LOST = Failure(
    FailureKind.SYSTEM, "WorkerLost", "the worker disappeared while it ran the call (deleted, killed, or its node lost)"
)

CALL_TIMED_OUT = Failure(FailureKind.USER, "TimeoutExpired", "the call ran longer than its timeout", recoverable=True)
"""Who knows the task can say how long that is."""

FROM_OUTSIDE = {
    "TimedOut": CALL_TIMED_OUT,
    "Cancelled": Failure(FailureKind.USER, "Cancelled", "the call was cancelled"),
    "Drained": Failure(FailureKind.SYSTEM, "WorkerDrained", "the worker's pod was told to end while it ran the call"),
}
"""What ended a call, as its worker has it in a word."""


def evidence(record: bytes, exit_code: int, reason: str, log_tail: bytes, at: str) -> Evidence:
    """What the end of a call says about its attempt; ``at`` is when that was."""
    if reason in FROM_OUTSIDE:
        return Failed(FROM_OUTSIDE[reason], at)
    found = records.decode(record.decode("utf-8", "replace")) if record else None
    if found is not None:
        return of_record(found, at)
    ended = {"exitCode": exit_code, "reason": reason, "message": log_tail.decode("utf-8", "replace")}
    return Failed(by_exit(ended, WITHOUT_RECORD), at)
