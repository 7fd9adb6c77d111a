"""Values that are too large for the record, in a real process: they go to the store and come out of it."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sdk.conftest import S3Server
from tests.unit.sdk.test_runtime import DYNAMIC, JOB, NOISE, Ended, Pod, pod, runtime
from windlass_api import records
from windlass_api.stored import Stored, any_in, stored

__all__ = ["pod", "runtime"]  # fixtures

PREFIX = "WINDLASS_RAW_OUTPUT_PREFIX"
SIZES = """
from typing import NamedTuple
Two = NamedTuple("Two", [("big", str), ("small", int)])

@task
def two() -> Two:
    import random
    return Two("".join(random.Random(1).choices("0123456789abcdef", k=20000)), 3)

@task
def size(text: str) -> int:
    return len(text)

@task
def sizes(texts: list[str]) -> list[int]:
    return [len(text) for text in texts]

@task
def many() -> NamedTuple("Many", [(f"o{n}", str) for n in range(60)]):
    import random
    return tuple("".join(random.Random(n).choices("0123456789abcdef", k=600)) for n in range(60))
"""


def run(pod: Pod, place: str, entrypoint: str, inputs: dict[str, Any] | None = None, **order: Any) -> Ended:
    """A run of a pod that has a store."""
    content = {"task": entrypoint, "entrypoint": entrypoint, "bundle": str(pod.bundle), "inputs": inputs or {}, **order}
    return pod.ended(pod.boot({"WINDLASS_TASK": json.dumps(content), PREFIX: place}))


def kept(found: Any) -> Stored:
    """What a mark says."""
    lies = stored(found)
    assert lies is not None, found
    return lies


def test_a_large_output_goes_to_the_store_and_a_small_one_stays(pod: Pod, tmp_path: Path) -> None:
    pod.code({"job.py": JOB + SIZES})
    outputs = run(pod, f"file://{tmp_path}/store", "job:two").outputs
    assert outputs["small"] == 3
    lies = kept(outputs["big"])
    data = Path(lies.uri.removeprefix("file://")).read_bytes()
    assert (lies.size, lies.sha256, lies.length) == (len(data), hashlib.sha256(data).hexdigest(), None)
    assert len(json.loads(data)) == 20_000
    assert run(pod, f"file://{tmp_path}/store", "job:size", {"text": lies.mark}).outputs == {"o0": 20_000}


def test_of_a_list_the_mark_says_how_long_it_is_and_a_part_is_taken_by_who_reads_it(pod: Pod, tmp_path: Path) -> None:
    pod.code({"job.py": JOB + SIZES + f"""
@task
def texts() -> list[str]:
    {NOISE.format(3000).replace(chr(10), chr(10) + "    ")}
    return [letters, letters[::-1], "x"]
