"""The registry: all kinds, in the order in which they build on each other."""

from __future__ import annotations

from windlass_api.v1alpha1.actor_environment import ActorEnvironment
from windlass_api.v1alpha1.app import App
from windlass_api.v1alpha1.artifact import Artifact
from windlass_api.v1alpha1.backfill import Backfill
from windlass_api.v1alpha1.cache_entry import CacheEntry
from windlass_api.v1alpha1.execution import Execution
from windlass_api.v1alpha1.launch_plan import LaunchPlan
from windlass_api.v1alpha1.meta import KindModel
from windlass_api.v1alpha1.signal import Signal
from windlass_api.v1alpha1.task import Task
from windlass_api.v1alpha1.workflow import Workflow

KINDS: tuple[type[KindModel], ...] = (
    Task,
    Workflow,
    LaunchPlan,
    ActorEnvironment,
    Execution,
    Signal,
    Artifact,
    CacheEntry,
    Backfill,
    App,
)
