"""The command line, as its users type it: what it prints, where, and with which exit code."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest
import yaml

from windlass import _remote
from windlass._cli import main

ROOT = Path(__file__).parents[3]

FLOW = '''
"""A module."""
from dataclasses import dataclass
from windlass import task, workflow

@dataclass
class Box:
    side: float
    tags: list[str]

@task
def volume(box: Box, scale: float = 1.0) -> float:
    return (box.side * scale) ** 3

@task
def describe(n: int, text: str = "x", loud: bool = False, maybe: int | None = None) -> dict[str, str]:
    """Describes.

    Args:
        n: how often
        text: the text to
            repeat
    """
    return {"text": text * n, "loud": str(loud), "maybe": str(maybe)}

@task
def fail(n: int) -> int:
    return 1 // n

@task
def silent(n: int) -> None:
    print(n)

@workflow
def flow(n: int, text: str = "ab") -> dict[str, str]:
    """Describes in a workflow."""
    return describe(n=n, text=text)

@workflow
def both(n: int = 2) -> tuple[int, dict[str, str]]:
    return n, describe(n=n)

@workflow
def failing() -> int:
    return fail(n=0)
'''


class Result(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class Cli(Protocol):
    """`cli("run", "flow.py", …)`"""

    def __call__(self, *words: str) -> Result: ...


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """The command line in a folder of its own with `flow.py` in it; modules it loads are forgotten."""
    (tmp_path / "flow.py").write_text(FLOW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = dict(sys.modules)

    def run(*words: str) -> Result:
        for name in set(sys.modules) - set(modules):
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
                del sys.modules[name]
        try:
            code = main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Result(code, *capsys.readouterr())

    yield run
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]


# ---- windlass ----


def test_without_a_command_the_help_is_shown(cli: Cli) -> None:
    found = cli()
    assert found.code == 2
    for command in ("run", "render", "validate"):
        assert f"\n    {command} " in found.out


def test_the_version_is_that_of_the_distribution(cli: Cli) -> None:
    assert cli("--version") == (0, "windlass 0.1.0\n", "")


def test_it_is_a_module_as_well() -> None:
    done = subprocess.run([sys.executable, "-m", "windlass._cli", "--version"], capture_output=True, text=True)
    assert done.stdout.startswith("windlass ")


# ---- run: values ----


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--n", "2"], {"text": "xx", "loud": "False", "maybe": "None"}),
        (["--n=2", "--text", "--odd"], {"text": "--odd--odd", "loud": "False", "maybe": "None"}),
        (["--n", "1", "--loud"], {"text": "x", "loud": "True", "maybe": "None"}),
        (["--loud", "false", "--n", "1"], {"text": "x", "loud": "False", "maybe": "None"}),
        (["--no-loud", "--n", "1"], {"text": "x", "loud": "False", "maybe": "None"}),
        (["--n", "1", "--maybe", "3"], {"text": "x", "loud": "False", "maybe": "3"}),
        (["--n", "1", "--maybe", "null"], {"text": "x", "loud": "False", "maybe": "None"}),
        (["--n", "1", "--text", "@@home"], {"text": "@home", "loud": "False", "maybe": "None"}),
        (["--n", "1", "--text", '{"not": "parsed"}'], {"text": '{"not": "parsed"}', "loud": "False", "maybe": "None"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_values_are_read_by_the_type_of_their_input(cli: Cli, words: list[str], expected: dict[str, str]) -> None:
    found = cli("run", "flow.py", "describe", *words, "-o", "json")
    assert found.code == 0, found.err
    assert json.loads(found.out) == {"o0": expected}


def test_a_dataclass_is_given_as_json_and_its_fields_are_checked(cli: Cli) -> None:
    assert cli("run", "flow.py", "volume", "--box", '{"side": 2, "tags": []}').out == "8.0\n"
    found = cli("run", "flow.py", "volume", "--box", '{"side": "x", "tags": []}')
    assert found.code == 2
    assert "--box.side: " in found.err


def test_option_names_take_dashes_for_underscores(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "dashed.py").write_text(
        "from windlass import task\n@task\ndef f(long_name: int) -> int:\n    return long_name\n"
    )
    assert cli("run", "dashed.py", "f", "--long-name", "4").out == "4\n"
    assert cli("run", "dashed.py", "f", "--long_name", "4").out == "4\n"


def test_a_text_is_read_from_a_file_as_it_is(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text('{"a":\n1}')
    assert json.loads(cli("run", "flow.py", "describe", "--n", "1", "--text", "@text.json").out)["text"] == '{"a":\n1}'


@pytest.mark.parametrize(
    ("name", "content"), [("box.json", '{"side": 3, "tags": ["a"]}'), ("box.yaml", "side: 3\ntags: [a]\n")]
)
def test_other_values_are_read_from_json_or_yaml_files(cli: Cli, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert cli("run", "flow.py", "volume", "--box", f"@{name}").out == "27.0\n"


def test_a_json_or_yaml_file_needs_no_at_sign_where_json_is_meant(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "box.json").write_text('{"side": 3, "tags": ["a"]}')
    assert cli("run", "flow.py", "volume", "--box", "box.json").out == "27.0\n"
    assert json.loads(cli("run", "flow.py", "describe", "--n", "1", "--text", "box.json").out)["text"] == "box.json"
    assert "none.json can't be read" in cli("run", "flow.py", "volume", "--box", "none.json").err


def test_the_inputs_list_shows_what_to_choose_from(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "choice.py").write_text(
        "from typing import Literal\nfrom windlass import task\n@task\n"
        "def f(mode: Literal['fast', 'slow'] = 'fast') -> str:\n    return mode\n"
    )
    assert '--mode fast|slow  (default: "fast")' in cli("run", "choice.py", "f", "--help").out


def test_a_value_comes_from_standard_input(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("piped"))
    assert json.loads(cli("run", "flow.py", "describe", "--n", "1", "--text", "@-").out)["text"] == "piped"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "describe needs --n"),
        (["--n", "x"], "--n: expected int, got 'x': a whole number is needed"),
        (["--n", "1.5"], "--n: expected int, got '1.5'"),
        (["--n"], "--n needs a value (int)"),
        (["--n", "1", "--n", "2"], "--n is given twice"),
        (["--n", "1", "--txet", "a"], "describe has no input --txet; did you mean `--text`?"),
        (["--n", "1", "stray"], "unexpected argument 'stray'; inputs are given as --name value"),
        (["--n", "1", "--loud=maybe"], "--loud: expected bool, got 'maybe': true or false is needed"),
        (["--n", "1", "--text", "@nowhere.txt"], "--text: nowhere.txt can't be read: No such file or directory"),
        (["--n", "1", "--timeout", "soon"], "argument --timeout: invalid float value: 'soon'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_inputs_are_named_and_the_inputs_listed(cli: Cli, words: list[str], message: str) -> None:
    found = cli("run", "flow.py", "describe", *words)
    assert found.code == 2
    assert found.err.startswith(f"windlass: {message}")
    assert "--text str" in found.err
    assert "how often (required)" in found.err


def test_a_broken_json_or_yaml_file_is_named_with_the_place(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "box.json").write_text('{"side": }')
    (tmp_path / "box.yaml").write_text("side: [1\nx: 2")
    assert (
        "--box: box.json:1:10: this is no JSON: Expecting value"
        in cli("run", "flow.py", "volume", "--box", "@box.json").err
    )
    assert "--box: box.yaml:2:" in cli("run", "flow.py", "volume", "--box", "@box.yaml").err
    assert "this is no JSON" in cli("run", "flow.py", "volume", "--box", "{").err


# ---- run: here ----


def test_a_workflow_runs_here_by_default_and_its_output_is_printed(cli: Cli) -> None:
    found = cli("run", "flow.py", "flow", "--n", "2")
    assert found == (0, '{"text": "abab", "loud": "False", "maybe": "None"}\n', "")


def test_several_outputs_are_printed_with_their_names(cli: Cli) -> None:
    assert cli("run", "flow.py", "both").out.startswith("o0: 2\no1: {")


def test_nothing_is_printed_for_no_outputs(cli: Cli) -> None:
    assert cli("run", "flow.py", "silent", "--n", "1") == (0, "1\n", "")


def test_what_tasks_print_stays_out_of_json(cli: Cli) -> None:
    assert cli("run", "flow.py", "silent", "--n", "1", "-o", "json") == (0, "{}\n", "1\n")


def test_help_behind_the_name_lists_the_inputs(cli: Cli) -> None:
    found = cli("run", "flow.py", "describe", "--help")
    assert found.code == 0
    for part in ("Describes.", "--n int", "how often (required)", 'the text to repeat (default: "x")', "optional[int]"):
        assert part in found.out


def test_help_before_the_name_lists_the_options(cli: Cli) -> None:
    found = cli("run", "--help")
    assert found.code == 0
    assert "--kubeconfig" in found.out


def test_without_a_name_the_file_tells_what_it_has(cli: Cli) -> None:
    found = cli("run", "flow.py")
    assert found.code == 2
    assert "describe  task      Describes." in found.err
    assert "flow      workflow  Describes in a workflow." in found.err


def test_an_unknown_name_is_refused_with_a_hint(cli: Cli) -> None:
    found = cli("run", "flow.py", "flwo")
    assert (found.code, found.err) == (2, "windlass: flow.py has no task or workflow `flwo`; did you mean `flow`?\n")
    assert "is neither a task nor a workflow" in cli("run", "flow.py", "Box").err


def test_an_exception_of_the_user_is_shown_with_their_frames_only(cli: Cli) -> None:
    found = cli("run", "flow.py", "failing")
    assert found.code == 1
    assert "ZeroDivisionError: Error encountered while executing 'flow.fail':\n  integer division" in found.err
    assert "return 1 // n" in found.err and "return fail(n=0)" in found.err
    assert "_local.py" not in found.err
    assert "_local.py" in cli("run", "flow.py", "failing", "--full-traceback").err


# ---- files ----


def test_a_file_that_is_not_there_or_no_python_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("")
    assert cli("run", "nowhere.py", "x") == (2, "", "windlass: nowhere.py: there is no such file\n")
    assert "is no Python file" in cli("run", "text.txt", "x").err
    assert "is a folder" in cli("run", ".", "x").err


def test_a_file_that_can_not_be_imported_shows_file_and_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import json\n\nraise RuntimeError('at import')\n")
    (tmp_path / "unreadable.py").write_text("x = (\n")
    found = cli("run", "broken.py", "x")
    assert found.code == 1
    assert found.err.startswith("windlass: broken.py can't be imported:\n")
    assert f'{tmp_path}/broken.py", line 3' in found.err and "RuntimeError: at import" in found.err
    assert "importlib" not in found.err
    found = cli("render", "unreadable.py", "-o", "-")
    assert found.code == 1
    assert 'unreadable.py", line 1' in found.err and "SyntaxError" in found.err


def test_a_file_named_like_a_module_of_python_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("x = 1\n")
    found = cli("run", "json.py", "x")
    assert found.code == 2
    assert "its module `json` is already" in found.err and "rename the file" in found.err


def test_a_module_in_a_package_is_imported_from_its_root(cli: Cli, tmp_path: Path) -> None:
    package = tmp_path / "proj" / "app"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("FACTOR = 3\n")
    (package / "tasks.py").write_text(
        "from windlass import task\nfrom app.helper import FACTOR\n"
        "@task\ndef f(n: int) -> int:\n    return n * FACTOR\n"
    )
    assert cli("run", "proj/app/tasks.py", "f", "--n", "2").out == "6\n"
    rendered = list(yaml.safe_load_all(cli("render", "proj/app/tasks.py", "-o", "-").out))
    assert rendered[1]["metadata"]["name"] == "app.tasks.f"
    assert rendered[1]["spec"]["python"]["entrypoint"] == "app.tasks:f"


def test_a_file_without_definitions_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n")
    assert "empty.py has neither tasks nor workflows" in cli("run", "empty.py").err
    assert "empty.py has neither tasks nor workflows of its own" in cli("render", "empty.py", "-o", "-").err


# ---- run: in a cluster ----


def test_remote_hands_the_manifests_and_the_execution_over(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def run_remote(objects: list[dict[str, Any]], execution: dict[str, Any], **options: Any) -> int:
        calls.append((objects, execution, options))
        return 7

    monkeypatch.setattr(_remote, "run_remote", run_remote)
    found = cli(
        "run", "--context", "there", "flow.py", "flow", "--n", "2",
        "--remote", "--namespace", "team", "--image", "img:1", "--timeout", "5", "--no-wait",
    )  # fmt: skip
    assert found.code == 7, found.err
    objects, execution, options = calls[0]
    assert [item["kind"] for item in objects] == ["ConfigMap", "Task", "Workflow"]
    assert objects[1]["spec"]["image"] == "img:1"
    assert {item["metadata"]["namespace"] for item in objects} == {"team"}
    assert execution["spec"] == {"workflow": {"name": "flow.flow"}, "inputs": {"n": 2}}
    assert options == {
        "namespace": "team", "context": "there", "kubeconfig": None, "timeout": 5.0, "wait": False, "output": "text",
    }  # fmt: skip


FILES = """
from windlass import FlyteDirectory, FlyteFile, task

