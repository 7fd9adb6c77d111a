"""Who is told when an execution has ended.

    LaunchPlan.create("nightly", wf, notifications=[Email([WorkflowExecutionPhase.FAILED], ["team@example.com"])])

Slack and PagerDuty are reached by the addresses that they give to a channel or service: all three send e-mail.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from windlass._modules import caller

_PHASES = ("UNDEFINED", "QUEUED", "RUNNING", "SUCCEEDING", "SUCCEEDED", "FAILING", "FAILED", "ABORTED", "TIMED_OUT")
_TERMINAL = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "ABORTED": "Cancelled", "TIMED_OUT": "Failed"}


class WorkflowExecutionPhase:
    """The phases of an execution by the numbers that the API has for them.

    >>> WorkflowExecutionPhase.enum_to_string(WorkflowExecutionPhase.FAILED)
    'FAILED'
    """

    UNDEFINED, QUEUED, RUNNING, SUCCEEDING, SUCCEEDED, FAILING, FAILED, ABORTED, TIMED_OUT = range(9)
    ABORTING = 9

    @classmethod
    def enum_to_string(cls, value: int) -> str:
        """The name of a phase."""
        return (*_PHASES, "ABORTING")[value] if 0 <= value <= cls.ABORTING else "{UNKNOWN}"


class Notification:
    """What Email, Slack and PagerDuty have in common.

    Args:
        phases: the ends that are told: SUCCEEDED, FAILED, ABORTED, TIMED_OUT of WorkflowExecutionPhase, or their names.
        recipients_email: addresses, one or more.

    Raises:
        AssertionError: there are no phases, or one of them is no end; there are no recipients.
    """

    way = ""

    def __init__(self, phases: Iterable[int | str], recipients_email: Iterable[str]) -> None:
        if isinstance(phases, str):
            raise AssertionError(f"{caller()}: phases takes a list, not {phases!r}")
        self.phases = [_number(phase) for phase in phases]
        self.recipients_email = _recipients(recipients_email)
        if not self.phases:
            raise AssertionError(f"{caller()}: Must specify at least one phase for notification")
        if WorkflowExecutionPhase.TIMED_OUT in self.phases and WorkflowExecutionPhase.FAILED not in self.phases:
            warnings.warn(
                f"{caller()}: an execution that ran out of time has failed here: every failure will be told; name"
                " FAILED as well, to say so",
                stacklevel=2,
            )

    def manifest(self) -> dict[str, Any]:
        """The notification as the contract says it."""
        phases = dict.fromkeys(_TERMINAL[_PHASES[phase]] for phase in self.phases)
        return {"phases": list(phases), self.way: {"recipients": self.recipients_email}}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Notification) and self.manifest() == other.manifest()

    def __hash__(self) -> int:
        return hash((self.way, *self.phases, *self.recipients_email))

    def __repr__(self) -> str:
        phases = ", ".join(_PHASES[phase] for phase in self.phases)
        return f"{type(self).__name__}([{phases}], {self.recipients_email})"


class Email(Notification):
    """Tells by e-mail.

    >>> Email([WorkflowExecutionPhase.FAILED], ["team@example.com"]).manifest()
    {'phases': ['Failed'], 'email': {'recipients': ['team@example.com']}}
    """

    way = "email"


class Slack(Notification):
    """Tells a Slack channel, by the channel's e-mail address."""

    way = "slack"


class PagerDuty(Notification):
    """Tells PagerDuty, by the service's e-mail address."""

    way = "pagerDuty"


def _number(phase: Any) -> int:
    name = phase.upper() if isinstance(phase, str) else WorkflowExecutionPhase.enum_to_string(phase)
    if name == "CANCELLED":
        name = "ABORTED"
    if name not in _TERMINAL:
        raise AssertionError(
            f"{caller()}: {phase!r} ({name}) is not a terminal phase: a notification is sent at SUCCEEDED, FAILED,"
            " ABORTED or TIMED_OUT"
        )
    return _PHASES.index(name)


def _recipients(addresses: Any) -> list[str]:
    found = [addresses] if isinstance(addresses, str) else list(addresses)
    if not found or not all(isinstance(address, str) and "@" in address.strip("@") for address in found):
        raise AssertionError(f"{caller()}: recipients_email takes e-mail addresses, one or more, not {found!r}")
    return found
