"""Documents that show files and commands show the real ones.

A comment above a fenced block says where its content comes from::

    <!-- file: examples/hello.py -->           the block is that file (a Python file without its docstring)
    <!-- file: examples/hello.py#greet,hello --> of that file, only what is called so
    <!-- run -->                               every line `$ command` is run, and what it prints stands below it
    <!-- python -->                            the block is run, and what it prints stands in a block ``text`` behind it

``write`` brings the documents up to date; a test asks whether they are. Commands run in the root of the repository,
with the programs of ``.venv``, and without a cluster. The Python blocks of a document are one program, so that later
ones may use what earlier ones have defined; it must not fail.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dev.console import PYTHON, ROOT, StepError, environment

_BLOCK = re.compile(
    r"(?P<head><!-- (?P<marker>run|file: (?P<file>\S+)) -->\n```(?P<language>\w*)\n)(?P<body>.*?)(?P<foot>^```$)",
    re.MULTILINE | re.DOTALL,
)
_PYTHON = re.compile(
    r"(?P<block><!-- python -->\n```python\n(?P<code>.*?)^```$)(?:\n\n```text\n.*?^```$)?", re.MULTILINE | re.DOTALL
)
_PROGRAM = "guide.py"
_END_OF_BLOCK = "\0"
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
    text = _BLOCK.sub(lambda block: block["head"] + _content(block) + block["foot"], text)
    answers = iter(_answers([block["code"] for block in _PYTHON.finditer(text)]))
    return _PYTHON.sub(lambda block: block["block"] + _in_block(next(answers)), text)


def _content(block: re.Match[str]) -> str:
    if block["file"]:
        name, _, parts = block["file"].partition("#")
        source = ROOT / name
        if not source.is_file():
            raise StepError(f"a document shows {name}, which is not there")
        return _excerpt(source, parts.split(",")) if parts else _shown(source)
    with tempfile.TemporaryDirectory() as cache:
        return "".join(transcript(command, {"WINDLASS_CACHE_HOME": cache}) for command in commands(block["body"]))


def _shown(source: Path) -> str:
    text = source.read_text()
    if source.suffix != ".py" or ast.get_docstring(module := ast.parse(text)) is None:
        return text
    return "".join(text.splitlines(keepends=True)[module.body[0].end_lineno :]).lstrip("\n")


def _excerpt(source: Path, names: list[str]) -> str:
    """What the names stand for at the top level of a Python file, in the order of the names."""
    text = source.read_text()
    found = {name: statement for statement in ast.parse(text).body for name in _defined(statement)}
    missing = [name for name in names if name not in found]
    if missing:
        raise StepError(f"a document shows {missing[0]} of {source.name}, which does not define it")
    lines = text.splitlines(keepends=True)
    return "\n\n".join("".join(lines[_first_line(found[name]) - 1 : found[name].end_lineno]) for name in names)


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    return [target.id for target in getattr(statement, "targets", ()) if isinstance(target, ast.Name)]


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _answers(blocks: list[str]) -> list[str]:
    """What each block of a program prints."""
    if not blocks:
        return []
    end = f"print({_END_OF_BLOCK!r}, end='')\n"
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / _PROGRAM
        program.write_text("".join(f"{block}\n{end}" for block in blocks))
        cache = {"WINDLASS_CACHE_HOME": str(Path(folder) / "cache")}
        printed, status = _run(f"{PYTHON} {program}", cache)
    if status:
        raise StepError(f"the Python of a document fails:\n{printed}")
    return printed.replace(f"{folder}/", "").split(_END_OF_BLOCK)[:-1]


def _in_block(answer: str) -> str:
    return f"\n\n```text\n{answer.rstrip()}\n```" if answer.strip() else ""


def commands(body: str) -> list[str]:
    """The commands of a block, without their prompts."""
    return [line.removeprefix(PROMPT) for line in body.splitlines() if line.startswith(PROMPT)]


def transcript(command: str, variables: Mapping[str, str]) -> str:
    """A command as a person types it, and what it answers, on both streams."""
    printed, _ = _run(command, variables)
    answer = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
    return f"{PROMPT}{command}\n{answer}"


def _run(command: str, variables: Mapping[str, str]) -> tuple[str, int]:
    """What a command prints, on both streams, and how it ends. Paths in the repository are shown from its root.

    Settings of whoever runs this don't count.
    """
    inherited = environment(COLUMNS="100", NO_COLOR="1", TERM="dumb", PYTHONUNBUFFERED="1")
    own = {name: value for name, value in inherited.items() if not name.startswith(("WINDLASS_", "FLYTE_"))}
    result = subprocess.run(
        command,
        shell=True,
        cwd=ROOT,
        env={**own, **variables},
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS,
    )
    return result.stdout.replace(f"{ROOT}/", ""), result.returncode
