"""Pools of warm workers on a real node, as users meet them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localcluster import catalog
from tests.e2e.conftest import SYSTEM, Installed
from tests.e2e.test_runs import EXAMPLES, local
from tests.harness import Body, condition, wait_until
from tests.matrix.playing import apply, reference
from windlass_api import names

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]  # the first test of a machine builds Kubernetes

WARM = """
import os
import time

from windlass import ActorEnvironment, actor_cache, current_context, map_task, workflow

pool = ActorEnvironment(name="pool", replica_count=1, ttl_seconds=600, environment={"FLAVOUR": "plain"})
wide = ActorEnvironment(name="wide", replica_count=2, ttl_seconds=600)


@actor_cache
def loaded() -> str:
    return os.urandom(8).hex()


@pool.task
def first(n: int) -> str:
    print(f"this is call {n}")
    return loaded()


@pool.task
def second(before: str) -> list[str]:
    return [before, loaded()]


@workflow
def chain(n: int) -> list[str]:
    return second(before=first(n=n))


@wide.task
def square(n: int) -> int:
    return n * n


@workflow
def squares(ns: list[int]) -> list[int]:
    return map_task(square)(n=ns)


@pool.task
def flavour() -> str:
    return os.environ["FLAVOUR"] + " in " + os.uname().nodename


@pool.task
def patient(seconds: float) -> str:
    end = time.monotonic() + seconds
    while current_context().attempt == 0 and time.monotonic() < end:
        time.sleep(0.05)
    return os.uname().nodename
"""


ROUGH = """
import os
import sys
import time

from windlass import ActorEnvironment, Resources, current_context, map_task, workflow

few = ActorEnvironment(name="few", environment={"WINDLASS_ACTOR_MAX_CALLS": "2"}, ttl_seconds=600)
lean = ActorEnvironment(
    name="lean", environment={"WINDLASS_ACTOR_MAX_MEMORY": "0.5"}, limits=Resources(mem="256Mi"), ttl_seconds=600
)
leaked = []


@few.task
def process(n: int) -> int:
    return os.getpid()


@workflow
def processes(ns: list[int]) -> list[int]:
    return map_task(process)(n=ns)


@few.task(retries=1)
def dies(n: int) -> int:
    print("its last words", file=sys.stderr)
    if current_context().attempt == 0:
        os._exit(7)
    return n


@few.task(timeout=1)
def slow() -> int:
    try:
        print("begins")
        time.sleep(600)
    finally:
        print("cleans up", file=sys.stderr)
    return 0


@lean.task
def leak(mib: int) -> int:
    leaked.append(b"x" * (mib << 20))
    return os.getpid()
"""


class Pools:
    """A user's file in a namespace, and what runs of it."""

    def __init__(self, windlass: Installed, folder: Path, text: str = WARM) -> None:
        self.windlass, self.api = windlass, windlass.api
        self._file = folder / "warm.py"
        self._file.write_text(text)
        apply(self.api, self._file)
        self._count = 0

    def start(self, entity: str, **inputs: object) -> str:
        """An Execution of a workflow or task of the file; gives its name."""
        self._count += 1
        name = f"{entity}-{self._count}"
        body = {"apiVersion": names.API_VERSION, "kind": "Execution", "metadata": {"name": name}}
        self.api.create("executions", {**body, "spec": {**reference(self._file, entity), "inputs": inputs}})
        return name

    def run(self, entity: str, **inputs: object) -> object:
        """What it gives."""
        name = self.start(entity, **inputs)
        status = self.api.finished(name, 90)
        assert status["phase"] == "Succeeded", json.dumps(status, indent=1)
        return status["outputs"]["o0"]

    def workers(self, pool: str = "pool") -> dict[str, Body]:
        """The pods of a pool, by name."""
        found = [pod for pod in self.api.list("pods") if pod["metadata"]["labels"].get(names.LABEL_POOL) == pool]
        return {pod["metadata"]["name"]: pod for pod in found}

    def uids(self, pool: str = "pool") -> dict[str, str]:
        """The workers, as what they are."""
        return {name: pod["metadata"]["uid"] for name, pod in self.workers(pool).items()}

    def running(self, name: str, node: str = "n0") -> None:
        """Wait until a node of an Execution runs."""
        self.api.execution(
            name, lambda status: status.get("nodes", {}).get(node, {}).get("phase") == "Running", f"{name} to run"
        )

    def status(self, pool: str = "pool") -> Body:
        """What the environment says."""
        return self.api.get("actorenvironments", pool).get("status") or {}


@pytest.fixture
def pools(windlass: Installed, tmp_path: Path) -> Pools:
    return Pools(windlass, tmp_path)


