"""Several operators that share the work, against a real API server: one dies, and the others go on with its runs."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from localcluster.cluster import Cluster
from tests.harness import Api, Body, Operator, execution, task, wait_until, workflow
from windlass_operator.core.sharding import shard_of

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(300)]

SHARDS, RUNS = 12, 60
INT = {"type": "int"}


@pytest.fixture
def replicas(control_plane: Cluster, api: Api) -> Iterator[dict[str, Operator]]:
    """Three operators that hold a third of the shards each."""
    with ExitStack() as stack:
        running = {name: stack.enter_context(replica(control_plane, api, name)) for name in ("a", "b", "c")}
        wait_until(lambda: Counter(holders(api)) == {"a": 4, "b": 4, "c": 4}, "fair shares")
        yield running


def replica(control_plane: Cluster, api: Api, name: str) -> Operator:
    flags = ["--lease-namespace", api.namespace, "--identity", name, "--shards", str(SHARDS), "--lease-duration", "3"]
    return Operator(control_plane, api.namespace, *flags)


def leases(api: Api) -> list[Body]:
    items: list[Body] = api.call("GET", f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases")["items"]
    return items


def holders(api: Api) -> list[str]:
    """Who holds each shard that is held."""
    shards = [one for one in leases(api) if one["metadata"]["name"].startswith("windlass-shard-")]
    return [one["spec"]["holderIdentity"] for one in shards if one["spec"].get("holderIdentity")]


def held_by(api: Api, name: str) -> set[int]:
    return {
        int(one["metadata"]["name"].rpartition("-")[2])
        for one in leases(api)
        if one["metadata"]["name"].startswith("windlass-shard-") and one["spec"].get("holderIdentity") == name
    }


def define_chain(api: Api) -> None:
    """Two tasks: a → b."""
    api.create("tasks", task("t", {"x": INT}))
    nodes: list[Body] = [
        {"id": "a", "task": {"name": "t"}, "inputs": {"x": {"$ref": "inputs.n"}}},
        {"id": "b", "task": {"name": "t"}, "inputs": {"x": {"$ref": "nodes.a.outputs.o0"}}},
    ]
    outputs = {"result": {"type": "int", "from": {"$ref": "nodes.b.outputs.o0"}}}
    api.create("workflows", workflow("wf", nodes, inputs={"n": INT}, outputs=outputs))


class Kubelet:
    """Pods end when they are asked about, and return one more than they were given."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.seen: dict[str, str] = {}
        """The uid of each pod."""

    def end(self, *nodes: str) -> None:
        """All pods of these nodes that are there return."""
        for pod in self._api.list("pods"):
            name = pod["metadata"]["name"]
            assert self.seen.setdefault(name, pod["metadata"]["uid"]) == pod["metadata"]["uid"], "made twice"
            if pod["status"].get("phase") == "Pending" and name.split("-")[-2] in nodes:
                self._succeed(name, pod)

    def _succeed(self, name: str, pod: Body) -> None:
        env = {entry["name"]: entry.get("value") for entry in pod["spec"]["containers"][0]["env"]}
        given = json.loads(env["WINDLASS_TASK"])["inputs"]["x"]
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        record = json.dumps({"v": 1, "outputs": {"o0": given + 1}})
        ended = {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now, "message": record}
        container = {"name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
        status = {"phase": "Succeeded", "containerStatuses": [{**container, "state": {"terminated": ended}}]}
        path = self._api.path("pods", name) + "/status"
        self._api.call("PATCH", path, {"status": status}, "application/merge-patch+json")


def phases(api: Api) -> Counter[str]:
    return Counter(str((one.get("status") or {}).get("phase")) for one in api.list("executions"))


def played(what: Callable[[], Any], is_so: Callable[[], bool]) -> Callable[[], bool]:
    """Something to be waited for, while something goes on."""

    def look() -> bool:
        what()
        return is_so()

    return look


def test_when_an_operator_is_killed_the_others_go_on_with_its_runs_and_nothing_runs_twice(
    api: Api, replicas: dict[str, Operator]
) -> None:
    define_chain(api)
    kubelet = Kubelet(api)
    for number in range(RUNS):
        api.create("executions", execution(f"e{number}", {"n": number}))
    wait_until(lambda: len(api.list("pods")) == RUNS, "every run to start")
    orphans = [f"e{n}" for n in range(RUNS) if shard_of(api.namespace, f"e{n}", SHARDS) in held_by(api, "b")]
    assert orphans, "the one that is killed has some of the runs"
    replicas["b"].kill()
    kubelet.end("a")
    wait_until(lambda: len(api.list("pods")) >= 2 * RUNS - len(orphans), "the others' runs to go on")
    wait_until(lambda: Counter(holders(api)) == {"a": 6, "c": 6}, "the others to take over")
    done = played(lambda: kubelet.end("b"), lambda: phases(api) == {"Succeeded": RUNS})
    wait_until(done, "every run to end", 60)
    results = {one["metadata"]["name"]: one["status"]["outputs"]["result"] for one in api.list("executions")}
    assert results == {f"e{number}": number + 2 for number in range(RUNS)}
    assert len(kubelet.seen) == 2 * RUNS
    held = [replicas[name].fetch("/metrics") for name in ("a", "c")]
    assert all("windlass_shards_held 6.0" in metrics for metrics in held)


def test_an_operator_that_ends_gives_its_shards_back_and_one_that_comes_gets_its_share(
    control_plane: Cluster, api: Api, replicas: dict[str, Operator]
) -> None:
    define_chain(api)
    kubelet = Kubelet(api)
    assert replicas["a"].kill(signal.SIGTERM) == 0
    assert "a" not in holders(api)
    assert "windlass-member-a" not in {one["metadata"]["name"] for one in leases(api)}
    for number in range(10):
        api.create("executions", execution(f"e{number}", {"n": number}))
    wait_until(lambda: Counter(holders(api)) == {"b": 6, "c": 6}, "the others to take over")
    with replica(control_plane, api, "d"):
        done = played(lambda: kubelet.end("a", "b"), lambda: phases(api) == {"Succeeded": 10})
        wait_until(done, "every run to end", 60)
        wait_until(lambda: Counter(holders(api)) == {"b": 4, "c": 4, "d": 4}, "fair shares")


def test_an_operator_that_stood_still_and_goes_on_disturbs_nobody(api: Api, replicas: dict[str, Operator]) -> None:
    define_chain(api)
    kubelet = Kubelet(api)
    for number in range(20):
        api.create("executions", execution(f"e{number}", {"n": number}))
    wait_until(lambda: len(api.list("pods")) == 20, "every run to start")
    replicas["c"].pause()
    wait_until(lambda: Counter(holders(api)) == {"a": 6, "b": 6}, "the others to take over")
    kubelet.end("a")
    replicas["c"].resume()
    done = played(lambda: kubelet.end("b"), lambda: phases(api) == {"Succeeded": 20})
    wait_until(done, "every run to end", 60)
    wait_until(lambda: Counter(holders(api)) == {"a": 4, "b": 4, "c": 4}, "fair shares again")
    kubelet.end("b")
    assert len(kubelet.seen) == 40
