"""The cache of local runs: on disk, shared by processes, and never the reason why a run fails."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest

import windlass
from windlass import Cache, FlyteDirectory, FlyteFile, HashMethod, map_task, task, workflow
from windlass._cache import disk, local
from windlass._cli import main

RUNS: list[Any] = []
SWITCHES = [
    f"{product}_LOCAL_CACHE_{name}" for product in ("WINDLASS", "FLYTE") for name in ("ENABLED", "OVERWRITE", "EXPLAIN")
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of the test's own, and no task that has run."""
    for name in SWITCHES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WINDLASS_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(local, "_told", set())
    RUNS.clear()
    yield tmp_path / "cache" / "results"


@task(cache=Cache(version="1"))
def double(n: int) -> int:
    RUNS.append(n)
    return 2 * n


@task(cache=Cache(version="1", ignored_inputs=("note",)))
def noted(n: int, note: str) -> int:
    RUNS.append((n, note))
    return n


@task(cache=Cache(version="1"), retries=1)
def failing(n: int) -> int:
    RUNS.append(n)
    if n:
        raise windlass.FlyteRecoverableException("no luck")
    return n


@task(cache=Cache(version="1"))
def written(text: str) -> FlyteFile:
    RUNS.append(text)
    file = FlyteFile.new("a.txt")
    Path(file).write_text(text)
    return file


@task(cache=Cache(version="1"))
def counted(file: FlyteFile) -> int:
    RUNS.append("counted")
    return len(Path(file).read_text())


def overridden(promise: Any, **options: Any) -> int:
    """A call with other options; to a type checker it is the value that it gives."""
    value: int = promise.with_overrides(**options)
    return value


class Model:
    def __init__(self, weight: float) -> None:
        self.weight = weight


@task
def trained(seed: int) -> Annotated[Model, HashMethod(lambda model: "always the same")]:
    return Model(float(seed))


@task(cache=Cache("1"))
def weighed(model: Model) -> float:
    RUNS.append("weighed")
    return model.weight


def entry_files(home: Path) -> list[Path]:
    return sorted((home / "entries").glob("*.json"))


# ---- hits and misses ------------------------------------------------------------------------------------------------


def test_a_task_with_equal_inputs_runs_once() -> None:
    assert [double(n=1), double(n=2), double(n=1)] == [2, 4, 2]
    assert RUNS == [1, 2]


def test_a_workflow_uses_the_cache_and_its_nodes_may_turn_it_off_or_change_the_version() -> None:
    @workflow
    def several(n: int) -> list[int]:
        return [
            double(n=n),
            double(n=n),
            overridden(double(n=n), cache=False),
            overridden(double(n=n), cache=True, cache_version="2"),
        ]

    assert several(n=3) == [6] * 4
    assert RUNS == [3, 3, 3]
    several(n=3)
    assert RUNS == [3, 3, 3, 3]


def test_every_element_of_a_map_has_a_result_of_its_own_under_the_tasks_name() -> None:
    double(n=1)
    assert map_task(double)(n=[1, 2, 2, 3]) == [2, 4, 4, 6]
    assert RUNS == [1, 2, 3]


def test_a_partial_map_finds_what_plain_calls_have_left() -> None:
    noted(n=1, note="a")
    assert map_task(functools.partial(noted, note="b"))(n=[1, 2]) == [1, 2]
    assert RUNS == [(1, "a"), (2, "b")]


def test_an_ignored_input_makes_no_difference() -> None:
    noted(n=1, note="first")
    noted(n=1, note="second")
    assert RUNS == [(1, "first")]


def test_a_failure_is_not_kept_and_neither_are_its_attempts(home: Path) -> None:
    for _ in range(2):
        with pytest.raises(windlass.FlyteRecoverableException):
            failing(n=1)
    assert RUNS == [1] * 4
    assert entry_files(home) == []


def test_the_outputs_of_a_worker_that_has_none_to_give_are_not_kept(home: Path) -> None:
    @task(cache=Cache("1"))
    def worker() -> None:
        RUNS.append(1)
        raise windlass.IgnoreOutputs("not the first worker")

    assert [worker(), worker()] == [None, None]
    assert RUNS == [1, 1]
    assert entry_files(home) == []


def test_a_task_without_outputs_may_be_cached() -> None:
    @task(cache=Cache("1"))
    def silent(n: int) -> None:
        RUNS.append(n)

    silent(n=1)
    silent(n=1)
    assert RUNS == [1]