"""})  # fmt: skip
    lies = kept(run(pod, str(tmp_path / "store"), "job:texts").outputs["o0"])
    assert lies.length == 3
    inputs = {"texts": [lies._replace(path=(2,), length=None).mark, {"$literal": "y"}, "abc"]}
    assert run(pod, str(tmp_path / "store"), "job:sizes", inputs).outputs == {"o0": [1, 1, 3]}
    gone = run(pod, str(tmp_path / "store"), "job:size", {"text": lies._replace(path=(7,), length=None).mark}).error
    assert (gone["kind"], gone["code"]) == ("user", "USER:UnresolvableReference")
    assert "index 7 is out of range" in gone["message"]


def test_many_outputs_lie_in_one_object_whose_address_is_said_once(pod: Pod, tmp_path: Path) -> None:
    pod.code({"job.py": JOB + SIZES})
    ended = run(pod, str(tmp_path / "store"), "job:many")
    assert ended.size < 4096, ended.stderr
    found = records.decode(pod.result.read_text())
    assert found is not None
    assert len({kept(one).uri for one in found["outputs"].values()}) == 1
    text = found["outputs"]["o59"]
    assert run(pod, str(tmp_path / "store"), "job:size", {"text": text}).outputs == {"o0": 600}


@pytest.mark.parametrize("spoil", ["gone", "changed", "shorter"])
def test_what_is_not_as_it_was_written_is_told_and_another_attempt_would_not_help(
    pod: Pod, tmp_path: Path, spoil: str
) -> None:
    pod.code({"job.py": JOB + SIZES})
    lies = kept(run(pod, str(tmp_path / "store"), "job:two").outputs["big"])
    path = Path(lies.uri)
    if spoil == "gone":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes(data[:-1] if spoil == "shorter" else data[:-2] + b'z"')
    error = run(pod, str(tmp_path / "store"), "job:size", {"text": lies.mark}).error
    assert (error["kind"], error["code"], error["recoverable"]) == ("system", "ValueLost", False)
    assert lies.uri in error["message"]
    assert "the task that gave it has to run again" in error["message"]


def test_a_store_that_can_not_be_written_says_so(pod: Pod, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    pod.code({"job.py": JOB + SIZES})
    error = run(pod, str(tmp_path / "file"), "job:two").error
    assert error["kind"] == "system"
    assert "in the way" not in error["message"]
    assert str(tmp_path / "file") in error["message"]


def test_values_go_to_s3_and_come_back_from_it(pod: Pod, s3_server: S3Server) -> None:
    pod.code({"job.py": JOB + SIZES})
    pod.python = str(Path(sys.executable))
    environment = s3_server.store.environment() | {PREFIX: s3_server.uri("run")}
    content: dict[str, Any] = {"task": "t", "entrypoint": "job:two", "bundle": str(pod.bundle)}
    lies = kept(pod.ended(pod.boot({"WINDLASS_TASK": json.dumps(content), **environment})).outputs["big"])
    assert lies.uri.startswith(s3_server.uri("run/"))
    content |= {"entrypoint": "job:size", "inputs": {"text": lies.mark}}
    assert pod.ended(pod.boot({"WINDLASS_TASK": json.dumps(content), **environment})).outputs == {"o0": 20_000}
    wrong = environment | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    refused = pod.ended(pod.boot({"WINDLASS_TASK": json.dumps(content), **wrong})).error
    assert (refused["kind"], refused["code"]) == ("system", "StoreUnreadable")
    assert lies.uri in refused["message"]
    nowhere = environment | {PREFIX: "s3://no-such-bucket/x"}
    content |= {"entrypoint": "job:two", "inputs": {}}
    missing = pod.ended(pod.boot({"WINDLASS_TASK": json.dumps(content), **nowhere})).error
    assert (missing["kind"], missing["code"]) == ("system", "StoreUnwritable")
    assert "NoSuchBucket" in missing["message"]


def test_large_values_that_a_dynamic_task_passes_on_lie_in_the_store(pod: Pod, tmp_path: Path) -> None:
    pod.code({"job.py": DYNAMIC + f"""
@task
def size(text: str) -> int:
    return len(text)

@dynamic
def spread(count: int) -> list[int]:
    {NOISE.format(12000).replace(chr(10), chr(10) + "    ")}
    return [size(text=letters[3000 * n : 3000 * n + 3000]) for n in range(count)]
"""})  # fmt: skip
    ended = run(pod, str(tmp_path / "store"), "job:spread", {"count": 4})
    found = records.decode(pod.result.read_text())
    assert found is not None, ended.stderr
    inputs = [node["inputs"]["text"] for node in found["workflow"]["nodes"]]
    assert any(stored(one) is not None for one in inputs)
    assert ended.size < 4096


def test_a_cached_result_that_is_there_is_the_result_and_nothing_is_imported(pod: Pod, tmp_path: Path) -> None:
    pod.code({"job.py": JOB + SIZES})
    outputs = run(pod, str(tmp_path / "store"), "job:two").outputs
    cached = {"outputs": outputs, "uris": []}
    again = run(pod, str(tmp_path / "store"), "no_such_module:f", cached=cached)
    assert again.record is not None
    assert (again.outputs, again.record["reused"]) == (outputs, True)


@pytest.mark.parametrize("lost", ["value", "file"])
def test_a_cached_result_of_which_something_is_gone_is_computed(pod: Pod, tmp_path: Path, lost: str) -> None:
    pod.code({"job.py": JOB + SIZES})
    outputs = run(pod, str(tmp_path / "store"), "job:two").outputs
    file = tmp_path / "some.csv"
    file.write_text("1")
    (file if lost == "file" else Path(kept(outputs["big"]).uri)).unlink()
    again = run(pod, str(tmp_path / "store"), "job:two", cached={"outputs": outputs, "uris": [str(file)]})
    assert again.record is not None
    assert "reused" not in again.record
    assert any_in(again.outputs) != any_in(outputs), "made anew"
    assert "computed again" in again.stderr


def test_an_attempt_among_many_of_a_process_writes_where_its_order_says(pod: Pod, tmp_path: Path) -> None:
    pod.code({"job.py": JOB + SIZES})
    lies = kept(run(pod, str(tmp_path / "of-the-pod"), "job:two", store=str(tmp_path / "of-the-order")).outputs["big"])
    assert lies.uri.startswith(str(tmp_path / "of-the-order"))


def test_without_a_store_the_advice_names_one(pod: Pod) -> None:
    error = pod.run_body(NOISE.format(9000) + "return letters", returns="str").error
    assert "with a store (the chart's `store.prefix`) they would go there" in error["message"]
