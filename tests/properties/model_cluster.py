"""A model of the operator and its cluster, to run ``plan_execution`` through whole histories.

Pods live in a dictionary; each step something happens that can happen: a pod starts, ends (well, badly, with a user's
or a system failure), disappears; the operator makes a pass, with creates that may fail; or it is killed between its
actions and its status write, and starts again from the status that was last written. Time moves on by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from windlass_operator.core.actions import Action, CreatePod, DeletePod, Done, Outcome, Unavailable
from windlass_operator.core.closure import Closure, compile_closure, load
from windlass_operator.core.observed import ExecutionState, Observed, PodView
from windlass_operator.core.plan_execution import Plan, plan_execution, stuck
from windlass_operator.core.record import record
from windlass_operator.core.states import FINISHED
from windlass_operator.core.status import parse, patch, render
from windlass_operator.kinds.evidence import Failed, Failure, FailureKind, Running, Succeeded, Waiting
from windlass_operator.settings import Settings

Place = tuple[str, int]
NODE_TASK = {"inputs": {"xs": {"type": "list[any]", "default": []}}, "outputs": {"o0": {"type": "int"}}}


def task(retries: int) -> dict[str, Any]:
    """A task that takes a list and gives an int."""
    return {**NODE_TASK, "python": {"entrypoint": "m:f"}, "retries": retries}


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


def workflow(shapes: dict[str, Shape]) -> dict[str, Any]:
    """The workflow with nodes of these shapes, that returns what each of them gave."""
    outputs = {"all": {"type": "any", "from": [{"$ref": f"nodes.{node}.outputs.o0"} for node in shapes]}}
    return {"inputs": {}, "nodes": [_node(*item) for item in shapes.items()], "outputs": outputs}


def _node(name: str, shape: Shape) -> dict[str, Any]:
    into = ".nothing" if shape.broken else ""
    reads = [{"$ref": f"nodes.{source}.outputs.o0{into}"} for source in shape.reads]
    when = {"when": f"nodes.{shape.when}.outputs.o0 == 0"} if shape.when else {}
    return {"id": name, "task": {"name": f"t-{name}"}, "inputs": {"xs": reads}, "dependsOn": list(shape.after), **when}


def closure_of(shapes: dict[str, Shape]) -> Closure:
    """The compiled closure of a random workflow."""
    return load(
        compile_closure(workflow(shapes), lambda name, _: task(shapes[name.removeprefix("t-")].retries), lambda _: None)
    )


@dataclass
class Model:
    """One Execution, its pods, and an operator that can be killed."""

    closure: Closure
    settings: Settings = field(
        default_factory=lambda: Settings(system_retries=1, backoff_base=1.0, max_parallel_pods=3)
    )
    now: float = 1_000_000.0
    spec: dict[str, Any] = field(default_factory=dict)
    pods: dict[Place, PodView] = field(default_factory=dict)
    state: ExecutionState = field(default_factory=ExecutionState)
    status: dict[str, Any] = field(default_factory=dict)
    started: list[Place] = field(default_factory=list)
    """Every create that the cluster saw succeed, in order."""
    plans: list[Plan] = field(default_factory=list)

    def observe(self) -> Observed:
        """What a pass sees now."""
        return Observed(
            name="ex",
            namespace="ns",
            uid="u",
            spec=self.spec,
            state=self.state,
            closure=self.closure,
            pods=dict(self.pods),
            settings=self.settings,
            now=self.now,
        )

    def run_pass(self, *, create_fails: Callable[[Place], bool] = lambda _: False, killed: bool = False) -> Plan:
        """One pass. A killed operator has acted, but neither remembers it nor has written it down."""
        plan = plan_execution(self.observe())
        self.plans.append(plan)
        outcomes: dict[Action, Outcome] = {}
        for action in plan.actions:
            if isinstance(action, CreatePod):
                outcomes[action] = self._create(action, create_fails((action.node, action.attempt)))
            elif isinstance(action, DeletePod):
                self._delete(action)
                outcomes[action] = Done()
        if killed:
            self.restart()
            return plan
        recorded = record(plan, outcomes, self.now)
        self.state = recorded.state
        status = render(self.status, self.state, self.closure, stuck(self.observe(), self.state), 1, self.now)
        self.status = apply_patch(self.status, patch(self.status, status))
        assert self.status == status
        return plan

    def restart(self) -> None:
        """The operator starts again, and knows what the status says."""
        self.state = parse(self.status)

    def _create(self, action: CreatePod, fails: bool) -> Outcome:
        place = (action.node, action.attempt)
        if fails:
            return Unavailable("lost on the way")
        if place not in self.pods:
            self.pods[place] = PodView(action.name, action.node, action.attempt, Waiting())
            self.started.append(place)
        return Done()

    def _delete(self, action: DeletePod) -> None:
        for place, view in self.pods.items():
            if view.name == action.name:
                self.pods[place] = replace(view, deleting=True)

    def unfinished(self) -> list[Place]:
        """Pods to which something can still happen."""
        return [
            place
            for place, view in self.pods.items()
            if not view.gone and not isinstance(view.evidence, Succeeded | Failed)
        ]

    def run_pod(self, place: Place) -> None:
        """The pod starts."""
        self.pods[place] = replace(self.pods[place], evidence=Running(since=""))

    def end_pod(self, place: Place, how: str) -> None:
        """The pod ends: ``well``, or with a ``user``, ``recoverable`` or ``system`` failure, or it is ``gone``."""
        view = self.pods[place]
        if how == "gone":
            self.pods[place] = replace(view, gone=True)
        elif how == "well":
            self.pods[place] = replace(view, evidence=Succeeded({"o0": place[1]}, at=""))
        else:
            kind = FailureKind.SYSTEM if how == "system" else FailureKind.USER
            failure = Failure(kind, how.upper(), "it failed", recoverable=how == "recoverable")
            self.pods[place] = replace(view, evidence=Failed(failure, at=""))

    @property
    def over(self) -> bool:
        """Whether the Execution has ended, for everybody to see."""
        return self.status.get("phase") in {phase.value for phase in FINISHED}

    def drain(self, limit: int = 2000) -> None:
        """From now on everything goes well: pods end, time passes, passes are made. It must come to an end.

        Pods that ought to be stopped don't end by themselves, so forgetting one shows.
        """
        for _ in range(limit):
            self.run_pass()
            if self.over and not self.unfinished():
                return
            stopping = self.over or self.state.error is not None or self.spec.get("cancel")
            for place in self.unfinished():
                if self.pods[place].deleting:
                    self.end_pod(place, "gone")
                elif not stopping:
                    self.end_pod(place, "well")
            self.now += 400.0
        raise AssertionError("the history doesn't end")


def apply_patch(status: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """The few JSON Patch operations that a status write uses."""
    document = {"status": {**status, "nodes": dict(status.get("nodes") or {})}} if status else {}
    for operation in operations:
        *parents, last = operation["path"].strip("/").split("/")
        target: dict[str, Any] = document
        for part in parents:
            target = target[part]
        if operation["op"] == "remove":
            del target[last]
        else:
            target[last] = operation["value"]
    return document.get("status", {})
