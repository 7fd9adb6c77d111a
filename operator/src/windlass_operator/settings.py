"""What an administrator can set: read once by the command line, passed down as one frozen value, never looked up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class RuntimeDelivery(str, Enum):
    """How the Windlass runtime gets into a task's pod."""

    IMAGE_VOLUME = "imageVolume"
    """An OCI image mounted as a read-only volume: nothing is copied. Kubernetes ≥ 1.35, or ≥ 1.33 with the
    ImageVolume gate.
    """

    INIT_CONTAINER = "initContainer"
    """An init container copies the runtime from the operator's image into an emptyDir: works on every Kubernetes."""

    NONE = "none"
    """The task images bring Windlass themselves (``pip install windlass``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one operator process.

    Durations are seconds. The defaults are those of the chart.
    """

    default_image: str = "python:3.12-slim"
    runtime_delivery: RuntimeDelivery = RuntimeDelivery.IMAGE_VOLUME
    runtime_image: str = "localhost/windlass-runtime:dev"
    operator_image: str = "localhost/windlass-operator:dev"
    image_pull_policy: str = "IfNotPresent"
    image_pull_grace: float = 120.0
    """How long a pod may fail to get its image (or to have its container created) before its node fails."""
    system_retries: int = 3
    """Further attempts of a node after failures that are not its code's fault (node lost, eviction, preemption…)."""
    backoff_base: float = 1.0
    """The pause before a second attempt; it doubles per attempt, with ±20 % that depend on the pod's name only."""
    backoff_cap: float = 300.0
    max_parallel_pods: int = 500
    """How many pods of one Execution may be unfinished at a time."""
    inline_value_limit: int = 16 * 1024
    """An input value whose JSON is longer (bytes) travels as a ConfigMap instead of in the pod's environment."""
    inline_inputs_limit: int = 64 * 1024
    """The inputs of one pod (bytes of JSON) without the values that travel as ConfigMaps."""
    value_limit: int = 900 * 1024
    """The longest compressed value that fits a ConfigMap (bytes)."""
    outputs_limit: int = 4096
    """The result record of a pod: Kubernetes' limit for a termination message (bytes)."""
    status_limit: int = 512 * 1024
    """The outputs of all nodes of an Execution together (bytes of JSON). Beyond it the Execution fails and says so."""
