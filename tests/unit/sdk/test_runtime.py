"""The in-pod runtime, as a real process: a copy of the two packages, a bundle made by hand, a result file.

What runs here is what runs in a pod, without the container: boot.py is started by path, in an interpreter that knows of
no Windlass but the copy.
"""

from __future__ import annotations

import ast
import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import windlass
from windlass_api import records

SOURCES = Path(windlass.__file__).parents[1]
PACKAGES = ("windlass", "windlass_api")
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)
LIMIT = 4096
JOB = """
from windlass import task
from windlass import FlyteRecoverableException, FlyteException

@task
def double(x: int) -> int:
    return 2 * x
"""


@dataclass
class Ended:
    """What a pod's process left."""

    code: int
    record: dict[str, Any] | None
    size: int
    stdout: str
    stderr: str

    @property
    def error(self) -> dict[str, Any]:
        assert self.record is not None, self.stderr
        found: dict[str, Any] = self.record["error"]
        return found

    @property
    def outputs(self) -> dict[str, Any]:
        assert self.record is not None, self.stderr
        assert "outputs" in self.record, self.record
        found: dict[str, Any] = self.record["outputs"]
        return found


class Pod:
    """A folder that looks like a task's container from the inside."""

    def __init__(self, folder: Path, runtime: Path, python: str = BASE_PYTHON) -> None:
        self.runtime = runtime
        self.python = python
        self.work = folder / "work"
        self.bundle = folder / "bundle.tar.gz"
        self.values = folder / "values"
        self.result = folder / "result"
        self.user: str | None = None
        for made in (self.work, self.values):
            made.mkdir(parents=True)

    def code(self, files: dict[str, str]) -> None:
        """Packs the user's code."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, source in files.items():
                content = source.encode()
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        self.bundle.write_bytes(packed.getvalue())

    def start(self, entrypoint: str, inputs: dict[str, Any] | None = None, **order: Any) -> subprocess.Popen[str]:
        """The process, running."""
        bundle = str(self.bundle) if self.bundle.exists() else None
        content = {
            "task": entrypoint.replace(":", "."),
            "entrypoint": entrypoint,
            "bundle": bundle,
            "inputs": inputs or {},
        }
        env = {"WINDLASS_TASK": json.dumps({**content, **order}).replace("$", "\\u0024")}
        return self.boot(env)

    def boot(self, env: dict[str, str]) -> subprocess.Popen[str]:
        """The process with that environment."""
        places = {"WINDLASS_RESULT": str(self.result), "WINDLASS_VALUES": str(self.values), "HOME": str(self.work)}
        return subprocess.Popen(
            [self.python, str(self.runtime / "windlass" / "runtime" / "boot.py")],
            cwd=self.work,
            env={"PATH": os.environ["PATH"], **places, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            user=self.user,
        )

    def ended(self, process: subprocess.Popen[str]) -> Ended:
        """What it left when it was through."""
        stdout, stderr = process.communicate(timeout=30)
        content = self.result.read_bytes() if self.result.exists() else b""
        record = json.loads(content) if content else None
        return Ended(process.returncode, record, len(content), stdout, stderr)

    def run(self, entrypoint: str, inputs: dict[str, Any] | None = None, **order: Any) -> Ended:
        """Starts and waits."""
        return self.ended(self.start(entrypoint, inputs, **order))

    def run_body(self, body: str, *, returns: str = "int", **order: Any) -> Ended:
        """Runs a task `job.f` without inputs, made of these lines."""
        return self.ended(self.start_body(body, returns=returns, **order))

    def start_body(self, body: str, *, returns: str = "int", **order: Any) -> subprocess.Popen[str]:
        """The process of one, running."""
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        self.code({"job.py": f"{JOB}\n@task\ndef f() -> {returns}:\n{lines}"})
        return self.start("job:f", **order)


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a pod mounts."""
    folder = tmp_path_factory.mktemp("runtime")
    for package in PACKAGES:
        shutil.copytree(SOURCES / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def pod(tmp_path: Path, runtime: Path) -> Pod:
    return Pod(tmp_path, runtime)


# ---- outputs --------------------------------------------------------------------------------------------------------


def test_the_outputs_of_a_task_are_the_record(pod: Pod) -> None:
    pod.code({"job.py": JOB})
    ended = pod.run("job:double", {"x": 21})
    assert (ended.code, ended.outputs) == (0, {"o0": 42})
    assert ended.record is not None
    assert ended.record["v"] == 1
    assert list(ended.record["timings"]) == ["boot", "import", "inputs", "user", "outputs"]
    assert all(time >= 0 for time in ended.record["timings"].values())


def test_several_outputs_have_their_names(pod: Pod) -> None:
    pod.code(
        {
            "job.py": JOB
            + "from typing import NamedTuple\nStats = NamedTuple('Stats', [('total', int), ('mean', float)])\n"
            + "@task\ndef stats(xs: list[int]) -> Stats:\n    return Stats(sum(xs), sum(xs) / len(xs))\n"
        }
    )
    assert pod.run("job:stats", {"xs": [1, 2]}).outputs == {"total": 3, "mean": 1.5}


def test_a_task_without_outputs_leaves_an_empty_record(pod: Pod) -> None:
    assert pod.run_body("print('done')", returns="None").outputs == {}


def test_an_undecorated_function_is_a_task_too(pod: Pod) -> None:
    pod.code({"plain.py": "def add(a: int, b: float = 0.5) -> float:\n    return a + b\n"})
    assert pod.run("plain:add", {"a": 1}).outputs == {"o0": 1.5}


def test_an_async_task_is_awaited(pod: Pod) -> None:
    pod.code({"job.py": "async def f(x: int) -> int:\n    return x + 1\n"})
    assert pod.run("job:f", {"x": 1}).outputs == {"o0": 2}


def test_a_task_that_calls_another_one_just_runs_it(pod: Pod) -> None:
    assert pod.run_body("return double(x=4) + 1").outputs == {"o0": 9}


def test_code_may_come_with_the_image(pod: Pod) -> None:
    (pod.work / "job.py").write_text(JOB)
    assert pod.run("job:double", {"x": 1}).outputs == {"o0": 2}


def test_packages_in_the_bundle_are_found_by_their_path(pod: Pod) -> None:
    pod.code({"app/__init__.py": "", "app/flows/__init__.py": "", "app/flows/daily.py": JOB, "app/data.txt": "x"})
    assert pod.run("app.flows.daily:double", {"x": 3}).outputs == {"o0": 6}
    assert (pod.work / "app" / "data.txt").read_text() == "x"


def test_positional_only_parameters_get_their_inputs(pod: Pod) -> None:
    pod.code({"job.py": "def f(a: int, /, b: int) -> int:\n    return a - b\n"})
    assert pod.run("job:f", {"b": 1, "a": 3}).outputs == {"o0": 2}


def test_numbers_keep_their_class_and_their_digits(pod: Pod) -> None:
    pod.code({"job.py": "def f(a: int, b: float, c: float) -> list[str]:\n    return [repr(v) for v in (a, b, c)]\n"})
    outputs = pod.run("job:f", {"a": 2**53 + 1, "b": 3, "c": "-Infinity"}).outputs
    assert outputs == {"o0": ["9007199254740993", "3.0", "-inf"]}


def test_output_text_may_hold_anything_unicode(pod: Pod) -> None:
    assert pod.run_body('return "naïve ☃ \\x00 \\u2028 $HOME"', returns="str").outputs == {
        "o0": "naïve ☃ \x00 \u2028 $HOME"
    }


# ---- inputs ---------------------------------------------------------------------------------------------------------


def test_large_values_are_read_from_their_files(pod: Pod) -> None:
    (pod.values / "abc").mkdir()
    (pod.values / "abc" / "value.json.gz").write_bytes(gzip.compress(json.dumps(list(range(1000))).encode()))
    pod.code({"job.py": "def f(xs: list[list[int]]) -> int:\n    return sum(map(sum, xs))\n"})
    assert pod.run("job:f", {"xs": [{"$value": "abc"}, [1]]}).outputs == {"o0": 499501}


def test_a_missing_large_value_is_a_fault_of_the_system(pod: Pod) -> None:
    pod.code({"job.py": JOB})
    error = pod.run("job:double", {"x": {"$value": "gone"}}).error
    assert (error["kind"], error["code"]) == ("system", "ValueUnreadable")
    assert "gone/value.json.gz" in error["message"]


def test_escaped_data_arrives_as_it_was(pod: Pod) -> None:
    pod.code({"job.py": "def f(d: dict) -> str:\n    return repr(d)\n"})
    assert pod.run("job:f", {"d": {"$literal": {"$ref": "x", "k": 1}}}).outputs == {"o0": "{'$ref': 'x', 'k': 1}"}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (
            {"x": "1"},
            "Failed to convert inputs of task 'job.double':\n  Failed argument 'x': expected int, got '1' of type str",
        ),
        ({"y": 1, "x": 1}, "job:double takes no input 'y'; its inputs are x"),
        ({}, "job:double needs the input 'x', which is not given; its inputs are x"),
    ],
    ids=["wrong type", "unknown", "missing"],
)
def test_inputs_that_do_not_fit_are_the_users_to_mend(pod: Pod, inputs: dict[str, Any], words: str) -> None:
    pod.code({"job.py": JOB})
    ended = pod.run("job:double", inputs)
    assert (ended.code, ended.error["kind"], ended.error["recoverable"]) == (1, "user", False)
    assert words in ended.error["message"]


