"""Whose process is whose, told from command lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcluster.errors import LocalClusterError
from localcluster.processes import Process, parse_command_line, tail, wait_until

BIN = Path("/state/demo/bin")
ETCD = BIN / "etcd"


def process(*arguments: str) -> Process:
    return Process(7, arguments)


def test_a_command_line_is_split_at_its_zero_bytes() -> None:
    assert parse_command_line(7, b"/bin/etcd\0--flag=a b\0") == process("/bin/etcd", "--flag=a b")


def test_an_empty_argument_at_the_end_does_not_matter() -> None:
    assert parse_command_line(7, b"etcd\0\0") == process("etcd")


@pytest.mark.parametrize("raw", [b"", b"\0"], ids=["kernel thread or zombie", "renamed itself to nothing"])
def test_a_process_without_a_command_line_is_nobodys(raw: bytes) -> None:
    assert parse_command_line(7, raw) is None


def test_a_program_is_known_by_its_whole_path() -> None:
    assert process(str(ETCD), "--data-dir=x").runs(ETCD)
    assert not process("/state/other/bin/etcd").runs(ETCD), "another cluster's"
    assert not process("etcd").runs(ETCD), "the machine's own"


def test_a_reused_pid_is_no_trap_because_no_pid_is_kept() -> None:
    assert not process("/usr/bin/editor", str(ETCD)).runs(ETCD)


def test_a_launcher_is_about_to_run_what_it_names() -> None:
    assert process("setsid", "--fork", str(ETCD)).is_about_to_run(ETCD)
    assert process("/usr/bin/nsenter", "--target=3", str(ETCD)).belongs_to(BIN)


def test_a_bystander_that_names_a_program_is_left_alone() -> None:
    bystander = process("tail", "-f", str(ETCD))
    assert not bystander.is_about_to_run(ETCD)
    assert not bystander.belongs_to(BIN)


def test_a_folder_whose_name_begins_alike_is_another() -> None:
    assert not process("/state/demo/bin2/etcd").belongs_to(BIN)
    assert not process("sh", "/state/demo/bin2/etcd").belongs_to(BIN)


def test_waiting_in_vain_says_for_what_and_why() -> None:
    with pytest.raises(LocalClusterError, match="waited 0 s for spring\nit is winter"):
        wait_until(lambda: False, "spring", 0, explain=lambda: "it is winter")


def test_the_tail_of_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "none.log") == ""
