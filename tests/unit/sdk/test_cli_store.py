"""`windlass store`: what is no store is refused before a cluster is asked. What it removes: test_collecting.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.sdk.fake_api import FakeApi
from windlass import _remote
from windlass._cli import main


class Empty(FakeApi):
    """A cluster with nothing in it."""

    def request(self, method: str, path: str, **_: object) -> dict[str, object]:
        """No objects."""
        return {"items": [], "metadata": {}}


@pytest.mark.parametrize("action", ["collect", "keep-logs"])
@pytest.mark.parametrize(
    ("prefix", "told"),
    [
        ("foo", "'foo' is no store: give the operator's prefix (the chart's store.prefix), an address such as s3://"),
        ("/data/store", "is no store"),
        ("s3://", "is no store"),
        (
            "s3://b/{names}",
            "{names} in 's3://b/{names}' stands for nothing; there are {namespace}, {project}, {domain}",
        ),
        ("s3://b/{namespace", "{namespace in"),
        ("https://store/x", "what is at such an address can only be read"),
        ("nosuch://store/x", "addresses that begin with nosuch://"),
    ],
)
def test_what_is_no_store_is_refused(action: str, prefix: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(("store", action, prefix))
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_a_store_with_nothing_in_it_is_told_of_for_the_prefix_may_be_mistyped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_remote, "connect", lambda **_: Empty())
    assert main(("store", "collect", f"file://{tmp_path}/runs/{{namespace}}")) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"windlass: there is nothing at file://{tmp_path}/runs; is it the operator's prefix (the chart's store.prefix)"
        "?",
        "0 runs, 0 code archives, 0 bytes removed",
    ]
    (tmp_path / "runs").mkdir()
    assert main(("store", "collect", f"file://{tmp_path}/runs/{{namespace}}")) == 0
    assert "there is nothing" not in capsys.readouterr().err


def test_a_prefix_whose_bucket_depends_on_the_namespace_needs_the_namespaces(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_remote, "connect", lambda **_: Empty())
    assert main(("store", "collect", "file://{namespace}/runs")) == 1
    assert "begins with a placeholder" in capsys.readouterr().err
    assert main(("store", "collect", "file://{namespace}/runs", "--only", "tmp")) == 0


def test_the_store_for_code_has_to_be_one_even_where_the_code_is_small(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(("render", "examples/hello.py", "-o", str(tmp_path / "out"), "--store", "foo")) == 1
    assert "the store 'foo' is no address of a folder, such as s3://" in capsys.readouterr().err
