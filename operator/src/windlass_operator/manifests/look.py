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

from windlass_operator.manifests import templates
from windlass_operator.manifests.accelerators import accelerate
from windlass_operator.manifests.layers import merged
from windlass_operator.manifests.memory import grown
from windlass_operator.manifests.objects import Manifest
from windlass_operator.manifests.secrets import provide
from windlass_operator.manifests.store import add_access
from windlass_operator.manifests.templates import InvalidPodError
from windlass_operator.settings import RuntimeDelivery, Settings

WORK = "/var/run/windlass/work"
RUNTIME = "/var/run/windlass/runtime"
CODE = "/var/run/windlass/code"
SHARED_MEMORY = "/dev/shm"  # noqa: S108  it is where programs look for it
TMP = "/tmp"  # noqa: S108  as above
BUNDLE_KEY = "bundle.tar.gz"
CONTAINER = templates.CONTAINER
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
    template: Mapping[str, Any] | None = None
    """The template of the PodTemplate object that the spec names."""
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

    Raises:
        InvalidPodError: no pod can look so.
    """
    made = templates.stacked(*layers(look))
    pod: Manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": made.get("metadata") or {}, "spec": made["spec"]}
    (container,) = pod["spec"]["containers"]
    pod["spec"].setdefault("volumes", [])
    container.setdefault("volumeMounts", [])
    for step in STEPS if steps is None else steps:
        step(pod, container, look)
    return pod, container


def layers(look: PodLook) -> list[Manifest]:
    """The templates that a pod starts from, the weakest first.

    Raises:
        InvalidPodError: one is no template.
    """
    chosen, spec = look.settings.pods, look.spec
    found = [templates.of_object(chosen.template, "pods.template")]
    if look.namespace in chosen.namespaces:
        found.append(templates.of_object(chosen.namespaces[look.namespace], f"pods.namespaces.{look.namespace}"))
    if look.template is not None:
        found.append(templates.of_object(look.template, f"PodTemplate {spec.get('podTemplateName')}"))
    if spec.get("podTemplate"):
        found.append(templates.of_task(spec["podTemplate"]))
    return found


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


def marks(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """The author's labels and annotations."""
    asked = {part: dict(look.spec[part]) for part in ("labels", "annotations") if look.spec.get(part)}
    pod["metadata"] = merged(pod["metadata"], asked)


