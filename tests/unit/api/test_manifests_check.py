"""A folder of manifests against the contract: shape, then what the objects say about each other."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from windlass_api.manifests_check import validate_manifests

WORLD = """
apiVersion: windlass.dev/v1alpha1
kind: Task
metadata: {name: wordcount.count-words}
spec:
  version: "1.2"
  inputs:
    text: {type: str, description: a text}
    shard: {type: int, default: 0}
    config: {type: struct, default: {a: [1, null, {b: x}]}, schema: {type: object, properties: {a: {type: array}}}}
  outputs: {o0: {type: "dict[str, int]"}}
  python: {entrypoint: "wordcount:count_words", code: {configMap: code-3f2a}}
  image: python:3.12-slim
  env: {NAME: value}
  resources: {requests: {cpu: 500m, memory: 64Mi}, limits: {cpu: 1}}
  retries: 2
  retryOn: [any]
---
apiVersion: windlass.dev/v1alpha1
kind: Workflow
metadata: {name: wordcount.wf, labels: {team: words}}
spec:
  inputs: {text: {type: str}}
  outputs: {report: {type: "dict[str, int]", from: {$ref: nodes.n1.outputs.o0}}}
  nodes:
  - id: n0
    name: count_words
    task: {name: wordcount.count-words}
    inputs: {text: {$ref: inputs.text}, shard: 0}
  - id: n1
    task: {name: wordcount.count-words, version: "1.2"}
    inputs: {text: x}
    when: size(nodes.n0.outputs.o0) > 10
    dependsOn: [n0]
    overrides: {retries: 3, resources: {limits: {memory: 1Gi}}}
