"""Checkpoints: what an attempt leaves for the next one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

import windlass
from windlass import current_context, task
from windlass._checkpoint import SyncCheckpoint, of_attempt
from windlass._parameters import ExecutionParameters


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


def test_an_attempt_reads_what_the_one_before_wrote(folder: Path) -> None:
    first, second = of_attempt(str(folder), 0), of_attempt(str(folder), 1)
    assert (first.prev_exists(), first.read(), first.restore()) == (False, None, None)
    first.write(b"one")
    first.write(b"two")
    assert first.read() is None, "its own is for the next attempt"
    assert (second.prev_exists(), second.read(), second.read()) == (True, b"two", b"two")


def test_an_attempt_that_wrote_none_leaves_the_one_before_in_force(folder: Path) -> None:
    of_attempt(str(folder), 0).write(b"one")
    (folder / "1").mkdir()
    assert of_attempt(str(folder), 2).read() == b"one"
    of_attempt(str(folder), 1).write(b"newer")
    assert of_attempt(str(folder), 2).read() == b"newer"


def test_files_and_folders_are_saved_and_restored(folder: Path, tmp_path: Path) -> None:
    first = of_attempt(str(folder), 0)
    (tmp_path / "model" / "inner").mkdir(parents=True)
    (tmp_path / "model" / "inner" / "weights").write_text("w")
    (tmp_path / "notes.txt").write_text("n")
    first.save(tmp_path / "model")
    first.save(str(tmp_path / "notes.txt"))
    target = tmp_path / "target"
    target.mkdir()
    second = of_attempt(str(folder), 1)
    assert second.restore(target) == target
    assert (target / "inner" / "weights").read_text() == "w"
    assert (target / "notes.txt").read_text() == "n"
    assert second.restore() == target, "it is copied once"


def test_one_file_is_read_whatever_its_name_and_several_are_not(folder: Path, tmp_path: Path) -> None:
    first = of_attempt(str(folder), 0)
    (tmp_path / "state.bin").write_bytes(b"state")
    first.save(tmp_path / "state.bin")
    assert of_attempt(str(folder), 1).read() == b"state"
    first.write(b"another")
    with pytest.raises(ValueError, match="Expected exactly one checkpoint - found 2"):
        of_attempt(str(folder), 1).read()


def test_a_stream_is_saved_as_what_it_gives(folder: Path) -> None:
    of_attempt(str(folder), 0).save(io.BytesIO(b"streamed"))
    assert of_attempt(str(folder), 1).read() == b"streamed"


def test_an_empty_checkpoint_is_one(folder: Path) -> None:
    of_attempt(str(folder), 0).write(b"")
    assert of_attempt(str(folder), 1).read() == b""


def test_what_is_no_checkpoint_is_refused(folder: Path, tmp_path: Path) -> None:
    checkpoint = of_attempt(str(folder), 0)
    wrong: Any = "text"
    with pytest.raises(TypeError, match=r"write\(text.encode\(\)\)"):
        checkpoint.write(wrong)
    with pytest.raises(ValueError, match="a path or a stream"):
        checkpoint.save(3)  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(windlass.FlyteDataNotFoundException):
        checkpoint.save(tmp_path / "nothing")
    checkpoint.write(b"x")
    (tmp_path / "a file").touch()
    with pytest.raises(ValueError, match="Checkpoints can be restored to a directory only"):
        of_attempt(str(folder), 1).restore(path=tmp_path / "a file")


def test_an_attempt_that_dies_while_it_writes_leaves_its_last_whole_checkpoint(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = of_attempt(str(folder), 0)
    first.write(b"whole")

    def die(source: Any, target: Any) -> None:
        Path(target).write_bytes(b"ha")
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.copyfile", die)
    with pytest.raises(KeyboardInterrupt):
        first.write(b"halves")
    monkeypatch.undo()
    assert of_attempt(str(folder), 1).read() == b"whole"


def test_it_may_lie_in_an_object_store(s3_server: Any) -> None:
    base = s3_server.uri("checkpoints")
    of_attempt(base, 0).write(b"far away")
    assert s3_server.keys() == ["checkpoints/0/_checkpoint"]
    assert of_attempt(base, 1).prev_exists()
    assert of_attempt(base, 2).read() == b"far away"


def test_the_places_may_be_given_one_by_one(folder: Path) -> None:
    SyncCheckpoint(checkpoint_dest=str(folder / "a")).write(b"a")
    later = SyncCheckpoint(checkpoint_dest=str(folder / "b"), checkpoint_src=str(folder / "a"))
    assert (later.read(), later.checkpoint_dest) == (b"a", str(folder / "b"))


# ---- in a task ------------------------------------------------------------------------------------------------------

SEEN: list[bytes | None] = []


@task(retries=3)
def counting(until: int) -> int:
    checkpoint = current_context().checkpoint
    SEEN.append(checkpoint.read())
    count = int(SEEN[-1] or b"0") + 1
    checkpoint.write(str(count).encode())
    if count < until:
        raise windlass.FlyteRecoverableException("again")
    return count


def test_a_retried_task_goes_on_where_it_was_and_a_new_run_starts_afresh() -> None:
    for _ in range(2):
        SEEN.clear()
        assert counting(until=3) == 3
        assert SEEN == [None, b"1", b"2"]


def test_a_pod_without_a_store_is_warned_that_its_checkpoints_end_with_it() -> None:
    parameters = ExecutionParameters(local=False)
    with pytest.warns(UserWarning, match="WINDLASS_RAW_OUTPUT_PREFIX is not set"):
        parameters.checkpoint.write(b"x")
