"""Whole runs on a real node."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, SYSTEM, Installed, install
from tests.harness import Body, condition, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]  # the first test of a machine builds Kubernetes

EXAMPLES = ROOT / "examples"
TEXT = EXAMPLES / "data" / "windlass.txt"


DIVIDE = """
from windlass import task, workflow


@task
def divide(a: int, b: int) -> float:
    return a / b


@workflow
def wf(b: int = 0) -> float:
    return divide(a=1, b=b)
"""

FLAKY = """
from windlass import FlyteRecoverableException, task, workflow


@task(retries=1)
def flaky(ready: bool) -> int:
    if not ready:
        raise FlyteRecoverableException("not today")
    return 1


@workflow
def wf() -> int:
    return flaky(ready=False)
"""

NO_IMAGE = """
from windlass import task, workflow


@task(container_image="localhost/no-such-image:1")
def f() -> int:
    return 1


@workflow
def wf() -> int:
    return f()
"""

LOOK = """
import os

from windlass import task, workflow


@task
def look() -> list[str]:
    there = os.path.exists("/var/run/secrets/kubernetes.io")
    return [str(there), str(os.getuid()), os.environ["HOME"]]


@workflow
def wf() -> list[str]:
    return look()
"""

TELL = """
from windlass import task, workflow


@task
def f() -> None:
    raise ValueError("told you")


@workflow
def wf() -> None:
    f()
"""

SLOW = """
import time

from windlass import task, workflow


@task
def wait(seconds: float, after: int = 0) -> int:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.05)
    return after + 1


@workflow
def wf(seconds: float = 3.0) -> int:
    a = wait(seconds=seconds)
    b = wait(seconds=seconds)
    c = wait(seconds=seconds, after=a)
    return wait(seconds=0.1, after=c)
"""


def local(*arguments: str) -> str:
    """The same run without a cluster."""
    command = [sys.executable, "-m", "windlass._cli", "run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def write(folder: Path, source: str) -> str:
    """A user's file."""
    file = folder / "mine.py"
    file.write_text(source)
    return str(file)


def the_execution(windlass: Installed) -> Body:
    """The only Execution of the namespace."""
    (found,) = windlass.api.list("executions")
    return found


def test_manifests_written_by_hand_run_and_kubectl_tells_the_story(windlass: Installed) -> None:
    windlass.kubectl("apply", "-f", str(EXAMPLES / "manifests" / "hello.yaml"))
    windlass.kubectl("wait", "--for=condition=Succeeded", "execution/hello-1", "--timeout=60s")
    line = windlass.kubectl("get", "executions", "--no-headers").split()
    assert line[:4] == ["hello-1", "Succeeded", "3/3", "greetings"]
    assert "Hello, Ada!" in windlass.kubectl("get", "execution", "hello-1", "-o", "jsonpath={.status.outputs.card}")
    described = windlass.kubectl("describe", "execution", "hello-1")
    assert "Succeeded" in described and "greetings.measure" in described
    ready = windlass.kubectl("get", "tasks,workflows", "--no-headers").splitlines()
    assert [line.split()[1] for line in ready] == ["True"] * 4


def test_the_demo_gives_the_same_on_the_cluster_as_locally(windlass: Installed) -> None:
    arguments = (str(EXAMPLES / "wordcount.py"), "wordcount", "--text", f"@{TEXT}", "--top", "5", "-o", "json")
    remote = windlass.windlass("run", *arguments)
    assert remote.returncode == 0, remote.stderr
    assert remote.stdout == local(*arguments)
    assert "Succeeded 7/7" in remote.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("shapes.py", "shapes", "--sides", "8"),
        ("shapes.py", "scaled", "--shape", '{"name": "s", "corners": [{"x": 1, "y": 2}]}', "--factors", "[1.5, 2]"),
        ("hello.py", "emphasise", "--text", "a task by itself"),
    ],
    ids=["dataclasses", "an input that is a dataclass", "a task"],
)
def test_examples_give_the_same_on_the_cluster_as_locally(windlass: Installed, arguments: tuple[str, ...]) -> None:
    words = (str(EXAMPLES / arguments[0]), *arguments[1:], "-o", "json")
    remote = windlass.windlass("run", *words)
    assert remote.returncode == 0, remote.stderr
    assert json.loads(remote.stdout) == json.loads(local(*words))


def test_a_text_of_a_quarter_megabyte_goes_through(windlass: Installed, tmp_path: Path) -> None:
    text = tmp_path / "long.txt"
    text.write_text("".join(f"word{i % 5000} " for i in range(25_000)))
    arguments = (str(EXAMPLES / "wordcount.py"), "wordcount", "--text", f"@{text}", "--top", "3", "-o", "json")
    remote = windlass.windlass("run", *arguments)
    assert remote.returncode == 0, remote.stderr
    assert remote.stdout == local(*arguments)


def test_an_exception_reaches_the_terminal_and_the_execution(windlass: Installed, tmp_path: Path) -> None:
    remote = windlass.windlass("run", write(tmp_path, DIVIDE), "wf")
    assert remote.returncode == 1
    told = remote.stdout + remote.stderr
    assert "ZeroDivisionError" in told and "return a / b" in told
    status = the_execution(windlass)["status"]
    assert status["error"]["node"] == "n0"
    assert status["error"]["type"] == "ZeroDivisionError"
    assert "line 7" in status["error"]["traceback"]
    assert "division by zero" in windlass.kubectl("describe", "execution")
    assert windlass.kubectl("logs", the_execution(windlass)["metadata"]["name"] + "-n0-0").count("Traceback") == 1