---
apiVersion: windlass.dev/v1alpha1
kind: Execution
metadata: {generateName: wc-}
spec: {workflow: {name: wordcount.wf}, inputs: {text: hi}}
---
apiVersion: windlass.dev/v1alpha1
kind: Execution
metadata: {name: one-task}
spec: {task: {name: wordcount.count-words, version: "1.2"}, inputs: {text: hi}, cancel: true}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: code-3f2a}
binaryData: {}
"""


def world() -> list[Any]:
    return list(yaml.safe_load_all(WORLD))


def check(*documents: Any) -> list[str]:
    return [str(finding) for _, finding in validate_manifests(documents)]


def change(index: int, path: str, value: Any) -> list[Any]:
    """The world with one field changed."""
    objects = world()
    here = objects[index]
    *parents, last = path.split("/")
    for step in parents:
        here = here[int(step)] if step.isdigit() else here.setdefault(step, {})
    here[last] = value
    return objects


def test_a_world_in_order_has_no_findings() -> None:
    assert validate_manifests(world()) == []


def test_a_version_that_was_replaced_is_found_by_who_names_it() -> None:
    objects = change(0, "spec/version", "1.3")
    missing = "there is no Task `wordcount.count-words` in version `1.2`"
    assert check(*objects) == [f"spec.nodes[1].task: {missing}", f"spec.task: {missing}"]
    assert validate_manifests(objects, world()[:1]) == []
    assert validate_manifests(objects, change(0, "spec/version", "1.1")[:1]) != []


@pytest.mark.parametrize(
    ("index", "path", "value", "finding"),
    [
        (1, "spec/nodes/1/task", {}, "spec.nodes[1].task.name: field is required"),
        (1, "spec/nodes/0/dependson", [], "spec.nodes[0].dependson: there is no field `dependson`; did you mean"),
        (1, "spec/nodes/0/depends_on", [], "spec.nodes[0].depends_on: there is no field `depends_on`; did you mean"),
        (0, "spec/inputs/text/typ", "x", "spec.inputs.text.typ: there is no field `typ`; did you mean `type`?"),
        (0, "spec/pyton", {}, "spec.pyton: there is no field `pyton`; did you mean `python`?"),
        (0, "spec/version", 1.2, "spec.version: expected a text, got 1.2, put it into quotes"),
        (0, "spec/env", {"A": 1}, "spec.env.A: expected a text, got 1, put it into quotes"),
        (0, "spec/env", {True: "x"}, "spec.env: expected a text as key, got true, put it into quotes"),
        (0, "spec/retries", 101, "spec.retries: expected at most 100, got 101"),
        (0, "spec/retries", -1, "spec.retries: expected at least 0, got -1"),
        (0, "spec/retries", "2", 'spec.retries: expected an int, got "2"'),
        (0, "spec/retryOn", "any", 'spec.retryOn: expected a list, got "any"'),
        (0, "spec/resources/limits", {"cpu": 0.5}, 'spec.resources.limits.cpu: expected a quantity such as "500m"'),
        (0, "spec/resources/limits", {"cpu": True}, "spec.resources.limits.cpu: expected a quantity"),
        (0, "spec/resources/limits", {"memory": "lots"}, "spec.resources.limits.memory: expected a quantity"),
        (0, "spec/python/entrypoint", "nope", 'spec.python.entrypoint: "nope" does not match'),
        (0, "spec/python", None, "spec.python: exactly one runner is required: python, container"),
        (0, "spec/image", "", "spec.image: it must not be empty"),
        (0, "spec/description", "x" * 4097, "spec.description: 4097 characters, at most 4096 are allowed"),
        (0, "spec/retryOn", ["x"] * 65, "spec.retryOn: 65 entries, at most 64 are allowed"),
        (1, "spec/nodes/0/id", "A_b", 'spec.nodes[0].id: "A_b" does not match'),
        (1, "spec/nodes/0/inputs", [1], "spec.nodes[0].inputs: expected a map, got [1]"),
        (1, "spec/nodes", [None], "spec.nodes[0]: expected a map, got null"),
        (1, "spec/outputs/report", {"type": "str"}, "spec.outputs.report.from: field is required"),
        (1, "metadata", {}, "metadata.name: field is required, or `generateName` in its place"),
        (1, "metadata/name", "Word_Count", 'metadata.name: "Word_Count" does not match'),
        (3, "metadata/name", "e" * 64, "metadata.name has at most 63 characters"),
        (3, "spec/cancel", "yes", 'spec.cancel: expected true or false, got "yes"'),
        (3, "spec/workflow", {"name": "wordcount.wf"}, "spec.workflow: exactly one target is required: workflow, task"),
        (3, "spec", {}, "spec.workflow: exactly one target is required: workflow, task, launchPlan"),
        (3, "apiVersion", "windlass.dev/v1", "apiVersion: `windlass.dev/v1` is unknown; the version is"),
        (3, "kind", "Exekution", "kind: `Exekution` is no kind of windlass.dev; did you mean `Execution`?"),
        (4, "kind", None, "kind: field is required"),
        # what only shows between objects
        (1, "spec/nodes/1/task/name", "wordcount.other", "spec.nodes[1].task: there is no Task `wordcount.other`"),
        (1, "spec/nodes/1/task/version", "3", "spec.nodes[1].task: there is no Task `wordcount.count-words` in"),
        (1, "spec/nodes/1/inputs/text", 1, "spec.nodes[1].inputs.text: expected str, got 1"),
        (2, "spec/workflow/name", "wf", "spec.workflow: there is no Workflow `wf`"),
        (2, "spec/inputs", {}, "spec.inputs.text: `text` (str) is required, it has no default"),
        (3, "spec/task/version", "2", "spec.task: there is no Task `wordcount.count-words` in version `2`"),
        (3, "spec/inputs/shard", "0", 'spec.inputs.shard: expected int, got "0"'),
        (3, "metadata/namespace", "other", "spec.task: there is no Task `wordcount.count-words` in version `1.2`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words_known_from_kubectl(index: int, path: str, value: Any, finding: str) -> None:
    found = validate_manifests(change(index, path, value))
    of_the_object = [str(one) for at, one in found if at == index]
    assert len(of_the_object) == 1
    assert of_the_object[0].startswith(finding)


def test_two_objects_of_one_name_are_one_too_many() -> None:
    found = validate_manifests([*world(), world()[0]])
    assert [(index, finding.reason) for index, finding in found] == [(5, "DuplicateObject")]


def test_generated_names_never_clash() -> None:
    assert validate_manifests([*world(), world()[2]]) == []


@pytest.mark.parametrize("document", [None, 3, "text", []])
def test_a_document_that_is_no_object_is_a_finding(document: Any) -> None:
    assert check(document)[0].startswith("expected an object with apiVersion and kind, got")


def test_an_empty_document_lacks_both_fields() -> None:
    assert check({}) == ["apiVersion: field is required", "kind: field is required"]


def test_an_object_that_the_store_would_not_take_is_told_its_size() -> None:
    objects = world()
    objects[0]["spec"]["inputs"]["config"]["default"] = {"a": ["x" * 1024] * 1024}
    assert check(*objects)[0].startswith("the object has 1")
    assert [finding.reason for _, finding in validate_manifests(objects)] == ["TooLarge"]


def test_rules_are_held_wherever_their_model_stands_and_all_that_are_broken_are_told() -> None:
    objects = change(1, "spec/nodes/0/overrides", {"cache": {"serialize": True}, "secrets": [{"env": "A"}]})
    objects[1]["spec"]["defaults"] = {"podTemplate": {"labels": {"windlass.dev/node": "mine"}}}
    assert [str(one).split(":")[0] for _, one in validate_manifests(objects)] == [
        "spec.nodes[0].overrides.secrets[0].key",
        "spec.nodes[0].overrides.cache.version",
        "spec.defaults.podTemplate.labels",
    ]