# ---- failures of the user's code ------------------------------------------------------------------------------------


def test_the_traceback_has_the_users_frames_only(pod: Pod) -> None:
    ended = pod.run_body("x = 1\nraise ValueError('no good')\nreturn x")
    assert ended.code == 1
    error = ended.error
    assert (error["kind"], error["code"], error["type"], error["message"], error["recoverable"]) == (
        "user", "USER:RuntimeError", "ValueError", "no good", False,
    )  # fmt: skip
    assert error["traceback"].startswith("Traceback (most recent call last):\n  File ")
    assert "in f\n    raise ValueError('no good')" in error["traceback"]
    assert error["traceback"].endswith("ValueError: no good")
    assert "windlass/runtime" not in error["traceback"]
    assert error["traceback"] in ended.stderr


def test_causes_and_contexts_are_told(pod: Pod) -> None:
    error = pod.run_body(
        "try:\n    {}['k']\nexcept KeyError as e:\n    raise RuntimeError('outer') from e\nreturn 1"
    ).error
    assert "KeyError: 'k'" in error["traceback"]
    assert "direct cause" in error["traceback"]
    assert "windlass/runtime" not in error["traceback"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with 3.11")
def test_members_of_exception_groups_are_told(pod: Pod) -> None:
    error = pod.run_body("raise ExceptionGroup('both', [ValueError('one'), TypeError('two')])\nreturn 1").error
    assert error["type"] == "ExceptionGroup"
    assert all(words in error["traceback"] for words in ("ValueError: one", "TypeError: two"))


@pytest.mark.parametrize(
    ("raised", "retry_on", "recoverable"),
    [
        ("FlyteRecoverableException('later')", [], True),
        ("ConnectionResetError('x')", ["ConnectionResetError"], True),
        ("ConnectionResetError('x')", ["OSError"], True),
        ("ConnectionResetError('x')", ["builtins.ConnectionError"], True),
        ("ConnectionResetError('x')", ["ValueError"], False),
        ("ValueError('x')", ["any"], True),
        ("ValueError('x')", [], False),
    ],
)
def test_what_may_be_tried_again(pod: Pod, raised: str, retry_on: list[str], recoverable: bool) -> None:
    error = pod.run_body(f"raise {raised}\nreturn 1", retryOn=retry_on).error
    assert error["recoverable"] is recoverable


def test_an_exception_may_have_its_own_code(pod: Pod) -> None:
    body = "class Quota(FlyteException):\n    _ERROR_CODE = 'MINE:Quota'\nraise Quota('empty')\nreturn 1"
    error = pod.run_body(body).error
    assert (error["code"], error["message"]) == ("MINE:Quota", "MINE:Quota: error=empty")


def test_an_exception_whose_text_fails_is_still_recorded(pod: Pod) -> None:
    body = "class Mute(Exception):\n    def __str__(self):\n        raise RuntimeError('shy')\nraise Mute\nreturn 1"
    error = pod.run_body(body).error
    assert error["type"] == "Mute"
    assert error["message"] == "<its message is not available: RuntimeError in Mute.__str__>"


def test_endless_recursion_is_recorded(pod: Pod) -> None:
    error = pod.run_body("def g(n):\n    return g(n + 1)\nreturn g(0)").error
    assert error["type"] == "RecursionError"
    assert "repeated" in error["traceback"]


@pytest.mark.parametrize(
    "text", ["'x' * 100_000", "'☃' * 100_000", "'\\\\\\\\\\n' * 50_000"], ids=["ascii", "wide", "escaped"]
)
def test_a_huge_message_is_cut_in_the_middle(pod: Pod, text: str) -> None:
    ended = pod.run_body(f"raise ValueError('START' + {text} + 'END')\nreturn 1")
    assert LIMIT - 200 < ended.size <= LIMIT
    error = ended.error
    assert error["message"].startswith("START")
    assert error["message"].endswith("END")
    assert "characters left out" in error["message"]
    assert error["traceback"].startswith("Traceback")
    assert error["traceback"].endswith("END")
    assert len(ended.stderr) > 100_000, "the log has the whole story"


@pytest.mark.parametrize("limit", [300, 512, 1000])
def test_any_limit_is_kept(pod: Pod, limit: int) -> None:
    ended = pod.run_body("raise ValueError('y' * 5000)\nreturn 1", limit=limit)
    assert ended.size <= limit
    assert ended.error["type"] == "ValueError"


def test_a_message_that_is_no_unicode_is_escaped(pod: Pod) -> None:
    assert pod.run_body("raise OSError('\\udcff name')\nreturn 1").error["message"] == "\\udcff name"


def test_leaving_with_sys_exit_before_the_outputs_is_an_error(pod: Pod) -> None:
    for code in ("", "0", "3", "'bye'"):
        ended = pod.run_body(f"import sys\nsys.exit({code})\nreturn 1")
        assert (ended.code, ended.error["type"], ended.error["kind"]) == (1, "SystemExit", "user")


def test_leaving_a_task_without_outputs_with_sys_exit_is_success_unless_it_says_otherwise(pod: Pod) -> None:
    assert pod.run_body("import sys\nsys.exit()", returns="None").outputs == {}
    assert pod.run_body("import sys\nsys.exit(2)", returns="None").error["message"] == "2"


def test_outputs_of_the_wrong_type_say_which_and_what(pod: Pod) -> None:
    ended = pod.run_body("return {'a': [1, 'x']}", returns="dict[str, list[int]]")
    assert ended.code == 1
    assert ended.error["message"] == (
        "Failed to convert outputs of task 'job.f' at position 0.\n"
        "Failed to convert type dict to type dict[str, list[int]].\n"
        "Error Message: expected int, got 'x' of type str (at a[1])"
    )


NOISE = "import random\nletters = ''.join(random.Random(1).choices('0123456789abcdef', k={}))\n"


def test_outputs_beyond_the_limit_are_compressed(pod: Pod) -> None:
    ended = pod.run_body("return ['x' * 100] * 500", returns="list[str]")
    assert ended.code == 0
    assert ended.size < LIMIT
    found = records.decode(pod.result.read_text())
    assert found is not None
    assert found["outputs"] == {"o0": ["x" * 100] * 500}
    assert "user" in found["timings"]


def test_outputs_that_are_too_large_say_how_large(pod: Pod) -> None:
    error = pod.run_body(NOISE.format(9000) + "return letters", returns="str", retryOn=["any"]).error
    assert (error["kind"], error["code"], error["recoverable"]) == ("user", "OutputTooLarge", False)
    assert "the record takes 9,1" in error["message"]
    assert "and compressed 6,6" in error["message"]
    assert "of at most 4,096" in error["message"]
    assert "o0: 9,0" in error["message"]


def test_outputs_that_nobody_would_expand_are_too_large_however_short_they_become(pod: Pod) -> None:
    error = pod.run_body("return 'x' * 1_100_000", returns="str").error
    assert error["code"] == "OutputTooLarge"
    assert "bytes of at most 1,048,576" in error["message"]


def test_outputs_may_use_the_limit_to_the_last_byte(pod: Pod) -> None:
    room = LIMIT - pod.run_body("return ''", returns="str").size - 20
    assert pod.run_body(NOISE.format(room) + "return letters", returns="str").outputs


# ---- dynamic tasks --------------------------------------------------------------------------------------------------

DYNAMIC = """
from windlass import FlyteFile, task
from windlass._dynamic import dynamic

@task
def square(n: int) -> int:
    return n * n

@task
def read(file: FlyteFile, more: list[FlyteFile]) -> int:
    return 1

@dynamic
def squares(count: int) -> list[int]:
    return [square(n=n) for n in range(count)]

@dynamic(retries=2)
def factor(n: int) -> int:
    if n < 2:
        return n
    return square(n=factor(n=n - 1)).with_overrides(retries=3)

@dynamic
def broken(n: int) -> int:
    return square(n="three")

@dynamic
def files() -> int:
    with open("here.txt", "w") as file:
        file.write("some")
    return read(file=FlyteFile("here.txt"), more=[])

@dynamic
def nothing(n: int) -> None:
    if n:
        square(n=n)
"""


@pytest.fixture
def dynamic_pod(pod: Pod) -> Pod:
    pod.code({"job.py": DYNAMIC})
    return pod


def test_the_calls_of_a_dynamic_task_are_the_record_as_a_workflow(dynamic_pod: Pod) -> None:
    ended = dynamic_pod.run("job:squares", {"count": 2})
    assert (ended.code, ended.record and set(ended.record)) == (0, {"v", "workflow", "timings"})
    assert ended.record is not None
    assert ended.record["workflow"] == {
        "outputs": {
            "o0": {
                "type": "list[int]",
                "from": [{"$ref": "nodes.dn0.outputs.o0"}, {"$ref": "nodes.dn1.outputs.o0"}],
            }
        },
        "nodes": [
            {"id": "dn0", "name": "square", "task": {"name": "job.square"}, "inputs": {"n": 0}},
            {"id": "dn1", "name": "square", "task": {"name": "job.square"}, "inputs": {"n": 1}},
        ],
    }


def test_a_dynamic_task_that_makes_no_call_leaves_its_outputs(dynamic_pod: Pod) -> None:
    assert dynamic_pod.run("job:factor", {"n": 1}).outputs == {"o0": 1}
    assert dynamic_pod.run("job:squares", {"count": 0}).outputs == {"o0": []}
    assert dynamic_pod.run("job:nothing", {"n": 0}).outputs == {}


def test_a_dynamic_task_without_outputs_leaves_its_calls(dynamic_pod: Pod) -> None:
    record = dynamic_pod.run("job:nothing", {"n": 1}).record
    assert record is not None
    assert [node["inputs"] for node in record["workflow"]["nodes"]] == [{"n": 1}]
    assert "outputs" not in record["workflow"]


def test_a_dynamic_task_may_call_itself_and_override_a_call(dynamic_pod: Pod) -> None:
    record = dynamic_pod.run("job:factor", {"n": 3}).record
    assert record is not None
    first, second = record["workflow"]["nodes"]
    assert first == {"id": "dn0", "name": "factor", "task": {"name": "job.factor"}, "inputs": {"n": 2}}
    assert (second["inputs"], second["overrides"]) == ({"n": {"$ref": "nodes.dn0.outputs.o0"}}, {"retries": 3})


def test_an_error_in_the_body_of_a_dynamic_task_is_the_users(dynamic_pod: Pod) -> None:
    error = dynamic_pod.run("job:broken", {"n": 1}).error
    assert error["kind"] == "user"
    assert "'n' for function 'job.square'" in error["message"]
    assert 'return square(n="three")' in error["traceback"]


def test_a_file_that_a_dynamic_task_gives_to_a_call_would_be_lost_without_a_store(dynamic_pod: Pod) -> None:
    assert dynamic_pod.run("job:files").error["code"] == "USER:NoStore"


def test_a_dynamic_task_whose_calls_are_too_many_says_so(dynamic_pod: Pod) -> None:
    record = dynamic_pod.run("job:squares", {"count": 200}).record
    assert record is not None
    assert set(record) == {"v", "z"}
    error = dynamic_pod.run("job:squares", {"count": 3000}).error
    assert error["code"] == "OutputTooLarge"
    assert "the 3,000 calls are too many" in error["message"]
    assert "map_task(task)(values)" in error["message"]


def test_a_dynamic_task_loads_no_emission(dynamic_pod: Pod) -> None:
    at_the_end = "import atexit, sys\natexit.register(lambda: print(*sys.modules))\n"
    dynamic_pod.code({"job.py": at_the_end + DYNAMIC})
    ended = dynamic_pod.run("job:squares", {"count": 1})
    assert ended.record is not None
    assert "workflow" in ended.record
    assert {"pydantic", "yaml", "windlass._emit", "windlass._local", "asyncio"} & set(ended.stdout.split()) == set()


# ---- finding the user's code ----------------------------------------------------------------------------------------


def test_a_library_that_the_image_lacks_is_told_with_its_line(pod: Pod) -> None:
    pod.code({"job.py": "import nosuchlibrary\n" + JOB})
    error = pod.run("job:double", {"x": 1}).error
    assert (error["kind"], error["type"], error["message"]) == (
        "user",
        "ModuleNotFoundError",
        "No module named 'nosuchlibrary'",
    )
    assert 'job.py", line 1, in <module>' in error["traceback"]
    assert "importlib" not in error["traceback"]


def test_a_syntax_error_is_told_with_its_line(pod: Pod) -> None:
    pod.code({"job.py": "def f(:\n"})
    error = pod.run("job:f").error
    assert error["type"] == "SyntaxError"
    assert "def f(:" in error["traceback"] or "line 1" in error["message"]


def test_a_missing_module_says_what_there_is(pod: Pod) -> None:
    pod.code({"wordcount.py": JOB})
    error = pod.run("word_count:double", {"x": 1}).error
    assert error["code"] == "USER:ImportError"
    assert "no module 'word_count', neither in the code bundle (wordcount.py) nor in the image" in error["message"]


def test_a_missing_function_says_which_there_are(pod: Pod) -> None:
    pod.code({"job.py": JOB})
    error = pod.run("job:duoble", {"x": 1}).error
    assert error["code"] == "USER:EntrypointNotFound"
    assert "has no function 'duoble'; did you mean `double`?" in error["message"]


def test_an_entry_point_that_is_no_function_is_refused(pod: Pod) -> None:
    pod.code({"job.py": "answer = 42\n"})
    assert "has a 'answer' which is no function" in pod.run("job:answer").error["message"]


def test_code_that_exits_while_it_is_imported_is_an_error(pod: Pod) -> None:
    pod.code({"job.py": "import sys\nsys.exit(0)\n"})
    ended = pod.run("job:f")
    assert (ended.code, ended.error["kind"], ended.error["type"]) == (1, "user", "SystemExit")


def test_files_of_the_users_may_be_called_like_ours_or_like_pythons(pod: Pod) -> None:
    names = ("json", "main", "record", "boot", "bundle", "signal", "traceback")
    files = {f"{name}.py": f"NAME = 'mine: {name}'\n" for name in names}
    pod.code(
        {
            **files,
            "job.py": "import main, record, boot\ndef f() -> str:\n    return main.NAME + record.NAME + boot.NAME\n",
        }
    )
    assert pod.run("job:f").outputs == {"o0": "mine: mainmine: recordmine: boot"}


def test_the_working_folder_is_that_of_the_code_and_may_be_written(pod: Pod) -> None:
    pod.code(
        {
            "job.py": JOB
            + "@task\ndef f() -> str:\n    open('out.txt', 'w').write('x')\n    return open('data.txt').read()\n",
            "data.txt": "hello",
        }
    )
    assert pod.run("job:f").outputs == {"o0": "hello"}
    assert (pod.work / "out.txt").exists()


# ---- the process ----------------------------------------------------------------------------------------------------


def test_what_the_task_prints_is_seen_at_once_and_untouched(pod: Pod) -> None:
    pod.code(
        {
            "job.py": "import sys\n"
            "def f() -> None:\n"
            "    print('out')\n"
            "    sys.stdin.readline()\n"
            "    print('err', file=sys.stderr)\n"
        }
    )
    process = pod.start("job:f")
    assert process.stdout is not None
    assert process.stdout.readline() == "out\n"
    ended = pod.ended(process)
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "err\n")


