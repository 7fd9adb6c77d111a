"""The Execution object of a run: its target, its inputs, and what the caller wants of this one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from windlass import _store
from windlass._exceptions import FlyteAssertion, FlyteNotImplementedException
from windlass._modules import caller
from windlass._plan_options import Options, run_fields
from windlass._remote.client import Object
from windlass_api import names

TAG_PREFIX = f"tag.{names.GROUP}/"
_SAID_BY = {
    "overwriteCache": "overwrite_cache",
    "rawOutputPrefix": "raw_output_data_config",
    "maxParallelism": "max_parallelism",
    "serviceAccountName": "security_context",
    "notifications": "notifications",
    "overrides": "overrides",
    "env": "envs",
    "interruptible": "interruptible",
}
"""The parameter, or the one of `Options`, that each field comes from."""
_HARMLESS = {"overwriteCache": False, "notifications": []}
"""What asks for nothing, but of a launch plan, which may say otherwise."""


class RunSettings(NamedTuple):
    """What the caller wants of one run."""

    execution_name: str | None = None
    execution_name_prefix: str | None = None
    options: Options | None = None
    wait: bool = False
    type_hints: Mapping[str, Any] | None = None
    overwrite_cache: bool | None = None
    interruptible: bool | None = None
    envs: Mapping[str, str] | None = None
    tags: Iterable[str] | None = None
    cluster_pool: str | None = None
    execution_cluster_label: str | None = None


def execution(target: Mapping[str, Any], short_name: str, inputs: Mapping[str, Any], run: RunSettings) -> Object:
    """The Execution object. Raises ValueError where the settings contradict each other, or mean nothing here."""
    _refuse(run)
    fields = _option_fields(run.options)
    metadata: dict[str, Any] = _name(short_name, run)
    labels = {**fields.pop("labels", {}), **{_tag(tag): "true" for tag in run.tags or ()}}
    annotations = fields.pop("annotations", {})
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    spec: dict[str, Any] = {**target, "inputs": dict(inputs), **fields}
    spec["overrides"] = {**({"env": dict(run.envs)} if run.envs else {})}
    if run.interruptible is not None:
        spec["overrides"]["interruptible"] = run.interruptible
    if run.overwrite_cache is not None:
        spec["overwriteCache"] = run.overwrite_cache
    spec = {key: value for key, value in spec.items() if value not in ({}, None)}
    return {"apiVersion": names.API_VERSION, "kind": "Execution", "metadata": metadata, "spec": spec}


def refuse_unsayable(obj: Object) -> None:
    """Settings that an Execution of this version of the contract has no field for.

    Raises:
        FlyteNotImplementedException: there are such; the message says which, and where else they can be set.
    """
    spec = obj["spec"]
    for field, value in _HARMLESS.items():
        if spec.get(field) == value and "launchPlan" not in spec:
            del spec[field]
    asked = [field for field in spec if field in _SAID_BY]
    if not asked:
        return
    from windlass_api.v1alpha1.execution import ExecutionSpec  # noqa: PLC0415  loads pydantic, 150 ms

    known = {one.alias or name for name, one in ExecutionSpec.model_fields.items()}
    lacking = [
        part for field in asked if field not in known for part in (spec[field] if field == "overrides" else [field])
    ]
    if lacking:
        raise FlyteNotImplementedException(
            f"{caller()}: one run can't set {', '.join(_SAID_BY[field] for field in lacking)}: an Execution has no"
            " field for it. Set it where it is defined: on the task, by @task(…) or with_overrides, or on the launch"
            " plan, LaunchPlan.create(…)"
        )


def refuse_local_files(inputs: Mapping[str, Any]) -> None:
    """A file in this process's temporary folder is nothing to a pod."""
    scratch = _store.scratch_folder("raw")
    lost = [name for name, value in inputs.items() if _mentions(value, scratch)]
    if lost:
        raise FlyteAssertion(
            f"{caller()}: the input{'s' * (len(lost) > 1)} {', '.join(lost)} would be written into a temporary folder"
            " of this machine, which the cluster can't read: say where data goes, UnionRemote(data_upload_location="
            "'s3://bucket/folder'), or set WINDLASS_RAW_OUTPUT_PREFIX"
        )


def _refuse(run: RunSettings) -> None:
    if run.execution_name is not None and run.execution_name_prefix is not None:
        raise ValueError(f"{caller()}: Only one of execution_name and execution_name_prefix can be set, but got both")
    for what, value in (("cluster_pool", run.cluster_pool), ("execution_cluster_label", run.execution_cluster_label)):
        if value:
            raise ValueError(
                f"{caller()}: {what} chooses among clusters, and a remote is one cluster: choose it by its context,"
                f" UnionRemote(context={value!r})"
            )


def _name(short_name: str, run: RunSettings) -> dict[str, str]:
    name = run.execution_name or run.execution_name_prefix
    if name is not None and not names.is_dns_label(name.rstrip("-")):
        raise ValueError(
            f"{caller()}: the name of an execution has small letters, digits and `-`, {names.MAX_LABEL} at most; not"
            f" {name!r}"
        )
    if run.execution_name is not None:
        return {"name": run.execution_name}
    prefix = run.execution_name_prefix or names.kubernetes_name(short_name)
    return {"generateName": f"{prefix[:40].strip('-.')}-"}


def _option_fields(options: Options | None) -> dict[str, Any]:
    given = {} if options is None else options.settings()
    notifications = given.pop("notifications", None)
    fields = run_fields(**given)
    if notifications is not None:
        fields["notifications"] = [one.manifest() for one in notifications]
    return fields


def _tag(tag: str) -> str:
    return TAG_PREFIX + names.label_value(tag)


def _mentions(value: Any, folder: str) -> bool:
    if isinstance(value, Mapping):
        return any(_mentions(item, folder) for item in value.values())
    if isinstance(value, list):
        return any(_mentions(item, folder) for item in value)
    return isinstance(value, str) and _store.local_path(value).startswith(folder)
