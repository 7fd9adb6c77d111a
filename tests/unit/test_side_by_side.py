"""`make test` runs the tests of a node beside the others, and is red when either is."""

from __future__ import annotations

import sys

import pytest

from dev import testing

PRINTS_AND_ENDS = "import sys; print(sys.argv[1:], flush=True); sys.exit({code})"


def played(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(testing, "PYTEST", (sys.executable, "-c", PRINTS_AND_ENDS.format(code=code)))


@pytest.mark.parametrize(
    ("code", "is_green"), [("0", True), ("'not cluster' in sys.argv", False), ("'cluster' in sys.argv", False)]
)
def test_all_tests_are_green_when_both_sessions_are(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], code: str, is_green: bool
) -> None:
    played(monkeypatch, code)
    assert (testing.main(["tests"]) == 0) is is_green
    assert set(capfd.readouterr().out.splitlines()) == {"['-m', 'cluster']", "['-m', 'not cluster']"}


def test_some_tests_are_one_session(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    played(monkeypatch, "3")
    assert testing.main(["-k", "one", "tests"]) == 3
    assert capfd.readouterr().out == "['-k', 'one', 'tests']\n"
