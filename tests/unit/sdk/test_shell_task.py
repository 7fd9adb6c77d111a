"""ShellTask: real scripts, with their inputs in place and their outputs where they leave them."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from windlass import FlyteAssertion, Resources, task, workflow
from windlass._data.files import FlyteFile
from windlass._data.folders import FlyteDirectory
from windlass._emit import manifest
from windlass._metadata import TaskMetadata
from windlass._shell_task import OutputLocation, ShellTask

TextFile: Any = FlyteFile["txt"]  # type: ignore[name-defined]  # a format, no type

count = ShellTask(
    name="count",
    script="wc -l < {inputs.text} > {outputs.lines}",
    inputs={"text": FlyteFile},
    output_locs=[OutputLocation(var="lines", var_type=TextFile, location="{inputs.text}.lines")],
    metadata=TaskMetadata(retries=1),
    limits=Resources(cpu=1),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a test is its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(script: str, **options: Any) -> ShellTask:
    return ShellTask(name="sh", script=script, **options)


def output(name: str, location: str, kind: Any = FlyteFile) -> OutputLocation:
    return OutputLocation(name, kind, location)


def test_a_file_goes_in_and_a_file_comes_out(folder: Path) -> None:
    (folder / "text").write_text("a\nb\n")
    lines = count(text=FlyteFile(str(folder / "text")))
    assert Path(lines).read_text().strip() == "2"


def test_a_script_is_a_node_like_any_task(folder: Path) -> None:
    (folder / "text").write_text("a\nb\nc\n")

    @task
    def number(lines: FlyteFile) -> int:
        return int(Path(lines).read_text())

    @workflow
    def counted(text: FlyteFile) -> int:
        return number(lines=count(text=text))

    assert counted(text=FlyteFile(str(folder / "text"))) == 3
    assert [node.name for node in counted.nodes] == ["count", "number"]


def test_values_stand_in_the_script_as_python_prints_them(folder: Path) -> None:
    told = shell(
        "echo {inputs.n} {inputs.on} '{inputs.at}' {inputs.name} { inputs.n } > told",
        inputs={"n": int, "on": bool, "at": datetime.date, "name": (str, "x y")},
        output_locs=[output("told", "told")],
    )
    result = told(n=3, on=True, at=datetime.date(2024, 1, 2))
    assert Path(result).read_text() == "3 True 2024-01-02 x y 3\n"


def test_other_braces_are_the_shell_s(folder: Path) -> None:
    shell("HERE=1; x() { echo ${HERE}{a} '{inputs}' '{other.b}'; }; x > told", shell="/bin/bash")()
    assert (folder / "told").read_text() == "1{a} {inputs} {other.b}\n"


def test_the_context_can_be_asked(folder: Path) -> None:
    shell("echo {ctx.execution_id.name} {ctx.task_id.name} > told")()
    assert (folder / "told").read_text() == "local sh\n"


def test_several_outputs_are_a_tuple_with_names_and_may_be_folders(folder: Path) -> None:
    both = shell(
        "echo 1 > {outputs.one}; mkdir -p {outputs.tree}; echo 2 > {outputs.tree}/leaf",
        inputs={"where": str},
        output_locs=[output("one", "{inputs.where}/one"), output("tree", "{inputs.where}/tree", FlyteDirectory)],
    )
    (folder / "w").mkdir()
    result = both(where="w")
    assert Path(result.one).read_text() == "1\n"
    assert (Path(result.tree) / "leaf").read_text() == "2\n"
    assert both.output_locs[0].location == "{inputs.where}/one"
    assert repr(both.output_locs[1]).startswith("OutputLocation(var='tree'")


def test_a_script_may_be_in_a_file_and_run_by_another_shell(folder: Path) -> None:
    (folder / "s.sh").write_text("#!/bin/bash\n[[ {inputs.a} == 1* ]] && echo yes > told\n")
    from_file = ShellTask(name="file", script_file="s.sh", shell="/bin/bash", inputs={"a": str})
    from_file(a="12")
    assert (folder / "told").read_text() == "yes\n"
    assert from_file.script.startswith("#!/bin/bash")


def test_debug_shows_the_script_with_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    shell("true {inputs.a}", inputs={"a": int}, debug=True)(a=7)
    assert "true 7\n" in capsys.readouterr().out


def test_what_the_script_prints_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    shell("echo out; echo err >&2")()
    seen = capfd.readouterr()
    assert (seen.out, seen.err) == ("out\n", "err\n")


def test_an_exit_code_other_than_0_fails_with_what_it_told(folder: Path) -> None:
    message = rf"(?s)Error encountered while executing 'sh':.*ended with exit code 3 in {folder}:\nno luck"
    with pytest.raises(RuntimeError, match=message):
        shell("echo no luck >&2; exit 3", retries=2)()
    with pytest.raises(RuntimeError, match=r"exit code 1 in .*; it told no error"):
        shell("false")()


def test_an_output_that_is_not_there_is_named() -> None:
    with pytest.raises(FlyteAssertion, match="has left no nowhere, where its output o should be"):
        shell("true", output_locs=[output("o", "nowhere")])()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "needs one of them"),
    ({"script": "a", "script_file": "b"}, "takes either a script or a script_file"),
    ({"script": "a", "output_locs": [output("o", "x", int)]}, "a script leaves files"),
    ({"script": "{inputs.a}"}, r"has no \{inputs\.a\}; there are none here"),
    ({"script": "{outputs.b}", "output_locs": [output("o", "x")]}, r"has no \{outputs\.b\}; there are o"),
    ({"script": "a", "output_locs": [output("o", "{outputs.o}")]}, r"has no \{outputs\.o\}"),
    ({"script": "a", "retrys": 1}, r"Unrecognized argument\(s\) for ShellTask: retrys"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=str)
def test_what_can_not_be_is_refused_where_it_is_written(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ShellTask(name="wrong", **options)


def test_its_manifest_says_where_its_pod_finds_it() -> None:
    spec = manifest(count)["spec"]
    assert spec["python"] == {"entrypoint": f"{__name__}:count"}
    assert spec["outputs"] == {"lines": {"type": "file[txt]"}}
    assert (spec["retries"], spec["resources"]) == (1, {"limits": {"cpu": "1"}})
    with pytest.raises(FlyteAssertion, match="the shell sh is in no variable"):
        shell("true").runner()
