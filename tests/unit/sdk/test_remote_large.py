"""Values that a status has no room for, wherever they are asked for."""

from __future__ import annotations

import base64
import gzip
import io
import json
from typing import Any, cast

import pytest

from tests.unit.sdk.fake_api import NAMESPACE, FakeApi, execution, thing
from windlass._remote import RemoteError, large, run
from windlass._remote.client import Cluster, Object
from windlass._remote.executions import FlyteWorkflowExecution
from windlass_api.names import value_name

HASH = "0123456789abcdef"
MARK = {"$value": HASH}
WORDS = ["word"] * 3
DEFINITION: dict[str, Any] = {
    "workflow": {
        "outputs": {"o0": {"type": "list[str]"}},
        "nodes": [
            {"id": "n0", "task": {"name": "t"}},
            {"id": "n1", "task": {"name": "t"}, "inputs": {"x": {"$ref": "nodes.n0.outputs.o0[1]"}, "y": 1}},
        ],
    },
    "tasks": {"t": {"outputs": {"o0": {"type": "list[str]"}}}},
}


def value_of(owner: str, value: Any) -> Object:
    content = base64.b64encode(gzip.compress(json.dumps(value).encode())).decode()
    return {**thing("ConfigMap", value_name(owner, HASH), {}), "binaryData": {large.KEY: content}}


def ended(**nodes: Any) -> Object:
    return execution("run-1", "Succeeded", outputs={"o0": MARK, "o1": 2}, nodes=nodes)


class Remote:
    """As much of a remote as a handle asks."""

    def __init__(self, *objects: Object) -> None:
        self.api = FakeApi(*objects)
        self.gets = 0

    @property
    def cluster(self) -> Cluster:
        self.gets += 1
        return cast(Cluster, self.api)


def handle(obj: Object, remote: Remote | None) -> FlyteWorkflowExecution:
    return FlyteWorkflowExecution(obj, cast(Any, remote), definition=DEFINITION)


def test_outputs_of_a_run_and_of_its_nodes_are_read_when_they_are_asked_for() -> None:
    remote = Remote(value_of("run-1", WORDS))
    found = handle(ended(n0={"phase": "Succeeded", "task": "t", "outputs": {"o0": MARK}}), remote)
    assert remote.gets == 0
    assert found.outputs["o1"] == 2
    assert remote.gets == 0
    outputs = found.outputs
    assert (outputs["o0"], outputs.literals, remote.gets) == (WORDS, {"o0": WORDS, "o1": 2}, 1)
    node = found.node_executions["n0"]
    assert node.outputs is not None
    assert node.outputs.get("o0", as_type=list[str]) == WORDS
    assert node.closure.outputs == {"o0": WORDS}
    assert found.inputs_of_node("n1").literals == {"x": "word", "y": 1}


def test_a_value_that_only_looks_like_a_mark_is_a_value() -> None:
    for value in ({"$value": "x"}, {"$value": HASH, "more": 1}, {"$value": 3}, [MARK], "$value"):
        assert large.digest_of(value) is None
    remote = Remote(value_of("run-1", MARK))
    assert handle(ended(), remote).outputs.literals["o0"] == MARK


def test_a_value_that_is_gone_or_broken_is_told() -> None:
    with pytest.raises(RemoteError, match=r"a large value of run-1 is gone with the ConfigMap run-1-value-0123"):
        _ = handle(ended(), Remote()).outputs["o0"]
    for broken in ({}, {large.KEY: "!"}, {large.KEY: base64.b64encode(b"no gzip").decode()}):
        obj = {**value_of("run-1", 0), "binaryData": broken}
        with pytest.raises(RemoteError, match="holds no large value"):
            _ = handle(ended(), Remote(obj)).outputs["o0"]


def test_the_command_line_prints_what_was_meant() -> None:
    api = cast(Cluster, FakeApi(value_of("run-1", WORDS), ended()))
    out = io.StringIO()
    assert run.follow(api, ended(), stream=out, progress=io.StringIO(), output="json") == 0
    assert json.loads(out.getvalue()) == {"o0": WORDS, "o1": 2}
    assert api.namespace == NAMESPACE
