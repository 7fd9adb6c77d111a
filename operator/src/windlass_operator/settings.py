"""What an administrator can set: read once by the command line, passed down as one frozen value, never looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple


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
class StoreSettings:
    """Where what is too big to travel goes, and as whom pods come there. The operator itself never does."""

    prefix: str = ""
    """A URI such as ``s3://bucket/windlass/{namespace}`` or ``file:///var/run/windlass/store``. Empty: no store."""
    endpoint: str = ""
    """The URL of a store that speaks S3, where it is not Amazon's."""
    region: str = ""
    path_style: bool = False
    """Whether buckets are named in the path of a URL rather than in its host."""
    secret: str = ""
    """The Secret, in the namespace of each run, that has the keys. Pods refer to it; nobody here reads it."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Further variables of pods."""
    volume: Mapping[str, Any] = field(default_factory=dict)
    """The source of a volume, as a pod's spec has it, that pods share: what ``file://`` writes to."""
    mount: str = "/var/run/windlass/store"
    """Where pods have it."""
    service_account: str = ""
    """The ServiceAccount of pods whose run says none: the one that a cloud's role is bound to."""


class LogLink(NamedTuple):
    """A link to the logs of an attempt."""

    name: str
    template: str
    """A URL with placeholders (``windlass_api.logs``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What becomes of logs, besides what the kubelet does with them."""

    capture: bool = False
    """Whether pods keep what is printed in the store."""
    limit: int = 1024 * 1024
    """How much of the log of an attempt (bytes): half of it its beginning, half its end."""
    links: tuple[LogLink, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorSettings:
    """What a cluster calls accelerators: one row of a table, of which the first that knows a device counts."""

    devices: tuple[str, ...]
    """The devices that the row is about, by patterns such as ``nvidia-*``."""
    resource: str
    """The resource that counts them."""
    label: str = ""
    """The label of nodes that says which device they have. Empty: nodes are not told apart by it."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What that label says in the place of a device's name, where it says something else."""
    partition_label: str = ""
    """The label that says into which parts the devices are divided."""
    partition_resource: str = ""
    """The resource that counts parts, such as ``nvidia.com/mig-{partition}``, where they are counted by themselves."""
    topology_label: str = ""
    """The label that says how devices are connected."""
    tolerations: tuple[Mapping[str, Any], ...] = ()
    """The taints that pods bear that ask for the resource."""
    claim_template: str = ""
    """The ResourceClaimTemplate in the place of the resource, such as ``gpu-{device}``: a claim for each pod."""
    claim: str = ""
    """The ResourceClaim to use in the place of the resource: one that is there, and that pods share."""

    @property
    def claimed(self) -> str:
        """What is claimed, with the device and the partition left open. Empty: devices are counted."""
        return self.claim_template or self.claim


ACCELERATORS = (
    AcceleratorSettings(
        devices=("tpu-*",),
        resource="google.com/tpu",
        label="cloud.google.com/gke-tpu-accelerator",
        topology_label="cloud.google.com/gke-tpu-topology",
        tolerations=({"key": "google.com/tpu", "operator": "Exists", "effect": "NoSchedule"},),
    ),
    AcceleratorSettings(
        devices=("amd-*",),
        resource="amd.com/gpu",
        label="k8s.amazonaws.com/accelerator",
        tolerations=({"key": "amd.com/gpu", "operator": "Exists", "effect": "NoSchedule"},),
    ),
    AcceleratorSettings(
        devices=("*",),
        resource="nvidia.com/gpu",
        label="k8s.amazonaws.com/accelerator",
        partition_label="k8s.amazonaws.com/gpu-partition-size",
        tolerations=({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},),
    ),
)
"""The table of the chart: the labels that the API's own defaults have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSettings:
    """What an administrator says about the pods of tasks."""

    template: Mapping[str, Any] = field(default_factory=dict)
    """What all pods start from: ``metadata`` and ``spec``, as in a PodTemplate's template."""
    namespaces: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same for the pods of a namespace, on top of it."""
    accelerators: tuple[AcceleratorSettings, ...] = ACCELERATORS
    default_secret: str = ""
    """The Secret, in each namespace, that has the keys of those requests that name no group. Empty: there is none."""
    read_only_root: bool = True
    """Whether the file system of a task's image can't be written. Its work folder and /tmp always can."""


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
    max_parallel_calls: int = 500
    """How many calls of actors' tasks of one Execution may be handed out, or wait for a worker, at a time."""
    call_inputs_limit: int = 2 * 1024 * 1024
    """The inputs of a call to a warm worker (bytes of JSON)."""
    call_outputs_limit: int = 1024 * 1024
    """The result record of a call (bytes)."""
    inline_value_limit: int = 16 * 1024
    """An input value whose JSON is longer (bytes) travels as a ConfigMap instead of in the pod's environment."""
    inline_inputs_limit: int = 64 * 1024
    """The inputs of one pod (bytes of JSON) without the values that travel as ConfigMaps."""
    value_limit: int = 900 * 1024
    """The longest compressed value that fits a ConfigMap (bytes)."""
    inline_output_limit: int = 4096
    """An output whose JSON is longer (bytes) is kept in a ConfigMap instead of in the status."""
    child_inputs_limit: int = 256 * 1024
    """The inputs of a child Execution (bytes of JSON)."""
    max_elements: int = 200_000
    """How many elements a map may have."""
    outputs_limit: int = 4096
    """The result record of a pod: Kubernetes' limit for a termination message (bytes)."""
    status_limit: int = 24 * 1024
    """The outputs in a status together (bytes of JSON). What is beyond is kept in ConfigMaps."""
    oom_factor: float = 2.0
    """How many times the memory the next attempt gets, after one ran out of it (up to the task's ``maxMemory``)."""
    interruptible_node_selector: Mapping[str, str] = field(default_factory=dict)
    """The nodes that interruptible attempts go to."""
    interruptible_tolerations: tuple[Mapping[str, str], ...] = ()
    """The taints that they bear."""
    pods: PodSettings = field(default_factory=PodSettings)
    """What pods are like."""
    max_depth: int = 64
    """How many Executions may be inside of each other."""
    ttl_after_finished: float = 0.0
    """Seconds after which an Execution that has ended is deleted, unless it says so itself. 0 is never."""
    cache_ttl: float = 0.0
    """Seconds for which a cached result counts, unless its task says so itself. 0 is for ever."""
    store: StoreSettings = field(default_factory=StoreSettings)
    """Files, tables, decks and values that are too large for the API server."""
    logs: LogSettings = field(default_factory=LogSettings)
    max_pods: int = 0
    """How many pods of all Executions may be unfinished at a time. 0 is without limit."""
    max_pods_per_namespace: int = 0
    """The same for those of one namespace."""
    namespace_weights: Mapping[str, float] = field(default_factory=dict)
    """How much of the pods a namespace gets where there aren't enough, compared to others. Without an entry, 1."""
    dispatcher_listen: str = ""
    """HOST:PORT on which workers of actors are served. Empty: there is no dispatcher, and calls of actors wait."""
    dispatcher_service: str = ""
    """The Service, in ``lease_namespace``, in front of all replicas' dispatchers."""
    dispatcher_address: str = ""
    """HOST:PORT that workers dial, where it isn't that of the Service."""
    dispatcher_secret: str = ""
    """The Secret in ``lease_namespace`` with the dispatcher's keys, which the first replica makes. Empty: no TLS."""
    dispatcher_keys: str = "/var/run/windlass/dispatcher"
    """Where that Secret is mounted."""
    pod_ip: str = ""
    """Where this replica is reached itself, by workers that know it from the Service."""
    dispatcher_heartbeat: float = 5.0
    """Seconds between two signs of life, of workers and of the dispatcher. Who misses three is taken for gone."""
    outputs_grace: float = 600.0
    """Seconds that the pod of a container task has for storing the files and folders that are its outputs."""
    shards: int = 16
    """The parts that all objects are divided into; replicas share them. The same number for all replicas."""
    lease_duration: float = 6.0
    """How long after its last sign of life a replica's shards are left to it."""
    lease_namespace: str = ""
    """Where replicas keep their Leases. Empty: there are none, and this replica is the only one."""
    identity: str = ""
    """This replica's name. No two replicas that live at a time may have the same."""
