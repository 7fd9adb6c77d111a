"""From the author's file to the result by way of everything but a cluster: rendered manifests, evaluated node by node,
each node run by the in-pod runtime from its code bundle. What comes out is what a local run gives.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from windlass_api import graph, refs, validation

ROOT = Path(__file__).parents[3]
BOOT = ROOT / "sdk" / "src" / "windlass" / "runtime" / "boot.py"
TEXT = (ROOT / "examples" / "data" / "windlass.txt").read_text()


@pytest.mark.parametrize(
    ("example", "workflow", "inputs"),
    [
        ("hello", "hello", {"name": "Ada"}),
        ("wordcount", "wordcount", {"text": TEXT, "top": 5}),
        ("shapes", "shapes", {}),
    ],
)
def test_an_example_gives_in_pods_what_it_gives_here(
    example: str, workflow: str, inputs: dict[str, Any], tmp_path: Path
) -> None:
    file = f"{example}.py"
    options = [f"--{name}={value}" for name, value in inputs.items()]
    here = json.loads(_windlass("run", file, workflow, *options, "--output", "json"))
    objects = list(yaml.safe_load_all(_windlass("render", file, "-o", "-")))
    assert _evaluate(objects, f"{example}.{workflow}", inputs, tmp_path) == here


def test_the_hand_written_manifest_gives_a_card(tmp_path: Path) -> None:
    objects = list(yaml.safe_load_all((ROOT / "examples" / "manifests" / "hello.yaml").read_text()))
    outputs = _evaluate(objects, "greetings", {"name": "Ada"}, tmp_path)
    assert outputs == {"card": "***************\n* Hello, Ada! *\n***************"}


def _windlass(*words: str) -> str:
    command = [sys.executable, "-m", "windlass._cli", *words]
    done = subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _evaluate(objects: list[Any], name: str, inputs: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The outputs of the workflow."""
    found = {(item["kind"], item["metadata"]["name"]): item for item in objects}
    spec = found["Workflow", name]["spec"]
    completed, findings = validation.complete_inputs(spec.get("inputs", {}), inputs)
    assert findings == []
    nodes = {node["id"]: node for node in spec["nodes"]}
    outputs: dict[str, Any] = {}
    lookup = refs.lookup_in(completed, outputs)
    for node_id in graph.topological_order(graph.upstreams(spec)):
        node = nodes[node_id]
        task = found["Task", node["task"]["name"]]["spec"]
        given, findings = validation.complete_inputs(
            task.get("inputs", {}), refs.resolve(node.get("inputs", {}), lookup)
        )
        assert findings == []
        bundle = found["ConfigMap", task["python"]["code"]["configMap"]]["binaryData"]["bundle.tar.gz"]
        outputs[node_id] = _run(task["python"]["entrypoint"], base64.b64decode(bundle), given, folder / node_id)
    return {output: refs.resolve(declared["from"], lookup) for output, declared in spec["outputs"].items()}


def _run(entrypoint: str, bundle: bytes, inputs: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The outputs of one task, run as in a pod."""
    work = folder / "work"
    work.mkdir(parents=True)
    (folder / "bundle.tar.gz").write_bytes(bundle)
    order = {
        "execution": "x", "namespace": "default", "node": "n", "attempt": 0,
        "task": entrypoint, "entrypoint": entrypoint,
        "bundle": str(folder / "bundle.tar.gz"), "inputs": refs.escape(inputs), "retryOn": [], "limit": 4096,
    }  # fmt: skip
    environment = {**os.environ, "WINDLASS_TASK": json.dumps(order), "WINDLASS_RESULT": str(folder / "result")}
    done = subprocess.run([sys.executable, str(BOOT)], cwd=work, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    outputs: dict[str, Any] = json.loads((folder / "result").read_text())["outputs"]
    return outputs
