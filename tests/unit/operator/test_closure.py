"""Closures: what changes one and what doesn't. And admission: whether an Execution gets one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.operator.things import Body, closure, flow, task
from windlass_api import names
from windlass_api.validation import Find
from windlass_operator.core.admission import Admitted, NotYet, Refused, Verdict, admit
from windlass_operator.core.closure import (
    MAX_NODES,
    Closure,
    Mapped,
    MissingCodeError,
    NodeKind,
    TooManyNodesError,
    compile_closure,
    load,
    workflow_of_task,
)
from windlass_operator.manifests.worker_pod import resolved

INT = {"type": "int"}
REF_N0 = {"$ref": "nodes.n0.outputs.o0"}
COUNTS = task({"x": {"type": "int", "default": 0}})
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


def finder(known: dict[tuple[str, str | None], Body]) -> Find:
    return lambda _kind, name, version: known.get((name, version))


def compiled(
    spec: Body | None = None, known: dict[tuple[str, str | None], Body] | None = None, digest: str = "d1"
) -> Closure:
    return load(compile_closure(spec or workflow(), finder(known or tasks()), lambda _: digest))


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
    of = load(compile_closure(flow, lambda _kind, name, _version: known[name], lambda _: None))
    assert of.nodes["a"].spec.items() >= flow["defaults"].items()  # type: ignore[attr-defined]  # it is a dict
    assert (of.nodes["b"].spec["image"], of.nodes["b"].spec["retries"]) == ("own:1", 5)
    assert of.nodes["b"].spec["env"] == {"A": "own", "B": "default"}


def test_missing_code_is_named_with_its_task() -> None:
    with pytest.raises(MissingCodeError, match="ConfigMap 'code-1' with the code of task 't'"):
        compile_closure(workflow(), finder(tasks()), lambda _: None)


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


# Workflows inside the workflow.


def inside(name: str = "w", flow_name: str = "inner", **more: Any) -> Body:
    return {"id": name, "workflow": {"name": flow_name}, **more}


def visits(of: Closure) -> list[str]:
    """The order of a pass: ``w/`` is leaving the workflow that the node w is."""
    return [f"{visit.node}/" if visit.leaving else visit.node for visit in of.order]


def test_a_workflow_inside_is_flat_and_its_nodes_have_paths() -> None:
    inner = flow({"id": "n1", "inputs": {"x": REF_N0}}, {"id": "n0"}, handler={"id": "fn0"})
    of = closure(
        {"id": "z", "dependsOn": ["w"]}, inside(), {"id": "a"}, handler={"id": "fn0"}, flows={"inner": inner}, t=COUNTS
    )
    assert visits(of) == ["w", "w.n0", "w.n1", "w.fn0", "w/", "z", "a", "fn0"]
    assert (of.nodes["w.n1"].upstreams, of.nodes["w.n1"].sources) == (("w.n0",), frozenset({"w.n0"}))
    assert {name for name, node in of.nodes.items() if node.handler} == {"fn0", "w.fn0"}
    assert {name: node.scope for name, node in of.nodes.items()} == {
        "w": "", "w.n0": "w", "w.n1": "w", "w.fn0": "w", "z": "", "a": "", "fn0": "",
    }  # fmt: skip
    assert (of.scopes["w"].parent, of.scopes["w"].members, of.scopes["w"].handler) == ("", ("w.n0", "w.n1"), "w.fn0")
    assert (of.scopes[""].members, of.scopes[""].handler) == (("w", "z", "a"), "fn0")


def test_a_handler_may_be_a_workflow() -> None:
    of = closure({"id": "a"}, handler=inside("fn0"), flows={"inner": flow({"id": "n0"})})
    assert visits(of) == ["a", "fn0", "fn0.n0", "fn0/"]
    assert of.nodes["fn0"].handler
    assert not of.nodes["fn0.n0"].handler


def test_workflows_may_be_inside_of_each_other_and_twice() -> None:
    flows = {"mid": flow(inside("i", "low"), inside("j", "low")), "low": flow({"id": "n0"})}
    of = closure(inside("w", "mid"), flows=flows)
    assert visits(of) == ["w", "w.i", "w.i.n0", "w.i/", "w.j", "w.j.n0", "w.j/", "w/"]
    assert set(of.document["workflows"]) == {"mid", "low"}, "each is kept once"


def test_each_node_comes_after_all_that_it_waits_for_and_each_scope_is_left_after_its_nodes() -> None:
    flows = {"inner": flow({"id": "b", "dependsOn": ["a"]}, {"id": "a"}, handler={"id": "fn0"})}
    of = closure({"id": "z", "dependsOn": ["w"]}, inside(dependsOn=["q"]), {"id": "q"}, flows=flows)
    order = visits(of)
    for name, node in of.nodes.items():
        for upstream in node.upstreams:
            assert order.index(f"{upstream}/" if f"{upstream}/" in order else upstream) < order.index(name)
        if node.scope:
            assert order.index(node.scope) < order.index(name) < order.index(f"{node.scope}/")


def test_defaults_of_outer_workflows_hold_inside_where_nothing_nearer_says_anything() -> None:
    own = flow({"id": "n0"}, defaults={"image": "inner:1", "env": {"B": "inner"}})
    flows = {"own": own, "plain": flow({"id": "n0"})}
    outer = {"image": "outer:1", "retries": 4, "env": {"A": "outer", "B": "outer"}}
    of = closure(inside("w", "own"), inside("v", "plain"), defaults=outer, flows=flows)
    assert of.nodes["v.n0"].spec.items() >= outer.items()
    assert (of.nodes["w.n0"].spec["image"], of.nodes["w.n0"].spec["retries"]) == ("inner:1", 4)
    assert of.nodes["w.n0"].spec["env"] == {"A": "outer", "B": "inner"}


def test_a_launch_plan_is_known_by_what_it_takes_gives_and_marks_its_runs_with() -> None:
    plan = {
        "workflow": {"name": "inner"},
        "fixedInputs": {"n": 1},
        "defaultInputs": {"m": 2},
        "labels": {"team": "data"},
        "annotations": {"note": "x"},
        "maxParallelism": 3,
    }
    inner = flow({"id": "n0"}, inputs={"n": INT, "m": INT}, outputs={"o0": {**INT, "from": REF_N0}})
    of = closure({"id": "p", "launchPlan": {"name": "plan"}}, plans={"plan": plan}, flows={"inner": inner})
    node = of.nodes["p"]
    assert (node.kind, node.target, node.version) == (NodeKind.PLAN, "plan", None)
    assert node.spec["inputs"] == {"m": {**INT, "default": 2}}
    assert set(node.spec["outputs"]) == {"o0"}
    assert (node.spec["labels"], node.spec["annotations"]) == ({"team": "data"}, {"note": "x"})
    assert of.document["workflows"] == {}, "what it runs is pinned when its Execution is admitted"


def test_what_a_launch_plan_says_of_its_runs_is_pinned_with_them() -> None:
    limited = closure({"id": "a"}, plan={"maxParallelism": 3})
    assert limited.plan == {"maxParallelism": 3}
    assert limited.hash != closure({"id": "a"}).hash
    assert load(limited.document).plan == {"maxParallelism": 3}
    assert closure({"id": "a"}).plan == {}


def test_a_select_waits_for_all_that_its_cases_refer_to_but_needs_none() -> None:
    cases = [{"when": "nodes.c.outputs.o0 == 1", "outputs": {"o0": {"$ref": "nodes.a.outputs.o0"}}}, {"fail": "no"}]
    of = closure({"id": "s", "select": cases}, {"id": "a"}, {"id": "c"})
    assert set(of.nodes["s"].upstreams) == {"a", "c"}
    assert of.nodes["s"].sources == frozenset()
    assert [(case.when is None, case.fail) for case in of.nodes["s"].cases] == [(False, None), (True, "no")]


def test_a_map_says_what_it_runs_over_and_how_much_has_to_succeed() -> None:
    mapped = {"over": ["x"], "concurrency": 2, "minSuccessRatio": 0.5}
    of = closure({"id": "m", "map": mapped, "inputs": {"x": [1]}}, t=COUNTS)
    assert of.nodes["m"].mapped == Mapped(("x",), 2, None, 0.5)


def nested(width: int, depth: int) -> Body:
    """Workflows inside of each other, each with so many of the next one."""
    flows = {f"d{level}": flow(*(inside(f"w{i}", f"d{level + 1}") for i in range(width))) for level in range(depth)}
    return {**flows, f"d{depth}": flow({"id": "n0"})}


def test_nodes_that_have_no_room_in_a_status_are_too_many_however_few_are_written_down() -> None:
    known = nested(3, 9)
    find: Find = lambda kind, name, _version: known[name] if kind == "Workflow" else task()  # noqa: E731  short
    with pytest.raises(TooManyNodesError, match=r"it has 49206 nodes; a run may have 1000\. Run a part of it by a"):
        compile_closure(known["d0"], find, lambda _: None)
    verdict = admit({"workflow": {"name": "d0"}}, find, lambda _: None)
    assert isinstance(verdict, Refused)
    assert (verdict.reason, verdict.message.split(":")[0]) == ("TooManyNodes", "Workflow d0")


def test_as_many_nodes_as_there_is_room_for_are_taken() -> None:
    many = flow(*({"id": f"n{i}"} for i in range(MAX_NODES)))
    assert len(load(compile_closure(many, lambda *_: task(), lambda _: None)).nodes) == MAX_NODES


def test_a_workflow_inside_itself_is_refused() -> None:
    known = {"a": flow(inside("w", "b")), "b": flow(inside("w", "a"))}
    verdict = admit({"workflow": {"name": "a"}}, lambda kind, name, _: known.get(name), lambda _: None)
    assert isinstance(verdict, Refused)
    assert "the workflow would be a part of itself: " in verdict.message


@pytest.mark.parametrize("missing", ["low", "t"])
def test_what_a_workflow_inside_lacks_is_waited_for(missing: str) -> None:
    known = {"wf": flow(inside("w", "mid")), "mid": flow(inside("v", "low")), "low": flow({"id": "n0"}), "t": task()}
    del known[missing]
    verdict = admit({"workflow": {"name": "wf"}}, lambda kind, name, _: known.get(name), lambda _: None)
    assert isinstance(verdict, NotYet)


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


# PodTemplates that are named


def pinned(spec: Body | None = None, **templates: Body) -> Any:
    """What becomes of an Execution of a task that names the PodTemplate `base`, where there are these."""
    known: dict[str, Body] = {"t": task(podTemplateName="base")}
    return admit(
        {"task": {"name": "t"}, **(spec or {})},
        lambda kind, name, _: known.get(name) if kind == "Task" else None,
        lambda _: None,
        find_template=templates.get,
    )


def test_a_pod_template_that_is_missing_is_waited_for_by_name() -> None:
    assert pinned() == NotYet(
        "PodTemplateNotFound", "podTemplateName: there is no PodTemplate 'base' in this namespace (yet)"
    )


def test_a_pod_template_is_pinned_and_another_one_makes_another_closure() -> None:
    first, second = pinned(base={"spec": {"hostname": "a"}}), pinned(base={"spec": {"hostname": "b"}})
    assert dict(first.closure.pod_templates) == {"base": {"spec": {"hostname": "a"}}}
    assert first.closure.hash != second.closure.hash


def test_the_pod_template_of_the_run_stands_for_those_of_its_tasks() -> None:
    verdict = pinned({"overrides": {"podTemplateName": "mine"}}, mine={"spec": {}})
    assert set(verdict.closure.pod_templates) == {"mine"}


def pinned_pool(spec: Body | None = None, **templates: Body) -> Any:
    """What becomes of an Execution of a task of a pool that names the PodTemplate `base`, where there are these."""
    found = {
        ("Task", "t"): task(actor={"name": "pool"}),
        ("ActorEnvironment", "pool"): {"replicas": 2, "podTemplateName": "base"},
    }
    return admit(
        {"task": {"name": "t"}, **(spec or {})},
        lambda kind, name, _: found.get((kind, name)),
        lambda _: None,
        find_template=templates.get,
    )


def test_a_pod_template_that_a_pool_names_is_waited_for_by_name() -> None:
    text = "ActorEnvironment pool: podTemplateName: there is no PodTemplate 'base' in this namespace (yet)"
    assert pinned_pool() == NotYet("PodTemplateNotFound", text)


def test_the_pod_template_of_a_pool_is_pinned_and_another_one_makes_another_pool() -> None:
    first, second = (pinned_pool(base={"spec": {"hostname": name}}).closure for name in ("a", "b"))
    assert first.environments["pool"]["template"] == {"spec": {"hostname": "a"}}
    ((one,), (other,)) = first.actors, second.actors
    assert one.environment == other.environment == "pool" and one.revision != other.revision
    assert one.revision == names.pool_revision(resolved({"podTemplateName": "base"}, {"spec": {"hostname": "a"}}))
    assert load(first.document).actors == first.actors, "as it is read back"


def test_the_pod_template_of_the_run_is_none_for_pools_that_are_there_already() -> None:
    verdict = pinned_pool({"overrides": {"podTemplateName": "mine"}}, base={"spec": {}})
    assert verdict.closure.pod_templates == {}
