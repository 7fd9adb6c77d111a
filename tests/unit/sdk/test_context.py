"""`current_context()`: what a task's code may ask of its surroundings, in a local run."""

from __future__ import annotations

import datetime
import logging
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import windlass
from windlass import Deck, ExecutionParameters, current_context, task, workflow
from windlass._context import current_task, entered_task
from windlass._parameters import TaskIdentifier, WorkflowExecutionIdentifier
from windlass._stats import Stats

SEEN: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


@task(retries=2)
def look(fail: int) -> str:
    context = current_context()
    SEEN.append(context)
    if context.attempt < fail:
        raise windlass.FlyteRecoverableException("again")
    return context.task_id.name


@task
def outer() -> list[str]:
    context = current_context()
    SEEN.append(context)
    inner = look(fail=0)
    assert current_context() is context
    return [context.task_id.name, inner]


# ---- who ------------------------------------------------------------------------------------------------------------


def test_a_local_run_is_local_and_knows_its_task() -> None:
    assert look(fail=0) == look.name
    (context,) = SEEN
    assert context.execution_id == WorkflowExecutionIdentifier("local", "local", "local")
    assert str(context.execution_id) == "ex:local:local:local"
    assert context.task_id == TaskIdentifier(name=look.name)
    assert str(context.task_id) == f"tsk:local:local:{look.name}:local"
    assert {context.execution_id, context.execution_id} == {WorkflowExecutionIdentifier()}
    assert repr(context.execution_id).startswith("WorkflowExecutionIdentifier(project='local'")
    assert context.is_local


def test_each_attempt_has_a_context_of_its_own() -> None:
    look(fail=2)
    assert [context.attempt for context in SEEN] == [0, 1, 2]
    assert len({id(context) for context in SEEN}) == 3


def test_a_task_in_a_task_has_its_own_context_in_the_same_execution() -> None:
    assert outer() == [outer.name, look.name]
    around, inner = SEEN
    assert inner is not around
    assert inner.execution_id == around.execution_id


def test_in_a_workflow_it_is_the_tasks() -> None:
    @workflow
    def both() -> str:
        return look(fail=0)

    assert both() == look.name
    assert current_task() is None


def test_outside_of_a_task_there_is_one_of_the_process() -> None:
    context = current_context()
    assert context is current_context()
    assert (context.execution_id.name, context.attempt, context.is_local) == ("local", 0, True)
    assert Path(context.working_directory).is_dir()
    assert context.working_directory == current_context().working_directory


def test_the_execution_date_is_the_beginning_in_utc() -> None:
    before = datetime.datetime.now(datetime.timezone.utc)  # noqa: TID251  that is what it is compared with
    look(fail=0)
    (context,) = SEEN
    assert before <= context.execution_date <= datetime.datetime.now(datetime.timezone.utc)  # noqa: TID251  as above
    assert context.execution_date.tzinfo is datetime.timezone.utc


def test_a_thread_that_the_task_starts_has_the_tasks_context() -> None:
    @task
    def threaded() -> list[str]:
        with ThreadPoolExecutor(1) as pool:
            return [pool.submit(lambda: current_context().task_id.name).result(), current_context().task_id.name]

    assert threaded() == [threaded.name] * 2
    assert current_task() is None


def test_tasks_in_several_threads_do_not_mix_their_contexts() -> None:
    met = threading.Barrier(2, timeout=20)

    @task
    def meeting() -> bool:
        mine = current_context()
        met.wait()
        return current_context() is mine

    with ThreadPoolExecutor(2) as pool:
        assert [future.result() for future in [pool.submit(meeting), pool.submit(meeting)]] == [True, True]


def test_the_context_goes_when_the_task_fails() -> None:
    with pytest.raises(windlass.FlyteRecoverableException):
        look(fail=9)
    assert current_task() is None


# ---- where ----------------------------------------------------------------------------------------------------------


def test_every_attempt_has_an_empty_folder_to_work_in() -> None:
    folders = []

    @task(retries=1)
    def working() -> int:
        folder = Path(current_context().working_directory)
        folders.append(folder)
        assert list(folder.iterdir()) == []
        (folder / "scratch").touch()
        assert folder == Path(current_context().working_directory)
        if len(folders) == 1:
            raise windlass.FlyteRecoverableException("again")
        return len(folders)

    assert working() == 2
    assert folders[0] != folders[1]


def test_folders_go_with_the_process() -> None:
    code = "from windlass import current_context as c; print(c().working_directory)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not Path(done.stdout.strip()).exists()


def test_the_raw_output_prefix_is_the_environments_or_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WINDLASS_RAW_OUTPUT_PREFIX", raising=False)
    assert Path(current_context().raw_output_prefix).is_dir()
    monkeypatch.setenv("WINDLASS_RAW_OUTPUT_PREFIX", str(tmp_path))
    assert current_context().raw_output_prefix == str(tmp_path)


# ---- what it can use ------------------------------------------------------------------------------------------------