WAITING = """
import signal, sys, time
def f() -> int:
    try:
        print("ready", flush=True)
        while True:
            time.sleep(60)
    finally:
        {cleanup}
    return 1
"""


def _terminated(pod: Pod, source: str, cleanup: str) -> Ended:
    pod.code({"job.py": source.format(cleanup=cleanup)})
    process = pod.start("job:f", retryOn=["any"])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return told_to_end(pod, process)


def told_to_end(pod: Pod, process: subprocess.Popen[str]) -> Ended:
    """Python misses a signal in the instant before it blocks, and "ready" comes right before that; so repeat it."""
    for _ in range(100):
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
            break
    return pod.ended(process)


def test_sigterm_runs_finally_blocks_and_is_recorded(pod: Pod) -> None:
    ended = _terminated(pod, WAITING, "print('cleaned up')")
    assert (ended.code, ended.stdout) == (143, "cleaned up\n")
    error = ended.error
    assert (error["kind"], error["code"], error["type"]) == ("system", "Terminated", "Terminated")
    assert error["recoverable"] is False
    assert 'job.py", line' in error["traceback"]


def test_a_second_sigterm_leaves_finally_blocks_in_peace(pod: Pod) -> None:
    ended = _terminated(pod, WAITING, "signal.raise_signal(signal.SIGTERM); print('cleaned up')")
    assert (ended.code, ended.stdout, ended.error["code"]) == (143, "cleaned up\n", "Terminated")


