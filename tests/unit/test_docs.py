"""Documents tell the truth: links lead somewhere, commands and files are real, manifests are valid."""

from __future__ import annotations

import argparse
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import yaml

from dev import snippets
from dev.console import ROOT, output
from localcluster.__main__ import _parser as localcluster_parser
from windlass._cli import _parser as windlass_parser
from windlass_api.manifests_check import validate_manifests
from windlass_operator.core import unsupported

DOCUMENTS = snippets.documents()
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def blocks(document: Path, language: str) -> list[str]:
    return [body for found, body in _FENCE.findall(document.read_text()) if found == language]


def prose(document: Path) -> str:
    return _FENCE.sub("", document.read_text())


def commands(document: Path) -> list[str]:
    return [command for body in blocks(document, "console") for command in snippets.commands(body)]


def headings(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@each_document
def test_files_and_commands_in_a_document_are_as_they_are(document: Path) -> None:
    text = document.read_text()
    assert snippets.render(text) == text, "make generate brings it up to date"


@each_document
def test_links_lead_to_files_and_headings_that_exist(document: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", prose(document)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        path = (document.parent / file).resolve() if file else document
        assert path.exists(), target
        if anchor:
            assert anchor in headings(path), target


@each_document
def test_targets_of_make_in_a_document_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for command in commands(document) for name in re.findall(r"^make ([a-z-]+)", command)}
    named |= set(re.findall(r"`make ([a-z-]+)", document.read_text()))
    assert named <= targets


@each_document
def test_paths_that_commands_name_exist(document: Path) -> None:
    for command in commands(document):
        for path in re.findall(r"(?:^| )((?:examples|charts|crds|docs|tools|tests)/[\w./-]+)", command):
            assert (ROOT / path).exists(), command


@each_document
def test_options_of_windlass_in_a_document_are_in_the_reference(document: Path) -> None:
    reference = (ROOT / "docs" / "reference" / "cli.md").read_text()
    for command in commands(document):
        program, *words = command.split()
        if program not in ("windlass", "windlass-operator"):
            continue
        name = " ".join(words[:2]) if f"### {program} {' '.join(words[:2])}\n" in reference else words[0]
        section = reference.partition(f"### {program} {name}\n")[2].partition("\n### ")[0]
        assert section, command
        own = words[3:] if words[0] == "run" and program == "windlass" else words[1:]
        inputs_of_a_workflow = {"--name", "--text", "--nmae", "--top", "--help"}
        inputs_of_a_workflow |= {"--amount", "--n", "--region", "--source", "--start", "--words"}
        for option in (word.partition("=")[0] for word in own if word.startswith("--")):
            assert option in inputs_of_a_workflow or f"{option}" in section, command


def parsed(words: list[str]) -> bool:
    """Understood by the program that is named, if that is ours; raises SystemExit where not."""
    while words and "=" in words[0]:
        words = words[1:]
    parsers: list[tuple[list[str], argparse.ArgumentParser]] = [
        (["windlass"], windlass_parser()),
        ([".venv/bin/python", "-m", "localcluster"], localcluster_parser()),
        (["python", "-m", "localcluster"], localcluster_parser()),
    ]
    for program, parser in parsers:
        if words[: len(program)] == program and words[len(program) :] not in ([], ["--help"]):
            parser.parse_args(words[len(program) :])
            return True
    return False


@each_document
def test_commands_of_ours_in_a_document_are_understood(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def complaint(command: str) -> str:
        try:
            parsed(shlex.split(command, comments=True))
        except SystemExit:
            return f"{command}\n{capsys.readouterr().err}"
        return ""

    for command in commands(document):
        assert not complaint(re.split(r" 2>| [|>] ", re.sub(r'eval "\$\((.*)\)"', r"\1", command))[0])
    for command in re.findall(r"`((?:windlass|python -m localcluster) [^`]*)`", " ".join(prose(document).split())):
        told = complaint(command)
        assert not told or "arguments are required" in told, "more is wrong than what a sentence leaves out"


@each_document
def test_what_is_typed_in_a_console_stands_behind_a_prompt(document: Path) -> None:
    for body in blocks(document, "console"):
        assert body.startswith(snippets.PROMPT), body


@each_document
def test_values_of_the_chart_that_commands_set_exist(document: Path) -> None:
    known = yaml.safe_load((ROOT / "charts" / "windlass" / "values.yaml").read_text())
    for path in re.findall(r"--set(?:-string)?[ =]([^ `]+)", document.read_text()):
        for part in path.split(","):
            found = known
            for step in part.partition("=")[0].split("."):
                assert isinstance(found, dict) and step in found, path
                found = found[step]


@each_document
def test_manifests_in_a_document_are_valid(document: Path) -> None:
    shown = [
        manifest
        for body in blocks(document, "yaml")
        for manifest in yaml.safe_load_all(body)
        if str(manifest.get("apiVersion", "")).startswith("windlass.dev/")
    ]
    wrong = [str(finding) for _, finding in validate_manifests(_with_the_examples(shown))]
    assert wrong == []


@cache
def rendered_examples() -> list[dict[str, object]]:
    stream = output(["windlass", "render", "examples/wordcount.py", "-o", "-"])
    return list(yaml.safe_load_all(stream))


def _with_the_examples(shown: list[dict[str, object]]) -> list[dict[str, object]]:
    """What a document leaves out, such as the tasks of its workflow, is in the examples."""
    described = {(one["kind"], str(one["metadata"])) for one in shown}
    files = sorted((ROOT / "examples" / "manifests").glob("*.yaml"))
    others = [one for file in files for one in yaml.safe_load_all(file.read_text())] + rendered_examples()
    return [*shown, *(one for one in others if (one["kind"], str(one["metadata"])) not in described)]


def test_every_decision_is_listed_and_has_its_four_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    files = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    numbers = [path.name[:4] for path in files]
    assert all(number.isdigit() for number in numbers)
    assert len(set(numbers)) == len(numbers), "two decisions have one number"
    for path in files:
        text = path.read_text()
        assert f"({path.name})" in listed
        assert text.startswith(f"# {path.name[:4]}: "), path.name
        assert all(f"**{part}" in text for part in ("Context", "Options", "Choice", "What would change it")), path.name


def test_every_code_of_a_failure_is_among_the_errors() -> None:
    guide = (ROOT / "docs" / "guides" / "errors.md").read_text()
    sources = ROOT / "operator" / "src" / "windlass_operator"
    text = "".join(path.read_text() for room in ("core", "kinds") for path in sorted((sources / room).glob("*.py")))
    codes = set(re.findall(r'FailureKind\.(?:USER|SYSTEM),\s*"(\w+)"', text))
    runtime = ROOT / "sdk" / "src" / "windlass" / "runtime"
    in_pods = "".join(path.read_text() for path in runtime.glob("*.py"))
    codes |= set(re.findall(r'\("(?:user|system)", "([\w:]+)"', in_pods)) | set(re.findall(r'"(USER:\w+)"', in_pods))
    assert codes and sorted(code for code in codes if f"`{code}`" not in guide) == []


def test_what_the_operator_refuses_is_what_the_guide_to_writing_lists() -> None:
    guide = (ROOT / "docs" / "guides" / "authoring.md").read_text()
    section = guide.partition("## What a cluster does not do yet")[2]
    listed = {
        (where, field)
        for where, fields in re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE)
        for field in re.findall(r"`([\w.]+)`", fields)
    }
    assert listed == {(row.where, row.field) for row in unsupported.ROWS}


def test_contributing_fits_a_page() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 50