def test_another_signature_is_another_result() -> None:
    def made(returned: type) -> Any:
        def changing(n: int) -> Any:
            RUNS.append(returned.__name__)
            return returned(n)

        changing.__annotations__["return"] = returned
        return task(cache=Cache("1"))(changing)

    assert [made(int)(n=1), made(str)(n=1), made(int)(n=1)] == [1, "1", 1]
    assert RUNS == ["int", "str"]


def test_a_cached_task_without_inputs_and_with_several_outputs() -> None:
    @task(cache=Cache("1"))
    def pair() -> tuple[int, str]:
        RUNS.append(1)
        return 1, "a"

    assert tuple(pair()) == tuple(pair()) == (1, "a")
    assert RUNS == [1]


# ---- data by reference ----------------------------------------------------------------------------------------------


def test_a_file_with_the_same_content_is_the_same_input(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text("abc")
        assert counted(file=FlyteFile(str(tmp_path / name))) == 3
    assert RUNS == ["counted"]


def test_a_file_whose_content_changed_is_another_input(tmp_path: Path) -> None:
    file = tmp_path / "one"
    file.write_text("abc")
    counted(file=FlyteFile(str(file)))
    file.write_text("abcd")
    assert counted(file=FlyteFile(str(file))) == 4


def test_a_hash_by_the_producer_is_what_the_consumer_is_known_by() -> None:
    @workflow
    def judged(seed: int) -> float:
        return weighed(model=trained(seed=seed))

    with pytest.warns(UserWarning, match="travel as pickles"):
        assert [judged(seed=1), judged(seed=2)] == [1.0, 1.0]
    assert RUNS == ["weighed"]


def test_a_file_in_a_temporary_folder_outlives_its_process(home: Path) -> None:
    first = written(text="hello")
    Path(first).unlink()
    again = written(text="hello")
    assert Path(again).read_text() == "hello"
    assert Path(again).is_relative_to(home / "data")
    assert Path(again).name == "a.txt"
    assert RUNS == ["hello"]


def test_data_that_is_in_the_cache_already_is_not_copied_again(home: Path) -> None:
    @task(cache=Cache("1"))
    def passed_on(file: FlyteFile) -> FlyteFile:
        RUNS.append("passed on")
        return file

    written(text="hello")
    for _ in range(2):
        assert Path(passed_on(file=written(text="hello"))).read_text() == "hello"
    assert RUNS == ["hello", "passed on"]
    assert len(list((home / "data").rglob("a.txt"))) == 1


def test_a_folder_is_kept_whole() -> None:
    @task(cache=Cache("1"))
    def tree(n: int) -> FlyteDirectory:
        RUNS.append(n)
        folder = Path(windlass.current_context().working_directory)
        (folder / "inner").mkdir()
        (folder / "inner" / "a").write_text("a" * n)
        return FlyteDirectory(str(folder))

    tree(n=2)
    assert (Path(tree(n=2)) / "inner" / "a").read_text() == "aa"
    assert RUNS == [2]


@pytest.mark.parametrize("how", ["gone", "changed"])
def test_data_that_is_gone_or_was_changed_is_a_miss(home: Path, how: str) -> None:
    written(text="hello")
    (kept,) = (home / "data").rglob("a.txt")
    if how == "gone":
        kept.unlink()
    else:
        kept.write_text("tampered with")
    with pytest.warns(UserWarning, match=f"a result of .*written in the cache .* {how}.* The task is run again"):
        again = written(text="hello")
    assert Path(again).read_text() == "hello"
    assert RUNS == ["hello"] * 2
    assert Path(written(text="hello")).read_text() == "hello"  # the bad entry was replaced
    assert RUNS == ["hello"] * 2


def test_a_file_elsewhere_stays_there_and_counts_as_long_as_it_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(folder / "tmp"))

    @task(cache=Cache("1"))
    def exported(n: int) -> FlyteFile:
        RUNS.append(n)
        (folder / "out.txt").write_text("x" * n)
        return FlyteFile(str(folder / "out.txt"))

    exported(n=1)
    assert Path(exported(n=1)) == folder / "out.txt"
    assert RUNS == [1]
    assert not (home / "data").exists()
    (folder / "out.txt").write_text("somebody else")
    with pytest.warns(UserWarning, match="was changed"):
        exported(n=1)
    assert RUNS == [1, 1]


