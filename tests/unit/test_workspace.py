"""What the Makefile calls, and the files that hold the workspace together."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import tomllib
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dev import bootstrap, demo, generate, reference, snippets, verify
from dev.console import ROOT, StepError

OURS = ("windlass", "windlass-operator")


def project(name: str) -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((ROOT / name / "pyproject.toml").read_text())["project"]
    return found


# The lock


def closure(roots: list[str]) -> set[str]:
    """Everything that these requirements need, by the metadata of what is installed."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(root) for root in roots]
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key not in seen:
            seen.add(key)
            waiting.extend(_needs(wanted))
    return {name for name, _ in seen}


def _needs(wanted: Requirement) -> Iterator[Requirement]:
    for text in metadata.requires(wanted.name) or ():
        one = Requirement(text)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)):
            yield one


def test_the_lock_holds_what_is_needed_and_nothing_else() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    needed = closure(["windlass[remote,s3]", "windlass-operator", *tools]) - set(OURS)
    held = {str(canonicalize_name(name)) for name in bootstrap.locked(bootstrap.LOCK.read_text())}
    assert needed - held == set(), "not in constraints.txt"
    assert held - needed == set(), "in constraints.txt, and needed by nothing"


def test_every_line_of_the_lock_names_one_version() -> None:
    locked = bootstrap.locked(bootstrap.LOCK.read_text())
    assert locked and all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in locked.values())


def test_the_lock_names_no_package_index() -> None:
    assert "://" not in bootstrap.LOCK.read_text() and "--" not in bootstrap.LOCK.read_text()


def test_distributions_chart_and_operator_have_one_version() -> None:
    chart = yaml.safe_load((ROOT / "charts/windlass/Chart.yaml").read_text())
    source = (ROOT / "operator/src/windlass_operator/__init__.py").read_text()
    inside = re.search(r'__version__ = "(.*)"', source)
    assert inside is not None
    assert {project("sdk")["version"], project("operator")["version"], chart["version"], chart["appVersion"]} == {
        inside[1]
    }


# make


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_help_lists_every_target_and_comes_first() -> None:
    listed = set(re.findall(r"^  ([a-z-]+) ", make().stdout, re.MULTILINE))
    assert listed == targets() - {"python"}


def test_every_target_is_phony() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None and set(phony[1].split()) == targets()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert "\n$ make test\n" in (ROOT / "README.md").read_text()
    assert re.search(r"^part test make test$", script.read_text(), re.MULTILINE)


# make setup


def test_setting_up_again_does_nothing_when_nothing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = tmp_path / "stamp"
    stamp.write_text(bootstrap.fingerprint())
    monkeypatch.setattr(bootstrap, "STAMP", stamp)
    monkeypatch.setattr(bootstrap, "run", lambda *_: pytest.fail("a program was run"))
    bootstrap.ensure_venv()


def test_a_changed_lock_installs_again_and_an_interrupted_installation_is_not_taken_for_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = tmp_path / "stamp"
    stamp.write_text("as it was with another lock")

    def interrupted(command: list[str]) -> None:
        raise StepError("no network")

    monkeypatch.setattr(bootstrap, "STAMP", stamp)
    monkeypatch.setattr(bootstrap, "run", interrupted)
    with pytest.raises(StepError, match="no network"):
        bootstrap.ensure_venv()
    assert not stamp.exists()


def test_pip_is_told_to_resolve_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(bootstrap, "run", commands.append)
    bootstrap.ensure_venv()
    assert commands and all("--no-deps" in command for command in commands if "pip" in command)
    assert (tmp_path / "stamp").read_text() == bootstrap.fingerprint()


def test_a_python_that_is_too_old_is_refused_with_the_way_out() -> None:
    bootstrap.check_python((3, 11))
    with pytest.raises(StepError, match=r"3\.11 or newer .*\n.*make setup PYTHON=python3\.11"):
        bootstrap.check_python((3, 9))


def test_missing_packages_are_named_where_they_cannot_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(StepError) as problem:
        bootstrap.install_packages([("python3-venv", "makes .venv")])
    assert "python3-venv" in str(problem.value) and "sudo apt-get install" in str(problem.value)