def test_the_example_gives_the_same_on_the_cluster_as_locally(windlass: Installed, tmp_path: Path) -> None:
    example = tmp_path / "actors.py"
    example.write_text((EXAMPLES / "actors.py").read_text().replace("python:3.12-slim", "localhost/python:3"))
    remote = windlass.windlass("run", str(example), "classify", "-o", "json")
    assert remote.returncode == 0, remote.stderr
    printed = local(str(example), "classify", "-o", "json")
    assert json.loads(remote.stdout) == json.loads(printed[printed.index("{") : printed.rindex("}") + 1])
    pods = windlass.api.list("pods")
    assert {pod["metadata"]["labels"][names.LABEL_POOL] for pod in pods} == {"words"}, "no task had a pod of its own"


def test_workers_start_with_the_first_call_stay_warm_and_share_what_they_have_loaded(pools: Pools) -> None:
    assert pools.workers() == {}
    found = pools.run("chain", n=1)
    assert isinstance(found, list) and found[0] == found[1], "two tasks, one process"
    warm = pools.uids()
    assert len(warm) == 1
    assert pools.run("chain", n=2) == found, "another run, the same process"
    assert pools.uids() == warm
    wait_until(lambda: pools.status().get("readyReplicas") == 1, "the status to say that a worker is ready")
    assert condition(pools.status(), "Ready") is not None
    (name,) = warm
    log = pools.windlass.kubectl("logs", name).splitlines()
    assert [line for line in log if "this is call" in line] == [
        "[chain-1/n0] this is call 1",
        "[chain-2/n0] this is call 2",
    ]


def test_workers_have_no_rights_and_no_token_but_the_one_for_the_dispatcher(pools: Pools) -> None:
    pools.run("first", n=1)
    (pod,) = pools.workers().values()
    assert pod["spec"]["automountServiceAccountToken"] is False
    tokens = [
        source["serviceAccountToken"]["audience"]
        for volume in pod["spec"]["volumes"]
        for source in (volume.get("projected") or {}).get("sources") or ()
        if "serviceAccountToken" in source
    ]
    assert tokens == ["windlass-dispatcher"]
    operator = f"--as=system:serviceaccount:{SYSTEM}:windlass-operator"
    for verb in ("get", "list", "watch", "update", "delete"):
        asked = ("auth", "can-i", verb, "secrets", "-n", SYSTEM, operator)
        assert pools.windlass.cluster.kubectl(*asked, check=False).strip() == "no", verb


def test_a_map_fans_out_over_the_pool(pools: Pools) -> None:
    assert pools.run("squares", ns=[*range(40)]) == [n * n for n in range(40)]
    assert 1 <= len(pools.workers("wide")) <= 2


def test_a_changed_environment_gets_other_workers_and_what_runs_ends_with_the_earlier_ones(pools: Pools) -> None:
    before = pools.start("patient", seconds=600.0)
    pools.running(before)
    (old,) = pools.uids()
    pools.api.merge("actorenvironments", "pool", {"spec": {"env": {"FLAVOUR": "changed"}}})
    said = pools.run("flavour")
    assert isinstance(said, str) and said.startswith("changed in ") and old not in said
    assert old in pools.uids(), "it has not done what it was doing"
    pools.api.merge("executions", before, {"spec": {"cancel": True}})
    wait_until(lambda: old not in pools.uids(), "the earlier worker to leave", 40)


def flavoured(pools: Pools, flavour: str) -> None:
    """A PodTemplate whose pods have that flavour."""
    main = {"name": "primary", "image": catalog.USER, "env": [{"name": "FLAVOUR", "value": flavour}]}
    template = {"spec": {"containers": [{**main, "imagePullPolicy": "Never"}]}}
    body = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "flavoured"}, "template": template}
    pools.windlass.kubectl("apply", "-f", "-", stdin=json.dumps(body))


def test_a_pod_template_that_a_pool_names_is_waited_for_and_a_changed_one_replaces_workers(pools: Pools) -> None:
    pools.api.merge("actorenvironments", "pool", {"spec": {"podTemplateName": "flavoured", "env": None}})
    name = pools.start("flavour")
    wait_until(lambda: "no PodTemplate 'flavoured'" in json.dumps(pools.status()), "the environment to say so")
    pools.api.execution(
        name, lambda status: "ActorEnvironment pool: podTemplateName" in json.dumps(status), "the run to say so"
    )
    flavoured(pools, "sweet")
    status = pools.api.finished(name, 60)
    (old,) = pools.uids()
    assert status.get("outputs") == {"o0": f"sweet in {old}"}, status
    before = pools.start("patient", seconds=600.0)
    pools.running(before)
    flavoured(pools, "salty")
    said = pools.run("flavour")
    assert isinstance(said, str) and said.startswith("salty in ") and old not in said
    assert old in pools.uids(), "it has not done what it was doing"
    pools.api.merge("executions", before, {"spec": {"cancel": True}})
    wait_until(lambda: old not in pools.uids(), "the earlier worker to leave", 60)
    assert condition(pools.status(), "Ready") is not None