# ---- never a reason to fail -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b'{"v": 99, "outputs": {}}', b'{"v": 1}', b'{"v": 1, "outputs": {"other": 1}}'],
    ids=["empty", "half", "a list", "no text", "of the future", "without outputs", "other outputs"],
)
def test_an_entry_that_can_not_be_read_is_a_miss_and_is_replaced(home: Path, content: bytes) -> None:
    double(n=1)
    (entry,) = entry_files(home)
    entry.write_bytes(content)
    with pytest.warns(UserWarning, match=r"a result of .*double in the cache at .* is of no use"):
        assert double(n=1) == 2
    assert double(n=1) == 2
    assert RUNS == [1, 1]


def test_a_cache_that_can_not_be_written_is_told_and_the_run_goes_on(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("WINDLASS_CACHE_HOME", str(tmp_path / "a file"))
    with pytest.warns(UserWarning) as told:
        assert double(n=1) == 2
    assert any("could not be put into the cache" in str(warning.message) for warning in told)


def test_a_serialized_task_runs_where_nothing_can_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @task(cache=Cache("1", serialize=True))
    def alone(n: int) -> int:
        return n

    (tmp_path / "a file").touch()
    monkeypatch.setenv("WINDLASS_CACHE_HOME", str(tmp_path / "a file"))
    with pytest.warns(UserWarning) as told:
        assert alone(n=1) == 1
    assert any("is not serialized" in str(warning.message) for warning in told)


# ---- switches -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", ["WINDLASS", "FLYTE"])
@pytest.mark.parametrize("no", ["false", "0", "FALSE", "off"])
def test_the_environment_may_turn_the_cache_off(
    home: Path, monkeypatch: pytest.MonkeyPatch, product: str, no: str
) -> None:
    monkeypatch.setenv(f"{product}_LOCAL_CACHE_ENABLED", no)
    double(n=1)
    double(n=1)
    assert RUNS == [1, 1]
    assert not home.exists()


@pytest.mark.parametrize("product", ["WINDLASS", "FLYTE"])
def test_the_environment_may_ask_for_new_results(monkeypatch: pytest.MonkeyPatch, product: str) -> None:
    @task(cache=Cache("1"))
    def sequence() -> int:
        RUNS.append(1)
        return len(RUNS)

    assert [sequence(), sequence()] == [1, 1]
    monkeypatch.setenv(f"{product}_LOCAL_CACHE_OVERWRITE", "true")
    assert sequence() == 2
    monkeypatch.delenv(f"{product}_LOCAL_CACHE_OVERWRITE")
    assert sequence() == 2


def test_windlass_own_switch_beats_the_other_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_LOCAL_CACHE_ENABLED", "false")
    monkeypatch.setenv("WINDLASS_LOCAL_CACHE_ENABLED", "true")
    assert local.enabled()


def test_a_hit_is_told_once_and_a_miss_is_explained_if_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WINDLASS_LOCAL_CACHE_EXPLAIN", "true")
    for _ in range(3):
        double(n=1)
    double(n=2)
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2] for line in told if "double" in line] == [
        f"{double.name} is not in the cache: there is no result of this task yet",
        f"{double.name}: from the cache (to forget it: windlass local-cache clear)",
        told[2].partition(": ")[2],
    ]
    assert "the value of n is another one" in told[2]


@task(cache=Cache(version="1", expires_after=timedelta(hours=1)))
def fresh(n: int) -> int:
    RUNS.append(n)
    return n


def test_a_result_that_has_expired_is_made_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh(n=1)
    fresh(n=1)
    assert RUNS == [1]
    (entry,) = (home / "entries").glob("*.json")
    kept = json.loads(entry.read_text())
    assert kept["expires"] - kept["written"] == pytest.approx(3600, abs=1)
    entry.write_text(json.dumps({**kept, "expires": kept["written"] - 1}))
    monkeypatch.setenv("WINDLASS_LOCAL_CACHE_EXPLAIN", "true")
    capsys.readouterr()
    fresh(n=1)
    fresh(n=1)
    assert RUNS == [1, 1], "run again once, and kept again"
    assert f"{fresh.name} is not in the cache: its result has expired" in capsys.readouterr().err


def test_the_folder_is_the_users_unless_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WINDLASS_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert disk.home() == Path("/home/somebody/.cache/windlass/results")


