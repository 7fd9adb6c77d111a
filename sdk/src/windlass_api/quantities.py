"""Quantities as Kubernetes spells them: `500m`, `1.5`, `64Mi`, `1e3`.

Amounts of resources in the contract are spelled so; a whole number may also stand as a number.
"""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?\Z")
_POWERS = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_POWERS |= {"E": 1e18, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60}


def amount(quantity: str | int) -> float:
    """The number that a quantity stands for. Raises ValueError where it is none.

    >>> amount("500m"), amount("1Ki"), amount(3)
    (0.5, 1024.0, 3.0)
    """
    parts = _QUANTITY.match(str(quantity))
    if parts is None:
        raise ValueError(f"`{quantity}` is no quantity; quantities are spelled 2, 500m, 1.5, 64Mi")
    suffix = parts[3] or ""
    return float(parts[1]) * (_POWERS[suffix] if suffix in _POWERS else float(f"1{suffix}"))


def exceeds(one: str | int, other: str | int) -> bool:
    """Whether one quantity is more than another.

    >>> exceeds("1Gi", "1G"), exceeds("500m", "0.5")
    (True, False)
    """
    return amount(one) > amount(other) * (1 + 1e-9)
