"""An attempt of a node → its pod.

What the pod looks like is said by a ``PodLook``; here is added who it is, and what it has to do: one environment
variable, ``WINDLASS_TASK``, with everything that the runtime inside has to know as JSON, and the inputs too large for
it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass_api import names
from windlass_operator.manifests.logs import in_order
from windlass_operator.manifests.look import PodLook, bundle_of, dressed, identify, mount
from windlass_operator.manifests.objects import (
    Manifest,
    labels,
    owner_reference,
    place_annotations,
    place_labels,
)
from windlass_operator.manifests.store import PREFIX, Run, add_variables, run_folder

VALUES = "/var/run/windlass/values"
TASK = "WINDLASS_TASK"
MESSAGES = 12 * 1024
"""Bytes of all termination messages of a pod: the kubelet gives each container an equal share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAsk:
    """Everything the pod of an attempt is a function of."""

    look: PodLook
    execution: str
    uid: str
    node: str
    attempt: int
    task: str
    inputs: Mapping[str, Any]
    element: int | None = None
    """Of a map, which element it runs."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """The inputs as they are, large ones and all."""
    values: tuple[str, ...] = ()
    """The hashes of the large values that the inputs refer to."""
    raw_output_prefix: str = ""
    """Where the run says that its data goes."""
    cached: Mapping[str, Any] | None = None
    """A cached result: what of it has to be there still (see ``core.caching.to_look_for``)."""
    closure: str = ""
    """What the Execution is pinned to."""

    @property
    def name(self) -> str:
        """The pod's name: the same attempt of the same node always has the same one."""
        return names.pod_name(self.execution, self.node, self.attempt, self.element)


def build(ask: PodAsk) -> Manifest:
    """The pod of one attempt."""
    pod, container = dressed(ask.look)
    for step in STEPS:
        step(pod, container, ask)
    return pod


def identity(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """Who it is, and whose: deleting the Execution deletes it, with the operator up or down."""
    identify(
        pod,
        ask.name,
        ask.look.namespace,
        labels(**{names.LABEL_EXECUTION: ask.execution, **place_labels(ask.node, ask.attempt, ask.element)}),
        {names.ANNOTATION_TASK: ask.task, **place_annotations(ask.node, ask.closure)},
        owner_reference("Execution", ask.execution, ask.uid, controller=True),
    )


def order(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """What it has to do. The last of the variables, so that nothing overrides it."""
    container["env"].append({"name": TASK, "value": task_document(ask, message_room(pod, ask))})


def message_room(pod: Manifest, ask: PodAsk) -> int:
    """Bytes that the record of one of the pod's containers may have."""
    spec = pod["spec"]
    return min(ask.look.settings.outputs_limit, MESSAGES // len([*spec["containers"], *spec.get("initContainers", ())]))


def task_document(ask: PodAsk, limit: int) -> str:
    """The JSON in ``WINDLASS_TASK``. ``$`` is written as an escape: Kubernetes would expand ``$(NAME)`` in it."""
    return json.dumps(_document(ask, limit), separators=(",", ":")).replace("$", "\\u0024")


def call_document(ask: PodAsk) -> str:
    """The same for a warm worker: code of a ConfigMap comes apart, what it gives may be larger, and where the data of
    its run goes is said here, since the worker's pod has calls of many runs.
    """
    document = _document(ask, ask.look.settings.call_outputs_limit)
    folder = data_folder(ask)
    if folder:
        document["store"] = folder
    if ask.look.code:
        document["bundle"] = None
    return json.dumps(document, separators=(",", ":"))


def _document(ask: PodAsk, limit: int) -> Manifest:
    spec = ask.look.spec
    document = {
        "execution": ask.execution,
        "namespace": ask.look.namespace,
        "node": ask.node,
        "attempt": ask.attempt,
        "task": ask.task,
        "entrypoint": spec["python"]["entrypoint"],
        "bundle": bundle_of(ask.look),
        "inputs": ask.inputs,
        "retryOn": spec.get("retryOn") or [],
        "limit": limit,
    }
    deck = spec.get("deck") or {}
    if deck.get("enabled"):
        document["deck"] = deck
    if ask.cached is not None:
        document["cached"] = ask.cached
    if ask.element is not None:
        document["element"] = ask.element
    log = in_order(ask.look.settings, _run(ask), ask.node, ask.attempt, ask.element)
    if log is not None:
        document["log"] = log
    return document


def large_values(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """Inputs too large for the environment."""
    for digest in ask.values:
        source = {"configMap": {"name": names.value_name(ask.execution, digest)}}
        mount(pod, container, f"value-{digest}", f"{VALUES}/{digest}", source)


def store(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """Where its data goes."""
    folder = data_folder(ask)
    if folder:
        add_variables(container, {PREFIX: folder})


def data_folder(ask: PodAsk) -> str:
    """Where the data of the run goes; nothing where there is no store."""
    return run_folder(ask.look.settings.store, _run(ask))


def _run(ask: PodAsk) -> Run:
    return Run(ask.look.namespace, ask.execution, ask.uid, ask.raw_output_prefix)


STEPS = (identity, order, large_values, store)
