"""What people do to runs, as far as it takes a real cluster to see that it reaches everything: cancelling, deleting."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.e2e.conftest import Installed
from tests.e2e.witness import Witness
from tests.harness import Api, Body, wait_until
from tests.matrix.playing import MODULES, apply, reference
from windlass_api import names

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SOON = 2.0
"""Seconds, and times of the API server are whole ones."""


def begin(api: Api, name: str, module: str, entity: str, inputs: Body) -> None:
    """Start a run of a module of the matrix."""
    apply(api, MODULES[module])
    spec = {**reference(MODULES[module], entity), "inputs": inputs}
    body = {"apiVersion": names.API_VERSION, "kind": "Execution", "metadata": {"name": name}, "spec": spec}
    api.create("executions", body)


def running(api: Api, count: int) -> bool:
    """Whether so many pods run."""
    found: int = sum(pod["status"].get("phase") == "Running" for pod in api.list("pods"))
    return found >= count


def seconds(text: str) -> float:
    """A time of the API server's."""
    return datetime.fromisoformat(text).timestamp()


def asked_to_go(pod: Body) -> float:
    """When somebody asked for a pod to go."""
    meta: dict[str, Any] = pod["metadata"]
    return seconds(meta["deletionTimestamp"]) - float(meta.get("deletionGracePeriodSeconds") or 0)


def test_cancelling_reaches_the_pods_of_children_and_maps_within_a_second_or_two(windlass: Installed) -> None:
    api = windlass.api
    begin(api, "family", "controlling", "family", {"n": 1})
    wait_until(lambda: running(api, 4), "the child's pod and those of three elements to run", 120)
    with Witness(api) as witness:
        told = api.merge("executions", "family", {"spec": {"cancel": True}})
        wait_until(lambda: not running(api, 1), "the pods to go", 60)
        assert api.finished("family")["phase"] == "Cancelled"
    cancelled_at = max(seconds(entry["time"]) for entry in told["metadata"]["managedFields"])
    going = {one.name: asked_to_go(one.body) for one in witness.changes("pods") if _is_going(one.body)}
    assert len(going) == 4
    assert {name: when - cancelled_at for name, when in going.items() if when - cancelled_at > SOON} == {}
    children = [one for one in api.list("executions") if names.LABEL_PARENT in (one["metadata"].get("labels") or {})]
    assert [one["spec"].get("cancel") for one in children] == [True]
    ends = [api.finished(one["metadata"]["name"])["phase"] for one in children]
    assert ends == ["Cancelled"]


def _is_going(pod: Body) -> bool:
    ended = pod["status"].get("phase") in ("Succeeded", "Failed")
    return "deletionTimestamp" in pod["metadata"] and not ended


def test_a_namespace_full_of_runs_is_deleted_with_the_operator_down(
    windlass: Installed, request: pytest.FixtureRequest
) -> None:
    api = windlass.api
    begin(api, "kept", "keeping", "cached", {"n": 1})
    begin(api, "asks", "gating", "number", {})
    begin(api, "family", "controlling", "family", {"n": 1})
    wait_until(lambda: running(api, 4), "the pods of the family to run", 120)
    api.finished("kept")
    wait_until(lambda: api.list("signals"), "the question")
    assert api.list("cacheentries") != []
    request.getfixturevalue("no_operator")
    windlass.cluster.kubectl("delete", "namespace", windlass.namespace, "--timeout=120s")
    there = windlass.cluster.kubectl("get", "namespaces", "-o", "name").split()
    assert f"namespace/{windlass.namespace}" not in there
    windlass.cluster.kubectl("create", "namespace", windlass.namespace)  # for whoever deletes it afterwards
    assert api.list("executions") == api.list("pods") == []
