"""What a task asks of its pod, as the real scheduler, kubelet and admission give it or refuse it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from localcluster import catalog
from localcluster.cluster import Cluster
from tests.e2e.conftest import SYSTEM, Installed, install
from tests.harness import Body, condition, task, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]  # the first test of a machine builds Kubernetes

SECRETS = """
import os

from windlass import Secret, current_context, task, workflow

FILE = Secret.MountType.FILE


@task(
    secret_requests=[
        Secret(group="db", key="password", env_var="DB_PASSWORD"),
        Secret(group="db", key="cert.pem", env_var="DB_CERT", mount_requirement=FILE),
        Secret(group="my-tokens", key="token", group_version="2"),
    ]
)
def read() -> list[str]:
    secrets = current_context().secrets
    with open(os.environ["DB_CERT"]) as file:
        return [
            secrets.get("db", "password"),
            os.environ["DB_PASSWORD"],
            secrets.get("db", "cert.pem"),
            file.read(),
            secrets.get("my-tokens", "token", group_version="2"),
        ]


@workflow
def wf() -> list[str]:
    return read()
"""

LOOKS = """
import errno
import os

from windlass import Resources, task, workflow


def refused(path: str) -> str:
    try:
        open(path, "w").close()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "written"


@task(shared_memory="16Mi", labels={"team": "vision"}, limits=Resources(cpu="1", mem="256Mi", ephemeral_storage="64Mi"))
def look() -> list[str]:
    memory = os.statvfs("/dev/shm")
    size = memory.f_frsize * memory.f_blocks // 2**20
    token = str(os.path.exists("/var/run/secrets/kubernetes.io"))
    return [str(size), refused("/here"), refused("/tmp/here"), refused("here"), refused("/dev/shm/here"), token]


@workflow
def wf() -> list[str]:
    return look()
"""

TEMPLATED = """
import os
import urllib.request

from windlass import task, workflow


@task(pod_template_name="with-a-server", environment={"WHO": "the task"})
def ask() -> str:
    answer = urllib.request.urlopen("http://localhost:8089/", timeout=5).read().decode()
    return f"{answer}, {os.environ['WHO']}, {os.environ['PLACE']}"


@workflow
def wf() -> str:
    return ask()
"""

SERVE = """
import http.server

class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

http.server.HTTPServer(("127.0.0.1", 8089), Hello).serve_forever()
"""

PROBE = "import urllib.request; urllib.request.urlopen('http://localhost:8089/', timeout=1)"

ON_A_GPU = """
from windlass import Resources, task, workflow
from windlass.accelerators import T4


@task(limits=Resources(gpu="1"), accelerator=T4)
def train() -> int:
    return 1


@task
def plain() -> int:
    return 2


@workflow
def gpu() -> int:
    return train()


@workflow
def cpu() -> int:
    return plain()
"""

CLAIMING = """
from windlass import Resources, task, workflow
from windlass.accelerators import T4, GPUAccelerator


@task(limits=Resources(gpu="1"), accelerator=T4)
def own() -> int:
    return 1


@task(limits=Resources(gpu="1"), accelerator=GPUAccelerator("shared-t4"))
def shared() -> int:
    return 2


@workflow
def wf() -> list[int]:
    return [own(), shared()]
"""

LAYERED = """
import os

from windlass import PodTemplate, task, workflow

TEMPLATE = PodTemplate(
    labels={"layer": "author"},
    annotations={"example.com/layer": "author"},
    pod_spec={
        "serviceAccountName": "runner",
        "initContainers": [
            {
                "name": "fetch",
                "image": "localhost/python:3",
                "command": ["sh", "-c", "echo fetched > /scratch/it"],
                "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
            }
        ],
        "containers": [
            {
                "name": "worker",
                "image": "localhost/python:3",
                "command": ["never", "this"],
                "env": [{"name": "TEMPLATE", "value": "author"}, {"name": "TASK", "value": "template"}],
                "resources": {"requests": {"cpu": "500m"}},
                "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
            }
        ],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}
        ]}}},
    },
    primary_container_name="worker",
)


@task(
    pod_template=TEMPLATE, environment={"TASK": "task"}, labels={"of": "task"}, annotations={"example.com/of": "task"},
    interruptible=True,
)
def look() -> list[str]:
    with open("/scratch/it") as file:
        return [file.read().strip(), *(os.environ.get(name, "") for name in ("EVERYWHERE", "TEMPLATE", "TASK"))]


@workflow
def wf() -> list[str]:
    return look()
