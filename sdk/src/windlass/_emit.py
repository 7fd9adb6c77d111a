"""Definitions → manifests: plain dicts in the contract's shape, in an order that people like to read.

Pure and deterministic: the same definitions give the same dicts, whatever the machine. No models are loaded here, since
code in a pod may emit too; the CLI holds the result against the models (`windlass_api.manifests_check`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from windlass import _exceptions
from windlass._bindings import kind_of
from windlass._bundle import KEY, Bundle
from windlass._calls import default_of
from windlass._compile import Graph, Node
from windlass._docstrings import Documentation, read_docstring
from windlass._interface import MISSING, Parameter
from windlass._promise import Binding, Reference, references
from windlass._task import PythonFunction, PythonTask
from windlass._workflow import PythonWorkflow
from windlass_api import names, refs

Manifest = dict[str, Any]
Definition = PythonTask[..., Any] | PythonWorkflow[..., Any]

MAX_DESCRIPTION = 1000


def definitions_of(module: ModuleType) -> list[Definition]:
    """What a module defines, and the tasks of others that its workflows use: tasks first, each in order of"
    " appearance."""
    own = [value for value in vars(module).values() if isinstance(value, PythonTask | PythonWorkflow)]
    here = [entity for entity in own if entity.function.__module__ == module.__name__]
    return complete(here)


def complete(definitions: Iterable[Definition]) -> list[Definition]:
    """The definitions and the tasks that the workflows among them use, without repetition."""
    tasks: dict[PythonTask[..., Any], None] = {}
    workflows: dict[PythonWorkflow[..., Any], None] = {}
    for entity in definitions:
        if isinstance(entity, PythonWorkflow):
            workflows[entity] = None
        else:
            tasks[entity] = None
    for workflow in workflows:
        tasks.update((node.task, None) for node in workflow.nodes)
    return [*tasks, *workflows]


def manifests(
    definitions: Sequence[Definition], bundle: Bundle | None = None, namespace: str | None = None
) -> list[Manifest]:
    """The objects to apply: the code bundle first, then tasks, then workflows."""
    found = [] if bundle is None else [code_manifest(bundle)]
    found += [
        workflow_manifest(entity) if isinstance(entity, PythonWorkflow) else task_manifest(entity, bundle)
        for entity in definitions
    ]
    _check_names(found, definitions)
    if namespace is not None:
        for manifest in found:
            manifest["metadata"]["namespace"] = namespace
    return found


def task_manifest(task: PythonTask[..., Any], bundle: Bundle | None = None) -> Manifest:
    """A Task. Without a bundle the code is expected in the image."""
    documentation = read_docstring(task.function.__doc__)
    python: Manifest = {"entrypoint": f"{task.module}:{task.short_name}"}
    if bundle is not None:
        python["code"] = {"configMap": bundle.name}
    spec = _interface(task, documentation)
    return _manifest("Task", task.name, {**spec, "python": python, **task.overrides})


def workflow_manifest(workflow: PythonWorkflow[..., Any]) -> Manifest:
    """A Workflow."""
    graph = workflow.compile()
    spec = _interface(workflow, read_docstring(workflow.function.__doc__))
    for name, binding in graph.outputs.items():
        spec["outputs"][name]["from"] = encode(binding)
    if graph.nodes:
        spec["nodes"] = _nodes(graph)
    return _manifest("Workflow", workflow.name, spec)


def code_manifest(bundle: Bundle) -> Manifest:
    """The ConfigMap that carries a bundle."""
    manifest: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": bundle.name}}
    manifest["binaryData"] = {KEY: base64.b64encode(bundle.data).decode("ascii")}
    return manifest


