"""Closures: what changes one and what doesn't. And admission: whether an Execution gets one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.operator.things import Body, task
from windlass_operator.core.admission import Admitted, NotYet, Refused, Verdict, admit
from windlass_operator.core.closure import Closure, MissingCodeError, compile_closure, load, workflow_of_task

INT = {"type": "int"}
REF = {"$ref": "nodes.a.outputs.o0"}


def tasks() -> dict[tuple[str, str | None], Body]:
    code = {"entrypoint": "m:f", "code": {"configMap": "code-1"}}
    return {
        ("t", None): task({"x": {**INT, "default": 0}}, description="counts", python=code, image="one"),
        ("t", "v1"): task({"x": {**INT, "default": 1}}, version="v1"),
        ("u", None): task(),
    }


def workflow() -> Body:
    return {
        "description": "counts twice",
        "inputs": {"n": {**INT, "default": 3}},
        "nodes": [
            {"id": "b", "task": {"name": "t"}, "inputs": {"x": REF}, "overrides": {"image": "two", "env": {"A": "1"}}},
            {"id": "a", "task": {"name": "t", "version": "v1"}, "name": "first"},
        ],
        "outputs": {"out": {**INT, "from": {"$ref": "nodes.b.outputs.o0"}}},
    }


def compiled(
    spec: Body | None = None, known: dict[tuple[str, str | None], Body] | None = None, digest: str = "d1"
) -> Closure:
    found = known or tasks()
    return load(compile_closure(spec or workflow(), lambda name, version: found.get((name, version)), lambda _: digest))


def test_a_closure_is_what_planning_reads() -> None:
    closure = compiled()
    assert list(closure.nodes) == ["a", "b"]
    first, second = closure.nodes.values()
    assert (first.name, first.task, first.spec["version"], first.code, first.upstreams) == (
        "first",
        "t",
        "v1",
        None,
        (),
    )
    assert (second.name, second.upstreams, second.sources) == ("b", ("a",), frozenset({"a"}))
    assert (second.spec["image"], second.spec["env"]) == ("two", {"A": "1"})
    assert second.code == "pinned-d1"
    assert closure.code == {"code-1": "pinned-d1"}
    assert closure.name == f"closure-{closure.hash}"


def test_the_stored_document_gives_the_same_closure_again() -> None:
    closure = compiled()
    again = load(closure.document)
    assert again.hash == closure.hash
    assert list(again.nodes) == list(closure.nodes)


def test_rewording_is_no_new_closure() -> None:
    reworded, known = {**workflow(), "description": "counts, and counts again"}, tasks()
    known["t", None]["description"] = "counts words"
    known["u", None]["image"] = "unused"
    assert compiled(reworded, known).hash == compiled().hash


def test_the_order_of_keys_is_no_new_closure() -> None:
    turned = dict(reversed(workflow().items()))
    assert compiled(turned).hash == compiled().hash


def test_new_code_is_a_new_closure_though_its_config_map_has_the_same_name() -> None:
    one, other = compiled(digest="d1"), compiled(digest="d2")
    assert one.hash != other.hash
    assert other.nodes["b"].code == "pinned-d2"


@pytest.mark.parametrize(
    "change",
    [
        lambda spec, known: known["t", None].update(image="three"),
        lambda spec, known: known["t", "v1"].update(retries=1),
        lambda spec, known: spec["nodes"][0].update(dependsOn=["a"]),
        lambda spec, known: spec["nodes"][0]["overrides"].update(retries=2),
        lambda spec, known: spec["inputs"]["n"].update(default=4),
    ],
    ids=["an image", "a version's retries", "an order", "an override", "a default"],
)
def test_what_changes_a_run_is_a_new_closure(change: Any) -> None:
    spec, known = workflow(), tasks()
    change(spec, known)
    assert compiled(spec, known).hash != compiled().hash


def test_a_workflows_defaults_hold_where_neither_the_task_nor_the_node_says_anything() -> None:
    overrides = {"retries": 5}
    flow = {
        "nodes": [{"id": "a", "task": {"name": "plain"}}, {"id": "b", "task": {"name": "own"}, "overrides": overrides}],
        "defaults": {"image": "default:1", "env": {"A": "default", "B": "default"}, "retries": 1},
    }
    known = {"plain": task(), "own": task(image="own:1", env={"A": "own"})}
    of = load(compile_closure(flow, lambda name, _: known[name], lambda _: None))
    assert of.nodes["a"].spec.items() >= flow["defaults"].items()  # type: ignore[attr-defined]  # it is a dict
    assert (of.nodes["b"].spec["image"], of.nodes["b"].spec["retries"]) == ("own:1", 5)
    assert of.nodes["b"].spec["env"] == {"A": "own", "B": "default"}


def test_missing_code_is_named_with_its_task() -> None:
    with pytest.raises(MissingCodeError, match="ConfigMap 'code-1' with the code of task 't'"):
        compile_closure(workflow(), lambda name, version: tasks().get((name, version)), lambda _: None)


def test_a_task_by_itself_is_a_workflow_of_one_node() -> None:
    spec = task({"x": INT, "s": {"type": "struct", "schema": {"type": "object"}}}, {"o0": {**INT, "description": "n"}})
    assert workflow_of_task("my.task", "v1", spec) == {
        "inputs": spec["inputs"],
        "nodes": [
            {
                "id": "n0",
                "name": "my.task",
                "task": {"name": "my.task", "version": "v1"},
                "inputs": {"x": {"$ref": "inputs.x"}, "s": {"$ref": "inputs.s"}},
            }
        ],
        "outputs": {"o0": {"type": "int", "from": {"$ref": "nodes.n0.outputs.o0"}}},
    }
    assert workflow_of_task("t", None, spec)["nodes"][0]["task"] == {"name": "t"}


def admitted(spec: Body, code: str | None = "d1", **workflows: Body) -> Verdict:
    flows = {"wf": workflow(), **workflows}

    def find(kind: str, name: str, version: str | None) -> Body | None:
        if kind == "Task":
            return tasks().get((name, version))
        return flows.get(name) if kind == "Workflow" and version in (None, "v1") else None

    return admit(spec, find, lambda _: code)


def nodes(*listed: Body) -> Body:
    return {"inputs": {}, "nodes": [{"task": {"name": "u"}, **node} for node in listed], "outputs": {}}


@pytest.mark.parametrize(
    ("spec", "hash_of"),
    [
        ({"workflow": {"name": "wf"}}, workflow()),
        ({"workflow": {"name": "wf", "version": "v1"}, "inputs": {"n": 5}}, workflow()),
        ({"task": {"name": "u"}}, workflow_of_task("u", None, tasks()["u", None])),
        ({"task": {"name": "t", "version": "v1"}}, workflow_of_task("t", "v1", tasks()["t", "v1"])),
    ],
    ids=["a workflow", "a version of one, with inputs", "a task", "a version of one"],
)
def test_what_is_all_there_and_right_is_admitted(spec: Body, hash_of: Body) -> None:
    verdict = admitted(spec)
    assert isinstance(verdict, Admitted)
    assert verdict.closure.hash == compiled(hash_of).hash


@pytest.mark.parametrize(
    ("spec", "workflows", "code", "expected"),
    [
        ({"workflow": {"name": "no"}}, {}, "d1",
         NotYet("WorkflowNotFound", "spec.workflow: there is no Workflow 'no' in this namespace (yet)")),
        ({"workflow": {"name": "wf", "version": "v9"}}, {}, "d1",
         NotYet("WorkflowNotFound",
                "spec.workflow: there is no Workflow 'wf' with version 'v9' in this namespace (yet)")),
        ({"task": {"name": "no"}}, {}, "d1",
         NotYet("TaskNotFound", "spec.task: there is no Task 'no' in this namespace (yet)")),
        ({"task": {"name": "t", "version": "v9"}}, {}, "d1",
         NotYet("TaskNotFound", "spec.task: there is no Task 't' with version 'v9' in this namespace (yet)")),
        ({"workflow": {"name": "wf"}}, {}, None,
         NotYet("CodeNotFound", "the ConfigMap 'code-1' with the code of task 't' isn't in this namespace (yet)")),
    ],
    ids=["no workflow", "no such version", "no task", "no such version of a task", "no code"],
)  # fmt: skip
def test_what_is_missing_is_waited_for(
    spec: Body, workflows: dict[str, Body], code: str | None, expected: NotYet
) -> None:
    assert admitted(spec, code, **workflows) == expected


@pytest.mark.parametrize(
    ("flow", "inputs", "kind", "reason", "says"),
    [
        (nodes({"id": "a", "task": {"name": "no"}}), {}, NotYet, "TaskNotFound", "Workflow bad: spec.nodes[0].task"),
        (nodes({"id": "a", "task": {"name": "no"}}, {"id": "b", "inputs": {"q": 1}}), {}, NotYet, "TaskNotFound",
         "Workflow bad: spec.nodes[0].task"),
        (nodes({"id": "a", "inputs": {"q": 1}}), {}, Refused, "InvalidWorkflow",
         "Workflow bad: spec.nodes[0].inputs.q"),
        (nodes({"id": "a", "dependsOn": ["b"]}, {"id": "b", "dependsOn": ["a"]}), {}, Refused, "InvalidWorkflow",
         "Workflow bad: "),
        (nodes({"id": "a"}), {"q": 1}, Refused, "InvalidInputs", "spec.inputs.q: "),
        ({**nodes({"id": "a"}), "inputs": {"n": INT}}, {}, Refused, "InvalidInputs", "spec.inputs.n: "),
    ],
    ids=["a task is missing", "missing comes before wrong", "wrong", "a cycle", "an unknown input", "a missing input"],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_place(flow: Body, inputs: Body, kind: type, reason: str, says: str) -> None:
    verdict = admitted({"workflow": {"name": "bad"}, "inputs": inputs}, bad=flow)
    assert isinstance(verdict, kind)
    assert not isinstance(verdict, Admitted)
    assert verdict.reason == reason
    assert verdict.message.startswith(says)


def test_of_many_problems_the_first_five_are_told() -> None:
    verdict = admitted({"workflow": {"name": "wf"}, "inputs": {f"q{i}": 1 for i in range(7)}})
    assert isinstance(verdict, Refused)
    assert verdict.message.count("spec.inputs.q") == 5
    assert verdict.message.endswith("; and 2 more")
