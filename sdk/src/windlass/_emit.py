"""Definitions → manifests: plain dicts in the contract's shape, in an order that people like to read.

Pure and deterministic: the same definitions give the same dicts, whatever the machine. No models are loaded here, since
code in a pod may emit too; the CLI holds the result against the models (`windlass_api.manifests_check`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from windlass import _exceptions
from windlass._bundle import KEY, Bundle
from windlass._calls import default_of
from windlass._docstrings import read_docstring
from windlass._entity import Entity
from windlass._graph_spec import encode, graph_spec, typed
from windlass._interface import MISSING, Parameter, is_artifact, is_lookup
from windlass._task import Task
from windlass._workflow import POLICIES, Workflow
from windlass_api import names

Manifest = dict[str, Any]

MAX_DESCRIPTION = 1000


def definitions_of(module: ModuleType) -> list[Entity]:
    """What a module defines, and what others define and its workflows use, in order of appearance."""
    own = [value for value in vars(module).values() if isinstance(value, Entity)]
    return complete(entity for entity in own if entity.home == module.__name__)


def complete(entities: Iterable[Entity]) -> list[Entity]:
    """The entities and all that they need, without repetition: tasks, then workflows, then launch plans."""
    found = dict.fromkeys(needed for entity in entities for needed in entity.definitions())
    return sorted(found, key=lambda entity: list(KINDS).index(entity.kind or ""))


def manifests(
    definitions: Sequence[Entity], bundle: Bundle | None = None, namespace: str | None = None
) -> list[Manifest]:
    """The objects to apply: the code bundle first, then the definitions in their order."""
    found = [] if bundle is None or bundle.archive is not None else [code_manifest(bundle)]
    found += [manifest(entity, bundle) for entity in definitions]
    _check_names(found, definitions)
    if namespace is not None:
        for one in found:
            one["metadata"]["namespace"] = namespace
    return found


def manifest(entity: Entity, bundle: Bundle | None = None) -> Manifest:
    """The object of an entity. Without a bundle the code is expected in the image."""
    kind = entity.kind or ""
    metadata = {"name": entity.object_name}
    spec = KINDS[kind](entity, bundle)
    return {"apiVersion": names.API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def task_spec(task: Task, bundle: Bundle | None) -> Manifest:
    """What a Task says."""
    runner = task.runner()
    if bundle is not None and "python" in runner:
        runner = {**runner, "python": {**runner["python"], "code": bundle.reference}}
    return {**_interface(task), **runner, **task.overrides}


def workflow_spec(workflow: Workflow, _bundle: Bundle | None) -> Manifest:
    """What a Workflow says."""
    graph = workflow.compile()
    spec = _interface(workflow)
    for name, binding in graph.outputs.items():
        spec["outputs"][name]["from"] = encode(binding)
    if workflow.keeps_going:
        spec["failurePolicy"] = POLICIES[workflow.failure_policy]
    if workflow.overrides:
        spec["defaults"] = workflow.overrides
    return spec | graph_spec(graph)


KINDS: dict[str, Callable[[Any, Bundle | None], Manifest]] = {
    "ActorEnvironment": lambda environment, _bundle: environment.spec(),
    "Task": task_spec,
    "Workflow": workflow_spec,
    "LaunchPlan": lambda plan, _bundle: plan.manifest_spec(),
}
"""What each kind's spec is made by, in the order of the objects."""


def code_manifest(bundle: Bundle) -> Manifest:
    """The ConfigMap that carries a bundle."""
    manifest: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": bundle.name}}
    manifest["binaryData"] = {KEY: base64.b64encode(bundle.data).decode("ascii")}
    return manifest


def execution_manifest(entity: Entity, inputs: Mapping[str, Any]) -> Manifest:
    """An Execution of a definition; `inputs` are JSON."""
    prefix = names.kubernetes_name(entity.short_name)[:40].strip("-.")
    spec: Manifest = entity.target()
    if inputs:
        spec["inputs"] = dict(inputs)
    return {
        "apiVersion": names.API_VERSION,
        "kind": "Execution",
        "metadata": {"generateName": f"{prefix}-"},
        "spec": spec,
    }


def _interface(entity: Entity) -> Manifest:
    documentation = read_docstring(entity.description)
    spec: Manifest = {}
    if documentation.text:
        spec["description"] = _shortened(documentation.text)
    inputs = {
        name: _input(entity, parameter, documentation.parameters.get(name))
        for name, parameter in entity.interface.inputs.items()
    }
    outputs = {name: _output(entity, name, documentation.returns) for name in entity.interface.outputs}
    if inputs:
        spec["inputs"] = inputs
    if outputs:
        spec["outputs"] = outputs
    return spec


def _input(entity: Entity, parameter: Parameter, description: str | None) -> Manifest:
    declared = _typed(parameter.python_type, description)
    if is_lookup(parameter.default):
        from windlass._artifacts import resolve  # noqa: PLC0415  few defaults are queries

        declared["artifact"] = resolve.query_form(parameter.default)
    elif parameter.default is not MISSING and not parameter.required:
        declared["default"] = default_of(entity, parameter)
    return declared


def _output(entity: Entity, name: str, description: str | None) -> Manifest:
    python_type = entity.interface.outputs[name]
    declared = _typed(python_type, description)
    if is_artifact(python_type):
        from windlass._artifacts import created  # noqa: PLC0415  few outputs become artifacts

        declared["artifact"] = created.output_form(entity, name)
    return declared


def _typed(python_type: Any, description: str | None) -> Manifest:
    declared = typed(python_type)
    if description:
        declared["description"] = _shortened(description)
    return declared


def _check_names(found: list[Manifest], definitions: Sequence[Entity]) -> None:
    """Two modules of the same name in different folders would overwrite each other's objects."""
    seen: set[tuple[str, str]] = set()
    for manifest in found:
        key = (manifest["kind"], manifest["metadata"]["name"])
        if key in seen:
            clashing = [entity.name for entity in definitions if names.kubernetes_name(entity.name) == key[1]]
            raise _exceptions.FlyteAssertion(
                f"two definitions would be the {key[0]} {key[1]}: {', '.join(clashing)}; give one of them, or of their"
                " modules, another name"
            )
        seen.add(key)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_DESCRIPTION else text[: MAX_DESCRIPTION - 1].rstrip() + "…"
