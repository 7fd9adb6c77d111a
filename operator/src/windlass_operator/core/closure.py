"""The closure: all that an Execution needs of definitions, compiled once when it is admitted and then never changed.

A later sync of a Workflow or Task changes nothing for running executions, because these read only their closure. It is
stored as a ControllerRevision named by its content, so a thousand executions of one workflow share one.

``compile_closure`` makes the document that is stored; ``load`` turns it into the form that planning reads. There,
workflows inside the workflow are flat: each is a *scope*, and its nodes stand behind the node that it is, under paths::

    n0   n2 (a workflow: the scope n2)   n2.n0   n2.n1   n2.fn0 (its onFailure)   n3 …      fn0 (the root's onFailure)

``order`` says in which order a pass visits them: each node after all that it waits for, and each scope once more when
it is left, after its last node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from windlass_api import cel, graph, names, overrides, refs
from windlass_api.validation import Find
from windlass_api.wiring import KIND_OF, definition_interface, kind_of_node
from windlass_operator.manifests.worker_pod import resolved

FindCode = Callable[[str], str | None]
"""The name of a ConfigMap with code → a hash of what is in it, or None if there is no such ConfigMap."""
TASK_NODE = "n0"
"""The id of the only node when a Task or a LaunchPlan is executed by itself."""
ROOT = ""
"""The scope of the workflow itself."""
MAX_NODES = 1000
"""Nodes of one Execution, those of inner workflows included: what its status may have, and has room for."""

Spec = Mapping[str, Any]
FindTemplate = Callable[[str], Spec | None]
"""The name of a PodTemplate object → its template, or None if there is no such object."""


class NodeKind(str, Enum):
    """What a node is: the field of it that says so."""

    TASK = "task"
    WORKFLOW = "workflow"
    PLAN = "launchPlan"
    SELECT = "select"
    APPROVE = "approve"
    INPUT = "waitForInput"
    SLEEP = "sleep"


RUNS = frozenset({NodeKind.TASK, NodeKind.PLAN})
"""Kinds of nodes whose attempts have a pod, or an Execution of their own."""


class Case(NamedTuple):
    """A case of a ``select``."""

    when: cel.Expression | None
    outputs: Mapping[str, Any]
    fail: str | None


class Actor(NamedTuple):
    """The pool of warm workers in which a task runs."""

    environment: str
    revision: str


class Mapped(NamedTuple):
    """That a node runs once for each element of lists."""

    over: tuple[str, ...]
    concurrency: int | None
    min_successes: int | None
    min_success_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node of a closure."""

    id: str
    """Its path: unique in the Execution."""
    name: str
    kind: NodeKind
    scope: str
    """The node of the workflow that it is in."""
    target: str = ""
    """The Task, Workflow or LaunchPlan that it runs."""
    version: str | None = None
    spec: Spec = field(default_factory=dict)
    """Of a task, the effective spec. Of others that run something, its interface: ``inputs`` and ``outputs``. Of a
    gate, what it says."""
    code: str | None = None
    """The closure's own ConfigMap with the code bundle, unless the code is in the image."""
    actor: Actor | None = None
    """Where it runs, unless in a pod of its own."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """The bindings: values with ``$ref`` in them."""
    when: cel.Expression | None = None
    cases: tuple[Case, ...] = ()
    mapped: Mapped | None = None
    upstreams: tuple[str, ...] = ()
    sources: frozenset[str] = frozenset()
    """Those upstreams whose outputs it needs. The others only have to be over."""
    handler: bool = False
    """Whether it is the ``onFailure`` of its scope."""

    @property
    def task(self) -> str:
        """The Task that it runs, if it does."""
        return self.target if self.kind is NodeKind.TASK else ""

    @property
    def dynamic(self) -> bool:
        """Whether what it gives is a workflow, which runs in its place."""
        return bool((self.spec.get("python") or {}).get("dynamic"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A workflow inside the run."""

    id: str
    parent: str | None
    """The scope that the workflow's node is in; None for the root."""
    members: tuple[str, ...]
    """Its nodes in topological order, without the handler."""
    handler: str | None
    keeps_going: bool
    """Whether a failure lets the nodes run on that don't need the one that failed."""
    inputs: Mapping[str, Spec]
    outputs: Mapping[str, Spec]


class Visit(NamedTuple):
    """A step of a pass through the nodes."""

    node: str
    leaving: bool
    """Whether the workflow that the node is has had all its nodes visited."""


