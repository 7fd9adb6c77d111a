"""The registry: all kinds, in the order in which they build on each other."""

from __future__ import annotations

from windlass_api.v1alpha1.execution import Execution
from windlass_api.v1alpha1.meta import KindModel
from windlass_api.v1alpha1.task import Task
from windlass_api.v1alpha1.workflow import Workflow

KINDS: tuple[type[KindModel], ...] = (Task, Workflow, Execution)
