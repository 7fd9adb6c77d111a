"""The parts of a worker that decide, without a worker."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path

import pytest
import tomllib

from tests.dispatcher import bundle, config_map_digest
from windlass.runtime import VERSION
from windlass.runtime.warm import bundles, kernel, settings
from windlass.runtime.warm.keeping import Keeper
from windlass.runtime.warm.ledger import REMEMBERED, Ledger
from windlass.runtime.warm.logs import LINE, TAIL, Lines, Log, Mark, Place, Tail, mark
from windlass.runtime.warm.process import Bounds, Use, surplus
from windlass.runtime.warm.streams import LONGEST_PAUSE, pause
from windlass_api.protocol import dispatcher_pb2 as pb

FREE = Bounds(processes=9, calls=0, memory=None)


def use(calls: int = 1, memory: int = 0, used: int = 0, busy: bool = False) -> Use:
    return Use(calls=calls, memory=memory, used=used, busy=busy)


SURPLUS = {
    "nothing is too much": ({1: use(), 2: use()}, FREE, set()),
    "too many calls": ({1: use(calls=5), 2: use(calls=4)}, Bounds(9, 5, None), {1}),
    "too many processes: the one used least recently": ({1: use(used=7), 2: use(used=3)}, Bounds(1, 0, None), {2}),
    "too much memory: as many as it takes": (
        {1: use(memory=50, used=1), 2: use(memory=50, used=2), 3: use(memory=50, used=3)},
        Bounds(9, 0, 100),
        {1},
    ),
    "one alone may be too much": ({1: use(memory=200)}, Bounds(9, 0, 100), {1}),
    "whoever is busy stays": ({1: use(memory=200, calls=9, busy=True), 2: use(memory=1)}, Bounds(1, 5, 100), {2}),
    "whoever goes for its calls takes its memory along": (
        {1: use(calls=5, memory=90, used=2), 2: use(memory=50, used=1)},
        Bounds(9, 5, 100),
        {1},
    ),
}


@pytest.mark.parametrize(("uses", "bounds", "going"), SURPLUS.values(), ids=SURPLUS)
def test_processes_that_are_too_many_or_too_large_go(uses: dict[int, Use], bounds: Bounds, going: set[int]) -> None:
    assert set(surplus(uses, bounds)) == going


def test_marks_part_what_calls_print_wherever_the_pieces_end() -> None:
    place = Place("s3://bucket/a folder/n0/3/0.log", 4096)
    text = b"one\ntwo" + mark("t", 1, "x/n0#3", place) + b"three\n" + mark("t", 1) + b"between"
    wanted = [b"one", b"two", Mark(1, "x/n0#3", place), b"three", Mark(1), b"between"]
    for size in range(1, len(text) + 1):
        lines = Lines("t")
        pieces = (text[at : at + size] for at in range(0, len(text), size))
        assert [*(one for piece in pieces for one in lines.feed(piece)), *lines.finish()] == wanted


def test_a_line_without_end_goes_out_in_parts_and_hides_no_mark() -> None:
    lines = Lines("t")
    text = b"x" * (3 * LINE + 5)
    found = [*lines.feed(text), *lines.feed(mark("t", 1)), *lines.finish()]
    parts = [one for one in found if isinstance(one, bytes)]
    assert b"".join(parts) == text
    assert (max(map(len, parts)), found[-1]) == (LINE, Mark(1))


def test_a_mark_that_comes_in_two_pieces_behind_a_long_line_is_a_mark() -> None:
    line, whole = b"x" * (LINE - 1), mark("t", 1, "x/n0", Place("s3://" + "b" * 500, 4096))
    for at in range(len(whole)):
        lines = Lines("t")
        found = [*lines.feed(line + whole[:at]), *lines.feed(whole[at:])]
        assert found == [line, Mark(1, "x/n0", Place("s3://" + "b" * 500, 4096))]


def test_a_call_that_prints_nothing_has_nothing_kept_and_what_it_has_printed_is_kept_once() -> None:
    kept: list[tuple[Place, bytes]] = []
    place = Place("file:///log", 100)
    log = Log(place, lambda *one: kept.append(one))
    log.copy()
    assert kept == []
    log.add(b"one")
    log.copy()
    log.copy()
    log.add(b"two")
    log.copy()
    assert kept == [(place, b"one\n"), (place, b"one\ntwo\n")]


def test_another_process_s_marks_are_text() -> None:
    assert [*Lines("t").feed(mark("other", 1))] == [mark("other", 1).rstrip(b"\n")]


def test_of_much_output_the_last_is_kept() -> None:
    tail = Tail()
    for number in range(10_000):
        tail.add(b"%d" % number)
    assert len(tail.bytes()) <= TAIL
    assert tail.bytes().endswith(b"9998\n9999\n")


def test_pauses_grow_to_a_bound_and_differ() -> None:
    assert pause(0, 1) == 0.1
    assert pause(0, 0) == 0.05
    assert [pause(failures, 1) for failures in (1, 2, 3)] == [0.2, 0.4, 0.8]
    assert pause(10_000, 1) == LONGEST_PAUSE


def test_a_digest_is_of_the_bytes_or_of_the_config_map_that_holds_them() -> None:
    short, content = bundle({"job.py": ""})
    whole = hashlib.sha256(content).hexdigest()
    assert all(
        bundles.fits(digest, content) for digest in (short, whole, f"sha256:{whole}", config_map_digest(content))
    )
    assert not any(bundles.fits(digest, content + b"x") for digest in (short, whole, config_map_digest(content)))
    assert not bundles.fits("", content)
    assert not bundles.fits(short[:8], content)


def test_calls_that_are_done_are_remembered_for_a_while() -> None:
    ledger = Ledger(slots=1)
    for number in range(REMEMBERED + 1):
        assert ledger.take(str(number)) is None
        ledger.ended(pb.Result(call=str(number)))
        ledger.acknowledge([str(number)])
    assert ledger.take("1") is not None
    assert ledger.take("0") is None


def test_cgroups_of_both_versions_are_read(tmp_path: Path) -> None:
    assert (kernel.memory_limit(str(tmp_path)), kernel.oom_kills(str(tmp_path))) == (None, 0)
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (tmp_path / "memory" / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert (kernel.memory_limit(str(tmp_path)), kernel.oom_kills(str(tmp_path))) == (None, 2)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.events").write_text("low 0\noom 4\noom_kill 3\noom_group_kill 0\n")
    assert (kernel.memory_limit(str(tmp_path)), kernel.oom_kills(str(tmp_path))) == (None, 3)
    (tmp_path / "memory.max").write_text("1048576\n")
    assert kernel.memory_limit(str(tmp_path)) == 1 << 20


@pytest.mark.parametrize("text", ["-1", "many", "inf", "nan"])
def test_a_choice_that_is_no_number_is_refused(text: str) -> None:
    variables = {
        "WINDLASS_WORKER": '{"namespace":"n","pool":"p","revision":"r","dispatcher":"d:1"}',
        "WINDLASS_ACTOR_MAX_CALLS": text,
    }
    with pytest.raises(settings.SettingsError, match="WINDLASS_ACTOR_MAX_CALLS takes a number, 0 or more, not"):
        settings.read(variables)


def test_the_runtime_s_version_is_the_distribution_s() -> None:
    project = Path(__file__).parents[3] / "sdk" / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == VERSION


def test_logs_that_wait_have_a_bound_and_those_beyond_it_are_told_of(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    keeper = Keeper(room=2000)
    place = Place(f"file://{tmp_path}/large.log", 4096)
    for _ in range(3):
        keeper.keep(place, b"x" * 2000)
    assert keeper.pid == 0, "nothing is waiting, so nothing has been started"
    keeper.keep(Place(f"file://{tmp_path}/small.log", 4096), b"small\n")
    keeper.close(30)
    assert [path.name for path in tmp_path.iterdir()] == ["small.log"]
    assert (tmp_path / "small.log").read_text() == "small\n"
    told = capfd.readouterr().err.splitlines()
    assert [line.partition(" as at ")[0] for line in told] == [
        "windlass: logs are not kept for now,",
        "windlass: 3 logs are not kept: the store was slower than what calls printed",
    ]


def test_a_later_copy_of_a_log_is_what_stays(tmp_path: Path) -> None:
    keeper = Keeper()
    for number in range(200):
        keeper.keep(Place(f"file://{tmp_path}/{number % 5}.log", 4096), b"%d\n" % number)
    keeper.close(30)
    assert sorted(int(path.read_text()) for path in tmp_path.iterdir()) == [195, 196, 197, 198, 199]


def test_a_process_that_keeps_logs_and_dies_is_replaced(tmp_path: Path) -> None:
    keeper = Keeper()
    first = Path(tmp_path, "first.log")
    keeper.keep(Place(f"file://{first}", 4096), b"first\n")
    deadline = time.monotonic() + 30
    while not first.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(keeper.pid, signal.SIGKILL)
    os.waitpid(keeper.pid, 0)
    keeper.keep(Place(f"file://{tmp_path}/second.log", 4096), b"second\n")
    keeper.close(30)
    assert Path(tmp_path, "second.log").read_text() == "second\n"
