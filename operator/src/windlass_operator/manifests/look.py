"""What a pod looks like, whoever it is for: an attempt of a node, or a worker of a pool.

``dressed(look)`` starts from nothing and lets each step in ``STEPS`` add its part; the order reads aloud. A new ability
of pods (a GPU, a mounted secret) is one more step, and its name in ``STEPS``. Who the pod is, and what it has to do, is
added by whoever needs it: ``manifests/pod.py`` for attempts.

What the runtime inside finds is the *pod contract*: the command, and the places below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass_operator.manifests.memory import grown
from windlass_operator.manifests.objects import Manifest
from windlass_operator.manifests.store import add_access
from windlass_operator.settings import RuntimeDelivery, Settings

WORK = "/var/run/windlass/work"
RUNTIME = "/var/run/windlass/runtime"
CODE = "/var/run/windlass/code"
BUNDLE_KEY = "bundle.tar.gz"
CONTAINER = "main"
COPY_RUNTIME = f"""
import os, shutil
for name in os.listdir("/runtime"):
    shutil.copytree(f"/runtime/{{name}}", f"{RUNTIME}/{{name}}")
"""
"""Not the folder itself: it is a mount that belongs to root, and copying its mode is refused."""

NOBODY = 65532
"""The uid and gid that images without a user of their own run as: no account of the node has it."""

RESERVED = frozenset({"WINDLASS_TASK", "WINDLASS_WORKER", "WINDLASS_POD", "WINDLASS_POD_UID"})
"""Variables that say what the pod has to do. No layer can set them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLook:
    """Everything that the look of a pod is a function of."""

    namespace: str
    spec: Mapping[str, Any]
    """The effective spec: a Task's with all layers merged in, or an ActorEnvironment's."""
    code: str | None = None
    """The ConfigMap with the bundle: the closure's pinned copy."""
    service_account: str | None = None
    """The ServiceAccount that the run says."""
    interruptible: bool = False
    """Whether it may run on nodes that can go away at any time."""
    oom_failures: int = 0
    """How many attempts ran out of memory before."""
    settings: Settings = field(default_factory=Settings)


Step = Callable[[Manifest, Manifest, PodLook], None]
"""Adds its part to a pod and to the container in it that does the work."""


def dressed(look: PodLook, steps: tuple[Step, ...] | None = None) -> tuple[Manifest, Manifest]:
    """A pod that looks so, and the container in it that does the work. It has no name yet, no owner, nothing to do.

    ``steps`` are those of ``STEPS`` where not all apply.
    """
    container: Manifest = {"name": CONTAINER}
    pod: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {},
        "spec": {"containers": [container], "volumes": []},
    }
    container["volumeMounts"] = []
    for step in STEPS if steps is None else steps:
        step(pod, container, look)
    return pod, container


def identify(
    pod: Manifest, name: str, namespace: str, labels: Mapping[str, str], annotations: Mapping[str, str], owner: Manifest
) -> None:
    """Who a pod is, and whose. These labels and annotations win over those of the look."""
    seen = pod["metadata"]
    pod["metadata"] = {
        "name": name,
        "namespace": namespace,
        "labels": {**(seen.get("labels") or {}), **labels},
        "annotations": {**(seen.get("annotations") or {}), **annotations},
        "ownerReferences": [owner],
    }


