"""What carries values into a container of any image, and out of it: the two helpers in its pod.

    inputs     an init container    order ─ large values ─ a file for each input ─ exit 0
                                      └ a cached result that is all there ─ record ─ exit 3, so that nothing starts
    outputs    a native sidecar     ready ─ SIGTERM ─ a file for each output ─ record ─ exit 0
                                              │
                                              └ from the kubelet, once the task's own container has ended

The container between them needs nothing of ours, neither Python nor a shell. What goes wrong here ends in a record, as
the termination message of the helper, and exit code 1. What is in the files, `windlass._container_io` says, here as on
one's own machine.

The sidecar has as long as the pod's grace period for its work. It stops a little earlier by itself and says so, for
after that it is killed and could not tell.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from windlass.runtime import ending

READY = "/tmp/windlass-ready"  # noqa: S108  the helper is alone in its container
REUSED = 3
"""The exit code of `inputs` where the container is not to start, for its result is there."""
SPARE = 3
"""Seconds of the grace period that are left for telling that it was too short."""


def main(role: str) -> int:
    """One helper's work; the exit code."""
    if role == "outputs":  # before anything else: until then a SIGTERM would be lost on the container's first process
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    else:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(ending.TERMINATED))  # as above, it would be ignored
    limit, retry_on = ending.DEFAULT_LIMIT, []
    about: dict[str, Any] = {"timings": {}}
    try:
        order = json.loads(os.environ["WINDLASS_TASK"])
        limit, retry_on = order["limit"], order["retryOn"]
        result = ROLES[role](order, about)
        content, code = ending.success(result, about, limit), REUSED if "reused" in about else 0
    except Exception as error:  # noqa: BLE001  whatever it is, it ends in the record
        by_user = isinstance(error, OSError)  # files that can't be read or written are the container's or too many
        content, code = ending.error_record(error, by_user, retry_on, about, limit)
    if role == "outputs" or code:
        ending.leave(content, code)
    return code


def carry_in(order: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """Writes the files that the container finds, unless there is a result already."""
    if order["cached"] is not None:
        from windlass.runtime import values  # noqa: PLC0415  few tasks have results in the store

        if values.is_there(order["cached"]):
            about["reused"] = True
            return {"outputs": order["cached"]["outputs"]}
        ending.tell("windlass: some of the cached result is gone from the store: it is computed again")
    if not order["folder"]:
        return {"outputs": {}}
    from windlass import _container_io as io  # noqa: PLC0415  the sidecar is ready before it loads this
    from windlass_api.types import parse_type  # noqa: PLC0415  as above

    inputs = ending.with_values(order["inputs"], has_marks=True)
    types = {name: parse_type(text) for name, text in order["types"].items()}
    io.write_inputs(order["folder"], inputs, types, order["metadata"], download=order["moves"])
    return {"outputs": {}}


def carry_out(order: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """Waits for the end of the container, and reads the files that it has left."""
    with open(os.environ.get("WINDLASS_READY", READY), "w"):  # noqa: PTH123  pathlib is needed for nothing else
        pass  # the container's start waits for this file
    from windlass import _container_io as io  # noqa: PLC0415  as above
    from windlass_api.types import parse_type  # noqa: PLC0415  as above

    types = {name: (parse_type(one["type"]), one.get("schema")) for name, one in order["outputs"].items()}
    signal.sigwait({signal.SIGTERM})
    started = time.monotonic()
    signal.signal(signal.SIGALRM, _too_late(order))
    signal.alarm(max(1, order["grace"] - SPARE))
    try:
        outputs = io.read_outputs(order["folder"], types, order["task"], upload=order["moves"])
        ending.refuse_what_is_lost(outputs, types.__getitem__)
    finally:
        signal.alarm(0)
        about["timings"]["outputs"] = round((time.monotonic() - started) * 1000, 1)
    return {"outputs": outputs}


def _too_late(order: dict[str, Any]) -> Callable[[int, FrameType | None], None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        message = (
            f"the outputs could not be stored within the {order['grace']} seconds that the pod has for it: raise"
            " terminationGracePeriodSeconds in the task's pod template, or write less"
        )
        raise ending.task_error("user", "USER:OutputsTooSlow", message, "OutputsTooSlow")

    return stop


ROLES = {"inputs": carry_in, "outputs": carry_out}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