"""

PARTS = """
from windlass import Resources, task, workflow
from windlass.accelerators import A100, V5E


@task(limits=Resources(gpu="1"), accelerator=A100.partition_2g_10gb)
def part() -> int:
    return 1


@task(limits=Resources(gpu="4"), accelerator=V5E.slice_2x2)
def slice() -> int:
    return 2


@task(limits=Resources(gpu="1"), accelerator=A100.unpartitioned)
def whole() -> int:
    return 3


@task(limits=Resources(gpu="4"), accelerator=V5E.slice_4x4)
def larger() -> int:
    return 4


@workflow
def of_gpus() -> list[int]:
    return [part(), whole()]


@workflow
def of_tpus() -> list[int]:
    return [slice(), larger()]
"""

PRIVILEGED = """
from windlass import PodTemplate, task, workflow


@task(pod_template=PodTemplate(pod_spec={"hostNetwork": True}))
def f() -> int:
    return 1


@workflow
def wf() -> int:
    return f()
"""


def start(windlass: Installed, folder: Path, source: str, workflow: str = "wf") -> str:
    """A run that nobody waits for; its name."""
    before = {one["metadata"]["name"] for one in windlass.api.list("executions")}
    file = folder / "mine.py"
    file.write_text(source)
    started = windlass.windlass("run", str(file), workflow, "--no-wait")
    assert started.returncode == 0, started.stderr
    (name,) = {one["metadata"]["name"] for one in windlass.api.list("executions")} - before
    return str(name)


def stalls(windlass: Installed, name: str, reason: str, *words: str) -> None:
    """Wait until a run says that it is stuck, why, and on what."""

    def told(status: Body) -> bool:
        found = condition(status, "Stalled")
        fits = found is not None and (found["status"], found["reason"]) == ("True", reason)
        return fits and all(word in (found or {})["message"] for word in words)

    windlass.api.execution(name, told, f"it to stall with {reason} and {words}", 180)


def secret(windlass: Installed, name: str, **data: str) -> None:
    """A Secret, made or changed."""
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
    windlass.kubectl("apply", "-f", "-", stdin=json.dumps(body))


@pytest.fixture
def patient(with_windlass: Cluster) -> Iterator[None]:
    """The operator waits long for what pods lack: the kubelet looks for it again after up to two minutes."""
    install(with_windlass, "imagePullGrace=300")
    yield
    install(with_windlass)


@pytest.mark.usefixtures("patient")
def test_secrets_are_found_as_locally_and_one_that_is_missing_is_named_until_it_comes(
    windlass: Installed, tmp_path: Path
) -> None:
    name = start(windlass, tmp_path, SECRETS)
    stalls(windlass, name, "FailedMount", 'secret "')
    secret(windlass, "my-tokens-2", token="t")
    secret(windlass, "db", **{"cert.pem": "c"})
    stalls(windlass, name, "CreateContainerConfigError", "password", "db")
    secret(windlass, "db", **{"cert.pem": "c", "password": "p"})
    status = windlass.api.finished(name, 150)
    assert status.get("outputs") == {"o0": ["p", "p", "c", "c", "t"]}, status
    folder = tmp_path / "secrets"
    for path, content in {"db/cert.pem": "c", "my-tokens/2/token": "t"}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    here = {**os.environ, "_FSEC_DB_PASSWORD": "p", "WINDLASS_SECRETS_DEFAULT_DIR": str(folder)}
    command = [sys.executable, "-m", "windlass._cli", "run", str(tmp_path / "mine.py"), "wf", "-o", "json"]
    local = subprocess.run(command, capture_output=True, text=True, check=True, env=here).stdout
    assert json.loads(local) == status["outputs"]


def test_the_operator_may_not_read_secrets(windlass: Installed) -> None:
    account = f"system:serviceaccount:{SYSTEM}:windlass-operator"
    for verb, answer in (("get", "no"), ("list", "no"), ("watch", "no")):
        asked = ("auth", "can-i", verb, "secrets", "--namespace", windlass.namespace, f"--as={account}")
        assert windlass.cluster.kubectl(*asked, check=False).strip() == answer, verb
    asked = ("auth", "can-i", "create", "pods", "--namespace", windlass.namespace, f"--as={account}")
    assert windlass.cluster.kubectl(*asked, check=False).strip() == "yes", "the question is the right one"


def test_a_pod_has_shared_memory_scratch_space_and_nothing_else_that_it_can_write(
    windlass: Installed, tmp_path: Path
) -> None:
    name = start(windlass, tmp_path, LOOKS)
    status = windlass.api.finished(name, 90)
    assert status.get("outputs") == {"o0": ["16", "EROFS", "written", "written", "written", "False"]}, status
    (pod,) = windlass.api.list("pods")
    assert pod["metadata"]["labels"]["team"] == "vision"


def test_a_pod_template_that_is_missing_is_waited_for_and_its_sidecar_ends_with_the_task(
    windlass: Installed, tmp_path: Path
) -> None:
    name = start(windlass, tmp_path, TEMPLATED)
    windlass.api.execution(
        name,
        lambda status: any(
            one["reason"] == "PodTemplateNotFound" and "'with-a-server'" in one["message"]
            for one in status.get("conditions") or ()
        ),
        "it to name the PodTemplate",
    )
    env = [{"name": "WHO", "value": "the template"}, {"name": "PLACE", "value": "a pod"}]
    serve = {"exec": {"command": ["python3", "-c", PROBE]}, "periodSeconds": 1, "failureThreshold": 60}
    containers = [
        {"name": "primary", "image": catalog.USER, "imagePullPolicy": "Never", "env": env},
        {
            "name": "server",
            "image": catalog.USER,
            "imagePullPolicy": "Never",
            "command": ["python3", "-c", SERVE],
            "startupProbe": serve,
        },
    ]
    template = {"metadata": {"annotations": {"example.com/from": "a template"}}, "spec": {"containers": containers}}
    body = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "with-a-server"}, "template": template}
    windlass.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    status = windlass.api.finished(name, 120)
    assert status.get("outputs") == {"o0": "hello, the task, a pod"}, status
    (pod,) = windlass.api.list("pods")
    assert pod["metadata"]["annotations"]["example.com/from"] == "a template"
    wait_until(lambda: windlass.api.list("pods")[0]["status"]["phase"] == "Succeeded", "the pod to end", 60)


@pytest.fixture
def layered(with_windlass: Cluster, new_namespace: Callable[[Cluster], str]) -> Iterator[Installed]:
    """The administrator has a say in all pods, in those of a namespace, and in where interruptible ones go."""
    windlass = Installed(with_windlass, new_namespace(with_windlass))
    everywhere = "pods.template.spec.containers[0]"
    install(
        with_windlass,
        "pods.template.metadata.labels.layer=all",
        "pods.template.metadata.labels.cost=shared",
        "pods.template.spec.priorityClassName=ours",
        f"{everywhere}.name=default",
        f"{everywhere}.env[0].name=EVERYWHERE",
        f"{everywhere}.env[0].value=yes",
        f"pods.namespaces.{windlass.namespace}.metadata.labels.layer=namespace",
        f"pods.namespaces.{windlass.namespace}.spec.terminationGracePeriodSeconds=7",
        "interruptible.nodeSelector.spot=yes",
        "interruptible.tolerations[0].key=spot",
        "interruptible.tolerations[0].operator=Exists",
    )
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "ours"}, "value": 7}
    with_windlass.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    windlass.kubectl("create", "serviceaccount", "runner")
    try:
        yield windlass
    finally:
        with_windlass.kubectl("label", "nodes", "--all", "spot-", check=False)
        with_windlass.kubectl("taint", "nodes", "--all", "spot-", check=False)
        with_windlass.kubectl("delete", "priorityclass", "ours")
        install(with_windlass)


def test_the_administrator_the_author_and_the_task_each_have_their_say_in_a_pod(
    layered: Installed, tmp_path: Path
) -> None:
    name = start(layered, tmp_path, LAYERED)
    stalls(layered, name, "Unschedulable", "node affinity/selector")
    layered.cluster.kubectl("taint", "nodes", "--all", "spot=yes:NoSchedule")
    layered.cluster.kubectl("label", "nodes", "--all", "spot=yes")
    status = layered.api.finished(name, 120)
    assert status.get("outputs") == {"o0": ["fetched", "yes", "author", "task"]}, status
    (pod,) = layered.api.list("pods")
    meta, spec = pod["metadata"], pod["spec"]
    assert {"layer": "author", "cost": "shared", "of": "task"}.items() <= meta["labels"].items()
    assert {"example.com/layer": "author", "example.com/of": "task"}.items() <= meta["annotations"].items()
    assert (spec["priorityClassName"], spec["priority"], spec["terminationGracePeriodSeconds"]) == ("ours", 7, 7)
    assert (spec["serviceAccountName"], spec["automountServiceAccountToken"]) == ("runner", False)
    assert spec["nodeSelector"] == {"spot": "yes"}
    assert spec["containers"][0]["resources"]["requests"]["cpu"] == "500m", "the template's, since the task names none"


@contextmanager
def devices(windlass: Installed, count: int, labels: Mapping[str, str], *resources: str) -> Iterator[None]:
    """The node has devices meanwhile, says which, and has taints that keep off who has no use for them."""
    kubectl = windlass.cluster.kubectl
    (node,) = kubectl("get", "nodes", "-o", "name").split()

    def status(operation: str, **more: str) -> None:
        paths = [f"/status/capacity/{resource.replace('/', '~1')}" for resource in resources]
        patch = json.dumps([{"op": operation, "path": path, **more} for path in paths])
        kubectl("patch", node, "--subresource=status", "--type=json", "-p", patch)

    status("add", value=str(count))
    try:
        kubectl("label", node, *(f"{label}={value}" for label, value in labels.items()))
        kubectl("taint", "nodes", "--all", *(f"{resource}=present:NoSchedule" for resource in resources))
        yield
    finally:
        kubectl("taint", "nodes", "--all", *(f"{resource}-" for resource in resources), check=False)
        kubectl("label", node, *(f"{label}-" for label in labels))
        status("remove")


def test_pods_with_an_accelerator_land_where_it_is_and_others_are_kept_off_by_the_taint(
    windlass: Installed, tmp_path: Path
) -> None:
    on_gpu = start(windlass, tmp_path, ON_A_GPU, "gpu")
    stalls(windlass, on_gpu, "Unschedulable", "node affinity")
    with devices(windlass, 2, {"k8s.amazonaws.com/accelerator": "nvidia-tesla-t4"}, "nvidia.com/gpu"):
        status = windlass.api.finished(on_gpu, 120)
        assert status.get("outputs") == {"o0": 1}, status
        without = start(windlass, tmp_path, ON_A_GPU, "cpu")
        stalls(windlass, without, "Unschedulable", "untolerated taint")
    status = windlass.api.finished(without, 120)
    assert status.get("outputs") == {"o0": 2}, status


@pytest.mark.parametrize(
    ("workflow", "resource", "labels"),
    [
        (
            "of_gpus",
            "nvidia.com/gpu",
            {
                "k8s.amazonaws.com/accelerator": "nvidia-tesla-a100",
                "k8s.amazonaws.com/gpu-partition-size": "2g.10gb",
            },
        ),
        (
            "of_tpus",
            "google.com/tpu",
            {
                "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
                "cloud.google.com/gke-tpu-topology": "2x2",
            },
        ),
    ],
)
def test_a_part_of_a_device_and_a_slice_of_a_tpu_are_no_other(
    workflow: str, resource: str, labels: dict[str, str], windlass: Installed, tmp_path: Path
) -> None:
    def phases(status: Body) -> list[str]:
        return sorted(node["phase"] for node in (status.get("nodes") or {}).values())

    with devices(windlass, 4, labels, resource):
        name = start(windlass, tmp_path, PARTS, workflow)
        windlass.api.execution(
            name, lambda status: phases(status) == ["Queued", "Succeeded"], "the right one to run", 90
        )
        stalls(windlass, name, "Unschedulable", "node affinity")
        pods = {pod["status"]["phase"]: pod["spec"] for pod in windlass.api.list("pods")}
        assert resource in pods["Succeeded"]["containers"][0]["resources"]["limits"]
        assert "nodeName" not in pods["Pending"]
        windlass.kubectl("delete", "execution", name)


@pytest.fixture
def with_claims(with_windlass: Cluster) -> Iterator[None]:
    """Devices are given by dynamic resource allocation meanwhile; nobody has any yet."""
    rows = ("devices[0]=shared-*", "claim=shared"), ("devices[0]=nvidia-*", "claimTemplate=gpus")
    values = [
        f"pods.accelerators[{place}].{value}"
        for place, row in enumerate(rows)
        for value in (*row, "resource=nvidia.com/gpu")
    ]
    install(with_windlass, *values)
    made = resource("DeviceClass", DRIVER, {"selectors": [{"cel": {"expression": f"device.driver == '{DRIVER}'"}}]})
    with_windlass.kubectl("apply", "-f", "-", stdin=json.dumps(made))
    yield
    with_windlass.kubectl("delete", "resourceslices,deviceclasses", "--all", "--wait=false")
    install(with_windlass)


DRIVER = "gpus.example.com"


def resource(kind: str, name: str, spec: Body) -> Body:
    """An object of dynamic resource allocation."""
    return {"apiVersion": "resource.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def test_claims_of_devices_are_made_waited_for_and_allocated_on_the_node_that_has_them(
    with_claims: None, windlass: Installed, tmp_path: Path
) -> None:
    """As far as the scheduler: to start the pod, the kubelet would need the driver itself."""
    claim = {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": DRIVER}}]}}
    for body in (
        resource("ResourceClaimTemplate", "gpus", {"spec": claim}),
        resource("ResourceClaim", "shared", claim),
    ):
        windlass.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    run = start(windlass, tmp_path, CLAIMING)
    stalls(windlass, run, "Unschedulable", "cannot allocate all claims")

    def claims() -> dict[str, Body]:
        found = json.loads(windlass.kubectl("get", "resourceclaims", "-o", "json"))["items"]
        return {one["metadata"]["name"]: one for one in found}

    (made,) = claims().keys() - {"shared"}
    owners = {one["name"] for one in claims()[made]["metadata"]["ownerReferences"]}
    assert owners < {pod["metadata"]["name"] for pod in windlass.api.list("pods")}, "the pod's own claim goes with it"
    node = windlass.cluster.kubectl("get", "nodes", "-o", "name").strip().removeprefix("node/")
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    slice_ = {"driver": DRIVER, "nodeName": node, "pool": pool, "devices": [{"name": "gpu-0"}, {"name": "gpu-1"}]}
    windlass.kubectl("apply", "-f", "-", stdin=json.dumps(resource("ResourceSlice", "gpus", slice_)))
    wait_until(
        lambda: [pod["spec"].get("nodeName") for pod in windlass.api.list("pods")] == [node] * 2,
        "both pods to be on the node that has the devices", 120,
    )  # fmt: skip
    devices = [
        result["device"] for one in claims().values() for result in one["status"]["allocation"]["devices"]["results"]
    ]
    assert sorted(devices) == ["gpu-0", "gpu-1"]


def test_what_the_namespace_does_not_admit_fails_with_what_it_does_not_admit(
    windlass: Installed, tmp_path: Path
) -> None:
    name = start(windlass, tmp_path, PRIVILEGED)
    status = windlass.api.finished(name, 60)
    assert status["phase"] == "Failed"
    assert status["error"]["code"] == "PodSecurity"
    assert "hostNetwork=true" in status["error"]["message"]


def test_resources_that_can_not_be_had_are_told_of_at_once(windlass: Installed) -> None:
    """A pod that can't be fails; one for which there is no room waits, and says so."""
    asked: dict[str, Body] = {
        "no-such-part": {
            "accelerator": {"device": "tpu-v5-lite", "partition": "1g.5gb"},
            "resources": {"limits": {"google.com/tpu": "1"}},
        },
        "no-such-gpu": {"accelerator": {"device": "a9000"}, "resources": {"limits": {"nvidia.com/gpu": "1"}}},
        "upside-down": {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}},
        "too-large": {"resources": {"requests": {"cpu": "1000"}}},
        "in-the-way": {"podTemplate": {"spec": {"volumes": [{"name": "runtime", "emptyDir": {}}]}}},
        "no-secret": {"secrets": [{"group": "Not_A_Name", "key": "k"}]},
        "no-group": {"secrets": [{"key": "k"}]},
        "no-image": {"image": "Not/An:Image:Name"},
        "no-such-image": {"image": "localhost/not-there:1"},
    }
    for name, spec in asked.items():
        windlass.api.create("tasks", task(name, **spec))
        body = {"apiVersion": "windlass.dev/v1alpha1", "kind": "Execution", "metadata": {"name": name}}
        windlass.api.create("executions", {**body, "spec": {"task": {"name": name}}})
    expected = {
        "no-such-part": "UnknownAccelerator", "upside-down": "InvalidPod", "in-the-way": "InvalidPodTemplate",
        "no-secret": "InvalidSecret", "no-group": "InvalidSecret", "no-image": "InvalidImageName",
    }  # fmt: skip
    errors = {name: windlass.api.finished(name, 60)["error"] for name in expected}
    assert {name: error["code"] for name, error in errors.items()} == expected, errors
    assert "accelerator: 'tpu-v5-lite' has no partition in this cluster" in errors["no-such-part"]["message"]
    assert "must be less than or equal to memory limit" in errors["upside-down"]["message"]
    stalls(windlass, "too-large", "Unschedulable", "Insufficient cpu")
    stalls(windlass, "no-such-gpu", "Unschedulable", "node affinity")
    stalls(windlass, "no-such-image", "ImagePullBackOff", "localhost/not-there:1")
