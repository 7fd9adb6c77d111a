"""Overrides: everything a later layer may change about how a task runs.

No field has a default: unset means inherit. A workflow's `defaults` are the first layer, the Task's spec the next, then
the workflow's node, and the Execution's `overrides` the last; `windlass_api.overrides.effective` merges them. A new
knob is a field here and nothing else: Task, node, Execution, CRD, reference and merge follow (a test holds
`OVERRIDE_FIELDS` to this model).

What is about the pod rather than the attempt stands in `PodSettings`, which pools of workers and apps have as well.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windlass_api.v1alpha1.meta import (
    ATOMIC,
    Annotations,
    Count,
    Duration,
    FreeObject,
    Identifier,
    Image,
    Label,
    Labels,
    Model,
    Name,
    ObjectName,
    Quantity,
    Rule,
    none_of_ours,
    not_both,
)

ResourceList = Annotated[dict[str, Quantity], Field(max_length=32)]


class Resources(Model):
    """Compute resources, as for any container."""

    requests: ResourceList | None = Field(None, description="What is reserved: cpu, memory, nvidia.com/gpu, ….")
    limits: ResourceList | None = Field(None, description="What is never exceeded.")


class Secret(Model):
    """A part of a Secret that the code may read."""

    RULES = (
        Rule(
            "has(self.group) || has(self.key)",
            "group, key or both are required: the Secret's name, and the key in it",
            ".key",
            "FieldValueRequired",
            lambda secret: secret.has("group") or secret.has("key"),
        ),
    )

    group: Name | None = Field(None, description="The Secret's name. Without one, the cluster's default Secret.")
    key: Name | None = Field(None, description="The key in the Secret. Without one, all keys.")
    version: Name | None = Field(None, description="The group's version, which is a part of the Secret's name.")
    env: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Z_][A-Z0-9_]*$")] | None = Field(
        None, description="An environment variable with the value, or with the file's path where it is mounted."
    )
    mount: Literal["Env", "File", "Any"] | None = Field(
        None, description="How the code gets it: as an environment variable, as a file, or as the cluster likes best."
    )


class PodTemplate(Model):
    """What a pod is like beyond what the other fields say."""

    RULES = (none_of_ours("labels"), none_of_ours("annotations"))

    spec: FreeObject | None = Field(
        None, description="A pod's spec, or a part of it. What Windlass sets (command, code, inputs) is merged in."
    )
    primary_container: Label | None = Field(
        None, description="The container that runs the task; it is added where none has the name. Without it, primary."
    )
    labels: Labels | None = Field(None, description="Labels of the pod.")
    annotations: Annotations | None = Field(None, description="Annotations of the pod.")


class Accelerator(Model):
    """A kind of accelerator, such as a GPU model or a slice of a TPU."""

    RULES = (not_both("partition", "unpartitioned"),)

    device: Name = Field(description="The device as nodes call it, such as nvidia-tesla-a100.")
    partition: Name | None = Field(None, description="A part of the device, such as 1g.5gb.")
    topology: Name | None = Field(None, description="How several devices are connected, such as 2x2x1.")
    unpartitioned: bool | None = Field(None, description="Whether only whole devices will do.")


class SharedMemory(Model):
    """Memory that the processes of the pod share, at /dev/shm."""

    size: Quantity | None = Field(None, description="Its size. Without one, half of the node's memory.")


class Cache(Model):
    """When a result is taken from an earlier run rather than computed."""

    RULES = (
        Rule(
            "has(self.version) || (has(self.enabled) && !self.enabled)",
            "version is required: results are found by it",
            ".version",
            "FieldValueRequired",
            lambda cache: cache.has("version") or cache.enabled is False,
        ),
    )

    enabled: bool | None = Field(None, description="False turns off what a layer before turned on.")
    version: Name | None = Field(None, description="What to change when the code gives other results than before.")
    serialize: bool | None = Field(
        None, description="Whether of several runs with equal inputs one computes and the others wait for its result."
    )
    ignored_inputs: Annotated[list[Identifier], Field(max_length=128)] | None = Field(
        None, description="Names of inputs that make no difference to the result.", json_schema_extra=ATOMIC
    )
    expires_after: Duration | None = Field(
        None, description="How long a result counts, such as 24h. Without it, for ever."
    )


DeckField = Literal["SourceCode", "Dependencies", "Timeline", "Input", "Output"]


class DeckSettings(Model):
    """The report that a task leaves behind."""

    enabled: bool | None = Field(None, description="Whether one is written. Without it, none.")
    fields_: Annotated[list[DeckField], Field(max_length=5)] | None = Field(
        None, alias="fields", description="What is in it beside what the code adds.", json_schema_extra=ATOMIC
    )


class PodSettings(Model):
    """What a pod is like. Unset fields are inherited from the layer before."""

    RULES: ClassVar[tuple[Rule, ...]] = (none_of_ours("labels"), none_of_ours("annotations"))

    image: Image | None = Field(
        None, description="Container image: any with Python 3.10 or newer. Without one, the operator's default."
    )
    env: Annotated[dict[str, Annotated[str, Field(max_length=32768)]], Field(max_length=256)] | None = Field(
        None, description="Environment variables, merged with those of earlier layers by name."
    )
    resources: Resources | None = Field(None, description="Compute resources, merged by name.")
    accelerator: Accelerator | None = Field(None, description="The kind of accelerator that it needs.")
    shared_memory: SharedMemory | None = Field(None, description="Whether its processes share memory, and how much.")
    secrets: Annotated[list[Secret], Field(max_length=64)] | None = Field(
        None, description="Secrets that the code may read.", json_schema_extra=ATOMIC
    )
    interruptible: bool | None = Field(
        None, description="Whether it may run on nodes that can go away at any time. Without it, it may not."
    )
    pod_template: PodTemplate | None = Field(None, description="What its pods are like beyond the other fields.")
    pod_template_name: ObjectName | None = Field(
        None, description="A PodTemplate in the same namespace, which `podTemplate` and the other fields add to."
    )
    labels: Labels | None = Field(None, description="Labels of its pods, merged by key.")
    annotations: Annotations | None = Field(None, description="Annotations of its pods, merged by key.")


class Overrides(PodSettings):
    """How a task runs. Unset fields are inherited from the layer before."""

    retries: Annotated[Count, Field(le=100)] | None = Field(
        None, description="Further attempts after an error of the user's code that `retryOn` covers. Without it, none."
    )
    retry_on: Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=64)] | None = Field(
        None,
        description="Names of the exception classes after which an attempt is repeated, or `any`. Without it only "
        "exceptions that call themselves recoverable (FlyteRecoverableException).",
        json_schema_extra=ATOMIC,
    )
    timeout: Duration | None = Field(
        None, description="How long an attempt may run, such as 90s or 1h30m. 0s lifts the limit of a layer before."
    )
    queue_timeout: Duration | None = Field(
        None,
        description="How long an attempt may wait for its pod to be made, such as 10m. 0s lifts the limit of a layer "
        "before.",
    )
    pending_timeout: Duration | None = Field(
        None,
        description="How long an attempt's pod may wait until it runs, such as 10m: for a node, an image, a volume. 0s "
        "lifts the limit of a layer before.",
    )
    max_memory: Quantity | None = Field(
        None,
        description="After an attempt that ran out of memory the next one gets twice as much, up to this. Without it "
        "running out of memory is an error like others of the code.",
    )
    cache: Cache | None = Field(None, description="When a result is taken from an earlier run.")
    deck: DeckSettings | None = Field(None, description="The report that it leaves behind.")