@task
def f(one: FlyteFile, more: list[FlyteFile], folder: FlyteDirectory, title: str = "one.txt") -> int:
    return 1
"""


def test_files_of_this_machine_are_brought_to_the_store_for_the_pods(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent: list[Any] = []

    def run_remote(_: Any, execution: dict[str, Any], **__: Any) -> int:
        sent.append(execution["spec"]["inputs"])
        return 0

    monkeypatch.setattr(_remote, "run_remote", run_remote)
    (tmp_path / "job.py").write_text(FILES)
    (tmp_path / "one.txt").write_text("1")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "two.txt").write_text("2")
    more = json.dumps([{"uri": "one.txt"}, {"uri": "s3://b/x"}, {"uri": "file:///etc/hosts"}])
    words = ("--one", "one.txt", "--more", more, "--folder", "in", "--title", "one.txt")
    found = cli("run", "job.py", "f", *words, "--remote", "--store", f"file://{tmp_path}/store")
    assert found.code == 0, found.err
    (inputs,) = sent
    assert inputs["title"] == "one.txt"
    assert [one["uri"] for one in inputs["more"][1:]] == ["s3://b/x", "file:///etc/hosts"]
    for reference, text in ((inputs["one"], "1"), (inputs["more"][0], "1"), (inputs["folder"], None)):
        place = reference["uri"]
        assert place.startswith(f"file://{tmp_path}/store/") and f" to {place}" in found.err
        content = Path(place.removeprefix("file://"))
        assert content.read_text() == text if text else (content / "two.txt").read_text() == "2"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "--one: one.txt is on this machine, where no pod can read it. Say which store it is to be brought to"),
        (("--store", "nosuch://b"), "--one: one.txt can't be brought to nosuch://b"),
    ],
)
def test_a_file_of_this_machine_that_can_not_be_brought_anywhere_is_told_of_before_anything_is_sent(
    options: tuple[str, ...], told: str, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("WINDLASS_RAW_OUTPUT_PREFIX", raising=False)
    monkeypatch.setattr(_remote, "run_remote", lambda *_, **__: pytest.fail("it was sent"))
    (tmp_path / "job.py").write_text(FILES)
    (tmp_path / "one.txt").write_text("1")
    found = cli("run", "job.py", "f", "--one", "one.txt", "--more", "[]", "--folder", "s3://b/x", "--remote", *options)
    assert found.code == 2 and told in found.err, found.err


def test_an_input_named_like_an_option_wins_behind_the_name(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "named.py").write_text(
        "from windlass import task\n@task\ndef f(timeout: str) -> str:\n    return timeout\n"
    )
    assert cli("run", "--timeout", "3", "named.py", "f", "--timeout", "soon").out == "soon\n"


# ---- render ----


def test_render_writes_one_file_per_object_and_a_kustomization(cli: Cli, tmp_path: Path) -> None:
    found = cli("render", "flow.py", "-o", "out")
    assert found.code == 0
    assert found.out == "rendered 8 objects of flow.py into out\n"
    assert "kubectl apply --server-side -k out" in found.err
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name for name in names if not name.startswith("configmap")] == [
        "kustomization.yaml", "task-flow.describe.yaml", "task-flow.fail.yaml", "task-flow.silent.yaml",
        "task-flow.volume.yaml", "workflow-flow.both.yaml", "workflow-flow.failing.yaml", "workflow-flow.flow.yaml",
    ]  # fmt: skip
    listed = yaml.safe_load((tmp_path / "out" / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == [name for name in names if name != "kustomization.yaml"]


def test_rendering_again_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    def contents() -> dict[str, str]:
        return {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}

    cli("render", "flow.py", "-o", "out")
    before = contents()
    cli("render", "flow.py", "-o", "out")
    assert contents() == before


def test_rendering_again_removes_what_is_gone_and_only_that(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("from windlass import task\n@task\ndef f() -> int:\n    return 1\n")
    cli("render", "other.py", "-o", "out")
    cli("render", "flow.py", "-o", "out")
    (tmp_path / "out" / "mine.yaml").write_text("kind: Mine\n")
    (tmp_path / "flow.py").write_text(FLOW.replace("def silent", "def quiet"))
    cli("render", "flow.py", "-o", "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"task-flow.quiet.yaml", "task-other.f.yaml", "mine.yaml"} <= names
    assert "task-flow.silent.yaml" not in names
    assert len([name for name in names if name.startswith("configmap")]) == 2
    listed = yaml.safe_load((tmp_path / "out" / "kustomization.yaml").read_text())["resources"]
    assert "mine.yaml" not in listed and "task-other.f.yaml" in listed


def test_a_file_of_the_users_is_never_overwritten(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    mine = tmp_path / "out" / "kustomization.yaml"
    mine.write_text("resources: []\n")
    found = cli("render", "flow.py", "-o", "out")
    assert found.code == 1
    assert "kustomization.yaml was not written by `windlass render` and stays as it is" in found.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["kustomization.yaml"]
    assert mine.read_text() == "resources: []\n"


def test_one_stream_goes_to_standard_output(cli: Cli) -> None:
    found = cli("render", "flow.py", "-o", "-", "--namespace", "team")
    objects = list(yaml.safe_load_all(found.out))
    assert [item["kind"] for item in objects] == ["ConfigMap", *["Task"] * 4, *["Workflow"] * 3]
    assert {item["metadata"]["namespace"] for item in objects} == {"team"}
    assert "&id" not in found.out


def test_labels_and_annotations_stand_on_every_object(cli: Cli) -> None:
    words = ("--label", "team=words", "--label", "example.com/tier=", "--annotation", "why=a text, of any kind = so")
    objects = list(yaml.safe_load_all(cli("render", "flow.py", "-o", "-", *words).out))
    for one in objects:
        assert one["metadata"]["labels"] == {"example.com/tier": "", "team": "words"}
        assert one["metadata"]["annotations"] == {"why": "a text, of any kind = so"}
    plain = yaml.safe_load_all(cli("render", "flow.py", "-o", "-").out)
    assert all(set(one["metadata"]) == {"name"} for one in plain)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--label", "team"), "argument --label: a label is KEY=VALUE, not 'team'"),
        (("--label", "a b=c"), "'a b' is no key of a label"),
        (("--annotation", f"{'k' * 64}=c"), "is no key of an annotation: a name of at most 63 characters"),
        (("--label", "team=a b"), "'a b' is no value of a label"),
        (("--label", f"team={'x' * 64}"), "an annotation takes any text"),
    ],
)
def test_what_can_be_no_label_is_refused_before_anything_is_written(
    cli: Cli, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    found = cli("render", "flow.py", "-o", "out", *words)
    assert found.code == 2 and says in found.err
    assert not (tmp_path / "out").exists()


def test_long_names_and_names_that_differ_in_little_stay_apart(cli: Cli, tmp_path: Path) -> None:
    long = "f" * 300
    (tmp_path / "names.py").write_text(
        "from windlass import task\n"
        + "".join(
            f"@task\ndef {name}() -> int:\n    return 1\n"
            for name in ("a_b", "a__b", "A_b", "_a_b", f"{long}1", f"{long}2")
        )
    )
    assert cli("render", "names.py", "-o", "out").code == 0
    assert cli("validate", "out").code == 0
    files = [path.name for path in (tmp_path / "out").glob("task-*.yaml")]
    assert len(files) == 6 and max(map(len, files)) < 255


def test_a_small_change_is_a_small_diff(cli: Cli, tmp_path: Path) -> None:
    def contents() -> dict[str, list[str]]:
        return {path.name: path.read_text().splitlines() for path in (tmp_path / "out").iterdir()}

    cli("render", "flow.py", "-o", "out", "--copy", "none")
    before = contents()
    (tmp_path / "flow.py").write_text(FLOW.replace("scale: float = 1.0", "scale: float = 2.0"))
    cli("render", "flow.py", "-o", "out", "--copy", "none")
    after = contents()
    assert [name for name in after if after[name] != before[name]] == ["task-flow.volume.yaml"]
    old, new = before["task-flow.volume.yaml"], after["task-flow.volume.yaml"]
    changed = [(a.strip(), b.strip()) for a, b in zip(old, new, strict=True) if a != b]
    assert changed == [("default: 1.0", "default: 2.0")]


def test_code_in_the_image_needs_no_bundle(cli: Cli) -> None:
    objects = list(yaml.safe_load_all(cli("render", "flow.py", "-o", "-", "--copy", "none").out))
    assert {item["kind"] for item in objects} == {"Task", "Workflow"}
    assert objects[0]["spec"]["python"] == {"entrypoint": "flow:volume"}


def test_all_files_may_travel_and_rendering_into_the_project_stays_stable(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1,2\n")
    for _ in range(2):
        assert cli("render", "flow.py", "-o", "out", "--copy", "all").code == 0
    assert len(list((tmp_path / "out").glob("configmap-*"))) == 1


def test_a_workflow_that_does_not_compile_is_shown_with_its_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(FLOW + "\n@workflow\ndef bad() -> int:\n    return fail(n='x')\n")
    found = cli("render", "bad.py", "-o", "-")
    assert found.code == 1
    assert "windlass: bad.py can't be compiled:" in found.err
    assert "return fail(n='x')" in found.err and "Failed to Bind variable 'n' for function 'bad.fail'" in found.err


def test_any_mistake_in_a_workflows_body_is_shown_with_its_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(FLOW + "\n@workflow\ndef bad() -> int:\n    return 1 / 0\n")
    for words in (["render", "bad.py", "-o", "-"], ["validate", "bad.py"], ["run", "bad.py", "bad", "--remote"]):
        found = cli(*words)
        assert found.code == 1
        assert "windlass: bad.py can't be compiled:" in found.err
        assert "return 1 / 0" in found.err and "_compile.py" not in found.err


def test_a_mistake_that_none_of_the_users_lines_runs_is_told_without_a_traceback(cli: Cli, tmp_path: Path) -> None:
    workflow = "\n@workflow(on_failure=fail)\ndef bad(name: str) -> str:\n    return name\n"
    (tmp_path / "bad.py").write_text(FLOW + workflow)
    found = cli("render", "bad.py", "-o", "-")
    assert found.code == 1
    assert "bad.py:" in found.err and "bad.fail can't be the on_failure of bad.bad" in found.err
    assert "Traceback" not in found.err
    assert "_failure_node.py" in cli("run", "bad.py", "bad", "--name", "x", "--full-traceback").err


def test_what_a_file_refers_to_in_the_cluster_need_not_stand_beside_it(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "refers.py").write_text(
        "from windlass import map_task, reference_launch_plan, reference_task, reference_workflow, workflow\n"
        "@reference_task(project='', domain='', name='other.length', version='v1')\n"
        "def length(text: str) -> int: ...\n"
        "@reference_workflow(project='', domain='', name='other.flow', version='v1')\n"
        "def flow(text: str) -> int: ...\n"
        "@reference_launch_plan(project='', domain='', name='other.plan', version='v1')\n"
        "def plan(text: str) -> int: ...\n"
        "@workflow\n"
        "def refers(text: str) -> tuple[int, int, list[int]]:\n"
        "    return flow(text=text), plan(text=text), map_task(length)(text=[text])\n"
    )
    assert cli("validate", "refers.py") == (0, "1 object in 1 file: all valid\n", "")
    assert cli("render", "refers.py", "-o", "out").code == 0
    found = cli("validate", "out")
    assert found.code == 1
    assert "spec.nodes[0].workflow: there is no Workflow `other.flow` in version `v1`" in found.err


def test_too_large_a_bundle_is_refused(cli: Cli, tmp_path: Path) -> None:
    import random

    (tmp_path / "noise.bin").write_bytes(random.Random(0).randbytes(1_000_000))
    found = cli("render", "flow.py", "-o", "out", "--copy", "all")
    assert found.code == 1
    assert "the limit is 900 KiB" in found.err and "noise.bin" in found.err
    assert "Traceback" not in found.err


def test_manifests_that_break_a_rule_are_not_written(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "wide.py").write_text("from windlass import task\n@task(retries=1000)\ndef f() -> int:\n    return 1\n")
    found = cli("render", "wide.py", "-o", "out")
    assert found.code == 1
    assert "Task wide.f: spec.retries" in found.err
    assert not (tmp_path / "out").exists()


# ---- validate ----


def test_valid_manifests_are_counted(cli: Cli) -> None:
    found = cli("validate", str(ROOT / "examples" / "manifests"))
    assert found == (0, "6 objects in 1 file: all valid\n", "")


def test_what_is_rendered_is_valid_and_so_is_the_python_file(cli: Cli) -> None:
    cli("render", "flow.py", "-o", "out")
    assert cli("validate", "out").code == 0
    assert cli("validate", "flow.py").out == "8 objects in 1 file: all valid\n"


def test_findings_name_file_object_and_field(cli: Cli, tmp_path: Path) -> None:
    text = (ROOT / "examples" / "manifests" / "hello.yaml").read_text()
    (tmp_path / "bad.yaml").write_text(
        text.replace("nodes.width.outputs.o0", "nodes.widht.outputs.o0").replace("retries: 1", "retires: 1")
    )
    found = cli("validate", "bad.yaml")
    assert found.code == 1
    assert "bad.yaml: Workflow greetings: spec.nodes[2].inputs.width" in found.err
    assert "bad.yaml: Task greetings.card: spec.retires" in found.err


def test_broken_and_foreign_files_are_named_and_the_others_still_checked(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "broken.yaml").write_text("a: [\n")
    (folder / "foreign.yaml").write_text("just: data\n")
    (folder / "list.yaml").write_text(
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: windlass.dev/v1alpha1, kind: Tsk, metadata: {name: x}}\n"
    )
    found = cli("validate", "many")
    assert found.code == 1
    assert "broken.yaml:2:1: this is no YAML" in found.err
    assert "foreign.yaml: document 1 is no Kubernetes object" in found.err
    assert "list.yaml: Tsk x: kind" in found.err


def test_nothing_to_validate_is_an_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert cli("validate", "none").code == 2
    assert cli("validate", "nowhere.yaml").code == 2
    assert "is neither a manifest" in cli("validate", str(ROOT / "pyproject.toml")).err


def test_a_reader_that_has_gone_ends_the_command_quietly(cli: Cli, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "windlass._cli", "render", "flow.py", "-o", "-"],
            cwd=tmp_path, stdout=out, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
