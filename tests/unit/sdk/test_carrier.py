"""The helpers of a container's pod, as real processes: what they write, what they read, and how they end."""

from __future__ import annotations

import base64
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import windlass
from tests.harness import wait_until
from windlass_api import records

SOURCES = Path(windlass.__file__).parents[1]
PYTHON = getattr(sys, "_base_executable", sys.executable)
LIMIT = 4096


class Helper:
    """A helper's container from the inside, with the folders that it shares with the task's container."""

    def __init__(self, folder: Path) -> None:
        self.inputs, self.outputs, self.values = (folder / name for name in ("inputs", "outputs", "values"))
        self.result, self.ready = folder / "result", folder / "ready"
        self.inputs.mkdir()
        self.outputs.mkdir()
        self.env: dict[str, str] = {}
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, role: str, order: dict[str, Any]) -> subprocess.Popen[str]:
        """The process, running."""
        own = {
            "PYTHONPATH": str(SOURCES),
            "WINDLASS_TASK": json.dumps({"task": "t", "limit": LIMIT, "retryOn": [], "moves": True, **order}),
            "WINDLASS_RESULT": str(self.result),
            "WINDLASS_READY": str(self.ready),
            "WINDLASS_VALUES": str(self.values),
        }
        process = subprocess.Popen(
            [PYTHON, "-m", "windlass.runtime.carrier", role],
            env={"PATH": os.environ["PATH"], **own, **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def carry_in(self, inputs: dict[str, Any], types: dict[str, str], **order: Any) -> int:
        """Writes inputs; the exit code."""
        given = {
            "inputs": inputs,
            "types": types,
            "folder": str(self.inputs),
            "metadata": "JSON",
            "cached": None,
            **order,
        }
        process = self.start("inputs", given)
        process.communicate(timeout=30)
        return process.returncode

    def waiting(self, outputs: dict[str, Any], **order: Any) -> subprocess.Popen[str]:
        """The sidecar, once the container may start."""
        self.ready.unlink(missing_ok=True)
        self.result.unlink(missing_ok=True)
        process = self.start("outputs", {"outputs": outputs, "folder": str(self.outputs), "grace": 30, **order})
        wait_until(self.ready.exists, "the sidecar to be ready", 30)
        return process

    def carry_out(self, outputs: dict[str, Any], **order: Any) -> dict[str, Any]:
        """Reads outputs as the kubelet makes it, by SIGTERM; the record."""
        process = self.waiting(outputs, **order)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        return self.record()

    def record(self) -> dict[str, Any]:
        """What it left."""
        found = records.decode(self.result.read_text())
        assert found is not None
        assert len(self.result.read_bytes()) <= LIMIT
        return found


@pytest.fixture
def helper(tmp_path: Path) -> Iterator[Helper]:
    """A helper; its processes end with the test."""
    found = Helper(tmp_path)
    yield found
    for process in found.processes:
        process.kill()
        process.communicate()


def files(folder: Path) -> dict[str, Any]:
    """A folder as a dict."""
    return {
        path.name: files(path) if path.is_dir() else path.read_bytes().decode("utf-8", "surrogateescape")
        for path in folder.iterdir()
    }


def test_each_input_is_a_file_with_its_text_and_one_file_has_them_all(helper: Helper) -> None:
    inputs = {"n": 3, "x": 2.0, "yes": True, "names": ["a", "b"], "raw": base64.b64encode(b"\0\1").decode()}
    types = {"n": "int", "x": "float", "yes": "bool", "names": "list[str]", "raw": "bytes"}
    assert helper.carry_in(inputs, types) == 0
    found = files(helper.inputs)
    assert json.loads(found.pop("inputs.json")) == inputs
    assert found == {"n": "3", "x": "2", "yes": "true", "names": {"0": "a", "1": "b"}, "raw": "\0\1"}
    assert not helper.result.exists()


def test_the_file_with_them_all_is_yaml_where_that_is_asked_for(helper: Helper) -> None:
    assert helper.carry_in({"n": 3}, {"n": "int"}, metadata="YAML") == 0
    assert sorted(files(helper.inputs)) == ["inputs.yaml", "n"]


def test_large_values_and_values_that_look_like_references_arrive_as_they_are(helper: Helper) -> None:
    (helper.values / "abc").mkdir(parents=True)
    (helper.values / "abc" / "value.json.gz").write_bytes(gzip.compress(b'"long"'))
    inputs = {"long": {"$value": "abc"}, "odd": {"$literal": {"$ref": "x"}}}
    assert helper.carry_in(inputs, {"long": "str", "odd": "struct"}) == 0
    assert json.loads((helper.inputs / "inputs.json").read_text()) == {"long": "long", "odd": {"$ref": "x"}}


def test_files_and_folders_are_fetched_unless_they_shall_not_be(helper: Helper, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("hello")
    inputs = {"file": {"uri": str(source / "a.txt")}, "folder": {"uri": str(source)}}
    types = {"file": "file[txt]", "folder": "directory"}
    assert helper.carry_in(inputs, types) == 0
    found = files(helper.inputs)
    assert (found["file"], found["folder"]) == ("hello", {"a.txt": "hello"})
    (helper.inputs / "file").unlink()
    assert helper.carry_in({"file": inputs["file"]}, {"file": "file[txt]"}, moves=False) == 0
    assert (helper.inputs / "file").read_text() == str(source / "a.txt")


def test_a_cached_result_that_is_all_there_keeps_the_container_from_starting(helper: Helper, tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("all well")
    cached = {"outputs": {"report": {"uri": str(kept)}}, "uris": [str(kept)]}
    assert helper.carry_in({"n": 1}, {"n": "int"}, cached=cached) == 3
    found = helper.record()
    assert (found["outputs"], found["reused"]) == (cached["outputs"], True)
    assert files(helper.inputs) == {}
    kept.unlink()
    helper.result.unlink()
    assert helper.carry_in({"n": 1}, {"n": "int"}, cached=cached) == 0
    assert files(helper.inputs)["n"] == "1" and not helper.result.exists()
    assert helper.carry_in({}, {}, cached=cached, folder=None) == 0


def test_large_outputs_go_to_the_store_and_come_back_as_inputs(helper: Helper, tmp_path: Path) -> None:
    helper.env["WINDLASS_RAW_OUTPUT_PREFIX"] = str(tmp_path / "store")
    text = os.urandom(20_000).hex()
    (helper.outputs / "y").write_text(text)
    mark = helper.carry_out({"y": {"type": "str"}})["outputs"]["y"]
    assert list(mark) == ["$stored"]
    assert helper.carry_in({"x": mark}, {"x": "str"}) == 0
    assert (helper.inputs / "x").read_text() == text


def test_a_file_that_is_gone_is_told_in_a_record(helper: Helper) -> None:
    assert helper.carry_in({"file": {"uri": "/not/there"}}, {"file": "file"}) == 1
    error = helper.record()["error"]
    assert error["kind"] == "user" and "/not/there" in error["message"]


def test_the_outputs_are_read_once_the_container_has_ended(helper: Helper) -> None:
    process = helper.waiting({"n": {"type": "int"}, "said": {"type": "str"}, "none": {"type": "optional[str]"}})
    (helper.outputs / "n").write_text(" 7\n")
    (helper.outputs / "said").write_text("hello\n")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    found = helper.record()
    assert found["outputs"] == {"n": 7, "said": "hello\n", "none": None}
    assert list(found["timings"]) == ["outputs"]


def test_schemas_count_in_the_container_as_anywhere(helper: Helper) -> None:
    (helper.outputs / "colour").write_text("green\n")
    outputs = {"colour": {"type": "enum", "schema": {"enum": ["red", "green"]}}}
    assert helper.carry_out(outputs)["outputs"] == {"colour": "green"}
    (helper.outputs / "colour").write_text("blue")
    assert "expected" in helper.carry_out(outputs)["error"]["message"]


@pytest.mark.parametrize(
    ("type_", "text", "message"),
    [
        ("int", None, "the output y of t: its container has written no file y there"),
        ("int", "seven", "the output y of t: expected int, got the text 'seven'"),
        ("list[int]", "[1, ", "the output y of t: expected list[int], got the text '[1, '"),
        ("str", "x" * (1024 * 1024 + 1), "has more than 1048576 bytes"),
    ],
    ids=["missing", "wrong", "broken", "long"],
)
def test_an_output_that_is_missing_or_wrong_is_the_users_failure(
    helper: Helper, type_: str, text: str | None, message: str
) -> None:
    if text is not None:
        (helper.outputs / "y").write_text(text)
    error = helper.carry_out({"y": {"type": type_}})["error"]
    assert (error["kind"], error["recoverable"]) == ("user", False)
    assert message in error["message"]


def test_a_file_called_error_is_what_the_container_has_to_say(helper: Helper) -> None:
    (helper.outputs / "error").write_text("the well is dry\n")
    (helper.outputs / "n").write_text("1")
    error = helper.carry_out({"n": {"type": "int"}})["error"]
    assert (error["kind"], error["type"], error["recoverable"]) == ("user", "FlyteUserRuntimeException", False)
    assert "User Error: the well is dry" in error["message"]


def test_an_error_that_its_task_may_retry_is_recoverable(helper: Helper) -> None:
    error = helper.carry_out({"n": {"type": "int"}}, retryOn=["FlyteAssertion"])["error"]
    assert (error["kind"], error["recoverable"]) == ("user", True)


def test_outputs_beyond_the_limit_of_a_record_are_the_users_failure(helper: Helper) -> None:
    (helper.outputs / "y").write_text(os.urandom(20_000).hex())
    error = helper.carry_out({"y": {"type": "str"}})["error"]
    assert (error["kind"], error["code"]) == ("user", "OutputTooLarge")


def test_files_are_stored_where_the_store_is(helper: Helper, tmp_path: Path) -> None:
    helper.env["WINDLASS_RAW_OUTPUT_PREFIX"] = str(tmp_path / "store")
    (helper.outputs / "report").write_text("all well")
    (helper.outputs / "parts").mkdir()
    (helper.outputs / "parts" / "0").write_text("zero")
    found = helper.carry_out({"report": {"type": "file[txt]"}, "parts": {"type": "directory"}})["outputs"]
    assert found["report"]["uri"].startswith(str(tmp_path / "store")) and found["report"]["format"] == "txt"
    assert Path(found["report"]["uri"]).read_text() == "all well"
    assert (Path(found["parts"]["uri"]) / "0").read_text() == "zero"


def test_without_a_store_files_are_refused_rather_than_lost(helper: Helper) -> None:
    (helper.outputs / "report").write_text("all well")
    error = helper.carry_out({"report": {"type": "file"}})["error"]
    assert (error["kind"], error["code"]) == ("user", "USER:NoStore")


def test_addresses_are_taken_as_they_are_where_nothing_is_moved(helper: Helper) -> None:
    (helper.outputs / "report").write_text("s3://b/report\n")
    assert helper.carry_out({"report": {"type": "file"}}, moves=False)["outputs"] == {
        "report": {"uri": "s3://b/report"}
    }


def test_a_link_out_of_the_folder_is_not_followed(helper: Helper, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden")
    for name in ("y", "error"):
        (helper.outputs / name).symlink_to(tmp_path / "secret")
        error = helper.carry_out({"y": {"type": "str"}})["error"]
        assert "link that leads out of the folder" in error["message"] and "hidden" not in json.dumps(error)
        (helper.outputs / name).unlink()
    (helper.outputs / "real").write_text("open")
    (helper.outputs / "y").symlink_to("real")
    assert helper.carry_out({"y": {"type": "str"}})["outputs"] == {"y": "open"}


def test_a_pipe_in_place_of_an_output_does_not_hold_up_the_end(helper: Helper) -> None:
    os.mkfifo(helper.outputs / "y")
    assert "neither a file nor a folder" in helper.carry_out({"y": {"type": "str"}})["error"]["message"]


def test_a_file_that_only_its_writer_may_read_is_told(helper: Helper) -> None:
    (helper.outputs / "y").mkdir()
    error = helper.carry_out({"y": {"type": "str"}})["error"]
    assert (error["kind"], "has written a folder" in error["message"]) == ("user", True)


def test_outputs_that_take_longer_to_store_than_there_is_time_are_told_in_time(helper: Helper, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "sitecustomize.py").write_text(
        "import shutil, time\nshutil.copyfile = lambda *a, **k: time.sleep(60)\n"
        "shutil.copyfileobj = lambda *a, **k: time.sleep(60)\n"
    )
    helper.env["PYTHONPATH"] = f"{slow}:{SOURCES}"
    helper.env["WINDLASS_RAW_OUTPUT_PREFIX"] = str(tmp_path / "store")
    (helper.outputs / "report").write_text("all well")
    error = helper.carry_out({"report": {"type": "file"}}, grace=4)["error"]
    assert (error["kind"], error["code"]) == ("user", "USER:OutputsTooSlow")
    assert "terminationGracePeriodSeconds" in error["message"]


def test_an_order_that_makes_no_sense_is_the_systems_failure(helper: Helper) -> None:
    assert helper.carry_in({"n": 1}, {}) == 1
    assert helper.record()["error"]["kind"] == "system"


def test_being_told_to_end_while_inputs_are_fetched_ends_at_once(helper: Helper) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/never"
        order = {"inputs": {"f": {"uri": address}}, "types": {"f": "file"}, "metadata": "JSON", "cached": None}
        process = helper.start("inputs", {**order, "folder": str(helper.inputs)})
        silent.settimeout(30)
        connection, _ = silent.accept()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
        connection.close()
