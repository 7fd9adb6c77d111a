"""Type checkers see through the decorators: a task's calls are checked against its function's signature."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

SNIPPET = """
from windlass import FlyteRecoverableException, Resources, task, workflow


@task
def double(n: int, label: str = "x") -> int:
    return 2 * n


@task(retries=2, requests=Resources(cpu=1), retry_on=[OSError])
def describe(n: int) -> str:
    raise FlyteRecoverableException(str(n))


@workflow
def main(n: int = 3) -> str:
    return describe(n=double(n, label="y"))


reveal_type(double(1))
reveal_type(main(n=2))
reveal_type(main())
double("1")
double(1, lable="y")
describe()
main(n="2")
task(retrys=1)
"""

EXPECTED = [
    (20, 'note: Revealed type is "int"'),
    (21, 'note: Revealed type is "str"'),
    (22, 'note: Revealed type is "str"'),
    (23, '"str"; expected "int"'),
    (24, 'Unexpected keyword argument "lable"'),
    (25, 'Missing positional argument "n"'),
    (26, '"str"; expected "int"'),
    (27, 'Unexpected keyword argument "retrys"'),
]


def test_mypy_checks_calls_of_tasks_and_workflows_by_the_signature_of_the_function(tmp_path: Path) -> None:
    (tmp_path / "snippet.py").write_text(SNIPPET)
    found = _mypy(tmp_path / "snippet.py")
    for line, part in EXPECTED:
        assert any(number == line and part in message for number, message in found), (line, part, found)
    assert {number for number, message in found if "error" in message} == {23, 24, 25, 26, 27}


PYRIGHT = [
    (20, 'is "int"'),
    (21, 'is "str"'),
    (22, 'is "str"'),
    (23, '"Literal[\'1\']" cannot be assigned to parameter "n" of type "int"'),
    (24, 'No parameter named "lable"'),
    (25, 'Argument missing for parameter "n"'),
    (26, '"Literal[\'2\']" cannot be assigned to parameter "n" of type "int"'),
    (27, "No overloads for"),
]


def test_pyright_checks_them_by_the_same_signature(tmp_path: Path) -> None:
    (tmp_path / "snippet.py").write_text(SNIPPET)
    found = _pyright(tmp_path)
    for line, part in PYRIGHT:
        assert any(number == line and part in message for number, _, message in found), (line, part, found)
    assert {number for number, severity, _ in found if severity == "error"} == {23, 24, 25, 26, 27}


def _pyright(folder: Path) -> list[tuple[int, str, str]]:
    settings = {"extraPaths": [str(ROOT / "sdk/src")], "typeCheckingMode": "standard", "include": ["snippet.py"]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    program = Path(sys.executable).parent / "basedpyright"  # pyright, with all it needs in one package
    command = [str(program), "--project", str(folder), "--outputjson"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return [
        (one["range"]["start"]["line"] + 1, one["severity"], one["message"])
        for one in json.loads(done.stdout)["generalDiagnostics"]
    ]


def _mypy(file: Path) -> list[tuple[int, str]]:
    cache = str(ROOT / ".mypy_cache" / "snippet")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", cache, file.name]
    environment = {**os.environ, "MYPYPATH": str(ROOT / "sdk/src")}
    done = subprocess.run(command, cwd=file.parent, capture_output=True, text=True, env=environment)
    return [(int(line), message) for line, message in re.findall(r"snippet\.py:(\d+): (.*)", done.stdout + done.stderr)]