def image(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """The author's image, else that of a template, else the default one."""
    container["image"] = look.spec.get("image") or container.get("image") or look.settings.default_image
    container.setdefault("imagePullPolicy", look.settings.image_pull_policy)


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
    """The author's variables over those of the templates, and a HOME that can be written."""
    chosen = [{"name": name, "value": str(value)} for name, value in sorted((look.spec.get("env") or {}).items())]
    home = {"env": [{"name": "HOME", "value": WORK}]}
    env = merged(home, {"env": container.get("env") or []}, {"env": chosen})["env"]
    container["env"] = [one for one in env if one["name"] not in RESERVED]


def resources(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """Requests and limits, as the author wrote them, else those of a template; with more memory, where earlier attempts
    ran out of it.
    """
    wanted = grown(look.spec, look.oom_failures, look.settings.oom_factor)
    if wanted:
        container["resources"] = wanted


def accelerator(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """The accelerator that it needs, and the taints of the nodes that have what it asks for."""
    accelerate(pod, container, look.spec.get("accelerator"), look.settings.pods.accelerators)


def shared_memory(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """Memory that its processes share; it counts as memory of theirs."""
    wanted = look.spec.get("sharedMemory")
    if wanted is not None:
        size = {"sizeLimit": wanted["size"]} if wanted.get("size") else {}
        source = {"emptyDir": {"medium": "Memory", **size}}
        mount(pod, container, "shared-memory", SHARED_MEMORY, source, read_only=False)


def capacity(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """Interruptible attempts go to nodes that can go away at any time, and bear their taints."""
    if not look.interruptible:
        return
    settings = look.settings
    if settings.interruptible_node_selector:
        selector = {**(pod["spec"].get("nodeSelector") or {}), **settings.interruptible_node_selector}
        pod["spec"]["nodeSelector"] = selector
    if settings.interruptible_tolerations:
        asked = {"tolerations": list(settings.interruptible_tolerations)}
        pod["spec"]["tolerations"] = merged({"tolerations": pod["spec"].get("tolerations") or []}, asked)["tolerations"]


def work_folder(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """Folders that can be written: the user's code is unpacked in one, and it is the working directory and HOME. A
    template may say what they are on.
    """
    for name, path in (("work", WORK), ("tmp", TMP)):
        if name == "tmp" and not look.settings.pods.read_only_root:
            continue
        given = next((one for one in pod["spec"]["volumes"] if one["name"] == name), None)
        if any(one["mountPath"] == path for one in container["volumeMounts"]):
            continue
        if given is None:
            mount(pod, container, name, path, {"emptyDir": {}}, read_only=False)
        else:
            container["volumeMounts"].append({"name": name, "mountPath": path})


def runtime(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """The Windlass runtime, so that any image with a Python will do."""
    settings = look.settings
    if settings.runtime_delivery is RuntimeDelivery.IMAGE_VOLUME:
        source = {"image": {"reference": settings.runtime_image, "pullPolicy": settings.image_pull_policy}}
        mount(pod, container, "runtime", RUNTIME, source)
    elif settings.runtime_delivery is RuntimeDelivery.INIT_CONTAINER:
        mount(pod, container, "runtime", RUNTIME, {"emptyDir": {}})
        copying = [
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
        pod["spec"]["initContainers"] = [*copying, *(pod["spec"].get("initContainers") or [])]


def code(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """The code bundle, when it is a ConfigMap: one that is in the store, the runtime gets itself."""
    if look.code:
        mount(pod, container, "code", CODE, {"configMap": {"name": look.code}})


def secrets(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """The secrets that the code may read."""
    provide(pod, container, look.spec.get("secrets") or (), look.settings.pods.default_secret)


def security(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """The restricted Pod Security Standard, and no service-account token, unless a template says something else."""
    spec = pod["spec"]
    spec["securityContext"] = merged(
        {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "fsGroup": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        spec.get("securityContext") or {},
    )
    for one in [*spec["containers"], *(spec.get("initContainers") or ())]:
        one["securityContext"] = _secured(one.get("securityContext") or {})
    if look.settings.pods.read_only_root:
        container["securityContext"].setdefault("readOnlyRootFilesystem", True)
    spec.setdefault("automountServiceAccountToken", False)
    if look.service_account:
        spec["serviceAccountName"] = look.service_account


def store(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """What it needs to get at the store."""
    add_access(pod, container, look.settings.store)


def lifecycle(pod: Manifest, container: Manifest, look: PodLook) -> None:
    """Never restarted in place: Windlass counts attempts, the kubelet doesn't."""
    pod["spec"]["restartPolicy"] = "Never"
    pod["spec"].setdefault("enableServiceLinks", False)


STEPS: tuple[Step, ...] = (
    marks,
    image,
    python,
    environment,
    resources,
    accelerator,
    shared_memory,
    capacity,
    work_folder,
    runtime,
    code,
    secrets,
    security,
    store,
    lifecycle,
)


def mount(
    pod: Manifest, container: Manifest, name: str, path: str, source: Manifest, *, read_only: bool = True
) -> None:
    """A volume, and where it is in the container.

    Raises:
        InvalidPodError: a template has something of that name or in that place.
    """
    if any(one["name"] == name for one in pod["spec"]["volumes"]):
        raise InvalidPodError("InvalidPodTemplate", f"a template has a volume {name!r}, which is Windlass' own")
    if any(one["mountPath"].rstrip("/") == path for one in container["volumeMounts"]):
        raise InvalidPodError("InvalidPodTemplate", f"a template mounts something at {path}, which is Windlass' own")
    pod["spec"]["volumes"].append({"name": name, **source})
    place: Manifest = {"name": name, "mountPath": path}
    if read_only:
        place["readOnly"] = True
    container["volumeMounts"].append(place)


def container_security() -> Manifest:
    """What the restricted Pod Security Standard asks of each container."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _secured(said: Manifest) -> Manifest:
    """A container's security context, with the restricted standard wherever it says nothing itself. Who is privileged
    can't be kept from gaining privileges: the API server takes no such container.
    """
    strict = container_security()
    added = (said.get("capabilities") or {}).get("add") or ()
    if said.get("privileged") or any(one in added for one in ("SYS_ADMIN", "CAP_SYS_ADMIN")):
        del strict["allowPrivilegeEscalation"]
    return merged(strict, said)
