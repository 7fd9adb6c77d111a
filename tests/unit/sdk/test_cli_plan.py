"""`windlass plan` against a folder: what it says would change and break, and what it leaves out."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, strategies as st

from windlass._cli import main
from windlass._cli._plan_changes import Key, breakages, compared, world

Manifest = dict[str, Any]
World = list[Manifest]
Plan = Callable[..., tuple[int, list[str]]]

TEXT = """
apiVersion: windlass.dev/v1alpha1
kind: Task
metadata: {name: words.count}
spec:
  version: "1"
  inputs: {text: {type: str}, limit: {type: int, default: 3}}
  outputs: {o0: {type: "dict[str, int]"}}
  python: {entrypoint: "words:count"}
---
apiVersion: windlass.dev/v1alpha1
kind: Workflow
metadata: {name: words.flow}
spec:
  inputs: {text: {type: str}, at_most: {type: int, default: 9}}
  outputs: {report: {type: "dict[str, int]", from: {$ref: nodes.n0.outputs.o0}}}
  nodes:
  - {id: n0, task: {name: words.count}, inputs: {text: {$ref: inputs.text}, limit: {$ref: inputs.at_most}}}
---
apiVersion: windlass.dev/v1alpha1
kind: LaunchPlan
metadata: {name: nightly}
spec:
  workflow: {name: words.flow}
  fixedInputs: {text: hello}
  schedule: {cron: "@daily"}
"""
TASK, FLOW, PLAN = 0, 1, 2


def objects() -> World:
    return list(yaml.safe_load_all(TEXT))


def said(before: World, after: World) -> list[str]:
    return [f"{found.key}: {found.finding}" for found in breakages(world(before), world(after))]


@pytest.fixture(autouse=True)
def _forget_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules that the command has loaded are forgotten, and where they were."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("planned_flow", "planned_reference"):
        sys.modules.pop(name, None)


@pytest.fixture
def plan(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The command on two worlds, each written to a folder of its own; its exit code and its lines."""
    monkeypatch.chdir(tmp_path)

    def run(after: World, before: World, *words: str) -> tuple[int, list[str]]:
        for name, manifests in (("after", after), ("before", before)):
            (tmp_path / name).mkdir()
            (tmp_path / name / "all.yaml").write_text(yaml.safe_dump_all(manifests), encoding="utf-8")
        code = main(["plan", "after", "--against", "before", *words])
        return code, capsys.readouterr().out.splitlines()

    return run


def test_nothing_changes_where_nothing_differs(plan: Plan) -> None:
    summary = "0 added, 0 changed, 0 removed, 3 unchanged; nothing would break"
    assert plan(objects(), objects()) == (0, [summary])


def test_what_is_added_changed_and_removed_is_told_with_its_fields(plan: Plan) -> None:
    after, extra = objects(), copy.deepcopy(objects()[TASK])
    extra["metadata"]["name"] = "words.other"
    after[TASK]["spec"]["inputs"]["limit"]["default"] = 4
    after[TASK]["spec"]["retries"] = 2
    after[TASK]["metadata"]["labels"] = {"team": "words"}
    del after[FLOW]["spec"]["inputs"]["at_most"]["default"]
    after[FLOW]["spec"]["nodes"].insert(0, {"id": "before", "sleep": {"duration": "1s"}})
    after[FLOW]["spec"]["nodes"][1]["inputs"]["limit"] = 5
    assert plan([*after[:2], extra], objects()) == (
        0,
        [
            "~ Task words.count",
            '    metadata: added: {"labels": {"team": "words"}}',
            "    spec.inputs.limit.default: 3 → 4",
            "    spec.retries: added: 2",
            "~ Workflow words.flow",
            "    spec.inputs.at_most.default: removed: 9",
            '    spec.nodes[id="before"]: added',
            '    spec.nodes[id="n0"].inputs.limit: {"$ref": "inputs.at_most"} → 5',
            "+ Task words.other",
            "- LaunchPlan nightly",
            "1 added, 2 changed, 1 removed, 0 unchanged; nothing would break",
        ],
    )


