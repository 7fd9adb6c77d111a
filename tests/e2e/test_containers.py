"""Container tasks on a real node: images with and without a shell, how they fail, and what else tasks can."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localcluster.cluster import Cluster
from tests.container_images import SHELL, compiled_image, shell_image
from tests.e2e.conftest import ROOT, Installed
from tests.harness import Body, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]  # the first test of a machine builds Kubernetes

EXAMPLE = str(ROOT / "examples" / "containers.py")


@pytest.fixture(scope="module", autouse=True)
def _images(with_windlass: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    with_windlass.load_images([shell_image(), compiled_image(tmp_path_factory.mktemp("compiled"))])


def write(folder: Path, source: str) -> str:
    """A user's file."""
    file = folder / "mine.py"
    file.write_text(f'from windlass import *\nSHELL = "{SHELL}"\n{source}')
    return str(file)


def status_of(windlass: Installed) -> Body:
    """Of the only Execution of the namespace."""
    (found,) = windlass.api.list("executions")
    status: Body = found["status"]
    return status


def test_a_program_in_bash_and_a_python_function_work_hand_in_hand(windlass: Installed) -> None:
    ran = windlass.windlass("run", EXAMPLE, "greet", "--name", "Ada", "--times", "2", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"o0": "Hello, Ada! Hello, Ada! (24)"}


def test_a_shell_script_runs_in_a_pod_with_python(windlass: Installed) -> None:
    ran = windlass.windlass("run", EXAMPLE, "shout", "--text", "hello")
    assert ran.returncode == 0, ran.stderr
    (pod,) = windlass.api.list("pods")
    assert "HELLO" in windlass.kubectl("logs", pod["metadata"]["name"])


def test_an_image_with_one_compiled_program_and_nothing_else_is_a_task(windlass: Installed) -> None:
    ran = windlass.windlass("run", EXAMPLE, "longest", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"o0": "programs (8)"}
    (pod,) = [one for one in windlass.api.list("pods") if "initContainers" in one["spec"]]
    assert [one["name"] for one in pod["spec"]["initContainers"]] == ["inputs", "outputs"]
    assert all(one["state"]["terminated"]["exitCode"] == 0 for one in pod["status"]["initContainerStatuses"])
    empty = windlass.windlass("run", EXAMPLE, "longest", "--text", "", "-o", "json")
    assert empty.returncode == 1
    assert "User Error: there is no word in the text" in empty.stdout + empty.stderr


FAILING = """
def shell(name, script, **options):
    options = {"image": SHELL, "outputs": {"y": int}, **options}
    return ContainerTask(name=name, command=["bash", "-c", script], **options)


exits = shell("exits", "echo 1 > /var/outputs/y; echo no such thing >&2; exit 3")
says = shell("says", "echo the well is dry > /var/outputs/error; exit 1", retries=3)
forgets = shell("forgets", "true")
errs = shell("errs", "echo seven > /var/outputs/y")
eats = shell("eats", "exec tail /dev/zero", limits=Resources(mem="32Mi"))
keeps = shell("keeps", "true", outputs={"y": FlyteFile})
floods = shell("floods", "head -c 20000 /dev/urandom | base64 -w0 > /var/outputs/y", outputs={"y": str})
absent = ContainerTask(name="absent", image="localhost/windlass-longest-word:1", command=["/not/there"])


@workflow(failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def wf() -> None:
    for task in (exits, says, forgets, errs, eats, keeps, floods, absent):
        task().with_overrides(node_name=task.name)
"""


def test_how_a_container_fails_is_told_with_the_reason(windlass: Installed, tmp_path: Path) -> None:
    ran = windlass.windlass("run", write(tmp_path, FAILING), "wf", timeout=240)
    assert ran.returncode == 1
    nodes = status_of(windlass)["nodes"]
    expected = {
        "exits": ("ExitCode", "the container exited with 3: no such thing"),
        "says": ("USER:RuntimeError", "User Error: the well is dry"),
        "forgets": ("USER:AssertionError", "the output y of forgets: its container has written no file y there"),
        "errs": ("USER:AssertionError", "the output y of errs: expected int, got the text 'seven"),
        "eats": ("OOMKilled", "used more memory than its limit"),
        "keeps": ("NoStore", "the output y is a file, a folder or a table"),
        "floods": ("OutputTooLarge", "the outputs are too large to leave the pod"),
        "absent": ("CannotStart", "/not/there"),
    }
    for name, (code, message) in expected.items():
        assert nodes[name]["reason"] == code
        assert message in nodes[name]["message"]
    assert nodes["says"].get("attempt", 0) == 0, "what a container says is for good"


