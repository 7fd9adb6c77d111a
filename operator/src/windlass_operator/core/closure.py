"""The closure: all that an Execution needs of definitions, compiled once when it is admitted and then never changed.

A later sync of a Workflow or Task changes nothing for running executions, because these read only their closure. It is
stored as a ControllerRevision named by its content, so a thousand executions of one workflow share one.

``compile_closure`` makes the document that is stored; ``load`` turns it into the form that planning reads: nodes in
topological order, overrides merged in, ``when`` parsed, upstreams known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from windlass_api import cel, graph, names, overrides, refs

FindTask = Callable[[str, str | None], Mapping[str, Any] | None]
FindCode = Callable[[str], str | None]
"""The name of a ConfigMap with code → a hash of what is in it, or None if there is no such ConfigMap."""
TASK_NODE = "n0"
"""The id of the only node when a Task is executed by itself."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a closure."""

    id: str
    name: str
    task: str
    spec: Mapping[str, Any]
    """The effective task spec."""
    code: str | None
    """The closure's own ConfigMap with the code bundle, unless the code is in the image."""
    inputs: Mapping[str, Any]
    """The bindings: values with ``$ref`` in them."""
    when: cel.Expression | None
    upstreams: tuple[str, ...]
    sources: frozenset[str]
    """Those upstreams whose outputs it reads. The others only have to be over."""


@dataclass(frozen=True, slots=True)
class Closure:
    """What an Execution is pinned to."""

    hash: str
    document: Mapping[str, Any]
    nodes: Mapping[str, Node]
    """In topological order."""
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of its ControllerRevision."""
        return names.closure_name(self.hash)

    @property
    def code(self) -> dict[str, str]:
        """The authors' ConfigMaps with code → the closure's own copies, named by their content."""
        return dict(self.document["code"])


def code_of(task_spec: Mapping[str, Any]) -> str | None:
    """The author's ConfigMap with the code bundle of a task, if the code isn't in the image."""
    source = ((task_spec.get("python") or {}).get("code") or {}).get("configMap")
    return source if isinstance(source, str) else None


def task_key(reference: Mapping[str, Any]) -> str:
    """``name`` or ``name@version``: one revision of one task inside a closure."""
    version = reference.get("version")
    return f"{reference['name']}@{version}" if version else str(reference["name"])


def compile_closure(workflow: Mapping[str, Any], find_task: FindTask, find_code: FindCode) -> dict[str, Any]:
    """The closure's document. The workflow is valid, and all its tasks resolve (``admission`` sees to both).

    Raises:
        MissingCodeError: a task's ConfigMap with code doesn't exist.
    """
    tasks = {}
    code = {}
    for node in workflow.get("nodes") or ():
        reference = node["task"]
        spec = find_task(reference["name"], reference.get("version"))
        if spec is None:
            raise LookupError(f"task {reference['name']} does not resolve")
        tasks[task_key(reference)] = without_prose(spec)
        source = code_of(spec)
        if source is not None:
            digest = find_code(source)
            if digest is None:
                raise MissingCodeError(reference["name"], source)
            code[source] = names.pinned_code_name(digest)
    return {"workflow": without_prose(workflow), "tasks": tasks, "code": code}


class MissingCodeError(LookupError):
    """A task's code isn't there."""

    def __init__(self, task: str, source: str) -> None:
        super().__init__(f"the ConfigMap {source!r} with the code of task {task!r} isn't in this namespace (yet)")


def without_prose(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec without its description: rewording it is no new closure."""
    return {key: value for key, value in spec.items() if key != "description"}


def workflow_of_task(name: str, version: str | None, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The workflow that executing a Task by itself means: one node, inputs handed through, outputs handed back."""
    return {
        "inputs": dict(spec.get("inputs") or {}),
        "nodes": [
            {
                "id": TASK_NODE,
                "name": name,
                "task": {"name": name, **({"version": version} if version else {})},
                "inputs": {key: {"$ref": f"inputs.{key}"} for key in spec.get("inputs") or {}},
            }
        ],
        "outputs": {
            key: {**_variable(value), "from": {"$ref": f"nodes.{TASK_NODE}.outputs.{key}"}}
            for key, value in (spec.get("outputs") or {}).items()
        },
    }


def load(document: Mapping[str, Any]) -> Closure:
    """The form that planning reads. Pure and costly (a parse per node): callers keep the result."""
    workflow = document["workflow"]
    listed = {node["id"]: node for node in workflow.get("nodes") or ()}
    upstreams = graph.upstreams(workflow)
    nodes = {
        node_id: _node(listed[node_id], document, upstreams[node_id]) for node_id in graph.topological_order(upstreams)
    }
    return Closure(
        hash=names.content_hash(document),
        document=document,
        nodes=nodes,
        inputs=workflow.get("inputs") or {},
        outputs=workflow.get("outputs") or {},
    )


def _node(node: Mapping[str, Any], document: Mapping[str, Any], upstreams: tuple[str, ...]) -> Node:
    task = document["tasks"][task_key(node["task"])]
    source = code_of(task)
    when = cel.parse(node["when"]) if node.get("when") else None
    read = {ref.node for _, ref in refs.iter_refs(node.get("inputs") or {})}
    if when is not None:
        read |= {ref.node for ref in when.refs}
    return Node(
        id=node["id"],
        name=node.get("name") or node["id"],
        task=node["task"]["name"],
        spec=overrides.effective(task, node.get("overrides"), defaults=document["workflow"].get("defaults")),
        code=document["code"][source] if source is not None else None,
        inputs=node.get("inputs") or {},
        when=when,
        upstreams=upstreams,
        sources=frozenset(source for source in read if source is not None),
    )


def _variable(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value[key] for key in ("type", "schema") if key in value}
