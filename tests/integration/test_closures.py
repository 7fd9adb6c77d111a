"""Closures against a real API server: what only it can say no to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from localcluster.cluster import Cluster
from tests.harness import GARBAGE, Api, Body, Hands, Operator, execution, task, wait_until, workflow
from windlass_api import names

pytestmark = pytest.mark.control_plane


def test_a_workflow_runs_again_whatever_signs_and_numbers_are_in_it(
    control_plane: Cluster, new_namespace: Callable[[Cluster], str]
) -> None:
    """The API server compares a closure's data byte for byte when it gets another owner, in Go's spelling of JSON."""
    api = Api(control_plane, new_namespace(control_plane))
    hands = Hands(api)
    inputs = {"x": {"type": "int"}, "f": {"type": "float", "default": 1e20}}
    api.create("tasks", task("t", inputs, env={"SIGNS": "<b>&amp; \u2028 \u2029 é \t \x7f"}))
    node = {"id": "a", "task": {"name": "t"}, "inputs": {"x": 1}, "when": "inputs.n > 1 && inputs.n < 9"}
    api.create("workflows", workflow("wf", [node], inputs={"n": {"type": "int", "default": 3}}))
    with Operator(control_plane, api.namespace):
        for name in ("first", "second"):
            api.create("executions", execution(name))
            hands.succeed(f"{name}-a-0", o0=1)
            assert api.finished(name)["phase"] == "Succeeded"


def bundle(name: str, **labels: str) -> Body:
    """A ConfigMap with code."""
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "binaryData": {"bundle.tar.gz": "AA=="}}


def test_code_that_the_sdk_brought_goes_with_the_last_revision_that_refers_to_it_and_other_peoples_stays(
    control_plane: Cluster, new_namespace: Callable[[Cluster], str]
) -> None:
    api = Api(control_plane, new_namespace(control_plane))
    for name in ("code-1", "code-2"):
        api.create("configmaps", bundle(name, **{names.LABEL_ROLE: names.ROLE_CODE}))
    api.create("configmaps", bundle("code-from-git"))

    def of(name: str, code: str) -> Body:
        return task(name, python={"entrypoint": "m:f", "code": {"configMap": code}})

    def owners(code: str) -> set[str]:
        return {one["name"] for one in api.get("configmaps", code)["metadata"].get("ownerReferences") or ()}

    def code() -> set[str]:
        return {one["metadata"]["name"] for one in api.list("configmaps")} - {"kube-root-ca.crt"}

    with Operator(control_plane, api.namespace):
        for name, source in (("one", "code-1"), ("two", "code-1"), ("git", "code-from-git")):
            api.create("tasks", of(name, source))
        wait_until(lambda: len(owners("code-1")) == 2, "two revisions to own the code")
        api.merge("tasks", "two", of("two", "code-2"))
        wait_until(lambda: owners("code-2"), "the new revision to own its code")
        assert len(owners("code-1")) == 2  # an earlier version may still be asked for
        api.delete("tasks", "one")
        wait_until(lambda: len(owners("code-1")) == 1, "garbage collection to see the revision go", GARBAGE)
        api.delete("tasks", "two")
        api.delete("tasks", "git")
        wait_until(lambda: code() == {"code-from-git"}, "the code to go", GARBAGE)