def test_a_worker_without_work_leaves_after_its_time_and_comes_back_for_the_next_call(pools: Pools) -> None:
    pools.api.merge("actorenvironments", "pool", {"spec": {"ttlSeconds": 1}})
    pools.run("first", n=1)
    wait_until(lambda: pools.workers() == {}, "the worker to leave and to be cleaned up", 40)
    wait_until(lambda: pools.status().get("replicas") == 0, "the status to say so")
    pools.run("first", n=2)


def test_a_call_whose_worker_is_killed_is_run_again_by_another(pools: Pools) -> None:
    name = pools.start("patient", seconds=600.0)
    pools.running(name)
    (victim,) = pools.uids().items()
    pools.windlass.kubectl("delete", "pod", victim[0], "--grace-period=0", "--force")
    status = pools.api.finished(name, 60)
    assert status["phase"] == "Succeeded", status
    assert status["nodes"]["n0"]["failures"] == {"user": 0, "system": 1}
    assert victim not in pools.uids().items()


@pytest.fixture
def rough(windlass: Installed, tmp_path: Path) -> Pools:
    return Pools(windlass, tmp_path, ROUGH)


def test_a_crash_and_a_timeout_cost_their_process_and_not_the_worker(rough: Pools) -> None:
    name = rough.start("dies", n=3)
    status = rough.api.finished(name, 90)
    assert status.get("outputs") == {"o0": 3}, status
    assert status["nodes"]["n0"]["failures"] == {"user": 1, "system": 0}
    warm = rough.uids("few")
    name = rough.start("slow")
    status = rough.api.finished(name, 60)
    assert (status["phase"], status["error"]["code"]) == ("Failed", "TimeoutExpired"), status
    assert isinstance(rough.run("process", n=1), int)
    assert rough.uids("few") == warm, "it is the worker that it was"
    (pod,) = warm
    log = rough.windlass.kubectl("logs", pod).splitlines()
    assert [line for line in log if line.startswith("[slow-2/n0]")][:2] == [
        "[slow-2/n0] begins",
        "[slow-2/n0] cleans up",
    ]
    assert [line for line in log if "its last words" in line] == [
        "[dies-1/n0] its last words",
        "[dies-1/n0] its last words",
    ]


def test_a_process_is_replaced_after_its_calls_and_for_its_memory_and_the_worker_stays(rough: Pools) -> None:
    found = rough.run("processes", ns=[*range(6)])
    assert isinstance(found, list) and max(found.count(pid) for pid in found) <= 2, found
    first, second = rough.run("leak", mib=150), rough.run("leak", mib=1)
    assert first != second
    for pool, why in (("few", "it has run 2 calls of at most 2"), ("lean", "MiB of memory are in use, of 128 MiB")):
        (pod,) = rough.workers(pool)
        assert why in rough.windlass.kubectl("logs", pod)


def test_cancelling_ends_the_call_and_not_the_worker(pools: Pools) -> None:
    name = pools.start("patient", seconds=600.0)
    pools.running(name)
    warm = pools.uids()
    pools.api.merge("executions", name, {"spec": {"cancel": True}})
    assert pools.api.finished(name, 30)["phase"] == "Cancelled"
    assert pools.run("flavour") == f"plain in {next(iter(warm))}"
    assert pools.uids() == warm


def test_scaling_down_to_nothing_drains_and_scaling_up_goes_on(pools: Pools) -> None:
    pools.run("first", n=1)
    pools.windlass.kubectl("scale", "actorenvironment", "pool", "--replicas=0")
    wait_until(lambda: pools.workers() == {}, "the worker to leave", 40)
    name = pools.start("first", n=2)
    pools.api.execution(name, lambda status: "scaled to 0" in json.dumps(status), "the run to say what it waits for")
    pools.windlass.kubectl("scale", "actorenvironment", "pool", "--replicas=1")
    assert pools.api.finished(name, 60)["phase"] == "Succeeded"


def test_a_pool_whose_image_is_not_there_says_so_and_so_do_its_calls_in_the_kubelets_words(pools: Pools) -> None:
    pools.api.merge("actorenvironments", "pool", {"spec": {"image": "localhost/no-such-image:1"}})
    name = pools.start("first", n=1)
    wait_until(lambda: "no-such-image" in json.dumps(pools.status()), "the environment to say what is wrong")
    pools.api.execution(name, lambda status: "Back-off pulling image" in json.dumps(status), "the run to say so", 60)


def test_deleting_the_environment_takes_its_workers_along_and_calls_say_what_they_wait_for(pools: Pools) -> None:
    name = pools.start("patient", seconds=600.0)
    pools.running(name)
    environment = pools.api.get("actorenvironments", "pool")
    pools.windlass.kubectl("delete", "actorenvironment", "pool")
    wait_until(lambda: pools.workers() == {}, "the workers to go", 60)
    pools.api.execution(name, lambda status: "ActorEnvironment pool" in json.dumps(status), "the run to say why")
    kept = {key: environment[key] for key in ("apiVersion", "kind", "spec")}
    pools.api.create("actorenvironments", {**kept, "metadata": {"name": "pool"}})
    assert pools.api.finished(name, 60)["phase"] == "Succeeded"
