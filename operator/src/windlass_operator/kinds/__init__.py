"""What kinds of task there are: per kind, which children to want and how to read them back.

``KINDS`` is a visible tuple; a kind is a module-level value that fulfils the protocol ``Kind``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass_api import names
from windlass_operator.kinds.base import Kind
from windlass_operator.kinds.container import CONTAINER
from windlass_operator.kinds.python import PYTHON

__all__ = ["KINDS", "Kind", "kind_of", "kind_of_pod"]

KINDS: tuple[Kind, ...] = (PYTHON, CONTAINER)


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


def kind_of_pod(pod: Mapping[str, Any]) -> Kind:
    """The kind of the task whose attempt a pod runs. A pod that does not say runs a Python function."""
    runner = (pod["metadata"].get("annotations") or {}).get(names.ANNOTATION_RUNNER)
    return next((kind for kind in KINDS if kind.field == runner), PYTHON)
