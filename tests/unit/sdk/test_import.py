"""`import windlass` is paid in every pod: what it loads is part of its interface."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "boto3",
    "grpc",
    "pandas",
    "pydantic",
    "yaml",
    "kubernetes",
    "asyncio",
    "requests",
    "typing_extensions",
    "jsonschema",
    "dataclasses",
    "inspect",
    "ast",
    "pathlib",
    "argparse",
    "json",
    "logging",
    "urllib",
    "hashlib",
    "ssl",
    "socket",
    "subprocess",
    "tempfile",
    "importlib.metadata",
    "traceback",
    "windlass_api",
}

USER_CODE = """
from windlass import Resources, task, workflow

@task(retries=1, requests=Resources(cpu=1))
def double(n: int) -> list[int]:
    return [n, n]

@workflow
def main(n: int = 3) -> list[int]:
    return double(n=n)
"""


def loaded_by(code: str) -> set[str]:
    """The modules that are loaded once the code has run, beyond those of bare Python."""
    script = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("code", ["import windlass", USER_CODE], ids=["import", "a user's module"])
def test_importing_windlass_and_defining_tasks_loads_nothing_heavy(code: str) -> None:
    loaded = loaded_by(code)
    assert "windlass" in loaded
    assert sorted(loaded & HEAVY) == []


def test_emitting_needs_neither_pydantic_nor_yaml() -> None:
    loaded = loaded_by(f"{USER_CODE}\nfrom windlass import _emit\n_emit.manifests(_emit.complete([main]))")
    assert sorted(loaded & {"pydantic", "yaml", "kubernetes", "asyncio", "argparse"}) == []


def test_a_local_run_of_the_command_line_needs_neither_pydantic_nor_yaml_nor_kubernetes() -> None:
    loaded = loaded_by("import windlass._cli")
    assert sorted(loaded & {"pydantic", "yaml", "kubernetes", "asyncio", "importlib.metadata"}) == []


def test_every_public_name_is_there() -> None:
    import windlass

    assert [name for name in windlass.__all__ if not hasattr(windlass, name)] == []
    assert "annotations" not in windlass.__all__


def test_type_checkers_read_the_same_names_as_python() -> None:
    import windlass

    tree = ast.parse(Path(str(windlass.__file__)).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = {
        alias.name: (node.module or "").removeprefix("windlass").removeprefix(".") or alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == windlass._HOME


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    import windlass

    with pytest.raises(AttributeError, match="has no attribute 'tsak'"):
        windlass.tsak  # noqa: B018