def test_sigterm_is_not_swallowed_by_except_exception(pod: Pod) -> None:
    source = WAITING.replace("    finally:", "    except Exception:\n        return 1\n    finally:")
    assert _terminated(pod, source, "pass").error["code"] == "Terminated"


def test_a_thread_that_never_ends_does_not_hold_up_the_end_beyond_sigterm(pod: Pod) -> None:
    pod.code(
        {
            "job.py": "import threading\n"
            "def watch():\n"
            "    threading.main_thread().join()\n"
            "    print('ended', flush=True)\n"
            "    threading.Event().wait()\n"
            "def f() -> int:\n"
            "    threading.Thread(target=watch).start()\n"
            "    return 1\n"
        }
    )
    process = pod.start("job:f")
    assert process.stdout is not None
    assert process.stdout.readline() == "ended\n"
    ended = told_to_end(pod, process)
    assert (ended.code, ended.outputs) == (0, {"o0": 1})


def test_a_forked_child_that_comes_back_does_not_speak_for_the_task(pod: Pod) -> None:
    body = "import os\npid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\nreturn 1 if pid else 2"
    assert pod.run_body(body).outputs == {"o0": 1}


def test_processes_that_the_task_spawns_do_not_run_it_again(pod: Pod) -> None:
    pod.code(
        {
            "job.py": "import multiprocessing\n"
            "def square(x):\n    return x * x\n"
            "def f() -> list[int]:\n"
            "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
            "        return pool.map(square, [1, 2])\n"
        }
    )
    assert pod.run("job:f").outputs == {"o0": [1, 4]}


