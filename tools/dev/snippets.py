"""Documents that show files and commands show the real ones.

A comment above a fenced block says where its content comes from::

    <!-- file: examples/hello.py -->           the block is that file (a Python file without its docstring)
    <!-- run -->                               every line `$ command` is run, and what it prints stands below it

``write`` brings the documents up to date; a test asks whether they are. Commands run in the root of the repository,
with the programs of ``.venv``, and without a cluster.
"""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

from dev.console import ROOT, StepError, environment

_BLOCK = re.compile(
    r"(?P<head><!-- (?P<marker>run|file: (?P<file>\S+)) -->\n```(?P<language>\w*)\n)(?P<body>.*?)(?P<foot>^```$)",
    re.MULTILINE | re.DOTALL,
)
PROMPT = "$ "
COMMAND_SECONDS = 60


def documents() -> list[Path]:
    """Every document for people."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def write() -> None:
    """Bring all documents up to date."""
    for document in documents():
        text = document.read_text()
        fresh = render(text)
        if fresh != text:
            document.write_text(fresh)


def render(text: str) -> str:
    """A document with the content of its marked blocks made anew."""
    return _BLOCK.sub(lambda block: block["head"] + _content(block) + block["foot"], text)


def _content(block: re.Match[str]) -> str:
    if block["file"]:
        source = ROOT / block["file"]
        if not source.is_file():
            raise StepError(f"a document shows {block['file']}, which is not there")
        return _shown(source)
    return "".join(transcript(command) for command in commands(block["body"]))


def _shown(source: Path) -> str:
    text = source.read_text()
    if source.suffix != ".py" or ast.get_docstring(module := ast.parse(text)) is None:
        return text
    return "".join(text.splitlines(keepends=True)[module.body[0].end_lineno :]).lstrip("\n")


def commands(body: str) -> list[str]:
    """The commands of a block, without their prompts."""
    return [line.removeprefix(PROMPT) for line in body.splitlines() if line.startswith(PROMPT)]


def transcript(command: str) -> str:
    """A command as a person types it, and what it answers, on both streams."""
    variables = environment(COLUMNS="100", NO_COLOR="1", TERM="dumb", PYTHONUNBUFFERED="1")
    result = subprocess.run(
        command,
        shell=True,
        cwd=ROOT,
        env=variables,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    answer = "".join(f"{line.rstrip()}\n" for line in result.stdout.splitlines())
    return f"{PROMPT}{command}\n{answer}"
