"""What kinds of task there are: per kind, which children to want and how to read them back.

``KINDS`` is a visible tuple; a kind is a module-level value that fulfils the protocol ``Kind``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_operator.kinds.base import Kind
from windlass_operator.kinds.python import PYTHON

__all__ = ["KINDS", "Kind", "kind_of"]

KINDS: tuple[Kind, ...] = (PYTHON,)


def kind_of(task_spec: Mapping[str, Any]) -> Kind:
    """The kind of a Task: that whose runner field the spec has. The CRD admits exactly one.

    Raises:
        LookupError: the spec has a runner that this operator doesn't know (a newer CRD than operator).
    """
    for kind in KINDS:
        if kind.field in task_spec:
            return kind
    known = ", ".join(kind.field for kind in KINDS)
    raise LookupError(f"the task has no runner that this operator knows (it knows: {known})")