def test_a_task_that_takes_another_type_breaks_the_workflows_that_call_it(plan: Plan) -> None:
    after = objects()
    after[TASK]["spec"]["inputs"]["limit"] = {"type": "str"}
    code, lines = plan(after, objects())
    assert code == 1
    assert [line for line in lines if line.startswith("!")] == [
        "! Workflow words.flow: spec.nodes[0].inputs.limit: expected str, got int from `inputs.at_most`"
    ]
    assert lines[-1] == "0 added, 1 changed, 0 removed, 2 unchanged; 1 would break"


def test_a_new_required_input_breaks_what_starts_by_itself() -> None:
    after = objects()
    del after[FLOW]["spec"]["inputs"]["at_most"]["default"]
    assert [line.partition(":")[0] for line in said(objects(), after)] == ["LaunchPlan nightly"]
    assert "at_most" in said(objects(), after)[0]


def test_an_input_that_is_renamed_breaks_the_plan_which_fixes_it() -> None:
    after = objects()
    after[FLOW]["spec"]["inputs"]["words"] = after[FLOW]["spec"]["inputs"].pop("text")
    after[FLOW]["spec"]["nodes"][0]["inputs"]["text"] = {"$ref": "inputs.words"}
    told = said(objects(), after)
    assert all(line.startswith("LaunchPlan nightly: spec.") for line in told)
    assert "LaunchPlan nightly: spec.fixedInputs.text: there is no input `text`" in told[0]


def test_an_output_that_is_gone_breaks_who_reads_it() -> None:
    after = objects()
    after[TASK]["spec"]["outputs"] = {"total": {"type": "int"}}
    assert len(said(objects(), after)) == 1
    assert said(objects(), after)[0].startswith("Workflow words.flow: spec.outputs.report.from")


def test_what_is_removed_breaks_who_refers_to_it() -> None:
    assert said(objects(), objects()[FLOW:]) == [
        "Workflow words.flow: spec.nodes[0].task: there is no Task `words.count`"
    ]


def test_what_was_wrong_before_is_no_breakage() -> None:
    before = objects()
    before[FLOW]["spec"]["nodes"][0]["inputs"]["limit"] = "many"
    after = copy.deepcopy(before)
    after[TASK]["spec"]["retries"] = 1
    assert said(before, after) == []
    assert len(said(objects(), after)) == 1


def test_who_asks_for_a_version_that_is_replaced_still_finds_it() -> None:
    before, after = objects(), objects()
    for one in (before, after):
        one[FLOW]["spec"]["nodes"][0]["task"]["version"] = "1"
    after[TASK]["spec"] |= {"version": "2", "inputs": {}}
    assert said(before, after) == []
    after[FLOW]["spec"]["nodes"][0]["task"]["version"] = "3"
    assert said(before, after) == [
        "Workflow words.flow: spec.nodes[0].task: there is no Task `words.count` in version `3`"
    ]


def test_who_asks_for_a_version_that_was_replaced_long_ago_still_finds_it_while_the_definition_is_there() -> None:
    before, after, (kept, *_) = objects(), objects(), objects()
    kept["spec"]["version"] = "0"
    after[FLOW]["spec"]["nodes"][0]["task"]["version"] = "0"
    assert breakages(world(before), world(after), kept=[kept]) == []
    for now, versions in ((after, []), (after[FLOW:], [kept])):
        assert [str(found.key) for found in breakages(world(before), world(now), kept=versions)] == [
            "Workflow words.flow"
        ]


def test_namespaces_are_worlds_of_their_own(plan: Plan) -> None:
    before = objects()
    for one in before:
        one["metadata"]["namespace"] = "team"
    assert [change.key for change in compared(world(before), world(objects()))[:1]] == [Key("Task", "", "words.count")]
    assert plan(objects(), before, "--namespace", "team")[1][-1].startswith("0 added, 0 changed, 0 removed")


