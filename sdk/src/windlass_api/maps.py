"""Maps: how many of their elements have to succeed.

The SDK's local runs and the operator ask here, so that a map which succeeds on one's own machine succeeds in a cluster.
"""

from __future__ import annotations

import math


def required_successes(count: int, min_successes: int | None, min_success_ratio: float | None) -> int:
    """How many of so many elements have to succeed. A number wins over a ratio; without either, all.

    >>> required_successes(30, None, 0.1), required_successes(3, None, 0.5), required_successes(3, 1, 1.0)
    (3, 2, 1)
    >>> required_successes(3, None, None)
    3
    """
    if min_successes is not None:
        return min_successes
    return count if min_success_ratio is None else math.ceil(round(count * min_success_ratio, 9))
