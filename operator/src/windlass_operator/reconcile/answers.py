"""What the API server's answers mean for what was asked of it, as a table."""

from __future__ import annotations

from collections.abc import Callable

from windlass_operator.clients.cluster import Answer
from windlass_operator.core.actions import Done, Held, Outcome, Rejected, Unavailable


def outcome_of(answer: Answer) -> Outcome:
    """What the API server's answer to a create or delete means. The first row that matches counts."""
    if answer.ok:
        return Done()
    text = answer.message
    for matches, make in ANSWERS:
        if matches(answer.status, text):
            return make(text)
    return Unavailable(text)


ANSWERS: tuple[tuple[Callable[[int, str], bool], Callable[[str], Outcome]], ...] = (
    (lambda status, text: status == 403 and "exceeded quota" in text, lambda text: Held("QuotaExceeded", text)),
    (lambda status, text: status == 403 and "violates PodSecurity" in text, lambda text: Rejected("PodSecurity", text)),
    (lambda status, text: status == 403 and "being terminated" in text, Unavailable),
    (lambda status, text: status == 403, lambda text: Held("Forbidden", text)),
    (lambda status, text: status in (400, 413, 422), lambda text: Rejected("InvalidPod", text)),
)
"""(HTTP status, message) → outcome. Whatever matches no row is of unknown outcome, and looked at again."""
