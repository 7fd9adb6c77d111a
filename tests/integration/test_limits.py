"""Limits of runs against a real API server: whose turn it is, how long one waits for it, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from localcluster.cluster import Cluster
from tests.harness import GARBAGE, Api, Body, Hands, Operator, execution, task, wait_until, workflow
from windlass_api import names

pytestmark = [pytest.mark.control_plane, pytest.mark.timeout(180)]

INT = {"type": "int"}


@pytest.fixture
def other(control_plane: Cluster, new_namespace: Callable[[Cluster], str]) -> Api:
    """Another namespace."""
    return Api(control_plane, new_namespace(control_plane))


@pytest.fixture
def operator(control_plane: Cluster, api: Api) -> Iterator[Operator]:
    with Operator(control_plane, api.namespace, "--system-retries", "0") as running:
        yield running


def define(api: Api, *bodies: Body) -> None:
    for body in bodies:
        api.create(body["kind"].lower() + "s", body)


def wide(api: Api, count: int) -> None:
    """A Workflow `wf` of so many tasks beside each other."""
    define(api, task("t"), workflow("wf", [{"id": f"n{number}", "task": {"name": "t"}} for number in range(count)]))


def plan(name: str, target: str, **spec: Any) -> Body:
    body = {"workflow": {"name": target}, **spec}
    return {"apiVersion": names.API_VERSION, "kind": "LaunchPlan", "metadata": {"name": name}, "spec": body}


def unfinished(api: Api) -> list[str]:
    return [pod["metadata"]["name"] for pod in api.list("pods") if pod["status"].get("phase") == "Pending"]


def has(api: Api, count: int) -> bool:
    return len(unfinished(api)) == count


def end_one(api: Api) -> None:
    Hands(api).succeed(min(unfinished(api)), o0=1)


def test_a_namespace_with_little_to_do_is_not_crowded_out_by_one_with_much(
    control_plane: Cluster, api: Api, other: Api
) -> None:
    both = ("--namespace", other.namespace, "--max-pods", "4")
    with Operator(control_plane, api.namespace, *both):
        wide(api, 12)
        wide(other, 2)
        api.create("executions", execution("much"))
        wait_until(lambda: len(unfinished(api)) == 4, "all room to be taken")
        told = api.execution("much", lambda status: "NamespaceLimit" in str(status), "a word about the room")
        assert sum(node.get("reason") == "NamespaceLimit" for node in told["nodes"].values()) == 8
        other.create("executions", execution("little"))
        other.execution("little", lambda status: "NamespaceLimit" in str(status), "the other one to wait")
        for have in (1, 2):
            end_one(api)
            wait_until(partial(has, other, have), "what becomes free to be the other's")
            assert len(unfinished(api)) == 4 - have
        while unfinished(other):
            end_one(other)
        assert other.finished("little")["phase"] == "Succeeded"
        wait_until(lambda: len(unfinished(api)) == 4, "its room to be given back")
        assert api.get("executions", "much")["status"]["phase"] == "Running"


def test_whoever_waits_too_long_for_its_turn_or_its_start_fails_and_says_of_what(api: Api, operator: Operator) -> None:
    define(
        api,
        task("t"),
        workflow(
            "queue",
            [
                {"id": "first", "task": {"name": "t"}},
                {"id": "second", "task": {"name": "t"}, "overrides": {"queueTimeout": "1s"}},
            ],
        ),
        workflow("start", [{"id": "a", "task": {"name": "t"}, "overrides": {"pendingTimeout": "1s"}}]),
    )
    api.create("executions", execution("queued", workflow={"name": "queue"}, maxParallelism=1))
    api.create("executions", execution("pending", workflow={"name": "start"}))
    queued, pending = api.finished("queued"), api.finished("pending")
    assert (queued["error"]["node"], queued["error"]["code"]) == ("second", "QueueTimeout")
    assert "within its queueTimeout of 1s: 1 of 1 are at work already" in queued["error"]["message"]
    assert queued["nodes"]["first"]["phase"] == "Cancelled"
    assert (pending["error"]["code"], pending["error"]["kind"]) == ("PendingTimeout", "system")
    assert "did not start within its pendingTimeout of 1s" in pending["error"]["message"]
    wait_until(lambda: unfinished(api) == [], "the pods to go")


def test_a_plan_keeps_its_newest_runs_of_each_sort_and_what_goes_takes_its_children_along(
    api: Api, operator: Operator
) -> None:
    pause: Body = {"id": "p", "sleep": {"duration": "0s"}}
    wrong: Body = {"id": "w", "select": [{"when": "inputs.good", "outputs": {"o0": 1}}, {"fail": "no good"}]}
    define(
        api,
        workflow("inner", [pause]),
        plan("child", "inner", successfulRunsHistoryLimit=0),
        workflow(
            "outer",
            [wrong, {"id": "c", "launchPlan": {"name": "child"}, "dependsOn": ["w"]}],
            {"good": {"type": "bool"}},
        ),
        plan("kept", "outer", successfulRunsHistoryLimit=1, failedRunsHistoryLimit=2),
    )
    runs = [("s1", True), ("f1", False), ("s2", True), ("f2", False), ("f3", False), ("s3", True)]
    for name, good in runs:
        body = execution(name, {"good": good}, workflow={"name": "outer"})
        del body["spec"]["workflow"]
        api.create("executions", {**body, "spec": {**body["spec"], "launchPlan": {"name": "kept"}}})
        assert api.finished(name)["phase"] == ("Succeeded" if good else "Failed")
    parents = {"s3", "f2", "f3"}

    def there() -> set[str]:
        return {one["metadata"]["name"] for one in api.list("executions") if not _is_child(one)}

    wait_until(lambda: there() == parents, "the older runs to go")

    def children() -> list[Body]:
        return [one for one in api.list("executions") if _is_child(one)]

    wait_until(lambda: len(children()) == 1, "their children to go with them", GARBAGE)
    assert children()[0]["metadata"]["ownerReferences"][0]["name"] == "s3"
    api.merge("executions", "s3", {"spec": {"ttlAfterFinished": "0s"}})
    wait_until(lambda: there() == {"f2", "f3"}, "the run to go when its time is up")
    wait_until(lambda: children() == [], "its child to go with it", GARBAGE)


def _is_child(one: Body) -> bool:
    return names.LABEL_PARENT in (one["metadata"].get("labels") or {})
