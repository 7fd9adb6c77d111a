"""Container tasks in a real engine: what goes in, what comes out, and how they fail."""

from __future__ import annotations

import datetime
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.harness import wait_until
from tests.integration.containers.conftest import IMAGE
from windlass import (
    FlyteAssertion,
    FlyteRecoverableException,
    FlyteUserRuntimeException,
    task,
    workflow,
)
from windlass._container_task import ContainerTask
from windlass._data.files import FlyteFile
from windlass._data.folders import FlyteDirectory
from windlass._secrets import Secret

pytestmark = [
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.timeout(300),  # several containers in a test, on a machine that may have a node to start as well
]


def shell(script: str, **options: Any) -> ContainerTask:
    return ContainerTask(**{"name": "scripted", "image": IMAGE, "command": ["sh", "-c", script], **options})


add = ContainerTask(
    name="add",
    image=IMAGE,
    command=["sh", "-c", "echo $(({{.inputs.a}} + {{.inputs.b}})) > /var/outputs/sum"],
    inputs={"a": int, "b": (int, 1)},
    outputs={"sum": int},
)


@task
def double(n: int) -> int:
    return 2 * n


@workflow
def added_and_doubled(a: int = 3) -> int:
    return double(n=add(a=a, b=4))


def test_a_container_takes_its_inputs_from_its_command_and_leaves_its_output_in_a_file() -> None:
    assert add(a=2, b=3) == 5


def test_a_container_is_a_node_like_any_task_and_defaults_count() -> None:
    assert add(a=2) == 3
    assert added_and_doubled() == 14


def test_what_the_container_prints_is_printed_line_by_line_unless_it_shall_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    shell("echo hello; echo there >&2")()
    assert sorted(capfd.readouterr().out.split()) == ["hello", "there"]
    shell("echo hello", local_logs=False)()
    assert capfd.readouterr().out == ""


SEE = r"""
import json, pathlib
def tree(path):
    return {p.name: tree(p) for p in path.iterdir()} if path.is_dir() else path.read_text()
pathlib.Path("/out/seen").write_text(json.dumps(tree(pathlib.Path("/in"))))
"""


def test_every_input_is_a_file_of_its_name_and_all_together_are_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("content")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "b.txt").write_text("below")
    see = ContainerTask(
        name="see",
        image=IMAGE,
        command=["python3", "-c", SEE],
        inputs={
            "n": int,
            "on": bool,
            "at": datetime.datetime,
            "items": list[int],
            "named": dict[str, float],
            "free": dict,
            "file": FlyteFile,
            "folder": FlyteDirectory,
            "raw": bytes,
        },
        outputs={"seen": dict},
        input_data_dir="/in",
        output_data_dir="/out",
        metadata_format=ContainerTask.MetadataFormat.YAML,
    )
    seen = see(
        n=3,
        on=True,
        at=datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
        items=[1, 2],
        named={"x": 0.5},
        free={"a": [1]},
        file=FlyteFile(str(tmp_path / "a.txt")),
        folder=FlyteDirectory(str(tmp_path / "folder")),
        raw=b"bytes",
    )
    together = json.loads(seen.pop("inputs.yaml"))
    assert seen == {
        "n": "3",
        "on": "true",
        "at": "2024-01-02T03:04:05Z",
        "items": {"0": "1", "1": "2"},
        "named": {"x": "0.5"},
        "free": '{"a":[1]}',
        "file": "content",
        "folder": {"deep": {"b.txt": "below"}},
        "raw": "bytes",
    }
    assert together["items"] == [1, 2]
    assert together["file"]["uri"].endswith("a.txt")


def test_outputs_are_read_by_their_types_and_several_are_a_tuple_with_names() -> None:
    many = shell(
        "cd /var/outputs; printf 2.5 > real; printf False > flag; printf 'two\\nlines\\n' > text;"
        " echo 1h2m3s > took; echo 2024-01-02T03:04:05Z > at; echo '[1, 2]' > items; mkdir tree; echo leaf > tree/leaf;"
        " echo file > alone",
        outputs={
            "real": float,
            "flag": bool,
            "text": str,
            "took": datetime.timedelta,
            "at": datetime.datetime,
            "items": list[int],
            "tree": FlyteDirectory,
            "alone": FlyteFile,
            "absent": int | None,
        },
    )
    result = many()
    assert (result.real, result.flag, result.text) == (2.5, False, "two\nlines\n")
    assert result.took == datetime.timedelta(hours=1, minutes=2, seconds=3)
    assert result.at == datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    assert (result.items, result.absent) == ([1, 2], None)
    assert Path(result.alone).read_text() == "file\n"
    assert (Path(result.tree) / "leaf").read_text() == "leaf\n"


