"""Overrides: everything a later layer may change about how a task runs.

No field has a default: unset means inherit. The Task's spec is the first layer, a workflow's node the next one;
`windlass_api.overrides.effective` merges them. A new knob is a field here and nothing else: Task, node, CRD, reference
and merge follow (a test holds `OVERRIDE_FIELDS` to this model).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from windlass_api.v1alpha1.meta import Count, Model, Quantity

ResourceList = Annotated[dict[str, Quantity], Field(max_length=32)]


class Resources(Model):
    """Compute resources, as for any container."""

    requests: ResourceList | None = Field(None, description="What is reserved: cpu, memory, nvidia.com/gpu, ….")
    limits: ResourceList | None = Field(None, description="What is never exceeded.")


class Overrides(Model):
    """How a task runs. Unset fields are inherited from the layer before."""

    image: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        None, description="Container image: any with Python 3.10 or newer. Without one, the operator's default."
    )
    env: Annotated[dict[str, Annotated[str, Field(max_length=32768)]], Field(max_length=256)] | None = Field(
        None, description="Environment variables, merged with those of earlier layers by name."
    )
    resources: Resources | None = Field(None, description="Compute resources, merged by name.")
    retries: Annotated[Count, Field(le=100)] | None = Field(
        None, description="Further attempts after an error of the user's code that `retryOn` covers. Without it, none."
    )
    retry_on: Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=64)] | None = Field(
        None,
        description="Names of the exception classes after which an attempt is repeated, or `any`. Without it only "
        "exceptions that call themselves recoverable (FlyteRecoverableException).",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