@dataclass(frozen=True, slots=True)
class Closure:
    """What an Execution is pinned to."""

    hash: str
    document: Mapping[str, Any]
    nodes: Mapping[str, Node]
    """In the order of visits."""
    scopes: Mapping[str, Scope]
    order: tuple[Visit, ...]
    calls: frozenset[str] = frozenset()
    """The nodes whose attempts are calls of actors."""
    actors: frozenset[Actor] = frozenset()
    """The pools that these run in."""
    maps: tuple[str, ...] = ()
    """The nodes that are maps."""

    @property
    def name(self) -> str:
        """The name of its ControllerRevision."""
        return names.closure_name(self.hash)

    @property
    def code(self) -> dict[str, str]:
        """The authors' ConfigMaps with code → the closure's own copies, named by their content."""
        return dict(self.document["code"])

    @property
    def pod_templates(self) -> Mapping[str, Spec]:
        """The templates of the PodTemplate objects that are named, as they were when the Execution was admitted."""
        found: Mapping[str, Spec] = self.document.get("podTemplates") or {}
        return found

    @property
    def environments(self) -> Mapping[str, Spec]:
        """The specs of the ActorEnvironments of its tasks, resolved, by name."""
        found: Mapping[str, Spec] = self.document.get("environments") or {}
        return found

    @property
    def plan(self) -> Mapping[str, Any]:
        """What the LaunchPlan said that it is a run of, as far as runs go by it."""
        found: Mapping[str, Any] = self.document.get("plan") or {}
        return found

    @property
    def inputs(self) -> Mapping[str, Spec]:
        """What the Execution takes."""
        return self.scopes[ROOT].inputs

    @property
    def outputs(self) -> Mapping[str, Spec]:
        """What it gives."""
        return self.scopes[ROOT].outputs


class MissingCodeError(LookupError):
    """A task's code isn't there."""

    def __init__(self, task: str, source: str) -> None:
        super().__init__(f"the ConfigMap {source!r} with the code of task {task!r} isn't in this namespace (yet)")


class MissingTemplateError(LookupError):
    """A PodTemplate that is named isn't there."""

    def __init__(self, name: str, environment: str = "") -> None:
        where = f"ActorEnvironment {environment}: " if environment else ""
        super().__init__(f"{where}podTemplateName: there is no PodTemplate {name!r} in this namespace (yet)")


class MissingEnvironmentError(LookupError):
    """A task's pool of workers isn't there."""

    def __init__(self, task: str, environment: str) -> None:
        super().__init__(f"there is no ActorEnvironment {environment!r} for task {task!r} in this namespace (yet)")


