"""An attempt of a node → its pod, as a tuple of small steps.

``build(ask)`` starts from nothing and lets each step in ``STEPS`` add its part; the order reads aloud. A new ability of
pods (a GPU, a mounted secret) is one more step, and its name in ``STEPS``.

What the runtime inside finds is the *pod contract*: the command, the places in ``PATHS``, and one environment variable,
``WINDLASS_TASK``, with everything it has to know as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass_api import names
from windlass_operator.manifests.memory import grown
from windlass_operator.manifests.objects import (
    Manifest,
    labels,
    owner_reference,
    place_annotations,
    place_labels,
)
from windlass_operator.settings import RuntimeDelivery, Settings

WORK = "/var/run/windlass/work"
RUNTIME = "/var/run/windlass/runtime"
CODE = "/var/run/windlass/code"
VALUES = "/var/run/windlass/values"
BUNDLE_KEY = "bundle.tar.gz"
CONTAINER = "main"
TASK = "WINDLASS_TASK"
COPY_RUNTIME = f"""
import os, shutil
for name in os.listdir("/runtime"):
    shutil.copytree(f"/runtime/{{name}}", f"{RUNTIME}/{{name}}")
"""
"""Not the folder itself: it is a mount that belongs to root, and copying its mode is refused."""

NOBODY = 65532
"""The uid and gid that images without a user of their own run as: no account of the node has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAsk:
    """Everything a pod is a function of."""

    execution: str
    namespace: str
    uid: str
    node: str
    attempt: int
    task: str
    spec: Mapping[str, Any]
    """The effective task spec: the Task's, with the node's overrides merged in."""
    inputs: Mapping[str, Any]
    element: int | None = None
    """Of a map, which element it runs."""
    code: str | None = None
    """The ConfigMap with the bundle: the closure's pinned copy."""
    values: tuple[str, ...] = ()
    """The hashes of the large values that the inputs refer to."""
    oom_failures: int = 0
    """How many attempts ran out of memory before."""
    interruptible: bool = False
    """Whether it may run on nodes that can go away at any time."""
    service_account: str | None = None
    """The ServiceAccount that the run says."""
    closure: str = ""
    """What the Execution is pinned to."""
    settings: Settings = field(default_factory=Settings)

    @property
    def name(self) -> str:
        """The pod's name: the same attempt of the same node always has the same one."""
        return names.pod_name(self.execution, self.node, self.attempt, self.element)


def build(ask: PodAsk) -> Manifest:
    """The pod of one attempt."""
    container: Manifest = {"name": CONTAINER}
    pod: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {},
        "spec": {"containers": [container], "volumes": []},
    }
    container["volumeMounts"] = []
    for step in STEPS:
        step(pod, container, ask)
    return pod