# ---- the command line -----------------------------------------------------------------------------------------------


def test_clearing_forgets_everything(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    double(n=1)
    written(text="a")
    assert main(["local-cache", "clear"]) == 0
    assert f"forgot 2 results in {home}" in capsys.readouterr().out
    assert not home.exists()
    assert list(home.parent.iterdir()) == []
    double(n=1)
    assert RUNS == [1, "a", 1]


def test_clearing_some_tasks_leaves_the_others(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    double(n=1)
    written(text="a")
    (home / "entries" / "damaged.json").write_text("{")
    assert main(["local-cache", "clear", "written", "m.nobody"]) == 0
    assert "forgot 1 result in" in capsys.readouterr().out
    assert list((home / "data").iterdir()) == []
    double(n=1)
    written(text="a")
    assert RUNS == [1, "a", "a"]


def test_clearing_an_empty_cache_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["local-cache", "clear"]) == 0
    assert "forgot 0 results" in capsys.readouterr().out


def test_the_command_wants_an_action(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["local-cache"])
    assert ended.value.code == 2
    assert "ACTION" in capsys.readouterr().err


# ---- several processes ----------------------------------------------------------------------------------------------

JOBS = """
    import os, sys
    from pathlib import Path
    from windlass import Cache, FlyteFile, task

    GATE = Path(os.environ["GATE"])

    def note(what):
        with open(GATE / "runs", "a") as file:
            file.write(what + "\\n")

    def meet():
        '''Waits until all processes are here, so that they race.'''
        (GATE / f"ready-{os.getpid()}").touch()
        while len(list(GATE.glob("ready-*"))) < int(os.environ["COUNT"]):
            pass

    @task(cache=Cache(version="1"))
    def free(n: int) -> FlyteFile:
        meet()
        note(f"free {n}")
        file = FlyteFile.new("free.txt")
        Path(file).write_text("x" * 100_000)
        return file

    @task(cache=Cache(version="1", serialize=True))
    def serial(n: int) -> int:
        note(f"serial {n}")
        return n + 1

    @task(cache=Cache(version="1"))
    def made(n: int) -> FlyteFile:
        note(f"made {n}")
        file = FlyteFile.new("made.txt")
        Path(file).write_text(f"content {n}")
        return file

    if __name__ == "__main__":
        what = sys.argv[1]
        if what == "free":
            print(len(Path(free(n=1)).read_text()))
        elif what == "serial":
            meet()
            print(serial(n=1))
        else:
            print(Path(made(n=7)).read_text())
"""


class Processes:
    """Real ones, which share a cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "jobs.py"
        self.script.write_text(textwrap.dedent(JOBS))

    def start(self, what: str, count: int) -> subprocess.Popen[str]:
        env = {**os.environ, "GATE": str(self.folder), "COUNT": str(count), "PYTHONWARNINGS": "error"}
        return subprocess.Popen(
            [sys.executable, str(self.script), what],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, what: str, count: int = 1) -> list[str]:
        """What they print."""
        started = [self.start(what, count) for _ in range(count)]
        printed = [process.communicate(timeout=50) for process in started]
        assert [process.returncode for process in started] == [0] * count, printed
        return [stdout.strip() for stdout, _ in printed]

    @property
    def runs(self) -> list[str]:
        return (self.folder / "runs").read_text().splitlines()


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    folder = tmp_path / "gate"
    folder.mkdir()
    return Processes(folder)


def test_a_later_process_finds_the_data_of_an_earlier_one(processes: Processes) -> None:
    assert processes.run("made") == processes.run("made") == ["content 7"]
    assert processes.runs == ["made 7"]


def test_processes_that_race_leave_one_whole_entry(processes: Processes, home: Path) -> None:
    assert processes.run("free", 4) == ["100000"] * 4
    assert processes.runs == ["free 1"] * 4
    (entry,) = entry_files(home)
    assert json.loads(entry.read_text())["outputs"]
    assert len(list((home / "data").iterdir())) == 1, "those that came second leave no data behind"
    assert list((home / "unfinished").iterdir()) == []
    processes.run("free")
    assert len(processes.runs) == 4


def test_of_serialized_processes_one_runs_and_the_others_take_its_result(processes: Processes) -> None:
    assert processes.run("serial", 4) == ["2"] * 4
    assert processes.runs == ["serial 1"]
