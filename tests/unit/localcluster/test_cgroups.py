"""Cgroups of processes that were killed a moment ago."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest

from localcluster import node
from localcluster.node import Node


def test_a_cgroup_that_is_still_busy_is_removed_as_soon_as_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = tmp_path / "group" / "pod"
    pod.mkdir(parents=True)
    refusals = [OSError(errno.EBUSY, "busy"), OSError(errno.EBUSY, "busy")]
    remove = Path.rmdir

    def busy_at_first(folder: Path) -> None:
        if folder == pod and refusals:
            raise refusals.pop()
        remove(folder)

    monkeypatch.setattr(Path, "rmdir", busy_at_first)
    monkeypatch.setattr(node, "cgroup_folders", lambda _: [tmp_path / "group"])
    Node.remove_cgroups(SimpleNamespace(layout=SimpleNamespace(identity="x")))  # type: ignore[arg-type]  # all it reads
    assert list(tmp_path.iterdir()) == []
    assert refusals == []


def test_a_cgroup_that_cannot_be_removed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise OSError(errno.EPERM, "not allowed")

    (tmp_path / "group").mkdir()
    monkeypatch.setattr(Path, "rmdir", refuse)
    monkeypatch.setattr(node, "cgroup_folders", lambda _: [tmp_path / "group"])
    with pytest.raises(OSError, match="not allowed"):
        Node.remove_cgroups(SimpleNamespace(layout=SimpleNamespace(identity="x")))  # type: ignore[arg-type]  # as above