def test_nothing_heavy_is_loaded_before_the_users_function(pod: Pod) -> None:
    pod.python = BASE_PYTHON
    pod.code({"job.py": JOB + "import sys\n@task\ndef f() -> list[str]:\n    return list(sys.modules)\n"})
    env = {"WINDLASS_TASK": json.dumps({"task": "job.f", "entrypoint": "job:f", "bundle": str(pod.bundle)})}
    command = [pod.python, "-S", str(pod.runtime / "windlass" / "runtime" / "boot.py")]
    subprocess.run(command, cwd=pod.work, env={**env, "WINDLASS_RESULT": str(pod.result)}, check=True)
    loaded = set(json.loads(pod.result.read_bytes())["outputs"]["o0"])
    heavy = {
        *("pydantic", "yaml", "kubernetes", "requests", "typing_extensions", "jsonschema"),
        *("asyncio", "dataclasses", "inspect", "tarfile", "gzip", "traceback", "pathlib", "ast", "difflib", "hashlib"),
        *("logging", "subprocess", "socket", "tempfile", "shutil", "argparse", "windlass._emit", "windlass._local"),
    }
    assert loaded & heavy == set()


def test_an_order_that_makes_no_sense_is_a_fault_of_the_system(pod: Pod) -> None:
    for text in ("{", "{}", "[]"):
        ended = pod.ended(pod.boot({"WINDLASS_TASK": text}))
        assert (ended.code, ended.error["kind"], ended.error["code"]) == (1, "system", "BadOrder")
    assert "WINDLASS_TASK is not set" in pod.ended(pod.boot({})).error["message"]


