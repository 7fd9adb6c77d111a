"""Durations as Go and Kubernetes spell them: `90s`, `1h30m`, `1.5h`, `250ms`.

Timeouts, pauses and rates of the contract are spelled so. They are never negative.
"""

from __future__ import annotations

import re

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """The seconds that a duration stands for. Raises ValueError where the text is none.

    >>> seconds("1h30m")
    5400.0
    """
    parts = list(_PART.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        raise ValueError(f"`{text}` is no duration; durations are spelled 90s, 5m, 1h30m")
    return sum(float(part[1]) * _SECONDS[part[2]] for part in parts)