ABLE = r"""
from functools import partial


def shell(name, script, image=SHELL, **options):
    return ContainerTask(name=name, image=image, command=["bash", "-c", script], **options)


stubborn = shell(
    "stubborn",
    'echo $((FLYTE_ATTEMPT_NUMBER + 1)) > /var/outputs/tries; exit $((FLYTE_ATTEMPT_NUMBER == 0))',
    outputs={"tries": int}, retries=1,
)
square = shell(
    "square", 'echo $(( {{.inputs.n}} * {{.inputs.n}} )) > /var/outputs/y',
    inputs={"n": int}, outputs={"y": int}, cache=Cache(version="1"),
)
measure = shell(
    "measure", 'wc -c < /in/text > /out/size; ls /in > /out/files', inputs={"text": str},
    outputs={"size": int, "files": str}, input_data_dir="/in", output_data_dir="/out",
    metadata_format=ContainerTask.MetadataFormat.YAML,
)
look = shell(
    "look",
    'token=$(ls -d /var/run/secrets 2>/dev/null); x=5; cd /var/outputs;'
    ' printf "%s|" "$x" "$(id -u)" "$WHO" "$token" "{{.inputs.odd}}" > seen;'
    ' [ "$$" = "$BASHPID" ] && echo same >> seen',
    inputs={"odd": str}, outputs={"seen": str}, environment={"WHO": "me"},
)
silent = shell("silent", "sleep 0.1")
opens = shell(
    "opens",
    'echo "$_FSEC_DB_PASSWORD" "$(cat /etc/secrets/db/cert.pem)" "$(cat /scratch/it)" > /var/outputs/seen',
    outputs={"seen": str},
    secret_requests=[
        Secret(group="db", key="password", mount_requirement=Secret.MountType.ENV_VAR),
        Secret(group="db", key="cert.pem", mount_requirement=Secret.MountType.FILE),
    ],
    pod_template=PodTemplate(pod_spec={
        "initContainers": [{
            "name": "fetch", "image": SHELL, "command": ["bash", "-c", "echo fetched > /scratch/it"],
            "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
        }],
        "containers": [{"name": "primary", "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }),
)


@workflow
def wf(n: list[int], text: str, odd: str = "a`b") -> tuple[int, list[int | None], int, str, str, str]:
    size, files = measure(text=text)
    silent()
    return stubborn(), map_task(square)(n=n), size, files, look(odd="c$(HOME)d"), opens()
"""


def test_containers_can_what_python_tasks_can(windlass: Installed, tmp_path: Path) -> None:
    long = tmp_path / "long.txt"
    long.write_text("0123456789" * 20_000)
    keys = ("--from-literal=password=p", "--from-literal=cert.pem=c")
    windlass.kubectl("create", "secret", "generic", "db", *keys)
    words = ("run", write(tmp_path, ABLE), "wf", "--n", "[1, 2, 3]", "--text", f"@{long}", "-o", "json")
    ran = windlass.windlass(*words, timeout=240)
    assert ran.returncode == 0, ran.stderr
    outputs = json.loads(ran.stdout)
    assert [outputs[f"o{index}"] for index in range(4)] == [2, [1, 4, 9], 200_000, "inputs.yaml\ntext\n"]
    assert outputs["o4"].startswith("5|65532|me||c") and outputs["o4"].endswith("d|same\n")
    assert outputs["o5"] == "p c fetched\n"
    (pod,) = [one for one in windlass.api.list("pods") if "silent" in one["metadata"]["annotations"].values()]
    assert "initContainers" not in pod["spec"]


WAITING = """
wait = ContainerTask(
    name="wait", image=SHELL, outputs={"y": int}, command=["bash", "-c", "trap 'exit 1' TERM; sleep 600 & wait"]
)


@workflow
def wf() -> int:
    return wait()
"""


def test_a_cancelled_container_is_gone_soon_and_its_helper_with_it(windlass: Installed, tmp_path: Path) -> None:
    started = windlass.windlass("run", write(tmp_path, WAITING), "wf", "--no-wait")
    assert started.returncode == 0, started.stderr
    (execution,) = windlass.api.list("executions")
    name = execution["metadata"]["name"]
    windlass.api.execution(
        name, lambda status: status.get("nodes", {}).get("n0", {}).get("phase") == "Running", "it to run"
    )
    windlass.kubectl("patch", "execution", name, "--type=merge", "-p", '{"spec":{"cancel":true}}')
    windlass.kubectl("wait", "--for=condition=Finished", f"execution/{name}", "--timeout=20s")
    assert status_of(windlass)["phase"] == "Cancelled"
    wait_until(lambda: windlass.api.list("pods") == [], "the pods to be gone", 25)