def test_a_record_that_can_not_be_written_is_told_in_the_log(pod: Pod) -> None:
    pod.code({"job.py": JOB})
    pod.result = pod.work / "no" / "such" / "folder"
    ended = pod.run("job:double", {"x": 1})
    assert ended.code == 1
    assert "the record can't be written to" in ended.stderr
    assert '{"o0":2}' in ended.stderr


# ---- the context ----------------------------------------------------------------------------------------------------

CONTEXT = """
import os
from windlass import Deck, IgnoreOutputs, ShellTask, current_context, kwtypes, task

AT_IMPORT = current_context().execution_id.name

@task
def ids() -> dict[str, str]:
    c = current_context()
    return {"project": c.execution_id.project, "domain": c.execution_id.domain, "name": c.execution_id.name,
            "task": c.task_id.name, "attempt": str(c.attempt), "local": str(c.is_local), "import": AT_IMPORT,
            **{k: v for k, v in os.environ.items() if k.startswith("FLYTE_")}}

@task
def secret() -> str:
    return current_context().secrets.get("db", "password")

@task
def count() -> int:
    c = current_context().checkpoint
    n = int(c.read() or b"0") + 1
    c.write(str(n).encode())
    return n

@task
def index() -> list[str]:
    variable = os.environ.get("BATCH_JOB_ARRAY_INDEX_VAR_NAME", "")
    return [os.environ.get(variable, ""), os.environ.get("BATCH_JOB_ARRAY_INDEX_OFFSET", "")]

@task(cache=True)
def inner(n: int) -> str:
    return current_context().execution_id.name

@task
def around() -> str:
    return inner(n=1)

@task
def worker() -> None:
    raise IgnoreOutputs("not the first")

@task
def needed(n: int) -> int:
    if n:
        raise IgnoreOutputs("not the first")
    return n

@task(enable_deck=True)
def shown(n: int) -> int:
    Deck("Mine", "<p>hello from the deck</p>")
    if n < 0:
        raise ValueError("below zero")
    return n

script = ShellTask(name="shout", script="printf '{inputs.word}!' > loud.txt", inputs=kwtypes(word=str))

class Tools:
    @staticmethod
    def tripled(x: int) -> int:
        return 3 * x
"""
PLACE: dict[str, Any] = {"execution": "wc-x1", "namespace": "flytesnacks-development", "node": "n0", "attempt": 2}


@pytest.fixture
def context_pod(pod: Pod) -> Pod:
    pod.code({"job.py": CONTEXT})
    return pod


def test_the_context_is_that_of_the_order(context_pod: Pod) -> None:
    found = context_pod.run("job:ids", **PLACE).outputs["o0"]
    assert found == {
        "project": "flytesnacks",
        "domain": "development",
        "name": "wc-x1",
        "task": "job.ids",
        "attempt": "2",
        "local": "False",
        "import": "wc-x1",
        "FLYTE_INTERNAL_EXECUTION_ID": "wc-x1",
        "FLYTE_INTERNAL_EXECUTION_PROJECT": "flytesnacks",
        "FLYTE_INTERNAL_EXECUTION_DOMAIN": "development",
        "FLYTE_INTERNAL_TASK_NAME": "job.ids",
        "FLYTE_ATTEMPT_NUMBER": "2",
    }


def test_a_namespace_without_a_dash_is_the_project(context_pod: Pod) -> None:
    found = context_pod.run("job:ids", **{**PLACE, "namespace": "default"}).outputs["o0"]
    assert (found["project"], found["domain"]) == ("default", "")


def test_a_secret_comes_from_the_prefixed_variable_and_from_no_other(context_pod: Pod) -> None:
    order = {"task": "job.secret", "entrypoint": "job:secret", "bundle": str(context_pod.bundle)}
    env = {"WINDLASS_TASK": json.dumps(order), "DB_PASSWORD": "somebody else's"}
    error = context_pod.ended(context_pod.boot(env)).error
    assert (error["kind"], error["type"]) == ("user", "ValueError")
    assert "secret_requests=[Secret(group='db', key='password'" in error["message"]
    assert "somebody else's" not in json.dumps(error)
    ended = context_pod.ended(context_pod.boot({**env, "_FSEC_DB_PASSWORD": "s3cret"}))
    assert ended.outputs == {"o0": "s3cret"}


def test_a_checkpoint_passes_from_one_attempt_to_the_next_of_the_same_node(context_pod: Pod, tmp_path: Path) -> None:
    def run(**place: Any) -> int:
        order = {"task": "job.count", "entrypoint": "job:count", "bundle": str(context_pod.bundle), **PLACE, **place}
        env = {"WINDLASS_TASK": json.dumps(order), "WINDLASS_RAW_OUTPUT_PREFIX": str(tmp_path / "store")}
        found: int = context_pod.ended(context_pod.boot(env)).outputs["o0"]
        return found

    assert [run(attempt=0), run(attempt=1), run(attempt=3)] == [1, 2, 3]
    assert run(attempt=1, node="n1") == 1
    assert run(attempt=1, execution="other") == 1


def test_the_elements_of_a_map_have_a_checkpoint_each_and_know_their_index(context_pod: Pod, tmp_path: Path) -> None:
    def run(entrypoint: str, **place: Any) -> Any:
        order = {"task": "job", "entrypoint": entrypoint, "bundle": str(context_pod.bundle), **PLACE, **place}
        env = {"WINDLASS_TASK": json.dumps(order), "WINDLASS_RAW_OUTPUT_PREFIX": str(tmp_path / "store")}
        return context_pod.ended(context_pod.boot(env)).outputs["o0"]

    elements = [(0, 0), (1, 0), (0, 1), (1, 2)]
    assert [run("job:count", element=element, attempt=attempt) for element, attempt in elements] == [1, 1, 2, 2]
    assert run("job:index", element=7) == ["7", "0"]
    assert run("job:index") == ["", ""]


