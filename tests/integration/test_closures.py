"""Closures against a real API server: what only it can say no to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from localcluster.cluster import Cluster
from tests.harness import Api, Hands, Operator, execution, task, workflow

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