def test_a_file_goes_through_two_containers(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("quiet ")
    upper = shell(
        "tr a-z A-Z < /var/inputs/text > /var/outputs/upper", inputs={"text": FlyteFile}, outputs={"upper": FlyteFile}
    )
    twice = shell(
        "cat /var/inputs/text /var/inputs/text > /var/outputs/out",
        inputs={"text": FlyteFile},
        outputs={"out": FlyteFile},
    )

    @workflow
    def louder_twice(text: FlyteFile) -> FlyteFile:
        return twice(text=upper(text=text))  # type: ignore[no-any-return]  # a promise

    assert Path(louder_twice(text=FlyteFile(str(tmp_path / "a.txt")))).read_text() == "QUIET QUIET "


def test_an_exit_code_other_than_0_fails_with_what_the_container_said_last() -> None:
    with pytest.raises(FlyteRecoverableException, match=r"(?s)exited with 3.*no such luck"):
        shell("echo no such luck >&2; exit 3", local_logs=False)()


def test_a_failed_container_uses_its_retries(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FlyteRecoverableException, match="Error encountered while executing 'scripted'"):
        shell("echo tried; exit 1", retries=2)()
    assert capfd.readouterr().out.count("tried") == 3


def test_a_file_called_error_counts_more_than_the_exit_code() -> None:
    with pytest.raises(FlyteUserRuntimeException, match="User Error: the well is dry"):
        shell("echo the well is dry > /var/outputs/error; exit 1", retries=3, outputs={"n": int})()


def test_a_link_to_a_file_of_this_machine_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("1")
    with pytest.raises(FlyteAssertion, match="link that leads out of the folder"):
        shell(f"ln -s {tmp_path}/secret /var/outputs/n", outputs={"n": int})()


def test_a_file_called_error_fails_it_for_good(capfd: pytest.CaptureFixture[str]) -> None:
    broken = shell("echo started; echo the model is empty > /var/outputs/error", retries=3, outputs={"n": int})
    with pytest.raises(FlyteUserRuntimeException, match="User Error: the model is empty"):
        broken()
    assert capfd.readouterr().out.count("started") == 1


def test_an_output_that_is_missing_or_wrong_names_it_and_its_type() -> None:
    with pytest.raises(FlyteAssertion, match="the output n of scripted: its container has written no file n"):
        shell("true", outputs={"n": int})()
    with pytest.raises(FlyteAssertion, match=r"the output n of scripted: expected int, got the text 'many"):
        shell("echo many > /var/outputs/n", outputs={"n": int})()


def test_the_image_is_not_there() -> None:
    with pytest.raises(FlyteRecoverableException, match="podman failed"):
        shell("true", image="localhost/there-is-no-such-image:1", local_logs=False)()


def test_variables_and_secrets_reach_the_container_and_not_this_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("_FSEC_DB_PASSWORD", "open sesame")
    monkeypatch.setenv("_FSEC_DB_FILE", "in a file")
    told = shell(
        'echo "$GREETING/$_FSEC_DB_PASSWORD/$PASSWORD/$(cat $WHERE)" > /var/outputs/told',
        outputs={"told": str},
        environment={"GREETING": "hi"},
        secret_requests=[
            Secret(group="db", key="password", env_var="PASSWORD"),
            Secret(group="db", key="file", mount_requirement=Secret.MountType.FILE, env_var="WHERE"),
            Secret(group="db", key="not-here"),
        ],
    )
    assert told() == "hi/open sesame/open sesame/in a file\n"


def test_a_container_may_run_as_anybody() -> None:
    as_user = shell(
        "setpriv --reuid=1234 --regid=1234 --clear-groups sh -c 'cat /var/inputs/n > /var/outputs/m'",
        inputs={"n": int},
        outputs={"m": int},
    )
    assert as_user(n=7) == 7


def test_a_node_s_image_and_variables_are_those_of_the_call() -> None:
    told = shell("echo $WHO > /var/outputs/told", outputs={"told": str}, environment={"WHO": "task"}, image="nowhere:1")

    @workflow
    def overridden() -> str:
        return told().with_overrides(container_image=IMAGE, environment={"WHO": "node"})  # type: ignore[no-any-return]  # a promise

    assert overridden() == "node\n"


def test_addresses_instead_of_files_where_data_is_not_to_be_moved(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("content")
    told = shell(
        "cat /var/inputs/data > /var/outputs/same; echo {{.inputs.data}} > /var/outputs/told",
        inputs={"data": FlyteFile},
        outputs={"told": str, "same": FlyteFile},
        io_strategy=[ContainerTask.IOStrategy.DO_NOT_DOWNLOAD, ContainerTask.IOStrategy.DO_NOT_UPLOAD],
    )
    result = told(data=FlyteFile(str(tmp_path / "a.txt")))
    assert result.told.strip().endswith("a.txt")
    assert Path(result.same).read_text() == "content"


INTERRUPTED = """
from windlass._container_task import ContainerTask
ContainerTask(name="slow", image="{image}", command=["sh", "-c", "echo begun; sleep 600"])()
"""


def test_no_container_outlives_an_interrupted_call(podman: str) -> None:
    """The fixture `nothing_left` looks."""
    code = INTERRUPTED.format(image=IMAGE)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=40) != 0
    wait_until(lambda: not _running(podman), "no container")


def _running(podman: str) -> str:
    return subprocess.run([podman, "ps", "--quiet"], capture_output=True, text=True, check=True).stdout