def test_a_checkpoint_without_a_store_is_warned_of(context_pod: Pod) -> None:
    ended = context_pod.run("job:count", **PLACE)
    assert ended.outputs == {"o0": 1}
    assert "the operator has no store configured" in ended.stderr


def test_a_task_in_a_task_is_in_the_same_execution_and_not_in_the_cache_of_local_runs(context_pod: Pod) -> None:
    assert context_pod.run("job:around", **PLACE).outputs == {"o0": "wc-x1"}
    assert not (context_pod.work / ".cache").exists()


def test_a_worker_whose_outputs_are_ignored_succeeds_if_it_has_none(context_pod: Pod) -> None:
    ended = context_pod.run("job:worker")
    assert (ended.code, ended.outputs) == (0, {})
    assert context_pod.run("job:needed", {"n": 1}).error["type"] == "IgnoreOutputs"


def test_a_task_that_is_an_object_runs_too(context_pod: Pod) -> None:
    assert context_pod.run("job:script", {"word": "hey"}).outputs == {}
    assert (context_pod.work / "loud.txt").read_text() == "hey!"


def test_an_entry_point_may_lie_in_a_class(context_pod: Pod) -> None:
    assert context_pod.run("job:Tools.tripled", {"x": 2}).outputs == {"o0": 6}
    assert context_pod.run("job:Tools.missing").error["code"] == "USER:EntrypointNotFound"


def test_a_deck_is_written_to_the_store_and_its_place_is_in_the_record(context_pod: Pod, tmp_path: Path) -> None:
    order = {"task": "job.shown", "entrypoint": "job:shown", "bundle": str(context_pod.bundle), **PLACE}
    order["deck"] = {"enabled": True, "fields": ["Input", "SourceCode"]}
    store = tmp_path / "store"
    for n, part in ((1, "outputs"), (-1, "error")):
        env = {"WINDLASS_TASK": json.dumps({**order, "inputs": {"n": n}}), "WINDLASS_RAW_OUTPUT_PREFIX": str(store)}
        record = context_pod.ended(context_pod.boot(env)).record
        assert record is not None
        assert part in record
        page = Path(record["deck"])
        assert page.is_relative_to(store)
        for text in ("hello from the deck", ">Input<", ">Source Code<", "below zero"):
            assert text in page.read_text()


def test_a_deck_without_a_store_is_told_in_the_log(context_pod: Pod) -> None:
    ended = context_pod.run("job:shown", {"n": 1}, deck={"enabled": True})
    assert ended.outputs == {"o0": 1}
    assert ended.record is not None
    assert "deck" not in ended.record
    assert "the deck is not kept" in ended.stderr


# ---- any image ------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, which pytest's are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become somebody else")
def test_it_runs_as_nobody_with_a_read_only_runtime(open_folder: Path, runtime: Path) -> None:
    python = next((path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if Path(path).exists()), None)
    if python is None or not _works(python):
        pytest.skip("there is no Python that other users may run")
    copy = Path(shutil.copytree(runtime, open_folder / "runtime"))
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    pod = Pod(open_folder / "pod", copy, python)
    pod.user = "nobody"
    pod.code({"job.py": JOB})
    shutil.chown(pod.work, "nobody")
    pod.result.touch()
    pod.result.chmod(0o666)
    assert pod.run("job:double", {"x": 1}).outputs == {"o0": 2}


def _works(python: str) -> bool:
    check = "import sys; sys.exit(sys.version_info < (3, 10))"
    return subprocess.run([python, "-c", check], capture_output=True).returncode == 0


@pytest.mark.parametrize("minor", range(10, 15))
def test_it_runs_on_every_python_that_is_here(tmp_path: Path, runtime: Path, minor: int) -> None:
    python = shutil.which(f"python3.{minor}")
    if python is None or not _works(python):
        pytest.skip(f"there is no Python 3.{minor} here")
    pod = Pod(tmp_path, runtime, python)
    assert pod.run_body("return double(x=1)").outputs == {"o0": 2}
    error = pod.run_body(
        "try:\n    {}['k']\nexcept KeyError as e:\n    raise RuntimeError('outer') from e\nreturn 1"
    ).error
    assert "windlass/runtime" not in error["traceback"]
    assert error["traceback"].endswith("RuntimeError: outer")
    pod.code({"job.py": "import nosuchlibrary\n"})
    assert pod.run("job:f").error["traceback"].count("File ") == 1


def test_an_image_that_has_windlass_may_start_it_as_a_module(pod: Pod) -> None:
    pod.code({"job.py": JOB, "json.py": "raise RuntimeError('imported instead of Python's own')\n"})
    order = {"task": "job.double", "entrypoint": "job:double", "bundle": str(pod.bundle), "inputs": {"x": 4}}
    env = {"WINDLASS_TASK": json.dumps(order), "WINDLASS_RESULT": str(pod.result), "PYTHONPATH": str(pod.runtime)}
    subprocess.run([pod.python, "-m", "windlass.runtime.boot"], cwd=pod.work, env=env, check=True)
    assert json.loads(pod.result.read_bytes())["outputs"] == {"o0": 8}


def test_a_python_that_is_too_old_is_told_so(pod: Pod) -> None:
    boot = pod.runtime / "windlass" / "runtime" / "boot.py"
    pretend = f"import runpy, sys; sys.version_info = (3, 8, 1); runpy.run_path({str(boot)!r}, run_name='__main__')"
    ended = subprocess.run([pod.python, "-c", pretend], env={"WINDLASS_RESULT": str(pod.result)}, capture_output=True)
    record = json.loads(pod.result.read_bytes())
    assert ended.returncode == 1
    assert (
        record["error"]["message"]
        == "the image has Python 3.8, and tasks need Python 3.10 or later: choose another image"
    )