def identity(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """Who it is, and whose: deleting the Execution deletes it, with the operator up or down."""
    pod["metadata"] = {
        "name": ask.name,
        "namespace": ask.namespace,
        "labels": labels(**{names.LABEL_EXECUTION: ask.execution, **place_labels(ask.node, ask.attempt, ask.element)}),
        "annotations": {names.ANNOTATION_TASK: ask.task, **place_annotations(ask.node, ask.closure)},
        "ownerReferences": [owner_reference("Execution", ask.execution, ask.uid, controller=True)],
    }


def command(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """What runs: the boot script of the runtime, under the image's own Python."""
    container["image"] = ask.spec.get("image") or ask.settings.default_image
    container["imagePullPolicy"] = ask.settings.image_pull_policy
    if ask.settings.runtime_delivery is RuntimeDelivery.NONE:
        container["command"] = ["python3", "-m", "windlass.runtime.boot"]
    else:
        container["command"] = ["python3", f"{RUNTIME}/windlass/runtime/boot.py"]
    if ask.code:  # it is unpacked there; code that is in the image is where the image's author says
        container["workingDir"] = WORK
    container["terminationMessagePolicy"] = "File"


def environment(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """The author's variables, a HOME that can be written, and the task itself (last, so that nothing overrides it)."""
    chosen = {"HOME": WORK, **dict(sorted((ask.spec.get("env") or {}).items()))}
    chosen.pop(TASK, None)
    env = [{"name": name, "value": str(value)} for name, value in chosen.items()]
    container["env"] = [*env, {"name": TASK, "value": task_document(ask)}]


def task_document(ask: PodAsk) -> str:
    """The JSON in ``WINDLASS_TASK``. ``$`` is written as an escape: Kubernetes would expand ``$(NAME)`` in it."""
    document = {
        "execution": ask.execution,
        "namespace": ask.namespace,
        "node": ask.node,
        "attempt": ask.attempt,
        "task": ask.task,
        "entrypoint": ask.spec["python"]["entrypoint"],
        "bundle": f"{CODE}/{BUNDLE_KEY}" if ask.code else None,
        "inputs": ask.inputs,
        "retryOn": ask.spec.get("retryOn") or [],
        "limit": ask.settings.outputs_limit,
    }
    if ask.element is not None:
        document["element"] = ask.element
    return json.dumps(document, separators=(",", ":")).replace("$", "\\u0024")


def resources(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """Requests and limits, as the author wrote them; with more memory, where earlier attempts ran out of it."""
    wanted = grown(ask.spec, ask.oom_failures, ask.settings.oom_factor)
    if wanted:
        container["resources"] = wanted


def capacity(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """Interruptible attempts go to nodes that can go away at any time, and bear their taints."""
    if not ask.interruptible:
        return
    if ask.settings.interruptible_node_selector:
        pod["spec"]["nodeSelector"] = dict(ask.settings.interruptible_node_selector)
    if ask.settings.interruptible_tolerations:
        pod["spec"]["tolerations"] = [dict(one) for one in ask.settings.interruptible_tolerations]


def work_folder(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """A folder that can be written: the user's code is unpacked there, and it is the working directory and HOME."""
    _mount(pod, container, "work", WORK, {"emptyDir": {}}, read_only=False)


def runtime(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """The Windlass runtime, so that any image with a Python will do."""
    if ask.settings.runtime_delivery is RuntimeDelivery.IMAGE_VOLUME:
        source = {"image": {"reference": ask.settings.runtime_image, "pullPolicy": ask.settings.image_pull_policy}}
        _mount(pod, container, "runtime", RUNTIME, source)
    elif ask.settings.runtime_delivery is RuntimeDelivery.INIT_CONTAINER:
        _mount(pod, container, "runtime", RUNTIME, {"emptyDir": {}})
        pod["spec"]["initContainers"] = [
            {
                "name": "runtime",
                "image": ask.settings.operator_image,
                "imagePullPolicy": ask.settings.image_pull_policy,
                "command": ["python3", "-c", COPY_RUNTIME],
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": [{"name": "runtime", "mountPath": RUNTIME}],
                "securityContext": _container_security(),
            }
        ]


def code(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """The code bundle, when the code isn't in the image."""
    if ask.code:
        _mount(pod, container, "code", CODE, {"configMap": {"name": ask.code}})


def large_values(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """Inputs too large for the environment."""
    for digest in ask.values:
        source = {"configMap": {"name": names.value_name(ask.execution, digest)}}
        _mount(pod, container, f"value-{digest}", f"{VALUES}/{digest}", source)


def security(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """The restricted Pod Security Standard, and no service-account token."""
    pod["spec"]["securityContext"] = {
        "runAsNonRoot": True,
        "runAsUser": NOBODY,
        "runAsGroup": NOBODY,
        "fsGroup": NOBODY,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container["securityContext"] = _container_security()
    pod["spec"]["automountServiceAccountToken"] = False
    if ask.service_account:
        pod["spec"]["serviceAccountName"] = ask.service_account


def lifecycle(pod: Manifest, container: Manifest, ask: PodAsk) -> None:
    """One attempt, never restarted in place: Windlass counts attempts, the kubelet doesn't."""
    pod["spec"]["restartPolicy"] = "Never"
    pod["spec"]["enableServiceLinks"] = False


STEPS = (
    identity,
    command,
    environment,
    resources,
    capacity,
    work_folder,
    runtime,
    code,
    large_values,
    security,
    lifecycle,
)


def _mount(
    pod: Manifest, container: Manifest, name: str, path: str, source: Manifest, *, read_only: bool = True
) -> None:
    pod["spec"]["volumes"].append({"name": name, **source})
    mount: Manifest = {"name": name, "mountPath": path}
    if read_only:
        mount["readOnly"] = True
    container["volumeMounts"].append(mount)


def _container_security() -> Manifest:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