def test_the_logger_prints_from_info_on_unless_the_program_has_logging_of_its_own() -> None:
    code = """
import logging, sys
from windlass import current_context
log = current_context().logging
log.debug("fine"); log.info("told %s", 1)
logging.basicConfig(format="own %(message)s", stream=sys.stderr)
log.info("again")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = done.stderr.splitlines()
    assert first.endswith("INFO told 1")
    assert second == "own again"


def test_the_logger_is_one_that_a_program_may_set_up(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "windlass.user"):
        current_context().logging.debug("a detail")
    assert caplog.messages == ["a detail"]


def test_stats_are_recorded_with_names_kinds_and_tags() -> None:
    stats = Stats("m.f", {"team": "data"})
    stats.incr("rows", 2)
    stats.decr("rows")
    stats.gauge("depth", 3.5, tags={"queue": "a"})
    stats.set("users", "me")
    stats.timing("query", datetime.timedelta(seconds=1.5))
    with stats.timer("block"):
        pass
    stats.extend_tags({"more": "x"})
    stats.incr("rows")
    names = [(name, value, kind) for name, value, kind, _ in stats.recorded]
    assert names[:5] == [
        ("m.f.rows", 2, "c"),
        ("m.f.rows", -1, "c"),
        ("m.f.depth", 3.5, "g"),
        ("m.f.users", "me", "s"),
        ("m.f.query", 1500.0, "ms"),
    ]
    assert names[5][0] == "m.f.block"
    assert float(names[5][1]) >= 0
    assert stats.recorded[2][3] == {"team": "data", "queue": "a"}
    assert stats.recorded[6][3] == {"team": "data", "more": "x"}
    assert stats.get_stats("inner").prefix == "m.f.inner"


def test_stats_go_to_a_server_where_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    @task
    def reporting() -> int:
        current_context().stats.incr("rows", 3, rate=0.5, tags={"a": "b"})
        return 1

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        monkeypatch.setenv("WINDLASS_STATSD_HOST", "127.0.0.1")
        monkeypatch.setenv("WINDLASS_STATSD_PORT", str(server.getsockname()[1]))
        reporting()
        assert server.recv(1000).decode() == f"{reporting.name}.rows:3|c|@0.5|#a:b"


@pytest.mark.parametrize(("host", "port"), [("no such host!", "8125"), ("127.0.0.1", "many")])
def test_a_task_does_not_fail_for_its_statistics(monkeypatch: pytest.MonkeyPatch, host: str, port: str) -> None:
    monkeypatch.setenv("WINDLASS_STATSD_HOST", host)
    monkeypatch.setenv("WINDLASS_STATSD_PORT", port)
    Stats().incr("x")


def test_the_decks_of_a_task_are_its_own() -> None:
    found: list[Any] = []

    @task
    def writing(n: int) -> int:
        context = current_context()
        deck = Deck("mine", "<p>hello</p>")
        context.default_deck.append(f"<p>{n}</p>")
        context.default_deck.append("<p>more</p>")
        context.timeline_deck.append_time_info("part", 0.0, 1.0)
        assert context.decks == [deck, context.default_deck, context.timeline_deck]
        assert not context.enable_deck
        found.append(context.default_deck.html)
        return n

    writing(n=1)
    writing(n=2)
    assert found == ["<p>1</p>\n<p>more</p>", "<p>2</p>\n<p>more</p>"]
    assert current_context().decks == []


def test_a_deck_outside_of_tasks_is_the_processs() -> None:
    deck = Deck("loose")
    try:
        assert current_context().decks == [deck]
    finally:
        current_context().decks.clear()


# ---- attributes of the user's own -----------------------------------------------------------------------------------


def test_attributes_of_ones_own_are_found_in_any_spelling() -> None:
    context = current_context().with_params(spark_session="session")
    assert context.spark_session == context.SPARK_SESSION == context.get("Spark_Session") == "session"
    assert context.has_attr("spark_session")
    assert not current_context().has_attr("spark_session")


def test_an_attribute_that_is_not_there_is_both_kinds_of_error() -> None:
    for kind in (AssertionError, AttributeError):
        with pytest.raises(kind, match="SPARK_SESSION not available"):
            _ = current_context().spark_session
    with pytest.raises(AssertionError, match="it has A, B"):
        current_context().with_params(b=1, a=2).get("c")
    assert not hasattr(current_context(), "spark_session")


def test_a_context_can_be_built_from_another_one() -> None:
    base = ExecutionParameters(raw_output_prefix="/raw", attempt=2, session=1)
    builder = base.builder()
    builder.execution_id = WorkflowExecutionIdentifier("p", "d", "n")
    built = builder.add_attr("more", 2).build()
    assert (built.raw_output_prefix, built.attempt, built.session, built.more) == ("/raw", 2, 1, 2)
    assert built.execution_id.project == "p"
    assert not base.has_attr("more")
    assert built.decks is base.decks
    assert ExecutionParameters.new_builder(base).build().session == 1
    assert ExecutionParameters.new_builder().build().execution_id.name == "local"
    sandbox = base.with_task_sandbox().build()
    assert sandbox.working_directory != base.working_directory
    assert sandbox.checkpoint is not base.checkpoint


def test_tasks_which_are_called_in_a_context_have_its_attributes() -> None:
    @task
    def using() -> str:
        session: str = current_context().session
        return session

    with entered_task(current_context().with_params(session="mine")):
        assert using() == "mine"


def test_asking_for_little_loads_little() -> None:
    code = """
import sys
before = set(sys.modules)
from windlass._parameters import ExecutionParameters
ExecutionParameters(session=1).session
print(*set(sys.modules) - before)
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )
    heavy = {"logging", "datetime", "tempfile", "shutil", "json", "pathlib", "inspect", "dataclasses", "socket"}
    assert set(done.stdout.split()) & {*heavy, "windlass._store", "windlass._data", "windlass._secrets"} == set()