def test_the_first_file_can_be_read_by_old_pythons() -> None:
    boot = SOURCES / "windlass" / "runtime" / "boot.py"
    ast.parse(boot.read_text(), feature_version=(3, 7))


def _wheel(folder: Path, name: str) -> None:
    """A package with one module, ready to install."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "VALUE = 42\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)


def _run_with_packages(pod: Pod, wheels: Path, packages: str) -> Ended:
    pod.python = sys.executable  # one that has pip
    pod.code({"job.py": f"{JOB}\nimport brought_along\n@task\ndef f() -> int:\n    return brought_along.VALUE\n"})
    order = {"task": "job.f", "entrypoint": "job:f", "bundle": str(pod.bundle)}
    env = {"WINDLASS_TASK": json.dumps(order), "WINDLASS_RUNTIME_PACKAGES": packages}
    return pod.ended(pod.boot({**env, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "TMPDIR": str(wheels)}))


def test_packages_that_an_image_leaves_to_the_pod_are_installed_before_the_code_is_loaded(
    pod: Pod, tmp_path: Path
) -> None:
    _wheel(tmp_path, "brought_along")
    assert _run_with_packages(pod, tmp_path, "'brought_along>=1'").outputs == {"o0": 42}


def test_packages_that_can_not_be_installed_are_an_error_of_the_system(pod: Pod, tmp_path: Path) -> None:
    ended = _run_with_packages(pod, tmp_path, "brought_along")
    assert ended.code == 1 and ended.record is not None
    assert ended.record["error"]["kind"] == "system" and ended.record["error"]["code"] == "RuntimePackages"
    assert "brought_along" in ended.record["error"]["message"]


WRITES_A_FILE = f"""{JOB}
from windlass import FlyteFile

@task
def f() -> list[FlyteFile]:
    file = FlyteFile.new("a.txt")
    with open(file.path, "w") as written:
        written.write("a")
    return [file]
"""


def test_a_file_that_would_be_lost_with_its_pod_is_refused_with_advice(pod: Pod) -> None:
    pod.code({"job.py": WRITES_A_FILE})
    ended = pod.run("job:f")
    assert ended.code == 1 and ended.record is not None
    assert ended.record["error"]["code"] == "USER:NoStore"
    assert "set WINDLASS_RAW_OUTPUT_PREFIX" in ended.record["error"]["message"]


def test_a_file_is_kept_where_there_is_a_store(pod: Pod, tmp_path: Path) -> None:
    pod.code({"job.py": WRITES_A_FILE})
    order = {"task": "job.f", "entrypoint": "job:f", "bundle": str(pod.bundle)}
    env = {"WINDLASS_TASK": json.dumps(order), "WINDLASS_RAW_OUTPUT_PREFIX": str(tmp_path / "store")}
    (kept,) = pod.ended(pod.boot(env)).outputs["o0"]
    assert kept["uri"].startswith(str(tmp_path / "store")) and Path(kept["uri"]).read_text() == "a"


def test_a_text_that_only_looks_like_a_place_is_a_text(pod: Pod) -> None:
    ended = pod.run_body('return {"uri": "/tmp/a"}', returns="dict[str, str]")
    assert ended.outputs == {"o0": {"uri": "/tmp/a"}}


# ---- code in the store ----------------------------------------------------------------------------------------------


def in_store(pod: Pod, folder: Path) -> dict[str, str]:
    """The pod's code, in a store instead of on a mount; what an order says of it."""
    content = pod.bundle.read_bytes()
    pod.bundle.unlink()
    (folder / "code.tar.gz").write_bytes(content)
    return {
        "uri": f"file://{folder}/code.tar.gz",
        "sha256": hashlib.sha256(gzip.decompress(content)).hexdigest(),
    }


@pytest.fixture
def stored(pod: Pod, tmp_path: Path) -> dict[str, str]:
    """A task whose code is in a store."""
    pod.code({"job.py": f"{JOB}\n@task\ndef f() -> int:\n    return 7\n"})
    return in_store(pod, tmp_path)


def test_code_may_come_from_the_store(pod: Pod, stored: dict[str, str]) -> None:
    assert pod.run("job:f", bundle=stored).outputs == {"o0": 7}


def test_code_that_is_gone_from_the_store_is_nobody_elses_fault_and_not_tried_again(
    pod: Pod, stored: dict[str, str]
) -> None:
    Path(stored["uri"].removeprefix("file://")).unlink()
    ended = pod.run("job:f", bundle=stored)
    assert ended.error["code"] == "USER:CodeNotFound" and not ended.error["recoverable"]
    assert "is gone; bring it again" in ended.error["message"]


@pytest.mark.parametrize("damage", ["another", "cut", "no gzip"])
def test_code_that_is_not_what_the_task_was_made_with_does_not_run(
    damage: str, pod: Pod, stored: dict[str, str]
) -> None:
    file = Path(stored["uri"].removeprefix("file://"))
    content = file.read_bytes()
    damaged = {"another": gzip.compress(b"print('evil')"), "cut": content[:-20], "no gzip": b"<html>"}
    file.write_bytes(damaged[damage])
    ended = pod.run("job:f", bundle=stored)
    assert (ended.error["kind"], ended.error["code"]) == ("system", "BundleUnreadable")
    assert stored["uri"] in ended.error["message"]


def test_a_store_that_can_not_be_read_is_the_systems_failure(pod: Pod) -> None:
    pod.code({"job.py": f"{JOB}\n@task\ndef f() -> int:\n    return 7\n"})
    pod.bundle.unlink()
    ended = pod.run("job:f", bundle={"uri": "http://127.0.0.1:9/code.tar.gz", "sha256": "0" * 64})
    assert (ended.error["kind"], ended.error["code"]) == ("system", "BundleUnreadable")
    assert "http://127.0.0.1:9/code.tar.gz can't be read" in ended.error["message"]
