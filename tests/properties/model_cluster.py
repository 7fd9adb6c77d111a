"""A model of the operator and its cluster, to run ``plan_execution`` through whole histories.

Everything that a plan may ask for lives in dictionaries: pods, child Executions, Signals, ConfigMaps of values and of
segments, results in the cache, reservations. Each step something happens that can happen: a pod starts, ends (well,
badly, with a user's or a system failure), disappears; somebody answers a question; the operator makes a pass, with
creates that may fail; or it is killed between its actions and its status write, and starts again from the status that
was last written. Time moves on by itself.
"""

from __future__ import annotations

import base64
import copy
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from windlass_api import names
from windlass_operator.core.actions import (
    Action,
    Answered,
    Conflict,
    CreateExecution,
    CreatePod,
    CreateSignal,
    CreateValue,
    DeleteExecution,
    DeletePod,
    Done,
    LookUp,
    MarkSignal,
    Outcome,
    Release,
    Reserve,
    Reserved,
    SaveValue,
    StoreEntry,
    TellExecution,
    Unavailable,
    Version,
    WriteSegment,
)
from windlass_operator.core.caching import Holder
from windlass_operator.core.closure import ROOT, Closure, compile_closure, load
from windlass_operator.core.observed import (
    ALONE,
    AskCache,
    AskPrevious,
    AskSegments,
    AskValue,
    Children,
    ChildView,
    ExecutionState,
    Lost,
    NodeState,
    Observed,
    Place,
    Previous,
    Question,
    Reservation,
    SignalView,
)
from windlass_operator.core.plan_execution import Plan, plan_execution, stuck
from windlass_operator.core.record import record
from windlass_operator.core.states import FINISHED, NodePhase
from windlass_operator.core.status import parse, patch, render
from windlass_operator.kinds.evidence import Evidence, Failed, Failure, FailureKind, Running, Succeeded, Waiting
from windlass_operator.reconcile.loop import ROUNDS
from windlass_operator.settings import Settings

Body = dict[str, Any]
Shapes = Mapping[str, "Shape"]

NODE_TASK: Body = {"inputs": {"xs": {"type": "list[any]", "default": []}}, "outputs": {"o0": {"type": "any"}}}
MAP_TASK: Body = {"inputs": {**NODE_TASK["inputs"], "x": {"type": "any"}}, "outputs": {"o0": {"type": "any"}}}
HANDLER = "fn0"


@dataclass(frozen=True)
class Shape:
    """A node of a random workflow."""

    reads: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    """Order without data."""
    when: str | None = None
    """Only if this node's output is 0, which is the number of the attempt that succeeded."""
    retries: int = 0
    broken: bool = False
    """Its input refers into a value where there is nothing: known only when it is to start."""
    kind: str = "task"
    """``task``, ``map``, ``flow`` (a workflow inside), ``plan``, ``select``, ``approve``."""
    size: int = 0
    """Of a map: how many elements it has."""
    least: int | None = None
    """Of a map: how many of them have to succeed."""
    inner: tuple[tuple[str, Shape], ...] = ()
    """Of a workflow: its nodes."""
    handled: bool = False
    """Of a workflow: whether a node handles its failure."""
    keeps_going: bool = False
    """Of a workflow: its failure policy."""


@dataclass(frozen=True)
class Graph:
    """A random workflow."""

    shapes: Shapes
    handled: bool = False
    keeps_going: bool = False

    def workflows(self) -> Iterator[tuple[str, Graph]]:
        """Itself, called ``""``, and those inside it, by the path of their node."""
        yield ROOT, self
        for name, shape in self.shapes.items():
            if shape.kind == "flow":
                for path, graph in Graph(dict(shape.inner), shape.handled, shape.keeps_going).workflows():
                    yield f"{name}.{path}" if path else name, graph


def task(retries: int, base: Body = NODE_TASK) -> Body:
    """A task that takes a list and gives something."""
    return {**base, "python": {"entrypoint": "m:f"}, "retries": retries}


def workflow(graph: Graph, prefix: str = "") -> Body:
    """The workflow with nodes of these shapes, that returns what each of them gave."""
    gave = [{"$ref": f"nodes.{node}.outputs.o0"} for node in graph.shapes]
    spec: Body = {
        "inputs": {"xs": {"type": "any", "default": None}},
        "nodes": [_node(prefix, *item) for item in graph.shapes.items()],
        "outputs": {"o0": {"type": "any", "from": gave}},
    }
    if graph.handled:
        spec["onFailure"] = {"id": HANDLER, "task": {"name": "handler"}}
    if graph.keeps_going:
        spec["failurePolicy"] = "FailAfterExecutableNodesComplete"
    return spec