def test_a_recoverable_exception_is_retried_in_a_pod_of_its_own(windlass: Installed, tmp_path: Path) -> None:
    remote = windlass.windlass("run", write(tmp_path, FLAKY), "wf")
    assert remote.returncode == 1
    assert the_execution(windlass)["status"]["nodes"]["n0"]["failures"] == {"user": 2, "system": 0}
    assert len(windlass.api.list("pods")) == 2


def test_an_image_that_is_not_there_fails_with_the_kubelets_words(windlass: Installed, tmp_path: Path) -> None:
    remote = windlass.windlass("run", write(tmp_path, NO_IMAGE), "wf")
    assert remote.returncode == 1
    assert "localhost/no-such-image:1" in remote.stdout + remote.stderr
    assert "Image" in the_execution(windlass)["status"]["error"]["code"]


def start(windlass: Installed, folder: Path, seconds: float) -> str:
    """Start the slow workflow without waiting for it, and wait until it runs."""
    started = windlass.windlass("run", write(folder, SLOW), "wf", "--seconds", str(seconds), "--no-wait")
    assert started.returncode == 0, started.stderr
    name: str = the_execution(windlass)["metadata"]["name"]
    windlass.api.execution(
        name, lambda status: status.get("nodes", {}).get("n0", {}).get("phase") == "Running", "it to run"
    )
    return name


def test_an_operator_killed_in_the_middle_changes_nothing_and_runs_nothing_twice(
    windlass: Installed, tmp_path: Path
) -> None:
    name = start(windlass, tmp_path, 3.0)
    before = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in windlass.api.list("pods")}
    windlass.cluster.kubectl("-n", SYSTEM, "delete", "pod", "--all", "--grace-period=0", "--force")
    status = windlass.api.finished(name, 90)
    assert status["phase"] == "Succeeded"
    assert status["outputs"] == {"o0": 3}
    after = {pod["metadata"]["name"]: pod for pod in windlass.api.list("pods")}
    assert sorted(after) == [f"{name}-n{i}-0" for i in range(4)]
    assert {pod: after[pod]["metadata"]["uid"] for pod in before} == before
    assert all(pod["status"]["containerStatuses"][0]["restartCount"] == 0 for pod in after.values())


def test_cancelling_stops_the_pods_soon(windlass: Installed, tmp_path: Path) -> None:
    name = start(windlass, tmp_path, 600.0)
    windlass.kubectl("patch", "execution", name, "--type=merge", "-p", '{"spec":{"cancel":true}}')
    windlass.kubectl("wait", "--for=condition=Finished", f"execution/{name}", "--timeout=20s")
    assert the_execution(windlass)["status"]["phase"] == "Cancelled"
    wait_until(lambda: windlass.api.list("pods") == [], "the pods to be gone", 20)


def test_deleting_a_running_execution_with_the_operator_down_leaves_nothing(
    windlass: Installed, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name = start(windlass, tmp_path, 600.0)
    request.getfixturevalue("no_operator")
    windlass.kubectl("delete", "execution", name)
    windlass.kubectl("delete", "tasks,workflows", "--all")
    windlass.kubectl(
        "delete",
        "configmap",
        "-l",
        "app.kubernetes.io/managed-by!=windlass",
        "--field-selector",
        "metadata.name!=kube-root-ca.crt",
    )
    plurals = ("pods", "controllerrevisions", "configmaps")

    def left() -> list[str]:
        names = [item["metadata"]["name"] for plural in plurals for item in windlass.api.list(plural)]
        return [one for one in names if one != "kube-root-ca.crt"]

    wait_until(lambda: left() == [], "everything to go", 60)


def test_pods_have_no_token_and_the_operator_may_not_read_secrets(windlass: Installed, tmp_path: Path) -> None:
    remote = windlass.windlass("run", write(tmp_path, LOOK), "wf", "-o", "json")
    assert remote.returncode == 0, remote.stderr
    assert the_execution(windlass)["status"]["outputs"]["o0"] == ["False", "65532", "/var/run/windlass/work"]
    who = f"--as=system:serviceaccount:{SYSTEM}:windlass-operator"
    for verb in ("get", "list", "watch"):
        assert windlass.cluster.kubectl("auth", "can-i", verb, "secrets", "-A", who, check=False).strip() == "no"
    assert windlass.cluster.kubectl("auth", "can-i", "create", "pods", "-A", who).strip() == "yes"


def test_events_tell_what_went_wrong(windlass: Installed, tmp_path: Path) -> None:
    windlass.windlass("run", write(tmp_path, TELL), "wf")
    name = the_execution(windlass)["metadata"]["name"]

    def told() -> list[str]:
        events = json.loads(windlass.kubectl("get", "events", "-o", "json"))["items"]
        return [one["message"] for one in events if one["involvedObject"]["name"] == name]

    assert "told you" in wait_until(told, "an event")[0]
    assert condition(the_execution(windlass)["status"], "Failed")


def test_clusters_without_image_volumes_get_the_runtime_from_an_init_container(
    windlass: Installed, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: install(windlass.cluster))
    install(windlass.cluster, "runtime.delivery=initContainer")
    remote = windlass.windlass("run", str(EXAMPLES / "hello.py"), "hello", "--name", "Init")
    assert remote.returncode == 0, remote.stderr
    assert "Hello, Init!!!" in remote.stdout
    (first, *_) = windlass.api.list("pods")
    assert [one["name"] for one in first["spec"]["initContainers"]] == ["runtime"]
