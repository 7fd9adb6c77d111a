"""Notifications: which ends are told, to whom, by which way."""

from __future__ import annotations

import pytest

from windlass._notifications import Email, Notification, PagerDuty, Slack, WorkflowExecutionPhase


@pytest.mark.parametrize(("way", "field"), [(Email, "email"), (Slack, "slack"), (PagerDuty, "pagerDuty")])
def test_each_way_has_a_field_of_its_own(way: type[Notification], field: str) -> None:
    found = way(phases=[WorkflowExecutionPhase.SUCCEEDED, "failed"], recipients_email=["a@b.c", "d@e.f"])
    assert found.manifest() == {"phases": ["Succeeded", "Failed"], field: {"recipients": ["a@b.c", "d@e.f"]}}


def test_an_aborted_execution_is_a_cancelled_one() -> None:
    assert Email([WorkflowExecutionPhase.ABORTED], ["a@b.c"]).manifest()["phases"] == ["Cancelled"]
    assert Email(["Cancelled"], ["a@b.c"]) == Email([WorkflowExecutionPhase.ABORTED], ["a@b.c"])


def test_running_out_of_time_is_a_failure_and_says_so() -> None:
    both = [WorkflowExecutionPhase.FAILED, WorkflowExecutionPhase.TIMED_OUT]
    assert Email(both, ["a@b.c"]).manifest()["phases"] == ["Failed"]
    with pytest.warns(UserWarning, match="every failure will be told"):
        Email([WorkflowExecutionPhase.TIMED_OUT], ["a@b.c"])


@pytest.mark.parametrize("phase", [WorkflowExecutionPhase.RUNNING, WorkflowExecutionPhase.QUEUED, 42, -1, "soon"])
def test_a_phase_that_is_no_end_is_refused(phase: int | str) -> None:
    with pytest.raises(AssertionError, match=r"test_notifications\.py:\d+: .* is not a terminal phase"):
        Email([phase], ["a@b.c"])


@pytest.mark.parametrize("recipients", [[], ["nobody"], ["@"], [5]])
def test_somebody_has_to_be_told(recipients: list[str]) -> None:
    with pytest.raises(AssertionError, match="e-mail addresses"):
        Slack([WorkflowExecutionPhase.FAILED], recipients)


@pytest.mark.parametrize("phases", [[], "FAILED"])
def test_there_have_to_be_phases(phases: list[int]) -> None:
    with pytest.raises(AssertionError, match="phase"):
        Slack(phases, ["a@b.c"])


def test_notifications_are_equal_where_they_say_the_same() -> None:
    assert Email(["failed"], "a@b.c") == Email([6], ["a@b.c"])
    assert Email(["failed"], "a@b.c") != Slack(["failed"], "a@b.c")
    assert len({Email(["failed"], "a@b.c"), Email([6], ["a@b.c"])}) == 1
    assert repr(Email(["failed"], "a@b.c")) == "Email([FAILED], ['a@b.c'])"


def test_phases_have_the_numbers_and_names_of_the_api() -> None:
    assert WorkflowExecutionPhase.enum_to_string(WorkflowExecutionPhase.TIMED_OUT) == "TIMED_OUT"
    assert WorkflowExecutionPhase.SUCCEEDED == 4
    assert WorkflowExecutionPhase.enum_to_string(77) == "{UNKNOWN}"