def _node(prefix: str, name: str, shape: Shape) -> Body:
    into = ".nothing" if shape.broken else ""
    reads = [{"$ref": f"nodes.{source}.outputs.o0{into}"} for source in shape.reads]
    base: Body = {"id": name, "dependsOn": list(shape.after)}
    if shape.when:
        base["when"] = f"nodes.{shape.when}.outputs.o0 == 0"
    called = {"name": f"t-{prefix}{name}"}
    match shape.kind:
        case "map":
            over = {"over": ["x"], **({} if shape.least is None else {"minSuccesses": shape.least})}
            return {**base, "task": called, "map": over, "inputs": {"xs": reads, "x": list(range(shape.size))}}
        case "flow":
            return {**base, "workflow": called, "inputs": {"xs": reads}}
        case "plan":
            return {**base, "launchPlan": called, "inputs": {"xs": reads}}
        case "select":
            return {**base, "select": [{"outputs": {"o0": reads}}]}
        case "approve":
            return {**base, "approve": {"name": f"{prefix}{name}"}, "inputs": {"value": reads}}
    return {**base, "task": called, "inputs": {"xs": reads}}


def closure_of(graph: Graph | Shapes) -> Closure:
    """The compiled closure of a random workflow."""
    whole = graph if isinstance(graph, Graph) else Graph(graph)
    known: dict[tuple[str, str], Body] = {("Task", "handler"): task(0)}
    for path, one in whole.workflows():
        prefix = f"{path}." if path else ""
        if path:
            known["Workflow", f"t-{path}"] = workflow(one, prefix)
        for name, shape in one.shapes.items():
            called = f"t-{prefix}{name}"
            if shape.kind in ("task", "map"):
                known["Task", called] = task(shape.retries, MAP_TASK if shape.kind == "map" else NODE_TASK)
            elif shape.kind == "plan":
                known["LaunchPlan", called] = {"workflow": {"name": "planned"}}
    known["Workflow", "planned"] = {**NODE_TASK, "nodes": [], "inputs": {"xs": {"type": "any"}}}
    find = lambda kind, name, _version: known.get((kind, name))  # noqa: E731  it is what the parameter is called
    return load(compile_closure(workflow(whole), find, lambda _: None))