def test_nodes_in_another_order_are_a_change_without_fields() -> None:
    before, after = objects(), objects()
    for one in (before, after):
        one[FLOW]["spec"]["nodes"].append({"id": "n1", "sleep": {"duration": "1s"}})
    after[FLOW]["spec"]["nodes"].reverse()
    assert [change.fields for change in compared(world(before), world(after))] == [["spec.nodes: in another order"]]


def test_a_python_file_is_compared_by_what_it_would_render(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = (
        "from windlass import reference_task, task, workflow\n"
        "@reference_task(project='', domain='', name='other.length', version='v1')\n"
        "def length(text: str) -> int: ...\n"
        "@task\n"
        "def double(n: int) -> int:\n    return 2 * n\n"
        "@workflow\n"
        "def planned(text: str) -> int:\n    return double(n=length(text=text))\n"
    )
    (tmp_path / "planned_flow.py").write_text(source)
    assert main(["render", "planned_flow.py", "-o", "out"]) == 0
    capsys.readouterr()
    assert main(["plan", "planned_flow.py", "--against", "out"]) == 0
    assert capsys.readouterr().out == "0 added, 0 changed, 0 removed, 3 unchanged; nothing would break\n"


def test_what_a_new_python_file_refers_to_may_be_in_the_cluster_and_a_manifest_says_where_it_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "planned_reference.py").write_text(
        "from windlass import reference_task, workflow\n"
        "@reference_task(project='', domain='', name='other.length', version='v1')\n"
        "def length(text: str) -> int: ...\n"
        "@workflow\n"
        "def refers(text: str) -> int:\n    return length(text=text)\n"
    )
    (tmp_path / "there.yaml").write_text(TEXT)
    there = ("--against", str(tmp_path / "there.yaml"))
    assert main(["plan", str(tmp_path / "planned_reference.py"), str(tmp_path / "there.yaml"), *there]) == 0
    assert main(["render", str(tmp_path / "planned_reference.py"), "-o", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert main(["plan", str(tmp_path / "out"), str(tmp_path / "there.yaml"), *there]) == 1
    assert "! Workflow planned-reference.refers: spec.nodes[0].task: there is no Task" in capsys.readouterr().out


def test_what_can_not_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yaml").write_text("a: [\n")
    (tmp_path / "good.yaml").write_text(TEXT)
    assert main(["plan", str(tmp_path / "good.yaml"), "--against", str(tmp_path / "bad.yaml")]) == 1
    assert "bad.yaml:2:1: this is no YAML" in capsys.readouterr().err
    assert main(["plan", str(tmp_path / "good.yaml"), "--against", str(tmp_path / "none")]) == 2
    (tmp_path / "bad.yaml").write_text("kind: Task\nmetadata: []\n")
    capsys.readouterr()
    assert main(["plan", str(tmp_path / "bad.yaml"), "--against", str(tmp_path / "good.yaml")]) == 1
    assert "bad.yaml: a Task has no metadata.name" in capsys.readouterr().err


def test_without_a_cluster_and_without_a_folder_it_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.yaml").write_text(TEXT)
    assert main(["plan", str(tmp_path / "good.yaml"), "--kubeconfig", str(tmp_path / "none")]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and "kubeconfig" in captured.err


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-2, 2) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.lists(st.fixed_dictionaries({"id": st.sampled_from("abc")}, optional={"x": inner}), max_size=3)
    ),
    max_leaves=8,
)


@example(1, True)
@example([1], [1.0])
@given(json_values, json_values)
def test_a_change_is_told_exactly_where_the_json_differs(one: Any, other: Any) -> None:
    before, after = (world([{"kind": "Task", "metadata": {"name": "t"}, "spec": {"x": x}}]) for x in (one, other))
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (compared(before, after) == []) == same