# make demo


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no such file"),
        (b"caf\xe9", "is no UTF-8 text: byte 3 is 0xe9"),
        (b"a" * (demo.INPUT_BYTES + 1), "has 921601 bytes, and an input value may have 921600"),
    ],
    ids=["missing", "not text", "too large"],
)
def test_an_input_that_cannot_be_used_is_refused_before_anything_is_built(
    content: bytes | None,
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "text"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(bootstrap, "setup", lambda **_: pytest.fail("something was built"))
    assert demo.main(["--input", str(file)]) == 1
    assert complaint in capsys.readouterr().err


def test_a_folder_is_no_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--input", "docs"]) == 1
    assert "INPUT=docs: this is no file" in capsys.readouterr().err


def test_an_unknown_kind_of_cluster_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StepError, match="CLUSTER=minikube: it is one of local, kind, current"):
        demo.check_cluster("minikube", "")


def test_missing_programs_of_another_cluster_are_all_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StepError, match="not on PATH: docker, kubectl, helm, kind"):
        demo.check_cluster("kind", "")


# make verify


def test_a_generated_file_that_differs_is_shown_with_its_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds" / "tasks.yaml").write_text("old\n")

    def generated() -> None:
        (tmp_path / "crds" / "tasks.yaml").write_text("new\n")
        (tmp_path / "crds" / "apps.yaml").write_text("another\n")

    monkeypatch.setattr(verify, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "generate", generated)
    apps, tasks = verify.drift()
    assert apps.startswith("crds/apps.yaml was not up to date") and "+another" in apps
    assert "-old" in tasks and "+new" in tasks
    assert verify.drift() == []


def test_all_that_is_generated_is_watched_for_drift() -> None:
    watched = [ROOT / place for place in generate.GENERATED]
    made = [generate.CRDS, generate.CHART_CRDS, reference.REFERENCE, ROOT / "tests/golden", ROOT / "README.md"]
    assert all(any(path == place or place in path.parents for place in watched) for path in made)


# Documents


def test_a_block_shows_the_file_that_its_comment_names() -> None:
    text = "<!-- file: examples/hello.py -->\n```python\nold\n```\nafter\n"
    shown = snippets.render(text)
    assert shown.startswith("<!-- file: examples/hello.py -->\n```python\nfrom windlass import")
    assert shown.endswith("\n```\nafter\n")


def test_a_block_of_commands_shows_what_they_print_and_keeps_other_blocks() -> None:
    text = "```console\n$ false\n```\n<!-- run -->\n```console\n$ echo one\nold\n$ echo two >&2; false\n```\n"
    assert snippets.render(text) == (
        "```console\n$ false\n```\n<!-- run -->\n```console\n$ echo one\none\n$ echo two >&2; false\ntwo\n```\n"
    )


def test_a_block_shows_the_parts_of_a_file_that_its_comment_names() -> None:
    shown = snippets.render("<!-- file: examples/hello.py#hello,greet -->\n```python\nold\n```\n")
    assert shown.startswith("<!-- file: examples/hello.py#hello,greet -->\n```python\n@workflow\ndef hello(")
    assert shown.endswith('\n\n\n@task\ndef greet(name: str) -> str:\n    return f"Hello, {name}!"\n```\n')


def test_python_blocks_are_one_program_and_what_each_prints_stands_behind_it() -> None:
    text = (
        "<!-- python -->\n```python\nn = 2\n```\n\nand\n\n"
        "<!-- python -->\n```python\nprint(n)\n```\n\n```text\nold\n```\n\n```python\nn = 3\n```\n"
    )
    assert snippets.render(text) == text.replace("old", "2")


def test_python_in_a_document_that_fails_is_a_problem() -> None:
    with pytest.raises(StepError, match="ZeroDivisionError"):
        snippets.render("<!-- python -->\n```python\n1 / 0\n```\n")


def test_a_document_that_shows_a_missing_part_of_a_file_is_a_problem() -> None:
    with pytest.raises(StepError, match=r"none of hello\.py, which does not define it"):
        snippets.render("<!-- file: examples/hello.py#none -->\n```python\n```\n")


def test_a_document_that_shows_a_missing_file_is_a_problem() -> None:
    with pytest.raises(StepError, match=r"examples/none\.py, which is not there"):
        snippets.render("<!-- file: examples/none.py -->\n```python\n```\n")