def execution_manifest(entity: Definition, inputs: Mapping[str, Any]) -> Manifest:
    """An Execution of a definition; `inputs` are JSON."""
    name = names.kubernetes_name(entity.name)
    what = "workflow" if isinstance(entity, PythonWorkflow) else "task"
    prefix = names.kubernetes_name(entity.short_name)[:40].strip("-.")
    spec: Manifest = {what: {"name": name}}
    if inputs:
        spec["inputs"] = dict(inputs)
    return {
        "apiVersion": names.API_VERSION,
        "kind": "Execution",
        "metadata": {"generateName": f"{prefix}-"},
        "spec": spec,
    }


def encode(binding: Binding) -> Any:
    """A binding as it stands in a manifest: references as `$ref`, literal mappings with `$` keys under `$literal`."""
    if isinstance(binding, Reference):
        return {refs.REF: str(binding.ref())}
    if isinstance(binding, list):
        return [encode(item) for item in binding]
    if not isinstance(binding, Mapping):
        return binding
    dollar = next((key for key in binding if key.startswith("$")), None)
    if dollar is None:
        return {key: encode(item) for key, item in binding.items()}
    if any(references(binding)):
        raise _exceptions.FlyteAssertion(
            f"a dict with the key {dollar!r} can't hold promises: keys with $ are the manifest's own"
        )
    return refs.escape(binding)


def _manifest(kind: str, python_name: str, spec: Manifest) -> Manifest:
    metadata = {"name": names.kubernetes_name(python_name)}
    return {"apiVersion": names.API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _interface(entity: PythonFunction[..., Any], documentation: Documentation) -> Manifest:
    spec: Manifest = {}
    if documentation.text:
        spec["description"] = _shortened(documentation.text)
    inputs = {
        name: _input(entity, parameter, documentation.parameters.get(name))
        for name, parameter in entity.interface.inputs.items()
    }
    outputs = {
        name: _typed(python_type, documentation.returns) for name, python_type in entity.interface.outputs.items()
    }
    if inputs:
        spec["inputs"] = inputs
    if outputs:
        spec["outputs"] = outputs
    return spec


def _input(entity: PythonFunction[..., Any], parameter: Parameter, description: str | None) -> Manifest:
    declared = _typed(parameter.python_type, description)
    if parameter.default is not MISSING and not parameter.required:
        declared["default"] = default_of(entity, parameter)
    return declared


def _typed(python_type: Any, description: str | None) -> Manifest:
    kind = kind_of(python_type)
    declared: Manifest = {"type": str(kind.type)}
    if kind.schema is not None:
        declared["schema"] = kind.schema
    if description:
        declared["description"] = _shortened(description)
    return declared


def _nodes(graph: Graph) -> list[Manifest]:
    place = {node: position for position, node in enumerate(graph.nodes)}
    return [_node(node, place) for node in graph.nodes]


def _node(node: Node, place: dict[Node, int]) -> Manifest:
    manifest: Manifest = {"id": node.id, "name": node.name, "task": {"name": names.kubernetes_name(node.task.name)}}
    if node.inputs:
        manifest["inputs"] = {name: encode(binding) for name, binding in node.inputs.items()}
    after = sorted(set(node.after) - node.producers(), key=place.__getitem__)
    if after:
        manifest["dependsOn"] = [upstream.id for upstream in after]
    if node.overrides:
        manifest["overrides"] = node.overrides
    return manifest


def _check_names(found: list[Manifest], definitions: Sequence[Definition]) -> None:
    """Two modules of the same name in different folders would overwrite each other's objects."""
    seen: set[tuple[str, str]] = set()
    for manifest in found:
        key = (manifest["kind"], manifest["metadata"]["name"])
        if key in seen:
            clashing = [entity.name for entity in definitions if names.kubernetes_name(entity.name) == key[1]]
            raise _exceptions.FlyteAssertion(
                f"two definitions would be the {key[0]} {key[1]}: {', '.join(clashing)}; give one of their modules"
                " another name"
            )
        seen.add(key)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_DESCRIPTION else text[: MAX_DESCRIPTION - 1].rstrip() + "…"