def image(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """The author's image, or the default one."""
    container["image"] = look.spec.get("image") or look.settings.default_image
    container["imagePullPolicy"] = look.settings.image_pull_policy


def python(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """What runs: the boot script of the runtime, under the image's own Python."""
    if look.settings.runtime_delivery is RuntimeDelivery.NONE:
        container["command"] = ["python3", "-m", "windlass.runtime.boot"]
    else:
        container["command"] = ["python3", f"{RUNTIME}/windlass/runtime/boot.py"]
    if bundle_of(look):  # it is unpacked there; code that is in the image is where the image's author says
        container["workingDir"] = WORK
    container["terminationMessagePolicy"] = "File"


def bundle_of(look: PodLook) -> str | Mapping[str, str] | None:
    """Where the code is: a file of the pod, or an archive of the store with its hash. None: in the image."""
    if look.code:
        return f"{CODE}/{BUNDLE_KEY}"
    archive: Mapping[str, str] | None = ((look.spec.get("python") or {}).get("code") or {}).get("archive")
    return archive


def environment(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """The author's variables, and a HOME that can be written."""
    chosen = {"HOME": WORK, **dict(sorted((look.spec.get("env") or {}).items()))}
    container["env"] = [{"name": name, "value": str(value)} for name, value in chosen.items() if name not in RESERVED]


def resources(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """Requests and limits, as the author wrote them; with more memory, where earlier attempts ran out of it."""
    wanted = grown(look.spec, look.oom_failures, look.settings.oom_factor)
    if wanted:
        container["resources"] = wanted


def capacity(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """Interruptible attempts go to nodes that can go away at any time, and bear their taints."""
    if not look.interruptible:
        return
    if look.settings.interruptible_node_selector:
        pod["spec"]["nodeSelector"] = dict(look.settings.interruptible_node_selector)
    if look.settings.interruptible_tolerations:
        pod["spec"]["tolerations"] = [dict(one) for one in look.settings.interruptible_tolerations]


def work_folder(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """A folder that can be written: the user's code is unpacked there, and it is the working directory and HOME."""
    mount(pod, container, "work", WORK, {"emptyDir": {}}, read_only=False)


def runtime(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """The Windlass runtime, so that any image with a Python will do."""
    settings = look.settings
    if settings.runtime_delivery is RuntimeDelivery.IMAGE_VOLUME:
        source = {"image": {"reference": settings.runtime_image, "pullPolicy": settings.image_pull_policy}}
        mount(pod, container, "runtime", RUNTIME, source)
    elif settings.runtime_delivery is RuntimeDelivery.INIT_CONTAINER:
        mount(pod, container, "runtime", RUNTIME, {"emptyDir": {}})
        pod["spec"]["initContainers"] = [
            {
                "name": "runtime",
                "image": settings.operator_image,
                "imagePullPolicy": settings.image_pull_policy,
                "command": ["python3", "-c", COPY_RUNTIME],
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": [{"name": "runtime", "mountPath": RUNTIME}],
                "securityContext": container_security(),
            }
        ]


def code(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """The code bundle, when it is a ConfigMap: one that is in the store, the runtime gets itself."""
    if look.code:
        mount(pod, container, "code", CODE, {"configMap": {"name": look.code}})


def store(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """What it needs to get at the store."""
    add_access(pod, container, look.settings.store)


def security(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """The restricted Pod Security Standard, and no service-account token."""
    pod["spec"]["securityContext"] = {
        "runAsNonRoot": True,
        "runAsUser": NOBODY,
        "runAsGroup": NOBODY,
        "fsGroup": NOBODY,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container["securityContext"] = container_security()
    pod["spec"]["automountServiceAccountToken"] = False
    if look.service_account:
        pod["spec"]["serviceAccountName"] = look.service_account


def lifecycle(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """Never restarted in place: Windlass counts attempts, the kubelet doesn't."""
    pod["spec"]["restartPolicy"] = "Never"
    pod["spec"]["enableServiceLinks"] = False


STEPS: tuple[Step, ...] = (
    image,
    python,
    environment,
    resources,
    capacity,
    work_folder,
    runtime,
    code,
    security,
    store,
    lifecycle,
)


def mount(
    pod: Manifest, container: Manifest, name: str, path: str, source: Manifest, *, read_only: bool = True
) -> None:
    """A volume, and where it is in the container."""
    pod["spec"]["volumes"].append({"name": name, **source})
    place: Manifest = {"name": name, "mountPath": path}
    if read_only:
        place["readOnly"] = True
    container["volumeMounts"].append(place)


def container_security() -> Manifest:
    """What the restricted Pod Security Standard asks of each container."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
