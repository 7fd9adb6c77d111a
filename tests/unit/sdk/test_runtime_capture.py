"""The log that is kept: what it holds, and what it must not change."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.sdk.test_runtime import Pod, pod, runtime, told_to_end  # noqa: F401  the fixtures, and what they give
from windlass.runtime.capture import Spool

LIMIT = 4000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the log is kept."""
    return tmp_path / "store" / "n0" / "0.log"


def ask(log: Path, limit: int = LIMIT) -> dict[str, object]:
    """What an order says of it."""
    return {"uri": f"file://{log}", "limit": limit}


PRINTS = """
import os, subprocess, sys
print("from Python")
print("to stderr", file=sys.stderr)
os.write(1, b"past Python\\n")
subprocess.run(["sh", "-c", "echo from a child; echo its errors >&2"], check=True)
return 1
"""


def test_all_that_is_printed_is_kept_and_goes_where_it_always_went(pod: Pod, log: Path) -> None:  # noqa: F811
    ended = pod.run_body(PRINTS, log=ask(log))
    assert ended.outputs == {"o0": 1}
    assert ended.stdout == "from Python\npast Python\nfrom a child\n"
    assert ended.stderr == "to stderr\nits errors\n"
    assert sorted(log.read_text().splitlines()) == sorted((ended.stdout + ended.stderr).splitlines())


def test_an_error_s_traceback_is_in_it(pod: Pod, log: Path) -> None:  # noqa: F811
    ended = pod.run_body("raise ValueError('told you')\nreturn 1", log=ask(log))
    assert ended.code == 1 and ended.error["message"] == "told you"
    assert "ValueError: told you" in log.read_text() and log.read_text() == ended.stderr


def test_of_much_the_beginning_and_the_end_are_kept(pod: Pod, log: Path) -> None:  # noqa: F811
    ended = pod.run_body("for i in range(100_000):\n    print('line', i)\nreturn 1", log=ask(log))
    lines = log.read_text().splitlines()
    assert ended.stdout.count("\n") == 100_000
    assert lines[0] == "line 0" and lines[-1] == "line 99999"
    assert any("bytes of the log are not kept" in line for line in lines)
    assert log.stat().st_size < LIMIT + 200


def test_a_store_that_does_not_take_it_is_told_and_changes_nothing(pod: Pod, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "store").write_text("no folder")
    ended = pod.run_body("print('hello')\nreturn 1", log=ask(tmp_path / "store" / "0.log"))
    assert ended.outputs == {"o0": 1} and ended.stdout == "hello\n"
    assert "windlass: the log can't be kept at file://" in ended.stderr


def test_a_child_that_outlives_the_task_does_not_hold_up_the_end(pod: Pod, log: Path) -> None:  # noqa: F811
    body = "import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid)\nreturn 1"
    ended = pod.run_body(body, log=ask(log))  # it has half a minute
    os.kill(int(ended.stdout), signal.SIGKILL)
    assert ended.outputs == {"o0": 1}
    assert log.read_text() == ended.stdout


def test_a_task_that_is_told_to_end_leaves_its_log(pod: Pod, log: Path) -> None:  # noqa: F811
    process = pod.start_body("import time\nprint('begun')\ntime.sleep(60)\nreturn 1", log=ask(log))
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    ended = told_to_end(pod, process)
    assert ended.code == 143 and ended.error["code"] == "Terminated"
    assert "begun" in log.read_text() and "SIGTERM" in log.read_text()


@settings(deadline=None)
@given(parts=st.lists(st.binary(max_size=300), max_size=40), limit=st.integers(2, 600))
def test_a_spool_keeps_all_within_its_limit_else_the_ends_and_no_more(parts: list[bytes], limit: int) -> None:
    spool, whole = Spool(limit), b"".join(parts)
    for part in parts:
        spool.add(part)
    kept = spool.content()
    assert spool.written == len(whole)
    if len(whole) <= limit // 2 * 2:
        assert kept == whole
        return
    head, mark, tail = kept.partition("… ".encode())
    assert mark and whole.startswith(head) and whole.endswith(tail.partition(" …\n".encode())[2])
    assert len(kept) <= limit + 80