class TooManyNodesError(ValueError):
    """The workflow, with those inside it, has more nodes than a status has room for."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"with the workflows inside it, it has {count} nodes; a run may have {MAX_NODES}. Run a part of it by a"
            " launch plan, as an execution of its own, or map over a list"
        )


# ---- definitions → document -----------------------------------------------------------------------------------------


def compile_closure(workflow: Spec, find: Find, find_code: FindCode, plan: Spec | None = None) -> dict[str, Any]:
    """The closure's document. The workflow is valid, and all that it names resolves (``admission`` sees to both).
    ``plan`` is what a launch plan says about its runs.

    Raises:
        MissingCodeError: a task's ConfigMap with code doesn't exist.
        MissingEnvironmentError: a task's ActorEnvironment doesn't exist.
        TooManyNodesError: it is too large.
    """
    document: dict[str, Any] = {"workflow": without_prose(workflow), "tasks": {}, "workflows": {}, "plans": {}}
    if plan:
        document["plan"] = dict(plan)
    code: dict[str, str] = {}
    _collect(workflow, document, code, find, find_code)
    count = _count(document["workflow"], document)
    if count > MAX_NODES:
        raise TooManyNodesError(count)
    return {**document, "code": code}


def with_templates(closure: Closure, of_run: str | None, find_template: FindTemplate) -> Closure:
    """The closure with the PodTemplates that its tasks name, or the one that the Execution names for all of them; and
    with those of the pools that tasks run in, which are the environments' to name.

    Raises:
        MissingTemplateError: one doesn't exist.
    """
    tasks = [node for node in closure.nodes.values() if node.kind is NodeKind.TASK and node.actor is None]
    named = {of_run} if of_run and tasks else {node.spec.get("podTemplateName") for node in tasks}
    wanted = sorted(name for name in named if name)
    of_pools = {
        pool: resolved(spec, _template(spec["podTemplateName"], find_template, pool))
        for pool, spec in closure.environments.items()
        if spec.get("podTemplateName")
    }
    if not wanted and not of_pools:
        return closure
    document = {**closure.document}
    if wanted:
        document["podTemplates"] = {name: _template(name, find_template) for name in wanted}
    if of_pools:
        document["environments"] = {**closure.environments, **of_pools}
    return load(document)


def _template(name: str, find_template: FindTemplate, environment: str = "") -> Spec:
    found = find_template(name)
    if found is None:
        raise MissingTemplateError(name, environment)
    return found


def _collect(workflow: Spec, document: dict[str, Any], code: dict[str, str], find: Find, find_code: FindCode) -> None:
    """Add all that a workflow names."""
    for node in _all_nodes(workflow):
        kind = kind_of_node(node)
        if kind not in KIND_OF:
            continue
        reference, key = node[kind], reference_key(node[kind])
        section = document[f"{'plan' if kind == 'launchPlan' else kind}s"]
        if key in section:
            continue
        spec = find(KIND_OF[kind], reference["name"], reference.get("version"))
        interface = definition_interface(KIND_OF[kind], reference["name"], reference.get("version"), find)
        if spec is None or interface is None:
            raise LookupError(f"{kind} {reference['name']} does not resolve")
        if kind == "launchPlan":
            marks = {part: spec[part] for part in ("labels", "annotations") if spec.get(part)}
            section[key] = {"inputs": dict(interface.inputs), "outputs": dict(interface.outputs), **marks}
            continue
        section[key] = without_prose(spec)
        if kind == "workflow":
            _collect(spec, document, code, find, find_code)
        else:
            _collect_code(reference["name"], spec, code, find_code)
            _collect_environment(reference["name"], spec, document, find)


def _collect_code(task: str, spec: Spec, code: dict[str, str], find_code: FindCode) -> None:
    source = code_of(spec)
    if source is not None and source not in code:
        digest = find_code(source)
        if digest is None:
            raise MissingCodeError(task, source)
        code[source] = names.pinned_code_name(digest)


def _collect_environment(task: str, spec: Spec, document: dict[str, Any], find: Find) -> None:
    """The pool that a task runs in, as it is now."""
    name = (spec.get("actor") or {}).get("name")
    if name is None or name in document.get("environments", {}):
        return
    environment = find("ActorEnvironment", name, None)
    if environment is None:
        raise MissingEnvironmentError(task, name)
    document.setdefault("environments", {})[name] = without_prose(environment)


def _actor(name: str, environment: Spec) -> Actor:
    return Actor(name, names.pool_revision(environment))


def _all_nodes(workflow: Spec) -> list[Spec]:
    failure = workflow.get("onFailure")
    return [*(workflow.get("nodes") or ()), *([failure] if failure else ())]


def _count(workflow: Spec, document: Mapping[str, Any]) -> int:
    """How many nodes a workflow has, those of workflows inside it included."""
    known: dict[str, int] = {}

    def of(spec: Spec) -> int:
        total = 0
        for node in _all_nodes(spec):
            total += 1
            if node.get("workflow"):
                key = reference_key(node["workflow"])
                if key not in known:
                    known[key] = of(document["workflows"][key])
                total += known[key]
        return total

    return of(workflow)


def code_of(task_spec: Spec) -> str | None:
    """The author's ConfigMap with the code bundle of a task, if the code isn't in the image."""
    source = ((task_spec.get("python") or {}).get("code") or {}).get("configMap")
    return source if isinstance(source, str) else None


def reference_key(reference: Spec) -> str:
    """``name`` or ``name@version``: one revision of one definition inside a closure."""
    version = reference.get("version")
    return f"{reference['name']}@{version}" if version else str(reference["name"])


def without_prose(spec: Spec) -> dict[str, Any]:
    """A spec without its description: rewording it is no new closure."""
    return {key: value for key, value in spec.items() if key != "description"}


def workflow_of_task(name: str, version: str | None, spec: Spec) -> dict[str, Any]:
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


def _variable(value: Spec) -> dict[str, Any]:
    return {key: value[key] for key in ("type", "schema") if key in value}


# ---- document → the form that planning reads ------------------------------------------------------------------------


def load(document: Mapping[str, Any]) -> Closure:
    """The form that planning reads. Pure and costly (a parse per node): callers keep the result."""
    loader = _Loader(document)
    loader.add(ROOT, None, document["workflow"], {})
    return Closure(
        hash=names.content_hash(document),
        document=document,
        nodes=loader.nodes,
        scopes=loader.scopes,
        order=tuple(loader.order),
        calls=frozenset(name for name, node in loader.nodes.items() if node.actor is not None),
        actors=frozenset(node.actor for node in loader.nodes.values() if node.actor is not None),
        maps=tuple(name for name, node in loader.nodes.items() if node.mapped is not None),
    )


class _Loader:
    """Flattens a document; lives for the call of ``load`` only."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.nodes: dict[str, Node] = {}
        self.scopes: dict[str, Scope] = {}
        self.order: list[Visit] = []

    def add(self, scope: str, parent: str | None, workflow: Spec, outer: Mapping[str, Any]) -> None:
        """A workflow's nodes, those of its inner workflows behind their node, and its handler at last. ``outer`` are
        the defaults of the workflows around it.
        """
        defaults = overrides.effective(outer, workflow.get("defaults"))
        listed = {node["id"]: node for node in workflow.get("nodes") or ()}
        upstreams = graph.upstreams(workflow)
        members = [
            self._place(listed[name], scope, upstreams[name], defaults) for name in graph.topological_order(upstreams)
        ]
        failure = workflow.get("onFailure")
        handler = self._place(failure, scope, (), defaults, handler=True) if failure else None
        self.scopes[scope] = Scope(
            id=scope,
            parent=parent,
            members=tuple(members),
            handler=handler,
            keeps_going=workflow.get("failurePolicy") == "FailAfterExecutableNodesComplete",
            inputs=workflow.get("inputs") or {},
            outputs=workflow.get("outputs") or {},
        )

    def _place(
        self, node: Spec, scope: str, upstreams: tuple[str, ...], defaults: Mapping[str, Any], *, handler: bool = False
    ) -> str:
        made = self._node(node, scope, upstreams, defaults, handler)
        self.nodes[made.id] = made
        self.order.append(Visit(made.id, leaving=False))
        if made.kind is NodeKind.WORKFLOW:
            self.add(made.id, scope, self._document["workflows"][reference_key(node["workflow"])], defaults)
            self.order.append(Visit(made.id, leaving=True))
        return made.id

    def _node(
        self, node: Spec, scope: str, upstreams: tuple[str, ...], defaults: Mapping[str, Any], handler: bool
    ) -> Node:
        kind = NodeKind(kind_of_node(node))
        when = cel.parse(node["when"]) if node.get("when") else None
        reference = node[kind.value] if kind.value in KIND_OF else {}
        spec, code = self._spec(kind, node, defaults)
        pool = (spec.get("actor") or {}).get("name") if kind is NodeKind.TASK else None
        return Node(
            id=path(scope, node["id"]),
            name=node.get("name") or node["id"],
            kind=kind,
            scope=scope,
            target=reference.get("name", ""),
            version=reference.get("version"),
            spec=spec,
            code=code,
            actor=_actor(pool, self._document["environments"][pool]) if pool else None,
            inputs=node.get("inputs") or {},
            when=when,
            cases=tuple(_case(case) for case in node.get("select") or ()),
            mapped=_mapped(node["map"]) if node.get("map") else None,
            upstreams=tuple(path(scope, upstream) for upstream in upstreams),
            sources=frozenset(path(scope, source) for source in _needed(node, when)),
            handler=handler,
        )

    def _spec(self, kind: NodeKind, node: Spec, defaults: Mapping[str, Any]) -> tuple[Spec, str | None]:
        """What a node runs, and the closure's copy of its code."""
        if kind is NodeKind.TASK:
            task = self._document["tasks"][reference_key(node["task"])]
            source = code_of(task)
            code = self._document["code"][source] if source is not None else None
            return overrides.effective(task, node.get("overrides"), defaults=defaults or None), code
        if kind is NodeKind.PLAN:
            return self._document["plans"][reference_key(node["launchPlan"])], None
        if kind is NodeKind.WORKFLOW:
            inner = self._document["workflows"][reference_key(node["workflow"])]
            return {part: inner.get(part) or {} for part in ("inputs", "outputs")}, None
        return ({} if kind is NodeKind.SELECT else node[kind.value]), None


def path(scope: str, node: str) -> str:
    """The id of a node in a scope."""
    return f"{scope}.{node}" if scope else node


def _needed(node: Spec, when: cel.Expression | None) -> Iterator[str]:
    """The nodes whose outputs a node can't do without. A ``select`` takes what there is."""
    read = [ref.node for _, ref in refs.iter_refs(node.get("inputs") or {})]
    if when is not None:
        read += [ref.node for ref in when.refs]
    yield from (source for source in read if source is not None)


def _case(case: Spec) -> Case:
    when = cel.parse(case["when"]) if case.get("when") else None
    return Case(when, case.get("outputs") or {}, case.get("fail"))


def _mapped(spec: Spec) -> Mapped:
    return Mapped(tuple(spec["over"]), spec.get("concurrency"), spec.get("minSuccesses"), spec.get("minSuccessRatio"))