@dataclass
class Model:
    """One Execution, all that belongs to it, and an operator that can be killed."""

    closure: Closure
    settings: Settings = field(
        default_factory=lambda: Settings(system_retries=1, backoff_base=1.0, max_parallel_pods=3)
    )
    now: float = 1_000_000.0
    spec: Body = field(default_factory=dict)
    name: str = "ex"
    depth: int = 0
    room: int | None = None
    """How many children the namespaces' shares let it have."""
    pods: dict[Place, ChildView] = field(default_factory=dict)
    executions: dict[Place, ChildView] = field(default_factory=dict)
    signals: dict[str, SignalView] = field(default_factory=dict)
    config_maps: dict[str, Body] = field(default_factory=dict)
    cache: dict[str, Body] = field(default_factory=dict)
    leases: dict[str, Holder] = field(default_factory=dict)
    earlier: dict[str, Previous] = field(default_factory=dict)
    deleted: bool = False
    state: ExecutionState = field(default_factory=ExecutionState)
    status: Body = field(default_factory=dict)
    known: dict[Question, Any] = field(default_factory=dict)
    reservations: dict[tuple[str, str], Reservation] = field(default_factory=dict)
    started: list[Place] = field(default_factory=list)
    """Every create that the cluster saw succeed, in order."""
    manifests: dict[Place, Body] = field(default_factory=dict)
    plans: list[Plan] = field(default_factory=list)
    done: list[Action] = field(default_factory=list)
    answers: Callable[[Action], Outcome | None] = lambda _: None
    """What comes of an action, instead of what would."""
    wake_at: float | None = None
    _versions: int = 0

    def observe(self) -> Observed:
        """What a pass sees now."""
        return Observed(
            name=self.name,
            namespace="ns",
            uid="u",
            spec=self.spec,
            state=self.state,
            closure=self.closure,
            pods=_children(self.pods),
            executions=_children(self.executions),
            signals=dict(self.signals),
            known=dict(self.known),
            reservations=dict(self.reservations),
            room=None if self.room is None else self.room - len(self.unfinished()),
            depth=self.depth,
            settings=self.settings,
            now=self.now,
        )

    def run_pass(self, *, create_fails: Callable[[Place], bool] = lambda _: False, killed: bool = False) -> Plan:
        """One pass. A killed operator has acted, but neither remembers it nor has written it down."""
        for _ in range(ROUNDS):
            plan = plan_execution(self.observe())
            self.plans.append(plan)
            for value in plan.before:
                self._do(value, create_fails)
            outcomes = {action: self._done(action, create_fails) for action in plan.actions}
            if killed:
                self.restart()
                return plan
            recorded = record(plan, outcomes, self.now)
            self.state, self.wake_at = recorded.state, recorded.wake_at
            for question in recorded.outdated:
                self.known.pop(question, None)
            self.known.update(recorded.known)
            self.reservations.update(recorded.reservations)
            if not recorded.again:
                break
        else:
            self.wake_at = self.now
        status = render(self.status, self.state, self.closure, stuck(self.observe(), self.state), 1, self.now)
        self.status = apply_patch(self.status, patch(self.status, status))
        assert self.status == status
        return plan

    def restart(self) -> None:
        """The operator starts again, and knows what the status says."""
        self.state, self.known, self.reservations = parse(self.status), {}, {}

    def fork(self) -> Model:
        """Another world that is the same so far."""
        other = copy.copy(self)
        for part in fields(self):
            held = getattr(self, part.name)
            if isinstance(held, dict | list):
                setattr(other, part.name, held.copy())
        return other

    def node(self, name: str) -> NodeState:
        """A node, as it is."""
        return self.state.nodes[name]

    # -- what the cluster does

    def _done(self, action: Action, create_fails: Callable[[Place], bool]) -> Outcome:
        said = self.answers(action)
        if said is not None:
            return said
        self.done.append(action)
        return self._do(action, create_fails)

    def _do(self, action: Action | CreateValue, create_fails: Callable[[Place], bool]) -> Outcome:  # noqa: PLR0912  one per action
        match action:
            case CreatePod() | CreateExecution():
                return self._create(action, create_fails(action.place))
            case DeletePod():
                self._change(self.pods, action.name, deleting=True)
            case TellExecution():
                told = {"cancel": "cancelled", "suspend": "suspended"}[action.field]
                self._change(self.executions, action.name, **{told: action.value})
            case CreateSignal(_, name, manifest):
                spec = manifest["spec"]
                self.signals.setdefault(spec["name"], SignalView(name, f"uid-{name}", spec, "", owner="u"))
            case MarkSignal(name, _, status):
                for gate, view in self.signals.items():
                    if view.name == name:
                        self.signals[gate] = replace(view, phase=status["phase"])
            case SaveValue() | CreateValue():
                self.config_maps[action.name] = action.manifest
            case WriteSegment():
                return self._segment(action)
            case LookUp(question):
                return Answered(self._answer(question))
            case Reserve(name, me):
                holder = self.leases.setdefault(name, me)
                return Reserved(Reservation(holder == me, "" if holder == me else f"waits for {holder}", self.now))
            case Release(name, me):
                if self.leases.get(name) == me:
                    del self.leases[name]
            case StoreEntry():
                self._store(action)
            case DeleteExecution():
                self.deleted = True
        return Done()

    def _create(self, action: CreatePod | CreateExecution, fails: bool) -> Outcome:
        place = action.place
        if fails:
            return Unavailable("lost on the way")
        children = self.pods if isinstance(action, CreatePod) else self.executions
        if place not in children:
            children[place] = ChildView(
                action.name, action.node, action.attempt, Waiting(), element=action.element, created=self.now
            )
            if not (isinstance(action, CreateExecution) and action.revision is not None):
                self.started.append(place)
            self.manifests[place] = action.manifest
        return Done()

    @staticmethod
    def _change(children: dict[Place, ChildView], name: str, **change: bool) -> None:
        for place, view in children.items():
            if view.name == name:
                children[place] = replace(view, **change)  # type: ignore[arg-type]  # all of them are bools

    def _segment(self, action: WriteSegment) -> Outcome:
        there = self.config_maps.get(action.name)
        if (there["metadata"]["resourceVersion"] if there else "") != action.version:
            return Conflict("somebody else has written it")
        self._versions += 1
        version = str(self._versions)
        meta = {**action.manifest["metadata"], "resourceVersion": version}
        self.config_maps[action.name] = {**action.manifest, "metadata": meta}
        return Version(version)

    def _answer(self, question: Question) -> Any:
        match question:
            case AskValue(execution, digest):
                found = self.config_maps.get(names.value_name(execution, digest))
                return Lost("it is gone") if found is None else _value(found)
            case AskSegments(node, execution):
                listed: list[Body] = []
                while (one := self.config_maps.get(names.segment_name(execution, node, len(listed)))) is not None:
                    listed.append(one)
                return listed
            case AskCache(entry, task_name, near):
                there = self.cache.get(entry)
                others = [one for one in self.cache.values() if one["key"]["task"] == task_name]
                return there, others if there is None and near else []
            case AskPrevious(execution):
                return self.earlier.get(execution)

    def _store(self, action: StoreEntry) -> None:
        if action.name in self.cache and not action.replace:
            return
        spec = action.manifest["spec"]
        beside = {one["metadata"]["name"]: _value(one) for one in action.values}
        outputs = {
            name: beside[names.value_name(action.name, value["$value"])]
            if isinstance(value, dict) and "$value" in value
            else value
            for name, value in spec["outputs"].items()
        }
        self.cache[action.name] = {**spec, "outputs": outputs}

    # -- what happens to its children

    def unfinished(self) -> list[Place]:
        """Children to which something can still happen."""
        return [
            place
            for children in (self.pods, self.executions)
            for place, view in children.items()
            if not view.gone and not isinstance(view.evidence, Succeeded | Failed)
        ]

    def child(self, place: Place) -> ChildView:
        """The child that an attempt has now."""
        return self.executions.get(place) or self.pods[place]

    def _say(self, place: Place, **change: Any) -> None:
        children = self.executions if place in self.executions else self.pods
        children[place] = replace(children[place], **change)

    def run_pod(self, node: str | Place, attempt: int = 0, element: int = ALONE, since: str = "") -> None:
        """A child starts."""
        self._say(_place(node, attempt, element), evidence=Running(since))

    def end_pod(self, place: Place, how: str) -> None:
        """A child ends: ``well``, or with a ``user``, ``recoverable`` or ``system`` failure, or it is ``gone``."""
        if how == "gone":
            self._say(place, gone=True)
        elif how == "well":
            self.succeed(place, o0=place[1])
        else:
            kind = {"system": FailureKind.SYSTEM, "oom": FailureKind.OOM}.get(how, FailureKind.USER)
            self.fail(place, Failure(kind, how.upper(), "it failed", recoverable=how in ("recoverable", "oom")))

    def succeed(self, node: str | Place, attempt: int = 0, element: int = ALONE, **outputs: Any) -> None:
        """A child ends well."""
        self._say(_place(node, attempt, element), evidence=Succeeded(outputs, at=""))

    def fail(self, node: str | Place, failure: Failure, attempt: int = 0, element: int = ALONE) -> None:
        """A child ends badly."""
        self._say(_place(node, attempt, element), evidence=Failed(failure, at=""))

    def say(self, node: str | Place, evidence: Evidence, attempt: int = 0, element: int = ALONE) -> None:
        """A child says so."""
        self._say(_place(node, attempt, element), evidence=evidence)

    def answer(self, gate: str, **answer: Any) -> None:
        """Somebody answers a question."""
        view = self.signals[gate]
        self.signals[gate] = replace(view, spec={**view.spec, "answer": answer}, generation=view.generation + 1)

    @property
    def over(self) -> bool:
        """Whether the Execution has ended, for everybody to see."""
        return self.status.get("phase") in {phase.value for phase in FINISHED}

    def stops(self, node: str) -> bool:
        """Whether a node is to stop: worked out here again, from the rules as people are told them."""
        if self.spec.get("cancel") or self.over:
            return True
        while node:
            of = self.closure.nodes[node]
            scope = self.closure.scopes[of.scope]
            failed = any(
                self.state.nodes[one].phase is NodePhase.FAILED for one in scope.members if one in self.state.nodes
            )
            if failed and not scope.keeps_going and not of.handler:
                return True
            node = of.scope
        return False

    def drain(self, limit: int = 2000) -> None:
        """From now on everything goes well: children end, time passes, passes are made. It must come to an end.

        Children that ought to be stopped don't end by themselves, so forgetting one shows.
        """
        for _ in range(limit):
            self.run_pass()
            if self.over and not self.unfinished():
                return
            for place in self.unfinished():
                view, state = self.child(place), self.state.nodes[place.node]
                if view.deleting or view.cancelled:
                    self.end_pod(place, "gone")
                elif not (state.terminal or self.stops(place.node) or place.attempt < _attempt(state, place)):
                    self.end_pod(place, "well")
            for gate, asked in self.signals.items():
                if asked.phase in ("", "Waiting"):
                    self.answer(gate, approved=True)
            self.now += 400.0
        raise AssertionError("the history doesn't end")


def _attempt(state: NodeState, place: Place) -> int:
    if place.element == ALONE or state.elements is None:
        return state.attempt
    return state.elements.states.get(place.element, NodeState()).attempt


def _place(node: str | Place, attempt: int, element: int) -> Place:
    return node if isinstance(node, Place) else Place(node, attempt, element)


def _children(views: Mapping[Place, ChildView]) -> Children:
    found = Children()
    for view in views.values():
        found.put(view)
    return found


def _value(config_map: Mapping[str, Any]) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(config_map["binaryData"]["value.json.gz"])))


def apply_patch(status: Body, operations: list[Body]) -> Body:
    """The few JSON Patch operations that a status write uses."""
    document = {"status": {**status, "nodes": dict(status.get("nodes") or {})}} if status else {}
    for operation in operations:
        *parents, last = operation["path"].strip("/").split("/")
        target: Body = document
        for part in parents:
            target = target[part]
        if operation["op"] == "remove":
            del target[last]
        else:
            target[last] = operation["value"]
    return document.get("status", {})
